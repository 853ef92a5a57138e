/* Random search: static chains of segments, the control that every other scheduler is measured
 * against. Configuration c is drawn from a stream keyed by c.
 *
 * Source: Bergstra & Bengio (2012), Random search for hyper-parameter optimization. */
#include "schedulers/builtin.h"
#include "schedulers/scheduler_internal.h"
#include "schedulers/static_chains.h"

#include <stdlib.h>

static const OptionSpec random_options[] = {{.name = NULL}};

static Status draw_random(const SchedulerSetup *setup, const void *context, int64_t configuration,
                          double *point) {
    (void)context;
    Rng rng = scheduler_rng(setup, configuration, LANE_SAMPLE);
    return space_sample(setup->space, &rng, point);
}

static void random_destroy(void *self) {
    if (self != NULL) {
        static_chains_reset(self);
        free(self);
    }
}

static Status random_create(const SchedulerSetup *setup, const double *option_values, void **self) {
    (void)option_values;
    StaticChains *random = calloc(1, sizeof *random);
    *self = NULL;
    if (random == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for random search");
    }
    static_chains_init(random, setup, draw_random, NULL);
    *self = random;
    return STATUS_OK;
}

static SchedulerOrder random_order(const void *self) {
    (void)self;
    return SCHEDULER_ORDER_ANY;
}

static Status random_decide(const void *self, int64_t number, Decision *decision) {
    const StaticChains *random = self;
    (void)number;
    return static_chains_decide(random, decision);
}

static Status random_observe(void *self, const Event *event) {
    StaticChains *random = self;
    return static_chains_observe(random, event);
}

static Keeps random_keeps(const void *self, int64_t segment) {
    const StaticChains *random = self;
    return static_chains_keeps(random, segment);
}

const SchedulerOps scheduler_random_ops = {
    .name = "random",
    .source = "Bergstra & Bengio, JMLR 13 (2012)",
    .help =
        "Static values drawn at random, each trained to the full depth: the control that every "
        "other scheduler is measured against. Not for values that should change while the agent "
        "trains.",
    .options = random_options,
    .create = random_create,
    .order = random_order,
    .decide = random_decide,
    .observe = random_observe,
    .keeps = random_keeps,
    .destroy = random_destroy,
};
