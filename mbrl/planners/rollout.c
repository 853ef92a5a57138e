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
    return STATUS_OK;
}

static void rollout_destroy(void *self) {
    Rollout *rollout = self;
    if (rollout != NULL) {
        arena_reset(&rollout->arena);
        free(rollout);
    }
}

/* ---- memory ---- */

/* what the arena is divided into */
typedef struct Sizes {
    size_t rows;
    size_t s;
    size_t a;
    size_t f;
    size_t o;
    size_t tile;
    size_t members;
    size_t particles;
    size_t moments; /* rows of `mean` and `spread` */
    size_t matched; /* rows of `moved` */
} Sizes;

static Sizes sizes_of(const EnvironmentOps *environment, const RolloutShape *shape,
                      size_t members) {
    const size_t particles = rollout_particles(shape->propagation, shape->particles);
    const size_t rows = shape->candidates * particles;
    const bool   one = shape->propagation == PROPAGATION_TS1 || /* one member at a time */
                     shape->propagation == PROPAGATION_TSINF;
    return (Sizes){.rows = rows,
                   .s = environment->state_dim,
                   .a = environment->action_dim,
                   .f = environment->feature_dim,
                   .o = environment->state_dim + (shape->learned_reward ? 1 : 0),
                   .tile = shape->tile,
                   .members = members,
                   .particles = particles,
                   .moments = one ? 0 : rows,
                   .matched = shape->propagation == PROPAGATION_MM ? rows : 0};
}

/* bytes of the arena, in the order of take_rows() and take_tile() */
static size_t need(const Sizes *z) {
    const size_t rows =
        2 * arena_need(z->rows * z->s, sizeof(float)) + arena_need(z->rows, sizeof(double)) +
        2 * arena_need(z->rows, 1) + arena_need(z->rows, sizeof(uint32_t)) +
        arena_need(z->members + 1, sizeof(size_t)) + arena_need(z->particles, sizeof(uint32_t)) +
        2 * arena_need(z->moments * z->o, sizeof(float)) +
        arena_need(z->matched * z->s, sizeof(float));
    const size_t tile =
        2 * arena_need(z->tile * z->s, sizeof(float)) +
        2 * arena_need(z->tile * z->o, sizeof(float)) + arena_need(z->tile * z->a, sizeof(float)) +
        arena_need(z->tile * (z->f + z->a), sizeof(float)) + arena_need(z->tile, sizeof(float)) +
        arena_need(z->tile, 1) + 2 * arena_need(z->tile, sizeof(uint32_t)) +
        arena_need(ROLLOUT_PERIOD * z->s, sizeof(uint32_t));
    return rows + tile;
}

static Status take_rows(Rollout *r, const Sizes *z) {
    Arena *arena = &r->arena;
    TRY(ARENA_TAKE(arena, float, z->rows * z->s, &r->state));
    TRY(ARENA_TAKE(arena, float, z->rows * z->s, &r->noise));
    TRY(ARENA_TAKE(arena, double, z->rows, &r->total));
    TRY(ARENA_TAKE(arena, unsigned char, z->rows, &r->ended));
    TRY(ARENA_TAKE(arena, unsigned char, z->rows, &r->member));
    TRY(ARENA_TAKE(arena, uint32_t, z->rows, &r->order));
    TRY(ARENA_TAKE(arena, size_t, z->members + 1, &r->start));
    TRY(ARENA_TAKE(arena, uint32_t, z->particles, &r->cards));
    TRY(ARENA_TAKE(arena, float, z->moments * z->o, &r->mean));
    TRY(ARENA_TAKE(arena, float, z->moments * z->o, &r->spread));
    return ARENA_TAKE(arena, float, z->matched * z->s, &r->moved);
}

static Status take_tile(Rollout *r, const Sizes *z) {
    Arena       *arena = &r->arena;
    RolloutTile *tile = &r->tile;
    TRY(ARENA_TAKE(arena, float, z->tile * z->s, &tile->state));
    TRY(ARENA_TAKE(arena, float, z->tile * z->s, &tile->next));
    TRY(ARENA_TAKE(arena, float, z->tile * z->o, &tile->mean));
    TRY(ARENA_TAKE(arena, float, z->tile * z->o, &tile->sd));
    TRY(ARENA_TAKE(arena, float, z->tile * z->a, &tile->action));
    TRY(ARENA_TAKE(arena, float, z->tile *(z->f + z->a), &tile->input));
    TRY(ARENA_TAKE(arena, float, z->tile, &tile->reward));
    TRY(ARENA_TAKE(arena, unsigned char, z->tile, &tile->ended));
    TRY(ARENA_TAKE(arena, uint32_t, z->tile, &tile->leader));
    TRY(ARENA_TAKE(arena, uint32_t, z->tile, &tile->from));
    TRY(ARENA_TAKE(arena, uint32_t, ROLLOUT_PERIOD * z->s, &tile->kept));
    const bool *absolute = r->environment->target_absolute;
    for (size_t i = 0; i < ROLLOUT_PERIOD * z->s; i++) {
        tile->kept[i] = (absolute != NULL && absolute[i % z->s]) ? 0 : UINT32_MAX;
    }
    return STATUS_OK;
}

static Status rollout_reserve(void *self, const RolloutShape *shape, const PlanTask *task) {
    Rollout *r = self;
    if (task->model == NULL) {
        FAIL(STATUS_ERR_ARG, "rollout: there is no learned model to plan with");
    }
    const size_t members = task->model->members(task->model_self);
    TRY(rollout_check(shape->propagation, shape->particles, members,
                      task->model->stochastic(task->model_self), NULL));
    if (shape->candidates > UINT32_MAX / shape->particles) {
        FAIL(STATUS_ERR_RANGE, "rollout: %zu candidates x %zu particles are too many rows",
             shape->candidates, shape->particles);
    }
    const Sizes  sizes = sizes_of(r->environment, shape, members);
    const size_t outputs = task->model->outputs(task->model_self);
    if (outputs != sizes.o) {
        FAIL(STATUS_ERR_SHAPE, "rollout: the model predicts %zu numbers, expected %zu", outputs,
             sizes.o);
    }
    const size_t bytes = need(&sizes) + task->model->predict_scratch(task->model_self, shape->tile);
    if (bytes > r->arena.capacity) {
        Arena larger;
        TRY(arena_init(&larger, bytes));
        arena_reset(&r->arena);
        r->arena = larger;
    }
    arena_release(&r->arena, 0);
    r->shape = *shape;
    r->members = members;
    r->outputs = sizes.o;
    r->particles = sizes.particles;
    TRY(take_rows(r, &sizes));
    return take_tile(r, &sizes);
}

/* ---- steps ---- */

bool rollout__expired(Rollout *r, const RolloutTask *task) {
    r->expired = r->expired || (task->deadline > 0.0 && clock_monotonic() >= task->deadline);
    return r->expired;
}

/* moves the live rows of member m by one step, a tile at a time */
static Status advance_member(Rollout *r, const RolloutTask *task, const float *actions, size_t m) {
    const float *learned = r->shape.learned_reward ? r->tile.mean : NULL;
    for (size_t first = r->start[m]; first < r->start[m + 1] && !rollout__expired(r, task);
         first += r->shape.tile) {
        const size_t    left = r->start[m + 1] - first;
        const size_t    n = (left < r->shape.tile) ? left : r->shape.tile;
        const uint32_t *rows = r->order + first;
        rollout__gather(r, actions, rows, n);
        TRY(rollout__predict(r, task->plan, m, n));
        rollout__sample(r, rows, NULL, n);
        rollout__settle(r, rows, learned, NULL, n);
    }
    return STATUS_OK;
}

/* The first `left` rows go by candidate. Lists one row of each candidate, a tile of them at most;
 * @return the rows that these stand for */
static size_t choose_leaders(Rollout *r, const uint32_t *rows, size_t left, size_t *leaders) {
    size_t n = 0;
    *leaders = 0;
    for (; n < left; n++) {
        if (n == 0 || rows[n] % r->candidates != rows[n - 1] % r->candidates) {
            if (*leaders == r->shape.tile) {
                break;
            }
            r->tile.leader[(*leaders)++] = rows[n];
        }
    }
    return n;
}

/* samples and settles rows that go by candidate from the predictions of their leaders */
static void follow_leaders(Rollout *r, const float *actions, const uint32_t *rows, size_t count) {
    const float *learned = r->shape.learned_reward ? r->tile.mean : NULL;
    uint32_t     leader = 0;
    for (size_t first = 0; first < count; first += r->shape.tile) {
        const size_t n = (count - first < r->shape.tile) ? count - first : r->shape.tile;
        for (size_t j = 0; j < n; j++) {
            const size_t k = first + j;
            leader += k > 0 && rows[k] % r->candidates != rows[k - 1] % r->candidates;
            r->tile.from[j] = leader;
        }
        rollout__gather(r, actions, rows + first, n);
        rollout__sample(r, rows + first, r->tile.from, n);
        rollout__settle(r, rows + first, learned, r->tile.from, n);
    }
}

/* advance_member() at time 0 */
static Status advance_member_first(Rollout *r, const RolloutTask *task, const float *actions,
                                   size_t m) {
    size_t first = r->start[m];
    while (first < r->start[m + 1] && !rollout__expired(r, task)) {
        const uint32_t *rows = r->order + first;
        size_t          leaders = 0;
        const size_t    n = choose_leaders(r, rows, r->start[m + 1] - first, &leaders);
        rollout__gather(r, actions, r->tile.leader, leaders);
        TRY(rollout__predict(r, task->plan, m, leaders));
        follow_leaders(r, actions, rows, n);
        first += n;
    }
    return STATUS_OK;
}

static Status advance_by_member(Rollout *r, const RolloutTask *task, const float *actions,
                                size_t time) {
    rollout__assign_members(r, task, time);
    rollout__group_rows(r, time == 0);
    for (size_t m = 0; m < r->members; m++) {
        TRY(time == 0 ? advance_member_first(r, task, actions, m)
                      : advance_member(r, task, actions, m));
    }
    return STATUS_OK;
}

static Status advance(Rollout *r, const RolloutTask *task, size_t time) {
    const PlanTask *plan = task->plan;
    const float    *actions = task->actions + time * r->candidates * r->environment->action_dim;
    const size_t    lane = 2 * (task->iteration * r->shape.horizon + time);
    if (r->shape.propagation != PROPAGATION_E) {
        Rng rng = rng_stream_lane(plan->seed, plan->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
        rng_fill_normal(&rng, r->noise, rollout__rows(r) * r->environment->state_dim);
    }
    return rollout__takes_members(r) ? advance_by_member(r, task, actions, time)
                                     : rollout__advance_moments(r, task, actions, time);
}

/* all rows at the observed state */
static void begin(Rollout *r, const RolloutTask *task) {
    const size_t s = r->environment->state_dim;
    r->candidates = task->candidates;
    r->expired = false;
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
    begin(r, task);
    size_t time = 0;
    for (; time < r->shape.horizon && !rollout__expired(r, task); time++) {
        TRY(advance(r, task, time));
    }
    const double predictions =
        rollout_predictions(r->shape.propagation, r->shape.particles, r->members);
    *result = (RolloutResult){.flop = (double)r->candidates * predictions * (double)time *
                                      plan->model->predict_flop(plan->model_self),
                              .expired = r->expired};
    for (size_t c = 0; c < r->candidates && !r->expired; c++) {
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
    .create = rollout_create,
    .destroy = rollout_destroy,
    .reserve = rollout_reserve,
    .evaluate = rollout_evaluate,
};
