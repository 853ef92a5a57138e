/* Virtual time: what can be computed by hand, and what must not depend on how it is run. */
#include "core/optimize/benchmark_function.h"
#include "schedulers/simulator.h"
#include "tests/schedulers/fake_study.h"
#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { MOST_OPTIONS = 64 };

typedef struct Bench {
    Space            *space;
    SchedulerSetup    study;
    SimulatedProblem  problem;
    SimulatorSettings settings;
    double            options[MOST_OPTIONS];
} Bench;

/* the problem in its own space: 4 trials of 20 units in segments of 5 */
static void open_bench(const char *name, Bench *bench) {
    const SimulatedProblemOps *ops = NULL;
    *bench = (Bench){.settings = {.workers = 4, .seconds_per_unit = 2.0, .seed = 1}};
    assert_ok(simulated_problem_find(name, &ops));
    assert_ok(ops->space(ops, &bench->space));
    bench->study = (SchedulerSetup){.space = bench->space,
                                    .seed = 1,
                                    .per_trial = 20,
                                    .segment = 5,
                                    .total = 80,
                                    .trials = 4,
                                    .repeats = 1,
                                    .can_branch = true,
                                    .objective_count = 1,
                                    .maximize = {ops->maximize}};
    assert_ok(
        simulated_problem_create(ops, &(SimulatedSetup){.study = &bench->study}, &bench->problem));
}

static void close_bench(Bench *bench) {
    simulated_problem_destroy(&bench->problem);
    space_destroy(bench->space);
}

static const SchedulerOps *choose(Bench *bench, const char *scheduler, double population,
                                  double mode) {
    const SchedulerOps *ops = NULL;
    assert_ok(scheduler_find(scheduler, &ops));
    option_defaults(ops->options, bench->options);
    if (ops->population) {
        bench->study.trials = 0;
        bench->options[option_find(ops->options, "population")] = population;
        bench->options[option_find(ops->options, "mode")] = mode;
    }
    return ops;
}

static Status simulate(const Bench *bench, const SchedulerOps *ops, SimulatorReport *report) {
    Scheduler *scheduler = NULL;
    assert_ok(scheduler_create(ops, &bench->study, bench->options, &scheduler));
    const Status status = simulator_run(&bench->settings, scheduler, &bench->problem, report);
    scheduler_destroy(scheduler);
    return status;
}

/* ---- time ---- */

static void four_chains_on_three_workers_take_what_they_take_by_hand(void **state) {
    Bench           bench;
    SimulatorReport report;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    bench.settings.workers = 3;
    assert_ok(simulate(&bench, ops, &report));
    /* three chains of 4 segments of 10 s side by side, then the fourth alone: 40 s + 40 s */
    assert_true(report.seconds == 80.0);
    assert_true(report.utilization == 160.0 / 240.0);
    assert_int_equal(report.segments, 16);
    assert_int_equal(report.units, 80);
    assert_int_equal(report.failed, 0);
    assert_true(report.step_count > 0);
    assert_true(report.steps[report.step_count - 1].time <= 80.0);
    simulator_report_reset(&report);

    bench.settings.workers = 1000; /* more than there is to do */
    assert_ok(simulate(&bench, ops, &report));
    assert_true(report.seconds == 40.0);
    simulator_report_reset(&report);
    close_bench(&bench);
}

static void decisions_come_one_after_the_other(void **state) {
    Bench           bench;
    SimulatorReport report;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    bench.study.per_trial = 5;
    bench.settings.decide_seconds = 1.0;
    assert_ok(simulate(&bench, ops, &report));
    /* the fourth chain's only segment starts after four decisions and lasts 10 s */
    assert_true(report.seconds == 14.0);
    assert_true(report.utilization == 40.0 / 56.0);
    simulator_report_reset(&report);
    close_bench(&bench);
}

static void a_barrier_waits_for_the_slowest(void **state) {
    Bench           bench;
    SimulatorReport together;
    SimulatorReport freely;
    (void)state;
    open_bench("schedule", &bench);
    bench.study.total = 4 * 400;
    bench.study.per_trial = 400;
    bench.settings.spread = 0.5;
    assert_ok(simulate(&bench, choose(&bench, "pbt", 4, 0), &together));
    assert_ok(simulate(&bench, choose(&bench, "pbt", 4, 1), &freely));
    assert_int_equal(together.segments, 320);
    assert_int_equal(freely.segments, 320);
    assert_true(together.utilization < 0.8 && freely.utilization > 0.9);
    simulator_report_reset(&together);
    simulator_report_reset(&freely);
    close_bench(&bench);
}

static void a_barrier_gives_the_same_on_any_number_of_workers(void **state) {
    SimulatorReport first = {.steps = NULL};
    Bench           bench;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "pbt-bt", 8, 0);
    bench.study.total = 8 * 20;
    bench.settings.spread = 0.5;
    bench.settings.noise = 0.2;
    bench.settings.failure_rate = 0.1;
    for (int64_t workers = 1; workers <= 64; workers *= 4) {
        SimulatorReport report;
        bench.settings.workers = workers;
        assert_ok(simulate(&bench, ops, &report));
        if (workers == 1) {
            first = report;
            assert_true(report.failed > 0);
            assert_true(fabs(report.utilization - 1.0) < 1e-12);
            continue;
        }
        assert_int_equal(report.segments, first.segments);
        assert_int_equal(report.failed, first.failed);
        assert_int_equal(report.decisions, first.decisions);
        assert_true(report.steps[report.step_count - 1].objective ==
                    first.steps[first.step_count - 1].objective);
        simulator_report_reset(&report);
    }
    simulator_report_reset(&first);
    close_bench(&bench);
}

static void the_spread_and_the_failure_rate_are_what_was_asked_for(void **state) {
    Bench           bench;
    SimulatorReport report;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    bench.study.trials = 20000;
    bench.study.per_trial = 5;
    bench.study.total = 5 * 20000;
    bench.settings.workers = 1;
    bench.settings.spread = 0.3;
    assert_ok(simulate(&bench, ops, &report));
    /* mean 10 s, standard deviation 3 s: a mean of 20 000 is within 5 of its own deviations */
    assert_close(report.seconds / 20000.0, 10.0, 5.0 * 3.0 / sqrt(20000.0), 0.0);
    simulator_report_reset(&report);
    bench.settings.failure_rate = 0.25;
    assert_ok(simulate(&bench, ops, &report));
    assert_close((double)report.failed / 20000.0, 0.25, 5.0 * sqrt(0.1875 / 20000.0), 0.0);
    /* who crashes does so half-way on average */
    assert_close(report.seconds / 20000.0, 10.0 * (0.75 + 0.125), 0.15, 0.0);
    simulator_report_reset(&report);
    bench.settings.failure_rate = 1.0;
    bench.study.trials = 4;
    assert_ok(simulate(&bench, ops, &report));
    assert_true(report.study_failed);
    assert_int_equal(report.step_count, 0);
    simulator_report_reset(&report);
    close_bench(&bench);
}

static void the_clock_of_the_study_is_virtual(void **state) {
    Bench           bench;
    SimulatorReport report;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    bench.settings.workers = 1;
    bench.settings.wall_clock = 25.0;
    assert_ok(simulate(&bench, ops, &report));
    assert_true(report.seconds == 30.0); /* what runs at 25 s runs to its end */
    assert_string_equal(report.reason, "wall-clock budget of 25 virtual seconds used");
    simulator_report_reset(&report);
    close_bench(&bench);
}

/* ---- what is the same ---- */

static void assert_same(const SimulatorReport *a, const SimulatorReport *b) {
    assert_true(a->seconds == b->seconds && a->utilization == b->utilization);
    assert_int_equal(a->segments, b->segments);
    assert_int_equal(a->failed, b->failed);
    assert_int_equal(a->decisions, b->decisions);
    assert_int_equal(a->step_count, b->step_count);
    assert_memory_equal(a->steps, b->steps, a->step_count * sizeof *a->steps);
}

static void every_scheduler_gives_the_same_twice(void **state) {
    (void)state;
    for (size_t i = 0; i < scheduler_count(); i++) {
        Bench           bench;
        SimulatorReport a;
        SimulatorReport b;
        if (strcmp(scheduler_at(i)->name, "enqueue") == 0) {
            continue; /* runs what users enqueue, and here nobody does */
        }
        open_bench("schedule_trap", &bench);
        const SchedulerOps *ops = choose(&bench, scheduler_at(i)->name, 4, 1);
        bench.study.total = 400;
        bench.study.trials = ops->population ? 0 : 20;
        bench.settings.spread = 0.3;
        bench.settings.noise = 0.2;
        bench.settings.failure_rate = 0.05;
        assert_ok(simulate(&bench, ops, &a));
        assert_ok(simulate(&bench, ops, &b));
        assert_same(&a, &b);
        simulator_report_reset(&b);
        /* other times, noise and failures with another seed */
        bench.settings.seed = 2;
        assert_ok(simulate(&bench, ops, &b));
        assert_true(a.seconds != b.seconds);
        simulator_report_reset(&a);
        simulator_report_reset(&b);
        close_bench(&bench);
    }
}

static void a_chain_cut_into_other_segments_shows_the_same(void **state) {
    Bench           bench;
    SimulatorReport cut;
    SimulatorReport whole;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    bench.study.trials = 1;
    bench.study.total = 20;
    bench.settings.noise = 1e-9; /* seen, but too little to change which result is the best */
    assert_ok(simulate(&bench, ops, &cut));
    bench.study.segment = 20;
    assert_ok(simulate(&bench, ops, &whole));
    const SimulatorStep *a = &cut.steps[cut.step_count - 1];
    const SimulatorStep *b = &whole.steps[whole.step_count - 1];
    assert_int_equal(a->units, 20);
    assert_true(a->truth == b->truth && a->objective == b->objective);
    assert_true(a->truth != a->objective);
    simulator_report_reset(&cut);
    simulator_report_reset(&whole);
    close_bench(&bench);
}

/* one chain of two segments of 5 units, 4 of the last values averaged: what schedulers see is the
 * mean, and it has half of the noise of one value */
static void objectives_are_reduced_along_the_lineage(void **state) {
    static const Reduction reductions[] = {{REDUCE_LAST, 1, true},
                                           {REDUCE_MEAN_LAST, 4, true},
                                           {REDUCE_MEAN, 1, true},
                                           {REDUCE_MAX, 1, true}};
    double                 last[4];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        Bench           bench;
        SimulatorReport report;
        open_bench("schedule", &bench);
        const SchedulerOps *ops = choose(&bench, "random", 0, 0);
        bench.study.trials = 1;
        bench.study.per_trial = 10;
        bench.study.total = 10;
        bench.settings.reductions[0] = reductions[i];
        assert_ok(simulate(&bench, ops, &report));
        last[i] = report.steps[report.step_count - 1].truth;
        assert_true(report.steps[report.step_count - 1].objective == last[i]);
        simulator_report_reset(&report);
        close_bench(&bench);
    }
    /* skill grows: the newest is the largest, and an older mean is smaller */
    assert_true(last[0] == last[3]);
    assert_true(last[0] > last[1] && last[1] > last[2] && last[2] > 0.0);
}

static void a_mean_of_four_has_half_of_the_noise(void **state) {
    double squares[2] = {0.0, 0.0};
    (void)state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        for (int wide = 0; wide < 2; wide++) {
            Bench           bench;
            SimulatorReport report;
            open_bench("schedule", &bench);
            const SchedulerOps *ops = choose(&bench, "random", 0, 0);
            bench.study.trials = 1;
            bench.study.per_trial = 5;
            bench.study.total = 5;
            bench.settings.noise = 0.2;
            bench.settings.seed = seed;
            bench.settings.reductions[0] = (Reduction){REDUCE_MEAN_LAST, (wide == 1) ? 4 : 1, true};
            assert_ok(simulate(&bench, ops, &report));
            const double off = report.steps[0].objective - report.steps[0].truth;
            squares[wide] += off * off / 400.0;
            simulator_report_reset(&report);
            close_bench(&bench);
        }
    }
    assert_close(sqrt(squares[0]), 0.2, 0.15, 0.0);
    assert_close(sqrt(squares[1]), 0.1, 0.15, 0.0);
}

static void without_memory_nothing_is_left(void **state) {
    Bench bench;
    (void)state;
    open_bench("schedule", &bench);
    const SchedulerOps *ops = choose(&bench, "random", 0, 0);
    for (size_t n = 1;; n++) {
        Scheduler      *scheduler = NULL;
        SimulatorReport report;
        assert_ok(scheduler_create(ops, &bench.study, bench.options, &scheduler));
        test_fail_allocation(n);
        const Status status = simulator_run(&bench.settings, scheduler, &bench.problem, &report);
        const int    failed = test_allocation_failed();
        test_fail_allocation(0);
        scheduler_destroy(scheduler);
        if (!failed) {
            assert_ok(status);
            simulator_report_reset(&report);
            assert_true(n > 5);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(report.steps);
        assert_null(report.decide_seconds);
    }
    close_bench(&bench);
}

/* ---- functions ---- */

static SimulatedResult train(const Bench *bench, const double *parent, const double *point,
                             int64_t begin, int64_t end) {
    const SimulatedSegment segment = {parent, point, begin, end, 1};
    SimulatedResult        result = {.cost = 0.0};
    assert_ok(bench->problem.ops->train(bench->problem.self, &segment, &result));
    return result;
}

static void static_functions_have_their_minimum(void **state) {
    static const double branin[] = {(3.14159265358979 + 5.0) / 15.0, 2.275 / 15.0};
    static const double hartmann6[] = {0.20168952, 0.15001069, 0.47687398,
                                       0.27533243, 0.31165162, 0.65730054};
    static const double half[] = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
    static const double valley[] = {0.4, 0.4, 0.4, 0.4, 0.4};
    static const double levy[] = {0.55, 0.55, 0.55, 0.55, 0.55, 0.55, 0.55, 0.55};
    (void)state;
    assert_close(benchmark_branin(branin, 2), 0.0, 1e-6, 0.0);
    assert_close(benchmark_hartmann6(hartmann6, 6), 0.0, 1e-6, 0.0);
    assert_close(benchmark_ackley(half, 10), 0.0, 1e-12, 0.0);
    assert_close(benchmark_rosenbrock(valley, 5), 0.0, 1e-12, 0.0);
    assert_close(benchmark_levy(levy, 8), 0.0, 1e-12, 0.0);
    assert_close(benchmark_griewank(half, 10), 0.0, 1e-12, 0.0);
}

static void no_point_of_mixed_is_below_its_optimum(void **state) {
    Bench  bench;
    double point[5] = {1.0, 0.0, 5.0, 0.3, 0.8};
    double unit[5] = {0.5, 0.7, 0.0, 0.3, 0.8};
    Rng    rng = rng_stream(3, 0, RNG_TEST);
    (void)state;
    open_bench("mixed", &bench);
    space_decode(bench.space, unit, point);
    point[0] = 1.0;
    point[2] = 5.0;
    point[4] = 0.8;
    assert_ok(space_check(bench.space, point));
    assert_close(train(&bench, NULL, point, 0, 1).objectives[0], 0.0, 1e-12, 0.0);
    for (size_t i = 0; i < 20000; i++) {
        assert_ok(space_sample(bench.space, &rng, point));
        assert_true(train(&bench, NULL, point, 0, 1).objectives[0] > 0.0);
    }
    close_bench(&bench);
}

static void a_learning_curve_comes_near_the_function(void **state) {
    Bench        bench;
    const double point[2] = {0.3, 0.8};
    const double other[2] = {0.9, 0.1};
    const double corner[2] = {0.0, 0.0};
    (void)state;
    open_bench("branin", &bench);
    const double f = benchmark_branin(point, 2);
    assert_true(train(&bench, NULL, point, 0, 3).objectives[0] == f); /* tau 0: at once */
    simulated_problem_destroy(&bench.problem);
    const SimulatedProblemOps *ops = NULL;
    assert_ok(simulated_problem_find("branin", &ops));
    bench.study.maximize[0] = true; /* the other direction gets the negative */
    assert_ok(simulated_problem_create(ops, &(SimulatedSetup){.study = &bench.study, .tau = 4.0},
                                       &bench.problem));
    const double          start = benchmark_branin(corner, 2);
    const SimulatedResult eight = train(&bench, NULL, point, 0, 8);
    assert_close(-eight.objectives[0], f + (start - f) * exp(-2.0), 1e-9, 0.0);
    /* cut anywhere it is the same, and other values go on from what was learned */
    const SimulatedResult three = train(&bench, NULL, point, 0, 3);
    assert_true(train(&bench, three.state, point, 3, 8).objectives[0] == eight.objectives[0]);
    const double g = benchmark_branin(other, 2);
    assert_close(-train(&bench, eight.state, other, 8, 12).objectives[0],
                 g + (-eight.objectives[0] - g) * exp(-1.0), 1e-9, 0.0);
    close_bench(&bench);
}

static void every_problem_runs_in_its_own_space(void **state) {
    (void)state;
    for (size_t i = 0; i < simulated_problem_count(); i++) {
        const SimulatedProblemOps *ops = simulated_problem_at(i);
        Bench                      bench;
        SimulatorReport            report;
        open_bench(ops->name, &bench);
        assert_true(ops->source != NULL && ops->help != NULL && ops->segment <= ops->per_trial);
        assert_ok(simulate(&bench, choose(&bench, "random", 0, 0), &report));
        assert_int_equal(report.segments, 16);
        simulator_report_reset(&report);
        close_bench(&bench);
    }
}

static void settings_out_of_range_are_named(void **state) {
    static const struct {
        SimulatorSettings settings;
        const char       *text;
    } cases[] = {
        {{.workers = 0, .seconds_per_unit = 1}, "workers is 0; expected 1 or more"},
        {{.workers = -4, .seconds_per_unit = 1}, "workers is -4; expected 1 or more"},
        {{.workers = 1, .seconds_per_unit = 0}, "seconds per unit is 0; expected a number above 0"},
        {{.workers = 1, .seconds_per_unit = 1, .spread = -1}, "spread is -1; expected 0 or more"},
        {{.workers = 1, .seconds_per_unit = 1, .failure_rate = 1.5},
         "failure rate is 1.5; expected 0 to 1"},
        {{.workers = 1, .seconds_per_unit = 1, .noise = (double)NAN},
         "noise is nan; expected 0 or more"},
        {{.workers = 1, .seconds_per_unit = 1, .decide_seconds = -1},
         "decide seconds is -1; expected 0 or more"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(simulator_check(&cases[i].settings), STATUS_ERR_RANGE, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_chains_on_three_workers_take_what_they_take_by_hand),
        cmocka_unit_test(decisions_come_one_after_the_other),
        cmocka_unit_test(a_barrier_waits_for_the_slowest),
        cmocka_unit_test(a_barrier_gives_the_same_on_any_number_of_workers),
        cmocka_unit_test(the_spread_and_the_failure_rate_are_what_was_asked_for),
        cmocka_unit_test(the_clock_of_the_study_is_virtual),
        cmocka_unit_test(every_scheduler_gives_the_same_twice),
        cmocka_unit_test(a_chain_cut_into_other_segments_shows_the_same),
        cmocka_unit_test(objectives_are_reduced_along_the_lineage),
        cmocka_unit_test(a_mean_of_four_has_half_of_the_noise),
        cmocka_unit_test(without_memory_nothing_is_left),
        cmocka_unit_test(static_functions_have_their_minimum),
        cmocka_unit_test(no_point_of_mixed_is_below_its_optimum),
        cmocka_unit_test(a_learning_curve_comes_near_the_function),
        cmocka_unit_test(every_problem_runs_in_its_own_space),
        cmocka_unit_test(settings_out_of_range_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
