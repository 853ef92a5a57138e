/* What coordinator and workers send each other: the first byte chooses the kind. */
#include "tests/fuzz/fuzz_target.h"

#include "workers/message.h"

#include <string.h>

/* texts are borrowed from the payload: touch all of them */
static size_t text_bytes(const News *news) {
    const char *const texts[] = {news->host, news->numerics, news->name, news->text, news->level};
    size_t            sum = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sum += (texts[i] != NULL) ? strlen(texts[i]) : 0;
    }
    return sum;
}

static void as_news(const uint8_t *bytes, size_t length) {
    MessageReader reader = message_reader(bytes, length);
    News          news;
    static size_t sink;

    while (!message_at_end(&reader) && message_read_news(&reader, &news) == STATUS_OK) {
        sink += text_bytes(&news);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CrewConfig config;
    Order      order;
    size_t     slot = 0;

    if (size == 0) {
        return 0;
    }
    switch (data[0] % 4) {
    case 0:
        (void)!message_read_config(data + 1, size - 1, &config);
        break;
    case 1:
        (void)!message_read_order(data + 1, size - 1, &slot, &order);
        break;
    case 2:
        as_news(data + 1, size - 1);
        break;
    default:
        (void)!message_read_slot(data + 1, size - 1, &slot);
        break;
    }
    return 0;
}
