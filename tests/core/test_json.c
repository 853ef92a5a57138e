#include "tests/support/test_support.h"

#include "core/json.h"
#include "core/rng.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static Json *parse(const char *text) {
    Json *json = NULL;
    assert_ok(json_parse(text, strlen(text), &json));
    assert_non_null(json);
    return json;
}

/* `text` after parsing and writing */
static void check_written(const char *text, const char *expected) {
    Buffer out;
    Json  *json = parse(text);
    buffer_init(&out, 1 << 20);
    json_write(json, false, &out);
    assert_ok(buffer_status(&out));
    assert_string_equal(buffer_text(&out), expected);
    buffer_reset(&out);
    json_release(json);
}

static void check_refused(const char *text, size_t length, const char *part) {
    Json *json = (Json *)(uintptr_t)1;
    assert_fails(json_parse(text, length, &json), STATUS_ERR_PARSE, part);
    assert_null(json);
}

static void text_survives_a_round_trip(void **state) {
    (void)state;
    static const char *const same[] = {
        "{}",
        "[]",
        "null",
        "[true,false,null]",
        "{\"b\":1,\"a\":[{\"c\":\"d\"}]}", /* the order of members stays */
        "\"quote \\\" backslash \\\\ line \\n escape \\u001b\"",
        "[NaN,Infinity,-Infinity]",
        "{\"NaN\":\"NaN\"}", /* strings and names are not touched */
        "[9223372036854775807,-9223372036854775808]",
        "[0.1,-0.0,1e-05,3.0]",
        "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x99\x82\"",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        check_written(same[i], same[i]);
    }
    check_written(" { \"a\" :\t[ 1 , 2.50 ] }\r\n", "{\"a\":[1,2.5]}");
    check_written("\"\\u00e9 \\/ \\t\"", "\"\xc3\xa9 / \\u0009\"");
    check_written("-Infinity", "-Infinity");
    check_written("\"\\\\\"", "\"\\\\\"");
    check_written("[\"a\\\"NaN\",NaN]", "[\"a\\\"NaN\",NaN]");
}

static void indented_text_is_for_people(void **state) {
    (void)state;
    Buffer out;
    Json  *json = parse("{\"a\":[1,NaN],\"b\":{},\"c\":[]}");
    buffer_init(&out, 1000);
    json_write(json, true, &out);
    assert_string_equal(buffer_text(&out),
                        "{\n  \"a\": [\n    1,\n    NaN\n  ],\n  \"b\": {},\n  \"c\": []\n}");
    buffer_reset(&out);
    buffer_init(&out, 10);
    json_write(json, true, &out);
    assert_fails(buffer_status(&out), STATUS_ERR_RANGE, "cap");
    buffer_reset(&out);
    json_release(json);
}

static void every_number_reads_back_exactly(void **state) {
    (void)state;
    Rng    rng = rng_stream(1, 0, RNG_TEST);
    Buffer out;
    buffer_init(&out, 64);
    for (size_t i = 0; i < 5000; i++) {
        const uint64_t bits = rng_u64(&rng);
        double         value;
        memcpy(&value, &bits, sizeof value);
        Json *json = json_new_number(value);
        assert_non_null(json);
        buffer_clear(&out);
        json_write(json, false, &out);
        Json        *again = parse(buffer_text(&out));
        const double back = json_number(again);
        assert_true(json_is_number(again) && !json_is_integer(again) && !json_is_string(again));
        assert_true(isnan(value) ? isnan(back) : memcmp(&back, &value, sizeof value) == 0);
        json_release(json);
        json_release(again);
    }
    buffer_reset(&out);
}

static void nan_is_a_number_and_no_string(void **state) {
    (void)state;
    Json *json = parse("[NaN,Infinity,-Infinity,null,\"NaN\",1]");
    assert_int_equal(json_count(json), 6);
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_is_number(json_at(json, i)));
        assert_false(json_is_string(json_at(json, i)));
        assert_null(json_string(json_at(json, i)));
    }
    assert_true(isnan(json_number(json_at(json, 0))));
    assert_true(json_number(json_at(json, 1)) == HUGE_VAL);
    assert_true(json_number(json_at(json, 2)) == -HUGE_VAL);
    assert_true(isnan(json_number(json_at(json, 3))));
    assert_true(json_is_null(json_at(json, 3)) && !json_is_number(json_at(json, 3)));
    assert_true(isnan(json_number(json_at(json, 4))));
    assert_string_equal(json_string(json_at(json, 4)), "NaN");
    assert_null(json_at(json, 6));
    json_release(json);
}

static void nobody_else_can_make_a_marked_string(void **state) {
    (void)state;
    Buffer out;
    check_refused("\"\\u0001NaN\"", 11, "column 1: a string may not begin with \\u0001");
    check_refused("{\"a\":\"\\u0001Infinity\"}", 22, "column 6");
    check_refused("\"\x01NaN\"", 6, "control character");
    check_written("\"a\\u0001NaN\"", "\"a\\u0001NaN\"");
    Json *json = json_new_string("\x01NaN");
    assert_true(json_is_string(json) && !json_is_number(json));
    buffer_init(&out, 100);
    json_write(json, false, &out);
    assert_string_equal(buffer_text(&out), "\"\xef\xbf\xbdNaN\"");
    buffer_reset(&out);
    json_release(json);
}

static void malformed_text_is_refused_with_its_position(void **state) {
    (void)state;
    const struct {
        const char *text;
        const char *part;
    } cases[] = {
        {"", "line 1, column 1"},
        {"{", "line 1, column 1"},
        {"[1,\n 2,\n x]", "line 3, column 2"},
        {"[NaN, NaN, NaN, x]", "column 17"},
        {"[NaN NaN]", "column"},
        {"NaNa", "column 4"},
        {"{NaN: 1}", "column 2: expected a key in quotes"},
        {"{\"a\": 1, -Infinity \t: NaN}", "column 10: expected a key in quotes"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"[1e999]", "overflow"},
        {"[99999999999999999999]", "big integer"},
        {"[1,]", "column"},
        {"\"\xff\"", "unable to decode"},
        {"\"unfinished", "end of input"},
        {"\"unfinished\\", "line 1"},
        {"\"\\u0000\"", "\\u0000 is not allowed"},
        {"{} x", "end of file expected"},
        {"nan", "line 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_refused(cases[i].text, strlen(cases[i].text), cases[i].part);
    }
    check_refused("[1,\0 2]", 7, "column 4: NUL byte");
    check_refused("\"a\0b\"", 5, "column 3: NUL byte");
    check_refused("{}\0", 3, "NUL byte");
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    enum { MANY = 100000 };
    char *text = malloc(MANY);
    assert_non_null(text);
    memset(text, '[', MANY);
    check_refused(text, MANY, "column 129: nested more than 128 deep");
    for (size_t i = 0; i < 128; i++) {
        text[128 + i] = ']';
    }
    Json *json = NULL;
    assert_ok(json_parse(text, 256, &json));
    json_release(json);
    free(text);
}

static void text_cut_anywhere_is_refused_and_nothing_leaks(void **state) {
    (void)state;
    const char *text =
        "{\"op\":\"metric\",\"v\":[1.5,NaN,-Infinity,\"\\u00e9\\n\"],\"x\":{\"y\":null}}";
    for (size_t length = 0; length < strlen(text); length++) {
        Json *json = NULL;
        /* a copy of exactly that length, so that reading past its end is seen */
        char *copy = malloc(length + (length == 0));
        assert_non_null(copy);
        memcpy(copy, text, length);
        assert_int_equal(json_parse(copy, length, &json), STATUS_ERR_PARSE);
        free(copy);
    }
}

/* Random damage: whatever is still accepted is written and read back to the same text. */
static void damaged_text_is_refused_or_stable(void **state) {
    (void)state;
    static const char start[] =
        "{\"op\":\"m\",\"v\":[1.5,NaN,-Infinity,-3e7,\"\\u00e9\\n\"],\"y\":null}";
    static const char odd[] = "\"\\{}[]:,NIaf-0e.u1\x01\x80 ";
    Rng               rng = rng_stream(2, 0, RNG_TEST);
    Buffer            first;
    Buffer            second;
    size_t            accepted = 0;
    buffer_init(&first, 10000);
    buffer_init(&second, 10000);
    for (size_t i = 0; i < 20000; i++) {
        char  text[sizeof start];
        Json *json = NULL;
        memcpy(text, start, sizeof start);
        for (size_t changes = rng_below(&rng, 3) + 1; changes > 0; changes--) {
            text[rng_below(&rng, sizeof start - 1)] = odd[rng_below(&rng, sizeof odd)];
        }
        if (json_parse(text, sizeof start - 1, &json) != STATUS_OK) {
            assert_null(json);
            continue;
        }
        accepted++;
        buffer_clear(&first);
        buffer_clear(&second);
        json_write(json, false, &first);
        json_release(json);
        json = parse(buffer_text(&first));
        json_write(json, false, &second);
        json_release(json);
        assert_string_equal(buffer_text(&first), buffer_text(&second));
    }
    assert_true(accepted > 100);
    buffer_reset(&first);
    buffer_reset(&second);
}

static void values_are_built_and_asked(void **state) {
    (void)state;
    Json       *object = json_new_object();
    Json       *array = json_new_array();
    const char *key = NULL;
    Json       *value = NULL;
    assert_ok(json_push(array, json_new_bool(true)));
    assert_ok(json_push(array, json_new_bool(false)));
    assert_ok(json_set(object, "list", array));
    assert_ok(json_set(object, "n", json_new_integer(INT64_MIN)));
    assert_ok(json_set(object, "x", json_new_number(0.5)));
    assert_ok(json_set(object, "none", json_new_null()));
    assert_ok(json_set(object, "s", json_new_string("text")));
    assert_int_equal(json_count(object), 5);
    assert_true(json_is_object(object) && json_is_array(json_get(object, "list")));
    assert_true(json_is_bool(json_at(json_get(object, "list"), 0)));
    assert_true(json_bool(json_at(json_get(object, "list"), 0)));
    assert_false(json_bool(json_at(json_get(object, "list"), 1)));
    assert_true(json_is_integer(json_get(object, "n")));
    assert_true(json_integer(json_get(object, "n")) == INT64_MIN);
    assert_true(json_number(json_get(object, "x")) == 0.5);
    assert_true(json_integer(json_get(object, "x")) == 0);
    assert_true(json_is_null(json_get(object, "none")));
    assert_string_equal(json_string(json_get(object, "s")), "text");
    assert_null(json_get(object, "missing"));
    assert_null(json_get(json_get(object, "s"), "member of a string"));
    assert_true(json_member(object, 4, &key, &value));
    assert_string_equal(key, "s");
    assert_ptr_equal(value, json_get(object, "s"));
    assert_false(json_member(object, 5, &key, &value));
    assert_false(json_member(array, 0, &key, &value));
    /* a second value under the same name takes the place of the first */
    assert_ok(json_set(object, "s", json_new_integer(3)));
    assert_int_equal(json_count(object), 5);
    assert_true(json_integer(json_get(object, "s")) == 3);
    json_release(object);
    json_release(NULL);
    assert_false(json_is_object(NULL) || json_is_string(NULL) || json_is_number(NULL));
    assert_int_equal(json_count(NULL), 0);
    assert_true(isnan(json_number(NULL)));
}

static void bytes_that_are_not_utf8_are_replaced(void **state) {
    (void)state;
    const struct {
        const char *bytes;
        const char *expected;
    } cases[] = {
        {"a\xff z", "a\xef\xbf\xbd z"},
        {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},                 /* longer than needed */
        {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
        {"cut \xe2\x82", "cut \xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Json *json = json_new_string(cases[i].bytes);
        assert_string_equal(json_string(json), cases[i].expected);
        json_release(json);
    }
    assert_null(json_new_string(NULL));
}

static void building_refuses_what_does_not_fit(void **state) {
    (void)state;
    Json *object = json_new_object();
    Json *array = json_new_array();
    assert_fails(json_set(object, "a", NULL), STATUS_ERR_NOMEM, "'a'");
    assert_fails(json_set(NULL, "a", json_new_string("x")), STATUS_ERR_NOMEM, "'a'");
    assert_fails(json_set(array, "a", json_new_string("x")), STATUS_ERR_ARG, "object");
    assert_fails(json_set(object, "\xff", json_new_string("x")), STATUS_ERR_ARG, "UTF-8");
    assert_fails(json_push(array, NULL), STATUS_ERR_NOMEM, "element");
    assert_fails(json_push(object, json_new_string("x")), STATUS_ERR_ARG, "array");
    assert_int_equal(json_count(object) + json_count(array), 0);
    json_release(object);
    json_release(array);
}

static void needed_members_are_typed(void **state) {
    (void)state;
    Json *json =
        parse("{\"s\":\"x\",\"n\":3,\"whole\":4.0,\"x\":0.5,\"nan\":NaN,\"null\":null,"
              "\"list\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24]}");
    const char *s = NULL;
    int64_t     n = 7;
    double      x = 7.0;
    assert_ok(json_need_string(json, "s", &s));
    assert_string_equal(s, "x");
    assert_ok(json_need_integer(json, "n", &n));
    assert_int_equal(n, 3);
    assert_ok(json_need_integer(json, "whole", &n));
    assert_int_equal(n, 4);
    assert_ok(json_need_number(json, "n", &x));
    assert_true(x == 3.0);
    assert_ok(json_need_number(json, "nan", &x));
    assert_true(isnan(x));
    x = 1.0;
    assert_ok(json_need_number(json, "null", &x));
    assert_true(isnan(x));
    x = 7.0;
    assert_fails(json_need_string(json, "t", &s), STATUS_ERR_PARSE, "'t' is missing");
    assert_fails(json_need_string(json, "n", &s), STATUS_ERR_PARSE,
                 "'n' must be a string, found 3");
    assert_fails(json_need_string(json, "nan", &s), STATUS_ERR_PARSE, "found NaN");
    assert_fails(json_need_integer(json, "x", &n), STATUS_ERR_PARSE,
                 "'x' must be a whole number, found 0.5");
    assert_fails(json_need_integer(json, "nan", &n), STATUS_ERR_PARSE, "found NaN");
    assert_fails(json_need_number(json, "s", &x), STATUS_ERR_PARSE,
                 "'s' must be a number, found \"x\"");
    assert_fails(json_need_number(json, "list", &x), STATUS_ERR_PARSE, "found [1,2,3,");
    assert_contains(status_last()->text, "...");
    assert_true(n == 4 && x == 7.0);
    json_release(json);
}

static Status build(Json **out) {
    Json *object = json_new_object();
    Json *array = json_new_array();
    *out = NULL;
    Status status = json_push(array, json_new_number((double)NAN));
    if (status == STATUS_OK) {
        status = json_push(array, json_new_string("bad \xff byte"));
    }
    if (status == STATUS_OK) {
        status = json_set(object, "list", array);
        array = NULL;
    }
    if (status == STATUS_OK) {
        status = json_set(object, "n", json_new_integer(1));
    }
    if (status != STATUS_OK) {
        json_release(array);
        json_release(object);
        return status;
    }
    *out = object;
    return STATUS_OK;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    const char *text = "{\"a\":[1,2.5,NaN,\"text\",[],{}],\"b\":{\"c\":null,\"d\":true}}";
    Json       *json = NULL;
    size_t      n = 1;
    for (;; n++) {
        test_fail_allocation(n);
        const Status status = json_parse(text, strlen(text), &json);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(json);
    }
    assert_true(n > 10);
    json_release(json);
    for (n = 1;; n++) {
        test_fail_allocation(n);
        const Status status = build(&json);
        if (!test_allocation_failed()) {
            assert_ok(status);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(json);
    }
    assert_true(n > 6);
    json_release(json);
}

static void *parse_often(void *unused) {
    (void)unused;
    for (int i = 0; i < 500; i++) {
        Json *json = NULL;
        if (json_parse("{\"a\":[1,NaN]}", 13, &json) != STATUS_OK) {
            return (void *)(uintptr_t)1;
        }
        json_release(json);
    }
    return NULL;
}

static void threads_may_parse_at_the_same_time(void **state) {
    (void)state;
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, parse_often, NULL), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        void *result = NULL;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_parse_at_the_same_time),
        cmocka_unit_test(text_survives_a_round_trip),
        cmocka_unit_test(indented_text_is_for_people),
        cmocka_unit_test(every_number_reads_back_exactly),
        cmocka_unit_test(nan_is_a_number_and_no_string),
        cmocka_unit_test(nobody_else_can_make_a_marked_string),
        cmocka_unit_test(malformed_text_is_refused_with_its_position),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(text_cut_anywhere_is_refused_and_nothing_leaks),
        cmocka_unit_test(damaged_text_is_refused_or_stable),
        cmocka_unit_test(values_are_built_and_asked),
        cmocka_unit_test(bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test(building_refuses_what_does_not_fit),
        cmocka_unit_test(needed_members_are_typed),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("core/json", tests, NULL, NULL);
}
