/** @file chains.h  Configurations of static values, each a chain of segments: what samplers and
 * budgets have in common, and what makes schedulers of them.
 *
 * Configuration c has `repeats` chains, trials c x repeats and up. The sampler says its values, the
 * budget how far its chains are trained before they are looked at again. A free slot first
 * continues an open chain, then begins repeats, then what the budget promotes, and only then a new
 * configuration, for which units must be left beyond what open chains need to reach their targets.
 * The defaults (baseline) and enqueued points come before the sampler's.
 *
 * A configuration's result at a depth is the mean over its repeats; one that failed makes it
 * failed. With `learn_from: highest` there is one sampler per rung, and the one of the deepest rung
 * with enough results is asked (as in BOHB); with `full` only results at the full depth are told,
 * with `last` those at the depth where a configuration stopped.
 * Results of earlier studies go to the sampler of the deepest rung that they reach.
 */
#ifndef SCHEDULERS_CHAINS_H
#define SCHEDULERS_CHAINS_H

#include "schedulers/budget.h"
#include "schedulers/sampler.h"

typedef enum LearnFrom {
    LEARN_FROM_HIGHEST, /* the deepest rung with more results than hyperparameters */
    LEARN_FROM_FULL,    /* the full depth */
    LEARN_FROM_LAST,    /* where the configuration stopped, whatever depth that is */
} LearnFrom;

extern const char *const learn_from_names[];

/** What a scheduler is made of. */
typedef struct ChainsParts {
    const SamplerOps *sampler;
    const double     *sampler_options;
    const BudgetOps  *budget;
    const double     *budget_options;
    LearnFrom         learn_from;
    double            random_fraction; /* of configurations that are drawn at random, whatever the
                                          sampler has learned (BOHB) */
} ChainsParts;

/** Makes the state behind the functions below. */
Status chains_create(const SchedulerSetup *setup, const ChainsParts *parts, void **self) MUST_USE;
SchedulerOrder chains_order(const void *self);
Status         chains_decide(const void *self, int64_t number, Decision *decision) MUST_USE;
Status         chains_observe(void *self, const Event *event) MUST_USE;
Keeps          chains_keeps(const void *self, int64_t segment);
size_t         chains_known_depths(const void *self, int64_t *depths, size_t capacity);
void           chains_destroy(void *self);

/* rows of SchedulerOps that every scheduler over chains has */
#define CHAINS_SCHEDULER                                                       \
    .order = chains_order, .decide = chains_decide, .observe = chains_observe, \
    .keeps = chains_keeps, .known_depths = chains_known_depths, .destroy = chains_destroy

#endif
