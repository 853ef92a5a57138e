/* The row of episode e describes the model that acted in episode e. On-policy scores are taken just
 * before each training call and at the episode's end, so every transition is judged by the model
 * that chose its action, before that model saw it. Scores of training and held-out rows are those
 * of the last model of the episode, on at most PETS_SCORE_ROWS evenly spaced rows; scoring is
 * counted neither in train_flop nor in plan_flop: an agent in use would not do it.
 */
#include "mbrl/agents/pets_internal.h"

#include <math.h>
#include <string.h>

const AgentMetric pets__metrics[] = {
    {"episode_reward", "sum of the rewards of the episode", false},
    {"episode_length", "control steps of the episode", false},
    {"episode_diverged", "1 where the simulation broke down: the episode counts as worst_return",
     false},
    {"env_steps", "environment steps from the root, random ones included", false},
    {"plan_flop", "planning, floating-point operations per control step, mean of the episode",
     false},
    {"train_flop", "training calls of the episode, floating-point operations", false},
    {"plan_seconds", "planning in the episode (s)", true},
    {"train_seconds", "training calls of the episode (s)", true},
    {"model_loss", "what training minimizes, mean over the last epoch of the last call", false},
    {"model_nll_train", "negative log-likelihood of training rows (nats per dimension)", false},
    {"model_nll_validation", "the same of rows of held-out episodes", false},
    {"model_nll_on_policy", "the same of this episode under the models that acted in it", false},
    {"model_nll_member_train", "mean over the members in place of their mixture", false},
    {"model_nll_member_validation", "mean over the members in place of their mixture", false},
    {"model_nll_member_on_policy", "mean over the members in place of their mixture", false},
    {"model_mse_train", "squared error of the mixture's mean, scaled targets, per dimension",
     false},
    {"model_mse_validation", "the same of rows of held-out episodes", false},
    {"model_mse_on_policy", "the same of this episode under the models that acted in it", false},
    {"plan_env_steps",
     "planning in the simulator (true_dynamics), simulated steps per control step, mean of the "
     "episode",
     false},
    {"plan_timeouts", "control steps of the episode whose search max_plan_seconds cut short", true},
    {"likelihood_kind",
     "variance of all model_nll: 0 = predicted, 1 = residual (deterministic models: that of the "
     "errors on held-out rows); not to be pooled",
     false},
    {0},
};

/* Scores pets->rows[0..count); NaN where there are none. */
static Status score_rows(Pets *pets, size_t count, ScoreReport *report) {
    *report = (ScoreReport){.nll = (double)NAN,
                            .nll_member = (double)NAN,
                            .mse = (double)NAN,
                            .mse_member = (double)NAN};
    if (count == 0) {
        return STATUS_OK;
    }
    return pets->model_ops->score(pets->model, pets->data, pets->rows, count, report);
}

Status pets__score_pending(Pets *pets) {
    PetsState   *at = &pets->at;
    const size_t first = (size_t)at->scored_rows;
    const size_t count = pets->data->n - first;
    ScoreReport  report;

    if (count == 0) {
        return STATUS_OK;
    }
    for (size_t i = 0; i < count; i++) {
        pets->rows[i] = (uint32_t)(first + i);
    }
    TRY(score_rows(pets, count, &report));
    at->nll += (double)count * report.nll;
    at->nll_member += (double)count * report.nll_member;
    at->mse += (double)count * report.mse;
    at->scored += (int64_t)count;
    at->scored_rows = (int64_t)pets->data->n;
    return STATUS_OK;
}

/* `count` things thinned to at most PETS_SCORE_ROWS: is number i one of those kept? */
static bool is_kept(size_t i, size_t count) {
    if (count <= PETS_SCORE_ROWS) {
        return true;
    }
    return (i * PETS_SCORE_ROWS) / count != ((i + 1) * PETS_SCORE_ROWS) / count;
}

static size_t choose_train_rows(Pets *pets) {
    const size_t first = (size_t)pets->at.fit_train_first;
    const size_t count = (size_t)pets->at.fit_train_count - first;
    size_t       kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_kept(i, count)) {
            pets->rows[kept++] = pets->data->train_rows[first + i];
        }
    }
    return kept;
}

static size_t choose_validation_rows(Pets *pets) {
    const Dataset *data = pets->data;
    const size_t   count = data->n - data->train_count;
    size_t         kept = 0;
    size_t         seen = 0;
    for (size_t i = 0; i < data->n; i++) {
        if (data->validation[i] && is_kept(seen++, count)) {
            pets->rows[kept++] = (uint32_t)i;
        }
    }
    return kept;
}

Status pets__report(Pets *pets, const MetricSink *sink) {
    const PetsState *at = &pets->at;
    const int64_t    step = pets->unit == AGENT_UNIT_EPISODE ? at->episodes : at->env_steps;
    const double     scored = at->scored > 0 ? (double)at->scored : (double)NAN;
    ScoreReport      train;
    ScoreReport      validation;

    TRY(score_rows(pets, choose_train_rows(pets), &train));
    TRY(score_rows(pets, choose_validation_rows(pets), &validation));
    /* in the order of pets__metrics */
    const double values[] = {
        at->reward,
        (double)at->steps,
        pets->diverged ? 1.0 : 0.0,
        (double)at->env_steps,
        at->plan_flop / (double)at->steps,
        at->train_flop,
        pets->plan_seconds,
        pets->train_seconds,
        at->model_loss,
        train.nll,
        validation.nll,
        at->nll / scored,
        train.nll_member,
        validation.nll_member,
        at->nll_member / scored,
        train.mse,
        validation.mse,
        at->mse / scored,
        at->plan_env_steps / (double)at->steps,
        (double)at->plan_timeouts,
        (double)train.likelihood,
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        sink->metric(sink->context, step, 0, pets__metrics[i].name, values[i]);
    }
    return STATUS_OK;
}
