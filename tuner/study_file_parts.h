/** @file study_file_parts.h  What the files behind study_file.h share; nobody else includes it. */
#ifndef TUNER_STUDY_FILE_PARTS_H
#define TUNER_STUDY_FILE_PARTS_H

#include "search_spaces/document.h"
#include "tuner/study_file.h"

enum { STUDY_NAMES_MAX = 256, STUDY_LIST_MAX = 64 };

/* largest count of budget units: exact in a double, far from overflow when two are added */
#define STUDY_UNITS_MAX ((int64_t)1 << 52)
/* seeds are below 2^53, so that every language reads them exactly from JSON */
#define STUDY_MAX_SEED (((int64_t)1 << 53) - 1)

/** Copy of a string in *out. */
Status study__copy(const char *text, char **out) MUST_USE;
/** Member `key` of `mapping`, refused if missing: "'budget' is missing; expected <hint>". */
Status study__need(const Node *mapping, const char *key, const char *hint,
                   const Node **out) MUST_USE;
/** Refuses a node that is no mapping: "'budget' must be a mapping such as <hint>". */
Status study__mapping(const Node *node, const char *what, const char *hint) MUST_USE;
/** Optional whole number in [lower, upper]: `node` NULL leaves *out alone. */
Status study__integer(const Node *node, const char *what, int64_t lower, int64_t upper,
                      int64_t *out) MUST_USE;
/** Optional word among `names` (count of them); NULL leaves *out alone. */
Status study__pick(const Node *node, const char *what, const char *const *names, size_t count,
                   size_t *out) MUST_USE;
/** Values of option rows from a mapping; `values` holds what is used where it says nothing.
 * @param skip  a key that is no option ("name"), or NULL */
Status study__options(const Node *mapping, const char *where, const OptionSpec *specs,
                      const char *skip, double *values) MUST_USE;
/** Words of a string sequence such as `command`: new array that ends at NULL. */
Status study__words(const Node *node, const char *what, char ***out, size_t *count) MUST_USE;

/** agent or trainer, environment, fixed, search space. */
Status study__read_trainer(const Node *root, Study *study) MUST_USE;
/** A copy that shares nothing. */
Status study__json_copy(const Json *json, Json **out) MUST_USE;
/** `environment` of a built-in agent. */
Status study__read_environment(const Node *root, Study *study) MUST_USE;
/** Absolute folder of the study file. */
Status study__file_folder(const Study *study, char **out) MUST_USE;
Status study__read_space(const Node *root, Study *study) MUST_USE;
/** Refuses a space whose agent would refuse its defaults, or in them a choice or an end of an int.
 * Fills study->notes and, by points from all over the space, study->refused. */
Status study__check_agent(const Node *root, Study *study) MUST_USE;
/** objective, constraints, cost, stop, warm_start. */
Status study__read_objectives(const Node *root, Study *study) MUST_USE;
/** scheduler and budget, which depend on each other. */
Status study__read_plan(const Node *root, Study *study) MUST_USE;
/** confirm, evaluate, resources, limits, workers. */
Status study__read_rest(const Node *root, Study *study) MUST_USE;
/** Why results may differ from run to run. */
Status study__judge(Study *study) MUST_USE;

/** Puts overrides into YAML text. `name` stands for the file in messages. */
Status study__override(const char *name, const char *text, const StudyOverride *sets, size_t n,
                       Buffer *out) MUST_USE;

#endif
