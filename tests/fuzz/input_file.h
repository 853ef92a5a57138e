/** @file input_file.h  Inputs as files, for targets whose reader opens one: in a folder of this
 * process under $TMPDIR, which the end of the process removes. */
#ifndef TESTS_FUZZ_INPUT_FILE_H
#define TESTS_FUZZ_INPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

/** The folder; made at the first call. */
const char *input_folder(void);
/** Writes the file NAME there. @return its path, valid until the next call */
const char *input_file(const char *name, const uint8_t *data, size_t size);

#endif
