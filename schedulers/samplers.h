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

#include "core/optimize/nlopt_search.h"
#include "core/optimize/tpe.h"
#include "schedulers/chains.h"

#include <math.h>

extern const SamplerOps sampler_random_ops;
extern const SamplerOps sampler_sobol_ops;
extern const SamplerOps sampler_grid_ops;
extern const SamplerOps sampler_cmaes_ops;
extern const SamplerOps sampler_nlopt_ops;
extern const SamplerOps sampler_nsga2_ops;
extern const SamplerOps sampler_tpe_ops;
extern const SamplerOps sampler_gp_ops;

extern const char *const sampler_names[]; /* ends at NULL, as those below */
extern const char *const cmaes_covariances[];
extern const char *const cmaes_restarts[];

/* rows of each sampler */
enum {
    GRID_OPTIONS = 2,
    CMAES_OPTIONS = 4,
    NLOPT_OPTIONS = 4,
    NSGA2_OPTIONS = 3,
    TPE_OPTIONS = 5,
    GP_OPTIONS = 1,
};

/* where they begin among SAMPLER_OPTION_ROWS */
enum {
    SAMPLER_OPTION_NAME,
    SAMPLER_OPTION_LEARN_FROM,
    SAMPLER_OPTION_GRID,
    SAMPLER_OPTION_CMAES = SAMPLER_OPTION_GRID + GRID_OPTIONS,
    SAMPLER_OPTION_NLOPT = SAMPLER_OPTION_CMAES + CMAES_OPTIONS,
    SAMPLER_OPTION_NSGA2 = SAMPLER_OPTION_NLOPT + NLOPT_OPTIONS,
    SAMPLER_OPTION_TPE = SAMPLER_OPTION_NSGA2 + NSGA2_OPTIONS, /* gp takes the first of its rows */
    SAMPLER_OPTION_GP = SAMPLER_OPTION_TPE,
    SAMPLER_OPTION_COUNT = SAMPLER_OPTION_TPE + TPE_OPTIONS,
};

#define GRID_OPTION_ROWS                                                         \
    {.name = "levels",                                                           \
     .type = OPTION_INT,                                                         \
     .lower = 1,                                                                 \
     .upper = 1000,                                                              \
     .default_value = 5,                                                         \
     .help = "grid: values of a float or an int (count)"},                       \
    {                                                                            \
        .name = "shuffle", .type = OPTION_BOOL, .default_value = 1,              \
        .help = "grid: in random order, so that the first part is a fair sample" \
    }

#define CMAES_OPTION_ROWS                                                                          \
    {.name = "cmaes_population",                                                                   \
     .type = OPTION_INT,                                                                           \
     .lower = 4,                                                                                   \
     .upper = 100000,                                                                              \
     .default_value = (double)NAN,                                                                 \
     .help = "cmaes: configurations per generation; a multiple of the slots wastes none (count; "  \
             "default 4 + floor(3 ln dimensions))",                                                \
     .source = "Hansen (2016)"},                                                                   \
        {.name = "covariance",                                                                     \
         .type = OPTION_CHOICE,                                                                    \
         .choices = cmaes_covariances,                                                             \
         .default_value = 0,                                                                       \
         .help = "cmaes: full, diagonal, or automatic: full up to 200 hyperparameters",            \
         .source = "Ros & Hansen (2008)"},                                                         \
        {.name = "deviation",                                                                      \
         .type = OPTION_FLOAT,                                                                     \
         .lower = 1e-6,                                                                            \
         .upper = 1,                                                                               \
         .default_value = 0.2,                                                                     \
         .help = "cmaes: first standard deviation (of the unit cube)",                             \
         .source = "Hansen (2016)"},                                                               \
    {                                                                                              \
        .name = "restarts", .type = OPTION_CHOICE, .choices = cmaes_restarts, .default_value = 1,  \
        .help = "cmaes: what comes after convergence: nothing new, larger populations (ipop), or " \
                "larger and small ones in turn",                                                   \
        .source = "Auger & Hansen (2005)"                                                          \
    }

#define NLOPT_OPTION_ROWS                                                                        \
    {.name = "algorithm",                                                                        \
     .type = OPTION_CHOICE,                                                                      \
     .choices = nlopt_search_algorithms,                                                         \
     .default_value = 0,                                                                         \
     .help = "nlopt: ln_ search around a start, gn_ in the whole range"},                        \
        {.name = "starts",                                                                       \
         .type = OPTION_INT,                                                                     \
         .lower = 1,                                                                             \
         .upper = 4096,                                                                          \
         .default_value = 1,                                                                     \
         .help = "nlopt: searches side by side, each with one configuration at a time (count)"}, \
        {.name = "step",                                                                         \
         .type = OPTION_FLOAT,                                                                   \
         .lower = 1e-6,                                                                          \
         .upper = 0.5,                                                                           \
         .default_value = 0.2,                                                                   \
         .help = "nlopt: first step (of the unit cube)"},                                        \
    {                                                                                            \
        .name = "tolerance", .type = OPTION_FLOAT, .lower = 1e-12, .upper = 0.1,                 \
        .default_value = 1e-4,                                                                   \
        .help = "nlopt: a search that moves by less begins again elsewhere (of the unit cube)"   \
    }

#define NSGA2_OPTION_ROWS                                                                 \
    {.name = "survivors",                                                                 \
     .type = OPTION_INT,                                                                  \
     .lower = 4,                                                                          \
     .upper = 1000,                                                                       \
     .default_value = 24,                                                                 \
     .help = "nsga2: configurations that may have children (count)"},                     \
        {.name = "crossover",                                                             \
         .type = OPTION_FLOAT,                                                            \
         .lower = 0,                                                                      \
         .upper = 1,                                                                      \
         .default_value = 0.9,                                                            \
         .help = "nsga2: probability that a child has two parents",                       \
         .source = "Deb et al. (2002)"},                                                  \
    {                                                                                     \
        .name = "mutation", .type = OPTION_FLOAT, .lower = 0, .upper = 1,                 \
        .default_value = (double)NAN,                                                     \
        .help = "nsga2: probability that a value is moved (default 1 / hyperparameters)", \
        .source = "Deb et al. (2002)"                                                     \
    }

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

/* `learns`: the default of learn_from */
#define SAMPLER_OPTION_ROWS(learns)                                                              \
    {.name = "sampler",                                                                          \
     .type = OPTION_CHOICE,                                                                      \
     .choices = sampler_names,                                                                   \
     .default_value = 0,                                                                         \
     .help = "where configurations come from"},                                                  \
        {.name = "learn_from",                                                                   \
         .type = OPTION_CHOICE,                                                                  \
         .choices = learn_from_names,                                                            \
         .default_value = (learns),                                                              \
         .help = "highest: the sampler learns from the deepest rung that has more results than " \
                 "there are hyperparameters; full: from the full depth only; last: from where "  \
                 "each configuration stopped",                                                   \
         .source = "Falkner et al. (2018)"},                                                     \
        GRID_OPTION_ROWS, CMAES_OPTION_ROWS, NLOPT_OPTION_ROWS, NSGA2_OPTION_ROWS, TPE_OPTION_ROWS

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
/** STATUS_ERR_ARG where these values do not fit a budget that pauses: `learn_from: last`, because a
 * paused configuration has not stopped. */
Status samplers_check_pausing(const double *sampler_options) MUST_USE;
/**
 * SchedulerOps.uses() of a budget scheduler.
 * @param sampler_options  values of SAMPLER_OPTION_ROWS
 * @param judges           the budget stops or pauses by the first objective
 */
SchedulerUses samplers_uses(const double *sampler_options, bool judges);
/**
 * SchedulerOps.overruled_by() of a budget scheduler.
 * @param options  values of all rows; those of SAMPLER_OPTION_ROWS begin at `first`
 */
size_t samplers_overruled_by(const double *options, size_t first, size_t row);

#endif
