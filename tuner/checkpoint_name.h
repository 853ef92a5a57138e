/** @file checkpoint_name.h  Names in checkpoints/: "17.a2" is what attempt 2 of segment 17 left. */
#ifndef TUNER_CHECKPOINT_NAME_H
#define TUNER_CHECKPOINT_NAME_H

#include "results/results.h"
#include "workers/checkpoint.h"

#include <stdbool.h>
#include <stdint.h>

void checkpoint_name(int64_t segment, int64_t attempt, char name[CHECKPOINT_NAME_BYTES]);
/** Is it such a name, or "17.a2.tmp", as files have that are not done yet? */
bool checkpoint_is_name(const char *name);
/** Does a row name this file: the counting attempt of a kept segment, or a yielded part? */
Status checkpoint_is_named(Results *results, const char *name, bool *named) MUST_USE;

#endif
