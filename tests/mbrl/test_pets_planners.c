/* The PETS agent with each planner, and with the simulator in place of a learned model. */
#include "tests/mbrl/agent_bench.h"

#include "mbrl/agents/pets_internal.h"
#include "mbrl/models/lane_optimizers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

/* tiny budgets for all planners */
static void small_planners(double *options) {
    bench_option(options, "icem_candidates", 8);
    bench_option(options, "icem_elites", 3);
    bench_option(options, "icem_iterations", 2);
    bench_option(options, "mppi_candidates", 10);
    bench_option(options, "mppi_iterations", 2);
    bench_option(options, "shooting_candidates", 12);
}

static double simulated(void) {
    for (size_t i = 0; i < planner_backend_count(); i++) {
        if (planner_backend_at(i) == &planner_backend_simulation_ops) {
            return (double)i;
        }
    }
    fail_msg("the simulator is no back end");
    return 0.0;
}

static Pets *make(const double *options) {
    void *self = NULL;
    assert_ok(bench_pets()->create(cartpole(), AGENT_UNIT_EPISODE, options, 5, &self));
    return self;
}

static void train(Pets *pets, int64_t end, Record *record) {
    const MetricSink sink = record_sink(record);
    AgentResult      result;
    assert_ok(bench_pets()->train(pets, end, &sink, NULL, &result));
    assert_int_equal(result.outcome, AGENT_DONE);
}

/* Whole, cut in memory, cut through files and with evaluations between: the same rows. */
static void every_planner_s_chain_may_be_cut_anywhere(void **state) {
    (void)state;
    const ChainMode modes[] = {CHAIN_MEMORY, CHAIN_FILE, CHAIN_EVALUATED};
    const int64_t   cuts[] = {120, 13, 40};
    for (size_t p = 0; p < planner_count(); p++) {
        for (size_t b = 0; b < planner_backend_count(); b++) {
            Record whole = {0};
            for (size_t m = 0; m < 3; m++) {
                char  *folder = test_folder_make();
                Record cut = {0};
                Chain  chain =
                    chain_make("cartpole", AGENT_UNIT_ENV_STEP, 120, cuts[m], modes[m], folder);
                small_planners(chain.options);
                bench_option(chain.options, "planner", (double)p);
                bench_option(chain.options, "planning_model", (double)b);
                chain_run(&chain, m == 0 ? &whole : &cut);
                if (m > 0) {
                    record_expect_same(&whole, &cut);
                }
                record_free(&cut);
                test_folder_remove(folder);
            }
            assert_true(record_count(&whole, "episode_reward") >= 1);
            record_free(&whole);
        }
    }
}

static void the_simulator_needs_no_training_and_is_counted(void **state) {
    (void)state;
    const char *const unknown[] = {"model_loss", "model_nll_train", "model_nll_validation",
                                   "model_nll_on_policy", "model_mse_on_policy"};
    double            options[BENCH_MOST_OPTIONS];
    Record            record = {0};
    double            steps = 0.0;
    AgentCost         cost;
    bench_options(options);
    small_planners(options);
    bench_option(options, "planning_model", simulated());
    bench_option(options, "exploration_noise", 0.0);
    Pets *pets = make(options);
    train(pets, 3, &record);
    bench_pets()->cost(cartpole(), options, 100.0, &cost);
    assert_close(cost.plan_flop + cost.train_flop, 0.0, 0.0, 0.0);
    assert_close(cost.plan_env_steps, 10.0 * 2.0 * 5.0, 0.0, 0.0); /* 10 x 2 CEM, horizon 5 */
    for (size_t e = 0; e < 3; e++) {
        for (size_t k = 0; k < sizeof unknown / sizeof *unknown; k++) {
            assert_true(isnan(record_value(&record, unknown[k], e)));
        }
        steps += record_value(&record, "episode_length", e);
        /* no random steps before */
        assert_close(record_value(&record, "env_steps", e), steps, 0.0, 0.0);
        assert_close(record_value(&record, "plan_flop", e), 0.0, 0.0, 0.0);
        assert_close(record_value(&record, "train_flop", e), 0.0, 0.0, 0.0);
        const double counted = record_value(&record, "plan_env_steps", e);
        assert_true(counted > 0.0 && counted <= cost.plan_env_steps);
    }
    assert_int_equal(pets->data->n, 0);
    record_free(&record);
    pets__destroy(pets);
}

/* the random policy earns about 20 of 200; all planners are near the upper bound at once */
static void planning_in_the_simulator_balances_the_pole(void **state) {
    (void)state;
    for (size_t p = 0; p < planner_count(); p++) {
        double options[BENCH_MOST_OPTIONS];
        Record record = {0};
        bench_options(options);
        bench_option(options, "planning_model", simulated());
        bench_option(options, "exploration_noise", 0.0);
        bench_option(options, "planner", (double)p);
        bench_option(options, "planning_horizon", 30);
        bench_option(options, "cem_candidates", 100);
        bench_option(options, "icem_candidates", 100);
        bench_option(options, "mppi_candidates", 200);
        bench_option(options, "shooting_candidates", 200);
        Pets *pets = make(options);
        train(pets, 1, &record);
        assert_true(record_value(&record, "episode_reward", 0) >= 190.0);
        record_free(&record);
        pets__destroy(pets);
    }
}

static void an_agent_in_the_simulator_is_evaluated_without_training(void **state) {
    (void)state;
    double           options[BENCH_MOST_OPTIONS];
    Record           first = {0};
    Record           second = {0};
    AgentResult      result;
    const MetricSink sinks[2] = {record_sink(&first), record_sink(&second)};
    bench_options(options);
    bench_option(options, "planning_model", simulated());
    Pets *pets = make(options);
    assert_ok(bench_pets()->evaluate(pets, 2, 3, &sinks[0], &result));
    assert_int_equal(result.outcome, AGENT_DONE);
    assert_ok(bench_pets()->evaluate(pets, 2, 3, &sinks[1], &result));
    record_expect_same(&first, &second);
    assert_int_equal(record_count(&first, "episode_reward"), 2);
    assert_true(record_value(&first, "plan_env_steps", 1) > 0.0);
    assert_true(isnan(record_value(&first, "model_nll_on_policy", 0)));
    record_free(&first);
    record_free(&second);
    pets__destroy(pets);
}

static void planner_and_planning_model_are_static(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    double changed[BENCH_MOST_OPTIONS];
    bench_options(options);
    Pets *pets = make(options);
    memcpy(changed, options, sizeof changed);
    bench_option(changed, "planner", 1.0);
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_STATE, "'planner'");
    memcpy(changed, options, sizeof changed);
    bench_option(changed, "planning_model", simulated());
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_STATE, "'planning_model'");
    bench_option(changed, "planner", (double)planner_count());
    assert_fails(bench_pets()->set(pets, changed, 6), STATUS_ERR_RANGE, "'planner'");
    pets__destroy(pets);
}

/* what is shown of the parts is what is offered, and all of it */
static void every_choice_of_a_part_is_described(void **state) {
    (void)state;
    const OptionSpec *specs = bench_pets()->options();
    size_t            described = 0;
    for (const AgentPart *part = bench_pets()->parts(); part->name != NULL; part++) {
        const OptionSpec *spec = &specs[option_find(specs, part->option)];
        bool              offered = false;
        for (size_t k = 0; spec->choices[k] != NULL; k++) {
            offered = offered || strcmp(spec->choices[k], part->name) == 0;
        }
        assert_true(offered && part->help != NULL);
        described++;
    }
    assert_int_equal(described, model_count() + planner_count() + planner_backend_count());
}

static void what_goes_together_is_judged_with_notes(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Buffer notes;
    buffer_init(&notes, 1 << 12);
    bench_options(options); /* 3 particles on 3 members */
    assert_ok(bench_pets()->check(cartpole(), options, &notes));
    assert_string_equal(buffer_text(&notes), "");
    bench_option(options, "ensemble_size", 1);
    assert_ok(bench_pets()->check(cartpole(), options, &notes));
    assert_contains(buffer_text(&notes), "'ts1' of a single probabilistic model is 'ds'");
    assert_ok(bench_pets()->check(cartpole(), options, NULL));
    bench_option(options, "particles", 0);
    assert_fails(bench_pets()->check(cartpole(), options, &notes), STATUS_ERR_RANGE, "particles");
    buffer_reset(&notes);
}

static void assert_note(const char *name, double value, const char *other, double with,
                        const char *says) {
    double options[BENCH_MOST_OPTIONS];
    Buffer notes;
    buffer_init(&notes, 1 << 12);
    bench_options(options); /* 3 particles on 3 members */
    bench_option(options, name, value);
    bench_option(options, other, with);
    assert_ok(bench_pets()->check(cartpole(), options, &notes));
    if (says != NULL) {
        assert_contains(buffer_text(&notes), says);
    } else {
        assert_string_equal(buffer_text(&notes), "");
    }
    buffer_reset(&notes);
}

static void values_without_their_effect_are_noted(void **state) {
    (void)state;
    assert_note("ensemble_elites", 4, "ensemble_size", 3, "there are 3 members: all of them plan");
    assert_note("ensemble_elites", 3, "ensemble_size", 3, NULL);
    assert_note("patience", 2, "validation_ratio", 0.0, "patience with validation_ratio 0");
    assert_note("patience", 2, "validation_ratio", 0.1, NULL);
    assert_note("patience", 0, "validation_ratio", 0.0, NULL);
    assert_note("optimizer", OPTIMIZER_ADADELTA, "model_learning_rate", 1e-3, "a rate near 1");
    assert_note("optimizer", OPTIMIZER_ADADELTA, "model_learning_rate", 1.0, NULL);
    assert_note("optimizer", OPTIMIZER_ADAM, "model_learning_rate", 1e-3, NULL);
    /* where nothing is learned nothing of it is said */
    assert_note("ensemble_elites", 4, "planning_model", simulated(), NULL);
}

/* E asks every member once, the others every member or one of them for each particle */
static void announced_and_reported_cost_agree_for_every_propagation(void **state) {
    (void)state;
    const double predictions[PROPAGATION_COUNT] = {[PROPAGATION_TS1] = 4,
                                                   [PROPAGATION_TSINF] = 4,
                                                   [PROPAGATION_E] = 3,
                                                   [PROPAGATION_DS] = 12,
                                                   [PROPAGATION_MM] = 12};
    double       per_prediction = 0.0;
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        double    options[BENCH_MOST_OPTIONS];
        Record    record = {0};
        AgentCost cost;
        bench_options(options);
        bench_option(options, "particles", 4);
        bench_option(options, "propagation", mode);
        Pets *pets = make(options);
        train(pets, 1, &record);
        bench_pets()->cost(cartpole(), options, 30.0, &cost);
        assert_close(record_value(&record, "plan_flop", 0), cost.plan_flop, 0.0, 1e-12);
        const double one = cost.plan_flop / predictions[mode];
        per_prediction = mode == 0 ? one : per_prediction;
        assert_close(one, per_prediction, 0.0, 1e-12);
        record_free(&record);
        pets__destroy(pets);
    }
}

/* Only elites plan: they, not all members, are counted in what is announced, in what is reported
 * and in what is said of the balance of particles. */
static void elites_are_the_members_that_count(void **state) {
    (void)state;
    double    options[BENCH_MOST_OPTIONS];
    Record    record = {0};
    Buffer    notes;
    AgentCost cost;
    AgentCost all;
    buffer_init(&notes, 1 << 12);
    bench_options(options);
    bench_option(options, "ensemble_size", 5);
    bench_option(options, "ensemble_elites", 2);
    bench_option(options, "particles", 3);
    bench_option(options, "propagation", PROPAGATION_DS);
    Pets *pets = make(options);
    train(pets, 1, &record);
    pets__destroy(pets);
    bench_pets()->cost(cartpole(), options, 30.0, &cost);
    assert_close(record_value(&record, "plan_flop", 0), cost.plan_flop, 0.0, 1e-12);
    record_free(&record);
    bench_option(options, "ensemble_elites", 0);
    bench_pets()->cost(cartpole(), options, 30.0, &all);
    assert_close(all.plan_flop, 2.5 * cost.plan_flop, 0.0, 1e-12);
    bench_option(options, "ensemble_elites", 2);
    bench_option(options, "propagation", PROPAGATION_TS1);
    assert_ok(bench_pets()->check(cartpole(), options, &notes));
    assert_contains(buffer_text(&notes), "3 particles are no multiple of the 2 members in use");
    buffer_reset(&notes);
    bench_option(options, "particles", 4); /* of 5 members it would be no multiple */
    buffer_init(&notes, 1 << 12);
    assert_ok(bench_pets()->check(cartpole(), options, &notes));
    assert_string_equal(buffer_text(&notes), "");
    buffer_reset(&notes);
}

static void control_steps_that_ran_out_of_time_are_counted(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Record record = {0};
    bench_options(options);
    Pets *pets = make(options);
    train(pets, 1, &record);
    assert_int_equal(pets->at.plan_timeouts, 0);
    bench_option(options, "max_plan_seconds", 1e-9);
    assert_ok(bench_pets()->set(pets, options, 5));
    train(pets, 2, &record);
    assert_true(pets->at.steps > 0);
    assert_int_equal(pets->at.plan_timeouts, pets->at.steps);
    assert_close(record_value(&record, "plan_flop", 1), 0.0, 0.0, 0.0);
    record_free(&record);
    pets__destroy(pets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_planner_s_chain_may_be_cut_anywhere),
        cmocka_unit_test(the_simulator_needs_no_training_and_is_counted),
        cmocka_unit_test(planning_in_the_simulator_balances_the_pole),
        cmocka_unit_test(an_agent_in_the_simulator_is_evaluated_without_training),
        cmocka_unit_test(planner_and_planning_model_are_static),
        cmocka_unit_test(every_choice_of_a_part_is_described),
        cmocka_unit_test(what_goes_together_is_judged_with_notes),
        cmocka_unit_test(values_without_their_effect_are_noted),
        cmocka_unit_test(announced_and_reported_cost_agree_for_every_propagation),
        cmocka_unit_test(elites_are_the_members_that_count),
        cmocka_unit_test(control_steps_that_ran_out_of_time_are_counted),
    };
    return cmocka_run_group_tests_name("mbrl/pets_planners", tests, NULL, NULL);
}
