/* Samplers over arrays: what a TPE decision costs, and how good the points are.
 *
 * Quality: median simple regret over 20 seeds with a 95 % bootstrap interval, beside random search
 * on the same functions and the published medians (10 seeds) of Optuna 5's multivariate TPE; CMA-ES
 * by the seeds that reach 1e-6 on Rosenbrock-10 within 10 000 evaluations. --quick: 2 seeds, small
 * sizes, so that it cannot rot. --seeds N, --first SEED: others than 20 from 0. */
#include "tests/bench/median_interval.h"
#include "tests/support/check.h"

#include "core/clock.h"
#include "core/optimize/benchmark_function.h"
#include "core/optimize/cmaes.h"
#include "core/optimize/sobol.h"
#include "core/optimize/tpe.h"
#include "core/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIMENSIONS = 64, STOPS = 3, MOST_SEEDS = 200, REPEATS = 31 };

typedef struct Problem {
    const char    *name;
    BenchmarkValue loss;
    size_t         d;
    size_t         stops[STOPS];
    double         optuna[STOPS]; /* NaN: not published */
} Problem;

static const Problem problems[] = {
    {"branin", benchmark_branin, 2, {25, 50, 100}, {0.28, 0.067, 0.019}},
    {"hartmann6", benchmark_hartmann6, 6, {25, 50, 100}, {0.65, 0.24, 0.12}},
    {"ackley10", benchmark_ackley, 10, {50, 100, 200}, {16.7, 13.4, 8.9}},
    {"rosenbrock5", benchmark_rosenbrock, 5, {50, 100, 200}, {506, 130, 36}},
    {"levy8", benchmark_levy, 8, {50, 100, 200}, {(double)NAN, (double)NAN, (double)NAN}},
};

static Tpe *tpe_of(size_t d) {
    static const TpeDimension continuous[MOST_DIMENSIONS];
    Tpe                      *tpe = NULL;
    check(tpe_create(&(TpeSettings){.dimensions = continuous, .dimension_count = d}, &tpe));
    return tpe;
}

/* one decision, as a scheduler makes it */
static const double *decide(Tpe *tpe, size_t d, uint64_t seed, uint64_t number) {
    static double candidates[TPE_MAX_CANDIDATES * MOST_DIMENSIONS];
    Rng           rng = rng_stream(seed, number, RNG_DECIDE);
    tpe_propose(tpe, &rng, candidates);
    return candidates + tpe_choose(tpe, candidates) * d;
}

static void run_tpe(const Problem *p, uint64_t seed, double *regrets) {
    Tpe   *tpe = tpe_of(p->d);
    double best = (double)INFINITY;
    for (size_t n = 0, stop = 0; stop < STOPS; n++) {
        const double *x = decide(tpe, p->d, seed, n);
        const double  loss = p->loss(x, p->d);
        best = fmin(best, loss);
        check(tpe_add(tpe, x, NULL));
        check(tpe_tell(tpe, n, loss));
        if (n + 1 == p->stops[stop]) {
            regrets[stop++] = best;
        }
    }
    tpe_destroy(tpe);
}

static void run_random(const Problem *p, uint64_t seed, double *regrets) {
    Rng    rng = rng_stream(seed, 0, RNG_TEST);
    double x[MOST_DIMENSIONS];
    double best = (double)INFINITY;
    for (size_t n = 0, stop = 0; stop < STOPS; n++) {
        for (size_t j = 0; j < p->d; j++) {
            x[j] = rng_uniform(&rng);
        }
        best = fmin(best, p->loss(x, p->d));
        if (n + 1 == p->stops[stop]) {
            regrets[stop++] = best;
        }
    }
}

static Interval median_of(double (*regrets)[STOPS], size_t stop, size_t seeds) {
    double values[MOST_SEEDS];
    for (size_t s = 0; s < seeds; s++) {
        values[s] = regrets[s][stop];
    }
    return median_interval(values, seeds, stop);
}

static void report_quality(uint64_t first, size_t seeds) {
    static double tpe[MOST_SEEDS][STOPS];
    static double random[MOST_SEEDS][STOPS];
    Comparison    comparison = {0};
    (void)printf("function,evaluations,tpe_median,tpe_low,tpe_high,random_median,optuna_tpe,"
                 "compared\n");
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        for (size_t s = 0; s < seeds; s++) {
            run_tpe(&problems[i], first + s, tpe[s]);
            run_random(&problems[i], first + s, random[s]);
        }
        for (size_t stop = 0; stop < STOPS; stop++) {
            const Interval median = median_of(tpe, stop, seeds);
            const double   optuna = problems[i].optuna[stop];
            (void)printf("%s,%zu,%.3g,%.3g,%.3g,%.3g,%.3g,%s\n", problems[i].name,
                         problems[i].stops[stop], median.estimate, median.low, median.high,
                         median_of(random, stop, seeds).estimate, optuna,
                         comparison_add(&comparison, median, optuna));
        }
    }
    (void)printf("# %zu seeds from %llu\n", seeds, (unsigned long long)first);
    comparison_print(&comparison, "tpe");
}

static void report_cmaes(uint64_t first, size_t seeds) {
    size_t solved = 0;
    double evaluations = 0;
    for (size_t s = 0; s < seeds; s++) {
        Cmaes              *cmaes = NULL;
        const CmaesSettings settings = {
            .dimensions = 10, .restart = CMAES_RESTART_IPOP, .seed = first + s};
        check(cmaes_create(&settings, &cmaes));
        while (cmaes_progress(cmaes).best_loss > 1e-6 &&
               cmaes_progress(cmaes).evaluations + cmaes_population(cmaes) <= 10000) {
            double losses[1024];
            double x[10];
            for (size_t i = 0; i < cmaes_population(cmaes); i++) {
                cmaes_point(cmaes, i, x);
                losses[i] = benchmark_rosenbrock(x, 10);
            }
            cmaes_tell(cmaes, losses);
        }
        if (cmaes_progress(cmaes).best_loss <= 1e-6) {
            solved++;
            evaluations += (double)cmaes_progress(cmaes).evaluations;
        }
        cmaes_destroy(cmaes);
    }
    (void)printf(
        "# cmaes: Rosenbrock-10 to 1e-6 in %zu of %zu seeds, %.0f evaluations on average\n", solved,
        seeds, evaluations / (double)solved);
}

/* a decision after n points, the fit included: each is preceded by a new observation */
static void report_time(size_t d, size_t n) {
    Tpe   *tpe = tpe_of(d);
    double decisions[REPEATS];
    double observations[REPEATS];
    double x[MOST_DIMENSIONS];
    Rng    rng = rng_stream(3, d, RNG_TEST);
    for (size_t i = 0; i < n + REPEATS; i++) {
        for (size_t j = 0; j < d; j++) {
            x[j] = rng_uniform(&rng);
        }
        const double begin = clock_monotonic();
        check(tpe_add(tpe, x, NULL));
        check(tpe_tell(tpe, i, benchmark_ackley(x, d)));
        const double told = clock_monotonic();
        if (i >= n) {
            (void)decide(tpe, d, 1, i);
            decisions[i - n] = clock_monotonic() - told;
            observations[i - n] = told - begin;
        }
    }
    statistics_sort(decisions, REPEATS);
    statistics_sort(observations, REPEATS);
    (void)printf("%zu,%zu,%.1f,%.1f,%.1f\n", d, n,
                 1e6 * statistics_quantile((Sample){decisions, REPEATS}, 0.5),
                 1e6 * statistics_quantile((Sample){decisions, REPEATS}, 0.25),
                 1e6 * statistics_quantile((Sample){observations, REPEATS}, 0.5));
    tpe_destroy(tpe);
}

static void report_sobol(void) {
    enum { D = 40, N = 2048 };
    static double points[N * D];
    double        seconds[REPEATS];
    Sobol        *sobol = NULL;
    check(sobol_create(D, SOBOL_SCRAMBLED, 1, &sobol));
    for (size_t i = 0; i < REPEATS; i++) {
        const double begin = clock_monotonic();
        check(sobol_points(sobol, i * N, N, points));
        seconds[i] = clock_monotonic() - begin;
    }
    statistics_sort(seconds, REPEATS);
    (void)printf("# sobol: %d scrambled points of %d dimensions in %.0f us\n", N, D,
                 1e6 * statistics_quantile((Sample){seconds, REPEATS}, 0.5));
    sobol_destroy(sobol);
}

int main(int argc, char **argv) {
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    size_t     seeds = quick ? 2 : 20;
    uint64_t   first = 0;
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0) {
            seeds = (size_t)strtoul(argv[i + 1], NULL, 10);
        } else if (strcmp(argv[i], "--first") == 0) {
            first = strtoull(argv[i + 1], NULL, 10);
        }
    }
    seeds = (seeds < 1) ? 1 : (seeds > MOST_SEEDS) ? MOST_SEEDS : seeds;
    (void)printf("dimensions,points,decide_median_us,decide_quartile_us,observe_median_us\n");
    report_time(10, 100);
    report_time(10, 1000);
    report_time(40, 1000);
    if (!quick) {
        report_time(40, 10000);
    }
    report_sobol();
    report_quality(first, seeds);
    report_cmaes(first, seeds);
    return 0;
}
