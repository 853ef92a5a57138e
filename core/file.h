/** @file file.h  Files that survive a crash: atomic replacement, fsync, checksums, whole folders.
 */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include "core/buffer.h"
#include "core/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reads a whole file of at most out->cap bytes. @return STATUS_OK; STATUS_ERR_IO (path and errno
 * text), STATUS_ERR_RANGE (longer than the cap) */
Status file_read(const char *path, Buffer *out) MUST_USE;
/** Writes `path`.tmp, syncs it, renames it to `path`, syncs the folder; all or nothing. Links in
 * place of either file are replaced, not followed. */
Status file_write_atomic(const char *path, const void *bytes, size_t length) MUST_USE;
bool   file_exists(const char *path);
bool   file_is_folder(const char *path);
/** Without following it: is this a symbolic link, whatever it leads to? */
bool file_is_link(const char *path);
/** Is this a pipe, a socket or a device, whose reading may never end? */
bool file_is_special(const char *path);
/** Makes a folder and its parents; an existing one is fine. */
Status file_make_folder(const char *path) MUST_USE;
/** Removes a file or a folder with all that is in it; a missing one is fine. Does not follow links.
 */
Status file_remove_all(const char *path) MUST_USE;
/** Syncs a file, or every file of a folder and the folder itself. */
Status file_sync(const char *path) MUST_USE;
/** Renames and syncs the folder that holds `to`. */
Status file_rename(const char *from, const char *to) MUST_USE;
/**
 * Length and XXH3-64 checksum of a file, or of a folder: its regular files in byte order of their
 * relative names, each as name, length, content. Links in a folder do not count.
 * @return STATUS_OK; STATUS_ERR_IO, also for a pipe or a device, whose end may never come
 */
Status file_digest(const char *path, uint64_t *length, uint64_t *checksum) MUST_USE;
/** XXH3-64 of memory. */
uint64_t file_hash(const void *bytes, size_t length);
/** Absolute, normalized path (the last component need not exist); the caller frees it. */
Status file_absolute(const char *path, char **out) MUST_USE;
/** "folder/name" in a new string; the caller frees it; NULL when memory is out. */
char *file_join(const char *folder, const char *name);
/** Bytes available to this user on the file system of `path`. */
Status file_space(const char *path, uint64_t *bytes) MUST_USE;

#endif
