#include "core/optimize/pareto.h"

#include "tests/support/test_support.h"

#include <math.h>

/* fronts by hand: {0, 1, 2}, then {3}, then {4}; 5 equals 1 */
static const double losses[] = {0, 3, 1, 1, 3, 0, 2, 2, 4, 4, 1, 1};

static void fronts_are_those_of_a_hand_computed_case(void **state) {
    (void)state;
    const ParetoSet set = {.count = 6, .objectives = 2, .losses = losses};
    const size_t    expected[] = {0, 0, 0, 1, 2, 0};
    size_t          ranks[6];
    pareto_ranks(&set, ranks);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ranks[i], expected[i]);
    }
    assert_true(pareto_dominates(&set, 1, 3));
    assert_false(pareto_dominates(&set, 3, 1));
    assert_false(pareto_dominates(&set, 1, 5)); /* equals */
    assert_false(pareto_dominates(&set, 0, 1));
}

static void the_smaller_violation_comes_first(void **state) {
    (void)state;
    const double    violations[] = {1, 0, 0, 0, 0.5, 2};
    const ParetoSet set = {.count = 6, .objectives = 2, .losses = losses, .violations = violations};
    const size_t    expected[] = {3, 0, 0, 1, 2, 4};
    size_t          ranks[6];
    pareto_ranks(&set, ranks);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(ranks[i], expected[i]);
    }
}

/* (0, 4), (1, 2), (4, 0): the middle one has (4 - 0) / 4 + (4 - 0) / 4 */
static void crowding_is_the_gap_between_neighbours(void **state) {
    (void)state;
    const double    three[] = {1, 2, 4, 0, 0, 4};
    const ParetoSet set = {.count = 3, .objectives = 2, .losses = three};
    size_t          ranks[3];
    size_t          order[3];
    double          crowding[3];
    pareto_ranks(&set, ranks);
    pareto_crowding(&set, ranks, order, crowding);
    assert_close(crowding[0], 2, 1e-15, 0);
    assert_true(isinf(crowding[1]) && isinf(crowding[2]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fronts_are_those_of_a_hand_computed_case),
        cmocka_unit_test(the_smaller_violation_comes_first),
        cmocka_unit_test(crowding_is_the_gap_between_neighbours),
    };
    return cmocka_run_group_tests_name("core/optimize/pareto", tests, NULL, NULL);
}
