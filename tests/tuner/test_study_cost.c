/* What is said of a study before it runs: what rebuilds cost, which values change nothing. */
#include "tests/support/test_support.h"

#include "tests/tuner/study_texts.h"
#include "tuner/study_cost.h"
#include "tuner/study_effects.h"

#include <stdio.h>

static const char text[] = "name: idle\n"
                           "agent: pets\n"
                           "environment: cartpole\n"
                           "objective: {metric: episode_reward, direction: maximize}\n"
                           "budget: {unit: episode, per_trial: 2, segment: 1, trials: 2}\n"
                           "scheduler: {name: random}\n"
                           "search_space: pets-laptop\n";

/* `lines` follow the text; expected is all that is said */
static void expect(const char *lines, const char *expected) {
    char   whole[TEXT_BYTES];
    Buffer said;
    study_change(text, "search_space: pets-laptop\n", lines, whole);
    buffer_init(&said, TEXT_BYTES);
    Study *study = study_good(whole);
    assert_ok(study_effects(study, &said));
    assert_string_equal(buffer_text(&said), expected);
    buffer_reset(&said);
    study_destroy(study);
}

#define CEM "cem_candidates, cem_iterations, cem_elite_ratio, cem_alpha"

static void another_planner_leaves_a_presets_values_without_effect(void **state) {
    (void)state;
    expect("search_space: pets-laptop\n", "");
    expect("search_space: pets-laptop\nfixed: {planner: icem}\n",
           CEM ": without effect with 'planner: icem'\n");
    /* taken out of the preset, nothing is left to say */
    expect(
        "search_space: pets-laptop\nfixed: {planner: icem}\n"
        "hyperparameters: {cem_candidates: , cem_iterations: , cem_elite_ratio: , cem_alpha: }\n",
        "");
}

/* random learns nothing, and nothing is judged early by the full budget */
static void options_of_a_scheduler_that_change_nothing_are_said(void **state) {
    (void)state;
    static const struct {
        const char *scheduler;
        const char *said;
    } cases[] = {
        {"scheduler: {name: asha, learn_from: full}\n",
         "scheduler.learn_from: without effect with 'scheduler.sampler: random'\n"},
        {"scheduler: {name: full, learn_from: highest}\n",
         "scheduler.learn_from: without effect in 'full'\n"},
        {"scheduler: {name: asha, reduction: 2, sampler: sobol}\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   whole[TEXT_BYTES];
        Buffer said;
        study_change(text, "scheduler: {name: random}\n", cases[i].scheduler, whole);
        buffer_init(&said, TEXT_BYTES);
        Study *study = study_good(whole);
        assert_ok(study_effects(study, &said));
        assert_string_equal(buffer_text(&said), cases[i].said);
        buffer_reset(&said);
        study_destroy(study);
    }
}

static const char external[] =
    "name: idle\n"
    "trainer: {command: [sh]}\n"
    "objective: {metric: score, direction: maximize, reduce: mean_last, window: 2}\n"
    "budget: {unit: episode, per_trial: 8, segment: 2, total: 64}\n"
    "scheduler: {name: random}\n"
    "hyperparameters: {rate: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}}\n";

#define SCORES(more)                                     \
    "objective: [{metric: score, direction: maximize}, " \
    "{metric: toll, direction: minimize}" more "]\n"

/* what the study asks for and the scheduler's table does not name is said, in a sentence each */
static void what_a_scheduler_does_not_look_at_is_said(void **state) {
    (void)state;
    static const struct {
        const char *objective; /* instead of that of the text; NULL: as it is */
        const char *scheduler;
        const char *said;
    } cases[] = {
        {SCORES(""), "tpe}",
         "objective: toll: recorded, but changes no decision of 'tpe', which looks at score "
         "only\n"},
        {SCORES(", {metric: weight, direction: minimize}"), "gp}",
         "objective: weight: recorded, but changes no decision of 'gp', which looks at the first 2 "
         "only\n"},
        {SCORES(""), "nsga2}", ""},
        {SCORES(""), "random}", ""}, /* looks at no result */
        {SCORES(""), "asha, sampler: gp}",
         "objective: 'asha' judges early by score only, whatever its sampler learns\n"},
        {NULL, "tpe}\ncost: fuel", "cost: fuel is recorded, but 'tpe' weighs no cost\n"},
        {NULL, "gp}\ncost: fuel", ""},
        {NULL, "pbt}\ncost: fuel", ""},
        {NULL, "pbt-bt, elite_evaluations: 2}",
         "scheduler.elite_evaluations: needs a trainer that evaluates; one that answers 'failed' "
         "leaves 'pbt-bt' nothing to go back to ('trainer.evaluate: true' says that yours does)\n"},
        {"objective: {metric: score, direction: maximize, reduce: mean_last, window: 3}\n", "pbt}",
         "objective: mean_last looks back 3 episodes, beyond a segment of 2: 'pbt' judges new "
         "values partly by what earlier ones showed, and takes results for less noisy than they "
         "are\n"},
        {"objective: {metric: score, direction: maximize, reduce: max}\n", "pb2}",
         "objective: max looks back to the root, beyond a segment of 2: 'pb2' judges new values "
         "partly by what earlier ones showed, and takes results for less noisy than they are\n"},
        {"objective: {metric: score, direction: maximize, reduce: max}\n", "gp}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   whole[TEXT_BYTES];
        char   other[TEXT_BYTES];
        char   scheduler[128];
        Buffer said;
        (void)snprintf(scheduler, sizeof scheduler, "{name: %s\n", cases[i].scheduler);
        study_change(external, "{name: random}\n", scheduler, whole);
        study_change(whole,
                     "objective: {metric: score, direction: maximize, reduce: mean_last, window: "
                     "2}\n",
                     (cases[i].objective == NULL)
                         ? "objective: {metric: score, direction: maximize, reduce: mean_last, "
                           "window: 2}\n"
                         : cases[i].objective,
                     other);
        buffer_init(&said, TEXT_BYTES);
        Study *study = study_good(other);
        assert_ok(study_effects(study, &said));
        assert_string_equal(buffer_text(&said), cases[i].said);
        buffer_reset(&said);
        study_destroy(study);
    }
}

/* of 10 units at most 5 could be full ones, but most will be stopped before */
static void one_that_stops_early_takes_as_many_configurations_as_it_can(void **state) {
    (void)state;
    char whole[TEXT_BYTES];
    char other[TEXT_BYTES];
    study_change(text, "trials: 2", "total: 10", whole);
    Study *study = study_good(whole);
    assert_int_equal(study->budget.trials, 5);
    study_destroy(study);
    study_change(whole, "{name: random}", "{name: asha}", other);
    study = study_good(other);
    assert_int_equal(study->budget.trials, 0);
    study_destroy(study);
}

static void a_planner_that_is_tuned_asks_for_conditions(void **state) {
    (void)state;
    expect("search_space: pets-laptop\n"
           "hyperparameters: {planner: {type: categorical, choices: [cem, icem]}}\n",
           CEM ": without effect for some values of 'planner'; a `when` keeps a hyperparameter to "
               "the others\n");
    expect("hyperparameters:\n"
           "  planner: {type: categorical, choices: [cem, mppi]}\n"
           "  cem_alpha: {type: float, lower: 0.1, upper: 0.5, when: {planner: [cem]}}\n"
           "  mppi_kappa: {type: float, lower: 1, upper: 5, default: 1, when: {planner: [mppi]}}\n",
           "");
    expect("hyperparameters:\n"
           "  planner: {type: categorical, choices: [cem, mppi]}\n"
           "  icem_noise_beta: {type: float, lower: 1, upper: 2, default: 1}\n",
           "icem_noise_beta: without effect, whatever 'planner' is here\n");
}

static void planning_in_the_simulator_leaves_the_model_without_effect(void **state) {
    (void)state;
    expect("search_space: pets-laptop\nfixed: {planning_model: true_dynamics}\n",
           "model_learning_rate, model_weight_decay, model_train_epochs, ensemble_size, "
           "hidden_layers, hidden_width, activation, particles, propagation, validation_ratio: "
           "without effect with 'planning_model: true_dynamics'\n");
    expect("hyperparameters: {planning_horizon: {type: int, lower: 5, upper: 9, default: 7}}\n"
           "fixed: {planning_model: true_dynamics, data_limit: 100, gp_points: 50}\n",
           "gp_points, data_limit: without effect with 'planning_model: true_dynamics'\n");
}

static void models_and_choices_have_rows_of_their_own(void **state) {
    (void)state;
    const char *const tuned = "hyperparameters: {data_limit: {type: int, lower: 0, upper: 9}}\n";
    char              lines[TEXT_BYTES];
    static const struct {
        const char *fixed;
        const char *said;
    } cases[] = {
        {"{dynamics_model: linear, hidden_width: 50}",
         "hidden_width: without effect with 'dynamics_model: linear'\n"},
        {"{momentum: 0.5}", "momentum: without effect with 'optimizer: adam'\n"},
        {"{momentum: 0.5, optimizer: sgd}", ""},
        {"{model_kind: deterministic, logvar_bounds: fixed}",
         "logvar_bounds: without effect with 'model_kind: deterministic'\n"},
        {"{propagation: e, particles: 7}", "particles: without effect with 'propagation: e'\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(lines, sizeof lines, "%sfixed: %s\n", tuned, cases[i].fixed);
        expect(lines, cases[i].said);
    }
}

/* A structure that may change costs rebuilds: one a change at most, in the dearest figure only. */
static void rebuilds_are_in_the_dearest_figure(void **state) {
    (void)state;
    StudyCost cost[2];
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        char whole[TEXT_BYTES];
        (void)snprintf(whole, sizeof whole,
                       "name: rebuilt\nagent: pets\nenvironment: cartpole\n"
                       "objective: {metric: episode_reward, direction: maximize}\n"
                       "budget: {per_trial: 8, segment: 2, total: 32}\n"
                       "scheduler: {name: pbt, population: 4}\n"
                       "confirm: {top: 2, seeds: 3}\n"
                       "fixed: {rebuild_epochs: 40}\n"
                       "hyperparameters:\n"
                       "  model_learning_rate: {type: float, lower: 1e-4, upper: 1e-2}\n"
                       "  hidden_width: {type: int, lower: 50, upper: 200, dynamic: %s}\n",
                       dynamic ? "true" : "false");
        Study *study = study_good(whole);
        assert_ok(study_cost(study, &cost[dynamic]));
        study_destroy(study);
    }
    /* 16 segments less 4 roots; 2 schedules on 3 seeds with 3 changes each */
    assert_int_equal(cost[0].rebuilds, 0);
    assert_int_equal(cost[1].rebuilds, 12 + 18);
    const CostRange each = cost[1].rebuild_flop;
    assert_true(each.lowest > 0.0 && each.lowest < each.highest);
    assert_true(each.defaults == each.highest); /* the width's default is its upper end */
    assert_close(cost[1].study_flop.highest - cost[0].study_flop.highest, 30.0 * each.highest, 0.0,
                 1e-6);
    assert_true(cost[1].study_flop.lowest == cost[0].study_flop.lowest);
    assert_true(cost[1].study_flop.defaults == cost[0].study_flop.defaults);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebuilds_are_in_the_dearest_figure),
        cmocka_unit_test(another_planner_leaves_a_presets_values_without_effect),
        cmocka_unit_test(options_of_a_scheduler_that_change_nothing_are_said),
        cmocka_unit_test(what_a_scheduler_does_not_look_at_is_said),
        cmocka_unit_test(one_that_stops_early_takes_as_many_configurations_as_it_can),
        cmocka_unit_test(a_planner_that_is_tuned_asks_for_conditions),
        cmocka_unit_test(planning_in_the_simulator_leaves_the_model_without_effect),
        cmocka_unit_test(models_and_choices_have_rows_of_their_own),
    };
    return cmocka_run_group_tests_name("tuner/study_cost", tests, NULL, NULL);
}
