/* The block of a network and the passes through it. Forward and backward go by blocks of lanes that
 * stay in cache through all layers (lane_gemm.h), and the backward pass keeps f' of the forward one
 * in place of recomputing it. network_step() steps a few rows of weights while their gradient is
 * still in L1, so that the gradient is not stored and read again. Gaussian outputs: log variances
 * between learned bounds by two softplus (PETS, appendix A), so that neither a sure nor an unsure
 * prediction runs away outside of the data.
 */
#include "mbrl/models/network.h"

#include "mbrl/models/lane_gemm.h"

#include <math.h>
#include <string.h>

/* PETS (Chua et al. 2018), reference implementation: initial bounds of the log variance */
#define FIRST_MAX_LOGVAR 0.5f
#define FIRST_MIN_LOGVAR (-10.0f)
/* the same: weights are truncated at two standard deviations */
#define INIT_TRUNCATION 2.0

/* rows of a gradient between product and step: 24 x 208 floats are 20 kB */
enum { STEP_ROWS = 24 };

static size_t padded(size_t n) {
    return (n + (LANE_STEP - 1)) / LANE_STEP * LANE_STEP;
}

void network_shape(const NetworkPlan *plan, NetworkShape *out) {
    const size_t heads = (plan->kind == NETWORK_PROBABILISTIC) ? 2 : 1;
    const size_t last = heads * plan->outputs;
    NetworkShape shape = {.inputs = plan->inputs,
                          .outputs = plan->outputs,
                          .heads = heads,
                          .layers = plan->hidden_layers + 1,
                          .activation = plan->activation,
                          .widest = (plan->inputs > last) ? plan->inputs : last};
    if (plan->width > shape.widest) {
        shape.widest = plan->width;
    }
    for (size_t l = 0; l < shape.layers; l++) {
        shape.fan_in[l] = (l == 0) ? plan->inputs : plan->width;
        shape.fan_out[l] = (l == plan->hidden_layers) ? last : plan->width;
        shape.stride[l] = padded(shape.fan_in[l] + 1);
        shape.offset[l] = shape.weights;
        shape.weights += shape.fan_out[l] * shape.stride[l];
        shape.multiplies += shape.fan_in[l] * shape.fan_out[l];
        shape.parameters += (shape.fan_in[l] + 1) * shape.fan_out[l];
    }
    const size_t bounds = (heads == 2) ? plan->outputs : 0;
    shape.max_offset = shape.weights;
    shape.min_offset = shape.max_offset + padded(bounds);
    shape.floats = shape.min_offset + padded(bounds);
    shape.parameters += 2 * bounds;
    *out = shape;
}

static void truncated_normal(Rng *rng, double sd, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        double z = rng_normal(rng);
        while (fabs(z) > INIT_TRUNCATION) {
            z = rng_normal(rng);
        }
        out[i] = (float)(sd * z);
    }
}

void network_init(const NetworkShape *shape, Rng *rng, float *block) {
    memset(block, 0, shape->floats * sizeof *block);
    for (size_t l = 0; l < shape->layers; l++) {
        const double sd = 0.5 / sqrt((double)shape->fan_in[l]);
        for (size_t o = 0; o < shape->fan_out[l]; o++) {
            float *row = block + shape->offset[l] + o * shape->stride[l];
            truncated_normal(rng, sd, row, shape->fan_in[l]);
        }
    }
    for (size_t d = 0; shape->heads == 2 && d < shape->outputs; d++) {
        block[shape->max_offset + d] = FIRST_MAX_LOGVAR;
        block[shape->min_offset + d] = FIRST_MIN_LOGVAR;
    }
}

size_t network_lanes(size_t rows) {
    return (rows >= NETWORK_LANES) ? NETWORK_LANES : padded(rows);
}

static Status take(Arena *arena, size_t features, float **out) {
    return ARENA_TAKE(arena, float, (features * NETWORK_LANES), out);
}

static size_t need(size_t features) {
    return arena_need(features * NETWORK_LANES, sizeof(float));
}

size_t network_scratch_need(const NetworkShape *shape) {
    return need(shape->inputs) + need(shape->heads * shape->outputs) + 2 * need(shape->widest);
}

Status network_scratch(const NetworkShape *shape, Arena *arena, NetworkScratch *out) {
    TRY(take(arena, shape->inputs, &out->input));
    TRY(take(arena, shape->heads * shape->outputs, &out->output));
    TRY(take(arena, shape->widest, &out->side[0]));
    return take(arena, shape->widest, &out->side[1]);
}

static size_t largest_stride(const NetworkShape *shape) {
    size_t largest = 0;
    for (size_t l = 0; l < shape->layers; l++) {
        largest = (shape->stride[l] > largest) ? shape->stride[l] : largest;
    }
    return largest;
}

size_t network_training_need(const NetworkShape *shape) {
    size_t bytes = need(shape->outputs) + need(1) + need(3) + 2 * need(shape->widest);
    for (size_t l = 0; l < shape->layers; l++) {
        bytes += 2 * need(shape->fan_in[l]);
    }
    return bytes + need(largest_stride(shape));
}

Status network_training(const NetworkShape *shape, Arena *arena, NetworkTraining *out) {
    for (size_t l = 0; l < shape->layers; l++) {
        TRY(take(arena, shape->fan_in[l], &out->layer[l]));
        TRY(take(arena, shape->fan_in[l], &out->slope[l]));
    }
    TRY(take(arena, shape->outputs, &out->target));
    TRY(take(arena, 1, &out->weight));
    TRY(take(arena, shape->widest, &out->delta[0]));
    TRY(take(arena, shape->widest, &out->delta[1]));
    TRY(take(arena, largest_stride(shape), &out->rows));
    return take(arena, 3, &out->part);
}

/* out (fan_out, lanes) = bias + W in (fan_in, lanes) */
static void layer_forward(const NetworkShape *shape, const float *block, size_t l, const float *in,
                          size_t lanes, float *out) {
    const float *w = block + shape->offset[l];
    lane_gemm(&(LaneGemm){.m = shape->fan_out[l],
                          .k = shape->fan_in[l],
                          .lanes = lanes,
                          .a = w,
                          .a_row = shape->stride[l],
                          .a_step = 1,
                          .b = in,
                          .b_row = lanes,
                          .c = out,
                          .c_row = lanes,
                          .start = w + shape->fan_in[l],
                          .start_row = shape->stride[l]});
}

void network_forward(const NetworkShape *shape, const float *block, const NetworkScratch *scratch,
                     size_t lanes) {
    const float *in = scratch->input;
    const size_t last = shape->layers - 1;
    for (size_t l = 0; l < last; l++) {
        float *out = scratch->side[l % 2];
        layer_forward(shape, block, l, in, lanes, out);
        lanes_activate(shape->activation, out, shape->fan_out[l] * lanes);
        in = out;
    }
    layer_forward(shape, block, last, in, lanes, scratch->output);
    for (size_t d = 0; shape->heads == 2 && d < shape->outputs; d++) {
        lanes_bound(scratch->output + (shape->outputs + d) * lanes, block[shape->min_offset + d],
                    block[shape->max_offset + d], lanes);
    }
}

static double sum_of(const float *x, size_t n) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)x[i];
    }
    return sum;
}

/* turns delta[0] (means) into the derivatives of the squared error by them */
static double squared_gradient(const NetworkShape *shape, NetworkTraining *training, size_t lanes) {
    double loss = 0.0;
    for (size_t d = 0; d < shape->outputs; d++) {
        lanes_squared_loss(&(LaneLoss){.mean = training->delta[0] + d * lanes,
                                       .target = training->target + d * lanes,
                                       .weight = training->weight,
                                       .part = training->part},
                           lanes);
        loss += sum_of(training->part, lanes);
    }
    return loss;
}

/* turns delta[0] (means and raw log variances) into the loss's derivatives by them */
static double output_gradient(const NetworkShape *shape, const float *block,
                              NetworkTraining *training, size_t lanes, float *gradient, bool add) {
    double loss = 0.0;
    if (shape->heads == 1) {
        return squared_gradient(shape, training, lanes);
    }
    for (size_t d = 0; d < shape->outputs; d++) {
        lanes_loss(&(LaneLoss){.mean = training->delta[0] + d * lanes,
                               .raw = training->delta[0] + (shape->outputs + d) * lanes,
                               .target = training->target + d * lanes,
                               .weight = training->weight,
                               .min = block[shape->min_offset + d],
                               .max = block[shape->max_offset + d],
                               .part = training->part},
                   lanes);
        loss += sum_of(training->part, lanes);
        const float by_max = (float)sum_of(training->part + lanes, lanes);
        const float by_min = (float)sum_of(training->part + 2 * lanes, lanes);
        float      *max = gradient + shape->max_offset + d;
        float      *min = gradient + shape->min_offset + d;
        *max = by_max + (add ? *max : 0.0f);
        *min = by_min + (add ? *min : 0.0f);
    }
    return loss;
}

/* gradient of rows.m rows of layer l's weights: their delta (rows.m, lanes) times the inputs */
static void weight_gradient(const NetworkShape *shape, const NetworkTraining *training, size_t l,
                            const float *delta, size_t lanes, LaneGemm rows) {
    const size_t stride = shape->stride[l];
    rows.k = lanes;
    rows.lanes = stride;
    rows.a = delta;
    rows.a_row = lanes;
    rows.a_step = 1;
    rows.b = training->rows;
    rows.b_row = stride;
    rows.c_row = stride;
    lane_gemm(&rows);
}

/* one step of `rows` rows of `period` numbers that begin at `at` in the block */
static void step_block(float *block, const NetworkOptimizer *o, size_t at, size_t rows,
                       size_t period, const float *gradient) {
    lanes_optimize(o->kind, &(OptimizerStep){.rate = o->rate,
                                             .inverse_root = o->inverse_root,
                                             .momentum = o->momentum,
                                             .rows = rows,
                                             .period = period,
                                             .decay = o->decay,
                                             .gradient = gradient,
                                             .weight = block + at,
                                             .first = o->first + at,
                                             .second = o->second + at});
}

/* decay of each column of layer l: weights, not the bias */
static void fill_decay(const NetworkShape *shape, const NetworkOptimizer *o, size_t l) {
    for (size_t i = 0; i < shape->stride[l]; i++) {
        o->decay[i] = (i < shape->fan_in[l]) ? o->weight_decay[l] : 0.0f;
    }
}

static void step_bounds(const NetworkShape *shape, float *block, const NetworkOptimizer *o,
                        float *gradient) {
    if (!o->learned_bounds || shape->heads == 1) {
        return;
    }
    const size_t at = shape->max_offset;
    for (size_t d = 0; d < shape->outputs; d++) {
        gradient[shape->max_offset + d] += o->bounds_penalty;
        gradient[shape->min_offset + d] -= o->bounds_penalty;
    }
    memset(o->decay, 0, LANE_STEP * sizeof *o->decay);
    step_block(block, o, at, (shape->floats - at) / LANE_STEP, LANE_STEP, gradient + at);
}

void network_optimize(const NetworkShape *shape, float *block, const NetworkOptimizer *optimizer,
                      float *gradient) {
    for (size_t l = 0; l < shape->layers; l++) {
        fill_decay(shape, optimizer, l);
        step_block(block, optimizer, shape->offset[l], shape->fan_out[l], shape->stride[l],
                   gradient + shape->offset[l]);
    }
    step_bounds(shape, block, optimizer, gradient);
}

/* what the backward pass does with the gradient of a layer's weights */
typedef struct GradientUse {
    float                  *gradient; /* where it goes, or scratch */
    bool                    add;
    float                  *block; /* stepped at once where `optimizer` is given */
    const NetworkOptimizer *optimizer;
} GradientUse;

static void use_gradient(const NetworkShape *shape, NetworkTraining *training, size_t l,
                         const float *delta, size_t lanes, const GradientUse *use) {
    lanes_input_rows(training->layer[l], shape->fan_in[l], lanes, training->rows, shape->stride[l]);
    if (use->optimizer == NULL) {
        weight_gradient(shape, training, l, delta, lanes,
                        (LaneGemm){.m = shape->fan_out[l],
                                   .c = use->gradient + shape->offset[l],
                                   .add = use->add});
        return;
    }
    fill_decay(shape, use->optimizer, l);
    for (size_t first = 0; first < shape->fan_out[l]; first += STEP_ROWS) {
        const size_t left = shape->fan_out[l] - first;
        const size_t count = (left < STEP_ROWS) ? left : STEP_ROWS;
        float       *rows = use->gradient + shape->offset[l]; /* the same few kB each time */
        weight_gradient(shape, training, l, delta + first * lanes, lanes,
                        (LaneGemm){.m = count, .c = rows});
        step_block(use->block, use->optimizer, shape->offset[l] + first * shape->stride[l], count,
                   shape->stride[l], rows);
    }
}

static double forward_and_back(const NetworkShape *shape, const float *block,
                               NetworkTraining *training, size_t lanes, const GradientUse *use) {
    const size_t last = shape->layers - 1;
    for (size_t l = 0; l < last; l++) {
        layer_forward(shape, block, l, training->layer[l], lanes, training->layer[l + 1]);
        lanes_activate_slope(shape->activation, training->layer[l + 1], training->slope[l + 1],
                             shape->fan_out[l] * lanes);
    }
    layer_forward(shape, block, last, training->layer[last], lanes, training->delta[0]);

    const double loss = output_gradient(shape, block, training, lanes, use->gradient, use->add);
    float       *delta = training->delta[0];
    float       *next = training->delta[1];
    for (size_t l = last; l > 0; l--) {
        /* before the layer's weights are stepped */
        lane_gemm(&(LaneGemm){.m = shape->fan_in[l],
                              .k = shape->fan_out[l],
                              .lanes = lanes,
                              .a = block + shape->offset[l],
                              .a_row = 1,
                              .a_step = shape->stride[l],
                              .b = delta,
                              .b_row = lanes,
                              .c = next,
                              .c_row = lanes});
        use_gradient(shape, training, l, delta, lanes, use);
        lanes_multiply(next, training->slope[l], shape->fan_in[l] * lanes);
        float *swap = delta;
        delta = next;
        next = swap;
    }
    use_gradient(shape, training, 0, delta, lanes, use);
    return loss;
}

double network_gradient(const NetworkShape *shape, const float *block, NetworkTraining *training,
                        size_t lanes, float *gradient, bool add) {
    const GradientUse use = {.gradient = gradient, .add = add};
    return forward_and_back(shape, block, training, lanes, &use);
}

double network_step(const NetworkShape *shape, float *block, NetworkTraining *training,
                    size_t lanes, const NetworkOptimizer *optimizer, float *gradient) {
    const GradientUse use = {.gradient = gradient, .block = block, .optimizer = optimizer};
    const double      loss = forward_and_back(shape, block, training, lanes, &use);
    step_bounds(shape, block, optimizer, gradient);
    return loss;
}
