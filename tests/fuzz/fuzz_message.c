/* What coordinator and workers send each other: the first byte chooses the kind. What is understood
 * is written and understood again. MBTUNE_FUZZ_SEED
 * names a folder that gets one message of each kind, as this build writes them (the corpus has
 * those of a little-endian machine). */
#include "tests/fuzz/fuzz_target.h"

#include "core/file.h"
#include "workers/message.h"

#include <stdlib.h>
#include <string.h>

typedef enum Kind { KIND_CONFIG, KIND_ORDER, KIND_NEWS, KIND_SLOT, KINDS } Kind;

enum { AGAIN_BYTES = 1 << 20 };

bool fuzz_accepted;

/* ---- seeds ---- */

static Status write_kind(Kind kind, Buffer *out) {
    static const CrewConfig config = {.study_folder = "/studies/s",
                                      .command = "[\"mbtune\",\"train\"]",
                                      .hello = "{\"op\":\"hello\"}",
                                      .cores = 2,
                                      .memory_bytes = 1e9,
                                      .start_seconds = 60,
                                      .silence_seconds = 600,
                                      .heartbeat_seconds = 0.5};
    static const Order      order = {.id = 17,
                                     .attempt = 2,
                                     .line = "{\"op\":\"train\",\"segment\":17}",
                                     .resume_from = "16.a1",
                                     .resume_bytes = 77,
                                     .resume_checksum = 0xdeadbeefU,
                                     .checkpoint = "17.a2"};
    static const News       news[] = {
              {.kind = NEWS_WORKER,
               .host = "node7",
               .numerics = "openblas SkylakeX",
               .cores = 64,
               .memory_bytes = 0x1p38,
               .gpus = 4},
              {.kind = NEWS_STARTED, .slot = 3, .id = 17, .attempt = 2},
              {.kind = NEWS_METRIC, .id = 17, .attempt = 1, .name = "loss", .value = -0.1},
              {.kind = NEWS_FINISHED, .id = 17, .outcome = OUTCOME_DONE, .text = "", .holds = true},
              {.kind = NEWS_LOG, .level = "warning", .text = "careful"},
              {.kind = NEWS_LOST, .text = "worker 2: no memory"},
    };
    message_put_u8(out, (uint8_t)kind);
    switch (kind) {
    case KIND_CONFIG:
        return message_write_config(&config, out);
    case KIND_ORDER:
        return message_write_order(3, &order, out);
    case KIND_NEWS:
        for (size_t i = 0; i < sizeof news / sizeof news[0]; i++) {
            TRY(message_write_news(&news[i], out));
        }
        return STATUS_OK;
    case KIND_SLOT:
    case KINDS:
        break;
    }
    message_put_i64(out, 5);
    return buffer_status(out);
}

static void write_seeds(const char *folder) {
    static const char *const names[KINDS] = {FUZZ_OK "config", FUZZ_OK "order", FUZZ_OK "news",
                                             FUZZ_OK "slot"};
    for (size_t i = 0; i < KINDS; i++) {
        char  *path = file_join(folder, names[i]);
        Buffer bytes;
        buffer_init(&bytes, MESSAGE_NEWS_BYTES);
        if (path == NULL || write_kind((Kind)i, &bytes) != STATUS_OK ||
            file_write_atomic(path, buffer_text(&bytes), bytes.length) != STATUS_OK) {
            abort();
        }
        buffer_reset(&bytes);
        free(path);
    }
}

/* ---- the target ---- */

/* texts are borrowed from the payload: touch all of them */
static size_t text_bytes(const News *news) {
    const char *const texts[] = {news->host, news->numerics, news->name, news->text, news->level};
    size_t            sum = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sum += (texts[i] != NULL) ? strlen(texts[i]) : 0;
    }
    return sum;
}

static void news_again(const News *news) {
    Buffer bytes;
    News   again;
    buffer_init(&bytes, MESSAGE_NEWS_BYTES);
    if (message_write_news(news, &bytes) == STATUS_OK) {
        MessageReader reader = message_reader(buffer_text(&bytes), bytes.length);
        if (message_read_news(&reader, &again) != STATUS_OK || !message_at_end(&reader) ||
            again.kind != news->kind || again.id != news->id) {
            abort();
        }
    }
    buffer_reset(&bytes);
}

static void as_config(const uint8_t *bytes, size_t length) {
    CrewConfig config;
    Buffer     again;
    if (message_read_config(bytes, length, &config) != STATUS_OK) {
        return;
    }
    fuzz_accepted = true;
    buffer_init(&again, AGAIN_BYTES);
    if (message_write_config(&config, &again) != STATUS_OK ||
        message_read_config(buffer_text(&again), again.length, &config) != STATUS_OK) {
        abort();
    }
    buffer_reset(&again);
}

static void as_order(const uint8_t *bytes, size_t length) {
    Order  order;
    size_t slot = 0;
    Buffer again;
    if (message_read_order(bytes, length, &slot, &order) != STATUS_OK) {
        return;
    }
    fuzz_accepted = true;
    buffer_init(&again, AGAIN_BYTES);
    if (message_write_order(slot, &order, &again) != STATUS_OK ||
        message_read_order(buffer_text(&again), again.length, &slot, &order) != STATUS_OK) {
        abort();
    }
    buffer_reset(&again);
}

static void as_news(const uint8_t *bytes, size_t length) {
    MessageReader reader = message_reader(bytes, length);
    News          news;
    static size_t sink;

    while (!message_at_end(&reader) && message_read_news(&reader, &news) == STATUS_OK) {
        sink += text_bytes(&news);
        news_again(&news);
        fuzz_accepted = message_at_end(&reader);
    }
    (void)sink;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool seeds_written;
    size_t      slot = 0;

    if (!seeds_written && getenv("MBTUNE_FUZZ_SEED") != NULL) {
        write_seeds(getenv("MBTUNE_FUZZ_SEED"));
    }
    seeds_written = true;
    fuzz_accepted = false;
    if (size == 0) {
        return 0;
    }
    switch (data[0] % KINDS) {
    case KIND_CONFIG:
        as_config(data + 1, size - 1);
        break;
    case KIND_ORDER:
        as_order(data + 1, size - 1);
        break;
    case KIND_NEWS:
        as_news(data + 1, size - 1);
        break;
    default:
        fuzz_accepted = message_read_slot(data + 1, size - 1, &slot) == STATUS_OK;
        break;
    }
    return 0;
}
