/** @file input_file.h  Inputs as files, for targets whose reader opens one: in a folder of this
 * process, which the end of the process removes. Whatever fails here ends the process. */
#ifndef TESTS_FUZZ_INPUT_FILE_H
#define TESTS_FUZZ_INPUT_FILE_H

#include <stddef.h>
#include <stdint.h>

/** A new folder under $TMPDIR; else in memory, since each input is written; else in /tmp.
 * @return its path, to be freed by the caller, who removes the folder */
char *input_folder_make(void);
/** Writes a file, which need not survive a crash of the machine. */
void input_write(const char *path, const void *bytes, size_t length);
/** The folder; made at the first call. */
const char *input_folder(void);
/** Writes the file NAME there. @return its path, valid until the next call */
const char *input_file(const char *name, const uint8_t *data, size_t size);

#endif
