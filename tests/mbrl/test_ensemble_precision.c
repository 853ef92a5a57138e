/* planning_precision: bfloat16 plans with rounded copies of the weights as they are now, and
 * changes nothing else. */
#include "tests/mbrl/agent_bench.h"
#include "tests/mbrl/model_bench.h"

#include "mbrl/agents/pets_internal.h"
#include "mbrl/models/ensemble_internal.h"
#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_gemm_bf16.h"

static const DynamicsModelOps *const ops = &model_ensemble_ops;

static Ensemble *make(double precision, uint64_t seed) {
    double values[MB_OPTIONS];
    mb_options(ops, values);
    mb_option(ops, values, "planning_precision", precision);
    return mb_make(ops, values, seed);
}

/* e->packed is what packing the present weights gives; if `before` is given, not what it holds;
 * it gets what e->packed holds */
static void expect_packed(const Ensemble *e, uint32_t *before) {
    const size_t words = network_bf16_words(&e->shape);
    uint32_t    *packed = aligned_alloc(LANE_ALIGNMENT, words * sizeof *packed);
    assert_non_null(packed);
    assert_non_null(e->packed);
    for (size_t m = 0; m < e->members; m++) {
        /* the end is padding */
        memcpy(packed, e->packed + m * words, words * sizeof *packed);
        network_bf16_pack(&e->shape, e->block + m * e->shape.floats, packed);
        assert_memory_equal(packed, e->packed + m * words, words * sizeof *packed);
        assert_memory_not_equal(packed, before + m * words, words * sizeof *packed);
        memcpy(before + m * words, packed, words * sizeof *packed);
    }
    free(packed);
}

static void weights_are_packed_after_every_change(void **state) {
    (void)state;
    Ensemble    *e = make(ENSEMBLE_BFLOAT16, 1);
    Ensemble    *copy = make(ENSEMBLE_BFLOAT16, 2);
    Dataset     *data = mb_data(3);
    const size_t words = e->members * network_bf16_words(&e->shape);
    uint32_t    *before = calloc(words, sizeof *before);
    Buffer       saved;
    FitReport    report;
    assert_non_null(before);
    expect_packed(e, before);
    (void)mb_fit(ops, e, data, 1);
    expect_packed(e, before);
    mb_save(ops, e, &saved);
    assert_ok(ops->load(copy, saved.data, saved.length));
    assert_memory_equal(copy->packed, e->packed, words * sizeof *before);
    ops->reset(e, 5, 6);
    expect_packed(e, before);
    assert_ok(ops->rebuild(
        e, &(RebuildTask){.data = data, .seed = 1, .step = 2, .epochs = 2, .nll = (double)NAN},
        &report));
    expect_packed(e, before);
    buffer_reset(&saved);
    free(before);
    ops->destroy(e);
    ops->destroy(copy);
    dataset_destroy(data);
}

static void training_and_scores_stay_float32(void **state) {
    (void)state;
    Ensemble   *full = make(ENSEMBLE_FLOAT32, 1);
    Ensemble   *half = make(ENSEMBLE_BFLOAT16, 1);
    Dataset    *data = mb_data(3);
    ScoreReport scores[2];
    assert_null(full->packed);
    (void)mb_fit(ops, full, data, 1);
    (void)mb_fit(ops, half, data, 1);
    mb_expect_same(ops, full, half);
    assert_ok(ops->score(full, data, NULL, MB_ROWS, &scores[0]));
    assert_ok(ops->score(half, data, NULL, MB_ROWS, &scores[1]));
    assert_true(scores[0].nll == scores[1].nll && scores[0].mse == scores[1].mse);
    ops->destroy(full);
    ops->destroy(half);
    dataset_destroy(data);
}

/* Means within 2 % of a target's spread, deviations within 3 %; a row's bits do not depend on the
 * others. */
static void predictions_agree_between_precisions(void **state) {
    (void)state;
    enum { N = 150, ALONE = 77 };
    Ensemble *full = make(ENSEMBLE_FLOAT32, 1);
    Ensemble *half = make(ENSEMBLE_BFLOAT16, 1);
    Dataset  *data = mb_data(3);
    float     mean[2][N * MB_OUTPUTS];
    float     sd[2][N * MB_OUTPUTS];
    float     alone[2][MB_OUTPUTS];
    double    off = 0.0;
    for (uint64_t step = 1; step <= 20; step++) {
        (void)mb_fit(ops, full, data, step);
        (void)mb_fit(ops, half, data, step);
    }
    for (int version = 0; version < 2; version++) {
        lanes_limit(version == 0 ? LANES_AVX2 : LANES_AVX512);
        mb_predict(ops, full, data->inputs, N, mean[0], sd[0]);
        mb_predict(ops, half, data->inputs, N, mean[1], sd[1]);
        for (size_t i = 0; i < (size_t)N * MB_OUTPUTS; i++) {
            const double error = (double)mean[1][i] - (double)mean[0][i];
            off = fmax(off, fabs(error) / mb_scales[i % MB_OUTPUTS]);
            assert_close((double)sd[1][i], (double)sd[0][i], 0.0, 0.03);
        }
        mb_predict(ops, half, data->inputs + (size_t)ALONE * MB_INPUTS, 1, alone[0], alone[1]);
        assert_memory_equal(alone[0], mean[1] + (size_t)ALONE * MB_OUTPUTS, sizeof alone[0]);
        assert_memory_equal(alone[1], sd[1] + (size_t)ALONE * MB_OUTPUTS, sizeof alone[1]);
    }
    print_message("largest difference of a mean: %.4f of the target's scale\n", off);
    assert_true(off > 0.0 && off < 0.02);
    ops->destroy(full);
    ops->destroy(half);
    dataset_destroy(data);
}

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *found = NULL;
    assert_ok(environment_find("cartpole", &found));
    return found;
}

static void expect_note(const double *options, const char *text) {
    Buffer notes;
    buffer_init(&notes, 4096);
    assert_ok(pets__check(cartpole(), options, &notes));
    if (text == NULL) {
        assert_int_equal(notes.length, 0);
    } else {
        assert_non_null(strstr(buffer_text(&notes), text));
    }
    buffer_reset(&notes);
}

static void expect_overruled(const double *options, size_t option, const char *by) {
    const OptionSpec *specs = pets__options();
    assert_string_equal(specs[pets__overruled_by(options, option)].name, by);
}

static void bfloat16_is_refused_where_it_cannot_be_had(void **state) {
    (void)state;
    Pets  *pets = NULL;
    double options[BENCH_MOST_OPTIONS];
    bench_options(options);
    bench_option(options, "planning_precision", ENSEMBLE_BFLOAT16);
    lanes_limit(LANES_AVX2);
    expect_note(options, "AVX512_BF16");
    assert_fails(pets__create(cartpole(), AGENT_UNIT_EPISODE, options, 1, &pets), STATUS_ERR_STATE,
                 "'planning_precision: bfloat16' needs a processor with AVX512_BF16");
    assert_null(pets);
    /* where it has no effect it is not in the way */
    const size_t precision = option_find(pets__options(), "planning_precision");
    bench_option(options, "dynamics_model", 1);
    expect_overruled(options, precision, "dynamics_model");
    assert_ok(pets__create(cartpole(), AGENT_UNIT_EPISODE, options, 1, &pets));
    pets__destroy(pets);
    bench_option(options, "dynamics_model", 0);
    bench_option(options, "planning_model", 1);
    expect_overruled(options, precision, "planning_model");
    assert_ok(pets__create(cartpole(), AGENT_UNIT_EPISODE, options, 1, &pets));
    pets__destroy(pets);
    bench_option(options, "planning_model", 0);
    lanes_limit(LANES_AVX512);
    if (lanes_have_bf16()) {
        expect_note(options, NULL);
        assert_ok(pets__create(cartpole(), AGENT_UNIT_EPISODE, options, 1, &pets));
        pets__destroy(pets);
    }
}

/* what a study records beside the machine's own */
static void numerics_name_the_precision_where_it_has_an_effect(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    Buffer text;
    buffer_init(&text, 256);
    bench_options(options);
    bench_pets()->numerics(options, &text);
    assert_int_equal(text.length, 0);
    bench_option(options, "planning_precision", ENSEMBLE_BFLOAT16);
    bench_option(options, "dynamics_model", 1);
    bench_pets()->numerics(options, &text);
    assert_int_equal(text.length, 0);
    bench_option(options, "dynamics_model", 0);
    bench_pets()->numerics(options, &text);
    assert_string_equal(buffer_text(&text), "; planning bfloat16");
    buffer_reset(&text);
}

static void chains_in_bfloat16_are_the_same_however_cut(void **state) {
    (void)state;
    if (!lanes_have_bf16()) {
        test_skip("needs a processor with AVX512_BF16");
    }
    Chain  chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 150, 150, CHAIN_MEMORY, NULL);
    Record uncut = {0};
    Record cut = {0};
    Record full = {0};
    chain_run(&chain, &full);
    bench_option(chain.options, "planning_precision", ENSEMBLE_BFLOAT16);
    chain_run(&chain, &uncut);
    chain.cut = 31;
    chain.mode = CHAIN_FILE;
    chain.folder = test_folder_make();
    chain_run(&chain, &cut);
    record_expect_same(&cut, &uncut);
    /* and it does something */
    bool same = full.count == uncut.count;
    for (size_t e = 0; same && e < record_count(&full, "episode_reward"); e++) {
        same = record_value(&full, "model_nll_on_policy", e) ==
               record_value(&uncut, "model_nll_on_policy", e);
    }
    assert_false(same);
    test_folder_remove((char *)(uintptr_t)chain.folder);
    record_free(&uncut);
    record_free(&cut);
    record_free(&full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_packed_after_every_change),
        cmocka_unit_test(training_and_scores_stay_float32),
        cmocka_unit_test(predictions_agree_between_precisions),
        cmocka_unit_test(bfloat16_is_refused_where_it_cannot_be_had),
        cmocka_unit_test(numerics_name_the_precision_where_it_has_an_effect),
        cmocka_unit_test(chains_in_bfloat16_are_the_same_however_cut),
    };
    return cmocka_run_group_tests_name("mbrl/ensemble_precision", tests, NULL, NULL);
}
