#include "tests/support/test_support.h"

#include "core/optimize/sobol.h"
#include "core/optimize/sobol_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 1024, SIDE_BITS = 10 };

static Sobol *sobol_of(size_t dimensions, SobolScrambling scrambling, uint64_t seed) {
    Sobol *sobol = NULL;
    assert_ok(sobol_create(dimensions, scrambling, seed, &sobol));
    return sobol;
}

/* Joe and Kuo (2008), first points of three dimensions. */
static void plain_points_are_the_published_ones(void **state) {
    (void)state;
    const double expected[8][3] = {{0, 0, 0},
                                   {0.5, 0.5, 0.5},
                                   {0.75, 0.25, 0.25},
                                   {0.25, 0.75, 0.75},
                                   {0.375, 0.375, 0.625},
                                   {0.875, 0.875, 0.125},
                                   {0.625, 0.125, 0.875},
                                   {0.125, 0.625, 0.375}};
    double       points[8][3];
    Sobol       *sobol = sobol_of(3, SOBOL_PLAIN, 0);
    assert_ok(sobol_points(sobol, 0, 8, &points[0][0]));
    assert_memory_equal(points, expected, sizeof expected);
    sobol_destroy(sobol);
}

/* x has order 2^degree - 1 modulo a primitive polynomial; no polynomial comes twice */
static void the_table_holds_primitive_polynomials_and_odd_numbers(void **state) {
    (void)state;
    uint64_t sum = 0;
    for (size_t i = 0; i < SOBOL_MAX_DIMENSIONS - 1; i++) {
        const SobolDirections *d = &sobol__directions[i];
        const uint32_t         p = d->polynomial;
        uint32_t               degree = 31 - (uint32_t)__builtin_clz(p);
        uint32_t               power = 1;
        uint32_t               order = 0;
        do {
            power <<= 1;
            power ^= ((power >> degree) & 1) ? p : 0;
            order++;
        } while (power != 1 && order < 1u << degree);
        assert_int_equal(order, (1u << degree) - 1);
        assert_true(i == 0 || p > d[-1].polynomial);
        for (uint32_t k = 0; k < SOBOL_MAX_DEGREE; k++) {
            assert_true((k < degree) ? d->initial[k] % 2 == 1 && d->initial[k] >> (k + 1) == 0
                                     : d->initial[k] == 0);
            sum = sum * 31 + d->initial[k];
        }
    }
    /* of the published file */
    assert_int_equal(sum, UINT64_C(13436793523974817120));
}

/* any 2^m points from a multiple of 2^m: one in each of 2^m intervals, in every dimension */
static void every_dimension_is_balanced(void **state) {
    (void)state;
    double *points = calloc((size_t)SIDE * SOBOL_MAX_DIMENSIONS, sizeof *points);
    assert_non_null(points);
    for (int s = 0; s < 2; s++) {
        Sobol *sobol = sobol_of(SOBOL_MAX_DIMENSIONS, s ? SOBOL_SCRAMBLED : SOBOL_PLAIN, 7);
        assert_ok(sobol_points(sobol, (uint64_t)5 * SIDE, SIDE, points));
        for (size_t j = 0; j < SOBOL_MAX_DIMENSIONS; j++) {
            unsigned char hits[SIDE] = {0};
            for (size_t i = 0; i < SIDE; i++) {
                hits[(size_t)(points[i * SOBOL_MAX_DIMENSIONS + j] * SIDE)]++;
            }
            for (size_t i = 0; i < SIDE; i++) {
                assert_int_equal(hits[i], 1);
            }
        }
        sobol_destroy(sobol);
    }
    free(points);
}

/* the first two dimensions are a (0, 10, 2)-net: one point in each box of volume 2^-10 */
static void the_plane_is_a_net_after_scrambling_too(void **state) {
    (void)state;
    static double points[SIDE][2];
    for (uint64_t seed = 0; seed < 4; seed++) {
        Sobol *sobol = sobol_of(2, seed ? SOBOL_SCRAMBLED : SOBOL_PLAIN, seed);
        assert_ok(sobol_points(sobol, 0, SIDE, &points[0][0]));
        for (size_t a = 0; a <= SIDE_BITS; a++) {
            const size_t  columns = (size_t)1 << a;
            const size_t  rows = SIDE / columns;
            unsigned char hits[SIDE] = {0};
            for (size_t i = 0; i < SIDE; i++) {
                hits[(size_t)(points[i][0] * (double)columns) * rows +
                     (size_t)(points[i][1] * (double)rows)]++;
            }
            for (size_t i = 0; i < SIDE; i++) {
                assert_int_equal(hits[i], 1);
            }
        }
        sobol_destroy(sobol);
    }
}

static void points_depend_on_seed_and_index_alone(void **state) {
    (void)state;
    enum { N = 100, D = 5 };
    double block[N][D];
    double one[D];
    Sobol *sobol = sobol_of(D, SOBOL_SCRAMBLED, 3);
    Sobol *wide = sobol_of(D + 20, SOBOL_SCRAMBLED, 3);
    Sobol *other = sobol_of(D, SOBOL_SCRAMBLED, 4);
    double many[D + 20];
    assert_ok(sobol_points(sobol, 1000, N, &block[0][0]));
    for (size_t i = 0; i < N; i++) {
        assert_ok(sobol_points(sobol, 1000 + i, 1, one));
        assert_memory_equal(one, block[i], sizeof one);
        assert_ok(sobol_points(wide, 1000 + i, 1, many));
        assert_memory_equal(many, one, sizeof one);
        assert_ok(sobol_points(other, 1000 + i, 1, one));
        assert_true(memcmp(one, block[i], sizeof one) != 0);
    }
    sobol_destroy(sobol);
    sobol_destroy(wide);
    sobol_destroy(other);
}

/* Mean over 512 seeds of one scrambled point is 1/2 (uniform; standard error 0.0128), and the
 * estimate of an integral from 256 points is far better than that of random points. */
static void scrambling_is_unbiased_and_keeps_the_accuracy(void **state) {
    (void)state;
    enum { SEEDS = 512, N = 256, D = 4 };
    static double points[N][D];
    double        mean[D] = {0};
    double        squared = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        Sobol *sobol = sobol_of(D, SOBOL_SCRAMBLED, seed);
        double sum = 0;
        assert_ok(sobol_points(sobol, 0, N, &points[0][0]));
        for (size_t i = 0; i < N; i++) {
            double product = 1;
            for (size_t j = 0; j < D; j++) {
                product *= 1 + (points[i][j] - 0.5);
                assert_true(points[i][j] >= 0 && points[i][j] < 1);
            }
            sum += product;
        }
        squared += (sum / N - 1) * (sum / N - 1) / SEEDS;
        for (size_t j = 0; j < D; j++) {
            mean[j] += points[3][j] / SEEDS;
        }
        sobol_destroy(sobol);
    }
    for (size_t j = 0; j < D; j++) {
        assert_close(mean[j], 0.5, 0.05, 0);
    }
    /* random points: sqrt(((13 / 12)^4 - 1) / 256) = 0.038 */
    assert_true(sqrt(squared) < 0.038 / 10);
}

static void bad_input_and_exhausted_memory_are_refused(void **state) {
    (void)state;
    Sobol *sobol = (Sobol *)(void *)&state;
    double point[2] = {7, 7};
    assert_fails(sobol_create(0, SOBOL_PLAIN, 0, &sobol), STATUS_ERR_RANGE, "1 to 256");
    assert_null(sobol);
    assert_fails(sobol_create(257, SOBOL_PLAIN, 0, &sobol), STATUS_ERR_RANGE, "not 257");
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = sobol_create(2, SOBOL_SCRAMBLED, 1, &sobol);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(sobol);
    }
    test_fail_allocation(0);
    assert_ok(sobol_points(sobol, SOBOL_MAX_INDEX + UINT64_C(1), 0, point));
    assert_fails(sobol_points(sobol, SOBOL_MAX_INDEX, 2, point), STATUS_ERR_RANGE, "last index");
    assert_true(point[0] == 7 && point[1] == 7);
    assert_ok(sobol_points(sobol, SOBOL_MAX_INDEX, 1, point));
    sobol_destroy(sobol);
    sobol_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_points_are_the_published_ones),
        cmocka_unit_test(the_table_holds_primitive_polynomials_and_odd_numbers),
        cmocka_unit_test(every_dimension_is_balanced),
        cmocka_unit_test(the_plane_is_a_net_after_scrambling_too),
        cmocka_unit_test(points_depend_on_seed_and_index_alone),
        cmocka_unit_test(scrambling_is_unbiased_and_keeps_the_accuracy),
        cmocka_unit_test(bad_input_and_exhausted_memory_are_refused),
    };
    return cmocka_run_group_tests_name("core/sobol", tests, NULL, NULL);
}
