/* Evaluations: the second kind of work. */
#include "results/store.h"

#include "core/clock.h"

#include <math.h>
#include <sqlite3.h>

Status results_evaluation_insert(Results *results, const ResultsEvaluation *evaluation) {
    TRY(results__writing(results));
    return results__run(results,
                        "INSERT INTO evaluation (id, segment, decision, episodes, seed, decided_at)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        "iimiid", evaluation->id, evaluation->segment, evaluation->decision,
                        evaluation->episodes, (int64_t)evaluation->seed, clock_wall());
}

static Status expect_change(const Results *results, int64_t evaluation, const char *expected) {
    if (results__changes(results) != 1) {
        FAIL(STATUS_ERR_STATE, "evaluation %lld: expected %s", (long long)evaluation, expected);
    }
    return STATUS_OK;
}

static Status start(Results *results, int64_t evaluation, int64_t attempt, int worker,
                    const char *host) {
    TRY(results__run(results,
                     "UPDATE evaluation SET state = 'running', attempt = ?1"
                     " WHERE id = ?2 AND state = 'queued' AND attempt < ?1",
                     "ii", attempt, evaluation));
    TRY(expect_change(results, evaluation, "a queued one with a lower attempt"));
    TRY(results__run(results, "DELETE FROM metric WHERE owner = ?", "i", -evaluation));
    return results__run(results,
                        "INSERT INTO attempt (evaluation, number, worker, host, started_at)"
                        " VALUES (?, ?, ?, ?, ?)",
                        "iiitd", evaluation, attempt, (int64_t)worker, host, clock_wall());
}

Status results_evaluation_start(Results *results, int64_t evaluation, int64_t attempt, int worker,
                                const char *host) {
    TRY(results__atom_begin(results));
    return results__atom_end(results, start(results, evaluation, attempt, worker, host));
}

static Status values_insert(Results *results, int64_t evaluation, const double *objectives) {
    for (size_t i = 0; i < results->objective_count; i++) {
        TRY(results__run(results, "INSERT INTO evaluation_result VALUES (?, ?, ?)", "iid",
                         evaluation, (int64_t)i, objectives[i]));
    }
    return STATUS_OK;
}

static Status finish(Results *results, int64_t evaluation, int64_t attempt, Outcome outcome,
                     const char *reason, bool retry) {
    const bool  done = outcome == OUTCOME_DONE;
    const char *state = done ? "finished" : retry ? "queued" : "failed";
    TRY(results__run(results,
                     "UPDATE evaluation SET state = ?, outcome = ?"
                     " WHERE id = ? AND state = 'running' AND attempt = ?",
                     "ttii", state, (done || !retry) ? outcome_name(outcome) : NULL, evaluation,
                     attempt));
    TRY(expect_change(results, evaluation, "a running one with this attempt"));
    return results__run(results,
                        "UPDATE attempt SET finished_at = ?, outcome = ?, reason = ?"
                        " WHERE evaluation = ? AND number = ?",
                        "dttii", clock_wall(), outcome_name(outcome),
                        (reason != NULL) ? reason : "", evaluation, attempt);
}

Status results_evaluation_finish(Results *results, int64_t evaluation, int64_t attempt,
                                 Outcome outcome, const char *reason, const double *objectives,
                                 bool retry) {
    if (outcome == OUTCOME_NONE || (outcome == OUTCOME_DONE && objectives == NULL)) {
        FAIL(STATUS_ERR_ARG, "evaluation %lld ends with an outcome, and done with objectives",
             (long long)evaluation);
    }
    TRY(results__atom_begin(results));
    Status status = finish(results, evaluation, attempt, outcome, reason, retry);
    if (status == STATUS_OK && outcome == OUTCOME_DONE) {
        status = values_insert(results, evaluation, objectives);
    }
    return results__atom_end(results, status);
}

Status results__evaluation_objectives(Results *results, int64_t evaluation, double *objectives) {
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        objectives[i] = (double)NAN;
    }
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, "SELECT number, value FROM evaluation_result WHERE evaluation = ?",
                       &statement, "i", evaluation));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const int64_t number = results__column_integer(statement, 0, 0);
        if (number >= 0 && number < SCHEDULER_MAX_OBJECTIVES) {
            objectives[number] = results__column_double(statement, 1);
        }
    }
}

/* the next attempt is one more, as a segment's (check_numbers() in read.c) */
static Status check_attempt(const Results *results, const ResultsEvaluation *row) {
    if (row->attempt < 0 || row->attempt > RESULTS_MOST_ATTEMPTS) {
        FAIL(STATUS_ERR_CORRUPT, "%s: evaluation %lld, attempt %lld, cannot be", results->path,
             (long long)row->id, (long long)row->attempt);
    }
    return STATUS_OK;
}

static Status next(Results *results, int64_t after, ResultsEvaluation *out, bool *row) {
    sqlite3_stmt *statement = NULL;
    char          state[16];
    char          outcome[16];
    TRY(results__query(results,
                       "SELECT id, segment, decision, episodes, seed, state, outcome, attempt"
                       " FROM evaluation WHERE id > ? ORDER BY id LIMIT 1",
                       &statement, "i", after));
    TRY(results__step(results, statement, row));
    if (!*row) {
        return STATUS_OK;
    }
    *out = (ResultsEvaluation){
        .id = results__column_integer(statement, 0, 0),
        .segment = results__column_integer(statement, 1, 0),
        .decision = results__column_integer(statement, 2, -1),
        .episodes = results__column_integer(statement, 3, 0),
        .seed = (uint64_t)results__column_integer(statement, 4, 0),
        .attempt = results__column_integer(statement, 7, 0),
    };
    results__column_text(statement, 5, state, sizeof state);
    results__column_text(statement, 6, outcome, sizeof outcome);
    (void)sqlite3_reset(statement);
    TRY(results__state_find(state, &out->state));
    TRY(results__outcome_find(outcome, &out->outcome));
    TRY(check_attempt(results, out));
    double objectives[SCHEDULER_MAX_OBJECTIVES];
    TRY(results__evaluation_objectives(results, out->id, objectives));
    out->objective = objectives[0];
    return STATUS_OK;
}

Status results_evaluations_visit(Results *results,
                                 Status (*visit)(void *context, const ResultsEvaluation *row),
                                 void *context) {
    ResultsEvaluation evaluation = {.id = 0};
    TRY(results__snapshot_begin(results));
    Status status = STATUS_OK;
    bool   row = true;
    while (status == STATUS_OK) {
        status = next(results, evaluation.id, &evaluation, &row);
        if (status != STATUS_OK || !row) {
            break;
        }
        status = visit(context, &evaluation);
    }
    results__snapshot_end(results);
    return status;
}
