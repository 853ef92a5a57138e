#include "workers/message.h"

#include <string.h>

enum {
    FLAG_EVALUATE = 1,
    FLAG_CHECKPOINT_KEPT = 2,
    FLAG_DAMAGED = 4,
    FLAG_HOLDS = 8,
    FLAG_DETERMINISTIC = 16,
    FLAG_CAN_CHECKPOINT = 32,
    FLAG_NO_SPACE = 64,
    FLAG_ALL = 127,
    MAX_SLOTS = 1 << 20,
};

/* reads back as itself only on a machine with the same order of bytes */
static const int64_t order_mark = 0x0102030405060708;

MessageReader message_reader(const void *bytes, size_t length) {
    return (MessageReader){.bytes = bytes, .length = length};
}

bool message_at_end(const MessageReader *reader) {
    return reader->failed || reader->at == reader->length;
}

void message_put_u8(Buffer *out, uint8_t value) {
    buffer_append(out, &value, sizeof value);
}

void message_put_i64(Buffer *out, int64_t value) {
    buffer_append(out, &value, sizeof value);
}

void message_put_f64(Buffer *out, double value) {
    buffer_append(out, &value, sizeof value);
}

/* cut at most at `most` bytes, never inside a UTF-8 sequence */
void message_put_text(Buffer *out, const char *text, size_t most) {
    size_t length = (text == NULL) ? 0 : strlen(text);
    if (length > most) {
        length = most;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    message_put_i64(out, (int64_t)length);
    buffer_append(out, (text == NULL) ? "" : text, length);
    message_put_u8(out, 0);
}

static bool take(MessageReader *reader, void *out, size_t size) {
    memset(out, 0, size);
    if (reader->failed || size > reader->length - reader->at) {
        reader->failed = true;
        return false;
    }
    memcpy(out, reader->bytes + reader->at, size);
    reader->at += size;
    return true;
}

uint8_t message_get_u8(MessageReader *reader) {
    uint8_t value = 0;
    (void)take(reader, &value, sizeof value);
    return value;
}

int64_t message_get_i64(MessageReader *reader) {
    int64_t value = 0;
    (void)take(reader, &value, sizeof value);
    return value;
}

double message_get_f64(MessageReader *reader) {
    double value = 0.0;
    (void)take(reader, &value, sizeof value);
    return value;
}

const char *message_get_text(MessageReader *reader) {
    const int64_t length = message_get_i64(reader);
    const size_t  left = reader->length - reader->at;
    if (reader->failed || length < 0 || (uint64_t)length >= left) {
        reader->failed = true;
        return "";
    }
    const char *text = (const char *)reader->bytes + reader->at;
    if (memchr(text, '\0', (size_t)length + 1) != text + length) {
        reader->failed = true;
        return "";
    }
    reader->at += (size_t)length + 1;
    return text;
}

static Status whole(const MessageReader *reader, const char *what) {
    if (reader->failed || reader->at != reader->length) {
        FAIL(STATUS_ERR_CORRUPT, "a malformed message: %s of %zu bytes", what, reader->length);
    }
    return STATUS_OK;
}

Status message_write_config(const CrewConfig *config, Buffer *out) {
    message_put_i64(out, order_mark);
    message_put_i64(out, MESSAGE_VERSION);
    message_put_text(out, config->study_folder, SIZE_MAX);
    message_put_text(out, config->command, SIZE_MAX);
    message_put_text(out, config->hello, SIZE_MAX);
    message_put_i64(out, config->cores);
    message_put_i64(out, config->gpus);
    message_put_f64(out, config->memory_bytes);
    message_put_f64(out, config->start_seconds);
    message_put_f64(out, config->silence_seconds);
    message_put_f64(out, config->segment_seconds);
    message_put_f64(out, config->heartbeat_seconds);
    return buffer_status(out);
}

Status message_read_config(const void *bytes, size_t length, CrewConfig *out) {
    MessageReader reader = message_reader(bytes, length);
    const int64_t mark = message_get_i64(&reader);
    const int64_t version = message_get_i64(&reader);
    if (!reader.failed && (mark != order_mark || version != MESSAGE_VERSION)) {
        FAIL(STATUS_ERR_VERSION, "the coordinator is another build of mbtune, or another kind of "
                                 "machine");
    }
    CrewConfig config = {.study_folder = message_get_text(&reader)};
    config.command = message_get_text(&reader);
    config.hello = message_get_text(&reader);
    config.cores = message_get_i64(&reader);
    config.gpus = message_get_i64(&reader);
    config.memory_bytes = message_get_f64(&reader);
    config.start_seconds = message_get_f64(&reader);
    config.silence_seconds = message_get_f64(&reader);
    config.segment_seconds = message_get_f64(&reader);
    config.heartbeat_seconds = message_get_f64(&reader);
    TRY(whole(&reader, "configuration"));
    *out = config;
    return STATUS_OK;
}

Status message_write_order(size_t slot, const Order *order, Buffer *out) {
    message_put_i64(out, (int64_t)slot);
    message_put_u8(out, order->evaluate ? 1 : 0);
    message_put_i64(out, order->id);
    message_put_i64(out, order->attempt);
    message_put_text(out, order->line, SIZE_MAX);
    message_put_text(out, order->resume_from, SIZE_MAX);
    message_put_i64(out, (int64_t)order->resume_bytes);
    message_put_i64(out, (int64_t)order->resume_checksum);
    message_put_text(out, order->checkpoint, SIZE_MAX);
    return buffer_status(out);
}

static size_t get_slot(MessageReader *reader) {
    const int64_t slot = message_get_i64(reader);
    if (slot < 0 || slot > MAX_SLOTS) {
        reader->failed = true;
        return 0;
    }
    return (size_t)slot;
}

Status message_read_order(const void *bytes, size_t length, size_t *slot, Order *out) {
    MessageReader reader = message_reader(bytes, length);
    const size_t  number = get_slot(&reader);
    Order         order = {.evaluate = message_get_u8(&reader) != 0};
    order.id = message_get_i64(&reader);
    order.attempt = message_get_i64(&reader);
    order.line = message_get_text(&reader);
    order.resume_from = message_get_text(&reader);
    order.resume_bytes = (uint64_t)message_get_i64(&reader);
    order.resume_checksum = (uint64_t)message_get_i64(&reader);
    order.checkpoint = message_get_text(&reader);
    TRY(whole(&reader, "order"));
    *slot = number;
    *out = order;
    return STATUS_OK;
}

Status message_read_slot(const void *bytes, size_t length, size_t *slot) {
    MessageReader reader = message_reader(bytes, length);
    const size_t  number = get_slot(&reader);
    TRY(whole(&reader, "slot"));
    *slot = number;
    return STATUS_OK;
}

static void put_finished(Buffer *out, const News *news) {
    const unsigned flags =
        (news->checkpoint_kept ? FLAG_CHECKPOINT_KEPT : 0U) | (news->damaged ? FLAG_DAMAGED : 0U) |
        (news->holds ? FLAG_HOLDS : 0U) | (news->deterministic ? FLAG_DETERMINISTIC : 0U) |
        (news->can_checkpoint ? FLAG_CAN_CHECKPOINT : 0U) | (news->no_space ? FLAG_NO_SPACE : 0U);
    message_put_u8(out, (uint8_t)flags);
    message_put_u8(out, (uint8_t)news->outcome);
    message_put_i64(out, news->end);
    message_put_i64(out, (int64_t)news->checkpoint_bytes);
    message_put_i64(out, (int64_t)news->checkpoint_checksum);
    message_put_f64(out, news->busy_seconds);
    message_put_text(out, news->text, MESSAGE_TEXT_BYTES);
}

static void put_worker(Buffer *out, const News *news) {
    message_put_text(out, news->host, MESSAGE_NAME_BYTES);
    message_put_text(out, news->numerics, MESSAGE_TEXT_BYTES);
    message_put_i64(out, news->cores);
    message_put_f64(out, news->memory_bytes);
    message_put_i64(out, news->gpus);
    message_put_i64(out, news->gpus_wanted);
    message_put_i64(out, news->host_slots);
    message_put_i64(out, news->host_worker);
}

Status message_write_news(const News *news, Buffer *out) {
    const size_t before = out->length;
    message_put_u8(out, (uint8_t)news->kind);
    message_put_i64(out, (int64_t)news->slot);
    message_put_u8(out, news->evaluate ? FLAG_EVALUATE : 0);
    message_put_i64(out, news->id);
    message_put_i64(out, news->attempt);
    switch (news->kind) {
    case NEWS_WORKER:
        put_worker(out, news);
        break;
    case NEWS_METRIC:
        message_put_i64(out, news->step);
        message_put_i64(out, news->index);
        message_put_f64(out, news->value);
        message_put_text(out, news->name, MESSAGE_NAME_BYTES);
        break;
    case NEWS_FINISHED:
        put_finished(out, news);
        break;
    case NEWS_LOG:
        message_put_text(out, news->level, MESSAGE_NAME_BYTES);
        message_put_text(out, news->text, MESSAGE_TEXT_BYTES);
        break;
    case NEWS_LOST:
        message_put_text(out, news->text, MESSAGE_TEXT_BYTES);
        break;
    case NEWS_STARTED:
        break;
    }
    const Status status = buffer_status(out);
    if (status != STATUS_OK && out->data != NULL) { /* what was there before stays whole */
        out->length = before;
        out->data[before] = '\0';
        out->status = STATUS_OK;
    }
    return status;
}

static void get_finished(MessageReader *reader, News *news) {
    const uint8_t flags = message_get_u8(reader);
    const uint8_t outcome = message_get_u8(reader);
    if (flags > FLAG_ALL || outcome > OUTCOME_CANCELLED) {
        reader->failed = true;
        return;
    }
    news->checkpoint_kept = (flags & FLAG_CHECKPOINT_KEPT) != 0;
    news->damaged = (flags & FLAG_DAMAGED) != 0;
    news->holds = (flags & FLAG_HOLDS) != 0;
    news->deterministic = (flags & FLAG_DETERMINISTIC) != 0;
    news->can_checkpoint = (flags & FLAG_CAN_CHECKPOINT) != 0;
    news->no_space = (flags & FLAG_NO_SPACE) != 0;
    news->outcome = (Outcome)outcome;
    news->end = message_get_i64(reader);
    news->checkpoint_bytes = (uint64_t)message_get_i64(reader);
    news->checkpoint_checksum = (uint64_t)message_get_i64(reader);
    news->busy_seconds = message_get_f64(reader);
    news->text = message_get_text(reader);
}

static void get_worker(MessageReader *reader, News *news) {
    news->host = message_get_text(reader);
    news->numerics = message_get_text(reader);
    news->cores = message_get_i64(reader);
    news->memory_bytes = message_get_f64(reader);
    news->gpus = message_get_i64(reader);
    news->gpus_wanted = message_get_i64(reader);
    news->host_slots = message_get_i64(reader);
    news->host_worker = message_get_i64(reader);
}

Status message_read_news(MessageReader *reader, News *out) {
    News          news = {.host = ""};
    const uint8_t kind = message_get_u8(reader);
    news.slot = get_slot(reader);
    news.evaluate = (message_get_u8(reader) & FLAG_EVALUATE) != 0;
    news.id = message_get_i64(reader);
    news.attempt = message_get_i64(reader);
    if (kind > NEWS_LOST) {
        reader->failed = true;
    }
    news.kind = reader->failed ? NEWS_LOG : (NewsKind)kind;
    if (news.kind == NEWS_WORKER) {
        get_worker(reader, &news);
    } else if (news.kind == NEWS_METRIC) {
        news.step = message_get_i64(reader);
        news.index = message_get_i64(reader);
        news.value = message_get_f64(reader);
        news.name = message_get_text(reader);
    } else if (news.kind == NEWS_FINISHED) {
        get_finished(reader, &news);
    } else if (news.kind == NEWS_LOG) {
        news.level = message_get_text(reader);
        news.text = message_get_text(reader);
    } else if (news.kind == NEWS_LOST) {
        news.text = message_get_text(reader);
    }
    if (reader->failed) {
        FAIL(STATUS_ERR_CORRUPT, "a malformed message: news at byte %zu of %zu", reader->at,
             reader->length);
    }
    *out = news;
    return STATUS_OK;
}
