/* Who is better than whom, and from whom to go on. Everything here reads the state.
 *
 * Without a cost, results of the same depth are compared. With one (SchedulerSetup.cost_aware), a
 * result is compared with every other member's at the smaller of their two cumulated costs: of
 * each, the newest result on its lineage that had not cost more by then. Whoever has none loses.
 * So a member that buys its fitness dearly stands where it stood when it had spent as little as the
 * other. What is continued is the donor's newest result, for older checkpoints are not kept. */
#include "schedulers/population.h"

#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool in_scope(const Population *population, PopulationScope scope, int64_t mine,
                     int64_t theirs) {
    const int64_t groups = (int64_t)population->groups;
    const bool    same = mine % groups == theirs % groups;
    return scope == SCOPE_ALL || mine == theirs || same == (scope == SCOPE_GROUP);
}

/* ---- order ---- */

static int best_first(const void *a, const void *b) {
    const Standing *x = a;
    const Standing *y = b;
    const int       order = segment_node_compare(y->compared, x->compared);
    if (order != 0) {
        return order;
    }
    if (x->agent->trial != y->agent->trial) {
        return (x->agent->trial < y->agent->trial) ? -1 : 1;
    }
    return (x->agent->id < y->agent->id) ? -1 : (x->agent->id > y->agent->id);
}

static void sort(Standing *ranked, size_t n) {
    qsort(ranked, n, sizeof *ranked, best_first);
}

/* how many of n stand before `last` */
static PopulationRank place(const Population *population, size_t n, const SegmentNode *last) {
    size_t rank = 0;
    sort(population->ranked, n);
    while (rank < n && population->ranked[rank].agent != last) {
        rank++;
    }
    return (PopulationRank){.n = n, .better = rank};
}

/* ---- whose results ---- */

int64_t population_known(const Population *population) {
    return (population->mode == POPULATION_SYNCHRONOUS) ? population->previous_last : INT64_MAX;
}

const SegmentNode *population_newest(const Population *population, size_t member) {
    const int64_t      known = population_known(population);
    const SegmentNode *node =
        segment_tree_at(&population->tree, segment_tree_last(&population->tree, (int64_t)member));
    while (node != NULL && (node->id > known || node->state == NODE_OPEN)) {
        node = segment_tree_at(&population->tree, node->previous);
    }
    return node;
}

/* The results at one depth, best first: the newest of each member. A synchronous round counts those
 * that failed there (they rank last) and nothing of the round being decided; otherwise only
 * finished ones are compared, and `last` itself. */
static PopulationRank rank_depth(const Population *population, const SegmentNode *last,
                                 PopulationScope scope) {
    const bool   rounds = population->mode == POPULATION_SYNCHRONOUS;
    const size_t size = population->size;
    size_t       n = 0;
    memset(population->seen, 0, size);
    for (int64_t id = segment_tree_at_depth(&population->tree, last->end); id != 0 && n < size;) {
        const SegmentNode *node = segment_tree_at(&population->tree, id);
        const bool         counts =
            rounds ? id <= population->previous_last : node->state == NODE_FINISHED || node == last;
        if (counts && node->end == last->end && population->seen[node->trial] == 0 &&
            in_scope(population, scope, last->trial, node->trial)) {
            population->seen[node->trial] = 1;
            population->ranked[n++] = (Standing){node, node};
        }
        id = node->same_end;
    }
    return place(population, n, last);
}

/* ---- at equal cost ---- */

static const SegmentNode *at_cost(const Population *population, const SegmentNode *node,
                                  double cost) {
    while (node != NULL && (node->cost > cost || !segment_node_usable(node))) {
        node = segment_tree_at(&population->tree, node->parent);
    }
    return node;
}

/* what `other` had when it had spent no more than `last`; NULL if `last` was at least as good */
static const SegmentNode *better_at_cost(const Population *population, const SegmentNode *last,
                                         const SegmentNode *other) {
    const double       level = fmin(last->cost, other->cost);
    const SegmentNode *theirs = at_cost(population, other, level);
    const SegmentNode *mine = at_cost(population, last, level);
    if (theirs == NULL) {
        return NULL;
    }
    const int order = (mine == NULL) ? 1 : segment_node_compare(theirs, mine);
    return (order > 0 || (order == 0 && other->trial < last->trial)) ? theirs : NULL;
}

static PopulationRank rank_cost(const Population *population, const SegmentNode *last,
                                PopulationScope scope) {
    PopulationRank rank = {.n = 1, .better = 0};
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *other = population_newest(population, i);
        if (other == NULL || (int64_t)i == last->trial ||
            !in_scope(population, scope, last->trial, (int64_t)i)) {
            continue;
        }
        rank.n++;
        const SegmentNode *theirs =
            segment_node_usable(other) ? better_at_cost(population, last, other) : NULL;
        if (theirs != NULL) {
            population->ranked[rank.better++] = (Standing){theirs, other};
        }
    }
    sort(population->ranked, rank.better);
    return rank;
}

/* ---- ranks ---- */

PopulationRank population_rank(const Population *population, const SegmentNode *last,
                               PopulationScope scope) {
    return population->setup.cost_aware ? rank_cost(population, last, scope)
                                        : rank_depth(population, last, scope);
}

PopulationRank population_rank_newest(const Population *population, const SegmentNode *last,
                                      PopulationScope scope) {
    size_t n = 0;
    if (population->setup.cost_aware) {
        return rank_cost(population, last, scope);
    }
    for (size_t i = 0; i < population->size; i++) {
        const SegmentNode *node = population_newest(population, i);
        if (node != NULL && in_scope(population, scope, last->trial, (int64_t)i)) {
            population->ranked[n++] = (Standing){node, node};
        }
    }
    return place(population, n, last);
}

size_t population_rank_round(const Population *population, int64_t trial, PopulationScope scope) {
    size_t n = 0;
    for (int64_t id = population->previous_first; id <= population->previous_last; id++) {
        const SegmentNode *node = segment_tree_at(&population->tree, id);
        if (in_scope(population, scope, trial, node->trial)) {
            population->ranked[n++] = (Standing){node, node};
        }
    }
    sort(population->ranked, n);
    return n;
}

/* ---- from whom ---- */

size_t population_share(const Population *population, size_t n) {
    const double k = floor(population->quantile * (double)n);
    return (k < 1.0) ? 1 : (size_t)k;
}

bool population_is_worst(const Population *population, PopulationRank rank) {
    return rank.n >= 2 && rank.better + population_share(population, rank.n) >= rank.n;
}

/* going back costs units for good, so it asks for more than an exploit */
#define BACK_FACTOR 4.0

static bool is_better(const Population *population, const SegmentNode *donor, double level,
                      const SegmentNode *last, double deviations) {
    const double unknown = sqrt(donor->worth.level_variance + last->worth.level_variance);
    if (!segment_node_usable(last) || donor->violation < last->violation ||
        donor->violation > last->violation || population->setup.cost_aware) {
        return true; /* not a matter of noise, or decided at equal cost */
    }
    return level - last->worth.level >= deviations * unknown;
}

bool population_is_better(const Population *population, const SegmentNode *donor, double level,
                          const SegmentNode *last) {
    return is_better(population, donor, level, last, population->significance);
}

bool population_is_far_better(const Population *population, const SegmentNode *donor, double level,
                              const SegmentNode *last) {
    return is_better(population, donor, level, last,
                     last->worth.noisy ? BACK_FACTOR * population->significance : 0.0);
}

bool population_can_go_back(const Population *population, const SegmentNode *last,
                            const SegmentNode *to) {
    const int64_t rest = population->setup.per_trial - to->end;
    return to->end >= last->end || 2 * rest <= population_left(population);
}

const SegmentNode *population_draw(const Population *population, int64_t number, size_t n,
                                   size_t k) {
    size_t donors = 0;
    for (size_t i = 0; i < n && donors < k; i++) {
        const SegmentNode *node = population->ranked[i].agent;
        if (segment_node_usable(node) && node->end < population->setup.per_trial) {
            population->ranked[donors++].agent = node;
        }
    }
    if (donors == 0) {
        return NULL;
    }
    Rng rng = scheduler_rng(&population->setup, number, LANE_PICK);
    return population->ranked[rng_below(&rng, donors)].agent;
}
