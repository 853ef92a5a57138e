/* One hyperparameter: `name: {type: float, lower: 0, ...}` in the study file, above the same in a
 * preset, above the agent's row. Every refusal points at the key it is about. */
#include "search_spaces/space_internal.h"
#include "search_spaces/space_read_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CHOICES = 1000 };

static const char *const type_names[] = {"float", "int", "bool", "categorical", "ordinal", NULL};
static const char *const all_keys[] = {"type",    "lower",   "upper",   "log",  "step",
                                       "choices", "default", "dynamic", "when", NULL};

const Node *definition__get(const Definition *d, const char *key) {
    const Node *own = node_get(d->own, key);
    return (own != NULL) ? own : node_get(d->base, key);
}

const Node *definition__where(const Definition *d, const char *key) {
    const Node *own = node_get(d->own, key);
    if (own != NULL || d->own != NULL) {
        return (own != NULL) ? own : d->key;
    }
    const Node *base = node_get(d->base, key);
    return (base != NULL) ? base : d->key;
}

static const char *type_keys(SpaceType type) {
    if (space__is_number(type)) {
        return "'lower', 'upper', 'log', 'step'";
    }
    return space__has_choices(type) ? "'choices'" : "neither bounds nor choices";
}

static bool key_belongs(SpaceType type, const char *key) {
    const bool bounds = strcmp(key, "lower") == 0 || strcmp(key, "upper") == 0 ||
                        strcmp(key, "log") == 0 || strcmp(key, "step") == 0;
    const bool choices = strcmp(key, "choices") == 0;
    return (!bounds || space__is_number(type)) && (!choices || space__has_choices(type));
}

static Status find_type(const Node *node, SpaceType *out) {
    const char *text = NULL;
    TRY(node_string(node, "type", &text));
    for (size_t i = 0; type_names[i] != NULL; i++) {
        if (strcmp(type_names[i], text) == 0) {
            *out = (SpaceType)i;
            return STATUS_OK;
        }
    }
    const char *near = option_nearest(text, type_names, sizeof type_names / sizeof *type_names - 1);
    return node_fail(node,
                     "unknown type '%s'; expected float, int, bool, categorical or ordinal%s%s%s",
                     text, (near == NULL) ? "" : "; did you mean '", (near == NULL) ? "" : near,
                     (near == NULL) ? "" : "'?");
}

static SpaceType row_type(const OptionSpec *row) {
    switch (row->type) {
    case OPTION_FLOAT:
        return SPACE_FLOAT;
    case OPTION_INT:
        return SPACE_INT;
    case OPTION_BOOL:
        return SPACE_BOOL;
    case OPTION_CHOICE:
    case OPTION_LIST: /* refused before */
        break;
    }
    return SPACE_CATEGORICAL;
}

/* an option that takes numbers may be tuned over a list of them, an option that takes floats over
 * whole ones */
static bool type_fits(const OptionSpec *row, SpaceType type) {
    switch (row->type) {
    case OPTION_FLOAT:
        return type != SPACE_BOOL;
    case OPTION_INT:
        return type == SPACE_INT || space__has_choices(type);
    case OPTION_BOOL:
        return type == SPACE_BOOL;
    case OPTION_CHOICE:
        return space__has_choices(type);
    case OPTION_LIST:
        break;
    }
    return false;
}

/* a study that gives another type starts anew: bounds and choices of the preset mean nothing then
 */
static Status read_type(Definition *d, SpaceType *type) {
    const Node *own = node_get(d->own, "type");
    const Node *base = node_get(d->base, "type");
    SpaceType   base_type = (d->row == NULL) ? SPACE_FLOAT : row_type(d->row);
    if (base != NULL) {
        TRY(find_type(base, &base_type));
    }
    if (own == NULL) {
        if (base == NULL && d->row == NULL) {
            return node_fail(
                d->key, "'%s' needs a 'type': float, int, bool, categorical or ordinal", d->name);
        }
        *type = base_type;
        return STATUS_OK;
    }
    TRY(find_type(own, type));
    if (d->row != NULL && !type_fits(d->row, *type)) {
        return node_fail_as(STATUS_ERR_RANGE, own, "the agent's '%s' is %s %s, so it cannot be %s",
                            d->name, (d->row->type == OPTION_INT) ? "an" : "a",
                            type_names[row_type(d->row)], type_names[*type]);
    }
    if (*type != base_type) {
        d->base = NULL;
    }
    return STATUS_OK;
}

static Status check_keys(const Definition *d, SpaceType type) {
    for (size_t i = 0; i < node_count(d->own); i++) {
        const Node *key = node_key(d->own, i);
        if (!key_belongs(type, node_text(key))) {
            return node_fail(key, "'%s' does not belong to '%s': a value of type %s has %s",
                             node_text(key), d->name, type_names[type], type_keys(type));
        }
    }
    return STATUS_OK;
}

static Status read_bound(const Definition *d, SpaceType type, const char *key, double *out) {
    const Node *node = definition__get(d, key);
    if (node == NULL) {
        return node_fail(d->key, "'%s' needs '%s'", d->name, key);
    }
    TRY(node_number(node, key, out));
    if (type == SPACE_INT && *out != floor(*out)) {
        return node_fail_as(STATUS_ERR_RANGE, node,
                            "'%s' of the int '%s' must be a whole number, "
                            "found '%s'",
                            key, d->name, node_text(node));
    }
    if (d->row != NULL && !(*out >= d->row->lower && *out <= d->row->upper)) {
        return node_fail_as(STATUS_ERR_RANGE, definition__where(d, key),
                            "'%s' %s of '%s' is outside what the agent takes, %s to %s", key,
                            space__show(*out).text, d->name, space__show(d->row->lower).text,
                            space__show(d->row->upper).text);
    }
    return STATUS_OK;
}

static Status read_numeric(const Definition *d, SpaceParameter *p) {
    const Node *log_node = definition__get(d, "log");
    const Node *step_node = definition__get(d, "step");
    TRY(read_bound(d, p->type, "lower", &p->lower));
    TRY(read_bound(d, p->type, "upper", &p->upper));
    if (log_node != NULL) {
        TRY(node_bool(log_node, "log", &p->log));
    }
    if (step_node != NULL) {
        TRY(node_number(step_node, "step", &p->step));
        if (p->step <= 0) {
            return node_fail_as(STATUS_ERR_RANGE, step_node, "'step' of '%s' must be above 0",
                                d->name);
        }
    }
    return STATUS_OK;
}

/* a choice must be something that the agent's option takes */
static Status check_choice(const Definition *d, const SpaceParameter *p, size_t index,
                           const Node *node) {
    double number = 0;
    if (d->row == NULL) {
        return STATUS_OK;
    }
    if (d->row->type != OPTION_CHOICE) {
        const bool is_number = space__choice_kind(p, index, &number) == CHOICE_NUMBER;
        if (!is_number || option_check(d->row, number) != STATUS_OK) {
            return node_fail_as(STATUS_ERR_RANGE, node,
                                "'%s' is no value of the agent's '%s', %s %s to %s",
                                p->choices[index], d->name,
                                (d->row->type == OPTION_INT) ? "a whole number" : "a number",
                                space__show(d->row->lower).text, space__show(d->row->upper).text);
        }
        return STATUS_OK;
    }
    size_t count = 0;
    for (; d->row->choices[count] != NULL; count++) {
        if (strcmp(d->row->choices[count], p->choices[index]) == 0) {
            return STATUS_OK;
        }
    }
    const char *near = option_nearest(p->choices[index], d->row->choices, count);
    return node_fail_as(STATUS_ERR_RANGE, node, "'%s' is no choice of the agent's '%s'%s%s%s",
                        p->choices[index], d->name, (near == NULL) ? "" : "; did you mean '",
                        (near == NULL) ? "" : near, (near == NULL) ? "" : "'?");
}

/* texts are borrowed, from the row or from the document */
static Status read_choices(const Definition *d, SpaceParameter *p, bool *quoted) {
    const Node *node = definition__get(d, "choices");
    if (node == NULL) {
        for (size_t i = 0; i < p->choice_count; i++) {
            p->choices[i] = (char *)(uintptr_t)d->row->choices[i];
        }
        return STATUS_OK;
    }
    for (size_t i = 0; i < p->choice_count; i++) {
        const Node *choice = node_at(node, i);
        const char *text = NULL;
        TRY(node_string(choice, "choices", &text));
        p->choices[i] = (char *)(uintptr_t)text;
        quoted[i] = !node_is_plain(choice);
        TRY(check_choice(d, p, i, choice));
    }
    return STATUS_OK;
}

static Status count_choices(const Definition *d, size_t *count) {
    const Node *node = definition__get(d, "choices");
    *count = 0;
    if (node == NULL) {
        if (d->row == NULL || d->row->type != OPTION_CHOICE) {
            return node_fail(d->key, "'%s' needs 'choices', a list of values", d->name);
        }
        while (d->row->choices[*count] != NULL) {
            (*count)++;
        }
        return STATUS_OK;
    }
    *count = node_count(node);
    if (!node_is_sequence(node) || *count == 0 || *count > MOST_CHOICES) {
        return node_fail(node, "'choices' of '%s' must be a list of 1 to %d values", d->name,
                         MOST_CHOICES);
    }
    return STATUS_OK;
}

/* the agent's default where the file says nothing */
static Status row_default(const Definition *d, SpaceParameter *p) {
    double value = d->row->default_value;
    if (space__has_choices(p->type) && !isnan(value)) {
        const bool  named = d->row->type == OPTION_CHOICE;
        const char *text = named ? d->row->choices[(size_t)value] : "";
        size_t      i = 0;
        double      number = 0;
        for (; i < p->choice_count; i++) {
            if (named ? strcmp(p->choices[i], text) == 0
                      : space__choice_kind(p, i, &number) == CHOICE_NUMBER && number == value) {
                break;
            }
        }
        value = (i < p->choice_count) ? (double)i : (double)NAN;
    }
    if (isnan(value) || space__check_value(p, value) != STATUS_OK) {
        return node_fail_as(STATUS_ERR_RANGE, d->key,
                            "the agent's own default of '%s' is not in its range here; give a "
                            "'default'",
                            d->name);
    }
    p->default_value = value;
    return STATUS_OK;
}

/* without a row: the first choice, false, the middle of the range */
static double middle(const SpaceParameter *p) {
    return space__is_number(p->type) ? space__from_unit(p, 0.5) : 0;
}

static Status bool_default(const Node *node, double *out) {
    bool value = false;
    TRY(node_bool(node, "default", &value));
    *out = value ? 1 : 0;
    return STATUS_OK;
}

static Status read_default(const Definition *d, SpaceParameter *p) {
    const Node *node = definition__get(d, "default");
    if (node == NULL) {
        if (d->row != NULL) {
            return row_default(d, p);
        }
        p->default_value = middle(p);
        return STATUS_OK;
    }
    switch (p->type) {
    case SPACE_FLOAT:
    case SPACE_INT:
        return node_number(node, "default", &p->default_value);
    case SPACE_BOOL:
        return bool_default(node, &p->default_value);
    case SPACE_CATEGORICAL:
    case SPACE_ORDINAL:
        break;
    }
    return choice__read(p, node, &p->default_value);
}

static Status read_dynamic(const Definition *d, bool *out) {
    const Node *node = definition__get(d, "dynamic");
    *out = d->row != NULL && d->row->dynamic == OPTION_DYNAMIC;
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(node_bool(node, "dynamic", out));
    if (*out && d->row != NULL && d->row->dynamic == OPTION_STATIC) {
        return node_fail_as(STATUS_ERR_RANGE, node,
                            "'%s' cannot be dynamic: the agent fixes it when training begins",
                            d->name);
    }
    return STATUS_OK;
}

/* everything is valid before the default is looked at: it is decoded from, and matched with, the
 * rest */
static Status read_parts(const Definition *d, SpaceParameter *p, bool *quoted) {
    const char *key = NULL;
    TRY(read_dynamic(d, &p->dynamic));
    if (space__is_number(p->type)) {
        TRY(read_numeric(d, p));
        p->default_value = p->lower;
    }
    if (space__has_choices(p->type)) {
        TRY(read_choices(d, p, quoted));
    }
    if (space__check_definition(p, &key) != STATUS_OK) {
        return node_locate((strcmp(key, "name") == 0) ? d->key : definition__where(d, key));
    }
    TRY(read_default(d, p));
    if (space__check_definition(p, &key) != STATUS_OK) {
        return node_locate(definition__where(d, key));
    }
    return STATUS_OK;
}

Status definition__add(Definition *d, Space *space) {
    SpaceParameter p = {.name = (char *)(uintptr_t)d->name};
    if (d->own != NULL && !node_is_mapping(d->own)) {
        return node_fail(d->own,
                         "'%s' needs a definition such as {type: float, lower: 0, upper: 1}; a "
                         "single value belongs under 'fixed:'",
                         d->name);
    }
    TRY(node_known_keys(d->own, "the definition of a hyperparameter", all_keys));
    TRY(node_known_keys(d->base, "the definition of a hyperparameter", all_keys));
    TRY(read_type(d, &p.type));
    TRY(check_keys(d, p.type));
    if (space__has_choices(p.type)) {
        TRY(count_choices(d, &p.choice_count));
    }
    bool *quoted = calloc(p.choice_count + 1, sizeof *quoted);
    p.choices = calloc(p.choice_count + 1, sizeof *p.choices);
    p.quoted = quoted;
    Status status = STATUS_OK;
    if (quoted == NULL || p.choices == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for the choices of '%s'", d->name);
    }
    if (status == STATUS_OK) {
        status = read_parts(d, &p, quoted);
    }
    if (status == STATUS_OK && space_add(space, &p) != STATUS_OK) {
        status = node_locate(d->key);
    }
    free(quoted);
    free(p.choices);
    return status;
}
