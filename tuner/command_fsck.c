#include "tuner/commands.h"

#include "tuner/cli.h"
#include "tuner/fsck.h"
#include "tuner/study_folder.h"

#include <unistd.h>

static const CliOption options[] = {
    {"repair", 'r', NULL, "mend what a crash or a backup leaves", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand fsck = {
    .name = "fsck",
    .arguments = "DIR",
    .help = "Checks a study's directory: study file, database, lineage, every checkpoint.",
    .details =
        "--repair mends rows left running, missing and damaged checkpoints (computed again when\n"
        "they are needed), checkpoints of nobody, damaged indexes, a left-over write-ahead log.\n"
        "Anything else is reported and left alone, and while rows are wrong the checkpoints of\n"
        "nobody too. Exit code 0 where nothing is wrong any more, 1 where something is.",
    .options = options,
    .least = 1,
    .most = 1,
};

static Status check(const StudyFolder *folder, bool repair, Buffer *out) {
    FsckReport   report;
    const Status status = fsck_study(folder, repair, out, &report);

    if (status != STATUS_OK) { /* what was found before is said all the same */
        TRY(cli_write(STDOUT_FILENO, buffer_text(out), out->length));
        buffer_clear(out);
        return status;
    }
    buffer_printf(out, "%zu checkpoints (%.1f MB) read, ", report.checkpoints, report.bytes / 1e6);
    const size_t left = repair ? report.found - report.mended : report.found;
    const char  *many = (report.found == 1) ? "" : "s";
    if (report.found == 0) {
        buffer_puts(out, "nothing is wrong\n");
    } else if (repair) {
        buffer_printf(out, "%zu finding%s, %zu mended\n", report.found, many, report.mended);
    } else if (report.again) {
        buffer_printf(out, "%zu finding%s; --repair makes indexes anew and looks again\n",
                      report.found, many);
    } else {
        buffer_printf(out, "%zu finding%s, --repair mends %zu\n", report.found, many,
                      report.mended);
    }
    TRY(buffer_status(out));
    if (left > 0) {
        TRY(cli_write(STDOUT_FILENO, buffer_text(out), out->length));
        buffer_clear(out);
        FAIL(STATUS_ERR_CORRUPT, "study '%s' is not whole: %zu finding%s", folder->path, left,
             left == 1 ? "" : "s");
    }
    return STATUS_OK;
}

Status command_fsck(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    StudyFolder  folder = {.lock = -1};

    TRY(cli_parse(&fsck, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&fsck, out);
        return STATUS_OK;
    }
    TRY(study_folder_init(arguments.positional[0], &folder));
    Status status =
        study_folder_begun(&folder)
            ? study_folder_lock(&folder, 0.0)
            : FAILURE(STATUS_ERR_IO, "'%s' is no study: there is no study.db in it", folder.path);
    if (status == STATUS_OK) {
        status = check(&folder, cli_flag(&arguments, "repair"), out);
    }
    study_folder_reset(&folder);
    return status;
}
