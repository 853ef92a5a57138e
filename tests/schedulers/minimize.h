/** @file minimize.h  A search for the minimum of a function of the point, one segment per
 * configuration, through the scheduler interface. */
#ifndef TESTS_SCHEDULERS_MINIMIZE_H
#define TESTS_SCHEDULERS_MINIMIZE_H

#include "tests/schedulers/fake_study.h"

enum { MINIMIZE_MOST = 20000, MINIMIZE_LOSSES = 2 };

typedef struct Minimize {
    const Space *space;
    /* writes the losses (objectives) of a point; NaN = failed */
    void (*losses)(const double *point, double *losses);
    size_t  objectives; /* 1 or 2 */
    size_t  slots;      /* segments in flight; results come back oldest first */
    int64_t trials;
    int64_t seed;
    bool    baseline;
    /* out: results in order of id */
    size_t  count;
    double *points; /* (count, space_count) freed by minimize_free() */
    double *found;  /* (count, objectives) */
} Minimize;

/** Runs to the end. Options: pairs (name, double) up to NULL. */
void minimize_run(Minimize *minimize, const char *scheduler, ...);
void minimize_free(Minimize *minimize);
/** The lowest first loss; infinity if there is none. */
double minimize_best(const Minimize *minimize);
/** A space of `n` floats in [0, 1], default 0.5; destroyed by the caller. */
Space *minimize_cube(size_t n);

#endif
