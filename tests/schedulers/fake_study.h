/** @file fake_study.h  A coordinator, its workers and its trainers in virtual time.
 *
 * fake_study_run() drives a scheduler to its end the way the coordinator does: a barrier scheduler
 * decides its whole batch and then gets the results in order of segment id; another decides
 * whenever a slot is free and gets results as they come. Segments take random times. The objective
 * grows along a lineage by how near its values are to the middle of their ranges. Everything is a
 * function of FakeSettings.seed and of segment ids. Rules that every log must keep are asserted on
 * the way.
 */
#ifndef TESTS_SCHEDULERS_FAKE_STUDY_H
#define TESTS_SCHEDULERS_FAKE_STUDY_H

#include "schedulers/scheduler.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One entry of the log with memory of its own. */
typedef struct FakeEvent {
    Event    event; /* its pointers point into this struct */
    Decision decision;
    double  *point; /* (space_count) of the decision or of the enqueued event */
    double   objectives[SCHEDULER_MAX_OBJECTIVES];
    double   spreads[SCHEDULER_MAX_OBJECTIVES];
    double   constraints[SCHEDULER_MAX_CONSTRAINTS];
    void    *memo;
    bool     waited; /* before it the scheduler was asked, and had nothing to decide */
} FakeEvent;

typedef struct FakeLog {
    FakeEvent **events;
    size_t      count;
    size_t      capacity;
    size_t      values; /* per point */
} FakeLog;

/** An event that is put into the log when decision number `at` is due. */
typedef struct FakeInsert {
    int64_t at;
    Event   event;
} FakeInsert;

typedef struct FakeSettings {
    size_t   slots;     /* >= 1 */
    uint64_t seed;      /* of durations, noise and failures */
    double   fail;      /* probability that a segment fails */
    double   nan;       /* probability that the objective of a finished segment is NaN */
    double   noise;     /* standard deviation of the objective's noise; of an evaluation's mean
                           divided by the root of its episodes */
    bool   flat;        /* all values are equally good: objectives are noise around 0 */
    bool   fails_first; /* every first segment fails */
    size_t most;        /* decisions before the driver calls it endless; 0 = 20 000 */
    /* may replace what a segment gave; NULL = none */
    void (*script)(void *context, const Decision *decision, Outcome *outcome, double *objectives,
                   double *spreads);
    void *context;
    /* events put in by somebody else, in order of `at` */
    const FakeInsert *inserts;
    size_t            insert_count;
} FakeSettings;

/** Runs a study to its end. `log` is freed by fake_log_free(); `done` is the last decision. */
void fake_study_run(const SchedulerOps *ops, const SchedulerSetup *setup, const double *options,
                    const FakeSettings *settings, FakeLog *log, Decision *done);
/** The same with a scheduler that exists (and stays the caller's); ids count from those given. */
void fake_study_drive(Scheduler *scheduler, const FakeSettings *settings, FakeLog *log,
                      Decision *done);
void fake_log_free(FakeLog *log);

/** A new scheduler that has observed the first `count` events. */
Scheduler *fake_log_replay(const SchedulerOps *ops, const SchedulerSetup *setup,
                           const double *options, const FakeLog *log, size_t count);
/** Fails unless both logs are the same bit for bit. */
void fake_log_assert_same(const FakeLog *a, const FakeLog *b);
/** What a unit of a segment costs with these values: 1, and 10 times as much at the upper end of
 * the first dynamic hyperparameter as at its lower end. */
double fake_cost(const Space *space, const double *point);
/** The decision of a segment, the finished event of a segment; NULL if there is none. */
const FakeEvent *fake_log_decided(const FakeLog *log, int64_t segment);
const FakeEvent *fake_log_finished(const FakeLog *log, int64_t segment);
const FakeEvent *fake_log_evaluated(const FakeLog *log, int64_t evaluation);
/** How many decided segments have that reason. */
size_t fake_log_reasons(const FakeLog *log, const char *reason);
/** Whether n values are the same bit for bit. */
bool fake_same_values(const double *a, const double *b, size_t n);
/** Whether two decisions agree in everything, values bit for bit. */
bool fake_same_decision(const Decision *a, const Decision *b, size_t values);

/** A search space to try things in; destroyed by the caller. */
typedef enum FakeSpace {
    FAKE_SPACE_MIXED,       /* log float, int, categorical, static and dynamic */
    FAKE_SPACE_ONE_FLOAT,   /* one dynamic float */
    FAKE_SPACE_CATEGORICAL, /* categoricals and a bool, all dynamic */
    FAKE_SPACE_CONDITIONAL, /* dynamic ones below static and dynamic conditions, a forbidden corner
                             */
    FAKE_SPACE_STATIC,      /* nothing may change */
    FAKE_SPACE_COUNT,
} FakeSpace;
Space *fake_space(FakeSpace which);

/** A setup of one maximized objective: per_trial 20, segment 5, total 160, baseline, can_branch. */
SchedulerSetup fake_setup(const Space *space);
/** Option values: the defaults, then pairs (name, value) up to NULL, in `values` (64 at most). */
void fake_options(const SchedulerOps *ops, double *values, ...);

#endif
