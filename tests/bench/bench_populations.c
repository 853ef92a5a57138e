/* Do populations find schedules? Every instance of the dynamic problem, without noise and with
 * noise of a fifth of the range, all at the same total of units; what a study ends with is the
 * value without noise of the segment that looked best. One CSV row per instance, noise and
 * scheduler: the quartiles over seeds, in how many seeds the best static setting was beaten, and in
 * how many no more than a tenth of it was lost. The best static setting comes from a dense search
 * over the space that is not counted.
 *
 * usage: bench_populations [--quick] [--seeds N] [--first-seed N] [--noise X] [--instance NAME]
 *                          [--set OPTION=VALUE]... [NAME]... */
#include "tests/support/check.h"

#include "schedulers/simulator.h"

#include "core/optimize/sobol.h"
#include "core/rng.h"
#include "core/statistics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* standard deviation of the value that one unit shows: a fifth of the range of skill */
#define NOISE 0.2

enum {
    MOST_OPTIONS = 64,
    MOST_SEEDS = 100,
    MOST_NAMES = 16,
    DENSE = 40000,
    MOST_ENDS = 1000,
    EPISODES = 10,
    WINDOW = 4, /* values that an objective is the mean of: one per unit, so a segment's */
};

typedef struct Contender {
    const char *name;
    int64_t     population; /* what it is run with, and what samplers are given units for */
} Contender;

static const Contender contenders[] = {
    {"random", 8}, {"gp", 8},      {"pbt", 8}, {"pbt-bt", 8},  {"pb2", 8},
    {"bg-pbt", 8}, {"random", 16}, {"gp", 16}, {"mf-pbt", 16}, {"pbt", 16},
};

static const char *const instances[] = {"schedule", "schedule_trap", "schedule_static"};

typedef struct Bench {
    const SimulatedProblemOps *problem_ops;
    Space                     *space;
    SimulatedProblem           problem;
    SchedulerSetup             setup;
} Bench;

static void bench_open(const char *instance, Bench *bench) {
    check(simulated_problem_find(instance, &bench->problem_ops));
    check(bench->problem_ops->space(bench->problem_ops, &bench->space));
    bench->setup = (SchedulerSetup){.space = bench->space,
                                    .per_trial = bench->problem_ops->per_trial,
                                    .segment = bench->problem_ops->segment,
                                    .repeats = 1,
                                    .can_branch = true,
                                    .objective_count = 1,
                                    .maximize = {true}};
    check(simulated_problem_create(bench->problem_ops, &(SimulatedSetup){.study = &bench->setup},
                                   &bench->problem));
}

static void bench_close(Bench *bench) {
    simulated_problem_destroy(&bench->problem);
    space_destroy(bench->space);
}

/* what the best of many constant settings reaches */
static double best_static(const Bench *bench) {
    const size_t d = space_count(bench->space);
    Sobol       *sobol = NULL;
    double       best = -(double)INFINITY;
    check(sobol_create(d, SOBOL_PLAIN, 0, &sobol));
    for (uint64_t i = 0; i < DENSE; i++) {
        double           unit[SOBOL_MAX_DIMENSIONS];
        double           point[SOBOL_MAX_DIMENSIONS];
        SimulatedResult  result;
        SimulatedSegment whole = {.point = point, .end = bench->setup.per_trial};
        check(sobol_points(sobol, i, 1, unit));
        space_decode(bench->space, unit, point);
        check(bench->problem_ops->train(bench->problem.self, &whole, &result));
        best = fmax(best, result.objectives[0]);
    }
    sobol_destroy(sobol);
    return best;
}

/* ---- what members ended with ---- */

/* full-depth results of the study that runs */
static struct {
    const SimulatedProblemOps *ops; /* of the problem that is watched */
    double                     ends[MOST_ENDS];
    size_t                     count;
} watch;

static Status watched_train(const void *self, const SimulatedSegment *segment,
                            SimulatedResult *out) {
    TRY(watch.ops->train(self, segment, out));
    if (segment->end == watch.ops->per_trial && watch.count < MOST_ENDS) {
        watch.ends[watch.count++] = out->objectives[0];
    }
    return STATUS_OK;
}

/* the agent at the full depth that looks best in the mean of EPISODES evaluation episodes */
static double best_evaluated(double noise, uint64_t seed) {
    Rng    rng = rng_stream(seed, 0, RNG_TEST);
    double best = -(double)INFINITY;
    double truth = (double)NAN;
    for (size_t i = 0; i < watch.count; i++) {
        const double seen = watch.ends[i] + noise / sqrt((double)EPISODES) * rng_normal(&rng);
        if (seen > best) {
            best = seen;
            truth = watch.ends[i];
        }
    }
    return truth;
}

/* options that the command line sets for every scheduler that has them */
static struct {
    const char *texts[MOST_NAMES];
    size_t      count;
} overrides;

static void apply_overrides(const SchedulerOps *ops, double *options) {
    for (size_t i = 0; i < overrides.count && i < MOST_NAMES; i++) {
        for (size_t row = 0; ops->options[row].name != NULL; row++) {
            const size_t length = strlen(ops->options[row].name);
            if (strncmp(overrides.texts[i], ops->options[row].name, length) == 0 &&
                overrides.texts[i][length] == '=') {
                options[row] = strtod(overrides.texts[i] + length + 1, NULL);
            }
        }
    }
}

/* the value without noise of what one study would hand over */
static double run(Bench *bench, const SchedulerOps *ops, int64_t population, double noise,
                  uint64_t seed) {
    double          options[MOST_OPTIONS];
    Scheduler      *scheduler = NULL;
    SimulatorReport report;
    const size_t    row = option_find(ops->options, "population");
    option_defaults(ops->options, options);
    apply_overrides(ops, options);
    bench->setup.seed = seed;
    bench->setup.total = population * bench->setup.per_trial;
    bench->setup.trials = ops->population ? 0 : population;
    if (ops->population) {
        options[row] = (double)population;
    }
    const SimulatorSettings settings = {.workers = population,
                                        .seconds_per_unit = 1.0,
                                        .noise = noise,
                                        .seed = seed,
                                        .reductions = {{REDUCE_MEAN_LAST, WINDOW, true}}};
    check(scheduler_create(ops, &bench->setup, options, &scheduler));
    SimulatedProblemOps watched = *bench->problem_ops;
    watched.train = watched_train;
    watch.ops = bench->problem_ops;
    watch.count = 0;
    check(simulator_run(&settings, scheduler, &(SimulatedProblem){&watched, bench->problem.self},
                        &report));
    const double truth = best_evaluated(noise, seed);
    simulator_report_reset(&report);
    scheduler_destroy(scheduler);
    return truth;
}

typedef struct Arguments {
    const char *names[MOST_NAMES];
    size_t      name_count;
    size_t      seeds;
    uint64_t    first_seed;
    double      noise;    /* the only one; below 0: both */
    const char *instance; /* the only one; NULL: all */
} Arguments;

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(Bench *bench, const Contender *contender, double noise, double fixed,
                   const Arguments *arguments) {
    const size_t        seeds = arguments->seeds;
    const SchedulerOps *ops = NULL;
    double              ends[MOST_SEEDS];
    size_t              beaten = 0;
    size_t              close = 0;
    if (scheduler_find(contender->name, &ops) != STATUS_OK) {
        status_clear();
        return;
    }
    for (size_t i = 0; i < seeds; i++) {
        ends[i] = run(bench, ops, contender->population, noise, arguments->first_seed + i);
        beaten += (ends[i] > fixed) ? 1 : 0;
        close += (ends[i] >= 0.9 * fixed) ? 1 : 0;
    }
    qsort(ends, seeds, sizeof *ends, ascending);
    const Sample sample = {ends, seeds};
    (void)printf("%s,%g,%s,%lld,%.3f,%.3f,%.3f,%.3f,%zu,%zu,%zu\n", bench->problem_ops->name, noise,
                 ops->name, (long long)contender->population, fixed,
                 statistics_quantile(sample, 0.25), statistics_quantile(sample, 0.5),
                 statistics_quantile(sample, 0.75), beaten, close, seeds);
    (void)fflush(stdout);
}

static Arguments read_arguments(int argc, char **argv) {
    Arguments out = {.seeds = 20, .first_seed = 1, .noise = -1.0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            out.seeds = 1;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            out.seeds = (size_t)strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--first-seed") == 0 && i + 1 < argc) {
            out.first_seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--noise") == 0 && i + 1 < argc) {
            out.noise = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--instance") == 0 && i + 1 < argc) {
            out.instance = argv[++i];
        } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc) {
            overrides.texts[overrides.count++ % MOST_NAMES] = argv[++i];
        } else {
            out.names[out.name_count++ % MOST_NAMES] = argv[i];
        }
    }
    out.seeds = (out.seeds < 1) ? 1 : (out.seeds > MOST_SEEDS) ? MOST_SEEDS : out.seeds;
    return out;
}

static bool is_wanted(const Arguments *arguments, const char *name) {
    bool wanted = arguments->name_count == 0;
    for (size_t i = 0; i < arguments->name_count; i++) {
        wanted = wanted || strcmp(arguments->names[i], name) == 0;
    }
    return wanted;
}

static void report_all(Bench *bench, double noise, double fixed, const Arguments *arguments) {
    for (size_t c = 0; c < sizeof contenders / sizeof contenders[0]; c++) {
        if (is_wanted(arguments, contenders[c].name)) {
            report(bench, &contenders[c], noise, fixed, arguments);
        }
    }
}

static void report_instance(const char *instance, const Arguments *arguments) {
    Bench bench;
    bench_open(instance, &bench);
    const double fixed = best_static(&bench);
    if (arguments->noise <= 0.0) {
        report_all(&bench, 0.0, fixed, arguments);
    }
    if (arguments->noise > 0.0 || arguments->noise < 0.0) {
        report_all(&bench, (arguments->noise > 0.0) ? arguments->noise : NOISE, fixed, arguments);
    }
    bench_close(&bench);
}

int main(int argc, char **argv) {
    const Arguments arguments = read_arguments(argc, argv);
    (void)printf("instance,noise,scheduler,population,best_static,quartile,median,upper_quartile,"
                 "beats_static,within_tenth,seeds\n");
    for (size_t i = 0; i < sizeof instances / sizeof instances[0]; i++) {
        if (arguments.instance == NULL || strcmp(arguments.instance, instances[i]) == 0) {
            report_instance(instances[i], &arguments);
        }
    }
    return 0;
}
