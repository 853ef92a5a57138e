/** @file protocol.h  The trainer protocol, version 1: JSON lines, both sides of the pipe.
 *
 * Described for authors of trainers in docs/trainer-protocol.md. Unknown fields are ignored; NaN,
 * Infinity and null are values; a line is at most PROTOCOL_LINE_BYTES long.
 */
#ifndef WORKERS_PROTOCOL_H
#define WORKERS_PROTOCOL_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PROTOCOL_VERSION = 1,
    PROTOCOL_LINE_BYTES = 1024 * 1024,
    PROTOCOL_METRIC_VALUES = 4096, /* most values of one metric line */
};

typedef enum RequestKind {
    REQUEST_HELLO,
    REQUEST_TRAIN,
    REQUEST_EVALUATE,
    REQUEST_YIELD,
    REQUEST_STOP,
} RequestKind;

/** A line to a trainer. Strings and JSON of a parsed request are borrowed from `json`, which the
 * owner releases with request_reset(); to write one, leave `json` NULL and lend the parts. */
typedef struct Request {
    RequestKind kind;
    /* hello */
    int64_t     protocol;
    const char *study;
    const char *agent;                  /* NULL for an external trainer */
    const char *environment;            /* may be NULL */
    const Json *environment_definition; /* of an environment that has one (mjcf); may be NULL */
    const char *unit;                   /* "episode", "env_step" or the trainer's own */
    const Json *fixed;
    const Json *metrics_wanted; /* array of names; may be NULL */
    int64_t     cores;          /* that it may use */
    int64_t     gpus;           /* that it has to itself; CUDA_VISIBLE_DEVICES names them */
    int64_t     threads;        /* to plan with; at least 1, 1 where the line has none */
    /* train, evaluate */
    int64_t     segment;
    int64_t     parent; /* 0 = none */
    int64_t     evaluation;
    int64_t     begin;
    int64_t     end;
    int64_t     episodes;
    uint64_t    seed;          /* below 2^53 */
    const char *resume_from;   /* absolute path or NULL */
    const char *checkpoint_to; /* absolute path */
    const Json *hyperparameters;
    Json       *json;
} Request;

/** Appends one line with its newline. @return STATUS_OK; STATUS_ERR_RANGE over the buffer's cap */
Status request_write(const Request *request, Buffer *out) MUST_USE;
/**
 * Parses one line (without newline).
 * @param out  out  to be given back with request_reset(); zeroed on failure
 * @return STATUS_OK; STATUS_ERR_PROTOCOL with a sentence (malformed, unknown op, a missing field, a
 *         field of the wrong type, over-long); STATUS_ERR_NOMEM
 */
Status request_parse(const char *line, size_t length, Request *out) MUST_USE;
void   request_reset(Request *request);

typedef enum ReplyKind {
    REPLY_HELLO,
    REPLY_METRIC,
    REPLY_ALIVE,
    REPLY_LOG,
    REPLY_DONE,
    REPLY_FAILED,
} ReplyKind;

/** A line from a trainer. */
typedef struct Reply {
    ReplyKind   kind;
    int64_t     protocol;      /* hello */
    const char *trainer;       /* hello */
    bool        checkpoint;    /* hello; default true */
    bool        deterministic; /* hello; default false */
    bool        evaluate; /* metric, done, failed: `segment` is written and read as "evaluation" */
    int64_t     segment;  /* metric, done, failed: segment or evaluation; 0 if not given */
    int64_t     step;     /* metric */
    int64_t     index;    /* metric; default 0 */
    const Json *values;   /* metric: object of numbers */
    const char *text;     /* log text, failed reason */
    const char *level;    /* log */
    int64_t     end;      /* done after a yield: units reached; 0 if not given */
    bool        has_end;  /* parsed: "end" was given, 0 or not */
    Json       *json;
} Reply;

/** Appends one line with its newline. @return STATUS_OK; STATUS_ERR_RANGE over the buffer's cap */
Status reply_write(const Reply *reply, Buffer *out) MUST_USE;
/** Parses one line (without newline); as request_parse(), released with reply_reset(). */
Status reply_parse(const char *line, size_t length, Reply *out) MUST_USE;
void   reply_reset(Reply *reply);

#endif
