/* What users ask of a study beside its file: its budget as it stands, requests that were served,
 * stopped trials, pinned segments. */
#include "results/store.h"

#include "core/clock.h"

#include <sqlite3.h>

/* ---- the budget ----------------------------------------------------------------------------- */

static const char *source_name(ResultsBudgetSource source) {
    return (source == RESULTS_BUDGET_SAID) ? "said" : "now";
}

Status results_budget_set(Results *results, ResultsBudgetSource source,
                          const ResultsBudget *budget) {
    TRY(results__writing(results));
    return results__run(results, "INSERT OR REPLACE INTO budget VALUES (?, ?, ?, ?)", "tiid",
                        source_name(source), budget->total, budget->trials, budget->wall_clock);
}

Status results_budget_read(Results *results, ResultsBudgetSource source, ResultsBudget *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, "SELECT total, trials, wall_clock FROM budget WHERE source = ?",
                       &statement, "t", source_name(source)));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_CORRUPT, "%s: its budget is missing", results->path);
    }
    *out = (ResultsBudget){.total = results__column_integer(statement, 0, 0),
                           .trials = results__column_integer(statement, 1, 0),
                           .wall_clock = results__column_double(statement, 2)};
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

/* ---- requests ------------------------------------------------------------------------------- */

Status results_request_insert(Results *results, const char *name, const char *body,
                              const char *answer) {
    TRY(results__writing(results));
    return results__run(results, "INSERT INTO request VALUES (?, ?, ?, ?)", "tdtt", name,
                        clock_wall(), body, answer);
}

Status results_request_read(Results *results, const char *name, Buffer *answer, bool *found) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, "SELECT answer FROM request WHERE name = ?", &statement, "t",
                       name));
    TRY(results__step(results, statement, found));
    if (!*found) {
        return STATUS_OK;
    }
    buffer_puts(answer, results__column_borrow(statement, 0));
    (void)sqlite3_reset(statement);
    return buffer_status(answer);
}

/* ---- trials and segments -------------------------------------------------------------------- */

Status results_trial_stop(Results *results, int64_t trial) {
    TRY(results__writing(results));
    TRY(results__run(results, "UPDATE trial SET stopped = 1 WHERE id = ?", "i", trial));
    if (results__changes(results) != 1) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "there is no trial %lld", (long long)trial);
    }
    return STATUS_OK;
}

Status results_segment_pin(Results *results, int64_t segment, bool pinned) {
    TRY(results__writing(results));
    TRY(results__run(results, "UPDATE segment SET pinned = ? WHERE id = ?", "ii", (int64_t)pinned,
                     segment));
    if (results__changes(results) != 1) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "there is no segment %lld", (long long)segment);
    }
    return STATUS_OK;
}

Status results_segment_cost_set(Results *results, int64_t segment, double cost) {
    TRY(results__writing(results));
    return results__run(results, "UPDATE segment SET cost = ? WHERE id = ?", "di", cost, segment);
}
