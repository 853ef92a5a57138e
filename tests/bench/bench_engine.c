/* Speed of planning and of model training against what the machine can do, on one core.
 *
 *     bench_engine [--quick | products | plan | turns | train | budget | scaling | memory]
 *
 * Prints one line per case: median and quartiles of the processor time of a call over the
 * repetitions, useful GFLOP/s (FLOP of the plain algorithm: 2 per multiply-add of a predicted row,
 * 6 of a trained row; nothing for activations, sampling, Adam), and the share of OpenBLAS' sgemm at
 * 256x200x200, measured first, and of the fused multiply-add peak, measured before and after every
 * call, since other load changes what a core can do. The environment of the planning cases never
 * terminates, so that every row is predicted. Before timing, the products are compared with each
 * other; a mismatch ends the program with status 1.
 */
#include "tests/bench/engine_bench.h"

#include "core/blas_core.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/rng.h"
#include "mbrl/models/builtin.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/planners/builtin.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 32, SMALL_CASE = 5 /* of plan_cases */ };

double sgemm_rate = (double)NAN;
size_t repetitions = 11;

static int by_value(const void *x, const void *y) {
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

double quantile(double *x, size_t n, double share) {
    qsort(x, n, sizeof *x, by_value);
    return x[(size_t)(share * (double)n)];
}

Timing time_calls(double flop, size_t inner, void (*call)(void *), void *context) {
    double seconds[BENCH_MAX_REPETITIONS];
    double peaks[BENCH_MAX_REPETITIONS];
    double shares[BENCH_MAX_REPETITIONS];
    call(context);
    for (size_t r = 0; r < repetitions; r++) {
        const double before = peak_now();
        const double begin = clock_thread();
        for (size_t i = 0; i < inner; i++) {
            call(context);
        }
        seconds[r] = (clock_thread() - begin) / (double)inner;
        peaks[r] = 0.5 * (before + peak_now());
        shares[r] = flop / seconds[r] * 1e-9 / peaks[r];
    }
    return (Timing){.median = quantile(seconds, repetitions, 0.5),
                    .lower = quantile(seconds, repetitions, 0.25),
                    .upper = quantile(seconds, repetitions, 0.75),
                    .peak = quantile(peaks, repetitions, 0.5),
                    .share = quantile(shares, repetitions, 0.5)};
}

double measure(const char *name, double flop, size_t inner, void (*call)(void *), void *context) {
    const Timing t = time_calls(flop, inner, call, context);
    const double rate = flop / t.median * 1e-9;
    printf("%-50s %10.3f ms  [%9.3f %9.3f]  %7.1f GFLOP/s", name, 1e3 * t.median, 1e3 * t.lower,
           1e3 * t.upper, rate);
    if (isfinite(sgemm_rate)) {
        printf("  %4.0f %% of sgemm", 100.0 * rate / sgemm_rate);
    }
    printf("  %4.0f %% of peak\n", 100.0 * t.share);
    (void)fflush(stdout);
    return rate;
}

void *allocate(size_t floats) {
    void *memory = aligned_alloc(64, (floats * sizeof(float) + 63) / 64 * 64);
    if (memory == NULL) {
        (void)fprintf(stderr, "no memory\n");
        abort();
    }
    return memory;
}

float *random_floats(size_t n, uint32_t lane) {
    Rng    rng = rng_stream_lane(1, 0, RNG_TEST, lane);
    float *x = allocate(n);
    rng_fill_normal(&rng, x, n);
    return x;
}

void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s: %s\n", status_name(status), status_last()->text);
        abort();
    }
}

static void measure_peak(void) {
    double peaks[BENCH_MAX_REPETITIONS];
    for (size_t r = 0; r < repetitions; r++) {
        peaks[r] = peak_now();
    }
    const double median = quantile(peaks, repetitions, 0.5);
    printf("fused multiply-add peak (%s) %.1f GFLOP/s [%.1f %.1f]; shares below are of the peak "
           "measured around each call\n",
           peak_name(), median, peaks[repetitions / 4], peaks[3 * repetitions / 4]);
}

void set_option(const OptionSpec *options, double *values, const char *name, double value) {
    const size_t index = option_find(options, name);
    if (options[index].name == NULL) {
        (void)fprintf(stderr, "no option %s\n", name);
        abort();
    }
    values[index] = value;
}

void *make_model(const Networks *n, double batch) {
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
    set_option(options, values, "planning_precision", n->precision);
    set_option(options, values, "model_batch_size", batch);
    set_option(options, values, "model_train_epochs", 1.0);
    check(model_ensemble_ops.create(
        &(DynamicsModelSetup){
            .input_dim = n->inputs, .output_dim = n->outputs, .target_scale = scales, .seed = 1},
        values, &self));
    return self;
}

void call_plan(void *context) {
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

#define BALANCE(kind) \
    { .members = 5, .layers = 3, .width = 200, .activation = (kind) }
#define SMALL \
    { .members = 5, .layers = 2, .width = 64 }
#define SEVEN \
    { .members = 7, .layers = 4, .width = 200 }

/* the first two are mbrl-lib's pets_cartpole and pets_halfcheetah overrides */
static const PlanCase plan_cases[] = {
    {"plan cart-pole: 7 x 4x200 swish, 350x5, H 15, 20 p", "cartpole", SEVEN, 350, 5, 15, 20,
     PROPAGATION_TS1, false, NULL},
    {"plan half-cheetah: 7 x 4x200 swish, 400x5, H 30", "half_cheetah", SEVEN, 400, 5, 30, 20,
     PROPAGATION_TS1, false, NULL},
    {"plan balance: 5 x 3x200 leaky, 500x5, H 15, 20 p", "cartpole", BALANCE(1), 500, 5, 15, 20,
     PROPAGATION_TSINF, false, NULL},
    {"plan balance: swish", "cartpole", BALANCE(0), 500, 5, 15, 20, PROPAGATION_TSINF, false, NULL},
    {"plan balance: swish, ts1", "cartpole", BALANCE(0), 500, 5, 15, 20, PROPAGATION_TS1, false,
     NULL},
    {"plan small: 5 x 2x64 swish, 60x3, H 20, 5 p", "cartpole", SMALL, 60, 3, 20, 5,
     PROPAGATION_TSINF, true, NULL},
    {"plan small: ts1", "cartpole", SMALL, 60, 3, 20, 5, PROPAGATION_TS1, true, NULL},
};

bool planning_make(const PlanCase *c, Planning *out) {
    const EnvironmentOps *found = NULL;
    double                values[MAX_OPTIONS];
    double                shared[ROLLOUT_OPTION_COUNT];
    const OptionSpec     *options = planner_cem_ops.options;
    if (environment_find(c->environment, &found) != STATUS_OK) {
        printf("%-50s not measured: %s\n", c->name, status_last()->text);
        return false;
    }
    *out = (Planning){.environment = *found};
    out->environment.terminated = NULL;
    Networks networks = c->networks;
    networks.inputs = found->feature_dim + found->action_dim;
    networks.outputs = found->state_dim;
    out->model = make_model(&networks, 32);
    option_defaults(options, values);
    set_option(options, values, "cem_candidates", c->candidates);
    set_option(options, values, "cem_iterations", c->iterations);
    option_defaults(rollout_options, shared);
    shared[ROLLOUT_HORIZON] = c->horizon;
    shared[ROLLOUT_PARTICLES] = c->particles;
    shared[ROLLOUT_PROPAGATION] = c->propagation;
    check(planner_cem_ops.create(
        &(PlannerSetup){.environment = &out->environment,
                        .backend = (c->backend != NULL) ? c->backend : &planner_backend_rollout_ops,
                        .rollout_values = shared,
                        .values = values},
        &out->planner));
    return true;
}

void planning_free(Planning *p) {
    planner_cem_ops.destroy(p->planner);
    model_ensemble_ops.destroy(p->model);
}

static void measure_planning(const PlanCase *c, size_t inner) {
    Planning p;
    if (planning_make(c, &p)) {
        call_plan(&p);
        (void)measure(c->name, p.flop, inner, call_plan, &p);
        planning_free(&p);
    }
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

static void measure_plans(bool quick) {
    for (size_t i = 0; i < sizeof plan_cases / sizeof *plan_cases; i++) {
        if (!quick || plan_cases[i].quick) {
            measure_planning(&plan_cases[i], plan_cases[i].quick ? 20 : 1);
        }
    }
}

static void measure_turns(bool quick) {
    for (size_t i = 0; i < sizeof plan_cases / sizeof *plan_cases; i++) {
        if (quick ? plan_cases[i].quick : i < 2) {
            measure_precisions(&plan_cases[i], plan_cases[i].quick ? 20 : 1);
            measure_threads(&plan_cases[i], plan_cases[i].quick ? 20 : 1);
        }
    }
}

static void measure_budgets(bool quick) {
    for (size_t i = 0; i < 2; i++) {
        measure_budget(&plan_cases[quick ? SMALL_CASE : i]);
    }
}

static void measure_trainings(bool quick) {
    static const struct {
        Networks networks;
        double   batch;
    } training[] = {
        {{5, 4, 7, 4, 200, 0, 0}, 256}, {{5, 4, 7, 4, 200, 0, 0}, 32},
        {{5, 4, 5, 3, 200, 0, 0}, 256}, {{5, 4, 5, 3, 200, 0, 0}, 32},
        {{5, 4, 5, 3, 200, 1, 0}, 32},  {{5, 4, 5, 2, 64, 0, 0}, 32},
    };
    for (size_t i = 0; i < sizeof training / sizeof *training; i++) {
        measure_training(&training[i].networks, quick ? 100 : 1000, training[i].batch);
    }
}

/* whether the part called `name` was asked for: all are without an argument, or with --quick */
static bool wanted(const char *part, const char *name) {
    return part == NULL || strcmp(part, name) == 0;
}

static bool is_part(const char *name) {
    static const char *const parts[] = {"products", "plan",    "turns", "train",
                                        "budget",   "scaling", "memory"};
    bool                     known = false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        known = known || strcmp(parts[i], name) == 0;
    }
    return known;
}

/* a core type that somebody else has set stands: then this line says what it costs */
static void print_kernels(void) {
    Buffer text;
    buffer_init(&text, 1 << 10);
    blas_core_describe(&text);
    printf("%s; own kernels %s\n", buffer_text(&text), lane_gemm_kernel());
    buffer_reset(&text);
}

int main(int argc, char **argv) {
    const bool  quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    const char *part = (argc > 1 && !quick) ? argv[1] : NULL;
    if (argc > 2 || (part != NULL && !is_part(part))) {
        (void)fprintf(stderr, "usage: bench_engine [--quick | products | plan | turns | train | "
                              "budget | scaling | memory]\n");
        return 2;
    }
    blas_core_settle(argv);
    repetitions = quick ? 3 : repetitions;
    openblas_set_num_threads(1);
    print_kernels();
    if (wanted(part, "memory")) {
        measure_memory(quick ? 1000 : 100000); /* first: it reads the peak of the process */
    }
    measure_peak();
    if (wanted(part, "products") && measure_products() != 0) {
        (void)fprintf(stderr, "the products of the engines differ\n");
        return 1;
    }
    if (wanted(part, "plan")) {
        measure_plans(quick);
    }
    if (wanted(part, "turns")) {
        measure_turns(quick);
    }
    if (wanted(part, "train")) {
        measure_trainings(quick);
    }
    if (wanted(part, "budget")) {
        measure_budgets(quick);
    }
    if (wanted(part, "scaling")) {
        measure_scaling(quick);
    }
    return 0;
}
