/** @file json_internal.h  jansson for json.c and json_parse.c only, and how NaN and Infinity are
 * kept.
 *
 * jansson can neither parse NaN and Infinity nor hold them as reals, so in a tree they are strings
 * with a private first character: U+0001 and then the token, "\x01NaN". Every other way to such a
 * string is closed: JSON text may hold U+0001 only escaped, json_parse() refuses strings that begin
 * with that escape, and json_new_string() replaces it. So a marked string is always a number of
 * ours, and its first character tells.
 */
#ifndef CORE_JSON_INTERNAL_H
#define CORE_JSON_INTERNAL_H

#include <jansson.h>

#include <stdbool.h>

#define JSON_MARK '\x01'

/* json.h gives this name to another function */
static inline json_t *json__jansson_integer(json_int_t value) {
    return json_integer(value);
}

#undef json_is_array
#undef json_is_integer
#undef json_is_null
#undef json_is_number
#undef json_is_object
#undef json_is_string

#include "core/json.h"

/** Makes jansson allocate through this library and forgets earlier failures of this thread. */
void json__allocation_begin(void);
/** Whether an allocation of jansson failed on this thread since json__allocation_begin(). */
bool json__allocation_failed(void);

#endif
