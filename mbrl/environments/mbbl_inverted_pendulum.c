/* The inverted pendulum of the MBBL benchmark (Wang et al. 2019), for comparison with its numbers
 * only: gym's InvertedPendulum with the reward -theta^2 of the state before the step, 100 steps,
 * nothing terminates (their episodes had one step more).
 *
 * Theirs is a MuJoCo model; here its two rigid bodies are integrated as MuJoCo does it (two
 * Runge-Kutta steps of 0.02 s), which the tests compare with MuJoCo. What is different are the ends
 * of the rail (+-1 m) and of the hinge (+-90 degrees): MuJoCo's are soft springs, these stop dead
 * (an inelastic impact on both bodies). A pole that has fallen lies there in both.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/plain_task.h"

#include "core/kernel.h"

#include <math.h>

enum { STATE_X, STATE_ANGLE, STATE_X_DOT, STATE_ANGLE_DOT, STATE_DIM };
enum { FRAME_SKIP = 2 };

/* gym, gym/envs/mujoco/assets/inverted_pendulum.xml: two capsules of 1000 kg/m^3 */
static const double gravity = 9.81;                   /* m/s^2 */
static const double cart_mass = 10.471975511965979;   /* kg */
static const double pole_mass = 5.0185916413633063;   /* kg */
static const double pole_inertia = 0.188749766873089; /* kg m^2, about its centre of mass */
static const double centre_up = 0.3;                  /* m, from the hinge along the pole */
static const double centre_aside = 0.0005;            /* m: the pole's end is 1 mm off */
static const double damping = 1.0;                    /* N s/m and N m s */
static const double gear = 100.0;                     /* N per unit of action */
static const double time_step = 0.02;                 /* s */
static const double rail_end = 1.0;                   /* m */
static const double hinge_end = M_PI_2;               /* rad */
static const double start_width = 0.01;               /* states start uniform in +-this */

static const double action_low[1] = {-3.0};
static const double action_high[1] = {3.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.054167937, 0.051540326, 0.59883356, 0.75145216};

static void start(Rng *rng, double *x) {
    for (size_t i = 0; i < STATE_DIM; i++) {
        x[i] = plain_task_uniform(rng, start_width);
    }
}

/* the mass matrix is [both_masses coupling; coupling pole_about_hinge] */
static double both_masses(void) {
    return cart_mass + pole_mass;
}

static double pole_about_hinge(void) {
    return pole_mass * (centre_up * centre_up + centre_aside * centre_aside) + pole_inertia;
}

static double coupling_at(double angle) {
    return pole_mass * (centre_up * cos(angle) - centre_aside * sin(angle));
}

static void derivative(const double *y, const double *action, double *out) {
    const double lever =
        pole_mass * (centre_up * sin(y[STATE_ANGLE]) + centre_aside * cos(y[STATE_ANGLE]));
    const double coupling = coupling_at(y[STATE_ANGLE]);
    const double force = gear * action[0] - damping * y[STATE_X_DOT] +
                         lever * y[STATE_ANGLE_DOT] * y[STATE_ANGLE_DOT];
    const double torque = gravity * lever - damping * y[STATE_ANGLE_DOT];
    const double determinant = both_masses() * pole_about_hinge() - coupling * coupling;

    out[STATE_X] = y[STATE_X_DOT];
    out[STATE_ANGLE] = y[STATE_ANGLE_DOT];
    out[STATE_X_DOT] = (pole_about_hinge() * force - coupling * torque) / determinant;
    out[STATE_ANGLE_DOT] = (both_masses() * torque - coupling * force) / determinant;
}

/* Stops coordinate i at its end; the impact moves the other body by share x the lost speed. */
static void stop(double *x, size_t i, double end, double share) {
    const double beyond = x[i] > end ? 1.0 : x[i] < -end ? -1.0 : 0.0;
    const size_t speed = i + 2;
    const size_t other = 1 - i + 2;
    if (beyond != 0.0) {
        x[i] = beyond * end;
        if (beyond * x[speed] > 0.0) {
            x[other] += share * x[speed];
            x[speed] = 0.0;
        }
    }
}

static void advance(double *x, const double *action) {
    for (int i = 0; i < FRAME_SKIP; i++) {
        plain_task_rk4(derivative, action, time_step, STATE_DIM, x);
        const double coupling = coupling_at(x[STATE_ANGLE]);
        stop(x, STATE_X, rail_end, coupling / pole_about_hinge());
        stop(x, STATE_ANGLE, hinge_end, coupling / both_masses());
    }
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)action;
    (void)next;
    return -state[STATE_ANGLE] * state[STATE_ANGLE];
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    (void)task;
    (void)action;
    (void)next;
    for (size_t i = 0; i < n; i++) {
        const float angle = state[i * STATE_DIM + STATE_ANGLE];
        reward[i] = -(angle * angle);
    }
}

static const PlainTask plain = {.dim = STATE_DIM, .start = start, .advance = advance};

const EnvironmentOps environment_mbbl_inverted_pendulum_ops = {
    .name = "mbbl_inverted_pendulum",
    .source = "MBBL (Wang et al. 2019), mbbl/env/gym_env/invertedPendulum.py; gym's model",
    .help = "for comparison with MBBL only: keep a pole on a cart up; reward at most 0 per step",
    .observation = "x (m), pole angle (rad, 0 up), their speeds",
    .start = "all four uniform in +-0.01",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = STATE_DIM,
    .dt = 0.04,
    .episode_length = 100,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = -247.0, /* 100 steps lying at 90 degrees */
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
