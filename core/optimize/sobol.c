#include "core/optimize/sobol.h"

#include "core/optimize/sobol_internal.h"
#include "core/rng.h"

#include <stdlib.h>

enum { INDEX_BITS = 32, POINT_BITS = 53 };

struct Sobol {
    size_t dimensions;
    /* (INDEX_BITS, dimensions): what bit k of the Gray code adds, in units of 2^-53 */
    uint64_t *columns;
    uint64_t *shift; /* (dimensions) */
};

/* direction numbers of one dimension; the top bit is the digit 1/2 */
static void direction_columns(size_t dimension, uint32_t columns[INDEX_BITS]) {
    for (uint32_t k = 0; k < INDEX_BITS; k++) {
        columns[k] = UINT32_C(1) << (INDEX_BITS - 1 - k);
    }
    if (dimension == 0) {
        return;
    }
    const SobolDirections *d = &sobol__directions[dimension - 1];
    uint32_t               degree = 0;
    while (d->polynomial >> (degree + 1) != 0) {
        degree++;
    }
    for (uint32_t k = 0; k < degree; k++) {
        columns[k] *= d->initial[k];
    }
    for (uint32_t k = degree; k < INDEX_BITS; k++) {
        columns[k] = columns[k - degree] ^ (columns[k - degree] >> degree);
        for (uint32_t i = 1; i < degree; i++) {
            if ((d->polynomial >> (degree - i) & 1) != 0) {
                columns[k] ^= columns[k - i];
            }
        }
    }
}

static uint32_t parity(uint32_t word) {
    return (uint32_t)__builtin_parity(word);
}

/* digit r of a point becomes itself plus a random sum of the digits above it; the digits below the
 * 32nd are random sums of all of them */
static void scramble(const uint32_t plain[INDEX_BITS], Rng *rng, uint64_t scrambled[INDEX_BITS]) {
    for (uint32_t k = 0; k < INDEX_BITS; k++) {
        scrambled[k] = 0;
    }
    for (uint32_t r = 0; r < POINT_BITS; r++) {
        uint32_t row = rng_u32(rng);
        if (r < INDEX_BITS) {
            row = (row & ~(UINT32_MAX >> r)) | UINT32_C(1) << (INDEX_BITS - 1 - r);
        }
        for (uint32_t k = 0; k < INDEX_BITS; k++) {
            scrambled[k] |= (uint64_t)parity(row & plain[k]) << (POINT_BITS - 1 - r);
        }
    }
}

static void fill_dimension(Sobol *sobol, size_t dimension, SobolScrambling scrambling,
                           uint64_t seed) {
    uint32_t plain[INDEX_BITS];
    uint64_t columns[INDEX_BITS];
    direction_columns(dimension, plain);
    if (scrambling == SOBOL_SCRAMBLED) {
        Rng rng = rng_stream_lane(seed, 0, RNG_SOBOL, (uint32_t)dimension);
        scramble(plain, &rng, columns);
        sobol->shift[dimension] = rng_u64(&rng) >> (64 - POINT_BITS);
    } else {
        for (uint32_t k = 0; k < INDEX_BITS; k++) {
            columns[k] = (uint64_t)plain[k] << (POINT_BITS - INDEX_BITS);
        }
        sobol->shift[dimension] = 0;
    }
    for (uint32_t k = 0; k < INDEX_BITS; k++) {
        sobol->columns[k * sobol->dimensions + dimension] = columns[k];
    }
}

Status sobol_create(size_t dimensions, SobolScrambling scrambling, uint64_t seed, Sobol **out) {
    *out = NULL;
    if (dimensions < 1 || dimensions > SOBOL_MAX_DIMENSIONS) {
        FAIL(STATUS_ERR_RANGE, "Sobol points have 1 to %d dimensions, not %zu",
             SOBOL_MAX_DIMENSIONS, dimensions);
    }
    Sobol *sobol = calloc(1, sizeof *sobol);
    if (sobol == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Sobol points");
    }
    sobol->dimensions = dimensions;
    sobol->columns = calloc(dimensions * INDEX_BITS, sizeof *sobol->columns);
    sobol->shift = calloc(dimensions, sizeof *sobol->shift);
    if (sobol->columns == NULL || sobol->shift == NULL) {
        sobol_destroy(sobol);
        FAIL(STATUS_ERR_NOMEM, "no memory for Sobol points of %zu dimensions", dimensions);
    }
    for (size_t d = 0; d < dimensions; d++) {
        fill_dimension(sobol, d, scrambling, seed);
    }
    *out = sobol;
    return STATUS_OK;
}

void sobol_destroy(Sobol *sobol) {
    if (sobol != NULL) {
        free(sobol->columns);
        free(sobol->shift);
        free(sobol);
    }
}

Status sobol_points(const Sobol *sobol, uint64_t first, size_t n, double *points) {
    if (n > 0 && (first > SOBOL_MAX_INDEX || n - 1 > SOBOL_MAX_INDEX - first)) {
        FAIL(STATUS_ERR_RANGE, "Sobol points %llu and %zu more: the last index is %llu",
             (unsigned long long)first, n, (unsigned long long)SOBOL_MAX_INDEX);
    }
    const size_t dimensions = sobol->dimensions;
    const double unit = 0x1p-53;
    for (size_t j = 0; n > 0 && j < dimensions; j++) {
        uint64_t bits = sobol->shift[j];
        uint64_t gray = first ^ (first >> 1);
        for (; gray != 0; gray &= gray - 1) {
            bits ^= sobol->columns[(size_t)__builtin_ctzll(gray) * dimensions + j];
        }
        points[j] = (double)bits * unit;
        for (size_t i = 1; i < n; i++) {
            /* neighbours of the Gray code differ in the lowest set bit of the index */
            bits ^= sobol->columns[(size_t)__builtin_ctzll(first + i) * dimensions + j];
            points[i * dimensions + j] = (double)bits * unit;
        }
    }
    return STATUS_OK;
}
