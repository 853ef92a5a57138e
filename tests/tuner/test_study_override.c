/* `--set KEY=VALUE`: what it does to the text of a study file, and to the study. */
#include "tests/support/test_support.h"

#include "tests/tuner/study_texts.h"
#include "tuner/study_file.h"

#include <string.h>

/* ---- overrides ---- */

static Status with_set(const char *text, const char *set, Study **out) {
    char          key[128];
    StudyOverride override;

    *out = NULL;
    const Status status = study_override_parse(set, key, sizeof key, &override);
    return status != STATUS_OK ? status : study_parse("study.yaml", text, &override, 1, out);
}

static void overrides_change_the_text_where_the_value_stands(void **state) {
    static const struct {
        const char *set;
        const char *part; /* of the new text */
    } cases[] = {
        {"seed=3", "\nseed: 3\n"},
        {"budget.trials=9", "segment: 5, trials: 9}\n"},
        {"budget.total=35", "budget: {total: 35, unit: epoch"},
        {"hyperparameters.layers.upper=8", "layers: {type: int, lower: 1, upper: 8, default: 2"},
        {"confirm.seeds=4", "\nseed: 7\nconfirm: {seeds: 4}"},
        {"fixed={width: 3}", "\nfixed: {width: 3}\nseed: 7\n"},
        {"fixed.depth=2", "\nfixed: {depth: 2, width: 64, note: 'x y'}\n"},
        {"name='quoted'", "name: 'quoted'\n"},
        {"trainer.command=[a, b, c]", "trainer: {command: [a, b, c]}\n"},
        {"hyperparameters.rate={type: float, lower: 1, upper: 2}",
         "\n  rate: {type: float, lower: 1, upper: 2}\n  layers"},
        {"hyperparameters.new={type: bool}", "default: a}\n  new: {type: bool}\nfixed:"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Study *study = NULL;
        assert_ok(with_set(study_external, cases[i].set, &study));
        assert_contains(study->text, cases[i].part);
        study_destroy(study);
    }
}

/* quotes are part of the value that is replaced */
static void quoted_values_are_replaced_with_their_quotes(void **state) {
    static const struct {
        const char *written;
        const char *set;
        const char *part;
    } cases[] = {
        {"name: \"abc\"\n", "name=\"xyz\"", "name: \"xyz\"\n"},
        {"name: \"abc\"\n", "name=xyz", "name: xyz\n"},
        {"name: 'abc'\n", "name='xyz'", "name: 'xyz'\n"},
        {"name: 'abc' # it\n", "name=\"xyz\"", "name: \"xyz\" # it\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   text[TEXT_BYTES];
        Study *study = NULL;
        study_change(study_external, "name: small\n", cases[i].written, text);
        assert_ok(with_set(text, cases[i].set, &study));
        assert_contains(study->text, cases[i].part);
        assert_string_equal(study->name, "xyz");
        study_destroy(study);
        /* inside braces */
        study_change(study_external, "command: [", "folder: \"/a b\", command: [", text);
        assert_ok(with_set(text, "trainer.folder=\"/c d\"", &study));
        assert_contains(study->text, "{folder: \"/c d\", command: [");
        assert_string_equal(study->folder, "/c d");
        study_destroy(study);
    }
}

static void overrides_reach_the_study(void **state) {
    const StudyOverride sets[] = {{"budget.trials", "6"}, {"seed", "11"}, {"budget.trials", "7"}};
    Study              *study = NULL;
    Study              *plain = study_good(study_external);
    (void)state;

    assert_ok(study_parse("study.yaml", study_external, sets, 3, &study));
    assert_int_equal(study->budget.total, 70);
    assert_int_equal(study->seed, 11);
    assert_string_not_equal(study->hash, plain->hash);
    study_destroy(plain);
    study_destroy(study);
}

static void comments_and_block_style_survive_overrides(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    study_change(
        study_external, "budget: {unit: epoch, per_trial: 10, segment: 5, trials: 4}",
        "budget: # spend\n  unit: epoch\n  per_trial: 10 # deep\n  trials: 4 # wide\n# next", text);
    assert_ok(with_set(text, "budget.per_trial=12", &study));
    assert_contains(study->text, "budget: # spend\n  unit: epoch\n  per_trial: 12 # deep\n");
    study_destroy(study);
    assert_ok(with_set(text, "budget.segment=2", &study));
    assert_contains(study->text, "  trials: 4 # wide\n  segment: 2\n# next\n");
    assert_int_equal(study->budget.segment, 2);
    study_destroy(study);
}

static void overrides_cope_with_every_layout(void **state) {
    static const struct {
        const char *from; /* of the file above */
        const char *to;
        const char *set;
        const char *part; /* of the new text */
    } cases[] = {
        /* no line feed at the end */
        {"seed: 7\n", "seed: 7", "workers=2", "\nseed: 7\nworkers: 2"},
        /* keys with nothing behind them */
        {"seed: 7", "confirm:\nseed: 7", "confirm={seeds: 2}", "\nconfirm: {seeds: 2}\nseed: 7"},
        {"seed: 7", "seed: 7 # end\n", "workers=2", "\nseed: 7 # end\nworkers: 2\n"},
        /* flow mappings over several lines, empty ones */
        {"segment: 5, trials: 4}", "segment: 5,\n    trials: 4}", "budget.trials=5",
         "segment: 5,\n    trials: 5}"},
        {"seed: 7", "confirm: {}", "confirm.top=2", "\nconfirm: {top: 2}\n"},
        {"seed: 7", "limits: {}", "limits.retries=1", "\nlimits: {retries: 1}\n"},
        /* a whole block replaced by one value */
        {"budget: {unit: epoch, per_trial: 10, segment: 5, trials: 4}",
         "budget:\n  unit: epoch\n  per_trial: 10\n  trials: 4",
         "budget={unit: epoch, per_trial: 2, trials: 3}",
         "budget:\n  {unit: epoch, per_trial: 2, trials: 3}\nscheduler"},
        /* below a nested block */
        {"{type: int, lower: 1, upper: 4, default: 2, dynamic: true}",
         "\n    type: int\n    lower: 1\n    upper: 4", "hyperparameters.layers.default=3",
         "    upper: 4\n    default: 3\n  kind"},
        /* aliases are values */
        {"seed: 7", "repeats: &r 2\nseed: *r", "seed=5", "\nrepeats: &r 2\nseed: 5\n"},
        /* block scalars */
        {"note: 'x y'}\nseed: 7", "note: 'x y'}\nname2: |\n  text\nseed: 7", "seed=5",
         "|\n  text\nseed: 5\n"},
        {"name: small\n", "name: small\r\n", "name=large", "name: large\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   text[TEXT_BYTES];
        Study *study = NULL;
        study_change(study_external, cases[i].from, cases[i].to, text);
        const Status status = with_set(text, cases[i].set, &study);
        if (strstr(cases[i].to, "name2") != NULL) {
            assert_int_equal(status, STATUS_ERR_UNKNOWN_NAME); /* the key; the edit is below */
            assert_contains(status_last()->text, "name2");
            continue;
        }
        assert_ok(status);
        assert_contains(study->text, cases[i].part);
        study_destroy(study);
    }
}

static void files_in_json_take_overrides_too(void **state) {
    static const char text[] =
        "{\"name\": \"small\", \"trainer\": {\"command\": [\"a\"]},\n"
        " \"objective\": {\"metric\": \"loss\", \"direction\": \"minimize\"},\n"
        " \"budget\": {\"unit\": \"epoch\", \"per_trial\": 3, \"trials\": 2},\n"
        " \"scheduler\": {\"name\": \"random\"},\n"
        " \"hyperparameters\": {\"x\": {\"type\": \"float\", \"lower\": 0, \"upper\": 1}}}";
    Study *study = NULL;
    (void)state;

    assert_ok(with_set(text, "budget.trials=5", &study));
    assert_int_equal(study->budget.total, 15);
    study_destroy(study);
    assert_ok(with_set(text, "seed=5", &study));
    assert_int_equal(study->seed, 5);
    study_destroy(study);
}

static void bad_overrides_are_usage_errors(void **state) {
    static const struct {
        const char *set;
        const char *part;
    } cases[] = {
        {"seed", "KEY=VALUE"},
        {"=3", "KEY=VALUE"},
        {"seed=", "KEY=VALUE"},
        {"a..b=3", "expected a key"},
        {"a b=3", "expected a key"},
        {"seed=3, x: 4", "one YAML value"},
        {"seed=3 # no", "one YAML value"},
        {"seed={a", "one YAML value"},
        {"seed=3}", "one YAML value"},
        {"seed=a\nb", "one YAML value"},
        {"seed.x=3", "'seed' is no mapping"},
    };
    Study *study = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(with_set(study_external, cases[i].set, &study), STATUS_ERR_USAGE,
                     cases[i].part);
        assert_null(study);
    }
}

static void an_override_that_spoils_a_good_file_is_blamed(void **state) {
    Study *study = NULL;
    char   text[TEXT_BYTES];
    (void)state;

    assert_fails(with_set(study_external, "seed=-4", &study), STATUS_ERR_PARSE,
                 "with --set seed=-4: study.yaml:11:7: 'seed' must be");
    assert_fails(with_set(study_external, "budget.per_trail=4", &study), STATUS_ERR_UNKNOWN_NAME,
                 "with --set budget.per_trail=4: study.yaml:4:10: ");
    study_change(study_external, "seed: 7", "seed: x", text);
    assert_fails(with_set(text, "budget.trials=5", &study), STATUS_ERR_PARSE, "study.yaml:11:7: ");
    assert_null(strstr(status_last()->text, "--set"));
    assert_null(study);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overrides_change_the_text_where_the_value_stands),
        cmocka_unit_test(quoted_values_are_replaced_with_their_quotes),
        cmocka_unit_test(overrides_reach_the_study),
        cmocka_unit_test(comments_and_block_style_survive_overrides),
        cmocka_unit_test(overrides_cope_with_every_layout),
        cmocka_unit_test(files_in_json_take_overrides_too),
        cmocka_unit_test(bad_overrides_are_usage_errors),
        cmocka_unit_test(an_override_that_spoils_a_good_file_is_blamed),
    };
    return cmocka_run_group_tests_name("tuner/study_override", tests, NULL, NULL);
}
