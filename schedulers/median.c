/* Median stopping rule: a configuration is stopped where its best result so far is worse than the
 * median of the running averages of the others at that depth.
 *
 * A running average is the mean of the results at the rungs up to a depth, the first `interval`
 * units included. Others are all configurations that have reached the depth, stopped there or not;
 * in the paper those that are completed, which is nobody for long where many train at once (Ray
 * Tune does as here).
 *
 * Cost per result: O(log n) in the two heaps of its rung (result_heap.h), nothing per decision.
 *
 * Source: Golovin et al. (2017), Google Vizier, section 3.2.2. */
#include "schedulers/budget.h"
#include "schedulers/builtin.h"
#include "schedulers/result_heap.h"
#include "schedulers/samplers.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { OPTION_INTERVAL, OPTION_GRACE, OPTION_MIN_CONFIGURATIONS, OWN_OPTIONS };
enum { FIRST_CAPACITY = 64, MOST_RUNGS = 4096, MOST_LEARNING_RUNGS = 64, HALF = 2 };

/* what a configuration did so far */
typedef struct Curve {
    double       loss; /* sums over its rungs */
    double       violation;
    int64_t      count;
    BudgetResult best;
} Curve;

typedef struct MedianBudget {
    int64_t      per_trial;
    int64_t      interval;
    int64_t      grace;
    size_t       min_configurations;
    ResultShare *averages; /* (rungs below the last) running averages; half of them apart */
    size_t       judged;   /* rungs below the last */
    Curve       *curves;   /* (capacity) by configuration */
    size_t       capacity;
} MedianBudget;

static void median_destroy(void *self) {
    MedianBudget *median = self;
    if (median == NULL) {
        return;
    }
    for (size_t i = 0; median->averages != NULL && i < median->judged; i++) {
        result_share_reset(&median->averages[i]);
    }
    free(median->averages);
    free(median->curves);
    free(median);
}

static int64_t interval_of(const SchedulerSetup *setup, const double *options) {
    return isnan(options[OPTION_INTERVAL]) ? setup->segment : (int64_t)options[OPTION_INTERVAL];
}

static Status check_interval(const SchedulerSetup *setup, const double *options) {
    const int64_t interval = interval_of(setup, options);
    if (interval >= setup->per_trial) {
        FAIL(STATUS_ERR_ARG,
             "interval %" PRId64 " (by default one segment) is not below per_trial %" PRId64
             ", so nothing would be stopped early; lower it, or use scheduler 'full'",
             interval, setup->per_trial);
    }
    if (setup->per_trial / interval > MOST_RUNGS) {
        FAIL(STATUS_ERR_ARG,
             "interval %" PRId64 " cuts per_trial %" PRId64 " into more than %d rungs; raise it",
             interval, setup->per_trial, MOST_RUNGS);
    }
    if (!isnan(options[OPTION_GRACE]) && options[OPTION_GRACE] >= (double)setup->per_trial) {
        FAIL(STATUS_ERR_ARG,
             "grace %.0f is not below per_trial %" PRId64 ", so nothing would be stopped early",
             options[OPTION_GRACE], setup->per_trial);
    }
    return STATUS_OK;
}

static Status median_create(const SchedulerSetup *setup, const double *options, void **self) {
    *self = NULL;
    TRY(check_interval(setup, options));
    MedianBudget *median = calloc(1, sizeof *median);
    if (median == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    median->per_trial = setup->per_trial;
    median->interval = interval_of(setup, options);
    median->grace =
        isnan(options[OPTION_GRACE]) ? (setup->per_trial + 3) / 4 : (int64_t)options[OPTION_GRACE];
    median->min_configurations = (size_t)options[OPTION_MIN_CONFIGURATIONS];
    median->judged = (size_t)((setup->per_trial - 1) / median->interval);
    median->averages = calloc(median->judged, sizeof *median->averages);
    if (median->averages == NULL) {
        median_destroy(median);
        FAIL(STATUS_ERR_NOMEM, "no memory for a budget");
    }
    for (size_t i = 0; i < median->judged; i++) {
        result_share_init(&median->averages[i]);
    }
    *self = median;
    return STATUS_OK;
}

static size_t median_rungs(const void *self, int64_t *depths, size_t most) {
    const MedianBudget *median = self;
    for (size_t i = 0; i <= median->judged && i < most; i++) {
        depths[i] = (i < median->judged) ? (int64_t)(i + 1) * median->interval : median->per_trial;
    }
    return median->judged + 1;
}

static size_t median_first_rung(const void *self, int64_t configuration) {
    (void)self;
    (void)configuration;
    return 0;
}

static Status reserve_curve(MedianBudget *median, size_t index) {
    if (index < median->capacity) {
        return STATUS_OK;
    }
    size_t capacity = (median->capacity == 0) ? FIRST_CAPACITY : median->capacity;
    while (capacity <= index) {
        capacity *= 2;
    }
    Curve *curves = realloc(median->curves, capacity * sizeof *curves);
    if (curves == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations", capacity);
    }
    for (size_t i = median->capacity; i < capacity; i++) {
        curves[i] = (Curve){.best = {(double)INFINITY, (double)INFINITY}};
    }
    median->curves = curves;
    median->capacity = capacity;
    return STATUS_OK;
}

/* adds a result to a curve and returns the running average */
static BudgetResult add_to_curve(Curve *curve, const BudgetResult *result) {
    curve->loss += result->loss;
    curve->violation += result->violation;
    curve->count++;
    if (budget_compare(result, &curve->best) < 0) {
        curve->best = *result;
    }
    return (BudgetResult){.loss = curve->loss / (double)curve->count,
                          .violation = curve->violation / (double)curve->count};
}

static Status median_reached(void *self, int64_t configuration, size_t rung,
                             const BudgetResult *result, Verdict *verdict) {
    MedianBudget *median = self;
    ResultShare  *others = &median->averages[rung];
    const size_t  n = result_share_count(others);
    TRY(reserve_curve(median, (size_t)configuration));
    TRY(result_share_reserve(others));
    Curve             *curve = &median->curves[configuration];
    const BudgetResult average = add_to_curve(curve, result);
    const int64_t      depth = (int64_t)(rung + 1) * median->interval;
    *verdict = VERDICT_GO;
    if (depth >= median->grace && n > 0 && n >= median->min_configurations) {
        const BudgetResult middle = result_share_quantile(others, HALF);
        *verdict = (budget_compare(&curve->best, &middle) > 0) ? VERDICT_STOP : VERDICT_GO;
    }
    result_share_add(others, (RankedResult){average, configuration},
                     result_share_quantile_keep(n + 1, HALF));
    return STATUS_OK;
}

static const BudgetOps budget_median_ops = {
    .name = "median",
    .create = median_create,
    .rungs = median_rungs,
    .first_rung = median_first_rung,
    .reached = median_reached,
    .destroy = median_destroy,
};

static const OptionSpec median_options[] = {
    [OPTION_INTERVAL] = {.name = "interval",
                         .type = OPTION_INT,
                         .lower = 1,
                         .upper = 1e15,
                         .default_value = (double)NAN,
                         .help = "budget units from one look to the next; default: one segment"},
    [OPTION_GRACE] = {.name = "grace",
                      .type = OPTION_INT,
                      .lower = 0,
                      .upper = 1e15,
                      .default_value = (double)NAN,
                      .help = "budget units before which nothing is stopped; default: a quarter of "
                              "per_trial"},
    [OPTION_MIN_CONFIGURATIONS] = {.name = "min_configurations",
                                   .type = OPTION_INT,
                                   .lower = 1,
                                   .upper = 1e6,
                                   .default_value = 5,
                                   .help = "others that must have reached a depth before anything "
                                           "is stopped there (count)",
                                   .source = "Optuna MedianPruner: n_startup_trials"},
    SAMPLER_OPTION_ROWS(LEARN_FROM_LAST),
    {.name = NULL},
};

static Status median_search_create(const SchedulerSetup *setup, const double *options,
                                   void **self) {
    *self = NULL;
    const bool per_rung =
        options[OWN_OPTIONS + SAMPLER_OPTION_LEARN_FROM] == (double)LEARN_FROM_HIGHEST;
    if (per_rung && setup->per_trial / interval_of(setup, options) > MOST_LEARNING_RUNGS) {
        FAIL(STATUS_ERR_ARG,
             "learn_from 'highest' keeps a model per rung, and interval %" PRId64
             " makes more than %d rungs; use learn_from 'last' or raise the interval",
             interval_of(setup, options), MOST_LEARNING_RUNGS);
    }
    return chains_create_budget(setup, &budget_median_ops, options, options + OWN_OPTIONS, self);
}

static size_t median_overruled_by(const double *options, size_t row) {
    return samplers_overruled_by(options, OWN_OPTIONS, row);
}

static SchedulerUses median_uses(const double *options) {
    return samplers_uses(options + OWN_OPTIONS, true);
}

const SchedulerOps scheduler_median_ops = {
    .name = "median",
    .source = "Golovin et al., KDD (2017), section 3.2.2",
    .help = "Stops what does worse than half of the others did at the same depth: the gentlest way "
            "to stop early, saving up to half of the units while few slots are lost to bad "
            "luck. Not where curves cross late (raise grace), and asha saves far more where they "
            "do not.",
    .options = median_options,
    .branches = true,
    .stops_early = true,
    .create = median_search_create,
    .uses = median_uses,
    .overruled_by = median_overruled_by,
    CHAINS_SCHEDULER,
};
