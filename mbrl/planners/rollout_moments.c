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
 * are updated as by Welford, in float, in the order of the members whatever the threads do.
 */
#include "mbrl/planners/rollout_internal.h"

#include "core/rng.h"

#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* adds the tile's predictions of the member-th of the members (from 0) to the rows' moments */
static void accumulate(Rollout *r, const RolloutTile *tile, const uint32_t *rows, size_t n,
                       size_t member) {
    const size_t o = r->outputs;
    const float  share = 1.0f / (float)(member + 1);
    for (size_t j = 0; j < n; j++) {
        float *mean = r->mean + rows[j] * o;
        float *spread = r->spread + rows[j] * o;
        for (size_t d = 0; d < o; d++) {
            const float predicted = tile->mean[j * o + d];
            const float sd = tile->sd[j * o + d];
            const float off = predicted - mean[d];
            mean[d] += off * share;
            spread[d] += off * (predicted - mean[d]) + sd * sd;
        }
    }
}

/* a tile of the first step->count rows of the order */
typedef struct Slice {
    const uint32_t *rows;
    size_t          n;
} Slice;

static Slice slice_of(const RolloutStep *step, size_t item) {
    const Rollout *r = step->rollout;
    const size_t   first = item * r->chunk;
    return (Slice){.rows = r->order + first, .n = smaller(step->count - first, r->chunk)};
}

static Status run_slices(RolloutStep *step, ThreadWork work) {
    const size_t chunk = step->rollout->chunk;
    return thread_pool_run(step->rollout->pool, (step->count + chunk - 1) / chunk, work, step);
}

/* one member's part in the moments of a slice */
static Status predict_slice(void *context, size_t thread, size_t item) {
    const RolloutStep *step = context;
    Rollout           *r = step->rollout;
    RolloutTile       *tile = &r->tiles[thread];
    const Slice        slice = slice_of(step, item);
    if (rollout__expired(r, step->task)) {
        return STATUS_OK;
    }
    rollout__gather(r, tile, step->actions, slice.rows, slice.n);
    TRY(rollout__predict(r, tile, step->task->plan, step->member, slice.n));
    accumulate(r, tile, slice.rows, slice.n, step->member);
    return STATUS_OK;
}

/* moments of the first step->count rows of the order */
static Status predict_rows(RolloutStep *step) {
    Rollout     *r = step->rollout;
    const size_t floats = rollout__rows(r) * r->outputs;
    memset(r->mean, 0, floats * sizeof *r->mean);
    memset(r->spread, 0, floats * sizeof *r->spread);
    for (size_t m = 0; m < r->members; m++) {
        step->member = m;
        TRY(run_slices(step, predict_slice));
    }
    return STATUS_OK;
}

/* the members' mean and standard deviation of n rows into the tile; row i was predicted as row
 * i % period */
static void load_moments(const Rollout *r, RolloutTile *tile, const uint32_t *rows, size_t n,
                         size_t period) {
    const size_t o = r->outputs;
    const float  share = 1.0f / (float)r->members;
    for (size_t j = 0; j < n; j++) {
        const size_t row = (rows[j] % period) * o;
        for (size_t d = 0; d < o; d++) {
            tile->mean[j * o + d] = r->mean[row + d];
            tile->sd[j * o + d] = sqrtf(r->spread[row + d] * share);
        }
    }
}

/* tile.next without noise */
static void expect(const Rollout *r, RolloutTile *tile, size_t n) {
    const size_t s = r->environment->state_dim;
    const bool  *absolute = r->environment->target_absolute;
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < s; d++) {
            const float target = tile->mean[j * r->outputs + d];
            const bool  whole = absolute != NULL && absolute[d];
            tile->next[j * s + d] = whole ? target : tile->state[j * s + d] + target;
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

/* candidates that are matched at a time */
enum { MATCHED = 64 };

static Status match_some(void *context, size_t thread, size_t item) {
    const RolloutStep *step = context;
    Rollout           *r = step->rollout;
    const size_t       end = smaller((item + 1) * MATCHED, r->candidates);
    (void)thread;
    for (size_t c = item * MATCHED; c < end; c++) {
        for (size_t d = 0; d < r->environment->state_dim; d++) {
            match(r, c, d);
        }
    }
    return STATUS_OK;
}

static Status match_all(RolloutStep *step) {
    Rollout        *r = step->rollout;
    const PlanTask *plan = step->task->plan;
    const size_t    lane = 2 * (step->task->iteration * r->shape.horizon + step->time) + 1;
    Rng rng = rng_stream_lane(plan->seed, plan->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
    rng_fill_normal(&rng, r->noise, rollout__rows(r) * r->environment->state_dim);
    return thread_pool_run(r->pool, (r->candidates + MATCHED - 1) / MATCHED, match_some, step);
}

/* tile.next <-> r->moved */
static void store_moved(Rollout *r, const RolloutTile *tile, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    for (size_t j = 0; j < n; j++) {
        memcpy(r->moved + rows[j] * s, tile->next + j * s, s * sizeof *r->moved);
    }
}

static void load_moved(const Rollout *r, RolloutTile *tile, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    for (size_t j = 0; j < n; j++) {
        memcpy(tile->next + j * s, r->moved + rows[j] * s, s * sizeof *r->moved);
    }
}

/* next states of a slice from its moments; but for MM the rows move on */
static Status draw_slice(void *context, size_t thread, size_t item) {
    const RolloutStep *step = context;
    Rollout           *r = step->rollout;
    RolloutTile       *tile = &r->tiles[thread];
    const Slice        slice = slice_of(step, item);
    rollout__gather(r, tile, step->actions, slice.rows, slice.n);
    load_moments(r, tile, slice.rows, slice.n, step->period);
    if (r->shape.propagation == PROPAGATION_E) {
        expect(r, tile, slice.n);
    } else {
        rollout__sample(r, tile, slice.rows, NULL, slice.n);
    }
    if (r->shape.propagation == PROPAGATION_MM) {
        store_moved(r, tile, slice.rows, slice.n);
    } else {
        rollout__settle(r, tile, slice.rows, NULL, slice.n);
    }
    return STATUS_OK;
}

/* rows that were matched move on */
static Status settle_slice(void *context, size_t thread, size_t item) {
    const RolloutStep *step = context;
    Rollout           *r = step->rollout;
    RolloutTile       *tile = &r->tiles[thread];
    const Slice        slice = slice_of(step, item);
    rollout__gather(r, tile, step->actions, slice.rows, slice.n);
    load_moments(r, tile, slice.rows, slice.n, step->period);
    load_moved(r, tile, slice.rows, slice.n);
    rollout__settle(r, tile, slice.rows, NULL, slice.n);
    return STATUS_OK;
}

Status rollout__advance_moments(RolloutStep *step) {
    Rollout     *r = step->rollout;
    const size_t live = rollout__list_rows(r);
    /* at time 0 the rows of particle 0, which come first, stand for all */
    step->period = step->time == 0 ? r->candidates : rollout__rows(r);
    step->count = smaller(step->period, live);
    TRY(predict_rows(step));
    if (atomic_load(&r->expired)) {
        return STATUS_OK;
    }
    step->count = live;
    TRY(run_slices(step, draw_slice));
    if (r->shape.propagation != PROPAGATION_MM) {
        return STATUS_OK;
    }
    TRY(match_all(step));
    return run_slices(step, settle_slice);
}
