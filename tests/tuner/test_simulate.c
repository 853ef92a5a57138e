/* `mbtune simulate` as a user meets it: its output, twice the same, and its refusals. */
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"

#include "core/json.h"
#include "schedulers/simulated_problem.h"
#include "tuner/cli.h"
#include "tuner/commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXAMPLE TEST_SOURCE_FOLDER "/examples/simulate.yaml"
#define CURVES  TEST_DATA_FOLDER "/curves"

enum { WORDS = 24, OUTPUT = 1 << 20 };

/* the command in this process; words are separated by blanks; `out` is released by the caller */
static Status simulate(const char *line, Buffer *out) {
    char  memory[1024];
    char *argv[WORDS] = {NULL};
    int   argc = 0;
    char *rest = memory;
    (void)snprintf(memory, sizeof memory, "simulate %s", line);
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        assert_true(argc + 1 < WORDS);
        argv[argc++] = word;
    }
    buffer_init(out, OUTPUT);
    return command_simulate(argc, argv, out);
}

static Json *simulate_json(const char *line) {
    Buffer out;
    Json  *json = NULL;
    assert_ok(simulate(line, &out));
    assert_ok(json_parse(buffer_text(&out), out.length, &json));
    buffer_reset(&out);
    return json;
}

static void text_says_what_happened(void **state) {
    Buffer out;
    (void)state;
    assert_ok(simulate(EXAMPLE " --function schedule --workers 8 --noise 0.2", &out));
    assert_contains(buffer_text(&out), "simulated 'simulate': pbt on schedule, 8 workers\n");
    assert_contains(buffer_text(&out), "ended        every member reached 120 units");
    assert_contains(buffer_text(&out), "utilization 100.00 %");
    assert_contains(buffer_text(&out), "480 segments (0 failed), 0 evaluations, 1920 units");
    assert_contains(buffer_text(&out), "without noise)");
    buffer_reset(&out);
}

static void json_has_every_number(void **state) {
    (void)state;
    Json *json = simulate_json(EXAMPLE " --function schedule_trap -w 4 --seconds-per-unit 2.5 "
                                       "--spread 0.3 --failure-rate 0.1 -f json");
    assert_string_equal(json_string(json_get(json, "problem")), "schedule_trap");
    assert_true(json_bool(json_get(json, "repeatable")));
    assert_true(json_integer(json_get(json, "segments_failed")) > 10);
    assert_true(json_number(json_get(json, "utilization")) <= 1.0);
    const Json *best = json_get(json, "best");
    const Json *steps = json_get(json, "best_so_far");
    const Json *last = json_at(steps, json_count(steps) - 1);
    assert_true(json_number(json_get(best, "objective")) ==
                json_number(json_get(last, "objective")));
    assert_true(json_number(json_get(json_get(json, "measured"), "decisions_per_second")) > 0.0);
    json_release(json);

    json = simulate_json(EXAMPLE " --function schedule --decide-seconds measured -f json");
    assert_false(json_bool(json_get(json, "repeatable")));
    json_release(json);
}

static void csv_has_a_row_for_every_improvement(void **state) {
    Buffer out;
    (void)state;
    assert_ok(simulate(EXAMPLE " --function schedule -f csv", &out));
    assert_int_equal(strncmp(buffer_text(&out),
                             "seconds,segment,chains,finished,units,objective,without_noise\n"
                             "4,1,1,1,4,",
                             72),
                     0);
    buffer_reset(&out);
}

static void a_table_gives_results_constraints_and_times(void **state) {
    (void)state;
    Json *json = simulate_json(CURVES ".yaml --table " CURVES ".csv -w 2 -f json");
    /* adam alone keeps the constraint: best at 0.01 with seed 2 after 20 units */
    const Json *best = json_get(json, "best");
    assert_true(json_number(json_get(best, "objective")) == 98.43 ||
                json_number(json_get(best, "objective")) == 97.43);
    assert_int_equal(json_integer(json_get(json, "segments_failed")) > 0, 1); /* diverged: nan */
    /* 10 or 20 virtual seconds a segment, by the table */
    assert_true(fmod(json_number(json_get(json, "seconds")), 10.0) == 0.0);
    json_release(json);
}

static void a_static_function_is_maximized_as_its_negative(void **state) {
    (void)state;
    Json        *json = simulate_json(TEST_DATA_FOLDER "/mixed.yaml --function mixed -f json");
    const double best = json_number(json_get(json_get(json, "best"), "objective"));
    assert_true(best < 0.0 && best > -0.6);
    assert_int_equal(json_integer(json_get(json, "segments")), 200);
    json_release(json);
}

/* ---- tables that are made for a question ---- */

typedef struct TableStudy {
    char *folder;
    char  study[256];
    char  table[256];
} TableStudy;

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* every choice of one hyperparameter, `repeats` times; `objectives` is a list in YAML */
static void open_tables(const char *objectives, const char *choices, int repeats, const char *table,
                        TableStudy *tables) {
    char text[1024];
    tables->folder = test_folder_make();
    (void)snprintf(tables->study, sizeof tables->study, "%s/study.yaml", tables->folder);
    (void)snprintf(tables->table, sizeof tables->table, "%s/table.csv", tables->folder);
    (void)snprintf(text, sizeof text,
                   "name: tables\ntrainer: {command: [nothing]}\nobjective: %s\n"
                   "budget: {unit: episode, per_trial: 1, segment: 1, trials: 100}\nrepeats: %d\n"
                   "baseline: false\nscheduler: {name: grid}\n"
                   "hyperparameters: {way: {type: categorical, choices: %s, default: a}}\n",
                   objectives, repeats, choices);
    write_text(tables->study, text);
    write_text(tables->table, table);
}

static void close_tables(TableStudy *tables) {
    test_folder_remove(tables->folder);
}

static Json *simulate_tables(const TableStudy *tables) {
    char line[700];
    (void)snprintf(line, sizeof line, "%s --table %s -w 3 -f json", tables->study, tables->table);
    return simulate_json(line);
}

#define SCORE  "{metric: score, direction: maximize, reduce: last}"
#define TOLL   "{metric: toll, direction: minimize, reduce: last}"
#define WEIGHT "{metric: weight, direction: minimize, reduce: last}"

/* `a` shows 10 once in a while, on average 0; `b` always 6 */
static void with_repeats_the_best_is_no_lucky_chain(void **state) {
    TableStudy tables;
    (void)state;
    open_tables(SCORE, "[a, b]", 8, "way,seed,unit,score\na,1,1,10\na,2,1,-10\nb,1,1,6\nb,2,1,6\n",
                &tables);
    Json       *json = simulate_tables(&tables);
    const Json *best = json_get(json, "best");
    assert_int_equal(json_integer(json_get(json, "segments")), 16);
    assert_int_equal(json_integer(json_get(best, "chains")), 8);
    assert_true(json_number(json_get(best, "objective")) == 6.0);
    json_release(json);
    close_tables(&tables);
}

/* by hand: from the corner (0, 5) the strips of score 0..1, 1..3, 3..4 are 4, 3 and 1 high */
static void several_objectives_give_a_front(void **state) {
    static const double scores[] = {4.0, 3.0, 1.0};
    static const double tolls[] = {4.0, 2.0, 1.0};
    TableStudy          tables;
    Buffer              out;
    char                line[700];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a, b, c, d, e]", 1,
                "way,unit,score,toll\na,1,4,4\nb,1,3,2\nc,1,1,1\nd,1,0,5\ne,1,3,2\n", &tables);
    Json       *json = simulate_tables(&tables);
    const Json *front = json_get(json, "front");
    assert_int_equal(json_count(front), 3);
    for (size_t i = 0; i < 3; i++) {
        const Json *objective = json_get(json_at(front, i), "objective");
        assert_true(json_number(json_get(objective, "score")) == scores[i]);
        assert_true(json_number(json_get(objective, "toll")) == tolls[i]);
    }
    assert_close(json_number(json_get(json, "hypervolume")), 11.0, 1e-12, 0.0);
    assert_close(json_number(json_get(json, "hypervolume_share")), 11.0 / 16.0, 1e-12, 0.0);
    assert_true(json_number(json_get(json_get(json, "reference"), "toll")) == 5.0);
    json_release(json);
    (void)snprintf(line, sizeof line, "%s --table %s", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "front: hypervolume 11, 68.75 % of what the table");
    assert_contains(buffer_text(&out), "by score alone");
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s -f csv", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "seconds,segment,chains,depth,score,toll\n");
    buffer_reset(&out);
    close_tables(&tables);
}

static void a_table_without_room_has_no_share(void **state) {
    TableStudy tables;
    Buffer     out;
    char       line[700];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a, b]", 1, "way,unit,score,toll\na,1,4,4\nb,1,4,2\n",
                &tables);
    (void)snprintf(line, sizeof line, "%s --table %s -f json", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "\"hypervolume_share\": null");
    assert_null(strstr(buffer_text(&out), "NaN"));
    buffer_reset(&out);
    close_tables(&tables);
}

/* what was observed, and what is in the table; both beside each other */
static void a_front_under_noise_says_what_is_true(void **state) {
    static const char header[] =
        "seconds,segment,chains,depth,score,toll,score_without_noise,toll_without_noise\n";
    TableStudy tables;
    Buffer     out;
    char       line[700];
    double     observed[2];
    double     truth[2];
    (void)state;
    open_tables("[" SCORE ", " TOLL "]", "[a]", 1, "way,unit,score,toll\na,1,4,3\n", &tables);
    (void)snprintf(line, sizeof line, "%s --table %s --noise 0.5 -f csv", tables.study,
                   tables.table);
    assert_ok(simulate(line, &out));
    assert_int_equal(strncmp(buffer_text(&out), header, sizeof header - 1), 0);
    assert_int_equal(sscanf(buffer_text(&out) + sizeof header - 1,
                            "%*g,%*d,%*d,%*d,%lf,%lf,%lf,%lf", &observed[0], &observed[1],
                            &truth[0], &truth[1]),
                     4);
    assert_true(truth[0] == 4.0 && truth[1] == 3.0);
    assert_true(observed[0] != 4.0 && observed[1] != 3.0);
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s --noise 0.5", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out), "score_without_noise  toll_without_noise\n");
    buffer_reset(&out);
    close_tables(&tables);
}

/* the one configuration is the best until a chain of it breaks the constraint */
static void a_best_that_is_lost_is_none_in_every_format(void **state) {
    TableStudy tables;
    Buffer     out;
    char       line[700];
    (void)state;
    open_tables(SCORE "\nconstraints: {weight: {upper: 1}}", "[a]", 8,
                "way,seed,unit,score,weight\na,1,1,3,2\na,2,1,3,0\n", &tables);
    Json        *json = simulate_tables(&tables);
    const Json  *steps = json_get(json, "best_so_far");
    const size_t count = json_count(steps);
    assert_true(json_is_null(json_get(json, "best")));
    assert_true(count >= 2);
    assert_true(json_number(json_get(json_at(steps, count - 2), "objective")) == 3.0);
    assert_true(json_is_null(json_get(json_at(steps, count - 1), "objective")));
    assert_true(json_is_null(json_get(json_at(steps, count - 1), "segment")));
    json_release(json);
    (void)snprintf(line, sizeof line, "%s --table %s -w 3 -f csv", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    const char *last = strstr(buffer_text(&out), ",,0,");
    assert_non_null(last);
    assert_string_equal(strchr(last, '\n') - 2, ",,\n"); /* it is the last row */
    buffer_reset(&out);
    (void)snprintf(line, sizeof line, "%s --table %s -w 3", tables.study, tables.table);
    assert_ok(simulate(line, &out));
    assert_contains(buffer_text(&out),
                    "best         none: no configuration keeps the constraints in all of its");
    assert_contains(buffer_text(&out), "best so far");
    buffer_reset(&out);
    close_tables(&tables);
}

/* unit cells of the room between the front and the corner, counted */
static void three_objectives_have_the_volume_that_counting_finds(void **state) {
    static const int points[][3] = {{9, 7, 8}, {7, 3, 6}, {4, 6, 1}, {8, 8, 3},
                                    {2, 1, 9}, {5, 4, 4}, {0, 9, 9}, {6, 2, 7}};
    TableStudy       tables;
    char             table[512] = "way,unit,score,toll,weight\n";
    int              cells = 0;
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        const size_t used = strlen(table);
        (void)snprintf(table + used, sizeof table - used, "%c,1,%d,%d,%d\n", (int)('a' + i),
                       points[i][0], points[i][1], points[i][2]);
    }
    for (int cell = 0; cell < 1000; cell++) {
        const int score = cell % 10;
        const int toll = cell / 10 % 10;
        const int weight = cell / 100;
        bool      inside = false;
        for (size_t i = 0; i < 8; i++) {
            inside = inside || (score < points[i][0] && toll >= points[i][1] && toll < 9 &&
                                weight >= points[i][2] && weight < 9);
        }
        cells += inside ? 1 : 0;
    }
    open_tables("[" SCORE ", " TOLL ", " WEIGHT "]", "[a, b, c, d, e, f, g, h]", 1, table, &tables);
    Json *json = simulate_tables(&tables);
    assert_true(cells > 50);
    assert_close(json_number(json_get(json, "hypervolume")), (double)cells, 1e-9, 0.0);
    json_release(json);
    close_tables(&tables);
}

/* as in a study: of the best so far, 200 units of segments that ended later; three were running */
static void no_improvement_ends_it(void **state) {
    static const char line[] =
        EXAMPLE " --function schedule -w 3 -f json --set scheduler={\"name\":random} --set "
                "budget={\"unit\":unit,\"per_trial\":120,\"segment\":4,\"trials\":16} --set "
                "stop={\"no_improvement\":{\"units\":200,\"by\":0}}";
    (void)state;
    Json         *json = simulate_json(line);
    const int64_t units = json_integer(json_get(json, "units"));
    const int64_t best = json_integer(json_get(json_get(json, "best"), "units"));
    assert_string_equal(json_string(json_get(json, "reason")),
                        "no improvement of skill by more than 0 in 200 units");
    assert_false(json_bool(json_get(json, "failed")));
    assert_true(units >= best + 200 && units <= best + 200 + 3 * 4);
    assert_true(units < 16 * 120);
    json_release(json);
}

static void mistakes_are_one_sentence(void **state) {
    /* a wrong command line is 2 to scripts; a file that does not fit, 1 */
    static const struct {
        const char *arguments;
        int         exit_code;
        const char *text;
    } cases[] = {
        {"--function schedule --workers -3", 2,
         "--workers must be a whole number from 1 to 1048576, found '-3'"},
        {"--function schedule --workers 0", 2, "--workers must be a whole number from 1"},
        {"--function schedule --noise nan", 2, "--noise must be a number from 0, found 'nan'"},
        {"--function schedule --noise -1", 2, "--noise must be a number from 0, found '-1'"},
        {"--function schedule --noise inf", 2, "--noise must be a number from 0, found 'inf'"},
        {"--function schedule --spread -1", 2, "--spread must be a number from 0, found '-1'"},
        {"--function schedule --tau x", 2, "--tau must be a number from 0, found 'x'"},
        {"--function schedule --seconds-per-unit 0", 2,
         "--seconds-per-unit must be a number above 0"},
        {"--function schedule --failure-rate 2", 2, "--failure-rate must be a number from 0 to 1"},
        {"--function schedule --decide-seconds often", 2,
         "--decide-seconds must be a number from 0"},
        {"--function schedul", 2, "no function 'schedul'; did you mean 'schedule'?"},
        {"--function branin", 1,
         "'branin' needs 2 numeric and 0 categorical hyperparameters; the "
         "study has 3 and 1"},
        {"--function schedule --set cost=plan_flop", 1,
         "the study's cost is 'plan_flop': use a table"},
        {"", 2, "expected one of --function and --table"},
        {"--function schedule --table x.csv", 2, "expected one of --function and --table"},
        {"--table no-such.csv", 1, "no-such.csv"},
        {"--table " CURVES ".csv", 1, "there is no column 'exploration' (a hyperparameter"},
        {"--function schedule -f yaml", 2, "yaml"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Buffer out;
        char   line[512];
        (void)snprintf(line, sizeof line, "%s%s%s", EXAMPLE,
                       cases[i].arguments[0] == '\0' ? "" : " ", cases[i].arguments);
        const Status status = simulate(line, &out);
        assert_contains(status_last()->text, cases[i].text);
        assert_int_equal(cli_exit_code(status), cases[i].exit_code);
        assert_int_equal(out.length, 0);
        buffer_reset(&out);
    }
    Buffer out;
    assert_fails(simulate(CURVES ".yaml --function schedule", &out), STATUS_ERR_SHAPE,
                 "'schedule' gives one objective and no constraints; the study has 1 and 1");
    buffer_reset(&out);
}

/* on the table: the study's cost reaches the scheduler, which then decides differently */
static void the_study_s_cost_is_a_column_of_the_table(void **state) {
    static const char line[] =
        "mbtune simulate " CURVES ".yaml --table " CURVES ".csv -f csv --set "
        "'scheduler={name: gp, startup: 3}'%s";
    static Run with;
    static Run without;
    char       command[1024];
    (void)state;
    /* measured times, which differ anyway, go to stderr */
    (void)snprintf(command, sizeof command, line, " --set cost=plan_flop 2>/dev/null");
    assert_int_equal(run_shell(&with, command), 0);
    (void)snprintf(command, sizeof command, line, " 2>/dev/null");
    assert_int_equal(run_shell(&without, command), 0);
    assert_true(with.length > 0 && without.length > 0);
    assert_string_not_equal(with.text, without.text);
    (void)snprintf(command, sizeof command, line, " --set cost=fuel");
    assert_true(run_shell(&with, command) != 0);
    assert_contains(with.text, "there is no column 'fuel'");
}

static void the_help_names_every_function(void **state) {
    Buffer out;
    (void)state;
    assert_ok(simulate("--help", &out));
    for (size_t i = 0; i < simulated_problem_count(); i++) {
        assert_contains(buffer_text(&out), simulated_problem_at(i)->name);
    }
    buffer_reset(&out);
}

static void the_program_prints_the_same_bytes_twice(void **state) {
    static const char line[] =
        "mbtune simulate " EXAMPLE " --function schedule --noise 0.2 --spread 0.3 -w 64 "
        "--failure-rate 0.1 --set 'scheduler={name: pbt-bt, population: 16, mode: asynchronous}' "
        "2>/dev/null";
    Run first;
    Run second;
    (void)state;
    assert_int_equal(run_shell(&first, line), 0);
    assert_int_equal(run_shell(&second, line), 0);
    assert_true(first.length > 500);
    assert_string_equal(first.text, second.text);
    /* measured times are told, elsewhere */
    assert_int_equal(
        run_shell(&first, "mbtune simulate " EXAMPLE " --function schedule 2>&1 >/dev/null"), 0);
    assert_contains(first.text, "measured: decide median");
    assert_int_equal(run_shell(&first, "mbtune simulate " EXAMPLE " -w -1"), 2);
}

/* what a model decides must not depend on how many cores there are */
static void threads_of_openblas_change_nothing(void **state) {
    static const char line[] =
        "OPENBLAS_NUM_THREADS=%d mbtune simulate " EXAMPLE " --function schedule -f csv "
        "--set 'scheduler={name: gp}' --set 'budget={unit: unit, per_trial: 4, segment: 4, "
        "trials: 100}' 2>/dev/null";
    Run runs[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        char command[512];
        (void)snprintf(command, sizeof command, line, i + 1);
        assert_int_equal(run_shell(&runs[i], command), 0);
    }
    assert_true(runs[0].length > 100);
    assert_string_equal(runs[0].text, runs[1].text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_says_what_happened),
        cmocka_unit_test(json_has_every_number),
        cmocka_unit_test(csv_has_a_row_for_every_improvement),
        cmocka_unit_test(a_table_gives_results_constraints_and_times),
        cmocka_unit_test(a_static_function_is_maximized_as_its_negative),
        cmocka_unit_test(with_repeats_the_best_is_no_lucky_chain),
        cmocka_unit_test(several_objectives_give_a_front),
        cmocka_unit_test(a_table_without_room_has_no_share),
        cmocka_unit_test(a_front_under_noise_says_what_is_true),
        cmocka_unit_test(a_best_that_is_lost_is_none_in_every_format),
        cmocka_unit_test(three_objectives_have_the_volume_that_counting_finds),
        cmocka_unit_test(no_improvement_ends_it),
        cmocka_unit_test(mistakes_are_one_sentence),
        cmocka_unit_test(the_study_s_cost_is_a_column_of_the_table),
        cmocka_unit_test(threads_of_openblas_change_nothing),
        cmocka_unit_test(the_help_names_every_function),
        cmocka_unit_test(the_program_prints_the_same_bytes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
