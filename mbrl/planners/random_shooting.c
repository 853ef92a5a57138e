/* Random shooting: sequences uniform in the bounds, the best is carried out for one step. The
 * baseline of the field, so it is left as plain as it is known: nothing of one step's search enters
 * the next. Only where a step finds nothing (max_plan_seconds, no finite return) is the best
 * sequence of the step before, shifted, what it goes on with. Sequences are evaluated in batches,
 * so that a limit of time finds the best of those before it.
 */
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/search.h"

#include "core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PETS "Chua et al. (2018), PETS, arXiv 1805.12114"

/* sequences evaluated together: part of the result, since streams are numbered by batch */
enum { BATCH = 1000 };

enum { SHOOTING_CANDIDATES, SHOOTING_OPTION_COUNT };

static const OptionSpec shooting_options[SHOOTING_OPTION_COUNT + 1] = {
    [SHOOTING_CANDIDATES] = {"shooting_candidates", OPTION_INT, 1, 100000, 2000, true, NULL,
                             "action sequences per step (count)", PETS},
};

static const char saved_magic[] = "mbt-rand";

/* t = horizon, a = action_dim, c = candidates */
typedef struct Shooting {
    Search search; /* its plan is the best sequence */
    double values[SHOOTING_OPTION_COUNT];
} Shooting;

/* working memory of one call */
typedef struct ShootingWork {
    float  *actions; /* (t, c, a) */
    double *returns; /* (c) */
} ShootingWork;

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t batch_of(const Shooting *shooting) {
    return smaller(BATCH, (size_t)shooting->values[SHOOTING_CANDIDATES]);
}

static void shooting_destroy(void *self) {
    Shooting *shooting = self;
    if (shooting != NULL) {
        search_release(&shooting->search);
        free(shooting);
    }
}

static void shooting_reset(void *self) {
    Shooting *shooting = self;
    search_reset(&shooting->search);
}

static Status shooting_create(const PlannerSetup *setup, void **self) {
    *self = NULL;
    TRY(option_check_all(shooting_options, setup->values));
    Shooting *shooting = calloc(1, sizeof *shooting);
    if (shooting == NULL) {
        FAIL(STATUS_ERR_NOMEM, "random_shooting: no memory");
    }
    const Status status = search_init(&shooting->search, setup);
    if (status != STATUS_OK) {
        free(shooting);
        return status;
    }
    memcpy(shooting->values, setup->values, sizeof shooting->values);
    *self = shooting;
    return STATUS_OK;
}

static Status shooting_set(void *self, const double *rollout_values, const double *values) {
    Shooting *shooting = self;
    TRY(option_check_all(shooting_options, values));
    TRY(search_set(&shooting->search, rollout_values));
    memcpy(shooting->values, values, sizeof shooting->values);
    return STATUS_OK;
}

static void sample_actions(const Shooting *shooting, size_t batch, size_t candidates,
                           float *actions) {
    const EnvironmentOps *env = shooting->search.environment;
    const size_t          a = env->action_dim;
    const size_t          count = search_horizon(&shooting->search) * candidates * a;
    Rng rng = rng_stream_lane(shooting->search.task.seed, shooting->search.task.step,
                              RNG_PLAN_ACTIONS, (uint32_t)batch);
    rng_fill_uniform(&rng, actions, count);
    for (size_t i = 0; i < count; i++) {
        const size_t d = i % a;
        const float  low = (float)env->action_low[d];
        const float  width = (float)(env->action_high[d] - env->action_low[d]);
        actions[i] = search_clip(&shooting->search, low + width * actions[i], d);
    }
}

/* the best finite one of a batch, if it beats what was found before, becomes the plan */
static void take_best(Shooting *shooting, size_t candidates, const ShootingWork *work,
                      double *best) {
    for (size_t c = 0; c < candidates; c++) {
        if (isfinite(work->returns[c]) && work->returns[c] > *best) {
            *best = work->returns[c];
            shooting->search.report.expected_return = *best;
            search_copy_sequence(&shooting->search, work->actions, candidates, c,
                                 shooting->search.plan);
        }
    }
}

static Status shoot(Shooting *shooting, const ShootingWork *work) {
    const size_t count = (size_t)shooting->values[SHOOTING_CANDIDATES];
    double       best = -(double)INFINITY;
    for (size_t first = 0; first < count && !search_is_over(&shooting->search); first += BATCH) {
        const size_t n = smaller(BATCH, count - first);
        bool         done = false;
        sample_actions(shooting, first / BATCH, n, work->actions);
        TRY(search_evaluate(&shooting->search, work->actions, n, first / BATCH, work->returns,
                            &done));
        if (!done) {
            break;
        }
        take_best(shooting, n, work, &best);
    }
    return STATUS_OK;
}

static Status shooting_plan(void *self, const PlanTask *task, double *action, PlanReport *report) {
    Shooting    *shooting = self;
    Arena       *arena = &shooting->search.arena;
    const size_t batch = batch_of(shooting);
    const size_t actions =
        search_horizon(&shooting->search) * batch * shooting->search.environment->action_dim;
    ShootingWork work;
    TRY(search_begin(&shooting->search, task, batch,
                     arena_need(actions, sizeof(float)) + arena_need(batch, sizeof(double))));
    TRY(ARENA_TAKE(arena, float, actions, &work.actions));
    TRY(ARENA_TAKE(arena, double, batch, &work.returns));
    const Status status = shoot(shooting, &work);
    if (status != STATUS_OK) {
        return search_fail(&shooting->search, status);
    }
    search_act(&shooting->search, action, report);
    return STATUS_OK;
}

static Status shooting_save(const void *self, Buffer *out) {
    const Shooting *shooting = self;
    return search_save(&shooting->search, saved_magic, out);
}

static Status shooting_load(void *self, const void *bytes, size_t length) {
    Shooting *shooting = self;
    return search_load(&shooting->search, saved_magic, bytes, length, NULL);
}

static double shooting_candidates(const double *values) {
    return values[SHOOTING_CANDIDATES];
}

const PlannerOps planner_random_shooting_ops = {
    .name = "random_shooting",
    .source = PETS,
    .help = "uniform sequences, the best is carried out",
    .options = shooting_options,
    .create = shooting_create,
    .destroy = shooting_destroy,
    .set = shooting_set,
    .reset = shooting_reset,
    .plan = shooting_plan,
    .save = shooting_save,
    .load = shooting_load,
    .candidates = shooting_candidates,
};
