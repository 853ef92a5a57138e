#include "workers/trainer_spawn.h"

#include "workers/process_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    REPORT_FD = 3,
    FIRST_FD = 10, /* own ends stay clear of the numbers that the child gives them */
    FIXED_ARGUMENTS = 16,
    MAX_ARGUMENTS = 256,
    MAX_UTF8 = 4,
};

void trainer_close(int *fd) {
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

/* both ends closed on exec and numbered from FIRST_FD; false with errno */
static bool make_pipe(int ends[2]) {
    int low[2];
    ends[0] = -1;
    ends[1] = -1;
    if (pipe2(low, O_CLOEXEC) != 0) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, FIRST_FD);
        (void)close(low[i]);
    }
    return ends[0] >= 0 && ends[1] >= 0;
}

static bool set_nonblocking(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

typedef struct Numbers {
    char memory[32];
    char threads[32];
    char parent[32];
} Numbers;

static size_t put_option(const char **argv, size_t at, const char *name, const char *value) {
    argv[at] = name;
    argv[at + 1] = value;
    return at + 2;
}

/* "supervise --memory ... -- command": @return false if the command is too long */
static bool build_arguments(const TrainerSetup *setup, Numbers *numbers, const char **argv) {
    size_t at = 0;
    (void)snprintf(numbers->memory, sizeof numbers->memory, "%.0f", setup->memory_bytes);
    (void)snprintf(numbers->threads, sizeof numbers->threads, "%" PRId64, setup->threads);
    (void)snprintf(numbers->parent, sizeof numbers->parent, "%ld", (long)getpid());
    argv[at++] = setup->binary;
    argv[at++] = "supervise";
    at = put_option(argv, at, "--report-fd", "3");
    at = put_option(argv, at, "--parent", numbers->parent);
    at = put_option(argv, at, "--memory", numbers->memory);
    if (setup->threads > 0) {
        at = put_option(argv, at, "--threads", numbers->threads);
    }
    if (setup->cores != NULL) {
        at = put_option(argv, at, "--cores", setup->cores);
    }
    if (setup->gpus != NULL) {
        at = put_option(argv, at, "--gpus", setup->gpus);
    }
    argv[at++] = "--";
    for (size_t i = 0; setup->command[i] != NULL; i++) {
        if (at >= MAX_ARGUMENTS + FIXED_ARGUMENTS - 1) {
            return false;
        }
        argv[at++] =
            strcmp(setup->command[i], "mbtune") == 0 && i == 0 ? setup->binary : setup->command[i];
    }
    argv[at] = NULL;
    return true;
}

/* posix_spawn: no copy of this process' page tables (fork takes 3 ms with 64 MB of dirty pages),
 * and nothing runs between fork and exec in a process that MPI may have given threads */
static int spawn(const TrainerSetup *setup, const int child[4], pid_t *pid) {
    static const int target[4] = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, REPORT_FD};
    const char      *argv[MAX_ARGUMENTS + FIXED_ARGUMENTS];
    Numbers          numbers;
    sigset_t         all;
    sigset_t         none;
    if (!build_arguments(setup, &numbers, argv)) {
        return E2BIG;
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t          attributes;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return ENOMEM;
    }
    int failure = 0;
    for (int i = 0; i < 4 && failure == 0; i++) {
        failure = posix_spawn_file_actions_adddup2(&actions, child[i], target[i]);
    }
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigdefault(&attributes, &all);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    if (failure == 0) {
        failure = posix_spawn(pid, setup->binary, &actions, &attributes,
                              (char *const *)(uintptr_t)argv, environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failure;
}

/* A trainer may have put anything in the place of its log: a link is not followed, and a pipe that
 * nobody reads is not waited for. */
static int open_log(const char *path) {
    const int low =
        open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (low < 0) {
        return -1;
    }
    const int fd = fcntl(low, F_DUPFD_CLOEXEC, FIRST_FD);
    (void)close(low);
    return fd;
}

Status trainer_spawn(const TrainerSetup *setup, TrainerPipes *out) {
    int in[2] = {-1, -1};
    int result[2] = {-1, -1};
    int report[2] = {-1, -1};
    *out = (TrainerPipes){.in = -1, .out = -1, .report = -1};

    int log = open_log(setup->log_path);
    if (log < 0) {
        FAIL_NATIVE(STATUS_ERR_PROCESS, errno, "cannot open the log %s: %s", setup->log_path,
                    ERRNO_TEXT(errno));
    }
    int failure = 0;
    if (!make_pipe(in) || !make_pipe(result) || !make_pipe(report) || !set_nonblocking(in[1]) ||
        !set_nonblocking(result[0]) || !set_nonblocking(report[0])) {
        failure = errno;
    }
    if (failure == 0) {
        const int child[4] = {in[0], result[1], log, report[1]};
        failure = spawn(setup, child, &out->pid);
    }
    trainer_close(&log);
    trainer_close(&in[0]);
    trainer_close(&result[1]);
    trainer_close(&report[1]);
    if (failure != 0) {
        trainer_close(&in[1]);
        trainer_close(&result[0]);
        trainer_close(&report[0]);
        out->pid = 0;
        FAIL_NATIVE(STATUS_ERR_PROCESS, failure, "cannot start %s supervise: %s", setup->binary,
                    ERRNO_TEXT(failure));
    }
    out->in = in[1];
    out->out = result[0];
    out->report = report[0];
    return STATUS_OK;
}

off_t trainer_log_size(const char *path) {
    struct stat about;
    return (stat(path, &about) == 0) ? about.st_size : 0;
}

void trainer_log_tail(const char *path, off_t from, Buffer *out) {
    char      text[TRAINER_TAIL_BYTES];
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    const off_t size = lseek(fd, 0, SEEK_END);
    off_t       at = (size - from > TRAINER_TAIL_BYTES) ? size - TRAINER_TAIL_BYTES : from;
    size_t      used = 0;
    while (used < sizeof text && at < size) {
        const ssize_t got = pread(fd, text + used, sizeof text - used, at);
        if (got <= 0) {
            break;
        }
        used += (size_t)got;
        at += got;
    }
    (void)close(fd);
    trainer_clean(text, used);
    buffer_append(out, text, used);
}

/* bytes of the valid UTF-8 sequence at `text`, 0 if it is none */
static size_t utf8_length(const unsigned char *text, size_t left) {
    static const unsigned char lead[MAX_UTF8 + 1] = {0, 0, 0xc0, 0xe0, 0xf0};
    static const unsigned char mask[MAX_UTF8 + 1] = {0, 0, 0xe0, 0xf0, 0xf8};
    static const unsigned long least[MAX_UTF8 + 1] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t n = 2; n <= MAX_UTF8 && n <= left; n++) {
        if ((text[0] & mask[n]) != lead[n]) {
            continue;
        }
        unsigned long code = text[0] & (unsigned char)~mask[n];
        for (size_t i = 1; i < n; i++) {
            if ((text[i] & 0xc0) != 0x80) {
                return 0;
            }
            code = (code << 6) | (text[i] & 0x3fU);
        }
        const bool surrogate = code >= 0xd800 && code <= 0xdfff;
        return (code < least[n] || code > 0x10ffff || surrogate) ? 0 : n;
    }
    return 0;
}

void trainer_clean(char *text, size_t length) {
    unsigned char *at = (unsigned char *)text;
    size_t         i = 0;
    while (i < length) {
        size_t n = (at[i] >= 0x80) ? utf8_length(at + i, length - i) : 1;
        if (n == 0 || (n == 1 && at[i] < 0x20 && at[i] != '\n' && at[i] != '\t') || at[i] == 0x7f) {
            at[i] = '?';
            n = 1;
        }
        i += n;
    }
}
