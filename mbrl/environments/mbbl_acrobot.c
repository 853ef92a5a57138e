/* The acrobot of the MBBL benchmark (Wang et al. 2019), for comparison with its numbers only: gym's
 * Acrobot-v1 (equations of Sutton & Barto's book, one Runge-Kutta step of 0.2 s), the action in
 * three parts: torque -1, 0 or +1 N m. Angles are 0 hanging down. The reward is the height of both
 * joints before the step, in [-2, 2]; nothing terminates. Their episodes had one step more than the
 * 200 stated.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/plain_task.h"

#include "core/kernel.h"

#include <math.h>

enum { X_INNER, X_OUTER, X_INNER_SPEED, X_OUTER_SPEED, X_DIM };
enum {
    STATE_INNER_COS,
    STATE_INNER_SIN,
    STATE_OUTER_COS,
    STATE_OUTER_SIN,
    STATE_INNER_SPEED,
    STATE_OUTER_SPEED,
    STATE_DIM
};

/* gym, gym/envs/classic_control/acrobot.py; both links are alike */
static const double gravity = 9.8;            /* m/s^2 */
static const double mass = 1.0;               /* kg */
static const double length = 1.0;             /* m */
static const double centre = 0.5;             /* m, from the joint to the centre of mass */
static const double inertia = 1.0;            /* kg m^2 */
static const double time_step = 0.2;          /* s */
static const double start_width = 0.1;        /* states start uniform in +-this */
static const double inner_limit = 4.0 * M_PI; /* rad/s */
static const double outer_limit = 9.0 * M_PI; /* rad/s */
/* MBBL, mbbl/env/gym_env/acrobot.py */
static const double dead_zone = 0.33; /* actions inside +-this give no torque */

static const double action_low[1] = {-1.0};
static const double action_high[1] = {1.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.054885529, 0.15611083, 0.13801261,
                                               0.24455892,  0.44653981, 0.78092169};

static void start(Rng *rng, double *x) {
    for (size_t i = 0; i < X_DIM; i++) {
        x[i] = plain_task_uniform(rng, start_width);
    }
}

/* mass matrix [d1 d2; d2 d22] times accelerations = torques less gravity and velocity terms */
static void derivative(const double *y, const double *torque, double *out) {
    const double cosine = cos(y[X_OUTER]);
    const double sine = sin(y[X_OUTER]);
    const double inner = y[X_INNER_SPEED];
    const double outer = y[X_OUTER_SPEED];
    const double coupling = mass * length * centre;
    const double d22 = mass * centre * centre + inertia;
    const double d2 = d22 + coupling * cosine;
    const double d1 =
        mass * centre * centre + mass * length * length + 2.0 * coupling * cosine + d22 + inertia;
    const double outer_weight = mass * centre * gravity * sin(y[X_INNER] + y[X_OUTER]);
    const double inner_weight =
        (mass * centre + mass * length) * gravity * sin(y[X_INNER]) + outer_weight;
    const double inner_force =
        coupling * sine * (outer * outer + 2.0 * outer * inner) - inner_weight;
    const double outer_force = torque[0] - coupling * sine * inner * inner - outer_weight;
    const double outer_acceleration = (outer_force - d2 / d1 * inner_force) / (d22 - d2 * d2 / d1);

    out[X_INNER] = inner;
    out[X_OUTER] = outer;
    out[X_INNER_SPEED] = (inner_force - d2 * outer_acceleration) / d1;
    out[X_OUTER_SPEED] = outer_acceleration;
}

/* fmin and fmax would hide a NaN */
static double limited(double value, double limit) {
    return isfinite(value) ? fmin(fmax(value, -limit), limit) : value;
}

static void advance(double *x, const double *action) {
    const double torque[1] = {(double)(action[0] >= dead_zone) - (double)(action[0] < -dead_zone)};

    plain_task_rk4(derivative, torque, time_step, X_DIM, x);
    x[X_INNER] = remainder(x[X_INNER], 2.0 * M_PI);
    x[X_OUTER] = remainder(x[X_OUTER], 2.0 * M_PI);
    x[X_INNER_SPEED] = limited(x[X_INNER_SPEED], inner_limit);
    x[X_OUTER_SPEED] = limited(x[X_OUTER_SPEED], outer_limit);
}

static void observe(const double *x, double *state) {
    state[STATE_INNER_COS] = cos(x[X_INNER]);
    state[STATE_INNER_SIN] = sin(x[X_INNER]);
    state[STATE_OUTER_COS] = cos(x[X_OUTER]);
    state[STATE_OUTER_SIN] = sin(x[X_OUTER]);
    state[STATE_INNER_SPEED] = x[X_INNER_SPEED];
    state[STATE_OUTER_SPEED] = x[X_OUTER_SPEED];
}

/* -cos(inner) - cos(inner + outer) */
static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)action;
    (void)next;
    return -(state[STATE_INNER_COS] + state[STATE_INNER_COS] * state[STATE_OUTER_COS] -
             state[STATE_INNER_SIN] * state[STATE_OUTER_SIN]);
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    (void)task;
    (void)action;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        reward[i] = -(s[STATE_INNER_COS] + s[STATE_INNER_COS] * s[STATE_OUTER_COS] -
                      s[STATE_INNER_SIN] * s[STATE_OUTER_SIN]);
    }
}

static const PlainTask plain = {
    .dim = X_DIM, .start = start, .advance = advance, .observe = observe};

const EnvironmentOps environment_mbbl_acrobot_ops = {
    .name = "mbbl_acrobot",
    .source = "MBBL (Wang et al. 2019), mbbl/env/gym_env/acrobot.py; gym Acrobot-v1",
    .help = "for comparison with MBBL only: swing two links up by the joint between them",
    .observation = "cos and sin of the inner (0 down) and of the outer angle, their speeds (rad/s)",
    .start = "angles and speeds uniform in +-0.1",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = STATE_DIM,
    .dt = 0.2,
    .episode_length = 200,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = -400.0, /* 200 steps hanging */
    .snapshot_size = X_DIM,
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
