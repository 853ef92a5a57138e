/* Cells are cut in place; a row is read into a point, a seed, a unit and metrics; then rows are
 * sorted, so that neither the order of the file nor a second copy of a configuration matters. */
#include "schedulers/curve_table.h"

#include "core/buffer.h"
#include "core/file.h"
#include "core/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* one row as read */
typedef struct Row {
    double *numbers; /* (values + metric_count) of the reader's block: point, metrics */
    int64_t seed;
    int64_t unit;
    size_t  line;
    size_t  values; /* of the point */
} Row;

typedef struct Reader {
    const char         *name;
    char               *next;  /* text that was not read yet */
    size_t              line;  /* on which the row that is being read begins, from 1 */
    size_t              inner; /* line breaks inside its quotes */
    char               *cells[CURVE_TABLE_COLUMNS];
    size_t              cell_count;
    const Space        *space;
    const CurveColumns *columns;
    size_t              width;         /* columns of the header */
    size_t             *value_column;  /* (space_count) */
    size_t             *metric_column; /* (columns->count); width = not there */
    size_t              seed_column;   /* width = not there */
    size_t              unit_column;
    Row                *rows; /* (row_count) */
    double             *numbers;
    size_t              row_count;
    size_t              row_capacity;
} Reader;

/* ---- cells ---- */

/* the end of a quoted cell that begins after its quote; "" inside it is a quote */
static Status unquote(Reader *r, char **cursor) {
    char *from = *cursor + 1;
    char *to = *cursor;
    for (;; from++) {
        if (*from == '\0') {
            FAIL(STATUS_ERR_PARSE, "%s:%zu: a quote is not closed", r->name, r->line);
        }
        if (*from == '"') {
            if (from[1] != '"') {
                break;
            }
            from++;
        }
        r->inner += (*from == '\n') ? 1 : 0;
        *to++ = *from;
    }
    if (strchr(",\r\n", from[1]) == NULL) {
        FAIL(STATUS_ERR_PARSE, "%s:%zu: text after a closing quote", r->name, r->line);
    }
    *cursor = from + 1;
    /* the terminator: inside the cell, before the closing quote's place */
    *to = '\0';
    return STATUS_OK;
}

/* cuts one cell; `*last` if the row ends behind it */
static Status cut_cell(Reader *r, bool *last) {
    if (r->cell_count == CURVE_TABLE_COLUMNS) {
        FAIL(STATUS_ERR_PARSE, "%s:%zu: more than %d columns", r->name, r->line,
             (int)CURVE_TABLE_COLUMNS);
    }
    char *cursor = r->next;
    r->cells[r->cell_count++] = cursor;
    if (*cursor == '"') {
        TRY(unquote(r, &cursor));
    } else {
        cursor += strcspn(cursor, ",\r\n");
    }
    const char end = *cursor;
    *cursor = '\0';
    r->next = (end == '\0') ? cursor : cursor + 1;
    if (end == '\r' && *r->next == '\n') {
        r->next++;
    }
    *last = end != ',';
    return STATUS_OK;
}

/* the next row that is not empty; no cells at the end of the text */
static Status cut_row(Reader *r) {
    r->cell_count = 0;
    r->line += r->inner;
    r->inner = 0;
    while (*r->next == '\n' || *r->next == '\r') {
        r->line += (*r->next == '\n') ? 1 : 0;
        r->next++;
    }
    bool last = *r->next == '\0';
    r->line++;
    while (!last) {
        TRY(cut_cell(r, &last));
    }
    return STATUS_OK;
}

/* ---- the header ---- */

static size_t column_of(const Reader *r, const char *name) {
    size_t i = 0;
    while (i < r->width && (name == NULL || strcmp(r->cells[i], name) != 0)) {
        i++;
    }
    return i;
}

static Status fail_column(const Reader *r, const char *name, const char *what) {
    FAIL(STATUS_ERR_PARSE, "%s:%zu: there is no column '%s' (%s)", r->name, r->line, name, what);
}

static Status read_header(Reader *r) {
    TRY(cut_row(r));
    r->width = r->cell_count;
    for (size_t i = 0; i < r->width; i++) {
        if (column_of(r, r->cells[i]) != i) {
            FAIL(STATUS_ERR_PARSE, "%s:%zu: there are two columns '%s'", r->name, r->line,
                 r->cells[i]);
        }
    }
    for (size_t i = 0; i < space_count(r->space); i++) {
        const char *name = space_at(r->space, i)->name;
        r->value_column[i] = column_of(r, name);
        if (r->value_column[i] == r->width) {
            return fail_column(r, name, "a hyperparameter of the study");
        }
    }
    for (size_t i = 0; i < r->columns->count; i++) {
        r->metric_column[i] = column_of(r, r->columns->metrics[i]);
        if (i < r->columns->needed && r->metric_column[i] == r->width) {
            return fail_column(r, r->columns->metrics[i], "a metric that the study needs");
        }
    }
    r->seed_column = column_of(r, "seed");
    r->unit_column = column_of(r, "unit");
    if (r->unit_column == r->width) {
        return fail_column(r, "unit", "budget units from the beginning");
    }
    return STATUS_OK;
}

/* ---- rows ---- */

static Status fail_cell(const Reader *r, size_t column, const char *name, const char *expected) {
    FAIL(STATUS_ERR_PARSE, "%s:%zu: '%s' must be %s, found '%s'", r->name, r->line, name, expected,
         r->cells[column]);
}

/* 1e-3 in a study file is the number 0.001 to the study's records */
static bool is_number_of(const SpaceParameter *parameter, size_t choice, const char *cell) {
    double a = 0.0;
    double b = 0.0;
    return (parameter->quoted == NULL || !parameter->quoted[choice]) && number_parse(cell, &a) &&
           number_parse(parameter->choices[choice], &b) && a == b;
}

/* its text as in the study file, or another way to write the same number */
static Status read_choice(const Reader *r, size_t column, const SpaceParameter *parameter,
                          double *out) {
    const char *cell = r->cells[column];
    size_t      i = 0;
    while (i < parameter->choice_count && strcmp(parameter->choices[i], cell) != 0) {
        i++;
    }
    if (i == parameter->choice_count) {
        i = 0;
        while (i < parameter->choice_count && !is_number_of(parameter, i, cell)) {
            i++;
        }
    }
    if (i < parameter->choice_count) {
        *out = (double)i;
        return STATUS_OK;
    }
    return fail_cell(r, column, parameter->name, "one of the study's choices");
}

/* an empty cell: not active */
static Status read_value(const Reader *r, size_t index, double *out) {
    const SpaceParameter *parameter = space_at(r->space, index);
    const size_t          column = r->value_column[index];
    const char           *cell = r->cells[column];
    *out = (double)NAN;
    if (*cell == '\0') {
        return STATUS_OK;
    }
    if (parameter->type == SPACE_CATEGORICAL || parameter->type == SPACE_ORDINAL) {
        return read_choice(r, column, parameter, out);
    }
    if (parameter->type == SPACE_BOOL && strcmp(cell, "true") == 0) {
        *out = 1.0;
    } else if (parameter->type == SPACE_BOOL && strcmp(cell, "false") == 0) {
        *out = 0.0;
    } else if (!number_parse(cell, out) || !isfinite(*out)) {
        return fail_cell(r, column, parameter->name, "a finite number");
    }
    return STATUS_OK;
}

static Status read_metric(const Reader *r, size_t index, double *out) {
    const size_t column = r->metric_column[index];
    *out = (double)NAN;
    if (column == r->width || r->cells[column][0] == '\0' || number_parse(r->cells[column], out)) {
        return STATUS_OK;
    }
    return fail_cell(r, column, r->columns->metrics[index], "a number, nan or empty");
}

static Status read_row(Reader *r, Row *row, double *numbers) {
    const size_t n = space_count(r->space);
    if (r->cell_count != r->width) {
        FAIL(STATUS_ERR_PARSE, "%s:%zu: %zu cells; the header has %zu", r->name, r->line,
             r->cell_count, r->width);
    }
    *row = (Row){.line = r->line, .values = n};
    for (size_t i = 0; i < n; i++) {
        TRY(read_value(r, i, &numbers[i]));
    }
    if (space_check(r->space, numbers) != STATUS_OK) {
        return status_prefix("%s:%zu", r->name, r->line);
    }
    if (!number_parse_integer(r->cells[r->unit_column], &row->unit) || row->unit < 1) {
        return fail_cell(r, r->unit_column, "unit", "a whole number from 1 on");
    }
    if (r->seed_column < r->width && !number_parse_integer(r->cells[r->seed_column], &row->seed)) {
        return fail_cell(r, r->seed_column, "seed", "a whole number");
    }
    for (size_t i = 0; i < r->columns->count; i++) {
        TRY(read_metric(r, i, &numbers[n + i]));
    }
    return STATUS_OK;
}

static int compare_points(const Row *a, const Row *b) {
    for (size_t i = 0; i < a->values; i++) {
        const double x = isnan(a->numbers[i]) ? -(double)INFINITY : a->numbers[i];
        const double y = isnan(b->numbers[i]) ? -(double)INFINITY : b->numbers[i];
        if (x != y) {
            return (x < y) ? -1 : 1;
        }
    }
    return 0;
}

static int compare_rows(const void *left, const void *right) {
    const Row *a = left;
    const Row *b = right;
    const int  points = compare_points(a, b);
    if (points != 0) {
        return points;
    }
    if (a->seed != b->seed) {
        return (a->seed < b->seed) ? -1 : 1;
    }
    return (a->unit < b->unit) ? -1 : (a->unit > b->unit);
}

static Status make_room(Reader *r) {
    const size_t numbers = space_count(r->space) + r->columns->count;
    if (r->row_count < r->row_capacity) {
        return STATUS_OK;
    }
    const size_t capacity = 2 * r->row_capacity + 256;
    Row         *rows = realloc(r->rows, capacity * sizeof *rows);
    if (rows != NULL) {
        r->rows = rows;
    }
    double *block = realloc(r->numbers, capacity * numbers * sizeof *block);
    if (block != NULL) {
        r->numbers = block;
    }
    if (rows == NULL || block == NULL) {
        FAIL(STATUS_ERR_NOMEM, "%s:%zu: no memory for %zu rows", r->name, r->line, capacity);
    }
    r->row_capacity = capacity;
    return STATUS_OK;
}

static Status read_rows(Reader *r) {
    const size_t numbers = space_count(r->space) + r->columns->count;
    TRY(cut_row(r));
    while (r->cell_count > 0) {
        TRY(make_room(r));
        TRY(read_row(r, &r->rows[r->row_count], r->numbers + r->row_count * numbers));
        r->row_count++;
        TRY(cut_row(r));
    }
    if (r->rows == NULL) {
        FAIL(STATUS_ERR_PARSE, "%s: there are no rows", r->name);
    }
    /* the block does not move any more */
    for (size_t i = 0; i < r->row_count; i++) {
        r->rows[i].numbers = r->numbers + i * numbers;
    }
    qsort(r->rows, r->row_count, sizeof *r->rows, compare_rows);
    return STATUS_OK;
}

/* ---- the table ---- */

static Status refuse_doubles(const Reader *r) {
    for (size_t i = 1; i < r->row_count; i++) {
        if (compare_rows(&r->rows[i - 1], &r->rows[i]) == 0) {
            FAIL(STATUS_ERR_PARSE,
                 "%s:%zu: the same configuration, seed and unit stand in line %zu", r->name,
                 r->rows[i].line, r->rows[i - 1].line);
        }
    }
    return STATUS_OK;
}

static CurveTable *allocate(const Reader *r) {
    const size_t n = r->row_count + 1;
    CurveTable  *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    table->row_count = r->row_count;
    table->metric_count = r->columns->count;
    table->units = calloc(n, sizeof *table->units);
    table->metrics = calloc(n * (r->columns->count + 1), sizeof *table->metrics);
    table->curve_rows = calloc(n, sizeof *table->curve_rows);
    table->configuration_curves = calloc(n, sizeof *table->configuration_curves);
    table->points = calloc(n * (space_count(r->space) + 1), sizeof *table->points);
    if (table->units == NULL || table->metrics == NULL || table->curve_rows == NULL ||
        table->configuration_curves == NULL || table->points == NULL) {
        curve_table_destroy(table);
        return NULL;
    }
    return table;
}

static Status fill(const Reader *r, CurveTable **out) {
    const size_t values = space_count(r->space);
    CurveTable  *table = allocate(r);
    if (table == NULL) {
        FAIL(STATUS_ERR_NOMEM, "%s: no memory for %zu rows", r->name, r->row_count);
    }
    for (size_t i = 0; i < r->row_count; i++) {
        const Row *row = &r->rows[i];
        const bool configuration = i == 0 || compare_points(row - 1, row) != 0;
        if (configuration) {
            table->configuration_curves[table->configuration_count] = table->curve_count;
            memcpy(table->points + table->configuration_count++ * values, row->numbers,
                   values * sizeof *row->numbers);
        }
        if (configuration || row[-1].seed != row->seed) {
            table->curve_rows[table->curve_count++] = i;
        }
        table->units[i] = row->unit;
        memcpy(table->metrics + i * table->metric_count, row->numbers + values,
               table->metric_count * sizeof *row->numbers);
    }
    table->curve_rows[table->curve_count] = r->row_count;
    table->configuration_curves[table->configuration_count] = table->curve_count;
    *out = table;
    return STATUS_OK;
}

static Status read_all(Reader *r, CurveTable **out) {
    if (r->value_column == NULL || r->metric_column == NULL) {
        FAIL(STATUS_ERR_NOMEM, "%s: no memory for its columns", r->name);
    }
    TRY(read_header(r));
    TRY(read_rows(r));
    TRY(refuse_doubles(r));
    return fill(r, out);
}

Status curve_table_parse(const char *name, char *text, const Space *space,
                         const CurveColumns *columns, CurveTable **out) {
    static const char mark[] = "\xEF\xBB\xBF"; /* of UTF-8, which some spreadsheets write */
    const bool        marked = strncmp(text, mark, sizeof mark - 1) == 0;
    Reader            r = {.name = name,
                           .next = marked ? text + (sizeof mark - 1) : text,
                           .space = space,
                           .columns = columns};
    *out = NULL;
    r.value_column = calloc(space_count(space) + 1, sizeof *r.value_column);
    r.metric_column = calloc(columns->count + 1, sizeof *r.metric_column);
    const Status status = read_all(&r, out);
    free(r.value_column);
    free(r.metric_column);
    free(r.rows);
    free(r.numbers);
    return status;
}

Status curve_table_read(const char *path, const Space *space, const CurveColumns *columns,
                        CurveTable **out) {
    Buffer text;
    *out = NULL;
    buffer_init(&text, CURVE_TABLE_BYTES);
    Status status = file_read(path, &text);
    if (status == STATUS_OK && text.length > 0 && strlen(text.data) != text.length) {
        status = FAILURE(STATUS_ERR_PARSE, "%s: a zero byte is no text", path);
    }
    if (status == STATUS_OK && text.length == 0) {
        status = FAILURE(STATUS_ERR_PARSE, "%s: the file is empty", path);
    }
    if (status == STATUS_OK) {
        status = curve_table_parse(path, text.data, space, columns, out);
    }
    buffer_reset(&text);
    return status;
}

void curve_table_destroy(CurveTable *table) {
    if (table == NULL) {
        return;
    }
    free(table->units);
    free(table->metrics);
    free(table->curve_rows);
    free(table->configuration_curves);
    free(table->points);
    free(table);
}
