#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include "schedulers/encoding.h"

#include <math.h>
#include <string.h>

enum { MOST = 16, DRAWS = 2000 };

static void same_point(const double *a, const double *b, const Space *space) {
    for (size_t j = 0; j < space_count(space); j++) {
        const bool discrete = space_value_count(space, j) > 0;
        assert_int_equal(isnan(a[j]) != 0, isnan(b[j]) != 0);
        assert_close(a[j], b[j], 0.0, discrete ? 0.0 : 1e-12);
    }
}

static void points_come_back_and_inactive_ones_are_nan(void **state) {
    (void)state;
    for (int which = 0; which < FAKE_SPACE_COUNT; which++) {
        Space   *space = fake_space((FakeSpace)which);
        Encoding encoding;
        Rng      rng = rng_stream(1, 0, RNG_TEST);
        assert_ok(encoding_init(&encoding, space));
        for (int i = 0; i < DRAWS; i++) {
            double point[MOST];
            double again[MOST];
            double x[MOST];
            assert_ok(space_sample(space, &rng, point));
            encoding_from_point(&encoding, point, x);
            for (size_t j = 0; j < encoding.d; j++) {
                assert_int_equal(isnan(x[j]) != 0, isnan(point[j]) != 0);
                assert_true(isnan(x[j]) || (x[j] >= 0.0 && x[j] <= 1.0));
                assert_true(!isnan(x[j]) || encoding.dimensions[j].conditional);
            }
            encoding_to_point(&encoding, x, again);
            same_point(point, again, space);
        }
        encoding_reset(&encoding);
        space_destroy(space);
    }
}

/* what settling gives is at a level, consistent, stays where it is, and is refused exactly where
 * the space refuses it */
static void settling_keeps_levels_conditions_and_forbidden_points(void **state) {
    (void)state;
    size_t refused = 0;
    for (int which = 0; which < FAKE_SPACE_COUNT; which++) {
        Space   *space = fake_space((FakeSpace)which);
        Encoding encoding;
        Rng      rng = rng_stream(2, 0, RNG_TEST);
        assert_ok(encoding_init(&encoding, space));
        for (int i = 0; i < DRAWS; i++) {
            double x[MOST];
            double again[MOST];
            double point[MOST];
            for (size_t j = 0; j < encoding.d; j++) {
                x[j] = (rng_uniform(&rng) < 0.1) ? (double)NAN : rng_uniform(&rng);
            }
            const bool allowed = encoding_settle(&encoding, x);
            encoding_to_point(&encoding, x, point);
            const Status status = space_check(space, point);
            assert_true(status == STATUS_OK || status == STATUS_ERR_STATE);
            assert_int_equal(allowed, status == STATUS_OK);
            refused += allowed ? 0 : 1;
            for (size_t j = 0; j < encoding.d; j++) {
                const OptimizeDimension *dimension = &encoding.dimensions[j];
                assert_int_equal(isnan(x[j]) != 0, !space_is_active(space, point, j));
                if (!isnan(x[j]) && dimension->choices > 0) {
                    assert_close(optimize_level(dimension, optimize_choice(dimension, x[j])), x[j],
                                 0.0, 0.0);
                }
            }
            memcpy(again, x, sizeof x);
            assert_int_equal(encoding_settle(&encoding, again), allowed);
            for (size_t j = 0; j < encoding.d; j++) {
                assert_close(again[j], x[j], 1e-12, 0.0);
            }
        }
        encoding_reset(&encoding);
        space_destroy(space);
    }
    assert_true(refused > 0);
    status_clear();
}

static void add(Space *space, const char *name, SpaceType type, double upper, bool is_log) {
    SpaceParameter p = {.name = (char *)(uintptr_t)name,
                        .type = type,
                        .lower = 1,
                        .upper = upper,
                        .log = is_log,
                        .default_value = 1};
    assert_ok(space_add(space, &p));
}

static void ints_on_a_log_scale_have_their_own_levels(void **state) {
    (void)state;
    Space   *space = NULL;
    Encoding e;
    assert_ok(space_create(&space));
    add(space, "few", SPACE_INT, 8, true);
    add(space, "many", SPACE_INT, 1000, true);
    add(space, "even", SPACE_INT, 1000, false);
    add(space, "only", SPACE_INT, 1, false);
    add(space, "free", SPACE_FLOAT, 2, false);
    add(space, "fixed", SPACE_FLOAT, 1, false);
    assert_ok(space_seal(space));
    assert_ok(encoding_init(&e, space));
    const size_t choices[] = {8, 0, 1000, 1, 0, 1};
    for (size_t j = 0; j < e.d; j++) {
        assert_int_equal(e.dimensions[j].choices, choices[j]);
        assert_int_equal(e.densities[j].kind == TPE_CONTINUOUS, choices[j] == 0 || j == 0);
    }
    for (int i = 1; i <= 8; i++) {
        double point[] = {i, i * 100, i * 100, 1, 1.5, 1};
        double again[6];
        double x[6];
        encoding_from_point(&e, point, x);
        assert_close(x[0], e.dimensions[0].levels[i - 1], 0.0, 0.0);
        assert_true(i == 1 || e.dimensions[0].levels[i - 1] > e.dimensions[0].levels[i - 2]);
        encoding_to_point(&e, x, again);
        same_point(point, again, space);
    }
    encoding_reset(&e);
    space_destroy(space);
}

static void out_of_memory_leaves_nothing(void **state) {
    (void)state;
    Space *space = fake_space(FAKE_SPACE_CONDITIONAL);
    for (size_t n = 1;; n++) {
        Encoding encoding;
        test_fail_allocation(n);
        const Status status = encoding_init(&encoding, space);
        if (!test_allocation_failed()) {
            test_fail_allocation(0);
            assert_ok(status);
            encoding_reset(&encoding);
            break;
        }
        assert_int_equal(status, STATUS_ERR_NOMEM);
        assert_null(encoding.dimensions);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_come_back_and_inactive_ones_are_nan),
        cmocka_unit_test(settling_keeps_levels_conditions_and_forbidden_points),
        cmocka_unit_test(ints_on_a_log_scale_have_their_own_levels),
        cmocka_unit_test(out_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests_name("schedulers/encoding", tests, NULL, NULL);
}
