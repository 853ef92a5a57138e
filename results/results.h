/** @file results.h  What is known: the SQLite store of one study (results/schema.sql).
 *
 * Only the coordinator opens it for writing; readers see committed data and never block it. All
 * writes happen between results_begin() and results_commit(); one commit is one durable group. A
 * write that is refused before it has changed a row leaves its group as it was; one that fails
 * halfway, and a full disk, end the whole group (results_rollback() it, and the store works again).
 * A visitor may read and write the store. One thread at a time per connection.
 *
 * Errors of every function, where its own line says nothing else: STATUS_ERR_STATE for a write
 * outside a group or one that the schema or a row's state refuses, STATUS_ERR_CORRUPT for a damaged
 * file, STATUS_ERR_DATABASE for the rest (full disk, lock, input or output), STATUS_ERR_NOMEM.
 */
#ifndef RESULTS_RESULTS_H
#define RESULTS_RESULTS_H

#include "core/json.h"
#include "core/status.h"
#include "schedulers/scheduler.h"
#include "search_spaces/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Results Results;

/** What may be spent; 0 trials where a population decides, 0 s where there is no limit. */
typedef struct ResultsBudget {
    int64_t total;
    int64_t trials;
    double  wall_clock;
} ResultsBudget;

/** What is stored once, at creation. Strings are copied. */
typedef struct ResultsStudy {
    const char   *name;
    const char   *agent;       /* built-in agent, or "external" */
    const char   *environment; /* "" for an external trainer without one */
    const char   *unit;
    const char   *scheduler;      /* name */
    const char   *study_hash;     /* 16 hex digits of the frozen study.yaml */
    const char   *definition;     /* the whole study file as JSON, options and defaults filled in */
    const char   *numerics;       /* as recorded at the first start */
    const char   *irreproducible; /* why results may differ from run to run; "" = reproducible */
    uint64_t      seed;
    const Space  *space;
    ResultsBudget budget;
    size_t        objective_count;
    const char   *objective_metric[SCHEDULER_MAX_OBJECTIVES];
    const char   *objective_reduce[SCHEDULER_MAX_OBJECTIVES]; /* "mean_last" ... */
    int64_t       objective_window[SCHEDULER_MAX_OBJECTIVES];
    bool          objective_maximize[SCHEDULER_MAX_OBJECTIVES];
    size_t        constraint_count;
    const char   *constraint_metric[SCHEDULER_MAX_CONSTRAINTS];
    double        constraint_lower[SCHEDULER_MAX_CONSTRAINTS];
    double        constraint_upper[SCHEDULER_MAX_CONSTRAINTS];
    size_t        timing_metric_count; /* metrics that depend on the clock */
    const char *const *timing_metrics;
} ResultsStudy;

/** Creates the database. @return STATUS_OK; STATUS_ERR_STATE if the file exists;
 * STATUS_ERR_DATABASE */
Status results_create(const char *path, const ResultsStudy *study, Results **out) MUST_USE;
typedef enum ResultsMode {
    RESULTS_READ,
    RESULTS_WRITE,
    RESULTS_WRITE_ALONE, /* nobody else may read it: where processes cannot share memory */
    RESULTS_READ_STILL,  /* of a file that nobody changes; takes no locks */
} ResultsMode;
/** Opens one. Writing migrates an older schema. @return STATUS_ERR_IO if there is none,
 * STATUS_ERR_VERSION if it is newer than this program, STATUS_ERR_CORRUPT if it is no study,
 * STATUS_ERR_DATABASE otherwise */
Status results_open(const char *path, ResultsMode mode, Results **out) MUST_USE;
void   results_close(Results *results); /* rolls back what is open; accepts NULL */

Status results_begin(Results *results) MUST_USE;
Status results_commit(Results *results) MUST_USE;
void   results_rollback(Results *results);
/** Several reads outside a group as one: each alone locks the database and lets it go again.
 * Nothing inside a group, or where it is done already; results_begin() ends it. */
Status results_read_begin(Results *results) MUST_USE;
void   results_read_end(Results *results);

/* ---- writing: the coordinator -------------------------------------------------------------- */

/* Which phase of a study a trial belongs to. */
typedef enum TrialKind { TRIAL_TUNE, TRIAL_CONFIRM_BEST, TRIAL_CONFIRM_DEFAULT } TrialKind;

typedef struct ResultsTrial {
    int64_t   id;
    TrialKind kind;
    int64_t   number;  /* configuration or member; confirm: 0, 1, ... of the schedules */
    int64_t   repeat;  /* which chain of that configuration; confirm: which seed */
    int64_t   source;  /* confirm best: the segment whose schedule is repeated; else 0 */
    bool      stopped; /* by a user; only read, see results_trial_stop() */
} ResultsTrial;
Status results_trial_insert(Results *results, const ResultsTrial *trial) MUST_USE;

/* Segment states, in the database as texts. */
typedef enum SegmentState {
    SEGMENT_QUEUED,
    SEGMENT_RUNNING,
    SEGMENT_FINISHED,
    SEGMENT_FAILED,
} SegmentState;

/** A row of work, as decided. `point` is only written, and only read where the caller gave memory.
 */
typedef struct ResultsSegment {
    int64_t  id;
    int64_t  parent; /* 0 = fresh */
    int64_t  trial;
    int64_t  decision; /* number in the log; -1 for confirmation */
    int64_t  begin;
    int64_t  end;
    uint64_t seed;
    char     reason[64];
    char     note[160];
    double  *point; /* (space_count) */
    /* state, filled by results_segment_read() */
    SegmentState state;
    Outcome      outcome;
    int64_t      attempt; /* the attempt that counts (finished), or the last one tried; 0 none */
    bool         kept;    /* its checkpoint is on disk */
    uint64_t     checkpoint_bytes;
    uint64_t     checkpoint_checksum;
    double       objective[SCHEDULER_MAX_OBJECTIVES]; /* NaN unless finished */
    int64_t      partial_end; /* > begin: yielded there; the next attempt continues from
                                 "id.a<partial_attempt>"; else 0 */
    int64_t partial_attempt;
    double  cost;   /* NaN if it is not known, see results_segment_cost_set() */
    bool    pinned; /* by a user, see results_segment_pin() */
} ResultsSegment;

Status results_segment_insert(Results *results, const ResultsSegment *segment) MUST_USE;
/** queued -> running; inserts the attempt row. Metric rows of an earlier attempt go, except those
 * up to partial_end. */
Status results_attempt_start(Results *results, int64_t segment, int64_t attempt, int worker,
                             const char *host) MUST_USE;
/** Ends an attempt that did not finish its segment: running -> queued (retry) or -> failed. */
Status results_attempt_fail(Results *results, int64_t segment, int64_t attempt, Outcome outcome,
                            const char *reason, bool retry) MUST_USE;
/** Ends an attempt that yielded at `end`: running -> queued with a partial checkpoint. With end 0
 * the partial checkpoint of a queued segment is forgotten (it was damaged): it starts over from its
 * parent. */
Status results_attempt_yield(Results *results, int64_t segment, int64_t attempt, int64_t end,
                             uint64_t checkpoint_bytes, uint64_t checkpoint_checksum) MUST_USE;
/** running -> finished with outcome done. objectives, spreads (objective_count), constraints
 * (constraint_count); checkpoint_bytes 0 = none kept. */
Status results_segment_finish(Results *results, int64_t segment, int64_t attempt,
                              const double *objectives, const double *spreads,
                              const double *constraints, uint64_t checkpoint_bytes,
                              uint64_t checkpoint_checksum, double busy_seconds) MUST_USE;
/** What a segment cost, its parents not counted (NaN: not known). */
Status results_segment_cost_set(Results *results, int64_t segment, double cost) MUST_USE;
/** A user's wish: its checkpoint is kept for good, or no longer. STATUS_ERR_UNKNOWN_NAME */
Status results_segment_pin(Results *results, int64_t segment, bool pinned) MUST_USE;
/** A user's wish: no further segments of this trial are run. STATUS_ERR_UNKNOWN_NAME */
Status results_trial_stop(Results *results, int64_t trial) MUST_USE;
/** Records that a checkpoint was removed, or was made again (bytes > 0) by attempt `attempt`. */
Status results_checkpoint_set(Results *results, int64_t segment, int64_t attempt, uint64_t bytes,
                              uint64_t checksum) MUST_USE;
/** Attempts of a segment that were lost for this reason, over all runs. */
Status results_attempts_lost(Results *results, int64_t segment, const char *reason,
                             int64_t *count) MUST_USE;
/** Seconds per budget unit of the slowest of the last 64 finished segments; 0 if there is none. */
Status results_unit_seconds(Results *results, double *seconds) MUST_USE;
/** Puts every running segment and evaluation back to queued (at the start of a run): their attempts
 * end as `lost`. */
Status results_reconcile(Results *results, int64_t *requeued) MUST_USE;

typedef struct ResultsEvaluation {
    int64_t      id;
    int64_t      segment;
    int64_t      decision; /* -1: asked for by a user */
    int64_t      episodes;
    uint64_t     seed;
    SegmentState state;
    Outcome      outcome;
    int64_t      attempt;
    double       objective; /* mean over episodes of the objective's metric; NaN */
} ResultsEvaluation;
Status results_evaluation_insert(Results *results, const ResultsEvaluation *evaluation) MUST_USE;
Status results_evaluation_start(Results *results, int64_t evaluation, int64_t attempt, int worker,
                                const char *host) MUST_USE;
Status results_evaluation_finish(Results *results, int64_t evaluation, int64_t attempt,
                                 Outcome outcome, const char *reason, const double *objectives,
                                 bool retry) MUST_USE;

/** Appends one value (names are interned). */
Status results_metric_insert(Results *results, bool evaluation, int64_t id, int64_t step,
                             int64_t index, const char *name, double value) MUST_USE;

/** Appends to the log: event->decision (decided), id and outcome (finished, evaluated), point,
 * total. The content of decided rows is in segment / evaluation; here go number, kind, reason,
 * memo. */
Status results_event_append(Results *results, const Event *event) MUST_USE;
/** Appends a result of an earlier study (EVENT_KNOWN): where it comes from, the folder as the study
 * file writes it and the segment there. STATUS_ERR_STATE where the log holds other events. */
Status results_known_append(Results *results, const char *study, int64_t segment,
                            const Event *known) MUST_USE;

/** State of the study: running, done, failed, interrupted; with the reason as a sentence. */
Status results_study_set(Results *results, const char *state, const char *reason) MUST_USE;
/** Records why results may differ from run to run. The first reason stays. "" or NULL: nothing. */
Status results_irreproducible_set(Results *results, const char *reason) MUST_USE;
/** Which budget: what the study file of the newest run said; what holds, with what users changed.
 */
typedef enum ResultsBudgetSource { RESULTS_BUDGET_SAID, RESULTS_BUDGET_NOW } ResultsBudgetSource;
Status results_budget_set(Results *results, ResultsBudgetSource source,
                          const ResultsBudget *budget) MUST_USE;
/** A user's request that was served, in the transaction that did what it asks; `name` once. */
Status results_request_insert(Results *results, const char *name, const char *body,
                              const char *answer) MUST_USE;
/** A line of the study's own log (warnings, lost workers, damaged checkpoints). */
Status results_log(Results *results, const char *level, const char *text) MUST_USE;

/* ---- reading: resume, reports --------------------------------------------------------------- */

Status results_budget_read(Results *results, ResultsBudgetSource source,
                           ResultsBudget *out) MUST_USE;
/** Appends the answer that a request was given; *found is false if it was never served. */
Status results_request_read(Results *results, const char *name, Buffer *answer,
                            bool *found) MUST_USE;
/** Calls `visit` for every event in order, results of earlier studies first, decided ones with
 * complete Decision (point, memo), finished ones with outcome, objectives, spreads, constraints.
 * Stops at the first failure. */
Status results_log_replay(Results *results, const Space *space,
                          Status (*visit)(void *context, const Event *event),
                          void *context) MUST_USE;
/** One segment; `point` filled if not NULL. @return STATUS_ERR_UNKNOWN_NAME if there is none */
Status results_segment_read(Results *results, const Space *space, int64_t id,
                            ResultsSegment *out) MUST_USE;
/** Which segments are visited: of a million, what a start needs to see are a few. */
typedef enum ResultsWhich {
    RESULTS_ALL,
    RESULTS_OPEN,    /* queued or running */
    RESULTS_KEPT,    /* whose checkpoint is on disk */
    RESULTS_PINNED,  /* by users */
    RESULTS_CONFIRM, /* of confirmation, in whatever state */
} ResultsWhich;
/** Such segments in order of id (`point` NULL). */
Status results_segments_visit(Results *results, ResultsWhich which,
                              Status (*visit)(void *context, const ResultsSegment *segment),
                              void *context) MUST_USE;
/** The last finished segment of a trial; 0 if there is none. */
Status results_trial_leaf(Results *results, int64_t trial, int64_t *segment) MUST_USE;
/** How many segments ended, the units of these (index 1 is confirmation, 0 all else), and the
 * checkpoints that are on disk. **Cost** one pass: a quarter of a second for a million segments. */
typedef struct ResultsTally {
    int64_t finished, failed, units[2], kept, kept_bytes;
} ResultsTally;
Status results_tally_read(Results *results, ResultsTally *out) MUST_USE;
/** The first running segment behind `after` (0 = from the start) in order of id; 0 if none. */
Status results_running_next(Results *results, int64_t after, int64_t *segment) MUST_USE;
Status results_trial_read(Results *results, int64_t id, ResultsTrial *out) MUST_USE;
Status results_evaluations_visit(Results *results,
                                 Status (*visit)(void *context, const ResultsEvaluation *row),
                                 void *context) MUST_USE;
/** The finished events that the log does not hold yet: finished or failed tuning segments without a
 * `finished` entry (a barrier was open when the coordinator ended), in order of id. */
Status results_unlogged_visit(Results *results, Status (*visit)(void *context, const Event *event),
                              void    *context) MUST_USE;
/**
 * The last `k` values (index 0) of a metric along the lineage of `segment`, newest first: its own,
 * then its ancestors' (each up to where the child begins).
 * @param values  out  (k); @param found out how many; @param own out how many of them are its own
 */
Status results_lineage_window(Results *results, int64_t segment, const char *metric, size_t k,
                              double *values, size_t *found, size_t *own) MUST_USE;
/** Sum of a metric at index 0 over one segment, in order of step; NaN over nothing. */
Status results_metric_sum(Results *results, int64_t segment, const char *name,
                          double *sum) MUST_USE;
/** The metric's values at index 0 of one segment or evaluation, in order of step. */
Status results_metric_read(Results *results, bool evaluation, int64_t id, const char *name,
                           size_t capacity, double *values, size_t *found) MUST_USE;
/**
 * Mean of a metric at index 0 over one segment or evaluation, added up in order of step. A value
 * that is NaN makes it NaN, as does a mean over nothing.
 * @param count  out  how many values there are, NaN included; 0 for a name never reported
 * @return what every function here may; mean and count are then unchanged
 */
Status results_metric_mean(Results *results, bool evaluation, int64_t id, const char *name,
                           double *mean, size_t *count) MUST_USE;
/** Budget units of all segments of tuning that were decided, failed and running ones included: what
 * the scheduler counts against its total. */
Status results_units_used(Results *results, int64_t *units) MUST_USE;
/** Configurations of tuning that have begun: several repeats are one. */
Status results_trials_begun(Results *results, int64_t *trials) MUST_USE;
/** Ids at which new rows start: largest + 1. */
Status results_next_ids(Results *results, int64_t *trial, int64_t *segment,
                        int64_t *evaluation) MUST_USE;
/** Column of the study row as text ("name", "state", "study_hash", "numerics", "definition", ...).
 */
Status results_study_text(Results *results, const char *column, Buffer *out) MUST_USE;

#endif
