/* Learning curves for `simulate --table`: which segments are rows, and what a row says. */
#include "tests/results/results_fixture.h"

#include <math.h>

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    for (int64_t trial = 0; trial < 3; trial++) {
        fixture_trial(f, trial);
    }
    return 0;
}

static void assert_units(const Json *rows, const int64_t (*expected)[2], size_t count) {
    assert_int_equal(json_count(rows), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_integer(json_get(json_at(rows, i), "seed")), expected[i][0]);
        assert_int_equal(json_integer(json_get(json_at(rows, i), "unit")), expected[i][1]);
    }
}

static void a_row_has_every_column(void **state) {
    Fixture *f = *state;
    Json    *rows = NULL;
    assert_ok(results__run(f->results, "UPDATE study SET definition = ?", "t",
                           "{\"cost\":\"plan_seconds\"}"));
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    assert_ok(results__script(f->results, "UPDATE segment SET cost = 2.5"));
    assert_ok(report_curves(f->results, &rows));
    assert_units(rows, (const int64_t[][2]){{0, 5}}, 1);
    const Json *row = json_at(rows, 0);
    assert_true(json_number(json_get(row, "lr")) == 0.001);
    assert_true(json_is_bool(json_get(row, "learned")));
    assert_string_equal(json_string(json_get(row, "optimizer")), "adam");
    assert_true(json_is_null(json_get(row, "momentum"))); /* not active with adam */
    assert_true(json_number(json_get(row, "episode_reward")) == 10.0);
    assert_true(json_number(json_get(row, "plan_seconds")) == 2.5);
    assert_non_null(json_get(row, "plan_flop"));
    assert_true(json_number(json_get(row, "seconds")) >= 0.0);
    json_release(rows);
}

static void only_chains_of_one_configuration_are_curves(void **state) {
    Fixture *f = *state;
    Json    *rows = NULL;
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 20.0);
    fixture_done(f, 3, 1, 0, 10, 21.0); /* went back: the second that goes on from there */
    fixture_done(f, 4, 2, 1, 15, 30.0); /* another trial's agent */
    (void)fixture_point(f, 0.002, (double)NAN);
    fixture_done(f, 5, 2, 0, 15, 40.0); /* values changed */
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 6, 5, 0, 20, 50.0); /* and back */
    (void)fixture_point(f, 0.001, 0.5);
    fixture_done(f, 7, 0, 2, 5, 60.0);
    fixture_segment(f, 8, 7, 2, 10, "continue"); /* not trained yet */
    assert_ok(report_curves(f->results, &rows));
    assert_units(rows, (const int64_t[][2]){{0, 5}, {0, 10}, {2, 5}}, 3);
    assert_true(json_number(json_get(json_at(rows, 1), "episode_reward")) == 20.0);
    assert_true(json_number(json_get(json_at(rows, 2), "momentum")) == 0.5);
    json_release(rows);
}

static void a_diverged_segment_ends_its_curve_without_a_value(void **state) {
    Fixture *f = *state;
    Json    *rows = NULL;
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_segment(f, 2, 1, 0, 10, "continue");
    assert_ok(results_attempt_start(f->results, 2, 1, 1, "host"));
    assert_ok(results_attempt_fail(f->results, 2, 1, OUTCOME_DIVERGED, "NaN", false));
    fixture_segment(f, 3, 0, 1, 5, "initial");
    assert_ok(results_attempt_start(f->results, 3, 1, 1, "host"));
    assert_ok(results_attempt_fail(f->results, 3, 1, OUTCOME_CRASHED, "exit 1", false));
    assert_ok(report_curves(f->results, &rows));
    assert_units(rows, (const int64_t[][2]){{0, 5}, {0, 10}}, 2);
    assert_true(json_is_null(json_get(json_at(rows, 1), "episode_reward")));
    json_release(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_row_has_every_column, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(only_chains_of_one_configuration_are_curves, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_diverged_segment_ends_its_curve_without_a_value, setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("results/report_curves", tests, NULL, NULL);
}
