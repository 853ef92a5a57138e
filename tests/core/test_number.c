#include "tests/support/test_support.h"

#include "core/number.h"
#include "core/rng.h"

#include <float.h>
#include <math.h>
#include <string.h>

static void texts_are_short(void **state) {
    (void)state;
    const struct {
        double      value;
        const char *text;
    } cases[] = {
        {0.1, "0.1"},         {3.0, "3"},
        {-0.0, "-0"},         {1e-5, "1e-05"},
        {1e300, "1e+300"},    {0.1 + 0.2, "0.30000000000000004"},
        {(double)NAN, "nan"}, {HUGE_VAL, "inf"},
        {-HUGE_VAL, "-inf"},  {123456789, "123456789"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char   text[NUMBER_TEXT_SIZE];
        double back = 7.0;
        number_format(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
        assert_true(number_parse(text, &back));
        assert_close(back, cases[i].value, 0.0, 0.0);
        assert_int_equal(signbit(back) != 0, signbit(cases[i].value) != 0);
    }
}

static void every_bit_pattern_reads_back(void **state) {
    (void)state;
    Rng rng = rng_stream(1, 0, RNG_TEST);
    for (size_t i = 0; i < 20000; i++) {
        const uint64_t bits = (i < 3) ? i : rng_u64(&rng);
        double         value;
        double         back;
        char           text[NUMBER_TEXT_SIZE];
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        number_format(value, text);
        assert_true(number_parse(text, &back));
        assert_memory_equal(&back, &value, sizeof value);
    }
}

static void other_texts_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",        " 1",  "1 ",    "0x10", "1e", "1,5",
                                      "one",     "--1", "1e999", "nano", "+",  "1.2.3",
                                      "infinit", "-",   "e5",    "."};
    double                   value = 7.0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(number_parse(bad[i], &value));
        assert_true(value == 7.0);
    }
    assert_true(number_parse("+1.5E+2", &value) && value == 150.0);
    assert_true(number_parse(".5", &value) && value == 0.5);
    assert_true(number_parse("-Infinity", &value) && value == -HUGE_VAL);
    assert_true(number_parse("1e-400", &value) && value == 0.0);
}

static void integers_are_read_exactly(void **state) {
    (void)state;
    int64_t value = 7;
    assert_true(number_parse_integer("-9223372036854775808", &value) && value == INT64_MIN);
    assert_true(number_parse_integer("+12", &value) && value == 12);
    static const char *const bad[] = {"",  " 1",  "1.0", "1e3", "9223372036854775808",
                                      "-", "0x1", "1 "};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(number_parse_integer(bad[i], &value));
        assert_int_equal(value, 12);
    }
}

static void one_number_that_is_not_finite_is_found(void **state) {
    (void)state;
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    double       values[5] = {0.0, -1.0, 1e308, 5e-324, 2.0};
    assert_true(number_all_finite(values, 5) && number_all_finite(NULL, 0));
    for (size_t i = 0; i < 5; i++) {
        const double good = values[i];
        for (size_t k = 0; k < 3; k++) {
            values[i] = bad[k];
            assert_false(number_all_finite(values, 5));
            assert_true(number_all_finite(values, i));
        }
        values[i] = good;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_short),
        cmocka_unit_test(every_bit_pattern_reads_back),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(integers_are_read_exactly),
        cmocka_unit_test(one_number_that_is_not_finite_is_found),
    };
    return cmocka_run_group_tests_name("core/number", tests, NULL, NULL);
}
