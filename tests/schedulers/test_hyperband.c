#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>

/* Rungs 1 2 4 under reduction 2; brackets of 4 (2, 1), 3 (1) and 3 configurations. */
static SchedulerSetup setup_of(const Space *space, int64_t trials) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 4;
    setup.segment = 1;
    setup.trials = trials;
    setup.total = 1000;
    return setup;
}

static Scheduler *create(const SchedulerSetup *setup) {
    return hand_create("hyperband", setup, "reduction", 2.0, NULL);
}

static void brackets_halve_what_is_in_them(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 0);
    Scheduler           *scheduler = create(&setup);
    const double         objectives[] = {1.0, 4.0, 2.0, 3.0};
    for (int64_t trial = 0; trial < 4; trial++) {
        assert_int_equal(hand_run(scheduler, trial, 0, "initial").end, 1);
        hand_finish(scheduler, trial + 1, objectives[trial]);
    }
    assert_int_equal(hand_run(scheduler, 1, 2, "promote").end, 2); /* 5 */
    hand_finish(scheduler, 5, 5.0);
    hand_run(scheduler, 3, 4, "promote"); /* 6 */
    hand_finish(scheduler, 6, 6.0);
    hand_run(scheduler, 3, 6, "promote"); /* 7, on to 4 */
    hand_finish(scheduler, 7, 6.0);
    assert_int_equal(hand_run(scheduler, 3, 7, "continue").end, 4); /* 8 */
    hand_finish(scheduler, 8, 6.0);
    /* the second bracket begins at 2, its best of three goes on; the third at 4 */
    for (int64_t trial = 4; trial < 7; trial++) {
        const int64_t id = 9 + 2 * (trial - 4);
        hand_run(scheduler, trial, 0, "initial");
        hand_finish(scheduler, id, 9.0);
        hand_run(scheduler, trial, id, "continue");
        hand_finish(scheduler, id + 1, (double)trial);
    }
    hand_run(scheduler, 6, 14, "promote");
    hand_finish(scheduler, 15, 0.0);
    hand_run(scheduler, 6, 15, "continue");
    hand_run(scheduler, 7, 0, "initial");
    hand_finish(scheduler, 17, 0.0);
    hand_run(scheduler, 7, 17, "continue");
    hand_finish(scheduler, 18, 0.0);
    hand_run(scheduler, 7, 18, "continue"); /* to 3: nothing is judged at 2 */
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_free_slot_begins_the_next_bracket(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 0);
    Scheduler           *scheduler = create(&setup);
    for (int64_t trial = 0; trial < 5; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 2, 2.0);
    hand_finish(scheduler, 4, 3.0);
    hand_run(scheduler, 5, 0, "initial"); /* the first rung is not in yet */
    hand_fail(scheduler, 3);
    hand_run(scheduler, 3, 4, "promote");
    hand_run(scheduler, 1, 2, "promote");
    hand_run(scheduler, 6, 0, "initial");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void of_a_rung_that_failed_only_what_is_left_goes_on(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 8);
    Scheduler           *scheduler = create(&setup);
    for (int64_t trial = 0; trial < 8; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_fail(scheduler, 1);
    hand_fail(scheduler, 2);
    hand_finish(scheduler, 3, 1.0);
    hand_wait(scheduler);
    hand_fail(scheduler, 4);
    hand_run(scheduler, 2, 3, "promote"); /* 9 */
    hand_fail(scheduler, 9);
    hand_wait(scheduler);
    /* the second bracket fails as a whole */
    hand_fail(scheduler, 5);
    hand_fail(scheduler, 6);
    hand_fail(scheduler, 7);
    hand_wait(scheduler);
    hand_fail(scheduler, 8);
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_false(done.failed);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void at_the_end_rungs_are_cut_as_they_are(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 3);
    Scheduler           *scheduler = create(&setup);
    for (int64_t trial = 0; trial < 3; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 2, 3.0);
    hand_wait(scheduler);
    hand_finish(scheduler, 3, 2.0);
    hand_run(scheduler, 1, 2, "promote"); /* floor(3 / 2) of three that came */
    hand_wait(scheduler);
    hand_finish(scheduler, 4, 3.0);
    hand_run(scheduler, 1, 4, "promote"); /* at least one */
    hand_finish(scheduler, 5, 3.0);
    hand_run(scheduler, 1, 5, "continue");
    hand_finish(scheduler, 6, 3.0);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_DONE);
    /* a user's point opens the bracket's first rung no more: it is a place of it, judged by nobody
     */
    const double point[] = {1e-3};
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    hand_run(scheduler, 3, 0, "enqueued");
    hand_finish(scheduler, 7, 9.0);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_DONE);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_halve_what_is_in_them),
        cmocka_unit_test(a_free_slot_begins_the_next_bracket),
        cmocka_unit_test(of_a_rung_that_failed_only_what_is_left_goes_on),
        cmocka_unit_test(at_the_end_rungs_are_cut_as_they_are),
    };
    return cmocka_run_group_tests_name("schedulers/hyperband", tests, NULL, NULL);
}
