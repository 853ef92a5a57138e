#include "tests/support/test_support.h"

#include "core/file.h"
#include "search_spaces/document.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Document *parse(const char *text) {
    Document *document = NULL;
    assert_ok(document_parse("s.yaml", text, strlen(text), &document));
    return document;
}

static void refuse(const char *text, Status code, const char *message) {
    Document *document = (Document *)(uintptr_t)1;
    assert_fails(document_parse("s.yaml", text, strlen(text), &document), code, message);
    assert_null(document);
}

static void members_keep_the_order_of_the_file(void **state) {
    (void)state;
    Document   *d = parse("name: pets\nb: [1, two, \"3\"]\n'c d':\n  - {x: 1}\n  -\nempty:\n");
    const Node *root = document_root(d);
    const char *key = NULL;
    assert_true(node_is_mapping(root));
    assert_int_equal(node_count(root), 4);
    assert_string_equal(node_text(node_member(root, 0, &key)), "pets");
    assert_string_equal(key, "name");
    assert_true(node_is_sequence(node_member(root, 2, &key)));
    assert_string_equal(key, "c d");
    assert_null(node_member(root, 4, &key));

    const Node *b = node_get(root, "b");
    assert_int_equal(node_count(b), 3);
    assert_true(node_is_plain(node_at(b, 1)));
    assert_false(node_is_plain(node_at(b, 2)));
    assert_string_equal(node_text(node_at(b, 2)), "3");
    assert_null(node_at(b, 3));
    assert_null(node_text(b));
    assert_true(node_is_null(node_get(root, "empty")));
    assert_true(node_is_null(node_at(node_get(root, "c d"), 1)));

    /* questions to nothing are answered with nothing */
    assert_null(node_get(NULL, "x"));
    assert_null(node_get(b, "x"));
    assert_null(node_at(root, 0));
    assert_int_equal(node_count(NULL), 0);
    assert_false(node_is_scalar(NULL) || node_is_plain(NULL) || node_is_null(NULL));
    document_close(d);
    document_close(NULL);
    assert_null(document_root(NULL));
}

static void an_empty_file_has_no_root(void **state) {
    (void)state;
    const char *const texts[] = {"", "\n\n", "# only a comment\n"};
    for (size_t i = 0; i < 3; i++) {
        Document *d = parse(texts[i]);
        assert_null(document_root(d));
        document_close(d);
    }
}

static void syntax_errors_say_where(void **state) {
    (void)state;
    refuse("a: 1\nb: [x, \"y\"\nc: 3\n", STATUS_ERR_PARSE, "s.yaml:3:1: malformed YAML: ");
    refuse("a: 1\nb: {c: 1\n d: 2}\n", STATUS_ERR_PARSE, "s.yaml:3:3: malformed YAML: ");
    refuse("a: \"open\n", STATUS_ERR_PARSE, "s.yaml:");
    refuse("a: 1\n\tb: 2\n", STATUS_ERR_PARSE, "s.yaml:1:4: malformed YAML: ");
    refuse("a: b: c\n", STATUS_ERR_PARSE, "s.yaml:1:");
    refuse("a: 1\n---\nb: 2\n", STATUS_ERR_PARSE, "a second document");
    refuse("a: 1\nb: 2\n  c: 3\n", STATUS_ERR_PARSE, "s.yaml:");
}

static void duplicate_keys_are_refused(void **state) {
    (void)state;
    refuse("a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n", STATUS_ERR_PARSE,
           "s.yaml:5:3: duplicate key 'x' (the first is in line 3)");
    refuse("{a: 1, \"a\": 2}\n", STATUS_ERR_PARSE, "s.yaml:1:8: duplicate key 'a'");
}

static void odd_keys_and_tags_are_refused(void **state) {
    (void)state;
    refuse("[a, b]: 1\n", STATUS_ERR_PARSE, "a key must be a text");
    refuse("? {a: 1}\n: 2\n", STATUS_ERR_PARSE, "a key must be a text");
    refuse(": 2\n", STATUS_ERR_PARSE, "a key must be a text");
    refuse("a: !python/object x\n", STATUS_ERR_PARSE, "s.yaml:1:");
    refuse("a: \"x\\0y\"\n", STATUS_ERR_PARSE, "NUL");
    refuse("a: \x01\n", STATUS_ERR_PARSE,
           "s.yaml:1:4: the file is not plain text (UTF-8): found byte 0x01");
    refuse("\xC3\xA9: 1\nb: \xFF\n", STATUS_ERR_PARSE, "s.yaml:2:4: the file is not plain text");
    refuse("a: \x7F\n", STATUS_ERR_PARSE, "s.yaml:1:4: the file is not plain text");
    refuse("a: \xC0\x80\n", STATUS_ERR_PARSE, "s.yaml:1:4: the file is not plain text");
    refuse("a: \xE0\x80\x80\n", STATUS_ERR_PARSE, "s.yaml:1:4: the file is not plain text");
    refuse("a: \xF4\x90\x80\x80\n", STATUS_ERR_PARSE, "s.yaml:1:4: the file is not plain text");
    refuse("a: \xED\xA0\x80\n", STATUS_ERR_PARSE, "s.yaml:1:4: the file is not");

    Document *d = parse("a: !!str 5\nb: !!int 5\nc: \"\xC3\xA9\"\n");
    assert_false(node_is_plain(node_get(document_root(d), "a")));
    assert_true(node_is_plain(node_get(document_root(d), "b")));
    document_close(d);
}

static void aliases_and_merges_are_resolved(void **state) {
    (void)state;
    Document   *d = parse("base: &base {lower: 0, upper: 1}\n"
                            "other: &other {upper: 9, log: true}\n"
                            "one: {<<: *base, upper: 2}\n"
                            "two: {<<: [*base, *other]}\n"
                            "three: *base\n");
    const Node *root = document_root(d);
    double      value = 0;
    assert_ok(node_number(node_get(node_get(root, "one"), "upper"), "upper", &value));
    assert_close(value, 2, 0, 0);
    assert_ok(node_number(node_get(node_get(root, "one"), "lower"), "lower", &value));
    assert_close(value, 0, 0, 0);
    assert_int_equal(node_count(node_get(root, "one")), 2);
    assert_ok(node_number(node_get(node_get(root, "two"), "upper"), "upper", &value));
    assert_close(value, 1, 0, 0); /* the first of a list wins */
    assert_non_null(node_get(node_get(root, "two"), "log"));
    assert_true(node_get(root, "three") == node_get(root, "base"));
    document_close(d);

    refuse("a: *missing\n", STATUS_ERR_PARSE, "no anchor stands before the alias *missing");
    refuse("a: &a [1, *a]\n", STATUS_ERR_PARSE, "an anchor may not contain itself: *a");
    refuse("a: &a {<<: 3}\n", STATUS_ERR_PARSE, "'<<' needs a mapping");
    refuse("a: &a {<<: *a}\n", STATUS_ERR_PARSE, "may not contain itself");
}

/* nine levels of nine aliases each: 387 million values if it were copied */
static void aliases_do_not_unfold(void **state) {
    (void)state;
    char   text[2048] = "a0: &a0 [x]\n";
    size_t used = strlen(text);
    for (int i = 1; i < 10; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "a%d: &a%d [", i, i);
        for (int k = 0; k < 9; k++) {
            used += (size_t)snprintf(text + used, sizeof text - used, "*a%d%s", i - 1,
                                     (k < 8) ? ", " : "]\n");
        }
    }
    Document *d = parse(text);
    Json     *json = (Json *)(uintptr_t)1;
    assert_int_equal(node_count(node_get(document_root(d), "a9")), 9);
    assert_fails(node_to_json(document_root(d), &json), STATUS_ERR_PARSE, "unfold to too many");
    assert_null(json);
    document_close(d);
}

/* a chain of aliases nests deeper than any file may */
static void deep_nesting_is_refused(void **state) {
    (void)state;
    enum { LEVELS = 4000, LINE = 32 };
    char *text = calloc(LEVELS, LINE);
    assert_non_null(text);
    memset(text, '[', LEVELS);
    refuse(text, STATUS_ERR_PARSE, "s.yaml:1:");

    size_t used = (size_t)snprintf(text, LINE, "a0: &a0 [x]\n");
    for (int i = 1; i < LEVELS; i++) {
        used += (size_t)snprintf(text + used, LINE, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    Document *d = parse(text);
    Json     *json = NULL;
    assert_fails(node_to_json(node_get(document_root(d), "a3999"), &json), STATUS_ERR_PARSE,
                 "too many values or levels");
    document_close(d);
    free(text);
}

static void numbers_are_read_strictly(void **state) {
    (void)state;
    const struct {
        const char *text;
        double      value;
    } good[] = {{"1e-3", 1e-3}, {".5", 0.5}, {"2.0e9", 2e9}, {"1_000", 1000},
                {"-7", -7},     {"+3", 3},   {"0012", 12},   {"5.", 5}};
    const char *const bad[] = {"abc",  "0x10", "nan", ".nan", ".inf",  "inf", "1e999",
                               "1__0", "_1",   "1_",  "1 2",  "\"5\"", "[1]", "{}",
                               "true", "~",    "",    "1e",   "1.2.3", "--1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "x: %s\n", good[i].text);
        Document *d = parse(text);
        double    value = -1;
        assert_ok(node_number(node_get(document_root(d), "x"), "x", &value));
        assert_close(value, good[i].value, 0, 0);
        document_close(d);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "x: %s\n", bad[i]);
        Document *d = parse(text);
        double    value = -1;
        assert_fails(node_number(node_get(document_root(d), "x"), "x", &value), STATUS_ERR_PARSE,
                     "s.yaml:1:");
        assert_contains(status_last()->text, "'x' must be a number, found ");
        assert_close(value, -1, 0, 0);
        document_close(d);
    }
}

static void typed_readers_say_what_they_found(void **state) {
    (void)state;
    Document   *d = parse("space:\n"
                            "  lower: abc\n"
                            "  half: 2.5\n"
                            "  whole: 2.0e9\n"
                            "  huge: 9223372036854775807\n"
                            "  yes: yes\n"
                            "  on: true\n"
                            "  quoted: \"true\"\n"
                            "  none:\n"
                            "  list: [1]\n"
                            "  rounded: 1.0e17\n");
    const Node *m = node_get(document_root(d), "space");
    double      number = -1;
    int64_t     integer = -1;
    bool        truth = false;
    const char *text = NULL;
    assert_fails(node_number(node_get(m, "lower"), "lower", &number), STATUS_ERR_PARSE,
                 "s.yaml:2:10: 'lower' must be a number, found 'abc'");
    assert_fails(node_integer(node_get(m, "half"), "half", &integer), STATUS_ERR_PARSE,
                 "s.yaml:3:9: 'half' must be a whole number, found '2.5'");
    assert_ok(node_integer(node_get(m, "whole"), "whole", &integer));
    assert_true(integer == 2000000000);
    assert_fails(node_integer(node_get(m, "rounded"), "rounded", &integer), STATUS_ERR_PARSE,
                 "'rounded' must be a whole number, found '1.0e17'");
    assert_ok(node_integer(node_get(m, "huge"), "huge", &integer));
    assert_true(integer == INT64_MAX);
    assert_fails(node_bool(node_get(m, "yes"), "yes", &truth), STATUS_ERR_PARSE,
                 "s.yaml:6:8: 'yes' must be true or false, found 'yes'");
    assert_ok(node_bool(node_get(m, "on"), "on", &truth));
    assert_true(truth);
    assert_fails(node_bool(node_get(m, "quoted"), "quoted", &truth), STATUS_ERR_PARSE,
                 "s.yaml:8:11: 'quoted' must be true or false, found the text \"true\"");
    assert_fails(node_string(node_get(m, "none"), "none", &text), STATUS_ERR_PARSE,
                 "'none' must be a text, found nothing");
    assert_fails(node_string(node_get(m, "list"), "list", &text), STATUS_ERR_PARSE,
                 "s.yaml:10:9: 'list' must be a text, found a list");
    assert_fails(node_number(m, "space", &number), STATUS_ERR_PARSE, "found a mapping");
    assert_fails(node_number(NULL, "seed", &number), STATUS_ERR_PARSE,
                 "'seed' is missing; it must be a number");
    assert_ok(node_string(node_get(m, "half"), "half", &text));
    assert_string_equal(text, "2.5");
    assert_close(number, -1, 0, 0);
    assert_fails(node_fail(m, "wrong %d", 3), STATUS_ERR_PARSE, "s.yaml:2:3: wrong 3");
    assert_fails(node_fail_as(STATUS_ERR_RANGE, NULL, "wrong"), STATUS_ERR_RANGE, "wrong");
    document_close(d);
}

static void durations_and_sizes_have_units(void **state) {
    (void)state;
    Document *d =
        parse("[2h, 30m, 45s, 1d, 90, 1.5 h, 2GiB, 512MiB, 20GB, 1024, -1h, 3w, h, 1 GB]");
    const Node  *n = document_root(d);
    const double seconds[] = {7200, 1800, 45, 86400, 90, 5400};
    double       value = -1;
    for (size_t i = 0; i < 6; i++) {
        assert_ok(node_duration(node_at(n, i), "wall_clock", &value));
        assert_close(value, seconds[i], 0, 0);
    }
    const double bytes[] = {2147483648.0, 536870912.0, 2e10, 1024};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(node_bytes(node_at(n, 6 + i), "memory", &value));
        assert_close(value, bytes[i], 0, 0);
    }
    assert_ok(node_bytes(node_at(n, 13), "memory", &value));
    assert_close(value, 1e9, 0, 0);
    value = -1;
    for (size_t i = 10; i < 13; i++) {
        assert_fails(node_duration(node_at(n, i), "wall_clock", &value), STATUS_ERR_PARSE,
                     "must be a duration such as 45s");
        assert_fails(node_bytes(node_at(n, i), "memory", &value), STATUS_ERR_PARSE,
                     "must be a size such as 512MiB");
    }
    assert_close(value, -1, 0, 0);
    document_close(d);
}

static void unknown_keys_name_the_nearest(void **state) {
    (void)state;
    static const char *const keys[] = {"population", "warmup", NULL};
    Document   *d = parse("scheduler:\n  population: 8\n  warm_up: 3\nother: 5\nempty:\n");
    const Node *root = document_root(d);
    assert_fails(node_known_keys(node_get(root, "scheduler"), "scheduler", keys),
                 STATUS_ERR_UNKNOWN_NAME,
                 "s.yaml:3:3: unknown key 'warm_up' in scheduler; did you mean 'warmup'?");
    assert_fails(node_known_keys(node_get(root, "other"), "other", keys), STATUS_ERR_PARSE,
                 "s.yaml:4:8: 'other' must be a mapping of keys, found '5'");
    assert_ok(node_known_keys(node_get(root, "empty"), "empty", keys));
    assert_ok(node_known_keys(NULL, "nothing", keys));
    document_close(d);
}

static void nodes_become_json(void **state) {
    (void)state;
    Document *d = parse("i: 1_000\nf: 1e-3\nt: true\nn: ~\ns: \"5\"\nw: yes\nx: .inf\n"
                        "l: [1, {a: b}]\n");
    Json     *json = NULL;
    Buffer    text;
    buffer_init(&text, 4096);
    assert_ok(node_to_json(document_root(d), &json));
    json_write(json, false, &text);
    assert_ok(buffer_status(&text));
    assert_true(json_is_integer(json_get(json, "i")) && json_integer(json_get(json, "i")) == 1000);
    assert_close(json_number(json_get(json, "f")), 1e-3, 0, 0);
    assert_true(json_bool(json_get(json, "t")));
    assert_true(json_is_null(json_get(json, "n")));
    assert_string_equal(json_string(json_get(json, "s")), "5");
    assert_string_equal(json_string(json_get(json, "w")), "yes");
    assert_true(isinf(json_number(json_get(json, "x"))));
    assert_string_equal(json_string(json_get(json_at(json_get(json, "l"), 1), "a")), "b");
    json_release(json);
    buffer_reset(&text);
    document_close(d);
    assert_fails(node_to_json(NULL, &json), STATUS_ERR_ARG, "needs a node");
}

static void files_are_read_with_their_path(void **state) {
    (void)state;
    char     *folder = test_folder_make();
    char     *path = file_join(folder, "study.yaml");
    Document *d = NULL;
    assert_fails(document_open(path, &d), STATUS_ERR_IO, path);
    assert_ok(file_write_atomic(path, "a: [\n", 5));
    assert_fails(document_open(path, &d), STATUS_ERR_PARSE, path);
    assert_null(d);
    assert_ok(file_write_atomic(path, "a: 1\n", 5));
    assert_ok(document_open(path, &d));
    assert_int_equal(node_count(document_root(d)), 1);
    document_close(d);

    const size_t length = ((size_t)4 << 20) + 1;
    char        *large = calloc(length, 1);
    assert_non_null(large);
    memset(large, '\n', length);
    assert_ok(file_write_atomic(path, large, length));
    assert_fails(document_open(path, &d), STATUS_ERR_RANGE, "");
    assert_fails(document_parse("s.yaml", large, length, &d), STATUS_ERR_RANGE, "the most is");
    free(large);
    free(path);
    test_folder_remove(folder);
}

/* libfyaml's own reports go nowhere */
static void nothing_is_printed(void **state) {
    (void)state;
    char     *folder = test_folder_make();
    char     *path = file_join(folder, "stderr");
    Document *d = NULL;
    (void)fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w", stderr));
    const Status status = document_parse("s.yaml", "a: [1\nb: \"", 10, &d);
    (void)fflush(stderr);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    (void)close(saved);
    Buffer text;
    buffer_init(&text, 4096);
    assert_ok(file_read(path, &text));
    assert_int_equal(status, STATUS_ERR_PARSE);
    assert_string_equal(buffer_text(&text), "");
    buffer_reset(&text);
    free(path);
    test_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_keep_the_order_of_the_file),
        cmocka_unit_test(an_empty_file_has_no_root),
        cmocka_unit_test(syntax_errors_say_where),
        cmocka_unit_test(duplicate_keys_are_refused),
        cmocka_unit_test(odd_keys_and_tags_are_refused),
        cmocka_unit_test(aliases_and_merges_are_resolved),
        cmocka_unit_test(aliases_do_not_unfold),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(numbers_are_read_strictly),
        cmocka_unit_test(typed_readers_say_what_they_found),
        cmocka_unit_test(durations_and_sizes_have_units),
        cmocka_unit_test(unknown_keys_name_the_nearest),
        cmocka_unit_test(nodes_become_json),
        cmocka_unit_test(files_are_read_with_their_path),
        cmocka_unit_test(nothing_is_printed),
    };
    return cmocka_run_group_tests_name("search_spaces/document", tests, NULL, NULL);
}
