/** @file crew_setup.h  The collective start that crew_create() and worker_main() share.
 *
 * Every rank goes through the same calls whatever failed on it before, so that no rank is left
 * waiting; a failure of rank 0 arrives as an empty configuration.
 */
#ifndef WORKERS_CREW_SETUP_H
#define WORKERS_CREW_SETUP_H

#include "core/buffer.h"
#include "core/status.h"
#include "workers/host.h"

#include <mpi.h>
#include <sched.h>
#include <stdint.h>

enum { CREW_CONFIG_BYTES = 4 * 1024 * 1024 };

/** A private communicator that returns errors. Collective. */
Status crew__communicator(MPI_Comm comm, MPI_Comm *out) MUST_USE;
/** Rank 0 gives `config`, the others get it; empty = rank 0 failed. Collective. */
Status crew__share_config(MPI_Comm comm, Buffer *config) MUST_USE;
/** Slots of every rank, on rank 0; 0 for itself. `counts` (ranks) may be NULL elsewhere.
 * Collective. */
Status crew__gather_slots(MPI_Comm comm, int64_t slots, int64_t *counts) MUST_USE;

/** What a rank has of its host. */
typedef struct CrewShare {
    cpu_set_t cores;       /* that this rank may use */
    int64_t   first_core;  /* index of its first own one among them; -1 = do not bind */
    HostGpus  gpus;        /* that it may use */
    int64_t   first_gpu;   /* index of its first own one among them */
    int64_t   gpus_wanted; /* by all ranks that share these GPUs; they suffice if gpus.count does */
    int64_t   host_slots;  /* of all ranks under this kernel */
    int64_t   host_worker; /* the lowest rank among these; -1 = none has slots */
} CrewShare;

/**
 * Shares out the cores and GPUs of every host. Ranks under one kernel that may use the same ones
 * take theirs in order of rank, whatever the launcher calls their hosts; they bind their trainers
 * only if that uses every core exactly once, so that two small studies side by side do not both sit
 * on core 0.
 * @param slots  of this rank (0 for the coordinator)
 * @param cores  that one slot needs
 * @param gpus   likewise
 * Collective.
 */
Status crew__share_host(MPI_Comm comm, int64_t slots, int64_t cores, int64_t gpus,
                        CrewShare *out) MUST_USE;

#endif
