/** @file dynamics_model.h  Learned one-step dynamics: networks, linear, Gaussian process, behind
 * one table. A new model is a `.c` file, a line each in builtin.h, registry.c and CMakeLists.txt.
 */
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
    const double *target_scale; /* (o) fixed; 0 = left out of likelihoods (constant dimension,
                                   learned reward) */
    uint64_t seed;
} DynamicsModelSetup;

/** What a training call did. NaN where it does not apply. */
typedef struct FitReport {
    double loss; /* what training minimizes, mean over the last epoch */
    double flop; /* of the plain algorithm: forward + backward + update, and what is predicted to
                    decide when to stop or who plans */
    int64_t epochs;
    bool    diverged; /* NaN or infinity in loss or weights: data, not an error */
} FitReport;

/** Where the variance of a likelihood comes from: predicted per row, or that of a deterministic
 * model's residuals on held-out rows. The two are not to be pooled. */
typedef enum LikelihoodKind { LIKELIHOOD_PREDICTED, LIKELIHOOD_RESIDUAL } LikelihoodKind;

/** Likelihood and error of a set of rows (DESIGN, metrics): nats per predicted dimension of
 * target / target_scale, constant included. */
typedef struct ScoreReport {
    double nll; /* equally weighted mixture of the members that plan, joint over dimensions */
    double nll_member; /* mean over members */
    double mse;        /* of the mixture mean, per dimension, scaled targets */
    double mse_member;
    LikelihoodKind likelihood;
} ScoreReport;

/** How a model whose structure changed learns from the data at hand. */
typedef struct RebuildTask {
    const Dataset *data;
    uint64_t       seed; /* as for fit() */
    uint64_t       step;
    int64_t        epochs; /* at most */
    double         nll;    /* ends after the epoch in which score().nll of dataset_judging_rows()
                              is at most this; NaN = never */
} RebuildTask;

/** Costs before a model exists, for `mbtune validate`. */
typedef struct ModelCost {
    double predict_flop; /* of one row */
    double fit_flop;     /* of one training call, all epochs */
    double rebuild_flop; /* of one epoch of rebuild(), judging and comparing included; 0 without */
    double bytes;        /* of save() */
    size_t members;      /* bootstrap columns of the dataset */
    size_t planning;     /* members that plan */
    bool   stochastic;   /* as the slot of that name */
} ModelCost;

/** What is predicted from how much. */
typedef struct ModelCostQuery {
    size_t input_dim;
    size_t output_dim;
    size_t rows; /* training rows */
    size_t held; /* held-out rows */
} ModelCostQuery;

/** The networks that plan, for whoever predicts with them elsewhere (on a GPU): row i of a batch
 * goes in as (x - scaler_mean) scaler_inverse; what comes out is network.h's. */
typedef struct ModelView {
    const struct NetworkShape *network;
    const float               *weights;     /* (columns, network->floats), blocks as in network.h */
    const float               *scaler_mean; /* (i) */
    const float               *scaler_inverse; /* (i) 1 / sd */
    const size_t              *planning;       /* (members) rows of `weights` that plan */
    size_t                     members;
    uint64_t generation; /* of all of the above: never the same for two contents in one process, so
                            a copy is good for as long as its generation is the model's */
} ModelView;

typedef struct DynamicsModelOps {
    const char       *name;
    const char       *source;
    const char       *help; /* one line */
    const OptionSpec *options;

    /* optional: do values that are in range go together? create() and set() refuse what this does.
     * @return STATUS_OK; STATUS_ERR_ARG with a sentence */
    Status (*check)(const double *option_values);
    /* optional: a line (with its newline) for each thing that is accepted but not what it seems */
    void (*note)(const double *option_values, Buffer *notes);
    /* optional: can this machine predict with these values? @return STATUS_OK; STATUS_ERR_STATE
     * with a sentence. create() does not ask: where nothing is planned it does not matter */
    Status (*check_machine)(const double *option_values);
    /* optional: AgentOps.numerics for what is planned with a model of these values */
    void (*numerics)(const double *option_values, Buffer *out);
    Status (*create)(const DynamicsModelSetup *setup, const double *option_values, void **self);
    void (*destroy)(void *self);
    /* new values of dynamic options (learning rate, ...). Static ones must be unchanged, and so
     * must those marked OPTION_REBUILDS: with other values of these a new model is made, which
     * rebuild() trains */
    Status (*set)(void *self, const double *option_values);
    /* trains on the training rows in use from the current weights; refits the input scaler first;
     * draws only from lanes of (seed, step, RNG_MODEL_SHUFFLE) */
    Status (*fit)(void *self, const Dataset *data, uint64_t seed, uint64_t step, FitReport *report);
    /* forgets what was learned; new weights from lanes of (seed, step, RNG_MODEL_INIT) */
    void (*reset)(void *self, uint64_t seed, uint64_t step);
    /* scores rows[0..count) of the dataset (NULL = rows 0..count) in double */
    Status (*score)(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                    ScoreReport *report);
    /* members that plan, at least 1 */
    size_t (*members)(const void *self);
    /* does predict() give a standard deviation? false: sd is 0 everywhere */
    bool (*stochastic)(const void *self);
    /* bootstrap columns that the dataset of fit() needs, at least 1 */
    size_t (*columns)(const void *self);
    /* raw (unscaled) inputs x (n, i) with row stride `stride` floats -> mean (n, o), and standard
     * deviation (n, o) of the member's Gaussian (sd NULL to skip) in target units; `member` counts
     * the members that plan */
    Status (*predict)(const void *self, size_t member, const float *x, size_t stride, size_t n,
                      float *mean, float *sd, Arena *scratch);
    /* bytes of scratch that predict() needs for n rows */
    size_t (*predict_scratch)(const void *self, size_t n);
    /* FLOP of one predicted row: 2 x multiply-adds of the layers */
    double (*predict_flop)(const void *self);
    /* o: floats per row of mean and sd */
    size_t (*outputs)(const void *self);
    /* everything learned, optimizer state, scaler, counters; load(save) continues bit for bit */
    Status (*save)(const void *self, Buffer *out);
    Status (*load)(void *self, const void *bytes, size_t length);
    void (*cost)(const ModelCostQuery *query, const double *option_values, ModelCost *out);

    /* optional pair: does an option leave members out of planning, and the last training call did
     * not compare them? rank() chooses who plans by dataset_judging_rows(); *flop gets what was
     * predicted for it */
    bool (*unranked)(const void *self);
    Status (*rank)(void *self, const Dataset *data, double *flop);
    /* optional: what predict() works with, valid until the model changes; NULL where the model is
     * no fully connected network */
    void (*view)(const void *self, ModelView *view);
    /* optional; needed where an option is marked OPTION_REBUILDS */
    Status (*rebuild)(void *self, const RebuildTask *task, FitReport *report);
} DynamicsModelOps;

size_t                  model_count(void);
const DynamicsModelOps *model_at(size_t index); /* NULL beyond the last */

#endif
