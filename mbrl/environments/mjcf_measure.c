/* What other environments have as constants in their sources: the scale of one-step targets under
 * the random policy, and a return that is worse than acting at random. For a user's model they are
 * measured when it is read, always with the same seed, unless the definition gives them. */
#include "mbrl/environments/mjcf_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SEED = 1, LEAST_EPISODES = 3, STARTS = 20 };

typedef struct Measured {
    int64_t steps;
    int64_t episodes;
    double  lowest; /* reward of one step, at most 0 */
    double  total;  /* of all rewards */
    double  sum[ENV_MAX_STATE];
    double  squares[ENV_MAX_STATE];
} Measured;

static void add_targets(const EnvironmentOps *ops, const double *before, const double *after,
                        Measured *m) {
    for (size_t i = 0; i < ops->state_dim; i++) {
        const double target = after[i] - (ops->target_absolute[i] ? 0.0 : before[i]);
        m->sum[i] += target;
        m->squares[i] += target * target;
    }
}

/* a bound that the state breaks, or NULL */
static const MjcfBound *broken(const Mjcf *mjcf, const double *state) {
    for (size_t i = 0; i < mjcf->bound_count; i++) {
        const MjcfBound *bound = &mjcf->bounds[i];
        const float      value = (float)state[bound->quantity]; /* as it is judged */
        if (!(value >= (float)bound->lower && value <= (float)bound->upper)) {
            return bound;
        }
    }
    return NULL;
}

/* Where every episode begins outside, each ends at its first step: no task at all. Some that do
 * are the user's affair. */
static Status check_starts(const Mjcf *mjcf) {
    const EnvironmentOps *ops = &mjcf->ops;
    double                state[ENV_MAX_STATE] = {0.0};
    void                 *self = NULL;
    const MjcfBound      *bound = NULL;
    TRY(ops->create(ops, &self));
    for (uint64_t k = 0; k < STARTS && (k == 0 || bound != NULL); k++) {
        Rng          rng = rng_stream(SEED, k, RNG_ENVIRONMENT);
        const Status status = ops->reset(self, &rng, state);
        if (status != STATUS_OK) {
            ops->destroy(self);
            return status;
        }
        bound = broken(mjcf, state);
    }
    ops->destroy(self);
    if (bound != NULL) {
        FAIL(STATUS_ERR_RANGE,
             "'%s' starts at %g, outside of its bounds %g and %g, so every episode would end at "
             "its first step",
             mjcf->quantities[bound->quantity].name, state[bound->quantity], bound->lower,
             bound->upper);
    }
    return STATUS_OK;
}

static Status random_episode(const EnvironmentOps *ops, void *self, Rng *rng, Measured *m) {
    Rng             start = rng_stream(SEED, (uint64_t)m->episodes, RNG_ENVIRONMENT);
    double          state[ENV_MAX_STATE];
    double          before[ENV_MAX_STATE];
    double          action[ENV_MAX_ACTION];
    EnvironmentStep step = {0};

    TRY(ops->reset(self, &start, state));
    for (int64_t t = 0; t < ops->episode_length && !step.terminated; t++) {
        memcpy(before, state, sizeof before);
        for (size_t i = 0; i < ops->action_dim; i++) {
            action[i] =
                ops->action_low[i] + (ops->action_high[i] - ops->action_low[i]) * rng_uniform(rng);
        }
        TRY(ops->step(self, action, state, &step));
        if (step.diverged) {
            FAIL(STATUS_ERR_NUMERIC,
                 "the simulation blows up at step %lld of random actions: smaller timestep or "
                 "ctrlrange?",
                 (long long)t + 1);
        }
        add_targets(ops, before, state, m);
        m->lowest = fmin(m->lowest, step.reward);
        m->total += step.reward;
        m->steps++;
    }
    m->episodes++;
    return STATUS_OK;
}

static Status measure(const EnvironmentOps *ops, Measured *m) {
    Rng    rng = rng_stream(SEED, 0, RNG_EXPLORE);
    void  *self = NULL;
    Status status = ops->create(ops, &self);
    while (status == STATUS_OK && (m->steps < MJCF_MEASURE_STEPS || m->episodes < LEAST_EPISODES)) {
        status = random_episode(ops, self, &rng, m);
    }
    if (self != NULL) {
        ops->destroy(self);
    }
    return status;
}

/* likelihoods are of the dimensions that have a scale */
static Status check_scale(const Mjcf *mjcf) {
    for (size_t i = 0; i < mjcf->ops.state_dim; i++) {
        if (mjcf->target_scale[i] > 0.0) {
            return STATUS_OK;
        }
    }
    FAIL(STATUS_ERR_RANGE, "'target_scale' is 0 for every quantity: nothing would be left to judge "
                           "a model by; give the standard deviation of a one-step change, and 0 "
                           "for what never changes");
}

static Status given_scale(const Json *scale, Mjcf *mjcf) {
    if (!json_is_array(scale) || json_count(scale) != mjcf->ops.state_dim) {
        FAIL(STATUS_ERR_PARSE, "'target_scale' must be a list of %zu numbers, one per quantity",
             mjcf->ops.state_dim);
    }
    for (size_t i = 0; i < mjcf->ops.state_dim; i++) {
        const double value = json_number(json_at(scale, i));
        if (!json_is_number(json_at(scale, i)) || !(value >= 0.0) || isinf(value)) {
            FAIL(STATUS_ERR_RANGE, "'target_scale' must be numbers of at least 0");
        }
        mjcf->target_scale[i] = value;
    }
    return check_scale(mjcf);
}

static void measured_scale(const Measured *m, Mjcf *mjcf) {
    const double n = (double)m->steps;
    for (size_t i = 0; i < mjcf->ops.state_dim; i++) {
        const double mean = m->sum[i] / n;
        const double variance = m->squares[i] / n - mean * mean;
        /* what rounding leaves of a constant is no scale */
        mjcf->target_scale[i] = variance > 1e-12 * m->squares[i] / n ? sqrt(variance) : 0.0;
    }
}

Status mjcf__scales(const Json *definition, MjcfProblem *problem, Mjcf *mjcf) {
    const Json *scale = json_get(definition, "target_scale");
    const Json *worst = json_get(definition, "worst_return");
    Measured    m = {0};

    *problem = (MjcfProblem){.key = "target_scale"};
    if (mjcf->complete && scale != NULL && json_is_number(worst)) {
        mjcf->ops.worst_return = json_number(worst);
        return given_scale(scale, mjcf); /* a trainer has nothing to measure */
    }
    *problem = (MjcfProblem){.key = "terminate"};
    TRY(check_starts(mjcf));
    *problem = (MjcfProblem){.key = "file"};
    TRY(measure(&mjcf->ops, &m));
    measured_scale(&m, mjcf);
    if (scale != NULL) {
        *problem = (MjcfProblem){.key = "target_scale"};
        TRY(given_scale(scale, mjcf));
    }
    mjcf->ops.worst_return = (double)mjcf->ops.episode_length * m.lowest;
    const double mean = m.total / (double)m.episodes;
    if (worst != NULL) {
        *problem = (MjcfProblem){.key = "worst_return"};
        if (!json_is_number(worst) || !isfinite(json_number(worst)) ||
            !(json_number(worst) <= mean)) {
            FAIL(STATUS_ERR_RANGE,
                 "'worst_return' must be a number of at most %g, the random policy's mean return",
                 mean);
        }
        mjcf->ops.worst_return = json_number(worst);
    }
    return STATUS_OK;
}
