/* The same checks for every registered environment; no environment's name stands here except in the
 * look-up tests. */
#include "tests/support/test_support.h"

#include "mbrl/environments/environment.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 7, TRIPLES = 10000, BATCH_MAX = TRIPLES };

/* One environment at work with buffers of its sizes. */
typedef struct Bench {
    const EnvironmentOps *ops;
    void                 *self;
    double                state[ENV_MAX_STATE];
    double                action[ENV_MAX_ACTION];
} Bench;

static void bench_open(Bench *bench, size_t index) {
    bench->ops = environment_at(index);
    assert_non_null(bench->ops);
    assert_ok(bench->ops->create(bench->ops, &bench->self));
}

static void bench_close(Bench *bench) {
    bench->ops->destroy(bench->self);
}

static void random_action(const EnvironmentOps *ops, Rng *rng, double *action) {
    for (size_t i = 0; i < ops->action_dim; i++) {
        action[i] =
            ops->action_low[i] + (ops->action_high[i] - ops->action_low[i]) * rng_uniform(rng);
    }
}

/* Resets with episode `unit` of SEED. */
static void bench_reset(Bench *bench, uint64_t unit) {
    Rng rng = rng_stream(SEED, unit, RNG_ENVIRONMENT);
    assert_ok(bench->ops->reset(bench->self, &rng, bench->state));
}

static EnvironmentStep bench_random_step(Bench *bench, Rng *rng) {
    EnvironmentStep step = {0};
    random_action(bench->ops, rng, bench->action);
    assert_ok(bench->ops->step(bench->self, bench->action, bench->state, &step));
    return step;
}

static void facts_are_complete(void **state) {
    (void)state;
    assert_true(environment_count() >= 1);
    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *ops = environment_at(e);
        assert_non_null(ops->name);
        assert_non_null(ops->source);
        assert_non_null(ops->help);
        assert_non_null(ops->observation);
        assert_non_null(ops->start);
        assert_in_range(ops->state_dim, 1, ENV_MAX_STATE);
        assert_in_range(ops->action_dim, 1, ENV_MAX_ACTION);
        assert_true(ops->feature_dim >= 1 && ops->dt > 0 && ops->episode_length >= 1);
        assert_true(ops->snapshot_size >= 1);
        for (size_t i = 0; i < ops->action_dim; i++) {
            assert_true(ops->action_low[i] < ops->action_high[i]);
        }
        for (size_t i = 0; i < ops->state_dim; i++) {
            assert_true(ops->target_scale[i] >= 0 && isfinite(ops->target_scale[i]));
        }
        assert_true(ops->create && ops->destroy && ops->reset && ops->step && ops->save &&
                    ops->load && ops->reward && ops->features && ops->rewards);
    }
    assert_null(environment_at(environment_count()));
}

static void names_are_found_and_near_misses_named(void **state) {
    (void)state;
    const EnvironmentOps *found = NULL;
    for (size_t e = 0; e < environment_count(); e++) {
        assert_ok(environment_find(environment_at(e)->name, &found));
        assert_ptr_equal(found, environment_at(e));
    }
    assert_fails(environment_find("cartpol", &found), STATUS_ERR_UNKNOWN_NAME, "'cartpole'");
    assert_null(found);
    assert_fails(environment_find("zzzzzzzzzzzz", &found), STATUS_ERR_UNKNOWN_NAME,
                 "no environment");
#ifndef MBTUNE_HAVE_MUJOCO
    assert_fails(environment_find("cartpole_swingup", &found), STATUS_ERR_UNAVAILABLE, "MuJoCo");
    assert_non_null(environment_unavailable()[0]);
#else
    assert_null(environment_unavailable()[0]);
#endif
}

static void destroying_nothing_is_harmless(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        environment_at(e)->destroy(NULL);
    }
}

static void same_stream_gives_the_same_start(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench a;
        Bench b;
        bench_open(&a, e);
        bench_open(&b, e);
        const size_t bytes = a.ops->state_dim * sizeof(double);
        bench_reset(&a, 1);
        bench_reset(&b, 2);
        assert_memory_not_equal(a.state, b.state, bytes);
        bench_reset(&b, 1);
        assert_memory_equal(a.state, b.state, bytes);
        bench_close(&a);
        bench_close(&b);
    }
}

/* A snapshot in the middle of an episode, loaded elsewhere, continues with the same bits. */
static void snapshots_continue_bit_for_bit(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench  a;
        Bench  b;
        double snapshot[4 * ENV_MAX_STATE];
        bench_open(&a, e);
        bench_open(&b, e);
        assert_true(a.ops->snapshot_size <= 4 * ENV_MAX_STATE);
        const size_t bytes = a.ops->state_dim * sizeof(double);
        for (uint64_t episode = 1; episode <= 5; episode++) {
            Rng rng = rng_stream(SEED, episode, RNG_EXPLORE);
            bench_reset(&a, episode);
            bench_reset(&b, episode + 100); /* something else was going on there */
            for (int t = 0; t < 7; t++) {
                (void)bench_random_step(&a, &rng);
            }
            a.ops->save(a.self, snapshot);
            assert_ok(b.ops->load(b.self, snapshot, b.state));
            assert_memory_equal(a.state, b.state, bytes);
            Rng copy = rng;
            for (int t = 0; t < 60; t++) {
                const EnvironmentStep one = bench_random_step(&a, &rng);
                const EnvironmentStep two = bench_random_step(&b, &copy);
                assert_memory_equal(a.state, b.state, bytes);
                assert_memory_equal(&one.reward, &two.reward, sizeof one.reward);
                assert_int_equal(one.terminated, two.terminated);
            }
        }
        bench_close(&a);
        bench_close(&b);
    }
}

/* Actions outside the bounds act like the bound. */
static void actions_are_clipped(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench           a;
        Bench           b;
        EnvironmentStep one;
        EnvironmentStep two;
        bench_open(&a, e);
        bench_open(&b, e);
        bench_reset(&a, 3);
        bench_reset(&b, 3);
        for (int t = 0; t < 4; t++) {
            double beyond[ENV_MAX_ACTION];
            for (size_t i = 0; i < a.ops->action_dim; i++) {
                a.action[i] = (t % 2 == 0) ? a.ops->action_high[i] : a.ops->action_low[i];
                beyond[i] = 5.0 * a.action[i];
            }
            assert_ok(a.ops->step(a.self, a.action, a.state, &one));
            assert_ok(b.ops->step(b.self, beyond, b.state, &two));
            assert_memory_equal(a.state, b.state, a.ops->state_dim * sizeof(double));
            assert_true(one.reward == two.reward);
        }
        bench_close(&a);
        bench_close(&b);
    }
}

static void bad_actions_and_states_diverge(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench           bench;
        EnvironmentStep step = {0};
        double          snapshot[4 * ENV_MAX_STATE];
        bench_open(&bench, e);
        bench_reset(&bench, 4);
        bench.ops->save(bench.self, snapshot);
        for (size_t i = 0; i < bench.ops->action_dim; i++) {
            bench.action[i] = (double)NAN;
        }
        assert_ok(bench.ops->step(bench.self, bench.action, bench.state, &step));
        assert_true(step.diverged);
        assert_false(step.terminated);

        /* a reset heals */
        Rng rng = rng_stream(SEED, 4, RNG_EXPLORE);
        bench_reset(&bench, 5);
        step = bench_random_step(&bench, &rng);
        assert_false(step.diverged);

        /* positions that are no numbers */
        snapshot[0] = (double)NAN;
        assert_ok(bench.ops->load(bench.self, snapshot, bench.state));
        step = bench_random_step(&bench, &rng);
        assert_true(step.diverged);
        bench_reset(&bench, 6);
        step = bench_random_step(&bench, &rng);
        assert_false(step.diverged);
        bench_close(&bench);
    }
}

/* Random triples around what the random policy visits, in double and the same numbers in float. */
typedef struct Triples {
    double *state;
    double *action;
    double *next;
    float  *state_f;
    float  *action_f;
    float  *next_f;
} Triples;

static float *to_float(double *values, size_t count) {
    float *out = calloc(count, sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; i++) {
        out[i] = (float)values[i];
        values[i] = (double)out[i];
    }
    return out;
}

static void triples_make(Triples *t, const EnvironmentOps *ops) {
    Rng rng = rng_stream(SEED, 0, RNG_TEST);
    t->state = calloc((size_t)TRIPLES * ops->state_dim, sizeof(double));
    t->next = calloc((size_t)TRIPLES * ops->state_dim, sizeof(double));
    t->action = calloc((size_t)TRIPLES * ops->action_dim, sizeof(double));
    for (size_t i = 0; i < (size_t)TRIPLES * ops->state_dim; i++) {
        /* Some near the origin, some far, every dimension by itself. Rows in the middle for limits
         * that need the other dimensions inside theirs; one number of them is far away. */
        const double widths[] = {0.3, 2.5, 10.0, 200.0};
        const size_t row = i / ops->state_dim;
        const bool   far = row % 4 != 0 || rng_uniform(&rng) < 1.0 / (double)ops->state_dim;
        const double width = far ? widths[(size_t)(4.0 * rng_uniform(&rng))] : 0.1;
        t->state[i] = width * rng_normal(&rng);
        t->next[i] = width * rng_normal(&rng);
    }
    for (size_t i = 0; i < TRIPLES; i++) {
        random_action(ops, &rng, t->action + i * ops->action_dim);
    }
    t->state_f = to_float(t->state, (size_t)TRIPLES * ops->state_dim);
    t->next_f = to_float(t->next, (size_t)TRIPLES * ops->state_dim);
    t->action_f = to_float(t->action, (size_t)TRIPLES * ops->action_dim);
}

static void triples_free(Triples *t) {
    free(t->state);
    free(t->next);
    free(t->action);
    free(t->state_f);
    free(t->next_f);
    free(t->action_f);
}

/* What a planner maximizes in double: the reward, and the one objective that is another. */
static double planner_reward(const EnvironmentOps *ops, const double *state, const double *action,
                             const double *next) {
    if (ops->planner_rewards == NULL) {
        return ops->reward(ops, state, action, next);
    }
    double effort = 0.0;
    for (size_t d = 0; d < ops->action_dim; d++) {
        effort += action[d] * action[d];
    }
    assert_string_equal(ops->planner_objective,
                        "speed - 0.001 |action|^2, without the bonus for being alive");
    return next[0] - 0.001 * effort;
}

static void planner_rewards_agree_with_the_simulators(void **state) {
    (void)state;
    static float reward[BATCH_MAX];
    static float planned[BATCH_MAX];
    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *ops = environment_at(e);
        Triples               t;
        triples_make(&t, ops);
        ops->rewards(ops, t.state_f, t.action_f, t.next_f, TRIPLES, reward);
        environment_planner_rewards(ops, t.state_f, t.action_f, t.next_f, TRIPLES, planned);
        double spread = 0.0;
        for (size_t i = 0; i < TRIPLES; i++) {
            const double *from = t.state + i * ops->state_dim;
            const double *action = t.action + i * ops->action_dim;
            const double *to = t.next + i * ops->state_dim;
            const double  exact = ops->reward(ops, from, action, to);
            assert_close((double)reward[i], exact, 1e-5, 1e-5);
            assert_close((double)planned[i], planner_reward(ops, from, action, to), 1e-5, 1e-5);
            spread = fmax(spread, fabs(exact - (double)reward[0]));
        }
        assert_true(spread > 0.1); /* the triples tell something */
        triples_free(&t);
    }
}

/* A model may predict anything. What a planner is told of it is the reward there, or no number. */
static void rewards_of_absurd_states_are_right_or_no_numbers(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *ops = environment_at(e);
        Rng                   rng = rng_stream(SEED, 1, RNG_TEST);
        for (int i = 0; i < 2000; i++) {
            const double size = pow(10.0, 5.0 + 25.0 * rng_uniform(&rng));
            double       from[ENV_MAX_STATE];
            double       to[ENV_MAX_STATE];
            double       action[ENV_MAX_ACTION];
            float        from_f[ENV_MAX_STATE];
            float        to_f[ENV_MAX_STATE];
            float        action_f[ENV_MAX_ACTION];
            float        reward[2];
            random_action(ops, &rng, action);
            for (size_t d = 0; d < ops->state_dim; d++) {
                /* one number in four explodes, the others stay sensible */
                from_f[d] = (float)((i + (int)d) % 4 == 0 ? size : 1.0) * (float)rng_normal(&rng);
                to_f[d] = (float)((i + (int)d) % 4 == 1 ? size : 1.0) * (float)rng_normal(&rng);
                from[d] = (double)from_f[d];
                to[d] = (double)to_f[d];
            }
            for (size_t d = 0; d < ops->action_dim; d++) {
                action_f[d] = (float)action[d];
                action[d] = (double)action_f[d];
            }
            ops->rewards(ops, from_f, action_f, to_f, 1, &reward[0]);
            environment_planner_rewards(ops, from_f, action_f, to_f, 1, &reward[1]);
            if (isfinite(reward[0])) { /* products of such numbers cancel less exactly */
                assert_close((double)reward[0], ops->reward(ops, from, action, to), 1e-5, 1e-4);
            }
            assert_true(ops->planner_rewards != NULL || reward[1] == reward[0] ||
                        !isfinite(reward[0]));
        }
    }
}

/* A batch gives each row what the row alone gives: no dependence on position or vector width. */
static void batches_equal_single_rows(void **state) {
    (void)state;
    static float         reward[BATCH_MAX];
    static unsigned char terminated[BATCH_MAX];
    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *ops = environment_at(e);
        const size_t          stride = ops->feature_dim + ops->action_dim;
        Triples               t;
        triples_make(&t, ops);
        float *features = calloc(TRIPLES * stride, sizeof *features);
        assert_non_null(features);
        ops->rewards(ops, t.state_f, t.action_f, t.next_f, TRIPLES, reward);
        ops->features(ops, t.state_f, TRIPLES, features, stride);
        if (ops->terminated != NULL) {
            ops->terminated(ops, t.next_f, TRIPLES, terminated);
        }
        for (size_t i = 0; i < TRIPLES; i++) {
            float         one_reward;
            unsigned char one_terminated;
            float         one_features[2 * ENV_MAX_STATE];
            ops->rewards(ops, t.state_f + i * ops->state_dim, t.action_f + i * ops->action_dim,
                         t.next_f + i * ops->state_dim, 1, &one_reward);
            assert_memory_equal(&one_reward, &reward[i], sizeof one_reward);
            ops->features(ops, t.state_f + i * ops->state_dim, 1, one_features, ops->feature_dim);
            assert_memory_equal(one_features, features + i * stride,
                                ops->feature_dim * sizeof(float));
            for (size_t k = 0; k < ops->feature_dim; k++) {
                assert_true(isfinite(one_features[k]));
            }
            /* the stride's gap belongs to somebody else */
            for (size_t k = ops->feature_dim; k < stride; k++) {
                assert_true(features[i * stride + k] == 0.0f);
            }
            if (ops->terminated != NULL) {
                ops->terminated(ops, t.next_f + i * ops->state_dim, 1, &one_terminated);
                assert_int_equal(one_terminated, terminated[i]);
            }
        }
        free(features);
        triples_free(&t);
    }
}

/* Predicted termination says of real successors what the simulator said. */
static void predicted_termination_agrees_with_the_simulator(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench bench;
        Rng   rng = rng_stream(SEED, 1, RNG_EXPLORE);
        int   ends = 0;
        bench_open(&bench, e);
        for (uint64_t episode = 0; episode < 20; episode++) {
            bench_reset(&bench, episode);
            EnvironmentStep step = {0};
            for (int64_t t = 0; t < bench.ops->episode_length && !step.terminated; t++) {
                step = bench_random_step(&bench, &rng);
                assert_false(step.diverged);
                float         next[ENV_MAX_STATE];
                unsigned char predicted = 0;
                for (size_t i = 0; i < bench.ops->state_dim; i++) {
                    next[i] = (float)bench.state[i];
                }
                if (bench.ops->terminated != NULL) {
                    bench.ops->terminated(bench.ops, next, 1, &predicted);
                }
                assert_int_equal(predicted, step.terminated);
            }
            ends += step.terminated;
        }
        assert_int_equal(ends > 0, bench.ops->terminated != NULL);
        bench_close(&bench);
    }
}

/* Step rewards are reward(state, action, next) of the observed triple, and a diverged episode never
 * pays more than acting at random. */
static void worst_return_is_below_the_random_policy(void **state) {
    (void)state;
    for (size_t e = 0; e < environment_count(); e++) {
        Bench  bench;
        Rng    rng = rng_stream(SEED, 2, RNG_EXPLORE);
        double total = 0.0;
        double lowest = (double)INFINITY;
        bench_open(&bench, e);
        for (uint64_t episode = 0; episode < 20; episode++) {
            EnvironmentStep step = {0};
            double          sum = 0.0;
            bench_reset(&bench, episode);
            for (int64_t t = 0; t < bench.ops->episode_length && !step.terminated; t++) {
                double before[ENV_MAX_STATE];
                memcpy(before, bench.state, sizeof before);
                step = bench_random_step(&bench, &rng);
                assert_close(step.reward,
                             bench.ops->reward(bench.ops, before, bench.action, bench.state), 1e-12,
                             0);
                sum += step.reward;
            }
            total += sum;
            lowest = fmin(lowest, sum);
        }
        print_message("%s: random policy %.4g, lowest of 20 episodes %.4g, worst_return %g\n",
                      bench.ops->name, total / 20.0, lowest, bench.ops->worst_return);
        assert_true(bench.ops->worst_return <= total / 20.0);
        assert_true(bench.ops->worst_return <= lowest);
        bench_close(&bench);
    }
}

/* How the constants in the sources were measured: the standard deviation of the one-step target
 * under the uniform random policy, episodes as the agent runs them. */
static void target_scale_is_the_measured_one(void **state) {
    (void)state;
    enum { STEPS = 100000 };
    for (size_t e = 0; e < environment_count(); e++) {
        Bench  bench;
        double sum[ENV_MAX_STATE] = {0};
        double sum2[ENV_MAX_STATE] = {0};
        bench_open(&bench, e);
        Rng      rng = rng_stream(1, 0, RNG_EXPLORE);
        uint64_t episode = 0;
        for (int count = 0; count < STEPS; episode++) {
            EnvironmentStep step = {0};
            Rng             start = rng_stream(1, episode, RNG_ENVIRONMENT);
            assert_ok(bench.ops->reset(bench.self, &start, bench.state));
            for (int64_t t = 0; t < bench.ops->episode_length && !step.terminated && count < STEPS;
                 t++) {
                double before[ENV_MAX_STATE];
                memcpy(before, bench.state, sizeof before);
                step = bench_random_step(&bench, &rng);
                count++;
                for (size_t i = 0; i < bench.ops->state_dim; i++) {
                    const bool absolute =
                        bench.ops->target_absolute != NULL && bench.ops->target_absolute[i];
                    const double target = bench.state[i] - (absolute ? 0.0 : before[i]);
                    sum[i] += target;
                    sum2[i] += target * target;
                }
            }
        }
        for (size_t i = 0; i < bench.ops->state_dim; i++) {
            const double mean = sum[i] / STEPS;
            const double deviation = sqrt(fmax(sum2[i] / STEPS - mean * mean, 0.0));
            print_message("%s target %zu: %.8g\n", bench.ops->name, i, deviation);
            assert_close(bench.ops->target_scale[i], deviation, 1e-9, 1e-3);
        }
        bench_close(&bench);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_complete),
        cmocka_unit_test(names_are_found_and_near_misses_named),
        cmocka_unit_test(destroying_nothing_is_harmless),
        cmocka_unit_test(same_stream_gives_the_same_start),
        cmocka_unit_test(snapshots_continue_bit_for_bit),
        cmocka_unit_test(actions_are_clipped),
        cmocka_unit_test(bad_actions_and_states_diverge),
        cmocka_unit_test(planner_rewards_agree_with_the_simulators),
        cmocka_unit_test(rewards_of_absurd_states_are_right_or_no_numbers),
        cmocka_unit_test(batches_equal_single_rows),
        cmocka_unit_test(predicted_termination_agrees_with_the_simulator),
        cmocka_unit_test(worst_return_is_below_the_random_policy),
        cmocka_unit_test(target_scale_is_the_measured_one),
    };
    return cmocka_run_group_tests_name("mbrl/environment_contract", tests, NULL, NULL);
}
