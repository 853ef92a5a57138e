#include "workers/supervise.h"

#include "workers/host.h"
#include "workers/process_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STATUS_USAGE = 2,
    STATUS_NO_START = 127,
    STATUS_SIGNAL = 128,
    MEMORY_POLL_MS = 200,
    PARENT_POLL_MS = 1000,
};

typedef struct Supervise {
    double      memory; /* bytes; 0 = no limit */
    bool        bind;
    cpu_set_t   cores;
    const char *gpus;    /* NULL = leave the variable alone */
    long        threads; /* 0 = leave the variables alone */
    int         report;  /* descriptor or -1 */
    pid_t       parent;  /* 0 = not checked */
    char      **command;
    /* while it runs */
    pid_t  trainer;
    bool   ended; /* trainer_status holds */
    int    trainer_status;
    double excess; /* resident bytes when over the limit, else 0 */
} Supervise;

/* this is a command of its own: what is wrong goes to its stderr, which is the trainer's log */
static int complain(const char *format, ...) PRINTF_LIKE(1, 2);

static int complain(const char *format, ...) {
    char    text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    (void)dprintf(STDERR_FILENO, "mbtune supervise: %s\n", text);
    return STATUS_USAGE;
}

static bool read_count(const char *text, long largest, long *out) {
    char *end = NULL;
    errno = 0;
    const long value = strtol(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < 0 || value > largest) {
        return false;
    }
    *out = value;
    return true;
}

/* "0,2-3" */
static bool read_cores(const char *text, cpu_set_t *out) {
    CPU_ZERO(out);
    const char *at = text;
    while (*at != '\0') {
        char      *end = NULL;
        const long first = strtol(at, &end, 10);
        long       last = first;
        if (end == at) {
            return false;
        }
        if (*end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
            if (end == at) {
                return false;
            }
        }
        if (first < 0 || last < first || last >= CPU_SETSIZE || (*end != ',' && *end != '\0')) {
            return false;
        }
        for (long core = first; core <= last; core++) {
            CPU_SET((size_t)core, out);
        }
        at = (*end == ',') ? end + 1 : end;
    }
    return CPU_COUNT(out) > 0;
}

/* one option with its value; false after a complaint */
static bool read_option(Supervise *s, const char *name, const char *value) {
    long count = 0;
    bool good = true;
    if (strcmp(name, "--memory") == 0) {
        char *end = NULL;
        s->memory = strtod(value, &end);
        good = end != value && *end == '\0' && s->memory >= 0.0;
    } else if (strcmp(name, "--cores") == 0) {
        s->bind = read_cores(value, &s->cores);
        good = s->bind;
    } else if (strcmp(name, "--gpus") == 0) {
        s->gpus = value;
    } else if (strcmp(name, "--threads") == 0) {
        good = read_count(value, CPU_SETSIZE, &s->threads);
    } else if (strcmp(name, "--report-fd") == 0) {
        good = read_count(value, 1 << 20, &count);
        s->report = (int)count;
    } else if (strcmp(name, "--parent") == 0) {
        good = read_count(value, 1L << 30, &count);
        s->parent = (pid_t)count;
    } else {
        (void)complain("unknown option '%.64s'; known: --memory --cores --gpus --threads "
                       "--report-fd --parent",
                       name);
        return false;
    }
    if (!good) {
        (void)complain("%s: cannot use '%.64s'", name, value);
    }
    return good;
}

static bool read_options(Supervise *s, int argc, char **argv) {
    *s = (Supervise){.report = -1};
    int i = 1;
    while (i < argc && strcmp(argv[i], "--") != 0) {

        if (i + 1 >= argc) {
            (void)complain("'%.64s' needs a value", argv[i]);
            return false;
        }
        if (!read_option(s, argv[i], argv[i + 1])) {
            return false;
        }
        i += 2;
    }
    if (i + 1 >= argc) {
        (void)complain("usage: mbtune supervise [OPTIONS] -- COMMAND...");
        return false;
    }
    s->command = argv + i + 1;
    if (s->bind && s->threads == 0) {
        s->threads = CPU_COUNT(&s->cores);
    }
    return true;
}

/* A trainer may itself use MPI; it must not take itself for a rank of this job. */
static void remove_mpi_variables(void) {
    static const char *const prefixes[] = {
        "PMI_",
        "PMIX_",
        "PMI2_",
        "MPICH_",
        "HYDRA_",
        "HYDI_",
        "MPIR_",
        "OMPI_",
        "PRTE_",
        "MPI_LOCAL",
        "MPIEXEC_",
        "SLURM_STEP",
        "SLURM_SRUN",
        "SLURM_TASK",
        "SLURM_PROCID",
        "SLURM_LOCALID",
        "SLURM_GTIDS",
        "SLURM_LAUNCH",
        "SLURM_MPI",
        "SLURM_PMI",
        "SLURM_NTASKS",
        "SLURM_NPROCS",
        "SLURM_DISTRIBUTION",
    };
    char **kept = environ;
    for (char **variable = environ; *variable != NULL; variable++) {
        bool drop = false;
        for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
            drop = drop || strncmp(*variable, prefixes[i], strlen(prefixes[i])) == 0;
        }
        if (!drop) {
            *kept++ = *variable;
        }
    }
    *kept = NULL;
}

static void set_threads(long threads) {
    char text[24];
    if (threads > 0) {
        (void)snprintf(text, sizeof text, "%ld", threads);
        (void)setenv("OMP_NUM_THREADS", text, 0);      // NOLINT(concurrency-mt-unsafe): one thread
        (void)setenv("OPENBLAS_NUM_THREADS", text, 0); // NOLINT(concurrency-mt-unsafe): one thread
    }
}

static void watched_signals(sigset_t *set) {
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGCHLD);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
    (void)sigaddset(set, SIGCONT);
}

/* between fork and exec: only calls that are safe there; errno goes up the pipe on failure */
static void become_trainer(const Supervise *s, pid_t supervisor, int failure_pipe) {
    sigset_t none;
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) {
        _exit(STATUS_NO_START);
    }
    for (int number = 1; number < NSIG; number++) {
        (void)signal(number, SIG_DFL);
    }
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL); // NOLINT(concurrency-mt-unsafe): one thread
    (void)execvp(s->command[0], s->command);
    const int reason = errno;
    if (write(failure_pipe, &reason, sizeof reason) < 0) {
        _exit(STATUS_NO_START);
    }
    _exit(STATUS_NO_START);
}

/* whatever the worker's libraries left open (sockets, shared memory) is not the trainer's */
static void close_inherited(int report) {
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        return;
    }
    for (;;) {
        const struct dirent *entry = readdir(folder); // NOLINT(concurrency-mt-unsafe): own DIR
        if (entry == NULL) {
            break;
        }
        const long fd = strtol(entry->d_name, NULL, 10);
        if (fd > STDERR_FILENO && fd != report && fd != dirfd(folder)) {
            (void)close((int)fd);
        }
    }
    (void)closedir(folder);
}

/* @return 0, or the errno that kept the command from starting */
static int start_trainer(Supervise *s) {
    int         failure[2];
    int         reason = 0;
    const pid_t self = getpid();
    if (pipe2(failure, O_CLOEXEC) != 0) {
        return errno;
    }
    s->trainer = fork();
    if (s->trainer == 0) {
        become_trainer(s, self, failure[1]);
    }
    if (s->trainer < 0) {
        reason = errno;
    }
    (void)close(failure[1]);
    if (s->trainer > 0) {
        (void)setpgid(s->trainer, s->trainer); /* both sides do it: no race */
        if (read(failure[0], &reason, sizeof reason) != (ssize_t)sizeof reason) {
            reason = 0;
        }
    }
    (void)close(failure[0]);
    return reason;
}

/* the trainer's pipes must end when it ends, not when this process does */
static void let_go_of_pipes(void) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
        (void)close(null);
    }
}

static void reap(Supervise *s) {
    int   status = 0;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    while (pid > 0) {
        if (pid == s->trainer) {
            s->ended = true;
            s->trainer_status = status;
        }
        pid = waitpid(-1, &status, WNOHANG);
    }
}

/* A batch system sends SIGTERM to every process of a job whose time is over, which its study then
 * uses to end what runs in order: only the parent's word counts, where there is one. */
static bool is_asked_to_end(const Supervise *s, int number, const siginfo_t *info) {
    const bool ends = number == SIGTERM || number == SIGINT || number == SIGHUP;
    return ends && (s->parent == 0 || info->si_pid == s->parent);
}

/* until the trainer ends, is over its memory, or somebody asks for the end; @return the signal that
 * asked, else 0 */
static int watch(Supervise *s) {
    sigset_t set;
    watched_signals(&set);
    const long            wait_ms = (s->memory > 0.0) ? MEMORY_POLL_MS : PARENT_POLL_MS;
    const struct timespec wait = {.tv_sec = wait_ms / 1000, .tv_nsec = (wait_ms % 1000) * 1000000};
    while (!s->ended) {
        siginfo_t info;
        const int number = sigtimedwait(&set, &info, &wait);
        if (is_asked_to_end(s, number, &info)) {
            return number;
        }
        if (s->parent != 0 && getppid() != s->parent) {
            return SIGTERM;
        }
        reap(s);
        if (s->memory > 0.0 && !s->ended) {
            const double resident = process_tree_resident(getpid(), s->memory);
            if (resident > s->memory) {
                s->excess = resident;
                return 0;
            }
        }
    }
    return 0;
}

static void report(const Supervise *s, const char *what, double value) {
    if (s->report >= 0) {
        (void)dprintf(s->report, "%s %.0f\n", what, value);
    }
}

static int report_end(const Supervise *s, int asked) {
    if (asked != 0) {
        report(s, "signal", SIGTERM);
        return STATUS_SIGNAL + SIGTERM;
    }
    if (s->excess > 0.0) {
        report(s, "out_of_memory", s->excess);
        return STATUS_SIGNAL + SIGKILL;
    }
    if (WIFSIGNALED(s->trainer_status)) {
        report(s, "signal", WTERMSIG(s->trainer_status));
        return STATUS_SIGNAL + WTERMSIG(s->trainer_status);
    }
    report(s, "exit", WEXITSTATUS(s->trainer_status));
    return WEXITSTATUS(s->trainer_status);
}

static int help(void) {
    (void)printf(
        "usage: mbtune supervise [OPTIONS] -- COMMAND...\n"
        "\n"
        "Runs a trainer so that nothing of it outlives this process.\n"
        "\n"
        "  --memory BYTES   kill it when its processes hold more (resident)\n"
        "  --cores LIST     bind it to these cores, such as 0,2-3\n"
        "  --gpus LIST      its CUDA_VISIBLE_DEVICES\n"
        "  --threads N      OMP_NUM_THREADS and its like, where unset\n"
        "  --report-fd N    where to write how it ended\n"
        "  --parent PID     end when this is not the parent any more; only its signals count\n");
    return 0;
}

int supervise_main(int argc, char **argv) {
    Supervise s;
    sigset_t  set;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        return help();
    }
    if (!read_options(&s, argc, argv)) {
        return STATUS_USAGE;
    }
    watched_signals(&set);
    (void)signal(SIGCHLD, SIG_DFL); /* ignored ones would be reaped by the kernel, status lost */
    (void)sigprocmask(SIG_BLOCK, &set, NULL); // NOLINT(concurrency-mt-unsafe): one thread
    /* the one signal that also wakes a process that was stopped; it then looks for its parent */
    (void)prctl(PR_SET_PDEATHSIG, (s.parent != 0) ? SIGCONT : SIGTERM);
    if (s.parent != 0 && getppid() != s.parent) {
        return STATUS_SIGNAL + SIGTERM; /* it died before the line above */
    }
    (void)setsid();
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    close_inherited(s.report);
    if (s.report >= 0) {
        (void)fcntl(s.report, F_SETFD, FD_CLOEXEC);
    }
    if (s.bind && sched_setaffinity(0, sizeof s.cores, &s.cores) != 0) {
        return complain("--cores: cannot bind: %s", ERRNO_TEXT(errno));
    }
    remove_mpi_variables();
    set_threads(s.threads);
    if (s.gpus != NULL) {
        (void)setenv(HOST_GPUS_VARIABLE, s.gpus, 1); // NOLINT(concurrency-mt-unsafe): one thread
    }
    if (s.parent != 0) {
        (void)setenv(SUPERVISED_VARIABLE, "1", 1); // NOLINT(concurrency-mt-unsafe): one thread
    }

    const int reason = start_trainer(&s);
    if (reason != 0) {
        (void)complain("cannot start '%.128s': %s", s.command[0], ERRNO_TEXT(reason));
        report(&s, "start", reason);
        return STATUS_NO_START;
    }
    let_go_of_pipes();
    const int asked = watch(&s);
    (void)kill(-s.trainer, SIGKILL);
    process_tree_reap_all();
    return report_end(&s, asked);
}
