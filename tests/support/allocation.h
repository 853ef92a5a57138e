/** @file allocation.h  Who implements the failing allocator.
 *
 * test_fail_allocation() and test_allocation_failed() have two homes. allocation_wrapped.c is
 * compiled into tests that are registered with WRAP_ALLOCATION; the linker sends their calls of
 * malloc and its kin to its __wrap_ functions. Every other test gets the stubs of
 * allocation_plain.c, which stand in an object of their own in the support library, so that the
 * linker takes them only where nobody else defines the two functions.
 */
#ifndef TESTS_SUPPORT_ALLOCATION_H
#define TESTS_SUPPORT_ALLOCATION_H

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

#endif
