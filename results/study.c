/* The one row of `study` and what is declared with it. */
#include "results/publish.h"
#include "results/store.h"

#include "core/clock.h"
#include "core/file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static Status study_row(Results *results, const ResultsStudy *study) {
    const double now = clock_wall();
    return results__run(results,
                        "INSERT INTO study (id, name, agent, environment, unit, scheduler,"
                        " study_hash, definition, numerics, irreproducible, seed, created_at,"
                        " changed_at) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        "tttttttttidd", study->name, study->agent, study->environment, study->unit,
                        study->scheduler, study->study_hash, study->definition, study->numerics,
                        study->irreproducible, (int64_t)study->seed, now, now);
}

static Status declarations(Results *results, const ResultsStudy *study) {
    for (size_t i = 0; i < study->objective_count; i++) {
        TRY(results__run(results, "INSERT INTO objective VALUES (?, ?, ?, ?, ?)", "ittti",
                         (int64_t)i, study->objective_metric[i],
                         study->objective_maximize[i] ? "maximize" : "minimize",
                         study->objective_reduce[i], study->objective_window[i]));
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        TRY(results__run(results, "INSERT INTO constraint_spec VALUES (?, ?, ?, ?)", "itdd",
                         (int64_t)i, study->constraint_metric[i], study->constraint_lower[i],
                         study->constraint_upper[i]));
    }
    for (size_t i = 0; i < study->timing_metric_count; i++) {
        TRY(results__run(results, "INSERT OR IGNORE INTO metric_name (name, timing) VALUES (?, 1)",
                         "t", study->timing_metrics[i]));
    }
    TRY(results_budget_set(results, RESULTS_BUDGET_SAID, &study->budget));
    TRY(results_budget_set(results, RESULTS_BUDGET_NOW, &study->budget));
    return results__parameters_insert(results, study->space);
}

static Status fill(Results *results, const ResultsStudy *study) {
    char identity[96];
    (void)snprintf(identity, sizeof identity, "PRAGMA application_id=%d; PRAGMA user_version=%d;",
                   RESULTS_APPLICATION_ID, RESULTS_VERSION);
    TRY(results__pragmas_write(results));
    TRY(results_begin(results));
    TRY(results__script(results, results__schema_sql));
    TRY(results__script(results, identity));
    TRY(study_row(results, study));
    TRY(declarations(results, study));
    return results_commit(results);
}

static Status study_check(const ResultsStudy *study) {
    if (study->space == NULL || study->objective_count < 1 ||
        study->objective_count > SCHEDULER_MAX_OBJECTIVES ||
        study->constraint_count > SCHEDULER_MAX_CONSTRAINTS) {
        FAIL(STATUS_ERR_ARG,
             "a study has a search space, 1 to %d objectives and at most %d"
             " constraints",
             SCHEDULER_MAX_OBJECTIVES, SCHEDULER_MAX_CONSTRAINTS);
    }
    if (study->seed > INT64_MAX) {
        FAIL(STATUS_ERR_RANGE, "the seed of a study must be below 2^63");
    }
    return STATUS_OK;
}

/* all or nothing: what was begun on disk goes again */
static void remove_files(const char *path) {
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        Buffer name;
        buffer_init(&name, RESULTS_TEXT_CAP);
        buffer_printf(&name, "%s%s", path, suffixes[i]);
        (void)unlink(buffer_text(&name));
        buffer_reset(&name);
    }
}

static Status create(const char *path, const ResultsStudy *study, bool alone, Results **out) {
    *out = NULL;
    TRY(study_check(study));
    if (file_exists(path)) {
        FAIL(STATUS_ERR_STATE, "%s exists already", path);
    }
    Results *results = NULL;
    TRY(results__connect(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, alone, &results));
    Status status = fill(results, study);
    if (status == STATUS_OK) {
        status = results__parameters_load(results);
    }
    if (status != STATUS_OK) {
        results_close(results);
        remove_files(path);
        return status;
    }
    *out = results;
    return STATUS_OK;
}

Status results_create(const char *path, const ResultsStudy *study, Results **out) {
    return create(path, study, false, out);
}

Status results_create_alone(const char *path, const ResultsStudy *study, Results **out) {
    return create(path, study, true, out);
}

Status results_study_set(Results *results, const char *state, const char *reason) {
    TRY(results__writing(results));
    return results__run(results, "UPDATE study SET state = ?, reason = ?, changed_at = ?", "ttd",
                        state, (reason != NULL) ? reason : "", clock_wall());
}

Status results_irreproducible_set(Results *results, const char *reason) {
    TRY(results__writing(results));
    return results__run(results, "UPDATE study SET irreproducible = ? WHERE irreproducible = ''",
                        "t", (reason != NULL) ? reason : "");
}

Status results_log(Results *results, const char *level, const char *text) {
    TRY(results__writing(results));
    return results__run(results, "INSERT INTO log (at, level, text) VALUES (?, ?, ?)", "dtt",
                        clock_wall(), level, text);
}

/* in the order of schema.sql */
static const char *const text_columns[] = {
    "name",     "agent",          "environment", "unit",   "scheduler", "study_hash", "definition",
    "numerics", "irreproducible", "state",       "reason", "seed",      "created_at"};

Status results_study_text(Results *results, const char *column, Buffer *out) {
    size_t wanted = 0;
    while (wanted < sizeof text_columns / sizeof text_columns[0] &&
           strcmp(column, text_columns[wanted]) != 0) {
        wanted++;
    }
    if (wanted == sizeof text_columns / sizeof text_columns[0]) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "a study has no column '%s'", column);
    }
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results,
                       "SELECT name, agent, environment, unit, scheduler, study_hash, definition,"
                       " numerics, irreproducible, state, reason, seed,"
                       " format('%.6f', created_at) FROM study",
                       &statement, ""));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_CORRUPT, "%s: its row of the study is missing", results->path);
    }
    buffer_puts(out, results__column_borrow(statement, (int)wanted));
    (void)sqlite3_reset(statement);
    return buffer_status(out);
}
