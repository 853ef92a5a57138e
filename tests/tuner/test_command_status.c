/* mbtune status: where a study stands, who runs it, what it takes of the disk. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/json.h"

#include <stdio.h>
#include <string.h>

/* the report as JSON; the caller releases it */
static Json *status_of(Scene *scene) {
    const char *const arguments[] = {"status", scene->study, "-f", "json", NULL};
    Json             *report = NULL;
    assert_int_equal(run_mbtune(&scene->run, arguments), 0);
    assert_ok(json_parse(scene->run.text, scene->run.length, &report));
    return report;
}

static int64_t at(const Json *report, const char *object, const char *key) {
    return json_integer(json_get(json_get(report, object), key));
}

static void says_where_a_finished_study_stands(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    Json *report = status_of(&scene);
    assert_string_equal(json_string(json_get(report, "state")), "done");
    assert_string_equal(json_string(json_get(report, "phase")), "done");
    assert_int_equal(at(report, "segments", "finished"),
                     run_query(scene.study, "SELECT count(*) FROM segment"));
    assert_int_equal(at(report, "segments", "queued"), 0);
    assert_int_equal(at(report, "segments", "running"), 0);
    assert_int_equal(at(report, "segments", "failed"), 0);
    assert_int_equal(at(report, "units", "used"), 48);
    assert_int_equal(at(report, "units", "total"), 48);
    assert_int_equal(at(report, "best", "segment"),
                     run_query(scene.study,
                               "SELECT segment FROM segment_result WHERE kind = 'objective'"
                               " ORDER BY value DESC, segment LIMIT 1"));
    assert_int_equal(at(report, "checkpoints", "count"),
                     run_query(scene.study, "SELECT sum(kept) FROM segment"));
    assert_int_equal(
        at(report, "checkpoints", "bytes"),
        run_query(scene.study, "SELECT sum(checkpoint_bytes) FROM segment WHERE kept = 1"));
    assert_true(at(report, "disk", "database") > 0);
    assert_false(json_bool(json_get(json_get(report, "coordinator"), "alive")));
    json_release(report);
    scene_remove(&scene);
}

static void says_who_runs_a_study_and_that_nobody_does(void **state) {
    (void)state;
    Scene scene;
    Run   looking;
    int   exit_status = 0;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.5);
    scene_start_until(&scene, "2", "finished", 1);
    const Run running = scene.run;
    Json     *report = status_of(&scene);
    assert_true(json_bool(json_get(json_get(report, "coordinator"), "alive")));
    assert_contains(json_string(json_get(json_get(report, "coordinator"), "holder")), "process ");
    assert_string_equal(json_string(json_get(report, "state")), "running");
    assert_string_equal(json_string(json_get(report, "phase")), "tuning");
    assert_true(at(report, "segments", "finished") >= 1);
    json_release(report);
    scene.run = running;
    while (!run_kill(&scene.run, VICTIM_COORDINATOR, 0)) {
    }
    exit_status = run_wait(&scene.run);
    assert_int_not_equal(exit_status, 0);
    report = status_of(&scene);
    assert_false(json_bool(json_get(json_get(report, "coordinator"), "alive")));
    assert_string_equal(json_string(json_get(report, "state")), "interrupted");
    json_release(report);
    const char *const arguments[] = {"status", scene.study, NULL};
    assert_int_equal(run_mbtune(&looking, arguments), 0);
    assert_contains(looking.text, "cut off");
    assert_contains(looking.text, "disk: database ");
    scene_remove(&scene);
}

static void a_folder_without_a_study_is_one_sentence(void **state) {
    (void)state;
    Run               run;
    const char *const arguments[] = {"status", "/nowhere-at-all", NULL};
    assert_int_not_equal(run_mbtune(&run, arguments), 0);
    assert_contains(run.text, "/nowhere-at-all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_where_a_finished_study_stands),
        cmocka_unit_test(says_who_runs_a_study_and_that_nobody_does),
        cmocka_unit_test(a_folder_without_a_study_is_one_sentence),
    };
    return cmocka_run_group_tests_name("tuner/command_status", tests, NULL, NULL);
}
