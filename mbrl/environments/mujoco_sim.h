/** @file mujoco_sim.h  MuJoCo without its manners: no printing, no exit, failures as Status.
 *
 * MuJoCo ends the process when something is wrong. Here its error handler jumps back into the call
 * that was under way (per thread), and warnings are only counted; bad numbers in positions,
 * velocities or accelerations are reported as divergence. One compiled model per environment is
 * shared by all simulations of the process and never freed.
 */
#ifndef MBRL_ENVIRONMENTS_MUJOCO_SIM_H
#define MBRL_ENVIRONMENTS_MUJOCO_SIM_H

#include "core/status.h"

#include <mujoco/mujoco.h>
#include <pthread.h>
#include <stdbool.h>

/** An MJCF text and the model it compiles to; a static object per environment. */
typedef struct MujocoModel {
    const char     *name;
    const char     *mjcf;  /* NULL where `file` is given */
    const char     *file;  /* read from there, with what it includes; NULL = mjcf */
    mjModel        *model; /* NULL until the first use; `lock` guards the change */
    pthread_mutex_t lock;
} MujocoModel;

#define MUJOCO_MODEL(model_name, mjcf_text) \
    { .name = (model_name), .mjcf = (mjcf_text), .lock = PTHREAD_MUTEX_INITIALIZER }

/** One simulation. */
typedef struct MujocoSim {
    const mjModel *model;
    mjData        *data;
} MujocoSim;

/** Doubles of a snapshot: qpos, qvel, time, qacc_warmstart. */
#define MUJOCO_SNAPSHOT(nq, nv) ((nq) + 2 * (nv) + 1)

/** For a model that is made at run time; `name` is borrowed. reset() is harmless on one that was
 * never compiled; no simulation may be left. */
void mujoco_model_init(MujocoModel *model, const char *name);
void mujoco_model_reset(MujocoModel *model);
/** Compiles the model unless that was done before. @return STATUS_OK; STATUS_ERR_PARSE with the
 * compiler's text; STATUS_ERR_NOMEM */
Status mujoco_model_get(MujocoModel *model, const mjModel **out) MUST_USE;
/** @return STATUS_OK; as mujoco_model_get(); `sim` is zeroed on failure */
Status mujoco_sim_init(MujocoSim *sim, MujocoModel *model) MUST_USE;
/** Harmless on a zeroed one. */
void mujoco_sim_reset(MujocoSim *sim);

/** Clears everything, sets positions and velocities and brings what depends on them up to date.
 * @return STATUS_OK; STATUS_ERR_NUMERIC with MuJoCo's text */
Status mujoco_sim_start(MujocoSim *sim, const double *qpos, const double *qvel) MUST_USE;
/** Holds data->ctrl for `steps` simulator steps; stops at the first that diverges (a bad number
 * in positions, velocities, accelerations or controls, or an error inside MuJoCo). */
void mujoco_sim_step(MujocoSim *sim, int steps, bool *diverged);
/** Writes MUJOCO_SNAPSHOT(nq, nv) doubles. */
void mujoco_sim_save(const MujocoSim *sim, double *snapshot);
/** Continuing from a loaded snapshot gives the same bits as continuing from the saved state. */
void mujoco_sim_load(MujocoSim *sim, const double *snapshot);

#endif
