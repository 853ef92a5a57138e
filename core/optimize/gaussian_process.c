#include "core/optimize/gaussian_process_internal.h"

#include "core/linalg.h"
#include "core/statistics.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_CAPACITY = 8, FIT_ALWAYS = 32, FIT_GROWTH = 16 };

/* targets whose standard deviation is below this are not scaled */
#define SMALLEST_SD 1e-12
/* a variance of noise, in that of the targets, from which on the lowest target may be luck */
#define NOISE_TO_SPEAK_OF 0.03

/* ---- life ---- */

void gaussian_process_destroy(GaussianProcess *gp) {
    if (gp != NULL) {
        free(gp->dimensions);
        free(gp->owner);
        free(gp->overlap);
        free(gp->parameters);
        free(gp->memory);
        free(gp);
    }
}

/* what does not grow: hyperparameters and the like, one block with views into it */
static Status allocate(GaussianProcess *gp) {
    const size_t count = gp->d + 2;
    double      *numbers =
        calloc(3 * count + (GAUSSIAN_PROCESS_BLOCK + 1) * gp->features, sizeof *numbers);
    if (numbers == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian process: no memory for %zu dimensions", gp->d);
    }
    gp->parameters = numbers;
    gp->gradient = numbers + count;
    gp->best = numbers + 2 * count;
    gp->weight = numbers + 3 * count;
    gp->query = gp->weight + gp->features;
    return STATUS_OK;
}

/* dimensions first, then the activity of conditional numeric ones */
static Status describe(GaussianProcess *gp, const GaussianProcessSetup *setup) {
    gp->d = setup->d;
    gp->compress_upper = setup->compress_upper;
    gp->dimensions = calloc(setup->d, sizeof *gp->dimensions);
    gp->owner = calloc(2 * setup->d, sizeof *gp->owner);
    gp->overlap = calloc(2 * setup->d, sizeof *gp->overlap);
    if (gp->dimensions == NULL || gp->owner == NULL || gp->overlap == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian process: no memory for %zu dimensions", setup->d);
    }
    gp->features = setup->d;
    for (size_t j = 0; j < setup->d; j++) {
        const OptimizeDimension *dimension = &setup->dimensions[j];
        if (dimension->categorical && dimension->choices == 0) {
            FAIL(STATUS_ERR_ARG, "gaussian process: dimension %zu is categorical without choices",
                 j);
        }
        gp->dimensions[j] = *dimension;
        gp->owner[j] = j;
        gp->overlap[j] = dimension->categorical;
        if (dimension->conditional && !dimension->categorical) {
            gp->owner[gp->features++] = j;
        }
    }
    return STATUS_OK;
}

Status gaussian_process_create(const GaussianProcessSetup *setup, GaussianProcess **out) {
    *out = NULL;
    if (setup->d == 0 || setup->capacity < LEAST_CAPACITY) {
        FAIL(STATUS_ERR_ARG,
             "gaussian process: %zu dimensions and room for %zu rows, expected at least 1 and %d",
             setup->d, setup->capacity, LEAST_CAPACITY);
    }
    GaussianProcess *gp = calloc(1, sizeof *gp);
    if (gp == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian process: no memory");
    }
    Status status = describe(gp, setup);
    if (status == STATUS_OK) {
        gp->capacity = setup->capacity;
        gp->most = setup->capacity + setup->pending;
        status = allocate(gp);
    }
    if (status == STATUS_OK) {
        status = gaussian_process__reserve(gp, 1);
    }
    if (status != STATUS_OK) {
        gaussian_process_destroy(gp);
        return status;
    }
    gaussian_process_clear(gp);
    *out = gp;
    return STATUS_OK;
}

/* ---- observations ---- */

void gaussian_process__embed(const GaussianProcess *gp, const double *x, double *features) {
    for (size_t f = 0; f < gp->features; f++) {
        const OptimizeDimension *dimension = &gp->dimensions[gp->owner[f]];
        const double             value = x[gp->owner[f]];
        const bool               active = !isnan(value);
        if (f >= gp->d) {
            features[f] = active ? 1.0 : 0.0;
        } else if (dimension->categorical) {
            features[f] = active ? (double)optimize_choice(dimension, value) : -1.0;
        } else {
            features[f] = active ? value : 0.5;
        }
    }
}

void gaussian_process__features(const GaussianProcess *gp, size_t i, double *features) {
    for (size_t f = 0; f < gp->features; f++) {
        features[f] = gp->columns[f * gp->room + i];
    }
}

static Status check_point(const GaussianProcess *gp, const double *x) {
    for (size_t j = 0; j < gp->d; j++) {
        if (isnan(x[j]) ? !gp->dimensions[j].conditional : (x[j] < 0.0 || x[j] > 1.0)) {
            FAIL(STATUS_ERR_RANGE, "gaussian process: coordinate %zu is %g, expected 0 to 1", j,
                 x[j]);
        }
    }
    return STATUS_OK;
}

static void store_row(GaussianProcess *gp, size_t i, const double *x, double y) {
    gaussian_process__embed(gp, x, gp->query);
    for (size_t f = 0; f < gp->features; f++) {
        gp->columns[f * gp->room + i] = gp->query[f];
    }
    memmove(gp->points + i * gp->d, x, gp->d * sizeof *x);
    gp->targets[i] = y;
}

/* how many rows are better than row i (of equal ones the older is) */
static size_t rank_of(const GaussianProcess *gp, size_t i) {
    size_t better = 0;
    for (size_t j = 0; j < gp->rows; j++) {
        const double apart = gp->targets[j] - gp->targets[i];
        better += apart < 0.0 || (j < i && apart <= 0.0);
    }
    return better;
}

/* keeps 3/4: the best 3/8 and the newest 3/16 of the capacity, and every n-th of the others */
static void drop_rows(GaussianProcess *gp) {
    const size_t keep = gp->rows * 3 / 4;
    const size_t best = keep / 2;
    const size_t newest = gp->rows - keep / 4;
    bool        *marked = (bool *)(void *)gp->v;
    size_t       kept = 0;
    for (size_t i = 0; i < gp->rows; i++) {
        marked[i] = i >= newest || rank_of(gp, i) < best;
        kept += marked[i];
    }
    /* of the `others` take `wanted`, evenly */
    const size_t others = (gp->rows > kept) ? gp->rows - kept : 1;
    const size_t wanted = keep - kept;
    size_t       seen = 0;
    size_t       at = 0;
    for (size_t i = 0; i < gp->rows; i++) {
        bool stays = marked[i];
        if (!stays) {
            seen++;
            stays = seen * wanted / others > (seen - 1) * wanted / others;
        }
        if (stays) {
            store_row(gp, at++, gp->points + i * gp->d, gp->targets[i]);
        }
    }
    gp->rows = at;
    gp->fitted = 0;
    gp->factored = 0;
}

Status gaussian_process_add(GaussianProcess *gp, const double *x, double y) {
    TRY(check_point(gp, x));
    if (!isfinite(y)) {
        FAIL(STATUS_ERR_RANGE, "gaussian process: a target is %g, expected a finite number", y);
    }
    TRY(gaussian_process_reserve(gp, gp->rows + 1));
    gp->pending = 0;
    gp->current = false;
    if (gp->rows == gp->capacity) {
        drop_rows(gp);
    }
    store_row(gp, gp->rows, x, y);
    gp->rows++;
    return STATUS_OK;
}

void gaussian_process_clear(GaussianProcess *gp) {
    gp->rows = 0;
    gp->fitted = 0;
    gp->factored = 0;
    gp->pending = 0;
    gp->current = false;
    gaussian_process__prior_mode(gp, gp->parameters);
    gaussian_process__set(gp, gp->parameters);
}

size_t gaussian_process_count(const GaussianProcess *gp) {
    return gp->rows;
}

size_t gaussian_process_pending(const GaussianProcess *gp) {
    return gp->pending;
}

const double *gaussian_process_point(const GaussianProcess *gp, size_t i) {
    return gp->points + i * gp->d;
}

double gaussian_process_target(const GaussianProcess *gp, size_t i) {
    return gp->targets[i];
}

/* ---- hyperparameters ---- */

bool gaussian_process_fit_due(const GaussianProcess *gp) {
    const size_t step = (gp->fitted < FIT_ALWAYS) ? 1 : gp->fitted / FIT_GROWTH;
    return gp->rows >= gp->fitted + step;
}

size_t gaussian_process_parameter_count(const GaussianProcess *gp) {
    return gp->d + 2;
}

const double *gaussian_process_parameters(const GaussianProcess *gp) {
    return gp->parameters;
}

size_t gaussian_process_fitted(const GaussianProcess *gp) {
    return gp->fitted;
}

Status gaussian_process_restore(GaussianProcess *gp, const double *parameters, size_t fitted) {
    if (!gaussian_process__in_bounds(gp, parameters)) {
        FAIL(STATUS_ERR_RANGE, "gaussian process: hyperparameters outside their bounds");
    }
    if (fitted > gp->rows) {
        FAIL(STATUS_ERR_RANGE, "gaussian process: fitted on %zu rows, but there are %zu", fitted,
             gp->rows);
    }
    memcpy(gp->parameters, parameters, (gp->d + 2) * sizeof *parameters);
    gaussian_process__set(gp, parameters);
    gp->fitted = fitted;
    gp->factored = 0;
    gp->pending = 0;
    gp->current = false;
    return STATUS_OK;
}

/* ---- the factor ---- */

MaternKernel gaussian_process__kernel(const GaussianProcess *gp) {
    return (MaternKernel){gp->weight, gp->overlap, gp->features, gp->variance};
}

/* a monotone map of slope 1 at the median; nothing where half of the targets are the lowest */
static void compress(GaussianProcess *gp) {
    double *sorted = gp->row;
    memcpy(sorted, gp->targets, gp->rows * sizeof *sorted);
    statistics_sort(sorted, gp->rows);
    const double median = statistics_quantile((Sample){sorted, gp->rows}, 0.5);
    const double unit = median - sorted[0];
    for (size_t i = 0; i < gp->rows; i++) {
        const double above = gp->standard[i] - median;
        if (above > 0.0 && unit > SMALLEST_SD) {
            gp->standard[i] = median + unit * log1p(above / unit);
        }
    }
}

void gaussian_process__standardize(GaussianProcess *gp) {
    const double n = (double)gp->rows;
    double       mean = 0.0;
    double       squares = 0.0;
    memcpy(gp->standard, gp->targets, gp->rows * sizeof *gp->standard);
    if (gp->compress_upper && gp->rows > 1) {
        compress(gp);
    }
    for (size_t i = 0; i < gp->rows; i++) {
        mean += gp->standard[i] / n;
    }
    for (size_t i = 0; i < gp->rows; i++) {
        squares += (gp->standard[i] - mean) * ((gp->standard[i] - mean) / n);
    }
    gp->target_mean = mean;
    gp->target_sd = (sqrt(squares) < SMALLEST_SD) ? 1.0 : sqrt(squares);
    for (size_t i = 0; i < gp->rows; i++) {
        gp->standard[i] = (gp->standard[i] - mean) / gp->target_sd;
    }
}

void gaussian_process__covariance(GaussianProcess *gp, size_t n, bool with_slopes) {
    const MaternKernel kernel = gaussian_process__kernel(gp);
    for (size_t p = 0; p < n; p++) {
        double *row = gp->whiten + p * gp->room;
        gaussian_process__features(gp, p, gp->query);
        matern_row(&kernel, (MaternPoints){gp->columns, gp->room, p + 1}, gp->query, row,
                   with_slopes ? gp->slopes + p * gp->room : NULL);
        row[p] += gp->noise;
    }
}

static Status factor_rows(GaussianProcess *gp, size_t n) {
    const DoubleMatrix whiten = {gp->whiten, n, n, gp->room};
    gaussian_process__covariance(gp, n, false);
    TRY(linalg_cholesky(double_matrix_view(whiten), whiten));
    return linalg_invert_triangular(whiten);
}

/* row n of W from those before it: L's row is l = W k with pivot p, W's is -l^T W / p, 1 / p */
static void append_row(GaussianProcess *gp, size_t n) {
    const MaternKernel kernel = gaussian_process__kernel(gp);
    double            *row = gp->whiten + n * gp->room;
    gaussian_process__features(gp, n, gp->query);
    matern_row(&kernel, (MaternPoints){gp->columns, gp->room, n}, gp->query, gp->row, NULL);
    if (n > 0) {
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, gp->whiten,
                    (int)gp->room, gp->row, 1);
    }
    /* what the noise adds cannot be taken away but by rounding */
    const double rest = gp->variance - matern_dot(gp->row, gp->row, n);
    const double pivot = sqrt(fmax(rest, 0.0) + gp->noise);
    memcpy(row, gp->row, n * sizeof *row);
    if (n > 0) {
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (int)n, gp->whiten,
                    (int)gp->room, row, 1);
    }
    for (size_t i = 0; i < n; i++) {
        row[i] = -row[i] / pivot;
    }
    row[n] = 1.0 / pivot;
    memset(row + n + 1, 0, (gp->room - n - 1) * sizeof *row);
}

Status gaussian_process_update(GaussianProcess *gp) {
    const size_t n = gp->rows;
    gp->pending = 0;
    gp->current = false;
    gaussian_process__standardize(gp);
    if (gp->factored < gp->fitted) {
        TRY(factor_rows(gp, gp->fitted));
        gp->factored = gp->fitted;
    }
    for (; gp->factored < n; gp->factored++) {
        append_row(gp, gp->factored);
    }
    memcpy(gp->white, gp->standard, n * sizeof *gp->white);
    if (n > 0) {
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, (int)n, gp->whiten,
                    (int)gp->room, gp->white, 1);
        memcpy(gp->alpha, gp->white, n * sizeof *gp->alpha);
        cblas_dtrmv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, (int)n, gp->whiten,
                    (int)gp->room, gp->alpha, 1);
    }
    gp->current = true;
    return STATUS_OK;
}

Status gaussian_process_assume(GaussianProcess *gp, const double *x) {
    const size_t n = gp->rows + gp->pending;
    if (!gp->current || n == gp->most) {
        FAIL(STATUS_ERR_STATE, "gaussian process: %s",
             gp->current ? "too many pending points" : "a point was assumed before an update");
    }
    TRY(check_point(gp, x));
    TRY(gaussian_process__reserve(gp, n + 1));
    store_row(gp, n, x, 0.0);
    append_row(gp, n);
    /* a target at the posterior mean leaves no residual */
    gp->white[n] = 0.0;
    gp->alpha[n] = 0.0;
    gp->pending++;
    return STATUS_OK;
}

bool gaussian_process_is_noisy(const GaussianProcess *gp) {
    return gp->noise >= NOISE_TO_SPEAK_OF;
}

double gaussian_process_incumbent(const GaussianProcess *gp) {
    double lowest = (double)INFINITY;
    /* K alpha = y - noise alpha */
    for (size_t i = 0; i < gp->rows; i++) {
        lowest = fmin(lowest, gp->standard[i] - gp->noise * gp->alpha[i]);
    }
    return gp->target_mean + gp->target_sd * lowest;
}
