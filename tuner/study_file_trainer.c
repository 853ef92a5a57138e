/* Who is trained and what is tuned: agent or trainer, environment, search space, fixed values. */
#include "tuner/study_file_parts.h"

#include "core/file.h"
#include "mbrl/environments/mjcf.h"
#include "search_spaces/space_read.h"
#include "workers/protocol.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- trainer ---- */

static Status read_agent(const Node *node, Study *study) {
    const char *names[STUDY_NAMES_MAX];
    size_t      n = 0;
    size_t      index = 0;

    for (; n < agent_count() && n < STUDY_NAMES_MAX; n++) {
        names[n] = agent_at(n)->name;
    }
    TRY(study__pick(node, "agent", names, n, &index));
    study->agent = agent_at(index);
    study->can_branch = true;
    study->can_evaluate = true;
    return STATUS_OK;
}

/* Folder of the study file, or the one that a frozen file names. */
static Status read_folder(const Node *node, Study *study) {
    const char *folder = NULL;

    if (node != NULL) {
        TRY(node_string(node, "trainer.folder", &folder));
        return file_absolute(folder, &study->folder);
    }
    return study__file_folder(study, &study->folder);
}

/* any text, for who trains */
static Status read_environment_text(const Node *root, Study *study) {
    const char *environment = "";

    if (node_get(root, "environment") != NULL) {
        TRY(node_string(node_get(root, "environment"), "environment", &environment));
    }
    return study__copy(environment, &study->environment_name);
}

static Status read_command(const Node *root, const Node *node, Study *study) {
    static const char *const keys[] = {"command", "checkpoint", "evaluate", "folder", NULL};
    const char              *hint = "command: [python3, train.py]";
    const Node              *command = NULL;
    const Node              *checkpoint = NULL;
    const Node              *evaluate = NULL;

    study->can_branch = true;
    study->can_evaluate = true;
    if (node_text(node) != NULL && strcmp(node_text(node), "manual") == 0) {
        study->manual = true; /* who trains keeps what a segment ended with */
        study->can_evaluate = false;
        return read_environment_text(root, study);
    }
    TRY(study__mapping(node, "trainer", "{command: [python3, train.py]}, or manual"));
    TRY(node_known_keys(node, "trainer", keys));
    TRY(study__need(node, "command", hint, &command));
    TRY(study__words(command, "trainer.command", &study->command, &study->command_count));
    checkpoint = node_get(node, "checkpoint");
    if (checkpoint != NULL) {
        TRY(node_bool(checkpoint, "trainer.checkpoint", &study->can_branch));
    }
    evaluate = node_get(node, "evaluate");
    if (evaluate != NULL) {
        TRY(node_bool(evaluate, "trainer.evaluate", &study->can_evaluate));
        study->evaluate_said = true;
    }
    TRY(read_folder(node_get(node, "folder"), study));
    return read_environment_text(root, study);
}

static Status read_metrics(const Node *node, Study *study) {
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__words(node, "metrics", &study->metrics, &study->metric_count));
    for (size_t i = 0; study->agent != NULL && i < study->metric_count; i++) {
        const char *names[STUDY_NAMES_MAX];
        size_t      n = 0;
        size_t      index = 0;
        for (; n < STUDY_NAMES_MAX && study->agent->metrics[n].name != NULL; n++) {
            names[n] = study->agent->metrics[n].name;
        }
        TRY(study__pick(node_at(node, i), "metrics", names, n, &index));
    }
    return STATUS_OK;
}

Status study__read_trainer(const Node *root, Study *study) {
    const Node *agent = node_get(root, "agent");
    const Node *trainer = node_get(root, "trainer");

    if (agent != NULL && trainer != NULL) {
        return node_fail(trainer, "'agent' and 'trainer' exclude each other: a study trains a "
                                  "built-in agent or a program of yours");
    }
    if (trainer != NULL) {
        TRY(read_command(root, trainer, study));
    } else {
        TRY(study__need(root, "agent", "agent: pets, or trainer: {command: [...]}", &agent));
        TRY(read_agent(agent, study));
        TRY(study__read_environment(root, study));
    }
    return read_metrics(node_get(root, "metrics"), study);
}

/* ---- fixed values ---- */

/* Members of `fixed` into study->fixed. What the space tunes can only come from a preset (the
 * reader of the space refuses it in the study's own) and is left out. */
static Status add_fixed(const Node *fixed, Study *study) {
    for (size_t i = 0; i < node_count(fixed); i++) {
        const char *key = NULL;
        const Node *node = node_member(fixed, i, &key);
        Json       *value = NULL;
        if (space_find(study->space, key) < space_count(study->space)) {
            continue;
        }
        TRY(node_to_json(node, &value));
        TRY(json_set(study->fixed, key, value));
    }
    return STATUS_OK;
}

/* Values of `fixed` over the agent's defaults; values that the space tunes stay what they were. */
static Status apply_fixed(const Node *fixed, const char *where, Study *study) {
    const OptionSpec *specs = study->agent->options();

    TRY(study__mapping(fixed, where, "{ensemble_size: 5}"));
    return study__options(fixed, where, specs, NULL, study->agent_values);
}

static Status read_preset_fixed(Study *study) {
    const char *text = study->preset == NULL ? NULL : space_preset_text(study->preset);
    Document   *document = NULL;

    if (text == NULL) {
        return STATUS_OK;
    }
    TRY(document_parse(study->preset, text, strlen(text), &document));
    const Node *fixed = node_get(document_root(document), "fixed");
    Status      status = STATUS_OK;
    if (fixed != NULL) {
        status = apply_fixed(fixed, "fixed", study);
        if (status == STATUS_OK) {
            status = add_fixed(fixed, study);
        }
    }
    document_close(document);
    return status;
}

static Status read_fixed(const Node *node, Study *study) {
    study->fixed = json_new_object();
    if (study->fixed == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the fixed values");
    }
    if (study->agent != NULL) {
        const OptionSpec *specs = study->agent->options();
        study->agent_values = calloc(option_count(specs) + 1, sizeof *study->agent_values);
        if (study->agent_values == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for the agent's options");
        }
        option_defaults(specs, study->agent_values);
        TRY(read_preset_fixed(study));
    }
    if (node == NULL) {
        return STATUS_OK;
    }
    TRY(study__mapping(node, "fixed", "{ensemble_size: 5}"));
    if (study->agent != NULL) {
        TRY(apply_fixed(node, "fixed", study));
    }
    return add_fixed(node, study);
}

/* ---- search space ---- */

static Status read_preset(const Node *node, Study *study) {
    const char *const *names = space_presets();
    size_t             n = 0;
    size_t             index = 0;

    if (node == NULL) {
        return STATUS_OK;
    }
    if (study->agent == NULL) {
        return node_fail(node, "'search_space' names ranges of a built-in agent; a trainer of "
                               "yours takes 'hyperparameters'");
    }
    while (names[n] != NULL) {
        n++;
    }
    TRY(study__pick(node, "search_space", names, n, &index));
    return study__copy(names[index], &study->preset);
}

Status study__read_space(const Node *root, Study *study) {
    const Node *hyperparameters = node_get(root, "hyperparameters");
    const Node *forbid = node_get(root, "forbid");

    TRY(read_preset(node_get(root, "search_space"), study));
    if (hyperparameters == NULL && study->preset == NULL) {
        return node_fail(root,
                         "'hyperparameters' is missing; expected what to tune, such as "
                         "hyperparameters: {learning_rate: {type: float, lower: 1e-5, "
                         "upper: 1e-1, log: true}}%s",
                         study->agent == NULL ? "" : ", or search_space: PRESET");
    }
    if (hyperparameters != NULL) {
        TRY(study__mapping(hyperparameters, "hyperparameters",
                           "{learning_rate: {type: float, lower: 1e-5, upper: 1e-1}}"));
    }
    const SpaceSource source = {
        .hyperparameters = hyperparameters,
        .forbid = forbid,
        .fixed = node_get(root, "fixed"),
        .preset = study->preset,
        .options = study->agent == NULL ? NULL : study->agent->options(),
    };
    TRY(space_read_source(&source, &study->space));
    if (space_count(study->space) == 0) {
        return node_fail(root, "the search space is empty; expected at least one hyperparameter");
    }
    if (forbid != NULL) {
        TRY(node_to_json(forbid, &study->forbid));
    }
    TRY(read_fixed(node_get(root, "fixed"), study));
    return study->agent == NULL ? STATUS_OK : study__check_agent(root, study);
}

/* ---- what trainers are given ---- */

/* One active value of a point. */
static Status set_option(const OptionSpec *specs, const SpaceParameter *parameter, double value,
                         double *values) {
    const size_t row = option_find(specs, parameter->name);

    if (row == option_count(specs) || isnan(value)) {
        return STATUS_OK;
    }
    if (parameter->choice_count > 0) {
        /* the space may list the row's choices in another order, or some of them */
        return option_parse(&specs[row], parameter->choices[(size_t)value], &values[row]);
    }
    values[row] = value;
    return STATUS_OK;
}

Status study_agent_options(const Study *study, const double *point, double *values) {
    if (study->agent == NULL) {
        FAIL(STATUS_ERR_ARG, "study '%s' has no built-in agent", study->name);
    }
    const OptionSpec *specs = study->agent->options();
    const size_t      rows = option_count(specs);
    for (size_t i = 0; i < rows; i++) {
        values[i] = study->agent_values[i];
    }
    for (size_t i = 0; point != NULL && i < space_count(study->space); i++) {
        TRY(set_option(specs, space_at(study->space, i), point[i], values));
    }
    return STATUS_OK;
}

static Status metrics_to_json(const Study *study, Json **out) {
    *out = json_new_array();
    for (size_t i = 0; i < study->metric_count; i++) {
        const Status status = json_push(*out, json_new_string(study->metrics[i]));
        if (status != STATUS_OK) {
            json_release(*out);
            *out = NULL;
            return status;
        }
    }
    return STATUS_OK;
}

/* The definition of the environment with what was measured, so that trainers need not. */
static Status complete_definition(const Study *study, Json **out) {
    *out = NULL;
    if (study->environment_definition == NULL) {
        return STATUS_OK;
    }
    TRY(study__json_copy(study->environment_definition, out));
    return environment_mjcf_complete(study->environment, *out);
}

Status study_trainer_hello(const Study *study, Buffer *out) {
    Json *metrics = NULL;
    Json *definition = NULL;

    TRY(metrics_to_json(study, &metrics));
    Status        status = complete_definition(study, &definition);
    const Request request = {
        .kind = REQUEST_HELLO,
        .protocol = PROTOCOL_VERSION,
        .study = study->name,
        .agent = study->agent == NULL ? NULL : study->agent->name,
        .environment = study->environment_name[0] == '\0' ? NULL : study->environment_name,
        .environment_definition = definition,
        .unit = study->budget.unit,
        .fixed = study->fixed,
        .metrics_wanted = metrics,
        .cores = study->resources.cores,
        .gpus = study->resources.gpus,
        .threads = study->resources.threads,
    };
    const size_t start = out->length;
    if (status == STATUS_OK) {
        status = request_write(&request, out);
    }
    json_release(metrics);
    json_release(definition);
    if (status == STATUS_OK) {
        status = buffer_status(out);
    }
    if (status == STATUS_OK && out->length > start && out->data[out->length - 1] == '\n') {
        out->data[--out->length] = '\0';
    }
    return status;
}

/* A word that names a file below the study's folder, made absolute; else the word itself. The first
 * word is left to the search path unless it has a '/'. */
static Status resolve_word(const Study *study, size_t index, char **out) {
    const char *word = study->command[index];

    if (word[0] == '/' || word[0] == '-' || (index == 0 && strchr(word, '/') == NULL)) {
        return study__copy(word, out);
    }
    char *joined = file_join(study->folder, word);
    if (joined == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    const bool   there = file_exists(joined) && !file_is_folder(joined);
    const Status status = there ? file_absolute(joined, out) : study__copy(word, out);
    free(joined);
    return status;
}

Status study_trainer_command(const Study *study, Buffer *out) {
    if (study->command == NULL) {
        buffer_puts(out, "[\"mbtune\",\"train\"]");
        return buffer_status(out);
    }
    Json  *array = json_new_array();
    Status status = STATUS_OK;
    for (size_t i = 0; i < study->command_count && status == STATUS_OK; i++) {
        char *word = NULL;
        status = resolve_word(study, i, &word);
        if (status == STATUS_OK) {
            status = json_push(array, json_new_string(word));
        }
        free(word);
    }
    if (status == STATUS_OK) {
        json_write(array, false, out);
        status = buffer_status(out);
    }
    json_release(array);
    return status;
}
