#include "tests/tuner/slurm_scene.h"

#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_SECONDS 300.0
#define LOOK_SECONDS     0.3
#define REST_SECONDS     2.0

enum { GONE_LOOKS = 10, MANY = 64, COMMAND_BYTES = 4096 };

static char *cluster; /* folder of the daemons */

/* ---- the cluster ---------------------------------------------------------------------------- */

int slurm_start_cluster(void **state) {
    char line[2048];
    Run  run;
    char conf[1024];
    (void)state;
    if (geteuid() != 0 || access("/usr/sbin/slurmctld", X_OK) != 0 ||
        access("/usr/sbin/munged", X_OK) != 0) {
        return 0; /* the tests skip */
    }
    cluster = test_folder_make();
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' up '%s' 2 2",
                   TEST_SOURCE_FOLDER, cluster);
    const int status = run_shell(&run, line);
    print_message("%s", run.text);
    (void)snprintf(conf, sizeof conf, "%s/slurm.conf", cluster);
    (void)setenv("SLURM_CONF", conf, 1);
    return status;
}

int slurm_stop_cluster(void **state) {
    char line[2048];
    Run  run;
    (void)state;
    if (cluster == NULL) {
        return 0;
    }
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' down '%s'",
                   TEST_SOURCE_FOLDER, cluster);
    const int status = run_shell(&run, line);
    print_message("%s", run.text);
    test_folder_remove(cluster);
    return status;
}

const char *slurm_cluster(void) {
    return cluster;
}

/* ---- one study ------------------------------------------------------------------------------ */

const char *job_shell(Job *job, const char *line) {
    char text[4096];
    (void)snprintf(text, sizeof text, "cd '%s' && { %s\n}", job->folder, line);
    const int status = run_shell(&job->run, text);
    if (status != 0) {
        print_message("%s: %d: %s\n", line, status, job->run.text);
    }
    assert_int_equal(status, 0);
    return job->run.text;
}

void job_make(Job *job, const char *pause, int per_trial) {
    char line[2048];
    memset(job, 0, sizeof *job);
    job->folder = test_folder_make();
    (void)snprintf(job->study, sizeof job->study, "%s/s", job->folder);
    (void)snprintf(
        line, sizeof line,
        "cat > s.yaml <<'E'\n"
        "name: s\n"
        "trainer: {command: ['%s/tests/workers/fake_trainer', --ignore-term, --sleep, '%s']}\n"
        "objective: {metric: episode_reward, direction: maximize}\n"
        "budget: {unit: episode, per_trial: %d, segment: 5}\n"
        "scheduler: {name: pbt, population: 4}\n"
        "hyperparameters:\n"
        "  learning_rate: {type: float, lower: 0.001, upper: 0.3, log: true, default: "
        "0.01, dynamic: true}\n"
        "limits: {heartbeat: 1}\n"
        "seed: 1\n"
        "E\n",
        TEST_BINARY_FOLDER, pause, per_trial);
    (void)job_shell(job, line);
}

void job_remove(Job *job) {
    test_folder_remove(job->folder);
}

long job_submit(Job *job, const char *options) {
    char line[1024];
    (void)snprintf(line, sizeof line, "mbtune sbatch -N 2 -c 2 --submit %s", options);
    const char *answer = job_shell(job, line);
    const char *number = strstr(answer, "batch job ");
    assert_non_null(number);
    return strtol(number + strlen("batch job "), NULL, 10);
}

const char *job_state(Job *job, long id) {
    char line[256];
    (void)snprintf(line, sizeof line,
                   "squeue --noheader --jobs=%ld --format='%%T %%r' 2>&1 || true", id);
    const char *text = job_shell(job, line);
    return (strstr(text, "Invalid job id") != NULL) ? "" : text;
}

/* @return false once squeue does not know the job; what was requeued starts at once */
static bool in_queue(Job *job, long id) {
    char        line[128];
    const char *job_is = job_state(job, id);
    const bool  there = job_is[0] != '\0';
    if (strncmp(job_is, "PENDING BeginTime", strlen("PENDING BeginTime")) == 0) {
        /* within two seconds a node may take it for the one that it has just ended */
        clock_sleep(REST_SECONDS);
        (void)snprintf(line, sizeof line, "scontrol update JobId=%ld StartTime=now || true", id);
        (void)job_shell(job, line);
    }
    return there;
}

static void fail_late(Job *job, long id) {
    print_message("%s", job_shell(job, "cat mbtune-*.out; squeue"));
    fail_msg("job %ld is still in the queue", id);
}

void job_wait(Job *job, long id) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    /* while it is put back, squeue does not know it for a moment */
    for (int gone = 0; gone < GONE_LOOKS; clock_sleep(LOOK_SECONDS)) {
        gone = in_queue(job, id) ? 0 : gone + 1;
        if (clock_monotonic() > deadline) {
            fail_late(job, id);
        }
    }
}

void job_wait_resumed(Job *job, long id, long times) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    while (run_query(job->study, RESUMED) < times) {
        (void)in_queue(job, id);
        if (clock_monotonic() > deadline) {
            fail_late(job, id);
        }
        clock_sleep(LOOK_SECONDS);
    }
}

void job_wait_rows(Job *job, const char *sql, long least) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    char         database[2048];
    (void)snprintf(database, sizeof database, "%s/study.db", job->study);
    while (access(database, R_OK) != 0 || run_query(job->study, sql) < least) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.1);
    }
}

void job_assert_as_alone(Job *job, const char *folder) {
    char  path[2048];
    char *here = run_canonical(folder);
    (void)job_shell(job, "sed \"s/--sleep, '[0-9.]*'/--sleep, '0'/\" s.yaml > alone.yaml && "
                         "mbtune run alone.yaml --dir alone --workers 2 --quiet");
    (void)snprintf(path, sizeof path, "%s/alone", job->folder);
    char *alone = run_canonical(path);
    assert_string_equal(here, alone);
    free(here);
    free(alone);
}

long job_disturb(Job *job, const char *command) {
    char line[128];
    job_make(job, "0.05", 100);
    const long id = job_submit(job, "s.yaml -t 5");
    job_wait_rows(job, FINISHED, 8);
    (void)snprintf(line, sizeof line, "%s %ld", command, id);
    (void)job_shell(job, line);
    job_wait(job, id);
    return id;
}

pid_t job_rank(Job *job, int rank) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    static char  command[COMMAND_BYTES];
    char         variable[32];
    pid_t        marked[MANY];
    (void)snprintf(variable, sizeof variable, "PMI_RANK=%d", rank);
    while (clock_monotonic() < deadline) {
        const size_t count = run_marked(variable, marked, MANY);
        for (size_t i = 0; i < count; i++) {
            run_command(marked[i], command, sizeof command);
            if (strstr(command, job->folder) != NULL && strstr(command, " run ") != NULL) {
                return marked[i];
            }
        }
        clock_sleep(0.05);
    }
    fail_msg("rank %d of the study does not run", rank);
    return 0;
}
