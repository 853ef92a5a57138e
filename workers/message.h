/** @file message.h  What coordinator and workers send each other, as bytes.
 *
 * Numbers lie in the order of the host (one job, one kind of machine; MESSAGE_VERSION and a known
 * number in the configuration tell otherwise), texts with their NUL. Reading checks every bound and
 * every kind: a payload that is cut short or made up gives STATUS_ERR_CORRUPT, never a bad access.
 */
#ifndef WORKERS_MESSAGE_H
#define WORKERS_MESSAGE_H

#include "core/buffer.h"
#include "core/status.h"
#include "workers/crew.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MESSAGE_VERSION = 3,
    MESSAGE_NEWS_BYTES = 16 * 1024, /* of one message of news; fits one preposted receive */
    MESSAGE_TEXT_BYTES = 6 * 1024,  /* of one text in a piece of news; longer ones are cut */
    MESSAGE_NAME_BYTES = 256,       /* of a metric's name, a host, a log level */
};

typedef enum MessageTag {
    TAG_NEWS = 1, /* to the coordinator: one or more pieces of news */
    TAG_BEAT,     /* both ways: alive; no content */
    TAG_GOODBYE,  /* to the coordinator: all trainers are gone; no content */
    TAG_ORDER,    /* to a worker: slot and order */
    TAG_YIELD,    /* slot */
    TAG_CANCEL,   /* slot */
    TAG_STOP,     /* grace in seconds */
    TAG_END,      /* whether MPI_Finalize is safe */
} MessageTag;

typedef struct MessageReader {
    const unsigned char *bytes;
    size_t               length;
    size_t               at;
    bool                 failed; /* once set, everything reads as 0 or "" */
} MessageReader;

MessageReader message_reader(const void *bytes, size_t length);
bool          message_at_end(const MessageReader *reader);

void        message_put_u8(Buffer *out, uint8_t value);
void        message_put_i64(Buffer *out, int64_t value);
void        message_put_f64(Buffer *out, double value);
void        message_put_text(Buffer *out, const char *text, size_t most);
uint8_t     message_get_u8(MessageReader *reader);
int64_t     message_get_i64(MessageReader *reader);
double      message_get_f64(MessageReader *reader);
const char *message_get_text(MessageReader *reader); /* borrowed from the payload */

/* @return STATUS_OK; writing: the buffer's status; reading: STATUS_ERR_CORRUPT, STATUS_ERR_VERSION
 */
Status message_write_config(const CrewConfig *config, Buffer *out) MUST_USE;
Status message_read_config(const void *bytes, size_t length, CrewConfig *out) MUST_USE;
Status message_write_order(size_t slot, const Order *order, Buffer *out) MUST_USE;
Status message_read_order(const void *bytes, size_t length, size_t *slot, Order *out) MUST_USE;
/** One piece of news; `slot` is the worker's own count from 0. Appends all or nothing. */
Status message_write_news(const News *news, Buffer *out) MUST_USE;
/** The next piece of a message; its texts are borrowed from it. */
Status message_read_news(MessageReader *reader, News *out) MUST_USE;
/** A slot number that fills the whole message. */
Status message_read_slot(const void *bytes, size_t length, size_t *slot) MUST_USE;

#endif
