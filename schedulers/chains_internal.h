/** @file chains_internal.h  The state of schedulers over chains, shared by chains*.c. */
#ifndef SCHEDULERS_CHAINS_INTERNAL_H
#define SCHEDULERS_CHAINS_INTERNAL_H

#include "schedulers/chains.h"
#include "schedulers/point_queue.h"
#include "schedulers/segment_tree.h"

typedef enum ConfigurationState {
    CONFIGURATION_OPEN,
    CONFIGURATION_PAUSED,
    CONFIGURATION_ENDED,
} ConfigurationState;

typedef struct Configuration {
    uint32_t           rung; /* index of the depth that it is trained to */
    ConfigurationState state;
    int64_t            waiting; /* chains that neither reached the rung nor failed, begun or not */
    bool               failed;  /* one of its chains did, or its objective is not a number */
} Configuration;

/* one sampler and the rung whose results it is told */
typedef struct Level {
    Sampler sampler;
    int64_t results; /* told that did not fail */
} Level;

typedef struct Chains {
    SchedulerSetup   setup;
    SegmentTree      tree;
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

    Configuration *configurations; /* (count) */
    double        *sums;           /* (count, stride) losses and constraints at the rung, cost */
    size_t         stride;
    int64_t        count;
    size_t         capacity;
    int64_t       *ready; /* (ready_count) trials whose chain can go on now, ascending */
    size_t         ready_count;
    size_t         ready_capacity;
    int64_t        reserved; /* units that open chains need to reach their rung */

    double *mean;   /* (stride) scratch of observe() */
    double *before; /* (stride) likewise */
} Chains;

/* what stands before a sampler's memo in a decision's */
typedef struct MemoHeader {
    uint64_t level; /* whose sampler proposed */
} MemoHeader;

_Static_assert(PROPOSAL_MEMO_BYTES + sizeof(MemoHeader) <= SCHEDULER_MEMO_BYTES, "memo has room");

static inline int64_t chains__units_left(const Chains *chains) {
    return chains->setup.total - chains->tree.units;
}

/* newest segment of a trial, NULL if it has none */
static inline const SegmentNode *chains__newest(const Chains *chains, int64_t trial) {
    return segment_tree_at(&chains->tree, segment_tree_last(&chains->tree, trial));
}

#endif
