#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void segment_tree_init(SegmentTree *tree, const SchedulerSetup *setup, int64_t first_id,
                       int64_t first_trial) {
    *tree = (SegmentTree){.setup = setup,
                          .values = space_count(setup->space),
                          .first_id = first_id,
                          .first_trial = first_trial};
}

void segment_tree_reset(SegmentTree *tree) {
    free(tree->nodes);
    free(tree->points);
    free(tree->last);
    free(tree->best);
    free(tree->depth_head);
    free(tree->evaluated);
    *tree = (SegmentTree){.nodes = NULL};
}

/* ---- memory -------------------------------------------------------------------------------- */

static size_t grown(size_t capacity, size_t needed) {
    size_t size = (capacity == 0) ? 64 : capacity;
    while (size < needed) {
        size *= 2;
    }
    return size;
}

static Status grow_nodes(SegmentTree *tree) {
    if (tree->count < tree->capacity) {
        return STATUS_OK;
    }
    const size_t capacity = grown(tree->capacity, tree->count + 1);
    const size_t row = ((tree->values == 0) ? 1 : tree->values) * sizeof *tree->points;
    SegmentNode *nodes = realloc(tree->nodes, capacity * sizeof *nodes);
    if (nodes != NULL) {
        tree->nodes = nodes;
    }
    double *points = realloc(tree->points, capacity * row);
    if (points != NULL) {
        tree->points = points;
    }
    if (nodes == NULL || points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the record of %zu segments", capacity);
    }
    tree->capacity = capacity;
    return STATUS_OK;
}

/* grows an array of ids to `size`, zeroing what is new */
static Status grow_ids(int64_t **ids, size_t old_size, size_t size) {
    int64_t *larger = realloc(*ids, size * sizeof *larger);
    if (larger == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the record of %zu trials or depths", size);
    }
    memset(larger + old_size, 0, (size - old_size) * sizeof *larger);
    *ids = larger;
    return STATUS_OK;
}

static Status grow_trials(SegmentTree *tree, int64_t trial) {
    const int64_t index = trial - tree->first_trial;
    if (index < 0 || index >= SEGMENT_TREE_MAX_TRIALS) {
        FAIL(STATUS_ERR_ARG,
             "trial %" PRId64 ": a study has at most %d trials, counted from %" PRId64, trial,
             SEGMENT_TREE_MAX_TRIALS, tree->first_trial);
    }
    if ((size_t)index < tree->trial_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = grown(tree->trial_capacity, (size_t)index + 1);
    TRY(grow_ids(&tree->last, tree->trial_capacity, capacity));
    TRY(grow_ids(&tree->best, tree->trial_capacity, capacity));
    tree->trial_capacity = capacity;
    return STATUS_OK;
}

/* segments that end in the same step of `segment` units share an index */
static size_t depth_index(const SegmentTree *tree, int64_t end) {
    return (size_t)((end - 1) / tree->setup->segment);
}

static Status grow_depths(SegmentTree *tree, int64_t end) {
    const size_t index = depth_index(tree, end);
    if (index < tree->depths) {
        return STATUS_OK;
    }
    const size_t depths = grown(tree->depths, index + 1);
    TRY(grow_ids(&tree->depth_head, tree->depths, depths));
    tree->depths = depths;
    return STATUS_OK;
}

static Status grow_evaluations(SegmentTree *tree) {
    if (tree->evaluations < tree->evaluation_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = grown(tree->evaluation_capacity, tree->evaluations + 1);
    TRY(grow_ids(&tree->evaluated, tree->evaluation_capacity, capacity));
    tree->evaluation_capacity = capacity;
    return STATUS_OK;
}

Status segment_tree_reserve(SegmentTree *tree, const Decision *decision) {
    if (decision->kind == DECISION_EVALUATE) {
        return grow_evaluations(tree);
    }
    if (decision->kind != DECISION_RUN) {
        return STATUS_OK;
    }
    TRY(grow_nodes(tree));
    TRY(grow_trials(tree, decision->trial));
    return grow_depths(tree, decision->end);
}

/* ---- events -------------------------------------------------------------------------------- */

static SegmentNode *node_at(const SegmentTree *tree, int64_t id) {
    const int64_t index = id - tree->first_id;
    return (index < 0 || index >= (int64_t)tree->count) ? NULL : &tree->nodes[index];
}

static void append(SegmentTree *tree, const Decision *decision) {
    const size_t trial = (size_t)(decision->trial - tree->first_trial);
    const size_t depth = depth_index(tree, decision->end);
    tree->nodes[tree->count] = (SegmentNode){.id = decision->id,
                                             .parent = decision->parent,
                                             .trial = decision->trial,
                                             .begin = decision->begin,
                                             .end = decision->end,
                                             .previous = tree->last[trial],
                                             .same_end = tree->depth_head[depth],
                                             .fitness = -(double)INFINITY,
                                             .worth = {.level = -(double)INFINITY},
                                             .spread = (double)NAN,
                                             .violation = (double)INFINITY,
                                             .evaluated = (double)NAN,
                                             .state = NODE_OPEN,
                                             .outcome = OUTCOME_NONE};
    if (tree->values > 0) {
        memcpy(tree->points + tree->count * tree->values, decision->point,
               tree->values * sizeof *tree->points);
    }
    SegmentNode *parent = node_at(tree, decision->parent);
    if (parent != NULL) {
        tree->nodes[tree->count].cost = parent->cost;
        parent->directions += strcmp(decision->reason, REASON_BACKTRACK) == 0;
    }
    tree->count++;
    tree->open++;
    tree->units += decision->end - decision->begin;
    tree->last[trial] = decision->id;
    tree->depth_head[depth] = decision->id;
    if (tree->trials <= trial) {
        tree->trials = trial + 1;
    }
}

static bool same_values(const SegmentTree *tree, const SegmentNode *a, const SegmentNode *b) {
    const double *x = segment_tree_point(tree, a->id);
    const double *y = segment_tree_point(tree, b->id);
    return tree->values == 0 || memcmp(x, y, tree->values * sizeof *x) == 0;
}

static Worth worth_of(const SegmentTree *tree, const SegmentNode *node) {
    SegmentNode   *parent = node_at(tree, node->parent);
    SmoothedResult result = {.fitness = node->fitness,
                             .units = (double)(node->end - node->begin),
                             .spread = node->spread,
                             .before_fitness = (double)NAN};
    if (tree->smoother == NULL || !segment_node_usable(node)) {
        return (Worth){.level = node->fitness};
    }
    if (parent != NULL && segment_node_usable(parent)) {
        const SegmentNode *before = segment_tree_at(tree, parent->parent);
        result.parent = &parent->worth;
        result.parent_fitness = parent->fitness;
        result.changed = !same_values(tree, node, parent);
        parent->continued = result.changed ? parent->continued : node->id;
        if (before != NULL && segment_node_usable(before) && !result.changed &&
            node->end - node->begin == parent->end - parent->begin &&
            parent->end - parent->begin == before->end - before->begin) {
            result.before_fitness = before->fitness;
        }
    }
    return smoother_add(tree->smoother, &result);
}

static Status close_node(SegmentTree *tree, const Event *event) {
    SegmentNode *node = node_at(tree, event->id);
    if (node == NULL || node->state != NODE_OPEN) {
        FAIL(STATUS_ERR_STATE, "segment %" PRId64 " finished but is not outstanding", event->id);
    }
    tree->open--;
    node->outcome = event->outcome;
    if (tree->setup->cost_aware && isfinite(event->cost) && event->cost > 0.0) {
        node->cost += event->cost;
    }
    if (event->outcome != OUTCOME_DONE) {
        node->state = NODE_FAILED;
        return STATUS_OK;
    }
    node->state = NODE_FINISHED;
    node->fitness = scheduler_fitness(tree->setup, event);
    node->spread = (event->spreads == NULL) ? (double)NAN : event->spreads[0];
    node->violation = segment_violation(tree->setup, event->constraints);
    node->worth = worth_of(tree, node);
    tree->finished++;

    int64_t           *best = &tree->best[node->trial - tree->first_trial];
    const SegmentNode *champion = segment_tree_at(tree, *best);
    if (!segment_node_usable(node)) {
        return STATUS_OK;
    }
    const int order = (champion == NULL) ? 1 : segment_node_compare(node, champion);
    if (order > 0 || (order == 0 && node->id < champion->id)) {
        *best = node->id;
    }
    return STATUS_OK;
}

static void append_evaluation(SegmentTree *tree, const Decision *decision) {
    SegmentNode *node = node_at(tree, decision->parent);
    tree->evaluated[tree->evaluations++] = decision->parent;
    tree->evaluations_open++;
    if (node != NULL) {
        node->evaluation = decision->id;
        node->evaluated = (double)NAN;
    }
}

static Status close_evaluation(SegmentTree *tree, const Event *event) {
    const bool   known = event->id >= 1 && event->id <= (int64_t)tree->evaluations;
    SegmentNode *node = known ? node_at(tree, tree->evaluated[event->id - 1]) : NULL;
    if (node == NULL) {
        FAIL(STATUS_ERR_STATE, "evaluation %" PRId64 " came back but was not decided", event->id);
    }
    tree->evaluations_open--;
    if (node->evaluation == event->id) {
        node->evaluated = scheduler_fitness(tree->setup, event);
    }
    return STATUS_OK;
}

Status segment_tree_observe(SegmentTree *tree, const Event *event) {
    if (event->kind == EVENT_DECIDED) {
        TRY(segment_tree_reserve(tree, event->decision));
        if (event->decision->kind == DECISION_RUN) {
            append(tree, event->decision);
        } else if (event->decision->kind == DECISION_EVALUATE) {
            append_evaluation(tree, event->decision);
        }
    } else if (event->kind == EVENT_EVALUATED) {
        return close_evaluation(tree, event);
    } else if (event->kind == EVENT_FINISHED) {
        return close_node(tree, event);
    }
    return STATUS_OK;
}

/* ---- questions ----------------------------------------------------------------------------- */

const SegmentNode *segment_tree_at(const SegmentTree *tree, int64_t id) {
    return node_at(tree, id);
}

const double *segment_tree_point(const SegmentTree *tree, int64_t id) {
    const int64_t index = id - tree->first_id;
    return (node_at(tree, id) == NULL) ? NULL : tree->points + (size_t)index * tree->values;
}

static int64_t of_trial(const SegmentTree *tree, const int64_t *ids, int64_t trial) {
    const int64_t index = trial - tree->first_trial;
    return (index < 0 || index >= (int64_t)tree->trials) ? 0 : ids[index];
}

int64_t segment_tree_last(const SegmentTree *tree, int64_t trial) {
    return of_trial(tree, tree->last, trial);
}

int64_t segment_tree_best(const SegmentTree *tree, int64_t trial) {
    return of_trial(tree, tree->best, trial);
}

int64_t segment_tree_at_depth(const SegmentTree *tree, int64_t end) {
    const size_t index = depth_index(tree, end);
    return (end < 1 || index >= tree->depths) ? 0 : tree->depth_head[index];
}

bool segment_node_usable(const SegmentNode *node) {
    return node->state == NODE_FINISHED && isfinite(node->fitness);
}

int segment_node_compare(const SegmentNode *a, const SegmentNode *b) {
    const bool a_usable = segment_node_usable(a);
    const bool b_usable = segment_node_usable(b);
    if (!a_usable || !b_usable) {
        return (int)a_usable - (int)b_usable;
    }
    if (a->violation < b->violation || a->violation > b->violation) {
        return (a->violation < b->violation) ? 1 : -1;
    }
    const double x = a->worth.level;
    const double y = b->worth.level;
    return (int)(x > y) - (int)(x < y);
}

double segment_violation(const SchedulerSetup *setup, const double *constraints) {
    double sum = 0.0;
    for (size_t i = 0; i < setup->constraint_count; i++) {
        const double lower = setup->constraint_lower[i];
        const double upper = setup->constraint_upper[i];
        if (constraints == NULL || isnan(constraints[i])) {
            return (double)INFINITY;
        }
        const bool   over = constraints[i] > upper;
        const double bound = over ? upper : lower;
        if (over || constraints[i] < lower) {
            sum += fabs(constraints[i] - bound) / ((fabs(bound) > 0.0) ? fabs(bound) : 1.0);
        }
    }
    return sum;
}
