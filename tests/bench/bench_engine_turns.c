/* The same planning step in two ways, in turn, so that a busy machine is busy for both. */
#include "tests/bench/engine_bench.h"

#include "core/clock.h"
#include "mbrl/models/lane_gemm_bf16.h"

#include <stdio.h>

typedef struct Turns {
    double first[BENCH_MAX_REPETITIONS]; /* s per step */
    double second[BENCH_MAX_REPETITIONS];
    double ratio[BENCH_MAX_REPETITIONS];
} Turns;

static double seconds_of(Planning *p, size_t inner, double (*clock)(void)) {
    const double begin = clock();
    for (size_t i = 0; i < inner; i++) {
        call_plan(p);
    }
    return (clock() - begin) / (double)inner;
}

/* `first` and `second` in turn, after a step of each to warm up; `clock` says what is counted */
static void take_turns(Planning *first, Planning *second, size_t inner, double (*clock)(void),
                       Turns *t) {
    call_plan(first);
    call_plan(second);
    for (size_t r = 0; r < repetitions; r++) {
        t->first[r] = seconds_of(first, inner, clock);
        t->second[r] = seconds_of(second, inner, clock);
        t->ratio[r] = t->first[r] / t->second[r];
    }
}

static void print_turns(const char *name, const char *first, const char *second, double flop,
                        Turns *t) {
    const double seconds = quantile(t->second, repetitions, 0.5);
    printf("%-50s %s %.2f ms, %s %.2f ms (%.0f GFLOP/s): ratio %.2f [%.2f %.2f]\n", name, first,
           1e3 * quantile(t->first, repetitions, 0.5), second, 1e3 * seconds, flop / seconds * 1e-9,
           quantile(t->ratio, repetitions, 0.5), quantile(t->ratio, repetitions, 0.25),
           quantile(t->ratio, repetitions, 0.75));
    (void)fflush(stdout);
}

void measure_precisions(const PlanCase *c, size_t inner) {
    PlanCase half = *c;
    Planning p[2];
    Turns    turns;
    half.networks.precision = 1.0;
    if (!lanes_have_bf16()) {
        printf("%-50s bfloat16 not measured: the processor has no AVX512_BF16\n", c->name);
        return;
    }
    if (planning_make(c, &p[0]) && planning_make(&half, &p[1])) {
        take_turns(&p[0], &p[1], inner, clock_thread, &turns);
        print_turns(c->name, "float32", "bfloat16", p[1].flop, &turns);
        planning_free(&p[0]);
        planning_free(&p[1]);
    }
}

/* By the clock on the wall: on a busy machine the ratio says how much of a second core was free. */
void measure_threads(const PlanCase *c, size_t inner) {
    ThreadPool *pool = NULL;
    Planning    p[2];
    Turns       turns;
    check(thread_pool_create(2, &pool));
    if (planning_make(c, &p[0]) && planning_make(c, &p[1])) {
        p[1].pool = pool;
        take_turns(&p[0], &p[1], inner, clock_monotonic, &turns);
        print_turns(c->name, "1 thread", "2 threads", p[1].flop, &turns);
        planning_free(&p[0]);
        planning_free(&p[1]);
    }
    thread_pool_destroy(pool);
}
