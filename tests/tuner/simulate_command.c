#include "tests/tuner/simulate_command.h"

#include "tests/support/test_support.h"
#include "tuner/commands.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = 24, OUTPUT = 1 << 20 };

Status simulate(const char *line, Buffer *out) {
    char  memory[1024];
    char *argv[WORDS] = {NULL};
    int   argc = 0;
    char *rest = memory;
    (void)snprintf(memory, sizeof memory, "simulate %s", line);
    for (char *word = strsep(&rest, " "); word != NULL; word = strsep(&rest, " ")) {
        assert_true(argc + 1 < WORDS);
        argv[argc++] = word;
    }
    buffer_init(out, OUTPUT);
    return command_simulate(argc, argv, out);
}

Json *simulate_json(const char *line) {
    Buffer out;
    Json  *json = NULL;
    assert_ok(simulate(line, &out));
    assert_ok(json_parse(buffer_text(&out), out.length, &json));
    buffer_reset(&out);
    return json;
}
