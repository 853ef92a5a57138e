/** @file learning_curves.h  Learning curves by formula, for schedulers that stop early.
 *
 * A configuration has four coordinates in [0, 1]: `speed`, and three that have a best value. Its
 * loss after t units is
 *
 *     a + (1 - a) exp(-t / tau),   a = 0.1 + 0.4 sum_i (u_i - c_i)^2 + s(speed)
 *
 * - parallel: tau = 12, s = 0.4 (speed - 0.6)^2: at every depth the order is that of the end.
 * - cross early: tau from 0.5 to 8, s = 0.5 (1 - speed): what learns fast ends badly. Curves cross
 *   until about 5 units.
 * - cross late: tau from 2 to 32, the same s: they cross until about 20 units.
 */
#ifndef TESTS_SCHEDULERS_LEARNING_CURVES_H
#define TESTS_SCHEDULERS_LEARNING_CURVES_H

#include "tests/schedulers/fake_study.h"

typedef enum LearningCurves {
    CURVES_PARALLEL,
    CURVES_CROSS_EARLY,
    CURVES_CROSS_LATE,
    CURVES_COUNT,
} LearningCurves;

enum { CURVES_DIMENSIONS = 4, CURVES_UNITS = 64 };

extern const char *const learning_curves_names[];

/** The space; destroyed by the caller. */
Space *learning_curves_space(void);
/** Loss without noise after `depth` units. */
double learning_curves_loss(LearningCurves which, const double *point, double depth);
/** The least loss after CURVES_UNITS units that there is. */
double learning_curves_best(LearningCurves which);

/** How a study on curves goes. */
typedef struct CurveStudy {
    LearningCurves which;
    double         full_runs; /* units that it may spend, in units of CURVES_UNITS */
    double         noise;     /* standard deviation of every result */
    size_t         slots;
    uint64_t       seed; /* of scheduler, noise and times */
} CurveStudy;

typedef struct CurveResult {
    double regret;         /* of the configuration that looked best at the deepest depth reached */
    size_t configurations; /* begun */
    size_t full;           /* of them trained to CURVES_UNITS */
} CurveResult;

/** Runs one; segments of one unit. `options` as for scheduler_create(). */
CurveResult learning_curves_run(const SchedulerOps *ops, const double *options,
                                const CurveStudy *study);

#endif
