/** @file network.h  One fully connected network, its output Gaussian or a point: forward, gradient.
 *
 * A network is a shape plus one flat block of floats. Layer l keeps its weights as rows of
 * `stride[l]` floats, one row per output: the inputs' weights, then the bias (the weight of a
 * constant input 1), then zeros up to a multiple of LANE_STEP. So one gradient product gives the
 * biases too, and one loop over the block steps them all. After the layers of a Gaussian network
 * come the bounds of the log variance, `max` then `min`, one per output dimension, padded alike.
 *
 * Rows are processed in blocks of up to NETWORK_LANES, laid out as lane_gemm.h says; a block stays
 * in L1/L2 through all layers.
 *
 * Source: PETS (Chua et al. 2018), appendix A.
 */
#ifndef MBRL_MODELS_NETWORK_H
#define MBRL_MODELS_NETWORK_H

#include "core/arena.h"
#include "core/rng.h"
#include "core/status.h"
#include "mbrl/models/lane_kernels.h"
#include "mbrl/models/lane_optimizers.h"

#include <stdbool.h>
#include <stddef.h>

enum { NETWORK_MAX_LAYERS = 9, NETWORK_LANES = 64 };

typedef enum NetworkKind { NETWORK_PROBABILISTIC, NETWORK_DETERMINISTIC } NetworkKind;

/** i -> width x hidden -> h o: means, then raw log variances of a Gaussian network (h = 2), or
 * means alone (h = 1). */
typedef struct NetworkShape {
    size_t     inputs;  /* i */
    size_t     outputs; /* o, predicted dimensions */
    size_t     heads;   /* h, 2 or 1; the last layer has h o outputs */
    size_t     layers;  /* hidden + 1 */
    Activation activation;
    size_t     fan_in[NETWORK_MAX_LAYERS];
    size_t     fan_out[NETWORK_MAX_LAYERS];
    size_t     stride[NETWORK_MAX_LAYERS]; /* floats per row of weights */
    size_t     offset[NETWORK_MAX_LAYERS]; /* of the layer's first weight in the block */
    size_t     max_offset;                 /* of the upper bounds */
    size_t     min_offset;
    size_t     weights;    /* floats before the bounds */
    size_t     floats;     /* of the whole block, a multiple of LANE_STEP */
    size_t     multiplies; /* multiply-adds of one row */
    size_t     widest;     /* largest fan_in or fan_out */
    size_t     parameters; /* without padding: weights, biases and bounds */
} NetworkShape;

/** Working memory of one block of lanes, taken from an arena. */
typedef struct NetworkScratch {
    float *input;   /* (i, lanes) scaled inputs */
    float *output;  /* (h o, lanes) */
    float *side[2]; /* (widest, lanes) */
} NetworkScratch;

/** Working memory of a training block. */
typedef struct NetworkTraining {
    float *layer[NETWORK_MAX_LAYERS]; /* (fan_in, lanes) inputs of each layer; [0] is filled by the
                                         caller */
    float *slope[NETWORK_MAX_LAYERS]; /* (fan_in, lanes) f' of what made them */
    float *target;                    /* (o, lanes), filled by the caller */
    float *weight;   /* (lanes) share of each row in the loss; filled by the caller */
    float *delta[2]; /* (widest, lanes) */
    float *rows;     /* (lanes, largest stride) */
    float *part;     /* (3, lanes) */
} NetworkTraining;

/** What a network is made of. */
typedef struct NetworkPlan {
    size_t      inputs;
    size_t      outputs;
    size_t      hidden_layers; /* 1 to NETWORK_MAX_LAYERS - 1 */
    size_t      width;
    Activation  activation;
    NetworkKind kind;
} NetworkPlan;

/** Fills in a shape; all sizes at least 1. */
void network_shape(const NetworkPlan *plan, NetworkShape *out);
/** Truncated normal weights (+-2 sd, sd = 1 / (2 sqrt(fan_in))), zero biases, bounds +0.5 and -10.
 */
void network_init(const NetworkShape *shape, Rng *rng, float *block);

/** Lanes for `rows` rows: the next multiple of LANE_STEP, at most NETWORK_LANES. */
size_t network_lanes(size_t rows);
/** Arena bytes of network_scratch(). */
size_t network_scratch_need(const NetworkShape *shape);
Status network_scratch(const NetworkShape *shape, Arena *arena, NetworkScratch *out) MUST_USE;
size_t network_training_need(const NetworkShape *shape);
Status network_training(const NetworkShape *shape, Arena *arena, NetworkTraining *out) MUST_USE;

/** scratch->input (i, lanes) -> scratch->output (h o, lanes): means, then bounded log variances of
 * a Gaussian network. */
void network_forward(const NetworkShape *shape, const float *block, const NetworkScratch *scratch,
                     size_t lanes);

/**
 * Data term of the loss of one block and its gradient by every number of `block`.
 *
 *     loss = sum over rows and dimensions of weight[row] ((mean - target)^2 e^-lv + lv), or of
 *            weight[row] (mean - target)^2 for a network without a variance
 *
 * @param training  layer[0], target and weight are the input; lanes beyond the last row have weight
 *                  0 and finite inputs; the rest is overwritten
 * @param gradient  out  (shape->floats) gradient
 * @param add       add to `gradient` instead of overwriting it
 * @return the loss
 */
double network_gradient(const NetworkShape *shape, const float *block, NetworkTraining *training,
                        size_t lanes, float *gradient, bool add);

/** An optimizer of one network: what it remembers and the constants of this step. */
typedef struct NetworkOptimizer {
    OptimizerKind kind;
    float        *first; /* (shape->floats) what it remembers, see lane_optimizers.h */
    float        *second;
    float        *decay; /* (largest stride, at least LANE_STEP) scratch */
    float         rate;  /* optimizer_rate() */
    float         inverse_root;
    float         momentum;
    float weight_decay[NETWORK_MAX_LAYERS]; /* of each layer's weights; biases, bounds: none */
    float bounds_penalty; /* added to the gradient of `max`, taken from that of `min` */
    bool  learned_bounds;
} NetworkOptimizer;

/** One step with the gradient of network_gradient(). */
void network_optimize(const NetworkShape *shape, float *block, const NetworkOptimizer *optimizer,
                      float *gradient);

/**
 * network_gradient() and network_optimize() in one, for a batch that is one block: the same bits,
 * but a layer's weights are stepped while a few rows of their gradient are still in L1, so that
 * weights and moments alone have to fit in L2.
 * @param gradient  (shape->floats) scratch
 */
double network_step(const NetworkShape *shape, float *block, NetworkTraining *training,
                    size_t lanes, const NetworkOptimizer *optimizer, float *gradient);

#endif
