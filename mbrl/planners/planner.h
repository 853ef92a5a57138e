/** @file planner.h  Choosing actions by searching action sequences in a learned model. */
#ifndef MBRL_PLANNERS_PLANNER_H
#define MBRL_PLANNERS_PLANNER_H

#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"

#include <stddef.h>
#include <stdint.h>

/** What one control step cost and found. */
typedef struct PlanReport {
    double  flop;            /* of the plain algorithm: rows predicted x predict_flop */
    double  expected_return; /* mean predicted return of the chosen sequence's elites */
    int64_t iterations;
} PlanReport;

typedef struct PlannerOps {
    const char       *name;
    const char       *source;
    const OptionSpec *options;

    Status (*create)(const EnvironmentOps *environment, const double *option_values, void **self);
    void (*destroy)(void *self);
    /* new values of dynamic options; the warm start is resampled to a new horizon */
    Status (*set)(void *self, const double *option_values);
    /* drops the warm start at the beginning of an episode */
    void (*reset)(void *self);
    /**
     * Plans from `state` (s, double) and writes the first action (a).
     * Draws only from lanes of (seed, step, RNG_PLAN_ACTIONS) and (seed, step, RNG_PLAN_PARTICLES).
     * Non-finite predicted returns are the worst, never an elite unless all are.
     */
    Status (*plan)(void *self, const DynamicsModelOps *model, const void *model_self,
                   const double *state, uint64_t seed, uint64_t step, double *action,
                   PlanReport *report);
    /* the warm start; load(save) continues bit for bit */
    Status (*save)(const void *self, Buffer *out);
    Status (*load)(void *self, const void *bytes, size_t length);
} PlannerOps;

extern const PlannerOps planner_cem_ops; /* "cem" */

/* Rows predicted per control step, for `mbtune validate`. */
double planner_cem_rows(const double *option_values);

#endif
