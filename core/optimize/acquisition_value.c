#include "core/optimize/acquisition_search_internal.h"

#include "core/optimize/log_expected_improvement.h"

#include <math.h>

size_t acquisition_values__scratch(size_t d) {
    return 4 * arena_need(ACQUISITION_BLOCK, sizeof(double)) +
           4 * arena_need(ACQUISITION_BLOCK * d, sizeof(double));
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
    for (size_t k = 0; k < 2; k++) {
        GaussianProcessPrediction *out = &values->prediction[k];
        TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK, &out->mean));
        TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK, &out->variance));
        TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK *d, &out->mean_gradient));
        TRY(ARENA_TAKE(arena, double, ACQUISITION_BLOCK *d, &out->variance_gradient));
    }
    if (search->second != NULL) {
        return STATUS_OK; /* the front is the incumbent */
    }
    if (search->confidence > 0.0) {
        values->incumbent = 0.0; /* not used, but finite */
        return STATUS_OK;
    }
    values->incumbent = (search->constraint_count == 0) ? gaussian_process_incumbent(search->gp)
                                                        : feasible_incumbent(search);
    return STATUS_OK;
}

/* scratch for one process' predictions, with gradients where they are wanted */
static GaussianProcessPrediction predict(const AcquisitionValues *values, size_t which,
                                         GaussianProcess *gp, const double *x, size_t m,
                                         bool gradients) {
    GaussianProcessPrediction out = values->prediction[which];
    out.mean_gradient = gradients ? out.mean_gradient : NULL;
    out.variance_gradient = gradients ? out.variance_gradient : NULL;
    gaussian_process_predict(gp, x, m, out);
    return out;
}

/* subtracts the gradient of one logarithm at row i, by the chain rule */
static void subtract_gradient(const GaussianProcessPrediction *prediction, size_t i, size_t d,
                              LogAcquisition term, double *gradient) {
    const double by_variance = term.by_sd * 0.5 / sqrt(prediction->variance[i]);
    for (size_t j = 0; j < d; j++) {
        gradient[j] -= term.by_mean * prediction->mean_gradient[i * d + j] +
                       by_variance * prediction->variance_gradient[i * d + j];
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
    const size_t                    d = values->search->d;
    const GaussianProcessPrediction prediction =
        predict(values, 0, (constraint == NULL) ? values->search->gp : constraint->gp, x, m,
                gradient != NULL);
    for (size_t i = 0; i < m; i++) {
        const double         mean = prediction.mean[i];
        const double         sd = sqrt(prediction.variance[i]);
        const LogAcquisition term =
            (constraint == NULL) ? objective_term(values, mean, sd)
                                 : log_probability_of_feasibility(mean, sd, constraint->upper);
        value[i] -= term.value;
        if (gradient != NULL) {
            subtract_gradient(&prediction, i, d, term, gradient + i * d);
        }
    }
}

/* what two objectives gain */
static void add_front(const AcquisitionValues *values, const double *x, size_t m, double *value,
                      double *gradient) {
    const AcquisitionSearch        *search = values->search;
    const size_t                    d = search->d;
    const GaussianProcessPrediction of[2] = {
        predict(values, 0, search->gp, x, m, gradient != NULL),
        predict(values, 1, search->second, x, m, gradient != NULL),
    };
    for (size_t i = 0; i < m; i++) {
        const double         mean[2] = {of[0].mean[i], of[1].mean[i]};
        const double         sd[2] = {sqrt(of[0].variance[i]), sqrt(of[1].variance[i])};
        const LogHypervolume term = log_hypervolume_improvement(search->front, mean, sd);
        value[i] -= term.value;
        for (size_t k = 0; gradient != NULL && k < 2; k++) {
            const LogAcquisition part = {.by_mean = term.by_mean[k], .by_sd = term.by_sd[k]};
            subtract_gradient(&of[k], i, d, part, gradient + i * d);
        }
    }
}

/* the predicted log cost of a block; only its mean, so it is cheap */
static void add_cost(const AcquisitionValues *values, const double *x, size_t m, double *value,
                     double *gradient) {
    const size_t                    d = values->search->d;
    const GaussianProcessPrediction out = {
        .mean = values->prediction[0].mean,
        .mean_gradient = (gradient == NULL) ? NULL : values->prediction[0].mean_gradient,
    };
    gaussian_process_predict(values->search->log_cost, x, m, out);
    for (size_t i = 0; i < m; i++) {
        value[i] += out.mean[i];
    }
    for (size_t j = 0; gradient != NULL && j < m * d; j++) {
        gradient[j] += out.mean_gradient[j];
    }
}

static void add_objective(const AcquisitionValues *values, const double *x, size_t m, double *value,
                          double *gradient) {
    if (values->search->second != NULL) {
        if (values->search->front->m > 0) {
            add_front(values, x, m, value, gradient);
        }
    } else if (isfinite(values->incumbent)) {
        add_block(values, NULL, x, m, value, gradient);
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
        add_objective(values, block, size, value + first, slope);
        for (size_t c = 0; c < search->constraint_count; c++) {
            add_block(values, &search->constraints[c], block, size, value + first, slope);
        }
        if (search->log_cost != NULL) {
            add_cost(values, block, size, value + first, slope);
        }
    }
}
