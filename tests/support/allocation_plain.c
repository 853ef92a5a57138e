/* see allocation.h */
#include "tests/support/test_support.h"

void test_fail_allocation(size_t n) {
    if (n > 0) {
        fail_msg("this test must be registered with WRAP_ALLOCATION");
    }
}

int test_allocation_failed(void) {
    return 0;
}
