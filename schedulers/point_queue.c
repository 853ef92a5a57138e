#include "schedulers/point_queue.h"

#include <stdlib.h>
#include <string.h>

void point_queue_init(PointQueue *queue, size_t values) {
    *queue = (PointQueue){.values = values};
}

void point_queue_reset(PointQueue *queue) {
    free(queue->points);
    *queue = (PointQueue){.points = NULL};
}

Status point_queue_push(PointQueue *queue, const double *point) {
    if (queue->count == queue->capacity) {
        const size_t capacity = (queue->capacity == 0) ? 8 : 2 * queue->capacity;
        double *points = realloc(queue->points, capacity * (queue->values + 1) * sizeof *points);
        if (points == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu enqueued points", capacity);
        }
        queue->points = points;
        queue->capacity = capacity;
    }
    if (queue->values > 0) {
        memcpy(queue->points + queue->count * queue->values, point,
               queue->values * sizeof *queue->points);
    }
    queue->count++;
    return STATUS_OK;
}

const double *point_queue_front(const PointQueue *queue) {
    return (queue->head == queue->count) ? NULL : queue->points + queue->head * queue->values;
}

void point_queue_pop(PointQueue *queue) {
    if (queue->head < queue->count) {
        queue->head++;
    }
}
