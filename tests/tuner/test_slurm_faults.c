/* What goes wrong within a Slurm job, under real daemons (slurm_scene.h): single ranks that die or
 * stop. */
#include "tests/support/test_support.h"
#include "tests/tuner/slurm_scene.h"

#include "core/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_WORKER = 1 /* beside the coordinator */, LAST_WORKER = 4 /* on the other node */ };

static const double patience_s = 60.0;

/* what Slurm calls the job: COMPLETED is the exit status 0 of its script */
static void assert_job_state(Job *job, long id, const char *state, const char *exit_code) {
    char line[128];
    char expected[64];
    (void)snprintf(line, sizeof line, "scontrol --oneliner show job %ld", id);
    (void)job_shell(job, line);
    (void)snprintf(expected, sizeof expected, "JobState=%s ", state);
    assert_contains(job->run.text, expected);
    (void)snprintf(expected, sizeof expected, "ExitCode=%s ", exit_code);
    assert_contains(job->run.text, expected);
}

/* trainers and supervisors end a moment after their worker, a stopped process with its job */
static void assert_nothing_runs(const Job *job) {
    const double deadline = clock_monotonic() + patience_s;
    while (run_count_processes(job->folder) > 0) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.05);
    }
}

static void lose_rank(int rank, int signal_number) {
    Job  job;
    char given_up[128];
    job_make(&job, "0.05", 60);
    const long id = job_submit(&job, "s.yaml -t 5");
    job_wait_rows(&job, FINISHED, 8);
    assert_int_equal(kill(job_rank(&job, rank), signal_number), 0);
    job_wait(&job, id);
    print_message("%s", job_shell(&job, "grep -v -e exploit: -e tuning mbtune-s-*.out"));
    assert_nothing_runs(&job);
    assert_job_state(&job, id, "COMPLETED", "0:0");
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, RESUMED), 0);
    assert_int_equal(run_query(job.study, UNFINISHED), 0);
    assert_in_range(run_query(job.study, WASTED), 0, 1);
    (void)snprintf(given_up, sizeof given_up,
                   "SELECT count(*) FROM log WHERE text LIKE 'worker %d is given up%%'", rank);
    assert_int_equal(run_query(job.study, given_up), 1);
    job_assert_as_alone(&job, job.study);
    (void)job_shell(&job, "mbtune fsck s && [ -z \"$(ls s/logs | grep mbtune-launch)\" ]");
    job_remove(&job);
}

static void a_killed_rank_costs_one_segment(void **state) {
    (void)state;
    NEED_SLURM();
    lose_rank(LAST_WORKER, SIGKILL);
}

static void a_rank_that_crashes_costs_one_segment(void **state) {
    (void)state;
    NEED_SLURM();
    lose_rank(LAST_WORKER, SIGSEGV);
}

/* stopped to the end: neither mbtune nor Slurm waits for it, and it does not stay */
static void a_stopped_rank_costs_one_segment(void **state) {
    (void)state;
    NEED_SLURM();
    lose_rank(FIRST_WORKER, SIGSTOP);
}

int main(int argc, char **argv) {
    const struct CMUnitTest seconds[] = {
        cmocka_unit_test(a_killed_rank_costs_one_segment),
        cmocka_unit_test(a_stopped_rank_costs_one_segment),
    };
    const struct CMUnitTest minutes[] = {
        cmocka_unit_test(a_rank_that_crashes_costs_one_segment),
    };
    const bool is_long = argc > 1 && strcmp(argv[1], "--minutes") == 0;
    return is_long ? cmocka_run_group_tests(minutes, slurm_start_cluster, slurm_stop_cluster)
                   : cmocka_run_group_tests(seconds, slurm_start_cluster, slurm_stop_cluster);
}
