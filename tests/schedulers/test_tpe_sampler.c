/* The sampler, through the scheduler of its name. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"
#include "tests/schedulers/point_study.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { TRIALS = 60 };

static Space *two_floats(void) {
    Space         *space = NULL;
    SpaceParameter x = {.name = (char[]){"x"}, .upper = 1, .type = SPACE_FLOAT};
    SpaceParameter y = {.name = (char[]){"y"}, .upper = 1, .type = SPACE_FLOAT};
    assert_ok(space_create(&space));
    assert_ok(space_add(space, &x));
    assert_ok(space_add(space, &y));
    assert_ok(space_seal(space));
    return space;
}

static PointStudy study_of(const Space *space, const double *options, PointFunction function,
                           size_t slots) {
    PointStudy study = {.setup = point_setup(space, TRIALS, 3),
                        .options = options,
                        .function = function,
                        .slots = slots};
    assert_ok(scheduler_find("tpe", &study.ops));
    return study;
}

static double distance(const double *point) {
    return hypot(point[0] - 0.3, point[1] - 0.8);
}

static void bowl(PointResult *result) {
    result->objectives[0] = distance(result->point);
}

/* the better half of the plane fails */
static void half_fails(PointResult *result) {
    result->failed = result->point[0] < 0.5;
    result->objectives[0] = result->failed ? (double)NAN : distance(result->point);
}

/* the same half violates a constraint */
static void half_violates(PointResult *result) {
    result->constraint = 0.5 - result->point[0];
    result->objectives[0] = distance(result->point);
}

static void all_nan(PointResult *result) {
    result->objectives[0] = (double)NAN;
}

static double share_of(const PointResult *results, size_t first, bool (*is)(const PointResult *)) {
    double count = 0.0;
    for (size_t i = first; i < TRIALS; i++) {
        count += is(&results[i]) ? 1.0 : 0.0;
    }
    return count / (double)(TRIALS - first);
}

static bool is_near(const PointResult *result) {
    return distance(result->point) < 0.2;
}

static bool is_right(const PointResult *result) {
    return result->point[0] >= 0.5;
}

static void it_goes_where_results_are_good(void **state) {
    (void)state;
    Space *space = two_floats();
    for (size_t slots = 1; slots <= 8; slots += 7) {
        PointResult results[TRIALS];
        double      options[16];
        PointStudy  study = study_of(space, options, bowl, slots);
        fake_options(study.ops, options, NULL);
        assert_int_equal(point_study_run(&study, results), study.setup.trials);
        /* 0.12 of the plane is near */
        assert_true(share_of(results, TRIALS / 2, is_near) > 0.6);
    }
    space_destroy(space);
}

static void it_leaves_what_fails_and_what_is_not_allowed(void **state) {
    (void)state;
    Space              *space = two_floats();
    const PointFunction functions[] = {half_fails, half_violates};
    for (size_t i = 0; i < 2; i++) {
        PointResult results[TRIALS];
        double      options[16];
        PointStudy  study = study_of(space, options, functions[i], 1);
        fake_options(study.ops, options, NULL);
        study.setup.constraint_count = i;
        study.setup.constraint_upper[0] = 0.0;
        assert_int_equal(point_study_run(&study, results), study.setup.trials);
        assert_true(share_of(results, TRIALS / 2, is_right) > 0.6); /* where good is not */
    }
    space_destroy(space);
}

static void without_a_single_number_it_goes_on(void **state) {
    (void)state;
    Space      *space = two_floats();
    PointResult results[TRIALS];
    double      options[16];
    PointStudy  study = study_of(space, options, all_nan, 3);
    fake_options(study.ops, options, NULL);
    assert_int_equal(point_study_run(&study, results), study.setup.trials);
    space_destroy(space);
}

/* every prefix of a log with failures, in a space with conditions and a forbidden corner */
static void a_log_gives_the_same_decisions_again(void **state) {
    (void)state;
    const SchedulerOps *ops = NULL;
    double              options[16];
    assert_ok(scheduler_find("tpe", &ops));
    fake_options(ops, options, NULL);
    Space         *space = fake_space(FAKE_SPACE_CONDITIONAL);
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 5;
    setup.trials = TRIALS;
    setup.total = TRIALS * setup.per_trial;
    const FakeSettings settings = {.slots = 4, .seed = 3, .fail = 0.15, .nan = 0.1, .noise = 2.0};
    FakeLog            log;
    Decision           done;
    fake_study_run(ops, &setup, options, &settings, &log, &done);
    Scheduler *scheduler = fake_log_replay(ops, &setup, options, &log, 0);
    for (size_t i = 0; i < log.count; i++) {
        if (log.events[i]->event.kind == EVENT_DECIDED) {
            Decision next;
            assert_ok(scheduler_decide(scheduler, &next));
            assert_true(fake_same_decision(&next, &log.events[i]->decision, log.values));
        }
        assert_ok(scheduler_observe(scheduler, &log.events[i]->event));
        if (i % 16 == 0) { /* and without having decided before */
            scheduler_destroy(scheduler);
            scheduler = fake_log_replay(ops, &setup, options, &log, i + 1);
        }
    }
    scheduler_destroy(scheduler);
    fake_log_free(&log);
    space_destroy(space);
}

static void the_first_configurations_are_those_of_random_search(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = point_setup(space, 20, 1);
    Scheduler           *tpe = hand_create("tpe", &setup, "startup", 7.0, NULL);
    Scheduler           *random = hand_create("random", &setup, NULL);
    for (int64_t i = 0; i < 20; i++) {
        const Decision a = hand_run(tpe, i, 0, "initial");
        const Decision b = hand_run(random, i, 0, "initial");
        assert_int_equal(fake_same_values(a.point, b.point, space_count(space)), i < 7);
        hand_finish(tpe, i + 1, (double)i);
        hand_finish(random, i + 1, (double)i);
    }
    scheduler_destroy(tpe);
    scheduler_destroy(random);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_where_results_are_good),
        cmocka_unit_test(it_leaves_what_fails_and_what_is_not_allowed),
        cmocka_unit_test(without_a_single_number_it_goes_on),
        cmocka_unit_test(a_log_gives_the_same_decisions_again),
        cmocka_unit_test(the_first_configurations_are_those_of_random_search),
    };
    return cmocka_run_group_tests_name("schedulers/tpe", tests, NULL, NULL);
}
