/** @file id_index.h  A number by an id: what is known of a few ids out of a million.
 *
 * Open addressing, at most three quarters full, 16 bytes per place; removal moves later entries of
 * the run up, so there are no graves.
 */
#ifndef TUNER_ID_INDEX_H
#define TUNER_ID_INDEX_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct IdEntry {
    int64_t key; /* id + 1; 0 = free */
    int64_t value;
} IdEntry;

/** Zeroed: empty. */
typedef struct IdIndex {
    IdEntry *entries;
    size_t   capacity; /* a power of two, or 0 */
    size_t   count;
} IdIndex;

void id_index_reset(IdIndex *index);
/** Adds or replaces. `id` >= 0. @return STATUS_OK; STATUS_ERR_NOMEM: nothing changed */
Status id_index_set(IdIndex *index, int64_t id, int64_t value) MUST_USE;
/** Replaces the value of an id that is there. */
void id_index_move(IdIndex *index, int64_t id, int64_t value);
/** Forgets an id; nothing where it is not there. */
void id_index_remove(IdIndex *index, int64_t id);
/** False, and `value` unchanged, where it is not there. */
bool id_index_find(const IdIndex *index, int64_t id, int64_t *value);

#endif
