/** @file gc.h  Freeing the disk of a study that nobody runs. */
#ifndef TUNER_GC_H
#define TUNER_GC_H

#include "core/status.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct GcReport {
    size_t removed; /* checkpoints */
    double removed_bytes;
    size_t kept;
    double kept_bytes;
    double quota; /* bytes; 0 = none. More than that may stay: what is needed to go on */
} GcReport;

/**
 * Removes checkpoints of a study. What is removed comes back by recomputation where it is asked
 * for.
 * @param study      in   with limits.checkpoint_bytes: what nobody needs goes, then what its
 *                        scheduler may still want, worst objective first, until the rest fits
 * @param only_best  in   everything goes but the best and what is pinned
 * @param dry_run    in   nothing is changed
 * @return STATUS_OK; STATUS_ERR_STATE where a coordinator runs it; what opening a study gives
 */
Status gc_study(const Study *study, StudyFolder *folder, bool only_best, bool dry_run,
                GcReport *report) MUST_USE;

#endif
