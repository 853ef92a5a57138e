/* Counts over all segments and attempts, each in one pass: grouping a million rows in SQL sorts
 * them, once per question. */
#include "results/report_internal.h"

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- segments ------------------------------------------------------------------------------- */

/* the entry of a name, made where it is new; the last one found is tried first: rows repeat */
static void count_name(NameCounts *counts, const char *name) {
    size_t i = counts->last;
    if (i >= counts->count || strcmp(counts->names[i].name, name) != 0) {
        for (i = 0; i < counts->count && strcmp(counts->names[i].name, name) != 0; i++) {
        }
    }
    if (i == counts->count && counts->count < REPORT_NAMES) {
        (void)snprintf(counts->names[i].name, sizeof counts->names[i].name, "%s", name);
        counts->count++;
    }
    if (i < counts->count) {
        counts->last = i;
        counts->names[i].n++;
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const NameCount *)a)->name, ((const NameCount *)b)->name);
}

static Status count_row(sqlite3_stmt *statement, SegmentCounts *out) {
    SegmentState state = SEGMENT_QUEUED;
    const char  *outcome = (const char *)sqlite3_column_text(statement, 1);
    const bool   confirm = results__column_integer(statement, 3, 0) != 0;
    TRY(results__state_find(results__column_borrow(statement, 0), &state));
    out->states[state]++;
    if (outcome != NULL) {
        count_name(&out->outcomes, outcome);
    }
    if (!confirm) {
        count_name(&out->reasons, results__column_borrow(statement, 2));
    }
    const int64_t units = results__column_integer(statement, 4, 0);
    if (state == SEGMENT_FINISHED &&
        __builtin_add_overflow(out->units[confirm], units, &out->units[confirm])) {
        FAIL(STATUS_ERR_CORRUPT, "its segments have more units than can be counted");
    }
    return STATUS_OK;
}

Status results__segments_count(Results *results, SegmentCounts *out) {
    sqlite3_stmt *statement = NULL;
    *out = (SegmentCounts){.outcomes = {.count = 0}};
    TRY(results__query(results,
                       "SELECT state, outcome, reason, decision IS NULL, \"end\" - \"begin\""
                       " FROM segment",
                       &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            break;
        }
        const Status status = count_row(statement, out);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
    qsort(out->outcomes.names, out->outcomes.count, sizeof out->outcomes.names[0], by_name);
    qsort(out->reasons.names, out->reasons.count, sizeof out->reasons.names[0], by_name);
    return STATUS_OK;
}

/* ---- attempts ------------------------------------------------------------------------------- */

/* when the attempts that run end, the earliest at the root */
typedef struct EndHeap {
    double *ends;
    size_t  count;
    size_t  capacity;
} EndHeap;

static Status heap_push(EndHeap *heap, double end) {
    if (heap->count == heap->capacity) {
        const size_t capacity = (heap->capacity == 0) ? 64 : 2 * heap->capacity;
        double      *ends = realloc(heap->ends, capacity * sizeof *ends);
        if (ends == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu attempts that run at once", capacity);
        }
        heap->ends = ends;
        heap->capacity = capacity;
    }
    size_t i = heap->count++;
    while (i > 0 && heap->ends[(i - 1) / 2] > end) {
        heap->ends[i] = heap->ends[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->ends[i] = end;
    return STATUS_OK;
}

static void heap_pop(EndHeap *heap) {
    const double moved = heap->ends[--heap->count];
    size_t       i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= heap->count) {
            break;
        }
        if (child + 1 < heap->count && heap->ends[child + 1] < heap->ends[child]) {
            child++;
        }
        if (heap->ends[child] >= moved) {
            break;
        }
        heap->ends[i] = heap->ends[child];
        i = child;
    }
    heap->ends[i] = moved;
}

/* one attempt of a worker, in the order in which they were sent */
static Status take_attempt(sqlite3_stmt *statement, double last, EndHeap *heap, Utilization *out) {
    const double start = results__column_double(statement, 0);
    const double end = results__column_double(statement, 1);
    double       busy = results__column_double(statement, 2);
    busy = isnan(busy) ? end - start : busy;
    while (heap->count > 0 && heap->ends[0] <= start) {
        heap_pop(heap);
    }
    TRY(heap_push(heap, isnan(end) ? (double)INFINITY : end));
    out->parallel = (heap->count > (size_t)out->parallel) ? (int64_t)heap->count : out->parallel;
    if (!isnan(busy)) {
        out->busy_seconds += busy;
        out->value += fmin(busy, fmax(0.0, last - start));
    }
    return STATUS_OK;
}

static Status take_attempts(Results *results, int64_t after, double last, EndHeap *heap,
                            Utilization *out) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results,
                       "SELECT started_at, finished_at, busy_seconds FROM attempt"
                       " WHERE worker IS NOT NULL AND id > ? ORDER BY id",
                       &statement, "i", after));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const Status status = take_attempt(statement, last, heap, out);
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

Status results__utilization(Results *results, int64_t newest, Utilization *out) {
    sqlite3_stmt *statement = NULL;
    bool          row = false;
    int64_t       after = 0;
    EndHeap       heap = {.ends = NULL};
    *out = (Utilization){.value = 0.0};
    if (newest > 0) {
        TRY(results__integer(results, "SELECT max(id) FROM attempt", 0, &after, ""));
        after = (after > newest) ? after - newest : 0;
    }
    TRY(results__query(results,
                       "SELECT min(started_at), max(started_at) FROM attempt"
                       " WHERE worker IS NOT NULL AND id > ?",
                       &statement, "i", after));
    TRY(results__step(results, statement, &row));
    const double first = results__column_double(statement, 0);
    const double last = results__column_double(statement, 1);
    (void)sqlite3_reset(statement);
    const Status status = take_attempts(results, after, last, &heap, out);
    free(heap.ends);
    TRY(status);
    out->known = last > first;
    out->value = out->known ? out->value / ((double)out->parallel * (last - first)) : (double)NAN;
    return STATUS_OK;
}
