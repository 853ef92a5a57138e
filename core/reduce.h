/** @file reduce.h  How the values of a metric along a lineage become one number: the objective that
 * schedulers see. The coordinator does it with what trainers report, the simulator with what it
 * makes up.
 */
#ifndef CORE_REDUCE_H
#define CORE_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDUCE_LIST(X)                                                                         \
    X(REDUCE_MEAN_LAST, "mean_last") /* mean of the last `window` values */                    \
    X(REDUCE_MEAN, "mean")           /* mean of all values from the root */                    \
    X(REDUCE_MAX, "max")             /* largest value from the root (smallest if minimized) */ \
    X(REDUCE_LAST, "last")           /* the newest value */

typedef enum ReduceKind {
#define REDUCE_ENUM(code, text) code,
    REDUCE_LIST(REDUCE_ENUM)
#undef REDUCE_ENUM
} ReduceKind;

typedef struct Reduction {
    ReduceKind kind;
    int64_t    window; /* values of mean_last; below 1 counts as 1 */
    bool       maximize;
} Reduction;

/** "mean_last" and so on; "?" for what is none. */
const char *reduce_name(ReduceKind kind);
/** How many of the newest values it looks at; `all` where it looks at every one. */
size_t reduce_window(Reduction reduction, size_t all);
/** One number of `n` >= 1 values, newest first, no more than reduce_window(). NaN if one of those
 * that count is NaN. */
double reduce_values(Reduction reduction, const double *values, size_t n);
/** Standard deviation (divided by own - 1) of the first `own` values, those of the segment itself;
 * NaN below 2. */
double reduce_spread(const double *values, size_t own);

#endif
