/** @file buffer.h  Growable text and bytes with a cap per use (after curl's dynbuf).
 *
 * Appending never fails half-way: after the first failure (cap or memory) further appends are
 * no-ops and buffer_status() tells. `data` is always NUL-terminated.
 */
#ifndef CORE_BUFFER_H
#define CORE_BUFFER_H

#include "core/status.h"

#include <stdarg.h>
#include <stddef.h>

typedef struct Buffer {
    char  *data;   /* NUL-terminated once something was appended; NULL before */
    size_t length; /* bytes without the NUL */
    size_t capacity;
    size_t cap; /* most bytes it may hold */
    Status status;
} Buffer;

/** Empty buffer of at most `cap` bytes; allocates nothing. */
void buffer_init(Buffer *buffer, size_t cap);
/** Frees the memory; the buffer is empty and usable again with the same cap. */
void buffer_reset(Buffer *buffer);
/** Forgets the content and the failure, keeps the memory. */
void buffer_clear(Buffer *buffer);
void buffer_append(Buffer *buffer, const void *bytes, size_t length);
void buffer_puts(Buffer *buffer, const char *text);
void buffer_printf(Buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_vprintf(Buffer *buffer, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
/** Drops the first `length` bytes (of a stream that was parsed so far). */
void buffer_consume(Buffer *buffer, size_t length);
/** The text, "" if nothing was appended. */
const char *buffer_text(const Buffer *buffer);
/** STATUS_OK, or what the first failed append failed with (with its text set again). */
Status buffer_status(const Buffer *buffer) MUST_USE;

#endif
