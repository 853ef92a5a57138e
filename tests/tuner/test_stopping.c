/* What happens to units that are under way when a run is asked to end: by whom, and how long they
 * may take. */
#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* segments of one unit that takes `seconds` */
static void make_units(Scene *scene, double seconds) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", seconds);
    scene->set = "budget.segment=1";
}

static long cancelled(const Scene *scene) {
    return run_query(scene->study,
                     "SELECT count(*) FROM attempt WHERE outcome NOT IN ('done', 'preempted')");
}

static void a_unit_that_cannot_end_in_time_is_cut_off_at_once(void **state) {
    (void)state;
    Scene scene;
    make_units(&scene, 12.0);
    scene_start_until(&scene, "1", "finished", 1);
    while (run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'") == 0) {
        clock_sleep(0.01);
    }
    const double began = clock_monotonic();
    assert_int_equal(kill(scene.run.pid, SIGINT), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    print_message("over after %.1f s\n", clock_monotonic() - began);
    assert_contains(scene.run.text, "cut off at once");
    assert_null(strstr(scene.run.text, "did not end a unit in time"));
    assert_int_equal(cancelled(&scene), 1);
    scene_remove(&scene);
}

/* however long its units took: what is left is to save */
static void a_segment_that_is_being_saved_is_no_unit_in_vain(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, ", --slow-save, '3'", 12.0);
    scene_start_until(&scene, "1", "running", 1);
    while (run_query(scene.study, "SELECT count(*) FROM metric WHERE owner = 1 AND step = 2") ==
           0) {
        clock_sleep(0.01);
    }
    assert_int_equal(kill(scene.run.pid, SIGINT), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_null(strstr(scene.run.text, "cut off"));
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM segment WHERE id = 1 AND state = 'finished'"),
        1);
    scene_remove(&scene);
}

/* until a trainer with --ignore-yield is at work */
static void start_until_deaf(Scene *scene) {
    char   path[SCENE_PATH_BYTES + 32];
    Buffer log;
    bool   deaf = false;
    buffer_init(&log, 1 << 20);
    (void)snprintf(path, sizeof path, "%s/logs/trainer-1-0.log", scene->study);
    scene_start_until(scene, "2", "running", 2);
    while (!deaf) {
        int exit_status = 0;
        assert_false(run_wait_for(&scene->run, 0.01, &exit_status));
        buffer_clear(&log);
        deaf = file_exists(path) && file_read(path, &log) == STATUS_OK &&
               strstr(buffer_text(&log), "training") != NULL;
    }
    buffer_reset(&log);
}

static void a_trainer_that_ignores_yield_is_dropped_in_time(void **state) {
    (void)state;
    Scene scene;
    int   exit_status = 0;
    scene_make(&scene, SCENE_SYNCHRONOUS, ", --ignore-yield", 30.0);
    start_until_deaf(&scene);
    const double began = clock_monotonic();
    assert_int_equal(kill(scene.run.pid, SIGTERM), 0);
    exit_status = run_wait(&scene.run);
    assert_true(clock_monotonic() - began < 12.0);
    assert_int_equal(exit_status, 75);
    assert_int_equal(run_count_processes(scene.folder), 0);
    scene_remove(&scene);
}

static void a_second_signal_stops_at_once_and_says_so_once(void **state) {
    (void)state;
    Scene scene;
    int   status = 0;
    scene_make(&scene, SCENE_SYNCHRONOUS, ", --ignore-yield", 30.0);
    start_until_deaf(&scene);
    assert_int_equal(kill(scene.run.pid, SIGINT), 0);
    assert_false(run_wait_for(&scene.run, 0.5, &status));
    const double began = clock_monotonic();
    for (size_t i = 0; i < 3; i++) { /* whoever is in a hurry */
        (void)kill(scene.run.pid, SIGINT);
        clock_sleep(0.05);
    }
    assert_int_equal(run_wait(&scene.run), 75);
    assert_true(clock_monotonic() - began < 5.0);
    assert_contains(scene.run.text, " cut off by a second signal");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM log WHERE text LIKE '%cut off%'"),
                     1);
    scene_remove(&scene);
}

/* nobody waits for it with a finger on a key */
static void stop_lets_a_unit_end_however_long_it_takes(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 8.0);
    scene_start_until(&scene, "1", "running", 1);
    const char *const stop[] = {"stop", scene.study, NULL};
    assert_int_equal(run_mbtune(&beside, stop), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_null(strstr(scene.run.text, "cut off"));
    assert_int_equal(cancelled(&scene), 0);
    assert_int_equal(run_query(scene.study, "SELECT partial_end FROM segment WHERE id = 1"), 1);
    scene_remove(&scene);
}

static int exit_after_hangup(void (*disposition)(int)) {
    Scene scene;
    void (*const before)(int) = signal(SIGHUP, disposition);
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "finished", 2);
    (void)signal(SIGHUP, before);
    assert_int_equal(kill(scene.run.pid, SIGHUP), 0); /* the rest is in another process group */
    const int status = run_wait(&scene.run);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    assert_int_equal(cancelled(&scene), 0);
    assert_int_equal(run_count_processes(scene.folder), 0);
    scene_remove(&scene);
    return status;
}

static void a_hangup_ends_a_run_in_order_and_nohup_keeps_it(void **state) {
    (void)state;
    assert_int_equal(exit_after_hangup(SIG_DFL), 75);
    assert_int_equal(exit_after_hangup(SIG_IGN), 0);
}

static void a_time_that_is_too_short_for_anything_is_named(void **state) {
    (void)state;
    Scene             scene;
    const char *const arguments[] = {"run", scene.yaml,    "--dir", scene.study, "--workers",
                                     "1",   "--time-left", "5",     NULL};
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.1);
    assert_int_equal(run_mbtune(&scene.run, arguments), 75);
    assert_contains(scene.run.text, "no time for anything beside the 10 s");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_that_cannot_end_in_time_is_cut_off_at_once),
        cmocka_unit_test(a_segment_that_is_being_saved_is_no_unit_in_vain),
        cmocka_unit_test(a_trainer_that_ignores_yield_is_dropped_in_time),
        cmocka_unit_test(a_second_signal_stops_at_once_and_says_so_once),
        cmocka_unit_test(stop_lets_a_unit_end_however_long_it_takes),
        cmocka_unit_test(a_hangup_ends_a_run_in_order_and_nohup_keeps_it),
        cmocka_unit_test(a_time_that_is_too_short_for_anything_is_named),
    };
    return cmocka_run_group_tests_name("tuner/stopping", tests, NULL, NULL);
}
