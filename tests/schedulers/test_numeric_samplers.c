/* cmaes, nlopt and nsga2 through the scheduler interface; their numerics: tests/core. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/point_study.h"

#include "tests/support/test_support.h"

#include <math.h>

enum { MOST = 1000, MAX_OPTIONS = 64 };

static PointResult results[MOST];

static void bowl(PointResult *result) {
    for (size_t i = 0; i < 4; i++) {
        result->objectives[0] += (result->point[i] - 0.3) * (result->point[i] - 0.3);
    }
}

static void bowl_that_fails(PointResult *result) {
    bowl(result);
    result->failed = result->point[1] > 0.5;
}

/* two bowls: the best trade-offs lie between their middles, where x_a is in [0.2, 0.8] and the
 * others are 0.5 */
static void two_bowls(PointResult *result) {
    const double *point = result->point;
    result->objectives[0] = (point[0] - 0.2) * (point[0] - 0.2);
    result->objectives[1] = (point[0] - 0.8) * (point[0] - 0.8);
    for (size_t i = 1; i < 4; i++) {
        result->objectives[0] += (point[i] - 0.5) * (point[i] - 0.5);
        result->objectives[1] += (point[i] - 0.5) * (point[i] - 0.5);
    }
    result->constraint = point[0];
}

typedef struct Search {
    const char   *scheduler;
    PointFunction function;
    size_t        trials;
    size_t        slots;
    size_t        objectives; /* 0: one */
    double        least;      /* of the constraint's metric; 0: no constraint */
    const char   *option;     /* NULL: defaults */
    double        value;
} Search;

/* fills `results`; all trials run */
static void run(const Space *space, const Search *search) {
    double     options[MAX_OPTIONS];
    PointStudy study = {.options = options,
                        .setup = point_setup(space, search->trials, 5),
                        .function = search->function,
                        .slots = search->slots};
    study.setup.objective_count = (search->objectives == 0) ? 1 : search->objectives;
    study.setup.constraint_count = (search->least > 0.0) ? 1 : 0;
    study.setup.constraint_lower[0] = search->least;
    study.setup.constraint_upper[0] = (double)INFINITY;
    assert_ok(scheduler_find(search->scheduler, &study.ops));
    fake_options(study.ops, options, search->option, search->value, NULL);
    assert_int_equal(point_study_run(&study, results), search->trials);
}

static double best_result(size_t count) {
    double best = (double)INFINITY;
    for (size_t i = 0; i < count; i++) {
        best = results[i].failed ? best : fmin(best, results[i].objectives[0]);
    }
    return best;
}

static double best_of(const Space *space, const char *scheduler, size_t trials, size_t slots) {
    run(space,
        &(Search){.scheduler = scheduler, .function = bowl, .trials = trials, .slots = slots});
    return best_result(trials);
}

/* 400 random points of four dimensions come no nearer than about 1e-3 */
static void they_find_the_bottom_of_a_bowl(void **state) {
    (void)state;
    Space *space = point_cube(4);
    assert_true(best_of(space, "random", 400, 1) > 1e-4);
    assert_true(best_of(space, "cmaes", 800, 1) < 1e-8);
    assert_true(best_of(space, "nlopt", 400, 1) < 1e-6);
    assert_true(best_of(space, "nsga2", 400, 1) < 1e-3);
    space_destroy(space);
}

/* more slots than candidates of a generation, and than starts: some wait, nothing is lost */
static void they_do_with_any_number_of_slots(void **state) {
    (void)state;
    Space *space = point_cube(4);
    assert_true(best_of(space, "cmaes", 800, 32) < 1e-8);
    assert_true(best_of(space, "nlopt", 400, 32) < 1e-6);
    assert_true(best_of(space, "nsga2", 400, 32) < 1e-2);
    space_destroy(space);
}

static void failures_turn_them_away(void **state) {
    (void)state;
    Space            *space = point_cube(4);
    const char *const names[] = {"cmaes", "nlopt", "nsga2"};
    for (size_t i = 0; i < 3; i++) {
        run(space,
            &(Search){
                .scheduler = names[i], .function = bowl_that_fails, .trials = 600, .slots = 4});
        assert_true(best_result(600) < 1e-2);
        size_t failed = 0;
        for (size_t j = 300; j < 600; j++) {
            failed += results[j].failed ? 1 : 0;
        }
        assert_true(failed < 100); /* half of the cube fails */
    }
    space_destroy(space);
}

/* every algorithm of NLopt: runs, stays in the cube, and gets below what it began with */
static void every_algorithm_of_nlopt_searches(void **state) {
    (void)state;
    Space              *space = point_cube(4);
    const SchedulerOps *ops = NULL;
    assert_ok(scheduler_find("nlopt", &ops));
    const OptionSpec *row = &ops->options[option_find(ops->options, "algorithm")];
    for (size_t i = 0; row->choices[i] != NULL; i++) {
        run(space, &(Search){.scheduler = "nlopt",
                             .function = bowl,
                             .trials = 200,
                             .slots = 1,
                             .option = "algorithm",
                             .value = (double)i});
        assert_true(best_result(200) < 0.5 * results[0].objectives[0]);
    }
    space_destroy(space);
}

/* with 3 starts three configurations are in flight, the fourth waits */
static void starts_run_side_by_side(void **state) {
    (void)state;
    Space *space = point_cube(4);
    run(space, &(Search){.scheduler = "nlopt",
                         .function = bowl,
                         .trials = 300,
                         .slots = 3,
                         .option = "starts",
                         .value = 3});
    /* the first from the defaults, the others from elsewhere */
    assert_close(results[0].point[0], 0.5, 0, 0);
    assert_true(results[1].point[0] != 0.5 && results[2].point[0] != results[1].point[0]);
    assert_true(best_result(300) < 1e-6);
    space_destroy(space);
}

/* the last 300 lie on the front, and all along it */
static void nsga2_covers_the_front(void **state) {
    (void)state;
    Space *space = point_cube(4);
    double lowest = 1;
    double highest = 0;
    size_t near = 0;
    run(space, &(Search){.scheduler = "nsga2",
                         .function = two_bowls,
                         .trials = MOST,
                         .slots = 4,
                         .objectives = 2});
    for (size_t i = 700; i < MOST; i++) {
        const double *point = results[i].point;
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
    space_destroy(space);
}

/* what the bound forbids dies out, though it lies on the front of the two objectives */
static void nsga2_keeps_a_constraint(void **state) {
    (void)state;
    Space *space = point_cube(4);
    size_t kept = 0;
    double highest = 0;
    run(space, &(Search){.scheduler = "nsga2",
                         .function = two_bowls,
                         .trials = MOST,
                         .slots = 4,
                         .objectives = 2,
                         .least = 0.5});
    for (size_t i = 700; i < MOST; i++) {
        kept += (results[i].point[0] >= 0.5) ? 1 : 0;
        highest = fmax(highest, results[i].point[0]);
    }
    assert_true(kept > 240);
    assert_true(highest > 0.7);
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
        cmocka_unit_test(nsga2_keeps_a_constraint),
    };
    return cmocka_run_group_tests_name("schedulers/numeric_samplers", tests, NULL, NULL);
}
