/* The dynamic benchmark problem: what its three instances are, found without any scheduler. */
#include "schedulers/simulated_problem.h"
#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { VALUES = 4, SEARCH = 6000, PER_SEGMENT = 2000 };

typedef struct Bench {
    Space           *space;
    SchedulerSetup   study;
    SimulatedProblem problem;
} Bench;

static void open_bench(const char *name, Bench *bench) {
    const SimulatedProblemOps *ops = NULL;
    assert_ok(simulated_problem_find(name, &ops));
    assert_ok(ops->space(ops, &bench->space));
    assert_int_equal(space_count(bench->space), VALUES);
    bench->study =
        (SchedulerSetup){.space = bench->space, .objective_count = 1, .maximize = {true}};
    assert_ok(
        simulated_problem_create(ops, &(SimulatedSetup){.study = &bench->study}, &bench->problem));
}

static void close_bench(Bench *bench) {
    simulated_problem_destroy(&bench->problem);
    space_destroy(bench->space);
}

static SimulatedResult train(const Bench *bench, const double *parent, const double *point,
                             int64_t begin, int64_t end) {
    const SimulatedSegment segment = {parent, point, begin, end, 1};
    SimulatedResult        result = {.cost = 0.0};
    assert_ok(bench->problem.ops->train(bench->problem.self, &segment, &result));
    return result;
}

/* best of a dense search over constant settings, refined around the best */
static double best_static(const Bench *bench) {
    const int64_t length = bench->problem.ops->per_trial;
    double        best_point[VALUES];
    double        best = -1.0;
    Rng           rng = rng_stream(7, 0, RNG_TEST);
    for (size_t i = 0; i < SEARCH; i++) {
        double point[VALUES];
        if (i < SEARCH / 2) {
            assert_ok(space_sample(bench->space, &rng, point));
        } else {
            const SpacePerturbation how = {.step = 0.1 * rng_uniform(&rng)};
            memcpy(point, best_point, sizeof point);
            assert_ok(space_perturb(bench->space, &rng, &how, point));
        }
        const double skill = train(bench, NULL, point, 0, length).objectives[0];
        if (skill > best) {
            best = skill;
            memcpy(best_point, point, sizeof point);
        }
    }
    return best;
}

/* per segment the values that look best at its end */
static double greedy(const Bench *bench) {
    const int64_t   step = bench->problem.ops->segment;
    SimulatedResult now = {.cost = 0.0};
    Rng             rng = rng_stream(8, 0, RNG_TEST);
    for (int64_t begin = 0; begin < bench->problem.ops->per_trial; begin += step) {
        SimulatedResult best = {.objectives = {-1.0}};
        for (size_t i = 0; i < PER_SEGMENT; i++) {
            double point[VALUES];
            assert_ok(space_sample(bench->space, &rng, point));
            const SimulatedResult next =
                train(bench, (begin == 0) ? NULL : now.state, point, begin, begin + step);
            best = (next.objectives[0] > best.objectives[0]) ? next : best;
        }
        now = best;
    }
    return now.objectives[0];
}

/* the values that the formula says are best, slowly enough for the trap */
static double best_schedule(const Bench *bench, const double start[3], const double end[3],
                            double late) {
    SimulatedResult now = {.cost = 0.0};
    for (int64_t begin = 0; begin < bench->problem.ops->per_trial; begin++) {
        double unit[VALUES];
        double point[VALUES];
        double skill = now.state[0];
        for (size_t j = 0; j < 3; j++) {
            unit[j] = start[j] + (end[j] - start[j]) * skill;
        }
        unit[3] = 0.5;
        space_decode(bench->space, unit, point);
        point[3] = (skill < 0.5) ? 0.0 : late;
        now = train(bench, (begin == 0) ? NULL : now.state, point, begin, begin + 1);
    }
    return now.objectives[0];
}

static void expect(const char *name, double fixed, double stepwise) {
    static const double start[3] = {0.9, 0.85, 0.15};
    static const double end[3] = {0.2, 0.35, 0.75};
    static const double rest[3] = {0.55, 0.6, 0.45};
    Bench               bench;
    const bool          moves = strcmp(name, "schedule_static") != 0;
    open_bench(name, &bench);
    assert_close(best_static(&bench), fixed, 0.01, 0.0);
    assert_close(greedy(&bench), stepwise, 0.01, 0.0);
    assert_float_equal(
        best_schedule(&bench, moves ? start : rest, moves ? end : rest, moves ? 1.0 : 0.0), 0.95,
        0.005);
    close_bench(&bench);
}

static void a_schedule_is_needed_and_greedy_is_right(void **state) {
    (void)state;
    expect("schedule", 0.80, 0.95);
}

static void a_schedule_is_needed_and_greedy_is_wrong(void **state) {
    (void)state;
    expect("schedule_trap", 0.80, 0.67);
}

static void one_setting_is_best(void **state) {
    (void)state;
    expect("schedule_static", 0.95, 0.95);
}

static void a_chain_cut_anywhere_ends_the_same(void **state) {
    Bench  bench;
    double point[VALUES];
    (void)state;
    open_bench("schedule_trap", &bench);
    space_defaults(bench.space, point);
    point[0] = 5e-3;
    point[1] = 0.3; /* enters the shortcut: with debt */
    point[2] = 15;
    point[3] = 0;
    const SimulatedResult whole = train(&bench, NULL, point, 0, 120);
    for (int64_t step = 1; step <= 30; step++) {
        SimulatedResult cut = {.cost = 0.0};
        for (int64_t begin = 0; begin < 120; begin += step) {
            const int64_t end = (begin + step < 120) ? begin + step : 120;
            cut = train(&bench, (begin == 0) ? NULL : cut.state, point, begin, end);
        }
        assert_memory_equal(cut.state, whole.state, 2 * sizeof(double));
    }
    assert_true(whole.state[1] > 0.0);
    close_bench(&bench);
}

static void a_space_that_does_not_suit_is_refused(void **state) {
    const SimulatedProblemOps *ops = NULL;
    SimulatedProblem           problem;
    Space                     *space = NULL;
    static char                name[] = "only";
    (void)state;
    assert_ok(simulated_problem_find("schedule", &ops));
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &(SpaceParameter){.name = name, .upper = 1.0}));
    assert_ok(space_seal(space));
    const SchedulerSetup study = {.space = space, .objective_count = 1};
    assert_int_equal(simulated_problem_create(ops, &(SimulatedSetup){.study = &study}, &problem),
                     STATUS_ERR_SHAPE);
    assert_string_equal(status_last()->text,
                        "'schedule' needs 3 numeric and 1 categorical hyperparameters; the study "
                        "has 1 and 0");
    space_destroy(space);
    assert_int_equal(simulated_problem_find("schedul", &ops), STATUS_ERR_UNKNOWN_NAME);
    assert_string_equal(status_last()->text, "no function 'schedul'; did you mean 'schedule'?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schedule_is_needed_and_greedy_is_right),
        cmocka_unit_test(a_schedule_is_needed_and_greedy_is_wrong),
        cmocka_unit_test(one_setting_is_best),
        cmocka_unit_test(a_chain_cut_anywhere_ends_the_same),
        cmocka_unit_test(a_space_that_does_not_suit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
