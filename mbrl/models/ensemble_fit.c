/* Training of an ensemble: one member after another, from its current weights, for whole epochs, so
 * that a member's weights and moments (three blocks) stay in L2 all the while; members share
 * nothing, so the order does not matter. Each takes its rows in an order of its own, in batches, of
 * blocks of 64 lanes. With patience a member is judged after every epoch and ends by itself; elites
 * and residual variances are judged once, at the end. A rebuild goes the other way round, one epoch
 * of every member in turn, since what it waits for is the score of the mixture. Loss: PETS,
 * section 4 and appendix A.
 */
#include "mbrl/models/ensemble_internal.h"

#include "core/kernel.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PETS, reference implementation: penalty 0.01 (sum of max - sum of min) for all members together
 */
#define BOUNDS_PENALTY 0.01
/* mbrl-lib, ModelTrainer: what counts as an improvement of the validation score */
#define IMPROVEMENT 0.01

double ensemble__train_flop(const NetworkShape *shape, OptimizerKind optimizer, double rows,
                            double steps) {
    /* forward, and backward by inputs and by weights: 2 FLOP per multiply-add each */
    return rows * 6.0 * (double)shape->multiplies +
           steps * optimizer_flop(optimizer) * (double)shape->parameters;
}

/* rows order[0..n) of the dataset into a training block */
static void gather_block(const Ensemble *e, const Dataset *data, const size_t *order, size_t n,
                         float weight, NetworkTraining *training) {
    const size_t lanes = network_lanes(n);
    const size_t inputs = e->shape.inputs;
    const size_t outputs = e->shape.outputs;
    for (size_t j = 0; j < lanes; j++) {
        /* lanes beyond the last row repeat it with weight 0 */
        const size_t row = order[(j < n) ? j : n - 1];
        const float *x = data->inputs + row * inputs;
        const float *y = data->targets + row * outputs;
        for (size_t i = 0; i < inputs; i++) {
            training->layer[0][i * lanes + j] = (x[i] - e->scaler_mean[i]) * e->scaler_inverse[i];
        }
        for (size_t d = 0; d < outputs; d++) {
            training->target[d * lanes + j] = y[d];
        }
        training->weight[j] = (j < n) ? weight : 0.0f;
    }
}

/* counts a step of the member and gives its constants */
static NetworkOptimizer next_step(Ensemble *e, size_t member) {
    const size_t        at = member * e->shape.floats;
    const OptimizerKind kind = (OptimizerKind)e->values[ENSEMBLE_OPTIMIZER];
    const int64_t       t = ++e->steps[member];
    NetworkOptimizer    step = {
           .kind = kind,
           .first = e->first + at,
           .second = e->second + at,
           .decay = e->decay,
           .rate = optimizer_rate(kind, e->values[ENSEMBLE_LEARNING_RATE], t),
           .inverse_root = optimizer_inverse_root(kind, t),
           .momentum = (float)e->values[ENSEMBLE_MOMENTUM],
           /* the members share the penalty of the bounds, as they would share the bounds */
           .bounds_penalty = (float)(BOUNDS_PENALTY / (double)e->members),
           .learned_bounds = e->values[ENSEMBLE_LOGVAR_BOUNDS] == ENSEMBLE_BOUNDS_LEARNED};
    for (size_t l = 0; l < e->shape.layers; l++) {
        step.weight_decay[l] =
            (float)(e->values[ENSEMBLE_WEIGHT_DECAY] * ensemble__decay_ratio(e, l));
    }
    return step;
}

/* one gradient step on rows order[0..n); @return the data term of the loss */
static double train_batch(Ensemble *e, const Dataset *data, size_t member, const size_t *order,
                          size_t n, NetworkTraining *training) {
    const NetworkShape    *shape = &e->shape;
    float                 *block = e->block + member * shape->floats;
    const float            weight = (float)(1.0 / ((double)n * (double)shape->outputs));
    const NetworkOptimizer step = next_step(e, member);
    if (n <= NETWORK_LANES) {
        gather_block(e, data, order, n, weight, training);
        return network_step(shape, block, training, network_lanes(n), &step, e->gradient);
    }
    double loss = 0.0;
    for (size_t first = 0; first < n; first += NETWORK_LANES) {
        const size_t count = (n - first < NETWORK_LANES) ? n - first : NETWORK_LANES;
        gather_block(e, data, order + first, count, weight, training);
        loss +=
            network_gradient(shape, block, training, network_lanes(count), e->gradient, first > 0);
    }
    network_optimize(shape, block, &step, e->gradient);
    return loss;
}

/* eight sums side by side: one alone waits for each addition */
KERNEL_CLONES
static double sum_of_squares(const float *x, size_t n) {
    double       sum[8] = {0.0};
    const size_t whole = n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        for (size_t v = 0; v < 8; v++) {
            sum[v] += (double)x[i + v] * (double)x[i + v];
        }
    }
    for (size_t i = whole; i < n; i++) {
        sum[i - whole] += (double)x[i] * (double)x[i];
    }
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

/* weight decay and the bounds' penalty; NaN or infinite if a weight is */
static double penalties(const Ensemble *e, size_t member) {
    const NetworkShape *shape = &e->shape;
    const float        *block = e->block + member * shape->floats;
    double              squares = 0.0;
    double              bounds = 0.0;
    for (size_t l = 0; l < shape->layers; l++) {
        const double ratio = ensemble__decay_ratio(e, l);
        for (size_t o = 0; o < shape->fan_out[l]; o++) {
            const float *row = block + shape->offset[l] + o * shape->stride[l];
            squares += ratio * sum_of_squares(row, shape->fan_in[l]);
            bounds += 0.0 * (double)row[shape->fan_in[l]]; /* 0, or NaN if the bias is not finite */
        }
    }
    for (size_t d = 0; shape->heads == 2 && d < shape->outputs; d++) {
        bounds += (double)block[shape->max_offset + d] - (double)block[shape->min_offset + d];
    }
    return 0.5 * e->values[ENSEMBLE_WEIGHT_DECAY] * squares +
           BOUNDS_PENALTY / (double)e->members * bounds;
}

/* a training call on its way */
typedef struct Fit {
    Ensemble        *e;
    const Dataset   *data;
    NetworkTraining *training;
    FitReport       *report;
    const uint32_t  *judging; /* rows to judge members by */
    size_t           judging_count;
} Fit;

static size_t member_rows(const Fit *fit, size_t member) {
    return dataset_member_rows(fit->data, member, fit->e->values[ENSEMBLE_BOOTSTRAP] != 0.0,
                               fit->e->order);
}

/* `base`: first lane; a rebuild and a fit of the same step have lanes of their own */
static Rng member_stream(const Ensemble *e, uint64_t seed, uint64_t step, size_t base,
                         size_t member) {
    const bool shared = e->values[ENSEMBLE_SHARED_ORDER] != 0.0;
    return rng_stream_lane(seed, step, RNG_MODEL_SHUFFLE,
                           (uint32_t)(shared ? base : base + member));
}

/* one pass over order[0..n); @return the data term of the loss */
static double train_epoch(const Fit *fit, size_t member, size_t n, Rng *rng) {
    Ensemble    *e = fit->e;
    const size_t batch = (size_t)e->values[ENSEMBLE_BATCH_SIZE];
    double       sum = 0.0;
    double       steps = 0.0;
    rng_shuffle(rng, e->order, n);
    for (size_t first = 0; first < n; first += batch) {
        const size_t count = (n - first < batch) ? n - first : batch;
        sum += (double)count *
               train_batch(e, fit->data, member, e->order + first, count, fit->training);
        steps += 1.0;
    }
    fit->report->flop += ensemble__train_flop(
        &e->shape, (OptimizerKind)e->values[ENSEMBLE_OPTIMIZER], (double)n, steps);
    return sum / (double)n;
}

static Status judge(const Fit *fit, size_t member, double *nll) {
    TRY(ensemble__judge(fit->e, fit->data, fit->judging, fit->judging_count, member, nll));
    fit->report->flop += (double)fit->judging_count * 2.0 * (double)fit->e->shape.multiplies;
    return STATUS_OK;
}

/* the best weights of a training call so far */
typedef struct Best {
    double  nll; /* at the start, then of the best epoch */
    bool    any; /* an epoch improved: e->best has its weights */
    int64_t waited;
} Best;

/* notes an epoch, unless there is no patience; *stop where the patience is at its end. As in
 * mbrl-lib's ModelTrainer, but by NLL: an epoch counts where it is lower than the best so far by
 * more than 1 % of the best's absolute value. There the score is a squared error, of which 1 % is a
 * share; of an NLL it is not: it has a zero, near which almost any gain counts, and far from which
 * (-5 nats) 0.05 nats are asked for. Another target_scale moves the zero. Results were measured so.
 */
static Status note_epoch(const Fit *fit, size_t member, Best *best, bool *stop) {
    Ensemble *e = fit->e;
    double    nll = (double)NAN;
    if (e->values[ENSEMBLE_PATIENCE] == 0.0) {
        return STATUS_OK;
    }
    TRY(judge(fit, member, &nll));
    if (best->nll - nll > IMPROVEMENT * fabs(best->nll)) {
        memcpy(e->best, e->block + member * e->shape.floats, e->shape.floats * sizeof *e->best);
        *best = (Best){.nll = nll, .any = true};
    } else {
        best->waited++;
    }
    *stop = (double)best->waited >= e->values[ENSEMBLE_PATIENCE];
    return STATUS_OK;
}

/* trains one member; *loss of its last epoch, not finite if it diverged */
static Status train_member(const Fit *fit, size_t member, Rng rng, double *loss) {
    Ensemble     *e = fit->e;
    const size_t  n = member_rows(fit, member);
    const int64_t epochs = (int64_t)e->values[ENSEMBLE_TRAIN_EPOCHS];
    Best          best = {.nll = (double)NAN};
    bool          stop = false;
    if (e->values[ENSEMBLE_PATIENCE] > 0.0) {
        TRY(judge(fit, member, &best.nll));
    }
    for (int64_t epoch = 0; epoch < epochs && !stop; epoch++) {
        *loss = train_epoch(fit, member, n, &rng);
        fit->report->epochs = (fit->report->epochs > epoch) ? fit->report->epochs : epoch + 1;
        if (!isfinite(*loss)) {
            return STATUS_OK;
        }
        TRY(note_epoch(fit, member, &best, &stop));
    }
    if (best.any) {
        memcpy(e->block + member * e->shape.floats, e->best, e->shape.floats * sizeof *e->best);
    }
    *loss += penalties(e, member);
    return STATUS_OK;
}

static Status check_training(const Ensemble *e, const Dataset *data) {
    TRY(ensemble__check_data(e, data));
    if (data->train_count == data->train_first) {
        FAIL(STATUS_ERR_STATE, "ensemble: no training rows (%zu rows, all held out)", data->n);
    }
    if (e->values[ENSEMBLE_BOOTSTRAP] == 0.0) {
        return STATUS_OK;
    }
    if (data->members < e->members) {
        FAIL(STATUS_ERR_SHAPE, "ensemble: bootstrap indices for %zu members, the model has %zu",
             data->members, e->members);
    }
    if (data->bootstrap_count == 0) {
        FAIL(STATUS_ERR_STATE, "ensemble: no bootstrap indices drawn for %zu training rows",
             data->train_count);
    }
    return STATUS_OK;
}

/* makes room for the order of `n` rows; the only allocation of fit(), before anything changes */
static Status grow_order(Ensemble *e, size_t n) {
    if (n <= e->order_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = n + n / 2;
    size_t      *order = calloc(capacity, sizeof *order);
    if (order == NULL) {
        FAIL(STATUS_ERR_NOMEM, "ensemble: no memory for the order of %zu rows", n);
    }
    free(e->order);
    e->order = order;
    e->order_capacity = capacity;
    return STATUS_OK;
}

/* everything before the first step; `fit` is complete then */
static Status begin_fit(Fit *fit, NetworkTraining *training) {
    Ensemble *e = fit->e;
    TRY(check_training(e, fit->data));
    TRY(grow_order(e, (fit->data->train_count > fit->data->bootstrap_count)
                          ? fit->data->train_count
                          : fit->data->bootstrap_count));
    TRY(network_training(&e->shape, &e->scratch, training));
    fit->training = training;
    fit->judging = dataset_judging_rows(fit->data, &fit->judging_count);
    model_fit_scaler(fit->data, e->scaler_mean, e->scaler_inverse);
    return STATUS_OK;
}

/* judges the members where something depends on it: who plans, a deterministic member's variance */
static Status end_fit(const Fit *fit) {
    Ensemble *e = fit->e;
    if (fit->report->diverged) {
        return STATUS_OK;
    }
    if (ensemble__has_elites(e) || e->shape.heads == 1) {
        return ensemble__compare(e, fit->data, fit->judging, fit->judging_count,
                                 &fit->report->flop);
    }
    for (size_t m = 0; m < e->members; m++) {
        e->member_nll[m] = (double)NAN; /* what was known is of other weights */
    }
    return STATUS_OK;
}

static Status fit_members(Fit *fit, uint64_t seed, uint64_t step) {
    Ensemble       *e = fit->e;
    NetworkTraining training;
    TRY(begin_fit(fit, &training));
    for (size_t m = 0; m < e->members && !fit->report->diverged; m++) {
        double loss = (double)NAN;
        TRY(train_member(fit, m, member_stream(e, seed, step, 0, m), &loss));
        fit->report->loss += loss / (double)e->members;
        fit->report->diverged = !isfinite(loss);
    }
    return end_fit(fit);
}

Status ensemble__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                     FitReport *report) {
    Ensemble    *e = self;
    FitReport    result = {.loss = 0.0};
    Fit          fit = {.e = e, .data = data, .report = &result};
    const size_t mark = arena_mark(&e->scratch);
    const Status status = fit_members(&fit, seed, step);
    ensemble__pack(e);
    arena_release(&e->scratch, mark);
    if (status == STATUS_OK) {
        *report = result;
    }
    return status;
}

/* one epoch of every member, so that the mixture can be judged after it */
static Status rebuild_epoch(const Fit *fit, Rng *streams) {
    Ensemble *e = fit->e;
    fit->report->loss = 0.0;
    for (size_t m = 0; m < e->members && !fit->report->diverged; m++) {
        const size_t n = member_rows(fit, m);
        const double loss = train_epoch(fit, m, n, &streams[m]) + penalties(e, m);
        fit->report->loss += loss / (double)e->members;
        fit->report->diverged = !isfinite(loss);
    }
    fit->report->epochs++;
    return end_fit(fit);
}

/* whether the mixture is as good as the task wants it */
static Status judge_mixture(const Fit *fit, const RebuildTask *task, bool *reached) {
    Ensemble   *e = fit->e;
    ScoreReport score;
    if (isnan(task->nll) || fit->report->diverged) {
        return STATUS_OK;
    }
    TRY(ensemble__score(e, task->data, fit->judging, fit->judging_count, &score));
    fit->report->flop += (double)(fit->judging_count * e->used) * 2.0 * (double)e->shape.multiplies;
    *reached = score.nll <= task->nll;
    return STATUS_OK;
}

static Status rebuild_members(Fit *fit, const RebuildTask *task) {
    Ensemble       *e = fit->e;
    NetworkTraining training;
    Rng             streams[ENSEMBLE_MAX_MEMBERS];
    bool            reached = false;
    TRY(begin_fit(fit, &training));
    for (size_t m = 0; m < e->members; m++) {
        streams[m] = member_stream(e, task->seed, task->step, ENSEMBLE_MAX_MEMBERS, m);
    }
    while (!reached && !fit->report->diverged && fit->report->epochs < task->epochs) {
        TRY(rebuild_epoch(fit, streams));
        TRY(judge_mixture(fit, task, &reached));
    }
    return STATUS_OK;
}

Status ensemble__rebuild(void *self, const RebuildTask *task, FitReport *report) {
    Ensemble    *e = self;
    FitReport    result = {.loss = (double)NAN};
    Fit          fit = {.e = e, .data = task->data, .report = &result};
    const size_t mark = arena_mark(&e->scratch);
    const Status status = rebuild_members(&fit, task);
    ensemble__pack(e);
    arena_release(&e->scratch, mark);
    if (status == STATUS_OK) {
        *report = result;
    }
    return status;
}
