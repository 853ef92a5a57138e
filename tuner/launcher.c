/* The process that the user started: mbtune itself, again, as ranks under mpiexec.
 *
 * Hydra ends a whole job when a rank dies. With -disable-auto-cleanup it does not, but where one of
 * its proxies has several ranks that is a race (measured with MPICH 4.0.2: rank 0 lived in 15 of 20
 * runs after kill -9 of another). So every rank gets a proxy of its own, by names of this one host:
 * 127.0.0.1, 127.0.0.2, ... (28 of 28). Data still goes through shared memory, which UCX finds by
 * itself.
 *
 * mpiexec then outlives the job if anybody in it is stopped, and a rank that dies in MPI_Init
 * leaves the others waiting in it. So it is this process that judges: it reads what the coordinator
 * reports, looks whether that still lives, gives up a start in which a proxy has ended (proxies end
 * with their rank), and ends what is left. It is the subreaper of all of it, so nothing escapes.
 */
#include "tuner/launch.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/status.h"
#include "tuner/cli.h"
#include "tuner/launch_report.h"
#include "workers/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 256, OWN_ARGUMENTS = 10, HOSTS_BYTES = 1 << 21, NAMES_PER_BYTE = 250 };

/* how often the report is read; signals and mpiexec's end wake it at once (s) */
static const double look_s = 0.05;
/* MPI_Init and the crew's start take 4 s for 64 ranks on two cores; machines may be busy (s) */
static const double start_s = 60.0;
static const double start_per_rank_s = 2.0;
/* until mpiexec has ended after the coordinator's last word, with MPI_Finalize and without (s) */
static const double finalize_s = 2.0;
static const double finalize_per_rank_s = 0.2;
static const double leave_s = 0.5;
static const double end_s = 10.0;

typedef struct Launch {
    int         report; /* descriptor */
    size_t      ranks;
    char      **argv; /* from the command's name on */
    pid_t       mpiexec;
    sigset_t    mask; /* signals that are waited for */
    sigset_t    old_mask;
    bool        over; /* mpiexec has ended, with this status */
    int         status;
    long        coordinator; /* process id; 0 = not heard of */
    bool        joined;
    long        exit_status; /* that it reported; -1 = none */
    bool        gives_up;    /* nobody is there who could be passed a signal */
    double      deadline;    /* until all have joined; then for mpiexec's end */
    const char *why;         /* the study was cut off */
} Launch;

static void set_variable(const char *name, const char *value) {
    (void)setenv(name, value, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static void export_terminal(void) {
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        char columns[16];
        (void)snprintf(columns, sizeof columns, "%u", (size.ws_col == 0) ? 80U : size.ws_col);
        set_variable(LAUNCH_COLUMNS_VARIABLE, columns);
    } else {
        (void)unsetenv(LAUNCH_COLUMNS_VARIABLE); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

/* ---- mpiexec ------------------------------------------------------------------------------------
 */

/* "localhost:1,127.0.0.1:1,..."; other MPIs than MPICH have other options and other deaths */
static size_t put_options(size_t ranks, Buffer *hosts, char **arguments) {
    size_t count = 0;
#ifdef MPICH_VERSION
    static char stay[] = "-disable-auto-cleanup";
    static char launcher_option[] = "-launcher";
    static char launcher[] = "fork";
    static char hosts_option[] = "-hosts";
    buffer_puts(hosts, "localhost:1");
    for (size_t i = 0; i + 1 < ranks; i++) {
        buffer_printf(hosts, ",127.0.%zu.%zu:1", i / NAMES_PER_BYTE, 1 + i % NAMES_PER_BYTE);
    }
    arguments[count++] = stay;
    arguments[count++] = launcher_option;
    arguments[count++] = launcher;
    arguments[count++] = hosts_option;
    arguments[count++] = hosts->data;
#else
    (void)ranks;
    (void)hosts;
    (void)arguments;
#endif
    return count;
}

/* the child becomes mpiexec, in a process group of its own: Ctrl-C is for the launcher alone */
static void become_mpiexec(const Launch *l, pid_t parent) {
    char       *binary = launch_binary();
    static char ranks_option[] = "-n";
    char        ranks[24];
    char       *program = strdup(launch_mpiexec());
    char       *arguments[MAX_ARGUMENTS] = {program};
    Buffer      hosts;
    buffer_init(&hosts, HOSTS_BYTES);
    size_t count = 1 + put_options(l->ranks, &hosts, arguments + 1);
    (void)snprintf(ranks, sizeof ranks, "%zu", l->ranks);
    arguments[count++] = ranks_option;
    arguments[count++] = ranks;
    arguments[count++] = binary;
    for (size_t i = 0; l->argv[i] != NULL && count + 1 < MAX_ARGUMENTS; i++) {
        arguments[count++] = l->argv[i];
    }
    (void)setpgid(0, 0);
    /* its proxies then end, and their ranks with them, also where it is stopped itself */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || binary == NULL || program == NULL ||
        buffer_status(&hosts) != STATUS_OK) {
        _exit(127);
    }
    const int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) {
        (void)dup2(nothing, STDIN_FILENO);
        (void)close(nothing);
    }
    (void)pthread_sigmask(SIG_SETMASK, &l->old_mask, NULL);
    (void)execvp(arguments[0], arguments);
    (void)fprintf(stderr, "mbtune: cannot start %s: %s; is MPICH installed?\n", arguments[0],
                  status_errno(errno));
    _exit(127);
}

static int start(Launch *l) {
    const pid_t parent = getpid();
    (void)sigemptyset(&l->mask);
    (void)sigaddset(&l->mask, SIGINT);
    (void)sigaddset(&l->mask, SIGTERM);
    (void)sigaddset(&l->mask, SIGHUP);
    (void)sigaddset(&l->mask, SIGCHLD);
    (void)pthread_sigmask(SIG_BLOCK, &l->mask, &l->old_mask);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void)fflush(NULL);
    l->mpiexec = fork();
    if (l->mpiexec == 0) {
        become_mpiexec(l, parent);
    }
    if (l->mpiexec < 0) {
        (void)fprintf(stderr, "mbtune: cannot start a process: %s\n", status_errno(errno));
        return CLI_EXIT_FAILED;
    }
    l->deadline = clock_monotonic() + start_s + start_per_rank_s * (double)l->ranks;
    return CLI_EXIT_DONE;
}

/* ---- what the coordinator says ------------------------------------------------------------------
 */

/* a file in memory: no disk can be too full for it, and it goes with this process */
static int make_report(Launch *l) {
    static const char nothing[LAUNCH_REPORT_BYTES];
    char              path[64];
    l->report = memfd_create("mbtune-launch", MFD_CLOEXEC);
    if (l->report < 0 || write(l->report, nothing, sizeof nothing) != (ssize_t)sizeof nothing) {
        (void)fprintf(stderr, "mbtune: cannot make a file in memory: %s\n", status_errno(errno));
        return CLI_EXIT_FAILED;
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), l->report);
    set_variable(LAUNCH_VARIABLE, path);
    return CLI_EXIT_DONE;
}

static bool starts_with(const char *text, const char *key, long *number) {
    const size_t length = strlen(key);
    if (strncmp(text, key, length) != 0 || text[length] != ' ') {
        return false;
    }
    *number = strtol(text + length, NULL, 10);
    return true;
}

static void read_report(Launch *l) {
    char          text[LAUNCH_REPORT_BYTES + 1] = "";
    const bool    heard = l->exit_status >= 0;
    const ssize_t length = pread(l->report, text, LAUNCH_REPORT_BYTES, 0);
    text[(length > 0) ? length : 0] = '\0';
    if (starts_with(text, LAUNCH_KEY_STARTED, &l->coordinator)) {
        return;
    }
    if (starts_with(text, LAUNCH_KEY_JOINED, &l->coordinator)) {
        l->joined = true;
    } else if (starts_with(text, LAUNCH_KEY_EXIT, &l->exit_status) && !heard) {
        l->deadline = clock_monotonic() + finalize_s + finalize_per_rank_s * (double)l->ranks;
    } else if (starts_with(text, LAUNCH_KEY_LEFT, &l->exit_status) && !heard) {
        l->deadline = clock_monotonic() + leave_s;
    }
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

/* passes a signal to the coordinator, which may be stopped; before it has said who it is, there is
 * nothing to save */
static void pass_on(Launch *l, int signal_number) {
    if (l->coordinator > 0) {
        (void)kill((pid_t)l->coordinator, (signal_number == SIGHUP) ? SIGTERM : signal_number);
        (void)kill((pid_t)l->coordinator, SIGCONT);
    } else {
        l->gives_up = true;
    }
}

/* mpiexec, and what was orphaned below it */
static void reap(Launch *l) {
    int   status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    while (pid > 0) {
        if (pid == l->mpiexec) {
            l->over = true;
            l->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        pid = waitpid(-1, &status, WNOHANG);
    }
}

static void wait_a_little(Launch *l) {
    const struct timespec pause = {.tv_nsec = (long)(look_s * 1e9)};
    const int             number = sigtimedwait(&l->mask, NULL, &pause);
    if (number == SIGCHLD) {
        reap(l);
    } else if (number > 0) {
        pass_on(l, number);
    }
}

/* is there anything to wait for? else l->why says what happened, unless the coordinator has said
 * how it ended */
static bool goes_on(Launch *l) {
    /* in this order: it reports before it ends */
    const bool dead = l->coordinator > 0 && !process_is_alive((pid_t)l->coordinator);
    const bool over = l->over;
    read_report(l);
    const bool late = clock_monotonic() >= l->deadline;
    if (l->exit_status >= 0) {
        return !over && !late;
    }
    if (over) {
        l->why = "mpiexec has ended";
    } else if (dead) {
        l->why = "its coordinator died";
    } else if (l->gives_up) {
        l->why = "a signal came while its processes were starting";
    } else if (!l->joined && process_tree_has_ended_child(l->mpiexec)) {
        l->why = "a process died while they were starting";
    } else if (!l->joined && late) {
        l->why = "its processes did not come together in time";
    }
    return l->why == NULL;
}

int launch_self(size_t workers, char **argv) {
    Launch l = {.ranks = workers + 1, .argv = argv, .exit_status = -1};
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    if (count + OWN_ARGUMENTS > MAX_ARGUMENTS) {
        (void)fprintf(stderr, "mbtune: %zu arguments are more than the %d that can be passed on\n",
                      count, MAX_ARGUMENTS - OWN_ARGUMENTS);
        return CLI_EXIT_USAGE;
    }
    export_terminal();
    if (make_report(&l) != CLI_EXIT_DONE || start(&l) != CLI_EXIT_DONE) {
        return CLI_EXIT_FAILED;
    }
    while (goes_on(&l)) {
        wait_a_little(&l);
    }
    process_tree_end(NULL, 0, end_s);
    if (l.exit_status >= 0) {
        return (int)l.exit_status;
    }
    if (l.over && l.status == 127) {
        return CLI_EXIT_FAILED;
    }
    (void)fprintf(stderr,
                  "mbtune: the study was cut off: %s; run the same command again to resume it\n",
                  l.why);
    return CLI_EXIT_RESUMABLE;
}
