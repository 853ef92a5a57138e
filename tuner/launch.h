/** @file launch.h  Starting mbtune as ranks from a plain command line, and telling its outcome.
 *
 * In a Slurm job the ranks are started by srun, on all of its nodes, elsewhere by mpiexec, on this
 * host. Hydra's exit status is whatever rank ended worst, so the coordinator writes its own to a
 * small file (named by MBTUNE_LAUNCH; launch_report.h) in the launching process' memory, or, under
 * srun, in the study's logs/, which a launcher that is killed leaves there. The same file tells the
 * launcher which process to pass signals to: mpiexec itself would kill its ranks.
 */
#ifndef TUNER_LAUNCH_H
#define TUNER_LAUNCH_H

#include "core/buffer.h"
#include "tuner/coordinator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LaunchSetup {
    bool        by_srun; /* in the Slurm job that this process runs in; else by mpiexec, here */
    int64_t     workers; /* worker ranks; srun: 0 = as many as fit on the nodes of the job */
    int64_t     cores;   /* that one worker needs */
    int64_t     most_per_node; /* srun: workers that the GPUs of a node allow, >= 1 */
    const char *folder;        /* srun: for files of the launch, one that all nodes see */
} LaunchSetup;

typedef struct LaunchOutcome {
    int status; /* exit status of the coordinator; CLI_EXIT_RESUMABLE if it died without a word, or
                   if the ranks did not come together */
    bool again; /* CLI_EXIT_RESUMABLE: what ended it passes by itself (the end of an allocation, a
                   signal, lost workers), so that the same command may be run again at once */
} LaunchOutcome;

/** True if this process is a rank that mpiexec or srun started. */
bool launch_under_mpi(void);
/** True if mbtune started mpiexec itself (launch_self()). */
bool launch_is_own(void);
/** Cores in this process' affinity mask. */
size_t launch_cores(void);
/** The program that starts ranks: what the build found, "mpiexec.mpich" where it found none. */
const char *launch_mpiexec(void);
enum { LAUNCH_MPIEXEC_WORDS = 8 };
/**
 * The command line that starts ranks on this host, up to the program's own: mpiexec and options.
 * @param ranks_text  in   `ranks` as text; kept
 * @param hosts       out  memory of one of the words, for as long as they are used
 * @param arguments   out  (<= LAUNCH_MPIEXEC_WORDS) the first one may be NULL when memory is out
 * @return how many
 */
size_t launch_mpiexec_words(size_t ranks, char *ranks_text, Buffer *hosts, char **arguments);
/** Absolute path of the running binary; the caller frees it; NULL if it cannot be found. */
char *launch_binary(void);
/**
 * Runs this binary with `argv` (from the command's name on, ends at NULL) again as ranks and waits.
 * SIGINT, SIGTERM and SIGHUP (unless it is ignored: nohup) are passed to the coordinator; in a
 * Slurm job SIGUSR1 too, which comes before the end of its time (`sbatch --signal`), where that is
 * not known otherwise. When it returns, none of the processes on this host is left, also not
 * stopped ones.
 */
LaunchOutcome launch_self(const LaunchSetup *setup, char **argv);
/** When this run must be over by what the launcher knows, in s since 1970; 0 if nothing says. */
double launch_end_time(void);
/** Tells the ranks so. */
void launch_set_end_time(double when);
/** Coordinator: says who it is, so that the launcher can pass signals. No-op without a launcher. */
void launch_report_start(void);
/** Coordinator: all ranks have joined; from now on the study survives their death. Likewise. */
void launch_report_joined(void);
/** Coordinator: how it ended. Likewise. */
void launch_report_exit(const CoordinatorOutcome *outcome);
/** Removes what launchers that were killed left in `folder`, a study's logs/. Only for whoever
 * holds the study's lock: the launcher of a coordinator at work has its files there too. */
void launch_remove_leftovers(const char *folder);
/** True where NO_COLOR is set. */
bool launch_plain(void);
/** Coordinator: columns of the user's terminal behind the launcher, 0 if it is none. */
int launch_columns(void);

#endif
