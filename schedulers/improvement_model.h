/** @file improvement_model.h  A Gaussian process of what segments bring: the improvement of the
 * fitness per budget unit (with a cost, per unit of cost) as a function of when a segment begins,
 * of the fitness that it begins with, and of its values. Population schedulers choose new values
 * where its upper confidence bound is highest, with time and fitness fixed at what the member
 * continues.
 *
 * Observations are the newest `window` segments that are known. A segment that failed, or whose
 * objective is no finite number, counts as the worst; so does one that breaks a constraint, while
 * there is one that keeps them. First segments have nothing to improve on and are left out, unless
 * they failed. Segments that are being trained are assumed at their posterior mean.
 *
 * Float, int and ordinal values enter by a Matern-5/2 kernel, categorical ones by overlap, inactive
 * ones as gaussian_process.h says; static ones are inputs too, but stay as they are.
 * Hyperparameters that a decision has fitted travel in its memo, so a resumed study has the same
 * ones.
 *
 * Sources: Parker-Holder et al. (2020), Provably efficient online hyperparameter optimization with
 * population-based bandits (what is modelled, bound, clipping); Wan et al. (2022), Bayesian
 * generational population-based training (normal scores, mixed kernel, trust region).
 */
#ifndef SCHEDULERS_IMPROVEMENT_MODEL_H
#define SCHEDULERS_IMPROVEMENT_MODEL_H

#include "schedulers/population.h"
#include "schedulers/trust_region.h"

typedef struct ImprovementModel ImprovementModel;

typedef struct ImprovementSetup {
    const SchedulerSetup *study;  /* borrowed */
    size_t                window; /* newest observations that are kept, at least 8 */
    bool scores; /* targets are normal scores of ranks; else standardized and clipped at 2 */
} ImprovementSetup;

/** @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_ARG for a space whose hyperparameters fill more
 * than a memo; *out is NULL on failure */
Status improvement_model_create(const ImprovementSetup *setup, ImprovementModel **out) MUST_USE;
void   improvement_model_destroy(ImprovementModel *model); /* accepts NULL */

/** Whether the memo of a decided event is one of this model. Changes nothing.
 * @return STATUS_OK; STATUS_ERR_STATE */
Status improvement_model_check(const ImprovementModel *model, const Event *event) MUST_USE;
/** Takes hyperparameters over from a memo that was checked. */
void improvement_model_observe(ImprovementModel *model, const Event *event);

typedef struct ImprovementQuery {
    int64_t            number;     /* of the decision */
    double             confidence; /* standard deviations; 0: sqrt(0.2 log(0.4 n)), as PB2 */
    const TrustRegion *region;     /* around the best of the known values; NULL: anywhere */
} ImprovementQuery;

/**
 * Chooses the dynamic values of `decision->point`, whose parent is what is continued; writes the
 * note, and a memo where hyperparameters were fitted. Uses scratch memory of the model only.
 * @param proposed  out  false where there is too little to learn from, nothing to choose, or the
 *                       process cannot be factored: the decision is unchanged
 * @return STATUS_OK; STATUS_ERR_NOMEM
 * Cost: at 100 rows and 10 dimensions about 20 MFLOP, a fit 60 MFLOP.
 */
Status improvement_model_propose(ImprovementModel *model, const Population *population,
                                 const ImprovementQuery *query, Decision *decision,
                                 bool *proposed) MUST_USE;

#endif
