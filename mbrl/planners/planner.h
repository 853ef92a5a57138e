/** @file planner.h  Choosing actions by searching action sequences in a model of the future. */
#ifndef MBRL_PLANNERS_PLANNER_H
#define MBRL_PLANNERS_PLANNER_H

#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"
#include "mbrl/planners/backend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a planner is made of; values and tables are copied or outlive it. */
typedef struct PlannerSetup {
    const EnvironmentOps *environment;
    const PlannerBackend *backend;
    const double         *rollout_values; /* of rollout_options */
    const double         *values;         /* of the planner's own options */
    bool                  learned_reward; /* see RolloutShape */
} PlannerSetup;

/** What one control step cost and found. */
typedef struct PlanReport {
    double  flop;            /* of the plain algorithm: rows predicted x predict_flop */
    double  env_steps;       /* control steps simulated (true_dynamics) */
    double  expected_return; /* predicted, of what was chosen; NaN if nothing finite was */
    int64_t iterations;      /* completed, or of use */
    bool    timed_out;       /* max_plan_seconds ended the search: the best plan known was taken */
} PlanReport;

typedef struct PlannerOps {
    const char       *name;
    const char       *source;
    const char       *help;    /* one line */
    const OptionSpec *options; /* its own; rollout_options come on top */

    Status (*create)(const PlannerSetup *setup, void **self);
    void (*destroy)(void *self);
    /* new values of dynamic options; the warm start is cut to a shorter horizon, or continued with
     * the middle of the bounds */
    Status (*set)(void *self, const double *rollout_values, const double *values);
    /* drops the warm start at the beginning of an episode */
    void (*reset)(void *self);
    /**
     * Plans and writes the first action (a), inside its bounds.
     * Draws actions only from lanes of (seed, step, RNG_PLAN_ACTIONS); the back end draws from
     * (seed, step, RNG_PLAN_PARTICLES).
     * Non-finite returns are the worst: such a candidate is never chosen and teaches nothing. If
     * all are, the plan that it began with is carried out. On failure the planner, `action` and
     * `report` are as they were.
     */
    Status (*plan)(void *self, const PlanTask *task, double *action, PlanReport *report);
    /* the warm start; load(save) continues bit for bit */
    Status (*save)(const void *self, Buffer *out);
    Status (*load)(void *self, const void *bytes, size_t length);
    /* candidates evaluated per control step at most, all iterations together */
    double (*candidates)(const double *values);
} PlannerOps;

size_t            planner_count(void);
const PlannerOps *planner_at(size_t index);

#endif
