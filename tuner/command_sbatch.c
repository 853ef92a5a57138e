/* `sbatch`: the job script for a study, or a job array for several, printed or submitted. The study
 * files are checked here, so that a mistake is one sentence now and not a failed job tomorrow. */
#include "tuner/cli.h"
#include "tuner/commands.h"
#include "tuner/launch.h"
#include "tuner/program.h"
#include "tuner/sbatch_script.h"
#include "tuner/slurm.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUBMIT_SECONDS 60.0
/* of mbtune itself, on a node and per trainer */
#define NODE_BYTES    268435456.0
#define TRAINER_BYTES 67108864.0

enum { ANSWER_BYTES = 4096, SET_BYTES = 256, MOST_COUNT = 65536 };

static const CliOption options[] = {
    {"time", 't', "TIME", "of one job: minutes, hours:minutes:seconds, days-hours (needed)", false},
    {"nodes", 'N', "N", "nodes (default 1)", false},
    {"cpus-per-node", 'c', "N", "processors of each node (default: whole nodes)", false},
    {"gpus-per-node", 'g', "N", "GPUs of each node (default: those of one worker)", false},
    {"partition", 'p', "NAME", "partition", false},
    {"account", 'A', "NAME", "account", false},
    {"dir", 'd', "DIR", "study folder (default: the study's name; one study only)", false},
    {"slots", 0, "N", "trainers per worker (default 1)", false},
    {"set", 's', "KEY=VALUE", "override a key of the study files", true},
    {"max-requeues", 0, "N", "how often a job goes back into the queue (default 100)", false},
    {"options", 0, "WORDS", "further options of sbatch, as one text ('--qos=long --mail-type=END')",
     false},
    {"submit", 0, NULL, "submit it with sbatch instead of printing it", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {
    .name = "sbatch",
    .arguments = "STUDY.yaml...",
    .help = "write, or submit, the Slurm job of a study",
    .details = "Several study files become a job array. The job ends what runs before its time is "
               "over,\nand goes back into the queue until the study is done.",
    .options = options,
    .least = 1,
    .most = CLI_MAX_POSITIONAL,
};

/** What the studies and the command line say. */
typedef struct Batch {
    CliArguments arguments;
    SbatchScript script;
    char        *studies[CLI_MAX_POSITIONAL];
    StudyFolder  folders[CLI_MAX_POSITIONAL];
    const char  *paths[CLI_MAX_POSITIONAL];
    int64_t      cores; /* the most that a worker of any study needs */
    int64_t      gpus;  /* likewise */
    double       memory;
    char         name[STUDY_NAME_BYTES + 16];
    char        *working_folder;
    char        *binary;
} Batch;

static void batch_reset(Batch *batch) {
    for (size_t i = 0; i < CLI_MAX_POSITIONAL; i++) {
        free(batch->studies[i]);
        study_folder_reset(&batch->folders[i]);
    }
    free(batch->working_folder);
    free(batch->binary);
}

/* ---- checks --------------------------------------------------------------------------------- */

static Status check_text(const char *option, const char *text) {
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at < ' ') {
            FAIL(STATUS_ERR_USAGE, "--%s: a line break or control character in '%.40s'", option,
                 text);
        }
    }
    return STATUS_OK;
}

static Status check_study(Batch *batch, const Study *study) {
    const int64_t cores = study->resources.cores * batch->script.slots;
    if (study->manual) {
        FAIL(STATUS_ERR_STATE,
             "study '%s' is trained by a person (trainer: manual): there is "
             "nothing for a cluster to do",
             study->name);
    }
    if (batch->script.cpus_per_node > 0 && cores > batch->script.cpus_per_node) {
        FAIL(STATUS_ERR_RANGE,
             "a worker of study '%s' needs %" PRId64
             " cores (resources.cores times --slots), --cpus-per-node gives it %" PRId64,
             study->name, cores, batch->script.cpus_per_node);
    }
    const int64_t gpus = study->resources.gpus * batch->script.slots;
    if (batch->script.gpus_per_node > 0 && gpus > batch->script.gpus_per_node) {
        FAIL(STATUS_ERR_RANGE,
             "a worker of study '%s' needs %" PRId64
             " GPUs (resources.gpus times --slots), --gpus-per-node gives it %" PRId64,
             study->name, gpus, batch->script.gpus_per_node);
    }
    batch->gpus = (gpus > batch->gpus) ? gpus : batch->gpus;
    batch->cores = (cores > batch->cores) ? cores : batch->cores;
    batch->memory =
        (study->resources.memory > batch->memory) ? study->resources.memory : batch->memory;
    return STATUS_OK;
}

static Status read_study(Batch *batch, const StudyOverride *sets, size_t index) {
    const char *file = batch->arguments.positional[index];
    const char *folder = cli_value(&batch->arguments, "dir");
    Study      *study = NULL;
    TRY(study_read(file, sets, batch->arguments.repeated_count, &study));
    Status status = check_study(batch, study);
    if (status == STATUS_OK) {
        status = study_folder_init((folder != NULL) ? folder : study->name, &batch->folders[index]);
    }
    if (status == STATUS_OK && !study_folder_begun(&batch->folders[index])) {
        status = study_check_new(study);
    }
    for (size_t i = 0; status == STATUS_OK && i < index; i++) {
        if (strcmp(batch->paths[i], batch->folders[index].path) == 0) {
            status = FAILURE(STATUS_ERR_USAGE,
                             "'%s' and '%s' would share the study folder '%s': give them other "
                             "names",
                             batch->studies[i], file, batch->paths[i]);
        }
    }
    batch->studies[index] = (status == STATUS_OK) ? strdup(study->path) : NULL;
    batch->paths[index] = batch->folders[index].path;
    if (index == 0) {
        (void)snprintf(batch->name, sizeof batch->name, "mbtune-%s",
                       (batch->arguments.positional_count > 1) ? "studies" : study->name);
    }
    study_destroy(study);
    if (status == STATUS_OK && batch->studies[index] == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for a path");
    }
    return status;
}

static Status read_studies(Batch *batch) {
    const CliArguments *arguments = &batch->arguments;
    StudyOverride       sets[CLI_MAX_REPEATED];
    char                memory[CLI_MAX_REPEATED][SET_BYTES];
    for (size_t i = 0; i < arguments->repeated_count; i++) {
        TRY(study_override_parse(arguments->repeated[i], memory[i], SET_BYTES, &sets[i]));
    }
    if (arguments->positional_count > 1 && cli_value(arguments, "dir") != NULL) {
        FAIL(STATUS_ERR_USAGE, "--dir: one folder for %zu studies; each gets its own, by its name",
             arguments->positional_count);
    }
    for (size_t i = 0; i < arguments->positional_count; i++) {
        TRY(read_study(batch, sets, i));
    }
    return STATUS_OK;
}

static Status read_options(Batch *batch) {
    static const char *const texts[] = {"time", "partition", "account", "options", "dir"};
    const CliArguments      *arguments = &batch->arguments;
    SbatchScript            *script = &batch->script;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        TRY(check_text(texts[i], cli_value(arguments, texts[i])));
    }
    script->time = cli_value(arguments, "time");
    if (script->time == NULL) {
        FAIL(STATUS_ERR_USAGE, "--time is needed: how long one job may run (2:00:00)");
    }
    if (slurm_parse_time(script->time, &script->seconds) != STATUS_OK || !(script->seconds > 0.0) ||
        isinf(script->seconds)) {
        FAIL(STATUS_ERR_USAGE,
             "--time: '%.40s' is no duration: expected minutes, hours:minutes:seconds or "
             "days-hours",
             script->time);
    }
    script->nodes = 1;
    script->slots = 1;
    script->max_requeues = 100;
    TRY(cli_integer(arguments, "nodes", 1, MOST_COUNT, &script->nodes));
    TRY(cli_integer(arguments, "cpus-per-node", 1, MOST_COUNT, &script->cpus_per_node));
    TRY(cli_integer(arguments, "gpus-per-node", 1, MOST_COUNT, &script->gpus_per_node));
    TRY(cli_integer(arguments, "slots", 1, MOST_COUNT, &script->slots));
    TRY(cli_integer(arguments, "max-requeues", 0, MOST_COUNT, &script->max_requeues));
    script->partition = cli_value(arguments, "partition");
    script->account = cli_value(arguments, "account");
    script->options = cli_value(arguments, "options");
    return STATUS_OK;
}

static Status fill_script(Batch *batch) {
    SbatchScript *script = &batch->script;
    batch->working_folder = getcwd(NULL, 0);
    batch->binary = launch_binary();
    if (batch->working_folder == NULL || batch->binary == NULL) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot tell where this program or folder lies: %s",
                    status_errno(errno));
    }
    if (batch->memory > 0.0) {
        const int64_t workers = script->cpus_per_node / batch->cores;
        const double  trainers = (double)workers * (double)script->slots;
        script->memory_per_node = NODE_BYTES + trainers * (batch->memory + TRAINER_BYTES);
    }
    if (script->gpus_per_node == 0) {
        script->gpus_per_node = batch->gpus;
    }
    script->name = batch->name;
    script->working_folder = batch->working_folder;
    script->binary = batch->binary;
    script->studies = (const char *const *)batch->studies;
    script->folders = batch->paths;
    script->study_count = batch->arguments.positional_count;
    script->sets = batch->arguments.repeated;
    script->set_count = batch->arguments.repeated_count;
    return STATUS_OK;
}

/* ---- submitting ----------------------------------------------------------------------------- */

static Status save_script(int file, const Buffer *text) {
    const Status written = cli_write(file, text->data, text->length);
    if (close(file) != 0 && written == STATUS_OK) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write the job script: %s", status_errno(errno));
    }
    return written;
}

static Status submit(const Buffer *text, Buffer *out) {
    char      path[] = "/tmp/mbtune-sbatch-XXXXXX";
    char      answer[ANSWER_BYTES];
    const int file = mkstemp(path);
    if (file < 0) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot make '%s': %s", path, status_errno(errno));
    }
    const Status      saved = save_script(file, text);
    const char *const ask[] = {"sbatch", path, NULL};
    const int         rc =
        (saved == STATUS_OK) ? program_ask(ask, SUBMIT_SECONDS, answer, sizeof answer) : 0;
    (void)unlink(path);
    TRY(saved);
    answer[strcspn(answer, "\n")] = '\0';
    if (rc == PROGRAM_NOT_FOUND) {
        FAIL(STATUS_ERR_STATE, "cannot submit: there is no sbatch here (print the script without "
                               "--submit, and submit it where Slurm is)");
    }
    if (rc != 0) {
        FAIL(STATUS_ERR_STATE, "sbatch ended with status %d: %.300s", rc, answer);
    }
    buffer_printf(out, "%s\n", answer);
    return STATUS_OK;
}

static Status write_batch(Batch *batch, Buffer *out) {
    Buffer text;
    TRY(read_options(batch));
    TRY(read_studies(batch));
    TRY(fill_script(batch));
    if (!cli_flag(&batch->arguments, "submit")) {
        sbatch_script_write(&batch->script, out);
        return buffer_status(out);
    }
    buffer_init(&text, STUDY_TEXT_BYTES);
    sbatch_script_write(&batch->script, &text);
    Status status = buffer_status(&text);
    if (status == STATUS_OK) {
        status = submit(&text, out);
    }
    buffer_reset(&text);
    return status;
}

Status command_sbatch(int argc, char **argv, Buffer *out) {
    Batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a job script");
    }
    for (size_t i = 0; i < CLI_MAX_POSITIONAL; i++) {
        batch->folders[i].lock = -1;
    }
    Status status = cli_parse(&command, argc, argv, &batch->arguments);
    if (status == STATUS_OK && batch->arguments.help) {
        cli_help(&command, out);
    } else if (status == STATUS_OK) {
        status = write_batch(batch, out);
    }
    batch_reset(batch);
    free(batch);
    return status;
}
