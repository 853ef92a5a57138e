/** @file train.h  `mbtune train`: the built-in agents as a trainer process
 * (docs/trainer-protocol.md). */
#ifndef TUNER_TRAIN_H
#define TUNER_TRAIN_H

/**
 * Reads protocol lines from stdin and writes to stdout until `stop` or the end of the input; what
 * was sent before the end of the input is still done, so a session can be piped in from a file. The
 * agent is kept in memory between requests and continues from there where a request's parent is the
 * segment that it ended with; otherwise it is loaded from `resume_from`. Without `checkpoint_to`
 * nothing is saved. What other code prints to stdout goes to stderr.
 *
 * @return exit code: 0 after `stop` or the end of the input; 1 after a malformed line, a refused
 *         hello, or when nobody reads the replies any more; 2 for a wrong command line
 */
int train_main(int argc, char **argv);

#endif
