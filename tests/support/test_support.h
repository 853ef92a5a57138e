/** @file test_support.h  What every test needs: CMocka with its headers in order, house assertions,
 * temporary folders, failing allocations. */
#ifndef TESTS_SUPPORT_TEST_SUPPORT_H
#define TESTS_SUPPORT_TEST_SUPPORT_H

/* cmocka.h needs these first */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/status.h"

/** Fails with the status' name and text unless `call` gives STATUS_OK. */
#define assert_ok(call) test_assert_ok((call), #call, __FILE__, __LINE__)
void test_assert_ok(Status status, const char *call, const char *file, int line);

/** Fails unless `call` gives `expected` and the error text contains `part`. */
#define assert_fails(call, expected, part) \
    test_assert_fails((call), (expected), (part), #call, __FILE__, __LINE__)
void test_assert_fails(Status status, Status expected, const char *part, const char *call,
                       const char *file, int line);

/** |actual - expected| <= atol + rtol |expected|; two NaN are close, equal infinities too. */
#define assert_close(actual, expected, atol, rtol) \
    test_assert_close((actual), (expected), (atol), (rtol), #actual, __FILE__, __LINE__)
void test_assert_close(double actual, double expected, double atol, double rtol, const char *what,
                       const char *file, int line);

/** Fails unless `text` contains `part`. */
#define assert_contains(text, part) test_assert_contains((text), (part), __FILE__, __LINE__)
void test_assert_contains(const char *text, const char *part, const char *file, int line);

/** Prints "SKIPPED: <reason>" and skips the test; the reason must be listed in tests/README.md. */
#define test_skip(reason)                         \
    do {                                          \
        print_message("SKIPPED: %s\n", (reason)); \
        skip();                                   \
    } while (0)

/** A new empty folder under $TMPDIR; removed with all content by test_folder_remove(). The caller
 * frees the string through that call. */
char *test_folder_make(void);
void  test_folder_remove(char *folder);

/**
 * Fails allocation number `n` (1 = the next one) in tests built with WRAP_ALLOCATION; 0 = none.
 * Usage: for (n = 1;; n++) { test_fail_allocation(n); status = call(); if
 * (!test_allocation_failed()) break; assert status is STATUS_ERR_NOMEM and outputs are NULL }.
 */
void test_fail_allocation(size_t n);
int  test_allocation_failed(void);

#endif
