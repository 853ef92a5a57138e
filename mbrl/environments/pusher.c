/* Push a cylinder on a table to a fixed goal with a seven-joint arm: the pusher of PETS (Chua et
 * al. 2018) in MuJoCo.
 *
 * The reward is that of the state before the step: the 1-norms of object to goal and of tip to
 * object, and the action's cost. The tip is the middle between the two finger tips, the centre of
 * mass of `tips_arm`, as in the original (later ports look at the wrist); it is computed from the
 * joints, so that what is observed is the state after the step (the original's positions are one
 * simulator step old). The model is this project's own; masses come from a density of 300 kg/m^3,
 * of the object and the goal from 1e-5 kg/m^3: what they feel is the damping of their slides.
 */
#include "mbrl/environments/arm.h"
#include "mbrl/environments/arm_mjcf.h"
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/mujoco_task.h"

#include "core/kernel.h"

#include <math.h>

enum { NQ = 11, NV = 11, FRAME_SKIP = 4 };
enum { QPOS_OBJECT_Y = 7, QPOS_OBJECT_X = 8 };
enum { STATE_SPEED = 7, STATE_TIP = 14, STATE_OBJECT = 17, STATE_DIM = 20 };

#define HAND                                                                       \
    "<geom fromto='0 -0.1 0 0 0.1 0' size='0.02' contype='1' conaffinity='1'/>"    \
    "<geom fromto='0 -0.1 0 0.1 -0.1 0' size='0.02' contype='1' conaffinity='1'/>" \
    "<geom fromto='0 0.1 0 0.1 0.1 0' size='0.02' contype='1' conaffinity='1'/>"   \
    "<body name='tips_arm'>"                                                       \
    "  <geom type='sphere' pos='0.1 -0.1 0' size='0.01'/>"                         \
    "  <geom type='sphere' pos='0.1 0.1 0' size='0.01'/>"                          \
    "</body>"

#define ARM                                                                                   \
    ARM_BODIES("-0.6", "range='-2.2854 2' damping='1'", "range='-0.5236 1.3963' damping='1'", \
               "range='-1.5 1.7'", "range='-2.3213 0'", "range='-1.5 1.5'", "0.291",          \
               "range='-1.094 0'", "range='-1.5 1.5'", HAND)

#define OBJECT_AND_GOAL                                                                         \
    "<body name='object' pos='0.45 -0.05 -0.275'>"                                              \
    "<joint name='obj_slidey' type='slide' axis='0 1 0' range='-10.3213 10.3' damping='0.5'/>"  \
    "<joint name='obj_slidex' type='slide' axis='1 0 0' range='-10.3213 10.3' damping='0.5'/>"  \
    "<geom type='sphere' size='0.05 0.05 0.05' density='0.00001'/>"                             \
    "<geom type='cylinder' size='0.05 0.05 0.05' density='0.00001' contype='1'/>"               \
    "</body>"                                                                                   \
    "<body name='goal' pos='0.45 -0.05 -0.323'>"                                                \
    "<joint name='goal_slidey' type='slide' axis='0 1 0' range='-10.3213 10.3' damping='0.5'/>" \
    "<joint name='goal_slidex' type='slide' axis='1 0 0' range='-10.3213 10.3' damping='0.5'/>" \
    "<geom type='cylinder' size='0.08 0.001 0.1' density='0.00001'/>"                           \
    "</body>"

static const char mjcf[] =
    "<mujoco model='pusher'>"
    "  <compiler angle='radian' inertiafromgeom='true'/>"
    "  <option timestep='0.01' integrator='Euler' gravity='0 0 0' iterations='20'/>"
    "  <default>"
    "    <joint armature='0.04' damping='0.1' limited='true'/>"
    "    <geom type='capsule' density='300' contype='0' conaffinity='0' condim='1' margin='0.002'"
    "      friction='0.8 0.1 0.1'/>"
    "    <motor ctrllimited='true' ctrlrange='-2 2'/>"
    "  </default>"
    "  <worldbody>"
    "    <geom type='plane' pos='0 0.5 -0.325' size='1 1 0.1' contype='1' "
    "conaffinity='1'/>" ARM OBJECT_AND_GOAL "</worldbody>" ARM_ACTUATOR "</mujoco>";

static MujocoModel shared_model = MUJOCO_MODEL("pusher", mjcf);

/* handful-of-trials, dmbrl/env/pusher.py and dmbrl/config/pusher.py */
static const double base_y = -0.6; /* m */
static const double hand = 0.1;    /* m, from the wrist to between the tips */
static const double object_at[3] = {0.45, -0.05, -0.275}; /* m, where its slides are 0 */
static const double goal[3] = {0.45, -0.05, -0.323};      /* m */
static const double object_weight = 1.25;                 /* per m of object to goal */
static const double tip_weight = 0.5;                     /* per m of tip to object */
static const double action_cost = 0.1;                    /* per squared N m */
static const double start_y = -0.25;                      /* m, of the object's slides */
static const double start_x = 0.15;
static const double start_deviation = 0.025; /* m */
static const double start_speed = 0.005;     /* rad/s: joint speeds start uniform in +-this */

static const double action_low[ARM_JOINTS] = {-2, -2, -2, -2, -2, -2, -2};
static const double action_high[ARM_JOINTS] = {2, 2, 2, 2, 2, 2, 2};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1); the object cannot leave its plane */
static const double target_scale[STATE_DIM] = {
    0.0091001279, 0.011464921, 0.064986442,   0.05389165,    0.081040137,
    0.068022866,  0.081615621, 0.096513233,   0.15726672,    0.84004979,
    0.6628668,    1.1733053,   1.2684419,     1.1971316,     0.016466322,
    0.014702036,  0.014162213, 0.00054853419, 0.00046129445, 0};

static void start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel) {
    (void)task;
    (void)model;
    qpos[QPOS_OBJECT_Y] = start_y + start_deviation * rng_normal(rng);
    qpos[QPOS_OBJECT_X] = start_x + start_deviation * rng_normal(rng);
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        qvel[i] = start_speed * (2.0 * rng_uniform(rng) - 1.0);
    }
}

static void observe(const EnvironmentOps *task, const mjModel *model, mjData *data, double speed,
                    double *state) {
    (void)task;
    (void)model;
    (void)speed;
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        state[i] = data->qpos[i];
        state[STATE_SPEED + i] = data->qvel[i];
    }
    arm_tip_double(data->qpos, base_y, hand, state + STATE_TIP);
    state[STATE_OBJECT] = object_at[0] + data->qpos[QPOS_OBJECT_X];
    state[STATE_OBJECT + 1] = object_at[1] + data->qpos[QPOS_OBJECT_Y];
    state[STATE_OBJECT + 2] = object_at[2];
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    double to_goal = 0.0;
    double to_object = 0.0;
    double effort = 0.0;
    (void)task;
    (void)next;
    for (size_t i = 0; i < 3; i++) {
        to_goal += fabs(state[STATE_OBJECT + i] - goal[i]);
        to_object += fabs(state[STATE_TIP + i] - state[STATE_OBJECT + i]);
    }
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        effort += action[i] * action[i];
    }
    return -object_weight * to_goal - tip_weight * to_object - action_cost * effort;
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float goal_f[3] = {(float)goal[0], (float)goal[1], (float)goal[2]};
    const float per_goal = (float)object_weight;
    const float per_object = (float)tip_weight;
    const float cost = (float)action_cost;
    (void)task;
    (void)next;
    for (size_t k = 0; k < n; k++) {
        const float *s = state + k * STATE_DIM;
        const float *a = action + k * ARM_JOINTS;
        float        to_goal = 0.0f;
        float        to_object = 0.0f;
        float        effort = 0.0f;
        for (size_t i = 0; i < 3; i++) {
            to_goal += fabsf(s[STATE_OBJECT + i] - goal_f[i]);
            to_object += fabsf(s[STATE_TIP + i] - s[STATE_OBJECT + i]);
        }
        for (size_t i = 0; i < ARM_JOINTS; i++) {
            effort += a[i] * a[i];
        }
        reward[k] = -per_goal * to_goal - per_object * to_object - cost * effort;
    }
}

static const MujocoTask mujoco = {
    .model = &shared_model, .frame_skip = FRAME_SKIP, .start = start, .observe = observe};

const EnvironmentOps environment_pusher_ops = {
    .name = "pusher",
    .source = "handful-of-trials (Chua et al. 2018), dmbrl/env/pusher.py",
    .help = "push a cylinder to a goal with a seven-joint arm (MuJoCo); reward at most 0 per step",
    .observation = "seven joint angles (rad), their speeds, tip x y z (m), object x y z (m)",
    .start = "object N((0.6, -0.3), 0.025^2), joint speeds uniform in +-0.005 rad/s",
    .state_dim = STATE_DIM,
    .action_dim = ARM_JOINTS,
    .feature_dim = STATE_DIM,
    .dt = 0.04,
    .episode_length = 150,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = -900.0, /* 150 steps at full action with everything 1.5 m apart */
    .snapshot_size = MUJOCO_SNAPSHOT(NQ, NV),
    .data = &mujoco,
    .create = mujoco_task_create,
    .destroy = mujoco_task_destroy,
    .reset = mujoco_task_reset,
    .step = mujoco_task_step,
    .save = mujoco_task_save,
    .load = mujoco_task_load,
    .reward = reward_of,
    .features = environment_copy_features,
    .rewards = rewards_of,
};
