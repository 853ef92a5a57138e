/** @file coordinator.h  Rank 0: asks the scheduler, commits, sends work out, takes results in.
 *
 * The way of one result: metrics stream into the open transaction; `finished` becomes a row with
 * its objectives; the scheduler observes it and decides; the next decision is in the same
 * transaction; the commit is durable; only then the next order leaves. A study goes through phases:
 * tune (the study's scheduler), confirm (best schedules and defaults from scratch), evaluate.
 */
#ifndef TUNER_COORDINATOR_H
#define TUNER_COORDINATOR_H

#include "core/status.h"
#include "tuner/study_file.h"
#include "tuner/study_folder.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct CoordinatorSetup {
    const Study *study;
    StudyFolder *folder;  /* initialised; made and locked here */
    bool         quiet;   /* errors only */
    int          columns; /* of the terminal that shows the progress; 0 = plain lines */
    bool         colour;
    double       lock_seconds; /* how long another mbtune may hold the study */
    /* `mbtune evaluate`: evaluate this segment (0 = the best) instead of going on; 0 episodes = run
     */
    int64_t  evaluate_segment;
    int64_t  evaluate_episodes;
    uint64_t evaluate_seed; /* 0 = drawn from the study's seed */
} CoordinatorSetup;

/**
 * Runs or resumes a study until it is done, fails or is interrupted (SIGINT, SIGTERM: what runs
 * yields within 10 s; a second SIGINT: at once).
 * @param exit_status  out  CLI_EXIT_DONE, CLI_EXIT_FAILED or CLI_EXIT_RESUMABLE
 * @param finalize     out  true if all workers said goodbye, so that MPI_Finalize is safe
 * @return STATUS_OK (also where the study failed); what could not be done otherwise, with the exit
 * status set: a full disk, say, is CLI_EXIT_RESUMABLE MPI: all other ranks of `comm` must be in
 * worker_main().
 */
Status coordinator_run(const CoordinatorSetup *setup, MPI_Comm comm, int *exit_status,
                       bool *finalize) MUST_USE;

#endif
