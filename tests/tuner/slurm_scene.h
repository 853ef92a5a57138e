/** @file slurm_scene.h  Studies in jobs of a real Slurm, for tests: two small nodes on this machine
 * (tests/support/slurm_cluster), brought up once for all tests of a program. */
#ifndef TESTS_TUNER_SLURM_SCENE_H
#define TESTS_TUNER_SLURM_SCENE_H

#include "tests/tuner/run_mbtune.h"

#include <sys/types.h>

/** Group fixtures of CMocka. Where Slurm cannot run they do nothing, and the tests skip. */
int slurm_start_cluster(void **state);
int slurm_stop_cluster(void **state);
/** Folder of the daemons; NULL where Slurm cannot run. */
const char *slurm_cluster(void);

#define NEED_SLURM()                                                                              \
    do {                                                                                          \
        if (slurm_cluster() == NULL) {                                                            \
            test_skip("running Slurm's daemons needs root and the packages slurm-wlm and munge"); \
        }                                                                                         \
    } while (0)

/** One study and its job. */
typedef struct Job {
    char *folder; /* everything of this test */
    char  study[1024];
    Run   run;
} Job;

/** A folder with s.yaml: a synchronous population of four, segments of 5 units, whose trainers take
 * `pause` seconds per unit and leave SIGTERM to the coordinator. */
void job_make(Job *job, const char *pause, int per_trial);
void job_remove(Job *job);
/** What the shell says to a line in the test's folder; it must succeed. */
const char *job_shell(Job *job, const char *line);
/** Submits it for both nodes. @param options  study files, and options of `mbtune sbatch`
 * @return number of the job */
long job_submit(Job *job, const char *options);
/** State and reason as squeue says ("RUNNING None"); "" once it has gone. */
const char *job_state(Job *job, long id);
/** Waits until no part of the job is in the queue; what was requeued starts at once, not after the
 * two minutes that Slurm lets pass. */
void job_wait(Job *job, long id);
/** Waits until the study has been resumed `times` times, starting what was requeued at once. */
void job_wait_resumed(Job *job, long id, long times);
/** Waits until the query on the study's database gives `least` or more. */
void job_wait_rows(Job *job, const char *sql, long least);
/** The study in `folder` has the rows of one without Slurm and without interruptions. */
void job_assert_as_alone(Job *job, const char *folder);
/** Begins a study of a few seconds, has `command` done to its job in the middle of it, and waits.
 * @return number of the job */
long job_disturb(Job *job, const char *command);
/** Process id of a rank of the running study. */
pid_t job_rank(Job *job, int rank);

#define RESUMED    "SELECT count(*) FROM log WHERE text LIKE 'resuming:%'"
#define FINISHED   "SELECT count(*) FROM segment WHERE state = 'finished'"
#define UNFINISHED "SELECT count(*) FROM segment WHERE state <> 'finished'"
#define IS_DONE    "SELECT count(*) FROM study WHERE state = 'done'"
/* attempts whose work was lost: neither done nor yielded with what they had */
#define WASTED "SELECT count(*) FROM attempt WHERE outcome NOT IN ('done', 'preempted')"
#define WASTED_PERMILLE                                                              \
    "SELECT cast(1000 * (1 - sum(finished_at - started_at) FILTER (WHERE outcome IN" \
    " ('done', 'preempted')) / sum(finished_at - started_at)) AS INTEGER) FROM attempt"

#endif
