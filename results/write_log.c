/* The write-ahead log (WAL) begins anew once all of it is in the database and nobody reads from it.
 * Readers who overlap without a pause leave no such moment, and it would grow as long as they come
 * (2.6 GB under an `mbtune status` every two seconds of a study of a million segments). A log that
 * is large waits for the readers of the moment, who are the last ones: whoever begins once all of
 * it is in the database does not need the log.
 * https://www.sqlite.org/wal.html#avoiding_excessively_large_wal_files */
#include "results/store.h"

#include <sqlite3.h>

enum {
    PAGES_MOVED = 1000,  /* from here on each commit moves what it can into the database */
    PAGES_AGAIN = 16384, /* more of them before it is tried again: 64 MiB */
    WAIT_MS = 100,       /* for readers of the moment, the coordinator serves nobody meanwhile */
    MOST_WAITS = 20,
};

/* Several short waits: within one SQLite waits for a place in the list of readers, although who
 * holds it now may have begun later and not be in the way at all. */
static int begin_anew(sqlite3 *db, const char *name) {
    int code = SQLITE_BUSY;
    (void)sqlite3_busy_timeout(db, WAIT_MS);
    for (int wait = 0; wait < MOST_WAITS && code == SQLITE_BUSY; wait++) {
        code = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    }
    (void)sqlite3_busy_timeout(db, RESULTS_BUSY_MS);
    return code;
}

/* A failure to move pages is no failure of the commit before it: the next one tries again. */
static int after_commit(void *context, sqlite3 *db, const char *name, int pages) {
    Results *results = context;
    if (pages < PAGES_MOVED) { /* it began anew */
        results->log_tried = results->log_pages;
        return SQLITE_OK;
    }
    if (pages < results->log_tried) {
        (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        return SQLITE_OK;
    }
    const int code = begin_anew(db, name);
    results->log_tried = (code == SQLITE_OK) ? results->log_pages : pages + PAGES_AGAIN;
    return SQLITE_OK;
}

void results__write_log_watch(Results *results, int pages) {
    results->log_pages = pages;
    results->log_tried = pages;
    (void)sqlite3_wal_hook(results->db, after_commit, results);
}
