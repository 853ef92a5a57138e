/* A study whose database somebody has changed or damaged, as it comes with somebody else's study:
 * SQLite answers for its format, this program for what it does with the values. An input is a list
 * of edits of three bytes {column of all tables, row, value}, made on a database without
 * constraints; then everything that reads a study reads it. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/study_scene.h"

#include "core/buffer.h"
#include "tuner/commands.h"
#include "tuner/fsck.h"
#include "tuner/gc.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP = 1 << 24, EDIT_BYTES = 3, MOST_EDITS = 16, MOST_COLUMNS = 256, SQL_BYTES = 512 };

bool fuzz_accepted;

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
                           " AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2",
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

/* SQL of a value: what is there stays a value of some other row where it is a name */
static const char *const values[] = {
    "NULL",
    "-1",
    "0",
    "1",
    "2",
    "3",
    "9",
    "1000000",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "1e308",
    "9e999",
    "-9e999",
    "0.5",
    "''",
    "'x'",
    "'1'",
    "x'00'",
    "x'ff00ff'",
    "zeroblob(4096)",
    "printf('%.300c', 'y')",
    "'queued'",
    "'running'",
    "'finished'",
    "'failed'",
    "'done'",
    "'crashed'",
    "'decided'",
    "'enqueued'",
    "'observed'",
    "'float'",
    "'int'",
    "'categorical'",
    "'bool'",
    "'objective'",
    "'constraint'",
    "'tune'",
    "'confirm'",
    "'['",
    "'[]'",
    "'{}'",
    "'[1,\"a\",null]'",
    "'{\"name\":\"pbt\"}'",
    "char(255, 1, 27)",
};

enum { VALUES = sizeof values / sizeof values[0], DELETES = 255, ALL_ROWS = 255 };

static void edit(sqlite3 *database, const uint8_t *bytes) {
    const Column *column = &columns[bytes[0] % column_count];
    char          where[SQL_BYTES] = "";
    char          sql[3 * SQL_BYTES];
    if (bytes[1] != ALL_ROWS) {
        (void)snprintf(where, sizeof where,
                       " WHERE (%s) = (SELECT %s FROM \"%s\" LIMIT 1 OFFSET %d)", column->key,
                       column->key, column->table, bytes[1]);
    }
    if (bytes[2] == DELETES) {
        (void)snprintf(sql, sizeof sql, "DELETE FROM \"%s\"%s", column->table, where);
    } else {
        (void)snprintf(sql, sizeof sql, "UPDATE OR IGNORE \"%s\" SET \"%s\" = %s%s", column->table,
                       column->name, values[bytes[2] % VALUES], where);
    }
    (void)sqlite3_exec(database, sql, NULL, NULL, NULL);
}

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

/* all of them, whatever the others say */
static bool read_all(const StudyFolder *folder) {
    const char *const path = folder->path;
    StudyFolder       own;
    FsckReport        report;
    GcReport          removed;
    Buffer            out;
    Json             *answer = NULL;
    bool              ok = true;

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
    ok = study_scene_ask(1, &answer) == STATUS_OK && ok;
    json_release(answer);
    buffer_clear(&out);
    ok = fsck_study(folder, true, &out, &report) == STATUS_OK && ok;
    buffer_reset(&out);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (column_count == 0) {
        study_scene_loosen();
        list_columns();
    }
    study_scene_restore();
    sqlite3 *database = open_database();
    for (size_t i = 0; i + EDIT_BYTES <= size && i < MOST_EDITS * EDIT_BYTES; i += EDIT_BYTES) {
        edit(database, data + i);
    }
    (void)sqlite3_close(database);
    fuzz_accepted = read_all(study_scene_folder());
    return 0;
}
