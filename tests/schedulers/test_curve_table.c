/* Tables of learning curves: what is read, and what is refused with a sentence. */
#include "schedulers/curve_table.h"
#include "schedulers/simulated_problem.h"
#include "tests/support/test_support.h"

#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const score[] = {"score"};

/* a float from 0 to 10, an optimizer, and a momentum below the second one */
static Space *make_space(void) {
    static char  rate[] = "rate";
    static char  optimizer[] = "optimizer";
    static char  momentum[] = "momentum";
    static char  texts[2][8] = {"adam", "sgd"};
    static char *choices[2] = {texts[0], texts[1]};
    Space       *space = NULL;
    double       sgd[1] = {1.0};
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &(SpaceParameter){.name = rate, .upper = 10.0}));
    assert_ok(space_add(space, &(SpaceParameter){.name = optimizer,
                                                 .type = SPACE_CATEGORICAL,
                                                 .upper = 1.0,
                                                 .choices = choices,
                                                 .choice_count = 2}));
    assert_ok(space_add(space, &(SpaceParameter){.name = momentum, .upper = 1.0}));
    assert_ok(space_add_when(space, 2,
                             &(SpaceTest){.parameter = 1,
                                          .values = sgd,
                                          .value_count = 1,
                                          .above = (double)NAN,
                                          .below = (double)NAN}));
    assert_ok(space_seal(space));
    return space;
}

static Status parse(const char *text, CurveTable **out) {
    static char copy[4096];
    Space      *space = make_space();
    (void)snprintf(copy, sizeof copy, "%s", text);
    const Status status =
        curve_table_parse("curves.csv", copy, space, &(CurveColumns){score, 1, 1}, out);
    space_destroy(space);
    return status;
}

static void rows_are_sorted_into_curves(void **state) {
    CurveTable *table = NULL;
    (void)state;
    assert_ok(parse("unit,seed,rate,\"optimizer\",momentum,score,ignored\r\n"
                    "2,7,1,adam,,0.5,x\r\n"
                    "\r\n"
                    "1,7,1,\"adam\",,nan,\"a \"\"b\"\", c\"\r\n"
                    "1,3,1,adam,,,\r\n"
                    "5,1,1,sgd,0.5,-1e3,",
                    &table));
    assert_int_equal(table->row_count, 4);
    assert_int_equal(table->configuration_count, 2);
    assert_int_equal(table->curve_count, 3);
    assert_int_equal(table->configuration_curves[1], 2);
    assert_int_equal(table->curve_rows[1], 1); /* seed 3 before seed 7 */
    assert_int_equal(table->units[1], 1);
    assert_int_equal(table->units[2], 2);
    assert_true(isnan(table->metrics[0]) && isnan(table->metrics[1]));
    assert_true(table->metrics[2] == 0.5 && table->metrics[3] == -1e3);
    assert_true(isnan(table->points[2]) && table->points[3 + 2] == 0.5);
    curve_table_destroy(table);
}

static void a_table_without_seeds_has_one_per_configuration(void **state) {
    CurveTable *table = NULL;
    (void)state;
    assert_ok(parse("rate,optimizer,momentum,unit,score\n1,adam,,1,1\n2,adam,,1,2\n", &table));
    assert_int_equal(table->curve_count, 2);
    assert_int_equal(table->configuration_count, 2);
    curve_table_destroy(table);
}

static void a_byte_order_mark_is_no_part_of_the_first_column(void **state) {
    CurveTable *table = NULL;
    (void)state;
    assert_ok(parse("\xEF\xBB\xBFrate,optimizer,momentum,unit,score\n1,adam,,1,1\n", &table));
    assert_int_equal(table->curve_count, 1);
    curve_table_destroy(table);
}

static void mistakes_are_one_sentence(void **state) {
    static const char *const cases[][2] = {
        {"rate,optimizer,momentum,seed,score\n",
         "curves.csv:1: there is no column 'unit' (budget units from the beginning)"},
        {"rate,optimizer,unit,score\n",
         "curves.csv:1: there is no column 'momentum' (a hyperparameter of the study)"},
        {"rate,optimizer,momentum,unit,reward\n",
         "curves.csv:1: there is no column 'score' (a metric that the study needs)"},
        {"rate,rate,unit\n", "curves.csv:1: there are two columns 'rate'"},
        {"rate,optimizer,momentum,unit,score\n", "curves.csv: there are no rows"},
        {"rate,optimizer,momentum,unit,score\n1,adam,,1\n",
         "curves.csv:2: 4 cells; the header has 5"},
        {"rate,optimizer,momentum,unit,score\n\nnan,adam,,1,1\n",
         "curves.csv:3: 'rate' must be a finite number, found 'nan'"},
        {"rate,optimizer,momentum,unit,score\n1,adam,,0.5,1\n",
         "curves.csv:2: 'unit' must be a whole number from 1 on, found '0.5'"},
        {"rate,optimizer,momentum,unit,score\n1,adam,,nan,1\n",
         "curves.csv:2: 'unit' must be a whole number from 1 on, found 'nan'"},
        {"rate,optimizer,momentum,unit,score\n1,rmsprop,,1,1\n",
         "curves.csv:2: 'optimizer' must be one of the study's choices, found 'rmsprop'"},
        {"rate,optimizer,momentum,unit,score\n1,adam,,1,good\n",
         "curves.csv:2: 'score' must be a number, nan or empty, found 'good'"},
        {"rate,optimizer,momentum,unit,seed,score\n1,adam,,1,x,1\n",
         "curves.csv:2: 'seed' must be a whole number, found 'x'"},
        {"rate,optimizer,momentum,unit,score\n1,adam,,1,1\n2,adam,,1,1\n1,adam,,1,3\n",
         "curves.csv:4: the same configuration, seed and unit stand in line 2"},
        {"rate,optimizer,momentum,unit,score\n\"1,adam\n", "curves.csv:2: a quote is not closed"},
        {"rate,\"optimizer\"x,momentum\n", "curves.csv:1: text after a closing quote"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CurveTable *table = NULL;
        assert_int_equal(parse(cases[i][0], &table), STATUS_ERR_PARSE);
        /* which of two equal rows comes first in the sentence is the sort's */
        if (strstr(cases[i][1], "the same") == NULL) {
            assert_string_equal(status_last()->text, cases[i][1]);
        }
        assert_null(table);
    }
}

static void values_outside_the_space_are_refused(void **state) {
    CurveTable *table = NULL;
    (void)state;
    assert_int_equal(
        parse("rate,optimizer,momentum,unit,score\n1,adam,,1,1\n11,adam,,1,1\n", &table),
        STATUS_ERR_RANGE);
    assert_non_null(strstr(status_last()->text, "curves.csv:3: "));
    assert_non_null(strstr(status_last()->text, "rate"));
    assert_int_equal(parse("rate,optimizer,momentum,unit,score\n1,adam,0.5,1,1\n", &table),
                     STATUS_ERR_RANGE);
}

/* ---- as a problem ---- */

typedef struct Bench {
    Space           *space;
    SchedulerSetup   study;
    SimulatedProblem problem;
    char             path[64];
} Bench;

static void open_bench(const char *text, Bench *bench) {
    (void)snprintf(bench->path, sizeof bench->path, "curves-%d.csv", (int)getpid());
    assert_ok(file_write_atomic(bench->path, text, strlen(text)));
    bench->space = make_space();
    bench->study = (SchedulerSetup){.space = bench->space, .objective_count = 1};
    assert_ok(simulated_problem_create(
        &simulated_table_ops,
        &(SimulatedSetup){
            .study = &bench->study, .table = bench->path, .objectives = score, .cost = "plan_flop"},
        &bench->problem));
}

static void close_bench(Bench *bench) {
    simulated_problem_destroy(&bench->problem);
    space_destroy(bench->space);
    assert_ok(file_remove_all(bench->path));
}

static SimulatedResult look(const Bench *bench, const double *point, int64_t begin, int64_t end,
                            uint64_t seed) {
    const SimulatedSegment segment = {NULL, point, begin, end, seed};
    SimulatedResult        result = {.cost = 0.0};
    assert_ok(bench->problem.ops->train(bench->problem.self, &segment, &result));
    return result;
}

static void the_nearest_curve_is_shown(void **state) {
    static const double near_one[] = {2.4, 0.0, (double)NAN};
    static const double near_four[] = {2.6, 0.0, (double)NAN};
    static const double sgd[] = {1.0, 1.0, 0.1};
    Bench               bench;
    (void)state;
    open_bench("rate,optimizer,momentum,seed,unit,score,plan_flop,seconds\n"
               "1,adam,,1,2,10,5,1\n1,adam,,1,4,20,6,2\n1,adam,,1,6,30,7,3\n"
               "1,adam,,2,2,11,5,1\n1,adam,,2,4,21,6,2\n1,adam,,2,6,31,7,3\n"
               "4,adam,,1,2,50,1,1\n"
               "9,sgd,0.9,1,2,70,1,1\n",
               &bench);
    /* repeats take other seeds: seed modulo two */
    assert_true(look(&bench, near_one, 0, 4, 0).objectives[0] == 20.0);
    assert_true(look(&bench, near_one, 0, 4, 1).objectives[0] == 21.0);
    assert_true(look(&bench, near_one, 0, 5, 2).objectives[0] == 20.0); /* the newest row so far */
    assert_true(look(&bench, near_one, 0, 1, 0).objectives[0] == 10.0); /* none yet: the first */
    assert_true(look(&bench, near_one, 6, 99, 0).objectives[0] == 30.0);
    assert_true(look(&bench, near_four, 0, 4, 0).objectives[0] == 50.0);
    /* another choice is farther than any distance of a rate, and so is what is not active */
    assert_true(look(&bench, sgd, 0, 4, 0).objectives[0] == 70.0);
    /* cost and seconds: the sums of the segment's own rows */
    const SimulatedResult result = look(&bench, near_one, 2, 6, 0);
    assert_true(result.cost == 13.0 && result.seconds == 5.0);
    assert_true(isnan(look(&bench, near_one, 4, 5, 0).cost));
    close_bench(&bench);
}

static void without_memory_nothing_is_left(void **state) {
    static char text[512];
    Space      *space = make_space();
    size_t      n = 1;
    (void)state;
    for (;; n++) {
        CurveTable *table = NULL;
        (void)snprintf(text, sizeof text, "%s",
                       "rate,optimizer,momentum,unit,score\n1,adam,,1,1\n2,sgd,0.5,1,2\n");
        test_fail_allocation(n);
        const Status status =
            curve_table_parse("curves.csv", text, space, &(CurveColumns){score, 1, 1}, &table);
        const int failed = test_allocation_failed();
        test_fail_allocation(0);
        if (!failed) {
            assert_ok(status);
            curve_table_destroy(table);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(table);
    }
    assert_true(n > 6);
    space_destroy(space);
}

static void a_missing_file_is_named(void **state) {
    Space           *space = make_space();
    SimulatedProblem problem;
    SchedulerSetup   study = {.space = space, .objective_count = 1};
    (void)state;
    const SimulatedSetup setup = {.study = &study, .table = "no-such.csv", .objectives = score};
    assert_int_equal(simulated_problem_create(&simulated_table_ops, &setup, &problem),
                     STATUS_ERR_IO);
    assert_non_null(strstr(status_last()->text, "no-such.csv"));
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_into_curves),
        cmocka_unit_test(a_table_without_seeds_has_one_per_configuration),
        cmocka_unit_test(a_byte_order_mark_is_no_part_of_the_first_column),
        cmocka_unit_test(mistakes_are_one_sentence),
        cmocka_unit_test(values_outside_the_space_are_refused),
        cmocka_unit_test(the_nearest_curve_is_shown),
        cmocka_unit_test(without_memory_nothing_is_left),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
