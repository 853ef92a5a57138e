/** @file json.h  JSON over jansson, the only place that includes it.
 *
 * `Json` is jansson's json_t; values are reference counted. What this adds: NaN and Infinity as
 * values (the trainer protocol allows them; jansson does not), 17 significant digits, errors as
 * Status, and typed getters with one clear sentence each.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include "core/buffer.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct json_t Json; /* jansson's tag, so that no other file needs its header */

/* jansson exports functions with these two names and calls them itself: ours need other symbols */
#define json_integer json_as_integer
#define json_string  json_as_string

/**
 * Parses one JSON value. The bare tokens NaN, Infinity and -Infinity are accepted where a value may
 * stand.
 * @param text    in   `length` bytes, need not end in NUL
 * @param out     out  new value, to be released with json_release(); NULL on failure
 * @return STATUS_OK; STATUS_ERR_NOMEM; STATUS_ERR_PARSE with line, column and what was found: also
 *         for NUL (bare or as an escape), a member named twice, more than 128 levels of nesting,
 *         numbers that do not fit, and strings that begin with the control character U+0001
 */
Status json_parse(const char *text, size_t length, Json **out) MUST_USE;
/** Gives a value back; accepts NULL. */
void json_release(Json *json);
/** Appends `json` as one line (or indented by two spaces) with NaN and Infinity as bare tokens. */
void json_write(const Json *json, bool indented, Buffer *out);

/* Makers: NULL when memory is out, which json_set() and json_push() then report. */
Json *json_new_object(void);
Json *json_new_array(void);
Json *json_new_null(void);
Json *json_new_bool(bool value);
Json *json_new_integer(int64_t value);
Json *json_new_number(double value); /* NaN and infinities allowed */
/** Bytes that are not UTF-8, and a leading U+0001, become U+FFFD. NULL for NULL. */
Json *json_new_string(const char *text);
/** Puts `value` under `key` and takes ownership of it, also on failure. @return STATUS_OK;
 * STATUS_ERR_NOMEM if either is NULL or memory is out; STATUS_ERR_ARG (no object, key not UTF-8) */
Status json_set(Json *object, const char *key, Json *value) MUST_USE;
/** Appends `value` and takes ownership of it, also on failure. Errors as of json_set(). */
Status json_push(Json *array, Json *value) MUST_USE;

bool   json_is_object(const Json *json);
bool   json_is_array(const Json *json);
bool   json_is_string(const Json *json);
bool   json_is_bool(const Json *json);
bool   json_is_integer(const Json *json);
bool   json_is_number(const Json *json); /* integer, real, NaN, infinity; null is not */
bool   json_is_null(const Json *json);
size_t json_count(const Json *json); /* elements or members; 0 for everything else */
/** Borrowed member, NULL if missing or `object` is not one. */
Json *json_get(const Json *object, const char *key);
/** Borrowed element, NULL past the end. */
Json *json_at(const Json *array, size_t index);
/** Key and value number `index` of an object, in insertion order; false past the end. O(index). */
bool json_member(const Json *object, size_t index, const char **key, Json **value);
/** Value of a number (null counts as NaN); NaN if it is none. */
double      json_number(const Json *json);
int64_t     json_integer(const Json *json); /* 0 if it is none */
bool        json_bool(const Json *json);
const char *json_string(const Json *json); /* borrowed; NULL if it is none */

/* Required members; a whole number may be written 3.0, null is the number NaN. `out` is left alone
 * on failure: STATUS_ERR_PARSE "'key' is missing" or "'key' must be a string, found 3". */
Status json_need_string(const Json *object, const char *key, const char **out) MUST_USE;
Status json_need_integer(const Json *object, const char *key, int64_t *out) MUST_USE;
Status json_need_number(const Json *object, const char *key, double *out) MUST_USE;

#endif
