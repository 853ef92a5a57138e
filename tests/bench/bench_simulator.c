/* Does deciding keep thousands of workers busy? Simulated workers, segments of 10 s with 30 %
 * spread (log-normal), the processor time of decide() and observe() charged to virtual time.
 * One CSV row per scheduler that takes results as they come, and number of workers: utilization,
 * decide times, decisions per second, and the seconds that the simulation took.
 *
 * Studies end by the clock, and utilization is that until the last segment began: no end in which
 * there is nothing more to give is in it. A sampler's trials are 20 segments long, a population's
 * members have depth left. `ideal` is the same with decisions that cost nothing.
 *
 * usage: bench_simulator [--quick] [--segments N] [--workers N]... [NAME]... */
#include "tests/support/check.h"

#include "schedulers/simulator.h"

#include "core/clock.h"
#include "core/statistics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 10.0 /* of a segment */

enum { MOST_OPTIONS = 64, SEGMENT = 4, MOST_CHOICES = 16, DEPTH = 20 };

typedef struct Bench {
    const SchedulerOps *ops;
    SchedulerSetup      setup;
    SimulatedProblem    problem;
    SimulatorSettings   settings;
    double              options[MOST_OPTIONS];
} Bench;

static void simulate(const Bench *bench, SimulatorReport *report) {
    Scheduler *scheduler = NULL;
    check(scheduler_create(bench->ops, &bench->setup, bench->options, &scheduler));
    check(simulator_run(&bench->settings, scheduler, &bench->problem, report));
    scheduler_destroy(scheduler);
}

/* false for a scheduler that waits for batches: there is nothing to keep busy with */
static bool prepare(Bench *bench, int64_t workers, int64_t segments) {
    const SchedulerOps *ops = bench->ops;
    Scheduler          *scheduler = NULL;
    option_defaults(ops->options, bench->options);
    bench->setup.total = 4 * SEGMENT * segments * workers; /* more than there is time for */
    bench->settings.wall_clock = SECONDS * (double)segments;
    bench->setup.per_trial = SEGMENT * DEPTH;
    bench->setup.trials = 0; /* as many as the units allow */
    bench->settings.workers = workers;
    if (ops->population) {
        const size_t mode = option_find(ops->options, "mode");
        bench->setup.per_trial = SEGMENT * segments * 2;
        bench->options[option_find(ops->options, "population")] = (double)workers;
        if (mode < option_count(ops->options)) {
            bench->options[mode] = 1.0; /* asynchronous */
        }
    }
    if (scheduler_create(ops, &bench->setup, bench->options, &scheduler) != STATUS_OK) {
        (void)printf("# %s: %s\n", ops->name, status_last()->text);
        return false;
    }
    const bool any = scheduler_order(scheduler) == SCHEDULER_ORDER_ANY;
    scheduler_destroy(scheduler);
    return any;
}

static void report_one(Bench *bench, int64_t workers, int64_t segments) {
    SimulatorReport measured;
    SimulatorReport ideal;
    if (!prepare(bench, workers, segments)) {
        return;
    }
    bench->settings.measured = true;
    const double start = clock_monotonic();
    simulate(bench, &measured);
    const double seconds = clock_monotonic() - start;
    bench->settings.measured = false;
    simulate(bench, &ideal);
    const Sample decide = {measured.decide_seconds, (size_t)measured.decisions};
    (void)printf("%s,%lld,%lld,%.4f,%.4f,%.2f,%.2f,%.0f,%.1f\n", bench->ops->name,
                 (long long)workers, (long long)measured.segments, measured.utilization_fed,
                 ideal.utilization_fed, 1e6 * statistics_quantile(decide, 0.5),
                 1e6 * statistics_quantile(decide, 0.99),
                 (double)measured.decisions / measured.thought_seconds, seconds);
    (void)fflush(stdout);
    simulator_report_reset(&measured);
    simulator_report_reset(&ideal);
}

typedef struct Arguments {
    const char *names[MOST_CHOICES];
    size_t      name_count;
    int64_t     workers[MOST_CHOICES];
    size_t      worker_count;
    int64_t     segments;
} Arguments;

static void read_arguments(int argc, char **argv, Arguments *out) {
    *out = (Arguments){.segments = 60};
    for (int i = 1; i < argc; i++) {
        const char *next = (i + 1 < argc) ? argv[i + 1] : "1";
        if (strcmp(argv[i], "--quick") == 0) {
            out->segments = 4;
            out->workers[out->worker_count++ % MOST_CHOICES] = 32;
        } else if (strcmp(argv[i], "--segments") == 0) {
            out->segments = strtoll(next, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--workers") == 0) {
            out->workers[out->worker_count++ % MOST_CHOICES] = strtoll(next, NULL, 10);
            i++;
        } else {
            out->names[out->name_count++ % MOST_CHOICES] = argv[i];
        }
    }
    if (out->worker_count == 0) {
        out->workers[out->worker_count++] = 4096;
    }
}

static bool is_wanted(const Arguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->name_count; i++) {
        if (strcmp(arguments->names[i], name) == 0) {
            return true;
        }
    }
    return arguments->name_count == 0;
}

int main(int argc, char **argv) {
    const SimulatedProblemOps *ops = NULL;
    Space                     *space = NULL;
    Arguments                  arguments;
    Bench bench = {.settings = {.seconds_per_unit = SECONDS / SEGMENT, .spread = 0.3, .seed = 1}};
    read_arguments(argc, argv, &arguments);
    check(simulated_problem_find("schedule", &ops));
    check(ops->space(ops, &space));
    bench.setup = (SchedulerSetup){.space = space,
                                   .seed = 1,
                                   .segment = SEGMENT,
                                   .repeats = 1,
                                   .can_branch = true,
                                   .objective_count = 1,
                                   .maximize = {true}};
    check(simulated_problem_create(ops, &(SimulatedSetup){.study = &bench.setup}, &bench.problem));
    (void)printf("scheduler,workers,segments,utilization,ideal,decide_median_us,decide_p99_us,"
                 "decisions_per_s,took_s\n");
    for (size_t i = 0; i < scheduler_count(); i++) {
        bench.ops = scheduler_at(i);
        for (size_t w = 0; w < arguments.worker_count && is_wanted(&arguments, bench.ops->name);
             w++) {
            report_one(&bench, arguments.workers[w], arguments.segments);
        }
    }
    simulated_problem_destroy(&bench.problem);
    space_destroy(space);
    return 0;
}
