#include "schedulers/trust_region.h"

#include "tests/support/test_support.h"

/* `restarts`: whether that makes the region begin anew */
static void end_generation(TrustRegion *region, bool improved, int restarts) {
    const int64_t before = region->restarts;
    trust_region_end_generation(region, improved);
    assert_int_equal(region->restarts - before, restarts);
}

/* side 0.4, x 1.5 after 3 successes in a row, / 1.5 after 10 failures, restart after 15 */
static void the_published_numbers_hold(void **state) {
    (void)state;
    TrustRegion region = trust_region_begin();
    assert_close(region.length, 0.4, 1e-15, 0.0);
    for (int i = 0; i < 3; i++) {
        end_generation(&region, true, 0);
    }
    assert_close(region.length, 0.6, 1e-12, 0.0);
    for (int i = 0; i < 9; i++) {
        end_generation(&region, false, 0);
    }
    assert_close(region.length, 0.6, 1e-12, 0.0);
    end_generation(&region, false, 0);
    assert_close(region.length, 0.4, 1e-12, 0.0);
    for (int i = 0; i < 4; i++) {
        end_generation(&region, false, 0);
    }
    end_generation(&region, false, 1);
    assert_int_equal(region.restarts, 1);
    assert_int_equal(region.stale, 0);
    assert_close(region.length, 0.4, 1e-12, 0.0);
}

static void the_side_stays_within_its_bounds(void **state) {
    (void)state;
    TrustRegion region = trust_region_begin();
    for (int i = 0; i < 30; i++) {
        end_generation(&region, true, 0);
    }
    assert_close(region.length, 1.0, 0.0, 0.0);
    region.length = 0.16;
    for (int i = 0; i < 9; i++) {
        end_generation(&region, false, 0);
    }
    end_generation(&region, false, 1); /* 0.107 */
    assert_close(region.length, 0.4, 0.0, 0.0);
}

static void fewer_choices_may_differ_in_a_smaller_region(void **state) {
    (void)state;
    TrustRegion region = trust_region_begin();
    assert_int_equal(trust_region_radius(&region, 8), 8);
    region.length = 0.2;
    assert_int_equal(trust_region_radius(&region, 8), 4);
    region.length = 1.0;
    assert_int_equal(trust_region_radius(&region, 8), 8);
    region.length = 0.15;
    assert_int_equal(trust_region_radius(&region, 1), 1);
    assert_int_equal(trust_region_radius(&region, 0), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_numbers_hold),
        cmocka_unit_test(the_side_stays_within_its_bounds),
        cmocka_unit_test(fewer_choices_may_differ_in_a_smaller_region),
    };
    return cmocka_run_group_tests_name("schedulers/trust_region", tests, NULL, NULL);
}
