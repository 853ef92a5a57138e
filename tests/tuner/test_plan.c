/* `mbtune plan` against the real program: what it measures, that it leaves nothing. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/json.h"

#include <stdio.h>
#include <string.h>

static Json *plan(Scene *scene) {
    Json             *root = NULL;
    const char *const arguments[] = {"plan", scene->yaml, "-f", "json", NULL};
    if (run_mbtune(&scene->run, arguments) != 0) {
        fail_msg("%s", scene->run.text);
    }
    assert_ok(json_parse(scene->run.text, strlen(scene->run.text), &root));
    return root;
}

static double number(const Json *root, const char *corner, const char *key) {
    return json_number(json_get(json_get(json_get(root, "corners"), corner), key));
}

static void a_trainer_of_ones_own_is_measured_at_the_defaults(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, "{name: random}", "", 0.2);
    const char *const text[] = {"plan", scene.yaml, "--set", "budget.trials=3", NULL};
    assert_int_equal(run_mbtune(&scene.run, text), 0);
    assert_contains(scene.run.text, "36 episodes");
    scene_remove(&scene);
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.2);
    Json *root = plan(&scene);
    assert_true(number(root, "defaults", "unit_seconds") >= 0.2);
    assert_true(number(root, "defaults", "unit_seconds") < 60.0);
    assert_null(json_get(json_get(root, "corners"), "dearest"));
    /* 4 members of 12 units */
    assert_close(number(root, "defaults", "slot_hours"),
                 number(root, "defaults", "mean_unit_seconds") * 48 / 3600, 1e-12, 1e-9);
    json_release(root);
    /* nothing is left beside the study file: no folder, no process */
    const char *const show[] = {"show", scene.study, NULL};
    assert_int_equal(run_mbtune(&scene.run, show), 1);
    scene_remove(&scene);
}

static void corners_of_a_built_in_agent_differ(void **state) {
    (void)state;
    Scene scene;
    scene_make_pets(&scene);
    Json *root = plan(&scene);
    assert_true(number(root, "dearest", "unit_seconds") > 0.0);
    assert_true(number(root, "cheapest", "slot_hours") > 0.0);
    const Json *corners = json_get(root, "corners");
    const Json *cheap = json_get(json_get(corners, "cheapest"), "hyperparameters");
    const Json *dear = json_get(json_get(corners, "dearest"), "hyperparameters");
    assert_int_equal(json_integer(json_get(cheap, "planning_horizon")), 2);
    assert_int_equal(json_integer(json_get(dear, "planning_horizon")), 8);
    assert_true(json_integer(json_get(root, "slots")) >= 1);
    assert_true(json_number(json_get(root, "memory_bytes")) > 1.0e6);
    json_release(root);
    scene_remove(&scene);
}

static void a_trainer_that_fails_is_named(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, "{name: random}", ", --fault, 'crash@segment=1'", 0.0);
    const char *const arguments[] = {"plan", scene.yaml, "--set", "budget.trials=3", NULL};
    assert_int_equal(run_mbtune(&scene.run, arguments), 1);
    assert_contains(scene.run.text, "the defaults could not be trained");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trainer_of_ones_own_is_measured_at_the_defaults),
        cmocka_unit_test(corners_of_a_built_in_agent_differ),
        cmocka_unit_test(a_trainer_that_fails_is_named),
    };
    return cmocka_run_group_tests_name("tuner/plan", tests, NULL, NULL);
}
