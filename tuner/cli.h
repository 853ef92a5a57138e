/** @file cli.h  Command lines: one table per command, from which parsing, errors and `--help` come.
 *
 * Options are read with getopt_long, so `-f json`, `-fjson`, `--format json` and `--format=json`
 * mean the same and may stand after the positional arguments. A wrong command line is one sentence
 * and STATUS_ERR_USAGE, which becomes exit code 2.
 */
#ifndef TUNER_CLI_H
#define TUNER_CLI_H

#include "core/buffer.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CLI_MAX_OPTIONS = 32, CLI_MAX_POSITIONAL = 8, CLI_MAX_REPEATED = 64 };

/* Exit codes that scripts may rely on (sysexits.h calls 75 EX_TEMPFAIL: try again). */
enum { CLI_EXIT_DONE = 0, CLI_EXIT_FAILED = 1, CLI_EXIT_USAGE = 2, CLI_EXIT_RESUMABLE = 75 };

typedef struct CliOption {
    const char *name;     /* long name without dashes */
    char        letter;   /* short name, 0 = none */
    const char *argument; /* its name in the help, NULL = a flag */
    const char *help;     /* one line */
    bool        repeated; /* may be given several times: see CliArguments.repeated */
} CliOption;

typedef struct CliCommand {
    const char      *name;
    const char      *arguments; /* positional ones as the help shows them: "DIR" */
    const char      *help;      /* one line */
    const char      *details;   /* further lines of the help, or NULL */
    const CliOption *options;   /* ends at .name == NULL; at most CLI_MAX_OPTIONS */
    size_t           least;     /* positional arguments */
    size_t           most;      /* <= CLI_MAX_POSITIONAL */
} CliCommand;

/** What a command line said. Strings are those of argv. */
typedef struct CliArguments {
    const CliCommand *command;
    const char       *values[CLI_MAX_OPTIONS]; /* by option, the last one given; "" for a flag */
    const char       *positional[CLI_MAX_POSITIONAL];
    size_t            positional_count;
    const char       *repeated[CLI_MAX_REPEATED]; /* arguments of the repeated option, in order */
    size_t            repeated_count;
    bool              help; /* --help was given: nothing else was checked */
} CliArguments;

/** Reads a command line; argv[0] is the command's name. @return STATUS_OK; STATUS_ERR_USAGE */
Status cli_parse(const CliCommand *command, int argc, char **argv, CliArguments *out) MUST_USE;
/** Appends the help text of a command. */
void cli_help(const CliCommand *command, Buffer *out);

/** Argument of option `name`, NULL if it was not given ("" for a flag that was). */
const char *cli_value(const CliArguments *arguments, const char *name);
bool        cli_flag(const CliArguments *arguments, const char *name);
/** Index of the option's argument among `choices` (ends at NULL); 0 if it was not given.
 * @return STATUS_OK; STATUS_ERR_USAGE naming the choices */
Status cli_choice(const CliArguments *arguments, const char *name, const char *const *choices,
                  size_t *out) MUST_USE;
/** The option's argument as a whole number in [lower, upper]; *out is left alone if it was not
 * given.
 * @return STATUS_OK; STATUS_ERR_USAGE */
Status cli_integer(const CliArguments *arguments, const char *name, int64_t lower, int64_t upper,
                   int64_t *out) MUST_USE;

/** Exit code for a status: 0, 1, 2 (usage), 75 (interrupted). */
int cli_exit_code(Status status);
/** Writes status_last()'s text to stderr as one line. @return cli_exit_code(status) */
int cli_complain(Status status);
/** Appends a word as a shell reads it back: quoted where it must be. */
void cli_shell_word(const char *word, Buffer *out);

/** How text may look on a descriptor: `width` columns (0 = any), `color` where it is a terminal and
 * NO_COLOR is empty. COLUMNS wins over what the terminal says. */
typedef struct CliStyle {
    size_t width;
    bool   color;
} CliStyle;
CliStyle cli_style(int descriptor);

/** Writes all of it. A reader that went away is no error (mbtune show ... | head).
 * @return STATUS_OK; STATUS_ERR_IO */
Status cli_write(int descriptor, const char *text, size_t length) MUST_USE;

/** One command of the program; exactly one of the two functions is set. argv[0] is the name. */
typedef struct Command {
    const char *name;
    const char *help;                                    /* one line */
    Status (*write)(int argc, char **argv, Buffer *out); /* its output goes to stdout */
    int (*process)(int argc, char **argv);               /* prints itself; gives the exit code */
} Command;

/** Runs argv[1] of the commands (ends at .name == NULL); unknown ones name the nearest.
 * @return exit code for the process */
int cli_dispatch(const Command *commands, int argc, char **argv);

#endif
