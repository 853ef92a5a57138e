/** @file matern.h  Rows of the Matern-5/2 covariance with a weight per feature, vectorized.
 *
 *     k(a, b) = scale (1 + sqrt5 r + 5/3 r^2) exp(-sqrt5 r),    r^2 = sum_f weight[f] apart_f^2
 *
 * where apart_f is a[f] - b[f] for a numeric feature, and 0 or 1 (equal or not) for a categorical
 * one: that is the overlap kernel, and as a squared distance between corners it keeps k positive
 * definite. weight = 1 / lengthscale^2.
 *
 * Points are stored by columns: feature f of point i is columns[f * stride + i], so that loops over
 * points vectorize. exp is a polynomial in plain C: the same bits on every vector width, which libm
 * does not promise. Within 4 ulp (tests/core/optimize/test_matern.c).
 *
 * Source: Rasmussen & Williams (2006), eq. 4.17.
 */
#ifndef CORE_OPTIMIZE_MATERN_H
#define CORE_OPTIMIZE_MATERN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct MaternKernel {
    const double *weight;      /* (features) 1 / lengthscale^2 */
    const bool   *categorical; /* (features) */
    size_t        features;
    double        scale; /* variance of the process */
} MaternKernel;

typedef struct MaternPoints {
    const double *columns;
    size_t        stride; /* from one feature to the next */
    size_t        n;      /* points */
} MaternPoints;

/**
 * value[i] = k(query, point i); slope[i] = its derivative by r^2 (negative), where slope is not
 * NULL. Shapes: query (features), value and slope (n). Cost: about 3 features + 40 FLOP per point.
 */
void matern_row(const MaternKernel *kernel, MaternPoints points, const double *query, double *value,
                double *slope);

/** sum_i h[i] apart_f(query, point i)^2 for one feature, whose column is given; in eight lanes, in
 * an order that depends on n only. */
double matern_weighted_squares(const double *h, const double *column, double query, size_t n,
                               bool categorical);
/** sum_i h[i] (query - column[i]); order as above. */
double matern_weighted_differences(const double *h, const double *column, double query, size_t n);
/** sum_i a[i] b[i]; order as above. */
double matern_dot(const double *a, const double *b, size_t n);

/** out[i] = e^x[i] for x <= 0; 0 below -708. May be in place. */
void matern_exp(const double *x, double *out, size_t n);

#endif
