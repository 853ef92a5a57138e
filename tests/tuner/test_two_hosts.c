/* A study on two hosts without Slurm: two network namespaces (tests/support/two_hosts), the
 * coordinator and a worker on the near one, a worker on the far one, a study folder in common. The
 * link between them is cut, for a while and for good, and a far worker dies. */
#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"
#include "tuner/launch.h"

#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT TEST_SOURCE_FOLDER "/tests/support/two_hosts"

enum { LINE_BYTES = 4096, RANK = 1, TRAINER = 2 };

static const double patience_s = 60.0;
static const double short_cut_s = 5.0;

static char *hosts;       /* folder of the two; NULL: the tests skip */
static int   alive = -1;  /* closed, by whatever ends this process: both are taken down */
static pid_t caretaker;   /* who does it */
static char *undisturbed; /* rows of the study on one host */

/* ---- the hosts ------------------------------------------------------------------------------ */

static int two_hosts(const char *action, Run *run) {
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof line, "'%s' %s '%s'", SCRIPT, action, hosts);
    const int status = run_shell(run, line);
    if (status != 0) {
        print_message("two_hosts %s: %d: %s", action, status, run->text);
    }
    return status;
}

/* waits for the end of the test, however that comes about */
static void take_care(int ends[2]) {
    char        nothing = 0;
    const char *words[] = {SCRIPT, "down", hosts, NULL};
    (void)setsid();
    (void)signal(SIGTERM, SIG_IGN);
    (void)close(ends[1]);
    while (read(ends[0], &nothing, 1) > 0) {
    }
    (void)execv(SCRIPT, (char *const *)(uintptr_t)words);
    _exit(127);
}

/* only what MPICH's mpiexec started outlives a host that is lost */
static bool may_make_hosts(void) {
#ifdef MPICH_VERSION
    static const char can[] = "PATH=$PATH:/sbin:/usr/sbin; ip -V && unshare --net true";
#else
    static const char can[] = "false";
#endif
    Run run;
    return run_shell(&run, can) == 0;
}

static int make_hosts(void **state) {
    int ends[2];
    Run run;
    (void)state;
    if (!may_make_hosts()) {
        return 0;
    }
    hosts = test_folder_make();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    caretaker = fork();
    if (caretaker == 0) {
        take_care(ends);
    }
    (void)close(ends[0]);
    alive = ends[1];
    return two_hosts("up", &run);
}

static int remove_hosts(void **state) {
    int status = 0;
    (void)state;
    if (hosts == NULL) {
        return 0;
    }
    (void)close(alive);
    (void)waitpid(caretaker, &status, 0);
    test_folder_remove(hosts);
    free(undisturbed);
    return status;
}

#define NEED_HOSTS()                                                           \
    do {                                                                       \
        if (hosts == NULL) {                                                   \
            test_skip("two hosts need root, the package iproute2, and MPICH"); \
        }                                                                      \
    } while (0)

/* a process of `kind` on the far host (0: of any), 0 if there is none */
static pid_t find_far(int kind) {
    char        command[LINE_BYTES];
    Run         run;
    const char *at = run.text;
    assert_int_equal(two_hosts("far", &run), 0);
    for (;;) {
        char      *end = NULL;
        const long pid = strtol(at, &end, 10);
        if (end == at) {
            return 0;
        }
        at = end;
        run_command((pid_t)pid, command, sizeof command);
        const bool proxy = strstr(command, "--control-port") != NULL;
        const bool rank = !proxy && strstr(command, "/mbtune run ") != NULL;
        const bool trainer = !proxy && strstr(command, "fake_trainer --sleep") != NULL;
        if (command[0] != '\0' &&
            (kind == 0 || (kind == RANK && rank) || (kind == TRAINER && trainer))) {
            return (pid_t)pid;
        }
    }
}

/* ---- the study ------------------------------------------------------------------------------ */

static void make(Scene *scene) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.4);
}

static void start(Scene *scene, const char *set) {
    char line[LINE_BYTES];
    make(scene);
    (void)snprintf(line, sizeof line,
                   ". '%s/hosts'; exec '%s/run' env UCX_TLS=tcp,self '%s' -launcher ssh "
                   "-launcher-exec '%s/ssh' -iface \"$near_link\" -disable-auto-cleanup "
                   "-hosts 10.77.0.1:1,10.77.0.3:1,10.77.0.2:1 -n 3 \"$(command -v mbtune)\" run "
                   "'%s' --dir '%s' %s",
                   hosts, hosts, launch_mpiexec(), hosts, scene->yaml, scene->study, set);
    run_shell_start(&scene->run, line);
}

/* until both work and some segments are over */
static void until_at_work(Scene *scene) {
    char         database[SCENE_PATH_BYTES + 16];
    int          exit_status = 0;
    const double deadline = clock_monotonic() + patience_s;
    (void)snprintf(database, sizeof database, "%s/study.db", scene->study);
    while (!file_exists(database) ||
           run_query(scene->study, "SELECT count(*) FROM segment WHERE state = 'finished'") < 2 ||
           find_far(TRAINER) == 0) {
        assert_true(clock_monotonic() < deadline);
        if (run_wait_for(&scene->run, 0.05, &exit_status)) {
            fail_msg("it ended with %d:\n%s", exit_status, scene->run.text);
        }
    }
}

static void assert_good_end(Scene *scene, long repeated) {
    const int status = run_wait(&scene->run);
    print_message("%s", scene->run.text);
    assert_int_equal(status, 0);
    scene_assert_sound(scene);
    assert_in_range(run_query(scene->study, "SELECT (SELECT count(*) FROM attempt) - "
                                            "(SELECT count(*) FROM segment)"),
                    0, repeated);
    if (undisturbed == NULL) {
        undisturbed = scene_undisturbed(make);
    }
    char *rows = run_canonical(scene->study);
    assert_string_equal(rows, undisturbed);
    free(rows);
}

static void assert_nothing_is_left(Scene *scene) {
    const double deadline = clock_monotonic() + patience_s;
    while (find_far(0) != 0 || run_count_processes(scene->folder) > 0) {
        assert_true(clock_monotonic() < deadline);
        clock_sleep(0.1);
    }
    scene_remove(scene);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void a_link_that_is_cut_for_five_seconds_costs_nothing(void **state) {
    Scene scene;
    Run   run;
    int   exit_status = 0;
    (void)state;
    NEED_HOSTS();
    start(&scene, "");
    until_at_work(&scene);
    assert_int_equal(two_hosts("cut", &run), 0);
    assert_false(run_wait_for(&scene.run, short_cut_s, &exit_status));
    assert_int_equal(two_hosts("mend", &run), 0);
    assert_good_end(&scene, 0);
    assert_null(strstr(scene.run.text, "is given up"));
    assert_nothing_is_left(&scene);
}

static void a_link_that_is_cut_for_good_costs_one_segment(void **state) {
    Scene scene;
    Run   run;
    int   exit_status = 0;
    (void)state;
    NEED_HOSTS();
    start(&scene, "--set limits.heartbeat=0.5");
    until_at_work(&scene);
    const double deadline = clock_monotonic() + patience_s;
    assert_int_equal(two_hosts("cut", &run), 0);
    /* nobody can tell the far worker: it ends by itself, with its trainer, while the study goes on
     */
    while (find_far(RANK) != 0 || find_far(TRAINER) != 0) {
        assert_true(clock_monotonic() < deadline);
        assert_false(run_wait_for(&scene.run, 0.1, &exit_status));
    }
    assert_good_end(&scene, 1);
    assert_contains(scene.run.text, "worker 2 is given up");
    assert_int_equal(two_hosts("mend", &run), 0);
    assert_nothing_is_left(&scene);
}

/* its host resets the connection, so that sends to it fail */
static void a_far_worker_that_is_killed_costs_one_segment(void **state) {
    Scene scene;
    (void)state;
    NEED_HOSTS();
    start(&scene, "");
    until_at_work(&scene);
    const pid_t worker = find_far(RANK);
    assert_true(worker > 0);
    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_good_end(&scene, 1);
    assert_contains(scene.run.text, "worker 2 is given up");
    assert_nothing_is_left(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_is_cut_for_five_seconds_costs_nothing),
        cmocka_unit_test(a_link_that_is_cut_for_good_costs_one_segment),
        cmocka_unit_test(a_far_worker_that_is_killed_costs_one_segment),
    };
    return cmocka_run_group_tests_name("tuner/two_hosts", tests, make_hosts, remove_hosts);
}
