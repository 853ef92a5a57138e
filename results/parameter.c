/* Values of hyperparameters between three worlds: a point (doubles, search_spaces/space.h), a
 * column (REAL, INTEGER or TEXT, as people would query it) and JSON (as study files spell it).
 *
 * A choice that reads as a number is stored as that number, so that `layers: [2, 3, 4]` can be
 * compared and averaged in SQL; the stored list of choices leads back to its index. */
#include "results/store.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[] = {
    [SPACE_FLOAT] = "float",     [SPACE_INT] = "int",
    [SPACE_BOOL] = "bool",       [SPACE_CATEGORICAL] = "categorical",
    [SPACE_ORDINAL] = "ordinal",
};

enum { TYPE_COUNT = sizeof type_names / sizeof type_names[0] };

static bool has_choices(SpaceType type) {
    return type == SPACE_CATEGORICAL || type == SPACE_ORDINAL;
}

/* ---- choices -------------------------------------------------------------------------------- */

/* The choices as JSON values, as space_to_json() would spell them: asked of a space with nothing
 * but this hyperparameter, so that the rule has one home. */
static Status choices_ask(const SpaceParameter *parameter, Space *alone, Json *array) {
    SpaceParameter copy = *parameter;
    memset(&copy.when, 0, sizeof copy.when);
    TRY(space_add(alone, &copy));
    TRY(space_seal(alone));
    for (size_t i = 0; i < parameter->choice_count; i++) {
        const double point = (double)i;
        Json        *object = space_to_json(alone, &point);
        const char  *key = NULL;
        Json        *value = NULL;
        Buffer       text;
        Json        *copy_of_value = NULL;
        buffer_init(&text, RESULTS_TEXT_CAP);
        Status status = STATUS_ERR_NOMEM;
        if (object != NULL && json_member(object, 0, &key, &value)) {
            json_write(value, false, &text);
            status = buffer_status(&text);
        }
        if (status == STATUS_OK) {
            status = json_parse(buffer_text(&text), text.length, &copy_of_value);
        }
        if (status == STATUS_OK) {
            status = json_push(array, copy_of_value);
        }
        buffer_reset(&text);
        json_release(object);
        TRY(status);
    }
    return STATUS_OK;
}

static Status choices_json(const SpaceParameter *parameter, Json **out) {
    Space *alone = NULL;
    TRY(space_create(&alone));
    Json  *array = json_new_array();
    Status status = (array == NULL) ? FAILURE(STATUS_ERR_NOMEM, "no memory for choices")
                                    : choices_ask(parameter, alone, array);
    space_destroy(alone);
    if (status != STATUS_OK) {
        json_release(array);
        return status;
    }
    *out = array;
    return STATUS_OK;
}

/* true and false are stored as texts: 1 may be another choice */
static Status choice_make(const Json *value, ParameterChoice *out) {
    *out = (ParameterChoice){.kind = 't'};
    if (json_is_integer(value)) {
        *out = (ParameterChoice){.kind = 'i', .integer = json_integer(value)};
        return STATUS_OK;
    }
    if (json_is_number(value) && isfinite(json_number(value))) {
        *out = (ParameterChoice){.kind = 'd', .number = json_number(value)};
        return STATUS_OK;
    }
    const char *text = json_string(value);
    if (json_is_bool(value)) {
        out->is_bool = true;
        text = json_bool(value) ? "true" : "false";
    } else if (text == NULL) {
        text = !json_is_number(value)       ? ""
               : isnan(json_number(value))  ? "nan"
               : (json_number(value) > 0.0) ? "inf"
                                            : "-inf";
    }
    out->text = strdup(text);
    if (out->text == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a choice");
    }
    return STATUS_OK;
}

/* ---- the table ------------------------------------------------------------------------------ */

static Status parameter_insert(Results *results, size_t id, const SpaceParameter *parameter,
                               const ParameterChoice *fallback, const char *choices) {
    const bool   ranged = parameter->type == SPACE_FLOAT || parameter->type == SPACE_INT;
    const double lower = ranged ? parameter->lower : (double)NAN;
    const double upper = ranged ? parameter->upper : (double)NAN;
    const double step = (ranged && parameter->step > 0.0) ? parameter->step : (double)NAN;
    return results__run(
        results,
        "INSERT INTO hyperparameter (id, name, type, lower, upper, step, log, dynamic,"
        " default_value, choices) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ittdddiict", (int64_t)id, parameter->name, type_names[parameter->type], lower, upper, step,
        (int64_t)parameter->log, (int64_t)parameter->dynamic, fallback, choices);
}

static Status with_choices_insert(Results *results, size_t id, const SpaceParameter *parameter,
                                  const Json *array) {
    const double    index = parameter->default_value;
    ParameterChoice fallback = {.kind = 'd'};
    Buffer          text;
    buffer_init(&text, RESULTS_TEXT_CAP);
    json_write(array, false, &text);
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        /* json_write() may end the line: not wanted here */
        text.data[strcspn(text.data, "\n")] = '\0';
        status = choice_make(json_at(array, (index >= 0.0) ? (size_t)index : 0), &fallback);
    }
    if (status == STATUS_OK) {
        status = parameter_insert(results, id, parameter, &fallback, buffer_text(&text));
    }
    free(fallback.text);
    buffer_reset(&text);
    return status;
}

static Status one_insert(Results *results, size_t id, const SpaceParameter *parameter) {
    if (has_choices(parameter->type)) {
        Json *array = NULL;
        TRY(choices_json(parameter, &array));
        const Status status = with_choices_insert(results, id, parameter, array);
        json_release(array);
        return status;
    }
    const ParameterChoice fallback = {.kind = (parameter->type == SPACE_FLOAT) ? 'd' : 'i',
                                      .number = parameter->default_value,
                                      .integer = llrint(parameter->default_value)};
    return parameter_insert(results, id, parameter, &fallback, NULL);
}

Status results__parameters_insert(Results *results, const Space *space) {
    for (size_t i = 0; i < space_count(space); i++) {
        TRY(one_insert(results, i, space_at(space, i)));
    }
    return STATUS_OK;
}

static Status choices_load(Parameter *parameter, const char *text) {
    Json *array = NULL;
    TRY(json_parse(text, strlen(text), &array));
    const size_t count = json_count(array);
    Status       status = STATUS_OK;
    parameter->choices = calloc(count + 1, sizeof *parameter->choices);
    if (parameter->choices == NULL) {
        json_release(array);
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu choices", count);
    }
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        status = choice_make(json_at(array, i), &parameter->choices[i]);
        parameter->choice_count += (status == STATUS_OK) ? 1 : 0;
    }
    json_release(array);
    return status;
}

static Status parameter_load(sqlite3_stmt *statement, Parameter *parameter) {
    char type[16];
    results__column_text(statement, 1, type, sizeof type);
    size_t t = 0;
    while (t < TYPE_COUNT && strcmp(type, type_names[t]) != 0) {
        t++;
    }
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (t == TYPE_COUNT || name == NULL) {
        FAIL(STATUS_ERR_CORRUPT, "a hyperparameter of unknown type '%s'", type);
    }
    parameter->type = (SpaceType)t;
    parameter->name = strdup(name);
    if (parameter->name == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a name");
    }
    const char *choices = (const char *)sqlite3_column_text(statement, 2);
    return (choices != NULL) ? choices_load(parameter, choices) : STATUS_OK;
}

static Status parameters_read(Results *results) {
    sqlite3_stmt *statement = NULL;
    TRY(results__query(results, "SELECT name, type, choices FROM hyperparameter ORDER BY id",
                       &statement, ""));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        Status status = STATUS_ERR_CORRUPT;
        if (results->parameter_count < SIZE_MAX) {
            status = parameter_load(statement, &results->parameters[results->parameter_count++]);
        }
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status_prefix("%s", results->path);
        }
    }
}

Status results__parameters_load(Results *results) {
    int64_t count = 0;
    int64_t objectives = 0;
    int64_t constraints = 0;
    TRY(results__integer(results, "SELECT count(*) FROM hyperparameter", 0, &count, ""));
    TRY(results__integer(results, "SELECT count(*) FROM objective", 0, &objectives, ""));
    TRY(results__integer(results, "SELECT count(*) FROM constraint_spec", 0, &constraints, ""));
    if (objectives < 1 || objectives > SCHEDULER_MAX_OBJECTIVES || constraints < 0 ||
        constraints > SCHEDULER_MAX_CONSTRAINTS) {
        FAIL(STATUS_ERR_CORRUPT, "%s: %lld objectives and %lld constraints", results->path,
             (long long)objectives, (long long)constraints);
    }
    results->objective_count = (size_t)objectives;
    results->constraint_count = (size_t)constraints;
    results->parameters = calloc((size_t)count + 1, sizeof *results->parameters);
    if (results->parameters == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %lld hyperparameters", (long long)count);
    }
    TRY(results__snapshot_begin(results));
    const Status status = parameters_read(results);
    results__snapshot_end(results);
    return status;
}

void results__parameters_free(Results *results) {
    for (size_t i = 0; i < results->parameter_count; i++) {
        for (size_t k = 0; k < results->parameters[i].choice_count; k++) {
            free(results->parameters[i].choices[k].text);
        }
        free(results->parameters[i].choices);
        free(results->parameters[i].name);
    }
    free(results->parameters);
    results->parameters = NULL;
    results->parameter_count = 0;
}

/* ---- points --------------------------------------------------------------------------------- */

Status results__parameters_match(const Results *results, const Space *space, size_t *index) {
    for (size_t i = 0; i < results->parameter_count; i++) {
        const Parameter *stored = &results->parameters[i];
        index[i] = space_find(space, stored->name);
        if (index[i] == space_count(space)) {
            FAIL(STATUS_ERR_UNKNOWN_NAME,
                 "%s: the study has a hyperparameter '%s' that this search"
                 " space lacks",
                 results->path, stored->name);
        }
        const SpaceParameter *wanted = space_at(space, index[i]);
        if (wanted->type != stored->type ||
            (has_choices(stored->type) && wanted->choice_count != stored->choice_count)) {
            FAIL(STATUS_ERR_STATE,
                 "%s: '%s' is of another type, or has other choices, in the study", results->path,
                 stored->name);
        }
    }
    return STATUS_OK;
}

static Status choice_index(const Parameter *parameter, sqlite3_stmt *statement, int column,
                           double *out) {
    const int   type = sqlite3_column_type(statement, column);
    const char *text = (type == SQLITE_TEXT) ? results__column_borrow(statement, column) : "";
    for (size_t i = 0; i < parameter->choice_count; i++) {
        const ParameterChoice *choice = &parameter->choices[i];
        if ((choice->kind == 'i' && type == SQLITE_INTEGER &&
             sqlite3_column_int64(statement, column) == choice->integer) ||
            (choice->kind == 'd' && type == SQLITE_FLOAT &&
             !(sqlite3_column_double(statement, column) < choice->number) &&
             !(sqlite3_column_double(statement, column) > choice->number)) ||
            (choice->kind == 't' && type == SQLITE_TEXT && strcmp(text, choice->text) == 0)) {
            *out = (double)i;
            return STATUS_OK;
        }
    }
    FAIL(STATUS_ERR_CORRUPT, "a value of '%s' is none of its choices", parameter->name);
}

static Status value_read(const Parameter *parameter, sqlite3_stmt *statement, int column,
                         double *out) {
    if (has_choices(parameter->type)) {
        return choice_index(parameter, statement, column, out);
    }
    *out = sqlite3_column_double(statement, column);
    return STATUS_OK;
}

static Status values_query(Results *results, char owner, int64_t id, sqlite3_stmt **statement) {
    if (owner == 's') {
        return results__query(results,
                              "SELECT hyperparameter, value FROM segment_value WHERE segment = ?"
                              " ORDER BY hyperparameter",
                              statement, "i", id);
    }
    if (owner == 'k') {
        return results__query(results,
                              "SELECT hyperparameter, value FROM known_value WHERE known = ?"
                              " ORDER BY hyperparameter",
                              statement, "i", id);
    }
    return results__query(results,
                          "SELECT hyperparameter, value FROM event_value WHERE event = ?"
                          " ORDER BY hyperparameter",
                          statement, "i", id);
}

Status results__point_value(Results *results, sqlite3_stmt *statement, const size_t *index,
                            double *point) {
    const int64_t parameter = sqlite3_column_int64(statement, 0);
    Status        status = STATUS_OK;
    if (parameter < 0 || (size_t)parameter >= results->parameter_count) {
        status = FAILURE(STATUS_ERR_CORRUPT, "a value of an unknown hyperparameter");
    } else {
        status =
            value_read(&results->parameters[parameter], statement, 1, &point[index[parameter]]);
    }
    if (status != STATUS_OK) {
        (void)sqlite3_reset(statement);
        return status_prefix("%s", results->path);
    }
    return STATUS_OK;
}

Status results__point_read(Results *results, char owner, int64_t id, const size_t *index,
                           size_t space_count_, double *point) {
    for (size_t i = 0; i < space_count_; i++) {
        point[i] = (double)NAN;
    }
    sqlite3_stmt *statement = NULL;
    TRY(values_query(results, owner, id, &statement));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        TRY(results__point_value(results, statement, index, point));
    }
}

static Status value_insert(Results *results, char owner, int64_t id, size_t parameter,
                           double value) {
    if (owner == 's') {
        return results__run(results, "INSERT INTO segment_value VALUES (?, ?, ?)", "iip", id,
                            (int64_t)parameter, &results->parameters[parameter], value);
    }
    if (owner == 'k') {
        return results__run(results, "INSERT INTO known_value VALUES (?, ?, ?)", "iip", id,
                            (int64_t)parameter, &results->parameters[parameter], value);
    }
    return results__run(results, "INSERT INTO event_value VALUES (?, ?, ?)", "iip", id,
                        (int64_t)parameter, &results->parameters[parameter], value);
}

Status results__point_insert(Results *results, char owner, int64_t id, const double *point) {
    for (size_t i = 0; i < results->parameter_count; i++) {
        if (isnan(point[i])) {
            continue;
        }
        TRY(value_insert(results, owner, id, i, point[i]));
    }
    return STATUS_OK;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

Json *results__value_json(const Parameter *parameter, sqlite3_stmt *statement, int column) {
    const int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_INTEGER) {
        const int64_t value = sqlite3_column_int64(statement, column);
        return (parameter->type == SPACE_BOOL) ? json_new_bool(value != 0)
                                               : json_new_integer(value);
    }
    if (type == SQLITE_FLOAT) {
        return json_new_number(sqlite3_column_double(statement, column));
    }
    const char *text = (const char *)sqlite3_column_text(statement, column);
    for (size_t i = 0; text != NULL && i < parameter->choice_count; i++) {
        const ParameterChoice *choice = &parameter->choices[i];
        if (choice->is_bool && strcmp(choice->text, text) == 0) {
            return json_new_bool(text[0] == 't');
        }
    }
    return json_new_string((text != NULL) ? text : "");
}

static Status values_fill(Results *results, int64_t segment, Json *object) {
    sqlite3_stmt *statement = NULL;
    TRY(values_query(results, 's', segment, &statement));
    for (;;) {
        bool row = false;
        TRY(results__step(results, statement, &row));
        if (!row) {
            return STATUS_OK;
        }
        const int64_t parameter = sqlite3_column_int64(statement, 0);
        Status        status = STATUS_ERR_CORRUPT;
        if (parameter >= 0 && (size_t)parameter < results->parameter_count) {
            const Parameter *p = &results->parameters[parameter];
            status = json_set(object, p->name, results__value_json(p, statement, 1));
        }
        if (status != STATUS_OK) {
            (void)sqlite3_reset(statement);
            return status;
        }
    }
}

Status results__values_json(Results *results, int64_t segment, Json **out) {
    Json *object = json_new_object();
    if (object == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for values");
    }
    const Status status = values_fill(results, segment, object);
    if (status != STATUS_OK) {
        json_release(object);
        return status;
    }
    *out = object;
    return STATUS_OK;
}
