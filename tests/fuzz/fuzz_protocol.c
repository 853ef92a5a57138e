/* Lines of the trainer protocol, both sides. What is understood is written and understood again. */
#include "tests/fuzz/fuzz_target.h"

#include "workers/protocol.h"

#include <stdlib.h>

enum { CAP = 1 << 22 };

bool fuzz_accepted;

static void as_request(const char *line, size_t length) {
    Request request;
    Request again;
    Buffer  text;

    if (request_parse(line, length, &request) != STATUS_OK) {
        return;
    }
    fuzz_accepted = true;
    buffer_init(&text, CAP);
    if (request_write(&request, &text) != STATUS_OK ||
        request_parse(text.data, text.length - 1, &again) != STATUS_OK ||
        again.kind != request.kind || again.segment != request.segment ||
        again.end != request.end) {
        abort();
    }
    request_reset(&again);
    request_reset(&request);
    buffer_reset(&text);
}

static void as_reply(const char *line, size_t length) {
    Reply  reply;
    Reply  again;
    Buffer text;

    if (reply_parse(line, length, &reply) != STATUS_OK) {
        return;
    }
    fuzz_accepted = true;
    buffer_init(&text, CAP);
    if (reply_write(&reply, &text) != STATUS_OK ||
        reply_parse(text.data, text.length - 1, &again) != STATUS_OK || again.kind != reply.kind ||
        again.step != reply.step || again.end != reply.end) {
        abort();
    }
    reply_reset(&again);
    reply_reset(&reply);
    buffer_reset(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_accepted = false;
    as_request((const char *)data, size);
    as_reply((const char *)data, size);
    return 0;
}
