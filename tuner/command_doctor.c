#include "tuner/commands.h"

#include "core/json.h"
#include "tuner/cli.h"
#include "tuner/doctor.h"
#include "tuner/study_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const formats[] = {"table", "json", NULL};

static const CliOption options[] = {
    {"format", 'f', "table|json", "how to print it (default table)", false},
    {"handshake", 0, NULL, "what the ranks do that this command starts", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand doctor = {
    .name = "doctor",
    .arguments = "[FOLDER]",
    .help = "Says what this machine lacks for running studies, and what to do.",
    .details = "FOLDER: where studies will lie (default: here). Exit code 1 if studies cannot run.",
    .options = options,
    .least = 0,
    .most = 1,
};

static void examine(const char *folder, Diagnosis *diagnosis) {
    doctor_processor(diagnosis);
    doctor_limits(diagnosis);
    doctor_mpi(diagnosis);
    doctor_folder(diagnosis, folder);
    doctor_slurm(diagnosis);
    doctor_environments(diagnosis);
}

static Status write_json(const Diagnosis *diagnosis, Buffer *out) {
    Json  *list = json_new_array();
    Status status = STATUS_OK;

    for (size_t i = 0; i < diagnosis->count && status == STATUS_OK; i++) {
        const Finding *finding = &diagnosis->findings[i];
        Json          *row = json_new_object();
        status = json_set(row, "topic", json_new_string(finding->topic));
        if (status == STATUS_OK) {
            status = json_set(row, "level", json_new_string(doctor_level(finding->level)));
        }
        if (status == STATUS_OK) {
            status = json_set(row, "text", json_new_string(finding->text));
        }
        if (status == STATUS_OK) {
            status = json_set(row, "advice", json_new_string(finding->advice));
        }
        if (status == STATUS_OK) {
            status = json_push(list, row);
        } else {
            json_release(row);
        }
    }
    if (status == STATUS_OK) {
        status = view_json(list, out);
    }
    json_release(list);
    return status;
}

static void write_text(const Diagnosis *diagnosis, bool color, Buffer *out) {
    static const char *const colors[] = {"\033[32m", "", "\033[33m", "\033[31m"};

    for (size_t i = 0; i < diagnosis->count; i++) {
        const Finding *finding = &diagnosis->findings[i];
        buffer_printf(out, "%s%-8s%s %-14s %s\n", color ? colors[finding->level] : "",
                      doctor_level(finding->level), color ? "\033[0m" : "", finding->topic,
                      finding->text);
        if (finding->advice[0] != '\0') {
            buffer_printf(out, "%8s %14s %s\n", "", "", finding->advice);
        }
    }
}

/* what keeps studies from running is a failure, said once more in one sentence */
static Status verdict(const Diagnosis *diagnosis) {
    size_t      problems = 0;
    const char *first = NULL;

    for (size_t i = 0; i < diagnosis->count; i++) {
        if (diagnosis->findings[i].level == FINDING_PROBLEM) {
            first = (problems++ == 0) ? diagnosis->findings[i].topic : first;
        }
    }
    if (problems > 0) {
        FAIL(STATUS_ERR_UNAVAILABLE, "studies cannot run here: %zu problem%s, the first is '%s'",
             problems, problems == 1 ? "" : "s", first);
    }
    return STATUS_OK;
}

int command_doctor(int argc, char **argv) {
    CliArguments arguments;
    Diagnosis    diagnosis = {.count = 0};
    Buffer       out;
    size_t       format = 0;

    Status status = cli_parse(&doctor, argc, argv, &arguments);
    if (status == STATUS_OK && !arguments.help) {
        status = cli_choice(&arguments, "format", formats, &format);
    }
    if (status != STATUS_OK) {
        return cli_complain(status);
    }
    if (cli_flag(&arguments, "handshake")) {
        return doctor_handshake();
    }
    buffer_init(&out, 1 << 20);
    if (arguments.help) {
        cli_help(&doctor, &out);
    } else {
        examine(arguments.positional_count > 0 ? arguments.positional[0] : ".", &diagnosis);
        if (format == 1) {
            status = write_json(&diagnosis, &out);
        } else {
            write_text(&diagnosis, cli_style(STDOUT_FILENO).color, &out);
        }
    }
    if (status == STATUS_OK) {
        status = cli_write(STDOUT_FILENO, buffer_text(&out), out.length);
    }
    buffer_reset(&out);
    if (status == STATUS_OK) {
        status = verdict(&diagnosis);
    }
    return (status == STATUS_OK) ? CLI_EXIT_DONE : cli_complain(status);
}
