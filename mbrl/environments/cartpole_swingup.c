/* Swing a pole up on a cart and hold it there: the cart-pole task of PETS (Chua et al. 2018) in
 * MuJoCo.
 *
 * The pole hangs down at angle 0. The reward is that of the tip's distance to the point 0.6 m above
 * the middle of the rail, less a little for the action; there is no termination. The model is this
 * project's own; the tests compare what it compiles to, and 60 control steps, with reference
 * tables.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/mujoco_task.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

enum { STATE_X, STATE_ANGLE, STATE_X_DOT, STATE_ANGLE_DOT, STATE_DIM };
enum { FEATURE_DIM = 5, FRAME_SKIP = 2, NQ = 2, NV = 2 };

static const char mjcf[] =
    "<mujoco model='cartpole_swingup'>"
    "  <option timestep='0.02' integrator='RK4'/>"
    "  <default>"
    "    <joint damping='1' armature='0'/>"
    "    <geom contype='0' conaffinity='1' friction='1 0.1 0.1' density='1000'/>"
    "  </default>"
    "  <worldbody>"
    "    <geom name='rail' type='capsule' size='0.02 3' quat='0.70710678118654757 0 "
    "0.70710678118654757 0'/>"
    "    <body name='cart'>"
    "      <joint name='slider' type='slide' axis='1 0 0' limited='true' range='-2.5 2.5'/>"
    "      <geom name='cart' type='capsule' size='0.1 0.1' quat='0.70710678118654757 0 "
    "0.70710678118654757 0'/>"
    "      <body name='pole'>"
    "        <joint name='hinge' type='hinge' axis='0 1 0' limited='false'/>"
    "        <geom name='pole' type='capsule' size='0.049' fromto='0 0 0 0.001 0 -0.6'/>"
    "      </body>"
    "    </body>"
    "  </worldbody>"
    "  <actuator>"
    "    <motor name='slide' joint='slider' gear='100' ctrllimited='true' ctrlrange='-3 3'/>"
    "  </actuator>"
    "</mujoco>";

static MujocoModel shared_model = MUJOCO_MODEL("cartpole_swingup", mjcf);

/* handful-of-trials, dmbrl/config/cartpole.py */
static const double pole_length = 0.6;  /* m */
static const double action_cost = 0.01; /* per squared action */
static const double start_deviation = 0.1;

static const double action_low[1] = {-3.0};
static const double action_high[1] = {3.0};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.074892174, 0.13382736, 0.6259104, 1.3774246};

static void swingup_start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                          double *qvel) {
    (void)task;
    (void)model;
    for (size_t i = 0; i < NQ; i++) {
        qpos[i] = start_deviation * rng_normal(rng);
    }
    for (size_t i = 0; i < NV; i++) {
        qvel[i] = start_deviation * rng_normal(rng);
    }
}

static void swingup_observe(const EnvironmentOps *task, const mjModel *model, mjData *data,
                            double speed, double *state) {
    (void)task;
    (void)model;
    (void)speed;
    state[STATE_X] = data->qpos[0];
    state[STATE_ANGLE] = data->qpos[1];
    state[STATE_X_DOT] = data->qvel[0];
    state[STATE_ANGLE_DOT] = data->qvel[1];
}

static double swingup_reward(const EnvironmentOps *task, const double *state, const double *action,
                             const double *next) {
    (void)task;
    (void)state;
    const double tip_x = next[STATE_X] - pole_length * sin(next[STATE_ANGLE]);
    const double tip_z = -pole_length * cos(next[STATE_ANGLE]) - pole_length;
    const double distance2 = tip_x * tip_x + tip_z * tip_z;
    return exp(-distance2 / (pole_length * pole_length)) - action_cost * action[0] * action[0];
}

KERNEL_CLONES
static void swingup_features(const EnvironmentOps *task, const float *state, size_t n,
                             float *features, size_t stride) {
    (void)task;
    for (size_t i = 0; i < n; i++) {
        const float *s = state + i * STATE_DIM;
        float       *f = features + i * stride;
        vector_sin_cos_one(s[STATE_ANGLE], &f[0], &f[1]);
        f[2] = s[STATE_X];
        f[3] = s[STATE_X_DOT];
        f[4] = s[STATE_ANGLE_DOT];
    }
}

KERNEL_CLONES
static void swingup_rewards(const EnvironmentOps *task, const float *state, const float *action,
                            const float *next, size_t n, float *reward) {
    const float length = (float)pole_length;
    const float sharpness = (float)(-1.0 / (pole_length * pole_length));
    const float cost = (float)action_cost;
    (void)task;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        float sine;
        float cosine;
        vector_sin_cos_one(next[i * STATE_DIM + STATE_ANGLE], &sine, &cosine);
        const float tip_x = next[i * STATE_DIM + STATE_X] - length * sine;
        const float tip_z = -length * cosine - length;
        const float nearness = vector_exp_one((tip_x * tip_x + tip_z * tip_z) * sharpness);
        reward[i] = nearness - cost * (action[i] * action[i]);
    }
}

static const MujocoTask swingup_task = {
    .model = &shared_model,
    .frame_skip = FRAME_SKIP,
    .start = swingup_start,
    .observe = swingup_observe,
};

const EnvironmentOps environment_cartpole_swingup_ops = {
    .name = "cartpole_swingup",
    .source = "handful-of-trials (Chua et al. 2018), dmbrl/env/cartpole.py",
    .help = "swing a pole up on a cart and hold it (MuJoCo); reward at most 1 per step",
    .observation = "x (m), pole angle (rad, 0 down), their speeds",
    .inputs = "sin angle, cos angle, x, speed of x, speed of the angle",
    .start = "all four N(0, 0.1^2)",
    .state_dim = STATE_DIM,
    .action_dim = 1,
    .feature_dim = FEATURE_DIM,
    .dt = 0.04,
    .episode_length = 200,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .target_absolute = NULL,
    .worst_return = -18.0, /* 200 steps far from the goal at full action */
    .snapshot_size = MUJOCO_SNAPSHOT(NQ, NV),
    .data = &swingup_task,
    .create = mujoco_task_create,
    .destroy = mujoco_task_destroy,
    .reset = mujoco_task_reset,
    .step = mujoco_task_step,
    .save = mujoco_task_save,
    .load = mujoco_task_load,
    .reward = swingup_reward,
    .features = swingup_features,
    .rewards = swingup_rewards,
    .terminated = NULL,
};
