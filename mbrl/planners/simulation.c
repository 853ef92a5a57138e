/* true_dynamics: sequences are carried out in the simulator itself, one after another, from the
 * state in which the real one is. What a planner earns with it is an upper bound for learned models
 * under the same budget. The reward is that of the episode; a simulation that diverges returns NaN,
 * so breaking the physics never pays; after a termination the rest of the horizon earns 0.
 */
#include "mbrl/planners/builtin.h"

#include "core/clock.h"

#include <math.h>
#include <stdlib.h>

typedef struct Simulation {
    const EnvironmentOps *environment;
    void                 *simulator;
    size_t                horizon;
} Simulation;

static void simulation_destroy(void *self) {
    Simulation *simulation = self;
    if (simulation == NULL) {
        return;
    }
    if (simulation->simulator != NULL) {
        simulation->environment->destroy(simulation->simulator);
    }
    free(simulation);
}

static Status simulation_create(const EnvironmentOps *environment, void **self) {
    *self = NULL;
    Simulation *simulation = calloc(1, sizeof *simulation);
    if (simulation == NULL) {
        FAIL(STATUS_ERR_NOMEM, "simulation: no memory");
    }
    simulation->environment = environment;
    const Status status = environment->create(environment, &simulation->simulator);
    if (status != STATUS_OK) {
        simulation_destroy(simulation);
        return status;
    }
    *self = simulation;
    return STATUS_OK;
}

static Status simulation_reserve(void *self, const RolloutShape *shape, const PlanTask *task) {
    Simulation *simulation = self;
    if (task->snapshot == NULL) {
        FAIL(STATUS_ERR_ARG, "simulation: there is no simulator state to plan from");
    }
    simulation->horizon = shape->horizon;
    return STATUS_OK;
}

/* the return of candidate c; adds to *steps what was simulated */
static Status simulate(Simulation *simulation, const RolloutTask *task, size_t c, double *total,
                       double *steps) {
    const EnvironmentOps *env = simulation->environment;
    const size_t          a = env->action_dim;
    double                state[ENV_MAX_STATE];
    double                action[ENV_MAX_ACTION];
    EnvironmentStep       step = {.reward = 0.0};
    *total = 0.0;
    TRY(env->load(simulation->simulator, task->plan->snapshot, state));
    for (size_t time = 0; time < simulation->horizon && !step.terminated; time++) {
        const float *drawn = task->actions + (time * task->candidates + c) * a;
        for (size_t d = 0; d < a; d++) {
            action[d] = (double)drawn[d];
        }
        step = (EnvironmentStep){.reward = 0.0};
        TRY(env->step(simulation->simulator, action, state, &step));
        *steps += 1.0;
        if (step.diverged) {
            *total = (double)NAN;
            return STATUS_OK;
        }
        *total += step.reward;
    }
    return STATUS_OK;
}

static Status simulation_evaluate(void *self, const RolloutTask *task, double *returns,
                                  RolloutResult *result) {
    Simulation *simulation = self;
    *result = (RolloutResult){.flop = 0.0};
    for (size_t c = 0; c < task->candidates; c++) {
        if (task->deadline > 0.0 && clock_monotonic() >= task->deadline) {
            result->expired = true;
            break;
        }
        TRY(simulate(simulation, task, c, &returns[c], &result->env_steps));
    }
    return STATUS_OK;
}

const PlannerBackend planner_backend_simulation_ops = {
    .name = "true_dynamics",
    .help = "the simulator itself, from its real state: an upper bound for learned models",
    .create = simulation_create,
    .destroy = simulation_destroy,
    .reserve = simulation_reserve,
    .evaluate = simulation_evaluate,
};
