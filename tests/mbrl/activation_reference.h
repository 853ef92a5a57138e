/** @file activation_reference.h  Activations in double, by their definitions. */
#ifndef TESTS_MBRL_ACTIVATION_REFERENCE_H
#define TESTS_MBRL_ACTIVATION_REFERENCE_H

#include "mbrl/models/lane_kernels.h"

#include <math.h>

static inline double activation_in_double(Activation activation, double x) {
    switch (activation) {
    case ACTIVATION_SWISH:
        return x / (1.0 + exp(-x));
    case ACTIVATION_LEAKY_RELU:
        return (x > 0.0) ? x : 0.01 * x;
    case ACTIVATION_RELU:
        return (x > 0.0) ? x : 0.0;
    case ACTIVATION_TANH:
        return tanh(x);
    case ACTIVATION_SIGMOID:
        return 1.0 / (1.0 + exp(-x));
    }
    return (double)NAN;
}

#endif
