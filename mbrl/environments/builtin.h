/** @file builtin.h  The environments that registry.c lists; a new one adds a line here and there.
 */
#ifndef MBRL_ENVIRONMENTS_BUILTIN_H
#define MBRL_ENVIRONMENTS_BUILTIN_H

#include "mbrl/environments/environment.h"

extern const EnvironmentOps environment_cartpole_ops;
extern const EnvironmentOps environment_pendulum_ops;
extern const EnvironmentOps environment_double_pendulum_swingup_ops;
extern const EnvironmentOps environment_mbbl_cartpole_ops;
extern const EnvironmentOps environment_mbbl_pendulum_ops;
extern const EnvironmentOps environment_mbbl_acrobot_ops;
extern const EnvironmentOps environment_mbbl_inverted_pendulum_ops;
#ifdef MBTUNE_HAVE_MUJOCO
extern const EnvironmentOps environment_cartpole_swingup_ops;
extern const EnvironmentOps environment_reacher7dof_ops;
extern const EnvironmentOps environment_pusher_ops;
extern const EnvironmentOps environment_half_cheetah_ops;
extern const EnvironmentOps environment_hopper_ops;
#endif

#endif
