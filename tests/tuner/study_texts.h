/** @file study_texts.h  Study files that tests change and read; their line numbers are part of
 * tests. */
#ifndef TESTS_TUNER_STUDY_TEXTS_H
#define TESTS_TUNER_STUDY_TEXTS_H

#include "tuner/study_file.h"

enum { TEXT_BYTES = 8192 };

extern const char study_external[]; /* a trainer of one's own */
extern const char study_built_in[]; /* PETS on cart-pole */

/** `text` with the first `from` replaced by `to`. */
void study_change(const char *text, const char *from, const char *to, char out[TEXT_BYTES]);
/** Reads a file that must be good; the caller destroys it. */
Study *study_good(const char *text);

#endif
