#include "tuner/commands.h"

#include "results/report.h"
#include "tuner/cli.h"
#include "tuner/study_view.h"
#include "tuner/table.h"

#include <string.h>
#include <unistd.h>

static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand best = {
    .name = "best",
    .arguments = "DIR",
    .help = "Shows the best agent of a study, its hyperparameters and the schedule that made it.",
    .details =
        "Ranked by the confirmed mean where there is one, else by what was evaluated, else by the "
        "objective;\nof several objectives by the first, followed by the front of those "
        "that nothing beats in all.",
    .options = options,
    .least = 1,
    .most = 1,
};

static Status put_section(const char *title, const Json *object, CliStyle style, Buffer *out) {
    if (!json_is_object(object) || json_count(object) == 0) {
        return STATUS_OK;
    }
    buffer_printf(out, "\n%s%s%s\n", style.color ? "\033[1m" : "", title,
                  style.color ? "\033[0m" : "");
    return view_object(object, NULL, style, out);
}

static Status put_schedule(const Json *schedule, CliStyle style, Buffer *out) {
    Table table;

    if (json_count(schedule) == 0) {
        return STATUS_OK;
    }
    buffer_puts(out, "\nschedule\n");
    table_init(&table);
    table_rows(&table, schedule, NULL, false);
    const Status status = table_text(&table, style, out);
    table_reset(&table);
    return status;
}

/* several objectives: what nothing is better than in all of them */
static Status put_front(const Json *front, CliStyle style, Buffer *out) {
    static const char *const keys[] = {"segment",   "trial",           "depth",
                                       "objective", "hyperparameters", NULL};
    Table                    table;

    if (json_count(front) == 0) {
        return STATUS_OK;
    }
    buffer_puts(out, "\nfront\n");
    table_init(&table);
    table_rows(&table, front, keys, false);
    const Status status = table_text(&table, style, out);
    table_reset(&table);
    return status;
}

static void put_line(const char *title, const Json *value, Buffer *out) {
    if (value == NULL || json_is_null(value)) {
        return;
    }
    buffer_printf(out, "%-10s", title);
    table_value(value, false, out);
    buffer_puts(out, "\n");
}

/* "154.2 +- 3.1 over 4 chains": what ranks a configuration that is trained several times */
static void put_repeats(const Json *report, Buffer *out) {
    const int64_t repeats = json_integer(json_get(report, "repeats"));
    const Json   *error = json_get(report, "standard_error");

    if (repeats < 2) {
        return;
    }
    buffer_printf(out, "%-10s%.6g", "mean", json_number(json_get(report, "mean")));
    if (json_is_number(error)) {
        buffer_printf(out, " +- %.2g (standard error)", json_number(error));
    }
    buffer_printf(out, " over %lld chains\n", (long long)repeats);
}

static Status put_best(const Json *report, Buffer *out) {
    const CliStyle style = cli_style(STDOUT_FILENO);

    put_line("segment", json_get(report, "segment"), out);
    put_line("trial", json_get(report, "trial"), out);
    put_line("objective", json_get(report, "objective"), out);
    put_repeats(report, out);
    put_line("note", json_get(report, "note"), out);
    TRY(put_section("hyperparameters", json_get(report, "hyperparameters"), style, out));
    TRY(put_schedule(json_get(report, "schedule"), style, out));
    TRY(put_section("constraints", json_get(report, "constraints"), style, out));
    TRY(put_section("evaluated", json_get(report, "evaluated"), style, out));
    TRY(view_confirmed(json_get(report, "confirmed"), out));
    return put_front(json_get(report, "front"), style, out);
}

Status command_best(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    Results     *results = NULL;
    Json        *report = NULL;
    size_t       format = 0;

    TRY(cli_parse(&best, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&best, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    TRY(view_open(arguments.positional[0], &results));
    Status status = report_best(results, &report);
    results_close(results);
    if (status == STATUS_OK) {
        status = format == VIEW_JSON ? view_json(report, out) : put_best(report, out);
    }
    json_release(report);
    return status;
}
