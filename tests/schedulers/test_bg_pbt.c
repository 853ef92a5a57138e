#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "core/linalg.h"

#include <math.h>
#include <string.h>

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 500;
    setup.total = 100000;
    return setup;
}

/* The worst of four goes back to the best that there ever was, not to the best of the round. */
static void the_worst_goes_back_to_the_best_ever(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("bg-pbt", &setup, "population", 4.0, NULL);
    const double         first[4] = {5.0, 9.0, 7.0, 6.0};
    const double         second[4] = {6.0, 4.0, 5.0, 3.0};
    (void)hand_round(scheduler, 4, first);
    const Decision worst = hand_run(scheduler, 0, 2, "exploit");
    assert_true(worst.branch);
    for (int64_t i = 1; i < 4; i++) {
        hand_run(scheduler, i, 1 + i, "continue");
    }
    for (int64_t i = 0; i < 4; i++) {
        hand_finish(scheduler, 5 + i, second[i]);
    }
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_YES);
    for (int64_t i = 0; i < 3; i++) {
        hand_run(scheduler, i, 5 + i, "continue");
    }
    const Decision back = hand_run(scheduler, 3, 2, "exploit");
    assert_int_equal(back.begin, 5);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* After 15 rounds that bring nothing better everybody goes back to the best ever, once. */
static void a_restart_brings_everybody_back(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = hand_create("bg-pbt", &setup, "population", 4.0, NULL);
    const double         first[4] = {5.0, 9.0, 7.0, 6.0};
    const double         later[4] = {1.0, 2.0, 3.0, 4.0};
    (void)hand_round(scheduler, 4, first);
    for (int round = 0; round < 15; round++) {
        const int64_t id = hand_round(scheduler, 4, later);
        assert_int_equal(id, 5 + 4 * round);
    }
    double points[4][8];
    for (int64_t i = 0; i < 4; i++) {
        const Decision decision = hand_run(scheduler, i, 2, "restart");
        assert_true(decision.branch);
        assert_contains(decision.note, "restart 1 of the trust region");
        memcpy(points[i], decision.point, space_count(space) * sizeof(double));
        assert_true(i == 0 || !fake_same_values(points[i], points[i - 1], space_count(space)));
    }
    for (int64_t i = 0; i < 4; i++) {
        hand_finish(scheduler, 65 + i, later[i]);
    }
    hand_run(scheduler, 0, 2, "exploit");
    hand_run(scheduler, 1, 66, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* chosen values are near known ones: within half a side, or the next whole number */
static void choices_stay_in_the_region(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("bg-pbt", &setup, "population", 4.0, "quantile", 0.5, NULL);
    double     known[400];
    size_t     n = 0;
    size_t     chosen = 0;
    for (int64_t round = 0; round < 20; round++) {
        double rates[4];
        for (int64_t i = 0; i < 4; i++) {
            const Decision decision = hand_decide(scheduler);
            double         unit[8];
            double         nearest = 1.0;
            space_encode(space, decision.point, unit);
            rates[i] = unit[1];
            for (size_t k = 0; k < n; k++) {
                nearest = fmin(nearest, fabs(known[k] - unit[1]));
            }
            if (strstr(decision.note, "model of") != NULL) {
                chosen++;
                /* never more than the largest side that a run of successes leads to */
                assert_true(nearest <= 0.5);
                assert_true(round > 3 || nearest <= 0.3 + 1e-9);
            }
        }
        for (int64_t i = 0; i < 4; i++) {
            known[n++] = rates[i];
            hand_finish(scheduler, 4 * round + 1 + i, (double)round + rates[i]);
        }
    }
    assert_true(chosen > 10);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void more_elites_than_members_are_refused(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    const SchedulerOps  *ops = NULL;
    Scheduler           *scheduler = NULL;
    double               options[64];
    assert_ok(scheduler_find("bg-pbt", &ops));
    fake_options(ops, options, "population", 4.0, "elites", 5.0, NULL);
    assert_fails(scheduler_create(ops, &setup, options, &scheduler), STATUS_ERR_RANGE,
                 "elites is 5; expected at most the population, 4");
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_goes_back_to_the_best_ever),
        cmocka_unit_test(a_restart_brings_everybody_back),
        cmocka_unit_test(choices_stay_in_the_region),
        cmocka_unit_test(more_elites_than_members_are_refused),
    };
    if (linalg_start(1) != STATUS_OK) { /* as the program does */
        return 1;
    }
    return cmocka_run_group_tests_name("schedulers/bg_pbt", tests, NULL, NULL);
}
