/** @file replay_batch.h  Inside results/ only: the log, read some hundred rows at a time.
 *
 * A look-up by key per event, value and objective is 15 microseconds per segment, a million of them
 * a quarter of a minute before a resumed study goes on. Rows of the log name segments that stand
 * close together, so that a batch needs four statements: the rows, the values and the numbers of
 * the range of segments that they name. No statement is open when a batch has been read.
 */
#ifndef RESULTS_REPLAY_BATCH_H
#define RESULTS_REPLAY_BATCH_H

#include "results/store.h"

enum {
    REPLAY_BATCH_ROWS = 256,
    REPLAY_BATCH_MEMO_BYTES = 1 << 20, /* a batch ends with the row that reaches them */
};

/** The numbers of a finished segment. */
typedef struct ReplayNumbers {
    double objectives[SCHEDULER_MAX_OBJECTIVES];
    double spreads[SCHEDULER_MAX_OBJECTIVES];
    double constraints[SCHEDULER_MAX_CONSTRAINTS];
} ReplayNumbers;

/** A row of `event`, with what the row of its segment adds. */
typedef struct LogRow {
    int64_t  seq;
    int64_t  segment;
    int64_t  evaluation;
    int64_t  total;
    int64_t  trials;
    char     kind[16];
    char     decision_kind[16];
    Decision decision;     /* number, branch, failed, reason, note; memo_size; of a run parent,
                              trial, begin, end, too */
    size_t        memo_at; /* of its memo in ReplayBatch.memos */
    bool          has_segment;
    char          outcome[16]; /* of the segment; "" = none yet */
    double        cost;        /* of the segment */
    ReplayNumbers numbers;     /* of a finished segment */
} LogRow;

typedef struct ReplayBatch {
    Results      *results;
    const size_t *index;  /* stored hyperparameter -> space; borrowed */
    size_t        values; /* per point */
    LogRow       *rows;   /* (REPLAY_BATCH_ROWS) */
    double       *points; /* (REPLAY_BATCH_ROWS, values) of decided runs */
    Buffer        memos;  /* of this batch */
    size_t        count;
    size_t        next;
} ReplayBatch;

Status results__batch_init(Results *results, const size_t *index, size_t values,
                           ReplayBatch *batch) MUST_USE;
void   results__batch_reset(ReplayBatch *batch);
/** The next row behind `after` up to `last`; NULL if there is none. The row, its point and its memo
 * stay until the next call. */
Status results__batch_next(ReplayBatch *batch, int64_t after, int64_t last,
                           const LogRow **row) MUST_USE;
/** (values) of a row of this batch that is a decided run. */
double *results__batch_point(const ReplayBatch *batch, const LogRow *row);

#endif
