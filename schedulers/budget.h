/** @file budget.h  How much training a configuration gets: all of it, or more only if it does well.
 *
 * Depths are cut into rungs. Each configuration is trained to a first rung, then the budget is
 * asked: on to the next, stop, or pause. It knows no values and no segments: chains.h has those. As
 * in scheduler.h, what takes a `const void *self` does not change the state.
 */
#ifndef SCHEDULERS_BUDGET_H
#define SCHEDULERS_BUDGET_H

#include "schedulers/scheduler.h"

/** How good a configuration was at a rung. */
typedef struct BudgetResult {
    double loss;      /* first objective turned so that smaller is better; INFINITY: failed */
    double violation; /* of the constraints: 0 = feasible, INFINITY: failed */
} BudgetResult;

/** < 0 if `a` is better, > 0 if `b` is, 0 if they are equal: the smaller violation, then loss. */
static inline int budget_compare(const BudgetResult *a, const BudgetResult *b) {
    if (a->violation != b->violation) {
        return (a->violation < b->violation) ? -1 : 1;
    }
    return (a->loss > b->loss) - (a->loss < b->loss);
}

typedef enum Verdict {
    VERDICT_STOP,  /* no more training */
    VERDICT_PAUSE, /* more when promote() names it */
    VERDICT_GO,    /* on to the next rung */
} Verdict;

/** One way to spend. Instances are const. */
typedef struct BudgetOps {
    const char *name;
    /** @param options  values of the budget's own rows, in their order; NULL if it has none */
    Status (*create)(const SchedulerSetup *setup, const double *options, void **self);
    /* Depths at which configurations may be judged, ascending; the last is per_trial. Writes up to
     * `most` of them, returns how many there are (at least 1) */
    size_t (*rungs)(const void *self, int64_t *depths, size_t most);
    /* index of the rung that a configuration is trained to first */
    size_t (*first_rung)(const void *self, int64_t configuration);
    /* A configuration has a result at a rung below the last. One that failed is stopped, but the
     * budget is told. A failure of the call changes nothing */
    Status (*reached)(void *self, int64_t configuration, size_t rung, const BudgetResult *result,
                      Verdict *verdict);
    /* The paused configuration that is to go on to its next rung now; -1: none. `last`: nothing is
     * being trained and no configuration will begin. NULL in a budget that never pauses */
    int64_t (*promote)(const void *self, bool last);
    /* a paused configuration goes on */
    void (*promoted)(void *self, int64_t configuration);
    void (*destroy)(void *self); /* accepts NULL */
} BudgetOps;

extern const BudgetOps budget_full_ops; /* every configuration to per_trial */

#endif
