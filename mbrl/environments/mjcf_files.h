/** @file mjcf_files.h  Which files an MJCF file loads, and one hash of them all. */
#ifndef MBRL_ENVIRONMENTS_MJCF_FILES_H
#define MBRL_ENVIRONMENTS_MJCF_FILES_H

#include "core/status.h"

#include <stddef.h>

enum { MJCF_HASH_SIZE = 17 };

/**
 * 16 hexadecimal digits of the contents of an MJCF file and of everything that it names: included
 * files and what those name, meshes, height fields, textures, skins. Places are left out, so a
 * study may move with its files. A file that names no other has the hash of its own text.
 *
 * What is named is looked for where MuJoCo does: under the directories of `meshdir` and
 * `texturedir`, of whichever file, relative to the model, and beside it. Where several of these
 * exist all count, and what does not exist does not: the compiler refuses a model that lacks one.
 *
 * @return STATUS_OK; STATUS_ERR_IO (a file that exists and cannot be read), STATUS_ERR_RANGE (more
 *         than 1000 files, or an XML text above 4 MiB), STATUS_ERR_NOMEM; `hash` is unchanged on
 * failure
 */
Status mjcf_files_hash(const char *file, char hash[MJCF_HASH_SIZE]) MUST_USE;

#endif
