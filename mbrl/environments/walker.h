/** @file walker.h  What `half_cheetah` and `hopper` share: a body that walks along x in a plane.
 *
 * qpos starts with x, height and pitch of the torso. The state is (dx/dt over the control step,
 * qpos from the height on, qvel); a model is given the pitch as sine and cosine, and not the speed,
 * which it predicts.
 *
 * Source: handful-of-trials (Chua et al. 2018), dmbrl/env/half_cheetah.py and
 * dmbrl/config/halfcheetah.py.
 */
#ifndef MBRL_ENVIRONMENTS_WALKER_H
#define MBRL_ENVIRONMENTS_WALKER_H

#include "mbrl/environments/mujoco_task.h"

#include <stddef.h>

enum { WALKER_SPEED, WALKER_HEIGHT, WALKER_PITCH, WALKER_REST };

/** (speed, qpos (nq) from the height on, qvel (nq)). */
static inline void walker_observe(const mjData *data, size_t nq, double speed, double *state) {
    state[WALKER_SPEED] = speed;
    for (size_t i = 1; i < nq; i++) {
        state[i] = data->qpos[i];
    }
    for (size_t i = 0; i < nq; i++) {
        state[nq + i] = data->qvel[i];
    }
}

/** EnvironmentOps.features of a walker: (height, sin pitch, cos pitch, rest), as many as the state
 * has numbers. */
void walker_features(const EnvironmentOps *task, const float *state, size_t n, float *features,
                     size_t stride);

/** Sum of squares of an action. */
static inline float walker_effort_float(const float *action, size_t dim) {
    float sum = 0.0f;
    for (size_t i = 0; i < dim; i++) {
        sum += action[i] * action[i];
    }
    return sum;
}

static inline double walker_effort_double(const double *action, size_t dim) {
    double sum = 0.0;
    for (size_t i = 0; i < dim; i++) {
        sum += action[i] * action[i];
    }
    return sum;
}

#endif
