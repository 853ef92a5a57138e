/* The rows of `show --trials`: each trial names its own best, however segments and trials are
 * numbered. */
#include "tests/results/results_fixture.h"

#include <string.h>

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    return 0;
}

static void assert_json(const Json *json, const char *expected) {
    Buffer text;
    buffer_init(&text, 1024 * 1024);
    json_write(json, false, &text);
    assert_non_null(text.data);
    text.data[strcspn(text.data, "\n")] = '\0';
    assert_string_equal(buffer_text(&text), expected);
    buffer_reset(&text);
}

/* trials that are out of order in the tree, have gaps between their ids, or nothing to name */
static void every_trial_names_its_own_best(void **state) {
    static const int64_t ids[] = {2, 5, 9, 40};
    static const double  values[] = {4.0, 1.0, 2.0, 3.0};
    Fixture             *f = *state;
    Json                *rows = NULL;
    for (size_t k = 0; k < 4; k++) {
        fixture_trial(f, ids[k]);
    }
    for (int64_t round = 0; round < 3; round++) {
        for (int64_t k = 0; k < 4; k++) {
            /* the second round is the best of trials 2 and 9, the third equals the first */
            const double  lift = (round == 1) ? (k % 2 == 0 ? 1.0 : -1.0) : 0.0;
            const int64_t id = 1 + 4 * round + (round == 1 ? 3 - k : k);
            fixture_done(f, id, 0, ids[k], 5, values[k] + lift);
        }
    }
    assert_ok(report_trials(f->results, &rows));
    assert_int_equal(json_count(rows), 6);
    const char *const best[] = {"null", "null", "8", "2", "6", "4"};
    const char *const objective[] = {"null", "null", "5.0", "1.0", "3.0", "3.0"};
    for (size_t i = 0; i < 6; i++) {
        assert_json(json_get(json_at(rows, i), "best_segment"), best[i]);
        assert_json(json_get(json_at(rows, i), "best_objective"), objective[i]);
    }
    json_release(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_trial_names_its_own_best, setup, fixture_teardown),
    };
    return cmocka_run_group_tests_name("results/report_trials", tests, NULL, NULL);
}
