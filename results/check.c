/* Is a database what only this program writes? SQLite's own checks, then rules that no table can
 * express. Each rule is a query for the rows that break it. */
#include "results/check.h"
#include "results/store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { TEXT = 512, MOST_EACH = 5 };

typedef struct Rule {
    const char *before; /* the id */
    const char *after;  /* it */
    const char *sql;    /* ids of the rows that break it */
} Rule;

static const Rule rules[] = {
    {"segment", "does not begin where its parent ends",
     "SELECT s.id FROM segment AS s JOIN segment AS p ON p.id = s.parent"
     " WHERE p.\"end\" <> s.\"begin\" ORDER BY s.id"},
    {"segment", "was trained from a parent that is not finished",
     "SELECT s.id FROM segment AS s JOIN segment AS p ON p.id = s.parent"
     " WHERE s.state <> 'queued' AND p.state <> 'finished' AND s.outcome IS NOT 'cancelled'"
     " ORDER BY s.id"},
    {"segment", "is finished and has no objective",
     "SELECT s.id FROM segment AS s WHERE s.state = 'finished' AND"
     " (SELECT count(*) FROM segment_result AS r WHERE r.segment = s.id AND r.kind = 'objective')"
     " <> (SELECT count(*) FROM objective) ORDER BY s.id"},
    {"segment", "is finished by an attempt that is not in the table of attempts",
     "SELECT s.id FROM segment AS s WHERE s.state = 'finished' AND NOT EXISTS (SELECT 1"
     " FROM attempt AS a WHERE a.segment = s.id AND a.outcome = 'done') ORDER BY s.id"},
    {"segment", "was decided, and the log does not say so",
     "SELECT s.id FROM segment AS s WHERE s.decision IS NOT NULL AND NOT EXISTS (SELECT 1"
     " FROM event AS e WHERE e.segment = s.id AND e.kind = 'decided' AND e.decision = s.decision)"
     " ORDER BY s.id"},
    {"the log says that segment", "is over, and its row does not",
     "SELECT s.id FROM segment AS s JOIN event AS e ON e.segment = s.id AND e.kind = 'finished'"
     " WHERE s.state NOT IN ('finished', 'failed') ORDER BY s.id"},
    {"decision", "is missing in the log",
     "SELECT e.decision - 1 FROM event AS e WHERE e.decision > 0 AND NOT EXISTS (SELECT 1"
     " FROM event AS f WHERE f.decision = e.decision - 1) ORDER BY 1"},
    {"there are metrics of segment", ", and there is no such segment",
     "SELECT DISTINCT m.owner FROM metric AS m WHERE m.owner > 0 AND NOT EXISTS (SELECT 1"
     " FROM segment AS s WHERE s.id = m.owner) ORDER BY 1"},
    {"there are metrics of evaluation", ", and there is no such evaluation",
     "SELECT DISTINCT -m.owner FROM metric AS m WHERE m.owner < 0 AND NOT EXISTS (SELECT 1"
     " FROM evaluation AS e WHERE e.id = -m.owner) ORDER BY 1"},
};

/* A query, what to say of one of its rows, and whom to say it to. */
typedef struct Look {
    Results       *results;
    ResultsFinding found;
    void          *context;
    int64_t        count; /* of findings so far */
} Look;

/* the first few by name, the others by number */
static Status say(Look *look, const char *text) {
    return (look->count++ < MOST_EACH) ? look->found(look->context, text) : STATUS_OK;
}

static Status say_how_many_more(Look *look) {
    char text[TEXT];
    if (look->count <= MOST_EACH) {
        return STATUS_OK;
    }
    (void)snprintf(text, sizeof text, "... and %" PRId64 " more of these", look->count - MOST_EACH);
    return look->found(look->context, text);
}

/* calls `each` for every row of a query */
static Status look_at(Look *look, const char *sql, const void *what,
                      Status (*each)(Look *look, sqlite3_stmt *row, const void *what)) {
    sqlite3_stmt *statement = NULL;
    look->count = 0;
    TRY(results__query(look->results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(look->results, statement, &row));
        if (!row) {
            return say_how_many_more(look);
        }
        const Status status = each(look, statement, what);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

static Status broken_rule(Look *look, sqlite3_stmt *row, const void *what) {
    const Rule *rule = what;
    char        text[TEXT];
    (void)snprintf(text, sizeof text, "%s %" PRId64 "%s%s", rule->before,
                   results__column_integer(row, 0, 0), (rule->after[0] == ',') ? "" : " ",
                   rule->after);
    return say(look, text);
}

static Status said_by_sqlite(Look *look, sqlite3_stmt *row, const void *what) {
    char said[TEXT / 2];
    char text[TEXT];
    results__column_text(row, 0, said, sizeof said);
    if (strcmp(said, "ok") == 0) {
        return STATUS_OK;
    }
    (void)snprintf(text, sizeof text, "%s%s", (const char *)what, said);
    return say(look, text);
}

Status results_check(Results *results, ResultsFinding found, void *context) {
    Look look = {.results = results, .found = found, .context = context};
    TRY(look_at(&look, "PRAGMA integrity_check", "SQLite: ", said_by_sqlite));
    TRY(look_at(&look, "PRAGMA foreign_key_check", "a row names one that does not exist, in table ",
                said_by_sqlite));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        TRY(look_at(&look, rules[i].sql, &rules[i], broken_rule));
    }
    return STATUS_OK;
}

Status results_rebuild(Results *results) {
    return results__script(results, "REINDEX; PRAGMA wal_checkpoint(TRUNCATE);");
}
