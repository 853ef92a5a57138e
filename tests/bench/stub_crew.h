/** @file stub_crew.h  Stands for workers/crew.c: no MPI, no processes, reports at a fixed rate.
 *
 * Linked instead of the real one, so that the coordinator's own loop is measured and nothing else.
 * One worker with `slots` slots; whatever is ordered is finished as soon as a report is due, oldest
 * order first, with one metric and an objective that is a function of the segment's id. Reports are
 * due at k / rate, whether the coordinator keeps up or not; without a rate at once.
 */
#ifndef TESTS_BENCH_STUB_CREW_H
#define TESTS_BENCH_STUB_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STUB_MAX_MARKS = 8, STUB_LATENCY_BINS = 4096 };

typedef struct StubPlan {
    double  rate; /* reports per second; 0 = as fast as the coordinator takes them */
    size_t  slots;
    bool    checkpoints;           /* say that one was written (none is) */
    int64_t marks[STUB_MAX_MARKS]; /* after so many reports memory is looked at; ends at 0 */
    int64_t stop_after;            /* reports; then a signal stops the study; 0 = never */
} StubPlan;

typedef struct StubResult {
    int64_t reports;
    double  seconds;   /* from the first order to the last report */
    double  processor; /* of this process for the first `timed` reports, s */
    int64_t timed;
    double  first_order_at; /* clock_monotonic() */
    /* From the moment a report was there to the order that follows it on its slot, which leaves
     * after the commit: bin i counts those of [i, i + 1) x 0.1 ms, the last one what is above. */
    int64_t latency[STUB_LATENCY_BINS];
    double  longest; /* of them, s */
    double  untaken; /* longest time that a report waited to be taken while watched, s */
    int64_t resident[STUB_MAX_MARKS]; /* bytes, at the marks */
} StubResult;

/** Before coordinator_run(). */
void stub_crew_plan(const StubPlan *wanted);
/** After it. */
const StubResult *stub_crew_result(void);
/** Reports that were taken so far; from any thread. */
int64_t stub_crew_reports(void);
/** Whether StubResult.untaken is kept; from any thread. */
void stub_crew_watch(bool watched);
/** Seconds below which so large a share of the latencies is. */
double stub_crew_latency(const StubResult *of, double share);

#endif
