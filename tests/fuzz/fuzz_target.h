/** @file fuzz_target.h  What libFuzzer calls, and replay_corpus.c where there is no libFuzzer.
 *
 * A target takes bytes that anybody may have written and hands them to one reader. Whatever it is:
 * a Status or a result, never a crash, a leak, a hang.
 *
 * An input of the corpus whose name begins with FUZZ_OK is one that the reader accepts, and
 * replay_corpus.c says so where it does not any more: after a change of a format such a seed has to
 * be written anew, or the fuzzer begins with nothing that gets past the first check.
 */
#ifndef TESTS_FUZZ_FUZZ_TARGET_H
#define TESTS_FUZZ_FUZZ_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZ_OK "ok_"

/** Whether the last input was accepted; every target has one. */
extern bool fuzz_accepted;

/** @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
