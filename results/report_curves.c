/* Learning curves as a table: what was measured along chains whose values never changed. */
#include "results/report_internal.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_CAP = 1 << 24 };

/* A segment as seen from its possible child. */
typedef struct Link {
    int64_t trial;
    size_t  row;   /* of report_segments() */
    bool    curve; /* its row is in the table: the chain from the root to here is one curve */
    bool    grown; /* another segment of the trial already goes on from here */
} Link;

typedef struct Curves {
    Results *results;
    Json    *definition;
    Json    *segments; /* rows, in order of id */
    Link    *links;    /* (largest id + 1) */
    Json    *rows;     /* the table */
} Curves;

static Status definition_read(Curves *c) {
    Buffer text;
    buffer_init(&text, TEXT_CAP);
    Status status = results_study_text(c->results, "definition", &text);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, &c->definition);
    }
    buffer_reset(&text);
    return status;
}

static bool same_values(const Json *a, const Json *b) {
    Buffer text[2];
    buffer_init(&text[0], TEXT_CAP);
    buffer_init(&text[1], TEXT_CAP);
    json_write(json_get(a, "hyperparameters"), false, &text[0]);
    json_write(json_get(b, "hyperparameters"), false, &text[1]);
    const bool same = strcmp(buffer_text(&text[0]), buffer_text(&text[1])) == 0;
    buffer_reset(&text[0]);
    buffer_reset(&text[1]);
    return same;
}

/* Does this segment prolong a curve, or begin one? Agents that another trial trained up to there
 * would be one curve under two seeds. */
static bool prolongs(const Curves *c, const Json *segment) {
    const char   *kind = json_string(json_get(segment, "kind"));
    const char   *outcome = json_string(json_get(segment, "outcome"));
    const int64_t parent = json_integer(json_get(segment, "parent"));

    if (kind == NULL || strcmp(kind, "tune") != 0 || outcome == NULL ||
        (strcmp(outcome, "done") != 0 && strcmp(outcome, "diverged") != 0)) {
        return false;
    }
    if (parent == 0) {
        return true;
    }
    const Link *link = &c->links[parent];
    return link->curve && !link->grown && link->trial == json_integer(json_get(segment, "trial")) &&
           same_values(segment, json_at(c->segments, link->row));
}

/* ---- one row -------------------------------------------------------------------------------- */

static Json *copy_scalar(const Json *value) {
    if (json_is_integer(value)) {
        return json_new_integer(json_integer(value));
    }
    if (json_is_number(value)) {
        return json_new_number(json_number(value));
    }
    if (json_is_bool(value)) {
        return json_new_bool(json_bool(value));
    }
    return json_is_string(value) ? json_new_string(json_string(value)) : json_new_null();
}

/* one member per row of `sql` (a name), from `values`; null where that has none */
static Status set_named(Curves *c, const char *sql, const Json *values, Json *row) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(c->results, sql, &statement, ""));
    for (;;) {
        bool        more = false;
        char        name[256];
        const Json *value = values;

        TRY(results__step(c->results, statement, &more));
        if (!more) {
            return STATUS_OK;
        }
        results__column_text(statement, 0, name, sizeof name);
        if (json_is_object(values)) {
            value = json_get(values, name); /* else the only one there is */
        }
        const Status status = json_set(row, name, copy_scalar(value));
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

static Status row_fill(Curves *c, const Json *segment, Json *row) {
    const char *cost = json_string(json_get(c->definition, "cost"));

    TRY(set_named(c, "SELECT name FROM hyperparameter ORDER BY id",
                  json_get(segment, "hyperparameters"), row));
    TRY(json_set(row, "seed", copy_scalar(json_get(segment, "trial"))));
    TRY(json_set(row, "unit", copy_scalar(json_get(segment, "end"))));
    TRY(set_named(c, "SELECT metric FROM objective ORDER BY id", json_get(segment, "objective"),
                  row));
    if (cost != NULL) {
        TRY(json_set(row, cost, copy_scalar(json_get(segment, "cost"))));
    }
    TRY(set_named(c, "SELECT metric FROM constraint_spec ORDER BY id",
                  json_get(segment, "constraints"), row));
    return json_set(row, "seconds", copy_scalar(json_get(segment, "busy_seconds")));
}

static Status row_add(Curves *c, const Json *segment) {
    Json *row = json_new_object();
    if (row == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a row");
    }
    const Status status = row_fill(c, segment, row);
    if (status != STATUS_OK) {
        json_release(row);
        return status;
    }
    return json_push(c->rows, row);
}

/* ---- all ------------------------------------------------------------------------------------ */

static Status links_make(Curves *c) {
    const size_t count = json_count(c->segments);
    const Json  *last = (count > 0) ? json_at(c->segments, count - 1) : NULL;
    const size_t most = (last != NULL) ? (size_t)json_integer(json_get(last, "id")) : 0;

    c->links = calloc(most + 1, sizeof *c->links);
    if (c->links == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu segments", most);
    }
    return STATUS_OK;
}

static Status take(Curves *c, size_t row) {
    const Json *segment = json_at(c->segments, row);
    Link       *link = &c->links[json_integer(json_get(segment, "id"))];

    *link = (Link){.trial = json_integer(json_get(segment, "trial")), .row = row};
    if (!prolongs(c, segment)) {
        return STATUS_OK;
    }
    link->curve = true;
    c->links[json_integer(json_get(segment, "parent"))].grown = true; /* 0: of nobody */
    return row_add(c, segment);
}

static Status fill(Curves *c) {
    TRY(links_make(c));
    for (size_t i = 0; i < json_count(c->segments); i++) {
        TRY(take(c, i));
    }
    return STATUS_OK;
}

Status report_curves(Results *results, Json **out) {
    Curves c = {.results = results, .rows = json_new_array()};

    Status status = (c.rows == NULL) ? FAILURE(STATUS_ERR_NOMEM, "no memory for the table")
                                     : definition_read(&c);
    if (status == STATUS_OK) {
        status = report_segments(results, &c.segments);
    }
    if (status == STATUS_OK) {
        status = fill(&c);
    }
    json_release(c.definition);
    json_release(c.segments);
    free(c.links);
    if (status != STATUS_OK) {
        json_release(c.rows);
        return status;
    }
    *out = c.rows;
    return STATUS_OK;
}
