/* Cross-entropy method over action sequences, as PETS uses it: each iteration samples candidates
 * from a diagonal truncated normal, and moves mean and variance towards those of the best. The mean
 * of the last iteration is executed for one step and, shifted by it, is where the next step starts.
 */
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/search.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PETS "Chua et al. (2018), PETS, arXiv 1805.12114"

/* PETS, reference implementation: samples stay within two standard deviations */
#define TRUNCATION 2.0f
/* the same: it stops once the largest variance is at most this; there for actions in [-1, 1], here
 * in units of the squared half-range of each action */
#define SMALLEST_VARIANCE 1e-3
enum { MAX_ITERATIONS = 100 };

enum { CEM_CANDIDATES, CEM_ITERATIONS, CEM_ELITE_RATIO, CEM_ALPHA, CEM_OPTION_COUNT };

static const OptionSpec cem_options[CEM_OPTION_COUNT + 1] = {
    [CEM_CANDIDATES] = {"cem_candidates", OPTION_INT, 2, 100000, 400, true, NULL,
                        "action sequences per iteration (count)", PETS},
    [CEM_ITERATIONS] = {"cem_iterations", OPTION_INT, 1, MAX_ITERATIONS, 5, true, NULL,
                        "iterations at most (count)", PETS},
    [CEM_ELITE_RATIO] = {"cem_elite_ratio", OPTION_FLOAT, 0.001, 1.0, 0.1, true, NULL,
                         "share of the candidates that the next mean is made of", PETS},
    [CEM_ALPHA] = {"cem_alpha", OPTION_FLOAT, 0.0, 0.99, 0.1, true, NULL,
                   "share of the old mean and variance that is kept", PETS},
};

static const char saved_magic[] = "mbt-cem";

/* t = horizon, a = action_dim, c = candidates */
typedef struct Cem {
    Search  search; /* its plan is the mean */
    double  values[CEM_OPTION_COUNT];
    double *variance; /* (ROLLOUT_MAX_HORIZON, a) */
} Cem;

/* working memory of one call */
typedef struct CemWork {
    float  *actions; /* (t, c, a) */
    double *returns; /* (c) */
    size_t *elites;  /* (elites) */
} CemWork;

static size_t candidates_of(const Cem *cem) {
    return (size_t)cem->values[CEM_CANDIDATES];
}

static size_t elites_of(const Cem *cem) {
    const double elites = round(cem->values[CEM_ELITE_RATIO] * cem->values[CEM_CANDIDATES]);
    return (elites < 1.0) ? 1 : (size_t)elites;
}

static void cem_destroy(void *self) {
    Cem *cem = self;
    if (cem == NULL) {
        return;
    }
    search_release(&cem->search);
    free(cem->variance);
    free(cem);
}

static void cem_reset(void *self) {
    Cem *cem = self;
    search_reset(&cem->search);
}

static Status cem_create(const PlannerSetup *setup, void **self) {
    *self = NULL;
    TRY(option_check_all(cem_options, setup->values));
    Cem *cem = calloc(1, sizeof *cem);
    if (cem == NULL) {
        FAIL(STATUS_ERR_NOMEM, "cem: no memory");
    }
    Status status = search_init(&cem->search, setup);
    if (status == STATUS_OK) {
        const size_t count = ROLLOUT_MAX_HORIZON * setup->environment->action_dim;
        cem->variance = calloc(count, sizeof *cem->variance);
        if (cem->variance == NULL) {
            status = FAILURE(STATUS_ERR_NOMEM, "cem: no memory for a plan");
        }
    }
    if (status != STATUS_OK) {
        cem_destroy(cem);
        return status;
    }
    memcpy(cem->values, setup->values, sizeof cem->values);
    *self = cem;
    return STATUS_OK;
}

static Status cem_set(void *self, const double *rollout_values, const double *values) {
    Cem *cem = self;
    TRY(option_check_all(cem_options, values));
    TRY(search_set(&cem->search, rollout_values));
    memcpy(cem->values, values, sizeof cem->values);
    return STATUS_OK;
}

static size_t actions_of(const Cem *cem) {
    return search_horizon(&cem->search) * candidates_of(cem) * cem->search.environment->action_dim;
}

static size_t work_bytes(const Cem *cem) {
    return arena_need(actions_of(cem), sizeof(float)) +
           arena_need(candidates_of(cem), sizeof(double)) +
           arena_need(elites_of(cem), sizeof(size_t));
}

static Status take_work(Cem *cem, CemWork *work) {
    Arena *arena = &cem->search.arena;
    TRY(ARENA_TAKE(arena, float, actions_of(cem), &work->actions));
    TRY(ARENA_TAKE(arena, double, candidates_of(cem), &work->returns));
    return ARENA_TAKE(arena, size_t, elites_of(cem), &work->elites);
}

/* min(((mean - low) / 2)^2, ((high - mean) / 2)^2, variance): two of its sd stay inside the bounds
 */
static double clipped_variance(const Cem *cem, size_t k, size_t d) {
    const EnvironmentOps *env = cem->search.environment;
    const double          below = 0.5 * (cem->search.plan[k] - env->action_low[d]);
    const double          above = 0.5 * (env->action_high[d] - cem->search.plan[k]);
    return fmin(cem->variance[k], fmin(below * below, above * above));
}

/* fills work->actions with truncated normal samples */
static void sample_actions(const Cem *cem, Rng *rng, const CemWork *work) {
    const size_t a = cem->search.environment->action_dim;
    const size_t candidates = candidates_of(cem);
    rng_fill_normal(rng, work->actions, actions_of(cem));
    for (size_t k = 0; k < search_horizon(&cem->search) * a; k++) {
        const size_t d = k % a;
        const float  mean = (float)cem->search.plan[k];
        const float  sd = (float)sqrt(clipped_variance(cem, k, d));
        float       *column = work->actions + k / a * candidates * a + d;
        for (size_t c = 0; c < candidates; c++) {
            float z = column[c * a];
            while (!(z >= -TRUNCATION && z <= TRUNCATION)) {
                z = (float)rng_normal(rng);
            }
            column[c * a] = search_clip(&cem->search, mean + sd * z, d);
        }
    }
}

/* moves mean and variance towards those of the elites; @return the largest variance in units of the
 * squared half-range */
static double update(Cem *cem, const CemWork *work, size_t elites) {
    const size_t a = cem->search.environment->action_dim;
    const size_t candidates = candidates_of(cem);
    const double alpha = cem->values[CEM_ALPHA];
    double      *means = cem->search.plan;
    double       largest = 0.0;
    for (size_t k = 0; k < search_horizon(&cem->search) * a; k++) {
        const float *column = work->actions + k / a * candidates * a + k % a;
        double       sum = 0.0;
        double       squares = 0.0;
        for (size_t i = 0; i < elites; i++) {
            sum += (double)column[work->elites[i] * a];
        }
        const double mean = sum / (double)elites;
        for (size_t i = 0; i < elites; i++) {
            const double difference = (double)column[work->elites[i] * a] - mean;
            squares += difference * difference;
        }
        means[k] = alpha * means[k] + (1.0 - alpha) * mean;
        cem->variance[k] = alpha * cem->variance[k] + (1.0 - alpha) * squares / (double)elites;
        const double half = search_half_range(&cem->search, k % a);
        largest = fmax(largest, cem->variance[k] / (half * half));
    }
    return largest;
}

static double mean_return(const CemWork *work, size_t elites) {
    double sum = 0.0;
    for (size_t i = 0; i < elites; i++) {
        sum += work->returns[work->elites[i]];
    }
    return (elites == 0) ? (double)NAN : sum / (double)elites;
}

static void start_variance(Cem *cem) {
    const size_t a = cem->search.environment->action_dim;
    for (size_t k = 0; k < search_horizon(&cem->search) * a; k++) {
        const double sd = 0.5 * search_half_range(&cem->search, k % a);
        cem->variance[k] = sd * sd;
    }
}

/* the search itself, from the plan; on failure the caller restores it */
static Status improve(Cem *cem, const CemWork *work) {
    const size_t    iterations = (size_t)cem->values[CEM_ITERATIONS];
    const PlanTask *task = &cem->search.task;

    start_variance(cem);
    for (size_t i = 0; i < iterations && !search_is_over(&cem->search); i++) {
        bool done = false;
        Rng  rng = rng_stream_lane(task->seed, task->step, RNG_PLAN_ACTIONS, (uint32_t)i);
        sample_actions(cem, &rng, work);
        TRY(search_evaluate(&cem->search, work->actions, candidates_of(cem), i, work->returns,
                            &done));
        if (!done) {
            break;
        }
        const size_t elites =
            search_select(work->returns, candidates_of(cem), work->elites,
                          search_share(&cem->search, candidates_of(cem), elites_of(cem)));
        cem->search.report.expected_return = mean_return(work, elites);
        /* nothing finite: nothing to learn from, the next iteration samples again */
        if (elites > 0 && update(cem, work, elites) <= SMALLEST_VARIANCE) {
            break;
        }
    }
    return STATUS_OK;
}

static Status cem_plan(void *self, const PlanTask *task, double *action, PlanReport *report) {
    Cem    *cem = self;
    CemWork work;
    TRY(search_begin(&cem->search, task, candidates_of(cem), work_bytes(cem)));
    TRY(take_work(cem, &work));
    const Status status = improve(cem, &work);
    if (status != STATUS_OK) {
        return search_fail(&cem->search, status);
    }
    search_act(&cem->search, action, report);
    return STATUS_OK;
}

static Status cem_save(const void *self, Buffer *out) {
    const Cem *cem = self;
    return search_save(&cem->search, saved_magic, out);
}

static Status cem_load(void *self, const void *bytes, size_t length) {
    Cem *cem = self;
    return search_load(&cem->search, saved_magic, bytes, length, NULL);
}

static double cem_candidates(const double *values) {
    return values[CEM_CANDIDATES] * values[CEM_ITERATIONS];
}

const PlannerOps planner_cem_ops = {
    .name = "cem",
    .source = PETS,
    .help = "cross-entropy method: diagonal truncated normal, moved towards the best",
    .options = cem_options,
    .create = cem_create,
    .destroy = cem_destroy,
    .set = cem_set,
    .reset = cem_reset,
    .plan = cem_plan,
    .save = cem_save,
    .load = cem_load,
    .candidates = cem_candidates,
};
