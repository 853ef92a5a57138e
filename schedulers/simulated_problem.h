/** @file simulated_problem.h  What the simulator trains instead of an agent: problems with a known
 * answer.
 *
 * A problem is an agent in a few numbers. Its state after a segment is a pure function of the
 * parent's state, the values, begin, end and seed, computed unit by unit, so that a chain cut into
 * other segments ends in the same state bit for bit, and who continues somebody else's segment
 * inherits what it learned. Problems know no noise: the simulator adds it to what a problem says.
 *
 * A problem that is given by a formula takes *coordinates*: of the numeric hyperparameters (float,
 * int, ordinal), in the order of the space, their place in [0, 1] as space_encode() gives it, then
 * the indices of the choices of the categorical ones (bool included); those of the default where
 * one is not active.
 */
#ifndef SCHEDULERS_SIMULATED_PROBLEM_H
#define SCHEDULERS_SIMULATED_PROBLEM_H

#include "core/status.h"
#include "schedulers/scheduler.h"
#include "search_spaces/space.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SIMULATED_MAX_STATE = 4,        /* numbers per agent */
    SIMULATED_MAX_COORDINATES = 64, /* of problems that are given by a formula */
};

/** What a problem is made for. Borrowed until the problem is destroyed. */
typedef struct SimulatedSetup {
    const SchedulerSetup *study;    /* space, directions, counts of objectives and constraints */
    double                tau;      /* units in which a static function's objective comes near its
                                       value (simulated_function.c); 0 = at once */
    const char        *table;       /* path of the curves; NULL: none */
    const char *const *objectives;  /* (study->objective_count) names of metrics; NULL: none */
    const char *const *constraints; /* (study->constraint_count); NULL: none */
    const char        *cost;        /* name of a metric, or NULL */
} SimulatedSetup;

/** One segment, from the problem's side. */
typedef struct SimulatedSegment {
    const double *parent; /* (state_size) of the agent it continues; NULL = a fresh one */
    const double *point;  /* (space_count) */
    int64_t       begin;  /* units from the root */
    int64_t       end;    /* > begin */
    uint64_t      seed;   /* of the line: inherited, drawn anew where a line branches */
} SimulatedSegment;

/** What it gave, without noise. */
typedef struct SimulatedResult {
    double state[SIMULATED_MAX_STATE];
    double objectives[SCHEDULER_MAX_OBJECTIVES]; /* in the study's units and direction */
    double constraints[SCHEDULER_MAX_CONSTRAINTS];
    double cost;    /* of this segment alone; NaN if the problem knows none */
    double seconds; /* that it takes; NaN if the problem knows none */
} SimulatedResult;

/** One kind of problem. Instances are const and live for the whole run. */
typedef struct SimulatedProblemOps {
    const char *name;       /* key on the command line */
    const char *source;     /* where it comes from */
    const char *help;       /* one sentence */
    const void *data;       /* of this file only: which of several that share the functions */
    size_t      state_size; /* <= SIMULATED_MAX_STATE */
    double      best;       /* objective of the best schedule known; NaN if not known */
    int64_t     per_trial;  /* units that it is meant to be trained for */
    int64_t     segment;    /* units of a segment that suit it */
    bool        maximize;   /* its own direction; a study of the other one gets the negative */
    bool        reduced;    /* it gives objectives, not values that objectives are reduced from */

    /** A search space that suits it (sealed); destroyed by the caller. NULL: none of its own. */
    Status (*space)(const struct SimulatedProblemOps *ops, Space **out);
    Status (*create)(const struct SimulatedProblemOps *ops, const SimulatedSetup *setup,
                     void **self);
    /** Pure, and callable by several threads. */
    Status (*train)(const void *self, const SimulatedSegment *segment, SimulatedResult *out);
    void (*destroy)(void *self); /* accepts NULL */

    /** Worst and best value of each objective (objective_count) that it can show. Optional: NULL
     * where it gives one objective only. */
    void (*range)(const void *self, double *worst, double *best);
} SimulatedProblemOps;

typedef struct SimulatedProblem {
    const SimulatedProblemOps *ops;
    void                      *self;
} SimulatedProblem;

/** Learning curves from a file (setup.table); not among those that are found by name. */
extern const SimulatedProblemOps simulated_table_ops;

/** Finds a problem by name. @return STATUS_OK; STATUS_ERR_UNKNOWN_NAME naming the nearest */
Status simulated_problem_find(const char *name, const SimulatedProblemOps **out) MUST_USE;
size_t simulated_problem_count(void);
const SimulatedProblemOps *simulated_problem_at(size_t index);
/**
 * Makes one for a study. @return STATUS_OK; STATUS_ERR_SHAPE if the space has not the
 * hyperparameters that it needs, or the study objectives or constraints that it cannot give;
 * STATUS_ERR_NOMEM; for a table what curve_table_read() returns
 */
Status simulated_problem_create(const SimulatedProblemOps *ops, const SimulatedSetup *setup,
                                SimulatedProblem *out) MUST_USE;
void   simulated_problem_destroy(SimulatedProblem *problem);

/** Which hyperparameters the coordinates are. */
typedef struct SimulatedCoordinates {
    const Space *space;
    size_t       index[SIMULATED_MAX_COORDINATES]; /* in the space */
    size_t       numeric;
    size_t       categorical;
} SimulatedCoordinates;

/** What a problem needs of a space. */
typedef struct SimulatedNeed {
    const char *name;        /* of the problem, for messages */
    size_t      numeric;     /* hyperparameters */
    size_t      categorical; /* hyperparameters */
    size_t      choices;     /* of each categorical one */
    bool        more;        /* more numeric ones are fine */
} SimulatedNeed;

/**
 * Finds them: at least `numeric` numeric ones (exactly, unless `more`), exactly `categorical`
 * others with `choices` choices each.
 * @return STATUS_OK; STATUS_ERR_SHAPE, also for more than SIMULATED_MAX_COORDINATES
 */
Status simulated_coordinates_find(const SimulatedNeed *need, const Space *space,
                                  SimulatedCoordinates *out) MUST_USE;
/** The coordinates of a point: x is (numeric + categorical). */
void simulated_coordinates_read(const SimulatedCoordinates *which, const double *point, double *x);

#endif
