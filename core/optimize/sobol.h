/** @file sobol.h  Sobol points in the unit cube, plain or scrambled, any index directly.
 *
 * A point is the exclusive or of one column per set bit of the index's Gray code, so it depends on
 * the index and the seed alone: nothing is stepped, and nothing has to be saved to go on.
 * Scrambling is a random lower triangular matrix per dimension and a digital shift (affine
 * scrambling): the net stays a net, a point is uniform in the cube, and unlike with Owen's nested
 * scrambling it costs nothing per point. Points have 53 random bits, the index 32.
 *
 * Sources: Sobol (1967); Joe and Kuo (2008); Matousek (1998), On the L2-discrepancy for anchored
 * boxes (scrambling); Antonov and Saleev (1979) (Gray code).
 */
#ifndef CORE_OPTIMIZE_SOBOL_H
#define CORE_OPTIMIZE_SOBOL_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>

enum { SOBOL_MAX_DIMENSIONS = 256 };

#define SOBOL_MAX_INDEX UINT32_MAX

typedef enum SobolScrambling { SOBOL_PLAIN, SOBOL_SCRAMBLED } SobolScrambling;

typedef struct Sobol Sobol; /* immutable after sobol_create(), so threads may share it */

/**
 * @param dimensions  1 to SOBOL_MAX_DIMENSIONS
 * @param seed        of the scrambling (stream RNG_SOBOL, one lane per dimension); a dimension's
 *                    scrambling does not depend on how many there are
 * @return STATUS_OK; STATUS_ERR_RANGE; STATUS_ERR_NOMEM; `*out` is NULL on every error
 */
Status sobol_create(size_t dimensions, SobolScrambling scrambling, uint64_t seed,
                    Sobol **out) MUST_USE;
void   sobol_destroy(Sobol *sobol);

/**
 * Points number `first` to `first` + n - 1. Blocks of 2^m points that begin at a multiple of 2^m
 * are the balanced ones. Plain point 0 is the corner 0.
 *
 * Shapes: points (n, dimensions), row-major, each in [0, 1).
 * @return STATUS_OK; STATUS_ERR_RANGE if an index is above SOBOL_MAX_INDEX (`points` unchanged)
 * Cost: about dimensions (n + 16) exclusive ors.
 */
Status sobol_points(const Sobol *sobol, uint64_t first, size_t n, double *points) MUST_USE;

#endif
