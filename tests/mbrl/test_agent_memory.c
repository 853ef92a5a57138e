/* Every allocation on the way to an environment, a dataset or an agent may fail: the right status,
 * nothing left behind (AddressSanitizer's leak check watches), and the next attempt succeeds. */
#include "tests/mbrl/agent_bench.h"

#include "mbrl/models/dataset.h"

#include <stdbool.h>
#include <stdio.h>

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

static void creating_an_agent_fails_cleanly(void **state) {
    (void)state;
    const AgentOps *agent = bench_pets();
    double          options[BENCH_MOST_OPTIONS];
    size_t          n = 1;
    bench_options(options);
    for (;; n++) {
        void *self = &n;
        test_fail_allocation(n);
        const Status status = agent->create(cartpole(), AGENT_UNIT_EPISODE, options, 1, &self);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            agent->destroy(self);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(self);
    }
    assert_true(n > 8);
}

static void loading_an_agent_fails_cleanly(void **state) {
    (void)state;
    const AgentOps *agent = bench_pets();
    char           *folder = test_folder_make();
    char            path[512];
    const Chain chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 80, 40, CHAIN_SAVED, folder);
    Record      record = {0};
    size_t      n = 1;
    chain_run(&chain, &record);
    (void)snprintf(path, sizeof path, "%s/80", folder);
    for (;; n++) {
        void *self = &n;
        test_fail_allocation(n);
        const Status status =
            agent->load(chain.environment, AGENT_UNIT_ENV_STEP, chain.options, path, &self);
        const bool failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            agent->destroy(self);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(self);
    }
    assert_true(n > 12);
    record_free(&record);
    test_folder_remove(folder);
}

/* A failed save leaves no folder and an agent that can still be saved. */
static void saving_an_agent_fails_cleanly(void **state) {
    (void)state;
    const AgentOps  *agent = bench_pets();
    char            *folder = test_folder_make();
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    double           options[BENCH_MOST_OPTIONS];
    char             path[512];
    void            *self = NULL;
    bench_options(options);
    assert_ok(agent->create(cartpole(), AGENT_UNIT_ENV_STEP, options, 1, &self));
    assert_ok(agent->train(self, 50, &sink, NULL, &result));
    (void)snprintf(path, sizeof path, "%s/50", folder);
    for (size_t n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = agent->save(self, path);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        void *other = NULL;
        assert_true(agent->load(cartpole(), AGENT_UNIT_ENV_STEP, options, path, &other) ==
                    STATUS_ERR_IO);
    }
    agent->destroy(self);
    record_free(&record);
    test_folder_remove(folder);
}

static void growing_a_dataset_fails_cleanly(void **state) {
    (void)state;
    for (size_t n = 1;; n++) {
        Dataset    *dataset = NULL;
        const float row[2] = {1.0f, 2.0f};
        Status      status = STATUS_OK;
        size_t      rows = 0;
        test_fail_allocation(n);
        status = dataset_create(2, 2, 2, &dataset);
        while (status == STATUS_OK && rows < 600) {
            status = dataset_append(dataset, row, row, 0, false);
            rows += status == STATUS_OK;
        }
        const bool failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_int_equal(rows, 600);
            dataset_destroy(dataset);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        if (dataset != NULL) {
            assert_int_equal(dataset->n, rows);
            assert_ok(dataset_append(dataset, row, row, 0, false));
            assert_int_equal(dataset->n, rows + 1);
        }
        dataset_destroy(dataset);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(creating_an_agent_fails_cleanly),
        cmocka_unit_test(loading_an_agent_fails_cleanly),
        cmocka_unit_test(saving_an_agent_fails_cleanly),
        cmocka_unit_test(growing_a_dataset_fails_cleanly),
    };
    return cmocka_run_group_tests_name("mbrl/agent_memory", tests, NULL, NULL);
}
