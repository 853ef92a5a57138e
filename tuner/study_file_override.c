/* Overrides of the command line, put into the text of a study file.
 *
 * The text is edited, not a tree: comments stay, the frozen file is what a person would have
 * written, and errors in it still point to the right line. libfyaml's events give the byte range of
 * each value; a value is replaced where it stands, a new key goes to the front of a flow mapping or
 * below the last line of a block mapping. */
#include "tuner/study_file_parts.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16, KEY_BYTES = 128 };

/* What is known about one place of the file: a value and, if it is a mapping, its layout. */
typedef struct Place {
    bool   found;
    bool   mapping;
    bool   flow;
    bool   empty; /* key without a value: begin = end = where it would stand */
    size_t begin;
    size_t end;     /* of a mapping: end of its last value */
    size_t column;  /* of a block mapping */
    size_t members; /* of a mapping */
} Place;

/* One walk over the events of a file, looking for the value of `path` (its first `depth` keys). */
typedef struct Walk {
    struct fy_parser *parser;
    const char       *text;
    size_t            length;
    const char       *keys[DEPTH_MAX];
    size_t            depth;
    size_t            last_end; /* end of the last scalar seen */
} Walk;

static struct fy_event *next_event(Walk *walk) {
    return fy_parser_parse(walk->parser);
}

static bool event_is(const struct fy_event *event, enum fy_event_type type) {
    return event != NULL && event->type == type;
}

static bool scalar_is(struct fy_event *event, const char *key) {
    size_t           length = 0;
    struct fy_token *token = fy_event_get_token(event);
    const char      *text = token == NULL ? NULL : fy_token_get_text(token, &length);
    return text != NULL && length == strlen(key) && memcmp(text, key, length) == 0;
}

/* the marks of a quoted scalar stand inside its quotes */
static size_t quote_bytes(const struct fy_event *event) {
    if (!event_is(event, FYET_SCALAR)) {
        return 0;
    }
    const enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    return (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) ? 1 : 0;
}

static void see_end(Walk *walk, struct fy_event *event) {
    const struct fy_mark *mark = fy_event_end_mark(event);
    if (mark != NULL) {
        walk->last_end = mark->input_pos + quote_bytes(event);
    }
}

/* Reads past the value that begins with `event` and gives its byte range; takes the event. */
static bool skip_value(Walk *walk, struct fy_event *event, Place *place) {
    int depth = 0;

    for (;;) {
        if (event == NULL) {
            return false;
        }
        const bool opens =
            event_is(event, FYET_MAPPING_START) || event_is(event, FYET_SEQUENCE_START);
        const bool closes = event_is(event, FYET_MAPPING_END) || event_is(event, FYET_SEQUENCE_END);
        depth += opens ? 1 : 0;
        depth -= closes ? 1 : 0;
        /* block collections end where the next thing begins: their last scalar counts instead */
        const struct fy_mark *from = fy_event_start_mark(event);
        const struct fy_mark *to = fy_event_end_mark(event);
        if (!closes || (from != NULL && to != NULL && to->input_pos > from->input_pos)) {
            see_end(walk, event);
        }
        fy_parser_event_free(walk->parser, event);
        if (depth == 0) {
            place->end = walk->last_end;
            return true;
        }
        event = next_event(walk);
    }
}

/* Looks at one value; goes on inside it while there are keys left. Takes the event. */
static bool find_value(Walk *walk, struct fy_event *event, size_t level, Place *place);

static bool find_member(Walk *walk, size_t level, Place *place) {
    for (;;) {
        struct fy_event *key = next_event(walk);
        if (key == NULL || event_is(key, FYET_MAPPING_END)) {
            fy_parser_event_free(walk->parser, key);
            return key != NULL;
        }
        const bool match = event_is(key, FYET_SCALAR) && scalar_is(key, walk->keys[level]);
        Place      other = {0};
        if (!skip_value(walk, key, &other)) {
            return false;
        }
        struct fy_event *value = next_event(walk);
        if (match) {
            return value != NULL && find_value(walk, value, level + 1, place);
        }
        if (!skip_value(walk, value, &other)) {
            return false;
        }
    }
}

/* Layout of the mapping whose start event this is; counts its members. Takes the event. */
static bool measure_mapping(Walk *walk, struct fy_event *event, Place *place) {
    size_t values = 0;

    place->mapping = true;
    place->flow = fy_event_get_node_style(event) == FYNS_FLOW;
    const struct fy_mark *mark = fy_event_start_mark(event);
    place->column = mark == NULL || mark->column < 0 ? 0 : (size_t)mark->column;
    see_end(walk, event);
    fy_parser_event_free(walk->parser, event);
    for (;;) {
        struct fy_event *inner = next_event(walk);
        Place            other = {0};
        if (event_is(inner, FYET_MAPPING_END)) {
            if (place->flow) {
                see_end(walk, inner);
            }
            fy_parser_event_free(walk->parser, inner);
            place->members = values / 2;
            place->end = walk->last_end;
            return true;
        }
        if (!skip_value(walk, inner, &other)) {
            return false;
        }
        values++;
    }
}

static bool find_value(Walk *walk, struct fy_event *event, size_t level, Place *place) {
    if (level < walk->depth) {
        if (!event_is(event, FYET_MAPPING_START)) {
            fy_parser_event_free(walk->parser, event);
            return true;
        }
        fy_parser_event_free(walk->parser, event);
        return find_member(walk, level, place);
    }
    place->found = true;
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark == NULL) {
        /* `key:` and nothing else: behind the colon */
        const char *colon = memchr(walk->text + walk->last_end, ':', walk->length - walk->last_end);
        place->empty = true;
        place->begin = colon == NULL ? walk->last_end : (size_t)(colon - walk->text) + 1;
        place->end = place->begin;
        fy_parser_event_free(walk->parser, event);
        return true;
    }
    /* the mark of an alias stands behind its star */
    place->begin = mark->input_pos - (event_is(event, FYET_ALIAS) && mark->input_pos > 0 ? 1 : 0) -
                   quote_bytes(event);
    return event_is(event, FYET_MAPPING_START) ? measure_mapping(walk, event, place)
                                               : skip_value(walk, event, place);
}

/* Without it the parser prints errors itself. */
static void swallow(struct fy_diag *diag, void *user, const char *text, size_t length) {
    (void)diag;
    (void)user;
    (void)text;
    (void)length;
}

static struct fy_diag *silent_diag(void) {
    struct fy_diag_cfg config;

    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = swallow;
    return fy_diag_create(&config);
}

/* Finds the value of the first `depth` keys; found = false where there is none. */
static Status find_place(const char *text, const char *const *keys, size_t depth, Place *place) {
    struct fy_diag *diag = silent_diag();
    if (diag == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a YAML parser");
    }
    const struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    Walk                      walk = {.text = text, .length = strlen(text), .depth = depth};

    memset(place, 0, sizeof *place);
    if (depth > 0) {
        memcpy(walk.keys, keys, depth * sizeof *keys);
    }
    walk.parser = fy_parser_create(&config);
    if (walk.parser == NULL || fy_parser_set_string(walk.parser, text, walk.length) != 0) {
        fy_parser_destroy(walk.parser);
        fy_diag_destroy(diag);
        FAIL(STATUS_ERR_NOMEM, "no memory for a YAML parser");
    }
    /* stream start, document start, root */
    struct fy_event *event = next_event(&walk);
    while (event_is(event, FYET_STREAM_START) || event_is(event, FYET_DOCUMENT_START)) {
        fy_parser_event_free(walk.parser, event);
        event = next_event(&walk);
    }
    if (event != NULL) {
        /* a syntax error is left to the reader of the document, which says where it is */
        (void)find_value(&walk, event, 0, place);
    }
    fy_parser_destroy(walk.parser);
    fy_diag_destroy(diag);
    return STATUS_OK;
}

/* ---- editing ---- */

static Status bad_value(const StudyOverride *set) {
    FAIL(STATUS_ERR_USAGE,
         "--set %s: the value must be one YAML value on one line, such as 3, true, word or [a, b], "
         "found '%s'",
         set->path, set->value);
}

/* The value must be one value also inside braces, where the text may put it. */
static Status check_value(const StudyOverride *set) {
    const char *const key[] = {"v"};
    Place             outer = {0};
    Place             inner = {0};
    Buffer            probe;
    Status            status = STATUS_OK;

    if (strpbrk(set->value, "\r\n") != NULL) {
        return bad_value(set);
    }
    buffer_init(&probe, STUDY_TEXT_BYTES);
    buffer_printf(&probe, "{v: %s}", set->value);
    status = buffer_status(&probe);
    if (status == STATUS_OK) {
        status = find_place(buffer_text(&probe), NULL, 0, &outer);
    }
    if (status == STATUS_OK) {
        status = find_place(buffer_text(&probe), key, 1, &inner);
    }
    if (status == STATUS_OK && (!outer.mapping || outer.members != 1 || outer.end != probe.length ||
                                !inner.found || inner.empty)) {
        status = bad_value(set);
    }
    buffer_reset(&probe);
    return status;
}

/* "a.b.c" into keys; `memory` holds the texts. */
static Status split_path(const StudyOverride *set, char *memory, const char **keys, size_t *depth) {
    const size_t length = strlen(set->path);
    size_t       n = 0;

    if (length == 0 || length >= KEY_BYTES) {
        FAIL(STATUS_ERR_USAGE, "--set %s: expected a key such as scheduler.eta", set->path);
    }
    memcpy(memory, set->path, length + 1);
    for (char *word = memory; word != NULL && n < DEPTH_MAX; n++) {
        char *dot = strchr(word, '.');
        if (dot != NULL) {
            *dot++ = '\0';
        }
        if (*word == '\0' || strpbrk(word, " \t'\"{}[]:,#&*") != NULL) {
            FAIL(STATUS_ERR_USAGE, "--set %s: expected a key such as scheduler.eta", set->path);
        }
        keys[n] = word;
        word = dot;
    }
    *depth = n;
    return STATUS_OK;
}

static void replace(const char *text, const Place *place, const char *value, Buffer *out) {
    buffer_append(out, text, place->begin);
    buffer_printf(out, "%s%s", place->empty ? " " : "", value);
    buffer_puts(out, text + place->end);
}

/* keys[0]: {keys[1]: ... value} as a member of `parent`. */
static Status insert(const char *text, const Place *parent, const char *const *keys, size_t count,
                     const char *value, Buffer *out) {
    Buffer member;

    buffer_init(&member, STUDY_TEXT_BYTES);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&member, "%s%s: ", i == 0 ? "" : "{", keys[i]);
    }
    buffer_puts(&member, value);
    for (size_t i = 1; i < count; i++) {
        buffer_puts(&member, "}");
    }
    if (parent->flow) {
        buffer_append(out, text, parent->begin + 1);
        buffer_printf(out, "%s%s", buffer_text(&member), parent->members > 0 ? ", " : "");
        buffer_puts(out, text + parent->begin + 1);
    } else {
        const char *end = strchr(text + parent->end, '\n');
        /* the end of a block scalar is already the beginning of a line */
        const bool   line = parent->end > 0 && text[parent->end - 1] == '\n';
        const size_t at = line          ? parent->end - 1
                          : end == NULL ? strlen(text)
                                        : (size_t)(end - text);
        buffer_append(out, text, at);
        buffer_printf(out, "\n%*s%s", (int)parent->column, "", buffer_text(&member));
        buffer_puts(out, text + at);
    }
    const Status status = buffer_status(&member);
    buffer_reset(&member);
    TRY(status);
    return buffer_status(out);
}

static Status apply(const char *text, const StudyOverride *set, Buffer *out) {
    char        memory[KEY_BYTES];
    const char *keys[DEPTH_MAX];
    size_t      depth = 0;
    Place       place = {0};

    TRY(check_value(set));
    TRY(split_path(set, memory, keys, &depth));
    TRY(find_place(text, keys, depth, &place));
    if (place.found) {
        replace(text, &place, set->value, out);
        return buffer_status(out);
    }
    /* the deepest mapping that is there takes the rest of the path */
    for (size_t have = depth; have-- > 0;) {
        TRY(find_place(text, keys, have, &place));
        if (place.found && place.mapping) {
            return insert(text, &place, keys + have, depth - have, set->value, out);
        }
        if (place.found && place.empty) {
            FAIL(STATUS_ERR_USAGE, "--set %s: '%s' has no keys yet; set it whole", set->path,
                 keys[have - 1]);
        }
        if (place.found) {
            FAIL(STATUS_ERR_USAGE, "--set %s: '%s' is no mapping in the study file", set->path,
                 have == 0 ? "the file" : keys[have - 1]);
        }
    }
    FAIL(STATUS_ERR_USAGE, "--set %s: the study file has no mapping to put it in", set->path);
}

Status study__override(const char *name, const char *text, const StudyOverride *sets, size_t n,
                       Buffer *out) {
    Buffer    now;
    Document *document = NULL;

    if (n > 0) {
        /* edits need a file whose syntax is good */
        TRY(document_parse(name, text, strlen(text), &document));
        document_close(document);
    }
    buffer_puts(out, text);
    TRY(buffer_status(out));
    buffer_init(&now, out->cap);
    for (size_t i = 0; i < n; i++) {
        buffer_clear(&now);
        const Status status = apply(buffer_text(out), &sets[i], &now);
        if (status != STATUS_OK) {
            buffer_reset(&now);
            return status;
        }
        buffer_clear(out);
        buffer_append(out, now.data, now.length);
    }
    buffer_reset(&now);
    return buffer_status(out);
}
