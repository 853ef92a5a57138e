/* One coordinator per study, also where several hosts see its folder. */
#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"
#include "tuner/study_folder.h"

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

enum { LOCK_TEXT_BYTES = 512, LIVE_BYTES = 1 << 16 };

/* how long somebody who only looks at a lock may be in the way */
#define LOOK_SECONDS 0.1
/* several times as long as live.json stays the same, also while a long study is opened */
#define WATCH_SECONDS 30.0
/* how old what other hosts wrote may look */
#define SETTLE_SECONDS 3.0
/* a live.json of another host that is younger, by the clocks of both, is a sign of life */
#define FRESH_SECONDS 60.0

static void read_holder(int descriptor, char *text, size_t size) {
    const ssize_t length = pread(descriptor, text, size - 1, 0);
    text[(length > 0) ? length : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

/* ---- file systems whose locks may not reach other hosts ---------------------------------------
 */

static bool is_here(const char *holder) {
    char own[160];
    char host[128] = "";
    (void)gethostname(host, sizeof host - 1);
    const int length = snprintf(own, sizeof own, "host %s,", host);
    return length > 0 && strncmp(holder, own, (size_t)length) == 0;
}

/* A coordinator on another host writes live.json every two seconds, and removes it when it ends in
 * order. One that is there and does not change is what a dead one left. The file's own identity is
 * compared, not times of two hosts. */
static Status watch_live(const StudyFolder *folder, const char *holder) {
    struct stat  first;
    const double end = clock_monotonic() + WATCH_SECONDS;
    if (holder[0] == '\0' || is_here(holder) || stat(folder->live, &first) != 0) {
        return STATUS_OK;
    }
    while (clock_monotonic() < end) {
        struct stat now;
        clock_sleep(WATCH_SECONDS / 60.0);
        if (stat(folder->live, &now) != 0) {
            return STATUS_OK; /* it has just ended */
        }
        if (now.st_ino != first.st_ino || now.st_mtim.tv_sec != first.st_mtim.tv_sec ||
            now.st_mtim.tv_nsec != first.st_mtim.tv_nsec) {
            FAIL(STATUS_ERR_STATE,
                 "another mbtune is running study '%s' (%s), and the locks of this file system "
                 "do not reach from host to host",
                 folder->path, holder);
        }
    }
    return STATUS_OK;
}

/* ---- the lock ---------------------------------------------------------------------------------
 */

/* host, process id and start of this coordinator, for whoever meets the lock: the kernel lets go of
 * it when the process ends, so what is written in a lock that nobody holds means nothing */
static Status write_holder(StudyFolder *folder, int descriptor) {
    char host[128] = "";
    (void)gethostname(host, sizeof host - 1);
    char         text[LOCK_TEXT_BYTES];
    char         began[32] = "";
    struct tm    parts;
    const time_t now = time(NULL);
    if (localtime_r(&now, &parts) != NULL) {
        (void)strftime(began, sizeof began, "%Y-%m-%d %H:%M:%S", &parts);
    }
    (void)snprintf(folder->holder, sizeof folder->holder, "host %s, process %ld, since %s", host,
                   (long)getpid(), began);
    const int length = snprintf(text, sizeof text, "%s\n", folder->holder);
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, text, (size_t)length, 0) != length) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot write the study's lock: %s", status_errno(errno));
    }
    return STATUS_OK;
}

Status study_folder_is_ours(const StudyFolder *folder) {
    Buffer text;
    buffer_init(&text, LIVE_BYTES);
    const Status status = file_read(folder->live, &text);
    const bool   ours = status == STATUS_OK && strstr(buffer_text(&text), folder->holder) != NULL;
    buffer_reset(&text);
    if (!ours) {
        FAIL(STATUS_ERR_INTERRUPTED,
             "another mbtune has taken study '%s' over, or its live.json was removed",
             folder->path);
    }
    return STATUS_OK;
}

/* of several that come at once the last one to write has it */
static Status claim(const StudyFolder *folder) {
    char      text[LOCK_TEXT_BYTES];
    const int length = snprintf(text, sizeof text, "{\"holder\":\"%s\"}\n", folder->holder);
    TRY(file_write_atomic(folder->live, text, (size_t)length));
    clock_sleep(SETTLE_SECONDS);
    return study_folder_is_ours(folder);
}

/* @return 0, or -1 with errno */
static int take(int descriptor, double seconds) {
    const double deadline = clock_monotonic() + fmax(seconds, LOOK_SECONDS);
    int          refused = flock(descriptor, LOCK_EX | LOCK_NB);
    while (refused != 0 && clock_monotonic() < deadline) {
        clock_sleep(LOOK_SECONDS / 10.0); /* `mbtune show` holds it for a moment to look */
        refused = flock(descriptor, LOCK_EX | LOCK_NB);
    }
    return refused;
}

static Status lock(StudyFolder *folder, int descriptor, double seconds) {
    char      holder[LOCK_TEXT_BYTES] = "";
    const int refused = take(descriptor, seconds);
    read_holder(descriptor, holder, sizeof holder);
    if (refused != 0) {
        FAIL(STATUS_ERR_STATE, "another mbtune is running study '%s' (%s)", folder->path,
             (holder[0] == '\0') ? "unknown holder" : holder);
    }
    if (folder->network) {
        TRY(watch_live(folder, holder));
    }
    TRY(write_holder(folder, descriptor));
    return folder->network ? claim(folder) : STATUS_OK;
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
    folder->network = study_folder_is_network(folder->path);
    const Status status = lock(folder, descriptor, seconds);
    if (status != STATUS_OK) {
        (void)close(descriptor);
        return status;
    }
    folder->lock = descriptor;
    return STATUS_OK;
}

/* by a coordinator on another host, whose lock does not reach this one? */
static bool lives_elsewhere(const char *path, int descriptor) {
    char        holder[LOCK_TEXT_BYTES] = "";
    struct stat found;
    read_holder(descriptor, holder, sizeof holder);
    if (holder[0] == '\0' || is_here(holder) || !study_folder_is_network(path)) {
        return false;
    }
    char      *live = file_join(path, "live.json");
    const bool fresh = live != NULL && stat(live, &found) == 0 &&
                       clock_wall() - (double)found.st_mtim.tv_sec < FRESH_SECONDS;
    free(live);
    return fresh;
}

bool study_folder_is_locked(const char *path) {
    char     *name = file_join(path, "lock");
    const int descriptor = (name == NULL) ? -1 : open(name, O_RDONLY | O_CLOEXEC);
    free(name);
    if (descriptor < 0) {
        return false;
    }
    const bool locked =
        flock(descriptor, LOCK_SH | LOCK_NB) != 0 || lives_elsewhere(path, descriptor);
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
        read_holder(descriptor, text, size);
        *since = (double)found.st_mtim.tv_sec; /* it is written once, when it is taken */
    }
    (void)close(descriptor);
    return held;
}
