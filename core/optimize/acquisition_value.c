#include "core/optimize/acquisition_search_internal.h"

#include "core/optimize/log_expected_improvement.h"

#include <math.h>

size_t acquisition_values__scratch(size_t d) {
    return 2 * arena_need(ACQUISITION_BLOCK, sizeof(double)) +
           2 * arena_need(ACQUISITION_BLOCK * d, sizeof(double));
}

/* true where every constraint's posterior mean holds at x */
static bool is_feasible(const AcquisitionSearch *search, const double *x) {
    for (size_t c = 0; c < search->constraint_count; c++) {
        double mean = 0.0;
        gaussian_process_predict(search->constraints[c].gp, x, 1,
                                 (GaussianProcessPrediction){.mean = &mean});
        if (!(mean <= search->constraints[c].upper)) {
            return false;
        }
    }
    return true;
}

/* lowest posterior mean at an observed point, of those where the constraints hold */
static double feasible_incumbent(const AcquisitionSearch *search) {
    double lowest = (double)INFINITY;
    for (size_t i = 0; i < gaussian_process_count(search->gp); i++) {
        const double *x = gaussian_process_point(search->gp, i);
        double        mean = 0.0;
        gaussian_process_predict(search->gp, x, 1, (GaussianProcessPrediction){.mean = &mean});
        if (mean < lowest && is_feasible(search, x)) {
            lowest = mean;
        }
    }
    return lowest;
}

Status acquisition_values__init(AcquisitionValues *values, const AcquisitionSearch *search,
                                Arena *arena) {
    const size_t d = search->d;
    *values = (AcquisitionValues){.search = search};
    TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK, &values->mean));
    TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK, &values->variance));
    TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK *d, &values->mean_gradient));
    TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK *d, &values->variance_gradient));
    if (search->confidence > 0.0) {
        values->incumbent = 0.0; /* not used, but finite */
        return STATUS_OK;
    }
    values->incumbent = (search->constraint_count == 0) ? gaussian_process_incumbent(search->gp)
                                                        : feasible_incumbent(search);
    return STATUS_OK;
}

/* subtracts one logarithm, and its gradient by the chain rule */
static void subtract(const AcquisitionValues *values, size_t i, LogAcquisition term, double sd,
                     double *value, double *gradient) {
    const size_t  d = values->search->d;
    const double *by_mean = values->mean_gradient + i * d;
    const double *by_variance = values->variance_gradient + i * d;
    *value -= term.value;
    for (size_t j = 0; gradient != NULL && j < d; j++) {
        gradient[j] -= term.by_mean * by_mean[j] + term.by_sd * (0.5 / sd) * by_variance[j];
    }
}

static LogAcquisition objective_term(const AcquisitionValues *values, double mean, double sd) {
    const double confidence = values->search->confidence;
    return (confidence > 0.0) ? (LogAcquisition){confidence * sd - mean, -1.0, confidence}
                              : log_expected_improvement(mean, sd, values->incumbent);
}

/* one process' share of a block; constraint NULL: the objective's */
static void add_block(const AcquisitionValues *values, const AcquisitionConstraint *constraint,
                      const double *x, size_t m, double *value, double *gradient) {
    const size_t d = values->search->d;
    gaussian_process_predict(
        (constraint == NULL) ? values->search->gp : constraint->gp, x, m,
        (GaussianProcessPrediction){values->mean, values->variance,
                                    (gradient == NULL) ? NULL : values->mean_gradient,
                                    (gradient == NULL) ? NULL : values->variance_gradient});
    for (size_t i = 0; i < m; i++) {
        const double         sd = sqrt(values->variance[i]);
        const LogAcquisition term =
            (constraint == NULL)
                ? objective_term(values, values->mean[i], sd)
                : log_probability_of_feasibility(values->mean[i], sd, constraint->upper);
        subtract(values, i, term, sd, &value[i], (gradient == NULL) ? NULL : gradient + i * d);
    }
}

/* the predicted log cost of a block; only its mean, so it is cheap */
static void add_cost(const AcquisitionValues *values, const double *x, size_t m, double *value,
                     double *gradient) {
    const size_t d = values->search->d;
    gaussian_process_predict(
        values->search->log_cost, x, m,
        (GaussianProcessPrediction){.mean = values->mean,
                                    .mean_gradient =
                                        (gradient == NULL) ? NULL : values->mean_gradient});
    for (size_t i = 0; i < m; i++) {
        value[i] += values->mean[i];
    }
    for (size_t j = 0; gradient != NULL && j < m * d; j++) {
        gradient[j] += values->mean_gradient[j];
    }
}

void acquisition_values__evaluate(void *context, const double *x, size_t m, double *value,
                                  double *gradient) {
    const AcquisitionValues *values = context;
    const AcquisitionSearch *search = values->search;
    const size_t             d = search->d;
    for (size_t first = 0; first < m; first += ACQUISITION_BLOCK) {
        const size_t  left = m - first;
        const size_t  size = (left < ACQUISITION_BLOCK) ? left : ACQUISITION_BLOCK;
        const double *block = x + first * d;
        double       *slope = (gradient == NULL) ? NULL : gradient + first * d;
        for (size_t i = 0; i < size; i++) {
            value[first + i] = 0.0;
        }
        for (size_t j = 0; slope != NULL && j < size * d; j++) {
            slope[j] = 0.0;
        }
        if (isfinite(values->incumbent)) {
            add_block(values, NULL, block, size, value + first, slope);
        }
        for (size_t c = 0; c < search->constraint_count; c++) {
            add_block(values, &search->constraints[c], block, size, value + first, slope);
        }
        if (search->log_cost != NULL) {
            add_cost(values, block, size, value + first, slope);
        }
    }
}
