#include "schedulers/gp_front.h"

#include "core/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORIGINS = 16 };

/* of the range up to the worst point that is not far out */
#define BEHIND 0.1
/* quartile distances above the upper quartile (Tukey, 1977) */
#define FENCE 1.5

void gp_front_reset(GpFront *front) {
    free(front->origins);
    free(front->means);
    free(front->values);
    free(front->order);
    free(front->rows);
    *front = (GpFront){.d = 0};
}

Status gp_front_init(GpFront *front, size_t capacity, size_t d) {
    *front = (GpFront){.d = d, .capacity = capacity};
    front->origins = calloc(MOST_ORIGINS * d, sizeof *front->origins);
    front->means = calloc(3 * capacity, sizeof *front->means);
    front->values = calloc(2 * capacity, sizeof *front->values);
    front->order = calloc(capacity, sizeof *front->order);
    front->rows = calloc(capacity, sizeof *front->rows);
    if (front->origins == NULL || front->means == NULL || front->values == NULL ||
        front->order == NULL || front->rows == NULL) {
        gp_front_reset(front);
        FAIL(STATUS_ERR_NOMEM, "no memory for a front of %zu points", capacity);
    }
    return STATUS_OK;
}

/* a mean of +infinity stands for what is not allowed */
static void exclude_infeasible(GpFront *f, const AcquisitionSearch *search, size_t n) {
    double *constrained = f->means + 2 * f->capacity;
    for (size_t c = 0; c < search->constraint_count; c++) {
        gaussian_process_predict(search->constraints[c].gp, gaussian_process_point(search->gp, 0),
                                 n, (GaussianProcessPrediction){.mean = constrained});
        for (size_t i = 0; i < n; i++) {
            if (!(constrained[i] <= search->constraints[c].upper)) {
                f->means[i] = (double)INFINITY;
            }
        }
    }
}

/* moves the allowed ones to the front of the arrays; rows says where they come from */
static size_t keep_allowed(GpFront *f, size_t n) {
    double *first = f->means;
    double *second = f->means + f->capacity;
    size_t  kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (isfinite(first[i]) && isfinite(second[i])) {
            first[kept] = first[i];
            second[kept] = second[i];
            f->rows[kept++] = i;
        }
    }
    return kept;
}

/* Behind the worst of the allowed points in one objective, without those that are far out (Tukey's
 * fence): a wall of bad results would stretch the hypervolume until nothing on the front counts.
 * Not behind the front alone, as BoTorch infers it: a front that is short at first stays short
 * then, because what would prolong it lies behind the corner and improves nothing. Never in front
 * of it.
 */
static double corner_of(GpFront *f, const double *values, size_t n, const double *front) {
    double *sorted = f->means + 2 * f->capacity; /* what exclude_infeasible() needed */
    double  highest = front[0];
    for (size_t i = 1; i < f->front.m; i++) {
        highest = fmax(highest, front[i]);
    }
    memcpy(sorted, values, n * sizeof *sorted);
    statistics_sort(sorted, n);
    const Sample sample = {sorted, n};
    const double upper = statistics_quantile(sample, 0.75);
    const double fence = upper + FENCE * (upper - statistics_quantile(sample, 0.25));
    const double worst = fmax(highest, fmin(sorted[n - 1], fence));
    const double range = worst - sorted[0];
    return worst + ((range > 0.0) ? BEHIND * range : 1.0);
}

static void choose_origins(GpFront *f, const AcquisitionSearch *search) {
    const size_t m = f->front.m;
    f->origin_count = (m < MOST_ORIGINS) ? m : MOST_ORIGINS;
    for (size_t k = 0; k < f->origin_count; k++) {
        const size_t row = f->rows[f->order[k * m / f->origin_count]];
        memcpy(f->origins + k * f->d, gaussian_process_point(search->gp, row),
               f->d * sizeof *f->origins);
    }
}

void gp_front_find(GpFront *front, const AcquisitionSearch *search) {
    const size_t  n = gaussian_process_count(search->gp);
    const double *points = gaussian_process_point(search->gp, 0);
    double       *first = front->means;
    double       *second = front->means + front->capacity;
    gaussian_process_predict(search->gp, points, n, (GaussianProcessPrediction){.mean = first});
    gaussian_process_predict(search->second, points, n,
                             (GaussianProcessPrediction){.mean = second});
    exclude_infeasible(front, search, n);
    const size_t kept = keep_allowed(front, n);
    const size_t m = hypervolume_front(first, second, kept, front->order);
    double      *values = front->values;
    for (size_t k = 0; k < m; k++) {
        values[k] = first[front->order[k]];
        values[front->capacity + k] = second[front->order[k]];
    }
    front->front = (HypervolumeFront){values, values + front->capacity, m, {0.0, 0.0}};
    if (m > 0) {
        front->front.reference[0] = corner_of(front, first, kept, values);
        front->front.reference[1] = corner_of(front, second, kept, values + front->capacity);
    }
    choose_origins(front, search);
}
