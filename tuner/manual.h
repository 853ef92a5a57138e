/** @file manual.h  Studies that a person trains (`trainer: manual`): ask for segments, tell
 * results.
 *
 * The coordinator without workers: each call opens the study under its lock, replays its log, does
 * what it is asked in one transaction, and closes it. Between calls nothing runs; a segment that
 * was handed out is `running` until it is told.
 */
#ifndef TUNER_MANUAL_H
#define TUNER_MANUAL_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MANUAL_MAX_VALUES = 32 };

typedef struct ManualValue {
    const char *metric;
    double      value; /* NaN: the segment diverged, if it is an objective */
} ManualValue;

/** What a person found. */
typedef struct ManualResult {
    int64_t     segment;
    ManualValue values[MANUAL_MAX_VALUES];
    size_t      count;
    const char *failed; /* why there is no result, or NULL */
} ManualResult;

/** Makes the study, or takes over what its file says now; appends what to do next. */
Status manual_make(const Study *study, StudyFolder *folder, Buffer *out) MUST_USE;
/**
 * Hands out up to `count` further segments (0: none; `again`: those that are out instead).
 * @param out  out  {"state": "open" | "waiting" | "done" | "failed", "reason", "waiting_for":
 * [ids], "segments": [{"id", "parent", "trial", "begin", "end", "unit", "seed", "reason",
 *                  "hyperparameters"}]}; parent null for a fresh agent. New reference.
 */
Status manual_ask(const Study *study, StudyFolder *folder, int64_t count, bool again,
                  Json **out) MUST_USE;
/**
 * Ends a segment that was handed out.
 * @return STATUS_OK; STATUS_ERR_STATE if it is not out, an objective is missing
 */
Status manual_tell(const Study *study, StudyFolder *folder, const ManualResult *result,
                   Buffer *out) MUST_USE;

#endif
