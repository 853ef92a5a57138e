/* Where a study stands, quickly: asked again and again of studies that run for days. */
#include "tuner/commands.h"

#include "results/report.h"
#include "tuner/cli.h"
#include "tuner/study_folder.h"
#include "tuner/study_view.h"
#include "tuner/table.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { HOLDER_BYTES = 512, TIME_BYTES = 32 };

static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand status_command = {
    .name = "status",
    .arguments = "DIR",
    .help = "Says in a second where a study stands, who runs it, and what it takes of the disk.",
    .options = options,
    .least = 1,
    .most = 1,
};

/* ---- what the folder says -------------------------------------------------------------------- */

/* s since 1970, as the other times of reports are written */
static Json *time_json(double at) {
    char         text[TIME_BYTES] = "";
    struct tm    parts;
    const time_t whole = (time_t)at;
    if (gmtime_r(&whole, &parts) != NULL) {
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    return json_new_string(text);
}

static Status coordinator_set(const char *folder, Json *report) {
    char   holder[HOLDER_BYTES] = "";
    double since = 0.0;
    Json  *coordinator = json_new_object();
    TRY(json_set(report, "coordinator", coordinator));
    const bool alive = study_folder_holder(folder, holder, sizeof holder, &since);
    TRY(json_set(coordinator, "alive", json_new_bool(alive)));
    TRY(json_set(coordinator, "holder", alive ? json_new_string(holder) : json_new_null()));
    return json_set(coordinator, "since", alive ? time_json(since) : json_new_null());
}

/* bytes of the files of a folder; what vanishes meanwhile, or cannot be read, counts nothing */
static int64_t folder_bytes(const char *path) {
    DIR                 *entries = opendir(path);
    const struct dirent *entry = NULL;
    int64_t              bytes = 0;
    if (entries == NULL) {
        return 0;
    }
    while ((entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        struct stat found;
        if (fstatat(dirfd(entries), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(found.st_mode)) {
            bytes += (int64_t)found.st_size;
        }
    }
    (void)closedir(entries);
    return bytes;
}

static Status disk_fill(const StudyFolder *folder, Json *report) {
    Json *disk = json_new_object();
    TRY(json_set(report, "disk", disk));
    /* the folder itself holds the database, its log of writes, and little else */
    TRY(json_set(disk, "database", json_new_integer(folder_bytes(folder->path))));
    return json_set(disk, "logs", json_new_integer(folder_bytes(folder->logs)));
}

static Status disk_set(const char *path, Json *report) {
    StudyFolder folder;
    TRY(study_folder_init(path, &folder));
    const Status status = disk_fill(&folder, report);
    study_folder_reset(&folder);
    return status;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void put_disk(const Json *report, Buffer *out) {
    const Json *disk = json_get(report, "disk");
    const Json *checkpoints = json_get(report, "checkpoints");
    const Json *quota = json_get(checkpoints, "quota");
    buffer_puts(out, "disk: database ");
    view_bytes((double)json_integer(json_get(disk, "database")), out);
    buffer_printf(out, ", %lld checkpoints ",
                  (long long)json_integer(json_get(checkpoints, "count")));
    view_bytes((double)json_integer(json_get(checkpoints, "bytes")), out);
    if (json_is_number(quota)) {
        buffer_puts(out, " of ");
        view_bytes(json_number(quota), out);
    }
    buffer_puts(out, ", logs ");
    view_bytes((double)json_integer(json_get(disk, "logs")), out);
    buffer_puts(out, "\n");
}

static Status write_status(const Json *report, Buffer *out) {
    static const char *const apart[] = {"disk", "checkpoints", "agent", NULL};
    TRY(view_object(report, apart, cli_style(STDOUT_FILENO), out));
    put_disk(report, out);
    return buffer_status(out);
}

static Status report(const char *folder, Results *results, size_t format, Buffer *out) {
    Json *found = NULL;
    TRY(report_status(results, &found));
    Status status = view_mend_state(folder, found);
    if (status == STATUS_OK) {
        status = coordinator_set(folder, found);
    }
    if (status == STATUS_OK) {
        status = disk_set(folder, found);
    }
    if (status == STATUS_OK) {
        status = (format == VIEW_JSON) ? view_json(found, out) : write_status(found, out);
    }
    json_release(found);
    return status;
}

Status command_status(int argc, char **argv, Buffer *out) {
    CliArguments arguments;
    Results     *results = NULL;
    size_t       format = 0;
    TRY(cli_parse(&status_command, argc, argv, &arguments));
    if (arguments.help) {
        cli_help(&status_command, out);
        return STATUS_OK;
    }
    TRY(cli_choice(&arguments, "format", formats, &format));
    TRY(view_open(arguments.positional[0], &results));
    const Status status = report(arguments.positional[0], results, format, out);
    results_close(results);
    return status;
}
