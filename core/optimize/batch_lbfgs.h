/** @file batch_lbfgs.h  Projected L-BFGS on the unit cube or a box in it, many starts in lockstep.
 *
 * One evaluation of a Gaussian process reads its whole factor; for one point that is a matter of
 * memory speed, for eight points it costs hardly more. So all starts ask for their next trial
 * together, and one call answers them all. That is why this is not NLopt's L-BFGS, whose callback
 * takes one point at a time.
 *
 * Directions come from the two-loop recursion over the coordinates that are not held at a bound;
 * steps go along the projected path and are halved (or interpolated) until they decrease enough.
 *
 * Sources: Nocedal & Wright (2006), Algorithm 7.4; Bertsekas (1982), Projected Newton methods.
 */
#ifndef CORE_OPTIMIZE_BATCH_LBFGS_H
#define CORE_OPTIMIZE_BATCH_LBFGS_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>

/** Values (m) and gradients (m, d) at x (m, d). NaN values are taken as infinite. */
typedef void (*BatchObjective)(void *context, const double *x, size_t m, double *value,
                               double *gradient);

typedef struct BatchLbfgs {
    BatchObjective objective; /* to be minimized */
    void          *context;
    const bool    *frozen; /* (m, d) coordinates that stay as they are; they may be NaN */
    size_t         m;
    size_t         d;
    size_t         rounds;    /* calls of the objective at most */
    double         tolerance; /* a start ends when a step decreases its value by less */
    const double  *lower;     /* (d) of a box in the cube that holds the starts; NULL: 0 */
    const double  *upper;     /* (d) NULL: 1 */
} BatchLbfgs;

/** Bytes that batch_lbfgs_minimize() takes from its arena. */
size_t batch_lbfgs_scratch(size_t m, size_t d);
/**
 * Minimizes from x (m, d), which becomes the best points seen; value (m) their values.
 * @return STATUS_OK; STATUS_ERR_NOMEM (x unchanged)
 */
Status batch_lbfgs_minimize(const BatchLbfgs *how, double *x, double *value,
                            Arena *scratch) MUST_USE;

#endif
