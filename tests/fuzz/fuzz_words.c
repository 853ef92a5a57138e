/* Words from outside that have small languages of their own: Slurm's counts per node and durations,
 * what its programs answer, and command lines. The first byte chooses:
 *
 *     c 4(x2),2        counts          n 4(x2)\nnode1\nnode2     counts, then the names of nodes
 *     t 1-02:03        a duration      q 1732600000\nRUNNING     the end of a job, then an answer
 *     else the words of a command line, each on a line of its own; d of the whole program's
 */
#include "tests/fuzz/fuzz_target.h"

#include "tuner/cli.h"
#include "tuner/program.h"
#include "tuner/slurm.h"
#include "tuner/study_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = 40, MOST_NODES = 64 };

bool fuzz_accepted;

static const CliOption options[] = {
    {"dir", 'd', "DIR", "a word", false},
    {"count", 'n', "N", "a number", false},
    {"format", 'f', "text|json", "a choice", false},
    {"set", 's', "KEY=VALUE", "several times", true},
    {"quiet", 'q', NULL, "a flag", false},
    {"help", 'h', NULL, "show this help", false},
    {NULL, 0, NULL, NULL, false},
};

static const CliCommand command = {.name = "words",
                                   .arguments = "A [B]",
                                   .help = "reads words",
                                   .options = options,
                                   .least = 1,
                                   .most = 2};

static void use(const CliArguments *arguments) {
    static const char *const choices[] = {"text", "json", NULL};
    int64_t                  count = 1;
    size_t                   choice = 0;
    Buffer                   out;

    buffer_init(&out, 1 << 20);
    fuzz_accepted = cli_integer(arguments, "count", 1, 1000, &count) == STATUS_OK &&
                    cli_choice(arguments, "format", choices, &choice) == STATUS_OK;
    if (count < 1 || count > 1000 || choice > 1) {
        abort();
    }
    for (size_t i = 0; i < arguments->repeated_count; i++) {
        char          key[64];
        StudyOverride set;
        (void)!study_override_parse(arguments->repeated[i], key, sizeof key, &set);
        cli_shell_word(arguments->repeated[i], &out);
    }
    cli_help(arguments->command, &out);
    (void)cli_flag(arguments, "quiet");
    buffer_reset(&out);
}

/* ---- what Slurm's programs answer ----------------------------------------------------------- */

static const char *slurm_answer = "";

/* no program is started: the input says what it would have printed, and with '!' that it failed
 * (the linker has the calls of program_ask() come here); nor is there a pause before the next try
 */
int __wrap_program_ask(const char *const *argv, double seconds, char *text, size_t size);
int __wrap_program_ask(const char *const *argv, double seconds, char *text, size_t size) {
    (void)argv;
    (void)seconds;
    (void)snprintf(text, size, "%s", slurm_answer);
    return (text[0] == '!') ? 1 : 0;
}

void __wrap_clock_sleep(double seconds);
void __wrap_clock_sleep(double seconds) {
    (void)seconds;
}

/* the first line into the environment, the rest is the answer */
static void split(char *text, const char *variable) {
    const size_t length = strcspn(text, "\n");
    slurm_answer = text + length + (text[length] == '\n' ? 1 : 0);
    text[length] = '\0';
    if (setenv("SLURM_JOB_ID", "1", 1) != 0 || setenv(variable, text, 1) != 0) {
        abort();
    }
}

static void ask_nodes(char *text) {
    SlurmNode *nodes = NULL;
    size_t     count = 0;
    split(text, "SLURM_JOB_CPUS_PER_NODE");
    fuzz_accepted = slurm_nodes(&nodes, &count) == STATUS_OK;
    for (size_t i = 0; i < count && fuzz_accepted; i++) {
        if (nodes[i].cpus < 1 || nodes[i].name[0] == '\0') {
            abort();
        }
    }
    free(nodes);
}

static void ask_queue(char *text) {
    split(text, "SLURM_JOB_END_TIME");
    if (setenv("SLURM_RESTART_COUNT", text, 1) != 0) {
        abort();
    }
    (void)slurm_restarts();
    fuzz_accepted = slurm_in_job() && slurm_end_time() > 0.0;
    (void)!slurm_requeue();
}

/* ---- command lines -------------------------------------------------------------------------- */

static Status write_nothing(int argc, char **argv, Buffer *out) {
    (void)argv;
    buffer_printf(out, "%d\n", argc);
    return STATUS_OK;
}

static int print_nothing(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return 0;
}

static void dispatch(int argc, char **argv) {
    static const Command commands[] = {
        {.name = "write", .help = "writes", .write = write_nothing},
        {.name = "print", .help = "prints itself", .process = print_nothing},
        {.name = NULL},
    };
    fuzz_accepted = cli_dispatch(commands, argc, argv) == 0;
}

static void command_line(char *text, bool whole) {
    char        *argv[MOST_WORDS + 2] = {text};
    char        *rest = NULL;
    int          argc = 1;
    CliArguments arguments;

    for (char *word = strtok_r(text, "\n", &rest); word != NULL && argc <= MOST_WORDS;
         word = strtok_r(NULL, "\n", &rest)) {
        argv[argc++] = word;
    }
    if (whole) {
        dispatch(argc, argv);
        return;
    }
    if (cli_parse(&command, argc, argv, &arguments) == STATUS_OK) {
        fuzz_accepted = true;
        if (!arguments.help) {
            use(&arguments);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int64_t counts[MOST_NODES];
    size_t  count = 0;
    double  seconds = -1.0;
    char   *text = (size > 0) ? strndup((const char *)data + 1, size - 1) : NULL;

    fuzz_accepted = false;
    if (text == NULL) {
        return 0;
    }
    switch (data[0]) {
    case 'c':
        fuzz_accepted = slurm_parse_counts(text, MOST_NODES, counts, &count) == STATUS_OK;
        break;
    case 't':
        fuzz_accepted = slurm_parse_time(text, &seconds) == STATUS_OK;
        if (fuzz_accepted && !(seconds >= 0.0)) {
            abort();
        }
        break;
    case 'n':
        ask_nodes(text);
        break;
    case 'q':
        ask_queue(text);
        break;
    default:
        command_line(text, data[0] == 'd');
        break;
    }
    free(text);
    return 0;
}
