#include "core/optimize/matern.h"

#include "core/kernel.h"

#include <math.h>
#include <stdint.h>

enum { LANES = 8 };

#define ROOT_5 2.23606797749978969641

/* adding this rounds a double below 2^51 to an integer, which then stands in the low bits */
#define ROUND 6755399441055744.0
/* log 2 in two parts (Cody and Waite), the first with 32 zero bits at its end */
#define LOG_2_HIGH 6.93147180369123816490e-01
#define LOG_2_LOW  1.90821492927058770002e-10
#define LOWEST     (-708.0)

typedef union Bits {
    double  value;
    int64_t integer;
} Bits;

/* e^x for x <= 0: Taylor's polynomial on |r| <= log(2) / 2, whose rest r^13 / 13! is 1.7e-16 */
static inline double exp_one(double x) {
    const double shifted = fmax(x, LOWEST) * 1.44269504088896340736 + ROUND;
    const double n = shifted - ROUND;
    const double r = (fmax(x, LOWEST) - n * LOG_2_HIGH) - n * LOG_2_LOW;

    double p = 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    /* 2^n by its bits: n >= -1022 */
    const int64_t power = (Bits){.value = shifted}.integer - (Bits){.value = ROUND}.integer;
    const double  two_n = (Bits){.integer = (power + 1023) * (INT64_C(1) << 52)}.value;
    return p * two_n;
}

KERNEL_CLONES void matern_exp(const double *x, double *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = exp_one(x[i]);
    }
}

static inline void add_numeric(double *restrict sum, const double *restrict column, double query,
                               double weight, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const double apart = query - column[i];
        sum[i] += weight * (apart * apart);
    }
}

static inline void add_categorical(double *restrict sum, const double *restrict column,
                                   double query, double weight, size_t n) {
    for (size_t i = 0; i < n; i++) {
        sum[i] += (column[i] == query) ? 0.0 : weight;
    }
}

KERNEL_CLONES void matern_row(const MaternKernel *kernel, MaternPoints points, const double *query,
                              double *value, double *slope) {
    const size_t n = points.n;
    const double half_scale = -kernel->scale * (5.0 / 6.0);
    for (size_t i = 0; i < n; i++) {
        value[i] = 0.0;
    }
    for (size_t f = 0; f < kernel->features; f++) {
        const double *column = points.columns + f * points.stride;
        if (kernel->categorical[f]) {
            add_categorical(value, column, query[f], kernel->weight[f], n);
        } else {
            add_numeric(value, column, query[f], kernel->weight[f], n);
        }
    }
    if (slope == NULL) {
        for (size_t i = 0; i < n; i++) {
            const double s = sqrt(5.0 * value[i]);
            value[i] = kernel->scale * ((1.0 + s + (5.0 / 3.0) * value[i]) * exp_one(-s));
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const double s = sqrt(5.0 * value[i]);
        const double e = exp_one(-s);
        slope[i] = half_scale * ((1.0 + s) * e);
        value[i] = kernel->scale * ((1.0 + s + (5.0 / 3.0) * value[i]) * e);
    }
}

/* the lanes in a fixed order, then what is left over */
static inline double lanes_sum(const double *lane) {
    return ((lane[0] + lane[4]) + (lane[2] + lane[6])) +
           ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

KERNEL_CLONES double matern_weighted_squares(const double *h, const double *column, double query,
                                             size_t n, bool categorical) {
    double lane[LANES] = {0.0};
    size_t i = 0;
    if (categorical) {
        for (; i + LANES <= n; i += LANES) {
            for (size_t l = 0; l < LANES; l++) {
                lane[l] += (column[i + l] == query) ? 0.0 : h[i + l];
            }
        }
    } else {
        for (; i + LANES <= n; i += LANES) {
            for (size_t l = 0; l < LANES; l++) {
                const double apart = query - column[i + l];
                lane[l] += h[i + l] * (apart * apart);
            }
        }
    }
    double sum = lanes_sum(lane);
    for (; i < n; i++) {
        const double apart = query - column[i];
        sum += h[i] * (categorical ? ((apart == 0.0) ? 0.0 : 1.0) : apart * apart);
    }
    return sum;
}

KERNEL_CLONES double matern_weighted_differences(const double *h, const double *column,
                                                 double query, size_t n) {
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            lane[l] += h[i + l] * (query - column[i + l]);
        }
    }
    double sum = lanes_sum(lane);
    for (; i < n; i++) {
        sum += h[i] * (query - column[i]);
    }
    return sum;
}

KERNEL_CLONES double matern_dot(const double *a, const double *b, size_t n) {
    double lane[LANES] = {0.0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t l = 0; l < LANES; l++) {
            lane[l] += a[i + l] * b[i + l];
        }
    }
    double sum = lanes_sum(lane);
    for (; i < n; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}
