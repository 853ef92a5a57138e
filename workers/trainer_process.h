/** @file trainer_process.h  One trainer behind its supervisor: pipes, lines, deadlines, outcome.
 *
 * The owner polls the descriptors of trainer_poll_fds(), calls trainer_pump() and takes events with
 * trainer_next() until there is none. A process is started with the first order and kept for the
 * next one unless an order ended badly; then TRAINER_OVER comes when nothing of it lives any more,
 * so that it can write nothing after its outcome is known. Nothing here blocks or knows MPI.
 */
#ifndef WORKERS_TRAINER_PROCESS_H
#define WORKERS_TRAINER_PROCESS_H

#include "core/status.h"
#include "schedulers/scheduler.h"
#include "workers/protocol.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TRAINER_POLL_FDS = 3, TRAINER_TAIL_BYTES = 4096 };

/** Everything is borrowed and must outlive the process. */
typedef struct TrainerSetup {
    const char        *binary;        /* mbtune, for `supervise` */
    const char *const *command;       /* argv of the trainer, NULL at the end */
    const char        *hello;         /* line without newline */
    const char        *log_path;      /* its stderr, appended */
    const char        *cores;         /* "0,2-3" to bind to, or NULL */
    const char        *gpus;          /* its CUDA_VISIBLE_DEVICES, or NULL: as it is */
    int64_t            threads;       /* for OMP_NUM_THREADS where unset */
    double             memory_bytes;  /* 0 = no limit */
    double             start_seconds; /* 0 = no deadline, as below */
    double             silence_seconds;
    double             segment_seconds;
    pid_t             *supervisors; /* (slots) pids of all slots of this worker; 0 = none */
    size_t             supervisor_count;
    size_t             slot; /* this one's entry */
} TrainerSetup;

typedef struct TrainerProcess TrainerProcess;

typedef enum TrainerEventKind {
    TRAINER_STARTED, /* hello came, the order's line is on its way */
    TRAINER_METRIC,
    TRAINER_LOG,
    TRAINER_OVER, /* the order is over; the next one may come */
} TrainerEventKind;

/** Pointers hold until the next call for the same process. */
typedef struct TrainerEvent {
    TrainerEventKind kind;
    const Reply     *reply;   /* metric */
    const char      *level;   /* log */
    const char      *text;    /* log; over: reason, with the tail of stderr where it ended badly */
    Outcome          outcome; /* over: done, preempted, or what went wrong */
    int64_t          end;     /* over: units reached if preempted, else 0 */
    double           busy_seconds; /* over: from the order's line to its end; 0 if never sent */
} TrainerEvent;

/** Starts nothing yet. @return STATUS_OK, STATUS_ERR_NOMEM */
Status trainer_create(const TrainerSetup *setup, TrainerProcess **out) MUST_USE;
/** Kills what lives and waits for its end; accepts NULL. */
void trainer_destroy(TrainerProcess *trainer);

/**
 * Gives a train or evaluate line (without newline) to the trainer, starting it if there is none.
 * @param id  segment, or evaluation
 * @return STATUS_OK; STATUS_ERR_STATE if it has an order; STATUS_ERR_PROCESS if it cannot be
 * started; STATUS_ERR_PROTOCOL if the line is no such request; STATUS_ERR_NOMEM
 */
Status trainer_order(TrainerProcess *trainer, const char *line, int64_t id) MUST_USE;
/** Asks for an end after the current unit; ignored without an order. One that waits for the
 * trainer's hello is cancelled: it has no unit to end with. */
void trainer_yield(TrainerProcess *trainer);
/** Kills the trainer; an order ends as OUTCOME_CANCELLED. */
void trainer_cancel(TrainerProcess *trainer);
/** Asks an idle trainer to end (stop, end of file); a busy one is cancelled. */
void trainer_stop(TrainerProcess *trainer);

/** Fills up to TRAINER_POLL_FDS entries. @return how many */
size_t trainer_poll_fds(const TrainerProcess *trainer, struct pollfd *out);
/** Reads and writes what is possible now. @return whether anything moved */
bool trainer_pump(TrainerProcess *trainer);
/** The next event at monotonic time `now`; false if there is none. */
bool trainer_next(TrainerProcess *trainer, double now, TrainerEvent *event);

bool trainer_alive(const TrainerProcess *trainer);     /* a process exists */
bool trainer_ready(const TrainerProcess *trainer);     /* trainer_order() may be called */
bool trainer_has_order(const TrainerProcess *trainer); /* from trainer_order() to TRAINER_OVER */
bool trainer_can_checkpoint(const TrainerProcess *trainer); /* as its last hello said */
bool trainer_deterministic(const TrainerProcess *trainer);

#endif
