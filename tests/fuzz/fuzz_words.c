/* Words from outside that have small languages of their own: Slurm's counts per node and durations,
 * and command lines. The first byte chooses; words of a command line stand on lines of their own.
 */
#include "tests/fuzz/fuzz_target.h"

#include "tuner/cli.h"
#include "tuner/slurm.h"
#include "tuner/study_file.h"

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

static void command_line(char *text) {
    char        *argv[MOST_WORDS + 2] = {text};
    char        *rest = NULL;
    int          argc = 1;
    CliArguments arguments;

    for (char *word = strtok_r(text, "\n", &rest); word != NULL && argc <= MOST_WORDS;
         word = strtok_r(NULL, "\n", &rest)) {
        argv[argc++] = word;
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
    default:
        command_line(text);
        break;
    }
    free(text);
    return 0;
}
