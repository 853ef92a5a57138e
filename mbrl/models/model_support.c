#include "mbrl/models/model_support.h"

#include <math.h>
#include <string.h>

/* PETS, reference implementation: an input whose standard deviation is below this is not scaled */
#define SCALER_SMALLEST_SD 1e-12

/* rows per call of predict() */
enum { BLOCK_ROWS = 64 };

Status model_check_rows(const char *model, const Dataset *data, size_t input_dim, size_t output_dim,
                        const uint32_t *rows, size_t count) {
    if (data->input_dim != input_dim || data->output_dim != output_dim) {
        FAIL(STATUS_ERR_SHAPE, "%s: data of %zu inputs and %zu outputs, the model has %zu, %zu",
             model, data->input_dim, data->output_dim, input_dim, output_dim);
    }
    for (size_t k = 0; k < count; k++) {
        const size_t row = (rows == NULL) ? k : rows[k];
        if (row >= data->n) {
            FAIL(STATUS_ERR_RANGE, "%s: row %zu to score, the data has %zu", model, row, data->n);
        }
    }
    return STATUS_OK;
}

Status model_check_same(const char *model, const OptionSpec *rows, const double *now,
                        const double *wanted) {
    for (size_t i = 0; rows[i].name != NULL; i++) {
        if (rows[i].dynamic != OPTION_DYNAMIC && now[i] != wanted[i]) {
            FAIL(STATUS_ERR_STATE, "%s: a model with '%s' %g cannot continue with %g", model,
                 rows[i].name, now[i], wanted[i]);
        }
    }
    return STATUS_OK;
}

bool model_always_stochastic(const void *self) {
    (void)self;
    return true;
}

void model_fit_scaler(const Dataset *data, float *mean, float *inverse) {
    const double n = (double)(data->train_count - data->train_first);
    for (size_t i = 0; i < data->input_dim; i++) {
        double sum = 0.0;
        for (size_t k = data->train_first; k < data->train_count; k++) {
            sum += (double)data->inputs[data->train_rows[k] * data->input_dim + i];
        }
        const double middle = sum / n;
        double       squares = 0.0;
        for (size_t k = data->train_first; k < data->train_count; k++) {
            const double x = (double)data->inputs[data->train_rows[k] * data->input_dim + i];
            squares += (x - middle) * (x - middle);
        }
        const double sd = sqrt(squares / n);
        mean[i] = (float)middle;
        inverse[i] = (sd < SCALER_SMALLEST_SD) ? 1.0f : (float)(1.0 / sd);
    }
}

void model_scale_block(const float *mean, const float *inverse, size_t inputs, const float *x,
                       size_t stride, size_t n, size_t lanes, float *block) {
    for (size_t i = 0; i < inputs; i++) {
        const float middle = mean[i];
        const float factor = inverse[i];
        for (size_t j = 0; j < n; j++) {
            block[i * lanes + j] = (x[j * stride + i] - middle) * factor;
        }
        for (size_t j = n; j < lanes; j++) {
            block[i * lanes + j] = 0.0f;
        }
    }
}

void model_store_rows(const float *block, size_t outputs, size_t lanes, size_t n, float *rows) {
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < outputs; d++) {
            rows[j * outputs + d] = block[d * lanes + j];
        }
    }
}

size_t model_score_scratch(size_t inputs, size_t outputs, size_t predict_scratch) {
    const size_t rows = BLOCK_ROWS;
    return predict_scratch + arena_need(rows * inputs, sizeof(float)) +
           2 * arena_need(rows * outputs, sizeof(float));
}

/* adds one row's NLL and squared error */
static void score_row(const double *scale, size_t o, const float *mean, const float *sd,
                      const float *target, ScoreReport *sums) {
    for (size_t d = 0; d < o; d++) {
        if (scale[d] > 0.0) {
            const double error = ((double)mean[d] - (double)target[d]) / scale[d];
            const double width = (double)sd[d] / scale[d];
            sums->nll +=
                0.5 * MODEL_LOG_TWO_PI + log(width) + 0.5 * (error / width) * (error / width);
            sums->mse += error * error;
        }
    }
}

Status model_score_predictions(const DynamicsModelOps *ops, const void *self,
                               const double *target_scale, const Dataset *data,
                               const uint32_t *rows, size_t count, Arena *scratch,
                               ScoreReport *report) {
    const size_t i = data->input_dim;
    const size_t o = data->output_dim;
    const size_t mark = arena_mark(scratch);
    ScoreReport  sums = {.nll = 0.0};
    float       *x = NULL;
    float       *mean = NULL;
    float       *sd = NULL;
    TRY(ARENA_TAKE(scratch, float, i *(size_t)BLOCK_ROWS, &x));
    TRY(ARENA_TAKE(scratch, float, o *(size_t)BLOCK_ROWS, &mean));
    TRY(ARENA_TAKE(scratch, float, o *(size_t)BLOCK_ROWS, &sd));
    for (size_t first = 0; first < count; first += BLOCK_ROWS) {
        const size_t n = (count - first < BLOCK_ROWS) ? count - first : BLOCK_ROWS;
        for (size_t j = 0; j < n; j++) {
            const size_t row = (rows == NULL) ? first + j : rows[first + j];
            memcpy(x + j * i, data->inputs + row * i, i * sizeof *x);
        }
        TRY(ops->predict(self, 0, x, i, n, mean, sd, scratch));
        for (size_t j = 0; j < n; j++) {
            const size_t row = (rows == NULL) ? first + j : rows[first + j];
            score_row(target_scale, o, mean + j * o, sd + j * o, data->targets + row * o, &sums);
        }
    }
    arena_release(scratch, mark);
    double scored = 0.0;
    for (size_t d = 0; d < o; d++) {
        scored += (target_scale[d] > 0.0) ? (double)count : 0.0;
    }
    /* no row or no dimension: 0 / 0 = NaN */
    *report = (ScoreReport){.nll = sums.nll / scored,
                            .nll_member = sums.nll / scored,
                            .mse = sums.mse / scored,
                            .mse_member = sums.mse / scored,
                            .likelihood = LIKELIHOOD_PREDICTED};
    return STATUS_OK;
}
