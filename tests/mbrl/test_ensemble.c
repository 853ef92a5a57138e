#include "tests/support/test_support.h"

#include "core/rng.h"
#include "mbrl/models/builtin.h"
#include "mbrl/models/ensemble_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INPUTS = 2, OUTPUTS = 2, ROWS = 150 };

#define NOISE 0.1

static const DynamicsModelOps *const ops = &model_ensemble_ops;
static const double                  scales[OUTPUTS] = {2.0, 0.5};

static void small_options(double *values) {
    option_defaults(ops->options, values);
    values[option_find(ops->options, "hidden_layers")] = 2;
    values[option_find(ops->options, "hidden_width")] = 20;
    values[option_find(ops->options, "ensemble_size")] = 3;
    values[option_find(ops->options, "model_train_epochs")] = 2;
}

static Ensemble *make(const double *values, uint64_t seed) {
    void *self = NULL;
    assert_ok(ops->create(
        &(DynamicsModelSetup){
            .input_dim = INPUTS, .output_dim = OUTPUTS, .target_scale = scales, .seed = seed},
        values, &self));
    return self;
}

/* y0 = sin(x0) x1, y1 = x1 / 2, both with noise; the last 30 rows are held out. The second input
 * has an offset and a scale that only a scaler can take away. */
static Dataset *make_data(uint64_t seed, double noise) {
    Dataset *data = NULL;
    Rng      rng = rng_stream(seed, 0, RNG_TEST);
    assert_ok(dataset_create(INPUTS, OUTPUTS, 3, &data));
    for (int row = 0; row < ROWS; row++) {
        const double x0 = 4.0 * rng_uniform(&rng) - 2.0;
        const double x1 = 2.0 * rng_uniform(&rng) - 1.0;
        const float  x[INPUTS] = {(float)x0, (float)(300.0 + 50.0 * x1)};
        const float  y[OUTPUTS] = {(float)(sin(x0) * x1 + noise * rng_normal(&rng)),
                                   (float)(0.5 * x1 + noise * rng_normal(&rng))};
        assert_ok(dataset_append(data, x, y, row / 10, row >= ROWS - 30));
    }
    assert_ok(dataset_bootstrap(data, seed, 1));
    return data;
}

static void fit(Ensemble *e, const Dataset *data, uint64_t step) {
    FitReport report;
    assert_ok(ops->fit(e, data, 11, step, &report));
    assert_false(report.diverged);
}

static void assert_same_numbers(const Ensemble *x, const Ensemble *y) {
    assert_memory_equal(x->block, y->block, 3 * x->members * x->shape.floats * sizeof *x->block);
    assert_memory_equal(x->scaler_mean, y->scaler_mean, INPUTS * sizeof(float));
    assert_memory_equal(x->scaler_inverse, y->scaler_inverse, INPUTS * sizeof(float));
    assert_memory_equal(x->steps, y->steps, x->members * sizeof *x->steps);
}

static void learns_a_function_and_its_noise(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    values[ENSEMBLE_TRAIN_EPOCHS] = 300;
    values[ENSEMBLE_LEARNING_RATE] = 3e-3;
    Dataset    *data = make_data(3, NOISE);
    Ensemble   *e = make(values, 5);
    FitReport   report;
    ScoreReport before;
    ScoreReport after;
    uint32_t    held_out[30];
    for (uint32_t k = 0; k < 30; k++) {
        held_out[k] = ROWS - 30 + k;
    }
    assert_ok(ops->score(e, data, held_out, 30, &before));
    assert_ok(ops->fit(e, data, 11, 1, &report));
    assert_ok(ops->score(e, data, held_out, 30, &after));
    assert_int_equal(report.epochs, 300);
    assert_false(report.diverged);
    /* the best possible mean NLL of the scaled targets: 0.5 log(2 pi e noise^2) - log(scale) */
    const double best = 0.5 * log(2.0 * 3.14159265358979 * 2.718281828459045 * NOISE * NOISE) -
                        0.5 * (log(scales[0]) + log(scales[1]));
    assert_true(after.nll > best - 0.3 && after.nll < best + 0.5);
    assert_true(after.nll < before.nll - 0.5);
    assert_true(after.nll <= after.nll_member && after.mse <= after.mse_member);
    ops->destroy(e);
    dataset_destroy(data);
}

static void scaler_is_mean_and_deviation_of_the_training_rows(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    fit(e, data, 1);
    for (size_t i = 0; i < INPUTS; i++) {
        double mean = 0.0;
        double variance = 0.0;
        for (size_t row = 0; row < ROWS - 30; row++) {
            mean += (double)data->inputs[row * INPUTS + i] / (ROWS - 30);
        }
        for (size_t row = 0; row < ROWS - 30; row++) {
            variance += pow((double)data->inputs[row * INPUTS + i] - mean, 2) / (ROWS - 30);
        }
        assert_close((double)e->scaler_mean[i], mean, 0.0, 1e-6);
        assert_close((double)e->scaler_inverse[i], 1.0 / sqrt(variance), 0.0, 1e-6);
    }
    /* a constant input is not scaled */
    for (size_t row = 0; row < ROWS; row++) {
        data->inputs[row * INPUTS] = 7.0f;
    }
    fit(e, data, 2);
    assert_true(e->scaler_mean[0] == 7.0f && e->scaler_inverse[0] == 1.0f);
    ops->destroy(e);
    dataset_destroy(data);
}

static void saved_model_continues_bit_for_bit(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    Ensemble *copy = make(values, 6);
    Buffer    saved;
    buffer_init(&saved, 1 << 24);
    fit(e, data, 1);
    assert_ok(ops->save(e, &saved));
    ModelCost cost;
    ops->cost(&(ModelCostQuery){.input_dim = INPUTS, .output_dim = OUTPUTS}, values, &cost);
    assert_int_equal(saved.length, (size_t)cost.bytes);
    assert_ok(ops->load(copy, saved.data, saved.length));
    assert_same_numbers(e, copy);
    fit(e, data, 2);
    fit(copy, data, 2);
    assert_same_numbers(e, copy);

    /* every part matters: a flipped bit anywhere after the header changes what follows */
    Ensemble *wrong = make(values, 5);
    assert_ok(ops->load(wrong, saved.data, saved.length));
    wrong->first[1] += 1e-3f;
    fit(wrong, data, 2);
    assert_memory_not_equal(wrong->block, e->block, e->shape.floats * sizeof *e->block);
    ops->destroy(wrong);
    ops->destroy(copy);
    ops->destroy(e);
    buffer_reset(&saved);
    dataset_destroy(data);
}

static void damaged_or_foreign_saves_are_refused_and_change_nothing(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Ensemble *e = make(values, 5);
    Ensemble *same = make(values, 5);
    Buffer    saved;
    buffer_init(&saved, 1 << 24);
    assert_ok(ops->save(e, &saved));
    assert_fails(ops->load(e, saved.data, saved.length - 1), STATUS_ERR_CORRUPT, "expected");
    assert_fails(ops->load(e, saved.data, 3), STATUS_ERR_CORRUPT, "3 bytes");
    saved.data[0] = 'x';
    assert_fails(ops->load(e, saved.data, saved.length), STATUS_ERR_CORRUPT, "2-2x20-2");
    assert_same_numbers(e, same);

    values[ENSEMBLE_ACTIVATION] = ACTIVATION_TANH;
    Ensemble *other = make(values, 5);
    saved.data[0] = 'm';
    assert_fails(ops->load(other, saved.data, saved.length), STATUS_ERR_CORRUPT, "not a");
    buffer_reset(&saved);
    buffer_init(&saved, 100);
    assert_fails(ops->save(e, &saved), STATUS_ERR_RANGE, "cap");
    buffer_reset(&saved);
    ops->destroy(other);
    ops->destroy(same);
    ops->destroy(e);
}

static void same_seed_same_weights_and_another_step_another_order(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *x = make(values, 5);
    Ensemble *y = make(values, 5);
    Ensemble *z = make(values, 6);
    assert_memory_equal(x->block, y->block, 3 * x->shape.floats * sizeof *x->block);
    assert_memory_not_equal(x->block, z->block, x->shape.floats * sizeof *x->block);
    /* members start apart */
    assert_memory_not_equal(x->block, x->block + x->shape.floats, 64);
    fit(x, data, 1);
    fit(y, data, 2);
    assert_memory_not_equal(x->block, y->block, x->shape.floats * sizeof *x->block);
    ops->destroy(x);
    ops->destroy(y);
    ops->destroy(z);
    dataset_destroy(data);
}

/* a member sees its bootstrap draws, or all rows if it is off */
static void bootstrap_draws_decide_what_a_member_sees(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    for (int on = 0; on < 2; on++) {
        values[ENSEMBLE_BOOTSTRAP] = on;
        Dataset  *data = make_data(3, NOISE);
        Ensemble *x = make(values, 5);
        Ensemble *y = make(values, 5);
        fit(x, data, 1);
        for (size_t k = 0; k < data->bootstrap_count; k++) {
            data->bootstrap[data->capacity + k] = (uint32_t)(k % 7); /* member 1 */
        }
        fit(y, data, 1);
        const size_t floats = x->shape.floats;
        assert_memory_equal(x->block, y->block, floats * sizeof *x->block);
        if (on) {
            assert_memory_not_equal(x->block + floats, y->block + floats, floats * sizeof(float));
        } else {
            assert_memory_equal(x->block + floats, y->block + floats, floats * sizeof(float));
        }
        ops->destroy(x);
        ops->destroy(y);
        dataset_destroy(data);
    }
}

static void fixed_bounds_stay_and_learned_bounds_move(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    for (int fixed = 0; fixed < 2; fixed++) {
        values[ENSEMBLE_LOGVAR_BOUNDS] = fixed;
        Dataset  *data = make_data(3, NOISE);
        Ensemble *e = make(values, 5);
        fit(e, data, 1);
        assert_int_equal(e->block[e->shape.max_offset] == 0.5f, fixed);
        assert_int_equal(e->block[e->shape.min_offset + 1] == -10.0f, fixed);
        /* the penalty pushes them together */
        assert_true(e->block[e->shape.max_offset] <= 0.5f);
        assert_true(e->block[e->shape.min_offset] >= -10.0f);
        ops->destroy(e);
        dataset_destroy(data);
    }
}

/* zero weights, so the outputs are the last biases: NLL and MSE by hand */
static void score_is_the_mixture_likelihood_of_scaled_targets(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    values[ENSEMBLE_SIZE] = 2;
    const double        means[2][OUTPUTS] = {{1.0, -0.5}, {3.0, 0.25}};
    const double        logvars[2][OUTPUTS] = {{-1.0, 0.2}, {0.1, -2.0}};
    const float         x[INPUTS] = {0.0f, 0.0f};
    const float         y[OUTPUTS] = {1.5f, 0.5f};
    const double        with_constant[OUTPUTS] = {2.0, 0.0};
    const double *const both[2] = {scales, with_constant};
    Dataset            *data = NULL;
    assert_ok(dataset_create(INPUTS, OUTPUTS, 2, &data));
    assert_ok(dataset_append(data, x, y, 0, false));
    assert_ok(dataset_append(data, x, y, 0, false));
    for (int constant = 0; constant < 2; constant++) {
        double density[2] = {0.0, 0.0};
        double mse = 0.0;
        double mse_member = 0.0;
        void  *self = NULL;
        assert_ok(ops->create(&(DynamicsModelSetup){.input_dim = INPUTS,
                                                    .output_dim = OUTPUTS,
                                                    .target_scale = both[constant]},
                              values, &self));
        Ensemble    *e = self;
        const size_t dimensions = constant ? 1 : OUTPUTS;
        memset(e->block, 0, 2 * e->shape.floats * sizeof *e->block);
        for (size_t m = 0; m < 2; m++) {
            float       *block = e->block + m * e->shape.floats;
            const size_t last = e->shape.layers - 1;
            for (size_t d = 0; d < OUTPUTS; d++) {
                float *row = block + e->shape.offset[last] + e->shape.fan_in[last];
                /* bounds so wide that they do nothing */
                block[e->shape.max_offset + d] = 40.0f;
                block[e->shape.min_offset + d] = -40.0f;
                row[d * e->shape.stride[last]] = (float)means[m][d];
                row[(OUTPUTS + d) * e->shape.stride[last]] = (float)logvars[m][d];
            }
            for (size_t d = 0; d < dimensions; d++) {
                const double sd = exp(0.5 * logvars[m][d]) / scales[d];
                const double error = (means[m][d] - (double)y[d]) / scales[d];
                density[m] += -0.5 * log(2.0 * 3.14159265358979324) - log(sd) -
                              0.5 * error * error / (sd * sd);
                mse_member += 0.5 * error * error;
            }
        }
        for (size_t d = 0; d < dimensions; d++) {
            mse += pow((0.5 * (means[0][d] + means[1][d]) - (double)y[d]) / scales[d], 2);
        }
        ScoreReport    report;
        const uint32_t rows[1] = {1};
        const double   n = (double)dimensions;
        assert_ok(ops->score(e, data, rows, 1, &report));
        assert_close(report.nll, -log(0.5 * (exp(density[0]) + exp(density[1]))) / n, 0.0, 1e-6);
        assert_close(report.nll_member, -0.5 * (density[0] + density[1]) / n, 0.0, 1e-6);
        assert_close(report.mse, mse / n, 0.0, 1e-6);
        assert_close(report.mse_member, mse_member / n, 0.0, 1e-6);
        /* a second, equal row leaves the means as they are; NULL = the first rows */
        ScoreReport twice;
        assert_ok(ops->score(e, data, NULL, 2, &twice));
        assert_close(twice.nll, report.nll, 0.0, 1e-14);
        assert_ok(ops->score(e, data, NULL, 0, &twice));
        assert_true(isnan(twice.nll));
        assert_fails(ops->score(e, data, NULL, 3, &twice), STATUS_ERR_RANGE, "row 2");
        ops->destroy(e);
    }
    dataset_destroy(data);
}

static void predictions_do_not_depend_on_how_rows_are_cut(void **state) {
    (void)state;
    enum { N = 200, STRIDE = 5 };
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    fit(e, data, 1);
    float x[N * STRIDE];
    float whole[2][N * OUTPUTS];
    float cut[2][N * OUTPUTS];
    Rng   rng = rng_stream(8, 0, RNG_TEST);
    for (size_t i = 0; i < N * STRIDE; i++) {
        x[i] = (float)rng_normal(&rng);
    }
    Arena scratch;
    assert_ok(arena_init(&scratch, ops->predict_scratch(e, N)));
    assert_ok(ops->predict(e, 1, x, STRIDE, N, whole[0], whole[1], &scratch));
    for (size_t first = 0; first < N; first += 37) {
        const size_t n = (N - first < 37) ? N - first : 37;
        assert_ok(ops->predict(e, 1, x + first * STRIDE, STRIDE, n, cut[0] + first * OUTPUTS,
                               cut[1] + first * OUTPUTS, &scratch));
    }
    assert_memory_equal(whole, cut, sizeof whole);
    assert_ok(ops->predict(e, 1, x, STRIDE, N, cut[0], NULL, &scratch));
    assert_memory_equal(whole[0], cut[0], sizeof whole[0]);
    for (size_t i = 0; i < N * OUTPUTS; i++) {
        assert_true(whole[1][i] > 0.0f);
    }
    assert_int_equal(scratch.used, 0);
    assert_fails(ops->predict(e, 3, x, STRIDE, N, cut[0], NULL, &scratch), STATUS_ERR_ARG,
                 "3 of 3");
    arena_reset(&scratch);
    assert_ok(arena_init(&scratch, 64));
    assert_fails(ops->predict(e, 1, x, STRIDE, N, cut[0], NULL, &scratch), STATUS_ERR_NOMEM, "");
    assert_memory_equal(whole[0], cut[0], sizeof whole[0]);
    arena_reset(&scratch);
    ops->destroy(e);
    dataset_destroy(data);
}

static void divergence_is_reported_not_failed(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    FitReport report;
    data->targets[5] = NAN;
    assert_ok(ops->fit(e, data, 11, 1, &report));
    assert_true(report.diverged);
    assert_true(!isfinite(report.loss));
    ops->destroy(e);
    dataset_destroy(data);
}

static void flop_is_that_of_the_plain_algorithm(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    FitReport report;
    /* 2-20-20-4: 40 + 400 + 80 multiply-adds; 60 + 420 + 84 + 4 parameters */
    assert_close(ops->predict_flop(e), 2.0 * 520.0, 0.0, 0.0);
    ModelCost cost;
    ops->cost(&(ModelCostQuery){.input_dim = INPUTS, .output_dim = OUTPUTS, .rows = 120}, values,
              &cost);
    assert_close(cost.predict_flop, 2.0 * 520.0, 0.0, 0.0);
    assert_ok(ops->fit(e, data, 11, 1, &report));
    /* 3 members, 2 epochs, 120 rows, 4 steps of 32 */
    assert_close(report.flop, 3 * 2 * (120 * 6.0 * 520 + 4 * 14.0 * 568), 0.0, 1e-12);
    assert_close(cost.fit_flop, report.flop, 0.0, 1e-12);
    assert_int_equal(cost.members, 3);
    ops->destroy(e);
    dataset_destroy(data);
}

static void dynamic_options_change_and_static_ones_do_not(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    Ensemble *e = make(values, 5);
    values[ENSEMBLE_LEARNING_RATE] = 5e-4;
    assert_ok(ops->set(e, values));
    assert_true(e->values[ENSEMBLE_LEARNING_RATE] == 5e-4);
    values[ENSEMBLE_HIDDEN_WIDTH] = 21;
    assert_fails(ops->set(e, values), STATUS_ERR_STATE, "hidden_width");
    values[ENSEMBLE_HIDDEN_WIDTH] = 20;
    values[ENSEMBLE_LEARNING_RATE] = 2.0;
    assert_fails(ops->set(e, values), STATUS_ERR_RANGE, "model_learning_rate");
    assert_true(e->values[ENSEMBLE_LEARNING_RATE] == 5e-4);
    ops->destroy(e);
}

static void bad_input_is_refused_with_a_sentence(void **state) {
    (void)state;
    double             values[ENSEMBLE_OPTION_COUNT];
    void              *self = values;
    DynamicsModelSetup setup = {.input_dim = 0, .output_dim = OUTPUTS, .target_scale = scales};
    small_options(values);
    assert_fails(ops->create(&setup, values, &self), STATUS_ERR_ARG, "0 inputs");
    assert_null(self);
    setup.input_dim = INPUTS;
    values[ENSEMBLE_SIZE] = 65;
    assert_fails(ops->create(&setup, values, &self), STATUS_ERR_RANGE, "ensemble_size");

    small_options(values);
    Ensemble   *e = make(values, 5);
    Dataset    *data = NULL;
    FitReport   report = {.loss = 7.0};
    ScoreReport score;
    const float x[3] = {1.0f, 2.0f, 3.0f};
    assert_ok(dataset_create(3, OUTPUTS, 3, &data));
    assert_fails(ops->fit(e, data, 1, 1, &report), STATUS_ERR_SHAPE, "3 inputs");
    assert_fails(ops->score(e, data, NULL, 0, &score), STATUS_ERR_SHAPE, "3 inputs");
    dataset_destroy(data);
    assert_ok(dataset_create(INPUTS, OUTPUTS, 2, &data));
    assert_ok(dataset_append(data, x, x, 0, true));
    assert_fails(ops->fit(e, data, 1, 1, &report), STATUS_ERR_STATE, "held out");
    assert_ok(dataset_append(data, x, x, 1, false));
    assert_fails(ops->fit(e, data, 1, 1, &report), STATUS_ERR_SHAPE, "2 members");
    dataset_destroy(data);
    assert_ok(dataset_create(INPUTS, OUTPUTS, 3, &data));
    assert_ok(dataset_append(data, x, x, 1, false));
    assert_fails(ops->fit(e, data, 1, 1, &report), STATUS_ERR_STATE, "bootstrap");
    assert_true(report.loss == 7.0);
    dataset_destroy(data);
    ops->destroy(e);
    ops->destroy(NULL);
}

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    small_options(values);
    const DynamicsModelSetup setup = {
        .input_dim = INPUTS, .output_dim = OUTPUTS, .target_scale = scales};
    size_t n = 1;
    for (;; n++) {
        void *self = NULL;
        test_fail_allocation(n);
        const Status status = ops->create(&setup, values, &self);
        if (!test_allocation_failed()) {
            test_fail_allocation(0);
            assert_int_equal(status, STATUS_OK);
            ops->destroy(self);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(self);
    }
    assert_true(n > 3);
    Dataset  *data = make_data(3, NOISE);
    Ensemble *e = make(values, 5);
    Ensemble *same = make(values, 5);
    FitReport report;
    test_fail_allocation(1);
    assert_int_equal(ops->fit(e, data, 1, 1, &report), STATUS_ERR_NOMEM);
    test_fail_allocation(0);
    assert_same_numbers(e, same);
    fit(e, data, 1);
    /* the second training call allocates nothing */
    test_fail_allocation(1);
    assert_int_equal(ops->fit(e, data, 1, 2, &report), STATUS_OK);
    assert_false(test_allocation_failed());
    test_fail_allocation(0);
    ops->destroy(e);
    ops->destroy(same);
    dataset_destroy(data);
}

/* the published table: a changed default is a decision */
static void defaults_are_the_published_ones(void **state) {
    (void)state;
    double values[ENSEMBLE_OPTION_COUNT];
    option_defaults(ops->options, values);
    const double expected[ENSEMBLE_OPTION_COUNT] = {1e-3, 5e-5, 25, 32, 5, 3, 200, 0, 0,
                                                    1,    0,    0,  0,  0, 0, 0,   0};
    assert_int_equal(option_count(ops->options), ENSEMBLE_OPTION_COUNT);
    for (size_t i = 0; i < ENSEMBLE_OPTION_COUNT; i++) {
        /* no list of decays is given; a layer's own share would be 1 */
        assert_true(values[i] == (i >= ENSEMBLE_DECAY_FIRST ? 1.0 : expected[i]));
        assert_ok(option_check(&ops->options[i], values[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns_a_function_and_its_noise),
        cmocka_unit_test(scaler_is_mean_and_deviation_of_the_training_rows),
        cmocka_unit_test(saved_model_continues_bit_for_bit),
        cmocka_unit_test(damaged_or_foreign_saves_are_refused_and_change_nothing),
        cmocka_unit_test(same_seed_same_weights_and_another_step_another_order),
        cmocka_unit_test(bootstrap_draws_decide_what_a_member_sees),
        cmocka_unit_test(fixed_bounds_stay_and_learned_bounds_move),
        cmocka_unit_test(score_is_the_mixture_likelihood_of_scaled_targets),
        cmocka_unit_test(predictions_do_not_depend_on_how_rows_are_cut),
        cmocka_unit_test(divergence_is_reported_not_failed),
        cmocka_unit_test(flop_is_that_of_the_plain_algorithm),
        cmocka_unit_test(dynamic_options_change_and_static_ones_do_not),
        cmocka_unit_test(bad_input_is_refused_with_a_sentence),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(defaults_are_the_published_ones),
    };
    return cmocka_run_group_tests_name("mbrl/ensemble", tests, NULL, NULL);
}
