#include "tests/bench/overhead_study.h"

#include "core/clock.h"
#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_PROCESSES = 4096, HELLO_BYTES = 65536 };

static char base[OVERHEAD_PATH_BYTES / 2];   /* on the disk of the build folder */
static char memory[OVERHEAD_PATH_BYTES / 2]; /* on a memory file system; empty = there is none */

__attribute__((noreturn, format(printf, 1, 2))) static void give_up(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)fputs("bench_overhead: ", stderr);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void check(Status status) {
    if (status != STATUS_OK) {
        give_up("%s", status_last()->text);
    }
}

void overhead_begin(void) {
    (void)snprintf(base, sizeof base, "%s/overhead-XXXXXX", BENCH_BINARY_FOLDER);
    if (mkdtemp(base) == NULL) {
        give_up("cannot make %s: %s", base, strerror(errno));
    }
    (void)snprintf(memory, sizeof memory, "/dev/shm/mbtune-overhead-XXXXXX");
    if (mkdtemp(memory) == NULL) {
        memory[0] = '\0';
    }
}

void overhead_end(void) {
    check(file_remove_all(base));
    if (memory[0] != '\0') {
        check(file_remove_all(memory));
    }
}

bool overhead_has_memory(void) {
    return memory[0] != '\0';
}

/* ---- studies ------------------------------------------------------------------------------------
 */

static void path_of(const OverheadPlan *plan, const char *rest, char out[OVERHEAD_PATH_BYTES]) {
    (void)snprintf(out, OVERHEAD_PATH_BYTES, "%s/%s%s", base, plan->name, rest);
}

static void write_study(const OverheadPlan *plan, const char *path) {
    char text[2048];
    char trials[32] = "";
    char sleep[128] = "";
    if (plan->trials > 0) {
        (void)snprintf(trials, sizeof trials, ", trials: %d", plan->trials);
    }
    if (plan->spread > 0.0) {
        (void)snprintf(sleep, sizeof sleep,
                       "  sleep: {type: float, lower: %g, upper: %g, default: %g}\n",
                       plan->unit_seconds * (1.0 - plan->spread),
                       plan->unit_seconds * (1.0 + plan->spread), plan->unit_seconds);
    }
    (void)snprintf(text, sizeof text,
                   "name: %s\n"
                   "trainer: {command: [%s, --stamp, --sleep, '%g']}\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: %d, segment: %d%s}\n"
                   "scheduler: %s\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "%s"
                   "seed: 3\n",
                   plan->name, BENCH_FAKE_TRAINER, plan->unit_seconds, plan->units, plan->segment,
                   trials, plan->scheduler, sleep);
    check(file_write_atomic(path, text, strlen(text)));
}

/* a folder `checkpoints` that is a link to another file system is as good as any to mbtune */
static void put_checkpoints_in_memory(const OverheadPlan *plan) {
    char path[OVERHEAD_PATH_BYTES];
    char target[OVERHEAD_PATH_BYTES];
    path_of(plan, "", path);
    check(file_make_folder(path));
    (void)snprintf(target, sizeof target, "%s/%s", memory, plan->name);
    check(file_make_folder(target));
    path_of(plan, "/checkpoints", path);
    if (symlink(target, path) != 0) {
        give_up("cannot link %s: %s", path, strerror(errno));
    }
}

pid_t overhead_start(const OverheadPlan *plan) {
    char yaml[OVERHEAD_PATH_BYTES];
    char folder[OVERHEAD_PATH_BYTES];
    char log[OVERHEAD_PATH_BYTES];
    char workers[16];
    path_of(plan, ".yaml", yaml);
    path_of(plan, "", folder);
    path_of(plan, ".log", log);
    (void)snprintf(workers, sizeof workers, "%d", OVERHEAD_WORKERS);
    write_study(plan, yaml);
    if (plan->checkpoints_in_memory) {
        put_checkpoints_in_memory(plan);
    }
    const pid_t pid = fork();
    if (pid == 0) {
        const int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        (void)dup2(out, STDOUT_FILENO);
        (void)dup2(out, STDERR_FILENO);
        (void)execl(BENCH_MBTUNE, BENCH_MBTUNE, "run", yaml, "--dir", folder, "--workers", workers,
                    "--quiet", (char *)NULL);
        _exit(127);
    }
    if (pid < 0) {
        give_up("cannot start a process: %s", strerror(errno));
    }
    return pid;
}

void overhead_wait(const OverheadPlan *plan, pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            give_up("cannot wait: %s", strerror(errno));
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        char   path[OVERHEAD_PATH_BYTES];
        Buffer log;
        buffer_init(&log, 1 << 20);
        path_of(plan, ".log", path);
        const bool got = file_read(path, &log) == STATUS_OK && log.data != NULL;
        give_up("study %s ended with status %d; it said:\n%s", plan->name, status,
                got ? log.data : "nothing");
    }
}

/* ---- processes ----------------------------------------------------------------------------------
 */

static pid_t parent_of(pid_t pid) {
    char path[64];
    char text[1024] = "";
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    const bool got = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    const char *after_name = strrchr(text, ')');
    if (!got || after_name == NULL || strlen(after_name) < 5) {
        return 0;
    }
    return (pid_t)strtol(after_name + 4, NULL, 10); /* ") S PARENT" */
}

/* is it `mbtune run` itself, with this rank in its environment? */
static bool has_rank(pid_t pid, int rank) {
    static char text[1 << 17];
    char        path[64];
    char        wanted[32];
    (void)snprintf(wanted, sizeof wanted, "PMI_RANK=%d", rank);
    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool is_mbtune =
        fgets(text, sizeof text, file) != NULL && strncmp(text, "mbtune\n", 7) == 0;
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
    file = is_mbtune ? fopen(path, "re") : NULL;
    if (file == NULL) {
        return false;
    }
    const size_t length = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    text[length] = '\0';
    for (const char *at = text; at < text + length; at += strlen(at) + 1) {
        if (strcmp(at, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static bool descends(pid_t pid, pid_t ancestor) {
    while (pid > 1 && pid != ancestor) {
        pid = parent_of(pid);
    }
    return pid == ancestor;
}

pid_t overhead_rank(pid_t ancestor, int rank) {
    DIR                 *folder = opendir("/proc");
    const struct dirent *entry = NULL;
    pid_t                found = 0;
    if (folder == NULL) {
        give_up("cannot open /proc: %s", strerror(errno));
    }
    while (found == 0 && (entry = readdir(folder)) != NULL) {
        const pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 1 && has_rank(pid, rank) && descends(pid, ancestor)) {
            found = pid;
        }
    }
    (void)closedir(folder);
    return found;
}

/* ---- what they recorded -------------------------------------------------------------------------
 */

static const char work_sql[] =
    "SELECT s.id, coalesce(s.parent, 0), a.worker, s.\"end\", a.started_at,"
    " max(CASE WHEN m.name = 'received_at' THEN m.value END) AS received,"
    " max(CASE WHEN m.name = 'done_at' THEN m.value END) AS done"
    " FROM segment AS s JOIN attempt AS a ON a.segment = s.id AND a.number = s.attempt"
    " JOIN segment_metric AS m ON m.segment = s.id"
    " WHERE s.state = 'finished' GROUP BY s.id ORDER BY received";

size_t overhead_work(const OverheadPlan *plan, OverheadWork **out) {
    char          path[OVERHEAD_PATH_BYTES];
    sqlite3      *database = NULL;
    sqlite3_stmt *rows = NULL;
    size_t        count = 0;
    OverheadWork *work = NULL;
    const double  offset = clock_monotonic() - clock_wall();
    path_of(plan, "/study.db", path);
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(database, work_sql, -1, &rows, NULL) != SQLITE_OK) {
        give_up("%s: %s", path, sqlite3_errmsg(database));
    }
    while (sqlite3_step(rows) == SQLITE_ROW) {
        OverheadWork *more = realloc(work, (count + 1) * sizeof *work);
        if (more == NULL) {
            give_up("no memory for %zu segments", count + 1);
        }
        work = more;
        work[count++] = (OverheadWork){
            .segment = sqlite3_column_int64(rows, 0),
            .parent = sqlite3_column_int64(rows, 1),
            .worker = sqlite3_column_int64(rows, 2),
            .end = sqlite3_column_int64(rows, 3),
            .dispatched_at = sqlite3_column_double(rows, 4) + offset,
            .received_at = sqlite3_column_double(rows, 5),
            .done_at = sqlite3_column_double(rows, 6),
        };
    }
    (void)sqlite3_finalize(rows);
    (void)sqlite3_close(database);
    if (count == 0) {
        give_up("study %s has no finished segment", plan->name);
    }
    *out = work;
    return count;
}

/* ---- single times -------------------------------------------------------------------------------
 */

double overhead_cold_start(void) {
    static const char hello[] =
        "{\"op\":\"hello\",\"protocol\":1,\"study\":\"bench\",\"agent\":\"pets\","
        "\"environment\":\"cartpole\",\"unit\":\"episode\",\"fixed\":{},\"cores\":1}\n";
    static char  answer[HELLO_BYTES];
    int          to[2];
    int          from[2];
    size_t       length = 0;
    const double begin = clock_monotonic();
    if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) {
        give_up("no pipe: %s", strerror(errno));
    }
    const pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(to[0], STDIN_FILENO);
        (void)dup2(from[1], STDOUT_FILENO);
        (void)execl(BENCH_MBTUNE, BENCH_MBTUNE, "train", (char *)NULL);
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    if (pid < 0 || write(to[1], hello, sizeof hello - 1) != (ssize_t)(sizeof hello - 1)) {
        give_up("cannot start mbtune train: %s", strerror(errno));
    }
    while (memchr(answer, '\n', length) == NULL) {
        const ssize_t got = read(from[0], answer + length, sizeof answer - 1 - length);
        if (got <= 0) {
            give_up("mbtune train ended without a hello");
        }
        length += (size_t)got;
    }
    const double seconds = clock_monotonic() - begin;
    answer[length] = '\0';
    if (strstr(answer, "\"hello\"") == NULL) {
        give_up("mbtune train answered: %s", answer);
    }
    (void)close(to[1]);
    (void)close(from[0]);
    (void)waitpid(pid, NULL, 0);
    return seconds;
}

double overhead_sync(void) {
    static const char block[4096];
    char              path[OVERHEAD_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/sync", base);
    const double begin = clock_monotonic();
    const int    file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || write(file, block, sizeof block) != (ssize_t)sizeof block || fsync(file) != 0) {
        give_up("%s: %s", path, strerror(errno));
    }
    (void)close(file);
    const double seconds = clock_monotonic() - begin;
    (void)unlink(path);
    return seconds;
}
