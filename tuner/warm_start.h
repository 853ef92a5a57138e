/** @file warm_start.h  What a new study takes from earlier ones (`warm_start:` in the study file).
 *
 * The databases of the earlier studies are read once, when the study is made; what is taken goes
 * into its own log, which needs them no more. A result counts if its tuning segment is finished and
 * the values have been the same since the root, and only one per line and depth that the scheduler
 * learns from: the first that reaches it. Of a study that reaches none of these depths those at its
 * deepest count.
 */
#ifndef TUNER_WARM_START_H
#define TUNER_WARM_START_H

#include "core/buffer.h"
#include "core/json.h"
#include "results/results.h"
#include "tuner/study_file.h"

enum {
    WARM_START_BEST = 3,    /* tried first where the scheduler learns nothing from results */
    WARM_START_DEPTHS = 64, /* most that a scheduler learns from */
};

typedef struct WarmResult {
    size_t  source; /* index of its study */
    int64_t segment;
    int64_t depth;
    double  cost; /* from the root; NaN if it is not known or another metric's */
    double  objectives[SCHEDULER_MAX_OBJECTIVES];
    double  constraints[SCHEDULER_MAX_CONSTRAINTS];
    double *point; /* (space_count) of this study's space */
} WarmResult;

/** One earlier study. */
typedef struct WarmSource {
    const char *study;      /* as the study file writes it; borrowed */
    int64_t     shallow;    /* depth of its results where they reach none that is learned; else 0 */
    size_t      taken;      /* results */
    size_t      outside;    /* left out: a value outside this space's ranges, or forbidden */
    size_t      incomplete; /* left out: an objective or a constraint has no value */
} WarmSource;

typedef struct WarmStart {
    int64_t depths[WARM_START_DEPTHS]; /* (depth_count) of whose results is learned, ascending */
    size_t  depth_count;
    bool    learns; /* the scheduler does; else the best points are enqueued */
    WarmSource *sources;
    size_t      source_count;
    WarmResult *results; /* in order of study and segment */
    size_t      count;
    size_t      capacity;
    size_t      best[WARM_START_BEST]; /* (best_count) indices of results, the best first */
    size_t      best_count;
} WarmStart;

/**
 * Reads what `study` is to take; nothing where its file names no earlier study.
 * @param out  out  to be given back with warm_start_reset(), also on failure
 * @return STATUS_OK; STATUS_ERR_IO if there is no such study, STATUS_ERR_STATE if it has other
 *         objectives or another unit; what results_open() returns
 */
Status warm_start_read(const Study *study, WarmStart *out) MUST_USE;
void   warm_start_reset(WarmStart *warm);
/** Appends it to the log of a study that was just made, in an open group. */
Status warm_start_append(const WarmStart *warm, Results *results) MUST_USE;
/** A line per earlier study and one on what becomes of the results, each ending in a newline. */
void warm_start_describe(const Study *study, const WarmStart *warm, Buffer *out);
/** [{"study", "taken", "outside", "incomplete", "shallow"}] */
Status warm_start_json(const WarmStart *warm, Json *array) MUST_USE;

/** Inside warm_start*.c: appends what one earlier study gives. */
Status warm_start__read_source(const Study *study, const char *word, WarmStart *warm) MUST_USE;

#endif
