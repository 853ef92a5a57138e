/* `mbtune ask` and `mbtune tell`: a study whose trainer is a person. */
#include "tuner/cli.h"
#include "tuner/command_request.h"
#include "tuner/commands.h"
#include "tuner/manual.h"
#include "tuner/study_view.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRIC_BYTES = 64, TELL_WORDS = 32 };

static const CliOption ask_options[] = {
    {"count", 'n', "K", "how many segments (default 1)", false},
    {"open", 'o', NULL, "those that were handed out and not told yet, again", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand ask = {
    .name = "ask",
    .arguments = "DIR",
    .help = "Hands out what to train next in a study with trainer: manual, as JSON.",
    .details =
        "Each segment: id, parent (the segment whose agent goes on; null = a fresh one), begin "
        "and\nend in budget units, hyperparameters. Exit status 75: nothing to do before "
        "results are told.",
    .options = ask_options,
    .least = 1,
    .most = 1,
};

static const CliOption tell_options[] = {
    {"segment", 'n', "N", "the segment that was trained (required)", false},
    {"failed", 'x', "REASON", "it gave no result, and will not", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand tell = {
    .name = "tell",
    .arguments = "DIR [VALUE | METRIC=VALUE ...]",
    .help = "Takes the result of a segment that mbtune ask handed out.",
    .details =
        "VALUE alone is the objective's. Every objective must be told; constraints, the cost and "
        "any\nother metric may be.",
    .options = tell_options,
    .least = 1,
    .most = CLI_MAX_POSITIONAL,
};

static Status open_study(const char *path, StudyFolder *folder, Study **study) {
    TRY(request_open(path, folder));
    const Status status = study_read(folder->study_file, NULL, 0, study);
    if (status != STATUS_OK) {
        study_folder_reset(folder);
    }
    return status;
}

/* ---- ask ------------------------------------------------------------------------------------ */

static Status report_waiting(const Json *answer) {
    const char *state = json_string(json_get(answer, "state"));
    if (state == NULL || strcmp(state, "waiting") != 0) {
        return STATUS_OK;
    }
    FAIL(STATUS_ERR_INTERRUPTED,
         "nothing to train before results are told (mbtune ask --open shows "
         "what was handed out)");
}

Status command_ask(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder;
    Study       *study = NULL;
    Json        *answer = NULL;
    int64_t      count = 1;
    TRY(cli_parse(&ask, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&ask, out);
        return STATUS_OK;
    }
    TRY(cli_integer(&arguments, "count", 1, 1000000, &count));
    TRY(open_study(arguments.positional[0], &folder, &study));
    const bool again = cli_flag(&arguments, "open");
    Status     status = manual_ask(study, &folder, count, again, &answer);
    if (status == STATUS_OK) {
        status = view_json(answer, out);
    }
    if (status == STATUS_OK && !again) {
        status = report_waiting(answer);
    }
    json_release(answer);
    study_destroy(study);
    study_folder_reset(&folder);
    return status;
}

/* ---- tell ----------------------------------------------------------------------------------- */

static Status read_number(const char *text, double *out) {
    char *end = NULL;
    *out = strtod(text, &end);
    if (*text == '\0' || *end != '\0') {
        FAIL(STATUS_ERR_USAGE, "mbtune tell: a number is expected, found '%s'", text);
    }
    return STATUS_OK;
}

/* VALUE or METRIC=VALUE; `name` keeps the metric's */
static Status read_value(const Study *study, const char *word, char name[METRIC_BYTES],
                         ManualValue *out) {
    const char *equals = strchr(word, '=');
    word += (equals == word) ? 1 : 0; /* see shield_negative() */
    if (equals == NULL || equals + 1 == word) {
        if (study->objective_count > 1) {
            FAIL(STATUS_ERR_USAGE,
                 "mbtune tell: the study has %zu objectives, so each needs its name: "
                 "%s=%s",
                 study->objective_count, study->objectives[0].metric, word);
        }
        out->metric = study->objectives[0].metric;
        return read_number(word, &out->value);
    }
    const size_t length = (size_t)(equals - word);
    if (length == 0 || length >= METRIC_BYTES) {
        FAIL(STATUS_ERR_USAGE, "mbtune tell: METRIC=VALUE is expected, found '%s'", word);
    }
    memcpy(name, word, length);
    name[length] = '\0';
    out->metric = name;
    return read_number(equals + 1, &out->value);
}

static Status tell_result(const CliArguments *arguments, const Study *study, StudyFolder *folder,
                          Buffer *out) {
    char         names[CLI_MAX_POSITIONAL][METRIC_BYTES];
    ManualResult result = {.failed = cli_value(arguments, "failed")};
    TRY(cli_integer(arguments, "segment", 1, INT64_MAX, &result.segment));
    for (size_t i = 1; i < arguments->positional_count; i++) {
        TRY(read_value(study, arguments->positional[i], names[i], &result.values[result.count]));
        result.count++;
    }
    if (result.segment == 0 || (result.count > 0) == (result.failed != NULL)) {
        FAIL(STATUS_ERR_USAGE, "mbtune tell: %s",
             (result.segment == 0) ? "--segment N is missing"
                                   : "either values or --failed REASON are expected");
    }
    return manual_tell(study, folder, &result, out);
}

/* -3.5 is a value here and no option: as "=-3.5" nothing takes it for one */
static Status shield_negative(int argc, char **argv, char words[TELL_WORDS][METRIC_BYTES],
                              char *out[TELL_WORDS + 1]) {
    if (argc > TELL_WORDS) {
        FAIL(STATUS_ERR_USAGE, "mbtune tell: more than %d words", (int)TELL_WORDS);
    }
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        out[i] = argv[i];
        if (word[0] == '-' && (isdigit((unsigned char)word[1]) || word[1] == '.') &&
            strlen(word) + 2 < METRIC_BYTES) {
            (void)snprintf(words[i], METRIC_BYTES, "=%s", word);
            out[i] = words[i];
        }
    }
    out[argc] = NULL;
    return STATUS_OK;
}

Status command_tell(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder;
    Study       *study = NULL;
    char         words[TELL_WORDS][METRIC_BYTES];
    char        *shielded[TELL_WORDS + 1];
    TRY(shield_negative(argc, argv, words, shielded));
    TRY(cli_parse(&tell, argc, shielded, &arguments));
    if (arguments.help) {
        cli_help(&tell, out);
        return STATUS_OK;
    }
    TRY(open_study(arguments.positional[0], &folder, &study));
    const Status status = tell_result(&arguments, study, &folder, out);
    study_destroy(study);
    study_folder_reset(&folder);
    return status;
}
