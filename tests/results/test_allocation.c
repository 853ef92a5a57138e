/* Every allocation of the store fails once: the right status, nothing handed out, nothing leaked,
 * and the same call works afterwards. SQLite's own allocations are its own affair. */
#include "tests/results/results_fixture.h"

#include <stdlib.h>

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_decided(f, 0, 1);
    fixture_finished(f, 1, OUTCOME_DONE);
    (void)fixture_point(f, 0.5, 0.5);
    fixture_done(f, 2, 1, 0, 10, 30.0);
    for (int64_t repeat = 0; repeat < 2; repeat++) {
        const ResultsTrial trial = {
            .id = 1 + repeat, .kind = TRIAL_CONFIRM_BEST, .repeat = repeat, .source = 2};
        assert_ok(results_trial_insert(f->results, &trial));
        const ResultsSegment row = {.id = 3 + repeat,
                                    .trial = trial.id,
                                    .decision = -1,
                                    .end = 10,
                                    .reason = "confirm",
                                    .point = f->point};
        assert_ok(results_segment_insert(f->results, &row));
        fixture_finish(f, row.id, 5.0 + (double)repeat);
    }
    assert_ok(results_commit(f->results));
    return 0;
}

/* and one chain more of configuration 0 */
static int setup_repeated(void **state) {
    (void)setup(state);
    Fixture           *f = *state;
    const ResultsTrial trial = {.id = 3, .kind = TRIAL_TUNE, .repeat = 1};
    assert_ok(results_begin(f->results));
    assert_ok(results_trial_insert(f->results, &trial));
    fixture_segment(f, 5, 0, 3, 10, "initial");
    fixture_finish(f, 5, 40.0);
    assert_ok(results_commit(f->results));
    return 0;
}

typedef Status (*Call)(Fixture *f);

/* with allocation 1, 2, 3, ... failing until nothing fails any more */
static void torture(Fixture *f, Call call) {
    size_t failures = 0;
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = call(f);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        failures++;
    }
    assert_true(failures > 0);
}

static Status call_report(Fixture *f, Status (*report)(Results *results, Json **out)) {
    Json *const  sentinel = (Json *)f;
    Json        *json = sentinel;
    const Status status = report(f->results, &json);
    if (status == STATUS_OK) {
        assert_ptr_not_equal(json, sentinel);
        json_release(json);
    } else {
        assert_ptr_equal(json, sentinel);
    }
    return status;
}

static Status call_segments(Fixture *f) {
    return call_report(f, report_segments);
}

static Status call_trials(Fixture *f) {
    return call_report(f, report_trials);
}

static Status call_summary(Fixture *f) {
    return call_report(f, report_summary);
}

static Status call_best(Fixture *f) {
    return call_report(f, report_best);
}

static Status call_confirmation(Fixture *f) {
    return call_report(f, report_confirmation);
}

static Status schedule_of_2(Results *results, Json **out) {
    return report_schedule(results, 2, out);
}

static Status call_schedule(Fixture *f) {
    return call_report(f, schedule_of_2);
}

static Status call_top(Fixture *f) {
    int64_t ids[4];
    size_t  found = 0;
    return report_top(f->results, 4, ids, &found);
}

static Status call_best_of_repeats(Fixture *f) {
    return call_best(f);
}

static Status call_top_of_repeats(Fixture *f) {
    return call_top(f);
}

static Status call_open(Fixture *f) {
    Results     *reader = NULL;
    const Status status = results_open(f->path, RESULTS_READ, &reader);
    assert_true((status == STATUS_OK) == (reader != NULL));
    results_close(reader);
    return status;
}

static Status ignore(void *context, const Event *event) {
    (void)context;
    (void)event;
    return STATUS_OK;
}

static Status call_replay(Fixture *f) {
    return results_log_replay(f->results, f->space, ignore, NULL);
}

static Status call_metric(Fixture *f) {
    /* forgets all names: the table grows anew */
    TRY(results_begin(f->results));
    results_rollback(f->results);
    Status status = results_begin(f->results);
    if (status == STATUS_OK) {
        status = results_metric_insert(f->results, false, 1, 1, 0, "new", 1.0);
        results_rollback(f->results);
    }
    return status;
}

static Status call_canonical(Fixture *f) {
    Buffer text;
    buffer_init(&text, 1024 * 1024);
    const Status status = report_canonical(f->results, &text);
    buffer_reset(&text);
    return status;
}

#define TORTURE(name)                                                   \
    static void name##_survives_every_failed_allocation(void **state) { \
        torture(*state, call_##name);                                   \
    }
TORTURE(segments)
TORTURE(trials)
TORTURE(summary)
TORTURE(best)
TORTURE(confirmation)
TORTURE(schedule)
TORTURE(top)
TORTURE(best_of_repeats)
TORTURE(top_of_repeats)
TORTURE(open)
TORTURE(replay)
TORTURE(metric)
TORTURE(canonical)

#define TEST(name)                                                                  \
    cmocka_unit_test_setup_teardown(name##_survives_every_failed_allocation, setup, \
                                    fixture_teardown)

#define TEST_REPEATED(name)                                                                  \
    cmocka_unit_test_setup_teardown(name##_survives_every_failed_allocation, setup_repeated, \
                                    fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(segments),
        TEST(trials),
        TEST(summary),
        TEST(best),
        TEST(top),
        TEST(confirmation),
        TEST(schedule),
        TEST(open),
        TEST(replay),
        TEST(metric),
        TEST(canonical),
        TEST_REPEATED(best_of_repeats),
        TEST_REPEATED(top_of_repeats),
    };
    return cmocka_run_group_tests_name("results/allocation", tests, NULL, NULL);
}
