/* An environment whose model, observation, reward and termination come from a study file.
 * Everything is a table that was made once; the functions below only walk over tables, one pass
 * over the rows per entry, so that the batched ones vectorize. */
#include "mbrl/environments/mjcf_internal.h"

#include "core/kernel.h"
#include "core/vector_math.h"
#include "mbrl/environments/mjcf_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const Mjcf *mjcf__of(const EnvironmentOps *task) {
    return (const Mjcf *)task; /* its first member */
}

static void start(const EnvironmentOps *task, const mjModel *model, Rng *rng, double *qpos,
                  double *qvel) {
    const Mjcf *mjcf = mjcf__of(task);
    for (int j = 0; j < model->njnt; j++) {
        if (model->jnt_type[j] == mjJNT_SLIDE || model->jnt_type[j] == mjJNT_HINGE) {
            qpos[model->jnt_qposadr[j]] += mjcf->reset_position * (2.0 * rng_uniform(rng) - 1.0);
        }
    }
    for (int i = 0; i < model->nv; i++) {
        qvel[i] = mjcf->reset_speed * (2.0 * rng_uniform(rng) - 1.0);
    }
}

static double observed(const MjcfQuantity *quantity, const mjData *data, double rate) {
    switch (quantity->kind) {
    case MJCF_POSITION:
    case MJCF_ANGLE:
        return data->qpos[quantity->index];
    case MJCF_SPEED:
        return data->qvel[quantity->index];
    case MJCF_RATE:
        return rate;
    case MJCF_BODY_X:
    case MJCF_BODY_Y:
    case MJCF_BODY_Z:
        return data->xpos[3 * quantity->index + (int)(quantity->kind - MJCF_BODY_X)];
    }
    return 0.0;
}

static void observe(const EnvironmentOps *task, const mjModel *model, mjData *data, double rate,
                    double *state) {
    const Mjcf *mjcf = mjcf__of(task);
    if (mjcf->bodies) {
        mj_kinematics(model, data); /* after a step bodies stand where they were before it */
    }
    for (size_t i = 0; i < task->state_dim; i++) {
        state[i] = observed(&mjcf->quantities[i], data, rate);
    }
}

static double formed(MjcfForm form, double value) {
    switch (form) {
    case MJCF_VALUE:
        return value;
    case MJCF_SQUARE:
        return value * value;
    case MJCF_ABSOLUTE:
        return fabs(value);
    case MJCF_COS:
        break;
    }
    return cos(value);
}

static double reward_of(const EnvironmentOps *task, const double *state, const double *action,
                        const double *next) {
    const Mjcf *mjcf = mjcf__of(task);
    double      effort = 0.0;
    (void)state;
    for (size_t i = 0; i < task->action_dim; i++) {
        effort += action[i] * action[i];
    }
    double reward = mjcf->alive + mjcf->action_weight * effort;
    for (size_t i = 0; i < mjcf->term_count; i++) {
        const MjcfTerm *term = &mjcf->terms[i];
        reward += term->weight * formed(term->form, next[term->quantity] - term->target);
    }
    return reward;
}

/* adds one term to every reward; `values` is the first row's number, rows are `stride` apart */
KERNEL_CLONES
static void add_term(const MjcfTerm *term, const float *values, size_t stride, size_t n,
                     float *reward) {
    const float weight = (float)term->weight;
    const float target = (float)term->target;
    const int   square = term->form == MJCF_SQUARE;
    const int   absolute = term->form == MJCF_ABSOLUTE;
    if (term->form == MJCF_COS) {
        for (size_t i = 0; i < n; i++) {
            float sine;
            float cosine;
            vector_sin_cos_one(values[i * stride] - target, &sine, &cosine);
            reward[i] += weight * cosine;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float value = values[i * stride] - target;
        const float size = vector_choose(value < 0.0f, -value, value);
        reward[i] +=
            weight * vector_choose(square, value * value, vector_choose(absolute, size, value));
    }
}

KERNEL_CLONES
static void rewards_of(const EnvironmentOps *task, const float *state, const float *action,
                       const float *next, size_t n, float *reward) {
    const Mjcf  *mjcf = mjcf__of(task);
    const float  alive = (float)mjcf->alive;
    const float  weight = (float)mjcf->action_weight;
    const size_t a = task->action_dim;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        float effort = 0.0f;
        for (size_t d = 0; d < a; d++) {
            effort += action[i * a + d] * action[i * a + d];
        }
        reward[i] = alive + weight * effort;
    }
    for (size_t i = 0; i < mjcf->term_count; i++) {
        add_term(&mjcf->terms[i], next + mjcf->terms[i].quantity, task->state_dim, n, reward);
    }
}

static bool ended(const EnvironmentOps *task, const double *state) {
    const Mjcf *mjcf = mjcf__of(task);
    for (size_t i = 0; i < mjcf->bound_count; i++) {
        const MjcfBound *bound = &mjcf->bounds[i];
        /* as the batched predicate sees it */
        const float value = (float)state[bound->quantity];
        if (!(value >= (float)bound->lower && value <= (float)bound->upper)) {
            return true;
        }
    }
    return false;
}

KERNEL_CLONES
static void terminated_of(const EnvironmentOps *task, const float *next, size_t n,
                          unsigned char *terminated) {
    const Mjcf *mjcf = mjcf__of(task);
    for (size_t i = 0; i < n; i++) {
        terminated[i] = 0;
    }
    for (size_t k = 0; k < mjcf->bound_count; k++) {
        const float  lower = (float)mjcf->bounds[k].lower;
        const float  upper = (float)mjcf->bounds[k].upper;
        const float *values = next + mjcf->bounds[k].quantity;
        for (size_t i = 0; i < n; i++) {
            const float value = values[i * task->state_dim];
            terminated[i] |= (unsigned char)!((value >= lower) & (value <= upper));
        }
    }
}

KERNEL_CLONES
static void features_of(const EnvironmentOps *task, const float *state, size_t n, float *features,
                        size_t stride) {
    const Mjcf *mjcf = mjcf__of(task);
    size_t      at = 0;
    for (size_t d = 0; d < task->state_dim; d++) {
        const bool angle = mjcf->quantities[d].kind == MJCF_ANGLE;
        for (size_t i = 0; i < n; i++) {
            const float value = state[i * task->state_dim + d];
            float      *out = features + i * stride + at;
            if (angle) {
                vector_sin_cos_one(value, &out[0], &out[1]);
            } else {
                out[0] = value;
            }
        }
        at += angle ? 2 : 1;
    }
}

/* the functions and the facts that are the same for all */
static const EnvironmentOps blank = {
    .name = "mjcf",
    .help = "your own model",
    .start = "the model's qpos0, slides and hinges and all speeds with uniform noise",
    .create = mujoco_task_create,
    .destroy = mujoco_task_destroy,
    .reset = mujoco_task_reset,
    .step = mujoco_task_step,
    .save = mujoco_task_save,
    .load = mujoco_task_load,
    .reward = reward_of,
    .features = features_of,
    .rewards = rewards_of,
};

static void destroy(Mjcf *mjcf) {
    mujoco_model_reset(&mjcf->model);
    buffer_reset(&mjcf->observation);
    free(mjcf->file);
    free(mjcf);
}

/* the file, and what it loads, as they were when the study was read */
static Status check_hash(const Json *definition, const Mjcf *mjcf) {
    const char *expected = json_string(json_get(definition, "model_hash"));
    char        found[MJCF_HASH_SIZE];

    if (!mjcf->complete || expected == NULL) {
        return STATUS_OK;
    }
    TRY(mjcf_files_hash(mjcf->file, found));
    if (strcmp(found, expected) != 0) {
        FAIL(STATUS_ERR_STATE,
             "'%s', or a file that it loads, is not the one any more that the study was started "
             "with",
             mjcf->file);
    }
    return STATUS_OK;
}

static Status build(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    TRY(mjcf__read(definition, problem, mjcf));
    TRY(check_hash(definition, mjcf));
    mjcf->ops.terminated = mjcf->bound_count > 0 ? terminated_of : NULL;
    mjcf->task.ended = mjcf->bound_count > 0 ? ended : NULL;
    return mjcf__scales(definition, problem, mjcf);
}

Status environment_mjcf_create(const Json *definition, MjcfProblem *problem,
                               const EnvironmentOps **out) {
    MjcfProblem ignored = {0};
    Mjcf       *mjcf = calloc(1, sizeof *mjcf);

    *out = NULL;
    if (mjcf == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the mjcf environment");
    }
    mjcf->complete = problem == NULL;
    problem = problem != NULL ? problem : &ignored;
    *problem = (MjcfProblem){0};
    mjcf->ops = blank;
    mjcf->ops.data = &mjcf->task;
    mjcf->ops.action_low = mjcf->action_low;
    mjcf->ops.action_high = mjcf->action_high;
    mjcf->ops.target_scale = mjcf->target_scale;
    mjcf->ops.target_absolute = mjcf->target_absolute;
    mjcf->task = (MujocoTask){.model = &mjcf->model, .start = start, .observe = observe};
    mujoco_model_init(&mjcf->model, "mjcf");
    buffer_init(&mjcf->observation, (size_t)ENV_MAX_STATE * (MJCF_NAME + 2));
    const Status status = build(definition, problem, mjcf);
    if (status != STATUS_OK) {
        destroy(mjcf);
        return status;
    }
    *out = &mjcf->ops;
    return STATUS_OK;
}

void environment_mjcf_destroy(const EnvironmentOps *ops) {
    if (ops != NULL) {
        destroy((Mjcf *)(uintptr_t)ops); /* made by create() above: not const */
    }
}

Status environment_mjcf_complete(const EnvironmentOps *ops, Json *definition) {
    Json *scale = json_new_array();
    for (size_t i = 0; i < ops->state_dim; i++) {
        const Status status = json_push(scale, json_new_number(ops->target_scale[i]));
        if (status != STATUS_OK) {
            json_release(scale);
            return status;
        }
    }
    TRY(json_set(definition, "target_scale", scale));
    return json_set(definition, "worst_return", json_new_number(ops->worst_return));
}

const char *environment_mjcf_help(void) {
    return "your own MJCF file, with observation, reward and termination in the study file "
           "(MuJoCo; see docs/study-file.md)";
}
