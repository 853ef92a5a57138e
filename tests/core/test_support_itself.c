/* The helpers that every other test trusts: each must be able to fail. A failing test runs in a
 * child process, in a group of its own, and the child's exit status tells. */
#include "tests/support/test_support.h"

#include "core/file.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void silence(void) {
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(nowhere, STDOUT_FILENO);
    (void)dup2(nowhere, STDERR_FILENO);
}

/* how many of one test failed in the child: 0 or 1 */
static int failures_of(CMUnitTestFunction function) {
    const pid_t child = fork();
    if (child == 0) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(function)};
        silence();
        _exit(cmocka_run_group_tests(tests, NULL, NULL));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static Status bad(void) {
    FAIL(STATUS_ERR_IO, "the disk is on fire");
}

static void ok_of_a_failure(void **state) {
    (void)state;
    assert_ok(bad());
}

static void fails_with_another_code(void **state) {
    (void)state;
    assert_fails(bad(), STATUS_ERR_ARG, "fire");
}

static void fails_with_another_text(void **state) {
    (void)state;
    assert_fails(bad(), STATUS_ERR_IO, "water");
}

static void close_to_something_else(void **state) {
    (void)state;
    assert_close(1.0, 1.1, 0.05, 0.04);
}

static void close_to_nan(void **state) {
    (void)state;
    assert_close(1.0, (double)NAN, 1e9, 1e9);
}

static void close_to_infinity(void **state) {
    (void)state;
    assert_close(1.0, HUGE_VAL, 1e9, 1e9);
}

static void contains_something_else(void **state) {
    (void)state;
    assert_contains("abc", "abd");
}

static void contains_in_nothing(void **state) {
    (void)state;
    assert_contains(NULL, "a");
}

static void assertions_can_fail(void **state) {
    (void)state;
    static const CMUnitTestFunction failing[] = {
        ok_of_a_failure, fails_with_another_code, fails_with_another_text, close_to_something_else,
        close_to_nan,    close_to_infinity,       contains_something_else, contains_in_nothing,
    };
    for (size_t i = 0; i < sizeof failing / sizeof failing[0]; i++) {
        assert_int_equal(failures_of(failing[i]), 1);
    }
}

static void assertions_can_hold(void **state) {
    (void)state;
    assert_ok(STATUS_OK);
    assert_fails(bad(), STATUS_ERR_IO, "fire");
    assert_close(1.0, 1.1, 0.11, 0.0);
    assert_close(1.0, 1.1, 0.0, 0.1);
    assert_close((double)NAN, (double)NAN, 0.0, 0.0);
    assert_close(-HUGE_VAL, -HUGE_VAL, 0.0, 0.0);
    assert_contains("abc", "bc");
    assert_int_equal(failures_of(assertions_can_fail), 0);
}

static void temporary_folders_come_and_go(void **state) {
    (void)state;
    char *folder = test_folder_make();
    char *other = test_folder_make();
    char *copy = file_join(folder, "");
    assert_string_not_equal(folder, other);
    assert_true(file_is_folder(folder));
    test_folder_remove(folder);
    test_folder_remove(other);
    assert_false(file_exists(copy));
    free(copy);
}

static void the_chosen_allocation_fails_and_no_other(void **state) {
    (void)state;
    /* volatile: compilers leave out memory that nobody looks at */
    void *volatile blocks[3];
    test_fail_allocation(2);
    blocks[0] = malloc(8);
    blocks[1] = calloc(1, 8);
    blocks[2] = malloc(8);
    assert_true(test_allocation_failed());
    assert_non_null(blocks[0]);
    assert_null(blocks[1]);
    assert_non_null(blocks[2]);
    free(blocks[0]);

    test_fail_allocation(1);
    void *volatile grown = realloc(blocks[2], 4096);
    if (grown == NULL) {
        free(blocks[2]);
    }
    assert_true(test_allocation_failed());
    assert_null(grown);

    test_fail_allocation(1);
    blocks[0] = aligned_alloc(64, 64);
    assert_true(test_allocation_failed());
    assert_null(blocks[0]);

    test_fail_allocation(2);
    blocks[0] = malloc(8);
    free(blocks[0]);
    assert_false(test_allocation_failed());
    /* asking also ends it */
    blocks[0] = malloc(8);
    assert_non_null(blocks[0]);
    free(blocks[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assertions_can_fail),
        cmocka_unit_test(assertions_can_hold),
        cmocka_unit_test(temporary_folders_come_and_go),
        cmocka_unit_test(the_chosen_allocation_fails_and_no_other),
    };
    return cmocka_run_group_tests_name("support", tests, NULL, NULL);
}
