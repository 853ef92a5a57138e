/** @file sealed_file.h  Files that know their own length and checksum.
 *
 * A header of 40 bytes (magic, version, 0, payload length, XXH3-64 of the payload, XXH3-64 of the
 * header before it), then the payload, in the machine's byte order.
 */
#ifndef MBRL_AGENTS_SEALED_FILE_H
#define MBRL_AGENTS_SEALED_FILE_H

#include "core/buffer.h"
#include "core/status.h"

#include <stdint.h>

enum { SEALED_MAGIC_LENGTH = 8, SEALED_HEADER_BYTES = 40 };

/** Writes a new file (it must not exist; not synced). `magic` has 8 characters.
 * @return STATUS_OK; STATUS_ERR_IO (a file cut short is removed again) */
Status sealed_file_write(const char *path, const char *magic, uint32_t version, const void *payload,
                         size_t length) MUST_USE;
/**
 * Reads a file and checks everything that is known about it.
 * @param payload  out  the payload, in a buffer that the caller initialised
 * @return STATUS_OK; STATUS_ERR_IO, STATUS_ERR_CORRUPT (another magic, cut short, too long, a wrong
 *         checksum), STATUS_ERR_VERSION; each with the path in the text
 */
Status sealed_file_read(const char *path, const char *magic, uint32_t version,
                        Buffer *payload) MUST_USE;

#endif
