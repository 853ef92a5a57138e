/* Values, getters and the writer; see json_internal.h for NaN and Infinity, json_parse.c for text.
 */
#include "core/json_internal.h"

#include "core/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

enum { FOUND_SIZE = 60, INDENT = 2 };

#define WHOLE_LIMIT 9007199254740992.0 /* 2^53: beyond it a double is no exact integer */

/* jansson reports a lack of memory as this or that syntax error, so it is noted here */
static _Thread_local bool allocation_failed;

static void *allocate(size_t size) {
    void *memory = malloc(size);
    if (memory == NULL) {
        allocation_failed = true;
    }
    return memory;
}

static void set_allocator(void) {
    json_set_alloc_funcs(allocate, free);
}

void json__allocation_begin(void) {
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, set_allocator);
    allocation_failed = false;
}

bool json__allocation_failed(void) {
    return allocation_failed;
}

void json_release(Json *json) {
    json_decref(json);
}

Json *json_new_object(void) {
    json__allocation_begin();
    return json_object();
}

Json *json_new_array(void) {
    json__allocation_begin();
    return json_array();
}

Json *json_new_null(void) {
    return json_null();
}

Json *json_new_bool(bool value) {
    return value ? json_true() : json_false();
}

Json *json_new_integer(int64_t value) {
    json__allocation_begin();
    return json__jansson_integer(value);
}

Json *json_new_number(double value) {
    json__allocation_begin();
    if (isnan(value)) {
        return json_stringn_nocheck("\x01NaN", 4);
    }
    if (isinf(value)) {
        return (value > 0.0) ? json_stringn_nocheck("\x01Infinity", 9)
                             : json_stringn_nocheck("\x01-Infinity", 10);
    }
    return json_real(value);
}

/* bytes of the UTF-8 character at `text` (RFC 3629), 0 if there is none */
static size_t character_length(const unsigned char *text) {
    const unsigned char first = text[0];
    size_t              length = 0;
    unsigned            low = 0x80; /* bounds of the second byte */
    unsigned            high = 0xbf;
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if ((first & 0xf0) == 0xe0) {
        length = 3;
        low = (first == 0xe0) ? 0xa0 : low;   /* not a longer form of a shorter one */
        high = (first == 0xed) ? 0x9f : high; /* no surrogates */
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        low = (first == 0xf0) ? 0x90 : low;
        high = (first == 0xf4) ? 0x8f : high;
    } else {
        return 0;
    }
    if (text[1] < low || text[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

static bool is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at != '\0') {
        const size_t length = character_length(at);
        if (length == 0) {
            return false;
        }
        at += length;
    }
    return true;
}

Json *json_new_string(const char *text) {
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    json__allocation_begin();
    if (text == NULL) {
        return NULL;
    }
    if (text[0] != JSON_MARK && is_utf8(text)) {
        return json_stringn_nocheck(text, strlen(text));
    }
    Buffer clean;
    buffer_init(&clean, SIZE_MAX / 4);
    for (const char *at = text; *at != '\0';) {
        const size_t length = character_length((const unsigned char *)at);
        if (length == 0 || (at == text && *at == JSON_MARK)) {
            buffer_puts(&clean, replacement);
            at++;
        } else {
            buffer_append(&clean, at, length);
            at += length;
        }
    }
    Json *json = (buffer_status(&clean) == STATUS_OK)
                     ? json_stringn_nocheck(clean.data, clean.length)
                     : NULL;
    buffer_reset(&clean);
    return json;
}

Status json_set(Json *object, const char *key, Json *value) {
    if (object == NULL || value == NULL) {
        json_decref(value);
        FAIL(STATUS_ERR_NOMEM, "no memory for the JSON member '%s'", key);
    }
    if (!json_is_object(object) || !is_utf8(key)) {
        json_decref(value);
        FAIL(STATUS_ERR_ARG, "JSON: a member needs an object and a name in UTF-8, not '%s'", key);
    }
    json__allocation_begin();
    if (json_object_set_new_nocheck(object, key, value) != 0) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the JSON member '%s'", key);
    }
    return STATUS_OK;
}

Status json_push(Json *array, Json *value) {
    if (array == NULL || value == NULL) {
        json_decref(value);
        FAIL(STATUS_ERR_NOMEM, "no memory for a JSON element");
    }
    if (!json_is_array(array)) {
        json_decref(value);
        FAIL(STATUS_ERR_ARG, "JSON: elements can only be put into an array");
    }
    json__allocation_begin();
    if (json_array_append_new(array, value) != 0) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a JSON element");
    }
    return STATUS_OK;
}

/* jansson's iterators want a pointer that may change the object, which they do not */
static json_t *without_const(const Json *json) {
    return (json_t *)(uintptr_t)json;
}

static bool has_type(const Json *json, json_type type) {
    return json != NULL && json_typeof(json) == type;
}

/* the token of a marked string, NULL for everything else */
static const char *special_of(const Json *json) {
    const char *text = has_type(json, JSON_STRING) ? json_string_value(json) : NULL;
    return (text != NULL && text[0] == JSON_MARK) ? text + 1 : NULL;
}

bool json_is_object(const Json *json) {
    return has_type(json, JSON_OBJECT);
}

bool json_is_array(const Json *json) {
    return has_type(json, JSON_ARRAY);
}

bool json_is_string(const Json *json) {
    return has_type(json, JSON_STRING) && special_of(json) == NULL;
}

bool json_is_bool(const Json *json) {
    return has_type(json, JSON_TRUE) || has_type(json, JSON_FALSE);
}

bool json_is_integer(const Json *json) {
    return has_type(json, JSON_INTEGER);
}

bool json_is_number(const Json *json) {
    return has_type(json, JSON_INTEGER) || has_type(json, JSON_REAL) || special_of(json) != NULL;
}

bool json_is_null(const Json *json) {
    return has_type(json, JSON_NULL);
}

size_t json_count(const Json *json) {
    return json_is_array(json) ? json_array_size(json) : json_object_size(json);
}

Json *json_get(const Json *object, const char *key) {
    return json_object_get(object, key);
}

Json *json_at(const Json *array, size_t index) {
    return json_array_get(array, index);
}

bool json_member(const Json *object, size_t index, const char **key, Json **value) {
    void *member = json_object_iter(without_const(object));
    for (size_t i = 0; i < index && member != NULL; i++) {
        member = json_object_iter_next(without_const(object), member);
    }
    if (member == NULL) {
        return false;
    }
    *key = json_object_iter_key(member);
    *value = json_object_iter_value(member);
    return true;
}

double json_number(const Json *json) {
    const char *special = special_of(json);
    if (special != NULL && strcmp(special, "Infinity") == 0) {
        return HUGE_VAL;
    }
    if (special != NULL && strcmp(special, "-Infinity") == 0) {
        return -HUGE_VAL;
    }
    if (has_type(json, JSON_INTEGER) || has_type(json, JSON_REAL)) {
        return json_number_value(json);
    }
    return (double)NAN;
}

int64_t json_integer(const Json *json) {
    return json_integer_value(json);
}

bool json_bool(const Json *json) {
    return has_type(json, JSON_TRUE);
}

const char *json_string(const Json *json) {
    return json_is_string(json) ? json_string_value(json) : NULL;
}

/* "'key' is missing" or "'key' must be a string, found 3" */
static Status refuse_member(const Json *object, const char *key, const char *expected) {
    const Json *value = json_get(object, key);
    if (value == NULL) {
        FAIL(STATUS_ERR_PARSE, "'%s' is missing", key);
    }
    Buffer found;
    buffer_init(&found, FOUND_SIZE);
    json_write(value, false, &found);
    const char  *rest = (found.status == STATUS_ERR_RANGE) ? "..." : "";
    const Status status = FAILURE(STATUS_ERR_PARSE, "'%s' must be %s, found %s%s", key, expected,
                                  buffer_text(&found), rest);
    buffer_reset(&found);
    return status;
}

Status json_need_string(const Json *object, const char *key, const char **out) {
    const char *text = json_string(json_get(object, key));
    if (text == NULL) {
        return refuse_member(object, key, "a string");
    }
    *out = text;
    return STATUS_OK;
}

Status json_need_integer(const Json *object, const char *key, int64_t *out) {
    const Json *value = json_get(object, key);
    if (json_is_integer(value)) {
        *out = json_integer(value);
        return STATUS_OK;
    }
    const double number = json_number(value);
    if (number == floor(number) && fabs(number) <= WHOLE_LIMIT) {
        *out = (int64_t)number;
        return STATUS_OK;
    }
    return refuse_member(object, key, "a whole number");
}

Status json_need_number(const Json *object, const char *key, double *out) {
    const Json *value = json_get(object, key);
    if (!json_is_number(value) && !json_is_null(value)) {
        return refuse_member(object, key, "a number");
    }
    *out = json_number(value);
    return STATUS_OK;
}

static void write_string(const char *text, Buffer *out) {
    buffer_append(out, "\"", 1);
    while (*text != '\0') {
        /* runs of ordinary characters at once */
        size_t run = 0;
        while ((unsigned char)text[run] >= 0x20 && text[run] != '"' && text[run] != '\\') {
            run++;
        }
        buffer_append(out, text, run);
        text += run;
        if (*text == '\n') {
            buffer_puts(out, "\\n");
        } else if (*text == '"' || *text == '\\') {
            buffer_printf(out, "\\%c", *text);
        } else if (*text != '\0') {
            buffer_printf(out, "\\u%04x", (unsigned)*text);
        }
        text += *text != '\0';
    }
    buffer_append(out, "\"", 1);
}

/* a real stays one: a point is added where the number is whole */
static void write_real(double value, Buffer *out) {
    char text[NUMBER_TEXT_SIZE];
    number_format(value, text);
    buffer_puts(out, text);
    if (strpbrk(text, ".e") == NULL) {
        buffer_puts(out, ".0");
    }
}

/* `level` is the nesting for indented text, negative for one line */
static void write_break(int level, Buffer *out) {
    if (level >= 0) {
        buffer_printf(out, "\n%*s", level * INDENT, "");
    }
}

static void write_value(const Json *json, int level, Buffer *out);

/* members or elements between brackets */
static void write_container(const Json *json, int level, Buffer *out) {
    const bool   is_object = json_is_object(json);
    const int    inner = (level < 0) ? level : level + 1;
    const size_t count = json_count(json);
    void        *member = is_object ? json_object_iter(without_const(json)) : NULL;
    buffer_puts(out, is_object ? "{" : "[");
    for (size_t i = 0; i < count && out->status == STATUS_OK; i++) {
        const Json *value = is_object ? json_object_iter_value(member) : json_at(json, i);
        buffer_puts(out, (i == 0) ? "" : ",");
        write_break(inner, out);
        if (is_object) {
            write_string(json_object_iter_key(member), out);
            buffer_puts(out, (level < 0) ? ":" : ": ");
            member = json_object_iter_next(without_const(json), member);
        }
        write_value(value, inner, out);
    }
    if (count > 0) {
        write_break(level, out);
    }
    buffer_puts(out, is_object ? "}" : "]");
}

static void write_value(const Json *json, int level, Buffer *out) {
    switch (json_typeof(json)) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        write_container(json, level, out);
        return;
    case JSON_STRING:
        if (special_of(json) != NULL) {
            buffer_puts(out, special_of(json));
        } else {
            write_string(json_string_value(json), out);
        }
        return;
    case JSON_INTEGER:
        buffer_printf(out, "%" PRId64, (int64_t)json_integer_value(json));
        return;
    case JSON_REAL:
        write_real(json_real_value(json), out);
        return;
    case JSON_TRUE:
        buffer_puts(out, "true");
        return;
    case JSON_FALSE:
        buffer_puts(out, "false");
        return;
    case JSON_NULL:
        buffer_puts(out, "null");
        return;
    }
}

void json_write(const Json *json, bool indented, Buffer *out) {
    write_value(json, indented ? 0 : -1, out);
}
