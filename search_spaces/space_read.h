/** @file space_read.h  Search spaces from study files and presets. */
#ifndef SEARCH_SPACES_SPACE_READ_H
#define SEARCH_SPACES_SPACE_READ_H

#include "core/option.h"
#include "search_spaces/document.h"
#include "search_spaces/space.h"

/**
 * Builds and seals the space of a study.
 *
 * @param hyperparameters  mapping of name -> definition (docs/study-file.md), or NULL
 * @param forbid           sequence of conditions that may not all hold, or NULL
 * @param preset           name of a preset that `hyperparameters` overrides (a definition may give
 *                         only the keys it changes; `name: null` takes one out), or NULL
 * @param options          the agent's option rows, or NULL for an external trainer. With rows:
 * names must exist, ranges must lie inside the row's, type, `dynamic` and `default` come from the
 * row where the file does not say; `dynamic: true` on a static row is an error.
 * @param out              sealed space; NULL on failure
 * @return STATUS_OK; STATUS_ERR_PARSE / ARG / RANGE / UNKNOWN_NAME with file:line:column, what was
 *         found, what was expected and the nearest known key (an unknown preset has no position);
 *         STATUS_ERR_NOMEM
 */
Status space_read(const Node *hyperparameters, const Node *forbid, const char *preset,
                  const OptionSpec *options, Space **out) MUST_USE;

/** Everything that a study says about its space; what is missing is NULL. */
typedef struct SpaceSource {
    const Node *hyperparameters;
    const Node *forbid;
    const Node *fixed; /* the study's own `fixed:`: takes those names out of the preset, and is
                          refused for what `hyperparameters` tunes */
    const char       *preset;
    const OptionSpec *options;
} SpaceSource;

/** space_read() that knows `fixed:` too. */
Status space_read_source(const SpaceSource *source, Space **out) MUST_USE;

/** Names of the presets that are built in (search_spaces/presets), ends at NULL. */
const char *const *space_presets(void);
/** YAML text of a preset, NULL if there is none of that name. */
const char *space_preset_text(const char *name);
/**
 * Parses a preset: a mapping {fixed: {name: value, ...}, hyperparameters: {...}}. What it fixes
 * stands below the study's own `fixed:` and `hyperparameters:`.
 * @return STATUS_OK; STATUS_ERR_UNKNOWN_NAME (nearest name and the list); STATUS_ERR_NOMEM
 */
Status space_preset_open(const char *name, Document **out) MUST_USE;

#endif
