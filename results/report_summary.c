/* The study in one object: where it stands, what it used, what is best so far. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

static const char study_sql[] =
    "SELECT name, state, reason, agent, environment, unit, scheduler, seed, study_hash,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', created_at, 'unixepoch') AS created_at,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', changed_at, 'unixepoch') AS changed_at"
    " FROM study WHERE id = ?";

/* {"key": count} of a query with two columns */
static Status counts_fill(Results *results, const char *sql, Json *object) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const Status status = json_set(object, (const char *)sqlite3_column_text(statement, 0),
                                       json_new_integer(sqlite3_column_int64(statement, 1)));
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

static Status counts_set(Results *results, const char *key, const char *sql, Json *summary) {
    Json        *object = json_new_object();
    const Status status = counts_fill(results, sql, object);
    if (status != STATUS_OK) {
        json_release(object);
        return status;
    }
    return json_set(summary, key, object);
}

static Status count_set(Results *results, const char *key, const char *sql, Json *summary) {
    int64_t count = 0;
    TRY(results__integer(results, sql, 0, &count, ""));
    return json_set(summary, key, json_new_integer(count));
}

/* Busy seconds of attempts between the first and the last dispatch, over the most attempts that ran
 * at once times that span. The database knows no slots: at the end of a run that had enough work,
 * as many ran at once as there were. Time in which no coordinator lived counts as idle. */
static const char utilization_sql[] =
    "WITH span AS (SELECT min(started_at) AS first, max(started_at) AS last FROM attempt"
    "               WHERE worker IS NOT NULL),"
    " piece AS (SELECT a.started_at AS at, 1 AS change FROM attempt AS a WHERE worker IS NOT NULL"
    "  UNION ALL SELECT a.finished_at, -1 FROM attempt AS a"
    "   WHERE worker IS NOT NULL AND finished_at IS NOT NULL),"
    " level AS (SELECT sum(change) OVER (ORDER BY at, change ROWS UNBOUNDED PRECEDING) AS running"
    "            FROM piece),"
    " busy AS (SELECT sum(min(coalesce(a.busy_seconds, a.finished_at - a.started_at, 0.0),"
    "                         max(0.0, span.last - a.started_at))) AS seconds"
    "           FROM attempt AS a, span WHERE a.worker IS NOT NULL)"
    " SELECT busy.seconds / ((SELECT max(running) FROM level) * (span.last - span.first))"
    "  AS utilization, (SELECT max(running) FROM level) AS parallel,"
    "  (SELECT sum(coalesce(busy_seconds, finished_at - started_at)) FROM attempt"
    "    WHERE worker IS NOT NULL) AS busy_seconds"
    " FROM span, busy WHERE span.last > span.first AND ?1 = 1";

static Status utilization_set(Results *results, Json *summary) {
    static const char *const keys[] = {"utilization", "parallel", "busy_seconds"};
    Json                    *row = NULL;
    Status                   status = STATUS_OK;
    TRY(results__row_json(results, utilization_sql, 1, &row));
    for (size_t i = 0; status == STATUS_OK && i < sizeof keys / sizeof keys[0]; i++) {
        const Json *value = json_get(row, keys[i]);
        Json       *copy = (value == NULL || json_is_null(value)) ? json_new_null()
                           : json_is_integer(value) ? json_new_integer(json_integer(value))
                                                    : json_new_number(json_number(value));
        status = json_set(summary, keys[i], copy);
    }
    json_release(row);
    return status;
}

static Status reproducible_set(Results *results, Json *summary) {
    Buffer text;
    buffer_init(&text, RESULTS_TEXT_CAP);
    Status status = results_study_text(results, "irreproducible", &text);
    if (status == STATUS_OK) {
        status = json_set(summary, "reproducible", json_new_bool(text.length == 0));
    }
    if (status == STATUS_OK) {
        status =
            json_set(summary, "irreproducible",
                     (text.length == 0) ? json_new_null() : json_new_string(buffer_text(&text)));
    }
    buffer_reset(&text);
    return status;
}

/* null where nothing is finished */
static Status best_set(Results *results, Json *summary) {
    Json        *best = NULL;
    const Status status = report_best(results, &best);
    if (status == STATUS_ERR_STATE) {
        status_clear();
        best = json_new_null();
    } else if (status != STATUS_OK) {
        return status;
    }
    return json_set(summary, "best", best);
}

static Status confirmation_set(Results *results, Json *summary) {
    Confirmation confirmation;
    Json        *json = NULL;
    TRY(results__confirmation_load(results, &confirmation));
    const Status status = results__confirmation_json(&confirmation, false, &json);
    results__confirmation_reset(&confirmation);
    TRY(status);
    return json_set(summary, "confirmation", json);
}

static Status summary_fill(Results *results, Json *summary) {
    Json *objectives = NULL;
    TRY(reproducible_set(results, summary));
    TRY(results__objectives_json(results, &objectives));
    TRY(json_set(summary, "objective", objectives));
    TRY(count_set(results, "trials", "SELECT count(*) FROM trial WHERE kind = 'tune'", summary));
    TRY(counts_set(results, "segments",
                   "SELECT s.state, count(segment.id) FROM (SELECT 'queued' AS state, 0 AS o"
                   " UNION SELECT 'running', 1 UNION SELECT 'finished', 2 UNION SELECT 'failed', 3)"
                   " AS s LEFT JOIN segment ON segment.state = s.state GROUP BY s.state"
                   " ORDER BY s.o",
                   summary));
    TRY(counts_set(results, "outcomes",
                   "SELECT outcome, count(*) FROM segment WHERE outcome IS NOT NULL"
                   " GROUP BY outcome ORDER BY outcome",
                   summary));
    TRY(counts_set(results, "reasons",
                   "SELECT s.reason, count(*) FROM segment AS s JOIN trial AS t ON t.id = s.trial"
                   " WHERE t.kind = 'tune' GROUP BY s.reason ORDER BY s.reason",
                   summary));
    TRY(counts_set(results, "evaluations",
                   "SELECT state, count(*) FROM evaluation GROUP BY state ORDER BY state",
                   summary));
    TRY(count_set(results, "failed_attempts",
                  "SELECT count(*) FROM attempt WHERE outcome NOT IN ('done', 'preempted')",
                  summary));
    TRY(count_set(results, "units_consumed",
                  "SELECT sum(s.\"end\" - s.\"begin\") FROM segment AS s JOIN trial AS t"
                  " ON t.id = s.trial WHERE s.state = 'finished' AND t.kind = 'tune'",
                  summary));
    TRY(count_set(results, "units_confirming",
                  "SELECT sum(s.\"end\" - s.\"begin\") FROM segment AS s JOIN trial AS t"
                  " ON t.id = s.trial WHERE s.state = 'finished' AND t.kind <> 'tune'",
                  summary));
    TRY(utilization_set(results, summary));
    TRY(best_set(results, summary));
    return confirmation_set(results, summary);
}

static Status summary_make(Results *results, Json **out) {
    Json *summary = NULL;
    TRY(results__row_json(results, study_sql, 1, &summary));
    const Status status = summary_fill(results, summary);
    if (status != STATUS_OK) {
        json_release(summary);
        return status;
    }
    *out = summary;
    return STATUS_OK;
}

Status report_summary(Results *results, Json **out) {
    TRY(results__snapshot_begin(results));
    const Status status = summary_make(results, out);
    results__snapshot_end(results);
    return status;
}
