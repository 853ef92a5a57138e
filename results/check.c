/* Is a database what only this program writes? SQLite's own checks, then rules that no table can
 * express. Each rule is a query for the rows that break it. */
#include "results/check.h"
#include "results/store.h"

#include "core/buffer.h"

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

/* What is looked at, and whom to tell. */
typedef struct Look {
    Results       *results;
    bool           mend;
    ResultsFinding found;
    void          *context;
    int64_t        count[2]; /* of findings of one kind so far: those that stay, those mended */
    /* of the table whose indexes are compared with it, and of all tables so far */
    char    table[TEXT / 4];
    int64_t lost;    /* rows */
    bool    unsound; /* some table lost rows or could not be counted: no index is made anew */
} Look;

/* the first few by name, the others by number */
static Status say(Look *look, bool mends, const char *text) {
    return (look->count[mends]++ < MOST_EACH) ? look->found(look->context, mends, text) : STATUS_OK;
}

static Status say_how_many_more(Look *look) {
    Status status = STATUS_OK;
    for (int mends = 0; mends < 2 && status == STATUS_OK; mends++) {
        const int64_t more = look->count[mends] - MOST_EACH;
        char          text[TEXT];
        (void)snprintf(text, sizeof text, "... and %" PRId64 " more of these", more);
        status = (more > 0) ? look->found(look->context, mends != 0, text) : STATUS_OK;
        look->count[mends] = 0;
    }
    return status;
}

/* ---- rules ---------------------------------------------------------------------------------- */

/* calls `each` for every row of a query */
static Status visit(Look *look, const char *sql, const void *what,
                    Status (*each)(Look *look, sqlite3_stmt *row, const void *what)) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(look->results, sql, &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(look->results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const Status status = each(look, statement, what);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

/* a page that a query cannot read is a finding like others: the next query may need other pages */
static Status look_at(Look *look, const char *sql, const Rule *rule,
                      Status (*each)(Look *look, sqlite3_stmt *row, const void *what)) {
    char         text[2 * TEXT];
    const Status status = visit(look, sql, rule, each);
    if (status == STATUS_ERR_CORRUPT) {
        (void)snprintf(text, sizeof text, "cannot look whether '%s ...%s%s': %s", rule->before,
                       (rule->after[0] == ',') ? "" : " ", rule->after, status_last()->text);
        TRY(look->found(look->context, false, text));
    } else {
        TRY(status);
    }
    return say_how_many_more(look);
}

static Status broken_rule(Look *look, sqlite3_stmt *row, const void *what) {
    const Rule *rule = what;
    char        text[TEXT];
    (void)snprintf(text, sizeof text, "%s %" PRId64 "%s%s", rule->before,
                   results__column_integer(row, 0, 0), (rule->after[0] == ',') ? "" : " ",
                   rule->after);
    return say(look, false, text);
}

/* tables without row ids have only their rows' number */
static const Rule parents = {
    "a row", "names one that does not exist",
    "SELECT \"table\", rowid, parent, count(*) FROM pragma_foreign_key_check"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"};

static Status missing_parent(Look *look, sqlite3_stmt *row, const void *what) {
    char          text[TEXT];
    char          table[TEXT / 4];
    char          parent[TEXT / 4];
    const int64_t id = results__column_integer(row, 1, -1);
    const int64_t count = results__column_integer(row, 3, 1);
    (void)what;
    results__column_text(row, 0, table, sizeof table);
    results__column_text(row, 2, parent, sizeof parent);
    if (id >= 0) {
        (void)snprintf(text, sizeof text,
                       "row %" PRId64 " of table %s names a row of table %s that does not exist",
                       id, table, parent);
    } else {
        (void)snprintf(text, sizeof text,
                       "%" PRId64 " row%s of table %s name%s a row of table %s that does not exist",
                       count, (count == 1) ? "" : "s", table, (count == 1) ? "s" : "", parent);
    }
    return say(look, false, text);
}

/* ---- tables that lost rows ------------------------------------------------------------------ */

/* The number that a query of this moment gives; -1 where a page on its way cannot be read, or where
 * SQLite has no such way (INDEXED BY). Not cached: its text is gone afterwards. */
static Status number_of(Look *look, const char *sql, int64_t *out) {
    sqlite3      *db = look->results->db;
    sqlite3_stmt *statement = NULL;
    *out = -1;
    if (sql == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a query");
    }
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
    }
    if (code == SQLITE_ROW) {
        *out = results__column_integer(statement, 0, 0);
        code = SQLITE_OK;
    }
    const bool   unknown = (code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_ERROR;
    const Status status = (code == SQLITE_OK || unknown)
                              ? STATUS_OK
                              : results__error(look->results, code, "counting rows");
    (void)sqlite3_finalize(statement);
    return status;
}

static Status number_and_free(Look *look, char *sql, int64_t *out) {
    const Status status = number_of(look, sql, out);
    sqlite3_free(sql);
    return status;
}

static Status say_lost_rows(Look *look) {
    char text[TEXT];
    if (look->lost == 0) {
        return STATUS_OK;
    }
    (void)snprintf(text, sizeof text, "table %s has lost %" PRId64 " row%s", look->table,
                   look->lost, (look->lost == 1) ? "" : "s");
    look->lost = 0;
    return say(look, false, text);
}

/* An index that has more entries than its table has rows, and entries that lead to no row: the
 * table lost these rows. Either alone is an index that went wrong by itself: an old page of one
 * whose rows come and go by their state, or entries whose row numbers were hit. sum(1), since
 * count(*) takes whatever index is the smallest. */
static Status compare_index(Look *look, sqlite3_stmt *row, const void *what) {
    const char *table = results__column_borrow(row, 0);
    const char *index = results__column_borrow(row, 1);
    const char *where = results__column_borrow(row, 2); /* "1", or what the index is limited to */
    int64_t     rows = 0;
    int64_t     entries = 0;
    int64_t     astray = 0;
    (void)what;
    if (strcmp(table, look->table) != 0) {
        TRY(say_lost_rows(look));
        (void)snprintf(look->table, sizeof look->table, "%s", table);
    }
    TRY(number_and_free(
        look, sqlite3_mprintf("SELECT sum(1) FROM \"%w\" NOT INDEXED WHERE %s", table, where),
        &rows));
    TRY(number_and_free(look,
                        sqlite3_mprintf("SELECT sum(1) FROM \"%w\" INDEXED BY \"%w\" WHERE %s",
                                        table, index, where),
                        &entries));
    if (rows < 0) {
        look->unsound = true;
    } else if (entries > rows) {
        TRY(number_and_free(
            look,
            sqlite3_mprintf("SELECT sum(1) FROM \"%w\" AS i INDEXED BY \"%w\" WHERE %s AND NOT"
                            " EXISTS (SELECT 1 FROM \"%w\" AS r NOT INDEXED WHERE r.rowid ="
                            " i.rowid)",
                            table, index, where, table),
            &astray));
        const int64_t lost = (astray < entries - rows) ? astray : entries - rows;
        look->lost = (lost > look->lost) ? lost : look->lost;
        look->unsound = look->unsound || lost > 0;
    }
    return STATUS_OK;
}

/* REINDEX would make the indexes fit a table that lost rows, and nothing would tell of them. */
static Status compare_tables(Look *look) {
    const Status status =
        visit(look,
              "SELECT tbl_name, name, CASE WHEN instr(sql, ' WHERE ') > 0"
              " THEN '(' || substr(sql, instr(sql, ' WHERE ') + 7) || ')' ELSE '1' END"
              " FROM sqlite_schema WHERE type = 'index' ORDER BY tbl_name, name",
              NULL, compare_index);
    if (status == STATUS_ERR_CORRUPT) {
        look->unsound = true;
    } else {
        TRY(status);
    }
    TRY(say_lost_rows(look));
    return say_how_many_more(look);
}

/* ---- SQLite's own check, and indexes -------------------------------------------------------- */

/* A line for each thing that SQLite finds wrong, at most some hundred; none where all is well. */
static Status integrity(Results *results, Buffer *lines) {
    sqlite3_stmt *statement = NULL;
    bool          row = true;
    buffer_clear(lines);
    TRY(results__query(results, "PRAGMA integrity_check", &statement, ""));
    while (row) {
        const Status status = results__step(results, statement, &row);
        if (status == STATUS_ERR_CORRUPT) {
            buffer_puts(lines, "the check stopped at a page that it cannot read\n");
            break;
        }
        TRY(status);
        const char *said = row ? results__column_borrow(statement, 0) : "ok";
        if (strcmp(said, "ok") != 0) {
            buffer_printf(lines, "%s\n", said);
        }
    }
    return buffer_status(lines);
}

/* the next of these lines; false at the end. One that is longer than `line` is cut. */
static bool next_line(const char **lines, char line[TEXT / 2]) {
    static const char head[] = "*** in database";
    while ((*lines)[0] != '\0') {
        const size_t length = strcspn(*lines, "\n");
        (void)snprintf(line, TEXT / 2, "%.*s", (int)length, *lines);
        *lines += length + ((*lines)[length] == '\n');
        if (length > 0 && strncmp(line, head, sizeof head - 1) != 0) {
            return true;
        }
    }
    return false;
}

static bool has_line(const char *lines, const char *wanted) {
    char line[TEXT / 2];
    while (next_line(&lines, line)) {
        if (strcmp(line, wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* Is it about an index that can be made anew from its table ("row 7 missing from index NAME")? The
 * key of a table WITHOUT ROWID is the table itself, and no row of sqlite_schema. */
static Status is_index(Results *results, const char *line, bool *index) {
    static const char word[] = " index ";
    const char       *name = strstr(line, word);
    int64_t           count = 0;
    *index = false;
    if (name == NULL) {
        return STATUS_OK;
    }
    const Status status = results__integer(
        results, "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = ?", 0, &count,
        "t", name + sizeof word - 1);
    *index = status == STATUS_OK && count > 0;
    return status;
}

/* Says what stays, and which of it is about indexes. */
static Status say_what_stays(Look *look, const char *lines, bool *indexes) {
    char text[TEXT];
    char line[TEXT / 2];
    *indexes = false;
    while (next_line(&lines, line)) {
        bool index = false;
        TRY(is_index(look->results, line, &index));
        *indexes = *indexes || index;
        (void)snprintf(text, sizeof text, "SQLite: %s", line);
        TRY(say(look, index && !look->mend && !look->unsound, text));
    }
    return say_how_many_more(look);
}

static Status say_what_went(Look *look, const char *before, const char *after) {
    char text[TEXT];
    char line[TEXT / 2];
    while (next_line(&before, line)) {
        if (has_line(after, line)) {
            continue;
        }
        (void)snprintf(text, sizeof text, "SQLite: %s, indexes made anew", line);
        TRY(say(look, true, text));
    }
    return say_how_many_more(look);
}

/* Indexes first: with a damaged one the rules would miss rows or see some that are not there. What
 * REINDEX cannot mend, such as a table's page or two equal rows, it leaves as it was. */
static Status check_integrity(Look *look, Buffer *before, Buffer *after, bool *indexes) {
    *indexes = false;
    TRY(integrity(look->results, before));
    if (before->length == 0) {
        return STATUS_OK;
    }
    TRY(compare_tables(look));
    if (!look->mend || look->unsound) {
        return say_what_stays(look, buffer_text(before), indexes);
    }
    const Status status = results__script(look->results, "REINDEX");
    if (status != STATUS_ERR_CORRUPT && status != STATUS_ERR_STATE) {
        TRY(status);
    }
    TRY(integrity(look->results, after));
    TRY(say_what_went(look, buffer_text(before), buffer_text(after)));
    return say_what_stays(look, buffer_text(after), indexes);
}

Status results_check(Results *results, bool mend, ResultsFinding found, void *context,
                     bool *again) {
    Look   look = {.results = results, .mend = mend, .found = found, .context = context};
    bool   indexes = false;
    Buffer before;
    Buffer after;
    buffer_init(&before, RESULTS_TEXT_CAP);
    buffer_init(&after, RESULTS_TEXT_CAP);
    const Status status = check_integrity(&look, &before, &after, &indexes);
    *again = status == STATUS_OK && before.length > 0 && !mend && !look.unsound;
    buffer_reset(&before);
    buffer_reset(&after);
    TRY(status);
    if (indexes) {
        return found(context, !mend && !look.unsound,
                     "what rows say was not looked at: that needs sound indexes");
    }
    TRY(look_at(&look, parents.sql, &parents, missing_parent));
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        TRY(look_at(&look, rules[i].sql, &rules[i], broken_rule));
    }
    return STATUS_OK;
}

Status results_write_log_empty(Results *results) {
    return results__script(results, "PRAGMA wal_checkpoint(TRUNCATE)");
}
