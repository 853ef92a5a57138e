/** @file lane_optimizers.h  One step of an optimizer on a block of numbers, vectorized along rows.
 *
 * Every optimizer keeps at most two numbers per parameter, so all share one layout and one way to
 * be saved. g = gradient + decay weight everywhere; same bits on every vector width.
 */
#ifndef MBRL_MODELS_LANE_OPTIMIZERS_H
#define MBRL_MODELS_LANE_OPTIMIZERS_H

#include <stddef.h>
#include <stdint.h>

typedef enum OptimizerKind {
    OPTIMIZER_ADAM,
    OPTIMIZER_ADADELTA,
    OPTIMIZER_ADAGRAD,
    OPTIMIZER_SGD,
    OPTIMIZER_RMSPROP,
} OptimizerKind;

/** `rows` x `period` numbers; `first` and `second` are what the optimizer remembers of each. */
typedef struct OptimizerStep {
    float        rate;         /* of this step, see optimizer_rate() */
    float        inverse_root; /* Adam: 1 / sqrt(1 - beta2^t) */
    float        momentum;     /* sgd */
    size_t       rows;
    size_t       period;   /* multiple of LANE_STEP */
    const float *decay;    /* (period) weight decay of each column, e.g. 0 for biases */
    const float *gradient; /* (rows, period) */
    float       *weight;
    float       *first;
    float       *second;
} OptimizerStep;

/** Learning rate of step t = 1, 2, ...: Adam's is divided by 1 - beta1^t, the others' is as it is.
 */
float optimizer_rate(OptimizerKind kind, double learning_rate, int64_t t);
/** 1 / sqrt(1 - beta2^t) for Adam, 1 for the others. */
float optimizer_inverse_root(OptimizerKind kind, int64_t t);
/** Operations per parameter of one step with weight decay, divisions and roots as one each. */
double optimizer_flop(OptimizerKind kind);

/**
 *     adam      first += 0.1 (g - first);  second += 0.001 (g^2 - second)
 *               weight -= rate first / (sqrt(second) inverse_root + 1e-8)
 *     adadelta  first = 0.95 first + 0.05 g^2;  x = sqrt((second + 1e-6) / (first + 1e-6)) g
 *               second = 0.95 second + 0.05 x^2;  weight -= rate x
 *     adagrad   first += g^2;  weight -= rate g / (sqrt(first) + 1e-10)
 *     sgd       first = momentum first + g;  weight -= rate first
 *     rmsprop   first = 0.9 first + 0.1 g^2;  weight -= rate g / (sqrt(first) + 1e-8)
 *
 * Sources of the constants: Kingma & Ba (2015), Algorithm 1; Zeiler (2012), arXiv 1212.5701,
 * section 4.1; Duchi et al. (2011) with PyTorch's epsilon; Sutskever et al. (2013) as in PyTorch;
 * Tieleman & Hinton (2012), lecture 6.5, with PyTorch's epsilon.
 */
void lanes_optimize(OptimizerKind kind, const OptimizerStep *step);

#endif
