/* `mbtune simulate` as a user meets it: its output, twice the same, and its refusals. */
#include "tests/support/test_support.h"
#include "tests/tuner/run_mbtune.h"
#include "tests/tuner/simulate_command.h"

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
        cmocka_unit_test(no_improvement_ends_it),
        cmocka_unit_test(mistakes_are_one_sentence),
        cmocka_unit_test(the_study_s_cost_is_a_column_of_the_table),
        cmocka_unit_test(threads_of_openblas_change_nothing),
        cmocka_unit_test(the_help_names_every_function),
        cmocka_unit_test(the_program_prints_the_same_bytes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
