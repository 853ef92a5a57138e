/** @file check.h  For programs that are no tests, such as benchmarks: a failure ends them. */
#ifndef TESTS_SUPPORT_CHECK_H
#define TESTS_SUPPORT_CHECK_H

#include "core/status.h"

#include <stdio.h>
#include <stdlib.h>

/** Prints the failure's sentence and aborts unless `status` is STATUS_OK. */
static inline void check(Status status) {
    if (status != STATUS_OK) {
        (void)fprintf(stderr, "%s\n", status_last()->text);
        abort();
    }
}

#endif
