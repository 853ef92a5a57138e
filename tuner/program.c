#include "tuner/program.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECE = 4096, TURN_MS = 50 };

static void become(const char *const *argv, const int pipe_ends[2]) {
    const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    char     *words[16] = {NULL};
    for (size_t i = 0; argv[i] != NULL && i + 1 < sizeof words / sizeof words[0]; i++) {
        words[i] = strdup(argv[i]);
    }
    (void)setpgid(0, 0);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(pipe_ends[1], STDOUT_FILENO) < 0 ||
        dup2(pipe_ends[1], STDERR_FILENO) < 0 || words[0] == NULL) {
        _exit(PROGRAM_NOT_FOUND);
    }
    (void)execvp(words[0], words);
    _exit(PROGRAM_NOT_FOUND);
}

/* what does not fit is read and forgotten; false at the end of it */
static bool read_some(int from, char *text, size_t size, size_t *length) {
    char          piece[PIECE];
    const ssize_t n = read(from, piece, sizeof piece);
    if (n < 0) {
        return errno == EINTR || errno == EAGAIN;
    }
    const size_t room = size - 1 - *length;
    const size_t kept = ((size_t)n < room) ? (size_t)n : room;
    memcpy(text + *length, piece, kept);
    *length += kept;
    return n > 0;
}

/* one that closed its output may go on; after the deadline the whole group is killed */
static int exit_of(pid_t child, double deadline) {
    int   status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && clock_monotonic() < deadline) {
        (void)poll(NULL, 0, 1);
    }
    if (ended == child) {
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    (void)kill(-child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return PROGRAM_TOO_SLOW;
}

int program_ask(const char *const *argv, double seconds, char *text, size_t size) {
    int          pipe_ends[2];
    size_t       length = 0;
    bool         open_still = true;
    const double deadline = clock_monotonic() + seconds;

    text[0] = '\0';
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) {
        return PROGRAM_NOT_FOUND;
    }
    const pid_t child = fork();
    if (child == 0) {
        become(argv, pipe_ends);
    }
    (void)close(pipe_ends[1]);
    while (child > 0 && open_still && clock_monotonic() < deadline) {
        struct pollfd waiting = {.fd = pipe_ends[0], .events = POLLIN};
        if (poll(&waiting, 1, TURN_MS) > 0) {
            open_still = read_some(pipe_ends[0], text, size, &length);
        }
    }
    text[length] = '\0';
    (void)close(pipe_ends[0]);
    if (child < 0) {
        return PROGRAM_NOT_FOUND;
    }
    return exit_of(child, deadline);
}
