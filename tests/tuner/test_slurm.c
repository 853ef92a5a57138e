/* Studies under a real Slurm: two small nodes on this machine (tests/support/slurm_cluster). */
#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_SECONDS 300.0
#define LOOK_SECONDS     0.3

enum { GONE_LOOKS = 10 };

static char *cluster; /* folder of the daemons */

/* ---- the cluster ---------------------------------------------------------------------------- */

static int start_cluster(void **state) {
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

static int stop_cluster(void **state) {
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

#define NEED_SLURM()                                                                              \
    do {                                                                                          \
        if (cluster == NULL) {                                                                    \
            test_skip("running Slurm's daemons needs root and the packages slurm-wlm and munge"); \
        }                                                                                         \
    } while (0)

/* ---- one study ------------------------------------------------------------------------------ */

typedef struct Job {
    char *folder; /* everything of this test */
    char  study[1024];
    Run   run;
} Job;

/* what the shell says to a line in the test's folder */
static const char *in_folder(Job *job, const char *line) {
    char text[4096];
    (void)snprintf(text, sizeof text, "cd '%s' && { %s\n}", job->folder, line);
    const int status = run_shell(&job->run, text);
    if (status != 0) {
        print_message("%s: %d: %s\n", line, status, job->run.text);
    }
    assert_int_equal(status, 0);
    return job->run.text;
}

/* a synchronous population of four whose trainers take `pause` seconds per unit */
static void job_begin(Job *job, const char *pause, int per_trial) {
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
    (void)in_folder(job, line);
}

static void job_end(Job *job) {
    test_folder_remove(job->folder);
}

static long submit(Job *job, const char *options) {
    char line[1024];
    (void)snprintf(line, sizeof line, "mbtune sbatch %s -N 2 -c 2 --submit", options);
    const char *answer = in_folder(job, line);
    const char *number = strstr(answer, "batch job ");
    assert_non_null(number);
    return strtol(number + strlen("batch job "), NULL, 10);
}

/* state and reason of a job as squeue says ("RUNNING None"); "" once it has gone */
static const char *job_state(Job *job, long id) {
    char line[256];
    (void)snprintf(line, sizeof line,
                   "squeue --noheader --jobs=%ld --format='%%T %%r' 2>&1 || true", id);
    const char *text = in_folder(job, line);
    return (strstr(text, "Invalid job id") != NULL) ? "" : text;
}

/* waits until no part of the job is in the queue; what was requeued starts at once, not after the
 * two minutes that Slurm lets pass */
static void wait_job(Job *job, long id) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    char         line[128];
    (void)snprintf(line, sizeof line, "scontrol update JobId=%ld StartTime=now || true", id);
    /* while it is put back, squeue does not know it for a moment */
    for (int gone = 0; gone < GONE_LOOKS; clock_sleep(LOOK_SECONDS)) {
        gone = (job_state(job, id)[0] == '\0') ? gone + 1 : 0;
        if (strncmp(job->run.text, "PENDING BeginTime", strlen("PENDING BeginTime")) == 0) {
            (void)in_folder(job, line);
        }
        if (clock_monotonic() > deadline) {
            print_message("%s", in_folder(job, "cat mbtune-*.out; squeue"));
            fail_msg("job %ld is still in the queue", id);
        }
    }
}

static void wait_rows(Job *job, const char *sql, long least) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    char         database[2048];
    (void)snprintf(database, sizeof database, "%s/study.db", job->study);
    while (access(database, R_OK) != 0 || run_query(job->study, sql) < least) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.1);
    }
}

/* the same rows as without Slurm and without interruptions */
static void assert_as_alone(Job *job, const char *folder) {
    char  path[2048];
    char *here = run_canonical(folder);
    (void)in_folder(job, "sed \"s/--sleep, '[0-9.]*'/--sleep, '0'/\" s.yaml > alone.yaml && "
                         "mbtune run alone.yaml --dir alone --workers 2 --quiet");
    (void)snprintf(path, sizeof path, "%s/alone", job->folder);
    char *alone = run_canonical(path);
    assert_string_equal(here, alone);
    free(here);
    free(alone);
}

#define RESUMED    "SELECT count(*) FROM log WHERE text LIKE 'resuming:%'"
#define FINISHED   "SELECT count(*) FROM segment WHERE state = 'finished'"
#define UNFINISHED "SELECT count(*) FROM segment WHERE state <> 'finished'"
#define IS_DONE    "SELECT count(*) FROM study WHERE state = 'done'"
/* attempts whose work was lost: neither done nor yielded with what they had */
#define WASTED "SELECT count(*) FROM attempt WHERE outcome NOT IN ('done', 'preempted')"
#define WASTED_PERMILLE                                                              \
    "SELECT cast(1000 * (1 - sum(finished_at - started_at) FILTER (WHERE outcome IN" \
    " ('done', 'preempted')) / sum(finished_at - started_at)) AS INTEGER) FROM attempt"

static void a_study_runs_on_all_nodes(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_begin(&job, "0.02", 20);
    const long id = submit(&job, "s.yaml -t 5");
    wait_job(&job, id);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, "SELECT count(DISTINCT worker) FROM attempt"), 4);
    assert_int_equal(run_query(job.study, WASTED), 0);
    assert_contains(in_folder(&job, "cat mbtune-s-*.out"), "this run must be over in");
    assert_as_alone(&job, job.study);
    job_end(&job);
}

/* begins a study of a few seconds, has `command` done to its job in the middle of it, and waits */
static void disturb(Job *job, const char *command) {
    char line[128];
    job_begin(job, "0.05", 100);
    const long id = submit(job, "s.yaml -t 5");
    wait_rows(job, FINISHED, 8);
    (void)snprintf(line, sizeof line, "%s %ld", command, id);
    (void)in_folder(job, line);
    wait_job(job, id);
}

/* scancel: what runs is saved, and the job does not come back */
static void a_cancelled_job_saves_what_it_has_and_stays_away(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    disturb(&job, "scancel");
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM study WHERE state = 'interrupted'"),
                     1);
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    assert_null(strstr(in_folder(&job, "cat mbtune-s-*.out"), "back into the queue"));
    assert_int_equal(run_count_processes(job.folder), 0);
    job_end(&job);
}

static void several_studies_are_a_job_array(void **state) {
    Job  job;
    char path[2048];
    (void)state;
    NEED_SLURM();

    job_begin(&job, "0.02", 10);
    (void)in_folder(&job, "sed 's/^name: s/name: t/; s/seed: 1/seed: 2/' s.yaml > t.yaml");
    const long id = submit(&job, "s.yaml t.yaml -t 5");
    wait_job(&job, id);
    (void)snprintf(path, sizeof path, "%s/t", job.folder);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(path, IS_DONE), 1);
    job_end(&job);
}

/* the second node goes with everything on it; the job goes on with the first */
static void a_lost_node_costs_its_workers_only(void **state) {
    Job  job;
    char line[2048];
    (void)state;
    NEED_SLURM();

    job_begin(&job, "0.1", 100);
    const long id = submit(&job, "s.yaml -t 5");
    wait_rows(&job, FINISHED, 8);
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' stop-node '%s' n2",
                   TEST_SOURCE_FOLDER, cluster);
    (void)in_folder(&job, line);
    wait_job(&job, id);
    print_message("%s", in_folder(&job, "cat mbtune-s-*.out"));
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, UNFINISHED), 0);
    /* the two workers of that node, each with one order at most */
    assert_in_range(run_query(job.study, "SELECT count(*) FROM attempt WHERE outcome = 'lost'"), 1,
                    2);
    assert_int_equal(
        run_query(job.study, "SELECT count(*) FROM log WHERE text LIKE 'worker % is given up%'"),
        2);
    assert_as_alone(&job, job.study);
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' start-node '%s' n2",
                   TEST_SOURCE_FOLDER, cluster);
    (void)in_folder(&job, line);
    job_end(&job);
}

/* ---- what takes minutes --------------------------------------------------------------------- */

/* longer than one job: it yields before the end of its time, comes back, and nothing is lost */
static void a_study_outlives_the_time_of_its_job(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_begin(&job, "0.4", 160);
    const long id = submit(&job, "s.yaml -t 1");
    wait_job(&job, id);
    assert_true(run_query(job.study, RESUMED) >= 1);
    print_message("%s", in_folder(&job, "cat mbtune-s-*.out"));
    assert_contains(job.run.text, "before this job's time is over");
    assert_contains(job.run.text, "back into the queue (1 of 100)");
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, WASTED), 0);
    assert_as_alone(&job, job.study);
    job_end(&job);
}

/* the end of the time comes unexpected: Slurm's SIGTERM goes to every process of the job */
static void an_unexpected_end_is_survived(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_begin(&job, "0.4", 240);
    (void)in_folder(&job, "mbtune sbatch s.yaml -N 2 -c 2 -t 1 | sed -e '/--signal/d' "
                          "-e 's/--max-requeues/--time-left 100000 &/' > job.sh && sbatch job.sh");
    const char *number = strstr(job.run.text, "batch job ");
    assert_non_null(number);
    const long id = strtol(number + strlen("batch job "), NULL, 10);
    wait_job(&job, id);
    assert_true(run_query(job.study, RESUMED) >= 1);
    print_message("%s", in_folder(&job, "cat mbtune-s-*.out"));
    assert_contains(job.run.text, "stopped by a signal");
    assert_contains(job.run.text, "back into the queue (1 of 100)");
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_in_range(run_query(job.study, WASTED_PERMILLE), 0, 20);
    assert_as_alone(&job, job.study);
    job_end(&job);
}

/* what an administrator, or a job of higher priority, does */
static void a_requeued_job_goes_on(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    disturb(&job, "scontrol requeue");
    assert_int_equal(run_query(job.study, RESUMED), 1);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_in_range(run_query(job.study, WASTED_PERMILLE), 0, 20);
    assert_as_alone(&job, job.study);
    job_end(&job);
}

int main(int argc, char **argv) {
    const struct CMUnitTest seconds[] = {
        cmocka_unit_test(a_study_runs_on_all_nodes),
        cmocka_unit_test(a_cancelled_job_saves_what_it_has_and_stays_away),
        cmocka_unit_test(several_studies_are_a_job_array),
        cmocka_unit_test(a_lost_node_costs_its_workers_only),
    };
    const struct CMUnitTest minutes[] = {
        cmocka_unit_test(a_study_outlives_the_time_of_its_job),
        cmocka_unit_test(an_unexpected_end_is_survived),
        cmocka_unit_test(a_requeued_job_goes_on),
    };
    const bool is_long = argc > 1 && strcmp(argv[1], "--minutes") == 0;
    return is_long ? cmocka_run_group_tests(minutes, start_cluster, stop_cluster)
                   : cmocka_run_group_tests(seconds, start_cluster, stop_cluster);
}
