/** @file check.h  Is a database whole? (mbtune fsck) */
#ifndef RESULTS_CHECK_H
#define RESULTS_CHECK_H

#include "results/results.h"

/** What a check found, as a sentence without its full stop.
 * @param mends  it was mended; where nothing is to be mended: it could be */
typedef Status (*ResultsFinding)(void *context, bool mends, const char *text);
/** SQLite's integrity and foreign keys, then the rules of rows: lineage, results, log, metrics. At
 * most a few findings of each kind. What cannot be read is a finding too.
 * @param mend   indexes are made anew where SQLite finds something wrong and no table has lost
 *               rows that its indexes still know; not inside a group
 * @param again  out  with `mend` indexes would be made anew: only then is known what stays
 * @return what `found` fails with; STATUS_ERR_DATABASE */
Status results_check(Results *results, bool mend, ResultsFinding found, void *context,
                     bool *again) MUST_USE;
/** Puts what the write-ahead log holds into the database. Not inside a group. */
Status results_write_log_empty(Results *results) MUST_USE;

#endif
