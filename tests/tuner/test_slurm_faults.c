/* What goes wrong within a Slurm job and around it, under real daemons (slurm_scene.h): ranks and
 * launchers that die or stop, going back into the queue (also of one task of an array, and with a
 * controller that does not answer), shells of salloc, units longer than the time that is left, jobs
 * that are preempted. */
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

/* the process of the batch script: with it go all ranks, and the next run tidies up after it */
static void a_killed_launcher_leaves_nothing_behind(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.05", 40);
    long id = job_submit(&job, "s.yaml -t 5");
    char line[128];
    job_wait_rows(&job, FINISHED, 4);
    (void)snprintf(line, sizeof line, "scancel --batch --signal=KILL %ld", id);
    (void)job_shell(&job, line);
    job_wait(&job, id);
    assert_nothing_runs(&job);
    (void)job_shell(&job, "[ $(ls s/logs | grep -c ^mbtune-launch-) = 2 ] && "
                          "touch -d '2 hours ago' s/logs/mbtune-launch-* && "
                          "touch s/logs/mbtune-launch-of-now s/logs/other");

    id = job_submit(&job, "s.yaml -t 5");
    job_wait(&job, id);
    assert_string_equal(job_shell(&job, "cd s/logs && ls mbtune-launch-* other"),
                        "mbtune-launch-of-now\nother\n");
    assert_job_state(&job, id, "COMPLETED", "0:0");
    assert_int_equal(run_query(job.study, RESUMED), 1);
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* where salloc's shell is a step on the first node (LaunchParameters=use_interactive_step), mbtune
 * run still takes both nodes; the shell's own command stands for what is typed in it */
static void a_shell_of_salloc_is_no_step(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0", 10);
    (void)job_shell(&job, "salloc --quiet -N 2 -c 2 -t 5 srun --interactive --preserve-env "
                          "mbtune run s.yaml > log 2>&1; cat log");
    print_message("%s", job.run.text);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(job.study, "SELECT count(DISTINCT worker) FROM attempt"), 4);
    assert_contains(job.run.text, "this run must be over in");
    assert_nothing_runs(&job);
    job_remove(&job);
}

/* ---- going back into the queue --------------------------------------------------------------- */

static void signal_batch(Job *job, long id) {
    char line[128];
    (void)snprintf(line, sizeof line, "scancel --batch --signal=TERM %ld", id);
    (void)job_shell(job, line);
}

/* once too often: it ends interrupted, and a job that is submitted anew goes on */
static void a_job_goes_back_as_often_as_it_may(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.05", 40);
    long id = job_submit(&job, "s.yaml -t 5 --max-requeues 1");
    job_wait_rows(&job, FINISHED, 4);
    signal_batch(&job, id);
    job_wait_resumed(&job, id, 1);
    assert_contains(job_shell(&job, "cat mbtune-s-*.out"), "back into the queue (1 of 1)");
    job_wait_rows(&job, FINISHED, 12);
    signal_batch(&job, id);
    job_wait(&job, id);
    assert_contains(job_shell(&job, "tail -n 20 mbtune-s-*.out"),
                    "does not go back into the queue: it was started again 1 times");
    assert_job_state(&job, id, "FAILED", "75:0");
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM study WHERE state = 'interrupted'"),
                     1);
    assert_nothing_runs(&job);

    id = job_submit(&job, "s.yaml -t 5 --max-requeues 1");
    job_wait(&job, id);
    assert_job_state(&job, id, "COMPLETED", "0:0");
    assert_int_equal(run_query(job.study, RESUMED), 2);
    assert_int_equal(run_query(job.study, WASTED), 0);
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* asked: the nodes, the end of the time, whether it was cancelled, and to put it back */
static void a_controller_that_is_overloaded_is_asked_again(void **state) {
    Job  job;
    char folder[2048];
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.05", 60);
    (void)snprintf(folder, sizeof folder, "%s/fake", job.folder);
    (void)job_shell(&job, "mkdir fake");
    run_make_flaky_slurm(folder);
    (void)job_shell(&job, "PATH=$PWD/fake:$PATH mbtune sbatch s.yaml -N 2 -c 2 -t 5 --submit");
    const char *number = strstr(job.run.text, "batch job ");
    assert_non_null(number);
    const long id = strtol(number + strlen("batch job "), NULL, 10);
    job_wait_rows(&job, FINISHED, 8);
    signal_batch(&job, id);
    job_wait(&job, id);
    print_message("%s", job_shell(&job, "cat fake/*.asked"));
    assert_contains(job_shell(&job, "cat mbtune-s-*.out"), "this run must be over in");
    assert_contains(job.run.text, "back into the queue (1 of 100)");
    (void)job_shell(&job, "[ $(grep -c ^requeue fake/scontrol.asked) = 3 ]");
    assert_job_state(&job, id, "COMPLETED", "0:0");
    assert_int_equal(run_query(job.study, RESUMED), 1);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    job_remove(&job);
}

/* Of two tasks that run beside each other the last, whose number is that of the array, is
 * interrupted: it alone goes back. */
static void a_task_of_an_array_goes_back_alone(void **state) {
    Job  job;
    char path[2048];
    char line[128];
    (void)state;
    NEED_SLURM();

    job_make(&job, "0.05", 60);
    (void)job_shell(&job, "sed 's/^name: s/name: t/; s/seed: 1/seed: 2/' s.yaml > t.yaml");
    (void)snprintf(path, sizeof path, "%s/t", job.folder);
    const long id = job_submit(&job, "s.yaml t.yaml -t 5 -c 1");
    job_wait_rows(&job, FINISHED, 4);
    (void)job_shell(&job, "while [ ! -s t/study.db ]; do sleep 0.1; done");
    while (run_query(path, FINISHED) < 2) {
        clock_sleep(0.1);
    }
    (void)snprintf(line, sizeof line, "scancel --batch --signal=TERM %ld_1", id);
    (void)job_shell(&job, line);
    job_wait(&job, id);
    assert_int_equal(run_query(job.study, IS_DONE), 1);
    assert_int_equal(run_query(path, IS_DONE), 1);
    assert_int_equal(run_query(job.study, RESUMED), 0);
    assert_int_equal(run_query(path, RESUMED), 1);
    assert_contains(job_shell(&job, "cat mbtune-studies-*_1.out"),
                    "back into the queue (1 of 100)");
    assert_null(strstr(job_shell(&job, "cat mbtune-studies-*_0.out"), "back into the queue"));
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* ---- units that are longer than what a signal leaves ----------------------------------------- */

/* segments of one unit, whose seconds stand in the file `pace` */
static void make_slow(Job *job, const char *pace) {
    char line[1024];
    job_make(job, "0", 2);
    (void)snprintf(
        line, sizeof line,
        "sed -i -e 's/segment: 5/segment: 1/' -e 's/command:.*/command: [.\\/slow]}/' "
        "s.yaml && echo %s > pace && cat > slow <<'E'\n"
        "#!/bin/sh\n"
        "exec '%s/tests/workers/fake_trainer' --ignore-term --sleep \"$(cat '%s/pace')\"\n"
        "E\n"
        "chmod +x slow",
        pace, TEST_BINARY_FOLDER, job->folder);
    (void)job_shell(job, line);
}

/* a unit takes 40 s, the time of grace is not used up, and what is lost is what was in flight */
static void units_longer_than_the_grace_are_not_waited_for(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    make_slow(&job, "40");
    long id = job_submit(&job, "s.yaml -t 10 --max-requeues 0");
    job_wait_rows(&job, FINISHED, 4);
    clock_sleep(2.0); /* into the second units */
    const double before = clock_monotonic();
    signal_batch(&job, id);
    job_wait(&job, id);
    print_message("over after %.1f s\n", clock_monotonic() - before);
    assert_contains(job_shell(&job, "grep -e stopping -e 'cut off' mbtune-s-*.out"),
                    "4 segments are cut off at once");
    assert_contains(job.run.text, "a unit of up to 40 s cannot end in time");
    assert_null(strstr(job.run.text, "did not end a unit in time"));
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM study WHERE state = 'interrupted'"),
                     1);
    assert_int_equal(run_query(job.study, FINISHED), 4);
    assert_int_equal(run_query(job.study, WASTED), 4);
    assert_nothing_runs(&job);

    (void)job_shell(&job, "mbtune fsck s && echo 0 > pace");
    id = job_submit(&job, "s.yaml -t 10 --max-requeues 0");
    job_wait(&job, id);
    assert_job_state(&job, id, "COMPLETED", "0:0");
    job_assert_as_alone(&job, job.study);
    job_remove(&job);
}

/* every further job would do no better */
static void a_job_too_short_for_a_unit_does_not_come_back(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();

    make_slow(&job, "300");
    const long id = job_submit(&job, "s.yaml -t 1");
    job_wait(&job, id);
    print_message("%s", job_shell(&job, "cat mbtune-s-*.out"));
    assert_contains(job.run.text, "4 orders did not end a unit in time");
    assert_contains(job.run.text, "no unit of any segment could be finished in this job's time");
    assert_null(strstr(job.run.text, "back into the queue"));
    assert_int_equal(run_query(job.study, "SELECT count(*) FROM segment WHERE state = 'queued'"),
                     4);
    assert_nothing_runs(&job);
    job_remove(&job);
}

/* ---- preemption ------------------------------------------------------------------------------ */

/* a job of the partition that preempts takes both nodes for a moment, in the middle of a study that
 * was submitted with `options` */
static void preempt(Job *job, const char *options) {
    job_make(job, "0.05", 60);
    const long id = job_submit(job, options);
    job_wait_rows(job, FINISHED, 8);
    (void)job_shell(job, "sbatch -p urgent -N 2 -c 2 -t 5 -o urgent.out --wrap 'squeue; sleep 1'");
    job_wait(job, id);
    print_message("%s", job_shell(job, "cat urgent.out; grep -v -e exploit: -e tuning "
                                       "mbtune-s-*.out"));
    assert_contains(job->run.text, " PD "); /* the study waited while it ran */
    assert_job_state(job, id, "COMPLETED", "0:0");
    assert_nothing_runs(job);
    assert_int_equal(run_query(job->study, RESUMED), 1);
    assert_int_equal(run_query(job->study, IS_DONE), 1);
    print_message("lost: %ld permille of the training time\n",
                  run_query(job->study, WASTED_PERMILLE));
    assert_in_range(run_query(job->study, WASTED_PERMILLE), 0, 19);
    job_assert_as_alone(job, job->study);
    job_remove(job);
}

/* the partition gives it a time of grace */
static void a_job_of_higher_priority_costs_next_to_nothing(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();
    preempt(&job, "s.yaml -t 5");
}

/* SIGTERM, and SIGKILL after KillWait */
static void a_job_of_higher_priority_takes_the_nodes_at_once(void **state) {
    Job job;
    (void)state;
    NEED_SLURM();
    preempt(&job, "s.yaml -t 5 --partition hasty");
}

int main(int argc, char **argv) {
    const struct CMUnitTest seconds[] = {
        cmocka_unit_test(a_killed_rank_costs_one_segment),
        cmocka_unit_test(a_stopped_rank_costs_one_segment),
        cmocka_unit_test(a_shell_of_salloc_is_no_step),
        cmocka_unit_test(a_task_of_an_array_goes_back_alone),
        cmocka_unit_test(a_job_of_higher_priority_costs_next_to_nothing),
    };
    const struct CMUnitTest minutes[] = {
        cmocka_unit_test(a_job_goes_back_as_often_as_it_may),
        cmocka_unit_test(a_job_of_higher_priority_takes_the_nodes_at_once),
        cmocka_unit_test(a_rank_that_crashes_costs_one_segment),
        cmocka_unit_test(units_longer_than_the_grace_are_not_waited_for),
        cmocka_unit_test(a_killed_launcher_leaves_nothing_behind),
        cmocka_unit_test(a_job_too_short_for_a_unit_does_not_come_back),
        cmocka_unit_test(a_controller_that_is_overloaded_is_asked_again),
    };
    const bool is_long = argc > 1 && strcmp(argv[1], "--minutes") == 0;
    return is_long ? cmocka_run_group_tests(minutes, slurm_start_cluster, slurm_stop_cluster)
                   : cmocka_run_group_tests(seconds, slurm_start_cluster, slurm_stop_cluster);
}
