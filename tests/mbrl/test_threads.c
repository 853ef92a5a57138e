/* The number of threads changes the speed and nothing else: same bits for every propagation, for
 * the simulators, for planners and for an agent; deadlines and failures work with any number. */
#include "tests/mbrl/agent_bench.h"
#include "tests/support/test_support.h"

#include "core/clock.h"
#include "core/rng.h"
#include "core/thread_pool.h"
#include "mbrl/models/builtin.h"
#include "mbrl/planners/builtin.h"
#include "tests/mbrl/planner_stub.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 3, T = 6, CANDIDATES = 150 };

typedef struct Pools {
    ThreadPool *of[MOST + 1]; /* by number of threads; 0: none */
} Pools;

static Pools open_pools(void) {
    Pools pools = {{NULL}};
    for (size_t threads = 1; threads <= MOST; threads++) {
        assert_ok(thread_pool_create(threads, &pools.of[threads]));
    }
    return pools;
}

static void close_pools(Pools *pools) {
    for (size_t threads = 0; threads <= MOST; threads++) {
        thread_pool_destroy(pools->of[threads]);
    }
}

static void *make_ensemble(size_t members) {
    double values[64];
    void  *model = NULL;
    option_defaults(model_ensemble_ops.options, values);
    values[option_find(model_ensemble_ops.options, "hidden_width")] = 24;
    values[option_find(model_ensemble_ops.options, "ensemble_size")] = (double)members;
    assert_ok(model_ensemble_ops.create(&(DynamicsModelSetup){.input_dim = STUB_STATE + 1,
                                                              .output_dim = STUB_STATE,
                                                              .target_scale = stub_scale},
                                        values, &model));
    return model;
}

static void draw_actions(float *actions, size_t n) {
    Rng rng = rng_stream(2, 0, RNG_TEST);
    for (size_t i = 0; i < n; i++) {
        actions[i] = (float)(2.0 * rng_uniform(&rng) - 1.0);
    }
}

static float next_value(float x, float action, float next, float k) {
    (void)x;
    (void)action;
    (void)k;
    return next;
}

typedef struct RolloutCase {
    Propagation propagation;
    size_t      members;
    size_t      particles;
    size_t      candidates;
} RolloutCase;

static void same_rollouts(const RolloutCase *c, const Pools *pools) {
    const PlannerBackend *backend = &planner_backend_rollout_ops;
    const double          start[STUB_STATE] = {0.1, 0.0};
    EnvironmentOps        environment = stub_environment;
    void                 *model = make_ensemble(c->members);
    const size_t          numbers[] = {0, 1, 2, 3, 1}; /* of threads; room of three for one */
    double                returns[CANDIDATES];
    double                alone[CANDIDATES];
    float                 actions[T * CANDIDATES];
    void                 *self = NULL;
    draw_actions(actions, sizeof actions / sizeof *actions);
    stub_reward = next_value;
    environment.terminated = stub_terminated; /* rows drop out, tiles are uneven */
    const RolloutShape shape = {.candidates = c->candidates,
                                .particles = c->particles,
                                .horizon = T,
                                .propagation = c->propagation};
    assert_ok(backend->create(&environment, &self));
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        RolloutResult     result;
        const PlanTask    plan = {.model = &model_ensemble_ops,
                                  .model_self = model,
                                  .state = start,
                                  .seed = 5,
                                  .step = 7,
                                  .pool = pools->of[numbers[k]]};
        const RolloutTask task = {
            .plan = &plan, .actions = actions, .candidates = c->candidates, .iteration = 1};
        assert_ok(backend->reserve(self, &shape, &plan));
        assert_ok(backend->evaluate(self, &task, returns, &result));
        assert_false(result.expired);
        if (k == 0) {
            memcpy(alone, returns, c->candidates * sizeof *alone);
        }
        assert_memory_equal(alone, returns, c->candidates * sizeof *returns);
    }
    backend->destroy(self);
    model_ensemble_ops.destroy(model);
}

static void every_propagation_gives_the_same_bits(void **state) {
    (void)state;
    Pools pools = open_pools();
    for (int mode = 0; mode < PROPAGATION_COUNT; mode++) {
        /* balanced; dealt over all rows; fewer rows than threads */
        const RolloutCase cases[] = {{(Propagation)mode, 5, 10, CANDIDATES},
                                     {(Propagation)mode, 3, 7, CANDIDATES},
                                     {(Propagation)mode, 2, 1, 2}};
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            same_rollouts(&cases[k], &pools);
        }
    }
    close_pools(&pools);
}

/* One environment after another in its own simulator, and in one per thread. The start is a few
 * steps into an episode, so that a simulator's inner state (MuJoCo's warm start) counts. */
static void same_simulations(const EnvironmentOps *environment, const Pools *pools) {
    const PlannerBackend *backend = &planner_backend_simulation_ops;
    const size_t          a = environment->action_dim;
    const double         *low = environment->action_low;
    Rng                   rng = rng_stream(3, 0, RNG_TEST);
    const size_t          count = (size_t)T * CANDIDATES * a;
    float                *actions = calloc(count, sizeof *actions);
    double               *snapshot = calloc(environment->snapshot_size, sizeof *snapshot);
    double                observed[ENV_MAX_STATE];
    double                returns[MOST + 1][CANDIDATES];
    double                steps[MOST + 1];
    void                 *simulator = NULL;
    void                 *self = NULL;
    assert_true(actions != NULL && snapshot != NULL);
    for (size_t i = 0; i < count; i++) {
        const double range = environment->action_high[i % a] - low[i % a];
        actions[i] = (float)(low[i % a] + range * rng_uniform(&rng));
    }
    assert_ok(environment->create(environment, &simulator));
    assert_ok(environment->reset(simulator, &rng, observed));
    for (int i = 0; i < 3; i++) {
        EnvironmentStep step;
        assert_ok(environment->step(simulator, environment->action_high, observed, &step));
    }
    environment->save(simulator, snapshot);
    assert_ok(backend->create(environment, &self));
    const RolloutShape shape = {.candidates = CANDIDATES, .particles = 1, .horizon = T};
    for (size_t threads = 0; threads <= MOST; threads++) {
        RolloutResult  result;
        const PlanTask plan = {.state = observed, .snapshot = snapshot, .pool = pools->of[threads]};
        const RolloutTask task = {.plan = &plan, .actions = actions, .candidates = CANDIDATES};
        assert_ok(backend->reserve(self, &shape, &plan));
        assert_ok(backend->evaluate(self, &task, returns[threads], &result));
        steps[threads] = result.env_steps;
        assert_memory_equal(returns[0], returns[threads], sizeof returns[0]);
        assert_close(steps[threads], steps[0], 0.0, 0.0);
    }
    backend->destroy(self);
    environment->destroy(simulator);
    free(actions);
    free(snapshot);
}

static void the_simulators_give_the_same_bits(void **state) {
    (void)state;
    Pools pools = open_pools();
    for (size_t i = 0; i < environment_count(); i++) {
        same_simulations(environment_at(i), &pools);
    }
    close_pools(&pools);
}

/* trains on 1, 2, 3 threads, and evaluates; every metric but the timing ones */
static void agents_give_the_same_metrics(void **state) {
    (void)state;
    Pools        pools = open_pools();
    const double kinds[2] = {0.0, 1.0}; /* planning_model: learned, true_dynamics */
    const Chain  chain = chain_make("cartpole", AGENT_UNIT_EPISODE, 2, 2, CHAIN_MEMORY, NULL);
    AgentResult  result;
    for (size_t kind = 0; kind < 2; kind++) {
        Record record[MOST + 1] = {{.agent = NULL}};
        for (size_t threads = 0; threads <= MOST; threads++) {
            const AgentOps  *agent = bench_pets();
            const MetricSink sink = record_sink(&record[threads]);
            double           values[BENCH_MOST_OPTIONS];
            atomic_bool      yield = false;
            void            *self = NULL;
            memcpy(values, chain.options, sizeof values);
            bench_option(values, "planning_model", kinds[kind]);
            bench_option(values, "cem_candidates", 60);
            assert_ok(agent->create(chain.environment, chain.unit, values, 11, &self));
            agent->set_pool(self, pools.of[threads]);
            assert_ok(agent->train(self, 2, &sink, &yield, &result));
            assert_ok(agent->evaluate(self, 1, 3, &sink, &result));
            agent->destroy(self);
            record_expect_same(&record[threads], &record[0]);
        }
        for (size_t threads = 0; threads <= MOST; threads++) {
            record_free(&record[threads]);
        }
    }
    close_pools(&pools);
}

/* ---- deadlines ---- */

/* a model that takes a millisecond for a call, from any number of threads */
static Status slow_predict(const void *self, size_t member, const float *x, size_t stride, size_t n,
                           float *mean, float *sd, Arena *scratch) {
    const struct timespec nap = {.tv_nsec = 1000000};
    (void)self;
    (void)member;
    (void)x;
    (void)stride;
    (void)scratch;
    (void)nanosleep(&nap, NULL);
    memset(mean, 0, n * STUB_STATE * sizeof *mean);
    memset(sd, 0, n * STUB_STATE * sizeof *sd);
    return STATUS_OK;
}

static Status failing_predict(const void *self, size_t member, const float *x, size_t stride,
                              size_t n, float *mean, float *sd, Arena *scratch) {
    TRY(slow_predict(self, member, x, stride, n, mean, sd, scratch));
    FAIL(STATUS_ERR_NUMERIC, "member %zu fails", member);
}

/* a model in whose call number `late.at` the deadline passes, however fast or slow the machine is
 */
static struct {
    double     deadline;
    int        at;
    atomic_int calls;
} late;

static Status late_predict(const void *self, size_t member, const float *x, size_t stride, size_t n,
                           float *mean, float *sd, Arena *scratch) {
    (void)self;
    (void)member;
    (void)x;
    (void)stride;
    (void)scratch;
    if (atomic_fetch_add(&late.calls, 1) + 1 >= late.at) {
        while (clock_monotonic() < late.deadline) {
            clock_sleep(0.001);
        }
    }
    memset(mean, 0, n * STUB_STATE * sizeof *mean);
    memset(sd, 0, n * STUB_STATE * sizeof *sd);
    return STATUS_OK;
}

/* 40 calls and more per time step; the deadline falls into the second. It ends the evaluation
 * within the tiles that are under way, whatever the number of threads. Where the machine is so slow
 * that it falls into the first, there are fewer calls. */
static void a_deadline_falls_into_a_step(void **state) {
    (void)state;
    const PlannerBackend *backend = &planner_backend_rollout_ops;
    const Propagation     modes[2] = {PROPAGATION_TS1, PROPAGATION_DS};
    const double          start[STUB_STATE] = {0.0, 0.0};
    DynamicsModelOps      slow = stub_model_ops;
    Pools                 pools = open_pools();
    slow.predict = late_predict;
    stub_reward = next_value;
    for (size_t k = 0; k < 2; k++) {
        for (size_t threads = 1; threads <= MOST; threads++) {
            const StubModel    model = {.members = 4, .fails_after = -1};
            float              actions[40 * 100] = {0.0f};
            double             returns[40];
            void              *self = NULL;
            ThreadPool        *pool = pools.of[threads];
            RolloutResult      result;
            const RolloutShape shape = {
                .candidates = 40, .particles = 4, .horizon = 100, .propagation = modes[k]};
            const PlanTask plan = {
                .model = &slow, .model_self = &model, .state = start, .pool = pool};
            RolloutTask task = {.plan = &plan, .actions = actions, .candidates = 40};
            returns[0] = 7.0;
            self = stub_rollout(&stub_environment, 4);
            assert_ok(backend->reserve(self, &shape, &plan));
            task.deadline = clock_monotonic() + 0.06;
            late.deadline = task.deadline;
            late.at = 45;
            atomic_store(&late.calls, 0);
            assert_ok(backend->evaluate(self, &task, returns, &result));
            assert_true(result.expired && returns[0] == 7.0);
            assert_true(clock_monotonic() >= task.deadline);
            /* a tile is one call per member at most; the second step ends with call 80 */
            assert_true(atomic_load(&late.calls) <= late.at + 4 * (int)threads);
            backend->destroy(self);
        }
    }
    close_pools(&pools);
}

static void a_deadline_falls_into_the_simulations(void **state) {
    (void)state;
    const PlannerBackend *backend = &planner_backend_simulation_ops;
    const EnvironmentOps *environment = NULL;
    Pools                 pools = open_pools();
    enum { MANY = 400000, LONG = 5 };
    float  *actions = calloc((size_t)MANY * LONG, sizeof *actions);
    double *returns = calloc(MANY, sizeof *returns);
    double  snapshot[8] = {0.0};
    double  observed[ENV_MAX_STATE] = {0.0};
    assert_true(actions != NULL && returns != NULL);
    assert_ok(environment_find("pendulum", &environment));
    for (size_t threads = 1; threads <= MOST; threads++) {
        void              *self = NULL;
        RolloutResult      result = {.env_steps = 0.0};
        const RolloutShape shape = {.candidates = MANY, .particles = 1, .horizon = LONG};
        const PlanTask plan = {.state = observed, .snapshot = snapshot, .pool = pools.of[threads]};
        RolloutTask    task = {.plan = &plan, .actions = actions, .candidates = MANY};
        assert_ok(backend->create(environment, &self));
        assert_ok(backend->reserve(self, &shape, &plan));
        /* on a busy machine the time may be over before the first of them has begun */
        for (int tries = 0; tries < 200 && result.env_steps == 0.0; tries++) {
            task.deadline = clock_monotonic() + 0.005;
            assert_ok(backend->evaluate(self, &task, returns, &result));
            assert_true(result.expired && result.env_steps < (double)MANY * LONG);
        }
        assert_true(result.env_steps > 0.0);
        backend->destroy(self);
    }
    free(actions);
    free(returns);
    close_pools(&pools);
}

/* ---- failures ---- */

static void a_failure_in_a_thread_is_that_of_the_evaluation(void **state) {
    (void)state;
    const PlannerBackend *backend = &planner_backend_rollout_ops;
    const double          start[STUB_STATE] = {0.0, 0.0};
    const float           actions[40] = {0.0f};
    const StubModel       model = {.members = 4, .fails_after = -1};
    DynamicsModelOps      failing = stub_model_ops;
    Pools                 pools = open_pools();
    double                returns[40];
    RolloutResult         result;
    void                 *self = NULL;
    const RolloutShape    shape = {.candidates = 40, .particles = 4, .horizon = 1};
    PlanTask              plan = {.model = &failing, .model_self = &model, .state = start};
    RolloutTask           task = {.plan = &plan, .actions = actions, .candidates = 40};
    failing.predict = failing_predict;
    self = stub_rollout(&stub_environment, 4);
    for (size_t threads = 1; threads <= MOST; threads++) {
        plan.pool = pools.of[threads];
        assert_ok(backend->reserve(self, &shape, &plan));
        assert_fails(backend->evaluate(self, &task, returns, &result), STATUS_ERR_NUMERIC,
                     "member 0 fails");
    }
    /* more threads than room was made for */
    plan.pool = NULL;
    assert_ok(backend->reserve(self, &shape, &plan));
    plan.pool = pools.of[3];
    assert_fails(backend->evaluate(self, &task, returns, &result), STATUS_ERR_STATE,
                 "3 threads, room was made for 1");
    backend->destroy(self);
    close_pools(&pools);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_propagation_gives_the_same_bits),
        cmocka_unit_test(the_simulators_give_the_same_bits),
        cmocka_unit_test(agents_give_the_same_metrics),
        cmocka_unit_test(a_deadline_falls_into_a_step),
        cmocka_unit_test(a_deadline_falls_into_the_simulations),
        cmocka_unit_test(a_failure_in_a_thread_is_that_of_the_evaluation),
    };
    return cmocka_run_group_tests_name("mbrl/threads", tests, NULL, NULL);
}
