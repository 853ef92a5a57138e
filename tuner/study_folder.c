#include "tuner/study_folder.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOCK_TEXT_BYTES = 512 };

/* how long somebody who only looks at a lock may be in the way */
#define LOOK_SECONDS 0.1

Status study_folder_init(const char *path, StudyFolder *folder) {
    memset(folder, 0, sizeof *folder);
    folder->lock = -1;
    TRY(file_absolute(path, &folder->path));
    folder->study_file = file_join(folder->path, "study.yaml");
    folder->database = file_join(folder->path, "study.db");
    folder->checkpoints = file_join(folder->path, "checkpoints");
    folder->logs = file_join(folder->path, "logs");
    folder->requests = file_join(folder->path, "requests");
    if (folder->study_file == NULL || folder->database == NULL || folder->checkpoints == NULL ||
        folder->logs == NULL || folder->requests == NULL) {
        study_folder_reset(folder);
        FAIL(STATUS_ERR_NOMEM, "no memory for the paths of study '%s'", path);
    }
    return STATUS_OK;
}

void study_folder_reset(StudyFolder *folder) {
    if (folder->path != NULL && folder->lock >= 0) {
        (void)close(folder->lock);
    }
    free(folder->path);
    free(folder->study_file);
    free(folder->database);
    free(folder->checkpoints);
    free(folder->logs);
    free(folder->requests);
    memset(folder, 0, sizeof *folder);
    folder->lock = -1;
}

bool study_folder_begun(const StudyFolder *folder) {
    return file_exists(folder->database);
}

/* what a coordinator that was killed before its database was complete may leave behind */
static bool is_ours(const char *name) {
    static const char *const names[] = {".",    "..",       "study.yaml", "checkpoints",
                                        "logs", "requests", "lock",       "study.yaml.tmp"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return strncmp(name, "study.db", strlen("study.db")) == 0;
}

static Status refuse_foreign(const StudyFolder *folder) {
    DIR *entries = opendir(folder->path);
    if (entries == NULL) {
        if (errno == ENOENT) {
            return STATUS_OK;
        }
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open '%s': %s", folder->path,
                    status_errno(errno));
    }
    char                 foreign[256] = "";
    const struct dirent *entry = NULL;
    /* one thread reads this folder: readdir is safe */
    while ((entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        if (!is_ours(entry->d_name)) {
            (void)snprintf(foreign, sizeof foreign, "%s", entry->d_name);
            break;
        }
    }
    (void)closedir(entries);
    if (foreign[0] != '\0') {
        FAIL(STATUS_ERR_STATE,
             "'%s' exists and is no study (it holds '%s'); give another folder with --dir",
             folder->path, foreign);
    }
    return STATUS_OK;
}

Status study_folder_make(const StudyFolder *folder) {
    if (!study_folder_begun(folder)) {
        TRY(refuse_foreign(folder));
    }
    TRY(study_folder_refuse_links(folder));
    TRY(file_make_folder(folder->path));
    TRY(file_make_folder(folder->checkpoints));
    TRY(file_make_folder(folder->logs));
    TRY(file_make_folder(folder->requests));
    return STATUS_OK;
}

Status study_folder_refuse_links(const StudyFolder *folder) {
    const char *const paths[] = {folder->study_file, folder->database, folder->checkpoints,
                                 folder->logs, folder->requests};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (file_is_link(paths[i])) {
            FAIL(
                STATUS_ERR_STATE,
                "'%s' is a symbolic link: mbtune writes only in the study's own folder; replace it "
                "by what it leads to, or put the whole study there with --dir",
                paths[i]);
        }
    }
    return STATUS_OK;
}

/* host, process id and start of this coordinator, for whoever meets the lock: the kernel lets go of
 * it when the process ends, so what is written in a lock that nobody holds means nothing */
static Status write_holder(int descriptor) {
    char host[128] = "";
    (void)gethostname(host, sizeof host - 1);
    char         text[LOCK_TEXT_BYTES];
    char         began[32] = "";
    struct tm    parts;
    const time_t now = time(NULL);
    if (localtime_r(&now, &parts) != NULL) {
        (void)strftime(began, sizeof began, "%Y-%m-%d %H:%M:%S", &parts);
    }
    const int length = snprintf(text, sizeof text, "host %s, process %ld, since %s\n", host,
                                (long)getpid(), began);
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text, (size_t)length, 0) != length) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write the study's lock: %s", status_errno(errno));
    }
    return STATUS_OK;
}

Status study_folder_lock(StudyFolder *folder, double seconds) {
    TRY(study_folder_refuse_links(folder));
    char *path = file_join(folder->path, "lock");
    if (path == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the path of the lock");
    }
    const int descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    free(path);
    if (descriptor < 0 && errno == ELOOP) {
        FAIL(STATUS_ERR_STATE, "the lock of '%s' is a symbolic link, which mbtune does not follow",
             folder->path);
    }
    if (descriptor < 0) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open the lock of '%s': %s", folder->path,
                    status_errno(errno));
    }
    const double deadline = clock_monotonic() + fmax(seconds, LOOK_SECONDS);
    int          refused = flock(descriptor, LOCK_EX | LOCK_NB);
    while (refused != 0 && clock_monotonic() < deadline) {
        clock_sleep(LOOK_SECONDS / 10.0); /* `mbtune show` holds it for a moment to look */
        refused = flock(descriptor, LOCK_EX | LOCK_NB);
    }
    if (refused != 0) {
        char          holder[LOCK_TEXT_BYTES] = "";
        const ssize_t length = pread(descriptor, holder, sizeof holder - 1, 0);
        holder[(length > 0) ? length : 0] = '\0';
        holder[strcspn(holder, "\n")] = '\0';
        (void)close(descriptor);
        FAIL(STATUS_ERR_STATE, "another mbtune is running study '%s' (%s)", folder->path,
             (holder[0] == '\0') ? "unknown holder" : holder);
    }
    const Status status = write_holder(descriptor);
    if (status != STATUS_OK) {
        (void)close(descriptor);
        return status;
    }
    folder->lock = descriptor;
    return STATUS_OK;
}

bool study_folder_is_locked(const char *path) {
    char     *name = file_join(path, "lock");
    const int descriptor = (name == NULL) ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    free(name);
    if (descriptor < 0) {
        return false;
    }
    const bool locked = flock(descriptor, LOCK_SH | LOCK_NB) != 0;
    (void)close(descriptor);
    return locked;
}

bool study_folder_holder(const char *path, char *text, size_t size, double *since) {
    struct stat found;
    char       *name = file_join(path, "lock");
    const int   descriptor = (name == NULL) ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    free(name);
    if (descriptor < 0) {
        return false;
    }
    const bool held = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && fstat(descriptor, &found) == 0;
    if (held) {
        const ssize_t length = pread(descriptor, text, size - 1, 0);
        text[(length > 0) ? length : 0] = '\0';
        text[strcspn(text, "\n")] = '\0';
        *since = (double)found.st_mtim.tv_sec; /* it is written once, when it is taken */
    }
    (void)close(descriptor);
    return held;
}

Status study_folder_freeze(const StudyFolder *folder, const char *text, size_t length) {
    if (file_exists(folder->study_file) && study_folder_begun(folder)) {
        FAIL(STATUS_ERR_STATE, "'%s' is frozen already", folder->study_file);
    }
    return file_write_atomic(folder->study_file, text, length);
}

char *study_folder_checkpoint(const StudyFolder *folder, const char *name) {
    return file_join(folder->checkpoints, name);
}
