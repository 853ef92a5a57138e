#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"
#include "tests/schedulers/point_study.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { MOST = 1000, MAX_OPTIONS = 64 };

static PointResult results[MOST];

static void first_value(PointResult *result) {
    result->objectives[0] = result->point[0];
}

/* configurations until the grid ends; one option is set */
static size_t run(const Space *space, size_t slots, const char *option, double value) {
    double     options[MAX_OPTIONS];
    PointStudy study = {.options = options,
                        .setup = point_setup(space, MOST, 1),
                        .function = first_value,
                        .slots = slots};
    assert_ok(scheduler_find("grid", &study.ops));
    fake_options(study.ops, options, option, value, NULL);
    return point_study_run(&study, results);
}

static size_t add(Space *space, SpaceParameter parameter) {
    assert_ok(space_add(space, &parameter));
    return space_count(space) - 1;
}

/* a log float, an int of 3 values, a choice of 2; the last float only with the second choice */
static Space *make_space(void) {
    char           *choices[] = {(char[]){"off"}, (char[]){"on"}};
    Space          *space = NULL;
    double          second[] = {1};
    const SpaceTest on = {.parameter = 2,
                          .values = second,
                          .value_count = 1,
                          .above = (double)NAN,
                          .below = (double)NAN};
    assert_ok(space_create(&space));
    (void)add(space, (SpaceParameter){.name = (char[]){"rate"},
                                      .lower = 1e-4,
                                      .upper = 1,
                                      .default_value = 1e-2,
                                      .log = true});
    (void)add(space, (SpaceParameter){.name = (char[]){"layers"},
                                      .type = SPACE_INT,
                                      .lower = 1,
                                      .upper = 3,
                                      .default_value = 1});
    (void)add(space, (SpaceParameter){.name = (char[]){"mode"},
                                      .type = SPACE_CATEGORICAL,
                                      .upper = 1,
                                      .choices = choices,
                                      .choice_count = 2});
    (void)add(space, (SpaceParameter){.name = (char[]){"share"}, .upper = 1});
    assert_ok(space_add_when(space, 3, &on));
    assert_ok(space_seal(space));
    return space;
}

static bool same_point(const double *a, const double *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!(a[i] == b[i] || (isnan(a[i]) && isnan(b[i])))) {
            return false;
        }
    }
    return true;
}

/* 5 rates x 3 layers x (off, or on x 5 shares) = 90 points, each once, in either order */
static void every_combination_comes_once(void **state) {
    (void)state;
    Space *space = make_space();
    double orders[2][90];
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        assert_int_equal(run(space, 4, "shuffle", shuffled), 90);
        for (size_t i = 0; i < 90; i++) {
            const double *point = results[i].point;
            const double  power = log10(point[0]) + 4;
            assert_close(power, round(power), 1e-12, 0); /* 1e-4, 1e-3, ... 1 */
            assert_int_equal(isnan(point[3]), point[2] == 0);
            orders[shuffled][i] = point[0] + point[1] * 10;
            for (size_t j = 0; j < i; j++) {
                assert_false(same_point(point, results[j].point, 4));
            }
        }
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    space_destroy(space);
}

/* `levels` beyond the whole numbers there are, and a step, give each value once */
static void equal_values_come_once(void **state) {
    (void)state;
    Space *space = NULL;
    assert_ok(space_create(&space));
    (void)add(space, (SpaceParameter){.name = (char[]){"n"},
                                      .type = SPACE_INT,
                                      .lower = 1,
                                      .upper = 8,
                                      .log = true,
                                      .default_value = 1});
    (void)add(space, (SpaceParameter){.name = (char[]){"x"}, .upper = 1, .step = 0.5});
    assert_ok(space_seal(space));
    assert_int_equal(run(space, 1, "levels", 1000.0), 8 * 3);
    space_destroy(space);
}

static void a_grid_that_is_too_large_is_refused(void **state) {
    (void)state;
    Space              *space = point_cube(9);
    const SchedulerOps *ops = NULL;
    Scheduler          *scheduler = NULL;
    double              options[2];
    SchedulerSetup      setup = fake_setup(space);
    setup.trials = 3;
    assert_ok(scheduler_find("grid", &ops));
    option_defaults(ops->options, options);
    assert_fails(scheduler_create(ops, &setup, options, &scheduler), STATUS_ERR_RANGE,
                 "more than 1000000 points");
    options[0] = 4; /* 4^9 = 262144 */
    assert_ok(scheduler_create(ops, &setup, options, &scheduler));
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* a user's point takes no place in the grid */
static void enqueued_points_do_not_move_the_grid(void **state) {
    (void)state;
    Space         *space = point_cube(1);
    SchedulerSetup setup = fake_setup(space);
    const double   point[] = {0.3};
    const double   rest[] = {0, 0.25, 0.5, 0.75, 1};
    setup.per_trial = 5;
    setup.trials = 100;
    setup.baseline = false;
    Scheduler *scheduler = hand_create("grid", &setup, "shuffle", 0.0, NULL);
    assert_close(hand_run(scheduler, 0, 0, "initial").point[0], rest[0], 0, 0);
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_ENQUEUED, .point = point}));
    assert_close(hand_run(scheduler, 1, 0, "enqueued").point[0], 0.3, 0, 0);
    for (int64_t i = 1; i < 5; i++) {
        assert_close(hand_run(scheduler, i + 1, 0, "initial").point[0], rest[i], 0, 0);
    }
    hand_wait(scheduler);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_combination_comes_once),
        cmocka_unit_test(equal_values_come_once),
        cmocka_unit_test(a_grid_that_is_too_large_is_refused),
        cmocka_unit_test(enqueued_points_do_not_move_the_grid),
    };
    return cmocka_run_group_tests_name("schedulers/grid", tests, NULL, NULL);
}
