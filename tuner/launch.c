#include "tuner/launch.h"

#include "core/clock.h"
#include "core/status.h"
#include "tuner/launch_report.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MBTUNE_MPIEXEC
#define MBTUNE_MPIEXEC "mpiexec.mpich"
#endif

/* A launcher whose files are younger may just be starting (s): it waits 60 s and 2 s per rank for
 * all to join (launcher.c). */
static const double young_s = 3600.0;

/* nothing changes the environment while it is read: one thread, before any rank or child is started
 */
static const char *environment(const char *name) {
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): see above */
}

bool launch_under_mpi(void) {
    return environment("PMI_RANK") != NULL || environment("PMIX_RANK") != NULL ||
           environment("OMPI_COMM_WORLD_RANK") != NULL;
}

bool launch_is_own(void) {
    return environment(LAUNCH_VARIABLE) != NULL;
}

size_t launch_cores(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 1;
    }
    const int count = CPU_COUNT(&set);
    return (count < 1) ? 1 : (size_t)count;
}

const char *launch_mpiexec(void) {
    return MBTUNE_MPIEXEC;
}

char *launch_binary(void) {
    return realpath("/proc/self/exe", NULL);
}

/* replaces the content of the report file: one write of one length, so that the launcher never
 * reads half of it */
static void report(const char *key, long value, bool again) {
    const char *path = environment(LAUNCH_VARIABLE);
    if (path == NULL) {
        return;
    }
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return; /* the launcher is gone: nobody listens */
    }
    char text[LAUNCH_REPORT_BYTES] = "";
    char host[LAUNCH_HOST_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(text, sizeof text, "%s %ld %d %s\n", key, value, again ? 1 : 0, host);
    if (write(file, text, sizeof text) != (ssize_t)sizeof text) {
        (void)fprintf(stderr, "mbtune: cannot tell the launcher: %s\n", status_errno(errno));
    }
    (void)close(file);
}

void launch_report_start(void) {
    report(LAUNCH_KEY_STARTED, (long)getpid(), false);
}

void launch_report_joined(void) {
    report(LAUNCH_KEY_JOINED, (long)getpid(), false);
}

void launch_report_exit(const CoordinatorOutcome *outcome) {
    report(outcome->finalize ? LAUNCH_KEY_EXIT : LAUNCH_KEY_LEFT, (long)outcome->exit_status,
           outcome->again);
}

bool launch__starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Not our own, and not those of one that starts at this moment and will be refused. */
static bool is_leftover(int folder, const char *name, const char *own) {
    struct stat about;
    const char *slash = (own == NULL) ? NULL : strrchr(own, '/');
    if (!launch__starts_with(name, LAUNCH_FILE_PREFIX) ||
        (slash != NULL && launch__starts_with(name, slash + 1))) {
        return false;
    }
    return fstatat(folder, name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
           (double)about.st_mtime < clock_wall() - young_s;
}

void launch_remove_leftovers(const char *folder) {
    const char          *own = environment(LAUNCH_VARIABLE);
    const struct dirent *entry = NULL;
    const int            at = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR                 *entries = (at < 0) ? NULL : fdopendir(at);
    if (entries == NULL) {
        if (at >= 0) {
            (void)close(at);
        }
        return; /* whatever needs the folder says why */
    }
    while ((entry = readdir(entries)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own DIR */
        if (is_leftover(at, entry->d_name, own)) {
            (void)unlinkat(at, entry->d_name, 0);
        }
    }
    (void)closedir(entries);
}

double launch_end_time(void) {
    const char  *text = environment(LAUNCH_END_VARIABLE);
    const double when = (text == NULL) ? 0.0 : strtod(text, NULL);
    return (when > 0.0 && !isinf(when)) ? when : 0.0;
}

void launch_set_end_time(double when) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.0f", when);
    (void)setenv(LAUNCH_END_VARIABLE, text, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

bool launch_plain(void) {
    const char *text = environment("NO_COLOR");
    return text != NULL && *text != '\0';
}

int launch_columns(void) {
    const char *text = environment(LAUNCH_COLUMNS_VARIABLE);
    return (text == NULL) ? 0 : (int)strtol(text, NULL, 10);
}
