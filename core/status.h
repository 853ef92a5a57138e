/** @file status.h  Status codes, and the thread-local text that explains the last failure.
 *
 * Every fallible call returns a Status. The function that detects a failure writes the details once
 * with FAIL(); callers hand it up with TRY(). Libraries never print.
 */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

/* One list, so that codes, names and texts cannot drift apart. */
#define STATUS_LIST(X)                                       \
    X(STATUS_OK, "ok")                                       \
    X(STATUS_ERR_ARG, "bad argument")                        \
    X(STATUS_ERR_SHAPE, "shapes do not match")               \
    X(STATUS_ERR_STATE, "not possible in this state")        \
    X(STATUS_ERR_NOMEM, "out of memory")                     \
    X(STATUS_ERR_NUMERIC, "numerical failure")               \
    X(STATUS_ERR_UNKNOWN_NAME, "unknown name")               \
    X(STATUS_ERR_RANGE, "value out of range")                \
    X(STATUS_ERR_PARSE, "malformed input")                   \
    X(STATUS_ERR_IO, "input or output failed")               \
    X(STATUS_ERR_CORRUPT, "damaged data")                    \
    X(STATUS_ERR_VERSION, "unsupported version")             \
    X(STATUS_ERR_DATABASE, "database failure")               \
    X(STATUS_ERR_MPI, "MPI failure")                         \
    X(STATUS_ERR_PROCESS, "process failure")                 \
    X(STATUS_ERR_PROTOCOL, "trainer protocol violated")      \
    X(STATUS_ERR_UNAVAILABLE, "not available in this build") \
    X(STATUS_ERR_USAGE, "wrong usage")                       \
    X(STATUS_ERR_INTERRUPTED, "interrupted")

typedef enum Status {
#define STATUS_ENUM(code, text) code,
    STATUS_LIST(STATUS_ENUM)
#undef STATUS_ENUM
} Status;

enum { STATUS_TEXT_SIZE = 512 };

/** Details of the last failure of the calling thread. */
typedef struct ErrorInfo {
    Status      code;
    long        native; /* SQLite extended code, MPI code or errno; 0 if none */
    const char *file;   /* where FAIL() stood */
    int         line;
    const char *func;
    char        text[STATUS_TEXT_SIZE]; /* one sentence: what, where, what was expected */
} ErrorInfo;

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_index) \
    __attribute__((format(printf, format_index, first_index)))

/** Name of a code ("STATUS_ERR_ARG"); "STATUS_?" for a number that is none. */
const char *status_name(Status code);
/** Short English text of a code. */
const char *status_text(Status code);
/** English text of an errno value; unlike strerror() it may be called by several threads. */
const char *status_errno(int number);
/** Details of the last failure of this thread; never NULL; code STATUS_OK if there was none. */
const ErrorInfo *status_last(void);
/** Forgets the last failure of this thread. */
void status_clear(void);
/** Records a failure and returns `code`; use the FAIL macros instead. */
Status status_fail(Status code, long native, const char *file, int line, const char *func,
                   const char *format, ...) PRINTF_LIKE(6, 7);
/** Puts "prefix: " before the text of the last failure (a file name, a segment) and returns its
 * code. */
Status status_prefix(const char *format, ...) PRINTF_LIKE(1, 2);

#define FAIL(code, ...) return status_fail((code), 0, __FILE__, __LINE__, __func__, __VA_ARGS__)
/* for unwinding code: sets the text and yields the code */
#define FAILURE(code, ...) status_fail((code), 0, __FILE__, __LINE__, __func__, __VA_ARGS__)
/* keeps errno, an SQLite or an MPI code beside the text */
#define FAIL_NATIVE(code, native, ...) \
    return status_fail((code), (native), __FILE__, __LINE__, __func__, __VA_ARGS__)
#define FAILURE_NATIVE(code, native, ...) \
    status_fail((code), (native), __FILE__, __LINE__, __func__, __VA_ARGS__)
#define TRY(call)                          \
    do {                                   \
        const Status try_status_ = (call); \
        if (try_status_ != STATUS_OK) {    \
            return try_status_;            \
        }                                  \
    } while (0)

#endif
