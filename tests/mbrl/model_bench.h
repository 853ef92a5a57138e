/** @file model_bench.h  What tests of dynamics models share: small options, data of known origin.
 */
#ifndef TESTS_MBRL_MODEL_BENCH_H
#define TESTS_MBRL_MODEL_BENCH_H

#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/builtin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MB_INPUTS = 3,
    MB_OUTPUTS = 2,
    MB_ROWS = 150,
    MB_HELD = 30,
    MB_MEMBERS = 3,
    MB_OPTIONS = 64
};

#define MB_NOISE 0.05

static const double mb_scales[MB_OUTPUTS] = {2.0, 0.5};

/* sets an option where the model has one of that name */
static inline void mb_option(const DynamicsModelOps *ops, double *values, const char *name,
                             double value) {
    const size_t index = option_find(ops->options, name);
    if (ops->options[index].name != NULL) {
        values[index] = value;
    }
}

static inline void mb_options(const DynamicsModelOps *ops, double *values) {
    assert_true(option_count(ops->options) <= MB_OPTIONS);
    option_defaults(ops->options, values);
    mb_option(ops, values, "hidden_layers", 2);
    mb_option(ops, values, "hidden_width", 20);
    mb_option(ops, values, "ensemble_size", MB_MEMBERS);
    mb_option(ops, values, "model_train_epochs", 3);
    mb_option(ops, values, "gp_points", 60);
    mb_option(ops, values, "gp_iterations", 10);
}

static inline void *mb_make(const DynamicsModelOps *ops, const double *values, uint64_t seed) {
    void *self = NULL;
    assert_ok(ops->create(&(DynamicsModelSetup){.input_dim = MB_INPUTS,
                                                .output_dim = MB_OUTPUTS,
                                                .target_scale = mb_scales,
                                                .seed = seed},
                          values, &self));
    return self;
}

/* Appends `count` rows of y0 = x0 - x1 / 50 + 6, y1 = x1 / 100 - 3 with noise; the third input is
 * constant, the second has an offset and a scale of its own. */
static inline void mb_append(Dataset *data, Rng *rng, int count, bool held) {
    for (int k = 0; k < count; k++) {
        const double x0 = 4.0 * rng_uniform(rng) - 2.0;
        const double x1 = 300.0 + 50.0 * (2.0 * rng_uniform(rng) - 1.0);
        const float  x[MB_INPUTS] = {(float)x0, (float)x1, 7.0f};
        const float  y[MB_OUTPUTS] = {(float)(x0 - x1 / 50.0 + 6.0 + MB_NOISE * rng_normal(rng)),
                                      (float)(x1 / 100.0 - 3.0 + MB_NOISE * rng_normal(rng))};
        assert_ok(dataset_append(data, x, y, (int32_t)(data->n / 10), held));
    }
}

static inline Dataset *mb_data(uint64_t seed) {
    Dataset *data = NULL;
    Rng      rng = rng_stream(seed, 0, RNG_TEST);
    assert_ok(dataset_create(MB_INPUTS, MB_OUTPUTS, MB_MEMBERS, &data));
    mb_append(data, &rng, MB_ROWS - MB_HELD, false);
    mb_append(data, &rng, MB_HELD, true);
    assert_ok(dataset_bootstrap(data, seed, 1));
    return data;
}

static inline FitReport mb_fit(const DynamicsModelOps *ops, void *self, const Dataset *data,
                               uint64_t step) {
    FitReport report;
    assert_ok(ops->fit(self, data, 11, step, &report));
    return report;
}

static inline void mb_save(const DynamicsModelOps *ops, const void *self, Buffer *out) {
    buffer_init(out, 1 << 24);
    assert_ok(ops->save(self, out));
}

/* both save the same bytes */
static inline void mb_expect_same(const DynamicsModelOps *ops, const void *a, const void *b) {
    Buffer x;
    Buffer y;
    mb_save(ops, a, &x);
    mb_save(ops, b, &y);
    assert_int_equal(x.length, y.length);
    assert_memory_equal(x.data, y.data, x.length);
    buffer_reset(&x);
    buffer_reset(&y);
}

static inline bool mb_is_same(const DynamicsModelOps *ops, const void *a, const void *b) {
    Buffer x;
    Buffer y;
    mb_save(ops, a, &x);
    mb_save(ops, b, &y);
    const bool same = x.length == y.length && memcmp(x.data, y.data, x.length) == 0;
    buffer_reset(&x);
    buffer_reset(&y);
    return same;
}

/* predicts n rows of MB_INPUTS numbers by the first member */
static inline void mb_predict(const DynamicsModelOps *ops, const void *self, const float *x,
                              size_t n, float *mean, float *sd) {
    Arena scratch;
    assert_ok(arena_init(&scratch, ops->predict_scratch(self, n)));
    assert_ok(ops->predict(self, 0, x, MB_INPUTS, n, mean, sd, &scratch));
    arena_reset(&scratch);
}

#endif
