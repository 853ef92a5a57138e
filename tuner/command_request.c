/* `mbtune enqueue`, `mbtune stop`, `mbtune pin`: commands to a study that may be running. What they
 * ask goes through requests/ (study_request.h), so it is the same whether it runs or not. */
#include "tuner/command_request.h"

#include "core/file.h"
#include "tuner/cli.h"
#include "tuner/commands.h"
#include "tuner/request_check.h"
#include "tuner/study_file.h"
#include "tuner/study_request.h"

#include <stdio.h>
#include <stdlib.h>

/* how long a running coordinator may take to answer: it looks four times a second, but not while a
 * scheduler thinks (s) */
#define ANSWER_SECONDS 20.0

Status request_open(const char *path, StudyFolder *folder) {
    TRY(study_folder_init(path, folder));
    if (!study_folder_begun(folder)) {
        study_folder_reset(folder);
        FAIL(STATUS_ERR_IO, "'%s' is no study: it has no study.db", path);
    }
    const Status status = study_folder_refuse_links(folder);
    if (status != STATUS_OK) {
        study_folder_reset(folder);
    }
    return status;
}

static Status tell(const Json *answer, Buffer *out) {
    const char *text = json_string(json_get(answer, "text"));
    if (!json_bool(json_get(answer, "done"))) {
        FAIL(STATUS_ERR_STATE, "refused: %s", (text == NULL) ? "no reason given" : text);
    }
    buffer_printf(out, "%s\n", (text == NULL) ? "done" : text);
    return buffer_status(out);
}

Status request_look_over(const StudyFolder *folder, const Json *body) {
    return study_folder_is_locked(folder->path) ? STATUS_OK : request_check(folder, body);
}

Status request_outcome(const StudyFolder *folder, const char *name) {
    Json       *answer = NULL;
    StudyAnswer how = STUDY_ANSWER_ENDED;
    Buffer      said;
    TRY(study_request_await(folder, name, 0.0, &answer, &how));
    if (how != STUDY_ANSWER_CAME) {
        return STATUS_OK;
    }
    buffer_init(&said, STUDY_REQUEST_BYTES);
    const Status status = tell(answer, &said);
    buffer_reset(&said);
    json_release(answer);
    return status;
}

Status request_deliver(const StudyFolder *folder, const Json *body, Buffer *out) {
    char        name[STUDY_REQUEST_NAME_BYTES];
    Json       *answer = NULL;
    StudyAnswer how = STUDY_ANSWER_ENDED;
    TRY(request_look_over(folder, body));
    TRY(study_request_put(folder, body, name));
    TRY(study_request_await(folder, name, ANSWER_SECONDS, &answer, &how));
    if (how == STUDY_ANSWER_CAME) {
        const Status status = tell(answer, out);
        json_release(answer);
        return status;
    }
    if (how == STUDY_ANSWER_AWAITED) {
        FAIL(STATUS_ERR_INTERRUPTED,
             "the study has not answered within %g s; the request stays in '%s' and is served when "
             "it looks",
             ANSWER_SECONDS, folder->requests);
    }
    buffer_puts(out, "the study is not running: the request waits for its next run\n");
    return buffer_status(out);
}

/* ---- enqueue -------------------------------------------------------------------------------- */

static const CliOption no_options[] = {{NULL, 0, NULL, NULL, false}};

static const CliCommand enqueue = {
    .name = "enqueue",
    .arguments = "DIR values.json",
    .help = "Has a study try points of yours before its own.",
    .details = "values.json: {\"learning_rate\": 0.01, ...} or a list of such points. What a point "
               "leaves out\nhas its default. All points are checked before any is handed over; a "
               "study that is not\nrunning tries them in its next run.",
    .options = no_options,
    .least = 2,
    .most = 2,
};

static Status read_json(const char *path, Json **out) {
    Buffer text;
    buffer_init(&text, STUDY_REQUEST_BYTES);
    Status status = file_read(path, &text);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, out);
    }
    buffer_reset(&text);
    if (status == STATUS_ERR_PARSE) {
        const ErrorInfo error = *status_last();
        FAIL(status, "%s: %s", path, error.text);
    }
    return status;
}

static Status check_point(const Study *study, const Json *json, double *point, const char *path,
                          size_t number) {
    if (space_from_json(study->space, json, point) == STATUS_OK) {
        return STATUS_OK;
    }
    const ErrorInfo error = *status_last();
    FAIL(error.code, "%s: point %zu: %s", path, number, error.text);
}

/* the point itself, or a list of them */
static Status check_points(const Study *study, const Json *json, const char *path, Json *points) {
    double      *point = calloc(space_count(study->space) + 1, sizeof *point);
    const bool   list = json_is_array(json);
    const size_t count = list ? json_count(json) : 1;
    Status       status = STATUS_OK;
    if (point == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a point");
    }
    if (count == 0) {
        status = FAILURE(STATUS_ERR_PARSE, "%s: the list of points is empty", path);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        status = check_point(study, list ? json_at(json, i) : json, point, path, i + 1);
        if (status == STATUS_OK) {
            status = json_push(points, space_to_json(study->space, point));
        }
    }
    free(point);
    return status;
}

static Status enqueue_points(const StudyFolder *folder, const Study *study, const Json *json,
                             const char *path, Buffer *out) {
    Json  *body = json_new_object();
    Json  *points = json_new_array();
    Status status = json_set(body, "command", json_new_string("enqueue"));
    if (status == STATUS_OK) {
        status = json_set(body, "points", points);
    }
    if (status == STATUS_OK) {
        status = check_points(study, json, path, points);
    }
    if (status == STATUS_OK) {
        status = request_deliver(folder, body, out);
    }
    json_release(body);
    return status;
}

static Status enqueue_file(const StudyFolder *folder, const char *path, Buffer *out) {
    Study *study = NULL;
    Json  *json = NULL;
    TRY(study_read(folder->study_file, NULL, 0, &study));
    Status status = read_json(path, &json);
    if (status == STATUS_OK) {
        status = enqueue_points(folder, study, json, path, out);
    }
    json_release(json);
    study_destroy(study);
    return status;
}

Status command_enqueue(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder;
    TRY(cli_parse(&enqueue, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&enqueue, out);
        return STATUS_OK;
    }
    TRY(request_open(arguments.positional[0], &folder));
    const Status status = enqueue_file(&folder, arguments.positional[1], out);
    study_folder_reset(&folder);
    return status;
}

/* ---- stop and pin --------------------------------------------------------------------------- */

static const CliOption stop_options[] = {
    {"trial", 't', "N", "only this trial: what runs of it is cancelled, and it gets no more",
     false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand stop = {
    .name = "stop",
    .arguments = "DIR",
    .help = "Stops a running study in an orderly way, or one of its trials for good.",
    .details =
        "What runs ends its unit, however long that takes; Ctrl-C or SIGTERM to the run is for "
        "haste.\nA stopped study has exit status 75 and goes on where it was with the same mbtune "
        "run; its\nstate is 'interrupted', and its reason says that a user stopped it.",
    .options = stop_options,
    .least = 1,
    .most = 1,
};

static const CliOption pin_options[] = {
    {"segment", 'n', "N", "the segment whose checkpoint is kept (required)", false},
    {"unpin", 'u', NULL, "let it go again", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand pin = {
    .name = "pin",
    .arguments = "DIR",
    .help = "Keeps the checkpoint of a segment for good.",
    .details = "One that was removed already is computed again.",
    .options = pin_options,
    .least = 1,
    .most = 1,
};

/* {"command": name, key: number} and, where `flag` is not NULL, {flag: true} */
static Status send(const StudyFolder *folder, const char *name, const char *key, int64_t number,
                   const char *flag, Buffer *out) {
    Json  *body = json_new_object();
    Status status = json_set(body, "command", json_new_string(name));
    if (status == STATUS_OK && number >= 0) {
        status = json_set(body, key, json_new_integer(number));
    }
    if (status == STATUS_OK && flag != NULL) {
        status = json_set(body, flag, json_new_bool(true));
    }
    if (status == STATUS_OK) {
        status = request_deliver(folder, body, out);
    }
    json_release(body);
    return status;
}

static Status stop_study(const StudyFolder *folder, int64_t trial, Buffer *out) {
    if (trial < 0 && !study_folder_is_locked(folder->path)) {
        FAIL(STATUS_ERR_STATE, "study '%s' is not running: there is nothing to stop", folder->path);
    }
    return send(folder, "stop", "trial", trial, NULL, out);
}

Status command_stop(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder;
    int64_t      trial = -1;
    TRY(cli_parse(&stop, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&stop, out);
        return STATUS_OK;
    }
    TRY(cli_integer(&arguments, "trial", 0, INT64_MAX, &trial));
    TRY(request_open(arguments.positional[0], &folder));
    const Status status = stop_study(&folder, trial, out);
    study_folder_reset(&folder);
    return status;
}

Status command_pin(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder;
    int64_t      segment = 0;
    TRY(cli_parse(&pin, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&pin, out);
        return STATUS_OK;
    }
    TRY(cli_integer(&arguments, "segment", 1, INT64_MAX, &segment));
    if (segment == 0) {
        FAIL(STATUS_ERR_USAGE, "mbtune pin: --segment N is missing");
    }
    TRY(request_open(arguments.positional[0], &folder));
    const Status status = send(&folder, "pin", "segment", segment,
                               cli_flag(&arguments, "unpin") ? "unpin" : NULL, out);
    study_folder_reset(&folder);
    return status;
}
