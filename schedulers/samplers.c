#include "schedulers/samplers.h"

typedef struct SamplerRow {
    const SamplerOps *ops;
    size_t            first_option; /* among SAMPLER_OPTION_ROWS */
} SamplerRow;

/* in the order of sampler_names */
static const SamplerRow samplers[] = {
    {&sampler_random_ops, SAMPLER_OPTION_COUNT},
    {&sampler_sobol_ops, SAMPLER_OPTION_COUNT},
    {&sampler_tpe_ops, SAMPLER_OPTION_TPE},
    {&sampler_gp_ops, SAMPLER_OPTION_GP},
};

const char *const sampler_names[] = {"random", "sobol", "tpe", "gp", NULL};

_Static_assert(sizeof sampler_names / sizeof sampler_names[0] ==
                   sizeof samplers / sizeof samplers[0] + 1,
               "every sampler has a name");

_Static_assert(sizeof(OptionSpec[]){SAMPLER_OPTION_ROWS} / sizeof(OptionSpec) ==
                   SAMPLER_OPTION_COUNT,
               "every row has its place in the enum");

Status chains_create_full(const SchedulerSetup *setup, const SamplerOps *sampler,
                          const double *options, void **self) {
    const ChainsParts parts = {
        .sampler = sampler,
        .sampler_options = options,
        .budget = &budget_full_ops,
        .learn_from = LEARN_FROM_FULL,
    };
    return chains_create(setup, &parts, self);
}

Status chains_create_budget(const SchedulerSetup *setup, const BudgetOps *budget,
                            const double *budget_options, const double *sampler_options,
                            void **self) {
    const SamplerRow *row = &samplers[(size_t)sampler_options[SAMPLER_OPTION_NAME]];
    const ChainsParts parts = {
        .sampler = row->ops,
        .sampler_options = sampler_options + row->first_option,
        .budget = budget,
        .budget_options = budget_options,
        .learn_from = (LearnFrom)sampler_options[SAMPLER_OPTION_LEARN_FROM],
    };
    return chains_create(setup, &parts, self);
}
