/** @file crew_setup.h  The collective start that crew_create() and worker_main() share.
 *
 * Every rank goes through the same calls whatever failed on it before, so that no rank is left
 * waiting; a failure of rank 0 arrives as an empty configuration.
 */
#ifndef WORKERS_CREW_SETUP_H
#define WORKERS_CREW_SETUP_H

#include "core/buffer.h"
#include "core/status.h"

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

/**
 * Where this rank's cores begin. Ranks under one kernel that may use the same cores share them out
 * in order of rank, whatever the launcher calls their hosts; they bind their trainers only if that
 * uses every core exactly once, so that two small studies side by side do not both sit on core 0.
 * @param wanted  cores that this rank's slots need (0 for the coordinator)
 * @param cores   out  the cores that this rank may use
 * @param first   out  index of its first own one among them; -1 = do not bind
 * Collective.
 */
Status crew__share_cores(MPI_Comm comm, int64_t wanted, cpu_set_t *cores, int64_t *first) MUST_USE;

#endif
