#include "tests/search_spaces/space_samples.h"
#include "tests/support/test_support.h"

#include "search_spaces/space.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* lr float, layers int, nesterov bool, mixed categorical, momentum when nesterov */
static Space *make_space(void) {
    static const char *const mixed[] = {"adam", "64", "8", "0.5", "true", "1e2", NULL};
    static const bool        quoted[] = {false, false, true, false, false, false};
    Space                   *space = NULL;
    const double             yes = 1;
    SpaceParameter           rows[] = {
                  sample_float("lr", 1e-5, 1, 0.1),
                  sample_int("layers", 2, 8, 4),
                  sample_bool("nesterov"),
                  sample_choice("mixed", SPACE_CATEGORICAL, mixed),
                  sample_float("momentum", 0, 1, 0.25),
    };
    rows[3].quoted = quoted;
    rows[4].step = 0.25;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < 5; i++) {
        assert_ok(space_add(space, &rows[i]));
    }
    const SpaceTest test = sample_equals(2, &yes);
    assert_ok(space_add_when(space, 4, &test));
    assert_ok(space_seal(space));
    return space;
}

static void assert_json(const Space *space, const double *point, const char *expected) {
    Json  *json = space_to_json(space, point);
    Buffer text;
    buffer_init(&text, 4096);
    assert_non_null(json);
    json_write(json, false, &text);
    assert_contains(buffer_text(&text), expected);
    buffer_reset(&text);
    json_release(json);
}

static Status read(const Space *space, const char *text, double *point) {
    Json *json = NULL;
    assert_ok(json_parse(text, strlen(text), &json));
    const Status status = space_from_json(space, json, point);
    json_release(json);
    return status;
}

static void choices_leave_as_they_were_written(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5];
    space_defaults(space, point);
    assert_json(space, point, "\"mixed\":\"adam\"");
    assert_json(space, point, "\"layers\":4");
    assert_json(space, point, "\"nesterov\":false");
    point[3] = 1;
    assert_json(space, point, "\"mixed\":64");
    point[3] = 2;
    assert_json(space, point, "\"mixed\":\"8\"");
    point[3] = 3;
    assert_json(space, point, "\"mixed\":0.5");
    point[3] = 4;
    assert_json(space, point, "\"mixed\":true");
    point[3] = 5;
    assert_json(space, point, "\"mixed\":100.0");

    /* the inactive one is not there */
    Json *json = space_to_json(space, point);
    assert_int_equal(json_count(json), 4);
    assert_null(json_get(json, "momentum"));
    json_release(json);
    space_destroy(space);
}

static void json_comes_back_as_the_same_point(void **state) {
    (void)state;
    Rng rng = rng_stream(31, 0, RNG_TEST);
    for (int s = 0; s < 300; s++) {
        Space *space = (s == 0) ? make_space() : sample_random(&rng);
        for (int k = 0; k < 20; k++) {
            double point[SAMPLE_PARAMETERS];
            double back[SAMPLE_PARAMETERS] = {0};
            Buffer text;
            buffer_init(&text, 1 << 16);
            assert_ok(space_sample(space, &rng, point));
            Json *json = space_to_json(space, point);
            json_write(json, false, &text);
            json_release(json);
            assert_ok(json_parse(buffer_text(&text), text.length, &json));
            assert_ok(space_from_json(space, json, back));
            for (size_t i = 0; i < space_count(space); i++) {
                assert_close(back[i], point[i], 0, 0);
            }
            json_release(json);
            buffer_reset(&text);
        }
        space_destroy(space);
    }
}

static void missing_values_take_defaults(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5];
    assert_ok(read(space, "{\"lr\": 0.5}", point));
    assert_close(point[0], 0.5, 0, 0);
    assert_close(point[1], 4, 0, 0);
    assert_true(isnan(point[4]));
    assert_ok(read(space, "{\"nesterov\": true}", point));
    assert_close(point[4], 0.25, 0, 0);
    /* off by a rounding: put back on the grid */
    assert_ok(read(space, "{\"nesterov\": true, \"momentum\": 0.50000000000001}", point));
    assert_close(point[4], 0.5, 0, 0);
    space_destroy(space);
}

static void bad_objects_are_refused_by_name(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5] = {7, 7, 7, 7, 7};
    assert_fails(read(space, "{\"layer\": 3}", point), STATUS_ERR_UNKNOWN_NAME,
                 "no hyperparameter 'layer' in the search space; did you mean 'layers'?");
    assert_fails(read(space, "{\"layers\": 9}", point), STATUS_ERR_RANGE,
                 "9 is outside the range of 'layers', 2 to 8");
    assert_fails(read(space, "{\"layers\": 2.5}", point), STATUS_ERR_RANGE, "'layers' is an int");
    assert_fails(read(space, "{\"layers\": \"3\"}", point), STATUS_ERR_PARSE,
                 "'layers' must be a number, found \"3\"");
    assert_fails(read(space, "{\"layers\": null}", point), STATUS_ERR_PARSE, "found null");
    assert_fails(read(space, "{\"lr\": NaN}", point), STATUS_ERR_RANGE, "'lr'");
    assert_fails(read(space, "{\"nesterov\": 1}", point), STATUS_ERR_PARSE,
                 "'nesterov' must be true or false, found 1");
    assert_fails(read(space, "{\"mixed\": \"adan\"}", point), STATUS_ERR_RANGE,
                 "\"adan\" is no choice of 'mixed'; did you mean 'adam'?");
    assert_fails(read(space, "{\"mixed\": 65}", point), STATUS_ERR_RANGE, "65 is no choice");
    assert_fails(read(space, "{\"momentum\": 0.5}", point), STATUS_ERR_RANGE,
                 "'momentum' has a value but is not active here");
    assert_fails(read(space, "[1]", point), STATUS_ERR_PARSE, "must be an object, found [1]");
    assert_fails(space_from_json(space, NULL, point), STATUS_ERR_PARSE, "found nothing");
    for (size_t i = 0; i < 5; i++) {
        assert_close(point[i], 7, 0, 0);
    }
    space_destroy(space);
}

static void values_become_short_texts(void **state) {
    (void)state;
    Space *space = make_space();
    char   text[16];
    space_format(space, 0, 0.1 + 0.2, text, sizeof text);
    assert_string_equal(text, "0.3");
    space_format(space, 1, 4, text, sizeof text);
    assert_string_equal(text, "4");
    space_format(space, 2, 1, text, sizeof text);
    assert_string_equal(text, "true");
    space_format(space, 3, 2, text, sizeof text);
    assert_string_equal(text, "8");
    space_format(space, 4, (double)NAN, text, sizeof text);
    assert_string_equal(text, "-");
    space_format(space, 9, 1, text, sizeof text);
    assert_string_equal(text, "-");
    space_format(space, 3, 99, text, sizeof text);
    assert_string_equal(text, "?");
    space_destroy(space);
}

static Status adopt(const Space *space, const char *text, double *point) {
    Json *json = NULL;
    assert_ok(json_parse(text, strlen(text), &json));
    const Status status = space_adopt_json(space, json, point);
    json_release(json);
    return status;
}

static void values_of_another_space_are_adopted(void **state) {
    (void)state;
    Space *space = make_space();
    double point[5];
    /* what this space lacks says nothing, what it has beyond is at the default, what is not active
     * is dropped */
    assert_ok(adopt(space, "{\"lr\": 0.5, \"width\": 64, \"momentum\": 0.75}", point));
    assert_close(point[0], 0.5, 0.0, 0.0);
    assert_close(point[1], 4.0, 0.0, 0.0);
    assert_true(isnan(point[4]));
    assert_ok(adopt(space, "{\"nesterov\": true, \"momentum\": 0.75}", point));
    assert_close(point[4], 0.75, 0.0, 0.0);
    assert_fails(read(space, "{\"width\": 64}", point), STATUS_ERR_UNKNOWN_NAME, "width");
    assert_fails(read(space, "{\"momentum\": 0.75}", point), STATUS_ERR_RANGE, "momentum");
    /* a value outside stays one */
    assert_fails(adopt(space, "{\"lr\": 2.0}", point), STATUS_ERR_RANGE, "lr");
    assert_fails(adopt(space, "{\"mixed\": \"rmsprop\"}", point), STATUS_ERR_RANGE, "mixed");
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_leave_as_they_were_written),
        cmocka_unit_test(json_comes_back_as_the_same_point),
        cmocka_unit_test(missing_values_take_defaults),
        cmocka_unit_test(bad_objects_are_refused_by_name),
        cmocka_unit_test(values_become_short_texts),
        cmocka_unit_test(values_of_another_space_are_adopted),
    };
    return cmocka_run_group_tests_name("search_spaces/space_json", tests, NULL, NULL);
}
