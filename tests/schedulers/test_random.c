#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

static SchedulerSetup setup_of(const Space *space, int64_t trials, int64_t repeats) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 10;
    setup.trials = trials;
    setup.repeats = repeats;
    setup.total = 1000;
    return setup;
}

static const SchedulerOps *ops_of(void) {
    const SchedulerOps *ops = NULL;
    assert_ok(scheduler_find("random", &ops));
    return ops;
}

static void a_free_slot_continues_a_chain_before_it_starts_one(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 4, 1);
    Scheduler           *scheduler = hand_create("random", &setup, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 2, 1.0);
    hand_run(scheduler, 1, 2, "continue");
    /* both chains are busy: the next slot begins a third */
    hand_run(scheduler, 2, 0, "initial");
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 3, 1.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_run(scheduler, 3, 0, "initial");
    hand_wait(scheduler);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_failed_segment_ends_its_chain(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 2, 1);
    Scheduler           *scheduler = hand_create("random", &setup, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_fail(scheduler, 1);
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 2, 1.0);
    hand_run(scheduler, 1, 2, "continue");
    hand_finish(scheduler, 3, 1.0);
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_string_equal(done.reason, "all 2 configurations have run");
    assert_int_equal(done.failed, 0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void values_do_not_depend_on_the_order_of_results(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_CONDITIONAL);
    const SchedulerSetup setup = setup_of(space, 12, 1);
    FakeLog              one;
    FakeLog              other;
    Decision             done;
    const FakeSettings   slow = {.slots = 1, .seed = 1};
    const FakeSettings   fast = {.slots = 5, .seed = 2, .fail = 0.3};
    fake_study_run(ops_of(), &setup, (const double[]){0}, &slow, &one, &done);
    fake_study_run(ops_of(), &setup, (const double[]){0}, &fast, &other, &done);
    size_t compared = 0;
    for (size_t i = 0; i < one.count; i++) {
        for (size_t j = 0; j < other.count; j++) {
            const Decision *a = &one.events[i]->decision;
            const Decision *b = &other.events[j]->decision;
            if (a->kind == DECISION_RUN && b->kind == DECISION_RUN && a->trial == b->trial) {
                assert_memory_equal(a->point, b->point, one.values * sizeof *a->point);
                compared++;
            }
        }
    }
    assert_true(compared >= 12);
    fake_log_free(&one);
    fake_log_free(&other);
    space_destroy(space);
}

static void repeats_train_the_same_values_in_trials_of_their_own(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 3, 3);
    const FakeSettings   settings = {.slots = 2, .seed = 1};
    FakeLog              log;
    Decision             done;
    fake_study_run(ops_of(), &setup, (const double[]){0}, &settings, &log, &done);
    double  first[3][4];
    int64_t roots = 0;
    for (size_t i = 0; i < log.count; i++) {
        const Decision *decision = &log.events[i]->decision;
        if (decision->kind != DECISION_RUN || decision->parent != 0) {
            continue;
        }
        assert_int_equal(decision->trial, roots);
        double *values = first[decision->trial / 3];
        if (decision->trial % 3 == 0) {
            memcpy(values, decision->point, sizeof first[0]);
        }
        assert_memory_equal(values, decision->point, sizeof first[0]);
        roots++;
    }
    assert_int_equal(roots, 9);
    assert_true(!fake_same_values(first[0], first[1], 4));
    fake_log_free(&log);
    space_destroy(space);
}

static void the_reason_says_that_the_budget_is_used(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space, 0, 1);
    setup.total = 64;
    const FakeSettings settings = {.slots = 3, .seed = 1};
    FakeLog            log;
    Decision           done;
    fake_study_run(ops_of(), &setup, (const double[]){0}, &settings, &log, &done);
    assert_string_equal(done.reason, "budget of 64 units used");
    fake_log_free(&log);
    space_destroy(space);
}

/* of 22 units two chains need 20: a third gets what they leave, and more once one has failed */
static void a_new_chain_leaves_the_open_ones_what_they_need(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space, 9, 1);
    setup.total = 22;
    Scheduler *scheduler = hand_create("random", &setup, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    assert_int_equal(hand_run(scheduler, 2, 0, "initial").end, 2);
    hand_wait(scheduler);
    hand_fail(scheduler, 1);
    hand_finish(scheduler, 2, 1.0);
    assert_int_equal(hand_run(scheduler, 1, 2, "continue").end, 10);
    hand_finish(scheduler, 3, 1.0);
    assert_int_equal(hand_run(scheduler, 2, 3, "continue").end, 7);
    hand_wait(scheduler);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void all_chains_failing_is_said(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 2, 1);
    Scheduler           *scheduler = hand_create("random", &setup, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_fail(scheduler, 1);
    hand_fail(scheduler, 2);
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.failed, 1);
    assert_string_equal(done.reason, "all 2 chains failed");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void enqueued_points_run_even_when_all_configurations_have(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 1, 2);
    Scheduler           *scheduler = hand_create("random", &setup, NULL);
    double               point[4];
    Rng                  rng = rng_stream(5, 0, RNG_TEST);
    assert_ok(space_sample(space, &rng, point));
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_wait(scheduler);
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    hand_run(scheduler, 2, 0, "enqueued");
    const Decision repeat = hand_run(scheduler, 3, 0, "initial");
    assert_memory_equal(repeat.point, point, sizeof point);
    hand_wait(scheduler);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void checkpoints_are_kept_while_a_chain_goes_on(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space, 1, 1);
    Scheduler           *scheduler = hand_create("random", &setup, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_finish(scheduler, 1, 1.0);
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_YES);
    hand_run(scheduler, 0, 1, "continue");
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_YES);
    hand_finish(scheduler, 2, 1.0);
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_NEVER);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_MAYBE);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_slot_continues_a_chain_before_it_starts_one),
        cmocka_unit_test(a_failed_segment_ends_its_chain),
        cmocka_unit_test(values_do_not_depend_on_the_order_of_results),
        cmocka_unit_test(repeats_train_the_same_values_in_trials_of_their_own),
        cmocka_unit_test(the_reason_says_that_the_budget_is_used),
        cmocka_unit_test(a_new_chain_leaves_the_open_ones_what_they_need),
        cmocka_unit_test(all_chains_failing_is_said),
        cmocka_unit_test(enqueued_points_run_even_when_all_configurations_have),
        cmocka_unit_test(checkpoints_are_kept_while_a_chain_goes_on),
    };
    return cmocka_run_group_tests_name("schedulers/random", tests, NULL, NULL);
}
