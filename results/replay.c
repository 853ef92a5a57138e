/* The log, as a scheduler saw it: rows come in batches (replay_batch.h), each completed to the
 * event that it was. */
#include "results/replay_batch.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* memory that an event borrows, and where points come from */
typedef struct Replay {
    Results      *results;
    const Space  *space; /* NULL where no points are read */
    size_t       *index; /* stored hyperparameter -> space */
    double       *point;
    ReplayBatch   batch;
    Decision      decision;
    ReplayNumbers numbers;
} Replay;

static Status replay_init(Replay *replay, Results *results, const Space *space) {
    *replay = (Replay){.results = results, .space = space};
    if (space == NULL) {
        return STATUS_OK;
    }
    replay->index = calloc(results->parameter_count + 1, sizeof *replay->index);
    replay->point = calloc(space_count(space) + 1, sizeof *replay->point);
    if (replay->index == NULL || replay->point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to replay a log");
    }
    TRY(results__parameters_match(results, space, replay->index));
    return results__batch_init(results, replay->index, space_count(space), &replay->batch);
}

static void replay_reset(Replay *replay) {
    free(replay->index);
    free(replay->point);
    results__batch_reset(&replay->batch);
}

/* ---- completing events ---------------------------------------------------------------------- */

static Status complete_run(Replay *replay, const LogRow *row) {
    if (!row->has_segment) {
        FAIL(STATUS_ERR_CORRUPT, "the log names segment %lld, which is missing",
             (long long)row->segment);
    }
    replay->decision.kind = DECISION_RUN;
    replay->decision.point = results__batch_point(&replay->batch, row);
    return STATUS_OK;
}

static Status complete_evaluate(Replay *replay, int64_t evaluation) {
    Decision     *decision = &replay->decision;
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(replay->results,
                       "SELECT e.segment, e.episodes, s.trial FROM evaluation AS e"
                       " JOIN segment AS s ON s.id = e.segment WHERE e.id = ?",
                       &statement, "i", evaluation));
    TRY(results__step(replay->results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_CORRUPT, "the log names evaluation %lld, which is missing",
             (long long)evaluation);
    }
    decision->kind = DECISION_EVALUATE;
    decision->id = evaluation;
    decision->parent = results__column_integer(statement, 0, 0);
    decision->episodes = results__column_integer(statement, 1, 0);
    decision->trial = results__column_integer(statement, 2, 0);
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

static Status complete_decided(Replay *replay, const LogRow *row, Event *event) {
    event->kind = EVENT_DECIDED;
    event->decision = &replay->decision;
    replay->decision = row->decision;
    if (row->decision.memo_size > 0) {
        replay->decision.memo = replay->batch.memos.data + row->memo_at;
    }
    if (strcmp(row->decision_kind, "run") == 0) {
        return complete_run(replay, row);
    }
    if (strcmp(row->decision_kind, "evaluate") == 0) {
        return complete_evaluate(replay, row->evaluation);
    }
    replay->decision.kind = DECISION_DONE;
    return STATUS_OK;
}

static Status no_outcome(bool evaluation, int64_t id) {
    FAIL(STATUS_ERR_CORRUPT, "the log says that %s %lld ended, its row does not",
         evaluation ? "evaluation" : "segment", (long long)id);
}

/* how it ended; a segment's cost */
static Status outcome_of(Replay *replay, bool evaluation, int64_t id, Event *event) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    char          outcome[16] = "";
    event->cost = (double)NAN;
    if (evaluation) {
        TRY(results__query(replay->results, "SELECT outcome, NULL FROM evaluation WHERE id = ?",
                           &statement, "i", id));
    } else {
        TRY(results__query(replay->results, "SELECT outcome, cost FROM segment WHERE id = ?",
                           &statement, "i", id));
    }
    TRY(results__step(replay->results, statement, &row));
    if (row) {
        results__column_text(statement, 0, outcome, sizeof outcome);
        event->cost = results__column_double(statement, 1);
        (void)sqlite3_reset(statement);
    }
    TRY(results__outcome_find(outcome, &event->outcome));
    return (event->outcome == OUTCOME_NONE) ? no_outcome(evaluation, id) : STATUS_OK;
}

static void lend_numbers(const ReplayNumbers *numbers, Event *event) {
    event->objectives = numbers->objectives;
    event->spreads = numbers->spreads;
    event->constraints = numbers->constraints;
}

static Status complete_finished(Replay *replay, int64_t segment, Event *event) {
    ReplayNumbers *numbers = &replay->numbers;
    event->kind = EVENT_FINISHED;
    event->id = segment;
    lend_numbers(numbers, event);
    TRY(outcome_of(replay, false, segment, event));
    return results__objectives_read(replay->results, segment, numbers->objectives, numbers->spreads,
                                    numbers->constraints, NULL);
}

static Status finished_row(const LogRow *row, Event *event) {
    event->kind = EVENT_FINISHED;
    event->id = row->segment;
    event->cost = row->cost;
    lend_numbers(&row->numbers, event);
    TRY(results__outcome_find(row->outcome, &event->outcome));
    return (event->outcome == OUTCOME_NONE) ? no_outcome(false, row->segment) : STATUS_OK;
}

static Status complete_evaluated(Replay *replay, int64_t evaluation, Event *event) {
    event->kind = EVENT_EVALUATED;
    event->id = evaluation;
    lend_numbers(&replay->numbers, event);
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        replay->numbers.spreads[i] = (double)NAN;
    }
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        replay->numbers.constraints[i] = (double)NAN;
    }
    TRY(outcome_of(replay, true, evaluation, event));
    return results__evaluation_objectives(replay->results, evaluation, replay->numbers.objectives);
}

static Status complete(Replay *replay, const LogRow *row, Event *event) {
    *event = (Event){.kind = EVENT_DECIDED};
    if (strcmp(row->kind, "decided") == 0) {
        return complete_decided(replay, row, event);
    }
    if (strcmp(row->kind, "finished") == 0) {
        return finished_row(row, event);
    }
    if (strcmp(row->kind, "evaluated") == 0) {
        return complete_evaluated(replay, row->evaluation, event);
    }
    if (strcmp(row->kind, "enqueued") == 0) {
        event->kind = EVENT_ENQUEUED;
        event->point = replay->point;
        return results__point_read(replay->results, 'e', row->seq, replay->index,
                                   space_count(replay->space), replay->point);
    }
    event->kind = EVENT_BUDGET_CHANGED;
    event->total = row->total;
    event->trials = row->trials;
    return STATUS_OK;
}

/* ---- results of earlier studies ---------------------------------------------------------------
 */

static Status known_numbers(Replay *replay, int64_t id) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(replay->results,
                       "SELECT kind = 'objective', number, value FROM known_result"
                       " WHERE known = ?",
                       &statement, "i", id));
    for (;;) {
        bool row = false;
        TRY(results__step(replay->results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const bool    objective = results__column_integer(statement, 0, 0) != 0;
        const int64_t number = results__column_integer(statement, 1, 0);
        const size_t  count =
            objective ? replay->results->objective_count : replay->results->constraint_count;
        if (number < 0 || (size_t)number >= count) {
            (void)sqlite3_reset(statement);
            FAIL(STATUS_ERR_CORRUPT, "%s: a result of an earlier study has a number too many",
                 replay->results->path);
        }
        (objective ? replay->numbers.objectives : replay->numbers.constraints)[number] =
            results__column_double(statement, 2);
    }
}

static Status known_next(Replay *replay, int64_t after, int64_t *id, Event *event) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    *event = (Event){.kind = EVENT_KNOWN,
                     .outcome = OUTCOME_DONE,
                     .objectives = replay->numbers.objectives,
                     .constraints = replay->numbers.constraints,
                     .point = replay->point};
    TRY(results__query(replay->results,
                       "SELECT id, depth, cost FROM known WHERE id > ? ORDER BY id LIMIT 1",
                       &statement, "i", after));
    TRY(results__step(replay->results, statement, &row));
    *id = row ? results__column_integer(statement, 0, 0) : 0;
    if (!row) {
        return STATUS_OK;
    }
    event->depth = results__column_integer(statement, 1, 0);
    event->cost = results__column_double(statement, 2);
    (void)sqlite3_reset(statement);
    TRY(known_numbers(replay, *id));
    return results__point_read(replay->results, 'k', *id, replay->index, space_count(replay->space),
                               replay->point);
}

static Status replay_known(Replay *replay, Status (*visit)(void *context, const Event *event),
                           void   *context) {
    int64_t id = 0;
    for (;;) {
        Event event;
        TRY(known_next(replay, id, &id, &event));
        if (id == 0) {
            return STATUS_OK;
        }
        TRY(visit(context, &event));
    }
}

static Status replay_all(Replay *replay, Status (*visit)(void *context, const Event *event),
                         void   *context) {
    int64_t after = 0;
    int64_t last = 0; /* what the visitor appends is not visited */
    TRY(results__integer(replay->results, "SELECT max(seq) FROM event", 0, &last, ""));
    for (;;) {
        const LogRow *row = NULL;
        Event         event;
        TRY(results__batch_next(&replay->batch, after, last, &row));
        if (row == NULL) {
            return STATUS_OK;
        }
        after = row->seq;
        TRY(complete(replay, row, &event));
        TRY(visit(context, &event));
    }
}

Status results_log_replay(Results *results, const Space                            *space,
                          Status (*visit)(void *context, const Event *event), void *context) {
    Replay replay;
    if (space == NULL) {
        FAIL(STATUS_ERR_ARG, "the log is replayed through its search space");
    }
    TRY(results__snapshot_begin(results));
    Status status = replay_init(&replay, results, space);
    if (status == STATUS_OK) {
        status = replay_known(&replay, visit, context);
    }
    if (status == STATUS_OK) {
        status = replay_all(&replay, visit, context);
    }
    replay_reset(&replay);
    results__snapshot_end(results);
    return status;
}

/* ---- what the log does not hold yet -----------------------------------------------------------
 */

static Status unlogged_segments(Replay *replay, Status (*visit)(void *context, const Event *event),
                                void   *context) {
    int64_t id = 0;
    for (;;) {
        Event event = {.kind = EVENT_FINISHED};
        TRY(results__integer(replay->results,
                             "SELECT s.id FROM segment AS s JOIN trial AS t ON t.id = s.trial"
                             " WHERE s.id > ? AND s.state IN ('finished', 'failed')"
                             " AND t.kind = 'tune' AND NOT EXISTS (SELECT 1 FROM event AS e"
                             " WHERE e.segment = s.id AND e.kind = 'finished')"
                             " ORDER BY s.id LIMIT 1",
                             0, &id, "i", id));
        if (id == 0) {
            return STATUS_OK;
        }
        TRY(complete_finished(replay, id, &event));
        TRY(visit(context, &event));
    }
}

static Status unlogged_evaluations(Replay *replay,
                                   Status (*visit)(void *context, const Event *event),
                                   void *context) {
    int64_t id = 0;
    for (;;) {
        Event event = {.kind = EVENT_EVALUATED};
        TRY(results__integer(replay->results,
                             "SELECT v.id FROM evaluation AS v WHERE v.id > ?"
                             " AND v.state IN ('finished', 'failed') AND v.decision IS NOT NULL"
                             " AND NOT EXISTS (SELECT 1 FROM event AS e"
                             " WHERE e.evaluation = v.id AND e.kind = 'evaluated')"
                             " ORDER BY v.id LIMIT 1",
                             0, &id, "i", id));
        if (id == 0) {
            return STATUS_OK;
        }
        TRY(complete_evaluated(replay, id, &event));
        TRY(visit(context, &event));
    }
}

Status results_unlogged_visit(Results *results, Status (*visit)(void *context, const Event *event),
                              void    *context) {
    Replay replay;
    TRY(replay_init(&replay, results, NULL));
    TRY(results__snapshot_begin(results));
    Status status = unlogged_segments(&replay, visit, context);
    if (status == STATUS_OK) {
        status = unlogged_evaluations(&replay, visit, context);
    }
    results__snapshot_end(results);
    replay_reset(&replay);
    return status;
}
