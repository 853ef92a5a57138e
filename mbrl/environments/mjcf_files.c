/* The attributes of an XML text are found by a scan, not by a parser: MuJoCo keeps no list of what
 * it opened, and the only question here is whether any of it changed. So the scan may find too much
 * (a directory of another file's compiler element) but not too little; only names written with XML
 * entities (a&amp;b.stl) are not decoded, and so not found. A hash of the compiled model
 * would need no scan, but the compiler's last bits depend on the machine's libm. */
#include "mbrl/environments/mjcf_files.h"

#include "core/buffer.h"
#include "core/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 4 << 20, MOST_NAMES = 1000 };

typedef struct Names {
    char  *items[MOST_NAMES];
    size_t count;
} Names;

typedef struct Scan {
    char *folder; /* of the model */
    Names texts;  /* paths: the model, then what is included */
    Names places; /* directories as written */
    Names assets; /* files as written */
    Names found;  /* paths */
} Scan;

/* ---- names ---------------------------------------------------------------------------------- */

/* takes `name`, which may be NULL for lack of memory; one that is there already is dropped */
static Status add(Names *names, char *name) {
    if (name == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    for (size_t i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0) {
            free(name);
            return STATUS_OK;
        }
    }
    if (names->count == MOST_NAMES) {
        free(name);
        FAIL(STATUS_ERR_RANGE, "a model of more than %d files", MOST_NAMES);
    }
    names->items[names->count++] = name;
    return STATUS_OK;
}

static void clear(Names *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    names->count = 0;
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return strdup(".");
    }
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static char *below(const char *folder, const char *name) {
    return (name[0] == '/') ? strdup(name) : file_join(folder, name);
}

/* adds the path of `name` below `folder` where there is such a file */
static Status add_if_there(Names *names, const char *folder, const char *name) {
    char *path = below(folder, name);
    if (path != NULL && (!file_exists(path) || file_is_folder(path))) {
        free(path);
        return STATUS_OK;
    }
    return add(names, path);
}

/* ---- attributes ----------------------------------------------------------------------------- */

typedef struct Span {
    const char *text;
    size_t      length;
} Span;

typedef struct Attribute {
    Span element;
    Span name;
    Span value;
} Attribute;

static bool is(Span span, const char *word) {
    return span.length == strlen(word) && memcmp(span.text, word, span.length) == 0;
}

static Span word_at(const char *at) {
    return (Span){at, strcspn(at, " \t\r\n=/><")};
}

/* Moves *at to the next element's name; false at the end. Comments are passed over. */
static bool next_element(const char **at) {
    while ((*at = strchr(*at, '<')) != NULL) {
        if (strncmp(*at, "<!--", 4) != 0) {
            (*at)++;
            return true;
        }
        *at = strstr(*at, "-->");
        if (*at == NULL) {
            return false;
        }
    }
    return false;
}

/* The next attribute from *at on; false at the end of the text. `element` stands between calls. */
static bool next_attribute(const char **at, Attribute *out) {
    for (;;) {
        *at += strspn(*at, " \t\r\n/?");
        if (out->element.text == NULL || **at == '>' || **at == '<') {
            if (!next_element(at)) {
                return false;
            }
            *at += (**at == '/') ? 1 : 0;
            out->element = word_at(*at);
            *at += out->element.length;
            continue;
        }
        out->name = word_at(*at);
        *at += out->name.length;
        *at += strspn(*at, " \t\r\n=");
        const char quote = **at;
        if (quote == '\0') {
            return false;
        }
        if (quote != '"' && quote != '\'') {
            *at += (out->name.length == 0) ? 1 : 0; /* not an attribute */
            continue;
        }
        const char *end = strchr(*at + 1, quote);
        if (end == NULL) {
            return false;
        }
        out->value = (Span){*at + 1, (size_t)(end - *at) - 1};
        *at = end + 1;
        return true;
    }
}

/* ---- the scan ------------------------------------------------------------------------------- */

/* `file`, and the sides of a cube texture: fileright, fileleft, ... */
static bool names_a_file(Span attribute) {
    return attribute.length >= 4 && memcmp(attribute.text, "file", 4) == 0;
}

static Status note(Scan *scan, const char *folder, const Attribute *attribute) {
    const bool include = is(attribute->element, "include");
    char      *value = strndup(attribute->value.text, attribute->value.length);
    Status     status = STATUS_OK;
    if (value == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    if (include && is(attribute->name, "file")) {
        status = add_if_there(&scan->texts, scan->folder, value);
        status = (status == STATUS_OK) ? add_if_there(&scan->texts, folder, value) : status;
    } else if (names_a_file(attribute->name)) {
        return add(&scan->assets, value);
    } else if (is(attribute->name, "meshdir") || is(attribute->name, "texturedir") ||
               is(attribute->name, "assetdir")) {
        return add(&scan->places, value);
    }
    free(value);
    return status;
}

/* notes the attributes of one text, which may add further texts */
static Status scan_text(Scan *scan, const char *path, uint64_t *hash) {
    Attribute attribute = {.element = {.text = NULL}};
    Buffer    text;
    char     *folder = folder_of(path);
    if (folder == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    buffer_init(&text, TEXT_BYTES);
    Status      status = file_read(path, &text);
    const char *at = buffer_text(&text);
    *hash = file_hash(buffer_text(&text), text.length);
    while (status == STATUS_OK && next_attribute(&at, &attribute)) {
        status = note(scan, folder, &attribute);
    }
    buffer_reset(&text);
    free(folder);
    return status;
}

/* an asset below one directory, as it is named and without its path (compiler strippath) */
static Status find_below(Scan *scan, const char *place, const char *asset) {
    const char *slash = strrchr(asset, '/');
    char       *folder = below(scan->folder, place);
    if (folder == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    Status status = add_if_there(&scan->found, folder, asset);
    if (status == STATUS_OK && slash != NULL) {
        status = add_if_there(&scan->found, folder, slash + 1);
    }
    free(folder);
    return status;
}

/* beside the model, and below every directory that any of the texts names */
static Status find_asset(Scan *scan, const char *asset) {
    Status status = find_below(scan, ".", asset);
    for (size_t k = 0; k < scan->places.count && status == STATUS_OK; k++) {
        status = find_below(scan, scan->places.items[k], asset);
    }
    return status;
}

/* the contents one after another; only what is named makes a list of it */
static Status hash_all(const Scan *scan, uint64_t own, Buffer *list, uint64_t *out) {
    uint64_t length = 0;
    uint64_t hash = 0;
    buffer_printf(list, "%016" PRIx64 "\n", own);
    for (size_t i = 1; i < scan->texts.count; i++) {
        TRY(file_digest(scan->texts.items[i], &length, &hash));
        buffer_printf(list, "%016" PRIx64 "\n", hash);
    }
    for (size_t i = 0; i < scan->found.count; i++) {
        TRY(file_digest(scan->found.items[i], &length, &hash));
        buffer_printf(list, "%016" PRIx64 "\n", hash);
    }
    TRY(buffer_status(list));
    *out = (scan->texts.count + scan->found.count > 1) ? file_hash(list->data, list->length) : own;
    return STATUS_OK;
}

static Status scan_all(Scan *scan, const char *file, uint64_t *out) {
    uint64_t own = 0;
    uint64_t other = 0;
    Buffer   list;
    scan->folder = folder_of(file);
    if (scan->folder == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    TRY(add(&scan->texts, strdup(file)));
    for (size_t i = 0; i < scan->texts.count; i++) {
        TRY(scan_text(scan, scan->texts.items[i], i == 0 ? &own : &other));
    }
    for (size_t i = 0; i < scan->assets.count; i++) {
        TRY(find_asset(scan, scan->assets.items[i]));
    }
    buffer_init(&list, TEXT_BYTES);
    const Status status = hash_all(scan, own, &list, out);
    buffer_reset(&list);
    return status;
}

Status mjcf_files_hash(const char *file, char hash[MJCF_HASH_SIZE]) {
    uint64_t value = 0;
    Scan    *scan = calloc(1, sizeof *scan);
    if (scan == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the files of a model");
    }
    const Status status = scan_all(scan, file, &value);
    clear(&scan->texts);
    clear(&scan->places);
    clear(&scan->assets);
    clear(&scan->found);
    free(scan->folder);
    free(scan);
    if (status == STATUS_OK) {
        (void)snprintf(hash, MJCF_HASH_SIZE, "%016" PRIx64, value);
    }
    return status;
}
