/* Workers that die or stop while a study runs under mbtune's own launcher: the study goes on with
 * the others, in the same run, and its rows are those of the undisturbed one. A heartbeat of one
 * second is three seconds of patience: no worker of a busy machine is given up by mistake. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/clock.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 64, REPEATED = 1 /* segments per slot of a lost worker; it has one slot */ };

static const double patience_s = 60.0;

/* two workers at work, some segments finished; @return the process id of one worker */
static pid_t start_two(Scene *scene) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.1);
    scene->set = "limits.heartbeat=1";
    scene_start_until(scene, "2", "finished", 2);
    pid_t worker = 0;
    while (worker == 0) {
        int exit_status = 0;
        assert_false(run_wait_for(&scene->run, 0.01, &exit_status));
        worker = run_find(&scene->run, VICTIM_WORKER, 0);
    }
    return worker;
}

static long attempts_more_than_segments(const Scene *scene) {
    return run_query(scene->study, "SELECT (SELECT count(*) FROM attempt) - "
                                   "(SELECT count(*) FROM segment)");
}

static char *undisturbed; /* rows: how long a unit takes is in none of them */

static void assert_as_undisturbed(const Scene *scene) {
    char *rows = run_canonical(scene->study);
    if (undisturbed == NULL) {
        undisturbed = scene_undisturbed(scene_make_slow);
    }
    assert_string_equal(rows, undisturbed);
    free(rows);
}

/* it ends by itself, well, with the right rows and at most one segment done twice */
static void assert_goes_on(Scene *scene) {
    assert_int_equal(run_wait(&scene->run), 0);
    assert_contains(scene->run.text, "is given up");
    scene_assert_sound(scene);
    assert_in_range(attempts_more_than_segments(scene), 0, REPEATED);
    assert_int_equal(run_query(scene->study, "SELECT count(*) FROM attempt WHERE outcome IS NULL"),
                     0);
    assert_int_equal(run_count_processes(scene->folder), 0);
    assert_as_undisturbed(scene);
    /* nor a file: the trainer of a worker that stands still goes on until its segment ends */
    const char *const fsck[] = {"fsck", scene->study, NULL};
    assert_int_equal(run_mbtune(&scene->run, fsck), 0);
}

static void lose_one(int signal_number) {
    Scene       scene;
    const pid_t worker = start_two(&scene);
    assert_int_equal(kill(worker, signal_number), 0);
    assert_goes_on(&scene);
    scene_remove(&scene);
}

static void a_killed_worker_costs_one_segment(void **state) {
    (void)state;
    lose_one(SIGKILL);
}

static void a_worker_that_crashes_costs_one_segment(void **state) {
    (void)state;
    lose_one(SIGSEGV);
}

/* stopped to the end: the launcher must not wait for it, and must not leave it */
static void a_stopped_worker_costs_one_segment(void **state) {
    (void)state;
    lose_one(SIGSTOP);
}

static void wait_until_said(Scene *scene, const char *text) {
    const double deadline = clock_monotonic() + patience_s;
    int          exit_status = 0;
    while (strstr(scene->run.text, text) == NULL) {
        assert_true(clock_monotonic() < deadline);
        assert_false(run_wait_for(&scene->run, 0.01, &exit_status));
    }
}

static void a_worker_that_wakes_too_late_ends_its_trainer(void **state) {
    (void)state;
    Scene        scene;
    pid_t        below[MANY];
    const pid_t  worker = start_two(&scene);
    int          exit_status = 0;
    const double deadline = clock_monotonic() + patience_s;
    assert_int_equal(kill(worker, SIGSTOP), 0);
    wait_until_said(&scene, "is given up");
    assert_true(run_below(worker, below, MANY) >= 2); /* supervisor and trainer, still there */
    assert_int_equal(kill(worker, SIGCONT), 0);
    while (run_below(worker, below, MANY) > 0) {
        assert_true(clock_monotonic() < deadline);
        assert_false(run_wait_for(&scene.run, 0.01, &exit_status));
    }
    assert_goes_on(&scene);
    scene_remove(&scene);
}

/* one after the other, or at one instant, in which Hydra may end, too: it fails over a worker's
 * proxy that goes while another's is dying */
static void lose_all(bool at_once) {
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.1);
    scene.set = "limits.heartbeat=0.5";
    scene_start_until(&scene, "2", "finished", 2);
    assert_true(run_kill(&scene.run, VICTIM_WORKER, 0));
    if (!at_once) {
        wait_until_said(&scene, "is given up");
    }
    while (run_kill(&scene.run, VICTIM_WORKER, 0)) {
    }
    assert_int_equal(run_wait(&scene.run), 75);
    if (!at_once || strstr(scene.run.text, "mpiexec has ended") == NULL) {
        assert_contains(scene.run.text, "no worker is left");
        assert_int_equal(
            run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"), 0);
    }
    assert_int_equal(run_count_processes(scene.folder), 0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    assert_in_range(attempts_more_than_segments(&scene), 0, 2 * REPEATED);
    assert_as_undisturbed(&scene);
    scene_remove(&scene);
}

static void without_any_worker_the_study_is_interrupted(void **state) {
    (void)state;
    lose_all(false);
    lose_all(true);
}

static void a_coordinator_that_is_stopped_for_good_is_an_interruption(void **state) {
    (void)state;
    Scene scene;
    start_two(&scene);
    const pid_t coordinator = run_find(&scene.run, VICTIM_COORDINATOR, 0);
    assert_true(coordinator > 0);
    assert_int_equal(kill(coordinator, SIGSTOP), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_contains(scene.run.text, "cut off");
    assert_int_equal(run_count_processes(scene.folder), 0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    assert_as_undisturbed(&scene);
    scene_remove(&scene);
}

/* longer than the heartbeats after which it would give a worker up: they are not to blame */
static void a_coordinator_that_sleeps_blames_nobody(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.1);
    scene.set = "limits.heartbeat=1";
    scene_start_until(&scene, "2", "finished", 2);
    const pid_t coordinator = run_find(&scene.run, VICTIM_COORDINATOR, 0);
    int         exit_status = 0;
    assert_true(coordinator > 0);
    assert_int_equal(kill(coordinator, SIGSTOP), 0);
    assert_false(run_wait_for(&scene.run, 4.0, &exit_status));
    assert_int_equal(kill(coordinator, SIGCONT), 0);
    assert_int_equal(run_wait(&scene.run), 0);
    assert_null(strstr(scene.run.text, "is given up"));
    assert_int_equal(attempts_more_than_segments(&scene), 0);
    assert_as_undisturbed(&scene);
    scene_remove(&scene);
}

/* a death before all ranks have come together would leave the others in MPI_Init for ever */
static void a_death_during_the_start_is_an_interruption(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    scene_start(&scene, "3");
    int exit_status = 0;
    while (!run_kill(&scene.run, VICTIM_WORKER, 1)) {
        assert_false(run_wait_for(&scene.run, 0.001, &exit_status));
    }
    assert_int_equal(run_wait(&scene.run), 75);
    assert_contains(scene.run.text, "cut off");
    assert_int_equal(run_count_processes(scene.folder), 0);
    scene_remove(&scene);
}

static void a_dead_launcher_takes_everybody_along(void **state) {
    (void)state;
    Scene scene;
    start_two(&scene);
    /* also what is stopped */
    const pid_t worker = run_find(&scene.run, VICTIM_WORKER, 1);
    const pid_t supervisor = run_find(&scene.run, VICTIM_SUPERVISOR, 0);
    assert_true(worker > 0 && supervisor > 0);
    assert_int_equal(kill(worker, SIGSTOP), 0);
    assert_int_equal(kill(supervisor, SIGSTOP), 0);
    assert_true(run_kill(&scene.run, VICTIM_LAUNCHER, 0));
    assert_int_equal(run_wait(&scene.run), 128 + SIGKILL);
    const double deadline = clock_monotonic() + patience_s;
    while (run_count_processes(scene.folder) > 0 || run_parent(supervisor) > 0) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.01);
    }
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    assert_as_undisturbed(&scene);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_worker_costs_one_segment),
        cmocka_unit_test(a_worker_that_crashes_costs_one_segment),
        cmocka_unit_test(a_stopped_worker_costs_one_segment),
        cmocka_unit_test(a_worker_that_wakes_too_late_ends_its_trainer),
        cmocka_unit_test(without_any_worker_the_study_is_interrupted),
        cmocka_unit_test(a_coordinator_that_sleeps_blames_nobody),
        cmocka_unit_test(a_coordinator_that_is_stopped_for_good_is_an_interruption),
        cmocka_unit_test(a_death_during_the_start_is_an_interruption),
        cmocka_unit_test(a_dead_launcher_takes_everybody_along),
    };
    const int failed = cmocka_run_group_tests_name("tuner/lost_workers", tests, NULL, NULL);
    free(undisturbed);
    return failed;
}
