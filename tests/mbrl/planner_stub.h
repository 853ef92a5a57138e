/** @file planner_stub.h  A model and an environment whose futures are known in closed form.
 *
 * State (x, k): x moves by the action plus the member's drift plus noise, k counts steps. The stub
 * model is `struct StubModel`; the environment's reward and termination are set through pointers.
 */
#ifndef TESTS_MBRL_PLANNER_STUB_H
#define TESTS_MBRL_PLANNER_STUB_H

#include "tests/support/test_support.h"

#include "core/arena.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/dynamics_model.h"
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/rollout_internal.h"

#include <math.h>

enum { STUB_STATE = 2, STUB_MEMBERS = 8 };

typedef struct StubModel {
    size_t members;
    double drift[STUB_MEMBERS];
    double sd;
    double gain; /* of the action */
    bool   deterministic;
    double curvature;          /* x moves by this times x^2, too */
    bool   decay;              /* noise at the first step only */
    bool   reward;             /* a third output: 10 x action + drift */
    size_t rows[STUB_MEMBERS]; /* predicted so far */
    int    fails_after;        /* calls; negative = never */
} StubModel;

static size_t stub_members(const void *self) {
    const StubModel *model = self;
    return model->members;
}

static Status stub_predict(const void *self, size_t member, const float *x, size_t stride, size_t n,
                           float *mean, float *sd, Arena *scratch) {
    StubModel *model = (StubModel *)(uintptr_t)self; /* counts its calls */
    (void)scratch;
    if (model->fails_after == 0) {
        FAIL(STATUS_ERR_NUMERIC, "the stub fails");
    }
    model->fails_after--;
    model->rows[member] += n;
    const size_t outputs = STUB_STATE + (model->reward ? 1 : 0);
    for (size_t j = 0; j < n; j++) {
        const float *row = x + j * stride;
        const double position = (double)row[0];
        const double drift = model->drift[member];
        const bool   noisy = !model->decay || row[1] == 0.0f;
        mean[outputs * j] = (float)(drift + model->gain * (double)row[STUB_STATE] +
                                    model->curvature * position * position);
        mean[outputs * j + 1] = 1.0f;
        sd[outputs * j] = noisy ? (float)model->sd : 0.0f;
        sd[outputs * j + 1] = 0.0f;
        if (model->reward) {
            mean[outputs * j + 2] = (float)(drift + 10.0 * (double)row[STUB_STATE]);
            sd[outputs * j + 2] = 1.0f;
        }
    }
    return STATUS_OK;
}

static size_t stub_predict_scratch(const void *self, size_t n) {
    (void)self;
    return n;
}

static size_t stub_outputs(const void *self) {
    const StubModel *model = self;
    return STUB_STATE + (model->reward ? 1 : 0);
}

static bool stub_stochastic(const void *self) {
    const StubModel *model = self;
    return !model->deterministic;
}

static double stub_predict_flop(const void *self) {
    (void)self;
    return 10.0;
}

static const DynamicsModelOps stub_model_ops = {
    .name = "stub",
    .members = stub_members,
    .stochastic = stub_stochastic,
    .outputs = stub_outputs,
    .predict = stub_predict,
    .predict_scratch = stub_predict_scratch,
    .predict_flop = stub_predict_flop,
};

static void stub_features(const EnvironmentOps *task, const float *state, size_t n, float *features,
                          size_t stride) {
    (void)task;
    for (size_t j = 0; j < n; j++) {
        features[j * stride] = state[STUB_STATE * j];
        features[j * stride + 1] = state[STUB_STATE * j + 1];
    }
}

/* reward of one row; k = step number of `next`, 1 at the first */
static float (*stub_reward)(float x, float action, float next, float k);

static void stub_rewards(const EnvironmentOps *task, const float *state, const float *action,
                         const float *next, size_t n, float *reward) {
    (void)task;
    for (size_t j = 0; j < n; j++) {
        reward[j] = stub_reward(state[STUB_STATE * j], action[j], next[STUB_STATE * j],
                                next[STUB_STATE * j + 1]);
    }
}

static void stub_terminated(const EnvironmentOps *task, const float *next, size_t n,
                            unsigned char *terminated) {
    (void)task;
    for (size_t j = 0; j < n; j++) {
        terminated[j] = next[STUB_STATE * j] > 1.0f;
    }
}

static const double stub_low[1] = {-1.0};
static const double stub_high[1] = {1.0};
static const double stub_scale[STUB_STATE] = {1.0, 0.0};

static const EnvironmentOps stub_environment = {
    .name = "stub",
    .state_dim = STUB_STATE,
    .action_dim = 1,
    .feature_dim = STUB_STATE,
    .action_low = stub_low,
    .action_high = stub_high,
    .target_scale = stub_scale,
    .features = stub_features,
    .rewards = stub_rewards,
};

/** The learned model's back end, predicting at most `tile` rows at a time. */
static inline void *stub_rollout(const EnvironmentOps *environment, size_t tile) {
    void *self = NULL;
    assert_ok(planner_backend_rollout_ops.create(environment, &self));
    ((Rollout *)self)->tile = tile;
    return self;
}

#endif
