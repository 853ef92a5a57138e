#include "tuner/commands.h"

#include "core/file.h"
#include "results/report.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"

#include <stdlib.h>
#include <string.h>

enum { EXPORT_BYTES = 1 << 28 };

static const char *const whats[] = {"schedule", NULL};
static const char *const formats[] = {"json", "yaml", NULL};

static const CliOption options[] = {
    {"what", 'w', "schedule", "what to export (default schedule)", false},
    {"segment", 's', "N", "the schedule that led to segment N (default: the best one)", false},
    {"format", 'f', "json|yaml", "file format (default: by the file's name, else json)", false},
    {"output", 'o', "FILE", "file to write (default: standard output)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {
    .name = "export",
    .arguments = "DIR",
    .help = "Writes a schedule of hyperparameters: {begin, end, values, seed} per stretch.",
    .options = options,
    .least = 1,
    .most = 1,
};

static Status choose_segment(Results *results, const CliArguments *arguments, int64_t *segment) {
    Json *best = NULL;

    *segment = 0;
    TRY(cli_integer(arguments, "segment", 1, INT64_MAX, segment));
    if (*segment > 0) {
        return STATUS_OK;
    }
    TRY(report_best(results, &best));
    *segment = json_integer(json_get(best, "segment"));
    json_release(best);
    return STATUS_OK;
}

static Status write_schedule(Results *results, const CliArguments *arguments, bool yaml,
                             Buffer *out) {
    int64_t segment = 0;
    Json   *schedule = NULL;

    TRY(choose_segment(results, arguments, &segment));
    TRY(report_schedule(results, segment, &schedule));
    const Status status = yaml ? view_yaml(schedule, out) : view_json(schedule, out);
    json_release(schedule);
    return status;
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static Status export_to(const char *file, const char *folder, const CliArguments *arguments,
                        bool yaml, Buffer *out) {
    Results *results = NULL;
    Buffer   text;

    TRY(view_open(folder, &results));
    buffer_init(&text, EXPORT_BYTES);
    Status status = write_schedule(results, arguments, yaml, &text);
    results_close(results);
    if (status == STATUS_OK && file != NULL) {
        status = file_write_atomic(file, text.data, text.length);
    } else if (status == STATUS_OK) {
        buffer_append(out, text.data, text.length);
        status = buffer_status(out);
    }
    buffer_reset(&text);
    return status;
}

Status command_export(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    size_t       what = 0;
    size_t       format = 0;

    TRY(cli_parse(&command, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&command, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "what", whats, &what));
    TRY(cli_choice(&arguments, "format", formats, &format));
    const char *file = cli_value(&arguments, "output");
    bool        yaml = format == 1;
    if (file != NULL && cli_value(&arguments, "format") == NULL) {
        yaml = ends_with(file, ".yaml") || ends_with(file, ".yml");
    }
    return export_to(file, arguments.positional[0], &arguments, yaml, out);
}
