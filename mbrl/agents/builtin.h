/** @file builtin.h  The agents that registry.c lists; a new one adds a line here and there. */
#ifndef MBRL_AGENTS_BUILTIN_H
#define MBRL_AGENTS_BUILTIN_H

#include "mbrl/agents/agent.h"

extern const AgentOps agent_pets_ops;

#endif
