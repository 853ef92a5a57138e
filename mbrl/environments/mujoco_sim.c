/* MuJoCo behind a Status. Its errors call a handler that must not return, and by default end the
 * process; ours jumps back to the call (setjmp, one target per thread), since a user's model must
 * not end a study. What was being made then is leaked or thrown away, never used. Its warnings
 * would write a file; they are counted in mjData, and a bad QPOS, QVEL or QACC is a divergence:
 * MuJoCo resets the state on it, so nothing after it belongs to the episode.
 */
#include "mbrl/environments/mujoco_sim.h"

#include "core/number.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ERROR_TEXT_SIZE = 256 };

/* where MuJoCo's error handler jumps to: set while this thread is inside a guarded call */
static _Thread_local jmp_buf *guard;
static _Thread_local char     error_text[ERROR_TEXT_SIZE];

static void on_error(const char *message) {
    if (guard == NULL) {
        return; /* outside a guarded call there is nothing to unwind */
    }
    (void)snprintf(error_text, sizeof error_text, "%s", message);
    longjmp(*guard, 1);
}

static void on_warning(const char *message) {
    (void)message; /* counted in mjData; the default would write MUJOCO_LOG.TXT */
}

static void install_handlers(void) {
    mju_user_error = on_error;
    mju_user_warning = on_warning;
}

/* Runs body(context); false if MuJoCo's error handler ended it (error_text says why). */
static bool guarded(void (*body)(void *context), void *context) {
    jmp_buf here;

    guard = &here;
    if (setjmp(here) != 0) {
        guard = NULL;
        return false;
    }
    body(context);
    guard = NULL;
    return true;
}

typedef struct Compilation {
    const char *mjcf;
    const char *file;
    mjVFS      *files;
    mjModel    *model;
    char        error[ERROR_TEXT_SIZE];
} Compilation;

static void compile_body(void *context) {
    static const char file_name[] = "model.xml";
    Compilation      *c = context;
    const size_t      length = strlen(c->mjcf);

    mj_defaultVFS(c->files);
    if (mj_makeEmptyFileVFS(c->files, file_name, (int)length) == 0) {
        memcpy(c->files->filedata[mj_findFileVFS(c->files, file_name)], c->mjcf, length);
        c->model = mj_loadXML(file_name, c->files, c->error, (int)sizeof c->error);
    }
    mj_deleteVFS(c->files);
}

static void load_body(void *context) {
    Compilation *c = context;
    c->model = mj_loadXML(c->file, NULL, c->error, (int)sizeof c->error);
}

/* Compiles from memory or a file. The virtual file system is a fifth of a megabyte: not for the
 * stack. */
static Status compile(MujocoModel *model) {
    mjVFS *files = calloc(1, sizeof *files);

    if (files == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to compile the model of '%s'", model->name);
    }
    Compilation c = {.mjcf = model->mjcf, .file = model->file, .files = files};
    const bool  finished = guarded(model->file != NULL ? load_body : compile_body, &c);
    free(files);
    if (c.model == NULL) {
        char *const text = finished ? c.error : error_text;
        for (size_t i = 0; text[i] != '\0'; i++) {
            if (text[i] == '\n') { /* one sentence, one line */
                text[i] = ' ';
            }
        }
        FAIL(STATUS_ERR_PARSE, "MuJoCo cannot compile the model of '%s': %s", model->name, text);
    }
    model->model = c.model;
    return STATUS_OK;
}

void mujoco_model_init(MujocoModel *model, const char *name) {
    *model = (MujocoModel){.name = name};
    (void)pthread_mutex_init(&model->lock, NULL);
}

void mujoco_model_reset(MujocoModel *model) {
    if (model->model != NULL) {
        mj_deleteModel(model->model);
    }
    (void)pthread_mutex_destroy(&model->lock);
    model->model = NULL;
}

Status mujoco_model_get(MujocoModel *model, const mjModel **out) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    *out = NULL;
    (void)pthread_once(&once, install_handlers);
    (void)pthread_mutex_lock(&model->lock);
    const Status status = model->model != NULL ? STATUS_OK : compile(model);
    *out = model->model;
    (void)pthread_mutex_unlock(&model->lock);
    return status;
}

static void make_data_body(void *context) {
    MujocoSim *sim = context;
    sim->data = mj_makeData(sim->model);
}

Status mujoco_sim_init(MujocoSim *sim, MujocoModel *model) {
    *sim = (MujocoSim){0};
    TRY(mujoco_model_get(model, &sim->model));
    if (!guarded(make_data_body, sim) || sim->data == NULL) {
        *sim = (MujocoSim){0};
        FAIL(STATUS_ERR_NOMEM, "no memory for a simulation of '%s'", model->name);
    }
    return STATUS_OK;
}

void mujoco_sim_reset(MujocoSim *sim) {
    if (sim->data != NULL) {
        mj_deleteData(sim->data);
    }
    *sim = (MujocoSim){0};
}

static void forward_body(void *context) {
    const MujocoSim *sim = context;
    mj_forward(sim->model, sim->data);
}

Status mujoco_sim_start(MujocoSim *sim, const double *qpos, const double *qvel) {
    mj_resetData(sim->model, sim->data);
    memcpy(sim->data->qpos, qpos, (size_t)sim->model->nq * sizeof *qpos);
    memcpy(sim->data->qvel, qvel, (size_t)sim->model->nv * sizeof *qvel);
    if (!guarded(forward_body, sim)) {
        FAIL(STATUS_ERR_NUMERIC, "MuJoCo failed at the start of an episode: %s", error_text);
    }
    return STATUS_OK;
}

/* MuJoCo resets the state after such a warning, so the counters are the only trace. */
static bool has_bad_numbers(const mjData *data) {
    return data->warning[mjWARN_BADQPOS].number > 0 || data->warning[mjWARN_BADQVEL].number > 0 ||
           data->warning[mjWARN_BADQACC].number > 0 || data->warning[mjWARN_BADCTRL].number > 0;
}

static bool state_is_finite(const MujocoSim *sim) {
    return number_all_finite(sim->data->qpos, (size_t)sim->model->nq) &&
           number_all_finite(sim->data->qvel, (size_t)sim->model->nv);
}

typedef struct Stepping {
    const MujocoSim *sim;
    int              steps;
} Stepping;

static void step_body(void *context) {
    const Stepping *stepping = context;
    for (int i = 0; i < stepping->steps && !has_bad_numbers(stepping->sim->data); i++) {
        mj_step(stepping->sim->model, stepping->sim->data);
    }
}

void mujoco_sim_step(MujocoSim *sim, int steps, bool *diverged) {
    Stepping   stepping = {.sim = sim, .steps = steps};
    const bool finished = guarded(step_body, &stepping);
    *diverged = !finished || has_bad_numbers(sim->data) || !state_is_finite(sim);
}

void mujoco_sim_save(const MujocoSim *sim, double *snapshot) {
    const size_t nq = (size_t)sim->model->nq;
    const size_t nv = (size_t)sim->model->nv;

    memcpy(snapshot, sim->data->qpos, nq * sizeof *snapshot);
    memcpy(snapshot + nq, sim->data->qvel, nv * sizeof *snapshot);
    snapshot[nq + nv] = sim->data->time;
    memcpy(snapshot + nq + nv + 1, sim->data->qacc_warmstart, nv * sizeof *snapshot);
}

void mujoco_sim_load(MujocoSim *sim, const double *snapshot) {
    const size_t nq = (size_t)sim->model->nq;
    const size_t nv = (size_t)sim->model->nv;

    mj_resetData(sim->model, sim->data);
    memcpy(sim->data->qpos, snapshot, nq * sizeof *snapshot);
    memcpy(sim->data->qvel, snapshot + nq, nv * sizeof *snapshot);
    sim->data->time = snapshot[nq + nv];
    memcpy(sim->data->qacc_warmstart, snapshot + nq + nv + 1, nv * sizeof *snapshot);
}
