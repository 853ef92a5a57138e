/* The cart-pole of the MBBL benchmark (Wang et al. 2019), for comparison with its numbers only: the
 * dynamics of gym's CartPole, pushed fully left or right by the sign of the action, never
 * terminating, paid cos(theta) - 0.01 x^2 for the state before the step. Their episodes had one
 * step more than the 200 stated.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/plain_task.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

enum { STATE_X, STATE_X_DOT, STATE_ANGLE, STATE_ANGLE_DOT, STATE_DIM };

/* gym, gym/envs/classic_control/cartpole.py */
static const double gravity = 9.8;      /* m/s^2 */
static const double cart_mass = 1.0;    /* kg */
static const double pole_mass = 0.1;    /* kg */
static const double half_length = 0.5;  /* m, of the pole */
static const double force = 10.0;       /* N */
static const double time_step = 0.02;   /* s */
static const double start_width = 0.05; /* states start uniform in +-this */
/* MBBL, mbbl/env/gym_env/cartpole.py */
static const double position_cost = 0.01; /* per squared m */

static const double action_low[1] = {-1.0};
static const double action_high[1] = {1.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.037216489, 0.19157111, 0.11383124, 0.29638594};

static void start(Rng *rng, double *x) {
    for (size_t i = 0; i < STATE_DIM; i++) {
        x[i] = plain_task_uniform(rng, start_width);
    }
}

static void advance(double *x, const double *action) {
    const double sine = sin(x[STATE_ANGLE]);
    const double cosine = cos(x[STATE_ANGLE]);
    const double total_mass = cart_mass + pole_mass;
    const double push = ((action[0] > 0.0 ? force : -force) +
                         pole_mass * half_length * x[STATE_ANGLE_DOT] * x[STATE_ANGLE_DOT] * sine) /
                        total_mass;
    const double angle_acceleration =
        (gravity * sine - cosine * push) /
        (half_length * (4.0 / 3.0 - pole_mass * cosine * cosine / total_mass));
    const double acceleration =
        push - pole_mass * half_length * angle_acceleration * cosine / total_mass;

    x[STATE_X] += time_step * x[STATE_X_DOT];
    x[STATE_X_DOT] += time_step * acceleration;
    x[STATE_ANGLE] += time_step * x[STATE_ANGLE_DOT];
    x[STATE_ANGLE_DOT] += time_step * angle_acceleration;
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)action;
    (void)next;
    return cos(state[STATE_ANGLE]) - position_cost * state[STATE_X] * state[STATE_X];
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float cost = (float)position_cost;
    (void)task;
    (void)action;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        float        sine;
        float        cosine;
        vector_sin_cos_one(s[STATE_ANGLE], &sine, &cosine);
        reward[i] = cosine - cost * (s[STATE_X] * s[STATE_X]);
    }
}

static const PlainTask plain = {.dim = STATE_DIM, .start = start, .advance = advance};

const EnvironmentOps environment_mbbl_cartpole_ops = {
    .name = "mbbl_cartpole",
    .source = "MBBL (Wang et al. 2019), mbbl/env/gym_env/cartpole.py",
    .help = "for comparison with MBBL only: keep a pole up, full force by the action's sign",
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
    .worst_return = -400.0, /* the pole down and the cart 10 m away, 200 steps */
    .snapshot_size = STATE_DIM,
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
