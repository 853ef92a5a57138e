/* What the ensemble's options do: kind, optimizers, decay, patience, order, elites, rebuilding. */
#include "tests/mbrl/model_bench.h"

#include "mbrl/models/ensemble_internal.h"
#include "mbrl/models/lane_optimizers.h"

static const DynamicsModelOps *const ops = &model_ensemble_ops;

static Ensemble *make(const double *values, uint64_t seed) {
    return mb_make(ops, values, seed);
}

static size_t block_bytes(const Ensemble *e) {
    return e->shape.floats * sizeof *e->block;
}

static const float *block_of(const Ensemble *e, size_t member) {
    return e->block + member * e->shape.floats;
}

/* Least squares on one linear layer's worth of data: the mean error falls to the noise, the
 * standard deviation is 0, and the likelihood is that of the residuals on held-out rows. */
static void deterministic_members_predict_points(void **state) {
    (void)state;
    double      values[MB_OPTIONS];
    float       mean[MB_ROWS * MB_OUTPUTS];
    float       sd[MB_ROWS * MB_OUTPUTS];
    ScoreReport score;
    mb_options(ops, values);
    values[ENSEMBLE_KIND] = NETWORK_DETERMINISTIC;
    values[ENSEMBLE_SIZE] = 1;
    values[ENSEMBLE_TRAIN_EPOCHS] = 300;
    values[ENSEMBLE_LEARNING_RATE] = 3e-3;
    Dataset  *data = mb_data(3);
    Ensemble *e = make(values, 5);
    assert_int_equal(e->shape.fan_out[e->shape.layers - 1], MB_OUTPUTS);
    (void)mb_fit(ops, e, data, 1);
    mb_predict(ops, e, data->inputs, MB_ROWS, mean, sd);
    double squares[MB_OUTPUTS] = {0.0};
    for (size_t k = 0; k < MB_HELD; k++) {
        const size_t row = data->held_rows[k];
        for (size_t d = 0; d < MB_OUTPUTS; d++) {
            const size_t at = row * MB_OUTPUTS + d;
            assert_true(sd[at] == 0.0f);
            squares[d] += pow((double)mean[at] - (double)data->targets[at], 2) / MB_HELD;
        }
    }
    double nll = 0.0;
    for (size_t d = 0; d < MB_OUTPUTS; d++) {
        assert_true(sqrt(squares[d]) < 2.0 * MB_NOISE);
        assert_close(e->residual[d], squares[d], 0.0, 1e-6);
        nll += 0.5 * (log(2.0 * 3.14159265358979324) + log(squares[d]) + 1.0) - log(mb_scales[d]);
    }
    assert_ok(ops->score(e, data, data->held_rows, MB_HELD, &score));
    assert_close(score.nll, nll / MB_OUTPUTS, 0.0, 1e-6);
    assert_int_equal(score.likelihood, LIKELIHOOD_RESIDUAL);
    /* without held-out rows it is that of the training rows */
    Dataset *all = mb_data(3);
    all->held_count = 0;
    (void)mb_fit(ops, e, all, 2);
    mb_predict(ops, e, all->inputs, MB_ROWS, mean, sd);
    double train = 0.0;
    for (size_t k = 0; k < all->train_count; k++) {
        const size_t at = all->train_rows[k] * MB_OUTPUTS;
        train += pow((double)mean[at] - (double)all->targets[at], 2) / (double)all->train_count;
    }
    assert_close(e->residual[0], train, 0.0, 1e-6);
    dataset_destroy(all);
    ops->destroy(e);
    dataset_destroy(data);
}

/* each optimizer: saved after one call, the second call is the same from memory and from bytes; and
 * both blocks of its memory count */
static void every_optimizer_trains_and_is_saved_bit_for_bit(void **state) {
    (void)state;
    const double rates[] = {[OPTIMIZER_ADAM] = 1e-3,
                            [OPTIMIZER_ADADELTA] = 1.0,
                            [OPTIMIZER_ADAGRAD] = 1e-2,
                            [OPTIMIZER_SGD] = 1e-3,
                            [OPTIMIZER_RMSPROP] = 1e-3};
    for (int kind = OPTIMIZER_ADAM; kind <= OPTIMIZER_RMSPROP; kind++) {
        double      values[MB_OPTIONS];
        ScoreReport before;
        ScoreReport after;
        Buffer      saved;
        mb_options(ops, values);
        values[ENSEMBLE_OPTIMIZER] = kind;
        values[ENSEMBLE_LEARNING_RATE] = rates[kind];
        values[ENSEMBLE_MOMENTUM] = 0.9;
        values[ENSEMBLE_TRAIN_EPOCHS] = 20;
        Dataset  *data = mb_data(3);
        Ensemble *e = make(values, 5);
        Ensemble *copy = make(values, 6);
        assert_ok(ops->score(e, data, data->held_rows, MB_HELD, &before));
        (void)mb_fit(ops, e, data, 1);
        assert_ok(ops->score(e, data, data->held_rows, MB_HELD, &after));
        assert_true(after.nll < before.nll - 0.1);
        mb_save(ops, e, &saved);
        assert_ok(ops->load(copy, saved.data, saved.length));
        (void)mb_fit(ops, e, data, 2);
        (void)mb_fit(ops, copy, data, 2);
        mb_expect_same(ops, e, copy);
        for (int block = 0; block < 2; block++) {
            assert_ok(ops->load(copy, saved.data, saved.length));
            *(block ? copy->second : copy->first) += 0.5f;
            (void)mb_fit(ops, copy, data, 2);
            const bool matters = block == 0 || kind == OPTIMIZER_ADAM || kind == OPTIMIZER_ADADELTA;
            assert_int_equal(memcmp(copy->block, e->block, block_bytes(e)) != 0, matters);
        }
        buffer_reset(&saved);
        ops->destroy(e);
        ops->destroy(copy);
        dataset_destroy(data);
    }
}

static void momentum_is_the_option_of_sgd(void **state) {
    (void)state;
    double values[MB_OPTIONS];
    mb_options(ops, values);
    values[ENSEMBLE_OPTIMIZER] = OPTIMIZER_SGD;
    Dataset  *data = mb_data(3);
    Ensemble *plain = make(values, 5);
    values[ENSEMBLE_MOMENTUM] = 0.5;
    Ensemble *heavy = make(values, 5);
    (void)mb_fit(ops, plain, data, 1);
    (void)mb_fit(ops, heavy, data, 1);
    assert_memory_not_equal(plain->block, heavy->block, block_bytes(plain));
    ops->destroy(plain);
    ops->destroy(heavy);
    dataset_destroy(data);
}

/* The loss that is reported contains the penalty: 0.5 sum of decay |W|^2, by layers. */
static void expect_decay(double *values, const double *ratios) {
    Ensemble *e = make(values, 5);
    for (size_t l = 0; l < e->shape.layers; l++) {
        assert_true(ensemble__decay_ratio(e, l) == ratios[l]);
    }
    ops->destroy(e);
    /* strong decay, tiny rate of sgd: what a step takes off a weight is its layer's share */
    values[ENSEMBLE_OPTIMIZER] = OPTIMIZER_SGD;
    values[ENSEMBLE_LEARNING_RATE] = 1e-3;
    values[ENSEMBLE_TRAIN_EPOCHS] = 1;
    values[ENSEMBLE_BATCH_SIZE] = 1000;
    values[ENSEMBLE_SIZE] = 1;
    Dataset  *data = mb_data(3);
    float    *taken[2];
    Ensemble *pair[2];
    for (int decayed = 0; decayed < 2; decayed++) {
        values[ENSEMBLE_WEIGHT_DECAY] = decayed;
        pair[decayed] = make(values, 5);
        (void)mb_fit(ops, pair[decayed], data, 1);
        taken[decayed] = pair[decayed]->block;
    }
    Ensemble           *start = make(values, 5);
    const NetworkShape *shape = &start->shape;
    for (size_t l = 0; l < shape->layers; l++) {
        const size_t at = shape->offset[l];
        const double lost = (double)taken[0][at] - (double)taken[1][at];
        assert_close(lost, 1e-3 * ratios[l] * (double)start->block[at], 3e-8, 1e-3);
    }
    ops->destroy(start);
    ops->destroy(pair[0]);
    ops->destroy(pair[1]);
    dataset_destroy(data);
}

static void decay_is_scaled_by_layers(void **state) {
    (void)state;
    const OptionSpec *list = &ops->options[ENSEMBLE_DECAY_LAYERS];
    const double      pets[3] = {0.5, 1.0, 1.5};
    const double      own[3] = {0.25, 3.0, 0.0};
    double            values[MB_OPTIONS];
    mb_options(ops, values);
    expect_decay(values, (double[3]){1.0, 1.0, 1.0});
    mb_options(ops, values);
    values[ENSEMBLE_DECAY_PROFILE] = 1;
    expect_decay(values, pets);
    mb_options(ops, values);
    assert_ok(option_list(list, own, 3, &values[ENSEMBLE_DECAY_LAYERS]));
    expect_decay(values, own);
}

/* nothing is guessed where the list and the network do not go together */
static void decay_of_other_layers_is_refused(void **state) {
    (void)state;
    const DynamicsModelSetup setup = {
        .input_dim = MB_INPUTS, .output_dim = MB_OUTPUTS, .target_scale = mb_scales, .seed = 1};
    const OptionSpec *list = &ops->options[ENSEMBLE_DECAY_LAYERS];
    const double      ratios[4] = {0.4, 1.0, 1.0, 2.0};
    double            values[MB_OPTIONS];
    void             *self = NULL;
    mb_options(ops, values);
    assert_ok(option_list(list, ratios, 4, &values[ENSEMBLE_DECAY_LAYERS]));
    assert_fails(ops->create(&setup, values, &self), STATUS_ERR_ARG,
                 "'weight_decay_layers' has 4 numbers, but 'hidden_layers: 2' makes 3 layers");
    assert_null(self);
    assert_ok(option_list(list, ratios, 3, &values[ENSEMBLE_DECAY_LAYERS]));
    assert_ok(ops->create(&setup, values, &self));
    values[ENSEMBLE_DECAY_PROFILE] = 1;
    assert_fails(ops->set(self, values), STATUS_ERR_ARG, "cannot go with");
    ops->destroy(self);
}

/* NLL of one member on the held-out rows, by its own score */
static double held_nll(Ensemble *e, const Dataset *data) {
    ScoreReport score;
    assert_ok(ops->score(e, data, data->held_rows, data->held_count, &score));
    return score.nll_member;
}

/* A learning rate that ruins the network after a while: with patience it ends early and keeps its
 * best weights. The same epochs one by one show which those are. */
static void patience_stops_and_restores_the_best_weights(void **state) {
    (void)state;
    enum { EPOCHS = 40, PATIENCE = 4 };
    double values[MB_OPTIONS];
    mb_options(ops, values);
    values[ENSEMBLE_SIZE] = 1;
    values[ENSEMBLE_LEARNING_RATE] = 2e-2;
    values[ENSEMBLE_TRAIN_EPOCHS] = EPOCHS;
    values[ENSEMBLE_BATCH_SIZE] = 16;
    Dataset *data = mb_data(3);
    /* the curve without patience: the first k epochs of a longer call are a call of k epochs */
    double curve[EPOCHS + 1];
    for (int k = 0; k <= EPOCHS; k++) {
        Ensemble *e = make(values, 5);
        /* the scaler is refitted before the first judgement */
        values[ENSEMBLE_TRAIN_EPOCHS] = (k > 0) ? k : 1;
        assert_ok(ops->set(e, values));
        (void)mb_fit(ops, e, data, 1);
        if (k == 0) {
            Ensemble *start = make(values, 5);
            memcpy(e->block, start->block, block_bytes(e));
            ops->destroy(start);
        }
        curve[k] = held_nll(e, data);
        ops->destroy(e);
    }
    /* the rule, once more */
    double best = curve[0];
    int    best_at = 0;
    int    waited = 0;
    int    end = 0;
    for (end = 1; end <= EPOCHS; end++) {
        if (best - curve[end] > 0.01 * fabs(best)) {
            best = curve[end];
            best_at = end;
            waited = 0;
        } else if (++waited >= PATIENCE) {
            break;
        }
    }
    assert_true(end < EPOCHS && best_at > 0 && best_at < end);
    values[ENSEMBLE_TRAIN_EPOCHS] = EPOCHS;
    values[ENSEMBLE_PATIENCE] = PATIENCE;
    Ensemble       *e = make(values, 5);
    const FitReport report = mb_fit(ops, e, data, 1);
    assert_int_equal(report.epochs, end);
    assert_close(held_nll(e, data), best, 0.0, 1e-12);
    /* judging is counted: once at the start and once per epoch */
    values[ENSEMBLE_PATIENCE] = 0;
    values[ENSEMBLE_TRAIN_EPOCHS] = end;
    Ensemble       *plain = make(values, 5);
    const FitReport without = mb_fit(ops, plain, data, 1);
    assert_close(report.flop - without.flop, (end + 1.0) * MB_HELD * ops->predict_flop(e), 0.0,
                 1e-9);
    ops->destroy(plain);
    ops->destroy(e);
    dataset_destroy(data);
}

/* Every epoch is better, none by 1 %: it ends after `patience` of them, and the last weights stand,
 * as without patience. */
static void patience_without_an_improvement_keeps_the_last_weights(void **state) {
    (void)state;
    double values[MB_OPTIONS];
    mb_options(ops, values);
    values[ENSEMBLE_LEARNING_RATE] = 1e-6;
    values[ENSEMBLE_TRAIN_EPOCHS] = 2;
    Dataset  *data = mb_data(3);
    Ensemble *plain = make(values, 5);
    values[ENSEMBLE_TRAIN_EPOCHS] = 10;
    values[ENSEMBLE_PATIENCE] = 2;
    Ensemble *patient = make(values, 5);
    (void)mb_fit(ops, plain, data, 1);
    const double    before = held_nll(plain, data);
    const FitReport report = mb_fit(ops, patient, data, 1);
    assert_int_equal(report.epochs, 2);
    assert_memory_equal(plain->block, patient->block, 3 * block_bytes(plain));
    (void)mb_fit(ops, plain, data, 2);
    assert_true(held_nll(plain, data) < before);
    ops->destroy(plain);
    ops->destroy(patient);
    dataset_destroy(data);
}

/* with one order and no resampling two members that start alike stay alike */
static void shared_order_is_the_same_for_all_members(void **state) {
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        double values[MB_OPTIONS];
        mb_options(ops, values);
        values[ENSEMBLE_BOOTSTRAP] = 0;
        values[ENSEMBLE_SHARED_ORDER] = shared;
        Dataset  *data = mb_data(3);
        Ensemble *e = make(values, 5);
        memcpy(e->block + e->shape.floats, e->block, block_bytes(e));
        (void)mb_fit(ops, e, data, 1);
        assert_int_equal(memcmp(block_of(e, 0), block_of(e, 1), block_bytes(e)) == 0, shared);
        ops->destroy(e);
        dataset_destroy(data);
    }
}

/* Each member's NLL by an ensemble of it alone; the elites are the best of them. */
static void elites_are_the_members_with_the_best_validation_nll(void **state) {
    (void)state;
    enum { MEMBERS = 6, ELITES = 2 };
    double values[MB_OPTIONS];
    float  mean[2][MB_OUTPUTS];
    float  sd[MB_OUTPUTS];
    double nll[MEMBERS];
    Buffer saved;
    mb_options(ops, values);
    values[ENSEMBLE_SIZE] = MEMBERS;
    values[ENSEMBLE_ELITES] = ELITES;
    Dataset *data = mb_data(3);
    assert_ok(dataset_set_members(data, MEMBERS, 3, 1));
    Ensemble *e = make(values, 5);
    assert_int_equal(ops->members(e), ELITES);
    assert_int_equal(ops->columns(e), MEMBERS);
    assert_true(e->plans[0] == 0 && e->plans[1] == 1); /* nobody is known to be better yet */
    (void)mb_fit(ops, e, data, 1);
    values[ENSEMBLE_SIZE] = 1;
    values[ENSEMBLE_ELITES] = 0;
    Ensemble *alone = make(values, 5);
    for (size_t m = 0; m < MEMBERS; m++) {
        memcpy(alone->block, block_of(e, m), block_bytes(e));
        memcpy(alone->scaler_mean, e->scaler_mean, MB_INPUTS * sizeof(float));
        memcpy(alone->scaler_inverse, e->scaler_inverse, MB_INPUTS * sizeof(float));
        nll[m] = held_nll(alone, data);
        assert_close(e->member_nll[m], nll[m], 0.0, 1e-12);
    }
    size_t worse = 0;
    for (size_t m = 0; m < MEMBERS; m++) {
        const bool plans = e->plans[0] == m || e->plans[1] == m;
        for (size_t k = 0; !plans && k < ELITES; k++) {
            assert_true(nll[m] > nll[e->plans[k]]);
            worse++;
        }
    }
    assert_int_equal(worse, (MEMBERS - ELITES) * ELITES);
    assert_true(e->plans[0] < e->plans[1] && e->plans[1] != 1); /* not just the first two */
    /* the k-th member of predict() is the k-th that plans */
    memcpy(alone->block, block_of(e, e->plans[1]), block_bytes(e));
    mb_predict(ops, alone, data->inputs, 1, mean[0], sd);
    Arena scratch;
    assert_ok(arena_init(&scratch, ops->predict_scratch(e, 1)));
    assert_ok(ops->predict(e, 1, data->inputs, MB_INPUTS, 1, mean[1], sd, &scratch));
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
    assert_fails(ops->predict(e, 2, data->inputs, MB_INPUTS, 1, mean[1], sd, &scratch),
                 STATUS_ERR_ARG, "2 of 2");
    arena_reset(&scratch);
    /* the score is theirs */
    assert_close(held_nll(e, data), 0.5 * (nll[e->plans[0]] + nll[e->plans[1]]), 0.0, 1e-12);
    /* saved and loaded: the same elites; another number of them needs no training */
    mb_save(ops, e, &saved);
    memcpy(values, e->values, sizeof e->values);
    Ensemble *copy = make(values, 9);
    assert_ok(ops->load(copy, saved.data, saved.length));
    assert_memory_equal(copy->plans, e->plans, ELITES * sizeof *e->plans);
    values[ENSEMBLE_ELITES] = 1;
    assert_ok(ops->set(copy, values));
    assert_int_equal(ops->members(copy), 1);
    assert_true(copy->plans[0] ==
                (nll[e->plans[0]] < nll[e->plans[1]] ? e->plans[0] : e->plans[1]));
    values[ENSEMBLE_ELITES] = 0;
    assert_ok(ops->set(copy, values));
    assert_int_equal(ops->members(copy), MEMBERS);
    buffer_reset(&saved);
    ops->destroy(copy);
    ops->destroy(alone);
    ops->destroy(e);
    dataset_destroy(data);
}

/* ends at the NLL that was asked for, else at its epochs; costs what it did */
static void rebuilding_ends_at_the_wanted_nll(void **state) {
    (void)state;
    double      values[MB_OPTIONS];
    ScoreReport good;
    ScoreReport score;
    FitReport   report;
    mb_options(ops, values);
    values[ENSEMBLE_TRAIN_EPOCHS] = 60;
    Dataset  *data = mb_data(3);
    Ensemble *e = make(values, 5);
    (void)mb_fit(ops, e, data, 1);
    assert_ok(ops->score(e, data, data->held_rows, MB_HELD, &good));
    values[ENSEMBLE_HIDDEN_WIDTH] = 31;
    values[ENSEMBLE_TRAIN_EPOCHS] = 2;
    Ensemble   *wide = make(values, 6);
    RebuildTask task = {.data = data, .seed = 11, .step = 2, .epochs = 400, .nll = good.nll};
    assert_ok(ops->rebuild(wide, &task, &report));
    assert_ok(ops->score(wide, data, data->held_rows, MB_HELD, &score));
    assert_true(score.nll <= good.nll);
    assert_true(report.epochs > 2 && report.epochs < 400);
    const double epochs = (double)report.epochs;
    const double rows = (double)data->train_count;
    /* 3 members: training, and one judgement per epoch */
    const double one = ensemble__train_flop(&wide->shape, OPTIMIZER_ADAM, rows, ceil(rows / 32.0)) +
                       MB_HELD * ops->predict_flop(wide);
    assert_close(report.flop, 3.0 * epochs * one, 0.0, 1e-12);
    /* one epoch less does not reach it */
    Ensemble *less = make(values, 6);
    task.epochs = report.epochs - 1;
    assert_ok(ops->rebuild(less, &task, &report));
    assert_ok(ops->score(less, data, data->held_rows, MB_HELD, &score));
    assert_true(report.epochs == task.epochs && score.nll > good.nll);
    /* without a goal all epochs are made; the same task gives the same model */
    task.nll = (double)NAN;
    Ensemble *twin = make(values, 6);
    ops->reset(less, 6, 3);
    ops->reset(twin, 6, 3);
    assert_ok(ops->rebuild(less, &task, &report));
    assert_ok(ops->rebuild(twin, &task, &report));
    assert_int_equal(report.epochs, task.epochs);
    mb_expect_same(ops, less, twin);
    ops->destroy(twin);
    ops->destroy(less);
    ops->destroy(wide);
    ops->destroy(e);
    dataset_destroy(data);
}

/* a member none of whose draws is within the limit trains on the rows in use */
static void a_limit_below_all_draws_leaves_no_member_without_rows(void **state) {
    (void)state;
    double values[MB_OPTIONS];
    mb_options(ops, values);
    Dataset *data = mb_data(3);
    dataset_limit(data, 1);
    Ensemble       *e = make(values, 5);
    const FitReport report = mb_fit(ops, e, data, 1);
    assert_true(!report.diverged && isfinite(report.loss));
    ops->destroy(e);
    dataset_destroy(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deterministic_members_predict_points),
        cmocka_unit_test(every_optimizer_trains_and_is_saved_bit_for_bit),
        cmocka_unit_test(momentum_is_the_option_of_sgd),
        cmocka_unit_test(decay_is_scaled_by_layers),
        cmocka_unit_test(decay_of_other_layers_is_refused),
        cmocka_unit_test(patience_stops_and_restores_the_best_weights),
        cmocka_unit_test(patience_without_an_improvement_keeps_the_last_weights),
        cmocka_unit_test(shared_order_is_the_same_for_all_members),
        cmocka_unit_test(elites_are_the_members_with_the_best_validation_nll),
        cmocka_unit_test(rebuilding_ends_at_the_wanted_nll),
        cmocka_unit_test(a_limit_below_all_draws_leaves_no_member_without_rows),
    };
    return cmocka_run_group_tests_name("mbrl/ensemble_options", tests, NULL, NULL);
}
