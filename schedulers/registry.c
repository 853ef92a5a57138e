#include "schedulers/builtin.h"
#include "schedulers/scheduler_internal.h"

#include <string.h>

static const SchedulerOps *const builtin[] = {
    &scheduler_random_ops,    &scheduler_sobol_ops, &scheduler_grid_ops,    &scheduler_cmaes_ops,
    &scheduler_nlopt_ops,     &scheduler_nsga2_ops, &scheduler_enqueue_ops, &scheduler_tpe_ops,
    &scheduler_gp_ops,        &scheduler_full_ops,  &scheduler_median_ops,  &scheduler_asha_ops,
    &scheduler_hyperband_ops, &scheduler_bohb_ops,  &scheduler_dehb_ops,    &scheduler_pbt_ops,
    &scheduler_pbt_bt_ops,    &scheduler_pb2_ops,   &scheduler_bg_pbt_ops,  &scheduler_mf_pbt_ops,
};

enum {
    BUILTIN_COUNT = sizeof builtin / sizeof builtin[0],
    ADDED_MAX = 8,
};

/* written by tests before anything else runs */
static const SchedulerOps *added[ADDED_MAX];
static size_t              added_count;

Status scheduler_register_for_tests(const SchedulerOps *ops) {
    for (size_t i = 0; i < BUILTIN_COUNT + added_count; i++) {
        const SchedulerOps *known = (i < BUILTIN_COUNT) ? builtin[i] : added[i - BUILTIN_COUNT];
        if (strcmp(known->name, ops->name) == 0) {
            FAIL(STATUS_ERR_ARG, "there is a scheduler '%s' already", ops->name);
        }
    }
    if (added_count == ADDED_MAX) {
        FAIL(STATUS_ERR_STATE, "at most %d schedulers can be added for tests", ADDED_MAX);
    }
    added[added_count++] = ops;
    return STATUS_OK;
}

size_t scheduler_count(void) {
    return BUILTIN_COUNT;
}

const SchedulerOps *scheduler_at(size_t index) {
    return (index < BUILTIN_COUNT) ? builtin[index] : NULL;
}

Status scheduler_find(const char *name, const SchedulerOps **out) {
    const char *names[BUILTIN_COUNT + ADDED_MAX];
    *out = NULL;
    for (size_t i = 0; i < BUILTIN_COUNT + added_count; i++) {
        const SchedulerOps *ops = (i < BUILTIN_COUNT) ? builtin[i] : added[i - BUILTIN_COUNT];
        if (strcmp(ops->name, name) == 0) {
            *out = ops;
            return STATUS_OK;
        }
        names[i] = ops->name;
    }
    const char *nearest = option_nearest(name, names, BUILTIN_COUNT + added_count);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no scheduler '%s'; did you mean '%s'?", name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no scheduler '%s'; 'mbtune list' names them", name);
}
