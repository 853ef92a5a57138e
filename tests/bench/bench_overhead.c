/* What mbtune itself costs, on real studies: `mbtune run` with two workers, durable commits, and
 * the scripted trainer of tests/workers, which stamps when it had read an order and when it was
 * done.
 *
 *     bench_overhead [--quick]
 *
 * Turn-around: two members, each of which goes on in the memory of its own trainer; from a
 * trainer's `done` to its next order. Once with the checkpoints on a memory file system, where
 * syncing them costs nothing (the database stays on disk), once with everything on disk.
 * Utilization: time in which trainers trained / (slots x time from first to last dispatch); for
 * synchronous rounds up to the last round's first dispatch, beside what the barrier allows: for
 * each round the shortest time in which two slots can do what was done in it. Idle: processor time
 * of the ranks while one trainer sleeps through a long unit. Nothing here passes or fails.
 */
#include "core/clock.h"
#include "core/statistics.h"
#include "tests/bench/overhead_study.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COLD_STARTS = 20, MOST_MEMBERS = 16 };

static bool quick;

/* ---- the table ----------------------------------------------------------------------------------
 */

static void print_row(const char *what, const char *target, const char *measured) {
    printf("%-66s %10s  %s\n", what, target, measured);
    (void)fflush(stdout);
}

static void print_times(const char *what, const char *target, double *seconds, size_t n) {
    char measured[96];
    statistics_sort(seconds, n);
    const Sample sample = {.values = seconds, .n = n};
    (void)snprintf(measured, sizeof measured, "%.1f ms median, %.1f ms p90, n = %zu",
                   1e3 * statistics_quantile(sample, 0.5), 1e3 * statistics_quantile(sample, 0.9),
                   n);
    print_row(what, target, measured);
}

static void print_share(const char *what, const char *target, double share) {
    char measured[96];
    (void)snprintf(measured, sizeof measured, "%.1f %%", 100.0 * share);
    print_row(what, target, measured);
}

/* ---- turn-around --------------------------------------------------------------------------------
 */

static size_t run_study(const OverheadPlan *plan, OverheadWork **work) {
    overhead_wait(plan, overhead_start(plan));
    return overhead_work(plan, work);
}

/* work is sorted by received_at: the next of the same worker is the slot's next order */
static const OverheadWork *next_of_slot(const OverheadWork *work, size_t count, size_t i) {
    for (size_t j = i + 1; j < count; j++) {
        if (work[j].worker == work[i].worker) {
            return &work[j];
        }
    }
    return NULL;
}

static void measure_turnaround(bool in_memory) {
    const OverheadPlan plan = {
        .name = in_memory ? "turnaround" : "turnaround-synced",
        .scheduler = "{name: pbt, mode: asynchronous, population: 2, warmup: 1000}",
        .units = quick ? 10 : 150,
        .segment = 1,
        .unit_seconds = 0.02,
        .checkpoints_in_memory = in_memory,
    };
    OverheadWork *work = NULL;
    const size_t  count = run_study(&plan, &work);
    double       *gaps = calloc(count, sizeof *gaps);
    size_t        n = 0;
    for (size_t i = 0; i < count && gaps != NULL; i++) {
        const OverheadWork *next = next_of_slot(work, count, i);
        if (next != NULL && next->parent == work[i].segment) { /* continued in memory */
            gaps[n++] = next->received_at - work[i].done_at;
        }
    }
    if (n > 0) {
        print_times(in_memory ? "done -> next train line, checkpoint fsync excluded"
                              : "done -> next train line, checkpoint fsync included",
                    in_memory ? "< 8 ms" : "", gaps, n);
    }
    free(gaps);
    free(work);
}

static void measure_cold_start(void) {
    double       seconds[COLD_STARTS];
    const size_t n = quick ? 3 : COLD_STARTS;
    (void)overhead_cold_start(); /* into the page cache */
    for (size_t i = 0; i < n; i++) {
        seconds[i] = overhead_cold_start();
    }
    print_times("cold start of `mbtune train` to its hello", "< 100 ms", seconds, n);
}

static void measure_sync(void) {
    double       seconds[COLD_STARTS];
    const size_t n = quick ? 3 : COLD_STARTS;
    for (size_t i = 0; i < n; i++) {
        seconds[i] = overhead_sync();
    }
    print_times("for comparison: 4 KiB written and synced on this disk", "", seconds, n);
}

/* ---- utilization --------------------------------------------------------------------------------
 */

/* share of the slots' time in [first dispatch, until] in which trainers trained */
static double utilization(const OverheadWork *work, size_t count, double until) {
    double first = (double)INFINITY;
    double busy = 0.0;
    for (size_t i = 0; i < count; i++) {
        first = fmin(first, work[i].dispatched_at);
        busy += fmax(0.0, fmin(work[i].done_at, until) - work[i].received_at);
    }
    return busy / (OVERHEAD_WORKERS * (until - first));
}

static void measure_asynchronous(int segment, const char *what, const char *target) {
    const OverheadPlan plan = {
        .name = (segment == 1) ? "asynchronous-1" : "asynchronous",
        .scheduler = "{name: pbt, mode: asynchronous, population: 4}",
        .units = quick ? 2 * segment : 60,
        .segment = segment,
        .unit_seconds = 0.05,
    };
    OverheadWork *work = NULL;
    const size_t  count = run_study(&plan, &work);
    double        last = 0.0;
    for (size_t i = 0; i < count; i++) {
        last = fmax(last, work[i].dispatched_at);
    }
    print_share(what, target, utilization(work, count, last));
    free(work);
}

/* shortest time in which two slots can do these jobs: all divisions are tried */
static double best_time(const double *jobs, size_t n) {
    double best = (double)INFINITY;
    for (unsigned chosen = 0; chosen < 1U << n; chosen++) {
        double one = 0.0;
        double other = 0.0;
        for (size_t i = 0; i < n; i++) {
            *((chosen >> i & 1U) != 0 ? &one : &other) += jobs[i];
        }
        best = fmin(best, fmax(one, other));
    }
    return best;
}

/* what a barrier after every round allows, over the rounds that end before unit `before` */
static double barrier_bound(const OverheadWork *work, size_t count, int64_t before) {
    double total = 0.0;
    double time = 0.0;
    for (int64_t end = 1; end < before; end++) {
        double jobs[MOST_MEMBERS];
        size_t n = 0;
        for (size_t i = 0; i < count && n < MOST_MEMBERS; i++) {
            if (work[i].end == end) {
                jobs[n++] = work[i].done_at - work[i].received_at;
                total += jobs[n - 1];
            }
        }
        time += (n > 0) ? best_time(jobs, n) : 0.0;
    }
    return total / (OVERHEAD_WORKERS * time);
}

static void measure_synchronous(void) {
    const OverheadPlan plan = {
        .name = "synchronous",
        .scheduler = "{name: pbt, mode: synchronous, population: 5}",
        .units = quick ? 10 : 50,
        .segment = 5,
        .unit_seconds = 0.05,
        .spread = 0.5,
    };
    OverheadWork *work = NULL;
    const size_t  count = run_study(&plan, &work);
    double        until = (double)INFINITY;
    size_t        whole = 0; /* segments of the rounds before the last one */
    for (size_t i = 0; i < count; i++) {
        if (work[i].end == plan.units) {
            until = fmin(until, work[i].dispatched_at);
        }
    }
    for (size_t i = 0; i < count; i++) {
        whole += (work[i].end < plan.units) ? 1 : 0;
    }
    const double bound = barrier_bound(work, count, plan.units);
    char         target[32];
    (void)snprintf(target, sizeof target, "<= %.1f %%", 100.0 * bound);
    print_share("utilization, synchronous, 5 members, units of 25 to 75 ms (its best)", target,
                utilization(work, whole, until)); /* a round ends before the next begins */
    free(work);
}

/* ---- idle ranks ---------------------------------------------------------------------------------
 */

static double processor_seconds(pid_t pid) {
    clockid_t       clock;
    struct timespec now;
    if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &now) != 0) {
        return (double)NAN;
    }
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void measure_idle(void) {
    static const char *const names[OVERHEAD_WORKERS + 1] = {
        "processor share of the coordinator while one trainer works",
        "processor share of a worker (one has a trainer at work, one nothing)",
        "processor share of the other worker",
    };
    const double       watch = quick ? 0.5 : 5.0;
    const OverheadPlan plan = {.name = "idle",
                               .scheduler = "{name: random}",
                               .units = 1,
                               .segment = 1,
                               .trials = 1,
                               .unit_seconds = watch + 2.0};
    pid_t              ranks[OVERHEAD_WORKERS + 1];
    double             before[OVERHEAD_WORKERS + 1];
    const pid_t        pid = overhead_start(&plan);
    clock_sleep(1.0); /* everything has started */
    const double begin = clock_monotonic();
    for (int rank = 0; rank <= OVERHEAD_WORKERS; rank++) {
        ranks[rank] = overhead_rank(pid, rank);
        before[rank] = processor_seconds(ranks[rank]);
    }
    clock_sleep(watch);
    const double seconds = clock_monotonic() - begin;
    for (int rank = 0; rank <= OVERHEAD_WORKERS; rank++) {
        print_share(names[rank], (rank > 0) ? "< 3 %" : "",
                    (processor_seconds(ranks[rank]) - before[rank]) / seconds);
    }
    overhead_wait(&plan, pid);
}

int main(int argc, char **argv) {
    quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    overhead_begin();
    print_row("what", "target", "measured");
    if (overhead_has_memory()) {
        measure_turnaround(true);
    } else {
        print_row("done -> next train line, checkpoint fsync excluded", "< 8 ms",
                  "not measured: /dev/shm is not here");
    }
    measure_turnaround(false);
    measure_sync();
    measure_cold_start();
    measure_asynchronous(5, "utilization, asynchronous, 4 members, 5 units of 50 ms per segment",
                         ">= 95 %");
    measure_asynchronous(1, "utilization, asynchronous, 4 members, 1 unit of 50 ms per segment",
                         "");
    measure_synchronous();
    measure_idle();
    overhead_end();
    return 0;
}
