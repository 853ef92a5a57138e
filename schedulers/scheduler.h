/** @file scheduler.h  Who decides: pure automata over one log of events.
 *
 * The coordinator asks decide() for the next piece of work; the decision is committed; then
 * observe(EVENT_DECIDED) changes the state. Results come back as further events. Resuming replays
 * the log through observe() and never calls decide(), so no decision is made twice. A scheduler
 * knows no MPI, no database, no clock, no resources, no agents; its randomness is scheduler_rng(),
 * keyed by study seed and decision number.
 */
#ifndef SCHEDULERS_SCHEDULER_H
#define SCHEDULERS_SCHEDULER_H

#include "core/option.h"
#include "core/rng.h"
#include "core/status.h"
#include "search_spaces/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHEDULER_MAX_OBJECTIVES = 8,
    SCHEDULER_MAX_CONSTRAINTS = 8,
    SCHEDULER_MEMO_BYTES = 64 * 1024, /* most a decision may carry */
};

#define SCHEDULER_HAS_EFFECT SIZE_MAX /* SchedulerOps.overruled_by() */

/* How a segment or an evaluation ended (DESIGN, Words). One list for C, database and JSON. */
#define OUTCOME_LIST(X)                       \
    X(OUTCOME_NONE, "none")                   \
    X(OUTCOME_DONE, "done")                   \
    X(OUTCOME_DIVERGED, "diverged")           \
    X(OUTCOME_CRASHED, "crashed")             \
    X(OUTCOME_KILLED, "killed")               \
    X(OUTCOME_OUT_OF_MEMORY, "out_of_memory") \
    X(OUTCOME_TIMEOUT, "timeout")             \
    X(OUTCOME_PROTOCOL, "protocol")           \
    X(OUTCOME_NO_OBJECTIVE, "no_objective")   \
    X(OUTCOME_LOST, "lost")                   \
    X(OUTCOME_PREEMPTED, "preempted")         \
    X(OUTCOME_CANCELLED, "cancelled")

typedef enum Outcome {
#define OUTCOME_ENUM(code, text) code,
    OUTCOME_LIST(OUTCOME_ENUM)
#undef OUTCOME_ENUM
} Outcome;

const char *outcome_name(Outcome outcome);
/** STATUS_ERR_UNKNOWN_NAME if there is none of that name. */
Status outcome_find(const char *name, Outcome *out) MUST_USE;

/** What a scheduler is told at the start. Borrowed pointers live as long as the scheduler. */
typedef struct SchedulerSetup {
    const Space *space;
    uint64_t     seed;      /* study seed */
    int64_t      per_trial; /* budget units from a root to the deepest leaf, >= segment */
    int64_t      segment;   /* budget units of one segment, >= 1 */
    int64_t      total;     /* units that may be consumed, abandoned branches included */
    int64_t      trials;    /* samplers: configurations; 0 where a population decides */
    int64_t      repeats;   /* chains per configuration, >= 1 */
    bool         baseline;  /* the defaults are configuration 0 */
    bool   can_branch;      /* the trainer checkpoints; without it only fresh chains are possible */
    bool   cost_aware;      /* the study names a cost: events carry it */
    size_t objective_count; /* 1 .. SCHEDULER_MAX_OBJECTIVES */
    size_t constraint_count;
    bool   maximize[SCHEDULER_MAX_OBJECTIVES];
    double constraint_lower[SCHEDULER_MAX_CONSTRAINTS]; /* -INFINITY if none */
    double constraint_upper[SCHEDULER_MAX_CONSTRAINTS]; /* INFINITY if none */
} SchedulerSetup;

typedef enum DecisionKind {
    DECISION_WAIT,     /* nothing to decide before the next event; not committed */
    DECISION_RUN,      /* train one segment */
    DECISION_EVALUATE, /* evaluate the agent that `parent` ended with */
    DECISION_DONE,     /* the study is over; `reason` says why. Committed and numbered like work; a
                          new total or a user's point may give more to decide after it */
} DecisionKind;

/**
 * One decision. decide() fills all but `number` and `id`; `point` and `memo` point into memory that
 * the caller gave (see scheduler_decide()).
 */
typedef struct Decision {
    DecisionKind kind;
    int64_t      number; /* 0, 1, 2, ... of committed decisions */
    int64_t      id;     /* segment id (run) or evaluation id (evaluate): 1, 2, ... each */
    int64_t      parent; /* segment to continue from, or to evaluate; 0 = a fresh agent */
    int64_t      trial;  /* 0, 1, ...: member, or configuration x repeats + repeat */
    int64_t      begin;  /* run: units from the root; equals the parent's end */
    int64_t      end;    /* run: begin < end <= per_trial */
    bool         branch; /* run: a line branches here, so a new seed is drawn; else it is inherited.
                            With parent 0 a seed is drawn anyway, and this is false */
    int64_t episodes;    /* evaluate: how many */
    bool    failed;      /* done: the study failed (exit 1) */
    char    reason[64];  /* initial continue exploit backtrack resample ... ; done: a sentence */
    char    note[160];   /* for people, stored with the row: "compared 7 at depth 15" or "" */
    double *point;       /* run: (space_count) values */
    void   *memo;        /* opaque, comes back with observe() */
    size_t  memo_size;   /* <= SCHEDULER_MEMO_BYTES */
} Decision;

typedef enum EventKind {
    EVENT_DECIDED,
    EVENT_FINISHED,       /* a segment: done or failed for good */
    EVENT_EVALUATED,      /* an evaluation: done or failed for good */
    EVENT_ENQUEUED,       /* a user's point */
    EVENT_BUDGET_CHANGED, /* a user's new total, and perhaps new trials */
    EVENT_KNOWN,          /* a result of an earlier study; before the first decision */
} EventKind;

/** One entry of the log. Arrays are borrowed for the call. */
typedef struct Event {
    EventKind       kind;
    const Decision *decision;   /* decided: the decision, with number and id */
    int64_t         id;         /* finished, evaluated: the segment or evaluation */
    Outcome         outcome;    /* OUTCOME_DONE, or how it failed (for good: retries are over) */
    const double   *objectives; /* (objective_count) in the study's units; NaN unless done; known:
                                   finite */
    const double *spreads;      /* (objective_count) standard deviation of what the objective
                                   was reduced from, own segment only; NaN below 2 values */
    const double *constraints;  /* (constraint_count); known: no NaN */
    double        cost;   /* cost_aware: what the segment cost, its parents not counted (known:
                             from the root); NaN if it is not known */
    const double *point;  /* enqueued, known: (space_count) */
    int64_t       depth;  /* known: units it was trained for, >= 1 */
    int64_t       total;  /* budget_changed */
    int64_t       trials; /* budget_changed: configurations of a sampler; 0 = as before */
} Event;

typedef enum Keeps { KEEPS_NEVER, KEEPS_MAYBE, KEEPS_YES } Keeps;
typedef enum SchedulerOrder { SCHEDULER_ORDER_ANY, SCHEDULER_ORDER_BARRIER } SchedulerOrder;

/** What of a study, beside its space, budget, directions and constraints, decisions depend on. The
 * rest is recorded but ignored, which `mbtune validate` says. */
typedef struct SchedulerUses {
    size_t      objectives;  /* the first so many; 0: decisions do not depend on results at all */
    bool        cost;        /* SchedulerSetup.cost_aware */
    const char *evaluations; /* option by which it asks for evaluations; NULL: asks for none */
    bool        segments;    /* compares results of single segments, whose values may have changed:
                                an objective that looks further back blurs what they brought */
    bool no_model;           /* decides by draws and comparisons alone, in microseconds: nobody has
                                to be served meanwhile */
} SchedulerUses;

/** One scheduling algorithm. Instances are const and live for the whole run. */
typedef struct SchedulerOps {
    const char       *name;        /* key in study files and in the database */
    const char       *source;      /* paper or reference implementation */
    const char       *help;        /* two sentences: when to use it, when not */
    const OptionSpec *options;     /* ends at .name == NULL; never NULL */
    bool              population;  /* has an option `population`; `trials` is refused beside it */
    bool              branches;    /* needs checkpoints: branches from or pauses segments */
    bool              stops_early; /* a trial may end above per_trial, so trials x per_trial units
                                      are more than it uses */

    /* required */
    Status (*create)(const SchedulerSetup *setup, const double *option_values, void **self);
    /* barrier: a batch is decided until there is nothing more to decide; results come in order of
     * segment id, when nothing that was decided is outstanding. A batch is decided from what came
     * before it: if an interruption lets results of a half-decided batch in, the rest is the same
     */
    SchedulerOrder (*order)(const void *self);
    /* next decision as a function of state and number; does not change the state */
    Status (*decide)(const void *self, int64_t number, Decision *decision);
    /* changes the state, or fails and leaves it. Of a decided run it may use number, id, parent,
     * trial, begin, end, reason, point and memo: the rest need not have been stored */
    Status (*observe)(void *self, const Event *event);
    /* may the checkpoint of a finished segment go? What was answered NEVER once is no parent
     * of a later decision. (The best, pinned ones and pending parents are kept by the coordinator
     * whatever this says; live leaves while there is room: of one that is gone on with for certain
     * say YES) */
    Keeps (*keeps)(const void *self, int64_t segment);
    void (*destroy)(void *self); /* accepts NULL */

    /* optional */
    /* with these option values; NULL: nothing of it, as a random search */
    SchedulerUses (*uses)(const double *option_values);
    /* row of the option whose value leaves row `option` without effect, `option` itself where
     * nothing gives it one; SCHEDULER_HAS_EFFECT where it has one */
    size_t (*overruled_by)(const double *option_values, size_t option);
    /* depths (ascending) of whose results it learns, up to `capacity` of them. @return how many
     * there are; 0, or NULL, where it learns nothing from results of an earlier study */
    size_t (*known_depths)(const void *self, int64_t *depths, size_t capacity);
} SchedulerOps;

/** SchedulerOps.uses() of these option values. */
SchedulerUses scheduler_uses(const SchedulerOps *ops, const double *option_values);
/** For the tables of schedulers that look at the first objective and nothing else. */
SchedulerUses scheduler_uses_first(const double *option_values);

/** A scheduler at work: ops, state, setup and the caller's memory. */
typedef struct Scheduler Scheduler;

/** Finds a scheduler by name; the failure text names the nearest. */
Status              scheduler_find(const char *name, const SchedulerOps **out) MUST_USE;
size_t              scheduler_count(void);
const SchedulerOps *scheduler_at(size_t index);

/**
 * Makes a scheduler.
 * @param setup          copied (pointers inside are borrowed)
 * @param option_values  (option_count) checked against the rows; derived defaults (NaN) allowed
 */
Status                scheduler_create(const SchedulerOps *ops, const SchedulerSetup *setup,
                                       const double *option_values, Scheduler **out) MUST_USE;
void                  scheduler_destroy(Scheduler *scheduler);
const SchedulerSetup *scheduler_setup(const Scheduler *scheduler);
SchedulerOrder        scheduler_order(const Scheduler *scheduler);
/** Decisions observed so far = number of the next one. */
int64_t scheduler_decisions(const Scheduler *scheduler);
/**
 * The next decision. Does not change the state; may run on another thread while nobody observes.
 * `decision->point` and `->memo` point into the scheduler until the next call; `number` and `id`
 * are filled in. A decision that breaks a rule of the log (unknown parent, begin != parent's end, a
 * point outside the space, over the budget) fails with STATUS_ERR_STATE.
 */
Status scheduler_decide(Scheduler *scheduler, Decision *decision) MUST_USE;
/** Applies one event; checks that it can happen (a segment finishes once, was decided, ...). */
Status scheduler_observe(Scheduler *scheduler, const Event *event) MUST_USE;
Keeps  scheduler_keeps(const Scheduler *scheduler, int64_t segment);
/** SchedulerOps.known_depths(). An EVENT_KNOWN counts for the deepest of them that it reaches, else
 * for the first. */
size_t scheduler_known_depths(const Scheduler *scheduler, int64_t *depths, size_t capacity);

/** Random stream of decision `number`; `lane` separates several uses inside one decision. */
Rng scheduler_rng(const SchedulerSetup *setup, int64_t number, uint32_t lane);
/** First objective turned so that larger is better; -INFINITY where it is not a finite number and
 * for a failed segment. Constraints are not in it (segment_tree.h ranks by them). */
double scheduler_fitness(const SchedulerSetup *setup, const Event *finished);

#endif
