/* The space of a study: the preset's definitions, changed and joined by the study's own; then the
 * conditions, which may name hyperparameters that stand further down; then what is forbidden. */
#include "search_spaces/space_read.h"

#include "search_spaces/space_internal.h"
#include "search_spaces/space_read_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reader {
    const SpaceSource *source;
    const Node        *preset; /* `hyperparameters` of the preset, or NULL */
    Definition        *definitions;
    size_t             count;
    Space             *space;
} Reader;

static Status fail_no_option(const OptionSpec *options, const Node *key) {
    const size_t count = option_count(options);
    const char **names = calloc(count + 1, sizeof *names);
    if (names == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu names", count);
    }
    for (size_t i = 0; i < count; i++) {
        names[i] = options[i].name;
    }
    const char  *near = option_nearest(node_text(key), names, count);
    const Status status =
        node_fail_as(STATUS_ERR_UNKNOWN_NAME, key, "the agent has no hyperparameter '%s'%s%s%s",
                     node_text(key), (near == NULL) ? "" : "; did you mean '",
                     (near == NULL) ? "" : near, (near == NULL) ? "" : "'?");
    free(names);
    return status;
}

static Status push(Reader *r, const Node *key, const Node *own, const Node *base) {
    const OptionSpec *options = r->source->options;
    Definition       *d = &r->definitions[r->count];
    *d = (Definition){.name = node_text(key), .key = key, .own = own, .base = base};
    if (options != NULL) {
        const size_t row = option_find(options, d->name);
        if (row == option_count(options)) {
            return fail_no_option(options, key);
        }
        if (options[row].type == OPTION_LIST) {
            return node_fail(
                key, "'%s' is a list, which cannot be tuned; it belongs under 'fixed:'", d->name);
        }
        d->row = &options[row];
    }
    r->count++;
    return STATUS_OK;
}

static Status refuse_fixed(const Node *study, const Node *fixed) {
    for (size_t i = 0; i < node_count(study); i++) {
        const Node *key = node_key(study, i);
        const bool  tuned = !node_is_null(node_member(study, i, NULL));
        if (tuned && node_get(fixed, node_text(key)) != NULL) {
            return node_fail(key, "'%s' is both tuned here and fixed under 'fixed:'",
                             node_text(key));
        }
    }
    return STATUS_OK;
}

/* what the preset has and the study neither takes out nor fixes */
static Status collect_preset(Reader *r) {
    const Node *study = r->source->hyperparameters;
    Status      status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < node_count(r->preset); i++) {
        const Node *key = node_key(r->preset, i);
        const Node *own_key = node_find_key(study, node_text(key));
        const Node *own = node_get(study, node_text(key));
        if (!node_is_null(own) && node_get(r->source->fixed, node_text(key)) == NULL) {
            status = push(r, (own == NULL) ? key : own_key, own, node_member(r->preset, i, NULL));
        }
    }
    return status;
}

/* the preset's order, then what only the study has */
static Status collect(Reader *r) {
    const Node *study = r->source->hyperparameters;
    TRY(refuse_fixed(study, r->source->fixed));
    Status status = collect_preset(r);
    for (size_t i = 0; status == STATUS_OK && i < node_count(study); i++) {
        const Node *key = node_key(study, i);
        const Node *own = node_member(study, i, NULL);
        if (node_get(r->preset, node_text(key)) != NULL) {
            continue;
        }
        status = node_is_null(own)
                     ? node_fail(key, "'%s' has no definition, and no preset has one to take out",
                                 node_text(key))
                     : push(r, key, own, NULL);
    }
    return status;
}

/* else a perturbation of the parent would switch on, in the middle of training, what the agent
 * fixes when training begins */
static Status check_parent(const Reader *r, size_t child, size_t parent, const Node *key) {
    const SpaceParameter *c = space_at(r->space, child);
    const SpaceParameter *p = space_at(r->space, parent);
    if (!c->dynamic && p->dynamic) {
        return node_fail_as(STATUS_ERR_RANGE, key,
                            "'%s' is static, so its condition cannot test the dynamic '%s'",
                            c->name, p->name);
    }
    return STATUS_OK;
}

static Status add_when(Reader *r, size_t index) {
    const Node    *when = definition__get(&r->definitions[index], "when");
    SpaceCondition condition = {0};
    if (when == NULL || node_is_null(when)) {
        return STATUS_OK;
    }
    Status status = condition__read(r->space, when, "'when'", &condition);
    for (size_t i = 0; status == STATUS_OK && i < condition.test_count; i++) {
        status = check_parent(r, index, condition.tests[i].parameter, node_key(when, i));
        if (status == STATUS_OK) {
            status = space_add_when(r->space, index, &condition.tests[i]);
        }
    }
    space__condition_reset(&condition);
    return status;
}

static Status add_forbidden(Reader *r) {
    const Node *forbid = r->source->forbid;
    if (forbid == NULL || node_is_null(forbid)) {
        return STATUS_OK;
    }
    if (!node_is_sequence(forbid)) {
        return node_fail(forbid, "'forbid' must be a list of conditions");
    }
    for (size_t i = 0; i < node_count(forbid); i++) {
        SpaceCondition condition = {0};
        Status         status =
            condition__read(r->space, node_at(forbid, i), "a forbidden condition", &condition);
        if (status == STATUS_OK) {
            status = space_add_forbidden(r->space, &condition);
        }
        space__condition_reset(&condition);
        TRY(status);
    }
    return STATUS_OK;
}

static Status seal(Reader *r) {
    size_t       cycle = 0;
    size_t       forbidden = 0;
    const Status status = space__seal(r->space, &cycle, &forbidden);
    if (status != STATUS_OK && cycle < r->count) {
        return node_locate(definition__where(&r->definitions[cycle], "when"));
    }
    if (status != STATUS_OK && forbidden < node_count(r->source->forbid)) {
        return node_locate(node_at(r->source->forbid, forbidden));
    }
    return status;
}

static Status read_all(Reader *r) {
    TRY(collect(r));
    for (size_t i = 0; i < r->count; i++) {
        TRY(definition__add(&r->definitions[i], r->space));
    }
    for (size_t i = 0; i < r->count; i++) {
        TRY(add_when(r, i));
    }
    TRY(add_forbidden(r));
    return seal(r);
}

static Status check_shape(const SpaceSource *source) {
    const Node *node = source->hyperparameters;
    if (node != NULL && !node_is_mapping(node) && !node_is_null(node)) {
        return node_fail(node, "'hyperparameters' must be a mapping of name to definition");
    }
    return STATUS_OK;
}

Status space_read_source(const SpaceSource *source, Space **out) {
    Document *preset = NULL;
    Reader    reader = {.source = source};
    *out = NULL;
    TRY(check_shape(source));
    if (source->preset != NULL) {
        TRY(space_preset_open(source->preset, &preset));
        reader.preset = node_get(document_root(preset), "hyperparameters");
    }
    const size_t most = node_count(source->hyperparameters) + node_count(reader.preset);
    reader.definitions = calloc(most + 1, sizeof *reader.definitions);
    Status status = space_create(&reader.space);
    if (reader.definitions == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for %zu definitions", most);
    } else if (status == STATUS_OK) {
        status = read_all(&reader);
    }
    if (status == STATUS_OK) {
        *out = reader.space;
    } else {
        space_destroy(reader.space);
    }
    free(reader.definitions);
    document_close(preset);
    return status;
}

Status space_read(const Node *hyperparameters, const Node *forbid, const char *preset,
                  const OptionSpec *options, Space **out) {
    const SpaceSource source = {
        .hyperparameters = hyperparameters, .forbid = forbid, .preset = preset, .options = options};
    return space_read_source(&source, out);
}
