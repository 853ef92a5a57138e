/* Study files: what a good one says, what each kind of bad one is told, definitions. */
#include "tests/support/test_support.h"

#include "core/file.h"
#include "tests/tuner/study_texts.h"
#include "tuner/study_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- good files ---- */

static void a_short_file_gets_every_default(void **state) {
    Study *study = study_good(study_external);
    (void)state;

    assert_string_equal(study->name, "small");
    assert_null(study->agent);
    assert_int_equal(study->command_count, 2);
    assert_string_equal(study->command[1], "train.py");
    assert_null(study->command[2]);
    assert_true(study->can_branch);
    assert_string_equal(study->environment_name, "");
    assert_int_equal(study->objective_count, 1);
    assert_string_equal(study->objectives[0].metric, "loss");
    assert_false(study->objectives[0].maximize);
    assert_int_equal(study->objectives[0].reduce, REDUCE_LAST);
    assert_int_equal(study->objectives[0].window, 1);
    assert_string_equal(study->budget.unit, "epoch");
    assert_int_equal(study->budget.per_trial, 10);
    assert_int_equal(study->budget.segment, 5);
    assert_int_equal(study->budget.trials, 4);
    assert_int_equal(study->budget.total, 40);
    assert_int_equal(study->repeats, 1);
    assert_true(study->baseline);
    assert_int_equal(study->confirm.seeds, 0);
    assert_int_equal(study->evaluate.episodes, 0);
    assert_int_equal(study->resources.cores, 1);
    assert_int_equal(study->resources.threads, 1);
    assert_int_equal(study->resources.gpus, 0);
    assert_int_equal(study->limits.retries, 2);
    assert_close(study->limits.silence_seconds, 300.0, 0.0, 0.0);
    assert_int_equal(study->seed, 7);
    assert_int_equal(study->workers, 0);
    assert_int_equal(space_count(study->space), 3);
    assert_string_equal(study->text, study_external);
    assert_int_equal(strlen(study->hash), 16);
    study_destroy(study);
}

static void a_built_in_agent_takes_its_rows_and_fixed_values(void **state) {
    Study *study = study_good(study_built_in);
    (void)state;

    assert_non_null(study->agent);
    assert_non_null(study->environment);
    assert_string_equal(study->environment_name, "cartpole");
    assert_int_equal(study->objectives[0].reduce, REDUCE_MEAN_LAST);
    assert_int_equal(study->objectives[0].window, 3);
    assert_string_equal(study->constraints[0].metric, "plan_flop");
    assert_close(study->constraints[0].upper, 2.0e9, 0.0, 0.0);
    assert_true(isinf(study->constraints[0].lower));
    assert_int_equal(study->budget.trials, 8);
    assert_int_equal(study->confirm.per_trial, 10);
    assert_close(study->resources.memory, 2147483648.0, 0.0, 0.0);

    const OptionSpec *specs = study->agent->options();
    const size_t      n = option_count(specs);
    double           *values = calloc(n, sizeof *values);
    const double      point[] = {0.005};
    assert_non_null(values);
    assert_ok(study_agent_options(study, NULL, values));
    const size_t rate = option_find(specs, "model_learning_rate");
    assert_close(values[option_find(specs, "ensemble_size")], 3.0, 0.0, 0.0);
    assert_close(values[rate], specs[rate].default_value, 0.0, 0.0);
    assert_ok(study_agent_options(study, point, values));
    assert_close(values[rate], 0.005, 0.0, 0.0);
    free(values);
    study_destroy(study);
}

static void presets_give_ranges_and_fixed_values_that_the_file_overrides(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    study_change(study_built_in, "fixed: {ensemble_size: 3}",
                 "search_space: pets-laptop\nfixed: {ensemble_size: 3, planning_horizon: 12}",
                 text);
    study = study_good(text);
    const OptionSpec *specs = study->agent->options();
    assert_string_equal(study->preset, "pets-laptop");
    assert_true(space_count(study->space) > 3);
    assert_int_equal(space_find(study->space, "planning_horizon"), space_count(study->space));
    const size_t rate = space_find(study->space, "model_learning_rate");
    assert_true(rate < space_count(study->space));
    assert_close(space_at(study->space, rate)->upper, 1e-2, 0.0, 0.0);
    assert_close(study->agent_values[option_find(specs, "planning_horizon")], 12.0, 0.0, 0.0);
    assert_close(study->agent_values[option_find(specs, "ensemble_size")], 3.0, 0.0, 0.0);
    assert_close(study->agent_values[option_find(specs, "particles")], 5.0, 0.0, 0.0);
    assert_int_equal(json_integer(json_get(study->fixed, "particles")), 5);
    assert_int_equal(json_integer(json_get(study->fixed, "ensemble_size")), 3);
    study_destroy(study);
}

static void choices_reach_the_agent_by_name(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    /* in another order than the agent's row */
    study_change(study_built_in, "fixed:",
                 "  activation: {type: categorical, choices: [tanh, swish]}\nfixed:", text);
    study = study_good(text);
    const OptionSpec *specs = study->agent->options();
    const size_t      row = option_find(specs, "activation");
    double           *values = calloc(option_count(specs), sizeof *values);
    const double      point[] = {0.001, 0.0};
    char              name[64];
    assert_non_null(values);
    assert_ok(study_agent_options(study, point, values));
    option_format(&specs[row], values[row], name, sizeof name);
    assert_string_equal(name, "tanh");
    free(values);
    study_destroy(study);
}

static void lists_of_objectives_keep_their_order(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    study_change(study_external, "objective: {metric: loss, direction: minimize, reduce: last}",
                 "objective:\n  - {metric: b, direction: maximize, window: 4}\n"
                 "  - {metric: a, direction: minimize, reduce: max}",
                 text);
    study = study_good(text);
    assert_int_equal(study->objective_count, 2);
    assert_string_equal(study->objectives[0].metric, "b");
    assert_int_equal(study->objectives[0].window, 4);
    assert_int_equal(study->objectives[1].reduce, REDUCE_MAX);
    SchedulerSetup setup;
    study_setup(study, &setup);
    assert_int_equal(setup.objective_count, 2);
    assert_true(setup.maximize[0]);
    assert_false(setup.maximize[1]);
    assert_ptr_equal(setup.space, study->space);
    study_destroy(study);
}

/* ---- bad files ---- */

typedef struct BadCase {
    const char *from;
    const char *to;
    const char *where; /* "study.yaml:LINE:COLUMN: " */
    const char *part;  /* of the sentence */
} BadCase;

static void refuses(const char *text, const BadCase *bad) {
    Study       *study = NULL;
    char         changed[TEXT_BYTES];
    const Status expected[] = {STATUS_ERR_PARSE, STATUS_ERR_RANGE, STATUS_ERR_UNKNOWN_NAME,
                               STATUS_ERR_ARG};
    bool         one = false;

    study_change(text, bad->from, bad->to, changed);
    const Status status = study_parse("study.yaml", changed, NULL, 0, &study);
    const char  *message = status_last()->text;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        one = one || status == expected[i];
    }
    if (!one || strncmp(message, bad->where, strlen(bad->where)) != 0 ||
        strstr(message, bad->part) == NULL) {
        print_error("'%s' -> '%s'\n  expected %s...%s\n  found    %s (%s)\n", bad->from, bad->to,
                    bad->where, bad->part, message, status_name(status));
        fail();
    }
    assert_null(study);
}

static void what_is_wrong_is_said_with_line_and_column(void **state) {
    static const BadCase cases[] = {
        /* syntax */
        {"{name: random}", "{name: random", "study.yaml:", ""},
        {"seed: 7", "seed: 7\nname: again", "study.yaml:12:1: ", "name"},
        /* keys */
        {"seed: 7", "sead: 7", "study.yaml:11:1: ", "seed"},
        {"per_trial: 10", "per_trail: 10", "study.yaml:4:23: ", "per_trial"},
        {"name: small\n", "\n", "study.yaml:2:1: ", "'name' is missing"},
        {"unit: epoch, ", "", "study.yaml:4:9: ", "'unit' is missing"},
        {"per_trial: 10, ", "", "study.yaml:4:9: ", "'per_trial' is missing"},
        {"name: small", "name: [a]", "study.yaml:1:7: ", "'name'"},
        {"name: small", "name: a/b", "study.yaml:1:7: ", "found 'a/b'"},
        {"name: small", "name: .a", "study.yaml:1:7: ", "found '.a'"},
        /* trainer */
        {"command: [python3, train.py]", "command: []", "study.yaml:2:20: ", "list of words"},
        {"trainer: {command: [python3, train.py]}", "trainer: python3",
         "study.yaml:2:10: ", "must be a mapping"},
        {"trainer: {command: [python3, train.py]}", "agent: petz",
         "study.yaml:2:8: ", "did you mean 'pets'"},
        {"seed: 7", "agent: pets", "study.yaml:2:10: ", "exclude each other"},
        /* objective */
        {"direction: minimize", "direction: down",
         "study.yaml:3:38: ", "must be one of maximize, minimize; found 'down'"},
        {", direction: minimize", "", "study.yaml:3:12: ", "'direction' is missing"},
        {"reduce: last", "reduce: lats", "study.yaml:3:56: ", "did you mean 'last'"},
        {"reduce: last", "reduce: last, window: 3", "study.yaml:3:70: ", "mean_last"},
        {"reduce: last", "window: 0", "study.yaml:3:56: ", "found 0"},
        /* cost and stop */
        {"seed: 7", "cost: [a]", "study.yaml:11:7: ", "'cost'"},
        {"seed: 7", "stop: 3", "study.yaml:11:7: ", "no_improvement"},
        {"seed: 7", "stop: {no_improvement: {by: 1}}", "study.yaml:11:24: ", "'units' is missing"},
        {"seed: 7", "stop: {no_improvement: {units: 0}}", "study.yaml:11:32: ", "found 0"},
        {"seed: 7", "stop: {no_improvement: {units: 9, by: -1}}", "study.yaml:11:39: ", "from 0"},
        {"seed: 7", "stop: {no_improvment: {units: 9}}", "study.yaml:11:8: ", "no_improvement"},
        /* budget */
        {"per_trial: 10", "per_trial: 0", "study.yaml:4:34: ", "found 0"},
        {"per_trial: 10", "per_trial: ten", "study.yaml:4:34: ", "'ten'"},
        {"per_trial: 10", "per_trial: 4",
         "study.yaml:4:34: ", "must be at least 'segment', found per_trial 4 and segment 5"},
        {", trials: 4", "", "study.yaml:4:9: ", "'trials' or 'total' is missing"},
        {"trials: 4", "total: 3", "study.yaml:4:57: ", "at least one segment"},
        {"trials: 4", "trials: 4000000000000000", "study.yaml:4:9: ", "too large"},
        {"trials: 4", "trials: 4, wall_clock: soon", "study.yaml:4:73: ", "'soon'"},
        {"trials: 4", "trials: 4, wall_clock: 0", "study.yaml:4:73: ", "above 0"},
        /* scheduler */
        {"name: random", "name: randon", "study.yaml:5:19: ", "did you mean 'random'"},
        {"{name: random}", "{name: random, eta: 3}", "study.yaml:5:27: ", "eta"},
        {"{name: random}", "{}", "study.yaml:5:12: ", "'name' is missing"},
        {"scheduler: {name: random}\n", "", "study.yaml:1:1: ", "'scheduler' is missing"},
        /* search space */
        {"lower: 1.0e-5, upper: 1.0e-1", "lower: 1.0e-1, upper: 1.0e-5", "study.yaml:7:", "rate"},
        {"lower: 1.0e-5", "lower: 0", "study.yaml:7:", "log"},
        {"default: 2", "default: 9", "study.yaml:8:", "layers"},
        {"default: a}", "default: c}", "study.yaml:9:", "c"},
        {"default: a}", "default: a, when: {layer: [2]}}", "study.yaml:9:", "layers"},
        {"default: a}", "default: a, when: {kind: [a]}}", "study.yaml:9:", "kind"},
        {"type: int", "type: integer", "study.yaml:8:18: ", "int"},
        {"hyperparameters:\n", "hyperparameters: []\nx:\n", "study.yaml:7:1: ", "x"},
        /* fixed and the rest */
        {"width: 64", "rate: 0.1", "study.yaml:7:3: ", "'rate' is both tuned here and fixed"},
        {"seed: 7", "seed: -1", "study.yaml:11:7: ", "found -1"},
        {"seed: 7", "seed: 9007199254740993", "study.yaml:11:7: ", "seed"},
        {"seed: 7", "confirm: {per_trial: 11}", "study.yaml:11:22: ", "from 1 to 10, found 11"},
        {"seed: 7", "limits: {silence: 0}", "study.yaml:11:19: ", "at least 0.1 s"},
        {"seed: 7", "resources: {memory: lots}", "study.yaml:11:21: ", "'lots'"},
        {"seed: 7", "resources: {gpus: 65}", "study.yaml:11:19: ", "from 0 to 64, found 65"},
        {"seed: 7", "resources: {gpus: 0.5}", "study.yaml:11:19: ", "'resources.gpus'"},
        {"seed: 7", "resources: {cores: 2, threads_per_worker: 3}",
         "study.yaml:11:43: ", "must be at most 'resources.cores', which is 2, found 3"},
        {"seed: 7", "resources: {threads_per_worker: 2}",
         "study.yaml:11:33: ", "which is 1, found 2"},
        {"seed: 7", "resources: {cores: 2, threads_per_worker: 0}",
         "study.yaml:11:43: ", "'resources.threads_per_worker'"},
        {"seed: 7", "baseline: maybe", "study.yaml:11:11: ", "'maybe'"},
        {"seed: 7", "evaluate: 3", "study.yaml:11:11: ", "must be a mapping"},
        {"seed: 7", "search_space: pets", "study.yaml:11:15: ", "built-in agent"},
        {"seed: 7", "constraints: {loss: {}}", "study.yaml:11:21: ", "needs 'lower' or 'upper'"},
        {"seed: 7", "constraints: {loss: {lower: 2, upper: 1}}",
         "study.yaml:11:21: ", "lower 2 is above upper 1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuses(study_external, &cases[i]);
    }
}

static void built_in_agents_know_their_words(void **state) {
    static const BadCase cases[] = {
        {"environment: cartpole\n", "", "study.yaml:1:1: ", "'environment' is missing"},
        {"environment: cartpole", "environment: cartpool",
         "study.yaml:3:14: ", "did you mean 'cartpole'"},
        {"metric: episode_reward", "metric: episode_rewards",
         "study.yaml:4:21: ", "did you mean 'episode_reward'"},
        {"{plan_flop:", "{plan_flops:", "study.yaml:5:15: ", "did you mean 'plan_flop'"},
        {"unit: episode", "unit: epoch", "study.yaml:6:16: ", "episode, env_step"},
        {"  model_learning_rate:", "  learning_rat:", "study.yaml:11:", "learning_rat"},
        {"upper: 1.0e-2", "upper: 1.0e+9", "study.yaml:11:", "model_learning_rate"},
        {"ensemble_size: 3", "ensemble_sise: 3", "study.yaml:12:9: ", "ensemble_size"},
        {"ensemble_size: 3", "ensemble_size: 2.5", "study.yaml:12:24: ", "ensemble_size"},
        {"ensemble_size: 3", "ensemble_size: [3]", "study.yaml:12:24: ", "one value"},
        {"ensemble_size: 3", "weight_decay_layers: 0.4",
         "study.yaml:12:30: ", "a list of 1 to 9 numbers from 0 to 1000"},
        {"ensemble_size: 3", "weight_decay_layers: {a: 1}", "study.yaml:12:30: ", "a list of 1"},
        {"ensemble_size: 3", "weight_decay_layers: []", "study.yaml:12:30: ", "a list of 1"},
        {"ensemble_size: 3", "weight_decay_layers: [1, x]", "study.yaml:12:34: ", "a number"},
        {"ensemble_size: 3", "weight_decay_layers: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]",
         "study.yaml:12:30: ", "'a list of 10'"},
        {"ensemble_size: 3", "weight_decay_layers: [1, -1, 1, 1]",
         "study.yaml:12:30: ", "'weight_decay_layers' is -1"},
        {"ensemble_size: 3", "weight_decay_layers: [1, 1, 1]",
         "study.yaml:12:8: ", "has 3 numbers, but 'hidden_layers: 3' makes 4 layers"},
        {"ensemble_size: 3", "weight_decay_layers: [1, 1, 1, 1], weight_decay_profile: pets",
         "study.yaml:12:8: ", "cannot go with 'weight_decay_profile: pets'"},
        {"fixed: {ensemble_size: 3}",
         "  hidden_layers: {lower: 2, upper: 3}\nfixed: {weight_decay_layers: [1, 1, 1, 1]}",
         "study.yaml:13:8: ", "'hidden_layers: 2' with the other defaults"},
        {"fixed: {ensemble_size: 3}", "  weight_decay_layers: {type: float}",
         "study.yaml:12:3: ", "a list, which cannot be tuned"},
        {"ensemble_size: 3", "model_learning_rate: 0.1",
         "study.yaml:11:3: ", "is both tuned here and fixed"},
        {"fixed: {ensemble_size: 3}", "search_space: petz",
         "study.yaml:12:15: ", "did you mean 'pets'"},
        {"fixed: {ensemble_size: 3}", "metrics: [model_nl]", "study.yaml:12:11: ", "'metrics'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        refuses(study_built_in, &cases[i]);
    }
}

/* from the file to the hello and to the agent's rows, which the trainer reads the same way */
static void lists_reach_the_agent_element_by_element(void **state) {
    char   text[TEXT_BYTES];
    Buffer hello;
    (void)state;
    study_change(study_built_in, "{ensemble_size: 3}", "{weight_decay_layers: [0.4, 1, 1e0, 2]}",
                 text);
    Study            *study = study_good(text);
    const OptionSpec *specs = study->agent->options();
    double           *values = calloc(option_count(specs) + 1, sizeof *values);
    const size_t      row = option_find(specs, "weight_decay_layers");
    assert_non_null(values);
    assert_ok(study_agent_options(study, NULL, values));
    assert_true(values[row] == 4.0 && values[row + 1] == 0.4 && values[row + 4] == 2.0);
    buffer_init(&hello, TEXT_BYTES);
    assert_ok(study_trainer_hello(study, &hello));
    assert_contains(buffer_text(&hello), "\"weight_decay_layers\":[0.4,1");
    buffer_reset(&hello);
    free(values);
    study_destroy(study);
}

static void populations_refuse_trials_and_multiply_their_depth(void **state) {
    static const BadCase bad = {"total: 80", "trials: 8",
                                "study.yaml:6:60: ", "'trials' is for samplers"};
    char                 text[TEXT_BYTES];
    char                 without[TEXT_BYTES];
    (void)state;

    study_change(study_built_in, "{name: random}", "{name: pbt, population: 6}", text);
    refuses(text, &bad);
    study_change(text, ", total: 80", "", without);
    Study *study = study_good(without);
    assert_int_equal(study->budget.total, 60);
    assert_int_equal(study->budget.trials, 0);
    study_destroy(study);
    const BadCase shallow = {", segment: 2", "", "study.yaml:6:9: ", "'segment' is missing"};
    refuses(text, &shallow);
    const BadCase mute = {"agent: pets\nenvironment: cartpole\n",
                          "trainer: {command: [a], checkpoint: false}\n",
                          "study.yaml:6:19: ", "trainer.checkpoint is false"};
    char          other[TEXT_BYTES];
    study_change(text, "fixed: {ensemble_size: 3}", "", other);
    refuses(other, &mute);
}

/* who trains by hand keeps the agents: nobody could evaluate one */
static void manual_studies_refuse_evaluations_of_elites(void **state) {
    static const BadCase bad = {"{name: pbt-bt}", "{name: pbt-bt, elite_evaluations: 2}",
                                "study.yaml:5:12: ", "'elite_evaluations' is for trainers"};
    char                 manual[TEXT_BYTES];
    char                 without[TEXT_BYTES];
    char                 text[TEXT_BYTES];
    (void)state;
    study_change(study_external, "{command: [python3, train.py]}", "manual", manual);
    study_change(manual, ", trials: 4", "", without);
    study_change(without, "{name: random}", "{name: pbt-bt}", text);
    study_destroy(study_good(text));
    refuses(text, &bad);
}

/* nor could an archive of evaluated elites ever hold one of a trainer that cannot evaluate */
static void trainers_that_cannot_evaluate_are_not_asked_to(void **state) {
    static const BadCase elites = {"{name: pbt-bt}", "{name: bg-pbt, elite_evaluations: 2}",
                                   "study.yaml:5:12: ",
                                   "'elite_evaluations' needs a trainer that evaluates, and "
                                   "trainer.evaluate is false"};
    char                 mute[TEXT_BYTES];
    char                 without[TEXT_BYTES];
    char                 text[TEXT_BYTES];
    (void)state;
    study_change(study_external, "train.py]}", "train.py], evaluate: false}", mute);
    study_change(mute, ", trials: 4", "", without);
    study_change(without, "{name: random}", "{name: pbt-bt}", text);
    Study *study = study_good(text);
    assert_false(study->can_evaluate);
    study_destroy(study);
    refuses(text, &elites);
    const BadCase end = {"{name: pbt-bt}\n", "{name: pbt-bt}\nevaluate: {top: 1, episodes: 2}\n",
                         "study.yaml:", "'evaluate' needs a trainer that evaluates"};
    refuses(text, &end);
}

static void files_that_are_none_say_so(void **state) {
    Study *study = NULL;
    (void)state;

    assert_fails(study_read("/no/such/study.yaml", NULL, 0, &study), STATUS_ERR_IO,
                 "/no/such/study.yaml");
    assert_fails(study_parse("study.yaml", "", NULL, 0, &study), STATUS_ERR_PARSE,
                 "study.yaml:1:1: the file is empty");
    assert_fails(study_parse("study.yaml", "[1, 2]", NULL, 0, &study), STATUS_ERR_PARSE,
                 "study.yaml:1:1: 'study file' must be a mapping");
    assert_null(study);
}

static void trainer_words_that_name_files_beside_the_study_become_absolute(void **state) {
    char  *folder = test_folder_make();
    char  *script = file_join(folder, "train.py");
    char  *path = file_join(folder, "study.yaml");
    Study *study = NULL;
    Buffer command;
    Buffer expected;
    (void)state;

    assert_ok(file_write_atomic(script, "x", 1));
    /* a folder of the same name as a word is none of its files */
    char *cartpole = file_join(folder, "cartpole");
    char  text[TEXT_BYTES];
    assert_ok(file_make_folder(cartpole));
    free(cartpole);
    study_change(study_external, "train.py]", "train.py, --env, cartpole]", text);
    assert_ok(file_write_atomic(path, text, strlen(text)));
    assert_ok(study_read(path, NULL, 0, &study));
    buffer_init(&command, 4096);
    buffer_init(&expected, 4096);
    assert_ok(study_trainer_command(study, &command));
    buffer_printf(&expected, "[\"python3\",\"%s\"]", script);
    Json *json = NULL;
    assert_ok(json_parse(command.data, command.length, &json));
    assert_string_equal(json_string(json_at(json, 0)), "python3");
    assert_string_equal(json_string(json_at(json, 1)), script);
    assert_string_equal(json_string(json_at(json, 3)), "cartpole");
    json_release(json);
    study_destroy(study);
    buffer_clear(&command);
    study = study_good(study_built_in);
    assert_ok(study_trainer_command(study, &command));
    assert_string_equal(buffer_text(&command), "[\"mbtune\",\"train\"]");
    study_destroy(study);
    buffer_reset(&command);
    buffer_reset(&expected);
    free(script);
    free(path);
    test_folder_remove(folder);
}

static void cost_and_stop_are_read(void **state) {
    char           text[TEXT_BYTES];
    SchedulerSetup setup;
    (void)state;

    study_change(
        study_built_in, "constraints: ",
        "cost: plan_flop\nstop: {no_improvement: {units: 2000, by: 0.01}}\nconstraints: ", text);
    Study *study = study_good(text);
    assert_string_equal(study->cost, "plan_flop");
    assert_false(study->cost_timing);
    assert_int_equal(study->stop.units, 2000);
    assert_close(study->stop.by, 0.01, 0.0, 0.0);
    study_setup(study, &setup);
    assert_true(setup.cost_aware);
    study_destroy(study);
    study_change(study_built_in, "constraints: ", "cost: plan_seconds\nconstraints: ", text);
    study = study_good(text);
    assert_contains(study->irreproducible, "the cost is a time: plan_seconds");
    study_destroy(study);
    const BadCase typo = {"constraints: ", "cost: plan_flops\nconstraints: ", "study.yaml:5:7: ",
                          "did you mean 'plan_flop'"};
    refuses(study_built_in, &typo);
}

static void reasons_for_irreproducible_results_are_named(void **state) {
    char text[TEXT_BYTES];
    (void)state;

    study_change(study_built_in, "total: 80", "total: 80, wall_clock: 1h", text);
    Study *study = study_good(text);
    assert_contains(study->irreproducible, "wall_clock");
    study_destroy(study);
    study_change(study_built_in, "metric: episode_reward, direction: maximize",
                 "metric: plan_seconds, direction: minimize", text);
    study = study_good(text);
    assert_contains(study->irreproducible, "the objective is a time: plan_seconds");
    study_destroy(study);
    study_change(study_built_in, "{plan_flop:", "{train_seconds:", text);
    study = study_good(text);
    assert_contains(study->irreproducible, "a constraint is on a time: train_seconds");
    const char  *timing[STUDY_MAX_TIMING];
    ResultsStudy row;
    study_results(study, timing, &row);
    assert_int_equal(row.timing_metric_count, 3); /* plan_seconds, train_seconds, plan_timeouts */
    assert_string_equal(row.agent, "pets");
    assert_string_equal(row.objective_reduce[0], "mean_last");
    study_destroy(study);
}

static void what_is_not_what_it_seems_is_noted_and_what_cannot_be_is_refused(void **state) {
    char   text[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    study = study_good(study_built_in); /* 20 particles on 3 members */
    assert_contains(study->notes, "20 particles are no multiple of the 3 members");
    study_destroy(study);
    study_change(study_built_in, "{ensemble_size: 3}", "{ensemble_size: 5}", text);
    study = study_good(text);
    assert_string_equal(study->notes, "");
    study_destroy(study);
    study_change(study_built_in, "{ensemble_size: 3}", "{ensemble_size: 1, propagation: tsinf}",
                 text);
    study = study_good(text);
    assert_contains(study->notes, "'tsinf' of a single probabilistic model is 'ds'");
    study_destroy(study);
    /* nothing is predicted where the planner has the simulator */
    study_change(study_built_in, "{ensemble_size: 3}",
                 "{ensemble_size: 1, planning_model: true_dynamics, planner: icem}", text);
    study = study_good(text);
    assert_string_equal(study->notes, "");
    study_destroy(study);
    /* the end of an int, not its default */
    study_change(study_built_in, "fixed: {ensemble_size: 3}",
                 "  ensemble_size: {lower: 1, upper: 2, default: 2}\n"
                 "fixed: {model_kind: deterministic}",
                 text);
    assert_fails(study_parse("study.yaml", text, NULL, 0, &study), STATUS_ERR_PARSE,
                 "'ensemble_size: 1' with the other defaults");
    study_change(study_built_in, "{ensemble_size: 3}", "{max_plan_seconds: 0.5}", text);
    study = study_good(text);
    assert_contains(study->irreproducible, "max_plan_seconds");
    study_destroy(study);
}

/* neither of them in the other's default; what else is drawn does not matter */
static void values_that_do_not_go_together_are_found_all_over_the_space(void **state) {
    char   text[TEXT_BYTES];
    char   forbidding[TEXT_BYTES];
    Study *study = NULL;
    (void)state;

    study_change(study_built_in, "fixed: {ensemble_size: 3}",
                 "  model_kind: {choices: [probabilistic, deterministic]}\n"
                 "  ensemble_elites: {lower: 0, upper: 3, default: 0}\n"
                 "  planning_horizon: {lower: 5, upper: 40, default: 25}\n"
                 "fixed: {ensemble_size: 4, particles: 4}",
                 text);
    study = study_good(text); /* a study of an earlier version goes on with it */
    assert_fails(study_check_new(study), STATUS_ERR_PARSE,
                 "study.yaml:15:8: 'model_kind: deterministic' with 'ensemble_elites: 1', the "
                 "other defaults and fixed values: propagation 'ts1'");
    study_destroy(study);
    study_change(text, "fixed: {ensemble_size",
                 "forbid:\n  - {model_kind: deterministic, ensemble_elites: 1}\n"
                 "fixed: {ensemble_size",
                 forbidding);
    study = study_good(forbidding);
    assert_ok(study_check_new(study));
    study_destroy(study);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_do_not_go_together_are_found_all_over_the_space),
        cmocka_unit_test(a_short_file_gets_every_default),
        cmocka_unit_test(a_built_in_agent_takes_its_rows_and_fixed_values),
        cmocka_unit_test(presets_give_ranges_and_fixed_values_that_the_file_overrides),
        cmocka_unit_test(choices_reach_the_agent_by_name),
        cmocka_unit_test(lists_of_objectives_keep_their_order),
        cmocka_unit_test(what_is_wrong_is_said_with_line_and_column),
        cmocka_unit_test(built_in_agents_know_their_words),
        cmocka_unit_test(lists_reach_the_agent_element_by_element),
        cmocka_unit_test(populations_refuse_trials_and_multiply_their_depth),
        cmocka_unit_test(manual_studies_refuse_evaluations_of_elites),
        cmocka_unit_test(trainers_that_cannot_evaluate_are_not_asked_to),
        cmocka_unit_test(files_that_are_none_say_so),
        cmocka_unit_test(trainer_words_that_name_files_beside_the_study_become_absolute),
        cmocka_unit_test(cost_and_stop_are_read),
        cmocka_unit_test(reasons_for_irreproducible_results_are_named),
        cmocka_unit_test(what_is_not_what_it_seems_is_noted_and_what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("tuner/study_file", tests, NULL, NULL);
}
