/** @file point_queue.h  Points that users enqueued and that no agent has started with yet. */
#ifndef SCHEDULERS_POINT_QUEUE_H
#define SCHEDULERS_POINT_QUEUE_H

#include "core/status.h"

#include <stddef.h>

typedef struct PointQueue {
    size_t  values; /* per point */
    size_t  head;   /* first one that waits */
    size_t  count;  /* all that ever came */
    size_t  capacity;
    double *points; /* (count, values) */
} PointQueue;

void point_queue_init(PointQueue *queue, size_t values);
void point_queue_reset(PointQueue *queue);
/** Appends a copy. @return STATUS_OK, STATUS_ERR_NOMEM (unchanged) */
Status point_queue_push(PointQueue *queue, const double *point) MUST_USE;
/** The first one that waits, or NULL. */
const double *point_queue_front(const PointQueue *queue);
/** Drops it. */
void point_queue_pop(PointQueue *queue);

#endif
