/* Durability: content is synced before a rename makes it visible, the folder after it (a rename is
 * only on disk once its folder is). What walks whole folders is in file_tree.c.
 */
#include "core/file.h"

#include "core/file_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { READ_CHUNK = 65536, FOLDER_MODE = 0777, FILE_MODE = 0666 };

char *file_join(const char *folder, const char *name) {
    const size_t length = strlen(folder);
    const bool   slash = length > 0 && folder[length - 1] != '/';
    const size_t size = length + strlen(name) + 2;
    char        *path = malloc(size);
    if (path != NULL) {
        (void)snprintf(path, size, "%s%s%s", folder, slash ? "/" : "", name);
    }
    return path;
}

/* the folder that holds `path`, "." for a bare name; NULL when memory is out */
static char *parent_of(const char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    while (length > 0 && path[length - 1] != '/') {
        length--;
    }
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    char *parent = malloc(length + 2);
    if (parent != NULL) {
        memcpy(parent, (length == 0) ? "." : path, (length == 0) ? 1 : length);
        parent[(length == 0) ? 1 : length] = '\0';
    }
    return parent;
}

Status file__out_of_memory(const char *path) {
    FAIL(STATUS_ERR_NOMEM, "no memory for the path %s", path);
}

/* read() that is not bothered by signals */
static ssize_t read_some(int file, void *bytes, size_t size) {
    ssize_t length = -1;
    do {
        length = read(file, bytes, size);
    } while (length < 0 && errno == EINTR);
    return length;
}

static Status read_all(int file, const char *path, Buffer *text) {
    char chunk[READ_CHUNK];
    for (;;) {
        const ssize_t length = read_some(file, chunk, sizeof chunk);
        if (length < 0) {
            FILE_FAIL("read", path);
        }
        if (length == 0) {
            return STATUS_OK;
        }
        buffer_append(text, chunk, (size_t)length);
        if (buffer_status(text) != STATUS_OK) {
            return status_prefix("cannot read %s", path);
        }
    }
}

Status file_read(const char *path, Buffer *out) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        FILE_FAIL("open", path);
    }
    Buffer text;
    buffer_init(&text, out->cap);
    const Status status = read_all(file, path, &text);
    (void)close(file);
    if (status != STATUS_OK) {
        buffer_reset(&text);
        return status;
    }
    buffer_reset(out);
    *out = text;
    return STATUS_OK;
}

static Status write_all(int file, const char *path, const unsigned char *bytes, size_t length) {
    while (length > 0) {
        const ssize_t written = write(file, bytes, length);
        if (written < 0 && errno != EINTR) {
            FILE_FAIL("write", path);
        }
        if (written > 0) {
            bytes += written;
            length -= (size_t)written;
        }
    }
    return STATUS_OK;
}

Status file__sync_one(const char *path) {
    const int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* waits for no pipe */
    if (file < 0) {
        FILE_FAIL("open", path);
    }
    /* some file systems cannot sync a folder and say EINVAL */
    if (fsync(file) != 0 && errno != EINVAL) {
        const Status status = FILE_FAILURE("sync", path);
        (void)close(file);
        return status;
    }
    (void)close(file);
    return STATUS_OK;
}

static Status sync_parent(const char *path) {
    char *parent = parent_of(path);
    if (parent == NULL) {
        return file__out_of_memory(path);
    }
    const Status status = file__sync_one(parent);
    free(parent);
    return status;
}

/* Whatever has the name, it goes, and the file is a new one: a link that somebody left there would
 * have another file written over. */
static Status write_synced(const char *path, const void *bytes, size_t length) {
    (void)unlink(path);
    const int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (file < 0) {
        FILE_FAIL("create", path);
    }
    Status status = write_all(file, path, bytes, length);
    if (status == STATUS_OK && fsync(file) != 0) {
        status = FILE_FAILURE("sync", path);
    }
    if (close(file) != 0 && status == STATUS_OK) {
        status = FILE_FAILURE("close", path);
    }
    return status;
}

Status file_write_atomic(const char *path, const void *bytes, size_t length) {
    const size_t size = strlen(path) + sizeof ".tmp";
    char        *temporary = malloc(size);
    if (temporary == NULL) {
        return file__out_of_memory(path);
    }
    (void)snprintf(temporary, size, "%s.tmp", path);
    Status status = write_synced(temporary, bytes, length);
    if (status == STATUS_OK) {
        status = file_rename(temporary, path);
    }
    if (status != STATUS_OK) {
        (void)unlink(temporary);
    }
    free(temporary);
    return status;
}

Status file_rename(const char *from, const char *to) {
    if (rename(from, to) != 0) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot rename %s to %s: %s", from, to,
                    status_errno(errno));
    }
    return sync_parent(to);
}

bool file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool file_is_link(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && S_ISLNK(info.st_mode);
}

bool file_is_special(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode) &&
           !S_ISLNK(info.st_mode);
}

bool file_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

Status file_space(const char *path, uint64_t *bytes) {
    struct statvfs info;
    if (statvfs(path, &info) != 0) {
        FILE_FAIL("ask for the free space of", path);
    }
    *bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return STATUS_OK;
}

/* one folder; an existing one is fine */
static Status make_one(const char *path) {
    if (mkdir(path, FOLDER_MODE) != 0 && !(errno == EEXIST && file_is_folder(path))) {
        FILE_FAIL("make folder", path);
    }
    return STATUS_OK;
}

Status file_make_folder(const char *path) {
    char *partial = strdup(path);
    if (partial == NULL) {
        return file__out_of_memory(path);
    }
    Status status = STATUS_OK;
    for (char *c = partial + 1; path[0] != '\0' && *c != '\0' && status == STATUS_OK; c++) {
        if (*c == '/') {
            *c = '\0';
            status = make_one(partial);
            *c = '/';
        }
    }
    if (status == STATUS_OK) {
        status = make_one(path);
    }
    free(partial);
    return status;
}

/* appends the components of `path` to `text`, which starts with "/": no "//", "." or ".." left */
static void normalize(const char *path, char *text) {
    size_t used = strlen(text);
    while (*path != '\0') {
        const size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            while (used > 1 && text[used - 1] != '/') {
                used--;
            }
            used -= used > 1;
        } else if (length > 0 && !(length == 1 && path[0] == '.')) {
            if (used > 1) {
                text[used++] = '/';
            }
            memcpy(text + used, path, length);
            used += length;
        }
        text[used] = '\0';
        path += length + (path[length] == '/');
    }
}

Status file_absolute(const char *path, char **out) {
    char start[PATH_MAX] = "/";
    if (path[0] == '\0') {
        FAIL(STATUS_ERR_ARG, "an empty path names nothing");
    }
    if (path[0] != '/' && getcwd(start, sizeof start) == NULL) {
        FILE_FAIL("find the current folder for", path);
    }
    /* a relative path keeps the current folder as the system names it */
    const size_t size = strlen(start) + strlen(path) + 2;
    char        *text = malloc(size);
    if (text == NULL) {
        return file__out_of_memory(path);
    }
    (void)snprintf(text, size, "%s", start);
    normalize(path, text);
    *out = text;
    return STATUS_OK;
}
