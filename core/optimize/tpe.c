#include "core/optimize/tpe.h"

#include "core/optimize/tpe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

/* found on seven functions of 2 to 10 dimensions; decisions.md has the figures */
static const TpeSettings defaults = {
    .startup = 5, .candidates = 24, .most_below = 25, .share_below = 0.25, .prior_weight = 1};

static Status check_settings(const TpeSettings *s) {
    if (s->dimensions == NULL || s->dimension_count == 0) {
        FAIL(STATUS_ERR_RANGE, "TPE needs at least one dimension");
    }
    for (size_t j = 0; j < s->dimension_count; j++) {
        if (s->dimensions[j].kind != TPE_CONTINUOUS && s->dimensions[j].values == 0) {
            FAIL(STATUS_ERR_RANGE, "TPE: dimension %zu has no values", j);
        }
    }
    if (s->candidates > TPE_MAX_CANDIDATES || s->most_below > TPE_MAX_BELOW) {
        FAIL(STATUS_ERR_RANGE, "TPE: at most %d candidates and %d points below, found %zu and %zu",
             TPE_MAX_CANDIDATES, TPE_MAX_BELOW, s->candidates, s->most_below);
    }
    if (!(s->share_below >= 0 && s->share_below <= 1)) {
        FAIL(STATUS_ERR_RANGE, "TPE: share_below must lie in 0 to 1, found %g", s->share_below);
    }
    if (!(s->prior_weight >= 0 && isfinite(s->prior_weight))) {
        FAIL(STATUS_ERR_RANGE, "TPE: prior_weight must be 0 or more, found %g", s->prior_weight);
    }
    return STATUS_OK;
}

static void fill_settings(TpeSettings *s) {
    s->startup = (s->startup == 0) ? defaults.startup : s->startup;
    s->candidates = (s->candidates == 0) ? defaults.candidates : s->candidates;
    s->most_below = (s->most_below == 0) ? defaults.most_below : s->most_below;
    s->share_below = (s->share_below == 0) ? defaults.share_below : s->share_below;
    s->prior_weight = (s->prior_weight == 0) ? defaults.prior_weight : s->prior_weight;
}

static void free_mixture(TpeMixture *m) {
    free(m->centre);
    free(m->inverse);
    free(m->norm);
    free(m->base);
    free(m->weight);
}

static bool take_mixture(TpeMixture *m, size_t d, size_t components) {
    /* one block more: rows a power of two apart would share the same few sets of a cache */
    m->stride = ((components + TPE_BLOCK - 1) / TPE_BLOCK + 1) * TPE_BLOCK;
    m->centre = calloc(d * m->stride, sizeof *m->centre);
    m->inverse = calloc(d * m->stride, sizeof *m->inverse);
    m->norm = calloc(d * m->stride, sizeof *m->norm);
    m->base = calloc(m->stride, sizeof *m->base);
    m->weight = calloc(m->stride, sizeof *m->weight);
    return m->centre != NULL && m->inverse != NULL && m->norm != NULL && m->base != NULL &&
           m->weight != NULL;
}

/* everything that grows with the points */
static void free_points(Tpe *t) {
    free_mixture(&t->above);
    free(t->losses);
    free(t->is_told);
    free(t->by_loss);
    free(t->sorted);
    free(t->chosen);
    free(t->rank);
    free(t->fitted);
}

static bool take_points(Tpe *t, size_t d, size_t capacity) {
    t->capacity = capacity;
    t->losses = calloc(capacity, sizeof *t->losses);
    t->is_told = calloc(capacity, sizeof *t->is_told);
    t->by_loss = calloc(capacity, sizeof *t->by_loss);
    t->sorted = calloc(d * capacity, sizeof *t->sorted);
    t->chosen = calloc(capacity, sizeof *t->chosen);
    t->fitted = calloc(capacity, sizeof *t->fitted);
    t->rank = calloc(capacity, sizeof *t->rank);
    const bool mixture = take_mixture(&t->above, d, capacity);
    return mixture && t->losses != NULL && t->is_told != NULL && t->by_loss != NULL &&
           t->sorted != NULL && t->chosen != NULL && t->rank != NULL && t->fitted != NULL;
}

Status tpe_create(const TpeSettings *settings, Tpe **out) {
    *out = NULL;
    TRY(check_settings(settings));
    Tpe *tpe = calloc(1, sizeof *tpe);
    if (tpe == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for TPE");
    }
    TpeSettings *s = &tpe->settings;
    *s = *settings;
    fill_settings(s);
    tpe->d = s->dimension_count;
    tpe->dimensions = calloc(tpe->d, sizeof *tpe->dimensions);
    tpe->active = calloc(tpe->d, sizeof *tpe->active);
    tpe->order = calloc(s->most_below + 1, sizeof *tpe->order);
    tpe->queries = calloc(tpe->d * s->candidates, sizeof *tpe->queries);
    tpe->tile = calloc(tpe->d * TPE_TILE, sizeof *tpe->tile);
    tpe->scores = calloc(2 * s->candidates, sizeof *tpe->scores);
    const bool points = take_points(tpe, tpe->d, FIRST_CAPACITY);
    const bool below = take_mixture(&tpe->below, tpe->d, s->most_below + 1);
    if (!points || !below || tpe->dimensions == NULL || tpe->active == NULL || tpe->order == NULL ||
        tpe->queries == NULL || tpe->tile == NULL || tpe->scores == NULL) {
        tpe_destroy(tpe);
        FAIL(STATUS_ERR_NOMEM, "no memory for TPE of %zu dimensions", settings->dimension_count);
    }
    memcpy(tpe->dimensions, settings->dimensions, tpe->d * sizeof *tpe->dimensions);
    s->dimensions = tpe->dimensions;
    *out = tpe;
    return STATUS_OK;
}

void tpe_destroy(Tpe *tpe) {
    if (tpe == NULL) {
        return;
    }
    free_points(tpe);
    free_mixture(&tpe->below);
    free(tpe->dimensions);
    free(tpe->active);
    free(tpe->order);
    free(tpe->queries);
    free(tpe->tile);
    free(tpe->scores);
    free(tpe);
}

static Status grow(Tpe *tpe) {
    Tpe          old = *tpe;
    const size_t used = old.count + 1;
    if (!take_points(tpe, old.d, 2 * old.capacity)) {
        free_points(tpe);
        *tpe = old;
        FAIL(STATUS_ERR_NOMEM, "no memory for more than %zu points of TPE", old.count);
    }
    memcpy(tpe->losses, old.losses, used * sizeof *tpe->losses);
    memcpy(tpe->is_told, old.is_told, used * sizeof *tpe->is_told);
    memcpy(tpe->by_loss, old.by_loss, used * sizeof *tpe->by_loss);
    for (size_t j = 0; j < old.d; j++) {
        memcpy(tpe->sorted + j * tpe->capacity, old.sorted + j * old.capacity,
               used * sizeof *tpe->sorted);
        memcpy(tpe->above.centre + j * tpe->above.stride, old.above.centre + j * old.above.stride,
               used * sizeof *tpe->above.centre);
    }
    tpe->fitted_count = 0;
    free_points(&old);
    return STATUS_OK;
}

/* into the order of dimension j, behind equals */
static void sort_in(Tpe *tpe, size_t j, uint32_t component) {
    uint32_t    *sorted = tpe->sorted + j * tpe->capacity;
    const float *centre = tpe->above.centre + j * tpe->above.stride;
    size_t       low = 0;
    size_t       high = tpe->active[j];
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (centre[sorted[middle]] > centre[component]) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    memmove(sorted + low + 1, sorted + low, (tpe->active[j] - low) * sizeof *sorted);
    sorted[low] = component;
    tpe->active[j]++;
}

Status tpe_add(Tpe *tpe, const double *point, size_t *number) {
    if (tpe->count + 1 == tpe->capacity) {
        TRY(grow(tpe));
    }
    const size_t component = tpe->count + 1;
    for (size_t j = 0; j < tpe->d; j++) {
        const float centre = tpe__query(&tpe->dimensions[j], point[j]);
        tpe->above.centre[j * tpe->above.stride + component] = isnan(centre) ? 0.5f : centre;
        if (!isnan(centre)) {
            sort_in(tpe, j, (uint32_t)component);
        }
    }
    tpe->losses[component] = (double)INFINITY;
    tpe->is_told[component] = false;
    if (number != NULL) {
        *number = tpe->count;
    }
    tpe->count++;
    tpe->fresh = false;
    return STATUS_OK;
}

/* out of, and into, the order of finite losses; equals by number */
static void rank_out(Tpe *tpe, uint32_t component) {
    for (size_t i = 0; i < tpe->finite; i++) {
        if (tpe->by_loss[i] == component) {
            tpe->finite--;
            memmove(tpe->by_loss + i, tpe->by_loss + i + 1,
                    (tpe->finite - i) * sizeof *tpe->by_loss);
            return;
        }
    }
}

static void rank_in(Tpe *tpe, uint32_t component) {
    size_t i = tpe->finite;
    while (i > 0 && (tpe->losses[tpe->by_loss[i - 1]] > tpe->losses[component] ||
                     (tpe->losses[tpe->by_loss[i - 1]] == tpe->losses[component] &&
                      tpe->by_loss[i - 1] > component))) {
        tpe->by_loss[i] = tpe->by_loss[i - 1];
        i--;
    }
    tpe->by_loss[i] = component;
    tpe->finite++;
}

Status tpe_tell(Tpe *tpe, size_t number, double loss) {
    if (number >= tpe->count) {
        FAIL(STATUS_ERR_RANGE, "TPE has %zu points, so none has number %zu", tpe->count, number);
    }
    const size_t component = number + 1;
    if (isfinite(tpe->losses[component])) {
        rank_out(tpe, (uint32_t)component);
    }
    tpe->told += !tpe->is_told[component];
    tpe->is_told[component] = true;
    tpe->losses[component] = isfinite(loss) ? loss : (double)INFINITY;
    if (isfinite(loss)) {
        rank_in(tpe, (uint32_t)component);
    }
    tpe->fresh = false;
    return STATUS_OK;
}

size_t tpe_count(const Tpe *tpe) {
    return tpe->count;
}

size_t tpe_candidates(const Tpe *tpe) {
    return tpe->settings.candidates;
}

static bool is_startup(const Tpe *tpe) {
    return tpe->told < tpe->settings.startup;
}

static void refresh(Tpe *tpe) {
    if (!tpe->fresh) {
        tpe__fit(tpe);
        tpe->fresh = true;
    }
}

/* a component of l by its weight */
static size_t pick(const TpeMixture *below, Rng *rng) {
    double total = 0;
    size_t last = 0;
    for (size_t k = 0; k < below->blocks * TPE_BLOCK; k++) {
        total += below->weight[k];
        last = (below->weight[k] > 0) ? k : last;
    }
    double left = rng_uniform(rng) * total;
    for (size_t k = 0; k < last; k++) {
        left -= below->weight[k];
        if (left < 0) {
            return k;
        }
    }
    return last;
}

static double draw_uniform(const TpeDimension *dimension, Rng *rng) {
    const double u = rng_uniform(rng);
    if (dimension->kind == TPE_CONTINUOUS) {
        return u;
    }
    const double values = (double)dimension->values;
    return (floor(u * values) + 0.5) / values;
}

void tpe_propose(Tpe *tpe, Rng *rng, double *points) {
    const bool startup = is_startup(tpe);
    if (!startup) {
        refresh(tpe);
    }
    for (size_t i = 0; i < tpe->settings.candidates; i++) {
        const size_t component = startup ? 0 : pick(&tpe->below, rng);
        for (size_t j = 0; j < tpe->d; j++) {
            points[i * tpe->d + j] = startup ? draw_uniform(&tpe->dimensions[j], rng)
                                             : tpe__draw(tpe, &tpe->below, component, j, rng);
        }
    }
}

static void score_both(Tpe *tpe, const double *points, size_t n) {
    refresh(tpe);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < tpe->d; j++) {
            tpe->queries[j * n + i] = tpe__query(&tpe->dimensions[j], points[i * tpe->d + j]);
        }
    }
    tpe__score(tpe, &tpe->below, tpe->queries, n, tpe->scores);
    tpe__score(tpe, &tpe->above, tpe->queries, n, tpe->scores + n);
}

size_t tpe_choose(Tpe *tpe, const double *points) {
    const size_t n = tpe->settings.candidates;
    size_t       best = 0;
    if (is_startup(tpe)) {
        return 0;
    }
    score_both(tpe, points, n);
    for (size_t i = 1; i < n; i++) {
        if (tpe->scores[i] - tpe->scores[n + i] > tpe->scores[best] - tpe->scores[n + best]) {
            best = i;
        }
    }
    return best;
}

void tpe_log_densities(Tpe *tpe, const double *point, double *below, double *above) {
    *below = 0;
    *above = 0;
    if (!is_startup(tpe)) {
        score_both(tpe, point, 1);
        *below = tpe->scores[0];
        *above = tpe->scores[1];
    }
}
