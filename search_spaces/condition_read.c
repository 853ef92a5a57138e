/* Conditions from YAML: {optimizer: [sgd], layers: {above: 2}}. */
#include "search_spaces/space_internal.h"
#include "search_spaces/space_read_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Status choice__read(const SpaceParameter *p, const Node *node, double *out) {
    const char *text = NULL;
    double      number = 0;
    double      choice = 0;
    TRY(node_string(node, p->name, &text));
    /* the same text first, then the same number: 1e2 is the choice 100 */
    for (size_t i = 0; i < p->choice_count; i++) {
        if (strcmp(p->choices[i], text) == 0) {
            *out = (double)i;
            return STATUS_OK;
        }
    }
    const bool is_number = node_is_plain(node) && number_parse(text, &number);
    for (size_t i = 0; is_number && i < p->choice_count; i++) {
        if (space__choice_kind(p, i, &choice) == CHOICE_NUMBER && choice == number) {
            *out = (double)i;
            return STATUS_OK;
        }
    }
    const char *near = option_nearest(text, (const char *const *)p->choices, p->choice_count);
    return node_fail_as(STATUS_ERR_RANGE, node, "'%s' is no choice of '%s'%s%s%s", text, p->name,
                        (near == NULL) ? "" : "; did you mean '", (near == NULL) ? "" : near,
                        (near == NULL) ? "" : "'?");
}

Status value__read(const SpaceParameter *p, const Node *node, const char *what, double *out) {
    bool truth = false;
    switch (p->type) {
    case SPACE_BOOL:
        TRY(node_bool(node, what, &truth));
        *out = truth ? 1 : 0;
        return STATUS_OK;
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        return choice__read(p, node, out);
    case SPACE_FLOAT:
    case SPACE_INT:
        break;
    }
    return node_number(node, what, out);
}

/* a list of values, or one value; `values` has room for all of them */
static Status read_list(const SpaceParameter *p, const Node *node, double *values) {
    const bool   list = node_is_sequence(node);
    const size_t count = list ? node_count(node) : 1;
    for (size_t i = 0; i < count; i++) {
        const Node *value = list ? node_at(node, i) : node;
        TRY(value__read(p, value, p->name, &values[i]));
        if (space__check_value(p, values[i]) != STATUS_OK) {
            (void)status_prefix("the condition can never hold");
            return node_locate(value);
        }
    }
    return STATUS_OK;
}

static Status read_interval(const SpaceParameter *p, const Node *node, const char *what,
                            SpaceTest *test) {
    static const char *const keys[] = {"above", "below", NULL};
    const Node              *above = node_get(node, "above");
    const Node              *below = node_get(node, "below");
    TRY(node_known_keys(node, "a condition", keys));
    if (above == NULL && below == NULL) {
        return node_fail(node, "%s needs a list of values, or 'above', 'below' or both", what);
    }
    if (p->type == SPACE_BOOL || p->type == SPACE_CATEGORICAL) {
        return node_fail(node, "'%s' has no order, so a condition on it needs a list of values",
                         p->name);
    }
    if (above != NULL) {
        TRY(value__read(p, above, "above", &test->above));
    }
    if (below != NULL) {
        TRY(value__read(p, below, "below", &test->below));
    }
    return STATUS_OK;
}

static Status read_test(const Space *space, const Node *node, size_t parameter, const char *what,
                        SpaceCondition *condition) {
    const SpaceParameter *p = space_at(space, parameter);
    SpaceTest test = {.parameter = parameter, .above = (double)NAN, .below = (double)NAN};
    if (node_is_mapping(node)) {
        TRY(read_interval(p, node, what, &test));
        if (space__check_test(space, &test) != STATUS_OK) {
            return node_locate(node);
        }
        return space__condition_push(condition, &test);
    }
    test.value_count = node_is_sequence(node) ? node_count(node) : 1;
    if (test.value_count == 0) {
        return node_fail(node, "%s needs a list of at least one value", what);
    }
    test.values = calloc(test.value_count, sizeof *test.values);
    if (test.values == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %s", what);
    }
    Status status = read_list(p, node, test.values);
    if (status == STATUS_OK) {
        status = space__condition_push(condition, &test);
    }
    free(test.values);
    return status;
}

static Status fail_missing(const Space *space, const Node *key) {
    const size_t count = space_count(space);
    const char **names = calloc(count + 1, sizeof *names);
    if (names == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu names", count);
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = space_at(space, i)->name;
    }
    const char  *near = option_nearest(node_text(key), names, count);
    const Status status =
        node_fail_as(STATUS_ERR_UNKNOWN_NAME, key,
                     "a condition tests '%s', which is not among the hyperparameters%s%s%s",
                     node_text(key), (near == NULL) ? "" : "; did you mean '",
                     (near == NULL) ? "" : near, (near == NULL) ? "" : "'?");
    free(names);
    return status;
}

Status condition__read(const Space *space, const Node *mapping, const char *what,
                       SpaceCondition *condition) {
    if (!node_is_mapping(mapping) || node_count(mapping) == 0) {
        return node_fail(mapping,
                         "%s must be a mapping such as {optimizer: [sgd], layers: {above: "
                         "2}}",
                         what);
    }
    for (size_t i = 0; i < node_count(mapping); i++) {
        const Node  *key = node_key(mapping, i);
        const size_t parameter = space_find(space, node_text(key));
        char         test[SPACE_NAME_LENGTH + 32];
        if (parameter == space_count(space)) {
            return fail_missing(space, key);
        }
        (void)snprintf(test, sizeof test, "the condition on %s", node_text(key));
        TRY(read_test(space, node_member(mapping, i, NULL), parameter, test, condition));
    }
    return STATUS_OK;
}
