/** @file engine_bench.h  What the files of bench_engine share.
 *
 * bench_engine.c           timing; planning and training
 * bench_engine_peak.c      what a core can do at most
 * bench_engine_products.c  the matrix products of three libraries on the networks' shapes
 * bench_engine_budget.c    where a planning step spends its time, predicted and measured
 * bench_engine_turns.c     planning in two precisions, with one thread and two, in turn
 * bench_engine_scaling.c   cost against candidates, particles, horizon, members; memory
 */
#ifndef TESTS_BENCH_ENGINE_BENCH_H
#define TESTS_BENCH_ENGINE_BENCH_H

#include "core/option.h"
#include "core/status.h"
#include "core/thread_pool.h"
#include "mbrl/environments/environment.h"
#include "mbrl/planners/backend.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MAX_REPETITIONS = 50 };

extern size_t repetitions;
extern double sgemm_rate; /* GFLOP/s of OpenBLAS at 256x200x200; NaN before it is measured */

/** A burst of 1.5 ms of multiply-adds, GFLOP/s; NaN where no instruction for it is known. */
double peak_now(void);
/** Its instruction set. */
const char *peak_name(void);

/** Processor time of a call. */
typedef struct Timing {
    double median; /* s */
    double lower;  /* s, quartiles */
    double upper;
    double peak;  /* GFLOP/s of multiply-adds around the calls, median; NaN without FMA */
    double share; /* of the peak around each call, median */
} Timing;

/** Times `inner` calls per repetition. */
Timing time_calls(double flop, size_t inner, void (*call)(void *), void *context);
/** The same, prints a line; @return GFLOP/s of the median */
double measure(const char *name, double flop, size_t inner, void (*call)(void *), void *context);
/** Sorts x; @return the number that `share` of them are below */
double quantile(double *x, size_t n, double share);

/** Memory of floats, aligned for the kernels; ends the program where there is none. */
void  *allocate(size_t floats);
float *random_floats(size_t n, uint32_t lane);
/** Ends the program on a failure. */
void check(Status status);
/** Sets an option by name; ends the program where there is none. */
void set_option(const OptionSpec *options, double *values, const char *name, double value);

/** A network ensemble: members of inputs -> width x layers -> 2 outputs. */
typedef struct Networks {
    size_t inputs;
    size_t outputs;
    size_t members;
    size_t layers;
    size_t width;
    double activation; /* 0 swish, 1 leaky_relu */
    double precision;  /* of planning: 0 float32, 1 bfloat16 */
} Networks;
void *make_model(const Networks *n, double batch);

typedef struct PlanCase {
    const char           *name;
    const char           *environment;
    Networks              networks; /* inputs and outputs follow from the environment */
    double                candidates;
    double                iterations;
    double                horizon;
    double                particles;
    double                propagation;
    bool                  quick;
    const PlannerBackend *backend; /* NULL: the learned model */
} PlanCase;

typedef struct Planning {
    EnvironmentOps environment; /* without its termination */
    void          *model;
    void          *planner;
    uint64_t       step;
    double         flop; /* of the last step */
    ThreadPool    *pool; /* NULL = one thread */
} Planning;
/** @return false where the environment is not built in, after a line that says so */
bool planning_make(const PlanCase *c, Planning *out);
void planning_free(Planning *p);
/** One planning step of a Planning. */
void call_plan(void *context);

/** @return how many numbers differ between the libraries */
int  measure_products(void);
void measure_budget(const PlanCase *c);
void measure_precisions(const PlanCase *c, size_t inner);
void measure_threads(const PlanCase *c, size_t inner);
void measure_scaling(bool quick);
void measure_memory(size_t transitions);

#endif
