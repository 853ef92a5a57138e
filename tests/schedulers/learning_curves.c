#include "tests/schedulers/learning_curves.h"

#include "tests/support/test_support.h"

#include <math.h>

enum { SCAN = 2001 };

const char *const learning_curves_names[] = {"parallel", "cross early", "cross late", NULL};

static const double centres[CURVES_DIMENSIONS] = {0.0, 0.3, 0.7, 0.4}; /* of the last three */

Space *learning_curves_space(void) {
    static char names[][8] = {"speed", "width", "rate", "decay"};
    Space      *space = NULL;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < CURVES_DIMENSIONS; i++) {
        const SpaceParameter parameter = {.name = names[i],
                                          .type = SPACE_FLOAT,
                                          .lower = 0.0,
                                          .upper = 1.0,
                                          .default_value = 0.5};
        assert_ok(space_add(space, &parameter));
    }
    assert_ok(space_seal(space));
    return space;
}

double learning_curves_loss(LearningCurves which, const double *point, double depth) {
    const double speed = point[0];
    const double slowest = (which == CURVES_CROSS_EARLY) ? 0.5 : 2.0;
    double       tau = slowest * pow(16.0, speed);
    double       end = 0.1 + 0.5 * (1.0 - speed);
    if (which == CURVES_PARALLEL) {
        tau = 12.0;
        end = 0.1 + 0.4 * (speed - 0.6) * (speed - 0.6);
    }
    for (size_t i = 1; i < CURVES_DIMENSIONS; i++) {
        end += 0.4 * (point[i] - centres[i]) * (point[i] - centres[i]);
    }
    return end + (1.0 - end) * exp(-depth / tau);
}

double learning_curves_best(LearningCurves which) {
    double best = (double)INFINITY;
    for (size_t i = 0; i < SCAN; i++) {
        const double point[CURVES_DIMENSIONS] = {(double)i / (SCAN - 1), centres[1], centres[2],
                                                 centres[3]};
        best = fmin(best, learning_curves_loss(which, point, CURVES_UNITS));
    }
    return best;
}

/* the objective of a segment: the curve at its end, with noise by segment */
static void show_curve(void *context, const Decision *decision, Outcome *outcome,
                       double *objectives, double *spreads) {
    const CurveStudy *study = context;
    Rng               rng = rng_stream_lane(study->seed, (uint64_t)decision->id, RNG_SIMULATE, 99);
    (void)outcome;
    (void)spreads;
    objectives[0] = learning_curves_loss(study->which, decision->point, (double)decision->end) +
                    study->noise * rng_normal(&rng);
}

static CurveResult read_log(const FakeLog *log, const CurveStudy *study) {
    CurveResult result = {.configurations = 0};
    int64_t     deepest = 0;
    double      seen = (double)INFINITY;
    double      truth = (double)INFINITY;
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_DECIDED) {
            result.configurations +=
                entry->decision.kind == DECISION_RUN && entry->decision.parent == 0;
            continue;
        }
        const FakeEvent *decided = fake_log_decided(log, entry->event.id);
        const int64_t    end = decided->decision.end;
        result.full += end == CURVES_UNITS;
        if (end > deepest || (end == deepest && entry->objectives[0] < seen)) {
            deepest = end;
            seen = entry->objectives[0];
            truth = learning_curves_loss(study->which, decided->point, CURVES_UNITS);
        }
    }
    result.regret = truth - learning_curves_best(study->which);
    return result;
}

CurveResult learning_curves_run(const SchedulerOps *ops, const double *options,
                                const CurveStudy *study) {
    CurveStudy     context = *study;
    Space         *space = learning_curves_space();
    SchedulerSetup setup = fake_setup(space);
    FakeLog        log;
    Decision       done;
    setup.seed = study->seed;
    setup.per_trial = CURVES_UNITS;
    setup.segment = 1;
    setup.total = (int64_t)(study->full_runs * CURVES_UNITS);
    setup.baseline = false;
    setup.maximize[0] = false;
    const FakeSettings settings = {
        .slots = study->slots, .seed = study->seed, .script = show_curve, .context = &context};
    fake_study_run(ops, &setup, options, &settings, &log, &done);
    const CurveResult result = read_log(&log, study);
    fake_log_free(&log);
    space_destroy(space);
    return result;
}
