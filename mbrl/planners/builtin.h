/** @file builtin.h  The planners and back ends that registry.c lists; a new one adds a line here
 * and there. */
#ifndef MBRL_PLANNERS_BUILTIN_H
#define MBRL_PLANNERS_BUILTIN_H

#include "mbrl/planners/backend.h"
#include "mbrl/planners/planner.h"

extern const PlannerOps planner_cem_ops;
extern const PlannerOps planner_icem_ops;
extern const PlannerOps planner_mppi_ops;
extern const PlannerOps planner_random_shooting_ops;

extern const PlannerBackend planner_backend_rollout_ops;    /* "learned" */
extern const PlannerBackend planner_backend_simulation_ops; /* "true_dynamics" */

#endif
