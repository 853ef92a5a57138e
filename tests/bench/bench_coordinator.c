/* The coordinator's own loop at 10 000 reports per second, without workers (stub_crew.c): from
 * news to decision, row and group commit, with a real database on disk. Each study runs twice: at
 * the fixed rate for the latency of one report, then as fast as it can for the highest rate. With
 * --memory N one study of N segments; memory per segment is the slope of the resident size between
 * a tenth of them and all. --keep DIR leaves the study there; --stop N ends it after N reports, so
 * that another run of the same command resumes it. --quick does a hundredth.
 * Last ("thinking"), a scheduler that thinks for five seconds: how long reports wait to be taken
 * meanwhile.
 *
 * Prints topic, scheduler, value, unit. */
#include "tests/bench/stub_crew.h"

#include "core/clock.h"
#include "core/file.h"
#include "tuner/coordinator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TEXT_BYTES = 2048, PATH_BYTES = 512, SLOTS = 1024, RATE = 10000, THINK_AT = 1100 };

typedef struct Subject {
    const char *name;
    const char *scheduler; /* YAML flow text */
    int         per_trial; /* units, one per segment */
    bool        population;
    int         share; /* one n-th of options.segments: who knows more decides slower */
} Subject;

static const Subject subjects[] = {
    {"random", "{name: random}", 1, false, 1},
    {"asha", "{name: asha}", 27, false, 1},
    {"tpe", "{name: tpe}", 1, false, 20},
    {"pbt", "{name: pbt, population: 1024, mode: asynchronous}", 1000000, true, 4},
};

enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

typedef struct Options {
    bool           quick;
    const Subject *only;
    bool           thinking; /* only that */
    int64_t        memory;
    int64_t        stop;
    int64_t        segments; /* of the studies at a rate */
    double         rate;
    const char    *keep;
} Options;

static char base[PATH_BYTES];

static const SchedulerOps *instead; /* of the study file's scheduler; NULL = that one */

static void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "bench_coordinator: %s\n", status_last()->text);
        exit(1);
    }
}

static void write_study(const Subject *subject, int64_t segments, char text[TEXT_BYTES]) {
    char trials[64] = "";
    if (!subject->population) {
        (void)snprintf(trials, sizeof trials, ", trials: %" PRId64, segments);
    }
    (void)snprintf(text, TEXT_BYTES,
                   "name: bench\n"
                   "trainer: {command: ['true']}\n"
                   "objective: {metric: score, direction: maximize}\n"
                   "budget: {unit: step, per_trial: %d, segment: 1, total: %" PRId64 "%s}\n"
                   "scheduler: %s\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "  momentum: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                   "  width: {type: int, lower: 1, upper: 512, default: 64}\n"
                   "  optimizer: {type: categorical, choices: [adam, sgd], default: adam}\n"
                   "seed: 3\n",
                   subject->per_trial, segments, trials, subject->scheduler);
}

static double run(const Subject *subject, int64_t segments, const StubPlan *plan,
                  const char *folder) {
    char               text[TEXT_BYTES];
    Study             *study = NULL;
    StudyFolder        paths;
    CoordinatorOutcome outcome;
    const double       began = clock_monotonic();
    CoordinatorSetup   setup = {.quiet = true};
    stub_crew_plan(plan);
    write_study(subject, segments, text);
    check(study_parse("study.yaml", text, NULL, 0, &study));
    check(study_folder_init(folder, &paths));
    study->scheduler = (instead != NULL) ? instead : study->scheduler;
    setup.study = study;
    setup.folder = &paths;
    check(coordinator_run(&setup, MPI_COMM_NULL, &outcome));
    study_destroy(study);
    study_folder_reset(&paths);
    if (outcome.exit_status != 0 && plan->stop_after == 0) {
        (void)fprintf(stderr, "bench_coordinator: the study ended with %d\n", outcome.exit_status);
        exit(1);
    }
    return began;
}

static void folder_of(const Options *options, const char *name, char out[2 * PATH_BYTES]) {
    (void)snprintf(out, (size_t)2 * PATH_BYTES, "%s/%s",
                   (options->keep != NULL) ? options->keep : base, name);
}

static void bench_rate(const Options *options, const Subject *subject, bool paced,
                       int64_t segments) {
    char           folder[2 * PATH_BYTES];
    const StubPlan plan = {
        .rate = paced ? options->rate : 0.0, .slots = SLOTS, .checkpoints = subject->per_trial > 1};
    folder_of(options, subject->name, folder);
    (void)run(subject, segments, &plan, folder);
    const StubResult *result = stub_crew_result();
    const double      reports = (double)result->reports;
    printf("%s,%s,%.0f,reports/s,processor %.1f us/report\n", paced ? "paced" : "highest",
           subject->name, reports / result->seconds,
           1e6 * result->processor / (double)result->timed);
    if (paced) {
        printf("latency,%s,%.1f,ms,99%% %.1f longest %.1f\n", subject->name,
               1e3 * stub_crew_latency(result, 0.5), 1e3 * stub_crew_latency(result, 0.99),
               1e3 * result->longest);
    }
    (void)fflush(stdout);
    check(file_remove_all(folder));
}

static void bench_memory(const Options *options, const Subject *subject) {
    char           folder[2 * PATH_BYTES];
    const int64_t  segments = options->memory;
    const StubPlan plan = {.slots = SLOTS,
                           .checkpoints = subject->per_trial > 1,
                           .marks = {segments / 10, segments - SLOTS, 0},
                           .stop_after = options->stop};
    folder_of(options, subject->name, folder);
    const double      began = run(subject, segments, &plan, folder);
    const StubResult *result = stub_crew_result();
    const double      reports = (double)result->reports;
    const double      between = (double)(plan.marks[1] - plan.marks[0]);
    printf("start,%s,%.2f,s,until the first order\n", subject->name,
           result->first_order_at - began);
    printf("highest,%s,%.0f,reports/s,processor %.1f us/report\n", subject->name,
           reports / result->seconds, 1e6 * result->processor / (double)result->timed);
    if (result->resident[1] > 0) {
        printf("memory,%s,%.1f,bytes/segment,%.1f MB at a tenth %.1f MB at the end\n",
               subject->name, (double)(result->resident[1] - result->resident[0]) / between,
               1e-6 * (double)result->resident[0], 1e-6 * (double)result->resident[1]);
    }
    (void)fflush(stdout);
    if (options->keep == NULL) {
        check(file_remove_all(folder));
    }
}

/* random search that thinks for a long time, once */
static SchedulerOps thinker;
static Status (*quick_decide)(const void *self, int64_t number, Decision *decision);
static double think_seconds;

static Status think(const void *self, int64_t number, Decision *decision) {
    if (number == THINK_AT) {
        clock_sleep(0.1); /* what was decided before is on its way */
        stub_crew_watch(true);
        clock_sleep(think_seconds);
        stub_crew_watch(false);
    }
    return quick_decide(self, number, decision);
}

static void bench_thinking(const Options *options) {
    char                folder[2 * PATH_BYTES];
    const SchedulerOps *random = NULL;
    const StubPlan      plan = {.rate = 200.0, .slots = SLOTS};
    check(scheduler_find("random", &random));
    thinker = *random;
    quick_decide = random->decide;
    think_seconds = options->quick ? 0.5 : 5.0;
    thinker.decide = think;
    thinker.uses = scheduler_uses_first; /* so that it has its own thread */
    folder_of(options, "thinking", folder);
    instead = &thinker;
    (void)run(&subjects[0], THINK_AT + 200, &plan, folder);
    instead = NULL;
    printf("thinking,random,%.1f,ms,longest wait of a report while decide() thinks for %g s\n",
           1e3 * stub_crew_result()->untaken, think_seconds);
    check(file_remove_all(folder));
}

static void usage(void) {
    (void)fprintf(stderr, "usage: bench_coordinator [--quick] [--only NAME] [--rate R] "
                          "[--segments N] [--memory SEGMENTS] [--stop REPORTS] [--keep DIR]\n");
    exit(2);
}

static const Subject *subject_named(const char *name) {
    for (size_t i = 0; i < SUBJECTS; i++) {
        if (strcmp(subjects[i].name, name) == 0) {
            return &subjects[i];
        }
    }
    usage();
    return NULL;
}

static Options read_options(int argc, char **argv) {
    Options options = {.rate = RATE, .segments = 200000};
    for (int i = 1; i < argc; i++) {
        const char *value = (i + 1 < argc) ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--quick") == 0) {
            options.quick = true;
            continue;
        }
        if (value == NULL) {
            usage();
        } else if (strcmp(argv[i], "--only") == 0 && strcmp(value, "thinking") == 0) {
            options.thinking = true;
        } else if (strcmp(argv[i], "--only") == 0) {
            options.only = subject_named(value);
        } else if (strcmp(argv[i], "--rate") == 0) {
            options.rate = strtod(value, NULL);
        } else if (strcmp(argv[i], "--memory") == 0) {
            options.memory = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--segments") == 0) {
            options.segments = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--stop") == 0) {
            options.stop = strtoll(value, NULL, 10);
        } else if (strcmp(argv[i], "--keep") == 0) {
            options.keep = value;
        } else {
            usage();
        }
        i++;
    }
    return options;
}

int main(int argc, char **argv) {
    const Options options = read_options(argc, argv);
    const int64_t segments = options.quick ? 2000 : options.segments;
    (void)snprintf(base, sizeof base, "%s/coordinator-XXXXXX", BENCH_BINARY_FOLDER);
    if (mkdtemp(base) == NULL) {
        (void)fprintf(stderr, "bench_coordinator: cannot make a folder %s\n", base);
        return 1;
    }
    for (size_t i = 0; i < SUBJECTS; i++) {
        if (options.thinking || (options.only != NULL && options.only != &subjects[i])) {
            continue;
        }
        if (options.memory > 0) {
            bench_memory(&options, &subjects[i]);
        } else {
            bench_rate(&options, &subjects[i], true, segments / subjects[i].share);
            bench_rate(&options, &subjects[i], false, segments / subjects[i].share);
        }
    }
    if (options.only == NULL && options.memory == 0) {
        bench_thinking(&options);
    }
    check(file_remove_all(base));
    return 0;
}
