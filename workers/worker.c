/* A worker rank: one thread, one loop over the trainers' pipes and the coordinator's messages.
 *
 * MPI has no descriptor to poll() on and its blocking calls spin on a whole core (measured: 74 % in
 * MPI_Recv), so the loop looks for a message and then sleeps in ppoll(): from 50 us after something
 * happened up to 4 ms (10 ms while every slot is at work, 0.3 ms shortly after an order has ended:
 * the next one is near). A pipe wakes it at once.
 *
 * A worker has no state of its own that matters: if the coordinator falls silent or the launcher
 * goes, it kills its trainers and ends. Nobody is told, because nobody is left to listen. If it
 * cannot go on itself, it kills its trainers, says why, and stays for the coordinator's last word:
 * a rank that leaves without MPI_Finalize makes the launcher kill the whole job.
 */
#include "core/clock.h"
#include "core/file.h"
#include "core/linalg.h"
#include "workers/crew_setup.h"
#include "workers/message.h"
#include "workers/mpi_status.h"
#include "workers/worker_internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_OUTSTANDING = 1024, LOOKS = 2 };

static const double least_wait_s = 5e-5;
static const double most_wait_s = 4e-3;
static const double most_busy_wait_s = 1e-2;
static const double most_near_wait_s = 3e-4;
static const double near_s = 0.03;
static const double wait_growth = 1.25;
/* A coordinator may be held up by its disk for seconds; it is dead only if it is silent for long.
 */
static const double coordinator_beats = 10.0;
static const double coordinator_least_s = 10.0;
static const double least_lapse_s = 1.0;

/* ---- saying ---- */

static Status flush_news(Worker *w) {
    if (w->news.length == 0) {
        return STATUS_OK;
    }
    w->said_at = clock_monotonic();
    TRY(outbox_send(&w->outbox, 0, TAG_NEWS, w->news.data, w->news.length));
    buffer_clear(&w->news);
    return STATUS_OK;
}

Status worker__say(Worker *w, const News *news) {
    if (message_write_news(news, &w->news) == STATUS_OK) {
        return STATUS_OK;
    }
    TRY(flush_news(w));
    return message_write_news(news, &w->news);
}

static Status say_hello(Worker *w, const CrewShare *share) {
    char   host[MPI_MAX_PROCESSOR_NAME] = "";
    int    length = 0;
    Buffer numerics;
    TRY_MPI(MPI_Get_processor_name(host, &length));
    buffer_init(&numerics, MESSAGE_TEXT_BYTES);
    linalg_numerics(&numerics);
    const News   news = {.kind = NEWS_WORKER,
                         .host = host,
                         .numerics = buffer_text(&numerics),
                         .cores = CPU_COUNT(&share->cores),
                         .memory_bytes = host_memory(NULL),
                         .gpus = (int64_t)share->gpus.count,
                         .gpus_wanted = share->gpus_wanted,
                         .host_slots = share->host_slots,
                         .host_worker = share->host_worker};
    const Status status = worker__say(w, &news);
    buffer_reset(&numerics);
    TRY(status);
    return flush_news(w);
}

/* what this worker ends of: the last news it has */
static Status say_lost(Worker *w, const ErrorInfo *error) {
    (void)snprintf(w->text, sizeof w->text, "worker %d: %s", w->rank, error->text);
    const News news = {.kind = NEWS_LOST, .text = w->text};
    TRY(worker__say(w, &news));
    return flush_news(w);
}

/* ---- hearing ---- */

static Status stop_slot(Worker *w, size_t index) {
    if (w->slots[index].has_order) {
        return worker__slot_cancel(w, index);
    }
    trainer_stop(w->slots[index].trainer);
    return STATUS_OK;
}

static Status stop(Worker *w) {
    MessageReader reader = message_reader(w->inbox, w->inbox_length);
    const double  grace = message_get_f64(&reader);
    w->stopping = true;
    w->stop_deadline = clock_monotonic() + ((grace > 0.0) ? grace : 0.0);
    for (size_t i = 0; i < w->slot_count; i++) {
        TRY(stop_slot(w, i));
    }
    return STATUS_OK;
}

static Status take_slot_message(Worker *w) {
    size_t slot = 0;
    Order  order;
    if (w->parted) {
        return STATUS_OK; /* it was on its way */
    }
    if (w->receive_tag == TAG_ORDER) {
        TRY(message_read_order(w->inbox, w->inbox_length, &slot, &order));
    } else {
        TRY(message_read_slot(w->inbox, w->inbox_length, &slot));
    }
    if (slot >= w->slot_count) {
        FAIL(STATUS_ERR_CORRUPT, "a malformed message: slot %zu of %zu", slot, w->slot_count);
    }
    if (w->stopping) {
        return STATUS_OK;
    }
    if (w->receive_tag == TAG_ORDER) {
        return worker__slot_order(w, slot, &order);
    }
    return (w->receive_tag == TAG_YIELD) ? worker__slot_yield(w, slot)
                                         : worker__slot_cancel(w, slot);
}

static Status take_message(Worker *w) {
    MessageReader reader = message_reader(w->inbox, w->inbox_length);
    switch (w->receive_tag) {
    case TAG_BEAT:
        return STATUS_OK;
    case TAG_ORDER:
    case TAG_YIELD:
    case TAG_CANCEL:
        return take_slot_message(w);
    case TAG_STOP:
        return stop(w);
    case TAG_END:
        w->ended = true;
        w->finalize = message_get_f64(&reader) > 0.0;
        return STATUS_OK;
    default:
        FAIL(STATUS_ERR_CORRUPT, "a malformed message: tag %d", w->receive_tag);
    }
}

/* starts the receive of the next message, if there is one */
static Status begin_receive(Worker *w) {
    MPI_Message message = MPI_MESSAGE_NULL;
    MPI_Status  status;
    int         there = 0;
    int         length = 0;
    TRY_MPI(MPI_Improbe(0, MPI_ANY_TAG, w->comm, &there, &message, &status));
    if (!there) {
        return STATUS_OK;
    }
    TRY_MPI(MPI_Get_count(&status, MPI_BYTE, &length));
    if ((size_t)length > w->inbox_capacity) {
        unsigned char *grown = realloc(w->inbox, (size_t)length);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for a message of %d bytes", length);
        }
        w->inbox = grown;
        w->inbox_capacity = (size_t)length;
    }
    w->inbox_length = (size_t)length;
    w->receive_tag = status.MPI_TAG;
    return mpi_status(MPI_Imrecv(w->inbox, length, MPI_BYTE, &message, &w->receive), "MPI_Imrecv");
}

/* @param whole  out  a message has come in completely */
static Status receive(Worker *w, bool *whole) {
    int done = 0;
    *whole = false;
    /* a message needs up to two looks to come forward (measured: else it waits for a sleep more) */
    for (int i = 0; i < LOOKS && w->receive == MPI_REQUEST_NULL; i++) {
        TRY(begin_receive(w));
    }
    if (w->receive == MPI_REQUEST_NULL) {
        return STATUS_OK;
    }
    TRY_MPI(MPI_Test(&w->receive, &done, MPI_STATUS_IGNORE));
    *whole = done != 0;
    return STATUS_OK;
}

/* takes all messages that are there; never waits for the rest of one */
static Status hear(Worker *w, bool *moved) {
    bool whole = false;
    TRY(receive(w, &whole));
    while (whole) {
        w->receive = MPI_REQUEST_NULL;
        w->heard_at = clock_monotonic();
        *moved = *moved || w->receive_tag != TAG_BEAT;
        TRY(take_message(w));
        TRY(receive(w, &whole));
    }
    return STATUS_OK;
}

/* ---- the loop ---- */

/* is there still somebody to work for? */
static Status check_coordinator(Worker *w, double now) {
    const double beats = coordinator_beats * w->config.heartbeat_seconds;
    const double patience = (beats > coordinator_least_s) ? beats : coordinator_least_s;
    const double lapse =
        (w->config.heartbeat_seconds > least_lapse_s) ? w->config.heartbeat_seconds : least_lapse_s;
    if (now - w->seen_at > lapse) {
        w->heard_at += now - w->seen_at; /* this process was stopped or busy, not the coordinator */
    }
    w->seen_at = now;
    if (now - w->heard_at > patience) {
        FAIL(STATUS_ERR_MPI, "worker %d: the coordinator has been silent for %.1f s", w->rank,
             now - w->heard_at);
    }
    if (getppid() != w->parent) {
        FAIL(STATUS_ERR_MPI, "worker %d: its launcher is gone", w->rank);
    }
    return STATUS_OK;
}

static Status check_times(Worker *w, double now) {
    TRY(check_coordinator(w, now));
    if (now - w->said_at >= w->config.heartbeat_seconds) {
        w->said_at = now;
        TRY(outbox_send(&w->outbox, 0, TAG_BEAT, NULL, 0));
    }
    if (w->stopping && now >= w->stop_deadline) {
        for (size_t i = 0; i < w->slot_count; i++) {
            trainer_cancel(w->slots[i].trainer);
        }
    }
    return STATUS_OK;
}

static bool all_busy(const Worker *w) {
    for (size_t i = 0; i < w->slot_count; i++) {
        if (!w->slots[i].has_order) {
            return false;
        }
    }
    return true;
}

/* sleeps until a pipe has something, at most for the back-off */
static void rest(Worker *w) {
    size_t count = 0;
    double most = all_busy(w) ? most_busy_wait_s : most_wait_s;
    if (!all_busy(w) && w->seen_at - w->finished_at < near_s) {
        most = most_near_wait_s;
    }
    for (size_t i = 0; i < w->slot_count; i++) {
        count += trainer_poll_fds(w->slots[i].trainer, w->fds + count);
    }
    const struct timespec wait = {.tv_nsec = (long)(w->wait * 1e9)};
    if (ppoll(w->fds, count, &wait, NULL) > 0) {
        w->wait = least_wait_s;
        return;
    }
    w->wait *= wait_growth;
    w->wait = (w->wait < most) ? w->wait : most;
}

static bool trainers_gone(const Worker *w) {
    for (size_t i = 0; i < w->slot_count; i++) {
        if (trainer_alive(w->slots[i].trainer)) {
            return false;
        }
    }
    return true;
}

static Status turn_slots(Worker *w, bool *moved) {
    const double now = clock_monotonic();
    for (size_t i = 0; i < w->slot_count; i++) {
        TRY(worker__slot_turn(w, i, now, moved));
    }
    return STATUS_OK;
}

static Status turn(Worker *w, bool *moved) {
    *moved = false;
    TRY(hear(w, moved));
    /* a coordinator that cannot keep up, or is dead, slows its trainers down */
    if (w->outbox.outstanding < MAX_OUTSTANDING) {
        TRY(turn_slots(w, moved));
    }
    TRY(flush_news(w));
    TRY(outbox_progress(&w->outbox));
    return check_times(w, clock_monotonic());
}

static Status loop(Worker *w) {
    while (!w->ended && !(w->stopping && trainers_gone(w))) {
        bool moved = false;
        TRY(turn(w, &moved));
        if (moved) {
            w->wait = least_wait_s;
        } else {
            rest(w);
        }
    }
    return STATUS_OK;
}

/* goodbye, and the coordinator's last word, which may be long in coming where other workers go on
 */
static Status part(Worker *w) {
    w->parted = true;
    w->wait = least_wait_s;
    TRY(outbox_send(&w->outbox, 0, TAG_GOODBYE, NULL, 0));
    while (!w->ended) {
        bool moved = false;
        TRY(hear(w, &moved));
        TRY(outbox_progress(&w->outbox));
        TRY(check_coordinator(w, clock_monotonic()));
        clock_sleep(w->wait);
        w->wait *= wait_growth;
        w->wait = (w->wait < most_wait_s) ? w->wait : most_wait_s;
    }
    if (!w->finalize) {
        FAIL(STATUS_ERR_INTERRUPTED, "worker %d: not all workers came to an end in order", w->rank);
    }
    return STATUS_OK;
}

/* ---- start ---- */

static Status read_command(Worker *w) {
    TRY(json_parse(w->config.command, strlen(w->config.command), &w->command_json));
    const size_t count = json_count(w->command_json);
    if (!json_is_array(w->command_json) || count == 0) {
        FAIL(STATUS_ERR_ARG, "the trainer's command must be a list of at least one text");
    }
    w->command = calloc(count + 1, sizeof *w->command);
    if (w->command == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the trainer's command");
    }
    for (size_t i = 0; i < count; i++) {
        w->command[i] = json_string(json_at(w->command_json, i));
        if (w->command[i] == NULL) {
            FAIL(STATUS_ERR_ARG, "the trainer's command must be a list of texts; number %zu is not",
                 i + 1);
        }
    }
    return STATUS_OK;
}

static Status make_log_folder(const Worker *w) {
    char *logs = file_join(w->config.study_folder, "logs");
    if (logs == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    const Status status = file_make_folder(logs);
    free(logs);
    return status;
}

/* everything that only this rank can fail at */
static Status prepare(Worker *w) {
    if (w->setup->slots == 0) {
        FAIL(STATUS_ERR_ARG, "a worker needs at least one slot");
    }
    TRY(buffer_status(&w->config_bytes));
    TRY(message_read_config(w->config_bytes.data, w->config_bytes.length, &w->config));
    TRY(read_command(w));
    TRY(make_log_folder(w));
    TRY(checkpoints_init(&w->checkpoints, w->config.study_folder));
    w->slots = calloc(w->setup->slots, sizeof *w->slots);
    w->supervisors = calloc(w->setup->slots, sizeof *w->supervisors);
    w->fds = calloc(w->setup->slots * TRAINER_POLL_FDS, sizeof *w->fds);
    if (w->slots == NULL || w->supervisors == NULL || w->fds == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu slots", w->setup->slots);
    }
    return STATUS_OK;
}

static Status start(Worker *w, MPI_Comm comm) {
    CrewShare share;
    TRY(crew__communicator(comm, &w->comm));
    TRY_MPI(MPI_Comm_rank(w->comm, &w->rank));
    TRY(crew__share_config(w->comm, &w->config_bytes));
    if (w->config_bytes.length == 0 && w->config_bytes.status == STATUS_OK) {
        w->ended = true; /* the coordinator could not start, and says so itself */
        w->finalize = true;
        return STATUS_OK;
    }
    const Status  local = prepare(w);
    const int64_t slots = (local == STATUS_OK) ? (int64_t)w->setup->slots : 0;
    /* a rank that failed takes part with no slots, then says goodbye */
    const ErrorInfo error = *status_last();
    TRY(crew__share_host(w->comm, slots, w->config.cores, w->config.gpus, &share));
    TRY(crew__gather_slots(w->comm, slots, NULL));
    outbox_init(&w->outbox, w->comm);
    w->heard_at = clock_monotonic();
    w->said_at = w->heard_at;
    w->seen_at = w->heard_at;
    w->joined = true;
    w->slot_count = (size_t)slots;
    for (size_t i = 0; i < w->slot_count; i++) {
        TRY(worker__slot_init(w, i, &share));
    }
    if (local != STATUS_OK) {
        return status_fail(error.code, error.native, error.file, error.line, error.func, "%s",
                           error.text);
    }
    return say_hello(w, &share);
}

static void destroy(Worker *w) {
    outbox_reset(&w->outbox);
    if (w->receive == MPI_REQUEST_NULL) {
        free(w->inbox);
    }
    if (w->ended && w->finalize) {
        (void)MPI_Comm_free(&w->comm);
    }
    checkpoints_reset(&w->checkpoints);
    json_release(w->command_json);
    buffer_reset(&w->config_bytes);
    buffer_reset(&w->news);
    free(w->command);
    free(w->slots);
    free(w->supervisors);
    free(w->fds);
}

/* the coordinator decides about the end: a signal to the whole job must not end a worker in the
 * middle of a checkpoint; SIGUSR1 is what hydra sends when another rank has died */
static void ignore_signals(void) {
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* whatever happened: nothing outlives this worker */
static void end_trainers(Worker *w) {
    for (size_t i = 0; i < w->slot_count; i++) {
        if (w->slots[i].trainer != NULL) {
            trainer_cancel(w->slots[i].trainer); /* all at once, before the first is waited for */
        }
    }
    for (size_t i = 0; i < w->slot_count; i++) {
        worker__slot_reset(&w->slots[i]);
    }
    w->slot_count = 0;
}

/* this rank's own failure, if any, has been told and is over, unless the end is not in order */
static Status leave(Worker *w, Status status) {
    const ErrorInfo error = *status_last();
    if (status == STATUS_OK) {
        return part(w);
    }
    if (status != STATUS_ERR_MPI && say_lost(w, &error) == STATUS_OK && part(w) == STATUS_OK) {
        return STATUS_OK;
    }
    return status_fail(error.code, error.native, error.file, error.line, error.func, "%s",
                       error.text);
}

Status worker_main(MPI_Comm comm, const WorkerSetup *setup) {
    Worker w = {.setup = setup, .comm = MPI_COMM_NULL, .receive = MPI_REQUEST_NULL};
    ignore_signals();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* orphans of a killed supervisor come here */
    w.parent = getppid();
    w.wait = least_wait_s;
    buffer_init(&w.config_bytes, CREW_CONFIG_BYTES);
    buffer_init(&w.news, MESSAGE_NEWS_BYTES);
    Status status = start(&w, comm);
    if (status == STATUS_OK && !w.ended) {
        status = loop(&w);
    }
    const ErrorInfo error = *status_last();
    end_trainers(&w);
    if (status != STATUS_OK) {
        status = status_fail(error.code, error.native, error.file, error.line, error.func, "%s",
                             error.text);
    }
    if (w.joined) {
        status = leave(&w, status);
    }
    destroy(&w);
    return status;
}
