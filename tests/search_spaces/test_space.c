#include "tests/search_spaces/space_samples.h"
#include "tests/support/test_support.h"

#include "search_spaces/space.h"

#include <math.h>
#include <string.h>

static const char *const optimizers[] = {"adam", "sgd", NULL};
static const char *const sizes[] = {"small", "medium", "large", NULL};

/* optimizer, layers (2-8), size (ordinal), momentum when optimizer is sgd and layers above 2,
 * nesterov when momentum above 0.5 */
static Space *make_space(void) {
    Space         *space = NULL;
    const double   sgd = 1;
    SpaceParameter rows[] = {
        sample_choice("optimizer", SPACE_CATEGORICAL, optimizers),
        sample_int("layers", 2, 8, 4),
        sample_choice("size", SPACE_ORDINAL, sizes),
        sample_float("momentum", 0, 0.99, 0.9),
        sample_bool("nesterov"),
    };
    rows[1].dynamic = true;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_ok(space_add(space, &rows[i]));
    }
    const SpaceTest tests[] = {
        sample_equals(0, &sgd),
        sample_between(1, 2, (double)NAN),
        sample_between(3, 0.5, (double)NAN),
    };
    assert_ok(space_add_when(space, 3, &tests[0]));
    assert_ok(space_add_when(space, 3, &tests[1]));
    assert_ok(space_add_when(space, 4, &tests[2]));
    return space;
}

static void finds_by_name_and_counts(void **state) {
    (void)state;
    Space *space = make_space();
    assert_ok(space_seal(space));
    assert_int_equal(space_count(space), 5);
    assert_int_equal(space_find(space, "momentum"), 3);
    assert_int_equal(space_find(space, "momentun"), 5);
    assert_int_equal(space_dynamic_count(space), 1);
    assert_string_equal(space_at(space, 0)->choices[1], "sgd");
    assert_null(space_at(space, 5));
    space_destroy(space);
    space_destroy(NULL);
}

static void nested_conditions_switch_whole_branches(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5];
    assert_ok(space_seal(space));

    space_defaults(space, point);
    assert_true(isnan(point[3]) && isnan(point[4]));
    assert_ok(space_check(space, point));

    /* sgd: momentum appears at its default, and with it nesterov */
    point[0] = 1;
    assert_true(space_is_active(space, point, 3));
    space_activate(space, point);
    assert_close(point[3], 0.9, 0, 0);
    assert_close(point[4], 0, 0, 0);

    point[3] = 0.5; /* above is strict */
    space_activate(space, point);
    assert_true(isnan(point[4]));

    /* the second test of the same condition fails: both go */
    point[3] = 0.9;
    point[4] = 1;
    point[1] = 2;
    space_activate(space, point);
    assert_true(isnan(point[3]) && isnan(point[4]));
    space_destroy(space);
}

static void check_names_what_is_wrong(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5];
    assert_ok(space_seal(space));
    space_defaults(space, point);

    point[1] = 9;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "9 is outside the range of 'layers'");
    point[1] = 4.5;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "'layers' is an int");
    point[1] = (double)NAN;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "'layers' is active here but has no");
    point[1] = 4;
    point[0] = 2;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "no choice of 'optimizer'");
    point[0] = 0.5;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "no choice of 'optimizer'");
    point[0] = 0;
    point[3] = 0.9;
    assert_fails(space_check(space, point), STATUS_ERR_RANGE, "'momentum' has a value but is not");
    space_destroy(space);
}

static void add_refuses_bad_definitions(void **state) {
    (void)state;
    Space *space = NULL;
    assert_ok(space_create(&space));
    const struct {
        SpaceParameter parameter;
        Status         status;
        const char    *text;
    } cases[] = {
        {sample_float("x", 2, 1, 1), STATUS_ERR_RANGE, "reversed: 'lower' 2 is above 'upper' 1"},
        {sample_float("x", (double)NAN, 1, 1), STATUS_ERR_RANGE, "'lower' of 'x' must be a finite"},
        {sample_float("x", 0, (double)INFINITY, 1), STATUS_ERR_RANGE,
         "'upper' of 'x' must be a fi"},
        {sample_float("x", -1.7e308, 1.7e308, 1), STATUS_ERR_RANGE, "'upper' of 'x'"},
        {sample_float("x", 0, 1, 2), STATUS_ERR_RANGE, "default is wrong: 2 is outside"},
        {sample_float("x", 0, 1, (double)NAN), STATUS_ERR_RANGE, "default is wrong"},
        {sample_int("x", 0.5, 4, 1), STATUS_ERR_RANGE, "'lower' of 'x' must be a whole number"},
        {sample_int("x", 0, 4.5, 1), STATUS_ERR_RANGE, "'upper' of 'x' must be a whole number"},
        {sample_int("x", 0, 2e12, 1), STATUS_ERR_RANGE, "within 1e12"},
        {sample_int("x", 0, 4, 1.5), STATUS_ERR_RANGE, "is an int"},
        {sample_float("", 0, 1, 1), STATUS_ERR_ARG, "no name"},
        {sample_float("a b", 0, 1, 1), STATUS_ERR_ARG, "'a b' is no name"},
        {sample_choice("x", SPACE_CATEGORICAL, sizes + 3), STATUS_ERR_ARG, "needs at least one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(space_add(space, &cases[i].parameter), cases[i].status, cases[i].text);
    }
    SpaceParameter p = sample_float("x", 0, 1, 1);
    p.log = true;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "log scale, so 'lower' must be above 0");
    p.lower = 0.5;
    p.step = 0.1;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "both a log scale and a 'step'");
    p.log = false;
    p.step = 0.3;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE,
                 "'step' 0.3 of 'x' does not divide its range 0.5 to 1");
    p.step = 1e21; /* so wide that the range is almost 0 steps */
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "does not divide its range 0.5 to 1");
    p.step = -1;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "must be above 0");
    p.step = 1e-15;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "too fine");
    p.step = 0.25;
    p.default_value = 0.8;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "0.8 is not on the grid of 'x'");
    p = sample_int("x", 0, 10, 0);
    p.step = 2.5;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "must be a whole number");
    p = sample_bool("x");
    p.log = true;
    assert_fails(space_add(space, &p), STATUS_ERR_RANGE, "only a float or an int");

    const char *const twice[] = {"a", "a", NULL};
    const char *const equal[] = {"1", "1.0", NULL};
    p = sample_choice("x", SPACE_ORDINAL, twice);
    assert_fails(space_add(space, &p), STATUS_ERR_ARG, "'a' stands twice");
    p = sample_choice("x", SPACE_ORDINAL, equal);
    assert_fails(space_add(space, &p), STATUS_ERR_ARG, "'1.0' stands twice");

    assert_int_equal(space_count(space), 0);
    p = sample_bool("x");
    assert_ok(space_add(space, &p));
    assert_fails(space_add(space, &p), STATUS_ERR_ARG, "already a hyperparameter 'x'");
    assert_fails(space_add(space, NULL), STATUS_ERR_ARG, "needs");
    space_destroy(space);
}

static void conditions_are_checked(void **state) {
    (void)state;
    Space       *space = make_space();
    const double five = 5;
    const double ninety = 90;
    double       nothing = (double)NAN;
    SpaceTest    test = sample_equals(7, &five);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_ARG, "hyperparameter 7 of 5");
    test = sample_equals(1, &ninety);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_RANGE,
                 "condition on 'layers' can never hold: 90 is outside");
    test = sample_between(0, 0, nothing);
    assert_fails(space_add_when(space, 1, &test), STATUS_ERR_ARG, "'optimizer' has no order");
    test = sample_between(1, 8, nothing);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_RANGE, "can never hold");
    test = sample_between(1, nothing, 2);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_RANGE, "can never hold");
    test = sample_between(1, 5, 5);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_RANGE, "can never hold");
    test = sample_between(1, nothing, nothing);
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_ARG, "either a list or");
    test = sample_equals(1, &five);
    test.above = 2;
    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_ARG, "either a list or");
    const SpaceCondition empty = {0};
    assert_fails(space_add_forbidden(space, &empty), STATUS_ERR_ARG, "at least one test");
    /* on an ordinal, above compares positions */
    test = sample_between(2, 0, nothing);
    assert_ok(space_add_when(space, 0, &test));
    assert_ok(space_seal(space));
    double point[5];
    space_defaults(space, point);
    assert_true(isnan(point[0]));
    point[2] = 1;
    space_activate(space, point);
    assert_close(point[0], 0, 0, 0);

    assert_fails(space_add_when(space, 0, &test), STATUS_ERR_STATE, "'optimizer' comes too late");
    const SpaceCondition late = {.tests = &test, .test_count = 1};
    assert_fails(space_add_forbidden(space, &late), STATUS_ERR_STATE, "too late");
    const SpaceParameter p = sample_bool("late");
    assert_fails(space_add(space, &p), STATUS_ERR_STATE, "'late' comes too late");
    assert_fails(space_seal(space), STATUS_ERR_STATE, "sealed already");
    space_destroy(space);
}

static void a_cycle_is_named(void **state) {
    (void)state;
    Space       *space = NULL;
    const double yes = 1;
    assert_ok(space_create(&space));
    const char *const names[] = {"d", "a", "b", "c"};
    for (size_t i = 0; i < 4; i++) {
        const SpaceParameter p = sample_bool(names[i]);
        assert_ok(space_add(space, &p));
    }
    /* d hangs on the cycle a -> b -> c -> a but is not in it; the first declared leads */
    const size_t parents[] = {2, 2, 3, 1};
    for (size_t i = 0; i < 4; i++) {
        const SpaceTest test = sample_equals(parents[i], &yes);
        assert_ok(space_add_when(space, i, &test));
    }
    assert_fails(space_seal(space), STATUS_ERR_ARG, "form a cycle: a -> b -> c -> a");
    space_destroy(space);

    assert_ok(space_create(&space));
    const SpaceParameter p = sample_bool("selfish");
    const SpaceTest      test = sample_equals(0, &yes);
    assert_ok(space_add(space, &p));
    assert_ok(space_add_when(space, 0, &test));
    assert_fails(space_seal(space), STATUS_ERR_ARG, "cycle: selfish -> selfish");
    space_destroy(space);
}

static void children_may_be_declared_before_parents(void **state) {
    (void)state;
    Space               *space = NULL;
    const double         yes = 1;
    const SpaceParameter child = sample_float("child", 0, 1, 0.5);
    const SpaceParameter parent = sample_bool("parent");
    const SpaceParameter grandparent = sample_bool("grandparent");
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &child));
    assert_ok(space_add(space, &parent));
    assert_ok(space_add(space, &grandparent));
    SpaceTest test = sample_equals(1, &yes);
    assert_ok(space_add_when(space, 0, &test));
    test = sample_equals(2, &yes);
    assert_ok(space_add_when(space, 1, &test));
    assert_ok(space_seal(space));

    double point[3] = {0.25, 1, 0};
    space_activate(space, point);
    assert_true(isnan(point[0]) && isnan(point[1]));
    const double unit[3] = {0.25, 0.9, 0.9};
    space_decode(space, unit, point);
    assert_close(point[0], 0.25, 0, 0);
    space_destroy(space);
}

static void forbidden_points_are_refused(void **state) {
    (void)state;
    Space          *space = make_space();
    const double    zero = 0;
    const SpaceTest tests[] = {sample_equals(0, &zero), sample_between(1, 6, (double)NAN)};
    SpaceCondition  condition = {.tests = (SpaceTest *)(uintptr_t)tests, .test_count = 2};
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    double point[5];
    space_defaults(space, point);
    assert_ok(space_check(space, point));
    point[1] = 7;
    assert_fails(space_check(space, point), STATUS_ERR_STATE, "forbidden by condition 1");
    space_destroy(space);

    /* forbidding the default */
    space = make_space();
    condition.test_count = 1;
    assert_ok(space_add_forbidden(space, &condition));
    assert_fails(space_seal(space), STATUS_ERR_RANGE, "defaults are a forbidden point");
    assert_ok(space_add_when(space, 1, &tests[0])); /* still open after the failure */
    space_destroy(space);
}

/* a test on an inactive hyperparameter never holds, so it forbids nothing */
static void inactive_values_forbid_nothing(void **state) {
    (void)state;
    Space               *space = make_space();
    SpaceTest            test = sample_between(3, (double)NAN, 0.95);
    const SpaceCondition condition = {.tests = &test, .test_count = 1};
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    space_destroy(space);
}

static void intervals_are_open(void **state) {
    (void)state;
    Space               *space = NULL;
    const SpaceParameter x = sample_float("x", 0, 1, 0.5);
    const SpaceParameter y = sample_bool("y");
    const SpaceTest      test = sample_between(0, 0.25, 0.75);
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &x));
    assert_ok(space_add(space, &y));
    assert_ok(space_add_when(space, 1, &test));
    assert_ok(space_seal(space));
    const double values[] = {0.25, 0.26, 0.74, 0.75};
    for (size_t i = 0; i < 4; i++) {
        const double point[2] = {values[i], 0};
        assert_int_equal(space_is_active(space, point, 1), i == 1 || i == 2);
    }
    space_destroy(space);
}

/* 0.1 + 0.2 is a rounding away from the third cell: the default is stored as the cell */
static void defaults_sit_on_their_grid(void **state) {
    (void)state;
    Space         *space = NULL;
    SpaceParameter p = sample_float("x", 0, 1, 0.1 + 0.2 + 1e-9);
    double         point = 0;
    p.step = 0.1;
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &p));
    assert_ok(space_seal(space));
    space_defaults(space, &point);
    assert_close(point, 3 * 0.1, 0, 0);
    space_destroy(space);
}

static void an_empty_space_is_a_space(void **state) {
    (void)state;
    Space *space = NULL;
    double point = 3;
    Rng    rng = rng_stream(1, 0, RNG_TEST);
    assert_ok(space_create(&space));
    assert_ok(space_seal(space));
    space_defaults(space, &point);
    assert_ok(space_check(space, &point));
    assert_ok(space_sample(space, &rng, &point));
    assert_close(point, 3, 0, 0);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_by_name_and_counts),
        cmocka_unit_test(nested_conditions_switch_whole_branches),
        cmocka_unit_test(check_names_what_is_wrong),
        cmocka_unit_test(add_refuses_bad_definitions),
        cmocka_unit_test(conditions_are_checked),
        cmocka_unit_test(a_cycle_is_named),
        cmocka_unit_test(children_may_be_declared_before_parents),
        cmocka_unit_test(forbidden_points_are_refused),
        cmocka_unit_test(inactive_values_forbid_nothing),
        cmocka_unit_test(intervals_are_open),
        cmocka_unit_test(defaults_sit_on_their_grid),
        cmocka_unit_test(an_empty_space_is_a_space),
    };
    return cmocka_run_group_tests_name("search_spaces/space", tests, NULL, NULL);
}
