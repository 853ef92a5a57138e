#include "tests/support/test_support.h"

#include "core/optimize/matern.h"
#include "core/rng.h"

#include <float.h>
#include <math.h>

enum { N = 37, FEATURES = 3 };

static void exponential_is_within_four_ulp_of_libm(void **state) {
    (void)state;
    enum { POINTS = 20000 };
    for (size_t i = 0; i < POINTS; i++) {
        const double x = -700.0 * pow((double)i / POINTS, 3.0);
        double       y = 0.0;
        matern_exp(&x, &y, 1);
        assert_close(y, exp(x), 0.0, 4 * DBL_EPSILON);
    }
    const double ends[2] = {0.0, -1000.0};
    double       y[2];
    matern_exp(ends, y, 2);
    assert_close(y[0], 1.0, 0.0, 0.0);
    assert_close(y[1], 0.0, 1e-300, 0.0);
}

/* Two numeric features and a categorical one: against the formula, and slopes against differences
 * of it. N is no multiple of the lanes. */
static void rows_agree_with_the_formula(void **state) {
    (void)state;
    const double       weight[FEATURES] = {4.0, 0.3, 1.7};
    const bool         overlap[FEATURES] = {false, false, true};
    const MaternKernel kernel = {weight, overlap, FEATURES, 1.9};
    double             columns[FEATURES * N];
    const double       query[FEATURES] = {0.3, 0.8, 2.0};
    double             value[N];
    double             again[N];
    double             slope[N];
    Rng                rng = rng_stream(1, 1, RNG_TEST);
    for (size_t i = 0; i < N; i++) {
        columns[i] = (i == 5) ? query[0] : rng_uniform(&rng);
        columns[N + i] = (i == 5) ? query[1] : rng_uniform(&rng);
        columns[2 * N + i] = (i == 5) ? 2.0 : (double)rng_below(&rng, 4);
    }
    matern_row(&kernel, (MaternPoints){columns, N, N}, query, value, slope);
    matern_row(&kernel, (MaternPoints){columns, N, N}, query, again, NULL);
    for (size_t i = 0; i < N; i++) {
        const double a = query[0] - columns[i];
        const double b = query[1] - columns[N + i];
        const double r2 = weight[0] * a * a + weight[1] * b * b +
                          ((columns[2 * N + i] == query[2]) ? 0.0 : weight[2]);
        const double s = sqrt(5.0 * r2);
        assert_close(value[i], 1.9 * (1.0 + s + s * s / 3.0) * exp(-s), 0.0, 1e-14);
        assert_close(again[i], value[i], 0.0, 0.0);
        assert_close(slope[i], -1.9 * (5.0 / 6.0) * (1.0 + s) * exp(-s), 0.0, 1e-14);
    }
    assert_close(value[5], 1.9, 0.0, 0.0);
}

static void sums_agree_with_plain_loops(void **state) {
    (void)state;
    double h[N];
    double column[N];
    Rng    rng = rng_stream(1, 2, RNG_TEST);
    for (size_t i = 0; i < N; i++) {
        h[i] = rng_uniform(&rng) - 0.5;
        column[i] = (double)rng_below(&rng, 4) / 4.0;
    }
    for (size_t n = 0; n <= N; n++) {
        double squares = 0.0;
        double unequal = 0.0;
        double differences = 0.0;
        double product = 0.0;
        for (size_t i = 0; i < n; i++) {
            squares += h[i] * (0.25 - column[i]) * (0.25 - column[i]);
            unequal += (column[i] == 0.25) ? 0.0 : h[i];
            differences += h[i] * (0.25 - column[i]);
            product += h[i] * column[i];
        }
        assert_close(matern_weighted_squares(h, column, 0.25, n, false), squares, 1e-14, 0.0);
        assert_close(matern_weighted_squares(h, column, 0.25, n, true), unequal, 1e-14, 0.0);
        assert_close(matern_weighted_differences(h, column, 0.25, n), differences, 1e-14, 0.0);
        assert_close(matern_dot(h, column, n), product, 1e-14, 0.0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_is_within_four_ulp_of_libm),
        cmocka_unit_test(rows_agree_with_the_formula),
        cmocka_unit_test(sums_agree_with_plain_loops),
    };
    return cmocka_run_group_tests_name("core/optimize/matern", tests, NULL, NULL);
}
