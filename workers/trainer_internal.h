/** @file trainer_internal.h  Shared by trainer_process.c (pipes, orders) and trainer_events.c
 * (lines, deadlines, outcomes) only. */
#ifndef WORKERS_TRAINER_INTERNAL_H
#define WORKERS_TRAINER_INTERNAL_H

#include "core/buffer.h"
#include "workers/trainer_process.h"
#include "workers/trainer_spawn.h"

enum {
    TRAINER_REPORT_BYTES = 128,
    TRAINER_REASON_BYTES = 1024,
};

typedef enum TrainerPhase {
    PHASE_NONE,     /* no process */
    PHASE_STARTING, /* its hello is awaited */
    PHASE_READY,
    PHASE_ENDING, /* killed; its end is awaited */
} TrainerPhase;

struct TrainerProcess {
    TrainerSetup setup;
    TrainerPipes pipes;
    TrainerPhase phase;
    bool         close_after_writing;
    bool         report_ended;
    bool         checkpoint; /* of the last hello */
    bool         deterministic;
    bool         stopping; /* asked to end: its end is no news */
    bool         killed_hard;
    Buffer       outgoing;
    Buffer       incoming;
    size_t       parsed; /* bytes of `incoming` that are done with */
    char         report[TRAINER_REPORT_BYTES];
    size_t       report_length;
    double       started_at;
    double       heard_at;
    size_t       served; /* orders that this process ended well */
    double       killed_at;
    /* the order */
    Request order; /* ids and bounds only; its JSON is released */
    int64_t id;
    Buffer  line; /* until the hello has come */
    double  order_at;
    off_t   log_from;
    bool    has_order;
    bool    is_sent;
    bool    is_answered;  /* something was heard since it was sent */
    bool    tell_started; /* an event is due */
    bool    is_told;      /* once per order, also if a new process got it */
    Outcome outcome;      /* with `reason`: how it ended, while the end of the process is awaited */
    char    reason[TRAINER_REASON_BYTES];
    /* lent to the event */
    Reply  reply;
    Buffer text;
};

/** Starts the process and queues the hello. */
Status trainer__start(TrainerProcess *t) MUST_USE;
/** Queues the waiting order; its clock starts. */
void trainer__send_order(TrainerProcess *t, double now);
/** Kills the process; the order, if any, ends with this once all of it is gone. */
void trainer__end_badly(TrainerProcess *t, Outcome outcome, const char *format, ...)
    PRINTF_LIKE(3, 4);
/** SIGTERM or SIGKILL to the supervisor, also to a stopped one. */
void trainer__signal(const TrainerProcess *t, int number);
/** Reaps the supervisor and closes its pipes. @return its wait status */
int trainer__reap(TrainerProcess *t);
/** Reads from stdout what is there. @return whether anything was (its end counts) */
bool trainer__read_lines(TrainerProcess *t);

#endif
