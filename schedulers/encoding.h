/** @file encoding.h  A space as samplers with a model see it: an array of coordinates in [0, 1].
 *
 * A float is continuous; an int, a grid, a bool and a choice have levels, at the middle of their
 * cells as space_encode() puts them. An int on a log scale has its levels listed while they are
 * few (ENCODING_MOST_LISTED); with more of them it is continuous, and settling rounds it. NaN
 * stands where a hyperparameter is not active.
 */
#ifndef SCHEDULERS_ENCODING_H
#define SCHEDULERS_ENCODING_H

#include "core/optimize/dimension.h"
#include "core/optimize/tpe.h"
#include "search_spaces/space.h"

enum { ENCODING_MOST_LISTED = 64 };

typedef struct Encoding {
    const Space       *space;      /* borrowed */
    size_t             d;          /* space_count() */
    OptimizeDimension *dimensions; /* (d) */
    TpeDimension      *densities;  /* (d) the same for tpe.h, which has no uneven levels */
    double            *levels;     /* of log ints; owned */
    double            *point;      /* (d) scratch */
} Encoding;

/** @return STATUS_OK; STATUS_ERR_NOMEM (nothing to reset) */
Status encoding_init(Encoding *encoding, const Space *space) MUST_USE;
/** Harmless on a zeroed one. */
void encoding_reset(Encoding *encoding);

/** Coordinates of a point, NaN where it is not active. x may not be the point. */
void encoding_from_point(const Encoding *encoding, const double *point, double *x);
/** The point at x: values on their grid, conditions kept (a hyperparameter that becomes active at
 * NaN takes its default). It may be forbidden. */
void encoding_to_point(const Encoding *encoding, const double *x, double *point);
/**
 * Moves x (d) to where encoding_to_point() puts it: levels, NaN exactly where inactive.
 * @param context  an Encoding; its scratch is written (the form is AcquisitionSearch.settle's)
 * @return false: the point is forbidden (x is settled all the same)
 */
bool encoding_settle(void *context, double *x);

#endif
