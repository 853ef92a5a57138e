#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local ErrorInfo last_error;

const char *status_name(Status code) {
    switch (code) {
#define STATUS_NAME_CASE(c, text) \
    case c:                       \
        return #c;
        STATUS_LIST(STATUS_NAME_CASE)
#undef STATUS_NAME_CASE
    }
    return "STATUS_?";
}

const char *status_text(Status code) {
    switch (code) {
#define STATUS_TEXT_CASE(c, text) \
    case c:                       \
        return text;
        STATUS_LIST(STATUS_TEXT_CASE)
#undef STATUS_TEXT_CASE
    }
    return "unknown status";
}

const char *status_errno(int number) {
    const char *text = strerrordesc_np(number);
    return (text == NULL) ? "unknown error" : text;
}

const ErrorInfo *status_last(void) {
    return &last_error;
}

void status_clear(void) {
    memset(&last_error, 0, sizeof last_error);
}

Status status_fail(Status code, long native, const char *file, int line, const char *func,
                   const char *format, ...) {
    /* format first: an argument may point into the old text */
    char    text[STATUS_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    last_error.code = code;
    last_error.native = native;
    last_error.file = file;
    last_error.line = line;
    last_error.func = func;
    memcpy(last_error.text, text, sizeof text);
    return code;
}

Status status_prefix(const char *format, ...) {
    char    prefix[STATUS_TEXT_SIZE];
    char    old[STATUS_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);

    memcpy(old, last_error.text, sizeof old);
    const int    length = snprintf(last_error.text, sizeof last_error.text, "%s: ", prefix);
    const size_t used = (length < 0) ? 0 : (size_t)length;
    if (used < sizeof last_error.text) {
        (void)snprintf(last_error.text + used, sizeof last_error.text - used, "%s", old);
    }
    return last_error.code;
}
