#include "schedulers/samplers.h"

#include <math.h>

typedef struct SamplerRow {
    const SamplerOps *ops;
    size_t            first_option; /* among SAMPLER_OPTION_ROWS */
    size_t            option_count; /* rows that it takes from there on */
} SamplerRow;

/* in the order of sampler_names */
static const SamplerRow samplers[] = {
    {&sampler_random_ops, SAMPLER_OPTION_COUNT, 0},
    {&sampler_sobol_ops, SAMPLER_OPTION_COUNT, 0},
    {&sampler_grid_ops, SAMPLER_OPTION_GRID, GRID_OPTIONS},
    {&sampler_cmaes_ops, SAMPLER_OPTION_CMAES, CMAES_OPTIONS},
    {&sampler_nlopt_ops, SAMPLER_OPTION_NLOPT, NLOPT_OPTIONS},
    {&sampler_nsga2_ops, SAMPLER_OPTION_NSGA2, NSGA2_OPTIONS},
    {&sampler_tpe_ops, SAMPLER_OPTION_TPE, TPE_OPTIONS},
    {&sampler_gp_ops, SAMPLER_OPTION_GP, GP_OPTIONS},
};

const char *const sampler_names[] = {"random", "sobol", "grid", "cmaes", "nlopt",
                                     "nsga2",  "tpe",   "gp",   NULL};

_Static_assert(sizeof sampler_names / sizeof sampler_names[0] ==
                   sizeof samplers / sizeof samplers[0] + 1,
               "every sampler has a name");

_Static_assert(sizeof(OptionSpec[]){SAMPLER_OPTION_ROWS(0)} / sizeof(OptionSpec) ==
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

double sampler_order_loss(const SamplerResult *result) {
    const double highest = 1e300; /* no objective of an agent is larger */
    if (result->failed) {
        return (double)NAN;
    }
    if (result->violation > 0.0) {
        const double v = result->violation;
        return highest * (1.0 + (isfinite(v) ? v / (1.0 + v) : 1.0)); /* finite, above all losses */
    }
    return fmin(fmax(result->losses[0], -highest), highest);
}

Status samplers_check_pausing(const double *sampler_options) {
    if (sampler_options[SAMPLER_OPTION_LEARN_FROM] == (double)LEARN_FROM_LAST) {
        FAIL(STATUS_ERR_ARG, "learn_from 'last' is for budgets that stop for good; here "
                             "configurations pause and may go on, so use 'highest' or 'full'");
    }
    return STATUS_OK;
}

SchedulerUses samplers_uses(const double *sampler_options, bool judges) {
    const SamplerRow *row = &samplers[(size_t)sampler_options[SAMPLER_OPTION_NAME]];
    SchedulerUses     uses = {.objectives = 0, .no_model = true};
    if (row->ops->uses != NULL) {
        uses = row->ops->uses(sampler_options + row->first_option);
    }
    uses.objectives = (judges && uses.objectives == 0) ? 1 : uses.objectives;
    return uses;
}

size_t samplers_overruled_by(const double *options, size_t first, size_t row) {
    const SamplerRow *chosen = &samplers[(size_t)options[first + SAMPLER_OPTION_NAME]];
    const size_t      blame = first + SAMPLER_OPTION_NAME;
    if (row == first + SAMPLER_OPTION_LEARN_FROM) {
        return (chosen->ops->tell == NULL) ? blame : SCHEDULER_HAS_EFFECT;
    }
    const size_t own = first + chosen->first_option;
    const bool   works = row <= blame || (row >= own && row < own + chosen->option_count);
    return works ? SCHEDULER_HAS_EFFECT : blame;
}
