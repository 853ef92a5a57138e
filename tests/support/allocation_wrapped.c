/* see allocation.h */
#include "tests/support/allocation.h"

#include "tests/support/test_support.h"

#include <stdlib.h>

/* per thread, so that a library's own threads do not take the failure meant for the test */
static _Thread_local size_t countdown;
static _Thread_local int    has_failed;

static int fails_now(void) {
    if (countdown == 0) {
        return 0;
    }
    countdown--;
    has_failed = countdown == 0;
    return has_failed;
}

void test_fail_allocation(size_t n) {
    countdown = n;
    has_failed = 0;
}

int test_allocation_failed(void) {
    countdown = 0;
    return has_failed;
}

void *__wrap_malloc(size_t size) {
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size) {
    return fails_now() ? NULL : __real_realloc(old, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}
