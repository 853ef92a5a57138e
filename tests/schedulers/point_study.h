/** @file point_study.h  Drives samplers over functions of the values: no segments, no times. A
 * configuration is one segment; `slots` of them are open at once, and results come in an order
 * drawn from the seed. */
#ifndef TESTS_SCHEDULERS_POINT_STUDY_H
#define TESTS_SCHEDULERS_POINT_STUDY_H

#include "schedulers/scheduler.h"

#include <stdbool.h>
#include <stddef.h>

enum { POINT_STUDY_VALUES = 16 };

typedef struct PointResult {
    double point[POINT_STUDY_VALUES];
    size_t index; /* among the results */
    bool   failed;
    double objectives[2];
    double constraint;
    double cost;
} PointResult;

/* fills all but the point and the index, which are there; a result comes zeroed */
typedef void (*PointFunction)(PointResult *result);

typedef struct PointStudy {
    const SchedulerOps *ops;
    const double       *options;
    SchedulerSetup      setup; /* from point_setup() */
    PointFunction       function;
    size_t              slots;
} PointStudy;

/** A space of `n` floats in [0, 1], up to 26, default 0.5; destroyed by the caller. */
Space *point_cube(size_t n);
/** A setup of one minimized objective in which every configuration is one unit. */
SchedulerSetup point_setup(const Space *space, size_t configurations, uint64_t seed);
/** Fills results (setup.trials x setup.repeats) in the order in which they began; how many did
 * (fewer where the scheduler has no more). Aborts on errors and on points outside the space. */
size_t point_study_run(const PointStudy *study, PointResult *results);

#endif
