/* The cart-pole of the MBBL benchmark (Wang et al. 2019), for comparison with its numbers only: the
 * dynamics of gym's CartPole, pushed fully left or right by the sign of the action, never
 * terminating, paid cos(theta) - 0.01 x^2 for the state before the step. Their episodes had one
 * step more than the 200 stated.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/cart_pole.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

/* MBBL, mbbl/env/gym_env/cartpole.py */
static const double position_cost = 0.01; /* per squared m */

static const double action_low[1] = {-1.0};
static const double action_high[1] = {1.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[CART_POLE_DIM] = {0.037216489, 0.19157111, 0.11383124, 0.29638594};

static void advance(double *x, const double *action) {
    cart_pole_advance(x, action[0] > 0.0 ? CART_POLE_FORCE : -CART_POLE_FORCE);
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)action;
    (void)next;
    return cos(state[CART_POLE_ANGLE]) - position_cost * state[CART_POLE_X] * state[CART_POLE_X];
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float cost = (float)position_cost;
    (void)task;
    (void)action;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * CART_POLE_DIM;
        float        sine;
        float        cosine;
        vector_sin_cos_one(s[CART_POLE_ANGLE], &sine, &cosine);
        reward[i] = cosine - cost * (s[CART_POLE_X] * s[CART_POLE_X]);
    }
}

static const PlainTask plain = {.dim = CART_POLE_DIM, .start = cart_pole_start, .advance = advance};

const EnvironmentOps environment_mbbl_cartpole_ops = {
    .name = "mbbl_cartpole",
    .source = "MBBL (Wang et al. 2019), mbbl/env/gym_env/cartpole.py",
    .help = "for comparison with MBBL only: keep a pole up, full force by the action's sign",
    .observation = "x (m), its speed, pole angle (rad, 0 up), its speed",
    .start = "all four uniform in +-0.05",
    .state_dim = CART_POLE_DIM,
    .action_dim = 1,
    .feature_dim = CART_POLE_DIM,
    .dt = 0.02,
    .episode_length = 200,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = -400.0, /* the pole down and the cart 10 m away, 200 steps */
    .snapshot_size = CART_POLE_DIM,
    .data = &plain,
    .create = plain_task_create,
    .destroy = plain_task_destroy,
    .reset = plain_task_reset,
    .step = plain_task_step,
    .save = plain_task_save,
    .load = plain_task_load,
    .reward = reward_of,
    .features = environment_copy_features,
    .rewards = rewards_of,
};
