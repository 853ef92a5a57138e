/* The rows of an agent: the model's, those that all planners share, those of each planner, its own.
 */
#include "mbrl/agents/pets_internal.h"

#include <assert.h>
#include <pthread.h>
#include <string.h>

enum { MOST_CHOICES = 16 };

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
                               .dynamic = OPTION_DYNAMIC,
                               .help =
                                   "share of the episodes that is held out of training, decided "
                                   "when an episode begins; where above 0, one of episodes 1 to "
                                   "5 is the first (0: none)"},
    [PETS_INITIAL_STEPS] = {.name = "initial_steps",
                            .type = OPTION_INT,
                            .lower = 1,
                            .upper = 100000,
                            .default_value = 200,
                            .help = "environment steps with uniform random actions at the start; "
                                    "none with planning_model true_dynamics",
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
    /* choices and upper bounds of these come from the registries */
    [PETS_PLANNER] = {.name = "planner",
                      .type = OPTION_CHOICE,
                      .default_value = 0,
                      .help = "how action sequences are searched; each has options of its own",
                      .source = "Chua et al. (2018), PETS, arXiv 1805.12114"},
    [PETS_PLANNING_MODEL] = {.name = "planning_model",
                             .type = OPTION_CHOICE,
                             .default_value = 0,
                             .help = "what the planner predicts with: the learned model, or the "
                                     "simulator itself (an upper bound; nothing is trained)"},
    /* ---- the dynamics model ---- */
    [PETS_DYNAMICS_MODEL] = {.name = "dynamics_model",
                             .type = OPTION_CHOICE,
                             .default_value = 0,
                             .help = "what is learned: an ensemble of networks, Bayesian linear "
                                     "regression, a Gaussian process per output"},
    [PETS_LEARNED_REWARD] = {.name = "learned_reward",
                             .type = OPTION_BOOL,
                             .upper = 1,
                             .help = "the model predicts the episode's reward, too, and planners "
                                     "use that in place of the environment's function (on the "
                                     "hopper: with the bonus for being alive)",
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

enum { MOST_PARTS = 3 * MOST_CHOICES };

static AgentPart   all_parts[MOST_PARTS + 1];
static OptionSpec  all_options[PETS_MOST_OPTIONS + 1];
static const char *models[MOST_CHOICES + 1];
static const char *planners[MOST_CHOICES + 1];
static const char *planning_models[MOST_CHOICES + 1];
static size_t      model_first[MOST_CHOICES]; /* row of each model's first option */
static size_t      rollout_first;
static size_t      planner_first[MOST_CHOICES];
static size_t      own_first;

/* appends rows behind `count`; @return the new count */
static size_t append(size_t count, const OptionSpec *rows) {
    const size_t more = option_count(rows);
    assert(count + more <= PETS_MOST_OPTIONS);
    memcpy(all_options + count, rows, more * sizeof *all_options);
    return count + more;
}

/* the choices of an option of ours are what a registry has, in its order */
static void offer(PetsOption option, const char *const *names, size_t count) {
    OptionSpec *row = &all_options[own_first + option];
    row->choices = names;
    row->upper = (double)count - 1.0;
}

static void join_parts(void) {
    size_t n = 0;
    for (size_t i = 0; i < planner_count(); i++) {
        const PlannerOps *ops = planner_at(i);
        all_parts[n++] = (AgentPart){"planner", ops->name, ops->help, ops->source};
    }
    for (size_t i = 0; i < planner_backend_count(); i++) {
        const PlannerBackend *ops = planner_backend_at(i);
        all_parts[n++] = (AgentPart){"planning_model", ops->name, ops->help, NULL};
    }
    for (size_t i = 0; i < model_count(); i++) {
        const DynamicsModelOps *ops = model_at(i);
        all_parts[n++] = (AgentPart){"dynamics_model", ops->name, ops->help, ops->source};
    }
}

static void join_options(void) {
    size_t count = 0;
    assert(model_count() <= MOST_CHOICES && planner_count() <= MOST_CHOICES &&
           planner_backend_count() <= MOST_CHOICES);
    for (size_t i = 0; i < model_count(); i++) {
        models[i] = model_at(i)->name;
        model_first[i] = count;
        count = append(count, model_at(i)->options);
    }
    rollout_first = count;
    count = append(count, rollout_options);
    for (size_t i = 0; i < planner_count(); i++) {
        planners[i] = planner_at(i)->name;
        planner_first[i] = count;
        count = append(count, planner_at(i)->options);
    }
    for (size_t i = 0; i < planner_backend_count(); i++) {
        planning_models[i] = planner_backend_at(i)->name;
    }
    own_first = count;
    (void)append(count, own_options);
    offer(PETS_PLANNER, planners, planner_count());
    offer(PETS_PLANNING_MODEL, planning_models, planner_backend_count());
    offer(PETS_DYNAMICS_MODEL, models, model_count());
    join_parts();
}

const OptionSpec *pets__options(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, join_options);
    return all_options;
}

const AgentPart *pets__parts(void) {
    (void)pets__options();
    return all_parts;
}

const DynamicsModelOps *pets__model_ops(const double *options) {
    return model_at((size_t)pets__option(options, PETS_DYNAMICS_MODEL));
}

const double *pets__model_options(const double *options) {
    return options + model_first[(size_t)pets__option(options, PETS_DYNAMICS_MODEL)];
}

const double *pets__rollout_options(const double *options) {
    (void)pets__options();
    return options + rollout_first;
}

const double *pets__planner_options(const double *options) {
    (void)pets__options();
    return options + planner_first[(size_t)pets__option(options, PETS_PLANNER)];
}

const PlannerOps *pets__planner_ops(const double *options) {
    return planner_at((size_t)pets__option(options, PETS_PLANNER));
}

const PlannerBackend *pets__backend(const double *options) {
    return planner_backend_at((size_t)pets__option(options, PETS_PLANNING_MODEL));
}

bool pets__has_true_dynamics(const double *options) {
    return !pets__backend(options)->needs_model;
}

double pets__option(const double *options, PetsOption option) {
    (void)pets__options();
    return options[own_first + option];
}

/* members that plan in a model of these values; is it probabilistic? */
static size_t members_of(const double *options, bool *stochastic) {
    ModelCost            cost;
    const ModelCostQuery any = {.input_dim = 1, .output_dim = 1, .rows = 1};
    pets__model_ops(options)->cost(&any, pets__model_options(options), &cost);
    *stochastic = cost.stochastic;
    return cost.planning;
}

void pets__numerics(const double *options, Buffer *out) {
    const PlannerBackend   *backend = pets__backend(options);
    const DynamicsModelOps *model = pets__model_ops(options);
    if (backend->needs_model && model->numerics != NULL) {
        model->numerics(pets__model_options(options), out);
    }
    if (backend->numerics != NULL) {
        backend->numerics(out);
    }
}

Status pets__check_machine(const double *options) {
    const PlannerBackend   *backend = pets__backend(options);
    const DynamicsModelOps *model = pets__model_ops(options);
    if (backend->needs_model && model->check_machine != NULL) {
        TRY(model->check_machine(pets__model_options(options)));
    }
    return backend->check_machine != NULL ? backend->check_machine() : STATUS_OK;
}

/* a study may be checked on another machine than those it runs on */
static Status note_machine(const double *options, Buffer *notes) {
    if (notes == NULL || pets__check_machine(options) == STATUS_OK) {
        return STATUS_OK;
    }
    buffer_printf(notes, "%s: trainers on this machine will refuse it\n", status_last()->text);
    status_clear();
    return buffer_status(notes);
}

/* value of a model's option by its name; 0 where the model has none of that name */
static double model_option(const double *options, const char *name) {
    const OptionSpec *rows = pets__model_ops(options)->options;
    const size_t      row = option_find(rows, name);
    return row < option_count(rows) ? pets__model_options(options)[row] : 0.0;
}

/* of learning: the model's own, and what needs held-out rows where there are none */
static void note_learning(const double *options, Buffer *notes) {
    const DynamicsModelOps *model = pets__model_ops(options);
    if (model->note != NULL) {
        model->note(pets__model_options(options), notes);
    }
    if (model_option(options, "patience") > 0.0 &&
        pets__option(options, PETS_VALIDATION_RATIO) == 0.0) {
        buffer_printf(notes, "patience with validation_ratio 0 judges by the rows that are trained "
                             "on, so it hardly ends early\n");
    }
}

Status pets__check(const EnvironmentOps *environment, const double *options, Buffer *notes) {
    const DynamicsModelOps *model = pets__model_ops(options);
    const double           *rollout = pets__rollout_options(options);
    bool                    stochastic = true;

    (void)environment;
    TRY(option_check_all(pets__options(), options));
    if (model->check != NULL) {
        TRY(model->check(pets__model_options(options))); /* it is made, if only to stay untrained */
    }
    TRY(note_machine(options, notes));
    if (pets__has_true_dynamics(options)) {
        return STATUS_OK; /* nothing is learned, so nothing has to go with it */
    }
    if (notes != NULL) {
        note_learning(options, notes);
        TRY(buffer_status(notes));
    }
    const size_t members = members_of(options, &stochastic);
    return rollout_check((Propagation)rollout[ROLLOUT_PROPAGATION],
                         (size_t)rollout[ROLLOUT_PARTICLES], members, stochastic, notes);
}

double pets__predictions(const double *options) {
    const double *rollout = pets__rollout_options(options);
    bool          stochastic = true;
    const size_t  members = members_of(options, &stochastic);
    return rollout_predictions((Propagation)rollout[ROLLOUT_PROPAGATION],
                               (size_t)rollout[ROLLOUT_PARTICLES], members);
}

size_t pets__input_dim(const EnvironmentOps *environment) {
    return environment->feature_dim + environment->action_dim;
}

size_t pets__output_dim(const EnvironmentOps *environment, const double *options) {
    return environment->state_dim + (pets__option(options, PETS_LEARNED_REWARD) != 0.0 ? 1 : 0);
}
