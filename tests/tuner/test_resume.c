/* What a second command does to a study: going on with a larger budget, being refused, evaluating,
 * after a signal to every process, after a full disk. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/clock.h"
#include "core/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define CONFIRMED \
    "{name: pbt, population: 4, warmup: 2, mode: synchronous}\nconfirm: {top: 1, seeds: 2}"

static void assert_state(const Scene *scene, const char *state) {
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM study WHERE state = '%s'", state);
    assert_int_equal(run_query(scene->study, sql), 1);
}

/* ---- budgets ------------------------------------------------------------------------------------
 */

static void a_larger_total_goes_on_and_equals_the_larger_study(void **state) {
    (void)state;
    Scene scene;
    Scene whole;
    scene_make(&whole, "{name: random}", "", 0.0);
    assert_int_equal(scene_run_with(&whole, "1", "budget.trials=3"), 0);
    scene_make(&scene, "{name: random}", "", 0.0);
    /* the first run uses a third of the units, the second goes on to the end */
    const char *const first[] = {
        "run",   scene.yaml,        "--dir",     scene.study, "--set", "budget.trials=3",
        "--set", "budget.total=12", "--workers", "1",         NULL};
    assert_int_equal(run_mbtune(&scene.run, first), 0);
    assert_int_equal(run_query(scene.study, "SELECT sum(\"end\" - \"begin\") FROM segment"), 12);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=3"), 0);
    assert_int_equal(run_query(scene.study, "SELECT sum(\"end\" - \"begin\") FROM segment"), 36);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM event WHERE kind = 'budget_changed'"), 1);
    scene_assert_sound(&scene);
    scene_remove(&scene);
    scene_remove(&whole);
}

static void more_trials_go_on_although_the_study_had_ended(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, "{name: random}", "", 0.0);
    const char *const configurations =
        "SELECT count(DISTINCT number) FROM trial WHERE kind = 'tune'";
    const char *run[] = {"run",   scene.yaml,        "--dir",     scene.study, "--set", NULL,
                         "--set", "budget.total=60", "--workers", "1",         NULL};
    run[5] = "budget.trials=2";
    assert_int_equal(run_mbtune(&scene.run, run), 0);
    assert_int_equal(run_query(scene.study, configurations), 2);
    run[5] = "budget.trials=4";
    assert_int_equal(run_mbtune(&scene.run, run), 0);
    assert_int_equal(run_query(scene.study, configurations), 4);
    /* once they have run there is nothing to ask for */
    const long events = run_query(scene.study, "SELECT count(*) FROM event");
    assert_int_equal(run_mbtune(&scene.run, run), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM event"), events);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

static void a_wall_clock_budget_ends_and_can_be_extended(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, CONFIRMED, "", 0.05);
    assert_int_equal(scene_run_with(&scene, "2", "budget.wall_clock=0.5s"), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM study WHERE reason LIKE "
                                            "'wall-clock%'"),
                     1);
    const long before = run_query(scene.study, "SELECT count(*) FROM segment");
    assert_true(before < 24);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM trial WHERE kind <> 'tune'"), 0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.wall_clock=1h"), 0);
    scene_assert_sound(&scene);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM trial WHERE kind <> 'tune'"), 4);
    scene_remove(&scene);
}

/* ---- refusals and evaluations -------------------------------------------------------------------
 */

static void a_refused_command_leaves_the_study_as_it_was(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    assert_int_equal(scene_run_with(&scene, "1", "seed=4"), 1);
    assert_state(&scene, "done");
    const char *const evaluate[] = {"evaluate", scene.study, "--segment", "999", NULL};
    assert_int_equal(run_mbtune(&scene.run, evaluate), 1);
    assert_contains(scene.run.text, "999");
    assert_state(&scene, "done");
    scene_remove(&scene);
}

static void a_lost_database_is_not_begun_anew_over_its_checkpoints(void **state) {
    (void)state;
    Scene scene;
    char  line[SCENE_PATH_BYTES + 128];
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=16"), 0);
    (void)snprintf(line, sizeof line, "cd '%s' && mkdir ../away && mv study.db* ../away && ls",
                   scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_int_equal(scene_run(&scene, "2"), 1);
    assert_contains(scene.run.text, "holds checkpoints (");
    assert_contains(scene.run.text, "but no study.db: put that back from a copy");
    (void)snprintf(line, sizeof line, "cd '%s' && mv ../away/study.db* . && ls", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    const char *const fsck[] = {"fsck", scene.study, NULL};
    assert_int_equal(run_mbtune(&scene.run, fsck), 0); /* every checkpoint is still there */
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_remove(&scene);
}

static void an_evaluation_shows_its_result_and_leaves_an_interrupted_study_alone(void **state) {
    (void)state;
    Scene scene;
    char *expected = scene_undisturbed(scene_make_slow);
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "finished", 2);
    assert_int_equal(kill(scene.run.pid, SIGINT), 0);
    assert_int_equal(run_wait(&scene.run), 75);
    const char *const evaluate[] = {"evaluate", scene.study, "--episodes", "100", NULL};
    assert_int_equal(run_mbtune(&scene.run, evaluate), 0);
    assert_contains(scene.run.text, "mean episode_reward");
    assert_state(&scene, "interrupted");
    /* all of its episodes count */
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM metric JOIN metric_name ON "
                                            "metric_name.id = metric.name WHERE owner < 0 AND "
                                            "metric_name.name = 'episode_reward'"),
                     100);
    assert_int_equal(run_query(scene.study,
                               "SELECT abs(r.value - (SELECT avg(m.value) FROM metric m JOIN "
                               "metric_name n ON n.id = m.name WHERE m.owner < 0 AND n.name = "
                               "'episode_reward')) < 1e-9 FROM evaluation_result r"),
                     1);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment"), 24);
    free(expected);
    scene_remove(&scene);
}

/* ---- confirmation -------------------------------------------------------------------------------
 */

static void make_confirmed(Scene *scene) {
    scene_make(scene, CONFIRMED, "", 0.02);
}

static void confirmation_is_the_same_with_one_worker_and_after_interruptions(void **state) {
    (void)state;
    Scene scene;
    int   exit_status = 75;
    char *expected = scene_undisturbed(make_confirmed);
    make_confirmed(&scene);
    assert_int_equal(scene_run(&scene, "1"), 0);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    scene_remove(&scene);

    make_confirmed(&scene);
    /* each piece is longer than the one before, so that a slow machine gets to the end, too */
    for (double seconds = 0.5; seconds < 60.0 && exit_status == 75; seconds *= 1.2) {
        scene_start(&scene, "2");
        if (!run_wait_for(&scene.run, seconds, &exit_status)) {
            (void)kill(scene.run.pid, SIGINT);
            exit_status = run_wait(&scene.run);
        }
    }
    assert_int_equal(exit_status, 0);
    rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    /* nothing was thrown away and trained again */
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM log WHERE text LIKE '%again%'"),
                     0);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

/* ---- everybody gets the signal ------------------------------------------------------------------
 */

static void a_signal_to_every_process_is_an_interruption(void **state) {
    (void)state;
    Scene scene;
    char *expected = scene_undisturbed(scene_make_slow);
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "finished", 2);
    assert_true(run_signal_all(&scene.run, SIGTERM) > 4);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'failed'"),
                     0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

/* ---- a full disk --------------------------------------------------------------------------------
 */

/* fills what is left of the file system of `folder` but for `leave` bytes; returns the filler's
 * path */
static void fill(const char *folder, uint64_t leave, char *filler, size_t size) {
    uint64_t room = 0;
    (void)snprintf(filler, size, "%s/filler", folder);
    assert_ok(file_space(folder, &room));
    FILE *file = fopen(filler, "we");
    assert_non_null(file);
    static const char block[4096] = {1};
    for (uint64_t put = 0; put + leave + sizeof block < room; put += sizeof block) {
        if (fwrite(block, 1, sizeof block, file) != sizeof block) {
            break;
        }
    }
    (void)fclose(file);
}

/* `room`: bytes that are left; little stops the database first, more stops a checkpoint first */
static void fill_disk_and_go_on(uint64_t room) {
    Scene scene;
    char  filler[SCENE_PATH_BYTES + 16];
    char *expected = scene_undisturbed(scene_make_pets);
    char  disk[SCENE_PATH_BYTES];
    scene_make_pets(&scene);
    (void)snprintf(disk, sizeof disk, "%s/disk", scene.folder);
    (void)snprintf(scene.study, sizeof scene.study, "%.400s/study", disk);
    assert_ok(file_make_folder(disk));
    if (mount("tmpfs", disk, "tmpfs", 0, "size=24m") != 0) {
        scene_remove(&scene);
        free(expected);
        test_skip("mounting a small file system needs root");
    }
    fill(disk, room, filler, sizeof filler);
    const int full = scene_run(&scene, "2");
    (void)unlink(filler);
    const int after = scene_run(&scene, "2");
    char     *rows = run_canonical(scene.study);
    (void)umount2(disk, MNT_DETACH);
    assert_int_equal(full, 75);
    assert_int_equal(after, 0);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

static void a_full_disk_is_an_interruption_that_loses_nothing(void **state) {
    (void)state;
    fill_disk_and_go_on(0); /* not even a study can be made */
    fill_disk_and_go_on(500 * 1000);
    fill_disk_and_go_on(1300 * 1000);
}

/* ---- a disk that fails ----------------------------------------------------------------------
 */

static void make_two_chains(Scene *scene) {
    scene_make(scene, "{name: random}\nconfirm: {top: 1, seeds: 1}", "", 0.0);
}

/* the study after `broken` was mended is what it would have been */
static void assert_goes_on_as_if_nothing_had_been(Scene *scene, const char *expected) {
    assert_int_equal(scene_run_with(scene, "1", "budget.trials=2"), 0);
    scene_assert_sound(scene);
    char *rows = run_canonical(scene->study);
    assert_string_equal(rows, expected);
    free(rows);
}

static void a_checkpoint_folder_that_cannot_be_written_is_an_interruption(void **state) {
    (void)state;
    Scene scene;
    Scene whole;
    char  checkpoints[SCENE_PATH_BYTES + 16];
    make_two_chains(&whole);
    assert_int_equal(scene_run_with(&whole, "1", "budget.trials=2"), 0);
    char *expected = run_canonical(whole.study);
    scene_remove(&whole);

    make_two_chains(&scene);
    (void)snprintf(checkpoints, sizeof checkpoints, "%s/checkpoints", scene.study);
    assert_ok(file_make_folder(scene.study));
    assert_ok(file_make_folder(checkpoints));
    if (mount("tmpfs", checkpoints, "tmpfs", MS_RDONLY, "size=1m") != 0) {
        scene_remove(&scene);
        free(expected);
        test_skip("mounting a small file system needs root");
    }
    const int broken = scene_run_with(&scene, "1", "budget.trials=2");
    (void)umount2(checkpoints, MNT_DETACH);
    assert_int_equal(broken, 75);
    assert_contains(scene.run.text, "cannot be written");
    assert_goes_on_as_if_nothing_had_been(&scene, expected);
    free(expected);
    scene_remove(&scene);
}

static void a_checkpoint_that_can_never_be_saved_is_not_tried_forever(void **state) {
    (void)state;
    Scene scene;
    char  path[3][SCENE_PATH_BYTES + 64];
    int   mounted = 0;
    make_two_chains(&scene);
    const char *const begin[] = {
        "run",       scene.yaml, "--dir",       scene.study, "--set", "budget.trials=2",
        "--workers", "1",        "--time-left", "1",         NULL};
    assert_int_equal(run_mbtune(&scene.run, begin), 75); /* no time for anything: nothing ran */
    /* where each attempt would put its file stands what cannot be removed */
    for (; mounted < 3; mounted++) {
        (void)snprintf(path[mounted], sizeof path[mounted], "%s/checkpoints/1.a%d", scene.study,
                       mounted + 1);
        assert_ok(file_make_folder(path[mounted]));
        if (mount("tmpfs", path[mounted], "tmpfs", 0, "size=1m") != 0) {
            break;
        }
    }
    const char *const run[] = {
        "run",   scene.yaml,         "--dir",     scene.study, "--set", "budget.trials=2",
        "--set", "limits.retries=2", "--workers", "1",         NULL};
    const int broken = (mounted == 3) ? run_mbtune(&scene.run, run) : 0;
    for (int i = 0; i < mounted; i++) {
        (void)umount2(path[i], MNT_DETACH);
    }
    if (mounted < 3) {
        scene_remove(&scene);
        test_skip("mounting a small file system needs root");
    }
    assert_int_equal(broken, 75);
    assert_contains(scene.run.text, "lost 3 times in a row");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'failed'"),
                     0);
    assert_int_equal(run_mbtune(&scene.run, run), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_larger_total_goes_on_and_equals_the_larger_study),
        cmocka_unit_test(more_trials_go_on_although_the_study_had_ended),
        cmocka_unit_test(a_wall_clock_budget_ends_and_can_be_extended),
        cmocka_unit_test(a_refused_command_leaves_the_study_as_it_was),
        cmocka_unit_test(a_lost_database_is_not_begun_anew_over_its_checkpoints),
        cmocka_unit_test(an_evaluation_shows_its_result_and_leaves_an_interrupted_study_alone),
        cmocka_unit_test(confirmation_is_the_same_with_one_worker_and_after_interruptions),
        cmocka_unit_test(a_signal_to_every_process_is_an_interruption),
        cmocka_unit_test(a_full_disk_is_an_interruption_that_loses_nothing),
        cmocka_unit_test(a_checkpoint_folder_that_cannot_be_written_is_an_interruption),
        cmocka_unit_test(a_checkpoint_that_can_never_be_saved_is_not_tried_forever),
    };
    return cmocka_run_group_tests_name("tuner/resume", tests, NULL, NULL);
}
