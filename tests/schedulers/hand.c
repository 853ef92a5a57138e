#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>

enum { MAX_OPTIONS = 64 };

Scheduler *hand_create(const char *name, const SchedulerSetup *setup, ...) {
    const SchedulerOps *ops = NULL;
    Scheduler          *scheduler = NULL;
    double              values[MAX_OPTIONS];
    va_list             pairs;
    assert_ok(scheduler_find(name, &ops));
    option_defaults(ops->options, values);
    va_start(pairs, setup);
    for (const char *key = va_arg(pairs, const char *); key != NULL;
         key = va_arg(pairs, const char *)) {
        const size_t index = option_find(ops->options, key);
        assert_true(index < option_count(ops->options));
        values[index] = va_arg(pairs, double);
    }
    va_end(pairs);
    assert_ok(scheduler_create(ops, setup, values, &scheduler));
    return scheduler;
}

Decision hand_decide(Scheduler *scheduler) {
    Decision decision;
    assert_ok(scheduler_decide(scheduler, &decision));
    if (decision.kind != DECISION_WAIT) {
        assert_ok(
            scheduler_observe(scheduler, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
    }
    return decision;
}

Decision hand_run(Scheduler *scheduler, int64_t trial, int64_t parent, const char *reason) {
    const Decision decision = hand_decide(scheduler);
    assert_int_equal(decision.kind, DECISION_RUN);
    assert_string_equal(decision.reason, reason);
    assert_int_equal(decision.trial, trial);
    assert_int_equal(decision.parent, parent);
    return decision;
}

void hand_wait(Scheduler *scheduler) {
    assert_int_equal(hand_decide(scheduler).kind, DECISION_WAIT);
}

static void finish(Scheduler *scheduler, int64_t segment, double objective, double spread,
                   double constraint) {
    const double objectives[SCHEDULER_MAX_OBJECTIVES] = {objective};
    const double spreads[SCHEDULER_MAX_OBJECTIVES] = {spread};
    const double constraints[SCHEDULER_MAX_CONSTRAINTS] = {constraint};
    const Event  event = {.kind = EVENT_FINISHED,
                          .id = segment,
                          .outcome = OUTCOME_DONE,
                          .objectives = objectives,
                          .spreads = spreads,
                          .constraints = constraints};
    assert_ok(scheduler_observe(scheduler, &event));
}

void hand_finish(Scheduler *scheduler, int64_t segment, double objective) {
    finish(scheduler, segment, objective, (double)NAN, 0.0);
}

void hand_finish_spread(Scheduler *scheduler, int64_t segment, double objective, double spread) {
    finish(scheduler, segment, objective, spread, 0.0);
}

void hand_finish_constrained(Scheduler *scheduler, int64_t segment, double objective,
                             double constraint) {
    finish(scheduler, segment, objective, (double)NAN, constraint);
}

void hand_fail(Scheduler *scheduler, int64_t segment) {
    const Event event = {.kind = EVENT_FINISHED, .id = segment, .outcome = OUTCOME_CRASHED};
    assert_ok(scheduler_observe(scheduler, &event));
}

int64_t hand_round(Scheduler *scheduler, size_t n, const double *objectives) {
    int64_t first = 0;
    for (size_t i = 0; i < n; i++) {
        const Decision decision = hand_decide(scheduler);
        assert_int_equal(decision.kind, DECISION_RUN);
        first = (i == 0) ? decision.id : first;
    }
    hand_wait(scheduler);
    for (size_t i = 0; i < n; i++) {
        if (isnan(objectives[i])) {
            hand_fail(scheduler, first + (int64_t)i);
        } else {
            hand_finish(scheduler, first + (int64_t)i, objectives[i]);
        }
    }
    return first;
}
