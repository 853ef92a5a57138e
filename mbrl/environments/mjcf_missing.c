/* What mjcf.h is in a build without MuJoCo. */
#include "mbrl/environments/mjcf.h"

Status environment_mjcf_create(const Json *definition, MjcfProblem *problem,
                               const EnvironmentOps **out) {
    (void)definition;
    *out = NULL;
    if (problem != NULL) {
        *problem = (MjcfProblem){0};
    }
    FAIL(STATUS_ERR_UNAVAILABLE, "environment mjcf: built without MuJoCo");
}

void environment_mjcf_destroy(const EnvironmentOps *ops) {
    (void)ops;
}

Status environment_mjcf_complete(const EnvironmentOps *ops, Json *definition) {
    (void)ops;
    (void)definition;
    FAIL(STATUS_ERR_UNAVAILABLE, "environment mjcf: built without MuJoCo");
}

const char *environment_mjcf_help(void) {
    return NULL;
}
