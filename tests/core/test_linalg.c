#include "tests/support/test_support.h"

#include "core/linalg.h"
#include "core/rng.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_N = 40 };

static DoubleMatrix matrix(double *data, size_t rows, size_t columns) {
    return (DoubleMatrix){data, rows, columns, columns};
}

static DoubleMatrixView view(const double *data, size_t rows, size_t columns) {
    return (DoubleMatrixView){data, rows, columns, columns};
}

static void fill_random(double *data, size_t n, uint64_t unit) {
    Rng rng = rng_stream(1, unit, RNG_TEST);
    for (size_t i = 0; i < n; i++) {
        data[i] = rng_uniform(&rng) - 0.5;
    }
}

/* All four forms, strides larger than the rows: against three plain loops. */
static void products_agree_with_plain_loops(void **state) {
    (void)state;
    enum { M = 5, K = 7, N = 3, STRIDE = 11 };
    double a[STRIDE * STRIDE];
    double b[STRIDE * STRIDE];
    fill_random(a, STRIDE * STRIDE, 1);
    fill_random(b, STRIDE * STRIDE, 2);
    for (int forms = 0; forms < 4; forms++) {
        const LinalgForm form_a = (forms & 1) ? LINALG_TRANSPOSED : LINALG_PLAIN;
        const LinalgForm form_b = (forms & 2) ? LINALG_TRANSPOSED : LINALG_PLAIN;
        const int        ta = form_a == LINALG_TRANSPOSED;
        const int        tb = form_b == LINALG_TRANSPOSED;
        double           c[M * STRIDE];
        for (size_t i = 0; i < (size_t)M * STRIDE; i++) {
            c[i] = 2.0;
        }
        assert_ok(linalg_product_double(0.5, (DoubleMatrixView){a, ta ? K : M, ta ? M : K, STRIDE},
                                        form_a,
                                        (DoubleMatrixView){b, tb ? N : K, tb ? K : N, STRIDE},
                                        form_b, 3.0, (DoubleMatrix){c, M, N, STRIDE}));
        for (size_t i = 0; i < M; i++) {
            for (size_t j = 0; j < N; j++) {
                double sum = 0.0;
                for (size_t k = 0; k < K; k++) {
                    sum += a[ta ? k * STRIDE + i : i * STRIDE + k] *
                           b[tb ? j * STRIDE + k : k * STRIDE + j];
                }
                assert_close(c[i * STRIDE + j], 0.5 * sum + 6.0, 1e-14, 1e-14);
            }
            /* what lies between the rows is not touched */
            assert_true(c[i * STRIDE + N] == 2.0);
        }
    }
}

static void beta_zero_does_not_read_the_result(void **state) {
    (void)state;
    const double a[1] = {2.0};
    double       c[1] = {(double)NAN};
    assert_ok(linalg_product_double(1.0, view(a, 1, 1), LINALG_PLAIN, view(a, 1, 1), LINALG_PLAIN,
                                    0.0, matrix(c, 1, 1)));
    assert_true(c[0] == 4.0);
}

static void empty_products_are_allowed(void **state) {
    (void)state;
    double c[2] = {3.0, 4.0};
    assert_ok(linalg_product_double(1.0, view(NULL, 1, 0), LINALG_PLAIN, view(NULL, 0, 2),
                                    LINALG_PLAIN, 2.0, matrix(c, 1, 2)));
    assert_true(c[0] == 6.0 && c[1] == 8.0);
    assert_ok(linalg_product_double(1.0, view(NULL, 0, 3), LINALG_PLAIN, view(c, 3, 0),
                                    LINALG_PLAIN, 0.0, matrix(NULL, 0, 0)));
}

static void products_refuse_shapes_that_do_not_match(void **state) {
    (void)state;
    double       a[12] = {0};
    double       c[12];
    const double before[12] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    memcpy(c, before, sizeof c);
    assert_fails(linalg_product_double(1.0, view(a, 3, 4), LINALG_PLAIN, view(a, 3, 4),
                                       LINALG_PLAIN, 0.0, matrix(c, 3, 4)),
                 STATUS_ERR_SHAPE, "(3, 4) times (3, 4) does not give (3, 4)");
    assert_fails(linalg_product_double(1.0, view(a, 3, 4), LINALG_PLAIN, view(a, 4, 3),
                                       LINALG_PLAIN, 0.0, matrix(c, 3, 4)),
                 STATUS_ERR_SHAPE, "does not give");
    assert_fails(linalg_product_double(1.0, (DoubleMatrixView){a, 3, 4, 3}, LINALG_PLAIN,
                                       view(a, 4, 3), LINALG_PLAIN, 0.0, matrix(c, 3, 3)),
                 STATUS_ERR_SHAPE, "stride");
    assert_fails(linalg_product_double(1.0, view(a, (size_t)1 << 31, 1), LINALG_PLAIN,
                                       view(a, 1, 1), LINALG_PLAIN, 0.0,
                                       matrix(c, (size_t)1 << 31, 1)),
                 STATUS_ERR_SHAPE, "too long");
    assert_fails(linalg_product_double(1.0, view(a, 1, 2), LINALG_TRANSPOSED, view(a, 2, 1),
                                       LINALG_PLAIN, 0.0, matrix(c, 2, 1)),
                 STATUS_ERR_SHAPE, "(2, 1) times (2, 1)");
    assert_memory_equal(c, before, sizeof c);
}

/* Factor worked out by hand: L = [2 0 0; 6 1 0; -8 5 3]; det = 36. */
static void cholesky_factors_a_known_matrix(void **state) {
    (void)state;
    /* the upper triangle is not read */
    double       a[9] = {4, (double)NAN, 99, 12, 37, -99, -16, -43, 98};
    double       l[9];
    const double expected[9] = {2, 0, 0, 6, 1, 0, -8, 5, 3};
    assert_ok(linalg_cholesky(view(a, 3, 3), matrix(l, 3, 3)));
    for (size_t i = 0; i < 9; i++) {
        assert_close(l[i], expected[i], 0.0, 4 * DBL_EPSILON);
    }
    assert_close(linalg_log_determinant(view(l, 3, 3)), log(36.0), 0.0, 1e-15);
    assert_ok(linalg_cholesky(view(a, 3, 3), matrix(a, 3, 3)));
    assert_memory_equal(a, l, sizeof a);
}

/* Properties: L L^T = A to a bound that grows with n (Higham 2002, theorem 10.3), and A X = B. */
static void cholesky_solves_random_systems(void **state) {
    (void)state;
    static double root[MAX_N * MAX_N];
    static double a[MAX_N * MAX_N];
    static double l[MAX_N * MAX_N];
    static double product[MAX_N * MAX_N];
    for (size_t n = 1; n <= MAX_N; n += 3) {
        double b[MAX_N * 2];
        double x[MAX_N * 2];
        fill_random(root, n * n, n);
        fill_random(b, n * 2, 1000 + n);
        for (size_t i = 0; i < n * n; i++) {
            a[i] = (i % (n + 1) == 0) ? 1.0 : 0.0;
        }
        assert_ok(linalg_product_double(1.0, view(root, n, n), LINALG_PLAIN, view(root, n, n),
                                        LINALG_TRANSPOSED, 1.0, matrix(a, n, n)));
        assert_ok(linalg_cholesky(view(a, n, n), matrix(l, n, n)));
        assert_ok(linalg_product_double(1.0, view(l, n, n), LINALG_PLAIN, view(l, n, n),
                                        LINALG_TRANSPOSED, 0.0, matrix(product, n, n)));
        for (size_t i = 0; i < n * n; i++) {
            assert_close(product[i], a[i], 8.0 * (double)n * DBL_EPSILON, 1e-13);
        }
        memcpy(x, b, sizeof x);
        assert_ok(linalg_solve_cholesky(view(l, n, n), matrix(x, n, 2)));
        assert_ok(linalg_product_double(1.0, view(a, n, n), LINALG_PLAIN, view(x, n, 2),
                                        LINALG_PLAIN, 0.0, matrix(product, n, 2)));
        for (size_t i = 0; i < n * 2; i++) {
            assert_close(product[i], b[i], 1e-12, 1e-12);
        }
    }
}

static void triangular_solve_does_both_forms(void **state) {
    (void)state;
    const double l[4] = {2, (double)NAN, 3, 4}; /* [2 .; 3 4], the corner is not read */
    double       b[2] = {2, 11};
    double       c[2] = {8, 8};
    assert_ok(linalg_solve_triangular(view(l, 2, 2), LINALG_PLAIN, matrix(b, 2, 1)));
    assert_close(b[0], 1.0, 1e-15, 0.0);
    assert_close(b[1], 2.0, 1e-15, 0.0);
    assert_ok(linalg_solve_triangular(view(l, 2, 2), LINALG_TRANSPOSED, matrix(c, 2, 1)));
    assert_close(c[0], 1.0, 1e-15, 0.0);
    assert_close(c[1], 2.0, 1e-15, 0.0);
}

static void cholesky_refuses_what_it_cannot_factor(void **state) {
    (void)state;
    const double indefinite[4] = {1, 2, 2, 1};
    const double not_a_number[4] = {1, 0, (double)NAN, 5};
    const double infinite[1] = {(double)INFINITY};
    double       l[9] = {0};
    assert_fails(linalg_cholesky(view(indefinite, 2, 2), matrix(l, 2, 2)), STATUS_ERR_NUMERIC,
                 "pivot 1 of 2");
    assert_fails(linalg_cholesky(view(not_a_number, 2, 2), matrix(l, 2, 2)), STATUS_ERR_NUMERIC,
                 "pivot 1 of 2");
    assert_fails(linalg_cholesky(view(infinite, 1, 1), matrix(l, 1, 1)), STATUS_ERR_NUMERIC,
                 "pivot 0 of 1");
    l[0] = 7.0;
    assert_fails(linalg_cholesky(view(indefinite, 2, 2), matrix(l, 3, 3)), STATUS_ERR_SHAPE,
                 "(2, 2)");
    assert_fails(linalg_cholesky(view(indefinite, 1, 2), matrix(l, 1, 2)), STATUS_ERR_SHAPE,
                 "(1, 2)");
    assert_true(l[0] == 7.0);
    assert_ok(linalg_cholesky(view(NULL, 0, 0), matrix(NULL, 0, 0)));
    assert_true(linalg_log_determinant(view(NULL, 0, 0)) == 0.0);
}

static void solves_refuse_bad_pivots_and_shapes(void **state) {
    (void)state;
    const double singular[4] = {1, 0, 5, 0};
    double       b[2] = {3, 4};
    assert_fails(linalg_solve_triangular(view(singular, 2, 2), LINALG_PLAIN, matrix(b, 2, 1)),
                 STATUS_ERR_NUMERIC, "pivot 1 of 2 is 0");
    assert_fails(linalg_solve_cholesky(view(singular, 2, 2), matrix(b, 2, 1)), STATUS_ERR_NUMERIC,
                 "pivot 1 of 2");
    assert_fails(linalg_solve_cholesky(view(singular, 2, 2), matrix(b, 1, 2)), STATUS_ERR_SHAPE,
                 "(1, 2)");
    assert_true(b[0] == 3.0 && b[1] == 4.0);
}

static void numerics_name_everything_that_changes_bits(void **state) {
    (void)state;
    Buffer one;
    Buffer two;
    buffer_init(&one, 1024);
    buffer_init(&two, 1024);
    assert_ok(linalg_start(1));
    linalg_numerics(&one);
    assert_ok(buffer_status(&one));
    assert_contains(one.data, "OpenBLAS");
    assert_contains(one.data, "threads 1");
    assert_contains(one.data, "kernels plain-");
    assert_null(strchr(one.data, '\n'));
    linalg_numerics(&two);
    assert_string_equal(one.data, two.data);
    print_message("%s\n", one.data);
    buffer_reset(&one);
    buffer_reset(&two);
    assert_fails(linalg_start(0), STATUS_ERR_ARG, "not 0");
    assert_fails(linalg_start(5000), STATUS_ERR_ARG, "not 5000");
}

/* A = V^T diag(values) V with orthonormal rows of V, to the accuracy of LAPACK: n ulp of |A|. */
static void eigenvectors_rebuild_the_matrix(void **state) {
    (void)state;
    Arena scratch;
    assert_ok(arena_init(&scratch, linalg_eigen_scratch(MAX_N)));
    for (size_t n = 1; n <= MAX_N; n += 3) {
        double a[MAX_N * MAX_N];
        double v[MAX_N * MAX_N];
        double values[MAX_N];
        fill_random(a, n * n, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j <= i; j++) {
                v[i * n + j] = a[i * n + j];
                v[j * n + i] = (i == j) ? a[i * n + j] : 99; /* not read above the diagonal */
                a[j * n + i] = a[i * n + j];
            }
        }
        assert_ok(linalg_eigen_symmetric(matrix(v, n, n), values, &scratch));
        for (size_t i = 0; i < n; i++) {
            assert_true(i == 0 || values[i] >= values[i - 1]);
            for (size_t j = 0; j < n; j++) {
                double rebuilt = 0;
                double dot = 0;
                for (size_t k = 0; k < n; k++) {
                    rebuilt += v[k * n + i] * values[k] * v[k * n + j];
                    dot += v[i * n + k] * v[j * n + k];
                }
                assert_close(rebuilt, a[i * n + j], 1e-13, 0);
                assert_close(dot, (i == j) ? 1 : 0, 1e-13, 0);
            }
        }
        assert_int_equal(scratch.used, 0);
    }
    arena_reset(&scratch);
}

static void eigenvectors_refuse_bad_input(void **state) {
    (void)state;
    double a[4] = {1, 0, (double)NAN, 1};
    double values[2] = {7, 7};
    Arena  scratch;
    Arena  small;
    assert_ok(arena_init(&scratch, linalg_eigen_scratch(2)));
    assert_ok(arena_init(&small, linalg_eigen_scratch(2) / 2));
    assert_fails(linalg_eigen_symmetric(matrix(a, 2, 2), values, &scratch), STATUS_ERR_NUMERIC,
                 "NaN");
    assert_fails(linalg_eigen_symmetric(matrix(a, 2, 1), values, &scratch), STATUS_ERR_SHAPE,
                 "(2, 1)");
    a[2] = 0;
    assert_int_equal(linalg_eigen_symmetric(matrix(a, 2, 2), values, &small), STATUS_ERR_NOMEM);
    assert_true(values[0] == 7 && a[0] == 1 && small.used == 0);
    assert_ok(linalg_eigen_symmetric(matrix(a, 0, 0), values, &scratch));
    arena_reset(&scratch);
    arena_reset(&small);
}

/* Higham (2002), chapter 14: a residual of n u cond; here cond is below 1e3. */
static void inverses_are_inverses(void **state) {
    (void)state;
    enum { STRIDE = MAX_N + 2 };
    static double b[MAX_N * MAX_N];
    static double a[MAX_N * MAX_N];
    static double l[MAX_N * STRIDE];
    static double w[MAX_N * STRIDE];
    for (size_t n = 1; n <= MAX_N; n++) {
        const DoubleMatrix factor = {l, n, n, STRIDE};
        const DoubleMatrix inverse = {w, n, n, STRIDE};
        fill_random(b, n * n, n);
        for (size_t i = 0; i < n * n; i++) {
            a[i] = (i % (n + 1) == 0) ? 0.5 : 0.0;
        }
        assert_ok(linalg_product_double(1.0, view(b, n, n), LINALG_PLAIN, view(b, n, n),
                                        LINALG_TRANSPOSED, 1.0, matrix(a, n, n)));
        assert_ok(linalg_cholesky(view(a, n, n), factor));
        memcpy(w, l, sizeof w);
        assert_ok(linalg_invert_triangular(inverse));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++) {
                double product = 0.0;
                for (size_t k = 0; k < n; k++) {
                    product += l[i * STRIDE + k] * w[k * STRIDE + j];
                }
                assert_close(product, (i == j) ? 1.0 : 0.0, 1e-12, 0.0);
            }
        }
        assert_ok(linalg_invert_cholesky(factor));
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j <= i; j++) {
                double product = 0.0; /* W^T W */
                for (size_t k = i; k < n; k++) {
                    product += w[k * STRIDE + i] * w[k * STRIDE + j];
                }
                assert_close(l[i * STRIDE + j], product, 1e-12, 1e-12);
            }
        }
    }
    double singular[4] = {1.0, 0.0, 3.0, 0.0};
    assert_fails(linalg_invert_triangular(matrix(singular, 2, 2)), STATUS_ERR_NUMERIC, "pivot 1");
    assert_fails(linalg_invert_cholesky(matrix(singular, 2, 1)), STATUS_ERR_SHAPE, "(2, 1)");
    assert_close(singular[2], 3.0, 0.0, 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numerics_name_everything_that_changes_bits),
        cmocka_unit_test(products_agree_with_plain_loops),
        cmocka_unit_test(beta_zero_does_not_read_the_result),
        cmocka_unit_test(empty_products_are_allowed),
        cmocka_unit_test(products_refuse_shapes_that_do_not_match),
        cmocka_unit_test(cholesky_factors_a_known_matrix),
        cmocka_unit_test(cholesky_solves_random_systems),
        cmocka_unit_test(triangular_solve_does_both_forms),
        cmocka_unit_test(cholesky_refuses_what_it_cannot_factor),
        cmocka_unit_test(solves_refuse_bad_pivots_and_shapes),
        cmocka_unit_test(eigenvectors_rebuild_the_matrix),
        cmocka_unit_test(eigenvectors_refuse_bad_input),
        cmocka_unit_test(inverses_are_inverses),
    };
    return cmocka_run_group_tests_name("core/linalg", tests, NULL, NULL);
}
