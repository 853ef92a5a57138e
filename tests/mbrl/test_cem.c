#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/planners/builtin.h"
#include "tests/mbrl/planner_stub.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { HORIZON = 4, HEADER = 24 };
/* the shared rows, then the planner's own */
enum {
    OPTION_HORIZON = ROLLOUT_HORIZON,
    OPTION_PARTICLES = ROLLOUT_PARTICLES,
    OPTION_CANDIDATES = ROLLOUT_OPTION_COUNT,
    OPTION_ITERATIONS,
    OPTION_ELITE_RATIO,
    OPTION_ALPHA,
    OPTIONS
};

static const PlannerOps *const ops = &planner_cem_ops;
static const double            origin[STUB_STATE] = {0.0, 0.0};

static void defaults(double *values) {
    option_defaults(rollout_options, values);
    option_defaults(ops->options, values + ROLLOUT_OPTION_COUNT);
}

static void small_options(double *values) {
    defaults(values);
    values[OPTION_HORIZON] = HORIZON;
    values[OPTION_CANDIDATES] = 200;
    values[OPTION_ITERATIONS] = 10;
    values[OPTION_PARTICLES] = 2;
}

static PlannerSetup setup_of(const EnvironmentOps *environment, const double *values) {
    return (PlannerSetup){.environment = environment,
                          .backend = &planner_backend_rollout_ops,
                          .rollout_values = values,
                          .values = values + ROLLOUT_OPTION_COUNT};
}

static void *make(const EnvironmentOps *environment, const double *values) {
    void              *self = NULL;
    const PlannerSetup setup = setup_of(environment, values);
    assert_ok(ops->create(&setup, &self));
    return self;
}

static void set(void *self, const double *values) {
    assert_ok(ops->set(self, values, values + ROLLOUT_OPTION_COUNT));
}

static PlanTask task_of(const StubModel *model, uint64_t step) {
    return (PlanTask){
        .model = &stub_model_ops, .model_self = model, .state = origin, .seed = 21, .step = step};
}

static double plan(void *self, const StubModel *model, uint64_t step, PlanReport *report) {
    const PlanTask task = task_of(model, step);
    double         action = (double)NAN;
    assert_ok(ops->plan(self, &task, &action, report));
    return action;
}

/* the warm start as doubles; @return its rows */
static size_t warm_start(const void *self, double *mean) {
    Buffer saved;
    buffer_init(&saved, 1 << 16);
    assert_ok(ops->save(self, &saved));
    const size_t rows = (saved.length - HEADER) / sizeof *mean;
    memcpy(mean, saved.data + HEADER, rows * sizeof *mean);
    buffer_reset(&saved);
    return rows;
}

/* a different best action at every step: 0.8, 0.4, 0, -0.4 */
static float best_action(float k) {
    return 0.8f - 0.4f * (k - 1.0f);
}

static float near_best_action(float x, float action, float next, float k) {
    (void)x;
    (void)next;
    return -(action - best_action(k)) * (action - best_action(k));
}

static float near_target(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)k;
    return -(next - 0.6f) * (next - 0.6f);
}

static StubModel linear_model(void) {
    return (StubModel){.members = 2, .gain = 1.0, .fails_after = -1};
}

/* s' = s + a, reward -(s' - 0.6)^2: go there at once, then stay */
static void finds_the_optimum_of_a_linear_model(void **state) {
    (void)state;
    double     values[OPTIONS];
    PlanReport report;
    StubModel  model = linear_model();
    double     mean[HORIZON];
    small_options(values);
    values[OPTION_ITERATIONS] = 30;
    stub_reward = near_target;
    void *self = make(&stub_environment, values);
    assert_close(plan(self, &model, 1, &report), 0.6, 0.03, 0.0);
    assert_close(report.expected_return, 0.0, 0.01, 0.0);
    assert_int_equal(warm_start(self, mean), HORIZON);
    assert_close(mean[0], 0.0, 0.05, 0.0);
    /* it stops early: the variance is below 1e-3 of the squared half-range */
    assert_true(report.iterations > 3 && report.iterations < 30);
    assert_close(report.flop, 10.0 * 200 * 2 * HORIZON * (double)report.iterations, 0.0, 0.0);
    /* 2 particles on 2 members: nothing is shared at the first step */
    assert_int_equal(model.rows[0] + model.rows[1], 200 * 2 * HORIZON * report.iterations);
    ops->destroy(self);
}

static void warm_start_is_the_plan_shifted_by_one_step(void **state) {
    (void)state;
    double     values[OPTIONS];
    PlanReport report;
    StubModel  model = linear_model();
    double     mean[HORIZON];
    small_options(values);
    stub_reward = near_best_action;
    void *self = make(&stub_environment, values);
    assert_close(plan(self, &model, 1, &report), 0.8, 0.05, 0.0);
    assert_int_equal(warm_start(self, mean), HORIZON);
    for (size_t h = 0; h + 1 < HORIZON; h++) {
        assert_close(mean[h], (double)best_action((float)h + 2.0f), 0.05, 0.0);
    }
    assert_close(mean[HORIZON - 1], 0.0, 0.0, 0.0);

    /* another horizon: cut, or continued with the middle of the bounds */
    double longer[HORIZON + 2];
    values[OPTION_HORIZON] = HORIZON + 2;
    set(self, values);
    assert_int_equal(warm_start(self, longer), HORIZON + 2);
    assert_memory_equal(longer, mean, sizeof mean);
    assert_true(longer[HORIZON] == 0.0 && longer[HORIZON + 1] == 0.0);
    values[OPTION_HORIZON] = 2;
    set(self, values);
    assert_int_equal(warm_start(self, longer), 2);
    assert_memory_equal(longer, mean, 2 * sizeof *mean);
    values[OPTION_HORIZON] = HORIZON;
    set(self, values);
    assert_int_equal(warm_start(self, longer), HORIZON);
    assert_true(longer[1] == mean[1] && longer[2] == 0.0);

    ops->reset(self);
    assert_int_equal(warm_start(self, mean), HORIZON);
    assert_true(mean[0] == 0.0 && mean[1] == 0.0);
    ops->destroy(self);
}

/* returns grow with the action, but above 0.2 they are NaN, below -0.2 infinite */
static float tempting(float x, float action, float next, float k) {
    (void)x;
    (void)next;
    (void)k;
    return (action > 0.2f) ? NAN : (action < -0.2f) ? INFINITY : action;
}

static float never_finite(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)next;
    (void)k;
    return NAN;
}

static void returns_that_are_not_finite_are_never_elite(void **state) {
    (void)state;
    double     values[OPTIONS];
    PlanReport report;
    StubModel  model = linear_model();
    small_options(values);
    values[OPTION_HORIZON] = 1;
    values[OPTION_ELITE_RATIO] = 1.0;
    stub_reward = tempting;
    void        *self = make(&stub_environment, values);
    const double action = plan(self, &model, 1, &report);
    assert_true(action > -0.2 && action < 0.2 && isfinite(report.expected_return));
    values[OPTION_ELITE_RATIO] = 0.05;
    set(self, values);
    assert_close(plan(self, &model, 1, &report), 0.2, 0.05, 0.0);

    /* nothing finite: the middle, and it says so */
    stub_reward = never_finite;
    ops->reset(self);
    assert_true(plan(self, &model, 1, &report) == 0.0);
    assert_true(isnan(report.expected_return));
    assert_int_equal(report.iterations, 10);
    ops->destroy(self);
}

static float one_per_step(float x, float action, float next, float k) {
    (void)action;
    (void)next;
    (void)k;
    return (x > 1.0f) ? 100.0f : 1.0f;
}

static void predicted_termination_is_respected(void **state) {
    (void)state;
    double         values[OPTIONS];
    PlanReport     report;
    StubModel      model = linear_model();
    EnvironmentOps environment = stub_environment;
    small_options(values);
    stub_reward = one_per_step;
    environment.terminated = stub_terminated;
    /* beyond x = 1 each step would pay 100, but the episode is over there */
    void *self = make(&environment, values);
    (void)plan(self, &model, 1, &report);
    assert_close(report.expected_return, HORIZON, 0.0, 0.0);
    ops->destroy(self);
    self = make(&stub_environment, values);
    (void)plan(self, &model, 1, &report);
    assert_true(report.expected_return > 50.0);
    ops->destroy(self);
}

/* what the planner sampled for the first step */
static double sampled;
static double sampled_squares;
static double sampled_low;
static double sampled_high;

static float record_action(float x, float action, float next, float k) {
    (void)x;
    (void)next;
    if (k == 1.0f) {
        sampled += 1.0;
        sampled_squares += (double)action * (double)action;
        sampled_low = fmin(sampled_low, (double)action);
        sampled_high = fmax(sampled_high, (double)action);
    }
    return 0.0f;
}

/* one iteration around `mean` for the first step */
static void sample_around(void *self, double mean) {
    PlanReport report;
    StubModel  model = linear_model();
    Buffer     saved;
    buffer_init(&saved, 1 << 16);
    assert_ok(ops->save(self, &saved));
    memcpy(saved.data + HEADER, &mean, sizeof mean);
    assert_ok(ops->load(self, saved.data, saved.length));
    buffer_reset(&saved);
    sampled = 0.0;
    sampled_squares = 0.0;
    sampled_low = 9.0;
    sampled_high = -9.0;
    stub_reward = record_action;
    (void)plan(self, &model, 1, &report);
}

/* the start: sd a quarter of the range, at most half the way to the bound, truncated at 2 sd */
static void samples_are_truncated_normal_inside_the_bounds(void **state) {
    (void)state;
    double values[OPTIONS];
    small_options(values);
    values[OPTION_CANDIDATES] = 20000;
    values[OPTION_ITERATIONS] = 1;
    void *self = make(&stub_environment, values);
    sample_around(self, 0.0);
    assert_close(sampled, 40000.0, 0.0, 0.0);
    assert_true(sampled_low < -0.99 && sampled_low >= -1.0);
    assert_true(sampled_high > 0.99 && sampled_high <= 1.0);
    /* 0.77374 = variance of the standard normal within +-2; standard error below 1 % */
    assert_close(sampled_squares / sampled, 0.25 * 0.77374, 0.0, 0.03);
    sample_around(self, 0.9);
    assert_true(sampled_low < 0.81 && sampled_low >= 0.8 - 1e-6);
    assert_true(sampled_high > 0.99 && sampled_high <= 1.0);
    sample_around(self, -0.5);
    assert_true(sampled_high < 1e-6 && sampled_low >= -1.0);
    ops->destroy(self);
}

static float noisy_target(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    return -(next - 0.3f * k) * (next - 0.3f * k);
}

static void saved_planner_continues_bit_for_bit(void **state) {
    (void)state;
    double     values[OPTIONS];
    PlanReport report;
    StubModel  model = {
         .members = 2, .gain = 1.0, .drift = {0.1, -0.1}, .sd = 0.1, .fails_after = -1};
    Buffer saved;
    buffer_init(&saved, 1 << 16);
    small_options(values);
    values[OPTION_ITERATIONS] = 2;
    stub_reward = noisy_target;
    void *self = make(&stub_environment, values);
    void *copy = make(&stub_environment, values);
    void *cold = make(&stub_environment, values);
    (void)plan(self, &model, 1, &report);
    (void)plan(self, &model, 2, &report);
    assert_ok(ops->save(self, &saved));
    assert_ok(ops->load(copy, saved.data, saved.length));
    const double action = plan(self, &model, 3, &report);
    assert_true(plan(copy, &model, 3, &report) == action);
    assert_true(plan(cold, &model, 3, &report) != action);
    /* streams: the same step again is the same plan, another step is not */
    ops->reset(self);
    ops->reset(copy);
    const double first = plan(self, &model, 3, &report);
    assert_true(plan(copy, &model, 3, &report) == first);
    ops->reset(copy);
    assert_true(plan(copy, &model, 4, &report) != first);

    assert_fails(ops->load(copy, saved.data, saved.length - 8), STATUS_ERR_CORRUPT, "not a plan");
    assert_fails(ops->load(copy, saved.data, 5), STATUS_ERR_CORRUPT, "5 bytes");
    saved.data[0] = 'x';
    assert_fails(ops->load(copy, saved.data, saved.length), STATUS_ERR_CORRUPT, "not a plan");
    buffer_reset(&saved);
    ops->destroy(self);
    ops->destroy(copy);
    ops->destroy(cold);
}

static void a_failing_model_leaves_everything_as_it_was(void **state) {
    (void)state;
    double     values[OPTIONS];
    PlanReport report = {.flop = 7.0};
    StubModel  model = linear_model();
    double     before[HORIZON];
    double     after[HORIZON];
    double     action = 5.0;
    small_options(values);
    stub_reward = near_best_action;
    void *self = make(&stub_environment, values);
    (void)plan(self, &model, 1, &report);
    assert_int_equal(warm_start(self, before), HORIZON);
    report.flop = 7.0;
    model.fails_after = 3 * 2 * HORIZON; /* in the fourth iteration */
    const PlanTask task = task_of(&model, 2);
    assert_fails(ops->plan(self, &task, &action, &report), STATUS_ERR_NUMERIC, "stub fails");
    assert_int_equal(warm_start(self, after), HORIZON);
    assert_memory_equal(before, after, sizeof before);
    assert_true(action == 5.0 && report.flop == 7.0);
    ops->destroy(self);
}

static void options_are_checked_and_have_the_published_defaults(void **state) {
    (void)state;
    double       values[OPTIONS];
    const double expected[OPTIONS] = {25, 20, PROPAGATION_TS1, 0, 400, 5, 0.1, 0.1};
    void        *self = values;
    defaults(values);
    assert_int_equal(option_count(rollout_options) + option_count(ops->options), OPTIONS);
    assert_memory_equal(values, expected, sizeof values);
    assert_close(ops->candidates(values + ROLLOUT_OPTION_COUNT), 2000.0, 0.0, 0.0);
    values[OPTION_PARTICLES] = 0;
    PlannerSetup setup = setup_of(&stub_environment, values);
    assert_fails(ops->create(&setup, &self), STATUS_ERR_RANGE, "particles");
    assert_null(self);
    small_options(values);
    self = make(&stub_environment, values);
    values[OPTION_ALPHA] = 1.5;
    assert_fails(ops->set(self, values, values + ROLLOUT_OPTION_COUNT), STATUS_ERR_RANGE,
                 "cem_alpha");
    ops->destroy(self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_optimum_of_a_linear_model),
        cmocka_unit_test(warm_start_is_the_plan_shifted_by_one_step),
        cmocka_unit_test(returns_that_are_not_finite_are_never_elite),
        cmocka_unit_test(predicted_termination_is_respected),
        cmocka_unit_test(samples_are_truncated_normal_inside_the_bounds),
        cmocka_unit_test(saved_planner_continues_bit_for_bit),
        cmocka_unit_test(a_failing_model_leaves_everything_as_it_was),
        cmocka_unit_test(options_are_checked_and_have_the_published_defaults),
    };
    return cmocka_run_group_tests_name("mbrl/cem", tests, NULL, NULL);
}
