/* What a new study takes from earlier ones: which results, and what becomes of them. */
#include "tuner/warm_start.h"

#include "schedulers/segment_tree.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

/* ---- reading -------------------------------------------------------------------------------- */

/* Asked of a scheduler that decides nothing. One that learns nothing is given the best points of
 * the full depth. */
static Status find_depths(const Study *study, WarmStart *warm) {
    SchedulerSetup setup;
    Scheduler     *scheduler = NULL;
    study_setup(study, &setup);
    TRY(scheduler_create(study->scheduler, &setup, study->scheduler_values, &scheduler));
    warm->depth_count = scheduler_known_depths(scheduler, warm->depths, WARM_START_DEPTHS);
    scheduler_destroy(scheduler);
    if (warm->depth_count > WARM_START_DEPTHS) {
        FAIL(STATUS_ERR_RANGE, "warm_start: the scheduler learns from %zu depths, at most %d",
             warm->depth_count, WARM_START_DEPTHS);
    }
    warm->learns = warm->depth_count > 0;
    if (!warm->learns) {
        warm->depths[warm->depth_count++] = study->budget.per_trial;
    }
    return STATUS_OK;
}

/* feasible ones first, then the first objective, then the earlier one */
static bool is_better(const SchedulerSetup *setup, const WarmResult *a, const WarmResult *b) {
    const double x = segment_violation(setup, a->constraints);
    const double y = segment_violation(setup, b->constraints);
    if (x < y || y < x) {
        return x < y;
    }
    return setup->maximize[0] ? a->objectives[0] > b->objectives[0]
                              : a->objectives[0] < b->objectives[0];
}

static bool same_point(const WarmResult *a, const WarmResult *b, size_t values) {
    for (size_t i = 0; i < values; i++) {
        if (!(a->point[i] <= b->point[i] && a->point[i] >= b->point[i]) &&
            !(isnan(a->point[i]) && isnan(b->point[i]))) {
            return false;
        }
    }
    return true;
}

/* results come best first; an equal point is tried once, and so are the defaults */
static void offer_best(const Study *study, const WarmResult *defaults, WarmStart *warm, size_t i) {
    const size_t values = space_count(study->space);
    if (study->baseline && same_point(&warm->results[i], defaults, values)) {
        return;
    }
    for (size_t k = 0; k < warm->best_count; k++) {
        if (same_point(&warm->results[i], &warm->results[warm->best[k]], values)) {
            return;
        }
    }
    warm->best[warm->best_count++] = i;
}

typedef struct Ranked {
    const WarmResult     *result;
    const SchedulerSetup *setup;
} Ranked;

static int compare_ranked(const void *a, const void *b) {
    const Ranked *x = a;
    const Ranked *y = b;
    if (is_better(x->setup, x->result, y->result)) {
        return -1;
    }
    if (is_better(x->setup, y->result, x->result)) {
        return 1;
    }
    return (x->result < y->result) ? -1 : 1;
}

static Status find_best(const Study *study, WarmStart *warm) {
    SchedulerSetup setup;
    study_setup(study, &setup);
    WarmResult defaults = {.point = calloc(space_count(study->space) + 1, sizeof(double))};
    Ranked    *ranked = calloc(warm->count + 1, sizeof *ranked);
    if (ranked == NULL || defaults.point == NULL) {
        free(ranked);
        free(defaults.point);
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu results", warm->count);
    }
    space_defaults(study->space, defaults.point);
    for (size_t i = 0; i < warm->count; i++) {
        ranked[i] = (Ranked){&warm->results[i], &setup};
    }
    qsort(ranked, warm->count, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < warm->count && warm->best_count < WARM_START_BEST; i++) {
        offer_best(study, &defaults, warm, (size_t)(ranked[i].result - warm->results));
    }
    free(defaults.point);
    free(ranked);
    return STATUS_OK;
}

Status warm_start_read(const Study *study, WarmStart *out) {
    *out = (WarmStart){.learns = false};
    if (study->warm_start_count == 0) {
        return STATUS_OK;
    }
    TRY(find_depths(study, out));
    out->sources = calloc(study->warm_start_count, sizeof *out->sources);
    if (out->sources == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu earlier studies", study->warm_start_count);
    }
    for (size_t i = 0; i < study->warm_start_count; i++) {
        TRY(warm_start__read_source(study, study->warm_start[i], out));
    }
    return out->learns ? STATUS_OK : find_best(study, out);
}

void warm_start_reset(WarmStart *warm) {
    for (size_t i = 0; i < warm->count; i++) {
        free(warm->results[i].point);
    }
    free(warm->results);
    free(warm->sources);
    *warm = (WarmStart){.learns = false};
}

/* ---- what becomes of it --------------------------------------------------------------------- */

Status warm_start_append(const WarmStart *warm, Results *results) {
    for (size_t i = 0; warm->learns && i < warm->count; i++) {
        const WarmResult *result = &warm->results[i];
        const Event       known = {.kind = EVENT_KNOWN,
                                   .outcome = OUTCOME_DONE,
                                   .objectives = result->objectives,
                                   .constraints = result->constraints,
                                   .cost = result->cost,
                                   .point = result->point,
                                   .depth = result->depth};
        TRY(results_known_append(results, warm->sources[result->source].study, result->segment,
                                 &known));
    }
    for (size_t i = 0; i < warm->best_count; i++) {
        const Event wish = {.kind = EVENT_ENQUEUED, .point = warm->results[warm->best[i]].point};
        TRY(results_event_append(results, &wish));
    }
    return STATUS_OK;
}

static void describe_source(const Study *study, const WarmSource *source, Buffer *out) {
    buffer_printf(out, "%zu result%s of %s", source->taken, (source->taken == 1) ? "" : "s",
                  source->study);
    if (source->shallow > 0) {
        buffer_printf(out, ", trained for %" PRId64 " of %" PRId64 " %ss", source->shallow,
                      study->budget.per_trial, study->budget.unit);
    }
    if (source->outside > 0) {
        buffer_printf(out, "; %zu left out: outside this search space", source->outside);
    }
    if (source->incomplete > 0) {
        buffer_printf(out, "; %zu left out: an objective or a constraint has no value",
                      source->incomplete);
    }
    buffer_puts(out, "\n");
}

void warm_start_describe(const Study *study, const WarmStart *warm, Buffer *out) {
    for (size_t i = 0; i < warm->source_count; i++) {
        describe_source(study, &warm->sources[i], out);
    }
    if (warm->source_count > 0 && !warm->learns) {
        buffer_printf(out,
                      "this scheduler learns nothing from them: the best %zu point%s tried first\n",
                      warm->best_count, (warm->best_count == 1) ? " is" : "s are");
    }
}

Status warm_start_json(const WarmStart *warm, Json *array) {
    for (size_t i = 0; i < warm->source_count; i++) {
        const WarmSource *source = &warm->sources[i];
        Json             *one = json_new_object();
        TRY(json_push(array, one));
        TRY(json_set(one, "study", json_new_string(source->study)));
        TRY(json_set(one, "taken", json_new_integer((int64_t)source->taken)));
        TRY(json_set(one, "outside", json_new_integer((int64_t)source->outside)));
        TRY(json_set(one, "incomplete", json_new_integer((int64_t)source->incomplete)));
        TRY(json_set(one, "shallow",
                     (source->shallow > 0) ? json_new_integer(source->shallow) : json_new_null()));
    }
    return STATUS_OK;
}
