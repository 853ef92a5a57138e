#include "tuner/commands.h"

#include "search_spaces/document.h"
#include "tuner/cli.h"
#include "tuner/gc.h"
#include "tuner/study_view.h"

#include <stdio.h>
#include <string.h>

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
        "that runs collects by itself. What is needed to go on stays, also over the quota: the\n"
        "answer says so, with exit code 0.",
    .options = options,
    .least = 1,
    .most = 1,
};

static Status say(const GcReport *report, bool only_best, bool dry_run, Buffer *out) {
    buffer_printf(out, "%zu checkpoints %s, ", report->removed,
                  dry_run ? "would be removed" : "removed");
    view_bytes(report->removed_bytes, out);
    buffer_printf(out, "; %zu stay, ", report->kept);
    view_bytes(report->kept_bytes, out);
    if (report->quota > 0.0 && report->kept_bytes > report->quota) {
        buffer_printf(out, ", because they are %s: ", only_best ? "the best or pinned" : "needed");
        view_bytes(report->kept_bytes - report->quota, out);
        buffer_puts(out, " over the quota of ");
        view_bytes(report->quota, out);
    }
    buffer_puts(out, "\n");
    return buffer_status(out);
}

static Status check_size(const char *quota) {
    Document *document = NULL;
    double    bytes = 0.0;
    Status    status = document_parse("--quota", quota, strlen(quota), &document);
    if (status == STATUS_OK) {
        status = node_bytes(document_root(document), "--quota", &bytes);
        document_close(document);
    }
    if (status == STATUS_OK || status == STATUS_ERR_NOMEM) {
        return status;
    }
    FAIL(STATUS_ERR_USAGE,
         "--quota must be a size such as 512MiB, 2GiB, 20GB or a number of bytes, found '%s'",
         quota);
}

/* The size alone and the file alone first: what is wrong with one is not the other's fault, and
 * nobody gave the --set that a refused override would speak of. */
static Status read_study(const StudyFolder *folder, const char *quota, Study **out) {
    const StudyOverride set = {.path = "limits.checkpoints", .value = quota};
    if (quota != NULL) {
        TRY(check_size(quota));
    }
    TRY(study_read(folder->study_file, NULL, 0, out));
    if (quota == NULL) {
        return STATUS_OK;
    }
    study_destroy(*out);
    return study_read(folder->study_file, &set, 1, out);
}

static Status collect(const CliArguments *arguments, StudyFolder *folder, Buffer *out) {
    const bool only_best = cli_flag(arguments, "only-best");
    const bool dry_run = cli_flag(arguments, "dry-run");
    Study     *study = NULL;
    GcReport   report;
    if (!study_folder_begun(folder)) {
        FAIL(STATUS_ERR_IO, "'%s' is no study: it has no study.db", arguments->positional[0]);
    }
    TRY(read_study(folder, cli_value(arguments, "quota"), &study));
    Status status = gc_study(study, folder, only_best, dry_run, &report);
    study_destroy(study);
    TRY(status);
    return say(&report, only_best, dry_run, out);
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
