#include "tuner/commands.h"

#include "results/report.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"
#include "tuner/table.h"

#include <unistd.h>

static const char *const formats[] = {"table", "json", "csv", NULL};

static const CliOption options[] = {
    {"segments", 's', NULL, "every segment: what was trained, from where, how it ended", false},
    {"trials", 't', NULL, "every trial with its best and last segment", false},
    {"evaluations", 'e', NULL, "every evaluation and what it found", false},
    {"format", 'f', "table|json|csv", "how to print it (default table)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand show = {
    .name = "show",
    .arguments = "DIR",
    .help = "Shows what is known of a study; it may be running meanwhile.",
    .options = options,
    .least = 1,
    .most = 1,
};

/* what fits a terminal; JSON and CSV have everything */
static const char *const segment_columns[] = {
    "id",     "parent",   "trial",     "state",       "outcome",  "reason",
    "begin",  "end",      "objective", "constraints", "diverged", "hyperparameters",
    "worker", "attempts", "failure",   NULL,
};

static Status write_rows(const Json *rows, ViewFormat format, const char *const *columns,
                         Buffer *out) {
    Table table;

    if (format == VIEW_JSON) {
        return view_json(rows, out);
    }
    table_init(&table);
    table.exact = format == VIEW_CSV;
    table_rows(&table, rows, format == VIEW_CSV ? NULL : columns, format == VIEW_CSV);
    const Status status = format == VIEW_CSV ? table_csv(&table, out)
                                             : table_text(&table, cli_style(STDOUT_FILENO), out);
    table_reset(&table);
    return status;
}

/* The summary for people: the best in one line (mbtune best shows it whole), arms as a table. */
static Status write_summary(const Json *summary, Buffer *out) {
    static const char *const apart[] = {"best", "confirmation", NULL};
    const CliStyle           style = cli_style(STDOUT_FILENO);
    const Json              *best = json_get(summary, "best");

    TRY(view_object(summary, apart, style, out));
    if (json_is_object(best)) {
        buffer_printf(out, "best: segment %lld, objective ",
                      (long long)json_integer(json_get(best, "segment")));
        table_value(json_get(best, "objective"), false, out);
        const char *note = json_string(json_get(best, "note"));
        buffer_printf(out, "%s%s%s\n", note == NULL ? "" : " (", note == NULL ? "" : note,
                      note == NULL ? "" : ")");
    }
    return view_confirmation(json_get(summary, "confirmation"), style, out);
}

static Status write_report(Results *results, const CliArguments *arguments, ViewFormat format,
                           Buffer *out) {
    Json  *report = NULL;
    Status status = STATUS_OK;

    if (cli_flag(arguments, "segments")) {
        TRY(report_segments(results, &report));
        status = write_rows(report, format, segment_columns, out);
    } else if (cli_flag(arguments, "trials")) {
        TRY(report_trials(results, &report));
        status = write_rows(report, format, NULL, out);
    } else if (cli_flag(arguments, "evaluations")) {
        TRY(report_evaluations(results, &report));
        status = write_rows(report, format, NULL, out);
    } else {
        TRY(report_summary(results, &report));
        status = view_mend_state(arguments->positional[0], report);
        if (status == STATUS_OK) {
            status = format == VIEW_JSON ? view_json(report, out) : write_summary(report, out);
        }
    }
    json_release(report);
    return status;
}

Status command_show(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    Results     *results = NULL;
    size_t       format = 0;

    TRY(cli_parse(&show, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&show, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    const int rows = cli_flag(&arguments, "segments") + cli_flag(&arguments, "trials") +
                     cli_flag(&arguments, "evaluations");
    if (rows > 1) {
        FAIL(STATUS_ERR_USAGE,
             "mbtune show: only one of --segments, --trials and --evaluations can be shown");
    }
    if (format == VIEW_CSV && rows == 0) {
        FAIL(STATUS_ERR_USAGE,
             "mbtune show: -f csv goes with --segments, --trials or --evaluations");
    }
    TRY(view_open(arguments.positional[0], &results));
    const Status status = write_report(results, &arguments, (ViewFormat)format, out);
    results_close(results);
    return status;
}
