/* Densities of points under a mixture, and draws from its kernels. */
#include "core/optimize/tpe_internal.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>

float tpe__query(const TpeDimension *dimension, double coordinate) {
    if (isnan(coordinate)) {
        return (float)NAN;
    }
    const double u = fmin(fmax(coordinate, 0), 1);
    if (dimension->kind == TPE_CATEGORICAL) {
        const double values = (double)dimension->values;
        return (float)fmin(floor(u * values), values - 1);
    }
    return (float)u;
}

/* TPE_TILE queries under one block of components at once: the loads of kernels are shared, and
 * four chains of additions hide each other's latency */

typedef struct Tile {
    float largest[TPE_TILE];
    float sums[TPE_TILE];
} Tile;

/* what is no normal kernel, or not active: one query, one dimension */
static inline void add_terms(const TpeDimension *dimension, float x, const float *centre,
                             const float *inverse, const float *norm, float *terms) {
    if (x != x) {
        for (size_t k = 0; k < TPE_BLOCK; k++) {
            terms[k] += norm[k];
        }
    } else if (dimension->kind == TPE_CATEGORICAL) {
        for (size_t k = 0; k < TPE_BLOCK; k++) {
            terms[k] += vector_choose(centre[k] == x, 0.0f, inverse[k]);
        }
    } else {
        for (size_t k = 0; k < TPE_BLOCK; k++) {
            terms[k] += vector_from_bits(vector_bits(x - centre[k]) & 0x7fffffffu) * inverse[k];
        }
    }
}

static inline bool is_normal_kernel(const TpeDimension *dimension) {
    return dimension->kind == TPE_CONTINUOUS ||
           (dimension->kind == TPE_ORDERED && dimension->values > TPE_MOST_ORDERED);
}

/* largest of the block's log densities, and the sum of exponentials below it */
static inline void reduce(const float *value, float *largest, float *sum) {
    float lanes[TPE_LANES];
    for (size_t l = 0; l < TPE_LANES; l++) {
        lanes[l] = value[l];
    }
    for (size_t k = TPE_LANES; k < TPE_BLOCK; k += TPE_LANES) {
        for (size_t l = 0; l < TPE_LANES; l++) {
            lanes[l] = vector_choose(value[k + l] > lanes[l], value[k + l], lanes[l]);
        }
    }
    float top = lanes[0];
    for (size_t l = 1; l < TPE_LANES; l++) {
        top = (lanes[l] > top) ? lanes[l] : top;
    }
    const float shift = (top > -1e30f) ? top : 0.0f; /* a block of nothing but -infinity */
    for (size_t l = 0; l < TPE_LANES; l++) {
        lanes[l] = 0;
    }
    for (size_t k = 0; k < TPE_BLOCK; k += TPE_LANES) {
        for (size_t l = 0; l < TPE_LANES; l++) {
            lanes[l] += vector_exp_one(value[k + l] - shift);
        }
    }
    *largest = top;
    *sum = 0;
    for (size_t l = 0; l < TPE_LANES; l++) {
        *sum += lanes[l];
    }
}

/* a dimension with normal kernels that is active in all four queries: nearly all of the work */
static inline void add_squares(const float *x, const float *centre, const float *inverse,
                               float squares[TPE_TILE][TPE_BLOCK]) {
    const float x0 = x[0];
    const float x1 = x[1];
    const float x2 = x[2];
    const float x3 = x[3];
    for (size_t k = 0; k < TPE_BLOCK; k++) {
        const float a = (x0 - centre[k]) * inverse[k];
        const float b = (x1 - centre[k]) * inverse[k];
        const float c = (x2 - centre[k]) * inverse[k];
        const float e = (x3 - centre[k]) * inverse[k];
        squares[0][k] += a * a;
        squares[1][k] += b * b;
        squares[2][k] += c * c;
        squares[3][k] += e * e;
    }
}

static inline void add_square(float x, const float *centre, const float *inverse, float *squares) {
    for (size_t k = 0; k < TPE_BLOCK; k++) {
        const float off = (x - centre[k]) * inverse[k];
        squares[k] += off * off;
    }
}

/* queries (d, TPE_TILE) */
static KERNEL_CLONES void score_tile(const Tpe *t, const TpeMixture *m, size_t first,
                                     const float *queries, Tile *tile) {
    /* local, so that the compiler sees that nothing overlaps */
    float squares[TPE_TILE][TPE_BLOCK] = {{0}};
    float terms[TPE_TILE][TPE_BLOCK] = {{0}};
    for (size_t j = 0; j < t->d; j++) {
        const float *x = queries + j * TPE_TILE;
        const float *centre = m->centre + j * m->stride + first;
        const float *inverse = m->inverse + j * m->stride + first;
        const float  sum = x[0] + x[1] + x[2] + x[3];
        if (is_normal_kernel(&t->dimensions[j]) && sum == sum) {
            add_squares(x, centre, inverse, squares);
            continue;
        }
        const float *norm = m->norm + j * m->stride + first;
        for (size_t q = 0; q < TPE_TILE; q++) {
            if (is_normal_kernel(&t->dimensions[j]) && x[q] == x[q]) {
                add_square(x[q], centre, inverse, squares[q]);
            } else {
                add_terms(&t->dimensions[j], x[q], centre, inverse, norm, terms[q]);
            }
        }
    }
    for (size_t q = 0; q < TPE_TILE; q++) {
        float value[TPE_BLOCK];
        for (size_t k = 0; k < TPE_BLOCK; k++) {
            value[k] = m->base[first + k] - terms[q][k] - 0.5f * squares[q][k];
        }
        reduce(value, &tile->largest[q], &tile->sums[q]);
    }
}

typedef struct LogSum {
    double largest;
    double sum;
} LogSum;

static void add_block(LogSum *s, double largest, double sum) {
    if (largest > s->largest) {
        s->sum = s->sum * exp(s->largest - largest) + sum;
        s->largest = largest;
    } else if (isfinite(largest)) {
        s->sum += sum * exp(largest - s->largest);
    }
}

void tpe__score(const Tpe *t, const TpeMixture *m, const float *queries, size_t n, double *out) {
    Tile tile;
    for (size_t i = 0; i < n; i += TPE_TILE) {
        LogSum sums[TPE_TILE];
        for (size_t q = 0; q < TPE_TILE; q++) {
            sums[q] = (LogSum){-(double)INFINITY, 0};
            for (size_t j = 0; j < t->d; j++) { /* the last query stands in for missing ones */
                t->tile[j * TPE_TILE + q] = queries[j * n + ((i + q < n) ? i + q : n - 1)];
            }
        }
        for (size_t b = 0; b < m->blocks; b++) {
            score_tile(t, m, b * TPE_BLOCK, t->tile, &tile);
            for (size_t q = 0; q < TPE_TILE; q++) {
                add_block(&sums[q], (double)tile.largest[q], (double)tile.sums[q]);
            }
        }
        for (size_t q = 0; q < TPE_TILE && i + q < n; q++) {
            out[i + q] = sums[q].largest + log(sums[q].sum);
        }
    }
}

static double snap(const TpeDimension *dimension, double u) {
    const double values = (double)dimension->values;
    return (dimension->kind == TPE_CONTINUOUS)
               ? u
               : (fmin(floor(u * values), values - 1) + 0.5) / values;
}

/* by walking the cells: there are at most TPE_MOST_ORDERED */
static double draw_geometric(const TpeDimension *dimension, double centre, double inverse,
                             Rng *rng) {
    const double cells = (double)dimension->values;
    double       total = 0;
    for (size_t i = 0; i < dimension->values; i++) {
        total += exp(-fabs(((double)i + 0.5) / cells - centre) * inverse);
    }
    double left = rng_uniform(rng) * total;
    size_t i = 0;
    for (; i + 1 < dimension->values; i++) {
        left -= exp(-fabs(((double)i + 0.5) / cells - centre) * inverse);
        if (left < 0) {
            break;
        }
    }
    return ((double)i + 0.5) / cells;
}

static double draw_categorical(const TpeDimension *dimension, double centre, double same,
                               Rng *rng) {
    const double values = (double)dimension->values;
    const double own = rng_uniform(rng);
    const double other = floor(rng_uniform(rng) * (values - 1));
    if (own < same || dimension->values < 2) {
        return (centre + 0.5) / values;
    }
    return (((other >= centre) ? other + 1 : other) + 0.5) / values;
}

double tpe__draw(const Tpe *t, const TpeMixture *m, size_t component, size_t j, Rng *rng) {
    const TpeDimension *dimension = &t->dimensions[j];
    const double        centre = (double)m->centre[j * m->stride + component];
    const double        inverse = (double)m->inverse[j * m->stride + component];
    if (inverse == 0) { /* knows nothing here, or the prior of values */
        return snap(dimension, rng_uniform(rng));
    }
    if (dimension->kind == TPE_CATEGORICAL) {
        return draw_categorical(dimension, centre, exp((double)m->norm[j * m->stride + component]),
                                rng);
    }
    if (tpe__is_geometric(dimension)) {
        return draw_geometric(dimension, centre, inverse, rng);
    }
    double u = 0;
    do { /* at least a third of the normal lies within */
        u = centre + rng_normal(rng) / inverse;
    } while (!(u >= 0 && u <= 1));
    return snap(dimension, u);
}
