/* The table, the predictions and the state of the linear model; linear_fit.c says what it is. */
#include "mbrl/models/builtin.h"
#include "mbrl/models/linear_internal.h"

#include "core/kernel.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 }; /* rows of a prediction block, a multiple of LANE_STEP */

static const OptionSpec linear_options[LINEAR_OPTION_COUNT + 1] = {
    [LINEAR_ITERATIONS] = {"linear_iterations", OPTION_INT, 1, 10000, 300, OPTION_DYNAMIC, NULL,
                           "linear: steps to the likeliest prior and noise at most (count)",
                           "scikit-learn, BayesianRidge"},
};

static size_t saved_doubles(size_t i, size_t o) {
    return 2 + 2 * (i + o) + i * i + i * o + o + 2 * i + o * i + o + o * i * i + o;
}

static size_t posterior_numbers(size_t i, size_t o) {
    return 2 * i + o * i + o + o * i * i + o;
}

/* views of `memory`, in the order of the struct */
static void set_views(Linear *m) {
    const size_t i = m->i;
    const size_t o = m->o;
    double      *at = m->memory;
    struct {
        double **view;
        size_t   count;
    } const views[] = {
        {&m->range, 2},        {&m->origin, i + o}, {&m->sums, i + o},       {&m->xx, i * i},
        {&m->xy, i * o},       {&m->yy, o},         {&m->mean, i},           {&m->inverse, i},
        {&m->weights, o * i},  {&m->bias, o},       {&m->whiten, o * i * i}, {&m->noise, o},
        {&m->target_scale, o}, {&m->gram, i * i},   {&m->precision, i * i},  {&m->moment, i},
        {&m->solution, i},
    };
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        *views[k].view = at;
        at += views[k].count;
    }
}

static void linear_destroy(void *self) {
    Linear *m = self;
    if (m != NULL) {
        arena_reset(&m->scratch);
        free(m->memory);
        free(m->narrow);
        free(m);
    }
}

static size_t predict_need(size_t i, size_t o) {
    return 2 * arena_need(i * (size_t)BLOCK, sizeof(float)) +
           2 * arena_need(o * (size_t)BLOCK, sizeof(float));
}

/* the posterior in float, as predict() uses it */
void linear__narrow(Linear *m) {
    for (size_t k = 0; k < posterior_numbers(m->i, m->o); k++) {
        m->narrow[k] = (float)m->mean[k]; /* mean begins what lies in one piece */
    }
}

static void linear_reset(void *self, uint64_t seed, uint64_t step) {
    Linear *m = self;
    (void)seed; /* nothing here is random */
    (void)step;
    memset(m->memory, 0, m->saved * sizeof *m->memory);
    for (size_t k = 0; k < m->i; k++) {
        m->inverse[k] = 1.0;
    }
    for (size_t d = 0; d < m->o; d++) {
        m->noise[d] = (m->target_scale[d] > 0.0) ? pow(m->target_scale[d], 2) : 1.0;
    }
    linear__narrow(m);
}

static Status allocate(Linear *m) {
    const size_t i = m->i;
    const size_t o = m->o;
    m->saved = saved_doubles(i, o);
    m->memory = calloc(m->saved + o + 2 * i * i + 2 * i, sizeof *m->memory);
    m->narrow = calloc(posterior_numbers(i, o), sizeof *m->narrow);
    if (m->memory == NULL || m->narrow == NULL) {
        FAIL(STATUS_ERR_NOMEM, "linear: no memory for %zu inputs and %zu outputs", i, o);
    }
    set_views(m);
    return arena_init(&m->scratch, model_score_scratch(i, o, predict_need(i, o)));
}

static Status linear_create(const DynamicsModelSetup *setup, const double *option_values,
                            void **self) {
    *self = NULL;
    TRY(option_check_all(linear_options, option_values));
    if (setup->input_dim == 0 || setup->output_dim == 0) {
        FAIL(STATUS_ERR_ARG, "linear: %zu inputs and %zu outputs, expected at least 1 of each",
             setup->input_dim, setup->output_dim);
    }
    Linear *m = calloc(1, sizeof *m);
    if (m == NULL) {
        FAIL(STATUS_ERR_NOMEM, "linear: no memory");
    }
    memcpy(m->values, option_values, sizeof m->values);
    m->i = setup->input_dim;
    m->o = setup->output_dim;
    const Status status = allocate(m);
    if (status != STATUS_OK) {
        linear_destroy(m);
        return status;
    }
    memcpy(m->target_scale, setup->target_scale, m->o * sizeof *m->target_scale);
    linear_reset(m, setup->seed, 0);
    *self = m;
    return STATUS_OK;
}

static Status linear_set(void *self, const double *option_values) {
    Linear *m = self;
    TRY(option_check_all(linear_options, option_values));
    TRY(model_check_same("linear", linear_options, m->values, option_values));
    memcpy(m->values, option_values, sizeof m->values);
    return STATUS_OK;
}

static size_t one(const void *self) {
    (void)self;
    return 1;
}

static size_t linear_outputs(const void *self) {
    const Linear *m = self;
    return m->o;
}

/* sum over rows of x (rows, lanes) squared, plus `more`; its root */
KERNEL_CLONES static void root_of_squares(const float *x, size_t rows, size_t lanes, float more,
                                          float *out) {
    for (size_t j = 0; j < lanes; j++) {
        out[j] = more;
    }
    for (size_t k = 0; k < rows; k++) {
        for (size_t j = 0; j < lanes; j++) {
            out[j] += x[k * lanes + j] * x[k * lanes + j];
        }
    }
    for (size_t j = 0; j < lanes; j++) {
        out[j] = sqrtf(out[j]);
    }
}

/* views of m->narrow */
typedef struct Narrow {
    const float *mean;
    const float *inverse;
    const float *weights;
    const float *bias;
    const float *whiten;
    const float *noise;
} Narrow;

static Narrow narrow_views(const Linear *m) {
    const float *at = m->narrow;
    return (Narrow){.mean = at,
                    .inverse = at + m->i,
                    .weights = at + 2 * m->i,
                    .bias = at + 2 * m->i + m->o * m->i,
                    .whiten = at + 2 * m->i + m->o * m->i + m->o,
                    .noise = at + 2 * m->i + m->o * m->i + m->o + m->o * m->i * m->i};
}

typedef struct Work {
    float *z;    /* (i, lanes) */
    float *side; /* (i, lanes) */
    float *mean; /* (o, lanes) */
    float *sd;   /* (o, lanes) */
} Work;

static Status take_work(const Linear *m, Arena *scratch, Work *work) {
    TRY(ARENA_TAKE(scratch, float, m->i *(size_t)BLOCK, &work->z));
    TRY(ARENA_TAKE(scratch, float, m->i *(size_t)BLOCK, &work->side));
    TRY(ARENA_TAKE(scratch, float, m->o *(size_t)BLOCK, &work->mean));
    return ARENA_TAKE(scratch, float, m->o *(size_t)BLOCK, &work->sd);
}

/* out (rows, BLOCK) = start + a (rows, i) z */
static void multiply(const Linear *m, const float *a, size_t rows, const float *start,
                     const float *z, float *out) {
    lane_gemm(&(LaneGemm){.m = rows,
                          .k = m->i,
                          .lanes = BLOCK,
                          .a = a,
                          .a_row = m->i,
                          .a_step = 1,
                          .b = z,
                          .b_row = BLOCK,
                          .c = out,
                          .c_row = BLOCK,
                          .start = start,
                          .start_row = 1});
}

static Status linear_predict(const void *self, size_t member, const float *x, size_t stride,
                             size_t n, float *mean, float *sd, Arena *scratch) {
    const Linear *m = self;
    const Narrow  p = narrow_views(m);
    const size_t  mark = arena_mark(scratch);
    Work          work;
    if (member >= 1) {
        FAIL(STATUS_ERR_ARG, "linear: member %zu of 1", member);
    }
    const Status status = take_work(m, scratch, &work);
    for (size_t first = 0; status == STATUS_OK && first < n; first += BLOCK) {
        const size_t count = (n - first < BLOCK) ? n - first : BLOCK;
        model_scale_block(p.mean, p.inverse, m->i, x + first * stride, stride, count, BLOCK,
                          work.z);
        multiply(m, p.weights, m->o, p.bias, work.z, work.mean);
        model_store_rows(work.mean, m->o, BLOCK, count, mean + first * m->o);
        for (size_t d = 0; sd != NULL && d < m->o; d++) {
            multiply(m, p.whiten + d * m->i * m->i, m->i, NULL, work.z, work.side);
            root_of_squares(work.side, m->i, BLOCK, p.noise[d], work.sd + d * BLOCK);
        }
        if (sd != NULL) {
            model_store_rows(work.sd, m->o, BLOCK, count, sd + first * m->o);
        }
    }
    arena_release(scratch, mark);
    return status;
}

static size_t linear_predict_scratch(const void *self, size_t n) {
    const Linear *m = self;
    (void)n; /* one block at a time */
    return predict_need(m->i, m->o);
}

static double predict_flop(size_t i, size_t o) {
    return 2.0 * (double)(o * i) + (double)o * (2.0 * (double)(i * i) + 2.0 * (double)i);
}

static double linear_predict_flop(const void *self) {
    const Linear *m = self;
    return predict_flop(m->i, m->o);
}

static Status linear_score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                           ScoreReport *report) {
    Linear *m = self;
    TRY(model_check_rows("linear", data, m->i, m->o, rows, count));
    return model_score_predictions(&model_linear_ops, m, m->target_scale, data, rows, count,
                                   &m->scratch, report);
}

/* what a saved model starts with; every field is compared on load */
typedef struct SavedHeader {
    char     magic[8];
    uint64_t inputs;
    uint64_t outputs;
} SavedHeader;

static SavedHeader header_of(const Linear *m) {
    return (SavedHeader){.magic = "mbt-lin1", .inputs = m->i, .outputs = m->o};
}

static Status linear_save(const void *self, Buffer *out) {
    const Linear     *m = self;
    const SavedHeader header = header_of(m);
    buffer_append(out, &header, sizeof header);
    buffer_append(out, m->memory, m->saved * sizeof *m->memory);
    return buffer_status(out);
}

static Status linear_load(void *self, const void *bytes, size_t length) {
    Linear           *m = self;
    const SavedHeader header = header_of(m);
    const size_t      expected = sizeof header + m->saved * sizeof *m->memory;
    if (length != expected) {
        FAIL(STATUS_ERR_CORRUPT, "linear: a saved model of %zu bytes, expected %zu", length,
             expected);
    }
    if (memcmp(bytes, &header, sizeof header) != 0) {
        FAIL(STATUS_ERR_CORRUPT, "linear: the saved model is not one of %zu inputs and %zu outputs",
             m->i, m->o);
    }
    memcpy(m->memory, (const char *)bytes + sizeof header, m->saved * sizeof *m->memory);
    linear__narrow(m);
    return STATUS_OK;
}

/* fit_flop at most: all rows are new, the evidence takes all its steps */
static void linear_cost(const ModelCostQuery *query, const double *option_values, ModelCost *out) {
    const size_t i = query->input_dim;
    const size_t o = query->output_dim;
    *out = (ModelCost){
        .predict_flop = predict_flop(i, o),
        .fit_flop = (double)query->rows * linear__row_flop(i, o) +
                    (double)o * (option_values[LINEAR_ITERATIONS] + 1.0) * linear__solve_flop(i),
        .bytes = (double)(sizeof(SavedHeader) + saved_doubles(i, o) * sizeof(double)),
        .members = 1,
        .planning = 1,
        .stochastic = true,
    };
}

const DynamicsModelOps model_linear_ops = {
    .name = "linear",
    .source = "MacKay (1992), Bayesian interpolation",
    .help = "Bayesian ridge regression per output: exact, incremental, cheap",
    .options = linear_options,
    .create = linear_create,
    .destroy = linear_destroy,
    .set = linear_set,
    .fit = linear__fit,
    .reset = linear_reset,
    .score = linear_score,
    .members = one,
    .stochastic = model_always_stochastic,
    .columns = one,
    .predict = linear_predict,
    .predict_scratch = linear_predict_scratch,
    .predict_flop = linear_predict_flop,
    .outputs = linear_outputs,
    .save = linear_save,
    .load = linear_load,
    .cost = linear_cost,
};
