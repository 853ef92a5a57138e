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

/* log densities of one query under one block of components, less the maximum, which is returned */
static KERNEL_CLONES float score_block(const Tpe *t, const TpeMixture *m, size_t first,
                                       const float *query, size_t query_stride, float *sum) {
    float squares[TPE_BLOCK] = {0};
    float terms[TPE_BLOCK] = {0};
    float value[TPE_BLOCK];
    for (size_t j = 0; j < t->d; j++) {
        const float  x = query[j * query_stride];
        const float *centre = m->centre + j * m->stride + first;
        const float *inverse = m->inverse + j * m->stride + first;
        if (x != x) {
            const float *norm = m->norm + j * m->stride + first;
            for (size_t k = 0; k < TPE_BLOCK; k++) {
                terms[k] += norm[k];
            }
        } else if (t->dimensions[j].kind == TPE_CATEGORICAL) {
            for (size_t k = 0; k < TPE_BLOCK; k++) {
                terms[k] += vector_choose(centre[k] == x, 0.0f, inverse[k]);
            }
        } else if (tpe__is_geometric(&t->dimensions[j])) {
            for (size_t k = 0; k < TPE_BLOCK; k++) {
                const float off = vector_from_bits(vector_bits(x - centre[k]) & 0x7fffffffu);
                terms[k] += off * inverse[k];
            }
        } else {
            for (size_t k = 0; k < TPE_BLOCK; k++) {
                const float off = (x - centre[k]) * inverse[k];
                squares[k] += off * off;
            }
        }
    }
    float lanes[TPE_LANES];
    for (size_t k = 0; k < TPE_BLOCK; k++) {
        value[k] = m->base[first + k] - terms[k] - 0.5f * squares[k];
    }
    for (size_t l = 0; l < TPE_LANES; l++) {
        lanes[l] = value[l];
    }
    for (size_t k = TPE_LANES; k < TPE_BLOCK; k += TPE_LANES) {
        for (size_t l = 0; l < TPE_LANES; l++) {
            lanes[l] = vector_choose(value[k + l] > lanes[l], value[k + l], lanes[l]);
        }
    }
    float largest = lanes[0];
    for (size_t l = 1; l < TPE_LANES; l++) {
        largest = (lanes[l] > largest) ? lanes[l] : largest;
    }
    /* a block of nothing but -infinity */
    const float shift = (largest > -1e30f) ? largest : 0.0f;
    for (size_t l = 0; l < TPE_LANES; l++) {
        lanes[l] = 0;
    }
    for (size_t k = 0; k < TPE_BLOCK; k += TPE_LANES) {
        for (size_t l = 0; l < TPE_LANES; l++) {
            lanes[l] += vector_exp_one(value[k + l] - shift);
        }
    }
    *sum = 0;
    for (size_t l = 0; l < TPE_LANES; l++) {
        *sum += lanes[l];
    }
    return largest;
}

void tpe__score(const Tpe *t, const TpeMixture *m, const float *queries, size_t n, double *out) {
    double largest[TPE_MAX_CANDIDATES];
    double sums[TPE_MAX_CANDIDATES];
    for (size_t i = 0; i < n; i++) {
        largest[i] = -(double)INFINITY;
        sums[i] = 0;
    }
    for (size_t b = 0; b < m->blocks; b++) {
        for (size_t i = 0; i < n; i++) {
            float        sum = 0;
            const double top = (double)score_block(t, m, b * TPE_BLOCK, queries + i, n, &sum);
            if (top > largest[i]) {
                sums[i] = sums[i] * exp(largest[i] - top) + (double)sum;
                largest[i] = top;
            } else if (isfinite(top)) {
                sums[i] += (double)sum * exp(top - largest[i]);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = largest[i] + log(sums[i]);
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
