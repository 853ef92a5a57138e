/** @file samplers.h  The samplers of this build, and how schedulers are made of them.
 *
 * A sampler by its own name is a scheduler that trains every configuration to the full depth. A
 * budget (asha, hyperband, ...) is a scheduler that takes any sampler: its option table starts with
 * rows of its own and ends with SAMPLER_OPTION_ROWS, and it is made by chains_create_budget().
 *
 * Adding a sampler: its ops here, a row in samplers.c; if it has options, its rows behind those of
 * the others in SAMPLER_OPTION_ROWS, and its first row in the enum.
 */
#ifndef SCHEDULERS_SAMPLERS_H
#define SCHEDULERS_SAMPLERS_H

#include "core/optimize/tpe.h"
#include "schedulers/chains.h"

extern const SamplerOps sampler_random_ops;
extern const SamplerOps sampler_sobol_ops;
extern const SamplerOps sampler_tpe_ops;
extern const SamplerOps sampler_gp_ops;

extern const char *const sampler_names[]; /* ends at NULL */

/* where the rows of each sampler begin among SAMPLER_OPTION_ROWS */
enum {
    SAMPLER_OPTION_NAME,
    SAMPLER_OPTION_LEARN_FROM,
    SAMPLER_OPTION_TPE, /* gp takes the first of its rows, `startup` */
    SAMPLER_OPTION_GP = SAMPLER_OPTION_TPE,
    SAMPLER_OPTION_COUNT = SAMPLER_OPTION_TPE + 5,
};

#define STARTUP_OPTION_ROW                                                                    \
    {                                                                                         \
        .name = "startup", .type = OPTION_INT, .lower = 1, .upper = 1000, .default_value = 5, \
        .help = "tpe, gp: results before the model is asked (count)"                          \
    }

#define TPE_OPTION_ROWS                                                                  \
    STARTUP_OPTION_ROW,                                                                  \
        {.name = "candidates",                                                           \
         .type = OPTION_INT,                                                             \
         .lower = 1,                                                                     \
         .upper = TPE_MAX_CANDIDATES,                                                    \
         .default_value = 24,                                                            \
         .help = "tpe: points that the best is picked from (count)",                     \
         .source = "Bergstra et al. (2011)"},                                            \
        {.name = "good_share",                                                           \
         .type = OPTION_FLOAT,                                                           \
         .lower = 0.01,                                                                  \
         .upper = 1,                                                                     \
         .default_value = 0.25,                                                          \
         .help = "tpe: share of the results that count as good"},                        \
        {.name = "good_most",                                                            \
         .type = OPTION_INT,                                                             \
         .lower = 1,                                                                     \
         .upper = TPE_MAX_BELOW,                                                         \
         .default_value = 25,                                                            \
         .help = "tpe: most results that count as good (count)",                         \
         .source = "Optuna"},                                                            \
    {                                                                                    \
        .name = "prior_weight", .type = OPTION_FLOAT, .lower = 0.01, .upper = 1000,      \
        .default_value = 1, .help = "tpe: weight of the whole range against one result", \
        .source = "Bergstra et al. (2011)"                                               \
    }

#define SAMPLER_OPTION_ROWS                                                                      \
    {.name = "sampler",                                                                          \
     .type = OPTION_CHOICE,                                                                      \
     .choices = sampler_names,                                                                   \
     .default_value = 0,                                                                         \
     .help = "where configurations come from"},                                                  \
        {.name = "learn_from",                                                                   \
         .type = OPTION_CHOICE,                                                                  \
         .choices = learn_from_names,                                                            \
         .default_value = LEARN_FROM_HIGHEST,                                                    \
         .help = "highest: the sampler learns from the deepest rung that has more results than " \
                 "there are hyperparameters; full: from the full depth only",                    \
         .source = "Falkner et al. (2018)"},                                                     \
        TPE_OPTION_ROWS

/** A scheduler that trains every configuration of one sampler to the full depth. */
Status chains_create_full(const SchedulerSetup *setup, const SamplerOps *sampler,
                          const double *options, void **self) MUST_USE;
/**
 * A scheduler of a budget and the sampler that the options name.
 * @param budget_options   values of the budget's rows
 * @param sampler_options  (SAMPLER_OPTION_COUNT) values of SAMPLER_OPTION_ROWS
 */
Status chains_create_budget(const SchedulerSetup *setup, const BudgetOps *budget,
                            const double *budget_options, const double *sampler_options,
                            void **self) MUST_USE;

#endif
