/** @file document.h  YAML with positions (libfyaml), so that every error can say file, line,
 * column.
 *
 * Nodes are borrowed views into the document. Keys keep the order of the file. Anchors, aliases and
 * `<<` merges are resolved.
 */
#ifndef SEARCH_SPACES_DOCUMENT_H
#define SEARCH_SPACES_DOCUMENT_H

#include "core/json.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Document Document;
typedef struct Node     Node;

/** Reads a YAML file of at most 4 MiB. @return STATUS_OK; STATUS_ERR_IO; STATUS_ERR_RANGE (longer);
 * STATUS_ERR_PARSE with "file:line:column: what was found" (duplicate keys are refused too) */
Status document_open(const char *path, Document **out) MUST_USE;
/** The same from memory; `name` stands for the file name in messages. */
Status document_parse(const char *name, const char *text, size_t length, Document **out) MUST_USE;
void   document_close(Document *document);
/** The root node; NULL for an empty document. */
const Node *document_root(const Document *document);

bool   node_is_mapping(const Node *node);
bool   node_is_sequence(const Node *node);
bool   node_is_scalar(const Node *node);
size_t node_count(const Node *node); /* members or elements; 0 for a scalar */
/** Borrowed member, NULL if missing (or node is NULL or no mapping). */
const Node *node_get(const Node *mapping, const char *key);
/** Member number `index` of a mapping; its key too. */
const Node *node_member(const Node *mapping, size_t index, const char **key);
const Node *node_at(const Node *sequence, size_t index);
/** Text of a scalar, NUL-terminated, valid while the document lives; NULL if it is none. */
const char *node_text(const Node *node);
/** True for a plain (unquoted) scalar: only those may be numbers, booleans, null. */
bool node_is_plain(const Node *node);
/** True for a plain scalar that is empty, `~` or `null`: "key:" with nothing after it. */
bool node_is_null(const Node *node);

/* Typed readers: STATUS_ERR_PARSE "study.yaml:12:9: 'lower' must be a number, found 'abc'".
 * `what` names the thing in the message. Numbers accept 1e-3, .5, 2.0e9, 1_000; integers refuse
 * fractions (2.0e9 is fine); booleans are true / false. A NULL node is "'lower' is missing".
 * Outputs are left alone on failure. */
Status node_number(const Node *node, const char *what, double *out) MUST_USE;
Status node_integer(const Node *node, const char *what, int64_t *out) MUST_USE;
Status node_bool(const Node *node, const char *what, bool *out) MUST_USE;
Status node_string(const Node *node, const char *what, const char **out) MUST_USE;
/** Duration in seconds: "2h", "30m", "45s", "1d", or a plain number of seconds. */
Status node_duration(const Node *node, const char *what, double *out) MUST_USE;
/** Bytes: "2GiB", "512MiB", "20GB", or a plain number. */
Status node_bytes(const Node *node, const char *what, double *out) MUST_USE;
/** Fails with STATUS_ERR_PARSE: "file:line:column: <text>" (only the text where `node` is NULL). */
Status node_fail(const Node *node, const char *format, ...) PRINTF_LIKE(2, 3) MUST_USE;
/** The same with another code. */
Status node_fail_as(Status code, const Node *node, const char *format, ...)
    PRINTF_LIKE(3, 4) MUST_USE;
/** Puts the position of `node` before the text of the last failure and returns its code. */
Status node_locate(const Node *node) MUST_USE;
/** The key of member number `index` as a node, for its position; NULL past the end. */
const Node *node_key(const Node *mapping, size_t index);
/** The key `key` of a mapping as a node, NULL if missing. */
const Node *node_find_key(const Node *mapping, const char *key);
/** Refuses members of `mapping` that are not among `keys` (ends at NULL), naming the nearest:
 * STATUS_ERR_UNKNOWN_NAME "file:line:column: unknown key 'x' in <where>; did you mean 'y'?". A NULL
 * or null `mapping` is fine; one that is no mapping is STATUS_ERR_PARSE. */
Status node_known_keys(const Node *mapping, const char *where, const char *const *keys) MUST_USE;
/** The node as JSON (plain scalars become numbers, booleans, null). @return STATUS_OK;
 * STATUS_ERR_PARSE for aliases that unfold to more than 200 000 values; STATUS_ERR_NOMEM */
Status node_to_json(const Node *node, Json **out) MUST_USE;

#endif
