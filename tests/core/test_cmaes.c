#include "tests/support/test_support.h"

#include "core/optimize/cmaes.h"
#include "core/optimize/cmaes_internal.h"
#include "core/rng.h"

#include <math.h>
#include <string.h>

enum { MOST = 320, MOST_POPULATION = 1024 };

typedef double (*Loss)(const double *x, size_t n);

static Cmaes *cmaes_of(CmaesSettings settings) {
    Cmaes *cmaes = NULL;
    assert_ok(cmaes_create(&settings, &cmaes));
    return cmaes;
}

/* tells one generation, points inside the cube */
static void generation(Cmaes *cmaes, size_t n, Loss loss) {
    static double losses[MOST_POPULATION];
    double        x[MOST];
    assert_true(cmaes_population(cmaes) <= MOST_POPULATION);
    for (size_t i = 0; i < cmaes_population(cmaes); i++) {
        cmaes_point(cmaes, i, x);
        for (size_t j = 0; j < n; j++) {
            assert_true(x[j] >= 0 && x[j] <= 1);
        }
        losses[i] = loss(x, n);
    }
    cmaes_tell(cmaes, losses);
}

/* evaluations until the loss is below `target`, at most `limit` and a generation */
static uint64_t evaluations_to(CmaesSettings settings, Loss loss, double target, uint64_t limit) {
    Cmaes *cmaes = cmaes_of(settings);
    while (cmaes_progress(cmaes).best_loss > target && cmaes_progress(cmaes).evaluations < limit) {
        generation(cmaes, settings.dimensions, loss);
    }
    const CmaesProgress progress = cmaes_progress(cmaes);
    double              best[MOST];
    cmaes_best(cmaes, best);
    assert_close(loss(best, settings.dimensions), progress.best_loss, 0, 1e-12);
    cmaes_destroy(cmaes);
    return (progress.best_loss > target) ? UINT64_MAX : progress.evaluations;
}

static double sphere(const double *x, size_t n) {
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        sum += (x[j] - 0.3) * (x[j] - 0.3);
    }
    return sum;
}

/* Rosenbrock's function on [-5, 10] */
static double rosenbrock(const double *u, size_t n) {
    double sum = 0;
    for (size_t j = 0; j + 1 < n; j++) {
        const double x = -5 + 15 * u[j];
        const double next = -5 + 15 * u[j + 1];
        sum += 100 * (next - x * x) * (next - x * x) + (1 - x) * (1 - x);
    }
    return sum;
}

/* axes from 1 to 1000, optimum inside */
static double ellipsoid(const double *x, size_t n) {
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        const double axis = pow(1000, (double)j / (double)(n - 1)) * (x[j] - 0.6);
        sum += axis * axis;
    }
    return sum;
}

/* the same, turned by 45 degrees in pairs of coordinates (j, n - 1 - j) */
static double turned_ellipsoid(const double *x, size_t n) {
    double turned[MOST];
    for (size_t j = 0; j < n; j++) {
        const double sign = (j < n / 2) ? 1 : -1;
        turned[j] = 0.6 + ((x[n - 1 - j] - 0.6) + sign * (x[j] - 0.6)) * sqrt(0.5);
    }
    return ellipsoid(turned, n);
}

/* optimum in a corner */
static double slope(const double *x, size_t n) {
    double sum = 0;
    for (size_t j = 0; j < n; j++) {
        sum += (j % 2) ? 1 - x[j] : x[j];
    }
    return sum;
}

static double flat(const double *x, size_t n) {
    (void)x;
    (void)n;
    return 1;
}

static double failing(const double *x, size_t n) {
    (void)x;
    (void)n;
    return (double)NAN;
}

/* fails in half of the cube, the half that holds the slope's corner but for one coordinate */
static double half_failing(const double *x, size_t n) {
    return (x[0] < 0.5) ? (double)NAN : slope(x, n);
}

/* Hansen (2016), Table 1, worked out for 10 dimensions and 10 candidates. */
static void rates_are_those_of_the_tutorial(void **state) {
    (void)state;
    Cmaes            *cmaes = cmaes_of((CmaesSettings){.dimensions = 10});
    const CmaesRates *r = &cmaes->rates;
    assert_int_equal(cmaes_population(cmaes), 10);
    assert_close(r->mu_eff, 3.1672992814107035, 0, 1e-12);
    assert_close(r->c_sigma, 5.1672992814107 / 18.1672992814107, 0, 1e-12);
    assert_close(r->d_sigma, 1 + r->c_sigma, 0, 1e-12);
    assert_close(r->c_c, 4.31672992814107 / 14.63345985628214, 0, 1e-12);
    assert_close(r->c_1, 2 / (11.3 * 11.3 + 3.1672992814107), 0, 1e-12);
    assert_close(r->c_mu, 2 * (3.1672992814107 + 1 / 3.1672992814107 - 1.75) / 147.1672992814107, 0,
                 1e-12);
    double positive = 0;
    double negative = 0;
    for (size_t i = 0; i < 10; i++) {
        *(cmaes->weights[i] > 0 ? &positive : &negative) += cmaes->weights[i];
        assert_true(i == 0 || cmaes->weights[i] < cmaes->weights[i - 1]);
    }
    assert_close(positive, 1, 1e-12, 0);
    /* the least of the bounds is 1 + c_1 / c_mu here */
    assert_true(negative < 0 && -negative <= 1 + r->c_1 / r->c_mu + 1e-12);
    assert_close(r->weight_sum, positive + negative, 1e-12, 0);
    cmaes_destroy(cmaes);
}

/* The goal of the project: 1e-6 on Rosenbrock-10 within 10 000 evaluations, 18 of 20 seeds. */
static void rosenbrock_in_ten_dimensions_is_solved(void **state) {
    (void)state;
    size_t solved = 0;
    for (uint64_t seed = 0; seed < 20; seed++) {
        const CmaesSettings settings = {
            .dimensions = 10, .restart = CMAES_RESTART_IPOP, .seed = seed};
        solved += evaluations_to(settings, rosenbrock, 1e-6, 10000 - 10) <= 10000;
    }
    assert_true(solved >= 18);
}

/* Axes are learned in both forms, correlations only in the full one. */
static void covariances_learn_what_they_can(void **state) {
    (void)state;
    const CmaesSettings full = {.dimensions = 10, .covariance = CMAES_FULL};
    const CmaesSettings diagonal = {.dimensions = 10, .covariance = CMAES_DIAGONAL};
    const uint64_t      straight = evaluations_to(full, ellipsoid, 1e-9, 20000);
    const uint64_t      turned = evaluations_to(full, turned_ellipsoid, 1e-9, 20000);
    const uint64_t      cheap = evaluations_to(diagonal, ellipsoid, 1e-9, 20000);
    assert_true(straight < 6000 && turned < 6000);
    assert_true(cheap < straight);
    assert_true(evaluations_to(diagonal, turned_ellipsoid, 1e-9, 20000) > 3 * turned);
    const CmaesSettings large = {.dimensions = MOST};
    assert_true(evaluations_to(large, ellipsoid, 1e3, 30000) < 30000);
    assert_true(evaluations_to((CmaesSettings){.dimensions = 1}, sphere, 1e-12, 2000) < 2000);
    assert_true(evaluations_to((CmaesSettings){.dimensions = 6}, slope, 1e-6, 6000) < 6000);
}

/* Losses count by their order alone; points are a function of seed and losses. */
static void only_the_order_of_losses_counts(void **state) {
    (void)state;
    enum { N = 5 };
    Cmaes *plain = cmaes_of((CmaesSettings){.dimensions = N, .seed = 3, .tolerance = 1e-300});
    Cmaes *bent = cmaes_of((CmaesSettings){.dimensions = N, .seed = 3, .tolerance = 1e-300});
    Cmaes *other = cmaes_of((CmaesSettings){.dimensions = N, .seed = 4});
    double a[N];
    double b[N];
    double losses[MOST_POPULATION];
    double bends[MOST_POPULATION];
    cmaes_point(other, 0, a);
    cmaes_point(plain, 0, b);
    assert_true(memcmp(a, b, sizeof a) != 0);
    for (int g = 0; g < 60; g++) {
        for (size_t i = 0; i < cmaes_population(plain); i++) {
            cmaes_point(plain, i, a);
            cmaes_point(bent, i, b);
            assert_memory_equal(a, b, sizeof a);
            losses[i] = ellipsoid(a, N);
            bends[i] = log(losses[i]) - 7;
        }
        cmaes_tell(plain, losses);
        cmaes_tell(bent, bends);
    }
    cmaes_destroy(plain);
    cmaes_destroy(bent);
    cmaes_destroy(other);
}

/* The covariance stays symmetric and positive, its axes a rotation, whatever the losses are. */
static void the_distribution_stays_sound(void **state) {
    (void)state;
    enum { N = 6 };
    Cmaes *cmaes = cmaes_of((CmaesSettings){.dimensions = N, .seed = 1});
    Rng    rng = rng_stream(5, 0, RNG_TEST);
    double losses[MOST_POPULATION];
    for (int g = 0; g < 300; g++) {
        for (size_t i = 0; i < cmaes_population(cmaes); i++) {
            losses[i] = (rng_below(&rng, 4) == 0) ? (double)NAN : rng_normal(&rng);
        }
        cmaes_tell(cmaes, losses);
        for (size_t i = 0; i < N; i++) {
            assert_true(cmaes->scales[i] > 0 && isfinite(cmaes->scales[i]));
            for (size_t j = 0; j < N; j++) {
                double dot = 0;
                for (size_t k = 0; k < N; k++) {
                    dot += cmaes->axes[i * N + k] * cmaes->axes[j * N + k];
                }
                assert_close(dot, (i == j) ? 1 : 0, 1e-12, 0);
                assert_close(cmaes->covariance[i * N + j], cmaes->covariance[j * N + i], 1e-12,
                             1e-9);
            }
        }
    }
    cmaes_destroy(cmaes);
}

static void failures_are_worst_and_never_an_end(void **state) {
    (void)state;
    Cmaes *cmaes = cmaes_of((CmaesSettings){.dimensions = 4, .restart = CMAES_RESTART_IPOP});
    for (int g = 0; g < 200; g++) {
        generation(cmaes, 4, failing);
    }
    assert_true(isinf(cmaes_progress(cmaes).best_loss));
    double point[4];
    cmaes_best(cmaes, point);
    assert_true(point[0] >= 0 && point[0] <= 1);
    cmaes_destroy(cmaes);
    const CmaesSettings settings = {.dimensions = 4, .seed = 2};
    assert_true(evaluations_to(settings, half_failing, 0.5 + 1e-3, 6000) < 6000);
}

/* A flat loss ends every run: populations double up to the limit; BIPOP has small runs between. */
static void restarts_change_the_population(void **state) {
    (void)state;
    Cmaes       *ipop = cmaes_of((CmaesSettings){.dimensions = 2, .restart = CMAES_RESTART_IPOP});
    Cmaes       *bipop = cmaes_of((CmaesSettings){.dimensions = 2, .restart = CMAES_RESTART_BIPOP});
    Cmaes       *none = cmaes_of((CmaesSettings){.dimensions = 2});
    size_t       run = 0;
    size_t       expected = cmaes_population(ipop);
    const size_t first = expected;
    for (int g = 0; g < 500; g++) {
        assert_int_equal(cmaes_population(ipop), expected);
        generation(ipop, 2, flat);
        if (cmaes_progress(ipop).run != run) {
            run++;
            assert_int_equal(cmaes_progress(ipop).run, run);
            assert_int_equal(cmaes_progress(ipop).stop, CMAES_STOP_LOSS);
            expected = (expected < 64 * first) ? 2 * expected : expected;
        }
    }
    assert_true(run > 7);
    size_t small = 0;
    for (int g = 0; g < 500; g++) {
        generation(bipop, 2, flat);
        generation(none, 2, flat);
        small += bipop->small;
    }
    assert_true(small > 0 && bipop->spent[1] > 0);
    assert_int_equal(cmaes_progress(none).run, 0);
    assert_int_equal(cmaes_progress(none).stop, CMAES_STOP_LOSS);
    cmaes_destroy(ipop);
    cmaes_destroy(bipop);
    cmaes_destroy(none);
}

static void bad_settings_and_exhausted_memory_are_refused(void **state) {
    (void)state;
    Cmaes *cmaes = NULL;
    assert_fails(cmaes_create(&(CmaesSettings){.dimensions = 0}, &cmaes), STATUS_ERR_RANGE,
                 "dimensions");
    assert_fails(cmaes_create(&(CmaesSettings){.dimensions = 2, .population = 3}, &cmaes),
                 STATUS_ERR_RANGE, "population");
    assert_fails(cmaes_create(&(CmaesSettings){.dimensions = 2, .deviation = 2}, &cmaes),
                 STATUS_ERR_RANGE, "deviation");
    assert_fails(cmaes_create(&(CmaesSettings){.dimensions = 2, .tolerance = -1}, &cmaes),
                 STATUS_ERR_RANGE, "tolerance");
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = cmaes_create(&(CmaesSettings){.dimensions = 2}, &cmaes);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(cmaes);
    }
    test_fail_allocation(0);
    cmaes_destroy(cmaes);
    cmaes_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_those_of_the_tutorial),
        cmocka_unit_test(rosenbrock_in_ten_dimensions_is_solved),
        cmocka_unit_test(covariances_learn_what_they_can),
        cmocka_unit_test(only_the_order_of_losses_counts),
        cmocka_unit_test(the_distribution_stays_sound),
        cmocka_unit_test(failures_are_worst_and_never_an_end),
        cmocka_unit_test(restarts_change_the_population),
        cmocka_unit_test(bad_settings_and_exhausted_memory_are_refused),
    };
    return cmocka_run_group_tests_name("core/cmaes", tests, NULL, NULL);
}
