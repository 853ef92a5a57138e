#include "tests/tuner/run_mbtune.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"
#include "results/report.h"
#include "results/results.h"
#include "tests/support/test_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANONICAL_CAP = 64 << 20, BUSY_MS = 60000, COMMAND_BYTES = 4096, MAX_PROCESSES = 512 };

static void start(Run *run, char *const *argv) {
    int ends[2];
    memset(run, 0, sizeof *run);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        const int nothing = open("/dev/null", O_RDONLY);
        (void)dup2(nothing, STDIN_FILENO);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(ends[1]);
    run->output = ends[0];
    (void)fcntl(run->output, F_SETFL, O_NONBLOCK);
}

void run_start(Run *run, const char *const *arguments) {
    char  *argv[RUN_MAX_ARGUMENTS] = {NULL};
    char   program[] = TEST_BINARY_FOLDER "/tuner/mbtune";
    size_t count = 0;
    argv[count++] = program;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        assert_true(count + 1 < RUN_MAX_ARGUMENTS);
        argv[count++] = strdup(arguments[i]);
    }
    start(run, argv);
    for (size_t i = 1; i < count; i++) {
        free(argv[i]);
    }
}

/* takes what there is to read; output beyond the buffer is dropped */
static void drain(Run *run) {
    char chunk[4096];
    for (;;) {
        const ssize_t got = read(run->output, chunk, sizeof chunk);
        if (got <= 0) {
            return;
        }
        size_t room = sizeof run->text - 1 - run->length;
        room = ((size_t)got < room) ? (size_t)got : room;
        memcpy(run->text + run->length, chunk, room);
        run->length += room;
        run->text[run->length] = '\0';
    }
}

bool run_wait_for(Run *run, double seconds, int *exit_status) {
    const double deadline = clock_monotonic() + seconds;
    for (;;) {
        int status = 0;
        drain(run);
        if (waitpid(run->pid, &status, WNOHANG) == run->pid) {
            drain(run);
            (void)close(run->output);
            *exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            return true;
        }
        if (clock_monotonic() >= deadline) {
            return false;
        }
        struct pollfd waiting = {.fd = run->output, .events = POLLIN};
        (void)poll(&waiting, 1, 10);
        if ((waiting.revents & POLLHUP) != 0) {
            clock_sleep(0.002);
        }
    }
}

int run_wait(Run *run) {
    int exit_status = 0;
    if (!run_wait_for(run, 300.0, &exit_status)) {
        (void)kill(run->pid, SIGKILL);
        fail_msg("mbtune still runs after 300 s; its output:\n%s", run->text);
    }
    return exit_status;
}

int run_mbtune(Run *run, const char *const *arguments) {
    run_start(run, arguments);
    return run_wait(run);
}

void run_shell_start(Run *run, const char *line) {
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char command[COMMAND_BYTES];
    (void)snprintf(command, sizeof command, "PATH=%s/tuner:$PATH; %s", TEST_BINARY_FOLDER, line);
    char *const argv[] = {shell, option, command, NULL};
    start(run, argv);
}

int run_shell(Run *run, const char *line) {
    run_shell_start(run, line);
    return run_wait(run);
}

void run_make_flaky_slurm(const char *folder) {
    static const char script[] =
        "#!/bin/sh\n"
        "here=$(dirname \"$0\") name=$(basename \"$0\")\n"
        "echo \"$*\" >> \"$here/$name.asked\"\n"
        "if [ \"$(grep -cxFe \"$*\" \"$here/$name.asked\")\" -lt 3 ]; then\n"
        "    echo \"$name: error: Socket timed out on send/recv operation\" >&2; exit 1\n"
        "fi\n"
        "if [ -f \"$here/answer\" ]; then . \"$here/answer\"; exit; fi\n"
        "PATH=$(echo \"$PATH\" | tr : '\\n' | grep -vxFe \"$here\" | paste -sd:)\n"
        "exec \"$name\" \"$@\"\n";
    char line[2048];
    Run  run;
    (void)snprintf(line, sizeof line,
                   "cd '%s' && cat > squeue <<'E'\n%sE\nchmod +x squeue && cp squeue scontrol",
                   folder, script);
    assert_int_equal(run_shell(&run, line), 0);
}

/* ---- processes ----------------------------------------------------------------------------------
 */

typedef struct Process {
    pid_t pid;
    pid_t parent;
    char  command[COMMAND_BYTES]; /* arguments, spaces between */
} Process;

static bool read_process(pid_t pid, Process *out) {
    char  path[64];
    char  text[1024] = "";
    FILE *file = NULL;
    out->pid = pid;
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool  got = fgets(text, sizeof text, file) != NULL;
    const char *after_name = strrchr(text, ')');
    int         parent = 0;
    char        state = 'Z';
    (void)fclose(file);
    if (!got || after_name == NULL || sscanf(after_name + 1, " %c %d", &state, &parent) != 2 ||
        state == 'Z') {
        return false;
    }
    out->parent = (pid_t)parent;
    (void)snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const size_t length = fread(out->command, 1, sizeof out->command - 1, file);
    (void)fclose(file);
    out->command[length] = '\0';
    for (size_t i = 0; i + 1 < length; i++) {
        if (out->command[i] == '\0') {
            out->command[i] = ' ';
        }
    }
    return true;
}

static size_t all_processes(Process *processes) {
    DIR                 *folder = opendir("/proc");
    const struct dirent *entry = NULL;
    size_t               count = 0;
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL && count < MAX_PROCESSES) {
        const long pid = strtol(entry->d_name, NULL, 10);
        if (pid > 1 && read_process((pid_t)pid, &processes[count])) {
            count++;
        }
    }
    (void)closedir(folder);
    return count;
}

static bool descends(const Process *processes, size_t count, pid_t pid, pid_t ancestor) {
    for (size_t depth = 0; depth < 32; depth++) {
        size_t i = 0;
        while (i < count && processes[i].pid != pid) {
            i++;
        }
        if (i == count) {
            return false;
        }
        if (processes[i].parent == ancestor) {
            return true;
        }
        pid = processes[i].parent;
    }
    return false;
}

/* what a process was started with; @return bytes of "NAME=VALUE\0NAME=VALUE\0..." */
static size_t read_environment(pid_t pid, char *text, size_t size) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    const size_t length = fread(text, 1, size - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    return length;
}

/* the value of the variable whose "NAME=" is `name`, NULL if there is none */
static const char *find_variable(const char *text, size_t length, const char *name) {
    for (const char *at = text; at < text + length; at += strlen(at) + 1) {
        if (strncmp(at, name, strlen(name)) == 0) {
            return at + strlen(name);
        }
    }
    return NULL;
}

static bool has_variable(pid_t pid, const char *text) {
    static char  environment[1 << 16];
    const size_t length = read_environment(pid, environment, sizeof environment);
    const char  *rest = find_variable(environment, length, text);
    return rest != NULL && *rest == '\0';
}

/* the rank of a process; -1 if it is none */
static int rank_of(pid_t pid) {
    static char  environment[1 << 16];
    const size_t length = read_environment(pid, environment, sizeof environment);
    const char  *rank = find_variable(environment, length, "PMI_RANK=");
    return (rank == NULL) ? -1 : (int)strtol(rank, NULL, 10);
}

static bool is_victim(const Process *process, const Run *run, Victim victim) {
    const bool is_mpiexec = process->parent == run->pid && strstr(process->command, "-hosts");
    const bool is_run = strstr(process->command, "mbtune run ") != NULL && !is_mpiexec &&
                        strstr(process->command, "hydra") == NULL;
    const bool is_supervisor = strstr(process->command, " supervise ") != NULL;
    switch (victim) {
    case VICTIM_COORDINATOR:
        return is_run && rank_of(process->pid) == 0;
    case VICTIM_WORKER:
        return is_run && rank_of(process->pid) > 0;
    case VICTIM_SUPERVISOR:
        return is_supervisor;
    case VICTIM_TRAINER:
        return !is_supervisor && (strstr(process->command, "fake_trainer") != NULL ||
                                  strstr(process->command, "mbtune train") != NULL);
    case VICTIM_MPIEXEC:
        return is_mpiexec;
    case VICTIM_LAUNCHER:
        return process->pid == run->pid;
    }
    return false;
}

pid_t run_find(const Run *run, Victim victim, unsigned choice) {
    static Process processes[MAX_PROCESSES];
    pid_t          candidates[MAX_PROCESSES];
    size_t         found = 0;
    const size_t   count = all_processes(processes);
    for (size_t i = 0; i < count; i++) {
        if (is_victim(&processes[i], run, victim) &&
            (processes[i].pid == run->pid ||
             descends(processes, count, processes[i].pid, run->pid))) {
            candidates[found++] = processes[i].pid;
        }
    }
    return (found == 0) ? 0 : candidates[choice % found];
}

bool run_kill(const Run *run, Victim victim, unsigned choice) {
    const pid_t pid = run_find(run, victim, choice);
    return pid > 0 && kill(pid, SIGKILL) == 0;
}

size_t run_below(pid_t ancestor, pid_t *out, size_t most) {
    static Process processes[MAX_PROCESSES];
    size_t         found = 0;
    const size_t   count = all_processes(processes);
    for (size_t i = 0; i < count && found < most; i++) {
        if (descends(processes, count, processes[i].pid, ancestor)) {
            out[found++] = processes[i].pid;
        }
    }
    return found;
}

pid_t run_parent(pid_t pid) {
    static Process process;
    return read_process(pid, &process) ? process.parent : 0;
}

void run_command(pid_t pid, char *out, size_t size) {
    static Process process;
    (void)snprintf(out, size, "%s", read_process(pid, &process) ? process.command : "");
}

size_t run_marked(const char *text, pid_t *out, size_t most) {
    static Process processes[MAX_PROCESSES];
    const size_t   count = all_processes(processes);
    size_t         found = 0;
    for (size_t i = 0; i < count && found < most; i++) {
        if (processes[i].pid != getpid() && has_variable(processes[i].pid, text)) {
            out[found++] = processes[i].pid;
        }
    }
    return found;
}

size_t run_signal_all(const Run *run, int signal_number) {
    static Process processes[MAX_PROCESSES];
    size_t         reached = 0;
    const size_t   count = all_processes(processes);
    for (size_t i = 0; i < count; i++) {
        if (processes[i].pid == run->pid ||
            descends(processes, count, processes[i].pid, run->pid)) {
            reached += (kill(processes[i].pid, signal_number) == 0) ? 1 : 0;
        }
    }
    return reached;
}

size_t run_count_processes(const char *needle) {
    static Process processes[MAX_PROCESSES];
    const size_t   count = all_processes(processes);
    size_t         found = 0;
    for (size_t i = 0; i < count; i++) {
        found +=
            (processes[i].pid != getpid() && strstr(processes[i].command, needle) != NULL) ? 1 : 0;
    }
    return found;
}

/* ---- what a study left --------------------------------------------------------------------------
 */

static char *database_path(const char *folder) {
    char *path = file_join(folder, "study.db");
    assert_non_null(path);
    return path;
}

/* "segment checksum" lines: also the contents of checkpoints must agree */
static void append_checksums(const char *path, Buffer *out) {
    sqlite3      *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database,
                                        "SELECT id, checkpoint_checksum FROM segment ORDER BY id",
                                        -1, &statement, NULL),
                     SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        buffer_printf(out, "checkpoint %lld %llx\n", sqlite3_column_int64(statement, 0),
                      (unsigned long long)sqlite3_column_int64(statement, 1));
    }
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
}

char *run_canonical(const char *folder) {
    char    *path = database_path(folder);
    Results *results = NULL;
    Buffer   text;
    buffer_init(&text, CANONICAL_CAP);
    assert_ok(results_open(path, RESULTS_READ, &results));
    assert_ok(report_canonical(results, &text));
    results_close(results);
    append_checksums(path, &text);
    assert_ok(buffer_status(&text));
    free(path);
    return text.data;
}

char *run_query_text(const char *folder, const char *sql) {
    char         *path = database_path(folder);
    sqlite3      *database = NULL;
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    /* a coordinator that was killed leaves a WAL that somebody has to recover meanwhile */
    assert_int_equal(sqlite3_busy_timeout(database, BUSY_MS), SQLITE_OK);
    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    }
    if (sqlite3_step(statement) != SQLITE_ROW) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    }
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    char       *copy = (text == NULL) ? NULL : strdup(text);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
    free(path);
    return copy;
}

long run_query(const char *folder, const char *sql) {
    char *text = run_query_text(folder, sql);
    assert_non_null(text);
    const long value = strtol(text, NULL, 10);
    free(text);
    return value;
}

void run_execute(const char *folder, const char *sql) {
    char    *path = database_path(folder);
    sqlite3 *database = NULL;
    assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(database, BUSY_MS), SQLITE_OK);
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(database));
    }
    (void)sqlite3_close(database);
    free(path);
}
