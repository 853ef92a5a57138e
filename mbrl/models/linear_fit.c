/* Bayesian ridge regression, one per output, with the evidence approximation: prior w ~ N(0,
 * 1/alpha) on standardized inputs, noise 1/beta, the intercept integrated out. All that it needs of
 * the data are sums, and a sum over rows taken in their order may be continued: a training call
 * adds the rows that joined and has the same bits as one that begins anew. Where the rows in use do
 * not begin where they did (data_limit) it does begin anew, since taking rows out of a sum is not
 * exact.
 *
 * Sources: MacKay (1992), Bayesian interpolation; Bishop (2006), section 3.5.
 */
#include "mbrl/models/linear_internal.h"

#include "core/linalg.h"
#include "core/number.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <string.h>

/* alpha and noise stay between these, in units of the output's variance; where they would leave the
 * data are explained exactly, or not at all */
#define ALPHA_SMALLEST 1e-8
#define ALPHA_LARGEST  1e8
#define NOISE_SMALLEST 1e-10
/* smallest variance of an output that is not taken as constant, in its unit squared */
#define VARIANCE_SMALLEST 1e-20
/* evidence steps end where log alpha and log beta move less */
#define EVIDENCE_TOLERANCE 1e-6
/* an input whose variance is below this is not scaled, as in the networks */
#define SCALER_SMALLEST 1e-24

static void add_row(Linear *m, const float *x, const float *y) {
    const size_t i = m->i;
    for (size_t k = 0; k < i; k++) {
        const double a = (double)x[k] - m->origin[k];
        m->sums[k] += a;
        for (size_t l = 0; l <= k; l++) {
            m->xx[k * i + l] += a * ((double)x[l] - m->origin[l]);
        }
        for (size_t d = 0; d < m->o; d++) {
            m->xy[k * m->o + d] += a * ((double)y[d] - m->origin[i + d]);
        }
    }
    for (size_t d = 0; d < m->o; d++) {
        const double b = (double)y[d] - m->origin[i + d];
        m->sums[i + d] += b;
        m->yy[d] += b * b;
    }
}

double linear__row_flop(size_t i, size_t o) {
    return (double)(i * (i + 1) + 2 * i * o + 2 * o + i);
}

static void begin_sums(Linear *m, const Dataset *data) {
    const size_t row = data->train_rows[data->train_first];
    memset(m->sums, 0, (m->i + m->o + m->i * m->i + m->i * m->o + m->o) * sizeof *m->sums);
    for (size_t k = 0; k < m->i; k++) {
        m->origin[k] = (double)data->inputs[row * m->i + k];
    }
    for (size_t d = 0; d < m->o; d++) {
        m->origin[m->i + d] = (double)data->targets[row * m->o + d];
    }
    m->range[0] = (double)data->train_first;
    m->range[1] = (double)data->train_first;
}

/* takes the training rows that joined into the sums; @return FLOP */
static double add_rows(Linear *m, const Dataset *data) {
    const bool goes_on = m->range[1] > m->range[0] && m->range[0] == (double)data->train_first &&
                         m->range[1] <= (double)data->train_count;
    if (!goes_on) {
        begin_sums(m, data);
    }
    const size_t from = (size_t)m->range[1];
    for (size_t k = from; k < data->train_count; k++) {
        const size_t row = data->train_rows[k];
        add_row(m, data->inputs + row * m->i, data->targets + row * m->o);
    }
    m->range[1] = (double)data->train_count;
    return (double)(data->train_count - from) * linear__row_flop(m->i, m->o);
}

/* what is known of one output: z = scaled inputs, y = target less its mean, over its deviation */
typedef struct Output {
    size_t d;
    double rows;
    double deviation;
    double squares; /* y^T y */
    double alpha;
    double beta;
    double used;     /* gamma, parameters that the data determine */
    double residual; /* |y - Z w|^2 */
    double length;   /* w^T w */
    double log_determinant;
} Output;

/* Gram matrix of the scaled inputs, and their scaler */
static void scale_gram(Linear *m, double rows) {
    const size_t i = m->i;
    for (size_t k = 0; k < i; k++) {
        const double shift = m->sums[k] / rows;
        const double variance = m->xx[k * i + k] / rows - shift * shift;
        m->mean[k] = m->origin[k] + shift;
        m->inverse[k] = (variance < SCALER_SMALLEST) ? 1.0 : 1.0 / sqrt(variance);
    }
    for (size_t k = 0; k < i; k++) {
        for (size_t l = 0; l <= k; l++) {
            const double centred = m->xx[k * i + l] - m->sums[k] * m->sums[l] / rows;
            m->gram[k * i + l] = centred * m->inverse[k] * m->inverse[l];
            m->gram[l * i + k] = m->gram[k * i + l];
        }
    }
}

/* m->moment = Z^T y, and the output's own numbers */
static void begin_output(Linear *m, Output *out) {
    const size_t i = m->i;
    const size_t d = out->d;
    const double sum = m->sums[i + d];
    const double variance = m->yy[d] / out->rows - pow(sum / out->rows, 2);
    out->deviation = (variance < VARIANCE_SMALLEST) ? 1.0 : sqrt(variance); /* NaN stays */
    out->squares = (m->yy[d] - sum * sum / out->rows) / (out->deviation * out->deviation);
    for (size_t k = 0; k < i; k++) {
        const double centred = m->xy[k * m->o + d] - m->sums[k] * sum / out->rows;
        m->moment[k] = centred * m->inverse[k] / out->deviation;
    }
    out->alpha = 1.0;
    out->beta = 1.0; /* 1 / variance of y */
}

/* posterior for alpha and beta: m->solution, whiten = L^-1 */
static Status solve_output(Linear *m, Output *out) {
    const size_t i = m->i;
    double      *whiten = m->whiten + out->d * i * i;
    for (size_t k = 0; k < i * i; k++) {
        m->precision[k] = out->beta * m->gram[k] + ((k % (i + 1) == 0) ? out->alpha : 0.0);
    }
    const DoubleMatrix factor = {m->precision, i, i, i};
    TRY(linalg_cholesky(double_matrix_view(factor), factor));
    memset(whiten, 0, i * i * sizeof *whiten);
    for (size_t k = 0; k < i; k++) {
        whiten[k * i + k] = 1.0;
        m->solution[k] = out->beta * m->moment[k];
    }
    TRY(linalg_solve_triangular(double_matrix_view(factor), LINALG_PLAIN,
                                (DoubleMatrix){whiten, i, i, i}));
    TRY(linalg_solve_cholesky(double_matrix_view(factor), (DoubleMatrix){m->solution, i, 1, 1}));
    out->log_determinant = linalg_log_determinant(double_matrix_view(factor));
    return STATUS_OK;
}

/* gamma, |w|^2 and the residual of the present solution */
static void measure_output(const Linear *m, Output *out) {
    const size_t  i = m->i;
    const double *whiten = m->whiten + out->d * i * i;
    const double *w = m->solution;
    double        trace = 0.0;
    double        fitted = 0.0;
    out->length = 0.0;
    for (size_t k = 0; k < i * i; k++) {
        trace += whiten[k] * whiten[k];
    }
    for (size_t k = 0; k < i; k++) {
        double row = 0.0;
        for (size_t l = 0; l < i; l++) {
            row += m->gram[k * i + l] * w[l];
        }
        fitted += w[k] * (row - 2.0 * m->moment[k]);
        out->length += w[k] * w[k];
    }
    out->used = (double)i - out->alpha * trace;
    out->residual = fmax(out->squares + fitted, 0.0);
}

static double clamp(double x, double low, double high) {
    return (x < low) ? low : ((x > high) ? high : x);
}

/* one step to the likeliest alpha and beta; @return how far they moved */
static double evidence_step(Output *out) {
    const double free_rows = fmax(out->rows - 1.0 - out->used, 0.5);
    const double alpha = clamp(out->used / out->length, ALPHA_SMALLEST, ALPHA_LARGEST);
    const double beta = 1.0 / fmax(out->residual / free_rows, NOISE_SMALLEST);
    const double moved = fmax(fabs(log(alpha / out->alpha)), fabs(log(beta / out->beta)));
    out->alpha = isnan(alpha) ? ALPHA_LARGEST : alpha; /* 0 / 0: nothing to explain */
    out->beta = beta;
    return moved;
}

double linear__solve_flop(size_t i) {
    const double n = (double)i;
    return 4.0 / 3.0 * n * n * n + 7.0 * n * n;
}

/* - log evidence per row, of y in its own unit */
static double negative_evidence(const Linear *m, const Output *out) {
    const double weights = out->log_determinant - (double)m->i * log(out->alpha) +
                           out->beta * out->residual + out->alpha * out->length;
    const double unit = MODEL_LOG_TWO_PI + 2.0 * log(out->deviation) - log(out->beta);
    return 0.5 * ((out->rows - 1.0) * unit + weights) / out->rows;
}

static Status fit_output(Linear *m, Output *out, FitReport *report) {
    const size_t i = m->i;
    const double most = m->values[LINEAR_ITERATIONS];
    double       moved = (double)INFINITY;
    int64_t      steps = 0;
    begin_output(m, out);
    TRY(solve_output(m, out));
    measure_output(m, out);
    while (moved > EVIDENCE_TOLERANCE && (double)steps < most) {
        moved = evidence_step(out);
        TRY(solve_output(m, out));
        measure_output(m, out);
        steps++;
    }
    report->epochs = (steps > report->epochs) ? steps : report->epochs;
    report->flop += (double)(steps + 1) * linear__solve_flop(i);
    report->loss += negative_evidence(m, out) / (double)m->o;
    const size_t d = out->d;
    for (size_t k = 0; k < i; k++) {
        m->weights[d * i + k] = out->deviation * m->solution[k];
        for (size_t l = 0; l < i; l++) {
            m->whiten[(d * i + k) * i + l] *= out->deviation;
        }
    }
    m->bias[d] = m->origin[i + d] + m->sums[i + d] / out->rows;
    /* the noise, and what is not known of the mean */
    m->noise[d] = out->deviation * out->deviation / out->beta * (1.0 + 1.0 / out->rows);
    return STATUS_OK;
}

Status linear__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                   FitReport *report) {
    Linear   *m = self;
    FitReport result = {.loss = 0.0};
    (void)seed;
    (void)step;
    TRY(model_check_rows("linear", data, m->i, m->o, NULL, 0));
    if (data->train_count == data->train_first) {
        FAIL(STATUS_ERR_STATE, "linear: no training rows (%zu rows, all held out)", data->n);
    }
    result.flop = add_rows(m, data);
    result.diverged = !number_all_finite(m->sums, m->i + m->o + m->i * m->i + m->i * m->o + m->o);
    const double rows = m->range[1] - m->range[0];
    if (!result.diverged) {
        scale_gram(m, rows);
    }
    for (size_t d = 0; d < m->o && !result.diverged; d++) {
        Output out = {.d = d, .rows = rows};
        /* a matrix that is not positive definite comes of numbers beyond all bounds */
        result.diverged = fit_output(m, &out, &result) != STATUS_OK || !isfinite(result.loss);
    }
    if (result.diverged) {
        result.loss = (double)NAN;
    }
    linear__narrow(m);
    *report = result;
    return STATUS_OK;
}
