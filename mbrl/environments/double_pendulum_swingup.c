/* Swing up and balance two links in a row on a cart, with one force on the cart: the
 * cart-double-pendulum of PILCO (Deisenroth & Rasmussen 2011), whose settings (dt 0.05 s, 5 s, 20
 * N, cost width 0.5) these are; PILCO's double pendulum without a cart has others.
 *
 * Angles are those of each link against upright, counted towards -x. The reward is one minus
 * PILCO's saturating cost: exp(-d^2 / (2 width^2)) of the distance d between the tip and the point
 * above the origin, with the lengths of the links themselves. The equations are integrated in
 * Runge-Kutta steps of 5 ms; PILCO's observation noise is left out.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/plain_task.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

enum {
    STATE_X,
    STATE_INNER,
    STATE_OUTER,
    STATE_X_DOT,
    STATE_INNER_DOT,
    STATE_OUTER_DOT,
    STATE_DIM
};
enum { FEATURE_DIM = 8, SUBSTEPS = 10 };

/* pilco-matlab, scenarios/cartDoublePendulum/dynamics_cdp.m and settings_cdp.m */
static const double gravity = 9.82;         /* m/s^2 */
static const double cart_mass = 0.5;        /* kg */
static const double link_mass = 0.5;        /* kg, each */
static const double link_length = 0.6;      /* m, each */
static const double friction = 0.1;         /* N s/m, of the cart */
static const double time_step = 0.05;       /* s */
static const double width = 0.5;            /* m, of the reward */
static const double start_deviation = 0.1;  /* of position and speeds */
static const double angle_deviation = 0.01; /* rad */

static const double action_low[1] = {-20.0};
static const double action_high[1] = {20.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.13739584, 0.23101877, 0.4012305,
                                               0.92356847, 2.6043694,  2.9451785};

static void start(Rng *rng, double *x) {
    for (size_t i = 0; i < STATE_DIM; i++) {
        const bool angle = i == STATE_INNER || i == STATE_OUTER;
        x[i] = (angle ? M_PI : 0.0) + (angle ? angle_deviation : start_deviation) * rng_normal(rng);
    }
}

/* M q'' = f with M symmetric: uniform rods, so l/2 to the centre and m l^2/3 about the end */
static void derivative(const double *y, const double *action, double *out) {
    const double inner_lever = 1.5 * link_mass * link_length; /* m/2 + m */
    const double outer_lever = 0.5 * link_mass * link_length;
    const double square = link_mass * link_length * link_length;
    const double difference = y[STATE_INNER] - y[STATE_OUTER];
    const double inner2 = y[STATE_INNER_DOT] * y[STATE_INNER_DOT];
    const double outer2 = y[STATE_OUTER_DOT] * y[STATE_OUTER_DOT];

    const double xx = cart_mass + 2.0 * link_mass;
    const double xi = -inner_lever * cos(y[STATE_INNER]);
    const double xo = -outer_lever * cos(y[STATE_OUTER]);
    const double ii = 4.0 / 3.0 * square;
    const double io = 0.5 * square * cos(difference);
    const double oo = 1.0 / 3.0 * square;
    const double fx = action[0] - friction * y[STATE_X_DOT] -
                      inner_lever * inner2 * sin(y[STATE_INNER]) -
                      outer_lever * outer2 * sin(y[STATE_OUTER]);
    const double fi =
        inner_lever * gravity * sin(y[STATE_INNER]) - 0.5 * square * outer2 * sin(difference);
    const double fo =
        outer_lever * gravity * sin(y[STATE_OUTER]) + 0.5 * square * inner2 * sin(difference);

    /* eliminate the outer, then the inner angle */
    const double aii = ii - io * io / oo;
    const double axi = xi - xo * io / oo;
    const double axx = xx - xo * xo / oo;
    const double gi = fi - io / oo * fo;
    const double gx = fx - xo / oo * fo;
    const double x_acceleration = (gx - axi / aii * gi) / (axx - axi * axi / aii);
    const double inner_acceleration = (gi - axi * x_acceleration) / aii;

    out[STATE_X] = y[STATE_X_DOT];
    out[STATE_INNER] = y[STATE_INNER_DOT];
    out[STATE_OUTER] = y[STATE_OUTER_DOT];
    out[STATE_X_DOT] = x_acceleration;
    out[STATE_INNER_DOT] = inner_acceleration;
    out[STATE_OUTER_DOT] = (fo - xo * x_acceleration - io * inner_acceleration) / oo;
}

static void advance(double *x, const double *action) {
    for (int i = 0; i < SUBSTEPS; i++) {
        plain_task_rk4(derivative, action, time_step / SUBSTEPS, STATE_DIM, x);
    }
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    const double tip_x =
        next[STATE_X] - link_length * (sin(next[STATE_INNER]) + sin(next[STATE_OUTER]));
    const double tip_z =
        link_length * (cos(next[STATE_INNER]) + cos(next[STATE_OUTER])) - 2.0 * link_length;
    (void)task;
    (void)state;
    (void)action;
    return exp(-(tip_x * tip_x + tip_z * tip_z) / (2.0 * width * width));
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float length = (float)link_length;
    const float sharpness = (float)(-1.0 / (2.0 * width * width));
    (void)task;
    (void)state;
    (void)action;
    for (size_t i = 0; i < n; i++) {
        const float *s = next + i * STATE_DIM;
        float        inner_sine;
        float        inner_cosine;
        float        outer_sine;
        float        outer_cosine;
        vector_sin_cos_one(s[STATE_INNER], &inner_sine, &inner_cosine);
        vector_sin_cos_one(s[STATE_OUTER], &outer_sine, &outer_cosine);
        const float tip_x = s[STATE_X] - length * (inner_sine + outer_sine);
        const float tip_z = length * (inner_cosine + outer_cosine) - 2.0f * length;
        reward[i] = vector_exp_one((tip_x * tip_x + tip_z * tip_z) * sharpness);
    }
}

KERNEL_CLONES
static void features_of(const EnvironmentOps *task, const float *state, size_t n, float *features,
                        size_t stride) {
    (void)task;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        float       *f = features + i * stride;
        vector_sin_cos_one(s[STATE_INNER], &f[0], &f[1]);
        vector_sin_cos_one(s[STATE_OUTER], &f[2], &f[3]);
        f[4] = s[STATE_X];
        f[5] = s[STATE_X_DOT];
        f[6] = s[STATE_INNER_DOT];
        f[7] = s[STATE_OUTER_DOT];
    }
}

static const PlainTask plain = {.dim = STATE_DIM, .start = start, .advance = advance};

const EnvironmentOps environment_double_pendulum_swingup_ops = {
    .name = "double_pendulum_swingup",
    .source = "PILCO (pilco-matlab), scenarios/cartDoublePendulum",
    .help = "swing up two links in a row by a force on their cart; reward at most 1 per step",
    .observation = "x (m), inner and outer angle (rad, 0 up), their speeds",
    .inputs = "sin and cos of both angles, x, the three speeds",
    .start = "hanging: angles N(pi, 0.01^2), x and speeds N(0, 0.1^2)",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = FEATURE_DIM,
    .dt = 0.05,
    .episode_length = 100,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = 0.0, /* never near the goal */
    .snapshot_size = STATE_DIM,
    .data = &plain,
    .create = plain_task_create,
    .destroy = plain_task_destroy,
    .reset = plain_task_reset,
    .step = plain_task_step,
    .save = plain_task_save,
    .load = plain_task_load,
    .reward = reward_of,
    .features = features_of,
    .rewards = rewards_of,
};
