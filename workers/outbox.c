#include "workers/outbox.h"

#include "workers/mpi_status.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ENTRIES = 16 };

Status mpi_status(int code, const char *call) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int  length = 0;
    if (code == MPI_SUCCESS) {
        return STATUS_OK;
    }
    (void)MPI_Error_string(code, text, &length);
    FAIL_NATIVE(STATUS_ERR_MPI, code, "%.80s: %.300s", call, text);
}

void outbox_init(Outbox *outbox, MPI_Comm comm) {
    memset(outbox, 0, sizeof *outbox);
    outbox->comm = comm;
}

void outbox_reset(Outbox *outbox) {
    for (size_t i = 0; i < outbox->count; i++) {
        if (outbox->entries[i].request == MPI_REQUEST_NULL) {
            free(outbox->entries[i].bytes);
        }
    }
    free(outbox->entries);
    memset(outbox, 0, sizeof *outbox);
}

static Status grow(Outbox *outbox) {
    const size_t count = (outbox->count == 0) ? FIRST_ENTRIES : 2 * outbox->count;
    OutboxEntry *entries = calloc(count, sizeof *entries);
    if (entries == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu outgoing messages", count);
    }
    if (outbox->count > 0) {
        memcpy(entries, outbox->entries, outbox->count * sizeof *entries);
    }
    for (size_t i = outbox->count; i < count; i++) {
        entries[i].request = MPI_REQUEST_NULL;
    }
    free(outbox->entries);
    outbox->entries = entries;
    outbox->count = count;
    return STATUS_OK;
}

static Status free_entry(Outbox *outbox, OutboxEntry **out) {
    if (outbox->outstanding == outbox->count) {
        TRY(grow(outbox));
    }
    size_t i = 0;
    while (outbox->entries[i].request != MPI_REQUEST_NULL) {
        i++;
    }
    *out = &outbox->entries[i];
    return STATUS_OK;
}

Status outbox_send(Outbox *outbox, int rank, int tag, const void *bytes, size_t length) {
    OutboxEntry *entry = NULL;
    if (length > INT_MAX) {
        FAIL(STATUS_ERR_RANGE, "a message of %zu bytes is too long", length);
    }
    TRY(free_entry(outbox, &entry));
    if (length > entry->capacity) {
        unsigned char *grown = realloc(entry->bytes, length);
        if (grown == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for a message of %zu bytes", length);
        }
        entry->bytes = grown;
        entry->capacity = length;
    }
    if (length > 0) {
        memcpy(entry->bytes, bytes, length);
    }
    /* NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker): outbox_progress() tests it */
    const int code =
        MPI_Isend(entry->bytes, (int)length, MPI_BYTE, rank, tag, outbox->comm, &entry->request);
    if (code != MPI_SUCCESS) {
        entry->request = MPI_REQUEST_NULL;
        outbox->failed = rank;
        return mpi_status(code, "MPI_Isend");
    }
    entry->rank = rank;
    outbox->outstanding++;
    return STATUS_OK;
    /* NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker) */
}

Status outbox_progress(Outbox *outbox) {
    size_t seen = 0;
    for (size_t i = 0; i < outbox->count && outbox->outstanding > 0; i++) {
        if (outbox->entries[i].request == MPI_REQUEST_NULL) {
            continue;
        }
        int       done = 0;
        const int code = MPI_Test(&outbox->entries[i].request, &done, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS) { /* MPI is done with it: it has no second error */
            outbox->entries[i].request = MPI_REQUEST_NULL;
            outbox->outstanding--;
            outbox->failed = outbox->entries[i].rank;
            return mpi_status(code, "MPI_Test");
        }
        if (done) {
            outbox->entries[i].request = MPI_REQUEST_NULL;
            outbox->outstanding--;
        } else if (++seen >= outbox->outstanding) {
            break;
        }
    }
    return STATUS_OK;
}
