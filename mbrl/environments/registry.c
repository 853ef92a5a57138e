#include "mbrl/environments/builtin.h"

#include "core/option.h"
#include "mbrl/environments/mjcf.h"

#include <string.h>

static const EnvironmentOps *const builtin[] = {
    &environment_cartpole_ops,
    &environment_pendulum_ops,
    &environment_double_pendulum_swingup_ops,
    &environment_mbbl_cartpole_ops,
    &environment_mbbl_pendulum_ops,
    &environment_mbbl_acrobot_ops,
    &environment_mbbl_inverted_pendulum_ops,
#ifdef MBTUNE_HAVE_MUJOCO
    &environment_cartpole_swingup_ops,
    &environment_reacher7dof_ops,
    &environment_pusher_ops,
    &environment_half_cheetah_ops,
    &environment_hopper_ops,
#endif
};

enum { BUILTIN_COUNT = sizeof builtin / sizeof builtin[0] };

static const char *const unavailable[] = {
#ifndef MBTUNE_HAVE_MUJOCO
    "cartpole_swingup: built without MuJoCo",
    "reacher7dof: built without MuJoCo",
    "pusher: built without MuJoCo",
    "half_cheetah: built without MuJoCo",
    "hopper: built without MuJoCo",
    "mjcf: built without MuJoCo",
#endif
    NULL,
};

size_t environment_count(void) {
    return BUILTIN_COUNT;
}

const EnvironmentOps *environment_at(size_t index) {
    return index < BUILTIN_COUNT ? builtin[index] : NULL;
}

const char *const *environment_unavailable(void) {
    return unavailable;
}

/* The row of `unavailable` that speaks about `name`, or NULL. */
static const char *missing_reason(const char *name) {
    const size_t length = strlen(name);
    for (const char *const *row = unavailable; *row != NULL; row++) {
        if (strncmp(*row, name, length) == 0 && (*row)[length] == ':') {
            return *row;
        }
    }
    return NULL;
}

Status environment_find(const char *name, const EnvironmentOps **out) {
    const char *names[BUILTIN_COUNT + 1];

    *out = NULL;
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(builtin[i]->name, name) == 0) {
            *out = builtin[i];
            return STATUS_OK;
        }
        names[i] = builtin[i]->name;
    }
    if (strcmp(name, "mjcf") == 0 && environment_mjcf_help() != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "environment 'mjcf' needs a model: "
                                      "environment: {name: mjcf, file: robot.xml, ...}");
    }
    const char *reason = missing_reason(name);
    if (reason != NULL) {
        FAIL(STATUS_ERR_UNAVAILABLE, "environment %s", reason);
    }
    names[BUILTIN_COUNT] = "mjcf";
    const size_t count = BUILTIN_COUNT + (environment_mjcf_help() != NULL ? 1 : 0);
    const char  *nearest = option_nearest(name, names, count);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no environment '%s'; did you mean '%s'?", name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no environment '%s'; `mbtune list` shows them", name);
}

void environment_planner_rewards(const EnvironmentOps *task, const float *state,
                                 const float *action, const float *next, size_t n, float *reward) {
    if (task->planner_rewards != NULL) {
        task->planner_rewards(task, state, action, next, n, reward);
    } else {
        task->rewards(task, state, action, next, n, reward);
    }
}

void environment_copy_features(const EnvironmentOps *task, const float *state, size_t n,
                               float *features, size_t stride) {
    for (size_t i = 0; i < n; i++) {
        memcpy(features + i * stride, state + i * task->state_dim, task->state_dim * sizeof *state);
    }
}
