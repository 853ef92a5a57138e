#include "workers/protocol.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { EXCERPT_BYTES = 64 };

/* largest integer that every JSON reader keeps exactly: 2^53 - 1 */
static const int64_t max_seed = 9007199254740991;

/* ---- writing ---- */

static void put_text(Buffer *out, const char *text) {
    buffer_append(out, "\"", 1);
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\') {
            buffer_append(out, "\\", 1);
            buffer_append(out, c, 1);
        } else if (*c == '\n') {
            buffer_append(out, "\\n", 2);
        } else if ((unsigned char)*c < 0x20) {
            buffer_printf(out, "\\u%04x", (unsigned)(unsigned char)*c);
        } else {
            buffer_append(out, c, 1);
        }
    }
    buffer_append(out, "\"", 1);
}

static void put_string(Buffer *out, const char *key, const char *text) {
    if (text != NULL) {
        buffer_printf(out, ",\"%s\":", key);
        put_text(out, text);
    }
}

static void put_string_or_null(Buffer *out, const char *key, const char *text) {
    if (text == NULL) {
        buffer_printf(out, ",\"%s\":null", key);
    }
    put_string(out, key, text);
}

static void put_integer(Buffer *out, const char *key, int64_t value) {
    buffer_printf(out, ",\"%s\":%" PRId64, key, value);
}

static void put_bool(Buffer *out, const char *key, bool value) {
    buffer_printf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void put_json(Buffer *out, const char *key, const Json *value) {
    if (value != NULL) {
        buffer_printf(out, ",\"%s\":", key);
        json_write(value, false, out);
    }
}

static void write_train(const Request *r, Buffer *out) {
    put_integer(out, "segment", r->segment);
    if (r->parent != 0) {
        put_integer(out, "parent", r->parent);
    } else {
        buffer_puts(out, ",\"parent\":null");
    }
    put_json(out, "hyperparameters", r->hyperparameters);
    put_integer(out, "begin", r->begin);
    put_integer(out, "end", r->end);
    put_integer(out, "seed", (int64_t)r->seed);
    put_string_or_null(out, "resume_from", r->resume_from);
    put_string_or_null(out, "checkpoint_to", r->checkpoint_to);
}

static void write_evaluate(const Request *r, Buffer *out) {
    put_integer(out, "evaluation", r->evaluation);
    put_integer(out, "segment", r->segment);
    put_json(out, "hyperparameters", r->hyperparameters);
    put_integer(out, "episodes", r->episodes);
    put_integer(out, "seed", (int64_t)r->seed);
    put_string_or_null(out, "resume_from", r->resume_from);
}

Status request_write(const Request *request, Buffer *out) {
    switch (request->kind) {
    case REQUEST_HELLO:
        buffer_puts(out, "{\"op\":\"hello\"");
        put_integer(out, "protocol", request->protocol);
        put_string(out, "study", request->study);
        put_string(out, "agent", request->agent);
        put_string(out, "environment", request->environment);
        put_json(out, "environment_definition", request->environment_definition);
        put_string(out, "unit", request->unit);
        put_json(out, "fixed", request->fixed);
        put_json(out, "metrics_wanted", request->metrics_wanted);
        put_integer(out, "cores", request->cores);
        put_integer(out, "gpus", request->gpus);
        put_integer(out, "threads", request->threads);
        break;
    case REQUEST_TRAIN:
        buffer_puts(out, "{\"op\":\"train\"");
        write_train(request, out);
        break;
    case REQUEST_EVALUATE:
        buffer_puts(out, "{\"op\":\"evaluate\"");
        write_evaluate(request, out);
        break;
    case REQUEST_YIELD:
        buffer_puts(out, "{\"op\":\"yield\"");
        break;
    case REQUEST_STOP:
        buffer_puts(out, "{\"op\":\"stop\"");
        break;
    }
    buffer_puts(out, "}\n");
    return buffer_status(out);
}

static void put_work(Buffer *out, const Reply *r) {
    if (r->segment != 0) {
        put_integer(out, r->evaluate ? "evaluation" : "segment", r->segment);
    }
}

Status reply_write(const Reply *reply, Buffer *out) {
    switch (reply->kind) {
    case REPLY_HELLO:
        buffer_puts(out, "{\"op\":\"hello\"");
        put_integer(out, "protocol", reply->protocol);
        put_string(out, "trainer", reply->trainer);
        put_bool(out, "checkpoint", reply->checkpoint);
        put_bool(out, "deterministic", reply->deterministic);
        break;
    case REPLY_METRIC:
        buffer_puts(out, "{\"op\":\"metric\"");
        put_work(out, reply);
        put_integer(out, "step", reply->step);
        if (reply->index != 0) {
            put_integer(out, "index", reply->index);
        }
        put_json(out, "values", reply->values);
        break;
    case REPLY_ALIVE:
        buffer_puts(out, "{\"op\":\"alive\"");
        break;
    case REPLY_LOG:
        buffer_puts(out, "{\"op\":\"log\"");
        put_string(out, "level", reply->level);
        put_string(out, "text", reply->text);
        break;
    case REPLY_DONE:
        buffer_puts(out, "{\"op\":\"done\"");
        put_work(out, reply);
        if (reply->end != 0) {
            put_integer(out, "end", reply->end);
        }
        break;
    case REPLY_FAILED:
        buffer_puts(out, "{\"op\":\"failed\"");
        put_work(out, reply);
        put_string(out, "reason", reply->text);
        break;
    }
    buffer_puts(out, "}\n");
    return buffer_status(out);
}

/* ---- reading ---- */

/* start of a line for an error text; what a terminal would not show becomes '?' */
static const char *excerpt(const char *line, size_t length, char *out) {
    const size_t n = (length < EXCERPT_BYTES) ? length : EXCERPT_BYTES;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)line[i];
        out[i] = '?';
        if (c >= 0x20 && c < 0x7f) {
            out[i] = (char)c;
        }
    }
    memcpy(out + n, (length > n) ? "..." : "", (length > n) ? 4 : 1);
    return out;
}

/* parses the line and finds its op; *json is NULL on failure */
static Status parse_object(const char *line, size_t length, Json **json, const char **op) {
    char start[EXCERPT_BYTES + 4];
    *json = NULL;
    if (length > PROTOCOL_LINE_BYTES) {
        FAIL(STATUS_ERR_PROTOCOL, "a line of %zu bytes is longer than %d bytes", length,
             (int)PROTOCOL_LINE_BYTES);
    }
    const Status status = json_parse(line, length, json);
    if (status == STATUS_ERR_NOMEM) {
        return status;
    }
    if (status != STATUS_OK) {
        FAIL(STATUS_ERR_PROTOCOL, "malformed line (%.200s): %s", status_last()->text,
             excerpt(line, length, start));
    }
    if (!json_is_object(*json)) {
        json_release(*json);
        *json = NULL;
        FAIL(STATUS_ERR_PROTOCOL, "a line must be a JSON object: %s", excerpt(line, length, start));
    }
    *op = json_string(json_get(*json, "op"));
    if (*op == NULL) {
        json_release(*json);
        *json = NULL;
        FAIL(STATUS_ERR_PROTOCOL, "a line must have a string \"op\": %s",
             excerpt(line, length, start));
    }
    return STATUS_OK;
}

/* 5 and 5.0 are the same number to many writers of JSON; false if it is not whole */
static bool whole(const Json *value, int64_t *out) {
    if (json_is_integer(value)) {
        *out = json_integer(value);
        return true;
    }
    const double x = json_is_number(value) ? json_number(value) : (double)NAN;
    if (!(fabs(x) <= (double)max_seed) || x != floor(x)) {
        return false;
    }
    *out = (int64_t)x;
    return true;
}

/* a missing member or null leaves *out as it was; anything else must be an integer */
static Status want_integer(const Json *json, const char *op, const char *key, int64_t *out) {
    const Json *value = json_get(json, key);
    if (value == NULL || json_is_null(value)) {
        return STATUS_OK;
    }
    if (!whole(value, out)) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' must be an integer", op, key);
    }
    return STATUS_OK;
}

static Status need_integer(const Json *json, const char *op, const char *key, int64_t *out) {
    if (json_get(json, key) == NULL) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' is missing", op, key);
    }
    if (!whole(json_get(json, key), out)) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' must be an integer", op, key);
    }
    return STATUS_OK;
}

/* a missing member or null gives NULL */
static Status want_string(const Json *json, const char *op, const char *key, const char **out) {
    const Json *value = json_get(json, key);
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' must be a string", op, key);
    }
    *out = json_string(value);
    return STATUS_OK;
}

static Status want_bool(const Json *json, const char *op, const char *key, bool *out) {
    const Json *value = json_get(json, key);
    if (value == NULL || json_is_null(value)) {
        return STATUS_OK;
    }
    if (!json_is_bool(value)) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' must be true or false", op, key);
    }
    *out = json_bool(value);
    return STATUS_OK;
}

static Status want_object(const Json *json, const char *op, const char *key, const Json **out) {
    const Json *value = json_get(json, key);
    if (value == NULL || json_is_null(value)) {
        return STATUS_OK;
    }
    if (!json_is_object(value)) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: '%s' must be an object", op, key);
    }
    *out = value;
    return STATUS_OK;
}

static Status read_seed(const Json *json, const char *op, uint64_t *out) {
    int64_t seed = 0;
    TRY(need_integer(json, op, "seed", &seed));
    if (seed < 0 || seed > max_seed) {
        FAIL(STATUS_ERR_PROTOCOL, "%s: 'seed' must be at least 0 and below 2^53, found %" PRId64,
             op, seed);
    }
    *out = (uint64_t)seed;
    return STATUS_OK;
}

static Status read_hello_request(const Json *json, Request *out) {
    out->kind = REQUEST_HELLO;
    out->cores = 1;
    out->threads = 1;
    TRY(need_integer(json, "hello", "protocol", &out->protocol));
    TRY(want_string(json, "hello", "study", &out->study));
    TRY(want_string(json, "hello", "agent", &out->agent));
    TRY(want_string(json, "hello", "environment", &out->environment));
    TRY(want_object(json, "hello", "environment_definition", &out->environment_definition));
    TRY(want_string(json, "hello", "unit", &out->unit));
    TRY(want_object(json, "hello", "fixed", &out->fixed));
    out->metrics_wanted = json_get(json, "metrics_wanted");
    TRY(want_integer(json, "hello", "cores", &out->cores));
    TRY(want_integer(json, "hello", "gpus", &out->gpus));
    return want_integer(json, "hello", "threads", &out->threads);
}

static Status read_train(const Json *json, Request *out) {
    out->kind = REQUEST_TRAIN;
    TRY(need_integer(json, "train", "segment", &out->segment));
    TRY(want_integer(json, "train", "parent", &out->parent));
    TRY(need_integer(json, "train", "begin", &out->begin));
    TRY(need_integer(json, "train", "end", &out->end));
    TRY(read_seed(json, "train", &out->seed));
    TRY(want_string(json, "train", "resume_from", &out->resume_from));
    TRY(want_string(json, "train", "checkpoint_to", &out->checkpoint_to));
    TRY(want_object(json, "train", "hyperparameters", &out->hyperparameters));
    if (out->begin < 0 || out->end <= out->begin) {
        FAIL(STATUS_ERR_PROTOCOL,
             "train: 'begin' must be at least 0 and below 'end', found %" PRId64 " and %" PRId64,
             out->begin, out->end);
    }
    return STATUS_OK;
}

static Status read_evaluate(const Json *json, Request *out) {
    out->kind = REQUEST_EVALUATE;
    TRY(need_integer(json, "evaluate", "evaluation", &out->evaluation));
    TRY(need_integer(json, "evaluate", "segment", &out->segment));
    TRY(need_integer(json, "evaluate", "episodes", &out->episodes));
    TRY(read_seed(json, "evaluate", &out->seed));
    TRY(want_string(json, "evaluate", "resume_from", &out->resume_from));
    TRY(want_object(json, "evaluate", "hyperparameters", &out->hyperparameters));
    if (out->episodes < 1) {
        FAIL(STATUS_ERR_PROTOCOL, "evaluate: 'episodes' must be at least 1, found %" PRId64,
             out->episodes);
    }
    return STATUS_OK;
}

static Status read_request(const Json *json, const char *op, Request *out) {
    if (strcmp(op, "hello") == 0) {
        return read_hello_request(json, out);
    }
    if (strcmp(op, "train") == 0) {
        return read_train(json, out);
    }
    if (strcmp(op, "evaluate") == 0) {
        return read_evaluate(json, out);
    }
    if (strcmp(op, "yield") == 0) {
        out->kind = REQUEST_YIELD;
        return STATUS_OK;
    }
    if (strcmp(op, "stop") == 0) {
        out->kind = REQUEST_STOP;
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_PROTOCOL,
         "unknown op '%.64s'; a request is hello, train, evaluate, yield or stop", op);
}

Status request_parse(const char *line, size_t length, Request *out) {
    Json       *json = NULL;
    const char *op = "";
    memset(out, 0, sizeof *out);
    TRY(parse_object(line, length, &json, &op));
    out->json = json;
    const Status status = read_request(json, op, out);
    if (status != STATUS_OK) {
        request_reset(out);
    }
    return status;
}

void request_reset(Request *request) {
    json_release(request->json);
    memset(request, 0, sizeof *request);
}

/* which work a metric, done or failed is about */
static Status read_work(const Json *json, const char *op, Reply *out) {
    if (json_get(json, "evaluation") != NULL) {
        out->evaluate = true;
        return want_integer(json, op, "evaluation", &out->segment);
    }
    return want_integer(json, op, "segment", &out->segment);
}

static Status read_metric(const Json *json, Reply *out) {
    const char *key = NULL;
    Json       *value = NULL;
    out->kind = REPLY_METRIC;
    TRY(read_work(json, "metric", out));
    TRY(need_integer(json, "metric", "step", &out->step));
    TRY(want_integer(json, "metric", "index", &out->index));
    TRY(want_object(json, "metric", "values", &out->values));
    if (out->values == NULL) {
        FAIL(STATUS_ERR_PROTOCOL, "metric: 'values' is missing");
    }
    if (json_count(out->values) > PROTOCOL_METRIC_VALUES) {
        FAIL(STATUS_ERR_PROTOCOL, "metric: %zu values in one line; at most %d",
             json_count(out->values), (int)PROTOCOL_METRIC_VALUES);
    }
    for (size_t i = 0; json_member(out->values, i, &key, &value); i++) {
        if (!json_is_number(value) && !json_is_null(value)) {
            FAIL(STATUS_ERR_PROTOCOL, "metric: the value of '%.64s' must be a number or null", key);
        }
    }
    return STATUS_OK;
}

static Status read_hello_reply(const Json *json, Reply *out) {
    out->kind = REPLY_HELLO;
    out->checkpoint = true;
    TRY(need_integer(json, "hello", "protocol", &out->protocol));
    TRY(want_string(json, "hello", "trainer", &out->trainer));
    TRY(want_bool(json, "hello", "checkpoint", &out->checkpoint));
    return want_bool(json, "hello", "deterministic", &out->deterministic);
}

static Status read_done(const Json *json, Reply *out) {
    out->kind = REPLY_DONE;
    TRY(read_work(json, "done", out));
    out->has_end = json_is_number(json_get(json, "end"));
    return want_integer(json, "done", "end", &out->end);
}

static Status read_reply(const Json *json, const char *op, Reply *out) {
    if (strcmp(op, "metric") == 0) {
        return read_metric(json, out);
    }
    if (strcmp(op, "alive") == 0) {
        out->kind = REPLY_ALIVE;
        return STATUS_OK;
    }
    if (strcmp(op, "done") == 0) {
        return read_done(json, out);
    }
    if (strcmp(op, "hello") == 0) {
        return read_hello_reply(json, out);
    }
    if (strcmp(op, "log") == 0) {
        out->kind = REPLY_LOG;
        TRY(want_string(json, "log", "level", &out->level));
        return want_string(json, "log", "text", &out->text);
    }
    if (strcmp(op, "failed") == 0) {
        out->kind = REPLY_FAILED;
        TRY(read_work(json, "failed", out));
        return want_string(json, "failed", "reason", &out->text);
    }
    FAIL(STATUS_ERR_PROTOCOL,
         "unknown op '%.64s'; a reply is hello, metric, alive, log, done or failed", op);
}

Status reply_parse(const char *line, size_t length, Reply *out) {
    Json       *json = NULL;
    const char *op = "";
    memset(out, 0, sizeof *out);
    TRY(parse_object(line, length, &json, &op));
    out->json = json;
    const Status status = read_reply(json, op, out);
    if (status != STATUS_OK) {
        reply_reset(out);
    }
    return status;
}

void reply_reset(Reply *reply) {
    json_release(reply->json);
    memset(reply, 0, sizeof *reply);
}
