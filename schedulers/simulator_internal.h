/** @file simulator_internal.h  Shared between the loop (simulator.c) and what a segment gives
 * (simulator_work.c, simulator_values.c). */
#ifndef SCHEDULERS_SIMULATOR_INTERNAL_H
#define SCHEDULERS_SIMULATOR_INTERNAL_H

#include "schedulers/simulator.h"

/* lane of the noise in the streams of simulator_work.c */
enum { SIMULATOR_LANE_NOISE = 3 };

/** A segment or an evaluation, from its decision on. Its values lie at SimulatorWork.values. */
typedef struct SimulatorJob {
    EventKind kind; /* EVENT_FINISHED or EVENT_EVALUATED */
    int64_t   id;
    int64_t   trial;
    int64_t   begin;
    int64_t   end;
    uint64_t  seed; /* of the line */
    Outcome   outcome;
    double    cost;
    double    seconds; /* virtual, that it takes */
    double    ended;   /* virtual time, once it has */
    size_t    values;  /* where its numbers begin */
    int64_t   parent;  /* segment; 0 = none */
    size_t    units;   /* where its values by unit begin, oldest first */
    size_t    count;   /* of these */
} SimulatorJob;

/** All jobs in the order of decisions, and where segments are among them. */
typedef struct SimulatorWork {
    const SimulatorSettings *settings;
    const SchedulerSetup    *study;
    const SimulatedProblem  *problem;
    SimulatorJob            *jobs; /* (count) */
    size_t                   count;
    size_t                   capacity;
    size_t                  *segments; /* (segment_count) job of segment id - 1 */
    size_t                   segment_count;
    size_t                   segment_capacity;
    unsigned char           *trials; /* (trial_capacity) 1 = has begun */
    size_t                   trial_capacity;
    double *values; /* width per job: state, objectives, truths, spreads, constraints */
    size_t  width;
    size_t  value_capacity; /* jobs */
    double *units;          /* (unit_count, 2 k) of k objectives as observed, then truths */
    size_t  unit_count;
    size_t  unit_capacity;
    double *newest_first; /* (newest_capacity) scratch */
    size_t  newest_capacity;
} SimulatorWork;

/** A configuration at a depth: what its chains gave there. */
typedef struct SimulatorPlace {
    int64_t depth;
    int64_t chains;   /* that ended there with a result */
    bool    feasible; /* all of them keep the constraints */
    size_t  job;      /* of the best of them */
    double  best;     /* its fitness */
    double  ended;    /* virtual time at which the last of them did */
    size_t  older;    /* place of the same configuration, + 1; 0 = none */
} SimulatorPlace;

/** Places by index + 1; 0 = none. */
typedef struct SimulatorConfiguration {
    size_t newest;   /* first of the list of its places */
    size_t standing; /* by which it is ranked: most chains, then the deepest */
} SimulatorConfiguration;

/** Configurations that are trained several times, by their means. Empty without repeats. */
typedef struct SimulatorRanking {
    SimulatorPlace         *places; /* (count) */
    size_t                  count;
    size_t                  capacity;
    double                 *sums; /* (count, 2 k) of k objectives as observed, then truths */
    size_t                  sum_capacity;
    SimulatorConfiguration *configurations; /* (configuration_count) */
    size_t                  configuration_count;
    size_t                  configuration_capacity;
    size_t                  best; /* place + 1; 0 = none */
} SimulatorRanking;

void simulator__work_init(SimulatorWork *work, const SimulatorSettings *settings,
                          const SchedulerSetup *study, const SimulatedProblem *problem);
void simulator__work_reset(SimulatorWork *work);
/** Does the work of a decision at once; its result is there to be told later. `job` is its index.
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_STATE for a parent that is not there; what the
 * problem fails with */
Status simulator__work_add(SimulatorWork *work, const Decision *decision, size_t *job) MUST_USE;
/** Arrays of a job, valid until the next simulator__work_add(). */
const double *simulator__objectives(const SimulatorWork *work, size_t job);
const double *simulator__truths(const SimulatorWork *work, size_t job);
const double *simulator__spreads(const SimulatorWork *work, size_t job);
const double *simulator__constraints(const SimulatorWork *work, size_t job);
/** Whether the constraints of a finished segment hold. */
bool simulator__keeps_constraints(const SimulatorWork *work, size_t job);
/** A segment ended with a result at time `now`: adds a step to the report where what is best
 * changes. @return STATUS_OK; STATUS_ERR_NOMEM */
Status simulator__ranking_note(SimulatorRanking *ranking, const SimulatorWork *work, size_t job,
                               double now, SimulatorReport *report) MUST_USE;
void   simulator__ranking_reset(SimulatorRanking *ranking);
/** Means over the chains of a place: (k) objectives as observed, (k) truths. */
void simulator__place_means(const SimulatorRanking *ranking, const SimulatorWork *work,
                            size_t place, double *means);
/** What nothing is better than in all objectives, once everything has ended; empty where there is
 * one objective. @return STATUS_OK; STATUS_ERR_NOMEM (empty) */
Status simulator__front_find(const SimulatorRanking *ranking, const SimulatorWork *work,
                             SimulatorFront *front) MUST_USE;
/** Job of a segment; work->count if there is none. */
size_t simulator__job_of(const SimulatorWork *work, int64_t segment);
/** Trains a segment unit by unit, or at once where only its end counts. `result` holds the state
 * that it begins with, then what it ends with. @return STATUS_OK; STATUS_ERR_NOMEM; what the
 * problem fails with */
Status simulator__train(SimulatorWork *work, const SimulatedSegment *segment, size_t job,
                        SimulatedResult *result) MUST_USE;
/** Makes objectives, truths and spreads, (k) each, of the values of a job's lineage.
 * @return STATUS_OK; STATUS_ERR_NOMEM */
Status simulator__reduce(SimulatorWork *work, size_t job, double *out) MUST_USE;
/** An array of `size`-byte items grown to hold `need`, at least doubled, zeros in what is new.
 * @return NULL when memory is out (the text is set): the old array is as it was */
void *simulator__grown(void *array, size_t *capacity, size_t need, size_t size);

#endif
