/* The log: what goes in comes back complete and in order; what cannot be is refused. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32 };

/* copies of what a visitor was shown */
typedef struct Seen {
    Event         events[MOST];
    Decision      decisions[MOST];
    double        points[MOST][POINT_SIZE];
    double        numbers[MOST][3];
    unsigned char memo[MOST][16];
    size_t        count;
    Fixture      *fixture; /* appends while it is visited, if not NULL */
} Seen;

static Status see(void *context, const Event *event) {
    Seen        *seen = context;
    const size_t i = seen->count++;
    assert_true(i < MOST);
    seen->events[i] = *event;
    if (event->kind == EVENT_DECIDED) {
        seen->decisions[i] = *event->decision;
        if (event->decision->point != NULL) {
            memcpy(seen->points[i], event->decision->point, sizeof seen->points[i]);
        }
        if (event->decision->memo != NULL) {
            memcpy(seen->memo[i], event->decision->memo, event->decision->memo_size);
        }
    }
    if (event->kind == EVENT_KNOWN) {
        seen->numbers[i][0] = event->objectives[0];
        seen->numbers[i][2] = event->constraints[0];
    }
    if (event->kind == EVENT_ENQUEUED || event->kind == EVENT_KNOWN) {
        memcpy(seen->points[i], event->point, sizeof seen->points[i]);
    }
    if (event->kind == EVENT_FINISHED || event->kind == EVENT_EVALUATED) {
        seen->numbers[i][0] = event->objectives[0];
        seen->numbers[i][1] = event->spreads[0];
        seen->numbers[i][2] = event->constraints[0];
    }
    if (seen->fixture != NULL) {
        const Event more = {.kind = EVENT_BUDGET_CHANGED, .total = 1};
        assert_ok(results_event_append(seen->fixture->results, &more));
    }
    return STATUS_OK;
}

static Status refuse(void *context, const Event *event) {
    size_t *count = context;
    (*count)++;
    FAIL(STATUS_ERR_RANGE, "event of kind %d is not wanted", (int)event->kind);
}

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    return 0;
}

static void append(Fixture *f, Event event) {
    assert_ok(results_event_append(f->results, &event));
}

static Seen replay(Fixture *f, Results *results) {
    static Seen seen;
    memset(&seen, 0, sizeof seen);
    assert_ok(results_log_replay(results, f->space, see, &seen));
    return seen;
}

static void every_kind_of_event_comes_back_complete_and_in_order(void **state) {
    Fixture      *f = *state;
    unsigned char memo[3] = {1, 0, 255};
    const double  objective = 7.25;
    Decision      evaluate = {.kind = DECISION_EVALUATE, .number = 1, .id = 1, .parent = 1};
    Decision      over = {.kind = DECISION_DONE, .number = 2, .failed = true};
    evaluate.trial = 1;
    evaluate.episodes = 10;
    (void)snprintf(over.reason, sizeof over.reason, "%s", "all members failed");
    (void)snprintf(evaluate.reason, sizeof evaluate.reason, "%s", "promising");
    (void)fixture_point(f, 0.25, 0.5);
    f->decision = (Decision){.branch = true, .memo = memo, .memo_size = sizeof memo};
    (void)snprintf(f->decision.reason, sizeof f->decision.reason, "%s", "initial");
    (void)snprintf(f->decision.note, sizeof f->decision.note, "%s", "compared 7 at depth 15");
    fixture_segment(f, 1, 0, 1, 5, "initial");
    fixture_decided(f, 0, 1);
    fixture_finish(f, 1, -3.5);
    fixture_finished(f, 1, OUTCOME_DONE);
    const ResultsEvaluation row = {.id = 1, .segment = 1, .decision = 1, .episodes = 10};
    assert_ok(results_evaluation_insert(f->results, &row));
    assert_ok(results_segment_cost_set(f->results, 1, 42.5));
    append(f, (Event){.kind = EVENT_DECIDED, .decision = &evaluate});
    assert_ok(results_evaluation_start(f->results, 1, 1, 0, ""));
    assert_ok(results_evaluation_finish(f->results, 1, 1, OUTCOME_DONE, "", &objective, false));
    append(f, (Event){.kind = EVENT_EVALUATED, .id = 1, .outcome = OUTCOME_DONE});
    append(f, (Event){.kind = EVENT_ENQUEUED, .point = fixture_point(f, 0.75, (double)NAN)});
    append(f, (Event){.kind = EVENT_BUDGET_CHANGED, .total = 1234, .trials = 9});
    append(f, (Event){.kind = EVENT_DECIDED, .decision = &over});
    assert_ok(results_commit(f->results));

    const Seen      seen = replay(f, f->results);
    const Decision *d = &seen.decisions[0];
    assert_int_equal(seen.count, 7);
    assert_int_equal(seen.events[0].kind, EVENT_DECIDED);
    assert_int_equal(d->kind, DECISION_RUN);
    assert_int_equal(d->number, 0);
    assert_int_equal(d->id, 1);
    assert_int_equal(d->parent, 0);
    assert_int_equal(d->trial, 1);
    assert_int_equal(d->begin, 0);
    assert_int_equal(d->end, 5);
    assert_true(d->branch);
    assert_string_equal(d->reason, "initial");
    assert_string_equal(d->note, "compared 7 at depth 15");
    assert_int_equal(d->memo_size, sizeof memo);
    assert_memory_equal(seen.memo[0], memo, sizeof memo);
    const double *point = fixture_point(f, 0.25, 0.5);
    assert_memory_equal(seen.points[0], point, sizeof seen.points[0]);

    assert_int_equal(seen.events[1].kind, EVENT_FINISHED);
    assert_int_equal(seen.events[1].id, 1);
    assert_int_equal(seen.events[1].outcome, OUTCOME_DONE);
    assert_close(seen.events[1].cost, 42.5, 0.0, 0.0);
    assert_close(seen.numbers[1][0], -3.5, 0.0, 0.0);
    assert_close(seen.numbers[1][1], 0.5, 0.0, 0.0);
    assert_close(seen.numbers[1][2], 50.0, 0.0, 0.0);

    d = &seen.decisions[2];
    assert_int_equal(d->kind, DECISION_EVALUATE);
    assert_int_equal(d->number, 1);
    assert_int_equal(d->id, 1);
    assert_int_equal(d->parent, 1);
    assert_int_equal(d->trial, 1);
    assert_int_equal(d->episodes, 10);
    assert_string_equal(d->reason, "promising");
    assert_int_equal(seen.events[3].kind, EVENT_EVALUATED);
    assert_close(seen.numbers[3][0], 7.25, 0.0, 0.0);
    assert_true(isnan(seen.numbers[3][1]));
    assert_int_equal(seen.events[4].kind, EVENT_ENQUEUED);
    point = fixture_point(f, 0.75, (double)NAN);
    assert_memory_equal(seen.points[4], point, sizeof seen.points[4]);
    assert_int_equal(seen.events[5].total, 1234);
    assert_int_equal(seen.events[5].trials, 9);
    assert_int_equal(seen.decisions[6].kind, DECISION_DONE);
    assert_true(seen.decisions[6].failed);
    assert_string_equal(seen.decisions[6].reason, "all members failed");

    /* a reader replays the same */
    Results *reader = NULL;
    assert_ok(results_open(f->path, RESULTS_READ, &reader));
    assert_int_equal(replay(f, reader).count, 7);
    results_close(reader);
}

static void the_order_is_the_order_of_the_log_not_of_the_ids(void **state) {
    Fixture *f = *state;
    fixture_segment(f, 1, 0, 0, 5, "initial");
    fixture_decided(f, 0, 1);
    fixture_segment(f, 2, 0, 1, 5, "initial");
    fixture_decided(f, 1, 2);
    fixture_finish(f, 2, 2.0);
    fixture_finished(f, 2, OUTCOME_DONE);
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    assert_ok(results_attempt_fail(f->results, 1, 1, OUTCOME_DIVERGED, "NaN", false));
    fixture_finished(f, 1, OUTCOME_DIVERGED);
    const Seen seen = replay(f, f->results);
    assert_int_equal(seen.count, 4);
    assert_int_equal(seen.events[2].id, 2);
    assert_int_equal(seen.events[3].id, 1);
    assert_int_equal(seen.events[3].outcome, OUTCOME_DIVERGED);
    assert_true(isnan(seen.numbers[3][0]));
    assert_true(isnan(seen.numbers[3][2]));
}

static void results_of_earlier_studies_begin_the_log(void **state) {
    Fixture     *f = *state;
    const double objective = 3.25;
    const double constraint = 60.0;
    Event        known = {.kind = EVENT_KNOWN,
                          .outcome = OUTCOME_DONE,
                          .objectives = &objective,
                          .constraints = &constraint,
                          .cost = (double)NAN,
                          .point = fixture_point(f, 0.25, 0.5),
                          .depth = 40};
    Buffer       before;
    Buffer       text;
    fixture_canonical(f->results, &before);
    assert_ok(results_known_append(f->results, "../first", 17, &known));
    known.cost = 8.5;
    known.point = fixture_point(f, 0.75, (double)NAN);
    assert_ok(results_known_append(f->results, "../first", 21, &known));
    assert_fails(results_event_append(f->results, &known), STATUS_ERR_ARG, "where it comes from");
    append(f, (Event){.kind = EVENT_ENQUEUED, .point = fixture_point(f, 0.5, (double)NAN)});
    assert_fails(results_known_append(f->results, "../first", 22, &known), STATUS_ERR_STATE,
                 "before everything else");
    known.point = NULL;
    assert_fails(results_known_append(f->results, "../first", 22, &known), STATUS_ERR_ARG,
                 "has values");

    const Seen seen = replay(f, f->results);
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.events[0].kind, EVENT_KNOWN);
    assert_int_equal(seen.events[0].depth, 40);
    assert_true(isnan(seen.events[0].cost));
    assert_close(seen.numbers[0][0], 3.25, 0.0, 0.0);
    assert_close(seen.numbers[0][2], 60.0, 0.0, 0.0);
    const double *point = fixture_point(f, 0.25, 0.5);
    assert_memory_equal(seen.points[0], point, sizeof seen.points[0]);
    assert_close(seen.events[1].cost, 8.5, 0.0, 0.0);
    point = fixture_point(f, 0.75, (double)NAN);
    assert_memory_equal(seen.points[1], point, sizeof seen.points[1]);
    assert_int_equal(seen.events[2].kind, EVENT_ENQUEUED);
    /* they are part of what must be equal between two runs */
    fixture_canonical(f->results, &text);
    assert_null(strstr(buffer_text(&before), "known"));
    assert_contains(buffer_text(&text), "known 1 17 40 -\nknown 2 21 40 8.5\n");
    assert_contains(buffer_text(&text), "known_value 1 lr 0.25\n");
    assert_contains(buffer_text(&text), "known_result 1 constraint 0 60\n");
    buffer_reset(&before);
    buffer_reset(&text);
}

static void what_is_appended_during_a_replay_is_not_replayed(void **state) {
    Fixture *f = *state;
    Seen     seen = {.fixture = f};
    append(f, (Event){.kind = EVENT_BUDGET_CHANGED, .total = 5});
    append(f, (Event){.kind = EVENT_BUDGET_CHANGED, .total = 6});
    assert_ok(results_log_replay(f->results, f->space, see, &seen));
    assert_int_equal(seen.count, 2);
    assert_int_equal(replay(f, f->results).count, 4);
}

static void a_replay_stops_at_the_first_failure(void **state) {
    Fixture *f = *state;
    size_t   count = 0;
    append(f, (Event){.kind = EVENT_BUDGET_CHANGED, .total = 5});
    append(f, (Event){.kind = EVENT_BUDGET_CHANGED, .total = 6});
    assert_fails(results_log_replay(f->results, f->space, refuse, &count), STATUS_ERR_RANGE,
                 "not wanted");
    assert_int_equal(count, 1);
    assert_fails(results_log_replay(f->results, NULL, refuse, &count), STATUS_ERR_ARG,
                 "search space");
}

static void impossible_events_are_refused(void **state) {
    Fixture *f = *state;
    Decision wait = {.kind = DECISION_WAIT};
    Decision ghost = {.kind = DECISION_RUN, .number = 5, .id = 44};
    Decision heavy = {.kind = DECISION_DONE, .number = 6, .memo_size = SCHEDULER_MEMO_BYTES + 1};
    Event    event = {.kind = EVENT_DECIDED, .decision = &wait};
    Results *r = f->results;
    heavy.memo = &heavy;
    assert_fails(results_event_append(r, &event), STATUS_ERR_ARG, "only decisions");
    event.decision = NULL;
    assert_fails(results_event_append(r, &event), STATUS_ERR_ARG, "only decisions");
    event.decision = &ghost;
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "FOREIGN KEY");
    event.decision = &heavy;
    assert_fails(results_event_append(r, &event), STATUS_ERR_RANGE, "65537 bytes");
    fixture_segment(f, 1, 0, 0, 5, "initial");
    fixture_decided(f, 0, 1);
    ghost = (Decision){.kind = DECISION_RUN, .number = 0, .id = 1};
    event.decision = &ghost;
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "UNIQUE");
    event = (Event){.kind = EVENT_FINISHED, .id = 1, .outcome = OUTCOME_DONE};
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "its row does not");
    fixture_finish(f, 1, 1.0);
    event.outcome = OUTCOME_CRASHED;
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "ended as 'crashed'");
    event.outcome = OUTCOME_DONE;
    assert_ok(results_event_append(r, &event));
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "UNIQUE");
    event = (Event){.kind = EVENT_EVALUATED, .id = 9, .outcome = OUTCOME_DONE};
    assert_fails(results_event_append(r, &event), STATUS_ERR_STATE, "evaluation 9");
    event = (Event){.kind = EVENT_ENQUEUED};
    assert_fails(results_event_append(r, &event), STATUS_ERR_ARG, "point");
    assert_int_equal(replay(f, r).count, 2);
}

static void a_memo_of_the_largest_size_survives(void **state) {
    Fixture       *f = *state;
    unsigned char *memo = malloc(SCHEDULER_MEMO_BYTES);
    int64_t        size = 0;
    assert_non_null(memo);
    memset(memo, 0x5a, SCHEDULER_MEMO_BYTES);
    fixture_segment(f, 1, 0, 0, 5, "initial");
    f->decision = (Decision){.memo = memo, .memo_size = SCHEDULER_MEMO_BYTES};
    fixture_decided(f, 0, 1);
    free(memo);
    f->decision = (Decision){.memo = NULL};
    assert_ok(results__integer(f->results, "SELECT length(memo) FROM event", 0, &size, ""));
    assert_int_equal(size, SCHEDULER_MEMO_BYTES);
}

static void unlogged_are_ended_tuning_segments_and_decided_evaluations(void **state) {
    Fixture     *f = *state;
    Seen         seen = {.count = 0};
    const double objective = 6.0;
    for (int64_t id = 1; id <= 5; id++) {
        fixture_segment(f, id, 0, 0, 5, "initial");
        fixture_decided(f, id - 1, id);
    }
    fixture_finish(f, 4, 4.0); /* out of order of id */
    fixture_finish(f, 1, 1.0);
    fixture_finished(f, 1, OUTCOME_DONE);
    assert_ok(results_attempt_start(f->results, 2, 1, 0, ""));
    assert_ok(results_attempt_fail(f->results, 2, 1, OUTCOME_CRASHED, "", false));
    assert_ok(results_attempt_start(f->results, 3, 1, 0, ""));
    /* a confirmation never enters the log */
    const ResultsTrial confirm = {.id = 9, .kind = TRIAL_CONFIRM_DEFAULT};
    assert_ok(results_trial_insert(f->results, &confirm));
    ResultsSegment segment = {.id = 6, .trial = 9, .decision = -1, .end = 5, .point = f->point};
    assert_ok(results_segment_insert(f->results, &segment));
    fixture_finish(f, 6, 9.0);
    const ResultsEvaluation decided = {.id = 1, .segment = 1, .decision = 7, .episodes = 2};
    const ResultsEvaluation asked = {.id = 2, .segment = 1, .decision = -1, .episodes = 2};
    assert_ok(results_evaluation_insert(f->results, &decided));
    assert_ok(results_evaluation_insert(f->results, &asked));
    for (int64_t id = 1; id <= 2; id++) {
        assert_ok(results_evaluation_start(f->results, id, 1, 0, ""));
        assert_ok(
            results_evaluation_finish(f->results, id, 1, OUTCOME_DONE, "", &objective, false));
    }
    assert_ok(results_unlogged_visit(f->results, see, &seen));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.events[0].id, 2);
    assert_int_equal(seen.events[0].outcome, OUTCOME_CRASHED);
    assert_true(isnan(seen.numbers[0][0]));
    assert_int_equal(seen.events[1].id, 4);
    assert_close(seen.numbers[1][0], 4.0, 0.0, 0.0);
    assert_int_equal(seen.events[2].kind, EVENT_EVALUATED);
    assert_close(seen.numbers[2][0], 6.0, 0.0, 0.0);
}

#define WITH_TRIALS(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_TRIALS(every_kind_of_event_comes_back_complete_and_in_order),
        WITH_TRIALS(the_order_is_the_order_of_the_log_not_of_the_ids),
        WITH_TRIALS(results_of_earlier_studies_begin_the_log),
        WITH_TRIALS(what_is_appended_during_a_replay_is_not_replayed),
        WITH_TRIALS(a_replay_stops_at_the_first_failure),
        WITH_TRIALS(impossible_events_are_refused),
        WITH_TRIALS(a_memo_of_the_largest_size_survives),
        WITH_TRIALS(unlogged_are_ended_tuning_segments_and_decided_evaluations),
    };
    return cmocka_run_group_tests_name("results/log", tests, NULL, NULL);
}
