/* show, best and export on a database made by hand; list and validate on what is built in. */
#include "tests/support/test_support.h"

#include "core/file.h"
#include "results/results.h"
#include "search_spaces/document.h"
#include "tuner/cli.h"
#include "tuner/commands.h"
#include "tuner/study_file.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char study_text[] =
    "name: shown\n"
    "agent: pets\n"
    "environment: cartpole\n"
    "objective: {metric: episode_reward, direction: maximize}\n"
    "budget: {unit: episode, per_trial: 4, segment: 2}\n"
    "scheduler: {name: pbt, population: 2}\n"
    "constraints: {plan_flop: {upper: 2.0e9}}\n"
    "hyperparameters:\n"
    "  model_learning_rate: {lower: 1.0e-5, upper: 1.0e-2, log: true, default: 1.0e-3}\n"
    "  planning_horizon: {lower: 5, upper: 30, default: 15}\n"
    "seed: 1\n";

typedef struct Fixture {
    char    *folder;
    Study   *study;
    Results *results; /* stays open for writing: the study is live */
    Buffer   out;
} Fixture;

static void segment_done(Fixture *f, int64_t id, int64_t parent, int64_t trial, double rate,
                         double reward) {
    double         point[2] = {rate, 15.0};
    ResultsSegment row = {.id = id,
                          .parent = parent,
                          .trial = trial,
                          .decision = id - 1,
                          .begin = parent == 0 ? 0 : 2,
                          .end = parent == 0 ? 2 : 4,
                          .seed = 100 + (uint64_t)id,
                          .point = point};
    const double   spread = 1.0;
    const double   plan_flop = 1.0e6 * (double)id;

    (void)snprintf(row.reason, sizeof row.reason, "%s",
                   parent == 0           ? "initial"
                   : parent == trial + 1 ? "continue"
                                         : "exploit");
    assert_ok(results_segment_insert(f->results, &row));
    assert_ok(results_attempt_start(f->results, id, 1, 1, "host"));
    assert_ok(results_metric_insert(f->results, false, id, row.end, 0, "episode_reward", reward));
    assert_ok(
        results_segment_finish(f->results, id, 1, &reward, &spread, &plan_flop, 1000, 0x1234, 2.0));
}

/* ten episodes of segment 2's agent: done with mean 70, or still queued */
static void evaluation(Fixture *f, int64_t id, bool done) {
    const ResultsEvaluation row = {
        .id = id, .segment = 2, .decision = -1, .episodes = 10, .seed = 9};
    const double mean = 70.0;

    assert_ok(results_evaluation_insert(f->results, &row));
    if (done) {
        assert_ok(results_evaluation_start(f->results, id, 1, 1, "host"));
        assert_ok(results_evaluation_finish(f->results, id, 1, OUTCOME_DONE, "", &mean, false));
    }
}

static int setup(void **state) {
    Fixture     *f = calloc(1, sizeof *f);
    const char  *timing[STUDY_MAX_TIMING];
    ResultsStudy row;
    Json        *definition = NULL;
    Buffer       text;

    assert_non_null(f);
    buffer_init(&f->out, 1 << 20);
    buffer_init(&text, 1 << 20);
    f->folder = test_folder_make();
    assert_ok(study_parse("study.yaml", study_text, NULL, 0, &f->study));
    assert_ok(study_to_json(f->study, &definition));
    json_write(definition, false, &text);
    study_results(f->study, timing, &row);
    row.definition = buffer_text(&text);
    row.numerics = "test";
    char *path = file_join(f->folder, "study.db");
    assert_ok(results_create(path, &row, &f->results));
    assert_ok(results_begin(f->results));
    for (int64_t trial = 0; trial < 2; trial++) {
        const ResultsTrial one = {.id = trial, .kind = TRIAL_TUNE, .number = trial};
        assert_ok(results_trial_insert(f->results, &one));
    }
    segment_done(f, 1, 0, 0, 0.001, 50.0);
    segment_done(f, 2, 0, 1, 0.0025, 80.0);
    segment_done(f, 3, 2, 0, 0.003, 120.0); /* trial 0 goes on from trial 1's segment */
    segment_done(f, 4, 2, 1, 0.0025, 90.5);
    assert_ok(results_commit(f->results));
    free(path);
    json_release(definition);
    buffer_reset(&text);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    Fixture *f = *state;

    results_close(f->results);
    study_destroy(f->study);
    buffer_reset(&f->out);
    test_folder_remove(f->folder);
    free(f);
    return 0;
}

enum { MAX_WORDS = 8 };

/* Runs a command on the study folder with further words; the output is in f->out. */
static Status run(Fixture *f, Status (*command)(int, char **, Buffer *), const char *first,
                  const char *const *words) {
    char *argv[MAX_WORDS + 1] = {NULL};
    int   argc = 0;

    argv[argc++] = strdup("command");
    if (first != NULL) {
        argv[argc++] = strdup(first);
    }
    for (size_t i = 0; words[i] != NULL; i++) {
        argv[argc++] = strdup(words[i]);
    }
    buffer_clear(&f->out);
    char *given[MAX_WORDS + 1];
    memcpy(given, argv, sizeof given); /* getopt moves words around */
    const Status status = command(argc, given, &f->out);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return status;
}

/* words that end at NULL, which every use writes itself: C11 has no empty lists */
#define WORDS(...) ((const char *const[]){__VA_ARGS__})

static Json *parsed(Fixture *f) {
    Json *json = NULL;
    assert_ok(json_parse(f->out.data, f->out.length, &json));
    return json;
}

/* ---- show ---- */

static void segments_are_shown_as_json_that_scripts_rely_on(void **state) {
    static const char *const keys[] = {"id",         "parent",      "trial",   "state",
                                       "outcome",    "reason",      "begin",   "end",
                                       "seed",       "objective",   "worker",  "attempts",
                                       "started_at", "finished_at", "failure", "hyperparameters"};
    Fixture                 *f = *state;

    assert_ok(run(f, command_show, f->folder, WORDS("--segments", "-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_count(json), 4);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_non_null(json_get(json_at(json, 2), keys[i]));
    }
    const Json *third = json_at(json, 2);
    assert_int_equal(json_integer(json_get(third, "id")), 3);
    assert_int_equal(json_integer(json_get(third, "parent")), 2);
    assert_string_equal(json_string(json_get(third, "reason")), "exploit");
    assert_close(json_number(json_get(third, "objective")), 120.0, 0.0, 0.0);
    assert_close(json_number(json_get(json_get(third, "hyperparameters"), "model_learning_rate")),
                 0.003, 0.0, 0.0);
    json_release(json);
}

static void segments_are_shown_as_csv_with_one_column_per_value(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_show, f->folder, WORDS("--segments", "--format=csv", NULL)));
    const char *text = buffer_text(&f->out);
    char        header[1024];
    (void)snprintf(header, sizeof header, "%.*s", (int)strcspn(text, "\n"), text);
    assert_contains(header, "id,parent,trial,state,outcome,reason,");
    assert_contains(header, "hyperparameters.model_learning_rate,hyperparameters.planning_horizon");
    assert_contains(text, "\n3,2,0,finished,done,exploit,");
    assert_contains(text, ",0.003,15,");
}

static void segments_and_trials_are_shown_as_tables(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_show, f->folder, WORDS("--segments", NULL)));
    assert_contains(buffer_text(&f->out), "id  parent  trial  state     outcome  reason");
    assert_contains(buffer_text(&f->out), "model_learning_rate  planning_horizon");
    assert_contains(buffer_text(&f->out), " 3       2      0  finished  done     exploit ");
    assert_ok(run(f, command_show, f->folder, WORDS("--trials", NULL)));
    assert_contains(buffer_text(&f->out), "best_objective");
    assert_ok(run(f, command_show, f->folder, WORDS("--trials", "-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_count(json), 2);
    json_release(json);
}

static void the_summary_says_where_the_study_stands(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_show, f->folder, WORDS(NULL)));
    assert_contains(buffer_text(&f->out), "shown");
    assert_contains(buffer_text(&f->out), "finished=4");
    assert_contains(buffer_text(&f->out), "best:");
    assert_ok(run(f, command_show, f->folder, WORDS("-f", "json", NULL)));
    Json *json = parsed(f);
    assert_string_equal(json_string(json_get(json, "name")), "shown");
    assert_int_equal(json_integer(json_get(json_get(json, "best"), "segment")), 3);
    json_release(json);
}

static void what_the_writer_has_not_committed_is_not_seen(void **state) {
    Fixture *f = *state;

    assert_ok(results_begin(f->results));
    segment_done(f, 5, 1, 0, 0.001, 500.0);
    assert_ok(run(f, command_best, f->folder, WORDS("-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_integer(json_get(json, "segment")), 3);
    json_release(json);
    assert_ok(results_commit(f->results));
    assert_ok(run(f, command_best, f->folder, WORDS("-f", "json", NULL)));
    json = parsed(f);
    assert_int_equal(json_integer(json_get(json, "segment")), 5);
    json_release(json);
}

static void evaluations_of_any_segment_are_shown(void **state) {
    Fixture *f = *state;

    assert_ok(results_begin(f->results));
    evaluation(f, 1, true);
    evaluation(f, 2, false);
    assert_ok(results_commit(f->results));
    assert_ok(run(f, command_show, f->folder, WORDS("--evaluations", "-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_count(json), 2);
    const Json *first = json_at(json, 0);
    assert_int_equal(json_integer(json_get(first, "segment")), 2);
    assert_int_equal(json_integer(json_get(first, "trial")), 1);
    assert_int_equal(json_integer(json_get(first, "episodes")), 10);
    assert_string_equal(json_string(json_get(first, "state")), "finished");
    assert_close(json_number(json_get(first, "objective")), 70.0, 0.0, 0.0);
    assert_true(json_is_null(json_get(json_at(json, 1), "objective")));
    json_release(json);
    assert_ok(run(f, command_show, f->folder, WORDS("-e", NULL)));
    assert_contains(buffer_text(&f->out), "id  segment  trial  state     outcome  episodes");
    assert_ok(run(f, command_show, f->folder, WORDS("-e", "-f", "csv", NULL)));
    assert_contains(buffer_text(&f->out), "\n1,2,1,finished,done,10,9,70,1,1,");
}

static void constraints_and_divergence_are_shown_beside_the_objective(void **state) {
    Fixture *f = *state;

    assert_ok(results_begin(f->results));
    assert_ok(results_metric_insert(f->results, false, 1, 2, 0, "episode_diverged", 1.0));
    assert_ok(results_commit(f->results));
    assert_ok(run(f, command_show, f->folder, WORDS("--segments", NULL)));
    assert_contains(buffer_text(&f->out), "objective  plan_flop  diverged  model_learning_rate");
    assert_contains(buffer_text(&f->out), "       50    1000000         1 ");
    assert_ok(run(f, command_show, f->folder, WORDS("--segments", "-f", "csv", NULL)));
    assert_contains(buffer_text(&f->out), ",constraints.plan_flop,diverged\n");
    assert_ok(run(f, command_best, f->folder, WORDS("-f", "json", NULL)));
    Json *json = parsed(f);
    assert_close(json_number(json_get(json_get(json, "constraints"), "plan_flop")), 3e6, 0.0, 0.0);
    json_release(json);
    assert_ok(run(f, command_best, f->folder, WORDS(NULL)));
    assert_contains(buffer_text(&f->out), "\nconstraints\nplan_flop: 3000000\n");
}

/* ---- best and export ---- */

static void the_best_of_repeated_configurations_says_what_ranked_it(void **state) {
    Fixture           *f = *state;
    const ResultsTrial repeat = {.id = 2, .kind = TRIAL_TUNE, .number = 1, .repeat = 1};

    assert_ok(results_begin(f->results));
    assert_ok(results_trial_insert(f->results, &repeat));
    segment_done(f, 5, 1, 2, 0.0025, 84.5);
    assert_ok(results_commit(f->results));
    assert_ok(run(f, command_best, f->folder, WORDS(NULL)));
    /* configuration 1 at depth 4: chains of 90.5 and 84.5 */
    assert_contains(buffer_text(&f->out), "segment   4\n");
    assert_contains(buffer_text(&f->out), "mean      87.5 +- 3 (standard error) over 2 chains\n");
}

static void the_best_comes_with_its_schedule(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_best, f->folder, WORDS("-f", "json", NULL)));
    Json       *json = parsed(f);
    const Json *schedule = json_get(json, "schedule");
    assert_int_equal(json_integer(json_get(json, "segment")), 3);
    assert_int_equal(json_count(schedule), 2);
    assert_int_equal(json_integer(json_get(json_at(schedule, 1), "begin")), 2);
    assert_int_equal(json_integer(json_get(json_at(schedule, 1), "end")), 4);
    json_release(json);
    assert_ok(run(f, command_best, f->folder, WORDS(NULL)));
    const char *text = buffer_text(&f->out);
    assert_contains(text, "segment   3\n");
    assert_contains(text, "objective 120\n");
    assert_contains(text, "selected on noise: not confirmed");
    assert_contains(text, "begin  end  seed  model_learning_rate  planning_horizon\n");
    assert_contains(text, "    2    4   103                0.003                15\n");
}

static void schedules_are_exported_to_files(void **state) {
    Fixture    *f = *state;
    char       *path = file_join(f->folder, "best.yaml");
    Document   *document = NULL;
    const Node *steps = NULL;
    double      rate = 0.0;

    assert_ok(run(f, command_export, f->folder, WORDS("--what", "schedule", "-o", path, NULL)));
    assert_int_equal(f->out.length, 0);
    assert_ok(file_read(path, &f->out));
    assert_int_equal(strncmp(buffer_text(&f->out), "study: shown\n", 13), 0); /* no JSON */
    assert_ok(document_open(path, &document));
    steps = node_get(document_root(document), "steps");
    assert_int_equal(node_count(steps), 2);
    const Node *values = node_get(node_at(steps, 1), "hyperparameters");
    assert_ok(node_number(node_get(values, "model_learning_rate"), "rate", &rate));
    assert_close(rate, 0.003, 0.0, 0.0);
    document_close(document);
    assert_ok(run(f, command_export, f->folder, WORDS("--segment", "4", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_count(json_get(json, "steps")), 2);
    json_release(json);
    free(path);
}

/* ---- bad input ---- */

static void folders_that_are_no_study_say_so(void **state) {
    Fixture *f = *state;
    char    *empty = test_folder_make();
    char    *path = file_join(empty, "study.db");

    assert_fails(run(f, command_show, "/no/such/folder", WORDS(NULL)), STATUS_ERR_IO,
                 "'/no/such/folder' is no study: there is no folder of that name");
    assert_fails(run(f, command_best, empty, WORDS(NULL)), STATUS_ERR_IO, "it holds no study.db");
    assert_ok(file_write_atomic(path, "this is no database, but long enough to be read", 47));
    assert_int_not_equal(run(f, command_export, empty, WORDS(NULL)), STATUS_OK);
    assert_int_equal(cli_exit_code(status_last()->code), CLI_EXIT_FAILED);
    assert_contains(status_last()->text, "study.db");
    free(path);
    test_folder_remove(empty);
}

static void wrong_words_are_usage_errors(void **state) {
    Fixture *f = *state;

    assert_fails(run(f, command_show, f->folder, WORDS("--segments", "--trials", NULL)),
                 STATUS_ERR_USAGE, "only one of --segments, --trials and --evaluations");
    assert_fails(run(f, command_show, f->folder, WORDS("-f", "csv", NULL)), STATUS_ERR_USAGE,
                 "--segments, --trials or --evaluations");
}

static void unknown_segments_cannot_be_exported(void **state) {
    Fixture *f = *state;

    assert_fails(run(f, command_export, f->folder, WORDS("--segment", "99", NULL)),
                 STATUS_ERR_UNKNOWN_NAME, "99");
    assert_fails(run(f, command_export, f->folder, WORDS("--segment", "0", NULL)), STATUS_ERR_USAGE,
                 "--segment must be a whole number from 1");
    assert_fails(run(f, command_export, f->folder, WORDS("--what", "model", NULL)),
                 STATUS_ERR_USAGE, "--what must be one of schedule");
}

static void a_study_without_results_has_no_best(void **state) {
    Fixture     *f = *state;
    const char  *timing[STUDY_MAX_TIMING];
    char        *folder = test_folder_make();
    char        *path = file_join(folder, "study.db");
    Results     *results = NULL;
    ResultsStudy row;

    study_results(f->study, timing, &row);
    row.definition = "{}";
    row.numerics = "test";
    assert_ok(results_create(path, &row, &results));
    assert_fails(run(f, command_best, folder, WORDS(NULL)), STATUS_ERR_STATE, "");
    assert_ok(run(f, command_show, folder, WORDS(NULL)));
    assert_ok(run(f, command_show, folder, WORDS("--segments", NULL)));
    assert_ok(run(f, command_show, folder, WORDS("--segments", "-f", "csv", NULL)));
    results_close(results);
    free(path);
    test_folder_remove(folder);
}

/* ---- list and validate ---- */

static void everything_that_studies_may_name_is_listed(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_list, NULL, WORDS(NULL)));
    assert_contains(buffer_text(&f->out), "\nrandom ");
    assert_contains(buffer_text(&f->out), "\ncartpole ");
    assert_contains(buffer_text(&f->out), "\npets ");
    assert_contains(buffer_text(&f->out), "\npets-laptop ");
    assert_ok(run(f, command_list, NULL, WORDS("-f", "json", NULL)));
    Json *json = parsed(f);
    for (size_t i = 0; i < scheduler_count(); i++) {
        const Json *row = json_at(json_get(json, "schedulers"), i);
        assert_string_equal(json_string(json_get(row, "name")), scheduler_at(i)->name);
        assert_int_equal(json_count(json_get(row, "options")),
                         option_count(scheduler_at(i)->options));
    }
    json_release(json);
    assert_ok(run(f, command_list, "agents", WORDS("pets", NULL)));
    assert_contains(buffer_text(&f->out), "MacKay (1992)"); /* a part of it */
    assert_contains(buffer_text(&f->out), "model_learning_rate");
    assert_contains(buffer_text(&f->out), "episode_reward");
    assert_ok(run(f, command_list, "presets", WORDS("pets-laptop", NULL)));
    assert_contains(buffer_text(&f->out), "hyperparameters:\n");
    assert_fails(run(f, command_list, "agents", WORDS("petz", NULL)), STATUS_ERR_USAGE,
                 "did you mean 'pets'?");
    assert_fails(run(f, command_list, "scheduler", WORDS(NULL)), STATUS_ERR_USAGE, "'schedulers'");
}

static void an_environment_shows_its_facts(void **state) {
    Fixture *f = *state;

    for (size_t e = 0; e < environment_count(); e++) {
        const EnvironmentOps *ops = environment_at(e);
        assert_ok(run(f, command_list, "environments", WORDS(ops->name, NULL)));
        assert_contains(buffer_text(&f->out), ops->observation);
        assert_contains(buffer_text(&f->out), ops->start);
        assert_contains(buffer_text(&f->out), ops->source);
        assert_contains(buffer_text(&f->out), "worst_return");
        assert_contains(buffer_text(&f->out), ops->planner_rewards != NULL
                                                  ? "without the bonus for being alive"
                                                  : "planner_objective: the reward");
    }
    for (size_t i = 0; environment_unavailable()[i] != NULL; i++) {
        assert_ok(run(f, command_list, "environments", WORDS(NULL)));
        assert_contains(buffer_text(&f->out), "not in this build: built without MuJoCo");
    }
    assert_ok(run(f, command_list, "environments", WORDS("mjcf", NULL)));
    assert_contains(buffer_text(&f->out), "MuJoCo");
}

static void every_example_is_good(void **state) {
    Fixture       *f = *state;
    DIR           *folder = opendir(TEST_SOURCE_FOLDER "/examples");
    struct dirent *entry = NULL;
    size_t         n = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) { /* NOLINT(concurrency-mt-unsafe) */
        const size_t length = strlen(entry->d_name);
        char         path[1024];
        if (length < 5 || strcmp(entry->d_name + length - 5, ".yaml") != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/examples/%s", TEST_SOURCE_FOLDER, entry->d_name);
        const Status status = run(f, command_validate, path, WORDS(NULL));
        if (status == STATUS_ERR_UNAVAILABLE ||
            (status != STATUS_OK && strstr(status_last()->text, "not in this build") != NULL)) {
            print_message("%s: %s\n", entry->d_name, status_last()->text);
            continue;
        }
        assert_ok(status);
        assert_contains(buffer_text(&f->out), "' is good\n");
        n++;
    }
    assert_int_equal(closedir(folder), 0);
    assert_true(n >= 2);
}

static void validation_counts_and_prices_a_study(void **state) {
    Fixture *f = *state;
    char    *path = file_join(f->folder, "priced.yaml");
    char     text[2048];

    (void)snprintf(text, sizeof text, "%s%s", study_text, "confirm: {top: 2, seeds: 3}\n");
    assert_ok(file_write_atomic(path, text, strlen(text)));
    assert_ok(run(f, command_validate, path, WORDS("-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_integer(json_get(json, "chains")), 2);
    assert_int_equal(json_integer(json_get(json, "units")), 8);
    assert_int_equal(json_integer(json_get(json, "segments")), 4);
    assert_int_equal(json_integer(json_get(json, "confirm_chains")), 9);
    assert_int_equal(json_integer(json_get(json, "confirm_units")), 36);
    /* planning is linear in the horizon, 5 to 30 with default 15 */
    const Json  *plan = json_get(json, "plan_flop");
    const double defaults = json_number(json_get(plan, "defaults"));
    assert_close(json_number(json_get(plan, "lowest")), defaults / 3.0, 0.0, 0.05);
    assert_close(json_number(json_get(plan, "highest")), defaults * 2.0, 0.0, 0.05);
    assert_true(json_number(json_get(json_get(json, "core_hours"), "defaults")) > 0.0);
    assert_true(json_number(json_get(json_get(json, "disk_bytes"), "defaults")) > 0.0);
    json_release(json);
    assert_ok(
        run(f, command_validate, path, WORDS("--set", "confirm.seeds=4", "-f", "json", NULL)));
    json = parsed(f);
    assert_int_equal(json_integer(json_get(json, "confirm_chains")), 12);
    json_release(json);
    assert_ok(run(f, command_validate, path, WORDS("--full", NULL)));
    json = parsed(f);
    assert_non_null(json_get(json, "agent_options"));
    json_release(json);
    assert_fails(run(f, command_validate, path, WORDS("--set", "seed", NULL)), STATUS_ERR_USAGE,
                 "KEY=VALUE");
    assert_fails(run(f, command_validate, path, WORDS("--set", "sed=3", NULL)),
                 STATUS_ERR_UNKNOWN_NAME, "seed");
    free(path);
}

static void segments_too_short_for_a_first_episode_are_warned_of(void **state) {
    Fixture *f = *state;
    char    *path = file_join(f->folder, "short.yaml");

    assert_ok(file_write_atomic(path, study_text, strlen(study_text)));
    /* 200 random steps and an episode of 200 */
    const char *const good = "budget={unit: env_step, per_trial: 800, segment: 400}";
    const char *const bad = "budget={unit: env_step, per_trial: 800, segment: 399}";
    assert_ok(run(f, command_validate, path, WORDS("--set", good, NULL)));
    assert_null(strstr(buffer_text(&f->out), "warning"));
    assert_ok(run(f, command_validate, path, WORDS("--set", bad, NULL)));
    assert_contains(buffer_text(&f->out), "warning       budget.segment: ");
    assert_contains(buffer_text(&f->out), "up to 400 env_steps only");
    assert_ok(run(f, command_validate, path, WORDS("--set", bad, "-f", "json", NULL)));
    Json *json = parsed(f);
    assert_int_equal(json_count(json_get(json, "warnings")), 1);
    json_release(json);
    free(path);
}

static void a_population_with_nothing_to_change_is_warned_of(void **state) {
    Fixture *f = *state;
    char    *path = file_join(f->folder, "still.yaml");

    assert_ok(file_write_atomic(path, study_text, strlen(study_text)));
    assert_ok(run(f, command_validate, path,
                  WORDS("--set", "hyperparameters={ensemble_size: {lower: 2, upper: 5}}", NULL)));
    assert_contains(buffer_text(&f->out), "none of these has dynamic: true");
    assert_ok(run(f, command_validate, path, WORDS(NULL)));
    assert_null(strstr(buffer_text(&f->out), "dynamic: true"));
    free(path);
}

static void the_version_is_one_line(void **state) {
    Fixture *f = *state;

    assert_ok(run(f, command_version, NULL, WORDS(NULL)));
    assert_int_equal(strncmp(buffer_text(&f->out), "mbtune ", 7), 0);
    assert_ptr_equal(strchr(buffer_text(&f->out), '\n'), buffer_text(&f->out) + f->out.length - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segments_are_shown_as_json_that_scripts_rely_on, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(segments_are_shown_as_csv_with_one_column_per_value, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(segments_and_trials_are_shown_as_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(the_summary_says_where_the_study_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_writer_has_not_committed_is_not_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(evaluations_of_any_segment_are_shown, setup, teardown),
        cmocka_unit_test_setup_teardown(constraints_and_divergence_are_shown_beside_the_objective,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_best_of_repeated_configurations_says_what_ranked_it,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(the_best_comes_with_its_schedule, setup, teardown),
        cmocka_unit_test_setup_teardown(schedules_are_exported_to_files, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_that_are_no_study_say_so, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_words_are_usage_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_segments_cannot_be_exported, setup, teardown),
        cmocka_unit_test_setup_teardown(a_study_without_results_has_no_best, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_that_studies_may_name_is_listed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_environment_shows_its_facts, setup, teardown),
        cmocka_unit_test_setup_teardown(every_example_is_good, setup, teardown),
        cmocka_unit_test_setup_teardown(validation_counts_and_prices_a_study, setup, teardown),
        cmocka_unit_test_setup_teardown(segments_too_short_for_a_first_episode_are_warned_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_population_with_nothing_to_change_is_warned_of, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_version_is_one_line, setup, teardown),
    };
    return cmocka_run_group_tests_name("tuner/show", tests, NULL, NULL);
}
