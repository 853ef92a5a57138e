/** @file backend.h  Where planners get the future from: predicted returns of action sequences.
 *
 * A planner proposes candidate sequences and asks a back end what each would return. Two exist: the
 * learned model on the CPU (rollout.c) and the simulator itself (simulation.c). Every planner works
 * with either, and another one (a GPU) is one file with a PlannerBackend and a row in registry.c.
 */
#ifndef MBRL_PLANNERS_BACKEND_H
#define MBRL_PLANNERS_BACKEND_H

#include "core/buffer.h"
#include "core/option.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How uncertainty travels along a predicted trajectory. Values are stored: append. */
typedef enum Propagation {
    PROPAGATION_TS1,   /* a particle changes its member at every step */
    PROPAGATION_TSINF, /* a particle keeps its member */
    PROPAGATION_E,     /* one particle; the mean of all members, no noise */
    PROPAGATION_DS,    /* each step sampled from one Gaussian with the members' joint moments */
    PROPAGATION_MM,    /* DS, then a candidate's particles are redrawn from their own Gaussian */
    PROPAGATION_COUNT
} Propagation;

/** Options that all planners share. */
typedef enum RolloutOption {
    ROLLOUT_HORIZON,
    ROLLOUT_PARTICLES,
    ROLLOUT_PROPAGATION,
    ROLLOUT_MAX_PLAN_SECONDS,
    ROLLOUT_OPTION_COUNT
} RolloutOption;

enum { ROLLOUT_MAX_HORIZON = 200 };

extern const OptionSpec rollout_options[ROLLOUT_OPTION_COUNT + 1];

/**
 * Do a kind of model and a propagation go together? One member: without noise E only; with noise E,
 * DS, MM, and TS1 and TSinf, which are DS then. Several members: all.
 *
 * @param members     in use
 * @param stochastic  the model predicts a standard deviation
 * @param notes       in/out  NULL, or gets a line where the values are accepted but are not what
 *                    they seem: TS1 and TSinf of one member; particles that cannot be dealt evenly
 * @return STATUS_OK; STATUS_ERR_ARG with a sentence that names what would go
 */
Status rollout_check(Propagation propagation, size_t particles, size_t members, bool stochastic,
                     Buffer *notes) MUST_USE;
/** Particles of a candidate that are followed: 1 for E. */
size_t rollout_particles(Propagation propagation, size_t particles);
/** Predictions of the plain algorithm per candidate and time step: one per particle, in E, DS and
 * MM by each member. */
double rollout_predictions(Propagation propagation, size_t particles, size_t members);
/** TS1 and TSinf: has each candidate the same number of particles on every member? If not, they
 * are dealt over all candidates x particles. Always true for E, DS, MM. */
bool rollout_is_balanced(Propagation propagation, size_t particles, size_t members);

/** c = candidates, p = particles, t = horizon, a = action_dim. */
typedef struct RolloutShape {
    size_t      candidates; /* at most, in one evaluate() */
    size_t      particles;  /* as in the option; E follows one whatever it says */
    size_t      horizon;
    Propagation propagation;
    /* the model has state_dim + 1 outputs, and the last is the (absolute) reward of the step: its
     * mean is what a particle earns, the environment is not asked. What it learned is the episode's
     * reward, also where planners have another objective */
    bool   learned_reward;
    size_t tile; /* rows predicted in one call; changes the speed, never the result */
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

Status                planner_backend_find(const char *name, const PlannerBackend **out) MUST_USE;
size_t                planner_backend_count(void);
const PlannerBackend *planner_backend_at(size_t index);

#endif
