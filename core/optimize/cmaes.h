/** @file cmaes.h  CMA-ES in the unit cube: a normal distribution that learns its covariance.
 *
 * Ask and tell by generations: cmaes_point() hands out the candidates of the current generation,
 * cmaes_tell() takes their losses and makes the next one. All memory is made at creation, all draws
 * are keyed by (seed, generation, candidate): the same losses give the same points bit for bit (as
 * long as linalg_numerics() writes the same line).
 *
 * The search itself is unbounded; what is handed out is reflected at the faces of the cube, so that
 * an optimum on a face lies inside a smooth valley. Of losses only the order counts; NaN and
 * infinity are worst, and a generation of nothing else widens the search.
 *
 * Source: Hansen (2016), The CMA evolution strategy: a tutorial, arXiv 1604.00772 (weights, active
 * update, constants: Table 1); Ros and Hansen (2008) for the diagonal covariance; Auger and Hansen
 * (2005) and Hansen (2009) for restarts with larger, and with alternating, populations.
 */
#ifndef CORE_OPTIMIZE_CMAES_H
#define CORE_OPTIMIZE_CMAES_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CMAES_MAX_DIMENSIONS = 10000,
    CMAES_FULL_UP_TO = 200,
    CMAES_MAX_POPULATION = 100000,
    CMAES_MAX_GROWTH = 64, /* largest population of a restart, in first populations */
};

typedef enum CmaesCovariance {
    CMAES_AUTOMATIC, /* full up to CMAES_FULL_UP_TO dimensions */
    CMAES_FULL,
    CMAES_DIAGONAL, /* cost and memory linear in dimensions; learns scales, no correlations */
} CmaesCovariance;

typedef enum CmaesRestart {
    CMAES_RESTART_NONE, /* the distribution stays as it is when a run has stopped */
    CMAES_RESTART_IPOP, /* twice the population each time, up to CMAES_MAX_GROWTH times the first */
    CMAES_RESTART_BIPOP /* in turn with small populations and narrow starts */
} CmaesRestart;

/** Why a run ended. */
typedef enum CmaesStop {
    CMAES_RUNNING,
    CMAES_STOP_LOSS,      /* losses of the last generations differ by less than `tolerance` */
    CMAES_STOP_STEP,      /* steps are below 1e-11 of the cube */
    CMAES_STOP_CONDITION, /* condition of the covariance above 1e14 */
    CMAES_STOP_NUMERIC,   /* a number was not finite, or no eigenvectors were found */
} CmaesStop;

typedef struct CmaesSettings {
    size_t          dimensions; /* 1 to CMAES_MAX_DIMENSIONS */
    size_t          population; /* 4 to CMAES_MAX_POPULATION; 0: 4 + floor(3 ln dimensions) */
    double          deviation;  /* first standard deviation, (0, 1]; 0: 0.2 */
    double          tolerance;  /* of CMAES_STOP_LOSS, >= 0; 0: 1e-12 */
    CmaesCovariance covariance;
    CmaesRestart    restart;
    uint64_t        seed;
} CmaesSettings;

typedef struct CmaesProgress {
    uint64_t  generation;  /* all runs together */
    uint64_t  evaluations; /* losses told */
    size_t    run;         /* 0 before the first restart */
    CmaesStop stop;        /* of the last run that ended */
    double    deviation;   /* step size sigma */
    double    condition;   /* of the covariance, at its last decomposition */
    double    best_loss;   /* infinity before the first finite loss */
} CmaesProgress;

typedef struct Cmaes Cmaes;

/** @return STATUS_OK; STATUS_ERR_RANGE (the text names the setting); STATUS_ERR_NOMEM; `*out` is
 * NULL on every error. Memory: 2 dimensions^2 numbers (full) and 3 candidates' worth of the largest
 * population. */
Status cmaes_create(const CmaesSettings *settings, Cmaes **out) MUST_USE;
void   cmaes_destroy(Cmaes *cmaes);

/** Candidates of the current generation; a restart changes it. */
size_t cmaes_population(const Cmaes *cmaes);
/** Candidate `index` < population, (dimensions) coordinates in [0, 1]. Changes nothing. */
void cmaes_point(const Cmaes *cmaes, size_t index, double *point);
/**
 * Ends the generation and draws the next one; restarts where a run has stopped.
 * @param losses  (population), smaller is better; NaN counts as worst
 * Cost: population dimensions^2, and 9 dimensions^3 FLOP about every 10th generation (full).
 */
void cmaes_tell(Cmaes *cmaes, const double *losses);

CmaesProgress cmaes_progress(const Cmaes *cmaes);
/** The best point told so far, (dimensions); of the first mean before there is one. */
void cmaes_best(const Cmaes *cmaes, double *point);
/** The mean of the distribution, reflected into the cube, (dimensions). */
void cmaes_mean(const Cmaes *cmaes, double *point);

#endif
