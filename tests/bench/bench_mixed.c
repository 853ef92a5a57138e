/* Samplers beside each other, through the scheduler interface, one configuration at a time: median
 * regret after 25, 50 and 100 evaluations, 20 seeds, no point at the defaults.
 *
 *   mixed        a function of mixed hyperparameters with a known optimum: a float and an int on
 *                log scales, an int, a choice, and two floats that exist for one choice each
 *   mixed_noisy  the same with noise of standard deviation 0.1
 *   levy8        eight floats, many local optima
 *   hartmann6_noisy, hartmann6_noisy_4
 *                noise of standard deviation 0.3 (the function spans 3.3); the second with repeats:
 *                each configuration is evaluated four times, and its mean counts
 *
 * With noise it is the true regret of the configuration that looks best. Last, what the search
 * costs on a function that is flat in a dimension whose cost spans a factor of ten, with and
 * without knowing the cost.
 *
 * --quick: 2 seeds. */
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

enum { SEEDS = 20, EVALUATIONS = 100, STOPS = 3, MAX_OPTIONS = 16 };
enum { OPTIMIZER, RATE, WIDTH, LAYERS, MOMENTUM, DECAY };

static const size_t stops[STOPS] = {25, 50, 100};

/* the optimum, 0: sgd, rate 10^-2.5, width 64, 7 layers, momentum 0.7 */
static double regret(const double *point) {
    static const double choice[4] = {0.4, 0.0, 0.7, 0.5};
    static const double rate[4] = {-3.5, -2.5, -3.0, -4.0};
    const size_t        optimizer = (size_t)point[OPTIMIZER];
    const double        r = log10(point[RATE]) - rate[optimizer];
    const double        w = log2(point[WIDTH]) - 6.0;
    const double        l = point[LAYERS] - 7.0;
    double sum = choice[optimizer] + r * r + 0.25 * w * w + 0.05 * l * l + 0.1 * fabs(w * r);
    if (!isnan(point[MOMENTUM])) {
        sum += 6.0 * (point[MOMENTUM] - 0.7) * (point[MOMENTUM] - 0.7);
    }
    if (!isnan(point[DECAY])) {
        sum += 2.0 * point[DECAY];
    }
    return sum;
}

static double levy8(const double *point) {
    return benchmark_levy(point, 8);
}

static double hartmann6(const double *point) {
    return benchmark_hartmann6(point, 6);
}

static void exact(PointResult *result) {
    result->objectives[0] = regret(result->point);
}

static void levy8_exact(PointResult *result) {
    result->objectives[0] = levy8(result->point);
}

/* noise keyed by the values and by when they were evaluated, which tells repeats apart */
static void hartmann6_noisy(PointResult *result) {
    uint64_t bits = 0;
    memcpy(&bits, &result->point[0], sizeof bits);
    Rng rng = rng_stream(bits, result->index, RNG_TEST);
    result->objectives[0] = hartmann6(result->point) + 0.3 * rng_normal(&rng);
}

/* noise keyed by the values: no state */
static void noisy(PointResult *result) {
    uint64_t bits = 0;
    memcpy(&bits, &result->point[RATE], sizeof bits);
    Rng rng = rng_stream(bits, (uint64_t)result->point[LAYERS], RNG_TEST);
    result->objectives[0] = regret(result->point) + 0.1 * rng_normal(&rng);
}

static void dear_and_flat(PointResult *result) {
    const double x = result->point[0] - 0.3;
    result->objectives[0] = x * x;
    result->cost = pow(10.0, result->point[1]);
}

static size_t add(Space *space, SpaceParameter parameter) {
    check(space_add(space, &parameter));
    return space_count(space) - 1;
}

static size_t add_float(Space *space, char *name, double lower, double upper) {
    return add(space, (SpaceParameter){.name = name,
                                       .type = SPACE_FLOAT,
                                       .lower = lower,
                                       .upper = upper,
                                       .log = lower > 0,
                                       .default_value = lower});
}

static size_t add_int(Space *space, char *name, double lower, double upper, bool is_log) {
    return add(space, (SpaceParameter){.name = name,
                                       .type = SPACE_INT,
                                       .lower = lower,
                                       .upper = upper,
                                       .log = is_log,
                                       .default_value = lower});
}

static void add_when(Space *space, size_t parameter, double choice) {
    check(space_add_when(space, parameter,
                         &(SpaceTest){.parameter = OPTIMIZER,
                                      .values = &choice,
                                      .value_count = 1,
                                      .above = (double)NAN,
                                      .below = (double)NAN}));
}

static Space *mixed_space(void) {
    static char  names[4][8] = {"adam", "sgd", "rms", "lamb"};
    static char *choices[] = {names[0], names[1], names[2], names[3]};
    Space       *space = NULL;
    check(space_create(&space));
    (void)add(space, (SpaceParameter){.name = (char[]){"optimizer"},
                                      .type = SPACE_CATEGORICAL,
                                      .upper = 3,
                                      .choices = choices,
                                      .choice_count = 4});
    (void)add_float(space, (char[]){"rate"}, 1e-5, 1e-1);
    (void)add_int(space, (char[]){"width"}, 8, 512, true);
    (void)add_int(space, (char[]){"layers"}, 1, 10, false);
    add_when(space, add_float(space, (char[]){"momentum"}, 0, 0.99), 1);
    add_when(space, add_float(space, (char[]){"decay"}, 0, 0.5), 0);
    check(space_seal(space));
    return space;
}

static Space *two_floats(void) {
    Space *space = NULL;
    check(space_create(&space));
    (void)add_float(space, (char[]){"x"}, 0, 1);
    (void)add_float(space, (char[]){"y"}, 0, 1);
    check(space_seal(space));
    return space;
}

/* what samplers are compared on */
typedef struct Task {
    const char   *name;
    PointFunction function;                /* what a sampler is told */
    double (*regret)(const double *point); /* without noise */
    size_t repeats;
} Task;

static void run(const char *name, const Space *space, PointFunction function, size_t repeats,
                uint64_t seed, bool cost_aware, PointResult *results) {
    double     options[MAX_OPTIONS];
    PointStudy study = {.options = options,
                        .setup = point_setup(space, EVALUATIONS / repeats, seed),
                        .function = function,
                        .slots = 1};
    study.setup.cost_aware = cost_aware;
    study.setup.repeats = (int64_t)repeats;
    study.setup.total = EVALUATIONS;
    check(scheduler_find(name, &study.ops));
    option_defaults(study.ops->options, options);
    (void)point_study_run(&study, results);
}

/* of the configuration with the best mean among those whose repeats are all within `stop` */
static double regret_at(const Task *task, const PointResult *results, size_t stop) {
    size_t best = 0;
    double lowest = (double)INFINITY;
    for (size_t i = 0; i + task->repeats <= stop; i += task->repeats) {
        double mean = 0.0;
        for (size_t k = 0; k < task->repeats; k++) {
            mean += results[i + k].objectives[0] / (double)task->repeats;
        }
        best = (mean < lowest) ? i : best;
        lowest = fmin(lowest, mean);
    }
    return task->regret(results[best].point);
}

static void report_quality(const Space *space, const Task *task, size_t seeds) {
    static const char *const names[] = {"random", "sobol", "tpe", "gp"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        double values[STOPS][SEEDS];
        for (size_t s = 0; s < seeds; s++) {
            PointResult results[EVALUATIONS];
            run(names[k], space, task->function, task->repeats, s + 1, false, results);
            for (size_t i = 0; i < STOPS; i++) {
                values[i][s] = regret_at(task, results, stops[i]);
            }
        }
        for (size_t i = 0; i < STOPS; i++) {
            statistics_sort(values[i], seeds);
            const Sample sample = {values[i], seeds};
            (void)printf("%s,%s,%zu,%zu,%.3g,%.3g,%.3g\n", task->name, names[k], stops[i], seeds,
                         statistics_quantile(sample, 0.5), statistics_quantile(sample, 0.25),
                         statistics_quantile(sample, 0.75));
        }
        (void)fflush(stdout);
    }
}

static void report_floats(size_t seeds) {
    const Task   tasks[] = {{"levy8", levy8_exact, levy8, 1},
                            {"hartmann6_noisy", hartmann6_noisy, hartmann6, 1},
                            {"hartmann6_noisy_4", hartmann6_noisy, hartmann6, 4}};
    const size_t d[] = {8, 6, 6};
    for (size_t k = 0; k < sizeof tasks / sizeof tasks[0]; k++) {
        Space *space = point_cube(d[k]);
        report_quality(space, &tasks[k], seeds);
        space_destroy(space);
    }
}

static void report_cost(size_t seeds) {
    Space *space = two_floats();
    double share[SEEDS];
    double worse = 0.0;
    for (size_t s = 0; s < seeds; s++) {
        double cost[2] = {0.0, 0.0};
        for (int aware = 0; aware < 2; aware++) {
            PointResult results[EVALUATIONS];
            run("gp", space, dear_and_flat, 1, s + 1, aware == 1, results);
            for (size_t i = 0; i < EVALUATIONS; i++) {
                cost[aware] += results[i].cost;
            }
            double best = (double)INFINITY;
            for (size_t i = 0; i < EVALUATIONS; i++) {
                best = fmin(best, results[i].objectives[0]);
            }
            worse = fmax(worse, best);
        }
        share[s] = cost[1] / cost[0];
    }
    statistics_sort(share, seeds);
    (void)printf("# cost with / without knowing it: median %.2f, worst %.2f; worst regret %.1e\n",
                 statistics_quantile((Sample){share, seeds}, 0.5), share[seeds - 1], worse);
    space_destroy(space);
}

int main(int argc, char **argv) {
    blas_core_settle(argv);
    check(linalg_start(1));
    const bool   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const size_t seeds = quick ? 2 : SEEDS;
    Space       *space = mixed_space();
    (void)printf("function,sampler,evaluations,seeds,median_regret,q25,q75\n");
    report_quality(space, &(Task){"mixed", exact, regret, 1}, seeds);
    report_quality(space, &(Task){"mixed_noisy", noisy, regret, 1}, seeds);
    report_floats(seeds);
    report_cost(seeds);
    space_destroy(space);
    return 0;
}
