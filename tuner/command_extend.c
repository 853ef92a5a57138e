/* `mbtune extend`: another budget. A running study gets it as a request; one that is not is run
 * again, and its coordinator finds the request when it starts: there is one way in. */
#include "tuner/cli.h"
#include "tuner/command_request.h"
#include "tuner/command_run.h"
#include "tuner/launch.h"
#include "tuner/study_file.h"
#include "tuner/study_request.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { KEY_BYTES = 128, OUTPUT_BYTES = 1 << 16, RUN_ARGUMENTS = 12 };

static const CliOption options[] = {
    {"set", 's', "KEY=VALUE", "budget.total, budget.trials or budget.wall_clock", true},
    {"later", 'l', NULL, "leave the change to the study's next run instead of running it", false},
    {"workers", 'w', "N", "worker processes, as of mbtune run", false},
    {"slots", 0, "N", "trainers per worker, as of mbtune run", false},
    {"quiet", 'q', NULL, "print errors only", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand extend = {
    .name = "extend",
    .arguments = "DIR",
    .help = "gives a study another budget and goes on with it",
    .details =
        "A running study takes it at once; one that has ended goes on in this command, with the "
        "exit\nstatus of mbtune run. Total or trials alone take the other along where it would be "
        "too small.\nwall_clock counts from when the study was created.",
    .options = options,
    .least = 1,
    .most = 1,
};

/* the value of a key that was set, as the study file would read it */
static Status add_key(const Study *study, const char *key, Json *body) {
    if (strcmp(key, "budget.total") == 0) {
        return json_set(body, "total", json_new_integer(study->budget.total));
    }
    if (strcmp(key, "budget.trials") == 0) {
        return json_set(body, "trials", json_new_integer(study->budget.trials));
    }
    if (strcmp(key, "budget.wall_clock") == 0) {
        return json_set(body, "wall_clock", json_new_number(study->budget.wall_clock));
    }
    FAIL(STATUS_ERR_USAGE,
         "mbtune extend: only budget.total, budget.trials and budget.wall_clock can be changed, "
         "found '%s'",
         key);
}

static Status add_budget(const Study *study, const StudyOverride *sets, size_t count, Json *body) {
    for (size_t i = 0; i < count; i++) {
        TRY(add_key(study, sets[i].path, body));
    }
    return STATUS_OK;
}

static Status make_body(const StudyFolder *folder, const CliArguments *arguments, Json *body) {
    StudyOverride sets[CLI_MAX_REPEATED];
    char          keys[CLI_MAX_REPEATED][KEY_BYTES];
    Study        *study = NULL;
    if (arguments->repeated_count == 0) {
        FAIL(STATUS_ERR_USAGE, "mbtune extend: --set is missing, such as --set budget.total=4000");
    }
    for (size_t i = 0; i < arguments->repeated_count; i++) {
        TRY(study_override_parse(arguments->repeated[i], keys[i], sizeof keys[i], &sets[i]));
    }
    TRY(study_read(folder->study_file, sets, arguments->repeated_count, &study));
    Status status = json_set(body, "command", json_new_string("extend"));
    if (status == STATUS_OK) {
        status = add_budget(study, sets, arguments->repeated_count, body);
    }
    study_destroy(study);
    return status;
}

static Status deliver(const CliArguments *arguments, const StudyFolder *folder, bool runs,
                      char name[STUDY_REQUEST_NAME_BYTES], Buffer *out) {
    Json  *body = json_new_object();
    Status status = make_body(folder, arguments, body);
    if (status == STATUS_OK && (runs || cli_flag(arguments, "later"))) {
        status = request_deliver(folder, body, out);
    } else if (status == STATUS_OK) {
        status = request_look_over(folder, body);
        status = (status == STATUS_OK) ? study_request_put(folder, body, name) : status;
    }
    json_release(body);
    return status;
}

/* as `mbtune run DIR/study.yaml --dir DIR` */
static int run_again(const CliArguments *arguments, const StudyFolder *folder) {
    static const char *const passed[] = {"workers", "slots"};
    char                     run[] = "run";
    char                     dir[] = "--dir";
    char                     quiet[] = "--quiet";
    char                     names[2][16];
    char                     values[2][32];
    char                    *argv[RUN_ARGUMENTS] = {run, folder->study_file, dir, folder->path};
    int                      argc = 4;
    for (size_t i = 0; i < 2; i++) {
        if (cli_value(arguments, passed[i]) != NULL) {
            (void)snprintf(names[i], sizeof names[i], "--%s", passed[i]);
            (void)snprintf(values[i], sizeof values[i], "%s", cli_value(arguments, passed[i]));
            argv[argc++] = names[i];
            argv[argc++] = values[i];
        }
    }
    if (cli_flag(arguments, "quiet")) {
        argv[argc++] = quiet;
    }
    argv[argc] = NULL;
    return command_run(argc, argv);
}

/* a run that refused the change has done its own work well, and not what it was started for */
static int run_with_change(const CliArguments *arguments, const StudyFolder *folder,
                           const char *name) {
    const int    exit_status = run_again(arguments, folder);
    const Status status = request_outcome(folder, name);
    return (status == STATUS_OK || exit_status != CLI_EXIT_DONE) ? exit_status
                                                                 : cli_complain(status);
}

static int print(const Buffer *out, Status status) {
    const Status written = cli_write(STDOUT_FILENO, buffer_text(out), out->length);
    return (status != STATUS_OK || written != STATUS_OK)
               ? cli_complain((status != STATUS_OK) ? status : written)
               : CLI_EXIT_DONE;
}

static int extend_study(const CliArguments *arguments) {
    StudyFolder folder;
    Buffer      out;
    char        name[STUDY_REQUEST_NAME_BYTES];
    Status      status = request_open(arguments->positional[0], &folder);
    if (status != STATUS_OK) {
        return cli_complain(status);
    }
    const bool runs = study_folder_is_locked(folder.path);
    buffer_init(&out, OUTPUT_BYTES);
    status = deliver(arguments, &folder, runs, name, &out);
    int exit_status = print(&out, status);
    buffer_reset(&out);
    if (status == STATUS_OK && !runs && !cli_flag(arguments, "later")) {
        exit_status = run_with_change(arguments, &folder, name);
    }
    study_folder_reset(&folder);
    return exit_status;
}

int command_extend(int argc, char **argv) {
    CliArguments arguments;
    Status       status = cli_parse(&extend, argc, argv, &arguments);
    if (status == STATUS_OK && launch_under_mpi()) {
        status =
            FAILURE(STATUS_ERR_USAGE, "mbtune extend starts its ranks itself; under mpiexec or "
                                      "srun use --later and then mbtune run");
    }
    if (status != STATUS_OK) {
        return cli_complain(status);
    }
    if (arguments.help) {
        Buffer help;
        buffer_init(&help, OUTPUT_BYTES);
        cli_help(&extend, &help);
        const int exit_status = print(&help, STATUS_OK);
        buffer_reset(&help);
        return exit_status;
    }
    return extend_study(&arguments);
}
