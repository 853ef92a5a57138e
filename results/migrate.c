/* What version a database is of, and the way from an older one to this program's. Each step is SQL
 * that raises the version by one; all steps of an upgrade are one transaction, so a database is of
 * the old version or of the new one and of nothing between. */
#include "results/store.h"

#include <stdio.h>

/* {1, "ALTER TABLE ..."} would turn version 1 into 2; steps stand in order of `from` */
static const ResultsMigration migrations[] = {
    /* cost of segments, pinned checkpoints, stopped trials, trials of a budget, users' requests */
    {1, "ALTER TABLE segment ADD COLUMN cost REAL;"
        "ALTER TABLE segment ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0"
        " CHECK (pinned IN (0, 1));"
        "ALTER TABLE trial ADD COLUMN stopped INTEGER NOT NULL DEFAULT 0"
        " CHECK (stopped IN (0, 1));"
        "ALTER TABLE event ADD COLUMN trials INTEGER"
        " CHECK (trials IS NULL OR kind = 'budget_changed');"
        "CREATE TABLE budget (source TEXT PRIMARY KEY CHECK (source IN ('said', 'now')),"
        " total INTEGER NOT NULL CHECK (total >= 0), trials INTEGER NOT NULL CHECK (trials >= 0),"
        " wall_clock REAL NOT NULL CHECK (wall_clock >= 0)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE request (name TEXT PRIMARY KEY, at REAL NOT NULL, body TEXT NOT NULL,"
        " answer TEXT NOT NULL) STRICT, WITHOUT ROWID;"
        /* the newest run's file said what the log says last */
        "INSERT INTO budget SELECT s.source, coalesce((SELECT total FROM event"
        " WHERE kind = 'budget_changed' ORDER BY seq DESC LIMIT 1),"
        " json_extract(definition, '$.budget.total')),"
        " json_extract(definition, '$.budget.trials'),"
        " json_extract(definition, '$.budget.wall_clock')"
        " FROM study, (SELECT 'said' AS source UNION SELECT 'now') AS s;"},
    /* what a warm start took from earlier studies */
    {2, "CREATE TABLE known (id INTEGER PRIMARY KEY CHECK (id >= 1), study TEXT NOT NULL,"
        " segment INTEGER NOT NULL CHECK (segment >= 1), depth INTEGER NOT NULL CHECK (depth >= 1),"
        " cost REAL) STRICT;"
        "CREATE TABLE known_value (known INTEGER NOT NULL REFERENCES known (id),"
        " hyperparameter INTEGER NOT NULL REFERENCES hyperparameter (id), value ANY NOT NULL,"
        " PRIMARY KEY (known, hyperparameter)) STRICT, WITHOUT ROWID;"
        "CREATE TABLE known_result (known INTEGER NOT NULL REFERENCES known (id),"
        " kind TEXT NOT NULL CHECK (kind IN ('objective', 'constraint')),"
        " number INTEGER NOT NULL CHECK (number >= 0), value REAL NOT NULL,"
        " PRIMARY KEY (known, kind, number)) STRICT, WITHOUT ROWID;"},
};

enum { MIGRATION_COUNT = sizeof migrations / sizeof migrations[0] };

static Status upgrade_by_one(Results *results, const ResultsMigration *steps, size_t count,
                             int64_t from) {
    size_t i = 0;
    while (i < count && steps[i].from != from) {
        i++;
    }
    if (i == count) {
        FAIL(STATUS_ERR_VERSION,
             "%s: version %lld of the database is no longer read by this program", results->path,
             (long long)from);
    }
    char version[64];
    (void)snprintf(version, sizeof version, "PRAGMA user_version=%d;", steps[i].from + 1);
    TRY(results__script(results, steps[i].sql));
    return results__script(results, version);
}

static Status upgrade(Results *results, const ResultsMigration *steps, size_t count, int64_t from,
                      int version) {
    TRY(results_begin(results));
    Status status = STATUS_OK;
    for (int64_t v = from; status == STATUS_OK && v < version; v++) {
        status = upgrade_by_one(results, steps, count, v);
    }
    if (status == STATUS_OK) {
        return results_commit(results);
    }
    results_rollback(results);
    return status;
}

Status results__migrate(Results *results, const ResultsMigration *steps, size_t count,
                        int version) {
    int64_t application = 0;
    int64_t found = 0;
    TRY(results__integer(results, "PRAGMA application_id", 0, &application, ""));
    TRY(results__integer(results, "PRAGMA user_version", 0, &found, ""));
    if (application != RESULTS_APPLICATION_ID) {
        FAIL(STATUS_ERR_CORRUPT, "%s: not the database of a study", results->path);
    }
    if (found > version) {
        FAIL(STATUS_ERR_VERSION,
             "%s: version %lld of the database is newer than this program's %d: use a newer mbtune",
             results->path, (long long)found, version);
    }
    if (!results->writable) {
        if (found < version) {
            FAIL(STATUS_ERR_VERSION,
                 "%s: version %lld of the database is older than this program's %d: "
                 "'mbtune run' on its study upgrades it",
                 results->path, (long long)found, version);
        }
        return STATUS_OK;
    }
    TRY(results__pragmas_write(results));
    return (found < version) ? upgrade(results, steps, count, found, version) : STATUS_OK;
}

Status results_open(const char *path, ResultsMode mode, Results **out) {
    return results__open_with(path, mode, migrations, MIGRATION_COUNT, RESULTS_VERSION, out);
}
