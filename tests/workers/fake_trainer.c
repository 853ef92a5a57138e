/* A scripted external trainer for tests: fast, deterministic, and as badly behaved as asked.
 *
 *   fake_trainer [--slow-start S] [--no-checkpoint] [--folder] [--ignore-yield] [--ignore-term]
 *                [--protocol N] [--slow-save S]
 *                [--exit-after-done] [--stamp] [--sleep S] [--fault KIND@WHEN=VALUE]...
 *
 * WHEN is unit, segment, probability (drawn from seed and unit, so a retry meets it again) or once
 * (a file that must not exist yet and is then made: a retry does not meet it). The hyperparameter
 * fault_KIND: N is KIND@unit=N, `sleep` is seconds per unit. KIND:
 *   crash exit kill segv hang garbage nan hog long_line unknown_op wrong_segment wrong_step
 * fail diverge full family unwritten link (a checkpoint that is a symbolic link) silent explode (a
 * huge reward, and the metric episode_diverged). The agent is two numbers with momentum that walk
 * to an optimum; learning_rate, x and y change how. Continuing in memory, from file and in another
 * process gives the same metrics bit for bit.
 */
#include "core/buffer.h"
#include "core/clock.h"
#include "workers/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FAULTS = 16, MAX_PATH = 1024 };

typedef struct Fault {
    char        kind[24];
    char        when[24];
    const char *value;
} Fault;

typedef struct Agent {
    int64_t segment; /* 0 = none */
    int64_t unit;
    double  weight;
    double  velocity;
} Agent;

static struct {
    double      slow_start;
    double      sleep;
    double      slow_save;
    bool        checkpoint;
    bool        folder;
    bool        ignore_yield;
    bool        exit_after_done;
    bool        stamp; /* report when an order was read and when it was done (monotonic clock) */
    int64_t     protocol;
    const char *trainer;
    Fault       faults[MAX_FAULTS];
    size_t      fault_count;
} options = {.checkpoint = true, .protocol = PROTOCOL_VERSION, .trainer = "fake-trainer 1"};

static Agent  agent;
static Buffer incoming;
static Buffer outgoing;

/* ---- lines ---- */

static void send_bytes(const char *bytes, size_t length) {
    while (length > 0) {
        const ssize_t put = write(STDOUT_FILENO, bytes, length);
        if (put < 0) {
            _exit(9);
        }
        bytes += put;
        length -= (size_t)put;
    }
}

static void say(const Reply *reply) {
    buffer_clear(&outgoing);
    if (reply_write(reply, &outgoing) != STATUS_OK) {
        _exit(8);
    }
    send_bytes(outgoing.data, outgoing.length);
}

/* the next request; false if none is there and `wait` is not set; ends the process at end of file
 */
static bool hear(bool wait, Request *out) {
    static char chunk[65536];
    for (;;) {
        const char *end =
            incoming.length == 0 ? NULL : memchr(incoming.data, '\n', incoming.length);
        if (end != NULL) {
            const size_t length = (size_t)(end - incoming.data);
            if (request_parse(incoming.data, length, out) != STATUS_OK) {
                (void)fprintf(stderr, "fake_trainer: %s\n", status_last()->text);
                _exit(7);
            }
            buffer_consume(&incoming, length + 1);
            return true;
        }
        struct pollfd fd = {.fd = STDIN_FILENO, .events = POLLIN};
        if (!wait && poll(&fd, 1, 0) <= 0) {
            return false;
        }
        const ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
        if (got <= 0) {
            _exit(0);
        }
        buffer_append(&incoming, chunk, (size_t)got);
    }
}

/* ---- the agent ---- */

/* splitmix64 of seed and counter, in [-1, 1) */
static double noise(uint64_t seed, int64_t counter) {
    uint64_t z = seed + 0x9e3779b97f4a7c15U * (uint64_t)(counter + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    return (double)(z >> 11) / 4503599627370496.0 - 1.0;
}

static double value_of(const Request *work, const char *key, double otherwise) {
    const Json *value = json_get(work->hyperparameters, key);
    return json_is_number(value) ? json_number(value) : otherwise;
}

static double reward(const Request *work, const Agent *a) {
    const double x = value_of(work, "x", 0.3) - 0.3;
    const double y = value_of(work, "y", 0.7) - 0.7;
    return 100.0 - 50.0 * fabs(a->weight - 1.0) - 20.0 * (x * x + y * y);
}

static void train_unit(const Request *work, Agent *a) {
    const double rate = value_of(work, "learning_rate", 0.1);
    const double pull = 1.0 - a->weight + 0.2 * noise(work->seed, a->unit);
    a->velocity = 0.5 * a->velocity + rate * pull;
    a->weight += a->velocity;
    a->unit++;
}

static const char *state_path(const char *path, char *space) {
    (void)snprintf(space, MAX_PATH, "%s%s", path, options.folder ? "/state" : "");
    return space;
}

static bool save(const char *path) {
    char space[MAX_PATH];
    if (options.slow_save > 0.0) {
        clock_sleep(options.slow_save);
    }
    if (options.folder && mkdir(path, 0777) != 0) {
        return false;
    }
    FILE *file = fopen(state_path(path, space), "we");
    if (file == NULL) {
        return false;
    }
    const int put = fprintf(file, "fake %" PRId64 " %" PRId64 " %a %a\n", agent.segment, agent.unit,
                            agent.weight, agent.velocity);
    return fclose(file) == 0 && put > 0;
}

static bool load(const char *path, Agent *out) {
    char  space[MAX_PATH];
    char  text[256] = "";
    FILE *file = fopen(state_path(path, space), "re");
    if (file == NULL) {
        return false;
    }
    const bool got = fgets(text, sizeof text, file) != NULL;
    (void)fclose(file);
    char *at = text + 5;
    if (!got || strncmp(text, "fake ", 5) != 0) {
        return false;
    }
    out->segment = strtoll(at, &at, 10);
    out->unit = strtoll(at, &at, 10);
    out->weight = strtod(at, &at);
    out->velocity = strtod(at, &at);
    return *at == '\n';
}

/* ---- faults ---- */

static bool is_due(const Fault *fault, const Request *work, int64_t unit) {
    if (strcmp(fault->when, "unit") == 0) {
        return strtoll(fault->value, NULL, 10) == unit;
    }
    if (strcmp(fault->when, "segment") == 0) {
        return strtoll(fault->value, NULL, 10) == work->segment;
    }
    if (strcmp(fault->when, "probability") == 0) {
        return noise(work->seed ^ 0x5bd1e995U, unit) < 2.0 * strtod(fault->value, NULL) - 1.0;
    }
    const int fd = open(fault->value, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    return fd >= 0 && close(fd) == 0;
}

/* is fault `kind` due in this unit? */
static bool due(const char *kind, const Request *work, int64_t unit) {
    char key[48];
    (void)snprintf(key, sizeof key, "fault_%s", kind);
    if (value_of(work, key, 0.0) == (double)unit) {
        return true;
    }
    for (size_t i = 0; i < options.fault_count; i++) {
        if (strcmp(options.faults[i].kind, kind) == 0 && is_due(&options.faults[i], work, unit)) {
            return true;
        }
    }
    return false;
}

static void hog(void) {
    for (;;) {
        void *block = malloc(4 << 20);
        if (block != NULL) {
            memset(block, 1, 4 << 20);
        }
        clock_sleep(0.001);
    }
}

static void long_line(void) {
    static char line[PROTOCOL_LINE_BYTES + 16];
    memset(line, 'x', sizeof line);
    send_bytes(line, sizeof line);
    clock_sleep(1000.0);
}

/* a child and a grandchild in sessions of their own; their pids go to stderr */
static void family(void) {
    for (int i = 0; i < 2; i++) {
        if (fork() != 0) {
            if (i > 0) {
                clock_sleep(1000.0);
            }
            return;
        }
        (void)setsid();
        (void)signal(SIGTERM, SIG_IGN);
        (void)fprintf(stderr, "pid %ld\n", (long)getpid());
    }
    clock_sleep(1000.0);
    _exit(0);
}

/* faults that end the process, or never come back */
static void deadly_faults(const Request *work, int64_t unit) {
    if (due("crash", work, unit)) {
        (void)fprintf(stderr, "Traceback: a crash in unit %" PRId64 "\n", unit);
        _exit(3);
    }
    if (due("exit", work, unit)) {
        _exit(0);
    }
    if (due("kill", work, unit)) {
        (void)raise(SIGKILL);
    }
    if (due("segv", work, unit)) {
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
    }
    if (due("hang", work, unit)) {
        clock_sleep(1e6);
    }
    if (due("hog", work, unit)) {
        hog();
    }
    if (due("long_line", work, unit)) {
        long_line();
    }
}

static void say_metric(const Request *work, int64_t id, int64_t step, double value) {
    Json      *values = json_new_object();
    const bool exploded = work->kind == REQUEST_TRAIN && due("explode", work, step);
    Status     status = json_set(values, "episode_reward", json_new_number(exploded ? 1e6 : value));
    if (status == STATUS_OK && exploded) {
        status = json_set(values, "episode_diverged", json_new_number(1.0));
    }
    if (status == STATUS_OK) {
        status = json_set(values, "train_flop", json_new_number(1000.0));
    }
    if (status != STATUS_OK) {
        _exit(8);
    }
    say(&(Reply){.kind = REPLY_METRIC,
                 .evaluate = work->kind == REQUEST_EVALUATE,
                 .segment = id,
                 .step = step,
                 .values = values});
    json_release(values);
}

/* faults of speech; true if the order is over */
static bool spoken_faults(const Request *work, int64_t unit) {
    static const char garbage[] = "Epoch 1/10: loss=0.25\n";
    static const char unknown[] = "{\"op\":\"sing\"}\n";
    if (due("garbage", work, unit)) {
        send_bytes(garbage, sizeof garbage - 1);
    }
    if (due("unknown_op", work, unit)) {
        send_bytes(unknown, sizeof unknown - 1);
    }
    if (due("wrong_segment", work, unit)) {
        say(&(Reply){.kind = REPLY_DONE, .segment = work->segment + 1000});
    }
    if (due("wrong_step", work, unit)) {
        say_metric(work, work->segment, work->end + 1, 1.0);
    }
    if (due("family", work, unit)) {
        family();
    }
    if (due("full", work, unit)) {
        say(&(Reply){.kind = REPLY_FAILED,
                     .segment = work->segment,
                     .text = "cannot save the agent: No space left on device"});
        return true;
    }
    const bool diverge = due("diverge", work, unit);
    if (diverge || due("fail", work, unit)) {
        say(&(Reply){.kind = REPLY_FAILED,
                     .segment = work->segment,
                     .text = diverge ? "diverged: the weight is not finite" : "no such file"});
        return true;
    }
    return false;
}

/* ---- work ---- */

static void say_stamp(const Request *work, const char *name, double value) {
    Json *values = json_new_object();
    if (json_set(values, name, json_new_number(value)) != STATUS_OK) {
        _exit(8);
    }
    say(&(Reply){
        .kind = REPLY_METRIC, .segment = work->segment, .step = work->end, .values = values});
    json_release(values);
}

static void say_failed(const Request *work, const char *reason) {
    const bool evaluate = work->kind == REQUEST_EVALUATE;
    say(&(Reply){.kind = REPLY_FAILED,
                 .evaluate = evaluate,
                 .segment = evaluate ? work->evaluation : work->segment,
                 .text = reason});
}

/* the parent's agent, from memory or file */
static bool take_parent(const Request *work) {
    if (work->begin == 0) {
        agent = (Agent){.weight = 0.1 * noise(work->seed, -7)};
        return true;
    }
    if (agent.segment != 0 && agent.segment == work->parent && agent.unit == work->begin) {
        return true;
    }
    return work->resume_from != NULL && load(work->resume_from, &agent) &&
           agent.unit == work->begin;
}

/* true if a yield has come */
static bool yield_came(void) {
    Request request;
    bool    yield = false;
    while (hear(false, &request)) {
        if (request.kind == REQUEST_STOP) {
            _exit(0);
        }
        yield = yield || (request.kind == REQUEST_YIELD && !options.ignore_yield);
        request_reset(&request);
    }
    return yield;
}

static void train(const Request *work) {
    if (options.ignore_yield) { /* from here on it is deaf: tests wait for this line in the log */
        (void)fprintf(stderr, "training\n");
    }
    const double received_at = clock_monotonic();
    if (!take_parent(work)) {
        say_failed(work, "cannot load the checkpoint of the parent");
        return;
    }
    agent.segment = 0;
    bool yielded = false;
    bool silent = false;
    bool unwritten = false;
    bool linked = false;
    while (agent.unit < work->end && !yielded) {
        const int64_t unit = agent.unit + 1;
        deadly_faults(work, unit);
        if (spoken_faults(work, unit)) {
            return;
        }
        train_unit(work, &agent);
        const double pause = value_of(work, "sleep", options.sleep);
        if (pause > 0.0) {
            clock_sleep(pause);
        }
        silent = silent || due("silent", work, unit);
        unwritten = unwritten || due("unwritten", work, unit);
        linked = linked || due("link", work, unit);
        const double value = due("nan", work, unit) ? (double)NAN : reward(work, &agent);
        if (!silent) {
            say_metric(work, work->segment, unit, value);
        }
        yielded = yield_came();
    }
    agent.segment = work->segment;
    if (linked && work->checkpoint_to != NULL) {
        (void)symlink("/etc/passwd", work->checkpoint_to);
    } else if (options.checkpoint && work->checkpoint_to != NULL && !unwritten &&
               !save(work->checkpoint_to)) {
        say_failed(work, "cannot write the checkpoint");
        return;
    }
    if (options.stamp) {
        say_stamp(work, "received_at", received_at);
        say_stamp(work, "done_at", clock_monotonic());
    }
    say(&(Reply){.kind = REPLY_DONE,
                 .segment = work->segment,
                 .end = (agent.unit < work->end) ? agent.unit : 0});
}

static void evaluate(const Request *work) {
    Agent a = agent;
    if ((a.segment == 0 || a.segment != work->segment) &&
        (work->resume_from == NULL || !load(work->resume_from, &a))) {
        say_failed(work, "cannot load the checkpoint of the segment");
        return;
    }
    for (int64_t i = 0; i < work->episodes; i++) {
        say_metric(work, work->evaluation, i + 1, reward(work, &a) + noise(work->seed, i));
    }
    say(&(Reply){.kind = REPLY_DONE, .evaluate = true, .segment = work->evaluation});
}

static void add_fault(char *text) {
    char *at = strchr(text, '@');
    char *equals = (at == NULL) ? NULL : strchr(at, '=');
    if (equals == NULL || options.fault_count == MAX_FAULTS) {
        (void)fprintf(stderr, "fake_trainer: a fault is KIND@WHEN=VALUE, not '%s'\n", text);
        _exit(2);
    }
    Fault *fault = &options.faults[options.fault_count++];
    (void)snprintf(fault->kind, sizeof fault->kind, "%.*s", (int)(at - text), text);
    (void)snprintf(fault->when, sizeof fault->when, "%.*s", (int)(equals - at - 1), at + 1);
    fault->value = equals + 1;
}

static void read_options(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--no-checkpoint") == 0) {
            options.checkpoint = false;
        } else if (strcmp(argv[i], "--folder") == 0) {
            options.folder = true;
        } else if (strcmp(argv[i], "--ignore-term") == 0) {
            (void)signal(SIGTERM, SIG_IGN);
        } else if (strcmp(argv[i], "--ignore-yield") == 0) {
            options.ignore_yield = true;
        } else if (strcmp(argv[i], "--stamp") == 0) {
            options.stamp = true;
        } else if (strcmp(argv[i], "--exit-after-done") == 0) {
            options.exit_after_done = true;
        } else if (strcmp(argv[i], "--slow-start") == 0 && has_value) {
            options.slow_start = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--slow-save") == 0 && has_value) {
            options.slow_save = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--sleep") == 0 && has_value) {
            options.sleep = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--protocol") == 0 && has_value) {
            options.protocol = strtoll(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--fault") == 0 && has_value) {
            add_fault(argv[++i]);
        } else {
            (void)fprintf(stderr, "fake_trainer: unknown option '%s'\n", argv[i]);
            _exit(2);
        }
    }
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    buffer_init(&incoming, (size_t)4 * PROTOCOL_LINE_BYTES);
    buffer_init(&outgoing, PROTOCOL_LINE_BYTES);
    if (options.slow_start > 0.0) {
        clock_sleep(options.slow_start);
    }
    for (;;) {
        Request work;
        (void)hear(true, &work);
        if (work.kind == REQUEST_STOP) {
            _exit(0);
        }
        if (work.kind == REQUEST_HELLO) {
            say(&(Reply){.kind = REPLY_HELLO,
                         .protocol = options.protocol,
                         .trainer = options.trainer,
                         .checkpoint = options.checkpoint,
                         .deterministic = true});
        } else if (work.kind == REQUEST_TRAIN || work.kind == REQUEST_EVALUATE) {
            if (work.kind == REQUEST_TRAIN) {
                train(&work);
            } else {
                evaluate(&work);
            }
            if (options.exit_after_done) {
                _exit(0);
            }
        }
        request_reset(&work);
    }
}
