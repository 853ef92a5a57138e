/** @file gp_front.h  The Pareto front that two Gaussian processes believe in: of the posterior
 * means at observed points, those where the constraints hold and that no other one dominates. */
#ifndef SCHEDULERS_GP_FRONT_H
#define SCHEDULERS_GP_FRONT_H

#include "core/optimize/acquisition_search.h"

typedef struct GpFront {
    HypervolumeFront front;   /* points into the memory below; m = 0: nothing is allowed */
    double          *origins; /* (origin_count, d) points of the front, an even choice */
    size_t           origin_count;
    size_t           d;
    double          *means;  /* (3, capacity) scratch */
    double          *values; /* (2, capacity) */
    size_t          *order;  /* (capacity) */
    size_t          *rows;   /* (capacity) */
    size_t           capacity;
} GpFront;

/** @return STATUS_OK; STATUS_ERR_NOMEM (nothing to reset) */
Status gp_front_init(GpFront *front, size_t capacity, size_t d) MUST_USE;
/** Harmless on a zeroed one. */
void gp_front_reset(GpFront *front);
/**
 * Finds the front at the observations of `search->gp` (capacity at most) under its constraints; its
 * corner is a tenth of the front's range behind the front's worst values.
 */
void gp_front_find(GpFront *front, const AcquisitionSearch *search);

#endif
