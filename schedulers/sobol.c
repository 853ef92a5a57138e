/* Sobol search: configurations fill the space more evenly than random ones. Configuration c is
 * scrambled Sobol point number c of the study's seed.
 *
 * Sources: Sobol (1967); Bergstra & Bengio (2012), section 4.3 (low-discrepancy search). */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"

#include "core/optimize/sobol.h"

#include <stdlib.h>

typedef struct SobolSampler {
    const SchedulerSetup *setup;
    Sobol                *points;
} SobolSampler;

static void sobol_sampler_destroy(void *self) {
    SobolSampler *sampler = self;
    if (sampler != NULL) {
        sobol_destroy(sampler->points);
        free(sampler);
    }
}

static Status sobol_sampler_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    (void)options;
    *self = NULL;
    SobolSampler *sampler = calloc(1, sizeof *sampler);
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for Sobol search");
    }
    sampler->setup = setup;
    const Status status =
        sobol_create(space_count(setup->space), SOBOL_SCRAMBLED, setup->seed, &sampler->points);
    if (status != STATUS_OK) {
        free(sampler);
        return status;
    }
    *self = sampler;
    return STATUS_OK;
}

static Status sobol_propose(const void *self, int64_t configuration, int64_t target,
                            Proposal *proposal) {
    const SobolSampler *sampler = self;
    double              unit[SOBOL_MAX_DIMENSIONS];
    (void)target;
    TRY(sobol_points(sampler->points, (uint64_t)configuration, 1, unit));
    space_decode(sampler->setup->space, unit, proposal->point);
    proposal->kind = PROPOSAL_POINT;
    return STATUS_OK;
}

const SamplerOps sampler_sobol_ops = {
    .name = "sobol",
    .source = "Sobol (1967); Joe & Kuo, SIAM J. Sci. Comput. 30 (2008)",
    .create = sobol_sampler_create,
    .propose = sobol_propose,
    .destroy = sobol_sampler_destroy,
};

static const OptionSpec sobol_options[] = {{.name = NULL}};

static Status sobol_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &sampler_sobol_ops, options, self);
}

const SchedulerOps scheduler_sobol_ops = {
    .name = "sobol",
    .source = "Sobol (1967); Joe & Kuo, SIAM J. Sci. Comput. 30 (2008)",
    .help = "Static values from a scrambled Sobol sequence, each trained to the full depth: random "
            "search that leaves no gaps, best with a power of two of configurations. Not for "
            "values that should change while the agent trains, and it learns nothing from results.",
    .options = sobol_options,
    .create = sobol_search_create,
    CHAINS_SCHEDULER,
};
