/** @file mujoco_task.h  Environments that are an MJCF model: what they all do with a simulation.
 *
 * An environment says how it starts and what it observes of mjData; creating, holding actions for a
 * control step, judging and copying are the same for all. Its EnvironmentOps has `data` = its
 * MujocoTask and the mujoco_task_*() functions in its slots.
 */
#ifndef MBRL_ENVIRONMENTS_MUJOCO_TASK_H
#define MBRL_ENVIRONMENTS_MUJOCO_TASK_H

#include "mbrl/environments/environment.h"
#include "mbrl/environments/mujoco_sim.h"

typedef struct MujocoTask {
    MujocoModel *model;
    int          frame_skip; /* simulator steps of a control step */
    bool         speed;      /* the observation has the speed of a coordinate over the control
                                step: one more double in the snapshot */
    int speed_of;            /* which of qpos */
    /* draws the start of an episode; qpos (nq) holds the model's own, qvel (nv) zeros */
    void (*start)(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel);
    /* state (s) out; `speed` = change of qpos[speed_of] over the last control step, per second; 0
     * at the start */
    void (*observe)(const EnvironmentOps *task, const mjModel *model, mjData *data, double speed,
                    double *state);
    /* does this state (s) end the episode? NULL = never; the predicate of `terminated` in double */
    bool (*ended)(const EnvironmentOps *task, const double *state);
} MujocoTask;

/** Doubles of a snapshot of a task with `speed`. */
#define MUJOCO_SPEED_SNAPSHOT(nq, nv) (MUJOCO_SNAPSHOT(nq, nv) + 1)

/** @return STATUS_OK; as mujoco_sim_init() */
Status mujoco_task_create(const EnvironmentOps *task, void **self) MUST_USE;
void   mujoco_task_destroy(void *self);
Status mujoco_task_reset(void *self, Rng *rng, double *state) MUST_USE;
/** Diverged where mujoco_sim_step() says so, or a number of the action or of the state is not
 * finite; such a step earns 0. */
Status mujoco_task_step(void *self, const double *action, double *state,
                        EnvironmentStep *out) MUST_USE;
void   mujoco_task_save(const void *self, double *snapshot);
Status mujoco_task_load(void *self, const double *snapshot, double *state) MUST_USE;
/** The simulation of an environment that was created here (for tests and benchmarks). */
MujocoSim *mujoco_task_sim(void *self);

#endif
