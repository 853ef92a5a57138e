/* Balance a pole on a cart with a continuous force: the task that mbrl-lib calls cartpole.
 *
 * The physics are those of the classic control task (cart_pole.h); the action in [-1, 1] scales the
 * force. An episode ends when the cart leaves +-2.4 m or the pole +-12 degrees. The reward is that
 * of mbrl-lib's reward function, which its planner maximizes: 1 for every step that ends inside the
 * limits, so the step that falls earns 0 (mbrl-lib's simulator itself pays 1 for it; whole episodes
 * of 200 are the same in both).
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/cart_pole.h"

#include "core/kernel.h"

/* mbrl-lib, mbrl/env/cartpole_continuous.py */
static const double x_limit = 2.4;                    /* m */
static const double angle_limit = 0.2094395102393195; /* rad, 12 degrees */

static const double action_low[1] = {-1.0};
static const double action_high[1] = {1.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[CART_POLE_DIM] = {0.0073315924, 0.11242977, 0.011433452,
                                                   0.17030747};

static bool fell(const double *state) {
    const double x = state[CART_POLE_X];
    const double angle = state[CART_POLE_ANGLE];
    return !(x > -x_limit && x < x_limit && angle > -angle_limit && angle < angle_limit);
}

static double cartpole_reward(const EnvironmentOps *task, const double *state, const double *action,
                              const double *next) {
    (void)task;
    (void)state;
    (void)action;
    return fell(next) ? 0.0 : 1.0;
}

static void advance(double *x, const double *action) {
    cart_pole_advance(x, action[0] * CART_POLE_FORCE);
}

KERNEL_CLONES
static void cartpole_terminated(const EnvironmentOps *task, const float *next, size_t n,
                                unsigned char *terminated) {
    const float x_bound = (float)x_limit;
    const float angle_bound = (float)angle_limit;
    (void)task;
    for (size_t i = 0; i < n; i++) {
        const float x = next[i * CART_POLE_DIM + CART_POLE_X];
        const float angle = next[i * CART_POLE_DIM + CART_POLE_ANGLE];
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
        const float x = next[i * CART_POLE_DIM + CART_POLE_X];
        const float angle = next[i * CART_POLE_DIM + CART_POLE_ANGLE];
        const int   inside =
            (x > -x_bound) & (x < x_bound) & (angle > -angle_bound) & (angle < angle_bound);
        reward[i] = (float)inside;
    }
}

static const PlainTask plain = {
    .dim = CART_POLE_DIM, .start = cart_pole_start, .advance = advance, .ended = fell};

const EnvironmentOps environment_cartpole_ops = {
    .name = "cartpole",
    .source = "mbrl-lib, mbrl/env/cartpole_continuous.py and reward_fns.py",
    .help = "balance a pole on a cart; reward 1 per step inside +-12 degrees and +-2.4 m",
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
    .target_absolute = NULL,
    .worst_return = 0.0,
    .snapshot_size = CART_POLE_DIM,
    .data = &plain,
    .create = plain_task_create,
    .destroy = plain_task_destroy,
    .reset = plain_task_reset,
    .step = plain_task_step,
    .save = plain_task_save,
    .load = plain_task_load,
    .reward = cartpole_reward,
    .features = environment_copy_features,
    .rewards = cartpole_rewards,
    .terminated = cartpole_terminated,
};
