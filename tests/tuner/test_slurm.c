/* Studies under a real Slurm: two small nodes on this machine (slurm_scene.h). What goes wrong
 * within a job is in test_slurm_faults.c. */
#include "tests/support/test_support.h"
#include "tests/tuner/slurm_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void a_study_runs_on_all_nodes(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.02", 20);
    const long id = job_submit(&job, "s.yaml -t 5");
    job_wait(&job, id);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, "SELECT count(DISTINCT worker) FROM attempt"), 4);
    assert_int_equal(run_query(job.study, WASTED), 0);
    assert_contains(job_shell(&job, "cat mbtune-s-*.out"), "this run must be over in");
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* scancel: what runs is saved, and the job does not come back */
static void a_cancelled_job_saves_what_it_has_and_stays_away(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    (void)job_disturb(&job, "scancel");
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM study WHERE state = 'interrupted'"),
                     1);
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    assert_null(strstr(job_shell(&job, "cat mbtune-s-*.out"), "back into the queue"));
    assert_int_equal(run_count_processes(job.folder), 0);
    job_remove(&job);
}

static void several_studies_are_a_job_array(void **state) {
    Job  job;
    char path[2048];
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.02", 10);
    (void)job_shell(&job, "sed 's/^name: s/name: t/; s/seed: 1/seed: 2/' s.yaml > t.yaml");
    const long id = job_submit(&job, "s.yaml t.yaml -t 5");
    job_wait(&job, id);
    (void)snprintf(path, sizeof path, "%s/t", job.folder);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(path, IS_DONE), 1);
    job_remove(&job);
}

/* the second node goes with everything on it; the job goes on with the first */
static void a_lost_node_costs_its_workers_only(void **state) {
    Job  job;
    char line[2048];
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.1", 100);
    const long id = job_submit(&job, "s.yaml -t 5");
    job_wait_rows(&job, FINISHED, 8);
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' stop-node '%s' n2",
                   TEST_SOURCE_FOLDER, slurm_cluster());
    (void)job_shell(&job, line);
    job_wait(&job, id);
    print_message("%s", job_shell(&job, "cat mbtune-s-*.out"));
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, UNFINISHED), 0);
    /* the two workers of that node, each with one order at most */
    assert_in_range(run_query(job.study, "SELECT count(*) FROM attempt WHERE outcome = 'lost'"), 1,
                    2);
    assert_int_equal(
        run_query(job.study, "SELECT count(*) FROM log WHERE text LIKE 'worker % is given up%'"),
        2);
    job_assert_as_alone(&job, job.study);
    (void)snprintf(line, sizeof line, "'%s/tests/support/slurm_cluster' start-node '%s' n2",
                   TEST_SOURCE_FOLDER, slurm_cluster());
    (void)job_shell(&job, line);
    job_remove(&job);
}

/* ---- what takes minutes --------------------------------------------------------------------- */

/* longer than one job: it yields before the end of its time, comes back, and nothing is lost */
static void a_study_outlives_the_time_of_its_job(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.4", 160);
    const long id = job_submit(&job, "s.yaml -t 1");
    job_wait(&job, id);
    assert_true(run_query(job.study, RESUMED) >= 1);
    print_message("%s", job_shell(&job, "cat mbtune-s-*.out"));
    assert_contains(job.run.text, "before this job's time is over");
    assert_contains(job.run.text, "back into the queue (1 of 100)");
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, WASTED), 0);
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* the end of the time comes unexpected: Slurm's SIGTERM goes to every process of the job */
static void an_unexpected_end_is_survived(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.4", 240);
    (void)job_shell(&job, "mbtune sbatch s.yaml -N 2 -c 2 -t 1 | sed -e '/--signal/d' "
                          "-e 's/--max-requeues/--time-left 100000 &/' > job.sh && sbatch job.sh");
    const char *number = strstr(job.run.text, "batch job ");
    assert_non_null(number);
    const long id = strtol(number + strlen("batch job "), NULL, 10);
    job_wait(&job, id);
    assert_true(run_query(job.study, RESUMED) >= 1);
    print_message("%s", job_shell(&job, "cat mbtune-s-*.out"));
    assert_contains(job.run.text, "stopped by a signal");
    assert_contains(job.run.text, "back into the queue (1 of 100)");
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_in_range(run_query(job.study, WASTED_PERMILLE), 0, 20);
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* what an administrator, or a job of higher priority, does */
static void a_requeued_job_goes_on(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    (void)job_disturb(&job, "scontrol requeue");
    assert_int_equal(run_query(job.study, RESUMED), 1);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_in_range(run_query(job.study, WASTED_PERMILLE), 0, 20);
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
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
    return is_long ? cmocka_run_group_tests(minutes, slurm_start_cluster, slurm_stop_cluster)
                   : cmocka_run_group_tests(seconds, slurm_start_cluster, slurm_stop_cluster);
}
