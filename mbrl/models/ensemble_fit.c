#include "mbrl/models/ensemble_internal.h"

#include "mbrl/models/lane_gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* PETS, reference implementation: an input whose standard deviation is below this is not scaled */
#define SCALER_SMALLEST_SD 1e-12
/* the same: penalty 0.01 (sum of max - sum of min) for all members together */
#define BOUNDS_PENALTY 0.01
/* Kingma & Ba (2015), Algorithm 1 */
#define ADAM_BETA1 0.9
#define ADAM_BETA2 0.999
/* operations per parameter of one Adam step with weight decay, divisions and roots as one each */
#define ADAM_FLOP 14.0

double ensemble__train_flop(const NetworkShape *shape, double rows, double steps) {
    /* forward, and backward by inputs and by weights: 2 FLOP per multiply-add each */
    return rows * 6.0 * (double)shape->multiplies + steps * ADAM_FLOP * (double)shape->parameters;
}

/* mean and 1 / sd of the training rows' inputs, two passes in double */
static void fit_scaler(Ensemble *e, const Dataset *data) {
    const double n = (double)data->train_count;
    for (size_t i = 0; i < e->shape.inputs; i++) {
        double sum = 0.0;
        for (size_t k = 0; k < data->train_count; k++) {
            sum += (double)data->inputs[data->train_rows[k] * data->input_dim + i];
        }
        const double mean = sum / n;
        double       squares = 0.0;
        for (size_t k = 0; k < data->train_count; k++) {
            const double x = (double)data->inputs[data->train_rows[k] * data->input_dim + i];
            squares += (x - mean) * (x - mean);
        }
        const double sd = sqrt(squares / n);
        e->scaler_mean[i] = (float)mean;
        e->scaler_inverse[i] = (sd < SCALER_SMALLEST_SD) ? 1.0f : (float)(1.0 / sd);
    }
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
static NetworkAdam next_step(Ensemble *e, size_t member) {
    const size_t at = member * e->shape.floats;
    const double t = (double)++e->steps[member];
    return (NetworkAdam){
        .first = e->first + at,
        .second = e->second + at,
        .decay = e->decay,
        .rate = (float)(e->values[ENSEMBLE_LEARNING_RATE] / (1.0 - pow(ADAM_BETA1, t))),
        .inverse_root = (float)(1.0 / sqrt(1.0 - pow(ADAM_BETA2, t))),
        .weight_decay = (float)e->values[ENSEMBLE_WEIGHT_DECAY],
        /* the members share the penalty of the bounds, as they would share the bounds */
        .bounds_penalty = (float)(BOUNDS_PENALTY / (double)e->members),
        .learned_bounds = e->values[ENSEMBLE_LOGVAR_BOUNDS] == ENSEMBLE_BOUNDS_LEARNED};
}

/* one gradient step on rows order[0..n); @return the data term of the loss */
static double train_batch(Ensemble *e, const Dataset *data, size_t member, const size_t *order,
                          size_t n, NetworkTraining *training) {
    const NetworkShape *shape = &e->shape;
    float              *block = e->block + member * shape->floats;
    const float         weight = (float)(1.0 / ((double)n * (double)shape->outputs));
    const NetworkAdam   adam = next_step(e, member);
    if (n <= NETWORK_LANES) {
        gather_block(e, data, order, n, weight, training);
        return network_step(shape, block, training, network_lanes(n), &adam, e->gradient);
    }
    double loss = 0.0;
    for (size_t first = 0; first < n; first += NETWORK_LANES) {
        const size_t count = (n - first < NETWORK_LANES) ? n - first : NETWORK_LANES;
        gather_block(e, data, order + first, count, weight, training);
        loss +=
            network_gradient(shape, block, training, network_lanes(count), e->gradient, first > 0);
    }
    network_adam(shape, block, &adam, e->gradient);
    return loss;
}

/* weight decay and the bounds' penalty; NaN or infinite if a weight is */
static double penalties(const Ensemble *e, size_t member) {
    const NetworkShape *shape = &e->shape;
    const float        *block = e->block + member * shape->floats;
    double              squares = 0.0;
    double              bounds = 0.0;
    for (size_t l = 0; l < shape->layers; l++) {
        for (size_t o = 0; o < shape->fan_out[l]; o++) {
            const float *row = block + shape->offset[l] + o * shape->stride[l];
            for (size_t i = 0; i < shape->fan_in[l]; i++) {
                squares += (double)row[i] * (double)row[i];
            }
            bounds += 0.0 * (double)row[shape->fan_in[l]]; /* 0, or NaN if the bias is not finite */
        }
    }
    for (size_t d = 0; d < shape->outputs; d++) {
        bounds += (double)block[shape->max_offset + d] - (double)block[shape->min_offset + d];
    }
    return 0.5 * e->values[ENSEMBLE_WEIGHT_DECAY] * squares +
           BOUNDS_PENALTY / (double)e->members * bounds;
}

/* the member's rows, in the order of the bootstrap draws */
static size_t member_rows(Ensemble *e, const Dataset *data, size_t member) {
    if (e->values[ENSEMBLE_BOOTSTRAP] == 0.0) {
        for (size_t k = 0; k < data->train_count; k++) {
            e->order[k] = data->train_rows[k];
        }
        return data->train_count;
    }
    const uint32_t *drawn = data->bootstrap + member * data->capacity;
    for (size_t k = 0; k < data->bootstrap_count; k++) {
        e->order[k] = data->train_rows[drawn[k]];
    }
    return data->bootstrap_count;
}

/* trains one member; @return its loss over the last epoch, not finite if it diverged */
static double train_member(Ensemble *e, const Dataset *data, size_t member, Rng rng,
                           NetworkTraining *training, FitReport *report) {
    const size_t  n = member_rows(e, data, member);
    const size_t  batch = (size_t)e->values[ENSEMBLE_BATCH_SIZE];
    const int64_t epochs = (int64_t)e->values[ENSEMBLE_TRAIN_EPOCHS];
    double        loss = (double)NAN;
    for (int64_t epoch = 0; epoch < epochs; epoch++) {
        double sum = 0.0;
        double steps = 0.0;
        rng_shuffle(&rng, e->order, n);
        for (size_t first = 0; first < n; first += batch) {
            const size_t count = (n - first < batch) ? n - first : batch;
            sum += (double)count * train_batch(e, data, member, e->order + first, count, training);
            steps += 1.0;
        }
        report->flop += ensemble__train_flop(&e->shape, (double)n, steps);
        report->epochs = (report->epochs > epoch) ? report->epochs : epoch + 1;
        loss = sum / (double)n;
        if (!isfinite(loss)) {
            return loss;
        }
    }
    return loss + penalties(e, member);
}

static Status check_training(const Ensemble *e, const Dataset *data) {
    TRY(ensemble__check_data(e, data));
    if (data->train_count == 0) {
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

Status ensemble__fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                     FitReport *report) {
    Ensemble *e = self;
    TRY(check_training(e, data));
    TRY(grow_order(e, (data->train_count > data->bootstrap_count) ? data->train_count
                                                                  : data->bootstrap_count));
    NetworkTraining training;
    const size_t    mark = arena_mark(&e->scratch);
    TRY(network_training(&e->shape, &e->scratch, &training));

    FitReport result = {.loss = 0.0};
    fit_scaler(e, data);
    for (size_t m = 0; m < e->members && !result.diverged; m++) {
        const Rng    rng = rng_stream_lane(seed, step, RNG_MODEL_SHUFFLE, (uint32_t)m);
        const double loss = train_member(e, data, m, rng, &training, &result);
        result.loss += loss / (double)e->members;
        result.diverged = !isfinite(loss);
    }
    arena_release(&e->scratch, mark);
    *report = result;
    return STATUS_OK;
}
