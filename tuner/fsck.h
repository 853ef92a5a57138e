/** @file fsck.h  Is a study's directory whole? Rows, lineage, checkpoints; and mending what a crash
 * or a backup leaves.
 *
 * Mended are: rows left running, missing or damaged checkpoints (the row stops naming them, so that
 * the chain is computed again from the nearest good ancestor when it is asked for), checkpoints
 * that no row names, damaged indexes, a left-over write-ahead log. Anything else is reported and
 * left alone; files of others in checkpoints/ are only counted. Rows that a table lost are reported
 * and its indexes, which tell of them, kept; while rows are wrong no checkpoint of nobody goes.
 */
#ifndef TUNER_FSCK_H
#define TUNER_FSCK_H

#include "core/buffer.h"
#include "core/status.h"
#include "tuner/study_folder.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct FsckReport {
    size_t found;       /* findings, those mended included */
    size_t mended;      /* of them; without `repair` how many could be */
    bool   again;       /* `repair` would make indexes anew first: `mended` is not known before */
    size_t checkpoints; /* that were read */
    double bytes;       /* of those */
} FsckReport;

/**
 * Checks the study in `folder`, whose lock the caller holds.
 * @param repair  mends what can be mended
 * @param out     in/out  gets a line per finding
 * @return STATUS_OK, whatever was found; STATUS_ERR_IO, STATUS_ERR_CORRUPT, STATUS_ERR_VERSION
 *         where there is no database that could be looked into
 */
Status fsck_study(const StudyFolder *folder, bool repair, Buffer *out, FsckReport *report) MUST_USE;

#endif
