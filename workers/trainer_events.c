#include "core/clock.h"
#include "workers/process_tree.h"
#include "workers/trainer_internal.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* a supervisor that has not gone after SIGTERM for this long is killed itself */
static const double kill_patience_s = 2.0;

static void fill_log(TrainerEvent *event, const char *level, const char *text) {
    *event = (TrainerEvent){.kind = TRAINER_LOG, .level = level, .text = text};
}

/* the order is over; `text` must already be in t->text */
static void fill_over(TrainerProcess *t, double now, Outcome outcome, TrainerEvent *event) {
    *event = (TrainerEvent){
        .kind = TRAINER_OVER,
        .outcome = outcome,
        .text = buffer_text(&t->text),
        .busy_seconds = t->is_sent ? now - t->order_at : 0.0,
    };
    t->has_order = false;
    t->is_sent = false;
    t->tell_started = false;
}

static bool is_about_order(const TrainerProcess *t, const Reply *reply) {
    if (!t->has_order || !t->is_sent) {
        return false;
    }
    const bool evaluate = t->order.kind == REQUEST_EVALUATE;
    if (reply->segment == 0) {
        return true;
    }
    if (evaluate && !reply->evaluate) {
        return reply->segment == t->order.segment || reply->segment == t->id;
    }
    return reply->evaluate == evaluate && reply->segment == t->id;
}

static void take_hello(TrainerProcess *t, const Reply *reply, double now) {
    if (t->phase != PHASE_STARTING) {
        trainer__end_badly(t, OUTCOME_PROTOCOL, "a second hello");
        return;
    }
    if (reply->protocol != PROTOCOL_VERSION) {
        trainer__end_badly(t, OUTCOME_PROTOCOL,
                           "the trainer speaks protocol %" PRId64 ", expected %d", reply->protocol,
                           (int)PROTOCOL_VERSION);
        return;
    }
    t->phase = PHASE_READY;
    t->checkpoint = reply->checkpoint;
    t->deterministic = reply->deterministic;
    if (t->has_order) {
        trainer__send_order(t, now);
    }
}

static bool take_done(TrainerProcess *t, const Reply *reply, double now, TrainerEvent *event) {
    const bool train = t->order.kind == REQUEST_TRAIN;
    if (train && reply->has_end && (reply->end <= t->order.begin || reply->end > t->order.end)) {
        trainer__end_badly(t, OUTCOME_PROTOCOL,
                           "done: 'end' is %" PRId64 ", but the segment goes from %" PRId64
                           " to %" PRId64,
                           reply->end, t->order.begin, t->order.end);
        return false;
    }
    const bool    early = train && reply->has_end && reply->end < t->order.end;
    const int64_t end = early ? reply->end : 0;
    t->served++;
    buffer_clear(&t->text);
    fill_over(t, now, early ? OUTCOME_PREEMPTED : OUTCOME_DONE, event);
    event->end = end;
    return true;
}

/* a row outside the order would belong to another piece of work and change its objective */
static bool take_metric(TrainerProcess *t, const Reply *reply, TrainerEvent *event) {
    const bool    train = t->order.kind == REQUEST_TRAIN;
    const int64_t first = train ? t->order.begin + 1 : 1;
    const int64_t last = train ? t->order.end : t->order.episodes;
    if (reply->step < first || reply->step > last) {
        trainer__end_badly(t, OUTCOME_PROTOCOL,
                           "a metric of step %" PRId64 ", expected %" PRId64 " to %" PRId64,
                           reply->step, first, last);
        return false;
    }
    *event = (TrainerEvent){.kind = TRAINER_METRIC, .reply = reply};
    return true;
}

static void take_failed(TrainerProcess *t, const Reply *reply) {
    static const char diverged[] = "diverged";
    const char       *reason = (reply->text == NULL) ? "failed without a reason" : reply->text;
    const bool        is_diverged = strncmp(reason, diverged, sizeof diverged - 1) == 0;
    trainer__end_badly(t, is_diverged ? OUTCOME_DIVERGED : OUTCOME_CRASHED, "%s", reason);
}

/* @return true if the line is an event */
static bool take_reply(TrainerProcess *t, double now, TrainerEvent *event) {
    static const char *const names[] = {"hello", "metric", "alive", "log", "done", "failed"};
    const Reply             *reply = &t->reply;
    t->heard_at = now;
    t->is_answered = true;
    if (reply->kind == REPLY_HELLO) {
        take_hello(t, reply, now);
        return false;
    }
    if (reply->kind == REPLY_ALIVE) {
        return false;
    }
    if (reply->kind == REPLY_LOG) {
        fill_log(event, (reply->level == NULL) ? "info" : reply->level,
                 (reply->text == NULL) ? "" : reply->text);
        return true;
    }
    if (!is_about_order(t, reply)) {
        trainer__end_badly(
            t, OUTCOME_PROTOCOL, "'%s' for %s %" PRId64 ", which it was not asked for",
            names[reply->kind], reply->evaluate ? "evaluation" : "segment", reply->segment);
        return false;
    }
    if (reply->kind == REPLY_METRIC) {
        return take_metric(t, reply, event);
    }
    if (reply->kind == REPLY_DONE) {
        return take_done(t, reply, now, event);
    }
    take_failed(t, reply);
    return false;
}

/* takes one line off `incoming`; false if there is no whole one */
static bool take_line(TrainerProcess *t, const char **line, size_t *length) {
    const size_t left = t->incoming.length - t->parsed;
    const char  *start = (left > 0) ? t->incoming.data + t->parsed : NULL;
    const char  *end = (left > 0) ? memchr(start, '\n', left) : NULL;
    if (end == NULL) {
        if (left > PROTOCOL_LINE_BYTES) {
            trainer__end_badly(t, OUTCOME_PROTOCOL, "a line longer than %d bytes",
                               (int)PROTOCOL_LINE_BYTES);
        }
        return false;
    }
    *line = start;
    *length = (size_t)(end - start);
    t->parsed += *length + 1;
    if (*length > 0 && start[*length - 1] == '\r') {
        (*length)--;
    }
    return true;
}

static bool take_lines(TrainerProcess *t, double now, TrainerEvent *event) {
    const char *line = NULL;
    size_t      length = 0;
    /* a hello sends the waiting order: that is told before any answer to it */
    while (t->phase != PHASE_ENDING && !t->tell_started && take_line(t, &line, &length)) {
        reply_reset(&t->reply);
        if (length == 0) {
            continue;
        }
        if (reply_parse(line, length, &t->reply) != STATUS_OK) {
            trainer__end_badly(t, OUTCOME_PROTOCOL, "%s", status_last()->text);
        } else if (take_reply(t, now, event)) {
            return true;
        }
    }
    if (t->phase == PHASE_ENDING) { /* what it says now counts for nothing */
        t->parsed = t->incoming.length;
    }
    return false;
}

static void check_deadlines(TrainerProcess *t, double now) {
    const TrainerSetup *s = &t->setup;
    if (t->phase == PHASE_ENDING) {
        if (!t->killed_hard && now - t->killed_at > kill_patience_s) {
            t->killed_hard = true;
            trainer__signal(t, SIGKILL);
        }
        return;
    }
    if (t->phase == PHASE_STARTING && s->start_seconds > 0.0 &&
        now - t->started_at > s->start_seconds) {
        trainer__end_badly(t, OUTCOME_TIMEOUT, "no hello within %g s (limits.start)",
                           s->start_seconds);
    }
    if (!t->has_order || !t->is_sent) {
        return;
    }
    if (s->segment_seconds > 0.0 && now - t->order_at > s->segment_seconds) {
        trainer__end_badly(t, OUTCOME_TIMEOUT, "not done within %g s (limits.segment)",
                           s->segment_seconds);
    } else if (s->silence_seconds > 0.0 && now - t->heard_at > s->silence_seconds) {
        trainer__end_badly(t, OUTCOME_TIMEOUT, "nothing heard for %g s (limits.silence)",
                           s->silence_seconds);
    }
}

/* the outcome that the supervisor's report stands for, with its sentence in t->reason */
static void read_outcome(TrainerProcess *t, int supervisor_status) {
    const char  *space = strchr(t->report, ' ');
    const double value = (space == NULL) ? 0.0 : strtod(space, NULL);
    const char  *when = (t->is_sent || !t->has_order) ? "" : " before its hello";
    t->outcome = OUTCOME_CRASHED;
    if (strncmp(t->report, "exit ", 5) == 0) {
        (void)snprintf(t->reason, sizeof t->reason, "the trainer ended%s with exit status %.0f",
                       when, value);
    } else if (strncmp(t->report, "signal ", 7) == 0) {
        t->outcome = OUTCOME_KILLED;
        const char *name = sigabbrev_np((int)value);
        (void)snprintf(t->reason, sizeof t->reason, "the trainer was killed%s by signal %.0f (%s)",
                       when, value, (name == NULL) ? "?" : name);
    } else if (strncmp(t->report, "out_of_memory ", 14) == 0) {
        t->outcome = OUTCOME_OUT_OF_MEMORY;
        (void)snprintf(t->reason, sizeof t->reason,
                       "resident size of %.1f MiB, over the limit of %.1f MiB", value / 1048576.0,
                       t->setup.memory_bytes / 1048576.0);
    } else if (strncmp(t->report, "start ", 6) == 0) {
        (void)snprintf(t->reason, sizeof t->reason, "cannot start '%.200s': %s",
                       t->setup.command[0], ERRNO_TEXT((int)value));
    } else {
        t->outcome = WIFSIGNALED(supervisor_status) ? OUTCOME_KILLED : OUTCOME_CRASHED;
        (void)snprintf(t->reason, sizeof t->reason, "the supervisor ended%s with %s %d", when,
                       WIFSIGNALED(supervisor_status) ? "signal" : "exit status",
                       WIFSIGNALED(supervisor_status) ? WTERMSIG(supervisor_status)
                                                      : WEXITSTATUS(supervisor_status));
    }
}

/* A trainer may end with status 0 after each order; if the next one reached it on its way out, a
 * new process gets it. */
static bool start_again(TrainerProcess *t) {
    const bool left =
        t->has_order && !t->is_answered && t->served > 0 && strncmp(t->report, "exit 0", 6) == 0;
    if (!left) {
        return false;
    }
    t->is_sent = false;
    t->tell_started = false;
    return trainer__start(t) == STATUS_OK;
}

/* nothing of the process lives any more */
static bool take_end(TrainerProcess *t, double now, TrainerEvent *event) {
    const bool asked = t->phase == PHASE_ENDING;
    const int  status = trainer__reap(t);
    t->phase = PHASE_NONE;
    if (!asked && start_again(t)) {
        return false;
    }
    if (!asked) {
        read_outcome(t, status);
    }
    const bool quiet = t->stopping || strncmp(t->report, "exit 0", 6) == 0;
    t->stopping = false;
    buffer_clear(&t->text);
    buffer_puts(&t->text, t->reason);
    if (!t->has_order) {
        fill_log(event, "warning", buffer_text(&t->text));
        return !quiet;
    }
    if (t->outcome != OUTCOME_CANCELLED) {
        buffer_puts(&t->text, "\n");
        trainer_log_tail(t->setup.log_path, t->log_from, &t->text);
        while (t->text.length > 0 && t->text.data[t->text.length - 1] == '\n') {
            t->text.data[--t->text.length] = '\0';
        }
    }
    fill_over(t, now, t->outcome, event);
    return true;
}

bool trainer_next(TrainerProcess *trainer, double now, TrainerEvent *event) {
    reply_reset(&trainer->reply);
    if (trainer->phase == PHASE_NONE) {
        return false;
    }
    if (trainer->tell_started) {
        trainer->tell_started = false;
        trainer->is_told = true;
        *event = (TrainerEvent){.kind = TRAINER_STARTED};
        return true;
    }
    if (take_lines(trainer, now, event)) {
        return true;
    }
    if (trainer->tell_started) { /* the hello was among them */
        return trainer_next(trainer, now, event);
    }
    if (trainer->report_ended) {
        /* whatever the trainer wrote before its end comes first */
        if (trainer->phase != PHASE_ENDING && trainer__read_lines(trainer)) {
            return trainer_next(trainer, now, event);
        }
        return take_end(trainer, now, event);
    }
    check_deadlines(trainer, now);
    return false;
}
