#include "workers/trainer_process.h"

#include "core/clock.h"
#include "workers/process_tree.h"
#include "workers/trainer_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    READ_ROUNDS = 16, /* chunks per pump, so that one trainer cannot starve the others */
    TEXT_CAP = TRAINER_REASON_BYTES + TRAINER_TAIL_BYTES + 256,
};

/* how long trainer_destroy() waits for a supervisor before it kills it */
static const double orphan_patience_s = 1.0;
static const double destroy_patience_s = 2.0;

Status trainer_create(const TrainerSetup *setup, TrainerProcess **out) {
    TrainerProcess *t = calloc(1, sizeof *t);
    *out = t;
    if (t == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a trainer");
    }
    t->setup = *setup;
    t->pipes = (TrainerPipes){.in = -1, .out = -1, .report = -1};
    buffer_init(&t->outgoing, (size_t)4 * PROTOCOL_LINE_BYTES);
    buffer_init(&t->incoming, PROTOCOL_LINE_BYTES + (size_t)2 * READ_BYTES);
    buffer_init(&t->line, PROTOCOL_LINE_BYTES + 1);
    buffer_init(&t->text, TEXT_CAP);
    return STATUS_OK;
}

static void close_pipes(TrainerProcess *t) {
    trainer_close(&t->pipes.in);
    trainer_close(&t->pipes.out);
    trainer_close(&t->pipes.report);
}

void trainer__signal(const TrainerProcess *t, int number) {
    (void)kill(t->pipes.pid, number);
    (void)kill(t->pipes.pid, SIGCONT); /* a stopped one would not hear it */
}

/* reaps the supervisor; if it could not report, its trainer's descendants are now ours to end */
int trainer__reap(TrainerProcess *t) {
    int status = 0;
    while (waitpid(t->pipes.pid, &status, 0) < 0 && errno == EINTR) {
    }
    t->setup.supervisors[t->setup.slot] = 0;
    if (t->report_length == 0) {
        process_tree_end(t->setup.supervisors, t->setup.supervisor_count, orphan_patience_s);
    }
    t->pipes.pid = 0;
    close_pipes(t);
    return status;
}

void trainer_destroy(TrainerProcess *trainer) {
    if (trainer == NULL) {
        return;
    }
    if (trainer->phase != PHASE_NONE) {
        trainer__signal(trainer, SIGTERM);
        const double deadline = clock_monotonic() + destroy_patience_s;
        while (!trainer->report_ended && clock_monotonic() < deadline) {
            (void)trainer_pump(trainer);
            clock_sleep(0.0005);
        }
        if (!trainer->report_ended) {
            trainer__signal(trainer, SIGKILL);
        }
        (void)trainer__reap(trainer);
    }
    reply_reset(&trainer->reply);
    buffer_reset(&trainer->outgoing);
    buffer_reset(&trainer->incoming);
    buffer_reset(&trainer->line);
    buffer_reset(&trainer->text);
    free(trainer);
}

bool trainer_alive(const TrainerProcess *trainer) {
    return trainer->phase != PHASE_NONE;
}

bool trainer_ready(const TrainerProcess *trainer) {
    return !trainer->has_order && !trainer->stopping && trainer->phase != PHASE_ENDING;
}

bool trainer_has_order(const TrainerProcess *trainer) {
    return trainer->has_order;
}

bool trainer_can_checkpoint(const TrainerProcess *trainer) {
    return trainer->checkpoint;
}

bool trainer_deterministic(const TrainerProcess *trainer) {
    return trainer->deterministic;
}

/* ---- orders ---- */

Status trainer__start(TrainerProcess *t) {
    TRY(trainer_spawn(&t->setup, &t->pipes));
    t->setup.supervisors[t->setup.slot] = t->pipes.pid;
    t->phase = PHASE_STARTING;
    t->started_at = clock_monotonic();
    t->parsed = 0;
    t->report_length = 0;
    t->report_ended = false;
    t->stopping = false;
    t->close_after_writing = false;
    t->killed_hard = false;
    t->served = 0;
    buffer_clear(&t->incoming);
    buffer_clear(&t->outgoing);
    buffer_puts(&t->outgoing, t->setup.hello);
    buffer_append(&t->outgoing, "\n", 1);
    return STATUS_OK;
}

/* the hello has come: the waiting order follows */
void trainer__send_order(TrainerProcess *t, double now) {
    buffer_append(&t->outgoing, t->line.data, t->line.length);
    t->is_sent = true;
    t->is_answered = false;
    t->tell_started = !t->is_told;
    t->order_at = now;
    t->heard_at = now;
    (void)trainer_pump(t);
}

Status trainer_order(TrainerProcess *trainer, const char *line, int64_t id) {
    if (!trainer_ready(trainer)) {
        FAIL(STATUS_ERR_STATE, "the trainer of slot %zu is busy", trainer->setup.slot);
    }
    Request request;
    TRY(request_parse(line, strlen(line), &request));
    json_release(request.json);
    request.json = NULL;
    if (request.kind != REQUEST_TRAIN && request.kind != REQUEST_EVALUATE) {
        FAIL(STATUS_ERR_PROTOCOL, "an order must be a train or evaluate line");
    }
    buffer_clear(&trainer->line);
    buffer_puts(&trainer->line, line);
    buffer_append(&trainer->line, "\n", 1);
    TRY(buffer_status(&trainer->line));
    trainer->log_from = trainer_log_size(trainer->setup.log_path);
    if (trainer->phase == PHASE_NONE) {
        TRY(trainer__start(trainer));
    }
    trainer->has_order = true;
    trainer->is_sent = false;
    trainer->tell_started = false;
    trainer->is_told = false;
    trainer->order = request;
    trainer->id = id;
    trainer->order_at = 0.0;
    trainer->outcome = OUTCOME_NONE;
    trainer->reason[0] = '\0';
    if (trainer->phase == PHASE_READY) {
        trainer__send_order(trainer, clock_monotonic());
    } else {
        (void)trainer_pump(trainer);
    }
    return STATUS_OK;
}

void trainer__end_badly(TrainerProcess *t, Outcome outcome, const char *format, ...) {
    if (t->phase == PHASE_ENDING || t->phase == PHASE_NONE) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(t->reason, sizeof t->reason, format, arguments);
    va_end(arguments);
    trainer_clean(t->reason, strlen(t->reason));
    t->outcome = outcome;
    t->phase = PHASE_ENDING;
    t->killed_at = clock_monotonic();
    trainer__signal(t, SIGTERM);
}

void trainer_cancel(TrainerProcess *trainer) {
    if (trainer->phase == PHASE_NONE) {
        return;
    }
    trainer->stopping = true;
    trainer__end_badly(trainer, OUTCOME_CANCELLED, "cancelled");
}

void trainer_yield(TrainerProcess *trainer) {
    if (!trainer->has_order) {
        return;
    }
    if (!trainer->is_sent) {
        trainer_cancel(trainer);
    } else if (trainer->phase == PHASE_READY) {
        buffer_puts(&trainer->outgoing, "{\"op\":\"yield\"}\n");
        (void)trainer_pump(trainer);
    }
}

void trainer_stop(TrainerProcess *trainer) {
    if (trainer->has_order || trainer->phase == PHASE_STARTING) {
        trainer_cancel(trainer);
    } else if (trainer->phase == PHASE_READY) {
        trainer->stopping = true;
        buffer_puts(&trainer->outgoing, "{\"op\":\"stop\"}\n");
        trainer->close_after_writing = true;
        (void)trainer_pump(trainer);
    }
}

/* ---- pipes ---- */

static size_t put_poll(struct pollfd *out, size_t at, int fd, short events) {
    if (fd < 0) {
        return at;
    }
    out[at] = (struct pollfd){.fd = fd, .events = events};
    return at + 1;
}

size_t trainer_poll_fds(const TrainerProcess *trainer, struct pollfd *out) {
    size_t count = 0;
    if (trainer->outgoing.length > 0) {
        count = put_poll(out, count, trainer->pipes.in, POLLOUT);
    }
    count = put_poll(out, count, trainer->pipes.out, POLLIN);
    return put_poll(out, count, trainer->pipes.report, POLLIN);
}

static bool write_some(TrainerProcess *t) {
    bool moved = false;
    while (t->pipes.in >= 0 && t->outgoing.length > 0) {
        const ssize_t put = write(t->pipes.in, t->outgoing.data, t->outgoing.length);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0 && errno == EAGAIN) {
            break;
        }
        moved = true;
        if (put < 0) { /* nobody reads any more: the report will tell */
            trainer_close(&t->pipes.in);
            buffer_clear(&t->outgoing);
        } else {
            buffer_consume(&t->outgoing, (size_t)put);
        }
    }
    if (t->close_after_writing && t->outgoing.length == 0) {
        trainer_close(&t->pipes.in);
    }
    return moved;
}

bool trainer__read_lines(TrainerProcess *t) {
    static _Thread_local char chunk[READ_BYTES];
    bool                      moved = false;
    if (t->parsed > 0) {
        buffer_consume(&t->incoming, t->parsed);
        t->parsed = 0;
    }
    for (int i = 0; i < READ_ROUNDS && t->pipes.out >= 0; i++) {
        if (t->incoming.length > PROTOCOL_LINE_BYTES) {
            break; /* lines for the owner to take first, or one that is over-long */
        }
        const ssize_t got = read(t->pipes.out, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            break;
        }
        moved = true;
        if (got <= 0) {
            trainer_close(&t->pipes.out);
        } else {
            buffer_append(&t->incoming, chunk, (size_t)got);
        }
    }
    return moved;
}

static bool read_report(TrainerProcess *t) {
    bool moved = false;
    while (t->pipes.report >= 0) {
        const ssize_t got = read(t->pipes.report, t->report + t->report_length,
                                 sizeof t->report - 1 - t->report_length);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && errno == EAGAIN) {
            break;
        }
        moved = true;
        if (got <= 0) {
            t->report_ended = true;
            trainer_close(&t->pipes.report);
        } else {
            t->report_length += (size_t)got;
        }
    }
    t->report[t->report_length] = '\0';
    return moved;
}

bool trainer_pump(TrainerProcess *trainer) {
    if (trainer->phase == PHASE_NONE) {
        return false;
    }
    /* the report first: if it has ended, what the trainer wrote before is all in the pipe */
    const bool reported = read_report(trainer);
    const bool written = write_some(trainer);
    const bool read_any = trainer__read_lines(trainer);
    return reported || written || read_any;
}
