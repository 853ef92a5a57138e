/** @file arena.h  Fixed-capacity scratch memory with mark and release (after MuJoCo's stack).
 *
 * An arena is sized once, before a run; inside a training step, a planning step or a message loop
 * nothing else allocates. Blocks are 64-byte aligned, so that rows start on a cache line.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/status.h"

#include <stddef.h>

enum { ARENA_ALIGNMENT = 64 };

typedef struct Arena {
    unsigned char *base;
    size_t         capacity; /* bytes */
    size_t         used;     /* bytes */
    size_t         peak;     /* bytes, largest `used` so far */
} Arena;

/** Allocates `capacity` bytes (0 is allowed). @return STATUS_OK, STATUS_ERR_NOMEM (arena zeroed).
 */
Status arena_init(Arena *arena, size_t capacity) MUST_USE;
/** Frees the memory and zeroes the struct; harmless on a zeroed one. */
void arena_reset(Arena *arena);
/** Position to come back to. */
size_t arena_mark(const Arena *arena);
/** Gives everything allocated since `mark` back (poisoned under AddressSanitizer). */
void arena_release(Arena *arena, size_t mark);
/**
 * Takes `count` elements of `size` bytes, not zeroed.
 * @param out  out  the block; left alone on failure
 * @return STATUS_OK; STATUS_ERR_NOMEM with requested and available bytes in the text
 */
Status arena_take(Arena *arena, size_t count, size_t size, void **out) MUST_USE;
/** Bytes that arena_take(count, size) uses, rounding included; SIZE_MAX on overflow. */
size_t arena_need(size_t count, size_t size);

/* ARENA_TAKE(arena, float, n, &rows): typed form */
/* NOLINTBEGIN(bugprone-macro-parentheses): a type cannot stand in parentheses */
#define ARENA_TAKE(arena, type, count, out) \
    arena_take((arena), (count), sizeof(type), (void **)(void *)(type **){(out)})
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
