/* The Gaussian-process optimizer: how good its points are, and how long it thinks.
 *
 * - bench_optimize quality [FUNCTION]...: median simple regret of 20 seeds at three budgets with
 *   its 95 % bootstrap interval, beside Optuna 5's GP sampler (its medians of 10 seeds).
 * - bench_optimize time: milliseconds per decision at 10 dimensions, fits included, mean over a run
 *   to n.
 * - bench_optimize --quick: both at small sizes, so that it cannot rot.
 *
 * Times are of this process' processor time on one core: on a busy machine the wall clock measures
 * the neighbours. */
#include "tests/bench/median_interval.h"
#include "tests/support/check.h"

#include "core/blas_core.h"
#include "core/linalg.h"
#include "core/optimize/acquisition_search.h"
#include "core/optimize/benchmark_function.h"
#include "core/optimize/sobol.h"
#include "core/statistics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INITIAL = 5, SEEDS = 20, BUDGETS = 3, MOST_D = 10, CAPACITY = 2000 };

typedef struct Problem {
    const char    *name;
    size_t         d;
    size_t         budgets[BUDGETS];
    double         optuna[BUDGETS]; /* NaN: not measured */
    BenchmarkValue value;
} Problem;

static const Problem problems[] = {
    {"branin", 2, {25, 50, 100}, {0.066, 6e-5, 2e-5}, benchmark_branin},
    {"hartmann6", 6, {25, 50, 100}, {0.84, 0.0039, 3.1e-4}, benchmark_hartmann6},
    {"ackley10", 10, {50, 100, 200}, {14.2, 6.0, 2.6}, benchmark_ackley},
    {"rosenbrock5", 5, {50, 100, 200}, {925, 159, 11.6}, benchmark_rosenbrock},
    {"levy8", 8, {50, 100, 200}, {(double)NAN, (double)NAN, (double)NAN}, benchmark_levy},
};
enum { PROBLEMS = sizeof problems / sizeof problems[0] };

/* ---- one run ---- */

static double processor_seconds(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct Run {
    const Problem    *problem;
    OptimizeDimension dimensions[MOST_D];
    GaussianProcess  *gp;
    Sobol            *sobol;
    AcquisitionSearch search;
    Arena             arena;
    uint64_t          seed;
    size_t            n; /* observations so far */
    double            best;
    double            fit_seconds;
    double            search_seconds; /* with the update of the posterior */
} Run;

static void run_begin(Run *run, const Problem *problem, uint64_t seed, size_t capacity) {
    *run = (Run){.problem = problem, .seed = seed, .best = (double)INFINITY};
    check(gaussian_process_create(
        &(GaussianProcessSetup){run->dimensions, problem->d, capacity, 0, true}, &run->gp));
    run->search = (AcquisitionSearch){
        .gp = run->gp, .dimensions = run->dimensions, .d = problem->d, .local = true};
    check(sobol_create(problem->d, SOBOL_SCRAMBLED, seed, &run->sobol));
    check(arena_init(&run->arena, acquisition_search_scratch(&run->search)));
}

static void run_end(Run *run) {
    gaussian_process_destroy(run->gp);
    sobol_destroy(run->sobol);
    arena_reset(&run->arena);
}

static void observe(Run *run, const double *x) {
    const double value = run->problem->value(x, run->problem->d);
    check(gaussian_process_add(run->gp, x, value));
    run->best = fmin(run->best, value);
    run->n++;
}

/* scrambled Sobol points, as the scheduler begins */
static void first_step(Run *run) {
    double x[MOST_D];
    check(sobol_points(run->sobol, run->n, 1, x));
    observe(run, x);
}

static void decided_step(Run *run) {
    double       x[MOST_D];
    Rng          rng = rng_stream(run->seed, run->n, RNG_DECIDE);
    const double start = processor_seconds();
    if (gaussian_process_fit_due(run->gp)) {
        check(gaussian_process_fit(run->gp));
    }
    const double fitted = processor_seconds();
    check(gaussian_process_update(run->gp));
    check(acquisition_search_run(&run->search, &rng, x, NULL, &run->arena));
    run->fit_seconds += fitted - start;
    run->search_seconds += processor_seconds() - fitted;
    observe(run, x);
}

/* ---- quality ---- */

/* the best regret at each budget */
static void run_seed(const Problem *problem, uint64_t seed, size_t budgets,
                     double regret[BUDGETS]) {
    Run run;
    run_begin(&run, problem, seed, CAPACITY / 4);
    for (size_t b = 0; b < budgets; b++) {
        while (run.n < problem->budgets[b]) {
            if (run.n < INITIAL) {
                first_step(&run);
            } else {
                decided_step(&run);
            }
        }
        regret[b] = run.best;
    }
    run_end(&run);
}

static void report_quality(const Problem *problem, size_t seeds, size_t budgets,
                           Comparison *comparison) {
    double       regret[BUDGETS][SEEDS];
    const double start = processor_seconds();
    for (size_t s = 0; s < seeds; s++) {
        double reached[BUDGETS] = {0};
        run_seed(problem, s + 1, budgets, reached);
        for (size_t b = 0; b < budgets; b++) {
            regret[b][s] = reached[b];
        }
    }
    const double seconds = processor_seconds() - start;
    for (size_t b = 0; b < budgets; b++) {
        const Interval median = median_interval(regret[b], seeds, b);
        const Sample   sample = {regret[b], seeds};
        statistics_sort(regret[b], seeds);
        (void)printf("%s,%zu,%zu,%.3g,%.3g,%.3g,%.3g,%.3g,%.3g,%s,%.1f\n", problem->name,
                     problem->budgets[b], seeds, median.estimate, median.low, median.high,
                     statistics_quantile(sample, 0.25), statistics_quantile(sample, 0.75),
                     problem->optuna[b], comparison_add(comparison, median, problem->optuna[b]),
                     seconds);
        (void)fflush(stdout);
    }
}

static void quality(int argc, char **argv, size_t seeds, size_t budgets) {
    Comparison comparison = {0};
    (void)printf("function,evaluations,seeds,median_regret,low,high,q25,q75,optuna_gp_median,"
                 "compared,seconds\n");
    for (size_t p = 0; p < PROBLEMS; p++) {
        bool wanted = argc == 0;
        for (int i = 0; i < argc; i++) {
            wanted = wanted || strcmp(argv[i], problems[p].name) == 0;
        }
        if (wanted) {
            report_quality(&problems[p], seeds, budgets, &comparison);
        }
    }
    comparison_print(&comparison, "gp");
}

/* ---- time ---- */

static void report_time(const Run *run, size_t decisions, double limit_ms) {
    const double n = (double)decisions;
    (void)printf("%s,%zu,%.2f,%.2f,%.2f,%.0f\n", run->problem->name, run->n,
                 1e3 * (run->fit_seconds + run->search_seconds) / n, 1e3 * run->fit_seconds / n,
                 1e3 * run->search_seconds / n, limit_ms);
    (void)fflush(stdout);
}

static void measure_time(size_t most) {
    static const size_t sizes[] = {100, 500, 1000, 2000};
    static const double limits[] = {8, 25, 60, 250};
    enum { FAR = 10000, FAR_DECISIONS = 300 };
    Run run;
    (void)printf("function,n,decide_mean_ms,of_that_fit_ms,search_ms,limit_ms\n");
    run_begin(&run, &problems[2], 1, CAPACITY);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0] && sizes[k] <= most; k++) {
        while (run.n < sizes[k]) {
            if (run.n < INITIAL) {
                first_step(&run);
            } else {
                decided_step(&run);
            }
        }
        report_time(&run, run.n - INITIAL, limits[k]);
    }
    if (most > CAPACITY) {
        while (run.n < FAR - FAR_DECISIONS) {
            first_step(&run);
        }
        run.fit_seconds = 0.0;
        run.search_seconds = 0.0;
        while (run.n < FAR) {
            decided_step(&run);
        }
        report_time(&run, FAR_DECISIONS, 300);
    }
    run_end(&run);
}

int main(int argc, char **argv) {
    blas_core_settle(argv);
    check(linalg_start(1));
    if (argc > 1 && strcmp(argv[1], "--quick") == 0) {
        quality(0, NULL, 2, 1);
        measure_time(100);
    } else if (argc > 1 && strcmp(argv[1], "quality") == 0) {
        quality(argc - 2, argv + 2, SEEDS, BUDGETS);
    } else if (argc > 1 && strcmp(argv[1], "time") == 0) {
        measure_time((argc > 2) ? strtoul(argv[2], NULL, 10) : CAPACITY + 1);
    } else {
        quality(0, NULL, SEEDS, BUDGETS);
        measure_time(CAPACITY + 1);
    }
    return 0;
}
