/** @file gaussian_process.h  Gaussian-process regression for Bayesian optimization.
 *
 * Matern-5/2 with a lengthscale per dimension on the unit cube (core/optimize/matern.h), a learned
 * variance and a learned noise, fitted by maximum a posteriori. Categorical dimensions enter by
 * overlap with a weight of their own. A conditional dimension that is inactive lies in the middle
 * of its range, one range away in a direction of its own; an inactive categorical is one more
 * choice.
 *
 * Life: gaussian_process_add() stores observations and computes nothing. gaussian_process_fit()
 * finds hyperparameters, on a schedule (gaussian_process_fit_due()). gaussian_process_update()
 * makes the posterior: a full factor of the rows that the last fit saw, then one appended row each,
 * O(n^2). So the posterior's bits are a function of the observations in order, of the
 * hyperparameters and of how many rows they were fitted on, and whoever stores these two restores
 * it (gaussian_process_restore()). gaussian_process_assume() conditions on a point whose result is
 * pending; the next add, fit or update forgets it.
 *
 * The factor is kept as its inverse, W = L^-1, which grows by rows as L does: predictions are then
 * two products and no triangular solves.
 *
 * Beyond `capacity` rows, a quarter is dropped at once: what stays is the best half, the newest
 * quarter, and of the rest an even spread.
 *
 * Targets are minimized by those who search on it; here they are just numbers, and all results are
 * in their unit. One thread at a time. Not collective.
 *
 * Sources: Rasmussen & Williams (2006), Algorithm 2.1 and eq. 5.9; Hvarfner et al. (2024), Vanilla
 * Bayesian optimization performs great in high dimensions (dimension-scaled prior); Ginsbourger et
 * al. (2010) (kriging believer).
 */
#ifndef CORE_OPTIMIZE_GAUSSIAN_PROCESS_H
#define CORE_OPTIMIZE_GAUSSIAN_PROCESS_H

#include "core/optimize/dimension.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct GaussianProcess GaussianProcess;

typedef struct GaussianProcessSetup {
    const OptimizeDimension *dimensions; /* (d) copied; levels are not used */
    size_t                   d;
    size_t                   capacity; /* observations kept, at least 8 */
    size_t                   pending;  /* points that may be assumed at once */
    /* Targets above the median are taken as median + s log(1 + (y - median) / s), s = median -
     * lowest: walls and failures at the bad end then do not flatten what lies at the good one.
     * Predictions are in the unit of these. Only where small targets are what is looked for. */
    bool compress_upper;
} GaussianProcessSetup;

/** Where predictions go; NULL: not wanted. m query points. */
typedef struct GaussianProcessPrediction {
    double *mean;              /* (m) */
    double *variance;          /* (m) of the function, without noise; above 0 */
    double *mean_gradient;     /* (m, d) by coordinate; 0 for categorical and inactive dimensions */
    double *variance_gradient; /* (m, d) */
} GaussianProcessPrediction;

/**
 * Memory: 16 c^2 bytes for c rows (observations and pending points), growing by half as they come;
 * at most 16 (capacity + pending)^2.
 * @return STATUS_OK; STATUS_ERR_ARG without dimensions, a capacity below 8, a categorical without
 *         choices; STATUS_ERR_NOMEM; *out is NULL on failure
 */
Status gaussian_process_create(const GaussianProcessSetup *setup, GaussianProcess **out) MUST_USE;
void   gaussian_process_destroy(GaussianProcess *gp);

/** Makes room for so many observations (capacity at most), so that adding them cannot fail for want
 * of memory. @return STATUS_OK; STATUS_ERR_NOMEM (nothing is changed) */
Status gaussian_process_reserve(GaussianProcess *gp, size_t observations) MUST_USE;
/**
 * Adds an observation. Cost: O(d); at capacity a selection; where room is made, a copy of all.
 * @param x  (d) coordinates, NaN where inactive; not one of the process' own
 * @return STATUS_OK; STATUS_ERR_RANGE for a coordinate outside [0, 1], or NaN in a dimension that
 * is not conditional, or a target that is not finite; STATUS_ERR_NOMEM beyond what was reserved
 * (nothing is added)
 */
Status gaussian_process_add(GaussianProcess *gp, const double *x, double y) MUST_USE;
/** Forgets observations, hyperparameters and pending points, keeps the memory. */
void gaussian_process_clear(GaussianProcess *gp);
/** Observations held. */
size_t gaussian_process_count(const GaussianProcess *gp);
/** Pending points held; they follow the observations in gaussian_process_point(). */
size_t gaussian_process_pending(const GaussianProcess *gp);
/** Observation i: (d) coordinates as added, until the next add or assume, and its target. */
const double *gaussian_process_point(const GaussianProcess *gp, size_t i);
double        gaussian_process_target(const GaussianProcess *gp, size_t i);

/** True where the hyperparameters deserve a fit: at every observation up to 32, then as n grows by
 * 1/16, and after rows were dropped. */
bool gaussian_process_fit_due(const GaussianProcess *gp);
/**
 * Maximum a posteriori by L-BFGS from the last hyperparameters, and up to 64 observations also from
 * the prior's mode. Does nothing without observations. To be followed by an update.
 * @return STATUS_OK; STATUS_ERR_NOMEM from NLopt
 * Cost: about n^3 + 4 n^2 (d + 10) FLOP per step, 10 to 40 steps.
 */
Status gaussian_process_fit(GaussianProcess *gp) MUST_USE;
/** Number of hyperparameters: d + 2. */
size_t gaussian_process_parameter_count(const GaussianProcess *gp);
/** Logarithms of lengthscales (d), variance, noise variance, in standard deviations of targets. */
const double *gaussian_process_parameters(const GaussianProcess *gp);
/** Rows that they were fitted on; 0: never, or rows were dropped since. */
size_t gaussian_process_fitted(const GaussianProcess *gp);
/** Sets both. @return STATUS_OK; STATUS_ERR_RANGE for parameters outside their bounds or more rows
 * than there are (nothing is changed) */
Status gaussian_process_restore(GaussianProcess *gp, const double *parameters,
                                size_t fitted) MUST_USE;

/** Makes the posterior of all observations; forgets pending points. @return STATUS_OK;
 * STATUS_ERR_NUMERIC if the covariance cannot be factored */
Status gaussian_process_update(GaussianProcess *gp) MUST_USE;
/** Conditions on x as if it had been observed at its posterior mean (which leaves the mean as it
 * is). @return STATUS_OK; STATUS_ERR_RANGE and STATUS_ERR_NOMEM as in add; STATUS_ERR_STATE beyond
 * `pending` points or where an update is due */
Status gaussian_process_assume(GaussianProcess *gp, const double *x) MUST_USE;
/** Whether the fit finds noise to speak of (3 % of the targets' variance): low targets may then be
 * luck. */
bool gaussian_process_is_noisy(const GaussianProcess *gp);
/** Lowest posterior mean at an observed point; infinity without observations. */
double gaussian_process_incumbent(const GaussianProcess *gp);
/**
 * Predicts at x (m, d), coordinates in [0, 1] or NaN, unchecked; an update must not be due.
 * Cost: m n (n + 3 d + 40) FLOP, with gradients m n (2 n + 9 d + 40).
 */
void gaussian_process_predict(GaussianProcess *gp, const double *x, size_t m,
                              GaussianProcessPrediction out);

#endif
