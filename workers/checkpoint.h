/** @file checkpoint.h  Checkpoints on disk as a worker sees them: verify, make room, make durable.
 *
 * They lie in STUDY/checkpoints/ under names like "17.a2" (segment 17, attempt 2), files or
 * folders. A trainer writes NAME.tmp; only what was synced, measured and renamed to NAME is ever
 * given out again, and only with the length and checksum that the database holds.
 */
#ifndef WORKERS_CHECKPOINT_H
#define WORKERS_CHECKPOINT_H

#include "core/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { CHECKPOINT_NAME_BYTES = 64, CHECKPOINT_KNOWN = 64 };

/** A file that this worker wrote or verified as a checkpoint, and how its inode looked then. */
typedef struct CheckpointKnown {
    char            name[CHECKPOINT_NAME_BYTES]; /* "" = empty entry */
    uint64_t        bytes;
    uint64_t        checksum;
    ino_t           inode;
    off_t           size;
    struct timespec modified;
    struct timespec changed; /* of the inode: nobody can set it back */
} CheckpointKnown;

typedef struct Checkpoints {
    char           *folder; /* absolute */
    CheckpointKnown known[CHECKPOINT_KNOWN];
    size_t          next; /* entry to replace */
} Checkpoints;

/** Makes STUDY/checkpoints if it is missing. @return STATUS_OK, STATUS_ERR_IO, STATUS_ERR_NOMEM */
Status checkpoints_init(Checkpoints *checkpoints, const char *study_folder) MUST_USE;
void   checkpoints_reset(Checkpoints *checkpoints);
/**
 * Is NAME there, of this length and checksum? A file is read once, later only its inode is looked
 * at; a folder is read each time.
 * @return STATUS_OK; STATUS_ERR_CORRUPT (missing, other length, other checksum, no such thing) with
 *         a sentence; STATUS_ERR_IO where this process or the way to the file is to blame, so that
 *         nothing is known of it; STATUS_ERR_ARG if the name is none; STATUS_ERR_NOMEM
 */
Status checkpoint_verify(Checkpoints *checkpoints, const char *name, uint64_t bytes,
                         uint64_t checksum) MUST_USE;
/** The next checkpoint_verify() of NAME reads it, whatever its inode looks like. */
void checkpoint_forget(Checkpoints *checkpoints, const char *name);
/** Removes what an earlier try left under NAME.tmp. @return STATUS_OK, STATUS_ERR_ARG,
 * STATUS_ERR_IO */
Status checkpoint_prepare(const Checkpoints *checkpoints, const char *name) MUST_USE;
/**
 * Makes NAME.tmp durable as NAME: synced, measured, renamed, folder synced.
 * @param bytes, checksum  out  left alone on failure
 * @return STATUS_OK; STATUS_ERR_PROTOCOL if there is no NAME.tmp; STATUS_ERR_IO (disk full, ...),
 *         STATUS_ERR_ARG
 */
Status checkpoint_finish(Checkpoints *checkpoints, const char *name, uint64_t *bytes,
                         uint64_t *checksum) MUST_USE;

#endif
