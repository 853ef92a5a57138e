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

static Status counts_fill(Results *results, const char *sql, Json *object) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const Status status = json_set(object, results__column_borrow(statement, 0),
                                       json_new_integer(sqlite3_column_int64(statement, 1)));
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

/* {"key": count} of a query with two columns */
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

static Status names_set(const char *key, const NameCounts *counts, Json *summary) {
    Json *object = json_new_object();
    TRY(json_set(summary, key, object));
    for (size_t i = 0; i < counts->count; i++) {
        TRY(json_set(object, counts->names[i].name, json_new_integer(counts->names[i].n)));
    }
    return STATUS_OK;
}

static Status states_set(const SegmentCounts *counts, Json *summary) {
    Json *object = json_new_object();
    TRY(json_set(summary, "segments", object));
    for (int i = SEGMENT_QUEUED; i <= SEGMENT_FAILED; i++) {
        TRY(json_set(object, results__state_name((SegmentState)i),
                     json_new_integer(counts->states[i])));
    }
    return STATUS_OK;
}

static Status utilization_set(Results *results, Json *summary) {
    Utilization of;
    TRY(results__utilization(results, 0, &of));
    TRY(json_set(summary, "utilization", of.known ? json_new_number(of.value) : json_new_null()));
    TRY(json_set(summary, "parallel", of.known ? json_new_integer(of.parallel) : json_new_null()));
    return json_set(summary, "busy_seconds",
                    of.known ? json_new_number(of.busy_seconds) : json_new_null());
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

static Status summary_fill(Results *results, const SegmentCounts *counts, Json *summary) {
    Json *objectives = NULL;
    TRY(reproducible_set(results, summary));
    TRY(results__objectives_json(results, &objectives));
    TRY(json_set(summary, "objective", objectives));
    TRY(count_set(results, "trials", "SELECT count(*) FROM trial WHERE kind = 'tune'", summary));
    TRY(states_set(counts, summary));
    TRY(names_set("outcomes", &counts->outcomes, summary));
    TRY(names_set("reasons", &counts->reasons, summary));
    TRY(counts_set(results, "evaluations",
                   "SELECT state, count(*) FROM evaluation GROUP BY state ORDER BY state",
                   summary));
    TRY(count_set(results, "failed_attempts",
                  "SELECT count(*) FROM attempt WHERE outcome NOT IN ('done', 'preempted')",
                  summary));
    TRY(json_set(summary, "units_consumed", json_new_integer(counts->units[0])));
    TRY(json_set(summary, "units_confirming", json_new_integer(counts->units[1])));
    TRY(utilization_set(results, summary));
    TRY(best_set(results, summary));
    return confirmation_set(results, summary);
}

static Status summary_make(Results *results, Json **out) {
    Json *summary = NULL;
    TRY(results__row_json(results, study_sql, 1, &summary));
    SegmentCounts counts;
    Status        status = results__segments_count(results, &counts);
    if (status == STATUS_OK) {
        status = summary_fill(results, &counts, summary);
    }
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
