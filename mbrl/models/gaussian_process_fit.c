/* One Gaussian process per output, squared exponential with a lengthscale per input, on
 * standardized inputs and targets. Where there are more training rows than points, every n-th is
 * taken, the oldest and the newest among them: coverage of all that was visited, the same for all
 * outputs, no draw. (Inducing inputs were left out: their own optimization costs more than they
 * save at a few hundred points.) The hyperparameters go on from those of the last call:
 * `gp_iterations` steps of Rprop on the marginal likelihood, which needs no line search, and the
 * best of them stay. The signal may be at most 1000 times the noise, where PILCO's penalty begins
 * to bite; it keeps the factor sound.
 *
 * Sources: Rasmussen & Williams (2006), Algorithm 2.1 and eq. 5.9; Blum & Riedmiller (2013),
 * Optimization of Gaussian process hyperparameters using Rprop; Deisenroth & Rasmussen (2011).
 */
#include "mbrl/models/gaussian_process_internal.h"

#include "core/linalg.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <string.h>

/* Blum & Riedmiller (2013): first step, growth and shrinkage; largest and smallest step */
#define RPROP_FIRST    0.1
#define RPROP_GROWS    1.2
#define RPROP_SHRINKS  0.5
#define RPROP_LARGEST  1.0
#define RPROP_SMALLEST 1e-6

/* bounds of the logarithms, in standard deviations of inputs and targets */
#define LENGTH_LOWEST     (-4.6) /* 0.01 */
#define LENGTH_HIGHEST    6.9    /* 1000: the input does not matter */
#define SIGNAL_LOWEST     (-6.9)
#define SIGNAL_HIGHEST    6.9
#define NOISE_LOWEST      (-6.9)
#define NOISE_HIGHEST     2.3
#define SIGNAL_OVER_NOISE 6.9 /* a factor of 1000 */

/* a target whose standard deviation is below this is not scaled, as inputs of networks */
#define SMALLEST_SD 1e-12

double gp__step_flop(size_t points, size_t inputs) {
    const double m = (double)points;
    /* factor, inverse of the factor, its square; covariance and gradient per pair */
    return m * m * m * (1.0 / 3.0 + 1.0 + 2.0) + m * m * (6.0 * (double)inputs + 30.0);
}

/* the points: rows of x and y */
static void take_points(GaussianProcess *gp, const Dataset *data) {
    const size_t rows = data->train_count - data->train_first;
    gp->m = (rows < gp->most) ? rows : gp->most;
    for (size_t p = 0; p < gp->m; p++) {
        const size_t k = (gp->m > 1) ? p * (rows - 1) / (gp->m - 1) : 0;
        const size_t row = data->train_rows[data->train_first + k];
        for (size_t l = 0; l < gp->i; l++) {
            gp->x[p * gp->i + l] = (double)((data->inputs[row * gp->i + l] - gp->scaler_mean[l]) *
                                            gp->scaler_inverse[l]);
        }
        for (size_t d = 0; d < gp->o; d++) {
            gp->y[d * gp->most + p] = (double)data->targets[row * gp->o + d];
        }
    }
}

static void standardize_targets(GaussianProcess *gp) {
    const double m = (double)gp->m;
    for (size_t d = 0; d < gp->o; d++) {
        double *y = gp->y + d * gp->most;
        double  mean = 0.0;
        double  squares = 0.0;
        for (size_t p = 0; p < gp->m; p++) {
            mean += y[p] / m;
        }
        for (size_t p = 0; p < gp->m; p++) {
            squares += (y[p] - mean) * (y[p] - mean) / m;
        }
        gp->target_mean[d] = mean;
        gp->target_sd[d] = (sqrt(squares) < SMALLEST_SD) ? 1.0 : sqrt(squares);
        for (size_t p = 0; p < gp->m; p++) {
            y[p] = (y[p] - mean) / gp->target_sd[d];
        }
    }
}

/* covariance without the noise, lower triangle; scaled = x over the lengthscales */
static void fill_covariance(GaussianProcess *gp, size_t d) {
    const size_t  i = gp->i;
    const double *theta = gp->theta + d * (i + 2);
    const double  signal = exp(2.0 * theta[i]);
    double       *scaled = gp->scaled + d * gp->most * i;
    for (size_t l = 0; l < i; l++) {
        const double scale = exp(-theta[l]);
        for (size_t p = 0; p < gp->m; p++) {
            scaled[p * i + l] = scale * gp->x[p * i + l];
        }
    }
    for (size_t p = 0; p < gp->m; p++) {
        for (size_t q = 0; q <= p; q++) {
            double sum = 0.0;
            for (size_t l = 0; l < i; l++) {
                const double apart = scaled[p * i + l] - scaled[q * i + l];
                sum += apart * apart;
            }
            gp->covariance[p * gp->m + q] = signal * exp(-0.5 * sum);
        }
    }
}

Status gp__condition(GaussianProcess *gp, size_t d, double *nll) {
    const size_t       m = gp->m;
    const double      *theta = gp->theta + d * (gp->i + 2);
    const double       noise = exp(2.0 * theta[gp->i + 1]);
    double            *whiten = gp->whiten + d * gp->most * gp->most;
    double            *alpha = gp->alpha + d * gp->most;
    const double      *y = gp->y + d * gp->most;
    const DoubleMatrix factor = {gp->inverse, m, m, m};
    double             fit = 0.0;
    fill_covariance(gp, d);
    memcpy(gp->inverse, gp->covariance, m * m * sizeof *gp->inverse);
    for (size_t p = 0; p < m; p++) {
        gp->inverse[p * m + p] += noise;
    }
    TRY(linalg_cholesky(double_matrix_view(factor), factor));
    for (size_t p = 0; p < m; p++) {
        memset(whiten + p * gp->most, 0, m * sizeof *whiten);
        whiten[p * gp->most + p] = 1.0;
        alpha[p] = y[p];
    }
    TRY(linalg_solve_triangular(double_matrix_view(factor), LINALG_PLAIN,
                                (DoubleMatrix){whiten, m, m, gp->most}));
    TRY(linalg_solve_cholesky(double_matrix_view(factor), (DoubleMatrix){alpha, m, 1, 1}));
    for (size_t p = 0; p < m; p++) {
        fit += y[p] * alpha[p];
    }
    *nll = 0.5 * (fit + linalg_log_determinant(double_matrix_view(factor)) +
                  (double)m * MODEL_LOG_TWO_PI);
    return STATUS_OK;
}

Status gp__differentiate(GaussianProcess *gp, size_t d) {
    const size_t       i = gp->i;
    const size_t       m = gp->m;
    const double      *scaled = gp->scaled + d * gp->most * i;
    const double      *alpha = gp->alpha + d * gp->most;
    const double       noise = exp(2.0 * gp->theta[d * (i + 2) + i + 1]);
    const DoubleMatrix whiten = {gp->whiten + d * gp->most * gp->most, m, m, gp->most};
    TRY(linalg_product_double(1.0, double_matrix_view(whiten), LINALG_TRANSPOSED,
                              double_matrix_view(whiten), LINALG_PLAIN, 0.0,
                              (DoubleMatrix){gp->weights, m, m, m}));
    memset(gp->gradient, 0, (i + 2) * sizeof *gp->gradient);
    for (size_t p = 0; p < m; p++) {
        for (size_t q = 0; q <= p; q++) {
            const double w = gp->weights[p * m + q] - alpha[p] * alpha[q];
            const double share = ((p == q) ? 0.5 : 1.0) * w * gp->covariance[p * m + q];
            for (size_t l = 0; l < i; l++) {
                const double apart = scaled[p * i + l] - scaled[q * i + l];
                gp->gradient[l] += share * apart * apart;
            }
            gp->gradient[i] += 2.0 * share;
            gp->gradient[i + 1] += (p == q) ? noise * w : 0.0;
        }
    }
    return STATUS_OK;
}

static double clamp(double x, double low, double high) {
    return (x < low) ? low : ((x > high) ? high : x);
}

static void keep_in_bounds(double *theta, size_t i) {
    for (size_t l = 0; l < i; l++) {
        theta[l] = clamp(theta[l], LENGTH_LOWEST, LENGTH_HIGHEST);
    }
    theta[i] = clamp(theta[i], SIGNAL_LOWEST, SIGNAL_HIGHEST);
    theta[i + 1] = clamp(theta[i + 1], NOISE_LOWEST, NOISE_HIGHEST);
    theta[i + 1] = fmax(theta[i + 1], theta[i] - SIGNAL_OVER_NOISE);
}

/* one step of iRprop- downhill */
static void rprop_step(GaussianProcess *gp, double *theta) {
    for (size_t l = 0; l < gp->i + 2; l++) {
        const double turn = gp->gradient[l] * gp->before[l];
        const double factor = (turn > 0.0) ? RPROP_GROWS : ((turn < 0.0) ? RPROP_SHRINKS : 1.0);
        gp->step[l] = clamp(factor * gp->step[l], RPROP_SMALLEST, RPROP_LARGEST);
        gp->before[l] = (turn < 0.0) ? 0.0 : gp->gradient[l];
        if (gp->before[l] != 0.0) {
            theta[l] -= copysign(gp->step[l], gp->before[l]);
        }
    }
    keep_in_bounds(theta, gp->i);
}

static Status fit_output(GaussianProcess *gp, size_t d, FitReport *report) {
    const size_t  count = gp->i + 2;
    double       *theta = gp->theta + d * count;
    const int64_t steps = (int64_t)gp->values[GP_ITERATIONS];
    double        best = (double)INFINITY;
    double        nll = (double)NAN;
    for (size_t l = 0; l < count; l++) {
        gp->step[l] = RPROP_FIRST;
        gp->before[l] = 0.0;
        gp->best[l] = theta[l];
    }
    for (int64_t k = 0; k < steps; k++) {
        TRY(gp__condition(gp, d, &nll));
        TRY(gp__differentiate(gp, d));
        if (nll < best) {
            best = nll;
            memcpy(gp->best, theta, count * sizeof *theta);
        }
        rprop_step(gp, theta);
    }
    TRY(gp__condition(gp, d, &nll));
    if (!(nll < best)) {
        memcpy(theta, gp->best, count * sizeof *theta);
        TRY(gp__condition(gp, d, &nll));
    }
    report->loss += (nll / (double)gp->m + log(gp->target_sd[d])) / (double)gp->o;
    report->flop += (double)(steps + 1) * gp__step_flop(gp->m, gp->i);
    return STATUS_OK;
}

static bool is_sound(const GaussianProcess *gp) {
    double sum = 0.0;
    for (size_t k = 0; k < gp->m * gp->i; k++) {
        sum += 0.0 * gp->x[k];
    }
    for (size_t d = 0; d < gp->o; d++) {
        sum += 0.0 * (gp->target_mean[d] + gp->target_sd[d]);
    }
    return sum == 0.0;
}

Status gp__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step, FitReport *report) {
    GaussianProcess *gp = self;
    FitReport        result = {.loss = 0.0, .epochs = (int64_t)gp->values[GP_ITERATIONS]};
    (void)seed; /* nothing here is random */
    (void)step;
    TRY(model_check_rows("gaussian_process", data, gp->i, gp->o, NULL, 0));
    if (data->train_count == data->train_first) {
        FAIL(STATUS_ERR_STATE, "gaussian_process: no training rows (%zu rows, all held out)",
             data->n);
    }
    model_fit_scaler(data, gp->scaler_mean, gp->scaler_inverse);
    take_points(gp, data);
    standardize_targets(gp);
    result.diverged = !is_sound(gp);
    for (size_t d = 0; d < gp->o && !result.diverged; d++) {
        /* a matrix that is not positive definite comes of numbers beyond all bounds */
        result.diverged = fit_output(gp, d, &result) != STATUS_OK || !isfinite(result.loss);
    }
    if (result.diverged) {
        result.loss = (double)NAN;
        gp->m = 0;
    }
    *report = result;
    return STATUS_OK;
}
