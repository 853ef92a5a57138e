/** @file launch.h  Starting mbtune under mpiexec from a plain command line, and telling its
 * outcome.
 *
 * Hydra's exit status is whatever rank ended worst, so the coordinator writes its own to a small
 * file in the launching process' memory (named by MBTUNE_LAUNCH; launch_report.h). The same file
 * tells the launcher which process to pass signals to: mpiexec itself would kill its ranks.
 */
#ifndef TUNER_LAUNCH_H
#define TUNER_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>

/** True if this process is a rank that mpiexec or srun started. */
bool launch_under_mpi(void);
/** True if mbtune started mpiexec itself (launch_self()). */
bool launch_is_own(void);
/** Cores in this process' affinity mask. */
size_t launch_cores(void);
/** The program that starts ranks: what the build found, "mpiexec.mpich" where it found none. */
const char *launch_mpiexec(void);
/** Absolute path of the running binary; the caller frees it; NULL if it cannot be found. */
char *launch_binary(void);
/**
 * Runs this binary with `argv` (from the command's name on, ends at NULL) again as 1 + `workers`
 * ranks under mpiexec and waits. SIGINT, SIGTERM and SIGHUP are passed to the coordinator. When it
 * returns, none of the processes is left, also not stopped ones.
 * @return exit status of the coordinator; CLI_EXIT_RESUMABLE if it died without a word, or if the
 *         ranks did not come together
 */
int launch_self(size_t workers, char **argv);
/** Coordinator: says who it is, so that the launcher can pass signals. No-op without a launcher. */
void launch_report_start(void);
/** Coordinator: all ranks have joined; from now on the study survives their death. Likewise. */
void launch_report_joined(void);
/** Coordinator: how it ended, and whether MPI_Finalize follows. Likewise. */
void launch_report_exit(int status, bool finalize);
/** True where NO_COLOR is set. */
bool launch_plain(void);
/** Coordinator: columns of the user's terminal behind the launcher, 0 if it is none. */
int launch_columns(void);

#endif
