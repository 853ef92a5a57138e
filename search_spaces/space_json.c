/* Points as JSON objects and as text. A choice leaves as what the study file wrote: 64 as a number,
 * true as a boolean, "64" and adam as strings. */
#include "search_spaces/space.h"

#include "core/buffer.h"
#include "core/option.h"
#include "search_spaces/space_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_LENGTH = 80 };

static Json *choice_to_json(const SpaceParameter *p, size_t index) {
    double number = 0;
    switch (space__choice_kind(p, index, &number)) {
    case CHOICE_NUMBER:
        if (number == floor(number) && fabs(number) <= SPACE_LARGEST_INT &&
            strpbrk(p->choices[index], ".eE") == NULL) {
            return json_new_integer((int64_t)number);
        }
        return json_new_number(number);
    case CHOICE_BOOL:
        return json_new_bool(number != 0);
    case CHOICE_STRING:
        break;
    }
    return json_new_string(p->choices[index]);
}

static Json *value_to_json(const SpaceParameter *p, double value) {
    switch (p->type) {
    case SPACE_FLOAT:
        return json_new_number(value);
    case SPACE_INT:
        return json_new_integer((int64_t)value);
    case SPACE_BOOL:
        return json_new_bool(value != 0);
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        return choice_to_json(p, (size_t)value);
    }
    return NULL;
}

Json *space_to_json(const Space *space, const double *point) {
    Json *object = json_new_object();
    for (size_t i = 0; object != NULL && i < space->count; i++) {
        const SpaceParameter *p = &space->parameters[i];
        if (isnan(point[i])) {
            continue;
        }
        if (json_set(object, p->name, value_to_json(p, point[i])) != STATUS_OK) {
            json_release(object);
            object = NULL;
        }
    }
    return object;
}

/* the value as text for a message, cut where it is long */
static const char *found(const Json *json, char *text, size_t size) {
    Buffer buffer;
    buffer_init(&buffer, (size_t)1 << 16);
    json_write(json, false, &buffer);
    (void)snprintf(text, size, "%.*s", (int)strcspn(buffer_text(&buffer), "\n"),
                   buffer_text(&buffer));
    buffer_reset(&buffer);
    return text;
}

static bool choice_matches(const SpaceParameter *p, size_t index, const Json *json) {
    double number = 0;
    if (json_is_string(json)) {
        return strcmp(json_string(json), p->choices[index]) == 0;
    }
    switch (space__choice_kind(p, index, &number)) {
    case CHOICE_NUMBER:
        return json_is_number(json) && json_number(json) == number;
    case CHOICE_BOOL:
        return json_is_bool(json) && json_bool(json) == (number != 0);
    case CHOICE_STRING:
        break;
    }
    return false;
}

static Status choice_from_json(const SpaceParameter *p, const Json *json, double *out) {
    char text[FOUND_LENGTH];
    for (size_t i = 0; i < p->choice_count; i++) {
        if (choice_matches(p, i, json)) {
            *out = (double)i;
            return STATUS_OK;
        }
    }
    const char *near =
        !json_is_string(json)
            ? NULL
            : option_nearest(json_string(json), (const char *const *)p->choices, p->choice_count);
    FAIL(STATUS_ERR_RANGE, "%s is no choice of '%s'%s%s%s", found(json, text, sizeof text), p->name,
         (near == NULL) ? "" : "; did you mean '", (near == NULL) ? "" : near,
         (near == NULL) ? "" : "'?");
}

static Status value_from_json(const SpaceParameter *p, const Json *json, double *out) {
    char        text[FOUND_LENGTH];
    const char *expected = "a number";
    if (space__has_choices(p->type)) {
        return choice_from_json(p, json, out);
    }
    if (p->type == SPACE_BOOL) {
        if (json_is_bool(json)) {
            *out = json_bool(json) ? 1 : 0;
            return STATUS_OK;
        }
        expected = "true or false";
    } else if (json_is_number(json)) {
        TRY(space__check_value(p, json_number(json)));
        *out = space__snap(p, json_number(json));
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_PARSE, "'%s' must be %s, found %s", p->name, expected,
         found(json, text, sizeof text));
}

static Status fail_unknown(const Space *space, const char *key) {
    const char **names = calloc(space->count + 1, sizeof *names);
    const char  *near = NULL;
    if (names != NULL) {
        for (size_t i = 0; i < space->count; i++) {
            names[i] = space->parameters[i].name;
        }
        near = option_nearest(key, names, space->count);
    }
    const Status status =
        FAILURE(STATUS_ERR_UNKNOWN_NAME, "no hyperparameter '%s' in the search space%s%s%s", key,
                (near == NULL) ? "" : "; did you mean '", (near == NULL) ? "" : near,
                (near == NULL) ? "" : "'?");
    free(names);
    return status;
}

/* what becomes of values for which this space has no place */
typedef enum Stranger { STRANGER_REFUSE, STRANGER_DROP } Stranger;

/* what the object says, NaN where it says nothing */
static Status read_members(const Space *space, const Json *json, Stranger stranger,
                           double *values) {
    const char *key = NULL;
    Json       *value = NULL;
    for (size_t i = 0; i < space->count; i++) {
        values[i] = (double)NAN;
    }
    for (size_t k = 0; json_member(json, k, &key, &value); k++) {
        const size_t i = space_find(space, key);
        if (i == space->count) {
            if (stranger == STRANGER_DROP) {
                continue;
            }
            return fail_unknown(space, key);
        }
        TRY(value_from_json(&space->parameters[i], value, &values[i]));
    }
    return STATUS_OK;
}

/* defaults for what is missing, parents first; a value where none may be is left for the check */
static void fill_missing(const Space *space, double *values) {
    for (size_t k = 0; k < space->count; k++) {
        const size_t i = space->order[k];
        if (isnan(values[i]) && space_is_active(space, values, i)) {
            values[i] = space->parameters[i].default_value;
        }
    }
}

static Status read_point(const Space *space, const Json *json, Stranger stranger, double *point) {
    char text[FOUND_LENGTH];
    if (space == NULL || point == NULL || !space->sealed) {
        FAIL(STATUS_ERR_ARG, "space_from_json() needs a sealed space and a point");
    }
    if (!json_is_object(json)) {
        FAIL(STATUS_ERR_PARSE, "hyperparameters must be an object, found %s",
             (json == NULL) ? "nothing" : found(json, text, sizeof text));
    }
    double *values = calloc(space->count + 1, sizeof *values);
    if (values == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    Status status = read_members(space, json, stranger, values);
    if (status == STATUS_OK) {
        fill_missing(space, values);
        if (stranger == STRANGER_DROP) {
            space_activate(space, values);
        }
        status = space_check(space, values);
    }
    if (status == STATUS_OK) {
        memcpy(point, values, space->count * sizeof *point);
    }
    free(values);
    return status;
}

Status space_from_json(const Space *space, const Json *json, double *point) {
    return read_point(space, json, STRANGER_REFUSE, point);
}

Status space_adopt_json(const Space *space, const Json *json, double *point) {
    return read_point(space, json, STRANGER_DROP, point);
}

void space_format(const Space *space, size_t index, double value, char *text, size_t size) {
    const SpaceParameter *p = (index < space->count) ? &space->parameters[index] : NULL;
    if (p == NULL || isnan(value)) {
        (void)snprintf(text, size, "-");
    } else if (p->type == SPACE_BOOL) {
        (void)snprintf(text, size, "%s", (value != 0) ? "true" : "false");
    } else if (space__has_choices(p->type)) {
        const bool inside = value >= 0 && value < (double)p->choice_count;
        (void)snprintf(text, size, "%s", inside ? p->choices[(size_t)value] : "?");
    } else if (p->type == SPACE_INT) {
        (void)snprintf(text, size, "%.0f", value);
    } else {
        (void)snprintf(text, size, "%.5g", value);
    }
}
