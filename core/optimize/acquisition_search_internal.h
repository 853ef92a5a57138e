/** @file acquisition_search_internal.h  Shared by the files of the acquisition search only.
 *
 * acquisition_search.c  the way from candidates to a point
 * acquisition_value.c   values, gradients
 * acquisition_start.c   candidates, starts
 * acquisition_local.c   the neighbourhood of the best observation
 */
#ifndef CORE_OPTIMIZE_ACQUISITION_SEARCH_INTERNAL_H
#define CORE_OPTIMIZE_ACQUISITION_SEARCH_INTERNAL_H

#include "core/optimize/acquisition_search.h"

/* points evaluated together */
enum { ACQUISITION_BLOCK = 64 };

typedef struct AcquisitionValues {
    const AcquisitionSearch *search;
    double incumbent; /* infinity: nothing feasible yet, feasibility alone counts */
    GaussianProcessPrediction prediction[2]; /* scratch: (BLOCK), gradients (BLOCK, d) */
} AcquisitionValues;

size_t acquisition_values__scratch(size_t d);
Status acquisition_values__init(AcquisitionValues *values, const AcquisitionSearch *search,
                                Arena *arena) MUST_USE;
/** value (m) = minus the log acquisition at x (m, d); its gradient (m, d), or NULL. A
 * BatchObjective with an AcquisitionValues as context. */
void acquisition_values__evaluate(void *context, const double *x, size_t m, double *value,
                                  double *gradient);

/** Whether this search is to stay near the best observation, and in which box (d). Draws only
 * where the last d observations brought nothing better and more than three coordinates can move. */
bool acquisition_local__box(const AcquisitionSearch *search, Rng *rng, double *lower,
                            double *upper);

/** Number of candidates: the search's own, or what its process' rows allow. */
size_t acquisition_start__count(const AcquisitionSearch *search);
/** Bounds of coordinate j. */
double acquisition_start__lower(const AcquisitionSearch *search, size_t j);
double acquisition_start__upper(const AcquisitionSearch *search, size_t j);
/** Fills x (count, d) with settled candidates at levels: the first half over the box, the second
 * half around the best observations. A forbidden one has valid[i] false. */
void acquisition_start__draw(const AcquisitionSearch *search, Rng *rng, size_t count, double *x,
                             bool *valid);
/** Puts discrete coordinates to their level and settles. False: forbidden. */
bool acquisition_start__settle(const AcquisitionSearch *search, double *x);

#endif
