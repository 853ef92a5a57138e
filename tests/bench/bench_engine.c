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

static void *make_model(size_t width, size_t layers, double activation, double batch,
                        double *values) {
    const OptionSpec   *options = model_ensemble_ops.options;
    static const double scales[4] = {1.0, 1.0, 1.0, 1.0};
    void               *self = NULL;
    option_defaults(options, values);
    set_option(options, values, "hidden_width", (double)width);
    set_option(options, values, "hidden_layers", (double)layers);
    set_option(options, values, "activation", activation);
    set_option(options, values, "model_batch_size", batch);
    set_option(options, values, "model_train_epochs", 1.0);
    check(model_ensemble_ops.create(
        &(DynamicsModelSetup){.input_dim = 5, .output_dim = 4, .target_scale = scales, .seed = 1},
        values, &self));
    return self;
}

typedef struct Planning {
    void    *model;
    void    *planner;
    uint64_t step;
    double   flop;
} Planning;

static void call_plan(void *context) {
    Planning      *p = context;
    const double   state[4] = {0.01, 0.02, 0.03, 0.04};
    double         action[1];
    PlanReport     report;
    const PlanTask task = {.model = &model_ensemble_ops,
                           .model_self = p->model,
                           .state = state,
                           .seed = 1,
                           .step = ++p->step};
    check(planner_cem_ops.plan(p->planner, &task, action, &report));
    p->flop = report.flop;
    planner_cem_ops.reset(p->planner);
}

typedef struct PlanCase {
    const char *name;
    size_t      width;
    size_t      layers;
    double      activation; /* 0 swish, 1 leaky_relu */
    double      candidates;
    double      iterations;
    double      horizon;
    double      particles;
    double      propagation; /* 0 ts1, 1 tsinf */
    bool        quick;
} PlanCase;

static const PlanCase plan_cases[] = {
    {"plan balance: 3x200 leaky, 500x5, H 15, 20 p", 200, 3, 1, 500, 5, 15, 20, 1, false},
    {"plan balance: 3x200 swish, 500x5, H 15, 20 p", 200, 3, 0, 500, 5, 15, 20, 1, false},
    {"plan balance, ts1: 3x200 swish", 200, 3, 0, 500, 5, 15, 20, 0, false},
    {"plan small: 2x64 swish, 60x3, H 20, 5 p", 64, 2, 0, 60, 3, 20, 5, 1, true},
    {"plan small, ts1: 2x64 swish", 64, 2, 0, 60, 3, 20, 5, 0, true},
};

static void measure_planning(const PlanCase *c, size_t inner) {
    EnvironmentOps        environment;
    const EnvironmentOps *cartpole = NULL;
    double                values[MAX_OPTIONS];
    double                shared[ROLLOUT_OPTION_COUNT];
    const OptionSpec     *options = planner_cem_ops.options;
    Planning              p = {.model = make_model(c->width, c->layers, c->activation, 32, values)};
    check(environment_find("cartpole", &cartpole));
    environment = *cartpole;
    environment.terminated = NULL;
    option_defaults(options, values);
    set_option(options, values, "cem_candidates", c->candidates);
    set_option(options, values, "cem_iterations", c->iterations);
    option_defaults(rollout_options, shared);
    shared[ROLLOUT_HORIZON] = c->horizon;
    shared[ROLLOUT_PARTICLES] = c->particles;
    shared[ROLLOUT_PROPAGATION] = c->propagation;
    check(planner_cem_ops.create(&(PlannerSetup){.environment = &environment,
                                                 .backend = &planner_backend_rollout_ops,
                                                 .rollout_values = shared,
                                                 .values = values},
                                 &p.planner));
    call_plan(&p);
    (void)measure(c->name, p.flop, inner, call_plan, &p);
    planner_cem_ops.destroy(p.planner);
    model_ensemble_ops.destroy(p.model);
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

static void measure_training(size_t width, size_t layers, size_t rows, double batch,
                             double activation) {
    char     name[64];
    double   values[MAX_OPTIONS];
    Training t = {.model = make_model(width, layers, activation, batch, values)};
    Rng      rng = rng_stream(2, 0, RNG_TEST);
    check(dataset_create(5, 4, 5, &t.data));
    for (size_t i = 0; i < rows; i++) {
        float x[5];
        float y[4];
        rng_fill_normal(&rng, x, 5);
        for (size_t d = 0; d < 4; d++) {
            y[d] = 0.1f * x[d] + 0.05f * x[4];
        }
        check(dataset_append(t.data, x, y, 0, false));
    }
    check(dataset_bootstrap(t.data, 1, 1));
    (void)snprintf(name, sizeof name, "train epoch: 5 x %zux%zu %s, %zu rows, batch %.0f", layers,
                   width, activation == 0.0 ? "swish" : "leaky", rows, batch);
    const double flop = 5.0 * (double)rows * 3.0 * model_ensemble_ops.predict_flop(t.model);
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
    measure_training(200, 3, quick ? 100 : 1000, 32, 0);
    measure_training(200, 3, quick ? 100 : 1000, 32, 1);
    measure_training(200, 3, quick ? 100 : 1000, 256, 0);
    measure_training(64, 2, quick ? 100 : 1000, 32, 0);
    return 0;
}
