/* The two mixtures: which points are in, how wide their kernels are, and their densities.
 *
 * l holds the share_below best of the told points (25 at most) with weights log(n + 1) - log(rank),
 * as CMA-ES weighs its parents; g holds all others with equal weights. One prior component each:
 * a normal at the middle with deviation 1. Kernels are products over dimensions:
 *   continuous   normal, truncated to [0, 1]. Deviation: the larger gap to the neighbours in its
 *                mixture along that dimension, the prior's centre being one (Bergstra et al. 2011);
 *                a quarter more in l, but at most 2.5 standard deviations of l's points; not below
 *                1 / min(100, n + 2) (Optuna's "magic clip")
 *   ordered      p ~ exp(-|cell - centre| sqrt(2) / deviation): Wang and van Ryzin's (1981)
 *                geometric kernel, whose sum over the cells has a closed form
 *   categorical  (1 + 1/n) / (1 + c/n) for its own value, (1/n) / (1 + c/n) for each other one
 * Densities and normalizers are in float, summed in blocks whose order is fixed: the same bits on
 * every vector width.
 *
 * Budget for d dimensions, n points, 24 candidates, 16 lanes: fit, per point and dimension, a walk
 * along the sorted order (about 2 ns, random reads from the L2) and some 130 vector operations / 16
 * (2 ns); scores 24 n d terms of 4 operations and 24 n exponentials of 25. For d = 40, n = 10 000:
 * 0.8 + 0.8 + 0.5 ms of the 3 ms allowed; d = 10, n = 1000: 0.05 of 0.2 ms. So the mixtures are
 * set anew for every decision, and only the sorted orders are kept from one to the next.
 */
#include "core/optimize/tpe_internal.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>
#include <string.h>

static const float widen_below = 1.25f;
static const float deviations_below = 2.5f;
static const float most_kernels = 100.0f;
static const float log_root_two_pi = 0.918938533204672742f;
static const float prior_mass = 0.382924922548026f; /* of a standard normal within +-1/2 */
static const float inactive = -1.0f;                /* stands for a width */

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

static bool is_geometric(const TpeDimension *dimension) {
    return dimension->kind == TPE_ORDERED && dimension->values <= TPE_MOST_ORDERED;
}

/* Widths from the larger gap to a neighbour. `list`: `m` components by coordinate, of which those
 * with skip[component] are not in the mixture. */
static void gaps_to_widths(const uint32_t *list, size_t m, const bool *skip, const float *centre,
                           float *width) {
    uint32_t before = 0;
    float    place = 0;
    float    left = 0;
    bool     any = false;
    bool     prior_passed = false;
    for (size_t i = 0; i <= m; i++) {
        /* one more step at the end, for a prior behind all of them */
        const bool end = i == m;
        if (!end && skip != NULL && skip[list[i]]) {
            continue;
        }
        const float here = end ? 1.0f : centre[list[i]];
        if (!prior_passed && here > 0.5f) {
            const float gap = any ? 0.5f - place : 0.0f;
            width[before] = (gap > left) ? gap : left;
            before = 0;
            place = 0.5f;
            left = gap;
            any = true;
            prior_passed = true;
        }
        if (!end) {
            const float gap = any ? here - place : 0.0f;
            width[before] = (gap > left) ? gap : left;
            before = list[i];
            place = here;
            left = gap;
            any = true;
        }
    }
    width[before] = left; /* component 0, the prior, is a bin for what is not needed */
}

/* distribution function of the normal distribution; Abramowitz and Stegun (1964), 7.1.26: absolute
 * error of erf 1.5e-7 */
static inline float normal_cdf(float z) {
    const float x = vector_from_bits(vector_bits(z) & 0x7fffffffu) * 0.707106781186547524f;
    const float t = 1.0f / (1.0f + 0.3275911f * x);
    float       p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float tail = 0.5f * (p * t) * vector_exp_one(-x * x);
    return vector_choose(z < 0.0f, tail, 1.0f - tail);
}

static inline float clamp_width(float width, float factor, float floor_width, float cap) {
    const float wide = width * factor;
    const float capped = vector_choose(wide > cap, cap, wide);
    const float raised = vector_choose(capped < floor_width, floor_width, capped);
    return vector_choose(raised > 1.0f, 1.0f, raised);
}

typedef struct Widths {
    float factor;
    float least;
    float most;
} Widths;

/* widths, standing in `inverse`, become what the scores need */
static KERNEL_CLONES void normal_kernels(const float *centre, size_t n, Widths w, float *inverse,
                                         float *norm) {
    for (size_t k = 0; k < n; k++) {
        const float s = clamp_width(inverse[k], w.factor, w.least, w.most);
        const float one = 1.0f / s;
        const float mass = normal_cdf((1.0f - centre[k]) * one) - normal_cdf(-centre[k] * one);
        const float log_norm = -log_root_two_pi - vector_log_normal(s * mass);
        const int   off = inverse[k] < 0.0f;
        inverse[k] = vector_choose(off, 0.0f, one);
        norm[k] = vector_choose(off, 0.0f, log_norm);
    }
}

static KERNEL_CLONES void geometric_kernels(const float *centre, size_t n, Widths w, float cells,
                                            float log_cells, float *inverse, float *norm) {
    const float cell = 1.0f / cells;
    for (size_t k = 0; k < n; k++) {
        const float s = clamp_width(inverse[k], w.factor, w.least, w.most);
        const float one = 1.41421356237309505f / s;
        const float r = vector_exp_one(-cell * one);
        const float left = vector_exp_one(-(centre[k] + 0.5f * cell) * one);
        const float right = vector_exp_one(-(1.0f - centre[k] + 0.5f * cell) * one);
        const float sum = (1.0f + r - left - right) / (1.0f - r);
        const int   off = inverse[k] < 0.0f;
        norm[k] = vector_choose(off, -log_cells, -vector_log_normal(sum));
        inverse[k] = vector_choose(off, 0.0f, one);
    }
}

static void categorical_kernels(size_t n, float kernels, float values, float *inverse,
                                float *norm) {
    const float same = (kernels + 1) / (kernels + values);
    for (size_t k = 0; k < n; k++) {
        const bool off = inverse[k] < 0;
        inverse[k] = off ? 0 : logf(kernels + 1);
        norm[k] = off ? -logf(values) : logf(same);
    }
}

/* weighted standard deviation of the points of l in one dimension */
static float deviation(const TpeMixture *m, const float *centre, const uint32_t *list, size_t n) {
    double sum = 0;
    double mean = 0;
    double squared = 0;
    for (size_t i = 0; i < n; i++) {
        sum += m->weight[list[i]];
        mean += m->weight[list[i]] * (double)centre[list[i]];
    }
    for (size_t i = 0; i < n; i++) {
        const double off = (double)centre[list[i]] - mean / sum;
        squared += m->weight[list[i]] * off * off;
    }
    return (float)sqrt(squared / sum);
}

/* the components of one dimension of a mixture with `kernels` points; list as above */
static void fit_dimension(const Tpe *t, const TpeMixture *m, size_t j, const uint32_t *list,
                          size_t active, const bool *skip, size_t kernels) {
    const TpeDimension *dimension = &t->dimensions[j];
    float              *centre = m->centre + j * m->stride;
    float              *inverse = m->inverse + j * m->stride;
    float              *norm = m->norm + j * m->stride;
    const size_t        n = m->blocks * TPE_BLOCK;
    const float         clip = 1.0f / fminf(most_kernels, (float)kernels + 2);
    const bool          below = m == &t->below;
    for (size_t k = 0; k < n; k++) {
        inverse[k] = inactive;
    }
    if (dimension->kind == TPE_CATEGORICAL) {
        for (size_t i = 0; i < active; i++) {
            inverse[list[i]] = 0;
        }
        categorical_kernels(n, (float)kernels + 1, (float)dimension->values, inverse, norm);
        centre[0] = -1;
        inverse[0] = 0;
        norm[0] = -logf((float)dimension->values);
        return;
    }
    Widths w = {.factor = below ? widen_below : 1, .least = clip, .most = 1};
    if (below && active > 1) {
        w.most = deviations_below * deviation(m, centre, list, active);
    }
    centre[0] = 0.5f;
    gaps_to_widths(list, active, skip, centre, inverse);
    inverse[0] = inactive;
    if (is_geometric(dimension)) {
        const float cells = (float)dimension->values;
        /* neighbours keep a seventh of the middle's probability */
        w.least = fmaxf(clip, 0.70710678f / cells);
        geometric_kernels(centre, n, w, cells, logf(cells), inverse, norm);
        return; /* the prior: uniform over cells */
    }
    normal_kernels(centre, n, w, inverse, norm);
    inverse[0] = 1;
    norm[0] = -log_root_two_pi - logf(prior_mass);
}

static KERNEL_CLONES void add_row(const float *row, size_t n, float *sum) {
    for (size_t k = 0; k < n; k++) {
        sum[k] += row[k];
    }
}

/* base = log of the normalized weight plus the norms of all dimensions */
static void fit_base(const Tpe *t, const TpeMixture *m) {
    const size_t n = m->blocks * TPE_BLOCK;
    double       total = 0;
    for (size_t k = 0; k < n; k++) {
        total += m->weight[k];
    }
    double last = -1;
    float  log_last = 0;
    for (size_t k = 0; k < n; k++) {
        if (m->weight[k] != last) {
            last = m->weight[k];
            log_last = (float)log(last / total);
        }
        m->base[k] = log_last; /* -infinity for no weight */
    }
    for (size_t j = 0; j < t->d; j++) {
        add_row(m->norm + j * m->stride, n, m->base);
    }
}

static size_t blocks_of(size_t components) {
    return (components + TPE_BLOCK - 1) / TPE_BLOCK;
}

static size_t size_below(const Tpe *t) {
    const double share = ceil(t->settings.share_below * (double)t->told);
    const size_t most = t->settings.most_below < t->finite ? t->settings.most_below : t->finite;
    return (share < (double)most) ? (size_t)share : most;
}

static void fit_below(Tpe *t, size_t n) {
    TpeMixture *m = &t->below;
    double      total = 0;
    m->blocks = blocks_of(n + 1);
    memset(m->weight, 0, m->stride * sizeof *m->weight);
    for (size_t k = 1; k <= n; k++) {
        m->weight[k] = log((double)n + 1) - log((double)k);
        total += m->weight[k];
    }
    for (size_t k = 1; k <= n; k++) {
        m->weight[k] *= (double)n / total;
    }
    m->weight[0] = t->settings.prior_weight;
    for (size_t j = 0; j < t->d; j++) {
        float *centre = m->centre + j * m->stride;
        size_t active = 0;
        for (size_t i = 0; i < t->active[j] && active < n; i++) {
            const uint32_t component = t->sorted[j * t->capacity + i];
            if (t->chosen[component]) {
                t->order[active++] = component;
            }
        }
        /* from components of g to ranks, which number those of l */
        for (size_t k = 0; k < n; k++) {
            centre[k + 1] = t->above.centre[j * t->above.stride + t->by_loss[k]];
        }
        for (size_t i = 0; i < active; i++) {
            t->order[i] = t->rank[t->order[i]];
        }
        fit_dimension(t, m, j, t->order, active, NULL, n);
    }
    fit_base(t, m);
}

void tpe__fit(Tpe *t) {
    const size_t n = size_below(t);
    TpeMixture  *above = &t->above;
    memset(t->chosen, 0, (t->count + 1) * sizeof *t->chosen);
    for (size_t k = 0; k < n; k++) {
        t->chosen[t->by_loss[k]] = true;
        t->rank[t->by_loss[k]] = (uint32_t)k + 1;
    }
    above->blocks = blocks_of(t->count + 1);
    for (size_t k = 0; k < above->blocks * TPE_BLOCK; k++) {
        above->weight[k] = (k > t->count || t->chosen[k]) ? 0 : 1;
    }
    above->weight[0] = t->settings.prior_weight;
    for (size_t j = 0; j < t->d; j++) {
        fit_dimension(t, above, j, t->sorted + j * t->capacity, t->active[j], t->chosen,
                      t->count - n);
    }
    fit_base(t, above);
    fit_below(t, n);
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
        } else if (is_geometric(&t->dimensions[j])) {
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
    if (is_geometric(dimension)) {
        return draw_geometric(dimension, centre, inverse, rng);
    }
    double u = 0;
    do { /* at least a third of the normal lies within */
        u = centre + rng_normal(rng) / inverse;
    } while (!(u >= 0 && u <= 1));
    return snap(dimension, u);
}
