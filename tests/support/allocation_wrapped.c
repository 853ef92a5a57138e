/* see allocation.h */
#include "tests/support/allocation.h"

#include "tests/support/test_support.h"

#include <stdlib.h>

/* jansson is a shared library and out of the linker's reach, but it takes an allocator. Weak:
 * tests that do not use it need not link it. */
typedef void *(*JanssonMalloc)(size_t size);
typedef void (*JanssonFree)(void *memory);
extern void json_set_alloc_funcs(JanssonMalloc allocate, JanssonFree release) __attribute__((weak));

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
    if (json_set_alloc_funcs != NULL) {
        json_set_alloc_funcs(__wrap_malloc, free);
    }
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
