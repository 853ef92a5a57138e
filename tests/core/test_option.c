#include "tests/support/test_support.h"

#include "core/option.h"

#include <math.h>
#include <string.h>

static const char *const optimizers[] = {"adam", "sgd", NULL};

enum { RATE, LAYERS, NESTEROV, OPTIMIZER, DERIVED, SHARES, FIRST_SHARE, COUNT = FIRST_SHARE + 3 };

#define SHARE \
    { "shares", OPTION_FLOAT, 0, 10, 1, true, NULL, "one share", NULL }

static const OptionSpec specs[COUNT + 1] = {
    [RATE] = {"learning_rate", OPTION_FLOAT, 1e-5, 0.1, 1e-3, true, NULL, "step size", NULL},
    [LAYERS] = {"layers", OPTION_INT, 1, 8, 3, false, NULL, "hidden layers (count)", NULL},
    [NESTEROV] = {"nesterov", OPTION_BOOL, 0, 1, 1, false, NULL, "look ahead", NULL},
    [OPTIMIZER] = {"optimizer", OPTION_CHOICE, 0, 0, 0, false, optimizers, "method", NULL},
    [DERIVED] = {"warmup", OPTION_INT, 0, 100, (double)NAN, false, NULL, "from layers", NULL},
    [SHARES] = {"shares", OPTION_LIST, 0, 3, 0, true, NULL, "of each layer", NULL},
    [FIRST_SHARE] = SHARE,
    SHARE,
    SHARE,
};

static void rows_are_found_and_counted(void **state) {
    (void)state;
    double values[COUNT];
    assert_int_equal(option_count(specs), COUNT);
    assert_int_equal(option_find(specs, "nesterov"), NESTEROV);
    assert_int_equal(option_find(specs, "Nesterov"), COUNT);
    option_defaults(specs, values);
    assert_true(values[RATE] == 1e-3 && values[LAYERS] == 3 && values[NESTEROV] == 1);
    assert_true(isnan(values[DERIVED]));
}

static void good_texts_are_parsed_and_written_back(void **state) {
    (void)state;
    const struct {
        size_t      row;
        const char *text;
        double      value;
        const char *again;
    } cases[] = {
        {RATE, "0.01", 0.01, "0.01"},  {RATE, "1e-5", 1e-5, "1e-05"},
        {LAYERS, "8", 8, "8"},         {LAYERS, "3.0", 3, "3"},
        {NESTEROV, "true", 1, "true"}, {NESTEROV, "false", 0, "false"},
        {OPTIMIZER, "sgd", 1, "sgd"},  {OPTIMIZER, "adam", 0, "adam"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 77.0;
        char   text[64];
        assert_ok(option_parse(&specs[cases[i].row], cases[i].text, &value));
        assert_true(value == cases[i].value);
        option_format(&specs[cases[i].row], value, text, sizeof text);
        assert_string_equal(text, cases[i].again);
    }
    char text[8];
    option_format(&specs[OPTIMIZER], 9.0, text, sizeof text); /* no such choice: the number */
    assert_string_equal(text, "9");
    option_format(&specs[DERIVED], (double)NAN, text, sizeof text);
    assert_string_equal(text, "nan");
    option_format(&specs[OPTIMIZER], 0.0, text, 3);
    assert_string_equal(text, "ad");
}

static void bad_texts_are_refused_with_what_is_expected(void **state) {
    (void)state;
    const struct {
        size_t      row;
        const char *text;
        Status      status;
        const char *part;
    } cases[] = {
        {RATE, "fast", STATUS_ERR_PARSE,
         "'learning_rate' is 'fast'; expected a number from 1e-05 to 0.1"},
        {RATE, "0.2", STATUS_ERR_RANGE,
         "'learning_rate' is 0.2; expected a number from 1e-05 to 0.1"},
        {RATE, "nan", STATUS_ERR_RANGE, "is nan"},
        {LAYERS, "2.5", STATUS_ERR_RANGE, "'layers' is 2.5; expected a whole number from 1 to 8"},
        {LAYERS, "0", STATUS_ERR_RANGE, "is 0"},
        {LAYERS, "", STATUS_ERR_PARSE, "is ''"},
        {NESTEROV, "yes", STATUS_ERR_PARSE, "'nesterov' is 'yes'; expected true or false"},
        {OPTIMIZER, "rmsprop", STATUS_ERR_PARSE, "expected one of adam, sgd"},
        {OPTIMIZER, "1", STATUS_ERR_PARSE, "expected one of adam, sgd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double value = 77.0;
        assert_fails(option_parse(&specs[cases[i].row], cases[i].text, &value), cases[i].status,
                     cases[i].part);
        assert_true(value == 77.0);
    }
    assert_fails(option_check(&specs[OPTIMIZER], 2.0), STATUS_ERR_RANGE, "one of adam, sgd");
    assert_fails(option_check(&specs[NESTEROV], 0.5), STATUS_ERR_RANGE, "true or false");
    assert_ok(option_check(&specs[OPTIMIZER], 1.0));
}

static void lists_take_a_row_and_one_for_each_element(void **state) {
    (void)state;
    static const char expected[] = "expected a list of 1 to 3 numbers from 0 to 10";
    double            out[4] = {7.0, 7.0, 7.0, 7.0};
    double            values[COUNT];
    option_defaults(specs, values);
    assert_true(values[SHARES] == 0.0 && values[FIRST_SHARE] == 1.0);
    assert_int_equal(option_find(specs, "shares"), SHARES);
    assert_false(option_is_element(specs, SHARES));
    assert_false(option_is_element(specs, 0));
    assert_true(option_is_element(specs, FIRST_SHARE) && option_is_element(specs, COUNT - 1));
    assert_fails(option_list(&specs[SHARES], NULL, 0, out), STATUS_ERR_PARSE, expected);
    assert_fails(option_list(&specs[SHARES], (double[]){1, 1, 1, 1}, 4, out), STATUS_ERR_PARSE,
                 "'shares' is 'a list of 4'");
    assert_fails(option_list(&specs[SHARES], (double[]){1, -1}, 2, out), STATUS_ERR_RANGE,
                 "'shares' is -1");
    assert_fails(option_list(&specs[SHARES], (double[]){(double)NAN}, 1, out), STATUS_ERR_RANGE,
                 "'shares' is nan");
    assert_fails(option_list(&specs[RATE], (double[]){0.01}, 1, out), STATUS_ERR_PARSE,
                 "'learning_rate' is 'a list of 1'");
    assert_fails(option_parse(&specs[SHARES], "2", out), STATUS_ERR_PARSE, expected);
    assert_true(out[0] == 7.0 && out[1] == 7.0 && out[3] == 7.0);
    assert_ok(option_list(&specs[SHARES], (double[]){0.5, 4}, 2, out));
    assert_true(out[0] == 2.0 && out[1] == 0.5 && out[2] == 4.0 && out[3] == 1.0);
    assert_fails(option_check(&specs[SHARES], 4.0), STATUS_ERR_RANGE, expected);
}

static void unknown_names_get_the_nearest_known_one(void **state) {
    (void)state;
    assert_fails(option_unknown(specs, "scheduler pbt", "layer"), STATUS_ERR_UNKNOWN_NAME,
                 "no option 'layer' in scheduler pbt; did you mean 'layers'?");
    assert_fails(option_unknown(specs, "it", "laeyrs"), STATUS_ERR_UNKNOWN_NAME, "'layers'");
    assert_fails(option_unknown(specs, "it", "learning_rat"), STATUS_ERR_UNKNOWN_NAME,
                 "'learning_rate'");
    assert_fails(option_unknown(specs, "it", "population"), STATUS_ERR_UNKNOWN_NAME,
                 "no option 'population' in it");
    assert_null(strstr(status_last()->text, "did you mean"));
    char long_name[200];
    memset(long_name, 'a', sizeof long_name);
    long_name[199] = '\0';
    assert_fails(option_unknown(specs, "it", long_name), STATUS_ERR_UNKNOWN_NAME, "no option 'aaa");
    static const char *const names[] = {"pbt", "pbt-bt", "random"};
    assert_string_equal(option_nearest("pbt_bt", names, 3), "pbt-bt");
    assert_string_equal(option_nearest("rnadom", names, 3), "random");
    assert_null(option_nearest("hyperband", names, 3));
    assert_null(option_nearest("x", names, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_found_and_counted),
        cmocka_unit_test(good_texts_are_parsed_and_written_back),
        cmocka_unit_test(bad_texts_are_refused_with_what_is_expected),
        cmocka_unit_test(lists_take_a_row_and_one_for_each_element),
        cmocka_unit_test(unknown_names_get_the_nearest_known_one),
    };
    return cmocka_run_group_tests_name("core/option", tests, NULL, NULL);
}
