#include "workers/checkpoint.h"

#include "core/buffer.h"
#include "core/file.h"
#include "workers/process_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char suffix[] = ".tmp";

Status checkpoints_init(Checkpoints *checkpoints, const char *study_folder) {
    memset(checkpoints, 0, sizeof *checkpoints);
    checkpoints->folder = file_join(study_folder, "checkpoints");
    if (checkpoints->folder == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    const Status status = file_make_folder(checkpoints->folder);
    if (status != STATUS_OK) {
        checkpoints_reset(checkpoints);
    }
    return status;
}

void checkpoints_reset(Checkpoints *checkpoints) {
    free(checkpoints->folder);
    memset(checkpoints, 0, sizeof *checkpoints);
}

/* a name comes in by message: it must not lead out of the folder */
static Status check_name(const char *name) {
    const size_t length = strlen(name);
    if (length == 0 || length + sizeof suffix > CHECKPOINT_NAME_BYTES || name[0] == '.' ||
        strchr(name, '/') != NULL) {
        FAIL(STATUS_ERR_ARG, "'%.64s' is no name of a checkpoint", name);
    }
    return STATUS_OK;
}

/* FOLDER/NAME and the suffix, or "" for none; NULL when memory is out */
static char *path_of(const Checkpoints *checkpoints, const char *name, const char *end) {
    char file[CHECKPOINT_NAME_BYTES + sizeof suffix];
    (void)snprintf(file, sizeof file, "%s%s", name, end);
    return file_join(checkpoints->folder, file);
}

static CheckpointKnown *find_known(Checkpoints *checkpoints, const char *name) {
    for (size_t i = 0; i < CHECKPOINT_KNOWN; i++) {
        if (strcmp(checkpoints->known[i].name, name) == 0) {
            return &checkpoints->known[i];
        }
    }
    return NULL;
}

/* only files: nothing in a folder's own inode tells of a change in what lies in it */
static void remember(Checkpoints *checkpoints, const char *name, const struct stat *about,
                     uint64_t bytes, uint64_t checksum) {
    CheckpointKnown *known = find_known(checkpoints, name);
    if (!S_ISREG(about->st_mode)) {
        return;
    }
    if (known == NULL) {
        known = &checkpoints->known[checkpoints->next];
        checkpoints->next = (checkpoints->next + 1) % CHECKPOINT_KNOWN;
    }
    (void)snprintf(known->name, sizeof known->name, "%s", name);
    known->bytes = bytes;
    known->checksum = checksum;
    known->inode = about->st_ino;
    known->size = about->st_size;
    known->modified = about->st_mtim;
    known->changed = about->st_ctim;
}

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool is_same(const CheckpointKnown *known, const struct stat *about) {
    return known->inode == about->st_ino && known->size == about->st_size &&
           same_time(known->modified, about->st_mtim) && same_time(known->changed, about->st_ctim);
}

/* Is it this process, or the way to the file, that is to blame? Then another may still read it. */
static Status blame(long native) {
    switch (native) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EACCES:
    case EPERM:
    case EINTR:
    case EIO:
    case ESTALE:
    case ETIMEDOUT:
    case ENOTCONN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
        return STATUS_ERR_IO;
    default:
        return STATUS_ERR_CORRUPT;
    }
}

static Status measure(const char *name, const char *path, uint64_t bytes, uint64_t checksum) {
    uint64_t found_bytes = 0;
    uint64_t found_checksum = 0;
    if (file_digest(path, &found_bytes, &found_checksum) != STATUS_OK) {
        const ErrorInfo why = *status_last();
        FAIL_NATIVE(blame(why.native), why.native, "checkpoint %s cannot be read: %s", name,
                    why.text);
    }
    if (found_bytes != bytes) {
        FAIL(STATUS_ERR_CORRUPT, "checkpoint %s has %" PRIu64 " bytes, %" PRIu64 " were written",
             name, found_bytes, bytes);
    }
    if (found_checksum != checksum) {
        FAIL(STATUS_ERR_CORRUPT,
             "checkpoint %s has the checksum %016" PRIx64 ", %016" PRIx64 " was written", name,
             found_checksum, checksum);
    }
    return STATUS_OK;
}

void checkpoint_forget(Checkpoints *checkpoints, const char *name) {
    CheckpointKnown *known = find_known(checkpoints, name);
    if (known != NULL) {
        memset(known, 0, sizeof *known);
    }
}

Status checkpoint_verify(Checkpoints *checkpoints, const char *name, uint64_t bytes,
                         uint64_t checksum) {
    struct stat about;
    TRY(check_name(name));
    char *path = path_of(checkpoints, name, "");
    if (path == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    Status status = STATUS_OK;
    if (stat(path, &about) != 0) {
        status = FAILURE_NATIVE(blame(errno), errno, "checkpoint %s %s: %s", name,
                                (errno == ENOENT) ? "is missing" : "cannot be looked at",
                                ERRNO_TEXT(errno));
        free(path);
        return status;
    }
    const CheckpointKnown *known = find_known(checkpoints, name);
    if (known == NULL || !S_ISREG(about.st_mode) || !is_same(known, &about) ||
        known->bytes != bytes || known->checksum != checksum) {
        status = measure(name, path, bytes, checksum);
        if (status == STATUS_OK) {
            remember(checkpoints, name, &about, bytes, checksum);
        }
    }
    free(path);
    return status;
}

Status checkpoint_prepare(const Checkpoints *checkpoints, const char *name) {
    TRY(check_name(name));
    char *path = path_of(checkpoints, name, suffix);
    if (path == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    const Status status = file_remove_all(path);
    free(path);
    return status;
}

/* A link would have the segment depend on what lies outside of the study's folder, where nobody
 * counts its bytes and everybody may change it; a pipe or a device could be read for ever. */
static Status refuse_special(const char *name, const char *written) {
    if (file_is_link(written)) {
        FAIL(STATUS_ERR_PROTOCOL,
             "done, but the checkpoint %s%s is a symbolic link: it must lie in the study's folder",
             name, suffix);
    }
    if (file_is_special(written)) {
        FAIL(STATUS_ERR_PROTOCOL, "done, but the checkpoint %s%s is neither a file nor a folder",
             name, suffix);
    }
    return STATUS_OK;
}

/* `final` may be there from a try whose end nobody recorded: nothing refers to it */
static Status move(const char *written, const char *final) {
    if (file_exists(final) || file_is_folder(final)) {
        TRY(file_remove_all(final));
    }
    return file_rename(written, final);
}

static Status make_durable(const char *name, const char *written, const char *final,
                           uint64_t *bytes, uint64_t *checksum) {
    TRY(refuse_special(name, written));
    if (!file_exists(written) && !file_is_folder(written)) {
        FAIL(STATUS_ERR_PROTOCOL, "done, but the checkpoint %s%s was not written", name, suffix);
    }
    TRY(file_sync(written));
    TRY(file_digest(written, bytes, checksum));
    return move(written, final);
}

Status checkpoint_finish(Checkpoints *checkpoints, const char *name, uint64_t *bytes,
                         uint64_t *checksum) {
    struct stat before = {0};
    struct stat about;
    uint64_t    found_bytes = 0;
    uint64_t    found_checksum = 0;
    TRY(check_name(name));
    char  *written = path_of(checkpoints, name, suffix);
    char  *final = path_of(checkpoints, name, "");
    Status status = STATUS_OK;
    if (written == NULL || final == NULL) {
        status = FAILURE(STATUS_ERR_NOMEM, "no memory for a path");
    } else {
        memset(&before, 0, sizeof before);
        if (stat(written, &before) != 0) {
            before = (struct stat){0}; /* make_durable() says what is wrong */
        }
        status = make_durable(name, written, final, &found_bytes, &found_checksum);
    }
    if (status == STATUS_OK) {
        *bytes = found_bytes;
        *checksum = found_checksum;
        /* what was written to while it was measured must be read again */
        if (final != NULL && stat(final, &about) == 0 && before.st_ino == about.st_ino &&
            before.st_size == about.st_size && same_time(before.st_mtim, about.st_mtim)) {
            remember(checkpoints, name, &about, found_bytes, found_checksum);
        }
    }
    free(written);
    free(final);
    return status;
}
