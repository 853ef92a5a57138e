#include "tuner/commands.h"

#include "core/file.h"
#include "results/report.h"
#include "schedulers/curve_table.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXPORT_BYTES = 1 << 28, TOLD_BYTES = 1024 };

enum { WHAT_SCHEDULE, WHAT_CURVES };
enum { FORMAT_JSON, FORMAT_YAML, FORMAT_CSV };

static const char *const whats[] = {"schedule", "curves", NULL};
static const char *const formats[] = {"json", "yaml", "csv", NULL};

static const CliOption options[] = {
    {"what", 'w', "schedule|curves",
     "a schedule (default), or every learning curve for simulate --table", false},
    {"segment", 's', "N", "the schedule that led to segment N (default: the best one)", false},
    {"format", 'f', "json|yaml|csv",
     "of a schedule json or yaml (default: by the file's name, else json); of curves csv", false},
    {"output", 'o', "FILE", "file to write (default: standard output)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {
    .name = "export",
    .arguments = "DIR",
    .help = "Writes a schedule of hyperparameters ({begin, end, values, seed} per stretch), or "
            "learning\n"
            "curves as a table.",
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

/* Stopped early, or ended by a failure: whoever compares configurations by the table must know. */
static Status tell_curves(const ReportCurves *curves) {
    Buffer text;
    buffer_init(&text, TOLD_BYTES);
    buffer_printf(&text, "%zu of %zu curve%s reach%s per_trial (%" PRId64 " %s%s)",
                  curves->complete, curves->curves, (curves->curves == 1) ? "" : "s",
                  (curves->complete == 1) ? "es" : "", curves->per_trial, curves->unit,
                  (curves->per_trial == 1) ? "" : "s");
    const char *before = "; ";
    if (curves->failed > 0) {
        buffer_printf(&text, "; %zu chain%s ended in a crash or another failure", curves->failed,
                      (curves->failed == 1) ? "" : "s");
        before = " and ";
    }
    if (curves->diverged > 0) {
        buffer_printf(&text, "%s%zu%s in divergence", before, curves->diverged,
                      (curves->failed > 0)      ? ""
                      : (curves->diverged == 1) ? " chain ended"
                                                : " chains ended");
    }
    buffer_puts(&text, "\n");
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = cli_write(STDERR_FILENO, buffer_text(&text), text.length);
    }
    buffer_reset(&text);
    return status;
}

/* Curves of chains whose values changed would be those of no configuration. */
static Status write_curves(Results *results, Buffer *out) {
    _Static_assert((int)REPORT_CURVE_COLUMNS == (int)CURVE_TABLE_COLUMNS,
                   "what is written must be what is read");
    ReportCurves curves;
    TRY(report_curves(results, out, &curves));
    if (curves.rows == 0) {
        FAIL(STATUS_ERR_STATE, "no chain of this study was trained with the same values from its "
                               "beginning on: there is no curve to export");
    }
    return tell_curves(&curves);
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static Status export_to(const char *file, const char *folder, const CliArguments *arguments,
                        size_t format, Buffer *out) {
    Results *results = NULL;
    Buffer   text;

    TRY(view_open(folder, &results));
    buffer_init(&text, EXPORT_BYTES);
    Status status = (format == FORMAT_CSV)
                        ? write_curves(results, &text)
                        : write_schedule(results, arguments, format == FORMAT_YAML, &text);
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

/* a schedule's format may come from the name of its file; curves have but one */
static Status choose_format(const CliArguments *arguments, size_t what, size_t *format) {
    const char *file = cli_value(arguments, "output");
    const bool  said = cli_value(arguments, "format") != NULL;

    TRY(cli_choice(arguments, "format", formats, format));
    if (what == WHAT_CURVES) {
        if ((said && *format != FORMAT_CSV) || cli_value(arguments, "segment") != NULL) {
            FAIL(STATUS_ERR_USAGE, "mbtune export: curves are all of a study's, as csv: no "
                                   "--segment, no other --format");
        }
        *format = FORMAT_CSV;
        return STATUS_OK;
    }
    if (*format == FORMAT_CSV) {
        FAIL(STATUS_ERR_USAGE, "mbtune export: a schedule is written as json or yaml");
    }
    if (file != NULL && !said && (ends_with(file, ".yaml") || ends_with(file, ".yml"))) {
        *format = FORMAT_YAML;
    }
    return STATUS_OK;
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
    TRY(choose_format(&arguments, what, &format));
    return export_to(cli_value(&arguments, "output"), arguments.positional[0], &arguments, format,
                     out);
}
