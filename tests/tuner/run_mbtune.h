/** @file run_mbtune.h  Running the real program in tests: start, wait, kill parts of it, compare
 * what it left. */
#ifndef TESTS_TUNER_RUN_MBTUNE_H
#define TESTS_TUNER_RUN_MBTUNE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RUN_OUTPUT_BYTES = 1 << 16, RUN_MAX_ARGUMENTS = 32 };

/** A started mbtune. */
typedef struct Run {
    pid_t  pid;
    int    output; /* reading end of its stdout and stderr */
    char   text[RUN_OUTPUT_BYTES];
    size_t length;
} Run;

/** Starts `mbtune ARGUMENTS...` (ends at NULL) without standard input. */
void run_start(Run *run, const char *const *arguments);
/** Waits for its end, collecting output. @return exit status, 128 + signal */
int run_wait(Run *run);
/** Waits up to `seconds`; false if it still runs. */
bool run_wait_for(Run *run, double seconds, int *exit_status);
/** run_start() and run_wait(); the output is in run->text. */
int run_mbtune(Run *run, const char *const *arguments);

/** run_start() of a line for the shell, in which `mbtune` is the program. */
void run_shell_start(Run *run, const char *line);
/** The same, and run_wait(). */
int run_shell(Run *run, const char *line);

/**
 * Makes a squeue and a scontrol in `folder`, which is to be the first of the PATH. What they are
 * asked they add to squeue.asked and scontrol.asked, one line each; the first two times that they
 * are asked the same they fail. Then they run the file `answer` of the folder, or, without one, the
 * real program.
 */
void run_make_flaky_slurm(const char *folder);

/** A part of a running study. */
typedef enum Victim {
    VICTIM_TRAINER,
    VICTIM_SUPERVISOR,
    VICTIM_WORKER,
    VICTIM_COORDINATOR,
    VICTIM_MPIEXEC,
    VICTIM_LAUNCHER,
} Victim;
/**
 * One process of the study that `run` started: found by walking its descendants (the launcher is
 * `run` itself, the coordinator rank 0, a worker another rank, a trainer what a worker's supervisor
 * started).
 * @return 0 if there is none at this moment
 */
pid_t run_find(const Run *run, Victim victim, unsigned choice);
/** Sends SIGKILL to it. @return false if there is none at this moment */
bool run_kill(const Run *run, Victim victim, unsigned choice);
/** Processes below this one, zombies left out, at most `most` of them. */
size_t run_below(pid_t ancestor, pid_t *out, size_t most);
/** Parent of a process, 0 if it is not there. */
pid_t run_parent(pid_t pid);
/** Processes that have `text` ("NAME=VALUE") in the environment they were started with, zombies
 * and this process left out, at most `most` of them. */
size_t run_marked(const char *text, pid_t *out, size_t most);
/** Its command line, spaces between the words; "" if it is not there. */
void run_command(pid_t pid, char *out, size_t size);
/** Sends a signal to the program and everything that it started. @return how many processes got it
 */
size_t run_signal_all(const Run *run, int signal_number);
/** Number of processes whose command line contains `needle`. */
size_t run_count_processes(const char *needle);

/** Text of everything that must be equal between two runs of a study in `folder`
 * (report_canonical), and the checksums of the checkpoints; the caller frees it. */
char *run_canonical(const char *folder);
/** Number that the SQL query gives on the study's database. */
long run_query(const char *folder, const char *sql);
/** Text of the first column of its first row; the caller frees it. NULL for SQL's NULL. */
char *run_query_text(const char *folder, const char *sql);
/** Changes the study's database behind the program's back. */
void run_execute(const char *folder, const char *sql);

#endif
