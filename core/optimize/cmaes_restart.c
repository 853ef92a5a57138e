/* The runs of a CMA-ES search: memory, learning rates, when a run is over, and how the next begins.
 */
#include "core/linalg.h"
#include "core/optimize/cmaes_internal.h"
#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double default_deviation = 0.2; /* tutorial: 0.2 to 0.5 of the range */
static const double default_tolerance = 1e-12;
static const double least_step = 1e-11;
static const double largest_condition = 1e14; /* tutorial, B.3 */

/* weights of the ranks: positive ones sum to 1, negative ones to minus the least of three bounds
 * (Table 1, equations 49 to 53) */
static void set_weights(Cmaes *cmaes, double negative_mu_eff) {
    CmaesRates  *r = &cmaes->rates;
    const double n = (double)cmaes->n;
    const double bound = fmin(1 + r->c_1 / r->c_mu, fmin(1 + 2 * negative_mu_eff / (r->mu_eff + 2),
                                                         (1 - r->c_1 - r->c_mu) / (n * r->c_mu)));
    double       positive = 0;
    double       negative = 0;
    for (size_t i = 0; i < cmaes->population; i++) {
        *(cmaes->weights[i] > 0 ? &positive : &negative) += fabs(cmaes->weights[i]);
    }
    r->weight_sum = 0;
    for (size_t i = 0; i < cmaes->population; i++) {
        cmaes->weights[i] *= (cmaes->weights[i] > 0) ? 1 / positive : fmax(bound, 0) / negative;
        r->weight_sum += cmaes->weights[i];
    }
}

static double effective(const double *weights, size_t from, size_t to) {
    double sum = 0;
    double squared = 0;
    for (size_t i = from; i < to; i++) {
        sum += weights[i];
        squared += weights[i] * weights[i];
    }
    return sum * sum / squared;
}

void cmaes__rates(Cmaes *cmaes) {
    CmaesRates  *r = &cmaes->rates;
    const double n = (double)cmaes->n;
    const size_t population = cmaes->population;
    for (size_t i = 0; i < population; i++) {
        cmaes->weights[i] = log(((double)population + 1) / 2) - log((double)i + 1);
    }
    const size_t half = population / 2;
    r->mu_eff = effective(cmaes->weights, 0, half);
    r->c_sigma = (r->mu_eff + 2) / (n + r->mu_eff + 5);
    r->d_sigma = 1 + 2 * fmax(0, sqrt((r->mu_eff - 1) / (n + 1)) - 1) + r->c_sigma;
    r->c_c = (4 + r->mu_eff / n) / (n + 4 + 2 * r->mu_eff / n);
    r->chi = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
    /* n variances are learned faster than n^2 covariances: Ros and Hansen (2008) */
    const double faster = cmaes->full ? 1 : (n + 2) / 3;
    r->c_1 = fmin(0.5, faster * 2 / ((n + 1.3) * (n + 1.3) + r->mu_eff));
    r->c_mu = fmin(1 - r->c_1, faster * 2 * (0.25 + r->mu_eff + 1 / r->mu_eff - 2) /
                                   ((n + 2) * (n + 2) + r->mu_eff));
    set_weights(cmaes, effective(cmaes->weights, half, population));
}

size_t cmaes__history_length(size_t dimensions, size_t population) {
    return 10 + (30 * dimensions + population - 1) / population; /* tutorial, B.3 */
}

void cmaes__begin(Cmaes *cmaes, double sigma) {
    const size_t n = cmaes->n;
    cmaes->sigma = sigma;
    cmaes->run_sigma = sigma;
    cmaes->run_generation = 0;
    cmaes->decomposed = 0;
    cmaes->condition = 1;
    cmaes->history_length = cmaes__history_length(n, cmaes->population);
    Rng rng = rng_stream_lane(cmaes->settings.seed, cmaes->progress.run, RNG_CMAES, UINT32_MAX);
    for (size_t j = 0; j < n; j++) {
        cmaes->mean[j] = rng_uniform(&rng);
        cmaes->path_sigma[j] = 0;
        cmaes->path_c[j] = 0;
        cmaes->scales[j] = 1;
    }
    if (!cmaes->full) {
        memcpy(cmaes->covariance, cmaes->scales, n * sizeof *cmaes->covariance);
        return;
    }
    memset(cmaes->covariance, 0, n * n * sizeof *cmaes->covariance);
    for (size_t j = 0; j < n; j++) {
        cmaes->covariance[j * n + j] = 1;
    }
    memcpy(cmaes->axes, cmaes->covariance, n * n * sizeof *cmaes->axes);
}

/* losses of the last generations and of this one lie within the tolerance */
static bool is_flat(const Cmaes *cmaes) {
    if (cmaes->run_generation < cmaes->history_length) {
        return false;
    }
    double low = cmaes->ranks[0].loss;
    double high = cmaes->ranks[cmaes->population - 1].loss;
    for (size_t i = 0; i < cmaes->history_length; i++) {
        low = fmin(low, cmaes->history[i]);
        high = fmax(high, cmaes->history[i]);
    }
    return high - low < cmaes->settings.tolerance; /* infinities give NaN or infinity: not flat */
}

static double longest_step(const Cmaes *cmaes) {
    double longest = 0;
    for (size_t j = 0; j < cmaes->n; j++) {
        longest = fmax(longest, fmax(cmaes->scales[j], fabs(cmaes->path_c[j])));
    }
    return cmaes->sigma * longest;
}

CmaesStop cmaes__stop(Cmaes *cmaes, bool finite) {
    cmaes->history[(cmaes->run_generation - 1) % cmaes->history_length] = cmaes->ranks[0].loss;
    if (!finite) {
        return CMAES_STOP_NUMERIC;
    }
    if (is_flat(cmaes)) {
        return CMAES_STOP_LOSS;
    }
    if (longest_step(cmaes) < least_step) {
        return CMAES_STOP_STEP;
    }
    return (cmaes->condition > largest_condition) ? CMAES_STOP_CONDITION : CMAES_RUNNING;
}

void cmaes__restart(Cmaes *cmaes) {
    const double first = (double)cmaes->settings.population;
    double       sigma = cmaes->settings.deviation;
    Rng rng = rng_stream_lane(cmaes->settings.seed, cmaes->progress.run, RNG_CMAES, UINT32_MAX - 1);
    cmaes->progress.run++;
    cmaes->small = cmaes->settings.restart == CMAES_RESTART_BIPOP && cmaes->doublings > 0 &&
                   cmaes->spent[1] < cmaes->spent[0];
    if (!cmaes->small) {
        cmaes->doublings++;
    }
    const double large = first * pow(2, (double)cmaes->doublings);
    double       population = large;
    if (cmaes->small) { /* Hansen (2009), section 2 */
        const double u = rng_uniform(&rng);
        population = floor(first * pow(0.5 * large / first, u * u));
        sigma *= pow(10, -2 * rng_uniform(&rng));
    }
    cmaes->population = (size_t)fmin(population, (double)cmaes->most);
    cmaes__rates(cmaes);
    cmaes__begin(cmaes, sigma);
}

static Status check_settings(const CmaesSettings *s) {
    if (s->dimensions < 1 || s->dimensions > CMAES_MAX_DIMENSIONS) {
        FAIL(STATUS_ERR_RANGE, "CMA-ES: dimensions must lie in 1 to %d, found %zu",
             CMAES_MAX_DIMENSIONS, s->dimensions);
    }
    if (s->population != 0 && (s->population < 4 || s->population > CMAES_MAX_POPULATION)) {
        FAIL(STATUS_ERR_RANGE, "CMA-ES: population must be 0 or lie in 4 to %d, found %zu",
             CMAES_MAX_POPULATION, s->population);
    }
    if (!(s->deviation >= 0 && s->deviation <= 1)) {
        FAIL(STATUS_ERR_RANGE, "CMA-ES: deviation must lie in 0 to 1, found %g", s->deviation);
    }
    if (!(s->tolerance >= 0)) {
        FAIL(STATUS_ERR_RANGE, "CMA-ES: tolerance must be 0 or more, found %g", s->tolerance);
    }
    return STATUS_OK;
}

static double *carve(double **rest, size_t count) {
    double *block = *rest;
    *rest += count;
    return block;
}

/* one block for all numbers; what there is is freed by cmaes_destroy() */
static Status take_memory(Cmaes *c) {
    const size_t n = c->n;
    const size_t square = c->full ? n * n : n;
    const size_t candidates = c->most * n;
    const size_t history = cmaes__history_length(n, 4);
    TRY(arena_init(&c->scratch, c->full ? linalg_eigen_scratch(n) : 0));
    c->ranks = calloc(c->most, sizeof *c->ranks);
    c->memory = calloc(c->most + 7 * n + 2 * square + 3 * candidates + history, sizeof *c->memory);
    if (c->ranks == NULL || c->memory == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for CMA-ES in %zu dimensions", n);
    }
    double *rest = c->memory;
    c->weights = carve(&rest, c->most);
    c->mean = carve(&rest, n);
    c->path_sigma = carve(&rest, n);
    c->path_c = carve(&rest, n);
    c->scales = carve(&rest, n);
    c->step = carve(&rest, n);
    c->turned = carve(&rest, n);
    c->best = carve(&rest, n);
    c->covariance = carve(&rest, square);
    c->axes = carve(&rest, square);
    c->z = carve(&rest, candidates);
    c->y = carve(&rest, candidates);
    c->scaled = carve(&rest, candidates);
    c->history = carve(&rest, history);
    return STATUS_OK;
}

Status cmaes_create(const CmaesSettings *settings, Cmaes **out) {
    *out = NULL;
    TRY(check_settings(settings));
    Cmaes *cmaes = calloc(1, sizeof *cmaes);
    if (cmaes == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for CMA-ES");
    }
    CmaesSettings *s = &cmaes->settings;
    *s = *settings;
    s->deviation = (s->deviation == 0) ? default_deviation : s->deviation;
    s->tolerance = (s->tolerance == 0) ? default_tolerance : s->tolerance;
    if (s->population == 0) {
        s->population = 4 + (size_t)(3 * log((double)s->dimensions));
    }
    cmaes->n = s->dimensions;
    cmaes->full = s->covariance == CMAES_FULL ||
                  (s->covariance == CMAES_AUTOMATIC && s->dimensions <= CMAES_FULL_UP_TO);
    cmaes->population = s->population;
    cmaes->most = s->population * (s->restart == CMAES_RESTART_NONE ? 1 : CMAES_MAX_GROWTH);
    const Status status = take_memory(cmaes);
    if (status != STATUS_OK) {
        cmaes_destroy(cmaes);
        return status;
    }
    cmaes->progress.best_loss = (double)INFINITY;
    cmaes__rates(cmaes);
    cmaes__begin(cmaes, s->deviation);
    cmaes_mean(cmaes, cmaes->best);
    cmaes__sample(cmaes);
    *out = cmaes;
    return STATUS_OK;
}

void cmaes_destroy(Cmaes *cmaes) {
    if (cmaes == NULL) {
        return;
    }
    free(cmaes->memory);
    free(cmaes->ranks);
    arena_reset(&cmaes->scratch);
    free(cmaes);
}
