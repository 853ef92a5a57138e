#include "tuner/train_channel.h"

#include "core/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ALIVE_MILLISECONDS = 500, READ_BYTES = 65536 };

/* Nobody reads any more: what is under way stops after its unit. */
static void lose(TrainChannel *channel) {
    atomic_store(&channel->lost, true);
    atomic_store(&channel->yield, true);
}

static void write_line(TrainChannel *channel, const Buffer *line) {
    size_t done = 0;
    while (done < line->length && !atomic_load(&channel->lost)) {
        const ssize_t written = write(channel->output, line->data + done, line->length - done);
        if (written < 0 && errno != EINTR) {
            lose(channel);
        }
        done += written > 0 ? (size_t)written : 0;
    }
}

void channel_reply(TrainChannel *channel, const Reply *reply) {
    (void)pthread_mutex_lock(&channel->write_lock);
    buffer_clear(&channel->line);
    if (reply_write(reply, &channel->line) == STATUS_OK) {
        write_line(channel, &channel->line);
    } else {
        lose(channel);
    }
    (void)pthread_mutex_unlock(&channel->write_lock);
}

/* Ends the queue: what channel_next() gives after all that is in it. */
static void end_queue(TrainChannel *channel, ChannelEvent last, const char *text) {
    (void)pthread_mutex_lock(&channel->lock);
    channel->last = last;
    channel->ended = true;
    (void)snprintf(channel->text, sizeof channel->text, "%s", text);
    (void)pthread_cond_broadcast(&channel->changed);
    (void)pthread_mutex_unlock(&channel->lock);
}

static void enqueue(TrainChannel *channel, Request *request) {
    (void)pthread_mutex_lock(&channel->lock);
    while (channel->count == CHANNEL_QUEUE && !channel->closing) {
        (void)pthread_cond_wait(&channel->changed, &channel->lock);
    }
    if (channel->closing) {
        request_reset(request);
    } else {
        channel->queue[(channel->first + channel->count++) % CHANNEL_QUEUE] = *request;
        (void)pthread_cond_broadcast(&channel->changed);
    }
    (void)pthread_mutex_unlock(&channel->lock);
}

/* One line from the other side; false if it was no request. */
static bool take_line(TrainChannel *channel, const char *line, size_t length) {
    Request request;
    if (length == 0) {
        return true; /* an empty line does no harm when typed by hand */
    }
    if (request_parse(line, length, &request) != STATUS_OK) {
        end_queue(channel, CHANNEL_MALFORMED, status_last()->text);
        return false;
    }
    if (request.kind == REQUEST_YIELD) {
        atomic_store(&channel->yield, true);
        request_reset(&request);
        return true;
    }
    if (request.kind == REQUEST_TRAIN) {
        /* a yield that was meant for earlier work is void */
        atomic_store(&channel->yield, false);
    }
    enqueue(channel, &request);
    return true;
}

/* Takes the complete lines out of `text`; false at the first that is no request. */
static bool take_lines(TrainChannel *channel, Buffer *text) {
    size_t begin = 0;
    char  *end;
    while (begin < text->length &&
           (end = memchr(text->data + begin, '\n', text->length - begin)) != NULL) {
        const size_t length = (size_t)(end - (text->data + begin));
        if (!take_line(channel, text->data + begin, length)) {
            return false;
        }
        begin += length + 1;
    }
    buffer_consume(text, begin);
    return true;
}

/* Reads what is there; false at the end of the input or of the conversation. */
static bool read_some(TrainChannel *channel, Buffer *text) {
    char          bytes[READ_BYTES];
    const ssize_t count = read(channel->input, bytes, sizeof bytes);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return true;
    }
    if (count <= 0) {
        /* a last line without its newline counts too */
        if (text->length == 0 || take_line(channel, text->data, text->length)) {
            end_queue(channel, CHANNEL_END, "");
        }
        return false;
    }
    buffer_append(text, bytes, (size_t)count);
    if (buffer_status(text) != STATUS_OK) {
        end_queue(channel, CHANNEL_MALFORMED, "a line is longer than 1 MiB");
        return false;
    }
    return take_lines(channel, text);
}

static void *reader_main(void *context) {
    TrainChannel *channel = context;
    Buffer        text;
    bool          open = true;
    double        last_alive = clock_monotonic();

    buffer_init(&text, PROTOCOL_LINE_BYTES + READ_BYTES);
    for (;;) {
        struct pollfd waiting[2] = {{.fd = channel->wake[0], .events = POLLIN},
                                    {.fd = open ? channel->input : -1, .events = POLLIN}};
        (void)poll(waiting, 2, ALIVE_MILLISECONDS);
        if (waiting[0].revents != 0) {
            break;
        }
        if (waiting[1].revents != 0) {
            open = read_some(channel, &text);
        }
        const double now = clock_monotonic();
        if (atomic_load(&channel->busy) && now - last_alive >= ALIVE_MILLISECONDS * 1e-3) {
            channel_reply(channel, &(Reply){.kind = REPLY_ALIVE});
            last_alive = now;
        }
    }
    buffer_reset(&text);
    return NULL;
}

Status channel_open(TrainChannel *channel, int input, int output) {
    *channel = (TrainChannel){.input = input, .output = output};
    buffer_init(&channel->line, PROTOCOL_LINE_BYTES + 1);
    if (pipe(channel->wake) != 0) {
        FAIL_NATIVE(STATUS_ERR_PROCESS, errno, "cannot make a pipe: %s", status_errno(errno));
    }
    (void)pthread_mutex_init(&channel->write_lock, NULL);
    (void)pthread_mutex_init(&channel->lock, NULL);
    (void)pthread_cond_init(&channel->changed, NULL);
    const int error = pthread_create(&channel->reader, NULL, reader_main, channel);
    if (error != 0) {
        (void)close(channel->wake[0]);
        (void)close(channel->wake[1]);
        FAIL_NATIVE(STATUS_ERR_PROCESS, error, "cannot start a thread: %s", status_errno(error));
    }
    return STATUS_OK;
}

void channel_close(TrainChannel *channel) {
    (void)pthread_mutex_lock(&channel->lock);
    channel->closing = true;
    (void)pthread_cond_broadcast(&channel->changed);
    (void)pthread_mutex_unlock(&channel->lock);
    (void)close(channel->wake[1]); /* the reader's poll() sees the hang-up */
    (void)pthread_join(channel->reader, NULL);
    (void)close(channel->wake[0]);
    for (; channel->count > 0; channel->count--) {
        request_reset(&channel->queue[channel->first]);
        channel->first = (channel->first + 1) % CHANNEL_QUEUE;
    }
    buffer_reset(&channel->line);
    (void)pthread_mutex_destroy(&channel->write_lock);
    (void)pthread_mutex_destroy(&channel->lock);
    (void)pthread_cond_destroy(&channel->changed);
}

ChannelEvent channel_next(TrainChannel *channel, Request *request) {
    ChannelEvent event = CHANNEL_REQUEST;

    atomic_store(&channel->busy, false);
    (void)pthread_mutex_lock(&channel->lock);
    while (channel->count == 0 && !channel->ended) {
        (void)pthread_cond_wait(&channel->changed, &channel->lock);
    }
    if (channel->count > 0) {
        *request = channel->queue[channel->first];
        channel->first = (channel->first + 1) % CHANNEL_QUEUE;
        channel->count--;
        (void)pthread_cond_broadcast(&channel->changed);
        atomic_store(&channel->busy, true);
    } else {
        event = channel->last;
    }
    (void)pthread_mutex_unlock(&channel->lock);
    return event;
}
