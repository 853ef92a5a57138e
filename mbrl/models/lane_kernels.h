/** @file lane_kernels.h  Element-wise parts of the networks, each one pass over blocks of lanes.
 *
 * Blocks are (features, lanes) as in lane_gemm.h; `n` and `lanes` are multiples of LANE_STEP,
 * blocks are aligned to LANE_ALIGNMENT. Same bits on every vector width.
 */
#ifndef MBRL_MODELS_LANE_KERNELS_H
#define MBRL_MODELS_LANE_KERNELS_H

#include <stddef.h>

typedef enum Activation {
    ACTIVATION_SWISH,      /* x / (1 + e^-x) */
    ACTIVATION_LEAKY_RELU, /* x, or 0.01 x below 0 */
    ACTIVATION_RELU,
    ACTIVATION_TANH,
    ACTIVATION_SIGMOID, /* 1 / (1 + e^-x) */
} Activation;

/** x[i] = f(x[i]), n elements. */
void lanes_activate(Activation activation, float *x, size_t n);
/** The same, and slope[i] = f'(x[i]) at the value before. */
void lanes_activate_slope(Activation activation, float *x, float *slope, size_t n);
/** x[i] *= y[i] */
void lanes_multiply(float *x, const float *y, size_t n);

/**
 * Bounded log variance of one output dimension, in place:
 *     lv = max - softplus(max - raw);  lv = min + softplus(lv - min)
 * Source: PETS (Chua et al. 2018), appendix A.1.
 */
void lanes_bound(float *raw, float min, float max, size_t lanes);
/** x[i] = exp(x[i] / 2) */
void lanes_exp_half(float *x, size_t n);

/** One output dimension of a block in the loss; arrays of one number per lane. */
typedef struct LaneLoss {
    float       *mean; /* in: mean; out: derivative of the loss */
    float       *raw;  /* in: raw log variance; out: derivative of the loss */
    const float *target;
    const float *weight; /* share of a row in the loss; 0 beyond the last row */
    float        min;
    float        max;
    float       *part; /* (3, lanes) out: weight ((mean - target)^2 e^-lv + lv), and the derivatives
                          by `max` and by `min` */
} LaneLoss;
void lanes_loss(const LaneLoss *dimension, size_t lanes);
/** The same without a variance: part (1, lanes) is weight (mean - target)^2; raw, min and max are
 * not used. */
void lanes_squared_loss(const LaneLoss *dimension, size_t lanes);

/** Block (features, lanes) -> rows: out[j * stride + i] = x[i * lanes + j], then 1, the bias'
 * input, and 0 up to the row's end; `stride` > features is a multiple of LANE_STEP. */
void lanes_input_rows(const float *x, size_t features, size_t lanes, float *out, size_t stride);

#endif
