#include "mbrl/models/builtin.h"

#include <string.h>

/* in the order of the choices of the agents' option `dynamics_model` */
static const DynamicsModelOps *const builtin[] = {
    &model_ensemble_ops,
    &model_linear_ops,
    &model_gaussian_process_ops,
};

enum { BUILTIN_COUNT = sizeof builtin / sizeof builtin[0] };

size_t model_count(void) {
    return BUILTIN_COUNT;
}

const DynamicsModelOps *model_at(size_t index) {
    return index < BUILTIN_COUNT ? builtin[index] : NULL;
}

Status model_find(const char *name, const DynamicsModelOps **out) {
    const char *names[BUILTIN_COUNT];

    *out = NULL;
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(builtin[i]->name, name) == 0) {
            *out = builtin[i];
            return STATUS_OK;
        }
        names[i] = builtin[i]->name;
    }
    const char *nearest = option_nearest(name, names, BUILTIN_COUNT);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no dynamics model '%s'; did you mean '%s'?", name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no dynamics model '%s'; `mbtune list agents pets` shows them",
         name);
}
