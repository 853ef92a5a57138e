/* Run forward with two legs: the half-cheetah of PETS (Chua et al. 2018) in MuJoCo.
 *
 * The reward is the speed over the control step less a little for the action; there is no
 * termination. The speed is predicted as it is, everything else as a change. The model is this
 * project's own: nine capsules that weigh 14 kg together.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/mujoco_task.h"
#include "mbrl/environments/walker.h"

#include "core/kernel.h"

enum { NQ = 9, NV = 9, ACTION_DIM = 6, STATE_DIM = NQ + NV, FRAME_SKIP = 5 };

static const char mjcf[] =
    "<mujoco model='half_cheetah'>"
    "  <compiler angle='radian' inertiafromgeom='true' settotalmass='14'/>"
    "  <option timestep='0.01' integrator='Euler'/>"
    "  <default>"
    "    <joint type='hinge' axis='0 1 0' limited='true' armature='0.1' solimplimit='0 0.8 0.03'/>"
    "    <geom type='capsule' contype='1' conaffinity='0' condim='3' friction='0.4 0.1 0.1'"
    "      solimp='0 0.8 0.01' solref='0.02 1'/>"
    "    <motor ctrllimited='true' ctrlrange='-1 1'/>"
    "  </default>"
    "  <worldbody>"
    "    <geom type='plane' size='200 200 200' conaffinity='1'/>"
    "    <body name='torso' pos='0 0 0.7'>"
    "      <joint name='rootx' type='slide' axis='1 0 0' limited='false' armature='0'/>"
    "      <joint name='rootz' type='slide' axis='0 0 1' limited='false' armature='0'/>"
    "      <joint name='rooty' limited='false' armature='0'/>"
    "      <geom fromto='-0.5 0 0 0.5 0 0' size='0.046'/>"
    "      <geom pos='0.6 0 0.1' euler='0 0.87 0' size='0.046 0.15'/>"
    "      <body name='bthigh' pos='-0.5 0 0'>"
    "        <joint name='bthigh' range='-0.52 1.05' stiffness='240' damping='6'/>"
    "        <geom pos='0.1 0 -0.13' euler='0 -3.8 0' size='0.046 0.145'/>"
    "        <body name='bshin' pos='0.16 0 -0.25'>"
    "          <joint name='bshin' range='-0.785 0.785' stiffness='180' damping='4.5'/>"
    "          <geom pos='-0.14 0 -0.07' euler='0 -2.03 0' size='0.046 0.15'/>"
    "          <body name='bfoot' pos='-0.28 0 -0.14'>"
    "            <joint name='bfoot' range='-0.4 0.785' stiffness='120' damping='3'/>"
    "            <geom pos='0.03 0 -0.097' euler='0 -0.27 0' size='0.046 0.094'/>"
    "          </body>"
    "        </body>"
    "      </body>"
    "      <body name='fthigh' pos='0.5 0 0'>"
    "        <joint name='fthigh' range='-1 0.7' stiffness='180' damping='4.5'/>"
    "        <geom pos='-0.07 0 -0.12' euler='0 0.52 0' size='0.046 0.133'/>"
    "        <body name='fshin' pos='-0.14 0 -0.24'>"
    "          <joint name='fshin' range='-1.2 0.87' stiffness='120' damping='3'/>"
    "          <geom pos='0.065 0 -0.09' euler='0 -0.6 0' size='0.046 0.106'/>"
    "          <body name='ffoot' pos='0.13 0 -0.18'>"
    "            <joint name='ffoot' range='-0.5 0.5' stiffness='60' damping='1.5'/>"
    "            <geom pos='0.045 0 -0.07' euler='0 -0.6 0' size='0.046 0.07'/>"
    "          </body>"
    "        </body>"
    "      </body>"
    "    </body>"
    "  </worldbody>"
    "  <actuator>"
    "    <motor joint='bthigh' gear='120'/>"
    "    <motor joint='bshin' gear='90'/>"
    "    <motor joint='bfoot' gear='60'/>"
    "    <motor joint='fthigh' gear='120'/>"
    "    <motor joint='fshin' gear='60'/>"
    "    <motor joint='ffoot' gear='30'/>"
    "  </actuator>"
    "</mujoco>";

static MujocoModel shared_model = MUJOCO_MODEL("half_cheetah", mjcf);

/* handful-of-trials, dmbrl/env/half_cheetah.py */
static const double action_cost = 0.1; /* per squared action */
static const double start_deviation = 0.001;

static const double action_low[ACTION_DIM] = {-1, -1, -1, -1, -1, -1};
static const double action_high[ACTION_DIM] = {1, 1, 1, 1, 1, 1};

static const bool target_absolute[STATE_DIM] = {[WALKER_SPEED] = true};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {
    0.65682236, 0.033712384, 0.06848669, 0.239092,   0.29055735, 0.29166901,
    0.26473654, 0.28252553,  0.25569953, 0.83917218, 0.81443252, 1.848641,
    8.318206,   10.784765,   11.226582,  9.1077183,  10.154591,  8.4444219};

static void start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel) {
    (void)task;
    (void)model;
    for (size_t i = 0; i < NQ; i++) {
        qpos[i] += start_deviation * rng_normal(rng);
    }
    for (size_t i = 0; i < NV; i++) {
        qvel[i] = start_deviation * rng_normal(rng);
    }
}

static void observe(const EnvironmentOps *task, const mjModel *model, mjData *data, double speed,
                    double *state) {
    (void)task;
    (void)model;
    walker_observe(data, NQ, speed, state);
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)state;
    return next[WALKER_SPEED] - action_cost * walker_effort_double(action, ACTION_DIM);
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float cost = (float)action_cost;
    (void)task;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        reward[i] = next[i * STATE_DIM + WALKER_SPEED] -
                    cost * walker_effort_float(action + i * ACTION_DIM, ACTION_DIM);
    }
}

static const MujocoTask mujoco = {.model = &shared_model,
                                  .frame_skip = FRAME_SKIP,
                                  .speed = true,
                                  .start = start,
                                  .observe = observe};

const EnvironmentOps environment_half_cheetah_ops = {
    .name = "half_cheetah",
    .source = "handful-of-trials (Chua et al. 2018), dmbrl/env/half_cheetah.py",
    .help = "run forward with two legs (MuJoCo); reward speed - 0.1 |action|^2 per step",
    .observation = "dx/dt (m/s), height (m) and pitch (rad), six joint angles, nine speeds",
    .inputs = "height, sin and cos of the pitch, joint angles, speeds",
    .start = "positions and speeds N(0, 0.001^2)",
    .state_dim = STATE_DIM,
    .action_dim = ACTION_DIM,
    .feature_dim = STATE_DIM,
    .dt = 0.05,
    .episode_length = 1000,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .target_absolute = target_absolute,
    .worst_return = -1000.0, /* full action, and 20 m backwards */
    .snapshot_size = MUJOCO_SPEED_SNAPSHOT(NQ, NV),
    .data = &mujoco,
    .create = mujoco_task_create,
    .destroy = mujoco_task_destroy,
    .reset = mujoco_task_reset,
    .step = mujoco_task_step,
    .save = mujoco_task_save,
    .load = mujoco_task_load,
    .reward = reward_of,
    .features = walker_features,
    .rewards = rewards_of,
};
