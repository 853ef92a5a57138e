/** @file open_points.h  Coordinates of configurations that are being trained, in the order in which
 * they began. */
#ifndef SCHEDULERS_OPEN_POINTS_H
#define SCHEDULERS_OPEN_POINTS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct OpenEntry {
    int64_t configuration;
    bool    marked; /* what that means is the owner's */
} OpenEntry;

/** All zeros but `d` is empty. */
typedef struct OpenPoints {
    size_t     d;       /* coordinates of a point */
    OpenEntry *entries; /* (count) */
    double    *points;  /* (count, d) */
    size_t     count;
    size_t     capacity;
} OpenPoints;

void open_points_reset(OpenPoints *open);
/** Makes room for one more. @return STATUS_OK; STATUS_ERR_NOMEM (nothing changed) */
Status open_points_reserve(OpenPoints *open) MUST_USE;
/** Appends one, for which there is room. @return where its coordinates (d) go */
double *open_points_add(OpenPoints *open, int64_t configuration);
/** Index of a configuration; `count` if it is not there. */
size_t open_points_find(const OpenPoints *open, int64_t configuration);
void   open_points_remove(OpenPoints *open, size_t index);

static inline const double *open_points_at(const OpenPoints *open, size_t index) {
    return open->points + index * open->d;
}

#endif
