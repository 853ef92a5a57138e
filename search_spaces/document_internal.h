/** @file document_internal.h  The node that document.c builds and node_read.c reads. */
#ifndef SEARCH_SPACES_DOCUMENT_INTERNAL_H
#define SEARCH_SPACES_DOCUMENT_INTERNAL_H

#include "search_spaces/document.h"

enum {
    DOCUMENT_MOST_NODES = 200000,
    DOCUMENT_MOST_LEVELS = 64,   /* of the file */
    DOCUMENT_MOST_UNFOLDED = 128 /* levels with aliases followed */
};

typedef enum NodeKind { NODE_SCALAR, NODE_SEQUENCE, NODE_MAPPING } NodeKind;

typedef struct NodeMember {
    const Node *key; /* NULL in a sequence */
    const Node *value;
} NodeMember;

struct Node {
    const Document *document;
    NodeKind        kind;
    bool            plain; /* an unquoted scalar */
    int             line;  /* both count from 1 */
    int             column;
    char           *text; /* scalar only */
    NodeMember     *members;
    size_t          count;
    size_t          capacity;
    Node           *older; /* the one made before, for the document's list */
};

/** Name of the document for messages. */
const char *document__name(const Document *document);

#endif
