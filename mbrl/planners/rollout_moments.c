/* E, DS and MM: every member predicts every row, and what is used of them is their joint mean and
 * variance (Chua et al. 2018, section 5.1; facts of the reference implementation):
 *
 *     mean = mean_b mean_b,   variance = mean_b variance_b + mean_b (mean_b - mean)^2
 *
 * E goes on with the mean. DS draws from the Gaussian. MM draws, then redraws the particles of each
 * candidate from the Gaussian that has their own mean and variance (population variance, as the
 * reference has it), dimension by dimension. A terminated particle is left out of these moments and
 * stays as it is; the others are redrawn from what is left of them.
 *
 * Members go one after another over all rows, so that a member's weights stay in cache; the sums
 * are updated as by Welford, in float.
 */
#include "mbrl/planners/rollout_internal.h"

#include "core/rng.h"

#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* adds the tile's predictions of the member-th of the members (from 0) to the rows' moments */
static void accumulate(Rollout *r, const uint32_t *rows, size_t n, size_t member) {
    const size_t o = r->outputs;
    const float  share = 1.0f / (float)(member + 1);
    for (size_t j = 0; j < n; j++) {
        float *mean = r->mean + rows[j] * o;
        float *spread = r->spread + rows[j] * o;
        for (size_t d = 0; d < o; d++) {
            const float predicted = r->tile.mean[j * o + d];
            const float sd = r->tile.sd[j * o + d];
            const float off = predicted - mean[d];
            mean[d] += off * share;
            spread[d] += off * (predicted - mean[d]) + sd * sd;
        }
    }
}

/* one member's part in the moments of the first `count` rows of the order */
static Status predict_member(Rollout *r, const RolloutTask *task, const float *actions,
                             size_t count, size_t member) {
    for (size_t first = 0; first < count && !rollout__expired(r, task); first += r->shape.tile) {
        const size_t    n = smaller(count - first, r->shape.tile);
        const uint32_t *rows = r->order + first;
        rollout__gather(r, actions, rows, n);
        TRY(rollout__predict(r, task->plan, member, n));
        accumulate(r, rows, n, member);
    }
    return STATUS_OK;
}

/* moments of the first `count` rows of the order */
static Status predict_rows(Rollout *r, const RolloutTask *task, const float *actions,
                           size_t count) {
    const size_t floats = rollout__rows(r) * r->outputs;
    memset(r->mean, 0, floats * sizeof *r->mean);
    memset(r->spread, 0, floats * sizeof *r->spread);
    for (size_t m = 0; m < r->members; m++) {
        TRY(predict_member(r, task, actions, count, m));
    }
    return STATUS_OK;
}

/* the members' mean and standard deviation of n rows into the tile; row i was predicted as row
 * i % period */
static void load_moments(Rollout *r, const uint32_t *rows, size_t n, size_t period) {
    const size_t o = r->outputs;
    const float  share = 1.0f / (float)r->members;
    for (size_t j = 0; j < n; j++) {
        const size_t row = (rows[j] % period) * o;
        for (size_t d = 0; d < o; d++) {
            r->tile.mean[j * o + d] = r->mean[row + d];
            r->tile.sd[j * o + d] = sqrtf(r->spread[row + d] * share);
        }
    }
}

/* tile.next without noise */
static void expect(Rollout *r, size_t n) {
    const size_t s = r->environment->state_dim;
    const bool  *absolute = r->environment->target_absolute;
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < s; d++) {
            const float target = r->tile.mean[j * r->outputs + d];
            const bool  whole = absolute != NULL && absolute[d];
            r->tile.next[j * s + d] = whole ? target : r->tile.state[j * s + d] + target;
        }
    }
}

/* redraws dimension d of the live particles of candidate c; r->noise is fresh */
static void match(Rollout *r, size_t c, size_t d) {
    const size_t s = r->environment->state_dim;
    const size_t rows = rollout__rows(r);
    double       live = 0.0;
    double       sum = 0.0;
    double       squares = 0.0;
    for (size_t i = c; i < rows; i += r->candidates) {
        live += r->ended[i] ? 0.0 : 1.0;
        sum += r->ended[i] ? 0.0 : (double)r->moved[i * s + d];
    }
    const double mean = sum / live;
    for (size_t i = c; i < rows; i += r->candidates) {
        const double off = r->ended[i] ? 0.0 : (double)r->moved[i * s + d] - mean;
        squares += off * off;
    }
    const float middle = (float)mean;
    const float sd = (float)sqrt(squares / live);
    for (size_t i = c; i < rows; i += r->candidates) {
        if (!r->ended[i]) {
            r->moved[i * s + d] = middle + sd * r->noise[i * s + d];
        }
    }
}

static void match_all(Rollout *r, const RolloutTask *task, size_t time) {
    const size_t s = r->environment->state_dim;
    const size_t lane = 2 * (task->iteration * r->shape.horizon + time) + 1;
    Rng          rng =
        rng_stream_lane(task->plan->seed, task->plan->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
    rng_fill_normal(&rng, r->noise, rollout__rows(r) * s);
    for (size_t c = 0; c < r->candidates; c++) {
        for (size_t d = 0; d < s; d++) {
            match(r, c, d);
        }
    }
}

/* tile.next <-> r->moved */
static void store_moved(Rollout *r, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    for (size_t j = 0; j < n; j++) {
        memcpy(r->moved + rows[j] * s, r->tile.next + j * s, s * sizeof *r->moved);
    }
}

static void load_moved(Rollout *r, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    for (size_t j = 0; j < n; j++) {
        memcpy(r->tile.next + j * s, r->moved + rows[j] * s, s * sizeof *r->moved);
    }
}

Status rollout__advance_moments(Rollout *r, const RolloutTask *task, const float *actions,
                                size_t time) {
    const bool   matched = r->shape.propagation == PROPAGATION_MM;
    const bool   expected = r->shape.propagation == PROPAGATION_E;
    const float *learned = r->shape.learned_reward ? r->tile.mean : NULL;
    const size_t live = rollout__list_rows(r);
    /* at time 0 the rows of particle 0, which come first, stand for all */
    const size_t period = time == 0 ? r->candidates : rollout__rows(r);
    TRY(predict_rows(r, task, actions, smaller(period, live)));
    for (size_t first = 0; first < live && !r->expired; first += r->shape.tile) {
        const size_t    n = smaller(live - first, r->shape.tile);
        const uint32_t *rows = r->order + first;
        rollout__gather(r, actions, rows, n);
        load_moments(r, rows, n, period);
        if (expected) {
            expect(r, n);
        } else {
            rollout__sample(r, rows, NULL, n);
        }
        if (matched) {
            store_moved(r, rows, n);
        } else {
            rollout__settle(r, rows, learned, NULL, n);
        }
    }
    if (!matched || r->expired) {
        return STATUS_OK;
    }
    match_all(r, task, time);
    for (size_t first = 0; first < live; first += r->shape.tile) {
        const size_t    n = smaller(live - first, r->shape.tile);
        const uint32_t *rows = r->order + first;
        rollout__gather(r, actions, rows, n);
        load_moments(r, rows, n, period);
        load_moved(r, rows, n);
        rollout__settle(r, rows, learned, NULL, n);
    }
    return STATUS_OK;
}
