/* BOHB: Hyperband's budget, TPE's configurations, a third of them at random. The pair by the name
 * that people look for; {name: hyperband, sampler: tpe} is the same without the random third.
 *
 * Different from the paper: the density estimate is the house's (core/optimize/tpe.h), whose
 * defaults were measured, and configurations are begun asynchronously.
 *
 * Source: Falkner, Klein & Hutter (2018), BOHB: robust and efficient hyperparameter optimization at
 * scale. */
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/hyperband.h"
#include "schedulers/samplers.h"

#include <math.h>

enum { OPTION_RANDOM_FRACTION = HYPERBAND_OPTIONS, OPTION_TPE };

static const OptionSpec bohb_options[] = {
    HYPERBAND_OPTION_ROWS,
    {.name = "random_fraction",
     .type = OPTION_FLOAT,
     .lower = 0,
     .upper = 1,
     .default_value = 1.0 / 3.0,
     .help = "share of the configurations that are drawn at random, whatever was learned",
     .source = "Falkner et al. (2018), section 4"},
    TPE_OPTION_ROWS,
    {.name = NULL},
};

static Status bohb_create(const SchedulerSetup *setup, const double *options, void **self) {
    const ChainsParts parts = {
        .sampler = &sampler_tpe_ops,
        .sampler_options = options + OPTION_TPE,
        .budget = &budget_hyperband_ops,
        .budget_options = options,
        .learn_from = LEARN_FROM_HIGHEST,
        .random_fraction = options[OPTION_RANDOM_FRACTION],
    };
    return chains_create(setup, &parts, self);
}

const SchedulerOps scheduler_bohb_ops = {
    .name = "bohb",
    .source = "Falkner et al., ICML (2018)",
    .help = "Hyperband with configurations from tpe, learned from the deepest rung that has enough "
            "results: when training is dear and short training tells something. Not where that "
            "misleads (on recorded curves of PETS it did worse than random search), for "
            "fewer than a round of brackets (with five rungs about 25 full runs), nor for values "
            "that should change while the agent trains.",
    .options = bohb_options,
    .branches = true,
    .stops_early = true,
    .create = bohb_create,
    .uses = scheduler_uses_first,
    CHAINS_SCHEDULER,
};
