/* A tree of nodes from the events of libfyaml.
 *
 * Events, not libfyaml's own documents: those copy the tree below an alias, so that a few lines can
 * unfold to gigabytes, and they report a duplicate key without its column. Here an alias is a
 * second pointer to the same node. libfyaml's messages are collected, never printed; the first one
 * becomes the text of the failure.
 */
#include "search_spaces/document.h"

#include "core/buffer.h"
#include "core/file.h"
#include "search_spaces/document_internal.h"

#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 4 << 20, MOST_MEMBERS = 20000 };

typedef struct Anchor {
    char *name;
    Node *node;
} Anchor;

struct Document {
    char   *name;
    Node   *newest; /* all nodes, linked by `older`, to be freed */
    size_t  node_count;
    Anchor *anchors;
    size_t  anchor_count;
    Node   *root;
};

/* one open mapping or sequence */
typedef struct Level {
    Node       *node;
    const Node *key;   /* mapping: the key that waits for its value, or NULL */
    const Node *merge; /* value of `<<`, or NULL */
} Level;

typedef struct Builder {
    Document *document;
    Level     levels[DOCUMENT_MOST_LEVELS];
    size_t    depth;
    size_t    documents;
    int       line; /* where the last event stood: empty values have no place of their own */
    int       column;
} Builder;

const char *document__name(const Document *document) {
    return document->name;
}

static Status fail_at(const Builder *b, const char *text, const char *detail) {
    FAIL(STATUS_ERR_PARSE, "%s:%d:%d: %s%s", b->document->name, b->line, b->column, text, detail);
}

static Status new_node(Builder *b, NodeKind kind, Node **out) {
    Document *document = b->document;
    if (document->node_count >= DOCUMENT_MOST_NODES) {
        return fail_at(b, "the file has too many values", "");
    }
    Node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a value of %s", document->name);
    }
    node->document = document;
    node->kind = kind;
    node->line = b->line;
    node->column = b->column;
    node->older = document->newest;
    document->newest = node;
    document->node_count++;
    *out = node;
    return STATUS_OK;
}

static Status push_member(Builder *b, Node *node, const Node *key, const Node *value) {
    if (node->count == node->capacity) {
        const size_t capacity = 2 * node->capacity + 4;
        NodeMember  *grown = realloc(node->members, capacity * sizeof *grown);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for a value of %s", b->document->name);
        }
        node->members = grown;
        node->capacity = capacity;
    }
    node->members[node->count] = (NodeMember){.key = key, .value = value};
    node->count++;
    return STATUS_OK;
}

static Status token_text(Builder *b, struct fy_token *token, char **out) {
    size_t      length = 0;
    const char *text = (token == NULL) ? "" : fy_token_get_text(token, &length);
    if (text == NULL) {
        return fail_at(b, "malformed text", "");
    }
    if (memchr(text, '\0', length) != NULL) {
        return fail_at(b, "a text may not contain a NUL", "");
    }
    *out = calloc(length + 1, 1);
    if (*out == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a text of %zu bytes", length);
    }
    memcpy(*out, text, length);
    return STATUS_OK;
}

static Status set_key(Builder *b, Level *level, const Node *key) {
    const Node *node = level->node;
    if (key->kind != NODE_SCALAR || key->text[0] == '\0') {
        return fail_at(b, "a key must be a text", "");
    }
    if (node->count >= MOST_MEMBERS) {
        return fail_at(b, "the mapping has too many keys", "");
    }
    for (size_t i = 0; i < node->count; i++) {
        if (strcmp(node->members[i].key->text, key->text) == 0) {
            char first[64];
            (void)snprintf(first, sizeof first, "' (the first is in line %d)",
                           node->members[i].key->line);
            FAIL(STATUS_ERR_PARSE, "%s:%d:%d: duplicate key '%s%s", b->document->name, key->line,
                 key->column, key->text, first);
        }
    }
    level->key = key;
    return STATUS_OK;
}

/* puts a finished or just opened node where it belongs */
static Status attach(Builder *b, Node *node) {
    if (b->depth == 0) {
        b->document->root = node;
        return STATUS_OK;
    }
    Level *level = &b->levels[b->depth - 1];
    if (level->node->kind == NODE_SEQUENCE) {
        return push_member(b, level->node, NULL, node);
    }
    if (level->key == NULL) {
        return set_key(b, level, node);
    }
    const Node *key = level->key;
    level->key = NULL;
    if (key->plain && strcmp(key->text, "<<") == 0) {
        if (level->merge != NULL) {
            return fail_at(b, "duplicate key '<<'", "");
        }
        level->merge = node;
        return STATUS_OK;
    }
    return push_member(b, level->node, key, node);
}

static Status merge_one(Builder *b, Node *into, const Node *from) {
    if (from->kind != NODE_MAPPING || from == into) {
        return fail_at(b, "'<<' needs a mapping or a list of mappings", "");
    }
    Status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < from->count; i++) {
        const NodeMember *member = &from->members[i];
        if (node_get(into, member->key->text) == NULL) {
            status = push_member(b, into, member->key, member->value);
        }
    }
    return status;
}

static Status close_level(Builder *b) {
    Level *level = &b->levels[b->depth - 1];
    b->depth--;
    if (level->merge == NULL) {
        return STATUS_OK;
    }
    if (level->merge->kind != NODE_SEQUENCE) {
        return merge_one(b, level->node, level->merge);
    }
    for (size_t i = 0; i < level->merge->count; i++) {
        TRY(merge_one(b, level->node, level->merge->members[i].value));
    }
    return STATUS_OK;
}

static Status add_anchor(Builder *b, struct fy_token *token, Node *node) {
    Document *document = b->document;
    if (token == NULL) {
        return STATUS_OK;
    }
    Anchor *grown = realloc(document->anchors, (document->anchor_count + 1) * sizeof *grown);
    if (grown == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for an anchor of %s", document->name);
    }
    document->anchors = grown;
    grown[document->anchor_count].node = node;
    TRY(token_text(b, token, &grown[document->anchor_count].name));
    document->anchor_count++;
    return STATUS_OK;
}

static Status on_alias(Builder *b, struct fy_token *token) {
    char *name = NULL;
    Node *node = NULL;
    TRY(token_text(b, token, &name));
    for (size_t i = b->document->anchor_count; i > 0 && node == NULL; i--) {
        if (strcmp(b->document->anchors[i - 1].name, name) == 0) {
            node = b->document->anchors[i - 1].node;
        }
    }
    Status status =
        (node == NULL) ? fail_at(b, "no anchor stands before the alias *", name) : STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < b->depth; i++) {
        if (b->levels[i].node == node) {
            status = fail_at(b, "an anchor may not contain itself: *", name);
        }
    }
    free(name);
    return (status == STATUS_OK) ? attach(b, node) : status;
}

/* @param string  out  the tag says that a plain scalar is a string all the same */
static Status read_tag(Builder *b, struct fy_token *token, bool *string) {
    static const char *const known[] = {"str", "int", "float", "bool", "null", "map", "seq"};
    const char              *prefix = "tag:yaml.org,2002:";
    char                    *text = NULL;
    *string = false;
    if (token == NULL) {
        return STATUS_OK;
    }
    const Status read = token_text(b, token, &text);
    if (read != STATUS_OK || text == NULL) {
        return read;
    }
    bool         fine = strcmp(text, "!") == 0;
    const size_t length = strlen(prefix);
    *string = fine;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strncmp(text, prefix, length) == 0 && strcmp(text + length, known[i]) == 0) {
            fine = true;
            *string = i == 0;
        }
    }
    const Status status = fine ? STATUS_OK : fail_at(b, "unknown tag ", text);
    free(text);
    return status;
}

static Status on_scalar(Builder *b, const struct fy_event *event) {
    Node *node = NULL;
    bool  string = false;
    TRY(read_tag(b, event->scalar.tag, &string));
    const enum fy_scalar_style style =
        (event->scalar.value == NULL) ? FYSS_PLAIN : fy_token_scalar_style(event->scalar.value);
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {
        b->column -= (b->column > 1) ? 1 : 0; /* the mark stands behind the quote */
    }
    TRY(new_node(b, NODE_SCALAR, &node));
    node->plain = style == FYSS_PLAIN && !string;
    TRY(token_text(b, event->scalar.value, &node->text));
    TRY(add_anchor(b, event->scalar.anchor, node));
    return attach(b, node);
}

static Status on_open(Builder *b, NodeKind kind, struct fy_token *tag, struct fy_token *anchor) {
    Node *node = NULL;
    bool  string = false;
    TRY(read_tag(b, tag, &string));
    if (b->depth == DOCUMENT_MOST_LEVELS) {
        return fail_at(b, "the file is nested too deeply", "");
    }
    TRY(new_node(b, kind, &node));
    TRY(add_anchor(b, anchor, node));
    TRY(attach(b, node));
    b->levels[b->depth] = (Level){.node = node};
    b->depth++;
    return STATUS_OK;
}

static Status on_event(Builder *b, struct fy_event *event) {
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark != NULL) {
        b->line = mark->line + 1;
        b->column = mark->column + 1;
    }
    switch (event->type) {
    case FYET_DOCUMENT_START:
        b->documents++;
        return (b->documents > 1) ? fail_at(b, "a second document in the file", "") : STATUS_OK;
    case FYET_MAPPING_START:
        return on_open(b, NODE_MAPPING, event->mapping_start.tag, event->mapping_start.anchor);
    case FYET_SEQUENCE_START:
        return on_open(b, NODE_SEQUENCE, event->sequence_start.tag, event->sequence_start.anchor);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        return close_level(b);
    case FYET_SCALAR:
        return on_scalar(b, event);
    case FYET_ALIAS:
        return on_alias(b, event->alias.anchor);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
    return STATUS_OK;
}

/* the first error that libfyaml collected */
static Status fail_syntax(const Builder *b, struct fy_diag *diag) {
    void                 *iterator = NULL;
    struct fy_diag_error *error = fy_diag_errors_iterate(diag, &iterator);
    if (error == NULL || error->msg == NULL || error->line < 1) {
        return fail_at(b, "malformed YAML near here", "");
    }
    FAIL(STATUS_ERR_PARSE, "%s:%d:%d: malformed YAML: %.*s", b->document->name, error->line,
         error->column, (int)strcspn(error->msg, "\n"), error->msg);
}

/* a sink instead of stderr, for what is not collected */
static void swallow(struct fy_diag *diag, void *user, const char *text, size_t length) {
    (void)diag;
    (void)user;
    (void)text;
    (void)length;
}

static Status build(Builder *b, const char *text, size_t length) {
    struct fy_diag_cfg diag_cfg;
    fy_diag_cfg_default(&diag_cfg);
    diag_cfg.fp = NULL;
    diag_cfg.output_fn = swallow;
    diag_cfg.colorize = false;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (diag == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to read %s", b->document->name);
    }
    fy_diag_set_collect_errors(diag, true);
    const struct fy_parse_cfg cfg = {.flags = FYPCF_DEFAULT_PARSE, .diag = diag};
    struct fy_parser         *parser = fy_parser_create(&cfg);
    Status                    status = STATUS_OK;
    if (parser == NULL || fy_parser_set_string(parser, text, length) != 0) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory to read %s", b->document->name);
    }
    struct fy_event *event = NULL;
    while (status == STATUS_OK && (event = fy_parser_parse(parser)) != NULL) {
        status = on_event(b, event);
        fy_parser_event_free(parser, event);
    }
    if (status == STATUS_OK && (fy_parser_get_stream_error(parser) || fy_diag_got_error(diag))) {
        status = fail_syntax(b, diag);
    }
    if (parser != NULL) {
        fy_parser_destroy(parser);
    }
    fy_diag_destroy(diag);
    return status;
}

/* what the first byte of a sequence promises; 0 if none begins with it */
static size_t utf8_expected(unsigned char first) {
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    return (first < 0xE0) ? 2 : (first < 0xF0) ? 3 : 4;
}

/* bytes of the UTF-8 sequence at `text`, 0 if it is none (overlong forms and surrogates included)
 */
static size_t utf8_length(const unsigned char *text, size_t left) {
    const unsigned char c = text[0];
    const size_t        n = utf8_expected(c);
    if (n == 0 || n > left || c == 0) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (c == 0xE0 && text[1] < 0xA0) || (c == 0xF0 && text[1] < 0x90);
    const bool beyond = (c == 0xED && text[1] >= 0xA0) || (c == 0xF4 && text[1] >= 0x90);
    return (overlong || beyond) ? 0 : n;
}

/* before libfyaml sees it: no byte that is not text */
static Status check_bytes(Builder *b, const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    b->line = 1;
    b->column = 1;
    for (size_t i = 0; i < length;) {
        const size_t n = utf8_length(bytes + i, length - i);
        if (n == 0 || (bytes[i] < ' ' && strchr("\t\n\r", bytes[i]) == NULL) || bytes[i] == 0x7F) {
            char found[8];
            (void)snprintf(found, sizeof found, "0x%02X", bytes[i]);
            return fail_at(b, "the file is not plain text (UTF-8): found byte ", found);
        }
        b->line += (bytes[i] == '\n') ? 1 : 0;
        b->column = (bytes[i] == '\n') ? 1 : b->column + 1;
        i += n;
    }
    b->line = 1;
    b->column = 1;
    return STATUS_OK;
}

static void forget_anchors(Document *document) {
    for (size_t i = 0; i < document->anchor_count; i++) {
        free(document->anchors[i].name);
    }
    free(document->anchors);
    document->anchors = NULL;
    document->anchor_count = 0;
}

Status document_parse(const char *name, const char *text, size_t length, Document **out) {
    *out = NULL;
    if (name == NULL || (text == NULL && length > 0)) {
        FAIL(STATUS_ERR_ARG, "document_parse() needs a name and a text");
    }
    if (length > LARGEST_FILE) {
        FAIL(STATUS_ERR_RANGE, "%s: has %zu bytes, the most is %d", name, length, LARGEST_FILE);
    }
    Document *document = calloc(1, sizeof *document);
    if (document == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory to read %s", name);
    }
    document->name = strdup(name);
    Builder builder = {.document = document};
    Status  status = STATUS_OK;
    if (document->name == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory to read %s", name);
    }
    if (status == STATUS_OK) {
        status = check_bytes(&builder, text, length);
    }
    if (status == STATUS_OK && length > 0) {
        status = build(&builder, text, length);
    }
    forget_anchors(document);
    if (status != STATUS_OK) {
        document_close(document);
        return status;
    }
    *out = document;
    return STATUS_OK;
}

Status document_open(const char *path, Document **out) {
    Buffer text;
    *out = NULL;
    if (path == NULL) {
        FAIL(STATUS_ERR_ARG, "document_open() needs a path");
    }
    buffer_init(&text, LARGEST_FILE);
    Status status = file_read(path, &text);
    if (status == STATUS_OK) {
        status = document_parse(path, buffer_text(&text), text.length, out);
    }
    buffer_reset(&text);
    return status;
}

void document_close(Document *document) {
    if (document == NULL) {
        return;
    }
    for (Node *node = document->newest; node != NULL;) {
        Node *older = node->older;
        free(node->text);
        free(node->members);
        free(node);
        node = older;
    }
    forget_anchors(document);
    free(document->name);
    free(document);
}

const Node *document_root(const Document *document) {
    return (document == NULL) ? NULL : document->root;
}
