/* Whatever a study file says and whatever a trainer leaves in the study's folder, mbtune writes in
 * that folder only. Each test puts something precious outside and looks at it afterwards. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 4 * SCENE_PATH_BYTES };

/* a line for the shell in the scene's folder, where `study` is the study; it must succeed */
static void shell(Scene *scene, const char *words) {
    char line[2 * LINE_BYTES];
    (void)snprintf(line, sizeof line, "cd %s && %s", scene->folder, words);
    if (run_shell(&scene->run, line) != 0) {
        fail_msg("%s: %s", line, scene->run.text);
    }
}

/* a study with half of its budget */
static void make_half(Scene *scene) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(scene, "1", "budget.total=24"), 0);
}

static int command(Scene *scene, const char *name, const char *option, const char *value) {
    const char *const arguments[] = {name, scene->study, option, value, NULL};
    return run_mbtune(&scene->run, arguments);
}

static void a_name_does_not_lead_out(void **state) {
    static const char *const names[] = {"../evil", "/tmp/evil", "a/b",     "..", ".",
                                        ".hidden", "-rf",       "a\\\\nb", ""};
    (void)state;
    Scene scene;
    make_half(&scene);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char words[LINE_BYTES];
        (void)snprintf(
            words, sizeof words,
            "sed 's|^name: .*|name: \"%s\"|' study.yaml > bad.yaml && mkdir -p w && cd w "
            "&& ! mbtune run ../bad.yaml --workers 1 > out 2>&1 && grep -q \"'name'\" "
            "out && rm out && rmdir ../w",
            names[i]);
        shell(&scene, words);
    }
    scene_remove(&scene);
}

/* what has to be in a study's folder and is a link instead: nobody who writes goes on */
static void links_in_the_folder_are_refused(void **state) {
    static const char *const parts[] = {"study.db", "study.yaml", "requests", "lock"};
    (void)state;
    Scene scene;
    make_half(&scene);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char words[LINE_BYTES];
        (void)snprintf(words, sizeof words,
                       "rm -rf outside && mkdir outside && mv study/%s outside/ && "
                       "ln -s ../outside/%s study/%s && "
                       "if test -d outside/%s; then echo x > outside/%s/precious.json; fi && "
                       "find outside -type f | sort | xargs sha256sum > before",
                       parts[i], parts[i], parts[i], parts[i], parts[i]);
        shell(&scene, words);
        assert_int_equal(scene_run(&scene, "1"), 1);
        assert_contains(scene.run.text, "symbolic link");
        assert_int_equal(command(&scene, "fsck", "--repair", NULL), 1);
        assert_contains(scene.run.text, "symbolic link");
        assert_int_equal(command(&scene, "gc", NULL, NULL), 1);
        assert_contains(scene.run.text, "symbolic link");
        if (strcmp(parts[i], "lock") != 0) { /* asks for no lock */
            assert_int_equal(command(&scene, "pin", "--segment", "1"), 1);
            assert_contains(scene.run.text, "symbolic link");
        }
        shell(&scene, "find outside -type f | sort | xargs sha256sum | cmp - before");
        (void)snprintf(words, sizeof words,
                       "rm -f outside/%s/precious.json && rm study/%s && mv outside/%s study/",
                       parts[i], parts[i], parts[i]);
        shell(&scene, words);
    }
    assert_int_equal(scene_run_with(&scene, "1", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* files beside which mbtune writes, and files it takes in: the study goes on, the outside stays */
static void links_and_pipes_among_its_files_do_no_harm(void **state) {
    (void)state;
    Scene scene;
    make_half(&scene);
    shell(&scene,
          "echo precious > precious && cp precious kept && "
          "ln -s ../../precious study/requests/1-1.json && mkfifo study/requests/2-2.json && "
          "ln -s ../../precious study/requests/2-2.answer.tmp && "
          "ln -s ../../precious study/requests/3-3.answer && "
          "ln -s ../precious study/study.yaml.tmp && "
          "ln -s ../../precious study/checkpoints/999.a1 && mkfifo study/checkpoints/998.a1 && "
          "ln -s .. study/checkpoints/997.a1.tmp");
    assert_int_equal(scene_run_with(&scene, "1", "budget.total=48"), 0);
    scene_assert_sound(&scene);
    shell(&scene,
          "cmp precious kept && test -e study.yaml && ! test -e study/checkpoints/999.a1 && "
          "! test -p study/checkpoints/998.a1 && ! test -e study/checkpoints/997.a1.tmp && "
          "grep -q 'no regular file' study/requests/1-1.answer study/requests/2-2.answer");
    scene_remove(&scene);
}

/* a worker cannot log there: one sentence, and nothing is written */
static void a_log_that_is_a_link_is_not_followed(void **state) {
    (void)state;
    Scene scene;
    make_half(&scene);
    shell(&scene, "echo precious > precious && cp precious kept && rm study/logs/* && "
                  "for n in 0 1; do for s in 0 1; do ln -s ../../precious "
                  "study/logs/trainer-$n-$s.log; done; done");
    assert_int_not_equal(scene_run_with(&scene, "1", "budget.total=48"), 0);
    assert_contains(scene.run.text, "cannot open the log");
    shell(&scene, "cmp precious kept");
    scene_remove(&scene);
}

/* the trainer says done and leaves a link for the checkpoint: its segment failed, for that reason
 */
static void a_checkpoint_that_is_a_link_fails_its_segment(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, ", --fault, 'link@segment=1'", 0.0);
    assert_int_equal(scene_run_with(&scene, "1", "budget.total=24"), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE id = 1 AND "
                                            "state = 'failed' AND outcome = 'protocol'"),
                     1);
    shell(&scene, "grep -rq 'is a symbolic link' study/study.db* && "
                  "test -z \"$(find study/checkpoints -type l)\"");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_does_not_lead_out),
        cmocka_unit_test(links_in_the_folder_are_refused),
        cmocka_unit_test(links_and_pipes_among_its_files_do_no_harm),
        cmocka_unit_test(a_log_that_is_a_link_is_not_followed),
        cmocka_unit_test(a_checkpoint_that_is_a_link_fails_its_segment),
    };
    return cmocka_run_group_tests_name("tuner/paths", tests, NULL, NULL);
}
