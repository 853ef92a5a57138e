/* Bring the end of a seven-joint arm to a goal that is drawn anew for every episode: the reacher of
 * PETS (Chua et al. 2018) in MuJoCo.
 *
 * The goal is three slides without a motor; its position is part of the state, so that the reward
 * is a function of it. No gravity, no contacts, no termination. The reward is the squared distance
 * after the step and the action's cost. The model is this project's own; masses come from a density
 * of 1000 kg/m^3.
 */
#include "mbrl/environments/arm.h"
#include "mbrl/environments/arm_mjcf.h"
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/mujoco_task.h"

#include "core/kernel.h"

enum { NQ = 10, NV = 10, GOAL = 7, GOAL_DIM = 3, STATE_DIM = NQ + ARM_JOINTS };
enum { FRAME_SKIP = 2 };

#define FINGER(side, sign)                                                               \
    "<body name='r_gripper_" side "_finger_link' pos='0.07691 " sign "0.03 0'>"          \
    "  <geom fromto='0 0 0 0.09137 " sign "0.00495 0' size='0.01'/>"                     \
    "  <body name='r_gripper_" side "_finger_tip_link' pos='0.09137 " sign "0.00495 0'>" \
    "    <geom fromto='0 0 0 0.09137 0 0' size='0.01'/>"                                 \
    "  </body>"                                                                          \
    "</body>"

#define HAND                                                                  \
    "<geom fromto='-0.02 0 0 0.02 0 0' size='0.01'/>"                         \
    "<body name='r_gripper_palm_link'>"                                       \
    "  <geom fromto='0.05 0 -0.02 0.05 0 0.02' size='0.05'/>" FINGER("l", "") \
        FINGER("r", "-") "</body>"

#define ARM                                                                                     \
    ARM_BODIES("-0.188", "range='-2.2854 1.714602' damping='10'",                               \
               "range='-0.5236 1.3963' damping='10'", "range='-3.9 0.8'",                       \
               "range='-2.3213 0' damping='1'", "limited='false'", "0.321", "range='-2.094 0'", \
               "limited='false'", HAND)

#define TARGET                                                                                    \
    "<body name='target' pos='0 0.25 0'>"                                                         \
    "<joint name='target_x' type='slide' axis='1 0 0' limited='false' armature='0' damping='0'/>" \
    "<joint name='target_y' type='slide' axis='0 1 0' limited='false' armature='0' damping='0' "  \
    "ref='0.25'/>"                                                                                \
    "<joint name='target_z' type='slide' axis='0 0 1' limited='false' armature='0' damping='0'/>" \
    "<geom type='sphere' size='0.035'/>"                                                          \
    "</body>"

static const char mjcf[] =
    "<mujoco model='reacher7dof'>"
    "  <compiler angle='radian' inertiafromgeom='true'/>"
    "  <option timestep='0.01' integrator='RK4' gravity='0 0 0' iterations='20'/>"
    "  <default>"
    "    <joint armature='0.04' damping='0.1' limited='true'/>"
    "    <geom type='capsule' density='1000' contype='0' conaffinity='0' condim='1' margin='0.002'"
    "      friction='0.5 0.1 0.1'/>"
    "    <motor ctrllimited='true' ctrlrange='-20 20'/>"
    "  </default>"
    "  <worldbody>" ARM TARGET "</worldbody>" ARM_ACTUATOR "</mujoco>";

static MujocoModel shared_model = MUJOCO_MODEL("reacher7dof", mjcf);

/* handful-of-trials, dmbrl/env/reacher.py */
static const double base_y = -0.188;      /* m */
static const double hand = 0.16828;       /* m, from the wrist to between the finger tips */
static const double action_cost = 0.01;   /* per squared N m */
static const double goal_deviation = 0.1; /* m, around (0, 0.25, 0) */

static const double action_low[ARM_JOINTS] = {-20, -20, -20, -20, -20, -20, -20};
static const double action_high[ARM_JOINTS] = {20, 20, 20, 20, 20, 20, 20};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1); the goal stands still */
static const double target_scale[STATE_DIM] = {
    0.0092314676, 0.010757128, 0.10067126, 0.046692991, 0.31374967, 0.16663174, 0.34129481, 0, 0, 0,
    0.22711691,   0.3389509,   2.3966975,  1.2689849,   4.847826,   5.5434975,  5.5025456};

static void start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel) {
    (void)task;
    (void)model;
    (void)qvel;
    for (size_t i = 0; i < GOAL_DIM; i++) {
        qpos[GOAL + i] += goal_deviation * rng_normal(rng);
    }
}

static void observe(const EnvironmentOps *task, const mjModel *model, mjData *data, double speed,
                    double *state) {
    (void)task;
    (void)model;
    (void)speed;
    for (size_t i = 0; i < NQ; i++) {
        state[i] = data->qpos[i];
    }
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        state[NQ + i] = data->qvel[i];
    }
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    double tip[3];
    double distance2 = 0.0;
    double effort = 0.0;
    (void)task;
    (void)state;
    arm_tip_double(next, base_y, hand, tip);
    for (size_t i = 0; i < GOAL_DIM; i++) {
        distance2 += (tip[i] - next[GOAL + i]) * (tip[i] - next[GOAL + i]);
    }
    for (size_t i = 0; i < ARM_JOINTS; i++) {
        effort += action[i] * action[i];
    }
    return -distance2 - action_cost * effort;
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float cost = (float)action_cost;
    (void)task;
    (void)state;
    for (size_t k = 0; k < n; k++) {
        const float *s = next + k * STATE_DIM;
        const float *a = action + k * ARM_JOINTS;
        float        tip[3];
        float        effort = 0.0f;
        arm_tip_float(s, (float)base_y, (float)hand, tip);
        const float x = tip[0] - s[GOAL];
        const float y = tip[1] - s[GOAL + 1];
        const float z = tip[2] - s[GOAL + 2];
        for (size_t i = 0; i < ARM_JOINTS; i++) {
            effort += a[i] * a[i];
        }
        reward[k] = -(x * x + y * y + z * z) - cost * effort;
    }
}

static const MujocoTask mujoco = {
    .model = &shared_model, .frame_skip = FRAME_SKIP, .start = start, .observe = observe};

const EnvironmentOps environment_reacher7dof_ops = {
    .name = "reacher7dof",
    .source = "handful-of-trials (Chua et al. 2018), dmbrl/env/reacher.py",
    .help = "bring a seven-joint arm's end to a goal (MuJoCo); reward at most 0 per step",
    .observation = "seven joint angles (rad), goal x y z (m), seven joint speeds",
    .start = "joints and speeds 0, goal N((0, 0.25, 0), 0.1^2)",
    .state_dim = STATE_DIM,
    .action_dim = ARM_JOINTS,
    .feature_dim = STATE_DIM,
    .dt = 0.02,
    .episode_length = 150,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .worst_return = -4800.0, /* 150 steps 2 m off at full action */
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
