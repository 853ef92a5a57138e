/** @file acquisition_search.h  Where to evaluate next: the maximum of log expected improvement,
 * times the probability that constraints hold, by the predicted cost, over a mixed space.
 *
 * Starts are the best of many candidates (a shifted low-discrepancy sequence over the cube, and
 * perturbations of the best observations); from each, L-BFGS over the continuous dimensions
 * (core/optimize/batch_lbfgs.h) alternates with a line search over the discrete ones. Discrete
 * numeric dimensions with many levels move with the continuous ones and are rounded first. A point
 * that was observed or is pending is returned only where everything found is one. Coordinates can
 * be fixed or held in a box, and the confidence bound can take the place of expected improvement.
 *
 * Sources: Ament et al. (2023); Srinivas et al. (2010) for the confidence bound; Snoek et al.
 * (2012), section 3.2 (per cost); BoTorch's optimize_acqf_mixed_alternating for the alternation.
 */
#ifndef CORE_OPTIMIZE_ACQUISITION_SEARCH_H
#define CORE_OPTIMIZE_ACQUISITION_SEARCH_H

#include "core/arena.h"
#include "core/optimize/gaussian_process.h"
#include "core/optimize/hypervolume_improvement.h"
#include "core/rng.h"

#include <stdbool.h>
#include <stddef.h>

/** A metric that has to stay at or below a bound; its process has an up-to-date posterior. */
typedef struct AcquisitionConstraint {
    GaussianProcess *gp;
    double           upper;
} AcquisitionConstraint;

typedef struct AcquisitionSearch {
    GaussianProcess        *gp; /* of what is minimized; posterior up to date, pending assumed */
    GaussianProcess        *second; /* of a second objective, likewise; NULL: there is one */
    const HypervolumeFront *front;  /* with a second one: what is to be improved on; m = 0: only
                                       the constraints count */
    const double *origins;          /* (origin_count, d) points that candidates are drawn around;
                                       none: the lowest targets of gp */
    size_t                       origin_count;
    const OptimizeDimension     *dimensions; /* (d) those that gp was made with */
    size_t                       d;
    const AcquisitionConstraint *constraints; /* (constraint_count) */
    size_t                       constraint_count;
    /* predicts the logarithm of what an evaluation costs, posterior up to date: the improvement per
     * cost is maximized. NULL: all cost the same */
    GaussianProcess *log_cost;
    /* Makes a point consistent: NaN where it is inactive, a coordinate where it is not. False: the
     * point is forbidden. NULL: nothing to do. */
    bool (*settle)(void *context, double *x);
    void *context;
    /* A box to stay in, (d) each; NULL: the cube. Where both are equal the coordinate is fixed,
     * such as a time; a discrete dimension keeps to its levels inside, a categorical one is fixed
     * or free. */
    const double *lower;
    const double *upper;
    /* 0: log expected improvement. Above: minus (mean - confidence x standard deviation), in the
     * unit of targets, and no incumbent: for processes in which the fixed coordinates shift every
     * value, so that the best observation elsewhere says little. */
    double confidence;
    size_t candidates; /* 0: as many as the budget in the .c file says */
    /* While the last d observations brought nothing better, every other search keeps to the
     * neighbourhood of the best one in three coordinates (acquisition_local.c). Of one objective
     * without noise, constraints, box and confidence; otherwise it says nothing. */
    bool local;
} AcquisitionSearch;

/** Bytes that acquisition_search_run() takes from its arena. */
size_t acquisition_search_scratch(const AcquisitionSearch *search);
/**
 * @param x      out  (d) the point; discrete dimensions at a level, NaN where inactive
 * @param value  out  log acquisition there; NULL: not wanted
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_STATE if every candidate is forbidden (x
 *         unchanged)
 * Cost: see the budget in the .c file.
 */
Status acquisition_search_run(const AcquisitionSearch *search, Rng *rng, double *x, double *value,
                              Arena *scratch) MUST_USE;

#endif
