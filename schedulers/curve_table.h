/** @file curve_table.h  Learning curves from a CSV file (RFC 4180; format: docs/simulation.md).
 *
 * One row per configuration, seed and unit: the hyperparameters of a study's space by name, `seed`
 * (may be missing), `unit`, and metrics. Rows may come in any order; other columns are ignored.
 */
#ifndef SCHEDULERS_CURVE_TABLE_H
#define SCHEDULERS_CURVE_TABLE_H

#include "core/status.h"
#include "search_spaces/space.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CURVE_TABLE_BYTES = 1 << 30, /* largest file */
    CURVE_TABLE_COLUMNS = 512    /* most of a file */
};

/** What is asked of the file: metrics by name. Borrowed for the call. */
typedef struct CurveColumns {
    const char *const *metrics; /* (count); one that is NULL is NaN everywhere */
    size_t             count;
    size_t             needed; /* the first of them that must be there */
} CurveColumns;

/** Immutable once read. Rows are in order of configuration, seed, unit. */
typedef struct CurveTable {
    size_t   row_count;
    size_t   metric_count;
    int64_t *units;       /* (row_count) */
    double  *metrics;     /* (row_count, metric_count) */
    size_t   curve_count; /* a curve: one configuration with one seed */
    size_t  *curve_rows;  /* (curve_count + 1) first row of each */
    size_t   configuration_count;
    size_t  *configuration_curves; /* (configuration_count + 1) first curve of each */
    double  *points;               /* (configuration_count, space_count) */
} CurveTable;

/**
 * Reads a table.
 * @param out  released with curve_table_destroy(); NULL on failure
 * @return STATUS_OK; STATUS_ERR_IO; STATUS_ERR_RANGE (longer than CURVE_TABLE_BYTES, a value
 *         outside the space); STATUS_ERR_PARSE with "file:line: what was found"; STATUS_ERR_NOMEM
 */
Status curve_table_read(const char *path, const Space *space, const CurveColumns *columns,
                        CurveTable **out) MUST_USE;
/** The same from memory, which is cut into cells; `name` stands for the file in messages. */
Status curve_table_parse(const char *name, char *text, const Space *space,
                         const CurveColumns *columns, CurveTable **out) MUST_USE;
void   curve_table_destroy(CurveTable *table); /* accepts NULL */

#endif
