#include "mbrl/agents/sealed_file.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef struct SealedHeader {
    char     magic[SEALED_MAGIC_LENGTH];
    uint32_t version;
    uint32_t zero;
    uint64_t length;
    uint64_t checksum;        /* of the payload */
    uint64_t header_checksum; /* of what stands before it */
} SealedHeader;

_Static_assert(sizeof(SealedHeader) == SEALED_HEADER_BYTES, "the header has no padding");

static Status write_all(int descriptor, const char *path, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        const ssize_t written = write(descriptor, at, length);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write %s: %s", path, status_errno(errno));
        }
        at += written;
        length -= (size_t)written;
    }
    return STATUS_OK;
}

Status sealed_file_write(const char *path, const char *magic, uint32_t version, const void *payload,
                         size_t length) {
    SealedHeader header = {
        .version = version, .length = length, .checksum = file_hash(payload, length)};
    memcpy(header.magic, magic, SEALED_MAGIC_LENGTH);
    header.header_checksum = file_hash(&header, offsetof(SealedHeader, header_checksum));

    const int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot create %s: %s", path, status_errno(errno));
    }
    Status status = write_all(descriptor, path, &header, sizeof header);
    if (status == STATUS_OK) {
        status = write_all(descriptor, path, payload, length);
    }
    if (close(descriptor) != 0 && status == STATUS_OK) {
        status =
            FAILURE_NATIVE(STATUS_ERR_IO, errno, "cannot write %s: %s", path, status_errno(errno));
    }
    if (status != STATUS_OK) {
        (void)unlink(path);
    }
    return status;
}

static Status check(const char *path, const char *magic, uint32_t version, const Buffer *file) {
    SealedHeader header;
    if (file->length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "%s is cut short: %zu bytes, not even a header", path,
             file->length);
    }
    memcpy(&header, file->data, sizeof header);
    if (memcmp(header.magic, magic, SEALED_MAGIC_LENGTH) != 0) {
        FAIL(STATUS_ERR_CORRUPT, "%s does not begin with '%s': it is something else or damaged",
             path, magic);
    }
    if (header.header_checksum != file_hash(&header, offsetof(SealedHeader, header_checksum))) {
        FAIL(STATUS_ERR_CORRUPT, "%s has a damaged header: the checksum does not match", path);
    }
    if (header.version != version) {
        FAIL(STATUS_ERR_VERSION, "%s has format version %u, this program reads %u", path,
             header.version, version);
    }
    if (header.length != file->length - sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "%s should hold %llu bytes after its header, it holds %zu", path,
             (unsigned long long)header.length, file->length - sizeof header);
    }
    if (header.checksum != file_hash(file->data + sizeof header, (size_t)header.length)) {
        FAIL(STATUS_ERR_CORRUPT, "%s is damaged: the checksum does not match", path);
    }
    return STATUS_OK;
}

Status sealed_file_read(const char *path, const char *magic, uint32_t version, Buffer *payload) {
    TRY(file_read(path, payload));
    TRY(check(path, magic, version, payload));
    buffer_consume(payload, SEALED_HEADER_BYTES);
    return buffer_status(payload);
}
