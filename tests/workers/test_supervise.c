#include "tests/support/test_support.h"

#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_BYTES = 4096, MAX_ARGUMENTS = 16, MAX_PIDS = 32 };

typedef struct Run {
    pid_t pid;
    int   out;
    int   report;
} Run;

/* `supervise --report-fd N` and what follows; ends with NULL */
static void start(Run *run, const char *const *arguments) {
    int out[2];
    int report[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(report, O_CLOEXEC), 0);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        char        fd[16];
        const char *argv[MAX_ARGUMENTS + 8] = {STUB_MBTUNE, "supervise", "--report-fd", fd};
        (void)snprintf(fd, sizeof fd, "%d", report[1]);
        for (size_t i = 0; arguments[i] != NULL && i < MAX_ARGUMENTS; i++) {
            argv[4 + i] = arguments[i];
        }
        (void)dup2(out[1], STDOUT_FILENO);
        (void)fcntl(report[1], F_SETFD, 0);
        (void)execv(STUB_MBTUNE, (char *const *)(uintptr_t)argv);
        _exit(99);
    }
    (void)close(out[1]);
    (void)close(report[1]);
    run->out = out[0];
    run->report = report[0];
}

/* reads until there are so many lines, however slow the machine is; @return bytes */
static size_t read_lines(int fd, size_t lines, char *text) {
    size_t used = 0;
    while (lines > 0 && used < OUTPUT_BYTES - 1 && read(fd, text + used, 1) == 1) {
        lines -= text[used++] == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, 0);
    return used;
}

/* the rest behind `used` bytes */
static void read_all(int fd, size_t used, char *text) {
    ssize_t got = 0;
    do {
        used += (size_t)got;
        got = read(fd, text + used, OUTPUT_BYTES - 1 - used);
    } while (got > 0);
    text[used] = '\0';
    (void)close(fd);
}

/* `heard` bytes of its output are in `out` already */
static int finish_heard(const Run *run, size_t heard, char *out, char *report) {
    int status = 0;
    read_all(run->out, heard, out);
    read_all(run->report, 0, report);
    assert_int_equal(waitpid(run->pid, &status, 0), run->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int finish(const Run *run, char *out, char *report) {
    return finish_heard(run, 0, out, report);
}

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int run_all(const char *const *arguments, char *out, char *report) {
    Run run;
    start(&run, arguments);
    return finish(&run, out, report);
}

static bool alive(pid_t pid) {
    char path[64];
    char text[256] = "";
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool  got = fgets(text, sizeof text, file) != NULL;
    const char *after = strrchr(text, ')');
    (void)fclose(file);
    return got && after != NULL && after[2] != 'Z';
}

static void assert_all_gone(const char *pids, size_t at_least) {
    size_t       count = 0;
    const double deadline = clock_monotonic() + 5.0;
    for (const char *at = pids; *at != '\0';) {
        char       *end = NULL;
        const pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at) {
            break;
        }
        at = end;
        count++;
        while (alive(pid) && clock_monotonic() < deadline) {
            clock_sleep(0.002);
        }
        assert_false(alive(pid));
    }
    assert_true(count >= at_least);
}

static void passes_exit_status_and_output_on(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--", "sh", "-c", "echo hi; exit 7"), out, report), 7);
    assert_string_equal(out, "hi\n");
    assert_string_equal(report, "exit 7\n");
}

static void reports_the_signal_that_killed(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--", "sh", "-c", "kill -SEGV $$"), out, report), 139);
    assert_string_equal(report, "signal 11\n");
}

static void reports_what_cannot_start(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--", "/no/such/program"), out, report), 127);
    assert_string_equal(report, "start 2\n");
}

static void kills_what_is_over_its_memory(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    /* the hog is a grandchild: the whole group counts */
    assert_int_equal(run_all(ARGUMENTS("--memory", "60000000", "--", "sh", "-c",
                                       STUB_MBTUNE " hog; echo survived"),
                             out, report),
                     137);
    assert_string_equal(out, "");
    assert_contains(report, "out_of_memory ");
    assert_true(strtod(report + strlen("out_of_memory "), NULL) > 60000000.0);
}

static void what_is_under_its_memory_lives(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--memory", "60000000", "--", "sleep", "0.5"), out, report),
                     0);
    assert_string_equal(report, "exit 0\n");
}

static void nothing_outlives_the_end_of_the_trainer(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--", STUB_MBTUNE, "family", "3", "0.2"), out, report), 0);
    assert_string_equal(report, "exit 0\n");
    assert_all_gone(out, 5);
}

static void term_kills_at_once(void **state) {
    (void)state;
    char         out[OUTPUT_BYTES];
    char         report[OUTPUT_BYTES];
    Run          run;
    const double begin = clock_monotonic();
    start(&run, ARGUMENTS("--", STUB_MBTUNE, "family", "3", "100"));
    const size_t heard = read_lines(run.out, 5, out);
    assert_int_equal(kill(run.pid, SIGTERM), 0);
    assert_int_equal(finish_heard(&run, heard, out, report), 128 + SIGTERM);
    assert_string_equal(report, "signal 15\n");
    assert_all_gone(out, 5);
    assert_true(clock_monotonic() - begin < 20.0);
}

/* a process between this one and the supervisor dies by kill -9 */
/* a stranger's signal, as a batch system sends it to every process of a job */
static void only_the_parents_word_counts(void **state) {
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    char parent[16];
    Run  run;
    int  status = 0;
    (void)state;

    (void)snprintf(parent, sizeof parent, "%d", (int)getpid());
    start(&run, ARGUMENTS("--parent", parent, "--", "sh", "-c",
                          "echo $MBTUNE_SUPERVISED; sleep 1; echo lives; exec sleep 600"));
    size_t      heard = read_lines(run.out, 1, out);
    const pid_t stranger = fork();
    if (stranger == 0) {
        _exit(kill(run.pid, SIGTERM) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(stranger, &status, 0), stranger);
    assert_int_equal(status, 0);
    heard += read_lines(run.out, 1, out + heard);
    assert_int_equal(kill(run.pid, SIGTERM), 0);
    assert_int_equal(finish_heard(&run, heard, out, report), 128 + SIGTERM);
    assert_string_equal(out, "1\nlives\n");
    assert_string_equal(report, "signal 15\n");
}

static void nothing_outlives_the_worker(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    int  passed[2];
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    assert_int_equal(pipe2(passed, O_CLOEXEC), 0);
    const pid_t worker = fork();
    if (worker == 0) {
        Run  run;
        char parent[24];
        (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
        start(&run, ARGUMENTS("--parent", parent, "--", STUB_MBTUNE, "family", "3", "100"));
        (void)dprintf(passed[1], "%ld\n", (long)run.pid);
        for (;;) {
            char          text[256];
            const ssize_t got = read(run.out, text, sizeof text);
            if (got > 0 && write(passed[1], text, (size_t)got) < 0) {
                _exit(1);
            }
        }
    }
    (void)close(passed[1]);
    const size_t heard = read_lines(passed[0], 6, out);
    assert_int_equal(kill(worker, SIGKILL), 0);
    read_all(passed[0], heard, out);
    while (waitpid(-1, NULL, 0) > 0) {
    }
    assert_all_gone(out, 6);
}

static void trainer_dies_with_its_supervisor(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    Run  run;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    start(&run, ARGUMENTS("--", "sh", "-c", "echo $$; exec sleep 100"));
    const size_t heard = read_lines(run.out, 1, out);
    assert_int_equal(kill(run.pid, SIGKILL), 0);
    assert_int_equal(finish_heard(&run, heard, out, report), 1000 + SIGKILL);
    assert_string_equal(report, "");
    assert_all_gone(out, 1);
}

static void ends_at_once_without_its_parent(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--parent", "1", "--", "echo", "ran"), out, report),
                     128 + SIGTERM);
    assert_string_equal(out, "");
}

static void removes_mpi_variables_and_sets_threads(void **state) {
    (void)state;
    char              out[OUTPUT_BYTES];
    char              report[OUTPUT_BYTES];
    static const char script[] =
        "env | grep -E '^(PMI|MPIR|OMPI|SLURM_STEP)' ; echo $OMP_NUM_THREADS "
        "$OPENBLAS_NUM_THREADS $KEPT; grep -E 'Cpus_allowed_list|SigBlk' /proc/self/status";
    (void)setenv("PMI_RANK", "3", 1);
    (void)setenv("MPIR_CVAR_X", "3", 1);
    (void)setenv("OMPI_X", "3", 1);
    (void)setenv("SLURM_STEP_ID", "3", 1);
    (void)setenv("KEPT", "kept", 1);
    (void)setenv("OPENBLAS_NUM_THREADS", "5", 1);
    (void)unsetenv("OMP_NUM_THREADS");
    assert_int_equal(run_all(ARGUMENTS("--cores", "0", "--", "sh", "-c", script), out, report), 0);
    assert_contains(out, "1 5 kept\n");
    assert_ptr_equal(strstr(out, "1 5 kept\n"), out);
    assert_contains(out, "SigBlk:\t0000000000000000");
    assert_contains(out, "Cpus_allowed_list:\t0\n");
    assert_int_equal(run_all(ARGUMENTS("--threads", "4", "--", "sh", "-c", script), out, report),
                     0);
    assert_contains(out, "4 5 kept\n");
}

static void refuses_wrong_usage(void **state) {
    (void)state;
    char out[OUTPUT_BYTES];
    char report[OUTPUT_BYTES];
    assert_int_equal(run_all(ARGUMENTS("--"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("--memory", "much", "--", "true"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("--cores", "3-1", "--", "true"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("--cores", "1,x", "--", "true"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("--colour", "1", "--", "true"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("--memory"), out, report), 2);
    assert_int_equal(run_all(ARGUMENTS("true"), out, report), 2);
    assert_string_equal(report, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_exit_status_and_output_on),
        cmocka_unit_test(reports_the_signal_that_killed),
        cmocka_unit_test(reports_what_cannot_start),
        cmocka_unit_test(kills_what_is_over_its_memory),
        cmocka_unit_test(what_is_under_its_memory_lives),
        cmocka_unit_test(nothing_outlives_the_end_of_the_trainer),
        cmocka_unit_test(term_kills_at_once),
        cmocka_unit_test(only_the_parents_word_counts),
        cmocka_unit_test(nothing_outlives_the_worker),
        cmocka_unit_test(trainer_dies_with_its_supervisor),
        cmocka_unit_test(ends_at_once_without_its_parent),
        cmocka_unit_test(removes_mpi_variables_and_sets_threads),
        cmocka_unit_test(refuses_wrong_usage),
    };
    return cmocka_run_group_tests_name("workers/supervise", tests, NULL, NULL);
}
