/* What every planner does, with either back end. No planner's name stands here: a new one is
 * covered at once.
 *
 * The task: s' = s + a in two dimensions, reward -20 |s' - goal|^2, bounds that are not symmetric.
 * The model knows it exactly, and so does the simulator.
 */
#include "tests/support/test_support.h"

#include "mbrl/planners/builtin.h"
#include "tests/mbrl/planner_world.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { HORIZON = 3, MOST_VALUES = 32, MOST_BYTES = 1 << 20 };

/* ---- planners in general ---- */

typedef struct Case {
    const PlannerOps     *ops;
    const PlannerBackend *backend;
    double                shared[ROLLOUT_OPTION_COUNT];
    double                values[MOST_VALUES];
} Case;

static void option_set(Case *c, const char *ending, double value) {
    for (size_t i = 0; c->ops->options[i].name != NULL; i++) {
        const char  *name = c->ops->options[i].name;
        const size_t length = strlen(name);
        if (length > strlen(ending) && strcmp(name + length - strlen(ending), ending) == 0) {
            c->values[i] = value;
        }
    }
}

/* a budget that any search should be content with */
static Case case_make(const PlannerOps *ops, const PlannerBackend *backend) {
    Case c = {.ops = ops, .backend = backend};
    assert_true(option_count(ops->options) <= MOST_VALUES);
    option_defaults(rollout_options, c.shared);
    option_defaults(ops->options, c.values);
    c.shared[ROLLOUT_HORIZON] = HORIZON;
    c.shared[ROLLOUT_PARTICLES] = 2;
    option_set(&c, "_candidates", 3000);
    option_set(&c, "_iterations", 10);
    world_reset();
    return c;
}

static PlannerSetup setup_of(const Case *c) {
    return (PlannerSetup){.environment = &world,
                          .backend = c->backend,
                          .rollout_values = c->shared,
                          .values = c->values};
}

static void *make(const Case *c) {
    const PlannerSetup setup = setup_of(c);
    void              *self = NULL;
    assert_ok(c->ops->create(&setup, &self));
    return self;
}

static PlanTask task_of(const Case *c, const double *state, uint64_t step) {
    const bool learned = c->backend->needs_model;
    return (PlanTask){.model = learned ? &model : NULL,
                      .model_self = learned ? &model : NULL,
                      .state = state,
                      .snapshot = learned ? NULL : state,
                      .seed = 21,
                      .step = step};
}

static PlanReport plan(const Case *c, void *self, const double *state, uint64_t step,
                       double *action) {
    const PlanTask task = task_of(c, state, step);
    PlanReport     report = {.flop = -1.0};
    assert_ok(c->ops->plan(self, &task, action, &report));
    for (size_t d = 0; d < DIM; d++) {
        assert_true(action[d] >= low[d] && action[d] <= high[d]);
    }
    return report;
}

static const double origin[DIM] = {0.0, 0.0};

static void each(void (*check)(Case *c)) {
    for (size_t p = 0; p < planner_count(); p++) {
        for (size_t b = 0; b < planner_backend_count(); b++) {
            Case c = case_make(planner_at(p), planner_backend_at(b));
            print_message("           %s, %s\n", c.ops->name, c.backend->name);
            check(&c);
        }
    }
}

static void saved(const Case *c, const void *self, Buffer *out) {
    buffer_init(out, MOST_BYTES);
    assert_ok(c->ops->save(self, out));
}

static void assert_same_bytes(const Buffer *a, const Buffer *b) {
    assert_int_equal(a->length, b->length);
    assert_memory_equal(a->data, b->data, a->length);
}

/* ---- the checks ---- */

static void planners_and_back_ends_are_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < planner_count(); i++) {
        const PlannerOps *ops = planner_at(i);
        assert_true(ops->name && ops->source && ops->help && ops->options && ops->create &&
                    ops->destroy && ops->set && ops->reset && ops->plan && ops->save && ops->load &&
                    ops->candidates);
        ops->destroy(NULL);
        for (size_t k = 0; ops->options[k].name != NULL; k++) {
            assert_ok(option_check(&ops->options[k], ops->options[k].default_value));
            assert_true(ops->options[k].help && ops->options[k].source && ops->options[k].dynamic);
        }
    }
    for (size_t i = 0; i < planner_backend_count(); i++) {
        const PlannerBackend *backend = planner_backend_at(i);
        assert_true(backend->name && backend->help && backend->create && backend->destroy &&
                    backend->reserve && backend->evaluate);
        backend->destroy(NULL);
    }
    assert_null(planner_at(planner_count()));
    assert_null(planner_backend_at(planner_backend_count()));
}

/* the first action leads to the goal, and so does a whole episode of them */
static void check_optimum(Case *c) {
    double     position[DIM] = {0.0, 0.0};
    double     action[DIM];
    void      *self = make(c);
    PlanReport report = plan(c, self, position, 1, action);
    assert_close(action[0], goal[0], 0.2, 0.0);
    assert_close(action[1], goal[1], 0.2, 0.0);
    assert_true(report.expected_return < 0.0 && report.expected_return > -3.0);
    assert_true(report.iterations >= 1 && !report.timed_out);
    /* the cost is what was announced, at most: stopping early and shrinking are allowed */
    const double cost = c->backend->needs_model ? report.flop / 20.0 : report.env_steps;
    assert_true((report.flop == 0.0) != (report.env_steps == 0.0));
    assert_true(cost > 0.0 && cost <= c->ops->candidates(c->values) * HORIZON);
    for (uint64_t step = 2; step <= 4; step++) {
        position[0] += action[0];
        position[1] += action[1];
        (void)plan(c, self, position, step, action);
        assert_close(position[0] + action[0], goal[0], 0.2, 0.0);
        assert_close(position[1] + action[1], goal[1], 0.2, 0.0);
    }
    c->ops->destroy(self);
}

static void every_planner_finds_the_optimum_of_a_quadratic(void **state) {
    (void)state;
    each(check_optimum);
}

/* a goal that cannot be reached: to the bound, and nothing beyond it is ever proposed */
static void check_bounds(Case *c) {
    double action[DIM];
    goal[0] = 50.0;
    goal[1] = -50.0;
    void *self = make(c);
    for (uint64_t step = 1; step <= 3; step++) {
        (void)plan(c, self, origin, step, action);
    }
    assert_true(action[0] > 1.5 && action[1] < -0.35);
    for (size_t d = 0; d < DIM; d++) {
        assert_true(least[d] >= low[d] && most[d] <= high[d]);
        /* and much of what is allowed was tried */
        assert_true(least[d] < middle[d] && most[d] > middle[d]);
    }
    c->ops->destroy(self);
}

static void bounds_are_respected_and_reached(void **state) {
    (void)state;
    each(check_bounds);
}

static void check_streams(Case *c) {
    double first[DIM];
    double again[DIM];
    double other[DIM];
    void  *self = make(c);
    void  *twin = make(c);
    option_set(c, "_candidates", 30);
    option_set(c, "_iterations", 2);
    assert_ok(c->ops->set(self, c->shared, c->values));
    assert_ok(c->ops->set(twin, c->shared, c->values));
    const PlanReport report = plan(c, self, origin, 3, first);
    const PlanReport equal = plan(c, twin, origin, 3, again);
    assert_memory_equal(first, again, sizeof first);
    assert_true(report.expected_return == equal.expected_return);
    /* after a reset nothing is left of the past */
    (void)plan(c, self, origin, 4, other);
    c->ops->reset(self);
    (void)plan(c, self, origin, 3, again);
    assert_memory_equal(first, again, sizeof first);
    c->ops->reset(self);
    (void)plan(c, self, origin, 4, other);
    assert_memory_not_equal(first, other, sizeof first);
    c->ops->destroy(self);
    c->ops->destroy(twin);
}

static void same_seed_and_step_give_the_same_bits(void **state) {
    (void)state;
    each(check_streams);
}

static void check_round_trip(Case *c) {
    double action[DIM];
    double copied[DIM];
    Buffer bytes;
    Buffer more;
    option_set(c, "_candidates", 40);
    option_set(c, "_iterations", 2);
    void *self = make(c);
    void *copy = make(c);
    /* several steps, so that everything that is carried over is there */
    for (uint64_t step = 1; step <= 3; step++) {
        (void)plan(c, self, origin, step, action);
    }
    saved(c, self, &bytes);
    assert_ok(c->ops->load(copy, bytes.data, bytes.length));
    saved(c, copy, &more);
    assert_same_bytes(&bytes, &more);
    buffer_reset(&more);
    for (uint64_t step = 4; step <= 6; step++) {
        (void)plan(c, self, origin, step, action);
        (void)plan(c, copy, origin, step, copied);
        assert_memory_equal(action, copied, sizeof action);
    }
    /* what is damaged is refused, and changes nothing */
    Buffer before;
    saved(c, copy, &before);
    assert_fails(c->ops->load(copy, bytes.data, bytes.length - 8), STATUS_ERR_CORRUPT, "");
    assert_fails(c->ops->load(copy, bytes.data, 5), STATUS_ERR_CORRUPT, "5 bytes");
    buffer_append(&bytes, "12345678", 8);
    assert_fails(c->ops->load(copy, bytes.data, bytes.length), STATUS_ERR_CORRUPT, "");
    bytes.data[0] = 'x';
    assert_fails(c->ops->load(copy, bytes.data, bytes.length - 8), STATUS_ERR_CORRUPT,
                 "not a plan");
    saved(c, copy, &more);
    assert_same_bytes(&before, &more);
    buffer_reset(&before);
    buffer_reset(&more);
    buffer_reset(&bytes);
    c->ops->destroy(self);
    c->ops->destroy(copy);
}

static void a_saved_planner_continues_bit_for_bit(void **state) {
    (void)state;
    each(check_round_trip);
}

/* In memory: plan, set() to another horizon, plan. From a file: saved before, loaded into a planner
 * that was made with the new horizon. */
static void check_horizons(Case *c) {
    const double horizons[] = {HORIZON, HORIZON + 4, 1, 2, HORIZON + 9};
    double       action[DIM];
    double       copied[DIM];
    void        *self = make(c);
    option_set(c, "_candidates", 40);
    option_set(c, "_iterations", 2);
    assert_ok(c->ops->set(self, c->shared, c->values));
    for (size_t i = 0; i < sizeof horizons / sizeof *horizons; i++) {
        Buffer bytes;
        Buffer more;
        saved(c, self, &bytes);
        c->shared[ROLLOUT_HORIZON] = horizons[i];
        void *copy = make(c);
        assert_ok(c->ops->load(copy, bytes.data, bytes.length));
        buffer_reset(&bytes);
        assert_ok(c->ops->set(self, c->shared, c->values));
        saved(c, self, &bytes);
        saved(c, copy, &more);
        assert_same_bytes(&bytes, &more);
        (void)plan(c, self, origin, i, action);
        (void)plan(c, copy, origin, i, copied);
        assert_memory_equal(action, copied, sizeof action);
        buffer_reset(&bytes);
        buffer_reset(&more);
        c->ops->destroy(copy);
    }
    c->ops->destroy(self);
}

static void a_changed_horizon_is_the_same_in_memory_and_from_a_file(void **state) {
    (void)state;
    each(check_horizons);
}

/* the way to the goal leads through returns that are NaN or infinite */
static void check_poison(Case *c) {
    const double poisons[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    double       action[DIM];
    for (size_t i = 0; i < 3; i++) {
        void *self = make(c);
        forbidden = 0.3;
        poison = poisons[i];
        PlanReport report = plan(c, self, origin, 1, action);
        assert_true(action[0] <= 0.3 && action[0] > 0.0);
        assert_true(isfinite(report.expected_return));
        report = plan(c, self, origin, 2, action);
        assert_true(action[0] <= 0.3 && isfinite(report.expected_return));
        /* nothing finite anywhere: the plan it has, and it says so */
        c->ops->reset(self);
        forbidden = -(double)INFINITY;
        report = plan(c, self, origin, 3, action);
        assert_memory_equal(action, middle, sizeof action);
        assert_true(isnan(report.expected_return));
        c->ops->destroy(self);
    }
}

static void returns_that_are_not_finite_are_the_worst(void **state) {
    (void)state;
    each(check_poison);
}

/* it fails earlier or later, in every iteration, until it is late enough to succeed */
static void check_failure(Case *c) {
    const PlanTask task = task_of(c, origin, 2);
    PlanReport     report;
    Buffer         before;
    Buffer         after;
    double         action[DIM];
    int            calls = 0;
    option_set(c, "_candidates", 1500);
    option_set(c, "_iterations", 3);
    void *self = make(c);
    (void)plan(c, self, origin, 1, action);
    saved(c, self, &before);
    for (;; calls += 1 + calls / 4) {
        report.flop = 7.0;
        action[0] = 5.0;
        fails_after = calls;
        const Status status = c->ops->plan(self, &task, action, &report);
        if (status == STATUS_OK) {
            break;
        }
        assert_fails(status, STATUS_ERR_NUMERIC, "world fails");
        assert_true(action[0] == 5.0 && report.flop == 7.0);
        saved(c, self, &after);
        assert_same_bytes(&before, &after);
        buffer_reset(&after);
    }
    assert_true(calls > 20);
    buffer_reset(&before);
    c->ops->destroy(self);
}

static void a_failing_back_end_leaves_everything_as_it_was(void **state) {
    (void)state;
    each(check_failure);
}

static void check_limit(Case *c) {
    double action[DIM];
    double free_action[DIM];
    option_set(c, "_candidates", 40);
    void *self = make(c);
    (void)plan(c, self, origin, 1, free_action);
    c->ops->reset(self);
    /* a limit that is not reached changes nothing */
    c->shared[ROLLOUT_MAX_PLAN_SECONDS] = 3600.0;
    assert_ok(c->ops->set(self, c->shared, c->values));
    PlanReport report = plan(c, self, origin, 1, action);
    assert_memory_equal(action, free_action, sizeof action);
    assert_false(report.timed_out);
    /* one that is reached at once: the plan it has */
    c->shared[ROLLOUT_MAX_PLAN_SECONDS] = 1e-9;
    assert_ok(c->ops->set(self, c->shared, c->values));
    c->ops->reset(self);
    report = plan(c, self, origin, 1, action);
    assert_true(report.timed_out && report.iterations == 0);
    assert_true(report.flop == 0.0 && report.env_steps == 0.0);
    assert_memory_equal(action, middle, sizeof action);
    c->ops->destroy(self);
}

static void a_limit_of_time_ends_the_search_with_what_is_known(void **state) {
    (void)state;
    each(check_limit);
}

/* a back end of a machine that has time for so many candidates per call of plan() */
static struct {
    const PlannerBackend *backend;
    size_t                time_for;
    size_t                calls; /* of evaluate() */
} slow;

static Status slow_evaluate(void *self, const RolloutTask *task, double *returns,
                            RolloutResult *result) {
    RolloutTask without = *task;
    slow.calls++;
    if (task->candidates > slow.time_for) {
        slow.time_for = 0;
        *result = (RolloutResult){.expired = true};
        return STATUS_OK;
    }
    slow.time_for -= task->candidates;
    without.deadline = 0.0;
    return slow.backend->evaluate(self, &without, returns, result);
}

static PlanReport plan_slowly(const Case *c, void *self, uint64_t step, size_t time_for,
                              double *action) {
    slow.time_for = time_for;
    slow.calls = 0;
    return plan(c, self, origin, step, action);
}

static void check_hurry(Case *c) {
    PlannerBackend backend = *c->backend;
    double         action[DIM];
    slow.backend = c->backend;
    backend.evaluate = slow_evaluate;
    c->backend = &backend;
    c->shared[ROLLOUT_MAX_PLAN_SECONDS] = 3600.0;
    option_set(c, "_candidates", 400);
    option_set(c, "_iterations", 2);
    void *self = make(c);
    /* nobody knows yet that the time is too short */
    PlanReport report = plan_slowly(c, self, 1, 60, action);
    assert_true(report.timed_out && report.iterations == 0);
    assert_memory_equal(action, middle, sizeof action);
    /* 16 and 32 */
    report = plan_slowly(c, self, 2, 60, action);
    assert_true(report.timed_out && report.iterations == 1 && slow.calls == 3);
    assert_true(report.expected_return > -20.0 * (goal[0] * goal[0] + goal[1] * goal[1]) * HORIZON);
    assert_true(memcmp(action, middle, sizeof action) != 0);
    /* too short for a single batch: on with the plan that there is */
    report = plan_slowly(c, self, 3, 5, action);
    assert_true(report.timed_out && report.iterations == 0);
    /* time for hardly more than one evaluation: also where the next has a little less */
    report = plan_slowly(c, self, 6, 420, action);
    assert_int_equal(report.iterations, 1);
    if (report.timed_out) { /* there are further iterations */
        report = plan_slowly(c, self, 7, 390, action);
        assert_true(report.timed_out && report.iterations == 1);
    } else {
        (void)plan_slowly(c, self, 7, 5, action);
    }
    /* time for everything, in batches at first, then as ever */
    report = plan_slowly(c, self, 4, 3000, action);
    assert_true(!report.timed_out && slow.calls > (size_t)report.iterations);
    report = plan_slowly(c, self, 5, 3000, action);
    assert_true(!report.timed_out && slow.calls == (size_t)report.iterations);
    c->ops->destroy(self);
}

static void time_for_a_part_of_an_iteration_is_of_use(void **state) {
    (void)state;
    each(check_hurry);
}

static void check_options(Case *c) {
    const PlannerSetup setup = setup_of(c);
    Buffer             before;
    Buffer             after;
    double             action[DIM];
    void              *self = &before;
    const double       horizon = c->shared[ROLLOUT_HORIZON];
    c->shared[ROLLOUT_HORIZON] = 0.0;
    assert_fails(c->ops->create(&setup, &self), STATUS_ERR_RANGE, "planning_horizon");
    assert_null(self);
    c->shared[ROLLOUT_HORIZON] = horizon;
    self = make(c);
    (void)plan(c, self, origin, 1, action);
    saved(c, self, &before);
    for (size_t i = 0; c->ops->options[i].name != NULL; i++) {
        const double value = c->values[i];
        void        *other = NULL;
        c->values[i] = c->ops->options[i].upper + 1.0;
        assert_fails(c->ops->set(self, c->shared, c->values), STATUS_ERR_RANGE,
                     c->ops->options[i].name);
        assert_fails(c->ops->create(&setup, &other), STATUS_ERR_RANGE, c->ops->options[i].name);
        assert_null(other);
        c->values[i] = value;
    }
    c->shared[ROLLOUT_PROPAGATION] = PROPAGATION_COUNT;
    assert_fails(c->ops->set(self, c->shared, c->values), STATUS_ERR_RANGE, "propagation");
    saved(c, self, &after);
    assert_same_bytes(&before, &after);
    buffer_reset(&before);
    buffer_reset(&after);
    c->ops->destroy(self);
}

static void options_out_of_range_are_refused_and_change_nothing(void **state) {
    (void)state;
    each(check_options);
}

static void check_allocations(Case *c) {
    const PlannerSetup setup = setup_of(c);
    const PlanTask     task = task_of(c, origin, 1);
    PlanReport         report;
    double             action[DIM];
    void              *self = NULL;
    size_t             n = 1;
    for (;; n++) {
        self = &n;
        test_fail_allocation(n);
        const Status status = c->ops->create(&setup, &self);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(self);
    }
    assert_true(n > 3);
    for (n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = c->ops->plan(self, &task, action, &report);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
    }
    /* later steps need none */
    for (uint64_t step = 2; step < 5; step++) {
        test_fail_allocation(1);
        (void)plan(c, self, origin, step, action);
        assert_false(test_allocation_failed());
        test_fail_allocation(0);
    }
    c->ops->destroy(self);
}

static void failed_allocations_are_reported_and_later_plans_need_none(void **state) {
    (void)state;
    each(check_allocations);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planners_and_back_ends_are_complete),
        cmocka_unit_test(every_planner_finds_the_optimum_of_a_quadratic),
        cmocka_unit_test(bounds_are_respected_and_reached),
        cmocka_unit_test(same_seed_and_step_give_the_same_bits),
        cmocka_unit_test(a_saved_planner_continues_bit_for_bit),
        cmocka_unit_test(a_changed_horizon_is_the_same_in_memory_and_from_a_file),
        cmocka_unit_test(returns_that_are_not_finite_are_the_worst),
        cmocka_unit_test(a_failing_back_end_leaves_everything_as_it_was),
        cmocka_unit_test(a_limit_of_time_ends_the_search_with_what_is_known),
        cmocka_unit_test(time_for_a_part_of_an_iteration_is_of_use),
        cmocka_unit_test(options_out_of_range_are_refused_and_change_nothing),
        cmocka_unit_test(failed_allocations_are_reported_and_later_plans_need_none),
    };
    return cmocka_run_group_tests_name("mbrl/planner_contract", tests, NULL, NULL);
}
