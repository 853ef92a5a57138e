/** @file statistics.h  Summaries, correlations and bootstrap intervals of samples of doubles.
 *
 * NaN: a sample that holds a NaN has NaN for every number here, and that is no error. So has a
 * sample that is too small for the number (mean of none, variance of one, correlation with a
 * constant). Infinities count as the numbers they are. Sums run in the order of the values.
 */
#ifndef CORE_STATISTICS_H
#define CORE_STATISTICS_H

#include "core/arena.h"
#include "core/rng.h"
#include "core/status.h"

#include <stddef.h>

/** `n` values that somebody else owns. */
typedef struct Sample {
    const double *values;
    size_t        n;
} Sample;

/** Arithmetic mean. */
double statistics_mean(Sample x);
/** Unbiased variance (divided by n - 1), two passes. */
double statistics_variance(Sample x);
/** Square root of the variance. */
double statistics_deviation(Sample x);

/** Sorts in place, ascending, NaN last. */
void statistics_sort(double *values, size_t n);

/* The next three take a sample that statistics_sort() has sorted. */

/** Quantile p in [0, 1], linear between neighbours (type 7 of Hyndman and Fan, 1996). */
double statistics_quantile(Sample sorted, double p);
/**
 * Mean of the middle half: a quarter of the sample's weight is cut off at each end, in fractions
 * of a value where n is no multiple of 4.
 * Source: Agarwal et al. (2021), Deep reinforcement learning at the edge of the statistical
 * precipice.
 */
double statistics_interquartile_mean(Sample sorted);
/** Quantile 0.75 minus quantile 0.25. */
double statistics_interquartile_range(Sample sorted);

/**
 * Pearson's correlation, in [-1, 1].
 * @return STATUS_OK; STATUS_ERR_SHAPE if x.n != y.n (`out` unchanged)
 */
Status statistics_pearson(Sample x, Sample y, double *out) MUST_USE;
/**
 * Spearman's rank correlation; ties share their average rank.
 * @param scratch  in/out  statistics_spearman_scratch(n) bytes, released before return
 * @return STATUS_OK; STATUS_ERR_SHAPE if x.n != y.n; STATUS_ERR_NOMEM (`out` unchanged)
 */
Status statistics_spearman(Sample x, Sample y, Arena *scratch, double *out) MUST_USE;
size_t statistics_spearman_scratch(size_t n);

/**
 * Probability of improvement P(X > Y) + 0.5 P(X = Y) over all pairs: Mann and Whitney's U divided
 * by n m. Both samples sorted. Cost O(n + m).
 */
double statistics_improvement(Sample sorted_x, Sample sorted_y);

/** What a bootstrap interval is of. */
typedef enum Statistic {
    STATISTIC_MEAN,
    STATISTIC_MEDIAN,
    STATISTIC_INTERQUARTILE_MEAN,
} Statistic;

typedef struct Interval {
    double estimate; /* of the sample itself */
    double low;
    double high;
} Interval;

typedef struct Bootstrap {
    double level;     /* of the interval, in (0, 1): 0.95 */
    size_t resamples; /* 1 to 10^6: 2000 */
} Bootstrap;

/**
 * Percentile bootstrap intervals: of a statistic of x; of statistic(x) - statistic(y), both
 * resampled on their own; of statistics_improvement(x, y). Samples need not be sorted.
 *
 * @param scratch  in/out  statistics_bootstrap_scratch(x.n + y.n, resamples) bytes, released before
 *                         return
 * @param rng      in/out  see RNG_STATISTICS
 * @return STATUS_OK; STATUS_ERR_ARG (empty sample, level, resamples); STATUS_ERR_NOMEM. On any
 *         error `out` is unchanged.
 * Source: Efron and Tibshirani (1993), chapter 13.
 */
Status statistics_bootstrap(Statistic statistic, Sample x, Bootstrap settings, Rng *rng,
                            Arena *scratch, Interval *out) MUST_USE;
Status statistics_bootstrap_difference(Statistic statistic, Sample x, Sample y, Bootstrap settings,
                                       Rng *rng, Arena *scratch, Interval *out) MUST_USE;
Status statistics_bootstrap_improvement(Sample x, Sample y, Bootstrap settings, Rng *rng,
                                        Arena *scratch, Interval *out) MUST_USE;
size_t statistics_bootstrap_scratch(size_t values, size_t resamples);

#endif
