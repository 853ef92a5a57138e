#include "mbrl/models/lane_kernels.h"

#include "core/kernel.h"
#include "core/vector_math.h"
#include "mbrl/models/lane_gemm.h"

#include <math.h>

/* slope of leaky_relu below 0; mbrl-lib's pets_example notebook (PyTorch's default) */
#define LEAK 0.01f
/* Kingma & Ba (2015), Algorithm 1 */
#define ADAM_BETA1   0.9f
#define ADAM_BETA2   0.999f
#define ADAM_EPSILON 1e-8f

KERNEL_CLONES static void swish(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] / (1.0f + vector_exp_one(-x[i]));
    }
}

KERNEL_CLONES static void swish_slope(float *restrict x, float *restrict slope, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float sigmoid = vector_sigmoid_one(x[i]);
        const float y = x[i] * sigmoid;
        slope[i] = sigmoid + y * (1.0f - sigmoid);
        x[i] = y;
    }
}

KERNEL_CLONES static void leaky(float *restrict x, size_t n, float leak) {
    for (size_t i = 0; i < n; i++) {
        const float low = leak * x[i];
        x[i] = (x[i] > 0.0f) ? x[i] : low;
    }
}

KERNEL_CLONES static void leaky_slope(float *restrict x, float *restrict slope, size_t n,
                                      float leak) {
    for (size_t i = 0; i < n; i++) {
        const float low = leak * x[i];
        slope[i] = (x[i] > 0.0f) ? 1.0f : leak;
        x[i] = (x[i] > 0.0f) ? x[i] : low;
    }
}

KERNEL_CLONES static void tanh_slope(float *restrict x, float *restrict slope, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float y = vector_tanh_one(x[i]);
        slope[i] = 1.0f - y * y;
        x[i] = y;
    }
}

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
        vector_tanh(x, x, n);
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

KERNEL_CLONES void lanes_multiply(float *restrict x, const float *restrict y, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] *= y[i];
    }
}

static inline float softplus_one(float x) {
    const float size = (x < 0.0f) ? x : -x;
    const float above = (x < 0.0f) ? 0.0f : x;
    return above + vector_log_one(1.0f + vector_exp_one(size));
}

KERNEL_CLONES void lanes_bound(float *restrict raw, float min, float max, size_t lanes) {
    for (size_t j = 0; j < lanes; j++) {
        const float upper = max - softplus_one(max - raw[j]);
        raw[j] = min + softplus_one(upper - min);
    }
}

KERNEL_CLONES void lanes_exp_half(float *restrict x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = vector_exp_one(0.5f * x[i]);
    }
}

KERNEL_CLONES void lanes_loss(const LaneLoss *dimension, size_t lanes) {
    float *restrict mean = dimension->mean;
    float *restrict raw = dimension->raw;
    float *restrict loss = dimension->loss;
    float *restrict max_part = dimension->max_part;
    float *restrict min_part = dimension->min_part;
    const float *restrict target = dimension->target;
    const float *restrict weight = dimension->weight;
    const float min = dimension->min;
    const float max = dimension->max;

    for (size_t j = 0; j < lanes; j++) {
        const float upper = max - softplus_one(max - raw[j]);
        const float by_raw = vector_sigmoid_one(max - raw[j]);  /* d upper / d raw */
        const float by_upper = vector_sigmoid_one(upper - min); /* d lv / d upper */
        const float lv = min + softplus_one(upper - min);
        const float precision = vector_exp_one(-lv);
        const float error = mean[j] - target[j];
        const float square = error * error * precision;
        const float by_lv = weight[j] * (1.0f - square);
        loss[j] = weight[j] * (square + lv);
        mean[j] = 2.0f * weight[j] * error * precision;
        raw[j] = by_lv * by_upper * by_raw;
        max_part[j] = by_lv * by_upper * (1.0f - by_raw);
        min_part[j] = by_lv * (1.0f - by_upper);
    }
}

KERNEL_CLONES void lanes_transpose(const float *restrict x, size_t features, size_t lanes,
                                   float *restrict out, size_t stride) {
    for (size_t j = 0; j < lanes; j += LANE_STEP) {
        for (size_t i = 0; i < features; i++) {
            for (size_t v = 0; v < LANE_STEP; v++) {
                out[(j + v) * stride + i] = x[i * lanes + j + v];
            }
        }
    }
}

static inline void adam_row(const AdamStep *step, size_t row) {
    const float *restrict decay = step->decay;
    const float *restrict gradient = step->gradient + row * step->period;
    float *restrict weight = step->weight + row * step->period;
    float *restrict first = step->first + row * step->period;
    float *restrict second = step->second + row * step->period;
    const float rate = step->rate;
    const float inverse_root = step->inverse_root;

    for (size_t i = 0; i < step->period; i++) {
        const float g = gradient[i] + decay[i] * weight[i];
        const float m = ADAM_BETA1 * first[i] + (1.0f - ADAM_BETA1) * g;
        const float v = ADAM_BETA2 * second[i] + (1.0f - ADAM_BETA2) * (g * g);
        first[i] = m;
        second[i] = v;
        weight[i] -= rate * m / (sqrtf(v) * inverse_root + ADAM_EPSILON);
    }
}

KERNEL_CLONES void lanes_adam(const AdamStep *step) {
    for (size_t row = 0; row < step->rows; row++) {
        adam_row(step, row);
    }
}
