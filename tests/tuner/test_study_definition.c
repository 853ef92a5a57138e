/* What of a study file goes into the database and to trainers, and what of it may change later. */
#include "tests/support/test_support.h"

#include "tests/tuner/study_texts.h"
#include "tuner/study_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static Json *definition(const char *text) {
    Study *study = study_good(text);
    Json  *json = NULL;

    assert_ok(study_to_json(study, &json));
    study_destroy(study);
    return json;
}

static void differences(const char *a, const char *b, const char *expected) {
    Json *old = definition(a);
    Json *new = definition(b);
    Buffer names;

    buffer_init(&names, 4096);
    assert_ok(study_diff(old, new, &names));
    assert_string_equal(buffer_text(&names), expected);
    buffer_reset(&names);
    json_release(old);
    json_release(new);
}

static void differences_name_their_keys_and_spare_what_may_change(void **state) {
    char text[TEXT_BYTES];
    (void)state;

    differences(study_external, study_external, "");
    study_change(study_external, "budget: {unit: epoch", "# a comment\nbudget: {unit: 'epoch'",
                 text);
    differences(study_external, text, "");
    study_change(study_external, "trials: 4", "trials: 8, wall_clock: 2h", text);
    differences(study_external, text, "");
    study_change(study_external, "seed: 7",
                 "seed: 7\nresources: {cores: 2}\nlimits: {retries: 5}\nworkers: 3", text);
    differences(study_external, text, "");
    study_change(study_external, "seed: 7", "seed: 8", text);
    differences(study_external, text, "seed");
    study_change(study_external, "upper: 4, default: 2", "upper: 5, default: 3", text);
    differences(study_external, text,
                "hyperparameters.layers.upper, hyperparameters.layers.default");
    study_change(study_external, "segment: 5", "segment: 2", text);
    differences(study_external, text, "budget.segment");
    study_change(study_external, "width: 64", "depth: 64", text);
    differences(study_external, text, "fixed.width, fixed.depth");
    study_change(study_external, "reduce: last", "reduce: mean", text);
    differences(study_external, text, "objective");
}

static void cost_and_stop_belong_to_the_study(void **state) {
    char text[TEXT_BYTES];
    (void)state;
    study_change(study_built_in, "constraints: ", "cost: plan_seconds\nconstraints: ", text);
    differences(study_built_in, text, "cost");
    study_change(study_built_in,
                 "constraints: ", "stop: {no_improvement: {units: 2000}}\nconstraints: ", text);
    differences(study_built_in, text, "stop");
    study_change(study_built_in, "constraints: ", "warm_start: [../first]\nconstraints: ", text);
    differences(study_built_in, text, "warm_start");
}

static void definitions_hold_every_default(void **state) {
    Json  *json = definition(study_built_in);
    Buffer text;
    (void)state;

    buffer_init(&text, 1 << 16);
    json_write(json, false, &text);
    assert_ok(buffer_status(&text));
    const Json *space = json_get(json_get(json, "hyperparameters"), "model_learning_rate");
    assert_close(json_number(json_get(space, "upper")), 1e-2, 0.0, 0.0);
    assert_true(json_bool(json_get(space, "dynamic")));
    assert_int_equal(json_integer(json_get(json_get(json, "fixed"), "ensemble_size")), 3);
    assert_int_equal(json_integer(json_get(json_get(json, "agent_options"), "ensemble_size")), 3);
    assert_true(json_count(json_get(json, "agent_options")) > 5);
    assert_int_equal(json_integer(json_get(json_get(json, "limits"), "retries")), 2);
    assert_true(json_bool(json_get(json, "baseline")));
    buffer_reset(&text);
    json_release(json);
}

static void conditions_are_part_of_the_definition(void **state) {
    char   text[TEXT_BYTES];
    Buffer out;
    (void)state;

    study_change(study_external, "default: a}",
                 "default: a}\n  extra: {type: float, lower: 0, upper: 1, default: 0.5, dynamic: "
                 "true, when: {kind: [b], "
                 "layers: {above: 2}}}",
                 text);
    Json *json = definition(text);
    buffer_init(&out, 4096);
    json_write(json_get(json_get(json_get(json, "hyperparameters"), "extra"), "when"), false, &out);
    assert_string_equal(buffer_text(&out), "{\"kind\":[\"b\"],\"layers\":{\"above\":2.0}}");
    buffer_reset(&out);
    json_release(json);
}

static void hellos_carry_what_trainers_need(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    Buffer line;
    (void)state;

    study_change(study_external, "seed: 7", "seed: 7\nresources: {cores: 3, gpus: 2}", text);
    study = study_good(text);
    buffer_init(&line, 4096);
    assert_ok(study_trainer_hello(study, &line));
    assert_null(strchr(buffer_text(&line), '\n'));
    Json *json = NULL;
    assert_ok(json_parse(line.data, line.length, &json));
    assert_string_equal(json_string(json_get(json, "op")), "hello");
    assert_int_equal(json_integer(json_get(json, "protocol")), 1);
    assert_string_equal(json_string(json_get(json, "study")), "small");
    assert_string_equal(json_string(json_get(json, "unit")), "epoch");
    assert_int_equal(json_integer(json_get(json, "cores")), 3);
    assert_int_equal(json_integer(json_get(json, "gpus")), 2);
    assert_int_equal(json_integer(json_get(json_get(json, "fixed"), "width")), 64);
    assert_string_equal(json_string(json_get(json_get(json, "fixed"), "note")), "x y");
    json_release(json);
    buffer_reset(&line);
    study_destroy(study);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_name_their_keys_and_spare_what_may_change),
        cmocka_unit_test(cost_and_stop_belong_to_the_study),
        cmocka_unit_test(definitions_hold_every_default),
        cmocka_unit_test(conditions_are_part_of_the_definition),
        cmocka_unit_test(hellos_carry_what_trainers_need),
    };
    return cmocka_run_group_tests_name("tuner/study_definition", tests, NULL, NULL);
}
