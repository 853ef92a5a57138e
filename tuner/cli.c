#include "tuner/cli.h"

#include "core/option.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    OUTPUT_CAP = 1 << 30, /* bytes; a show of a million segments stays far below */
    HELP_COLUMN = 26,     /* where the texts of options begin */
    LONG_BASE = 1000,     /* getopt_long values of options: base + index */
    NAMES_MAX = 64,
    LINE_BYTES = 1024 /* of one message on stderr */
};

static size_t option_rows(const CliCommand *command) {
    size_t n = 0;
    while (command->options[n].name != NULL) {
        n++;
    }
    return n;
}

/* ---- parsing ---- */

typedef struct Tables {
    struct option long_options[CLI_MAX_OPTIONS + 2];
    char          letters[2 * CLI_MAX_OPTIONS + 8];
} Tables;

/* The first ':' makes getopt tell a missing argument from an unknown option. */
static void tables_fill(const CliCommand *command, Tables *tables) {
    const size_t n = option_rows(command);
    size_t       used = 0;

    memset(tables, 0, sizeof *tables);
    tables->letters[used++] = ':';
    tables->letters[used++] = 'h';
    for (size_t i = 0; i < n; i++) {
        const CliOption *row = &command->options[i];
        const int        has = row->argument == NULL ? no_argument : required_argument;
        tables->long_options[i] = (struct option){row->name, has, NULL, LONG_BASE + (int)i};
        if (row->letter != 0) {
            tables->letters[used++] = row->letter;
            if (row->argument != NULL) {
                tables->letters[used++] = ':';
            }
        }
    }
    tables->long_options[n] = (struct option){"help", no_argument, NULL, 'h'};
}

static Status fail_unknown(const CliCommand *command, const char *word) {
    const char  *names[CLI_MAX_OPTIONS + 1];
    const size_t n = option_rows(command);
    char         name[NAMES_MAX];

    for (size_t i = 0; i < n; i++) {
        names[i] = command->options[i].name;
    }
    names[n] = "help";
    const char *start = word + strspn(word, "-");
    size_t      length = strcspn(start, "=");
    if (length >= sizeof name) {
        length = sizeof name - 1;
    }
    memcpy(name, start, length);
    name[length] = '\0';
    const char *near = option_nearest(name, names, n + 1);
    if (near != NULL) {
        FAIL(STATUS_ERR_USAGE, "mbtune %s: no option '%s'; did you mean '--%s'?", command->name,
             word, near);
    }
    FAIL(STATUS_ERR_USAGE, "mbtune %s: no option '%s'; see mbtune %s --help", command->name, word,
         command->name);
}

/* Index of the option that getopt's value `c` stands for. */
static size_t option_of(const CliCommand *command, int c) {
    if (c >= LONG_BASE) {
        return (size_t)(c - LONG_BASE);
    }
    const size_t n = option_rows(command);
    for (size_t i = 0; i < n; i++) {
        if (command->options[i].letter == c) {
            return i;
        }
    }
    return n;
}

static Status store(const CliCommand *command, int c, CliArguments *out) {
    const size_t i = option_of(command, c);

    if (i >= option_rows(command)) {
        FAIL(STATUS_ERR_USAGE, "mbtune %s: option is not in the table", command->name);
    }
    out->values[i] = optarg == NULL ? "" : optarg;
    if (command->options[i].repeated) {
        if (out->repeated_count == CLI_MAX_REPEATED) {
            FAIL(STATUS_ERR_USAGE, "mbtune %s: more than %d times --%s", command->name,
                 (int)CLI_MAX_REPEATED, command->options[i].name);
        }
        out->repeated[out->repeated_count++] = out->values[i];
    }
    return STATUS_OK;
}

static Status positional(const CliCommand *command, int argc, char **argv, CliArguments *out) {
    const size_t count = (size_t)(argc - optind);

    if (count > command->most) {
        FAIL(STATUS_ERR_USAGE, "mbtune %s: unexpected argument '%s'; usage: mbtune %s %s",
             command->name, argv[(size_t)optind + command->most], command->name,
             command->arguments);
    }
    if (count < command->least) {
        FAIL(STATUS_ERR_USAGE, "mbtune %s: an argument is missing; usage: mbtune %s %s",
             command->name, command->name, command->arguments);
    }
    for (size_t i = 0; i < count; i++) {
        out->positional[i] = argv[(size_t)optind + i];
    }
    out->positional_count = count;
    return STATUS_OK;
}

/* A table may name its own "help"; it means the same. */
static bool is_help_row(const CliCommand *command, int c) {
    return strcmp(command->options[c - LONG_BASE].name, "help") == 0;
}

Status cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *out) {
    Tables       tables;
    CliArguments found = {.command = command};

    tables_fill(command, &tables);
    opterr = 0;
    optind = 0; /* glibc: starts over, so that several command lines can be read */
    for (;;) {
        const int before = optind == 0 ? 1 : optind;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): before any thread */
        const int c = getopt_long(argc, argv, tables.letters, tables.long_options, NULL);
        if (c == -1) {
            break;
        }
        if (c == 'h' || (c >= LONG_BASE && is_help_row(command, c))) {
            found.help = true;
            *out = found;
            return STATUS_OK;
        }
        /* getopt moves options before positional arguments: the word it is about is the last read
         */
        const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : argv[before];
        if (c == ':') {
            FAIL(STATUS_ERR_USAGE, "mbtune %s: option '%s' needs an argument", command->name, word);
        }
        if (c == '?') {
            return fail_unknown(command, word);
        }
        TRY(store(command, c, &found));
    }
    TRY(positional(command, argc, argv, &found));
    *out = found;
    return STATUS_OK;
}

/* ---- what was given ---- */

const char *cli_value(const CliArguments *arguments, const char *name) {
    for (size_t i = 0; arguments->command->options[i].name != NULL; i++) {
        if (strcmp(arguments->command->options[i].name, name) == 0) {
            return arguments->values[i];
        }
    }
    return NULL;
}

bool cli_flag(const CliArguments *arguments, const char *name) {
    return cli_value(arguments, name) != NULL;
}

Status cli_choice(const CliArguments *arguments, const char *name, const char *const *choices,
                  size_t *out) {
    const char *value = cli_value(arguments, name);
    Buffer      list;

    if (value == NULL) {
        *out = 0;
        return STATUS_OK;
    }
    buffer_init(&list, STATUS_TEXT_SIZE);
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], value) == 0) {
            *out = i;
            buffer_reset(&list);
            return STATUS_OK;
        }
        buffer_printf(&list, "%s%s", i == 0 ? "" : ", ", choices[i]);
    }
    const Status status = FAILURE(STATUS_ERR_USAGE, "mbtune %s: --%s must be one of %s, found '%s'",
                                  arguments->command->name, name, buffer_text(&list), value);
    buffer_reset(&list);
    return status;
}

Status cli_integer(const CliArguments *arguments, const char *name, int64_t lower, int64_t upper,
                   int64_t *out) {
    const char *value = cli_value(arguments, name);
    char       *end = NULL;

    if (value == NULL) {
        return STATUS_OK;
    }
    errno = 0;
    const long long number = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || errno != 0 || number < lower || number > upper) {
        if (upper == INT64_MAX) {
            FAIL(STATUS_ERR_USAGE, "mbtune %s: --%s must be a whole number from %lld, found '%s'",
                 arguments->command->name, name, (long long)lower, value);
        }
        FAIL(STATUS_ERR_USAGE,
             "mbtune %s: --%s must be a whole number from %lld to %lld, found '%s'",
             arguments->command->name, name, (long long)lower, (long long)upper, value);
    }
    *out = number;
    return STATUS_OK;
}

int cli_exit_code(Status status) {
    if (status == STATUS_OK) {
        return CLI_EXIT_DONE;
    }
    if (status == STATUS_ERR_USAGE) {
        return CLI_EXIT_USAGE;
    }
    return status == STATUS_ERR_INTERRUPTED ? CLI_EXIT_RESUMABLE : CLI_EXIT_FAILED;
}

/* ---- help and output ---- */

static void help_row(const char *name, char letter, const char *argument, const char *help,
                     Buffer *out) {
    const size_t start = out->length;

    if (letter != 0) {
        buffer_printf(out, "  -%c, --%s", letter, name);
    } else {
        buffer_printf(out, "      --%s", name);
    }
    if (argument != NULL) {
        buffer_printf(out, " %s", argument);
    }
    const size_t used = out->length - start;
    buffer_printf(out, "%*s%s\n", used + 2 > HELP_COLUMN ? 2 : (int)(HELP_COLUMN - used), "", help);
}

void cli_help(const CliCommand *command, Buffer *out) {
    buffer_printf(out, "usage: mbtune %s %s%s[options]\n%s\n\noptions:\n", command->name,
                  command->arguments, command->arguments[0] == '\0' ? "" : " ", command->help);
    for (size_t i = 0; command->options[i].name != NULL; i++) {
        const CliOption *row = &command->options[i];
        if (strcmp(row->name, "help") == 0) {
            continue;
        }
        help_row(row->name, row->letter, row->argument, row->help, out);
    }
    help_row("help", 'h', NULL, "this text", out);
    if (command->details != NULL) {
        buffer_printf(out, "\n%s\n", command->details);
    }
}

CliStyle cli_style(int descriptor) {
    CliStyle       style = {0};
    struct winsize size = {0};
    const char    *columns = getenv("COLUMNS");   /* NOLINT(concurrency-mt-unsafe): main thread */
    const char    *no_color = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): main thread */

    if (isatty(descriptor) == 0) {
        return style;
    }
    style.color = no_color == NULL || no_color[0] == '\0';
    if (columns != NULL) {
        const unsigned long width = strtoul(columns, NULL, 10);
        style.width = width > 0 && width < USHRT_MAX ? width : 0;
    }
    if (style.width == 0 && ioctl(descriptor, TIOCGWINSZ, &size) == 0) {
        style.width = size.ws_col;
    }
    return style;
}

Status cli_write(int descriptor, const char *text, size_t length) {
    size_t done = 0;

    while (done < length) {
        const ssize_t n = write(descriptor, text + done, length - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno == EPIPE) {
            return STATUS_OK;
        }
        if (n < 0) {
            FAIL_NATIVE(STATUS_ERR_IO, errno, "output cannot be written (%s)",
                        strerrordesc_np(errno));
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

/* ---- the program's commands ---- */

static void commands_help(const Command *commands, Buffer *out) {
    buffer_puts(out, "usage: mbtune COMMAND [arguments]\n"
                     "Tunes the hyperparameters of model-based reinforcement learning, before and "
                     "while an agent trains.\n\ncommands:\n");
    for (size_t i = 0; commands[i].name != NULL; i++) {
        buffer_printf(out, "  %-12s%s\n", commands[i].name, commands[i].help);
    }
    buffer_puts(out, "\nmbtune COMMAND --help tells more about one of them.\n");
}

static Status command_find(const Command *commands, const char *name, const Command **out) {
    const char *names[NAMES_MAX];
    size_t      n = 0;

    for (; n < NAMES_MAX && commands[n].name != NULL; n++) {
        if (strcmp(commands[n].name, name) == 0) {
            *out = &commands[n];
            return STATUS_OK;
        }
        names[n] = commands[n].name;
    }
    const char *near = option_nearest(name, names, n);
    if (near != NULL) {
        FAIL(STATUS_ERR_USAGE, "mbtune: no command '%s'; did you mean '%s'?", name, near);
    }
    FAIL(STATUS_ERR_USAGE, "mbtune: no command '%s'; see mbtune --help", name);
}

/* texts of the command line already begin with the program's name */
int cli_complain(Status status) {
    const char *text = status_last()->text;
    Buffer      line;

    buffer_init(&line, LINE_BYTES);
    buffer_printf(&line, "%s%s\n", strncmp(text, "mbtune", 6) == 0 ? "" : "mbtune: ", text);
    if (cli_write(STDERR_FILENO, buffer_text(&line), line.length) != STATUS_OK) {
        status = STATUS_ERR_IO; /* nobody to tell */
    }
    buffer_reset(&line);
    return cli_exit_code(status);
}

void cli_shell_word(const char *word, Buffer *out) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=+,:@%";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        buffer_puts(out, word);
        return;
    }
    buffer_puts(out, "'");
    for (; *word != '\0'; word++) {
        buffer_printf(out, *word == '\'' ? "'\\''" : "%c", *word);
    }
    buffer_puts(out, "'");
}

static bool is_help(const char *word) {
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static Status run_writing(const Command *commands, int argc, char **argv, Buffer *out) {
    const Command *command = NULL;

    if (is_help(argv[1])) {
        commands_help(commands, out);
        return buffer_status(out);
    }
    const Status found = command_find(commands, argv[1], &command);
    if (found != STATUS_OK || command == NULL) {
        return found;
    }
    TRY(command->write(argc - 1, argv + 1, out));
    return buffer_status(out);
}

int cli_dispatch(const Command *commands, int argc, char **argv) {
    Buffer out;

    if (argc < 2) {
        return cli_complain(
            FAILURE(STATUS_ERR_USAGE, "mbtune: a command is missing; see mbtune --help"));
    }
    for (size_t i = 0; commands[i].name != NULL; i++) {
        if (commands[i].process != NULL && strcmp(commands[i].name, argv[1]) == 0) {
            return commands[i].process(argc - 1, argv + 1);
        }
    }
    /* a reader that goes away shows as EPIPE; not for the others, whose children would inherit it
     */
    (void)signal(SIGPIPE, SIG_IGN);
    buffer_init(&out, OUTPUT_CAP);
    Status status = run_writing(commands, argc, argv, &out);
    /* what a command wrote before it failed is shown too */
    const Status written = cli_write(STDOUT_FILENO, buffer_text(&out), out.length);
    buffer_reset(&out);
    if (status != STATUS_OK || written != STATUS_OK) {
        return cli_complain(status != STATUS_OK ? status : written);
    }
    return CLI_EXIT_DONE;
}
