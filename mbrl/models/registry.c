#include "mbrl/models/builtin.h"

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
