/* When `stop: {no_improvement: ...}` ends tuning. */
#include "schedulers/stop_rule.h"
#include "tests/support/test_support.h"

#include <math.h>

static void stops_after_units_without_an_improvement(void **state) {
    (void)state;
    StopRule rule;
    stop_rule_init(&rule, 10, 0.5, true);
    stop_rule_observe(&rule, 5, 1.0);
    stop_rule_observe(&rule, 5, 1.5); /* not more than 0.5 above */
    assert_false(rule.stopped);
    stop_rule_observe(&rule, 4, 1.6); /* 0.6 above what it was at the last improvement */
    assert_int_equal(rule.passed, 0);
    stop_rule_observe(&rule, 9, 1.6);
    assert_false(rule.stopped);
    stop_rule_observe(&rule, 1, 0.0);
    assert_true(rule.stopped);
}

static void stays_stopped_until_it_is_restarted(void **state) {
    (void)state;
    StopRule rule;
    stop_rule_init(&rule, 3, 0.0, false);
    stop_rule_observe(&rule, 3, 2.0);
    stop_rule_observe(&rule, 3, 2.0); /* equal is no improvement */
    assert_true(rule.stopped);
    stop_rule_observe(&rule, 3, 1.0); /* was running */
    assert_true(rule.stopped);
    stop_rule_restart(&rule);
    assert_false(rule.stopped);
    stop_rule_observe(&rule, 2, 1.0); /* the best stays what it was */
    assert_int_equal(rule.passed, 2);
}

static void what_does_not_count_passes_units_from_the_start(void **state) {
    (void)state;
    StopRule rule;
    stop_rule_init(&rule, 4, 0.0, true);
    stop_rule_observe(&rule, 2, (double)NAN);
    stop_rule_observe(&rule, 2, (double)NAN);
    assert_true(rule.stopped);
}

static void without_units_it_never_stops(void **state) {
    (void)state;
    StopRule rule;
    stop_rule_init(&rule, 0, 0.0, true);
    stop_rule_observe(&rule, INT64_MAX, (double)NAN);
    stop_rule_observe(&rule, INT64_MAX, (double)NAN);
    assert_false(rule.stopped);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_after_units_without_an_improvement),
        cmocka_unit_test(stays_stopped_until_it_is_restarted),
        cmocka_unit_test(what_does_not_count_passes_units_from_the_start),
        cmocka_unit_test(without_units_it_never_stops),
    };
    return cmocka_run_group_tests_name("schedulers/stop_rule", tests, NULL, NULL);
}
