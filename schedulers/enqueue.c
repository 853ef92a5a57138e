/* The scheduler of those who know what they want to see: the defaults and the points that users
 * enqueue, each trained to the full depth, and nothing else. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/samplers.h"

#include <stdlib.h>

static Status nothing_create(const SchedulerSetup *setup, const double *options, void **self) {
    (void)setup;
    (void)options;
    *self = NULL;
    return STATUS_OK;
}

static Status nothing_propose(const void *self, int64_t configuration, int64_t target,
                              Proposal *proposal) {
    (void)self;
    (void)configuration;
    (void)target;
    proposal->kind = PROPOSAL_END;
    return STATUS_OK;
}

static const SamplerOps nothing_ops = {
    .name = "nothing",
    .create = nothing_create,
    .propose = nothing_propose,
    .destroy = free,
};

static const OptionSpec enqueue_options[] = {{.name = NULL}};

static Status enqueue_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_full(setup, &nothing_ops, options, self);
}

const SchedulerOps scheduler_enqueue_ops = {
    .name = "enqueue",
    .source = "the user",
    .help = "Trains the defaults and the points that you enqueue, in their order, each to the full "
            "depth: for a list of configurations that you want compared under the same seeds. Not "
            "a search: every other sampler takes enqueued points first, too.",
    .options = enqueue_options,
    .create = enqueue_create,
    CHAINS_SCHEDULER,
};
