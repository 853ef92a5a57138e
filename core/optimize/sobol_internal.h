/** @file sobol_internal.h  The table behind sobol.c; for it and its test only. */
#ifndef CORE_OPTIMIZE_SOBOL_INTERNAL_H
#define CORE_OPTIMIZE_SOBOL_INTERNAL_H

#include "core/optimize/sobol.h"

#include <stdint.h>

enum { SOBOL_MAX_DEGREE = 11 };

typedef struct SobolDirections {
    uint16_t polynomial;                /* primitive over GF(2); bit i is the coefficient of x^i */
    uint16_t initial[SOBOL_MAX_DEGREE]; /* m_1 to m_degree: odd, m_k < 2^k */
} SobolDirections;

/* of dimensions 1 to SOBOL_MAX_DIMENSIONS - 1 */
extern const SobolDirections sobol__directions[SOBOL_MAX_DIMENSIONS - 1];

#endif
