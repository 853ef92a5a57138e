/* A copy of the database beside it, made piece by piece while the coordinator goes on, by SQLite's
 * online backup: what the same connection writes meanwhile goes into the copy too. */
#include "results/publish.h"

#include "core/file.h"
#include "results/store.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

void results__publish_abort(Results *results) {
    if (results->backup != NULL) {
        (void)sqlite3_backup_finish(results->backup);
        results->backup = NULL;
    }
    (void)sqlite3_close(results->copy);
    results->copy = NULL;
}

static Status copy_failed(Results *results, int code, const char *path) {
    results__publish_abort(results);
    FAIL_NATIVE(STATUS_ERR_DATABASE, code, "%s: cannot copy the database: %s", path,
                sqlite3_errstr(code));
}

static Status begin(Results *results, const char *temporary) {
    TRY(file_remove_all(temporary));
    int code =
        sqlite3_open_v2(temporary, &results->copy,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) { /* after a loss of power readers have the database itself */
        code = sqlite3_exec(results->copy, "PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;", NULL,
                            NULL, NULL);
    }
    if (code != SQLITE_OK) {
        return copy_failed(results, code, temporary);
    }
    results->backup = sqlite3_backup_init(results->copy, "main", results->db, "main");
    if (results->backup == NULL) {
        return copy_failed(results, sqlite3_errcode(results->copy), temporary);
    }
    return STATUS_OK;
}

static Status publish(Results *results, const char *path, const char *temporary, int pages,
                      bool *done) {
    if (results->backup == NULL) {
        TRY(begin(results, temporary));
    }
    const int code = sqlite3_backup_step(results->backup, pages);
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        return STATUS_OK; /* there is more, or a transaction is open */
    }
    if (code != SQLITE_DONE) {
        return copy_failed(results, code, temporary);
    }
    results__publish_abort(results);
    *done = true;
    return file_rename(temporary, path);
}

Status results_publish(Results *results, const char *path, int pages, bool *done) {
    Buffer temporary;
    *done = false;
    buffer_init(&temporary, RESULTS_TEXT_CAP);
    buffer_printf(&temporary, "%s.tmp", path);
    Status status = buffer_status(&temporary);
    if (status == STATUS_OK) {
        status = publish(results, path, buffer_text(&temporary), pages, done);
    }
    buffer_reset(&temporary);
    return status;
}

Status results_unpublish(const char *path) {
    Buffer temporary;
    buffer_init(&temporary, RESULTS_TEXT_CAP);
    buffer_printf(&temporary, "%s.tmp", path);
    Status status = buffer_status(&temporary);
    if (status == STATUS_OK) {
        status = file_remove_all(buffer_text(&temporary));
    }
    buffer_reset(&temporary);
    TRY(status);
    return file_remove_all(path);
}
