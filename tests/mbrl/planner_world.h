/** @file planner_world.h  A task whose best plan is known, as a model and as a simulator.
 *
 * s' = s + a in two dimensions, reward -20 |s' - goal|^2, bounds that are not symmetric. What is
 * asked is recorded, and what is answered can be spoiled. State is of the file: one test program
 * includes it once.
 */
#ifndef TESTS_MBRL_PLANNER_WORLD_H
#define TESTS_MBRL_PLANNER_WORLD_H

#include "core/arena.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIM = 2 };

static const double low[DIM] = {-1.0, -0.5};
static const double high[DIM] = {2.0, 0.25};
static const double middle[DIM] = {0.5, -0.125};
static const double scale[DIM] = {1.0, 1.0};

/* how the world is at the moment */
static double goal[DIM];
static double forbidden; /* a first action dimension above this earns `poison` */
static double poison;
static int    fails_after; /* calls of predict() or step(); negative = never */
static double least[DIM];  /* of all actions that were asked about */
static double most[DIM];

static void world_reset(void) {
    goal[0] = 0.6;
    goal[1] = -0.3;
    forbidden = (double)INFINITY;
    poison = (double)NAN;
    fails_after = -1;
    for (size_t d = 0; d < DIM; d++) {
        least[d] = (double)INFINITY;
        most[d] = -(double)INFINITY;
    }
}

static double reward_of(const double *action, const double *next) {
    double sum = 0.0;
    for (size_t d = 0; d < DIM; d++) {
        sum -= 20.0 * (next[d] - goal[d]) * (next[d] - goal[d]);
        least[d] = fmin(least[d], action[d]);
        most[d] = fmax(most[d], action[d]);
    }
    return action[0] > forbidden ? poison : sum;
}

/* ---- the model ---- */

static size_t model_members(const void *self) {
    (void)self;
    return 2;
}

static size_t model_outputs(const void *self) {
    (void)self;
    return DIM;
}

static bool model_stochastic(const void *self) {
    (void)self;
    return true;
}

static Status model_predict(const void *self, size_t member, const float *x, size_t stride,
                            size_t n, float *mean, float *sd, Arena *scratch) {
    (void)self;
    (void)member;
    (void)scratch;
    if (fails_after == 0) {
        FAIL(STATUS_ERR_NUMERIC, "the world fails");
    }
    fails_after--;
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < DIM; d++) {
            mean[j * DIM + d] = x[j * stride + DIM + d];
            sd[j * DIM + d] = 0.0f;
        }
    }
    return STATUS_OK;
}

static size_t model_scratch(const void *self, size_t n) {
    (void)self;
    return n;
}

static double model_flop(const void *self) {
    (void)self;
    return 10.0;
}

static const DynamicsModelOps model = {
    .name = "exact",
    .members = model_members,
    .stochastic = model_stochastic,
    .outputs = model_outputs,
    .predict = model_predict,
    .predict_scratch = model_scratch,
    .predict_flop = model_flop,
};

/* ---- the simulator ---- */

static Status world_create(const EnvironmentOps *task, void **self) {
    (void)task;
    *self = calloc(DIM, sizeof(double));
    if (*self == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a world");
    }
    return STATUS_OK;
}

static Status world_step(void *self, const double *action, double *state, EnvironmentStep *out) {
    double *position = self;
    if (fails_after == 0) {
        FAIL(STATUS_ERR_NUMERIC, "the world fails");
    }
    fails_after--;
    for (size_t d = 0; d < DIM; d++) {
        position[d] += action[d];
        state[d] = position[d];
    }
    const double reward = reward_of(action, state);
    *out = (EnvironmentStep){.reward = reward, .diverged = isnan(reward)};
    return STATUS_OK;
}

static void world_save(const void *self, double *snapshot) {
    memcpy(snapshot, self, DIM * sizeof *snapshot);
}

static Status world_load(void *self, const double *snapshot, double *state) {
    memcpy(self, snapshot, DIM * sizeof *snapshot);
    memcpy(state, snapshot, DIM * sizeof *snapshot);
    return STATUS_OK;
}

static void world_features(const EnvironmentOps *task, const float *state, size_t n,
                           float *features, size_t stride) {
    (void)task;
    for (size_t j = 0; j < n; j++) {
        memcpy(features + j * stride, state + j * DIM, DIM * sizeof *state);
    }
}

static void world_rewards(const EnvironmentOps *task, const float *state, const float *action,
                          const float *next, size_t n, float *reward) {
    (void)task;
    (void)state;
    for (size_t j = 0; j < n; j++) {
        const double a[DIM] = {(double)action[j * DIM], (double)action[j * DIM + 1]};
        const double s[DIM] = {(double)next[j * DIM], (double)next[j * DIM + 1]};
        reward[j] = (float)reward_of(a, s);
    }
}

static const EnvironmentOps world = {
    .name = "world",
    .state_dim = DIM,
    .action_dim = DIM,
    .feature_dim = DIM,
    .action_low = low,
    .action_high = high,
    .target_scale = scale,
    .snapshot_size = DIM,
    .create = world_create,
    .destroy = free,
    .step = world_step,
    .save = world_save,
    .load = world_load,
    .features = world_features,
    .rewards = world_rewards,
};

#endif
