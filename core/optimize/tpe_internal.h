/** @file tpe_internal.h  What tpe.c (points, decisions) and tpe_density.c (kernels) share. */
#ifndef CORE_OPTIMIZE_TPE_INTERNAL_H
#define CORE_OPTIMIZE_TPE_INTERNAL_H

#include "core/optimize/tpe.h"

#include <stdbool.h>
#include <stdint.h>

/* components are scored in blocks: two arrays of a block times 40 dimensions fit the L1 */
enum { TPE_BLOCK = 64, TPE_LANES = 16, TPE_TILE = 4 };

/**
 * A mixture. Component 0 is the prior. Arrays of (dimensions, stride) hold, per component,
 *     log density = base - sum over inactive dimensions of norm - sum over active ones of term
 * with term = ((x - centre) inverse)^2 / 2, |x - centre| inverse, or inverse where x != centre.
 */
typedef struct TpeMixture {
    size_t  stride; /* a multiple of TPE_BLOCK; components beyond the last have base -infinity */
    size_t  blocks; /* in use */
    float  *centre; /* categorical: the index of the value, -1 for the prior */
    float  *inverse;
    float  *norm;
    float  *base;   /* (stride) */
    double *weight; /* (stride), not normalized; 0 where left out */
} TpeMixture;

struct Tpe {
    TpeDimension *dimensions;
    size_t        d;
    TpeSettings   settings; /* zeros replaced */
    size_t        count;    /* points */
    size_t        told;
    size_t        capacity; /* components of g, the prior's included */
    double       *losses;   /* (capacity), by component; infinity while pending */
    bool         *is_told;  /* (capacity) */
    uint32_t     *by_loss;  /* (capacity) components of finite loss, best first */
    size_t        finite;
    uint32_t     *sorted; /* (dimensions, capacity) components active there, by coordinate */
    size_t       *active; /* (dimensions) how many those are */
    TpeMixture    above;  /* every point is a component at its number + 1; those in l weigh 0 */
    TpeMixture    below;
    bool         *chosen;       /* (capacity) in l */
    bool         *fitted;       /* (capacity) in g when the mixtures were set last */
    size_t        fitted_count; /* points then; 0: everything has to be set anew */
    size_t        fitted_above; /* of them in g */
    uint32_t     *rank;         /* (capacity) component of l of those that are */
    uint32_t     *order;        /* (most_below + 1) */
    float        *queries;      /* (dimensions, candidates), centres' coordinates; NaN inactive */
    float        *tile;         /* (dimensions, TPE_TILE) */
    double       *scores;       /* (2, candidates) */
    bool          fresh;        /* the mixtures belong to the points */
};

/** Coordinate of a point as centres have it: the index for categorical, else clamped; NaN stays. */
float tpe__query(const TpeDimension *dimension, double coordinate);
/** Ordered with a geometric kernel. */
bool tpe__is_geometric(const TpeDimension *dimension);
/** Sets both mixtures from the points. */
void tpe__fit(Tpe *tpe);
/** Log densities of `n` queries (d, n) under a mixture. */
void tpe__score(const Tpe *tpe, const TpeMixture *mixture, const float *queries, size_t n,
                double *out);
/** One coordinate drawn from a component's kernel in dimension j. */
double tpe__draw(const Tpe *tpe, const TpeMixture *mixture, size_t component, size_t j, Rng *rng);

#endif
