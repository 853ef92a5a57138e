/* Conditions: when a hyperparameter is active, and which points are forbidden.
 *
 * An inactive value is NaN, and no test holds for NaN; so whatever depends on an inactive
 * hyperparameter is inactive too, and nesting needs no code as long as parents come first.
 */
#include "search_spaces/space.h"

#include "search_spaces/space_internal.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* floats in a list are compared to this relative precision: texts and logarithms round */
static const double equal_tolerance = 1e-12;

static bool values_are_equal(double a, double b) {
    return fabs(a - b) <= equal_tolerance * fmax(fabs(a), fabs(b));
}

static bool test_holds(const SpaceTest *test, double value) {
    if (isnan(value)) {
        return false;
    }
    if (test->values != NULL) {
        for (size_t i = 0; i < test->value_count; i++) {
            if (values_are_equal(test->values[i], value)) {
                return true;
            }
        }
        return false;
    }
    return (isnan(test->above) || value > test->above) &&
           (isnan(test->below) || value < test->below);
}

bool space__condition_holds(const SpaceCondition *condition, const double *point) {
    for (size_t i = 0; i < condition->test_count; i++) {
        const SpaceTest *test = &condition->tests[i];
        if (!test_holds(test, point[test->parameter])) {
            return false;
        }
    }
    return true;
}

bool space_is_active(const Space *space, const double *point, size_t index) {
    return space__condition_holds(&space->parameters[index].when, point);
}

void space_activate(const Space *space, double *point) {
    for (size_t k = 0; k < space->count; k++) {
        const size_t i = space->order[k];
        if (!space_is_active(space, point, i)) {
            point[i] = (double)NAN;
        } else if (isnan(point[i])) {
            point[i] = space->parameters[i].default_value;
        }
    }
}

size_t space__forbidden_at(const Space *space, const double *point) {
    size_t i = 0;
    while (i < space->forbidden_count && !space__condition_holds(&space->forbidden[i], point)) {
        i++;
    }
    return i;
}

Status space__check_test(const Space *space, const SpaceTest *test) {
    if (test->parameter >= space->count) {
        FAIL(STATUS_ERR_ARG, "a condition tests hyperparameter %zu of %zu", test->parameter,
             space->count);
    }
    const SpaceParameter *p = &space->parameters[test->parameter];
    const bool            interval = !isnan(test->above) || !isnan(test->below);
    if ((test->value_count > 0) == interval || (test->value_count > 0) != (test->values != NULL)) {
        FAIL(STATUS_ERR_ARG, "a condition on '%s' needs either a list or 'above' / 'below'",
             p->name);
    }
    for (size_t i = 0; i < test->value_count; i++) {
        if (space__check_value(p, test->values[i]) != STATUS_OK) {
            return status_prefix("the condition on '%s' can never hold", p->name);
        }
    }
    if (!interval) {
        return STATUS_OK;
    }
    if (p->type == SPACE_BOOL || p->type == SPACE_CATEGORICAL) {
        FAIL(STATUS_ERR_ARG, "'%s' has no order, so a condition on it needs a list of values",
             p->name);
    }
    /* NaN never fails these */
    if (test->above >= p->upper || test->below <= p->lower || test->above >= test->below) {
        FAIL(STATUS_ERR_RANGE, "the condition on '%s' can never hold: its range is %s to %s",
             p->name, space__show(p->lower).text, space__show(p->upper).text);
    }
    return STATUS_OK;
}

void space__condition_reset(SpaceCondition *condition) {
    for (size_t i = 0; i < condition->test_count; i++) {
        free(condition->tests[i].values);
    }
    free(condition->tests);
    memset(condition, 0, sizeof *condition);
}

Status space__condition_push(SpaceCondition *condition, const SpaceTest *test) {
    const size_t count = condition->test_count;
    SpaceTest    copy = *test;
    SpaceTest   *grown = realloc(condition->tests, (count + 1) * sizeof *grown);
    if (grown == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a condition");
    }
    condition->tests = grown;
    copy.values = NULL;
    if (test->value_count > 0) {
        copy.values = calloc(test->value_count, sizeof *copy.values);
        if (copy.values == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for a condition");
        }
        memcpy(copy.values, test->values, test->value_count * sizeof *copy.values);
    }
    condition->tests[count] = copy;
    condition->test_count = count + 1;
    return STATUS_OK;
}

Status space_add_when(Space *space, size_t parameter, const SpaceTest *test) {
    if (space == NULL || test == NULL || parameter >= space->count) {
        FAIL(STATUS_ERR_ARG, "space_add_when() needs a hyperparameter of the space and a test");
    }
    if (space->sealed) {
        FAIL(STATUS_ERR_STATE, "the search space is sealed; the condition of '%s' comes too late",
             space->parameters[parameter].name);
    }
    TRY(space__check_test(space, test));
    return space__condition_push(&space->parameters[parameter].when, test);
}

Status space_add_forbidden(Space *space, const SpaceCondition *condition) {
    if (space == NULL || condition == NULL || condition->test_count == 0) {
        FAIL(STATUS_ERR_ARG, "a forbidden condition needs at least one test");
    }
    if (space->sealed) {
        FAIL(STATUS_ERR_STATE, "the search space is sealed; a forbidden condition comes too late");
    }
    SpaceCondition copy = {0};
    for (size_t i = 0; i < condition->test_count; i++) {
        Status status = space__check_test(space, &condition->tests[i]);
        if (status == STATUS_OK) {
            status = space__condition_push(&copy, &condition->tests[i]);
        }
        if (status != STATUS_OK) {
            space__condition_reset(&copy);
            return status;
        }
    }
    const size_t    count = space->forbidden_count;
    SpaceCondition *grown = realloc(space->forbidden, (count + 1) * sizeof *grown);
    if (grown == NULL) {
        space__condition_reset(&copy);
        FAIL(STATUS_ERR_NOMEM, "no memory for a forbidden condition");
    }
    grown[count] = copy;
    space->forbidden = grown;
    space->forbidden_count = count + 1;
    return STATUS_OK;
}

/* one pass: appends every hyperparameter whose parents stand in `order` already */
static size_t order_pass(const Space *space, bool *placed, size_t *order, size_t count) {
    for (size_t i = 0; i < space->count; i++) {
        const SpaceCondition *when = &space->parameters[i].when;
        bool                  ready = !placed[i];
        for (size_t t = 0; ready && t < when->test_count; t++) {
            ready = placed[when->tests[t].parameter];
        }
        if (ready) {
            placed[i] = true;
            order[count] = i;
            count++;
        }
    }
    return count;
}

/* a parent of `i` that could not be placed */
static size_t unplaced_parent(const Space *space, const bool *placed, size_t i) {
    const SpaceCondition *when = &space->parameters[i].when;
    for (size_t t = 0; t < when->test_count; t++) {
        if (!placed[when->tests[t].parameter]) {
            return when->tests[t].parameter;
        }
    }
    return i;
}

static Status fail_cycle(const Space *space, const bool *placed, size_t *culprit) {
    char   text[STATUS_TEXT_SIZE / 2] = "";
    size_t used = 0;
    size_t at = 0;
    while (placed[at]) {
        at++;
    }
    /* whoever could not be placed has such a parent: count steps lead into the cycle */
    for (size_t i = 0; i < space->count; i++) {
        at = unplaced_parent(space, placed, at);
    }
    *culprit = at;
    for (size_t i = unplaced_parent(space, placed, at); i != at;
         i = unplaced_parent(space, placed, i)) {
        *culprit = (i < *culprit) ? i : *culprit;
    }
    at = *culprit;
    do {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s -> ", space->parameters[at].name);
        at = unplaced_parent(space, placed, at);
    } while (at != *culprit && used < sizeof text - SPACE_NAME_LENGTH - sizeof " -> ...");
    FAIL(STATUS_ERR_ARG, "conditions form a cycle: %s%s%s", text, (at == *culprit) ? "" : "... -> ",
         space->parameters[*culprit].name);
}

Status space__order(const Space *space, size_t *order, size_t *culprit) {
    bool *placed = calloc(space->count + 1, sizeof *placed);
    if (placed == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to order %zu conditions", space->count);
    }
    size_t count = 0;
    for (size_t before = SIZE_MAX; before != count && count < space->count;) {
        before = count;
        count = order_pass(space, placed, order, count);
    }
    const Status status = (count == space->count) ? STATUS_OK : fail_cycle(space, placed, culprit);
    free(placed);
    return status;
}
