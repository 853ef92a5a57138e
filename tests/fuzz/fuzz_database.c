/* A study whose database somebody has changed or damaged, as it comes with somebody else's study:
 * SQLite answers for its format, this program for what it does with the values. Then everything
 * that reads a study reads it. An input is a list of edits, made on a database without constraints:
 *
 *     2                                  (the scene, study_scene.h)
 *     segment_result.number 3 -1         (TABLE.COLUMN, row in order of its key, value)
 *     segment.parent * null              (all rows)
 *     segment.id +2 900                  (a copy of row 2 with this value)
 *     -event.seq 1                       (no such row)
 *     open                               (somebody else has the database open meanwhile)
 *
 * Values: null, 7, -0.5, inf, @N (N zero bytes), anything else is a text; "x is the text x. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/study_scene.h"

#include "core/buffer.h"
#include "results/results.h"
#include "tuner/commands.h"
#include "tuner/fsck.h"
#include "tuner/gc.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CAP = 1 << 24,
    MOST_EDITS = 16,
    MOST_COLUMNS = 256,
    SQL_BYTES = 4096,
    MOST_ZEROS = 100000, /* more than a memo may have */
    ALL_ROWS = -1
};

bool fuzz_accepted;

/* ---- the tables ----------------------------------------------------------------------------- */

typedef struct Column {
    char table[64];
    char name[64];
    char key[256]; /* columns that tell its rows apart */
} Column;

static Column columns[MOST_COLUMNS];
static size_t column_count;

static sqlite3 *open_database(void) {
    sqlite3 *database = NULL;
    if (sqlite3_open(study_scene_folder()->database, &database) != SQLITE_OK ||
        sqlite3_exec(database,
                     "PRAGMA ignore_check_constraints=ON; PRAGMA foreign_keys=OFF;"
                     "PRAGMA synchronous=OFF",
                     NULL, NULL, NULL) != SQLITE_OK) {
        abort();
    }
    return database;
}

static void list_columns(void) {
    sqlite3      *database = open_database();
    sqlite3_stmt *rows = NULL;
    if (sqlite3_prepare_v2(database,
                           "SELECT m.name, c.name, ifnull((SELECT group_concat('\"' || k.name ||"
                           " '\"') FROM pragma_table_info(m.name) AS k WHERE k.pk > 0), 'rowid')"
                           " FROM sqlite_master AS m,"
                           " pragma_table_info(m.name) AS c WHERE m.type = 'table'"
                           " AND m.name NOT LIKE 'sqlite%' ORDER BY m.name, c.cid",
                           -1, &rows, NULL) != SQLITE_OK) {
        abort();
    }
    while (sqlite3_step(rows) == SQLITE_ROW && column_count < MOST_COLUMNS) {
        Column *column = &columns[column_count++];
        (void)snprintf(column->table, sizeof column->table, "%s", sqlite3_column_text(rows, 0));
        (void)snprintf(column->name, sizeof column->name, "%s", sqlite3_column_text(rows, 1));
        (void)snprintf(column->key, sizeof column->key, "%s", sqlite3_column_text(rows, 2));
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(database);
}

static const Column *find_column(const char *name) {
    const char *dot = strchr(name, '.');
    for (size_t i = 0; i < column_count && dot != NULL; i++) {
        const size_t length = strlen(columns[i].table);
        if (length == (size_t)(dot - name) && strncmp(columns[i].table, name, length) == 0 &&
            strcmp(columns[i].name, dot + 1) == 0) {
            return &columns[i];
        }
    }
    return NULL;
}

/* ---- edits ---------------------------------------------------------------------------------- */

typedef struct Edit {
    const Column *column;
    bool          removes;
    bool          copies;
    long          row;
    const char   *value;
} Edit;

/* @return false for a line that is none */
static bool read_edit(char *line, Edit *edit) {
    char *rest = NULL;
    char *name = strtok_r(line, " ", &rest);
    char *row = strtok_r(NULL, " ", &rest);
    if (name == NULL || row == NULL) {
        return false;
    }
    *edit = (Edit){.removes = name[0] == '-', .copies = row[0] == '+', .value = rest};
    edit->column = find_column(name + (edit->removes ? 1 : 0));
    edit->row = (row[0] == '*') ? ALL_ROWS : strtol(row + (edit->copies ? 1 : 0), NULL, 10);
    return edit->column != NULL;
}

static void bind_value(sqlite3_stmt *statement, const char *text) {
    char           *end = NULL;
    const long long integer = strtoll(text, &end, 10);
    if (strcmp(text, "null") == 0) {
        (void)sqlite3_bind_null(statement, 1);
    } else if (end != text && *end == '\0') {
        (void)sqlite3_bind_int64(statement, 1, integer);
    } else if (text[0] == '@') {
        const long zeros = strtol(text + 1, NULL, 10);
        (void)sqlite3_bind_zeroblob(statement, 1,
                                    (zeros > 0 && zeros < MOST_ZEROS) ? (int)zeros : 1);
    } else if (text[0] == '"') {
        (void)sqlite3_bind_text(statement, 1, text + 1, -1, SQLITE_TRANSIENT);
    } else {
        const double number = strtod(text, &end);
        if (end != text && *end == '\0') {
            (void)sqlite3_bind_double(statement, 1, number);
        } else {
            (void)sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
        }
    }
}

/* INSERT of a row of the table with ? in this column's place */
static void copy_sql(const Column *column, const char *where, Buffer *sql) {
    buffer_printf(sql, "INSERT OR IGNORE INTO \"%s\" SELECT", column->table);
    const char *separator = " ";
    for (size_t i = 0; i < column_count; i++) {
        if (strcmp(columns[i].table, column->table) != 0) {
            continue;
        }
        const bool own = &columns[i] == column;
        buffer_printf(sql, "%s%s%s%s", separator, own ? "?1" : "\"", own ? "" : columns[i].name,
                      own ? "" : "\"");
        separator = ", ";
    }
    buffer_printf(sql, " FROM \"%s\"%s", column->table, where);
}

static void edit_sql(const Edit *edit, Buffer *sql) {
    const Column *column = edit->column;
    char          where[SQL_BYTES] = "";
    if (edit->row != ALL_ROWS) {
        (void)snprintf(where, sizeof where,
                       " WHERE (%s) = (SELECT %s FROM \"%s\" ORDER BY %s LIMIT 1 OFFSET %ld)",
                       column->key, column->key, column->table, column->key, edit->row);
    }
    if (edit->removes) {
        buffer_printf(sql, "DELETE FROM \"%s\"%s", column->table, where);
    } else if (edit->copies) {
        copy_sql(column, where, sql);
    } else {
        buffer_printf(sql, "UPDATE OR IGNORE \"%s\" SET \"%s\" = ?1%s", column->table, column->name,
                      where);
    }
}

static void make_edit(sqlite3 *database, const Edit *edit) {
    sqlite3_stmt *statement = NULL;
    Buffer        sql;
    buffer_init(&sql, SQL_BYTES);
    edit_sql(edit, &sql);
    if (sqlite3_prepare_v2(database, buffer_text(&sql), -1, &statement, NULL) == SQLITE_OK) {
        bind_value(statement, edit->value);
        (void)sqlite3_step(statement);
        (void)sqlite3_finalize(statement);
    }
    buffer_reset(&sql);
}

/* @return the connection, if it stays open: its log of writes lies beside the database then */
static sqlite3 *make_edits(char *text) {
    sqlite3 *database = open_database();
    char    *rest = NULL;
    size_t   count = 0;
    bool     stays = false;
    (void)sqlite3_exec(database, "BEGIN", NULL, NULL, NULL);
    for (char *line = strtok_r(text, "\n", &rest); line != NULL && count < MOST_EDITS;
         line = strtok_r(NULL, "\n", &rest)) {
        Edit edit;
        stays = stays || strcmp(line, "open") == 0;
        if (read_edit(line, &edit)) {
            make_edit(database, &edit);
            count++;
        }
    }
    (void)sqlite3_exec(database, "COMMIT", NULL, NULL, NULL);
    if (!stays) {
        (void)sqlite3_close(database);
        database = NULL;
    }
    return database;
}

/* ---- reading -------------------------------------------------------------------------------- */

typedef Status (*Command)(int argc, char **argv, Buffer *out);

static Status run(Command command, const char *a, const char *b, const char *c) {
    char   words[4][512];
    char  *argv[5] = {words[0], NULL, NULL, NULL, NULL};
    int    argc = 1;
    Buffer out;

    (void)snprintf(words[0], sizeof words[0], "command");
    const char *const given[] = {a, b, c};
    for (size_t i = 0; i < 3 && given[i] != NULL; i++, argc++) {
        (void)snprintf(words[argc], sizeof words[argc], "%s", given[i]);
        argv[argc] = words[argc];
    }
    buffer_init(&out, CAP);
    const Status status = command(argc, argv, &out);
    buffer_reset(&out);
    return status;
}

/* what an event says is there: its bytes are looked at */
static Status look_at_event(void *context, const Event *event) {
    double *sum = context;
    if (event->kind == EVENT_DECIDED && event->decision->kind == DECISION_RUN) {
        *sum += event->decision->point[0];
    }
    if (event->kind == EVENT_DECIDED && event->decision->memo_size > 0) {
        *sum += ((const char *)event->decision->memo)[event->decision->memo_size - 1];
    }
    if (event->kind == EVENT_FINISHED || event->kind == EVENT_EVALUATED) {
        *sum += event->objectives[0];
    }
    return STATUS_OK;
}

static Status look_at_segment(void *context, const ResultsSegment *row) {
    Results     *results = context;
    ResultsTrial trial;
    int64_t      number = 0;
    TRY(results_trial_read(results, row->trial, &trial));
    TRY(results_trial_leaf(results, row->trial, &number));
    return results_attempts_lost(results, row->id, "its worker fell silent", &number);
}

static Status look_at_evaluation(void *context, const ResultsEvaluation *row) {
    Results       *results = context;
    ResultsSegment segment = {.point = NULL};
    return results_segment_read(results, NULL, row->segment, &segment);
}

/* each on its own: one refuses what the next would read */
static bool read_rows(Results *results) {
    double       sum = 0.0;
    int64_t      number[3] = {0};
    ResultsTally tally;
    bool         ok = true;
    for (int which = RESULTS_ALL; which <= RESULTS_CONFIRM; which++) {
        ok = results_segments_visit(results, (ResultsWhich)which, look_at_segment, results) ==
                 STATUS_OK &&
             ok;
    }
    const Space *space = study_scene_study()->space;
    ok = results_log_replay(results, space, look_at_event, &sum) == STATUS_OK && ok;
    ok = results_unlogged_visit(results, look_at_event, &sum) == STATUS_OK && ok;
    ok = results_evaluations_visit(results, look_at_evaluation, results) == STATUS_OK && ok;
    ok = results_tally_read(results, &tally) == STATUS_OK && ok;
    ok = results_unit_seconds(results, &sum) == STATUS_OK && ok;
    ok = results_units_used(results, number) == STATUS_OK && ok;
    ok = results_trials_begun(results, number) == STATUS_OK && ok;
    ok = results_next_ids(results, &number[0], &number[1], &number[2]) == STATUS_OK && ok;
    return ok;
}

static bool read_database(void) {
    Results *results = NULL;
    if (results_open(study_scene_folder()->database, RESULTS_READ, &results) != STATUS_OK) {
        return false;
    }
    const bool ok = read_rows(results);
    results_close(results);
    return ok;
}

/* all of them, whatever the others say */
static bool read_all(const StudyFolder *folder) {
    const char *const path = folder->path;
    StudyFolder       own;
    FsckReport        report;
    GcReport          removed;
    Buffer            out;
    bool              ok = read_database();

    buffer_init(&out, CAP);
    ok = fsck_study(folder, false, &out, &report) == STATUS_OK && report.found == 0 && ok;
    ok = run(command_show, path, NULL, NULL) == STATUS_OK && ok;
    ok = run(command_show, path, "--segments", NULL) == STATUS_OK && ok;
    ok = run(command_show, path, "--trials", "--format=json") == STATUS_OK && ok;
    ok = run(command_status, path, NULL, NULL) == STATUS_OK && ok;
    ok = run(command_best, path, NULL, NULL) == STATUS_OK && ok;
    ok = run(command_export, path, NULL, NULL) == STATUS_OK && ok;
    ok = run(command_export, path, "--what=curves", NULL) == STATUS_OK && ok;
    if (study_folder_init(path, &own) != STATUS_OK) {
        abort();
    }
    ok = gc_study(study_scene_study(), &own, false, true, &removed) == STATUS_OK && ok;
    study_folder_reset(&own);
    ok = study_scene_go_on(1) == STATUS_OK && ok;
    buffer_clear(&out);
    ok = fsck_study(folder, true, &out, &report) == STATUS_OK && ok;
    buffer_reset(&out);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const bool digit = size > 0 && data[0] >= '0' && data[0] < '0' + STUDY_SCENES;
    char      *text = strndup((const char *)data, size);

    if (text == NULL) {
        return 0;
    }
    study_scene_loosen();
    study_scene_restore(digit ? (StudyScene)(data[0] - '0') : SCENE_POPULATION);
    if (column_count == 0) {
        list_columns();
    }
    sqlite3 *other = make_edits(text + (digit ? 1 : 0));
    free(text);
    fuzz_accepted = read_all(study_scene_folder());
    (void)sqlite3_close(other); /* takes NULL */
    return 0;
}
