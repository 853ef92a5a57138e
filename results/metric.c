/* Metrics: one appended row per value, the name as a small integer (interned once per connection),
 * one index by owner. Anything finer costs an order of magnitude in rows per second (measured for
 * this schema's ancestors: 895 000 rows/s without, 43 000 with an index on scattered keys).
 *
 * An owner is the id of a segment, or minus the id of an evaluation. */
#include "results/store.h"

#include "core/file.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ---------------------------------------------------------------------------------- */

static size_t name_slot(const NameTable *table, const char *name) {
    size_t slot = (size_t)file_hash(name, strlen(name)) & (table->capacity - 1);
    while (table->names[slot] != NULL && strcmp(table->names[slot], name) != 0) {
        slot = (slot + 1) & (table->capacity - 1);
    }
    return slot;
}

static void table_free(NameTable *table) {
    for (size_t i = 0; i < table->capacity; i++) {
        free(table->names[i]);
    }
    free(table->names);
    free(table->ids);
    *table = (NameTable){.names = NULL};
}

void results__names_free(Results *results) {
    table_free(&results->names);
}

static Status table_grow(NameTable *table) {
    NameTable larger = {.capacity = (table->capacity == 0) ? 64 : 2 * table->capacity,
                        .used = table->used};
    larger.names = calloc(larger.capacity, sizeof *larger.names);
    larger.ids = calloc(larger.capacity, sizeof *larger.ids);
    if (larger.names == NULL || larger.ids == NULL) {
        free(larger.names);
        free(larger.ids);
        FAIL(STATUS_ERR_NOMEM, "no memory for names of metrics");
    }
    for (size_t i = 0; i < table->capacity; i++) {
        if (table->names[i] != NULL) {
            const size_t slot = name_slot(&larger, table->names[i]);
            larger.names[slot] = table->names[i];
            larger.ids[slot] = table->ids[i];
        }
    }
    free(table->names);
    free(table->ids);
    *table = larger;
    return STATUS_OK;
}

static Status table_put(NameTable *table, const char *name, int64_t id) {
    if (2 * (table->used + 1) > table->capacity) {
        TRY(table_grow(table));
    }
    char *copy = strdup(name);
    if (copy == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the name of a metric");
    }
    const size_t slot = name_slot(table, name);
    table->names[slot] = copy;
    table->ids[slot] = id;
    table->used++;
    return STATUS_OK;
}

Status results__name_find(Results *results, const char *name, int64_t *id) {
    NameTable *table = &results->names;
    if (table->capacity > 0) {
        const size_t slot = name_slot(table, name);
        if (table->names[slot] != NULL) {
            *id = table->ids[slot];
            return STATUS_OK;
        }
    }
    int64_t found = 0;
    TRY(results__integer(results, "SELECT id FROM metric_name WHERE name = ?", 0, &found, "t",
                         name));
    if (found != 0) {
        TRY(table_put(table, name, found));
    }
    *id = found;
    return STATUS_OK;
}

Status results__name_intern(Results *results, const char *name, int64_t *id) {
    TRY(results__name_find(results, name, id));
    if (*id != 0) {
        return STATUS_OK;
    }
    TRY(results__run(results, "INSERT INTO metric_name (name) VALUES (?)", "t", name));
    return results__name_find(results, name, id);
}

/* ---- values --------------------------------------------------------------------------------- */

static int64_t owner_of(bool evaluation, int64_t id) {
    return evaluation ? -id : id;
}

Status results_metric_insert(Results *results, bool evaluation, int64_t id, int64_t step,
                             int64_t index, const char *name, double value) {
    int64_t name_id = 0;
    TRY(results__writing(results));
    TRY(results__name_intern(results, name, &name_id));
    return results__run(results, "INSERT INTO metric VALUES (?, ?, ?, ?, ?)", "iiiid",
                        owner_of(evaluation, id), step, index, name_id, value);
}

Status results_metric_read(Results *results, bool evaluation, int64_t id, const char *name,
                           size_t capacity, double *values, size_t *found) {
    sqlite3_stmt *statement = NULL;
    int64_t       name_id = 0;
    size_t        count = 0;
    *found = 0;
    TRY(results__name_find(results, name, &name_id));
    TRY(results__query(results,
                       "SELECT value FROM metric WHERE owner = ? AND name = ? AND \"index\" = 0"
                       " ORDER BY step, rowid LIMIT ?",
                       &statement, "iii", owner_of(evaluation, id), name_id,
                       (capacity > INT64_MAX) ? INT64_MAX : (int64_t)capacity));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            *found = count;
            return STATUS_OK;
        }
        values[count++] = results__column_double(statement, 0);
    }
}

/* added up here, not by avg(), which leaves NULL out and whose rounding depends on the version */
static Status sum_of(Results *results, bool evaluation, int64_t id, const char *name, double *out,
                     size_t *count) {
    sqlite3_stmt *statement = NULL;
    int64_t       name_id = 0;
    double        sum = 0.0;
    size_t        found = 0;
    TRY(results__name_find(results, name, &name_id));
    TRY(results__query(results,
                       "SELECT value FROM metric WHERE owner = ? AND name = ? AND \"index\" = 0"
                       " ORDER BY step, rowid",
                       &statement, "ii", owner_of(evaluation, id), name_id));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            *out = (found > 0) ? sum : (double)NAN;
            *count = found;
            return STATUS_OK;
        }
        sum += results__column_double(statement, 0);
        found++;
    }
}

Status results_metric_mean(Results *results, bool evaluation, int64_t id, const char *name,
                           double *mean, size_t *count) {
    double sum = 0.0;
    TRY(sum_of(results, evaluation, id, name, &sum, count));
    *mean = (*count > 0) ? sum / (double)*count : sum;
    return STATUS_OK;
}

Status results_metric_sum(Results *results, int64_t segment, const char *name, double *sum) {
    size_t count = 0;
    return sum_of(results, false, segment, name, sum, &count);
}

/* Appends the newest values of one segment, none after `last`. Stops by itself: for a LIMIT under
 * an ORDER BY SQLite makes and drops a table each time. */
static Status window_of_one(Results *results, int64_t segment, int64_t name, int64_t last, size_t k,
                            double *values, size_t *found) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results,
                       "SELECT value FROM metric WHERE owner = ? AND name = ? AND \"index\" = 0"
                       " AND step <= ? ORDER BY step DESC, rowid DESC",
                       &statement, "iii", segment, name, last));
    while (*found < k) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        values[(*found)++] = results__column_double(statement, 0);
    }
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

Status results_lineage_window(Results *results, int64_t segment, const char *metric, size_t k,
                              double *values, size_t *found, size_t *own) {
    int64_t name = 0;
    int64_t last = INT64_MAX;
    size_t  count = 0;
    *found = 0;
    *own = 0;
    TRY(results__name_find(results, metric, &name));
    if (name == 0 || k == 0) {
        return STATUS_OK;
    }
    for (int64_t id = segment; id != 0;) {
        sqlite3_stmt *statement = NULL;
        bool          row = false;
        TRY(window_of_one(results, id, name, last, k, values, &count));
        *own = (id == segment) ? count : *own;
        if (count == k) {
            break;
        }
        TRY(results__query(results, "SELECT parent, \"begin\" FROM segment WHERE id = ?",
                           &statement, "i", id));
        TRY(results__step(results, statement, &row));
        if (!row) {
            FAIL(STATUS_ERR_UNKNOWN_NAME, "%s: there is no segment %lld", results->path,
                 (long long)id);
        }
        id = results__column_integer(statement, 0, 0);
        last = results__column_integer(statement, 1, 0);
        (void)sqlite3_reset(statement);
    }
    *found = count;
    return STATUS_OK;
}
