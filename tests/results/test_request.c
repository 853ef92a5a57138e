/* What users ask of a study: budgets, requests, stopped trials, pinned segments; costs; and that a
 * database of version 1 gets all of it. */
#include "core/file.h"
#include "tests/results/results_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void budgets_are_two_rows(void **state) {
    Fixture      *f = *state;
    ResultsBudget budget = {.total = 40, .trials = 4, .wall_clock = 3.5};
    ResultsBudget read;
    assert_fails(results_budget_set(f->results, RESULTS_BUDGET_NOW, &budget), STATUS_ERR_STATE, "");
    assert_ok(results_begin(f->results));
    assert_ok(results_budget_set(f->results, RESULTS_BUDGET_NOW, &budget));
    assert_ok(results_commit(f->results));
    assert_ok(results_budget_read(f->results, RESULTS_BUDGET_NOW, &read));
    assert_int_equal(read.total, 40);
    assert_int_equal(read.trials, 4);
    assert_close(read.wall_clock, 3.5, 0.0, 0.0);
    assert_ok(results_budget_read(f->results, RESULTS_BUDGET_SAID, &read));
    assert_int_equal(read.total, f->study.budget.total);
}

static void a_request_is_there_once(void **state) {
    Fixture *f = *state;
    Buffer   answer;
    bool     found = true;
    buffer_init(&answer, 256);
    assert_ok(results_request_read(f->results, "a", &answer, &found));
    assert_false(found);
    assert_ok(results_begin(f->results));
    assert_ok(results_request_insert(f->results, "a", "{}", "yes"));
    assert_fails(results_request_insert(f->results, "a", "{}", "no"), STATUS_ERR_STATE, "");
    assert_ok(results_commit(f->results));
    assert_ok(results_request_read(f->results, "a", &answer, &found));
    assert_true(found);
    assert_string_equal(buffer_text(&answer), "yes");
    buffer_reset(&answer);
}

static void trials_stop_and_segments_are_pinned(void **state) {
    Fixture       *f = *state;
    ResultsSegment row = {.point = NULL};
    ResultsTrial   trial;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_commit(f->results));
    assert_ok(results_begin(f->results));
    assert_fails(results_trial_stop(f->results, 9), STATUS_ERR_UNKNOWN_NAME, "no trial 9");
    assert_fails(results_segment_pin(f->results, 9, true), STATUS_ERR_UNKNOWN_NAME, "no segment 9");
    assert_ok(results_trial_stop(f->results, 0));
    assert_ok(results_segment_pin(f->results, 1, true));
    assert_ok(results_segment_cost_set(f->results, 1, 12.5));
    assert_ok(results_commit(f->results));
    assert_ok(results_trial_read(f->results, 0, &trial));
    assert_true(trial.stopped);
    assert_ok(results_segment_read(f->results, NULL, 1, &row));
    assert_true(row.pinned);
    assert_close(row.cost, 12.5, 0.0, 0.0);
}

static void a_cost_is_the_sum_of_the_segments_own_values(void **state) {
    Fixture *f = *state;
    double   sum = 0.0;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_commit(f->results));
    assert_ok(results_metric_sum(f->results, 1, "plan_flop", &sum));
    assert_true(isnan(sum));
    assert_ok(results_begin(f->results));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "plan_flop", 2.0));
    assert_ok(results_metric_insert(f->results, false, 1, 2, 0, "plan_flop", 3.0));
    assert_ok(results_metric_insert(f->results, false, 1, 2, 1, "plan_flop", 100.0)); /* index 1 */
    assert_ok(results_metric_insert(f->results, false, 2, 2, 0, "plan_flop", 100.0));
    assert_ok(results_commit(f->results));
    assert_ok(results_metric_sum(f->results, 1, "plan_flop", &sum));
    assert_close(sum, 5.0, 0.0, 0.0);
}

/* a database as version 1 made it: without what version 2 added */
static void a_database_of_version_1_is_brought_up(void **state) {
    Fixture      *f = *state;
    Results      *upgraded = NULL;
    ResultsBudget budget;
    ResultsTrial  trial;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_commit(f->results));
    assert_ok(results__script(
        f->results, "UPDATE study SET definition ="
                    " '{\"budget\": {\"total\": 80, \"trials\": 8, \"wall_clock\": 0.0}}';"
                    "INSERT INTO event (kind, total, at) VALUES ('budget_changed', 120, 0.0);"
                    "DROP TABLE known_value; DROP TABLE known_result; DROP TABLE known;"
                    "DROP TABLE budget; DROP TABLE request; ALTER TABLE segment DROP COLUMN cost;"
                    "ALTER TABLE segment DROP COLUMN pinned; ALTER TABLE trial DROP COLUMN stopped;"
                    "ALTER TABLE event DROP COLUMN trials; PRAGMA user_version = 1;"));
    results_close(f->results);
    f->results = NULL;
    assert_fails(results_open(f->path, RESULTS_READ, &upgraded), STATUS_ERR_VERSION, "older");
    assert_ok(results_open(f->path, RESULTS_WRITE, &upgraded));
    f->results = upgraded;
    assert_ok(results_budget_read(upgraded, RESULTS_BUDGET_NOW, &budget));
    assert_int_equal(budget.total, 120);
    assert_int_equal(budget.trials, 8);
    assert_ok(results_trial_read(upgraded, 0, &trial));
    assert_false(trial.stopped);
}

/* and one of version 2, which knew no earlier studies, takes their results */
static void a_database_of_version_2_is_brought_up(void **state) {
    Fixture     *f = *state;
    const double objective = 3.25;
    const double constraint = 60.0;
    const Event  known = {.kind = EVENT_KNOWN,
                          .outcome = OUTCOME_DONE,
                          .objectives = &objective,
                          .constraints = &constraint,
                          .cost = (double)NAN,
                          .point = fixture_point(f, 0.25, 0.5),
                          .depth = 40};
    Buffer       before;
    Buffer       after;
    fixture_canonical(f->results, &before);
    assert_ok(results__script(f->results,
                              "DROP TABLE known_value; DROP TABLE known_result; DROP TABLE known;"
                              "PRAGMA user_version = 2;"));
    results_close(f->results);
    f->results = NULL;
    assert_ok(results_open(f->path, RESULTS_WRITE, &f->results));
    fixture_canonical(f->results, &after);
    assert_string_equal(buffer_text(&before), buffer_text(&after));
    assert_ok(results_begin(f->results));
    assert_ok(results_known_append(f->results, "../first", 17, &known));
    assert_ok(results_commit(f->results));
    buffer_reset(&before);
    buffer_reset(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(budgets_are_two_rows, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_request_is_there_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(trials_stop_and_segments_are_pinned, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_cost_is_the_sum_of_the_segments_own_values, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_database_of_version_1_is_brought_up, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_database_of_version_2_is_brought_up, fixture_setup,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("results/request", tests, NULL, NULL);
}
