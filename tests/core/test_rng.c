#include "tests/support/test_support.h"

#include "core/rng.h"
#include "core/vector_math.h"

#include <math.h>
#include <string.h>

enum { MANY = 200000 };

static float numbers[MANY];

/* Known answers of philox4x32-10, published with Random123 (Salmon et al. 2011). */
static void philox_gives_the_published_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4];
        uint32_t key[2];
        uint32_t expected[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Rng rng = {.used = 4};
        memcpy(rng.counter, cases[i].counter, sizeof rng.counter);
        memcpy(rng.key, cases[i].key, sizeof rng.key);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(rng_u32(&rng), cases[i].expected[j]);
        }
    }
}

/* The bulk loop is another implementation: word w of block b of a group is number w * 16 + b. */
static void bulk_numbers_are_those_of_the_stream_in_group_order(void **state) {
    (void)state;
    Rng bulk = rng_stream_lane(77, 5, RNG_TEST, 3);
    Rng single = bulk;
    rng_fill_uniform(&bulk, numbers, 256);
    for (size_t group = 0; group < 4; group++) {
        for (size_t block = 0; block < 16; block++) {
            for (size_t word = 0; word < 4; word++) {
                const float expected = (float)(rng_u32(&single) >> 8) * 0x1p-24f;
                assert_true(numbers[group * 64 + word * 16 + block] == expected);
            }
        }
    }
    assert_int_equal(bulk.counter[0], single.counter[0]);
}

/* Box-Muller of the same words in double. */
static void bulk_normals_are_box_muller_of_the_stream(void **state) {
    (void)state;
    Rng      bulk = rng_stream(9, 1, RNG_TEST);
    Rng      single = bulk;
    uint32_t words[4][16];
    rng_fill_normal(&bulk, numbers, 64);
    for (size_t block = 0; block < 16; block++) {
        for (size_t word = 0; word < 4; word++) {
            words[word][block] = rng_u32(&single);
        }
    }
    for (size_t pair = 0; pair < 2; pair++) {
        for (size_t b = 0; b < 16; b++) {
            const double u = ((double)(words[2 * pair][b] >> 1) + 0.5) * 0x1p-31;
            const double angle = (double)words[2 * pair + 1][b] * 0x1p-32 * 2.0 * 3.14159265358979;
            const double radius = sqrt(-2.0 * log(u));
            assert_close((double)numbers[32 * pair + b], radius * cos(angle), 1e-6, 1e-6);
            assert_close((double)numbers[32 * pair + 16 + b], radius * sin(angle), 1e-6, 1e-6);
        }
    }
}

static void a_shorter_fill_is_a_prefix_of_a_longer_one(void **state) {
    (void)state;
    for (size_t n = 0; n < 200; n++) {
        float shorter[201];
        float longer[256];
        Rng   rng = rng_stream(1, 2, RNG_TEST);
        Rng   same = rng;
        shorter[n] = -99.0f;
        rng_fill_normal(&rng, shorter, n);
        rng_fill_normal(&same, longer, 256);
        assert_true(shorter[n] == -99.0f);
        assert_memory_equal(shorter, longer, n * sizeof(float));
        /* and both continue at a fresh block */
        assert_int_equal(rng.counter[0], (n + 63) / 64 * 16);
        assert_int_equal(rng.used, 4);
    }
}

/* A fill drops what is left of a block before it, and of its own last group. */
static void fills_begin_and_end_at_a_block(void **state) {
    (void)state;
    Rng   mixed = rng_stream(1, 2, RNG_TEST);
    Rng   plain = mixed;
    float first[5];
    (void)rng_u32(&mixed);
    rng_fill_uniform(&mixed, first, 5);
    const uint32_t next = rng_u32(&mixed);
    for (size_t block = 0; block < 1 + 16; block++) {
        for (size_t word = 0; word < 4; word++) {
            const uint32_t value = rng_u32(&plain);
            if (word == 0 && block >= 1 && block < 1 + 5) {
                assert_true(first[block - 1] == (float)(value >> 8) * 0x1p-24f);
            }
        }
    }
    assert_int_equal(next, rng_u32(&plain));
}

static void streams_differ_in_every_part_of_their_name(void **state) {
    (void)state;
    const Rng streams[] = {
        rng_stream(1, 1, RNG_TEST),
        rng_stream(2, 1, RNG_TEST),
        rng_stream(UINT64_C(1) << 32 | 1, 1, RNG_TEST),
        rng_stream(1, 2, RNG_TEST),
        rng_stream(1, UINT64_C(1) << 32 | 1, RNG_TEST),
        rng_stream(1, (UINT64_C(1) << 56) - 1, RNG_TEST),
        rng_stream(1, 1, RNG_PLAN_ACTIONS),
        rng_stream_lane(1, 1, RNG_TEST, 1),
        rng_stream_lane(1, 1, RNG_TEST, UINT32_MAX),
        rng_stream_lane(1, UINT64_C(1) << 32 | 1, RNG_TEST, 1),
    };
    const size_t count = sizeof streams / sizeof streams[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            Rng a = streams[i];
            Rng b = streams[j];
            assert_true(memcmp(&a, &b, sizeof a) != 0);
            assert_true(rng_u64(&a) != rng_u64(&b));
        }
    }
}

/* Mean and variance within five standard errors; kurtosis tells a normal from the rest. */
static void bulk_normals_have_the_moments_of_a_normal(void **state) {
    (void)state;
    Rng    rng = rng_stream(20240501, 0, RNG_TEST);
    double sums[4] = {0};
    double lagged = 0.0;
    size_t beyond_two = 0;
    rng_fill_normal(&rng, numbers, MANY);
    for (size_t i = 0; i < MANY; i++) {
        const double x = (double)numbers[i];
        assert_true(fabs(x) < 6.67);
        sums[0] += x;
        sums[1] += x * x;
        sums[2] += x * x * x;
        sums[3] += x * x * x * x;
        lagged += (i > 0) ? x * (double)numbers[i - 1] : 0.0;
        beyond_two += fabs(x) > 2.0;
    }
    const double error = 5.0 / sqrt(MANY);
    assert_close(sums[0] / MANY, 0.0, error, 0.0);
    assert_close(sums[1] / MANY, 1.0, error * sqrt(2.0), 0.0);
    assert_close(sums[2] / MANY, 0.0, error * sqrt(15.0), 0.0);
    assert_close(sums[3] / MANY, 3.0, error * sqrt(96.0), 0.0);
    assert_close(lagged / MANY, 0.0, error, 0.0);
    assert_close((double)beyond_two / MANY, 0.0455002639, error * 0.21, 0.0);
}

static void single_normals_have_the_moments_of_a_normal(void **state) {
    (void)state;
    Rng    rng = rng_stream(7, 0, RNG_TEST);
    double sum = 0.0;
    double squares = 0.0;
    for (size_t i = 0; i < 50000; i++) {
        const double x = rng_normal(&rng);
        sum += x;
        squares += x * x;
    }
    assert_close(sum / 50000, 0.0, 5.0 / sqrt(50000), 0.0);
    assert_close(squares / 50000, 1.0, 5.0 * sqrt(2.0 / 50000), 0.0);
}

static void uniforms_are_even_and_below_one(void **state) {
    (void)state;
    Rng    rng = rng_stream(11, 0, RNG_TEST);
    size_t bins[16] = {0};
    size_t bins_double[16] = {0};
    rng_fill_uniform(&rng, numbers, MANY);
    for (size_t i = 0; i < MANY; i++) {
        const double u = rng_uniform(&rng);
        assert_true(numbers[i] >= 0.0f && numbers[i] < 1.0f);
        assert_true(u >= 0.0 && u < 1.0);
        bins[(size_t)(numbers[i] * 16.0f)]++;
        bins_double[(size_t)(u * 16.0)]++;
    }
    for (size_t i = 0; i < 16; i++) {
        assert_close((double)bins[i], MANY / 16.0, 5.0 * sqrt(MANY / 16.0), 0.0);
        assert_close((double)bins_double[i], MANY / 16.0, 5.0 * sqrt(MANY / 16.0), 0.0);
    }
}

static void below_reaches_every_value_evenly(void **state) {
    (void)state;
    Rng    rng = rng_stream(12, 0, RNG_TEST);
    size_t counts[7] = {0};
    for (size_t i = 0; i < 70000; i++) {
        const uint64_t value = rng_below(&rng, 7);
        assert_true(value < 7);
        counts[value]++;
    }
    for (size_t i = 0; i < 7; i++) {
        assert_close((double)counts[i], 10000.0, 500.0, 0.0);
    }
    assert_int_equal(rng_below(&rng, 1), 0);
    /* with n = 3/4 of 2^64 a plain remainder would fall below n/3 half of the time */
    const uint64_t huge = UINT64_C(3) << 62;
    size_t         low = 0;
    for (size_t i = 0; i < 10000; i++) {
        low += rng_below(&rng, huge) < huge / 3;
    }
    assert_close((double)low, 10000.0 / 3.0, 250.0, 0.0);
}

/* All 24 orders of four things come up, about equally often. */
static void shuffle_reaches_every_order_evenly(void **state) {
    (void)state;
    Rng    rng = rng_stream(13, 0, RNG_TEST);
    size_t counts[256] = {0};
    size_t orders = 0;
    for (size_t i = 0; i < 24000; i++) {
        size_t indices[4] = {0, 1, 2, 3};
        rng_shuffle(&rng, indices, 4);
        counts[indices[0] << 6 | indices[1] << 4 | indices[2] << 2 | indices[3]]++;
    }
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] > 0) {
            orders++;
            assert_close((double)counts[i], 1000.0, 160.0, 0.0);
        }
    }
    assert_int_equal(orders, 24);
    rng_shuffle(&rng, NULL, 0);
}

static void seeds_are_below_2_53_and_their_classes_are_disjoint(void **state) {
    (void)state;
    static uint64_t seen[3 * 1000];
    size_t          count = 0;
    for (uint64_t number = 0; number < 1000; number++) {
        for (int c = 0; c < 3; c++) {
            const uint64_t seed = rng_seed(42, (SeedClass)c, number << 40);
            assert_true(seed < UINT64_C(1) << 53);
            assert_int_equal(seed >> 51, c);
            for (size_t i = 0; i < count; i++) {
                assert_true(seen[i] != seed);
            }
            seen[count++] = seed;
        }
    }
    assert_true(rng_seed(42, SEED_TUNE, 1) != rng_seed(43, SEED_TUNE, 1));
    assert_true(rng_seed(42, SEED_TUNE, 1) == rng_seed(42, SEED_TUNE, 1));
    assert_true(rng_seed(42, SEED_TUNE, 1) != rng_seed(42, SEED_TUNE, UINT64_C(1) << 63 | 1));
}

/* Stored studies depend on these numbers: a change here breaks every one of them. */
static void streams_never_change(void **state) {
    (void)state;
    Rng   rng = rng_stream_lane(123456789, 1000, RNG_PLAN_ACTIONS, 2);
    float normals[3];
    assert_int_equal(rng_seed(1, SEED_EVALUATE, 17), UINT64_C(4030716494792995));
    assert_int_equal(rng_u32(&rng), 0x501e5247);
    rng_fill_normal(&rng, normals, 3);
    assert_int_equal(vector_bits(normals[0]), 0x3f1408e3);
    assert_int_equal(vector_bits(normals[2]), 0xbf830f05);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_answers),
        cmocka_unit_test(bulk_numbers_are_those_of_the_stream_in_group_order),
        cmocka_unit_test(bulk_normals_are_box_muller_of_the_stream),
        cmocka_unit_test(a_shorter_fill_is_a_prefix_of_a_longer_one),
        cmocka_unit_test(fills_begin_and_end_at_a_block),
        cmocka_unit_test(streams_differ_in_every_part_of_their_name),
        cmocka_unit_test(bulk_normals_have_the_moments_of_a_normal),
        cmocka_unit_test(single_normals_have_the_moments_of_a_normal),
        cmocka_unit_test(uniforms_are_even_and_below_one),
        cmocka_unit_test(below_reaches_every_value_evenly),
        cmocka_unit_test(shuffle_reaches_every_order_evenly),
        cmocka_unit_test(seeds_are_below_2_53_and_their_classes_are_disjoint),
        cmocka_unit_test(streams_never_change),
    };
    return cmocka_run_group_tests_name("core/rng", tests, NULL, NULL);
}
