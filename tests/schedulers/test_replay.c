#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "schedulers/replay.h"

#include <string.h>

enum { VALUES = 4 };

typedef struct Arms {
    Space         *space;
    SchedulerSetup setup;
    double         defaults[VALUES];
    double         changed[VALUES];
    ReplayStep     best[3];
    ReplayStep     base[1];
    ReplayArm      arms[2];
} Arms;

static void arms_open(Arms *a) {
    a->space = fake_space(FAKE_SPACE_MIXED);
    a->setup = fake_setup(a->space);
    space_defaults(a->space, a->defaults);
    memcpy(a->changed, a->defaults, sizeof a->changed);
    a->changed[2] = 9;
    a->best[0] = (ReplayStep){0, 5, a->defaults};
    a->best[1] = (ReplayStep){5, 10, a->changed};
    a->best[2] = (ReplayStep){10, 13, a->defaults};
    a->base[0] = (ReplayStep){0, 13, a->defaults};
    a->arms[0] = (ReplayArm){a->best, 3, NULL};
    a->arms[1] = (ReplayArm){a->base, 1, "defaults"};
}

static void arms_run_as_written_on_every_seed(void **state) {
    (void)state;
    Arms       a;
    Scheduler *scheduler = NULL;
    FakeLog    log = {.events = NULL};
    Decision   done;
    size_t     segments = 0;
    arms_open(&a);
    /* the budget of the study does not bind it */
    a.setup.total = 1;
    assert_ok(replay_create(a.arms, 2, 4, 8, 101, SCHEDULER_ORDER_ANY, &a.setup, &scheduler));
    /* everything was copied */
    memset(a.best, 0, sizeof a.best);
    const FakeSettings settings = {.slots = 3, .seed = 2};
    fake_study_drive(scheduler, &settings, &log, &done);
    assert_string_equal(done.reason, "2 schedules have run on 4 seeds each");
    assert_int_equal(done.failed, 0);
    for (size_t i = 0; i < log.count; i++) {
        const Decision *d = &log.events[i]->decision;
        if (d->kind != DECISION_RUN) {
            continue;
        }
        assert_int_equal(d->id, 101 + (int64_t)segments);
        assert_true(d->trial >= 8 && d->trial < 16);
        assert_string_equal(d->reason, "confirm");
        assert_int_equal(d->branch, 0);
        if (d->trial < 12) {
            assert_memory_equal(d->point, (d->begin == 5) ? a.changed : a.defaults,
                                sizeof a.changed);
            assert_int_equal(d->end, (d->begin == 0) ? 5 : (d->begin == 5) ? 10 : 13);
            assert_contains(d->note, "schedule 0, seed");
        } else {
            assert_int_equal(d->end, 13);
            assert_contains(d->note, "defaults, seed");
        }
        segments++;
    }
    assert_int_equal(segments, 4 * 3 + 4);
    fake_log_free(&log);
    scheduler_destroy(scheduler);
    space_destroy(a.space);
}

static void a_failed_segment_ends_its_chain_and_no_other(void **state) {
    (void)state;
    Arms       a;
    Scheduler *scheduler = NULL;
    arms_open(&a);
    assert_ok(replay_create(a.arms, 1, 2, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler));
    hand_run(scheduler, 0, 0, "confirm");
    hand_fail(scheduler, 1);
    hand_run(scheduler, 1, 0, "confirm");
    hand_wait(scheduler);
    hand_finish(scheduler, 2, 1.0);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_YES);
    hand_run(scheduler, 1, 2, "confirm");
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_YES);
    hand_finish(scheduler, 3, 1.0);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_NEVER);
    hand_run(scheduler, 1, 3, "confirm");
    hand_finish(scheduler, 4, 1.0);
    assert_int_equal(scheduler_keeps(scheduler, 4), KEEPS_MAYBE);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_DONE);
    scheduler_destroy(scheduler);
    space_destroy(a.space);
}

static void bad_arms_are_refused(void **state) {
    (void)state;
    Arms       a;
    Scheduler *scheduler = (Scheduler *)&a;
    arms_open(&a);
    assert_fails(replay_create(a.arms, 0, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                 STATUS_ERR_ARG, "at least 1");
    assert_null(scheduler);
    assert_int_equal(replay_create(a.arms, 1, 0, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                     STATUS_ERR_ARG);
    assert_int_equal(replay_create(a.arms, 1, 1, -1, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                     STATUS_ERR_ARG);
    assert_int_equal(replay_create(a.arms, 1, 1, 0, 0, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                     STATUS_ERR_ARG);
    a.arms[1].count = 0;
    assert_fails(replay_create(a.arms, 2, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                 STATUS_ERR_ARG, "schedule 1 has no segments");
    a.best[1].begin = 4;
    assert_fails(replay_create(a.arms, 1, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                 STATUS_ERR_ARG, "segment 1 goes from 4 to 10; expected to begin at 5");
    a.best[1].begin = 5;
    a.changed[2] = 99;
    assert_fails(replay_create(a.arms, 1, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                 STATUS_ERR_ARG, "schedule 0, segment 1");
    a.changed[2] = 9;
    a.setup.can_branch = false;
    assert_fails(replay_create(a.arms, 1, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                 STATUS_ERR_ARG, "checkpoints");
    a.setup.segment = 0;
    assert_int_equal(replay_create(a.arms, 1, 1, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler),
                     STATUS_ERR_ARG);
    space_destroy(a.space);
}

static void out_of_memory_leaves_nothing_behind(void **state) {
    (void)state;
    Arms       a;
    Scheduler *scheduler = NULL;
    arms_open(&a);
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status =
            replay_create(a.arms, 2, 2, 0, 1, SCHEDULER_ORDER_ANY, &a.setup, &scheduler);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(scheduler);
    }
    test_fail_allocation(0);
    scheduler_destroy(scheduler);
    space_destroy(a.space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arms_run_as_written_on_every_seed),
        cmocka_unit_test(a_failed_segment_ends_its_chain_and_no_other),
        cmocka_unit_test(bad_arms_are_refused),
        cmocka_unit_test(out_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("schedulers/replay", tests, NULL, NULL);
}
