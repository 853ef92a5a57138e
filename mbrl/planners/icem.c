/* iCEM, the sample-efficient cross-entropy method: as cem.c, with actions that are correlated in
 * time (coloured noise, coloured_noise.h), fewer candidates in every iteration, elites
 * that are kept from iteration to iteration and, shifted, from step to step, the mean itself among
 * the candidates of the last iteration (and of a hurried first one, see search_evaluate(), whose
 * cost icem_candidates() leaves out), samples that are clipped at the bounds in place of
 * truncated, and the first action of the best sequence carried out in place of the mean's.
 *
 * Left to us by the paper: the last action of a shifted elite is that of a fresh sample; a shifted
 * mean ends in the middle of the bounds, as in cem.c; kept elites come on top of these.
 * The best sequence is that of the last iteration, in which kept elites are judged again with that
 * iteration's noise: the best of all iterations would be the luckiest one. The distribution starts
 * at the same width in every step.
 */
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/coloured_noise.h"
#include "mbrl/planners/search.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ICEM    "Pinneri et al. (2020), iCEM, arXiv 2008.06389"
#define MBRLLIB "mbrl-lib, conf/action_optimizer/icem.yaml"

enum { MAX_ITERATIONS = 100, MAX_ELITES = 1000 };

enum {
    ICEM_CANDIDATES,
    ICEM_ITERATIONS,
    ICEM_ELITES,
    ICEM_ALPHA,
    ICEM_INITIAL_SD,
    ICEM_NOISE_BETA,
    ICEM_DECAY,
    ICEM_KEEP,
    ICEM_OPTION_COUNT
};

static const OptionSpec icem_options[ICEM_OPTION_COUNT + 1] = {
    [ICEM_CANDIDATES] = {"icem_candidates", OPTION_INT, 2, 100000, 40, true, NULL,
                         "action sequences of the first iteration, kept ones aside (count)", ICEM},
    [ICEM_ITERATIONS] = {"icem_iterations", OPTION_INT, 1, MAX_ITERATIONS, 3, true, NULL,
                         "iterations (count)", ICEM},
    [ICEM_ELITES] = {"icem_elites", OPTION_INT, 1, MAX_ELITES, 10, true, NULL,
                     "sequences that the next mean is made of (count); an iteration has at least "
                     "twice as many candidates",
                     ICEM},
    [ICEM_ALPHA] = {"icem_alpha", OPTION_FLOAT, 0.0, 0.99, 0.1, true, NULL,
                    "share of the old mean and standard deviation that is kept", ICEM},
    [ICEM_INITIAL_SD] = {"icem_initial_sd", OPTION_FLOAT, 0.001, 10.0, 0.5, true, NULL,
                         "standard deviation at the start of each step (half-ranges of the action)",
                         ICEM},
    [ICEM_NOISE_BETA] = {"icem_noise_beta", OPTION_FLOAT, 0.0, 10.0, 2.0, true, NULL,
                         "exponent of the noise: its power falls as frequency^-beta; 0 is white",
                         MBRLLIB},
    [ICEM_DECAY] = {"icem_decay", OPTION_FLOAT, 1.0, 10.0, 1.25, true, NULL,
                    "the number of candidates is divided by this after each iteration", ICEM},
    [ICEM_KEEP] = {"icem_keep", OPTION_FLOAT, 0.0, 1.0, 0.3, true, NULL,
                   "share of the elites that joins the next iteration, and the next step", ICEM},
};

static const char saved_magic[] = "mbt-icem";

/* t = horizon, a = action_dim, c = candidates */
typedef struct Icem {
    Search  search; /* its plan is the mean */
    double  values[ICEM_OPTION_COUNT];
    double *sd;   /* (ROLLOUT_MAX_HORIZON, a) */
    double *kept; /* (kept_capacity, ROLLOUT_MAX_HORIZON, a) elites, best first */
    size_t  kept_capacity;
    size_t  kept_count;
    /* coloured noise of this horizon and exponent */
    float *basis; /* (ROLLOUT_MAX_HORIZON, ROLLOUT_MAX_HORIZON) */
    size_t basis_horizon;
    double basis_beta;
} Icem;

/* working memory of one call; c = most candidates of an iteration */
typedef struct IcemWork {
    float  *normal;  /* (t, c, a) */
    float  *actions; /* (t, c, a) */
    double *returns; /* (c) */
    size_t *elites;  /* (elites) best first */
    double *best;    /* (t, a) what is carried out */
    double *kept;    /* (elites to keep, t, a) of this step */
    size_t  kept_count;
} IcemWork;

static size_t elites_of(const double *values) {
    return (size_t)values[ICEM_ELITES];
}

static size_t keep_of(const double *values) {
    return (size_t)round(values[ICEM_KEEP] * values[ICEM_ELITES]);
}

/* new samples of iteration i: max(2 elites, N decay^-i) */
static size_t fresh_of(const double *values, size_t i) {
    const double decayed = floor(values[ICEM_CANDIDATES] * pow(values[ICEM_DECAY], -(double)i));
    return (size_t)fmax(2.0 * values[ICEM_ELITES], decayed);
}

static bool is_last(const double *values, size_t i) {
    return (double)(i + 1) >= values[ICEM_ITERATIONS];
}

static size_t most_candidates(const double *values) {
    return fresh_of(values, 0) + keep_of(values) + 1;
}

/* ---- life ---- */

static void icem_destroy(void *self) {
    Icem *icem = self;
    if (icem == NULL) {
        return;
    }
    search_release(&icem->search);
    free(icem->sd);
    free(icem->kept);
    free(icem->basis);
    free(icem);
}

static size_t sequence_size(const Icem *icem) {
    return ROLLOUT_MAX_HORIZON * icem->search.environment->action_dim;
}

/* room for `count` kept elites */
static Status reserve_kept(Icem *icem, size_t count) {
    if (count <= icem->kept_capacity) {
        return STATUS_OK;
    }
    double *larger = calloc(count * sequence_size(icem), sizeof *larger);
    if (larger == NULL) {
        FAIL(STATUS_ERR_NOMEM, "icem: no memory for %zu elites", count);
    }
    if (icem->kept != NULL) {
        memcpy(larger, icem->kept, icem->kept_count * sequence_size(icem) * sizeof *larger);
    }
    free(icem->kept);
    icem->kept = larger;
    icem->kept_capacity = count;
    return STATUS_OK;
}

static Status allocate(Icem *icem, const PlannerSetup *setup) {
    TRY(search_init(&icem->search, setup));
    icem->sd = calloc(sequence_size(icem), sizeof *icem->sd);
    icem->basis = calloc((size_t)ROLLOUT_MAX_HORIZON * ROLLOUT_MAX_HORIZON, sizeof *icem->basis);
    if (icem->sd == NULL || icem->basis == NULL) {
        FAIL(STATUS_ERR_NOMEM, "icem: no memory for a plan");
    }
    return reserve_kept(icem, keep_of(setup->values));
}

static Status icem_create(const PlannerSetup *setup, void **self) {
    *self = NULL;
    TRY(option_check_all(icem_options, setup->values));
    Icem *icem = calloc(1, sizeof *icem);
    if (icem == NULL) {
        FAIL(STATUS_ERR_NOMEM, "icem: no memory");
    }
    const Status status = allocate(icem, setup);
    if (status != STATUS_OK) {
        icem_destroy(icem);
        return status;
    }
    memcpy(icem->values, setup->values, sizeof icem->values);
    *self = icem;
    return STATUS_OK;
}

static void icem_reset(void *self) {
    Icem *icem = self;
    search_reset(&icem->search);
    icem->kept_count = 0;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static Status icem_set(void *self, const double *rollout_values, const double *values) {
    Icem        *icem = self;
    const size_t before = search_horizon(&icem->search);
    TRY(option_check_all(icem_options, values));
    TRY(reserve_kept(icem, keep_of(values)));
    TRY(search_set(&icem->search, rollout_values));
    memcpy(icem->values, values, sizeof icem->values);
    icem->kept_count = smaller(icem->kept_count, keep_of(values));
    for (size_t k = 0; k < icem->kept_count; k++) {
        search_fill_middle(&icem->search, icem->kept + k * sequence_size(icem), before,
                           search_horizon(&icem->search));
    }
    return STATUS_OK;
}

/* ---- one call of plan() ---- */

static size_t plan_size(const Icem *icem) {
    return search_horizon(&icem->search) * icem->search.environment->action_dim;
}

static size_t work_bytes(const Icem *icem) {
    const size_t most = most_candidates(icem->values);
    return 2 * arena_need(most * plan_size(icem), sizeof(float)) +
           arena_need(most, sizeof(double)) + arena_need(elites_of(icem->values), sizeof(size_t)) +
           arena_need(plan_size(icem), sizeof(double)) +
           arena_need(keep_of(icem->values) * plan_size(icem), sizeof(double));
}

static Status take_work(Icem *icem, IcemWork *work) {
    const size_t most = most_candidates(icem->values);
    const size_t kept = keep_of(icem->values) * plan_size(icem);
    Arena       *arena = &icem->search.arena;
    TRY(ARENA_TAKE(arena, float, most *plan_size(icem), &work->normal));
    TRY(ARENA_TAKE(arena, float, most *plan_size(icem), &work->actions));
    TRY(ARENA_TAKE(arena, double, most, &work->returns));
    TRY(ARENA_TAKE(arena, size_t, elites_of(icem->values), &work->elites));
    TRY(ARENA_TAKE(arena, double, plan_size(icem), &work->best));
    return ARENA_TAKE(arena, double, kept, &work->kept);
}

static void prepare_basis(Icem *icem) {
    const size_t horizon = search_horizon(&icem->search);
    const double beta = icem->values[ICEM_NOISE_BETA];
    if (icem->basis_horizon != horizon || icem->basis_beta != beta) {
        coloured_noise_basis(horizon, beta, icem->basis);
        icem->basis_horizon = horizon;
        icem->basis_beta = beta;
    }
}

/* Candidates 0 .. fresh-1 of `total` are new: mean + sd x coloured noise, clipped. The noise
 * is made for all and stands in the rows (t, total, a), so that what is kept stands beside it. */
static void sample_actions(const Icem *icem, size_t iteration, size_t total, const IcemWork *work) {
    const size_t a = icem->search.environment->action_dim;
    const size_t horizon = search_horizon(&icem->search);
    Rng rng = rng_stream_lane(icem->search.task.seed, icem->search.task.step, RNG_PLAN_ACTIONS,
                              (uint32_t)iteration);
    rng_fill_normal(&rng, work->normal, horizon * total * a);
    coloured_noise_apply(icem->basis, work->normal, horizon, total * a, work->actions);
    for (size_t h = 0; h < horizon; h++) {
        for (size_t i = 0; i < total * a; i++) {
            const size_t k = h * a + i % a;
            float       *action = work->actions + h * total * a + i;
            const float  drawn = (float)icem->search.plan[k] + (float)icem->sd[k] * *action;
            *action = search_clip(&icem->search, drawn, i % a);
        }
    }
}

/* sequence (t, a) over candidate c, up to row `rows` */
static void put_sequence(const Icem *icem, const double *sequence, size_t rows, size_t c,
                         size_t total, const IcemWork *work) {
    const size_t a = icem->search.environment->action_dim;
    for (size_t h = 0; h < rows; h++) {
        for (size_t d = 0; d < a; d++) {
            work->actions[(h * total + c) * a + d] =
                search_clip(&icem->search, (float)sequence[h * a + d], d);
        }
    }
}

/* Draws the candidates of iteration i; @return how many. Those that were kept overwrite the last
 * ones; a shifted elite keeps the last action of the sample in whose place it stands. */
static size_t propose(Icem *icem, size_t i, IcemWork *work) {
    const size_t horizon = search_horizon(&icem->search);
    const size_t fresh = fresh_of(icem->values, i);
    const size_t kept = (i == 0) ? icem->kept_count : work->kept_count;
    /* a few candidates that time leaves are not to be worse than the plan that there is */
    const bool   mean = is_last(icem->values, i) || (i == 0 && search_is_hurried(&icem->search));
    const size_t total = fresh + kept + (mean ? 1 : 0);
    sample_actions(icem, i, total, work);
    for (size_t k = 0; k < kept; k++) {
        if (i == 0) {
            put_sequence(icem, icem->kept + k * sequence_size(icem), horizon - 1, fresh + k, total,
                         work);
        } else {
            put_sequence(icem, work->kept + k * plan_size(icem), horizon, fresh + k, total, work);
        }
    }
    if (mean) {
        put_sequence(icem, icem->search.plan, horizon, fresh + kept, total, work);
    }
    return total;
}

/* moves mean and standard deviation towards those of the elites */
static void update(Icem *icem, const IcemWork *work, size_t total, size_t elites) {
    const size_t a = icem->search.environment->action_dim;
    const double alpha = icem->values[ICEM_ALPHA];
    double      *means = icem->search.plan;
    for (size_t k = 0; k < plan_size(icem); k++) {
        const float *column = work->actions + k / a * total * a + k % a;
        double       sum = 0.0;
        double       squares = 0.0;
        for (size_t e = 0; e < elites; e++) {
            sum += (double)column[work->elites[e] * a];
        }
        const double mean = sum / (double)elites;
        for (size_t e = 0; e < elites; e++) {
            const double off = (double)column[work->elites[e] * a] - mean;
            squares += off * off;
        }
        means[k] = alpha * means[k] + (1.0 - alpha) * mean;
        icem->sd[k] = alpha * icem->sd[k] + (1.0 - alpha) * sqrt(squares / (double)elites);
    }
}

/* what an iteration leaves behind: elites to keep, the best sequence, mean and sd */
static void learn(Icem *icem, IcemWork *work, size_t total) {
    const size_t elites =
        search_select(work->returns, total, work->elites,
                      search_share(&icem->search, total, elites_of(icem->values)));
    if (elites == 0) {
        return; /* nothing finite: nothing to learn from, the next iteration samples again */
    }
    search_sort(work->returns, work->elites, elites);
    icem->search.report.expected_return = work->returns[work->elites[0]];
    search_copy_sequence(&icem->search, work->actions, total, work->elites[0], work->best);
    work->kept_count = smaller(keep_of(icem->values), elites);
    for (size_t k = 0; k < work->kept_count; k++) {
        search_copy_sequence(&icem->search, work->actions, total, work->elites[k],
                             work->kept + k * plan_size(icem));
    }
    update(icem, work, total, elites);
}

static Status improve(Icem *icem, IcemWork *work) {
    const size_t a = icem->search.environment->action_dim;
    for (size_t k = 0; k < plan_size(icem); k++) {
        icem->sd[k] = icem->values[ICEM_INITIAL_SD] * search_half_range(&icem->search, k % a);
    }
    memcpy(work->best, icem->search.plan, plan_size(icem) * sizeof *work->best);
    work->kept_count = 0;
    for (size_t i = 0; i < (size_t)icem->values[ICEM_ITERATIONS]; i++) {
        bool done = false;
        if (search_is_over(&icem->search)) {
            break;
        }
        const size_t total = propose(icem, i, work);
        TRY(search_evaluate(&icem->search, work->actions, total, i, work->returns, &done));
        if (!done) {
            break;
        }
        learn(icem, work, total);
    }
    return STATUS_OK;
}

/* The elites of this step, without their first action, for the next; where it found none (time ran
 * out, nothing was finite) those that it had. */
static void keep_elites(Icem *icem, const IcemWork *work) {
    const size_t a = icem->search.environment->action_dim;
    const size_t horizon = search_horizon(&icem->search);
    const bool   found = work->kept_count > 0 || keep_of(icem->values) == 0;
    icem->kept_count = found ? work->kept_count : icem->kept_count;
    for (size_t k = 0; k < icem->kept_count; k++) {
        double       *kept = icem->kept + k * sequence_size(icem);
        const double *from = found ? work->kept + k * plan_size(icem) : kept;
        memmove(kept, from + a, (horizon - 1) * a * sizeof *icem->kept);
        search_fill_middle(&icem->search, kept, horizon - 1, horizon);
    }
}

static Status icem_plan(void *self, const PlanTask *task, double *action, PlanReport *report) {
    Icem    *icem = self;
    IcemWork work = {.kept_count = 0};
    TRY(search_begin(&icem->search, task, most_candidates(icem->values), work_bytes(icem)));
    TRY(take_work(icem, &work));
    prepare_basis(icem);
    const Status status = improve(icem, &work);
    if (status != STATUS_OK) {
        return search_fail(&icem->search, status);
    }
    search_act_on(&icem->search, work.best, action, report);
    keep_elites(icem, &work);
    return STATUS_OK;
}

/* ---- bytes ---- */

static Status icem_save(const void *self, Buffer *out) {
    const Icem    *icem = self;
    const uint64_t count = icem->kept_count;
    TRY(search_save(&icem->search, saved_magic, out));
    buffer_append(out, &count, sizeof count);
    for (size_t k = 0; k < icem->kept_count; k++) {
        buffer_append(out, icem->kept + k * sequence_size(icem),
                      plan_size(icem) * sizeof *icem->kept);
    }
    return buffer_status(out);
}

/* the elites behind the plan: a count, then sequences of the horizon under which they were saved */
static Status load_kept(Icem *icem, const SearchSaved *saved) {
    const size_t size = saved->rows * icem->search.environment->action_dim * sizeof *icem->kept;
    uint64_t     count = 0;
    if (saved->rest_length < sizeof count) {
        FAIL(STATUS_ERR_CORRUPT, "icem: the saved elites are missing");
    }
    memcpy(&count, saved->rest, sizeof count);
    if (count > MAX_ELITES || saved->rest_length != sizeof count + count * size) {
        FAIL(STATUS_ERR_CORRUPT, "icem: the %zu bytes behind the saved plan are not %llu elites",
             saved->rest_length, (unsigned long long)count);
    }
    icem->kept_count = smaller((size_t)count, keep_of(icem->values));
    for (size_t k = 0; k < icem->kept_count; k++) {
        double *kept = icem->kept + k * sequence_size(icem);
        search_fill_middle(&icem->search, kept, 0, ROLLOUT_MAX_HORIZON);
        memcpy(kept, saved->rest + sizeof count + k * size, size);
    }
    return STATUS_OK;
}

static Status icem_load(void *self, const void *bytes, size_t length) {
    Icem       *icem = self;
    SearchSaved saved;
    TRY(search_load(&icem->search, saved_magic, bytes, length, &saved));
    const Status status = load_kept(icem, &saved);
    return status == STATUS_OK ? STATUS_OK : search_load_failed(&icem->search, status);
}

/* kept elites of a previous step included */
static double icem_candidates(const double *values) {
    double sum = 0.0;
    for (size_t i = 0; i < (size_t)values[ICEM_ITERATIONS]; i++) {
        sum += (double)(fresh_of(values, i) + keep_of(values) + (is_last(values, i) ? 1 : 0));
    }
    return sum;
}

const PlannerOps planner_icem_ops = {
    .name = "icem",
    .source = ICEM,
    .help = "cross-entropy method with coloured noise, kept elites and fewer candidates in "
            "every iteration",
    .options = icem_options,
    .create = icem_create,
    .destroy = icem_destroy,
    .set = icem_set,
    .reset = icem_reset,
    .plan = icem_plan,
    .save = icem_save,
    .load = icem_load,
    .candidates = icem_candidates,
};
