/** @file checkpoint_name.h  Names in checkpoints/: "17.a2" is what attempt 2 of segment 17 left. */
#ifndef TUNER_CHECKPOINT_NAME_H
#define TUNER_CHECKPOINT_NAME_H

#include "results/results.h"
#include "workers/checkpoint.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void checkpoint_name(int64_t segment, int64_t attempt, char name[CHECKPOINT_NAME_BYTES]);
/** Is it such a name, or one that begins with "17.a2.tmp", as files have that are not done yet? A
 * person's "17.a2.copy" is none. */
bool checkpoint_is_name(const char *name);
/** Does a row name this file: the counting attempt of a kept segment, or a yielded part? */
Status checkpoint_is_named(Results *results, const char *name, bool *named) MUST_USE;

typedef Status (*CheckpointOrphan)(void *context, const char *name);
/** Calls `orphan` for every checkpoint in `folder` that no row names. What has no checkpoint's name
 * is somebody else's, since the folder may be a link to a larger disk: it is only counted.
 * @param others  out  how many of these there are
 * @return what `orphan` fails with; STATUS_ERR_IO */
Status checkpoint_orphans_visit(const char *folder, Results *results, CheckpointOrphan orphan,
                                void *context, size_t *others) MUST_USE;

#endif
