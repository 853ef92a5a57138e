/* Trials, segments, attempts and evaluations: every transition, and every one that is refused. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <string.h>

static int64_t count_of(Results *results, const char *sql) {
    int64_t count = -1;
    assert_ok(results__integer(results, sql, -1, &count, ""));
    return count;
}

static ResultsSegment read_segment(Fixture *f, int64_t id) {
    ResultsSegment row = {.point = NULL};
    assert_ok(results_segment_read(f->results, NULL, id, &row));
    return row;
}

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void a_segment_comes_back_as_it_went_in(void **state) {
    Fixture       *f = *state;
    double         point[POINT_SIZE];
    ResultsSegment row = {.point = point};
    (void)fixture_point(f, 0.1, 0.25);
    f->point[WIDTH] = 2.0;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_segment_read(f->results, f->space, 1, &row));
    assert_int_equal(row.id, 1);
    assert_int_equal(row.parent, 0);
    assert_int_equal(row.trial, 0);
    assert_int_equal(row.decision, 0);
    assert_int_equal(row.begin, 0);
    assert_int_equal(row.end, 5);
    assert_int_equal(row.seed, 100);
    assert_string_equal(row.reason, "initial");
    assert_string_equal(row.note, "note 1");
    assert_int_equal(row.state, SEGMENT_QUEUED);
    assert_int_equal(row.outcome, OUTCOME_NONE);
    assert_int_equal(row.attempt, 0);
    assert_false(row.kept);
    assert_true(isnan(row.objective[0]));
    assert_memory_equal(point, f->point, sizeof point);
    assert_fails(results_segment_read(f->results, f->space, 9, &row), STATUS_ERR_UNKNOWN_NAME,
                 "no segment 9");
    assert_fails(results_segment_read(f->results, NULL, 1, &row), STATUS_ERR_ARG, "search space");
}

static void values_exist_exactly_where_they_are_active_and_in_their_own_type(void **state) {
    Fixture                 *f = *state;
    static const char *const types[] = {"integer", "real", "text", "text"};
    for (int width = 0; width < 4; width++) {
        double         point[POINT_SIZE];
        ResultsSegment row = {.point = point};
        (void)fixture_point(f, 0.1, (double)NAN);
        f->point[WIDTH] = width;
        fixture_segment(f, width + 1, 0, 0, 5, "initial");
        assert_ok(results_segment_read(f->results, f->space, width + 1, &row));
        assert_memory_equal(point, f->point, sizeof point);
        sqlite3_stmt *statement = NULL;
        bool          found = false;
        char          type[16];
        assert_ok(results__query(f->results,
                                 "SELECT typeof(value) FROM segment_hyperparameter"
                                 " WHERE segment = ? AND name = 'width'",
                                 &statement, "i", (int64_t)width + 1));
        assert_ok(results__step(f->results, statement, &found));
        results__column_text(statement, 0, type, sizeof type);
        assert_string_equal(type, types[width]);
        assert_ok(results__step(f->results, statement, &found));
    }
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM segment_value"), 4 * 5);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM segment_hyperparameter"
                                          " WHERE name = 'momentum'"),
                     0);
    assert_int_equal(count_of(f->results, "SELECT count(DISTINCT typeof(value))"
                                          " FROM segment_hyperparameter WHERE name = 'learned'"
                                          " AND value = 1"),
                     1);
}

static void a_space_that_does_not_fit_the_study_is_refused(void **state) {
    Fixture             *f = *state;
    Space               *other = NULL;
    double               point[POINT_SIZE];
    ResultsSegment       row = {.point = point};
    char                 name[] = "lr";
    const SpaceParameter lr = {.name = name, .type = SPACE_INT, .upper = 3};
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(space_create(&other));
    assert_fails(results_segment_read(f->results, other, 1, &row), STATUS_ERR_UNKNOWN_NAME, "'lr'");
    assert_ok(space_add(other, &lr));
    assert_fails(results_segment_read(f->results, other, 1, &row), STATUS_ERR_STATE,
                 "another type");
    space_destroy(other);
}

static void bad_segments_are_refused(void **state) {
    Fixture       *f = *state;
    ResultsSegment bad = {.id = 2, .parent = 1, .begin = 4, .end = 10, .decision = 1};
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_ARG, "no point");
    bad.point = f->point;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "begins at 4");
    bad.parent = 77;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "does not exist");
    bad.parent = 1;
    bad.begin = 5;
    bad.end = 5;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "refused");
    bad.end = 10;
    bad.trial = 99;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "FOREIGN KEY");
    bad.trial = 0;
    bad.decision = 0;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "UNIQUE");
    bad.decision = 1;
    bad.seed = (uint64_t)1 << 53;
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "refused");
    bad.seed = ((uint64_t)1 << 53) - 1;
    assert_ok(results_segment_insert(f->results, &bad));
    assert_fails(results_segment_insert(f->results, &bad), STATUS_ERR_STATE, "refused");
}

static void trials_are_unique_by_kind_number_and_repeat(void **state) {
    Fixture     *f = *state;
    ResultsTrial trial = {.id = 1, .kind = TRIAL_TUNE, .number = 0, .repeat = 0};
    assert_fails(results_trial_insert(f->results, &trial), STATUS_ERR_STATE, "UNIQUE");
    trial.repeat = 1;
    assert_ok(results_trial_insert(f->results, &trial));
    trial = (ResultsTrial){.id = 2, .kind = TRIAL_CONFIRM_BEST};
    assert_fails(results_trial_insert(f->results, &trial), STATUS_ERR_STATE, "refused");
    fixture_segment(f, 1, 0, 0, 5, "initial");
    trial.source = 1;
    assert_ok(results_trial_insert(f->results, &trial));
    trial = (ResultsTrial){.id = 3, .kind = TRIAL_CONFIRM_DEFAULT, .repeat = 4};
    assert_ok(results_trial_insert(f->results, &trial));
    ResultsTrial read;
    assert_ok(results_trial_read(f->results, 2, &read));
    assert_int_equal(read.kind, TRIAL_CONFIRM_BEST);
    assert_int_equal(read.source, 1);
    assert_ok(results_trial_read(f->results, 3, &read));
    assert_int_equal(read.kind, TRIAL_CONFIRM_DEFAULT);
    assert_int_equal(read.repeat, 4);
    assert_fails(results_trial_read(f->results, 4, &read), STATUS_ERR_UNKNOWN_NAME, "no trial 4");
}

static void next_ids_follow_the_largest(void **state) {
    Fixture *f = *state;
    int64_t  trial = -1;
    int64_t  segment = -1;
    int64_t  evaluation = -1;
    assert_ok(results_next_ids(f->results, &trial, &segment, &evaluation));
    assert_int_equal(trial, 1);
    assert_int_equal(segment, 1);
    assert_int_equal(evaluation, 1);
    fixture_done(f, 7, 0, 0, 5, 1.0);
    assert_ok(results_next_ids(f->results, &trial, &segment, &evaluation));
    assert_int_equal(segment, 8);
    results_rollback(f->results);
    assert_ok(results_next_ids(f->results, &trial, &segment, &evaluation));
    assert_int_equal(trial, 0);
}

/* ---- attempts ------------------------------------------------------------------------------- */

static void a_segment_is_started_and_finished(void **state) {
    Fixture     *f = *state;
    const double objective = -(double)INFINITY;
    const double spread = (double)NAN;
    const double flop = 12.5;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 3, "node7"));
    assert_int_equal(read_segment(f, 1).state, SEGMENT_RUNNING);
    assert_fails(results_attempt_start(f->results, 1, 2, 3, "node7"), STATUS_ERR_STATE,
                 "found running with attempt 1");
    assert_fails(results_segment_finish(f->results, 1, 2, &objective, &spread, &flop, 1, 1, 0.0),
                 STATUS_ERR_STATE, "segment 1, attempt 2");
    assert_ok(results_segment_finish(f->results, 1, 1, &objective, &spread, &flop, 9,
                                     0xfedcba9876543210U, 1.5));
    const ResultsSegment row = read_segment(f, 1);
    assert_int_equal(row.state, SEGMENT_FINISHED);
    assert_int_equal(row.outcome, OUTCOME_DONE);
    assert_int_equal(row.attempt, 1);
    assert_true(row.kept);
    assert_int_equal(row.checkpoint_bytes, 9);
    assert_true(row.checkpoint_checksum == 0xfedcba9876543210U);
    assert_close(row.objective[0], -(double)INFINITY, 0.0, 0.0);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt WHERE outcome = 'done'"
                                          " AND host = 'node7' AND worker = 3"
                                          " AND busy_seconds = 1.5 AND finished_at >= started_at"),
                     1);
    assert_fails(results_attempt_start(f->results, 1, 2, 3, ""), STATUS_ERR_STATE, "finished");
    assert_fails(results_segment_finish(f->results, 1, 1, &objective, &spread, &flop, 1, 1, 0.0),
                 STATUS_ERR_STATE, "finished");
}

static void without_a_checkpoint_nothing_is_kept(void **state) {
    Fixture     *f = *state;
    const double objective = 1.0;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    assert_ok(results_segment_finish(f->results, 1, 1, &objective, NULL, &objective, 0, 0, 0.0));
    assert_false(read_segment(f, 1).kept);
}

static void every_outcome_can_be_stored(void **state) {
    Fixture *f = *state;
    int64_t  id = 0;
    for (int outcome = OUTCOME_DIVERGED; outcome <= OUTCOME_CANCELLED; outcome++) {
        id++;
        fixture_segment(f, id, 0, 0, 5, "initial");
        assert_ok(results_attempt_start(f->results, id, 1, 0, ""));
        assert_ok(
            results_attempt_fail(f->results, id, 1, (Outcome)outcome, "because of this", false));
        assert_int_equal(read_segment(f, id).outcome, outcome);
        assert_int_equal(read_segment(f, id).state, SEGMENT_FAILED);
    }
    fixture_segment(f, 50, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 50, 1, 0, ""));
    assert_fails(results_attempt_fail(f->results, 50, 1, OUTCOME_DONE, "", false), STATUS_ERR_ARG,
                 "cannot fail");
    assert_fails(results_attempt_fail(f->results, 50, 1, OUTCOME_NONE, "", true), STATUS_ERR_ARG,
                 "cannot fail");
    assert_fails(results_attempt_fail(f->results, 50, 2, OUTCOME_CRASHED, "", true),
                 STATUS_ERR_STATE, "expected a running one");
    assert_fails(results_attempt_fail(f->results, 51, 1, OUTCOME_CRASHED, "", true),
                 STATUS_ERR_STATE, "missing");
}

static void a_retry_starts_without_the_metrics_of_the_attempt_before(void **state) {
    Fixture *f = *state;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "episode_reward", 1.0));
    assert_ok(results_attempt_fail(f->results, 1, 1, OUTCOME_CRASHED, NULL, true));
    assert_int_equal(read_segment(f, 1).state, SEGMENT_QUEUED);
    assert_int_equal(read_segment(f, 1).outcome, OUTCOME_NONE);
    assert_fails(results_attempt_start(f->results, 1, 1, 0, ""), STATUS_ERR_STATE, "lower attempt");
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 1);
    assert_ok(results_attempt_start(f->results, 1, 2, 0, ""));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 0);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt WHERE segment = 1"), 2);
}

static void a_yielded_segment_keeps_what_it_did(void **state) {
    Fixture     *f = *state;
    const double one = 1.0;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    for (int64_t step = 1; step <= 3; step++) {
        assert_ok(results_metric_insert(f->results, false, 1, step, 0, "episode_reward", 1.0));
    }
    assert_fails(results_attempt_yield(f->results, 1, 1, 5, 10, 11), STATUS_ERR_STATE, "refused");
    assert_ok(results_attempt_yield(f->results, 1, 1, 2, 10, 11));
    ResultsSegment row = read_segment(f, 1);
    assert_int_equal(row.state, SEGMENT_QUEUED);
    assert_int_equal(row.partial_end, 2);
    assert_int_equal(row.partial_attempt, 1);
    assert_int_equal(row.checkpoint_bytes, 10);
    assert_int_equal(row.checkpoint_checksum, 11);
    assert_false(row.kept);

    /* steps 1 and 2 stand; a crash in between keeps the partial checkpoint too */
    assert_ok(results_attempt_start(f->results, 1, 2, 0, ""));
    assert_int_equal(count_of(f->results, "SELECT max(step) FROM metric"), 2);
    assert_ok(results_metric_insert(f->results, false, 1, 3, 0, "episode_reward", 1.0));
    assert_ok(results_attempt_fail(f->results, 1, 2, OUTCOME_KILLED, "", true));
    assert_int_equal(read_segment(f, 1).partial_end, 2);
    assert_ok(results_attempt_start(f->results, 1, 3, 0, ""));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 2);
    assert_ok(results_segment_finish(f->results, 1, 3, &one, &one, &one, 20, 21, 0.0));
    row = read_segment(f, 1);
    assert_int_equal(row.partial_end, 0);
    assert_int_equal(row.partial_attempt, 0);
    assert_int_equal(row.attempt, 3);
}

static void a_damaged_partial_checkpoint_can_be_forgotten(void **state) {
    Fixture *f = *state;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "episode_reward", 1.0));
    assert_ok(results_attempt_yield(f->results, 1, 1, 2, 10, 11));
    assert_ok(results_attempt_yield(f->results, 1, 1, 0, 0, 0));
    assert_int_equal(read_segment(f, 1).partial_end, 0);
    assert_ok(results_attempt_start(f->results, 1, 2, 0, ""));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 0);
    assert_fails(results_attempt_yield(f->results, 1, 2, 0, 0, 0), STATUS_ERR_STATE, "queued");
}

static void a_segment_that_never_started_can_be_cancelled(void **state) {
    Fixture *f = *state;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_fail(f->results, 1, 0, OUTCOME_CANCELLED, "", false));
    assert_int_equal(read_segment(f, 1).state, SEGMENT_FAILED);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt"), 0);
    assert_fails(results_attempt_fail(f->results, 1, 0, OUTCOME_CANCELLED, "", false),
                 STATUS_ERR_STATE, "queued");
}

static void checkpoints_go_and_are_made_again(void **state) {
    Fixture *f = *state;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_fails(results_checkpoint_set(f->results, 1, 1, 0, 0), STATUS_ERR_STATE, "finished one");
    fixture_finish(f, 1, 1.0);
    assert_ok(results_checkpoint_set(f->results, 1, 0, 0, 0));
    assert_false(read_segment(f, 1).kept);
    assert_int_equal(read_segment(f, 1).attempt, 1);
    assert_ok(results_checkpoint_set(f->results, 1, 2, 77, 78));
    const ResultsSegment row = read_segment(f, 1);
    assert_true(row.kept);
    assert_int_equal(row.attempt, 2);
    assert_int_equal(row.checkpoint_bytes, 77);
    assert_int_equal(row.state, SEGMENT_FINISHED);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM metric"), 5);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt"), 2);
    /* the row of an attempt that a worker made stays as it is */
    assert_ok(results_checkpoint_set(f->results, 1, 1, 77, 78));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt WHERE worker = 1"), 1);
    assert_fails(results_checkpoint_set(f->results, 2, 2, 77, 78), STATUS_ERR_STATE, "missing");
}

static void reconciling_puts_what_ran_back_to_the_queue(void **state) {
    Fixture *f = *state;
    int64_t  requeued = -1;
    fixture_done(f, 1, 0, 0, 5, 1.0);
    fixture_segment(f, 2, 1, 0, 10, "continue");
    fixture_segment(f, 3, 1, 0, 10, "exploit");
    assert_ok(results_attempt_start(f->results, 2, 1, 0, ""));
    const ResultsEvaluation evaluation = {.id = 1, .segment = 1, .decision = -1, .episodes = 3};
    assert_ok(results_evaluation_insert(f->results, &evaluation));
    assert_ok(results_evaluation_start(f->results, 1, 1, 0, ""));
    assert_ok(results_reconcile(f->results, &requeued));
    assert_int_equal(requeued, 2);
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM attempt WHERE outcome = 'lost'"),
                     2);
    assert_int_equal(read_segment(f, 1).state, SEGMENT_FINISHED);
    assert_int_equal(read_segment(f, 2).state, SEGMENT_QUEUED);
    assert_ok(results_attempt_start(f->results, 2, 2, 0, ""));
    assert_ok(results_evaluation_start(f->results, 1, 2, 0, ""));
}

/* ---- evaluations ---------------------------------------------------------------------------- */

static Status take_evaluation(void *context, const ResultsEvaluation *row) {
    ResultsEvaluation *rows = context;
    rows[row->id - 1] = *row;
    return STATUS_OK;
}

static void an_evaluation_runs_fails_and_finishes(void **state) {
    Fixture          *f = *state;
    ResultsEvaluation rows[2] = {{.id = 0}};
    const double      objective = 4.5;
    fixture_done(f, 1, 0, 0, 5, 1.0);
    const ResultsEvaluation asked = {
        .id = 1, .segment = 1, .decision = 3, .episodes = 10, .seed = 12};
    const ResultsEvaluation second = {.id = 2, .segment = 1, .decision = -1, .episodes = 1};
    const ResultsEvaluation orphan = {.id = 3, .segment = 44, .decision = -1, .episodes = 1};
    assert_ok(results_evaluation_insert(f->results, &asked));
    assert_ok(results_evaluation_insert(f->results, &second));
    assert_fails(results_evaluation_insert(f->results, &orphan), STATUS_ERR_STATE, "FOREIGN KEY");
    assert_fails(results_evaluation_finish(f->results, 1, 1, OUTCOME_DONE, "", &objective, false),
                 STATUS_ERR_STATE, "evaluation 1");
    assert_ok(results_evaluation_start(f->results, 1, 1, 2, "h"));
    assert_fails(results_evaluation_start(f->results, 1, 2, 2, "h"), STATUS_ERR_STATE, "queued");
    assert_ok(results_metric_insert(f->results, true, 1, 1, 0, "episode_reward", 1.0));
    assert_ok(results_evaluation_finish(f->results, 1, 1, OUTCOME_CRASHED, NULL, NULL, true));
    assert_ok(results_evaluation_start(f->results, 1, 2, 2, "h"));
    assert_int_equal(count_of(f->results, "SELECT count(*) FROM evaluation_metric"), 0);
    assert_fails(results_evaluation_finish(f->results, 1, 2, OUTCOME_DONE, "", NULL, false),
                 STATUS_ERR_ARG, "objectives");
    assert_ok(results_evaluation_finish(f->results, 1, 2, OUTCOME_DONE, "", &objective, false));
    assert_ok(results_evaluation_start(f->results, 2, 1, 2, "h"));
    assert_ok(results_evaluation_finish(f->results, 2, 1, OUTCOME_TIMEOUT, "slow", NULL, false));
    assert_ok(results_evaluations_visit(f->results, take_evaluation, rows));
    assert_int_equal(rows[0].state, SEGMENT_FINISHED);
    assert_int_equal(rows[0].attempt, 2);
    assert_int_equal(rows[0].decision, 3);
    assert_int_equal(rows[0].episodes, 10);
    assert_int_equal(rows[0].seed, 12);
    assert_close(rows[0].objective, 4.5, 0.0, 0.0);
    assert_int_equal(rows[1].state, SEGMENT_FAILED);
    assert_int_equal(rows[1].outcome, OUTCOME_TIMEOUT);
    assert_int_equal(rows[1].decision, -1);
    assert_true(isnan(rows[1].objective));
}

#define WITH_TRIAL(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_TRIAL(a_segment_comes_back_as_it_went_in),
        WITH_TRIAL(values_exist_exactly_where_they_are_active_and_in_their_own_type),
        WITH_TRIAL(a_space_that_does_not_fit_the_study_is_refused),
        WITH_TRIAL(bad_segments_are_refused),
        WITH_TRIAL(trials_are_unique_by_kind_number_and_repeat),
        WITH_TRIAL(next_ids_follow_the_largest),
        WITH_TRIAL(a_segment_is_started_and_finished),
        WITH_TRIAL(without_a_checkpoint_nothing_is_kept),
        WITH_TRIAL(every_outcome_can_be_stored),
        WITH_TRIAL(a_retry_starts_without_the_metrics_of_the_attempt_before),
        WITH_TRIAL(a_yielded_segment_keeps_what_it_did),
        WITH_TRIAL(a_damaged_partial_checkpoint_can_be_forgotten),
        WITH_TRIAL(a_segment_that_never_started_can_be_cancelled),
        WITH_TRIAL(checkpoints_go_and_are_made_again),
        WITH_TRIAL(reconciling_puts_what_ran_back_to_the_queue),
        WITH_TRIAL(an_evaluation_runs_fails_and_finishes),
    };
    return cmocka_run_group_tests_name("results/work", tests, NULL, NULL);
}
