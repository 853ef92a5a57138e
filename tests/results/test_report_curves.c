/* Learning curves for `simulate --table`: which segments are rows, what a row says, what no table
 * can say, and that what is written is read back as it was. */
#include "tests/results/results_fixture.h"
#include "tests/schedulers/fake_study.h"

#include "core/file.h"
#include "schedulers/curve_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CSV_BYTES = 1 << 20, MOST_POINTS = 16 };

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    for (int64_t trial = 0; trial < 4; trial++) {
        fixture_trial(f, trial);
    }
    return 0;
}

/* another study in the fixture's folder, without trials; takes the space */
static void remake(Fixture *f, Space *space) {
    results_close(f->results);
    f->results = NULL;
    if (space != NULL) {
        space_destroy(f->space);
        f->space = space;
        f->study.space = space;
    }
    static int number = 0;
    char       name[32];
    (void)snprintf(name, sizeof name, "%d.db", ++number);
    free(f->path);
    f->path = file_join(f->folder, name);
    assert_ok(results_create(f->path, &f->study, &f->results));
    assert_ok(results_begin(f->results));
}

static void fail_segment(Fixture *f, int64_t id, int64_t parent, int64_t trial, int64_t end,
                         Outcome outcome) {
    fixture_segment(f, id, parent, trial, end, (parent == 0) ? "initial" : "continue");
    assert_ok(results_attempt_start(f->results, id, 1, 1, "host"));
    assert_ok(results_attempt_fail(f->results, id, 1, outcome, "why", false));
}

/* the table without its last column, whose times differ from run to run */
static void assert_table(Fixture *f, ReportCurves *curves, const char *expected) {
    Buffer csv;
    Buffer cut;
    buffer_init(&csv, CSV_BYTES);
    buffer_init(&cut, CSV_BYTES);
    assert_ok(report_curves(f->results, &csv, curves));
    const char *line = buffer_text(&csv);
    while (*line != '\0') {
        const char *end = strchr(line, '\n');
        const char *comma = end;
        assert_non_null(end);
        while (*comma != ',') {
            comma--;
        }
        buffer_append(&cut, line, (size_t)(comma - line));
        buffer_puts(&cut, "\n");
        line = end + 1;
    }
    assert_string_equal(buffer_text(&cut), expected);
    buffer_reset(&csv);
    buffer_reset(&cut);
}

static void assert_refused(Fixture *f, Status status, const char *text) {
    ReportCurves curves;
    Buffer       csv;
    buffer_init(&csv, CSV_BYTES);
    assert_fails(report_curves(f->results, &csv, &curves), status, text);
    buffer_reset(&csv);
}

#define HYPERPARAMETERS "lr,horizon,learned,optimizer,momentum,width,"
#define HEADER          HYPERPARAMETERS "seed,unit,episode_reward,plan_flop\n"
#define ADAM            "0.001,25,true,adam,,32.5,"

/* ---- rows ---- */

static void a_row_has_every_column(void **state) {
    Fixture     *f = *state;
    ReportCurves curves;
    f->study.definition = "{\"cost\":\"fuel\"}";
    remake(f, NULL);
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    (void)fixture_point(f, 0.002, 0.5);
    fixture_done(f, 2, 0, 0, 5, 20.0);
    assert_ok(results_segment_cost_set(f->results, 1, 2.5));
    assert_table(f, &curves,
                 HYPERPARAMETERS "seed,unit,episode_reward,fuel,plan_flop\n" ADAM "0,5,10,2.5,50\n"
                                 "0.002,25,true,sgd,0.5,32.5,0,5,20,,50\n");
}

static void only_chains_of_one_configuration_are_curves(void **state) {
    Fixture     *f = *state;
    ReportCurves curves;
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 20.0);
    fixture_done(f, 3, 1, 0, 10, 21.0); /* went back: the second that goes on from there */
    fixture_done(f, 4, 2, 1, 15, 30.0); /* another trial's agent */
    (void)fixture_point(f, 0.002, (double)NAN);
    fixture_done(f, 5, 2, 0, 15, 40.0); /* values changed */
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 6, 5, 0, 20, 50.0); /* and back */
    (void)fixture_point(f, 0.001, 0.5);
    fixture_done(f, 7, 0, 2, 5, 60.0);
    fixture_segment(f, 8, 7, 2, 10, "continue"); /* not trained yet */
    assert_table(f, &curves,
                 HEADER ADAM "0,5,10,50\n" ADAM "0,10,20,50\n"
                             "0.001,25,true,sgd,0.5,32.5,2,5,60,50\n");
    assert_int_equal(curves.rows, 3);
    assert_int_equal(curves.curves, 2);
}

static void a_failure_ends_its_curve_without_a_value(void **state) {
    Fixture     *f = *state;
    ReportCurves curves;
    f->study.definition = "{\"budget\":{\"unit\":\"episode\",\"per_trial\":10}}";
    remake(f, NULL);
    for (int64_t trial = 0; trial < 5; trial++) {
        fixture_trial(f, trial);
    }
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fail_segment(f, 2, 1, 0, 10, OUTCOME_DIVERGED);
    fail_segment(f, 3, 0, 1, 5, OUTCOME_CRASHED);
    fixture_done(f, 4, 0, 2, 5, 20.0);
    fail_segment(f, 5, 4, 2, 10, OUTCOME_CANCELLED); /* by a user: cut short, no more */
    fixture_done(f, 6, 0, 3, 5, 30.0);
    fixture_done(f, 7, 6, 3, 10, 40.0);
    fixture_done(f, 8, 7, 3, 15, 50.0);
    fixture_done(f, 9, 0, 4, 5, 60.0);
    fail_segment(f, 10, 9, 4, 10, OUTCOME_OUT_OF_MEMORY);
    assert_table(f, &curves,
                 HEADER ADAM "0,5,10,50\n" ADAM "0,10,,\n" ADAM "1,5,,\n" ADAM "2,5,20,50\n" ADAM
                             "3,5,30,50\n" ADAM "3,10,40,50\n" ADAM "3,15,50,50\n" ADAM
                             "4,5,60,50\n" ADAM "4,10,,\n");
    assert_int_equal(curves.rows, 9);
    assert_int_equal(curves.curves, 5);
    assert_int_equal(curves.complete, 1);
    assert_int_equal(curves.diverged, 1);
    assert_int_equal(curves.failed, 2);
    assert_int_equal(curves.per_trial, 10);
    assert_string_equal(curves.unit, "episode");
}

/* or else the table had two rows of one configuration, seed and unit, which nobody reads */
static void a_trial_that_begins_again_with_the_same_values_is_one_curve(void **state) {
    Fixture     *f = *state;
    ReportCurves curves;
    fail_segment(f, 1, 0, 0, 5, OUTCOME_CRASHED);
    (void)fixture_point(f, 0.002, (double)NAN);
    fixture_done(f, 2, 0, 0, 5, 10.0);
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 3, 0, 0, 5, 20.0);
    fixture_done(f, 4, 3, 0, 10, 30.0);
    fixture_done(f, 5, 0, 1, 5, 40.0);
    assert_table(f, &curves,
                 HEADER ADAM "0,5,,\n0.002,25,true,adam,,32.5,0,5,10,50\n" ADAM "1,5,40,50\n");
}

/* ---- names with two meanings ---- */

static Space *space_of(const char *name, char **choices, const bool *quoted, size_t count) {
    Space         *space = NULL;
    SpaceParameter parameter = {.name = (char *)(uintptr_t)name, .upper = 1.0};
    if (count > 0) {
        parameter.type = SPACE_CATEGORICAL;
        parameter.upper = (double)(count - 1);
        parameter.choices = choices;
        parameter.quoted = quoted;
        parameter.choice_count = count;
    }
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &parameter));
    assert_ok(space_seal(space));
    return space;
}

static void a_hyperparameter_with_the_name_of_a_column_is_refused(void **state) {
    static const char *const cases[][2] = {
        {"seed", "'seed' is the name of a hyperparameter and of the seed of a curve"},
        {"unit", "'unit' is the name of a hyperparameter and of the budget units of a row"},
        {"seconds", "'seconds' is the name of a hyperparameter and of the time of a row"},
        {"episode_reward", "'episode_reward' is the name of a hyperparameter and of an objective"},
        {"plan_flop", "'plan_flop' is the name of a hyperparameter and of a constraint"},
        {"fuel", "'fuel' is the name of a hyperparameter and of the study's cost"},
    };
    Fixture *f = *state;
    f->study.definition = "{\"cost\":\"fuel\"}";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        remake(f, space_of(cases[i][0], NULL, NULL, 0));
        assert_refused(f, STATUS_ERR_STATE, cases[i][1]);
    }
    f->study.objective_metric[0] = "seconds";
    remake(f, space_of("rate", NULL, NULL, 0));
    assert_refused(f, STATUS_ERR_STATE, "'seconds' is the name of an objective and of the time");
}

static void a_metric_of_two_meanings_is_one_column_while_they_agree(void **state) {
    Fixture     *f = *state;
    ReportCurves curves;
    f->study.definition = "{\"cost\":\"plan_flop\"}";
    remake(f, NULL);
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 1, 10.0);
    fixture_done(f, 2, 1, 0, 3, 10.0);
    assert_ok(results_segment_cost_set(f->results, 1, 50.0));
    assert_ok(results_segment_cost_set(f->results, 2, 50.0));
    assert_table(f, &curves,
                 HYPERPARAMETERS "seed,unit,episode_reward,plan_flop\n" ADAM "0,1,10,50\n" ADAM
                                 "0,3,10,50\n");
    assert_ok(results_segment_cost_set(f->results, 2, 100.0));
    assert_refused(f, STATUS_ERR_STATE,
                   "'plan_flop' is the study's cost and a constraint, and these differ in segment "
                   "2 ('100' and '50')");
    f->study.definition = "{\"cost\":\"episode_reward\"}";
    remake(f, NULL);
    fixture_trial(f, 0);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    assert_refused(f, STATUS_ERR_STATE,
                   "'episode_reward' is an objective and the study's cost, and these differ in "
                   "segment 1 ('10' and '')");
}

/* ---- cells that are read back ---- */

static CurveTable *read_back(Fixture *f, const char *const *metrics, size_t count) {
    ReportCurves curves;
    CurveTable  *table = NULL;
    Buffer       csv;
    buffer_init(&csv, CSV_BYTES);
    assert_ok(report_curves(f->results, &csv, &curves));
    assert_ok(curve_table_parse("curves.csv", csv.data, f->space,
                                &(CurveColumns){metrics, count, count}, &table));
    assert_int_equal(table->row_count, curves.rows);
    buffer_reset(&csv);
    return table;
}

static void every_choice_comes_back(void **state) {
    static char texts[][24] = {
        "-",  " - ",  "a\tb", "line\nbreak\r\nand\r", "say \"it\", x", "\"", ",", "\033[1mx", "nan",
        "64", "1e-3", "true"};
    enum { COUNT = sizeof texts / sizeof texts[0] };
    static char             *choices[COUNT];
    static const bool        quoted[COUNT] = {[9] = true};
    static const char *const metrics[] = {"episode_reward"};
    Fixture                 *f = *state;
    for (size_t i = 0; i < COUNT; i++) {
        choices[i] = texts[i];
    }
    remake(f, space_of("way", choices, quoted, COUNT));
    for (int64_t i = 0; i < COUNT; i++) {
        fixture_trial(f, i);
        f->point[0] = (double)i;
        fixture_done(f, i + 1, 0, i, 5, 100.0 + (double)i);
    }
    CurveTable *table = read_back(f, metrics, 1);
    assert_int_equal(table->configuration_count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(table->points[i] == (double)i);
        assert_true(table->metrics[i] == 100.0 + (double)i);
    }
    curve_table_destroy(table);
}

static void choices_that_a_cell_cannot_tell_are_refused(void **state) {
    static char       empty[] = "";
    static char       other[] = "x";
    static char       number[] = "1e-3";
    static char       text[] = "0.001";
    static char      *none[] = {other, empty};
    static char      *same[] = {number, text};
    static const bool quoted[] = {false, true};
    Fixture          *f = *state;
    remake(f, space_of("way", none, NULL, 2));
    fixture_trial(f, 0);
    f->point[0] = 1.0;
    fixture_done(f, 1, 0, 0, 5, 1.0);
    assert_refused(f, STATUS_ERR_STATE, "a choice of 'way' is an empty text");
    remake(f, space_of("way", same, quoted, 2));
    assert_refused(f, STATUS_ERR_STATE, "'way' has the number 0.001 and the text '0.001'");
}

static Space *wide_space(size_t count) {
    Space *space = NULL;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "h%zu", i);
        assert_ok(space_add(space, &(SpaceParameter){.name = name, .upper = 1000.0}));
    }
    assert_ok(space_seal(space));
    return space;
}

/* seed, unit, an objective, a constraint and seconds beside them: 512 in all */
static void as_many_columns_as_are_read_are_written(void **state) {
    enum { MANY = 507 };
    static double            point[MANY];
    static const char *const metrics[] = {"episode_reward", "plan_flop", "seconds"};
    Fixture                 *f = *state;
    remake(f, wide_space(MANY));
    fixture_trial(f, 0);
    for (size_t i = 0; i < MANY; i++) {
        point[i] = (double)i;
    }
    const ResultsSegment segment = {.id = 1, .end = 5, .reason = "initial", .point = point};
    assert_ok(results_segment_insert(f->results, &segment));
    fixture_finish(f, 1, 7.0);
    CurveTable *table = read_back(f, metrics, 3);
    assert_true(fake_same_values(table->points, point, MANY));
    assert_true(table->metrics[0] == 7.0 && table->metrics[2] >= 0.0);
    curve_table_destroy(table);
    remake(f, wide_space(MANY + 1));
    assert_refused(f, STATUS_ERR_RANGE, "they have 513 columns, and a table takes at most 512");
}

/* ---- every kind of hyperparameter ---- */

typedef struct Sampled {
    double points[MOST_POINTS][16];
    size_t width;
} Sampled;

/* three configurations, two chains each, one more unit per segment; all values tell who they are */
static void train_samples(Fixture *f, Sampled *sampled) {
    static const double spread[] = {0.0};
    Rng                 rng = rng_stream(20240501, 0, RNG_TEST);
    int64_t             id = 0;
    for (int64_t trial = 0; trial < 6; trial++) {
        double            *point = sampled->points[trial / 2];
        const ResultsTrial row = {.id = trial, .number = trial / 2, .repeat = trial % 2};
        assert_ok(results_trial_insert(f->results, &row));
        if (trial % 2 == 0) {
            assert_ok(space_sample(f->space, &rng, point));
        }
        memcpy(f->point, point, sampled->width * sizeof *point);
        for (int64_t unit = 1; unit <= 3; unit++) {
            const double objective = (double)(10 * trial + unit) / 3.0;
            const double constraint = objective / 7.0;
            fixture_segment(f, id + 1, (unit == 1) ? 0 : id, trial, unit, "continue");
            id++;
            assert_ok(results_attempt_start(f->results, id, 1, 1, "host"));
            assert_ok(results_segment_finish(f->results, id, 1, &objective, spread, &constraint, 0,
                                             0, 1.0));
            assert_ok(results_segment_cost_set(f->results, id, objective / 11.0));
        }
    }
}

/* where a configuration stands in the table */
static size_t configuration_of(const CurveTable *table, const double *point, size_t width) {
    for (size_t i = 0; i < table->configuration_count; i++) {
        if (fake_same_values(table->points + i * width, point, width)) {
            return i;
        }
    }
    fail_msg("a configuration is not in the table");
    return 0;
}

static void assert_trial(const CurveTable *table, const Sampled *sampled, size_t trial) {
    const size_t at = configuration_of(table, sampled->points[trial / 2], sampled->width);
    const size_t curve = table->configuration_curves[at] + trial % 2;
    assert_int_equal(table->configuration_curves[at + 1] - table->configuration_curves[at], 2);
    for (size_t unit = 1; unit <= 3; unit++) {
        const size_t  row = table->curve_rows[curve] + unit - 1;
        const double *metrics = table->metrics + row * table->metric_count;
        const double  objective = (double)(10 * trial + unit) / 3.0;
        assert_int_equal(table->units[row], unit);
        assert_true(metrics[0] == objective);
        assert_true(metrics[1] == objective / 7.0);
        assert_true(metrics[2] == objective / 11.0);
        assert_true(metrics[3] >= 0.0);
    }
}

static void points_of_every_space_come_back(void **state) {
    static const char *const metrics[] = {"episode_reward", "plan_flop", "fuel", "seconds"};
    Fixture                 *f = *state;
    f->study.definition = "{\"cost\":\"fuel\"}";
    for (int which = 0; which < FAKE_SPACE_COUNT; which++) {
        Sampled sampled = {.width = 0};
        remake(f, fake_space((FakeSpace)which));
        sampled.width = space_count(f->space);
        train_samples(f, &sampled);
        CurveTable *table = read_back(f, metrics, 4);
        assert_int_equal(table->row_count, 18);
        assert_int_equal(table->configuration_count, 3);
        for (size_t trial = 0; trial < 6; trial++) {
            assert_trial(table, &sampled, trial);
        }
        curve_table_destroy(table);
    }
}

#define CURVES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CURVES_TEST(a_row_has_every_column),
        CURVES_TEST(only_chains_of_one_configuration_are_curves),
        CURVES_TEST(a_failure_ends_its_curve_without_a_value),
        CURVES_TEST(a_trial_that_begins_again_with_the_same_values_is_one_curve),
        CURVES_TEST(a_hyperparameter_with_the_name_of_a_column_is_refused),
        CURVES_TEST(a_metric_of_two_meanings_is_one_column_while_they_agree),
        CURVES_TEST(every_choice_comes_back),
        CURVES_TEST(choices_that_a_cell_cannot_tell_are_refused),
        CURVES_TEST(as_many_columns_as_are_read_are_written),
        CURVES_TEST(points_of_every_space_come_back),
    };
    return cmocka_run_group_tests_name("results/report_curves", tests, NULL, NULL);
}
