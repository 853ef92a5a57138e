/* Appending to the log. What a decided row holds beyond the segment's own row: number, kind,
 * branch, reason, note, memo. What a finished row holds: the id; outcome and numbers are the
 * segment's. */
#include "results/store.h"

#include "core/clock.h"

#include <string.h>

static const char *const decision_names[] = {
    [DECISION_WAIT] = NULL,
    [DECISION_RUN] = "run",
    [DECISION_EVALUATE] = "evaluate",
    [DECISION_DONE] = "done",
};

static Status append_decided(Results *results, const Decision *decision) {
    const char *kind = (decision != NULL) ? decision_names[decision->kind] : NULL;
    if (kind == NULL) {
        FAIL(STATUS_ERR_ARG, "only decisions to run, to evaluate and to end are logged");
    }
    if (decision->memo_size > SCHEDULER_MEMO_BYTES) {
        FAIL(STATUS_ERR_RANGE, "decision %lld carries %zu bytes, more than %d",
             (long long)decision->number, decision->memo_size, SCHEDULER_MEMO_BYTES);
    }
    const bool run = decision->kind == DECISION_RUN;
    const bool evaluate = decision->kind == DECISION_EVALUATE;
    return results__run(results,
                        "INSERT INTO event (kind, segment, evaluation, decision, decision_kind,"
                        " branch, failed, reason, note, memo, at)"
                        " VALUES ('decided', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        "zzitiittbd", run ? decision->id : (int64_t)0,
                        evaluate ? decision->id : (int64_t)0, decision->number, kind,
                        (int64_t)decision->branch, (int64_t)decision->failed, decision->reason,
                        decision->note, decision->memo, decision->memo_size, clock_wall());
}

/* the log says what the row says, or the replay would differ from what the scheduler saw */
static Status expect_outcome(Results *results, const Event *event) {
    const bool evaluated = event->kind == EVENT_EVALUATED;
    int64_t    same = 0;
    if (evaluated) {
        TRY(results__integer(results, "SELECT outcome IS ? FROM evaluation WHERE id = ?", 0, &same,
                             "ti", outcome_name(event->outcome), event->id));
    } else {
        TRY(results__integer(results, "SELECT outcome IS ? FROM segment WHERE id = ?", 0, &same,
                             "ti", outcome_name(event->outcome), event->id));
    }
    if (same == 0) {
        FAIL(STATUS_ERR_STATE, "the log cannot say that %s %lld ended as '%s': its row does not",
             evaluated ? "evaluation" : "segment", (long long)event->id,
             outcome_name(event->outcome));
    }
    return STATUS_OK;
}

static Status append_enqueued(Results *results, const Event *event) {
    int64_t seq = 0;
    if (event->point == NULL) {
        FAIL(STATUS_ERR_ARG, "an enqueued event has a point");
    }
    TRY(results__run(results, "INSERT INTO event (kind, at) VALUES ('enqueued', ?)", "d",
                     clock_wall()));
    TRY(results__integer(results, "SELECT max(seq) FROM event", 0, &seq, ""));
    return results__point_insert(results, 'e', seq, event->point);
}

static Status append(Results *results, const Event *event) {
    switch (event->kind) {
    case EVENT_DECIDED:
        return append_decided(results, event->decision);
    case EVENT_FINISHED:
        TRY(expect_outcome(results, event));
        return results__run(results,
                            "INSERT INTO event (kind, segment, at) VALUES ('finished', ?, ?)", "id",
                            event->id, clock_wall());
    case EVENT_EVALUATED:
        TRY(expect_outcome(results, event));
        return results__run(results,
                            "INSERT INTO event (kind, evaluation, at) VALUES ('evaluated', ?, ?)",
                            "id", event->id, clock_wall());
    case EVENT_ENQUEUED:
        return append_enqueued(results, event);
    case EVENT_BUDGET_CHANGED:
        return results__run(
            results,
            "INSERT INTO event (kind, total, trials, at) VALUES ('budget_changed', ?, ?, ?)", "izd",
            event->total, event->trials, clock_wall());
    case EVENT_KNOWN:
        FAIL(STATUS_ERR_ARG, "a result of an earlier study is appended with where it comes from");
    }
    FAIL(STATUS_ERR_ARG, "an event of unknown kind %d", (int)event->kind);
}

Status results_event_append(Results *results, const Event *event) {
    if (event->kind != EVENT_ENQUEUED) {
        TRY(results__writing(results));
        return append(results, event); /* one row: all or nothing by itself */
    }
    TRY(results__atom_begin(results));
    return results__atom_end(results, append(results, event));
}

/* ---- results of earlier studies ---------------------------------------------------------------
 */

static Status append_numbers(Results *results, int64_t id, const char *kind, const double *values,
                             size_t count) {
    for (size_t i = 0; i < count; i++) {
        TRY(results__run(results, "INSERT INTO known_result VALUES (?, ?, ?, ?)", "itid", id, kind,
                         (int64_t)i, values[i]));
    }
    return STATUS_OK;
}

static Status append_known(Results *results, const char *study, int64_t segment,
                           const Event *known) {
    int64_t events = 0;
    int64_t id = 0;
    TRY(results__integer(results, "SELECT count(*) FROM event", 0, &events, ""));
    if (events > 0) {
        FAIL(STATUS_ERR_STATE, "results of earlier studies come before everything else in the log");
    }
    TRY(results__run(results, "INSERT INTO known (study, segment, depth, cost) VALUES (?, ?, ?, ?)",
                     "tiid", study, segment, known->depth, known->cost));
    TRY(results__integer(results, "SELECT max(id) FROM known", 0, &id, ""));
    TRY(append_numbers(results, id, "objective", known->objectives, results->objective_count));
    TRY(append_numbers(results, id, "constraint", known->constraints, results->constraint_count));
    return results__point_insert(results, 'k', id, known->point);
}

Status results_known_append(Results *results, const char *study, int64_t segment,
                            const Event *known) {
    if (known->kind != EVENT_KNOWN || known->point == NULL || known->objectives == NULL ||
        (results->constraint_count > 0 && known->constraints == NULL)) {
        FAIL(STATUS_ERR_ARG, "a result of an earlier study has values and numbers");
    }
    TRY(results__atom_begin(results));
    return results__atom_end(results, append_known(results, study, segment, known));
}
