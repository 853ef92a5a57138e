/** @file trainer_spawn.h  Starting a supervised trainer with its pipes; the tail of its log. */
#ifndef WORKERS_TRAINER_SPAWN_H
#define WORKERS_TRAINER_SPAWN_H

#include "core/buffer.h"
#include "core/status.h"
#include "workers/trainer_process.h"

#include <sys/types.h>

/** Ends of this side; all nonblocking and closed on exec. -1 = closed. */
typedef struct TrainerPipes {
    pid_t pid;    /* of the supervisor */
    int   in;     /* to the trainer's stdin */
    int   out;    /* from its stdout */
    int   report; /* the supervisor's one line */
} TrainerPipes;

/** @return STATUS_OK; STATUS_ERR_PROCESS (pipes, log file or process; `out` all closed) */
Status trainer_spawn(const TrainerSetup *setup, TrainerPipes *out) MUST_USE;
/** Closes *fd and sets it to -1. */
void trainer_close(int *fd);
/** Size of a file in bytes; 0 if there is none. */
off_t trainer_log_size(const char *path);
/** Appends the last TRAINER_TAIL_BYTES written after `from`, made safe for text (see
 * trainer_clean()); nothing if there is nothing. */
void trainer_log_tail(const char *path, off_t from, Buffer *out);
/** Replaces by '?', in place, what is neither printable ASCII, tab, newline nor part of valid
 * UTF-8. */
void trainer_clean(char *text, size_t length);

#endif
