#include "tuner/study_file.h"

#include "core/file.h"
#include "mbrl/environments/mjcf.h"
#include "tuner/study_file_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const top_keys[] = {
    "name",         "agent",           "trainer",   "environment", "objective",
    "constraints",  "budget",          "repeats",   "baseline",    "scheduler",
    "confirm",      "evaluate",        "resources", "limits",      "workers",
    "search_space", "hyperparameters", "forbid",    "fixed",       "seed",
    "metrics",      "allow_diverged",  "cost",      "stop",        "warm_start",
    NULL,
};

/* ---- life ---- */

void study_destroy(Study *study) {
    if (study == NULL) {
        return;
    }
    for (size_t i = 0; i < study->command_count; i++) {
        free(study->command[i]);
    }
    for (size_t i = 0; i < study->metric_count; i++) {
        free(study->metrics[i]);
    }
    free(study->metrics);
    for (size_t i = 0; i < study->objective_count; i++) {
        free(study->objectives[i].metric);
    }
    for (size_t i = 0; i < study->constraint_count; i++) {
        free(study->constraints[i].metric);
    }
    for (size_t i = 0; i < study->warm_start_count; i++) {
        free(study->warm_start[i]);
    }
    free(study->warm_start);
    free(study->cost);
    free(study->command);
    free(study->name);
    free(study->path);
    free(study->text);
    free(study->environment_name);
    if (study->environment_definition != NULL) {
        environment_mjcf_destroy(study->environment);
    }
    json_release(study->environment_definition);
    free(study->folder);
    free(study->budget.unit);
    free(study->scheduler_values);
    free(study->preset);
    free(study->agent_values);
    free(study->irreproducible);
    free(study->notes);
    free(study->refused);
    space_destroy(study->space);
    json_release(study->forbid);
    json_release(study->fixed);
    free(study);
}

/* ---- reading ---- */

/* A name is a folder, a row and part of file names: letters, digits, '.', '_', '-'. */
static bool name_is_good(const char *name) {
    const size_t length = strlen(name);
    const char  *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return length > 0 && length < STUDY_NAME_BYTES && strspn(name, allowed) == length &&
           name[0] != '.' && name[0] != '-';
}

static Status read_name(const Node *root, Study *study) {
    const Node *node = NULL;
    const char *name = NULL;

    TRY(study__need(root, "name", "a word such as name: my-study", &node));
    TRY(node_string(node, "name", &name));
    if (!name_is_good(name)) {
        return node_fail(node,
                         "'name' must be 1 to %d letters, digits, '.', '_' or '-' and begin with "
                         "none of '.' and '-', found '%s'",
                         STUDY_NAME_BYTES - 1, name);
    }
    return study__copy(name, &study->name);
}

static Status read_seed(const Node *root, Study *study) {
    int64_t seed = 1;

    TRY(study__integer(node_get(root, "seed"), "seed", 0, STUDY_MAX_SEED, &seed));
    study->seed = (uint64_t)seed;
    return STATUS_OK;
}

static Status read_keys(const Node *root, const char *path, Study *study) {
    if (root == NULL) {
        FAIL(STATUS_ERR_PARSE, "%s:1:1: the file is empty; a study file begins with name:", path);
    }
    TRY(study__mapping(root, "study file", "name: my-study"));
    TRY(node_known_keys(root, "the study file", top_keys));
    TRY(read_name(root, study));
    TRY(read_seed(root, study));
    TRY(study__read_trainer(root, study));
    TRY(study__read_space(root, study));
    TRY(study__read_objectives(root, study));
    TRY(study__read_plan(root, study));
    TRY(study__read_rest(root, study));
    return study__judge(study);
}

void study_hash(const char *text, size_t length, char hash[STUDY_HASH_BYTES]) {
    (void)snprintf(hash, STUDY_HASH_BYTES, "%016" PRIx64, file_hash(text, length));
}

static Status read_document(const char *path, const char *text, Study *study) {
    Document *document = NULL;

    TRY(study__copy(text, &study->text));
    study_hash(text, strlen(text), study->hash);
    TRY(document_parse(path, text, strlen(text), &document));
    const Status status = read_keys(document_root(document), path, study);
    document_close(document);
    return status;
}

/* Fills `study` from the text with its overrides. */
static Status read_effective(const char *path, const char *text, const StudyOverride *sets,
                             size_t n, Study *study) {
    Buffer effective;

    TRY(file_absolute(path, &study->path));
    buffer_init(&effective, STUDY_TEXT_BYTES);
    Status status = study__override(path, text, sets, n, &effective);
    if (status == STATUS_OK) {
        status = read_document(path, buffer_text(&effective), study);
    }
    buffer_reset(&effective);
    return status;
}

/* Where the file alone is good the override is to blame: says so before the message. */
static Status blame_override(Status status, const char *path, const char *text,
                             const StudyOverride *sets, size_t n) {
    const ErrorInfo error = *status_last();
    Study          *alone = NULL;

    if (n == 0 || status == STATUS_ERR_NOMEM || status == STATUS_ERR_USAGE) {
        return status;
    }
    const bool good = study_parse(path, text, NULL, 0, &alone) == STATUS_OK;
    study_destroy(alone);
    return status_fail(status, error.native, error.file, error.line, error.func, "%s%s%s%s%s%s",
                       good ? "with --set " : "", good ? sets[n - 1].path : "", good ? "=" : "",
                       good ? sets[n - 1].value : "", good ? ": " : "", error.text);
}

Status study_parse(const char *path, const char *text, const StudyOverride *sets, size_t n,
                   Study **out) {
    Study *study = NULL;

    *out = NULL;
    study = calloc(1, sizeof *study);
    if (study == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a study");
    }
    const Status status = read_effective(path, text, sets, n, study);
    if (status != STATUS_OK) {
        study_destroy(study);
        return blame_override(status, path, text, sets, n);
    }
    *out = study;
    return STATUS_OK;
}

Status study_read(const char *path, const StudyOverride *sets, size_t n, Study **out) {
    Buffer text;

    *out = NULL;
    buffer_init(&text, STUDY_TEXT_BYTES);
    Status status = file_read(path, &text);
    if (status == STATUS_OK && text.length > 0 && memchr(text.data, '\0', text.length) != NULL) {
        status = FAILURE(STATUS_ERR_PARSE, "%s: a study file is text, found a NUL byte", path);
    }
    if (status == STATUS_OK) {
        status = study_parse(path, buffer_text(&text), sets, n, out);
    }
    buffer_reset(&text);
    return status;
}

Status study_check_new(const Study *study) {
    if (study->refused != NULL) {
        FAIL(STATUS_ERR_PARSE, "%s", study->refused);
    }
    return STATUS_OK;
}

/* ---- helpers of the readers ---- */

Status study__copy(const char *text, char **out) {
    const size_t size = strlen(text) + 1;
    char        *copy = malloc(size);

    if (copy == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a text of %zu bytes", size);
    }
    memcpy(copy, text, size);
    *out = copy;
    return STATUS_OK;
}

Status study__need(const Node *mapping, const char *key, const char *hint, const Node **out) {
    const Node *node = node_get(mapping, key);

    if (node == NULL) {
        return node_fail(mapping, "'%s' is missing; expected %s", key, hint);
    }
    *out = node;
    return STATUS_OK;
}

Status study__mapping(const Node *node, const char *what, const char *hint) {
    if (!node_is_mapping(node)) {
        const char *text = node_text(node);
        return node_fail(node, "'%s' must be a mapping such as %s, found %s%s%s", what, hint,
                         text == NULL ? "a list" : "'", text == NULL ? "" : text,
                         text == NULL ? "" : "'");
    }
    return STATUS_OK;
}

Status study__integer(const Node *node, const char *what, int64_t lower, int64_t upper,
                      int64_t *out) {
    int64_t value = 0;

    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(node_integer(node, what, &value));
    if (value < lower || value > upper) {
        return node_fail(
            node, "'%s' must be a whole number from %" PRId64 " to %" PRId64 ", found %" PRId64,
            what, lower, upper, value);
    }
    *out = value;
    return STATUS_OK;
}

static Status fail_pick(const Node *node, const char *what, const char *found,
                        const char *const *names, size_t count) {
    const char *near = option_nearest(found, names, count);
    Buffer      list;

    buffer_init(&list, STATUS_TEXT_SIZE);
    for (size_t i = 0; i < count; i++) {
        buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    }
    const Status status =
        near == NULL
            ? node_fail(node, "'%s' must be one of %s; found '%s'", what, buffer_text(&list), found)
            : node_fail(node, "'%s' must be one of %s; found '%s', did you mean '%s'?", what,
                        buffer_text(&list), found, near);
    buffer_reset(&list);
    return status;
}

Status study__pick(const Node *node, const char *what, const char *const *names, size_t count,
                   size_t *out) {
    const char *found = NULL;

    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(node_string(node, what, &found));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], found) == 0) {
            *out = i;
            return STATUS_OK;
        }
    }
    return fail_pick(node, what, found, names, count);
}

static Status read_list(const Node *node, const OptionSpec *spec, double *values) {
    double       elements[STUDY_LIST_MAX];
    const size_t count = node_count(node);

    for (size_t i = 0; i < count && i < STUDY_LIST_MAX; i++) {
        TRY(node_number(node_at(node, i), spec->name, &elements[i]));
    }
    return option_list(spec, elements, count, values) == STATUS_OK ? STATUS_OK : node_locate(node);
}

/* Value of one option, or those of a list; the row's own message gets the position. */
static Status read_option(const Node *node, const OptionSpec *spec, double *value) {
    const char *text = node_text(node);

    if (spec->type == OPTION_LIST && node_is_sequence(node)) {
        return read_list(node, spec, value);
    }
    if (text == NULL && spec->type != OPTION_LIST) {
        return node_fail(node, "'%s' must be one value, found a list or a mapping", spec->name);
    }
    return option_parse(spec, text == NULL ? "" : text, value) == STATUS_OK ? STATUS_OK
                                                                            : node_locate(node);
}

/* The member's value into its row; keys that are no option were let through on purpose. */
static Status read_member(const Node *mapping, size_t index, const OptionSpec *specs,
                          double *values) {
    const char  *key = NULL;
    const Node  *node = node_member(mapping, index, &key);
    const size_t row = option_find(specs, key);

    return row < option_count(specs) ? read_option(node, &specs[row], &values[row]) : STATUS_OK;
}

Status study__options(const Node *mapping, const char *where, const OptionSpec *specs,
                      const char *skip, double *values) {
    const char  *keys[STUDY_NAMES_MAX];
    const size_t rows = option_count(specs);
    size_t       n = 0;

    for (size_t i = 0; i < rows && n + 2 < STUDY_NAMES_MAX; i++) {
        keys[n++] = specs[i].name;
    }
    if (skip != NULL) {
        keys[n++] = skip;
    }
    keys[n] = NULL;
    TRY(node_known_keys(mapping, where, keys));
    for (size_t i = 0; i < node_count(mapping); i++) {
        TRY(read_member(mapping, i, specs, values));
    }
    return STATUS_OK;
}

Status study__words(const Node *node, const char *what, char ***out, size_t *count) {
    const size_t n = node_count(node);

    if (!node_is_sequence(node) || n == 0) {
        return node_fail(node, "'%s' must be a list of words such as [python3, train.py]", what);
    }
    /* in place at once, so that the owner frees what was read before a failure */
    *out = calloc(n + 1, sizeof **out);
    if (*out == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu words", n);
    }
    for (size_t i = 0; i < n; i++) {
        const char *word = NULL;
        TRY(node_string(node_at(node, i), what, &word));
        TRY(study__copy(word, &(*out)[i]));
        *count = i + 1;
    }
    return STATUS_OK;
}

Status study_override_parse(const char *text, char *memory, size_t size, StudyOverride *out) {
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || equals[1] == '\0') {
        FAIL(STATUS_ERR_USAGE, "--set takes KEY=VALUE such as scheduler.eta=3, found '%s'", text);
    }
    const size_t length = (size_t)(equals - text);
    if (length >= size) {
        FAIL(STATUS_ERR_USAGE, "--set: the key '%.40s...' is too long", text);
    }
    memcpy(memory, text, length);
    memory[length] = '\0';
    *out = (StudyOverride){.path = memory, .value = equals + 1};
    return STATUS_OK;
}
