/* Tree-structured Parzen estimator: an adapter of core/optimize/tpe.h to configurations.
 *
 * Losses enter by their order alone: a configuration that violates constraints ranks behind all
 * that do not, by its violation. What is being trained counts as bad until it is told (constant
 * liar), and so does what was stopped before the depth that the sampler learns from: it was stopped
 * because others were better. Of several objectives the first counts.
 *
 * Sources: Bergstra et al. (2011); Falkner et al. (2018) (multivariate); figures of this
 * implementation: docs/decisions.md. */
#include "schedulers/builtin.h"
#include "schedulers/encoding.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

/* a configuration that has begun */
typedef struct Begun {
    size_t number; /* in the estimator */
    bool   is;
    bool   told;
} Begun;

typedef struct TpeSampler {
    const SchedulerSetup *setup;
    Encoding              encoding;
    Tpe                  *tpe;
    size_t                startup;
    size_t                told;
    Begun                *begun; /* (capacity) by configuration */
    size_t                capacity;
    double               *candidates; /* (tpe_candidates(), d) scratch */
    double               *x;          /* (d) scratch */
} TpeSampler;

/* in the order of TPE_OPTION_ROWS */
enum { OPTION_STARTUP, OPTION_CANDIDATES, OPTION_SHARE, OPTION_MOST, OPTION_PRIOR };

static void tpe_sampler_destroy(void *self) {
    TpeSampler *sampler = self;
    if (sampler != NULL) {
        tpe_destroy(sampler->tpe);
        encoding_reset(&sampler->encoding);
        free(sampler->begun);
        free(sampler->candidates);
        free(sampler->x);
        free(sampler);
    }
}

static Status fill(TpeSampler *sampler, const double *options) {
    sampler->startup = (size_t)options[OPTION_STARTUP];
    TRY(encoding_init(&sampler->encoding, sampler->setup->space));
    const size_t      d = sampler->encoding.d;
    const TpeSettings settings = {
        .dimensions = sampler->encoding.densities,
        .dimension_count = d,
        .startup = sampler->startup,
        .candidates = (size_t)options[OPTION_CANDIDATES],
        .share_below = options[OPTION_SHARE],
        .most_below = (size_t)options[OPTION_MOST],
        .prior_weight = options[OPTION_PRIOR],
    };
    TRY(tpe_create(&settings, &sampler->tpe));
    sampler->candidates = calloc(tpe_candidates(sampler->tpe) * d, sizeof *sampler->candidates);
    sampler->x = calloc(d, sizeof *sampler->x);
    if (sampler->candidates == NULL || sampler->x == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for TPE");
    }
    return STATUS_OK;
}

static Status tpe_sampler_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    TpeSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for TPE");
    }
    sampler->setup = setup;
    const Status status = fill(sampler, options);
    if (status != STATUS_OK) {
        tpe_sampler_destroy(sampler);
        return status;
    }
    *self = sampler;
    return STATUS_OK;
}

/* makes candidates consistent; a forbidden one becomes a copy of the first that is allowed */
static bool settle_candidates(const TpeSampler *sampler) {
    const size_t d = sampler->encoding.d;
    const size_t count = tpe_candidates(sampler->tpe);
    Encoding     encoding = sampler->encoding;
    size_t       first = count;
    for (size_t i = 0; i < count; i++) {
        double *x = sampler->candidates + i * d;
        if (encoding_settle(&encoding, x)) {
            first = (first == count) ? i : first;
        } else {
            x[0] = (double)INFINITY; /* marks it */
        }
    }
    for (size_t i = 0; first < count && i < count; i++) {
        double *x = sampler->candidates + i * d;
        if (isinf(x[0])) {
            memcpy(x, sampler->candidates + first * d, d * sizeof *x);
        }
    }
    return first < count;
}

static Status tpe_sampler_propose(const void *self, int64_t configuration, int64_t target,
                                  Proposal *proposal) {
    const TpeSampler *sampler = self;
    Rng               rng = scheduler_rng(sampler->setup, configuration, LANE_SAMPLE);
    (void)target;
    proposal->kind = PROPOSAL_POINT;
    if (sampler->told < sampler->startup) {
        return scheduler__draw(sampler->setup, configuration, proposal->point);
    }
    tpe_propose(sampler->tpe, &rng, sampler->candidates);
    if (!settle_candidates(sampler)) {
        return space_sample(sampler->setup->space, &rng, proposal->point);
    }
    const size_t best = tpe_choose(sampler->tpe, sampler->candidates);
    encoding_to_point(&sampler->encoding, sampler->candidates + best * sampler->encoding.d,
                      proposal->point);
    return STATUS_OK;
}

static Status reserve(TpeSampler *sampler, size_t configuration) {
    if (configuration < sampler->capacity) {
        return STATUS_OK;
    }
    const size_t capacity = 2 * configuration + FIRST_CAPACITY;
    Begun       *begun = realloc(sampler->begun, capacity * sizeof *begun);
    if (begun == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations", capacity);
    }
    memset(begun + sampler->capacity, 0, (capacity - sampler->capacity) * sizeof *begun);
    sampler->begun = begun;
    sampler->capacity = capacity;
    return STATUS_OK;
}

static Status tpe_sampler_begin(void *self, int64_t configuration, const double *point,
                                const void *memo, size_t memo_size) {
    TpeSampler *sampler = self;
    (void)memo;
    (void)memo_size;
    TRY(reserve(sampler, (size_t)configuration));
    Begun *begun = &sampler->begun[configuration];
    if (begun->is) { /* it was forgotten and goes on */
        return STATUS_OK;
    }
    encoding_from_point(&sampler->encoding, point, sampler->x);
    TRY(tpe_add(sampler->tpe, sampler->x, &begun->number));
    begun->is = true;
    return STATUS_OK;
}

static void tpe_sampler_tell(void *self, int64_t configuration, const SamplerResult *result) {
    TpeSampler *sampler = self;
    Begun      *begun = &sampler->begun[configuration];
    sampler->told += begun->told ? 0 : 1;
    begun->told = true;
    if (tpe_tell(sampler->tpe, begun->number, sampler_order_loss(result)) != STATUS_OK) {
        status_clear(); /* only for a number that does not exist */
    }
}

static Status tpe_sampler_know(void *self, const double *point, const SamplerResult *result) {
    TpeSampler *sampler = self;
    size_t      number = 0;
    encoding_from_point(&sampler->encoding, point, sampler->x);
    TRY(tpe_add(sampler->tpe, sampler->x, &number));
    sampler->told++;
    return tpe_tell(sampler->tpe, number, sampler_order_loss(result));
}

const SamplerOps sampler_tpe_ops = {
    .name = "tpe",
    .source = "Bergstra et al., NeurIPS 2011; Falkner et al., ICML 2018 (multivariate)",
    .create = tpe_sampler_create,
    .propose = tpe_sampler_propose,
    .begin = tpe_sampler_begin,
    .tell = tpe_sampler_tell,
    .know = tpe_sampler_know,
    .destroy = tpe_sampler_destroy,
    .uses = scheduler_uses_first,
};

static const OptionSpec tpe_options[] = {TPE_OPTION_ROWS, {.name = NULL}};

static Status tpe_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &sampler_tpe_ops, options, self);
}

const SchedulerOps scheduler_tpe_ops = {
    .name = "tpe",
    .source = "Bergstra et al., NeurIPS 2011; Falkner et al., ICML 2018 (multivariate)",
    .help = "Static values where good results were dense and bad ones are not, each trained to the "
            "full depth: cheap to decide, for many configurations, many slots, conditions and "
            "choices. Not for fewer than about 100 configurations of numeric hyperparameters, "
            "where gp needs half as many, nor for values that should change while the agent "
            "trains.",
    .options = tpe_options,
    .create = tpe_search_create,
    .uses = scheduler_uses_first,
    CHAINS_SCHEDULER,
};
