/* Memory runs out at every single allocation: STATUS_ERR_NOMEM, nothing made, nothing leaked. */
#include "tests/support/test_support.h"

#include "tuner/study_file.h"
#include "tuner/table.h"

#include <string.h>

enum { MOST = 20000 };

static const char external[] =
    "name: small\n"
    "trainer: {command: [python3, train.py]}\n"
    "objective: [{metric: loss, direction: minimize}, {metric: time, direction: minimize}]\n"
    "constraints: {size: {upper: 3}}\n"
    "metrics: [size]\n"
    "budget: {unit: epoch, per_trial: 10, segment: 5, trials: 4}\n"
    "scheduler: {name: random}\n"
    "hyperparameters:\n"
    "  rate: {type: float, lower: 1.0e-5, upper: 1.0e-1, log: true}\n"
    "  kind: {type: categorical, choices: [a, b], when: {rate: {above: 1.0e-3}}}\n"
    "forbid: [{kind: [b]}]\n"
    "fixed: {width: 64}\n";

static const char built_in[] = "name: balance\n"
                               "agent: pets\n"
                               "environment: cartpole\n"
                               "objective: {metric: episode_reward, direction: maximize}\n"
                               "budget: {unit: episode, per_trial: 10, segment: 2}\n"
                               "scheduler: {name: pbt, population: 4}\n"
                               "search_space: pets-laptop\n"
                               "fixed: {planning_horizon: 12}\n";

static void study_cannot_be_read(const char *text, const StudyOverride *sets, size_t n) {
    size_t failed = 0;

    for (size_t i = 1; i < MOST; i++) {
        Study *study = NULL;
        test_fail_allocation(i);
        const Status status = study_parse("study.yaml", text, sets, n, &study);
        const int    hit = test_allocation_failed();
        test_fail_allocation(0);
        if (!hit) {
            assert_ok(status);
            study_destroy(study);
            break;
        }
        failed++;
        if (status == STATUS_OK) {
            study_destroy(study); /* it could do without */
            continue;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(study);
    }
    assert_true(failed > 10 && failed < MOST - 1);
}

static void reading_a_study_survives_every_lack_of_memory(void **state) {
    const StudyOverride sets[] = {{"seed", "3"}, {"confirm.seeds", "2"}};
    (void)state;
    study_cannot_be_read(external, NULL, 0);
    study_cannot_be_read(built_in, NULL, 0);
    study_cannot_be_read(external, sets, 2);
}

static Status describe(const Study *study, Json **json, Buffer *text) {
    TRY(study_to_json(study, json));
    TRY(study_trainer_hello(study, text));
    return study_trainer_command(study, text);
}

static void describing_a_study_survives_every_lack_of_memory(void **state) {
    static const char *const texts[] = {external, built_in};
    (void)state;

    for (size_t k = 0; k < 2; k++) {
        Study *study = NULL;
        bool   done = false;
        assert_ok(study_parse("study.yaml", texts[k], NULL, 0, &study));
        for (size_t i = 1; i < MOST && !done; i++) {
            Json  *json = NULL;
            Buffer text;
            buffer_init(&text, 1 << 16);
            test_fail_allocation(i);
            const Status status = describe(study, &json, &text);
            done = !test_allocation_failed();
            test_fail_allocation(0);
            assert_true(status == STATUS_OK || status == STATUS_ERR_NOMEM);
            assert_true(!done || status == STATUS_OK);
            json_release(json);
            buffer_reset(&text);
        }
        assert_true(done);
        study_destroy(study);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_a_study_survives_every_lack_of_memory),
        cmocka_unit_test(describing_a_study_survives_every_lack_of_memory),
    };
    return cmocka_run_group_tests_name("tuner/study_memory", tests, NULL, NULL);
}
