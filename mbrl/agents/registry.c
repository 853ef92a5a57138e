#include "mbrl/agents/builtin.h"

#include <string.h>

static const AgentOps *const builtin[] = {
    &agent_pets_ops,
};

enum { BUILTIN_COUNT = sizeof builtin / sizeof builtin[0] };

size_t agent_count(void) {
    return BUILTIN_COUNT;
}

const AgentOps *agent_at(size_t index) {
    return index < BUILTIN_COUNT ? builtin[index] : NULL;
}

Status agent_find(const char *name, const AgentOps **out) {
    const char *names[BUILTIN_COUNT];

    *out = NULL;
    for (size_t i = 0; i < BUILTIN_COUNT; i++) {
        if (strcmp(builtin[i]->name, name) == 0) {
            *out = builtin[i];
            return STATUS_OK;
        }
        names[i] = builtin[i]->name;
    }
    const char *nearest = option_nearest(name, names, BUILTIN_COUNT);
    if (nearest != NULL) {
        FAIL(STATUS_ERR_UNKNOWN_NAME, "no agent '%s'; did you mean '%s'?", name, nearest);
    }
    FAIL(STATUS_ERR_UNKNOWN_NAME, "no agent '%s'; `mbtune list` shows them", name);
}
