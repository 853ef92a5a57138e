/* Asynchronous successive halving: a free slot promotes a configuration that is among the best
 * share of its rung, and where there is none, begins a new one; nothing waits.
 *
 * promotion: paused at every rung; the best paused one goes on while it is among the best
 * floor(n / reduction) of the n results of its rung, deepest rung first (Li et al. 2020, algorithm
 * 2). stopping: judged once per rung, against those that were there before (Ray Tune's
 * ASHAScheduler), so nothing pauses.
 *
 * Is the best paused result of a rung among its best floor(n / reduction)? Both are roots of heaps
 * (result_heap.h): two reads per rung and decision, O(log n) per result.
 *
 * Sources: Li et al. (2020), A system for massively parallel hyperparameter tuning; Ray Tune,
 * schedulers/async_hyperband.py. */
#include "schedulers/budget.h"
#include "schedulers/builtin.h"
#include "schedulers/result_heap.h"
#include "schedulers/rungs.h"
#include "schedulers/samplers.h"

#include <math.h>
#include <stdlib.h>

enum { OPTION_TYPE, OPTION_REDUCTION, OPTION_MIN_UNITS, OWN_OPTIONS };
enum { TYPE_PROMOTION, TYPE_STOPPING };

static const char *const types[] = {"promotion", "stopping", NULL};

typedef struct AshaRung {
    ResultShare seen;     /* all results; the best share apart */
    ResultHeap  paused;   /* those not yet promoted, best first */
    int64_t     promoted; /* how many */
} AshaRung;

typedef struct AshaBudget {
    bool     stopping;
    int64_t  reduction;
    Rungs    rungs;
    AshaRung at[RUNGS_MOST]; /* (rungs.count) */
} AshaBudget;

static void asha_destroy(void *self) {
    AshaBudget *asha = self;
    for (size_t i = 0; asha != NULL && i < RUNGS_MOST; i++) {
        result_share_reset(&asha->at[i].seen);
        result_heap_reset(&asha->at[i].paused);
    }
    free(asha);
}

static Status asha_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    Rungs         rungs;
    const int64_t reduction = (int64_t)options[OPTION_REDUCTION];
    TRY(rungs_upwards(setup, options[OPTION_MIN_UNITS], reduction, &rungs));
    AshaBudget *asha = calloc(1, sizeof *asha);
    if (asha == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    asha->stopping = options[OPTION_TYPE] == TYPE_STOPPING;
    asha->reduction = reduction;
    asha->rungs = rungs;
    for (size_t i = 0; i < RUNGS_MOST; i++) {
        result_share_init(&asha->at[i].seen);
    }
    *self = asha;
    return STATUS_OK;
}

static size_t asha_rungs(const void *self, int64_t *depths, size_t most) {
    return rungs_write(&((const AshaBudget *)self)->rungs, depths, most);
}

static size_t asha_first_rung(const void *self, int64_t configuration) {
    (void)self;
    (void)configuration;
    return 0;
}

/* on, unless it is worse than the quantile of those before; the first one always */
static Verdict judge_stopping(const AshaBudget *asha, const AshaRung *at,
                              const BudgetResult *result) {
    if (result_share_count(&at->seen) == 0) {
        return VERDICT_GO;
    }
    const BudgetResult cutoff = result_share_quantile(&at->seen, asha->reduction);
    return (budget_compare(result, &cutoff) > 0) ? VERDICT_STOP : VERDICT_GO;
}

static Status asha_reached(void *self, int64_t configuration, size_t rung,
                           const BudgetResult *result, Verdict *verdict) {
    AshaBudget        *asha = self;
    AshaRung          *at = &asha->at[rung];
    const RankedResult entry = {*result, configuration};
    const size_t       n = result_share_count(&at->seen) + 1;
    TRY(result_share_reserve(&at->seen));
    if (asha->stopping) {
        *verdict = judge_stopping(asha, at, result);
        result_share_add(&at->seen, entry, result_share_quantile_keep(n, asha->reduction));
        return STATUS_OK;
    }
    TRY(result_heap_reserve(&at->paused));
    result_share_add(&at->seen, entry, n / (size_t)asha->reduction);
    if (isfinite(result->loss)) {
        result_heap_push(&at->paused, entry);
    }
    *verdict = VERDICT_PAUSE;
    return STATUS_OK;
}

/* best paused one of a rung, if it may go on; -1: none */
static int64_t promotable(const AshaRung *at, bool any) {
    const RankedResult *best = result_heap_root(&at->paused);
    const RankedResult *limit = result_heap_root(&at->seen.best);
    if (best == NULL) {
        return -1;
    }
    return (any || (limit != NULL && ranked_compare(best, limit) <= 0)) ? best->configuration : -1;
}

/* At the end, where none was sent to the full depth, the best of the deepest rung goes on: a study
 * has one agent that was trained in full. */
static int64_t asha_promote(const void *self, bool last) {
    const AshaBudget *asha = self;
    const size_t      judged = asha->rungs.count - 1;
    for (size_t i = judged; i > 0; i--) {
        const int64_t configuration = promotable(&asha->at[i - 1], false);
        if (configuration >= 0) {
            return configuration;
        }
    }
    const bool none = last && asha->at[judged - 1].promoted == 0;
    for (size_t i = judged; none && i > 0; i--) {
        const int64_t configuration = promotable(&asha->at[i - 1], true);
        if (configuration >= 0) {
            return configuration;
        }
    }
    return -1;
}

static void asha_promoted(void *self, int64_t configuration) {
    AshaBudget  *asha = self;
    const size_t judged = asha->rungs.count - 1;
    /* it is a root: that of the deepest rung first */
    for (size_t i = judged; i > 0; i--) {
        const RankedResult *root = result_heap_root(&asha->at[i - 1].paused);
        if (root != NULL && root->configuration == configuration) {
            (void)result_heap_pop(&asha->at[i - 1].paused);
            asha->at[i - 1].promoted++;
            return;
        }
    }
    /* unless results came in between deciding and this */
    for (size_t i = judged; i > 0; i--) {
        if (result_heap_remove(&asha->at[i - 1].paused, configuration)) {
            asha->at[i - 1].promoted++;
            return;
        }
    }
}

static const BudgetOps budget_asha_ops = {
    .name = "asha",
    .create = asha_create,
    .rungs = asha_rungs,
    .first_rung = asha_first_rung,
    .reached = asha_reached,
    .promote = asha_promote,
    .promoted = asha_promoted,
    .destroy = asha_destroy,
};

static const OptionSpec asha_options[] = {
    [OPTION_TYPE] = {.name = "type",
                     .type = OPTION_CHOICE,
                     .choices = types,
                     .default_value = TYPE_PROMOTION,
                     .help = "promotion: pause at every rung, continue the best; stopping: decide "
                             "once at every rung, never pause",
                     .source = "Li et al. (2020)"},
    [OPTION_REDUCTION] = {.name = "reduction",
                          .type = OPTION_INT,
                          .lower = 2,
                          .upper = 1000,
                          .default_value = 4,
                          .help = "one in so many goes on from a rung, to so many times the units",
                          .source = "Li et al. (2020), section 4"},
    [OPTION_MIN_UNITS] = {.name = "min_units",
                          .type = OPTION_INT,
                          .lower = 1,
                          .upper = 1e15,
                          .default_value = (double)NAN,
                          .help = "depth of the first rung, in budget units; default: one segment"},
    SAMPLER_OPTION_ROWS(LEARN_FROM_HIGHEST),
    {.name = NULL},
};

static Status asha_search_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    if (options[OPTION_TYPE] == TYPE_PROMOTION) {
        TRY(samplers_check_pausing(options + OWN_OPTIONS));
    }
    return chains_create_budget(setup, &budget_asha_ops, options, options + OWN_OPTIONS, self);
}

static size_t asha_overruled_by(const double *options, size_t row) {
    return samplers_overruled_by(options, OWN_OPTIONS, row);
}

static SchedulerUses asha_uses(const double *options) {
    return samplers_uses(options + OWN_OPTIONS, true);
}

const SchedulerOps scheduler_asha_ops = {
    .name = "asha",
    .source = "Li et al., MLSys (2020)",
    .help = "Trains many configurations a little and the best share of each rung further, with no "
            "slot ever waiting: the first choice where short training ranks configurations as long "
            "training does. Not where learning curves still cross behind the first rung, as they "
            "often do in model-based RL: on recorded curves of PETS it found good configurations "
            "surely and missed the best, which learns late (use full), nor for values that should "
            "change while the agent trains.",
    .options = asha_options,
    .branches = true,
    .stops_early = true,
    .create = asha_search_create,
    .uses = asha_uses,
    .overruled_by = asha_overruled_by,
    CHAINS_SCHEDULER,
};
