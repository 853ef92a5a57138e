/* Swing a pendulum up with a weak motor: gym's Pendulum, and what the MBBL benchmark makes of it.
 *
 * theta = 0 is upright; a rod of 1 m and 1 kg, semi-implicit Euler with 0.05 s, the speed limited
 * to 8 rad/s. Both tasks pay for the state before the step.
 *
 * `mbbl_pendulum` is kept as its authors coded it, for comparison with their numbers only: the
 * sign of its cosine rewards hanging down, the action in [-1, 1] is scaled to the torque, and the
 * angle moves with the speed before its limit (gym before 0.22). Their episodes had one step more.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/plain_task.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

enum { X_ANGLE, X_SPEED, X_DIM };
enum { STATE_COS, STATE_SIN, STATE_SPEED, STATE_DIM };

/* gym, gym/envs/classic_control/pendulum.py */
static const double gravity = 10.0;       /* m/s^2 */
static const double length = 1.0;         /* m */
static const double mass = 1.0;           /* kg */
static const double time_step = 0.05;     /* s */
static const double speed_limit = 8.0;    /* rad/s */
static const double torque_limit = 2.0;   /* N m */
static const double start_speed = 1.0;    /* rad/s: starts uniform in +- this, any angle */
static const double speed_cost = 0.1;     /* per squared rad/s */
static const double torque_cost = 0.001;  /* per squared N m */
static const double mbbl_sine_cost = 0.1; /* MBBL, mbbl/env/gym_env/pendulum.py */

static const double torque_low[1] = {-2.0};
static const double torque_high[1] = {2.0};
static const double unit_low[1] = {-1.0};
static const double unit_high[1] = {1.0};

static void pendulum_start(Rng *rng, double *x) {
    x[X_ANGLE] = plain_task_uniform(rng, M_PI);
    x[X_SPEED] = plain_task_uniform(rng, start_speed);
}

static double limited(double speed) {
    return fmin(fmax(speed, -speed_limit), speed_limit);
}

static double pushed(const double *x, double torque) {
    const double acceleration =
        1.5 * gravity / length * sin(x[X_ANGLE]) + 3.0 / (mass * length * length) * torque;
    return x[X_SPEED] + time_step * acceleration;
}

static void pendulum_advance(double *x, const double *action) {
    const double speed = pushed(x, action[0]);
    /* fmin and fmax would hide a NaN */
    x[X_SPEED] = isfinite(speed) ? limited(speed) : speed;
    x[X_ANGLE] += time_step * x[X_SPEED];
}

static void mbbl_advance(double *x, const double *action) {
    const double speed = pushed(x, torque_limit * action[0]);
    x[X_ANGLE] += time_step * speed;
    x[X_SPEED] = isfinite(speed) ? limited(speed) : speed;
}

static void pendulum_observe(const double *x, double *state) {
    state[STATE_COS] = cos(x[X_ANGLE]);
    state[STATE_SIN] = sin(x[X_ANGLE]);
    state[STATE_SPEED] = x[X_SPEED];
}

static double pendulum_reward(const EnvironmentOps *task, const double *state, const double *action,
                              const double *next) {
    const double angle = atan2(state[STATE_SIN], state[STATE_COS]);
    (void)task;
    (void)next;
    return -(angle * angle + speed_cost * state[STATE_SPEED] * state[STATE_SPEED] +
             torque_cost * action[0] * action[0]);
}

static double mbbl_reward(const EnvironmentOps *task, const double *state, const double *action,
                          const double *next) {
    const double torque = torque_limit * action[0];
    (void)task;
    (void)next;
    return -(state[STATE_COS] + mbbl_sine_cost * fabs(state[STATE_SIN]) +
             speed_cost * state[STATE_SPEED] * state[STATE_SPEED] + torque_cost * torque * torque);
}

/* |atan2(sine, cosine)|, within 3 ulp: Moshier's (Cephes, single precision) arctangent on [0, 1],
 * selects in place of branches */
static inline float angle_from_upright(float sine, float cosine) {
    const float a = vector_choose(sine < 0.0f, -sine, sine);
    const float c = vector_choose(cosine < 0.0f, -cosine, cosine);
    const int   steep = a > c;
    const float small = vector_choose(steep, c, a);
    const float large = vector_choose(steep, a, c);
    const float ratio = small / vector_choose(large == 0.0f, 1.0f, large);
    const int   upper = ratio > 0.4142135624f; /* tan(pi / 8) */
    const float t = vector_choose(upper, (ratio - 1.0f) / (ratio + 1.0f), ratio);
    const float z = t * t;
    float       p = 8.05374449538e-2f;
    p = p * z - 1.38776856032e-1f;
    p = p * z + 1.99777106478e-1f;
    p = p * z - 3.33329491539e-1f;
    const float quarter = vector_choose(upper, (float)M_PI_4, 0.0f) + (p * z * t + t);
    const float half = vector_choose(steep, (float)M_PI_2 - quarter, quarter);
    return vector_choose(cosine < 0.0f, (float)M_PI - half, half);
}

KERNEL_CLONES
static void pendulum_rewards(const EnvironmentOps *task, const float *state, const float *action,
                             const float *next, size_t n, float *reward) {
    const float per_speed = (float)speed_cost;
    const float per_torque = (float)torque_cost;
    (void)task;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        const float  angle = angle_from_upright(s[STATE_SIN], s[STATE_COS]);
        reward[i] = -(angle * angle + per_speed * (s[STATE_SPEED] * s[STATE_SPEED]) +
                      per_torque * (action[i] * action[i]));
    }
}

KERNEL_CLONES
static void mbbl_rewards(const EnvironmentOps *task, const float *state, const float *action,
                         const float *next, size_t n, float *reward) {
    const float scale = (float)torque_limit;
    const float per_sine = (float)mbbl_sine_cost;
    const float per_speed = (float)speed_cost;
    const float per_torque = (float)torque_cost;
    (void)task;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        const float  torque = scale * action[i];
        const float  sine = vector_choose(s[STATE_SIN] < 0.0f, -s[STATE_SIN], s[STATE_SIN]);
        reward[i] =
            -(s[STATE_COS] + per_sine * sine + per_speed * (s[STATE_SPEED] * s[STATE_SPEED]) +
              per_torque * (torque * torque));
    }
}

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.12061232, 0.13173053, 0.5344426};
static const double mbbl_target_scale[STATE_DIM] = {0.12066613, 0.13187398, 0.53449373};

static const PlainTask pendulum_task = {
    .dim = X_DIM,
    .start = pendulum_start,
    .advance = pendulum_advance,
    .observe = pendulum_observe,
};

static const PlainTask mbbl_task = {
    .dim = X_DIM,
    .start = pendulum_start,
    .advance = mbbl_advance,
    .observe = pendulum_observe,
};

const EnvironmentOps environment_pendulum_ops = {
    .name = "pendulum",
    .source = "gym, envs/classic_control/pendulum.py",
    .help = "swing a pendulum up with at most 2 N m; reward at most 0 per step",
    .observation = "cos angle (0 up), sin angle, speed (rad/s)",
    .start = "angle uniform in +-pi, speed uniform in +-1 rad/s",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = STATE_DIM,
    .dt = 0.05,
    .episode_length = 200,
    .action_low = torque_low,
    .action_high = torque_high,
    .target_scale = target_scale,
    .worst_return = -3255.0, /* 200 steps hanging at the speed limit and full torque */
    .snapshot_size = X_DIM,
    .data = &pendulum_task,
    .create = plain_task_create,
    .destroy = plain_task_destroy,
    .reset = plain_task_reset,
    .step = plain_task_step,
    .save = plain_task_save,
    .load = plain_task_load,
    .reward = pendulum_reward,
    .features = environment_copy_features,
    .rewards = pendulum_rewards,
};

const EnvironmentOps environment_mbbl_pendulum_ops = {
    .name = "mbbl_pendulum",
    .source = "MBBL (Wang et al. 2019), mbbl/env/gym_env/pendulum.py",
    .help = "for comparison with MBBL only: its pendulum, whose reward as coded is for hanging",
    .observation = "cos angle (0 up), sin angle, speed (rad/s)",
    .start = "angle uniform in +-pi, speed uniform in +-1 rad/s",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = STATE_DIM,
    .dt = 0.05,
    .episode_length = 200,
    .action_low = unit_low,
    .action_high = unit_high,
    .target_scale = mbbl_target_scale,
    .worst_return = -1501.0, /* 200 steps near upright at the speed limit and full torque */
    .snapshot_size = X_DIM,
    .data = &mbbl_task,
    .create = plain_task_create,
    .destroy = plain_task_destroy,
    .reset = plain_task_reset,
    .step = plain_task_step,
    .save = plain_task_save,
    .load = plain_task_load,
    .reward = mbbl_reward,
    .features = environment_copy_features,
    .rewards = mbbl_rewards,
};
