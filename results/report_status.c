/* Where a study stands, for whoever asks often: what report_summary() says without the schedule of
 * the best, the confirmation's numbers and a pass over every attempt. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

static const char study_sql[] =
    "SELECT name, state, reason, agent, scheduler, unit,"
    " CASE WHEN state = 'done' THEN 'done'"
    "  WHEN EXISTS (SELECT 1 FROM evaluation WHERE decision IS NULL"
    "   AND state IN ('queued', 'running')) THEN 'evaluating'"
    "  WHEN EXISTS (SELECT 1 FROM trial WHERE kind IN ('confirm_best', 'confirm_default'))"
    "   THEN 'confirming' ELSE 'tuning' END AS phase,"
    " (SELECT count(*) FROM evaluation WHERE state IN ('queued', 'running')) AS evaluations,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'unixepoch') AS created_at,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') AS changed_at"
    " FROM study WHERE id = ?";

static Status integer_set(Results *results, const char *key, const char *sql, Json *object) {
    int64_t value = 0;
    TRY(results__integer(results, sql, 0, &value, ""));
    return json_set(object, key, json_new_integer(value));
}

/* queued and running from their index; finished and failed from one pass with the units */
static Status segments_set(Results *results, const ResultsTally *tally, Json *status) {
    ResultsBudget budget;
    Json         *segments = json_new_object();
    TRY(json_set(status, "segments", segments));
    TRY(integer_set(results, "queued", "SELECT count(*) FROM segment WHERE state = 'queued'",
                    segments));
    TRY(integer_set(results, "running", "SELECT count(*) FROM segment WHERE state = 'running'",
                    segments));
    TRY(json_set(segments, "finished", json_new_integer(tally->finished)));
    TRY(json_set(segments, "failed", json_new_integer(tally->failed)));
    Json *units = json_new_object();
    TRY(json_set(status, "units", units));
    TRY(results_budget_read(results, RESULTS_BUDGET_NOW, &budget));
    TRY(json_set(units, "used", json_new_integer(tally->units[0])));
    TRY(json_set(units, "total", json_new_integer(budget.total)));
    return json_set(units, "confirming", json_new_integer(tally->units[1]));
}

static Status best_set(Results *results, Json *status) {
    int64_t segment = 0;
    size_t  found = 0;
    Json   *value = NULL;
    TRY(report_top(results, 1, &segment, &found));
    if (found == 0) {
        return json_set(status, "best", json_new_null());
    }
    Json *best = json_new_object();
    TRY(json_set(status, "best", best));
    TRY(json_set(best, "segment", json_new_integer(segment)));
    TRY(results__objective_json(results, segment, &value));
    return json_set(best, "objective", value);
}

static Status utilization_set(Results *results, Json *status) {
    Utilization of;
    TRY(integer_set(results, "running",
                    "SELECT (SELECT count(*) FROM segment WHERE state = 'running') +"
                    " (SELECT count(*) FROM evaluation WHERE state = 'running')",
                    status));
    TRY(results__utilization(results, REPORT_STATUS_ATTEMPTS, &of));
    TRY(json_set(status, "utilization", of.known ? json_new_number(of.value) : json_new_null()));
    return json_set(status, "parallel", of.known ? json_new_integer(of.parallel) : json_new_null());
}

static Status checkpoints_set(Results *results, const ResultsTally *tally, Json *status) {
    Json *row = NULL;
    TRY(results__row_json(
        results,
        "SELECT nullif(json_extract(iif(json_valid(definition), definition, '{}'),"
        " '$.limits.checkpoints'), 0) AS quota FROM study WHERE id = ?",
        1, &row));
    TRY(json_set(status, "checkpoints", row));
    TRY(json_set(row, "count", json_new_integer(tally->kept)));
    return json_set(row, "bytes", json_new_integer(tally->kept_bytes));
}

static Status status_fill(Results *results, Json *status) {
    ResultsTally tally;
    TRY(results_tally_read(results, &tally));
    TRY(integer_set(results, "trials", "SELECT count(*) FROM trial WHERE kind = 'tune'", status));
    TRY(segments_set(results, &tally, status));
    TRY(best_set(results, status));
    TRY(utilization_set(results, status));
    return checkpoints_set(results, &tally, status);
}

static Status status_make(Results *results, Json **out) {
    Json *status = NULL;
    TRY(results__row_json(results, study_sql, 1, &status));
    const Status filled = status_fill(results, status);
    if (filled != STATUS_OK) {
        json_release(status);
        return filled;
    }
    *out = status;
    return STATUS_OK;
}

Status report_status(Results *results, Json **out) {
    TRY(results__snapshot_begin(results));
    const Status status = status_make(results, out);
    results__snapshot_end(results);
    return status;
}
