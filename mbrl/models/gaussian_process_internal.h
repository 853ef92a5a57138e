/** @file gaussian_process_internal.h  The Gaussian-process model's state, shared by its files only.
 *
 * gaussian_process.c          options, making, state; the table
 * gaussian_process_fit.c      hyperparameters by marginal likelihood
 * gaussian_process_predict.c  posterior mean and deviation of blocks of rows
 */
#ifndef MBRL_MODELS_GAUSSIAN_PROCESS_INTERNAL_H
#define MBRL_MODELS_GAUSSIAN_PROCESS_INTERNAL_H

#include "mbrl/models/dynamics_model.h"

enum { GP_POINTS, GP_ITERATIONS, GP_OPTION_COUNT };

/**
 * i = inputs, o = outputs, m = points in use, c = most points. Inputs and targets are standardized.
 * Hyperparameters of an output are log lengthscales (i), log signal and log noise deviation.
 */
typedef struct GaussianProcess {
    double  values[GP_OPTION_COUNT];
    size_t  i;
    size_t  o;
    size_t  most; /* c */
    size_t  m;
    float  *scaler_mean;    /* (i) */
    float  *scaler_inverse; /* (i) */
    double *memory;         /* owns the doubles below */
    double *target_scale;   /* (o) */
    double *target_mean;    /* (o) */
    double *target_sd;      /* (o) */
    double *theta;          /* (o, i + 2) */
    double *x;              /* (c, i) */
    double *y;              /* (o, c) */
    double *alpha;          /* (o, c) K^-1 y */
    double *whiten;         /* (o, c, c) L^-1, rows of c; lower triangle */
    double *scaled;         /* (o, c, i) x over the output's lengthscales */
    /* scratch of fit() */
    double *covariance; /* (c, c) */
    double *inverse;    /* (c, c) */
    double *weights;    /* (c, c) K^-1 - alpha alpha^T */
    double *gradient;   /* (i + 2) */
    double *step;       /* (i + 2) */
    double *before;     /* (i + 2) gradient of the last step */
    double *best;       /* (i + 2) */
    Arena   scratch;    /* of score() */
} GaussianProcess;

/** model_gaussian_process_ops.fit */
Status gp__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step, FitReport *report);
/** Posterior of output d for its theta, x and y: alpha, whiten, scaled; *nll its negative log
 * marginal likelihood. @return STATUS_OK; STATUS_ERR_NUMERIC */
Status gp__condition(GaussianProcess *gp, size_t d, double *nll) MUST_USE;
/** gp->gradient = derivative of that by theta, right after gp__condition(). */
Status gp__differentiate(GaussianProcess *gp, size_t d) MUST_USE;
/** FLOP of one step of the marginal likelihood. */
double gp__step_flop(size_t points, size_t inputs);

/** model_gaussian_process_ops.predict and its facts */
Status gp__predict(const void *self, size_t member, const float *x, size_t stride, size_t n,
                   float *mean, float *sd, Arena *scratch);
size_t gp__predict_scratch(size_t inputs, size_t outputs, size_t points);
double gp__predict_flop(size_t inputs, size_t outputs, size_t points);

#endif
