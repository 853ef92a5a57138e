/** @file slurm.h  The Slurm job that this process runs in: its nodes, its end, starting it again.
 *
 * What Slurm says stands in the environment of a batch script or of `salloc`; what does not
 * (Slurm 22.05 tells a job no end time) is asked with squeue and scontrol, which have a deadline.
 */
#ifndef TUNER_SLURM_H
#define TUNER_SLURM_H

#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SLURM_NAME_BYTES = 256 };

typedef struct SlurmNode {
    char    name[SLURM_NAME_BYTES];
    int64_t cpus; /* that the job may use there, >= 1 */
} SlurmNode;

/** True in a batch script or under salloc, outside of a step; the shell that salloc runs on the
 * first node counts as outside. */
bool slurm_in_job(void);
/** The nodes of this job in Slurm's order. @param nodes  out  (count) the caller frees it
 * @return STATUS_OK; STATUS_ERR_STATE if Slurm's words cannot be understood; STATUS_ERR_NOMEM */
Status slurm_nodes(SlurmNode **nodes, size_t *count) MUST_USE;
/** When this job's time is over, in s since 1970; INFINITY if it has no end, NAN if Slurm does not
 * say in time. */
double slurm_end_time(void);
/** Has the job been started again by `scontrol requeue`, and how often? 0 if never. */
int64_t slurm_restarts(void);
/**
 * Puts this batch job back into the queue, unless it was cancelled, within 40 s. Slurm then ends
 * it. For a process that is about to end: SIGINT and SIGHUP end it from here on also where they
 * were blocked, SIGTERM does not.
 * @return STATUS_OK; STATUS_ERR_STATE with the reason why not
 */
Status slurm_requeue(void) MUST_USE;

/**
 * Slurm's counts per node: "4(x2),3" is 4, 4, 3.
 * @param most    in   places in `counts`
 * @param counts  out  (count)
 * @return STATUS_OK; STATUS_ERR_PARSE; STATUS_ERR_RANGE for more than `most`
 */
Status slurm_parse_counts(const char *text, size_t most, int64_t *counts, size_t *count) MUST_USE;
/**
 * Slurm's durations: "90" (minutes), "90:30", "2:00:00", "1-12", "1-12:30", "1-12:30:00".
 * @param seconds  out  INFINITY for UNLIMITED
 * @return STATUS_OK; STATUS_ERR_PARSE
 */
Status slurm_parse_time(const char *text, double *seconds) MUST_USE;

#endif
