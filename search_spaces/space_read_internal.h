/** @file space_read_internal.h  Between the files that read a search space from YAML. */
#ifndef SEARCH_SPACES_SPACE_READ_INTERNAL_H
#define SEARCH_SPACES_SPACE_READ_INTERNAL_H

#include "core/option.h"
#include "search_spaces/document.h"
#include "search_spaces/space.h"

/* One hyperparameter as written: in the study file, in the preset, or in both. */
typedef struct Definition {
    const char       *name;
    const Node       *key;  /* its name where the study (else the preset) has it */
    const Node       *own;  /* the study's mapping, or NULL */
    const Node       *base; /* the preset's mapping, or NULL */
    const OptionSpec *row;  /* the agent's option, or NULL */
} Definition;

/** Value of `key`: the study's, else the preset's, else NULL. */
const Node *definition__get(const Definition *definition, const char *key);
/** Where an error about `key` should point; never NULL. */
const Node *definition__where(const Definition *definition, const char *key);
/** Reads one definition and adds it to `space`, without its condition. */
Status definition__add(Definition *definition, Space *space) MUST_USE;

/** Index of the choice that `node` writes. */
Status choice__read(const SpaceParameter *parameter, const Node *node, double *out) MUST_USE;
/** One value of a hyperparameter, inside its range. `what` names the thing in messages. */
Status value__read(const SpaceParameter *parameter, const Node *node, const char *what,
                   double *out) MUST_USE;
/** Reads `when: {name: test, ...}` into `condition`, which the caller resets in any case. */
Status condition__read(const Space *space, const Node *mapping, const char *what,
                       SpaceCondition *condition) MUST_USE;

#endif
