/* Learning curves as a table: what was measured along chains whose values never changed. Here:
 * which segments are rows. What a row says is in report_curve_csv.c. */
#include "results/report_internal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* an id may be this many times the count of rows */
enum { GAPS = 1024 };

enum { TEXT_CAP = 1 << 24 };

/* A segment as seen from its possible child. */
typedef struct Link {
    int64_t trial;
    size_t  row;   /* of report_segments() */
    size_t  older; /* row + 1 of the segment that began this trial before; 0 = none */
    bool    curve; /* the chain from the root to here is one curve that may go on */
    bool    grown; /* another segment of the trial already goes on from here */
} Link;

typedef struct Curves {
    Results      *results;
    Json         *definition;
    Json         *segments;     /* rows, in order of id */
    Link         *links;        /* (largest id + 1) */
    size_t       *roots;        /* (largest tuning trial + 1) row + 1 of the newest curve's first */
    int64_t       most_segment; /* largest ids */
    int64_t       most_trial;
    CurveCsv      table;
    ReportCurves *report;
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

static bool same_values(const Curves *c, const Json *a, const Json *b) {
    const Json *x = json_get(a, "hyperparameters");
    const Json *y = json_get(b, "hyperparameters");
    for (size_t i = 0; i < c->results->parameter_count; i++) {
        const char *name = c->results->parameters[i].name;
        if (!results__same_scalar(json_get(x, name), json_get(y, name))) {
            return false;
        }
    }
    return true;
}

/* Did this trial begin with these values before (a population's restart may draw them again)? The
 * two would be one curve: the earlier one is. */
static bool began_before(const Curves *c, const Json *segment) {
    size_t row = c->roots[json_integer(json_get(segment, "trial"))];
    while (row != 0) {
        const Json *earlier = json_at(c->segments, row - 1);
        if (same_values(c, segment, earlier)) {
            return true;
        }
        row = c->links[json_integer(json_get(earlier, "id"))].older;
    }
    return false;
}

/* A result, or a failure for good. What a user or the machine's owner ended says nothing about the
 * configuration: there the curve is only cut short. */
static bool has_ended(const Json *segment) {
    const char *outcome = json_string(json_get(segment, "outcome"));
    return outcome != NULL && strcmp(outcome, "cancelled") != 0 &&
           strcmp(outcome, "preempted") != 0;
}

/* Does this segment prolong a curve, or begin one? Agents that another trial trained up to there
 * would be one curve under two seeds. */
static bool prolongs(const Curves *c, const Json *segment) {
    const int64_t parent = json_integer(json_get(segment, "parent"));

    if (!has_ended(segment)) {
        return false;
    }
    if (parent == 0) {
        return !began_before(c, segment);
    }
    const Link *link = &c->links[parent];
    return link->curve && !link->grown && link->trial == json_integer(json_get(segment, "trial")) &&
           same_values(c, segment, json_at(c->segments, link->row));
}

/* ---- what became of the curves -------------------------------------------------------------- */

static void count(ReportCurves *report, const Json *segment, const char *outcome) {
    const int64_t begin = json_integer(json_get(segment, "begin"));
    const int64_t end = json_integer(json_get(segment, "end"));

    report->rows++;
    report->curves += (begin == 0) ? 1 : 0;
    if (strcmp(outcome, "diverged") == 0) {
        report->diverged++;
    } else if (strcmp(outcome, "done") != 0) {
        report->failed++;
    } else if (begin < report->per_trial && end >= report->per_trial) {
        report->complete++;
    }
}

static Status describe_study(Curves *c) {
    const Json *budget = json_get(c->definition, "budget");
    const char *unit = json_string(json_get(budget, "unit"));

    c->report->per_trial = json_integer(json_get(budget, "per_trial"));
    (void)snprintf(c->report->unit, sizeof c->report->unit, "%s", (unit != NULL) ? unit : "unit");
    return results__curve_csv_make(c->results, json_string(json_get(c->definition, "cost")),
                                   &c->table);
}

/* ---- all ------------------------------------------------------------------------------------ */

/* the largest id of a table, which has few gaps unless it is damaged */
static Status largest(Results *results, const char *max_sql, const char *count_sql, int64_t *out) {
    int64_t count = 0;
    TRY(results__integer(results, max_sql, 0, out, ""));
    TRY(results__integer(results, count_sql, 0, &count, ""));
    if (*out < 0 || *out > GAPS * (count + 1)) {
        FAIL(STATUS_ERR_CORRUPT, "%s: a table of %lld rows has the number %lld", results->path,
             (long long)count, (long long)*out);
    }
    return STATUS_OK;
}

/* confirmation numbers its own from a billion on */
#define TUNING_SEGMENTS " FROM segment AS s JOIN trial AS t ON t.id = s.trial WHERE t.kind = 'tune'"

static Status links_make(Curves *c) {
    TRY(largest(c->results, "SELECT max(s.id)" TUNING_SEGMENTS, "SELECT count(*)" TUNING_SEGMENTS,
                &c->most_segment));
    TRY(largest(c->results, "SELECT max(id) FROM trial WHERE kind = 'tune'",
                "SELECT count(*) FROM trial WHERE kind = 'tune'", &c->most_trial));
    c->links = calloc((size_t)c->most_segment + 1, sizeof *c->links);
    c->roots = calloc((size_t)c->most_trial + 1, sizeof *c->roots);
    if (c->links == NULL || c->roots == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %lld segments", (long long)c->most_segment);
    }
    return STATUS_OK;
}

/* a damaged database may name anybody */
static Status check_numbers(const Curves *c, const Json *segment) {
    const int64_t id = json_integer(json_get(segment, "id"));
    const int64_t parent = json_integer(json_get(segment, "parent"));
    const int64_t trial = json_integer(json_get(segment, "trial"));
    if (id < 1 || id > c->most_segment || parent < 0 || parent >= id || trial < 0 ||
        trial > c->most_trial) {
        FAIL(STATUS_ERR_CORRUPT, "segment %lld of trial %lld with parent %lld cannot be",
             (long long)id, (long long)trial, (long long)parent);
    }
    return STATUS_OK;
}

static Status take(Curves *c, size_t row, Buffer *csv) {
    const Json *segment = json_at(c->segments, row);
    const char *kind = json_string(json_get(segment, "kind"));
    if (kind == NULL || strcmp(kind, "tune") != 0) {
        return STATUS_OK;
    }
    TRY(check_numbers(c, segment));
    const char   *outcome = json_string(json_get(segment, "outcome"));
    const int64_t parent = json_integer(json_get(segment, "parent"));
    const int64_t trial = json_integer(json_get(segment, "trial"));
    Link         *link = &c->links[json_integer(json_get(segment, "id"))];

    *link = (Link){.trial = trial, .row = row};
    if (!prolongs(c, segment)) {
        return STATUS_OK;
    }
    link->curve = strcmp(outcome, "done") == 0;
    if (parent == 0) {
        link->older = c->roots[trial];
        c->roots[trial] = row + 1;
    } else {
        c->links[parent].grown = true;
    }
    count(c->report, segment, outcome);
    return results__curve_csv_row(&c->table, segment, csv);
}

static Status fill(Curves *c, Buffer *csv) {
    TRY(definition_read(c));
    TRY(report_segments(c->results, &c->segments));
    TRY(links_make(c));
    TRY(describe_study(c));
    results__curve_csv_header(&c->table, csv);
    for (size_t i = 0; i < json_count(c->segments); i++) {
        TRY(take(c, i, csv));
    }
    return buffer_status(csv);
}

Status report_curves(Results *results, Buffer *csv, ReportCurves *out) {
    Curves c = {.results = results, .report = out};

    *out = (ReportCurves){.rows = 0};
    const Status status = fill(&c, csv);
    json_release(c.definition);
    json_release(c.segments);
    results__curve_csv_reset(&c.table);
    free(c.links);
    free(c.roots);
    return status;
}
