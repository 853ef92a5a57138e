/* Room for a shape. What belongs to the rows lies in one block; each thread has a block of its own
 * for the tile that it works on and the model's scratch, so that no two write to one cache line.
 */
#include "mbrl/planners/rollout_internal.h"

#include <stdlib.h>

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

static Sizes sizes_of(const Rollout *r, const RolloutShape *shape, size_t members) {
    const EnvironmentOps *environment = r->environment;
    const size_t          particles = rollout_particles(shape->propagation, shape->particles);
    const size_t          rows = shape->candidates * particles;
    const bool            one = shape->propagation == PROPAGATION_TS1 || /* one member at a time */
                     shape->propagation == PROPAGATION_TSINF;
    return (Sizes){.rows = rows,
                   .s = environment->state_dim,
                   .a = environment->action_dim,
                   .f = environment->feature_dim,
                   .o = environment->state_dim + (shape->learned_reward ? 1 : 0),
                   .tile = r->tile,
                   .members = members,
                   .particles = particles,
                   .moments = one ? 0 : rows,
                   .matched = shape->propagation == PROPAGATION_MM ? rows : 0};
}

/* spans of a time step at most, whatever the groups' sizes and the rows of a tile */
static size_t most_spans(const Sizes *z) {
    const size_t chunk = z->tile < ROLLOUT_FEWEST_ROWS ? z->tile : ROLLOUT_FEWEST_ROWS;
    return z->rows / chunk + z->members;
}

/* bytes of the arena, in the order of take_rows() */
static size_t rows_need(const Sizes *z) {
    return 2 * arena_need(z->rows * z->s, sizeof(float)) + arena_need(z->rows, sizeof(double)) +
           2 * arena_need(z->rows, 1) + arena_need(z->rows, sizeof(uint32_t)) +
           arena_need(z->members + 1, sizeof(size_t)) + arena_need(z->particles, sizeof(uint32_t)) +
           arena_need(most_spans(z), sizeof(RolloutSpan)) +
           2 * arena_need(z->moments * z->o, sizeof(float)) +
           arena_need(z->matched * z->s, sizeof(float));
}

/* bytes of a tile's arena, in the order of take_tile() */
static size_t tile_need(const Sizes *z) {
    return 2 * arena_need(z->tile * z->s, sizeof(float)) +
           2 * arena_need(z->tile * z->o, sizeof(float)) +
           arena_need(z->tile * z->a, sizeof(float)) +
           arena_need(z->tile * (z->f + z->a), sizeof(float)) + arena_need(z->tile, sizeof(float)) +
           arena_need(z->tile, 1) + 2 * arena_need(z->tile, sizeof(uint32_t)) +
           arena_need(ROLLOUT_PERIOD * z->s, sizeof(uint32_t));
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
    TRY(ARENA_TAKE(arena, RolloutSpan, most_spans(z), &r->spans));
    TRY(ARENA_TAKE(arena, float, z->moments * z->o, &r->mean));
    TRY(ARENA_TAKE(arena, float, z->moments * z->o, &r->spread));
    return ARENA_TAKE(arena, float, z->matched * z->s, &r->moved);
}

static Status take_tile(RolloutTile *tile, const bool *absolute, const Sizes *z) {
    Arena *arena = &tile->arena;
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
    for (size_t i = 0; i < ROLLOUT_PERIOD * z->s; i++) {
        tile->kept[i] = (absolute != NULL && absolute[i % z->s]) ? 0 : UINT32_MAX;
    }
    return STATUS_OK;
}

/* an empty arena of at least `bytes` */
static Status make_room(Arena *arena, size_t bytes) {
    if (bytes > arena->capacity) {
        Arena larger;
        TRY(arena_init(&larger, bytes));
        arena_reset(arena);
        *arena = larger;
    }
    arena_release(arena, 0);
    return STATUS_OK;
}

static void release_tiles(Rollout *r) {
    for (size_t i = 0; i < r->tile_count; i++) {
        arena_reset(&r->tiles[i].arena);
    }
    free(r->tiles);
    r->tiles = NULL;
    r->tile_count = 0;
}

/* one tile per thread, none of them with room yet */
static Status make_tiles(Rollout *r, size_t threads) {
    if (threads == r->tile_count) {
        return STATUS_OK;
    }
    release_tiles(r);
    r->tiles = calloc(threads, sizeof *r->tiles);
    if (r->tiles == NULL) {
        FAIL(STATUS_ERR_NOMEM, "rollout: no memory for %zu threads", threads);
    }
    r->tile_count = threads;
    return STATUS_OK;
}

void rollout__release(Rollout *r) {
    arena_reset(&r->arena);
    release_tiles(r);
}

Status rollout__reserve(void *self, const RolloutShape *shape, const PlanTask *task) {
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
    const Sizes  sizes = sizes_of(r, shape, members);
    const size_t outputs = task->model->outputs(task->model_self);
    if (outputs != sizes.o) {
        FAIL(STATUS_ERR_SHAPE, "rollout: the model predicts %zu numbers, expected %zu", outputs,
             sizes.o);
    }
    const size_t scratch = task->model->predict_scratch(task->model_self, r->tile);
    TRY(make_room(&r->arena, rows_need(&sizes)));
    TRY(make_tiles(r, thread_pool_threads(task->pool)));
    r->shape = *shape;
    r->members = members;
    r->outputs = sizes.o;
    r->particles = sizes.particles;
    TRY(take_rows(r, &sizes));
    for (size_t i = 0; i < r->tile_count; i++) {
        TRY(make_room(&r->tiles[i].arena, tile_need(&sizes) + scratch));
        TRY(take_tile(&r->tiles[i], r->environment->target_absolute, &sizes));
    }
    return STATUS_OK;
}
