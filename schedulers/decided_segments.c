#include "schedulers/decided_segments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void decided_segments_init(DecidedSegments *segments, int64_t first_id) {
    *segments = (DecidedSegments){.first_id = first_id, .oldest_open = first_id};
}

void decided_segments_reset(DecidedSegments *segments) {
    free(segments->rows);
    *segments = (DecidedSegments){.rows = NULL};
}

Status decided_segments_reserve(DecidedSegments *segments) {
    if (segments->count < segments->capacity) {
        return STATUS_OK;
    }
    const size_t    capacity = (segments->capacity == 0) ? FIRST_CAPACITY : 2 * segments->capacity;
    DecidedSegment *rows = realloc(segments->rows, capacity * sizeof *rows);
    if (rows == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the record of %zu segments", capacity);
    }
    segments->rows = rows;
    segments->capacity = capacity;
    return STATUS_OK;
}

/* splitmix64's finalizer over the bits of one value after the other */
uint32_t decided_fixed_values(const Space *space, const double *point) {
    uint64_t mixed = 0;
    for (size_t i = 0; i < space_count(space); i++) {
        if (space_at(space, i)->dynamic) {
            continue;
        }
        /* the database keeps neither the sign of a zero nor the kind of a NaN */
        const double value = isnan(point[i]) ? (double)INFINITY : point[i] + 0.0;
        uint64_t     bits = 0;
        memcpy(&bits, &value, sizeof bits);
        mixed = (mixed ^ bits) + 0x9e3779b97f4a7c15U;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
        mixed ^= mixed >> 31;
    }
    return (uint32_t)(mixed ^ (mixed >> 32));
}

void decided_segments_append(DecidedSegments *segments, const Space *space,
                             const Decision *decision) {
    segments->rows[segments->count++] =
        (DecidedSegment){.end = decision->end,
                         .fixed_values = decided_fixed_values(space, decision->point),
                         .state = DECIDED_OPEN};
    segments->open++;
    segments->units += decision->end - decision->begin;
}

static DecidedSegment *row_at(const DecidedSegments *segments, int64_t id) {
    const int64_t index = id - segments->first_id;
    return (index < 0 || index >= (int64_t)segments->count) ? NULL : &segments->rows[index];
}

void decided_segments_close(DecidedSegments *segments, int64_t id, Outcome outcome) {
    DecidedSegment *row = row_at(segments, id);
    row->state = (outcome == OUTCOME_DONE) ? DECIDED_FINISHED : DECIDED_FAILED;
    segments->open--;
    for (const DecidedSegment *oldest = row_at(segments, segments->oldest_open);
         oldest != NULL && oldest->state != DECIDED_OPEN;
         oldest = row_at(segments, segments->oldest_open)) {
        segments->oldest_open++;
    }
}

const DecidedSegment *decided_segments_at(const DecidedSegments *segments, int64_t id) {
    return row_at(segments, id);
}
