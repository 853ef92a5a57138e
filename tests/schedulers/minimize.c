#include "tests/schedulers/minimize.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 64 };

static Scheduler *make(const Minimize *m, const char *name, va_list pairs) {
    const SchedulerOps *ops = NULL;
    double              options[MAX_OPTIONS];
    Scheduler          *scheduler = NULL;
    SchedulerSetup      setup = {
             .space = m->space,
             .seed = (uint64_t)m->seed,
             .per_trial = 1,
             .segment = 1,
             .total = m->trials,
             .trials = m->trials,
             .repeats = 1,
             .baseline = m->baseline,
             .can_branch = true,
             .objective_count = m->objectives,
    };
    assert_ok(scheduler_find(name, &ops));
    assert_true(option_count(ops->options) <= MAX_OPTIONS);
    option_defaults(ops->options, options);
    for (const char *key = va_arg(pairs, const char *); key != NULL;
         key = va_arg(pairs, const char *)) {
        const size_t at = option_find(ops->options, key);
        assert_true(at < option_count(ops->options));
        options[at] = va_arg(pairs, double);
    }
    assert_ok(scheduler_create(ops, &setup, options, &scheduler));
    return scheduler;
}

static void finish(Minimize *m, Scheduler *scheduler, int64_t id) {
    const double *losses = &m->found[(size_t)(id - 1) * m->objectives];
    const double  spreads[MINIMIZE_LOSSES] = {(double)NAN, (double)NAN};
    const Event   event = {.kind = EVENT_FINISHED,
                           .id = id,
                           .outcome = isnan(losses[0]) ? OUTCOME_DIVERGED : OUTCOME_DONE,
                           .objectives = losses,
                           .spreads = spreads};
    assert_ok(scheduler_observe(scheduler, &event));
}

void minimize_run(Minimize *m, const char *scheduler_name, ...) {
    const size_t values = space_count(m->space);
    va_list      pairs;
    va_start(pairs, scheduler_name);
    Scheduler *scheduler = make(m, scheduler_name, pairs);
    va_end(pairs);
    m->count = 0;
    m->points = calloc(MINIMIZE_MOST * values, sizeof *m->points);
    m->found = calloc(MINIMIZE_MOST * m->objectives, sizeof *m->found);
    assert_true(m->points != NULL && m->found != NULL);
    int64_t oldest = 1; /* in flight: oldest .. count */
    for (;;) {
        Decision decision;
        assert_ok(scheduler_decide(scheduler, &decision));
        if (decision.kind == DECISION_DONE) {
            break;
        }
        if (decision.kind == DECISION_RUN) {
            const Event event = {.kind = EVENT_DECIDED, .decision = &decision};
            assert_true(m->count < MINIMIZE_MOST);
            assert_ok(space_check(m->space, decision.point));
            assert_ok(scheduler_observe(scheduler, &event));
            memcpy(&m->points[m->count * values], decision.point, values * sizeof *m->points);
            m->losses(decision.point, &m->found[m->count * m->objectives]);
            m->count++;
            if (m->count - (size_t)oldest + 1 < m->slots) {
                continue;
            }
        }
        assert_true(oldest <= (int64_t)m->count); /* it does not wait for nothing */
        finish(m, scheduler, oldest++);
    }
    scheduler_destroy(scheduler);
}

void minimize_free(Minimize *m) {
    free(m->points);
    free(m->found);
    m->points = NULL;
    m->found = NULL;
}

double minimize_best(const Minimize *m) {
    double best = (double)INFINITY;
    for (size_t i = 0; i < m->count; i++) {
        best = fmin(best, m->found[i * m->objectives]);
    }
    return best;
}

Space *minimize_cube(size_t n) {
    Space *space = NULL;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < n; i++) {
        char                 name[] = {'x', (char)('a' + (char)i), 0};
        const SpaceParameter one = {
            .name = name, .upper = 1, .type = SPACE_FLOAT, .default_value = 0.5};
        assert_ok(space_add(space, &one));
    }
    assert_ok(space_seal(space));
    return space;
}
