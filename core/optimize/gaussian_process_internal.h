/** @file gaussian_process_internal.h  The Gaussian process' state, for its own files and tests.
 *
 * gaussian_process.c          life, observations, the factor
 * gaussian_process_room.c     memory
 * gaussian_process_fit.c      hyperparameters
 * gaussian_process_predict.c  predictions
 */
#ifndef CORE_OPTIMIZE_GAUSSIAN_PROCESS_INTERNAL_H
#define CORE_OPTIMIZE_GAUSSIAN_PROCESS_INTERNAL_H

#include "core/optimize/gaussian_process.h"
#include "core/optimize/matern.h"

/* query points predicted together */
enum { GAUSSIAN_PROCESS_BLOCK = 64 };

/** d dimensions, f features (a dimension, or the activity of a conditional numeric one), room for c
 * rows, pending ones included. */
struct GaussianProcess {
    OptimizeDimension *dimensions; /* (d) */
    size_t            *owner;      /* (f) dimension of a feature; the first d are the dimensions */
    bool              *overlap;    /* (f) categorical */
    size_t             d;
    size_t             features;
    size_t             capacity; /* observations */
    size_t             most;     /* what c can grow to */
    size_t             room;     /* c now */

    bool compress_upper;

    size_t  rows;     /* observations */
    size_t  fitted;   /* of them seen by the last fit */
    size_t  factored; /* rows in `whiten` that agree with the parameters, without pending ones */
    size_t  pending;
    bool    current; /* the posterior is that of all observations */
    double *points;  /* (c, d) as added */
    double *columns; /* (f, c) features */
    double *targets; /* (c) as added */

    double *parameters; /* (d + 2); owns what does not grow */
    double *weight;     /* (f) 1 / lengthscale^2 */
    double  variance;
    double  noise;

    double  target_mean;
    double  target_sd;
    double *standard; /* (c) standardized targets */
    double *whiten;   /* (c, c) rows of c; W = L^-1, zeros above the diagonal */
    double *white;    /* (c) W standard */
    double *alpha;    /* (c) W^T white */

    double *slopes;   /* (c, c) scratch of fits */
    double *gradient; /* (d + 2) scratch of fits */
    double *best;     /* (d + 2) scratch of fits */
    double *row;      /* (c) scratch */
    double *query;    /* (BLOCK, f) scratch of predictions */
    double *k;        /* (BLOCK, c) */
    double *slope;    /* (BLOCK, c) */
    double *v;        /* (BLOCK, c) */
    double *memory;   /* owns all that has c numbers or more */
};

/** Room for `rows` rows, pending ones included; rows and posterior stay, pointers to them do not.
 * @return STATUS_OK; STATUS_ERR_NOMEM (nothing is changed) */
Status gaussian_process__reserve(GaussianProcess *gp, size_t rows) MUST_USE;
/** Weights, variance and noise from logarithms (d + 2). */
void gaussian_process__set(GaussianProcess *gp, const double *parameters);
/** The prior's mode. */
void gaussian_process__prior_mode(const GaussianProcess *gp, double *parameters);
bool gaussian_process__in_bounds(const GaussianProcess *gp, const double *parameters);
/** Features (f) of a point. */
void gaussian_process__embed(const GaussianProcess *gp, const double *x, double *features);
/** Features (f) of row i. */
void         gaussian_process__features(const GaussianProcess *gp, size_t i, double *features);
MaternKernel gaussian_process__kernel(const GaussianProcess *gp);
void         gaussian_process__standardize(GaussianProcess *gp);
/** Lower triangle of the first n rows' covariance with noise into `whiten`; slopes where wanted. */
void gaussian_process__covariance(GaussianProcess *gp, size_t n, bool with_slopes);
/**
 * Negative log posterior density of parameters given standardized targets, up to a constant, and
 * its gradient (d + 2). Uses `whiten` as scratch.
 * @return STATUS_OK; STATUS_ERR_NUMERIC
 */
Status gaussian_process__objective(GaussianProcess *gp, const double *parameters, double *value,
                                   double *gradient) MUST_USE;

#endif
