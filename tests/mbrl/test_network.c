#include "tests/mbrl/activation_reference.h"
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/network.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 3, OUTPUTS = 2, HIDDEN = 2, WIDTH = 19, ROWS = 21, MAX_WIDTH = 32 };

static float *aligned_floats(size_t n) {
    float *out = aligned_alloc(LANE_ALIGNMENT, (n * sizeof *out + 63) / 64 * 64);
    assert_non_null(out);
    memset(out, 0, n * sizeof *out);
    return out;
}

static void fill_random(Rng *rng, float *x, size_t n, double scale) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(scale * rng_normal(rng));
    }
}

/* the chain of fused multiply-adds that the header promises, element by element */
static float chain(const LaneGemm *g, const float *c, size_t i, size_t j) {
    float sum = (g->start == NULL) ? 0.0f : g->start[i * g->start_row];
    sum = g->add ? c[i * g->c_row + j] : sum;
    for (size_t l = 0; l < g->k; l++) {
        sum = fmaf(g->a[i * g->a_row + l * g->a_step], g->b[l * g->b_row + j], sum);
    }
    return sum;
}

static void check_product(Rng *rng, size_t m, size_t k, size_t lanes, int variant) {
    float *a = aligned_floats(m * k);
    float *b = aligned_floats(k * lanes);
    float *c = aligned_floats(m * lanes);
    float *before = aligned_floats(m * lanes);
    float *start = aligned_floats(2 * m);
    fill_random(rng, a, m * k, 1.0);
    fill_random(rng, b, k * lanes, 1.0);
    fill_random(rng, before, m * lanes, 1.0);
    fill_random(rng, start, 2 * m, 1.0);
    LaneGemm g = {.m = m,
                  .k = k,
                  .lanes = lanes,
                  .a = a,
                  .a_row = (variant & 1) ? 1 : k,
                  .a_step = (variant & 1) ? m : 1,
                  .b = b,
                  .b_row = lanes,
                  .c = c,
                  .c_row = lanes,
                  .start = (variant & 2) ? start : NULL,
                  .start_row = 2,
                  .add = (variant & 4) != 0};
    for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
        memcpy(c, before, m * lanes * sizeof *c);
        lanes_limit((LaneLevel)level);
        lane_gemm(&g);
        for (size_t i = 0; i < m; i++) {
            for (size_t j = 0; j < lanes; j++) {
                assert_true(c[i * lanes + j] == chain(&g, before, i, j));
            }
        }
    }
    free(a);
    free(b);
    free(c);
    free(before);
    free(start);
}

static void products_are_exact_chains_of_fused_multiply_adds(void **state) {
    (void)state;
    Rng rng = rng_stream(1, 0, RNG_TEST);
    for (size_t m = 1; m <= 27; m++) {
        const size_t lanes = LANE_STEP * (1 + m % 8);
        check_product(&rng, m, 1 + m * 7 % 33, lanes, (int)(m % 8));
    }
    check_product(&rng, 13, 5, 7 * LANE_STEP, 2);
    check_product(&rng, 12, 40, LANE_STEP, 4);
    print_message("kernel: %s\n", lane_gemm_kernel());
}

/* The network in double, written down separately: rows one after another, weights looked up in the
 * flat block. */
static double softplus_in_double(double x) {
    return fmax(x, 0.0) + log1p(exp(-fabs(x)));
}

static void forward_in_double(const NetworkShape *shape, const double *block, const double *x,
                              double *out) {
    double in[MAX_WIDTH];
    double next[MAX_WIDTH];
    memcpy(in, x, shape->inputs * sizeof *x);
    for (size_t l = 0; l < shape->layers; l++) {
        for (size_t o = 0; o < shape->fan_out[l]; o++) {
            const double *row = block + shape->offset[l] + o * shape->stride[l];
            double        sum = row[shape->fan_in[l]];
            for (size_t i = 0; i < shape->fan_in[l]; i++) {
                sum += row[i] * in[i];
            }
            next[o] = (l + 1 < shape->layers) ? activation_in_double(shape->activation, sum) : sum;
        }
        memcpy(in, next, sizeof in);
    }
    for (size_t d = 0; shape->heads == 1 && d < shape->outputs; d++) {
        out[d] = in[d];
    }
    for (size_t d = 0; shape->heads == 2 && d < shape->outputs; d++) {
        const double max = block[shape->max_offset + d];
        const double min = block[shape->min_offset + d];
        const double upper = max - softplus_in_double(max - in[shape->outputs + d]);
        out[d] = in[d];
        out[shape->outputs + d] = min + softplus_in_double(upper - min);
    }
}

/* mean over ROWS and dimensions */
static double loss_in_double(const NetworkShape *shape, const double *block, const double *x,
                             const double *y) {
    double loss = 0.0;
    for (size_t r = 0; r < ROWS; r++) {
        double out[2 * OUTPUTS];
        forward_in_double(shape, block, x + r * INPUTS, out);
        for (size_t d = 0; d < OUTPUTS; d++) {
            const double error = out[d] - y[r * OUTPUTS + d];
            loss += shape->heads == 1 ? error * error
                                      : error * error * exp(-out[OUTPUTS + d]) + out[OUTPUTS + d];
        }
    }
    return loss / (ROWS * OUTPUTS);
}

typedef struct Problem {
    NetworkShape    shape;
    float          *block;
    double         *exact; /* the block in double */
    double          x[ROWS * INPUTS];
    double          y[ROWS * OUTPUTS];
    Arena           arena;
    NetworkTraining training;
    float          *gradient;
    double          loss;
} Problem;

static void fill_block(Problem *p, size_t first, size_t n) {
    const size_t lanes = network_lanes(n);
    for (size_t j = 0; j < lanes; j++) {
        const size_t row = first + ((j < n) ? j : n - 1);
        for (size_t i = 0; i < INPUTS; i++) {
            p->training.layer[0][i * lanes + j] = (float)p->x[row * INPUTS + i];
        }
        for (size_t d = 0; d < OUTPUTS; d++) {
            p->training.target[d * lanes + j] = (float)p->y[row * OUTPUTS + d];
        }
        p->training.weight[j] = (j < n) ? 1.0f / (ROWS * OUTPUTS) : 0.0f;
    }
}

/* bounds near the log variances, so that their gradients are not tiny */
static void problem_make_kind(Problem *p, Activation activation, NetworkKind kind, uint64_t seed) {
    Rng rng = rng_stream(seed, 0, RNG_TEST);
    network_shape(&(NetworkPlan){.inputs = INPUTS,
                                 .outputs = OUTPUTS,
                                 .hidden_layers = HIDDEN,
                                 .width = WIDTH,
                                 .activation = activation,
                                 .kind = kind},
                  &p->shape);
    p->block = aligned_floats(p->shape.floats);
    p->gradient = aligned_floats(p->shape.floats);
    p->exact = calloc(p->shape.floats, sizeof *p->exact);
    assert_non_null(p->exact);
    network_init(&p->shape, &rng, p->block);
    for (size_t l = 0; l < p->shape.layers; l++) {
        for (size_t o = 0; o < p->shape.fan_out[l]; o++) {
            p->block[p->shape.offset[l] + o * p->shape.stride[l] + p->shape.fan_in[l]] =
                (float)(0.3 * rng_normal(&rng));
        }
    }
    for (size_t d = 0; kind == NETWORK_PROBABILISTIC && d < OUTPUTS; d++) {
        p->block[p->shape.max_offset + d] = 0.4f;
        p->block[p->shape.min_offset + d] = -1.2f;
    }
    for (size_t i = 0; i < p->shape.floats; i++) {
        p->exact[i] = (double)p->block[i];
    }
    for (size_t i = 0; i < ROWS * INPUTS; i++) {
        p->x[i] = (double)(float)rng_normal(&rng);
    }
    for (size_t i = 0; i < ROWS * OUTPUTS; i++) {
        p->y[i] = (double)(float)rng_normal(&rng);
    }
    assert_ok(arena_init(&p->arena, network_training_need(&p->shape)));
    assert_ok(network_training(&p->shape, &p->arena, &p->training));
    /* two blocks of rows, the second added: 16 and 5 */
    p->loss = 0.0;
    for (size_t first = 0; first < ROWS; first += LANE_STEP) {
        const size_t n = (ROWS - first < LANE_STEP) ? ROWS - first : LANE_STEP;
        fill_block(p, first, n);
        p->loss += network_gradient(&p->shape, p->block, &p->training, network_lanes(n),
                                    p->gradient, first > 0);
    }
}

static void problem_make(Problem *p, Activation activation, uint64_t seed) {
    problem_make_kind(p, activation, NETWORK_PROBABILISTIC, seed);
}

static void problem_free(Problem *p) {
    arena_reset(&p->arena);
    free(p->block);
    free(p->gradient);
    free(p->exact);
}

/* 1 where number k of the block is a weight, bias or bound, 0 where it is padding */
static int is_parameter(const NetworkShape *shape, size_t k) {
    for (size_t l = 0; l < shape->layers; l++) {
        const size_t end = shape->offset[l] + shape->fan_out[l] * shape->stride[l];
        if (k >= shape->offset[l] && k < end) {
            return (k - shape->offset[l]) % shape->stride[l] <= shape->fan_in[l];
        }
    }
    if (shape->heads == 1) {
        return 0;
    }
    return (k >= shape->min_offset) ? k < shape->min_offset + shape->outputs
                                    : k < shape->max_offset + shape->outputs;
}

/* Central differences of the loss in double, step 1e-5 (error of order 1e-10), against the gradient
 * in float: 2e-5 of the largest component, some 100 roundings. */
static void check_gradient(Activation activation, NetworkKind kind, uint64_t seed) {
    const double step = 1e-5;
    Problem      p;
    size_t       checked = 0;
    double       largest = 0.0;
    problem_make_kind(&p, activation, kind, seed);
    assert_close(p.loss, loss_in_double(&p.shape, p.exact, p.x, p.y), 1e-6, 1e-6);
    for (size_t k = 0; k < p.shape.floats; k++) {
        largest = fmax(largest, fabs((double)p.gradient[k]));
    }
    for (size_t k = 0; k < p.shape.floats; k++) {
        if (!is_parameter(&p.shape, k)) {
            assert_true(p.gradient[k] == 0.0f);
            continue;
        }
        const double kept = p.exact[k];
        p.exact[k] = kept + step;
        const double above = loss_in_double(&p.shape, p.exact, p.x, p.y);
        p.exact[k] = kept - step;
        const double below = loss_in_double(&p.shape, p.exact, p.x, p.y);
        p.exact[k] = kept;
        assert_close((double)p.gradient[k], (above - below) / (2.0 * step), 2e-5 * largest, 0.0);
        checked++;
    }
    assert_int_equal(checked, p.shape.parameters);
    problem_free(&p);
}

static void gradients_agree_with_central_differences(void **state) {
    (void)state;
    for (int a = ACTIVATION_SWISH; a <= ACTIVATION_SIGMOID; a++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            check_gradient((Activation)a, NETWORK_PROBABILISTIC, seed);
            check_gradient((Activation)a, NETWORK_DETERMINISTIC, seed);
        }
    }
}

static void forward_agrees_with_double_and_not_with_its_neighbours(void **state) {
    (void)state;
    for (int a = ACTIVATION_SWISH; a <= ACTIVATION_SIGMOID; a++) {
        Problem        p;
        Arena          arena;
        NetworkScratch work;
        float          alone[2 * OUTPUTS * LANE_STEP];
        problem_make(&p, (Activation)a, 9);
        assert_ok(arena_init(&arena, network_scratch_need(&p.shape)));
        assert_ok(network_scratch(&p.shape, &arena, &work));
        for (size_t i = 0; i < INPUTS; i++) {
            for (size_t j = 0; j < LANE_STEP; j++) {
                work.input[i * LANE_STEP + j] = (float)p.x[j * INPUTS + i];
            }
        }
        network_forward(&p.shape, p.block, &work, LANE_STEP);
        memcpy(alone, work.output, sizeof alone);
        for (size_t j = 0; j < LANE_STEP; j++) {
            double out[2 * OUTPUTS];
            forward_in_double(&p.shape, p.exact, p.x + j * INPUTS, out);
            for (size_t d = 0; d < 2 * OUTPUTS; d++) {
                assert_close((double)alone[d * LANE_STEP + j], out[d], 2e-6, 2e-6);
            }
        }
        /* the same rows at the end of a block of 64 with wild neighbours: the same bits */
        for (size_t i = 0; i < INPUTS; i++) {
            for (size_t j = 0; j < NETWORK_LANES; j++) {
                const size_t from = NETWORK_LANES - LANE_STEP;
                work.input[i * NETWORK_LANES + j] =
                    (j < from) ? 1e30f : (float)p.x[(j - from) * INPUTS + i];
            }
        }
        network_forward(&p.shape, p.block, &work, NETWORK_LANES);
        for (size_t d = 0; d < 2 * OUTPUTS; d++) {
            assert_memory_equal(work.output + (d + 1) * NETWORK_LANES - LANE_STEP,
                                alone + d * LANE_STEP, LANE_STEP * sizeof *alone);
        }
        arena_reset(&arena);
        problem_free(&p);
    }
}

static void initial_weights_are_truncated_normal_with_the_published_width(void **state) {
    (void)state;
    NetworkShape shape;
    Rng          rng = rng_stream(4, 0, RNG_MODEL_INIT);
    network_shape(&(NetworkPlan){.inputs = 100, .outputs = 3, .hidden_layers = 1, .width = 200},
                  &shape);
    float *block = aligned_floats(shape.floats);
    network_init(&shape, &rng, block);
    const double sd = 0.5 / sqrt(100.0);
    double       squares = 0.0;
    for (size_t o = 0; o < 200; o++) {
        const float *row = block + o * shape.stride[0];
        for (size_t i = 0; i < 100; i++) {
            assert_true(fabs((double)row[i]) <= 2.0 * sd * (1.0 + 1e-6));
            squares += (double)row[i] * (double)row[i];
        }
        assert_true(row[100] == 0.0f);
    }
    /* variance of the standard normal within +-2: 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.77374; 20 000
     * draws have a relative standard error below 1 % */
    assert_close(squares / 20000.0 / (sd * sd), 0.77374, 0.02, 0.0);
    assert_true(block[shape.max_offset + 2] == 0.5f);
    assert_true(block[shape.min_offset] == -10.0f);
    free(block);
}

/* the level changes the speed only: gradients, predictions and Adam, bit for bit */
static void every_instruction_set_gives_the_same_bits(void **state) {
    (void)state;
    for (int a = ACTIVATION_SWISH; a <= ACTIVATION_SIGMOID; a++) {
        Problem best;
        lanes_limit(LANES_AVX512);
        problem_make(&best, (Activation)a, 7);
        float *moments = aligned_floats(2 * best.shape.floats);
        float *decay = aligned_floats(LANE_STEP);
        for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
            Problem p;
            lanes_limit((LaneLevel)level);
            problem_make(&p, (Activation)a, 7);
            assert_memory_equal(p.gradient, best.gradient, p.shape.floats * sizeof(float));
            assert_true(p.loss == best.loss);
            /* the log variances of all kinds of numbers, and their standard deviations */
            float x[LANE_STEP] = {-1e30f, -200, -90, -20, -3, -0.5f, -1e-3f, 0,
                                  1e-3f,  0.5f, 3,   20,  90, 200,   1e30f,  NAN};
            float sd[LANE_STEP];
            lanes_bound(x, -10.0f, 0.5f, LANE_STEP);
            memcpy(sd, x, sizeof sd);
            lanes_exp_half(sd, LANE_STEP);
            for (size_t j = 0; j + 1 < LANE_STEP; j++) {
                assert_true(x[j] >= -10.0001f && x[j] <= 0.5001f);
                assert_close((double)sd[j], exp(0.5 * (double)x[j]), 0.0, 3e-7);
            }
            assert_true(isnan(x[LANE_STEP - 1]) && isnan(sd[LANE_STEP - 1]));
            memset(moments, 0, 2 * p.shape.floats * sizeof *moments);
            for (int step = 0; step < 2; step++) {
                lanes_optimize(OPTIMIZER_ADAM,
                               &(OptimizerStep){.rate = 1e-3f,
                                                .inverse_root = 3.0f,
                                                .rows = p.shape.floats / LANE_STEP,
                                                .period = LANE_STEP,
                                                .decay = decay,
                                                .gradient = p.gradient,
                                                .weight = p.block,
                                                .first = moments,
                                                .second = moments + p.shape.floats});
            }
            if (level == LANES_PORTABLE) {
                memcpy(best.block, p.block, p.shape.floats * sizeof(float));
            }
            assert_memory_equal(p.block, best.block, p.shape.floats * sizeof(float));
            problem_free(&p);
        }
        free(moments);
        free(decay);
        problem_free(&best);
    }
}

/* one block of rows: gradient, then step, or both in one */
static void stepping_layer_by_layer_gives_the_same_bits(void **state) {
    (void)state;
    Problem p;
    Problem q;
    problem_make(&p, ACTIVATION_SWISH, 8);
    problem_make(&q, ACTIVATION_SWISH, 8);
    Problem *const both[2] = {&p, &q};
    double         loss[2];
    for (size_t k = 0; k < 2; k++) {
        const size_t           floats = both[k]->shape.floats;
        float                 *moments = aligned_floats(2 * floats);
        float                 *decay = aligned_floats(MAX_WIDTH);
        const NetworkOptimizer adam = {.first = moments,
                                       .second = moments + floats,
                                       .decay = decay,
                                       .rate = 0.01f,
                                       .inverse_root = 30.0f,
                                       .weight_decay = {0.1f, 0.1f, 0.1f},
                                       .bounds_penalty = 0.01f,
                                       .learned_bounds = true};
        for (int step = 0; step < 2; step++) {
            fill_block(both[k], 0, ROWS);
            if (k == 0) {
                loss[0] = network_gradient(&p.shape, p.block, &p.training, network_lanes(ROWS),
                                           p.gradient, false);
                network_optimize(&p.shape, p.block, &adam, p.gradient);
            } else {
                loss[1] = network_step(&q.shape, q.block, &q.training, network_lanes(ROWS), &adam,
                                       q.gradient);
            }
        }
        free(moments);
        free(decay);
    }
    assert_true(loss[0] == loss[1]);
    assert_memory_equal(p.block, q.block, p.shape.floats * sizeof *p.block);
    /* it did move, the bounds too */
    assert_true(fabs((double)p.block[p.shape.max_offset] - p.exact[p.shape.max_offset]) > 1e-3);
    problem_free(&p);
    problem_free(&q);
}

/* a gradient of 0 leaves only the decay: weights shrink, biases and fixed bounds stay */
static void decay_is_of_weights_not_of_biases(void **state) {
    (void)state;
    Problem p;
    problem_make(&p, ACTIVATION_RELU, 8);
    const NetworkShape *shape = &p.shape;
    float              *moments = aligned_floats(2 * shape->floats);
    float              *decay = aligned_floats(MAX_WIDTH);
    memset(p.gradient, 0, shape->floats * sizeof *p.gradient);
    network_optimize(shape, p.block,
                     &(NetworkOptimizer){.first = moments,
                                         .second = moments + shape->floats,
                                         .decay = decay,
                                         .rate = 1e-3f,
                                         .inverse_root = 1.0f,
                                         .weight_decay = {0.1f, 0.1f, 0.1f},
                                         .bounds_penalty = 0.01f},
                     p.gradient);
    for (size_t l = 0; l < shape->layers; l++) {
        for (size_t k = 0; k < shape->fan_out[l] * shape->stride[l]; k++) {
            const size_t at = shape->offset[l] + k;
            const double before = p.exact[at];
            if (k % shape->stride[l] < shape->fan_in[l]) {
                assert_true(fabs((double)p.block[at] - before) > 1e-4);
                assert_true(((double)p.block[at] - before) * before < 0.0);
            } else {
                assert_true((double)p.block[at] == before);
            }
        }
    }
    for (size_t k = shape->max_offset; k < shape->floats; k++) {
        assert_true((double)p.block[k] == p.exact[k]);
    }
    /* learned bounds are pushed together by their penalty */
    memset(moments, 0, 2 * shape->floats * sizeof *moments);
    network_optimize(shape, p.block,
                     &(NetworkOptimizer){.first = moments,
                                         .second = moments + shape->floats,
                                         .decay = decay,
                                         .rate = 1e-3f,
                                         .inverse_root = 1.0f,
                                         .bounds_penalty = 0.01f,
                                         .learned_bounds = true},
                     p.gradient);
    for (size_t d = 0; d < OUTPUTS; d++) {
        assert_true((double)p.block[shape->max_offset + d] < p.exact[shape->max_offset + d]);
        assert_true((double)p.block[shape->min_offset + d] > p.exact[shape->min_offset + d]);
    }
    free(moments);
    free(decay);
    problem_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact_chains_of_fused_multiply_adds),
        cmocka_unit_test(gradients_agree_with_central_differences),
        cmocka_unit_test(forward_agrees_with_double_and_not_with_its_neighbours),
        cmocka_unit_test(initial_weights_are_truncated_normal_with_the_published_width),
        cmocka_unit_test(every_instruction_set_gives_the_same_bits),
        cmocka_unit_test(stepping_layer_by_layer_gives_the_same_bits),
        cmocka_unit_test(decay_is_of_weights_not_of_biases),
    };
    return cmocka_run_group_tests_name("mbrl/network", tests, NULL, NULL);
}
