/* A study's directory is checked, and what a crash or a backup leaves is mended: afterwards the
 * study goes on as if nothing had been. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fsck(Scene *scene, const char *option) {
    const char *const arguments[] = {"fsck", scene->study, option, NULL};
    return run_mbtune(&scene->run, arguments);
}

static void shell(Scene *scene, const char *format) {
    char line[4 * SCENE_PATH_BYTES];
    (void)snprintf(line, sizeof line, "cd %s/checkpoints && %s", scene->study, format);
    if (run_shell(&scene->run, line) != 0) {
        fail_msg("%s: %s", line, scene->run.text);
    }
}

static void a_study_that_ended_is_whole(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    assert_int_equal(fsck(&scene, NULL), 0);
    assert_contains(scene.run.text, "nothing is wrong");
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "nothing is wrong");
    scene_remove(&scene);
}

/* first budget, damage, repair, second budget: the same rows as without damage */
static char *canonical_of(bool harmed) {
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    if (harmed) {
        /* of the live leaves: one is cut, one is gone; a file of nobody; a row as a kill leaves it
         */
        shell(&scene, "set -- *.a*; truncate -s 3 $1; rm -r $2; echo x > 999.a1; touch 7.a9.tmp");
        run_execute(scene.study, "UPDATE study SET state = 'running', reason = ''");
        assert_int_equal(fsck(&scene, NULL), 1);
        assert_contains(scene.run.text, "checkpoints/999.a1 belongs to no row");
        assert_contains(scene.run.text, "checkpoints/7.a9.tmp belongs to no row");
        assert_contains(scene.run.text, "4 findings, --repair mends 4");
        assert_contains(scene.run.text, "is not whole: 4 findings");
        assert_int_equal(fsck(&scene, "--repair"), 0);
        assert_contains(scene.run.text, "4 findings, 4 mended");
        assert_int_equal(fsck(&scene, NULL), 0);
        assert_contains(scene.run.text, "nothing is wrong");
    }
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    char *rows = run_canonical(scene.study);
    scene_remove(&scene);
    return rows;
}

static void what_a_crash_leaves_is_mended(void **state) {
    (void)state;
    char *expected = canonical_of(false);
    char *rows = canonical_of(true);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
}

/* docs/install.md allows checkpoints/ to be a link to a larger disk, where others have files too */
static void files_of_others_on_a_linked_disk_stay(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    shell(&scene, "mkdir -p ../../disk && mv * ../../disk && cd .. && rmdir checkpoints && "
                  "ln -s ../disk checkpoints && cd ../disk && mkdir thesis && "
                  "echo precious | tee thesis/one thesis.txt 12 12.a 1.a1.copy .hidden");
    assert_int_equal(fsck(&scene, NULL), 0);
    assert_contains(scene.run.text, "checkpoints/ holds 6 of somebody else: left alone");
    assert_contains(scene.run.text, "nothing is wrong");
    shell(&scene, "echo x > 999.a1; mkdir 7.a9.tmp");
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "2 findings, 2 mended");
    shell(&scene, "test ! -e 999.a1 && test ! -e 7.a9.tmp && "
                  "cat thesis/one thesis.txt 12 12.a 1.a1.copy .hidden");
    assert_string_equal(scene.run.text, "precious\nprecious\nprecious\nprecious\nprecious\n"
                                        "precious\n");
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    shell(&scene, "cat thesis/one thesis.txt 12 12.a 1.a1.copy .hidden | wc -l");
    assert_string_equal(scene.run.text, "6\n");
    scene_remove(&scene);
}

static void rows_left_running_are_queued_again(void **state) {
    (void)state;
    Scene scene;
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "running", 1);
    (void)run_signal_all(&scene.run, 9);
    (void)run_wait(&scene.run);
    assert_true(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'") > 0);
    assert_int_equal(fsck(&scene, "--repair"), 0);
    assert_contains(scene.run.text, "left running, and nobody runs this study: mended");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

static void what_cannot_be_mended_is_reported_and_left_alone(void **state) {
    static const char *const harms[][2] = {
        {"DELETE FROM event WHERE kind = 'decided' AND segment = 3",
         "segment 3 was decided, and the log does not say so"},
        {"UPDATE segment SET \"begin\" = 1 WHERE \"begin\" > 1 AND id = (SELECT max(id) FROM "
         "segment)",
         "does not begin where its parent ends"},
        {"DELETE FROM segment_result WHERE segment = 2 AND kind = 'objective'",
         "segment 2 is finished and has no objective"},
        {"INSERT INTO metric (owner, step, \"index\", name, value) SELECT 999, 1, 0, min(id), 0"
         " FROM metric_name",
         "there are metrics of segment 999, and there is no such segment"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        Scene scene;
        scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
        assert_int_equal(scene_run(&scene, "2"), 0);
        run_execute(scene.study, harms[i][0]);
        char *before = run_canonical(scene.study);
        assert_int_equal(fsck(&scene, NULL), 1);
        assert_contains(scene.run.text, harms[i][1]);
        assert_int_equal(fsck(&scene, "--repair"), 1);
        assert_contains(scene.run.text, harms[i][1]);
        char *after = run_canonical(scene.study);
        assert_string_equal(before, after);
        free(before);
        free(after);
        scene_remove(&scene);
    }
}

static void a_running_study_and_no_study_are_refused(void **state) {
    (void)state;
    Scene      scene;
    static Run other;
    scene_make_slow(&scene);
    scene_start_until(&scene, "1", "running", 1);
    const char *const arguments[] = {"fsck", scene.study, NULL};
    assert_int_equal(run_mbtune(&other, arguments), 1);
    assert_contains(other.text, "process");
    (void)run_signal_all(&scene.run, 9);
    (void)run_wait(&scene.run);
    const char *const none[] = {"fsck", scene.folder, NULL};
    assert_int_equal(run_mbtune(&other, none), 1);
    assert_contains(other.text, "is no study: there is no study.db in it");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_study_that_ended_is_whole),
        cmocka_unit_test(what_a_crash_leaves_is_mended),
        cmocka_unit_test(files_of_others_on_a_linked_disk_stay),
        cmocka_unit_test(rows_left_running_are_queued_again),
        cmocka_unit_test(what_cannot_be_mended_is_reported_and_left_alone),
        cmocka_unit_test(a_running_study_and_no_study_are_refused),
    };
    return cmocka_run_group_tests_name("tuner/fsck", tests, NULL, NULL);
}
