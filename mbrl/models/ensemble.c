/* Probabilistic ensemble of PETS: members share inputs and scaler, nothing else. Each has its own
 * bounds of the log variance (PETS shares one pair, with the same start and the same penalty): so a
 * member's training touches its own block only, which with its moments stays in L2, and the result
 * does not depend on the order of members.
 */
#include "mbrl/models/ensemble_internal.h"

#include "mbrl/models/lane_gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PETS     "Chua et al. (2018), PETS, arXiv 1805.12114"
#define NOTEBOOK "mbrl-lib, notebooks/pets_example.ipynb"

static const char *const activations[] = {"swish", "leaky_relu", "relu", "tanh", NULL};
static const char *const bounds_kinds[] = {"learned", "fixed", NULL};

static const OptionSpec ensemble_options[ENSEMBLE_OPTION_COUNT + 1] = {
    [ENSEMBLE_LEARNING_RATE] = {"model_learning_rate", OPTION_FLOAT, 1e-6, 1.0, 1e-3, true, NULL,
                                "Adam's learning rate of the dynamics model", PETS},
    [ENSEMBLE_WEIGHT_DECAY] = {"model_weight_decay", OPTION_FLOAT, 0.0, 1.0, 5e-5, true, NULL,
                               "penalty 0.5 x this x |W|^2 on the weights, not the biases",
                               NOTEBOOK},
    [ENSEMBLE_TRAIN_EPOCHS] = {"model_train_epochs", OPTION_INT, 1, 1000, 25, true, NULL,
                               "passes over the data per training call (count)",
                               "mbrl-lib, pets_cartpole override"},
    [ENSEMBLE_BATCH_SIZE] = {"model_batch_size", OPTION_INT, 1, 65536, 32, true, NULL,
                             "rows per gradient step (count)", PETS},
    [ENSEMBLE_SIZE] = {"ensemble_size", OPTION_INT, 1, ENSEMBLE_MAX_MEMBERS, 5, false, NULL,
                       "networks in the ensemble (count)", PETS},
    [ENSEMBLE_HIDDEN_LAYERS] = {"hidden_layers", OPTION_INT, 1, NETWORK_MAX_LAYERS - 1, 3, false,
                                NULL, "hidden layers per network (count)", PETS},
    [ENSEMBLE_HIDDEN_WIDTH] = {"hidden_width", OPTION_INT, 1, 4096, 200, false, NULL,
                               "units per hidden layer (count)", PETS},
    [ENSEMBLE_ACTIVATION] = {"activation", OPTION_CHOICE, 0, 3, ACTIVATION_SWISH, false,
                             activations, "activation of the hidden layers", PETS},
    [ENSEMBLE_LOGVAR_BOUNDS] = {"logvar_bounds", OPTION_CHOICE, 0, 1, ENSEMBLE_BOUNDS_LEARNED,
                                false, bounds_kinds,
                                "bounds of the log variance, starting at -10 and +0.5", PETS},
    [ENSEMBLE_BOOTSTRAP] = {"bootstrap", OPTION_BOOL, 0, 1, 1, false, NULL,
                            "members train on resampled rows; off: all on the same rows", PETS},
};

static size_t padded(size_t floats) {
    return (floats + (LANE_STEP - 1)) / LANE_STEP * LANE_STEP;
}

static void shape_of(size_t input_dim, size_t output_dim, const double *values, NetworkShape *out) {
    network_shape(input_dim, output_dim, (size_t)values[ENSEMBLE_HIDDEN_LAYERS],
                  (size_t)values[ENSEMBLE_HIDDEN_WIDTH], (Activation)values[ENSEMBLE_ACTIVATION],
                  out);
}

static Status check_options(const double *values) {
    for (size_t i = 0; i < ENSEMBLE_OPTION_COUNT; i++) {
        TRY(option_check(&ensemble_options[i], values[i]));
    }
    return STATUS_OK;
}

static void ensemble_destroy(void *self) {
    Ensemble *e = self;
    if (e == NULL) {
        return;
    }
    arena_reset(&e->scratch);
    free(e->memory);
    free(e->target_scale);
    free(e->order);
    free(e);
}

static size_t scratch_need(const Ensemble *e) {
    const size_t score =
        network_scratch_need(&e->shape) +
        arena_need(e->members * 2 * e->shape.outputs * NETWORK_LANES, sizeof(float)) +
        2 * arena_need(NETWORK_LANES * (e->shape.inputs + e->shape.outputs), sizeof(float));
    const size_t fit = network_training_need(&e->shape);
    return (score > fit) ? score : fit;
}

/* one aligned, zeroed allocation with views into it */
static Status allocate(Ensemble *e) {
    const size_t learned = e->members * e->shape.floats;
    const size_t inputs = padded(e->shape.inputs);
    const size_t widest = padded(e->shape.widest + 1);
    const size_t floats = 3 * learned + e->shape.floats + 2 * inputs + widest;

    e->memory = aligned_alloc(LANE_ALIGNMENT, floats * sizeof *e->memory);
    e->target_scale = calloc(e->shape.outputs, sizeof *e->target_scale);
    if (e->memory == NULL || e->target_scale == NULL) {
        FAIL(STATUS_ERR_NOMEM, "ensemble: no memory for %zu networks of %zu numbers", e->members,
             e->shape.floats);
    }
    memset(e->memory, 0, floats * sizeof *e->memory);
    e->block = e->memory;
    e->first = e->block + learned;
    e->second = e->first + learned;
    e->gradient = e->second + learned;
    e->scaler_mean = e->gradient + e->shape.floats;
    e->scaler_inverse = e->scaler_mean + inputs;
    e->decay = e->scaler_inverse + inputs;
    return arena_init(&e->scratch, scratch_need(e));
}

static Status ensemble_create(const DynamicsModelSetup *setup, const double *option_values,
                              void **self) {
    *self = NULL;
    TRY(check_options(option_values));
    if (setup->input_dim == 0 || setup->output_dim == 0) {
        FAIL(STATUS_ERR_ARG, "ensemble: %zu inputs and %zu outputs, expected at least 1 of each",
             setup->input_dim, setup->output_dim);
    }
    Ensemble *e = calloc(1, sizeof *e);
    if (e == NULL) {
        FAIL(STATUS_ERR_NOMEM, "ensemble: no memory");
    }
    memcpy(e->values, option_values, sizeof e->values);
    e->members = (size_t)option_values[ENSEMBLE_SIZE];
    shape_of(setup->input_dim, setup->output_dim, option_values, &e->shape);
    const Status status = allocate(e);
    if (status != STATUS_OK) {
        ensemble_destroy(e);
        return status;
    }
    memcpy(e->target_scale, setup->target_scale, setup->output_dim * sizeof *e->target_scale);
    for (size_t i = 0; i < setup->input_dim; i++) {
        e->scaler_inverse[i] = 1.0f;
    }
    for (size_t m = 0; m < e->members; m++) {
        Rng rng = rng_stream_lane(setup->seed, 0, RNG_MODEL_INIT, (uint32_t)m);
        network_init(&e->shape, &rng, e->block + m * e->shape.floats);
    }
    *self = e;
    return STATUS_OK;
}

static Status ensemble_set(void *self, const double *option_values) {
    Ensemble *e = self;
    TRY(check_options(option_values));
    for (size_t i = 0; i < ENSEMBLE_OPTION_COUNT; i++) {
        if (!ensemble_options[i].dynamic && option_values[i] != e->values[i]) {
            FAIL(STATUS_ERR_STATE, "ensemble: '%s' is static, it cannot change from %g to %g",
                 ensemble_options[i].name, e->values[i], option_values[i]);
        }
    }
    memcpy(e->values, option_values, sizeof e->values);
    return STATUS_OK;
}

Status ensemble__check_data(const Ensemble *e, const Dataset *data) {
    if (data->input_dim != e->shape.inputs || data->output_dim != e->shape.outputs) {
        FAIL(STATUS_ERR_SHAPE,
             "ensemble: data of %zu inputs and %zu outputs, the model has %zu, %zu",
             data->input_dim, data->output_dim, e->shape.inputs, e->shape.outputs);
    }
    return STATUS_OK;
}

void ensemble__scale(const Ensemble *e, const float *x, size_t stride, size_t n, size_t lanes,
                     float *block) {
    for (size_t i = 0; i < e->shape.inputs; i++) {
        const float mean = e->scaler_mean[i];
        const float inverse = e->scaler_inverse[i];
        for (size_t j = 0; j < n; j++) {
            block[i * lanes + j] = (x[j * stride + i] - mean) * inverse;
        }
        for (size_t j = n; j < lanes; j++) {
            block[i * lanes + j] = 0.0f;
        }
    }
}

static size_t ensemble_members(const void *self) {
    const Ensemble *e = self;
    return e->members;
}

static bool ensemble_stochastic(const void *self) {
    (void)self;
    return true;
}

/* block (o, lanes) -> rows (n, o) */
static void store_rows(const float *block, size_t outputs, size_t lanes, size_t n, float *rows) {
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < outputs; d++) {
            rows[j * outputs + d] = block[d * lanes + j];
        }
    }
}

static Status ensemble_predict(const void *self, size_t member, const float *x, size_t stride,
                               size_t n, float *mean, float *sd, Arena *scratch) {
    const Ensemble *e = self;
    if (member >= e->members) {
        FAIL(STATUS_ERR_ARG, "ensemble: member %zu of %zu", member, e->members);
    }
    const size_t   mark = arena_mark(scratch);
    const size_t   outputs = e->shape.outputs;
    const float   *block = e->block + member * e->shape.floats;
    NetworkScratch work;
    const Status   status = network_scratch(&e->shape, scratch, &work);
    for (size_t first = 0; status == STATUS_OK && first < n; first += NETWORK_LANES) {
        const size_t count = (n - first < NETWORK_LANES) ? n - first : NETWORK_LANES;
        const size_t lanes = network_lanes(count);
        ensemble__scale(e, x + first * stride, stride, count, lanes, work.input);
        network_forward(&e->shape, block, &work, lanes);
        store_rows(work.output, outputs, lanes, count, mean + first * outputs);
        if (sd != NULL) {
            lanes_exp_half(work.output + outputs * lanes, outputs * lanes);
            store_rows(work.output + outputs * lanes, outputs, lanes, count, sd + first * outputs);
        }
    }
    arena_release(scratch, mark);
    return status;
}

static size_t ensemble_predict_scratch(const void *self, size_t n) {
    const Ensemble *e = self;
    (void)n; /* one block of lanes at a time */
    return network_scratch_need(&e->shape);
}

static double ensemble_predict_flop(const void *self) {
    const Ensemble *e = self;
    return 2.0 * (double)e->shape.multiplies;
}

/* what a saved model starts with; every field is compared on load */
typedef struct SavedHeader {
    char     magic[8];
    uint64_t inputs;
    uint64_t outputs;
    uint64_t layers;
    uint64_t width;
    uint64_t members;
    uint64_t activation;
    uint64_t bounds;
} SavedHeader;

static SavedHeader header_of(const Ensemble *e) {
    return (SavedHeader){.magic = "mbt-ens1",
                         .inputs = e->shape.inputs,
                         .outputs = e->shape.outputs,
                         .layers = e->shape.layers,
                         .width = e->shape.fan_out[0],
                         .members = e->members,
                         .activation = (uint64_t)e->shape.activation,
                         .bounds = (uint64_t)e->values[ENSEMBLE_LOGVAR_BOUNDS]};
}

/* the parts after the header, in the order of the file */
typedef struct SavedPart {
    void  *bytes;
    size_t length;
} SavedPart;

enum { SAVED_PARTS = 4 };

static void saved_parts(Ensemble *e, SavedPart parts[SAVED_PARTS]) {
    const size_t learned = 3 * e->members * e->shape.floats; /* block and both moments */
    const size_t inputs = e->shape.inputs;
    parts[0] = (SavedPart){e->steps, e->members * sizeof *e->steps};
    parts[1] = (SavedPart){e->scaler_mean, inputs * sizeof *e->scaler_mean};
    parts[2] = (SavedPart){e->scaler_inverse, inputs * sizeof *e->scaler_inverse};
    parts[3] = (SavedPart){e->block, learned * sizeof *e->block};
}

static size_t saved_bytes(const NetworkShape *shape, size_t members) {
    return sizeof(SavedHeader) + members * sizeof(int64_t) + 2 * shape->inputs * sizeof(float) +
           3 * members * shape->floats * sizeof(float);
}

static Status ensemble_save(const void *self, Buffer *out) {
    Ensemble          e = *(const Ensemble *)self;
    const SavedHeader header = header_of(&e);
    SavedPart         parts[SAVED_PARTS];
    saved_parts(&e, parts);
    /* the copy's steps are the copy's own; the rest are views of the same memory */
    buffer_append(out, &header, sizeof header);
    for (size_t k = 0; k < SAVED_PARTS; k++) {
        buffer_append(out, parts[k].bytes, parts[k].length);
    }
    return buffer_status(out);
}

static Status ensemble_load(void *self, const void *bytes, size_t length) {
    Ensemble         *e = self;
    const SavedHeader header = header_of(e);
    const size_t      expected = saved_bytes(&e->shape, e->members);
    if (length != expected) {
        FAIL(STATUS_ERR_CORRUPT, "ensemble: a saved model of %zu bytes, expected %zu", length,
             expected);
    }
    if (memcmp(bytes, &header, sizeof header) != 0) {
        FAIL(STATUS_ERR_CORRUPT, "ensemble: the saved model is not a %zu-%zux%zu-%zu network x %zu",
             e->shape.inputs, e->shape.layers - 1, e->shape.fan_out[0], e->shape.outputs,
             e->members);
    }
    const char *at = (const char *)bytes + sizeof header;
    SavedPart   parts[SAVED_PARTS];
    saved_parts(e, parts);
    for (size_t k = 0; k < SAVED_PARTS; k++) {
        memcpy(parts[k].bytes, at, parts[k].length);
        at += parts[k].length;
    }
    return STATUS_OK;
}

double model_ensemble_predict_flop(size_t input_dim, size_t output_dim,
                                   const double *option_values) {
    NetworkShape shape;
    shape_of(input_dim, output_dim, option_values, &shape);
    return 2.0 * (double)shape.multiplies;
}

double model_ensemble_fit_flop(size_t input_dim, size_t output_dim, size_t rows,
                               const double *option_values) {
    NetworkShape shape;
    shape_of(input_dim, output_dim, option_values, &shape);
    const double batch = option_values[ENSEMBLE_BATCH_SIZE];
    const double epoch = ensemble__train_flop(&shape, (double)rows, ceil((double)rows / batch));
    return option_values[ENSEMBLE_SIZE] * option_values[ENSEMBLE_TRAIN_EPOCHS] * epoch;
}

double model_ensemble_bytes(size_t input_dim, size_t output_dim, const double *option_values) {
    NetworkShape shape;
    shape_of(input_dim, output_dim, option_values, &shape);
    return (double)saved_bytes(&shape, (size_t)option_values[ENSEMBLE_SIZE]);
}

const DynamicsModelOps model_ensemble_ops = {
    .name = "probabilistic_ensemble",
    .source = PETS,
    .options = ensemble_options,
    .create = ensemble_create,
    .destroy = ensemble_destroy,
    .set = ensemble_set,
    .fit = ensemble__fit,
    .score = ensemble__score,
    .members = ensemble_members,
    .stochastic = ensemble_stochastic,
    .predict = ensemble_predict,
    .predict_scratch = ensemble_predict_scratch,
    .predict_flop = ensemble_predict_flop,
    .save = ensemble_save,
    .load = ensemble_load,
};
