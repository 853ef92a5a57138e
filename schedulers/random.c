/* Random search: the control that every other scheduler is measured against. Configuration c is
 * drawn from a stream keyed by c.
 *
 * Source: Bergstra & Bengio (2012), Random search for hyper-parameter optimization. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"
#include "schedulers/scheduler_internal.h"

#include <stdlib.h>

typedef struct RandomSampler {
    const SchedulerSetup *setup;
} RandomSampler;

static Status random_create(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    RandomSampler *sampler = malloc(sizeof *sampler);
    *self = sampler;
    if (sampler == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for random search");
    }
    sampler->setup = setup;
    return STATUS_OK;
}

static Status random_propose(const void *self, int64_t configuration, int64_t target,
                             Proposal *proposal) {
    (void)target;
    proposal->kind = PROPOSAL_POINT;
    return scheduler__draw(((const RandomSampler *)self)->setup, configuration, proposal->point);
}

const SamplerOps sampler_random_ops = {
    .name = "random",
    .source = "Bergstra & Bengio, JMLR 13 (2012)",
    .create = random_create,
    .propose = random_propose,
    .destroy = free,
};

static const OptionSpec random_options[] = {{.name = NULL}};

static Status random_search_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    return chains_create_full(setup, &sampler_random_ops, options, self);
}

const SchedulerOps scheduler_random_ops = {
    .name = "random",
    .source = "Bergstra & Bengio, JMLR 13 (2012)",
    .help =
        "Static values drawn at random, each trained to the full depth: the control that every "
        "other scheduler is measured against. Not for values that should change while the agent "
        "trains.",
    .options = random_options,
    .create = random_search_create,
    CHAINS_SCHEDULER,
};
