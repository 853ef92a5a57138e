/* Which hyperparameters have no effect beside others: every planner and every model has rows of its
 * own, and one of each is in use. A search that moves the others wastes a dimension, so a study is
 * warned of it before it runs. */
#include "mbrl/agents/pets_internal.h"

#include <string.h>

/* a row that works with one choice of another only, or without one */
typedef struct Tie {
    const char *option;
    const char *decider;
    const char *choice;
    bool        works_with; /* with this choice only; else with every other */
} Tie;

static const Tie ties[] = {
    {"momentum", "optimizer", "sgd", true},
    {"logvar_bounds", "model_kind", "probabilistic", true},
    {"particles", "propagation", "e", false},
};

/* rows that nothing reads where the planner has the simulator; the models' are idle, too */
static const char *const untrained[] = {
    "propagation",    "particles",      "model_train_every", "validation_ratio",  "initial_steps",
    "dynamics_model", "learned_reward", "data_limit",        "model_reset_every", "rebuild_epochs"};

static bool has(const OptionSpec *rows, const char *name) {
    return option_find(rows, name) < option_count(rows);
}

static bool is_of_another_planner(const double *options, const char *name) {
    bool other = false;
    for (size_t i = 0; i < planner_count(); i++) {
        other = other || has(planner_at(i)->options, name);
    }
    return other && !has(pets__planner_ops(options)->options, name);
}

static bool is_of_a_model(const char *name) {
    bool of_a_model = false;
    for (size_t i = 0; i < model_count(); i++) {
        of_a_model = of_a_model || has(model_at(i)->options, name);
    }
    return of_a_model;
}

static bool is_untrained(const char *name) {
    for (size_t i = 0; i < sizeof untrained / sizeof untrained[0]; i++) {
        if (strcmp(untrained[i], name) == 0) {
            return true;
        }
    }
    return is_of_a_model(name);
}

static bool is_loose(const Tie *tie, const double *options, const char *name) {
    const OptionSpec *specs = pets__options();
    const size_t      row = option_find(specs, tie->decider);
    const char       *choice = specs[row].choices[(size_t)options[row]];
    return strcmp(tie->option, name) == 0 && (strcmp(choice, tie->choice) == 0) != tie->works_with;
}

/* name of the row that decides, or NULL */
static const char *decider(const double *options, const char *name) {
    if (is_of_another_planner(options, name)) {
        return "planner";
    }
    if (pets__has_true_dynamics(options) && is_untrained(name)) {
        return "planning_model";
    }
    if (is_of_a_model(name) && !has(pets__model_ops(options)->options, name)) {
        return "dynamics_model";
    }
    for (size_t i = 0; i < sizeof ties / sizeof ties[0]; i++) {
        if (is_loose(&ties[i], options, name)) {
            return ties[i].decider;
        }
    }
    return NULL;
}

size_t pets__overruled_by(const double *option_values, size_t option) {
    const OptionSpec *specs = pets__options();
    const char       *name = decider(option_values, specs[option].name);
    return name == NULL ? option_count(specs) : option_find(specs, name);
}
