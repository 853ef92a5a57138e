/* The results of one earlier study, in the terms of this one: values become a point of this space,
 * objectives and constraints are found by their metric. */
#include "tuner/warm_start.h"

#include "core/file.h"
#include "core/reduce.h"
#include "results/report.h"
#include "tuner/study_file_parts.h"
#include "tuner/study_folder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_CAP = 16 * 1024 * 1024, FIRST_CAPACITY = 64 };

/* a segment of the earlier study, in order of id */
typedef struct Row {
    const Json *json;
    int64_t     id;
    int64_t     end;
    int64_t     reached; /* depths that it has reached: 0, 1, .. depth_count */
    double      cost;    /* from the root */
    bool        counts;  /* finished, of the tuning, one point since the root */
    bool        inside;  /* that point is one of this space */
    bool        first;   /* the first of its line that has reached its depths */
} Row;

typedef struct Source {
    const Study *study; /* this one */
    const char  *word;
    Results     *results; /* the earlier one */
    Json        *definition;
    Json        *segments;
    Row         *rows;   /* (count) */
    double      *points; /* (count, values); all NaN outside */
    size_t       count;
    size_t       values;
} Source;

/* ---- do they fit? --------------------------------------------------------------------------- */

static const Json *objective_of(const Source *source, const char *metric) {
    const Json *all = json_get(source->definition, "objective");
    for (size_t i = 0; i < json_count(all); i++) {
        const char *name = json_string(json_get(json_at(all, i), "metric"));
        if (name != NULL && strcmp(name, metric) == 0) {
            return json_at(all, i);
        }
    }
    return NULL;
}

static bool says(const Json *object, const char *key, const char *text) {
    const char *found = json_string(json_get(object, key));
    return found != NULL && strcmp(found, text) == 0;
}

static Status check_fits(const Source *source) {
    const Study *study = source->study;
    for (size_t i = 0; i < study->objective_count; i++) {
        const StudyObjective *wanted = &study->objectives[i];
        const Json           *objective = objective_of(source, wanted->metric);
        const char           *direction = wanted->maximize ? "maximize" : "minimize";
        if (objective == NULL || !says(objective, "direction", direction) ||
            !says(objective, "reduce", reduce_name(wanted->reduce))) {
            FAIL(
                STATUS_ERR_STATE,
                "warm_start: '%s' does not %s %s (%s), so its results are no results of this study",
                source->word, direction, wanted->metric, reduce_name(wanted->reduce));
        }
    }
    if (!says(json_get(source->definition, "budget"), "unit", study->budget.unit)) {
        FAIL(STATUS_ERR_STATE, "warm_start: '%s' does not count its budget in %ss", source->word,
             study->budget.unit);
    }
    return STATUS_OK;
}

/* ---- values --------------------------------------------------------------------------------- */

/* What the earlier study held fixed is said too, where it did not tune it. */
static Status add_fixed(const Source *source, Json *values) {
    const Json *tuned = json_get(source->definition, "hyperparameters");
    const Json *fixed = json_get(source->definition, "fixed");
    const char *name = NULL;
    Json       *value = NULL;
    for (size_t i = 0; json_member(fixed, i, &name, &value); i++) {
        Json *copy = NULL;
        if (json_get(tuned, name) != NULL || json_get(values, name) != NULL) {
            continue;
        }
        TRY(study__json_copy(value, &copy));
        TRY(json_set(values, name, copy));
    }
    return STATUS_OK;
}

/* a value that this space refuses is no failure */
static Status read_point(const Source *source, const Json *row, double *point, bool *inside) {
    Json *values = NULL;
    TRY(study__json_copy(json_get(row, "hyperparameters"), &values));
    Status status = add_fixed(source, values);
    if (status != STATUS_OK) {
        json_release(values);
        return status;
    }
    status = space_adopt_json(source->study->space, values, point);
    json_release(values);
    *inside = status == STATUS_OK;
    if (status == STATUS_ERR_NOMEM) {
        return status;
    }
    for (size_t i = 0; !*inside && i < source->values; i++) {
        point[i] = (double)NAN;
    }
    status_clear();
    return STATUS_OK;
}

static bool same_values(const Source *source, size_t a, size_t b) {
    const double *x = source->points + a * source->values;
    const double *y = source->points + b * source->values;
    for (size_t i = 0; i < source->values; i++) {
        const bool equal = x[i] <= y[i] && x[i] >= y[i];
        if (!equal && !(isnan(x[i]) && isnan(y[i]))) {
            return false;
        }
    }
    return true;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* place of a segment among the rows, which are in order of id; `count` if it has none */
static size_t place_of(const Source *source, int64_t id) {
    size_t low = 0;
    size_t high = source->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (source->rows[middle].id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (low < source->count && source->rows[low].id == id) ? low : source->count;
}

static bool costs_alike(const Source *source) {
    return source->study->cost != NULL && says(source->definition, "cost", source->study->cost);
}

static double own_cost(const Source *source, const Json *row) {
    const Json *cost = json_get(row, "cost");
    return (costs_alike(source) && json_is_number(cost)) ? json_number(cost) : (double)NAN;
}

static Status fill_row(Source *source, const WarmStart *warm, size_t i) {
    const Json *json = json_at(source->segments, i);
    Row        *row = &source->rows[i];
    *row = (Row){.json = json,
                 .id = json_integer(json_get(json, "id")),
                 .end = json_integer(json_get(json, "end")),
                 .cost = own_cost(source, json)};
    TRY(read_point(source, json, source->points + i * source->values, &row->inside));
    const int64_t above = json_integer(json_get(json, "parent"));
    const size_t  parent = (above > 0) ? place_of(source, above) : i;
    const Row    *before = (parent < i) ? &source->rows[parent] : NULL;
    while ((size_t)row->reached < warm->depth_count && warm->depths[row->reached] <= row->end) {
        row->reached++;
    }
    row->counts = says(json, "kind", "tune") && says(json, "state", "finished") &&
                  (before == NULL ? above == 0 : before->counts && same_values(source, i, parent));
    row->first = row->reached > ((before == NULL) ? 0 : before->reached);
    row->cost += (before == NULL) ? 0.0 : before->cost;
    return STATUS_OK;
}

static Status fill_rows(Source *source, const WarmStart *warm) {
    const size_t count = json_count(source->segments);
    source->values = space_count(source->study->space);
    source->rows = calloc(count + 1, sizeof *source->rows);
    source->points = calloc(count * source->values + 1, sizeof *source->points);
    if (source->rows == NULL || source->points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu segments", count);
    }
    for (size_t i = 0; i < count; i++) {
        source->count = i; /* of the rows that are there: what place_of() looks through */
        TRY(fill_row(source, warm, i));
    }
    source->count = count;
    return STATUS_OK;
}

/* ---- results -------------------------------------------------------------------------------- */

static double objective_value(const Row *row, const char *metric) {
    const Json *objective = json_get(row->json, "objective");
    const Json *value = json_is_object(objective) ? json_get(objective, metric) : objective;
    return json_is_number(value) ? json_number(value) : (double)NAN;
}

/* numbers by the metric; `complete`: all are there */
static Status read_numbers(const Source *source, const Row *row, WarmResult *out, bool *complete) {
    const Study *study = source->study;
    *complete = true;
    for (size_t i = 0; i < study->objective_count; i++) {
        out->objectives[i] = objective_value(row, study->objectives[i].metric);
        *complete = *complete && isfinite(out->objectives[i]);
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        size_t found = 0;
        size_t own = 0;
        TRY(results_lineage_window(source->results, row->id, study->constraints[i].metric, 1,
                                   &out->constraints[i], &found, &own));
        *complete = *complete && found > 0 && !isnan(out->constraints[i]);
    }
    return STATUS_OK;
}

static Status reserve(WarmStart *warm) {
    if (warm->count < warm->capacity) {
        return STATUS_OK;
    }
    const size_t capacity = 2 * warm->capacity + FIRST_CAPACITY;
    WarmResult  *results = realloc(warm->results, capacity * sizeof *results);
    if (results == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu results of earlier studies", capacity);
    }
    warm->results = results;
    warm->capacity = capacity;
    return STATUS_OK;
}

static Status take(const Source *source, size_t i, WarmSource *totals, WarmStart *warm) {
    const Row *row = &source->rows[i];
    WarmResult result = {
        .source = warm->source_count, .segment = row->id, .depth = row->end, .cost = row->cost};
    bool complete = false;
    if (!row->inside) {
        totals->outside++;
        return STATUS_OK;
    }
    TRY(read_numbers(source, row, &result, &complete));
    if (!complete) {
        totals->incomplete++;
        return STATUS_OK;
    }
    TRY(reserve(warm));
    result.point = calloc(source->values + 1, sizeof *result.point);
    if (result.point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    memcpy(result.point, source->points + i * source->values,
           source->values * sizeof *result.point);
    warm->results[warm->count++] = result;
    totals->taken++;
    return STATUS_OK;
}

/* the deepest end of what counts, if none of it reaches a depth that is learned; else 0 */
static int64_t shallow_depth(const Source *source) {
    int64_t deepest = 0;
    for (size_t i = 0; i < source->count; i++) {
        const Row *row = &source->rows[i];
        if (row->counts && row->first) {
            return 0;
        }
        deepest = (row->counts && row->end > deepest) ? row->end : deepest;
    }
    return deepest;
}

static Status take_all(const Source *source, WarmStart *warm) {
    WarmSource *totals = &warm->sources[warm->source_count];
    *totals = (WarmSource){.study = source->word, .shallow = shallow_depth(source)};
    for (size_t i = 0; i < source->count; i++) {
        const Row *row = &source->rows[i];
        const bool wanted = (totals->shallow > 0) ? row->end == totals->shallow : row->first;
        if (!row->counts || !wanted) {
            continue;
        }
        TRY(take(source, i, totals, warm));
    }
    warm->source_count++;
    return STATUS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static Status read_definition(Source *source) {
    Buffer text;
    buffer_init(&text, TEXT_CAP);
    Status status = results_study_text(source->results, "definition", &text);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, &source->definition);
    }
    buffer_reset(&text);
    return status;
}

static Status open_folder(Source *source, const char *path) {
    StudyFolder folder = {.lock = -1};
    Status      status = study_folder_init(path, &folder);
    if (status == STATUS_OK) {
        status = results_open(folder.database, RESULTS_READ, &source->results);
    }
    study_folder_reset(&folder);
    return status;
}

/* relative to the folder of the study file */
static Status open_source(Source *source) {
    char *base = NULL;
    TRY(study__file_folder(source->study, &base));
    char *path = (source->word[0] == '/') ? strdup(source->word) : file_join(base, source->word);
    free(base);
    if (path == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the path of '%s'", source->word);
    }
    const Status status = open_folder(source, path);
    free(path);
    return (status == STATUS_OK) ? STATUS_OK : status_prefix("warm_start: '%s'", source->word);
}

static Status read_source(Source *source, WarmStart *warm) {
    TRY(open_source(source));
    TRY(read_definition(source));
    TRY(check_fits(source));
    TRY(report_segments(source->results, &source->segments));
    TRY(fill_rows(source, warm));
    return take_all(source, warm);
}

Status warm_start__read_source(const Study *study, const char *word, WarmStart *warm) {
    Source       source = {.study = study, .word = word};
    const Status status = read_source(&source, warm);
    json_release(source.definition);
    json_release(source.segments);
    free(source.rows);
    free(source.points);
    results_close(source.results);
    return status;
}
