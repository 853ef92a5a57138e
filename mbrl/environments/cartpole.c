/* Balance a pole on a cart with a continuous force: the task that mbrl-lib calls cartpole.
 *
 * Dynamics and constants are those of the classic control task (Barto, Sutton & Anderson 1983, as
 * in gym), explicit Euler with 0.02 s; the action in [-1, 1] scales the force. An episode ends when
 * the cart leaves +-2.4 m or the pole +-12 degrees. The reward is that of mbrl-lib's reward
 * function, which its planner maximizes: 1 for every step that ends inside the limits, so the step
 * that falls earns 0 (mbrl-lib's simulator itself pays 1 for it; whole episodes of 200 are the same
 * in both).
 */
#include "mbrl/environments/builtin.h"

#include "core/kernel.h"
#include "core/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_X, STATE_X_DOT, STATE_ANGLE, STATE_ANGLE_DOT, STATE_DIM };

/* mbrl-lib, mbrl/env/cartpole_continuous.py */
static const double gravity = 9.8;                    /* m/s^2 */
static const double cart_mass = 1.0;                  /* kg */
static const double pole_mass = 0.1;                  /* kg */
static const double half_length = 0.5;                /* m, of the pole */
static const double force_scale = 10.0;               /* N at action 1 */
static const double time_step = 0.02;                 /* s */
static const double start_width = 0.05;               /* states start uniform in +-this */
static const double x_limit = 2.4;                    /* m */
static const double angle_limit = 0.2094395102393195; /* rad, 12 degrees */

static const double action_low[1] = {-1.0};
static const double action_high[1] = {1.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.0073315924, 0.11242977, 0.011433452, 0.17030747};

typedef struct Cartpole {
    double state[STATE_DIM];
} Cartpole;

static Status cartpole_create(const EnvironmentOps *task, void **self) {
    (void)task;
    *self = calloc(1, sizeof(Cartpole));
    if (*self == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the cartpole environment");
    }
    return STATUS_OK;
}

static void cartpole_destroy(void *self) {
    free(self);
}

static Status cartpole_reset(void *self, Rng *rng, double *state) {
    Cartpole *cartpole = self;
    for (size_t i = 0; i < STATE_DIM; i++) {
        cartpole->state[i] = start_width * (2.0 * rng_uniform(rng) - 1.0);
    }
    memcpy(state, cartpole->state, sizeof cartpole->state);
    return STATUS_OK;
}

static bool fell(const double *state) {
    const double x = state[STATE_X];
    const double angle = state[STATE_ANGLE];
    return !(x > -x_limit && x < x_limit && angle > -angle_limit && angle < angle_limit);
}

static double cartpole_reward(const EnvironmentOps *task, const double *state, const double *action,
                              const double *next) {
    (void)task;
    (void)state;
    (void)action;
    return fell(next) ? 0.0 : 1.0;
}

static Status cartpole_step(void *self, const double *action, double *state, EnvironmentStep *out) {
    Cartpole    *cartpole = self;
    double      *s = cartpole->state;
    const double before[STATE_DIM] = {s[0], s[1], s[2], s[3]};
    const double clipped = fmin(fmax(action[0], action_low[0]), action_high[0]);

    const double sine = sin(s[STATE_ANGLE]);
    const double cosine = cos(s[STATE_ANGLE]);
    const double total_mass = cart_mass + pole_mass;
    const double push = (clipped * force_scale +
                         pole_mass * half_length * s[STATE_ANGLE_DOT] * s[STATE_ANGLE_DOT] * sine) /
                        total_mass;
    const double angle_acceleration =
        (gravity * sine - cosine * push) /
        (half_length * (4.0 / 3.0 - pole_mass * cosine * cosine / total_mass));
    const double acceleration =
        push - pole_mass * half_length * angle_acceleration * cosine / total_mass;

    s[STATE_X] += time_step * s[STATE_X_DOT];
    s[STATE_X_DOT] += time_step * acceleration;
    s[STATE_ANGLE] += time_step * s[STATE_ANGLE_DOT];
    s[STATE_ANGLE_DOT] += time_step * angle_acceleration;

    memcpy(state, s, sizeof cartpole->state);
    out->diverged = !number_all_finite(s, STATE_DIM) || !isfinite(action[0]);
    out->terminated = !out->diverged && fell(s);
    out->reward = out->diverged ? 0.0 : cartpole_reward(NULL, before, action, s);
    return STATUS_OK;
}

static void cartpole_save(const void *self, double *snapshot) {
    const Cartpole *cartpole = self;
    memcpy(snapshot, cartpole->state, sizeof cartpole->state);
}

static Status cartpole_load(void *self, const double *snapshot, double *state) {
    Cartpole *cartpole = self;
    memcpy(cartpole->state, snapshot, sizeof cartpole->state);
    memcpy(state, snapshot, sizeof cartpole->state);
    return STATUS_OK;
}

static void cartpole_features(const EnvironmentOps *task, const float *state, size_t n,
                              float *features, size_t stride) {
    (void)task;
    for (size_t i = 0; i < n; i++) {
        memcpy(features + i * stride, state + i * STATE_DIM, STATE_DIM * sizeof *state);
    }
}

KERNEL_CLONES
static void cartpole_terminated(const EnvironmentOps *task, const float *next, size_t n,
                                unsigned char *terminated) {
    const float x_bound = (float)x_limit;
    const float angle_bound = (float)angle_limit;
    (void)task;
    for (size_t i = 0; i < n; i++) {
        const float x = next[i * STATE_DIM + STATE_X];
        const float angle = next[i * STATE_DIM + STATE_ANGLE];
        const int   inside =
            (x > -x_bound) & (x < x_bound) & (angle > -angle_bound) & (angle < angle_bound);
        terminated[i] = (unsigned char)!inside;
    }
}

KERNEL_CLONES
static void cartpole_rewards(const EnvironmentOps *task, const float *state, const float *action,
                             const float *next, size_t n, float *reward) {
    const float x_bound = (float)x_limit;
    const float angle_bound = (float)angle_limit;
    (void)task;
    (void)state;
    (void)action;
    for (size_t i = 0; i < n; i++) {
        const float x = next[i * STATE_DIM + STATE_X];
        const float angle = next[i * STATE_DIM + STATE_ANGLE];
        const int   inside =
            (x > -x_bound) & (x < x_bound) & (angle > -angle_bound) & (angle < angle_bound);
        reward[i] = (float)inside;
    }
}

const EnvironmentOps environment_cartpole_ops = {
    .name = "cartpole",
    .source = "mbrl-lib, mbrl/env/cartpole_continuous.py and reward_fns.py",
    .help = "balance a pole on a cart; reward 1 per step inside +-12 degrees and +-2.4 m",
    .observation = "x (m), its speed, pole angle (rad, 0 up), its speed",
    .start = "all four uniform in +-0.05",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = STATE_DIM,
    .dt = 0.02,
    .episode_length = 200,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .target_absolute = NULL,
    .worst_return = 0.0,
    .snapshot_size = STATE_DIM,
    .create = cartpole_create,
    .destroy = cartpole_destroy,
    .reset = cartpole_reset,
    .step = cartpole_step,
    .save = cartpole_save,
    .load = cartpole_load,
    .reward = cartpole_reward,
    .features = cartpole_features,
    .rewards = cartpole_rewards,
    .terminated = cartpole_terminated,
};
