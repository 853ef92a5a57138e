/* The two mixtures: which points are in, how wide their kernels are, and their densities.
 *
 * l holds the share_below best of the told points (25 at most) with weights (log(n + 1) -
 * log(rank))^1.5, near those by which CMA-ES weighs its parents; g holds all others with equal
 * weights. One prior component each: a normal at the middle with deviation 1. Kernels are products
 * over dimensions:
 *   continuous   normal, truncated to [0, 1]. Deviation: the larger gap to the neighbours in its
 *                mixture along that dimension, the prior's centre being one (Bergstra et al. 2011),
 *                not below 1 / min(100, n + 2) (Optuna's "magic clip"); in l a quarter more, at
 *                most 2.5 standard deviations of l's points, not below 0.75 of that bound
 *   ordered      p ~ exp(-|cell - centre| sqrt(2) / deviation): Wang and van Ryzin's (1981)
 *                geometric kernel, whose sum over the cells has a closed form
 *   categorical  (1 + 1/n) / (1 + c/n) for its own value, (1/n) / (1 + c/n) for each other one;
 *                n counts the prior
 * Densities and normalizers are in float, summed in blocks whose order is fixed: the same bits on
 * every vector width.
 *
 * Budget, d dimensions, n points, 24 candidates, 16 lanes. All kernels anew: a walk along the
 * sorted order (2 ns per point and dimension, random reads) and 130 vector operations / 16 (2 ns),
 * 1.6 ms at d = 40, n = 10 000. So kernels are kept, and only those of points that came into g or
 * left it, and of their neighbours, are set anew (bit for bit the same); base is summed anew, 0.2
 * ms. Scores: 24 n d terms of 4 operations and 24 n exponentials of 25: 0.5 ms at the peak of two
 * vectors a cycle, 1 ms expected. Measured (processor time, busy core): 0.5 and 1.2 ms.
 */
#include "core/optimize/tpe_internal.h"

#include "core/kernel.h"
#include "core/vector_math.h"

#include <math.h>
#include <string.h>

enum { MOST_CHANGED = 64 };

static const float  widen_below = 1.25f;
static const float  deviations_below = 2.5f;
static const float  clip_below = 0.75f;
static const double weight_power = 1.5;
static const float  most_kernels = 100.0f;
static const float  log_root_two_pi = 0.918938533204672742f;
static const float  prior_mass = 0.382924922548026f; /* of a standard normal within +-1/2 */
static const float  inactive = -1.0f;                /* stands for a width */

bool tpe__is_geometric(const TpeDimension *dimension) {
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

static float clip_of(size_t kernels) {
    return 1.0f / fminf(most_kernels, (float)kernels + 2);
}

static Widths limits(const Tpe *t, size_t j, size_t kernels) {
    const TpeDimension *dimension = &t->dimensions[j];
    Widths              w = {.factor = 1, .least = clip_of(kernels), .most = 1};
    if (tpe__is_geometric(dimension)) { /* neighbours keep a seventh of the middle's probability */
        w.least = fmaxf(w.least, 0.70710678f / (float)dimension->values);
    }
    return w;
}

/* `n` kernels from component `first` on, whose widths stand in `inverse` */
static void set_kernels(const Tpe *t, const TpeMixture *m, size_t j, Widths w, size_t first,
                        size_t n) {
    const TpeDimension *dimension = &t->dimensions[j];
    const size_t        at = j * m->stride + first;
    if (tpe__is_geometric(dimension)) {
        const float cells = (float)dimension->values;
        geometric_kernels(m->centre + at, n, w, cells, logf(cells), m->inverse + at, m->norm + at);
    } else {
        normal_kernels(m->centre + at, n, w, m->inverse + at, m->norm + at);
    }
}

/* categorical kernels change with the number of points: always all of them */
static void fit_categorical(const Tpe *t, const TpeMixture *m, size_t j, const uint32_t *list,
                            size_t active, size_t kernels) {
    float       *inverse = m->inverse + j * m->stride;
    float       *norm = m->norm + j * m->stride;
    const float  values = (float)t->dimensions[j].values;
    const size_t n = m->blocks * TPE_BLOCK;
    for (size_t k = 0; k < n; k++) {
        inverse[k] = inactive;
    }
    for (size_t i = 0; i < active; i++) {
        inverse[list[i]] = 0;
    }
    categorical_kernels(n, (float)kernels + 1, values, inverse, norm);
    m->centre[j * m->stride] = -1;
    inverse[0] = 0;
    norm[0] = -logf(values);
}

/* the components of one dimension of a mixture with `kernels` points; list as above */
static void fit_dimension(const Tpe *t, const TpeMixture *m, size_t j, const uint32_t *list,
                          size_t active, const bool *skip, size_t kernels) {
    float       *centre = m->centre + j * m->stride;
    float       *inverse = m->inverse + j * m->stride;
    const size_t n = m->blocks * TPE_BLOCK;
    Widths       w = limits(t, j, kernels);
    if (m == &t->below) {
        w.factor = widen_below;
        w.least *= clip_below;
        w.most = (active > 1) ? deviations_below * deviation(m, centre, list, active) : 1;
    }
    for (size_t k = 0; k < n; k++) {
        inverse[k] = inactive;
    }
    centre[0] = 0.5f;
    gaps_to_widths(list, active, skip, centre, inverse);
    inverse[0] = inactive; /* of cells the prior is uniform, as what is inactive */
    set_kernels(t, m, j, w, 0, n);
    if (!tpe__is_geometric(&t->dimensions[j])) {
        inverse[0] = 1;
        m->norm[j * m->stride] = -log_root_two_pi - logf(prior_mass);
    }
}

/* where `component` stands in the order of dimension j; active[j] if it is not active there */
static size_t place_of(const Tpe *t, size_t j, uint32_t component) {
    const uint32_t *sorted = t->sorted + j * t->capacity;
    const float    *centre = t->above.centre + j * t->above.stride;
    size_t          low = 0;
    size_t          high = t->active[j];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (centre[sorted[middle]] < centre[component]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < t->active[j] && centre[sorted[low]] == centre[component]) {
        if (sorted[low] == component) {
            return low;
        }
        low++;
    }
    return t->active[j];
}

/* one kernel of g from its neighbours: what gaps_to_widths() finds for it */
static void refit_kernel(const Tpe *t, size_t j, size_t place, Widths w) {
    const uint32_t *sorted = t->sorted + j * t->capacity;
    const float    *centre = t->above.centre + j * t->above.stride;
    const uint32_t  component = sorted[place];
    const float     here = centre[component];
    size_t          before = place;
    size_t          after = place + 1;
    while (before > 0 && t->chosen[sorted[before - 1]]) {
        before--;
    }
    while (after < t->active[j] && t->chosen[sorted[after]]) {
        after++;
    }
    float low = (before > 0) ? centre[sorted[before - 1]] : here;
    float high = (after < t->active[j]) ? centre[sorted[after]] : here;
    if (here > 0.5f && (before == 0 || low < 0.5f)) {
        low = 0.5f;
    }
    if (here <= 0.5f && (after == t->active[j] || high > 0.5f)) {
        high = 0.5f;
    }
    const float left = here - low;
    const float right = high - here;
    float      *width = t->above.inverse + j * t->above.stride + component;
    *width = t->chosen[component] ? inactive : (right > left) ? right : left;
    set_kernels(t, &t->above, j, w, component, 1);
}

/* a component that came into g or left it, and its neighbours */
static void refit_around(const Tpe *t, size_t j, uint32_t component, Widths w) {
    const uint32_t *sorted = t->sorted + j * t->capacity;
    const size_t    place = place_of(t, j, component);
    if (place == t->active[j]) {
        t->above.inverse[j * t->above.stride + component] = inactive;
        set_kernels(t, &t->above, j, w, component, 1);
        return;
    }
    refit_kernel(t, j, place, w);
    for (size_t i = place; i > 0; i--) {
        if (!t->chosen[sorted[i - 1]]) {
            refit_kernel(t, j, i - 1, w);
            break;
        }
    }
    for (size_t i = place + 1; i < t->active[j]; i++) {
        if (!t->chosen[sorted[i]]) {
            refit_kernel(t, j, i, w);
            break;
        }
    }
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
        m->weight[k] = pow(log((double)n + 1) - log((double)k), weight_power);
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
        if (t->dimensions[j].kind == TPE_CATEGORICAL) {
            fit_categorical(t, m, j, t->order, active, n);
        } else {
            fit_dimension(t, m, j, t->order, active, NULL, n);
        }
    }
    fit_base(t, m);
}

/* components that came into g or left it since the last fit; more than MOST_CHANGED if everything
 * has to be set anew */
static size_t find_changed(Tpe *t, size_t kernels, uint32_t changed[MOST_CHANGED]) {
    size_t n = 0;
    if (t->fitted_count == 0 || clip_of(kernels) != clip_of(t->fitted_above)) {
        n = MOST_CHANGED + 1;
    }
    for (size_t k = 1; k <= t->count; k++) {
        const bool is = !t->chosen[k];
        const bool was = k <= t->fitted_count && t->fitted[k];
        if (is != was || k > t->fitted_count) {
            if (n < MOST_CHANGED) {
                changed[n] = (uint32_t)k;
            }
            n++;
        }
        t->fitted[k] = is;
    }
    t->fitted_count = t->count;
    t->fitted_above = kernels;
    return n;
}

static void fit_above(Tpe *t, size_t kernels) {
    TpeMixture  *m = &t->above;
    uint32_t     changed[MOST_CHANGED];
    const size_t changes = find_changed(t, kernels, changed);
    m->blocks = blocks_of(t->count + 1);
    for (size_t k = 0; k < m->blocks * TPE_BLOCK; k++) {
        m->weight[k] = (k > t->count || t->chosen[k]) ? 0 : 1;
    }
    m->weight[0] = t->settings.prior_weight;
    for (size_t j = 0; j < t->d; j++) {
        const uint32_t *sorted = t->sorted + j * t->capacity;
        if (t->dimensions[j].kind == TPE_CATEGORICAL) {
            fit_categorical(t, m, j, sorted, t->active[j], kernels);
        } else if (changes > MOST_CHANGED) {
            fit_dimension(t, m, j, sorted, t->active[j], t->chosen, kernels);
        } else {
            for (size_t i = 0; i < changes; i++) {
                refit_around(t, j, changed[i], limits(t, j, kernels));
            }
        }
    }
    fit_base(t, m);
}

void tpe__fit(Tpe *t) {
    const size_t n = size_below(t);
    memset(t->chosen, 0, (t->count + 1) * sizeof *t->chosen);
    for (size_t k = 0; k < n; k++) {
        t->chosen[t->by_loss[k]] = true;
        t->rank[t->by_loss[k]] = (uint32_t)k + 1;
    }
    fit_above(t, t->count - n);
    fit_below(t, n);
}
