/** @file supervise.h  The small process between a worker and a trainer (`mbtune supervise`).
 *
 * Own process group, parent-death signal, subreaper, MPI variables removed, cores bound, resident
 * size of the group watched. Its trainer, and all that the trainer started, never outlive the worker.
 */
#ifndef WORKERS_SUPERVISE_H
#define WORKERS_SUPERVISE_H

#include "core/status.h"

/**
 * `mbtune supervise [--memory BYTES] [--cores LIST] [--report-fd N] [--parent PID] -- COMMAND...`
 * Runs COMMAND with its own stdin, stdout and stderr and waits for its end. On the report
 * descriptor it writes one line: "exit CODE", "signal NUMBER", "out_of_memory BYTES", "start ERRNO".
 * @return exit status for the process: the command's own, 128 + signal, 127 if it could not start
 */
int supervise_main(int argc, char **argv);

#endif
