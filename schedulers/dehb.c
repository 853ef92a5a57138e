/* DEHB: Hyperband's brackets with differential evolution in them. A rung is not filled by training
 * on, but with new configurations that begin anew, so nothing pauses and nothing is promoted: the
 * number of a configuration says its bracket, its rung and its place there (rungs.h), and the
 * sampler does the rest.
 *
 * Source: Awad et al. (2021), DEHB: evolutionary Hyperband for scalable, robust and efficient
 * hyperparameter optimization; automl/DEHB@e277f36. */
#include "schedulers/dehb.h"

#include "schedulers/budget.h"
#include "schedulers/builtin.h"
#include "schedulers/chains.h"
#include "schedulers/rungs.h"

#include <math.h>
#include <stdlib.h>

static Status dehb_budget_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    Brackets plan;
    TRY(brackets_init(setup, options[DEHB_MIN_UNITS], (int64_t)options[DEHB_REDUCTION],
                      BRACKETS_FRESH, &plan));
    Brackets *brackets = malloc(sizeof *brackets);
    if (brackets == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    *brackets = plan;
    *self = brackets;
    return STATUS_OK;
}

static size_t dehb_rungs(const void *self, int64_t *depths, size_t most) {
    return rungs_write(&((const Brackets *)self)->rungs, depths, most);
}

static size_t dehb_first_rung(const void *self, int64_t configuration) {
    return brackets_find(self, configuration).rung;
}

static Status dehb_reached(void *self, int64_t configuration, size_t rung,
                           const BudgetResult *result, Verdict *verdict) {
    (void)self;
    (void)configuration;
    (void)rung;
    (void)result;
    *verdict = VERDICT_STOP;
    return STATUS_OK;
}

static const BudgetOps budget_dehb_ops = {
    .name = "dehb",
    .create = dehb_budget_create,
    .rungs = dehb_rungs,
    .first_rung = dehb_first_rung,
    .reached = dehb_reached,
    .destroy = free,
};

static const OptionSpec dehb_options[] = {
    [DEHB_REDUCTION] = {.name = "reduction",
                        .type = OPTION_INT,
                        .lower = 2,
                        .upper = 100,
                        .default_value = 3,
                        .help =
                            "a rung has one configuration in so many of the rung below, with so "
                            "many times the units",
                        .source = "Awad et al. (2021)"},
    [DEHB_MIN_UNITS] = {.name = "min_units",
                        .type = OPTION_INT,
                        .lower = 1,
                        .upper = 1e15,
                        .default_value = (double)NAN,
                        .help = "least depth of the first rung, in budget units; default: one "
                                "segment"},
    [DEHB_MUTATION_FACTOR] = {.name = "mutation_factor",
                              .type = OPTION_FLOAT,
                              .lower = 0,
                              .upper = 2,
                              .default_value = 0.5,
                              .help = "of the difference that is added to a parent",
                              .source = "Awad et al. (2021)"},
    [DEHB_CROSSOVER] = {.name = "crossover",
                        .type = OPTION_FLOAT,
                        .lower = 0,
                        .upper = 1,
                        .default_value = 0.5,
                        .help = "probability that a value is the mutant's",
                        .source = "Awad et al. (2021)"},
    {.name = NULL},
};

static Status dehb_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    const ChainsParts parts = {
        .sampler = &sampler_dehb_ops,
        .sampler_options = options,
        .budget = &budget_dehb_ops,
        .budget_options = options,
        .learn_from = LEARN_FROM_LAST,
    };
    return chains_create(setup, &parts, self);
}

const SchedulerOps scheduler_dehb_ops = {
    .name = "dehb",
    .source = "Awad et al., IJCAI (2021)",
    .help = "Hyperband whose rungs hold new configurations, bred from the best of the rung below: "
            "for many hyperparameters, choices among them, and trainers without checkpoints. Not "
            "where training to a rung again is too dear (bohb trains on), nor for values that "
            "should change while the agent trains.",
    .options = dehb_options,
    .stops_early = true,
    .create = dehb_search_create,
    .uses = scheduler_uses_first,
    CHAINS_SCHEDULER,
};
