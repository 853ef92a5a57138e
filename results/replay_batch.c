#include "results/replay_batch.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* a range of ids is read whole if no more than so many rows of it are nobody's here */
enum { SPARSE = 8 };

Status results__batch_init(Results *results, const size_t *index, size_t values,
                           ReplayBatch *batch) {
    *batch = (ReplayBatch){.results = results, .index = index, .values = values};
    buffer_init(&batch->memos, (size_t)2 * REPLAY_BATCH_MEMO_BYTES);
    batch->rows = calloc(REPLAY_BATCH_ROWS, sizeof *batch->rows);
    batch->points = calloc((size_t)REPLAY_BATCH_ROWS * (values + 1), sizeof *batch->points);
    if (batch->rows == NULL || batch->points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to replay a log");
    }
    return STATUS_OK;
}

void results__batch_reset(ReplayBatch *batch) {
    free(batch->rows);
    free(batch->points);
    buffer_reset(&batch->memos);
    batch->rows = NULL;
    batch->points = NULL;
}

double *results__batch_point(const ReplayBatch *batch, const LogRow *row) {
    return batch->points + (size_t)(row - batch->rows) * batch->values;
}

static bool is_run(const LogRow *row) {
    return row->segment != 0 && strcmp(row->kind, "decided") == 0;
}

static bool is_result(const LogRow *row) {
    return row->segment != 0 && strcmp(row->kind, "finished") == 0;
}

/* ---- rows of the log ----------------------------------------------------------------------- */

static Status memo_columns(ReplayBatch *batch, sqlite3_stmt *statement, LogRow *row) {
    const void *memo = sqlite3_column_blob(statement, 11);
    const int   size = sqlite3_column_bytes(statement, 11);
    if (memo == NULL || size <= 0) {
        return STATUS_OK;
    }
    if (size > SCHEDULER_MEMO_BYTES) {
        FAIL(STATUS_ERR_CORRUPT, "a memo of %d bytes", size);
    }
    row->memo_at = batch->memos.length;
    row->decision.memo_size = (size_t)size;
    buffer_append(&batch->memos, memo, (size_t)size);
    return buffer_status(&batch->memos);
}

static Status row_columns(ReplayBatch *batch, sqlite3_stmt *statement, LogRow *row) {
    *row = (LogRow){
        .seq = results__column_integer(statement, 0, 0),
        .segment = results__column_integer(statement, 3, 0),
        .evaluation = results__column_integer(statement, 4, 0),
        .total = results__column_integer(statement, 5, 0),
        .trials = results__column_integer(statement, 12, 0),
        .decision = {.number = results__column_integer(statement, 6, 0),
                     .id = results__column_integer(statement, 3, 0),
                     .branch = results__column_integer(statement, 7, 0) != 0,
                     .failed = results__column_integer(statement, 8, 0) != 0,
                     .parent = results__column_integer(statement, 14, 0),
                     .trial = results__column_integer(statement, 15, 0),
                     .begin = results__column_integer(statement, 16, 0),
                     .end = results__column_integer(statement, 17, 0)},
        .has_segment = sqlite3_column_type(statement, 13) != SQLITE_NULL,
        .cost = results__column_double(statement, 19),
    };
    results__column_text(statement, 1, row->kind, sizeof row->kind);
    results__column_text(statement, 2, row->decision_kind, sizeof row->decision_kind);
    results__column_text(statement, 9, row->decision.reason, sizeof row->decision.reason);
    results__column_text(statement, 10, row->decision.note, sizeof row->decision.note);
    results__column_text(statement, 18, row->outcome, sizeof row->outcome);
    return memo_columns(batch, statement, row);
}

static Status read_rows(ReplayBatch *batch, int64_t after, int64_t last) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(
        batch->results,
        "SELECT e.seq, e.kind, e.decision_kind, e.segment, e.evaluation, e.total, e.decision,"
        " e.branch, e.failed, e.reason, e.note, e.memo, e.trials, s.id, s.parent, s.trial,"
        " s.\"begin\", s.\"end\", s.outcome, s.cost"
        " FROM event AS e LEFT JOIN segment AS s ON s.id = e.segment"
        " WHERE e.seq > ? AND e.seq <= ? ORDER BY e.seq",
        &statement, "ii", after, last));
    while (batch->count < REPLAY_BATCH_ROWS && batch->memos.length < REPLAY_BATCH_MEMO_BYTES) {
        bool row = false;
        TRY(results__step(batch->results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const Status status = row_columns(batch, statement, &batch->rows[batch->count]);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
        batch->count++;
    }
    (void)sqlite3_reset(statement);
    return STATUS_OK;
}

/* ---- what segments add ---------------------------------------------------------------------- */

/* rows of one kind in order of their segments */
typedef struct Wanted {
    LogRow *rows[REPLAY_BATCH_ROWS];
    size_t  count;
} Wanted;

static int by_segment(const void *a, const void *b) {
    const LogRow *x = *(LogRow *const *)a;
    const LogRow *y = *(LogRow *const *)b;
    return (x->segment > y->segment) - (x->segment < y->segment);
}

static void want(ReplayBatch *batch, bool (*of_kind)(const LogRow *row), Wanted *wanted) {
    wanted->count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        if (of_kind(&batch->rows[i])) {
            wanted->rows[wanted->count++] = &batch->rows[i];
        }
    }
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers */
    qsort((void *)wanted->rows, wanted->count, sizeof wanted->rows[0], by_segment);
}

static bool is_dense(const Wanted *wanted) {
    /* unsigned: numbers of a damaged log may be any */
    return wanted->count > 0 &&
           (uint64_t)wanted->rows[wanted->count - 1]->segment - (uint64_t)wanted->rows[0]->segment <
               SPARSE * wanted->count;
}

/* the row of `segment`, from `*at` on; NULL if nobody wants it */
static LogRow *row_of(const Wanted *wanted, int64_t segment, size_t *at) {
    while (*at < wanted->count && wanted->rows[*at]->segment < segment) {
        (*at)++;
    }
    return (*at < wanted->count && wanted->rows[*at]->segment == segment) ? wanted->rows[*at]
                                                                          : NULL;
}

static Status read_points_alone(ReplayBatch *batch, const Wanted *wanted) {
    for (size_t i = 0; i < wanted->count; i++) {
        TRY(results__point_read(batch->results, 's', wanted->rows[i]->segment, batch->index,
                                batch->values, results__batch_point(batch, wanted->rows[i])));
    }
    return STATUS_OK;
}

static Status read_points(ReplayBatch *batch) {
    Wanted        wanted;
    sqlite3_stmt *statement = NULL;
    size_t        at = 0;
    want(batch, is_run, &wanted);
    if (!is_dense(&wanted)) {
        return read_points_alone(batch, &wanted);
    }
    for (size_t i = 0; i < batch->count * batch->values; i++) {
        batch->points[i] = (double)NAN;
    }
    TRY(results__query(batch->results,
                       "SELECT hyperparameter, value, segment FROM segment_value"
                       " WHERE segment BETWEEN ? AND ? ORDER BY segment",
                       &statement, "ii", wanted.rows[0]->segment,
                       wanted.rows[wanted.count - 1]->segment));
    for (;;) {
        bool found = false;
        TRY(results__step(batch->results, statement, &found));
        if (!found) {
            return STATUS_OK;
        }
        const LogRow *row = row_of(&wanted, results__column_integer(statement, 2, 0), &at);
        if (row == NULL) {
            continue;
        }
        TRY(results__point_value(batch->results, statement, batch->index,
                                 results__batch_point(batch, row)));
    }
}

static Status read_numbers_alone(ReplayBatch *batch, const Wanted *wanted) {
    for (size_t i = 0; i < wanted->count; i++) {
        ReplayNumbers *numbers = &wanted->rows[i]->numbers;
        TRY(results__objectives_read(batch->results, wanted->rows[i]->segment, numbers->objectives,
                                     numbers->spreads, numbers->constraints, NULL));
    }
    return STATUS_OK;
}

static void forget_numbers(ReplayNumbers *numbers) {
    for (size_t i = 0; i < SCHEDULER_MAX_OBJECTIVES; i++) {
        numbers->objectives[i] = (double)NAN;
        numbers->spreads[i] = (double)NAN;
    }
    for (size_t i = 0; i < SCHEDULER_MAX_CONSTRAINTS; i++) {
        numbers->constraints[i] = (double)NAN;
    }
}

static void number_columns(sqlite3_stmt *statement, ReplayNumbers *numbers) {
    const bool    objective = results__column_integer(statement, 0, 0) != 0;
    const int64_t number = results__column_integer(statement, 1, 0);
    const double  value = results__column_double(statement, 2);
    if (objective && number >= 0 && number < SCHEDULER_MAX_OBJECTIVES) {
        numbers->objectives[number] = value;
        numbers->spreads[number] = results__column_double(statement, 3);
    } else if (!objective && number >= 0 && number < SCHEDULER_MAX_CONSTRAINTS) {
        numbers->constraints[number] = value;
    }
}

static Status read_numbers(ReplayBatch *batch) {
    Wanted        wanted;
    sqlite3_stmt *statement = NULL;
    size_t        at = 0;
    want(batch, is_result, &wanted);
    if (!is_dense(&wanted)) {
        return read_numbers_alone(batch, &wanted);
    }
    for (size_t i = 0; i < wanted.count; i++) {
        forget_numbers(&wanted.rows[i]->numbers);
    }
    TRY(results__query(batch->results,
                       "SELECT kind = 'objective', number, value, spread, segment"
                       " FROM segment_result WHERE segment BETWEEN ? AND ? ORDER BY segment",
                       &statement, "ii", wanted.rows[0]->segment,
                       wanted.rows[wanted.count - 1]->segment));
    for (;;) {
        bool found = false;
        TRY(results__step(batch->results, statement, &found));
        if (!found) {
            return STATUS_OK;
        }
        LogRow *row = row_of(&wanted, results__column_integer(statement, 4, 0), &at);
        if (row != NULL) {
            number_columns(statement, &row->numbers);
        }
    }
}

static Status refill(ReplayBatch *batch, int64_t after, int64_t last) {
    batch->count = 0;
    batch->next = 0;
    buffer_clear(&batch->memos);
    TRY(read_rows(batch, after, last));
    TRY(read_points(batch));
    return read_numbers(batch);
}

Status results__batch_next(ReplayBatch *batch, int64_t after, int64_t last, const LogRow **row) {
    *row = NULL;
    if (batch->next == batch->count) {
        TRY(refill(batch, after, last));
    }
    if (batch->count > 0) {
        *row = &batch->rows[batch->next++];
    }
    return STATUS_OK;
}
