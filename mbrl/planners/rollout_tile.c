/* A tile of rows on its way through one step: gathered, given to the model, sampled, judged by the
 * environment and scattered again.
 */
#include "mbrl/planners/rollout_internal.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <string.h>

enum {
    CHUNK = 4, /* floats that one move of the baseline instruction set copies */
    AHEAD = 8  /* rows between asking for a row's memory and reading it */
};

static inline void copy_chunk(float *restrict out, const float *restrict in) {
    memcpy(out, in, CHUNK * sizeof *out);
}

/* Rows are 4 to 20 floats, too few for a call of memcpy(), which gcc makes of loops here: whole
 * chunks, and one at the end that may overlap the one before. */
static inline void copy_floats(float *restrict out, const float *restrict in, size_t n) {
    switch (n / CHUNK) {
    case 5:
        copy_chunk(out + (size_t)4 * CHUNK, in + (size_t)4 * CHUNK);
        __attribute__((fallthrough));
    case 4:
        copy_chunk(out + (size_t)3 * CHUNK, in + (size_t)3 * CHUNK);
        __attribute__((fallthrough));
    case 3:
        copy_chunk(out + (size_t)2 * CHUNK, in + (size_t)2 * CHUNK);
        __attribute__((fallthrough));
    case 2:
        copy_chunk(out + CHUNK, in + CHUNK);
        __attribute__((fallthrough));
    case 1:
        copy_chunk(out, in);
        copy_chunk(out + n - CHUNK, in + n - CHUNK);
        break;
    default:
        memcpy(out, in, n * sizeof *out);
    }
}

/* rows `rows` of `from` (., width), one after another; 576 kB of states are read here in an order
 * that no prefetcher guesses, and come from L3 */
static void gather_rows(float *out, const float *from, size_t width, const uint32_t *rows,
                        size_t n) {
    for (size_t j = 0; j < n; j++) {
        if (j + AHEAD < n) {
            __builtin_prefetch(from + rows[j + AHEAD] * width);
            __builtin_prefetch(from + (rows[j + AHEAD] + 1) * width - 1);
        }
        copy_floats(out + j * width, from + rows[j] * width, width);
    }
}

void rollout__gather(const Rollout *r, RolloutTile *tile, const float *actions,
                     const uint32_t *rows, size_t n) {
    const size_t   s = r->environment->state_dim;
    const size_t   a = r->environment->action_dim;
    const uint32_t candidates = (uint32_t)r->candidates;
    gather_rows(tile->state, r->state, s, rows, n);
    for (size_t j = 0; j < n; j++) {
        copy_floats(tile->action + j * a, actions + rows[j] % candidates * a, a);
    }
}

Status rollout__predict(const Rollout *r, RolloutTile *tile, const PlanTask *plan, size_t member,
                        size_t n) {
    const EnvironmentOps *env = r->environment;
    const size_t          a = env->action_dim;
    const size_t          inputs = env->feature_dim + a;
    for (size_t j = 0; j < n; j++) {
        copy_floats(tile->input + j * inputs + env->feature_dim, tile->action + j * a, a);
    }
    env->features(env, tile->state, n, tile->input, inputs);
    return plan->model->predict(plan->model_self, member, tile->input, inputs, n, tile->mean,
                                tile->sd, &tile->arena);
}

/* next[i] (noise before) = mean[i] + sd[i] noise, and the state where `kept` has all bits; the
 * arrays are ROLLOUT_PERIOD rows each, of which `kept` repeats */
KERNEL_CLONES
static void sample_rows(const float *restrict mean, const float *restrict sd,
                        const float *restrict state, const uint32_t *restrict kept, size_t count,
                        float *restrict next) {
    for (size_t i = 0; i < count; i++) {
        const float before = vector_from_bits(vector_bits(state[i]) & kept[i]);
        next[i] = before + (mean[i] + sd[i] * next[i]);
    }
}

void rollout__sample(const Rollout *r, RolloutTile *tile, const uint32_t *rows,
                     const uint32_t *from, size_t n) {
    const size_t s = r->environment->state_dim;
    const size_t o = r->outputs;
    const bool   flat = from == NULL && o == s; /* predictions lie as the states do */
    const size_t step = flat ? ROLLOUT_PERIOD : 1;
    gather_rows(tile->next, r->noise, s, rows, n);
    for (size_t j = 0; j < n; j += step) {
        const size_t count = (n - j < step) ? n - j : step;
        const size_t predicted = (from == NULL ? j : from[j]) * o;
        sample_rows(tile->mean + predicted, tile->sd + predicted, tile->state + j * s, tile->kept,
                    count * s, tile->next + j * s);
    }
}

/* what the environment says of the tile's transitions: the planner's reward and termination */
static void judge(const Rollout *r, RolloutTile *tile, bool rewards, size_t n) {
    const EnvironmentOps *env = r->environment;
    if (rewards) {
        environment_planner_rewards(env, tile->state, tile->action, tile->next, n, tile->reward);
    }
    if (env->terminated != NULL) {
        env->terminated(env, tile->next, n, tile->ended);
    } else {
        memset(tile->ended, 0, n);
    }
}

void rollout__settle(Rollout *r, RolloutTile *tile, const uint32_t *rows, const uint32_t *from,
                     size_t n) {
    const size_t s = r->environment->state_dim;
    const bool   learned = r->shape.learned_reward;
    for (size_t j = 0; learned && j < n; j++) {
        tile->reward[j] = tile->mean[(from == NULL ? j : from[j]) * r->outputs + s];
    }
    judge(r, tile, !learned, n);
    for (size_t j = 0; j < n; j++) {
        r->total[rows[j]] += (double)tile->reward[j];
        r->ended[rows[j]] = tile->ended[j];
        copy_floats(r->state + rows[j] * s, tile->next + j * s, s);
    }
}
