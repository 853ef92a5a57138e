/* Memory of a Gaussian process: one block that grows with the observations. Most processes stay
 * small (a study of 100 configurations with ten constraints has eleven of them), and room for 2000
 * rows is 72 MB each. The block grows by half, so a process of n rows has copied less than 2 n^2
 * numbers on its way, which is nothing beside one step of a fit (n^3). */
#include "core/optimize/gaussian_process_internal.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 };

/* arrays whose size depends on the room */
enum {
    POINTS,
    COLUMNS,
    TARGETS,
    STANDARD,
    WHITE,
    ALPHA,
    WHITEN,
    KEPT,
    SLOPES = KEPT,
    ROW,
    K,
    SLOPE,
    V,
    VIEWS
};

typedef struct View {
    double **view;
    size_t   lines; /* of `width` numbers */
    size_t   width;
} View;

static void list_views(GaussianProcess *gp, size_t room, View *out) {
    const size_t b = GAUSSIAN_PROCESS_BLOCK;
    const View   views[VIEWS] = {
          [POINTS] = {&gp->points, room, gp->d}, [COLUMNS] = {&gp->columns, gp->features, room},
          [TARGETS] = {&gp->targets, 1, room},   [STANDARD] = {&gp->standard, 1, room},
          [WHITE] = {&gp->white, 1, room},       [ALPHA] = {&gp->alpha, 1, room},
          [WHITEN] = {&gp->whiten, room, room},  [SLOPES] = {&gp->slopes, room, room},
          [ROW] = {&gp->row, 1, room},           [K] = {&gp->k, b, room},
          [SLOPE] = {&gp->slope, b, room},       [V] = {&gp->v, b, room},
    };
    memcpy(out, views, sizeof views);
}

/* Half as much again, at most what can be used. An odd number of cache lines: rows of a power of
 * two share a few sets of the cache. */
static size_t next_room(const GaussianProcess *gp, size_t need) {
    size_t room = (gp->room < FIRST_ROOM) ? FIRST_ROOM : gp->room;
    while (room < need) {
        room += room / 2;
    }
    room = (room + 7) / 16 * 16 + 8;
    return (room < gp->most) ? room : gp->most;
}

/* rows that are there: lines of the square and of the points, columns of the others */
static void copy_view(View from, View to, size_t used) {
    const size_t lines = (from.lines != to.lines) ? used : from.lines;
    const size_t width = (from.width != to.width) ? used : from.width;
    for (size_t i = 0; i < lines; i++) {
        memcpy(*to.view + i * to.width, *from.view + i * from.width, width * sizeof(double));
    }
}

Status gaussian_process__reserve(GaussianProcess *gp, size_t rows) {
    GaussianProcess old = *gp;
    View            views[VIEWS];
    View            before[VIEWS];
    size_t          count = 0;
    if (rows <= gp->room) {
        return STATUS_OK;
    }
    const size_t room = next_room(gp, rows);
    list_views(&old, gp->room, before);
    list_views(gp, room, views);
    for (size_t k = 0; k < VIEWS; k++) {
        count += views[k].lines * views[k].width;
    }
    double *memory = calloc(count, sizeof *memory);
    if (memory == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian process: no memory for %zu rows", room);
    }
    gp->memory = memory;
    gp->room = room;
    for (size_t k = 0; k < VIEWS; k++) {
        *views[k].view = memory;
        memory += views[k].lines * views[k].width;
    }
    for (size_t k = 0; k < KEPT && old.room > 0; k++) {
        copy_view(before[k], views[k], gp->rows + gp->pending);
    }
    free(old.memory);
    return STATUS_OK;
}

Status gaussian_process_reserve(GaussianProcess *gp, size_t observations) {
    return gaussian_process__reserve(gp,
                                     (observations < gp->capacity) ? observations : gp->capacity);
}
