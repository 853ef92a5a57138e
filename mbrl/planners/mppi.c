/* Model predictive path integral control in the form of PDDM: candidates are the plan plus noise,
 * smoothed over time,
 *
 *     a_h = beta (mu_h + eps_h) + (1 - beta) a_{h-1},   eps_h ~ N(0, sigma^2),
 *
 * with a_{-1} the action that was carried out last, and the next plan is their mean with weights
 * exp(kappa (R_i - max R)). Actions are clipped at the bounds as they are made, so that a_{h-1} is
 * an action that can be carried out. PDDM does this once per step; here as often as
 * mppi_iterations says, each time around the new plan. sigma scales the noise, in half-ranges of
 * the action (mbrl-lib computes scaled noise and then overwrites it, so that its sigma does
 * nothing).
 */
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/search.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PDDM "Nagabandi et al. (2019), PDDM, arXiv 1909.11652"

enum { MAX_ITERATIONS = 100 };

enum { MPPI_CANDIDATES, MPPI_ITERATIONS, MPPI_KAPPA, MPPI_BETA, MPPI_SIGMA, MPPI_OPTION_COUNT };

static const OptionSpec mppi_options[MPPI_OPTION_COUNT + 1] = {
    [MPPI_CANDIDATES] = {"mppi_candidates", OPTION_INT, 2, 100000, 700, true, NULL,
                         "action sequences per iteration (count)", PDDM},
    [MPPI_ITERATIONS] = {"mppi_iterations", OPTION_INT, 1, MAX_ITERATIONS, 1, true, NULL,
                         "iterations (count)", PDDM},
    [MPPI_KAPPA] = {"mppi_kappa", OPTION_FLOAT, 1e-6, 1e6, 1.0, true, NULL,
                    "sequences are weighted with exp(kappa x return) (1 / return)", PDDM},
    [MPPI_BETA] = {"mppi_beta", OPTION_FLOAT, 0.001, 1.0, 0.9, true, NULL,
                   "share of an action that is new; the rest is the action before it", PDDM},
    [MPPI_SIGMA] = {"mppi_sigma", OPTION_FLOAT, 0.001, 10.0, 0.9, true, NULL,
                    "standard deviation of the noise (half-ranges of the action)", PDDM},
};

static const char saved_magic[] = "mbt-mppi";

/* t = horizon, a = action_dim, c = candidates */
typedef struct Mppi {
    Search  search;
    double  values[MPPI_OPTION_COUNT];
    double *last; /* (a) action carried out last */
} Mppi;

/* working memory of one call */
typedef struct MppiWork {
    float  *actions; /* (t, c, a) */
    double *returns; /* (c), then weights */
} MppiWork;

static size_t candidates_of(const Mppi *mppi) {
    return (size_t)mppi->values[MPPI_CANDIDATES];
}

static void mppi_destroy(void *self) {
    Mppi *mppi = self;
    if (mppi == NULL) {
        return;
    }
    search_release(&mppi->search);
    free(mppi->last);
    free(mppi);
}

static void mppi_reset(void *self) {
    Mppi *mppi = self;
    search_reset(&mppi->search);
    search_fill_middle(&mppi->search, mppi->last, 0, 1);
}

static Status mppi_create(const PlannerSetup *setup, void **self) {
    *self = NULL;
    TRY(option_check_all(mppi_options, setup->values));
    Mppi *mppi = calloc(1, sizeof *mppi);
    if (mppi == NULL) {
        FAIL(STATUS_ERR_NOMEM, "mppi: no memory");
    }
    Status status = search_init(&mppi->search, setup);
    if (status == STATUS_OK) {
        mppi->last = calloc(setup->environment->action_dim, sizeof *mppi->last);
        if (mppi->last == NULL) {
            status = FAILURE(STATUS_ERR_NOMEM, "mppi: no memory for an action");
        }
    }
    if (status != STATUS_OK) {
        mppi_destroy(mppi);
        return status;
    }
    memcpy(mppi->values, setup->values, sizeof mppi->values);
    mppi_reset(mppi);
    *self = mppi;
    return STATUS_OK;
}

static Status mppi_set(void *self, const double *rollout_values, const double *values) {
    Mppi *mppi = self;
    TRY(option_check_all(mppi_options, values));
    TRY(search_set(&mppi->search, rollout_values));
    memcpy(mppi->values, values, sizeof mppi->values);
    return STATUS_OK;
}

static size_t actions_of(const Mppi *mppi) {
    return search_horizon(&mppi->search) * candidates_of(mppi) *
           mppi->search.environment->action_dim;
}

static size_t work_bytes(const Mppi *mppi) {
    return arena_need(actions_of(mppi), sizeof(float)) +
           arena_need(candidates_of(mppi), sizeof(double));
}

static Status take_work(Mppi *mppi, MppiWork *work) {
    Arena *arena = &mppi->search.arena;
    TRY(ARENA_TAKE(arena, float, actions_of(mppi), &work->actions));
    return ARENA_TAKE(arena, double, candidates_of(mppi), &work->returns);
}

/* the candidates of one iteration, around the plan */
static void sample_actions(const Mppi *mppi, size_t iteration, const MppiWork *work) {
    const size_t a = mppi->search.environment->action_dim;
    const size_t row = candidates_of(mppi) * a;
    const float  beta = (float)mppi->values[MPPI_BETA];
    Rng rng = rng_stream_lane(mppi->search.task.seed, mppi->search.task.step, RNG_PLAN_ACTIONS,
                              (uint32_t)iteration);
    rng_fill_normal(&rng, work->actions, actions_of(mppi));
    for (size_t h = 0; h < search_horizon(&mppi->search); h++) {
        for (size_t i = 0; i < row; i++) {
            const size_t d = i % a;
            float       *action = work->actions + h * row + i;
            const double sd = mppi->values[MPPI_SIGMA] * search_half_range(&mppi->search, d);
            const float  drawn = (float)mppi->search.plan[h * a + d] + (float)sd * *action;
            const float  previous = (h == 0) ? (float)mppi->last[d] : action[-(ptrdiff_t)row];
            *action = search_clip(&mppi->search, beta * drawn + (1.0f - beta) * previous, d);
        }
    }
}

/* Returns become weights that add up to 1; @return false if none is finite. */
static bool weigh(Mppi *mppi, const MppiWork *work) {
    double best = -(double)INFINITY;
    double sum = 0.0;
    double expected = 0.0;
    for (size_t c = 0; c < candidates_of(mppi); c++) {
        best = isfinite(work->returns[c]) ? fmax(best, work->returns[c]) : best;
    }
    if (!isfinite(best)) {
        return false;
    }
    for (size_t c = 0; c < candidates_of(mppi); c++) {
        const double value = work->returns[c];
        const bool   good = isfinite(value);
        work->returns[c] = good ? exp(mppi->values[MPPI_KAPPA] * (value - best)) : 0.0;
        expected += good ? work->returns[c] * value : 0.0;
        sum += work->returns[c];
    }
    for (size_t c = 0; c < candidates_of(mppi); c++) {
        work->returns[c] /= sum;
    }
    mppi->search.report.expected_return = expected / sum;
    return true;
}

/* the plan becomes the weighted mean of the candidates */
static void update(Mppi *mppi, const MppiWork *work) {
    const size_t a = mppi->search.environment->action_dim;
    const size_t candidates = candidates_of(mppi);
    for (size_t k = 0; k < search_horizon(&mppi->search) * a; k++) {
        const float *column = work->actions + k / a * candidates * a + k % a;
        double       sum = 0.0;
        for (size_t c = 0; c < candidates; c++) {
            sum += work->returns[c] * (double)column[c * a];
        }
        mppi->search.plan[k] = sum;
    }
}

static Status improve(Mppi *mppi, const MppiWork *work) {
    for (size_t i = 0; i < (size_t)mppi->values[MPPI_ITERATIONS]; i++) {
        bool done = false;
        if (search_is_over(&mppi->search)) {
            break;
        }
        sample_actions(mppi, i, work);
        TRY(search_evaluate(&mppi->search, work->actions, candidates_of(mppi), i, work->returns,
                            &done));
        if (!done) {
            break;
        }
        /* nothing finite: nothing to learn from, the next iteration samples again */
        if (weigh(mppi, work)) {
            update(mppi, work);
        }
    }
    return STATUS_OK;
}

static Status mppi_plan(void *self, const PlanTask *task, double *action, PlanReport *report) {
    Mppi    *mppi = self;
    MppiWork work;
    TRY(search_begin(&mppi->search, task, candidates_of(mppi), work_bytes(mppi)));
    TRY(take_work(mppi, &work));
    const Status status = improve(mppi, &work);
    if (status != STATUS_OK) {
        return search_fail(&mppi->search, status);
    }
    search_act(&mppi->search, action, report);
    memcpy(mppi->last, action, mppi->search.environment->action_dim * sizeof *action);
    return STATUS_OK;
}

static Status mppi_save(const void *self, Buffer *out) {
    const Mppi *mppi = self;
    TRY(search_save(&mppi->search, saved_magic, out));
    buffer_append(out, mppi->last, mppi->search.environment->action_dim * sizeof *mppi->last);
    return buffer_status(out);
}

static Status mppi_load(void *self, const void *bytes, size_t length) {
    Mppi        *mppi = self;
    const size_t size = mppi->search.environment->action_dim * sizeof *mppi->last;
    SearchSaved  saved;
    TRY(search_load(&mppi->search, saved_magic, bytes, length, &saved));
    if (saved.rest_length != size) {
        return search_load_failed(&mppi->search,
                                  FAILURE(STATUS_ERR_CORRUPT,
                                          "mppi: %zu bytes behind the saved plan, expected %zu",
                                          saved.rest_length, size));
    }
    memcpy(mppi->last, saved.rest, size);
    return STATUS_OK;
}

static double mppi_candidates(const double *values) {
    return values[MPPI_CANDIDATES] * values[MPPI_ITERATIONS];
}

const PlannerOps planner_mppi_ops = {
    .name = "mppi",
    .source = PDDM,
    .help = "path integral control: candidates around the plan, weighted by their returns",
    .options = mppi_options,
    .create = mppi_create,
    .destroy = mppi_destroy,
    .set = mppi_set,
    .reset = mppi_reset,
    .plan = mppi_plan,
    .save = mppi_save,
    .load = mppi_load,
    .candidates = mppi_candidates,
};
