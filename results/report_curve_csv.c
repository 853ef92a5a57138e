/* The columns of exported learning curves and a row's cells as CSV (RFC 4180).
 *
 * Whoever reads the table finds what it needs by a column's name, so a name may have one meaning
 * only. A metric with two (an objective that is constrained, a cost that is) has one column as long
 * as its values agree in every row, which they do where segments are one unit long. An empty cell
 * is a value that is missing and nothing else: texts are written as they are. */
#include "results/report_internal.h"

#include "core/number.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 64 };

/* where the cells of a column come from */
enum { HYPERPARAMETER, SEED, UNIT, OBJECTIVE, COST, CONSTRAINT, SECONDS };

static const char *const meanings[] = {
    [HYPERPARAMETER] = "a hyperparameter", [SEED] = "the seed of a curve",
    [UNIT] = "the budget units of a row",  [OBJECTIVE] = "an objective",
    [COST] = "the study's cost",           [CONSTRAINT] = "a constraint",
    [SECONDS] = "the time of a row",
};

static bool is_metric(int kind) {
    return kind == OBJECTIVE || kind == COST || kind == CONSTRAINT;
}

/* ---- columns -------------------------------------------------------------------------------- */

static Status add_column(CurveCsv *table, int kind, const char *name) {
    size_t same = 0;
    while (same < table->count && strcmp(table->columns[same].name, name) != 0) {
        same++;
    }
    if (same < table->count && !(is_metric(kind) && is_metric(table->columns[same].kind))) {
        FAIL(STATUS_ERR_STATE,
             "the curves cannot be exported: '%s' is the name of %s and of %s, and a table has "
             "one column of a name",
             name, meanings[table->columns[same].kind], meanings[kind]);
    }
    CurveColumn *column = &table->columns[table->count];
    *column = (CurveColumn){.kind = kind, .same = same, .name = strdup(name)};
    if (column->name == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a column");
    }
    table->width += (same == table->count) ? 1 : 0;
    table->count++;
    return STATUS_OK;
}

/* a column for every row of `sql` (a metric) */
static Status add_metrics(Results *results, const char *sql, int kind, CurveCsv *table) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, sql, &statement, ""));
    for (;;) {
        bool more = false;
        TRY(results__step(results, statement, &more));
        if (!more) {
            return STATUS_OK;
        }
        const char  *name = (const char *)sqlite3_column_text(statement, 0);
        const Status status = add_column(table, kind, (name != NULL) ? name : "");
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

/* "0.001" beside 1e-3: two choices, one cell */
static Status check_choices(const Parameter *parameter) {
    char text[NUMBER_TEXT_SIZE];
    for (size_t i = 0; i < parameter->choice_count; i++) {
        const ParameterChoice *number = &parameter->choices[i];
        if (number->kind == 't') {
            continue;
        }
        number_format((number->kind == 'i') ? (double)number->integer : number->number, text);
        for (size_t k = 0; k < parameter->choice_count; k++) {
            const ParameterChoice *other = &parameter->choices[k];
            if (other->kind == 't' && strcmp(other->text, text) == 0) {
                FAIL(STATUS_ERR_STATE,
                     "the curves cannot be exported: '%s' has the number %s and the text '%s' "
                     "among its choices, which a table cannot tell apart",
                     parameter->name, text, text);
            }
        }
    }
    return STATUS_OK;
}

static Status add_all(Results *results, const char *cost, CurveCsv *table) {
    for (size_t i = 0; i < results->parameter_count; i++) {
        TRY(check_choices(&results->parameters[i]));
        TRY(add_column(table, HYPERPARAMETER, results->parameters[i].name));
    }
    TRY(add_column(table, SEED, "seed"));
    TRY(add_column(table, UNIT, "unit"));
    TRY(add_metrics(results, "SELECT metric FROM objective ORDER BY id", OBJECTIVE, table));
    if (cost != NULL) {
        TRY(add_column(table, COST, cost));
    }
    TRY(add_metrics(results, "SELECT metric FROM constraint_spec ORDER BY id", CONSTRAINT, table));
    TRY(add_column(table, SECONDS, "seconds"));
    if (table->width > REPORT_CURVE_COLUMNS) {
        FAIL(STATUS_ERR_RANGE,
             "the curves cannot be exported: they have %zu columns, and a table takes at most %d",
             table->width, (int)REPORT_CURVE_COLUMNS);
    }
    return STATUS_OK;
}

Status results__curve_csv_make(Results *results, const char *cost, CurveCsv *out) {
    const size_t fixed = 4; /* seed, unit, cost, seconds */
    *out = (CurveCsv){.columns = calloc(results->parameter_count + results->objective_count +
                                            results->constraint_count + fixed,
                                        sizeof *out->columns)};
    if (out->columns == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the columns of the table");
    }
    return add_all(results, cost, out);
}

void results__curve_csv_reset(CurveCsv *table) {
    for (size_t i = 0; i < table->count; i++) {
        free(table->columns[i].name);
    }
    free(table->columns);
    *table = (CurveCsv){.columns = NULL};
}

/* ---- cells ---------------------------------------------------------------------------------- */

static bool is_missing(const Json *value) {
    return value == NULL || json_is_null(value) ||
           (json_is_number(value) && isnan(json_number(value)));
}

bool results__same_scalar(const Json *a, const Json *b) {
    if (is_missing(a) || is_missing(b)) {
        return is_missing(a) && is_missing(b);
    }
    if (json_is_string(a) && json_is_string(b)) {
        return strcmp(json_string(a), json_string(b)) == 0;
    }
    if (json_is_integer(a) && json_is_integer(b)) {
        return json_integer(a) == json_integer(b);
    }
    if (json_is_number(a) && json_is_number(b)) {
        return json_number(a) == json_number(b);
    }
    return json_is_bool(a) && json_is_bool(b) && json_bool(a) == json_bool(b);
}

static const Json *cell_of(const CurveColumn *column, const Json *segment) {
    static const char *const keys[] = {
        [HYPERPARAMETER] = "hyperparameters",
        [SEED] = "trial",
        [UNIT] = "end",
        [OBJECTIVE] = "objective",
        [COST] = "cost",
        [CONSTRAINT] = "constraints",
        [SECONDS] = "busy_seconds",
    };
    const Json *value = json_get(segment, keys[column->kind]);
    /* one objective stands for itself, several by their names */
    return json_is_object(value) ? json_get(value, column->name) : value;
}

static void put_text(const char *text, Buffer *out) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buffer_puts(out, text);
        return;
    }
    buffer_puts(out, "\"");
    for (; *text != '\0'; text++) {
        buffer_puts(out, (*text == '"') ? "\"" : "");
        buffer_append(out, text, 1);
    }
    buffer_puts(out, "\"");
}

static void put_cell(const Json *value, Buffer *out) {
    char text[NUMBER_TEXT_SIZE];
    if (is_missing(value)) {
        return;
    }
    if (json_is_string(value)) {
        put_text(json_string(value), out);
    } else if (json_is_bool(value)) {
        buffer_puts(out, json_bool(value) ? "true" : "false");
    } else if (json_is_integer(value)) {
        buffer_printf(out, "%lld", (long long)json_integer(value));
    } else {
        number_format(json_number(value), text);
        buffer_puts(out, text);
    }
}

/* an empty text would be read as a value that is missing */
static Status check_text(const CurveColumn *column, const Json *value) {
    if (json_is_string(value) && json_string(value)[0] == '\0') {
        FAIL(STATUS_ERR_STATE,
             "the curves cannot be exported: a choice of '%s' is an empty text, which a table "
             "cannot tell from a value that is not active",
             column->name);
    }
    return STATUS_OK;
}

static Status fail_shared(const CurveColumn *a, const CurveColumn *b, const Json *segment) {
    Buffer values[2];
    char   id[CELL_BYTES];
    buffer_init(&values[0], CELL_BYTES);
    buffer_init(&values[1], CELL_BYTES);
    put_cell(cell_of(a, segment), &values[0]);
    put_cell(cell_of(b, segment), &values[1]);
    number_format(json_number(json_get(segment, "id")), id);
    const Status status =
        FAILURE(STATUS_ERR_STATE,
                "the curves cannot be exported: '%s' is %s and %s, and these differ in segment %s "
                "('%s' and '%s'), but a table has one column of a name",
                a->name, meanings[a->kind], meanings[b->kind], id, buffer_text(&values[0]),
                buffer_text(&values[1]));
    buffer_reset(&values[0]);
    buffer_reset(&values[1]);
    return status;
}

/* ---- rows ----------------------------------------------------------------------------------- */

void results__curve_csv_header(const CurveCsv *table, Buffer *out) {
    for (size_t i = 0; i < table->count; i++) {
        if (table->columns[i].same == i) {
            buffer_puts(out, (i == 0) ? "" : ",");
            put_text(table->columns[i].name, out);
        }
    }
    buffer_puts(out, "\n");
}

Status results__curve_csv_row(const CurveCsv *table, const Json *segment, Buffer *out) {
    for (size_t i = 0; i < table->count; i++) {
        const CurveColumn *column = &table->columns[i];
        const CurveColumn *first = &table->columns[column->same];
        const Json        *value = cell_of(column, segment);
        if (column->same != i) {
            if (!results__same_scalar(cell_of(first, segment), value)) {
                return fail_shared(first, column, segment);
            }
            continue;
        }
        TRY(check_text(column, value));
        buffer_puts(out, (i == 0) ? "" : ",");
        put_cell(value, out);
    }
    buffer_puts(out, "\n");
    return buffer_status(out);
}
