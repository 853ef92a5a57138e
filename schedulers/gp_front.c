#include "schedulers/gp_front.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORIGINS = 16 };

/* of the range of the allowed points */
#define BEHIND 0.1

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

/* Behind the worst of all allowed points in one objective. Behind the worst of the front alone, as
 * BoTorch infers it, a front that is short at first stays short: what would prolong it lies behind
 * the reference and improves nothing. */
static double corner_of(const double *values, size_t n) {
    double lowest = values[0];
    double highest = values[0];
    for (size_t i = 1; i < n; i++) {
        lowest = fmin(lowest, values[i]);
        highest = fmax(highest, values[i]);
    }
    const double range = highest - lowest;
    return highest + ((range > 0.0) ? BEHIND * range : 1.0);
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
        front->front.reference[0] = corner_of(first, kept);
        front->front.reference[1] = corner_of(second, kept);
    }
    choose_origins(front, search);
}
