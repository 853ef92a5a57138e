#include "mbrl/agents/pets_internal.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum { MOST_MODELS = 8 };

/* the registry of models in its order */
static const char *const model_names[] = {"ensemble", "linear", "gaussian_process", NULL};

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
    /* ---- the dynamics model ---- */
    [PETS_DYNAMICS_MODEL] = {.name = "dynamics_model",
                             .type = OPTION_CHOICE,
                             .upper = 2,
                             .choices = model_names,
                             .help = "what is learned: an ensemble of networks, Bayesian linear "
                                     "regression, a Gaussian process per output"},
    [PETS_LEARNED_REWARD] = {.name = "learned_reward",
                             .type = OPTION_BOOL,
                             .upper = 1,
                             .help = "the model predicts the reward, too, and planners use that in "
                                     "place of the environment's function",
                             .source = "mbrl-lib, learned_rewards"},
    [PETS_DATA_LIMIT] = {.name = "data_limit",
                         .type = OPTION_INT,
                         .upper = 1e9,
                         .dynamic = OPTION_DYNAMIC,
                         .help = "newest training transitions that are learned from (count; 0: "
                                 "all)"},
    [PETS_RESET_EVERY] = {.name = "model_reset_every",
                          .type = OPTION_INT,
                          .upper = 1e9,
                          .dynamic = OPTION_DYNAMIC,
                          .help = "control steps after which the next training call begins with "
                                  "new weights (count; 0: never)"},
    [PETS_REBUILD_EPOCHS] = {.name = "rebuild_epochs",
                             .type = OPTION_INT,
                             .lower = 1,
                             .upper = 10000,
                             .default_value = 100,
                             .dynamic = OPTION_DYNAMIC,
                             .help =
                                 "passes over the data at most, where a change of the networks' "
                                 "structure needs a new model; it ends at the validation NLL "
                                 "of the old one (count)"},
};

static OptionSpec all_options[PETS_MOST_OPTIONS + 1];
static size_t     model_first[MOST_MODELS]; /* row of each model's first option */
static size_t     planner_first;
static size_t     own_first;

/* copies rows behind the first `at`; @return how many there are then */
static size_t join(size_t at, const OptionSpec *rows) {
    const size_t count = option_count(rows);
    assert(at + count <= PETS_MOST_OPTIONS);
    memcpy(all_options + at, rows, (count + 1) * sizeof *rows);
    return at + count;
}

static void join_options(void) {
    size_t count = 0;
    assert(model_count() <= MOST_MODELS);
    for (size_t k = 0; k < model_count(); k++) {
        model_first[k] = count;
        count = join(count, model_at(k)->options);
    }
    planner_first = count;
    own_first = join(planner_first, planner_cem_ops.options);
    (void)join(own_first, own_options);
}

const OptionSpec *pets__options(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, join_options);
    return all_options;
}

const DynamicsModelOps *pets__model_ops(const double *options) {
    return model_at((size_t)pets__option(options, PETS_DYNAMICS_MODEL));
}

const double *pets__model_options(const double *options) {
    return options + model_first[(size_t)pets__option(options, PETS_DYNAMICS_MODEL)];
}

const double *pets__planner_options(const double *options) {
    (void)pets__options();
    return options + planner_first;
}

double pets__option(const double *options, PetsOption option) {
    (void)pets__options();
    return options[own_first + option];
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

size_t pets__output_dim(const EnvironmentOps *environment, const double *options) {
    return environment->state_dim + (pets__option(options, PETS_LEARNED_REWARD) != 0.0 ? 1 : 0);
}
