#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define FAILED       ((double)NAN)
#define ASYNCHRONOUS "mode", 1.0

enum { LAYERS, RATE, HORIZON, OPTIMIZER, VALUES };

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.total = 10000;
    return setup;
}

/* decides one round, checks who did what to whom, and keeps the decisions */
static void decide_round(Scheduler *scheduler, size_t n, Decision *decisions,
                         double points[][VALUES]) {
    for (size_t i = 0; i < n; i++) {
        decisions[i] = hand_decide(scheduler);
        assert_int_equal(decisions[i].kind, DECISION_RUN);
        memcpy(points[i], decisions[i].point, VALUES * sizeof(double));
    }
    hand_wait(scheduler);
}

static void the_worst_quantile_exploits_the_best_quantile(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 8.0, NULL);
    const double         scores[8] = {5, 4, 8, 1, 7, 3, 2, 6};
    Decision             first[8];
    Decision             second[8];
    double               before[8][VALUES];
    double               after[8][VALUES];
    decide_round(scheduler, 8, first, before);
    for (int64_t i = 0; i < 8; i++) {
        hand_finish(scheduler, i + 1, scores[i]);
    }
    decide_round(scheduler, 8, second, after);
    for (size_t i = 0; i < 8; i++) {
        const Decision *d = &second[i];
        assert_int_equal(d->trial, i);
        assert_int_equal(d->begin, 5);
        assert_int_equal(d->end, 10);
        if (i == 3 || i == 6) {
            /* floor(8 x 0.25) = 2: the two worst go on from one of the two best */
            assert_string_equal(d->reason, "exploit");
            assert_true(d->parent == 3 || d->parent == 5);
            assert_int_equal(d->branch, 1);
            assert_contains(d->note, "compared 8 at depth 5");
            assert_close(after[i][LAYERS], before[d->parent - 1][LAYERS], 0.0, 0.0);
            assert_true(!fake_same_values(after[i], before[d->parent - 1], VALUES));
        } else {
            assert_string_equal(d->reason, "continue");
            assert_int_equal(d->parent, i + 1);
            assert_int_equal(d->branch, 0);
            assert_memory_equal(after[i], before[i], sizeof after[i]);
        }
    }
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void donors_are_drawn_uniformly_from_the_best(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    size_t         third = 0;
    for (setup.seed = 1; setup.seed <= 200; setup.seed++) {
        Scheduler   *scheduler = hand_create("pbt", &setup, "population", 8.0, NULL);
        const double scores[8] = {5, 4, 8, 1, 7, 3, 2, 6};
        (void)hand_round(scheduler, 8, scores);
        for (int i = 0; i < 4; i++) {
            const Decision d = hand_decide(scheduler);
            third += i == 3 && d.parent == 3;
        }
        scheduler_destroy(scheduler);
    }
    /* 100 expected, standard deviation 7 */
    assert_true(third > 70 && third < 130);
    space_destroy(space);
}

static void with_two_members_the_worse_one_exploits(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, 2});
    hand_run(scheduler, 0, 2, "exploit");
    hand_run(scheduler, 1, 2, "continue");
    hand_finish(scheduler, 3, 5.0);
    hand_finish(scheduler, 4, 5.0);
    /* equals rank by member */
    hand_run(scheduler, 0, 3, "continue");
    hand_run(scheduler, 1, 3, "exploit");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_minimized_objective_ranks_the_other_way(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.maximize[0] = false;
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, 2});
    hand_run(scheduler, 0, 1, "continue");
    hand_run(scheduler, 1, 1, "exploit");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void who_breaks_a_constraint_ranks_behind_who_keeps_it(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.constraint_count = 1;
    setup.constraint_upper[0] = 10.0;
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 3.0, NULL);
    for (int64_t i = 0; i < 3; i++) {
        hand_run(scheduler, i, 0, "initial");
    }
    hand_finish_constrained(scheduler, 1, 99.0, 20.0);
    hand_finish_constrained(scheduler, 2, 1.0, 10.0);
    hand_finish_constrained(scheduler, 3, 0.0, 5.0);
    hand_run(scheduler, 0, 2, "exploit");
    hand_run(scheduler, 1, 2, "continue");
    hand_run(scheduler, 2, 3, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void nobody_exploits_before_the_warmup_is_over(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, "warmup", 10.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, 2});
    hand_run(scheduler, 0, 1, "continue");
    hand_run(scheduler, 1, 2, "continue");
    hand_finish(scheduler, 3, 1.0);
    hand_finish(scheduler, 4, 2.0);
    hand_run(scheduler, 0, 4, "exploit");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void inheriting_hyperparameters_keeps_the_agent_and_static_values(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 2.0, "inherit", 1.0,
                                                 "perturb_step", 0.0, "resample", 0.0, NULL);
    Decision             decisions[2];
    double               before[2][VALUES];
    decide_round(scheduler, 2, decisions, before);
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 2, 2.0);
    const Decision d = hand_run(scheduler, 0, 1, "exploit");
    assert_int_equal(d.branch, 0);
    assert_close(d.point[LAYERS], before[0][LAYERS], 0.0, 0.0);
    assert_true(fabs(before[0][LAYERS] - before[1][LAYERS]) > 0.5);
    /* a step of 0 leaves the donor's float where it is */
    assert_close(d.point[RATE], before[1][RATE], 0.0, 1e-12);
    assert_true(fabs(before[0][RATE] - before[1][RATE]) > 1e-9);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* the donor's optimizer has no momentum: one's own is kept and not set back to the default */
static void a_value_that_the_donor_does_not_have_stays_ones_own(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_CONDITIONAL);
    SchedulerSetup setup = setup_of(space);
    const size_t   momentum = space_find(space, "momentum");
    size_t         seen = 0;
    setup.baseline = false;
    for (setup.seed = 1; setup.seed <= 50; setup.seed++) {
        Scheduler   *scheduler = hand_create("pbt", &setup, "population", 2.0, "inherit", 1.0,
                                             "perturb_step", 0.0, "resample", 0.0, NULL);
        const double own = hand_run(scheduler, 0, 0, "initial").point[momentum];
        const double theirs = hand_run(scheduler, 1, 0, "initial").point[momentum];
        hand_finish(scheduler, 1, 1.0);
        hand_finish(scheduler, 2, 2.0);
        const Decision d = hand_run(scheduler, 0, 1, "exploit");
        if (isfinite(own) && isnan(theirs)) {
            assert_close(d.point[momentum], own, 0.0, 1e-9);
            seen++;
        }
        scheduler_destroy(scheduler);
    }
    assert_true(seen > 3);
    space_destroy(space);
}

/* ---- failures in rounds -------------------------------------------------------------------- */

static void a_failed_member_is_replaced_from_a_donor_of_its_round(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 4.0, NULL);
    (void)hand_round(scheduler, 4, (const double[]){3, FAILED, 5, 1});
    hand_run(scheduler, 0, 1, "continue");
    const Decision d = hand_run(scheduler, 1, 3, "replace");
    assert_int_equal(d.branch, 1);
    assert_contains(d.note, "segment 2 failed: crashed");
    hand_run(scheduler, 2, 3, "continue");
    /* the failed one ranked last, so the worst that finished goes on */
    hand_run(scheduler, 3, 4, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void all_but_one_failing_are_all_replaced_from_it(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 4.0, "inherit", 1.0, NULL);
    (void)hand_round(scheduler, 4, (const double[]){FAILED, FAILED, 5, FAILED});
    hand_run(scheduler, 0, 3, "replace");
    hand_run(scheduler, 1, 3, "replace");
    hand_run(scheduler, 2, 3, "continue");
    hand_run(scheduler, 3, 3, "replace");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_first_round_that_fails_is_repeated_once_with_new_agents(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 3.0, NULL);
    const double         failed[3] = {FAILED, FAILED, FAILED};
    Decision             decisions[3];
    double               first[3][VALUES];
    double               second[3][VALUES];
    decide_round(scheduler, 3, decisions, first);
    for (int64_t i = 1; i <= 3; i++) {
        hand_fail(scheduler, i);
    }
    decide_round(scheduler, 3, decisions, second);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(decisions[i].reason, "resample");
        assert_int_equal(decisions[i].parent, 0);
        assert_true(!fake_same_values(first[i], second[i], VALUES));
        hand_fail(scheduler, 4 + (int64_t)i);
    }
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_int_equal(done.failed, 1);
    assert_string_equal(done.reason, "every member failed in two rounds in a row");
    (void)failed;
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_later_round_is_repeated_with_new_values_from_where_it_stood(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, "warmup", 100.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, 2});
    (void)hand_round(scheduler, 2, (const double[]){FAILED, FAILED});
    assert_int_equal(hand_run(scheduler, 0, 1, "repeat").branch, 1);
    assert_int_equal(hand_run(scheduler, 1, 2, "repeat").begin, 5);
    hand_finish(scheduler, 5, 1.0);
    hand_fail(scheduler, 6);
    /* somebody came through, so the count begins anew */
    hand_run(scheduler, 0, 5, "continue");
    hand_run(scheduler, 1, 5, "replace");
    hand_fail(scheduler, 7);
    hand_fail(scheduler, 8);
    hand_run(scheduler, 0, 5, "repeat");
    /* its newest good segment is the donor's */
    hand_run(scheduler, 1, 5, "repeat");
    hand_fail(scheduler, 9);
    hand_fail(scheduler, 10);
    assert_int_equal(hand_decide(scheduler).failed, 1);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void failing_in_the_last_round_leaves_the_others_their_result(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.per_trial = 5;
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, FAILED});
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_int_equal(done.failed, 0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* results of a round that is still being decided change nothing in it: an interrupted coordinator
 * may hand them in before the rest of the round */
static void a_round_is_decided_from_the_rounds_before_it(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Decision             late[2];
    double               point[2][VALUES];
    for (int early = 0; early < 2; early++) {
        Scheduler *scheduler = hand_create("pbt", &setup, "population", 3.0, NULL);
        (void)hand_round(scheduler, 3, (const double[]){3, 1, FAILED});
        hand_run(scheduler, 0, 1, "continue");
        if (early == 1) {
            hand_finish(scheduler, 4, 9.0);
        }
        hand_run(scheduler, 1, 2, "continue");
        if (early == 1) {
            hand_fail(scheduler, 5);
        }
        late[early] = hand_run(scheduler, 2, 1, "replace");
        memcpy(point[early], late[early].point, sizeof point[early]);
        hand_wait(scheduler);
        scheduler_destroy(scheduler);
    }
    assert_memory_equal(point[0], point[1], sizeof point[0]);
    assert_string_equal(late[0].note, late[1].note);
    space_destroy(space);
}

/* ---- asynchronous -------------------------------------------------------------------------- */

static void only_results_of_the_same_depth_are_compared(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 3.0, ASYNCHRONOUS, NULL);
    assert_int_equal(scheduler_order(scheduler), SCHEDULER_ORDER_ANY);
    for (int64_t i = 0; i < 3; i++) {
        hand_run(scheduler, i, 0, "initial");
    }
    hand_wait(scheduler);
    hand_finish(scheduler, 1, 1.0);
    /* alone at its depth */
    assert_string_equal(hand_run(scheduler, 0, 1, "continue").note, "compared 1 at depth 5");
    hand_finish(scheduler, 4, 50.0);
    assert_string_equal(hand_run(scheduler, 0, 4, "continue").note, "compared 1 at depth 10");
    hand_finish(scheduler, 2, 0.5);
    /* member 0 is at 10, but what it had at 5 counts */
    const Decision d = hand_run(scheduler, 1, 1, "exploit");
    assert_contains(d.note, "compared 2 at depth 5");
    hand_finish(scheduler, 3, 7.0);
    assert_string_equal(hand_run(scheduler, 2, 3, "continue").note, "compared 3 at depth 5");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void the_member_that_consumed_least_goes_first(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 3.0, ASYNCHRONOUS, NULL);
    for (int64_t i = 0; i < 3; i++) {
        hand_run(scheduler, i, 0, "initial");
    }
    hand_finish(scheduler, 1, 3.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_finish(scheduler, 4, 3.0);
    hand_finish(scheduler, 3, 3.0);
    hand_finish(scheduler, 2, 2.0);
    assert_int_equal(hand_decide(scheduler).trial, 1);
    assert_int_equal(hand_decide(scheduler).trial, 2);
    assert_int_equal(hand_decide(scheduler).trial, 0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_failed_member_is_replaced_at_its_depth_or_starts_again(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, ASYNCHRONOUS, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_fail(scheduler, 1);
    /* nobody is there yet: a new sample */
    hand_run(scheduler, 0, 0, "resample");
    hand_finish(scheduler, 2, 1.0);
    hand_run(scheduler, 1, 2, "continue");
    hand_fail(scheduler, 3);
    assert_int_equal(hand_run(scheduler, 0, 2, "replace").branch, 1);
    hand_finish(scheduler, 5, 1.0);
    hand_run(scheduler, 0, 5, "continue");
    hand_fail(scheduler, 6);
    /* nobody stands at 15: back to its own */
    assert_int_equal(hand_run(scheduler, 0, 5, "restart").begin, 10);
    hand_finish(scheduler, 4, 1.0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void three_failures_in_a_row_retire_a_member(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.per_trial = 5;
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, ASYNCHRONOUS, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    for (int64_t i = 0; i < 3; i++) {
        hand_fail(scheduler, (i == 0) ? 1 : i + 2);
        if (i < 2) {
            hand_run(scheduler, 0, 0, "resample");
        }
    }
    hand_wait(scheduler);
    hand_finish(scheduler, 2, 1.0);
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.failed, 0);
    assert_string_equal(done.reason, "1 members reached 5 units, 1 failed");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void all_retired_is_a_failed_study(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, ASYNCHRONOUS, NULL);
    for (int64_t i = 1; i <= 6; i++) {
        assert_int_equal(hand_decide(scheduler).id, i);
        hand_fail(scheduler, i);
    }
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.failed, 1);
    assert_string_equal(done.reason, "all 2 members failed 3 times in a row");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* ---- checkpoints --------------------------------------------------------------------------- */

static void what_nobody_can_go_on_from_is_given_up(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){2, 1});
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_YES);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_YES);
    (void)hand_round(scheduler, 2, (const double[]){3, 4});
    /* the best of a member is kept while there is room, the rest is not */
    (void)hand_round(scheduler, 2, (const double[]){1, 1});
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_NEVER);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_NEVER);
    assert_int_equal(scheduler_keeps(scheduler, 3), KEEPS_MAYBE);
    assert_int_equal(scheduler_keeps(scheduler, 5), KEEPS_YES);
    assert_int_equal(scheduler_keeps(scheduler, 6), KEEPS_YES);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void the_round_before_is_kept_until_the_next_is_decided(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("pbt", &setup, "population", 2.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){1, 2});
    hand_run(scheduler, 0, 2, "exploit");
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_YES);
    hand_run(scheduler, 1, 2, "continue");
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_MAYBE);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* 7 and 10 lie in the same step of 5 units */
static void a_shortened_segment_is_compared_with_none_of_full_length(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.total = 17;
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, ASYNCHRONOUS, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 1, 9.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_finish(scheduler, 2, 10.0);
    assert_int_equal(hand_run(scheduler, 1, 2, "continue").end, 7);
    hand_finish(scheduler, 3, 99.0);
    hand_finish(scheduler, 4, 1.0);
    assert_string_equal(hand_decide(scheduler).reason, "budget of 17 units used");
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_BUDGET_CHANGED, .total = 1000}));
    assert_string_equal(hand_run(scheduler, 1, 4, "continue").note, "compared 1 at depth 7");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_result_that_a_late_member_may_pick_is_kept(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt", &setup, "population", 2.0, ASYNCHRONOUS, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 1, 1.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_finish(scheduler, 3, 2.0);
    hand_run(scheduler, 0, 3, "continue");
    hand_finish(scheduler, 4, 3.0);
    assert_int_equal(scheduler_keeps(scheduler, 4), KEEPS_YES);
    /* member 1 has not reached depth 5 yet */
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_MAYBE);
    assert_int_equal(scheduler_keeps(scheduler, 3), KEEPS_MAYBE);
    hand_run(scheduler, 0, 4, "continue");
    hand_finish(scheduler, 2, 0.0);
    hand_run(scheduler, 1, 1, "exploit");
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_YES);
    hand_finish(scheduler, 6, 0.0);
    /* past depth 5 now, but at 10 */
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_NEVER);
    assert_int_equal(scheduler_keeps(scheduler, 3), KEEPS_MAYBE);
    hand_run(scheduler, 1, 3, "exploit");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* many studies with failures, NaN and every mode: the driver loses each checkpoint as soon as the
 * scheduler gives it up, and fails when it is asked for */
static void no_checkpoint_is_given_up_too_early(void **state) {
    (void)state;
    Space              *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup      setup = fake_setup(space);
    const SchedulerOps *ops = NULL;
    size_t              exploits = 0;
    assert_ok(scheduler_find("pbt", &ops));
    setup.per_trial = 40;
    setup.total = 320;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const FakeSettings settings = {.slots = 1 + seed % 9,
                                       .seed = seed,
                                       .fail = (seed % 3 == 0) ? 0.2 : 0.02,
                                       .nan = 0.02,
                                       .noise = 5.0};
        double             options[64];
        FakeLog            log;
        Decision           done;
        setup.seed = seed;
        fake_options(ops, options, "mode", (double)(seed % 2), "inherit", (double)(seed / 2 % 2),
                     NULL);
        fake_study_run(ops, &setup, options, &settings, &log, &done);
        exploits += fake_log_reasons(&log, "exploit");
        fake_log_free(&log);
    }
    assert_true(exploits > 300);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_quantile_exploits_the_best_quantile),
        cmocka_unit_test(donors_are_drawn_uniformly_from_the_best),
        cmocka_unit_test(with_two_members_the_worse_one_exploits),
        cmocka_unit_test(a_minimized_objective_ranks_the_other_way),
        cmocka_unit_test(who_breaks_a_constraint_ranks_behind_who_keeps_it),
        cmocka_unit_test(nobody_exploits_before_the_warmup_is_over),
        cmocka_unit_test(inheriting_hyperparameters_keeps_the_agent_and_static_values),
        cmocka_unit_test(a_value_that_the_donor_does_not_have_stays_ones_own),
        cmocka_unit_test(a_failed_member_is_replaced_from_a_donor_of_its_round),
        cmocka_unit_test(all_but_one_failing_are_all_replaced_from_it),
        cmocka_unit_test(a_first_round_that_fails_is_repeated_once_with_new_agents),
        cmocka_unit_test(a_later_round_is_repeated_with_new_values_from_where_it_stood),
        cmocka_unit_test(failing_in_the_last_round_leaves_the_others_their_result),
        cmocka_unit_test(a_round_is_decided_from_the_rounds_before_it),
        cmocka_unit_test(only_results_of_the_same_depth_are_compared),
        cmocka_unit_test(the_member_that_consumed_least_goes_first),
        cmocka_unit_test(a_failed_member_is_replaced_at_its_depth_or_starts_again),
        cmocka_unit_test(three_failures_in_a_row_retire_a_member),
        cmocka_unit_test(all_retired_is_a_failed_study),
        cmocka_unit_test(what_nobody_can_go_on_from_is_given_up),
        cmocka_unit_test(the_round_before_is_kept_until_the_next_is_decided),
        cmocka_unit_test(a_shortened_segment_is_compared_with_none_of_full_length),
        cmocka_unit_test(a_result_that_a_late_member_may_pick_is_kept),
        cmocka_unit_test(no_checkpoint_is_given_up_too_early),
    };
    return cmocka_run_group_tests_name("schedulers/pbt", tests, NULL, NULL);
}
