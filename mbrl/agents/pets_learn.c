/* What a training call does, and what happens where the structure of the model is not the options'
 * any more: a schedule may change the number and the width of the layers, the activation and the
 * number of members, and what is inherited then is the data. The old model acts until the first
 * planned step of the new segment; there a new one learns from all that is known until it predicts
 * held-out transitions as well as the old one did. Nothing remembers that a rebuild is due but the
 * difference between `built` and `options`, so checkpoints and chains in memory agree.
 */
#include "mbrl/agents/pets_internal.h"

#include "core/clock.h"

#include <math.h>
#include <string.h>

/* one of the model's rows needs a rebuild to change, and has changed */
static bool is_rebuild_due(const Pets *pets) {
    const OptionSpec *rows = pets->model_ops->options;
    const double     *wanted = pets__model_options(pets->options);
    for (size_t i = 0; rows[i].name != NULL; i++) {
        if (rows[i].dynamic == OPTION_REBUILDS && wanted[i] != pets->built[i]) {
            return true;
        }
    }
    return false;
}

void pets__same_structure(const Pets *pets, const double *wanted, double *out) {
    const OptionSpec *rows = pets->model_ops->options;
    for (size_t i = 0; rows[i].name != NULL; i++) {
        out[i] = rows[i].dynamic == OPTION_REBUILDS ? pets->built[i] : wanted[i];
    }
}

static Status create_model(const Pets *pets, const double *built, uint64_t seed, void **out) {
    const EnvironmentOps *environment = pets->environment;
    const size_t          s = environment->state_dim;
    double                scale[ENV_MAX_STATE + 1] = {0.0}; /* a learned reward has 0 */
    memcpy(scale, environment->target_scale, s * sizeof *scale);
    return pets->model_ops->create(
        &(DynamicsModelSetup){.input_dim = pets__input_dim(environment),
                              .output_dim = pets__output_dim(environment, pets->options),
                              .target_scale = scale,
                              .seed = seed},
        built, out);
}

static void take_model(Pets *pets, void *model, const double *built) {
    if (pets->model != NULL) {
        pets->model_ops->destroy(pets->model);
    }
    pets->model = model;
    memmove(pets->built, built, option_count(pets->model_ops->options) * sizeof *built);
}

Status pets__make_model(Pets *pets, const double *built, uint64_t seed) {
    const EnvironmentOps *environment = pets->environment;
    Dataset              *data = NULL;
    void                 *model = NULL;

    TRY(create_model(pets, built, seed, &model));
    const Status status =
        dataset_create(pets__input_dim(environment), pets__output_dim(environment, pets->options),
                       pets->model_ops->columns(model), &data);
    if (status != STATUS_OK) {
        pets->model_ops->destroy(model);
        return status;
    }
    dataset_destroy(pets->data);
    pets->data = data;
    take_model(pets, model, built);
    return STATUS_OK;
}

static void limit_data(Pets *pets) {
    dataset_limit(pets->data, (size_t)pets__option(pets->options, PETS_DATA_LIMIT));
}

/* books what a call gave, whichever it was */
static void take_report(Pets *pets, const FitReport *report, AgentResult *result) {
    PetsState *at = &pets->at;
    at->trained = 1;
    at->fit_train_first = (int64_t)pets->data->train_first;
    at->fit_train_count = (int64_t)pets->data->train_count;
    at->model_loss = report->loss;
    at->train_flop += report->flop;
    if (report->diverged || !isfinite(report->loss)) {
        pets__diverged(result, "NaN in the dynamics model");
    }
}

/* trains `model`, whose structure is new, until it is as good as the present one */
static Status rebuild(Pets *pets, void *model, FitReport *report) {
    const PetsState *at = &pets->at;
    const uint64_t   step = (uint64_t)at->env_steps;
    ScoreReport      old = {.nll = (double)NAN};
    size_t           count = 0;

    TRY(pets__score_pending(pets)); /* by the model that acted */
    limit_data(pets);
    const uint32_t *rows = dataset_judging_rows(pets->data, &count);
    TRY(pets->model_ops->score(pets->model, pets->data, rows, count, &old));
    TRY(dataset_set_members(pets->data, pets->model_ops->columns(model), at->seed, step));
    TRY(dataset_bootstrap(pets->data, at->seed, step));
    pets->model_ops->reset(model, at->seed, step);
    const RebuildTask task = {
        .data = pets->data,
        .seed = at->seed,
        .step = step,
        .epochs = (int64_t)pets__option(pets->options, PETS_REBUILD_EPOCHS),
        .nll = old.nll,
    };
    TRY(pets->model_ops->rebuild(model, &task, report));
    report->flop += (double)(count * pets->model_ops->members(pets->model)) *
                    pets->model_ops->predict_flop(pets->model);
    return STATUS_OK;
}

Status pets__follow_structure(Pets *pets, AgentResult *result) {
    const double *wanted = pets__model_options(pets->options);
    const double  begin = clock_monotonic();
    FitReport     report = {.loss = (double)NAN};
    void         *model = NULL;

    if (!is_rebuild_due(pets)) {
        return STATUS_OK;
    }
    TRY(create_model(pets, wanted, pets->at.seed, &model));
    const Status status =
        pets->at.trained
            ? rebuild(pets, model, &report)
            : dataset_set_members(pets->data, pets->model_ops->columns(model), pets->at.seed, 0);
    if (status != STATUS_OK) {
        pets->model_ops->destroy(model);
        return status;
    }
    take_model(pets, model, wanted);
    pets->at.last_reset = pets->at.control_steps;
    if (pets->at.trained) {
        take_report(pets, &report, result);
        pets->train_seconds += clock_monotonic() - begin;
    }
    return STATUS_OK;
}

/* Elites may be switched on between two training calls, the last of which had no need to compare
 * members. Held-out rows are at hand, so planning need not wait for the next one. */
Status pets__rank(Pets *pets) {
    double flop = 0.0;
    if (pets->model_ops->unranked == NULL || !pets->model_ops->unranked(pets->model)) {
        return STATUS_OK;
    }
    TRY(pets__score_pending(pets)); /* by the members that acted */
    limit_data(pets);
    TRY(pets->model_ops->rank(pets->model, pets->data, &flop));
    pets->at.train_flop += flop;
    return STATUS_OK;
}

static bool is_reset_due(const Pets *pets) {
    const double every = pets__option(pets->options, PETS_RESET_EVERY);
    return every > 0.0 && pets->at.trained &&
           (double)(pets->at.control_steps - pets->at.last_reset) >= every;
}

Status pets__learn(Pets *pets, AgentResult *result) {
    PetsState     *at = &pets->at;
    const uint64_t step = (uint64_t)at->env_steps;
    const double   begin = clock_monotonic();
    FitReport      report = {.loss = (double)NAN};

    if (pets->data->train_count == 0) {
        pets__diverged(result, "no usable transition in the random steps");
        return STATUS_OK;
    }
    TRY(pets__score_pending(pets));
    TRY(dataset_bootstrap(pets->data, at->seed, step));
    limit_data(pets);
    if (is_reset_due(pets)) {
        pets->model_ops->reset(pets->model, at->seed, step);
        at->last_reset = at->control_steps;
    }
    TRY(pets->model_ops->fit(pets->model, pets->data, at->seed, step, &report));
    take_report(pets, &report, result);
    pets->train_seconds += clock_monotonic() - begin;
    return STATUS_OK;
}
