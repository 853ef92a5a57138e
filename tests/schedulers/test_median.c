#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 4;
    setup.segment = 1;
    setup.total = 1000;
    return setup;
}

/* c0: 10, 2 (running averages 10, 6); c1: 1, 5; c2: 8, 0 */
static Scheduler *after_two_units_of_c1(const SchedulerSetup *setup, double min_configurations) {
    Scheduler *scheduler =
        hand_create("median", setup, "grace", 2.0, "min_configurations", min_configurations, NULL);
    hand_run(scheduler, 0, 0, "initial"); /* 1 */
    hand_finish(scheduler, 1, 10.0);
    hand_run(scheduler, 0, 1, "continue"); /* 2 */
    hand_finish(scheduler, 2, 2.0);        /* below its own average: there are no others */
    hand_run(scheduler, 0, 2, "continue"); /* 3, not finished */
    hand_run(scheduler, 1, 0, "initial");  /* 4 */
    hand_finish(scheduler, 4, 1.0);        /* grace */
    hand_run(scheduler, 1, 4, "continue"); /* 5 */
    hand_finish(scheduler, 5, 5.0);
    return scheduler;
}

static void the_best_so_far_is_held_against_the_running_averages(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = after_two_units_of_c1(&setup, 1.0);
    hand_run(scheduler, 2, 0, "initial"); /* 6: 5 of c1 was worse than 6 of c0 */
    hand_finish(scheduler, 6, 8.0);
    hand_run(scheduler, 2, 6, "continue"); /* 7 */
    hand_finish(scheduler, 7, 0.0);
    /* 8, its best, is better than the median of 6 and (1 + 5) / 2 */
    hand_run(scheduler, 2, 7, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void nothing_is_stopped_before_enough_others_are_there(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = after_two_units_of_c1(&setup, 2.0);
    hand_run(scheduler, 1, 5, "continue"); /* 6 */
    hand_run(scheduler, 2, 0, "initial");  /* 7 */
    hand_finish(scheduler, 7, 4.4);
    hand_run(scheduler, 2, 7, "continue"); /* 8 */
    hand_finish(scheduler, 8, 0.0);        /* 4.4 against 4.5, the middle of 6 and 3 */
    hand_run(scheduler, 3, 0, "initial");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void equal_to_the_median_goes_on_and_a_violation_does_not(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup setup = setup_of(space);
    setup.constraint_count = 1;
    setup.constraint_upper[0] = 10.0;
    Scheduler *scheduler =
        hand_create("median", &setup, "grace", 0.0, "min_configurations", 1.0, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_run(scheduler, 2, 0, "initial");
    hand_finish_constrained(scheduler, 1, 5.0, 10.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_finish_constrained(scheduler, 2, 5.0, 9.0);
    hand_run(scheduler, 1, 2, "continue");
    hand_finish_constrained(scheduler, 3, 99.0, 11.0);
    hand_run(scheduler, 3, 0, "initial");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void what_stops_nothing_is_refused(void **state) {
    (void)state;
    Space              *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup      setup = setup_of(space);
    const SchedulerOps *ops = NULL;
    Scheduler          *scheduler = NULL;
    double              values[64];
    assert_ok(scheduler_find("median", &ops));
    fake_options(ops, values, "interval", 4.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "interval 4 (by default one segment) is not below per_trial 4");
    fake_options(ops, values, "grace", 4.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "grace 4 is not below per_trial 4");
    setup.per_trial = 65;
    fake_options(ops, values, "learn_from", 0.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "more than 64 rungs");
    setup.per_trial = 4097;
    fake_options(ops, values, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "more than 4096 rungs");
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_so_far_is_held_against_the_running_averages),
        cmocka_unit_test(nothing_is_stopped_before_enough_others_are_there),
        cmocka_unit_test(equal_to_the_median_goes_on_and_a_violation_does_not),
        cmocka_unit_test(what_stops_nothing_is_refused),
    };
    return cmocka_run_group_tests_name("schedulers/median", tests, NULL, NULL);
}
