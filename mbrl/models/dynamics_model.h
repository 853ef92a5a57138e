/** @file dynamics_model.h  Learned one-step dynamics: ensembles of networks behind one table. */
#ifndef MBRL_MODELS_DYNAMICS_MODEL_H
#define MBRL_MODELS_DYNAMICS_MODEL_H

#include "core/arena.h"
#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"
#include "mbrl/models/dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** i = input_dim (features and action), o = output_dim, n = rows. */
typedef struct DynamicsModelSetup {
    size_t        input_dim;
    size_t        output_dim;
    const double *target_scale; /* (o) fixed; 0 = constant dimension, left out of likelihoods */
    uint64_t      seed;
} DynamicsModelSetup;

/** What a training call did. NaN where it does not apply. */
typedef struct FitReport {
    double  loss; /* what training minimizes, mean over the last epoch */
    double  flop; /* of the plain algorithm, forward + backward + update */
    int64_t epochs;
    bool    diverged; /* NaN or infinity in loss or weights: data, not an error */
} FitReport;

/** Likelihood and error of a set of rows (DESIGN, metrics): nats per predicted dimension of
 * target / target_scale, constant included. */
typedef struct ScoreReport {
    double nll; /* equally weighted mixture of the members that plan, joint over dimensions */
    double nll_member; /* mean over members */
    double mse;        /* of the mixture mean, per dimension, scaled targets */
    double mse_member;
} ScoreReport;

typedef struct DynamicsModelOps {
    const char       *name;
    const char       *source;
    const OptionSpec *options;

    Status (*create)(const DynamicsModelSetup *setup, const double *option_values, void **self);
    void (*destroy)(void *self);
    /* new values of dynamic options (learning rate, ...); static ones must be unchanged */
    Status (*set)(void *self, const double *option_values);
    /* trains on the dataset from the current weights; refits the input scaler first; draws only
     * from lanes of (seed, step, RNG_MODEL_SHUFFLE) */
    Status (*fit)(void *self, const Dataset *data, uint64_t seed, uint64_t step, FitReport *report);
    /* scores rows[0..count) of the dataset (NULL = rows 0..count) in double */
    Status (*score)(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                    ScoreReport *report);
    size_t (*members)(const void *self);
    /* does predict() give a standard deviation? false: sd is 0 everywhere */
    bool (*stochastic)(const void *self);
    /* raw (unscaled) inputs x (n, i) with row stride `stride` floats -> mean (n, o), and standard
     * deviation (n, o) of the member's Gaussian (sd NULL to skip) in target units */
    Status (*predict)(const void *self, size_t member, const float *x, size_t stride, size_t n,
                      float *mean, float *sd, Arena *scratch);
    /* bytes of scratch that predict() needs for n rows */
    size_t (*predict_scratch)(const void *self, size_t n);
    /* FLOP of one predicted row: 2 x multiply-adds of the layers */
    double (*predict_flop)(const void *self);
    /* weights, optimizer moments, scaler, counters; load(save) continues bit for bit */
    Status (*save)(const void *self, Buffer *out);
    Status (*load)(void *self, const void *bytes, size_t length);
} DynamicsModelOps;

extern const DynamicsModelOps model_ensemble_ops; /* "probabilistic_ensemble" */

/* FLOP of predict and fit before a model exists, for `mbtune validate`. */
double model_ensemble_predict_flop(size_t input_dim, size_t output_dim,
                                   const double *option_values);
/* one fit on `rows` training rows, all members, all epochs */
double model_ensemble_fit_flop(size_t input_dim, size_t output_dim, size_t rows,
                               const double *option_values);
/* bytes of save() */
double model_ensemble_bytes(size_t input_dim, size_t output_dim, const double *option_values);

#endif
