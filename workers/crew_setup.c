#include "workers/crew_setup.h"

#include "workers/mpi_status.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Status crew__communicator(MPI_Comm comm, MPI_Comm *out) {
    *out = MPI_COMM_NULL;
    TRY_MPI(MPI_Comm_dup(comm, out));
    TRY_MPI(MPI_Comm_set_errhandler(*out, MPI_ERRORS_RETURN));
    return STATUS_OK;
}

Status crew__share_config(MPI_Comm comm, Buffer *config) {
    int  rank = 0;
    long length = (long)config->length;
    TRY_MPI(MPI_Comm_rank(comm, &rank));
    TRY_MPI(MPI_Bcast(&length, 1, MPI_LONG, 0, comm));
    if (length <= 0) {
        return STATUS_OK;
    }
    /* without memory the broadcast must still be taken part in: in pieces, on the stack */
    enum { PIECE = 4096 };
    char piece[PIECE];
    for (long at = 0; at < length; at += PIECE) {
        const int size = (int)((length - at < PIECE) ? length - at : PIECE);
        if (rank == 0) {
            memcpy(piece, config->data + at, (size_t)size);
        }
        TRY_MPI(MPI_Bcast(piece, size, MPI_BYTE, 0, comm));
        if (rank != 0) {
            buffer_append(config, piece, (size_t)size);
        }
    }
    return STATUS_OK;
}

Status crew__gather_slots(MPI_Comm comm, int64_t slots, int64_t *counts) {
    return mpi_status(MPI_Gather(&slots, 1, MPI_INT64_T, counts, 1, MPI_INT64_T, 0, comm),
                      "MPI_Gather");
}

typedef struct Share {
    uint64_t  host;
    int64_t   wanted;
    cpu_set_t cores;
} Share;

/* Ranks share cores where one kernel runs them. MPI's own idea of a host (MPI_COMM_TYPE_SHARED) is
 * its launcher's, and mbtune's gives every rank a host name of its own (tuner/launcher.c). */
static uint64_t host_key(void) {
    char     text[256] = "";
    uint64_t key = UINT64_C(14695981039346656037); /* FNV-1a, 64 bits */
    FILE    *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file == NULL || fgets(text, sizeof text, file) == NULL) {
        (void)gethostname(text, sizeof text - 1);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    for (const char *at = text; *at != '\0'; at++) {
        key = (key ^ (unsigned char)*at) * UINT64_C(1099511628211);
    }
    return key;
}

static int64_t first_core(const Share *shares, int count, int own) {
    int64_t before = 0;
    int64_t total = 0;
    for (int i = 0; i < count; i++) {
        if (shares[i].host != shares[own].host ||
            !CPU_EQUAL(&shares[i].cores, &shares[own].cores)) {
            continue;
        }
        before += (i < own) ? shares[i].wanted : 0;
        total += shares[i].wanted;
    }
    return (total == CPU_COUNT(&shares[own].cores)) ? before : -1;
}

static Status share_on_host(MPI_Comm host, const Share *own, int64_t *first) {
    int count = 0;
    int rank = 0;
    TRY_MPI(MPI_Comm_size(host, &count));
    TRY_MPI(MPI_Comm_rank(host, &rank));
    Share *shares = calloc((size_t)count, sizeof *shares);
    /* memory for a few bytes per rank: without it this process is at its end anyway */
    if (shares == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %d ranks", count);
    }
    const int code =
        MPI_Allgather(own, (int)sizeof *own, MPI_BYTE, shares, (int)sizeof *shares, MPI_BYTE, host);
    if (code == MPI_SUCCESS) {
        *first = first_core(shares, count, rank);
    }
    free(shares);
    return mpi_status(code, "MPI_Allgather");
}

Status crew__share_cores(MPI_Comm comm, int64_t wanted, cpu_set_t *cores, int64_t *first) {
    MPI_Comm host = MPI_COMM_NULL;
    Share    own;
    memset(&own, 0, sizeof own);
    own.host = host_key();
    own.wanted = wanted;
    *first = -1;
    if (sched_getaffinity(0, sizeof own.cores, &own.cores) != 0) {
        CPU_ZERO(&own.cores);
    }
    *cores = own.cores;
    /* two hosts of one colour are told apart by first_core() */
    TRY_MPI(MPI_Comm_split(comm, (int)(own.host % INT_MAX), 0, &host));
    const Status status = share_on_host(host, &own, first);
    TRY(mpi_status(MPI_Comm_free(&host), "MPI_Comm_free"));
    return status;
}
