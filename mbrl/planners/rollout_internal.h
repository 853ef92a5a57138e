/** @file rollout_internal.h  The learned model's back end, shared by its files only.
 *
 * rollout.c          a horizon's steps one after another
 * rollout_memory.c   room for a shape
 * rollout_members.c  who predicts which row (TS1, TSinf), and the order in which rows go by
 * rollout_moments.c  all members at once: E, DS, MM
 * rollout_tile.c     what is done to a tile of rows
 *
 * Row p * candidates + c is particle p of candidate c.
 *
 * Threads: what a time step draws and who predicts what is decided by one; then the rows go by in
 * tiles, which threads take as they are free. A tile's rows belong to its thread alone until the
 * step is over, and what a row becomes does not depend on the tile that it is in.
 */
#ifndef MBRL_PLANNERS_ROLLOUT_INTERNAL_H
#define MBRL_PLANNERS_ROLLOUT_INTERNAL_H

#include "core/arena.h"
#include "core/thread_pool.h"
#include "mbrl/planners/backend.h"

#include <stdatomic.h>

enum {
    ROLLOUT_TILE = 256,      /* see rollout.c */
    ROLLOUT_PERIOD = 16,     /* rows of `kept`, a whole number of vectors of any length */
    ROLLOUT_FEWEST_ROWS = 64 /* tiles are not made smaller than this for the sake of threads: a
                                block of lanes (lane_gemm.h) */
};

/** What one thread works with: a tile of n rows, o = outputs of the model. */
typedef struct RolloutTile {
    Arena          arena;  /* all below, and the model's scratch */
    uint32_t      *kept;   /* (ROLLOUT_PERIOD, s) all bits where a change is predicted, else none */
    float         *state;  /* (n, s) */
    float         *action; /* (n, a) */
    float         *input;  /* (n, f + a) */
    float         *mean;   /* (n, o) */
    float         *sd;     /* (n, o) */
    float         *next;   /* (n, s) */
    float         *reward; /* (n) */
    unsigned char *ended;  /* (n) */
    uint32_t      *leader; /* (n) rows that are predicted for others, too */
    uint32_t      *from;   /* (n) prediction of the tile that a row is sampled from */
} RolloutTile;

/** Rows that one call of the model predicts: order[first] to order[first + count - 1]. */
typedef struct RolloutSpan {
    size_t member;
    size_t first;
    size_t count; /* at most a tile; at time 0 the rows that a tile of leaders stands for */
} RolloutSpan;

typedef struct Rollout {
    const EnvironmentOps *environment;
    RolloutShape          shape;
    size_t                members;
    size_t                outputs;    /* s, and 1 if the reward is learned */
    size_t                candidates; /* of the evaluation under way */
    size_t                particles;
    size_t                tile; /* rows predicted in one call at most; set before reserve() it
                                   changes the speed, never the result */
    size_t         chunk;       /* `tile`, or less, so that every thread gets some */
    atomic_bool    expired;     /* set by whichever thread sees it */
    ThreadPool    *pool;        /* of the plan under way; NULL = one thread */
    Arena          arena;
    float         *state;  /* (rows, s) */
    float         *noise;  /* (rows, s) standard normal */
    double        *total;  /* (rows) return so far */
    unsigned char *ended;  /* (rows) terminated before */
    unsigned char *member; /* (rows) who predicts the row */
    uint32_t      *order;  /* (rows) live rows, grouped by member */
    size_t        *start;  /* (members + 1) of each group in `order` */
    uint32_t      *cards;  /* (particles) permutation of one candidate */
    RolloutSpan   *spans;  /* (span_count) of the time step under way */
    size_t         span_count;
    float         *mean;   /* (rows, o) E, DS, MM: of the members' means */
    float         *spread; /* (rows, o) likewise: sum of variances and squared deviations */
    float         *moved;  /* (rows, s) MM: next states before they are matched */
    RolloutTile   *tiles;  /* (tile_count), one per thread */
    size_t         tile_count;
} Rollout;

/** One time step, as the threads see it. */
typedef struct RolloutStep {
    Rollout           *rollout;
    const RolloutTask *task;
    const float       *actions; /* (c, a) */
    size_t             time;
    /* rollout_moments.c */
    size_t member; /* who predicts */
    size_t count;  /* rows of the order that are dealt with */
    size_t period; /* row i was predicted as row i % period */
} RolloutStep;

static inline size_t rollout__rows(const Rollout *r) {
    return r->candidates * r->particles;
}

static inline bool rollout__takes_members(const Rollout *r) {
    return r->shape.propagation == PROPAGATION_TS1 || r->shape.propagation == PROPAGATION_TSINF;
}

/* rollout.c: has the deadline passed? Sets r->expired, after which no loop goes on. */
bool rollout__expired(Rollout *r, const RolloutTask *task);

/* rollout_memory.c */
/** PlannerBackend.reserve */
Status rollout__reserve(void *self, const RolloutShape *shape, const PlanTask *task) MUST_USE;
void   rollout__release(Rollout *r);

/* rollout_members.c */
/** Who predicts which row at `time`. */
void rollout__assign_members(Rollout *r, const RolloutTask *task, size_t time);
/** Live rows into r->order, grouped by member; within a group by row, or (`by_candidate`) with a
 * candidate's particles side by side. */
void rollout__group_rows(Rollout *r, bool by_candidate);
/** The groups of r->order into r->spans, a tile at a time; `by_candidate` as it was grouped: then a
 * span's first rows of each candidate, its leaders, are a tile. */
void rollout__list_spans(Rollout *r, bool by_candidate);
/** Live rows into r->order, ascending; @return their number */
size_t rollout__list_rows(Rollout *r);

/* rollout_tile.c; rows are n <= tile row numbers, `actions` (c, a) those of the time step */
/** States and actions of the rows into the tile. */
void rollout__gather(const Rollout *r, RolloutTile *tile, const float *actions,
                     const uint32_t *rows, size_t n);
/** tile.mean and tile.sd of a member for the tile's states and actions. */
Status rollout__predict(const Rollout *r, RolloutTile *tile, const PlanTask *plan, size_t member,
                        size_t n) MUST_USE;
/** tile.next = state or 0, + mean + sd noise, from row from[j] (NULL: j) of `mean` and `sd`. */
void rollout__sample(const Rollout *r, RolloutTile *tile, const uint32_t *rows,
                     const uint32_t *from, size_t n);
/** Adds rewards, notes terminations and moves the rows on to tile.next. A learned reward is the
 * last of row from[j] (NULL: j) of tile.mean; others are asked of the environment. */
void rollout__settle(Rollout *r, RolloutTile *tile, const uint32_t *rows, const uint32_t *from,
                     size_t n);

/* rollout_moments.c */
/** One step of E, DS or MM. */
Status rollout__advance_moments(RolloutStep *step) MUST_USE;

#endif
