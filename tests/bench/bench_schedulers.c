/* How long schedulers think: the median time of a decision, and the time to replay a log, at a
 * population of 64 (or 64 slots) and 10 000 segments; for what stops early also at 400 000 (asha:
 * 120 000 configurations), and for samplers at 10 000 configurations of one segment (mode single;
 * gp decides the first 64 of them, the others are random, as if its log had them: deciding all
 * takes half an hour). One CSV row per scheduler and mode: of all decisions, and of those that
 * branch, for which pb2 and bg-pbt ask their model. Times are processor time of this process.
 * usage: bench_schedulers [--quick] [NAME]...   --quick: 300 segments, so that it cannot rot. */
#include "tests/schedulers/fake_study.h"
#include "tests/support/check.h"

#include "core/linalg.h"
#include "core/statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    POPULATION = 64,
    SEGMENT = 5,
    GP_DECIDES = 64,       /* where every configuration is one segment */
    RUNGED = 81 * SEGMENT, /* per_trial of what stops early: rungs are whole segments */
    MAX_OPTIONS = 64,
};

enum { MODE_SINGLE = 2 };

typedef struct Bench {
    const SchedulerOps *ops;
    SchedulerSetup      setup;
    double              options[MAX_OPTIONS];
    int64_t             segments;
    bool                single;
    Event              *events; /* the log */
    Decision           *decisions;
    double             *points;
    void              **memos; /* of the decisions that had one */
    double             *objectives;
    double             *seconds; /* per decision */
    size_t              count;   /* events */
    size_t              decided;
} Bench;

static void *must(void *memory) {
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* of this process: on a busy machine the wall clock measures the others */
static double processor_time(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void record(Bench *b, Scheduler *scheduler, Event event) {
    check(scheduler_observe(scheduler, &event));
    b->events[b->count++] = event;
}

/* What gp would have decided, but for the point: the next one of its trials, with the
 * hyperparameters that the last decision of the same parity had. */
static void pretend(Bench *b, Decision *decision) {
    const Decision *like = decision - 2;
    Rng             rng = rng_stream(2, b->decided, RNG_TEST);
    *decision = *like;
    decision->number = (int64_t)b->decided;
    decision->id = decision->number + 1;
    decision->trial = decision->number;
    decision->point = b->points + b->decided * space_count(b->setup.space);
    check(space_sample(b->setup.space, &rng, decision->point));
}

/* decides and commits; false when there is nothing to decide */
static bool decide(Bench *b, Scheduler *scheduler, bool *done) {
    const size_t n = space_count(b->setup.space);
    Decision    *decision = &b->decisions[b->decided];
    const bool   asks = !b->single || strcmp(b->ops->name, "gp") != 0 || b->decided < GP_DECIDES ||
                      (int64_t)b->decided >= b->segments;
    const double start = processor_time();
    if (asks) {
        check(scheduler_decide(scheduler, decision));
    } else {
        pretend(b, decision);
    }
    const double seconds = processor_time() - start;
    if (decision->kind != DECISION_RUN) {
        *done = decision->kind == DECISION_DONE;
        return false;
    }
    if (asks) {
        memcpy(b->points + b->decided * n, decision->point, n * sizeof *decision->point);
    }
    decision->point = b->points + b->decided * n;
    if (decision->memo_size > 0) {
        void *memo = must(malloc(decision->memo_size));
        memcpy(memo, decision->memo, decision->memo_size);
        b->memos[b->decided] = memo;
    }
    decision->memo = b->memos[b->decided];
    b->seconds[b->decided++] = seconds;
    record(b, scheduler, (Event){.kind = EVENT_DECIDED, .decision = decision});
    return true;
}

static void finish(Bench *b, Scheduler *scheduler, int64_t id) {
    Rng     rng = rng_stream(1, (uint64_t)id, RNG_TEST);
    double *objective = b->objectives + (id - 1) * SCHEDULER_MAX_OBJECTIVES;
    objective[0] = (double)b->decisions[id - 1].end + 40.0 * rng_normal(&rng);
    record(b, scheduler,
           (Event){
               .kind = EVENT_FINISHED, .id = id, .outcome = OUTCOME_DONE, .objectives = objective});
}

/* POPULATION slots; the oldest segment ends first */
static void run(Bench *b) {
    Scheduler *scheduler = NULL;
    bool       done = false;
    int64_t    finished = 0;
    check(scheduler_create(b->ops, &b->setup, b->options, &scheduler));
    const bool barrier = scheduler_order(scheduler) == SCHEDULER_ORDER_BARRIER;
    while (!done) {
        while (((int64_t)b->decided - finished < POPULATION || barrier) &&
               decide(b, scheduler, &done)) {
        }
        while (finished < (int64_t)b->decided) {
            finish(b, scheduler, ++finished);
            if (!barrier) {
                break;
            }
        }
    }
    scheduler_destroy(scheduler);
}

static double replay(const Bench *b) {
    Scheduler   *scheduler = NULL;
    const double start = processor_time();
    check(scheduler_create(b->ops, &b->setup, b->options, &scheduler));
    for (size_t i = 0; i < b->count; i++) {
        check(scheduler_observe(scheduler, &b->events[i]));
    }
    const double seconds = processor_time() - start;
    scheduler_destroy(scheduler);
    return seconds;
}

/* puts the times of decisions that branch first; how many */
static size_t take_branches(Bench *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->decided; i++) {
        if (b->decisions[i].branch) {
            b->seconds[n++] = b->seconds[i];
        }
    }
    return n;
}

static void print_times(const double *seconds, size_t n) {
    double *sorted = must(calloc(n + 1, sizeof *sorted));
    memcpy(sorted, seconds, n * sizeof *sorted);
    statistics_sort(sorted, n);
    const Sample sample = {sorted, n};
    (void)printf("%.2f,%.2f,%.2f,", 1e6 * statistics_mean(sample),
                 1e6 * statistics_quantile(sample, 0.5), 1e6 * statistics_quantile(sample, 0.99));
    free(sorted);
}

static void report(Bench *b, const char *mode) {
    const size_t n = space_count(b->setup.space);
    const size_t most = (size_t)b->segments + 2 * POPULATION; /* a few are shortened at the end */
    b->events = must(calloc(2 * most, sizeof *b->events));
    b->decisions = must(calloc(most, sizeof *b->decisions));
    b->points = must(calloc(most * n, sizeof *b->points));
    b->memos = (void **)must(calloc(most, sizeof(void *)));
    b->objectives = must(calloc(most * SCHEDULER_MAX_OBJECTIVES, sizeof *b->objectives));
    b->seconds = must(calloc(most, sizeof *b->seconds));
    run(b);
    const double seconds = replay(b);
    (void)printf("%s,%s,%d,%zu,", b->ops->name, mode, POPULATION, b->decided);
    print_times(b->seconds, b->decided);
    print_times(b->seconds, take_branches(b));
    (void)printf("%.1f\n", 1e3 * seconds);
    free(b->events);
    free(b->decisions);
    free(b->points);
    for (size_t i = 0; i < most; i++) {
        free(b->memos[i]);
    }
    free((void *)b->memos);
    free(b->objectives);
    free(b->seconds);
}

/* schedulers named on the command line, or all */
static bool wanted(const char *name, int argc, char **argv) {
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-' && strcmp(argv[i], name) == 0) {
            return true;
        }
        any = any || argv[i][0] != '-';
    }
    return !any;
}

static void bench(const SchedulerOps *ops, const Space *space, int64_t segments, int mode) {
    Bench b = {.ops = ops,
               .setup = fake_setup(space),
               .segments = segments,
               .single = mode == MODE_SINGLE};
    b.setup.per_trial = SEGMENT * (segments / POPULATION + 1); /* no shortened segments */
    b.setup.per_trial = ops->stops_early ? RUNGED : b.setup.per_trial;
    if (b.single) {
        b.setup.per_trial = SEGMENT;
        b.setup.trials = segments;
    }
    b.setup.total = SEGMENT * segments;
    option_defaults(ops->options, b.options);
    if (ops->population) {
        b.options[option_find(ops->options, "population")] = POPULATION;
        b.options[option_find(ops->options, "mode")] = mode;
    }
    report(&b, b.single           ? "single"
               : !ops->population ? "any"
               : (mode == 0)      ? "synchronous"
                                  : "asynchronous");
}

int main(int argc, char **argv) {
    const int64_t segments = (argc > 1 && strcmp(argv[1], "--quick") == 0) ? 300 : 10000;
    Space        *space = fake_space(FAKE_SPACE_MIXED);
    check(linalg_start(1));
    (void)printf("scheduler,mode,population,segments,decide_mean_us,decide_median_us,"
                 "decide_p99_us,branch_mean_us,branch_median_us,branch_p99_us,replay_ms\n");
    for (size_t i = 0; i < scheduler_count(); i++) {
        const SchedulerOps *ops = scheduler_at(i);
        for (int mode = 0; wanted(ops->name, argc, argv) && mode < (ops->population ? 2 : 1);
             mode++) {
            bench(ops, space, segments, mode);
        }
        if (ops->stops_early && wanted(ops->name, argc, argv)) {
            bench(ops, space, 40 * segments, 0);
        } else if (!ops->population && wanted(ops->name, argc, argv)) {
            bench(ops, space, segments, MODE_SINGLE);
        }
    }
    space_destroy(space);
    return 0;
}
