/* What a study records of its numerics: fixed and tuned values alike, and what former versions
 * recorded is still its own. */
#include "tests/support/test_support.h"

#include "mbrl/models/lane_dispatch.h"
#include "tests/tuner/study_texts.h"
#include "tuner/study_numerics.h"

#include <string.h>

static Study *with(const char *to) {
    char text[TEXT_BYTES];
    study_change(study_built_in, "fixed: {ensemble_size: 3}\n", to, text);
    return study_good(text);
}

#define TUNED "  planning_precision: {choices: [float32, bfloat16]}\n"

static void expect(const char *to, const char *expected) {
    Buffer said;
    Study *study = with(to);
    buffer_init(&said, TEXT_BYTES);
    buffer_puts(&said, "; planning bfloat16 (tuned) machine");
    const size_t start = said.length; /* what stands before is not looked at */
    assert_ok(study_numerics(study, &said));
    assert_string_equal(buffer_text(&said) + start, expected);
    buffer_reset(&said);
    study_destroy(study);
}

static void fixed_and_tuned_values_are_recorded(void **state) {
    (void)state;
    expect("", "");
    expect("fixed: {planning_precision: bfloat16}\n", "; planning bfloat16");
    expect(TUNED, "; planning bfloat16 (tuned)");
    expect("  planning_precision: {choices: [float32, bfloat16], default: bfloat16}\n",
           "; planning bfloat16 (tuned)");
    expect("  planning_precision: {choices: [bfloat16], default: bfloat16}\n",
           "; planning bfloat16");
    expect("  planning_precision: {choices: [float32]}\n", "");
    /* without effect */
    expect(TUNED "fixed: {dynamics_model: linear}\n", "");
    expect(TUNED "  dynamics_model: {choices: [linear, ensemble]}\n",
           "; planning bfloat16 (tuned)");
    expect("  dynamics_model: {choices: [linear, ensemble]}\n"
           "fixed: {planning_precision: bfloat16}\n",
           "; planning bfloat16 (tuned)");
    expect(TUNED "forbid: [{planning_precision: [bfloat16]}]\n", "");
}

static void external_trainers_record_nothing(void **state) {
    (void)state;
    Buffer said;
    bool   agrees = false;
    Study *study = study_good(study_external);
    buffer_init(&said, TEXT_BYTES);
    assert_ok(study_numerics(study, &said));
    assert_int_equal(said.length, 0);
    assert_ok(study_numerics_agree(study, "m", "m", &said, &agrees));
    assert_true(agrees);
    buffer_reset(&said);
    study_destroy(study);
}

static void expect_agreement(const Study *study, const char *recorded, bool expected) {
    Buffer offered;
    bool   agrees = !expected;
    buffer_init(&offered, TEXT_BYTES);
    assert_ok(study_numerics_agree(study, "m", recorded, &offered, &agrees));
    assert_true(agrees == expected);
    assert_string_equal(buffer_text(&offered), "m; planning bfloat16 (tuned)");
    buffer_reset(&offered);
}

/* the record of a version that did not look at tuned values has the machine's part alone */
static void former_records_agree(void **state) {
    (void)state;
    Study *study = with(TUNED);
    expect_agreement(study, "m; planning bfloat16 (tuned)", true);
    expect_agreement(study, "m", true);
    expect_agreement(study, "m; planning bfloat16", false);
    expect_agreement(study, "n; planning bfloat16 (tuned)", false);
    expect_agreement(study, "n", false);
    study_destroy(study);
}

/* `validate` says where trainers would refuse a choice, and not twice */
static void a_choice_that_this_machine_lacks_is_noted(void **state) {
    (void)state;
    lanes_limit(LANES_AVX2);
    Study *study = with(TUNED "fixed: {ensemble_size: 5}\n");
    assert_contains(study->notes,
                    "'planning_precision: bfloat16' with the other defaults and fixed values: "
                    "'planning_precision: bfloat16' needs a processor with AVX512_BF16");
    assert_contains(study->notes, "trainers on this machine will refuse it\n");
    study_destroy(study);
    study = with("  planning_precision: {choices: [bfloat16], default: bfloat16}\nfixed: "
                 "{ensemble_size: 5}\n");
    assert_contains(study->notes, "needs a processor");
    assert_string_equal(strchr(study->notes, '\n'), "\n"); /* one line */
    study_destroy(study);
    lanes_limit(LANES_AVX512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_and_tuned_values_are_recorded),
        cmocka_unit_test(external_trainers_record_nothing),
        cmocka_unit_test(former_records_agree),
        cmocka_unit_test(a_choice_that_this_machine_lacks_is_noted),
    };
    return cmocka_run_group_tests_name("tuner/study_numerics", tests, NULL, NULL);
}
