/** @file simulator.h  A study in virtual time: the scheduler as it is, workers that only take time.
 *
 * Drives a scheduler as the coordinator does. `any`: a decision is asked for while a worker stands
 * idle, results are observed as they come. `barrier`: the whole batch is decided, results wait
 * until nothing is outstanding and come in order of segments. While a decision is thought about,
 * results wait too. Seeds of lines are drawn as in a study: where a line begins and where it
 * branches.
 *
 * Time: a segment takes units x seconds_per_unit times a log-normal factor of mean 1; one that
 * fails ends at a uniform part of its time. Decisions cost `decide_seconds` each, one after the
 * other, or what they are measured to cost. Everything but what is measured is a function of the
 * study, the problem and the settings, the same on every machine.
 *
 * Noise is added to what the problem says after every unit, as if an agent were evaluated once per
 * unit: one draw per objective, keyed by the seed of the line and the unit, so that a chain cut
 * into other segments shows the same values. An objective is what `reductions` make of these along
 * the lineage, and its spread their standard deviation within the segment, as in a study. A table
 * holds objectives, so there the draw at the segment's end is added to one.
 */
#ifndef SCHEDULERS_SIMULATOR_H
#define SCHEDULERS_SIMULATOR_H

#include "core/reduce.h"
#include "core/status.h"
#include "schedulers/scheduler.h"
#include "schedulers/simulated_problem.h"
#include "schedulers/stop_rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct SimulatorSettings {
    int64_t     workers;          /* >= 1 */
    double      seconds_per_unit; /* virtual seconds, > 0; where the problem knows none */
    double      spread;           /* standard deviation of a segment's time / its mean, >= 0 */
    double      failure_rate;     /* probability that a segment crashes, [0, 1] */
    double      noise;            /* standard deviation added to every value, in its unit, >= 0 */
    double      decide_seconds;   /* virtual seconds per decision, >= 0; ignored if `measured` */
    bool        measured; /* processor time of decide() and observe() is charged: not repeatable */
    double      wall_clock;  /* virtual seconds after which nothing new is decided; 0 = no limit */
    uint64_t    seed;        /* of times, failures and noise */
    StopRule    stop;        /* the study's, new; zeros: never stops */
    const char *stop_reason; /* what the report says then; borrowed; NULL while it never stops */
    Reduction   reductions[SCHEDULER_MAX_OBJECTIVES]; /* of each objective, `maximize` is the
                                                         study's; zeros: the newest value */
} SimulatorSettings;

/** A moment at which the best result so far changed: was beaten, or, with repeats, became the mean
 * of other chains, or was none any more: segment and chains 0, objective and truth NaN. */
typedef struct SimulatorStep {
    double  time;      /* virtual seconds */
    int64_t segment;   /* whose result it is; of several chains the best one's */
    int64_t chains;    /* that the objective is the mean of; 1 without repeats */
    int64_t finished;  /* segments, this one included */
    int64_t units;     /* of those */
    double  objective; /* as observed */
    double  truth;     /* the same of values without noise */
} SimulatorStep;

/** A result, or the mean of a configuration's chains, that nothing is better than in all
 * objectives.
 */
typedef struct SimulatorFrontPoint {
    int64_t segment; /* of several chains the best one's, by the first objective */
    int64_t chains;  /* 1 without repeats */
    int64_t depth;   /* units from the root */
    double  time;    /* virtual seconds at which it was known */
    double  objectives[SCHEDULER_MAX_OBJECTIVES]; /* as observed */
    double  truths[SCHEDULER_MAX_OBJECTIVES];     /* the same of values without noise */
} SimulatorFrontPoint;

/** Of a study with several objectives, when it has ended. */
typedef struct SimulatorFront {
    SimulatorFrontPoint *points; /* (count) the first objective's best first, equal ones once */
    size_t               count;
    double               hypervolume; /* between the front and the reference; observed values */
    double               share;       /* of the box between the problem's worst and best values */
    double               reference[SCHEDULER_MAX_OBJECTIVES]; /* the problem's worst values */
} SimulatorFront;

/** What happened. */
typedef struct SimulatorReport {
    double seconds;          /* virtual, until the last segment ended */
    double utilization;      /* busy worker-seconds / (workers x seconds) */
    double utilization_fed;  /* the same until the last segment began: without the end, when
                                there is nothing more to give */
    int64_t        segments; /* that ended, failed ones included */
    int64_t        evaluations;
    int64_t        failed; /* segments that crashed or diverged */
    int64_t        units;  /* of all segments */
    int64_t        decisions;
    bool           study_failed;
    char           reason[160]; /* why it ended */
    bool           has_best;    /* the last step; false where no result counts */
    SimulatorStep *steps;       /* (step_count) */
    size_t         step_count;
    size_t         step_capacity;
    SimulatorFront front; /* empty where there is one objective */
    /* measured: differs from run to run */
    double *decide_seconds; /* (decisions), ascending */
    size_t  decide_capacity;
    double  thought_seconds; /* in decide() and observe() together */
} SimulatorReport;

/** @return STATUS_OK; STATUS_ERR_RANGE naming the setting */
Status simulator_check(const SimulatorSettings *settings) MUST_USE;
/**
 * Runs a study to its end. The scheduler must be new.
 * @param out  released with simulator_report_reset(); empty on failure
 * @return STATUS_OK; STATUS_ERR_RANGE (settings); STATUS_ERR_STATE if the scheduler waits for
 *         nothing or breaks a rule of the log; STATUS_ERR_NOMEM; what the problem fails with
 */
Status simulator_run(const SimulatorSettings *settings, Scheduler *scheduler,
                     const SimulatedProblem *problem, SimulatorReport *out) MUST_USE;
void   simulator_report_reset(SimulatorReport *report);

#endif
