#include "tuner/manual.h"

#include "core/clock.h"
#include "tuner/coordinator_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* how long another ask or tell may hold the study (s) */
#define LOCK_SECONDS 30.0

enum { HOST_BYTES = 64 };

/* ---- opening and closing -------------------------------------------------------------------- */

static Status refuse_program(const Study *study) {
    if (!study->manual) {
        FAIL(STATUS_ERR_STATE,
             "study '%s' trains by itself (mbtune run); ask and tell are for trainer: manual",
             study->name);
    }
    return STATUS_OK;
}

/* a result may be observed now: at a barrier when all are there */
static bool can_observe(const Coordinator *c) {
    return c->event_count > 0 && c->scheduler != NULL &&
           (c->undecided == 0 || scheduler_order(c->scheduler) == SCHEDULER_ORDER_ANY);
}

/* everything that follows without a person's doing */
static Status settle(Coordinator *c) {
    TRY(coordinator__serve_requests(c, true));
    for (;;) {
        const Phase before = c->phase;
        TRY(coordinator__observe(c));
        TRY(coordinator__decide(c));
        if (decider_busy(c->decider) || can_observe(c)) {
            continue;
        }
        TRY(coordinator__next_phase(c));
        if (c->phase == PHASE_OVER || c->phase == before) {
            return STATUS_OK;
        }
    }
}

static Status commit(Coordinator *c) {
    const char *state = (c->phase != PHASE_OVER) ? "running" : c->failed ? "failed" : "done";
    TRY(coordinator__begin(c));
    TRY(results_study_set(c->results, state, (c->phase == PHASE_OVER) ? c->reason : ""));
    TRY(results_commit(c->results));
    c->open = false;
    return STATUS_OK;
}

/* what one call does between opening and the commit */
typedef Status (*Step)(Coordinator *c, void *context);

static Status with_study(const Study *study, StudyFolder *folder, Step step, void *context) {
    TRY(refuse_program(study));
    const CoordinatorSetup setup = {
        .study = study, .folder = folder, .quiet = true, .lock_seconds = LOCK_SECONDS};
    Coordinator c = {.setup = &setup, .study = study, .folder = folder};
    progress_init(&c.progress, true, 0, false);
    Status status = coordinator__open(&c);
    if (status == STATUS_OK) {
        status = step(&c, context);
    }
    if (status == STATUS_OK && c.log_error.code != STATUS_OK) {
        const ErrorInfo *e = &c.log_error;
        status = status_fail(e->code, e->native, e->file, e->line, e->func, "%s", e->text);
    }
    if (status == STATUS_OK) {
        status = commit(&c);
    }
    const ErrorInfo error = *status_last();
    coordinator__destroy(&c); /* rolls back what is open */
    return (status == STATUS_OK) ? STATUS_OK
                                 : status_fail(status, error.native, error.file, error.line,
                                               error.func, "%s", error.text);
}

/* ---- ask ------------------------------------------------------------------------------------ */

typedef struct Ask {
    int64_t count;
    bool    again;
    Json   *out;
} Ask;

static Status add_segment(Coordinator *c, int64_t id, Json *segments) {
    ResultsSegment row = {.point = c->point};
    Json          *one = json_new_object();
    TRY(json_push(segments, one));
    TRY(results_segment_read(c->results, c->study->space, id, &row));
    TRY(json_set(one, "id", json_new_integer(row.id)));
    TRY(json_set(one, "parent",
                 (row.parent == 0) ? json_new_null() : json_new_integer(row.parent)));
    TRY(json_set(one, "trial", json_new_integer(row.trial)));
    TRY(json_set(one, "begin", json_new_integer(row.begin)));
    TRY(json_set(one, "end", json_new_integer(row.end)));
    TRY(json_set(one, "unit", json_new_string(c->study->budget.unit)));
    TRY(json_set(one, "seed", json_new_integer((int64_t)row.seed)));
    TRY(json_set(one, "reason", json_new_string(row.reason)));
    return json_set(one, "hyperparameters", space_to_json(c->study->space, row.point));
}

/* those that are out, as whole rows or as ids */
static Status add_running(Coordinator *c, bool whole, Json *array) {
    int64_t id = 0;
    for (;;) {
        TRY(results_running_next(c->results, id, &id));
        if (id == 0) {
            return STATUS_OK;
        }
        TRY(whole ? add_segment(c, id, array) : json_push(array, json_new_integer(id)));
    }
}

static Status hand_out(Coordinator *c, int64_t count, Json *segments) {
    char host[HOST_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
    TRY(coordinator__begin(c));
    for (int64_t i = 0; i < count && c->queue.count > 0; i++) {
        const Work     work = coordinator__unqueue(c, 0);
        ResultsSegment row = {.point = NULL};
        TRY(results_segment_read(c->results, NULL, work.id, &row));
        TRY(results_attempt_start(c->results, work.id, row.attempt + 1, 0, host));
        TRY(add_segment(c, work.id, segments));
    }
    return STATUS_OK;
}

static Status fill_answer(Coordinator *c, const Ask *ask, Json *waiting, Json *segments) {
    const bool over = c->phase == PHASE_OVER;
    TRY(add_running(c, false, waiting));
    if (ask->again) {
        TRY(add_running(c, true, segments));
    } else if (!over) {
        TRY(hand_out(c, ask->count, segments));
    }
    const char *state = over                         ? (c->failed ? "failed" : "done")
                        : (json_count(segments) > 0) ? "open"
                                                     : "waiting";
    TRY(json_set(ask->out, "state", json_new_string(state)));
    return json_set(ask->out, "reason", json_new_string(over ? c->reason : ""));
}

static Status ask_step(Coordinator *c, void *context) {
    const Ask *ask = context;
    Json      *waiting = json_new_array();
    Json      *segments = json_new_array();
    Status     status = json_set(ask->out, "waiting_for", waiting);
    if (status != STATUS_OK) {
        json_release(segments);
        return status;
    }
    TRY(json_set(ask->out, "segments", segments));
    c->wanted = ask->again ? 0 : (size_t)ask->count;
    TRY(settle(c));
    return fill_answer(c, ask, waiting, segments);
}

Status manual_ask(const Study *study, StudyFolder *folder, int64_t count, bool again, Json **out) {
    Ask ask = {.count = count, .again = again, .out = json_new_object()};
    *out = NULL;
    const Status status = with_study(study, folder, ask_step, &ask);
    if (status != STATUS_OK) {
        json_release(ask.out);
        return status;
    }
    *out = ask.out;
    return STATUS_OK;
}

static Status make_step(Coordinator *c, void *context) {
    (void)context;
    return settle(c);
}

Status manual_make(const Study *study, StudyFolder *folder, Buffer *out) {
    TRY(with_study(study, folder, make_step, NULL));
    buffer_printf(out,
                  "study '%s' waits for you in '%s': mbtune ask hands out what to train, "
                  "mbtune tell takes the result\n",
                  study->name, folder->path);
    return buffer_status(out);
}

/* ---- tell ----------------------------------------------------------------------------------- */

typedef struct Tell {
    const ManualResult *result;
    Buffer             *out;
} Tell;

static Status check_out(Coordinator *c, int64_t id, ResultsSegment *row) {
    TRY(results_segment_read(c->results, NULL, id, row));
    if (row->state == SEGMENT_RUNNING) {
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_STATE, "segment %" PRId64 " %s", id,
         (row->state == SEGMENT_QUEUED)        ? "was not handed out yet: mbtune ask does that"
         : (row->outcome == OUTCOME_CANCELLED) ? "was stopped meanwhile: its result is not wanted"
                                               : "has its result already");
}

static bool has_value(const ManualResult *result, const char *metric) {
    for (size_t i = 0; i < result->count; i++) {
        if (strcmp(result->values[i].metric, metric) == 0) {
            return true;
        }
    }
    return false;
}

static Status check_values(const Study *study, const ManualResult *result) {
    for (size_t i = 0; i < study->objective_count; i++) {
        if (!has_value(result, study->objectives[i].metric)) {
            FAIL(STATUS_ERR_STATE, "segment %" PRId64 ": the objective '%s' is missing",
                 result->segment, study->objectives[i].metric);
        }
    }
    return STATUS_OK;
}

static Status finish(Coordinator *c, const ResultsSegment *row, const ManualResult *result) {
    const Work work = {.kind = WORK_SEGMENT, .id = row->id, .attempt = row->attempt};
    const News news = {.kind = NEWS_FINISHED, .outcome = OUTCOME_DONE};
    for (size_t i = 0; i < result->count; i++) {
        TRY(results_metric_insert(c->results, false, row->id, row->end, 0, result->values[i].metric,
                                  result->values[i].value));
    }
    return coordinator__finish_segment(c, &work, &news);
}

static const char *what_became(const ManualResult *result, const ResultsSegment *row) {
    if (result->failed == NULL && row->state == SEGMENT_FAILED) {
        return "has diverged: it counts as worst";
    }
    return (result->failed != NULL) ? "has failed" : "is done";
}

static Status tell_step(Coordinator *c, void *context) {
    const Tell         *tell = context;
    const ManualResult *result = tell->result;
    ResultsSegment      row = {.point = NULL};
    TRY(settle(c)); /* into the phase that the segment belongs to */
    TRY(check_out(c, result->segment, &row));
    TRY(coordinator__begin(c));
    c->trainer_heard = true;
    if (result->failed != NULL) {
        TRY(coordinator__fail_segment(c, row.id, row.attempt, OUTCOME_CRASHED, result->failed));
    } else {
        TRY(check_values(c->study, result));
        TRY(finish(c, &row, result));
    }
    TRY(settle(c));
    TRY(results_segment_read(c->results, NULL, row.id, &row));
    buffer_printf(tell->out, "segment %" PRId64 " %s", row.id, what_became(result, &row));
    if (c->best_segment != 0) {
        buffer_printf(tell->out, "; best: segment %" PRId64 ", %g", c->best_segment,
                      c->best_objective);
    }
    buffer_puts(tell->out, "\n");
    return buffer_status(tell->out);
}

Status manual_tell(const Study *study, StudyFolder *folder, const ManualResult *result,
                   Buffer *out) {
    Tell tell = {.result = result, .out = out};
    return with_study(study, folder, tell_step, &tell);
}
