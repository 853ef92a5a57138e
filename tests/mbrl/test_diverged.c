/* A half-cheetah whose motors are 400 times too strong: full torque blows the simulation up.
 * Nobody may gain from that, whatever was earned on the way. */
#include "tests/mbrl/agent_bench.h"

#include "mbrl/agents/pets_internal.h"
#include "mbrl/environments/mujoco_task.h"
#include "mbrl/planners/builtin.h"

#include <math.h>

enum { CANDIDATES = 41, STEPS = 30, JOINTS = 6, SNAPSHOT = 256, SEED = 5 };

#define STRENGTH 400.0

/* the half-cheetah, its compiled model changed for this process */
static const EnvironmentOps *explosive(void) {
    static EnvironmentOps ops;
    const EnvironmentOps *found = NULL;
    void                 *self = NULL;
    if (ops.name != NULL) {
        return &ops;
    }
    assert_ok(environment_find("half_cheetah", &found));
    ops = *found;
    ops.episode_length = STEPS;
    assert_ok(ops.create(&ops, &self));
    mjModel *model = (mjModel *)(uintptr_t)mujoco_task_sim(self)->model;
    for (int i = 0; i < model->nu; i++) {
        model->actuator_gear[6 * i] *= STRENGTH;
    }
    ops.destroy(self);
    return &ops;
}

typedef struct Outcome {
    double earned; /* before the first bad step */
    double pays;   /* what the episode counts */
    bool   diverged;
} Outcome;

/* an episode of one held action, counted as agents count */
static Outcome episode(void *self, uint64_t seed, const double *action) {
    const EnvironmentOps *ops = explosive();
    double                state[ENV_MAX_STATE];
    EnvironmentStep       step = {0};
    Outcome               outcome = {0};
    Rng                   rng = rng_stream(seed, 0, RNG_ENVIRONMENT);
    assert_ok(ops->reset(self, &rng, state));
    for (int t = 0; t < STEPS && !step.diverged; t++) {
        assert_ok(ops->step(self, action, state, &step));
        outcome.earned += step.reward;
    }
    outcome.diverged = step.diverged;
    outcome.pays = step.diverged ? ops->worst_return : outcome.earned;
    return outcome;
}

/* candidate 0 is idle, 1 to 10 are gentle, the others pull with all they have */
static void draw_action(Rng *rng, int c, double *action) {
    for (int i = 0; i < JOINTS; i++) {
        const double sign = rng_uniform(rng) < 0.5 ? -1.0 : 1.0;
        action[i] = sign * (c == 0 ? 0.0 : c <= 10 ? 0.5 / STRENGTH : 1.0);
    }
}

/* one planned episode of an agent: what it counts; in a learned model the random part comes first
 */
static double planned_episode(const char *planner, const char *model, bool *diverged) {
    double           options[BENCH_MOST_OPTIONS];
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    void            *self = NULL;
    bench_options(options);
    bench_choice(options, "planner", planner);
    bench_choice(options, "planning_model", model);
    bench_option(options, "planning_horizon", STEPS);
    bench_option(options, "cem_candidates", 20);
    bench_option(options, "icem_candidates", 20);
    bench_option(options, "icem_iterations", 2);
    bench_option(options, "icem_initial_sd", 0.05); /* some of the sequences survive */
    bench_option(options, "exploration_noise", 0.0);
    assert_ok(bench_pets()->create(explosive(), AGENT_UNIT_EPISODE, options, SEED, &self));
    assert_ok(bench_pets()->train(self, 1, &sink, NULL, &result));
    bench_pets()->destroy(self);
    assert_int_equal(record_count(&record, "episode_reward"), 1);
    const double reward = record_value(&record, "episode_reward", 0);
    *diverged = record_value(&record, "episode_diverged", 0) == 1.0;
    print_message("%s, %s: %g%s\n", planner, model, reward, *diverged ? ", diverged" : "");
    record_free(&record);
    return reward;
}

/* The blow-ups earn by far the most on their way, so a planner that saw the sum of rewards would
 * choose one. In the simulator it sees what they are worth and never has one: it does at least as
 * well as who does nothing. With a model that knows of no blow-up it gains nothing either. */
static void a_planner_gains_nothing_from_exploding_physics(void **state) {
    (void)state;
    const char  *planners[] = {"cem", "icem"};
    const double rest[JOINTS] = {0};
    bool         diverged = true;
    void        *self = NULL;
    assert_ok(explosive()->create(explosive(), &self));
    const Outcome idle = episode(self, SEED, rest);
    explosive()->destroy(self);
    assert_false(idle.diverged);
    for (size_t i = 0; i < 2; i++) {
        const double reward = planned_episode(planners[i], "true_dynamics", &diverged);
        assert_false(diverged);
        assert_true(reward >= idle.pays);
    }
    /* cem's first candidates are full torque: learned from what did not blow up yet */
    const double reward = planned_episode("cem", "learned", &diverged);
    assert_true(diverged && reward <= fmax(idle.pays, explosive()->worst_return));
}

/* The same candidates as a planner sees them on the simulator: a blow-up has no return, whatever it
 * earned on its way; the others have what they pay. */
static void a_blow_up_has_no_return_to_be_chosen_for(void **state) {
    (void)state;
    const PlannerBackend *backend = &planner_backend_simulation_ops;
    const EnvironmentOps *ops = explosive();
    double                snapshot[SNAPSHOT];
    double                observed[ENV_MAX_STATE];
    float                 actions[STEPS][CANDIDATES][JOINTS];
    Outcome               outcomes[CANDIDATES];
    double                returns[CANDIDATES];
    RolloutResult         result;
    void                 *self = NULL;
    void                 *simulations = NULL;
    Rng                   rng = rng_stream(2, 0, RNG_TEST);
    assert_true(ops->snapshot_size <= SNAPSHOT);
    assert_ok(ops->create(ops, &self));
    for (int c = 0; c < CANDIDATES; c++) {
        double action[JOINTS];
        draw_action(&rng, c, action);
        outcomes[c] = episode(self, 1, action);
        for (int k = 0; k < STEPS * JOINTS; k++) {
            actions[k / JOINTS][c][k % JOINTS] = (float)action[k % JOINTS];
        }
    }
    Rng start = rng_stream(1, 0, RNG_ENVIRONMENT);
    assert_ok(ops->reset(self, &start, observed));
    ops->save(self, snapshot);
    const PlanTask    plan = {.state = observed, .snapshot = snapshot};
    const RolloutTask task = {
        .plan = &plan, .actions = &actions[0][0][0], .candidates = CANDIDATES};
    const RolloutShape shape = {.candidates = CANDIDATES, .particles = 1, .horizon = STEPS};
    assert_ok(backend->create(ops, &simulations));
    assert_ok(backend->reserve(simulations, &shape, &plan));
    assert_ok(backend->evaluate(simulations, &task, returns, &result));
    for (int c = 0; c < CANDIDATES; c++) {
        assert_int_equal(isnan(returns[c]) != 0, outcomes[c].diverged);
        assert_true(outcomes[c].diverged || fabs(returns[c] - outcomes[c].pays) < 1e-3);
    }
    backend->destroy(simulations);
    ops->destroy(self);
}

/* The agent on the same: such an episode is said to be one, counts the worst return, and what it
 * learns from ends before the first bad step; so does an evaluation. */
static void an_agent_is_paid_the_worst_return_and_learns_nothing_bad(void **state) {
    (void)state;
    const EnvironmentOps *ops = explosive();
    double                options[BENCH_MOST_OPTIONS];
    Record                record = {0};
    const MetricSink      sink = record_sink(&record);
    AgentResult           result;
    void                 *self = NULL;
    size_t                blown = 0;
    bench_options(options);
    assert_ok(bench_pets()->create(ops, AGENT_UNIT_EPISODE, options, 5, &self));
    assert_ok(bench_pets()->train(self, 4, &sink, NULL, &result));
    const size_t trained = record_count(&record, "episode_diverged");
    assert_int_equal(trained, 4);
    assert_ok(bench_pets()->evaluate(self, 2, 3, &sink, &result));
    for (size_t e = 0; e < record_count(&record, "episode_diverged"); e++) {
        const bool diverged = record_value(&record, "episode_diverged", e) == 1.0;
        assert_int_equal(diverged, record_value(&record, "episode_length", e) < STEPS);
        if (diverged) {
            blown++;
            assert_true(record_value(&record, "episode_reward", e) == ops->worst_return);
        }
    }
    assert_true(blown > 0);
    const Pets *pets = self;
    assert_true(pets->data->n < (size_t)pets->at.env_steps);
    for (size_t i = 0; i < pets->data->n * pets->data->input_dim; i++) {
        assert_true(isfinite(pets->data->inputs[i]));
    }
    bench_pets()->destroy(self);
    record_free(&record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planner_gains_nothing_from_exploding_physics),
        cmocka_unit_test(a_blow_up_has_no_return_to_be_chosen_for),
        cmocka_unit_test(an_agent_is_paid_the_worst_return_and_learns_nothing_bad),
    };
    return cmocka_run_group_tests_name("mbrl/diverged", tests, NULL, NULL);
}
