/* What every dynamics model of the registry keeps to; no model's name stands here. */
#include "tests/mbrl/model_bench.h"

#include "mbrl/models/network.h"

static void models_are_complete(void **state) {
    (void)state;
    assert_true(model_count() >= 3);
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        assert_true(ops->name && ops->source && ops->help && ops->options && ops->create &&
                    ops->destroy && ops->set && ops->fit && ops->reset && ops->score &&
                    ops->members && ops->stochastic && ops->columns && ops->predict &&
                    ops->predict_scratch && ops->predict_flop && ops->outputs && ops->save &&
                    ops->load && ops->cost);
        for (const OptionSpec *row = ops->options; row->name != NULL; row++) {
            assert_ok(option_check(row, row->default_value));
            assert_non_null(row->help);
            /* what needs a rebuild can be rebuilt */
            assert_true(row->dynamic != OPTION_REBUILDS || ops->rebuild != NULL);
            for (size_t other = 0; other < k; other++) {
                const OptionSpec *rows = model_at(other)->options;
                assert_int_equal(option_find(rows, row->name), option_count(rows));
            }
        }
        ops->destroy(NULL);
    }
    assert_null(model_at(model_count()));
}

static void learns_a_function_and_its_noise(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        ScoreReport             before;
        ScoreReport             after;
        mb_options(ops, values);
        mb_option(ops, values, "model_train_epochs", 400);
        mb_option(ops, values, "model_learning_rate", 3e-3);
        mb_option(ops, values, "gp_iterations", 40);
        Dataset *data = mb_data(3);
        void    *self = mb_make(ops, values, 5);
        assert_ok(ops->score(self, data, data->held_rows, MB_HELD, &before));
        const FitReport report = mb_fit(ops, self, data, 1);
        assert_false(report.diverged);
        assert_true(isfinite(report.loss) && report.flop > 0.0 && report.epochs >= 1);
        assert_ok(ops->score(self, data, data->held_rows, MB_HELD, &after));
        /* the best possible mean: 0.5 log(2 pi e noise^2) - log(scale) */
        const double best =
            0.5 * log(2.0 * 3.14159265358979 * 2.718281828459045 * MB_NOISE * MB_NOISE) -
            0.5 * (log(mb_scales[0]) + log(mb_scales[1]));
        if (!(after.nll > best - 0.4 && after.nll < best + 0.4 && after.nll < before.nll)) {
            fail_msg("%s: nll %g after %g, best %g", ops->name, after.nll, before.nll, best);
        }
        assert_true(after.mse < 0.1 * before.mse);
        assert_true(after.nll <= after.nll_member + 1e-12 && after.mse <= after.mse_member + 1e-12);
        assert_int_equal(after.likelihood, LIKELIHOOD_PREDICTED);
        ops->destroy(self);
        dataset_destroy(data);
    }
}

static void saved_models_continue_bit_for_bit(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        Buffer                  saved;
        float                   mean[2][MB_ROWS * MB_OUTPUTS];
        float                   sd[2][MB_ROWS * MB_OUTPUTS];
        Rng                     rng = rng_stream(4, 0, RNG_TEST);
        ModelCost               cost;
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        void    *self = mb_make(ops, values, 5);
        void    *copy = mb_make(ops, values, 6);
        (void)mb_fit(ops, self, data, 1);
        mb_save(ops, self, &saved);
        ops->cost(&(ModelCostQuery){.input_dim = MB_INPUTS,
                                    .output_dim = MB_OUTPUTS,
                                    .rows = MB_ROWS - MB_HELD},
                  values, &cost);
        assert_int_equal(saved.length, (size_t)cost.bytes);
        assert_ok(ops->load(copy, saved.data, saved.length));
        mb_expect_same(ops, self, copy);
        mb_predict(ops, self, data->inputs, MB_ROWS, mean[0], sd[0]);
        mb_predict(ops, copy, data->inputs, MB_ROWS, mean[1], sd[1]);
        assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
        assert_memory_equal(sd[0], sd[1], sizeof sd[0]);
        /* more data, another call: what is reported is the same, too */
        mb_append(data, &rng, 40, false);
        assert_ok(dataset_bootstrap(data, 3, 2));
        const FitReport a = mb_fit(ops, self, data, 2);
        const FitReport b = mb_fit(ops, copy, data, 2);
        assert_true(a.loss == b.loss && a.flop == b.flop && a.epochs == b.epochs);
        mb_expect_same(ops, self, copy);
        buffer_reset(&saved);
        ops->destroy(self);
        ops->destroy(copy);
        dataset_destroy(data);
    }
}

static void same_seed_same_model(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        void    *a = mb_make(ops, values, 5);
        void    *b = mb_make(ops, values, 5);
        for (uint64_t step = 1; step <= 2; step++) {
            (void)mb_fit(ops, a, data, step);
            (void)mb_fit(ops, b, data, step);
            mb_expect_same(ops, a, b);
        }
        ops->destroy(a);
        ops->destroy(b);
        dataset_destroy(data);
    }
}

static void damaged_or_foreign_saves_are_refused(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        Buffer                  saved;
        mb_options(ops, values);
        void    *self = mb_make(ops, values, 5);
        void    *same = mb_make(ops, values, 5);
        Dataset *data = mb_data(3);
        (void)mb_fit(ops, self, data, 1);
        (void)mb_fit(ops, same, data, 1);
        mb_save(ops, self, &saved);
        assert_fails(ops->load(self, saved.data, saved.length - 1), STATUS_ERR_CORRUPT, "bytes");
        assert_fails(ops->load(self, saved.data, 3), STATUS_ERR_CORRUPT, "3 bytes");
        saved.data[0] = 'x';
        assert_fails(ops->load(self, saved.data, saved.length), STATUS_ERR_CORRUPT, "not");
        mb_expect_same(ops, self, same);
        buffer_reset(&saved);
        buffer_init(&saved, 20);
        assert_fails(ops->save(self, &saved), STATUS_ERR_RANGE, "cap");
        buffer_reset(&saved);
        ops->destroy(self);
        ops->destroy(same);
        dataset_destroy(data);
    }
}

static void predictions_do_not_depend_on_how_rows_are_cut(void **state) {
    (void)state;
    enum { N = 150, STRIDE = MB_INPUTS + 2 };
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        float                   x[N * STRIDE];
        float                   whole[2][N * MB_OUTPUTS];
        float                   cut[2][N * MB_OUTPUTS];
        Rng                     rng = rng_stream(8, 0, RNG_TEST);
        Arena                   scratch;
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        void    *self = mb_make(ops, values, 5);
        (void)mb_fit(ops, self, data, 1);
        for (size_t i = 0; i < (size_t)N * STRIDE; i++) {
            x[i] = (float)(i % STRIDE == 1 ? 300.0 + 30.0 * rng_normal(&rng) : rng_normal(&rng));
        }
        assert_int_equal(ops->outputs(self), MB_OUTPUTS);
        assert_ok(arena_init(&scratch, ops->predict_scratch(self, N)));
        assert_ok(ops->predict(self, 0, x, STRIDE, N, whole[0], whole[1], &scratch));
        for (size_t first = 0; first < N; first += 37) {
            const size_t n = (N - first < 37) ? N - first : 37;
            assert_ok(ops->predict(self, 0, x + first * STRIDE, STRIDE, n,
                                   cut[0] + first * MB_OUTPUTS, cut[1] + first * MB_OUTPUTS,
                                   &scratch));
        }
        assert_memory_equal(whole, cut, sizeof whole);
        assert_ok(ops->predict(self, 0, x, STRIDE, N, cut[0], NULL, &scratch));
        assert_memory_equal(whole[0], cut[0], sizeof whole[0]);
        for (size_t i = 0; i < (size_t)N * MB_OUTPUTS; i++) {
            assert_true(whole[1][i] > 0.0f && isfinite(whole[0][i]));
        }
        assert_int_equal(scratch.used, 0);
        assert_fails(ops->predict(self, ops->members(self), x, STRIDE, N, cut[0], NULL, &scratch),
                     STATUS_ERR_ARG, "member");
        arena_reset(&scratch);
        assert_ok(arena_init(&scratch, 64));
        assert_fails(ops->predict(self, 0, x, STRIDE, N, cut[0], NULL, &scratch), STATUS_ERR_NOMEM,
                     "");
        assert_memory_equal(whole[0], cut[0], sizeof whole[0]);
        arena_reset(&scratch);
        ops->destroy(self);
        dataset_destroy(data);
    }
}

/* NaN among the data is an outcome; the model can be started anew after it */
static void divergence_is_reported_not_failed(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        mb_options(ops, values);
        for (int input = 0; input < 2; input++) {
            Dataset    *data = mb_data(3);
            void       *self = mb_make(ops, values, 5);
            float      *number = input ? &data->inputs[0] : &data->targets[0];
            const float kept = *number;
            *number = NAN;
            const FitReport report = mb_fit(ops, self, data, 1);
            assert_true(report.diverged);
            assert_true(!isfinite(report.loss));
            *number = kept;
            ops->reset(self, 5, 2);
            assert_false(mb_fit(ops, self, data, 2).diverged);
            ops->destroy(self);
            dataset_destroy(data);
        }
    }
}

static void reset_forgets_everything(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        Dataset *other = mb_data(4);
        void    *used = mb_make(ops, values, 5);
        void    *fresh = mb_make(ops, values, 6);
        (void)mb_fit(ops, used, other, 1);
        assert_false(mb_is_same(ops, used, fresh));
        ops->reset(used, 9, 7);
        ops->reset(fresh, 9, 7);
        (void)mb_fit(ops, used, data, 8);
        (void)mb_fit(ops, fresh, data, 8);
        mb_expect_same(ops, used, fresh);
        ops->destroy(used);
        ops->destroy(fresh);
        dataset_destroy(data);
        dataset_destroy(other);
    }
}

/* rows before the limit may hold anything */
static void a_limit_leaves_old_rows_out(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        Dataset *other = mb_data(3);
        void    *a = mb_make(ops, values, 5);
        void    *b = mb_make(ops, values, 5);
        void    *all = mb_make(ops, values, 5);
        for (size_t row = 0; row < 50; row++) {
            other->inputs[row * MB_INPUTS] = 1e3f;
            other->targets[row * MB_OUTPUTS] = -1e3f;
        }
        (void)mb_fit(ops, all, data, 1);
        dataset_limit(data, MB_ROWS - MB_HELD - 50);
        dataset_limit(other, MB_ROWS - MB_HELD - 50);
        (void)mb_fit(ops, a, data, 1);
        (void)mb_fit(ops, b, other, 1);
        mb_expect_same(ops, a, b);
        assert_false(mb_is_same(ops, a, all));
        /* and come back when the limit goes */
        dataset_limit(other, 0);
        ops->reset(b, 5, 0);
        ops->reset(all, 5, 0);
        (void)mb_fit(ops, b, other, 2);
        (void)mb_fit(ops, all, other, 2);
        mb_expect_same(ops, b, all);
        ops->destroy(a);
        ops->destroy(b);
        ops->destroy(all);
        dataset_destroy(data);
        dataset_destroy(other);
    }
}

static void a_dimension_of_scale_zero_is_predicted_but_not_scored(void **state) {
    (void)state;
    const double scales[MB_OUTPUTS] = {2.0, 0.0};
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        void                   *self = NULL;
        ScoreReport             a;
        ScoreReport             b;
        float                   mean[2][MB_OUTPUTS];
        float                   sd[MB_OUTPUTS];
        mb_options(ops, values);
        mb_option(ops, values, "model_train_epochs", 60);
        Dataset *data = mb_data(3);
        assert_ok(ops->create(&(DynamicsModelSetup){.input_dim = MB_INPUTS,
                                                    .output_dim = MB_OUTPUTS,
                                                    .target_scale = scales,
                                                    .seed = 5},
                              values, &self));
        (void)mb_fit(ops, self, data, 1);
        assert_ok(ops->score(self, data, data->held_rows, 5, &a));
        for (size_t row = 0; row < MB_ROWS; row++) {
            data->targets[row * MB_OUTPUTS + 1] += 100.0f;
        }
        assert_ok(ops->score(self, data, data->held_rows, 5, &b));
        assert_true(isfinite(a.nll) && a.nll == b.nll && a.mse == b.mse);
        mb_predict(ops, self, data->inputs, 1, mean[0], sd);
        ops->reset(self, 5, 2); /* rows that were learned from do not change otherwise */
        (void)mb_fit(ops, self, data, 2);
        mb_predict(ops, self, data->inputs, 1, mean[1], sd);
        if (!(mean[1][1] > mean[0][1] + 0.01f)) { /* it does learn it */
            fail_msg("%s: %g, then %g", ops->name, (double)mean[0][1], (double)mean[1][1]);
        }
        ops->destroy(self);
        dataset_destroy(data);
    }
}

static void bad_input_is_refused_with_a_sentence(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        void                   *self = values;
        Dataset                *data = NULL;
        FitReport               report = {.loss = 7.0};
        ScoreReport             score = {.nll = 7.0};
        const float             x[4] = {1.0f, 2.0f, 3.0f, 4.0f};
        mb_options(ops, values);
        DynamicsModelSetup setup = {.output_dim = MB_OUTPUTS, .target_scale = mb_scales};
        assert_fails(ops->create(&setup, values, &self), STATUS_ERR_ARG, "0 inputs");
        assert_null(self);
        setup.input_dim = MB_INPUTS;
        const double kept = values[0];
        values[0] = 1e12;
        assert_fails(ops->create(&setup, values, &self), STATUS_ERR_RANGE, ops->options[0].name);
        values[0] = kept;
        self = mb_make(ops, values, 5);
        for (size_t row = 0; ops->options[row].name != NULL; row++) {
            if (ops->options[row].dynamic == OPTION_STATIC) {
                const double was = values[row];
                values[row] = (was == ops->options[row].upper) ? ops->options[row].lower
                                                               : ops->options[row].upper;
                assert_fails(ops->set(self, values), STATUS_ERR_STATE, ops->options[row].name);
                values[row] = was;
            }
        }
        assert_ok(ops->set(self, values));
        assert_ok(dataset_create(MB_INPUTS + 1, MB_OUTPUTS, MB_MEMBERS, &data));
        assert_fails(ops->fit(self, data, 1, 1, &report), STATUS_ERR_SHAPE, "4 inputs");
        assert_fails(ops->score(self, data, NULL, 0, &score), STATUS_ERR_SHAPE, "4 inputs");
        dataset_destroy(data);
        assert_ok(dataset_create(MB_INPUTS, MB_OUTPUTS, MB_MEMBERS, &data));
        assert_ok(dataset_append(data, x, x, 0, true));
        assert_fails(ops->fit(self, data, 1, 1, &report), STATUS_ERR_STATE, "held out");
        assert_fails(ops->score(self, data, NULL, 2, &score), STATUS_ERR_RANGE, "row 1");
        assert_true(report.loss == 7.0 && score.nll == 7.0);
        assert_ok(ops->score(self, data, NULL, 0, &score));
        assert_true(isnan(score.nll));
        dataset_destroy(data);
        ops->destroy(self);
    }
}

static void every_failed_allocation_is_reported(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps  *ops = model_at(k);
        double                   values[MB_OPTIONS];
        const DynamicsModelSetup setup = {
            .input_dim = MB_INPUTS, .output_dim = MB_OUTPUTS, .target_scale = mb_scales};
        mb_options(ops, values);
        size_t n = 1;
        for (;; n++) {
            void *self = NULL;
            test_fail_allocation(n);
            const Status status = ops->create(&setup, values, &self);
            const bool   failed = test_allocation_failed();
            test_fail_allocation(0);
            if (!failed) {
                assert_int_equal(status, STATUS_OK);
                ops->destroy(self);
                break;
            }
            assert_int_equal(status, STATUS_ERR_NOMEM);
            assert_null(self);
        }
        assert_true(n > 3);
        Dataset  *data = mb_data(3);
        void     *self = mb_make(ops, values, 5);
        void     *same = mb_make(ops, values, 5);
        FitReport report;
        test_fail_allocation(1);
        const Status status = ops->fit(self, data, 11, 1, &report);
        const bool   failed = test_allocation_failed();
        test_fail_allocation(0);
        assert_int_equal(status, failed ? STATUS_ERR_NOMEM : STATUS_OK);
        (void)mb_fit(ops, failed ? self : same, data, 1);
        (void)mb_fit(ops, failed ? same : self, data, failed ? 1 : 2);
        /* the second training call allocates nothing */
        test_fail_allocation(1);
        assert_int_equal(ops->fit(self, data, 1, 3, &report), STATUS_OK);
        assert_false(test_allocation_failed());
        test_fail_allocation(0);
        ops->destroy(self);
        ops->destroy(same);
        dataset_destroy(data);
    }
}

/* what a model says of a row before it exists is what it says then, and a fit costs at most what
 * was announced */
static void costs_are_the_announced_ones(void **state) {
    (void)state;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        ModelCost               cost;
        mb_options(ops, values);
        Dataset *data = mb_data(3);
        void    *self = mb_make(ops, values, 5);
        ops->cost(&(ModelCostQuery){.input_dim = MB_INPUTS,
                                    .output_dim = MB_OUTPUTS,
                                    .rows = data->train_count,
                                    .held = data->held_count},
                  values, &cost);
        const FitReport report = mb_fit(ops, self, data, 1);
        assert_true(report.flop > 0.0 && report.flop <= cost.fit_flop * (1.0 + 1e-12));
        assert_true(ops->predict_flop(self) == cost.predict_flop);
        assert_int_equal(cost.members, ops->columns(self));
        assert_int_equal(cost.planning, ops->members(self));
        assert_int_equal(cost.stochastic, ops->stochastic(self));
        assert_true(ops->members(self) >= 1 && ops->members(self) <= ops->columns(self));
        ops->destroy(self);
        dataset_destroy(data);
    }
}

/* a row through the networks of a view: what a back end on another device would compute */
static void predict_from_view(const ModelView *view, size_t member, const float *x, float *mean,
                              float *sd) {
    const NetworkShape *shape = view->network;
    const size_t        lanes = network_lanes(1);
    const float        *block = view->weights + view->planning[member] * shape->floats;
    Arena               arena;
    NetworkScratch      scratch;
    assert_ok(arena_init(&arena, network_scratch_need(shape)));
    assert_ok(network_scratch(shape, &arena, &scratch));
    for (size_t i = 0; i < shape->inputs; i++) {
        for (size_t j = 0; j < lanes; j++) {
            scratch.input[i * lanes + j] = (x[i] - view->scaler_mean[i]) * view->scaler_inverse[i];
        }
    }
    network_forward(shape, block, &scratch, lanes);
    for (size_t d = 0; d < shape->outputs; d++) {
        mean[d] = scratch.output[d * lanes];
        sd[d] = expf(0.5f * scratch.output[(shape->outputs + d) * lanes]);
    }
    arena_reset(&arena);
}

static void check_view_predicts(const DynamicsModelOps *ops, const void *self,
                                const Dataset *data) {
    ModelView view;
    Arena     arena;
    float     mean[2][MB_OUTPUTS];
    float     sd[2][MB_OUTPUTS];
    ops->view(self, &view);
    assert_int_equal(view.members, ops->members(self));
    assert_ok(arena_init(&arena, ops->predict_scratch(self, 1)));
    for (size_t m = 0; m < view.members; m++) {
        for (size_t row = 0; row < 10; row++) {
            const float *x = data->inputs + row * MB_INPUTS;
            assert_ok(ops->predict(self, m, x, MB_INPUTS, 1, mean[0], sd[0], &arena));
            predict_from_view(&view, m, x, mean[1], sd[1]);
            assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
            for (size_t d = 0; d < MB_OUTPUTS; d++) {
                assert_close((double)sd[1][d], (double)sd[0][d], 0.0, 1e-6);
            }
        }
    }
    arena_reset(&arena);
}

static uint64_t generation(const DynamicsModelOps *ops, const void *self) {
    ModelView view;
    ops->view(self, &view);
    return view.generation;
}

/* what is copied once per generation is never out of date, and is not copied for nothing */
static void check_generations(const DynamicsModelOps *ops, double *values, const Dataset *data) {
    void       *self = mb_make(ops, values, 5);
    void       *other = mb_make(ops, values, 5);
    uint64_t    seen[8] = {generation(ops, other), generation(ops, self)};
    ScoreReport score;
    Buffer      saved;
    (void)mb_fit(ops, self, data, 1);
    seen[2] = generation(ops, self);
    check_view_predicts(ops, self, data);
    assert_ok(ops->score(self, data, NULL, 20, &score));
    mb_save(ops, self, &saved);
    assert_true(generation(ops, self) == seen[2]); /* looked at only */
    mb_option(ops, values, "ensemble_elites", 1);
    assert_ok(ops->set(self, values));
    seen[3] = generation(ops, self);
    check_view_predicts(ops, self, data);
    ops->reset(self, 7, 1);
    seen[4] = generation(ops, self);
    assert_ok(ops->load(self, saved.data, saved.length));
    seen[5] = generation(ops, self);
    check_view_predicts(ops, self, data);
    /* trained where nobody is compared and chosen */
    mb_option(ops, values, "ensemble_elites", 0);
    assert_ok(ops->set(self, values));
    seen[6] = generation(ops, self);
    (void)mb_fit(ops, self, data, 2);
    seen[7] = generation(ops, self);
    for (size_t i = 0; i < 8; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(seen[i] != seen[k]);
        }
    }
    buffer_reset(&saved);
    ops->destroy(self);
    ops->destroy(other);
}

static void views_are_what_predicts(void **state) {
    (void)state;
    size_t views = 0;
    for (size_t k = 0; k < model_count(); k++) {
        const DynamicsModelOps *ops = model_at(k);
        double                  values[MB_OPTIONS];
        if (ops->view == NULL) {
            continue;
        }
        views++;
        mb_options(ops, values);
        mb_option(ops, values, "ensemble_elites", 2);
        Dataset *data = mb_data(3);
        check_generations(ops, values, data);
        dataset_destroy(data);
    }
    assert_true(views > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_are_complete),
        cmocka_unit_test(learns_a_function_and_its_noise),
        cmocka_unit_test(saved_models_continue_bit_for_bit),
        cmocka_unit_test(same_seed_same_model),
        cmocka_unit_test(damaged_or_foreign_saves_are_refused),
        cmocka_unit_test(predictions_do_not_depend_on_how_rows_are_cut),
        cmocka_unit_test(divergence_is_reported_not_failed),
        cmocka_unit_test(reset_forgets_everything),
        cmocka_unit_test(a_limit_leaves_old_rows_out),
        cmocka_unit_test(a_dimension_of_scale_zero_is_predicted_but_not_scored),
        cmocka_unit_test(bad_input_is_refused_with_a_sentence),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(costs_are_the_announced_ones),
        cmocka_unit_test(views_are_what_predicts),
    };
    return cmocka_run_group_tests_name("mbrl/model_contract", tests, NULL, NULL);
}
