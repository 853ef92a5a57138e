#include "tuner/commands.h"

#include "tuner/cli.h"
#include "tuner/gc.h"
#include "tuner/study_view.h"

#include <stdio.h>

static const CliOption options[] = {
    {"quota", 0, "SIZE", "what may stay (5GiB); default: the study's limits.checkpoints", false},
    {"only-best", 0, NULL, "remove everything but the best and what is pinned", false},
    {"dry-run", 'n', NULL, "say what would go, and leave it", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {
    .name = "gc",
    .arguments = "DIR",
    .help = "Frees the disk of a study that nobody runs: checkpoints that it can do without.",
    .details =
        "What its scheduler cannot ask for again goes; over the quota what it may ask for, worst\n"
        "objective first. What was removed is computed again when it is needed after all. A study\n"
        "that runs collects by itself.",
    .options = options,
    .least = 1,
    .most = 1,
};

static Status say(const GcReport *report, bool dry_run, Buffer *out) {
    buffer_printf(out, "%zu checkpoints %s, ", report->removed,
                  dry_run ? "would be removed" : "removed");
    view_bytes(report->removed_bytes, out);
    buffer_printf(out, "; %zu stay, ", report->kept);
    view_bytes(report->kept_bytes, out);
    buffer_puts(out, "\n");
    return buffer_status(out);
}

static Status collect(const CliArguments *arguments, StudyFolder *folder, Buffer *out) {
    const char *quota = cli_value(arguments, "quota");
    const bool  dry_run = cli_flag(arguments, "dry-run");
    Study      *study = NULL;
    GcReport    report;
    if (!study_folder_begun(folder)) {
        FAIL(STATUS_ERR_IO, "'%s' is no study: it has no study.db", arguments->positional[0]);
    }
    const StudyOverride set = {.path = "limits.checkpoints", .value = quota};
    TRY(study_read(folder->study_file, &set, (quota != NULL) ? 1 : 0, &study));
    Status status = gc_study(study, folder, cli_flag(arguments, "only-best"), dry_run, &report);
    study_destroy(study);
    TRY(status);
    return say(&report, dry_run, out);
}

Status command_gc(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder = {.lock = -1};
    TRY(cli_parse(&command, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&command, out);
        return STATUS_OK;
    }
    TRY(study_folder_init(arguments.positional[0], &folder));
    const Status status = collect(&arguments, &folder, out);
    study_folder_reset(&folder);
    return status;
}
