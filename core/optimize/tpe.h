/** @file tpe.h  Tree-structured Parzen estimator over the unit cube, multivariate.
 *
 * The finished points with the smallest losses make a density l(x), all others, the pending ones
 * among them (constant liar), make g(x); of some points drawn from l the one with the largest
 * l(x) / g(x) is taken. Both are mixtures of products of one-dimensional kernels, one component per
 * point and one prior. How widths and weights are set: tpe_density.c.
 *
 * A decision has two halves, so that conditions stay with the caller:
 *     tpe_propose()  candidates, every coordinate drawn
 *     (the caller sets inactive coordinates to NaN, and may move or replace candidates)
 *     tpe_choose()   the best of them
 * Where a coordinate is inactive in a candidate, its dimension does not count for that candidate;
 * where it is inactive in an observed point, that point knows nothing: uniform in that dimension.
 * Neither half changes what a later decision depends on.
 *
 * Sources: Bergstra et al. (2011), Algorithms for hyper-parameter optimization; Falkner et al.
 * (2018), BOHB (multivariate); Watanabe (2023), arXiv 2304.11127 (what its parts are worth).
 */
#ifndef CORE_OPTIMIZE_TPE_H
#define CORE_OPTIMIZE_TPE_H

#include "core/rng.h"
#include "core/status.h"

#include <stddef.h>

typedef enum TpeKind {
    TPE_CONTINUOUS,
    TPE_ORDERED,     /* value i of n at (i + 1/2) / n; above TPE_MOST_ORDERED as continuous */
    TPE_CATEGORICAL, /* the same coordinates, no order */
} TpeKind;

enum { TPE_MAX_CANDIDATES = 1024, TPE_MAX_BELOW = 1000, TPE_MOST_ORDERED = 64 };

typedef struct TpeDimension {
    TpeKind kind;
    size_t  values; /* of ordered and categorical, at least 1 */
} TpeDimension;

/** Zeros stand for the defaults. */
typedef struct TpeSettings {
    const TpeDimension *dimensions; /* copied */
    size_t              dimension_count;
    size_t              startup;      /* points told before the densities are used; 0: 5 */
    size_t              candidates;   /* up to TPE_MAX_CANDIDATES; 0: 24 */
    size_t              most_below;   /* points in l, up to TPE_MAX_BELOW; 0: 25 */
    double              share_below;  /* of the told points in l, (0, 1]; 0: 0.25 */
    double              prior_weight; /* of the prior, in points; 0: 1 */
} TpeSettings;

typedef struct Tpe Tpe;

/** @return STATUS_OK; STATUS_ERR_RANGE (the text names the setting); STATUS_ERR_NOMEM; `*out` is
 * NULL on every error */
Status tpe_create(const TpeSettings *settings, Tpe **out) MUST_USE;
void   tpe_destroy(Tpe *tpe);

/**
 * Adds a point that is being evaluated; until it is told it counts as bad.
 * @param point   in   (dimensions) in [0, 1] (clamped), NaN where inactive
 * @param number  out  0, 1, 2, ... in order of adding; may be NULL
 * @return STATUS_OK; STATUS_ERR_NOMEM (nothing changed)
 * Cost: dimensions moves of 4 n bytes.
 */
Status tpe_add(Tpe *tpe, const double *point, size_t *number) MUST_USE;
/** The loss of a point, smaller is better; NaN and infinity mean that it failed: it is told, but
 * never in l. A second call replaces the first. @return STATUS_OK; STATUS_ERR_RANGE for a number
 * that was not added */
Status tpe_tell(Tpe *tpe, size_t number, double loss) MUST_USE;

size_t tpe_count(const Tpe *tpe);      /* points added */
size_t tpe_candidates(const Tpe *tpe); /* rows that tpe_propose() writes */

/**
 * Draws candidates: from l, or uniformly before `startup` points are told.
 * Shapes: points (candidates, dimensions); categorical and ordered ones at their coordinates.
 */
void tpe_propose(Tpe *tpe, Rng *rng, double *points);
/** Index of the candidate with the largest l / g, the first of equals; 0 during startup. */
size_t tpe_choose(Tpe *tpe, const double *points);
/** log l and log g of one point (NaN where inactive); 0 for both during startup. */
void tpe_log_densities(Tpe *tpe, const double *point, double *below, double *above);

#endif
