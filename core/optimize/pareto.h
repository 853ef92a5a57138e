/** @file pareto.h  Several losses at once: who dominates whom, fronts, crowding.
 *
 * Losses are to be made small. With constraints, feasible comes before infeasible, and of two that
 * are infeasible the one with the smaller violation is better.
 *
 * Source: Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II.
 */
#ifndef CORE_OPTIMIZE_PARETO_H
#define CORE_OPTIMIZE_PARETO_H

#include <stdbool.h>
#include <stddef.h>

/** Some results. */
typedef struct ParetoSet {
    size_t        count;
    size_t        objectives; /* at least 1 */
    const double *losses;     /* (count, objectives) no NaN */
    const double *violations; /* (count) 0 = feasible; NULL: all are */
} ParetoSet;

/** Is result `a` at least as good as `b` in everything and better in something? */
bool pareto_dominates(const ParetoSet *set, size_t a, size_t b);
/**
 * Number of the front that each result is in: 0 is dominated by nobody, k by somebody in front k-1.
 * @param ranks  out  (count)
 * Cost: objectives x count^2 comparisons, times the number of fronts at worst.
 */
void pareto_ranks(const ParetoSet *set, size_t *ranks);
/**
 * How alone each result is in its front: the sum over objectives of the gap between its neighbours,
 * in ranges of the front; infinite at both ends.
 * @param ranks     in   (count) of pareto_ranks()
 * @param order     scratch (count)
 * @param crowding  out  (count)
 */
void pareto_crowding(const ParetoSet *set, const size_t *ranks, size_t *order, double *crowding);

#endif
