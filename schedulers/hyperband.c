/* Hyperband: successive halving in brackets that begin at different depths, so that no one depth
 * has to be trusted.
 *
 * Configurations fill one bracket after the other, by their number. When all of a bracket's rung
 * are in, its best share is promoted; a slot that is free before that begins the next bracket.
 * Nothing waits but at the end, where rungs that nobody will fill any more are cut as they are.
 *
 * A decision looks at the brackets that are under way: about slots / (configurations of a bracket),
 * a few nanoseconds each.
 *
 * Source: Li et al. (2017), Hyperband: a novel bandit-based approach to hyperparameter
 * optimization, algorithm 1. */
#include "schedulers/hyperband.h"

#include "schedulers/builtin.h"
#include "schedulers/result_heap.h"
#include "schedulers/samplers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 16 };

typedef struct Bracket {
    size_t        rung;     /* that is being filled */
    int64_t       expected; /* configurations that come to it */
    int64_t       arrived;  /* of them */
    RankedResult *results;  /* (count) of those that did not fail; room for the first rung */
    size_t        count;
    int64_t      *promotable; /* (promotable_count) best first, from the rung before */
    size_t        promotable_count;
    size_t        promoted; /* of them */
} Bracket;

typedef struct HyperbandBudget {
    Brackets plan;
    Bracket *brackets; /* (count) */
    size_t   count;
    size_t   capacity;
    size_t   over; /* brackets at the front that nothing more comes of */
    int64_t  reduction;
} HyperbandBudget;

static void bracket_free(Bracket *bracket) {
    free(bracket->results);
    free(bracket->promotable);
    bracket->results = NULL;
    bracket->promotable = NULL;
}

static void hyperband_destroy(void *self) {
    HyperbandBudget *budget = self;
    for (size_t i = 0; budget != NULL && i < budget->count; i++) {
        bracket_free(&budget->brackets[i]);
    }
    if (budget != NULL) {
        free(budget->brackets);
    }
    free(budget);
}

static Status hyperband_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    Brackets      plan;
    const int64_t reduction = (int64_t)options[HYPERBAND_REDUCTION];
    TRY(brackets_init(setup, options[HYPERBAND_MIN_UNITS], reduction, BRACKETS_PROMOTE, &plan));
    HyperbandBudget *budget = calloc(1, sizeof *budget);
    if (budget == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    budget->plan = plan;
    budget->reduction = reduction;
    *self = budget;
    return STATUS_OK;
}

static size_t hyperband_rungs(const void *self, int64_t *depths, size_t most) {
    return rungs_write(&((const HyperbandBudget *)self)->plan.rungs, depths, most);
}

static size_t hyperband_first_rung(const void *self, int64_t configuration) {
    return brackets_find(&((const HyperbandBudget *)self)->plan, configuration).rung;
}

/* ---- brackets under way -------------------------------------------------------------------- */

static size_t judged_rungs(const HyperbandBudget *budget) {
    return budget->plan.rungs.count - 1;
}

/* nothing more to come: sent to the full depth, or nobody is left */
static bool is_over(const HyperbandBudget *budget, const Bracket *bracket) {
    return bracket->promoted == bracket->promotable_count &&
           (bracket->rung >= judged_rungs(budget) || bracket->expected == 0);
}

/* frees what is over at the front; results are over in nearly that order */
static void advance(HyperbandBudget *budget) {
    while (budget->over < budget->count && is_over(budget, &budget->brackets[budget->over])) {
        bracket_free(&budget->brackets[budget->over++]);
    }
}

static int compare_ranked(const void *a, const void *b) {
    return ranked_compare(a, b);
}

/* The rung is full, or will not get fuller: the best share of it, at least one, is promoted. */
static void close_rung(HyperbandBudget *budget, Bracket *bracket) {
    int64_t share = bracket->arrived / budget->reduction;
    share = (share < 1) ? 1 : share;
    const size_t best = ((size_t)share < bracket->count) ? (size_t)share : bracket->count;
    qsort(bracket->results, bracket->count, sizeof *bracket->results, compare_ranked);
    for (size_t i = 0; i < best; i++) {
        bracket->promotable[i] = bracket->results[i].configuration;
    }
    bracket->promotable_count = best;
    bracket->promoted = 0;
    bracket->expected = (int64_t)best;
    bracket->arrived = 0;
    bracket->count = 0;
    bracket->rung++;
}

/* makes the brackets up to `index` */
static Status reserve_bracket(HyperbandBudget *budget, size_t index) {
    if (index >= budget->capacity) {
        size_t capacity = (budget->capacity == 0) ? FIRST_CAPACITY : budget->capacity;
        while (capacity <= index) {
            capacity *= 2;
        }
        Bracket *brackets = realloc(budget->brackets, capacity * sizeof *brackets);
        if (brackets == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu brackets", capacity);
        }
        budget->brackets = brackets;
        budget->capacity = capacity;
    }
    while (budget->count <= index) {
        const size_t  first = budget->count % budget->plan.rungs.count;
        const int64_t size = budget->plan.sizes[first][first];
        Bracket       bracket = {.rung = first};
        /* one that begins at the full depth is never judged */
        if (first < judged_rungs(budget)) {
            bracket.expected = size;
            bracket.results = calloc((size_t)size, sizeof *bracket.results);
            bracket.promotable = calloc((size_t)size, sizeof *bracket.promotable);
            if (bracket.results == NULL || bracket.promotable == NULL) {
                bracket_free(&bracket);
                FAIL(STATUS_ERR_NOMEM, "no memory for a bracket of %lld configurations",
                     (long long)size);
            }
        }
        budget->brackets[budget->count++] = bracket;
    }
    return STATUS_OK;
}

static Status hyperband_reached(void *self, int64_t configuration, size_t rung,
                                const BudgetResult *result, Verdict *verdict) {
    HyperbandBudget *budget = self;
    const size_t     index = (size_t)brackets_find(&budget->plan, configuration).bracket;
    TRY(reserve_bracket(budget, index));
    Bracket *bracket = &budget->brackets[index];
    *verdict = VERDICT_PAUSE;
    if (rung != bracket->rung) {
        *verdict = VERDICT_STOP; /* of a rung that was closed without it */
        return STATUS_OK;
    }
    if (isfinite(result->loss)) {
        bracket->results[bracket->count++] = (RankedResult){*result, configuration};
    }
    bracket->arrived++;
    if (bracket->arrived == bracket->expected) {
        close_rung(budget, bracket);
        advance(budget);
    }
    return STATUS_OK;
}

static int64_t best_of(const Bracket *bracket) {
    size_t best = 0;
    for (size_t i = 1; i < bracket->count; i++) {
        best = (ranked_compare(&bracket->results[i], &bracket->results[best]) < 0) ? i : best;
    }
    return bracket->results[best].configuration;
}

static int64_t hyperband_promote(const void *self, bool last) {
    const HyperbandBudget *budget = self;
    for (size_t i = budget->over; i < budget->count; i++) {
        const Bracket *bracket = &budget->brackets[i];
        if (bracket->promoted < bracket->promotable_count) {
            return bracket->promotable[bracket->promoted];
        }
    }
    for (size_t i = budget->over; last && i < budget->count; i++) {
        const Bracket *bracket = &budget->brackets[i];
        if (bracket->count > 0) {
            return best_of(bracket);
        }
    }
    return -1;
}

/* takes a configuration off those that can be promoted; false if it is not among them */
static bool take(Bracket *bracket, int64_t configuration) {
    for (size_t i = bracket->promoted; i < bracket->promotable_count; i++) {
        if (bracket->promotable[i] == configuration) {
            memmove(&bracket->promotable[bracket->promoted + 1],
                    &bracket->promotable[bracket->promoted],
                    (i - bracket->promoted) * sizeof *bracket->promotable);
            bracket->promotable[bracket->promoted++] = configuration;
            return true;
        }
    }
    return false;
}

static void hyperband_promoted(void *self, int64_t configuration) {
    HyperbandBudget *budget = self;
    const size_t     index = (size_t)brackets_find(&budget->plan, configuration).bracket;
    if (index < budget->count && !take(&budget->brackets[index], configuration) &&
        budget->brackets[index].count > 0) {
        close_rung(budget, &budget->brackets[index]);
        (void)take(&budget->brackets[index], configuration);
    }
    advance(budget);
}

const BudgetOps budget_hyperband_ops = {
    .name = "hyperband",
    .create = hyperband_create,
    .rungs = hyperband_rungs,
    .first_rung = hyperband_first_rung,
    .reached = hyperband_reached,
    .promote = hyperband_promote,
    .promoted = hyperband_promoted,
    .destroy = hyperband_destroy,
};

static const OptionSpec hyperband_options[] = {
    HYPERBAND_OPTION_ROWS,
    SAMPLER_OPTION_ROWS(LEARN_FROM_HIGHEST),
    {.name = NULL},
};

static Status hyperband_search_create(const SchedulerSetup *setup, const double *options,
                                      void **self) {
    *self = NULL;
    TRY(samplers_check_pausing(options + HYPERBAND_OPTIONS));
    return chains_create_budget(setup, &budget_hyperband_ops, options, options + HYPERBAND_OPTIONS,
                                self);
}

static size_t hyperband_overruled_by(const double *options, size_t row) {
    return samplers_overruled_by(options, HYPERBAND_OPTIONS, row);
}

static SchedulerUses hyperband_uses(const double *options) {
    return samplers_uses(options + HYPERBAND_OPTIONS, true);
}

const SchedulerOps scheduler_hyperband_ops = {
    .name = "hyperband",
    .source = "Li et al., JMLR 18 (2017)",
    .help =
        "Successive halving in brackets that begin at different depths, the last of them at the "
        "full one: when nobody knows at which depth configurations can be compared. Not for "
        "less than a round of brackets (with n rungs about n x n full runs), where asha already "
        "ranks them, nor where early results mislead (on recorded curves of PETS it did worse "
        "than random search), nor for values that should change while the agent trains.",
    .options = hyperband_options,
    .branches = true,
    .stops_early = true,
    .create = hyperband_search_create,
    .uses = hyperband_uses,
    .overruled_by = hyperband_overruled_by,
    CHAINS_SCHEDULER,
};
