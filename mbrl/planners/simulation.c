/* true_dynamics: sequences are carried out in simulators of its own, one per thread, from the state
 * in which the real one is. What a planner earns with it is an upper bound for learned models
 * under the same budget, and so it must maximize the same: the episode's reward, or what the task
 * says that planners maximize (the hopper's planner_rewards). A simulation that diverges returns
 * NaN, so breaking the physics never pays; after a termination the rest of the horizon earns 0.
 */
#include "mbrl/planners/builtin.h"

#include "core/clock.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* candidates that a thread takes at a time: a candidate of a small task takes a microsecond */
enum { TAKEN = 8 };

/* of one thread; a whole cache line, so that counting disturbs no other */
typedef struct Lane {
    void  *simulator;
    double steps; /* simulated in the evaluation under way */
    char   apart[48];
} Lane;

typedef struct Simulation {
    const EnvironmentOps *environment;
    Lane                 *lanes; /* (lane_count) */
    size_t                lane_count;
    size_t                horizon;
    /* the evaluation under way */
    const RolloutTask *task;
    double            *returns;
    atomic_bool        expired; /* set by whichever thread sees it */
} Simulation;

static void destroy_lanes(const EnvironmentOps *environment, Lane *lanes, size_t count) {
    for (size_t i = 0; i < count; i++) {
        environment->destroy(lanes[i].simulator);
    }
    free(lanes);
}

static void simulation_destroy(void *self) {
    Simulation *simulation = self;
    if (simulation != NULL) {
        destroy_lanes(simulation->environment, simulation->lanes, simulation->lane_count);
        free(simulation);
    }
}

/* a simulator for each of so many threads, at least */
static Status make_lanes(Simulation *simulation, size_t threads) {
    const EnvironmentOps *environment = simulation->environment;
    size_t                made = simulation->lane_count;
    if (threads <= made) {
        return STATUS_OK;
    }
    Lane *lanes = calloc(threads, sizeof *lanes);
    if (lanes == NULL) {
        FAIL(STATUS_ERR_NOMEM, "simulation: no memory");
    }
    for (size_t i = 0; i < made; i++) {
        lanes[i].simulator = simulation->lanes[i].simulator;
    }
    Status status = STATUS_OK;
    for (; made < threads && status == STATUS_OK; made += status == STATUS_OK) {
        status = environment->create(environment, &lanes[made].simulator);
    }
    /* what was made is kept: the next try goes on from there */
    free(simulation->lanes);
    simulation->lanes = lanes;
    simulation->lane_count = made;
    return status;
}

static Status simulation_create(const EnvironmentOps *environment, void **self) {
    *self = NULL;
    Simulation *simulation = calloc(1, sizeof *simulation);
    if (simulation == NULL) {
        FAIL(STATUS_ERR_NOMEM, "simulation: no memory");
    }
    simulation->environment = environment;
    const Status status = make_lanes(simulation, 1);
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
    TRY(make_lanes(simulation, thread_pool_threads(task->pool)));
    simulation->horizon = shape->horizon;
    return STATUS_OK;
}

/* what a step is worth to a planner; in float32 where the task has an objective for planners */
static double objective(const EnvironmentOps *env, const double *before, const double *action,
                        const double *next, double reward) {
    float from[ENV_MAX_STATE];
    float to[ENV_MAX_STATE];
    float held[ENV_MAX_ACTION];
    float planned;
    if (env->planner_rewards == NULL) {
        return reward;
    }
    for (size_t i = 0; i < env->state_dim; i++) {
        from[i] = (float)before[i];
        to[i] = (float)next[i];
    }
    for (size_t d = 0; d < env->action_dim; d++) {
        held[d] = (float)action[d];
    }
    env->planner_rewards(env, from, held, to, 1, &planned);
    return (double)planned;
}

/* the return of candidate c; adds to lane->steps what was simulated */
static Status simulate(const Simulation *simulation, Lane *lane, size_t c, double *total) {
    const EnvironmentOps *env = simulation->environment;
    const RolloutTask    *task = simulation->task;
    const size_t          a = env->action_dim;
    double                state[ENV_MAX_STATE];
    double                before[ENV_MAX_STATE];
    double                action[ENV_MAX_ACTION];
    EnvironmentStep       step = {.reward = 0.0};
    *total = 0.0;
    TRY(env->load(lane->simulator, task->plan->snapshot, state));
    for (size_t time = 0; time < simulation->horizon && !step.terminated; time++) {
        const float *drawn = task->actions + (time * task->candidates + c) * a;
        for (size_t d = 0; d < a; d++) {
            action[d] = (double)drawn[d];
        }
        step = (EnvironmentStep){.reward = 0.0};
        memcpy(before, state, env->state_dim * sizeof *before);
        TRY(env->step(lane->simulator, action, state, &step));
        lane->steps += 1.0;
        if (step.diverged) {
            *total = (double)NAN;
            return STATUS_OK;
        }
        *total += objective(env, before, action, state, step.reward);
    }
    return STATUS_OK;
}

static bool is_over(Simulation *simulation) {
    const double deadline = simulation->task->deadline;
    if (deadline > 0.0 && clock_monotonic() >= deadline) {
        atomic_store(&simulation->expired, true);
    }
    return atomic_load(&simulation->expired);
}

/* a ThreadWork */
static Status simulate_some(void *context, size_t thread, size_t item) {
    Simulation  *simulation = context;
    const size_t candidates = simulation->task->candidates;
    const size_t end = (item + 1) * TAKEN < candidates ? (item + 1) * TAKEN : candidates;
    for (size_t c = item * TAKEN; c < end && !is_over(simulation); c++) {
        TRY(simulate(simulation, &simulation->lanes[thread], c, &simulation->returns[c]));
    }
    return STATUS_OK;
}

static Status simulation_evaluate(void *self, const RolloutTask *task, double *returns,
                                  RolloutResult *result) {
    Simulation  *simulation = self;
    ThreadPool  *pool = task->plan->pool;
    const size_t threads = thread_pool_threads(pool);
    if (threads > simulation->lane_count) {
        FAIL(STATUS_ERR_STATE, "simulation: %zu threads, room was made for %zu", threads,
             simulation->lane_count);
    }
    simulation->task = task;
    simulation->returns = returns;
    atomic_store(&simulation->expired, false);
    for (size_t i = 0; i < threads; i++) {
        simulation->lanes[i].steps = 0.0;
    }
    TRY(thread_pool_run(pool, (task->candidates + TAKEN - 1) / TAKEN, simulate_some, simulation));
    *result = (RolloutResult){.expired = atomic_load(&simulation->expired)};
    for (size_t i = 0; i < threads; i++) {
        result->env_steps += simulation->lanes[i].steps; /* whole numbers: any order, same sum */
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
