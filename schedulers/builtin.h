/** @file builtin.h  The schedulers of this build. Adding one: its line here, its row in registry.c.
 */
#ifndef SCHEDULERS_BUILTIN_H
#define SCHEDULERS_BUILTIN_H

#include "schedulers/scheduler.h"

extern const SchedulerOps scheduler_random_ops;
extern const SchedulerOps scheduler_sobol_ops;
extern const SchedulerOps scheduler_grid_ops;
extern const SchedulerOps scheduler_cmaes_ops;
extern const SchedulerOps scheduler_nlopt_ops;
extern const SchedulerOps scheduler_nsga2_ops;
extern const SchedulerOps scheduler_enqueue_ops;
extern const SchedulerOps scheduler_tpe_ops;
extern const SchedulerOps scheduler_gp_ops;
extern const SchedulerOps scheduler_full_ops;
extern const SchedulerOps scheduler_median_ops;
extern const SchedulerOps scheduler_asha_ops;
extern const SchedulerOps scheduler_hyperband_ops;
extern const SchedulerOps scheduler_bohb_ops;
extern const SchedulerOps scheduler_dehb_ops;
extern const SchedulerOps scheduler_pbt_ops;
extern const SchedulerOps scheduler_pbt_bt_ops;
extern const SchedulerOps scheduler_pb2_ops;
extern const SchedulerOps scheduler_bg_pbt_ops;
extern const SchedulerOps scheduler_mf_pbt_ops;

#endif
