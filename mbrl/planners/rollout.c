/* What a step costs. A row is one particle of one candidate; R rows, network 5 - 3 x 200 - 8 as in
 * the balance task: 165 kFLOP and 2.4 kB of activations per row, 0.33 MB of weights per member.
 * Rows are grouped by member and predicted in tiles: 256 rows x (features + mean + sd + state) of a
 * few floats are 20 kB, so what the environment's functions and the sampling touch is still in L1
 * when the next of them reads it, and the call overhead is spread over 42 MFLOP. Inside predict()
 * the tile goes through all layers in blocks of 32 lanes (ensemble.c), 26 kB per layer, while the
 * weights of the member stay in L2 (1.25 MB and more on current servers). Nothing is as large as
 * R x width in memory: 10 000 rows x 200 x 4 bytes = 8 MB per layer would stream through L3.
 *
 * Per row and step besides the network: s normals (about 1 ns each), one gather and one scatter of
 * s floats, reward and termination: 20 to 30 ns against 1 us.
 *
 * At time 0 all particles of a candidate stand in the same state before the same action, so each
 * member predicts a candidate once, for all of its particles. Cost is counted as of the plain
 * algorithm, which predicts every row.
 *
 * Rows whose particle is terminated are left out. Everything drawn is indexed by row, and a row's
 * prediction does not depend on the other rows of a call, so neither tiles nor termination change
 * the result of any other row.
 *
 * Threads take tiles of one time step, and wait for each other at its end. Beside the tiles one
 * thread draws the noise, deals the members and groups the rows: at 7000 rows of 4 numbers some 100
 * us of 8 ms (cart-pole at PETS' settings), so two threads can be 1.98 times as fast, eight 7.4.
 */
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/rollout_internal.h"

#include "core/clock.h"
#include "core/rng.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 1 << 16 };

static Status rollout_create(const EnvironmentOps *environment, void **self) {
    Rollout *rollout = calloc(1, sizeof *rollout);
    *self = rollout;
    if (rollout == NULL) {
        FAIL(STATUS_ERR_NOMEM, "rollout: no memory");
    }
    rollout->environment = environment;
    rollout->tile = ROLLOUT_TILE;
    return STATUS_OK;
}

static void rollout_destroy(void *self) {
    Rollout *rollout = self;
    if (rollout != NULL) {
        rollout__release(rollout);
        free(rollout);
    }
}

/* ---- steps ---- */

bool rollout__expired(Rollout *r, const RolloutTask *task) {
    if (task->deadline > 0.0 && clock_monotonic() >= task->deadline) {
        atomic_store(&r->expired, true);
    }
    return atomic_load(&r->expired);
}

/* Lists one row of each candidate; the rows go by candidate. @return how many */
static size_t choose_leaders(const Rollout *r, RolloutTile *tile, const uint32_t *rows, size_t n) {
    size_t leaders = 0;
    size_t last = SIZE_MAX;
    for (size_t j = 0; j < n; j++) {
        const size_t candidate = rows[j] % r->candidates;
        if (candidate != last) {
            tile->leader[leaders++] = rows[j];
            last = candidate;
        }
    }
    return leaders;
}

/* samples and settles rows that go by candidate from the predictions of their leaders */
static void follow_leaders(Rollout *r, RolloutTile *tile, const float *actions,
                           const uint32_t *rows, size_t count) {
    uint32_t leader = 0;
    size_t   last = rows[0] % r->candidates;
    for (size_t first = 0; first < count; first += r->chunk) {
        const size_t n = (count - first < r->chunk) ? count - first : r->chunk;
        for (size_t j = 0; j < n; j++) {
            const size_t candidate = rows[first + j] % r->candidates;
            leader += candidate != last;
            last = candidate;
            tile->from[j] = leader;
        }
        rollout__gather(r, tile, actions, rows + first, n);
        rollout__sample(r, tile, rows + first, tile->from, n);
        rollout__settle(r, tile, rows + first, tile->from, n);
    }
}

/* Moves the rows of a span by one step; a ThreadWork. At time 0 the rows go by candidate, and its
 * leader is predicted for all of them. */
static Status advance_span(void *context, size_t thread, size_t item) {
    const RolloutStep *step = context;
    Rollout           *r = step->rollout;
    RolloutTile       *tile = &r->tiles[thread];
    const RolloutSpan *span = &r->spans[item];
    const uint32_t    *rows = r->order + span->first;
    const bool         leads = step->time == 0;
    if (rollout__expired(r, step->task)) {
        return STATUS_OK;
    }
    const size_t n = leads ? choose_leaders(r, tile, rows, span->count) : span->count;
    rollout__gather(r, tile, step->actions, leads ? tile->leader : rows, n);
    TRY(rollout__predict(r, tile, step->task->plan, span->member, n));
    if (leads) {
        follow_leaders(r, tile, step->actions, rows, span->count);
        return STATUS_OK;
    }
    rollout__sample(r, tile, rows, NULL, n);
    rollout__settle(r, tile, rows, NULL, n);
    return STATUS_OK;
}

static Status advance_by_member(RolloutStep *step) {
    Rollout   *r = step->rollout;
    const bool first = step->time == 0;
    rollout__assign_members(r, step->task, step->time);
    rollout__group_rows(r, first);
    rollout__list_spans(r, first);
    return thread_pool_run(r->pool, r->span_count, advance_span, step);
}

static Status advance(Rollout *r, const RolloutTask *task, size_t time) {
    const PlanTask *plan = task->plan;
    const size_t    lane = 2 * (task->iteration * r->shape.horizon + time);
    RolloutStep     step = {.rollout = r,
                            .task = task,
                            .actions =
                                task->actions + time * r->candidates * r->environment->action_dim,
                            .time = time};
    if (r->shape.propagation != PROPAGATION_E) {
        Rng rng = rng_stream_lane(plan->seed, plan->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
        rng_fill_normal(&rng, r->noise, rollout__rows(r) * r->environment->state_dim);
    }
    return rollout__takes_members(r) ? advance_by_member(&step) : rollout__advance_moments(&step);
}

/* rows of a tile: whole blocks of 64 lanes (lane_gemm.h), 4 tiles per thread if there are that
 * many, so that no thread waits long for the last tile of another */
static size_t choose_chunk(const Rollout *r) {
    const size_t threads = thread_pool_threads(r->pool);
    size_t       chunk = r->tile;
    while (threads > 1 && chunk >= 2 * (size_t)ROLLOUT_FEWEST_ROWS &&
           rollout__rows(r) < 4 * threads * chunk) {
        chunk /= 2;
    }
    return chunk;
}

/* all rows at the observed state */
static void begin(Rollout *r, const RolloutTask *task) {
    const size_t s = r->environment->state_dim;
    r->candidates = task->candidates;
    r->pool = task->plan->pool;
    r->chunk = choose_chunk(r);
    atomic_store(&r->expired, false);
    const size_t rows = rollout__rows(r);
    for (size_t i = 0; i < rows; i++) {
        for (size_t d = 0; d < s; d++) {
            r->state[i * s + d] = (float)task->plan->state[d];
        }
    }
    memset(r->total, 0, rows * sizeof *r->total);
    memset(r->ended, 0, rows);
}

static Status rollout_evaluate(void *self, const RolloutTask *task, double *returns,
                               RolloutResult *result) {
    Rollout        *r = self;
    const PlanTask *plan = task->plan;
    if (2 * (task->iteration + 1) * r->shape.horizon > MAX_LANES) {
        FAIL(STATUS_ERR_RANGE, "rollout: iteration %zu at horizon %zu exceeds the random streams",
             task->iteration, r->shape.horizon);
    }
    if (thread_pool_threads(plan->pool) > r->tile_count) {
        FAIL(STATUS_ERR_STATE, "rollout: %zu threads, room was made for %zu",
             thread_pool_threads(plan->pool), r->tile_count);
    }
    begin(r, task);
    size_t time = 0;
    for (; time < r->shape.horizon && !rollout__expired(r, task); time++) {
        TRY(advance(r, task, time));
    }
    const double predictions =
        rollout_predictions(r->shape.propagation, r->shape.particles, r->members);
    *result = (RolloutResult){.flop = (double)r->candidates * predictions * (double)time *
                                      plan->model->predict_flop(plan->model_self),
                              .expired = atomic_load(&r->expired)};
    for (size_t c = 0; c < r->candidates && !result->expired; c++) {
        double sum = 0.0;
        for (size_t i = c; i < rollout__rows(r); i += r->candidates) {
            sum += r->total[i];
        }
        returns[c] = sum / (double)r->particles;
    }
    return STATUS_OK;
}

const PlannerBackend planner_backend_rollout_ops = {
    .name = "learned",
    .help = "the learned model, on the CPU",
    .needs_model = true,
    .create = rollout_create,
    .destroy = rollout_destroy,
    .reserve = rollout__reserve,
    .evaluate = rollout_evaluate,
};
