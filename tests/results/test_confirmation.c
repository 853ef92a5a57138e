/* Confirmation: arms, curves, means, failed seeds, and which schedule is the best after it. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <string.h>

static int64_t next_trial = 10;
static int64_t next_segment = 100;

/* segments 1 - 2 (trial 0, 0-10) and 3 (trial 1, 0-10): the schedules that are confirmed */
static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    next_trial = 10;
    next_segment = 100;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 30.0);
    fixture_done(f, 3, 0, 1, 10, 20.0);
    return 0;
}

static int64_t confirm_segment(Fixture *f, int64_t parent, int64_t trial, int64_t begin,
                               int64_t end) {
    ResultsSegment row = {.id = next_segment++,
                          .parent = parent,
                          .trial = trial,
                          .decision = -1,
                          .begin = begin,
                          .end = end,
                          .seed = 1000 + (uint64_t)trial,
                          .reason = "confirm",
                          .point = f->point};
    assert_ok(results_segment_insert(f->results, &row));
    return row.id;
}

/* one seed: 0-5 at `first` per episode, 5-10 at `second` */
static void confirm_run(Fixture *f, TrialKind kind, int64_t number, int64_t repeat, double first,
                        double second) {
    const int64_t      sources[] = {2, 3};
    const ResultsTrial trial = {.id = next_trial++,
                                .kind = kind,
                                .number = number,
                                .repeat = repeat,
                                .source = (kind == TRIAL_CONFIRM_BEST) ? sources[number] : 0};
    assert_ok(results_trial_insert(f->results, &trial));
    const int64_t root = confirm_segment(f, 0, trial.id, 0, 5);
    fixture_finish(f, root, first);
    const int64_t leaf = confirm_segment(f, root, trial.id, 5, 10);
    fixture_finish(f, leaf, second);
}

static void confirm_failure(Fixture *f, TrialKind kind, int64_t repeat) {
    const ResultsTrial trial = {.id = next_trial++, .kind = kind, .repeat = repeat, .source = 0};
    assert_ok(results_trial_insert(f->results, &trial));
    const int64_t root = confirm_segment(f, 0, trial.id, 0, 5);
    assert_ok(results_attempt_start(f->results, root, 1, 0, ""));
    assert_ok(results_attempt_fail(f->results, root, 1, OUTCOME_DIVERGED, "NaN", false));
}

static double number_at(const Json *json, const char *key) {
    return json_number(json_get(json, key));
}

static void without_a_confirmation_there_is_none(void **state) {
    Fixture *f = *state;
    Json    *json = NULL;
    assert_ok(report_confirmation(f->results, &json));
    assert_true(json_is_null(json));
    json_release(json);
}

static void arms_have_curves_windows_and_areas(void **state) {
    Fixture *f = *state;
    Json    *json = NULL;
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 0, 10.0, 20.0);
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 1, 12.0, 24.0);
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 2, 14.0, 22.0);
    confirm_run(f, TRIAL_CONFIRM_DEFAULT, 0, 0, 1.0, 5.0);
    confirm_run(f, TRIAL_CONFIRM_DEFAULT, 0, 1, 2.0, 23.0);
    assert_ok(report_confirmation(f->results, &json));
    assert_string_equal(json_string(json_get(json, "metric")), "episode_reward");
    assert_int_equal(json_integer(json_get(json, "window")), 3);
    const Json *arms = json_get(json, "arms");
    assert_int_equal(json_count(arms), 2);
    const Json *best = json_at(arms, 0);
    const Json *defaults = json_at(arms, 1);
    assert_string_equal(json_string(json_get(best, "arm")), "schedule");
    assert_string_equal(json_string(json_get(defaults, "arm")), "defaults");
    assert_int_equal(json_integer(json_get(best, "source")), 2);
    assert_int_equal(json_integer(json_get(best, "depth")), 10);
    assert_int_equal(json_integer(json_get(defaults, "depth")), 10);
    assert_int_equal(json_integer(json_get(best, "n")), 3);
    assert_close(number_at(best, "mean"), 22.0, 1e-12, 0.0);
    assert_close(number_at(defaults, "mean"), 14.0, 1e-12, 0.0);
    assert_close(number_at(best, "defaults_mean"), 14.0, 1e-12, 0.0);
    /* of 6 pairs 20>5 24>5 22>5 24>23: 4 */
    assert_close(number_at(best, "probability"), 4.0 / 6.0, 1e-12, 0.0);
    assert_true(json_is_null(json_get(defaults, "probability")));
    assert_close(number_at(json_get(best, "area"), "mean"), 17.0, 1e-12, 0.0);
    assert_close(number_at(json_get(best, "area"), "probability"), 1.0, 1e-12, 0.0);
    const Json  *interval = json_get(best, "interval");
    const double low = json_number(json_at(interval, 0));
    const double high = json_number(json_at(interval, 1));
    assert_true(low >= 20.0 && low < 22.0 && high > 22.0 && high <= 24.0);
    const Json *run = json_at(json_get(best, "runs"), 1);
    assert_int_equal(json_count(json_get(run, "values")), 10);
    assert_close(json_number(json_at(json_get(run, "values"), 4)), 12.0, 0.0, 0.0);
    assert_close(json_number(json_at(json_get(run, "values"), 5)), 24.0, 0.0, 0.0);
    assert_close(json_number(json_at(json_get(run, "steps"), 9)), 10.0, 0.0, 0.0);
    assert_close(number_at(run, "area"), 18.0, 1e-12, 0.0);
    assert_int_equal(json_integer(json_get(run, "repeat")), 1);
    assert_int_equal(json_integer(json_get(run, "seed")), 1011);
    json_release(json);
}

static void the_last_window_reaches_into_the_segment_before(void **state) {
    Fixture           *f = *state;
    Json              *json = NULL;
    const ResultsTrial trial = {.id = next_trial++, .kind = TRIAL_CONFIRM_BEST, .source = 2};
    assert_ok(results_trial_insert(f->results, &trial));
    const int64_t root = confirm_segment(f, 0, trial.id, 0, 8);
    fixture_finish(f, root, 1.0);
    fixture_finish(f, confirm_segment(f, root, trial.id, 8, 10), 4.0);
    assert_ok(report_confirmation(f->results, &json));
    const Json *arm = json_at(json_get(json, "arms"), 0);
    assert_close(number_at(arm, "mean"), 3.0, 1e-12, 0.0); /* 1, 4, 4 */
    assert_close(number_at(json_get(arm, "area"), "mean"), 1.6, 1e-12, 0.0);
    json_release(json);
}

static void the_same_confirmation_gives_the_same_intervals(void **state) {
    Fixture *f = *state;
    Json    *json[2] = {NULL, NULL};
    Buffer   text[2];
    for (int64_t i = 0; i < 5; i++) {
        confirm_run(f, TRIAL_CONFIRM_BEST, 0, i, 1.0, (double)(i * i));
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(report_confirmation(f->results, &json[i]));
        buffer_init(&text[i], 1024 * 1024);
        json_write(json[i], true, &text[i]);
        json_release(json[i]);
    }
    assert_string_equal(buffer_text(&text[0]), buffer_text(&text[1]));
    buffer_reset(&text[0]);
    buffer_reset(&text[1]);
}

static void runs_under_way_do_not_count_and_failed_ones_rank_last(void **state) {
    Fixture *f = *state;
    Json    *json = NULL;
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 0, 1.0, 2.0);
    confirm_run(f, TRIAL_CONFIRM_DEFAULT, 0, 0, 1.0, 3.0);
    confirm_failure(f, TRIAL_CONFIRM_DEFAULT, 1);
    /* only half way */
    const ResultsTrial trial = {.id = next_trial++, .kind = TRIAL_CONFIRM_DEFAULT, .repeat = 2};
    assert_ok(results_trial_insert(f->results, &trial));
    fixture_finish(f, confirm_segment(f, 0, trial.id, 0, 5), 99.0);
    assert_ok(report_confirmation(f->results, &json));
    const Json *best = json_at(json_get(json, "arms"), 0);
    assert_int_equal(json_integer(json_get(best, "defaults_n")), 1);
    assert_int_equal(json_integer(json_get(best, "defaults_failed")), 1);
    assert_false(json_bool(json_get(best, "complete"))); /* a run of the defaults is under way */
    assert_int_equal(json_integer(json_get(best, "planned")), 1);
    assert_close(number_at(best, "defaults_mean"), 3.0, 0.0, 0.0);
    assert_close(number_at(best, "probability"), 0.5, 0.0, 0.0);
    assert_true(json_is_null(json_get(best, "interval"))); /* of one value there is none */
    const Json *runs = json_get(json_at(json_get(json, "arms"), 1), "runs");
    assert_true(json_bool(json_get(json_at(runs, 1), "failed")));
    assert_int_equal(json_count(json_get(json_at(runs, 1), "values")), 0);
    assert_false(json_bool(json_get(json_at(runs, 2), "complete")));
    assert_int_equal(json_count(json_get(json_at(runs, 2), "values")), 5);
    json_release(json);
}

static void of_several_confirmed_schedules_the_best_mean_wins(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 0, 1.0, 2.0);
    confirm_run(f, TRIAL_CONFIRM_DEFAULT, 0, 0, 1.0, 1.5);
    assert_ok(report_best(f->results, &best));
    assert_int_equal(json_integer(json_get(best, "segment")), 2);
    assert_true(json_is_null(json_get(best, "note")));
    const Json *confirmed = json_get(best, "confirmed");
    assert_close(number_at(confirmed, "mean"), 2.0, 0.0, 0.0);
    assert_close(number_at(confirmed, "defaults_mean"), 1.5, 0.0, 0.0);
    assert_close(number_at(confirmed, "probability"), 1.0, 0.0, 0.0);
    assert_int_equal(json_integer(json_get(confirmed, "n")), 1);
    json_release(best);
    confirm_run(f, TRIAL_CONFIRM_BEST, 1, 0, 1.0, 8.0);
    assert_ok(report_best(f->results, &best));
    assert_int_equal(json_integer(json_get(best, "segment")), 3);
    assert_close(number_at(json_get(best, "confirmed"), "mean"), 8.0, 0.0, 0.0);
    json_release(best);
}

static int64_t best_of(Results *results) {
    Json *best = NULL;
    assert_ok(report_best(results, &best));
    const int64_t segment = json_integer(json_get(best, "segment"));
    json_release(best);
    return segment;
}

/* one mean is enough where the others are known to have none */
static void a_schedule_that_fails_from_scratch_is_not_the_best(void **state) {
    Fixture           *f = *state;
    const ResultsTrial trial = {.id = 20, .kind = TRIAL_CONFIRM_BEST, .repeat = 0, .source = 2};
    confirm_run(f, TRIAL_CONFIRM_BEST, 1, 0, 1.0, 2.0);
    assert_ok(results_trial_insert(f->results, &trial));
    assert_int_equal(best_of(f->results), 2); /* its confirmation is under way */
    const int64_t root = confirm_segment(f, 0, trial.id, 0, 5);
    assert_ok(results_attempt_start(f->results, root, 1, 0, ""));
    assert_ok(results_attempt_fail(f->results, root, 1, OUTCOME_DIVERGED, "NaN", false));
    assert_int_equal(best_of(f->results), 3);
}

static void what_breaks_a_constraint_is_not_the_best_for_its_mean(void **state) {
    Fixture *f = *state;
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 0, 1.0, 2.0);
    confirm_run(f, TRIAL_CONFIRM_BEST, 1, 0, 1.0, 8.0);
    assert_int_equal(best_of(f->results), 3);
    assert_ok(results__script(f->results, "UPDATE segment_result SET value = 200.0"
                                          " WHERE segment = 3 AND kind = 'constraint'"));
    assert_int_equal(best_of(f->results), 2);
}

static void the_summary_has_the_confirmation_without_its_curves(void **state) {
    Fixture *f = *state;
    Json    *summary = NULL;
    confirm_run(f, TRIAL_CONFIRM_BEST, 0, 0, 1.0, 2.0);
    assert_ok(report_summary(f->results, &summary));
    const Json *arm = json_at(json_get(json_get(summary, "confirmation"), "arms"), 0);
    assert_close(number_at(arm, "mean"), 2.0, 0.0, 0.0);
    assert_null(json_get(arm, "runs"));
    assert_int_equal(json_integer(json_get(summary, "units_consumed")), 20);
    assert_int_equal(json_integer(json_get(summary, "units_confirming")), 10);
    json_release(summary);
}

#define WITH_SCHEDULES(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SCHEDULES(without_a_confirmation_there_is_none),
        WITH_SCHEDULES(arms_have_curves_windows_and_areas),
        WITH_SCHEDULES(the_last_window_reaches_into_the_segment_before),
        WITH_SCHEDULES(the_same_confirmation_gives_the_same_intervals),
        WITH_SCHEDULES(runs_under_way_do_not_count_and_failed_ones_rank_last),
        WITH_SCHEDULES(of_several_confirmed_schedules_the_best_mean_wins),
        WITH_SCHEDULES(a_schedule_that_fails_from_scratch_is_not_the_best),
        WITH_SCHEDULES(what_breaks_a_constraint_is_not_the_best_for_its_mean),
        WITH_SCHEDULES(the_summary_has_the_confirmation_without_its_curves),
    };
    return cmocka_run_group_tests_name("results/confirmation", tests, NULL, NULL);
}
