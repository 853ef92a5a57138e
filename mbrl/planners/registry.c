#include "mbrl/planners/builtin.h"

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

size_t planner_count(void) {
    return PLANNERS;
}

const PlannerOps *planner_at(size_t index) {
    return index < PLANNERS ? planners[index] : NULL;
}

size_t planner_backend_count(void) {
    return BACKENDS;
}

const PlannerBackend *planner_backend_at(size_t index) {
    return index < BACKENDS ? backends[index] : NULL;
}
