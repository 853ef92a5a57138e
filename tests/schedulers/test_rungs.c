#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include "schedulers/rungs.h"

#include <math.h>

static SchedulerSetup setup_of(int64_t segment, int64_t per_trial) {
    return (SchedulerSetup){.segment = segment, .per_trial = per_trial};
}

static void assert_depths(const Rungs *rungs, size_t n, const int64_t *expected) {
    assert_int_equal(rungs->count, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rungs->depths[i], expected[i]);
    }
}

static void upwards_they_grow_from_the_least_and_end_at_per_trial(void **state) {
    (void)state;
    Rungs                rungs;
    const SchedulerSetup even = setup_of(1, 27);
    assert_ok(rungs_upwards(&even, (double)NAN, 3, &rungs));
    assert_depths(&rungs, 4, (const int64_t[]){1, 3, 9, 27});
    const SchedulerSetup odd = setup_of(2, 20);
    assert_ok(rungs_upwards(&odd, (double)NAN, 3, &rungs));
    assert_depths(&rungs, 4, (const int64_t[]){2, 6, 18, 20});
    assert_ok(rungs_upwards(&odd, 5.0, 4, &rungs));
    assert_depths(&rungs, 2, (const int64_t[]){5, 20});
    /* no overflow on the way */
    const SchedulerSetup huge = setup_of(1, INT64_MAX);
    assert_ok(rungs_upwards(&huge, (double)NAN, 2, &rungs));
    assert_int_equal(rungs.count, 64);
    assert_true(rungs.depths[63] == INT64_MAX);
}

static void downwards_they_shrink_from_per_trial_to_the_least(void **state) {
    (void)state;
    Rungs                rungs;
    const SchedulerSetup even = setup_of(1, 27);
    assert_ok(rungs_downwards(&even, (double)NAN, 3, &rungs));
    assert_depths(&rungs, 4, (const int64_t[]){1, 3, 9, 27});
    const SchedulerSetup odd = setup_of(2, 20);
    assert_ok(rungs_downwards(&odd, (double)NAN, 3, &rungs));
    assert_depths(&rungs, 3, (const int64_t[]){3, 7, 20});
}

static void one_rung_is_refused_and_so_is_a_least_beyond_the_full_depth(void **state) {
    (void)state;
    Rungs                rungs;
    const SchedulerSetup setup = setup_of(5, 5);
    assert_fails(rungs_upwards(&setup, (double)NAN, 4, &rungs), STATUS_ERR_ARG, "leaves one rung");
    assert_fails(rungs_upwards(&setup, 6.0, 4, &rungs), STATUS_ERR_ARG,
                 "min_units 6 is above per_trial 5");
    assert_fails(rungs_downwards(&setup, 6.0, 4, &rungs), STATUS_ERR_ARG,
                 "min_units 6 is above per_trial 5");
    assert_fails(rungs_downwards(&setup, 3.0, 4, &rungs), STATUS_ERR_ARG, "leaves one rung");
}

/* Li et al. (2017), table 1, with R = 81 and eta = 3: n = 81 34 15 8 5 */
static void brackets_are_those_of_the_paper(void **state) {
    (void)state;
    Brackets             brackets;
    const SchedulerSetup setup = setup_of(1, 81);
    const int64_t        sizes[] = {81, 34, 15, 8, 5};
    int64_t              number = 0;
    assert_ok(brackets_init(&setup, (double)NAN, 3, BRACKETS_PROMOTE, &brackets));
    assert_int_equal(brackets.rungs.count, 5);
    for (int64_t bracket = 0; bracket < 12; bracket++) {
        const size_t first = (size_t)bracket % 5;
        for (int64_t i = 0; i < sizes[first]; i++) {
            const BracketPlace place = brackets_find(&brackets, number++);
            assert_int_equal(place.bracket, bracket);
            assert_int_equal(place.first, first);
            assert_int_equal(place.rung, first);
            assert_int_equal(place.place, i);
        }
    }
}

/* with 27 and 3 DEHB has brackets of 27 9 3 1, 9 3 1, 6 2 and 4 configurations */
static void fresh_brackets_number_every_rung(void **state) {
    (void)state;
    Brackets             brackets;
    const SchedulerSetup setup = setup_of(1, 27);
    const int64_t        sizes[4][4] = {{27, 9, 3, 1}, {0, 9, 3, 1}, {0, 0, 6, 2}, {0, 0, 0, 4}};
    int64_t              before[4] = {0};
    int64_t              number = 0;
    assert_ok(brackets_init(&setup, (double)NAN, 3, BRACKETS_FRESH, &brackets));
    for (int64_t bracket = 0; bracket < 9; bracket++) {
        const size_t first = (size_t)bracket % 4;
        for (size_t rung = first; rung < 4; rung++) {
            for (int64_t i = 0; i < sizes[first][rung]; i++) {
                const BracketPlace place = brackets_find(&brackets, number++);
                assert_int_equal(place.bracket, bracket);
                assert_int_equal(place.rung, rung);
                assert_int_equal(place.place, i);
                assert_int_equal(place.before, before[rung]);
            }
            before[rung] += sizes[first][rung];
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upwards_they_grow_from_the_least_and_end_at_per_trial),
        cmocka_unit_test(downwards_they_shrink_from_per_trial_to_the_least),
        cmocka_unit_test(one_rung_is_refused_and_so_is_a_least_beyond_the_full_depth),
        cmocka_unit_test(brackets_are_those_of_the_paper),
        cmocka_unit_test(fresh_brackets_number_every_rung),
    };
    return cmocka_run_group_tests_name("schedulers/rungs", tests, NULL, NULL);
}
