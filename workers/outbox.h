/** @file outbox.h  Nonblocking sends: each message is copied and forgotten by the caller.
 *
 * Towards a dead rank a send never completes and a blocking one never returns; here it only stays
 * in the list. Completed entries are used again, so that a loop in its steady state allocates
 * nothing.
 */
#ifndef WORKERS_OUTBOX_H
#define WORKERS_OUTBOX_H

#include "core/status.h"

#include <mpi.h>
#include <stddef.h>

typedef struct OutboxEntry {
    MPI_Request    request; /* MPI_REQUEST_NULL = free */
    int            rank;
    unsigned char *bytes;
    size_t         capacity;
} OutboxEntry;

typedef struct Outbox {
    MPI_Comm     comm;
    OutboxEntry *entries;
    size_t       count;
    size_t       outstanding;
    int          failed; /* the rank that the last STATUS_ERR_MPI was about */
} Outbox;

void outbox_init(Outbox *outbox, MPI_Comm comm);
/** Waits for nothing: what is still under way keeps its memory (MPI may yet read it). */
void outbox_reset(Outbox *outbox);
/** @return STATUS_OK, STATUS_ERR_NOMEM; STATUS_ERR_MPI if `rank` cannot be reached (over a network,
 * once its host has gone; MPI does not mend the connection): the message is dropped */
Status outbox_send(Outbox *outbox, int rank, int tag, const void *bytes, size_t length) MUST_USE;
/** Tests what is under way. @return STATUS_OK; STATUS_ERR_MPI if a message could not be sent to
 * rank `failed`: it is dropped, the others are not, and the next call goes on with them */
Status outbox_progress(Outbox *outbox) MUST_USE;

#endif
