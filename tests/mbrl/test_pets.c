/* What the PETS agent does in its loop and what it reports. The model and the planner are replaced
 * by wrappers where a test wants to see or to break a call. */
#include "tests/mbrl/agent_bench.h"

#include "mbrl/agents/pets_internal.h"
#include "mbrl/models/builtin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

static Pets *make(AgentUnit unit, const double *options) {
    void *self = NULL;
    assert_ok(bench_pets()->create(cartpole(), unit, options, 5, &self));
    return self;
}

static AgentResult train(Pets *pets, int64_t end, Record *record) {
    const MetricSink sink = record_sink(record);
    AgentResult      result;
    assert_ok(bench_pets()->train(pets, end, &sink, NULL, &result));
    return result;
}

static void agents_are_found_by_name(void **state) {
    (void)state;
    const AgentOps *agent = NULL;
    assert_true(agent_count() >= 1);
    for (size_t i = 0; i < agent_count(); i++) {
        assert_ok(agent_find(agent_at(i)->name, &agent));
        assert_ptr_equal(agent, agent_at(i));
        assert_true(agent->create && agent->destroy && agent->set && agent->train &&
                    agent->evaluate && agent->position && agent->save && agent->load &&
                    agent->cost && agent->options && agent->metrics && agent->help);
        agent->destroy(NULL);
    }
    assert_null(agent_at(agent_count()));
    assert_fails(agent_find("petss", &agent), STATUS_ERR_UNKNOWN_NAME, "'pets'");
    assert_null(agent);
    assert_fails(agent_find("qqqqqqqqqqq", &agent), STATUS_ERR_UNKNOWN_NAME, "no agent");
}

static void options_are_the_published_names_with_defaults_in_range(void **state) {
    (void)state;
    static const char *const names[] = {"model_learning_rate",
                                        "model_weight_decay",
                                        "model_train_epochs",
                                        "model_batch_size",
                                        "ensemble_size",
                                        "hidden_layers",
                                        "hidden_width",
                                        "activation",
                                        "logvar_bounds",
                                        "bootstrap",
                                        "model_kind",
                                        "optimizer",
                                        "momentum",
                                        "weight_decay_profile",
                                        "patience",
                                        "shared_order",
                                        "ensemble_elites",
                                        "planning_precision",
                                        "weight_decay_layers",
                                        "linear_iterations",
                                        "gp_points",
                                        "gp_iterations",
                                        "planning_horizon",
                                        "particles",
                                        "propagation",
                                        "max_plan_seconds",
                                        "cem_candidates",
                                        "cem_iterations",
                                        "cem_elite_ratio",
                                        "cem_alpha",
                                        "icem_candidates",
                                        "icem_iterations",
                                        "icem_elites",
                                        "icem_alpha",
                                        "icem_initial_sd",
                                        "icem_noise_beta",
                                        "icem_decay",
                                        "icem_keep",
                                        "mppi_candidates",
                                        "mppi_iterations",
                                        "mppi_kappa",
                                        "mppi_beta",
                                        "mppi_sigma",
                                        "shooting_candidates",
                                        "model_train_every",
                                        "validation_ratio",
                                        "initial_steps",
                                        "exploration_noise",
                                        "planner",
                                        "planning_model",
                                        "dynamics_model",
                                        "learned_reward",
                                        "data_limit",
                                        "model_reset_every",
                                        "rebuild_epochs"};
    const OptionSpec        *specs = bench_pets()->options();
    size_t                   known = 0;
    for (size_t i = 0; i < option_count(specs); i++) {
        if (!option_is_element(specs, i)) {
            assert_string_equal(specs[i].name, names[known++]);
        }
        assert_non_null(specs[i].help);
        assert_ok(option_check(&specs[i], specs[i].default_value));
    }
    assert_int_equal(known, sizeof names / sizeof names[0]);
    double defaults[BENCH_MOST_OPTIONS];
    option_defaults(specs, defaults);
    assert_true(pets__option(defaults, PETS_TRAIN_EVERY) == 50.0);
    assert_true(pets__option(defaults, PETS_VALIDATION_RATIO) == 0.05);
    assert_true(pets__option(defaults, PETS_INITIAL_STEPS) == 200.0);
    assert_true(pets__option(defaults, PETS_EXPLORATION_NOISE) == 0.0);
}

/* Each episode reports every declared metric once, at its own step. */
static void every_episode_reports_every_metric(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    bench_options(options);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    assert_int_equal(train(pets, 6, &record).outcome, AGENT_DONE);
    size_t kinds = 0;
    double steps = 0.0;
    for (const AgentMetric *m = bench_pets()->metrics; m->name != NULL; m++) {
        assert_non_null(m->help);
        kinds += !m->timing;
        assert_int_equal(record_count(&record, m->name), m->timing ? 0 : 6);
    }
    assert_int_equal(record.count, 6 * kinds);
    for (size_t e = 0; e < 6; e++) {
        assert_int_equal(record.metrics[e * kinds].step, e + 1);
        const double length = record_value(&record, "episode_length", e);
        /* the step that falls pays nothing */
        const double reward = record_value(&record, "episode_reward", e);
        assert_true(reward == length - 1.0 || (reward == 200.0 && length == 200.0));
        steps += length;
        assert_true(record_value(&record, "env_steps", e) == steps + 30.0);
        assert_true(isfinite(record_value(&record, "model_loss", e)));
        assert_true(isfinite(record_value(&record, "model_nll_train", e)));
        assert_true(isfinite(record_value(&record, "model_nll_on_policy", e)));
        assert_true(record_value(&record, "model_mse_on_policy", e) > 0.0);
        /* mixtures are at least as likely as their members on average */
        assert_true(record_value(&record, "model_nll_on_policy", e) <=
                    record_value(&record, "model_nll_member_on_policy", e) + 1e-9);
    }
    assert_true(record.alive >= (size_t)steps);
    assert_int_equal(bench_pets()->position(pets), 6);
    record_free(&record);
    pets__destroy(pets);
}

static void reported_cost_is_the_announced_one(void **state) {
    (void)state;
    double    options[BENCH_MOST_OPTIONS];
    Record    record = {0};
    AgentCost cost;
    bench_options(options);
    bench_option(options, "validation_ratio", 0.0);
    bench_option(options, "model_train_every", 1000);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    (void)train(pets, 1, &record);
    bench_pets()->cost(cartpole(), options, 30.0, &cost);
    assert_close(record_value(&record, "plan_flop", 0), cost.plan_flop, 0, 1e-12);
    assert_close(record_value(&record, "train_flop", 0), cost.train_flop, 0, 1e-12);
    assert_close(cost.env_steps, 200.0, 0, 0);
    assert_true(cost.checkpoint_bytes > 1000.0);
    record_free(&record);
    pets__destroy(pets);
}

static void without_validation_its_metrics_are_nan(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    bench_options(options);
    bench_option(options, "validation_ratio", 0.0);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    (void)train(pets, 2, &record);
    assert_true(isnan(record_value(&record, "model_nll_validation", 1)));
    assert_true(isnan(record_value(&record, "model_mse_validation", 1)));
    assert_int_equal(pets->data->train_count, pets->data->n);
    record_free(&record);
    pets__destroy(pets);
}

/* The share of held-out episodes is right within one episode at any time; the first one trains. */
static void held_out_episodes_are_spread_evenly(void **state) {
    (void)state;
    const double ratios[] = {0.05, 0.2, 0.5};
    for (size_t r = 0; r < 3; r++) {
        double options[BENCH_MOST_OPTIONS];
        Record record = {0};
        bench_options(options);
        bench_option(options, "initial_steps", 4000);
        bench_option(options, "validation_ratio", ratios[r]);
        Pets *pets = make(AGENT_UNIT_ENV_STEP, options);
        (void)train(pets, 4000, &record);
        const Dataset *data = pets->data;
        int            held = 0;
        assert_int_equal(data->n, 4000);
        assert_int_equal(data->validation[0], 0);
        for (size_t i = 0; i < data->n; i++) {
            if (i > 0 && data->episode[i] == data->episode[i - 1]) {
                assert_int_equal(data->validation[i], data->validation[i - 1]);
                continue;
            }
            held += data->validation[i];
            const double share = ratios[r] * (double)data->episode[i];
            assert_true(fabs((double)held - share) <= 1.0);
        }
        assert_true(data->episode[3999] > 100 && held >= 5);
        record_free(&record);
        pets__destroy(pets);
    }
}

/* Number of the first held-out episode of an agent that acts at random for a few; -1 = none. */
static int first_held_out(uint64_t seed, double ratio) {
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    void  *self = NULL;
    int    first = -1;
    bench_options(options);
    bench_option(options, "initial_steps", 400);
    bench_option(options, "validation_ratio", ratio);
    assert_ok(bench_pets()->create(cartpole(), AGENT_UNIT_ENV_STEP, options, seed, &self));
    Pets *pets = self;
    (void)train(pets, 400, &record);
    const Dataset *data = pets->data;
    assert_true(data->episode[data->n - 1] > 5);
    for (size_t i = 0; i < data->n && first < 0; i++) {
        first = data->validation[i] ? data->episode[i] : -1;
    }
    record_free(&record);
    pets__destroy(pets);
    return first;
}

/* Or a short study with a small share would never see a validation score. */
static void one_of_the_first_five_episodes_after_the_first_is_held_out(void **state) {
    (void)state;
    int times[6] = {0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        const int first = first_held_out(seed, (seed % 2 == 0) ? 0.001 : 0.05);
        assert_true(first >= 1 && first <= 5);
        times[first]++;
        assert_int_equal(first_held_out(seed, 0.0), -1);
    }
    for (int k = 1; k <= 5; k++) {
        assert_true(times[k] >= 5); /* 20 expected, standard deviation 4 */
    }
}

/* A new share is that of the episodes that begin with it; the others stay on their side. Late in a
 * line that held nothing out, the next episode is held out at once. */
static void another_validation_ratio_is_for_new_episodes(void **state) {
    (void)state;
    const double before[] = {0.0, 0.5};
    const double after[] = {0.05, 0.0};
    for (size_t c = 0; c < 2; c++) {
        double options[BENCH_MOST_OPTIONS];
        Record record = {0};
        bench_options(options);
        bench_option(options, "initial_steps", 1200);
        bench_option(options, "validation_ratio", before[c]);
        Pets *pets = make(AGENT_UNIT_ENV_STEP, options);
        (void)train(pets, 600, &record);
        const Dataset *data = pets->data;
        const size_t   held = data->held_count;
        const int      last = data->episode[599];
        assert_true((held > 0) == (before[c] > 0.0) && last > 5);
        const bool under_way = data->validation[599];
        bench_option(options, "validation_ratio", after[c]);
        assert_ok(bench_pets()->set(pets, options, 1));
        (void)train(pets, 1200, &record);
        size_t fresh = 0;
        for (size_t i = 600; i < data->n; i++) {
            if (data->episode[i] == last) {
                assert_true(data->validation[i] == under_way);
                continue;
            }
            fresh += data->validation[i];
            /* cases: the first new episode is held out; no new one is */
            assert_true(data->episode[i] != last + 1 || data->validation[i] == (c == 0));
        }
        assert_true((fresh > 0) == (after[c] > 0.0) && data->held_count >= held);
        record_free(&record);
        pets__destroy(pets);
    }
}

/* Stored rows are (features, action) -> change of what the environment showed. */
static void transitions_are_stored_as_the_model_sees_them(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    bench_options(options);
    Pets *pets = make(AGENT_UNIT_ENV_STEP, options);
    (void)train(pets, 60, &record);
    const Dataset *data = pets->data;
    assert_int_equal(data->n, 60);
    for (size_t i = 0; i + 1 < data->n; i++) {
        const float *input = data->inputs + i * data->input_dim;
        assert_true(fabsf(input[4]) <= 1.0f);
        /* position changes by 0.02 s of velocity, exactly as the simulator says */
        assert_close((double)data->targets[i * 4], 0.02 * (double)input[1], 1e-7, 0);
        for (size_t k = 0; k < 4 && data->episode[i + 1] == data->episode[i]; k++) {
            assert_close((double)(input[k] + data->targets[i * 4 + k]),
                         (double)data->inputs[(i + 1) * data->input_dim + k], 1e-6, 0);
        }
    }
    record_free(&record);
    pets__destroy(pets);
}

/* ---- wrappers that watch ---- */

static size_t watched_fits;
static size_t watched_fit_rows;  /* rows of the dataset at the last fit */
static size_t watched_on_policy; /* rows scored that no fit had seen */
static size_t watched_next;      /* the row that should be scored next */

static Status watched_fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                          FitReport *report) {
    watched_fits++;
    watched_fit_rows = data->n;
    return model_ensemble_ops.fit(self, data, seed, step, report);
}

static Status watched_score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                            ScoreReport *report) {
    if (rows[0] >= watched_fit_rows) {
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(rows[i], watched_next++);
        }
        watched_on_policy += count;
    } else {
        for (size_t i = 0; i < count; i++) {
            assert_true(i == 0 || rows[i] > rows[i - 1]);
        }
    }
    return model_ensemble_ops.score(self, data, rows, count, report);
}

/* Every planned transition is scored once, before any fit has seen it, by the model that acted. */
static void on_policy_scores_come_before_training(void **state) {
    (void)state;
    DynamicsModelOps watched = model_ensemble_ops;
    double           options[BENCH_MOST_OPTIONS];
    Record           record = {0};
    watched.fit = watched_fit;
    watched.score = watched_score;
    watched_fits = watched_on_policy = watched_fit_rows = 0;
    watched_next = 30;
    bench_options(options);
    bench_option(options, "model_train_every", 5);
    bench_option(options, "validation_ratio", 0.0);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    pets->model_ops = &watched;
    (void)train(pets, 8, &record);
    assert_int_equal(watched_on_policy, pets->data->n - 30);
    /* one fit at every fifth planned step */
    assert_int_equal(watched_fits, (pets->at.control_steps + 4) / 5);
    record_free(&record);
    pets__destroy(pets);
}

static void at_most_a_thousand_rows_are_scored(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    bench_options(options);
    bench_option(options, "initial_steps", 5000);
    bench_option(options, "model_train_every", 1000);
    DynamicsModelOps watched = model_ensemble_ops;
    watched.score = watched_score;
    watched_fit_rows = SIZE_MAX; /* nothing counts as on-policy here */
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    pets->model_ops = &watched;
    (void)train(pets, 1, &record);
    assert_true(isfinite(record_value(&record, "model_nll_train", 0)));
    assert_true(isfinite(record_value(&record, "model_nll_validation", 0)));
    record_free(&record);
    pets__destroy(pets);
}

/* ---- wrappers that break ---- */

static Status diverging_fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                            FitReport *report) {
    (void)self;
    (void)data;
    (void)seed;
    (void)step;
    *report = (FitReport){.loss = (double)NAN, .diverged = true};
    return STATUS_OK;
}

static Status lost_plan(void *self, const PlanTask *task, double *action, PlanReport *report) {
    (void)self;
    (void)task;
    action[0] = (double)NAN;
    *report = (PlanReport){0};
    return STATUS_OK;
}

static void divergence_is_an_outcome_with_its_reason(void **state) {
    (void)state;
    DynamicsModelOps broken_model = model_ensemble_ops;
    PlannerOps       broken_planner = planner_cem_ops;
    double           options[BENCH_MOST_OPTIONS];
    Record           record = {0};
    bench_options(options);
    broken_model.fit = diverging_fit;
    broken_planner.plan = lost_plan;

    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    (void)train(pets, 1, &record);
    pets->model_ops = &broken_model;
    AgentResult result = train(pets, 5, &record);
    assert_int_equal(result.outcome, AGENT_DIVERGED);
    assert_string_equal(result.reason, "diverged: NaN in the dynamics model");
    assert_true(result.reached < 5);
    pets__destroy(pets);

    pets = make(AGENT_UNIT_EPISODE, options);
    pets->planner_ops = &broken_planner;
    result = train(pets, 5, &record);
    assert_int_equal(result.outcome, AGENT_DIVERGED);
    assert_contains(result.reason, "planner");
    assert_int_equal(result.reached, 0);
    pets__destroy(pets);
    record_free(&record);
}

/* a cartpole whose simulation breaks at the tenth step of every planned episode */
static int fragile_steps;

static Status fragile_reset(void *self, Rng *rng, double *observed) {
    fragile_steps = 0;
    return cartpole()->reset(self, rng, observed);
}

static Status fragile_step(void *self, const double *action, double *observed,
                           EnvironmentStep *out) {
    TRY(cartpole()->step(self, action, observed, out));
    if (++fragile_steps == 10) {
        *out = (EnvironmentStep){.diverged = true};
        observed[0] = (double)NAN;
    }
    return STATUS_OK;
}

static void a_broken_simulation_costs_the_worst_return(void **state) {
    (void)state;
    EnvironmentOps fragile = *cartpole();
    double         options[BENCH_MOST_OPTIONS];
    Record         record = {0};
    void          *self = NULL;
    fragile.reset = fragile_reset;
    fragile.step = fragile_step;
    fragile.worst_return = -77.0;
    bench_options(options);
    assert_ok(bench_pets()->create(&fragile, AGENT_UNIT_EPISODE, options, 5, &self));
    assert_int_equal(train(self, 3, &record).outcome, AGENT_DONE);
    for (size_t e = 0; e < 3; e++) {
        const double length = record_value(&record, "episode_length", e);
        assert_true(length <= 10.0);
        assert_int_equal(record_value(&record, "episode_diverged", e) == 1.0, length == 10.0);
        if (length == 10.0) {
            assert_true(record_value(&record, "episode_reward", e) == -77.0);
        }
    }
    /* the broken transition is not learned from */
    const Pets *pets = self;
    assert_true(pets->data->n < (size_t)pets->at.env_steps);
    for (size_t i = 0; i < pets->data->n * pets->data->input_dim; i++) {
        assert_true(isfinite(pets->data->inputs[i]));
    }
    record_free(&record);
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    assert_ok(bench_pets()->evaluate(self, 2, 3, &sink, &result));
    bench_pets()->destroy(self);
    record_free(&record);
}

/* ---- stopping, changing, evaluating ---- */

static void yield_stops_after_the_current_unit(void **state) {
    (void)state;
    for (int unit = 0; unit < 2; unit++) {
        double           options[BENCH_MOST_OPTIONS];
        Record           record = {0};
        atomic_bool      yield = true;
        AgentResult      result;
        const MetricSink sink = record_sink(&record);
        bench_options(options);
        Pets *pets = make(unit == 0 ? AGENT_UNIT_EPISODE : AGENT_UNIT_ENV_STEP, options);
        assert_ok(bench_pets()->train(pets, 3, &sink, &yield, &result));
        assert_int_equal(result.outcome, AGENT_YIELDED);
        assert_int_equal(result.reached, 1);
        assert_int_equal(bench_pets()->position(pets), 1);
        /* the last unit ends the segment: that is done, not yielded */
        assert_ok(bench_pets()->train(pets, 2, &sink, &yield, &result));
        assert_int_equal(result.outcome, AGENT_DONE);
        record_free(&record);
        pets__destroy(pets);
    }
}

static void static_and_impossible_values_are_refused(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    double changed[BENCH_MOST_OPTIONS];
    Record record = {0};
    void  *self = &record;
    bench_options(options);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    memcpy(changed, options, sizeof changed);
    bench_option(changed, "optimizer", 3);
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_STATE, "optimizer");
    memcpy(changed, options, sizeof changed);
    bench_option(changed, "initial_steps", 31);
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_STATE, "initial_steps");
    memcpy(changed, options, sizeof changed);
    bench_option(changed, "exploration_noise", 2.0);
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_RANGE, "exploration_noise");
    assert_int_equal(pets->at.seed, 5); /* nothing changed */
    assert_fails(bench_pets()->create(cartpole(), AGENT_UNIT_EPISODE, changed, 1, &self),
                 STATUS_ERR_RANGE, "exploration_noise");
    assert_null(self);
    pets__destroy(pets);
}

static void evaluation_needs_a_trained_model_and_has_its_own_seeds(void **state) {
    (void)state;
    double           options[BENCH_MOST_OPTIONS];
    Record           first = {0};
    Record           second = {0};
    Record           other = {0};
    Record           training = {0};
    AgentResult      result;
    const MetricSink sinks[3] = {record_sink(&first), record_sink(&second), record_sink(&other)};
    bench_options(options);
    Pets *pets = make(AGENT_UNIT_EPISODE, options);
    assert_fails(bench_pets()->evaluate(pets, 1, 3, &sinks[0], &result), STATUS_ERR_STATE,
                 "random");
    (void)train(pets, 3, &training);
    assert_ok(bench_pets()->evaluate(pets, 4, 3, &sinks[0], &result));
    assert_int_equal(result.outcome, AGENT_DONE);
    assert_ok(bench_pets()->evaluate(pets, 4, 3, &sinks[1], &result));
    assert_ok(bench_pets()->evaluate(pets, 4, 4, &sinks[2], &result));
    record_expect_same(&first, &second);
    assert_int_equal(record_count(&first, "episode_reward"), 4);
    for (size_t e = 0; e < 4; e++) {
        assert_true(isfinite(record_value(&first, "model_nll_on_policy", e)));
    }
    assert_int_equal(first.metrics[0].step, 1);
    assert_int_equal(first.metrics[first.count - 1].step, 4);
    assert_true(record_value(&first, "model_nll_on_policy", 0) !=
                record_value(&other, "model_nll_on_policy", 0));
    record_free(&first);
    record_free(&second);
    record_free(&other);
    record_free(&training);
    pets__destroy(pets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agents_are_found_by_name),
        cmocka_unit_test(options_are_the_published_names_with_defaults_in_range),
        cmocka_unit_test(every_episode_reports_every_metric),
        cmocka_unit_test(reported_cost_is_the_announced_one),
        cmocka_unit_test(without_validation_its_metrics_are_nan),
        cmocka_unit_test(held_out_episodes_are_spread_evenly),
        cmocka_unit_test(one_of_the_first_five_episodes_after_the_first_is_held_out),
        cmocka_unit_test(another_validation_ratio_is_for_new_episodes),
        cmocka_unit_test(transitions_are_stored_as_the_model_sees_them),
        cmocka_unit_test(on_policy_scores_come_before_training),
        cmocka_unit_test(at_most_a_thousand_rows_are_scored),
        cmocka_unit_test(divergence_is_an_outcome_with_its_reason),
        cmocka_unit_test(a_broken_simulation_costs_the_worst_return),
        cmocka_unit_test(yield_stops_after_the_current_unit),
        cmocka_unit_test(static_and_impossible_values_are_refused),
        cmocka_unit_test(evaluation_needs_a_trained_model_and_has_its_own_seeds),
    };
    return cmocka_run_group_tests_name("mbrl/pets", tests, NULL, NULL);
}
