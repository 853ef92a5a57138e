/* The linear model against the same distribution written down in its dual form: y ~ N(0, C) on the
 * contrasts that are free of the intercept. */
#include "tests/mbrl/model_bench.h"

#include "mbrl/models/linear_internal.h"

enum { N = 40, FREE = N - 1, I = 2 };

static const DynamicsModelOps *const ops = &model_linear_ops;

typedef struct Dual {
    double z[FREE][I]; /* contrasts of the scaled inputs */
    double y[FREE];    /* of the target */
    double c[FREE][FREE];
    double shift[I];
    double scale[I];
    double mean;
} Dual;

/* orthonormal contrasts (Helmert) */
static double contrast(const double *x, size_t k) {
    double sum = 0.0;
    for (size_t j = 0; j <= k; j++) {
        sum += x[j];
    }
    const double n = (double)(k + 1);
    return (sum - n * x[k + 1]) / sqrt(n * (n + 1.0));
}

static Dual dual_make(const Dataset *data, size_t d) {
    Dual   dual;
    double column[N];
    for (size_t l = 0; l < I; l++) {
        double squares = 0.0;
        dual.shift[l] = 0.0;
        for (size_t j = 0; j < N; j++) {
            column[j] = (double)data->inputs[j * MB_INPUTS + l];
            dual.shift[l] += column[j] / N;
        }
        for (size_t j = 0; j < N; j++) {
            squares += pow(column[j] - dual.shift[l], 2) / N;
        }
        dual.scale[l] = sqrt(squares);
        for (size_t k = 0; k < FREE; k++) {
            dual.z[k][l] = contrast(column, k) / dual.scale[l];
        }
    }
    dual.mean = 0.0;
    for (size_t j = 0; j < N; j++) {
        column[j] = (double)data->targets[j * MB_OUTPUTS + d];
        dual.mean += column[j] / N;
    }
    for (size_t k = 0; k < FREE; k++) {
        dual.y[k] = contrast(column, k);
    }
    return dual;
}

/* x = C^-1 b by elimination without pivoting (C is positive definite); @return log det C */
static double solve(const Dual *dual, const double *b, double *x) {
    static double a[FREE][FREE];
    double        log_determinant = 0.0;
    memcpy(a, dual->c, sizeof a);
    memcpy(x, b, FREE * sizeof *x);
    for (size_t p = 0; p < FREE; p++) {
        log_determinant += log(a[p][p]);
        for (size_t r = p + 1; r < FREE; r++) {
            const double factor = a[r][p] / a[p][p];
            for (size_t q = p; q < FREE; q++) {
                a[r][q] -= factor * a[p][q];
            }
            x[r] -= factor * x[p];
        }
    }
    for (size_t p = FREE; p-- > 0;) {
        for (size_t q = p + 1; q < FREE; q++) {
            x[p] -= a[p][q] * x[q];
        }
        x[p] /= a[p][p];
    }
    return log_determinant;
}

/* covariance for a prior variance of weights and a noise variance; - log likelihood */
static double negative_evidence(Dual *dual, double prior, double noise) {
    double x[FREE];
    double fit = 0.0;
    for (size_t p = 0; p < FREE; p++) {
        for (size_t q = 0; q < FREE; q++) {
            dual->c[p][q] = (p == q) ? noise : 0.0;
            for (size_t l = 0; l < I; l++) {
                dual->c[p][q] += prior * dual->z[p][l] * dual->z[q][l];
            }
        }
    }
    const double log_determinant = solve(dual, dual->y, x);
    for (size_t p = 0; p < FREE; p++) {
        fit += dual->y[p] * x[p];
    }
    return 0.5 * (fit + log_determinant + FREE * log(2.0 * 3.14159265358979324));
}

/* golden section on one logarithm, the other held */
static double best_log(Dual *dual, bool of_prior, double other) {
    const double golden = 0.6180339887498949;
    double       low = -20.0;
    double       high = 10.0;
    while (high - low > 1e-9) {
        const double a = high - golden * (high - low);
        const double b = low + golden * (high - low);
        const double at_a = of_prior ? negative_evidence(dual, exp(a), exp(other))
                                     : negative_evidence(dual, exp(other), exp(a));
        const double at_b = of_prior ? negative_evidence(dual, exp(b), exp(other))
                                     : negative_evidence(dual, exp(other), exp(b));
        if (at_a < at_b) {
            high = b;
        } else {
            low = a;
        }
    }
    return 0.5 * (low + high);
}

static Dataset *small_data(size_t rows, uint64_t seed) {
    Dataset *data = NULL;
    Rng      rng = rng_stream(seed, 0, RNG_TEST);
    assert_ok(dataset_create(MB_INPUTS, MB_OUTPUTS, 1, &data));
    mb_append(data, &rng, (int)rows, false);
    return data;
}

static void agrees_with_the_dual_form_at_the_likeliest_prior(void **state) {
    (void)state;
    double   values[MB_OPTIONS];
    Dataset *data = small_data(N, 3);
    float    mean[MB_OUTPUTS];
    float    sd[MB_OUTPUTS];
    double   loss = 0.0;
    mb_options(ops, values);
    void           *self = mb_make(ops, values, 1);
    const FitReport report = mb_fit(ops, self, data, 1);
    const float     x[MB_INPUTS] = {3.5f, 190.0f, 7.0f}; /* beyond the data */
    mb_predict(ops, self, x, 1, mean, sd);
    for (size_t d = 0; d < MB_OUTPUTS; d++) {
        Dual   dual = dual_make(data, d);
        double prior = 0.0;
        double noise = -6.0;
        for (int round = 0; round < 12; round++) {
            prior = best_log(&dual, true, noise);
            noise = best_log(&dual, false, prior);
        }
        loss += negative_evidence(&dual, exp(prior), exp(noise)) / N / MB_OUTPUTS;
        double k[FREE];
        double weights[FREE];
        double own = 0.0;
        double expected = dual.mean;
        double explained = 0.0;
        for (size_t p = 0; p < FREE; p++) {
            k[p] = 0.0;
            for (size_t l = 0; l < I; l++) {
                k[p] += exp(prior) * dual.z[p][l] * ((double)x[l] - dual.shift[l]) / dual.scale[l];
            }
        }
        for (size_t l = 0; l < I; l++) {
            own += exp(prior) * pow(((double)x[l] - dual.shift[l]) / dual.scale[l], 2);
        }
        (void)solve(&dual, k, weights);
        for (size_t p = 0; p < FREE; p++) {
            expected += weights[p] * dual.y[p];
            explained += weights[p] * k[p];
        }
        assert_close((double)mean[d], expected, 1e-5, 1e-5);
        assert_close((double)sd[d], sqrt(own - explained + exp(noise) * (1.0 + 1.0 / N)), 0.0,
                     1e-4);
        assert_true((double)sd[d] >
                    1.05 * exp(0.5 * noise)); /* the weights are not known exactly */
    }
    /* one prior variance of two inputs and of the constant one: it has no say */
    assert_close(report.loss, loss, 0.0, 1e-5);
    ops->destroy(self);
    dataset_destroy(data);
}

/* sums that go on are sums from the beginning, and cost only what is new */
static void rows_join_without_changing_a_bit(void **state) {
    (void)state;
    double    values[MB_OPTIONS];
    FitReport last = {0};
    mb_options(ops, values);
    Dataset *data = small_data(30, 3);
    Dataset *whole = small_data(30 + 50 + 1, 3);
    void    *grown = mb_make(ops, values, 1);
    void    *once = mb_make(ops, values, 1);
    (void)mb_fit(ops, grown, data, 1);
    for (size_t row = 30; row < 81; row++) {
        assert_ok(dataset_append(data, whole->inputs + row * MB_INPUTS,
                                 whole->targets + row * MB_OUTPUTS, 3, false));
        if (row == 79 || row == 80) {
            last = mb_fit(ops, grown, data, row);
        }
    }
    const FitReport report = mb_fit(ops, once, whole, 9);
    mb_expect_same(ops, grown, once);
    assert_true(report.loss == last.loss && report.epochs == last.epochs);
    assert_close(report.flop - last.flop, 80.0 * linear__row_flop(MB_INPUTS, MB_OUTPUTS), 0.0,
                 1e-9);
    ops->destroy(grown);
    ops->destroy(once);
    dataset_destroy(data);
    dataset_destroy(whole);
}

/* where the rows in use begin later, the sums begin anew */
static void a_limit_that_moves_begins_the_sums_anew(void **state) {
    (void)state;
    double values[MB_OPTIONS];
    mb_options(ops, values);
    Dataset *data = small_data(60, 3);
    void    *used = mb_make(ops, values, 1);
    void    *fresh = mb_make(ops, values, 1);
    (void)mb_fit(ops, used, data, 1);
    dataset_limit(data, 40);
    (void)mb_fit(ops, used, data, 2);
    (void)mb_fit(ops, fresh, data, 3);
    mb_expect_same(ops, used, fresh);
    ops->destroy(used);
    ops->destroy(fresh);
    dataset_destroy(data);
}

/* exact data: the noise is almost 0, never 0; one row: nothing is known but where it is */
static void extremes_stay_finite(void **state) {
    (void)state;
    double values[MB_OPTIONS];
    float  mean[MB_OUTPUTS];
    float  sd[MB_OUTPUTS];
    mb_options(ops, values);
    for (int rows = 1; rows <= 50; rows += 49) {
        Dataset *data = NULL;
        assert_ok(dataset_create(MB_INPUTS, MB_OUTPUTS, 1, &data));
        for (int k = 0; k < rows; k++) {
            const float x[MB_INPUTS] = {(float)(k % 7), (float)k, 0.0f};
            const float y[MB_OUTPUTS] = {2.0f * x[0] - x[1], 5.0f};
            assert_ok(dataset_append(data, x, y, 0, false));
        }
        void *self = mb_make(ops, values, 1);
        assert_false(mb_fit(ops, self, data, 1).diverged);
        mb_predict(ops, self, data->inputs, 1, mean, sd);
        for (size_t d = 0; d < MB_OUTPUTS; d++) {
            assert_close((double)mean[d], (double)data->targets[d], 1e-3, 1e-4);
            assert_true(isfinite(sd[d]) && sd[d] > 0.0f);
        }
        ops->destroy(self);
        dataset_destroy(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_dual_form_at_the_likeliest_prior),
        cmocka_unit_test(rows_join_without_changing_a_bit),
        cmocka_unit_test(a_limit_that_moves_begins_the_sums_anew),
        cmocka_unit_test(extremes_stay_finite),
    };
    return cmocka_run_group_tests_name("mbrl/linear_model", tests, NULL, NULL);
}
