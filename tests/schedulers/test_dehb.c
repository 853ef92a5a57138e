/* Under reduction 2, rungs 1 2 4: configurations 0 to 3 are trained to 1, 4 and 5 to 2, 6 to 4;
 * then 7 8 (2) and 9 (4); then 10 to 12 (4); 13 begins the next round. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { VALUES = 4, CONFIGURATIONS = 27, ROUND = 13 };

typedef struct Run {
    Space         *space;
    SchedulerSetup setup;
    Scheduler     *scheduler;
    double         points[CONFIGURATIONS][VALUES];
    int64_t        depths[CONFIGURATIONS];
    int64_t        next; /* configuration */
    int64_t        segments;
} Run;

static Run begin(double factor, double crossover) {
    Run run = {.space = fake_space(FAKE_SPACE_MIXED)};
    run.setup = fake_setup(run.space);
    run.setup.per_trial = 4;
    run.setup.segment = 1;
    run.setup.total = 1000;
    run.setup.can_branch = false; /* each configuration is one segment */
    run.scheduler = hand_create("dehb", &run.setup, "reduction", 2.0, "mutation_factor", factor,
                                "crossover", crossover, NULL);
    return run;
}

static void end(Run *run) {
    scheduler_destroy(run->scheduler);
    space_destroy(run->space);
}

static void decide(Run *run) {
    const Decision decision = hand_run(run->scheduler, run->next, 0, "initial");
    memcpy(run->points[run->next], decision.point, sizeof run->points[0]);
    run->depths[run->next++] = decision.end;
}

/* decides and finishes; NaN fails */
static void train(Run *run, double objective) {
    decide(run);
    if (isnan(objective)) {
        hand_fail(run->scheduler, run->next);
    } else {
        hand_finish(run->scheduler, run->next, objective);
    }
}

/* how many values of two configurations are the same, but for rounding */
static size_t alike(const Run *run, int64_t a, int64_t b) {
    size_t n = 0;
    for (size_t i = 0; i < VALUES; i++) {
        n += fabs(run->points[a][i] - run->points[b][i]) <= 1e-9 * fabs(run->points[a][i]);
    }
    return n;
}

static void a_higher_rung_begins_with_the_best_of_the_rung_below(void **state) {
    (void)state;
    Run run = begin(0.5, 0.5);
    for (size_t i = 0; i < 4; i++) {
        decide(&run);
    }
    const double objectives[] = {1.0, 4.0, 2.0, 3.0};
    for (int64_t i = 0; i < 4; i++) {
        hand_wait(run.scheduler);
        hand_finish(run.scheduler, i + 1, objectives[i]);
    }
    train(&run, 5.0);
    decide(&run);
    assert_int_equal(alike(&run, 4, 1), VALUES);
    assert_int_equal(alike(&run, 5, 3), VALUES);
    hand_wait(run.scheduler);
    hand_finish(run.scheduler, 6, 7.0);
    train(&run, 7.0);
    assert_int_equal(alike(&run, 6, 5), VALUES);
    const int64_t depths[] = {1, 1, 1, 1, 2, 2, 4};
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(run.depths[i], depths[i]);
    }
    end(&run);
}

static void where_all_below_failed_a_random_point_takes_the_place(void **state) {
    (void)state;
    Run run = begin(0.5, 0.5);
    for (size_t i = 0; i < 4; i++) {
        train(&run, (double)NAN);
    }
    train(&run, 1.0);
    for (int64_t i = 0; i < 4; i++) {
        assert_true(alike(&run, 4, i) < VALUES);
    }
    end(&run);
}

/* factor 0 and crossover 1: a child is its first parent */
static void parents_come_from_the_rung_itself_or_the_best_below(void **state) {
    (void)state;
    Run run = begin(0.0, 1.0);
    for (int64_t i = 0; i < ROUND; i++) {
        train(&run, (i < 4) ? (double)i : 0.5);
    }
    /* the second round: places of rung 1 unit are held by 0 to 3 */
    for (int64_t i = ROUND; i < ROUND + 4; i++) {
        train(&run, -9.0);
        size_t parents = 0;
        for (int64_t j = 0; j < 4; j++) {
            parents += alike(&run, i, j) == VALUES;
        }
        assert_true(parents >= 1);
    }
    /* two at 2 units: from the best three at 1 unit, so not from 0, the worst */
    for (int64_t i = ROUND + 4; i < ROUND + 6; i++) {
        train(&run, 1.0);
        size_t parents = 0;
        for (int64_t j = 1; j < 4; j++) {
            parents += alike(&run, i, j) == VALUES;
        }
        assert_true(parents >= 1);
        assert_true(alike(&run, i, 0) < VALUES);
    }
    end(&run);
}

/* crossover 0: a child has all values but one of who holds its place */
static void a_place_is_held_by_who_is_not_worse(void **state) {
    (void)state;
    for (int better = 0; better < 2; better++) {
        Run run = begin(0.5, 0.0);
        for (int64_t i = 0; i < 2 * ROUND; i++) {
            train(&run, (i == ROUND && better == 0) ? -1.0 : 0.0);
            if (i >= ROUND && i < ROUND + 4) {
                assert_true(alike(&run, i, i - ROUND) >= VALUES - 1);
            }
        }
        train(&run, 0.0);
        assert_true(alike(&run, 2 * ROUND, better ? ROUND : 0) >= VALUES - 1);
        end(&run);
    }
}

static void values_stay_in_their_ranges_under_a_large_factor(void **state) {
    (void)state;
    Run run = begin(2.0, 1.0);
    for (int64_t i = 0; i < CONFIGURATIONS; i++) {
        train(&run, (double)(i % 5));
        assert_ok(space_check(run.space, run.points[i]));
    }
    end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_higher_rung_begins_with_the_best_of_the_rung_below),
        cmocka_unit_test(where_all_below_failed_a_random_point_takes_the_place),
        cmocka_unit_test(parents_come_from_the_rung_itself_or_the_best_below),
        cmocka_unit_test(a_place_is_held_by_who_is_not_worse),
        cmocka_unit_test(values_stay_in_their_ranges_under_a_large_factor),
    };
    return cmocka_run_group_tests_name("schedulers/dehb", tests, NULL, NULL);
}
