/* The file system of studies: what it is, whether its locks work, how long a synced write takes. */
#include "tuner/doctor.h"

#include "core/clock.h"
#include "core/file.h"
#include "core/file_system.h"
#include "core/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { SYNCS = 9 };

#define SLOW_SYNC 0.02 /* seconds */
#define FEW_BYTES 2e9

static void describe(Diagnosis *diagnosis, const char *folder, const struct statfs *fs) {
    const double free_bytes = (double)fs->f_bavail * (double)fs->f_bsize;
    FileSystem   type = file_system(folder);

    type.name = (type.name == NULL) ? "file system of an unknown kind" : type.name;
    if (strcmp(type.name, "tmpfs") == 0) {
        doctor_add(diagnosis, "folder", FINDING_WARNING, "Put studies on a disk: --dir elsewhere.",
                   "%s lies in memory (tmpfs): a study there is gone when the machine stops",
                   folder);
    } else if (type.network) {
        doctor_add(diagnosis, "folder", FINDING_NOTE,
                   "Run one coordinator per study; keep the study's folder on one file system.",
                   "%s lies on a network file system: %s", folder, type.name);
    } else {
        doctor_add(diagnosis, "folder", FINDING_GOOD, NULL, "%s: %s", folder, type.name);
    }
    doctor_add(diagnosis, "disk", (free_bytes < FEW_BYTES) ? FINDING_WARNING : FINDING_GOOD,
               (free_bytes < FEW_BYTES)
                   ? "Make room, or set `limits: {checkpoints: ...}` below what is free."
                   : NULL,
               "%.1f GB free", free_bytes / 1e9);
}

/* a second descriptor must not get what the first one holds */
static bool locks_exclude(const char *path) {
    const int  a = open(path, O_RDWR | O_CLOEXEC);
    const int  b = open(path, O_RDWR | O_CLOEXEC);
    const bool excluded = a >= 0 && b >= 0 && flock(a, LOCK_EX | LOCK_NB) == 0 &&
                          flock(b, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    (void)close(a);
    (void)close(b);
    return excluded;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* seconds of a small write with fdatasync(), median; negative where it fails */
static double sync_seconds(int file) {
    static const char page[4096];
    double            seconds[SYNCS];
    for (size_t i = 0; i < SYNCS; i++) {
        const double begin = clock_monotonic();
        if (pwrite(file, page, sizeof page, 0) != (ssize_t)sizeof page || fdatasync(file) != 0) {
            return -1.0;
        }
        seconds[i] = clock_monotonic() - begin;
    }
    qsort(seconds, SYNCS, sizeof seconds[0], by_value);
    return seconds[SYNCS / 2];
}

static void try_file(Diagnosis *diagnosis, const char *folder) {
    char path[DOCTOR_TEXT];

    (void)snprintf(path, sizeof path, "%s/.mbtune-doctor-XXXXXX", folder);
    const int file = mkostemp(path, O_CLOEXEC);
    if (file < 0) {
        doctor_add(diagnosis, "writing", FINDING_PROBLEM,
                   "Give another folder, or ask for the right to write there.",
                   "cannot make a file in %s: %s", folder, status_errno(errno));
        return;
    }
    if (locks_exclude(path)) {
        doctor_add(diagnosis, "locks", FINDING_GOOD, NULL, "file locks work");
    } else {
        doctor_add(diagnosis, "locks", FINDING_PROBLEM,
                   "Put studies on another file system, or mount this one with locks (NFS: without "
                   "nolock; Lustre: -o flock).",
                   "file locks do not work in %s: two coordinators could spoil one study", folder);
    }
    const double seconds = sync_seconds(file);
    if (seconds < 0.0) {
        doctor_add(diagnosis, "sync", FINDING_PROBLEM, "Check that the disk is not full.",
                   "a synced write of 4 KiB fails: %s", status_errno(errno));
    } else if (seconds > SLOW_SYNC) {
        doctor_add(diagnosis, "sync", FINDING_WARNING,
                   "Use longer segments (seconds, not fractions), or a local disk for the study.",
                   "a synced write takes %.0f ms: every finished segment waits for one or two",
                   1e3 * seconds);
    } else {
        doctor_add(diagnosis, "sync", FINDING_GOOD, NULL, "a synced write takes %.2f ms",
                   1e3 * seconds);
    }
    (void)close(file);
    (void)unlink(path);
}

/* the folder itself need not be there yet: cuts the path down to what is */
static void nearest_folder(char *path) {
    struct stat found;
    while (stat(path, &found) != 0 || !S_ISDIR(found.st_mode)) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            (void)strncpy(path, ".", 2);
            return;
        }
        slash[(slash == path) ? 1 : 0] = '\0';
    }
}

void doctor_folder(Diagnosis *diagnosis, const char *folder) {
    struct statfs fs;
    char         *path = strdup(folder[0] == '\0' ? "." : folder);

    if (path == NULL) {
        return;
    }
    nearest_folder(path);
    if (strcmp(path, (folder[0] == '\0') ? "." : folder) != 0) {
        char *whole = realpath(path, NULL);
        doctor_add(diagnosis, "folder", FINDING_NOTE, NULL,
                   "%s is no folder yet: looked at %s instead, where it would be made", folder,
                   (whole != NULL) ? whole : path);
        free(whole);
    }
    if (statfs(path, &fs) != 0) {
        doctor_add(diagnosis, "folder", FINDING_PROBLEM, "Give another folder.",
                   "cannot look at %s: %s", path, status_errno(errno));
    } else {
        describe(diagnosis, path, &fs);
        try_file(diagnosis, path);
    }
    free(path);
}
