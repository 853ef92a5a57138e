/* Samplers on two objectives: the hypervolume that 30, 60, 300 and 1000 evaluations dominate (gp:
 * 30 and 60), as a share of what the true front does, medians of seeds; two at a time, no point at
 * the defaults. Problems:
 *
 * - zdt1: 5 dimensions, f1 = x1, f2 = g (1 - sqrt(x1 / g)), g = 1 + 9 mean(x2 ..); reference 1.1
 * and 1.1 (Zitzler, Deb and Thiele, 2000).
 * - bowls: 4 dimensions, squared distances to (0.2, 0.5, ..) and (0.8, 0.5, ..); reference 0.5,
 * 0.5.
 * - cut: the same where x1 must reach 0.5.
 * - wall, wall1000: bowls with 10 or 1000 more on both where x2 is above 0.9.
 *
 * --quick: 2 seeds. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/point_study.h"

#include "core/blas_core.h"
#include "core/linalg.h"
#include "core/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 20, EVALUATIONS = 1000, STOPS = 4, MAX_OPTIONS = 16, FRONT = 2000 };

static const size_t stops[STOPS] = {30, 60, 300, 1000};

typedef struct Problem {
    const char   *name;
    size_t        dimensions;
    PointFunction function;
    double        reference;
    double        least; /* of the constraint's metric; 0: no constraint */
} Problem;

static void zdt1(PointResult *result) {
    const double *x = result->point;
    const double  g = 1.0 + 9.0 * (x[1] + x[2] + x[3] + x[4]) / 4.0;
    result->objectives[0] = x[0];
    result->objectives[1] = g * (1.0 - sqrt(x[0] / g));
}

static void bowls(PointResult *result) {
    const double *x = result->point;
    result->objectives[0] = (x[0] - 0.2) * (x[0] - 0.2);
    result->objectives[1] = (x[0] - 0.8) * (x[0] - 0.8);
    for (size_t i = 1; i < 4; i++) {
        result->objectives[0] += (x[i] - 0.5) * (x[i] - 0.5);
        result->objectives[1] += (x[i] - 0.5) * (x[i] - 0.5);
    }
    result->constraint = x[0];
}

static void wall(PointResult *result, double height) {
    bowls(result);
    if (result->point[1] > 0.9) {
        result->objectives[0] += height;
        result->objectives[1] += height;
    }
}

static void low_wall(PointResult *result) {
    wall(result, 10.0);
}

static void high_wall(PointResult *result) {
    wall(result, 1000.0);
}

static int by_first(const void *a, const void *b) {
    const double *x = a;
    const double *y = b;
    return (x[0] > y[0]) - (x[0] < y[0]);
}

/* of pairs (n, 2), which it sorts, up to the reference in both */
static double hypervolume(double (*pairs)[2], size_t n, double reference) {
    double sum = 0.0;
    double height = reference;
    qsort(pairs, n, sizeof *pairs, by_first);
    for (size_t i = 0; i < n; i++) {
        if (pairs[i][0] < reference && pairs[i][1] < height) {
            sum += (reference - pairs[i][0]) * (height - pairs[i][1]);
            height = pairs[i][1];
        }
    }
    return sum;
}

/* both fronts lie on a line: x1 runs, the others are 0 or 0.5 */
static double true_hypervolume(const Problem *problem) {
    static double pairs[FRONT][2];
    size_t        n = 0;
    for (size_t i = 0; i < FRONT; i++) {
        PointResult result = {.failed = false};
        result.point[0] = (double)i / (FRONT - 1);
        for (size_t j = 1; j < problem->dimensions; j++) {
            result.point[j] = (problem->function == zdt1) ? 0.0 : 0.5;
        }
        problem->function(&result);
        if (result.point[0] >= problem->least) {
            memcpy(pairs[n++], result.objectives, sizeof pairs[0]);
        }
    }
    return hypervolume(pairs, n, problem->reference);
}

/* the shares after the first `count` of the stops */
static void run(const char *name, const Problem *problem, uint64_t seed, size_t count,
                double *shares) {
    static PointResult results[EVALUATIONS];
    static double      pairs[EVALUATIONS][2];
    const size_t       evaluations = stops[count - 1];
    double             options[MAX_OPTIONS];
    Space             *space = point_cube(problem->dimensions);
    PointStudy         study = {.options = options,
                                .setup = point_setup(space, evaluations, seed),
                                .function = problem->function,
                                .slots = 2};
    study.setup.objective_count = 2;
    study.setup.baseline = false;
    study.setup.constraint_count = (problem->least > 0.0) ? 1 : 0;
    study.setup.constraint_lower[0] = problem->least;
    study.setup.constraint_upper[0] = (double)INFINITY;
    if (scheduler_find(name, &study.ops) != STATUS_OK) {
        abort();
    }
    fake_options(study.ops, options, NULL);
    (void)point_study_run(&study, results);
    for (size_t k = 0; k < count; k++) {
        size_t n = 0;
        for (size_t i = 0; i < stops[k]; i++) {
            if (problem->least <= 0.0 || results[i].constraint >= problem->least) {
                memcpy(pairs[n++], results[i].objectives, sizeof pairs[0]);
            }
        }
        shares[k] = hypervolume(pairs, n, problem->reference) / true_hypervolume(problem);
    }
    space_destroy(space);
}

static void report(const char *name, const Problem *problem, size_t seeds, size_t count) {
    double all[STOPS][SEEDS];
    for (size_t i = 0; i < seeds; i++) {
        double shares[STOPS];
        run(name, problem, i + 1, count, shares);
        for (size_t k = 0; k < count; k++) {
            all[k][i] = shares[k];
        }
    }
    (void)printf("%-8s %-7s", problem->name, name);
    for (size_t k = 0; k < count; k++) {
        statistics_sort(all[k], seeds);
        (void)printf("  %.3f", statistics_quantile((Sample){all[k], seeds}, 0.5));
    }
    (void)printf("\n");
}

int main(int argc, char **argv) {
    static const Problem problems[] = {
        {"zdt1", 5, zdt1, 1.1, 0.0},          {"bowls", 4, bowls, 0.5, 0.0},
        {"cut", 4, bowls, 0.5, 0.5},          {"wall", 4, low_wall, 0.5, 0.0},
        {"wall1000", 4, high_wall, 0.5, 0.0},
    };
    const bool   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const size_t seeds = quick ? 2 : SEEDS;

    blas_core_settle(argv);
    if (linalg_start(1) != STATUS_OK) {
        return EXIT_FAILURE;
    }
    (void)printf("share of the true hypervolume after 30, 60, 300, 1000 evaluations, median of %zu "
                 "seeds\n",
                 seeds);
    for (size_t p = 0; p < sizeof problems / sizeof *problems; p++) {
        report("random", &problems[p], seeds, STOPS);
        report("nsga2", &problems[p], seeds, STOPS);
        report("gp", &problems[p], seeds, 2);
    }
    return EXIT_SUCCESS;
}
