#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <string.h>

/* the defaults, then the users' points in their order, then the end; a point that comes after the
 * end is run too */
static void runs_what_users_enqueue_and_nothing_else(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup setup = fake_setup(space);
    double         default_value = 0;
    space_defaults(space, &default_value);
    setup.trials = 10;
    setup.per_trial = 5;
    Scheduler *scheduler = hand_create("enqueue", &setup, NULL);
    for (int i = 0; i < 2; i++) {
        const double point[] = {(i == 0) ? 2e-3 : 4e-3};
        assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    }
    assert_close(hand_run(scheduler, 0, 0, "initial").point[0], default_value, 0, 0);
    assert_close(hand_run(scheduler, 1, 0, "enqueued").point[0], 2e-3, 0, 0);
    assert_close(hand_run(scheduler, 2, 0, "enqueued").point[0], 4e-3, 0, 0);
    hand_wait(scheduler);
    for (int64_t id = 1; id <= 3; id++) {
        hand_finish(scheduler, id, 1.0);
    }
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_string_equal(done.reason, "all 3 configurations have run");
    const double late[] = {8e-3};
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = late}));
    assert_close(hand_run(scheduler, 3, 0, "enqueued").point[0], 8e-3, 0, 0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_what_users_enqueue_and_nothing_else),
    };
    return cmocka_run_group_tests_name("schedulers/enqueue", tests, NULL, NULL);
}
