#include "tuner/table.h"

#include "core/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CELL_BYTES = 64 * 1024,
    GAP = 2,          /* blanks between columns */
    COLUMN_LEAST = 6, /* a column is not cut below this */
    FOLD_LEAST = 20,
    DIGITS = 6 /* of numbers for people */
};

/* ---- building ---- */

void table_init(Table *table) {
    memset(table, 0, sizeof *table);
}

void table_reset(Table *table) {
    for (size_t i = 0; i < table->cell_count; i++) {
        free(table->cells[i]);
    }
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].title);
    }
    free(table->cells);
    memset(table, 0, sizeof *table);
}

static void fail(Table *table) {
    table->status = FAILURE(STATUS_ERR_NOMEM, "no memory for a table, or a cell is too long");
}

void table_column(Table *table, const char *title, TableAlign align) {
    if (table->status != STATUS_OK) {
        return;
    }
    if (table->column_count == TABLE_MAX_COLUMNS) {
        table->status =
            FAILURE(STATUS_ERR_RANGE, "a table takes at most %d columns", (int)TABLE_MAX_COLUMNS);
        return;
    }
    char *copy = strdup(title);
    if (copy == NULL) {
        fail(table);
        return;
    }
    TableColumn *column = &table->columns[table->column_count++];
    column->title = copy;
    column->align = align;
}

void table_cell(Table *table, const char *text) {
    if (table->status != STATUS_OK) {
        return;
    }
    if (table->cell_count == table->capacity) {
        const size_t capacity = table->capacity == 0 ? 64 : 2 * table->capacity;
        char       **cells = reallocarray(table->cells, capacity, sizeof *cells);
        if (cells == NULL) {
            fail(table);
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *copy = strdup(text);
    if (copy == NULL) {
        fail(table);
        return;
    }
    for (char *at = copy; *at != '\0'; at++) {
        if (*at == '\n' || *at == '\r' || *at == '\t' || *at == '\033') {
            *at = ' ';
        }
    }
    table->cells[table->cell_count++] = copy;
}

/* Takes the buffer's memory. */
static void cell_from(Table *table, Buffer *text) {
    if (text->status != STATUS_OK) {
        fail(table);
    }
    table_cell(table, buffer_text(text));
    buffer_reset(text);
}

static void number_text(double value, bool exact, Buffer *out) {
    char text[NUMBER_TEXT_SIZE];

    if (exact || (value == rint(value) && fabs(value) < 1e15)) {
        number_format(value, text);
        buffer_puts(out, text);
    } else {
        buffer_printf(out, "%.*g", DIGITS, value);
    }
}

void table_number(Table *table, double value) {
    Buffer text;

    if (isnan(value)) {
        table_cell(table, "-");
        return;
    }
    buffer_init(&text, CELL_BYTES);
    number_text(value, table->exact, &text);
    cell_from(table, &text);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth of what results report */
void table_value(const Json *json, bool exact, Buffer *out) {
    const char *key = NULL;
    Json       *member = NULL;

    if (json == NULL || json_is_null(json)) {
        buffer_puts(out, "-");
    } else if (json_is_string(json)) {
        buffer_puts(out, json_string(json));
    } else if (json_is_bool(json)) {
        buffer_puts(out, json_bool(json) ? "true" : "false");
    } else if (json_is_integer(json)) {
        buffer_printf(out, "%lld", (long long)json_integer(json));
    } else if (json_is_number(json)) {
        number_text(json_number(json), exact, out);
    } else if (json_is_object(json)) {
        for (size_t i = 0; json_member(json, i, &key, &member); i++) {
            buffer_printf(out, "%s%s=", i == 0 ? "" : " ", key);
            table_value(member, exact, out);
        }
    } else {
        for (size_t i = 0; i < json_count(json); i++) {
            buffer_puts(out, i == 0 ? "" : " ");
            table_value(json_at(json, i), exact, out);
        }
    }
}

void table_json(Table *table, const Json *json) {
    Buffer text;

    buffer_init(&text, CELL_BYTES);
    table_value(json, table->exact, &text);
    cell_from(table, &text);
}

/* ---- from arrays of objects ---- */

/* Where the values of one column come from. */
typedef struct Source {
    const char *key;
    const char *member; /* of the object under `key`; NULL = the value itself */
    bool        number; /* every value seen is a number */
} Source;

typedef struct Sources {
    Source items[TABLE_MAX_COLUMNS];
    size_t count;
} Sources;

static void see(Sources *sources, const char *key, const char *member, const Json *value) {
    const bool number = value == NULL || json_is_null(value) || json_is_number(value);

    for (size_t i = 0; i < sources->count; i++) {
        Source *item = &sources->items[i];
        if (strcmp(item->key, key) == 0 && (member == NULL) == (item->member == NULL) &&
            (member == NULL || strcmp(item->member, member) == 0)) {
            item->number = item->number && number;
            return;
        }
    }
    if (sources->count < TABLE_MAX_COLUMNS) {
        sources->items[sources->count++] = (Source){key, member, number};
    }
}

static void see_member(Sources *sources, const char *key, const Json *value) {
    const char *name = NULL;
    Json       *inner = NULL;

    if (!json_is_object(value)) {
        see(sources, key, NULL, value);
        return;
    }
    for (size_t i = 0; json_member(value, i, &name, &inner); i++) {
        see(sources, key, name, inner);
    }
}

/* All columns of one key before those of the next, in whatever row they appear first. */
static void collect(const Json *rows, const char *const *keys, Sources *sources) {
    for (size_t k = 0; keys[k] != NULL; k++) {
        for (size_t i = 0; i < json_count(rows); i++) {
            const Json *value = json_get(json_at(rows, i), keys[k]);
            if (value != NULL) {
                see_member(sources, keys[k], value);
            }
        }
    }
}

static size_t all_keys(const Json *rows, const char **keys) {
    size_t n = 0;

    for (size_t i = 0; i < json_count(rows); i++) {
        const char *key = NULL;
        Json       *value = NULL;
        for (size_t j = 0; json_member(json_at(rows, i), j, &key, &value); j++) {
            size_t k = 0;
            while (k < n && strcmp(keys[k], key) != 0) {
                k++;
            }
            if (k == n && n < TABLE_MAX_COLUMNS) {
                keys[n++] = key;
            }
        }
    }
    keys[n] = NULL;
    return n;
}

void table_rows(Table *table, const Json *rows, const char *const *keys, bool prefix) {
    const char *found[TABLE_MAX_COLUMNS + 1];
    Sources     sources = {.count = 0};

    if (keys == NULL) {
        (void)all_keys(rows, found);
        keys = found;
    }
    collect(rows, keys, &sources);
    for (size_t c = 0; c < sources.count; c++) {
        const Source *source = &sources.items[c];
        Buffer        title;
        buffer_init(&title, CELL_BYTES);
        buffer_printf(&title, "%s%s%s", prefix || source->member == NULL ? source->key : "",
                      prefix && source->member != NULL ? "." : "",
                      source->member == NULL ? "" : source->member);
        table_column(table, buffer_text(&title), source->number ? TABLE_RIGHT : TABLE_LEFT);
        buffer_reset(&title);
    }
    for (size_t i = 0; i < json_count(rows); i++) {
        for (size_t c = 0; c < sources.count; c++) {
            const Source *source = &sources.items[c];
            const Json   *value = json_get(json_at(rows, i), source->key);
            const bool    object = json_is_object(value);
            if (source->member != NULL) {
                value = object ? json_get(value, source->member) : NULL;
            } else if (object) {
                value = NULL; /* its members have columns of their own */
            }
            table_json(table, value);
        }
    }
}

/* ---- text ---- */

/* Columns that a UTF-8 text takes: bytes that do not continue a character. */
static size_t text_width(const char *text) {
    size_t width = 0;

    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0U) != 0x80U;
    }
    return width;
}

/* Bytes of the first `width` characters. */
static size_t text_bytes(const char *text, size_t width) {
    size_t bytes = 0;

    while (text[bytes] != '\0') {
        if (((unsigned char)text[bytes] & 0xC0U) != 0x80U) {
            if (width == 0) {
                break;
            }
            width--;
        }
        bytes++;
    }
    return bytes;
}

static void measure(const Table *table, size_t *widths) {
    for (size_t c = 0; c < table->column_count; c++) {
        widths[c] = text_width(table->columns[c].title);
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        const size_t c = i % table->column_count;
        const size_t width = text_width(table->cells[i]);
        widths[c] = width > widths[c] ? width : widths[c];
    }
}

/* Takes columns away from the widest cuttable column until the row fits, or none can be cut. */
static void shrink(const Table *table, size_t limit, size_t *widths) {
    size_t total = (table->column_count - 1) * GAP;

    for (size_t c = 0; c < table->column_count; c++) {
        total += widths[c];
    }
    while (limit > 0 && total > limit) {
        size_t widest = table->column_count;
        for (size_t c = 0; c < table->column_count; c++) {
            const TableAlign align = table->columns[c].align;
            const size_t     least = align == TABLE_FOLD ? FOLD_LEAST : COLUMN_LEAST;
            if (align != TABLE_RIGHT && widths[c] > least &&
                (widest == table->column_count || align == TABLE_FOLD ||
                 (table->columns[widest].align != TABLE_FOLD && widths[c] > widths[widest]))) {
                widest = c;
            }
        }
        if (widest == table->column_count) {
            return;
        }
        widths[widest]--;
        total--;
    }
}

static void put_padding(Buffer *out, size_t n) {
    buffer_printf(out, "%*s", (int)n, "");
}

/* Folded cell: continuation lines stand under its column. */
static void put_folded(const char *text, size_t width, size_t indent, Buffer *out) {
    while (text_width(text) > width) {
        size_t bytes = text_bytes(text, width + 1);
        while (bytes > 0 && text[bytes] != ' ' && text[bytes] != '\0') {
            bytes--;
        }
        if (bytes == 0) {
            bytes = text_bytes(text, width); /* a word longer than the column */
        }
        buffer_append(out, text, bytes);
        buffer_puts(out, "\n");
        put_padding(out, indent);
        text += bytes;
        text += strspn(text, " ");
    }
    buffer_puts(out, text);
}

static void put_cell(const char *text, TableAlign align, size_t width, bool last, Buffer *out) {
    const size_t have = text_width(text);

    if (align == TABLE_RIGHT && have < width) {
        put_padding(out, width - have);
    }
    if (have > width) {
        buffer_append(out, text, text_bytes(text, width > GAP ? width - 2 : width));
        buffer_puts(out, width > GAP ? ".." : "");
    } else {
        buffer_puts(out, text);
    }
    if (align != TABLE_RIGHT && have < width && !last) {
        put_padding(out, width - have);
    }
}

static void put_row(const Table *table, char *const *cells, const size_t *widths, Buffer *out) {
    size_t indent = 0;

    for (size_t c = 0; c < table->column_count; c++) {
        const bool  last = c + 1 == table->column_count;
        const char *text = cells == NULL ? table->columns[c].title : cells[c];
        if (table->columns[c].align == TABLE_FOLD && last) {
            put_folded(text, widths[c], indent, out);
        } else {
            put_cell(text, table->columns[c].align, widths[c], last, out);
        }
        if (!last) {
            put_padding(out, GAP);
        }
        indent += widths[c] + GAP;
    }
}

Status table_text(const Table *table, CliStyle style, Buffer *out) {
    size_t widths[TABLE_MAX_COLUMNS] = {0};

    if (table->status != STATUS_OK) {
        FAIL(table->status, "a table could not be made");
    }
    if (table->column_count == 0) {
        return STATUS_OK;
    }
    measure(table, widths);
    shrink(table, style.width, widths);
    buffer_puts(out, style.color ? "\033[1m" : "");
    put_row(table, NULL, widths, out);
    buffer_puts(out, style.color ? "\033[0m\n" : "\n");
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count) {
        put_row(table, &table->cells[i], widths, out);
        buffer_puts(out, "\n");
    }
    return buffer_status(out);
}

/* ---- CSV ---- */

static void put_csv(const char *text, bool last, Buffer *out) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        buffer_puts(out, text);
    } else {
        buffer_puts(out, "\"");
        for (; *text != '\0'; text++) {
            buffer_append(out, text, 1);
            if (*text == '"') {
                buffer_puts(out, "\"");
            }
        }
        buffer_puts(out, "\"");
    }
    buffer_puts(out, last ? "\n" : ",");
}

Status table_csv(const Table *table, Buffer *out) {
    if (table->status != STATUS_OK) {
        FAIL(table->status, "a table could not be made");
    }
    for (size_t c = 0; c < table->column_count; c++) {
        put_csv(table->columns[c].title, c + 1 == table->column_count, out);
    }
    for (size_t i = 0; i < table->cell_count && table->column_count > 0; i++) {
        const char *text = table->cells[i];
        put_csv(strcmp(text, "-") == 0 ? "" : text, (i + 1) % table->column_count == 0, out);
    }
    return buffer_status(out);
}
