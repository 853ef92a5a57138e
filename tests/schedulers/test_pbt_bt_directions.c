/* Backtracking: which values a restored agent gets. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { VALUES = 4 };

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 100000;
    return setup;
}

/* Member 0 sets an elite and everybody falls behind it again and again. All values of the space are
 * floats in the middle of their range, so that a direction can be read off the values. */
static Space *floats(size_t n) {
    Space *space = NULL;
    char   name[32];
    assert_ok(space_create(&space));
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "x%zu", i);
        const SpaceParameter parameter = {.name = name,
                                          .type = SPACE_FLOAT,
                                          .lower = 0,
                                          .upper = 1,
                                          .dynamic = true,
                                          .default_value = 0.5};
        assert_ok(space_add(space, &parameter));
    }
    assert_ok(space_seal(space));
    return space;
}

static size_t direction_of(const double *point, size_t n) {
    size_t direction = 0;
    for (size_t i = 0; i < n; i++) {
        assert_close(fabs(point[i] - 0.5), 0.2, 1e-12, 0.0);
        direction |= (size_t)(point[i] > 0.5) << i;
    }
    return direction;
}

static void no_direction_repeats_before_all_were_tried(void **state) {
    (void)state;
    enum { D = 3 };
    Space               *space = floats(D);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0,
                                       "elites", 1.0, "resample", 0.0, NULL);
    bool       seen[1 << D] = {false};
    size_t     restores = 0;
    (void)hand_round(scheduler, 2, (const double[]){10, 1});
    hand_run(scheduler, 0, 1, "continue");
    Decision d = hand_run(scheduler, 1, 1, "backtrack");
    while (restores < (1 << D)) {
        assert_int_equal(d.parent, 1);
        const size_t direction = direction_of(d.point, D);
        assert_int_equal(seen[direction], 0);
        seen[direction] = true;
        restores++;
        if (d.trial == 1) {
            hand_finish(scheduler, d.id - 1, 0.0);
            hand_finish(scheduler, d.id, 0.0);
        }
        d = hand_decide(scheduler);
        assert_string_equal(d.reason, (restores < (1 << D)) ? "backtrack" : "backtrack_resample");
    }
    /* exhausted: anywhere */
    assert_string_equal(d.reason, "backtrack_resample");
    assert_contains(d.note, "resampled");
    assert_true(fabs(fabs(d.point[0] - 0.5) - 0.2) > 1e-9);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_resampled_restore_uses_up_no_direction(void **state) {
    (void)state;
    enum { D = 3 };
    Space         *space = floats(D);
    SchedulerSetup setup = setup_of(space);
    for (setup.seed = 1; setup.seed <= 10; setup.seed++) {
        Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every",
                                           1.0, "elites", 1.0, "resample", 0.5, NULL);
        size_t     moved = 0;
        size_t     resampled = 0;
        bool       seen[1 << D] = {false};
        (void)hand_round(scheduler, 2, (const double[]){10, 1});
        hand_run(scheduler, 0, 1, "continue");
        Decision d = hand_decide(scheduler);
        while (moved < (1 << D)) {
            assert_int_equal(d.parent, 1);
            if (strcmp(d.reason, "backtrack") == 0) {
                const size_t direction = direction_of(d.point, D);
                char         number[32];
                (void)snprintf(number, sizeof number, ", direction %zu of 2^3", ++moved);
                assert_contains(d.note, number);
                assert_int_equal(seen[direction], 0);
                seen[direction] = true;
            } else {
                assert_string_equal(d.reason, "backtrack_resample");
                resampled++;
            }
            if (d.trial == 1) {
                hand_finish(scheduler, d.id - 1, 0.0);
                hand_finish(scheduler, d.id, 0.0);
            }
            d = hand_decide(scheduler);
        }
        assert_true(resampled > 0);
        scheduler_destroy(scheduler);
    }
    space_destroy(space);
}

static void with_probability_resample_everything_is_drawn_anew(void **state) {
    (void)state;
    Space         *space = floats(5);
    SchedulerSetup setup = setup_of(space);
    size_t         resampled = 0;
    for (setup.seed = 1; setup.seed <= 300; setup.seed++) {
        Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every",
                                           1.0, "elites", 1.0, NULL);
        (void)hand_round(scheduler, 2, (const double[]){10, 1});
        hand_run(scheduler, 0, 1, "continue");
        const Decision d = hand_decide(scheduler);
        assert_int_equal(d.parent, 1);
        if (strstr(d.note, "resampled") != NULL) {
            assert_string_equal(d.reason, "backtrack_resample");
            resampled++;
            for (size_t i = 0; i < 5; i++) {
                assert_true(fabs(fabs(d.point[i] - 0.5) - 0.2) > 1e-9);
            }
        } else {
            assert_string_equal(d.reason, "backtrack");
            (void)direction_of(d.point, 5);
        }
        scheduler_destroy(scheduler);
    }
    /* 75 expected, standard deviation 7.5 */
    assert_true(resampled > 45 && resampled < 105);
    space_destroy(space);
}

static void a_restored_agent_keeps_its_static_values(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0,
                                       "elites", 1.0, "resample", 1.0, NULL);
    double     elite[VALUES];
    memcpy(elite, hand_run(scheduler, 0, 0, "initial").point, sizeof elite);
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 1, 10.0);
    hand_finish(scheduler, 2, 1.0);
    hand_run(scheduler, 0, 1, "continue");
    const Decision d = hand_run(scheduler, 1, 1, "backtrack_resample");
    assert_close(d.point[0], elite[0], 0.0, 0.0);
    assert_true(!fake_same_values(d.point, elite, VALUES));
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* a wide space: more directions than bits of a permutation */
static void seventy_values_have_directions_too(void **state) {
    (void)state;
    Space               *space = floats(70);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0,
                                       "elites", 1.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){10, 1});
    hand_run(scheduler, 0, 1, "continue");
    const Decision d = hand_run(scheduler, 1, 1, "backtrack");
    for (size_t i = 0; i < 70; i++) {
        assert_close(fabs(d.point[i] - 0.5), 0.2, 1e-12, 0.0);
    }
    assert_contains(d.note, "of 2^70");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_direction_repeats_before_all_were_tried),
        cmocka_unit_test(a_resampled_restore_uses_up_no_direction),
        cmocka_unit_test(with_probability_resample_everything_is_drawn_anew),
        cmocka_unit_test(a_restored_agent_keeps_its_static_values),
        cmocka_unit_test(seventy_values_have_directions_too),
    };
    return cmocka_run_group_tests_name("schedulers/pbt-bt directions", tests, NULL, NULL);
}
