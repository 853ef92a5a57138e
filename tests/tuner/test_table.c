#include "tests/support/test_support.h"

#include "tuner/study_view.h"
#include "tuner/table.h"

#include <math.h>
#include <string.h>

static void two_columns(Table *table) {
    table_init(table);
    table_column(table, "name", TABLE_LEFT);
    table_column(table, "value", TABLE_RIGHT);
    table_cell(table, "alpha");
    table_number(table, 0.1);
    table_cell(table, "b, \"c\"");
    table_number(table, (double)NAN);
}

static void text_is_aligned_and_numbers_stand_right(void **state) {
    Table  table;
    Buffer out;
    (void)state;

    two_columns(&table);
    buffer_init(&out, 4096);
    assert_ok(table_text(&table, (CliStyle){0}, &out));
    assert_string_equal(buffer_text(&out), "name    value\n"
                                           "alpha     0.1\n"
                                           "b, \"c\"      -\n");
    buffer_reset(&out);
    table_reset(&table);
}

static void csv_quotes_what_needs_it_and_leaves_missing_values_empty(void **state) {
    Table  table;
    Buffer out;
    (void)state;

    two_columns(&table);
    buffer_init(&out, 4096);
    assert_ok(table_csv(&table, &out));
    assert_string_equal(buffer_text(&out), "name,value\nalpha,0.1\n\"b, \"\"c\"\"\",\n");
    buffer_reset(&out);
    table_reset(&table);
}

static void narrow_terminals_cut_words_but_no_numbers(void **state) {
    Table  table;
    Buffer out;
    (void)state;

    table_init(&table);
    table_column(&table, "word", TABLE_LEFT);
    table_column(&table, "n", TABLE_RIGHT);
    table_cell(&table, "a very long word");
    table_number(&table, 123456.0);
    buffer_init(&out, 4096);
    assert_ok(table_text(&table, (CliStyle){.width = 18}, &out));
    assert_string_equal(buffer_text(&out), "word             n\na very l..  123456\n");
    buffer_reset(&out);
    table_reset(&table);
}

static void the_last_column_is_folded_under_itself(void **state) {
    Table  table;
    Buffer out;
    (void)state;

    table_init(&table);
    table_column(&table, "n", TABLE_RIGHT);
    table_column(&table, "help", TABLE_FOLD);
    table_cell(&table, "1");
    table_cell(&table, "one two three four five six seven");
    buffer_init(&out, 4096);
    assert_ok(table_text(&table, (CliStyle){.width = 24}, &out));
    assert_string_equal(buffer_text(&out), "n  help\n1  one two three four\n   five six seven\n");
    buffer_reset(&out);
    table_reset(&table);
}

static void width_counts_characters_and_not_bytes(void **state) {
    Table  table;
    Buffer out;
    (void)state;

    table_init(&table);
    table_column(&table, "k", TABLE_LEFT);
    table_column(&table, "v", TABLE_LEFT);
    table_cell(&table, "\xc3\xa4\xc3\xb6"); /* two characters in four bytes */
    table_cell(&table, "x");
    buffer_init(&out, 4096);
    assert_ok(table_text(&table, (CliStyle){.color = true}, &out));
    assert_string_equal(buffer_text(&out), "\033[1mk   v\033[0m\n\xc3\xa4\xc3\xb6  x\n");
    buffer_reset(&out);
    table_reset(&table);
}

static Json *parse(const char *text) {
    Json *json = NULL;
    assert_ok(json_parse(text, strlen(text), &json));
    return json;
}

static void rows_with_objects_become_one_column_per_member(void **state) {
    static const char *const keys[] = {"id", "h", NULL};
    Json  *rows = parse("[{\"id\":1,\"h\":{\"a\":0.30000000000000004},\"x\":null},"
                         "{\"id\":2,\"h\":{\"b\":\"adam\"},\"x\":true}]");
    Table  table;
    Buffer out;
    (void)state;

    buffer_init(&out, 4096);
    table_init(&table);
    table_rows(&table, rows, keys, false);
    assert_ok(table_text(&table, (CliStyle){0}, &out));
    assert_string_equal(buffer_text(&out), "id    a  b\n 1  0.3  -\n 2    -  adam\n");
    table_reset(&table);
    buffer_clear(&out);
    table_init(&table);
    table.exact = true;
    table_rows(&table, rows, NULL, true);
    assert_ok(table_csv(&table, &out));
    assert_string_equal(buffer_text(&out), "id,h.a,h.b,x\n1,0.30000000000000004,,\n2,,adam,true\n");
    table_reset(&table);
    buffer_reset(&out);
    json_release(rows);
}

static void yaml_is_read_back_as_what_it_was(void **state) {
    Json *json =
        parse("{\"a\":{\"b c\":1.5,\"d\":[]},\"e\":[{\"f\":\"true\",\"g\":[1,2]},\"x: y\"],"
              "\"h\":NaN,\"i\":null,\"j\":\"adam\"}");
    Buffer out;
    (void)state;

    buffer_init(&out, 4096);
    assert_ok(view_yaml(json, &out));
    assert_string_equal(buffer_text(&out), "a:\n"
                                           "  \"b c\": 1.5\n"
                                           "  d: []\n"
                                           "e:\n"
                                           "  - f: \"true\"\n"
                                           "    g:\n"
                                           "      - 1\n"
                                           "      - 2\n"
                                           "  - \"x: y\"\n"
                                           "h: .nan\n"
                                           "i: null\n"
                                           "j: adam\n");
    buffer_reset(&out);
    json_release(json);
}

static void objects_are_shown_as_lines(void **state) {
    static const char *const skip[] = {"hidden", NULL};
    Json *json = parse("{\"name\":\"x\",\"best_segment\":3,\"none\":null,\"empty\":[],\"hidden\":1,"
                       "\"n\":{\"a\":1,\"b\":2},"
                       "\"deep\":{\"c\":{\"d\":1}}}");
    Buffer out;
    (void)state;

    buffer_init(&out, 4096);
    assert_ok(view_object(json, skip, (CliStyle){0}, &out));
    assert_string_equal(buffer_text(&out), "name:         x\n"
                                           "best_segment: 3\n"
                                           "n:            a=1 b=2\n"
                                           "deep:\n"
                                           "  c: d=1\n");
    buffer_reset(&out);
    json_release(json);
}

static void confirmations_are_shown_beside_the_defaults(void **state) {
    Json *json =
        parse("{\"metric\":\"r\",\"arms\":["
              "{\"arm\":\"schedule\",\"source\":17,\"depth\":4,\"seeds\":5,\"n\":5,\"failed\":0,"
              "\"planned\":5,\"complete\":true,"
              "\"mean\":150.25,\"interval\":[140,160.5],\"defaults_mean\":120,"
              "\"defaults_interval\":[110,130],\"probability\":0.9,"
              "\"area\":{\"mean\":100,\"interval\":[90,110],\"defaults_mean\":80,"
              "\"defaults_interval\":[70,90],\"probability\":0.85}},"
              "{\"arm\":\"defaults\",\"source\":null,\"depth\":4,\"seeds\":5,\"n\":0,\"failed\":5,"
              "\"mean\":null,\"interval\":null,\"probability\":null,"
              "\"area\":{\"mean\":null,\"interval\":null,\"probability\":null}}]}");
    Buffer out;
    (void)state;

    buffer_init(&out, 4096);
    assert_ok(view_confirmation(json, (CliStyle){0}, &out));
    assert_contains(buffer_text(&out), "schedule      17      4      5       0  "
                                       "150.25 (140 .. 160.5)  0.9       100 (90 .. 110)  0.85\n");
    assert_contains(buffer_text(&out), "defaults       -      4      5       5  "
                                       "                    -    -                     -     -\n");
    buffer_clear(&out);
    assert_ok(view_confirmed(json_at(json_get(json, "arms"), 0), &out));
    assert_string_equal(buffer_text(&out),
                        "\nconfirmed on 5 fresh seeds (mean and 95 % interval over seeds)\n"
                        "  at the end: schedule 150.25 (140 .. 160.5), defaults 120 (110 .. 130), "
                        "P(schedule better) 0.9\n"
                        "  area under the curve: schedule 100 (90 .. 110), defaults 80 (70 .. 90), "
                        "P(schedule better) 0.85\n");
    buffer_clear(&out);
    Json *incomplete = parse("{\"n\":1,\"failed\":1,\"planned\":5,\"complete\":false}");
    assert_ok(view_confirmed(incomplete, &out));
    assert_contains(buffer_text(&out), "not complete: 2 of 5 seeds");
    json_release(incomplete);
    buffer_clear(&out);
    assert_ok(view_confirmed(NULL, &out));
    assert_ok(view_confirmation(NULL, (CliStyle){0}, &out));
    assert_int_equal(out.length, 0);
    buffer_reset(&out);
    json_release(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_aligned_and_numbers_stand_right),
        cmocka_unit_test(csv_quotes_what_needs_it_and_leaves_missing_values_empty),
        cmocka_unit_test(narrow_terminals_cut_words_but_no_numbers),
        cmocka_unit_test(the_last_column_is_folded_under_itself),
        cmocka_unit_test(width_counts_characters_and_not_bytes),
        cmocka_unit_test(rows_with_objects_become_one_column_per_member),
        cmocka_unit_test(yaml_is_read_back_as_what_it_was),
        cmocka_unit_test(objects_are_shown_as_lines),
        cmocka_unit_test(confirmations_are_shown_beside_the_defaults),
    };
    return cmocka_run_group_tests_name("tuner/table", tests, NULL, NULL);
}
