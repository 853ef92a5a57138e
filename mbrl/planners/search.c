/* What planners have in common is not the search but what is around it: shared options, a plan that
 * is carried over from step to step, an arena per call, the clock, the best of many, bytes. A call
 * of plan() works on the plan itself and keeps a copy to go back to, so a failure at any point
 * leaves the planner as it was. The best are chosen by a heap of those wanted, with the worst on
 * top: n log k, and no sorting of all; ties go to the lower index, so the choice depends on nothing
 * but the returns; what is not finite is never chosen.
 */
#include "mbrl/planners/search.h"

#include "core/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC_LENGTH = 8 };
/* of an evaluation in batches: each is twice as large as the one before, so that the first is soon
 * there and the rest is as fast as without batches */
enum { FIRST_BATCH = 16 };

/* ---- life ---- */

void search_release(Search *search) {
    if (search->backend != NULL) {
        search->backend->destroy(search->backend_self);
    }
    arena_reset(&search->arena);
    free(search->plan);
    free(search->before);
    *search = (Search){0};
}

Status search_init(Search *search, const PlannerSetup *setup) {
    const size_t count = ROLLOUT_MAX_HORIZON * setup->environment->action_dim;
    *search = (Search){0};
    TRY(option_check_all(rollout_options, setup->rollout_values));
    search->environment = setup->environment;
    search->backend = setup->backend;
    search->learned_reward = setup->learned_reward;
    memcpy(search->values, setup->rollout_values, sizeof search->values);
    search->plan = calloc(count, sizeof *search->plan);
    search->before = calloc(count, sizeof *search->before);
    Status status = STATUS_OK;
    if (search->plan == NULL || search->before == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "planner: no memory for a plan");
    } else {
        status = setup->backend->create(setup->environment, &search->backend_self);
    }
    if (status != STATUS_OK) {
        search_release(search);
        return status;
    }
    search_reset(search);
    return STATUS_OK;
}

void search_reset(Search *search) {
    search_fill_middle(search, search->plan, 0, ROLLOUT_MAX_HORIZON);
}

Status search_set(Search *search, const double *rollout_values) {
    TRY(option_check_all(rollout_options, rollout_values));
    const size_t before = search_horizon(search);
    memcpy(search->values, rollout_values, sizeof search->values);
    search->is_hurried = false;
    if (search_horizon(search) > before) {
        search_fill_middle(search, search->plan, before, search_horizon(search));
    }
    return STATUS_OK;
}

/* ---- actions ---- */

size_t search_horizon(const Search *search) {
    return (size_t)search->values[ROLLOUT_HORIZON];
}

double search_middle(const Search *search, size_t d) {
    return 0.5 * (search->environment->action_low[d] + search->environment->action_high[d]);
}

double search_half_range(const Search *search, size_t d) {
    return 0.5 * (search->environment->action_high[d] - search->environment->action_low[d]);
}

float search_clip(const Search *search, float value, size_t d) {
    const float low = (float)search->environment->action_low[d];
    const float high = (float)search->environment->action_high[d];
    return (value < low) ? low : (value > high) ? high : value;
}

void search_fill_middle(const Search *search, double *plan, size_t first, size_t last) {
    const size_t a = search->environment->action_dim;
    for (size_t h = first; h < last; h++) {
        for (size_t d = 0; d < a; d++) {
            plan[h * a + d] = search_middle(search, d);
        }
    }
}

void search_copy_sequence(const Search *search, const float *actions, size_t candidates,
                          size_t candidate, double *out) {
    const size_t a = search->environment->action_dim;
    for (size_t h = 0; h < search_horizon(search); h++) {
        for (size_t d = 0; d < a; d++) {
            out[h * a + d] = (double)actions[(h * candidates + candidate) * a + d];
        }
    }
}

/* ---- one call of plan() ---- */

static size_t plan_bytes(const Search *search) {
    return search_horizon(search) * search->environment->action_dim * sizeof *search->plan;
}

static Status take_arena(Search *search, size_t bytes) {
    arena_release(&search->arena, 0);
    if (bytes > search->arena.capacity) {
        Arena larger;
        TRY(arena_init(&larger, bytes));
        arena_reset(&search->arena);
        search->arena = larger;
    }
    return STATUS_OK;
}

Status search_begin(Search *search, const PlanTask *task, size_t candidates, size_t bytes) {
    const double seconds = search->values[ROLLOUT_MAX_PLAN_SECONDS];
    const size_t batch =
        (seconds > 0.0) ? search_horizon(search) * candidates * search->environment->action_dim : 0;
    const RolloutShape shape = {.candidates = candidates,
                                .particles = (size_t)search->values[ROLLOUT_PARTICLES],
                                .horizon = search_horizon(search),
                                .propagation = (Propagation)search->values[ROLLOUT_PROPAGATION],
                                .learned_reward = search->learned_reward};
    search->deadline = (seconds > 0.0) ? clock_monotonic() + seconds : 0.0;
    TRY(take_arena(search, bytes + arena_need(batch, sizeof(float))));
    search->batch = NULL;
    if (batch > 0) {
        TRY(ARENA_TAKE(&search->arena, float, batch, &search->batch));
    }
    search->missed = candidates;
    TRY(search->backend->reserve(search->backend_self, &shape, task));
    search->task = *task;
    search->report = (PlanReport){.expected_return = (double)NAN};
    memcpy(search->before, search->plan, plan_bytes(search));
    return STATUS_OK;
}

bool search_is_hurried(const Search *search) {
    return search->is_hurried && search->batch != NULL;
}

bool search_is_over(Search *search) {
    if (search->deadline > 0.0 && clock_monotonic() >= search->deadline) {
        search->report.timed_out = true;
    }
    return search->report.timed_out;
}

static Status evaluate(Search *search, const float *actions, size_t candidates, size_t iteration,
                       double *returns, bool *done) {
    const RolloutTask task = {.plan = &search->task,
                              .actions = actions,
                              .candidates = candidates,
                              .iteration = iteration,
                              .deadline = search->deadline};
    RolloutResult     result = {.flop = 0.0};
    TRY(search->backend->evaluate(search->backend_self, &task, returns, &result));
    search->report.flop += result.flop;
    search->report.env_steps += result.env_steps;
    search->report.timed_out = search->report.timed_out || result.expired;
    *done = !result.expired;
    return STATUS_OK;
}

/* candidates [first, first + n) of `candidates`, as the sequences (t, n, a) of a batch */
static void fill_batch(const Search *search, const float *actions, size_t candidates, size_t first,
                       size_t n) {
    const size_t a = search->environment->action_dim;
    for (size_t h = 0; h < search_horizon(search); h++) {
        memcpy(search->batch + h * n * a, actions + (h * candidates + first) * a,
               n * a * sizeof *actions);
    }
}

/* The last ones first: there stand those that a planner has from the step before. */
static Status evaluate_in_batches(Search *search, const float *actions, size_t candidates,
                                  double *returns) {
    size_t batch = FIRST_BATCH;
    bool   done = true;
    for (size_t c = 0; c < candidates; c++) {
        returns[c] = (double)NAN;
    }
    search->missed = candidates;
    while (search->missed > 0 && done) {
        const size_t n = (batch < search->missed) ? batch : search->missed;
        const size_t first = search->missed - n;
        fill_batch(search, actions, candidates, first, n);
        TRY(evaluate(search, search->batch, n, 0, returns + first, &done));
        for (size_t c = first; c < first + n && !done; c++) {
            returns[c] = (double)NAN; /* also where the back end had some of them */
        }
        search->missed = done ? first : search->missed;
        batch *= 2;
    }
    return STATUS_OK;
}

Status search_evaluate(Search *search, const float *actions, size_t candidates, size_t iteration,
                       double *returns, bool *done) {
    if (iteration == 0 && search_is_hurried(search)) {
        TRY(evaluate_in_batches(search, actions, candidates, returns));
        *done = search->missed < candidates;
    } else {
        TRY(evaluate(search, actions, candidates, iteration, returns, done));
        search->missed = *done ? 0 : search->missed;
    }
    search->report.iterations += *done ? 1 : 0;
    return STATUS_OK;
}

size_t search_share(const Search *search, size_t candidates, size_t wanted) {
    const size_t share = wanted * (candidates - search->missed) / candidates;
    return (share > 0) ? share : 1;
}

Status search_fail(Search *search, Status status) {
    memcpy(search->plan, search->before, plan_bytes(search));
    return status;
}

void search_act(Search *search, double *action, PlanReport *report) {
    search_act_on(search, search->plan, action, report);
}

void search_act_on(Search *search, const double *chosen, double *action, PlanReport *report) {
    const size_t a = search->environment->action_dim;
    const size_t horizon = search_horizon(search);
    for (size_t d = 0; d < a; d++) {
        action[d] = fmin(fmax(chosen[d], search->environment->action_low[d]),
                         search->environment->action_high[d]);
    }
    memmove(search->plan, search->plan + a, (horizon - 1) * a * sizeof *search->plan);
    search_fill_middle(search, search->plan, horizon - 1, horizon);
    /* it ends only with time to spare: else every other step would try in vain */
    search->is_hurried =
        search->report.timed_out &&
        (search->missed > 0 || (search->is_hurried && search->report.iterations < 2));
    *report = search->report;
}

/* ---- the best of many ---- */

/* candidate x ranks before y */
static bool ranks_before(const double *returns, size_t x, size_t y) {
    return returns[x] > returns[y] || (returns[x] == returns[y] && x < y);
}

/* restores the heap (worst of the chosen on top) below position `at` */
static void sift_down(const double *returns, size_t *heap, size_t n, size_t at) {
    for (;;) {
        size_t worst = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < n; child++) {
            if (ranks_before(returns, heap[worst], heap[child])) {
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

size_t search_select(const double *returns, size_t candidates, size_t *chosen, size_t wanted) {
    size_t count = 0;
    for (size_t c = 0; c < candidates; c++) {
        if (!isfinite(returns[c])) {
            continue;
        }
        if (count < wanted) {
            chosen[count++] = c;
            if (count == wanted) {
                make_heap(returns, chosen, count);
            }
        } else if (ranks_before(returns, c, chosen[0])) {
            chosen[0] = c;
            sift_down(returns, chosen, count, 0);
        }
    }
    return count;
}

void search_sort(const double *returns, size_t *chosen, size_t n) {
    make_heap(returns, chosen, n);
    for (size_t left = n; left > 1; left--) {
        /* the worst of what is left goes to its end */
        const size_t worst = chosen[0];
        chosen[0] = chosen[left - 1];
        chosen[left - 1] = worst;
        sift_down(returns, chosen, left - 1, 0);
    }
}

/* ---- the warm start as bytes ---- */

/* what a saved warm start begins with; the plan's rows follow */
typedef struct SavedHeader {
    char     magic[MAGIC_LENGTH];
    uint64_t action_dim;
    uint64_t horizon;
} SavedHeader;

Status search_save(const Search *search, const char *magic, Buffer *out) {
    SavedHeader header = {.action_dim = search->environment->action_dim,
                          .horizon = search_horizon(search)};
    memcpy(header.magic, magic, sizeof header.magic);
    buffer_append(out, &header, sizeof header);
    buffer_append(out, search->plan, plan_bytes(search));
    return buffer_status(out);
}

Status search_load(Search *search, const char *magic, const void *bytes, size_t length,
                   SearchSaved *saved) {
    const size_t a = search->environment->action_dim;
    SavedHeader  header;
    if (length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "%.8s: a saved plan of %zu bytes, expected at least %zu", magic,
             length, sizeof header);
    }
    memcpy(&header, bytes, sizeof header);
    const bool same = memcmp(header.magic, magic, sizeof header.magic) == 0 &&
                      header.action_dim == a && header.horizon > 0 &&
                      header.horizon <= ROLLOUT_MAX_HORIZON;
    const size_t rows = same ? header.horizon * a * sizeof *search->plan : 0;
    if (!same || length < sizeof header + rows ||
        (saved == NULL && length != sizeof header + rows)) {
        FAIL(STATUS_ERR_CORRUPT, "%.8s: the %zu saved bytes are not a plan of %zu actions", magic,
             length, a);
    }
    /* saved under another horizon: as in set() */
    memcpy(search->before, search->plan, ROLLOUT_MAX_HORIZON * a * sizeof *search->plan);
    search_reset(search);
    memcpy(search->plan, (const char *)bytes + sizeof header, rows);
    if (saved != NULL) {
        *saved = (SearchSaved){.rows = (size_t)header.horizon,
                               .rest = (const char *)bytes + sizeof header + rows,
                               .rest_length = length - sizeof header - rows};
    }
    return STATUS_OK;
}

Status search_load_failed(Search *search, Status status) {
    const size_t count = ROLLOUT_MAX_HORIZON * search->environment->action_dim;
    memcpy(search->plan, search->before, count * sizeof *search->plan);
    return status;
}
