/* What is particular to a planner: iCEM's noise, population and elites, MPPI's sigma, smoothing and
 * weights, random shooting's draw, and the simulator as a back end. */
#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/planners/builtin.h"
#include "mbrl/planners/coloured_noise.h"
#include "tests/mbrl/planner_world.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VALUES = 32, MOST_ASKED = 1 << 16 };

static const double origin[DIM] = {0.0, 0.0};

/* ---- coloured noise ---- */

enum { LENGTH = 30, SAMPLES = 20000, HALF = LENGTH / 2 };

/* (LENGTH, SAMPLES) of noise with exponent beta */
static float *noise_of(double beta, size_t length) {
    float *basis = calloc(length * length, sizeof *basis);
    float *z = calloc(length * SAMPLES, sizeof *z);
    float *x = calloc(length * SAMPLES, sizeof *x);
    Rng    rng = rng_stream(4, 0, RNG_TEST);
    assert_true(basis != NULL && z != NULL && x != NULL);
    rng_fill_normal(&rng, z, length * SAMPLES);
    coloured_noise_basis(length, beta, basis);
    coloured_noise_apply(basis, z, length, SAMPLES, x);
    free(basis);
    free(z);
    return x;
}

/* mean power of the samples at frequency k, by the definition */
static double power_at(const float *x, size_t k) {
    double power = 0.0;
    for (size_t i = 0; i < SAMPLES; i++) {
        double real = 0.0;
        double imaginary = 0.0;
        for (size_t h = 0; h < LENGTH; h++) {
            const double angle = 2.0 * 3.14159265358979 * (double)(h * k) / LENGTH;
            real += (double)x[h * SAMPLES + i] * cos(angle);
            imaginary += (double)x[h * SAMPLES + i] * sin(angle);
        }
        power += real * real + imaginary * imaginary;
    }
    return power / SAMPLES;
}

static double covariance(const float *x, size_t h, size_t lag) {
    double sum = 0.0;
    for (size_t i = 0; i < SAMPLES; i++) {
        sum += (double)x[h * SAMPLES + i] * (double)x[(h + lag) * SAMPLES + i];
    }
    return sum / SAMPLES;
}

/* Power at frequency k over that at 1 is k^-beta; an estimate from n samples is off by sqrt(1 / n)
 * of itself (sqrt(2 / n) at the fastest, which has one degree of freedom). */
static void coloured_noise_has_the_spectrum_of_its_exponent(void **state) {
    (void)state;
    const double exponents[] = {0.0, 0.5, 2.0, 3.5};
    for (size_t e = 0; e < 4; e++) {
        float       *x = noise_of(exponents[e], LENGTH);
        const double first = power_at(x, 1);
        for (size_t k = 0; k <= HALF; k++) {
            const double expected = k == 0 ? 1.0 : pow((double)k, -exponents[e]);
            assert_close(power_at(x, k) / first, expected, 0.0, 4.0 * sqrt(3.0 / SAMPLES));
        }
        free(x);
    }
}

/* unit variance at every time; white noise has no memory, and more of it comes with beta */
static void coloured_noise_is_stationary_and_remembers_more_with_beta(void **state) {
    (void)state;
    const double exponents[] = {0.0, 1.0, 2.0, 4.0};
    double       last = -1.0;
    for (size_t e = 0; e < 4; e++) {
        float       *x = noise_of(exponents[e], LENGTH);
        const double memory = covariance(x, 3, 1);
        for (size_t h = 0; h + 4 < LENGTH; h++) {
            assert_close(covariance(x, h, 0), 1.0, 4.0 * sqrt(2.0 / SAMPLES), 0.0);
            assert_close(covariance(x, h, 1), memory, 6.0 * sqrt(2.0 / SAMPLES), 0.0);
            if (e == 0) {
                assert_close(covariance(x, h, 1), 0.0, 4.5 / sqrt(SAMPLES), 0.0);
                assert_close(covariance(x, h, 4), 0.0, 4.5 / sqrt(SAMPLES), 0.0);
            }
        }
        assert_true(memory > last + 0.03);
        last = memory;
        free(x);
    }
    assert_true(last > 0.9);
    for (size_t length = 1; length < 4; length++) { /* odd, even and no frequencies */
        float *x = noise_of(2.0, length);
        for (size_t h = 0; h < length; h++) {
            assert_close(covariance(x, h, 0), 1.0, 4.0 * sqrt(2.0 / SAMPLES), 0.0);
        }
        free(x);
    }
}

/* ---- a back end that remembers what it was asked ---- */

static float  asked[MOST_ASKED]; /* actions of the last evaluation (t, c, a) */
static size_t asked_candidates[16];
static size_t asked_times;
static size_t asked_horizon;
static double (*answer)(const float *actions, size_t candidates, size_t c, size_t time);

static Status spy_create(const EnvironmentOps *environment, void **self) {
    (void)environment;
    *self = NULL;
    return STATUS_OK;
}

static Status spy_reserve(void *self, const RolloutShape *shape, const PlanTask *task) {
    (void)self;
    (void)task;
    asked_horizon = shape->horizon;
    return STATUS_OK;
}

static Status spy_evaluate(void *self, const RolloutTask *task, double *returns,
                           RolloutResult *result) {
    (void)self;
    assert_true(asked_horizon * task->candidates * DIM <= MOST_ASKED);
    memcpy(asked, task->actions, asked_horizon * task->candidates * DIM * sizeof *asked);
    assert_int_equal(task->iteration, asked_times);
    for (size_t c = 0; c < task->candidates; c++) {
        returns[c] = answer(task->actions, task->candidates, c, asked_times);
    }
    asked_candidates[asked_times++] = task->candidates;
    *result = (RolloutResult){.flop = 1.0};
    return STATUS_OK;
}

static void spy_destroy(void *self) {
    (void)self;
}

static const PlannerBackend spy = {
    .name = "spy",
    .create = spy_create,
    .destroy = spy_destroy,
    .reserve = spy_reserve,
    .evaluate = spy_evaluate,
};

static double flat(const float *actions, size_t candidates, size_t c, size_t time) {
    (void)actions;
    (void)candidates;
    (void)c;
    (void)time;
    return 0.0;
}

static float asked_at(size_t candidates, size_t c, size_t h, size_t d) {
    return asked[(h * candidates + c) * DIM + d];
}

/* ---- planners over it ---- */

typedef struct Bench {
    const PlannerOps *ops;
    void             *self;
    double            shared[ROLLOUT_OPTION_COUNT];
    double            values[MOST_VALUES];
} Bench;

static void bench_set(Bench *b, const char *name, double value) {
    const size_t i = option_find(b->ops->options, name);
    assert_true(i < option_count(b->ops->options));
    b->values[i] = value;
}

static Bench bench_make(const PlannerOps *ops, double horizon) {
    Bench b = {.ops = ops};
    option_defaults(rollout_options, b.shared);
    option_defaults(ops->options, b.values);
    b.shared[ROLLOUT_HORIZON] = horizon;
    world_reset();
    answer = flat;
    return b;
}

static void bench_open(Bench *b) {
    const PlannerSetup setup = {
        .environment = &world, .backend = &spy, .rollout_values = b->shared, .values = b->values};
    assert_ok(b->ops->create(&setup, &b->self));
}

static PlanReport bench_plan(Bench *b, uint64_t step, double *action) {
    const PlanTask task = {.state = origin, .seed = 5, .step = step};
    PlanReport     report;
    asked_times = 0;
    assert_ok(b->ops->plan(b->self, &task, action, &report));
    return report;
}

/* the plan that is carried over */
static void bench_plan_rows(const Bench *b, double *rows) {
    enum { HEADER = 24 };
    Buffer bytes;
    buffer_init(&bytes, 1 << 20);
    assert_ok(b->ops->save(b->self, &bytes));
    memcpy(rows, bytes.data + HEADER, (size_t)b->shared[ROLLOUT_HORIZON] * DIM * sizeof *rows);
    buffer_reset(&bytes);
}

/* ---- iCEM ---- */

/* max(2 elites, N decay^-i) new ones, the kept on top, the mean in the last */
static void icem_shrinks_its_population_and_keeps_elites(void **state) {
    (void)state;
    Bench  b = bench_make(&planner_icem_ops, 4);
    double action[DIM];
    bench_set(&b, "icem_candidates", 50);
    bench_set(&b, "icem_iterations", 4);
    bench_set(&b, "icem_elites", 10);
    bench_set(&b, "icem_decay", 2.0);
    bench_set(&b, "icem_keep", 0.3);
    bench_open(&b);
    (void)bench_plan(&b, 1, action);
    const size_t first[4] = {50, 25 + 3, 20 + 3, 20 + 3 + 1};
    assert_int_equal(asked_times, 4);
    assert_memory_equal(asked_candidates, first, sizeof first);
    (void)bench_plan(&b, 2, action);
    assert_int_equal(asked_candidates[0], 50 + 3); /* those of the step before */
    assert_close(b.ops->candidates(b.values), 53 + 28 + 23 + 24, 0.0, 0.0);
    b.ops->reset(b.self);
    (void)bench_plan(&b, 3, action);
    assert_int_equal(asked_candidates[0], 50);
    b.ops->destroy(b.self);
}

static float elite[4][DIM]; /* the best sequence of iteration 0 */

/* the nearest to (1, 0) of iteration 0 is the best; what comes after is worse, kept ones aside */
static double remember_best(const float *actions, size_t candidates, size_t c, size_t time) {
    static double best;
    const double  off = fabs((double)actions[c * DIM] - 1.0);
    if (time == 0 && (c == 0 || -off > best)) {
        best = -off;
        for (size_t h = 0; h < 4; h++) {
            memcpy(elite[h], actions + (h * candidates + c) * DIM, sizeof elite[h]);
        }
    }
    return -off;
}

static void icem_carries_elites_on_and_does_what_the_best_does(void **state) {
    (void)state;
    Bench  b = bench_make(&planner_icem_ops, 4);
    double action[DIM];
    double mean[4 * DIM];
    answer = remember_best;
    bench_set(&b, "icem_candidates", 40);
    bench_set(&b, "icem_iterations", 2);
    bench_set(&b, "icem_elites", 5);
    bench_set(&b, "icem_keep", 0.2); /* the best one */
    bench_set(&b, "icem_initial_sd", 0.3);
    bench_open(&b);
    const PlanReport report = bench_plan(&b, 1, action);
    /* second iteration: 32 new ones, the best of the first, the mean */
    assert_int_equal(asked_candidates[1], 32 + 1 + 1);
    for (size_t h = 0; h < 4; h++) {
        for (size_t d = 0; d < DIM; d++) {
            assert_true(asked_at(34, 32, h, d) == elite[h][d]);
        }
    }
    /* what is done is the first action of the best of the last iteration */
    size_t best = 0;
    for (size_t c = 1; c < 34; c++) {
        best = answer(asked, 34, c, 1) > answer(asked, 34, best, 1) ? c : best;
    }
    assert_close(report.expected_return, answer(asked, 34, best, 1), 0.0, 0.0);
    for (size_t d = 0; d < DIM; d++) {
        assert_true(action[d] == (double)asked_at(34, best, 0, d));
    }
    /* the mean of the elites is what goes on, and it is another */
    bench_plan_rows(&b, mean);
    float kept[4][DIM];
    for (size_t h = 0; h < 4; h++) {
        for (size_t d = 0; d < DIM; d++) {
            kept[h][d] = asked_at(34, best, h, d);
        }
    }
    assert_true(mean[0] != (double)kept[1][0]);
    /* the next step begins with the best sequence, shifted; its last action is a fresh one */
    bench_set(&b, "icem_iterations", 1);
    assert_ok(b.ops->set(b.self, b.shared, b.values));
    (void)bench_plan(&b, 2, action);
    assert_int_equal(asked_candidates[0], 40 + 1 + 1);
    for (size_t h = 0; h + 1 < 4; h++) {
        for (size_t d = 0; d < DIM; d++) {
            assert_true(asked_at(42, 40, h, d) == kept[h + 1][d]);
            /* and the mean is among the candidates of the last iteration */
            assert_true(asked_at(42, 41, h, d) == (float)mean[h * DIM + d]);
        }
    }
    assert_true(asked_at(42, 40, 3, 0) != (float)middle[0]);
    b.ops->destroy(b.self);
}

/* samples are the mean + sd x noise of the exponent, clipped at the bounds in place of truncated */
static void icem_samples_are_clipped_coloured_noise(void **state) {
    (void)state;
    enum { COUNT = 4000, T = 8 };
    double memory[2];
    double action[DIM];
    for (int k = 0; k < 2; k++) {
        Bench b = bench_make(&planner_icem_ops, T);
        bench_set(&b, "icem_candidates", COUNT);
        bench_set(&b, "icem_iterations", 1);
        bench_set(&b, "icem_noise_beta", k == 0 ? 0.0 : 3.0);
        bench_set(&b, "icem_initial_sd", 0.2);
        bench_open(&b);
        (void)bench_plan(&b, 1, action);
        const double sd = 0.2 * 1.5; /* half the range of dimension 0 */
        double       squares = 0.0;
        double       products = 0.0;
        for (size_t c = 0; c < COUNT; c++) {
            const double first = (double)asked_at(COUNT + 1, c, 2, 0) - middle[0];
            const double second = (double)asked_at(COUNT + 1, c, 3, 0) - middle[0];
            squares += first * first;
            products += first * second;
        }
        assert_close(squares / COUNT, sd * sd, 0.0, 0.1);
        memory[k] = products / squares;
        b.ops->destroy(b.self);
    }
    assert_close(memory[0], 0.0, 0.07, 0.0);
    assert_true(memory[1] > 0.6);
    /* a wide distribution piles up at the bounds */
    Bench b = bench_make(&planner_icem_ops, T);
    bench_set(&b, "icem_candidates", COUNT);
    bench_set(&b, "icem_iterations", 1);
    bench_set(&b, "icem_initial_sd", 1.0);
    bench_open(&b);
    (void)bench_plan(&b, 1, action);
    size_t at_bound = 0;
    for (size_t c = 0; c < COUNT; c++) {
        at_bound += asked_at(COUNT + 1, c, 1, 0) == 2.0f;
    }
    assert_close((double)at_bound / COUNT, 0.1587, 0.03, 0.0); /* beyond one sd */
    b.ops->destroy(b.self);
}

static void the_published_settings_are_the_defaults(void **state) {
    (void)state;
    const double icem[] = {40, 3, 10, 0.1, 0.5, 2.0, 1.25, 0.3};
    const double mppi[] = {700, 1, 1, 0.9, 0.9};
    const double shooting[] = {2000};
    double       values[MOST_VALUES];
    option_defaults(planner_icem_ops.options, values);
    assert_int_equal(option_count(planner_icem_ops.options), 8);
    assert_memory_equal(values, icem, sizeof icem);
    option_defaults(planner_mppi_ops.options, values);
    assert_int_equal(option_count(planner_mppi_ops.options), 5);
    assert_memory_equal(values, mppi, sizeof mppi);
    option_defaults(planner_random_shooting_ops.options, values);
    assert_int_equal(option_count(planner_random_shooting_ops.options), 1);
    assert_memory_equal(values, shooting, sizeof shooting);
}

/* ---- MPPI ---- */

/* spread of the candidates' actions at time h */
static double spread_at(size_t candidates, size_t h) {
    double sum = 0.0;
    double squares = 0.0;
    for (size_t c = 0; c < candidates; c++) {
        const double value = (double)asked_at(candidates, c, h, 0);
        sum += value;
        squares += value * value;
    }
    const double mean = sum / (double)candidates;
    return sqrt(squares / (double)candidates - mean * mean);
}

/* a_h = beta (mu + eps) + (1 - beta) a_(h-1): sd beta sigma at h = 0, beta sigma / sqrt(1 - (1 -
 * beta)^2) far on; correlation of neighbours 1 - beta */
static void mppi_sigma_and_beta_do_what_they_say(void **state) {
    (void)state;
    enum { COUNT = 4000, T = 8 };
    const double sigmas[] = {0.02, 0.05, 0.1};
    const double betas[] = {1.0, 0.9, 0.4};
    double       action[DIM];
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 3; k++) {
            Bench b = bench_make(&planner_mppi_ops, T);
            bench_set(&b, "mppi_candidates", COUNT);
            bench_set(&b, "mppi_sigma", sigmas[i]);
            bench_set(&b, "mppi_beta", betas[k]);
            bench_open(&b);
            (void)bench_plan(&b, 1, action);
            const double first = betas[k] * sigmas[i] * 1.5;
            const double rest = 1.0 - betas[k];
            assert_close(spread_at(COUNT, 0), first, 0.0, 0.05);
            assert_close(spread_at(COUNT, T - 1), first / sqrt(1.0 - rest * rest), 0.0, 0.05);
            double products = 0.0;
            for (size_t c = 0; c < COUNT; c++) {
                products += ((double)asked_at(COUNT, c, T - 2, 0) - middle[0]) *
                            ((double)asked_at(COUNT, c, T - 1, 0) - middle[0]);
            }
            const double spread = spread_at(COUNT, T - 1);
            assert_close(products / COUNT / (spread * spread), rest, 0.08, 0.0);
            b.ops->destroy(b.self);
        }
    }
}

/* returns 1, 2, 3 and NaN by turns */
static double by_turns(const float *actions, size_t candidates, size_t c, size_t time) {
    (void)actions;
    (void)candidates;
    (void)time;
    return c % 4 == 3 ? (double)NAN : (double)(c % 4 + 1);
}

/* the plan is the mean with weights exp(kappa (R - max R)); the next step smooths from the action
 * that was carried out */
static void mppi_weighs_by_the_exponential_of_the_return(void **state) {
    (void)state;
    enum { COUNT = 8, T = 3 };
    Bench  b = bench_make(&planner_mppi_ops, T);
    double action[DIM];
    double rows[T * DIM];
    answer = by_turns;
    bench_set(&b, "mppi_candidates", COUNT);
    bench_set(&b, "mppi_kappa", 0.7);
    bench_open(&b);
    const PlanReport report = bench_plan(&b, 1, action);
    const double     weight[4] = {exp(-1.4), exp(-0.7), 1.0, 0.0};
    double           mean[T][DIM] = {{0.0}};
    const double     total = 2.0 * (weight[0] + weight[1] + weight[2]);
    for (size_t c = 0; c < COUNT; c++) {
        for (size_t k = 0; k < (size_t)T * DIM; k++) {
            mean[k / DIM][k % DIM] +=
                weight[c % 4] / total * (double)asked_at(COUNT, c, k / DIM, k % DIM);
        }
    }
    bench_plan_rows(&b, rows);
    for (size_t d = 0; d < DIM; d++) {
        assert_close(action[d], mean[0][d], 1e-6, 0.0);
        assert_close(rows[d], mean[1][d], 1e-6, 0.0);
        assert_close(rows[DIM + d], mean[2][d], 1e-6, 0.0);
        assert_close(rows[(size_t)2 * DIM + d], middle[d], 0.0, 0.0);
    }
    assert_close(report.expected_return,
                 2.0 * (1.0 * weight[0] + 2.0 * weight[1] + 3.0 * weight[2]) / total, 1e-12, 0.0);
    /* nearly no noise: the second step's first action is beta mu_0 + (1 - beta) the last action */
    bench_set(&b, "mppi_sigma", 0.001);
    bench_set(&b, "mppi_beta", 0.25);
    assert_ok(b.ops->set(b.self, b.shared, b.values));
    const double last[DIM] = {action[0], action[1]};
    (void)bench_plan(&b, 2, action);
    for (size_t d = 0; d < DIM; d++) {
        assert_close((double)asked_at(COUNT, 0, 0, d), 0.25 * rows[d] + 0.75 * last[d], 0.01, 0.0);
    }
    b.ops->destroy(b.self);
}

/* ---- random shooting ---- */

static double first_is_good(const float *actions, size_t candidates, size_t c, size_t time) {
    (void)candidates;
    /* the very best comes in the first batch */
    return -fabs((double)actions[c * DIM] - 1.0) - (time == 0 ? 0.0 : 0.5);
}

static void shooting_draws_uniformly_in_batches_and_takes_the_best(void **state) {
    (void)state;
    enum { T = 2 };
    Bench  b = bench_make(&planner_random_shooting_ops, T);
    double action[DIM];
    answer = first_is_good;
    bench_set(&b, "shooting_candidates", 2500);
    bench_open(&b);
    const PlanReport report = bench_plan(&b, 1, action);
    const size_t     batches[3] = {1000, 1000, 500};
    assert_int_equal(asked_times, 3);
    assert_memory_equal(asked_candidates, batches, sizeof batches);
    assert_close(action[0], 1.0, 0.02, 0.0);
    assert_close(report.expected_return, -fabs(action[0] - 1.0), 1e-7, 0.0);
    double sum = 0.0;
    double squares = 0.0;
    for (size_t c = 0; c < 500; c++) {
        const double value = (double)asked_at(500, c, 1, 0);
        sum += value;
        squares += value * value;
    }
    /* uniform on [-1, 2]: mean 0.5, variance 9 / 12 */
    assert_close(sum / 500.0, 0.5, 4.0 * sqrt(0.75 / 500.0), 0.0);
    assert_close(squares / 500.0 - 0.25, 0.75, 0.15, 0.0);
    b.ops->destroy(b.self);
}

/* ---- the simulator as a back end ---- */

static bool world_ends; /* beyond 1 in the first dimension */

static Status ending_step(void *self, const double *action, double *state, EnvironmentStep *out) {
    TRY(world.step(self, action, state, out));
    out->terminated = world_ends && state[0] > 1.0;
    out->reward = 1.0;
    return STATUS_OK;
}

static void the_simulator_is_asked_from_the_real_state(void **state) {
    (void)state;
    enum { T = 4, COUNT = 3 };
    EnvironmentOps        ending = world;
    const PlannerBackend *backend = &planner_backend_simulation_ops;
    const double          start[DIM] = {0.25, 0.5};
    PlanTask              plan = {.state = origin, .snapshot = start};
    const RolloutShape    shape = {.candidates = COUNT, .particles = 20, .horizon = T};
    float                 actions[T][COUNT][DIM] = {{{0.0f}}};
    double                returns[COUNT];
    RolloutResult         result;
    void                 *self = NULL;
    world_reset();
    world_ends = true;
    ending.step = ending_step;
    actions[0][1][0] = 1.0f; /* ends at once */
    actions[2][2][0] = 1.0f; /* ends at the third step */
    assert_ok(backend->create(&ending, &self));
    const RolloutTask task = {.plan = &plan, .actions = &actions[0][0][0], .candidates = COUNT};
    assert_ok(backend->reserve(self, &shape, &plan));
    assert_ok(backend->evaluate(self, &task, returns, &result));
    assert_close(returns[0], 4.0, 0.0, 0.0);
    assert_close(returns[1], 1.0, 0.0, 0.0);
    assert_close(returns[2], 3.0, 0.0, 0.0);
    /* only what was simulated is counted */
    assert_close(result.env_steps, 4.0 + 1.0 + 3.0, 0.0, 0.0);
    assert_close(result.flop, 0.0, 0.0, 0.0);
    backend->destroy(self);

    /* the reward is that of the environment; what diverges is NaN, whatever was earned before */
    assert_ok(backend->create(&world, &self));
    assert_ok(backend->reserve(self, &shape, &plan));
    forbidden = 0.5;
    assert_ok(backend->evaluate(self, &task, returns, &result));
    const double still = 20.0 * (0.35 * 0.35 + 0.8 * 0.8);
    assert_close(returns[0], -4.0 * still, 1e-9, 0.0);
    assert_true(isnan(returns[1]) && isnan(returns[2]));
    assert_close(result.env_steps, 4.0 + 1.0 + 3.0, 0.0, 0.0);
    plan.snapshot = NULL;
    assert_fails(backend->reserve(self, &shape, &plan), STATUS_ERR_ARG, "no simulator state");
    backend->destroy(self);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coloured_noise_has_the_spectrum_of_its_exponent),
        cmocka_unit_test(coloured_noise_is_stationary_and_remembers_more_with_beta),
        cmocka_unit_test(icem_shrinks_its_population_and_keeps_elites),
        cmocka_unit_test(icem_carries_elites_on_and_does_what_the_best_does),
        cmocka_unit_test(icem_samples_are_clipped_coloured_noise),
        cmocka_unit_test(the_published_settings_are_the_defaults),
        cmocka_unit_test(mppi_sigma_and_beta_do_what_they_say),
        cmocka_unit_test(mppi_weighs_by_the_exponential_of_the_return),
        cmocka_unit_test(shooting_draws_uniformly_in_batches_and_takes_the_best),
        cmocka_unit_test(the_simulator_is_asked_from_the_real_state),
    };
    return cmocka_run_group_tests_name("mbrl/planners", tests, NULL, NULL);
}
