#include "tests/support/test_support.h"

#include "core/statistics.h"

#include <math.h>
#include <string.h>

#define SAMPLE(array) ((Sample){(array), sizeof(array) / sizeof((array)[0])})

static const Sample    empty = {NULL, 0};
static const Bootstrap usual = {0.95, 2000};

static void moments_agree_with_a_hand_computed_case(void **state) {
    (void)state;
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9};
    assert_close(statistics_mean(SAMPLE(x)), 5.0, 0.0, 1e-15);
    assert_close(statistics_variance(SAMPLE(x)), 32.0 / 7.0, 0.0, 1e-15);
    assert_close(statistics_deviation(SAMPLE(x)), sqrt(32.0 / 7.0), 0.0, 1e-15);
    /* a large offset does not cost digits */
    const double shifted[] = {1e9 + 1, 1e9 + 2, 1e9 + 3};
    assert_close(statistics_variance(SAMPLE(shifted)), 1.0, 1e-12, 0.0);
}

/* Type 7: R's default; quantile(c(1, 2, 4, 8), 0.4) is 2.4. */
static void quantiles_are_of_type_seven(void **state) {
    (void)state;
    double x[] = {8, 1, 4, 2};
    statistics_sort(x, 4);
    assert_true(x[0] == 1 && x[3] == 8);
    assert_close(statistics_quantile(SAMPLE(x), 0.0), 1.0, 0.0, 0.0);
    assert_close(statistics_quantile(SAMPLE(x), 0.4), 2.4, 1e-15, 0.0);
    assert_close(statistics_quantile(SAMPLE(x), 0.5), 3.0, 0.0, 0.0);
    assert_close(statistics_quantile(SAMPLE(x), 1.0), 8.0, 0.0, 0.0);
    assert_close(statistics_interquartile_range(SAMPLE(x)), 5.0 - 1.75, 1e-15, 0.0);
    assert_true(isnan(statistics_quantile(SAMPLE(x), 1.1)));
    assert_true(isnan(statistics_quantile(SAMPLE(x), -0.1)));
}

static void interquartile_mean_weighs_its_edges_in_fractions(void **state) {
    (void)state;
    const double eight[] = {-100, 0, 1, 2, 3, 4, 5, 1000};
    assert_close(statistics_interquartile_mean(SAMPLE(eight)), 2.5, 1e-15, 0.0);
    /* n = 5: weights 0, 0.75, 1, 0.75, 0 over 2.5 */
    const double five[] = {-9, 1, 2, 4, 99};
    assert_close(statistics_interquartile_mean(SAMPLE(five)), (0.75 + 2.0 + 3.0) / 2.5, 1e-15, 0.0);
    const double one[] = {3};
    assert_close(statistics_interquartile_mean(SAMPLE(one)), 3.0, 0.0, 0.0);
    const double two[] = {3, 4};
    assert_close(statistics_interquartile_mean(SAMPLE(two)), 3.5, 1e-15, 0.0);
    /* what is cut off may be infinite */
    const double wild[] = {-HUGE_VAL, 1, 2, HUGE_VAL};
    assert_close(statistics_interquartile_mean(SAMPLE(wild)), 1.5, 0.0, 0.0);
}

static void pearson_agrees_with_a_hand_computed_case(void **state) {
    (void)state;
    const double x[] = {1, 2, 3, 4, 5};
    const double y[] = {2, 1, 4, 3, 5};
    const double line[] = {-2, -4, -6, -8, -10};
    const double flat[] = {3, 3, 3, 3, 3};
    double       r = 7.0;
    assert_ok(statistics_pearson(SAMPLE(x), SAMPLE(y), &r));
    assert_close(r, 0.8, 1e-15, 0.0);
    assert_ok(statistics_pearson(SAMPLE(x), SAMPLE(line), &r));
    assert_close(r, -1.0, 1e-15, 0.0);
    assert_ok(statistics_pearson(SAMPLE(x), SAMPLE(flat), &r));
    assert_true(isnan(r));
    r = 7.0;
    assert_fails(statistics_pearson(SAMPLE(x), empty, &r), STATUS_ERR_SHAPE, "5 values with 0");
    assert_true(r == 7.0);
}

/* Ties share their rank: x has ranks 1, 2.5, 2.5, 4; y has 1, 3, 2, 4; r = 4.5 / sqrt(4.5 * 5). */
static void spearman_gives_ties_their_average_rank(void **state) {
    (void)state;
    const double x[] = {10, 20, 20, 1e6};
    const double y[] = {0.1, 0.3, 0.2, 0.4};
    const double falling[] = {5, 4, 3, 2};
    double       r = 7.0;
    Arena        arena;
    assert_ok(arena_init(&arena, statistics_spearman_scratch(4)));
    assert_ok(statistics_spearman(SAMPLE(x), SAMPLE(y), &arena, &r));
    assert_close(r, 4.5 / sqrt(4.5 * 5.0), 1e-15, 0.0);
    assert_ok(statistics_spearman(SAMPLE(y), SAMPLE(falling), &arena, &r));
    assert_close(r, -0.8, 1e-15, 0.0);
    const double with_nan[] = {1, (double)NAN, 2, 3};
    assert_ok(statistics_spearman(SAMPLE(with_nan), SAMPLE(y), &arena, &r));
    assert_true(isnan(r));
    assert_int_equal(arena.used, 0);
    r = 7.0;
    assert_fails(statistics_spearman(SAMPLE(x), empty, &arena, &r), STATUS_ERR_SHAPE, "4 values");
    arena_reset(&arena);
    assert_ok(arena_init(&arena, 64));
    assert_fails(statistics_spearman(SAMPLE(x), SAMPLE(y), &arena, &r), STATUS_ERR_NOMEM, "arena");
    assert_true(r == 7.0);
    assert_int_equal(arena.used, 0);
    arena_reset(&arena);
}

/* Pairs counted by hand: of 12, x wins 7 and ties 1. */
static void improvement_counts_pairs_and_half_of_the_ties(void **state) {
    (void)state;
    const double x[] = {1, 3, 3, 5};
    const double y[] = {1, 2, 4};
    /* 1: tie with 1; 3: above 1, 2 (twice); 5: above all; wins 0 + 2 + 2 + 3 = 7, ties 1 */
    assert_close(statistics_improvement(SAMPLE(x), SAMPLE(y)), 7.5 / 12.0, 1e-15, 0.0);
    assert_close(statistics_improvement(SAMPLE(y), SAMPLE(x)), 4.5 / 12.0, 1e-15, 0.0);
    assert_close(statistics_improvement(SAMPLE(x), SAMPLE(x)), 0.5, 1e-15, 0.0);
}

static void nan_and_small_samples_give_nan(void **state) {
    (void)state;
    const double one[] = {1};
    double       bad[] = {2, (double)NAN, 1};
    const double same[] = {1, 1};
    double       r = 0.0;
    assert_true(isnan(statistics_mean(empty)));
    assert_true(isnan(statistics_mean(SAMPLE(bad))));
    assert_true(isnan(statistics_variance(SAMPLE(one))));
    statistics_sort(bad, 3);
    assert_true(bad[0] == 1 && bad[1] == 2 && isnan(bad[2]));
    assert_true(isnan(statistics_quantile(SAMPLE(bad), 0.0)));
    assert_true(isnan(statistics_quantile(empty, 0.5)));
    assert_true(isnan(statistics_interquartile_mean(SAMPLE(bad))));
    assert_true(isnan(statistics_interquartile_mean(empty)));
    assert_true(isnan(statistics_improvement(SAMPLE(bad), SAMPLE(one))));
    assert_true(isnan(statistics_improvement(SAMPLE(one), empty)));
    assert_ok(statistics_pearson(SAMPLE(one), SAMPLE(one), &r));
    assert_true(isnan(r));
    assert_ok(statistics_pearson(SAMPLE(same), SAMPLE(same), &r));
    assert_true(isnan(r));
    assert_ok(statistics_pearson(empty, empty, &r));
    assert_true(isnan(r));
}

/* The 95 % interval of the mean of a normal sample is near mean +- 1.96 standard errors. */
static void bootstrap_of_a_mean_is_near_the_normal_interval(void **state) {
    (void)state;
    double   x[200];
    Rng      rng = rng_stream(3, 0, RNG_TEST);
    Interval interval = {0};
    Arena    arena;
    for (size_t i = 0; i < 200; i++) {
        x[i] = 10.0 + 2.0 * rng_normal(&rng);
    }
    assert_ok(arena_init(&arena, statistics_bootstrap_scratch(200, 2000)));
    assert_ok(statistics_bootstrap(STATISTIC_MEAN, SAMPLE(x), usual, &rng, &arena, &interval));
    const double mean = statistics_mean(SAMPLE(x));
    const double error = statistics_deviation(SAMPLE(x)) / sqrt(200.0);
    assert_close(interval.estimate, mean, 1e-12, 0.0);
    assert_close(interval.low, mean - 1.96 * error, 0.15 * error, 0.0);
    assert_close(interval.high, mean + 1.96 * error, 0.15 * error, 0.0);
    assert_int_equal(arena.used, 0);

    /* same stream, same interval */
    Interval again = {0};
    Rng      first = rng_stream(3, 1, RNG_STATISTICS);
    Rng      second = first;
    assert_ok(statistics_bootstrap(STATISTIC_INTERQUARTILE_MEAN, SAMPLE(x), usual, &first, &arena,
                                   &interval));
    assert_ok(statistics_bootstrap(STATISTIC_INTERQUARTILE_MEAN, SAMPLE(x), usual, &second, &arena,
                                   &again));
    assert_memory_equal(&interval, &again, sizeof again);
    assert_true(interval.low < interval.estimate && interval.estimate < interval.high);
    assert_ok(statistics_bootstrap(STATISTIC_MEDIAN, SAMPLE(x), usual, &rng, &arena, &interval));
    assert_true(interval.low < 10.3 && interval.high > 9.7);
    arena_reset(&arena);
}

/* How often intervals of 30 exponential values hold the true mean: about 93 %. */
static void bootstrap_intervals_cover_the_truth(void **state) {
    (void)state;
    enum { TRIALS = 400, N = 30 };
    double x[N];
    Rng    rng = rng_stream(4, 0, RNG_TEST);
    Arena  arena;
    size_t held = 0;
    assert_ok(arena_init(&arena, statistics_bootstrap_scratch(N, 400)));
    for (size_t t = 0; t < TRIALS; t++) {
        Interval interval;
        for (size_t i = 0; i < N; i++) {
            x[i] = -log(1.0 - rng_uniform(&rng));
        }
        assert_ok(statistics_bootstrap(STATISTIC_MEAN, SAMPLE(x), (Bootstrap){0.95, 400}, &rng,
                                       &arena, &interval));
        held += interval.low <= 1.0 && 1.0 <= interval.high;
    }
    assert_in_range(held, TRIALS * 88 / 100, TRIALS * 97 / 100);
    arena_reset(&arena);
}

static void bootstrap_of_two_samples(void **state) {
    (void)state;
    const double x[] = {5, 6, 7, 8, 9, 10};
    const double y[] = {1, 2, 3, 4};
    Rng          rng = rng_stream(5, 0, RNG_TEST);
    Interval     interval;
    Arena        arena;
    assert_ok(arena_init(&arena, statistics_bootstrap_scratch(10, 2000)));
    assert_ok(statistics_bootstrap_difference(STATISTIC_MEAN, SAMPLE(x), SAMPLE(y), usual, &rng,
                                              &arena, &interval));
    assert_close(interval.estimate, 5.0, 1e-15, 0.0);
    assert_true(interval.low > 2.5 && interval.low < 4.5);
    assert_true(interval.high > 5.5 && interval.high < 7.5);
    assert_ok(
        statistics_bootstrap_improvement(SAMPLE(x), SAMPLE(y), usual, &rng, &arena, &interval));
    assert_true(interval.estimate == 1.0 && interval.low == 1.0 && interval.high == 1.0);
    assert_ok(
        statistics_bootstrap_improvement(SAMPLE(x), SAMPLE(x), usual, &rng, &arena, &interval));
    assert_close(interval.estimate, 0.5, 1e-15, 0.0);
    assert_true(interval.low < 0.4 && interval.high > 0.6);
    arena_reset(&arena);
}

static void bootstrap_refuses_bad_settings(void **state) {
    (void)state;
    const double   x[] = {1, 2};
    const Interval before = {7, 8, 9};
    Interval       interval = before;
    Rng            rng = rng_stream(6, 0, RNG_TEST);
    Arena          arena;
    const struct {
        Sample    sample;
        Bootstrap settings;
        Status    expected;
    } cases[] = {
        {empty, usual, STATUS_ERR_ARG},
        {SAMPLE(x), {0.0, 10}, STATUS_ERR_ARG},
        {SAMPLE(x), {1.0, 10}, STATUS_ERR_ARG},
        {SAMPLE(x), {(double)NAN, 10}, STATUS_ERR_ARG},
        {SAMPLE(x), {0.9, 0}, STATUS_ERR_ARG},
        {SAMPLE(x), {0.9, 1000001}, STATUS_ERR_ARG},
        {SAMPLE(x), {0.9, 10000}, STATUS_ERR_NOMEM},
    };
    assert_ok(arena_init(&arena, 256));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(statistics_bootstrap(STATISTIC_MEAN, cases[i].sample, cases[i].settings,
                                              &rng, &arena, &interval),
                         cases[i].expected);
        assert_memory_equal(&interval, &before, sizeof before);
        assert_int_equal(arena.used, 0);
    }
    assert_fails(statistics_bootstrap_difference(STATISTIC_MEAN, SAMPLE(x), empty, usual, &rng,
                                                 &arena, &interval),
                 STATUS_ERR_ARG, "empty");
    arena_reset(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_agree_with_a_hand_computed_case),
        cmocka_unit_test(quantiles_are_of_type_seven),
        cmocka_unit_test(interquartile_mean_weighs_its_edges_in_fractions),
        cmocka_unit_test(pearson_agrees_with_a_hand_computed_case),
        cmocka_unit_test(spearman_gives_ties_their_average_rank),
        cmocka_unit_test(improvement_counts_pairs_and_half_of_the_ties),
        cmocka_unit_test(nan_and_small_samples_give_nan),
        cmocka_unit_test(bootstrap_of_a_mean_is_near_the_normal_interval),
        cmocka_unit_test(bootstrap_intervals_cover_the_truth),
        cmocka_unit_test(bootstrap_of_two_samples),
        cmocka_unit_test(bootstrap_refuses_bad_settings),
    };
    return cmocka_run_group_tests_name("core/statistics", tests, NULL, NULL);
}
