/** @file rollout.h  Predicted returns of action sequences in a learned model.
 *
 * Every candidate sequence is followed by `particles` particles from the same state. A particle is
 * predicted by one member of the ensemble at a time: always the same (TSinf), or another at every
 * step (TS1). This is the part of a planner that another back end would replace.
 *
 * Source: PETS (Chua et al. 2018), section 5.1.
 */
#ifndef MBRL_PLANNERS_ROLLOUT_H
#define MBRL_PLANNERS_ROLLOUT_H

#include "core/status.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"

#include <stddef.h>
#include <stdint.h>

typedef enum Propagation { PROPAGATION_TS1, PROPAGATION_TSINF } Propagation;

/** c = candidates, p = particles, t = horizon, a = action_dim. Row p * candidates + c is particle p
 * of candidate c. */
typedef struct RolloutShape {
    size_t      candidates;
    size_t      particles;
    size_t      horizon;
    Propagation propagation;
    size_t      tile; /* rows predicted in one call; changes the speed, never the result */
} RolloutShape;

/** One batch of candidates to evaluate. */
typedef struct RolloutTask {
    const DynamicsModelOps *model;
    const void             *model_self;
    const double           *state;   /* (s) all particles start here */
    const float            *actions; /* (t, c, a) */
    uint64_t                seed;    /* streams (seed, step, RNG_PLAN_PARTICLES) */
    uint64_t                step;
    size_t                  iteration; /* its lanes are 2 (iteration t + time) and the next */
} RolloutTask;

typedef struct Rollout Rollout; /* opaque */

/** @return STATUS_OK, STATUS_ERR_NOMEM (`*out` is NULL) */
Status rollout_create(const EnvironmentOps *environment, Rollout **out) MUST_USE;
/** Accepts NULL. */
void rollout_destroy(Rollout *rollout);
/**
 * Makes room for a shape and a model; allocates only if either needs more than any before.
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_RANGE if 2 iterations t exceed the lanes of a
 *         stream (2^16) or the rows 2^32
 */
Status rollout_reserve(Rollout *rollout, const RolloutShape *shape, const DynamicsModelOps *model,
                       const void *model_self) MUST_USE;
/**
 * Mean over the particles of the sum of predicted rewards.
 *
 * After a predicted termination a particle earns 0, whatever the model says (NaN included); the
 * reward of the terminating step counts. Particles are spread over the members evenly: per
 * candidate where p is a multiple of the members, else over all candidates x particles.
 *
 * @param returns  out  (c), NaN or infinite where a prediction was
 * @return STATUS_OK; what the model's predict() fails with
 */
Status rollout_evaluate(Rollout *rollout, const RolloutTask *task, double *returns) MUST_USE;

#endif
