#include "tests/schedulers/point_study.h"
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SLOTS = 64 };

Space *point_cube(size_t n) {
    Space *space = NULL;
    check(space_create(&space));
    for (size_t i = 0; i < n; i++) {
        char                 name[] = {'x', (char)('a' + (char)i), 0};
        const SpaceParameter one = {
            .name = name, .upper = 1, .type = SPACE_FLOAT, .default_value = 0.5};
        check(space_add(space, &one));
    }
    check(space_seal(space));
    return space;
}

SchedulerSetup point_setup(const Space *space, size_t configurations, uint64_t seed) {
    SchedulerSetup setup = {.space = space,
                            .seed = seed,
                            .per_trial = 1,
                            .segment = 1,
                            .total = (int64_t)configurations,
                            .trials = (int64_t)configurations,
                            .repeats = 1,
                            .can_branch = true,
                            .objective_count = 1};
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        setup.constraint_lower[i] = -(double)INFINITY;
        setup.constraint_upper[i] = (double)INFINITY;
    }
    return setup;
}

/* the next configuration; what was decided instead where there is none now */
static DecisionKind begin(const PointStudy *study, Scheduler *scheduler, size_t index,
                          PointResult *result) {
    const size_t n = space_count(study->setup.space);
    Decision     decision;
    check(scheduler_decide(scheduler, &decision));
    if (decision.kind != DECISION_RUN) {
        return decision.kind;
    }
    if (n > POINT_STUDY_VALUES) {
        (void)fprintf(stderr, "expected a run of at most %d values\n", POINT_STUDY_VALUES);
        abort();
    }
    check(space_check(study->setup.space, decision.point));
    *result = (PointResult){.index = index};
    memcpy(result->point, decision.point, n * sizeof *result->point);
    check(scheduler_observe(scheduler, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
    study->function(result);
    return DECISION_RUN;
}

static void finish(Scheduler *scheduler, size_t index, const PointResult *result) {
    check(scheduler_observe(scheduler,
                            &(Event){.kind = EVENT_FINISHED,
                                     .id = (int64_t)index + 1,
                                     .outcome = result->failed ? OUTCOME_DIVERGED : OUTCOME_DONE,
                                     .objectives = result->objectives,
                                     .spreads = (const double[]){(double)NAN, (double)NAN},
                                     .constraints = &result->constraint,
                                     .cost = result->cost}));
}

size_t point_study_run(const PointStudy *study, PointResult *results) {
    const size_t count = (size_t)(study->setup.trials * study->setup.repeats);
    const size_t slots = (study->slots < MOST_SLOTS) ? study->slots : MOST_SLOTS;
    size_t       open[MOST_SLOTS] = {0};
    size_t       open_count = 0;
    size_t       begun = 0;
    Scheduler   *scheduler = NULL;
    Rng          rng = rng_stream(study->setup.seed, 0, RNG_SIMULATE);
    check(scheduler_create(study->ops, &study->setup, study->options, &scheduler));
    for (;;) {
        DecisionKind kind = DECISION_RUN;
        while (kind == DECISION_RUN && begun < count && open_count < slots) {
            kind = begin(study, scheduler, begun, &results[begun]);
            if (kind == DECISION_RUN) {
                open[open_count++] = begun++;
            }
        }
        if (open_count == 0) {
            break; /* done: one that waits for nothing is an error of the scheduler's contract */
        }
        const size_t which = (size_t)rng_below(&rng, open_count);
        finish(scheduler, open[which], &results[open[which]]);
        open[which] = open[--open_count];
    }
    scheduler_destroy(scheduler);
    return begun;
}
