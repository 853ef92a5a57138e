/* The budget of those who do not stop early: one rung, the full depth. */
#include "schedulers/budget.h"

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
