/** @file rollout_internal.h  The learned model's back end, shared by its files only.
 *
 * rollout.c          memory, and a horizon's steps one after another
 * rollout_members.c  who predicts which row (TS1, TSinf), and the order in which rows go by
 * rollout_moments.c  all members at once: E, DS, MM
 * rollout_tile.c     what is done to a tile of rows
 *
 * Row p * candidates + c is particle p of candidate c.
 */
#ifndef MBRL_PLANNERS_ROLLOUT_INTERNAL_H
#define MBRL_PLANNERS_ROLLOUT_INTERNAL_H

#include "core/arena.h"
#include "mbrl/planners/backend.h"

enum { ROLLOUT_PERIOD = 16 }; /* rows of `kept`, a whole number of vectors of any length */

/** One tile of rows: n = its rows, o = outputs of the model. */
typedef struct RolloutTile {
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

typedef struct Rollout {
    const EnvironmentOps *environment;
    RolloutShape          shape;
    size_t                members;
    size_t                outputs;    /* s, and 1 if the reward is learned */
    size_t                candidates; /* of the evaluation under way */
    size_t                particles;
    bool                  expired;
    Arena                 arena;
    float                *state;  /* (rows, s) */
    float                *noise;  /* (rows, s) standard normal */
    double               *total;  /* (rows) return so far */
    unsigned char        *ended;  /* (rows) terminated before */
    unsigned char        *member; /* (rows) who predicts the row */
    uint32_t             *order;  /* (rows) live rows, grouped by member */
    size_t               *start;  /* (members + 1) of each group in `order` */
    uint32_t             *cards;  /* (particles) permutation of one candidate */
    float                *mean;   /* (rows, o) E, DS, MM: of the members' means */
    float                *spread; /* (rows, o) likewise: sum of variances and squared deviations */
    float                *moved;  /* (rows, s) MM: next states before they are matched */
    RolloutTile           tile;
} Rollout;

static inline size_t rollout__rows(const Rollout *r) {
    return r->candidates * r->particles;
}

static inline bool rollout__takes_members(const Rollout *r) {
    return r->shape.propagation == PROPAGATION_TS1 || r->shape.propagation == PROPAGATION_TSINF;
}

/* rollout.c: has the deadline passed? Sets r->expired, after which no loop goes on. */
bool rollout__expired(Rollout *r, const RolloutTask *task);

/* rollout_members.c */
/** Who predicts which row at `time`. */
void rollout__assign_members(Rollout *r, const RolloutTask *task, size_t time);
/** Live rows into r->order, grouped by member; within a group by row, or (`by_candidate`) with a
 * candidate's particles side by side. */
void rollout__group_rows(Rollout *r, bool by_candidate);
/** Live rows into r->order, ascending; @return their number */
size_t rollout__list_rows(Rollout *r);

/* rollout_tile.c; rows are n <= tile row numbers, `actions` (c, a) those of the time step */
/** States and actions of the rows into the tile. */
void rollout__gather(Rollout *r, const float *actions, const uint32_t *rows, size_t n);
/** tile.mean and tile.sd of a member for the tile's states and actions. */
Status rollout__predict(Rollout *r, const PlanTask *plan, size_t member, size_t n) MUST_USE;
/** tile.next = state or 0, + mean + sd noise, from row from[j] (NULL: j) of `mean` and `sd`. */
void rollout__sample(Rollout *r, const uint32_t *rows, const uint32_t *from, size_t n);
/** Adds rewards, notes terminations and moves the rows on to tile.next. `learned` is (., o) means
 * whose row from[j] (NULL: j) ends in the reward; NULL = ask the environment. */
void rollout__settle(Rollout *r, const uint32_t *rows, const float *learned, const uint32_t *from,
                     size_t n);

/* rollout_moments.c */
/** One step of E, DS or MM. */
Status rollout__advance_moments(Rollout *r, const RolloutTask *task, const float *actions,
                                size_t time) MUST_USE;

#endif
