/* The budget of those who do not stop early: one rung, the full depth. By its own name it takes any
 * sampler: {name: full, sampler: tpe} is what {name: tpe} does. */
#include "schedulers/budget.h"
#include "schedulers/builtin.h"
#include "schedulers/samplers.h"

#include <stdlib.h>

typedef struct FullBudget {
    int64_t depth;
} FullBudget;

static Status full_create(const SchedulerSetup *setup, const double *options, void **self) {
    (void)options;
    FullBudget *budget = malloc(sizeof *budget);
    *self = budget;
    if (budget == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    budget->depth = setup->per_trial;
    return STATUS_OK;
}

static size_t full_rungs(const void *self, int64_t *depths, size_t most) {
    const FullBudget *budget = self;
    if (most > 0) {
        depths[0] = budget->depth;
    }
    return 1;
}

static size_t full_first_rung(const void *self, int64_t configuration) {
    (void)self;
    (void)configuration;
    return 0;
}

const BudgetOps budget_full_ops = {
    .name = "full",
    .create = full_create,
    .rungs = full_rungs,
    .first_rung = full_first_rung,
    .destroy = free,
};

static const OptionSpec full_options[] = {
    SAMPLER_OPTION_ROWS(LEARN_FROM_FULL),
    {.name = NULL},
};

static Status full_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    return chains_create_budget(setup, &budget_full_ops, options, options, self);
}

static size_t full_overruled_by(const double *options, size_t row) {
    return (row == SAMPLER_OPTION_LEARN_FROM) ? row : samplers_overruled_by(options, 0, row);
}

static SchedulerUses full_uses(const double *options) {
    return samplers_uses(options, false);
}

const SchedulerOps scheduler_full_ops = {
    .name = "full",
    .source = "control; the samplers name their own",
    .help =
        "Every configuration of the chosen sampler is trained to the full depth, as by the "
        "sampler's own name: when nothing may be judged early, or to compare with a budget that "
        "does. Not where most configurations are visibly bad after a little training.",
    .options = full_options,
    .create = full_search_create,
    .uses = full_uses,
    .overruled_by = full_overruled_by,
    CHAINS_SCHEDULER,
};
