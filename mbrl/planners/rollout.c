/* What a step costs. A row is one particle of one candidate; R rows, network 5 - 3 x 200 - 8 as in
 * the balance task: 165 kFLOP and 2.4 kB of activations per row, 0.33 MB of weights per member.
 * Rows are grouped by member and predicted in tiles: 256 rows x (features + mean + sd + state) of a
 * few floats are 20 kB, so what the environment's functions and the sampling touch is still in L1
 * when the next of them reads it, and the call overhead is spread over 42 MFLOP. Inside predict()
 * the tile goes through all layers in blocks of 64 lanes (lane_gemm.h), 51 kB per layer, while the
 * weights of the member stay in L2 (1.25 MB and more on current servers). Nothing is as large as
 * R x width in memory: 10 000 rows x 200 x 4 bytes = 8 MB per layer would stream through L3.
 *
 * Per row and step besides the network: s normals (about 1 ns each), one gather and one scatter of
 * s floats, reward and termination: 20 to 30 ns against 1 us.
 *
 * Rows whose particle is terminated are left out. Everything drawn is indexed by row, and a row's
 * prediction does not depend on the other rows of a call, so neither tiles nor termination change
 * the result of any other row.
 */
#include "mbrl/planners/rollout.h"

#include "core/arena.h"
#include "core/rng.h"

#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LANES = 1 << 16 };

/* one tile of rows; n = rows of the tile */
typedef struct Tile {
    float         *state;  /* (n, s) */
    float         *action; /* (n, a) */
    float         *input;  /* (n, f + a) */
    float         *mean;   /* (n, outputs) */
    float         *sd;     /* (n, outputs) */
    float         *next;   /* (n, s) */
    float         *reward; /* (n) */
    unsigned char *ended;  /* (n) */
} Tile;

struct Rollout {
    const EnvironmentOps *environment;
    RolloutShape          shape;
    size_t                members;
    size_t                outputs; /* of the model: s, and more where it predicts more */
    Arena                 arena;
    float                *state;  /* (rows, s) */
    float                *noise;  /* (rows, s) standard normal */
    double               *total;  /* (rows) return so far */
    unsigned char        *ended;  /* (rows) terminated before */
    unsigned char        *member; /* (rows) who predicts the row */
    uint32_t             *order;  /* (rows) live rows, grouped by member */
    size_t               *start;  /* (members + 1) of each group in `order` */
    uint32_t             *cards;  /* (particles) permutation of one candidate */
    Tile                  tile;
};

Status rollout_create(const EnvironmentOps *environment, Rollout **out) {
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        FAIL(STATUS_ERR_NOMEM, "rollout: no memory");
    }
    (*out)->environment = environment;
    return STATUS_OK;
}

void rollout_destroy(Rollout *rollout) {
    if (rollout == NULL) {
        return;
    }
    arena_reset(&rollout->arena);
    free(rollout);
}

static size_t rows_of(const RolloutShape *shape) {
    return shape->candidates * shape->particles;
}

/* bytes of the arena, in the order of take_all() */
static size_t need(const Rollout *r, const RolloutShape *shape, size_t members, size_t outputs) {
    const size_t rows = rows_of(shape);
    const size_t s = r->environment->state_dim;
    const size_t a = r->environment->action_dim;
    const size_t f = r->environment->feature_dim;
    const size_t tile = shape->tile;
    return 2 * arena_need(rows * s, sizeof(float)) + arena_need(rows, sizeof(double)) +
           2 * arena_need(rows, 1) + arena_need(rows, sizeof(uint32_t)) +
           arena_need(members + 1, sizeof(size_t)) +
           arena_need(shape->particles, sizeof(uint32_t)) +
           2 * arena_need(tile * s, sizeof(float)) + 2 * arena_need(tile * outputs, sizeof(float)) +
           arena_need(tile * a, sizeof(float)) + arena_need(tile * (f + a), sizeof(float)) +
           arena_need(tile, sizeof(float)) + arena_need(tile, 1);
}

static Status take_all(Rollout *r) {
    const size_t rows = rows_of(&r->shape);
    const size_t s = r->environment->state_dim;
    const size_t a = r->environment->action_dim;
    const size_t f = r->environment->feature_dim;
    const size_t tile = r->shape.tile;
    Arena       *arena = &r->arena;
    TRY(ARENA_TAKE(arena, float, rows *s, &r->state));
    TRY(ARENA_TAKE(arena, float, rows *s, &r->noise));
    TRY(ARENA_TAKE(arena, double, rows, &r->total));
    TRY(ARENA_TAKE(arena, unsigned char, rows, &r->ended));
    TRY(ARENA_TAKE(arena, unsigned char, rows, &r->member));
    TRY(ARENA_TAKE(arena, uint32_t, rows, &r->order));
    TRY(ARENA_TAKE(arena, size_t, r->members + 1, &r->start));
    TRY(ARENA_TAKE(arena, uint32_t, r->shape.particles, &r->cards));
    TRY(ARENA_TAKE(arena, float, tile *s, &r->tile.state));
    TRY(ARENA_TAKE(arena, float, tile * r->outputs, &r->tile.mean));
    TRY(ARENA_TAKE(arena, float, tile * r->outputs, &r->tile.sd));
    TRY(ARENA_TAKE(arena, float, tile *s, &r->tile.next));
    TRY(ARENA_TAKE(arena, float, tile *a, &r->tile.action));
    TRY(ARENA_TAKE(arena, float, tile *(f + a), &r->tile.input));
    TRY(ARENA_TAKE(arena, float, tile, &r->tile.reward));
    return ARENA_TAKE(arena, unsigned char, tile, &r->tile.ended);
}

Status rollout_reserve(Rollout *rollout, const RolloutShape *shape, const DynamicsModelOps *model,
                       const void *model_self) {
    const size_t members = model->members(model_self);
    const size_t outputs =
        (model->outputs != NULL) ? model->outputs(model_self) : rollout->environment->state_dim;
    if (shape->candidates > UINT32_MAX / shape->particles) {
        FAIL(STATUS_ERR_RANGE, "rollout: %zu candidates x %zu particles are too many rows",
             shape->candidates, shape->particles);
    }
    const size_t bytes =
        need(rollout, shape, members, outputs) + model->predict_scratch(model_self, shape->tile);
    if (bytes > rollout->arena.capacity) {
        Arena larger;
        TRY(arena_init(&larger, bytes));
        arena_reset(&rollout->arena);
        rollout->arena = larger;
    }
    arena_release(&rollout->arena, 0);
    rollout->shape = *shape;
    rollout->members = members;
    rollout->outputs = outputs;
    return take_all(rollout);
}

/* each candidate's particles are dealt to the members anew, the same number to each */
static void deal_per_candidate(Rollout *r, Rng *rng) {
    const size_t particles = r->shape.particles;
    const size_t candidates = r->shape.candidates;
    for (size_t c = 0; c < candidates; c++) {
        for (size_t p = 0; p < particles; p++) {
            r->cards[p] = (uint32_t)(p * r->members / particles);
        }
        for (size_t p = particles; p > 0; p--) {
            /* 32 random bits times p <= 1000: the bias is below 1e-6 */
            const size_t   j = (size_t)(((uint64_t)rng_u32(rng) * p) >> 32);
            const uint32_t drawn = r->cards[j];
            r->cards[j] = r->cards[p - 1];
            r->member[(p - 1) * candidates + c] = (unsigned char)drawn;
        }
    }
}

static void deal_over_all(Rollout *r, Rng *rng) {
    const size_t rows = rows_of(&r->shape);
    for (size_t i = 0; i < rows; i++) {
        r->member[i] = (unsigned char)(i % r->members);
    }
    for (size_t i = rows; i > 1; i--) {
        const size_t        j = (size_t)rng_below(rng, i);
        const unsigned char swapped = r->member[i - 1];
        r->member[i - 1] = r->member[j];
        r->member[j] = swapped;
    }
}

/* who predicts which row at `time` */
static void assign_members(Rollout *r, const RolloutTask *task, size_t time) {
    const bool balanced = r->shape.particles % r->members == 0;
    const bool fixed = r->shape.propagation == PROPAGATION_TSINF;
    if (fixed && time > 0) {
        return;
    }
    if (fixed && balanced) {
        for (size_t i = 0; i < rows_of(&r->shape); i++) {
            const size_t p = i / r->shape.candidates;
            r->member[i] = (unsigned char)(p * r->members / r->shape.particles);
        }
        return;
    }
    const size_t lane = 2 * (task->iteration * r->shape.horizon + time) + 1;
    Rng          rng = rng_stream_lane(task->seed, task->step, RNG_PLAN_PARTICLES, (uint32_t)lane);
    if (balanced) {
        deal_per_candidate(r, &rng);
    } else {
        deal_over_all(r, &rng);
    }
}

/* counting sort of the live rows by member */
static void group_rows(Rollout *r) {
    const size_t rows = rows_of(&r->shape);
    size_t       next[UCHAR_MAX + 1] = {0};
    for (size_t i = 0; i < rows; i++) {
        next[r->member[i]] += !r->ended[i];
    }
    size_t first = 0;
    for (size_t m = 0; m < r->members; m++) {
        const size_t count = next[m];
        r->start[m] = first;
        next[m] = first;
        first += count;
    }
    r->start[r->members] = first;
    for (size_t i = 0; i < rows; i++) {
        if (!r->ended[i]) {
            r->order[next[r->member[i]]++] = (uint32_t)i;
        }
    }
}

static void copy_floats(float *out, const float *in, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = in[i];
    }
}

/* states, actions and model inputs of the tile's rows */
static void gather_tile(Rollout *r, const float *actions, const uint32_t *rows, size_t n) {
    const EnvironmentOps *env = r->environment;
    const size_t          s = env->state_dim;
    const size_t          a = env->action_dim;
    const size_t          inputs = env->feature_dim + a;
    for (size_t j = 0; j < n; j++) {
        copy_floats(r->tile.state + j * s, r->state + rows[j] * s, s);
        copy_floats(r->tile.action + j * a, actions + rows[j] % r->shape.candidates * a, a);
        copy_floats(r->tile.input + j * inputs + env->feature_dim, r->tile.action + j * a, a);
    }
    env->features(r->tile.state, n, r->tile.input, inputs);
}

/* next = state or 0, + mean + sd noise */
static void sample_tile(Rollout *r, const uint32_t *rows, size_t n) {
    const size_t s = r->environment->state_dim;
    const bool  *absolute = r->environment->target_absolute;
    for (size_t j = 0; j < n; j++) {
        const float *noise = r->noise + rows[j] * s;
        for (size_t d = 0; d < s; d++) {
            const size_t k = j * s + d;
            const size_t out = j * r->outputs + d;
            const float  target = r->tile.mean[out] + r->tile.sd[out] * noise[d];
            const bool   whole = absolute != NULL && absolute[d];
            r->tile.next[k] = whole ? target : r->tile.state[k] + target;
        }
    }
}

/* adds rewards, moves the rows on */
static void settle_tile(Rollout *r, const uint32_t *rows, size_t n) {
    const EnvironmentOps *env = r->environment;
    const size_t          s = env->state_dim;
    env->rewards(r->tile.state, r->tile.action, r->tile.next, n, r->tile.reward);
    if (env->terminated != NULL) {
        env->terminated(r->tile.next, n, r->tile.ended);
    } else {
        memset(r->tile.ended, 0, n);
    }
    for (size_t j = 0; j < n; j++) {
        r->total[rows[j]] += (double)r->tile.reward[j];
        r->ended[rows[j]] = r->tile.ended[j];
        copy_floats(r->state + rows[j] * s, r->tile.next + j * s, s);
    }
}

/* moves the live rows of member m by one step, a tile at a time */
static Status advance_member(Rollout *r, const RolloutTask *task, const float *actions, size_t m) {
    const size_t inputs = r->environment->feature_dim + r->environment->action_dim;
    for (size_t first = r->start[m]; first < r->start[m + 1]; first += r->shape.tile) {
        const size_t    left = r->start[m + 1] - first;
        const size_t    n = (left < r->shape.tile) ? left : r->shape.tile;
        const uint32_t *rows = r->order + first;
        gather_tile(r, actions, rows, n);
        TRY(task->model->predict(task->model_self, m, r->tile.input, inputs, n, r->tile.mean,
                                 r->tile.sd, &r->arena));
        sample_tile(r, rows, n);
        settle_tile(r, rows, n);
    }
    return STATUS_OK;
}

static Status advance(Rollout *r, const RolloutTask *task, size_t time) {
    const size_t a = r->environment->action_dim;
    const float *actions = task->actions + time * r->shape.candidates * a;
    const size_t lane = 2 * (task->iteration * r->shape.horizon + time);
    Rng          rng = rng_stream_lane(task->seed, task->step, RNG_PLAN_PARTICLES, (uint32_t)lane);

    assign_members(r, task, time);
    group_rows(r);
    rng_fill_normal(&rng, r->noise, rows_of(&r->shape) * r->environment->state_dim);
    for (size_t m = 0; m < r->members; m++) {
        TRY(advance_member(r, task, actions, m));
    }
    return STATUS_OK;
}

Status rollout_evaluate(Rollout *rollout, const RolloutTask *task, double *returns) {
    const size_t rows = rows_of(&rollout->shape);
    const size_t s = rollout->environment->state_dim;
    if (2 * (task->iteration + 1) * rollout->shape.horizon > MAX_LANES) {
        FAIL(STATUS_ERR_RANGE, "rollout: iteration %zu at horizon %zu exceeds the random streams",
             task->iteration, rollout->shape.horizon);
    }
    for (size_t i = 0; i < rows; i++) {
        for (size_t d = 0; d < s; d++) {
            rollout->state[i * s + d] = (float)task->state[d];
        }
    }
    memset(rollout->total, 0, rows * sizeof *rollout->total);
    memset(rollout->ended, 0, rows);
    for (size_t time = 0; time < rollout->shape.horizon; time++) {
        TRY(advance(rollout, task, time));
    }
    const size_t candidates = rollout->shape.candidates;
    for (size_t c = 0; c < candidates; c++) {
        double sum = 0.0;
        for (size_t i = c; i < rows; i += candidates) {
            sum += rollout->total[i];
        }
        returns[c] = sum / (double)rollout->shape.particles;
    }
    return STATUS_OK;
}
