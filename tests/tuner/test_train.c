/* `mbtune train` from the other end of the pipe. The trainer runs in a process of its own: this
 * program, started again. */
#include "tests/support/test_support.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"
#include "tuner/train.h"
#include "workers/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_SECONDS = 30, LINE = 4096 };

typedef struct Session {
    pid_t  process;
    int    to;
    int    from;
    Buffer text; /* read and not yet taken */
} Session;

static void session_open(Session *session) {
    int to[2];
    int from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    session->process = fork();
    assert_true(session->process >= 0);
    if (session->process == 0) {
        (void)dup2(to[0], STDIN_FILENO);
        (void)dup2(from[1], STDOUT_FILENO);
        for (int i = 0; i < 2; i++) {
            (void)close(to[i]);
            (void)close(from[i]);
        }
        execl("/proc/self/exe", "train", "trainer", (char *)NULL);
        _exit(127);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    session->to = to[1];
    session->from = from[0];
    buffer_init(&session->text, 1 << 22);
}

static void session_say(Session *session, const char *format, ...) PRINTF_LIKE(2, 3);
static void session_say(Session *session, const char *format, ...) {
    char    line[LINE];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    assert_true(length > 0 && length < LINE - 1);
    line[length] = '\n';
    assert_int_equal(write(session->to, line, (size_t)length + 1), length + 1);
}

/* Next line into `line`; false at the end of the output. Fails the test after a deadline. */
static bool session_line(Session *session, char *line) {
    const double deadline = clock_monotonic() + DEADLINE_SECONDS;
    for (;;) {
        char *end = session->text.length > 0
                        ? memchr(session->text.data, '\n', session->text.length)
                        : NULL;
        if (end != NULL) {
            const size_t length = (size_t)(end - session->text.data);
            assert_true(length < LINE);
            memcpy(line, session->text.data, length);
            line[length] = '\0';
            buffer_consume(&session->text, length + 1);
            return true;
        }
        struct pollfd waiting = {.fd = session->from, .events = POLLIN};
        assert_true(clock_monotonic() < deadline);
        if (poll(&waiting, 1, 100) > 0) {
            char          bytes[LINE];
            const ssize_t count = read(session->from, bytes, sizeof bytes);
            if (count <= 0) {
                return false;
            }
            buffer_append(&session->text, bytes, (size_t)count);
        }
    }
}

/* Next line that is not "alive", parsed. */
static void session_reply(Session *session, Reply *reply) {
    char line[LINE];
    for (;;) {
        assert_true(session_line(session, line));
        assert_ok(reply_parse(line, strlen(line), reply));
        if (reply->kind != REPLY_ALIVE) {
            return;
        }
        reply_reset(reply);
    }
}

static void expect_done(Session *session, int64_t segment) {
    Reply reply;
    session_reply(session, &reply);
    if (reply.kind == REPLY_FAILED) {
        fail_msg("failed: %s", reply.text);
    }
    assert_int_equal(reply.kind, REPLY_DONE);
    assert_int_equal(reply.segment, segment);
    reply_reset(&reply);
}

static void expect_failed(Session *session, int64_t work, const char *part) {
    Reply reply;
    session_reply(session, &reply);
    assert_int_equal(reply.kind, REPLY_FAILED);
    assert_int_equal(reply.segment, work);
    assert_contains(reply.text, part);
    reply_reset(&reply);
}

/* Closes the input, waits, and gives the exit code. */
static int session_end(Session *session) {
    int status = -1;
    (void)close(session->to);
    while (waitpid(session->process, &status, 0) < 0 && errno == EINTR) {
    }
    (void)close(session->from);
    buffer_reset(&session->text);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

#define TINY                                                                                     \
    "\"fixed\":{\"ensemble_size\":2,\"hidden_layers\":1,\"hidden_width\":8,"                     \
    "\"model_train_epochs\":2,\"planning_horizon\":4,\"cem_candidates\":8,\"cem_iterations\":2," \
    "\"cem_elite_ratio\":0.3,\"particles\":2,\"initial_steps\":20,\"validation_ratio\":0.0,"     \
    "\"activation\":\"tanh\",\"bootstrap\":true}"

static void greet_with(Session *session, int threads) {
    Reply reply;
    session_open(session);
    session_say(session,
                "{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":"
                "\"cartpole\",\"unit\":\"episode\",\"cores\":%d,\"threads\":%d,"
                "\"metrics_wanted\":[],\"later\":[1,2]," TINY "}",
                threads, threads);
    session_reply(session, &reply);
    assert_int_equal(reply.kind, REPLY_HELLO);
    assert_int_equal(reply.protocol, PROTOCOL_VERSION);
    assert_true(reply.checkpoint && reply.deterministic);
    assert_contains(reply.trainer, "mbtune");
    reply_reset(&reply);
}

static void greet(Session *session) {
    greet_with(session, 1);
}

/* `from` and `to` may be NULL */
static void ask_train(Session *session, int segment, int parent, int begin, int end,
                      const char *from, const char *to) {
    char resume[LINE / 4] = "null";
    char checkpoint[LINE / 4] = "null";
    if (from != NULL) {
        (void)snprintf(resume, sizeof resume, "\"%s\"", from);
    }
    if (to != NULL) {
        (void)snprintf(checkpoint, sizeof checkpoint, "\"%s\"", to);
    }
    session_say(session,
                "{\"op\":\"train\",\"segment\":%d,\"parent\":%d,\"hyperparameters\":{"
                "\"model_learning_rate\":0.002,\"planning_horizon\":5},\"begin\":%d,\"end\":%d,"
                "\"seed\":42,\"resume_from\":%s,\"checkpoint_to\":%s}",
                segment, parent, begin, end, resume, checkpoint);
}

/* The row of one episode without its timing values, as text; taken from a metric line. */
static void expect_row(Session *session, int64_t segment, int64_t step, bool evaluation,
                       char *row) {
    Reply       reply;
    Buffer      text;
    const char *name = NULL;
    Json       *value = NULL;
    session_reply(session, &reply);
    assert_int_equal(reply.kind, REPLY_METRIC);
    assert_int_equal(reply.segment, segment);
    assert_int_equal(reply.evaluate, evaluation);
    assert_int_equal(reply.step, step);
    assert_int_equal(reply.index, 0);
    buffer_init(&text, LINE);
    for (size_t i = 0; json_member(reply.values, i, &name, &value); i++) {
        if (strstr(name, "seconds") == NULL) {
            buffer_printf(&text, "%s=%.17g ", name, json_number(value));
        }
    }
    assert_ok(buffer_status(&text));
    memcpy(row, buffer_text(&text), text.length + 1);
    buffer_reset(&text);
    reply_reset(&reply);
}

static char *in(const char *folder, const char *name, char *path) {
    const int length = snprintf(path, LINE / 8, "%s/%s", folder, name);
    assert_true(length > 0 && length < LINE / 8);
    return path;
}

static void a_chain_goes_on_in_memory_and_from_file(void **state) {
    (void)state;
    Session one;
    Session two;
    char   *folder = test_folder_make();
    char    first[LINE / 8];
    char    second[LINE / 8];
    char    third[LINE / 8];
    char    row[LINE];
    char    again[LINE];
    in(folder, "1.a1", first);
    in(folder, "2.a1", second);
    in(folder, "2.a2", third);
    greet(&one);
    ask_train(&one, 1, 0, 0, 2, NULL, first);
    expect_row(&one, 1, 1, false, row);
    assert_contains(row, "model_nll_validation=nan");
    expect_row(&one, 1, 2, false, row);
    expect_done(&one, 1);
    assert_true(file_is_folder(first));

    /* in memory: the file is not even named; the second process only has the file, and two threads
     */
    ask_train(&one, 2, 1, 2, 4, NULL, second);
    greet_with(&two, 2);
    ask_train(&two, 2, 1, 2, 4, first, third);
    for (int step = 3; step <= 4; step++) {
        expect_row(&one, 2, step, false, row);
        expect_row(&two, 2, step, false, again);
        assert_string_equal(row, again);
    }
    expect_done(&one, 2);
    expect_done(&two, 2);
    uint64_t length[2];
    uint64_t checksum[2];
    assert_ok(file_digest(second, &length[0], &checksum[0]));
    assert_ok(file_digest(third, &length[1], &checksum[1]));
    assert_true(length[0] == length[1] && checksum[0] == checksum[1]);

    /* a branch from the older segment, by the process that holds the newer one */
    ask_train(&one, 3, 1, 2, 3, first, NULL);
    expect_row(&one, 3, 3, false, row);
    expect_done(&one, 3);
    session_say(&two, "{\"op\":\"stop\"}");
    assert_int_equal(session_end(&one), 0);
    assert_int_equal(session_end(&two), 0);
    test_folder_remove(folder);
}

static void evaluations_answer_the_same_from_memory_and_file(void **state) {
    (void)state;
    Session session;
    char   *folder = test_folder_make();
    char    path[LINE / 8];
    char    row[4][LINE];
    in(folder, "1.a1", path);
    greet(&session);
    ask_train(&session, 1, 0, 0, 1, NULL, path);
    expect_row(&session, 1, 1, false, row[0]);
    expect_done(&session, 1);
    for (int i = 0; i < 2; i++) {
        /* the second time the agent in memory is that of segment 2 */
        session_say(&session,
                    "{\"op\":\"evaluate\",\"evaluation\":%d,\"segment\":1,"
                    "\"resume_from\":\"%s\",\"episodes\":2,\"seed\":7,"
                    "\"hyperparameters\":{\"model_learning_rate\":0.002,"
                    "\"planning_horizon\":5}}",
                    5 + i, path);
        expect_row(&session, 5 + i, 1, true, row[2 * i]);
        expect_row(&session, 5 + i, 2, true, row[2 * i + 1]);
        expect_done(&session, 5 + i);
        ask_train(&session, 2 + i, 1 + i, 1 + i, 2 + i, NULL, NULL);
        expect_row(&session, 2 + i, 2 + i, false, (char[LINE]){0});
        expect_done(&session, 2 + i);
    }
    assert_string_equal(row[0], row[2]);
    assert_string_equal(row[1], row[3]);
    session_say(&session, "{\"op\":\"evaluate\",\"evaluation\":9,\"segment\":1,"
                          "\"resume_from\":null,\"episodes\":1,\"seed\":7}");
    expect_failed(&session, 9, "segment 1 is not in memory");
    assert_int_equal(session_end(&session), 0);
    test_folder_remove(folder);
}

static void yield_ends_a_segment_early_and_the_chain_goes_on(void **state) {
    (void)state;
    Session session;
    Reply   reply;
    char    row[LINE];
    greet(&session);
    session_say(&session, "{\"op\":\"yield\"}"); /* of no work: void */
    ask_train(&session, 1, 0, 0, 100000, NULL, NULL);
    expect_row(&session, 1, 1, false, row);
    session_say(&session, "{\"op\":\"yield\"}");
    session_reply(&session, &reply);
    while (reply.kind == REPLY_METRIC) { /* episodes that ended in the meantime */
        reply_reset(&reply);
        session_reply(&session, &reply);
    }
    assert_int_equal(reply.kind, REPLY_DONE);
    assert_true(reply.has_end && reply.end >= 1 && reply.end < 100000);
    const int reached = (int)reply.end;
    reply_reset(&reply);
    ask_train(&session, 2, 1, reached, reached + 1, NULL, NULL);
    expect_row(&session, 2, reached + 1, false, row);
    expect_done(&session, 2);
    assert_int_equal(session_end(&session), 0);
}

static void impossible_work_fails_and_the_trainer_goes_on(void **state) {
    (void)state;
    Session session;
    char   *folder = test_folder_make();
    char    path[LINE / 8];
    char    row[LINE];
    in(folder, "1.a1", path);
    greet(&session);
    ask_train(&session, 4, 3, 5, 6, NULL, NULL);
    expect_failed(&session, 4, "segment 3 is not in memory");
    ask_train(&session, 4, 0, 5, 6, NULL, NULL);
    expect_failed(&session, 4, "'begin' says 5");
    ask_train(&session, 4, 3, 5, 6, path, NULL);
    expect_failed(&session, 4, "1.a1");
    session_say(&session, "{\"op\":\"train\",\"segment\":5,\"begin\":0,\"end\":1,\"seed\":1,"
                          "\"hyperparameters\":{\"modle_learning_rate\":0.1}}");
    expect_failed(&session, 5, "model_learning_rate");
    session_say(&session, "{\"op\":\"train\",\"segment\":5,\"begin\":0,\"end\":1,\"seed\":1,"
                          "\"hyperparameters\":{\"model_learning_rate\":\"fast\"}}");
    expect_failed(&session, 5, "must be a number");
    session_say(&session, "{\"op\":\"train\",\"segment\":5,\"begin\":0,\"end\":1,\"seed\":1,"
                          "\"hyperparameters\":{\"activation\":\"step\"}}");
    expect_failed(&session, 5, "activation");
    session_say(&session, "{\"op\":\"train\",\"segment\":5,\"begin\":0,\"end\":1,\"seed\":1,"
                          "\"hyperparameters\":{\"bootstrap\":3}}");
    expect_failed(&session, 5, "true or false");
    ask_train(&session, 1, 0, 0, 1, NULL, path);
    expect_row(&session, 1, 1, false, row);
    expect_done(&session, 1);
    ask_train(&session, 2, 1, 1, 2, NULL, path);
    expect_row(&session, 2, 2, false, row);
    expect_failed(&session, 2, "1.a1"); /* it exists */
    /* what failed is not continued from */
    ask_train(&session, 3, 2, 2, 3, NULL, NULL);
    expect_failed(&session, 3, "not in memory");
    ask_train(&session, 6, 1, 1, 2, path, NULL);
    expect_row(&session, 6, 2, false, row);
    expect_done(&session, 6);
    assert_int_equal(session_end(&session), 0);
    test_folder_remove(folder);
}

static void a_wrong_hello_ends_the_conversation(void **state) {
    (void)state;
    const struct {
        const char *line;
        const char *part;
    } cases[] = {
        {"{\"op\":\"hello\",\"protocol\":2,\"agent\":\"pets\",\"environment\":\"cartpole\"}",
         "protocol 2"},
        {"{\"op\":\"hello\",\"protocol\":1,\"environment\":\"cartpole\"}", "'agent'"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pest\",\"environment\":\"cartpole\"}",
         "'pets'"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpol\"}",
         "'cartpole'"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpole\","
         "\"unit\":\"epoch\"}",
         "unit 'epoch'"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpole\","
         "\"fixed\":{\"ensemble_sizes\":3}}",
         "ensemble_size"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpole\","
         "\"fixed\":{\"weight_decay_layers\":1}}",
         "'weight_decay_layers' must be a list of numbers"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpole\","
         "\"fixed\":{\"weight_decay_layers\":[1,\"x\"]}}",
         "'weight_decay_layers' is nan"},
        {"{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":\"cartpole\","
         "\"threads\":0}",
         "'threads' must be 1 to"},
        {"{\"op\":\"train\",\"segment\":0,\"begin\":0,\"end\":1,\"seed\":1}", "hello"},
        {"{\"op\":\"dance\"}", "dance"},
        {"not json at all", "malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Session session;
        session_open(&session);
        session_say(&session, "%s", cases[i].line);
        expect_failed(&session, 0, cases[i].part);
        assert_int_equal(session_end(&session), 1);
    }
}

/* a list of the hello arrives whole: it is of three layers, the network has two */
static void lists_arrive_element_by_element(void **state) {
    Session session;
    Reply   reply;
    (void)state;
    session_open(&session);
    session_say(&session, "{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":"
                          "\"cartpole\",\"fixed\":{\"hidden_layers\":1,"
                          "\"weight_decay_layers\":[0.5,1,2]}}");
    session_reply(&session, &reply);
    assert_int_equal(reply.kind, REPLY_HELLO);
    reply_reset(&reply);
    ask_train(&session, 1, 0, 0, 1, NULL, NULL);
    expect_failed(&session, 1, "'weight_decay_layers' has 3 numbers");
    assert_int_equal(session_end(&session), 0);
}

/* What was sent before the end of the input is done, even a line without its newline. */
static void a_session_can_be_piped_in(void **state) {
    (void)state;
    Session session;
    char    row[LINE];
    greet(&session);
    ask_train(&session, 1, 0, 0, 1, NULL, NULL);
    ask_train(&session, 2, 1, 1, 2, NULL, NULL);
    const char last[] = "{\"op\":\"train\",\"segment\":3,\"parent\":2,\"begin\":2,\"end\":3,"
                        "\"seed\":42}";
    assert_int_equal(write(session.to, last, sizeof last - 1), sizeof last - 1);
    (void)close(session.to);
    session.to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int segment = 1; segment <= 3; segment++) {
        expect_row(&session, segment, segment, false, row);
        expect_done(&session, segment);
    }
    assert_int_equal(session_end(&session), 0);
}

/* One call of training takes seconds: the trainer says that it is alive all the same. */
static void long_training_says_that_it_is_alive(void **state) {
    (void)state;
    Session session;
    char    line[LINE];
    greet(&session);
    session_say(&session, "{\"op\":\"train\",\"segment\":1,\"begin\":0,\"end\":1,\"seed\":1,"
                          "\"hyperparameters\":{\"model_train_epochs\":1000,"
                          "\"model_batch_size\":1,\"model_train_every\":1}}");
    for (int i = 0; i < 3; i++) {
        const double begin = clock_monotonic();
        assert_true(session_line(&session, line));
        assert_string_equal(line, "{\"op\":\"alive\"}");
        assert_true(clock_monotonic() - begin < 60.0);
    }
    /* nobody reads any more: the next line ends the trainer at the end of its work; not waited for
     */
    (void)kill(session.process, SIGKILL);
    assert_int_equal(session_end(&session), -SIGKILL);
}

static void a_reader_that_went_away_ends_the_trainer(void **state) {
    (void)state;
    Session session;
    int     status = -1;
    greet(&session);
    (void)close(session.from);
    ask_train(&session, 1, 0, 0, 1, NULL, NULL);
    while (waitpid(session.process, &status, 0) < 0 && errno == EINTR) {
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    (void)close(session.to);
    buffer_reset(&session.text);
}

/* replies until done; @return how many of them were warnings about the propagation */
static int warnings_of(Session *session) {
    int count = 0;
    for (;;) {
        Reply reply;
        session_reply(session, &reply);
        const ReplyKind kind = reply.kind;
        if (kind == REPLY_LOG) {
            assert_string_equal(reply.level, "warning");
            assert_contains(reply.text, "'ts1' of a single probabilistic model is 'ds'");
            count++;
        }
        assert_int_not_equal(kind, REPLY_FAILED);
        reply_reset(&reply);
        if (kind == REPLY_DONE) {
            return count;
        }
    }
}

static void what_is_not_what_it_seems_is_said_once(void **state) {
    Session session;
    Reply   reply;
    (void)state;
    session_open(&session);
    session_say(&session, "{\"op\":\"hello\",\"protocol\":1,\"agent\":\"pets\",\"environment\":"
                          "\"cartpole\",\"unit\":\"episode\",\"cores\":1,\"metrics_wanted\":[],"
                          "\"fixed\":{\"ensemble_size\":1,\"hidden_layers\":1,\"hidden_width\":8,"
                          "\"cem_candidates\":8,\"cem_iterations\":2,\"particles\":2,"
                          "\"initial_steps\":20}}");
    session_reply(&session, &reply);
    assert_int_equal(reply.kind, REPLY_HELLO);
    reply_reset(&reply);
    ask_train(&session, 1, 0, 0, 1, NULL, NULL);
    assert_int_equal(warnings_of(&session), 1);
    ask_train(&session, 2, 1, 1, 2, NULL, NULL);
    assert_int_equal(warnings_of(&session), 0);
    assert_int_equal(session_end(&session), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_what_it_seems_is_said_once),
        cmocka_unit_test(a_chain_goes_on_in_memory_and_from_file),
        cmocka_unit_test(evaluations_answer_the_same_from_memory_and_file),
        cmocka_unit_test(yield_ends_a_segment_early_and_the_chain_goes_on),
        cmocka_unit_test(impossible_work_fails_and_the_trainer_goes_on),
        cmocka_unit_test(a_wrong_hello_ends_the_conversation),
        cmocka_unit_test(lists_arrive_element_by_element),
        cmocka_unit_test(a_session_can_be_piped_in),
        cmocka_unit_test(long_training_says_that_it_is_alive),
        cmocka_unit_test(a_reader_that_went_away_ends_the_trainer),
    };
    if (argc == 2 && strcmp(argv[1], "trainer") == 0) {
        return train_main(1, argv);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("tuner/train", tests, NULL, NULL);
}
