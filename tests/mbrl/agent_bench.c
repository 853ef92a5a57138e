#include "tests/mbrl/agent_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_timing(const AgentOps *agent, const char *name) {
    for (const AgentMetric *m = agent->metrics; m->name != NULL; m++) {
        if (strcmp(m->name, name) == 0) {
            return m->timing;
        }
    }
    fail_msg("metric '%s' is not declared", name);
    return false;
}

static void take(void *context, int64_t step, int64_t index, const char *name, double value) {
    Record *record = context;
    if (is_timing(record->agent, name)) {
        return;
    }
    if (record->count == record->capacity) {
        record->capacity = record->capacity > 0 ? 2 * record->capacity : 64;
        record->metrics = realloc(record->metrics, record->capacity * sizeof *record->metrics);
        assert_non_null(record->metrics);
    }
    RecordedMetric *metric = &record->metrics[record->count++];
    memset(metric, 0, sizeof *metric);
    metric->step = step;
    metric->index = index;
    metric->value = value;
    (void)snprintf(metric->name, sizeof metric->name, "%s", name);
}

static void count_alive(void *context) {
    Record *record = context;
    record->alive++;
}

MetricSink record_sink(Record *record) {
    if (record->agent == NULL) {
        record->agent = bench_pets();
    }
    return (MetricSink){.context = record, .metric = take, .alive = count_alive};
}

void record_free(Record *record) {
    free(record->metrics);
    *record = (Record){0};
}

void record_expect_same(const Record *a, const Record *b) {
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const RecordedMetric *x = &a->metrics[i];
        const RecordedMetric *y = &b->metrics[i];
        if (memcmp(x, y, sizeof *x) != 0) {
            fail_msg("row %zu: %s at %lld is %.17g, expected %s at %lld: %.17g", i, x->name,
                     (long long)x->step, x->value, y->name, (long long)y->step, y->value);
        }
    }
}

size_t record_count(const Record *record, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < record->count; i++) {
        count += strcmp(record->metrics[i].name, name) == 0;
    }
    return count;
}

double record_value(const Record *record, const char *name, size_t nth) {
    size_t seen = 0;
    for (size_t i = 0; i < record->count; i++) {
        if (strcmp(record->metrics[i].name, name) == 0 && seen++ == nth) {
            return record->metrics[i].value;
        }
    }
    fail_msg("there is no value %zu of '%s'", nth, name);
    return 0.0;
}

const AgentOps *bench_pets(void) {
    const AgentOps *agent = NULL;
    assert_ok(agent_find("pets", &agent));
    return agent;
}

void bench_option(double *values, const char *name, double value) {
    const OptionSpec *specs = bench_pets()->options();
    const size_t      index = option_find(specs, name);
    assert_true(index < option_count(specs));
    values[index] = value;
}

void bench_choice(double *values, const char *name, const char *choice) {
    const OptionSpec *specs = bench_pets()->options();
    const size_t      index = option_find(specs, name);
    size_t            at = 0;
    assert_true(index < option_count(specs));
    while (specs[index].choices[at] != NULL && strcmp(specs[index].choices[at], choice) != 0) {
        at++;
    }
    assert_non_null(specs[index].choices[at]);
    values[index] = (double)at;
}

void bench_options(double *values) {
    const OptionSpec *specs = bench_pets()->options();
    assert_true(option_count(specs) <= BENCH_MOST_OPTIONS);
    option_defaults(specs, values);
    bench_option(values, "ensemble_size", 3);
    bench_option(values, "hidden_layers", 1);
    bench_option(values, "hidden_width", 8);
    bench_option(values, "model_train_epochs", 2);
    bench_option(values, "planning_horizon", 5);
    bench_option(values, "cem_candidates", 10);
    bench_option(values, "cem_iterations", 2);
    bench_option(values, "cem_elite_ratio", 0.3);
    bench_option(values, "particles", 3);
    bench_option(values, "initial_steps", 30);
    bench_option(values, "model_train_every", 23);
    bench_option(values, "exploration_noise", 0.1);
    bench_option(values, "validation_ratio", 0.3);
}

Chain chain_make(const char *environment, AgentUnit unit, int64_t total, int64_t cut,
                 ChainMode mode, const char *folder) {
    Chain chain = {
        .unit = unit, .total = total, .cut = cut, .mode = mode, .folder = folder, .seed = 11};
    assert_ok(environment_find(environment, &chain.environment));
    bench_options(chain.options);
    return chain;
}

static char *checkpoint_path(const Chain *chain, int64_t end, char *path, size_t size) {
    (void)snprintf(path, size, "%s/%lld", chain->folder, (long long)end);
    return path;
}

void chain_segment(const Chain *chain, int64_t begin, int64_t end, Record *record, void **self) {
    const AgentOps  *agent = bench_pets();
    const MetricSink sink = record_sink(record);
    const bool       branched = chain->branch > 0 && begin >= chain->branch;
    const double    *options = branched ? chain->branch_options : chain->options;
    const uint64_t   seed = branched ? chain->branch_seed : chain->seed;
    AgentResult      result;
    char             path[512];

    if (*self == NULL && begin > 0) {
        assert_ok(agent->load(chain->environment, chain->unit, options,
                              checkpoint_path(chain, begin, path, sizeof path), self));
    } else if (*self == NULL) {
        assert_ok(agent->create(chain->environment, chain->unit, options, seed, self));
    }
    assert_ok(agent->set(*self, options, seed));
    assert_int_equal(agent->position(*self), begin);
    assert_ok(agent->train(*self, end, &sink, NULL, &result));
    assert_int_equal(result.outcome, AGENT_DONE);
    assert_int_equal(result.reached, end);
    if (chain->mode == CHAIN_SAVED || chain->mode == CHAIN_FILE) {
        assert_ok(agent->save(*self, checkpoint_path(chain, end, path, sizeof path)));
    }
    if (chain->mode == CHAIN_EVALUATED) {
        Record           aside = {0};
        const MetricSink other = record_sink(&aside);
        assert_ok(agent->evaluate(*self, 2, 99, &other, &result));
        assert_int_equal(record_count(&aside, "episode_reward"), 2);
        record_free(&aside);
    }
}

void chain_run(const Chain *chain, Record *record) {
    void *self = NULL;
    for (int64_t begin = 0; begin < chain->total; begin += chain->cut) {
        const int64_t end = begin + chain->cut < chain->total ? begin + chain->cut : chain->total;
        chain_segment(chain, begin, end, record, &self);
        if (chain->mode == CHAIN_FILE) {
            bench_pets()->destroy(self);
            self = NULL;
        }
    }
    bench_pets()->destroy(self);
}
