/** @file train_channel.h  The trainer's end of the pipe: lines in, lines out, while something
 * computes.
 *
 * A thread of its own reads requests, so that `yield` is seen during training, and says `alive`
 * twice a second while work is under way. The computing thread takes requests one by one and writes
 * replies; writing is serialised by a lock.
 */
#ifndef TUNER_TRAIN_CHANNEL_H
#define TUNER_TRAIN_CHANNEL_H

#include "core/status.h"
#include "workers/protocol.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { CHANNEL_QUEUE = 16 };

/** What channel_next() gave. */
typedef enum ChannelEvent {
    CHANNEL_REQUEST,
    CHANNEL_END,       /* the other side closed its end, and all that it had sent was taken */
    CHANNEL_MALFORMED, /* a line that is no request; the text says why */
} ChannelEvent;

typedef struct TrainChannel {
    int         input;
    int         output;
    int         wake[2]; /* a pipe that ends the reader's poll() */
    pthread_t   reader;
    atomic_bool yield; /* asked for since the last train request was read */
    atomic_bool busy;  /* a request is being worked on */
    atomic_bool lost;  /* writing failed: nobody reads any more */

    pthread_mutex_t write_lock; /* `output`, and `line` */
    Buffer          line;

    pthread_mutex_t lock; /* all below */
    pthread_cond_t  changed;
    Request         queue[CHANNEL_QUEUE];
    size_t          first;
    size_t          count;
    ChannelEvent    last;  /* what follows the queue once `ended` is set */
    bool            ended; /* the reader reads no more */
    bool            closing;
    char            text[STATUS_TEXT_SIZE]; /* of CHANNEL_MALFORMED */
} TrainChannel;

/** Starts the reader. The descriptors stay the caller's. @return STATUS_OK; STATUS_ERR_PROCESS */
Status channel_open(TrainChannel *channel, int input, int output) MUST_USE;
/** Ends the reader and forgets what it had read. */
void channel_close(TrainChannel *channel);

/** Waits for the next train, evaluate, hello or stop request (yield never comes here). The caller
 * gives it back with request_reset(). Marks the channel busy or idle accordingly. */
ChannelEvent channel_next(TrainChannel *channel, Request *request);
/** Writes one reply. A failure to write is remembered in `lost`. */
void channel_reply(TrainChannel *channel, const Reply *reply);

#endif
