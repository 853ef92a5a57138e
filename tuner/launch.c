#include "tuner/launch.h"

#include "core/status.h"
#include "tuner/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MBTUNE_MPIEXEC
#define MBTUNE_MPIEXEC "mpiexec.mpich"
#endif

#define LAUNCH_VARIABLE  "MBTUNE_LAUNCH"
#define COLUMNS_VARIABLE "MBTUNE_COLUMNS"

/* nothing changes the environment while it is read: one thread, before any rank or child is started
 */
static const char *environment(const char *name) {
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): see above */
}

enum { REPORT_BYTES = 64, MAX_ARGUMENTS = 256 };

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

/* ---- the coordinator's side ---------------------------------------------------------------------
 */

/* replaces the content of the report file by "<key> <value>" */
static void report(const char *key, long value) {
    const char *path = environment(LAUNCH_VARIABLE);
    if (path == NULL) {
        return;
    }
    const int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0) {
        return; /* the launcher is gone: nobody listens */
    }
    char      text[REPORT_BYTES];
    const int length = snprintf(text, sizeof text, "%s %ld\n", key, value);
    if (write(file, text, (size_t)length) != length) {
        (void)fprintf(stderr, "mbtune: cannot tell the launcher: %s\n", status_errno(errno));
    }
    (void)close(file);
}

void launch_report_start(void) {
    report("pid", (long)getpid());
}

void launch_report_exit(int status) {
    report("exit", (long)status);
}

bool launch_plain(void) {
    const char *text = environment("NO_COLOR");
    return text != NULL && *text != '\0';
}

int launch_columns(void) {
    const char *text = environment(COLUMNS_VARIABLE);
    return (text == NULL) ? 0 : (int)strtol(text, NULL, 10);
}

/* ---- the launcher's side ------------------------------------------------------------------------
 */

/* reads "<key> <number>" from the report file; -1 if it says something else */
static long read_report(const char *path, const char *key) {
    char      text[REPORT_BYTES] = "";
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return -1;
    }
    const ssize_t length = read(file, text, sizeof text - 1);
    (void)close(file);
    const size_t key_length = strlen(key);
    if (length <= 0 || strncmp(text, key, key_length) != 0 || text[key_length] != ' ') {
        return -1;
    }
    return strtol(text + key_length, NULL, 10);
}

static void export_terminal(void) {
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        char columns[16];
        (void)snprintf(columns, sizeof columns, "%u", (size.ws_col == 0) ? 80U : size.ws_col);
        (void)setenv(COLUMNS_VARIABLE, columns, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    } else {
        (void)unsetenv(COLUMNS_VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

/* the child becomes mpiexec, in a process group of its own: Ctrl-C is for the launcher alone */
static void become_mpiexec(size_t workers, char **argv, const sigset_t *old_mask, pid_t parent) {
    char *binary = launch_binary();
    char  ranks[16];
    (void)snprintf(ranks, sizeof ranks, "%zu", workers + 1);
    char   program[] = MBTUNE_MPIEXEC;
    char   ranks_option[] = "-n";
    char  *arguments[MAX_ARGUMENTS] = {program, ranks_option, ranks, binary};
    size_t count = 4;
    for (size_t i = 0; argv[i] != NULL && count + 1 < MAX_ARGUMENTS; i++) {
        arguments[count++] = argv[i];
    }
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || binary == NULL) {
        _exit(127);
    }
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)close(nothing);
    }
    (void)pthread_sigmask(SIG_SETMASK, old_mask, NULL);
    (void)execvp(arguments[0], arguments);
    (void)fprintf(stderr, "mbtune: cannot start %s: %s; is MPICH installed?\n", arguments[0],
                  status_errno(errno));
    _exit(127);
}

/* passes a signal to the coordinator; before it has said who it is, ends mpiexec */
static void pass_on(const char *path, pid_t mpiexec, int signal_number) {
    const long coordinator = read_report(path, "pid");
    if (coordinator > 0) {
        (void)kill((pid_t)coordinator, (signal_number == SIGHUP) ? SIGTERM : signal_number);
    } else if (read_report(path, "exit") < 0) {
        (void)kill(mpiexec, SIGTERM);
    }
}

static int wait_for(pid_t mpiexec, const char *path, const sigset_t *mask) {
    for (;;) {
        siginfo_t info;
        const int number = sigwaitinfo(mask, &info);
        if (number < 0) {
            continue;
        }
        if (number != SIGCHLD) {
            pass_on(path, mpiexec, number);
            continue;
        }
        int status = 0;
        if (waitpid(mpiexec, &status, WNOHANG) == mpiexec) {
            return (WIFEXITED(status)) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}

int launch_self(size_t workers, char **argv) {
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    if (count + 5 > MAX_ARGUMENTS) {
        (void)fprintf(stderr, "mbtune: %zu arguments are more than the %d that can be passed on\n",
                      count, MAX_ARGUMENTS - 5);
        return CLI_EXIT_USAGE;
    }
    const char *folder = environment("TMPDIR");
    char        path[512];
    (void)snprintf(path, sizeof path, "%s/mbtune-launch-XXXXXX",
                   (folder == NULL) ? "/tmp" : folder);
    const int file = mkstemp(path);
    if (file < 0) {
        (void)fprintf(stderr, "mbtune: cannot make '%s': %s\n", path, status_errno(errno));
        return CLI_EXIT_FAILED;
    }
    (void)close(file);
    (void)setenv(LAUNCH_VARIABLE, path, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    export_terminal();

    sigset_t mask;
    sigset_t old_mask;
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGHUP);
    (void)sigaddset(&mask, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &mask, &old_mask);
    (void)fflush(NULL);
    const pid_t parent = getpid();
    const pid_t mpiexec = fork();
    if (mpiexec == 0) {
        become_mpiexec(workers, argv, &old_mask, parent);
    }
    if (mpiexec < 0) {
        (void)fprintf(stderr, "mbtune: cannot start a process: %s\n", status_errno(errno));
        (void)unlink(path);
        return CLI_EXIT_FAILED;
    }
    const int  launched = wait_for(mpiexec, path, &mask);
    const long reported = read_report(path, "exit");
    (void)unlink(path);
    if (reported >= 0) {
        return (int)reported;
    }
    if (launched == 127) {
        return CLI_EXIT_FAILED;
    }
    (void)fprintf(stderr,
                  "mbtune: the study was cut off (mpiexec ended with status %d); run the same "
                  "command again to resume it\n",
                  launched);
    return CLI_EXIT_RESUMABLE;
}
