#include "mbrl/agents/pets_internal.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum { MOST_OPTIONS = 64 };

static const OptionSpec own_options[PETS_OPTION_COUNT + 1] = {
    [PETS_TRAIN_EVERY] = {.name = "model_train_every",
                          .type = OPTION_INT,
                          .lower = 1,
                          .upper = 100000,
                          .default_value = 50,
                          .dynamic = true,
                          .help = "control steps between two training calls",
                          .source = "mbrl-lib, overrides/pets_cartpole.yaml"},
    [PETS_VALIDATION_RATIO] = {.name = "validation_ratio",
                               .type = OPTION_FLOAT,
                               .lower = 0,
                               .upper = 0.5,
                               .default_value = 0.05,
                               .help = "share of the episodes that is held out of training; where "
                                       "above 0, one of episodes 1 to 5 is the first (0: none)"},
    [PETS_INITIAL_STEPS] = {.name = "initial_steps",
                            .type = OPTION_INT,
                            .lower = 1,
                            .upper = 100000,
                            .default_value = 200,
                            .help = "environment steps with uniform random actions at the start",
                            .source = "mbrl-lib, algorithm/pets.yaml: one trial length"},
    [PETS_EXPLORATION_NOISE] = {.name = "exploration_noise",
                                .type = OPTION_FLOAT,
                                .lower = 0,
                                .upper = 1,
                                .default_value = 0,
                                .dynamic = true,
                                .help =
                                    "standard deviation of noise added to planned actions, as a "
                                    "share of the action range"},
};

static OptionSpec all_options[MOST_OPTIONS + 1];
static size_t     model_count;
static size_t     planner_count;

static void join_options(void) {
    model_count = option_count(model_ensemble_ops.options);
    planner_count = option_count(planner_cem_ops.options);
    assert(model_count + planner_count + PETS_OPTION_COUNT <= MOST_OPTIONS);
    memcpy(all_options, model_ensemble_ops.options, model_count * sizeof *all_options);
    memcpy(all_options + model_count, planner_cem_ops.options, planner_count * sizeof *all_options);
    memcpy(all_options + model_count + planner_count, own_options, sizeof own_options);
}

const OptionSpec *pets__options(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, join_options);
    return all_options;
}

const double *pets__model_options(const double *options) {
    return options;
}

const double *pets__planner_options(const double *options) {
    (void)pets__options();
    return options + model_count;
}

double pets__option(const double *options, PetsOption option) {
    (void)pets__options();
    return options[model_count + planner_count + option];
}

Status pets__options_check(const double *options) {
    const OptionSpec *specs = pets__options();
    for (size_t i = 0; specs[i].name != NULL; i++) {
        TRY(option_check(&specs[i], options[i]));
    }
    return STATUS_OK;
}

size_t pets__input_dim(const EnvironmentOps *environment) {
    return environment->feature_dim + environment->action_dim;
}
