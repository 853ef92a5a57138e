/* The Gaussian-process model against its formulas, written down with elimination and libm. */
#include "tests/mbrl/model_bench.h"

#include "mbrl/models/gaussian_process_internal.h"
#include "mbrl/models/lane_dispatch.h"

enum { POINTS = 40, THETA = MB_INPUTS + 2 };

static const DynamicsModelOps *const ops = &model_gaussian_process_ops;

/* a model on POINTS points whose hyperparameters are given, not found */
static GaussianProcess *make(const Dataset *data, const double *theta) {
    double values[MB_OPTIONS];
    mb_options(ops, values);
    values[GP_POINTS] = POINTS;
    values[GP_ITERATIONS] = 0;
    GaussianProcess *gp = mb_make(ops, values, 1);
    for (size_t d = 0; d < MB_OUTPUTS && theta != NULL; d++) {
        memcpy(gp->theta + d * THETA, theta, THETA * sizeof *theta);
    }
    assert_false(mb_fit(ops, gp, data, 1).diverged);
    return gp;
}

static double covariance(const double *theta, const double *a, const double *b) {
    double sum = 0.0;
    for (size_t l = 0; l < MB_INPUTS; l++) {
        sum += pow((a[l] - b[l]) / exp(theta[l]), 2);
    }
    return exp(2.0 * theta[MB_INPUTS] - 0.5 * sum);
}

/* x = K^-1 b, K = covariance + noise; @return log det K */
static double solve(const GaussianProcess *gp, const double *theta, const double *b, double *x) {
    static double a[POINTS][POINTS];
    double        log_determinant = 0.0;
    for (size_t p = 0; p < POINTS; p++) {
        x[p] = b[p];
        for (size_t q = 0; q < POINTS; q++) {
            a[p][q] = covariance(theta, gp->x + p * MB_INPUTS, gp->x + q * MB_INPUTS) +
                      ((p == q) ? exp(2.0 * theta[MB_INPUTS + 1]) : 0.0);
        }
    }
    for (size_t p = 0; p < POINTS; p++) {
        log_determinant += log(a[p][p]);
        for (size_t r = p + 1; r < POINTS; r++) {
            const double factor = a[r][p] / a[p][p];
            for (size_t q = p; q < POINTS; q++) {
                a[r][q] -= factor * a[p][q];
            }
            x[r] -= factor * x[p];
        }
    }
    for (size_t p = POINTS; p-- > 0;) {
        for (size_t q = p + 1; q < POINTS; q++) {
            x[p] -= a[p][q] * x[q];
        }
        x[p] /= a[p][p];
    }
    return log_determinant;
}

static const double given[THETA] = {0.2, 0.7, 1.5, 0.3, -1.8};

static void posterior_is_that_of_the_formula(void **state) {
    (void)state;
    Dataset         *data = mb_data(3);
    GaussianProcess *gp = make(data, given);
    const float      x[2][MB_INPUTS] = {{0.3f, 310.0f, 7.0f}, {5.0f, 200.0f, 7.0f}};
    assert_int_equal(gp->m, POINTS);
    for (int row = 0; row < 2; row++) {
        float  mean[MB_OUTPUTS];
        float  sd[MB_OUTPUTS];
        double z[MB_INPUTS];
        double k[POINTS];
        double weights[POINTS];
        mb_predict(ops, gp, x[row], 1, mean, sd);
        for (size_t l = 0; l < MB_INPUTS; l++) {
            z[l] = ((double)x[row][l] - (double)gp->scaler_mean[l]) * (double)gp->scaler_inverse[l];
        }
        for (size_t p = 0; p < POINTS; p++) {
            k[p] = covariance(given, z, gp->x + p * MB_INPUTS);
        }
        (void)solve(gp, given, k, weights);
        for (size_t d = 0; d < MB_OUTPUTS; d++) {
            double expected = 0.0;
            double variance = exp(2.0 * given[MB_INPUTS]) + exp(2.0 * given[MB_INPUTS + 1]);
            for (size_t p = 0; p < POINTS; p++) {
                expected += weights[p] * gp->y[d * gp->most + p];
                variance -= weights[p] * k[p];
            }
            assert_close((double)mean[d], gp->target_mean[d] + gp->target_sd[d] * expected, 1e-6,
                         1e-5);
            assert_close((double)sd[d], gp->target_sd[d] * sqrt(variance), 0.0, 1e-5);
        }
    }
    ops->destroy(gp);
    dataset_destroy(data);
}

/* value by elimination; derivatives by central differences of it, step 1e-5 (error of order 1e-9)
 */
static void likelihood_and_gradient_are_right(void **state) {
    (void)state;
    Dataset         *data = mb_data(3);
    GaussianProcess *gp = make(data, given);
    for (size_t d = 0; d < MB_OUTPUTS; d++) {
        const double *y = gp->y + d * gp->most;
        double       *theta = gp->theta + d * THETA;
        double        alpha[POINTS];
        double        gradient[THETA];
        double        nll = 0.0;
        double        fit = 0.0;
        assert_ok(gp__condition(gp, d, &nll));
        const double log_determinant = solve(gp, given, y, alpha);
        for (size_t p = 0; p < POINTS; p++) {
            fit += y[p] * alpha[p];
        }
        assert_close(nll, 0.5 * (fit + log_determinant + POINTS * log(2.0 * 3.14159265358979324)),
                     0.0, 1e-9);
        assert_ok(gp__differentiate(gp, d));
        memcpy(gradient, gp->gradient, sizeof gradient);
        for (size_t l = 0; l < THETA; l++) {
            double above = 0.0;
            double below = 0.0;
            theta[l] = given[l] + 1e-5;
            assert_ok(gp__condition(gp, d, &above));
            theta[l] = given[l] - 1e-5;
            assert_ok(gp__condition(gp, d, &below));
            theta[l] = given[l];
            assert_close(gradient[l], (above - below) / 2e-5, 1e-5, 1e-5);
        }
    }
    ops->destroy(gp);
    dataset_destroy(data);
}

/* 120 training rows, 40 points: every third or so, the oldest and the newest among them */
static void points_are_evenly_spaced_from_oldest_to_newest(void **state) {
    (void)state;
    Dataset *data = mb_data(3);
    for (size_t row = 0; row < data->n; row++) {
        data->targets[row * MB_OUTPUTS] = (float)row; /* its number */
    }
    GaussianProcess *gp = make(data, given);
    double           before = -1.0;
    for (size_t p = 0; p < POINTS; p++) {
        const double row = gp->target_mean[0] + gp->target_sd[0] * gp->y[p];
        assert_close(row, floor((double)p * 119.0 / 39.0), 1e-9, 0.0);
        assert_true(row > before);
        before = row;
    }
    dataset_limit(data, 20); /* fewer rows than points: all of them */
    assert_false(mb_fit(ops, gp, data, 2).diverged);
    assert_int_equal(gp->m, 20);
    assert_close(gp->target_mean[0] + gp->target_sd[0] * gp->y[0], 100.0, 1e-9, 0.0);
    ops->destroy(gp);
    dataset_destroy(data);
}

static void learning_finds_the_noise_and_what_does_not_matter(void **state) {
    (void)state;
    double   values[MB_OPTIONS];
    Dataset *data = mb_data(3);
    mb_options(ops, values);
    values[GP_POINTS] = 120;
    values[GP_ITERATIONS] = 60;
    GaussianProcess *gp = mb_make(ops, values, 1);
    const FitReport  first = mb_fit(ops, gp, data, 1);
    /* the second output does not depend on the first input */
    const double *theta = gp->theta + THETA;
    assert_true(theta[0] > theta[1] + 1.0);
    assert_close(gp->target_sd[1] * exp(theta[MB_INPUTS + 1]), MB_NOISE, 0.0, 0.2);
    /* it goes on where it was: a step more does not undo what was found */
    values[GP_ITERATIONS] = 1;
    assert_ok(ops->set(gp, values));
    const FitReport second = mb_fit(ops, gp, data, 2);
    assert_true(second.loss <= first.loss + 1e-12);
    assert_true(second.flop < 0.05 * first.flop);
    ops->destroy(gp);
    dataset_destroy(data);
}

static void every_instruction_set_predicts_the_same_bits(void **state) {
    (void)state;
    Dataset         *data = mb_data(3);
    GaussianProcess *gp = make(data, given);
    float            mean[2][MB_ROWS * MB_OUTPUTS];
    float            sd[2][MB_ROWS * MB_OUTPUTS];
    for (int level = LANES_PORTABLE; level <= LANES_AVX512; level++) {
        const size_t k = (level == LANES_PORTABLE) ? 0 : 1;
        lanes_limit((LaneLevel)level);
        mb_predict(ops, gp, data->inputs, MB_ROWS, mean[k], sd[k]);
        assert_memory_equal(mean[0], mean[k], sizeof mean[0]);
        assert_memory_equal(sd[0], sd[k], sizeof sd[0]);
    }
    ops->destroy(gp);
    dataset_destroy(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posterior_is_that_of_the_formula),
        cmocka_unit_test(likelihood_and_gradient_are_right),
        cmocka_unit_test(points_are_evenly_spaced_from_oldest_to_newest),
        cmocka_unit_test(learning_finds_the_noise_and_what_does_not_matter),
        cmocka_unit_test(every_instruction_set_predicts_the_same_bits),
    };
    return cmocka_run_group_tests_name("mbrl/gaussian_process", tests, NULL, NULL);
}
