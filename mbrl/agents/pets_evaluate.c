/* Episodes without learning. The simulator, the planner and the rows that are scored are made for
 * the occasion, so nothing that training sees can change.
 */
#include "mbrl/agents/pets_internal.h"

#include "core/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What an evaluation works with; the model is the agent's own, and only asked. */
typedef struct Trial {
    Pets    *pets;
    void    *simulator;
    void    *planner;
    Dataset *data; /* of one episode */
    float   *row;
    double  *snapshot; /* of the simulator */
    uint64_t seed;
    uint64_t steps; /* of all episodes so far */
} Trial;

typedef struct TrialEpisode {
    double  reward;
    int64_t length;
    bool    diverged;
    double  plan_flop;
    double  plan_env_steps;
    double  plan_seconds;
    int64_t plan_timeouts;
} TrialEpisode;

static void close_trial(Trial *trial) {
    if (trial->simulator != NULL) {
        trial->pets->environment->destroy(trial->simulator);
    }
    if (trial->planner != NULL) {
        trial->pets->planner_ops->destroy(trial->planner);
    }
    dataset_destroy(trial->data);
    free(trial->row);
    free(trial->snapshot);
}

static Status open_trial(Trial *trial) {
    const Pets           *pets = trial->pets;
    const EnvironmentOps *environment = pets->environment;

    trial->row = calloc(pets->data->input_dim + pets->data->output_dim, sizeof *trial->row);
    trial->snapshot = calloc(environment->snapshot_size, sizeof *trial->snapshot);
    if (trial->row == NULL || trial->snapshot == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for an evaluation");
    }
    TRY(environment->create(environment, &trial->simulator));
    return pets__make_planner(pets, pets->options, &trial->planner);
}

/* One planned step; *over at the end of the episode. */
static Status trial_step(Trial *trial, double *state, TrialEpisode *episode, bool *over,
                         AgentResult *result) {
    const Pets           *pets = trial->pets;
    const EnvironmentOps *environment = pets->environment;
    double                action[ENV_MAX_ACTION];
    double                before[ENV_MAX_STATE];
    EnvironmentStep       step = {0};
    PlanReport            report = {0};
    bool                  finite = false;

    const double begin = clock_monotonic();
    PlanTask     task = pets__plan_task(pets, trial->simulator, trial->snapshot, state);
    task.seed = trial->seed;
    task.step = trial->steps;
    TRY(pets->planner_ops->plan(trial->planner, &task, action, &report));
    episode->plan_seconds += clock_monotonic() - begin;
    episode->plan_flop += report.flop;
    episode->plan_env_steps += report.env_steps;
    episode->plan_timeouts += report.timed_out ? 1 : 0;
    for (size_t i = 0; i < environment->action_dim; i++) {
        if (!isfinite(action[i])) {
            result->outcome = AGENT_DIVERGED;
            (void)snprintf(result->reason, sizeof result->reason,
                           "diverged: the planner's action is not a number");
            *over = true;
            return STATUS_OK;
        }
        action[i] = fmin(fmax(action[i], environment->action_low[i]), environment->action_high[i]);
    }
    memcpy(before, state, environment->state_dim * sizeof *state);
    TRY(environment->step(trial->simulator, action, state, &step));
    trial->steps++;
    episode->length++;
    episode->reward += step.reward;
    if (!step.diverged) {
        const PetsTransition transition = {
            .state = before, .action = action, .next = state, .reward = step.reward};
        Dataset *data = pets__has_true_dynamics(pets->options) ? NULL : trial->data;
        TRY(pets__append(environment, data, &transition, trial->row, &finite));
    }
    episode->diverged = !finite;
    if (!finite) {
        episode->reward = environment->worst_return;
    }
    *over = step.terminated || !finite || episode->length >= environment->episode_length;
    return STATUS_OK;
}

static Status report_trial(Trial *trial, int64_t number, const TrialEpisode *episode,
                           const MetricSink *sink) {
    const Pets *pets = trial->pets;
    ScoreReport score = {.nll = (double)NAN, .nll_member = (double)NAN, .mse = (double)NAN};

    if (trial->data->n > 0) {
        TRY(pets->model_ops->score(pets->model, trial->data, NULL, trial->data->n, &score));
    }
    const struct {
        const char *name;
        double      value;
    } metrics[] = {
        {"episode_reward", episode->reward},
        {"episode_length", (double)episode->length},
        {"episode_diverged", episode->diverged ? 1.0 : 0.0},
        {"plan_flop", episode->plan_flop / (double)episode->length},
        {"plan_seconds", episode->plan_seconds},
        {"model_nll_on_policy", score.nll},
        {"model_nll_member_on_policy", score.nll_member},
        {"model_mse_on_policy", score.mse},
        {"plan_env_steps", episode->plan_env_steps / (double)episode->length},
        {"plan_timeouts", (double)episode->plan_timeouts},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++) {
        sink->metric(sink->context, number, 0, metrics[i].name, metrics[i].value);
    }
    return STATUS_OK;
}

static Status trial_episode(Trial *trial, int64_t number, const MetricSink *sink,
                            AgentResult *result) {
    const Pets           *pets = trial->pets;
    const EnvironmentOps *environment = pets->environment;
    Rng                   rng = rng_stream(trial->seed, (uint64_t)number, RNG_ENVIRONMENT);
    TrialEpisode          episode = {0};
    double                state[ENV_MAX_STATE];
    bool                  over = false;

    dataset_destroy(trial->data);
    TRY(dataset_create(pets->data->input_dim, pets->data->output_dim, 1, &trial->data));
    TRY(environment->reset(trial->simulator, &rng, state));
    pets->planner_ops->reset(trial->planner);
    while (!over) {
        TRY(trial_step(trial, state, &episode, &over, result));
        if (sink->alive != NULL) {
            sink->alive(sink->context);
        }
    }
    if (result->outcome == AGENT_DIVERGED) {
        return STATUS_OK;
    }
    result->reached = number;
    return report_trial(trial, number, &episode, sink);
}

Status pets__evaluate(void *self, int64_t episodes, uint64_t seed, const MetricSink *sink,
                      AgentResult *result) {
    Trial trial = {.pets = self, .seed = seed};

    *result = (AgentResult){.outcome = AGENT_DONE};
    if (!trial.pets->at.trained && !pets__has_true_dynamics(trial.pets->options)) {
        FAIL(STATUS_ERR_STATE, "nothing to evaluate: the agent has only acted at random so far");
    }
    Status status = open_trial(&trial);
    for (int64_t number = 1;
         number <= episodes && status == STATUS_OK && result->outcome == AGENT_DONE; number++) {
        status = trial_episode(&trial, number, sink, result);
    }
    close_trial(&trial);
    return status;
}
