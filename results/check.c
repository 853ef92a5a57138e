/* Is a database what only this program writes? SQLite's own checks, then rules that no table can
 * express. Each rule is a query for the rows that break it. */
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

/* the first few of a rule by name, the others by number */
static Status check_rule(Results *results, const Rule *rule, ResultsFinding found, void *context) {
    sqlite3_stmt *statement = NULL;
    int64_t       count = 0;
    char          text[TEXT];

    TRY(results__query(results, rule->sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            break;
        }
        if (count++ < MOST_EACH) {
            (void)snprintf(text, sizeof text, "%s %" PRId64 "%s%s", rule->before,
                           results__column_integer(statement, 0, 0),
                           (rule->after[0] == ',') ? "" : " ", rule->after);
            TRY(found(context, text));
        }
    }
    if (count > MOST_EACH) {
        (void)snprintf(text, sizeof text, "... and %" PRId64 " more of these", count - MOST_EACH);
        TRY(found(context, text));
    }
    return STATUS_OK;
}

/* one finding per row of a pragma that is not `fine` */
static Status check_pragma(Results *results, const char *sql, const char *fine, const char *before,
                           ResultsFinding found, void *context) {
    sqlite3_stmt *statement = NULL;
    int64_t       count = 0;

    TRY(results__query(results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        char said[TEXT / 2];
        char text[TEXT];
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        results__column_text(statement, 0, said, sizeof said);
        if (strcmp(said, fine) != 0 && count++ < MOST_EACH) {
            (void)snprintf(text, sizeof text, "%s%s", before, said);
            TRY(found(context, text));
        }
    }
}

Status results_check(Results *results, ResultsFinding found, void *context) {
    TRY(check_pragma(results, "PRAGMA integrity_check", "ok", "SQLite: ", found, context));
    TRY(check_pragma(results, "PRAGMA foreign_key_check", "",
                     "a row names one that does not exist, in table ", found, context));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        TRY(check_rule(results, &rules[i], found, context));
    }
    return STATUS_OK;
}

Status results_rebuild(Results *results) {
    TRY(results__script(results, "REINDEX; PRAGMA wal_checkpoint(TRUNCATE);"));
    return STATUS_OK;
}
