/* Building a Space, and what a point of it must look like.
 *
 * Bounds are finite and their difference does not overflow, so that coordinates never do. Whole
 * numbers stay below 1e12: there the cells of ints are still far wider than the rounding of the
 * logarithm, and decode(encode(v)) is v.
 */
#include "search_spaces/space.h"

#include "search_spaces/space_internal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a step must divide the range, and a value must sit on its grid, to this share of the step */
static const double grid_tolerance = 1e-6;
/* a finer grid than this share of the bounds has equal neighbours in double precision */
static const double finest_step = 1e-12;

static bool name_is_good(const char *name) {
    if (name == NULL || name[0] == '\0' || strlen(name) > SPACE_NAME_LENGTH) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") ==
           strlen(name);
}

static Status check_bounds(const SpaceParameter *p, const char **key) {
    *key = "lower";
    if (!isfinite(p->lower)) {
        FAIL(STATUS_ERR_RANGE, "'lower' of '%s' must be a finite number", p->name);
    }
    *key = "upper";
    if (!isfinite(p->upper) || !isfinite(p->upper - p->lower)) {
        FAIL(STATUS_ERR_RANGE, "'upper' of '%s' must be a finite number", p->name);
    }
    *key = "lower";
    if (p->lower > p->upper) {
        FAIL(STATUS_ERR_RANGE, "bounds of '%s' are reversed: 'lower' %s is above 'upper' %s",
             p->name, space__show(p->lower).text, space__show(p->upper).text);
    }
    if (p->type == SPACE_INT) {
        if (p->lower != floor(p->lower) || fabs(p->lower) > SPACE_LARGEST_INT) {
            FAIL(STATUS_ERR_RANGE, "'lower' of '%s' must be a whole number within 1e12, found %s",
                 p->name, space__show(p->lower).text);
        }
        *key = "upper";
        if (p->upper != floor(p->upper) || fabs(p->upper) > SPACE_LARGEST_INT) {
            FAIL(STATUS_ERR_RANGE, "'upper' of '%s' must be a whole number within 1e12, found %s",
                 p->name, space__show(p->upper).text);
        }
    }
    *key = "lower";
    if (p->log && p->lower <= 0) {
        FAIL(STATUS_ERR_RANGE, "'%s' has a log scale, so 'lower' must be above 0, found %s",
             p->name, space__show(p->lower).text);
    }
    return STATUS_OK;
}

static Status check_step(const SpaceParameter *p, const char **key) {
    *key = "step";
    if (p->step == 0) {
        return STATUS_OK;
    }
    if (!isfinite(p->step) || p->step < 0) {
        FAIL(STATUS_ERR_RANGE, "'step' of '%s' must be above 0, found %s", p->name,
             space__show(p->step).text);
    }
    if (p->type == SPACE_INT && p->step != floor(p->step)) {
        FAIL(STATUS_ERR_RANGE, "'step' of the int '%s' must be a whole number, found %s", p->name,
             space__show(p->step).text);
    }
    if (p->log && !(p->type == SPACE_INT && p->step == 1)) {
        FAIL(STATUS_ERR_RANGE, "'%s' has both a log scale and a 'step'; it can have one of them",
             p->name);
    }
    const double cells = (p->upper - p->lower) / p->step;
    const double largest = fmax(fabs(p->lower), fabs(p->upper));
    if (cells > SPACE_LARGEST_INT || p->step < finest_step * largest) {
        FAIL(STATUS_ERR_RANGE, "'step' %s of '%s' is too fine for its range",
             space__show(p->step).text, p->name);
    }
    const bool too_wide = p->lower < p->upper && nearbyint(cells) < 1;
    if (too_wide || fabs(cells - nearbyint(cells)) > grid_tolerance) {
        FAIL(STATUS_ERR_RANGE, "'step' %s of '%s' does not divide its range %s to %s",
             space__show(p->step).text, p->name, space__show(p->lower).text,
             space__show(p->upper).text);
    }
    return STATUS_OK;
}

SpaceChoiceKind space__choice_kind(const SpaceParameter *p, size_t index, double *number) {
    const char *text = p->choices[index];
    *number = 0;
    if (p->quoted != NULL && p->quoted[index]) {
        return CHOICE_STRING;
    }
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        *number = (text[0] == 't') ? 1 : 0;
        return CHOICE_BOOL;
    }
    if (number_parse(text, number) && isfinite(*number)) {
        return CHOICE_NUMBER;
    }
    *number = 0;
    return CHOICE_STRING;
}

static Status check_choices(const SpaceParameter *p, const char **key) {
    *key = "choices";
    if (p->choice_count == 0 || p->choices == NULL) {
        FAIL(STATUS_ERR_ARG, "'%s' needs at least one of 'choices'", p->name);
    }
    for (size_t i = 0; i < p->choice_count; i++) {
        double a = 0;
        if (p->choices[i] == NULL) {
            FAIL(STATUS_ERR_ARG, "choice %zu of '%s' is missing", i + 1, p->name);
        }
        const bool number = space__choice_kind(p, i, &a) == CHOICE_NUMBER;
        for (size_t j = 0; j < i; j++) {
            double b = 0;
            if (strcmp(p->choices[i], p->choices[j]) == 0 ||
                (number && space__choice_kind(p, j, &b) == CHOICE_NUMBER && a == b)) {
                FAIL(STATUS_ERR_ARG, "'%s' stands twice among the choices of '%s'", p->choices[i],
                     p->name);
            }
        }
    }
    return STATUS_OK;
}

Status space__check_definition(const SpaceParameter *p, const char **key) {
    *key = "name";
    if (!name_is_good(p->name)) {
        FAIL(STATUS_ERR_ARG,
             "'%s' is no name for a hyperparameter: 1 to %d letters, digits, '_', '-', '.', '/'",
             (p->name == NULL) ? "" : p->name, SPACE_NAME_LENGTH);
    }
    *key = "type";
    if ((unsigned)p->type > (unsigned)SPACE_ORDINAL) {
        FAIL(STATUS_ERR_ARG, "'%s' has no type", p->name);
    }
    *key = "log";
    if (p->log && !space__is_number(p->type)) {
        FAIL(STATUS_ERR_RANGE, "only a float or an int can have a log scale, not '%s'", p->name);
    }
    if (space__is_number(p->type)) {
        TRY(check_bounds(p, key));
        TRY(check_step(p, key));
    }
    if (space__has_choices(p->type)) {
        TRY(check_choices(p, key));
    }
    *key = "default";
    if (space__check_value(p, p->default_value) != STATUS_OK) {
        return status_prefix("the default is wrong");
    }
    return STATUS_OK;
}

Status space__check_value(const SpaceParameter *p, double value) {
    if (space__has_choices(p->type) || p->type == SPACE_BOOL) {
        const double last = (p->type == SPACE_BOOL) ? 1 : (double)p->choice_count - 1;
        if (!(value >= 0 && value <= last && value == floor(value))) {
            FAIL(STATUS_ERR_RANGE, "%s is no choice of '%s', which has %.0f",
                 space__show(value).text, p->name, last + 1);
        }
        return STATUS_OK;
    }
    if (!(value >= p->lower && value <= p->upper)) {
        FAIL(STATUS_ERR_RANGE, "%s is outside the range of '%s', %s to %s", space__show(value).text,
             p->name, space__show(p->lower).text, space__show(p->upper).text);
    }
    if (p->type == SPACE_INT && value != floor(value)) {
        FAIL(STATUS_ERR_RANGE, "%s is no whole number, but '%s' is an int", space__show(value).text,
             p->name);
    }
    if (p->step > 0 && fabs(value - space__snap(p, value)) > grid_tolerance * p->step) {
        FAIL(STATUS_ERR_RANGE, "%s is not on the grid of '%s', %s and steps of %s",
             space__show(value).text, p->name, space__show(p->lower).text,
             space__show(p->step).text);
    }
    return STATUS_OK;
}

SpaceNumber space__show(double value) {
    SpaceNumber number = {{0}};
    number_format(value, number.text);
    return number;
}

Status space_create(Space **out) {
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a search space");
    }
    return STATUS_OK;
}

static void parameter_reset(SpaceParameter *p) {
    free(p->name);
    for (size_t i = 0; p->choices != NULL && i < p->choice_count; i++) {
        free(p->choices[i]);
    }
    free(p->choices);
    free((void *)(uintptr_t)p->quoted);
    space__condition_reset(&p->when);
    memset(p, 0, sizeof *p);
}

void space_destroy(Space *space) {
    if (space == NULL) {
        return;
    }
    for (size_t i = 0; i < space->count; i++) {
        parameter_reset(&space->parameters[i]);
    }
    for (size_t i = 0; i < space->forbidden_count; i++) {
        space__condition_reset(&space->forbidden[i]);
    }
    free(space->parameters);
    free(space->forbidden);
    free(space->order);
    free(space);
}

/* deep copy without `when`; *out is zeroed on failure */
static Status parameter_copy(const SpaceParameter *from, SpaceParameter *out) {
    SpaceParameter copy = *from;
    bool          *quoted = NULL;
    bool           complete = true;
    copy.name = strdup(from->name);
    copy.choices = NULL;
    copy.choice_count = 0;
    copy.quoted = NULL;
    memset(&copy.when, 0, sizeof copy.when);
    if (space__has_choices(from->type)) {
        copy.choice_count = from->choice_count;
        copy.choices = calloc(from->choice_count, sizeof *copy.choices);
        quoted = calloc(from->choice_count, sizeof *quoted);
        copy.quoted = quoted;
        complete = copy.choices != NULL && quoted != NULL;
        for (size_t i = 0; complete && i < from->choice_count; i++) {
            copy.choices[i] = strdup(from->choices[i]);
            quoted[i] = from->quoted != NULL && from->quoted[i];
            complete = copy.choices[i] != NULL;
        }
    }
    if (copy.name == NULL || !complete) {
        parameter_reset(&copy);
        FAIL(STATUS_ERR_NOMEM, "no memory for hyperparameter '%s'", from->name);
    }
    if (!space__is_number(copy.type)) {
        copy.lower = 0;
        copy.upper = (copy.type == SPACE_BOOL) ? 1 : (double)copy.choice_count - 1;
        copy.step = 0;
    }
    copy.default_value = space__snap(&copy, copy.default_value);
    *out = copy;
    return STATUS_OK;
}

Status space_add(Space *space, const SpaceParameter *parameter) {
    const char *key = NULL;
    if (space == NULL || parameter == NULL) {
        FAIL(STATUS_ERR_ARG, "space_add() needs a space and a hyperparameter");
    }
    if (space->sealed) {
        FAIL(STATUS_ERR_STATE, "the search space is sealed; '%s' comes too late",
             (parameter->name == NULL) ? "" : parameter->name);
    }
    TRY(space__check_definition(parameter, &key));
    if (space_find(space, parameter->name) < space->count) {
        FAIL(STATUS_ERR_ARG, "there is already a hyperparameter '%s'", parameter->name);
    }
    if (space->count == space->capacity) {
        const size_t    capacity = 2 * space->capacity + 8;
        SpaceParameter *grown = realloc(space->parameters, capacity * sizeof *grown);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for %zu hyperparameters", capacity);
        }
        space->parameters = grown;
        space->capacity = capacity;
    }
    TRY(parameter_copy(parameter, &space->parameters[space->count]));
    space->count++;
    return STATUS_OK;
}

Status space__seal(Space *space, size_t *cycle, size_t *forbidden) {
    *cycle = SIZE_MAX;
    *forbidden = SIZE_MAX;
    if (space == NULL || space->sealed) {
        FAIL(STATUS_ERR_STATE, "the search space is missing or sealed already");
    }
    size_t *order = calloc(space->count + 1, sizeof *order);
    double *point = calloc(space->count + 1, sizeof *point);
    size_t  at = 0;
    Status  status = STATUS_OK;
    if (order == NULL || point == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory to seal a search space");
        goto fail;
    }
    status = space__order(space, order, cycle);
    if (status != STATUS_OK) {
        goto fail;
    }
    space->order = order;
    space_defaults(space, point);
    at = space__forbidden_at(space, point);
    if (at < space->forbidden_count) {
        *forbidden = at;
        space->order = NULL;
        status =
            FAILURE(STATUS_ERR_RANGE, "the defaults are a forbidden point (condition %zu)", at + 1);
        goto fail;
    }
    space->sealed = true;
    free(point);
    return STATUS_OK;
fail:
    free(order);
    free(point);
    return status;
}

Status space_seal(Space *space) {
    size_t cycle = 0;
    size_t forbidden = 0;
    return space__seal(space, &cycle, &forbidden);
}

size_t space_count(const Space *space) {
    return space->count;
}

const SpaceParameter *space_at(const Space *space, size_t index) {
    return (index < space->count) ? &space->parameters[index] : NULL;
}

size_t space_find(const Space *space, const char *name) {
    size_t i = 0;
    while (i < space->count && strcmp(space->parameters[i].name, name) != 0) {
        i++;
    }
    return i;
}

size_t space_dynamic_count(const Space *space) {
    size_t count = 0;
    for (size_t i = 0; i < space->count; i++) {
        count += space->parameters[i].dynamic ? 1U : 0U;
    }
    return count;
}

void space_defaults(const Space *space, double *point) {
    for (size_t i = 0; i < space->count; i++) {
        point[i] = space->parameters[i].default_value;
    }
    space_activate(space, point);
}

static Status check_active(const Space *space, const double *point, size_t index) {
    const SpaceParameter *p = &space->parameters[index];
    const bool            active = space_is_active(space, point, index);
    if (active && isnan(point[index])) {
        FAIL(STATUS_ERR_RANGE, "'%s' is active here but has no value", p->name);
    }
    if (!active && !isnan(point[index])) {
        FAIL(STATUS_ERR_RANGE, "'%s' has a value but is not active here", p->name);
    }
    return active ? space__check_value(p, point[index]) : STATUS_OK;
}

Status space_check(const Space *space, const double *point) {
    for (size_t k = 0; k < space->count; k++) {
        TRY(check_active(space, point, space->order[k]));
    }
    const size_t at = space__forbidden_at(space, point);
    if (at < space->forbidden_count) {
        const SpaceTest *first = &space->forbidden[at].tests[0];
        FAIL(STATUS_ERR_STATE, "the point is forbidden by condition %zu, which tests '%s'", at + 1,
             space->parameters[first->parameter].name);
    }
    return STATUS_OK;
}
