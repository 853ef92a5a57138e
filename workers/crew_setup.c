#include "workers/crew_setup.h"

#include "workers/mpi_status.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

/* What one rank tells the others of its host. Ranks share where one kernel runs them: MPI's own
 * idea of a host (MPI_COMM_TYPE_SHARED) is its launcher's, and mbtune's gives every rank a host
 * name of its own (tuner/launcher.c). */
typedef struct Claim {
    uint64_t  host;
    int64_t   rank; /* of the crew */
    int64_t   slots;
    int64_t   cores; /* that its slots need together */
    int64_t   gpus;  /* likewise */
    uint64_t  gpu_list;
    cpu_set_t allowed;
} Claim;

/* what the ranks on the host of rank `own` claim, and where its part of it begins */
static void divide(const Claim *claims, int count, int own, CrewShare *out) {
    const Claim *mine = &claims[own];
    int64_t      cores_before = 0;
    int64_t      cores = 0;
    for (int i = 0; i < count; i++) {
        const Claim *claim = &claims[i];
        if (claim->host != mine->host) {
            continue; /* another host whose key gave the same colour */
        }
        out->host_slots += claim->slots;
        if (claim->slots > 0 && (out->host_worker < 0 || claim->rank < out->host_worker)) {
            out->host_worker = claim->rank;
        }
        if (CPU_EQUAL(&claim->allowed, &mine->allowed)) {
            cores_before += (i < own) ? claim->cores : 0;
            cores += claim->cores;
        }
        if (claim->gpu_list == mine->gpu_list) {
            out->first_gpu += (i < own) ? claim->gpus : 0;
            out->gpus_wanted += claim->gpus;
        }
    }
    out->first_core = (cores == CPU_COUNT(&mine->allowed)) ? cores_before : -1;
}

static Status share_on_host(MPI_Comm host, const Claim *own, CrewShare *out) {
    int count = 0;
    int rank = 0;
    TRY_MPI(MPI_Comm_size(host, &count));
    TRY_MPI(MPI_Comm_rank(host, &rank));
    Claim *claims = calloc((size_t)count, sizeof *claims);
    /* memory for a few bytes per rank: without it this process is at its end anyway */
    if (claims == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %d ranks", count);
    }
    const int code =
        MPI_Allgather(own, (int)sizeof *own, MPI_BYTE, claims, (int)sizeof *claims, MPI_BYTE, host);
    if (code == MPI_SUCCESS) {
        divide(claims, count, rank, out);
    }
    free(claims);
    return mpi_status(code, "MPI_Allgather");
}

Status crew__share_host(MPI_Comm comm, int64_t slots, int64_t cores, int64_t gpus, CrewShare *out) {
    MPI_Comm host = MPI_COMM_NULL;
    int      rank = 0;
    Claim    own;
    memset(&own, 0, sizeof own);
    memset(out, 0, sizeof *out);
    out->first_core = -1;
    out->host_worker = -1;
    if (sched_getaffinity(0, sizeof out->cores, &out->cores) != 0) {
        CPU_ZERO(&out->cores);
    }
    host_gpus(&out->gpus);
    TRY_MPI(MPI_Comm_rank(comm, &rank));
    own.host = host_key();
    own.rank = rank;
    own.slots = slots;
    own.cores = slots * cores;
    own.gpus = slots * gpus;
    own.gpu_list = host_gpus_key(&out->gpus);
    own.allowed = out->cores;
    TRY_MPI(MPI_Comm_split(comm, (int)(own.host % INT_MAX), 0, &host));
    const Status status = share_on_host(host, &own, out);
    TRY(mpi_status(MPI_Comm_free(&host), "MPI_Comm_free"));
    return status;
}
