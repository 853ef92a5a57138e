#include "mbrl/environments/mujoco_task.h"

#include "core/number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Simulated {
    MujocoSim             sim; /* first, so that mujoco_task_sim() is a cast */
    const EnvironmentOps *task;
    double                speed;
    double                state[ENV_MAX_STATE]; /* as last observed */
    double                start[];              /* (nq + nv) scratch */
} Simulated;

static const MujocoTask *facts(const Simulated *simulated) {
    return simulated->task->data;
}

MujocoSim *mujoco_task_sim(void *self) {
    return self;
}

static void observe(Simulated *simulated, double *state) {
    facts(simulated)->observe(simulated->task, simulated->sim.model, simulated->sim.data,
                              simulated->speed, simulated->state);
    memcpy(state, simulated->state, simulated->task->state_dim * sizeof *state);
}

Status mujoco_task_create(const EnvironmentOps *task, void **self) {
    const MujocoTask *mujoco = task->data;
    const mjModel    *model = NULL;

    *self = NULL;
    TRY(mujoco_model_get(mujoco->model, &model));
    const size_t numbers = (size_t)model->nq + (size_t)model->nv;
    Simulated   *simulated = calloc(1, sizeof *simulated + numbers * sizeof(double));
    if (simulated == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the %s environment", task->name);
    }
    simulated->task = task;
    const Status status = mujoco_sim_init(&simulated->sim, mujoco->model);
    if (status != STATUS_OK) {
        free(simulated);
        return status;
    }
    *self = simulated;
    return STATUS_OK;
}

void mujoco_task_destroy(void *self) {
    Simulated *simulated = self;
    if (simulated != NULL) {
        mujoco_sim_reset(&simulated->sim);
        free(simulated);
    }
}

Status mujoco_task_reset(void *self, Rng *rng, double *state) {
    Simulated     *simulated = self;
    const mjModel *model = simulated->sim.model;
    double        *qpos = simulated->start;
    double        *qvel = simulated->start + model->nq;

    memcpy(qpos, model->qpos0, (size_t)model->nq * sizeof *qpos);
    memset(qvel, 0, (size_t)model->nv * sizeof *qvel);
    facts(simulated)->start(simulated->task, model, rng, qpos, qvel);
    TRY(mujoco_sim_start(&simulated->sim, qpos, qvel));
    simulated->speed = 0.0;
    observe(simulated, state);
    return STATUS_OK;
}

Status mujoco_task_step(void *self, const double *action, double *state, EnvironmentStep *out) {
    Simulated            *simulated = self;
    const EnvironmentOps *task = simulated->task;
    mjData               *data = simulated->sim.data;
    const int             speed_of = facts(simulated)->speed_of;
    const double          position = data->qpos[speed_of];
    double                before[ENV_MAX_STATE];
    double                clipped[ENV_MAX_ACTION];
    bool                  diverged = !number_all_finite(action, task->action_dim);

    memcpy(before, simulated->state, task->state_dim * sizeof *before);
    for (size_t i = 0; i < task->action_dim; i++) {
        clipped[i] = fmin(fmax(action[i], task->action_low[i]), task->action_high[i]);
    }
    if (!diverged) {
        memcpy(data->ctrl, clipped, task->action_dim * sizeof *clipped);
        mujoco_sim_step(&simulated->sim, facts(simulated)->frame_skip, &diverged);
    }
    simulated->speed = (data->qpos[speed_of] - position) / task->dt;
    observe(simulated, state);
    out->diverged = diverged || !number_all_finite(state, task->state_dim);
    out->terminated = false;
    out->reward = 0.0;
    if (!out->diverged) {
        out->reward = task->reward(task, before, clipped, state);
        out->terminated = facts(simulated)->ended != NULL && facts(simulated)->ended(task, state);
    }
    return STATUS_OK;
}

void mujoco_task_save(const void *self, double *snapshot) {
    const Simulated *simulated = self;
    const mjModel   *model = simulated->sim.model;

    mujoco_sim_save(&simulated->sim, snapshot);
    if (facts(simulated)->speed) {
        snapshot[MUJOCO_SNAPSHOT(model->nq, model->nv)] = simulated->speed;
    }
}

Status mujoco_task_load(void *self, const double *snapshot, double *state) {
    Simulated     *simulated = self;
    const mjModel *model = simulated->sim.model;

    mujoco_sim_load(&simulated->sim, snapshot);
    simulated->speed =
        facts(simulated)->speed ? snapshot[MUJOCO_SNAPSHOT(model->nq, model->nv)] : 0.0;
    observe(simulated, state);
    return STATUS_OK;
}
