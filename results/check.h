/** @file check.h  Is a database whole? (mbtune fsck) */
#ifndef RESULTS_CHECK_H
#define RESULTS_CHECK_H

#include "results/results.h"

/** What a check found, as a sentence without its full stop. */
typedef Status (*ResultsFinding)(void *context, const char *text);
/** SQLite's integrity and foreign keys, then the rules of rows: lineage, results, log, metrics. At
 * most a few findings of each kind. @return what `found` fails with; STATUS_ERR_DATABASE */
Status results_check(Results *results, ResultsFinding found, void *context) MUST_USE;
/** Builds the indexes anew and puts what the write-ahead log holds into the database. Not inside a
 * group. */
Status results_rebuild(Results *results) MUST_USE;

#endif
