/* Adam reads and writes 28 bytes per parameter and is bound by that (L2); the others move less or
 * the same. Which optimizer it is is decided once per call, never per row.
 */
#include "mbrl/models/lane_optimizers.h"

#include "mbrl/models/lane_math.h"

#include <math.h>

/* Kingma & Ba (2015), Algorithm 1 */
#define ADAM_BETA1   0.9f
#define ADAM_BETA2   0.999f
#define ADAM_EPSILON 1e-8f
/* Zeiler (2012), section 4.1 */
#define ADADELTA_DECAY   0.95f
#define ADADELTA_EPSILON 1e-6f
/* PyTorch, torch.optim.Adagrad; the sum starts at 0 */
#define ADAGRAD_EPSILON 1e-10f
/* Tieleman & Hinton (2012), lecture 6.5; epsilon of PyTorch, torch.optim.RMSprop */
#define RMSPROP_DECAY   0.9f
#define RMSPROP_EPSILON 1e-8f

/* the same in double, for the constants of a step */
#define ADAM_BETA1_EXACT 0.9
#define ADAM_BETA2_EXACT 0.999

float optimizer_rate(OptimizerKind kind, double learning_rate, int64_t t) {
    return (kind == OPTIMIZER_ADAM)
               ? (float)(learning_rate / (1.0 - pow(ADAM_BETA1_EXACT, (double)t)))
               : (float)learning_rate;
}

float optimizer_inverse_root(OptimizerKind kind, int64_t t) {
    return (kind == OPTIMIZER_ADAM) ? (float)(1.0 / sqrt(1.0 - pow(ADAM_BETA2_EXACT, (double)t)))
                                    : 1.0f;
}

double optimizer_flop(OptimizerKind kind) {
    static const double flop[] = {[OPTIMIZER_ADAM] = 14.0,
                                  [OPTIMIZER_ADADELTA] = 17.0,
                                  [OPTIMIZER_ADAGRAD] = 9.0,
                                  [OPTIMIZER_SGD] = 6.0,
                                  [OPTIMIZER_RMSPROP] = 10.0};
    return flop[kind];
}

LANES_INLINE void adam_row(const OptimizerStep *step, const float *restrict gradient,
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

LANES_INLINE void adadelta_row(const OptimizerStep *step, const float *restrict gradient,
                               float *restrict weight, float *restrict first,
                               float *restrict second) {
    const float *restrict decay = step->decay;
    const float  rate = step->rate;
    const size_t period = step->period;
    for (size_t i = 0; i < period; i++) {
        const float g = fmaf(decay[i], weight[i], gradient[i]);
        const float v = fmaf(ADADELTA_DECAY, first[i], (1.0f - ADADELTA_DECAY) * (g * g));
        const float x =
            g * sqrtf(second[i] + ADADELTA_EPSILON) * reciprocal(sqrtf(v + ADADELTA_EPSILON));
        first[i] = v;
        second[i] = fmaf(ADADELTA_DECAY, second[i], (1.0f - ADADELTA_DECAY) * (x * x));
        weight[i] = fmaf(-rate, x, weight[i]);
    }
}

LANES_INLINE void adagrad_row(const OptimizerStep *step, const float *restrict gradient,
                              float *restrict weight, float *restrict first) {
    const float *restrict decay = step->decay;
    const float  rate = step->rate;
    const size_t period = step->period;
    for (size_t i = 0; i < period; i++) {
        const float g = fmaf(decay[i], weight[i], gradient[i]);
        const float v = fmaf(g, g, first[i]);
        first[i] = v;
        weight[i] = fmaf(-rate * g, reciprocal(sqrtf(v) + ADAGRAD_EPSILON), weight[i]);
    }
}

LANES_INLINE void sgd_row(const OptimizerStep *step, const float *restrict gradient,
                          float *restrict weight, float *restrict first) {
    const float *restrict decay = step->decay;
    const float  rate = step->rate;
    const float  momentum = step->momentum;
    const size_t period = step->period;
    for (size_t i = 0; i < period; i++) {
        const float g = fmaf(decay[i], weight[i], gradient[i]);
        const float v = fmaf(momentum, first[i], g);
        first[i] = v;
        weight[i] = fmaf(-rate, v, weight[i]);
    }
}

LANES_INLINE void rmsprop_row(const OptimizerStep *step, const float *restrict gradient,
                              float *restrict weight, float *restrict first) {
    const float *restrict decay = step->decay;
    const float  rate = step->rate;
    const size_t period = step->period;
    for (size_t i = 0; i < period; i++) {
        const float g = fmaf(decay[i], weight[i], gradient[i]);
        const float v = fmaf(RMSPROP_DECAY, first[i], (1.0f - RMSPROP_DECAY) * (g * g));
        first[i] = v;
        weight[i] = fmaf(-rate * g, reciprocal(sqrtf(v) + RMSPROP_EPSILON), weight[i]);
    }
}

/* name_row over all rows: one function per instruction set */
#define OPTIMIZER(name, row_call)                           \
    LANES_INLINE void name##_body(const OptimizerStep *s) { \
        for (size_t row = 0; row < s->rows; row++) {        \
            const size_t at = row * s->period;              \
            row_call;                                       \
        }                                                   \
    }                                                       \
    static void name(const OptimizerStep *s);               \
    LANES_VERSIONS(name, (const OptimizerStep *s), (s))

OPTIMIZER(adam, adam_row(s, s->gradient + at, s->weight + at, s->first + at, s->second + at))
OPTIMIZER(adadelta,
          adadelta_row(s, s->gradient + at, s->weight + at, s->first + at, s->second + at))
OPTIMIZER(adagrad, adagrad_row(s, s->gradient + at, s->weight + at, s->first + at))
OPTIMIZER(sgd, sgd_row(s, s->gradient + at, s->weight + at, s->first + at))
OPTIMIZER(rmsprop, rmsprop_row(s, s->gradient + at, s->weight + at, s->first + at))

void lanes_optimize(OptimizerKind kind, const OptimizerStep *step) {
    switch (kind) {
    case OPTIMIZER_ADAM:
        adam(step);
        break;
    case OPTIMIZER_ADADELTA:
        adadelta(step);
        break;
    case OPTIMIZER_ADAGRAD:
        adagrad(step);
        break;
    case OPTIMIZER_SGD:
        sgd(step);
        break;
    case OPTIMIZER_RMSPROP:
        rmsprop(step);
        break;
    }
}
