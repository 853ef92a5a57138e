#include "tuner/id_index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void id_index_reset(IdIndex *index) {
    free(index->entries);
    *index = (IdIndex){.entries = NULL};
}

static size_t home_of(const IdIndex *index, int64_t key) {
    return (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15U) >> 32) & (index->capacity - 1);
}

/* where the key is, or the free place where it belongs */
static size_t place_of(const IdIndex *index, int64_t key) {
    size_t place = home_of(index, key);
    while (index->entries[place].key != 0 && index->entries[place].key != key) {
        place = (place + 1) & (index->capacity - 1);
    }
    return place;
}

static Status grow(IdIndex *index) {
    IdIndex larger = {.capacity = (index->capacity == 0) ? FIRST_CAPACITY : 2 * index->capacity,
                      .count = index->count};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu entries", larger.capacity);
    }
    for (size_t i = 0; i < index->capacity; i++) {
        if (index->entries[i].key != 0) {
            larger.entries[place_of(&larger, index->entries[i].key)] = index->entries[i];
        }
    }
    free(index->entries);
    *index = larger;
    return STATUS_OK;
}

Status id_index_set(IdIndex *index, int64_t id, int64_t value) {
    if (4 * (index->count + 1) > 3 * index->capacity) {
        TRY(grow(index));
    }
    IdEntry *entry = &index->entries[place_of(index, id + 1)];
    index->count += (entry->key == 0) ? 1 : 0;
    *entry = (IdEntry){.key = id + 1, .value = value};
    return STATUS_OK;
}

void id_index_move(IdIndex *index, int64_t id, int64_t value) {
    if (index->capacity > 0) {
        IdEntry *entry = &index->entries[place_of(index, id + 1)];
        entry->value = (entry->key == 0) ? entry->value : value;
    }
}

void id_index_remove(IdIndex *index, int64_t id) {
    if (index->capacity == 0) {
        return;
    }
    const size_t mask = index->capacity - 1;
    size_t       hole = place_of(index, id + 1);
    if (index->entries[hole].key == 0) {
        return;
    }
    index->count--;
    /* whatever was pushed past the hole moves into it */
    for (size_t i = (hole + 1) & mask; index->entries[i].key != 0; i = (i + 1) & mask) {
        const size_t home = home_of(index, index->entries[i].key);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            index->entries[hole] = index->entries[i];
            hole = i;
        }
    }
    index->entries[hole] = (IdEntry){.key = 0};
}

bool id_index_find(const IdIndex *index, int64_t id, int64_t *value) {
    if (index->capacity == 0) {
        return false;
    }
    const IdEntry *entry = &index->entries[place_of(index, id + 1)];
    if (entry->key == 0) {
        return false;
    }
    *value = entry->value;
    return true;
}
