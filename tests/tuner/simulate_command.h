/** @file simulate_command.h  `mbtune simulate` in the process of a test. */
#ifndef TESTS_TUNER_SIMULATE_COMMAND_H
#define TESTS_TUNER_SIMULATE_COMMAND_H

#include "core/buffer.h"
#include "core/json.h"
#include "core/status.h"

/** Words are separated by blanks; `out` is released by the caller. */
Status simulate(const char *line, Buffer *out) MUST_USE;
/** What it prints as JSON; fails the test if it fails. New reference. */
Json *simulate_json(const char *line);

#endif
