/* Rank 0's side. One receive of a fixed size stays posted per worker, so that a worker that dies in
 * the middle of a message can block nobody: its receive just never completes. A message that came
 * in is read piece by piece by crew_poll(), then its receive is posted again.
 *
 * MPICH never says that a rank has died: silence is all there is, and on one host a message to the
 * dead counts as sent. So every worker that says nothing for three heartbeats is lost. Over a
 * network a send may fail, at once or later, when the other side's process is gone or its host does
 * not answer; that worker is lost too, and nobody else.
 */
#include "workers/crew.h"

#include "core/clock.h"
#include "workers/crew_setup.h"
#include "workers/message.h"
#include "workers/mpi_status.h"
#include "workers/outbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SILENT_BEATS = 3, LOST_TEXT_BYTES = 128 };

static const double least_wait_s = 1e-4;
static const double most_wait_s = 1e-3;
static const double wait_growth = 1.3;
/* beyond the grace of crew_stop(): until the goodbyes, until the last word is on its way */
static const double goodbye_s = 0.8;
static const double last_word_s = 1.0;

typedef struct CrewWorker {
    unsigned char *inbox;
    MessageReader  reader; /* over the inbox, while has_message */
    bool           has_message;
    bool           announced;
    bool           lost;
    bool           unreachable; /* its connection is broken, and stays so */
    bool           parting;     /* it said that it is at its end: lost or goodbye */
    bool           goodbye;
    double         heard_at;
    double         said_at;
    size_t         first_slot;
    size_t         slot_count;
} CrewWorker;

struct Crew {
    MPI_Comm     comm;
    int          size;
    CrewWorker  *workers;  /* (size); entry 0 is unused */
    MPI_Request *receives; /* (size) */
    int         *arrived;  /* (size) scratch of MPI_Testsome */
    MPI_Status  *statuses; /* (size) likewise */
    size_t       slot_count;
    Outbox       outbox;
    Buffer       message; /* scratch */
    double       heartbeat;
    double       wait;    /* how long the next idle sleep is */
    double       seen_at; /* when messages were last looked for */
    int          turn;    /* worker whose messages are read next */
    char         lost_text[LOST_TEXT_BYTES];
    bool         clean;
};

static Status post_receive(Crew *crew, int rank) {
    CrewWorker *worker = &crew->workers[rank];
    worker->has_message = false;
    return mpi_status(MPI_Irecv(worker->inbox, MESSAGE_NEWS_BYTES, MPI_BYTE, rank, MPI_ANY_TAG,
                                crew->comm, &crew->receives[rank]),
                      "MPI_Irecv");
}

static Status make_workers(Crew *crew) {
    const size_t size = (size_t)crew->size;
    crew->workers = calloc(size, sizeof *crew->workers);
    crew->receives = calloc(size, sizeof(MPI_Request));
    crew->arrived = calloc(size, sizeof *crew->arrived);
    crew->statuses = calloc(size, sizeof *crew->statuses);
    if (crew->workers == NULL || crew->receives == NULL || crew->arrived == NULL ||
        crew->statuses == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %d workers", crew->size);
    }
    for (size_t i = 0; i < size; i++) {
        crew->receives[i] = MPI_REQUEST_NULL;
    }
    for (size_t i = 1; i < size; i++) {
        crew->workers[i].inbox = malloc(MESSAGE_NEWS_BYTES);
        if (crew->workers[i].inbox == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for the messages of worker %zu", i);
        }
    }
    return STATUS_OK;
}

static Status start_receives(Crew *crew, const int64_t *slots) {
    const double now = clock_monotonic();
    crew->seen_at = now;
    for (int rank = 1; rank < crew->size; rank++) {
        CrewWorker *worker = &crew->workers[rank];
        worker->first_slot = crew->slot_count;
        worker->slot_count = (slots[rank] > 0) ? (size_t)slots[rank] : 0;
        crew->slot_count += worker->slot_count;
        worker->heard_at = now;
        worker->said_at = now;
        TRY(post_receive(crew, rank));
    }
    return STATUS_OK;
}

/* all that the workers take part in; local failures are kept for the end */
static Status start_together(Crew *crew, const CrewConfig *config, MPI_Comm comm) {
    CrewShare share;
    int64_t  *slots = NULL;
    Buffer    bytes;
    TRY(crew__communicator(comm, &crew->comm));
    TRY_MPI(MPI_Comm_size(crew->comm, &crew->size));
    Status local = make_workers(crew);
    slots = calloc((size_t)crew->size, sizeof *slots);
    if (slots == NULL) {
        local = FAILURE(STATUS_ERR_NOMEM, "no memory for %d workers", crew->size);
    }
    buffer_init(&bytes, CREW_CONFIG_BYTES);
    if (local == STATUS_OK) {
        local = message_write_config(config, &bytes);
    }
    if (local != STATUS_OK) {
        buffer_reset(&bytes);
    }
    Status status = crew__share_config(crew->comm, &bytes);
    buffer_reset(&bytes);
    if (status == STATUS_OK && local == STATUS_OK && slots != NULL) {
        status = crew__share_host(crew->comm, 0, 0, 0, &share);
        if (status == STATUS_OK) {
            status = crew__gather_slots(crew->comm, 0, slots);
        }
        if (status == STATUS_OK) {
            status = start_receives(crew, slots);
        }
    }
    free(slots);
    crew->clean =
        status == STATUS_OK && local != STATUS_OK; /* the workers leave, nothing is owed */
    return (local != STATUS_OK) ? local : status;
}

/* an empty configuration: the workers leave worker_main() at once */
static Status release_workers(MPI_Comm comm) {
    MPI_Comm own = MPI_COMM_NULL;
    Buffer   none;
    TRY(crew__communicator(comm, &own));
    buffer_init(&none, 1);
    TRY(crew__share_config(own, &none));
    return mpi_status(MPI_Comm_free(&own), "MPI_Comm_free");
}

Status crew_create(MPI_Comm comm, const CrewConfig *config, Crew **out) {
    *out = NULL;
    if (config == NULL) {
        return release_workers(comm);
    }
    Crew *crew = calloc(1, sizeof *crew);
    if (crew == NULL) {
        TRY(release_workers(comm));
        FAIL(STATUS_ERR_NOMEM, "no memory for the crew");
    }
    crew->comm = MPI_COMM_NULL;
    crew->heartbeat = config->heartbeat_seconds;
    crew->wait = least_wait_s;
    buffer_init(&crew->message, (size_t)2 * CREW_CONFIG_BYTES);
    const Status status = start_together(crew, config, comm);
    outbox_init(&crew->outbox, crew->comm);
    if (status != STATUS_OK) {
        crew_destroy(crew);
        return status;
    }
    *out = crew;
    return STATUS_OK;
}

void crew_destroy(Crew *crew) {
    if (crew == NULL) {
        return;
    }
    outbox_reset(&crew->outbox);
    buffer_reset(&crew->message);
    if (crew->workers != NULL && crew->receives != NULL) {
        for (int rank = 1; rank < crew->size; rank++) {
            if (crew->receives[rank] == MPI_REQUEST_NULL) {
                free(crew->workers[rank].inbox); /* else MPI may yet write to it */
            }
        }
    }
    if (crew->clean && crew->comm != MPI_COMM_NULL) {
        (void)MPI_Comm_free(&crew->comm);
    }
    free(crew->workers);
    free(crew->receives);
    free(crew->arrived);
    free(crew->statuses);
    free(crew);
}

/* ---- receiving ---- */

/* of a send: what fails is the worker, which find_lost() then tells, and not the study */
static Status only_worker(Crew *crew, Status status) {
    if (status != STATUS_ERR_MPI) {
        return status;
    }
    crew->workers[crew->outbox.failed].unreachable = true;
    return STATUS_OK;
}

static Status send_to(Crew *crew, int rank, MessageTag tag) {
    return only_worker(
        crew, outbox_send(&crew->outbox, rank, (int)tag, crew->message.data, crew->message.length));
}

static Status progress(Crew *crew) {
    size_t before = 0;
    do { /* each failure takes a message out */
        before = crew->outbox.outstanding;
        TRY(only_worker(crew, outbox_progress(&crew->outbox)));
    } while (crew->outbox.outstanding < before);
    return STATUS_OK;
}

/* @param count  out  how many receives are in crew->arrived; those that failed have an error in
 * their status, and only then is there any in one */
static Status test_receives(Crew *crew, int *count, bool *failures) {
    int class = MPI_SUCCESS;
    const int code = MPI_Testsome(crew->size, crew->receives, count, crew->arrived, crew->statuses);
    *failures = code != MPI_SUCCESS && MPI_Error_class(code, &class) == MPI_SUCCESS &&
                class == MPI_ERR_IN_STATUS;
    *count = (*count == MPI_UNDEFINED) ? 0 : *count;
    return *failures ? STATUS_OK : mpi_status(code, "MPI_Testsome");
}

/* takes note of what has come in; reads nothing of it. @param any  out  whether something has */
static Status look(Crew *crew, bool *any) {
    int          count = 0;
    bool         failures = false;
    const double now = clock_monotonic();
    const double away = now - crew->seen_at;
    *any = false;
    crew->seen_at = now;
    TRY(progress(crew));
    TRY(test_receives(crew, &count, &failures));
    for (int i = 0; i < count; i++) {
        CrewWorker *worker = &crew->workers[crew->arrived[i]];
        int         length = 0;
        if (failures && crew->statuses[i].MPI_ERROR != MPI_SUCCESS) {
            worker->unreachable = true;
            continue;
        }
        TRY_MPI(MPI_Get_count(&crew->statuses[i], MPI_BYTE, &length));
        const int tag = crew->statuses[i].MPI_TAG;
        worker->heard_at = now;
        worker->goodbye = worker->goodbye || tag == TAG_GOODBYE;
        worker->parting = worker->parting || worker->goodbye;
        worker->has_message = true;
        worker->reader = message_reader(worker->inbox, (tag == TAG_NEWS) ? (size_t)length : 0);
        *any = *any || tag == TAG_NEWS || tag == TAG_GOODBYE;
    }
    if (away > crew->heartbeat) { /* this process was stopped or busy, not they */
        for (int rank = 1; rank < crew->size; rank++) {
            crew->workers[rank].heard_at += away;
        }
    }
    return STATUS_OK;
}

static Status beat_to(Crew *crew, int rank) {
    CrewWorker *worker = &crew->workers[rank];
    /* one that said goodbye waits for the last word; one that fell silent is not waited for */
    if (worker->unreachable || (worker->lost && !worker->parting) ||
        crew->seen_at - worker->said_at < crew->heartbeat) {
        return STATUS_OK;
    }
    worker->said_at = crew->seen_at;
    return only_worker(crew, outbox_send(&crew->outbox, rank, TAG_BEAT, NULL, 0));
}

static Status beat(Crew *crew) {
    for (int rank = 1; rank < crew->size; rank++) {
        TRY(beat_to(crew, rank));
    }
    return STATUS_OK;
}

/* a worker that is given up; should it only have slept, this ends it when it wakes */
static Status give_up(Crew *crew, int rank) {
    crew->workers[rank].lost = true;
    buffer_clear(&crew->message);
    message_put_f64(&crew->message, 0.0);
    TRY(buffer_status(&crew->message));
    return send_to(crew, rank, TAG_STOP);
}

static bool is_silent(const Crew *crew, const CrewWorker *worker) {
    const double patience = SILENT_BEATS * crew->heartbeat;
    return worker->goodbye || worker->unreachable ||
           (!worker->has_message && crew->seen_at - worker->heard_at > patience);
}

/* one lost worker as a piece of news, if there is one */
static Status find_lost(Crew *crew, News *news, bool *got) {
    for (int rank = 1; rank < crew->size; rank++) {
        CrewWorker *worker = &crew->workers[rank];
        if (worker->lost || !is_silent(crew, worker)) {
            continue;
        }
        if (worker->goodbye) {
            (void)snprintf(crew->lost_text, LOST_TEXT_BYTES, "worker %d: it has ended", rank);
        } else if (worker->unreachable) {
            (void)snprintf(crew->lost_text, LOST_TEXT_BYTES,
                           "worker %d: the connection to it is broken", rank);
        } else {
            (void)snprintf(crew->lost_text, LOST_TEXT_BYTES, "worker %d: silent for %.1f s", rank,
                           crew->seen_at - worker->heard_at);
        }
        *news = (News){.kind = NEWS_LOST,
                       .worker = rank,
                       .text = crew->lost_text,
                       .slot = worker->first_slot,
                       .first_slot = worker->first_slot,
                       .slot_count = worker->slot_count};
        *got = true;
        return give_up(crew, rank);
    }
    return STATUS_OK;
}

/* the next piece of worker `rank`'s message; its receive is posted again once all is read */
static Status read_from(Crew *crew, int rank, News *news, bool *got) {
    CrewWorker *worker = &crew->workers[rank];
    if (message_at_end(&worker->reader)) {
        return worker->goodbye ? STATUS_OK : post_receive(crew, rank);
    }
    const Status status = message_read_news(&worker->reader, news);
    if (status != STATUS_OK) {
        return status_prefix("worker %d", rank);
    }
    const bool of_slot = news->kind != NEWS_WORKER && news->kind != NEWS_LOST;
    if (of_slot && news->slot >= worker->slot_count) {
        FAIL(STATUS_ERR_CORRUPT, "worker %d: a malformed message: slot %zu of %zu", rank,
             news->slot, worker->slot_count);
    }
    news->worker = rank;
    news->slot += worker->first_slot;
    news->first_slot = worker->first_slot;
    news->slot_count = worker->slot_count;
    worker->announced = worker->announced || news->kind == NEWS_WORKER;
    if (news->kind == NEWS_LOST) {
        worker->parting = true;
        if (worker->lost) { /* told already, when it was silent */
            return STATUS_OK;
        }
        worker->lost = true;
    }
    *got = true;
    return STATUS_OK;
}

/* goes round the workers that have sent something, from the one that was read last */
static Status read_next(Crew *crew, News *news, bool *got) {
    for (int i = 1; i < crew->size; i++) {
        const int rank = 1 + (crew->turn + i - 1) % (crew->size - 1);
        if (!crew->workers[rank].has_message) {
            continue;
        }
        TRY(read_from(crew, rank, news, got));
        if (*got) { /* the same one again until its message is read */
            crew->turn = rank - 1;
            return STATUS_OK;
        }
    }
    return STATUS_OK;
}

Status crew_poll(Crew *crew, News *news, bool *got) {
    bool any = false;
    *got = false;
    TRY(read_next(crew, news, got));
    TRY(look(crew, &any));
    TRY(beat(crew));
    if (!*got) {
        TRY(read_next(crew, news, got));
    }
    if (!*got) {
        TRY(find_lost(crew, news, got));
    }
    if (*got) {
        crew->wait = least_wait_s;
    }
    return STATUS_OK;
}

static bool has_unread(const Crew *crew) {
    for (int rank = 1; rank < crew->size; rank++) {
        const CrewWorker *worker = &crew->workers[rank];
        if (worker->has_message && !message_at_end(&worker->reader)) {
            return true;
        }
    }
    return false;
}

/* posts the receives again of workers whose message is read (or dropped) */
static Status receive_again(Crew *crew) {
    for (int rank = 1; rank < crew->size; rank++) {
        const CrewWorker *worker = &crew->workers[rank];
        if (!worker->has_message || worker->goodbye) {
            continue;
        }
        TRY(post_receive(crew, rank));
    }
    return STATUS_OK;
}

void crew_wait(Crew *crew, double seconds) {
    const double deadline = clock_monotonic() + seconds;
    while (!has_unread(crew)) {
        bool         came = false;
        const double left = deadline - clock_monotonic();
        /* a failure shows again in crew_poll() */
        if (receive_again(crew) != STATUS_OK || look(crew, &came) != STATUS_OK ||
            beat(crew) != STATUS_OK || came || left <= 0.0) {
            return;
        }
        clock_sleep((left < crew->wait) ? left : crew->wait);
        crew->wait *= wait_growth;
        crew->wait = (crew->wait < most_wait_s) ? crew->wait : most_wait_s;
    }
}

size_t crew_workers(const Crew *crew) {
    size_t count = 0;
    for (int rank = 1; rank < crew->size; rank++) {
        count += crew->workers[rank].lost ? 0 : 1;
    }
    return count;
}

/* ---- sending ---- */

static Status send_to_slot(Crew *crew, size_t slot, MessageTag tag) {
    for (int rank = 1; rank < crew->size; rank++) {
        CrewWorker *worker = &crew->workers[rank];
        if (slot - worker->first_slot >= worker->slot_count) {
            continue;
        }
        if (worker->lost || !worker->announced) {
            FAIL(STATUS_ERR_STATE, "slot %zu: its worker %d %s", slot, rank,
                 worker->lost ? "is lost" : "has not said hello");
        }
        worker->said_at = clock_monotonic();
        crew->wait = least_wait_s;
        return send_to(crew, rank, tag);
    }
    FAIL(STATUS_ERR_ARG, "there is no slot %zu; there are %zu", slot, crew->slot_count);
}

/* the slot's number as its worker counts */
static size_t local_slot(const Crew *crew, size_t slot) {
    for (int rank = 1; rank < crew->size; rank++) {
        const CrewWorker *worker = &crew->workers[rank];
        if (slot - worker->first_slot < worker->slot_count) {
            return slot - worker->first_slot;
        }
    }
    return 0;
}

Status crew_order(Crew *crew, size_t slot, const Order *order) {
    buffer_clear(&crew->message);
    TRY(message_write_order(local_slot(crew, slot), order, &crew->message));
    return send_to_slot(crew, slot, TAG_ORDER);
}

static Status send_slot(Crew *crew, size_t slot, MessageTag tag) {
    buffer_clear(&crew->message);
    message_put_i64(&crew->message, (int64_t)local_slot(crew, slot));
    TRY(buffer_status(&crew->message));
    return send_to_slot(crew, slot, tag);
}

Status crew_yield(Crew *crew, size_t slot) {
    return send_slot(crew, slot, TAG_YIELD);
}

Status crew_cancel(Crew *crew, size_t slot) {
    return send_slot(crew, slot, TAG_CANCEL);
}

/* ---- the end ---- */

static int missing_goodbyes(const Crew *crew) {
    int missing = 0;
    for (int rank = 1; rank < crew->size; rank++) {
        missing += crew->workers[rank].goodbye ? 0 : 1;
    }
    return missing;
}

/* news that nobody took is dropped; @return with all goodbyes, or late */
static Status wait_goodbyes(Crew *crew, double deadline) {
    while (missing_goodbyes(crew) > 0 && clock_monotonic() < deadline) {
        bool any = false;
        TRY(receive_again(crew));
        TRY(look(crew, &any));
        TRY(beat(crew));
        if (!any) {
            clock_sleep(least_wait_s);
        }
    }
    return STATUS_OK;
}

static Status tell_all(Crew *crew, MessageTag tag, double value) {
    buffer_clear(&crew->message);
    message_put_f64(&crew->message, value);
    TRY(buffer_status(&crew->message));
    for (int rank = 1; rank < crew->size; rank++) {
        TRY(send_to(crew, rank, tag));
    }
    return STATUS_OK;
}

Status crew_stop(Crew *crew, double grace, bool *clean) {
    const double begin = clock_monotonic();
    *clean = false;
    TRY(tell_all(crew, TAG_STOP, grace));
    TRY(wait_goodbyes(crew, begin + grace + goodbye_s));
    crew->clean = missing_goodbyes(crew) == 0;
    TRY(tell_all(crew, TAG_END, crew->clean ? 1.0 : 0.0));
    TRY(progress(crew));
    while (crew->outbox.outstanding > 0 && clock_monotonic() < begin + grace + last_word_s) {
        clock_sleep(least_wait_s);
        TRY(progress(crew));
    }
    *clean = crew->clean;
    return STATUS_OK;
}
