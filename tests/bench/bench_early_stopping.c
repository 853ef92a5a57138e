/* What schedulers that stop early find for the cost of 9 full runs, beside random search with 50
 * (and with 9), on learning curves that keep their order and on some that cross
 * (learning_curves.h). First the rank correlation of depths with the end, then one CSV row per
 * curves and arm: medians over 20 seeds, and how many seeds beat random search with 50 full runs on
 * the same seed.
 * --quick: 3 seeds, so that it cannot rot. */
#include "tests/schedulers/learning_curves.h"
#include "tests/support/check.h"

#include "core/arena.h"
#include "core/statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEEDS = 20,
    SEEDS_MOST = 200,
    MAX_OPTIONS = 64,
    POINTS = 1000,
    SLOTS = 4,
};

#define NOISE 0.01

typedef struct Arm {
    const char *label;
    const char *scheduler;
    double      full_runs;
    const char *option; /* NULL: the defaults */
    const char *choice; /* by its name: orders change; NULL: `value` */
    double      value;
} Arm;

static const Arm arms[] = {
    {"random 50", "random", 50.0, NULL, NULL, 0.0},
    {"random 9", "random", 9.0, NULL, NULL, 0.0},
    {"asha", "asha", 9.0, NULL, NULL, 0.0},
    {"asha stopping", "asha", 9.0, "type", "stopping", 0.0},
    {"asha min_units 16", "asha", 9.0, "min_units", NULL, 16.0},
    {"hyperband", "hyperband", 9.0, NULL, NULL, 0.0},
    {"median", "median", 9.0, NULL, NULL, 0.0},
    {"dehb", "dehb", 9.0, NULL, NULL, 0.0},
    {"asha with tpe", "asha", 9.0, "sampler", "tpe", 0.0},
    {"bohb", "bohb", 9.0, NULL, NULL, 0.0},
    {"tpe 50", "tpe", 50.0, NULL, NULL, 0.0},
};
enum { ARMS = sizeof arms / sizeof arms[0] };

static double correlation(LearningCurves which, double depth) {
    static double at[POINTS];
    static double end[POINTS];
    Arena         arena;
    double        rho = 0.0;
    Rng           rng = rng_stream(1, 0, RNG_TEST);
    for (size_t i = 0; i < POINTS; i++) {
        double point[CURVES_DIMENSIONS];
        for (size_t j = 0; j < CURVES_DIMENSIONS; j++) {
            point[j] = rng_uniform(&rng);
        }
        at[i] = learning_curves_loss(which, point, depth) + NOISE * rng_normal(&rng);
        end[i] = learning_curves_loss(which, point, CURVES_UNITS);
    }
    check(arena_init(&arena, statistics_spearman_scratch(POINTS)));
    check(statistics_spearman((Sample){at, POINTS}, (Sample){end, POINTS}, &arena, &rho));
    arena_reset(&arena);
    return rho;
}

/* P(a run of the arm is better than one of the other) */
static double improvement(Sample sorted, const double *against) {
    double other[SEEDS_MOST];
    memcpy(other, against, sorted.n * sizeof *other);
    statistics_sort(other, sorted.n);
    return statistics_improvement((Sample){other, sorted.n}, sorted);
}

static double choice_index(const OptionSpec *spec, const char *choice) {
    size_t i = 0;
    while (spec->choices[i] != NULL && strcmp(spec->choices[i], choice) != 0) {
        i++;
    }
    if (spec->choices[i] == NULL) {
        abort(); /* the bench is older than the scheduler */
    }
    return (double)i;
}

/* `against` may be `regrets` */
static void run_arm(LearningCurves which, const Arm *arm, size_t seeds, const double *against,
                    double *regrets) {
    const SchedulerOps *ops = NULL;
    double              options[MAX_OPTIONS];
    double              sorted[SEEDS_MOST];
    double              configurations = 0.0;
    double              full = 0.0;
    size_t              wins = 0;
    check(scheduler_find(arm->scheduler, &ops));
    option_defaults(ops->options, options);
    if (arm->option != NULL) {
        const size_t row = option_find(ops->options, arm->option);
        options[row] =
            (arm->choice == NULL) ? arm->value : choice_index(&ops->options[row], arm->choice);
    }
    for (size_t i = 0; i < seeds; i++) {
        const CurveStudy  study = {which, arm->full_runs, NOISE, SLOTS, 1 + i};
        const CurveResult result = learning_curves_run(ops, options, &study);
        regrets[i] = result.regret;
        sorted[i] = result.regret;
        configurations += (double)result.configurations / (double)seeds;
        full += (double)result.full / (double)seeds;
        wins += result.regret < against[i];
    }
    statistics_sort(sorted, seeds);
    const Sample sample = {sorted, seeds};
    (void)printf("%s,%s,%.0f,%.0f,%.1f,%.4f,%.4f,%.4f,%.2f,%zu of %zu\n",
                 learning_curves_names[which], arm->label, arm->full_runs, configurations, full,
                 statistics_quantile(sample, 0.5), statistics_quantile(sample, 0.25),
                 statistics_quantile(sample, 0.75), improvement(sample, against), wins, seeds);
}

int main(int argc, char **argv) {
    const bool   quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const long   asked = (argc > 1 && !quick) ? strtol(argv[1], NULL, 10) : SEEDS;
    const size_t seeds = quick ? 3 : (asked < 1 || asked > SEEDS_MOST) ? SEEDS : (size_t)asked;
    (void)printf("curves,rank correlation with the end after 1,4,16 units\n");
    for (size_t which = 0; which < CURVES_COUNT; which++) {
        (void)printf("%s,%.2f,%.2f,%.2f\n", learning_curves_names[which],
                     correlation((LearningCurves)which, 1.0),
                     correlation((LearningCurves)which, 4.0),
                     correlation((LearningCurves)which, 16.0));
    }
    (void)printf("curves,arm,full_runs,configurations,trained_in_full,regret_median,regret_q1,"
                 "regret_q3,p_better,better_on_same_seed\n");
    for (size_t which = 0; which < CURVES_COUNT; which++) {
        double random[SEEDS_MOST] = {0.0};
        double regrets[SEEDS_MOST];
        for (size_t i = 0; i < ARMS; i++) {
            run_arm((LearningCurves)which, &arms[i], seeds, random, (i == 0) ? random : regrets);
        }
    }
    return 0;
}
