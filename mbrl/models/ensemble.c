/* Ensemble of PETS, its members probabilistic (PE) or deterministic (DE), one or many (P, D).
 * Members share inputs and scaler, nothing else. Each has its own bounds of the log variance (PETS
 * shares one pair, with the same start and the same penalty): so a member's training touches its
 * own block only, which with its moments stays in L2, and the result does not depend on the order
 * of members.
 */
#include "mbrl/models/builtin.h"
#include "mbrl/models/ensemble_internal.h"

#include "mbrl/models/lane_gemm_bf16.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PETS     "Chua et al. (2018), PETS, arXiv 1805.12114"
#define NOTEBOOK "mbrl-lib, notebooks/pets_example.ipynb"
#define ZHANG    "Zhang et al. (2021), arXiv 2102.13651, config_space.py"

/* PETS' weight decays of input, hidden and output layers, in units of the hidden ones: reacher and
 * pusher (handful-of-trials: 2.5e-4, 5e-4 ..., 7.5e-4); its other two tasks are weight_decay_layers
 * of [0.4, 1, 1, 2] (cart-pole) and [1/3, 2/3, 1, 1, 4/3] (half-cheetah) */
#define PETS_DECAY_INPUT  0.5
#define PETS_DECAY_OUTPUT 1.5
/* Zeiler (2012), arXiv 1212.5701: Adadelta has no learning rate, that is 1; below this it is told
 */
#define ADADELTA_LEAST_RATE 0.1

static const char *const activations[] = {"swish", "leaky_relu", "relu", "tanh", "sigmoid", NULL};
static const char *const bounds_kinds[] = {"learned", "fixed", NULL};
static const char *const kinds[] = {"probabilistic", "deterministic", NULL};
static const char *const optimizers[] = {"adam", "adadelta", "adagrad", "sgd", "rmsprop", NULL};
static const char *const decay_profiles[] = {"uniform", "pets", NULL};
static const char *const precisions[] = {"float32", "bfloat16", NULL};

/* one layer's share; nothing is told apart by it, so it may change like model_weight_decay */
#define DECAY_RATIO                                                                  \
    {                                                                                \
        "weight_decay_layers", OPTION_FLOAT, 0.0, 1000.0, 1.0, OPTION_DYNAMIC, NULL, \
            "model_weight_decay of this layer, as a multiple", PETS                  \
    }

static const OptionSpec ensemble_options[ENSEMBLE_OPTION_COUNT + 1] = {
    [ENSEMBLE_LEARNING_RATE] = {"model_learning_rate", OPTION_FLOAT, 1e-6, 1.0, 1e-3,
                                OPTION_DYNAMIC, NULL, "learning rate of the dynamics model", PETS},
    [ENSEMBLE_WEIGHT_DECAY] = {"model_weight_decay", OPTION_FLOAT, 0.0, 1.0, 5e-5, OPTION_DYNAMIC,
                               NULL, "penalty 0.5 x this x |W|^2 on the weights, not the biases",
                               NOTEBOOK},
    [ENSEMBLE_TRAIN_EPOCHS] = {"model_train_epochs", OPTION_INT, 1, 1000, 25, OPTION_DYNAMIC, NULL,
                               "passes over the data per training call (count)",
                               "mbrl-lib, pets_cartpole override"},
    [ENSEMBLE_BATCH_SIZE] = {"model_batch_size", OPTION_INT, 1, 65536, 32, OPTION_DYNAMIC, NULL,
                             "rows per gradient step (count)", PETS},
    [ENSEMBLE_SIZE] = {"ensemble_size", OPTION_INT, 1, ENSEMBLE_MAX_MEMBERS, 5, OPTION_REBUILDS,
                       NULL, "networks in the ensemble (count)", PETS},
    [ENSEMBLE_HIDDEN_LAYERS] = {"hidden_layers", OPTION_INT, 1, NETWORK_MAX_LAYERS - 1, 3,
                                OPTION_REBUILDS, NULL, "hidden layers per network (count)", PETS},
    [ENSEMBLE_HIDDEN_WIDTH] = {"hidden_width", OPTION_INT, 1, 4096, 200, OPTION_REBUILDS, NULL,
                               "units per hidden layer (count)", PETS},
    [ENSEMBLE_ACTIVATION] = {"activation", OPTION_CHOICE, 0, ACTIVATION_SIGMOID, ACTIVATION_SWISH,
                             OPTION_REBUILDS, activations, "activation of the hidden layers", PETS},
    [ENSEMBLE_LOGVAR_BOUNDS] = {"logvar_bounds", OPTION_CHOICE, 0, 1, ENSEMBLE_BOUNDS_LEARNED,
                                OPTION_STATIC, bounds_kinds,
                                "bounds of the log variance, starting at -10 and +0.5", PETS},
    [ENSEMBLE_BOOTSTRAP] = {"bootstrap", OPTION_BOOL, 0, 1, 1, OPTION_STATIC, NULL,
                            "members train on rows drawn with replacement; off: all on the same "
                            "rows, each in an order of its own (a permutation)",
                            PETS},
    [ENSEMBLE_KIND] =
        {"model_kind", OPTION_CHOICE, 0, 1, NETWORK_PROBABILISTIC, OPTION_STATIC, kinds,
         "what a network predicts: a Gaussian (P, PE), or a point, trained by squared "
         "error (D, DE)",
         PETS},
    [ENSEMBLE_OPTIMIZER] = {"optimizer", OPTION_CHOICE, 0, OPTIMIZER_RMSPROP, OPTIMIZER_ADAM,
                            OPTION_STATIC, optimizers, "how the networks' weights are stepped",
                            ZHANG},
    [ENSEMBLE_MOMENTUM] = {"momentum", OPTION_FLOAT, 0.0, 0.999, 0.0, OPTION_DYNAMIC, NULL,
                           "share of the last step that sgd keeps", "PyTorch, torch.optim.SGD"},
    [ENSEMBLE_DECAY_PROFILE] = {"weight_decay_profile", OPTION_CHOICE, 0, 1, ENSEMBLE_DECAY_UNIFORM,
                                OPTION_STATIC, decay_profiles,
                                "model_weight_decay of all layers; pets: half of it in the first, "
                                "1.5 times in the last layer (PETS' reacher and pusher)",
                                PETS},
    [ENSEMBLE_PATIENCE] =
        {"patience", OPTION_INT, 0, 1000, 0, OPTION_DYNAMIC, NULL,
         "epochs after which a member's training ends and its best weights return, none of them "
         "with a validation NLL lower by more than 1 % of |the best NLL| (per dimension, in nats "
         "of "
         "scaled targets: near 0 almost any gain counts) (count; 0: off)",
         "mbrl-lib, ModelTrainer"},
    [ENSEMBLE_SHARED_ORDER] = {"shared_order", OPTION_BOOL, 0, 1, 0, OPTION_STATIC, NULL,
                               "all members take the rows in one order (with bootstrap off: they "
                               "differ in their first weights only)",
                               "mbrl-lib, TransitionIterator"},
    [ENSEMBLE_ELITES] = {"ensemble_elites", OPTION_INT, 0, ENSEMBLE_MAX_MEMBERS, 0, OPTION_DYNAMIC,
                         NULL,
                         "members that plan, those with the best validation NLL (count; 0: all)",
                         "mbrl-lib: 5 of 7"},
    [ENSEMBLE_PLANNING_PRECISION] =
        {"planning_precision", OPTION_CHOICE, 0, 1, ENSEMBLE_FLOAT32, OPTION_STATIC, precisions,
         "what planners predict with; bfloat16: weights and hidden outputs rounded to 8 bits, "
         "sums in float32, on processors with AVX512_BF16; training and scores stay float32",
         NULL},
    /* rows may only join at the end: checkpoints of older versions have fewer of them */
    [ENSEMBLE_DECAY_LAYERS] =
        {"weight_decay_layers", OPTION_LIST, 0, NETWORK_MAX_LAYERS, 0, OPTION_DYNAMIC, NULL,
         "multiples of model_weight_decay from the first to the last layer, hidden_layers + 1 of "
         "them, in place of a weight_decay_profile",
         PETS},
    [ENSEMBLE_DECAY_FIRST] = DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
    DECAY_RATIO,
};

static void shape_of(size_t input_dim, size_t output_dim, const double *values, NetworkShape *out) {
    network_shape(&(NetworkPlan){.inputs = input_dim,
                                 .outputs = output_dim,
                                 .hidden_layers = (size_t)values[ENSEMBLE_HIDDEN_LAYERS],
                                 .width = (size_t)values[ENSEMBLE_HIDDEN_WIDTH],
                                 .activation = (Activation)values[ENSEMBLE_ACTIVATION],
                                 .kind = (NetworkKind)values[ENSEMBLE_KIND]},
                  out);
}

double ensemble__decay_ratio(const Ensemble *e, size_t l) {
    if (e->values[ENSEMBLE_DECAY_LAYERS] > 0.0) {
        return e->values[ENSEMBLE_DECAY_FIRST + l];
    }
    if (e->values[ENSEMBLE_DECAY_PROFILE] == ENSEMBLE_DECAY_UNIFORM) {
        return 1.0;
    }
    if (l + 1 == e->shape.layers) {
        return PETS_DECAY_OUTPUT;
    }
    return (l == 0) ? PETS_DECAY_INPUT : 1.0;
}

static Status ensemble_check(const double *option_values) {
    const double given = option_values[ENSEMBLE_DECAY_LAYERS];
    const double layers = option_values[ENSEMBLE_HIDDEN_LAYERS] + 1.0;
    TRY(option_check_all(ensemble_options, option_values));
    if (given > 0.0 && given != layers) {
        FAIL(STATUS_ERR_ARG,
             "'weight_decay_layers' has %g numbers, but 'hidden_layers: %g' makes %g layers, the "
             "last one included; expected one number for each",
             given, layers - 1.0, layers);
    }
    if (given > 0.0 && option_values[ENSEMBLE_DECAY_PROFILE] != ENSEMBLE_DECAY_UNIFORM) {
        FAIL(STATUS_ERR_ARG, "'weight_decay_layers' says it for every layer and cannot go with "
                             "'weight_decay_profile: pets'; leave one of them out");
    }
    return STATUS_OK;
}

static void ensemble_note(const double *option_values, Buffer *notes) {
    const double elites = option_values[ENSEMBLE_ELITES];
    const double members = option_values[ENSEMBLE_SIZE];
    const double rate = option_values[ENSEMBLE_LEARNING_RATE];
    if (elites > members) {
        buffer_printf(notes, "ensemble_elites is %g, but there are %g members: all of them plan\n",
                      elites, members);
    }
    if (option_values[ENSEMBLE_OPTIMIZER] == OPTIMIZER_ADADELTA && rate < ADADELTA_LEAST_RATE) {
        buffer_printf(notes,
                      "optimizer 'adadelta' with model_learning_rate %g hardly moves: it finds the "
                      "size of its steps itself and needs a rate near 1\n",
                      rate);
    }
}

static bool plans_in_bfloat16(const double *option_values) {
    return option_values[ENSEMBLE_PLANNING_PRECISION] == ENSEMBLE_BFLOAT16;
}

static Status ensemble_check_machine(const double *option_values) {
    if (plans_in_bfloat16(option_values) && !lanes_have_bf16()) {
        FAIL(STATUS_ERR_STATE,
             "'planning_precision: bfloat16' needs a processor with AVX512_BF16, which this one "
             "does not have; use 'float32' here");
    }
    return STATUS_OK;
}

static void ensemble_numerics(const double *option_values, Buffer *out) {
    if (plans_in_bfloat16(option_values)) {
        buffer_printf(out, "; planning bfloat16");
    }
}

static void ensemble_destroy(void *self) {
    if (self != NULL) {
        ensemble__free(self);
        free(self);
    }
}

/* first weights and empty moments; the scaler stays */
static void start_anew(Ensemble *e, uint64_t seed, uint64_t step) {
    const size_t learned = e->members * e->shape.floats;
    memset(e->first, 0, learned * sizeof *e->first);
    memset(e->second, 0, learned * sizeof *e->second);
    memset(e->steps, 0, sizeof e->steps);
    for (size_t m = 0; m < e->members; m++) {
        Rng rng = rng_stream_lane(seed, step, RNG_MODEL_INIT, (uint32_t)m);
        network_init(&e->shape, &rng, e->block + m * e->shape.floats);
        e->member_nll[m] = (double)NAN; /* not compared */
    }
    for (size_t k = 0; k < e->members * e->shape.outputs; k++) {
        e->residual[k] = 1.0;
    }
    ensemble__pack(e);
    ensemble__choose(e);
}

static void ensemble_reset(void *self, uint64_t seed, uint64_t step) {
    start_anew(self, seed, step);
}

static Status ensemble_create(const DynamicsModelSetup *setup, const double *option_values,
                              void **self) {
    *self = NULL;
    TRY(ensemble_check(option_values));
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
    const Status status = ensemble__allocate(e);
    if (status != STATUS_OK) {
        ensemble_destroy(e);
        return status;
    }
    memcpy(e->target_scale, setup->target_scale, setup->output_dim * sizeof *e->target_scale);
    for (size_t i = 0; i < setup->input_dim; i++) {
        e->scaler_inverse[i] = 1.0f;
    }
    start_anew(e, setup->seed, 0);
    *self = e;
    return STATUS_OK;
}

static Status ensemble_set(void *self, const double *option_values) {
    Ensemble *e = self;
    TRY(ensemble_check(option_values));
    TRY(model_check_same("ensemble", ensemble_options, e->values, option_values));
    memcpy(e->values, option_values, sizeof e->values);
    ensemble__choose(e);
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

static bool ensemble_stochastic(const void *self) {
    const Ensemble *e = self;
    return e->shape.heads > 1;
}

/* Rows that go through a network side by side: 200 inputs and 200 outputs of 32 rows are 51 kB, so
 * that the block read stays in L1 (48 kB); with 64 it comes from L2 for every six rows of weights,
 * and a planning step takes 3 to 8 % longer. Training gains nothing by it and keeps 64. */
enum { PREDICT_LANES = 32 };

/* working memory of predict(), by precision */
typedef struct PredictScratch {
    float             *input;
    float             *output;
    NetworkScratch     full;
    NetworkScratchBf16 half;
} PredictScratch;

static Status take_scratch(const Ensemble *e, Arena *arena, PredictScratch *out) {
    if (e->packed == NULL) {
        TRY(network_scratch(&e->shape, arena, &out->full));
        out->input = out->full.input;
        out->output = out->full.output;
        return STATUS_OK;
    }
    TRY(network_scratch_bf16(&e->shape, arena, &out->half));
    out->input = out->half.input;
    out->output = out->half.output;
    return STATUS_OK;
}

static void forward(const Ensemble *e, size_t member, const PredictScratch *work, size_t lanes) {
    const float *block = e->block + member * e->shape.floats;
    if (e->packed == NULL) {
        network_forward(&e->shape, block, &work->full, lanes);
    } else {
        const uint32_t *packed = e->packed + member * network_bf16_words(&e->shape);
        network_bf16_forward(&e->shape, block, packed, &work->half, lanes);
    }
}

static Status ensemble_predict(const void *self, size_t member, const float *x, size_t stride,
                               size_t n, float *mean, float *sd, Arena *scratch) {
    const Ensemble *e = self;
    if (member >= e->used) {
        FAIL(STATUS_ERR_ARG, "ensemble: member %zu of %zu", member, e->used);
    }
    const size_t   mark = arena_mark(scratch);
    const size_t   outputs = e->shape.outputs;
    PredictScratch work;
    const Status   status = take_scratch(e, scratch, &work);
    const size_t   block = (e->packed == NULL) ? PREDICT_LANES : NETWORK_LANES;
    for (size_t first = 0; status == STATUS_OK && first < n; first += block) {
        const size_t count = (n - first < block) ? n - first : block;
        const size_t lanes = network_lanes(count);
        model_scale_block(e->scaler_mean, e->scaler_inverse, e->shape.inputs, x + first * stride,
                          stride, count, lanes, work.input);
        forward(e, e->plans[member], &work, lanes);
        model_store_rows(work.output, outputs, lanes, count, mean + first * outputs);
        if (sd != NULL && e->shape.heads == 1) {
            memset(sd + first * outputs, 0, count * outputs * sizeof *sd);
        } else if (sd != NULL) {
            lanes_exp_half(work.output + outputs * lanes, outputs * lanes);
            model_store_rows(work.output + outputs * lanes, outputs, lanes, count,
                             sd + first * outputs);
        }
    }
    arena_release(scratch, mark);
    return status;
}

static size_t ensemble_members(const void *self) {
    const Ensemble *e = self;
    return e->used;
}

static size_t ensemble_columns(const void *self) {
    const Ensemble *e = self;
    return e->members;
}

static void ensemble_view(const void *self, ModelView *view) {
    const Ensemble *e = self;
    *view = (ModelView){.network = &e->shape,
                        .weights = e->block,
                        .scaler_mean = e->scaler_mean,
                        .scaler_inverse = e->scaler_inverse,
                        .planning = e->plans,
                        .members = e->used,
                        .generation = e->generation};
}

static size_t ensemble_outputs(const void *self) {
    const Ensemble *e = self;
    return e->shape.outputs;
}

static size_t ensemble_predict_scratch(const void *self, size_t n) {
    const Ensemble *e = self;
    (void)n; /* one block of lanes at a time */
    return (e->packed == NULL) ? network_scratch_need(&e->shape)
                               : network_scratch_bf16_need(&e->shape);
}

static double ensemble_predict_flop(const void *self) {
    const Ensemble *e = self;
    return 2.0 * (double)e->shape.multiplies;
}

static double judging_rows(const ModelCostQuery *query) {
    return (double)(query->held > 0 ? query->held : query->rows);
}

/* are members compared at the end of a call? */
static bool is_compared(const double *values) {
    const double elites = values[ENSEMBLE_ELITES];
    return values[ENSEMBLE_KIND] == NETWORK_DETERMINISTIC ||
           (elites > 0.0 && elites < values[ENSEMBLE_SIZE]);
}

/* rows that are predicted to judge a member, in one training call */
static double judged_rows(const ModelCostQuery *query, const double *values) {
    double times = is_compared(values) ? 1.0 : 0.0;
    if (values[ENSEMBLE_PATIENCE] > 0.0) {
        times += 1.0 + values[ENSEMBLE_TRAIN_EPOCHS];
    }
    return times * judging_rows(query);
}

static void ensemble_cost(const ModelCostQuery *query, const double *option_values,
                          ModelCost *out) {
    NetworkShape shape;
    shape_of(query->input_dim, query->output_dim, option_values, &shape);
    const double rows = (double)query->rows;
    const double steps = ceil(rows / option_values[ENSEMBLE_BATCH_SIZE]);
    const double epoch =
        ensemble__train_flop(&shape, (OptimizerKind)option_values[ENSEMBLE_OPTIMIZER], rows, steps);
    const double members = option_values[ENSEMBLE_SIZE];
    const double elites = option_values[ENSEMBLE_ELITES];
    const double predict = 2.0 * (double)shape.multiplies;
    *out = (ModelCost){
        .predict_flop = predict,
        .fit_flop = members * option_values[ENSEMBLE_TRAIN_EPOCHS] * epoch +
                    members * judged_rows(query, option_values) * predict,
        /* after every epoch the mixture is judged */
        .rebuild_flop = members * (epoch + (is_compared(option_values) ? 2.0 : 1.0) *
                                               judging_rows(query) * predict),
        .bytes = (double)ensemble__saved_bytes(&shape, (size_t)members),
        .members = (size_t)members,
        .planning = (size_t)((elites > 0.0 && elites < members) ? elites : members),
        .stochastic = option_values[ENSEMBLE_KIND] == NETWORK_PROBABILISTIC,
    };
}

const DynamicsModelOps model_ensemble_ops = {
    .name = "ensemble",
    .source = PETS,
    .help = "an ensemble of fully connected networks that predict Gaussians or points",
    .options = ensemble_options,
    .check = ensemble_check,
    .note = ensemble_note,
    .check_machine = ensemble_check_machine,
    .numerics = ensemble_numerics,
    .create = ensemble_create,
    .destroy = ensemble_destroy,
    .set = ensemble_set,
    .fit = ensemble__fit,
    .reset = ensemble_reset,
    .score = ensemble__score,
    .members = ensemble_members,
    .stochastic = ensemble_stochastic,
    .columns = ensemble_columns,
    .predict = ensemble_predict,
    .predict_scratch = ensemble_predict_scratch,
    .predict_flop = ensemble_predict_flop,
    .outputs = ensemble_outputs,
    .save = ensemble__save,
    .load = ensemble__load,
    .cost = ensemble_cost,
    .unranked = ensemble__is_unranked,
    .rank = ensemble__rank,
    .view = ensemble_view,
    .rebuild = ensemble__rebuild,
};
