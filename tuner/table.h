/** @file table.h  Rows and columns as text for people or as CSV for programs.
 *
 * Cells are added from left to right, row after row. Text tables know the width of the terminal:
 * columns that do not fit are cut at "..", the last one is folded if it may be.
 */
#ifndef TUNER_TABLE_H
#define TUNER_TABLE_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"
#include "tuner/cli.h"

#include <stdbool.h>
#include <stddef.h>

enum { TABLE_MAX_COLUMNS = 256 };

typedef enum TableAlign {
    TABLE_LEFT,
    TABLE_RIGHT, /* numbers: never cut */
    TABLE_FOLD,  /* last column only: folded at blanks */
} TableAlign;

typedef struct TableColumn {
    char      *title;
    TableAlign align;
} TableColumn;

typedef struct Table {
    TableColumn columns[TABLE_MAX_COLUMNS];
    size_t      column_count;
    char      **cells; /* (cell_count), row by row */
    size_t      cell_count;
    size_t      capacity;
    bool        exact;  /* numbers with all digits (CSV) instead of six */
    Status      status; /* first failure; later calls do nothing */
} Table;

/** Empty table. */
void table_init(Table *table);
void table_reset(Table *table);
/** Columns come before the first cell. */
void table_column(Table *table, const char *title, TableAlign align);
void table_cell(Table *table, const char *text);
void table_number(Table *table, double value); /* "-" for NaN */
/** A JSON value as a cell: "-" for null and missing, "a=1 b=2" for objects. */
void table_json(Table *table, const Json *json);

/** Appends the table as aligned text. @return first failure of building or writing */
Status table_text(const Table *table, CliStyle style, Buffer *out) MUST_USE;
/** Appends the table as CSV (RFC 4180, line feeds), titles first; "" for missing values. */
Status table_csv(const Table *table, Buffer *out) MUST_USE;

/** Text of a JSON value as in table_json(). */
void table_value(const Json *json, bool exact, Buffer *out);
/**
 * Fills a table from an array of objects. Members that are objects become one column per name of
 * theirs: "objective" or, with `prefix`, "hyperparameters.layers".
 * @param keys    members to show, ends at NULL; NULL = every one in order of appearance
 * @param prefix  put the member's name before those of its members
 */
void table_rows(Table *table, const Json *rows, const char *const *keys, bool prefix);

#endif
