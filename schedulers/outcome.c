#include "schedulers/scheduler.h"

#include <string.h>

static const char *const names[] = {
#define OUTCOME_NAME(code, text) [code] = (text),
    OUTCOME_LIST(OUTCOME_NAME)
#undef OUTCOME_NAME
};

enum { OUTCOME_COUNT = sizeof names / sizeof names[0] };

const char *outcome_name(Outcome outcome) {
    return ((size_t)outcome < OUTCOME_COUNT) ? names[outcome] : "?";
}

Status outcome_find(const char *name, Outcome *out) {
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (Outcome)i;
            return STATUS_OK;
        }
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no outcome is called '%s'", name);
}
