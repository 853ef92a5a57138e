/** @file dimension.h  What optimizers over arrays know of a dimension of the unit cube.
 *
 * A point is d coordinates in [0, 1]; NaN stands for a dimension that is not active there. Discrete
 * dimensions have levels; a coordinate belongs to the nearest one.
 */
#ifndef CORE_OPTIMIZE_DIMENSION_H
#define CORE_OPTIMIZE_DIMENSION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct OptimizeDimension {
    bool          categorical; /* its choices have no order */
    bool          conditional; /* may be inactive */
    size_t        choices;     /* 0: continuous (categorical: at least 1) */
    const double *levels;      /* (choices) ascending coordinates, borrowed; NULL: the centres of
                                  equal cells */
} OptimizeDimension;

/** Coordinate of choice i. */
static inline double optimize_level(const OptimizeDimension *dimension, size_t i) {
    return (dimension->levels != NULL) ? dimension->levels[i]
                                       : ((double)i + 0.5) / (double)dimension->choices;
}

/** The choice whose level is nearest to `coordinate` (ties and NaN: the lower). */
static inline size_t optimize_choice(const OptimizeDimension *dimension, double coordinate) {
    size_t best = 0;
    if (dimension->levels == NULL) {
        const double cell = coordinate * (double)dimension->choices;
        const double last = (double)dimension->choices - 1.0;
        return (cell >= last) ? dimension->choices - 1 : ((cell > 0.0) ? (size_t)cell : 0);
    }
    for (size_t i = 1; i < dimension->choices; i++) {
        const double middle = 0.5 * (dimension->levels[i - 1] + dimension->levels[i]);
        best = (coordinate > middle) ? i : best;
    }
    return best;
}

#endif
