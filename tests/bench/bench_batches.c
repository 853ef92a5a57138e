/* What batches cost: gp with 8 and 32 configurations in flight beside gp with one, through the
 * scheduler interface. How many more evaluations does it take until the median regret over seeds is
 * that of the sequential search (Hartmann-6 after 50 evaluations, Ackley-10 after 100)? Results
 * come back in an order drawn from the seed. One CSV row per function and batch; `more` is -1 where
 * the regret was not reached within the evaluations that were tried.
 *
 * usage: bench_batches [--quick] */
#include "tests/schedulers/point_study.h"
#include "tests/support/check.h"

#include "core/blas_core.h"
#include "core/linalg.h"
#include "core/optimize/benchmark_function.h"
#include "core/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEEDS = 20, MOST_OPTIONS = 16, MOST_EVALUATIONS = 480, ROOM = 11 /* batches */ };

typedef struct Case {
    BenchmarkValue value;
    const char    *name;
    size_t         d;
    size_t         evaluations; /* of the sequential search */
} Case;

static const Case cases[] = {
    {benchmark_hartmann6, "hartmann6", 6, 50},
    {benchmark_ackley, "ackley10", 10, 100},
};

static const Case *current;

static void regret(PointResult *result) {
    result->objectives[0] = current->value(result->point, current->d);
}

/* best[i]: lowest regret of the first i + 1 evaluations */
static void run(const Space *space, size_t slots, size_t evaluations, uint64_t seed, double *best) {
    double      options[MOST_OPTIONS];
    PointStudy  study = {.options = options,
                         .setup = point_setup(space, evaluations, seed),
                         .function = regret,
                         .slots = slots};
    PointResult results[MOST_EVALUATIONS];
    check(scheduler_find("gp", &study.ops));
    option_defaults(study.ops->options, options);
    (void)point_study_run(&study, results);
    for (size_t i = 0; i < evaluations; i++) {
        const double value = results[i].objectives[0];
        best[i] = (i == 0) ? value : fmin(best[i - 1], value);
    }
}

/* median over seeds of the best of the first `n` */
static double median_at(double best[][MOST_EVALUATIONS], size_t seeds, size_t n) {
    double values[MOST_SEEDS];
    for (size_t s = 0; s < seeds; s++) {
        values[s] = best[s][n - 1];
    }
    statistics_sort(values, seeds);
    return statistics_quantile((Sample){values, seeds}, 0.5);
}

static double target; /* median regret of the sequential search */

static void report(const Case *c, size_t batch, size_t seeds) {
    static double best[MOST_SEEDS][MOST_EVALUATIONS];
    const size_t  evaluations = c->evaluations + ((batch > 1) ? ROOM * batch : 0);
    Space        *space = point_cube(c->d);
    long          more = -1;
    current = c;
    for (size_t s = 0; s < seeds; s++) {
        run(space, batch, evaluations, s, best[s]);
    }
    const double at_n = median_at(best, seeds, c->evaluations);
    target = (batch == 1) ? at_n : target;
    for (size_t n = evaluations; n >= 1 && median_at(best, seeds, n) <= target; n--) {
        more = (long)n - (long)c->evaluations;
    }
    (void)printf("%s,%zu,%zu,%g,%g,%ld\n", c->name, c->evaluations, batch, at_n, target, more);
    (void)fflush(stdout);
    space_destroy(space);
}

int main(int argc, char **argv) {
    const bool   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const size_t batches[] = {1, 8, 32};
    blas_core_settle(argv);
    check(linalg_start(1));
    (void)printf("function,evaluations,batch,median_regret,sequential,more\n");
    for (size_t i = 0; i < (quick ? 1 : sizeof cases / sizeof cases[0]); i++) {
        for (size_t b = 0; b < (quick ? 2 : sizeof batches / sizeof batches[0]); b++) {
            report(&cases[i], batches[b], quick ? 1 : MOST_SEEDS);
        }
    }
    return 0;
}
