#include "tests/support/test_support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static Status fails(void) {
    FAIL(STATUS_ERR_RANGE, "%d is too much", 7);
}

static Status passes_it_on(int *reached) {
    TRY(fails());
    *reached = 1;
    return STATUS_OK;
}

static void every_code_has_a_name_and_a_text(void **state) {
    (void)state;
#define CHECK_CODE(code, text)                     \
    assert_string_equal(status_name(code), #code); \
    assert_string_equal(status_text(code), text);
    STATUS_LIST(CHECK_CODE)
#undef CHECK_CODE
    assert_string_equal(status_name((Status)999), "STATUS_?");
    assert_string_equal(status_text((Status)-1), "unknown status");
}

static void a_failure_says_what_and_where(void **state) {
    (void)state;
    int reached = 0;
    assert_int_equal(passes_it_on(&reached), STATUS_ERR_RANGE);
    assert_int_equal(reached, 0);
    assert_int_equal(status_last()->code, STATUS_ERR_RANGE);
    assert_string_equal(status_last()->text, "7 is too much");
    assert_string_equal(status_last()->func, "fails");
    assert_contains(status_last()->file, "test_status.c");
    assert_true(status_last()->line > 0);
    status_clear();
    assert_int_equal(status_last()->code, STATUS_OK);
    assert_string_equal(status_last()->text, "");
}

static void a_native_code_is_kept(void **state) {
    (void)state;
    assert_int_equal(FAILURE_NATIVE(STATUS_ERR_DATABASE, 2067, "unique"), STATUS_ERR_DATABASE);
    assert_int_equal(status_last()->native, 2067);
    assert_int_equal(FAILURE(STATUS_ERR_ARG, "plain"), STATUS_ERR_ARG);
    assert_int_equal(status_last()->native, 0);
}

static void errno_values_have_a_text(void **state) {
    (void)state;
    assert_string_equal(status_errno(ENOENT), "No such file or directory");
    assert_string_equal(status_errno(99999), "unknown error");
}

static void a_prefix_stands_before_the_text(void **state) {
    (void)state;
    assert_int_equal(fails(), STATUS_ERR_RANGE);
    assert_int_equal(status_prefix("segment %d", 3), STATUS_ERR_RANGE);
    assert_string_equal(status_last()->text, "segment 3: 7 is too much");
    /* the old text may be an argument of the new one */
    (void)FAILURE(STATUS_ERR_IO, "again: %s", status_last()->text);
    assert_string_equal(status_last()->text, "again: segment 3: 7 is too much");
}

static void long_texts_are_cut(void **state) {
    (void)state;
    char text[2 * STATUS_TEXT_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)FAILURE(STATUS_ERR_ARG, "%s", text);
    assert_int_equal(strlen(status_last()->text), STATUS_TEXT_SIZE - 1);
    (void)status_prefix("%s", text);
    assert_int_equal(strlen(status_last()->text), STATUS_TEXT_SIZE - 1);
}

static void *fail_elsewhere(void *unused) {
    (void)unused;
    (void)FAILURE(STATUS_ERR_MPI, "on another thread");
    return NULL;
}

static void threads_do_not_see_each_others_failures(void **state) {
    (void)state;
    pthread_t thread;
    assert_int_equal(fails(), STATUS_ERR_RANGE);
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(status_last()->text, "7 is too much");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_and_a_text),
        cmocka_unit_test(a_failure_says_what_and_where),
        cmocka_unit_test(a_native_code_is_kept),
        cmocka_unit_test(errno_values_have_a_text),
        cmocka_unit_test(a_prefix_stands_before_the_text),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(threads_do_not_see_each_others_failures),
    };
    return cmocka_run_group_tests_name("core/status", tests, NULL, NULL);
}
