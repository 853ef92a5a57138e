#include "core/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(address, bytes)   ASAN_POISON_MEMORY_REGION((address), (bytes))
#define UNPOISON(address, bytes) ASAN_UNPOISON_MEMORY_REGION((address), (bytes))
#else
#define POISON(address, bytes)   ((void)(address), (void)(bytes))
#define UNPOISON(address, bytes) ((void)(address), (void)(bytes))
#endif

Status arena_init(Arena *arena, size_t capacity) {
    memset(arena, 0, sizeof *arena);
    if (capacity == 0) {
        return STATUS_OK;
    }
    const size_t bytes = arena_need(capacity, 1);
    if (bytes == SIZE_MAX) {
        FAIL(STATUS_ERR_NOMEM, "arena: %zu bytes are more than can be addressed", capacity);
    }
    arena->base = aligned_alloc(ARENA_ALIGNMENT, bytes);
    if (arena->base == NULL) {
        FAIL(STATUS_ERR_NOMEM, "arena: no memory for %zu bytes", bytes);
    }
    arena->capacity = bytes;
    POISON(arena->base, arena->capacity);
    return STATUS_OK;
}

void arena_reset(Arena *arena) {
    UNPOISON(arena->base, arena->capacity);
    free(arena->base);
    memset(arena, 0, sizeof *arena);
}

size_t arena_mark(const Arena *arena) {
    return arena->used;
}

void arena_release(Arena *arena, size_t mark) {
    if (mark < arena->used) { /* an arena that was never filled may have no memory to point into */
        POISON(arena->base + mark, arena->used - mark);
        arena->used = mark;
    }
}

size_t arena_need(size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - ARENA_ALIGNMENT) / size) {
        return SIZE_MAX;
    }
    return (count * size + (ARENA_ALIGNMENT - 1)) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

Status arena_take(Arena *arena, size_t count, size_t size, void **out) {
    const size_t bytes = arena_need(count, size);
    if (bytes > arena->capacity - arena->used) {
        FAIL(STATUS_ERR_NOMEM, "arena: %zu x %zu bytes requested, %zu of %zu available", count,
             size, arena->capacity - arena->used, arena->capacity);
    }
    *out = arena->base + arena->used;
    UNPOISON(*out, bytes);
    arena->used += bytes;
    if (arena->used > arena->peak) {
        arena->peak = arena->used;
    }
    return STATUS_OK;
}
