/* The agent with other models and options than the defaults: however a chain is cut it gives the
 * same bits; a structure that changes is rebuilt; limits, resets and learned rewards do what they
 * say. */
#include "tests/mbrl/agent_bench.h"

#include "core/file.h"
#include "mbrl/agents/pets_internal.h"
#include "mbrl/models/builtin.h"
#include "mbrl/models/ensemble_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SETTINGS = 14 };

typedef struct Setting {
    const char *name;
    double      value;
} Setting;

static const Setting variants[][MOST_SETTINGS] = {
    {{"model_kind", NETWORK_DETERMINISTIC},
     {"optimizer", OPTIMIZER_RMSPROP},
     {"activation", ACTIVATION_SIGMOID},
     {"patience", 1},
     {"ensemble_elites", 2},
     {"weight_decay_profile", 1},
     {"data_limit", 40},
     {"model_reset_every", 50}},
    {{"optimizer", OPTIMIZER_SGD},
     {"momentum", 0.9},
     {"bootstrap", 0},
     {"shared_order", 1},
     {"ensemble_elites", 1},
     {"logvar_bounds", 1},
     {"model_train_epochs", 4},
     {"patience", 2}},
    {{"optimizer", OPTIMIZER_ADADELTA}, {"data_limit", 70}, {"activation", ACTIVATION_TANH}},
    {{"optimizer", OPTIMIZER_ADAGRAD}, {"model_reset_every", 1}, {"learned_reward", 1}},
    {{"dynamics_model", 1}},
    {{"dynamics_model", 1}, {"data_limit", 60}, {"learned_reward", 1}},
    {{"dynamics_model", 2}, {"gp_points", 30}, {"gp_iterations", 3}},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static void apply(double *options, const Setting *settings) {
    for (size_t k = 0; k < MOST_SETTINGS && settings[k].name != NULL; k++) {
        bench_option(options, settings[k].name, settings[k].value);
    }
}

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

static Record run(const Chain *chain) {
    Record record = {0};
    chain_run(chain, &record);
    return record;
}

static void expect_like(Chain chain, const Record *expected) {
    chain.folder = test_folder_make();
    Record record = run(&chain);
    record_expect_same(&record, expected);
    record_free(&record);
    test_folder_remove((char *)(uintptr_t)chain.folder);
}

static void chains_are_the_same_however_cut(void **state) {
    (void)state;
    for (size_t v = 0; v < VARIANTS; v++) {
        Chain chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 250, 250, CHAIN_MEMORY, NULL);
        apply(chain.options, variants[v]);
        Record uncut = run(&chain);
        assert_true(record_count(&uncut, "episode_reward") >= 2);
        const struct {
            int64_t   cut;
            ChainMode mode;
        } cases[] = {
            {25, CHAIN_MEMORY}, {7, CHAIN_FILE}, {31, CHAIN_SAVED}, {100, CHAIN_EVALUATED}};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            chain.cut = cases[i].cut;
            chain.mode = cases[i].mode;
            expect_like(chain, &uncut);
        }
        record_free(&uncut);
    }
}

static void likelihoods_say_where_their_variance_is_from(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        Chain chain = chain_make("cartpole", AGENT_UNIT_EPISODE, 3, 3, CHAIN_MEMORY, NULL);
        bench_option(chain.options, "model_kind", kind);
        Record record = run(&chain);
        for (size_t e = 0; e < 3; e++) {
            assert_true(record_value(&record, "likelihood_kind", e) == kind);
            assert_true(isfinite(record_value(&record, "model_nll_on_policy", e)));
        }
        record_free(&record);
    }
}

/* the choices of the option are the registry */
static void models_are_the_choices_of_the_option(void **state) {
    (void)state;
    const OptionSpec *specs = bench_pets()->options();
    const OptionSpec *spec = &specs[option_find(specs, "dynamics_model")];
    double            options[BENCH_MOST_OPTIONS];
    bench_options(options);
    for (size_t k = 0; k < model_count(); k++) {
        assert_string_equal(spec->choices[k], model_at(k)->name);
        bench_option(options, "dynamics_model", (double)k);
        assert_ptr_equal(pets__model_ops(options), model_at(k));
        const size_t first = option_find(specs, model_at(k)->options[0].name);
        assert_ptr_equal(pets__model_options(options), options + first);
    }
    assert_null(spec->choices[model_count()]);
    assert_true(spec->upper == (double)model_count() - 1.0);
}

static void costs_are_at_most_the_announced_ones(void **state) {
    (void)state;
    for (size_t v = 0; v < VARIANTS; v++) {
        Chain     chain = chain_make("cartpole", AGENT_UNIT_EPISODE, 1, 1, CHAIN_MEMORY, NULL);
        AgentCost cost;
        bench_option(chain.options, "validation_ratio", 0.0);
        bench_option(chain.options, "model_train_every", 1000);
        apply(chain.options, variants[v]);
        Record record = run(&chain);
        bench_pets()->cost(cartpole(), chain.options, 30.0, &cost);
        assert_close(record_value(&record, "plan_flop", 0), cost.plan_flop, 0, 1e-12);
        assert_true(record_value(&record, "train_flop", 0) <= cost.train_flop * (1.0 + 1e-12));
        assert_true(record_value(&record, "train_flop", 0) > 0.0);
        record_free(&record);
    }
}

/* ---- structure ---- */

static void branch_to(Chain *chain, int64_t at, const Setting *settings) {
    chain->branch = at;
    chain->branch_seed = 12;
    memcpy(chain->branch_options, chain->options, sizeof chain->options);
    apply(chain->branch_options, settings);
}

static const Setting structures[][MOST_SETTINGS] = {
    {{"hidden_width", 13}},
    {{"hidden_layers", 2}},
    {{"activation", ACTIVATION_TANH}},
    {{"ensemble_size", 5}},
    {{"ensemble_size", 2}, {"hidden_width", 11}, {"model_learning_rate", 3e-3}},
};

static double last_nll(const Record *record) {
    const size_t episodes = record_count(record, "model_nll_train");
    assert_true(episodes >= 2);
    return record_value(record, "model_nll_train", episodes - 1);
}

/* from memory and from file, cut or not */
static void expect_however_cut(Chain chain, const Record *expected) {
    const struct {
        int64_t   cut;
        ChainMode mode;
    } cases[] = {{60, CHAIN_FILE}, {20, CHAIN_FILE}, {12, CHAIN_SAVED}, {40, CHAIN_EVALUATED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        chain.cut = cases[i].cut;
        chain.mode = cases[i].mode;
        expect_like(chain, expected);
    }
}

/* A change of structure, in the middle of an episode, from memory and from file, cut or not. */
static void changed_structures_are_the_same_from_memory_and_file(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof structures / sizeof structures[0]; s++) {
        Chain  chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 240, 60, CHAIN_MEMORY, NULL);
        Record straight = run(&chain);
        branch_to(&chain, 120, structures[s]);
        Record branched = run(&chain);
        assert_true(last_nll(&straight) != last_nll(&branched));
        expect_however_cut(chain, &branched);
        record_free(&straight);
        record_free(&branched);
    }
}

/* equal work leaves equal files, wherever the agent came from, when values have changed, too */
static void checkpoints_of_branches_are_the_same(void **state) {
    (void)state;
    const Setting rate[MOST_SETTINGS] = {{"model_learning_rate", 3e-3}};
    for (int structure = 0; structure < 2; structure++) {
        uint64_t length[2];
        uint64_t checksum[2];
        for (int i = 0; i < 2; i++) {
            char *folder = test_folder_make();
            char  path[512];
            Chain chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 180, 60,
                                     i == 0 ? CHAIN_SAVED : CHAIN_FILE, folder);
            branch_to(&chain, 60, structure ? structures[4] : rate);
            Record record = run(&chain);
            (void)snprintf(path, sizeof path, "%s/180/agent", folder);
            assert_ok(file_digest(path, &length[i], &checksum[i]));
            record_free(&record);
            test_folder_remove(folder);
        }
        assert_true(length[0] == length[1] && checksum[0] == checksum[1]);
    }
}

/* branched in the random part, where nothing was learned yet: the model is simply another one */
static void a_structure_may_change_before_anything_was_learned(void **state) {
    (void)state;
    Chain chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 120, 20, CHAIN_MEMORY, NULL);
    branch_to(&chain, 20, structures[3]);
    Record branched = run(&chain);
    chain.mode = CHAIN_FILE;
    expect_like(chain, &branched);
    record_free(&branched);
}

static Pets *trained(const double *options, int64_t steps) {
    void            *self = NULL;
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    assert_ok(bench_pets()->create(cartpole(), AGENT_UNIT_ENV_STEP, options, 5, &self));
    assert_ok(bench_pets()->train(self, steps, &sink, NULL, &result));
    assert_int_equal(result.outcome, AGENT_DONE);
    record_free(&record);
    return self;
}

static void train_on(Pets *pets, int64_t steps) {
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    assert_ok(bench_pets()->train(pets, pets__position(pets) + steps, &sink, NULL, &result));
    assert_int_equal(result.outcome, AGENT_DONE);
    record_free(&record);
}

static double judged_nll(Pets *pets) {
    ScoreReport     score;
    size_t          count = 0;
    const uint32_t *rows = dataset_judging_rows(pets->data, &count);
    assert_ok(pets->model_ops->score(pets->model, pets->data, rows, count, &score));
    return score.nll;
}

static RebuildTask watched_task;
static FitReport   watched_report;
static int         watched_rebuilds;
static double      watched_nll; /* right after the rebuild */

static Status watched_rebuild(void *self, const RebuildTask *task, FitReport *report) {
    ScoreReport     score;
    size_t          count = 0;
    const uint32_t *rows = dataset_judging_rows(task->data, &count);
    TRY(model_ensemble_ops.rebuild(self, task, report));
    TRY(model_ensemble_ops.score(self, task->data, rows, count, &score));
    watched_rebuilds++;
    watched_task = *task;
    watched_report = *report;
    watched_nll = score.nll;
    return STATUS_OK;
}

/* The donor's network is 1 x 8; the new one learns all data until it is as good, its cost is
 * counted, and the next segment finds it. */
static void a_changed_structure_learns_up_to_the_old_model(void **state) {
    (void)state;
    DynamicsModelOps watched = model_ensemble_ops;
    double           options[BENCH_MOST_OPTIONS];
    watched.rebuild = watched_rebuild;
    watched_rebuilds = 0;
    bench_options(options);
    bench_option(options, "model_train_every", 100);
    bench_option(options, "rebuild_epochs", 2000);
    bench_option(options, "model_train_epochs", 30);
    Pets *pets = trained(options, 200);
    pets->model_ops = &watched;
    assert_true(pets->data->held_count > 0);
    const double donor = judged_nll(pets);
    bench_option(options, "hidden_width", 12);
    bench_option(options, "ensemble_size", 4);
    assert_ok(bench_pets()->set(pets, options, 6));
    assert_int_equal(pets->model_ops->columns(pets->model), 3); /* not yet */
    const double before = pets->at.in_episode ? pets->at.train_flop : 0.0;
    train_on(pets, 1);
    const Ensemble *e = pets->model;
    assert_int_equal(watched_rebuilds, 1);
    assert_int_equal(e->members, 4);
    assert_int_equal(e->shape.fan_out[0], 12);
    assert_int_equal(pets->data->members, 4);
    assert_true(watched_task.nll == donor && watched_task.epochs == 2000);
    assert_true(watched_report.epochs > 1 && watched_report.epochs < 2000);
    assert_true(watched_nll <= donor);
    /* its cost, and that of judging the old one */
    const double judged = (double)pets->data->held_count * 3.0 * 2.0 * (5 * 8 + 8 * 8);
    assert_close(pets->at.train_flop - before, watched_report.flop + judged, 0.0, 1e-9);
    /* and never again */
    train_on(pets, 60);
    assert_int_equal(watched_rebuilds, 1);
    pets__destroy(pets);

    /* it gives up after rebuild_epochs */
    bench_options(options);
    bench_option(options, "model_train_epochs", 30);
    pets = trained(options, 200);
    pets->model_ops = &watched;
    bench_option(options, "rebuild_epochs", 1);
    bench_option(options, "hidden_width", 12);
    assert_ok(bench_pets()->set(pets, options, 6));
    AgentCost    cost;
    const double spent = pets->at.in_episode ? pets->at.train_flop : 0.0;
    const double rows = (double)pets->data->n;
    const double share = (double)pets->data->held_count / rows;
    train_on(pets, 1);
    assert_int_equal(watched_report.epochs, 1);
    /* what `mbtune validate` announces for these rows is a bound, and a close one */
    bench_option(options, "validation_ratio", share);
    bench_pets()->cost(cartpole(), options, rows, &cost);
    assert_true(pets->at.train_flop - spent <= cost.rebuild_flop * (1.0 + 1e-12));
    assert_true(pets->at.train_flop - spent > 0.9 * cost.rebuild_flop);
    pets__destroy(pets);
}

/* Elites that are switched on between two training calls plan from the next step on, and are those
 * that a training call would have chosen; what finds them out is counted; stale ranks do not count.
 */
static void elites_plan_as_soon_as_they_are_asked_for(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    double nll[5];
    size_t best[2] = {0, 1};
    bench_options(options);
    bench_option(options, "ensemble_size", 5);
    bench_option(options, "model_train_every", 1000);
    bench_option(options, "model_train_epochs", 20);
    Pets     *pets = trained(options, 200);
    Ensemble *e = pets->model;
    assert_true(pets->data->held_count > 0 && e->used == 5);
    for (size_t m = 0; m < 5; m++) {
        assert_ok(ensemble__judge(e, pets->data, pets->data->held_rows, pets->data->held_count, m,
                                  &nll[m]));
    }
    for (size_t m = 0; m < 5; m++) {
        size_t ahead = 0;
        for (size_t other = 0; other < 5; other++) {
            ahead += nll[other] < nll[m];
        }
        if (ahead < 2) {
            best[ahead] = m;
        }
    }
    assert_true(best[0] > 1 || best[1] > 1); /* not the first two anyway */
    bench_option(options, "ensemble_elites", 2);
    assert_ok(bench_pets()->set(pets, options, 5));
    const double before = pets->at.in_episode ? pets->at.train_flop : 0.0;
    const double judged = 5.0 * (double)pets->data->held_count * 2.0 * (5 * 8 + 8 * 8);
    train_on(pets, 1);
    assert_int_equal(e->used, 2);
    assert_true(e->plans[0] == (best[0] < best[1] ? best[0] : best[1]));
    assert_true(e->plans[1] == (best[0] < best[1] ? best[1] : best[0]));
    assert_close(pets->at.train_flop - before, judged, 0.0, 1e-9);
    train_on(pets, 1); /* once */
    assert_close(pets->at.train_flop - before, judged, 0.0, 1e-9);
    /* trained on without elites: what was known is of other weights */
    bench_option(options, "ensemble_elites", 0);
    bench_option(options, "model_train_every", 1);
    assert_ok(bench_pets()->set(pets, options, 5));
    train_on(pets, 1);
    assert_true(isnan(e->member_nll[0]) && e->used == 5);
    pets__destroy(pets);
}

static void elites_that_are_switched_on_are_the_same_from_memory_and_file(void **state) {
    (void)state;
    const Setting elites[MOST_SETTINGS] = {{"ensemble_elites", 1}};
    Chain         chain = chain_make("cartpole", AGENT_UNIT_ENV_STEP, 240, 60, CHAIN_MEMORY, NULL);
    branch_to(&chain, 120, elites);
    Record branched = run(&chain);
    expect_however_cut(chain, &branched);
    record_free(&branched);
}

/* Saved between set() and the first step: the old structure is in the file, and the options that it
 * is loaded with say what it becomes. */
static void checkpoints_hold_the_structure_that_is(void **state) {
    (void)state;
    char  *folder = test_folder_make();
    char   path[512];
    void  *self = NULL;
    double old[BENCH_MOST_OPTIONS];
    double options[BENCH_MOST_OPTIONS];
    bench_options(old);
    Pets *pets = trained(old, 100);
    memcpy(options, old, sizeof old);
    bench_option(options, "hidden_width", 12);
    assert_ok(bench_pets()->set(pets, options, 6));
    (void)snprintf(path, sizeof path, "%s/a", folder);
    assert_ok(bench_pets()->save(pets, path));
    assert_ok(bench_pets()->load(cartpole(), AGENT_UNIT_ENV_STEP, options, path, &self));
    Pets           *loaded = self;
    const Ensemble *e = loaded->model;
    assert_int_equal(e->shape.fan_out[0], 8);
    train_on(loaded, 20);
    train_on(pets, 20);
    e = loaded->model;
    assert_int_equal(e->shape.fan_out[0], 12);
    const Ensemble *other = pets->model;
    assert_memory_equal(e->block, other->block, 3 * e->members * e->shape.floats * sizeof(float));
    /* the width of the file wins over that of the options until the next step */
    (void)snprintf(path, sizeof path, "%s/b", folder);
    assert_ok(bench_pets()->save(loaded, path));
    bench_pets()->destroy(loaded);
    assert_ok(bench_pets()->load(cartpole(), AGENT_UNIT_ENV_STEP, old, path, &self));
    loaded = self;
    e = loaded->model;
    assert_int_equal(e->shape.fan_out[0], 12);
    train_on(loaded, 1);
    e = loaded->model;
    assert_int_equal(e->shape.fan_out[0], 8);
    bench_pets()->destroy(loaded);
    bench_pets()->destroy(pets);
    test_folder_remove(folder);
}

/* ---- limits, resets, rewards ---- */

static int    watched_resets;
static int    watched_fits;
static size_t watched_rows; /* of the last fit, in use */

static void watched_reset(void *self, uint64_t seed, uint64_t step) {
    watched_resets++;
    model_ensemble_ops.reset(self, seed, step);
}

static Status watched_fit(void *self, const Dataset *data, uint64_t seed, uint64_t step,
                          FitReport *report) {
    watched_fits++;
    watched_rows = data->train_count - data->train_first;
    return model_ensemble_ops.fit(self, data, seed, step, report);
}

static void data_limit_keeps_the_newest_rows(void **state) {
    (void)state;
    DynamicsModelOps watched = model_ensemble_ops;
    double           options[BENCH_MOST_OPTIONS];
    watched.fit = watched_fit;
    bench_options(options);
    bench_option(options, "validation_ratio", 0.0);
    bench_option(options, "data_limit", 45);
    Pets *pets = trained(options, 31);
    assert_int_equal(pets->at.fit_train_count, 30); /* fewer than the limit: all */
    assert_int_equal(pets->at.fit_train_first, 0);
    pets->model_ops = &watched;
    train_on(pets, 150);
    assert_int_equal(watched_rows, 45);
    assert_int_equal(pets->at.fit_train_count - pets->at.fit_train_first, 45);
    assert_int_equal(pets->data->n, 181); /* nothing is thrown away */
    bench_option(options, "data_limit", 0);
    assert_ok(bench_pets()->set(pets, options, 5));
    train_on(pets, 30);
    assert_true(watched_rows > 150);
    pets__destroy(pets);
}

/* planned steps 0, 23, 46, ... train; with 50 those at 69, 138, ... begin anew */
static void resets_come_with_the_first_training_call_that_is_due(void **state) {
    (void)state;
    DynamicsModelOps watched = model_ensemble_ops;
    const struct {
        double every;
        int    resets;
    } cases[] = {{0, 0}, {1, 8}, {23, 8}, {24, 4}, {50, 2}};
    watched.reset = watched_reset;
    watched.fit = watched_fit;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double options[BENCH_MOST_OPTIONS];
        bench_options(options);
        bench_option(options, "model_reset_every", cases[i].every);
        Pets *pets = trained(options, 31); /* 30 random ones, one planned */
        pets->model_ops = &watched;
        watched_resets = 0;
        watched_fits = 0;
        train_on(pets, 23 * 8 + 1); /* planned steps 1 to 185 */
        assert_int_equal(watched_fits, 8);
        assert_int_equal(watched_resets, cases[i].resets);
        pets__destroy(pets);
    }
}

static size_t rewards_asked;

static void counted_rewards(const EnvironmentOps *task, const float *state, const float *action,
                            const float *next, size_t n, float *reward) {
    const EnvironmentOps *ops = cartpole();
    (void)task;
    rewards_asked += n;
    ops->rewards(ops, state, action, next, n, reward);
}

/* whoever plans with a learned reward never asks the environment's */
static void planners_use_the_learned_reward(void **state) {
    (void)state;
    EnvironmentOps watched = *cartpole();
    watched.rewards = counted_rewards;
    for (int learned = 0; learned < 2; learned++) {
        for (size_t k = 0; k < planner_count(); k++) {
            double      options[BENCH_MOST_OPTIONS];
            Pets       *pets = NULL;
            AgentResult result;
            Record      record = {.count = 0};
            MetricSink  sink = record_sink(&record);
            bench_options(options);
            bench_option(options, "learned_reward", learned);
            bench_option(options, "planner", (double)k);
            rewards_asked = 0;
            assert_ok(pets__create(&watched, AGENT_UNIT_EPISODE, options, 3, &pets));
            assert_ok(pets__train(pets, 1, &sink, NULL, &result));
            assert_int_equal(result.outcome, AGENT_DONE);
            assert_ok(pets__evaluate(pets, 1, 9, &sink, &result));
            assert_int_equal(rewards_asked == 0, learned);
            pets__destroy(pets);
            record_free(&record);
        }
    }
}

/* cart-pole pays 1 per step and 0 for the one that falls */
static void learned_rewards_are_one_more_output(void **state) {
    (void)state;
    double options[BENCH_MOST_OPTIONS];
    bench_options(options);
    bench_option(options, "learned_reward", 1);
    bench_option(options, "model_train_epochs", 100);
    Pets          *pets = trained(options, 300);
    const Dataset *data = pets->data;
    size_t         fallen = 0;
    assert_int_equal(data->output_dim, 5);
    assert_int_equal(pets->model_ops->outputs(pets->model), 5);
    for (size_t row = 0; row < data->n; row++) {
        const float reward = data->targets[row * 5 + 4];
        /* the first 30 steps end in the middle of an episode */
        const bool last = row + 1 < data->n && data->episode[row + 1] != data->episode[row];
        assert_true(reward == ((last && row != 29) ? 0.0f : 1.0f) || row == data->n - 1);
        fallen += reward == 0.0f;
    }
    assert_true(fallen >= 3);
    /* it is learned, and the likelihood is that of the state alone */
    const Ensemble *e = pets->model;
    assert_true(e->target_scale[4] == 0.0 && e->target_scale[0] > 0.0);
    float mean[5];
    Arena scratch;
    assert_ok(arena_init(&scratch, pets->model_ops->predict_scratch(e, 1)));
    assert_ok(
        pets->model_ops->predict(e, 0, data->inputs, data->input_dim, 1, mean, NULL, &scratch));
    assert_close((double)mean[4], 1.0, 0.3, 0.0);
    arena_reset(&scratch);
    pets__destroy(pets);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains_are_the_same_however_cut),
        cmocka_unit_test(likelihoods_say_where_their_variance_is_from),
        cmocka_unit_test(models_are_the_choices_of_the_option),
        cmocka_unit_test(costs_are_at_most_the_announced_ones),
        cmocka_unit_test(changed_structures_are_the_same_from_memory_and_file),
        cmocka_unit_test(checkpoints_of_branches_are_the_same),
        cmocka_unit_test(a_structure_may_change_before_anything_was_learned),
        cmocka_unit_test(a_changed_structure_learns_up_to_the_old_model),
        cmocka_unit_test(elites_plan_as_soon_as_they_are_asked_for),
        cmocka_unit_test(elites_that_are_switched_on_are_the_same_from_memory_and_file),
        cmocka_unit_test(checkpoints_hold_the_structure_that_is),
        cmocka_unit_test(data_limit_keeps_the_newest_rows),
        cmocka_unit_test(resets_come_with_the_first_training_call_that_is_due),
        cmocka_unit_test(learned_rewards_are_one_more_output),
        cmocka_unit_test(planners_use_the_learned_reward),
    };
    return cmocka_run_group_tests_name("mbrl/pets_models", tests, NULL, NULL);
}
