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
    bool         in_slurm;     /* a signal is followed by another 30 s later */
    double       end_time;     /* s since 1970: this run must be over by then; 0 = any time */
    bool         is_visit;     /* the log is replayed, and the study stays in the state it is in */
    bool         is_dry_run;   /* a visit that leaves the disk alone too */
    /* `mbtune evaluate`: evaluate this segment (0 = the best) instead of going on; 0 episodes = run
     */
    int64_t  evaluate_segment;
    int64_t  evaluate_episodes;
    uint64_t evaluate_seed; /* 0 = drawn from the study's seed */
} CoordinatorSetup;

typedef struct CoordinatorOutcome {
    int  exit_status; /* CLI_EXIT_DONE, CLI_EXIT_FAILED or CLI_EXIT_RESUMABLE */
    bool again;       /* CLI_EXIT_RESUMABLE: nobody has to mend anything before the next run */
    bool finalize;    /* all workers said goodbye, so that MPI_Finalize is safe */
} CoordinatorOutcome;

/**
 * Runs or resumes a study until it is done, fails or is interrupted (SIGINT, SIGTERM: what runs
 * yields within 10 s, in a Slurm job 22 s; a second SIGINT: at once; setup->end_time: what runs
 * ends its unit in time). All other ranks of `comm` must be in worker_main().
 * @return STATUS_OK (also where the study failed); what could not be done otherwise, with the
 *         outcome set: a full disk, say, is CLI_EXIT_RESUMABLE
 */
Status coordinator_run(const CoordinatorSetup *setup, MPI_Comm comm,
                       CoordinatorOutcome *outcome) MUST_USE;

#endif
