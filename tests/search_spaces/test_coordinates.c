#include "tests/search_spaces/space_samples.h"
#include "tests/support/test_support.h"

#include "search_spaces/space.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { SPACES = 400, POINTS = 30 };

static Space *space_of(const SpaceParameter *p) {
    Space *space = NULL;
    assert_ok(space_create(&space));
    assert_ok(space_add(space, p));
    assert_ok(space_seal(space));
    return space;
}

static double encode_one(const Space *space, double value) {
    double unit = 0;
    space_encode(space, &value, &unit);
    return unit;
}

static double decode_one(const Space *space, double unit) {
    double value = 0;
    space_decode(space, &unit, &value);
    return value;
}

static void coordinates_worked_out_by_hand(void **state) {
    (void)state;
    SpaceParameter p = sample_float("x", 1e-4, 1e-2, 1e-3);
    p.log = true;
    Space *space = space_of(&p);
    assert_close(encode_one(space, 1e-3), 0.5, 1e-14, 0);
    assert_close(decode_one(space, 0.25), pow(10, -3.5), 0, 1e-13);
    assert_close(decode_one(space, 0), 1e-4, 0, 0);
    assert_close(decode_one(space, 1), 1e-2, 0, 0);
    assert_close(decode_one(space, -3), 1e-4, 0, 0);
    assert_close(decode_one(space, 7), 1e-2, 0, 0);
    assert_close(decode_one(space, (double)NAN), 1e-3, 0, 0); /* the default */
    space_destroy(space);

    /* 2, 4, 6: three equal cells */
    p = sample_int("x", 2, 6, 2);
    p.step = 2;
    space = space_of(&p);
    assert_close(encode_one(space, 4), 0.5, 0, 0);
    assert_close(decode_one(space, 0.33), 2, 0, 0);
    assert_close(decode_one(space, 0.34), 4, 0, 0);
    space_destroy(space);

    /* 1 to 4 on a log scale: cells of log 0.5 to log 4.5; 1 ends at log(1.5 / 0.5) / log 9 = 1/2 */
    p = sample_int("x", 1, 4, 1);
    p.log = true;
    space = space_of(&p);
    assert_close(decode_one(space, 0.4999), 1, 0, 0);
    assert_close(decode_one(space, 0.5001), 2, 0, 0);
    assert_close(encode_one(space, 1), 0.25, 1e-15, 0);
    space_destroy(space);

    /* the last of the grid is the bound itself, whatever 0.1 * 3 is */
    p = sample_float("x", 0, 0.3, 0);
    p.step = 0.1;
    space = space_of(&p);
    assert_close(decode_one(space, 0.99), 0.3, 0, 0);
    assert_close(decode_one(space, encode_one(space, 0.3)), 0.3, 0, 0);
    space_destroy(space);

    p = sample_bool("x");
    space = space_of(&p);
    assert_close(encode_one(space, 1), 0.75, 0, 0);
    assert_close(decode_one(space, 0.49), 0, 0, 0);
    space_destroy(space);
}

/* decode(encode(v)) over thousands of random spaces and points */
static void decode_undoes_encode(void **state) {
    (void)state;
    Rng rng = rng_stream(11, 0, RNG_TEST);
    for (int s = 0; s < SPACES; s++) {
        Space       *space = sample_random(&rng);
        const size_t n = space_count(space);
        for (int k = 0; k < POINTS; k++) {
            double point[SAMPLE_PARAMETERS];
            double unit[SAMPLE_PARAMETERS];
            double back[SAMPLE_PARAMETERS];
            assert_ok(space_sample(space, &rng, point));
            assert_ok(space_check(space, point));
            space_encode(space, point, unit);
            space_decode(space, unit, back);
            for (size_t i = 0; i < n; i++) {
                const SpaceParameter *p = space_at(space, i);
                const bool            exact = p->type != SPACE_FLOAT || p->step > 0;
                const double          bound = fmax(fabs(p->lower), fabs(p->upper));
                assert_true(unit[i] >= 0 && unit[i] <= 1);
                assert_close(back[i], point[i], (exact || p->log) ? 0 : 4 * DBL_EPSILON * bound,
                             (p->log && !exact) ? 1e-12 : 0);
            }
            assert_ok(space_check(space, back));
        }
        space_destroy(space);
    }
}

static void wide_ints_keep_every_cell(void **state) {
    (void)state;
    Rng rng = rng_stream(12, 0, RNG_TEST);
    for (int log_scale = 0; log_scale < 2; log_scale++) {
        SpaceParameter p = sample_int("x", log_scale ? 1 : -1e12, 1e12, 1);
        p.log = log_scale == 1;
        Space *space = space_of(&p);
        for (int k = 0; k < 20000; k++) {
            const double value = 1e12 - (double)rng_below(&rng, 1000000);
            assert_close(decode_one(space, encode_one(space, value)), value, 0, 0);
        }
        space_destroy(space);
    }
}

/* chi-square of counts against expected shares; the bound is the 1 - 1e-6 quantile or above it */
static double chi_square(const int *counts, const double *shares, int cells, int draws) {
    double sum = 0;
    for (int c = 0; c < cells; c++) {
        const double expected = shares[c] * draws;
        sum += (counts[c] - expected) * (counts[c] - expected) / expected;
    }
    return sum;
}

static void sampling_is_uniform_in_the_cube(void **state) {
    (void)state;
    enum { CELLS = 10, DRAWS = 20000 };
    const char *const ten[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL};
    SpaceParameter    rows[] = {
           sample_float("f", -1, 3, 0),  sample_float("l", 1e-5, 1, 1e-2),
           sample_int("i", 0, 9, 0),     sample_int("j", 1, 10, 1),
           sample_float("g", 0, 0.9, 0), sample_choice("c", SPACE_CATEGORICAL, ten),
    };
    rows[1].log = true;
    rows[3].log = true;
    rows[4].step = 0.1;
    Rng rng = rng_stream(13, 0, RNG_TEST);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        Space *space = space_of(&rows[r]);
        int    counts[CELLS] = {0};
        double shares[CELLS];
        for (int k = 0; k < DRAWS; k++) {
            double value = 0;
            assert_ok(space_sample(space, &rng, &value));
            const bool continuous = r < 2;
            const int  cell = continuous ? (int)(encode_one(space, value) * CELLS)
                              : (r == 3) ? (int)value - 1
                              : (r == 4) ? (int)lround(value * 10)
                                         : (int)value;
            counts[(cell == CELLS) ? CELLS - 1 : cell]++;
        }
        for (int c = 0; c < CELLS; c++) {
            shares[c] = (r == 3) ? log((c + 1.5) / (c + 0.5)) / log(10.5 / 0.5) : 1.0 / CELLS;
        }
        /* 9 degrees of freedom: 0.999999 quantile is 45.1 */
        assert_true(chi_square(counts, shares, CELLS, DRAWS) < 45.1);
        space_destroy(space);
    }
}

static void sampling_avoids_what_is_forbidden(void **state) {
    (void)state;
    Space               *space = NULL;
    const SpaceParameter p = sample_float("x", 0, 1, 0);
    SpaceTest            test = sample_between(0, 0.1, (double)NAN);
    const SpaceCondition condition = {.tests = &test, .test_count = 1};
    Rng                  rng = rng_stream(14, 0, RNG_TEST);
    double               value = -7;
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &p));
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    for (int k = 0; k < 200; k++) {
        assert_ok(space_sample(space, &rng, &value));
        assert_true(value <= 0.1);
    }
    space_destroy(space);

    /* all but a sliver: an error after 10 000 draws, the point as it was */
    test.above = 1e-9;
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &p));
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    value = -7;
    assert_fails(space_sample(space, &rng, &value), STATUS_ERR_STATE, "10000 drawn points");
    assert_close(value, -7, 0, 0);
    space_destroy(space);
}

/* what must hold of one move without resampling, and without a forbidden region in the way */
static void check_move(const Space *space, const double *from, const double *to, double step) {
    double unit_from[SAMPLE_PARAMETERS];
    double unit_to[SAMPLE_PARAMETERS];
    space_encode(space, from, unit_from);
    space_encode(space, to, unit_to);
    for (size_t i = 0; i < space_count(space); i++) {
        const SpaceParameter *p = space_at(space, i);
        if (isnan(from[i]) || isnan(to[i]) || p->lower == p->upper) {
            continue;
        }
        if (p->type == SPACE_ORDINAL) {
            assert_close(fabs(to[i] - from[i]), 1, 0, 0);
        } else if (p->type == SPACE_INT) {
            assert_true(fabs(to[i] - from[i]) >= fmax(1, p->step));
        } else if (p->type == SPACE_FLOAT && p->step > 0) {
            assert_true(to[i] != from[i]);
        } else if (p->type == SPACE_FLOAT) {
            const double moved = fabs(unit_to[i] - unit_from[i]);
            assert_true(moved >= 0.25 * step - 1e-9 && moved <= step + 1e-9);
        }
    }
}

static void perturbed_points_stay_inside_and_move(void **state) {
    (void)state;
    Rng rng = rng_stream(15, 0, RNG_TEST);
    for (int s = 0; s < SPACES; s++) {
        Space *space = sample_random(&rng);
        double point[SAMPLE_PARAMETERS];
        assert_ok(space_sample(space, &rng, point));
        for (int k = 0; k < POINTS; k++) {
            const SpacePerturbation how = {.step = 0.01 + 0.49 * rng_uniform(&rng)};
            double                  moved[SAMPLE_PARAMETERS];
            memcpy(moved, point, sizeof moved);
            assert_ok(space_perturb(space, &rng, &how, moved));
            assert_ok(space_check(space, moved));
            if (memcmp(moved, point, space_count(space) * sizeof *moved) != 0) {
                check_move(space, point, moved, how.step);
            }
            memcpy(point, moved, sizeof point);
        }
        space_destroy(space);
    }
}

/* wherever it stands and whichever sign it gets, one move leads away, bounds included */
static void no_value_is_absorbing(void **state) {
    (void)state;
    SpaceParameter rows[] = {
        sample_float("f", 0, 1, 0), sample_float("l", 1e-5, 4e-2, 1e-3), sample_int("i", 0, 40, 0),
        sample_int("j", 1, 700, 1), sample_int("two", 0, 1, 0),          sample_float("g", 0, 1, 0),
    };
    rows[1].log = true;
    rows[3].log = true;
    rows[5].step = 0.125;
    const double steps[] = {0, 0.001, 0.2, 0.5};
    Rng          rng = rng_stream(16, 0, RNG_TEST);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        Space *space = space_of(&rows[r]);
        for (int k = 0; k < 4 * 2 * 201; k++) {
            const signed char       sign = (k & 4) ? 1 : -1;
            const SpacePerturbation how = {.step = steps[k & 3], .signs = &sign};
            const double            from = decode_one(space, floor(k / 8.0) / 200);
            double                  to = from;
            assert_ok(space_perturb(space, &rng, &how, &to));
            assert_ok(space_check(space, &to));
            assert_true(to != from || (how.step == 0 && r < 2));
        }
        space_destroy(space);
    }
}

static void bounds_reflect(void **state) {
    (void)state;
    const struct {
        double from;
        int    sign;
        double to;
    } cases[] = {
        {0.5, 1, 0.7},    {0.5, -1, 0.3},  {0, -1, 0.2},     {0, 1, 0.2},    {1, 1, 0.8},
        {0.02, -1, 0.18}, {0.98, 1, 0.82}, {0.18, -1, 0.02}, {0.1, -1, 0.3}, /* the reflection ends
                                                                                where it began: the
                                                                                other way */
        {0.9, 1, 0.7},
    };
    const SpaceParameter p = sample_float("x", 0, 1, 0.5);
    Space               *space = space_of(&p);
    Rng                  rng = rng_stream(25, 0, RNG_TEST);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const signed char       sign = (signed char)cases[i].sign;
        const SpacePerturbation how = {.step = 0.2, .signs = &sign};
        double                  value = cases[i].from;
        assert_ok(space_perturb(space, &rng, &how, &value));
        assert_close(value, cases[i].to, 1e-12, 0);
    }
    space_destroy(space);
}

/* the defect this design avoids: after many moves ints are not piled up at a bound */
static void many_moves_do_not_ratchet_to_a_bound(void **state) {
    (void)state;
    enum { CELLS = 8, DRAWS = 8000 };
    const SpaceParameter    p = sample_int("x", 1, 8, 4);
    const SpacePerturbation how = {.step = 0.2};
    Space                  *space = space_of(&p);
    Rng                     rng = rng_stream(17, 0, RNG_TEST);
    double                  value = 4;
    int                     counts[CELLS] = {0};
    for (int k = 0; k < DRAWS; k++) {
        assert_ok(space_perturb(space, &rng, &how, &value));
        counts[(int)value - 1]++;
    }
    for (int c = 0; c < CELLS; c++) {
        assert_in_range(counts[c], DRAWS / CELLS / 3, 3 * DRAWS / CELLS);
    }
    space_destroy(space);
}

static void signs_steer_the_numeric_ones(void **state) {
    (void)state;
    const char *const choices[] = {"p", "q", "r", NULL};
    SpaceParameter    rows[] = {
           sample_float("f", 0, 1, 0.5),  sample_choice("c", SPACE_CATEGORICAL, choices),
           sample_int("single", 3, 3, 3), sample_choice("o", SPACE_ORDINAL, choices),
           sample_int("i", 0, 100, 50),   sample_float("s", 0, 1, 0.5),
    };
    Space *space = NULL;
    Rng    rng = rng_stream(18, 0, RNG_TEST);
    rows[3].default_value = 1;
    assert_ok(space_create(&space));
    for (size_t i = 0; i < 6; i++) {
        rows[i].dynamic = i != 5;
        assert_ok(space_add(space, &rows[i]));
    }
    assert_ok(space_seal(space));
    double point[6];
    space_defaults(space, point);
    assert_int_equal(space_sign_count(space, point, true), 3);
    assert_int_equal(space_sign_count(space, point, false), 4);

    const signed char       signs[4] = {-1, 1, -1, 1};
    const SpacePerturbation how = {.step = 0.2, .dynamic_only = true, .signs = signs};
    assert_ok(space_perturb(space, &rng, &how, point));
    assert_close(point[0], 0.3, 1e-12, 0);
    assert_close(point[2], 3, 0, 0);
    assert_close(point[3], 2, 0, 0);
    assert_in_range((uintmax_t)point[4], 29, 31);
    assert_close(point[5], 0.5, 0, 0); /* static */

    const SpacePerturbation all = {.step = 0.2, .signs = signs};
    assert_ok(space_perturb(space, &rng, &all, point));
    assert_close(point[5], 0.7, 1e-12, 0);
    space_destroy(space);
}

static void resampling_draws_from_the_whole_range(void **state) {
    (void)state;
    enum { CELLS = 10, DRAWS = 20000 };
    const SpaceParameter    p = sample_float("x", 0, 1, 0.5);
    const SpacePerturbation how = {.step = 0.01, .resample = 1};
    Space                  *space = space_of(&p);
    Rng                     rng = rng_stream(19, 0, RNG_TEST);
    int                     counts[CELLS] = {0};
    double                  shares[CELLS];
    for (int k = 0; k < DRAWS; k++) {
        double value = 0.5;
        assert_ok(space_perturb(space, &rng, &how, &value));
        counts[(int)(value * CELLS)]++;
    }
    for (int c = 0; c < CELLS; c++) {
        shares[c] = 1.0 / CELLS;
    }
    assert_true(chi_square(counts, shares, CELLS, DRAWS) < 45.1);
    space_destroy(space);
}

/* without resampling a categorical of n is drawn anew with probability 1 / n */
static void categoricals_move_at_all(void **state) {
    (void)state;
    const char *const       choices[] = {"p", "q", "r", "s", NULL};
    const SpaceParameter    p = sample_choice("x", SPACE_CATEGORICAL, choices);
    const SpacePerturbation how = {.step = 0.2};
    Space                  *space = space_of(&p);
    Rng                     rng = rng_stream(20, 0, RNG_TEST);
    int                     counts[4] = {0};
    for (int k = 0; k < 16000; k++) {
        double value = 0;
        assert_ok(space_perturb(space, &rng, &how, &value));
        counts[(int)value]++;
    }
    const double shares[4] = {13.0 / 16, 1.0 / 16, 1.0 / 16, 1.0 / 16};
    /* 3 degrees of freedom: 0.999999 quantile is 30.7 */
    assert_true(chi_square(counts, shares, 4, 16000) < 30.7);
    space_destroy(space);
}

static void a_forbidden_result_leaves_another_or_the_old_point(void **state) {
    (void)state;
    Space               *space = NULL;
    const SpaceParameter p = sample_float("x", 0, 1, 0.5);
    SpaceTest            test = sample_between(0, 0.6, (double)NAN);
    SpaceCondition       condition = {.tests = &test, .test_count = 1};
    Rng                  rng = rng_stream(21, 0, RNG_TEST);
    const signed char    up = 1;
    SpacePerturbation    how = {.step = 0.2, .signs = &up};
    double               value = 0.5;
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &p));
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    assert_ok(space_perturb(space, &rng, &how, &value));
    assert_close(value, 0.3, 1e-12, 0);
    space_destroy(space);

    /* both sides forbidden: it stays */
    SpaceTest below = sample_between(0, (double)NAN, 0.4);
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &p));
    assert_ok(space_add_forbidden(space, &condition));
    condition.tests = &below;
    assert_ok(space_add_forbidden(space, &condition));
    assert_ok(space_seal(space));
    value = 0.5;
    assert_ok(space_perturb(space, &rng, &how, &value));
    assert_close(value, 0.5, 0, 0);
    space_destroy(space);
}

static void the_same_stream_gives_the_same_points(void **state) {
    (void)state;
    Rng                     make = rng_stream(22, 0, RNG_TEST);
    const SpacePerturbation how = {.step = 0.2, .resample = 0.25};
    for (int s = 0; s < 50; s++) {
        Space *space = sample_random(&make);
        double points[2][SAMPLE_PARAMETERS] = {{0}};
        for (int k = 0; k < 2; k++) {
            Rng rng = rng_stream(23, (uint64_t)s, RNG_TEST);
            assert_ok(space_sample(space, &rng, points[k]));
            assert_ok(space_perturb(space, &rng, &how, points[k]));
        }
        for (size_t i = 0; i < space_count(space); i++) {
            assert_close(points[0][i], points[1][i], 0, 0);
        }
        space_destroy(space);
    }
}

static void perturb_refuses_bad_input(void **state) {
    (void)state;
    const SpaceParameter p = sample_float("x", 0, 1, 0.5);
    Space               *space = space_of(&p);
    Rng                  rng = rng_stream(24, 0, RNG_TEST);
    SpacePerturbation    how = {.step = 0.6};
    double               value = 0.5;
    assert_fails(space_perturb(space, &rng, &how, &value), STATUS_ERR_RANGE, "step must lie in 0");
    how.step = (double)NAN;
    assert_fails(space_perturb(space, &rng, &how, &value), STATUS_ERR_RANGE, "step must lie in 0");
    how.step = 0.2;
    how.resample = 1.5;
    assert_fails(space_perturb(space, &rng, &how, &value), STATUS_ERR_RANGE, "resample must lie");
    how.resample = 0;
    assert_fails(space_perturb(space, &rng, NULL, &value), STATUS_ERR_ARG, "needs");
    value = 2;
    assert_fails(space_perturb(space, &rng, &how, &value), STATUS_ERR_RANGE, "outside the range");
    assert_close(value, 2, 0, 0);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coordinates_worked_out_by_hand),
        cmocka_unit_test(decode_undoes_encode),
        cmocka_unit_test(wide_ints_keep_every_cell),
        cmocka_unit_test(sampling_is_uniform_in_the_cube),
        cmocka_unit_test(sampling_avoids_what_is_forbidden),
        cmocka_unit_test(perturbed_points_stay_inside_and_move),
        cmocka_unit_test(no_value_is_absorbing),
        cmocka_unit_test(bounds_reflect),
        cmocka_unit_test(many_moves_do_not_ratchet_to_a_bound),
        cmocka_unit_test(signs_steer_the_numeric_ones),
        cmocka_unit_test(resampling_draws_from_the_whole_range),
        cmocka_unit_test(categoricals_move_at_all),
        cmocka_unit_test(a_forbidden_result_leaves_another_or_the_old_point),
        cmocka_unit_test(the_same_stream_gives_the_same_points),
        cmocka_unit_test(perturb_refuses_bad_input),
    };
    return cmocka_run_group_tests_name("search_spaces/coordinates", tests, NULL, NULL);
}
