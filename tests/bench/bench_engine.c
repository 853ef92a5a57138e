/* Speed of planning and of model training against what the machine can do, on one core.
 *
 *     bench_engine [--quick]
 *
 * Prints one line per case: median and quartiles of the processor time of a call over the
 * repetitions, useful GFLOP/s (FLOP of the plain algorithm: 2 per multiply-add of a predicted row,
 * 6 of a trained row; nothing for activations, sampling, Adam), and the share of OpenBLAS' sgemm at
 * 256x200x200 and of the fused multiply-add peak, both measured first. The environment of the
 * planning cases never terminates, so that every row is predicted. Before timing, the products are
 * compared with a plain loop; a mismatch ends the program with status 1.
 */
#include "core/clock.h"
#include "core/rng.h"
#include "core/thread_pool.h"
#include "mbrl/environments/environment.h"
#include "mbrl/models/builtin.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/planners/builtin.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { MAX_REPETITIONS = 50, MAX_OPTIONS = 32 };

/* declared by OpenBLAS' own cblas.h only in some builds */
char *openblas_get_corename(void);
void  openblas_set_num_threads(int threads);

static double sgemm_rate = (double)NAN; /* GFLOP/s */
static double peak_rate = (double)NAN;
static size_t repetitions = 11;

static int by_value(const void *x, const void *y) {
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

/* one timed case; `inner` calls per repetition, results in GFLOP/s of the median */
static double measure(const char *name, double flop, size_t inner, void (*call)(void *),
                      void *context) {
    double seconds[MAX_REPETITIONS];
    call(context);
    for (size_t r = 0; r < repetitions; r++) {
        const double begin = clock_thread();
        for (size_t i = 0; i < inner; i++) {
            call(context);
        }
        seconds[r] = (clock_thread() - begin) / (double)inner;
    }
    qsort(seconds, repetitions, sizeof *seconds, by_value);
    const double median = seconds[repetitions / 2];
    const double rate = flop / median * 1e-9;
    printf("%-46s %10.3f ms  [%9.3f %9.3f]  %7.1f GFLOP/s", name, 1e3 * median,
           1e3 * seconds[repetitions / 4], 1e3 * seconds[3 * repetitions / 4], rate);
    if (isfinite(sgemm_rate)) {
        printf("  %4.0f %% of sgemm  %4.0f %% of peak", 100.0 * rate / sgemm_rate,
               100.0 * rate / peak_rate);
    }
    printf("\n");
    (void)fflush(stdout);
    return rate;
}

static void *allocate(size_t floats) {
    void *memory = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
    if (memory == NULL) {
        (void)fprintf(stderr, "no memory\n");
        abort();
    }
    return memory;
}

static float *random_floats(size_t n, uint32_t lane) {
    Rng    rng = rng_stream_lane(1, 0, RNG_TEST, lane);
    float *x = allocate(n);
    rng_fill_normal(&rng, x, n);
    return x;
}

static void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s: %s\n", status_name(status), status_last()->text);
        abort();
    }
}

#if defined(__x86_64__)
enum { PEAK_CHAINS = 20, PEAK_STEPS = 1000000 };

__attribute__((target("avx512f"))) static void peak_512(void *context) {
    float       *out = context;
    __m512       sum[PEAK_CHAINS];
    const __m512 factor = _mm512_set1_ps(0.999f);
    for (int i = 0; i < PEAK_CHAINS; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }
    for (int k = 0; k < PEAK_STEPS; k++) {
#pragma GCC unroll 20
        for (int i = 0; i < PEAK_CHAINS; i++) {
            sum[i] = _mm512_fmadd_ps(sum[i], factor, factor);
        }
    }
    for (int i = 0; i < PEAK_CHAINS; i++) {
        out[i] = _mm512_reduce_add_ps(sum[i]);
    }
}

static void measure_peak(void) {
    float out[PEAK_CHAINS];
    if (__builtin_cpu_supports("avx512f")) {
        peak_rate = measure("fused multiply-add peak (avx512)", 32.0 * PEAK_CHAINS * PEAK_STEPS, 1,
                            peak_512, out);
    }
}
#else
static void measure_peak(void) {
}
#endif

typedef struct Product {
    int      rows;
    float   *a;
    float   *b;
    float   *c;
    LaneGemm lanes;
} Product;

static void call_sgemm(void *context) {
    Product *p = context;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->rows, 200, 200, 1.0f, p->a, 200, p->b,
                200, 0.0f, p->c, 200);
}

static void call_lane_gemm(void *context) {
    lane_gemm(&((Product *)context)->lanes);
}

/* the same product by the library and by the house: C^T = B^T A^T in lanes */
static int compare_products(void) {
    Product p = {.rows = 64, .a = random_floats(64 * 200, 0), .b = random_floats(40000, 1)};
    float  *lanes = allocate(200 * 64);
    float  *out = allocate(200 * 64);
    p.c = allocate(64 * 200);
    for (size_t j = 0; j < 64; j++) {
        for (size_t k = 0; k < 200; k++) {
            lanes[k * 64 + j] = p.a[j * 200 + k];
        }
    }
    p.lanes = (LaneGemm){.m = 200,
                         .k = 200,
                         .lanes = 64,
                         .a = p.b,
                         .a_row = 1,
                         .a_step = 200,
                         .b = lanes,
                         .b_row = 64,
                         .c = out,
                         .c_row = 64};
    call_sgemm(&p);
    call_lane_gemm(&p);
    int wrong = 0;
    for (size_t j = 0; j < 64; j++) {
        for (size_t o = 0; o < 200; o++) {
            wrong += !(fabsf(out[o * 64 + j] - p.c[j * 200 + o]) < 1e-3f);
        }
    }
    free(p.a);
    free(p.b);
    free(p.c);
    free(lanes);
    free(out);
    return wrong;
}

static void measure_products(void) {
    Product   p = {.a = random_floats(256 * 200, 0),
                   .b = random_floats(208 * 208, 1),
                   .c = allocate(256 * 208)};
    const int rows[2] = {256, 32};
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        p.rows = rows[i];
        (void)snprintf(name, sizeof name, "OpenBLAS sgemm %dx200x200", rows[i]);
        const double rate = measure(name, 80000.0 * rows[i], 200, call_sgemm, &p);
        sgemm_rate = (i == 0) ? rate : sgemm_rate;
    }
    for (size_t lanes = 64; lanes >= 16; lanes /= 2) {
        char name[64];
        p.lanes = (LaneGemm){.m = 200,
                             .k = 200,
                             .lanes = lanes,
                             .a = p.b,
                             .a_row = 208,
                             .a_step = 1,
                             .b = p.a,
                             .b_row = lanes,
                             .c = p.c,
                             .c_row = lanes};
        (void)snprintf(name, sizeof name, "lane_gemm 200x200, %zu lanes", lanes);
        (void)measure(name, 80000.0 * (double)lanes, 500, call_lane_gemm, &p);
    }
    free(p.a);
    free(p.b);
    free(p.c);
}

static void set_option(const OptionSpec *options, double *values, const char *name, double value) {
    const size_t index = option_find(options, name);
    if (options[index].name == NULL) {
        (void)fprintf(stderr, "no option %s\n", name);
        abort();
    }
    values[index] = value;
}

/* A network ensemble: members of inputs -> width x layers -> 2 outputs. */
typedef struct Networks {
    size_t inputs;
    size_t outputs;
    size_t members;
    size_t layers;
    size_t width;
    double activation; /* 0 swish, 1 leaky_relu */
} Networks;

static void *make_model(const Networks *n, double batch) {
    const OptionSpec *options = model_ensemble_ops.options;
    double            values[MAX_OPTIONS];
    double            scales[ENV_MAX_STATE];
    void             *self = NULL;
    for (size_t d = 0; d < n->outputs; d++) {
        scales[d] = 1.0;
    }
    option_defaults(options, values);
    set_option(options, values, "ensemble_size", (double)n->members);
    set_option(options, values, "hidden_width", (double)n->width);
    set_option(options, values, "hidden_layers", (double)n->layers);
    set_option(options, values, "activation", n->activation);
    set_option(options, values, "model_batch_size", batch);
    set_option(options, values, "model_train_epochs", 1.0);
    check(model_ensemble_ops.create(
        &(DynamicsModelSetup){
            .input_dim = n->inputs, .output_dim = n->outputs, .target_scale = scales, .seed = 1},
        values, &self));
    return self;
}

typedef struct Planning {
    void       *model;
    void       *planner;
    uint64_t    step;
    double      flop;
    ThreadPool *pool; /* NULL = one thread */
} Planning;

static void call_plan(void *context) {
    Planning      *p = context;
    const double   state[ENV_MAX_STATE] = {0.01, 0.02, 0.03, 0.04};
    double         action[ENV_MAX_ACTION];
    PlanReport     report;
    const PlanTask task = {.model = &model_ensemble_ops,
                           .model_self = p->model,
                           .state = state,
                           .seed = 1,
                           .step = ++p->step,
                           .pool = p->pool};
    check(planner_cem_ops.plan(p->planner, &task, action, &report));
    p->flop = report.flop;
    planner_cem_ops.reset(p->planner);
}

typedef struct PlanCase {
    const char *name;
    const char *environment;
    Networks    networks; /* inputs and outputs follow from the environment */
    double      candidates;
    double      iterations;
    double      horizon;
    double      particles;
    double      propagation;
    bool        quick;
} PlanCase;

#define BALANCE(kind) \
    { .members = 5, .layers = 3, .width = 200, .activation = kind }
#define SMALL \
    { .members = 5, .layers = 2, .width = 64 }
#define SEVEN \
    { .members = 7, .layers = 4, .width = 200 }

/* the first two are mbrl-lib's pets_cartpole and pets_halfcheetah overrides */
static const PlanCase plan_cases[] = {
    {"plan cart-pole: 7 x 4x200 swish, 350x5, H 15, 20 p", "cartpole", SEVEN, 350, 5, 15, 20,
     PROPAGATION_TS1, false},
    {"plan half-cheetah: 7 x 4x200 swish, 400x5, H 30", "half_cheetah", SEVEN, 400, 5, 30, 20,
     PROPAGATION_TS1, false},
    {"plan balance: 5 x 3x200 leaky, 500x5, H 15, 20 p", "cartpole", BALANCE(1), 500, 5, 15, 20,
     PROPAGATION_TSINF, false},
    {"plan balance: swish", "cartpole", BALANCE(0), 500, 5, 15, 20, PROPAGATION_TSINF, false},
    {"plan balance: swish, ts1", "cartpole", BALANCE(0), 500, 5, 15, 20, PROPAGATION_TS1, false},
    {"plan small: 5 x 2x64 swish, 60x3, H 20, 5 p", "cartpole", SMALL, 60, 3, 20, 5,
     PROPAGATION_TSINF, true},
    {"plan small: ts1", "cartpole", SMALL, 60, 3, 20, 5, PROPAGATION_TS1, true},
};

/* false, after a line that says why, where the environment is missing; else `environment` outlives
 * the planner */
static bool open_planning(const PlanCase *c, EnvironmentOps *environment, Planning *p) {
    const EnvironmentOps *found = NULL;
    double                values[MAX_OPTIONS];
    double                shared[ROLLOUT_OPTION_COUNT];
    const OptionSpec     *options = planner_cem_ops.options;
    if (environment_find(c->environment, &found) != STATUS_OK) {
        printf("%-46s not measured: %s\n", c->name, status_last()->text);
        return false;
    }
    *environment = *found;
    environment->terminated = NULL;
    Networks networks = c->networks;
    networks.inputs = environment->feature_dim + environment->action_dim;
    networks.outputs = environment->state_dim;
    *p = (Planning){.model = make_model(&networks, 32)};
    option_defaults(options, values);
    set_option(options, values, "cem_candidates", c->candidates);
    set_option(options, values, "cem_iterations", c->iterations);
    option_defaults(rollout_options, shared);
    shared[ROLLOUT_HORIZON] = c->horizon;
    shared[ROLLOUT_PARTICLES] = c->particles;
    shared[ROLLOUT_PROPAGATION] = c->propagation;
    check(planner_cem_ops.create(&(PlannerSetup){.environment = environment,
                                                 .backend = &planner_backend_rollout_ops,
                                                 .rollout_values = shared,
                                                 .values = values},
                                 &p->planner));
    return true;
}

static void close_planning(Planning *p) {
    planner_cem_ops.destroy(p->planner);
    model_ensemble_ops.destroy(p->model);
}

static void measure_planning(const PlanCase *c, size_t inner) {
    EnvironmentOps environment;
    Planning       p;
    if (open_planning(c, &environment, &p)) {
        call_plan(&p);
        (void)measure(c->name, p.flop, inner, call_plan, &p);
        close_planning(&p);
    }
}

/* One and two threads in turns, by the clock on the wall: on a busy machine the ratio says how much
 * of a second core was free. */
static void measure_threads(const PlanCase *c, size_t inner) {
    double         seconds[2][MAX_REPETITIONS];
    ThreadPool    *pool = NULL;
    EnvironmentOps environment;
    Planning       p;
    if (!open_planning(c, &environment, &p)) {
        return;
    }
    check(thread_pool_create(2, &pool));
    for (size_t r = 0; r < repetitions; r++) {
        for (size_t threads = 1; threads <= 2; threads++) {
            p.pool = threads == 1 ? NULL : pool;
            call_plan(&p);
            const double begin = clock_monotonic();
            for (size_t i = 0; i < inner; i++) {
                call_plan(&p);
            }
            seconds[threads - 1][r] = (clock_monotonic() - begin) / (double)inner;
        }
    }
    for (size_t k = 0; k < 2; k++) {
        qsort(seconds[k], repetitions, sizeof *seconds[k], by_value);
    }
    printf("%-46s 1 thread %.3f ms, 2 threads %.3f ms (best %.3f, %.3f): %.2f times (best %.2f)\n",
           c->name, 1e3 * seconds[0][repetitions / 2], 1e3 * seconds[1][repetitions / 2],
           1e3 * seconds[0][0], 1e3 * seconds[1][0],
           seconds[0][repetitions / 2] / seconds[1][repetitions / 2],
           seconds[0][0] / seconds[1][0]);
    (void)fflush(stdout);
    close_planning(&p);
    thread_pool_destroy(pool);
}

typedef struct Training {
    void    *model;
    Dataset *data;
    uint64_t step;
} Training;

static void call_fit(void *context) {
    Training *t = context;
    FitReport report;
    check(model_ensemble_ops.fit(t->model, t->data, 1, ++t->step, &report));
}

static void measure_training(const Networks *n, size_t rows, double batch) {
    char     name[80];
    Training t = {.model = make_model(n, batch)};
    Rng      rng = rng_stream(2, 0, RNG_TEST);
    check(dataset_create(n->inputs, n->outputs, n->members, &t.data));
    for (size_t i = 0; i < rows; i++) {
        float x[ENV_MAX_STATE + ENV_MAX_ACTION];
        float y[ENV_MAX_STATE];
        rng_fill_normal(&rng, x, n->inputs);
        for (size_t d = 0; d < n->outputs; d++) {
            y[d] = 0.1f * x[d] + 0.05f * x[n->inputs - 1];
        }
        check(dataset_append(t.data, x, y, 0, false));
    }
    check(dataset_bootstrap(t.data, 1, 1));
    (void)snprintf(name, sizeof name, "train epoch: %zu x %zux%zu %s, %zu rows, batch %.0f",
                   n->members, n->layers, n->width, n->activation == 0.0 ? "swish" : "leaky", rows,
                   batch);
    const double flop =
        (double)(n->members * rows) * 3.0 * model_ensemble_ops.predict_flop(t.model);
    (void)measure(name, flop, 3, call_fit, &t);
    dataset_destroy(t.data);
    model_ensemble_ops.destroy(t.model);
}

int main(int argc, char **argv) {
    const bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    repetitions = quick ? 3 : repetitions;
    openblas_set_num_threads(1);
    printf("OpenBLAS core %s, own kernels %s\n", openblas_get_corename(), lane_gemm_kernel());
    if (compare_products() != 0) {
        (void)fprintf(stderr, "lane_gemm and sgemm differ\n");
        return 1;
    }
    measure_peak();
    measure_products();
    for (size_t i = 0; i < sizeof plan_cases / sizeof *plan_cases; i++) {
        if (!quick || plan_cases[i].quick) {
            measure_planning(&plan_cases[i], plan_cases[i].quick ? 20 : 1);
        }
    }
    for (size_t i = 0; i < sizeof plan_cases / sizeof *plan_cases; i++) {
        if (plan_cases[i].quick || (!quick && i < 2)) {
            measure_threads(&plan_cases[i], plan_cases[i].quick ? 20 : 1);
        }
    }
    static const struct {
        Networks networks;
        double   batch;
    } training[] = {
        {{5, 4, 7, 4, 200, 0}, 256}, {{5, 4, 7, 4, 200, 0}, 32}, {{5, 4, 5, 3, 200, 0}, 256},
        {{5, 4, 5, 3, 200, 0}, 32},  {{5, 4, 5, 3, 200, 1}, 32}, {{5, 4, 5, 2, 64, 0}, 32},
    };
    for (size_t i = 0; i < sizeof training / sizeof *training; i++) {
        measure_training(&training[i].networks, quick ? 100 : 1000, training[i].batch);
    }
    return 0;
}
