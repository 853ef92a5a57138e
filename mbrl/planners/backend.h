/** @file backend.h  Where planners get the future from: predicted returns of action sequences.
 *
 * A planner proposes candidate sequences and asks a back end what each would return. Two exist: the
 * learned model on the CPU (rollout.c) and the simulator itself (simulation.c). Every planner works
 * with either. Another one is a .c file with a PlannerBackend, a line in builtin.h and in
 * CMakeLists.txt, and a row in registry.c; on a device of its own it copies the model from
 * DynamicsModelOps.view (docs/decisions.md, "A back end on a device").
 */
#ifndef MBRL_PLANNERS_BACKEND_H
#define MBRL_PLANNERS_BACKEND_H

#include "core/buffer.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"
#include "mbrl/planners/rollout.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** c = candidates, p = particles, t = horizon, a = action_dim. */
typedef struct RolloutShape {
    size_t      candidates; /* at most, in one evaluate() */
    size_t      particles;  /* as in the option; E follows one whatever it says */
    size_t      horizon;
    Propagation propagation;
    /* the model has state_dim + 1 outputs, and the last is the (absolute) reward of the step: its
     * mean is what a particle earns, the environment is not asked. What it learned is the episode's
     * reward, also where planners have another objective */
    bool learned_reward;
} RolloutShape;

/** One control step: where it starts, and what knows the future. */
typedef struct PlanTask {
    const DynamicsModelOps *model; /* learned model, or NULL (true_dynamics) */
    const void             *model_self;
    const double           *state; /* (s) observed now */
    const double *snapshot;        /* of the simulator (EnvironmentOps.save), or NULL (learned) */
    uint64_t      seed;            /* streams (seed, step, RNG_PLAN_...) */
    uint64_t      step;
    ThreadPool   *pool; /* NULL = one thread; the results are the same bits for any number */
} PlanTask;

/** One batch of candidates to evaluate. */
typedef struct RolloutTask {
    const PlanTask *plan;
    const float    *actions; /* (t, c, a) */
    size_t          candidates;
    size_t          iteration; /* its lanes are 2 (iteration t + time) and the next */
    double          deadline;  /* by clock_monotonic(); 0 = none, the clock is not read */
} RolloutTask;

/** What an evaluation cost. */
typedef struct RolloutResult {
    double flop;      /* of the plain algorithm: predictions x predict_flop */
    double env_steps; /* control steps simulated */
    bool   expired;   /* the deadline came first: the returns are of no use */
} RolloutResult;

typedef struct PlannerBackend {
    const char *name; /* the value of `planning_model` */
    const char *help;
    bool        needs_model; /* plans with task->model; else with task->snapshot */

    /* optional: can this machine plan here? @return STATUS_OK; STATUS_ERR_STATE with a sentence.
     * create() does not ask */
    Status (*check_machine)(void);
    /* optional: AgentOps.numerics for what this back end computes ("; planning on ...") */
    void (*numerics)(Buffer *out);
    /* @return STATUS_OK, STATUS_ERR_NOMEM (`*self` is NULL) or what environment->create() says */
    Status (*create)(const EnvironmentOps *environment, void **self);
    void (*destroy)(void *self); /* accepts NULL */
    /**
     * Makes room for a shape and the threads of task->pool; allocates only if it needs more than
     * any before.
     * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_RANGE if the rows exceed 2^32;
     *         STATUS_ERR_ARG if model and propagation do not go together, or the task lacks the
     *         model or the snapshot; what environment->create() says
     */
    Status (*reserve)(void *self, const RolloutShape *shape, const PlanTask *task);
    /**
     * Mean over the particles of the sum of environment_planner_rewards() (of the simulator: the
     * step's own reward where that is the objective), allocating nothing. After a
     * predicted termination a particle earns 0, whatever is predicted (NaN included); the reward of
     * the terminating step counts.
     *
     * @param returns  out  (c) NaN or infinite where a prediction was
     * @return STATUS_OK; STATUS_ERR_RANGE if 2 iterations t exceed the lanes of a stream (2^16);
     *         STATUS_ERR_STATE if there are more threads than room was made for; what the model's
     *         predict() or the environment's step() fails with
     */
    Status (*evaluate)(void *self, const RolloutTask *task, double *returns, RolloutResult *result);
} PlannerBackend;

size_t                planner_backend_count(void);
const PlannerBackend *planner_backend_at(size_t index);

#endif
