#include "tuner/launch.h"

#include "core/status.h"
#include "tuner/cli.h"
#include "tuner/launch_srun.h"
#include "tuner/slurm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
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
#define END_VARIABLE     "MBTUNE_END_TIME"

/* nothing changes the environment while it is read: one thread, before any rank or child is started
 */
static const char *environment(const char *name) {
    return getenv(name); /* NOLINT(concurrency-mt-unsafe): see above */
}

enum { REPORT_BYTES = 384, HOST_BYTES = 256, PATH_BYTES = 4096 + 64, MAX_ARGUMENTS = 256 };

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

/* replaces the content of the report file by "<key> <value> <host>" */
static void report(const char *key, long value) {
    const char *path = environment(LAUNCH_VARIABLE);
    if (path == NULL) {
        return;
    }
    const int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (file < 0) {
        return; /* the launcher is gone: nobody listens */
    }
    char text[REPORT_BYTES];
    char host[HOST_BYTES] = "";
    (void)gethostname(host, sizeof host - 1);
    const int length = snprintf(text, sizeof text, "%s %ld %s\n", key, value, host);
    if (write(file, text, (size_t)length) != length) {
        (void)fprintf(stderr, "mbtune: cannot tell the launcher: %s\n", status_errno(errno));
    }
    (void)close(file);
}

void launch_report_start(void) {
    report("pid", (long)getpid());
}

void launch_report_exit(int status, bool again) {
    report(again ? "exit-again" : "exit", (long)status);
}

double launch_end_time(void) {
    const char  *text = environment(END_VARIABLE);
    const double when = (text == NULL) ? 0.0 : strtod(text, NULL);
    return (when > 0.0 && !isinf(when)) ? when : 0.0;
}

void launch_set_end_time(double when) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.0f", when);
    (void)setenv(END_VARIABLE, text, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
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

/* reads "<key> <number> <host>" from the report file; -1 if it says something else
 * @param here  out  whether it was written on this host; may be NULL */
static long read_report(const char *path, const char *key, bool *here) {
    char      text[REPORT_BYTES] = "";
    char      host[HOST_BYTES] = "";
    char     *end = NULL;
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
    const long value = strtol(text + key_length, &end, 10);
    (void)gethostname(host, sizeof host - 1);
    if (here != NULL) {
        const size_t host_length = strlen(host);
        *here =
            *end == ' ' && strncmp(end + 1, host, host_length) == 0 && end[1 + host_length] == '\n';
    }
    return value;
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

/* the words before the program's own. @return how many */
static size_t launcher_words(const LaunchSetup *setup, char *ranks, char **words) {
    static char program[] = MBTUNE_MPIEXEC;
    static char ranks_option[] = "-n";
    if (setup->by_srun) {
        launch_srun_words(ranks, words);
        return LAUNCH_SRUN_WORDS;
    }
    words[0] = program;
    words[1] = ranks_option;
    words[2] = ranks;
    return 3;
}

/* the child becomes mpiexec or srun, in a process group of its own: Ctrl-C is for the launcher
 * alone */
static void become_launcher(const LaunchSetup *setup, size_t rank_count, char **argv,
                            const sigset_t *old_mask, pid_t parent) {
    char *binary = launch_binary();
    char  ranks[16];
    (void)snprintf(ranks, sizeof ranks, "%zu", rank_count);
    char  *arguments[MAX_ARGUMENTS] = {NULL};
    size_t count = launcher_words(setup, ranks, arguments);
    arguments[count++] = binary;
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
    (void)fprintf(stderr, "mbtune: cannot start %s: %s; is %s installed?\n", arguments[0],
                  status_errno(errno), setup->by_srun ? "Slurm" : "MPICH");
    _exit(127);
}

/* passes a signal to the coordinator; before it has said who it is, or on another host, to what
 * started it: srun passes it on */
static void pass_on(const char *path, pid_t launcher, int signal_number) {
    bool here = false;
    if (signal_number == SIGUSR1 && launch_end_time() > 0.0) {
        return; /* the coordinator knows the end better: Slurm may warn a minute too early */
    }
    const long coordinator = read_report(path, "pid", &here);
    if (coordinator > 0 && here) {
        (void)kill((pid_t)coordinator, (signal_number == SIGINT) ? SIGINT : SIGTERM);
    } else if (read_report(path, "exit", NULL) < 0 && read_report(path, "exit-again", NULL) < 0) {
        (void)kill(launcher, SIGTERM);
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

/* what the ranks find in their environment and beside it */
static Status prepare(const LaunchSetup *setup, const char *report_path, const char *hosts_path,
                      size_t *ranks) {
    (void)setenv(LAUNCH_VARIABLE, report_path, 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    export_terminal();
    *ranks = 1 + (size_t)setup->workers;
    if (!setup->by_srun) {
        return STATUS_OK;
    }
    SlurmNode *nodes = NULL;
    size_t     count = 0;
    TRY(slurm_nodes(&nodes, &count));
    const Status status =
        launch_srun_place(nodes, count, setup->workers, setup->cores, hosts_path, ranks);
    free(nodes);
    TRY(status);
    /* one thread yet; the job's one task per node is the batch script */
    (void)setenv("SLURM_HOSTFILE", hosts_path, 1); /* NOLINT(concurrency-mt-unsafe) */
    (void)unsetenv("SLURM_NTASKS_PER_NODE");       /* NOLINT(concurrency-mt-unsafe) */
    return STATUS_OK;
}

static void block_signals(bool by_srun, sigset_t *mask, sigset_t *old_mask) {
    (void)sigemptyset(mask);
    (void)sigaddset(mask, SIGINT);
    (void)sigaddset(mask, SIGTERM);
    (void)sigaddset(mask, SIGHUP);
    (void)sigaddset(mask, SIGCHLD);
    if (by_srun) {
        (void)sigaddset(mask, SIGUSR1);
    }
    (void)pthread_sigmask(SIG_BLOCK, mask, old_mask);
}

/* what the coordinator has said; else what can be told from the launcher's end */
static LaunchOutcome outcome_of(const LaunchSetup *setup, const char *path, int launched) {
    const long again = read_report(path, "exit-again", NULL);
    const long reported = (again >= 0) ? again : read_report(path, "exit", NULL);
    if (reported >= 0) {
        return (LaunchOutcome){.status = (int)reported, .again = again >= 0};
    }
    if (launched == 127) {
        return (LaunchOutcome){.status = CLI_EXIT_FAILED};
    }
    (void)fprintf(stderr,
                  "mbtune: the study was cut off (%s ended with status %d); run the same "
                  "command again to resume it\n",
                  setup->by_srun ? "srun" : "mpiexec", launched);
    return (LaunchOutcome){.status = CLI_EXIT_RESUMABLE, .again = true};
}

static LaunchOutcome launch(const LaunchSetup *setup, char **argv, const char *report_path,
                            const char *hosts_path) {
    const LaunchOutcome failed = {.status = CLI_EXIT_FAILED};
    sigset_t            mask;
    sigset_t            old_mask;
    size_t              ranks = 0;
    const Status        prepared = prepare(setup, report_path, hosts_path, &ranks);
    if (prepared != STATUS_OK) {
        return (LaunchOutcome){.status = cli_complain(prepared)};
    }
    block_signals(setup->by_srun, &mask, &old_mask);
    (void)fflush(NULL);
    const pid_t parent = getpid();
    const pid_t launcher = fork();
    if (launcher == 0) {
        become_launcher(setup, ranks, argv, &old_mask, parent);
    }
    if (launcher < 0) {
        (void)fprintf(stderr, "mbtune: cannot start a process: %s\n", status_errno(errno));
        return failed;
    }
    return outcome_of(setup, report_path, wait_for(launcher, report_path, &mask));
}

LaunchOutcome launch_self(const LaunchSetup *setup, char **argv) {
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    if (count + LAUNCH_SRUN_WORDS + 2 > MAX_ARGUMENTS) {
        (void)fprintf(stderr, "mbtune: %zu arguments are more than the %d that can be passed on\n",
                      count, MAX_ARGUMENTS - LAUNCH_SRUN_WORDS - 2);
        return (LaunchOutcome){.status = CLI_EXIT_USAGE};
    }
    char      path[PATH_BYTES];
    char      hosts[PATH_BYTES + 8];
    const int length = snprintf(path, sizeof path, "%s/mbtune-launch-XXXXXX", setup->folder);
    if (length < 0 || (size_t)length >= sizeof path) {
        (void)fprintf(stderr, "mbtune: the path of the study is too long: %s\n", setup->folder);
        return (LaunchOutcome){.status = CLI_EXIT_FAILED};
    }
    const int file = mkstemp(path);
    if (file < 0) {
        (void)fprintf(stderr, "mbtune: cannot make '%s': %s\n", path, status_errno(errno));
        return (LaunchOutcome){.status = CLI_EXIT_FAILED};
    }
    (void)close(file);
    (void)snprintf(hosts, sizeof hosts, "%s.hosts", path);
    const LaunchOutcome outcome = launch(setup, argv, path, hosts);
    (void)unlink(path);
    (void)unlink(hosts);
    return outcome;
}
