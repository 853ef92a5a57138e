/* Results of earlier studies: who learns from them, from which depth, and what is refused. */
#include "tests/schedulers/hand.h"
#include "tests/schedulers/point_study.h"
#include "tests/support/test_support.h"

#include "core/rng.h"

#include <math.h>
#include <string.h>

enum { KNOWN = 40 };

typedef struct Known {
    double  x;
    double  y;
    double  loss;
    int64_t depth;
} Known;

static Status tell_status(Scheduler *scheduler, const Known *known) {
    const double point[2] = {known->x, known->y};
    const Event  event = {.kind = EVENT_KNOWN,
                          .outcome = OUTCOME_DONE,
                          .objectives = &known->loss,
                          .cost = (double)NAN,
                          .point = point,
                          .depth = known->depth};
    return scheduler_observe(scheduler, &event);
}

static void tell(Scheduler *scheduler, const Known *known) {
    assert_ok(tell_status(scheduler, known));
}

/* `count` points around (x, y), better the nearer and the shallower */
static void tell_bowl(Scheduler *scheduler, double x, double y, size_t count, double width,
                      int64_t depth) {
    Rng rng = rng_stream(7, 1, RNG_TEST);
    for (size_t i = 0; i < count; i++) {
        const double a = x + width * (rng_uniform(&rng) - 0.5);
        const double b = y + width * (rng_uniform(&rng) - 0.5);
        tell(scheduler, &(Known){fmin(fmax(a, 0.0), 1.0), fmin(fmax(b, 0.0), 1.0),
                                 hypot(a - x, b - y) + (double)depth, depth});
    }
}

static double first_distance(Scheduler *scheduler, double x, double y) {
    const Decision decision = hand_run(scheduler, 0, 0, "initial");
    return hypot(decision.point[0] - x, decision.point[1] - y);
}

static void models_ask_what_is_known_at_once(void **state) {
    static const char *const names[] = {"gp", "tpe", "nsga2"};
    (void)state;
    Space *space = point_cube(2);
    for (size_t i = 0; i < 3; i++) {
        SchedulerSetup setup = point_setup(space, 4, 3);
        Scheduler     *cold = hand_create(names[i], &setup, NULL);
        Scheduler     *warm = hand_create(names[i], &setup, NULL);
        Scheduler     *again = hand_create(names[i], &setup, NULL);
        tell_bowl(warm, 0.9, 0.1, KNOWN, 0.2, 1);
        tell_bowl(again, 0.9, 0.1, KNOWN, 0.2, 1);
        assert_true(first_distance(cold, 0.9, 0.1) > 0.25);
        const double distance = first_distance(warm, 0.9, 0.1);
        assert_true(distance < 0.15);
        assert_close(first_distance(again, 0.9, 0.1), distance, 0.0, 0.0);
        scheduler_destroy(cold);
        scheduler_destroy(warm);
        scheduler_destroy(again);
    }
    space_destroy(space);
}

static void maximized_objectives_are_turned(void **state) {
    (void)state;
    Space         *space = point_cube(2);
    SchedulerSetup setup = point_setup(space, 4, 3);
    setup.maximize[0] = true;
    Scheduler *scheduler = hand_create("gp", &setup, NULL);
    for (size_t i = 0; i < KNOWN; i++) {
        const double x = (double)i / KNOWN;
        tell(scheduler, &(Known){x, 0.5, 10.0 * x, 1});
    }
    const Decision decision = hand_run(scheduler, 0, 0, "initial");
    assert_true(decision.point[0] > 0.8);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static SchedulerSetup deep(const Space *space) {
    SchedulerSetup setup = point_setup(space, 9, 3);
    setup.per_trial = 9;
    setup.total = 81;
    return setup;
}

static void each_rung_learns_from_its_depth(void **state) {
    (void)state;
    int64_t        depths[4] = {0};
    Space         *space = point_cube(2);
    SchedulerSetup setup = deep(space);
    Scheduler *asha = hand_create("asha", &setup, "sampler", 6.0, "startup", 1.0, "reduction", 3.0,
                                  "min_units", 1.0, NULL);
    assert_int_equal(scheduler_known_depths(asha, depths, 4), 3);
    assert_int_equal(depths[0], 1);
    assert_int_equal(depths[1], 3);
    assert_int_equal(depths[2], 9);
    /* below the first and between two: the deepest rung that it reaches */
    tell_bowl(asha, 0.1, 0.1, KNOWN, 0.2, 1);
    tell_bowl(asha, 0.9, 0.9, 20, 0.2, 5);
    assert_true(first_distance(asha, 0.9, 0.9) < 0.3);
    scheduler_destroy(asha);

    /* one sampler: the full depth alone, whatever depth is told */
    Scheduler *full = hand_create("asha", &setup, "sampler", 6.0, "learn_from", 1.0, NULL);
    assert_int_equal(scheduler_known_depths(full, depths, 4), 1);
    assert_int_equal(depths[0], 9);
    tell_bowl(full, 0.9, 0.9, KNOWN, 0.2, 5);
    assert_true(first_distance(full, 0.9, 0.9) < 0.3);
    scheduler_destroy(full);
    space_destroy(space);
}

static void what_cannot_be_known_is_refused(void **state) {
    static const char *const strangers[] = {"random", "sobol",   "grid", "cmaes",
                                            "nlopt",  "enqueue", "dehb", "pbt"};
    const Known              good = {0.5, 0.5, 1.0, 1};
    (void)state;
    Space         *space = point_cube(2);
    SchedulerSetup setup = deep(space);
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++) {
        SchedulerSetup own = setup;
        own.trials = (strcmp(strangers[i], "pbt") == 0) ? 0 : own.trials;
        Scheduler *scheduler = hand_create(strangers[i], &own, NULL);
        assert_int_equal(scheduler_known_depths(scheduler, NULL, 0), 0);
        assert_fails(tell_status(scheduler, &good), STATUS_ERR_STATE, "learns nothing");
        scheduler_destroy(scheduler);
    }
    Scheduler *scheduler = hand_create("tpe", &setup, NULL);
    assert_fails(tell_status(scheduler, &(Known){0.5, 0.5, (double)NAN, 1}), STATUS_ERR_STATE,
                 "expected a finite number");
    assert_fails(tell_status(scheduler, &(Known){0.5, 0.5, 1.0, 0}), STATUS_ERR_STATE, "lacks");
    assert_fails(tell_status(scheduler, &(Known){1.5, 0.5, 1.0, 1}), STATUS_ERR_RANGE,
                 "a result of an earlier study");
    (void)hand_decide(scheduler);
    assert_fails(tell_status(scheduler, &good), STATUS_ERR_STATE, "before its first decision");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_ask_what_is_known_at_once),
        cmocka_unit_test(maximized_objectives_are_turned),
        cmocka_unit_test(each_rung_learns_from_its_depth),
        cmocka_unit_test(what_cannot_be_known_is_refused),
    };
    return cmocka_run_group_tests_name("schedulers/known_results", tests, NULL, NULL);
}
