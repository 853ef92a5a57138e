/* A trainer that is itself parallel inside its slot: an MPI program (tests/workers/mpi_trainer.c)
 * under an mpiexec of its own. */
#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"
#include "tuner/launch.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MPI_TRAINER TEST_BINARY_FOLDER "/tests/workers/mpi_trainer"

enum { RANKS = 4, TEXT_BYTES = 1 << 16, LINE_BYTES = 256 };

static const double patience_s = 60.0;

static void make(Scene *scene, const char *ranks, const char *seconds) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: scene\n"
                   "trainer: {command: [%s, -n, '%s', %s, '%s'], evaluate: false}\n"
                   "objective: {metric: episode_reward, direction: maximize, reduce: last}\n"
                   "budget: {unit: episode, per_trial: 8, segment: 2}\n"
                   "scheduler: " SCENE_SYNCHRONOUS "\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "limits: {retries: 40, heartbeat: 1}\n"
                   "seed: 3\n",
                   launch_mpiexec(), ranks, MPI_TRAINER, seconds);
    scene_write(scene, text);
    char *places = file_join(scene->folder, "places");
    assert_int_equal(setenv("TEST_PLACES", places, 1), 0);
    free(places);
}

static char *one_rank; /* rows of the same computation by trainers of one rank */

static void assert_as_with_one_rank(const Scene *scene) {
    if (one_rank == NULL) {
        Scene other;
        make(&other, "1", "0");
        assert_int_equal(scene_run(&other, "2"), 0);
        scene_assert_sound(&other);
        one_rank = run_canonical(other.study);
        scene_remove(&other);
    }
    char *rows = run_canonical(scene->study);
    /* the command is not among them */
    assert_string_equal(rows, one_rank);
    free(rows);
}

/* the first `most` cores of this process; all that it starts is held to them */
static int keep_cores(cpu_set_t *all, int most, int *kept) {
    cpu_set_t few;
    int       found = 0;
    CPU_ZERO(&few);
    assert_int_equal(sched_getaffinity(0, sizeof *all, all), 0);
    for (int core = 0; core < CPU_SETSIZE && found < most; core++) {
        if (CPU_ISSET((size_t)core, all)) {
            CPU_SET((size_t)core, &few);
            kept[found++] = core;
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof few, &few), 0);
    return found;
}

/* a slot per core: every trainer has its one core, and so have all of its ranks */
static void assert_ranks_on_cores(const Scene *scene, const int *cores, int count) {
    char  *path = file_join(scene->folder, "places");
    char   line[LINE_BYTES];
    Buffer text;
    buffer_init(&text, TEXT_BYTES);
    assert_ok(file_read(path, &text));
    for (int i = 0; i < count; i++) {
        for (int rank = 0; rank < RANKS; rank++) {
            (void)snprintf(line, sizeof line, "rank %d of %d|Cpus_allowed_list:\t%d\n", rank, RANKS,
                           cores[i]);
            assert_contains(buffer_text(&text), line);
        }
    }
    size_t lines = 0;
    for (const char *at = buffer_text(&text); *at != '\0'; at++) {
        lines += (*at == '\n') ? 1 : 0;
    }
    assert_int_equal(lines, count * RANKS);
    buffer_reset(&text);
    free(path);
}

static void four_ranks_in_a_slot_give_the_rows_of_one(void **state) {
    Scene     scene;
    cpu_set_t all;
    int       cores[2];
    char      slots[16];
    (void)state;
    const int count = keep_cores(&all, 2, cores);
    (void)snprintf(slots, sizeof slots, "%d", count);
    make(&scene, "4", "0.05");
    assert_int_equal(scene_run(&scene, slots), 0);
    scene_assert_sound(&scene);
    assert_ranks_on_cores(&scene, cores, count);
    assert_as_with_one_rank(&scene);
    assert_int_equal(run_count_processes(scene.folder), 0);
    scene_remove(&scene);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

/* processes of this scene, by the variable that only they have in their environment */
static size_t left(const Scene *scene) {
    char  mark[SCENE_PATH_BYTES + 32];
    pid_t found[256];
    (void)snprintf(mark, sizeof mark, "TEST_PLACES=%s/places", scene->folder);
    return run_marked(mark, found, 256);
}

static void a_killed_worker_leaves_none_of_its_ranks(void **state) {
    Scene scene;
    pid_t below[64];
    (void)state;
    make(&scene, "4", "0.1");
    scene_start_until(&scene, "2", "finished", 2);
    const pid_t worker = run_find(&scene.run, VICTIM_WORKER, 0);
    assert_true(worker > 0);
    const size_t count = run_below(worker, below, 64);
    assert_true(count >= RANKS + 2); /* a supervisor, an mpiexec, proxies, and the ranks */
    assert_int_equal(kill(worker, SIGKILL), 0);
    const double deadline = clock_monotonic() + patience_s;
    int          exit_status = 0;
    for (size_t i = 0; i < count; i++) {
        while (run_parent(below[i]) > 0) {
            assert_true(clock_monotonic() < deadline);
            assert_false(run_wait_for(&scene.run, 0.01, &exit_status));
        }
    }
    assert_int_equal(run_wait(&scene.run), 0);
    scene_assert_sound(&scene);
    assert_int_equal(left(&scene), 0);
    assert_as_with_one_rank(&scene);
    scene_remove(&scene);
}

static void a_study_of_theirs_is_stopped_and_goes_on(void **state) {
    Scene scene;
    (void)state;
    make(&scene, "4", "0.1");
    scene_start_until(&scene, "2", "finished", 5);
    assert_int_equal(kill(scene.run.pid, SIGTERM), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_int_equal(left(&scene), 0);
    /* what ran had ended its unit, and left a checkpoint of a part of its segment */
    assert_true(run_query(scene.study, "SELECT count(*) FROM attempt WHERE outcome = 'preempted'") >
                0);
    scene_start_until(&scene, "2", "finished", 9);
    assert_true(run_kill(&scene.run, VICTIM_COORDINATOR, 0));
    assert_int_equal(run_wait(&scene.run), 75);
    assert_int_equal(left(&scene), 0);
    assert_int_equal(scene_run(&scene, "1"), 0);
    scene_assert_sound(&scene);
    assert_as_with_one_rank(&scene);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_ranks_in_a_slot_give_the_rows_of_one),
        cmocka_unit_test(a_killed_worker_leaves_none_of_its_ranks),
        cmocka_unit_test(a_study_of_theirs_is_stopped_and_goes_on),
    };
    const int failed = cmocka_run_group_tests_name("tuner/parallel_trainer", tests, NULL, NULL);
    free(one_rank);
    return failed;
}
