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

void rollout__gather(Rollout *r, const float *actions, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    const size_t a = r->environment->action_dim;
    for (size_t j = 0; j < n; j++) {
        copy_floats(r->tile.state + j * s, r->state + rows[j] * s, s);
        copy_floats(r->tile.action + j * a, actions + rows[j] % r->candidates * a, a);
    }
}

Status rollout__predict(Rollout *r, const PlanTask *plan, size_t member, size_t n) {
    const EnvironmentOps *env = r->environment;
    const size_t          a = env->action_dim;
    const size_t          inputs = env->feature_dim + a;
    for (size_t j = 0; j < n; j++) {
        copy_floats(r->tile.input + j * inputs + env->feature_dim, r->tile.action + j * a, a);
    }
    env->features(env, r->tile.state, n, r->tile.input, inputs);
    return plan->model->predict(plan->model_self, member, r->tile.input, inputs, n, r->tile.mean,
                                r->tile.sd, &r->arena);
}

void rollout__sample(Rollout *r, const uint32_t *rows, const uint32_t *from, size_t n) {
    const size_t s = r->environment->state_dim;
    const bool  *absolute = r->environment->target_absolute;
    for (size_t j = 0; j < n; j++) {
        const float *noise = r->noise + rows[j] * s;
        const size_t predicted = (from == NULL ? j : from[j]) * r->outputs;
        for (size_t d = 0; d < s; d++) {
            const float target = r->tile.mean[predicted + d] + r->tile.sd[predicted + d] * noise[d];
            const bool  whole = absolute != NULL && absolute[d];
            r->tile.next[j * s + d] = whole ? target : r->tile.state[j * s + d] + target;
        }
    }
}

/* what the environment says of the tile's transitions: the planner's reward and termination */
static void judge(Rollout *r, bool rewards, size_t n) {
    const EnvironmentOps *env = r->environment;
    if (rewards) {
        environment_planner_rewards(env, r->tile.state, r->tile.action, r->tile.next, n,
                                    r->tile.reward);
    }
    if (env->terminated != NULL) {
        env->terminated(env, r->tile.next, n, r->tile.ended);
    } else {
        memset(r->tile.ended, 0, n);
    }
}

void rollout__settle(Rollout *r, const uint32_t *rows, const float *learned, const uint32_t *from,
                     size_t n) {
    const size_t s = r->environment->state_dim;
    for (size_t j = 0; learned != NULL && j < n; j++) {
        r->tile.reward[j] = learned[(from == NULL ? j : from[j]) * r->outputs + s];
    }
    judge(r, learned == NULL, n);
    for (size_t j = 0; j < n; j++) {
        r->total[rows[j]] += (double)r->tile.reward[j];
        r->ended[rows[j]] = r->tile.ended[j];
        copy_floats(r->state + rows[j] * s, r->tile.next + j * s, s);
    }
}
