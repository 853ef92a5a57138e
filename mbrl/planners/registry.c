#include "mbrl/planners/builtin.h"

#include "core/option.h"

#include <string.h>

/* The order is that of the choices of the agents' options `planner` and `planning_model`, whose
 * numbers stand in checkpoints: append. */
static const PlannerOps *const planners[] = {
    &planner_cem_ops,
    &planner_icem_ops,
    &planner_mppi_ops,
    &planner_random_shooting_ops,
};

static const PlannerBackend *const backends[] = {
    &planner_backend_rollout_ops,
    &planner_backend_simulation_ops,
};

enum {
    PLANNERS = sizeof planners / sizeof planners[0],
    BACKENDS = sizeof backends / sizeof backends[0],
};

static Status unknown(const char *what, const char *name, const char *const *names, size_t count) {
    const char *nearest = option_nearest(name, names, count);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no %s '%s'; did you mean '%s'?", what, name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no %s '%s'; `mbtune list agents pets` shows them", what, name);
}

size_t planner_count(void) {
    return PLANNERS;
}

const PlannerOps *planner_at(size_t index) {
    return index < PLANNERS ? planners[index] : NULL;
}

Status planner_find(const char *name, const PlannerOps **out) {
    const char *names[PLANNERS];

    *out = NULL;
    for (size_t i = 0; i < PLANNERS; i++) {
        if (strcmp(planners[i]->name, name) == 0) {
            *out = planners[i];
            return STATUS_OK;
        }
        names[i] = planners[i]->name;
    }
    return unknown("planner", name, names, PLANNERS);
}

size_t planner_backend_count(void) {
    return BACKENDS;
}

const PlannerBackend *planner_backend_at(size_t index) {
    return index < BACKENDS ? backends[index] : NULL;
}

Status planner_backend_find(const char *name, const PlannerBackend **out) {
    const char *names[BACKENDS];

    *out = NULL;
    for (size_t i = 0; i < BACKENDS; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            *out = backends[i];
            return STATUS_OK;
        }
        names[i] = backends[i]->name;
    }
    return unknown("planning model", name, names, BACKENDS);
}
