/* A scan before jansson's parser: it swaps the bare tokens NaN and Infinity for marked strings (see
 * json_internal.h) and refuses NUL, forged marks and deep nesting. Text positions that jansson
 * reports are mapped back to the original.
 */
#include "core/json_internal.h"

#include <string.h>

enum { DEPTH_LIMIT = 128 };

#define MARK_ESCAPED "\\u0001"

/* the bare tokens; in the tree they are strings: the mark and then the token */
static const char *const specials[] = {"NaN", "Infinity", "-Infinity"};
enum { SPECIAL_COUNT = sizeof specials / sizeof specials[0] };

/* a run of text that goes to jansson as it is, or one special token */
typedef struct Piece {
    size_t      begin;
    size_t      end;
    const char *special; /* NULL for plain text */
} Piece;

typedef struct Scanner {
    const char *text;
    size_t      length;
    size_t      at;
    size_t      depth;
} Scanner;

static bool stands_at(const Scanner *scanner, size_t at, const char *what) {
    const size_t length = strlen(what);
    return length <= scanner->length - at && memcmp(scanner->text + at, what, length) == 0;
}

static const char *special_at(const Scanner *scanner) {
    const char first = scanner->text[scanner->at];
    if (first != 'N' && first != 'I' && first != '-') {
        return NULL;
    }
    for (size_t i = 0; i < SPECIAL_COUNT; i++) {
        if (stands_at(scanner, scanner->at, specials[i])) {
            return specials[i];
        }
    }
    return NULL;
}

/* line and column of a byte, both from 1 */
static void locate(const char *text, size_t at, size_t *line, size_t *column) {
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < at; i++) {
        const bool newline = text[i] == '\n';
        *line += newline;
        *column = newline ? 1 : *column + 1;
    }
}

static Status refuse(const Scanner *scanner, size_t at, const char *what) {
    size_t line;
    size_t column;
    locate(scanner->text, at, &line, &column);
    FAIL(STATUS_ERR_PARSE, "JSON line %zu, column %zu: %s", line, column, what);
}

/* passes a string; an unfinished one is left for jansson to complain about */
static Status skip_string(Scanner *scanner) {
    const size_t begin = scanner->at;
    if (stands_at(scanner, begin + 1, MARK_ESCAPED)) {
        return refuse(scanner, begin, "a string may not begin with \\u0001");
    }
    scanner->at++;
    while (scanner->at < scanner->length && scanner->text[scanner->at] != '"') {
        if (scanner->text[scanner->at] == '\0') {
            return refuse(scanner, scanner->at, "NUL byte");
        }
        if (stands_at(scanner, scanner->at, "\\u0000")) {
            return refuse(scanner, scanner->at, "\\u0000 is not allowed in a string");
        }
        scanner->at += (scanner->text[scanner->at] == '\\') ? 2 : 1;
    }
    scanner->at = (scanner->at < scanner->length) ? scanner->at + 1 : scanner->length;
    return STATUS_OK;
}

/* one step of plain text: a string, a bracket, or any other byte */
static Status skip_plain(Scanner *scanner) {
    switch (scanner->text[scanner->at]) {
    case '"':
        return skip_string(scanner);
    case '\0':
        return refuse(scanner, scanner->at, "NUL byte");
    case '[':
    case '{':
        if (++scanner->depth > DEPTH_LIMIT) {
            return refuse(scanner, scanner->at, "nested more than 128 deep");
        }
        break;
    case ']':
    case '}':
        scanner->depth -= scanner->depth > 0;
        break;
    default:
        break;
    }
    scanner->at++;
    return STATUS_OK;
}

/* in quotes the token would have become a key that nobody wrote */
static Status refuse_key(const Scanner *scanner, const Piece *piece) {
    size_t at = scanner->at;
    while (at < scanner->length && strchr(" \t\r\n", scanner->text[at]) != NULL &&
           scanner->text[at] != '\0') {
        at++;
    }
    if (at < scanner->length && scanner->text[at] == ':') {
        return refuse(scanner, piece->begin, "expected a key in quotes");
    }
    return STATUS_OK;
}

/* next piece; an empty one at the end */
static Status scan(Scanner *scanner, Piece *piece) {
    piece->begin = scanner->at;
    piece->special = (scanner->at < scanner->length) ? special_at(scanner) : NULL;
    if (piece->special != NULL) {
        scanner->at += strlen(piece->special);
        TRY(refuse_key(scanner, piece));
    }
    while (piece->special == NULL && scanner->at < scanner->length && special_at(scanner) == NULL) {
        TRY(skip_plain(scanner));
    }
    piece->end = scanner->at;
    return STATUS_OK;
}

/* `text` with marked strings for the special tokens */
static Status rewrite(const char *text, size_t length, Buffer *out) {
    Scanner scanner = {.text = text, .length = length};
    Piece   piece;
    do {
        TRY(scan(&scanner, &piece));
        if (piece.special != NULL) {
            buffer_printf(out, "\"" MARK_ESCAPED "%s\"", piece.special);
        } else {
            buffer_append(out, text + piece.begin, piece.end - piece.begin);
        }
    } while (piece.end > piece.begin);
    return buffer_status(out);
}

/* the byte of `text` that became byte `position` of the rewritten text */
static size_t original_position(const char *text, size_t length, size_t position) {
    Scanner scanner = {.text = text, .length = length};
    Piece   piece = {0};
    size_t  rewritten = 0;
    while (scan(&scanner, &piece) == STATUS_OK && piece.end > piece.begin) {
        const size_t quoted = sizeof("\"" MARK_ESCAPED "\"") - 1;
        const size_t size = piece.end - piece.begin;
        const size_t grown = (piece.special == NULL) ? size : size + quoted;
        if (position < rewritten + grown) {
            return piece.begin + ((piece.special == NULL) ? position - rewritten : 0);
        }
        rewritten += grown;
    }
    return length;
}

static Status refuse_parsed(const char *text, size_t length, const json_error_t *error) {
    const Scanner scanner = {.text = text, .length = length};
    if (json__allocation_failed()) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu bytes of JSON", length);
    }
    /* jansson points behind what it found */
    const size_t position = (error->position > 0) ? (size_t)error->position - 1 : 0;
    return refuse(&scanner, original_position(text, length, position), error->text);
}

Status json_parse(const char *text, size_t length, Json **out) {
    *out = NULL;
    Buffer rewritten;
    /* a token grows by less than eight times */
    if (length > SIZE_MAX / 16) {
        FAIL(STATUS_ERR_PARSE, "%zu bytes of JSON are too many", length);
    }
    buffer_init(&rewritten, length * 8 + 16);
    Status status = rewrite(text, length, &rewritten);
    if (status == STATUS_OK) {
        json_error_t error = {0};
        json__allocation_begin();
        *out = json_loadb(buffer_text(&rewritten), rewritten.length,
                          JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &error);
        if (*out == NULL) {
            status = refuse_parsed(text, length, &error);
        }
    }
    buffer_reset(&rewritten);
    return status;
}
