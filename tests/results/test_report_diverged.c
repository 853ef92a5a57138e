/* One rule says whether a diverged episode keeps a segment out: of `best` (test_report.c), of what
 * a trial's row names, of what the coordinator calls the best so far. */
#include "tests/results/results_fixture.h"

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    return 0;
}

static void diverged_at(Fixture *f, int64_t segment, int64_t step, double value) {
    assert_ok(
        results_metric_insert(f->results, false, segment, step, 0, "episode_diverged", value));
}

static void assert_segment(const Json *row, const char *key, int64_t expected) {
    const Json *value = json_get(row, key);
    assert_non_null(value);
    assert_int_equal(json_is_null(value) ? 0 : json_integer(value), expected);
}

/* what a trial's row names, and one segment's verdict, are of the same rule as `best` */
static void trials_name_their_best_by_the_rule_of_best(void **state) {
    Fixture *f = *state;
    Json    *trials = NULL;
    bool     diverged = true;
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 90.0);
    fixture_done(f, 3, 0, 1, 5, 70.0);
    diverged_at(f, 2, 9, 1.0); /* the window has 3 episodes */
    diverged_at(f, 3, 5, 1.0);
    assert_ok(report_is_diverged(f->results, 1, &diverged));
    assert_false(diverged);
    assert_ok(report_is_diverged(f->results, 2, &diverged));
    assert_true(diverged);
    assert_ok(report_trials(f->results, &trials));
    assert_segment(json_at(trials, 0), "best_segment", 1);
    assert_true(json_number(json_get(json_at(trials, 0), "best_objective")) == 10.0);
    assert_segment(json_at(trials, 0), "last_segment", 2);
    assert_segment(json_at(trials, 1), "best_segment", 0);
    assert_true(json_is_null(json_get(json_at(trials, 1), "best_objective")));
    json_release(trials);
    assert_ok(results__run(f->results, "UPDATE study SET definition = ?", "t",
                           "{\"allow_diverged\":true}"));
    assert_ok(report_is_diverged(f->results, 2, &diverged));
    assert_false(diverged);
    assert_ok(report_trials(f->results, &trials));
    assert_segment(json_at(trials, 0), "best_segment", 2);
    assert_segment(json_at(trials, 1), "best_segment", 3);
    json_release(trials);
}

/* `mean` and `max` count every episode of the lineage: one that diverged stays in it */
static void where_the_whole_lineage_counts_a_diverged_episode_does_for_good(void **state) {
    Fixture *f = *state;
    bool     diverged = false;
    assert_ok(results__script(f->results, "UPDATE objective SET reduce = 'mean'"));
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 40, 90.0);
    fixture_done(f, 3, 0, 1, 5, 70.0);
    assert_ok(report_is_diverged(f->results, 2, &diverged));
    assert_false(diverged);
    diverged_at(f, 1, 1, 1.0);
    assert_ok(report_is_diverged(f->results, 2, &diverged));
    assert_true(diverged);
    assert_ok(report_is_diverged(f->results, 3, &diverged));
    assert_false(diverged);
}

/* how many of its own episodes, whatever they mean for the ranking */
static void segments_say_how_many_of_their_episodes_diverged(void **state) {
    Fixture *f = *state;
    Json    *segments = NULL;
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 90.0);
    fixture_done(f, 3, 0, 1, 5, 70.0);
    for (int64_t step = 1; step <= 10; step++) {
        diverged_at(f, step <= 5 ? 1 : 2, step, (step == 1 || step == 5) ? 1.0 : 0.0);
    }
    assert_ok(report_segments(f->results, &segments));
    assert_int_equal(json_integer(json_get(json_at(segments, 0), "diverged")), 2);
    assert_int_equal(json_integer(json_get(json_at(segments, 1), "diverged")), 0);
    assert_false(json_is_null(json_get(json_at(segments, 1), "diverged")));
    assert_true(json_is_null(json_get(json_at(segments, 2), "diverged"))); /* not reported */
    json_release(segments);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments_say_how_many_of_their_episodes_diverged, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(trials_name_their_best_by_the_rule_of_best, setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(
            where_the_whole_lineage_counts_a_diverged_episode_does_for_good, setup,
            fixture_teardown),
    };
    return cmocka_run_group_tests_name("results/report_diverged", tests, NULL, NULL);
}
