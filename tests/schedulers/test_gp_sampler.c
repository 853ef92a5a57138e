/* The sampler, through the scheduler of its name. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"
#include "tests/schedulers/point_study.h"

#include "core/optimize/sobol.h"
#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIALS = 40 };

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

static const SchedulerOps *ops_of(void) {
    const SchedulerOps *ops = NULL;
    assert_ok(scheduler_find("gp", &ops));
    return ops;
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

/* the same half is not allowed: x has to be 0.5 at least */
static void half_violates(PointResult *result) {
    result->constraint = result->point[0];
    result->objectives[0] = distance(result->point);
}

static void no_constraint_value(PointResult *result) {
    result->constraint = (result->point[0] < 0.5) ? (double)NAN : 0.0;
    result->objectives[0] = distance(result->point);
}

static void all_nan(PointResult *result) {
    result->objectives[0] = (double)NAN;
}

static void all_equal(PointResult *result) {
    result->objectives[0] = 5.0;
}

/* flat in y, which costs up to ten times more */
static void dear_and_flat(PointResult *result) {
    const double x = result->point[0] - 0.3;
    result->objectives[0] = x * x;
    result->cost = pow(10.0, result->point[1]);
}

/* one objective wants x = 0.2, the other 0.8, both y = 0.5; the front is the line between */
static void two_bowls(PointResult *result) {
    const double y = result->point[1] - 0.5;
    result->objectives[0] = (result->point[0] - 0.2) * (result->point[0] - 0.2) + y * y;
    result->objectives[1] = (result->point[0] - 0.8) * (result->point[0] - 0.8) + y * y;
    result->constraint = result->point[0];
}

/* the same, with a wall where y is large */
static void two_bowls_and_a_wall(PointResult *result) {
    two_bowls(result);
    if (result->point[1] > 0.9) {
        result->objectives[0] += 1000.0;
        result->objectives[1] += 1000.0;
    }
}

static void run(const Space *space, PointFunction function, size_t slots, PointResult *results) {
    double     options[16];
    PointStudy study = {.ops = ops_of(),
                        .options = options,
                        .setup = point_setup(space, TRIALS, 3),
                        .function = function,
                        .slots = slots};
    fake_options(study.ops, options, NULL);
    if (function == half_violates || function == no_constraint_value) {
        study.setup.constraint_count = 1;
        study.setup.constraint_lower[0] = (function == half_violates) ? 0.5 : -1.0;
    }
    assert_int_equal(point_study_run(&study, results), study.setup.trials);
}

static void it_finds_the_bottom_of_a_bowl(void **state) {
    (void)state;
    Space *space = two_floats();
    for (size_t slots = 1; slots <= 8; slots += 7) {
        PointResult results[TRIALS];
        double      nearest = 1.0;
        run(space, bowl, slots, results);
        for (size_t i = 0; i < TRIALS; i++) {
            nearest = fmin(nearest, distance(results[i].point));
            for (size_t j = 0; j < i; j++) { /* what is pending is not tried again */
                assert_true(!fake_same_values(results[i].point, results[j].point, 2));
            }
        }
        assert_true(nearest < 0.01);
    }
    space_destroy(space);
}

static void it_leaves_what_fails_and_what_is_not_allowed(void **state) {
    (void)state;
    Space              *space = two_floats();
    const PointFunction functions[] = {half_fails, half_violates, no_constraint_value};
    for (size_t k = 0; k < 3; k++) {
        PointResult results[TRIALS];
        size_t      left = 0;
        double      nearest = 1.0;
        run(space, functions[k], 1, results);
        for (size_t i = 0; i < TRIALS; i++) {
            left += (i >= TRIALS / 2 && results[i].point[0] < 0.5) ? 1 : 0;
            nearest =
                (results[i].point[0] >= 0.5) ? fmin(nearest, distance(results[i].point)) : nearest;
        }
        assert_true(left < TRIALS / 4);
        /* the best that is allowed lies on the border, 0.2 away */
        assert_true(nearest < 0.25);
    }
    space_destroy(space);
}

static void flat_and_missing_objectives_do_not_stop_it(void **state) {
    (void)state;
    Space      *space = two_floats();
    PointResult results[TRIALS];
    run(space, all_nan, 3, results);
    run(space, all_equal, 3, results);
    space_destroy(space);
}

/* failures before the first success enter with its loss, later ones with the worst so far: two
 * studies that differ in nothing else decide the same */
static void a_failure_counts_as_the_worst_loss_before_it(void **state) {
    (void)state;
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, TRIALS, 1);
    Scheduler           *fails = hand_create("gp", &setup, "startup", 4.0, NULL);
    Scheduler           *tells = hand_create("gp", &setup, "startup", 4.0, NULL);
    for (int64_t i = 0; i < 4; i++) {
        hand_run(fails, i, 0, "initial");
        hand_run(tells, i, 0, "initial");
    }
    hand_fail(fails, 1);
    hand_finish(fails, 2, 2.0);
    hand_finish(fails, 3, 1.0);
    hand_fail(fails, 4);
    hand_finish(tells, 2, 2.0);
    hand_finish(tells, 1, 2.0);
    hand_finish(tells, 3, 1.0);
    hand_finish(tells, 4, 2.0);
    const Decision a = hand_run(fails, 4, 0, "initial");
    const Decision b = hand_run(tells, 4, 0, "initial");
    assert_true(a.memo_size > 0);
    assert_true(fake_same_decision(&a, &b, 2));
    scheduler_destroy(fails);
    scheduler_destroy(tells);
    space_destroy(space);
}

static void the_first_configurations_are_sobol_points(void **state) {
    (void)state;
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, TRIALS, 1);
    Scheduler           *scheduler = hand_create("gp", &setup, NULL);
    Sobol               *sobol = NULL;
    assert_ok(sobol_create(2, SOBOL_SCRAMBLED, setup.seed, &sobol));
    for (int64_t i = 0; i < 6; i++) {
        double         expected[2];
        const Decision decision = hand_run(scheduler, i, 0, "initial");
        assert_ok(sobol_points(sobol, (uint64_t)i, 1, expected));
        assert_int_equal(fake_same_values(decision.point, expected, 2), i < 5);
        assert_int_equal(decision.memo_size > 0, i >= 5);
        hand_finish(scheduler, i + 1, distance(decision.point));
    }
    sobol_destroy(sobol);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static double cost_of_search(const Space *space, bool cost_aware) {
    PointResult results[TRIALS];
    double      options[16];
    double      cost = 0.0;
    PointStudy  study = {.ops = ops_of(),
                         .options = options,
                         .setup = point_setup(space, TRIALS, 3),
                         .function = dear_and_flat,
                         .slots = 1};
    fake_options(study.ops, options, NULL);
    study.setup.cost_aware = cost_aware;
    assert_int_equal(point_study_run(&study, results), study.setup.trials);
    for (size_t i = 5; i < TRIALS; i++) { /* the first ones are the same */
        cost += results[i].cost;
    }
    return cost;
}

static void what_costs_more_without_being_better_is_left(void **state) {
    (void)state;
    Space       *space = two_floats();
    const double plain = cost_of_search(space, false);
    const double aware = cost_of_search(space, true);
    if (!(aware < 0.5 * plain)) {
        fail_msg("cost %g with and %g without", aware, plain);
    }
    space_destroy(space);
}

/* share of the line between 0.2 and 0.8, in twelfths, that has a result within 0.05 of it; x is
 * the constraint's metric, which must reach `least`. @param kept  of the second half's results */
static size_t parts_of_the_front(const char *name, const Space *space, PointFunction function,
                                 double least, size_t *kept) {
    PointResult results[TRIALS];
    bool        hit[12] = {false};
    size_t      hits = 0;
    double      options[16];
    PointStudy  study = {.options = options,
                         .setup = point_setup(space, TRIALS, 5),
                         .function = function,
                         .slots = 2};
    assert_ok(scheduler_find(name, &study.ops));
    fake_options(study.ops, options, NULL);
    study.setup.objective_count = 2;
    study.setup.constraint_count = (least > 0.0) ? 1 : 0;
    study.setup.constraint_lower[0] = least;
    study.setup.constraint_upper[0] = (double)INFINITY;
    assert_int_equal(point_study_run(&study, results), study.setup.trials);
    for (size_t i = 0; i < TRIALS; i++) {
        const double at = (results[i].point[0] - 0.2) / 0.05;
        if (fabs(results[i].point[1] - 0.5) < 0.05 && at >= 0.0 && at < 12.0) {
            hit[(size_t)at] = true;
        }
        *kept += i >= TRIALS / 2 && results[i].constraint >= least;
    }
    for (size_t i = 0; i < 12; i++) {
        hits += hit[i] ? 1 : 0;
    }
    return hits;
}

static void two_objectives_give_a_front(void **state) {
    (void)state;
    Space *space = two_floats();
    size_t kept = 0;
    /* 40 random points hit 2.4 of the 12 on average */
    assert_true(parts_of_the_front("random", space, two_bowls, 0.0, &kept) < 7);
    assert_true(parts_of_the_front("gp", space, two_bowls, 0.0, &kept) >= 9);
    space_destroy(space);
}

/* bad results, however bad, neither flatten the models nor stretch the hypervolume */
static void a_wall_does_not_hide_the_front(void **state) {
    (void)state;
    Space *space = two_floats();
    size_t kept = 0;
    assert_true(parts_of_the_front("gp", space, two_bowls_and_a_wall, 0.0, &kept) >= 9);
    space_destroy(space);
}

/* half of the front is not allowed: what lies there is neither on it nor asked for */
static void a_constraint_cuts_the_front(void **state) {
    (void)state;
    Space *space = two_floats();
    size_t kept = 0;
    assert_true(parts_of_the_front("gp", space, two_bowls, 0.5, &kept) >= 5); /* of six */
    assert_true(kept >= TRIALS / 2 - 3);
    space_destroy(space);
}

/* ---- resuming ------------------------------------------------------------------------------ */

/* every decision of a log, by a scheduler that decided the others too and by one that did not; a
 * decision that is not taken changes nothing */
static void check_resume(FakeSpace which, size_t objectives, size_t constraints, bool cost_aware) {
    double         options[16];
    Space         *space = fake_space(which);
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 5;
    setup.trials = TRIALS;
    setup.total = TRIALS * setup.per_trial;
    setup.objective_count = objectives;
    setup.constraint_count = constraints;
    setup.constraint_upper[0] = 3.0;
    setup.cost_aware = cost_aware;
    const FakeSettings settings = {.slots = 4, .seed = 3, .fail = 0.15, .nan = 0.1, .noise = 2.0};
    FakeLog            log;
    Decision           done;
    fake_options(ops_of(), options, "startup", 5.0, NULL);
    fake_study_run(ops_of(), &setup, options, &settings, &log, &done);
    Scheduler *scheduler = fake_log_replay(ops_of(), &setup, options, &log, 0);
    size_t     asked = 0;
    for (size_t i = 0; i < log.count; i++) {
        Decision next;
        /* also between the events at which the log decided */
        assert_ok(scheduler_decide(scheduler, &next));
        if (log.events[i]->event.kind == EVENT_DECIDED) {
            assert_true(fake_same_decision(&next, &log.events[i]->decision, log.values));
            asked += (next.memo_size > 0) ? 1 : 0;
        }
        assert_ok(scheduler_observe(scheduler, &log.events[i]->event));
        if (i % 8 == 0) {
            scheduler_destroy(scheduler);
            scheduler = fake_log_replay(ops_of(), &setup, options, &log, i + 1);
        }
    }
    assert_true(asked > TRIALS / 2);
    scheduler_destroy(scheduler);
    fake_log_free(&log);
    space_destroy(space);
}

static void a_log_gives_the_same_decisions_again(void **state) {
    (void)state;
    check_resume(FAKE_SPACE_MIXED, 1, 0, false);
    check_resume(FAKE_SPACE_CONDITIONAL, 1, 1, false);
    check_resume(FAKE_SPACE_CATEGORICAL, 1, 0, true);
    check_resume(FAKE_SPACE_CONDITIONAL, 2, 1, false);
    check_resume(FAKE_SPACE_ONE_FLOAT, 3, 0, true);
}

/* one is asked after every event, the other only when it is to decide: two results come between two
 * decisions, so that what was fitted after the first of them is not taken */
static void a_proposal_that_is_not_taken_changes_nothing(void **state) {
    (void)state;
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, TRIALS, 1);
    Scheduler           *asked = hand_create("gp", &setup, "startup", 3.0, NULL);
    Scheduler           *quiet = hand_create("gp", &setup, "startup", 3.0, NULL);
    size_t               modelled = 0;
    for (int64_t i = 0; i < 24; i += 2) {
        double loss[2];
        for (int64_t k = 0; k < 2; k++) {
            const Decision a = hand_run(asked, i + k, 0, "initial");
            const Decision b = hand_run(quiet, i + k, 0, "initial");
            assert_true(fake_same_decision(&a, &b, 2));
            modelled += (a.memo_size > 0) ? 1 : 0;
            loss[k] = distance(a.point);
        }
        for (int64_t k = 0; k < 2; k++) {
            Decision ignored;
            hand_finish(asked, i + k + 1, loss[k]);
            assert_ok(scheduler_decide(asked, &ignored));
            hand_finish(quiet, i + k + 1, loss[k]);
        }
    }
    assert_int_equal(modelled, 20);
    scheduler_destroy(asked);
    scheduler_destroy(quiet);
    space_destroy(space);
}

/* as long as nothing is told, the next decision has what the memo says, whatever a fit would find
 */
static void hyperparameters_come_from_the_memo(void **state) {
    (void)state;
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, TRIALS, 1);
    Scheduler           *scheduler = hand_create("gp", &setup, "startup", 3.0, NULL);
    double               length = 0.0;
    Decision             decision;
    for (int64_t i = 0; i < 3; i++) {
        decision = hand_run(scheduler, i, 0, "initial");
        hand_finish(scheduler, i + 1, distance(decision.point));
    }
    assert_ok(scheduler_decide(scheduler, &decision));
    /* level, rows, then the logarithm of the first lengthscale */
    char *at = (char *)decision.memo + sizeof(uint64_t) + sizeof(double);
    memcpy(&length, at, sizeof length);
    length -= 0.125;
    memcpy(at, &length, sizeof length);
    assert_ok(scheduler_observe(scheduler, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
    decision = hand_run(scheduler, 4, 0, "initial");
    assert_memory_equal((char *)decision.memo + sizeof(uint64_t) + sizeof(double), &length,
                        sizeof length);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* of this process: a busy machine does not count */
static double processor_seconds(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* memos of decisions number 10 and 11 in turn, so that each of them has to be restored */
static void ten_thousand_segments_are_resumed_in_two_seconds(void **state) {
    (void)state;
    enum { SEGMENTS = 10000, MEMO = 4096 };
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, (size_t)2 * SEGMENTS, 1);
    Scheduler           *scheduler = hand_create("gp", &setup, NULL);
    Rng                  rng = rng_stream(1, 0, RNG_TEST);
    char                 memos[2][MEMO];
    size_t               sizes[2] = {0};
    double               seconds = 0.0;
    for (int64_t i = 0; i < SEGMENTS; i++) {
        Decision decision = {.kind = DECISION_RUN, .number = i, .id = i + 1, .trial = i, .end = 1};
        double   point[2];
        if (i < 12) {
            decision = hand_decide(scheduler);
            memcpy(memos[i % 2], decision.memo, decision.memo_size);
            sizes[i % 2] = decision.memo_size;
            hand_finish(scheduler, i + 1, distance(decision.point));
            continue;
        }
        (void)snprintf(decision.reason, sizeof decision.reason, "initial");
        point[0] = rng_uniform(&rng);
        point[1] = rng_uniform(&rng);
        decision.point = point;
        decision.memo = memos[i % 2];
        decision.memo_size = sizes[i % 2];
        const double start = processor_seconds();
        assert_ok(
            scheduler_observe(scheduler, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
        hand_finish(scheduler, i + 1, distance(point));
        seconds += processor_seconds() - start;
    }
    assert_true(sizes[0] > 0 && sizes[1] > 0);
    assert_true(seconds < 2.0);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* a study that was begun with few trials and got more decides as one that had them from the start
 */
static void an_extended_study_keeps_its_results(void **state) {
    (void)state;
    enum { FEW = 20, MANY = 120 };
    Space               *space = two_floats();
    const SchedulerSetup few = point_setup(space, FEW, 1);
    const SchedulerSetup many = point_setup(space, MANY, 1);
    Scheduler           *extended = hand_create("gp", &few, NULL);
    Scheduler           *whole = hand_create("gp", &many, NULL);
    for (int64_t i = 0; i < MANY; i++) {
        if (i == FEW) {
            assert_ok(scheduler_observe(
                extended,
                &(Event){.kind = EVENT_BUDGET_CHANGED, .total = many.total, .trials = MANY}));
        }
        const Decision a = hand_decide(extended);
        const Decision b = hand_decide(whole);
        assert_true(fake_same_values(a.point, b.point, 2));
        const double loss = distance(a.point);
        hand_finish(extended, i + 1, loss);
        hand_finish(whole, i + 1, loss);
    }
    scheduler_destroy(extended);
    scheduler_destroy(whole);
    space_destroy(space);
}

static void a_damaged_memo_is_refused(void **state) {
    (void)state;
    Space               *space = two_floats();
    const SchedulerSetup setup = point_setup(space, TRIALS, 1);
    Scheduler           *scheduler = hand_create("gp", &setup, "startup", 1.0, NULL);
    Decision             decision = hand_run(scheduler, 0, 0, "initial");
    hand_finish(scheduler, 1, 1.0);
    assert_ok(scheduler_decide(scheduler, &decision));
    const Event event = {.kind = EVENT_DECIDED, .decision = &decision};
    decision.memo_size -= 8;
    assert_fails(scheduler_observe(scheduler, &event), STATUS_ERR_RANGE, "memo");
    decision.memo_size += 8;
    /* its last number is of the noise */
    memset((char *)decision.memo + decision.memo_size - sizeof(double), 0xff, sizeof(double));
    assert_fails(scheduler_observe(scheduler, &event), STATUS_ERR_RANGE, "hyperparameters");
    /* and nothing has changed */
    hand_run(scheduler, 1, 0, "initial");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_the_bottom_of_a_bowl),
        cmocka_unit_test(it_leaves_what_fails_and_what_is_not_allowed),
        cmocka_unit_test(flat_and_missing_objectives_do_not_stop_it),
        cmocka_unit_test(a_failure_counts_as_the_worst_loss_before_it),
        cmocka_unit_test(the_first_configurations_are_sobol_points),
        cmocka_unit_test(what_costs_more_without_being_better_is_left),
        cmocka_unit_test(two_objectives_give_a_front),
        cmocka_unit_test(a_wall_does_not_hide_the_front),
        cmocka_unit_test(a_constraint_cuts_the_front),
        cmocka_unit_test(a_log_gives_the_same_decisions_again),
        cmocka_unit_test(a_proposal_that_is_not_taken_changes_nothing),
        cmocka_unit_test(hyperparameters_come_from_the_memo),
        cmocka_unit_test(ten_thousand_segments_are_resumed_in_two_seconds),
        cmocka_unit_test(an_extended_study_keeps_its_results),
        cmocka_unit_test(a_damaged_memo_is_refused),
    };
    return cmocka_run_group_tests_name("schedulers/gp", tests, NULL, NULL);
}
