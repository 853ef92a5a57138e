/* Hop forward on one leg: gym's hopper in MuJoCo, with the observation and the never ending
 * episodes of Zhang et al. (2021).
 *
 * The reward has a bonus while the hopper is alive; whoever has fallen just gets no more of it. The
 * literature's planner does not see the bonus: it maximizes planner_rewards_of(), the speed less
 * the action's cost. Alive is judged by the observation, whose speeds are clipped to +-10, so that
 * the reward is a function of what an agent sees. The model is this project's own.
 */
#include "mbrl/environments/builtin.h"
#include "mbrl/environments/mujoco_task.h"
#include "mbrl/environments/walker.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

enum { NQ = 6, NV = 6, ACTION_DIM = 3, STATE_DIM = NQ + NV, FRAME_SKIP = 4 };

static const char mjcf[] =
    "<mujoco model='hopper'>"
    "  <compiler inertiafromgeom='true'/>"
    "  <option timestep='0.002' integrator='RK4'/>"
    "  <default>"
    "    <joint type='hinge' axis='0 -1 0' limited='true' armature='1' damping='1'/>"
    "    <geom type='capsule' density='1000' contype='1' conaffinity='1' condim='1' margin='0.001'"
    "      friction='0.9' solimp='0.8 0.8 0.01' solref='0.02 1'/>"
    "    <motor ctrllimited='true' ctrlrange='-1 1' gear='200'/>"
    "  </default>"
    "  <worldbody>"
    "    <geom type='plane' size='20 20 0.125' condim='3' friction='1'/>"
    "    <body name='torso' pos='0 0 1.25'>"
    "      <joint name='rootx' type='slide' axis='1 0 0' pos='0 0 -1.25' limited='false'"
    "        armature='0' damping='0'/>"
    "      <joint name='rootz' type='slide' axis='0 0 1' pos='0 0 -1.25' ref='1.25'"
    "        limited='false' armature='0' damping='0'/>"
    "      <joint name='rooty' axis='0 1 0' limited='false' armature='0' damping='0'/>"
    "      <geom size='0.05 0.2'/>"
    "      <body name='thigh' pos='0 0 -0.2'>"
    "        <joint name='thigh_joint' range='-150 0'/>"
    "        <geom pos='0 0 -0.225' size='0.05 0.225'/>"
    "        <body name='leg' pos='0 0 -0.7'>"
    "          <joint name='leg_joint' pos='0 0 0.25' range='-150 0'/>"
    "          <geom size='0.04 0.25'/>"
    "          <body name='foot' pos='0.13 0 -0.35'>"
    "            <joint name='foot_joint' pos='-0.13 0 0.1' range='-45 45'/>"
    "            <geom fromto='-0.26 0 0.1 0.13 0 0.1' size='0.06' friction='2'/>"
    "          </body>"
    "        </body>"
    "      </body>"
    "    </body>"
    "  </worldbody>"
    "  <actuator>"
    "    <motor joint='thigh_joint'/>"
    "    <motor joint='leg_joint'/>"
    "    <motor joint='foot_joint'/>"
    "  </actuator>"
    "</mujoco>";

static MujocoModel shared_model = MUJOCO_MODEL("hopper", mjcf);

/* gym, gym/envs/mujoco/hopper.py */
static const double action_cost = 0.001; /* per squared action */
static const double alive_bonus = 1.0;
static const double most = 100.0;        /* of any observed number from the pitch on */
static const double height_limit = 0.7;  /* m */
static const double pitch_limit = 0.2;   /* rad */
static const double start_width = 0.005; /* positions and speeds start uniform in +-this */
static const double speed_limit = 10.0;  /* observed speeds are clipped to +-this */

static const double action_low[ACTION_DIM] = {-1, -1, -1};
static const double action_high[ACTION_DIM] = {1, 1, 1};

static const bool target_absolute[STATE_DIM] = {[WALKER_SPEED] = true};

/* measured once: see target_scale_is_the_measured_one in the tests (100 000 steps of the uniform
 * random policy, seed 1) */
static const double target_scale[STATE_DIM] = {0.57540049,  0.0057623112, 0.02362948, 0.022558402,
                                               0.018625581, 0.019442448,  0.12285567, 0.17061987,
                                               0.8491172,   0.82318716,   0.66410061, 0.81554878};

static void start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel) {
    (void)task;
    (void)model;
    for (size_t i = 0; i < NQ; i++) {
        qpos[i] += start_width * (2.0 * rng_uniform(rng) - 1.0);
    }
    for (size_t i = 0; i < NV; i++) {
        qvel[i] = start_width * (2.0 * rng_uniform(rng) - 1.0);
    }
}

/* fmin and fmax would hide a NaN */
static double limited(double speed) {
    return isfinite(speed) ? fmin(fmax(speed, -speed_limit), speed_limit) : speed;
}

static void observe(const EnvironmentOps *task, const mjModel *model, mjData *data, double speed,
                    double *state) {
    (void)task;
    (void)model;
    walker_observe(data, NQ, speed, state);
    for (size_t i = NQ; i < STATE_DIM; i++) {
        state[i] = limited(state[i]);
    }
}

static bool alive(const double *state) {
    bool inside = state[WALKER_HEIGHT] > height_limit && fabs(state[WALKER_PITCH]) < pitch_limit &&
                  isfinite(state[WALKER_SPEED]) && isfinite(state[WALKER_HEIGHT]);
    for (size_t i = WALKER_PITCH; i < STATE_DIM; i++) {
        inside = inside && fabs(state[i]) < most;
    }
    return inside;
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    (void)task;
    (void)state;
    return next[WALKER_SPEED] - action_cost * walker_effort_double(action, ACTION_DIM) +
           (alive(next) ? alive_bonus : 0.0);
}

static inline float speed_less_effort(const float *action, const float *next) {
    return next[WALKER_SPEED] - (float)action_cost * walker_effort_float(action, ACTION_DIM);
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const float infinity = vector_from_bits(0x7f800000u);
    (void)task;
    (void)state;
    for (size_t k = 0; k < n; k++) {
        const float *s = next + k * STATE_DIM;
        int          inside = (s[WALKER_HEIGHT] > (float)height_limit) &
                     (fabsf(s[WALKER_PITCH]) < (float)pitch_limit) &
                     (fabsf(s[WALKER_SPEED]) < infinity) & (s[WALKER_HEIGHT] < infinity);
        for (size_t i = WALKER_PITCH; i < STATE_DIM; i++) {
            inside &= fabsf(s[i]) < (float)most;
        }
        reward[k] = speed_less_effort(action + k * ACTION_DIM, s) +
                    vector_choose(inside, (float)alive_bonus, 0.0f);
    }
}

KERNEL_CLONES
static void planner_rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                               const float *next, size_t n, float *reward) {
    (void)task;
    (void)state;
    for (size_t k = 0; k < n; k++) {
        reward[k] = speed_less_effort(action + k * ACTION_DIM, next + k * STATE_DIM);
    }
}

static const MujocoTask mujoco = {.model = &shared_model,
                                  .frame_skip = FRAME_SKIP,
                                  .speed = true,
                                  .start = start,
                                  .observe = observe};

const EnvironmentOps environment_hopper_ops = {
    .name = "hopper",
    .source = "Zhang et al. (2021), HPO_for_RL; gym, envs/mujoco/hopper.py",
    .help = "hop forward on one leg (MuJoCo); reward speed - 0.001 |action|^2 + 1 while alive",
    .observation = "dx/dt (m/s), height (m) and pitch (rad), three joint angles, six speeds within "
                   "+-10",
    .inputs = "height, sin and cos of the pitch, joint angles, speeds",
    .start = "positions (height around 1.25) and speeds uniform in +-0.005",
    .state_dim = STATE_DIM,
    .action_dim = ACTION_DIM,
    .feature_dim = STATE_DIM,
    .dt = 0.008,
    .episode_length = 1000,
    .action_low = action_low,
    .action_high = action_high,
    .target_scale = target_scale,
    .target_absolute = target_absolute,
    .worst_return = -1000.0, /* 8 m backwards */
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
    .planner_rewards = planner_rewards_of,
    .planner_objective = "speed - 0.001 |action|^2, without the bonus for being alive",
};
