/* What comes after tuning: confirmation (the best schedules and the defaults from scratch on fresh
 * seeds, run by an automaton behind the scheduler interface whose state is a function of its rows)
 * and evaluation. */
#include "core/rng.h"
#include "results/report.h"
#include "schedulers/replay.h"
#include "tuner/coordinator_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- confirmation --------------------------------------------------------------------------- */

/** One schedule as it is read from the tree; a ReplayArm borrows it. */
typedef struct Walk {
    ReplayStep *steps;
    size_t      count;
    double     *points; /* one block; the steps point into it */
} Walk;

/* Cuts a schedule to the confirmation's depth, or goes on with its last values up to it, so that
 * all arms are compared at equal depth. `steps` has room for one more step per segment. */
static void fit_depth(const Study *study, Walk *walk) {
    const int64_t depth = study->confirm.per_trial;
    size_t        count = 0;
    while (count < walk->count && walk->steps[count].begin < depth) {
        count++;
    }
    ReplayStep last = walk->steps[count - 1];
    if (last.end > depth) {
        walk->steps[count - 1].end = depth;
    }
    while (last.end < depth) {
        const int64_t end = last.end + study->budget.segment;
        last.begin = last.end;
        last.end = (end < depth) ? end : depth;
        walk->steps[count++] = last;
    }
    walk->count = count;
}

static Status read_walk(Coordinator *c, const int64_t *ids, size_t count, Walk *walk) {
    const size_t d = space_count(c->study->space);
    const size_t room =
        count + 2 + (size_t)(c->study->confirm.per_trial / c->study->budget.segment);
    walk->steps = calloc(room, sizeof *walk->steps);
    walk->points = calloc(count * d + 1, sizeof *walk->points);
    if (walk->steps == NULL || walk->points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a schedule of %zu steps", count);
    }
    for (size_t i = 0; i < count; i++) {
        double        *point = walk->points + i * d;
        ResultsSegment row = {.point = point};
        TRY(results_segment_read(c->results, c->study->space, ids[i], &row));
        walk->steps[i] = (ReplayStep){.begin = row.begin, .end = row.end, .point = point};
    }
    walk->count = count;
    fit_depth(c->study, walk);
    return STATUS_OK;
}

static Status best_walk(Coordinator *c, int64_t leaf, Walk *walk) {
    int64_t *ids = NULL;
    size_t   count = 0;
    TRY(report_lineage(c->results, leaf, &ids, &count));
    const Status status = read_walk(c, ids, count, walk);
    free(ids);
    return status;
}

/* the defaults, cut where the first schedule is cut and trained to the same depth */
static Status default_walk(Coordinator *c, const Walk *like, Walk *walk) {
    walk->steps = calloc(like->count + 1, sizeof *walk->steps);
    walk->points = calloc(space_count(c->study->space) + 1, sizeof *walk->points);
    if (walk->steps == NULL || walk->points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the default schedule");
    }
    space_defaults(c->study->space, walk->points);
    for (size_t i = 0; i < like->count; i++) {
        walk->steps[i] = like->steps[i];
        walk->steps[i].point = walk->points;
    }
    walk->count = like->count;
    return STATUS_OK;
}

static void free_walks(Walk *walks, size_t count) {
    for (size_t i = 0; walks != NULL && i < count; i++) {
        free(walks[i].steps);
        free(walks[i].points);
    }
    free(walks);
}

/* the rows of the confirmation's trials, once */
static Status insert_trials(Coordinator *c, const int64_t *sources, size_t arms) {
    ResultsTrial trial;
    if (results_trial_read(c->results, CONFIRM_FIRST, &trial) == STATUS_OK) {
        return STATUS_OK; /* an earlier run made them */
    }
    TRY(coordinator__begin(c));
    c->urgent = true;
    const int64_t seeds = c->study->confirm.seeds;
    for (int64_t i = 0; i < (int64_t)arms * seeds; i++) {
        const size_t arm = (size_t)(i / seeds);
        const bool   best = arm + 1 < arms; /* the last arm are the defaults */
        trial = (ResultsTrial){.id = CONFIRM_FIRST + i,
                               .kind = best ? TRIAL_CONFIRM_BEST : TRIAL_CONFIRM_DEFAULT,
                               .number = best ? (int64_t)arm : 0,
                               .repeat = i % seeds,
                               .source = best ? sources[arm] : 0};
        TRY(results_trial_insert(c->results, &trial));
    }
    return STATUS_OK;
}

static bool waits_to_be_observed(const Coordinator *c, int64_t segment) {
    for (size_t i = 0; i < c->event_count; i++) {
        if (c->events[i].id == segment) {
            return true;
        }
    }
    return false;
}

/* a result that is in its row goes the way of one that has just come in */
static Status push_result(Coordinator *c, const ResultsSegment *row) {
    Outstanding event = {
        .kind = EVENT_FINISHED, .id = row->id, .outcome = row->outcome, .cost = row->cost};
    memcpy(event.objectives, row->objective, sizeof event.objectives);
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        event.spreads[i] = (double)NAN;
    }
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        event.constraints[i] = (double)NAN;
    }
    c->undecided++;
    return coordinator__push_event(c, &event);
}

/* The confirmation has no log: what was decided and what came back is read from its rows. A segment
 * was decided after its parent was observed, and behind a barrier with its parent the whole batch;
 * the results of the last batch wait for the rest of it. */
static Status replay_confirmation(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (row->decision >= 0) {
        return STATUS_OK;
    }
    if (waits_to_be_observed(c, row->parent)) {
        TRY(coordinator__observe(c));
    }
    ResultsSegment full = {.point = c->point};
    TRY(results_segment_read(c->results, c->study->space, row->id, &full));
    Decision decision = {.kind = DECISION_RUN,
                         .number = scheduler_decisions(c->scheduler),
                         .id = row->id,
                         .parent = row->parent,
                         .trial = row->trial,
                         .begin = row->begin,
                         .end = row->end,
                         .point = c->point};
    (void)snprintf(decision.reason, sizeof decision.reason, "%s", row->reason);
    const Event decided = {.kind = EVENT_DECIDED, .decision = &decision};
    TRY(scheduler_observe(c->scheduler, &decided));
    const bool ended = row->state == SEGMENT_FINISHED || row->state == SEGMENT_FAILED;
    return ended ? push_result(c, row) : STATUS_OK;
}

static Status make_scheduler(Coordinator *c, const Walk *walks, size_t count) {
    ReplayArm *arms = calloc(count, sizeof *arms);
    if (arms == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the confirmation");
    }
    for (size_t i = 0; i < count; i++) {
        arms[i] = (ReplayArm){.steps = walks[i].steps,
                              .count = walks[i].count,
                              .label = (i + 1 < count) ? "best" : "defaults"};
    }
    const Status status =
        replay_create(arms, count, c->study->confirm.seeds, CONFIRM_FIRST, CONFIRM_FIRST,
                      c->study->order, &c->scheduler_setup, &c->scheduler);
    free(arms);
    return status;
}

static Status make_confirmation(Coordinator *c, Walk *walks, const int64_t *sources, size_t found) {
    for (size_t i = 0; i < found; i++) {
        TRY(best_walk(c, sources[i], &walks[i]));
    }
    TRY(default_walk(c, &walks[0], &walks[found]));
    TRY(insert_trials(c, sources, found + 1));
    return make_scheduler(c, walks, found + 1);
}

static Status begin_confirmation(Coordinator *c, int64_t *sources, Walk *walks, size_t *found) {
    scheduler_destroy(c->scheduler);
    c->scheduler = NULL;
    c->phase = PHASE_CONFIRM;
    c->decided_all = false;
    c->waiting = false;
    c->undecided = 0;
    TRY(report_top(c->results, (size_t)c->study->confirm.top, sources, found));
    return (*found == 0) ? STATUS_OK : make_confirmation(c, walks, sources, *found);
}

Status coordinator__enter_confirm(Coordinator *c) {
    const size_t top = (size_t)c->study->confirm.top;
    int64_t     *sources = calloc(top + 1, sizeof *sources);
    Walk        *walks = calloc(top + 1, sizeof *walks);
    size_t       found = 0;
    Status       status = STATUS_OK;
    if (sources == NULL || walks == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for the confirmation");
    } else {
        status = begin_confirmation(c, sources, walks, &found);
    }
    free_walks(walks, top + 1);
    free(sources);
    TRY(status);
    if (found == 0) {
        c->decided_all = true;
        return STATUS_OK;
    }
    coordinator__log(
        c, "info",
        "confirming: the best %zu schedule%s and the defaults, from scratch, on %" PRId64
        " fresh seeds each",
        found, (found == 1) ? "" : "s", c->study->confirm.seeds);
    TRY(results_segments_visit(c->results, RESULTS_CONFIRM, replay_confirmation, c));
    return results_segments_visit(c->results, RESULTS_OPEN, coordinator__restore_segment, c);
}

/* ---- evaluation ---------------------------------------------------------------------------------
 */

typedef struct Existing {
    int64_t segment;
    bool    found;
} Existing;

static Status find_existing(void *context, const ResultsEvaluation *row) {
    Existing *existing = context;
    if (row->segment == existing->segment && row->decision < 0) {
        existing->found = true;
    }
    return STATUS_OK;
}

static Status add_evaluation(Coordinator *c, int64_t segment, int64_t episodes, uint64_t seed) {
    int64_t trial = 0;
    int64_t next_segment = 0;
    int64_t id = 0;
    TRY(results_next_ids(c->results, &trial, &next_segment, &id));
    TRY(coordinator__begin(c));
    c->urgent = true;
    const ResultsEvaluation row = {
        .id = id,
        .segment = segment,
        .decision = -1,
        .episodes = episodes,
        .seed = (seed != 0) ? seed : rng_seed(c->study->seed, SEED_EVALUATE, (uint64_t)id)};
    TRY(results_evaluation_insert(c->results, &row));
    const Work work = {.kind = WORK_EVALUATION, .id = id, .needs = segment};
    c->undecided++;
    return coordinator__queue(c, &work);
}

/* what `evaluate:` of the study file asks for, unless an earlier run did it */
static Status add_study_evaluations(Coordinator *c) {
    const size_t top = (size_t)c->study->evaluate.top;
    int64_t     *segments = calloc(top + 1, sizeof *segments);
    size_t       found = 0;
    if (segments == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the evaluations");
    }
    Status status = report_top(c->results, top, segments, &found);
    for (size_t i = 0; i < found && status == STATUS_OK; i++) {
        Existing existing = {.segment = segments[i]};
        status = results_evaluations_visit(c->results, find_existing, &existing);
        if (status == STATUS_OK && !existing.found) {
            status = add_evaluation(c, segments[i], c->study->evaluate.episodes, 0);
        }
    }
    free(segments);
    return status;
}

Status coordinator__enter_evaluate(Coordinator *c) {
    scheduler_destroy(c->scheduler);
    c->scheduler = NULL;
    c->phase = PHASE_EVALUATE;
    c->decided_all = true;
    c->undecided = 0;
    if (c->setup->evaluate_episodes > 0) {
        const int64_t segment =
            (c->setup->evaluate_segment != 0) ? c->setup->evaluate_segment : c->best_segment;
        ResultsSegment row = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, segment, &row));
        if (row.state != SEGMENT_FINISHED) {
            FAIL(STATUS_ERR_STATE, "segment %" PRId64 " is not finished: nothing to evaluate",
                 segment);
        }
        return add_evaluation(c, segment, c->setup->evaluate_episodes, c->setup->evaluate_seed);
    }
    TRY(results_evaluations_visit(c->results, coordinator__restore_evaluation, c));
    if (c->study->evaluate.episodes > 0) {
        TRY(add_study_evaluations(c));
    }
    return STATUS_OK;
}
