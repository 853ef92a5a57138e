/** @file cmaes_internal.h  What cmaes.c (the update) and cmaes_restart.c (its runs) share. */
#ifndef CORE_OPTIMIZE_CMAES_INTERNAL_H
#define CORE_OPTIMIZE_CMAES_INTERNAL_H

#include "core/arena.h"
#include "core/optimize/cmaes.h"

#include <stdbool.h>

/** Learning rates of one population size, names as in the tutorial. */
typedef struct CmaesRates {
    double mu_eff;
    double c_sigma;
    double d_sigma;
    double c_c;
    double c_1;
    double c_mu;
    double weight_sum; /* of all weights, the negative ones too */
    double chi;        /* expected length of a standard normal vector */
} CmaesRates;

typedef struct CmaesRank {
    double loss; /* infinity for NaN */
    size_t index;
} CmaesRank;

struct Cmaes {
    CmaesSettings settings; /* zeros replaced */
    size_t        n;        /* dimensions */
    bool          full;
    size_t        population; /* of this run */
    size_t        most;       /* largest population */
    CmaesRates    rates;
    double       *memory;  /* all arrays of numbers below */
    double       *weights; /* (most), of ranks */

    double    *mean; /* (n), unbounded */
    double     sigma;
    double     run_sigma; /* at the begin of this run */
    double    *path_sigma;
    double    *path_c;
    double    *covariance; /* (n, n), or (n) where diagonal */
    double    *axes;       /* (n, n), a row per eigenvector; unused where diagonal */
    double    *scales;     /* (n) roots of the eigenvalues */
    double     condition;
    uint64_t   decomposed; /* generation of the run */
    double    *z;          /* (most, n) standard normals; after the ranking, weighted steps */
    double    *y;          /* (most, n) steps */
    double    *scaled;     /* (most, n) z times scales */
    double    *step;       /* (n) weighted mean of y */
    double    *turned;     /* (n) weighted mean of z, then C^-1/2 of the step */
    CmaesRank *ranks;      /* (most) */
    Arena      scratch;    /* of the eigenvectors */

    double  *history;        /* ring of best losses, (history_capacity) */
    size_t   history_length; /* of this run */
    size_t   history_capacity;
    uint64_t run_generation; /* finished in this run */
    uint64_t spent[2];       /* evaluations in runs with large, small populations */
    bool     small;          /* this run is one with a small population */
    size_t   doublings;

    CmaesProgress progress;
    double       *best; /* (n) */
};

/** Sets the learning rates and weights of cmaes->population. */
void cmaes__rates(Cmaes *cmaes);
/** Draws the candidates of the next generation. */
void cmaes__sample(Cmaes *cmaes);
/** Length of the ring of best losses for a population. */
size_t cmaes__history_length(size_t dimensions, size_t population);
/** Puts the generation's best loss on record and says whether the run is over. `finite`: the update
 * went well. */
CmaesStop cmaes__stop(Cmaes *cmaes, bool finite);
/** Begins a run: mean, deviation, identity. */
void cmaes__begin(Cmaes *cmaes, double sigma);
/** Ends the run and begins the next as the settings say. */
void cmaes__restart(Cmaes *cmaes);

#endif
