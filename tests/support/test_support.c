#include "tests/support/test_support.h"

#include "core/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_assert_ok(Status status, const char *call, const char *file, int line) {
    if (status != STATUS_OK) {
        print_error("%s: %s: %s\n", call, status_name(status), status_last()->text);
        _fail(file, line);
    }
}

void test_assert_fails(Status status, Status expected, const char *part, const char *call,
                       const char *file, int line) {
    if (status != expected) {
        print_error("%s gave %s, expected %s\n", call, status_name(status), status_name(expected));
        _fail(file, line);
    }
    if (strstr(status_last()->text, part) == NULL) {
        print_error("%s said '%s', expected '%s' in it\n", call, status_last()->text, part);
        _fail(file, line);
    }
}

void test_assert_close(double actual, double expected, double atol, double rtol, const char *what,
                       const char *file, int line) {
    const int same = actual == expected || (isnan(actual) && isnan(expected));
    const int finite = isfinite(actual) && isfinite(expected);
    if (!same && !(finite && fabs(actual - expected) <= atol + rtol * fabs(expected))) {
        print_error("%s is %.17g, expected %.17g (off by %g)\n", what, actual, expected,
                    fabs(actual - expected));
        _fail(file, line);
    }
}

void test_assert_contains(const char *text, const char *part, const char *file, int line) {
    if (text == NULL || strstr(text, part) == NULL) {
        print_error("'%s' does not contain '%s'\n", (text == NULL) ? "(null)" : text, part);
        _fail(file, line);
    }
}

char *test_folder_make(void) {
    const char *parent = getenv("TMPDIR");
    char       *folder =
        file_join((parent == NULL || parent[0] == '\0') ? "/tmp" : parent, "mbtune-test-XXXXXX");
    if (folder == NULL || mkdtemp(folder) == NULL) {
        fail_msg("cannot make a temporary folder in %s", (parent == NULL) ? "/tmp" : parent);
    }
    return folder;
}

void test_folder_remove(char *folder) {
    assert_ok(file_remove_all(folder));
    free(folder);
}
