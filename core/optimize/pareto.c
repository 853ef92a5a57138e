#include "core/optimize/pareto.h"

#include <math.h>

bool pareto_dominates(const ParetoSet *set, size_t a, size_t b) {
    const double *x = &set->losses[a * set->objectives];
    const double *y = &set->losses[b * set->objectives];
    bool          better = false;
    if (set->violations != NULL && set->violations[a] != set->violations[b]) {
        return set->violations[a] < set->violations[b];
    }
    for (size_t i = 0; i < set->objectives; i++) {
        if (x[i] > y[i]) {
            return false;
        }
        better = better || x[i] < y[i];
    }
    return better;
}

/* is `of` dominated by anything that no earlier front has taken? */
static bool is_dominated(const ParetoSet *set, const size_t *ranks, size_t of, size_t front) {
    for (size_t i = 0; i < set->count; i++) {
        if (ranks[i] >= front && pareto_dominates(set, i, of)) {
            return true;
        }
    }
    return false;
}

void pareto_ranks(const ParetoSet *set, size_t *ranks) {
    size_t left = set->count;
    for (size_t i = 0; i < set->count; i++) {
        ranks[i] = set->count; /* in no front yet */
    }
    for (size_t front = 0; left > 0; front++) {
        for (size_t i = 0; i < set->count; i++) {
            if (ranks[i] == set->count && !is_dominated(set, ranks, i, front)) {
                ranks[i] = front;
                left--;
            }
        }
    }
}

static void sort_by_loss(const ParetoSet *set, size_t objective, size_t *order, size_t count) {
    for (size_t i = 1; i < count; i++) { /* fronts are short */
        const size_t item = order[i];
        const double loss = set->losses[item * set->objectives + objective];
        size_t       at = i;
        while (at > 0 && set->losses[order[at - 1] * set->objectives + objective] > loss) {
            order[at] = order[at - 1];
            at--;
        }
        order[at] = item;
    }
}

static void add_gaps(const ParetoSet *set, size_t objective, const size_t *order, size_t count,
                     double *crowding) {
    const double *losses = set->losses + objective;
    const size_t  m = set->objectives;
    const double  range = losses[order[count - 1] * m] - losses[order[0] * m];
    crowding[order[0]] = (double)INFINITY;
    crowding[order[count - 1]] = (double)INFINITY;
    for (size_t i = 1; i + 1 < count && range > 0; i++) {
        crowding[order[i]] += (losses[order[i + 1] * m] - losses[order[i - 1] * m]) / range;
    }
}

void pareto_crowding(const ParetoSet *set, const size_t *ranks, size_t *order, double *crowding) {
    size_t left = set->count;
    for (size_t i = 0; i < set->count; i++) {
        crowding[i] = 0;
    }
    for (size_t front = 0; left > 0; front++) {
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++) {
            if (ranks[i] == front) {
                order[count++] = i;
            }
        }
        for (size_t k = 0; k < set->objectives && count > 0; k++) {
            sort_by_loss(set, k, order, count);
            add_gaps(set, k, order, count, crowding);
        }
        left -= count;
    }
}
