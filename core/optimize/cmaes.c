/* One generation: rank, move the mean, adapt step size and covariance, draw. Names of paths and
 * rates are the tutorial's. The update sees the unreflected steps that were drawn, never the points
 * handed out, so |C^-1/2 y| is |z| and needs no inverse. */
#include "core/optimize/cmaes.h"

#include "core/linalg.h"
#include "core/optimize/cmaes_internal.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* largest step size: wider than the cube nothing is learned from it */
static const double widest = 1.0;

static double reflect(double x) {
    const double t = fmod(fabs(x), 2);
    return (t > 1) ? 2 - t : t;
}

static DoubleMatrix matrix(double *data, size_t rows, size_t columns) {
    return (DoubleMatrix){data, rows, columns, columns};
}

static DoubleMatrixView view(const double *data, size_t rows, size_t columns) {
    return (DoubleMatrixView){data, rows, columns, columns};
}

/* shapes are those of creation: a failure would be an error of this file */
static bool product(DoubleMatrixView a, LinalgForm form, DoubleMatrixView b, double beta,
                    DoubleMatrix c) {
    return linalg_product_double(1, a, form, b, LINALG_PLAIN, beta, c) == STATUS_OK;
}

void cmaes__sample(Cmaes *cmaes) {
    const size_t n = cmaes->n;
    const size_t population = cmaes->population;
    double      *steps = cmaes->full ? cmaes->scaled : cmaes->y;
    for (size_t i = 0; i < population; i++) {
        Rng rng = rng_stream_lane(cmaes->settings.seed, cmaes->progress.generation, RNG_CMAES,
                                  (uint32_t)i);
        for (size_t j = 0; j < n; j++) {
            const double z = rng_normal(&rng);
            cmaes->z[i * n + j] = z;
            steps[i * n + j] = z * cmaes->scales[j];
        }
    }
    if (cmaes->full) {
        (void)product(view(steps, population, n), LINALG_PLAIN, view(cmaes->axes, n, n), 0,
                      matrix(cmaes->y, population, n));
    }
}

static int compare_ranks(const void *left, const void *right) {
    const CmaesRank *a = left;
    const CmaesRank *b = right;
    if (a->loss != b->loss) {
        return (a->loss < b->loss) ? -1 : 1;
    }
    return (a->index > b->index) - (a->index < b->index);
}

static void rank(Cmaes *cmaes, const double *losses) {
    for (size_t i = 0; i < cmaes->population; i++) {
        cmaes->ranks[i] = (CmaesRank){isnan(losses[i]) ? (double)INFINITY : losses[i], i};
    }
    qsort(cmaes->ranks, cmaes->population, sizeof *cmaes->ranks, compare_ranks);
    if (cmaes->ranks[0].loss < cmaes->progress.best_loss) {
        cmaes->progress.best_loss = cmaes->ranks[0].loss;
        cmaes_point(cmaes, cmaes->ranks[0].index, cmaes->best);
    }
}

/* weighted means of the better half: step = <y>, turned = <z> */
static void recombine(Cmaes *cmaes) {
    const size_t n = cmaes->n;
    memset(cmaes->step, 0, n * sizeof *cmaes->step);
    memset(cmaes->turned, 0, n * sizeof *cmaes->turned);
    for (size_t r = 0; r < cmaes->population && cmaes->weights[r] > 0; r++) {
        const double  w = cmaes->weights[r];
        const double *y = cmaes->y + cmaes->ranks[r].index * n;
        const double *z = cmaes->z + cmaes->ranks[r].index * n;
        for (size_t j = 0; j < n; j++) {
            cmaes->step[j] += w * y[j];
            cmaes->turned[j] += w * z[j];
        }
    }
}

/* C^-1/2 <y> = B <z>; B's columns are the rows of `axes` */
static void turn(Cmaes *cmaes) {
    const size_t n = cmaes->n;
    if (cmaes->full) {
        memcpy(cmaes->scaled, cmaes->turned, n * sizeof *cmaes->scaled);
        (void)product(view(cmaes->scaled, 1, n), LINALG_PLAIN, view(cmaes->axes, n, n), 0,
                      matrix(cmaes->turned, 1, n));
    }
}

/* the two evolution paths; returns whether the covariance's one was held (h_sigma = 0) */
static bool update_paths(Cmaes *cmaes, double *path_length) {
    const CmaesRates *r = &cmaes->rates;
    const double      gain_sigma = sqrt(r->c_sigma * (2 - r->c_sigma) * r->mu_eff);
    double            squared = 0;
    for (size_t j = 0; j < cmaes->n; j++) {
        cmaes->path_sigma[j] =
            (1 - r->c_sigma) * cmaes->path_sigma[j] + gain_sigma * cmaes->turned[j];
        squared += cmaes->path_sigma[j] * cmaes->path_sigma[j];
    }
    *path_length = sqrt(squared);
    const double settled = 1 - pow(1 - r->c_sigma, 2 * ((double)cmaes->run_generation + 1));
    const bool held = !(*path_length / sqrt(settled) < (1.4 + 2 / ((double)cmaes->n + 1)) * r->chi);
    const double gain_c = held ? 0 : sqrt(r->c_c * (2 - r->c_c) * r->mu_eff);
    for (size_t j = 0; j < cmaes->n; j++) {
        cmaes->path_c[j] = (1 - r->c_c) * cmaes->path_c[j] + gain_c * cmaes->step[j];
    }
    return held;
}

/* weighted steps into z: negative weights are scaled by n / |z|^2, so that no bad candidate can
 * take more out of the covariance than it holds */
static void weigh_steps(Cmaes *cmaes) {
    const size_t n = cmaes->n;
    for (size_t r = 0; r < cmaes->population; r++) {
        double       *z = cmaes->z + cmaes->ranks[r].index * n;
        const double *y = cmaes->y + cmaes->ranks[r].index * n;
        double        weight = cmaes->rates.c_mu * cmaes->weights[r];
        if (weight < 0) {
            double squared = 0;
            for (size_t j = 0; j < n; j++) {
                squared += z[j] * z[j];
            }
            weight *= (double)n / fmax(squared, (double)n * 1e-12);
        }
        for (size_t j = 0; j < n; j++) {
            z[j] = weight * y[j];
        }
    }
}

static void update_covariance(Cmaes *cmaes, bool held) {
    const size_t      n = cmaes->n;
    const CmaesRates *r = &cmaes->rates;
    const double      lost = held ? r->c_1 * r->c_c * (2 - r->c_c) : 0;
    const double      keep = 1 + lost - r->c_1 - r->c_mu * r->weight_sum;
    weigh_steps(cmaes);
    if (cmaes->full) {
        (void)product(view(cmaes->z, cmaes->population, n), LINALG_TRANSPOSED,
                      view(cmaes->y, cmaes->population, n), keep, matrix(cmaes->covariance, n, n));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                cmaes->covariance[i * n + j] += r->c_1 * cmaes->path_c[i] * cmaes->path_c[j];
            }
        }
        return;
    }
    for (size_t j = 0; j < n; j++) {
        cmaes->covariance[j] =
            keep * cmaes->covariance[j] + r->c_1 * cmaes->path_c[j] * cmaes->path_c[j];
    }
    for (size_t i = 0; i < cmaes->population; i++) {
        for (size_t j = 0; j < n; j++) {
            cmaes->covariance[j] += cmaes->z[i * n + j] * cmaes->y[i * n + j];
        }
    }
}

/* roots of the eigenvalues, and the eigenvectors; false if one is not positive and finite */
static bool decompose(Cmaes *cmaes) {
    const size_t n = cmaes->n;
    if (cmaes->full) {
        memcpy(cmaes->axes, cmaes->covariance, n * n * sizeof *cmaes->axes);
        if (linalg_eigen_symmetric(matrix(cmaes->axes, n, n), cmaes->scales, &cmaes->scratch) !=
            STATUS_OK) {
            return false;
        }
    } else {
        memcpy(cmaes->scales, cmaes->covariance, n * sizeof *cmaes->scales);
    }
    double least = (double)INFINITY;
    double largest = 0;
    for (size_t j = 0; j < n; j++) {
        if (!(cmaes->scales[j] > 0) || isinf(cmaes->scales[j])) {
            return false;
        }
        least = fmin(least, cmaes->scales[j]);
        largest = fmax(largest, cmaes->scales[j]);
        cmaes->scales[j] = sqrt(cmaes->scales[j]);
    }
    cmaes->condition = largest / least;
    cmaes->decomposed = cmaes->run_generation;
    return true;
}

static bool is_due(const Cmaes *cmaes) {
    const CmaesRates *r = &cmaes->rates;
    const double      wait = 1 / (10 * (double)cmaes->n * (r->c_1 + r->c_mu)); /* tutorial, B.2 */
    return !cmaes->full || (double)(cmaes->run_generation - cmaes->decomposed) >= wait;
}

static bool update(Cmaes *cmaes) {
    double path_length = 0;
    recombine(cmaes);
    turn(cmaes);
    const bool held = update_paths(cmaes, &path_length);
    for (size_t j = 0; j < cmaes->n; j++) {
        cmaes->mean[j] += cmaes->sigma * cmaes->step[j];
    }
    update_covariance(cmaes, held);
    const CmaesRates *r = &cmaes->rates;
    cmaes->sigma *= exp(fmin(1, r->c_sigma / r->d_sigma * (path_length / r->chi - 1)));
    /* all alike, or all failed: no order to learn from, look further away (tutorial, B.3) */
    if (cmaes->ranks[0].loss == cmaes->ranks[cmaes->population / 2].loss) {
        cmaes->sigma *= exp(0.2 + r->c_sigma / r->d_sigma);
    }
    cmaes->sigma = fmin(cmaes->sigma, widest);
    cmaes->run_generation++;
    return isfinite(cmaes->sigma) && (!is_due(cmaes) || decompose(cmaes));
}

void cmaes_tell(Cmaes *cmaes, const double *losses) {
    rank(cmaes, losses);
    cmaes->progress.evaluations += cmaes->population;
    cmaes->spent[cmaes->small] += cmaes->population;
    const bool over =
        cmaes->settings.restart == CMAES_RESTART_NONE && cmaes->progress.stop != CMAES_RUNNING;
    if (!over) {
        const CmaesStop stop = cmaes__stop(cmaes, update(cmaes));
        if (stop != CMAES_RUNNING) {
            cmaes->progress.stop = stop;
        }
        if (stop != CMAES_RUNNING && cmaes->settings.restart != CMAES_RESTART_NONE) {
            cmaes__restart(cmaes);
        }
    }
    cmaes->progress.generation++;
    cmaes__sample(cmaes);
}

size_t cmaes_population(const Cmaes *cmaes) {
    return cmaes->population;
}

void cmaes_point(const Cmaes *cmaes, size_t index, double *point) {
    for (size_t j = 0; j < cmaes->n; j++) {
        point[j] = reflect(cmaes->mean[j] + cmaes->sigma * cmaes->y[index * cmaes->n + j]);
    }
}

CmaesProgress cmaes_progress(const Cmaes *cmaes) {
    CmaesProgress progress = cmaes->progress;
    progress.deviation = cmaes->sigma;
    progress.condition = cmaes->condition;
    return progress;
}

void cmaes_best(const Cmaes *cmaes, double *point) {
    memcpy(point, cmaes->best, cmaes->n * sizeof *point);
}

void cmaes_mean(const Cmaes *cmaes, double *point) {
    for (size_t j = 0; j < cmaes->n; j++) {
        point[j] = reflect(cmaes->mean[j]);
    }
}
