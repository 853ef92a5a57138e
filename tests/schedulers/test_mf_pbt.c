#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 100000;
    return setup;
}

/* values of the segments decided so far, by id */
typedef struct Points {
    double at[64][8];
    size_t n;
} Points;

static Decision run(Scheduler *scheduler, Points *points, int64_t trial, int64_t parent,
                    const char *reason) {
    const Decision decision = hand_run(scheduler, trial, parent, reason);
    memcpy(points->at[decision.id], decision.point, points->n * sizeof(double));
    return decision;
}

/* Members 0, 2, 4 evolve after every segment, 1, 3, 5 after every other. */
static void agents_migrate_and_values_only_from_the_patient(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Points               points = {.n = space_count(space)};
    Scheduler *scheduler = hand_create("mf-pbt", &setup, "population", 6.0, "subpopulations", 2.0,
                                       "longest_interval", 2.0, NULL);
    for (int64_t i = 0; i < 6; i++) {
        (void)run(scheduler, &points, i, 0, "initial");
    }
    const double first[6] = {1.0, 9.0, 2.0, 8.0, 3.0, 7.0};
    for (int64_t i = 0; i < 6; i++) {
        hand_finish(scheduler, 1 + i, first[i]);
    }
    (void)run(scheduler, &points, 0, 5, "exploit");  /* last of its own three: from the best */
    (void)run(scheduler, &points, 1, 2, "continue"); /* not yet */
    const Decision hasty = run(scheduler, &points, 2, 2, "migrate");
    assert_true(hasty.branch);
    assert_memory_equal(points.at[hasty.id], points.at[2], points.n * sizeof(double));
    (void)run(scheduler, &points, 3, 4, "continue");
    (void)run(scheduler, &points, 4, 5,
              "continue"); /* the best of its own stays, whoever is better */
    (void)run(scheduler, &points, 5, 6, "continue");
    const double second[6] = {19.0, 11.0, 18.0, 12.0, 17.0, 13.0};
    for (int64_t i = 0; i < 6; i++) {
        hand_finish(scheduler, 7 + i, second[i]);
    }
    (void)run(scheduler, &points, 0, 7, "continue");
    (void)run(scheduler, &points, 1, 12, "exploit");
    (void)run(scheduler, &points, 2, 9, "continue");
    /* the hasty agent of trial 0, with the dynamic values of trial 5 */
    const Decision patient = run(scheduler, &points, 3, 7, "migrate");
    for (size_t i = 0; i < points.n; i++) {
        const int64_t from = space_at(space, i)->dynamic ? 12 : 7;
        assert_close(points.at[patient.id][i], points.at[from][i], 0.0, 0.0);
    }
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* 16 members in 4 groups by default, intervals 1, 2, 3 and 4 at 20 segments */
static void patient_groups_wait(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    const int64_t        intervals[4] = {1, 2, 3, 4};
    Scheduler           *scheduler = hand_create("mf-pbt", &setup, NULL);
    double               scores[16];
    for (size_t i = 0; i < 16; i++) {
        scores[i] = (double)i;
    }
    (void)hand_round(scheduler, 16, scores);
    for (int64_t round = 1; round <= 12; round++) {
        for (int64_t i = 0; i < 16; i++) {
            const Decision decision = hand_decide(scheduler);
            const bool     evolves =
                strstr(decision.note, "rank") != NULL || strcmp(decision.reason, "migrate") == 0;
            assert_int_equal(evolves, round % intervals[i % 4] == 0);
        }
        for (int64_t i = 0; i < 16; i++) {
            hand_finish(scheduler, 16 * round + 1 + i, scores[i]);
        }
    }
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void one_group_is_pbt(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *mf = hand_create("mf-pbt", &setup, "population", 7.0, NULL);
    Scheduler           *pbt = hand_create("pbt", &setup, "population", 7.0, NULL);
    const double         scores[7] = {3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0};
    (void)hand_round(mf, 7, scores);
    (void)hand_round(pbt, 7, scores);
    for (int i = 0; i < 7; i++) {
        const Decision a = hand_decide(mf);
        const Decision b = hand_decide(pbt);
        assert_string_equal(a.reason, b.reason);
        assert_int_equal(a.parent, b.parent);
        assert_true(fake_same_values(a.point, b.point, space_count(space)));
    }
    scheduler_destroy(mf);
    scheduler_destroy(pbt);
    space_destroy(space);
}

static void groups_of_one_are_refused(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    const SchedulerOps  *ops = NULL;
    Scheduler           *scheduler = NULL;
    double               options[64];
    assert_ok(scheduler_find("mf-pbt", &ops));
    fake_options(ops, options, "population", 4.0, "subpopulations", 3.0, NULL);
    assert_fails(scheduler_create(ops, &setup, options, &scheduler), STATUS_ERR_RANGE,
                 "subpopulations is 3; expected at most half the population, 4");
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agents_migrate_and_values_only_from_the_patient),
        cmocka_unit_test(patient_groups_wait),
        cmocka_unit_test(one_group_is_pbt),
        cmocka_unit_test(groups_of_one_are_refused),
    };
    return cmocka_run_group_tests_name("schedulers/mf_pbt", tests, NULL, NULL);
}
