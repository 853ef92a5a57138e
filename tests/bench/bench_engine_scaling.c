/* How the cost of a planning step grows, and what an agent holds in memory. */
#include "tests/bench/engine_bench.h"

#include "core/rng.h"
#include "mbrl/agents/pets_internal.h"

#include <stdio.h>
#include <sys/resource.h>

enum { MOST_OPTIONS = 128 };

static PlanCase sweep_case(bool quick) {
    return (PlanCase){.name = "",
                      .environment = "cartpole",
                      .networks = {.members = 5, .layers = 3, .width = 200},
                      .candidates = quick ? 10 : 200,
                      .iterations = 2,
                      .horizon = 10,
                      .particles = 10,
                      .propagation = PROPAGATION_TSINF};
}

static Timing time_plan(const PlanCase *c, double *flop) {
    Planning p;
    Timing   t = {0};
    if (planning_make(c, &p)) {
        call_plan(&p);
        *flop = p.flop;
        t = time_calls(p.flop, 1, call_plan, &p);
        planning_free(&p);
    }
    return t;
}

/* Times are compared in units of the peak measured around each call, because other load changes the
 * core's speed between two cases. */
static void print_doubled(const char *what, const PlanCase *once, const PlanCase *doubled) {
    double       flop[2] = {0.0};
    const Timing first = time_plan(once, &flop[0]);
    const Timing second = time_plan(doubled, &flop[1]);
    printf("  %-11s doubled: time %5.2f times, FLOP %5.2f times  (%.1f -> %.1f ms)\n", what,
           (flop[1] / second.share) / (flop[0] / first.share), flop[1] / flop[0],
           1e3 * first.median, 1e3 * second.median);
}

/* With more members, equally many rows are predicted by more networks: FLOP stay, and so should the
 * time. The particles are a multiple of both numbers. */
void measure_scaling(bool quick) {
    PlanCase c = sweep_case(quick);
    printf("cost of a step: cart-pole, 5 x 3x200 swish, %.0fx2 candidates, horizon 10, 10 "
           "particles, TSinf\n",
           c.candidates);
    const PlanCase once = c;
    c.candidates *= 2.0;
    print_doubled("candidates", &once, &c);
    c = once;
    c.particles *= 2.0;
    print_doubled("particles", &once, &c);
    c = once;
    c.horizon *= 2.0;
    print_doubled("horizon", &once, &c);
    c = once;
    c.networks.members *= 2;
    print_doubled("members", &once, &c);
    PlanCase joint = once;
    joint.propagation = PROPAGATION_DS; /* every member predicts every row */
    c.propagation = PROPAGATION_DS;
    print_doubled("members, DS", &joint, &c);
}

static void append_transitions(Pets *pets, size_t count) {
    const EnvironmentOps *env = pets->environment;
    Rng                   rng = rng_stream(3, 0, RNG_TEST);
    for (size_t i = 0; i < count; i++) {
        double state[ENV_MAX_STATE];
        double action[ENV_MAX_ACTION];
        double next[ENV_MAX_STATE];
        bool   finite = true;
        for (size_t d = 0; d < env->state_dim; d++) {
            state[d] = 2.0 * rng_uniform(&rng) - 1.0;
            next[d] = state[d] + 0.1 * rng_uniform(&rng);
        }
        for (size_t d = 0; d < env->action_dim; d++) {
            action[d] = 2.0 * rng_uniform(&rng) - 1.0;
        }
        check(pets__append(env, pets->data,
                           &(PetsTransition){.state = state,
                                             .action = action,
                                             .next = next,
                                             .episode = (int64_t)i / env->episode_length},
                           pets->row, &finite));
    }
    check(dataset_bootstrap(pets->data, 1, 1));
}

/* an agent at the published settings of the half-cheetah trains for an epoch and plans once */
static void use_agent(const EnvironmentOps *environment, size_t transitions) {
    static const struct {
        const char *name;
        double      value;
    } settings[] = {{"ensemble_size", 7},    {"hidden_layers", 4},      {"hidden_width", 200},
                    {"cem_candidates", 400}, {"cem_iterations", 1},     {"planning_horizon", 30},
                    {"particles", 20},       {"model_train_epochs", 1}, {"model_batch_size", 256}};
    double     options[MOST_OPTIONS];
    double     state[ENV_MAX_STATE] = {0.0};
    double     action[ENV_MAX_ACTION];
    FitReport  fit;
    PlanReport plan;
    Pets      *pets = NULL;
    option_defaults(pets__options(), options);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        set_option(pets__options(), options, settings[i].name, settings[i].value);
    }
    check(pets__create(environment, AGENT_UNIT_EPISODE, options, 1, &pets));
    append_transitions(pets, transitions);
    check(pets->model_ops->fit(pets->model, pets->data, 1, 1, &fit));
    const PlanTask task = {
        .model = pets->model_ops, .model_self = pets->model, .state = state, .seed = 1, .step = 1};
    check(pets->planner_ops->plan(pets->planner, &task, action, &plan));
    pets__destroy(pets);
}

void measure_memory(size_t transitions) {
    const EnvironmentOps *environment = NULL;
    struct rusage         usage;
    if (environment_find("half_cheetah", &environment) != STATUS_OK) {
        printf("memory not measured: %s\n", status_last()->text);
        return;
    }
    (void)getrusage(RUSAGE_SELF, &usage);
    const double before = (double)usage.ru_maxrss / 1024.0;
    use_agent(environment, transitions);
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("half-cheetah agent, 7 x 4x200, 400 candidates, horizon 30, 20 particles, %zu "
           "transitions: peak of the whole process %.0f MB resident, %.0f MB of them before\n",
           transitions, (double)usage.ru_maxrss / 1024.0, before);
}
