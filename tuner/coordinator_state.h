/** @file coordinator_state.h  What the files of the coordinator share; nobody else includes this.
 *
 * coordinator.c         the loop, phases, signals
 * coordinator_open.c    creating, checking and resuming a study
 * coordinator_phases.c  confirmation and evaluation
 * coordinator_news.c    what workers say: metrics, finished work, failures
 * coordinator_allocation.* the end of a batch job's time
 * coordinator_progress.c how it stands, in numbers
 * coordinator_publish.c what readers on other hosts see
 * coordinator_budget.c  what ends tuning early; budgets that change
 * coordinator_requests.c commands of users
 * coordinator_measure.c what a finished segment is worth and cost
 * coordinator_decide.c  events to the scheduler, decisions into rows
 * coordinator_send.c    which work goes to which slot
 * coordinator_collect.c which checkpoints may go
 *
 * All of it belongs to the main thread of rank 0; the scheduler belongs to the deciding thread
 * while decider_busy().
 */
#ifndef TUNER_COORDINATOR_STATE_H
#define TUNER_COORDINATOR_STATE_H

#include "results/results.h"
#include "schedulers/stop_rule.h"
#include "tuner/coordinator.h"
#include "tuner/decider.h"
#include "tuner/id_index.h"
#include "tuner/progress.h"
#include "workers/crew.h"

typedef enum WorkKind {
    WORK_SEGMENT,
    WORK_EVALUATION,
    WORK_RECOMPUTE, /* a finished segment whose checkpoint is gone and asked for again */
} WorkKind;

/** Attempts of this run that failed and were retried, by cause. */
typedef struct Failures {
    int64_t crashed;
    int64_t killed;
    int64_t timeout;
} Failures;

/** One piece of work that is queued or with a slot. */
typedef struct Work {
    WorkKind kind;
    int64_t  id;      /* segment, or evaluation */
    int64_t  needs;   /* segment whose checkpoint it starts from; 0 = none */
    int64_t  attempt; /* the newest that was started; once it is with a slot, its own */
    Failures failures;
    int64_t  losses;  /* attempts of this run whose checkpoint a worker could not read or save */
    bool     partial; /* continues what an earlier attempt of the same segment yielded */
} Work;

typedef struct WorkQueue {
    Work  *items; /* (count) in order; `skipped` places behind the beginning of its block */
    size_t count;
    size_t skipped; /* taken from the front */
    size_t capacity;
} WorkQueue;

typedef struct Slot {
    bool    usable;
    int     worker;
    bool    busy;
    bool    unsent; /* assigned, but the commit before its order is not done yet */
    bool    yielding;
    bool    cancelled;     /* told to stop at once */
    Work    work;          /* while busy */
    int64_t needs_attempt; /* that left the checkpoint of work.needs, as the order names it */
    double  sent;          /* s, monotonic: when the order left */
    int64_t end;           /* of a segment: its last unit */
    int64_t step;          /* of its order: the last unit that was heard of, 0 = none */
    double  step_at;       /* s, monotonic: when that was; without one, when the order left */
    double  unit_seconds;  /* that its last unit took; 0 = not known */
    char    host[64];
    int64_t holds; /* segment that its trainer has in memory; 0 = none */
} Slot;

/** A result that the scheduler has not observed yet. */
typedef struct Outstanding {
    EventKind kind;
    int64_t   id;
    Outcome   outcome;
    double    objectives[SCHEDULER_MAX_OBJECTIVES];
    double    spreads[SCHEDULER_MAX_OBJECTIVES];
    double    constraints[SCHEDULER_MAX_CONSTRAINTS];
    double    cost; /* NaN if it is not known */
} Outstanding;

/** A finished segment whose checkpoint is on disk. */
typedef struct Kept {
    int64_t  id;
    int64_t  trial;
    int64_t  attempt;
    uint64_t bytes;
    double   objective; /* the first one */
    bool     pinned;    /* by a user */
} Kept;

/* Confirmation numbers its segments and trials from here on, so that tuning may go on after it. */
#define CONFIRM_FIRST INT64_C(1000000000)

typedef enum Phase { PHASE_TUNE, PHASE_CONFIRM, PHASE_EVALUATE, PHASE_OVER } Phase;

typedef struct Coordinator {
    const CoordinatorSetup *setup;
    const Study            *study;
    SchedulerSetup          scheduler_setup;
    StudyFolder            *folder;
    Results                *results;
    Crew                   *crew;
    Decider                *decider;
    Scheduler              *scheduler; /* of the phase; NULL while evaluating */
    Progress                progress;

    Phase         phase;
    bool          decided_all; /* the phase's scheduler said done */
    bool          failed;      /* ... because the study failed */
    char          reason[256]; /* why the study ended */
    bool          waiting;     /* the scheduler waits for the next event */
    bool          no_model;    /* tuning decides in microseconds: on this thread */
    int64_t       undecided;   /* decided work of this phase without an observed result */
    double        created_at;  /* of the study, s since 1970 */
    ResultsBudget budget;      /* that holds now, with what users changed */
    ResultsBudget frozen;      /* of the study file that the folder was made with */
    StopRule      stop_rule;   /* of the tuning phase */

    WorkQueue    queue;
    Slot        *slots;
    size_t       slot_count;
    Outstanding *events; /* results to observe, as they came */
    size_t       event_count;
    size_t       event_capacity;
    Kept        *kept;
    size_t       kept_count;
    size_t       kept_capacity;
    double       kept_bytes; /* of all of them */
    IdIndex      kept_at;    /* segment -> its place in `kept` */
    IdIndex      live_leaf;  /* trial -> its last finished segment, if that may go on */
    int64_t     *doomed; /* kept ids whose files go after the next commit, with their attempts */
    size_t       doomed_count;
    size_t       doomed_capacity;
    bool         irreproducible_told; /* the study row says that the trainer is not deterministic */
    bool         trainer_heard;       /* some trainer has said hello in this run */
    bool         collect;             /* something changed that may free checkpoints */
    bool         left_damaged;        /* files of which no row knows any more */

    double collect_at; /* s, monotonic: not before, unless the phase is over */

    ResultsTally tally; /* of the whole study */

    int64_t best_segment; /* of the tuning phase; 0 = none */
    double  best_objective;
    bool    best_feasible; /* it keeps the constraints */

    bool   open;   /* a transaction is open */
    bool   urgent; /* it holds what must be durable before work goes on */
    double committed_at;

    bool   stopping;
    double stop_deadline; /* s, monotonic: what runs must have ended its unit; INFINITY: any time */
    int    stop_signals;
    double stop_began;      /* s, monotonic */
    bool   cut_off;         /* nothing may end its unit any more */
    double end_at;          /* s, monotonic: this run must be over by then; 0 = any time */
    double unit_seconds;    /* of the slowest unit of late */
    double save_seconds;    /* from the last unit of a segment to its end, likewise */
    double live_at;         /* s, monotonic: when live.json is due */
    double snapshot_at;     /* likewise */
    double snapshot_began;  /* 0 = none is under way */
    bool   allocation_over; /* it stops because of end_at */
    bool   advanced;   /* a unit of a segment was trained in this run, or an order ended as asked */
    bool   no_workers; /* it ended because none was left */
    size_t wanted;     /* manual: segments that are asked for */
    bool   user_stopped; /* by a request */
    double opened_at;    /* s since 1970: what asks a run to stop must be younger */
    double requests_at;  /* s, monotonic: when requests/ is looked at next */

    double   *point;           /* (space_count) scratch */
    double   *window;          /* values along a lineage */
    size_t    window_capacity; /* >= every window asked for */
    bool      begun;           /* the study's state is ours to write */
    bool      clock_ended;     /* the wall-clock budget ended tuning */
    ErrorInfo log_error;       /* why the study's own log could not be written */
    double    phase_began;     /* s, monotonic */
    int64_t   phase_units;     /* units of the phase that an earlier run had done */
    double    first_dispatch;  /* s, monotonic; 0 = none yet */
    double    last_dispatch;
    double    busy_seconds;     /* of orders that are over */
    double    busy_at_dispatch; /* of all orders, up to the last dispatch */
} Coordinator;

/* coordinator.c */
Status coordinator__next_phase(Coordinator *c) MUST_USE;
void   coordinator__destroy(Coordinator *c);
Status coordinator__begin(Coordinator *c) MUST_USE; /* opens the transaction if none is open */
void coordinator__log(Coordinator *c, const char *level, const char *format, ...) PRINTF_LIKE(3, 4);

/* coordinator_open.c */
Status coordinator__open(Coordinator *c) MUST_USE;
/* the best as report_best() ranks */
Status coordinator__restore_best(Coordinator *c) MUST_USE;
/* visitors: queue what of the present phase has not ended */
Status coordinator__restore_segment(void *context, const ResultsSegment *row) MUST_USE;
Status coordinator__restore_evaluation(void *context, const ResultsEvaluation *row) MUST_USE;

/* coordinator_phases.c */
Status coordinator__enter_confirm(Coordinator *c) MUST_USE;
Status coordinator__enter_evaluate(Coordinator *c) MUST_USE;

/* coordinator_progress.c */
void   coordinator__progress(Coordinator *c, ProgressState *out);
void   coordinator__show(Coordinator *c, bool now);
double coordinator__utilization(const Coordinator *c); /* 0 to 1; NaN: nothing ran yet */

/* coordinator_publish.c: on a network file system */
Status coordinator__publish(Coordinator *c) MUST_USE;
void   coordinator__unpublish(const Coordinator *c);

/* coordinator_budget.c */
/* what an event of the log means for the end of tuning; on replay too */
Status coordinator__note_event(Coordinator *c, const Event *event) MUST_USE;
void   coordinator__check_end(Coordinator *c);
/* "<what> any more: ..." unless tuning may still go on */
Status coordinator__refuse_after_confirmation(Coordinator *c, const char *what) MUST_USE;
/* an event of a user's: into the log, to the scheduler */
Status coordinator__apply_event(Coordinator *c, const Event *event) MUST_USE;
Status coordinator__set_budget(Coordinator *c, const ResultsBudget *to) MUST_USE;
Status coordinator__restore_budget(Coordinator *c) MUST_USE;

/* coordinator_measure.c */
/* fills in the event; its outcome becomes diverged or no_objective where the numbers say so */
Status coordinator__measure(Coordinator *c, int64_t segment, Outstanding *event, char *why,
                            size_t size) MUST_USE;
Status coordinator__note_cost(Coordinator *c, int64_t segment, Outstanding *event) MUST_USE;
bool   coordinator__feasible(const Coordinator *c, const double *constraints);

/* coordinator_news.c */
/* a segment has ended for good: counts for the progress line */
void   coordinator__count(Coordinator *c, const ResultsSegment *row, bool finished);
Status coordinator__take(Coordinator *c, const News *news) MUST_USE;

/* ends a segment for good; attempt 0: it is queued */
Status coordinator__fail_segment(Coordinator *c, int64_t segment, int64_t attempt, Outcome outcome,
                                 const char *reason) MUST_USE;
/* ends it well */
Status coordinator__finish_segment(Coordinator *c, const Work *work, const News *news) MUST_USE;

/* coordinator_requests.c */
/* applies what lies in requests/, at most every quarter of a second unless `now` */
Status coordinator__serve_requests(Coordinator *c, bool now) MUST_USE;
Status coordinator__tidy_requests(Coordinator *c) MUST_USE;
/* does the segment belong to a trial that a user stopped? */
Status coordinator__is_stopped(Coordinator *c, int64_t segment, bool *stopped) MUST_USE;
Status coordinator__drop_stopped(Coordinator *c) MUST_USE;
/* visitor: a pinned checkpoint that is gone is computed again */
Status coordinator__want_pinned(void *context, const ResultsSegment *row) MUST_USE;

/* coordinator_decide.c */
Status coordinator__push_event(Coordinator *c, const Outstanding *event) MUST_USE;
Status coordinator__observe(Coordinator *c) MUST_USE;
Status coordinator__decide(Coordinator *c) MUST_USE;

/* coordinator_send.c */
Status coordinator__queue(Coordinator *c, const Work *work) MUST_USE;
/** Queues the making again of a finished segment's checkpoint, unless that is under way. */
Status coordinator__recompute(Coordinator *c, int64_t segment) MUST_USE;
/* takes the work at `index` out of the queue */
Work coordinator__unqueue(Coordinator *c, size_t index);
/* chooses work for free slots and records the attempts; coordinator__send() sends after the commit
 */
Status coordinator__assign(Coordinator *c) MUST_USE;
/* counts the work's next attempt, which is a row from then on, unless a checkpoint is made again */
Status coordinator__record_attempt(Coordinator *c, Work *work, const Slot *slot) MUST_USE;
Status coordinator__send(Coordinator *c) MUST_USE;
size_t coordinator__free_slots(const Coordinator *c);

/* coordinator_collect.c */
Status coordinator__keep(Coordinator *c, const Kept *kept) MUST_USE;
void   coordinator__pin(Coordinator *c, int64_t segment, bool pinned);
void   coordinator__forget(Coordinator *c, int64_t segment);
/* a segment is its trial's newest finished one, which ended at `end` */
Status coordinator__set_leaf(Coordinator *c, int64_t trial, int64_t segment, int64_t end) MUST_USE;
bool   coordinator__is_kept(const Coordinator *c, int64_t segment);
/* the file of an attempt goes after the next commit */
Status coordinator__doom(Coordinator *c, int64_t segment, int64_t attempt) MUST_USE;
/* marks what may go; files go in coordinator__sweep(), after the commit */
Status coordinator__collect(Coordinator *c) MUST_USE;
/* all go but the best and what is pinned */
Status coordinator__collect_all_but_best(Coordinator *c) MUST_USE;
/* limits.checkpoints is used up: nothing is started that would leave another one */
bool coordinator__over_quota(const Coordinator *c);
/* a failure where the quota is full of what is needed, and nothing runs that might change that */
Status coordinator__check_quota(Coordinator *c) MUST_USE;
void   coordinator__sweep(Coordinator *c);
/* at start, at the end where there may be some: removes files of checkpoints/ without a row */
Status coordinator__sweep_orphans(Coordinator *c) MUST_USE;

#endif
