/* The table and the state of the Gaussian-process model; gaussian_process_fit.c says what it is. */
#include "mbrl/models/builtin.h"
#include "mbrl/models/gaussian_process_internal.h"

#include "mbrl/models/model_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* noise at the start, in standard deviations of the target */
#define FIRST_LOG_NOISE (-2.3) /* 0.1, as PILCO's 0.1 of the signal */

static const OptionSpec gp_options[GP_OPTION_COUNT + 1] = {
    [GP_POINTS] = {"gp_points", OPTION_INT, 2, 2000, 200, OPTION_STATIC, NULL,
                   "gaussian_process: training rows it rests on at most, evenly spaced from the "
                   "oldest to the newest (count)",
                   "pilco-matlab: up to 300"},
    [GP_ITERATIONS] = {"gp_iterations", OPTION_INT, 0, 1000, 20, OPTION_DYNAMIC, NULL,
                       "gaussian_process: steps on the marginal likelihood per training call "
                       "(count)",
                       "Blum & Riedmiller (2013)"},
};

static void gp_destroy(void *self) {
    GaussianProcess *gp = self;
    if (gp != NULL) {
        arena_reset(&gp->scratch);
        free(gp->memory);
        free(gp->scaler_mean);
        free(gp);
    }
}

static void gp_reset(void *self, uint64_t seed, uint64_t step) {
    GaussianProcess *gp = self;
    (void)seed; /* nothing here is random */
    (void)step;
    gp->m = 0;
    for (size_t l = 0; l < gp->i; l++) {
        gp->scaler_mean[l] = 0.0f;
        gp->scaler_inverse[l] = 1.0f;
    }
    for (size_t d = 0; d < gp->o; d++) {
        double *theta = gp->theta + d * (gp->i + 2);
        gp->target_mean[d] = 0.0;
        gp->target_sd[d] = (gp->target_scale[d] > 0.0) ? gp->target_scale[d] : 1.0;
        /* a lengthscale per input grows with the number of inputs, or nothing would be alike */
        for (size_t l = 0; l < gp->i; l++) {
            theta[l] = 0.5 * log((double)gp->i);
        }
        theta[gp->i] = 0.0;
        theta[gp->i + 1] = FIRST_LOG_NOISE;
    }
}

/* one block of doubles with views into it */
static Status allocate(GaussianProcess *gp) {
    const size_t i = gp->i;
    const size_t o = gp->o;
    const size_t c = gp->most;
    struct {
        double **view;
        size_t   count;
    } const views[] = {
        {&gp->target_scale, o},    {&gp->target_mean, o},    {&gp->target_sd, o},
        {&gp->theta, o * (i + 2)}, {&gp->x, c * i},          {&gp->y, o * c},
        {&gp->alpha, o * c},       {&gp->whiten, o * c * c}, {&gp->scaled, o * c * i},
        {&gp->covariance, c * c},  {&gp->inverse, c * c},    {&gp->weights, c * c},
        {&gp->gradient, i + 2},    {&gp->step, i + 2},       {&gp->before, i + 2},
        {&gp->best, i + 2},
    };
    size_t count = 0;
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        count += views[k].count;
    }
    gp->memory = calloc(count, sizeof *gp->memory);
    gp->scaler_mean = calloc(2 * i, sizeof *gp->scaler_mean);
    if (gp->memory == NULL || gp->scaler_mean == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian_process: no memory for %zu outputs of %zu points", o, c);
    }
    gp->scaler_inverse = gp->scaler_mean + i;
    count = 0;
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        *views[k].view = gp->memory + count;
        count += views[k].count;
    }
    return arena_init(&gp->scratch, model_score_scratch(i, o, gp__predict_scratch(i, o, c)));
}

static Status gp_create(const DynamicsModelSetup *setup, const double *option_values, void **self) {
    *self = NULL;
    TRY(option_check_all(gp_options, option_values));
    if (setup->input_dim == 0 || setup->output_dim == 0) {
        FAIL(STATUS_ERR_ARG,
             "gaussian_process: %zu inputs and %zu outputs, expected at least 1 of each",
             setup->input_dim, setup->output_dim);
    }
    GaussianProcess *gp = calloc(1, sizeof *gp);
    if (gp == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian_process: no memory");
    }
    memcpy(gp->values, option_values, sizeof gp->values);
    gp->i = setup->input_dim;
    gp->o = setup->output_dim;
    gp->most = (size_t)option_values[GP_POINTS];
    const Status status = allocate(gp);
    if (status != STATUS_OK) {
        gp_destroy(gp);
        return status;
    }
    memcpy(gp->target_scale, setup->target_scale, gp->o * sizeof *gp->target_scale);
    gp_reset(gp, setup->seed, 0);
    *self = gp;
    return STATUS_OK;
}

static Status gp_set(void *self, const double *option_values) {
    GaussianProcess *gp = self;
    TRY(option_check_all(gp_options, option_values));
    TRY(model_check_same("gaussian_process", gp_options, gp->values, option_values));
    memcpy(gp->values, option_values, sizeof gp->values);
    return STATUS_OK;
}

static Status gp_score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                       ScoreReport *report) {
    GaussianProcess *gp = self;
    TRY(model_check_rows("gaussian_process", data, gp->i, gp->o, rows, count));
    return model_score_predictions(&model_gaussian_process_ops, gp, gp->target_scale, data, rows,
                                   count, &gp->scratch, report);
}

static size_t one(const void *self) {
    (void)self;
    return 1;
}

static size_t gp_outputs(const void *self) {
    const GaussianProcess *gp = self;
    return gp->o;
}

static size_t gp_predict_scratch(const void *self, size_t n) {
    const GaussianProcess *gp = self;
    (void)n; /* one block at a time */
    return gp__predict_scratch(gp->i, gp->o, gp->most);
}

static double gp_predict_flop(const void *self) {
    const GaussianProcess *gp = self;
    return gp__predict_flop(gp->i, gp->o, gp->m);
}

/* what a saved model starts with; all but the points are compared on load */
typedef struct SavedHeader {
    char     magic[8];
    uint64_t inputs;
    uint64_t outputs;
    uint64_t most;
    uint64_t points;
} SavedHeader;

static SavedHeader header_of(const GaussianProcess *gp, size_t points) {
    return (SavedHeader){
        .magic = "mbt-gp01", .inputs = gp->i, .outputs = gp->o, .most = gp->most, .points = points};
}

static size_t saved_bytes(size_t i, size_t o, size_t points) {
    return sizeof(SavedHeader) + 2 * i * sizeof(float) +
           (2 * o + o * (i + 2) + points * (i + o)) * sizeof(double);
}

/* The factors are not written: they follow from the points and the hyperparameters, bit for bit. */
static Status gp_save(const void *self, Buffer *out) {
    const GaussianProcess *gp = self;
    const SavedHeader      header = header_of(gp, gp->m);
    buffer_append(out, &header, sizeof header);
    buffer_append(out, gp->scaler_mean, 2 * gp->i * sizeof *gp->scaler_mean);
    buffer_append(out, gp->target_mean, (2 * gp->o + gp->o * (gp->i + 2)) * sizeof(double));
    buffer_append(out, gp->x, gp->m * gp->i * sizeof *gp->x);
    for (size_t d = 0; d < gp->o; d++) {
        buffer_append(out, gp->y + d * gp->most, gp->m * sizeof *gp->y);
    }
    return buffer_status(out);
}

static const char *take(const char *at, void *out, size_t bytes) {
    memcpy(out, at, bytes);
    return at + bytes;
}

static Status gp_load(void *self, const void *bytes, size_t length) {
    GaussianProcess *gp = self;
    SavedHeader      header;
    double           nll = 0.0;
    if (length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "gaussian_process: a saved model of %zu bytes", length);
    }
    memcpy(&header, bytes, sizeof header);
    const size_t      points = (header.points <= gp->most) ? (size_t)header.points : gp->most;
    const SavedHeader expected = header_of(gp, points);
    if (memcmp(&header, &expected, sizeof header) != 0) {
        FAIL(STATUS_ERR_CORRUPT,
             "gaussian_process: the saved model is not one of %zu inputs, %zu outputs and at most "
             "%zu points",
             gp->i, gp->o, gp->most);
    }
    if (length != saved_bytes(gp->i, gp->o, points)) {
        FAIL(STATUS_ERR_CORRUPT, "gaussian_process: a saved model of %zu bytes, expected %zu",
             length, saved_bytes(gp->i, gp->o, points));
    }
    const char *at = (const char *)bytes + sizeof header;
    gp->m = points;
    at = take(at, gp->scaler_mean, 2 * gp->i * sizeof *gp->scaler_mean);
    at = take(at, gp->target_mean, (2 * gp->o + gp->o * (gp->i + 2)) * sizeof(double));
    at = take(at, gp->x, points * gp->i * sizeof *gp->x);
    for (size_t d = 0; d < gp->o; d++) {
        at = take(at, gp->y + d * gp->most, points * sizeof *gp->y);
    }
    for (size_t d = 0; d < gp->o; d++) {
        if (gp__condition(gp, d, &nll) != STATUS_OK) {
            gp_reset(gp, 0, 0);
            FAIL(STATUS_ERR_CORRUPT, "gaussian_process: the saved points have no covariance");
        }
    }
    return STATUS_OK;
}

static void gp_cost(const ModelCostQuery *query, const double *option_values, ModelCost *out) {
    const size_t most = (size_t)option_values[GP_POINTS];
    const size_t points = (query->rows < most) ? query->rows : most;
    const double steps = option_values[GP_ITERATIONS] + 1.0;
    *out = (ModelCost){
        .predict_flop = gp__predict_flop(query->input_dim, query->output_dim, points),
        .fit_flop = (double)query->output_dim * steps * gp__step_flop(points, query->input_dim),
        .bytes = (double)saved_bytes(query->input_dim, query->output_dim, points),
        .members = 1,
        .planning = 1,
        .stochastic = true,
    };
}

const DynamicsModelOps model_gaussian_process_ops = {
    .name = "gaussian_process",
    .source = "Rasmussen & Williams (2006), chapters 2 and 5",
    .help = "a Gaussian process per output with a squared exponential kernel, on a capped number "
            "of points",
    .options = gp_options,
    .create = gp_create,
    .destroy = gp_destroy,
    .set = gp_set,
    .fit = gp__fit,
    .reset = gp_reset,
    .score = gp_score,
    .members = one,
    .stochastic = model_always_stochastic,
    .columns = one,
    .predict = gp__predict,
    .predict_scratch = gp_predict_scratch,
    .predict_flop = gp_predict_flop,
    .outputs = gp_outputs,
    .save = gp_save,
    .load = gp_load,
    .cost = gp_cost,
};
