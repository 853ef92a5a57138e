/* PETS: probabilistic ensembles with trajectory sampling (Chua et al. 2018), arranged as mbrl-lib
 * does: a first part of random steps, then at every control step train if it is time to, plan with
 * a sampling planner in the learned model, act, store. With planning_model true_dynamics it plans
 * in the simulator from the first step on; the model is there and stays untrained.
 */
#include "mbrl/agents/builtin.h"
#include "mbrl/agents/pets_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void pets__destroy(void *self) {
    Pets *pets = self;
    if (pets == NULL) {
        return;
    }
    if (pets->simulator != NULL) {
        pets->environment->destroy(pets->simulator);
    }
    if (pets->model != NULL) {
        pets->model_ops->destroy(pets->model);
    }
    if (pets->planner != NULL) {
        pets->planner_ops->destroy(pets->planner);
    }
    if (pets->home >= 0) {
        (void)close(pets->home);
    }
    dataset_destroy(pets->data);
    free(pets->options);
    free(pets->built);
    free(pets->rows);
    free(pets->row);
    free(pets->snapshot);
    free(pets->blocks);
    free(pets);
}

Status pets__make_planner(const Pets *pets, const double *options, void **planner) {
    const PlannerSetup setup = {.environment = pets->environment,
                                .backend = pets__backend(options),
                                .rollout_values = pets__rollout_options(options),
                                .values = pets__planner_options(options),
                                .learned_reward =
                                    pets__option(options, PETS_LEARNED_REWARD) != 0.0};
    return pets->planner_ops->create(&setup, planner);
}

/* The parts that can fail; what exists is given back by pets__destroy(). */
static Status build(Pets *pets, const double *options, uint64_t seed) {
    const EnvironmentOps *environment = pets->environment;
    const size_t          input_dim = pets__input_dim(environment);
    const size_t          output_dim = pets__output_dim(environment, options);
    const size_t          option_rows = option_count(pets__options());
    const size_t          score_rows = environment->episode_length > PETS_SCORE_ROWS
                                           ? (size_t)environment->episode_length
                                           : PETS_SCORE_ROWS;

    pets->options = calloc(option_rows, sizeof *pets->options);
    pets->built = calloc(option_rows, sizeof *pets->built);
    pets->rows = calloc(score_rows, sizeof *pets->rows);
    pets->row = calloc(input_dim + output_dim, sizeof *pets->row);
    pets->snapshot = calloc(environment->snapshot_size, sizeof *pets->snapshot);
    if (pets->options == NULL || pets->built == NULL || pets->rows == NULL || pets->row == NULL ||
        pets->snapshot == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for an agent");
    }
    memcpy(pets->options, options, option_rows * sizeof *options);
    TRY(environment->create(environment, &pets->simulator));
    TRY(pets__make_planner(pets, options, &pets->planner));
    return pets__make_model(pets, pets__model_options(options), seed);
}

Status pets__create(const EnvironmentOps *environment, AgentUnit unit, const double *options,
                    uint64_t seed, Pets **out) {
    *out = NULL;
    TRY(pets__check(environment, options, NULL));
    TRY(pets__check_machine(options));
    Pets *pets = calloc(1, sizeof *pets);
    if (pets == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for an agent");
    }
    pets->environment = environment;
    pets->model_ops = pets__model_ops(options);
    pets->planner_ops = pets__planner_ops(options);
    pets->unit = unit;
    pets->home = -1;
    const Status status = build(pets, options, seed);
    if (status != STATUS_OK) {
        pets__destroy(pets);
        return status;
    }
    Rng rng = rng_stream(seed, 0, RNG_VALIDATION);
    pets->at = (PetsState){
        .seed = seed, .validation_offset = rng_uniform(&rng), .model_loss = (double)NAN};
    *out = pets;
    return STATUS_OK;
}

static Status pets_create(const EnvironmentOps *environment, AgentUnit unit,
                          const double *option_values, uint64_t seed, void **self) {
    Pets        *pets = NULL;
    const Status status = pets__create(environment, unit, option_values, seed, &pets);
    *self = pets;
    return status;
}

static Status pets_set(void *self, const double *option_values, uint64_t seed) {
    Pets             *pets = self;
    const OptionSpec *specs = pets__options();

    TRY(pets__check(pets->environment, option_values, NULL));
    for (size_t i = 0; specs[i].name != NULL; i++) {
        if (!specs[i].dynamic && option_values[i] != pets->options[i]) {
            FAIL(STATUS_ERR_STATE, "'%s' is static: an agent with %g cannot continue with %g",
                 specs[i].name, pets->options[i], option_values[i]);
        }
    }
    double model[PETS_MOST_OPTIONS];
    pets__same_structure(pets, pets__model_options(option_values), model);
    TRY(pets->model_ops->set(pets->model, model));
    TRY(pets->planner_ops->set(pets->planner, pets__rollout_options(option_values),
                               pets__planner_options(option_values)));
    memcpy(pets->options, option_values, option_count(specs) * sizeof *option_values);
    pets->at.seed = seed;
    return STATUS_OK;
}

static void pets_set_pool(void *self, ThreadPool *pool) {
    ((Pets *)self)->pool = pool;
}

/* Of one episode: as many training calls as fit into it, each on `rows` transitions; a checkpoint
 * holds the model, the bootstrap indices of all rows, and the experience of one episode. */
static void pets_cost(const EnvironmentOps *environment, const double *option_values, double rows,
                      AgentCost *out) {
    const size_t input_dim = pets__input_dim(environment);
    const size_t output_dim = pets__output_dim(environment, option_values);
    const double steps = (double)environment->episode_length;
    const double calls = ceil(steps / pets__option(option_values, PETS_TRAIN_EVERY));
    const double held = rows * pets__option(option_values, PETS_VALIDATION_RATIO);
    const double stored = fmax(1.0, rows - held);
    const double limit = pets__option(option_values, PETS_DATA_LIMIT);
    const double row_bytes = 4.0 * (double)(input_dim + output_dim) + 5.0;
    ModelCost    model;

    const double sequences =
        pets__planner_ops(option_values)->candidates(pets__planner_options(option_values));
    const double predicted = sequences * pets__rollout_options(option_values)[ROLLOUT_HORIZON];
    const bool   simulated = pets__has_true_dynamics(option_values);

    pets__model_ops(option_values)
        ->cost(&(ModelCostQuery){.input_dim = input_dim,
                                 .output_dim = output_dim,
                                 .rows = (size_t)(limit > 0.0 ? fmin(limit, stored) : stored),
                                 .held = (size_t)held},
               pets__model_options(option_values), &model);
    out->plan_env_steps = simulated ? predicted : 0.0;
    out->plan_flop =
        simulated ? 0.0 : predicted * pets__predictions(option_values) * model.predict_flop;
    out->train_flop = simulated ? 0.0 : calls * model.fit_flop;
    /* all epochs, and one prediction of the judging rows by the old model, which is taken to be of
     * this structure, too */
    out->rebuild_flop =
        simulated || pets__model_ops(option_values)->rebuild == NULL
            ? 0.0
            : pets__option(option_values, PETS_REBUILD_EPOCHS) * model.rebuild_flop +
                  (double)model.members * (held >= 1.0 ? held : stored) * model.predict_flop;
    out->checkpoint_bytes = model.bytes + 4.0 * stored * (double)model.members + steps * row_bytes;
    out->env_steps = steps;
    out->first_row_steps = pets__option(option_values, PETS_INITIAL_STEPS) + steps;
}

const AgentOps agent_pets_ops = {
    .name = "pets",
    .source = "Chua et al. (2018), arXiv 1805.12114; loop as in mbrl-lib",
    .help = "probabilistic ensemble, planning over sampled trajectories",
    .metrics = pets__metrics,
    .options = pets__options,
    .parts = pets__parts,
    .check = pets__check,
    .overruled_by = pets__overruled_by,
    .create = pets_create,
    .destroy = pets__destroy,
    .set = pets_set,
    .train = pets__train,
    .evaluate = pets__evaluate,
    .position = pets__position,
    .save = pets__save,
    .load = pets__load,
    .cost = pets_cost,
    .numerics = pets__numerics,
    .set_pool = pets_set_pool,
};
