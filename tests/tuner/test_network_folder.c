/* Studies on a network file system: one process has the database, readers have its copy. A local
 * folder stands for one (MBTUNE_NETWORK_FOLDER=1); what differs from host to host is played. */
#include "core/clock.h"
#include "core/file.h"
#include "core/file_system.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES = 2048 };

#define PATIENCE_SECONDS 60.0

static int on_network(void **state) {
    (void)state;
    return setenv("MBTUNE_NETWORK_FOLDER", "1", 1);
}

static int shell(Scene *scene, Run *run, const char *what) {
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof line, "cd '%s' && %s", scene->study, what);
    return run_shell(run, line);
}

static bool has(Scene *scene, const char *name) {
    char path[LINE_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s", scene->study, name);
    return file_exists(path);
}

static void wait_for(Scene *scene, const char *name) {
    const double deadline = clock_monotonic() + PATIENCE_SECONDS;
    while (!has(scene, name)) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.02);
    }
}

static void start_slow(Scene *scene) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.3);
    scene_start(scene, "2");
    wait_for(scene, "snapshot.db");
    wait_for(scene, "live.json");
}

static void readers_see_a_copy_while_it_runs(void **state) {
    (void)state;
    Scene scene;
    Run   run;
    start_slow(&scene);
    assert_false(has(&scene, "study.db-shm"));
    assert_int_equal(shell(&scene, &run, "mbtune show ."), 0);
    assert_contains(run.text, "running");
    assert_int_equal(shell(&scene, &run, "mbtune status . -f json"), 0);
    assert_contains(run.text, "\"alive\": true");
    assert_int_equal(shell(&scene, &run, "cat live.json"), 0);
    assert_contains(run.text, "\"phase\":\"tuning\"");
    (void)kill(scene.run.pid, SIGTERM);
    assert_int_equal(run_wait(&scene.run), 75);
    /* whole, and nothing else left */
    assert_false(has(&scene, "snapshot.db"));
    assert_false(has(&scene, "live.json"));
    assert_false(has(&scene, "study.db-wal"));
    assert_int_equal(shell(&scene, &run, "mbtune show ."), 0);
    assert_contains(run.text, "interrupted");
    scene_remove(&scene);
}

static void rows_are_those_of_a_local_study(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    char *network = run_canonical(scene.study);
    scene_remove(&scene);
    (void)setenv("MBTUNE_NETWORK_FOLDER", "0", 1);
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    char *local = run_canonical(scene.study);
    scene_remove(&scene);
    (void)setenv("MBTUNE_NETWORK_FOLDER", "1", 1);
    assert_string_equal(network, local);
    free(network);
    free(local);
}

/* killed: copies and log are left; readers and the next run cope */
static void a_kill_is_survived(void **state) {
    (void)state;
    Scene scene;
    Run   run;
    start_slow(&scene);
    assert_true(run_kill(&scene.run, VICTIM_COORDINATOR, 0));
    assert_int_equal(run_wait(&scene.run), 75);
    assert_true(has(&scene, "live.json"));
    for (size_t i = 0; i < 2; i++) {
        const int status =
            shell(&scene, &run, (i == 0) ? "mbtune show ." : "mbtune fsck . --repair");
        print_message("%s", run.text);
        assert_int_equal(status, 0);
    }
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* ---- another host -----------------------------------------------------------------------------
 */

/* as a coordinator on another host leaves it when it dies */
static void leave_as_elsewhere(Scene *scene) {
    Run run;
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(scene, "2", "budget.total=24"), 0);
    assert_int_equal(shell(scene, &run,
                           "echo 'host elsewhere, process 7, since 2026' > lock && "
                           "echo '{}' > live.json"),
                     0);
}

static void a_dead_coordinator_elsewhere_is_no_obstacle(void **state) {
    (void)state;
    Scene scene;
    leave_as_elsewhere(&scene);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_remove(&scene);
}

/* its locks do not reach this host, but its signs of life do */
static void a_living_coordinator_elsewhere_is_not_disturbed(void **state) {
    (void)state;
    Scene scene;
    Run   alive;
    char  line[LINE_BYTES];
    leave_as_elsewhere(&scene);
    (void)snprintf(line, sizeof line,
                   "cd '%s' && (for i in $(seq 60); do echo '{}' > live.new; mv live.new "
                   "live.json; sleep 0.5; done) > /dev/null 2>&1 & echo $!",
                   scene.study);
    assert_int_equal(run_shell(&alive, line), 0);
    const pid_t pid = (pid_t)strtol(alive.text, NULL, 10);
    assert_true(pid > 1);
    assert_int_equal(scene_run(&scene, "2"), 1);
    assert_contains(scene.run.text, "another mbtune is running");
    assert_contains(scene.run.text, "host elsewhere, process 7");
    (void)kill(pid, SIGKILL);
    scene_remove(&scene);
}

static void kinds_of_file_systems_are_known(void **state) {
    (void)state;
    assert_false(file_system("/proc/self").network);
    assert_null(file_system("/no/such/path").name);
    if (file_is_folder("/dev/shm")) {
        const char *name = file_system("/dev/shm").name;
        print_message("/dev/shm: %s\n", (name == NULL) ? "?" : name);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_of_file_systems_are_known),
        cmocka_unit_test(readers_see_a_copy_while_it_runs),
        cmocka_unit_test(rows_are_those_of_a_local_study),
        cmocka_unit_test(a_kill_is_survived),
        cmocka_unit_test(a_dead_coordinator_elsewhere_is_no_obstacle),
        cmocka_unit_test(a_living_coordinator_elsewhere_is_not_disturbed),
    };
    return cmocka_run_group_tests(tests, on_network, NULL);
}
