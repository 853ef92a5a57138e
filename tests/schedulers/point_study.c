#include "tests/schedulers/point_study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SLOTS = 64 };

static void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", status_last()->text);
        abort();
    }
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

static void begin(const PointStudy *study, Scheduler *scheduler, PointResult *result) {
    const size_t n = space_count(study->setup.space);
    Decision     decision;
    check(scheduler_decide(scheduler, &decision));
    if (decision.kind != DECISION_RUN || n > POINT_STUDY_VALUES) {
        (void)fprintf(stderr, "expected a run of at most %d values\n", POINT_STUDY_VALUES);
        abort();
    }
    memcpy(result->point, decision.point, n * sizeof *result->point);
    check(scheduler_observe(scheduler, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
    study->function(result);
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

void point_study_run(const PointStudy *study, PointResult *results) {
    const size_t count = (size_t)study->setup.trials;
    const size_t slots = (study->slots < MOST_SLOTS) ? study->slots : MOST_SLOTS;
    size_t       open[MOST_SLOTS] = {0};
    size_t       open_count = 0;
    size_t       begun = 0;
    Scheduler   *scheduler = NULL;
    Rng          rng = rng_stream(study->setup.seed, 0, RNG_SIMULATE);
    check(scheduler_create(study->ops, &study->setup, study->options, &scheduler));
    while (begun < count || open_count > 0) {
        while (begun < count && open_count < slots) {
            results[begun] = (PointResult){.failed = false};
            begin(study, scheduler, &results[begun]);
            open[open_count++] = begun++;
        }
        const size_t which = (size_t)rng_below(&rng, open_count);
        finish(scheduler, open[which], &results[open[which]]);
        open[which] = open[--open_count];
    }
    scheduler_destroy(scheduler);
}
