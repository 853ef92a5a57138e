#include "core/buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

#define CAP_LIMIT (SIZE_MAX / 4) /* so that no sum or doubling of sizes overflows */

void buffer_init(Buffer *buffer, size_t cap) {
    memset(buffer, 0, sizeof *buffer);
    buffer->cap = (cap < CAP_LIMIT) ? cap : CAP_LIMIT;
}

void buffer_reset(Buffer *buffer) {
    free(buffer->data);
    buffer_init(buffer, buffer->cap);
}

void buffer_clear(Buffer *buffer) {
    buffer->length = 0;
    buffer->status = STATUS_OK;
    if (buffer->data != NULL) {
        buffer->data[0] = '\0';
    }
}

/* makes room for `extra` bytes and the NUL; false after a failure */
static int reserve(Buffer *buffer, size_t extra) {
    if (buffer->status != STATUS_OK) {
        return 0;
    }
    if (extra > buffer->cap - buffer->length) {
        buffer->status = STATUS_ERR_RANGE;
        return 0;
    }
    const size_t needed = buffer->length + extra + 1;
    if (needed <= buffer->capacity) {
        return 1;
    }
    size_t capacity = (buffer->capacity == 0) ? FIRST_CAPACITY : buffer->capacity;
    while (capacity < needed) {
        capacity *= 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->status = STATUS_ERR_NOMEM;
        return 0;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 1;
}

void buffer_append(Buffer *buffer, const void *bytes, size_t length) {
    if (!reserve(buffer, length)) {
        return;
    }
    if (length > 0) {
        memcpy(buffer->data + buffer->length, bytes, length);
    }
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void buffer_puts(Buffer *buffer, const char *text) {
    buffer_append(buffer, text, strlen(text));
}

void buffer_vprintf(Buffer *buffer, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    const int length = vsnprintf(NULL, 0, format, arguments);
    if (length >= 0 && reserve(buffer, (size_t)length)) {
        (void)vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, again);
        buffer->length += (size_t)length;
    }
    va_end(again);
}

void buffer_printf(Buffer *buffer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    buffer_vprintf(buffer, format, arguments);
    va_end(arguments);
}

void buffer_consume(Buffer *buffer, size_t length) {
    if (length == 0) {
        return; /* there may be no memory yet */
    }
    memmove(buffer->data, buffer->data + length, buffer->length - length);
    buffer->length -= length;
    buffer->data[buffer->length] = '\0';
}

const char *buffer_text(const Buffer *buffer) {
    return (buffer->data == NULL) ? "" : buffer->data;
}

Status buffer_status(const Buffer *buffer) {
    if (buffer->status == STATUS_ERR_RANGE) {
        FAIL(STATUS_ERR_RANGE, "text is longer than its cap of %zu bytes", buffer->cap);
    }
    if (buffer->status != STATUS_OK) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a text of %zu bytes", buffer->length);
    }
    return STATUS_OK;
}
