/** @file decided_segments.h  What the rules of the log are checked against: 16 bytes per segment.
 *
 * Every scheduler has this record beside its own, so it holds as little as the rules need: where a
 * segment ends, what became of it, and a checksum of the values that its children must not change.
 * A study of a million segments is held to the rules in 16 MB.
 */
#ifndef SCHEDULERS_DECIDED_SEGMENTS_H
#define SCHEDULERS_DECIDED_SEGMENTS_H

#include "schedulers/scheduler.h"

typedef enum DecidedState { DECIDED_OPEN, DECIDED_FINISHED, DECIDED_FAILED } DecidedState;

typedef struct DecidedSegment {
    int64_t  end;          /* units from the root */
    uint32_t fixed_values; /* decided_fixed_values() */
    uint8_t  state;        /* DecidedState */
} DecidedSegment;

typedef struct DecidedSegments {
    int64_t         first_id;
    size_t          count;
    size_t          capacity;
    size_t          open;        /* decided, not finished */
    int64_t         oldest_open; /* no segment before this id is open */
    int64_t         units;       /* decided so far, failed segments included */
    DecidedSegment *rows;        /* (count) by id */
} DecidedSegments;

void decided_segments_init(DecidedSegments *segments, int64_t first_id);
/** Frees the memory. Harmless on a zeroed one. */
void decided_segments_reset(DecidedSegments *segments);
/** Makes room for one more. @return STATUS_OK; STATUS_ERR_NOMEM: nothing changed */
Status decided_segments_reserve(DecidedSegments *segments) MUST_USE;
/** Appends a decided run for which there is room. */
void decided_segments_append(DecidedSegments *segments, const Space *space,
                             const Decision *decision);
/** A segment that is open ended with this outcome. */
void decided_segments_close(DecidedSegments *segments, int64_t id, Outcome outcome);
/** The segment of that id, or NULL. */
const DecidedSegment *decided_segments_at(const DecidedSegments *segments, int64_t id);
/** Checksum of the values that may not change while an agent trains. Whether one of them is active
 * hangs on values of that kind alone, so it is equal along every line. */
uint32_t decided_fixed_values(const Space *space, const double *point);

#endif
