#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/builtin.h"
#include "mbrl/planners/rollout.h"
#include "tests/mbrl/planner_stub.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PARTICLES = 100000, STEPS = 5, TILE = 256 };

#define DRIFT 0.3
#define NOISE 0.2

/* sums of x^2 and x over particles at the last step */
static double sum_of_squares;
static double sum;

static float collect_last(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    if (k == (float)STEPS) {
        sum_of_squares += (double)next * (double)next;
        sum += (double)next;
    }
    return 0.0f;
}

static void evaluate(const EnvironmentOps *environment, const RolloutShape *shape, StubModel *model,
                     const float *actions, uint64_t seed, double *returns) {
    const double state[STUB_STATE] = {0.0, 0.0};
    Rollout     *rollout = NULL;
    assert_ok(rollout_create(environment, &rollout));
    assert_ok(rollout_reserve(rollout, shape, &stub_model_ops, model));
    assert_ok(rollout_evaluate(rollout,
                               &(RolloutTask){.model = &stub_model_ops,
                                              .model_self = model,
                                              .state = state,
                                              .actions = actions,
                                              .seed = seed,
                                              .step = 7},
                               returns));
    rollout_destroy(rollout);
}

/* Two members s' = s +- d + sigma eps. TSinf: x = +-T d + N(0, T sigma^2). TS1: the sum of T
 * independent steps. The standard error of a variance is sqrt((fourth moment - variance^2) / n). */
static void variances_are_those_of_the_propagation(void **state) {
    (void)state;
    const double t = STEPS;
    const double d2 = DRIFT * DRIFT;
    const double s2 = NOISE * NOISE;
    stub_reward = collect_last;
    for (int mode = PROPAGATION_TS1; mode <= PROPAGATION_TSINF; mode++) {
        StubModel model = {.members = 2, .drift = {DRIFT, -DRIFT}, .sd = NOISE, .fails_after = -1};
        const float  actions[STEPS] = {0.0f};
        RolloutShape shape = {.candidates = 1,
                              .particles = PARTICLES,
                              .horizon = STEPS,
                              .propagation = (Propagation)mode,
                              .tile = TILE};
        double       returns[1];
        sum_of_squares = 0.0;
        sum = 0.0;
        evaluate(&stub_environment, &shape, &model, actions, 3, returns);
        const bool   fixed = mode == PROPAGATION_TSINF;
        const double expected = fixed ? t * t * d2 + t * s2 : t * (d2 + s2);
        const double a2 = t * t * d2;
        const double b2 = t * s2;
        const double fourth = fixed ? a2 * a2 + 6.0 * a2 * b2 + 3.0 * b2 * b2
                                    : 3.0 * expected * expected - 2.0 * t * d2 * d2;
        const double error = sqrt((fourth - expected * expected) / PARTICLES);
        assert_close(sum_of_squares / PARTICLES, expected, 3.0 * error, 0.0);
        assert_close(sum / PARTICLES, 0.0, 3.0 * sqrt(expected / PARTICLES), 0.0);
    }
}

static float moved_by(float x, float action, float next, float k) {
    (void)action;
    (void)k;
    return next - x;
}

/* the drift of a member is its number, so a candidate's return counts who predicted it */
static void each_candidate_is_spread_evenly_over_the_members(void **state) {
    (void)state;
    enum { CANDIDATES = 9, BALANCED = 8, MEMBERS = 4 };
    const float actions[STEPS * CANDIDATES] = {0.0f};
    stub_reward = moved_by;
    for (int mode = PROPAGATION_TS1; mode <= PROPAGATION_TSINF; mode++) {
        StubModel    model = {.members = MEMBERS, .drift = {0, 1, 2, 3}, .fails_after = -1};
        RolloutShape shape = {.candidates = CANDIDATES,
                              .particles = BALANCED,
                              .horizon = STEPS,
                              .propagation = (Propagation)mode,
                              .tile = 5};
        double       returns[CANDIDATES];
        evaluate(&stub_environment, &shape, &model, actions, 3, returns);
        for (size_t c = 0; c < CANDIDATES; c++) {
            assert_close(returns[c], 1.5 * STEPS, 0.0, 0.0);
        }
        for (size_t m = 0; m < MEMBERS; m++) {
            assert_int_equal(model.rows[m], CANDIDATES * BALANCED / MEMBERS * STEPS);
        }
        /* 6 particles of 9 candidates on 4 members: 54 rows, 13 or 14 each, unevenly per candidate
         */
        int uneven = 0;
        shape.particles = 6;
        memset(model.rows, 0, sizeof model.rows);
        evaluate(&stub_environment, &shape, &model, actions, 3, returns);
        for (size_t c = 0; c < CANDIDATES; c++) {
            uneven += fabs(returns[c] - 1.5 * STEPS) > 1e-6;
        }
        assert_true(uneven > 0);
        for (size_t m = 0; m < MEMBERS; m++) {
            assert_int_equal(model.rows[m], (m < 2 ? 14 : 13) * STEPS);
        }
    }
}

static float one_then_nan(float x, float action, float next, float k) {
    (void)action;
    (void)next;
    (void)k;
    return (x > 1.0f) ? NAN : 1.0f;
}

/* candidate 0 stays inside, 1 leaves at step 3, 2 at once; rewards beyond are NaN */
static void terminated_particles_earn_nothing_more(void **state) {
    (void)state;
    EnvironmentOps     environment = stub_environment;
    StubModel          model = {.members = 2, .gain = 1.0, .fails_after = -1};
    const float        actions[STEPS][3] = {{0.1f, 0.4f, 2.0f},
                                            {0.1f, 0.4f, 0.0f},
                                            {0.1f, 0.4f, 0.0f},
                                            {0.1f, -9.0f, -9.0f},
                                            {0.1f, 0.0f, 0.0f}};
    const RolloutShape shape = {.candidates = 3, .particles = 4, .horizon = STEPS, .tile = TILE};
    double             returns[3];
    stub_reward = one_then_nan;
    environment.terminated = stub_terminated;
    evaluate(&environment, &shape, &model, &actions[0][0], 3, returns);
    assert_close(returns[0], 5.0, 0.0, 0.0);
    assert_close(returns[1], 3.0, 0.0, 0.0);
    assert_close(returns[2], 1.0, 0.0, 0.0);
    /* without the predicate the same futures are NaN */
    evaluate(&stub_environment, &shape, &model, &actions[0][0], 3, returns);
    assert_close(returns[0], 5.0, 0.0, 0.0);
    assert_true(isnan(returns[1]) && isnan(returns[2]));
}

static float next_value(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)k;
    return next;
}

static void absolute_targets_are_the_next_value_itself(void **state) {
    (void)state;
    const bool         absolute[STUB_STATE] = {true, false};
    const float        actions[2] = {0.25f, 0.5f};
    const RolloutShape shape = {.candidates = 1, .particles = 2, .horizon = 2, .tile = TILE};
    StubModel          model = {.members = 1, .gain = 1.0, .fails_after = -1};
    EnvironmentOps     environment = stub_environment;
    double             returns[1];
    stub_reward = next_value;
    evaluate(&environment, &shape, &model, actions, 3, returns);
    assert_close(returns[0], 0.25 + 0.75, 0.0, 0.0);
    environment.target_absolute = absolute;
    evaluate(&environment, &shape, &model, actions, 3, returns);
    assert_close(returns[0], 0.25 + 0.5, 0.0, 0.0);
}

/* a real network, random actions, three tile sizes, both modes */
static void results_do_not_depend_on_the_tile(void **state) {
    (void)state;
    enum { CANDIDATES = 23, COUNT = 10 };
    double values[32];
    void  *model = NULL;
    float  actions[STEPS * CANDIDATES];
    Rng    rng = rng_stream(2, 0, RNG_TEST);
    option_defaults(model_ensemble_ops.options, values);
    values[option_find(model_ensemble_ops.options, "hidden_width")] = 24;
    assert_ok(model_ensemble_ops.create(&(DynamicsModelSetup){.input_dim = STUB_STATE + 1,
                                                              .output_dim = STUB_STATE,
                                                              .target_scale = stub_scale},
                                        values, &model));
    for (size_t i = 0; i < STEPS * CANDIDATES; i++) {
        actions[i] = (float)(2.0 * rng_uniform(&rng) - 1.0);
    }
    stub_reward = next_value;
    EnvironmentOps environment = stub_environment;
    environment.terminated = stub_terminated;
    for (int mode = PROPAGATION_TS1; mode <= PROPAGATION_TSINF; mode++) {
        const size_t tiles[3] = {256, 64, 7};
        const double start[STUB_STATE] = {0.1, 0.0};
        double       returns[4][CANDIDATES];
        for (size_t k = 0; k < 4; k++) {
            Rollout     *rollout = NULL;
            RolloutShape shape = {.candidates = CANDIDATES,
                                  .particles = COUNT,
                                  .horizon = STEPS,
                                  .propagation = (Propagation)mode,
                                  .tile = tiles[k % 3]};
            assert_ok(rollout_create(&environment, &rollout));
            assert_ok(rollout_reserve(rollout, &shape, &model_ensemble_ops, model));
            assert_ok(rollout_evaluate(rollout,
                                       &(RolloutTask){.model = &model_ensemble_ops,
                                                      .model_self = model,
                                                      .state = start,
                                                      .actions = actions,
                                                      .seed = 5,
                                                      .step = 7,
                                                      .iteration = (k == 3) ? 1 : 0},
                                       returns[k]));
            rollout_destroy(rollout);
        }
        assert_memory_equal(returns[0], returns[1], sizeof returns[0]);
        assert_memory_equal(returns[0], returns[2], sizeof returns[0]);
        /* another iteration has other noise */
        assert_memory_not_equal(returns[0], returns[3], sizeof returns[0]);
    }
    model_ensemble_ops.destroy(model);
}

static void errors_say_what_is_too_large(void **state) {
    (void)state;
    const double start[STUB_STATE] = {0.0, 0.0};
    const float  actions[2] = {0.0f, 0.0f};
    double       returns[1] = {7.0};
    StubModel    model = {.members = 2, .fails_after = -1};
    Rollout     *rollout = NULL;
    RolloutShape shape = {.candidates = 100000, .particles = 50000, .horizon = 1, .tile = 1};
    assert_ok(rollout_create(&stub_environment, &rollout));
    assert_fails(rollout_reserve(rollout, &shape, &stub_model_ops, &model), STATUS_ERR_RANGE,
                 "100000 candidates");
    shape = (RolloutShape){.candidates = 1, .particles = 2, .horizon = 2, .tile = 4};
    assert_ok(rollout_reserve(rollout, &shape, &stub_model_ops, &model));
    RolloutTask task = {.model = &stub_model_ops,
                        .model_self = &model,
                        .state = start,
                        .actions = actions,
                        .iteration = 16384};
    assert_fails(rollout_evaluate(rollout, &task, returns), STATUS_ERR_RANGE, "iteration 16384");
    task.iteration = 0;
    model.fails_after = 1;
    assert_fails(rollout_evaluate(rollout, &task, returns), STATUS_ERR_NUMERIC, "stub fails");
    assert_true(returns[0] == 7.0);
    rollout_destroy(rollout);
    rollout_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variances_are_those_of_the_propagation),
        cmocka_unit_test(each_candidate_is_spread_evenly_over_the_members),
        cmocka_unit_test(terminated_particles_earn_nothing_more),
        cmocka_unit_test(absolute_targets_are_the_next_value_itself),
        cmocka_unit_test(results_do_not_depend_on_the_tile),
        cmocka_unit_test(errors_say_what_is_too_large),
    };
    return cmocka_run_group_tests_name("mbrl/propagation", tests, NULL, NULL);
}
