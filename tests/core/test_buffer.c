#include "tests/support/test_support.h"

#include "core/buffer.h"

#include <stdint.h>
#include <string.h>

static void text_grows_and_ends_in_nul(void **state) {
    (void)state;
    Buffer buffer;
    buffer_init(&buffer, 100000);
    assert_string_equal(buffer_text(&buffer), "");
    for (int i = 0; i < 1000; i++) {
        buffer_printf(&buffer, "%d,", i % 10);
        assert_int_equal(buffer.data[buffer.length], '\0');
    }
    buffer_puts(&buffer, "end");
    buffer_append(&buffer, "\0x", 2);
    assert_ok(buffer_status(&buffer));
    assert_int_equal(buffer.length, 2005);
    assert_memory_equal(buffer.data + 1998, "9,end\0x", 8);
    buffer_clear(&buffer);
    assert_string_equal(buffer_text(&buffer), "");
    assert_int_equal(buffer.length, 0);
    buffer_reset(&buffer);
    buffer_reset(&buffer);
    assert_int_equal(buffer.cap, 100000);
}

static void the_cap_holds_and_the_failure_stays(void **state) {
    (void)state;
    Buffer buffer;
    buffer_init(&buffer, 5);
    buffer_puts(&buffer, "abc");
    buffer_puts(&buffer, "def");
    assert_string_equal(buffer_text(&buffer), "abc");
    buffer_puts(&buffer, "d"); /* would fit, but comes after a failure */
    assert_string_equal(buffer_text(&buffer), "abc");
    assert_fails(buffer_status(&buffer), STATUS_ERR_RANGE, "cap of 5 bytes");
    buffer_clear(&buffer);
    assert_ok(buffer_status(&buffer));
    buffer_printf(&buffer, "%s", "12345");
    assert_ok(buffer_status(&buffer));
    buffer_append(&buffer, NULL, 0);
    assert_ok(buffer_status(&buffer));
    buffer_printf(&buffer, "%d", 6);
    assert_fails(buffer_status(&buffer), STATUS_ERR_RANGE, "cap");
    assert_string_equal(buffer_text(&buffer), "12345");
    buffer_reset(&buffer);
    buffer_init(&buffer, SIZE_MAX);
    buffer_puts(&buffer, "x");
    buffer_append(&buffer, "x", SIZE_MAX - 1);
    assert_fails(buffer_status(&buffer), STATUS_ERR_RANGE, "cap");
    buffer_reset(&buffer);
}

static void consume_drops_the_front(void **state) {
    (void)state;
    Buffer buffer;
    buffer_init(&buffer, 64);
    buffer_consume(&buffer, 0);
    buffer_puts(&buffer, "line one\nrest");
    buffer_consume(&buffer, 9);
    assert_string_equal(buffer_text(&buffer), "rest");
    buffer_consume(&buffer, 4);
    assert_string_equal(buffer_text(&buffer), "");
    buffer_reset(&buffer);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    size_t n = 1;
    for (;; n++) {
        Buffer buffer;
        buffer_init(&buffer, 10000);
        test_fail_allocation(n);
        for (int i = 0; i < 500; i++) {
            buffer_puts(&buffer, "0123456789");
        }
        const int    failed = test_allocation_failed();
        const size_t length = buffer.length;
        const Status status = buffer_status(&buffer);
        buffer_reset(&buffer);
        if (!failed) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(length, 5000);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_true(length < 5000 && length % 10 == 0);
    }
    assert_true(n > 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_ends_in_nul),
        cmocka_unit_test(the_cap_holds_and_the_failure_stays),
        cmocka_unit_test(consume_drops_the_front),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("core/buffer", tests, NULL, NULL);
}
