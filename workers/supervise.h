/** @file supervise.h  The small process between a worker and a trainer (`mbtune supervise`).
 *
 * Own process group, parent-death signal, subreaper, MPI variables removed, cores bound, resident
 * size of the group watched. Its trainer, and all that the trainer started, never outlive the
 * worker.
 */
#ifndef WORKERS_SUPERVISE_H
#define WORKERS_SUPERVISE_H

#include "core/status.h"

/** Set in the environment of a trainer that a worker runs: the signals of the job are not its own.
 */
#define SUPERVISED_VARIABLE "MBTUNE_SUPERVISED"

/**
 * `mbtune supervise [--memory BYTES] [--cores LIST] [--threads N] [--report-fd N] [--parent PID]
 * -- COMMAND...`
 * Runs COMMAND with its own stdin, stdout and stderr and waits for its end. On the report
 * descriptor it writes one line: "exit CODE", "signal NUMBER", "out_of_memory BYTES", "start
 * ERRNO". SIGTERM (also the one that the kernel sends when the parent dies) kills all at once and
 * reports "signal 15"; with --parent only the parent's: a batch system sends one to every process
 * of a job.
 *
 *   --memory BYTES   limit of the resident size of all descendants, read every 0.2 s; 0 = none
 *   --cores LIST     "0,2-3": binds to these cores
 *   --threads N      OMP_NUM_THREADS and OPENBLAS_NUM_THREADS where unset; default: number of cores
 *   --parent PID     ends at once if PID is not the parent (it died before the death signal was
 * set)
 *
 * @param argv  argv[0] is "supervise"
 * @return exit status for the process: the command's own, 128 + signal, 127 if it could not start,
 *         2 with a sentence on stderr for wrong usage
 */
int supervise_main(int argc, char **argv);

#endif
