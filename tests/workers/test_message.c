#include "tests/support/test_support.h"

#include "workers/message.h"

#include <stdlib.h>
#include <string.h>

static const News every_kind[] = {
    {.kind = NEWS_WORKER,
     .host = "node7",
     .numerics = "openblas SkylakeX",
     .cores = 64,
     .memory_bytes = 0x1p38,
     .gpus = 4,
     .gpus_wanted = 3,
     .host_slots = 6,
     .host_worker = 5},
    {.kind = NEWS_STARTED, .slot = 3, .id = 17, .attempt = 2},
    {.kind = NEWS_METRIC,
     .slot = 1,
     .evaluate = true,
     .id = 5,
     .attempt = 1,
     .step = 11,
     .index = 3,
     .name = "model_mse_horizon",
     .value = -0.1},
    {.kind = NEWS_FINISHED,
     .slot = 2,
     .id = -1,
     .attempt = 9,
     .outcome = OUTCOME_PREEMPTED,
     .text = "why",
     .end = 12,
     .checkpoint_kept = true,
     .holds = true,
     .deterministic = true,
     .checkpoint_bytes = 0xffffffffffffffffU,
     .checkpoint_checksum = 0x8000000000000001U,
     .busy_seconds = 1.5},
    {.kind = NEWS_FINISHED, .outcome = OUTCOME_LOST, .damaged = true, .can_checkpoint = true},
    {.kind = NEWS_FINISHED, .outcome = OUTCOME_LOST, .no_space = true},
    {.kind = NEWS_LOG, .level = "warning", .text = "careful"},
    {.kind = NEWS_LOST, .text = "worker 2: no memory"},
};
enum { KINDS = sizeof every_kind / sizeof every_kind[0] };

static void same_text(const char *actual, const char *expected) {
    assert_string_equal(actual == NULL ? "" : actual, expected == NULL ? "" : expected);
}

static void write_all(Buffer *out) {
    buffer_init(out, MESSAGE_NEWS_BYTES);
    for (size_t i = 0; i < KINDS; i++) {
        assert_ok(message_write_news(&every_kind[i], out));
    }
}

static void news_come_back_in_order(void **state) {
    (void)state;
    Buffer bytes;
    write_all(&bytes);
    MessageReader reader = message_reader(bytes.data, bytes.length);
    for (size_t i = 0; i < KINDS; i++) {
        const News *e = &every_kind[i];
        News        n;
        assert_false(message_at_end(&reader));
        assert_ok(message_read_news(&reader, &n));
        assert_int_equal(n.kind, e->kind);
        assert_int_equal(n.slot, e->slot);
        assert_int_equal(n.evaluate, e->evaluate);
        assert_int_equal(n.id, e->id);
        assert_int_equal(n.attempt, e->attempt);
        assert_int_equal(n.step, e->step);
        assert_int_equal(n.index, e->index);
        assert_close(n.value, e->value, 0.0, 0.0);
        assert_int_equal(n.outcome, e->outcome);
        assert_int_equal(n.end, e->end);
        assert_true(n.checkpoint_bytes == e->checkpoint_bytes);
        assert_true(n.checkpoint_checksum == e->checkpoint_checksum);
        assert_int_equal(n.checkpoint_kept, e->checkpoint_kept);
        assert_int_equal(n.damaged, e->damaged);
        assert_int_equal(n.no_space, e->no_space);
        assert_int_equal(n.holds, e->holds);
        assert_int_equal(n.deterministic, e->deterministic);
        assert_int_equal(n.can_checkpoint, e->can_checkpoint);
        assert_close(n.busy_seconds, e->busy_seconds, 0.0, 0.0);
        assert_int_equal(n.cores, e->cores);
        assert_close(n.memory_bytes, e->memory_bytes, 0.0, 0.0);
        assert_int_equal(n.gpus, e->gpus);
        assert_int_equal(n.gpus_wanted, e->gpus_wanted);
        assert_int_equal(n.host_slots, e->host_slots);
        assert_int_equal(n.host_worker, e->host_worker);
        same_text(n.name, e->name);
        same_text(n.text, e->text);
        same_text(n.level, e->level);
        same_text(n.host, e->host);
        same_text(n.numerics, e->numerics);
    }
    assert_true(message_at_end(&reader));
    buffer_reset(&bytes);
}

static void configuration_and_order_come_back(void **state) {
    (void)state;
    const CrewConfig config = {.study_folder = "/s",
                               .command = "[\"mbtune\",\"train\"]",
                               .hello = "{}",
                               .cores = 2,
                               .gpus = 1,
                               .memory_bytes = 1e9,
                               .start_seconds = 1,
                               .silence_seconds = 2,
                               .segment_seconds = 3,
                               .heartbeat_seconds = 0.5};
    const Order      order = {.evaluate = true,
                              .id = 5,
                              .attempt = 2,
                              .line = "{\"op\":1}",
                              .resume_from = "16.a1",
                              .resume_bytes = 77,
                              .resume_checksum = 0xdeadbeefdeadbeefU,
                              .checkpoint = ""};
    CrewConfig       c;
    Order            o;
    size_t           slot = 0;
    Buffer           bytes;
    buffer_init(&bytes, 4096);
    assert_ok(message_write_config(&config, &bytes));
    assert_ok(message_read_config(bytes.data, bytes.length, &c));
    assert_string_equal(c.command, config.command);
    assert_string_equal(c.study_folder, "/s");
    assert_int_equal(c.cores, 2);
    assert_int_equal(c.gpus, 1);
    assert_close(c.heartbeat_seconds, 0.5, 0.0, 0.0);
    bytes.data[8]++;
    assert_fails(message_read_config(bytes.data, bytes.length, &c), STATUS_ERR_VERSION,
                 "another build");

    buffer_clear(&bytes);
    assert_ok(message_write_order(7, &order, &bytes));
    assert_ok(message_read_order(bytes.data, bytes.length, &slot, &o));
    assert_int_equal(slot, 7);
    assert_true(o.evaluate);
    assert_string_equal(o.line, order.line);
    assert_string_equal(o.resume_from, "16.a1");
    assert_true(o.resume_checksum == order.resume_checksum);
    assert_fails(message_read_slot(bytes.data, bytes.length, &slot), STATUS_ERR_CORRUPT, "slot");
    assert_ok(message_read_slot(bytes.data, 8, &slot));
    buffer_reset(&bytes);
}

/* every prefix is refused, and no byte beyond it is read (the copy ends where it ends) */
static void what_is_cut_short_is_refused(void **state) {
    (void)state;
    Buffer bytes;
    Order  order = {.line = "line", .resume_from = "", .checkpoint = "1.a1"};
    News   news;
    size_t slot = 99;
    buffer_init(&bytes, 4096);
    assert_ok(message_write_order(7, &order, &bytes));
    for (size_t length = 0; length < bytes.length; length++) {
        char *copy = malloc(length + 1);
        assert_non_null(copy);
        memcpy(copy, bytes.data, length);
        assert_fails(message_read_order(copy, length, &slot, &order), STATUS_ERR_CORRUPT,
                     "malformed message");
        assert_int_equal(slot, 99);
        free(copy);
    }
    for (size_t kind = 0; kind < KINDS; kind++) {
        buffer_clear(&bytes);
        assert_ok(message_write_news(&every_kind[kind], &bytes));
        for (size_t length = 0; length < bytes.length; length++) {
            MessageReader reader = message_reader(bytes.data, length);
            assert_fails(message_read_news(&reader, &news), STATUS_ERR_CORRUPT,
                         "malformed message");
            assert_true(message_at_end(&reader));
        }
    }
    buffer_reset(&bytes);
}

/* flipped bytes never make a bad access (run under the sanitizers) nor an outcome that is none */
static void damaged_bytes_do_no_harm(void **state) {
    (void)state;
    Buffer   bytes;
    uint64_t lottery = 88172645463325252U;
    write_all(&bytes);
    for (int round = 0; round < 20000; round++) {
        lottery ^= lottery << 13;
        lottery ^= lottery >> 7;
        lottery ^= lottery << 17;
        const size_t at = (size_t)(lottery >> 8) % bytes.length;
        const char   old = bytes.data[at];
        bytes.data[at] = (char)(lottery & 0xff);
        MessageReader reader = message_reader(bytes.data, bytes.length);
        News          news = {.text = NULL};
        while (!message_at_end(&reader) && message_read_news(&reader, &news) == STATUS_OK) {
            assert_true(news.outcome <= OUTCOME_CANCELLED);
            assert_true(news.text == NULL || strlen(news.text) < bytes.length);
        }
        bytes.data[at] = old;
    }
    buffer_reset(&bytes);
}

static void long_texts_are_cut_between_letters(void **state) {
    (void)state;
    static char   text[MESSAGE_TEXT_BYTES + 64];
    Buffer        bytes;
    News          news = {.kind = NEWS_LOG, .text = text, .level = "info"};
    MessageReader reader;
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + 1 + i, "\xc3\xa9", 2);
    }
    text[0] = 'x';
    text[sizeof text - 1] = '\0';
    buffer_init(&bytes, MESSAGE_NEWS_BYTES);
    assert_ok(message_write_news(&news, &bytes));
    reader = message_reader(bytes.data, bytes.length);
    assert_ok(message_read_news(&reader, &news));
    assert_int_equal(strlen(news.text), MESSAGE_TEXT_BYTES - 1);
    buffer_reset(&bytes);
}

static void a_full_message_takes_nothing_of_what_does_not_fit(void **state) {
    (void)state;
    Buffer bytes;
    News   news;
    size_t count = 0;
    size_t before = 0;
    buffer_init(&bytes, 1000);
    while (message_write_news(&every_kind[2], &bytes) == STATUS_OK) {
        count++;
        before = bytes.length;
    }
    assert_int_equal(bytes.length, before);
    assert_ok(buffer_status(&bytes));
    MessageReader reader = message_reader(bytes.data, bytes.length);
    for (size_t i = 0; i < count; i++) {
        assert_ok(message_read_news(&reader, &news));
    }
    assert_true(message_at_end(&reader) && count > 5);
    buffer_reset(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_come_back_in_order),
        cmocka_unit_test(configuration_and_order_come_back),
        cmocka_unit_test(what_is_cut_short_is_refused),
        cmocka_unit_test(damaged_bytes_do_no_harm),
        cmocka_unit_test(long_texts_are_cut_between_letters),
        cmocka_unit_test(a_full_message_takes_nothing_of_what_does_not_fit),
    };
    return cmocka_run_group_tests_name("workers/message", tests, NULL, NULL);
}
