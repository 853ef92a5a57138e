/** @file publish.h  A study whose database only one process can open: on a network file system. */
#ifndef RESULTS_PUBLISH_H
#define RESULTS_PUBLISH_H

#include "results/results.h"

/** results_create() for RESULTS_WRITE_ALONE. */
Status results_create_alone(const char *path, const ResultsStudy *study, Results **out) MUST_USE;
/**
 * Goes on with a copy of the database under another name, for readers (RESULTS_READ_STILL): `pages`
 * pages of it per call, outside of transactions. What is written meanwhile is in it.
 * @param path  in   gets its name when it is complete, so that nobody reads half of one
 * @param done  out  it is
 */
Status results_publish(Results *results, const char *path, int pages, bool *done) MUST_USE;
/** Removes the copy, and what an end in the middle of one left. */
Status results_unpublish(const char *path) MUST_USE;

#endif
