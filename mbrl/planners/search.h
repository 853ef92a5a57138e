/** @file search.h  What every planner is made of: the shared options, a back end, the plan that it
 * goes on from (its warm start) and working memory. Planners embed a Search.
 */
#ifndef MBRL_PLANNERS_SEARCH_H
#define MBRL_PLANNERS_SEARCH_H

#include "core/arena.h"
#include "mbrl/planners/planner.h"

/** t = horizon, a = action_dim, c = candidates. */
typedef struct Search {
    const EnvironmentOps *environment;
    const PlannerBackend *backend;
    void                 *backend_self;
    double                values[ROLLOUT_OPTION_COUNT];
    bool                  learned_reward;
    double               *plan;   /* (ROLLOUT_MAX_HORIZON, a), t rows in use: the warm start */
    double               *before; /* the same: what to go back to on failure */
    Arena                 arena;  /* of one call of plan() */
    /* the call of plan() under way */
    PlanTask   task;
    PlanReport report;
    double     deadline; /* by clock_monotonic(); 0 = none */
    size_t     missed;   /* candidates of the first evaluation that have no return */
    float     *batch;    /* (t, c, a) room for a part of them; NULL without a limit of time */
    /* from call to call: the limit of time is too short for one whole evaluation */
    bool is_hurried;
} Search;

/** @return STATUS_OK; STATUS_ERR_RANGE (an option), STATUS_ERR_NOMEM, what the back end says; on
 *          failure there is nothing to release */
Status search_init(Search *search, const PlannerSetup *setup) MUST_USE;
/** Harmless on a zeroed one. */
void search_release(Search *search);
/** New values of the shared options; the plan is cut, or continued with the middle of the bounds.
 */
Status search_set(Search *search, const double *rollout_values) MUST_USE;
/** The plan becomes the middle of the bounds. */
void search_reset(Search *search);

size_t search_horizon(const Search *search);
/** Of action dimension d. */
double search_middle(const Search *search, size_t d);
double search_half_range(const Search *search, size_t d);
/** `value` between the bounds of dimension d, in float: rounding may leave them by an ulp. */
float search_clip(const Search *search, float value, size_t d);
/** Writes the middle of the bounds into rows [first, last) of a plan (., a). */
void search_fill_middle(const Search *search, double *plan, size_t first, size_t last);

/**
 * Begins a call of plan(): empties the arena and makes sure that it has `bytes`, makes room in the
 * back end for `candidates` at a time, starts the clock. Until search_fail() or search_act(),
 * search->plan may be changed.
 */
Status search_begin(Search *search, const PlanTask *task, size_t candidates, size_t bytes) MUST_USE;
/** Is the first evaluation of this call made in batches, see search_evaluate()? */
bool search_is_hurried(const Search *search);
/** Has the time run out? Then report.timed_out is set. The clock is read only if there is a limit.
 */
bool search_is_over(Search *search);
/**
 * Returns of `candidates` sequences (t, c, a); adds the cost to the report. *done is false where
 * time ran out first: the returns are of no use. Once the limit of time was too short for the first
 * evaluation of a call, that of the next is made in batches, the last candidates first: whoever
 * time leaves out has the return NaN, and search_share() says how many to choose of the others.
 */
Status search_evaluate(Search *search, const float *actions, size_t candidates, size_t iteration,
                       double *returns, bool *done) MUST_USE;
/** Puts the plan back to where search_begin() found it; @return `status` */
Status search_fail(Search *search, Status status);
/** The first action of the plan, clipped; shifts the plan by one step (its last entry becomes the
 * middle); hands out the report. */
void search_act(Search *search, double *action, PlanReport *report);
/** The same, but carries out the first row of `chosen` (t, a) in place of the plan's. */
void search_act_on(Search *search, const double *chosen, double *action, PlanReport *report);

/** How many to choose where `wanted` of `candidates` are chosen when time leaves out none; at least
 * 1. */
size_t search_share(const Search *search, size_t candidates, size_t wanted);
/** The best candidates with finite returns, in no order: larger return, or the same and an earlier
 * index. @return how many, at most `wanted` */
size_t search_select(const double *returns, size_t candidates, size_t *chosen, size_t wanted);
/** Orders chosen candidates, best first. */
void search_sort(const double *returns, size_t *chosen, size_t n);
/** Sequence `candidate` of actions (t, c, a) into `out` (t, a). */
void search_copy_sequence(const Search *search, const float *actions, size_t candidates,
                          size_t candidate, double *out);

/** Writes a header with the planner's 8 characters and the plan. */
Status search_save(const Search *search, const char *magic, Buffer *out) MUST_USE;
/** What search_load() read: the rest is the planner's own. */
typedef struct SearchSaved {
    size_t      rows; /* of the plan: the horizon under which it was saved */
    const char *rest;
    size_t      rest_length;
} SearchSaved;

/**
 * Reads what search_save() wrote. Under another horizon the plan is cut or continued as in set().
 * @param saved  out  NULL = nothing may follow the plan
 * @return STATUS_OK; STATUS_ERR_CORRUPT (the plan is unchanged)
 */
Status search_load(Search *search, const char *magic, const void *bytes, size_t length,
                   SearchSaved *saved) MUST_USE;
/** For a rest that is not what it should be: puts the plan back; @return `status` */
Status search_load_failed(Search *search, Status status);

#endif
