#include "tests/support/test_support.h"

#include "core/clock.h"
#include "workers/trainer_process.h"
#include "workers/trainer_spawn.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { PATH_BYTES = 512, LINE_BYTES = 2048, MAX_ARGUMENTS = 12, MAX_METRICS = 64 };

static const double patience_s = 20.0;

typedef struct Fixture {
    char           *folder;
    char            log[PATH_BYTES];
    const char     *command[MAX_ARGUMENTS + 2];
    pid_t           supervisors[1];
    TrainerSetup    setup;
    TrainerProcess *trainer;
    /* what the last order gave */
    size_t  started;
    size_t  metrics;
    double  values[MAX_METRICS];
    size_t  logs;
    char    log_text[256];
    Outcome outcome;
    int64_t end;
    char    text[8192];
} Fixture;

#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void begin(Fixture *f, const char *const *options) {
    memset(f, 0, sizeof *f);
    f->folder = test_folder_make();
    (void)snprintf(f->log, sizeof f->log, "%s/trainer-1-0.log", f->folder);
    f->command[0] = FAKE_TRAINER;
    for (size_t i = 0; options[i] != NULL; i++) {
        f->command[i + 1] = options[i];
    }
    f->setup = (TrainerSetup){
        .binary = STUB_MBTUNE,
        .command = f->command,
        .hello = "{\"op\":\"hello\",\"protocol\":1,\"study\":\"test\",\"cores\":1}",
        .log_path = f->log,
        .threads = 1,
        .start_seconds = patience_s,
        .silence_seconds = patience_s,
        .supervisors = f->supervisors,
        .supervisor_count = 1,
    };
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void finish(Fixture *f) {
    trainer_destroy(f->trainer);
    assert_int_equal(f->supervisors[0], 0);
    test_folder_remove(f->folder);
}

static void order(Fixture *f, const char *line, int64_t id) {
    if (f->trainer == NULL) {
        assert_ok(trainer_create(&f->setup, &f->trainer));
    }
    f->started = 0;
    f->metrics = 0;
    f->logs = 0;
    f->outcome = OUTCOME_NONE;
    assert_ok(trainer_order(f->trainer, line, id));
}

static void take(Fixture *f, const TrainerEvent *event) {
    if (event->kind == TRAINER_STARTED) {
        f->started++;
    } else if (event->kind == TRAINER_METRIC) {
        assert_int_equal(f->started, 1);
        f->values[f->metrics++ % MAX_METRICS] =
            json_number(json_get(event->reply->values, "episode_reward"));
    } else if (event->kind == TRAINER_LOG) {
        f->logs++;
        (void)snprintf(f->log_text, sizeof f->log_text, "%s", event->text);
    } else {
        f->outcome = event->outcome;
        f->end = event->end;
        (void)snprintf(f->text, sizeof f->text, "%s", event->text);
    }
}

static void turn(Fixture *f) {
    struct pollfd fds[TRAINER_POLL_FDS];
    TrainerEvent  event;
    const size_t  count = trainer_poll_fds(f->trainer, fds);
    (void)poll(fds, count, 2);
    (void)trainer_pump(f->trainer);
    while (trainer_next(f->trainer, clock_monotonic(), &event)) {
        take(f, &event);
    }
}

static void wait_over(Fixture *f) {
    const double deadline = clock_monotonic() + patience_s;
    while (f->outcome == OUTCOME_NONE && clock_monotonic() < deadline) {
        turn(f);
    }
    assert_int_not_equal(f->outcome, OUTCOME_NONE);
}

/* turns until there is a metric */
static void wait_metric(Fixture *f) {
    const double deadline = clock_monotonic() + patience_s;
    while (f->metrics == 0 && clock_monotonic() < deadline) {
        turn(f);
    }
    assert_true(f->metrics > 0);
}

typedef struct Work {
    int64_t     segment;
    int64_t     parent;
    int64_t     begin;
    int64_t     end;
    const char *values; /* JSON object */
} Work;

static void train(Fixture *f, const Work *work) {
    char line[LINE_BYTES];
    char resume[PATH_BYTES] = "null";
    if (work->parent != 0) {
        (void)snprintf(resume, sizeof resume, "\"%s/%" PRId64 "\"", f->folder, work->parent);
    }
    (void)snprintf(line, sizeof line,
                   "{\"op\":\"train\",\"segment\":%" PRId64 ",\"parent\":%" PRId64
                   ",\"begin\":%" PRId64 ",\"end\":%" PRId64
                   ",\"seed\":42,\"hyperparameters\":%s,\"resume_from\":%s,"
                   "\"checkpoint_to\":\"%s/%" PRId64 "\"}",
                   work->segment, work->parent, work->begin, work->end, work->values, resume,
                   f->folder, work->segment);
    order(f, line, work->segment);
}

static void run(Fixture *f, const Work *work) {
    train(f, work);
    wait_over(f);
}

static const Work five = {.segment = 1, .begin = 0, .end = 5, .values = "{}"};

static void a_segment_is_trained_and_continued_in_memory_and_from_file(void **state) {
    (void)state;
    Fixture f;
    double  whole[10];
    begin(&f, OPTIONS(NULL));
    run(&f, &(Work){.segment = 1, .begin = 0, .end = 10, .values = "{\"learning_rate\":0.2}"});
    assert_int_equal(f.outcome, OUTCOME_DONE);
    assert_int_equal(f.metrics, 10);
    assert_string_equal(f.text, "");
    assert_true(trainer_can_checkpoint(f.trainer) && trainer_deterministic(f.trainer));
    memcpy(whole, f.values, sizeof whole);

    const Work first = {.segment = 2, .end = 4, .values = "{\"learning_rate\":0.2}"};
    const Work rest = {.segment = 3, .parent = 2, .begin = 4, .end = 10, .values = first.values};
    run(&f, &first);
    assert_memory_equal(f.values, whole, 4 * sizeof(double));
    run(&f, &rest); /* in memory */
    assert_memory_equal(f.values, whole + 4, 6 * sizeof(double));
    run(&f, &rest); /* the parent is no longer in memory: from file, same process */
    assert_memory_equal(f.values, whole + 4, 6 * sizeof(double));
    trainer_destroy(f.trainer);
    f.trainer = NULL;
    run(&f, &rest); /* from file, new process */
    assert_int_equal(f.outcome, OUTCOME_DONE);
    assert_memory_equal(f.values, whole + 4, 6 * sizeof(double));
    finish(&f);
}

static void an_evaluation_changes_nothing(void **state) {
    (void)state;
    Fixture f;
    double  first[3];
    char    line[LINE_BYTES];
    begin(&f, OPTIONS(NULL));
    run(&f, &five);
    (void)snprintf(line, sizeof line,
                   "{\"op\":\"evaluate\",\"evaluation\":5,\"segment\":1,\"episodes\":3,\"seed\":9,"
                   "\"hyperparameters\":{},\"resume_from\":\"%s/1\"}",
                   f.folder);
    for (int i = 0; i < 2; i++) {
        order(&f, line, 5);
        wait_over(&f);
        assert_int_equal(f.outcome, OUTCOME_DONE);
        assert_int_equal(f.metrics, 3);
        if (i == 1) {
            assert_memory_equal(first, f.values, sizeof first);
        }
        memcpy(first, f.values, sizeof first);
        trainer_destroy(f.trainer); /* the second time from file */
        f.trainer = NULL;
    }
    finish(&f);
}

/* each misdeed has its outcome and its words, and the next order finds a new process */
static void every_misdeed_has_its_outcome(void **state) {
    (void)state;
    static const struct {
        const char *fault;
        Outcome     outcome;
        const char *says;
    } misdeeds[] = {
        {"crash", OUTCOME_CRASHED, "ended with exit status 3\nTraceback: a crash in unit 3"},
        {"exit", OUTCOME_CRASHED, "ended with exit status 0"},
        {"kill", OUTCOME_KILLED, "killed by signal 9 (KILL)"},
        {"segv", OUTCOME_KILLED, "killed by signal 11 (SEGV)"},
        {"garbage", OUTCOME_PROTOCOL, "malformed line"},
        {"unknown_op", OUTCOME_PROTOCOL, "unknown op 'sing'"},
        {"wrong_segment", OUTCOME_PROTOCOL, "'done' for segment 1001, which it was not asked for"},
        {"wrong_step", OUTCOME_PROTOCOL, "a metric of step 6, expected 1 to 5"},
        {"long_line", OUTCOME_PROTOCOL, "longer than 1048576 bytes"},
        {"fail", OUTCOME_CRASHED, "no such file"},
        {"diverge", OUTCOME_DIVERGED, "diverged: the weight is not finite"},
        {"hog", OUTCOME_OUT_OF_MEMORY, "over the limit of 95.4 MiB"},
    };
    Fixture f;
    begin(&f, OPTIONS(NULL));
    f.setup.memory_bytes = 1e8;
    for (size_t i = 0; i < sizeof misdeeds / sizeof misdeeds[0]; i++) {
        char values[64];
        Work work = five;
        (void)snprintf(values, sizeof values, "{\"fault_%s\":3}", misdeeds[i].fault);
        work.values = values;
        run(&f, &work);
        assert_contains(f.text, misdeeds[i].says);
        assert_int_equal(f.outcome, misdeeds[i].outcome);
        assert_int_equal(f.metrics, 2);
        assert_false(trainer_alive(f.trainer));
        run(&f, &five);
        assert_int_equal(f.outcome, OUTCOME_DONE);
    }
    finish(&f);
}

static void nan_is_a_value_and_no_misdeed(void **state) {
    (void)state;
    Fixture f;
    Work    work = five;
    begin(&f, OPTIONS(NULL));
    work.values = "{\"fault_nan\":2}";
    run(&f, &work);
    assert_int_equal(f.outcome, OUTCOME_DONE);
    assert_true(isnan(f.values[1]) && !isnan(f.values[2]));
    finish(&f);
}

static void deadlines_end_what_takes_too_long(void **state) {
    (void)state;
    Fixture f;
    Work    work = five;
    begin(&f, OPTIONS(NULL));
    f.setup.silence_seconds = 0.3;
    work.values = "{\"fault_hang\":3}";
    run(&f, &work);
    assert_int_equal(f.outcome, OUTCOME_TIMEOUT);
    assert_contains(f.text, "nothing heard for 0.3 s (limits.silence)");
    finish(&f);

    begin(&f, OPTIONS(NULL));
    f.setup.segment_seconds = 0.3;
    work = (Work){.segment = 1, .end = 1000, .values = "{\"sleep\":0.01}"};
    run(&f, &work);
    assert_int_equal(f.outcome, OUTCOME_TIMEOUT);
    assert_contains(f.text, "not done within 0.3 s (limits.segment)");
    assert_true(f.metrics > 3);
    finish(&f);

    begin(&f, OPTIONS("--slow-start", "100"));
    f.setup.start_seconds = 0.2;
    run(&f, &five);
    assert_int_equal(f.outcome, OUTCOME_TIMEOUT);
    assert_contains(f.text, "no hello within 0.2 s (limits.start)");
    assert_int_equal(f.started, 0);
    finish(&f);
}

static void a_stopped_trainer_is_killed_too(void **state) {
    (void)state;
    Fixture f;
    Work    work = five;
    begin(&f, OPTIONS(NULL));
    f.setup.silence_seconds = 0.3;
    work.values = "{\"fault_hang\":3}";
    train(&f, &work);
    wait_metric(&f);
    assert_int_equal(kill(f.supervisors[0], SIGSTOP), 0);
    wait_over(&f);
    assert_int_equal(f.outcome, OUTCOME_TIMEOUT);
    finish(&f);
}

/* until the trainer's family of two has written their pids to the log */
static void wait_family(const Fixture *f, Buffer *log) {
    const char *first = NULL;
    while (first == NULL || strstr(first + 1, "pid ") == NULL) {
        clock_sleep(0.002);
        buffer_clear(log);
        trainer_log_tail(f->log, 0, log);
        first = strstr(buffer_text(log), "pid ");
    }
}

static void a_killed_supervisor_takes_all_with_it(void **state) {
    (void)state;
    Fixture f;
    Buffer  log;
    Work    work = five;
    begin(&f, OPTIONS(NULL));
    work.values = "{\"fault_family\":1,\"fault_hang\":3}";
    buffer_init(&log, 65536);
    train(&f, &work);
    wait_metric(&f);
    wait_family(&f, &log);
    assert_int_equal(kill(f.supervisors[0], SIGKILL), 0);
    wait_over(&f);
    assert_int_equal(f.outcome, OUTCOME_KILLED);
    assert_contains(f.text, "the supervisor ended with signal 9");
    const char *at = buffer_text(&log);
    for (int i = 0; i < 2; i++) {
        at = strstr(at, "pid ");
        assert_non_null(at);
        const pid_t  pid = (pid_t)strtol(at + 4, NULL, 10);
        char         path[64];
        char         stat[256] = "";
        const double deadline = clock_monotonic() + 5.0;
        do { /* gone, or a zombie that init has not collected */
            (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
            FILE *file = fopen(path, "re");
            (void)snprintf(stat, sizeof stat, ") Z");
            if (file != NULL) {
                (void)(fgets(stat, sizeof stat, file) != NULL);
                (void)fclose(file);
            }
        } while (strstr(stat, ") Z") == NULL && clock_monotonic() < deadline);
        assert_contains(stat, ") Z");
        at += 4;
    }
    buffer_reset(&log);
    finish(&f);
}

static void what_cannot_start_is_a_crash_with_its_reason(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS(NULL));
    f.command[0] = "/no/such/trainer";
    run(&f, &five);
    assert_int_equal(f.outcome, OUTCOME_CRASHED);
    assert_contains(f.text, "cannot start '/no/such/trainer': No such file");
    finish(&f);

    begin(&f, OPTIONS(NULL));
    f.setup.binary = "/no/such/mbtune";
    assert_ok(trainer_create(&f.setup, &f.trainer));
    assert_fails(trainer_order(f.trainer,
                               "{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":1,"
                               "\"seed\":1}",
                               1),
                 STATUS_ERR_PROCESS, "/no/such/mbtune");
    assert_false(trainer_has_order(f.trainer));
    assert_fails(trainer_order(f.trainer, "{\"op\":\"yield\"}", 1), STATUS_ERR_PROTOCOL,
                 "train or evaluate");
    finish(&f);
}

static void another_protocol_is_refused(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS("--protocol", "2"));
    run(&f, &five);
    assert_int_equal(f.outcome, OUTCOME_PROTOCOL);
    assert_contains(f.text, "speaks protocol 2, expected 1");
    finish(&f);
}

static void a_yield_ends_after_the_current_unit(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS("--sleep", "0.005"));
    const Work work = {.segment = 1, .end = 10000, .values = "{}"};
    train(&f, &work);
    wait_metric(&f);
    trainer_yield(f.trainer);
    wait_over(&f);
    assert_int_equal(f.outcome, OUTCOME_PREEMPTED);
    assert_int_equal(f.end, f.metrics);
    assert_true(f.end >= 1 && f.end < 10000);
    /* what was yielded is in memory and on file, and a late yield is ignored */
    trainer_yield(f.trainer);
    const Work next = {.segment = 2, .parent = 1, .begin = f.end, .end = f.end + 3, .values = "{}"};
    run(&f, &next);
    assert_int_equal(f.outcome, OUTCOME_DONE);
    assert_int_equal(f.metrics, 3);
    finish(&f);
}

static void a_cancelled_order_leaves_nobody(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS("--sleep", "0.005"));
    const Work work = {.segment = 1, .end = 10000, .values = "{}"};
    train(&f, &work);
    wait_metric(&f);
    trainer_cancel(f.trainer);
    assert_false(trainer_ready(f.trainer));
    assert_fails(trainer_order(f.trainer, "{}", 1), STATUS_ERR_STATE, "busy");
    wait_over(&f);
    assert_int_equal(f.outcome, OUTCOME_CANCELLED);
    assert_string_equal(f.text, "cancelled");
    assert_true(trainer_ready(f.trainer));
    trainer_cancel(f.trainer); /* nothing to cancel */
    assert_true(trainer_ready(f.trainer));
    run(&f, &five);
    assert_int_equal(f.outcome, OUTCOME_DONE);
    finish(&f);
}

static void an_idle_trainer_stops_when_asked(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS(NULL));
    run(&f, &five);
    assert_true(trainer_alive(f.trainer));
    trainer_stop(f.trainer);
    const double deadline = clock_monotonic() + patience_s;
    while (trainer_alive(f.trainer) && clock_monotonic() < deadline) {
        turn(&f);
    }
    assert_false(trainer_alive(f.trainer));
    assert_int_equal(f.logs, 0);
    finish(&f);
}

static void one_process_per_order_works_too(void **state) {
    (void)state;
    Fixture f;
    begin(&f, OPTIONS("--exit-after-done"));
    for (int i = 0; i < 20; i++) { /* some orders reach a process on its way out */
        run(&f, &five);
        assert_int_equal(f.outcome, OUTCOME_DONE);
        assert_int_equal(f.started, 1);
        assert_int_equal(f.metrics, 5);
    }
    finish(&f);
}

static void text_is_made_safe(void **state) {
    (void)state;
    char text[] = "a\x01z\x1b[31m \xc3\xa9 \xc3 \xe2\x82\xac \xed\xa0\x80 \xf5 \xc0\xaf\n\t\x7f";
    trainer_clean(text, sizeof text - 1);
    assert_string_equal(text, "a?z?[31m \xc3\xa9 ? \xe2\x82\xac ??? ? ??\n\t?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_trained_and_continued_in_memory_and_from_file),
        cmocka_unit_test(an_evaluation_changes_nothing),
        cmocka_unit_test(every_misdeed_has_its_outcome),
        cmocka_unit_test(nan_is_a_value_and_no_misdeed),
        cmocka_unit_test(deadlines_end_what_takes_too_long),
        cmocka_unit_test(a_stopped_trainer_is_killed_too),
        cmocka_unit_test(a_killed_supervisor_takes_all_with_it),
        cmocka_unit_test(what_cannot_start_is_a_crash_with_its_reason),
        cmocka_unit_test(another_protocol_is_refused),
        cmocka_unit_test(a_yield_ends_after_the_current_unit),
        cmocka_unit_test(a_cancelled_order_leaves_nobody),
        cmocka_unit_test(an_idle_trainer_stops_when_asked),
        cmocka_unit_test(one_process_per_order_works_too),
        cmocka_unit_test(text_is_made_safe),
    };
    return cmocka_run_group_tests_name("workers/trainer_process", tests, NULL, NULL);
}
