#include "tests/support/test_support.h"

#include "tuner/cli.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const CliOption options[] = {
    {"format", 'f', "table|json", "how to print it", false},
    {"set", 0, "KEY=VALUE", "override", true},
    {"quiet", 'q', NULL, "say nothing", false},
    {"segment", 0, "N", "which one", false},
    {NULL, 0, NULL, NULL, false},
};
static const CliCommand command = {.name = "try",
                                   .arguments = "DIR",
                                   .help = "Tries something.",
                                   .options = options,
                                   .least = 1,
                                   .most = 2};

/* Splits a line at blanks; the words live in `memory`. */
static int split(const char *line, char *memory, char **argv) {
    int n = 0;

    (void)snprintf(memory, 256, "%s", line);
    for (char *rest = memory, *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        argv[n++] = word;
    }
    argv[n] = NULL;
    return n;
}

static Status parse(const char *line, CliArguments *out) {
    static char  memory[256];
    static char *argv[32];
    const int    argc = split(line, memory, argv);
    return cli_parse(&command, argc, argv, out);
}

static void options_may_stand_anywhere_in_each_of_their_spellings(void **state) {
    static const char *const lines[] = {
        "try -f json here",       "try -fjson here",      "try --format json here",
        "try --format=json here", "try here --form json", "try here -q -f json",
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CliArguments arguments;
        assert_ok(parse(lines[i], &arguments));
        assert_string_equal(cli_value(&arguments, "format"), "json");
        assert_int_equal(arguments.positional_count, 1);
        assert_string_equal(arguments.positional[0], "here");
        assert_int_equal(cli_flag(&arguments, "quiet"), i == 5);
        assert_null(cli_value(&arguments, "segment"));
    }
}

static void repeated_options_are_kept_in_order(void **state) {
    CliArguments arguments;
    (void)state;

    assert_ok(parse("try here --set a=1 --set=b.c=2", &arguments));
    assert_int_equal(arguments.repeated_count, 2);
    assert_string_equal(arguments.repeated[0], "a=1");
    assert_string_equal(arguments.repeated[1], "b.c=2");
}

static void a_wrong_command_line_is_one_sentence_and_usage(void **state) {
    CliArguments arguments = {.positional_count = 77};
    (void)state;

    assert_fails(parse("try here --formt json", &arguments), STATUS_ERR_USAGE,
                 "mbtune try: no option '--formt'; did you mean '--format'?");
    assert_fails(parse("try here -z", &arguments), STATUS_ERR_USAGE, "no option '-z'");
    assert_fails(parse("try here --segment", &arguments), STATUS_ERR_USAGE,
                 "option '--segment' needs an argument");
    assert_fails(parse("try", &arguments), STATUS_ERR_USAGE, "usage: mbtune try DIR");
    assert_fails(parse("try a b c", &arguments), STATUS_ERR_USAGE, "unexpected argument 'c'");
    assert_fails(parse("try here --quiet=yes", &arguments), STATUS_ERR_USAGE, "--quiet=yes");
    assert_int_equal(arguments.positional_count, 77);
}

static void help_wins_over_what_is_missing(void **state) {
    CliArguments arguments;
    Buffer       text;
    (void)state;

    assert_ok(parse("try --help", &arguments));
    assert_true(arguments.help);
    buffer_init(&text, 4096);
    cli_help(&command, &text);
    assert_contains(buffer_text(&text), "usage: mbtune try DIR [options]\nTries something.\n");
    assert_contains(buffer_text(&text), "  -f, --format table|json  how to print it\n");
    assert_contains(buffer_text(&text), "      --segment N         which one\n");
    assert_contains(buffer_text(&text), "  -h, --help              this text\n");
    buffer_reset(&text);
}

static void choices_and_integers_are_checked(void **state) {
    static const char *const formats[] = {"table", "json", NULL};
    CliArguments             arguments;
    size_t                   index = 9;
    int64_t                  number = 5;
    (void)state;

    assert_ok(parse("try here", &arguments));
    assert_ok(cli_choice(&arguments, "format", formats, &index));
    assert_int_equal(index, 0);
    assert_ok(cli_integer(&arguments, "segment", 1, 10, &number));
    assert_int_equal(number, 5);
    assert_ok(parse("try here -f json --segment 10", &arguments));
    assert_ok(cli_choice(&arguments, "format", formats, &index));
    assert_int_equal(index, 1);
    assert_ok(cli_integer(&arguments, "segment", 1, 10, &number));
    assert_int_equal(number, 10);
    assert_ok(parse("try here -f xml --segment 11", &arguments));
    assert_fails(cli_choice(&arguments, "format", formats, &index), STATUS_ERR_USAGE,
                 "--format must be one of table, json, found 'xml'");
    assert_fails(cli_integer(&arguments, "segment", 1, 10, &number), STATUS_ERR_USAGE,
                 "whole number from 1 to 10, found '11'");
    assert_ok(parse("try here --segment 1.5", &arguments));
    assert_fails(cli_integer(&arguments, "segment", 1, 10, &number), STATUS_ERR_USAGE, "'1.5'");
    assert_int_equal(number, 10);
}

static void statuses_become_the_promised_exit_codes(void **state) {
    (void)state;
    assert_int_equal(cli_exit_code(STATUS_OK), 0);
    assert_int_equal(cli_exit_code(STATUS_ERR_PARSE), 1);
    assert_int_equal(cli_exit_code(STATUS_ERR_DATABASE), 1);
    assert_int_equal(cli_exit_code(STATUS_ERR_USAGE), 2);
    assert_int_equal(cli_exit_code(STATUS_ERR_INTERRUPTED), 75);
}

/* ---- the program ---- */

static Status good(int argc, char **argv, Buffer *out) {
    buffer_printf(out, "%s with %d", argv[0], argc);
    return STATUS_OK;
}

static Status bad(int argc, char **argv, Buffer *out) {
    (void)argc;
    (void)argv;
    buffer_puts(out, "half");
    FAIL(STATUS_ERR_IO, "nothing works");
}

static int raw(int argc, char **argv) {
    (void)argv;
    return 40 + argc;
}

static const Command commands[] = {
    {"good", "works", good, NULL},
    {"bad", "fails", bad, NULL},
    {"raw", "is a process", NULL, raw},
    {NULL, NULL, NULL, NULL},
};

/* Runs a command line with stdout and stderr in files. */
static int dispatch(const char *line, char *out, char *err) {
    char      memory[256];
    char     *argv[32];
    const int argc = split(line, memory, argv);
    FILE     *files[2] = {tmpfile(), tmpfile()};
    int       saved[2];
    char     *texts[2] = {out, err};

    (void)fflush(NULL);
    for (int i = 0; i < 2; i++) {
        assert_non_null(files[i]);
        saved[i] = dup(i + 1);
        assert_true(dup2(fileno(files[i]), i + 1) >= 0);
    }
    const int code = cli_dispatch(commands, argc, argv);
    for (int i = 0; i < 2; i++) {
        assert_true(dup2(saved[i], i + 1) >= 0);
        assert_int_equal(close(saved[i]), 0);
        rewind(files[i]);
        texts[i][fread(texts[i], 1, 4095, files[i])] = '\0';
        assert_int_equal(fclose(files[i]), 0);
    }
    return code;
}

static void commands_are_found_and_their_output_is_written(void **state) {
    char out[4096];
    char err[4096];
    (void)state;

    assert_int_equal(dispatch("mbtune good -x y", out, err), 0);
    assert_string_equal(out, "good with 3");
    assert_string_equal(err, "");
    assert_int_equal(dispatch("mbtune bad", out, err), 1);
    assert_string_equal(out, "half");
    assert_string_equal(err, "mbtune: nothing works\n");
    assert_int_equal(dispatch("mbtune raw a", out, err), 42);
    assert_int_equal(dispatch("mbtune --help", out, err), 0);
    assert_contains(out, "  raw         is a process\n");
}

static void unknown_commands_are_usage_errors(void **state) {
    char out[4096];
    char err[4096];
    (void)state;

    assert_int_equal(dispatch("mbtune goood", out, err), 2);
    assert_string_equal(err, "mbtune: no command 'goood'; did you mean 'good'?\n");
    assert_int_equal(dispatch("mbtune", out, err), 2);
    assert_string_equal(err, "mbtune: a command is missing; see mbtune --help\n");
    assert_string_equal(out, "");
}

static void a_reader_that_went_away_is_no_error(void **state) {
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_ok(cli_write(ends[1], "text", 4)); /* the dispatcher above ignores SIGPIPE */
    assert_int_equal(close(ends[1]), 0);
    assert_fails(cli_write(ends[1], "text", 4), STATUS_ERR_IO, "cannot be written");
}

static void what_is_no_terminal_has_neither_width_nor_color(void **state) {
    int ends[2];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    const CliStyle style = cli_style(ends[1]);
    assert_int_equal(style.width, 0);
    assert_false(style.color);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_may_stand_anywhere_in_each_of_their_spellings),
        cmocka_unit_test(repeated_options_are_kept_in_order),
        cmocka_unit_test(a_wrong_command_line_is_one_sentence_and_usage),
        cmocka_unit_test(help_wins_over_what_is_missing),
        cmocka_unit_test(choices_and_integers_are_checked),
        cmocka_unit_test(statuses_become_the_promised_exit_codes),
        cmocka_unit_test(commands_are_found_and_their_output_is_written),
        cmocka_unit_test(unknown_commands_are_usage_errors),
        cmocka_unit_test(a_reader_that_went_away_is_no_error),
        cmocka_unit_test(what_is_no_terminal_has_neither_width_nor_color),
    };
    return cmocka_run_group_tests_name("tuner/cli", tests, NULL, NULL);
}
