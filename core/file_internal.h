/** @file file_internal.h  Shared by file.c and file_tree.c only. */
#ifndef CORE_FILE_INTERNAL_H
#define CORE_FILE_INTERNAL_H

#include "core/status.h"

#include <errno.h>

/* "cannot open /path: No such file or directory", with errno kept as the native code */
#define FILE_FAIL(verb, path) \
    FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot %s %s: %s", (verb), (path), status_errno(errno))
#define FILE_FAILURE(verb, path) \
    FAILURE_NATIVE(STATUS_ERR_IO, errno, "cannot %s %s: %s", (verb), (path), status_errno(errno))

/** Opens, syncs and closes one file or one folder. @return STATUS_OK, STATUS_ERR_IO */
Status file__sync_one(const char *path) MUST_USE;
/** STATUS_ERR_NOMEM with the path in the text. */
Status file__out_of_memory(const char *path);

#endif
