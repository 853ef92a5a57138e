/** @file hypervolume_improvement.h  Logarithm of the expected hypervolume improvement, for two
 * objectives that are both minimized.
 *
 * A front of m points cuts what a better point may gain into m + 1 strips, each a product of one
 * improvement in the first objective and one in the second; with independent predictions its
 * expectation is a product of expected improvements. The sum is taken in logarithms, so that it
 * keeps its gradient where it underflows.
 *
 * Sources: Emmerich et al. (2016), A multicriteria generalization of expected improvement (strips);
 * Ament et al. (2023) (why in logarithms).
 */
#ifndef CORE_OPTIMIZE_HYPERVOLUME_IMPROVEMENT_H
#define CORE_OPTIMIZE_HYPERVOLUME_IMPROVEMENT_H

#include <stddef.h>

/** Points that no other one dominates, and the corner that they are measured from. */
typedef struct HypervolumeFront {
    const double *first;  /* (m) ascending, below reference[0] */
    const double *second; /* (m) descending, below reference[1] */
    size_t        m;
    double        reference[2];
} HypervolumeFront;

typedef struct LogHypervolume {
    double value;
    double by_mean[2];
    double by_sd[2];
} LogHypervolume;

/** log E[hypervolume that N(mean, sd^2) adds to the front]; sd above 0. Cost: O(m). */
LogHypervolume log_hypervolume_improvement(const HypervolumeFront *front, const double mean[2],
                                           const double sd[2]);
/**
 * Takes out of n points (first, second) those that no other one dominates, of equal ones the
 * first.
 * @param order  out  (n) their indices, ascending by `first`; the rest is scratch
 * @return how many there are
 * Cost: O(n^2).
 */
size_t hypervolume_front(const double *first, const double *second, size_t n, size_t *order);

#endif
