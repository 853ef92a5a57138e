/** @file median_interval.h  Medians over seeds with their bootstrap intervals, beside medians that
 * somebody else published. */
#ifndef TESTS_BENCH_MEDIAN_INTERVAL_H
#define TESTS_BENCH_MEDIAN_INTERVAL_H

#include "core/statistics.h"

#include <stdbool.h>
#include <stddef.h>

/** Median of n values and its 95 % interval of 2000 resamples; equal for equal values and stream.
 * Aborts without memory. */
Interval median_interval(const double *values, size_t n, size_t stream);

/** How entries compare with published medians. Both below 1e-4 is a tie. */
typedef struct Comparison {
    size_t entries; /* with a published median */
    size_t behind;  /* median above it: a lost entry */
    size_t beyond;  /* of these: the whole interval above it */
} Comparison;

/** Counts an entry in; NaN: nothing is published. Says what it is: "", "tie", "ahead", "behind" or
 * "beyond". */
const char *comparison_add(Comparison *comparison, Interval median, double published);
/** A line of it, which begins with `# name`. */
void comparison_print(const Comparison *comparison, const char *name);

#endif
