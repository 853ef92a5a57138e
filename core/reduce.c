#include "core/reduce.h"

#include <math.h>

const char *reduce_name(ReduceKind kind) {
    static const char *const names[] = {
#define REDUCE_NAME(code, text) [code] = (text),
        REDUCE_LIST(REDUCE_NAME)
#undef REDUCE_NAME
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

size_t reduce_window(Reduction reduction, size_t all) {
    switch (reduction.kind) {
    case REDUCE_MEAN_LAST:
        return (reduction.window < 1) ? 1 : (size_t)reduction.window;
    case REDUCE_LAST:
        return 1;
    case REDUCE_MEAN:
    case REDUCE_MAX:
        break;
    }
    return all;
}

double reduce_values(Reduction reduction, const double *values, size_t n) {
    double sum = 0.0;
    double best = values[0];
    if (reduction.kind == REDUCE_LAST) {
        return values[0];
    }
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
        if (isnan(values[i]) || (reduction.maximize ? values[i] > best : values[i] < best)) {
            best = values[i];
        }
    }
    return (reduction.kind == REDUCE_MAX) ? best : sum / (double)n;
}

double reduce_spread(const double *values, size_t own) {
    double mean = 0.0;
    double squares = 0.0;
    if (own < 2) {
        return (double)NAN;
    }
    for (size_t i = 0; i < own; i++) {
        mean += values[i] / (double)own;
    }
    for (size_t i = 0; i < own; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
    }
    return sqrt(squares / (double)(own - 1));
}
