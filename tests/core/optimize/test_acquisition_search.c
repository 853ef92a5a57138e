#include "tests/support/test_support.h"

#include "core/optimize/acquisition_search_internal.h"
#include "core/optimize/batch_lbfgs.h"

#include <math.h>
#include <string.h>

enum { MOST_D = 8 };

/* ---- L-BFGS ---- */

/* Rosenbrock's valley, and a bowl whose minimum lies outside the cube in the first coordinate */
static void valley_and_bowl(void *context, const double *x, size_t m, double *value,
                            double *gradient) {
    const double *shift = context;
    for (size_t i = 0; i < m; i++) {
        const double a = 1.5 * x[3 * i];
        const double b = 1.5 * x[3 * i + 1] - a * a;
        const double c = x[3 * i + 2] - *shift;
        value[i] = 100.0 * b * b + (1.0 - a) * (1.0 - a) + c * c;
        gradient[3 * i] = 1.5 * (-400.0 * a * b - 2.0 * (1.0 - a));
        gradient[3 * i + 1] = 1.5 * 200.0 * b;
        gradient[3 * i + 2] = 2.0 * c;
    }
}

/* The first start's last coordinate is frozen; the others' ends at the bound nearest to `shift`. */
static void minimize_towards(double shift, double bound) {
    enum { M = 5 };
    double       x[M * 3];
    double       value[M];
    bool         frozen[M * 3] = {false};
    Arena        arena;
    Rng          rng = rng_stream(1, 1, RNG_TEST);
    const double still = 0.25;
    for (size_t i = 0; i < (size_t)M * 3; i++) {
        x[i] = rng_uniform(&rng);
    }
    frozen[2] = true;
    x[2] = still;
    x[5] = bound; /* one begins where it has to end */
    assert_ok(arena_init(&arena, batch_lbfgs_scratch(M, 3)));
    const BatchLbfgs how = {valley_and_bowl, &shift, frozen, M, 3, 80, 1e-14, NULL, NULL};
    assert_ok(batch_lbfgs_minimize(&how, x, value, &arena));
    for (size_t i = 0; i < M; i++) {
        const double end = (i == 0) ? still : bound;
        assert_close(value[i], (end - shift) * (end - shift), 1e-9, 0.0);
        assert_close(x[3 * i], 1.0 / 1.5, 1e-4, 0.0);
        assert_close(x[3 * i + 2], end, 0.0, 0.0);
    }
    assert_int_equal(arena.used, 0);
    arena_reset(&arena);
    assert_ok(arena_init(&arena, 64));
    assert_int_equal(batch_lbfgs_minimize(&how, x, value, &arena), STATUS_ERR_NOMEM);
    arena_reset(&arena);
}

static void all_starts_reach_the_minimum_inside_the_cube(void **state) {
    (void)state;
    minimize_towards(1.7, 1.0);
    minimize_towards(-0.7, 0.0);
}

/* ---- search ---- */

typedef struct Scene {
    const OptimizeDimension *dimensions;
    size_t                   d;
    GaussianProcess         *gp;
    GaussianProcess         *limit; /* of a constraint, or NULL */
    AcquisitionConstraint    constraint;
    AcquisitionSearch        search;
    Arena                    arena;
    double                   best;
    double                   best_x[MOST_D];
} Scene;

typedef double (*Function)(const double *x);

static void begin(Scene *s, const OptimizeDimension *dimensions, size_t d, bool constrained) {
    *s = (Scene){.dimensions = dimensions, .d = d, .best = (double)INFINITY};
    const GaussianProcessSetup setup = {dimensions, d, 200, 8, false};
    GaussianProcessSetup       compressed = setup;
    compressed.compress_upper = true;
    assert_ok(gaussian_process_create(&compressed, &s->gp));
    s->search = (AcquisitionSearch){.gp = s->gp, .dimensions = dimensions, .d = d};
    if (constrained) {
        assert_ok(gaussian_process_create(&setup, &s->limit));
        s->constraint = (AcquisitionConstraint){s->limit, 0.0};
        s->search.constraints = &s->constraint;
        s->search.constraint_count = 1;
    }
    assert_ok(arena_init(&s->arena, acquisition_search_scratch(&s->search)));
}

static void end(Scene *s) {
    assert_int_equal(s->arena.used, 0);
    gaussian_process_destroy(s->gp);
    gaussian_process_destroy(s->limit);
    arena_reset(&s->arena);
}

static void learn(GaussianProcess *gp) {
    if (gaussian_process_fit_due(gp)) {
        assert_ok(gaussian_process_fit(gp));
    }
    assert_ok(gaussian_process_update(gp));
}

/* decides until there are `count` observations */
static void optimize(Scene *s, Function function, Function limit, size_t count) {
    for (size_t i = gaussian_process_count(s->gp); i < count; i++) {
        double x[MOST_D];
        Rng    rng = rng_stream(2, i, RNG_DECIDE);
        learn(s->gp);
        if (limit != NULL) {
            learn(s->limit);
        }
        assert_ok(acquisition_search_run(&s->search, &rng, x, NULL, &s->arena));
        if (limit != NULL) {
            assert_ok(gaussian_process_add(s->limit, x, limit(x)));
        }
        const double y = function(x);
        if (y < s->best && (limit == NULL || limit(x) <= 0.0)) {
            s->best = y;
            memcpy(s->best_x, x, s->d * sizeof *x);
        }
        assert_ok(gaussian_process_add(s->gp, x, y));
    }
}

static double branin(const double *u) {
    const double pi = 3.14159265358979323846;
    const double x = 15.0 * u[0] - 5.0;
    const double a = 15.0 * u[1] - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
    return a * a + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * cos(x) + 10.0 - 0.39788735772973816;
}

static const OptimizeDimension two[2] = {{0}, {0}};

/* Optuna's GP sampler has a median of 6e-5 after 50; this is one seed, so there is room. */
static void branin_is_solved_in_50_evaluations(void **state) {
    (void)state;
    Scene s;
    begin(&s, two, 2, false);
    optimize(&s, branin, NULL, 50);
    assert_true(s.best < 1e-2);
    end(&s);
}

static void decisions_are_functions_of_what_was_seen(void **state) {
    (void)state;
    Scene a;
    Scene b;
    begin(&a, two, 2, false);
    begin(&b, two, 2, false);
    optimize(&a, branin, NULL, 15);
    optimize(&b, branin, NULL, 15);
    for (size_t i = 0; i < 15; i++) {
        assert_memory_equal(gaussian_process_point(a.gp, i), gaussian_process_point(b.gp, i),
                            2 * sizeof(double));
    }
    end(&a);
    end(&b);
}

/* central differences, step 1e-6; returns at how many of 20 points they were compared */
static size_t compare_gradients(AcquisitionValues *values) {
    size_t compared = 0;
    for (size_t i = 0; i < 20; i++) {
        Rng    rng = rng_stream(4, i, RNG_TEST);
        double x[2] = {0.01 + 0.98 * rng_uniform(&rng), 0.01 + 0.98 * rng_uniform(&rng)};
        double value = 0.0;
        double gradient[2];
        acquisition_values__evaluate(values, x, 1, &value, gradient);
        compared += value < 1e3; /* beyond, differences are rounding */
        for (size_t j = 0; j < 2 && value < 1e3; j++) {
            const double at = x[j];
            double       up = 0.0;
            double       down = 0.0;
            x[j] = at + 1e-6;
            acquisition_values__evaluate(values, x, 1, &up, NULL);
            x[j] = at - 1e-6;
            acquisition_values__evaluate(values, x, 1, &down, NULL);
            x[j] = at;
            assert_close(gradient[j], (up - down) / 2e-6, 1e-3, 1e-4);
        }
    }
    return compared;
}

/* one with a constraint, then with a cost too, then with a second objective in its place */
static void gradients_of_the_acquisition_agree_with_differences(void **state) {
    (void)state;
    static const double    first[] = {5.0, 40.0};
    static const double    second[] = {1.0, 0.0};
    const HypervolumeFront front = {first, second, 2, {100.0, 2.0}};
    Scene                  s;
    AcquisitionValues      values;
    Arena                  arena;
    begin(&s, two, 2, true);
    for (size_t i = 0; i < 20; i++) {
        Rng          rng = rng_stream(3, i, RNG_TEST);
        const double x[2] = {rng_uniform(&rng), rng_uniform(&rng)};
        assert_ok(gaussian_process_add(s.gp, x, branin(x)));
        assert_ok(gaussian_process_add(s.limit, x, 0.6 - x[0] + sin(20.0 * x[1])));
    }
    learn(s.gp);
    learn(s.limit);
    assert_ok(arena_init(&arena, acquisition_values__scratch(2)));
    assert_ok(acquisition_values__init(&values, &s.search, &arena));
    assert_true(isfinite(values.incumbent));
    assert_true(compare_gradients(&values) > 10);
    s.search.log_cost = s.limit;
    assert_true(compare_gradients(&values) > 10);
    s.search.constraint_count = 0;
    s.search.second = s.limit;
    s.search.front = &front;
    arena_release(&arena, 0);
    assert_ok(acquisition_values__init(&values, &s.search, &arena));
    assert_true(compare_gradients(&values) > 10);
    arena_reset(&arena);
    end(&s);
}

static double left_is_better(const double *x) {
    return x[0] + (x[1] - 0.3) * (x[1] - 0.3);
}

static double right_is_allowed(const double *x) {
    return 0.6 - x[0];
}

/* The best feasible point is (0.6, 0.3), on the border. */
static void constraints_are_honoured(void **state) {
    (void)state;
    Scene s;
    begin(&s, two, 2, true);
    optimize(&s, left_is_better, right_is_allowed, 30);
    assert_true(s.best < 0.62);
    assert_true(s.best_x[0] >= 0.6);
    end(&s);
}

/* An int of 8 (levels not evenly spaced), a categorical of 4, two conditional ones: the third
 * choice has the second, the others the first. */
static const double            levels[8] = {0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0};
static const OptimizeDimension mixed[4] = {{.choices = 8, .levels = levels},
                                           {.categorical = true, .choices = 4},
                                           {.conditional = true},
                                           {.conditional = true}};

static bool settle_mixed(void *context, double *x) {
    const bool third = x[1] > 0.5 && x[1] < 0.75;
    (void)context;
    x[2] = third ? (double)NAN : (isnan(x[2]) ? 0.5 : x[2]);
    x[3] = third ? (isnan(x[3]) ? 0.5 : x[3]) : (double)NAN;
    return !(x[0] > 0.9); /* the last level is forbidden */
}

static double mixed_value(const double *x) {
    assert_true(settle_mixed(NULL, (double[4]){x[0], x[1], x[2], x[3]}));
    const bool   third = x[1] > 0.5 && x[1] < 0.75;
    const double apart = third ? x[3] - 0.77 : x[2] - 0.4;
    assert_true(isnan(x[third ? 2 : 3]));
    return 4.0 * (x[0] - 0.2) * (x[0] - 0.2) + apart * apart + (third ? 0.0 : 0.3 + 0.1 * x[1]);
}

/* Optimum 0 at level 3, third choice, 0.77. Random search needs about 8 * 4 * 50 points for 1e-4.
 */
static void mixed_conditional_spaces_are_searched(void **state) {
    (void)state;
    Scene s;
    begin(&s, mixed, 4, false);
    s.search.settle = settle_mixed;
    optimize(&s, mixed_value, NULL, 50);
    assert_true(s.best < 1e-4);
    assert_close(s.best_x[0], 0.2, 0.0, 0.0);
    end(&s);
}

static double sum(const double *x) {
    return x[0] + x[1];
}

/* 12 points in all: each comes once before any comes twice, pending ones count as seen. */
static void small_spaces_are_not_repeated(void **state) {
    (void)state;
    static const OptimizeDimension small[2] = {{.categorical = true, .choices = 3}, {.choices = 4}};
    Scene                          s;
    begin(&s, small, 2, false);
    optimize(&s, sum, NULL, 6);
    learn(s.gp);
    for (size_t i = 6; i < 13; i++) {
        double x[2];
        bool   known = false;
        Rng    rng = rng_stream(5, i, RNG_DECIDE);
        assert_ok(acquisition_search_run(&s.search, &rng, x, NULL, &s.arena));
        for (size_t k = 0; k < i; k++) {
            known = known || memcmp(gaussian_process_point(s.gp, k), x, sizeof x) == 0;
        }
        assert_int_equal(known, i == 12);
        assert_ok(gaussian_process_assume(s.gp, x));
    }
    end(&s);
}

/* The lowest point of the bowl is outside of the box; a coordinate and a choice are held. */
static double shifted_bowl(const double *x) {
    return (x[0] - 0.9) * (x[0] - 0.9) + (x[1] - 0.2) * (x[1] - 0.2) + 2.0 * x[2] + x[3];
}

static void fixed_coordinates_stay_and_boxes_hold(void **state) {
    (void)state;
    static const OptimizeDimension four[4] = {{0}, {0}, {0}, {.categorical = true, .choices = 3}};
    static const double            lower[4] = {0.3, 0.0, 0.37, 0.5};
    static const double            upper[4] = {0.6, 1.0, 0.37, 0.5};
    Scene                          s;
    begin(&s, four, 4, false);
    optimize(&s, shifted_bowl, NULL, 25);
    learn(s.gp);
    s.search.lower = lower;
    s.search.upper = upper;
    for (int bound = 0; bound < 2; bound++) {
        double x[4];
        Rng    rng = rng_stream(6, 0, RNG_DECIDE);
        /* next to no weight on what is not known: the lowest mean in the box */
        s.search.confidence = (bound == 1) ? 1e-6 : 0.0;
        s.search.candidates = (bound == 1) ? 64 : 0;
        assert_ok(acquisition_search_run(&s.search, &rng, x, NULL, &s.arena));
        for (size_t j = 0; j < 4; j++) {
            assert_true(x[j] >= lower[j] && x[j] <= upper[j]);
        }
        assert_true(bound == 0 || (x[0] > 0.58 && fabs(x[1] - 0.2) < 0.15));
    }
    end(&s);
}

/* a conditional dimension that is not active, a categorical one, few levels, uneven ones */
static const double            uneven[3] = {0.1, 0.6, 0.9};
static const OptimizeDimension eight[MOST_D] = {{0},
                                                {0},
                                                {0},
                                                {0},
                                                {.choices = 5},
                                                {.choices = 3, .levels = uneven},
                                                {.categorical = true, .choices = 3},
                                                {.conditional = true}};

/* the best is the second of 12 observations, so nothing better came since */
static void stuck(Scene *s, double noise) {
    begin(s, eight, MOST_D, false);
    s->search.local = true;
    for (size_t i = 0; i < 12; i++) {
        Rng    rng = rng_stream(8, i, RNG_TEST);
        double x[MOST_D];
        for (size_t j = 0; j < 4; j++) {
            x[j] = rng_uniform(&rng);
        }
        x[4] = 0.5;
        x[5] = 0.6;
        x[6] = 0.5;
        x[7] = (double)NAN;
        assert_ok(gaussian_process_add(s->gp, x, (i == 1) ? -3.0 : 1.0 + x[0]));
    }
    const double parameters[MOST_D + 2] = {0, 0, 0, 0, 0, 0, 0, 0, 0.0, log(noise)};
    assert_ok(gaussian_process_restore(s->gp, parameters, 12));
    assert_ok(gaussian_process_update(s->gp));
}

static void a_search_that_is_stuck_moves_three_coordinates_by_little(void **state) {
    (void)state;
    enum { TRIES = 200 };
    Scene  s;
    size_t boxes = 0;
    size_t moved[MOST_D] = {0};
    stuck(&s, 1e-6);
    const double *best = gaussian_process_point(s.gp, 1);
    for (uint64_t k = 0; k < TRIES; k++) {
        Rng    rng = rng_stream(9, k, RNG_DECIDE);
        double lower[MOST_D];
        double upper[MOST_D];
        size_t count = 0;
        if (!acquisition_local__box(&s.search, &rng, lower, upper)) {
            continue;
        }
        boxes++;
        for (size_t j = 0; j < MOST_D - 1; j++) {
            assert_true(lower[j] <= best[j] && best[j] <= upper[j]);
            assert_true(j >= 4 || upper[j] - lower[j] < 0.0401);
            moved[j] += (upper[j] > lower[j]) ? 1 : 0;
            count += (upper[j] > lower[j]) ? 1 : 0;
        }
        assert_int_equal(count, 3);
        /* the next level of both kinds is within reach */
        assert_true(upper[4] <= lower[4] || (lower[4] < 0.3 && upper[4] > 0.7));
        assert_true(upper[5] <= lower[5] || (lower[5] < 0.1 && upper[5] > 0.9));
        assert_true(isnan(lower[7]) && isnan(upper[7]));
    }
    assert_in_range(boxes, TRIES / 3, TRIES * 2 / 3);
    for (size_t j = 0; j < 6; j++) {
        assert_in_range(moved[j], boxes / 3, boxes * 2 / 3);
    }
    assert_int_equal(moved[6], 0);
    /* and the search stays in the box */
    size_t near = 0;
    for (uint64_t k = 0; k < 20; k++) {
        Rng    rng = rng_stream(9, k, RNG_DECIDE);
        double x[MOST_D];
        size_t same = 0;
        assert_ok(acquisition_search_run(&s.search, &rng, x, NULL, &s.arena));
        for (size_t j = 0; j < 6; j++) {
            same += fabs(x[j] - best[j]) <= 0.0 ? 1 : 0;
        }
        near += (same >= 3 && fabs(x[6] - best[6]) <= 0.0 && isnan(x[7])) ? 1 : 0;
    }
    assert_in_range(near, 5, 15);
    end(&s);
}

static bool is_local(const AcquisitionSearch *search) {
    double lower[MOST_D];
    double upper[MOST_D];
    bool   local = false;
    for (uint64_t k = 0; k < 20; k++) {
        Rng rng = rng_stream(9, k, RNG_DECIDE);
        local = acquisition_local__box(search, &rng, lower, upper) || local;
    }
    return local;
}

/* A better observation ends it; so does a box of somebody else's, a constraint, a bound, and noise,
 * with which the one low target is luck. */
static void only_a_search_that_is_stuck_is_local(void **state) {
    (void)state;
    static const double none[MOST_D] = {0};
    Scene               s;
    stuck(&s, 1e-6);
    assert_true(is_local(&s.search));
    s.search.lower = none;
    assert_false(is_local(&s.search));
    s.search.lower = NULL;
    s.search.confidence = 1.0;
    assert_false(is_local(&s.search));
    s.search.confidence = 0.0;
    s.search.constraint_count = 1;
    assert_false(is_local(&s.search));
    s.search.constraint_count = 0;
    double better[MOST_D];
    memcpy(better, gaussian_process_point(s.gp, 1), sizeof better);
    better[0] = 1.0 - better[0];
    assert_ok(gaussian_process_add(s.gp, better, -4.0));
    assert_ok(gaussian_process_update(s.gp));
    assert_false(is_local(&s.search));
    end(&s);
    stuck(&s, 0.05);
    assert_false(is_local(&s.search));
    end(&s);
}

/* Differences of the bound, and that a larger share of the deviation prefers what is unknown. */
static void confidence_bounds_have_their_gradient(void **state) {
    (void)state;
    Scene             s;
    AcquisitionValues values;
    Arena             arena;
    begin(&s, two, 2, false);
    optimize(&s, branin, NULL, 15);
    learn(s.gp);
    s.search.confidence = 2.0;
    assert_ok(arena_init(&arena, acquisition_values__scratch(2)));
    assert_ok(acquisition_values__init(&values, &s.search, &arena));
    double x[2] = {0.31, 0.77};
    double mean = 0.0;
    double variance = 0.0;
    double value = 0.0;
    double gradient[2];
    gaussian_process_predict(s.gp, x, 1,
                             (GaussianProcessPrediction){.mean = &mean, .variance = &variance});
    acquisition_values__evaluate(&values, x, 1, &value, gradient);
    assert_close(value, mean - 2.0 * sqrt(variance), 1e-12, 1e-9);
    for (size_t j = 0; j < 2; j++) {
        const double at = x[j];
        double       up = 0.0;
        double       down = 0.0;
        x[j] = at + 1e-6;
        acquisition_values__evaluate(&values, x, 1, &up, NULL);
        x[j] = at - 1e-6;
        acquisition_values__evaluate(&values, x, 1, &down, NULL);
        x[j] = at;
        assert_close(gradient[j], (up - down) / 2e-6, 1e-4, 1e-3);
    }
    arena_reset(&arena);
    end(&s);
}

static bool forbid_all(void *context, double *x) {
    (void)context;
    (void)x;
    return false;
}

static void what_cannot_be_searched_is_said(void **state) {
    (void)state;
    Scene  s;
    double x[2] = {7.0, 7.0};
    Arena  little;
    Rng    rng = rng_stream(1, 0, RNG_DECIDE);
    begin(&s, two, 2, false);
    learn(s.gp);
    s.search.settle = forbid_all;
    assert_fails(acquisition_search_run(&s.search, &rng, x, NULL, &s.arena), STATUS_ERR_STATE,
                 "forbidden");
    s.search.settle = NULL;
    assert_ok(arena_init(&little, 1024));
    assert_fails(acquisition_search_run(&s.search, &rng, x, NULL, &little), STATUS_ERR_NOMEM, "");
    assert_close(x[0], 7.0, 0.0, 0.0);
    assert_int_equal(little.used, 0);
    arena_reset(&little);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_starts_reach_the_minimum_inside_the_cube),
        cmocka_unit_test(branin_is_solved_in_50_evaluations),
        cmocka_unit_test(decisions_are_functions_of_what_was_seen),
        cmocka_unit_test(gradients_of_the_acquisition_agree_with_differences),
        cmocka_unit_test(constraints_are_honoured),
        cmocka_unit_test(mixed_conditional_spaces_are_searched),
        cmocka_unit_test(small_spaces_are_not_repeated),
        cmocka_unit_test(fixed_coordinates_stay_and_boxes_hold),
        cmocka_unit_test(a_search_that_is_stuck_moves_three_coordinates_by_little),
        cmocka_unit_test(only_a_search_that_is_stuck_is_local),
        cmocka_unit_test(confidence_bounds_have_their_gradient),
        cmocka_unit_test(what_cannot_be_searched_is_said),
    };
    return cmocka_run_group_tests_name("core/optimize/acquisition_search", tests, NULL, NULL);
}
