/* Metrics and the window along a lineage. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <stdio.h>

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    return 0;
}

static void put(Fixture *f, int64_t segment, int64_t step, const char *name, double value) {
    assert_ok(results_metric_insert(f->results, false, segment, step, 0, name, value));
}

/* a segment whose episode_reward at each step is that step + `offset` */
static void train(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end,
                  double offset) {
    ResultsSegment row = {.point = NULL};
    fixture_segment(f, id, parent, trial, end, "continue");
    assert_ok(results_segment_read(f->results, NULL, id, &row));
    for (int64_t step = row.begin + 1; step <= end; step++) {
        put(f, id, step, "episode_reward", (double)step + offset);
    }
}

static void values_come_back_in_order_of_step_whatever_they_are(void **state) {
    Fixture *f = *state;
    double   values[8] = {0};
    size_t   found = 0;
    put(f, 1, 3, "loss", (double)NAN);
    put(f, 1, 1, "loss", -(double)INFINITY);
    put(f, 1, 2, "loss", (double)INFINITY);
    put(f, 1, 4, "loss", -0.0);
    put(f, 1, 5, "loss", 1e308);
    put(f, 1, 1, "other", 5.0);
    put(f, 2, 1, "loss", 6.0);
    assert_ok(results_metric_insert(f->results, false, 1, 1, 3, "loss", 7.0));
    assert_ok(results_metric_insert(f->results, true, 1, 1, 0, "loss", 8.0));
    assert_ok(results_metric_read(f->results, false, 1, "loss", 8, values, &found));
    assert_int_equal(found, 5);
    assert_close(values[0], -(double)INFINITY, 0.0, 0.0);
    assert_close(values[1], (double)INFINITY, 0.0, 0.0);
    assert_true(isnan(values[2]));
    assert_close(values[3], 0.0, 0.0, 0.0); /* SQLite stores -0 as 0 */
    assert_close(values[4], 1e308, 0.0, 0.0);
    assert_ok(results_metric_read(f->results, false, 1, "loss", 2, values, &found));
    assert_int_equal(found, 2);
    assert_ok(results_metric_read(f->results, true, 1, "loss", 8, values, &found));
    assert_int_equal(found, 1);
    assert_close(values[0], 8.0, 0.0, 0.0);
    assert_ok(results_metric_read(f->results, false, 1, "never", 8, values, &found));
    assert_int_equal(found, 0);
}

static void the_mean_is_that_of_one_owner_and_counts_nan(void **state) {
    Fixture *f = *state;
    double   mean = 5.0;
    size_t   count = 9;
    for (int step = 1; step <= 40; step++) {
        assert_ok(results_metric_insert(f->results, true, 1, step, 0, "reward", 0.5 + step));
    }
    put(f, 1, 1, "reward", 1000.0);
    put(f, 1, 1, "other", 2000.0);
    assert_ok(results_metric_insert(f->results, true, 1, 1, 1, "reward", 3000.0));
    assert_ok(results_metric_insert(f->results, true, 2, 1, 0, "reward", 4000.0));
    assert_ok(results_metric_mean(f->results, true, 1, "reward", &mean, &count));
    assert_int_equal(count, 40);
    assert_close(mean, 21.0, 0.0, 0.0);
    assert_ok(results_metric_mean(f->results, false, 1, "reward", &mean, &count));
    assert_int_equal(count, 1);
    assert_close(mean, 1000.0, 0.0, 0.0);

    assert_ok(results_metric_insert(f->results, true, 1, 41, 0, "reward", (double)NAN));
    assert_ok(results_metric_mean(f->results, true, 1, "reward", &mean, &count));
    assert_int_equal(count, 41);
    assert_true(isnan(mean));
}

static void the_mean_over_nothing_is_nan(void **state) {
    Fixture *f = *state;
    double   mean = 5.0;
    size_t   count = 9;
    put(f, 1, 1, "reward", 1.0);
    assert_ok(results_metric_mean(f->results, false, 2, "reward", &mean, &count));
    assert_int_equal(count, 0);
    assert_true(isnan(mean));
    mean = 5.0;
    assert_ok(results_metric_mean(f->results, false, 1, "never", &mean, &count));
    assert_int_equal(count, 0);
    assert_true(isnan(mean));
}

static void many_names_keep_their_ids(void **state) {
    Fixture *f = *state;
    char     name[32];
    double   value = 0.0;
    size_t   found = 0;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 500; i++) {
            (void)snprintf(name, sizeof name, "metric_%d", i);
            put(f, 1 + round, 1, name, i);
        }
    }
    assert_ok(results_commit(f->results));
    Results *reader = NULL;
    assert_ok(results_open(f->path, RESULTS_READ, &reader));
    for (int i = 0; i < 500; i += 7) {
        (void)snprintf(name, sizeof name, "metric_%d", i);
        assert_ok(results_metric_read(reader, false, 2, name, 1, &value, &found));
        assert_int_equal(found, 1);
        assert_close(value, i, 0.0, 0.0);
    }
    results_close(reader);
    assert_ok(results_begin(f->results));
    assert_fails(results_metric_insert(f->results, false, 1, 1, 0, "", 1.0), STATUS_ERR_STATE,
                 "refused");
}

static void the_window_reads_its_own_first_then_its_ancestors(void **state) {
    Fixture *f = *state;
    double   values[8] = {0};
    size_t   found = 0;
    size_t   own = 0;
    train(f, 1, 0, 0, 5, 0.0);
    train(f, 2, 1, 0, 7, 0.0);
    assert_ok(results_lineage_window(f->results, 2, "episode_reward", 4, values, &found, &own));
    assert_int_equal(found, 4);
    assert_int_equal(own, 2);
    for (int i = 0; i < 4; i++) {
        assert_close(values[i], 7.0 - i, 0.0, 0.0);
    }
    assert_ok(results_lineage_window(f->results, 2, "episode_reward", 1, values, &found, &own));
    assert_int_equal(found, 1);
    assert_int_equal(own, 1);
    assert_ok(results_lineage_window(f->results, 1, "episode_reward", 8, values, &found, &own));
    assert_int_equal(found, 5);
    assert_int_equal(own, 5);
    assert_ok(results_lineage_window(f->results, 1, "never", 8, values, &found, &own));
    assert_int_equal(found, 0);
    assert_ok(results_lineage_window(f->results, 1, "episode_reward", 0, values, &found, &own));
    assert_int_equal(found, 0);
    assert_fails(results_lineage_window(f->results, 9, "episode_reward", 1, values, &found, &own),
                 STATUS_ERR_UNKNOWN_NAME, "no segment 9");
}

static void a_branch_from_the_middle_of_a_trial_sees_only_what_it_descends_from(void **state) {
    Fixture *f = *state;
    double   values[8] = {0};
    size_t   found = 0;
    size_t   own = 0;
    train(f, 1, 0, 0, 5, 0.0); /* trial 0: 1, 2, 3 */
    train(f, 2, 1, 0, 10, 0.0);
    train(f, 3, 2, 0, 15, 0.0);
    train(f, 4, 0, 1, 5, 1000.0); /* trial 1 before the exploit */
    train(f, 5, 1, 1, 7, 100.0);  /* trial 1 branches from the middle of trial 0 */
    assert_ok(results_lineage_window(f->results, 5, "episode_reward", 4, values, &found, &own));
    assert_int_equal(found, 4);
    assert_int_equal(own, 2);
    assert_close(values[0], 107.0, 0.0, 0.0);
    assert_close(values[1], 106.0, 0.0, 0.0);
    assert_close(values[2], 5.0, 0.0, 0.0);
    assert_close(values[3], 4.0, 0.0, 0.0);
}

static void what_an_ancestor_reported_beyond_the_branch_does_not_count(void **state) {
    Fixture *f = *state;
    double   values[8] = {0};
    size_t   found = 0;
    size_t   own = 0;
    train(f, 1, 0, 0, 5, 0.0);
    put(f, 1, 6, "episode_reward", -1.0); /* a trainer that reports one unit too many */
    train(f, 2, 1, 0, 6, 0.0);
    assert_ok(results_lineage_window(f->results, 2, "episode_reward", 3, values, &found, &own));
    assert_int_equal(found, 3);
    assert_close(values[0], 6.0, 0.0, 0.0);
    assert_close(values[1], 5.0, 0.0, 0.0);
    assert_close(values[2], 4.0, 0.0, 0.0);
}

static void the_newest_step_comes_first_even_if_it_was_written_first(void **state) {
    Fixture *f = *state;
    double   values[4] = {0};
    size_t   found = 0;
    size_t   own = 0;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    put(f, 1, 3, "late", 3.0);
    put(f, 1, 1, "late", 1.0);
    put(f, 1, 2, "late", 2.0);
    assert_ok(results_lineage_window(f->results, 1, "late", 2, values, &found, &own));
    assert_int_equal(found, 2);
    assert_close(values[0], 3.0, 0.0, 0.0);
    assert_close(values[1], 2.0, 0.0, 0.0);
}

static void a_window_over_a_silent_segment_has_nothing_of_its_own(void **state) {
    Fixture *f = *state;
    double   values[4] = {0};
    size_t   found = 0;
    size_t   own = 9;
    train(f, 1, 0, 0, 5, 0.0);
    fixture_segment(f, 2, 1, 0, 7, "continue");
    put(f, 1, 4, "sparse", 1.0);
    assert_ok(results_lineage_window(f->results, 2, "sparse", 4, values, &found, &own));
    assert_int_equal(found, 1);
    assert_int_equal(own, 0);
}

#define WITH_TRIALS(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_TRIALS(values_come_back_in_order_of_step_whatever_they_are),
        WITH_TRIALS(the_mean_is_that_of_one_owner_and_counts_nan),
        WITH_TRIALS(the_mean_over_nothing_is_nan),
        WITH_TRIALS(many_names_keep_their_ids),
        WITH_TRIALS(the_window_reads_its_own_first_then_its_ancestors),
        WITH_TRIALS(a_branch_from_the_middle_of_a_trial_sees_only_what_it_descends_from),
        WITH_TRIALS(what_an_ancestor_reported_beyond_the_branch_does_not_count),
        WITH_TRIALS(the_newest_step_comes_first_even_if_it_was_written_first),
        WITH_TRIALS(a_window_over_a_silent_segment_has_nothing_of_its_own),
    };
    return cmocka_run_group_tests_name("results/metric", tests, NULL, NULL);
}
