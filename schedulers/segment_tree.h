/** @file segment_tree.h  What was decided and what came back: the record every scheduler stands on.
 *
 * Segments are appended in the order of their ids and changed once, when they finish. Only
 * segment_tree_observe() writes; everything else reads. Besides the parent of a segment two older
 * segments are linked to it, the one before of the same trial and the one before that ends at a
 * like depth, so that the questions a scheduler asks are answered by short walks.
 */
#ifndef SCHEDULERS_SEGMENT_TREE_H
#define SCHEDULERS_SEGMENT_TREE_H

#include "schedulers/scheduler.h"
#include "schedulers/smoother.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEGMENT_TREE_MAX_TRIALS = 1 << 24 };

typedef enum NodeState { NODE_OPEN, NODE_FINISHED, NODE_FAILED } NodeState;

/* Why a segment goes back to an older one: to move its values in the next direction that was not
 * tried from there, or to draw them anew, which uses up no direction. Both begin alike. */
#define REASON_BACKTRACK          "backtrack"
#define REASON_BACKTRACK_RESAMPLE "backtrack_resample"

typedef struct SegmentNode {
    int64_t id;
    int64_t parent;    /* 0 = fresh agent */
    int64_t trial;     /* whose segment it is; its parent may be another trial's */
    int64_t begin;     /* units from the root */
    int64_t end;       /* units from the root: the depth of the segment */
    int64_t previous;  /* segment before this one of the same trial; 0 = none */
    int64_t same_end;  /* segment before this one whose end / `segment` rounds up alike; 0 = none */
    int64_t continued; /* finished child with the same values, the newest; 0 = none */
    int64_t directions; /* of its permutation that restores took (REASON_BACKTRACK) */
    double  fitness;    /* scheduler_fitness(); -INFINITY until finished */
    Worth   worth;      /* fitness without noise; the fitness itself where nothing is smoothed */
    double  spread;     /* standard deviation inside the segment; NaN if not known */
    double  violation;  /* of the constraints: 0 = feasible, INFINITY for NaN or unfinished */
    double  cost;       /* along the lineage, itself included; what is not known counts 0 */
    double  evaluated;  /* fitness by its evaluation; NaN until then, -INFINITY if that failed */
    int64_t evaluation; /* that was decided of it, the newest; 0 = none */
    NodeState state;
    Outcome   outcome;
} SegmentNode;

typedef struct SegmentTree {
    const SchedulerSetup *setup;    /* borrowed */
    Smoother             *smoother; /* borrowed; NULL: results count as they are */
    size_t                values;   /* per point */
    int64_t               first_id; /* of the first segment */
    int64_t               first_trial;
    size_t                count;
    size_t                open;  /* decided, not finished */
    int64_t               units; /* decided so far, failed segments included */
    size_t                finished;
    SegmentNode          *nodes;  /* (count) */
    double               *points; /* (count, values) */
    size_t                capacity;
    int64_t              *last; /* (trials) newest segment of a trial; 0 = none */
    int64_t              *best; /* (trials) best finished segment of a trial; 0 = none */
    size_t                trials;
    size_t                trial_capacity;
    int64_t              *depth_head; /* (depths) newest segment that ends at depth index i */
    size_t                depths;
    int64_t              *evaluated; /* (evaluations) segment that evaluation i + 1 is of */
    size_t                evaluations;
    size_t                evaluation_capacity;
    size_t                evaluations_open;
} SegmentTree;

/** Empty tree; allocates nothing. `setup` is borrowed. Ids and trials count from those given. */
void segment_tree_init(SegmentTree *tree, const SchedulerSetup *setup, int64_t first_id,
                       int64_t first_trial);
/** Frees the memory; the tree is empty. Harmless on a zeroed one. */
void segment_tree_reset(SegmentTree *tree);

/** Makes room for a decision, so that observing it cannot fail. @return STATUS_OK,
 * STATUS_ERR_NOMEM, STATUS_ERR_ARG for a trial beyond SEGMENT_TREE_MAX_TRIALS; the tree is
 * unchanged in what it says */
Status segment_tree_reserve(SegmentTree *tree, const Decision *decision) MUST_USE;
/**
 * Appends a decided run or evaluation and closes a finished one; other events change nothing. The
 * event must be possible (scheduler.c checks that).
 * @return STATUS_OK; STATUS_ERR_NOMEM (never after segment_tree_reserve()); STATUS_ERR_STATE for a
 * finished segment or evaluation that is not open
 */
Status segment_tree_observe(SegmentTree *tree, const Event *event) MUST_USE;

/** The segment of that id, or NULL. */
const SegmentNode *segment_tree_at(const SegmentTree *tree, int64_t id);
/** Its values, (values); NULL if there is none. */
const double *segment_tree_point(const SegmentTree *tree, int64_t id);
/** Newest segment of a trial (0 = none). */
int64_t segment_tree_last(const SegmentTree *tree, int64_t trial);
/** Best finished segment of a trial by segment_node_compare(), the earliest of equals (0 = none).
 */
int64_t segment_tree_best(const SegmentTree *tree, int64_t trial);
/** Newest segment whose end is in the same step of `segment` units as `end` (0 = none); the next
 * ones are found through same_end. Compare `end` itself: shortened segments share the step. */
int64_t segment_tree_at_depth(const SegmentTree *tree, int64_t end);

/** Has a result that can be ranked: finished, and its objective is a finite number. */
bool segment_node_usable(const SegmentNode *node);
/**
 * > 0 if `a` is the better result, < 0 if `b` is, 0 if they are equal: usable before not usable,
 * then the smaller violation, then the larger worth. NaN is never better than anything.
 */
int segment_node_compare(const SegmentNode *a, const SegmentNode *b);
/** How far constraints are missed: the sum of the excesses, each divided by |bound| where that is
 * above 0; 0 = feasible; INFINITY for NaN. */
double segment_violation(const SchedulerSetup *setup, const double *constraints);

#endif
