/* `environment` of a study file: every built-in one, a definition with a model, and where its
 * mistakes are said to be. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"
#include "tests/tuner/study_texts.h"

#include <stdio.h>
#include <string.h>

static char *folder;

static const char model[] =
    "<mujoco><worldbody><body name='cart'><joint name='slider' type='slide' axis='1 0 0'/>"
    "<geom size='0.1'/></body></worldbody><actuator><motor joint='slider' ctrllimited='true' "
    "ctrlrange='-1 1'/></actuator></mujoco>";

static const char text[] = "name: own\n"
                           "agent: pets\n"
                           "environment:\n"
                           "  name: mjcf\n"
                           "  file: robot.xml\n"
                           "  frame_skip: 2\n"
                           "  episode_length: 20\n"
                           "  observation: [qpos.slider, qvel.slider]\n"
                           "  reward:\n"
                           "    qpos.slider: {weight: -1, of: square, target: 0.5}\n"
                           "    action: -0.1\n"
                           "  terminate: {qpos.slider: {lower: -1}}\n"
                           "objective: {metric: episode_reward, direction: maximize}\n"
                           "budget: {unit: episode, per_trial: 2, segment: 1, trials: 2}\n"
                           "scheduler: {name: random}\n"
                           "search_space: pets-laptop\n";

static void write_file(const char *name, const char *content) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_folder(void **state) {
    (void)state;
    folder = test_folder_make();
    write_file("robot.xml", model);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    test_folder_remove(folder);
    return 0;
}

static Status read_text(const char *from, const char *to, Study **out) {
    char changed[TEXT_BYTES];
    char path[512];
    study_change(text, from, to, changed);
    (void)snprintf(path, sizeof path, "%s/study.yaml", folder);
    return study_parse(path, changed, NULL, 0, out);
}

static void every_built_in_environment_makes_a_study(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        char   changed[TEXT_BYTES];
        char   line[128];
        Study *study = NULL;
        (void)snprintf(line, sizeof line, "environment: %s", environment_at(e)->name);
        study_change(study_built_in, "environment: cartpole", line, changed);
        assert_ok(study_parse("study.yaml", changed, NULL, 0, &study));
        assert_ptr_equal(study->environment, environment_at(e));
        assert_null(study->environment_definition);
        study_destroy(study);
    }
}

#ifdef MBTUNE_HAVE_MUJOCO

static void a_definition_becomes_an_environment_and_reaches_the_trainer(void **state) {
    (void)state;
    Study *study = NULL;
    Json  *json = NULL;
    Buffer hello;
    assert_ok(read_text("", "", &study));
    assert_string_equal(study->environment_name, "mjcf");
    assert_int_equal(study->environment->state_dim, 2);
    assert_int_equal(study->environment->episode_length, 20);
    buffer_init(&hello, TEXT_BYTES);
    assert_ok(study_trainer_hello(study, &hello));
    assert_contains(buffer_text(&hello), "\"environment\":\"mjcf\"");
    assert_contains(buffer_text(&hello), "\"environment_definition\":{");
    assert_contains(buffer_text(&hello), folder); /* an absolute path */
    assert_contains(buffer_text(&hello), "\"target_scale\":[");
    assert_contains(buffer_text(&hello), "\"worst_return\":");
    buffer_reset(&hello);
    /* what the database keeps: as written, and which model it was */
    assert_ok(study_to_json(study, &json));
    const Json *definition = json_get(json, "environment");
    assert_non_null(json_get(definition, "model_hash"));
    assert_null(json_get(definition, "target_scale"));
    json_release(json);
    study_destroy(study);
}

static void another_model_is_another_study_and_another_place_is_not(void **state) {
    (void)state;
    Study *one = NULL;
    Study *two = NULL;
    Json  *jsons[2] = {NULL, NULL};
    Buffer names;
    char   changed[TEXT_BYTES];
    buffer_init(&names, TEXT_BYTES);
    write_file("copy.xml", model);
    assert_ok(read_text("", "", &one));
    assert_ok(read_text("robot.xml", "copy.xml", &two));
    assert_ok(study_to_json(one, &jsons[0]));
    assert_ok(study_to_json(two, &jsons[1]));
    assert_ok(study_diff(jsons[0], jsons[1], &names));
    assert_string_equal(buffer_text(&names), "");
    study_destroy(two);
    json_release(jsons[1]);
    study_change(model, "0.1", "0.2", changed);
    write_file("copy.xml", changed);
    assert_ok(read_text("robot.xml", "copy.xml", &two));
    assert_ok(study_to_json(two, &jsons[1]));
    assert_ok(study_diff(jsons[0], jsons[1], &names));
    assert_string_equal(buffer_text(&names), "environment.model_hash");
    study_destroy(one);
    study_destroy(two);
    json_release(jsons[0]);
    json_release(jsons[1]);
    buffer_reset(&names);
}

static void mistakes_have_line_and_column(void **state) {
    (void)state;
    static const struct {
        const char *from;
        const char *to;
        const char *says;
    } cases[] = {
        {"frame_skip: 2", "frame_skip: two", "study.yaml:6:15: 'frame_skip'"},
        {"qvel.slider]", "qvel.slidr]", "study.yaml:8:30: the model has no joint 'slidr'"},
        {"    qpos.slider: {w", "    qpos.slid: {w", "study.yaml:10:5: the observation has no"},
        {"lower: -1", "lowr: -1", "study.yaml:12:15: unknown key"},
        {"robot.xml", "rabbit.xml", "study.yaml:5:9: cannot open"},
        {"name: mjcf", "name: hopper", "study.yaml:4:9: only mjcf"},
        {"  name: mjcf\n", "", "'name' is missing"},
        {"  reward:", "  rewards:", "study.yaml:4:3: unknown key in environment: 'rewards'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Study *study = NULL;
        assert_true(read_text(cases[i].from, cases[i].to, &study) != STATUS_OK);
        assert_null(study);
        assert_contains(status_last()->text, cases[i].says);
    }
}

static void the_bare_name_says_what_it_needs(void **state) {
    (void)state;
    char   changed[TEXT_BYTES];
    Study *study = NULL;
    study_change(study_built_in, "environment: cartpole", "environment: mjcf", changed);
    assert_true(study_parse("study.yaml", changed, NULL, 0, &study) != STATUS_OK);
    assert_contains(status_last()->text, "'mjcf' needs a model");
    study_change(study_built_in, "environment: cartpole", "environment: mjfc", changed);
    assert_true(study_parse("study.yaml", changed, NULL, 0, &study) != STATUS_OK);
    assert_contains(status_last()->text, "did you mean 'mjcf'");
}

#else

static void a_definition_says_what_the_build_lacks(void **state) {
    (void)state;
    Study *study = NULL;
    assert_true(read_text("", "", &study) != STATUS_OK);
    assert_contains(status_last()->text, "built without MuJoCo");
}

#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_built_in_environment_makes_a_study),
#ifdef MBTUNE_HAVE_MUJOCO
        cmocka_unit_test(a_definition_becomes_an_environment_and_reaches_the_trainer),
        cmocka_unit_test(another_model_is_another_study_and_another_place_is_not),
        cmocka_unit_test(mistakes_have_line_and_column),
        cmocka_unit_test(the_bare_name_says_what_it_needs),
#else
        cmocka_unit_test(a_definition_says_what_the_build_lacks),
#endif
    };
    return cmocka_run_group_tests_name("tuner/study_environment", tests, make_folder,
                                       remove_folder);
}
