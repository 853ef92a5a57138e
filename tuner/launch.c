#include "tuner/launch.h"

#include "core/status.h"
#include "tuner/launch_report.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef MBTUNE_MPIEXEC
#define MBTUNE_MPIEXEC "mpiexec.mpich"
#endif

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

/* replaces the content of the report file by "<key> <value>": one write of one length, so that the
 * launcher never reads half of it */
static void report(const char *key, long value) {
    const char *path = environment(LAUNCH_VARIABLE);
    if (path == NULL) {
        return;
    }
    const int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return; /* the launcher is gone: nobody listens */
    }
    char text[LAUNCH_REPORT_BYTES] = "";
    (void)snprintf(text, sizeof text, "%s %ld\n", key, value);
    if (write(file, text, sizeof text) != (ssize_t)sizeof text) {
        (void)fprintf(stderr, "mbtune: cannot tell the launcher: %s\n", status_errno(errno));
    }
    (void)close(file);
}

void launch_report_start(void) {
    report(LAUNCH_KEY_STARTED, (long)getpid());
}

void launch_report_joined(void) {
    report(LAUNCH_KEY_JOINED, (long)getpid());
}

void launch_report_exit(int status, bool finalize) {
    report(finalize ? LAUNCH_KEY_EXIT : LAUNCH_KEY_LEFT, (long)status);
}

bool launch_plain(void) {
    const char *text = environment("NO_COLOR");
    return text != NULL && *text != '\0';
}

int launch_columns(void) {
    const char *text = environment(LAUNCH_COLUMNS_VARIABLE);
    return (text == NULL) ? 0 : (int)strtol(text, NULL, 10);
}
