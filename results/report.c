/* Rows for people and scripts: segments and trials. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

Json *results__column_json(sqlite3_stmt *statement, int column) {
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return json_new_integer(sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
        return json_new_number(sqlite3_column_double(statement, column));
    case SQLITE_TEXT:
        return json_new_string(results__column_borrow(statement, column));
    default:
        return json_new_null();
    }
}

static Status row_fill(sqlite3_stmt *statement, Json *object) {
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        TRY(json_set(object, sqlite3_column_name(statement, i),
                     results__column_json(statement, i)));
    }
    return STATUS_OK;
}

/* hands over `json` if status is fine, releases it if not */
static Status hand_over(Status status, Json *json, Json **out) {
    if (status != STATUS_OK) {
        json_release(json);
        return status;
    }
    *out = json;
    return STATUS_OK;
}

Status results__row_json(Results *results, const char *sql, int64_t id, Json **out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results, sql, &statement, "i", id));
    TRY(results__step(results, statement, &row));
    Json  *json = row ? json_new_object() : json_new_null();
    Status status = row ? row_fill(statement, json) : STATUS_OK;
    (void)sqlite3_reset(statement);
    return hand_over(status, json, out);
}

/* ---- objectives ----------------------------------------------------------------------------- */

/* values by the metric's name, null for NaN; `sql` gives the name of number ? */
static Status named_fill(Results *results, const char *sql, const double *values, size_t count,
                         Json *object) {
    for (size_t i = 0; i < count; i++) {
        sqlite3_stmt *statement = NULL;
        bool          row = false;
        TRY(results__query(results, sql, &statement, "i", (int64_t)i));
        TRY(results__step(results, statement, &row));
        if (!row) {
            FAIL(STATUS_ERR_CORRUPT, "%s: the study has no metric for number %zu of '%s'",
                 results->path, i, sql);
        }
        const Status status =
            json_set(object, results__column_borrow(statement, 0),
                     isnan(values[i]) ? json_new_null() : json_new_number(values[i]));
        (void)sqlite3_reset(statement);
        TRY(status);
    }
    return STATUS_OK;
}

static const char objective_name_sql[] = "SELECT metric FROM objective WHERE id = ?";
static const char constraint_name_sql[] = "SELECT metric FROM constraint_spec WHERE id = ?";

/* an object only where it is needed, null until there is a value */
static Status objective_json(Results *results, const double *values, size_t known, Json **out) {
    if (known == 0 || results->objective_count == 1) {
        *out = (known == 0) ? json_new_null() : json_new_number(values[0]);
        return STATUS_OK;
    }
    Json *object = json_new_object();
    return hand_over(
        named_fill(results, objective_name_sql, values, results->objective_count, object), object,
        out);
}

Status results__objective_json(Results *results, int64_t segment, Json **out) {
    double values[SCHEDULER_MAX_OBJECTIVES];
    size_t known = 0;
    TRY(results__objectives_read(results, segment, values, NULL, NULL, &known));
    return objective_json(results, values, known, out);
}

/* an object with every constraint, so that all rows have the same columns */
Status results__constraints_json(Results *results, int64_t segment, Json **out) {
    double objectives[SCHEDULER_MAX_OBJECTIVES];
    double values[SCHEDULER_MAX_CONSTRAINTS];
    TRY(results__objectives_read(results, segment, objectives, NULL, values, NULL));
    Json *object = json_new_object();
    return hand_over(
        named_fill(results, constraint_name_sql, values, results->constraint_count, object), object,
        out);
}

Status results__objectives_json_of(Results *results, const double *values, Json **out) {
    return objective_json(results, values, results->objective_count, out);
}

Status results__objective_signs(Results *results, double *signs) {
    for (size_t i = 0; i < results->objective_count; i++) {
        int64_t sign = 1;
        TRY(results__integer(
            results, "SELECT iif(direction = 'maximize', 1, -1) FROM objective WHERE id = ?", 1,
            &sign, "i", (int64_t)i));
        signs[i] = (double)sign;
    }
    return STATUS_OK;
}

static Status objective_rows(Results *results, Json *array) {
    for (size_t i = 0; i < results->objective_count; i++) {
        Json *row = NULL;
        TRY(results__row_json(results,
                              "SELECT metric, direction, reduce, \"window\" FROM objective"
                              " WHERE id = ?",
                              (int64_t)i, &row));
        TRY(json_push(array, row));
    }
    return STATUS_OK;
}

Status results__objectives_json(Results *results, Json **out) {
    if (results->objective_count == 1) {
        return results__row_json(results,
                                 "SELECT metric, direction, reduce, \"window\" FROM objective"
                                 " WHERE id = ?",
                                 0, out);
    }
    Json *array = json_new_array();
    return hand_over(objective_rows(results, array), array, out);
}

Status results__first_objective(Results *results, char *metric, size_t size, bool *maximize,
                                int64_t *window) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(results__query(results,
                       "SELECT metric, direction = 'maximize', \"window\" FROM objective"
                       " WHERE id = 0",
                       &statement, ""));
    TRY(results__step(results, statement, &row));
    if (!row) {
        FAIL(STATUS_ERR_CORRUPT, "%s: the study has no objective", results->path);
    }
    results__column_text(statement, 0, metric, size);
    *maximize = results__column_integer(statement, 1, 1) != 0;
    *window = results__column_integer(statement, 2, 1);
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

/* ---- segments ------------------------------------------------------------------------------- */

/* Columns bear the names that scripts rely on; two of them are read from other tables. The attempt
 * shown is the last that a worker made. */
static const char segments_sql[] =
    "SELECT s.id, s.parent, s.trial, s.state, s.outcome, s.reason, NULL AS hyperparameters,"
    " s.\"begin\" AS \"begin\", s.\"end\" AS \"end\", s.seed, NULL AS objective, a.worker,"
    " (SELECT count(*) FROM attempt WHERE segment = s.id AND worker IS NOT NULL) AS attempts,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at, 'unixepoch') AS started_at,"
    " CASE WHEN s.state IN ('finished', 'failed')"
    "      THEN strftime('%Y-%m-%dT%H:%M:%fZ', a.finished_at, 'unixepoch') END AS finished_at,"
    " CASE WHEN s.state <> 'finished' AND a.outcome NOT IN ('done', 'preempted')"
    "      THEN coalesce(nullif(a.reason, ''), a.outcome)"
    "      WHEN s.state = 'failed' THEN s.outcome END AS failure,"
    " t.kind, s.note, s.kept, s.checkpoint_bytes, a.host, a.busy_seconds, s.cost, s.pinned,"
    " NULL AS constraints,"
    " (SELECT sum(m.value > 0) FROM metric AS m JOIN metric_name AS n ON n.id = m.name"
    "   WHERE m.owner = s.id AND n.name = 'episode_diverged') AS diverged"
    " FROM segment AS s JOIN trial AS t ON t.id = s.trial"
    " LEFT JOIN attempt AS a ON a.segment = s.id AND a.number ="
    "  (SELECT max(number) FROM attempt WHERE segment = s.id AND worker IS NOT NULL)"
    " ORDER BY s.id";

static Status segment_column(Results *results, sqlite3_stmt *statement, int column, Json *row) {
    const char *name = sqlite3_column_name(statement, column);
    Json       *value = NULL;
    if (strcmp(name, "hyperparameters") == 0) {
        TRY(results__values_json(results, sqlite3_column_int64(statement, 0), &value));
    } else if (strcmp(name, "objective") == 0) {
        TRY(results__objective_json(results, sqlite3_column_int64(statement, 0), &value));
    } else if (strcmp(name, "constraints") == 0) {
        TRY(results__constraints_json(results, sqlite3_column_int64(statement, 0), &value));
    } else if (strcmp(name, "kept") == 0 || strcmp(name, "pinned") == 0) {
        value = json_new_bool(sqlite3_column_int64(statement, column) != 0);
    } else {
        value = results__column_json(statement, column);
    }
    return json_set(row, name, value);
}

static Status segment_fill(Results *results, sqlite3_stmt *statement, Json *row) {
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        TRY(segment_column(results, statement, i, row));
    }
    return STATUS_OK;
}

/* what a row adds beyond its columns */
typedef Status (*RowFill)(Results *results, sqlite3_stmt *statement, Json *row);

static Status rows_fill(Results *results, sqlite3_stmt *statement, RowFill fill, Json *array) {
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        Json  *object = json_new_object();
        Status status = (object == NULL) ? FAILURE(STATUS_ERR_NOMEM, "no memory for a row")
                                         : fill(results, statement, object);
        if (status == STATUS_OK) {
            status = json_push(array, object);
        } else {
            json_release(object);
        }
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

/* all rows of a query in one snapshot */
static Status report_rows(Results *results, const char *sql, RowFill fill, Json **out) {
    sqlite3_stmt *statement = NULL;
    Json         *array = json_new_array();
    Status        status = results__snapshot_begin(results);
    if (status != STATUS_OK) {
        return hand_over(status, array, out);
    }
    status = results__query(results, sql, &statement, "");
    if (status == STATUS_OK) {
        status = rows_fill(results, statement, fill, array);
    }
    results__snapshot_end(results);
    return hand_over(status, array, out);
}

Status report_segments(Results *results, Json **out) {
    return report_rows(results, segments_sql, segment_fill, out);
}

/* ---- evaluations ---------------------------------------------------------------------------- */

static const char evaluations_sql[] =
    "SELECT e.id, e.segment, s.trial, e.state, e.outcome, e.episodes, e.seed, NULL AS objective,"
    " a.worker, (SELECT count(*) FROM attempt WHERE evaluation = e.id AND worker IS NOT NULL)"
    " AS attempts, strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at, 'unixepoch') AS started_at,"
    " CASE WHEN e.state IN ('finished', 'failed')"
    "      THEN strftime('%Y-%m-%dT%H:%M:%fZ', a.finished_at, 'unixepoch') END AS finished_at,"
    " CASE WHEN e.state <> 'finished' AND a.outcome NOT IN ('done', 'preempted')"
    "      THEN coalesce(nullif(a.reason, ''), a.outcome) END AS failure"
    " FROM evaluation AS e JOIN segment AS s ON s.id = e.segment"
    " LEFT JOIN attempt AS a ON a.evaluation = e.id AND a.number ="
    "  (SELECT max(number) FROM attempt WHERE evaluation = e.id AND worker IS NOT NULL)"
    " ORDER BY e.id";

static Status evaluation_objective(Results *results, int64_t evaluation, Json **out) {
    double        values[SCHEDULER_MAX_OBJECTIVES] = {0.0};
    sqlite3_stmt *statement = NULL;
    size_t        known = 0;
    TRY(results__query(results,
                       "SELECT value FROM evaluation_result WHERE evaluation = ? ORDER BY number",
                       &statement, "i", evaluation));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return objective_json(results, values, known, out);
        }
        if (known < SCHEDULER_MAX_OBJECTIVES) {
            values[known++] = results__column_double(statement, 0);
        }
    }
}

static Status evaluation_fill(Results *results, sqlite3_stmt *statement, Json *row) {
    Json *objective = NULL;
    TRY(row_fill(statement, row));
    TRY(evaluation_objective(results, sqlite3_column_int64(statement, 0), &objective));
    return json_set(row, "objective", objective);
}

Status report_evaluations(Results *results, Json **out) {
    return report_rows(results, evaluations_sql, evaluation_fill, out);
}

/* ---- trials --------------------------------------------------------------------------------- */

static const char trials_sql[] =
    "SELECT t.id, t.kind, t.number, t.\"repeat\" AS \"repeat\", t.source,"
    " (SELECT count(*) FROM segment WHERE trial = t.id) AS segments,"
    " (SELECT coalesce(max(\"end\"), 0) FROM segment"
    "   WHERE trial = t.id AND state = 'finished') AS depth,"
    " CASE WHEN EXISTS (SELECT 1 FROM segment WHERE trial = t.id AND state = 'running')"
    "      THEN 'running'"
    "      WHEN EXISTS (SELECT 1 FROM segment WHERE trial = t.id AND state = 'queued')"
    "      THEN 'queued'"
    "      ELSE (SELECT state FROM segment WHERE trial = t.id ORDER BY id DESC LIMIT 1)"
    "      END AS state,"
    " NULL AS best_segment,"
    " (SELECT id FROM segment WHERE trial = t.id AND state = 'finished'"
    "   ORDER BY id DESC LIMIT 1) AS last_segment"
    " FROM trial AS t ORDER BY t.id";

static Status trial_objective(Results *results, sqlite3_stmt *statement, int column,
                              const char *name, Json *row) {
    Json *value = NULL;
    TRY(results__objective_json(results, results__column_integer(statement, column, 0), &value));
    return json_set(row, name, value);
}

static Status trial_fill(Results *results, sqlite3_stmt *statement, Json *row) {
    TRY(row_fill(statement, row));
    TRY(json_set(row, "best_objective", json_new_null())); /* its place; see name_best() */
    return trial_objective(results, statement, 9, "last_objective", row);
}

/* one row of the report */
typedef struct TrialBest {
    int64_t         trial;
    const TreeNode *best; /* its best segment, as report_best() ranks; NULL if it has none */
} TrialBest;

/* place of a trial among the rows, which are in order of id; `count` if it has none */
static size_t place_of(const TrialBest *rows, size_t count, int64_t trial) {
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (rows[middle].trial < trial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (low < count && rows[low].trial == trial) ? low : count;
}

/* One pass over the segments for all trials together: random search has one of each per trial. */
static void find_best(const Tree *tree, TrialBest *rows, size_t count) {
    for (size_t i = 0; i < tree->count; i++) {
        const TreeNode *node = &tree->nodes[i];
        const size_t    place = place_of(rows, count, node->trial);
        if (place < count && node->sound && !isnan(node->fitness) &&
            (rows[place].best == NULL || results__tree_compare(node, rows[place].best) < 0)) {
            rows[place].best = node;
        }
    }
}

static Status name_best(Results *results, const TreeNode *best, Json *row) {
    Json *value = NULL;
    if (best == NULL) {
        return STATUS_OK;
    }
    TRY(json_set(row, "best_segment", json_new_integer(best->id)));
    TRY(results__objective_json(results, best->id, &value));
    return json_set(row, "best_objective", value);
}

static Status name_all_best(Results *results, const Tree *tree, Json *array) {
    const size_t count = json_count(array);
    TrialBest   *rows = calloc(count + 1, sizeof *rows);
    Status       status = STATUS_OK;
    if (rows == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu trials", count);
    }
    for (size_t i = 0; i < count; i++) {
        rows[i].trial = json_integer(json_get(json_at(array, i), "id"));
    }
    find_best(tree, rows, count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = name_best(results, rows[i].best, json_at(array, i));
    }
    free(rows);
    return status;
}

static Status trials(Results *results, Json *array) {
    sqlite3_stmt *statement = NULL;
    Tree          tree = {.nodes = NULL};
    TRY(results__query(results, trials_sql, &statement, ""));
    TRY(rows_fill(results, statement, trial_fill, array));
    TRY(results__tree_load(results, &tree));
    const Status status = name_all_best(results, &tree, array);
    results__tree_reset(&tree);
    return status;
}

Status report_trials(Results *results, Json **out) {
    Json  *array = json_new_array();
    Status status = results__snapshot_begin(results);
    if (status == STATUS_OK) {
        status = trials(results, array);
        results__snapshot_end(results);
    }
    return hand_over(status, array, out);
}
