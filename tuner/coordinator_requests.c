/* Commands of users (study_request.h). Everything is checked before anything is written; what was
 * done and the answer are one transaction, so a request is applied once however often it is met. */
#include "core/clock.h"
#include "results/report.h"
#include "tuner/coordinator_state.h"
#include "tuner/request_check.h"
#include "tuner/study_request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* how often the folder is looked at (s) */
#define LOOK_SECONDS 0.25
/* answers that nobody fetched go after this (s) */
#define ANSWER_SECONDS 3600.0

/* ---- enqueue -------------------------------------------------------------------------------- */

static Status check_points(const Coordinator *c, const Json *points) {
    if (json_count(points) == 0) {
        FAIL(STATUS_ERR_PARSE, "nothing to enqueue: expected a list of points");
    }
    for (size_t i = 0; i < json_count(points); i++) {
        TRY(space_from_json(c->study->space, json_at(points, i), c->point));
    }
    return STATUS_OK;
}

static Status serve_enqueue(Coordinator *c, const Json *body, Buffer *answer) {
    const Json  *points = json_get(body, "points");
    const size_t count = json_count(points);
    TRY(check_points(c, points));
    TRY(coordinator__refuse_after_confirmation(c, "points cannot be enqueued"));
    for (size_t i = 0; i < count; i++) {
        TRY(space_from_json(c->study->space, json_at(points, i), c->point));
        const Event event = {.kind = EVENT_ENQUEUED, .point = c->point};
        TRY(coordinator__apply_event(c, &event));
    }
    TRY(results_irreproducible_set(c->results, "a user enqueued points"));
    buffer_printf(answer, "%zu point%s enqueued", count, (count == 1) ? "" : "s");
    return buffer_status(answer);
}

/* ---- extend --------------------------------------------------------------------------------- */

static Status optional_integer(const Json *body, const char *key, int64_t *out) {
    return (json_get(body, key) == NULL) ? STATUS_OK : json_need_integer(body, key, out);
}

/* One of total and trials alone takes the other along, as in a study file that names only one. */
static void balance(const Study *study, bool total, bool trials, ResultsBudget *budget) {
    const int64_t each = study->budget.per_trial * study->repeats;
    if (trials && !total && budget->trials > budget->total / each) {
        budget->total = budget->trials * each;
    }
    if (total && !trials && budget->trials > 0 && budget->total / each > budget->trials) {
        budget->trials = budget->total / each;
    }
}

/* A study that was over may be so with any budget: members of a population that have reached
 * per_trial go no further, a grid has no more points. The scheduler is asked, which changes
 * nothing. */
static Status say_if_still_over(Coordinator *c, Buffer *answer) {
    Decision decision;
    TRY(scheduler_decide(c->scheduler, &decision));
    if (decision.kind == DECISION_DONE) {
        buffer_printf(answer, ", but there is nothing more to train: %s", decision.reason);
    }
    return buffer_status(answer);
}

static Status serve_extend(Coordinator *c, const Json *body, Buffer *answer) {
    ResultsBudget budget = c->budget;
    TRY(coordinator__refuse_after_confirmation(c, "the budget cannot change"));
    TRY(optional_integer(body, "total", &budget.total));
    TRY(optional_integer(body, "trials", &budget.trials));
    if (json_get(body, "wall_clock") != NULL) {
        TRY(json_need_number(body, "wall_clock", &budget.wall_clock));
    }
    if (budget.total < 1 || budget.trials < 0 || !(budget.wall_clock >= 0.0) ||
        (budget.trials > 0) != (c->budget.trials > 0)) {
        FAIL(STATUS_ERR_RANGE,
             "a budget of %" PRId64 " units, %" PRId64 " trials and %g s; expected at least one "
             "unit, and trials for samplers only",
             budget.total, budget.trials, budget.wall_clock);
    }
    if (json_get(body, "total") != NULL) {
        TRY(request_check_total(c->results, c->study, budget.total));
    }
    if (json_get(body, "trials") != NULL) {
        TRY(request_check_trials(c->results, budget.trials));
    }
    balance(c->study, json_get(body, "total") != NULL, json_get(body, "trials") != NULL, &budget);
    const bool was_over = c->decided_all;
    TRY(coordinator__set_budget(c, &budget));
    buffer_printf(answer, "the budget is now %" PRId64 " %s%s", budget.total, c->study->budget.unit,
                  (budget.total == 1) ? "" : "s");
    if (budget.trials > 0) {
        buffer_printf(answer, " in %" PRId64 " trial%s", budget.trials,
                      (budget.trials == 1) ? "" : "s");
    }
    if (budget.wall_clock > 0.0) {
        buffer_printf(answer, ", %g s since the study was created", budget.wall_clock);
    }
    return was_over ? say_if_still_over(c, answer) : buffer_status(answer);
}

/* ---- stop ----------------------------------------------------------------------------------- */

static Status cancel_queued(Coordinator *c, size_t index) {
    const Work     work = c->queue.items[index];
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(c->results, NULL, work.id, &row));
    TRY(coordinator__begin(c));
    c->urgent = true;
    if (row.partial_attempt > 0) {
        TRY(coordinator__doom(c, work.id, row.partial_attempt));
    }
    (void)coordinator__unqueue(c, index);
    return coordinator__fail_segment(c, work.id, 0, OUTCOME_CANCELLED, "");
}

Status coordinator__is_stopped(Coordinator *c, int64_t segment, bool *stopped) {
    ResultsSegment row = {.point = NULL};
    ResultsTrial   trial;
    TRY(results_segment_read(c->results, NULL, segment, &row));
    TRY(results_trial_read(c->results, row.trial, &trial));
    *stopped = trial.stopped;
    return STATUS_OK;
}

static Status drop_if_stopped(Coordinator *c, size_t index) {
    const Work work = c->queue.items[index];
    bool       stopped = false;
    if (work.kind == WORK_SEGMENT) {
        TRY(coordinator__is_stopped(c, work.id, &stopped));
    }
    return stopped ? cancel_queued(c, index) : STATUS_OK;
}

/* what is queued of stopped trials ends as cancelled */
Status coordinator__drop_stopped(Coordinator *c) {
    for (size_t i = c->queue.count; i > 0; i--) {
        TRY(drop_if_stopped(c, i - 1));
    }
    return STATUS_OK;
}

static Status cancel_handed_out_segment(Coordinator *c, int64_t segment, int64_t trial) {
    ResultsSegment row = {.point = NULL};
    TRY(results_segment_read(c->results, NULL, segment, &row));
    return (row.trial == trial)
               ? coordinator__fail_segment(c, segment, row.attempt, OUTCOME_CANCELLED, "")
               : STATUS_OK;
}

/* manual studies: what a person was asked to train */
static Status cancel_handed_out(Coordinator *c, int64_t trial) {
    int64_t segment = 0;
    TRY(results_running_next(c->results, 0, &segment));
    while (segment != 0) {
        TRY(cancel_handed_out_segment(c, segment, trial));
        TRY(results_running_next(c->results, segment, &segment));
    }
    return STATUS_OK;
}

static Status cancel_slot(Coordinator *c, size_t index, int64_t trial) {
    const Slot    *slot = &c->slots[index];
    ResultsSegment row = {.point = NULL};
    if (!slot->usable || !slot->busy || slot->unsent || slot->work.kind != WORK_SEGMENT) {
        return STATUS_OK;
    }
    TRY(results_segment_read(c->results, NULL, slot->work.id, &row));
    return (row.trial == trial) ? crew_cancel(c->crew, index) : STATUS_OK;
}

static Status cancel_running(Coordinator *c, int64_t trial) {
    if (c->study->manual) {
        return cancel_handed_out(c, trial);
    }
    for (size_t i = 0; i < c->slot_count; i++) {
        TRY(cancel_slot(c, i, trial));
    }
    return STATUS_OK;
}

static Status serve_stop_trial(Coordinator *c, int64_t id, Buffer *answer) {
    TRY(request_check_stop(c->results, c->study, id));
    TRY(coordinator__begin(c));
    TRY(results_trial_stop(c->results, id));
    TRY(results_irreproducible_set(c->results, "a user stopped trials"));
    TRY(coordinator__drop_stopped(c));
    TRY(cancel_running(c, id));
    coordinator__log(c, "info", "trial %" PRId64 " is stopped by a user", id);
    buffer_printf(answer, "trial %" PRId64 " is stopped: it gets no further segment", id);
    return buffer_status(answer);
}

static Status serve_stop(Coordinator *c, const char *name, const Json *body, Buffer *answer) {
    if (json_get(body, "trial") != NULL) {
        int64_t trial = 0;
        TRY(json_need_integer(body, "trial", &trial));
        return serve_stop_trial(c, trial, answer);
    }
    if (study_request_time(name) < c->opened_at || c->study->manual) {
        FAIL(STATUS_ERR_STATE, "the run that was to stop had ended already");
    }
    c->user_stopped = true; /* the loop's next turn stops what runs */
    buffer_puts(answer, "stopping: what runs ends its unit; the same command as before goes on");
    return buffer_status(answer);
}

/* ---- pin ------------------------------------------------------------------------------------ */

Status coordinator__want_pinned(void *context, const ResultsSegment *row) {
    Coordinator *c = context;
    if (!row->pinned || row->kept || row->state != SEGMENT_FINISHED || c->study->manual) {
        return STATUS_OK;
    }
    return coordinator__recompute(c, row->id);
}

static Status serve_pin(Coordinator *c, const Json *body, Buffer *answer) {
    ResultsSegment row = {.point = NULL};
    int64_t        id = 0;
    TRY(json_need_integer(body, "segment", &id));
    const bool pinned = !json_bool(json_get(body, "unpin"));
    TRY(request_check_pin(c->results, c->study, id, pinned));
    TRY(results_segment_read(c->results, NULL, id, &row));
    TRY(coordinator__begin(c));
    TRY(results_segment_pin(c->results, id, pinned));
    coordinator__pin(c, id, pinned);
    buffer_printf(answer, "segment %" PRId64 " is %s", id,
                  pinned ? "pinned: its checkpoint is kept" : "no longer pinned");
    row.pinned = pinned;
    TRY(coordinator__want_pinned(c, &row));
    return buffer_status(answer);
}

/* ---- serving -------------------------------------------------------------------------------- */

static Status serve(Coordinator *c, const char *name, const Json *body, Buffer *answer) {
    const char *command = NULL;
    TRY(json_need_string(body, "command", &command));
    if (strcmp(command, "enqueue") == 0) {
        return serve_enqueue(c, body, answer);
    }
    if (strcmp(command, "extend") == 0) {
        return serve_extend(c, body, answer);
    }
    if (strcmp(command, "stop") == 0) {
        return serve_stop(c, name, body, answer);
    }
    if (strcmp(command, "pin") == 0) {
        return serve_pin(c, body, answer);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "there is no command '%.60s' to a study", command);
}

/* the user's mistake, told in the answer; anything else ends the run */
static bool is_refusal(Status status) {
    return status == STATUS_ERR_STATE || status == STATUS_ERR_RANGE || status == STATUS_ERR_PARSE ||
           status == STATUS_ERR_UNKNOWN_NAME || status == STATUS_ERR_ARG;
}

static Status answer_text(bool done, const char *text, Buffer *out) {
    Json  *answer = json_new_object();
    Status status = json_set(answer, "done", json_new_bool(done));
    if (status == STATUS_OK) {
        status = json_set(answer, "text", json_new_string(text));
    }
    json_write(answer, false, out);
    json_release(answer);
    return (status == STATUS_OK) ? buffer_status(out) : status;
}

static Status apply(Coordinator *c, const char *name, const char *text, size_t length,
                    Buffer *answer) {
    Json  *body = NULL;
    Buffer words;
    buffer_init(&words, STATUS_TEXT_SIZE);
    Status status = json_parse(text, length, &body);
    if (status == STATUS_OK) {
        status = serve(c, name, body, &words);
    }
    json_release(body);
    if (status == STATUS_OK || is_refusal(status)) {
        const bool done = status == STATUS_OK;
        coordinator__log(c, done ? "info" : "warning", "request %s: %s", name,
                         done ? buffer_text(&words) : status_last()->text);
        status = answer_text(done, done ? buffer_text(&words) : status_last()->text, answer);
    }
    buffer_reset(&words);
    TRY(status);
    TRY(coordinator__begin(c));
    TRY(results_request_insert(c->results, name, text, buffer_text(answer)));
    TRY(results_commit(c->results));
    c->open = false;
    return STATUS_OK;
}

static Status serve_one(Coordinator *c, const char *name) {
    Buffer text;
    Buffer answer;
    bool   served = false;
    buffer_init(&text, STUDY_REQUEST_BYTES);
    buffer_init(&answer, STUDY_REQUEST_BYTES);
    Status status = results_request_read(c->results, name, &answer, &served);
    if (status == STATUS_OK && !served) {
        /* one that cannot be read is answered too: a stray file must not end a run */
        status = (study_request_read(c->folder, name, &text) == STATUS_OK)
                     ? apply(c, name, buffer_text(&text), text.length, &answer)
                     : answer_text(false, status_last()->text, &answer);
    }
    if (status == STATUS_OK) {
        status = study_request_answer(c->folder, name, buffer_text(&answer));
    }
    buffer_reset(&text);
    buffer_reset(&answer);
    return status;
}

Status coordinator__serve_requests(Coordinator *c, bool now) {
    char name[STUDY_REQUEST_NAME_BYTES] = "";
    if (!c->begun || decider_busy(c->decider) || (!now && clock_monotonic() < c->requests_at)) {
        return STATUS_OK;
    }
    c->requests_at = clock_monotonic() + LOOK_SECONDS;
    for (;;) {
        bool found = false;
        char after[STUDY_REQUEST_NAME_BYTES];
        memcpy(after, name, sizeof after);
        TRY(study_request_next(c->folder, after, name, &found));
        if (!found) {
            return STATUS_OK;
        }
        TRY(serve_one(c, name));
    }
}

Status coordinator__tidy_requests(Coordinator *c) {
    return study_request_tidy(c->folder, ANSWER_SECONDS);
}
