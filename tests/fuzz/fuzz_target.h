/** @file fuzz_target.h  What libFuzzer calls, and replay_corpus.c where there is no libFuzzer.
 *
 * A target takes bytes that anybody may have written and hands them to one reader. Whatever it is:
 * a Status or a result, never a crash, a leak, a hang.
 */
#ifndef TESTS_FUZZ_FUZZ_TARGET_H
#define TESTS_FUZZ_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/** @return 0 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
