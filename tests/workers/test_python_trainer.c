/* examples/trainers/python_minimal.py as it is shipped: continued in memory, from file in the same
 * process and from file in a new one, evaluated, yielded. */
#include "tests/support/test_support.h"

#include "core/clock.h"
#include "workers/trainer_process.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LINE_BYTES = 2048, MAX_METRICS = 4096 };

static const double patience_s = 30.0;

typedef struct Fixture {
    char           *folder;
    char            log[PATH_BYTES];
    pid_t           supervisors[1];
    TrainerSetup    setup;
    TrainerProcess *trainer;
    size_t          metrics;
    double          values[MAX_METRICS];
    TrainerEvent    over;
    bool            is_over;
} Fixture;

static const char *const command[] = {
    "python3", TEST_SOURCE_FOLDER "/examples/trainers/python_minimal.py", NULL};

static void begin(Fixture *f) {
    memset(f, 0, sizeof *f);
    f->folder = test_folder_make();
    (void)snprintf(f->log, sizeof f->log, "%s/log", f->folder);
    (void)signal(SIGPIPE, SIG_IGN);
    f->setup = (TrainerSetup){.binary = STUB_MBTUNE,
                              .command = command,
                              .hello = "{\"op\":\"hello\",\"protocol\":1,\"study\":\"test\"}",
                              .log_path = f->log,
                              .start_seconds = patience_s,
                              .silence_seconds = patience_s,
                              .supervisors = f->supervisors,
                              .supervisor_count = 1};
    assert_ok(trainer_create(&f->setup, &f->trainer));
}

static void renew(Fixture *f) {
    trainer_destroy(f->trainer);
    assert_ok(trainer_create(&f->setup, &f->trainer));
}

static void finish(Fixture *f) {
    trainer_destroy(f->trainer);
    test_folder_remove(f->folder);
}

/* sends the line and waits for the end; `yield_at` metrics a yield is sent */
static void run(Fixture *f, const char *line, int64_t id, size_t yield_at) {
    const double deadline = clock_monotonic() + patience_s;
    f->metrics = 0;
    f->is_over = false;
    assert_ok(trainer_order(f->trainer, line, id));
    while (!f->is_over && clock_monotonic() < deadline) {
        struct pollfd fds[TRAINER_POLL_FDS];
        TrainerEvent  event;
        (void)poll(fds, trainer_poll_fds(f->trainer, fds), 5);
        (void)trainer_pump(f->trainer);
        while (!f->is_over && trainer_next(f->trainer, clock_monotonic(), &event)) {
            if (event.kind == TRAINER_METRIC) {
                assert_true(f->metrics < MAX_METRICS);
                f->values[f->metrics++] =
                    json_number(json_get(event.reply->values, "episode_reward"));
                if (f->metrics == yield_at) {
                    trainer_yield(f->trainer);
                }
            } else if (event.kind == TRAINER_OVER) {
                f->over = event;
                f->is_over = true;
            }
        }
    }
    assert_true(f->is_over);
}

static void train(Fixture *f, int64_t segment, int64_t parent, int64_t first, int64_t end) {
    char line[LINE_BYTES];
    char parent_text[32] = "null";
    char resume[PATH_BYTES] = "null";
    if (parent != 0) {
        (void)snprintf(parent_text, sizeof parent_text, "%" PRId64, parent);
        (void)snprintf(resume, sizeof resume, "\"%s/%" PRId64 "\"", f->folder, parent);
    }
    (void)snprintf(line, sizeof line,
                   "{\"op\":\"train\",\"segment\":%" PRId64 ",\"parent\":%s,\"begin\":%" PRId64
                   ",\"end\":%" PRId64 ",\"seed\":42,\"hyperparameters\":{\"learning_rate\":0.2},"
                   "\"resume_from\":%s,\"checkpoint_to\":\"%s/%" PRId64 "\"}",
                   segment, parent_text, first, end, resume, f->folder, segment);
    run(f, line, segment, (end > 1000) ? 3 : 0);
}

/* is there a python3 on the PATH? */
static bool has_python(void) {
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        char         path[PATH_BYTES];
        const size_t length = strcspn(at, ":");
        (void)snprintf(path, sizeof path, "%.*s/python3", (int)length, at);
        if (access(path, X_OK) == 0) {
            return true;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return false;
}

static void python_example_works_as_it_is(void **state) {
    (void)state;
    Fixture f;
    double  whole[8];
    char    line[LINE_BYTES];
    if (!has_python()) {
        test_skip("python3 is not installed");
    }
    begin(&f);
    train(&f, 1, 0, 0, 8);
    assert_int_equal(f.over.outcome, OUTCOME_DONE);
    assert_int_equal(f.metrics, 8);
    memcpy(whole, f.values, sizeof whole);
    train(&f, 2, 0, 0, 3);
    train(&f, 3, 2, 3, 8); /* in memory */
    assert_memory_equal(f.values, whole + 3, 5 * sizeof(double));
    train(&f, 4, 2, 3, 8); /* from file, same process */
    assert_memory_equal(f.values, whole + 3, 5 * sizeof(double));
    renew(&f);
    train(&f, 5, 2, 3, 8); /* from file, new process */
    assert_memory_equal(f.values, whole + 3, 5 * sizeof(double));

    (void)snprintf(line, sizeof line,
                   "{\"op\":\"evaluate\",\"evaluation\":9,\"segment\":1,\"episodes\":4,\"seed\":3,"
                   "\"hyperparameters\":{},\"resume_from\":\"%s/1\"}",
                   f.folder);
    run(&f, line, 9, 0);
    assert_int_equal(f.over.outcome, OUTCOME_DONE);
    assert_int_equal(f.metrics, 4);

    train(&f, 6, 0, 0, 4000000); /* yielded after some units */
    assert_int_equal(f.over.outcome, OUTCOME_PREEMPTED);
    assert_int_equal(f.over.end, f.metrics);
    train(&f, 7, 99, 3, 8); /* a parent that is not there */
    assert_int_equal(f.over.outcome, OUTCOME_CRASHED);
    assert_contains(f.over.text, "No such file");
    finish(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(python_example_works_as_it_is)};
    return cmocka_run_group_tests_name("workers/python_trainer", tests, NULL, NULL);
}
