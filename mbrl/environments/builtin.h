/** @file builtin.h  The environments that registry.c lists; a new one adds a line here and there.
 */
#ifndef MBRL_ENVIRONMENTS_BUILTIN_H
#define MBRL_ENVIRONMENTS_BUILTIN_H

#include "mbrl/environments/environment.h"

extern const EnvironmentOps environment_cartpole_ops;
#ifdef MBTUNE_HAVE_MUJOCO
extern const EnvironmentOps environment_cartpole_swingup_ops;
#endif

#endif
