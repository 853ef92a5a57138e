/* A tile of rows on its way through one step: gathered, given to the model, sampled, judged by the
 * environment and scattered again.
 */
#include "mbrl/planners/rollout_internal.h"

#include <string.h>

static void copy_floats(float *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = in[i];
    }
}

void rollout__gather(const Rollout *r, RolloutTile *tile, const float *actions,
                     const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    const size_t a = r->environment->action_dim;
    for (size_t j = 0; j < n; j++) {
        copy_floats(tile->state + j * s, r->state + rows[j] * s, s);
        copy_floats(tile->action + j * a, actions + rows[j] % r->candidates * a, a);
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

void rollout__sample(const Rollout *r, RolloutTile *tile, const uint32_t *rows,
                     const uint32_t *from, size_t n) {
    const size_t s = r->environment->state_dim;
    const bool  *absolute = r->environment->target_absolute;
    for (size_t j = 0; j < n; j++) {
        const float *noise = r->noise + rows[j] * s;
        const size_t predicted = (from == NULL ? j : from[j]) * r->outputs;
        for (size_t d = 0; d < s; d++) {
            const float target = tile->mean[predicted + d] + tile->sd[predicted + d] * noise[d];
            const bool  whole = absolute != NULL && absolute[d];
            tile->next[j * s + d] = whole ? target : tile->state[j * s + d] + target;
        }
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
