/* `environment` of a built-in agent: a name, or the definition of one that is built from a user's
 * model. Failures of a definition are found by who builds it, key by key, and get their position
 * here. */
#include "tuner/study_file_parts.h"

#include "core/file.h"
#include "mbrl/environments/mjcf.h"
#include "mbrl/environments/mjcf_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An environment that only this build lacks is told apart from one that does not exist. */
static Status check_unavailable(const Node *node) {
    const char        *name = node_text(node);
    const char *const *lacking = environment_unavailable();

    for (size_t i = 0; name != NULL && lacking != NULL && lacking[i] != NULL; i++) {
        const size_t length = strcspn(lacking[i], ":");
        if (strlen(name) == length && strncmp(lacking[i], name, length) == 0) {
            return node_fail(node, "environment '%s' is not in this build%s", name,
                             lacking[i] + length);
        }
    }
    return STATUS_OK;
}

Status study__file_folder(const Study *study, char **out) {
    TRY(study__copy(study->path, out));
    char *slash = strrchr(*out, '/');
    if (slash != NULL) {
        slash[slash == *out ? 1 : 0] = '\0';
    }
    return STATUS_OK;
}

/* ---- an environment of the user's own ---- */

/* What a failure of the definition is about: the member or element if there is one, else the key's
 * value, else the whole. */
static const Node *blamed(const Node *node, const MjcfProblem *problem) {
    const Node *value = node_get(node, problem->key);
    if (value == NULL) {
        return node;
    }
    const Node *part = node_is_sequence(value)
                           ? node_at(value, (size_t)strtoul(problem->member, NULL, 10))
                           : node_find_key(value, problem->member);
    return (problem->member[0] != '\0' && part != NULL) ? part : value;
}

/* `file` relative to the study file becomes absolute; the model and what it loads leave a hash. */
static Status resolve_file(const Node *node, const Study *study, Json *definition) {
    const char *file = NULL;
    char       *folder = NULL;
    char        hash[MJCF_HASH_SIZE];

    if (node == NULL) {
        return STATUS_OK; /* refused by who reads the definition */
    }
    TRY(node_string(node, "environment.file", &file));
    TRY(study__file_folder(study, &folder));
    char *joined = file[0] == '/' ? strdup(file) : file_join(folder, file);
    free(folder);
    if (joined == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    Status status = mjcf_files_hash(joined, hash);
    status = (status == STATUS_OK) ? json_set(definition, "model_hash", json_new_string(hash))
                                   : node_locate(node);
    if (status == STATUS_OK) {
        status = json_set(definition, "file", json_new_string(joined));
    }
    free(joined);
    return status;
}

static Status build_environment(const Node *node, Study *study) {
    Json       *definition = study->environment_definition;
    MjcfProblem problem;

    TRY(resolve_file(node_get(node, "file"), study, definition));
    if (environment_mjcf_create(definition, &problem, &study->environment) != STATUS_OK) {
        return node_locate(blamed(node, &problem));
    }
    return STATUS_OK;
}

static Status read_definition(const Node *node, Study *study) {
    const char *name = NULL;
    const Node *named = NULL;

    TRY(study__need(node, "name", "name: mjcf", &named));
    TRY(node_string(named, "environment.name", &name));
    if (strcmp(name, "mjcf") != 0) {
        return node_fail(named,
                         "only mjcf is built from a mapping, found '%s'; a built-in "
                         "environment is a name: environment: %s",
                         name, name);
    }
    TRY(check_unavailable(named));
    TRY(node_to_json(node, &study->environment_definition));
    TRY(build_environment(node, study));
    return study__copy(name, &study->environment_name);
}

/* ---- built in ---- */

Status study__read_environment(const Node *root, Study *study) {
    const Node *node = NULL;
    const char *names[STUDY_NAMES_MAX];
    size_t      n = 0;
    size_t      index = 0;

    TRY(study__need(root, "environment", "one of those that mbtune list environments shows",
                    &node));
    if (node_is_mapping(node)) {
        return read_definition(node, study);
    }
    TRY(check_unavailable(node));
    if (node_text(node) != NULL && strcmp(node_text(node), "mjcf") == 0) {
        return node_fail(node, "'mjcf' needs a model: environment: {name: mjcf, file: robot.xml, "
                               "frame_skip: 5, episode_length: 500, observation: [...], "
                               "reward: {...}}");
    }
    for (; n < environment_count() && n < STUDY_NAMES_MAX; n++) {
        names[n] = environment_at(n)->name;
    }
    if (environment_mjcf_help() != NULL && n < STUDY_NAMES_MAX) {
        names[n++] = "mjcf"; /* treated above: only to be among the choices that are named */
    }
    TRY(study__pick(node, "environment", names, n, &index));
    study->environment = environment_at(index);
    return study__copy(study->environment->name, &study->environment_name);
}
