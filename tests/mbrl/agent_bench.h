/** @file agent_bench.h  What tests of agents share: tiny options, recorded metrics, chains of
 * segments. */
#ifndef TESTS_MBRL_AGENT_BENCH_H
#define TESTS_MBRL_AGENT_BENCH_H

#include "tests/support/test_support.h"

#include "mbrl/agents/agent.h"

#include <stdbool.h>

enum { BENCH_MOST_OPTIONS = 128, BENCH_NAME = 40 };

typedef struct RecordedMetric {
    int64_t step;
    int64_t index;
    char    name[BENCH_NAME];
    double  value;
} RecordedMetric;

/** Metrics in the order in which they came, timing ones left out. */
typedef struct Record {
    const AgentOps *agent;
    RecordedMetric *metrics;
    size_t          count;
    size_t          capacity;
    size_t          alive;
} Record;

MetricSink record_sink(Record *record);
void       record_free(Record *record);
/** Same rows, same bits. */
void record_expect_same(const Record *a, const Record *b);
/** Value number `nth` (0 = first) of a metric; fails the test where there is none. */
double record_value(const Record *record, const char *name, size_t nth);
size_t record_count(const Record *record, const char *name);

const AgentOps *bench_pets(void);
/** Options of an agent that trains in milliseconds: defaults but for a tiny network and planner. */
void bench_options(double *values);
void bench_option(double *values, const char *name, double value);
void bench_choice(double *values, const char *name, const char *choice);

/** How the segments of a chain follow each other. */
typedef enum ChainMode {
    CHAIN_MEMORY,    /* set(), train() on the same agent */
    CHAIN_SAVED,     /* the same, saving after each segment */
    CHAIN_FILE,      /* saved, destroyed and loaded between segments */
    CHAIN_EVALUATED, /* in memory, an evaluation after each segment */
} ChainMode;

typedef struct Chain {
    const EnvironmentOps *environment;
    AgentUnit             unit;
    int64_t               total;
    int64_t               cut; /* units of a segment */
    ChainMode             mode;
    const char           *folder; /* for checkpoints "<folder>/<end>" */
    double                options[BENCH_MOST_OPTIONS];
    uint64_t              seed;
    /* after this many units the line continues with these (a branch); 0 = never */
    int64_t  branch;
    double   branch_options[BENCH_MOST_OPTIONS];
    uint64_t branch_seed;
} Chain;

/** A chain with the tiny options. */
Chain chain_make(const char *environment, AgentUnit unit, int64_t total, int64_t cut,
                 ChainMode mode, const char *folder);
/** Runs it and records its metrics (of training only). */
void chain_run(const Chain *chain, Record *record);
/** One segment [begin, end) of it on an agent (NULL = loads or creates it). */
void chain_segment(const Chain *chain, int64_t begin, int64_t end, Record *record, void **self);

#endif
