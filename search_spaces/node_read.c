/* Reading nodes: members, typed values, and messages that say where. */
#include "search_spaces/document.h"

#include "core/number.h"
#include "core/option.h"
#include "search_spaces/document_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 64, LONGEST_FOUND = 60 };

static const double largest_exact_integer = 9007199254740992.0; /* 2^53 */

bool node_is_mapping(const Node *node) {
    return node != NULL && node->kind == NODE_MAPPING;
}

bool node_is_sequence(const Node *node) {
    return node != NULL && node->kind == NODE_SEQUENCE;
}

bool node_is_scalar(const Node *node) {
    return node != NULL && node->kind == NODE_SCALAR;
}

bool node_is_plain(const Node *node) {
    return node_is_scalar(node) && node->plain;
}

bool node_is_null(const Node *node) {
    return node_is_plain(node) && (node->text[0] == '\0' || strcmp(node->text, "~") == 0 ||
                                   strcmp(node->text, "null") == 0);
}

size_t node_count(const Node *node) {
    return (node == NULL) ? 0 : node->count;
}

static const NodeMember *find(const Node *mapping, const char *key) {
    for (size_t i = 0; node_is_mapping(mapping) && i < mapping->count; i++) {
        if (strcmp(mapping->members[i].key->text, key) == 0) {
            return &mapping->members[i];
        }
    }
    return NULL;
}

const Node *node_get(const Node *mapping, const char *key) {
    const NodeMember *member = find(mapping, key);
    return (member == NULL) ? NULL : member->value;
}

const Node *node_find_key(const Node *mapping, const char *key) {
    const NodeMember *member = find(mapping, key);
    return (member == NULL) ? NULL : member->key;
}

const Node *node_key(const Node *mapping, size_t index) {
    return (node_is_mapping(mapping) && index < mapping->count) ? mapping->members[index].key
                                                                : NULL;
}

const Node *node_member(const Node *mapping, size_t index, const char **key) {
    if (!node_is_mapping(mapping) || index >= mapping->count) {
        return NULL;
    }
    if (key != NULL) {
        *key = mapping->members[index].key->text;
    }
    return mapping->members[index].value;
}

const Node *node_at(const Node *sequence, size_t index) {
    return (node_is_sequence(sequence) && index < sequence->count) ? sequence->members[index].value
                                                                   : NULL;
}

const char *node_text(const Node *node) {
    return node_is_scalar(node) ? node->text : NULL;
}

static Status fail_with(Status code, const Node *node, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

static Status fail_with(Status code, const Node *node, const char *format, va_list arguments) {
    char text[STATUS_TEXT_SIZE];
    (void)vsnprintf(text, sizeof text, format, arguments);
    if (node == NULL) {
        FAIL(code, "%s", text);
    }
    FAIL(code, "%s:%d:%d: %s", document__name(node->document), node->line, node->column, text);
}

Status node_fail(const Node *node, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const Status status = fail_with(STATUS_ERR_PARSE, node, format, arguments);
    va_end(arguments);
    return status;
}

Status node_fail_as(Status code, const Node *node, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const Status status = fail_with(code, node, format, arguments);
    va_end(arguments);
    return status;
}

Status node_locate(const Node *node) {
    if (node == NULL) {
        return status_last()->code;
    }
    return status_prefix("%s:%d:%d", document__name(node->document), node->line, node->column);
}

/* what stands there, for messages */
static const char *found(const Node *node, char *text, size_t size) {
    if (node->kind != NODE_SCALAR) {
        return (node->kind == NODE_MAPPING) ? "a mapping" : "a list";
    }
    if (node_is_null(node)) {
        return "nothing";
    }
    const int length = (int)strnlen(node->text, LONGEST_FOUND);
    if (node->plain) {
        (void)snprintf(text, size, "'%.*s'", length, node->text);
    } else {
        (void)snprintf(text, size, "the text \"%.*s\"", length, node->text);
    }
    return text;
}

static Status fail_type(const Node *node, const char *what, const char *expected) {
    char text[LONGEST_FOUND + 16];
    if (node == NULL) {
        FAIL(STATUS_ERR_PARSE, "'%s' is missing; it must be %s", what, expected);
    }
    return node_fail(node, "'%s' must be %s, found %s", what, expected,
                     found(node, text, sizeof text));
}

/* copies digits without the underscores between them; false if there is another one or no room */
static bool without_underscores(const char *text, size_t length, char out[LONGEST_NUMBER]) {
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '_') {
            if (i == 0 || i + 1 == length || !isdigit((unsigned char)text[i - 1]) ||
                !isdigit((unsigned char)text[i + 1])) {
                return false;
            }
            continue;
        }
        if (used + 1 >= LONGEST_NUMBER) {
            return false;
        }
        out[used] = text[i];
        used++;
    }
    out[used] = '\0';
    return used > 0;
}

static bool read_number(const char *text, size_t length, double *out) {
    char   plain[LONGEST_NUMBER];
    double value = 0;
    if (!without_underscores(text, length, plain) || !number_parse(plain, &value) ||
        !isfinite(value)) {
        return false;
    }
    *out = value;
    return true;
}

static bool read_integer(const char *text, int64_t *out) {
    char   plain[LONGEST_NUMBER];
    double value = 0;
    if (without_underscores(text, strlen(text), plain) && number_parse_integer(plain, out)) {
        return true;
    }
    if (!read_number(text, strlen(text), &value) || value != floor(value) ||
        fabs(value) > largest_exact_integer) {
        return false;
    }
    *out = (int64_t)value;
    return true;
}

Status node_number(const Node *node, const char *what, double *out) {
    if (node_is_plain(node) && read_number(node->text, strlen(node->text), out)) {
        return STATUS_OK;
    }
    return fail_type(node, what, "a number");
}

Status node_integer(const Node *node, const char *what, int64_t *out) {
    if (node_is_plain(node) && read_integer(node->text, out)) {
        return STATUS_OK;
    }
    return fail_type(node, what, "a whole number");
}

Status node_bool(const Node *node, const char *what, bool *out) {
    if (node_is_plain(node) &&
        (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0)) {
        *out = node->text[0] == 't';
        return STATUS_OK;
    }
    return fail_type(node, what, "true or false");
}

Status node_string(const Node *node, const char *what, const char **out) {
    if (!node_is_scalar(node) || node_is_null(node)) {
        return fail_type(node, what, "a text");
    }
    *out = node->text;
    return STATUS_OK;
}

typedef struct Unit {
    const char *name;
    double      factor;
} Unit;

/* a number at least 0 with one of `units` (ends at NULL; the first has no name) behind it */
static bool read_quantity(const Node *node, const Unit *units, double *out) {
    if (!node_is_scalar(node)) {
        return false;
    }
    size_t length = strlen(node->text);
    size_t letters = 0;
    while (letters < length && isalpha((unsigned char)node->text[length - letters - 1])) {
        letters++;
    }
    const char *unit = node->text + length - letters;
    length -= letters;
    while (length > 0 && letters > 0 && node->text[length - 1] == ' ') {
        length--;
    }
    double value = 0;
    if (!read_number(node->text, length, &value) || value < 0) {
        return false;
    }
    for (size_t i = 0; units[i].name != NULL; i++) {
        if (strcmp(units[i].name, unit) == 0) {
            *out = value * units[i].factor;
            return isfinite(*out);
        }
    }
    return false;
}

Status node_duration(const Node *node, const char *what, double *out) {
    static const Unit units[] = {{"", 1},     {"s", 1},     {"m", 60}, {"min", 60},
                                 {"h", 3600}, {"d", 86400}, {NULL, 0}};
    double            value = 0;
    if (!read_quantity(node, units, &value)) {
        return fail_type(node, what, "a duration such as 45s, 30m, 2h, 1d or a number of seconds");
    }
    *out = value;
    return STATUS_OK;
}

Status node_bytes(const Node *node, const char *what, double *out) {
    static const Unit units[] = {{"", 1},
                                 {"B", 1},
                                 {"kB", 1e3},
                                 {"KB", 1e3},
                                 {"MB", 1e6},
                                 {"GB", 1e9},
                                 {"TB", 1e12},
                                 {"KiB", 1024},
                                 {"MiB", 1024.0 * 1024},
                                 {"GiB", 1024.0 * 1024.0 * 1024},
                                 {"TiB", 1024.0 * 1024 * 1024.0 * 1024},
                                 {NULL, 0}};
    double            value = 0;
    if (!read_quantity(node, units, &value)) {
        return fail_type(node, what, "a size such as 512MiB, 2GiB, 20GB or a number of bytes");
    }
    *out = value;
    return STATUS_OK;
}

Status node_known_keys(const Node *mapping, const char *where, const char *const *keys) {
    size_t known = 0;
    while (keys[known] != NULL) {
        known++;
    }
    if (mapping == NULL || node_is_null(mapping)) {
        return STATUS_OK;
    }
    if (!node_is_mapping(mapping)) {
        return fail_type(mapping, where, "a mapping of keys");
    }
    for (size_t i = 0; i < mapping->count; i++) {
        const Node *key = mapping->members[i].key;
        size_t      k = 0;
        while (k < known && strcmp(keys[k], key->text) != 0) {
            k++;
        }
        if (k < known) {
            continue;
        }
        const char *near = option_nearest(key->text, keys, known);
        return node_fail_as(STATUS_ERR_UNKNOWN_NAME, key, "unknown key '%s' in %s%s%s%s", key->text,
                            where, (near == NULL) ? "" : "; did you mean '",
                            (near == NULL) ? "" : near, (near == NULL) ? "" : "'?");
    }
    return STATUS_OK;
}

static Json *scalar_to_json(const Node *node) {
    double  number = 0;
    int64_t integer = 0;
    if (!node->plain) {
        return json_new_string(node->text);
    }
    if (node_is_null(node)) {
        return json_new_null();
    }
    if (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0) {
        return json_new_bool(node->text[0] == 't');
    }
    char plain[LONGEST_NUMBER];
    if (without_underscores(node->text, strlen(node->text), plain) &&
        number_parse_integer(plain, &integer)) {
        return json_new_integer(integer);
    }
    if (read_number(node->text, strlen(node->text), &number)) {
        return json_new_number(number);
    }
    if (strcmp(node->text, ".nan") == 0) {
        return json_new_number((double)NAN);
    }
    if (strcmp(node->text, ".inf") == 0 || strcmp(node->text, "-.inf") == 0) {
        return json_new_number((node->text[0] == '-') ? -HUGE_VAL : HUGE_VAL);
    }
    return json_new_string(node->text);
}

/* @param left in/out  values that may still be made: aliases can unfold to very many, and chains of
 * them nest deeper than the file does */
static Status to_json(const Node *node, size_t level, size_t *left, Json **out) {
    *out = NULL;
    if (*left == 0 || level == DOCUMENT_MOST_UNFOLDED) {
        return node_fail(node, "the aliases unfold to too many values or levels");
    }
    (*left)--;
    Json  *json = (node->kind == NODE_SCALAR)    ? scalar_to_json(node)
                  : (node->kind == NODE_MAPPING) ? json_new_object()
                                                 : json_new_array();
    Status status = STATUS_OK;
    if (json == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for a JSON value");
    }
    for (size_t i = 0; status == STATUS_OK && i < node->count; i++) {
        Json *value = NULL;
        status = to_json(node->members[i].value, level + 1, left, &value);
        if (status == STATUS_OK) {
            status = (node->kind == NODE_MAPPING)
                         ? json_set(json, node->members[i].key->text, value)
                         : json_push(json, value);
        }
    }
    if (status != STATUS_OK) {
        json_release(json);
        return status;
    }
    *out = json;
    return STATUS_OK;
}

Status node_to_json(const Node *node, Json **out) {
    size_t left = DOCUMENT_MOST_NODES;
    *out = NULL;
    if (node == NULL) {
        FAIL(STATUS_ERR_ARG, "node_to_json() needs a node");
    }
    return to_json(node, 0, &left, out);
}
