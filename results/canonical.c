/* What must be equal between two runs of the same study, as text: everything but timing metrics,
 * times, attempts, workers and what happens to be on disk. Each table is one query in an order that
 * does not depend on when rows came in. */
#include "results/report.h"
#include "results/store.h"

#include "core/file.h"

#include <sqlite3.h>

static void append_column(sqlite3_stmt *statement, int column, Buffer *out) {
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        buffer_printf(out, " %lld", (long long)sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        buffer_printf(out, " %.17g", sqlite3_column_double(statement, column));
        break;
    case SQLITE_TEXT:
        buffer_printf(out, " %s", results__column_borrow(statement, column));
        break;
    case SQLITE_BLOB:
        buffer_printf(
            out, " %016llx",
            (unsigned long long)file_hash(sqlite3_column_blob(statement, column),
                                          (size_t)sqlite3_column_bytes(statement, column)));
        break;
    default:
        buffer_puts(out, " -");
        break;
    }
}

/* the first column is the word that the line begins with */
static Status dump(Results *results, const char *sql, Buffer *out) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return buffer_status(out);
        }
        buffer_puts(out, results__column_borrow(statement, 0));
        for (int i = 1; i < sqlite3_column_count(statement); i++) {
            append_column(statement, i, out);
        }
        buffer_puts(out, "\n");
    }
}

static Status dump_all(Results *results, Buffer *out) {
    TRY(dump(results,
             /* not its hash: where an external trainer lies is part of the frozen file */
             "SELECT 'study', name, agent, environment, unit, scheduler, seed FROM study", out));
    TRY(dump(results, "SELECT 'trial', id, kind, number, \"repeat\", source FROM trial ORDER BY id",
             out));
    TRY(dump(results,
             "SELECT 'segment', id, parent, trial, decision, \"begin\", \"end\", seed, state,"
             " outcome, reason, note FROM segment ORDER BY id",
             out));
    TRY(dump(results,
             "SELECT 'value', v.segment, h.name, v.value FROM segment_value AS v"
             " JOIN hyperparameter AS h ON h.id = v.hyperparameter ORDER BY v.segment, h.name",
             out));
    TRY(dump(results,
             "SELECT 'objective', r.segment, r.number, r.value, r.spread FROM segment_result AS r"
             " JOIN objective AS o ON o.id = r.number WHERE r.kind = 'objective' AND NOT EXISTS"
             " (SELECT 1 FROM metric_name AS n WHERE n.name = o.metric AND n.timing)"
             " ORDER BY r.segment, r.number",
             out));
    TRY(dump(results,
             "SELECT 'constraint', r.segment, r.number, r.value FROM segment_result AS r"
             " JOIN constraint_spec AS c ON c.id = r.number WHERE r.kind = 'constraint' AND NOT"
             " EXISTS (SELECT 1 FROM metric_name AS n WHERE n.name = c.metric AND n.timing)"
             " ORDER BY r.segment, r.number",
             out));
    TRY(dump(results,
             "SELECT 'metric', m.owner, m.step, m.\"index\", n.name, m.value FROM metric AS m"
             " JOIN metric_name AS n ON n.id = m.name WHERE NOT n.timing"
             " ORDER BY m.owner, m.step, m.\"index\", n.name, m.rowid",
             out));
    TRY(dump(results,
             "SELECT 'evaluation', id, segment, decision, episodes, seed, state, outcome"
             " FROM evaluation ORDER BY id",
             out));
    TRY(dump(results,
             "SELECT 'evaluated', evaluation, number, value FROM evaluation_result"
             " ORDER BY evaluation, number",
             out));
    TRY(dump(results,
             "SELECT 'enqueued', v.event, h.name, v.value FROM event_value AS v"
             " JOIN hyperparameter AS h ON h.id = v.hyperparameter ORDER BY v.event, h.name",
             out));
    TRY(dump(results, "SELECT 'known', id, segment, depth, cost FROM known ORDER BY id", out));
    TRY(dump(results,
             "SELECT 'known_value', v.known, h.name, v.value FROM known_value AS v"
             " JOIN hyperparameter AS h ON h.id = v.hyperparameter ORDER BY v.known, h.name",
             out));
    TRY(dump(results,
             "SELECT 'known_result', known, kind, number, value FROM known_result"
             " ORDER BY known, kind, number",
             out));
    return dump(results,
                "SELECT 'event', seq, kind, decision, decision_kind, segment, evaluation, branch,"
                " failed, reason, note, memo, total, trials FROM event ORDER BY seq",
                out);
}

Status report_canonical(Results *results, Buffer *out) {
    TRY(results__snapshot_begin(results));
    const Status status = dump_all(results, out);
    results__snapshot_end(results);
    return status;
}
