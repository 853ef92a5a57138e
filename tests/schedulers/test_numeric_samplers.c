/* cmaes, nlopt and nsga2 through the scheduler interface; their numerics: tests/core. */
#include "tests/schedulers/minimize.h"

#include "tests/support/test_support.h"

#include <math.h>

static void bowl(const double *point, double *losses) {
    losses[0] = 0;
    for (size_t i = 0; i < 4; i++) {
        losses[0] += (point[i] - 0.3) * (point[i] - 0.3);
    }
}

static void bowl_that_fails(const double *point, double *losses) {
    bowl(point, losses);
    if (point[1] > 0.5) {
        losses[0] = (double)NAN;
    }
}

/* two bowls: the best trade-offs lie between their middles, where x_a is in [0.2, 0.8] and the
 * others are 0.5 */
static void two_bowls(const double *point, double *losses) {
    losses[0] = (point[0] - 0.2) * (point[0] - 0.2);
    losses[1] = (point[0] - 0.8) * (point[0] - 0.8);
    for (size_t i = 1; i < 4; i++) {
        losses[0] += (point[i] - 0.5) * (point[i] - 0.5);
        losses[1] += (point[i] - 0.5) * (point[i] - 0.5);
    }
}

static Minimize of(const Space *space, int64_t trials, size_t slots) {
    return (Minimize){.space = space,
                      .losses = bowl,
                      .objectives = 1,
                      .slots = slots,
                      .trials = trials,
                      .seed = 5};
}

static double best_of(const Space *space, const char *scheduler, int64_t trials, size_t slots) {
    Minimize m = of(space, trials, slots);
    minimize_run(&m, scheduler, NULL);
    const double best = minimize_best(&m);
    assert_int_equal(m.count, trials);
    minimize_free(&m);
    return best;
}

/* 400 random points of four dimensions come no nearer than about 1e-3 */
static void they_find_the_bottom_of_a_bowl(void **state) {
    (void)state;
    Space *space = minimize_cube(4);
    assert_true(best_of(space, "random", 400, 1) > 1e-4);
    assert_true(best_of(space, "cmaes", 800, 1) < 1e-8);
    assert_true(best_of(space, "nlopt", 400, 1) < 1e-6);
    assert_true(best_of(space, "nsga2", 400, 1) < 1e-3);
    space_destroy(space);
}

/* more slots than candidates of a generation, and than starts: some wait, nothing is lost */
static void they_do_with_any_number_of_slots(void **state) {
    (void)state;
    Space *space = minimize_cube(4);
    assert_true(best_of(space, "cmaes", 800, 32) < 1e-8);
    assert_true(best_of(space, "nlopt", 400, 32) < 1e-6);
    assert_true(best_of(space, "nsga2", 400, 32) < 1e-2);
    space_destroy(space);
}

static void failures_turn_them_away(void **state) {
    (void)state;
    Space            *space = minimize_cube(4);
    const char *const names[] = {"cmaes", "nlopt", "nsga2"};
    for (size_t i = 0; i < 3; i++) {
        Minimize m = of(space, 600, 4);
        m.losses = bowl_that_fails;
        minimize_run(&m, names[i], NULL);
        assert_true(minimize_best(&m) < 1e-2);
        size_t failed = 0;
        for (size_t j = 300; j < m.count; j++) {
            failed += isnan(m.found[j]) ? 1 : 0;
        }
        assert_true(failed < 100); /* half of the cube fails */
        minimize_free(&m);
    }
    space_destroy(space);
}

/* every algorithm of NLopt: runs, stays in the cube, and gets below what it began with */
static void every_algorithm_of_nlopt_searches(void **state) {
    (void)state;
    Space              *space = minimize_cube(4);
    const SchedulerOps *ops = NULL;
    assert_ok(scheduler_find("nlopt", &ops));
    const OptionSpec *row = &ops->options[option_find(ops->options, "algorithm")];
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        Minimize m = of(space, 200, 1);
        minimize_run(&m, "nlopt", "algorithm", (double)i, NULL);
        assert_true(minimize_best(&m) < 0.5 * m.found[0]);
        minimize_free(&m);
    }
    space_destroy(space);
}

/* with 3 starts three configurations are in flight, the fourth waits */
static void starts_run_side_by_side(void **state) {
    (void)state;
    Space   *space = minimize_cube(4);
    Minimize m = of(space, 300, 3);
    minimize_run(&m, "nlopt", "starts", 3.0, NULL);
    /* the first from the defaults, the others from elsewhere */
    assert_close(m.points[0], 0.5, 0, 0);
    assert_true(m.points[4] != m.points[0] && m.points[8] != m.points[4]);
    assert_true(minimize_best(&m) < 1e-6);
    minimize_free(&m);
    space_destroy(space);
}

/* the last 24 lie on the front, and all along it */
static void nsga2_covers_the_front(void **state) {
    (void)state;
    Space   *space = minimize_cube(4);
    Minimize m = of(space, 1000, 4);
    double   lowest = 1;
    double   highest = 0;
    size_t   near = 0;
    m.losses = two_bowls;
    m.objectives = 2;
    minimize_run(&m, "nsga2", NULL);
    for (size_t i = 700; i < m.count; i++) {
        const double *point = &m.points[i * 4];
        double        off = 0;
        for (size_t j = 1; j < 4; j++) {
            off = fmax(off, fabs(point[j] - 0.5));
        }
        near += (off < 0.1) ? 1 : 0;
        lowest = (off < 0.1) ? fmin(lowest, point[0]) : lowest;
        highest = (off < 0.1) ? fmax(highest, point[0]) : highest;
    }
    assert_true(near > 200);
    assert_true(lowest < 0.3 && highest > 0.7);
    minimize_free(&m);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_find_the_bottom_of_a_bowl),
        cmocka_unit_test(they_do_with_any_number_of_slots),
        cmocka_unit_test(failures_turn_them_away),
        cmocka_unit_test(every_algorithm_of_nlopt_searches),
        cmocka_unit_test(starts_run_side_by_side),
        cmocka_unit_test(nsga2_covers_the_front),
    };
    return cmocka_run_group_tests_name("schedulers/numeric_samplers", tests, NULL, NULL);
}
