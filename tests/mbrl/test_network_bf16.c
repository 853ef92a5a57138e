/* Layers and networks in bfloat16 against plain loops in double over the rounded numbers, with the
 * processor's instruction (where it has one) and without. */
#include "tests/mbrl/activation_reference.h"
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_gemm_bf16.h"
#include "mbrl/models/network_bf16.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *allocate(size_t words) {
    const size_t bytes = (words * 4 + LANE_ALIGNMENT) / LANE_ALIGNMENT * LANE_ALIGNMENT;
    void        *memory = aligned_alloc(LANE_ALIGNMENT, bytes);
    assert_non_null(memory);
    memset(memory, 0xff, bytes);
    return memory;
}

static float *random_floats(Rng *rng, size_t n) {
    float *x = allocate(n);
    rng_fill_normal(rng, x, n);
    return x;
}

/* both versions one after the other: 0 portable, 1 the machine's own */
static void use_version(int version) {
    lanes_limit(version == 0 ? LANES_AVX2 : LANES_AVX512);
}

/* x to 8 significant bits, ties to even, by arithmetic of its own */
static double to_8_bits(double x) {
    int          power = 0;
    const double fraction = frexp(x, &power);
    return ldexp(nearbyint(ldexp(fraction, 8)), power - 8);
}

static double low_half(uint32_t pair) {
    const uint32_t bits = pair << 16;
    float          x = 0.0f;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static double high_half(uint32_t pair) {
    return low_half(pair >> 16);
}

static uint32_t packed_one(float x) {
    const float row[2] = {x, 0.0f};
    uint32_t    packed[2];
    lanes_bf16_pack(row, 2, 1, 1, packed);
    return packed[1];
}

static void numbers_are_rounded_to_nearest_even(void **state) {
    (void)state;
    Rng rng = rng_stream(1, 0, RNG_TEST);
    for (int k = 0; k < 20000; k++) {
        const float x = (float)(rng_normal(&rng) * pow(10.0, 8.0 * rng_uniform(&rng) - 4.0));
        assert_true(low_half(packed_one(x)) == to_8_bits((double)x));
    }
    /* 1 and its neighbour are 2^-7 apart */
    assert_true(low_half(packed_one(1.0f + 0x1p-8f)) == 1.0);
    assert_true(low_half(packed_one(1.0f + 3 * 0x1p-8f)) == 1.0 + 2 * 0x1p-7);
    assert_true(low_half(packed_one(1.0f + 0x1.1p-8f)) == 1.0 + 0x1p-7);
    assert_true(low_half(packed_one(-1.0f - 0x1p-8f)) == -1.0);
    assert_true(isinf(low_half(packed_one(FLT_MAX))));
    assert_true(isinf(low_half(packed_one(-INFINITY))));
    assert_true(isnan(low_half(packed_one((float)NAN))));
    assert_true(low_half(packed_one(FLT_MIN)) == (double)FLT_MIN);
    assert_true(low_half(packed_one(FLT_MIN / 2)) == 0.0);
    uint32_t bits = 0x7f800001u; /* a NaN whose upper half alone would be infinity */
    float    narrow = 0.0f;
    memcpy(&narrow, &bits, sizeof narrow);
    assert_true(isnan(low_half(packed_one(narrow))));
}

/* one layer of odd or even size */
typedef struct LayerCase {
    size_t     m;
    size_t     k;
    size_t     lanes;
    Activation activation;
} LayerCase;

typedef struct LayerData {
    float    *x; /* (k, lanes) */
    float    *w; /* (m, k + 3): weights, bias, two numbers that nobody may read */
    uint32_t *packed;
    uint32_t *in;
    uint32_t *hidden;
    float    *output;
} LayerData;

static LayerData make_layer(const LayerCase *c, Rng *rng) {
    const size_t pairs = lanes_pairs(c->k);
    LayerData    d = {.x = random_floats(rng, c->k * c->lanes),
                      .w = random_floats(rng, c->m * (c->k + 3)),
                      .packed = allocate(lanes_bf16_words(c->m, c->k)),
                      .in = allocate(pairs * c->lanes),
                      .hidden = allocate((c->m + 1) / 2 * c->lanes),
                      .output = allocate(c->m * c->lanes)};
    for (size_t i = 0; i < c->m; i++) {
        d.w[i * (c->k + 3) + c->k + 1] = (float)NAN;
        d.w[i * (c->k + 3) + c->k + 2] = (float)NAN;
    }
    lanes_bf16_pack(d.w, c->k + 3, c->m, c->k, d.packed);
    lanes_bf16_join(d.x, c->k, c->lanes, d.in);
    return d;
}

static void free_layer(LayerData *d) {
    free(d->x);
    free(d->w);
    free(d->packed);
    free(d->in);
    free(d->hidden);
    free(d->output);
}

/* bias + W x of the rounded numbers; *size: the same of their magnitudes */
static double sum_in_double(const LayerCase *c, const LayerData *d, size_t i, size_t j,
                            double *size) {
    const float *w = d->w + i * (c->k + 3);
    double       sum = (double)w[c->k];
    *size = fabs(sum);
    for (size_t l = 0; l < c->k; l++) {
        const double product = to_8_bits((double)w[l]) * to_8_bits((double)d->x[l * c->lanes + j]);
        sum += product;
        *size += fabs(product);
    }
    return sum;
}

static void check_element(const LayerCase *c, const LayerData *d, size_t i, size_t j) {
    const uint32_t pair = d->hidden[i / 2 * c->lanes + j];
    double         size = 0.0;
    const double   sum = sum_in_double(c, d, i, j, &size);
    /* 2 k roundings of partial sums, each at most 2^-24 of the sum of magnitudes */
    const double bound = (double)(2 * c->k + 2) * 0x1p-24 * size;
    assert_close((double)d->output[i * c->lanes + j], sum, bound, 0.0);
    /* the table's error, then the rounding to 8 bits */
    const double y = activation_in_double(c->activation, sum);
    const double table = (c->activation == ACTIVATION_SWISH) ? 0x1p-11 : 1e-6;
    assert_close(i % 2 == 0 ? low_half(pair) : high_half(pair), y, bound + 1.01 * table, 0x1p-8);
}

/* both versions near the truth, and the same bits: studies may mix processors by that */
static void check_layer(const LayerCase *c, Rng *rng) {
    const size_t output_bytes = c->m * c->lanes * sizeof(float);
    const size_t hidden_bytes = lanes_pairs(c->m) * c->lanes * sizeof(uint32_t);
    LayerData    d = make_layer(c, rng);
    float       *output = allocate(c->m * c->lanes);
    uint32_t    *hidden = allocate(lanes_pairs(c->m) * c->lanes);
    for (int version = 0; version < 2; version++) {
        LaneLayerBf16 layer = {.m = c->m,
                               .pairs = lanes_pairs(c->k),
                               .lanes = c->lanes,
                               .weights = d.packed,
                               .in = d.in,
                               .activation = c->activation,
                               .output = d.output};
        use_version(version);
        lane_layer_bf16(&layer);
        layer.output = NULL;
        layer.hidden = d.hidden;
        lane_layer_bf16(&layer);
        for (size_t i = 0; i < c->m; i++) {
            for (size_t j = 0; j < c->lanes; j++) {
                check_element(c, &d, i, j);
                assert_true(i + 1 < c->m || c->m % 2 == 0 ||
                            high_half(d.hidden[i / 2 * c->lanes + j]) == 0.0);
            }
        }
        if (version == 0) {
            memcpy(output, d.output, output_bytes);
            memcpy(hidden, d.hidden, hidden_bytes);
        }
        assert_memory_equal(output, d.output, output_bytes);
        assert_memory_equal(hidden, d.hidden, hidden_bytes);
        memset(d.output, 0xff, output_bytes);
        memset(d.hidden, 0xff, hidden_bytes);
    }
    free(output);
    free(hidden);
    free_layer(&d);
}

static void layers_are_loops_over_rounded_numbers(void **state) {
    (void)state;
    Rng rng = rng_stream(3, 0, RNG_TEST);
    for (size_t m = 1; m <= 20; m++) {
        for (size_t lanes = LANE_STEP; lanes <= LANE_BF16_MOST_LANES; lanes += LANE_STEP) {
            check_layer(&(LayerCase){.m = m,
                                     .k = 1 + (m * 7 + lanes / LANE_STEP) % 33,
                                     .lanes = lanes,
                                     .activation = (Activation)(m % (ACTIVATION_SIGMOID + 1))},
                        &rng);
        }
    }
    check_layer(&(LayerCase){.m = 200, .k = 200, .lanes = 64}, &rng);
    check_layer(&(LayerCase){.m = 200, .k = 201, .lanes = 48}, &rng);
    use_version(1);
    print_message("bfloat16 instruction: %s\n", lanes_have_bf16() ? "yes" : "no");
}

/* the bounds that the header gives */
static void swish_is_as_near_as_it_says(void **state) {
    (void)state;
    enum { BATCH = 16 * 1000 };
    float *x = allocate(BATCH);
    float *y = allocate(BATCH);
    for (int version = 0; version < 2; version++) {
        double far = 0.0;
        double near = 0.0;
        use_version(version);
        for (size_t i = 0; i < BATCH; i++) {
            x[i] = (float)(-40.0 + 80.0 * (double)i / BATCH);
        }
        memcpy(y, x, BATCH * sizeof *x);
        lanes_swish_bf16(y, BATCH);
        for (size_t i = 0; i < BATCH; i++) {
            const double exact = activation_in_double(ACTIVATION_SWISH, (double)x[i]);
            const double off = fabs((double)y[i] - exact);
            *(fabsf(x[i]) <= 10.3f ? &near : &far) = fmax(off, fabsf(x[i]) <= 10.3f ? near : far);
            if (fabsf(x[i]) <= 10.3f) {
                assert_true(off <= fabs(exact) * (x[i] >= -1.0f ? 0x1p-11 : 0x1.2p-9));
            }
        }
        print_message("swish: error %.2e near, %.2e far\n", near, far);
        assert_true(near <= 0x1.84p-13 && far <= 0x1.84p-12);
        memset(y, 0, LANE_STEP * sizeof *y);
        y[0] = (float)NAN;
        y[1] = INFINITY;
        y[2] = -1e30f;
        y[3] = 1e30f;
        lanes_swish_bf16(y, LANE_STEP);
        assert_true(isnan(y[0]) && y[1] > FLT_MAX && fabsf(y[2]) < 4e-4f && y[3] == 1e30f &&
                    y[4] == 0.0f);
    }
    free(x);
    free(y);
}

typedef struct Nets {
    NetworkShape       shape;
    Arena              arena;
    NetworkScratch     full;
    NetworkScratchBf16 half;
    float             *block;
    uint32_t          *packed;
} Nets;

static Nets make_nets(const NetworkPlan *plan) {
    Nets n = {.block = NULL};
    Rng  rng = rng_stream(4, 0, RNG_TEST);
    network_shape(plan, &n.shape);
    assert_ok(
        arena_init(&n.arena, network_scratch_need(&n.shape) + network_scratch_bf16_need(&n.shape)));
    assert_ok(network_scratch(&n.shape, &n.arena, &n.full));
    assert_ok(network_scratch_bf16(&n.shape, &n.arena, &n.half));
    n.block = allocate(n.shape.floats);
    n.packed = allocate(network_bf16_words(&n.shape));
    network_init(&n.shape, &rng, n.block);
    network_bf16_pack(&n.shape, n.block, n.packed);
    return n;
}

static void free_nets(Nets *n) {
    arena_reset(&n->arena);
    free(n->block);
    free(n->packed);
}

/* Root mean square difference of an output from the float32 network over that of the output from
 * its own mean: what planners see. Each layer rounds to 2^-9 at worst, 2^-10 on average. */
static void networks_agree_with_float32(void **state) {
    (void)state;
    static const NetworkPlan plans[] = {
        {5, 4, 4, 200, ACTIVATION_SWISH, NETWORK_PROBABILISTIC},
        {24, 18, 4, 200, ACTIVATION_SWISH, NETWORK_PROBABILISTIC},
        {1, 1, 1, 7, ACTIVATION_TANH, NETWORK_DETERMINISTIC},
        {9, 3, 2, 33, ACTIVATION_LEAKY_RELU, NETWORK_PROBABILISTIC},
        {40, 2, 1, 17, ACTIVATION_SIGMOID, NETWORK_DETERMINISTIC},
    };
    for (size_t k = 0; k < 2 * sizeof plans / sizeof *plans; k++) {
        Nets         n = make_nets(&plans[k / 2]);
        Rng          rng = rng_stream(5, 0, RNG_TEST);
        const size_t lanes = NETWORK_LANES;
        double       off = 0.0;
        double       squares = 0.0;
        use_version((int)(k % 2));
        rng_fill_normal(&rng, n.full.input, n.shape.inputs * lanes);
        memcpy(n.half.input, n.full.input, n.shape.inputs * lanes * sizeof(float));
        network_forward(&n.shape, n.block, &n.full, lanes);
        network_bf16_forward(&n.shape, n.block, n.packed, &n.half, lanes);
        for (size_t d = 0; d < n.shape.outputs; d++) {
            double mean = 0.0;
            for (size_t j = 0; j < lanes; j++) {
                mean += (double)n.full.output[d * lanes + j] / (double)lanes;
            }
            for (size_t j = 0; j < lanes; j++) {
                const double y = (double)n.full.output[d * lanes + j];
                off += pow((double)n.half.output[d * lanes + j] - y, 2);
                squares += pow(y - mean, 2);
            }
        }
        print_message("network %zu: %.4f\n", k / 2, sqrt(off / squares));
        assert_true(sqrt(off / squares) < 0.03);
        free_nets(&n);
    }
    use_version(1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_rounded_to_nearest_even),
        cmocka_unit_test(layers_are_loops_over_rounded_numbers),
        cmocka_unit_test(swish_is_as_near_as_it_says),
        cmocka_unit_test(networks_agree_with_float32),
    };
    return cmocka_run_group_tests_name("mbrl/network_bf16", tests, NULL, NULL);
}
