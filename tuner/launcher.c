/* The process that the user started: mbtune itself, again, as ranks under mpiexec or srun.
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
#include "tuner/launch_srun.h"
#include "tuner/slurm.h"
#include "workers/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
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

enum {
    MAX_ARGUMENTS = 256,
    OWN_ARGUMENTS = LAUNCH_SRUN_WORDS + 2,
    HOSTS_BYTES = 1 << 21,
    PATH_BYTES = 4096 + 64,
    NAMES_PER_BYTE = 250
};

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
/* a stopped coordinator; its workers wait for it for 10 s only (s) */
static const double stopped_s = 30.0;
/* srun tells its nodes before it ends (s) */
static const double srun_s = 10.0;

typedef struct Launch {
    const LaunchSetup *setup;
    char               path[PATH_BYTES];      /* srun: of the report */
    char               hosts[PATH_BYTES + 8]; /* srun: of the list of nodes */
    int                report;                /* descriptor */
    size_t             ranks;
    char             **argv;    /* from the command's name on */
    pid_t              mpiexec; /* or srun */
    sigset_t           mask;    /* signals that are waited for */
    sigset_t           old_mask;
    bool               over; /* mpiexec has ended, with this status */
    int                status;
    long               coordinator; /* process id; 0 = not heard of */
    bool               is_here;     /* it runs on this host */
    bool               again;       /* what it said with its exit status */
    bool               joined;
    long               exit_status; /* that it reported; -1 = none */
    bool               gives_up;    /* nobody is there who could be passed a signal */
    double             deadline;    /* until all have joined; then for mpiexec's end */
    double             stopped;     /* the coordinator was found so for so long, in a row (s) */
    double             looked;      /* when that was looked at last */
    const char        *why;         /* the study was cut off */
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

/* "localhost:1,127.0.0.1:1,..."; another MPI ends the whole job when a rank dies */
size_t launch_mpiexec_words(size_t ranks, char *ranks_text, Buffer *hosts, char **arguments) {
    static char ranks_option[] = "-n";
    size_t      count = 0;
    arguments[count++] = strdup(launch_mpiexec());
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
#elif defined(OPEN_MPI)
    /* the slots bind their own cores; whoever runs a study as root has decided so */
    static char crowded[] = "--oversubscribe";
    static char bind_option[] = "--bind-to";
    static char nothing[] = "none";
    static char as_root[] = "--allow-run-as-root";
    (void)ranks;
    (void)hosts;
    arguments[count++] = crowded;
    arguments[count++] = bind_option;
    arguments[count++] = nothing;
    if (geteuid() == 0) {
        arguments[count++] = as_root;
    }
#else
    (void)ranks;
    (void)hosts;
#endif
    arguments[count++] = ranks_option;
    arguments[count++] = ranks_text;
    return count;
}

/* the child becomes mpiexec, in a process group of its own: Ctrl-C is for the launcher alone */
static void become_mpiexec(const Launch *l, pid_t parent) {
    char  *binary = launch_binary();
    char   ranks[24];
    char  *arguments[MAX_ARGUMENTS] = {NULL};
    size_t count = LAUNCH_SRUN_WORDS;
    Buffer hosts;
    buffer_init(&hosts, HOSTS_BYTES);
    (void)snprintf(ranks, sizeof ranks, "%zu", l->ranks);
    if (l->setup->by_srun) {
        launch_srun_words(ranks, arguments);
    } else {
        count = launch_mpiexec_words(l->ranks, ranks, &hosts, arguments);
    }
    arguments[count++] = binary;
    for (size_t i = 0; l->argv[i] != NULL && count + 1 < MAX_ARGUMENTS; i++) {
        arguments[count++] = l->argv[i];
    }
    (void)setpgid(0, 0);
    /* its proxies then end, and their ranks with them, also where it is stopped itself */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || binary == NULL || arguments[0] == NULL ||
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
    (void)fprintf(stderr, "mbtune: cannot start %s: %s; is %s installed?\n", arguments[0],
                  status_errno(errno), l->setup->by_srun ? "Slurm" : "MPICH");
    _exit(127);
}

/* under nohup; a signal that is waited for would come all the same */
static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static int start(Launch *l) {
    const pid_t parent = getpid();
    (void)sigemptyset(&l->mask);
    (void)sigaddset(&l->mask, SIGINT);
    (void)sigaddset(&l->mask, SIGTERM);
    (void)sigaddset(&l->mask, SIGCHLD);
    if (!is_ignored(SIGHUP)) {
        (void)sigaddset(&l->mask, SIGHUP);
    }
    if (l->setup->by_srun) {
        (void)sigaddset(&l->mask, SIGUSR1);
    }
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

/* A file in memory, where that reaches: no disk can be too full for it, and it goes with this
 * process. The coordinator of a Slurm job may be on another host. */
static int open_report(Launch *l) {
    if (!l->setup->by_srun) {
        (void)snprintf(l->path, sizeof l->path, "a file in memory");
        return memfd_create("mbtune-launch", MFD_CLOEXEC);
    }
    const int length =
        snprintf(l->path, sizeof l->path, "%s/" LAUNCH_FILE_PREFIX "XXXXXX", l->setup->folder);
    if (length < 0 || (size_t)length >= sizeof l->path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return mkostemp(l->path, O_CLOEXEC);
}

static int make_report(Launch *l) {
    static const char nothing[LAUNCH_REPORT_BYTES];
    char              path[64];
    l->report = open_report(l);
    if (l->report < 0 || write(l->report, nothing, sizeof nothing) != (ssize_t)sizeof nothing) {
        (void)fprintf(stderr, "mbtune: cannot make '%s': %s\n", l->path, status_errno(errno));
        return CLI_EXIT_FAILED;
    }
    (void)snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getpid(), l->report);
    set_variable(LAUNCH_VARIABLE, l->setup->by_srun ? l->path : path);
    return CLI_EXIT_DONE;
}

static const char *const of_the_script[] = {
    "SLURM_NTASKS_PER_NODE", "SLURM_CPUS_PER_TASK", "SLURM_TRES_PER_TASK", "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_NODE",    "SLURM_NTASKS",        "SLURM_NPROCS",        NULL};

/* srun: one line per rank with its node, in a file beside the report */
static Status place_ranks(Launch *l) {
    SlurmNode *nodes = NULL;
    size_t     count = 0;
    TRY(slurm_nodes(&nodes, &count));
    (void)snprintf(l->hosts, sizeof l->hosts, "%s.hosts", l->path);
    const LaunchPlaces places = {.workers = l->setup->workers,
                                 .cores = l->setup->cores,
                                 .most_per_node = l->setup->most_per_node};
    const Status       status = launch_srun_place(nodes, count, &places, l->hosts, &l->ranks);
    free(nodes);
    TRY(status);
    set_variable("SLURM_HOSTFILE", l->hosts);
    /* the job's one task per node is the batch script: srun would give each rank as much */
    for (size_t i = 0; of_the_script[i] != NULL; i++) {
        (void)unsetenv(of_the_script[i]); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return STATUS_OK;
}

static void remove_files(const Launch *l) {
    if (l->setup->by_srun && l->report >= 0) {
        (void)unlink(l->path);
        (void)unlink(l->hosts);
    }
}

static bool read_number(const char *text, const char *key, long *number) {
    const size_t length = strlen(key);
    if (!launch__starts_with(text, key) || text[length] != ' ') {
        return false;
    }
    *number = strtol(text + length, NULL, 10);
    return true;
}

/* the words behind key and number */
static void read_rest(Launch *l, const char *text) {
    char        own[LAUNCH_HOST_BYTES] = "";
    char        host[LAUNCH_HOST_BYTES] = "";
    int         again = 0;
    const char *space = strchr(text, ' ');
    (void)gethostname(own, sizeof own - 1);
    if (space != NULL && sscanf(space, " %*d %d %255s", &again, host) == 2) {
        l->is_here = strcmp(host, own) == 0;
        l->again = again != 0;
    }
}

static void read_report(Launch *l) {
    char          text[LAUNCH_REPORT_BYTES + 1] = "";
    const bool    heard = l->exit_status >= 0;
    const double  last_s = l->setup->by_srun ? srun_s : finalize_s;
    const ssize_t length = pread(l->report, text, LAUNCH_REPORT_BYTES, 0);
    text[(length > 0) ? length : 0] = '\0';
    read_rest(l, text);
    if (read_number(text, LAUNCH_KEY_STARTED, &l->coordinator)) {
        return;
    }
    if (read_number(text, LAUNCH_KEY_JOINED, &l->coordinator)) {
        l->joined = true;
    } else if (read_number(text, LAUNCH_KEY_EXIT, &l->exit_status) && !heard) {
        l->deadline = clock_monotonic() + last_s + finalize_per_rank_s * (double)l->ranks;
    } else if (read_number(text, LAUNCH_KEY_LEFT, &l->exit_status) && !heard) {
        l->deadline = clock_monotonic() + leave_s;
    }
}

/* ---- waiting ------------------------------------------------------------------------------------
 */

/* passes a signal to the coordinator, which may be stopped; before it has said who it is, there is
 * nothing to save */
static void pass_on(Launch *l, int signal_number) {
    if (signal_number == SIGUSR1 && launch_end_time() > 0.0) {
        return; /* the coordinator knows the end better: Slurm may warn a minute too early */
    }
    if (l->coordinator > 0 && l->is_here) {
        (void)kill((pid_t)l->coordinator, (signal_number == SIGINT) ? SIGINT : SIGTERM);
        (void)kill((pid_t)l->coordinator, SIGCONT);
    } else if (l->coordinator > 0) {
        (void)kill(l->mpiexec, SIGTERM); /* srun sends it on; workers do not heed it */
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

/* Between two looks at most a second counts: where a batch system stops the whole job, this process
 * does not look meanwhile. */
static bool is_stopped_for_good(Launch *l) {
    static const double most_s = 1.0;
    const bool          stopped =
        l->coordinator > 0 && l->is_here && process_is_stopped((pid_t)l->coordinator);
    const double now = clock_monotonic();
    l->stopped = stopped ? l->stopped + fmin(now - l->looked, most_s) : 0.0;
    l->looked = now;
    return l->stopped >= stopped_s;
}

/* is there anything to wait for? else l->why says what happened, unless the coordinator has said
 * how it ended */
static bool goes_on(Launch *l) {
    /* in this order: it reports before it ends */
    const bool dead = l->coordinator > 0 && l->is_here && !process_is_alive((pid_t)l->coordinator);
    const bool over = l->over;
    read_report(l);
    const bool late = clock_monotonic() >= l->deadline;
    if (l->exit_status >= 0) {
        return !over && !late;
    }
    if (over) {
        l->why = l->setup->by_srun ? "srun has ended" : "mpiexec has ended";
    } else if (dead) {
        l->why = "its coordinator died";
    } else if (is_stopped_for_good(l)) {
        l->why = "its coordinator was stopped (SIGSTOP) and did not go on for 30 s";
    } else if (l->gives_up) {
        l->why = "a signal came while its processes were starting";
    } else if (!l->joined && !l->setup->by_srun && process_tree_has_ended_child(l->mpiexec)) {
        l->why = "a process died while they were starting";
    } else if (!l->joined && late) {
        l->why = "its processes did not come together in time";
    }
    return l->why == NULL;
}

/* twice within a second: srun then ends the ranks on all nodes, and itself */
static void end_srun(Launch *l) {
    const double deadline = clock_monotonic() + srun_s;
    if (!l->setup->by_srun || l->over) {
        return;
    }
    (void)kill(l->mpiexec, SIGINT);
    clock_sleep(look_s);
    (void)kill(l->mpiexec, SIGINT);
    while (!l->over && clock_monotonic() < deadline) {
        clock_sleep(look_s);
        reap(l);
    }
}

static LaunchOutcome outcome_of(const Launch *l) {
    if (l->exit_status >= 0) {
        return (LaunchOutcome){.status = (int)l->exit_status, .again = l->again};
    }
    if (l->over && l->status == 127) {
        return (LaunchOutcome){.status = CLI_EXIT_FAILED};
    }
    (void)fprintf(stderr,
                  "mbtune: the study was cut off: %s; run the same command again to resume it\n",
                  l->why);
    return (LaunchOutcome){.status = CLI_EXIT_RESUMABLE, .again = l->joined};
}

static LaunchOutcome launch(Launch *l) {
    const LaunchOutcome failed = {.status = CLI_EXIT_FAILED};
    export_terminal();
    if (make_report(l) != CLI_EXIT_DONE) {
        return failed;
    }
    const Status placed = l->setup->by_srun ? place_ranks(l) : STATUS_OK;
    if (placed != STATUS_OK) {
        return (LaunchOutcome){.status = cli_complain(placed)};
    }
    if (start(l) != CLI_EXIT_DONE) {
        return failed;
    }
    while (goes_on(l)) {
        wait_a_little(l);
    }
    end_srun(l);
    process_tree_end(NULL, 0, end_s);
    return outcome_of(l);
}

LaunchOutcome launch_self(const LaunchSetup *setup, char **argv) {
    Launch l = {.setup = setup,
                .report = -1,
                .ranks = (size_t)setup->workers + 1,
                .argv = argv,
                .exit_status = -1};
    size_t count = 0;
    while (argv[count] != NULL) {
        count++;
    }
    if (count + OWN_ARGUMENTS > MAX_ARGUMENTS) {
        (void)fprintf(stderr, "mbtune: %zu arguments are more than the %d that can be passed on\n",
                      count, MAX_ARGUMENTS - OWN_ARGUMENTS);
        return (LaunchOutcome){.status = CLI_EXIT_USAGE};
    }
    const LaunchOutcome outcome = launch(&l);
    remove_files(&l);
    return outcome;
}
