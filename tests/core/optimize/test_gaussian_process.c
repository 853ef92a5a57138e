#include "tests/support/test_support.h"

#include "core/linalg.h"
#include "core/optimize/gaussian_process_internal.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

enum { D = 4, N = 40, PENDING = 70 };

/* two continuous dimensions, a categorical one of three, and a conditional one that is active where
 * the categorical is its first choice */
static const OptimizeDimension mixed[D] = {
    {0}, {0}, {.categorical = true, .choices = 3}, {.conditional = true}};

static void draw(Rng *rng, double *x) {
    x[0] = rng_uniform(rng);
    x[1] = rng_uniform(rng);
    x[2] = ((double)rng_below(rng, 3) + 0.5) / 3.0;
    x[3] = (x[2] < 1.0 / 3.0) ? rng_uniform(rng) : (double)NAN;
}

static double target(const double *x) {
    return 5.0 + sin(5.0 * x[0]) + x[1] * x[1] + 3.0 * x[2] + (isnan(x[3]) ? 1.0 : cos(4.0 * x[3]));
}

static GaussianProcess *make(size_t capacity, size_t pending) {
    GaussianProcess *gp = NULL;
    assert_ok(
        gaussian_process_create(&(GaussianProcessSetup){mixed, D, capacity, pending, false}, &gp));
    return gp;
}

static void fill(GaussianProcess *gp, size_t first, size_t n) {
    for (size_t i = first; i < first + n; i++) {
        Rng    rng = rng_stream(3, i, RNG_TEST);
        double x[D];
        draw(&rng, x);
        assert_ok(gaussian_process_add(gp, x, target(x)));
    }
}

static const double parameters[D + 2] = {-0.9, -0.2, 0.1, -0.6, 0.3, -5.0};

/* Central differences, step 1e-5, at two points; the gradient's own scale is about 10. */
static void gradient_of_the_likelihood_agrees_with_differences(void **state) {
    (void)state;
    GaussianProcess *gp = make(N, 0);
    fill(gp, 0, N);
    gaussian_process__standardize(gp);
    for (size_t k = 0; k < 2; k++) {
        double theta[D + 2];
        double gradient[D + 2];
        double unused[D + 2];
        double value = 0.0;
        for (size_t j = 0; j < D + 2; j++) {
            theta[j] = parameters[j] + (double)k * 0.4;
        }
        assert_ok(gaussian_process__objective(gp, theta, &value, gradient));
        for (size_t j = 0; j < D + 2; j++) {
            const double at = theta[j];
            double       up = 0.0;
            double       down = 0.0;
            theta[j] = at + 1e-5;
            assert_ok(gaussian_process__objective(gp, theta, &up, unused));
            theta[j] = at - 1e-5;
            assert_ok(gaussian_process__objective(gp, theta, &down, unused));
            theta[j] = at;
            assert_close(gradient[j], (up - down) / 2e-5, 1e-5, 1e-5);
        }
    }
    gaussian_process_destroy(gp);
}

/* k(a, b) of two rows by the formula, for the test's parameters */
static double covariance(const double *a, const double *b) {
    double r2 = 0.0;
    for (size_t j = 0; j < D; j++) {
        const double w = exp(-2.0 * parameters[j]);
        const bool   absent = isnan(a[j]);
        const double p = absent ? 0.5 : a[j];
        const double q = isnan(b[j]) ? 0.5 : b[j];
        if (j == 2) {
            r2 += (fabs(p - q) > 0.1) ? w : 0.0;
        } else {
            r2 += w * ((p - q) * (p - q) + ((absent != (bool)isnan(b[j])) ? 1.0 : 0.0));
        }
    }
    const double s = sqrt(5.0 * r2);
    return exp(parameters[D]) * (1.0 + s + s * s / 3.0) * exp(-s);
}

/* Rasmussen & Williams (2006), eq. 2.25 and 2.26, with a plain Cholesky solve. */
static void prediction_agrees_with_the_formula(void **state) {
    (void)state;
    GaussianProcess *gp = make(N, 0);
    double           k[N * N];
    double           b[N * 2];
    fill(gp, 0, N);
    assert_ok(gaussian_process_restore(gp, parameters, N / 2)); /* half factored, half appended */
    assert_ok(gaussian_process_update(gp));
    const DoubleMatrix factor = {k, N, N, N};
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            k[i * N + j] =
                covariance(gaussian_process_point(gp, i), gaussian_process_point(gp, j)) +
                ((i == j) ? exp(parameters[D + 1]) : 0.0);
        }
    }
    assert_ok(linalg_cholesky(double_matrix_view(factor), factor));
    for (size_t q = 0; q < 10; q++) {
        Rng    rng = rng_stream(4, q, RNG_TEST);
        double x[D];
        double at[N];
        double mean = 0.0;
        double variance = 0.0;
        double expected = 0.0;
        double rest = exp(parameters[D]);
        draw(&rng, x);
        for (size_t i = 0; i < N; i++) {
            at[i] = covariance(x, gaussian_process_point(gp, i));
            b[2 * i] = at[i];
            b[2 * i + 1] = gaussian_process_target(gp, i) - gp->target_mean;
        }
        assert_ok(linalg_solve_cholesky(double_matrix_view(factor), (DoubleMatrix){b, N, 2, 2}));
        for (size_t i = 0; i < N; i++) {
            expected += at[i] * b[2 * i + 1];
            rest -= at[i] * b[2 * i];
        }
        gaussian_process_predict(gp, x, 1,
                                 (GaussianProcessPrediction){&mean, &variance, NULL, NULL});
        assert_close(mean, gp->target_mean + expected, 1e-10, 0.0);
        assert_close(variance, gp->target_sd * gp->target_sd * rest, 1e-10, 0.0);
    }
    gaussian_process_destroy(gp);
}

/* Central differences, step 1e-6; more points than one block. */
static void gradients_of_predictions_agree_with_differences(void **state) {
    (void)state;
    enum { POINTS = GAUSSIAN_PROCESS_BLOCK + 3 };
    GaussianProcess *gp = make(N, 0);
    double           x[POINTS * D];
    double           mean[POINTS];
    double           variance[POINTS];
    double           by_mean[POINTS * D];
    double           by_variance[POINTS * D];
    fill(gp, 0, N);
    assert_ok(gaussian_process_restore(gp, parameters, N));
    assert_ok(gaussian_process_update(gp));
    for (size_t q = 0; q < POINTS; q++) {
        Rng rng = rng_stream(5, q, RNG_TEST);
        draw(&rng, x + q * D);
    }
    gaussian_process_predict(gp, x, POINTS,
                             (GaussianProcessPrediction){mean, variance, by_mean, by_variance});
    for (size_t q = 0; q < POINTS; q++) {
        for (size_t j = 0; j < D; j++) {
            double m[2] = {0.0};
            double v[2] = {0.0};
            for (size_t side = 0; side < 2 && j != 2 && !isnan(x[q * D + j]); side++) {
                double near[D];
                memcpy(near, x + q * D, sizeof near);
                near[j] += (side == 0) ? -1e-6 : 1e-6;
                gaussian_process_predict(
                    gp, near, 1, (GaussianProcessPrediction){&m[side], &v[side], NULL, NULL});
            }
            assert_close(by_mean[q * D + j], (m[1] - m[0]) / 2e-6, 1e-6, 1e-6);
            assert_close(by_variance[q * D + j], (v[1] - v[0]) / 2e-6, 1e-6, 1e-6);
        }
    }
    gaussian_process_destroy(gp);
}

/* W by appending every row and W at once: Higham's bound grows with the condition number, here
 * about 1e4. */
static void appended_factor_is_the_full_one(void **state) {
    (void)state;
    GaussianProcess *full = make(N, 0);
    GaussianProcess *grown = make(N, 0);
    fill(full, 0, N);
    fill(grown, 0, N);
    assert_ok(gaussian_process_restore(full, parameters, N));
    assert_ok(gaussian_process_restore(grown, parameters, 0));
    assert_ok(gaussian_process_update(full));
    assert_ok(gaussian_process_update(grown));
    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            assert_close(grown->whiten[i * N + j], full->whiten[i * N + j], 1e-10, 0.0);
        }
        assert_close(grown->alpha[i], full->alpha[i], 1e-9, 0.0);
    }
    gaussian_process_destroy(full);
    gaussian_process_destroy(grown);
}

/* Whoever updates after every observation and whoever restores at the end have the same bits. */
static void restoring_gives_the_same_bits(void **state) {
    (void)state;
    GaussianProcess *lived = make(N, 0);
    GaussianProcess *restored = make(N, 0);
    for (size_t i = 0; i < N; i++) {
        fill(lived, i, 1);
        if (i == 20) {
            assert_ok(gaussian_process_fit(lived));
        }
        assert_ok(gaussian_process_update(lived));
    }
    fill(restored, 0, N);
    assert_ok(gaussian_process_restore(restored, gaussian_process_parameters(lived),
                                       gaussian_process_fitted(lived)));
    assert_ok(gaussian_process_update(restored));
    assert_int_equal(gaussian_process_fitted(lived), 21);
    assert_memory_equal(lived->whiten, restored->whiten, N * N * sizeof(double));
    assert_memory_equal(lived->alpha, restored->alpha, N * sizeof(double));
    gaussian_process_destroy(lived);
    gaussian_process_destroy(restored);
}

/* A cleared process is a new one, hyperparameters included. */
static void clearing_forgets_everything(void **state) {
    (void)state;
    GaussianProcess *fresh = make(N, 0);
    GaussianProcess *used = make(N, 0);
    fill(used, 3, 12);
    assert_ok(gaussian_process_fit(used));
    assert_ok(gaussian_process_update(used));
    gaussian_process_clear(used);
    assert_int_equal(gaussian_process_count(used), 0);
    assert_int_equal(gaussian_process_fitted(used), 0);
    GaussianProcess *both[2] = {fresh, used};
    for (int i = 0; i < 2; i++) {
        fill(both[i], 0, 15);
        assert_ok(gaussian_process_fit(both[i]));
        assert_ok(gaussian_process_update(both[i]));
    }
    assert_memory_equal(fresh->parameters, used->parameters, (D + 2) * sizeof(double));
    assert_memory_equal(fresh->alpha, used->alpha, 15 * sizeof(double));
    gaussian_process_destroy(fresh);
    gaussian_process_destroy(used);
}

static void pending_points_take_variance_and_leave_the_mean(void **state) {
    (void)state;
    GaussianProcess *gp = make(N, 1);
    const double     x[D] = {0.95, 0.05, 0.5, (double)NAN};
    const double     other[D] = {0.2, 0.4, 1.0 / 6.0, 0.3};
    double           mean[3];
    double           variance[3];
    double           elsewhere[3];
    fill(gp, 0, N - 1);
    assert_ok(gaussian_process_restore(gp, parameters, N - 1));
    assert_fails(gaussian_process_assume(gp, x), STATUS_ERR_STATE, "before an update");
    for (size_t k = 0; k < 3; k++) {
        if (k == 1) {
            assert_ok(gaussian_process_assume(gp, x));
        } else {
            assert_ok(gaussian_process_update(gp)); /* forgets it */
        }
        gaussian_process_predict(gp, x, 1,
                                 (GaussianProcessPrediction){&mean[k], &variance[k], NULL, NULL});
        gaussian_process_predict(gp, other, 1,
                                 (GaussianProcessPrediction){&elsewhere[k], NULL, NULL, NULL});
    }
    assert_close(mean[1], mean[0], 1e-12, 0.0);
    assert_close(elsewhere[1], elsewhere[0], 1e-12, 0.0);
    /* one noisy observation of a normal: 1 / (1 / v + 1 / noise) */
    const double noise = gp->target_sd * gp->target_sd * exp(parameters[D + 1]);
    assert_close(variance[1], 1.0 / (1.0 / variance[0] + 1.0 / noise), 0.0, 1e-7);
    assert_close(variance[2], variance[0], 0.0, 0.0);
    assert_ok(gaussian_process_assume(gp, x));
    assert_ok(gaussian_process_assume(gp, x)); /* capacity leaves room for one more */
    assert_fails(gaussian_process_assume(gp, x), STATUS_ERR_STATE, "too many");
    gaussian_process_destroy(gp);
}

/* Draws from a process with known lengthscales 0.2 and 1.5: found within a factor of two. */
static void known_lengthscales_are_recovered(void **state) {
    (void)state;
    enum { POINTS = 150 };
    static double           k[POINTS * POINTS];
    const OptimizeDimension two[2] = {{0}, {0}};
    const double            weight[2] = {25.0, 1.0 / 2.25};
    const bool              overlap[2] = {false, false};
    const MaternKernel      kernel = {weight, overlap, 2, 1.0};
    double                  columns[2 * POINTS];
    double                  z[POINTS];
    GaussianProcess        *gp = NULL;
    Rng                     rng = rng_stream(6, 0, RNG_TEST);
    assert_ok(gaussian_process_create(&(GaussianProcessSetup){two, 2, POINTS, 0, false}, &gp));
    for (size_t i = 0; i < POINTS; i++) {
        columns[i] = rng_uniform(&rng);
        columns[POINTS + i] = rng_uniform(&rng);
        z[i] = rng_normal(&rng);
    }
    for (size_t i = 0; i < POINTS; i++) {
        const double query[2] = {columns[i], columns[POINTS + i]};
        matern_row(&kernel, (MaternPoints){columns, POINTS, POINTS}, query, k + i * POINTS, NULL);
        k[i * POINTS + i] += 1e-4;
    }
    const DoubleMatrix factor = {k, POINTS, POINTS, POINTS};
    assert_ok(linalg_cholesky(double_matrix_view(factor), factor));
    for (size_t i = 0; i < POINTS; i++) {
        const double x[2] = {columns[i], columns[POINTS + i]};
        assert_ok(gaussian_process_add(gp, x, matern_dot(k + i * POINTS, z, i + 1)));
    }
    assert_ok(gaussian_process_fit(gp));
    const double *found = gaussian_process_parameters(gp);
    assert_close(found[0], log(0.2), log(2.0), 0.0);
    assert_close(found[1], log(1.5), log(2.0), 0.0);
    assert_true(found[3] < log(1e-2)); /* noise of 1e-4 */
    gaussian_process_destroy(gp);
}

static void rows_beyond_capacity_are_dropped_with_care(void **state) {
    (void)state;
    GaussianProcess *gp = make(N, 0);
    double           lowest = (double)INFINITY;
    for (size_t i = 0; i < 5 * N; i++) {
        Rng    rng = rng_stream(3, i, RNG_TEST);
        double x[D];
        draw(&rng, x);
        lowest = fmin(lowest, target(x));
        assert_ok(gaussian_process_add(gp, x, target(x)));
        assert_in_range(gaussian_process_count(gp), (i < N) ? i + 1 : N * 3 / 4 + 1, N);
        assert_close(gaussian_process_target(gp, gaussian_process_count(gp) - 1), target(x), 0.0,
                     0.0);
    }
    double kept = (double)INFINITY;
    for (size_t i = 0; i < gaussian_process_count(gp); i++) {
        kept = fmin(kept, gaussian_process_target(gp, i));
        assert_close(target(gaussian_process_point(gp, i)), gaussian_process_target(gp, i), 0.0,
                     0.0);
    }
    assert_close(kept, lowest, 0.0, 0.0);
    assert_true(gaussian_process_fit_due(gp));
    gaussian_process_destroy(gp);
}

/* mean and variance at a point, after `n` rows were added one by one, with a posterior and pending
 * points between */
static void grow(GaussianProcess *gp, size_t n, double *out) {
    const double query[D] = {0.3, 0.6, 0.5, (double)NAN};
    for (size_t i = 0; i < n; i++) {
        fill(gp, i, 1);
        if (i % 37 == 36) {
            assert_ok(gaussian_process_restore(gp, parameters, i / 2));
        }
        if (i % 25 == 24) {
            assert_ok(gaussian_process_update(gp));
        }
    }
    assert_ok(gaussian_process_update(gp));
    for (size_t i = 0; i < PENDING; i++) {
        Rng    rng = rng_stream(9, i, RNG_TEST);
        double x[D];
        draw(&rng, x);
        assert_ok(gaussian_process_assume(gp, x));
    }
    gaussian_process_predict(gp, query, 1,
                             (GaussianProcessPrediction){&out[0], &out[1], NULL, NULL});
}

/* memory for 2000 rows is taken only by who has them, and growing changes no bit */
static void room_grows_with_the_observations(void **state) {
    (void)state;
    enum { MOST = 2000, ROWS = 170 }; /* pending points make it grow once more */
    GaussianProcess *grown = make(MOST, PENDING);
    GaussianProcess *roomy = make(MOST, PENDING);
    double           found[2];
    double           expected[2];
    assert_in_range(grown->room, 8, 100);
    assert_ok(gaussian_process_reserve(roomy, (size_t)2 * MOST)); /* no more than can be used */
    assert_in_range(roomy->room, MOST, MOST + PENDING);
    grow(grown, ROWS, found);
    grow(roomy, ROWS, expected);
    assert_memory_equal(found, expected, sizeof found);
    assert_in_range(grown->room, ROWS + PENDING, (ROWS + PENDING) * 8 / 5);
    assert_memory_equal(gaussian_process_point(grown, 7), gaussian_process_point(roomy, 7),
                        D * sizeof(double));
    gaussian_process_destroy(grown);
    gaussian_process_destroy(roomy);
}

static void without_memory_for_more_nothing_is_added(void **state) {
    (void)state;
    GaussianProcess *gp = make(2000, 0);
    const double     x[D] = {0.5, 0.5, 0.5, (double)NAN};
    double           before = 0.0;
    double           after = 0.0;
    fill(gp, 0, gp->room);
    const size_t full = gp->room;
    assert_ok(gaussian_process_update(gp));
    gaussian_process_predict(gp, x, 1, (GaussianProcessPrediction){.mean = &before});
    test_fail_allocation(1);
    assert_fails(gaussian_process_add(gp, x, 1.0), STATUS_ERR_NOMEM, "no memory for");
    test_fail_allocation(0);
    assert_int_equal(gaussian_process_count(gp), full);
    gaussian_process_predict(gp, x, 1, (GaussianProcessPrediction){.mean = &after});
    assert_close(after, before, 0.0, 0.0);
    assert_ok(gaussian_process_reserve(gp, full + 10));
    test_fail_allocation(1);
    fill(gp, full, 10); /* what was reserved is there */
    assert_false(test_allocation_failed());
    test_fail_allocation(0);
    gaussian_process_destroy(gp);
}

static void equal_targets_and_equal_points_are_fitted(void **state) {
    (void)state;
    GaussianProcess *gp = make(N, 0);
    const double     x[D] = {0.5, 0.5, 0.5, (double)NAN};
    double           mean = 0.0;
    double           variance = 0.0;
    assert_ok(gaussian_process_fit(gp)); /* nothing there: nothing done */
    for (size_t i = 0; i < N; i++) {
        assert_ok(gaussian_process_add(gp, x, 7.0));
    }
    assert_ok(gaussian_process_fit(gp));
    assert_ok(gaussian_process_update(gp));
    gaussian_process_predict(gp, x, 1, (GaussianProcessPrediction){&mean, &variance, NULL, NULL});
    assert_close(mean, 7.0, 1e-9, 0.0);
    assert_true(variance > 0.0);
    assert_close(gaussian_process_incumbent(gp), 7.0, 1e-9, 0.0);
    gaussian_process_destroy(gp);
}

/* Targets 0 1 2 3 1e6: median 2, unit 2. The lower half keeps its distances, the wall goes. */
static void upper_targets_are_compressed(void **state) {
    (void)state;
    const OptimizeDimension one = {0};
    const double            targets[5] = {3.0, 0.0, 1e6, 2.0, 1.0};
    GaussianProcess        *gp = NULL;
    assert_ok(gaussian_process_create(&(GaussianProcessSetup){&one, 1, 8, 0, true}, &gp));
    for (size_t i = 0; i < 5; i++) {
        const double x = 0.2 * (double)i;
        assert_ok(gaussian_process_add(gp, &x, targets[i]));
    }
    gaussian_process__standardize(gp);
    const double expected[5] = {2.0 + 2.0 * log(1.5), 0.0, 2.0 + 2.0 * log1p((1e6 - 2.0) / 2.0),
                                2.0, 1.0};
    for (size_t i = 0; i < 5; i++) {
        assert_close(gp->target_mean + gp->target_sd * gp->standard[i], expected[i], 1e-12, 1e-12);
        assert_close(gaussian_process_target(gp, i), targets[i], 0.0, 0.0);
    }
    gaussian_process_destroy(gp);
}

static void bad_input_is_refused(void **state) {
    (void)state;
    GaussianProcess        *gp = make(N, 0);
    GaussianProcess        *none = gp;
    const OptimizeDimension empty = {.categorical = true};
    double                  x[D] = {0.5, 0.5, 0.5, (double)NAN};
    double                  beyond[D + 2];
    assert_fails(gaussian_process_add(gp, x, (double)NAN), STATUS_ERR_RANGE, "target");
    x[0] = 1.1;
    assert_fails(gaussian_process_add(gp, x, 0.0), STATUS_ERR_RANGE, "coordinate 0");
    x[0] = (double)NAN;
    assert_fails(gaussian_process_add(gp, x, 0.0), STATUS_ERR_RANGE, "coordinate 0");
    assert_int_equal(gaussian_process_count(gp), 0);
    memcpy(beyond, parameters, sizeof beyond);
    assert_fails(gaussian_process_restore(gp, beyond, 1), STATUS_ERR_RANGE, "there are 0");
    beyond[1] = 30.0;
    assert_fails(gaussian_process_restore(gp, beyond, 0), STATUS_ERR_RANGE, "bounds");
    assert_fails(gaussian_process_create(&(GaussianProcessSetup){mixed, 0, N, 0, false}, &none),
                 STATUS_ERR_ARG, "at least 1");
    assert_null(none);
    assert_fails(gaussian_process_create(&(GaussianProcessSetup){&empty, 1, N, 0, false}, &none),
                 STATUS_ERR_ARG, "without choices");
    gaussian_process_destroy(gp);
    gaussian_process_destroy(NULL);
}

static void failed_allocations_are_reported(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        GaussianProcess *gp = NULL;
        test_fail_allocation(n);
        const Status status =
            gaussian_process_create(&(GaussianProcessSetup){mixed, D, N, 0, false}, &gp);
        if (!test_allocation_failed()) {
            test_fail_allocation(0);
            assert_ok(status);
            gaussian_process_destroy(gp);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(gp);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradient_of_the_likelihood_agrees_with_differences),
        cmocka_unit_test(prediction_agrees_with_the_formula),
        cmocka_unit_test(gradients_of_predictions_agree_with_differences),
        cmocka_unit_test(appended_factor_is_the_full_one),
        cmocka_unit_test(restoring_gives_the_same_bits),
        cmocka_unit_test(clearing_forgets_everything),
        cmocka_unit_test(pending_points_take_variance_and_leave_the_mean),
        cmocka_unit_test(known_lengthscales_are_recovered),
        cmocka_unit_test(rows_beyond_capacity_are_dropped_with_care),
        cmocka_unit_test(room_grows_with_the_observations),
        cmocka_unit_test(without_memory_for_more_nothing_is_added),
        cmocka_unit_test(equal_targets_and_equal_points_are_fitted),
        cmocka_unit_test(upper_targets_are_compressed),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests_name("core/optimize/gaussian_process", tests, NULL, NULL);
}
