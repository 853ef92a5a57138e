#include "schedulers/open_points.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void open_points_reset(OpenPoints *open) {
    free(open->entries);
    free(open->points);
    *open = (OpenPoints){.d = open->d};
}

Status open_points_reserve(OpenPoints *open) {
    if (open->count < open->capacity) {
        return STATUS_OK;
    }
    const size_t capacity = 2 * open->count + FIRST_CAPACITY;
    OpenEntry   *entries = realloc(open->entries, capacity * sizeof *entries);
    if (entries != NULL) {
        open->entries = entries;
    }
    double *points = realloc(open->points, capacity * open->d * sizeof *points);
    if (points != NULL) {
        open->points = points;
    }
    if (entries == NULL || points == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu configurations in training", capacity);
    }
    open->capacity = capacity;
    return STATUS_OK;
}

double *open_points_add(OpenPoints *open, int64_t configuration) {
    open->entries[open->count] = (OpenEntry){.configuration = configuration};
    return open->points + open->count++ * open->d;
}

size_t open_points_find(const OpenPoints *open, int64_t configuration) {
    size_t i = 0;
    while (i < open->count && open->entries[i].configuration != configuration) {
        i++;
    }
    return i;
}

void open_points_remove(OpenPoints *open, size_t index) {
    const size_t behind = open->count - index - 1;
    memmove(&open->entries[index], &open->entries[index + 1], behind * sizeof *open->entries);
    memmove(open->points + index * open->d, open->points + (index + 1) * open->d,
            behind * open->d * sizeof *open->points);
    open->count--;
}
