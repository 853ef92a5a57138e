/** @file nlopt_search.h  Any derivative-free algorithm of NLopt, as a function of what it was told.
 *
 * NLopt calls the objective; here the objective is somebody else's experiment that takes hours. So
 * the algorithm is run anew from its start for every point: the losses told so far are fed to it in
 * order, and the first point beyond them is the next one. Nothing is kept between calls, so
 * whoever stores the losses resumes. Points are in the unit cube.
 *
 * Source: Johnson, The NLopt nonlinear-optimization package; the papers are in its manual.
 */
#ifndef CORE_OPTIMIZE_NLOPT_SEARCH_H
#define CORE_OPTIMIZE_NLOPT_SEARCH_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Names of the algorithms, NLopt's in lower case, ends at NULL. */
extern const char *const nlopt_search_algorithms[];

typedef struct NloptSearch {
    size_t        algorithm;  /* index in nlopt_search_algorithms */
    size_t        dimensions; /* 1 to NLOPT_SEARCH_MAX_DIMENSIONS */
    uint64_t      seed;       /* of algorithms that draw */
    double        step;       /* first step of local algorithms, (0, 1) */
    double        tolerance;  /* ends when points move by less, (0, 1) */
    const double *start;      /* (dimensions) in [0, 1] */
} NloptSearch;

enum { NLOPT_SEARCH_MAX_DIMENSIONS = 1000 };

/** @return STATUS_OK; STATUS_ERR_RANGE for more dimensions than NLOPT_SEARCH_MAX_DIMENSIONS. */
Status nlopt_search_check(const NloptSearch *search) MUST_USE;
/**
 * The point that comes after `told` losses.
 * @param losses  in   (told) of the points in the order in which they came; finite
 * @param point   out  (dimensions) in [0, 1]
 * @param ended   out  the algorithm has converged or given up: there is no further point
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_ARG where NLopt refuses the problem
 * Cost: told times what the algorithm thinks per point (a few microseconds times dimensions^2).
 */
Status nlopt_search_next(const NloptSearch *search, const double *losses, size_t told,
                         double *point, bool *ended) MUST_USE;

#endif
