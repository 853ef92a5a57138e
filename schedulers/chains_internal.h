/** @file chains_internal.h  The state of schedulers over chains, shared by chains*.c. */
#ifndef SCHEDULERS_CHAINS_INTERNAL_H
#define SCHEDULERS_CHAINS_INTERNAL_H

#include "schedulers/chains.h"
#include "schedulers/point_queue.h"
#include "schedulers/segment_tree.h" /* segment_violation(), reasons, most trials */

/* A chain is a trial: its segments follow one another, at most one is open, and all have the values
 * of the configuration. So what is known of the newest one is enough, and memory per segment is
 * which trial it is of (docs/decisions.md, "Bytes per segment"). */
typedef struct Chain {
    int64_t last;   /* newest segment */
    int64_t parent; /* the one before; 0 = none */
    int64_t end;    /* of the newest: units from the root */
    bool    open;   /* it has not ended yet */
} Chain;

typedef enum ConfigurationState {
    CONFIGURATION_OPEN,
    CONFIGURATION_PAUSED,
    CONFIGURATION_ENDED,
} ConfigurationState;

enum { NO_ROW = 0 };

typedef struct Configuration {
    uint32_t waiting; /* chains that neither reached the rung nor failed, begun or not */
    uint32_t row;     /* 1 + its row of values and sums; NO_ROW once it has ended */
    uint16_t rung;    /* index of the depth that it is trained to */
    uint8_t  state;   /* ConfigurationState */
    bool     failed;  /* one of its chains did, or its objective is not a number */
} Configuration;

/* one sampler and the rung whose results it is told */
typedef struct Level {
    Sampler sampler;
    int64_t results; /* told that did not fail */
} Level;

typedef struct Chains {
    SchedulerSetup   setup;
    PointQueue       enqueued;
    const BudgetOps *budget;
    void            *budget_self;
    int64_t         *rungs; /* (rung_count) depths, ascending */
    size_t           rung_count;
    LearnFrom        learn_from;
    double           random_fraction;
    Level           *levels; /* (level_count) one, or one per rung */
    size_t           level_count;
    int64_t          segment; /* units of one segment */

    size_t         values;         /* per point */
    Configuration *configurations; /* (count) */
    int64_t        count;
    size_t         capacity;
    Chain         *chains; /* (trials) */
    size_t         trials;
    size_t         chain_capacity;
    int32_t       *trial_of; /* (segments) by segment id - 1 */
    size_t         segments;
    size_t         segment_capacity;
    size_t         open;     /* segments that are decided, not finished */
    size_t         finished; /* segments */
    int64_t        units;    /* decided so far, failed segments included */
    double *rows; /* (row_capacity, stride + values) of configurations that have not ended: losses
                     and constraints at the rung, cost, values of its point */
    size_t    stride;
    uint32_t *free_rows; /* (free_count) */
    size_t    free_count;
    size_t    row_capacity;
    int64_t  *ready; /* (ready_count) trials whose chain can go on now, ascending */
    size_t    ready_count;
    size_t    ready_capacity;
    int64_t   reserved; /* units that open chains need to reach their rung */

    double *mean;   /* (stride) scratch of observe() */
    double *before; /* (stride) likewise */
} Chains;

/* what stands before a sampler's memo in a decision's */
typedef struct MemoHeader {
    uint64_t level; /* whose sampler proposed */
} MemoHeader;

_Static_assert(PROPOSAL_MEMO_BYTES + sizeof(MemoHeader) <= SCHEDULER_MEMO_BYTES, "memo has room");

static inline int64_t chains__units_left(const Chains *chains) {
    return chains->setup.total - chains->units;
}

/* (stride) sums of a configuration that has not ended */
static inline double *chains__sums(const Chains *chains, int64_t configuration) {
    const size_t row = chains->configurations[configuration].row;
    return chains->rows + (row - 1) * (chains->stride + chains->values);
}

/* (values) its point */
static inline double *chains__point(const Chains *chains, int64_t configuration) {
    return chains__sums(chains, configuration) + chains->stride;
}

#endif
