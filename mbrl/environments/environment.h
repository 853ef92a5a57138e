/** @file environment.h  What an agent acts in: one struct of facts and functions per task.
 *
 * Facts (dimensions, bounds, dt, scales) are data, not functions. The episode is simulated in
 * double; the planner sees the same reward and termination as batched float32 functions.
 */
#ifndef MBRL_ENVIRONMENTS_ENVIRONMENT_H
#define MBRL_ENVIRONMENTS_ENVIRONMENT_H

#include "core/rng.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENV_MAX_STATE = 64, ENV_MAX_ACTION = 32 };

/** What one step gave. */
typedef struct EnvironmentStep {
    double reward;
    bool   terminated; /* the task ended the episode (not the time limit) */
    bool   diverged;   /* NaN, infinity or a solver warning: the episode counts as worst_return */
} EnvironmentStep;

/**
 * s = state_dim (what the agent observes), a = action_dim, f = feature_dim (what the dynamics model
 * is given besides the action), n = rows of a batch. Batches are row-major float32.
 */
typedef struct EnvironmentOps EnvironmentOps;
struct EnvironmentOps {
    const char   *name;
    const char   *source;      /* reference implementation whose constants were used */
    const char   *help;        /* one line */
    const char   *observation; /* names of the state's numbers with units, one line */
    const char   *inputs;      /* what `features` makes of them; NULL = the state itself */
    const char   *start;       /* the reset distribution, one line */
    size_t        state_dim;
    size_t        action_dim;
    size_t        feature_dim;
    double        dt;             /* s, of one control step */
    int64_t       episode_length; /* control steps at most */
    const double *action_low;     /* (a) */
    const double *action_high;    /* (a) */
    const double *target_scale;   /* (s) standard deviation of the one-step target under the random
                                     policy; 0 = constant dimension, left out of likelihoods */
    const bool *target_absolute;  /* (s) target is the next value itself, else the change; NULL =
                                     all changes */
    double      worst_return;     /* of a diverged episode */
    size_t      snapshot_size;    /* doubles of a complete simulator state */
    const void *data;             /* what a task that was built at run time works with; else NULL */

    /* required; `task` is the environment itself, so that it finds its `data` */
    Status (*create)(const EnvironmentOps *task, void **self);
    void (*destroy)(void *self);
    /* starts an episode; state (s) out */
    Status (*reset)(void *self, Rng *rng, double *state);
    /* holds action (a), clipped to its bounds, for dt; state (s) out */
    Status (*step)(void *self, const double *action, double *state, EnvironmentStep *out);
    /* complete simulator state, so that continuing gives the same bits (snapshot_size doubles) */
    void (*save)(const void *self, double *snapshot);
    Status (*load)(void *self, const double *snapshot, double *state);
    /* reward of one transition: state (s), action (a), next (s) */
    double (*reward)(const EnvironmentOps *task, const double *state, const double *action,
                     const double *next);
    /* state (n, s) -> features (n, f) with row stride `stride` floats */
    void (*features)(const EnvironmentOps *task, const float *state, size_t n, float *features,
                     size_t stride);
    /* `reward` of a batch: (n, s), (n, a), (n, s) -> (n) */
    void (*rewards)(const EnvironmentOps *task, const float *state, const float *action,
                    const float *next, size_t n, float *reward);
    /* optional: predicted termination, next (n, s) -> (n) 0 or 1; NULL = never */
    void (*terminated)(const EnvironmentOps *task, const float *next, size_t n,
                       unsigned char *terminated);
    /* optional: what a planner maximizes where the literature plans with something else than the
     * reward; NULL = rewards */
    void (*planner_rewards)(const EnvironmentOps *task, const float *state, const float *action,
                            const float *next, size_t n, float *reward);
    const char *planner_objective; /* its name in one line; NULL with planner_rewards == NULL */
};

/** What a planner maximizes: planner_rewards where the task has it, else rewards. */
void environment_planner_rewards(const EnvironmentOps *task, const float *state,
                                 const float *action, const float *next, size_t n, float *reward);

/** Features that are the state itself; for any environment with feature_dim = state_dim. */
void environment_copy_features(const EnvironmentOps *task, const float *state, size_t n,
                               float *features, size_t stride);

Status                environment_find(const char *name, const EnvironmentOps **out) MUST_USE;
size_t                environment_count(void);
const EnvironmentOps *environment_at(size_t index);
/** Names of environments that this build lacks, with the reason ("pusher: built without MuJoCo");
 * ends at NULL. */
const char *const *environment_unavailable(void);

#endif
