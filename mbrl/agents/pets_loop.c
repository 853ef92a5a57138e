/* One tick is one environment step, and everything that happens at that step happens inside it: a
 * training call, the plan, the noise, the transition, the end of an episode. So the only place
 * where training can be cut is between two ticks, and what a checkpoint holds there is complete.
 */
#include "mbrl/agents/pets_internal.h"

#include "core/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t pets__position(const void *self) {
    const Pets *pets = self;
    return pets->unit == AGENT_UNIT_EPISODE ? pets->at.episodes : pets->at.env_steps;
}

static bool in_random_part(const Pets *pets) {
    return !pets__has_true_dynamics(pets->options) &&
           (double)pets->at.env_steps < pets__option(pets->options, PETS_INITIAL_STEPS);
}

void pets__diverged(AgentResult *result, const char *reason) {
    result->outcome = AGENT_DIVERGED;
    (void)snprintf(result->reason, sizeof result->reason, "diverged: %s", reason);
}

/* episodes after episode 0 of which one at least is held out */
enum { FIRST_HELD_OUT_WITHIN = 5 };

/* of the episodes 0 to k */
static double held_out_up_to(double k, double ratio, double offset) {
    const double share = floor(k * ratio + offset);
    const double first = floor(k / FIRST_HELD_OUT_WITHIN + offset);
    return (share < 1.0 && first >= 1.0) ? 1.0 : share;
}

/* Systematic sampling: the share is right at any time within one episode. The first one comes as
 * early as a share of 1/5 would have it, or short studies would never see a validation score; the
 * next one waits until the share has caught up. Episode 0 always trains.
 * The ratio may change: episodes that began before stay on the side they are on, because a model
 * that has seen a row cannot be judged by it any more. A ratio that rises from 0 late finds nothing
 * held out, and the next episode is. */
static bool is_held_out(const Pets *pets, double ratio) {
    const PetsState *at = &pets->at;
    const double     k = (double)at->started;
    const double     offset = at->validation_offset;
    if (at->started == 0 || !(ratio > 0.0)) {
        return false;
    }
    return held_out_up_to(k, ratio, offset) > held_out_up_to(k - 1.0, ratio, offset) ||
           (pets->data->held_count == 0 && at->started > FIRST_HELD_OUT_WITHIN);
}

static Status begin_episode(Pets *pets) {
    PetsState *at = &pets->at;
    Rng        rng = rng_stream(at->seed, (uint64_t)at->started, RNG_ENVIRONMENT);

    TRY(pets->environment->reset(pets->simulator, &rng, pets->observed));
    pets->planner_ops->reset(pets->planner);
    at->held_out = is_held_out(pets, pets__option(pets->options, PETS_VALIDATION_RATIO));
    at->in_episode = 1;
    at->started++;
    at->steps = 0;
    at->reward = 0.0;
    at->plan_flop = 0.0;
    at->plan_env_steps = 0.0;
    at->plan_timeouts = 0;
    at->train_flop = 0.0;
    at->scored_rows = (int64_t)pets->data->n;
    at->scored = 0;
    at->nll = 0.0;
    at->nll_member = 0.0;
    at->mse = 0.0;
    pets->plan_seconds = 0.0;
    pets->train_seconds = 0.0;
    return STATUS_OK;
}

static void random_action(Pets *pets, double *action) {
    const EnvironmentOps *environment = pets->environment;
    Rng rng = rng_stream(pets->at.seed, (uint64_t)pets->at.env_steps, RNG_EXPLORE);
    for (size_t i = 0; i < environment->action_dim; i++) {
        const double width = environment->action_high[i] - environment->action_low[i];
        action[i] = environment->action_low[i] + width * rng_uniform(&rng);
    }
}

/* Adds the exploration noise and clips, so that what is stored is what was done. */
static void perturb_action(Pets *pets, double *action) {
    const EnvironmentOps *environment = pets->environment;
    const double          noise = pets__option(pets->options, PETS_EXPLORATION_NOISE);
    Rng rng = rng_stream(pets->at.seed, (uint64_t)pets->at.env_steps, RNG_EXPLORE);
    for (size_t i = 0; i < environment->action_dim; i++) {
        const double low = environment->action_low[i];
        const double high = environment->action_high[i];
        if (noise > 0.0) {
            action[i] += noise * (high - low) * rng_normal(&rng);
        }
        action[i] = fmin(fmax(action[i], low), high);
    }
}

PlanTask pets__plan_task(const Pets *pets, const void *simulator, double *snapshot,
                         const double *state) {
    const bool simulated = pets__has_true_dynamics(pets->options);
    if (simulated) {
        pets->environment->save(simulator, snapshot);
    }
    return (PlanTask){.model = simulated ? NULL : pets->model_ops,
                      .model_self = simulated ? NULL : pets->model,
                      .state = state,
                      .snapshot = simulated ? snapshot : NULL,
                      .pool = pets->pool};
}

/* what is due before this step: another structure, a training call */
static Status learn_if_due(Pets *pets, AgentResult *result) {
    const PetsState *at = &pets->at;
    const double     every = pets__option(pets->options, PETS_TRAIN_EVERY);

    if (pets__has_true_dynamics(pets->options)) {
        return STATUS_OK;
    }
    TRY(pets__follow_structure(pets, result));
    if (result->outcome == AGENT_DIVERGED) {
        return STATUS_OK;
    }
    return at->trained && fmod((double)at->control_steps, every) != 0.0 ? pets__rank(pets)
                                                                        : pets__learn(pets, result);
}

static Status planned_action(Pets *pets, double *action, AgentResult *result) {
    PetsState *at = &pets->at;
    PlanReport report = {0};

    TRY(learn_if_due(pets, result));
    if (result->outcome == AGENT_DIVERGED) {
        return STATUS_OK;
    }
    const double begin = clock_monotonic();
    PlanTask     task = pets__plan_task(pets, pets->simulator, pets->snapshot, pets->observed);
    task.seed = at->seed;
    task.step = (uint64_t)at->env_steps;
    TRY(pets->planner_ops->plan(pets->planner, &task, action, &report));
    pets->plan_seconds += clock_monotonic() - begin;
    at->plan_flop += report.flop;
    at->plan_env_steps += report.env_steps;
    at->plan_timeouts += report.timed_out ? 1 : 0;
    at->control_steps++;
    for (size_t i = 0; i < pets->environment->action_dim; i++) {
        if (!isfinite(action[i])) {
            pets__diverged(result, "the planner's action is not a number");
            return STATUS_OK;
        }
    }
    perturb_action(pets, action);
    return STATUS_OK;
}

Status pets__append(const EnvironmentOps *environment, Dataset *data,
                    const PetsTransition *transition, float *row, bool *finite) {
    const size_t s = environment->state_dim;
    float        narrow[ENV_MAX_STATE];
    float       *input = row;
    const size_t input_dim = pets__input_dim(environment);
    float       *target = row + input_dim;

    for (size_t i = 0; i < s; i++) {
        const bool absolute =
            environment->target_absolute != NULL && environment->target_absolute[i];
        const double before = transition->state[i];
        const double after = transition->next[i];
        narrow[i] = (float)before;
        target[i] = (float)(absolute ? after : after - before);
    }
    if (data != NULL && data->output_dim > s) {
        target[s] = (float)transition->reward;
    }
    environment->features(environment, narrow, 1, input, environment->feature_dim);
    for (size_t i = 0; i < environment->action_dim; i++) {
        input[environment->feature_dim + i] = (float)transition->action[i];
    }
    *finite = true;
    const size_t numbers = input_dim + ((data != NULL) ? data->output_dim : s);
    for (size_t i = 0; i < numbers; i++) {
        *finite = *finite && isfinite(row[i]);
    }
    return *finite && data != NULL
               ? dataset_append(data, input, target, (int32_t)transition->episode,
                                transition->held_out)
               : STATUS_OK;
}

static Status end_episode(Pets *pets, bool random, const MetricSink *sink) {
    pets->at.in_episode = 0;
    if (random) {
        return STATUS_OK;
    }
    pets->at.episodes++;
    TRY(pets__score_pending(pets));
    return pets__report(pets, sink);
}

/* One environment step. */
static Status tick(Pets *pets, const MetricSink *sink, AgentResult *result) {
    const EnvironmentOps *environment = pets->environment;
    PetsState            *at = &pets->at;
    const bool            random = in_random_part(pets);
    double                action[ENV_MAX_ACTION];
    double                before[ENV_MAX_STATE];
    EnvironmentStep       step = {0};
    bool                  finite = false;

    if (!at->in_episode) {
        TRY(begin_episode(pets));
    }
    if (random) {
        random_action(pets, action);
    } else {
        TRY(planned_action(pets, action, result));
        if (result->outcome == AGENT_DIVERGED) {
            return STATUS_OK;
        }
    }
    memcpy(before, pets->observed, sizeof before);
    TRY(environment->step(pets->simulator, action, pets->observed, &step));
    at->env_steps++;
    at->steps++;
    at->reward += step.reward;
    if (!step.diverged) {
        const PetsTransition transition = {.state = before,
                                           .action = action,
                                           .next = pets->observed,
                                           .reward = step.reward,
                                           .episode = at->started - 1,
                                           .held_out = at->held_out != 0};
        Dataset             *data = pets__has_true_dynamics(pets->options) ? NULL : pets->data;
        TRY(pets__append(environment, data, &transition, pets->row, &finite));
    }
    pets->diverged = !finite;
    if (!finite) {
        at->reward = environment->worst_return;
    }
    /* the random part ends at its step count, in the middle of an episode if need be */
    const bool random_part_over = random && !in_random_part(pets);
    if (step.terminated || !finite || at->steps >= environment->episode_length ||
        random_part_over) {
        TRY(end_episode(pets, random, sink));
    }
    return STATUS_OK;
}

static bool is_set(const atomic_bool *yield) {
    return yield != NULL && atomic_load(yield);
}

Status pets__train(void *self, int64_t end, const MetricSink *sink, const atomic_bool *yield,
                   AgentResult *result) {
    Pets   *pets = self;
    int64_t unit_begin = pets__position(pets);

    *result = (AgentResult){.outcome = AGENT_DONE, .reached = unit_begin};
    while (pets__position(pets) < end) {
        TRY(tick(pets, sink, result));
        if (sink->alive != NULL) {
            sink->alive(sink->context);
        }
        result->reached = pets__position(pets);
        if (result->outcome == AGENT_DIVERGED) {
            return STATUS_OK;
        }
        if (result->reached > unit_begin && result->reached < end && is_set(yield)) {
            result->outcome = AGENT_YIELDED;
            return STATUS_OK;
        }
        unit_begin = result->reached;
    }
    return STATUS_OK;
}
