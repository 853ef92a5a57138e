/* Which scheduler for PETS on the swing-up? tests/data/pets_laptop.csv has 64 configurations of
 * the preset pets-laptop, each trained for 25 episodes on three seeds (examples/curves.yaml). First
 * how well results of few episodes predict the end: Spearman correlation over configurations of one
 * seed's episode with the true value, which is the mean of the last three episodes of the other
 * seeds. Then what schedulers find on the table, one row per arm: the true value (over all seeds)
 * of the configuration that looked best at the deepest depth reached, over study seeds: median,
 * quartiles, how often it is within 5 % of the best there is. Last, because a table is one draw of
 * configurations, the same on tables of three quarters of them, drawn at random: how the
 * probability to be better than random search spreads. A configuration that is not in the table has
 * the curve of the nearest one.
 * usage: bench_recorded [--quick] FOLDER   the repository's; --quick: 3 seeds, 2 smaller tables */
#include "tests/schedulers/fake_study.h"

#include "core/arena.h"
#include "core/blas_core.h"
#include "core/file.h"
#include "core/linalg.h"
#include "core/statistics.h"
#include "schedulers/curve_table.h"
#include "schedulers/simulated_problem.h"
#include "tuner/study_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { UNITS = 25, LAST = 3, REPEATS = 3, SEEDS = 100, MAX_OPTIONS = 64 };
enum { MOST_CONFIGURATIONS = 256, TABLES = 20, SEEDS_EACH = 20, LINE = 4096, PATH = 64 };

typedef struct Arm {
    const char *label;
    const char *scheduler;
    double      full_runs;
    const char *option; /* NULL: the defaults */
    double      value;
} Arm;

/* each is compared with the random search before it, which costs the same */
static const Arm arms[] = {
    {"random", "random", 9.0, NULL, 0.0},
    {"gp", "gp", 9.0, NULL, 0.0},
    {"tpe", "tpe", 9.0, NULL, 0.0},
    {"median", "median", 9.0, NULL, 0.0},
    {"asha", "asha", 9.0, NULL, 0.0},
    {"asha min_units 9", "asha", 9.0, "min_units", 9.0},
    {"hyperband", "hyperband", 9.0, NULL, 0.0},
    {"bohb", "bohb", 9.0, NULL, 0.0},
    {"random", "random", 25.0, NULL, 0.0},
    {"gp", "gp", 25.0, NULL, 0.0},
    {"tpe", "tpe", 25.0, NULL, 0.0},
    {"median", "median", 25.0, NULL, 0.0},
    {"asha", "asha", 25.0, NULL, 0.0},
    {"asha min_units 9", "asha", 25.0, "min_units", 9.0},
    {"hyperband", "hyperband", 25.0, NULL, 0.0},
    {"bohb", "bohb", 25.0, NULL, 0.0},
};
enum { ARMS = sizeof arms / sizeof arms[0] };

typedef struct Recorded {
    Study           *study;
    SimulatedProblem problem;
    CurveTable      *table;
    SchedulerSetup   setup;
    double           best; /* true value of the best configuration */
    uint64_t         seed; /* of the study that runs */
} Recorded;

static void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "bench_recorded: %s\n", status_last()->text);
        exit(EXIT_FAILURE);
    }
}

/* `seed` modulo the number of seeds picks the curve */
static double value_at(const Recorded *r, const double *point, int64_t unit, uint64_t seed) {
    const SimulatedSegment segment = {.point = point, .begin = 0, .end = unit, .seed = seed};
    SimulatedResult        result;
    check(r->problem.ops->train(r->problem.self, &segment, &result));
    return result.objectives[0];
}

/* mean of the last episodes on all seeds but `without` (REPEATS: on all) */
static double true_value(const Recorded *r, const double *point, uint64_t without) {
    double sum = 0.0;
    double n = 0.0;
    for (uint64_t seed = 0; seed < REPEATS; seed++) {
        for (int64_t unit = UNITS - LAST + 1; seed != without && unit <= UNITS; unit++) {
            sum += value_at(r, point, unit, seed);
            n += 1.0;
        }
    }
    return sum / n;
}

static void recorded_open(const char *folder, const char *table, Recorded *r) {
    static const StudyOverride anywhere = {"environment", "cartpole"}; /* without MuJoCo too */
    static const char *const   metric[] = {"episode_reward"};
    char                      *file = file_join(folder, "examples/curves.yaml");
    if (file == NULL) {
        abort();
    }
    check(study_read(file, &anywhere, 1, &r->study));
    study_setup(r->study, &r->setup);
    const SimulatedSetup needs = {.study = &r->setup, .table = table, .objectives = metric};
    const CurveColumns   columns = {metric, 1, 1};
    check(simulated_problem_create(&simulated_table_ops, &needs, &r->problem));
    check(curve_table_read(table, r->study->space, &columns, &r->table));
    free(file);
    if (r->table->configuration_count > MOST_CONFIGURATIONS) {
        abort();
    }
    r->best = -(double)INFINITY;
    for (size_t i = 0; i < r->table->configuration_count; i++) {
        const double *point = r->table->points + i * space_count(r->study->space);
        r->best = fmax(r->best, true_value(r, point, REPEATS));
    }
}

static void recorded_close(Recorded *r) {
    simulated_problem_destroy(&r->problem);
    curve_table_destroy(r->table);
    study_destroy(r->study);
}

/* ---- smaller tables ------------------------------------------------------------------------- */

/* The part of a row that names its configuration: what stands before the column `seed`. */
static size_t key_length(const char *row, size_t columns) {
    size_t length = 0;
    for (size_t i = 0; i < columns; i++) {
        length += strcspn(row + length, ",") + 1;
    }
    return length;
}

static size_t columns_before_seed(const char *header) {
    const char *seed = strstr(header, ",seed,");
    size_t      columns = 1;
    if (seed == NULL) {
        abort();
    }
    for (const char *at = header; at < seed; at++) {
        columns += *at == ',';
    }
    return columns;
}

/* index of a row's configuration, in order of appearance */
static size_t configuration_of(char keys[][LINE], size_t *count, const char *row, size_t length) {
    size_t i = 0;
    while (i < *count && strncmp(keys[i], row, length) != 0) {
        i++;
    }
    if (i == *count && i < MOST_CONFIGURATIONS) {
        memcpy(keys[i], row, length);
        keys[(*count)++][length] = '\0';
    }
    return i;
}

/* a file with the rows of three quarters of the configurations */
static void write_subset(const char *table, const char *subset, size_t configurations,
                         uint64_t seed) {
    static char keys[MOST_CONFIGURATIONS][LINE];
    size_t      order[MOST_CONFIGURATIONS] = {0};
    char        row[LINE];
    size_t      count = 0;
    Rng         rng = rng_stream(seed, 0, RNG_TEST);
    FILE       *from = fopen(table, "re");
    FILE       *to = fopen(subset, "we");
    if (from == NULL || to == NULL || fgets(row, sizeof row, from) == NULL ||
        fputs(row, to) == EOF) {
        abort();
    }
    const size_t columns = columns_before_seed(row);
    for (size_t i = 0; i < configurations; i++) { /* a random order */
        const size_t j = (size_t)rng_below(&rng, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    while (fgets(row, sizeof row, from) != NULL) {
        const size_t i = configuration_of(keys, &count, row, key_length(row, columns));
        if (order[i] < 3 * configurations / 4 && fputs(row, to) == EOF) {
            abort();
        }
    }
    (void)fclose(from);
    if (fclose(to) != 0) {
        abort();
    }
}

static double correlation(const Recorded *r, int64_t unit, uint64_t seed) {
    double       at[MOST_CONFIGURATIONS];
    double       end[MOST_CONFIGURATIONS];
    const size_t n = r->table->configuration_count;
    Arena        arena;
    double       rho = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double *point = r->table->points + i * space_count(r->study->space);
        at[i] = value_at(r, point, unit, seed);
        end[i] = true_value(r, point, seed);
    }
    check(arena_init(&arena, statistics_spearman_scratch(n)));
    check(statistics_spearman((Sample){at, n}, (Sample){end, n}, &arena, &rho));
    arena_reset(&arena);
    return rho;
}

static void print_correlations(const Recorded *r) {
    static const int64_t depths[] = {1, 2, 3, 4, 6, 9, 12, 16, 20, 25};
    (void)printf("episodes,rank correlation with the end on the other seeds: mean, seed 0, 1, 2\n");
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        double rho[REPEATS];
        double mean = 0.0;
        for (uint64_t seed = 0; seed < REPEATS; seed++) {
            rho[seed] = correlation(r, depths[i], seed);
            mean += rho[seed] / REPEATS;
        }
        (void)printf("%lld,%.2f,%.2f,%.2f,%.2f\n", (long long)depths[i], mean, rho[0], rho[1],
                     rho[2]);
    }
}

static void print_values(const Recorded *r) {
    double       values[MOST_CONFIGURATIONS];
    const size_t n = r->table->configuration_count;
    for (size_t i = 0; i < n; i++) {
        values[i] = true_value(r, r->table->points + i * space_count(r->study->space), REPEATS);
    }
    statistics_sort(values, n);
    const Sample sorted = {values, n};
    (void)printf("true values of %zu configurations: least %.1f, quartiles %.1f %.1f %.1f, "
                 "largest %.1f\n",
                 n, values[0], statistics_quantile(sorted, 0.25), statistics_quantile(sorted, 0.5),
                 statistics_quantile(sorted, 0.75), values[n - 1]);
}

/* ---- arms ----------------------------------------------------------------------------------- */

static void show(void *context, const Decision *decision, Outcome *outcome, double *objectives,
                 double *spreads) {
    const Recorded *r = context;
    Rng             rng = rng_stream(r->seed, (uint64_t)decision->trial, RNG_TEST);
    (void)outcome;
    (void)spreads;
    objectives[0] = value_at(r, decision->point, decision->end, rng_below(&rng, REPEATS));
}

/* of the configuration that looked best at the deepest depth reached; how many were begun */
static double found(const Recorded *r, const FakeLog *log, double *configurations) {
    int64_t       deepest = 0;
    double        seen = -(double)INFINITY;
    const double *point = NULL;
    for (size_t i = 0; i < log->count; i++) {
        const FakeEvent *entry = log->events[i];
        if (entry->event.kind == EVENT_DECIDED) {
            *configurations += entry->decision.kind == DECISION_RUN && entry->decision.parent == 0;
            continue;
        }
        const FakeEvent *decided = fake_log_decided(log, entry->event.id);
        const int64_t    end = decided->decision.end;
        if (end > deepest || (end == deepest && !(entry->objectives[0] <= seen))) {
            deepest = end;
            seen = entry->objectives[0];
            point = decided->point;
        }
    }
    return true_value(r, point, REPEATS);
}

static double run(Recorded *r, const SchedulerOps *ops, const double *options, double full_runs,
                  double *configurations) {
    const FakeSettings settings = {.slots = 4, .seed = r->seed, .script = show, .context = r};
    SchedulerSetup     setup;
    FakeLog            log;
    Decision           done;
    study_setup(r->study, &setup);
    setup.seed = r->seed;
    setup.repeats = 1;
    setup.trials = 0;
    setup.baseline = false;
    setup.total = (int64_t)(full_runs * UNITS);
    fake_study_run(ops, &setup, options, &settings, &log, &done);
    const double value = found(r, &log, configurations);
    fake_log_free(&log);
    return value;
}

/* Runs an arm; `values` is filled and sorted. @return configurations begun, mean */
static double run_arm(Recorded *r, const Arm *arm, size_t seeds, double *values) {
    const SchedulerOps *ops = NULL;
    double              options[MAX_OPTIONS];
    double              configurations = 0.0;
    check(scheduler_find(arm->scheduler, &ops));
    option_defaults(ops->options, options);
    if (arm->option != NULL) {
        options[option_find(ops->options, arm->option)] = arm->value;
    }
    for (size_t i = 0; i < seeds; i++) {
        r->seed = i + 1;
        values[i] = run(r, ops, options, arm->full_runs, &configurations);
    }
    statistics_sort(values, seeds);
    return configurations / (double)seeds;
}

/* P(a run of each arm is better than one of random search of its cost); prints rows if asked */
static void run_arms(Recorded *r, size_t seeds, bool print, double *better) {
    double reference[SEEDS];
    double values[SEEDS];
    for (size_t i = 0; i < ARMS; i++) {
        const double configurations = run_arm(r, &arms[i], seeds, values);
        const Sample sample = {values, seeds};
        size_t       near = 0;
        if (strcmp(arms[i].scheduler, "random") == 0) {
            memcpy(reference, values, seeds * sizeof *values);
        }
        for (size_t k = 0; k < seeds; k++) {
            near += values[k] >= 0.95 * r->best;
        }
        better[i] = statistics_improvement(sample, (Sample){reference, seeds});
        if (print) {
            (void)printf("%s,%.0f,%.0f,%.1f,%.1f,%.1f,%.2f,%.2f\n", arms[i].label,
                         arms[i].full_runs, configurations, statistics_quantile(sample, 0.5),
                         statistics_quantile(sample, 0.25), statistics_quantile(sample, 0.75),
                         (double)near / (double)seeds, better[i]);
        }
    }
}

static void print_smaller_tables(const char *folder, const char *table, size_t configurations,
                                 size_t tables, size_t seeds) {
    static double better[ARMS][TABLES];
    for (size_t t = 0; t < tables; t++) {
        char      path[PATH] = "/tmp/bench_recorded_XXXXXX";
        double    once[ARMS];
        Recorded  r = {.study = NULL};
        const int file = mkstemp(path);
        if (file < 0) {
            abort();
        }
        (void)close(file);
        write_subset(table, path, configurations, t + 1);
        recorded_open(folder, path, &r);
        run_arms(&r, seeds, false, once);
        recorded_close(&r);
        (void)unlink(path);
        (void)printf("table %zu: best %.1f; P of", t + 1, r.best);
        for (size_t i = 0; i < ARMS; i++) {
            better[i][t] = once[i];
            if (strcmp(arms[i].label, "asha") == 0 || strcmp(arms[i].label, "bohb") == 0) {
                (void)printf(" %s %.0f %.2f", arms[i].label, arms[i].full_runs, once[i]);
            }
        }
        (void)printf("\n");
    }
    (void)printf("%zu tables of three quarters of the configurations, %zu study seeds each\n"
                 "arm,full_runs,P(better than random search of that cost): median,least,largest,"
                 "tables above 0.5\n",
                 tables, seeds);
    for (size_t i = 0; i < ARMS; i++) {
        size_t above = 0;
        for (size_t t = 0; t < tables; t++) {
            above += better[i][t] > 0.5;
        }
        statistics_sort(better[i], tables);
        (void)printf("%s,%.0f,%.2f,%.2f,%.2f,%zu\n", arms[i].label, arms[i].full_runs,
                     statistics_quantile((Sample){better[i], tables}, 0.5), better[i][0],
                     better[i][tables - 1], above);
    }
}

int main(int argc, char **argv) {
    const bool quick = argc > 2 && strcmp(argv[1], "--quick") == 0;
    double     better[ARMS];
    Recorded   recorded = {.study = NULL};

    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_recorded [--quick] FOLDER\n");
        return EXIT_FAILURE;
    }
    blas_core_settle(argv);
    check(linalg_start(1));
    const char *folder = argv[argc - 1];
    char       *table = file_join(folder, "tests/data/pets_laptop.csv");
    if (table == NULL) {
        abort();
    }
    recorded_open(folder, table, &recorded);
    print_correlations(&recorded);
    print_values(&recorded);
    (void)printf("arm,full_runs,configurations,true value: median,q1,q3,within 5 %% of the best,"
                 "P(better than random search of that cost)\n");
    run_arms(&recorded, quick ? 3 : SEEDS, true, better);
    print_smaller_tables(folder, table, recorded.table->configuration_count, quick ? 2 : TABLES,
                         quick ? 3 : SEEDS_EACH);
    recorded_close(&recorded);
    free(table);
    return EXIT_SUCCESS;
}
