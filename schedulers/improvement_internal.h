/** @file improvement_internal.h  Shared by the files of the improvement model only.
 *
 * improvement_rows.c   what is observed, and its targets
 * improvement_model.c  hyperparameters, choice of values
 */
#ifndef SCHEDULERS_IMPROVEMENT_INTERNAL_H
#define SCHEDULERS_IMPROVEMENT_INTERNAL_H

#include "schedulers/encoding.h"
#include "schedulers/improvement_model.h"

#include "core/optimize/acquisition_search.h"

/* coordinates before those of the space */
enum { IMPROVEMENT_TIME, IMPROVEMENT_FITNESS, IMPROVEMENT_CONTEXT };

enum { IMPROVEMENT_PENDING = 64 }; /* segments in training that are assumed, at most */

/** v hyperparameters of the space, d = v + IMPROVEMENT_CONTEXT. */
struct ImprovementModel {
    const SchedulerSetup *study;
    size_t                window;
    bool                  scores;
    size_t                v;
    size_t                d;
    Encoding              encoding;
    OptimizeDimension    *dimensions; /* (d) those of the encoding behind those of the context */

    /* what memos brought */
    int64_t fitted;     /* newest segment that the hyperparameters have seen; 0 = none */
    double *parameters; /* (d + 2) */

    /* scratch of a decision */
    GaussianProcess *gp;
    Arena            arena;
    size_t           rows;
    size_t           pending;
    bool             noisy;   /* noise is larger than what a mean segment brings */
    double           unknown; /* sum of the variances that noise leaves of y */
    int64_t          newest;  /* segment among the rows */
    double          *x;       /* (window + PENDING, d) rows, then pending ones */
    double          *y;       /* (window) improvement per unit; NaN = as bad as any */
    double          *target;  /* (window) what the process minimizes */
    double          *sorted;  /* (window) */
    bool            *broken;  /* (window) a constraint is broken */
    double          *query;   /* (window, d) */
    double          *mean;    /* (window) */
    double          *lower;   /* (d) */
    double          *upper;   /* (d) */
    double          *middle;  /* (d) of the trust region */
    double          *unit;    /* (v) */
    double          *point;   /* (v) */
};

/** Fills rows, pending ones and targets with what is known; `context` (2) becomes the time and the
 * fitness of a segment that continues `parent` (NULL: a fresh agent). */
void improvement__gather(ImprovementModel *model, const Population *population,
                         const SegmentNode *parent, double *context);

#endif
