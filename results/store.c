/* The connection. WAL with synchronous=FULL: what results_commit() acknowledged survives the loss
 * of power, and readers see the last commit without ever waiting for the writer. All pragmas stand
 * in two functions beside each other; a database on a network file system will need its own set
 * there. */
#include "results/store.h"

#include "core/clock.h"
#include "core/file.h"

#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors --------------------------------------------------------------------------------- */

Status results__error(const Results *results, int code, const char *doing) {
    const char *path = (results->path != NULL) ? results->path : "database";
    const char *text = (results->db != NULL) ? sqlite3_errmsg(results->db) : sqlite3_errstr(code);
    const int   native = (results->db != NULL) ? sqlite3_extended_errcode(results->db) : code;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        FAIL_NATIVE(STATUS_ERR_NOMEM, native, "%s: %s: out of memory", path, doing);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        FAIL_NATIVE(STATUS_ERR_CORRUPT, native, "%s: damaged, or no database: %s", path, text);
    case SQLITE_FULL:
        FAIL_NATIVE(STATUS_ERR_DATABASE, native,
                    "%s: the disk is full; nothing of this group was stored, all before it was",
                    path);
    case SQLITE_BUSY:
        FAIL_NATIVE(STATUS_ERR_DATABASE, native, "%s: another process is writing to it", path);
    case SQLITE_CONSTRAINT:
        FAIL_NATIVE(STATUS_ERR_STATE, native, "%s: %s: refused: %s", path, doing, text);
    default:
        FAIL_NATIVE(STATUS_ERR_DATABASE, native, "%s: %s: %s", path, doing, text);
    }
}

Status results__script(Results *results, const char *sql) {
    const int code = sqlite3_exec(results->db, sql, NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        return results__error(results, code, "running a script");
    }
    return STATUS_OK;
}

/* ---- statements ----------------------------------------------------------------------------- */

/* the slot of `sql`, or the free one where it belongs */
static size_t statement_slot(const Results *results, const char *sql) {
    size_t slot =
        (size_t)(((uint64_t)(uintptr_t)sql * 0x9e3779b97f4a7c15U) >> 32) & (RESULTS_STATEMENTS - 1);
    while (results->statements[slot].sql != NULL && results->statements[slot].sql != sql) {
        slot = (slot + 1) & (RESULTS_STATEMENTS - 1);
    }
    return slot;
}

static Status statement_take(Results *results, const char *sql, sqlite3_stmt **out) {
    const size_t slot = statement_slot(results, sql);
    if (results->statements[slot].sql == NULL) {
        if (results->statement_count + 1 >= RESULTS_STATEMENTS) {
            FAIL(STATUS_ERR_STATE, "more than %d different statements", RESULTS_STATEMENTS);
        }
        sqlite3_stmt *fresh = NULL;
        const int     code =
            sqlite3_prepare_v3(results->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &fresh, NULL);
        if (code != SQLITE_OK) {
            return results__error(results, code, sql);
        }
        results->statements[slot].sql = sql;
        results->statements[slot].statement = fresh;
        results->statement_count++;
    }
    *out = results->statements[slot].statement;
    if (sqlite3_stmt_busy(*out)) {
        FAIL(STATUS_ERR_STATE, "a query was started inside itself: %s", sql);
    }
    return STATUS_OK;
}

static int bind_choice(sqlite3_stmt *statement, int column, const ParameterChoice *choice) {
    if (choice->kind == 'i') {
        return sqlite3_bind_int64(statement, column, choice->integer);
    }
    if (choice->kind == 'd') {
        return sqlite3_bind_double(statement, column, choice->number);
    }
    return sqlite3_bind_text(statement, column, choice->text, -1, SQLITE_STATIC);
}

static int bind_value(sqlite3_stmt *statement, int column, const Parameter *parameter,
                      double value) {
    switch (parameter->type) {
    case SPACE_FLOAT:
        return sqlite3_bind_double(statement, column, value);
    case SPACE_INT:
    case SPACE_BOOL:
        return sqlite3_bind_int64(statement, column, llrint(value));
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        break;
    }
    if (!(value >= 0.0 && value < (double)parameter->choice_count)) {
        return SQLITE_RANGE;
    }
    return bind_choice(statement, column, &parameter->choices[(size_t)value]);
}

static int bind_blob(sqlite3_stmt *statement, int column, const void *bytes, size_t size) {
    if (size == 0) {
        return sqlite3_bind_null(statement, column);
    }
    return sqlite3_bind_blob64(statement, column, bytes, size, SQLITE_STATIC);
}

/* SQLITE_STATIC throughout: a statement is stepped while the caller's memory lives */
static int bind_one(sqlite3_stmt *statement, int column, char type, va_list *arguments) {
    switch (type) {
    case 'i':
        return sqlite3_bind_int64(statement, column, va_arg(*arguments, int64_t));
    case 'z':
    case 'm': {
        const int64_t value = va_arg(*arguments, int64_t);
        return ((type == 'z') ? value == 0 : value < 0)
                   ? sqlite3_bind_null(statement, column)
                   : sqlite3_bind_int64(statement, column, value);
    }
    case 'd': /* SQLite stores NaN as NULL */
        return sqlite3_bind_double(statement, column, va_arg(*arguments, double));
    case 't':
        return sqlite3_bind_text(statement, column, va_arg(*arguments, const char *), -1,
                                 SQLITE_STATIC);
    case 'b': {
        const void *bytes = va_arg(*arguments, const void *);
        return bind_blob(statement, column, bytes, va_arg(*arguments, size_t));
    }
    case 'p': {
        const Parameter *parameter = va_arg(*arguments, const Parameter *);
        return bind_value(statement, column, parameter, va_arg(*arguments, double));
    }
    case 'c':
        return bind_choice(statement, column, va_arg(*arguments, const ParameterChoice *));
    default:
        return SQLITE_MISUSE;
    }
}

static Status query_with(Results *results, const char *sql, sqlite3_stmt **out, const char *types,
                         va_list *arguments) {
    TRY(statement_take(results, sql, out));
    for (int i = 0; types[i] != '\0'; i++) {
        const int code = bind_one(*out, i + 1, types[i], arguments);
        if (code != SQLITE_OK) {
            FAIL_NATIVE(STATUS_ERR_ARG, code, "value %d does not fit: %s", i + 1, sql);
        }
    }
    return STATUS_OK;
}

Status results__query(Results *results, const char *sql, sqlite3_stmt **out, const char *types,
                      ...) {
    va_list arguments;
    va_start(arguments, types);
    const Status status = query_with(results, sql, out, types, &arguments);
    va_end(arguments);
    return status;
}

Status results__step(Results *results, sqlite3_stmt *statement, bool *row) {
    const int code = sqlite3_step(statement);
    *row = code == SQLITE_ROW;
    if (code == SQLITE_ROW) {
        return STATUS_OK;
    }
    /* the text first: resetting may change it */
    const Status status =
        (code == SQLITE_DONE) ? STATUS_OK : results__error(results, code, sqlite3_sql(statement));
    (void)sqlite3_reset(statement);
    if ((code & 0xff) == SQLITE_FULL && !sqlite3_get_autocommit(results->db)) {
        (void)sqlite3_exec(results->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return status;
}

/* the first row's first column, or `fallback` */
static Status first_integer(Results *results, const char *sql, int64_t fallback, int64_t *out,
                            const char *types, va_list *arguments) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    TRY(query_with(results, sql, &statement, types, arguments));
    TRY(results__step(results, statement, &row));
    *out = row ? results__column_integer(statement, 0, fallback) : fallback;
    if (row) {
        (void)sqlite3_reset(statement);
    }
    return STATUS_OK;
}

Status results__run(Results *results, const char *sql, const char *types, ...) {
    int64_t ignored = 0;
    va_list arguments;
    va_start(arguments, types);
    const Status status = first_integer(results, sql, 0, &ignored, types, &arguments);
    va_end(arguments);
    return status;
}

Status results__integer(Results *results, const char *sql, int64_t fallback, int64_t *out,
                        const char *types, ...) {
    va_list arguments;
    va_start(arguments, types);
    const Status status = first_integer(results, sql, fallback, out, types, &arguments);
    va_end(arguments);
    return status;
}

int64_t results__changes(const Results *results) {
    return sqlite3_changes64(results->db);
}

double results__column_double(sqlite3_stmt *statement, int column) {
    return (sqlite3_column_type(statement, column) == SQLITE_NULL)
               ? (double)NAN
               : sqlite3_column_double(statement, column);
}

int64_t results__column_integer(sqlite3_stmt *statement, int column, int64_t fallback) {
    return (sqlite3_column_type(statement, column) == SQLITE_NULL)
               ? fallback
               : sqlite3_column_int64(statement, column);
}

Status results__parent_check(const Results *results, int64_t segment, int64_t parent) {
    if (parent < 0 || parent >= segment) {
        FAIL(STATUS_ERR_CORRUPT, "%s: segment %lld cannot have the parent %lld", results->path,
             (long long)segment, (long long)parent);
    }
    return STATUS_OK;
}

const char *results__column_borrow(sqlite3_stmt *statement, int column) {
    const char *found = (const char *)sqlite3_column_text(statement, column);
    return (found != NULL) ? found : "";
}

void results__column_text(sqlite3_stmt *statement, int column, char *text, size_t size) {
    const unsigned char *found = sqlite3_column_text(statement, column);
    (void)snprintf(text, size, "%s", (found != NULL) ? (const char *)found : "");
}

/* ---- groups --------------------------------------------------------------------------------- */

Status results_begin(Results *results) {
    if (!results->writable) {
        FAIL(STATUS_ERR_STATE, "%s is open for reading only", results->path);
    }
    if (results->open) {
        FAIL(STATUS_ERR_STATE, "a group of writes is already open");
    }
    results_read_end(results);
    TRY(results__run(results, "BEGIN IMMEDIATE", ""));
    results->open = true;
    return STATUS_OK;
}

Status results__writing(const Results *results) {
    if (!results->open) {
        FAIL(STATUS_ERR_STATE, "a write outside results_begin() and results_commit()");
    }
    if (sqlite3_get_autocommit(results->db)) {
        FAIL(STATUS_ERR_STATE, "this group of writes failed already: results_rollback() it first");
    }
    return STATUS_OK;
}

Status results_commit(Results *results) {
    TRY(results__writing(results));
    TRY(results__run(results, "COMMIT", ""));
    results->open = false;
    return STATUS_OK;
}

void results_rollback(Results *results) {
    if (!results->open) {
        return;
    }
    /* a full disk or a failed read rolls back by itself */
    if (!sqlite3_get_autocommit(results->db)) {
        const Status ignored = results__run(results, "ROLLBACK", "");
        (void)ignored;
    }
    results->open = false;
    results__names_free(results); /* names that were new in this group are gone */
}

Status results_read_begin(Results *results) {
    if (results->open || results->reading || !sqlite3_get_autocommit(results->db)) {
        return STATUS_OK;
    }
    TRY(results__run(results, "BEGIN DEFERRED", ""));
    results->reading = true;
    return STATUS_OK;
}

void results_read_end(Results *results) {
    if (results->reading) {
        results->reading = false;
        const Status ignored = results__run(results, "COMMIT", "");
        (void)ignored;
    }
}

/* Not a savepoint: SQLite would copy every page that is written inside it, for a failure that only
 * a mistake or a broken disk brings about. */
Status results__atom_begin(Results *results) {
    TRY(results__writing(results));
    results->atom_changes = sqlite3_total_changes64(results->db);
    return STATUS_OK;
}

Status results__atom_end(Results *results, Status status) {
    if (status == STATUS_OK || sqlite3_get_autocommit(results->db) ||
        sqlite3_total_changes64(results->db) == results->atom_changes) {
        return status;
    }
    const ErrorInfo why = *status_last();
    (void)sqlite3_exec(results->db, "ROLLBACK", NULL, NULL, NULL);
    return status_fail(why.code, why.native, why.file, why.line, why.func, "%s", why.text);
}

/* the writer sees its own work and nobody else's: nothing to hold still, but a lock to save */
Status results__snapshot_begin(Results *results) {
    if (results->writable) {
        return results_read_begin(results);
    }
    if (results->snapshots == 0 && sqlite3_get_autocommit(results->db)) {
        TRY(results__run(results, "BEGIN DEFERRED", ""));
        results->snapshots = 1;
    } else if (results->snapshots > 0) {
        results->snapshots++;
    }
    return STATUS_OK;
}

void results__snapshot_end(Results *results) {
    results_read_end(results);
    if (results->snapshots > 0 && --results->snapshots == 0) {
        const Status ignored = results__run(results, "COMMIT", "");
        (void)ignored;
    }
}

/* ---- open and close ------------------------------------------------------------------------- */

/* before the file is known to be a study: nothing that writes */
static Status pragmas_connect(Results *results, bool alone) {
    (void)sqlite3_busy_timeout(results->db, RESULTS_BUSY_MS);
    if (alone) { /* before anything looks at the file */
        TRY(results__script(results, "PRAGMA locking_mode=EXCLUSIVE;"));
    }
    TRY(results__script(results, "PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;"
                                 "PRAGMA cache_size=-16384; PRAGMA trusted_schema=OFF;"));
    return results->writable ? STATUS_OK : results__script(results, "PRAGMA query_only=ON;");
}

Status results__pragmas_write(Results *results) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    char          mode[16] = "";
    TRY(results__query(results, "PRAGMA journal_mode=WAL", &statement, ""));
    TRY(results__step(results, statement, &row));
    results__column_text(statement, 0, mode, sizeof mode);
    (void)sqlite3_reset(statement);
    if (strcmp(mode, "wal") != 0) {
        FAIL(STATUS_ERR_DATABASE,
             "%s: this file system cannot hold a write-ahead log (journal mode '%s')",
             results->path, mode);
    }
    /* once nobody reads from it a longer log is cut to 64 MiB */
    results__write_log_watch(results, RESULTS_LOG_PAGES);
    return results__script(results, "PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864;");
}

/* SQLite counts its allocations behind a lock, which is 8 % of a coordinator's time: nobody asks */
static pthread_once_t configured = PTHREAD_ONCE_INIT;

static void configure(void) {
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

Status results__connect(const char *path, int flags, bool alone, Results **out) {
    *out = NULL;
    (void)pthread_once(&configured, configure);
    Results *results = calloc(1, sizeof *results);
    if (results == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a connection");
    }
    results->path = strdup(path);
    results->writable = (flags & SQLITE_OPEN_READWRITE) != 0;
    Status    status = STATUS_OK;
    const int code = sqlite3_open_v2(path, &results->db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    if (results->path == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for a connection");
    } else if (code != SQLITE_OK) {
        status = results__error(results, code, "opening");
    } else {
        status = pragmas_connect(results, alone);
    }
    if (status != STATUS_OK) {
        results_close(results);
        return status;
    }
    *out = results;
    return STATUS_OK;
}

void results_close(Results *results) {
    if (results == NULL) {
        return;
    }
    const ErrorInfo last = *status_last(); /* closing must not hide why */
    results__publish_abort(results);
    results_rollback(results);
    for (size_t i = 0; i < RESULTS_STATEMENTS; i++) {
        (void)sqlite3_finalize(results->statements[i].statement);
    }
    (void)sqlite3_close(results->db);
    results__names_free(results);
    results__parameters_free(results);
    free(results->path);
    free(results);
    if (last.code != STATUS_OK) {
        (void)status_fail(last.code, last.native, last.file, last.line, last.func, "%s", last.text);
    }
}

/* A copy in a folder that may not be written to has no place for the shared memory of WAL; without
 * a left-over log the file alone is the whole truth. */
static Status connect_immutable(const char *path, Results **out) {
    Buffer log;
    buffer_init(&log, RESULTS_TEXT_CAP);
    buffer_printf(&log, "%s-wal", path);
    const bool has_log = buffer_status(&log) != STATUS_OK || file_exists(buffer_text(&log));
    buffer_reset(&log);
    if (has_log) {
        FAIL(STATUS_ERR_DATABASE, "%s: its folder must be writable to read it", path);
    }
    Buffer uri;
    buffer_init(&uri, RESULTS_TEXT_CAP);
    buffer_puts(&uri, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        const bool special = strchr("?#%", *c) != NULL;
        if (special) {
            buffer_printf(&uri, "%%%02X", (unsigned)(unsigned char)*c);
        } else {
            buffer_append(&uri, c, 1);
        }
    }
    buffer_puts(&uri, "?immutable=1");
    Status status = buffer_status(&uri);
    if (status == STATUS_OK) {
        status =
            results__connect(buffer_text(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, false, out);
    }
    buffer_reset(&uri);
    return status;
}

static Status open_checked(const char *path, ResultsMode mode, const ResultsMigration *steps,
                           size_t count, int version, Results **out) {
    const bool writes = mode == RESULTS_WRITE || mode == RESULTS_WRITE_ALONE;
    const int  flags = writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    Results   *results = NULL;
    Status     status = (mode == RESULTS_READ_STILL)
                            ? connect_immutable(path, &results)
                            : results__connect(path, flags, mode == RESULTS_WRITE_ALONE, &results);
    if (status == STATUS_OK) {
        status = results__migrate(results, steps, count, version);
    }
    const long why = (status == STATUS_OK) ? SQLITE_OK : status_last()->native & 0xff;
    if (status == STATUS_ERR_DATABASE && mode == RESULTS_READ &&
        (why == SQLITE_CANTOPEN || why == SQLITE_READONLY)) {
        results_close(results);
        results = NULL;
        status = connect_immutable(path, &results);
        if (status == STATUS_OK) {
            status = results__migrate(results, steps, count, version);
        }
    }
    if (status == STATUS_OK) {
        status = results__parameters_load(results);
    }
    if (status != STATUS_OK) {
        results_close(results);
        return status;
    }
    *out = results;
    return STATUS_OK;
}

Status results__open_with(const char *path, ResultsMode mode, const ResultsMigration *steps,
                          size_t count, int version, Results **out) {
    *out = NULL;
    if (!file_exists(path)) {
        FAIL(STATUS_ERR_IO, "%s: there is no such file", path);
    }
    return open_checked(path, mode, steps, count, version, out);
}
