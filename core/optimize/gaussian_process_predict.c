/* Predictions in blocks: covariances with all rows by vectorized loops, then one product with the
 * triangular W (variance) and one with its transpose (gradient of the variance). */
#include "core/optimize/gaussian_process_internal.h"

#include "core/kernel.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* share of the process' variance below which a predicted one is rounding */
#define LEAST_VARIANCE 1e-10

/* sum_i c[i] dk(x, row i)/dx_j for every dimension; c is multiplied by the slopes in place */
static void project(const GaussianProcess *gp, const double *query, const double *slope, double *c,
                    double factor, double *out) {
    const size_t n = gp->rows + gp->pending;
    for (size_t i = 0; i < n; i++) {
        c[i] *= slope[i];
    }
    for (size_t j = 0; j < gp->d; j++) {
        out[j] = gp->overlap[j]
                     ? 0.0
                     : factor * 2.0 * gp->weight[j] *
                           matern_weighted_differences(c, gp->columns + j * gp->room, query[j], n);
    }
}

/* an inactive dimension has no direction to go */
static void mask_inactive(const double *x, size_t d, double *gradient) {
    for (size_t j = 0; j < d; j++) {
        gradient[j] = isnan(x[j]) ? 0.0 : gradient[j];
    }
}

static void multiply(const GaussianProcess *gp, size_t m, CBLAS_TRANSPOSE form) {
    const size_t n = gp->rows + gp->pending;
    if (n > 0) {
        cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, form, CblasNonUnit, (int)m, (int)n, 1.0,
                    gp->whiten, (int)gp->room, gp->v, (int)gp->room);
    }
}

static void predict_variances(GaussianProcess *gp, const double *x, size_t m,
                              GaussianProcessPrediction out) {
    const size_t n = gp->rows + gp->pending;
    const double unit = gp->target_sd * gp->target_sd;
    for (size_t q = 0; q < m; q++) {
        memcpy(gp->v + q * gp->room, gp->k + q * gp->room, n * sizeof *gp->v);
    }
    multiply(gp, m, CblasTrans);
    for (size_t q = 0; q < m; q++) {
        const double *v = gp->v + q * gp->room;
        const double  rest = gp->variance - matern_dot(v, v, n);
        out.variance[q] = unit * fmax(rest, LEAST_VARIANCE * gp->variance);
    }
    if (out.variance_gradient == NULL) {
        return;
    }
    multiply(gp, m, CblasNoTrans);
    for (size_t q = 0; q < m; q++) {
        double *gradient = out.variance_gradient + q * gp->d;
        project(gp, gp->query + q * gp->features, gp->slope + q * gp->room, gp->v + q * gp->room,
                -2.0 * unit, gradient);
        mask_inactive(x + q * gp->d, gp->d, gradient);
    }
}

static void predict_block(GaussianProcess *gp, const double *x, size_t m,
                          GaussianProcessPrediction out) {
    const size_t       n = gp->rows + gp->pending;
    const MaternKernel kernel = gaussian_process__kernel(gp);
    const MaternPoints points = {gp->columns, gp->room, n};
    const bool         slopes = out.mean_gradient != NULL || out.variance_gradient != NULL;
    for (size_t q = 0; q < m; q++) {
        const double *k = gp->k + q * gp->room;
        double       *slope = gp->slope + q * gp->room;
        double       *query = gp->query + q * gp->features;
        gaussian_process__embed(gp, x + q * gp->d, query);
        matern_row(&kernel, points, query, gp->k + q * gp->room, slopes ? slope : NULL);
        if (out.mean != NULL) {
            out.mean[q] = gp->target_mean + gp->target_sd * matern_dot(k, gp->alpha, n);
        }
        if (out.mean_gradient != NULL) {
            memcpy(gp->row, gp->alpha, n * sizeof *gp->row);
            project(gp, query, slope, gp->row, gp->target_sd, out.mean_gradient + q * gp->d);
            mask_inactive(x + q * gp->d, gp->d, out.mean_gradient + q * gp->d);
        }
    }
    if (out.variance != NULL) {
        predict_variances(gp, x, m, out);
    }
}

void gaussian_process_predict(GaussianProcess *gp, const double *x, size_t m,
                              GaussianProcessPrediction out) {
    for (size_t first = 0; first < m; first += GAUSSIAN_PROCESS_BLOCK) {
        const size_t left = m - first;
        predict_block(gp, x + first * gp->d,
                      (left < GAUSSIAN_PROCESS_BLOCK) ? left : GAUSSIAN_PROCESS_BLOCK, out);
        const size_t step = GAUSSIAN_PROCESS_BLOCK;
        out.mean = (out.mean == NULL) ? NULL : out.mean + step;
        out.variance = (out.variance == NULL) ? NULL : out.variance + step;
        out.mean_gradient = (out.mean_gradient == NULL) ? NULL : out.mean_gradient + step * gp->d;
        out.variance_gradient =
            (out.variance_gradient == NULL) ? NULL : out.variance_gradient + step * gp->d;
    }
}
