/* Budget of swish on AVX-512: 25 operations on two ports, 13 cycles per vector of 16 or 0.27 ns per
 * element at 3 GHz, where the 400 FLOP of the product before it take 2.5 ns. Quotients are Newton
 * iterations on the multiply-add ports: the divider needs 16 cycles per vector, and has the root of
 * Adam to do. Adam reads and writes 28 bytes per parameter and is bound by that (L2).
 */
#include "mbrl/models/lane_kernels.h"

#include "core/vector_math.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"

#include <math.h>

/* slope of leaky_relu below 0; mbrl-lib's pets_example notebook (PyTorch's default) */
#define LEAK 0.01f
/* Kingma & Ba (2015), Algorithm 1 */
#define ADAM_BETA1   0.9f
#define ADAM_BETA2   0.999f
#define ADAM_EPSILON 1e-8f

/* e^x between these is a normal float */
#define EXP_LOWEST  (-87.0f)
#define EXP_HIGHEST 87.0f
/* ln 2 as the sum of two floats */
#define LN2_HIGH 0.693147182f
#define LN2_LOW  (-1.904654323e-9f)

/* e^x for x between those two; relative error below 2^-23; NaN stays NaN. Coefficients:
 * (e^r - 1) / r at the Chebyshev nodes of |r| <= ln(2) / 2, error 5e-9. */
LANES_INLINE float exp_normal(float x) {
    const float shifted = fmaf(x, 1.44269504f, VECTOR_ROUND);
    const float n = shifted - VECTOR_ROUND;
    const float r = fmaf(n, -LN2_LOW, fmaf(n, -LN2_HIGH, x));
    float       p = 1.39337307e-3f;
    p = fmaf(p, r, 8.36922029e-3f);
    p = fmaf(p, r, 4.16664642e-2f);
    p = fmaf(p, r, 1.66665046e-1f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return p * vector_from_bits((vector_bits(shifted) << 23) + (127u << 23));
}

/* e^x, clamped to the range of normal floats */
LANES_INLINE float exp_lane(float x) {
    const float low = (x < EXP_LOWEST) ? EXP_LOWEST : x;
    return exp_normal((low > EXP_HIGHEST) ? EXP_HIGHEST : low);
}

/* e^-|x|, from which sigmoid and softplus follow without overflow; one clamp instead of two */
LANES_INLINE float exp_minus_size(float x) {
    const float below = -fabsf(x);
    return exp_normal((below < EXP_LOWEST) ? EXP_LOWEST : below);
}

/* 1 / x for x in [1e-8, 6e37] by Newton's iteration from a guess on the bits (error 12 %, then 1.5
 * %, 2e-4, 4e-8) */
LANES_INLINE float reciprocal(float x) {
    float y = vector_from_bits(0x7ef311c3u - vector_bits(x));
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    return fmaf(y, fmaf(-x, y, 1.0f), y);
}

/* log(1 + e) for e in [0, 1] as 2 atanh(e / (2 + e)); relative error below 2^-22 */
LANES_INLINE float log1p_lane(float e) {
    const float s = e * reciprocal(2.0f + e);
    const float z = s * s;
    float       p = 1.40788792e-1f;
    p = fmaf(p, z, 1.39825789e-1f);
    p = fmaf(p, z, 2.00122976e-1f);
    p = fmaf(p, z, 3.33331608e-1f);
    p = fmaf(p, z, 1.0f);
    return 2.0f * s * p;
}

LANES_INLINE float positive_part(float x) {
    return (x < 0.0f) ? 0.0f : x;
}

/* 1 / (1 + e^-x), given e^-|x| */
LANES_INLINE float sigmoid_from(float x, float e) {
    const float share = reciprocal(1.0f + e);
    return (x < 0.0f) ? e * share : share;
}

LANES_INLINE void swish_body(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] *= sigmoid_from(x[i], exp_minus_size(x[i]));
    }
}

LANES_INLINE void swish_slope_body(float *restrict x, float *restrict slope, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float sigmoid = sigmoid_from(x[i], exp_minus_size(x[i]));
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

#define STATIC_VERSIONS(name, parameters, arguments) \
    static void name parameters;                     \
    LANES_VERSIONS(name, parameters, arguments)

STATIC_VERSIONS(swish, (float *x, size_t n), (x, n))
STATIC_VERSIONS(swish_slope, (float *x, float *slope, size_t n), (x, slope, n))
STATIC_VERSIONS(leaky, (float *x, size_t n, float leak), (x, n, leak))
STATIC_VERSIONS(leaky_slope, (float *x, float *slope, size_t n, float leak), (x, slope, n, leak))
STATIC_VERSIONS(tanh_lanes, (float *x, size_t n), (x, n))
STATIC_VERSIONS(tanh_slope, (float *x, float *slope, size_t n), (x, slope, n))

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

STATIC_VERSIONS(loss,
                (float *mean, float *raw, const LaneLoss *dimension, float *part, size_t lanes),
                (mean, raw, dimension, part, lanes))

void lanes_loss(const LaneLoss *dimension, size_t lanes) {
    loss(dimension->mean, dimension->raw, dimension, dimension->part, lanes);
}

LANES_INLINE void lanes_transpose_body(const float *restrict x, size_t features, size_t lanes,
                                       float *restrict out, size_t stride) {
    for (size_t j = 0; j < lanes; j += LANE_STEP) {
        for (size_t i = 0; i < features; i++) {
            for (size_t v = 0; v < LANE_STEP; v++) {
                out[(j + v) * stride + i] = x[i * lanes + j + v];
            }
        }
    }
}

LANES_INLINE void adam_row(const AdamStep *step, const float *restrict gradient,
                           float *restrict weight, float *restrict first, float *restrict second) {
    const float *restrict decay = step->decay;
    const float  rate = step->rate;
    const float  inverse_root = step->inverse_root;
    const size_t period = step->period;
    for (size_t i = 0; i < period; i++) {
        const float g = fmaf(decay[i], weight[i], gradient[i]);
        const float m = fmaf(ADAM_BETA1, first[i], (1.0f - ADAM_BETA1) * g);
        const float v = fmaf(ADAM_BETA2, second[i], (1.0f - ADAM_BETA2) * (g * g));
        const float root = fmaf(sqrtf(v), inverse_root, ADAM_EPSILON);
        first[i] = m;
        second[i] = v;
        weight[i] = fmaf(-rate * m, reciprocal(root), weight[i]);
    }
}

LANES_INLINE void lanes_adam_body(const AdamStep *step) {
    for (size_t row = 0; row < step->rows; row++) {
        const size_t at = row * step->period;
        adam_row(step, step->gradient + at, step->weight + at, step->first + at, step->second + at);
    }
}

LANES_VERSIONS(lanes_multiply, (float *x, const float *y, size_t n), (x, y, n))
LANES_VERSIONS(lanes_bound, (float *raw, float min, float max, size_t lanes),
               (raw, min, max, lanes))
LANES_VERSIONS(lanes_exp_half, (float *x, size_t n), (x, n))
LANES_VERSIONS(lanes_transpose,
               (const float *x, size_t features, size_t lanes, float *out, size_t stride),
               (x, features, lanes, out, stride))
LANES_VERSIONS(lanes_adam, (const AdamStep *step), (step))
