/* Cross-entropy method over action sequences, as PETS uses it: each iteration samples candidates
 * from a diagonal truncated normal, and moves mean and variance towards those of the best. The mean
 * of the last iteration is executed for one step and, shifted by it, is where the next step starts.
 */
#include "mbrl/planners/planner.h"
#include "mbrl/planners/rollout.h"

#include "core/arena.h"
#include "core/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PETS "Chua et al. (2018), PETS, arXiv 1805.12114"

/* PETS, reference implementation: samples stay within two standard deviations */
#define TRUNCATION 2.0f
/* the same: it stops once the largest variance is at most this; there for actions in [-1, 1], here
 * in units of the squared half-range of each action */
#define SMALLEST_VARIANCE 1e-3
enum { TILE_ROWS = 256, MAX_HORIZON = 200, MAX_ITERATIONS = 100 };

enum {
    CEM_HORIZON,
    CEM_CANDIDATES,
    CEM_ITERATIONS,
    CEM_ELITE_RATIO,
    CEM_ALPHA,
    CEM_PARTICLES,
    CEM_PROPAGATION,
    CEM_OPTION_COUNT
};

static const char *const propagations[] = {"ts1", "tsinf", NULL};

static const OptionSpec cem_options[CEM_OPTION_COUNT + 1] = {
    [CEM_HORIZON] = {"planning_horizon", OPTION_INT, 1, MAX_HORIZON, 25, true, NULL,
                     "control steps that a plan looks ahead (count)", PETS},
    [CEM_CANDIDATES] = {"cem_candidates", OPTION_INT, 2, 100000, 400, true, NULL,
                        "action sequences per iteration (count)", PETS},
    [CEM_ITERATIONS] = {"cem_iterations", OPTION_INT, 1, MAX_ITERATIONS, 5, true, NULL,
                        "iterations at most (count)", PETS},
    [CEM_ELITE_RATIO] = {"cem_elite_ratio", OPTION_FLOAT, 0.001, 1.0, 0.1, true, NULL,
                         "share of the candidates that the next mean is made of", PETS},
    [CEM_ALPHA] = {"cem_alpha", OPTION_FLOAT, 0.0, 0.99, 0.1, true, NULL,
                   "share of the old mean and variance that is kept", PETS},
    [CEM_PARTICLES] = {"particles", OPTION_INT, 1, 1000, 20, true, NULL,
                       "predicted trajectories per action sequence (count)", PETS},
    [CEM_PROPAGATION] = {"propagation", OPTION_CHOICE, 0, 1, PROPAGATION_TS1, true, propagations,
                         "particles change the network at every step (ts1) or never (tsinf)", PETS},
};

/* t = horizon, a = action_dim, c = candidates */
typedef struct Cem {
    double                values[CEM_OPTION_COUNT];
    const EnvironmentOps *environment;
    Rollout              *rollout;
    double               *mean;     /* (MAX_HORIZON, a), t rows in use: the warm start */
    double               *variance; /* (MAX_HORIZON, a) */
    Arena                 arena;    /* of one call of plan() */
} Cem;

/* working memory of one call */
typedef struct CemWork {
    float  *actions; /* (t, c, a) */
    double *returns; /* (c) */
    size_t *elites;  /* (elites) */
    double *before;  /* (t, a) the mean to go back to on failure */
} CemWork;

static size_t horizon_of(const Cem *cem) {
    return (size_t)cem->values[CEM_HORIZON];
}

static size_t candidates_of(const Cem *cem) {
    return (size_t)cem->values[CEM_CANDIDATES];
}

static size_t elites_of(const Cem *cem) {
    const double elites = round(cem->values[CEM_ELITE_RATIO] * cem->values[CEM_CANDIDATES]);
    return (elites < 1.0) ? 1 : (size_t)elites;
}

static double middle(const Cem *cem, size_t d) {
    return 0.5 * (cem->environment->action_low[d] + cem->environment->action_high[d]);
}

static double half_range(const Cem *cem, size_t d) {
    return 0.5 * (cem->environment->action_high[d] - cem->environment->action_low[d]);
}

static Status check_options(const double *values) {
    for (size_t i = 0; i < CEM_OPTION_COUNT; i++) {
        TRY(option_check(&cem_options[i], values[i]));
    }
    return STATUS_OK;
}

/* sets rows [first, horizon) of the mean to the middle of the bounds */
static void fill_middle(Cem *cem, size_t first, size_t horizon) {
    const size_t a = cem->environment->action_dim;
    for (size_t h = first; h < horizon; h++) {
        for (size_t d = 0; d < a; d++) {
            cem->mean[h * a + d] = middle(cem, d);
        }
    }
}

static void cem_destroy(void *self) {
    Cem *cem = self;
    if (cem == NULL) {
        return;
    }
    rollout_destroy(cem->rollout);
    arena_reset(&cem->arena);
    free(cem->mean);
    free(cem->variance);
    free(cem);
}

static void cem_reset(void *self) {
    Cem *cem = self;
    fill_middle(cem, 0, MAX_HORIZON);
}

static Status cem_create(const EnvironmentOps *environment, const double *option_values,
                         void **self) {
    *self = NULL;
    TRY(check_options(option_values));
    Cem *cem = calloc(1, sizeof *cem);
    if (cem == NULL) {
        FAIL(STATUS_ERR_NOMEM, "cem: no memory");
    }
    const size_t count = MAX_HORIZON * environment->action_dim;
    cem->environment = environment;
    memcpy(cem->values, option_values, sizeof cem->values);
    cem->mean = calloc(count, sizeof *cem->mean);
    cem->variance = calloc(count, sizeof *cem->variance);
    Status status = rollout_create(environment, &cem->rollout);
    if (cem->mean == NULL || cem->variance == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "cem: no memory for a plan");
    }
    if (status != STATUS_OK) {
        cem_destroy(cem);
        return status;
    }
    cem_reset(cem);
    *self = cem;
    return STATUS_OK;
}

/* a longer plan ends in the middle of the bounds, a shorter one is cut */
static Status cem_set(void *self, const double *option_values) {
    Cem *cem = self;
    TRY(check_options(option_values));
    const size_t before = horizon_of(cem);
    memcpy(cem->values, option_values, sizeof cem->values);
    if (horizon_of(cem) > before) {
        fill_middle(cem, before, horizon_of(cem));
    }
    return STATUS_OK;
}

static Status take_work(Cem *cem, CemWork *work) {
    const size_t actions = horizon_of(cem) * candidates_of(cem) * cem->environment->action_dim;
    const size_t bytes = arena_need(actions, sizeof(float)) +
                         arena_need(candidates_of(cem), sizeof(double)) +
                         arena_need(elites_of(cem), sizeof(size_t)) +
                         arena_need(horizon_of(cem) * cem->environment->action_dim, sizeof(double));
    arena_release(&cem->arena, 0);
    if (bytes > cem->arena.capacity) {
        Arena larger;
        TRY(arena_init(&larger, bytes));
        arena_reset(&cem->arena);
        cem->arena = larger;
    }
    TRY(ARENA_TAKE(&cem->arena, float, actions, &work->actions));
    TRY(ARENA_TAKE(&cem->arena, double, candidates_of(cem), &work->returns));
    TRY(ARENA_TAKE(&cem->arena, size_t, elites_of(cem), &work->elites));
    return ARENA_TAKE(&cem->arena, double, horizon_of(cem) * cem->environment->action_dim,
                      &work->before);
}

/* min(((mean - low) / 2)^2, ((high - mean) / 2)^2, variance): two of its sd stay inside the bounds
 */
static double clipped_variance(const Cem *cem, size_t k, size_t d) {
    const double below = 0.5 * (cem->mean[k] - cem->environment->action_low[d]);
    const double above = 0.5 * (cem->environment->action_high[d] - cem->mean[k]);
    return fmin(cem->variance[k], fmin(below * below, above * above));
}

/* fills work->actions with truncated normal samples */
static void sample_actions(const Cem *cem, Rng *rng, const CemWork *work) {
    const EnvironmentOps *env = cem->environment;
    const size_t          a = env->action_dim;
    const size_t          candidates = candidates_of(cem);
    rng_fill_normal(rng, work->actions, horizon_of(cem) * candidates * a);
    for (size_t k = 0; k < horizon_of(cem) * a; k++) {
        const size_t d = k % a;
        const float  low = (float)env->action_low[d];
        const float  high = (float)env->action_high[d];
        const float  mean = (float)cem->mean[k];
        const float  sd = (float)sqrt(clipped_variance(cem, k, d));
        float       *column = work->actions + k / a * candidates * a + d;
        for (size_t c = 0; c < candidates; c++) {
            float z = column[c * a];
            while (!(z >= -TRUNCATION && z <= TRUNCATION)) {
                z = (float)rng_normal(rng);
            }
            const float action = mean + sd * z;
            /* rounding may leave the bounds by an ulp */
            column[c * a] = (action < low) ? low : (action > high) ? high : action;
        }
    }
}

/* candidate x ranks before y: larger return, or the same and an earlier index */
static bool before(const double *returns, size_t x, size_t y) {
    return returns[x] > returns[y] || (returns[x] == returns[y] && x < y);
}

/* restores the heap (worst elite on top) below position `at` */
static void sift_down(const double *returns, size_t *heap, size_t n, size_t at) {
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++) {
            if (before(returns, heap[worst], heap[child])) {
                worst = child;
            }
        }
        if (worst == at) {
            return;
        }
        const size_t swapped = heap[at];
        heap[at] = heap[worst];
        heap[worst] = swapped;
        at = worst;
    }
}

static void make_heap(const double *returns, size_t *heap, size_t n) {
    for (size_t at = n / 2; at > 0; at--) {
        sift_down(returns, heap, n, at - 1);
    }
}

/* the best candidates with finite returns; @return how many, at most `wanted` */
static size_t select_elites(const double *returns, size_t candidates, size_t *elites,
                            size_t wanted) {
    size_t count = 0;
    for (size_t c = 0; c < candidates; c++) {
        if (!isfinite(returns[c])) {
            continue;
        }
        if (count < wanted) {
            elites[count++] = c;
            if (count == wanted) {
                make_heap(returns, elites, count);
            }
        } else if (before(returns, c, elites[0])) {
            elites[0] = c;
            sift_down(returns, elites, count, 0);
        }
    }
    return count;
}

/* moves mean and variance towards those of the elites; @return the largest variance in units of the
 * squared half-range */
static double update(Cem *cem, const CemWork *work, size_t elites) {
    const size_t a = cem->environment->action_dim;
    const size_t candidates = candidates_of(cem);
    const double alpha = cem->values[CEM_ALPHA];
    double       largest = 0.0;
    for (size_t k = 0; k < horizon_of(cem) * a; k++) {
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
        cem->mean[k] = alpha * cem->mean[k] + (1.0 - alpha) * mean;
        cem->variance[k] = alpha * cem->variance[k] + (1.0 - alpha) * squares / (double)elites;
        const double half = half_range(cem, k % a);
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

/* shifts the plan by the step that is executed now */
static void take_first_action(Cem *cem, double *action) {
    const size_t a = cem->environment->action_dim;
    const size_t horizon = horizon_of(cem);
    memcpy(action, cem->mean, a * sizeof *action);
    memmove(cem->mean, cem->mean + a, (horizon - 1) * a * sizeof *cem->mean);
    fill_middle(cem, horizon - 1, horizon);
}

static void start_variance(Cem *cem) {
    const size_t a = cem->environment->action_dim;
    for (size_t k = 0; k < horizon_of(cem) * a; k++) {
        const double sd = 0.5 * half_range(cem, k % a);
        cem->variance[k] = sd * sd;
    }
}

/* the search itself, from cem->mean; on failure the caller restores it */
static Status search(Cem *cem, RolloutTask *task, const CemWork *work, PlanReport *report) {
    const size_t iterations = (size_t)cem->values[CEM_ITERATIONS];
    const double rows =
        cem->values[CEM_CANDIDATES] * cem->values[CEM_PARTICLES] * cem->values[CEM_HORIZON];
    const double flop = rows * task->model->predict_flop(task->model_self);

    start_variance(cem);
    for (size_t i = 0; i < iterations; i++) {
        Rng rng = rng_stream_lane(task->seed, task->step, RNG_PLAN_ACTIONS, (uint32_t)i);
        sample_actions(cem, &rng, work);
        task->iteration = i;
        TRY(rollout_evaluate(cem->rollout, task, work->returns));
        report->flop += flop;
        report->iterations++;
        const size_t elites =
            select_elites(work->returns, candidates_of(cem), work->elites, elites_of(cem));
        report->expected_return = mean_return(work, elites);
        /* nothing finite: nothing to learn from, the next iteration samples again */
        if (elites > 0 && update(cem, work, elites) <= SMALLEST_VARIANCE) {
            break;
        }
    }
    return STATUS_OK;
}

static Status cem_plan(void *self, const DynamicsModelOps *model, const void *model_self,
                       const double *state, uint64_t seed, uint64_t step, double *action,
                       PlanReport *report) {
    Cem               *cem = self;
    CemWork            work;
    const RolloutShape shape = {.candidates = candidates_of(cem),
                                .particles = (size_t)cem->values[CEM_PARTICLES],
                                .horizon = horizon_of(cem),
                                .propagation = (Propagation)cem->values[CEM_PROPAGATION],
                                .tile = TILE_ROWS};
    TRY(take_work(cem, &work));
    TRY(rollout_reserve(cem->rollout, &shape, model, model_self));

    const size_t bytes = horizon_of(cem) * cem->environment->action_dim * sizeof *cem->mean;
    memcpy(work.before, cem->mean, bytes);
    RolloutTask  task = {.model = model,
                         .model_self = model_self,
                         .state = state,
                         .actions = work.actions,
                         .seed = seed,
                         .step = step};
    PlanReport   result = {.flop = 0.0};
    const Status status = search(cem, &task, &work, &result);
    if (status != STATUS_OK) {
        memcpy(cem->mean, work.before, bytes);
        return status;
    }
    take_first_action(cem, action);
    *report = result;
    return STATUS_OK;
}

/* what a saved warm start begins with; the mean's rows follow */
typedef struct SavedHeader {
    char     magic[8];
    uint64_t action_dim;
    uint64_t horizon;
} SavedHeader;

static const char saved_magic[8] = "mbt-cem";

static Status cem_save(const void *self, Buffer *out) {
    const Cem  *cem = self;
    SavedHeader header = {.action_dim = cem->environment->action_dim, .horizon = horizon_of(cem)};
    memcpy(header.magic, saved_magic, sizeof header.magic);
    buffer_append(out, &header, sizeof header);
    buffer_append(out, cem->mean, header.horizon * header.action_dim * sizeof *cem->mean);
    return buffer_status(out);
}

static Status cem_load(void *self, const void *bytes, size_t length) {
    Cem         *cem = self;
    const size_t a = cem->environment->action_dim;
    SavedHeader  header;
    if (length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "cem: a saved plan of %zu bytes, expected at least %zu", length,
             sizeof header);
    }
    memcpy(&header, bytes, sizeof header);
    if (memcmp(header.magic, saved_magic, sizeof header.magic) != 0 || header.action_dim != a ||
        header.horizon == 0 || header.horizon > MAX_HORIZON ||
        length != sizeof header + header.horizon * a * sizeof *cem->mean) {
        FAIL(STATUS_ERR_CORRUPT, "cem: the %zu saved bytes are not a plan of %zu actions", length,
             a);
    }
    /* saved under another horizon: as in set() */
    fill_middle(cem, 0, MAX_HORIZON);
    memcpy(cem->mean, (const char *)bytes + sizeof header, header.horizon * a * sizeof *cem->mean);
    return STATUS_OK;
}

double planner_cem_rows(const double *option_values) {
    return option_values[CEM_CANDIDATES] * option_values[CEM_ITERATIONS] *
           option_values[CEM_HORIZON] * option_values[CEM_PARTICLES];
}

const PlannerOps planner_cem_ops = {
    .name = "cem",
    .source = PETS,
    .options = cem_options,
    .create = cem_create,
    .destroy = cem_destroy,
    .set = cem_set,
    .reset = cem_reset,
    .plan = cem_plan,
    .save = cem_save,
    .load = cem_load,
};
