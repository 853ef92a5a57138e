/* Budget of swish on AVX-512: 21 operations, of which 13 need one of the two multiply-add
 * ports: 6.5 cycles per vector of 16 or 0.12 ns per element at 3.4 GHz, where the 400 FLOP of the
 * product before it take 1.9 ns. Measured 0.16 ns. In one loop it took 0.21: an element's chain is
 * 80 cycles long, and the schedulers hold four of them; two loops over a few hundred elements halve
 * the chain. Quotients are polynomials on the multiply-add ports: the divider needs 10 to 16 cycles
 * per vector, and has the roots of the optimizers to do.
 */
#include "mbrl/models/lane_kernels.h"

#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_math.h"

/* slope of leaky_relu below 0; mbrl-lib's pets_example notebook (PyTorch's default) */
#define LEAK 0.01f

/* elements between the two loops of an activation: 1 kB */
enum { PIECE = 256 };

/* out[i] = 1 + e^-x[i]; not for NaN */
LANES_INLINE void one_plus_exp(const float *restrict x, size_t n, float *restrict out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = 1.0f + exp_minus(x[i]);
    }
}

LANES_INLINE void swish_body(float *restrict x, size_t n) {
    float inverse[PIECE];
    for (size_t first = 0; first < n; first += PIECE) {
        const size_t count = (n - first < PIECE) ? n - first : PIECE;
        float *restrict piece = x + first;
        one_plus_exp(piece, count, inverse);
        for (size_t i = 0; i < count; i++) {
            piece[i] *= reciprocal(inverse[i]);
        }
    }
}

LANES_INLINE void swish_slope_body(float *restrict x, float *restrict slope, size_t n) {
    one_plus_exp(x, n, slope);
    for (size_t i = 0; i < n; i++) {
        const float sigmoid = reciprocal(slope[i]);
        const float y = x[i] * sigmoid;
        slope[i] = fmaf(y, 1.0f - sigmoid, sigmoid);
        x[i] = y;
    }
}

LANES_INLINE void leaky_body(float *restrict x, size_t n, float leak) {
    for (size_t i = 0; i < n; i++) {
        const float factor = (x[i] > 0.0f) ? 1.0f : leak;
        x[i] = factor * x[i];
    }
}

LANES_INLINE void leaky_slope_body(float *restrict x, float *restrict slope, size_t n, float leak) {
    for (size_t i = 0; i < n; i++) {
        const float factor = (x[i] > 0.0f) ? 1.0f : leak;
        slope[i] = factor;
        x[i] = factor * x[i];
    }
}

LANES_INLINE void tanh_lanes_body(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = vector_tanh_one(x[i]);
    }
}

LANES_INLINE void tanh_slope_body(float *restrict x, float *restrict slope, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float y = vector_tanh_one(x[i]);
        slope[i] = 1.0f - y * y;
        x[i] = y;
    }
}

LANES_INLINE void sigmoid_body(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = sigmoid_lane(x[i]);
    }
}

LANES_INLINE void sigmoid_slope_body(float *restrict x, float *restrict slope, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float y = sigmoid_lane(x[i]);
        slope[i] = y * (1.0f - y);
        x[i] = y;
    }
}

#define STATIC_VERSIONS(name, parameters, arguments) \
    static void name parameters;                     \
    LANES_VERSIONS(name, parameters, arguments)

STATIC_VERSIONS(swish, (float *x, size_t n), (x, n))
STATIC_VERSIONS(swish_slope, (float *x, float *slope, size_t n), (x, slope, n))
STATIC_VERSIONS(leaky, (float *x, size_t n, float leak), (x, n, leak))
STATIC_VERSIONS(leaky_slope, (float *x, float *slope, size_t n, float leak), (x, slope, n, leak))
STATIC_VERSIONS(tanh_lanes, (float *x, size_t n), (x, n))
STATIC_VERSIONS(tanh_slope, (float *x, float *slope, size_t n), (x, slope, n))
STATIC_VERSIONS(sigmoid, (float *x, size_t n), (x, n))
STATIC_VERSIONS(sigmoid_slope, (float *x, float *slope, size_t n), (x, slope, n))

void lanes_activate(Activation activation, float *x, size_t n) {
    switch (activation) {
    case ACTIVATION_SWISH:
        swish(x, n);
        break;
    case ACTIVATION_LEAKY_RELU:
        leaky(x, n, LEAK);
        break;
    case ACTIVATION_RELU:
        leaky(x, n, 0.0f);
        break;
    case ACTIVATION_TANH:
        tanh_lanes(x, n);
        break;
    case ACTIVATION_SIGMOID:
        sigmoid(x, n);
        break;
    }
}

void lanes_activate_slope(Activation activation, float *x, float *slope, size_t n) {
    switch (activation) {
    case ACTIVATION_SWISH:
        swish_slope(x, slope, n);
        break;
    case ACTIVATION_LEAKY_RELU:
        leaky_slope(x, slope, n, LEAK);
        break;
    case ACTIVATION_RELU:
        leaky_slope(x, slope, n, 0.0f);
        break;
    case ACTIVATION_TANH:
        tanh_slope(x, slope, n);
        break;
    case ACTIVATION_SIGMOID:
        sigmoid_slope(x, slope, n);
        break;
    }
}

LANES_INLINE void lanes_multiply_body(float *restrict x, const float *restrict y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] *= y[i];
    }
}

LANES_INLINE void lanes_bound_body(float *restrict raw, float min, float max, size_t lanes) {
    for (size_t j = 0; j < lanes; j++) {
        const float above = max - raw[j];
        const float upper = max - (positive_part(above) + log1p_lane(exp_minus_size(above)));
        const float below = upper - min;
        raw[j] = min + (positive_part(below) + log1p_lane(exp_minus_size(below)));
    }
}

LANES_INLINE void lanes_exp_half_body(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = exp_lane(0.5f * x[i]);
    }
}

/* `mean` and `raw` are replaced by the derivatives; part: (3, lanes) loss, by max, by min */
LANES_INLINE void loss_body(float *restrict mean, float *restrict raw, const LaneLoss *dimension,
                            float *restrict part, size_t lanes) {
    const float *restrict target = dimension->target;
    const float *restrict weight = dimension->weight;
    const float min = dimension->min;
    const float max = dimension->max;
    for (size_t j = 0; j < lanes; j++) {
        const float above = max - raw[j];
        const float above_exp = exp_minus_size(above);
        const float upper = max - (positive_part(above) + log1p_lane(above_exp));
        const float by_raw = sigmoid_from(above, above_exp); /* d upper / d raw */
        const float below = upper - min;
        const float below_exp = exp_minus_size(below);
        const float lv = min + (positive_part(below) + log1p_lane(below_exp));
        const float by_upper = sigmoid_from(below, below_exp); /* d lv / d upper */
        const float precision = exp_lane(-lv);
        const float error = mean[j] - target[j];
        const float square = error * error * precision;
        const float by_lv = weight[j] * (1.0f - square);
        mean[j] = 2.0f * weight[j] * error * precision;
        raw[j] = by_lv * by_upper * by_raw;
        part[j] = weight[j] * (square + lv);
        part[lanes + j] = by_lv * by_upper * (1.0f - by_raw);
        part[2 * lanes + j] = by_lv * (1.0f - by_upper);
    }
}

LANES_INLINE void squared_body(float *restrict mean, const float *restrict target,
                               const float *restrict weight, float *restrict part, size_t lanes) {
    for (size_t j = 0; j < lanes; j++) {
        const float error = mean[j] - target[j];
        mean[j] = 2.0f * weight[j] * error;
        part[j] = weight[j] * (error * error);
    }
}

STATIC_VERSIONS(squared,
                (float *mean, const float *target, const float *weight, float *part, size_t lanes),
                (mean, target, weight, part, lanes))

STATIC_VERSIONS(loss,
                (float *mean, float *raw, const LaneLoss *dimension, float *part, size_t lanes),
                (mean, raw, dimension, part, lanes))

void lanes_loss(const LaneLoss *dimension, size_t lanes) {
    loss(dimension->mean, dimension->raw, dimension, dimension->part, lanes);
}

void lanes_squared_loss(const LaneLoss *dimension, size_t lanes) {
    squared(dimension->mean, dimension->target, dimension->weight, dimension->part, lanes);
}

LANES_VERSIONS(lanes_multiply, (float *x, const float *y, size_t n), (x, y, n))
LANES_VERSIONS(lanes_bound, (float *raw, float min, float max, size_t lanes),
               (raw, min, max, lanes))
LANES_VERSIONS(lanes_exp_half, (float *x, size_t n), (x, n))
