#include "tests/support/test_support.h"

#include "schedulers/tabu.h"

#include <string.h>

static void every_element_comes_exactly_once(void **state) {
    (void)state;
    for (unsigned bits = 0; bits <= 11; bits++) {
        const uint64_t n = UINT64_C(1) << bits;
        unsigned char  seen[1 << 11] = {0};
        for (uint64_t i = 0; i < n; i++) {
            const uint64_t element = tabu_element(7, 3, bits, i);
            assert_true(element < n);
            assert_int_equal(seen[element], 0);
            seen[element] = 1;
        }
    }
}

static void the_order_depends_on_seed_and_item_only(void **state) {
    (void)state;
    size_t same_seed = 0;
    size_t same_item = 0;
    for (uint64_t i = 0; i < 256; i++) {
        const uint64_t element = tabu_element(7, 3, 8, i);
        assert_int_equal(element, tabu_element(7, 3, 8, i));
        same_seed += element == tabu_element(7, 4, 8, i);
        same_item += element == tabu_element(8, 3, 8, i);
    }
    /* a random pair of permutations agrees in one place on average */
    assert_true(same_seed < 10);
    assert_true(same_item < 10);
}

/* the first direction tried is no favourite: over many elites each comes about equally often */
static void the_first_element_is_spread_evenly(void **state) {
    (void)state;
    enum { ITEMS = 8000, BITS = 3 };
    size_t counts[1 << BITS] = {0};
    for (uint64_t item = 1; item <= ITEMS; item++) {
        counts[tabu_element(1, item, BITS, 0)]++;
    }
    for (size_t i = 0; i < (1 << BITS); i++) {
        /* 1000 expected, standard deviation 30 */
        assert_true(counts[i] > 850 && counts[i] < 1150);
    }
}

static void large_domains_need_no_list(void **state) {
    (void)state;
    const uint64_t a = tabu_element(1, 1, TABU_MAX_BITS, 0);
    const uint64_t b = tabu_element(1, 1, TABU_MAX_BITS, 1);
    const uint64_t c = tabu_element(1, 1, 61, (UINT64_C(1) << 61) - 1);
    assert_true(a != b);
    assert_true(a >> TABU_MAX_BITS == 0 && b >> TABU_MAX_BITS == 0 && c >> 61 == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_comes_exactly_once),
        cmocka_unit_test(the_order_depends_on_seed_and_item_only),
        cmocka_unit_test(the_first_element_is_spread_evenly),
        cmocka_unit_test(large_domains_need_no_list),
    };
    return cmocka_run_group_tests_name("schedulers/tabu", tests, NULL, NULL);
}
