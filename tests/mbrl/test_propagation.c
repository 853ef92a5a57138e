/* How uncertainty travels through a learned model: closed forms of the five propagations, who
 * predicts what, and what must not change the result. */
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/builtin.h"
#include "mbrl/planners/builtin.h"
#include "tests/mbrl/planner_stub.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PARTICLES = 100000, STEPS = 5, TILE = 256 };

#define DRIFT 0.3
#define NOISE 0.2

static const PlannerBackend *const backend = &planner_backend_rollout_ops;

/* power sums of x over the particles at step `last_step` */
static double power_sums[5];
static float  last_step;

static float collect_last(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    for (int p = 0; p < 5 && k == last_step; p++) {
        power_sums[p] += pow((double)next, p);
    }
    return 0.0f;
}

static RolloutTask task_of(const PlanTask *plan, const RolloutShape *shape, const float *actions) {
    return (RolloutTask){.plan = plan, .actions = actions, .candidates = shape->candidates};
}

static size_t tile_rows = TILE; /* of evaluate_from() */

static void evaluate_from(const EnvironmentOps *environment, const RolloutShape *shape,
                          StubModel *model, const float *actions, double start, double *returns) {
    const double   state[STUB_STATE] = {start, 0.0};
    const PlanTask plan = {
        .model = &stub_model_ops, .model_self = model, .state = state, .seed = 3, .step = 7};
    void         *self = NULL;
    RolloutResult result;
    self = stub_rollout(environment, tile_rows);
    assert_ok(backend->reserve(self, shape, &plan));
    const RolloutTask task = task_of(&plan, shape, actions);
    assert_ok(backend->evaluate(self, &task, returns, &result));
    assert_false(result.expired);
    assert_close(result.env_steps, 0.0, 0.0, 0.0);
    /* 10 = what the stub says that a prediction costs */
    assert_close(result.flop,
                 10.0 * (double)(shape->candidates * shape->horizon) *
                     rollout_predictions(shape->propagation, shape->particles, model->members),
                 0.0, 0.0);
    backend->destroy(self);
}

static void evaluate(const EnvironmentOps *environment, const RolloutShape *shape, StubModel *model,
                     const float *actions, double *returns) {
    evaluate_from(environment, shape, model, actions, 0.0, returns);
}

/* ---- closed forms ---- */

typedef struct Moments {
    double mean;
    double variance;
    double skewness;
    double kurtosis;
} Moments;

/* of x after `steps` steps of many particles from `start` */
static Moments moments_of(Propagation propagation, StubModel *model, size_t steps, double start) {
    const float  actions[STEPS] = {0.0f};
    RolloutShape shape = {
        .candidates = 1, .particles = PARTICLES, .horizon = steps, .propagation = propagation};
    double returns[1];
    memset(power_sums, 0, sizeof power_sums);
    last_step = (float)steps;
    stub_reward = collect_last;
    evaluate_from(&stub_environment, &shape, model, actions, start, returns);
    const double n = power_sums[0];
    assert_close(n, propagation == PROPAGATION_E ? 1.0 : PARTICLES, 0.0, 0.0);
    const double m = power_sums[1] / n;
    const double m2 = power_sums[2] / n;
    const double m3 = power_sums[3] / n;
    const double m4 = power_sums[4] / n;
    const double v = m2 - m * m;
    return (Moments){.mean = m,
                     .variance = v,
                     .skewness = (m3 - 3.0 * m * m2 + 2.0 * m * m * m) / pow(v, 1.5),
                     .kurtosis =
                         (m4 - 4.0 * m * m3 + 6.0 * m * m * m2 - 3.0 * m * m * m * m) / (v * v)};
}

static StubModel two_members(double drift, double sd) {
    return (StubModel){.members = 2, .drift = {drift, -drift}, .sd = sd, .fails_after = -1};
}

/* Two members s' = s +- d + sigma eps, T steps. E: no variance. TSinf: x = +-T d + N(0, T sigma^2).
 * TS1: T independent steps; DS, MM: T independent Gaussian ones. The standard error of a variance
 * is sqrt((fourth moment - variance^2) / n); MM measures its variance anew at every step and so has
 * T times the variance of one measurement, at most. */
static void variances_are_those_of_the_propagation(void **state) {
    (void)state;
    const double t = STEPS;
    const double d2 = DRIFT * DRIFT;
    const double s2 = NOISE * NOISE;
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        StubModel     model = two_members(DRIFT, NOISE);
        const Moments got = moments_of((Propagation)mode, &model, STEPS, 0.0);
        if (mode == PROPAGATION_E) {
            assert_close(got.mean, 0.0, 1e-6, 0.0);
            assert_close(got.variance, 0.0, 0.0, 0.0);
            continue;
        }
        const bool   fixed = mode == PROPAGATION_TSINF;
        const double expected = fixed ? t * t * d2 + t * s2 : t * (d2 + s2);
        const double a2 = t * t * d2;
        const double b2 = t * s2;
        double       fourth = 3.0 * expected * expected; /* of a Gaussian */
        fourth -= mode == PROPAGATION_TS1 ? 2.0 * t * d2 * d2 : 0.0;
        fourth = fixed ? a2 * a2 + 6.0 * a2 * b2 + 3.0 * b2 * b2 : fourth;
        const double measured = mode == PROPAGATION_MM ? t : 1.0;
        const double error = sqrt(measured * (fourth - expected * expected) / PARTICLES);
        assert_close(got.variance, expected, 3.0 * error, 0.0);
        assert_close(got.mean, 0.0, 3.0 * sqrt(measured * expected / PARTICLES), 0.0);
    }
}

/* One step, sigma << d: TS1 and TSinf are two spikes (kurtosis 1), DS and MM one Gaussian (3). The
 * standard error of the kurtosis of a Gaussian is sqrt(24 / n). */
static void after_one_step_sampled_members_are_two_spikes_and_moments_one_hill(void **state) {
    (void)state;
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        StubModel model = two_members(DRIFT, 0.001);
        if (mode == PROPAGATION_E) {
            continue;
        }
        const bool    spikes = mode == PROPAGATION_TS1 || mode == PROPAGATION_TSINF;
        const Moments got = moments_of((Propagation)mode, &model, 1, 0.0);
        assert_close(got.kurtosis, spikes ? 1.0 : 3.0, spikes ? 1e-3 : 3.0 * sqrt(24.0 / PARTICLES),
                     0.0);
    }
}

/* s' = s + s^2 / 2 bends a Gaussian: after two steps DS is skewed, MM is a Gaussian again. With
 * s_1 ~ N(m, v): skewness of s_1 + s_1^2 / 2 + noise from the moments of a Gaussian. */
static void moment_matching_is_gaussian_where_sampling_is_not(void **state) {
    (void)state;
    StubModel     model = {.members = 2, .sd = 0.3, .curvature = 0.5, .fails_after = -1};
    const double  start = 0.5;
    const double  m = start + 0.5 * start * start;
    const double  v = 0.3 * 0.3;
    const double  slope = 1.0 + m;
    const double  variance = slope * slope * v + 0.5 * v * v + v;
    const double  third = 3.0 * slope * slope * v * v + v * v * v;
    const double  error = 3.0 * sqrt(6.0 / PARTICLES); /* of the skewness of a Gaussian */
    const Moments ds = moments_of(PROPAGATION_DS, &model, 2, start);
    const Moments mm = moments_of(PROPAGATION_MM, &model, 2, start);
    assert_close(ds.mean, m + 0.5 * m * m + 0.5 * v, 3.0 * sqrt(variance / PARTICLES), 0.0);
    assert_close(ds.variance, variance, 0.0, 0.03);
    assert_close(ds.skewness, third / pow(variance, 1.5), 2.0 * error, 0.0);
    assert_true(ds.skewness > 0.3);
    assert_close(mm.mean, ds.mean, 6.0 * sqrt(variance / PARTICLES), 0.0);
    assert_close(mm.variance, variance, 0.0, 0.03);
    assert_close(mm.skewness, 0.0, error, 0.0);
}

/* sqrt(x^2) = x, so DS of one member draws the very numbers of TS1 and TSinf */
static void of_one_member_sampling_is_ds_bit_for_bit(void **state) {
    (void)state;
    StubModel model = {
        .members = 1, .drift = {0.1}, .sd = 0.3, .curvature = 0.1, .fails_after = -1};
    const Moments ds = moments_of(PROPAGATION_DS, &model, 3, 0.2);
    const Moments ts1 = moments_of(PROPAGATION_TS1, &model, 3, 0.2);
    const Moments tsinf = moments_of(PROPAGATION_TSINF, &model, 3, 0.2);
    assert_memory_equal(&ds, &ts1, sizeof ds);
    assert_memory_equal(&ds, &tsinf, sizeof ds);
}

/* ---- which goes with which ---- */

static void pairs_of_model_and_propagation_are_judged(void **state) {
    (void)state;
    /* by constant: a build whose names are in another order than its modes fails here */
    static const char *const names[] = {[PROPAGATION_TS1] = "ts1",
                                        [PROPAGATION_TSINF] = "tsinf",
                                        [PROPAGATION_E] = "e",
                                        [PROPAGATION_DS] = "ds",
                                        [PROPAGATION_MM] = "mm"};
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        const Propagation propagation = (Propagation)mode;
        Buffer            notes;
        assert_string_equal(rollout_options[ROLLOUT_PROPAGATION].choices[mode], names[mode]);
        buffer_init(&notes, 1 << 12);
        for (int stochastic = 0; stochastic < 2; stochastic++) { /* DE, PE */
            assert_ok(rollout_check(propagation, 20, 5, stochastic != 0, &notes));
            assert_string_equal(buffer_text(&notes), "");
        }
        assert_ok(rollout_check(propagation, 20, 1, true, &notes)); /* P */
        if (mode == PROPAGATION_TS1 || mode == PROPAGATION_TSINF) {
            assert_contains(buffer_text(&notes), names[mode]);
            assert_contains(buffer_text(&notes), "is 'ds'\n");
        } else {
            assert_string_equal(buffer_text(&notes), "");
        }
        if (mode == PROPAGATION_E) { /* D */
            assert_ok(rollout_check(propagation, 20, 1, false, &notes));
        } else {
            assert_fails(rollout_check(propagation, 20, 1, false, &notes), STATUS_ERR_ARG,
                         "single deterministic network; use 'e'");
        }
        buffer_clear(&notes);
        assert_ok(rollout_check(propagation, 6, 5, true, &notes));
        if (mode == PROPAGATION_TS1 || mode == PROPAGATION_TSINF) {
            assert_contains(buffer_text(&notes), "6 particles are no multiple of the 5 members");
        } else {
            assert_string_equal(buffer_text(&notes), "");
        }
        buffer_reset(&notes);
    }
}

/* ---- who predicts what ---- */

static float moved_by(float x, float action, float next, float k) {
    (void)action;
    (void)k;
    return next - x;
}

/* The drift of a member is its number, so a candidate's return counts who predicted it. At the
 * first step a member predicts a candidate once for all of its particles. */
static void each_candidate_is_spread_evenly_over_the_members(void **state) {
    (void)state;
    enum { CANDIDATES = 9, BALANCED = 8, MEMBERS = 4 };
    const float actions[STEPS * CANDIDATES] = {0.0f};
    tile_rows = 5;
    stub_reward = moved_by;
    for (int mode = PROPAGATION_TS1; mode <= PROPAGATION_TSINF; mode++) {
        StubModel    model = {.members = MEMBERS, .drift = {0, 1, 2, 3}, .fails_after = -1};
        RolloutShape shape = {.candidates = CANDIDATES,
                              .particles = BALANCED,
                              .horizon = STEPS,
                              .propagation = (Propagation)mode};
        double       returns[CANDIDATES];
        evaluate(&stub_environment, &shape, &model, actions, returns);
        for (size_t c = 0; c < CANDIDATES; c++) {
            assert_close(returns[c], 1.5 * STEPS, 0.0, 0.0);
        }
        for (size_t m = 0; m < MEMBERS; m++) {
            assert_int_equal(model.rows[m],
                             CANDIDATES + CANDIDATES * BALANCED / MEMBERS * (STEPS - 1));
        }
        /* 6 particles of 9 candidates on 4 members: 54 rows, 13 or 14 each, unevenly per candidate
         */
        int    uneven = 0;
        size_t predicted = 0;
        shape.particles = 6;
        memset(model.rows, 0, sizeof model.rows);
        evaluate(&stub_environment, &shape, &model, actions, returns);
        for (size_t c = 0; c < CANDIDATES; c++) {
            uneven += fabs(returns[c] - 1.5 * STEPS) > 1e-6;
        }
        assert_true(uneven > 0);
        for (size_t m = 0; m < MEMBERS; m++) {
            const size_t dealt = (m < 2 ? 14 : 13) * (STEPS - 1);
            assert_true(model.rows[m] > dealt && model.rows[m] <= dealt + CANDIDATES);
            predicted += model.rows[m];
        }
        assert_true(predicted < 54 * STEPS);
    }
    tile_rows = TILE;
}

/* E, DS, MM: everybody predicts everything, the first step once per candidate */
static void joint_moments_ask_every_member(void **state) {
    (void)state;
    enum { CANDIDATES = 9, COUNT = 7, MEMBERS = 3 };
    const float actions[STEPS * CANDIDATES] = {0.0f};
    tile_rows = 5;
    stub_reward = moved_by;
    for (int mode = PROPAGATION_E; mode < PROPAGATION_COUNT; mode++) {
        StubModel    model = {.members = MEMBERS, .drift = {0, 1, 5}, .fails_after = -1};
        RolloutShape shape = {.candidates = CANDIDATES,
                              .particles = COUNT,
                              .horizon = STEPS,
                              .propagation = (Propagation)mode};
        double       returns[CANDIDATES];
        const size_t particles = mode == PROPAGATION_E ? 1 : COUNT;
        evaluate(&stub_environment, &shape, &model, actions, returns);
        for (size_t m = 0; m < MEMBERS; m++) {
            assert_int_equal(model.rows[m], CANDIDATES + CANDIDATES * particles * (STEPS - 1));
        }
        for (size_t c = 0; c < CANDIDATES; c++) {
            /* mean 2, standard deviation sqrt(14 / 3): E knows only the mean */
            const bool mean = fabs(returns[c] - 2.0 * STEPS) < 1e-5;
            assert_true(mean == (mode == PROPAGATION_E));
        }
    }
    tile_rows = TILE;
}

/* ---- termination ---- */

static float one_then_nan(float x, float action, float next, float k) {
    (void)action;
    (void)next;
    (void)k;
    return (x > 1.0f) ? NAN : 1.0f;
}

/* candidate 0 stays inside, 1 leaves at step 3, 2 at once; rewards beyond are NaN */
static void terminated_particles_earn_nothing_more(void **state) {
    (void)state;
    const float actions[STEPS][3] = {{0.1f, 0.4f, 2.0f},
                                     {0.1f, 0.4f, 0.0f},
                                     {0.1f, 0.4f, 0.0f},
                                     {0.1f, -9.0f, -9.0f},
                                     {0.1f, 0.0f, 0.0f}};
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        EnvironmentOps     environment = stub_environment;
        StubModel          model = {.members = 2, .gain = 1.0, .fails_after = -1};
        const RolloutShape shape = {
            .candidates = 3, .particles = 4, .horizon = STEPS, .propagation = (Propagation)mode};
        double returns[3];
        stub_reward = one_then_nan;
        environment.terminated = stub_terminated;
        evaluate(&environment, &shape, &model, &actions[0][0], returns);
        assert_close(returns[0], 5.0, 0.0, 0.0);
        assert_close(returns[1], 3.0, 0.0, 0.0);
        assert_close(returns[2], 1.0, 0.0, 0.0);
        /* without the predicate the same futures are NaN */
        evaluate(&stub_environment, &shape, &model, &actions[0][0], returns);
        assert_close(returns[0], 5.0, 0.0, 0.0);
        assert_true(isnan(returns[1]) && isnan(returns[2]));
    }
}

static float gone;    /* particles that ended */
static float at_most; /* x of the others at the second step */

static float who_is_left(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    gone += k == 1.0f && next > 1.0f ? 1.0f : 0.0f;
    at_most = k == 2.0f ? fmaxf(at_most, next) : at_most;
    return 0.0f;
}

/* About half the particles end beyond x = 1 at the first step. If they counted in the moments of
 * the second, the others would be spread around 1; they stay where they were, below it. */
static void moments_are_those_of_the_particles_that_are_left(void **state) {
    (void)state;
    EnvironmentOps     environment = stub_environment;
    StubModel          model = {.members = 1, .sd = 1e-6, .fails_after = -1};
    const float        actions[2] = {0.0f, 0.0f};
    const RolloutShape shape = {
        .candidates = 1, .particles = 400, .horizon = 2, .propagation = PROPAGATION_MM};
    double returns[1];
    tile_rows = 64;
    stub_reward = who_is_left;
    environment.terminated = stub_terminated;
    gone = 0.0f;
    at_most = -INFINITY;
    model.sd = 0.5;
    model.decay = true; /* no noise after the first step */
    evaluate_from(&environment, &shape, &model, actions, 1.0, returns);
    assert_true(gone > 150.0f && gone < 250.0f);
    /* left: the lower half of N(1, 0.5), mean 0.6, sd 0.3; redrawn as a Gaussian */
    assert_true(isfinite(at_most) && at_most < 0.6f + 4.5f * 0.3f);
    assert_true(at_most > 0.6f);
    tile_rows = TILE;
}

/* ---- targets and rewards ---- */

static float next_value(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)k;
    return next;
}

static void absolute_targets_are_the_next_value_itself(void **state) {
    (void)state;
    const bool  absolute[STUB_STATE] = {true, false};
    const float actions[2] = {0.25f, 0.5f};
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        const RolloutShape shape = {
            .candidates = 1, .particles = 2, .horizon = 2, .propagation = (Propagation)mode};
        StubModel      model = {.members = 1, .gain = 1.0, .fails_after = -1};
        EnvironmentOps environment = stub_environment;
        double         returns[1];
        stub_reward = next_value;
        evaluate(&environment, &shape, &model, actions, returns);
        assert_close(returns[0], 0.25 + 0.75, 0.0, 0.0);
        environment.target_absolute = absolute;
        evaluate(&environment, &shape, &model, actions, returns);
        assert_close(returns[0], 0.25 + 0.5, 0.0, 0.0);
    }
}

static float no_reward(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)next;
    (void)k;
    fail_msg("the environment's rewards() was called");
    return 0.0f;
}

/* The stub's third output is 10 x action + its drift: absolute, without its noise. */
static void a_learned_reward_is_the_model_s_last_output(void **state) {
    (void)state;
    const float actions[2][2] = {{0.25f, -0.5f}, {0.5f, 0.125f}};
    tile_rows = 3;
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        const RolloutShape shape = {.candidates = 2,
                                    .particles = 4,
                                    .horizon = 2,
                                    .propagation = (Propagation)mode,
                                    .learned_reward = true};
        StubModel          model = two_members(0.0, 0.1);
        double             returns[2];
        model.drift[0] = 1.0;
        model.drift[1] = 3.0;
        model.reward = true;
        stub_reward = no_reward;
        evaluate(&stub_environment, &shape, &model, &actions[0][0], returns);
        assert_close(returns[0], 10.0 * 0.75 + 2.0 * 2.0, 1e-6, 0.0);
        assert_close(returns[1], 10.0 * -0.375 + 2.0 * 2.0, 1e-6, 0.0);
    }
    tile_rows = TILE;
}

/* ---- what must not matter ---- */

/* a real network, random actions, three tile sizes, all modes */
static void results_do_not_depend_on_the_tile(void **state) {
    (void)state;
    enum { CANDIDATES = 23, COUNT = 10 };
    double values[64];
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
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        const size_t   tiles[3] = {256, 64, 7};
        const double   start[STUB_STATE] = {0.1, 0.0};
        const PlanTask plan = {.model = &model_ensemble_ops,
                               .model_self = model,
                               .state = start,
                               .seed = 5,
                               .step = 7};
        double         returns[4][CANDIDATES];
        for (size_t k = 0; k < 4; k++) {
            void         *self = NULL;
            RolloutResult result;
            RolloutShape  shape = {.candidates = CANDIDATES + k, /* more room than is used */
                                   .particles = COUNT,
                                   .horizon = STEPS,
                                   .propagation = (Propagation)mode};
            RolloutTask   task = task_of(&plan, &shape, actions);
            task.candidates = CANDIDATES;
            task.iteration = (k == 3) ? 1 : 0;
            self = stub_rollout(&environment, tiles[k % 3]);
            assert_ok(backend->reserve(self, &shape, &plan));
            assert_ok(backend->evaluate(self, &task, returns[k], &result));
            backend->destroy(self);
        }
        assert_memory_equal(returns[0], returns[1], sizeof returns[0]);
        assert_memory_equal(returns[0], returns[2], sizeof returns[0]);
        /* another iteration has other noise, if there is any */
        const bool same = memcmp(returns[0], returns[3], sizeof returns[0]) == 0;
        assert_true(same == (mode == PROPAGATION_E));
    }
    model_ensemble_ops.destroy(model);
}

static void a_deadline_in_the_past_ends_the_evaluation(void **state) {
    (void)state;
    const double       start[STUB_STATE] = {0.0, 0.0};
    const float        actions[2] = {0.0f, 0.0f};
    StubModel          model = {.members = 1, .fails_after = -1};
    const PlanTask     plan = {.model = &stub_model_ops, .model_self = &model, .state = start};
    const RolloutShape shape = {.candidates = 1, .particles = 2, .horizon = 2};
    RolloutTask        task = task_of(&plan, &shape, actions);
    RolloutResult      result;
    double             returns[1] = {7.0};
    void              *self = NULL;
    task.deadline = 1e-9;
    assert_ok(backend->create(&stub_environment, &self));
    assert_ok(backend->reserve(self, &shape, &plan));
    assert_ok(backend->evaluate(self, &task, returns, &result));
    assert_true(result.expired && returns[0] == 7.0 && model.rows[0] == 0 && result.flop == 0.0);
    backend->destroy(self);
}

static void errors_say_what_is_wrong(void **state) {
    (void)state;
    const double  start[STUB_STATE] = {0.0, 0.0};
    const float   actions[2] = {0.0f, 0.0f};
    double        returns[1] = {7.0};
    RolloutResult result;
    StubModel     model = {.members = 2, .fails_after = -1};
    PlanTask      plan = {.model = &stub_model_ops, .model_self = &model, .state = start};
    void         *self = NULL;
    RolloutShape  shape = {.candidates = 100000, .particles = 50000, .horizon = 1};
    assert_ok(backend->create(&stub_environment, &self));
    assert_fails(backend->reserve(self, &shape, &plan), STATUS_ERR_RANGE, "100000 candidates");
    shape = (RolloutShape){.candidates = 1, .particles = 2, .horizon = 2};
    model.members = 1;
    model.deterministic = true;
    assert_fails(backend->reserve(self, &shape, &plan), STATUS_ERR_ARG, "deterministic");
    model = (StubModel){.members = 2, .fails_after = -1};
    plan.model = NULL;
    assert_fails(backend->reserve(self, &shape, &plan), STATUS_ERR_ARG, "no learned model");
    plan.model = &stub_model_ops;
    assert_ok(backend->reserve(self, &shape, &plan));
    RolloutTask task = task_of(&plan, &shape, actions);
    task.iteration = 16384;
    assert_fails(backend->evaluate(self, &task, returns, &result), STATUS_ERR_RANGE,
                 "iteration 16384");
    task.iteration = 0;
    model.fails_after = 1;
    assert_fails(backend->evaluate(self, &task, returns, &result), STATUS_ERR_NUMERIC,
                 "stub fails");
    assert_true(returns[0] == 7.0);
    backend->destroy(self);
    backend->destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variances_are_those_of_the_propagation),
        cmocka_unit_test(after_one_step_sampled_members_are_two_spikes_and_moments_one_hill),
        cmocka_unit_test(moment_matching_is_gaussian_where_sampling_is_not),
        cmocka_unit_test(of_one_member_sampling_is_ds_bit_for_bit),
        cmocka_unit_test(pairs_of_model_and_propagation_are_judged),
        cmocka_unit_test(each_candidate_is_spread_evenly_over_the_members),
        cmocka_unit_test(joint_moments_ask_every_member),
        cmocka_unit_test(terminated_particles_earn_nothing_more),
        cmocka_unit_test(moments_are_those_of_the_particles_that_are_left),
        cmocka_unit_test(absolute_targets_are_the_next_value_itself),
        cmocka_unit_test(a_learned_reward_is_the_model_s_last_output),
        cmocka_unit_test(results_do_not_depend_on_the_tile),
        cmocka_unit_test(a_deadline_in_the_past_ends_the_evaluation),
        cmocka_unit_test(errors_say_what_is_wrong),
    };
    return cmocka_run_group_tests_name("mbrl/propagation", tests, NULL, NULL);
}
