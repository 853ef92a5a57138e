#include "core/optimize/hypervolume_improvement.h"

#include "core/rng.h"
#include "tests/support/test_support.h"

#include <math.h>

static const double           first[] = {0.1, 0.4, 0.5, 0.9};
static const double           second[] = {0.8, 0.5, 0.3, 0.2};
static const HypervolumeFront four = {first, second, 4, {1.1, 1.0}};

/* area below the corner that (a, b) dominates and the front does not */
static double gain(const HypervolumeFront *front, double a, double b) {
    double area = 0.0;
    double begin = a;
    double top = front->reference[1];
    for (size_t i = 0; i <= front->m; i++) {
        const double end = (i < front->m) ? front->first[i] : front->reference[0];
        if (end > begin) {
            area += (end - begin) * fmax(top - b, 0.0);
            begin = end;
        }
        top = (i < front->m) ? front->second[i] : top;
    }
    return area;
}

static void it_is_the_mean_gain_of_many_draws(void **state) {
    (void)state;
    enum { DRAWS = 400000 };
    const double means[][2] = {{0.3, 0.4}, {0.05, 0.9}, {0.7, 0.1}, {0.6, 0.6}, {1.2, 1.1}};
    for (size_t k = 0; k < 5; k++) {
        const double sd[2] = {0.2, 0.1};
        Rng          rng = rng_stream(1, k, RNG_TEST);
        double       sum = 0.0;
        for (int i = 0; i < DRAWS; i++) {
            const double a = means[k][0] + sd[0] * rng_normal(&rng);
            sum += gain(&four, a, means[k][1] + sd[1] * rng_normal(&rng));
        }
        const LogHypervolume at = log_hypervolume_improvement(&four, means[k], sd);
        assert_close(exp(at.value), sum / DRAWS, 2e-4, 0.01);
    }
}

/* certain predictions gain what they gain */
static void without_doubt_it_is_the_gain(void **state) {
    (void)state;
    const double sd[2] = {1e-9, 1e-9};
    const double mean[2] = {0.2, 0.25};
    const double expected = 0.2 * 0.55 + 0.1 * 0.25 + 0.4 * 0.05;
    assert_close(gain(&four, mean[0], mean[1]), expected, 0.0, 1e-12);
    assert_close(exp(log_hypervolume_improvement(&four, mean, sd).value), expected, 0.0, 1e-6);
}

static void gradients_are_those_of_differences(void **state) {
    (void)state;
    const double step = 1e-6;
    /* the last ones where the improvement itself underflows */
    const double means[][2] = {{0.3, 0.4}, {0.6, 0.6}, {2.0, 0.5}, {9.0, 9.0}, {90.0, 3.0}};
    for (size_t k = 0; k < 5; k++) {
        const double         mean[2] = {means[k][0], means[k][1]};
        const double         sd[2] = {0.2, 0.1};
        const LogHypervolume at = log_hypervolume_improvement(&four, mean, sd);
        assert_true(isfinite(at.value));
        for (size_t j = 0; j < 2; j++) {
            double up[2] = {mean[0], mean[1]};
            double down[2] = {mean[0], mean[1]};
            up[j] += step;
            down[j] -= step;
            const double by_mean = (log_hypervolume_improvement(&four, up, sd).value -
                                    log_hypervolume_improvement(&four, down, sd).value) /
                                   (2 * step);
            assert_close(at.by_mean[j], by_mean, 1e-4, 1e-4);
            double wide[2] = {sd[0], sd[1]};
            double narrow[2] = {sd[0], sd[1]};
            wide[j] += step;
            narrow[j] -= step;
            const double by_sd = (log_hypervolume_improvement(&four, mean, wide).value -
                                  log_hypervolume_improvement(&four, mean, narrow).value) /
                                 (2 * step);
            assert_close(at.by_sd[j], by_sd, 1e-4, 1e-4);
        }
    }
}

static void a_front_has_what_nothing_dominates(void **state) {
    (void)state;
    const double a[] = {0.5, 0.1, 0.5, 0.9, 0.9, 0.6, 0.1};
    const double b[] = {0.3, 0.8, 0.3, 0.2, 0.4, 0.2, 0.9};
    size_t       order[7];
    const size_t m = hypervolume_front(a, b, 7, order);
    assert_int_equal(m, 3);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 0);
    assert_int_equal(order[2], 5);
    assert_int_equal(hypervolume_front(a, b, 0, order), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_mean_gain_of_many_draws),
        cmocka_unit_test(without_doubt_it_is_the_gain),
        cmocka_unit_test(gradients_are_those_of_differences),
        cmocka_unit_test(a_front_has_what_nothing_dominates),
    };
    return cmocka_run_group_tests_name("core/optimize/hypervolume_improvement", tests, NULL, NULL);
}
