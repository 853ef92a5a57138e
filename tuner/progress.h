/** @file progress.h  What the user sees while a study runs: one live line on a terminal, plain log
 * lines elsewhere, nothing with --quiet. */
#ifndef TUNER_PROGRESS_H
#define TUNER_PROGRESS_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Progress {
    bool   quiet;
    int    columns; /* 0 = no terminal */
    bool   colour;
    bool   line_open; /* a live line stands on the terminal */
    double started;   /* s, monotonic */
    double shown;
} Progress;

/** The numbers of one moment. */
typedef struct ProgressState {
    const char *phase; /* "tuning", "confirming", "evaluating" */
    int64_t     done;  /* segments finished in this study */
    int64_t     failed;
    size_t      running;
    size_t      slots;
    int64_t     units;       /* budget units consumed in this phase */
    int64_t     total_units; /* 0 = unknown */
    const char *unit;
    double      best;             /* NaN = none yet */
    double      utilization;      /* 0 to 1; NaN = nothing ran yet */
    double      units_per_second; /* of this run; 0 = unknown */
} ProgressState;

void progress_init(Progress *progress, bool quiet, int columns, bool colour);
/** True when the state should be shown again: on a terminal four times a second, else every 10 s,
 * or `now`. */
bool progress_due(const Progress *progress, bool now);
/** Shows the state. */
void progress_show(Progress *progress, const ProgressState *state);
/** One line for the record ("12:03:41 exploit: ..."); erases and redraws the live line. */
void progress_log(Progress *progress, const char *level, const char *text);
/** Ends the live line. */
void progress_end(Progress *progress);

#endif
