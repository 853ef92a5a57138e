#include "tuner/plan_trial.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/rng.h"
#include "tuner/launch.h"
#include "workers/host.h"
#include "workers/trainer_process.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_BYTES = 512, POLL_MS = 50, KIB = 1024 };

/* how long a trainer may take to end by itself (s) */
#define STOP_SECONDS 5.0

/** Everything a trainer borrows. */
typedef struct Bench {
    const Study    *study;
    const double   *point;
    char            folder[PATH_BYTES];
    char            log[PATH_BYTES + 16];
    char           *binary;
    Json           *words;
    const char    **command;
    Buffer          hello;
    char            gpus[HOST_MOST_GPUS * HOST_GPU_BYTES];
    pid_t           supervisor;
    TrainerProcess *trainer;
} Bench;

/* ---- starting ------------------------------------------------------------------------------- */

static Status make_folder(Bench *bench) {
    const char *temporary = getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): one thread */
    (void)snprintf(bench->folder, sizeof bench->folder, "%s/mbtune-plan-XXXXXX",
                   (temporary == NULL) ? "/tmp" : temporary);
    if (mkdtemp(bench->folder) == NULL) {
        const int native = errno;
        char      name[PATH_BYTES];
        memcpy(name, bench->folder, sizeof name);
        bench->folder[0] = '\0';
        FAIL_NATIVE(STATUS_ERR_IO, native, "cannot make '%s': %s", name, status_errno(native));
    }
    (void)snprintf(bench->log, sizeof bench->log, "%s/trainer.log", bench->folder);
    return STATUS_OK;
}

static Status read_command(Bench *bench) {
    Buffer text;
    buffer_init(&text, PROTOCOL_LINE_BYTES);
    Status status = study_trainer_command(bench->study, &text);
    if (status == STATUS_OK) {
        status = json_parse(buffer_text(&text), text.length, &bench->words);
    }
    buffer_reset(&text);
    TRY(status);
    const size_t count = json_count(bench->words);
    bench->command = calloc(count + 1, sizeof *bench->command);
    if (bench->command == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the trainer's command");
    }
    for (size_t i = 0; i < count; i++) {
        bench->command[i] = json_string(json_at(bench->words, i));
    }
    return STATUS_OK;
}

/* the first ones of this host */
static Status take_gpus(Bench *bench) {
    HostGpus gpus;
    Buffer   text;
    host_gpus(&gpus);
    buffer_init(&text, sizeof bench->gpus - 1);
    host_gpus_write(&gpus, 0, (size_t)bench->study->resources.gpus, &text);
    (void)snprintf(bench->gpus, sizeof bench->gpus, "%s", buffer_text(&text));
    const Status status = buffer_status(&text);
    buffer_reset(&text);
    return status;
}

static Status start(Bench *bench) {
    const Study *study = bench->study;
    TRY(make_folder(bench));
    TRY(read_command(bench));
    TRY(study_trainer_hello(study, &bench->hello));
    TRY(take_gpus(bench));
    bench->binary = launch_binary();
    if (bench->binary == NULL) {
        FAIL(STATUS_ERR_PROCESS, "this program cannot find its own file");
    }
    const TrainerSetup setup = {.binary = bench->binary,
                                .command = bench->command,
                                .hello = buffer_text(&bench->hello),
                                .log_path = bench->log,
                                .gpus = (study->resources.gpus > 0) ? bench->gpus : NULL,
                                .threads = study->resources.cores,
                                .memory_bytes = study->resources.memory,
                                .start_seconds = study->limits.start_seconds,
                                .silence_seconds = study->limits.silence_seconds,
                                .segment_seconds = study->limits.segment_seconds,
                                .supervisors = &bench->supervisor,
                                .supervisor_count = 1};
    return trainer_create(&setup, &bench->trainer);
}

static void turn(Bench *bench) {
    struct pollfd waiting[TRAINER_POLL_FDS];
    const size_t  count = trainer_poll_fds(bench->trainer, waiting);
    (void)poll(waiting, (nfds_t)count, POLL_MS);
    (void)trainer_pump(bench->trainer);
}

/* asks it to end, so that its memory is accounted for, and takes everything down */
static void finish(Bench *bench) {
    TrainerEvent event;
    const double deadline = clock_monotonic() + STOP_SECONDS;
    if (bench->trainer != NULL) {
        trainer_stop(bench->trainer);
        while (trainer_alive(bench->trainer) && clock_monotonic() < deadline) {
            turn(bench);
            while (trainer_next(bench->trainer, clock_monotonic(), &event)) {
            }
        }
    }
    trainer_destroy(bench->trainer);
    if (bench->folder[0] != '\0' && file_remove_all(bench->folder) != STATUS_OK) {
        status_clear(); /* what is left in a temporary folder is no reason to fail */
    }
    json_release(bench->words);
    buffer_reset(&bench->hello);
    free(bench->command);
    free(bench->binary);
}

/* ---- orders --------------------------------------------------------------------------------- */

static Status write_line(Bench *bench, int64_t begin, int64_t end, Json *values, Buffer *line) {
    char from[PATH_BYTES + 16];
    char to[PATH_BYTES + 16];
    (void)snprintf(from, sizeof from, "%s/1", bench->folder);
    (void)snprintf(to, sizeof to, "%s/%d", bench->folder, (begin == 0) ? 1 : 2);
    const Request request = {.kind = REQUEST_TRAIN,
                             .segment = (begin == 0) ? 1 : 2,
                             .parent = (begin == 0) ? 0 : 1,
                             .begin = begin,
                             .end = end,
                             .seed = rng_seed(bench->study->seed, SEED_TUNE, 0),
                             .resume_from = (begin == 0) ? NULL : from,
                             .checkpoint_to = to,
                             .hyperparameters = values};
    TRY(request_write(&request, line));
    line->data[strcspn(line->data, "\n")] = '\0';
    return STATUS_OK;
}

static Status give_order(Bench *bench, int64_t begin, int64_t end) {
    Buffer line;
    buffer_init(&line, PROTOCOL_LINE_BYTES);
    Json  *values = space_to_json(bench->study->space, bench->point);
    Status status = (values == NULL) ? FAILURE(STATUS_ERR_NOMEM, "no memory for an order")
                                     : write_line(bench, begin, end, values, &line);
    if (status == STATUS_OK) {
        status = trainer_order(bench->trainer, buffer_text(&line), (begin == 0) ? 1 : 2);
    }
    json_release(values);
    buffer_reset(&line);
    return status;
}

static void note_metric(const Reply *reply, PlanTrial *trial) {
    const Json *length = json_get(reply->values, "episode_length");
    if (reply->index == 0 && json_is_number(length)) {
        trial->steps += json_number(length);
    }
}

/* trains from `begin` to `end` and waits for it */
static Status train(Bench *bench, int64_t begin, int64_t end, PlanTrial *trial) {
    trial->steps = 0.0;
    TRY(give_order(bench, begin, end));
    for (;;) {
        TrainerEvent event;
        turn(bench);
        while (trainer_next(bench->trainer, clock_monotonic(), &event)) {
            if (event.kind == TRAINER_METRIC) {
                note_metric(event.reply, trial);
            }
            if (event.kind != TRAINER_OVER) {
                continue;
            }
            trial->outcome = event.outcome;
            trial->seconds = event.busy_seconds;
            (void)snprintf(trial->why, sizeof trial->why, "%s",
                           (event.text == NULL) ? "" : event.text);
            return STATUS_OK;
        }
    }
}

static Status run(Bench *bench, PlanTrial *trial) {
    char     path[PATH_BYTES + 16];
    uint64_t bytes = 0;
    uint64_t checksum = 0;
    TRY(start(bench));
    if (trial->warm > 0) {
        TRY(train(bench, 0, trial->warm, trial));
    }
    if (trial->warm == 0 || trial->outcome == OUTCOME_DONE) {
        TRY(train(bench, trial->warm, trial->warm + trial->units, trial));
    }
    (void)snprintf(path, sizeof path, "%s/%d", bench->folder, (trial->warm == 0) ? 1 : 2);
    if (trial->outcome == OUTCOME_DONE && file_exists(path)) {
        TRY(file_digest(path, &bytes, &checksum));
    }
    trial->checkpoint_bytes = (double)bytes;
    return STATUS_OK;
}

Status plan_trial(const Study *study, const double *point, PlanTrial *trial) {
    Bench         bench = {.study = study, .point = point};
    struct rusage usage;
    trial->outcome = OUTCOME_NONE;
    trial->why[0] = '\0';
    buffer_init(&bench.hello, PROTOCOL_LINE_BYTES);
    const Status    status = run(&bench, trial);
    const ErrorInfo error = *status_last();
    finish(&bench);
    memset(&usage, 0, sizeof usage);
    (void)getrusage(RUSAGE_CHILDREN, &usage);
    trial->memory_bytes = (double)usage.ru_maxrss * KIB;
    if (trial->outcome != OUTCOME_DONE) {
        trial->seconds = (double)NAN;
    }
    return (status == STATUS_OK) ? STATUS_OK
                                 : status_fail(status, error.native, error.file, error.line,
                                               error.func, "%s", error.text);
}
