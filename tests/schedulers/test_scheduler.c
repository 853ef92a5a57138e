/* The wrapper: what a log may say. The decisions come from a scheduler that says what it is told.
 */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include "schedulers/scheduler_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a scheduler that says what it is told ------------------------------------------------- */

static Decision       told;
static double         told_point[8];
static SchedulerOrder told_order;
static bool           told_failure;

static const OptionSpec echo_options[] = {{.name = "level",
                                           .type = OPTION_INT,
                                           .lower = 1,
                                           .upper = 9,
                                           .default_value = (double)NAN,
                                           .help = "default 3"},
                                          {.name = NULL}};

static Status echo_create(const SchedulerSetup *setup, const double *values, void **self) {
    (void)setup;
    (void)values;
    *self = calloc(1, 1);
    return STATUS_OK;
}

static SchedulerOrder echo_order(const void *self) {
    (void)self;
    return told_order;
}

static Status echo_decide(const void *self, int64_t number, Decision *decision) {
    double *point = decision->point;
    void   *memo = decision->memo;
    (void)self;
    (void)number;
    *decision = told;
    decision->point = (told.point == NULL) ? NULL : point;
    decision->memo = memo;
    if (told.point != NULL) {
        memcpy(point, told_point, 4 * sizeof *point);
    }
    return STATUS_OK;
}

static Status echo_observe(void *self, const Event *event) {
    (void)self;
    (void)event;
    if (told_failure) {
        FAIL(STATUS_ERR_NOMEM, "no memory for an echo");
    }
    return STATUS_OK;
}

static Keeps echo_keeps(const void *self, int64_t segment) {
    (void)self;
    (void)segment;
    return KEEPS_MAYBE;
}

static const SchedulerOps echo_ops = {.name = "echo",
                                      .source = "tests",
                                      .help = "echo",
                                      .options = echo_options,
                                      .create = echo_create,
                                      .order = echo_order,
                                      .decide = echo_decide,
                                      .observe = echo_observe,
                                      .keeps = echo_keeps,
                                      .destroy = free};

typedef struct Echo {
    Space         *space;
    SchedulerSetup setup;
    Scheduler     *scheduler;
} Echo;

static Echo echo_open(void) {
    Echo         echo = {.space = fake_space(FAKE_SPACE_MIXED)};
    const double level = 2;
    told_order = SCHEDULER_ORDER_ANY;
    told_failure = false;
    echo.setup = fake_setup(echo.space);
    echo.setup.total = 30;
    space_defaults(echo.space, told_point);
    assert_ok(scheduler_create(&echo_ops, &echo.setup, &level, &echo.scheduler));
    return echo;
}

static void echo_close(Echo *echo) {
    scheduler_destroy(echo->scheduler);
    space_destroy(echo->space);
}

static void tell_run(int64_t trial, int64_t parent, int64_t begin, int64_t end) {
    told = (Decision){.kind = DECISION_RUN,
                      .parent = parent,
                      .trial = trial,
                      .begin = begin,
                      .end = end,
                      .point = told_point,
                      .reason = "continue"};
}

static void refused(const Echo *echo, const char *why) {
    Decision      decision = {.number = -7};
    const int64_t before = scheduler_decisions(echo->scheduler);
    assert_fails(scheduler_decide(echo->scheduler, &decision), STATUS_ERR_STATE, why);
    assert_contains(status_last()->text, "of 'echo'");
    /* nothing was written, and nothing counted */
    assert_int_equal(decision.number, -7);
    assert_int_equal(scheduler_decisions(echo->scheduler), before);
}

/* ---- making one ---------------------------------------------------------------------------- */

static void a_bad_setup_is_refused(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    const double   level = 3;
    Scheduler     *scheduler = NULL;
    SchedulerSetup good = fake_setup(space);
    SchedulerSetup bad[9];
    for (size_t i = 0; i < 9; i++) {
        bad[i] = good;
    }
    bad[0].space = NULL;
    bad[1].segment = 0;
    bad[2].per_trial = 4;
    bad[3].total = 0;
    bad[4].trials = -1;
    bad[5].repeats = 0;
    bad[6].objective_count = 0;
    bad[7].objective_count = SCHEDULER_MAX_OBJECTIVES + 1;
    bad[8].constraint_count = SCHEDULER_MAX_CONSTRAINTS + 1;
    for (size_t i = 0; i < 9; i++) {
        scheduler = (Scheduler *)&good;
        assert_int_equal(scheduler_create(&echo_ops, &bad[i], &level, &scheduler), STATUS_ERR_ARG);
        assert_null(scheduler);
    }
    assert_fails(scheduler_create(&echo_ops, &good, (const double[]){10}, &scheduler),
                 STATUS_ERR_RANGE, "scheduler 'echo'");
    /* a derived default is not out of range */
    assert_ok(scheduler_create(&echo_ops, &good, (const double[]){(double)NAN}, &scheduler));
    assert_int_equal(scheduler_setup(scheduler)->per_trial, good.per_trial);
    scheduler_destroy(scheduler);
    scheduler_destroy(NULL);
    space_destroy(space);
}

static void samplers_keys_are_refused_beside_a_population(void **state) {
    (void)state;
    Space              *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup      setup = fake_setup(space);
    Scheduler          *scheduler = NULL;
    const SchedulerOps *ops = NULL;
    double              values[64];
    assert_ok(scheduler_find("pbt", &ops));
    option_defaults(ops->options, values);
    setup.trials = 3;
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG, "'trials'");
    setup.trials = 0;
    setup.repeats = 2;
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG, "'repeats'");
    space_destroy(space);
}

static void an_unknown_scheduler_is_answered_with_the_nearest(void **state) {
    (void)state;
    const SchedulerOps *ops = &echo_ops;
    assert_fails(scheduler_find("randon", &ops), STATUS_ERR_UNKNOWN_NAME, "did you mean 'random'");
    assert_null(ops);
    assert_fails(scheduler_find("zzzzzzzzzzzz", &ops), STATUS_ERR_UNKNOWN_NAME, "mbtune list");
}

/* ---- decisions that break a rule ----------------------------------------------------------- */

static void places_that_cannot_be_are_refused(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 9, 0, 5);
    refused(&echo, "segment 9 is not known");
    tell_run(0, 0, 5, 10);
    refused(&echo, "begins at 5, but its parent ends at 0");
    tell_run(0, 0, 0, 0);
    refused(&echo, "ends at 0");
    tell_run(0, 0, 0, 21);
    refused(&echo, "at most 20");
    tell_run(-1, 0, 0, 5);
    refused(&echo, "trial -1");
    tell_run(INT64_C(1) << 40, 0, 0, 5);
    refused(&echo, "trial");
    tell_run(0, 0, 0, 5);
    told.point = NULL;
    refused(&echo, "has no values");
    echo_close(&echo);
}

static void a_parent_must_have_finished(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 0, 0, 5);
    assert_int_equal(hand_decide(echo.scheduler).id, 1);
    assert_int_equal(hand_decide(echo.scheduler).id, 2);
    tell_run(0, 1, 5, 10);
    refused(&echo, "segment 1 has not finished yet");
    hand_fail(echo.scheduler, 1);
    refused(&echo, "segment 1 failed");
    hand_finish(echo.scheduler, 2, 1.0);
    tell_run(0, 2, 4, 10);
    refused(&echo, "begins at 4, but its parent ends at 5");
    tell_run(0, 2, 5, 10);
    assert_int_equal(hand_decide(echo.scheduler).id, 3);
    echo_close(&echo);
}

static void values_outside_the_space_are_refused(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 0, 0, 5);
    told_point[0] = 41;
    refused(&echo, "layers");
    told_point[0] = 2;
    (void)hand_decide(echo.scheduler);
    hand_finish(echo.scheduler, 1, 1.0);
    tell_run(0, 1, 5, 10);
    told_point[0] = 3;
    refused(&echo, "changes a value of segment 1 that is not dynamic");
    told_point[0] = 2;
    told_point[2] = 7;
    (void)hand_decide(echo.scheduler);
    echo_close(&echo);
}

static void the_total_cannot_be_exceeded(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 0, 0, 20);
    (void)hand_decide(echo.scheduler);
    tell_run(1, 0, 0, 11);
    refused(&echo, "takes 11 units, but 20 of 30 are used");
    /* failing gives nothing back, a new total does */
    hand_fail(echo.scheduler, 1);
    refused(&echo, "takes 11 units");
    assert_fails(
        scheduler_observe(echo.scheduler, &(Event){.kind = EVENT_BUDGET_CHANGED, .total = 0}),
        STATUS_ERR_ARG, "at least 1");
    assert_ok(
        scheduler_observe(echo.scheduler, &(Event){.kind = EVENT_BUDGET_CHANGED, .total = 31}));
    (void)hand_decide(echo.scheduler);
    echo_close(&echo);
}

static void texts_and_memos_are_bounded(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 0, 0, 5);
    memset(told.reason, 'x', sizeof told.reason);
    refused(&echo, "does not end");
    tell_run(0, 0, 0, 5);
    told.memo_size = SCHEDULER_MEMO_BYTES + 1;
    refused(&echo, "memo");
    tell_run(0, 0, 0, 5);
    told.kind = DECISION_WAIT;
    refused(&echo, "wait for ever");
    echo_close(&echo);
}

static void evaluations_are_numbered_and_end_once(void **state) {
    (void)state;
    Echo         echo = echo_open();
    const double objective = 1.0;
    Event        ended = {
               .kind = EVENT_EVALUATED, .id = 1, .outcome = OUTCOME_DONE, .objectives = &objective};
    told = (Decision){.kind = DECISION_EVALUATE, .parent = 1, .episodes = 3};
    refused(&echo, "segment 1 is not known");
    tell_run(0, 0, 0, 5);
    (void)hand_decide(echo.scheduler);
    hand_finish(echo.scheduler, 1, 1.0);
    assert_fails(scheduler_observe(echo.scheduler, &ended), STATUS_ERR_STATE, "never decided");
    told = (Decision){.kind = DECISION_EVALUATE, .parent = 1, .episodes = 0};
    refused(&echo, "0 episodes");
    told.episodes = 3;
    assert_int_equal(hand_decide(echo.scheduler).id, 1);
    assert_int_equal(hand_decide(echo.scheduler).id, 2);
    ended.objectives = NULL;
    assert_fails(scheduler_observe(echo.scheduler, &ended), STATUS_ERR_STATE, "without objectives");
    ended.objectives = &objective;
    assert_ok(scheduler_observe(echo.scheduler, &ended));
    assert_fails(scheduler_observe(echo.scheduler, &ended), STATUS_ERR_STATE, "ended twice");
    /* one is still out, so waiting is in order */
    told = (Decision){.kind = DECISION_WAIT};
    hand_wait(echo.scheduler);
    echo_close(&echo);
}

/* ---- events -------------------------------------------------------------------------------- */

static void results_that_cannot_be_are_refused(void **state) {
    (void)state;
    Echo         echo = echo_open();
    const double objective = 1.0;
    Event        finished = {
               .kind = EVENT_FINISHED, .id = 1, .outcome = OUTCOME_DONE, .objectives = &objective};
    assert_fails(scheduler_observe(echo.scheduler, &finished), STATUS_ERR_STATE, "never decided");
    tell_run(0, 0, 0, 5);
    (void)hand_decide(echo.scheduler);
    finished.outcome = OUTCOME_NONE;
    assert_fails(scheduler_observe(echo.scheduler, &finished), STATUS_ERR_STATE, "an outcome");
    finished.outcome = OUTCOME_DONE;
    finished.objectives = NULL;
    assert_fails(scheduler_observe(echo.scheduler, &finished), STATUS_ERR_STATE, "objectives");
    finished.objectives = &objective;
    assert_ok(scheduler_observe(echo.scheduler, &finished));
    assert_fails(scheduler_observe(echo.scheduler, &finished), STATUS_ERR_STATE, "twice");
    assert_fails(scheduler_observe(echo.scheduler, &(Event){.kind = EVENT_DECIDED}), STATUS_ERR_ARG,
                 "its decision");
    assert_fails(scheduler_observe(echo.scheduler, &(Event){.kind = (EventKind)99}), STATUS_ERR_ARG,
                 "kind 99");
    echo_close(&echo);
}

static void constraints_come_with_what_is_done(void **state) {
    (void)state;
    Echo         echo = echo_open();
    const double objective = 1.0;
    const double level = 2;
    Event        finished = {
               .kind = EVENT_FINISHED, .id = 1, .outcome = OUTCOME_DONE, .objectives = &objective};
    Scheduler *scheduler = NULL;
    echo.setup.constraint_count = 1;
    assert_ok(scheduler_create(&echo_ops, &echo.setup, &level, &scheduler));
    tell_run(0, 0, 0, 5);
    (void)hand_decide(scheduler);
    assert_fails(scheduler_observe(scheduler, &finished), STATUS_ERR_STATE, "constraints");
    finished.constraints = &objective;
    assert_ok(scheduler_observe(scheduler, &finished));
    scheduler_destroy(scheduler);
    echo_close(&echo);
}

static void a_barrier_takes_results_in_the_order_of_segments(void **state) {
    (void)state;
    Echo         echo = echo_open();
    const double objective = 1.0;
    const Event  second = {
         .kind = EVENT_FINISHED, .id = 2, .outcome = OUTCOME_DONE, .objectives = &objective};
    told_order = SCHEDULER_ORDER_BARRIER;
    tell_run(0, 0, 0, 5);
    (void)hand_decide(echo.scheduler);
    (void)hand_decide(echo.scheduler);
    assert_fails(scheduler_observe(echo.scheduler, &second), STATUS_ERR_STATE, "came before 1");
    hand_finish(echo.scheduler, 1, 1.0);
    assert_ok(scheduler_observe(echo.scheduler, &second));
    echo_close(&echo);
}

static void decided_events_must_carry_on_the_log(void **state) {
    (void)state;
    Echo     echo = echo_open();
    Decision decision;
    Event    event = {.kind = EVENT_DECIDED, .decision = &decision};
    tell_run(0, 0, 0, 5);
    assert_ok(scheduler_decide(echo.scheduler, &decision));
    decision.number = 1;
    assert_fails(scheduler_observe(echo.scheduler, &event), STATUS_ERR_STATE, "0 comes next");
    decision.number = 0;
    decision.id = 2;
    assert_fails(scheduler_observe(echo.scheduler, &event), STATUS_ERR_STATE,
                 "segment 2 where 1 comes next");
    decision.id = 1;
    decision.kind = DECISION_WAIT;
    assert_fails(scheduler_observe(echo.scheduler, &event), STATUS_ERR_STATE, "not committed");
    decision.kind = DECISION_RUN;
    assert_ok(scheduler_observe(echo.scheduler, &event));
    assert_int_equal(scheduler_decisions(echo.scheduler), 1);
    echo_close(&echo);
}

static void an_enqueued_point_must_lie_in_the_space(void **state) {
    (void)state;
    Echo        echo = echo_open();
    const Event none = {.kind = EVENT_ENQUEUED};
    const Event wish = {.kind = EVENT_ENQUEUED, .point = told_point};
    assert_fails(scheduler_observe(echo.scheduler, &none), STATUS_ERR_STATE, "no values");
    told_point[0] = 0;
    assert_fails(scheduler_observe(echo.scheduler, &wish), STATUS_ERR_RANGE, "an enqueued point");
    told_point[0] = 1;
    assert_ok(scheduler_observe(echo.scheduler, &wish));
    echo_close(&echo);
}

static void what_the_scheduler_cannot_take_is_not_recorded(void **state) {
    (void)state;
    Echo     echo = echo_open();
    Decision decision;
    tell_run(0, 0, 0, 5);
    assert_ok(scheduler_decide(echo.scheduler, &decision));
    const Event event = {.kind = EVENT_DECIDED, .decision = &decision};
    told_failure = true;
    assert_fails(scheduler_observe(echo.scheduler, &event), STATUS_ERR_NOMEM, "echo");
    assert_int_equal(scheduler_decisions(echo.scheduler), 0);
    told_failure = false;
    assert_ok(scheduler_observe(echo.scheduler, &event));
    echo_close(&echo);
}

static void only_finished_segments_have_checkpoints_to_keep(void **state) {
    (void)state;
    Echo echo = echo_open();
    tell_run(0, 0, 0, 5);
    assert_int_equal(scheduler_keeps(echo.scheduler, 1), KEEPS_NEVER);
    (void)hand_decide(echo.scheduler);
    assert_int_equal(scheduler_keeps(echo.scheduler, 1), KEEPS_NEVER);
    hand_finish(echo.scheduler, 1, 1.0);
    assert_int_equal(scheduler_keeps(echo.scheduler, 1), KEEPS_MAYBE);
    echo_close(&echo);
}

/* ---- helpers ------------------------------------------------------------------------------- */

static void fitness_turns_the_objective_and_ranks_nan_last(void **state) {
    (void)state;
    SchedulerSetup setup = {.maximize = {true}};
    double         objective = 3.0;
    Event event = {.kind = EVENT_FINISHED, .outcome = OUTCOME_DONE, .objectives = &objective};
    const double bad[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
    assert_close(scheduler_fitness(&setup, &event), 3.0, 0.0, 0.0);
    setup.maximize[0] = false;
    assert_close(scheduler_fitness(&setup, &event), -3.0, 0.0, 0.0);
    for (size_t i = 0; i < 3; i++) {
        objective = bad[i];
        assert_close(scheduler_fitness(&setup, &event), -(double)INFINITY, 0.0, 0.0);
    }
    objective = 1.0;
    event.outcome = OUTCOME_KILLED;
    assert_close(scheduler_fitness(&setup, &event), -(double)INFINITY, 0.0, 0.0);
}

static void streams_differ_by_decision_and_by_lane(void **state) {
    (void)state;
    const SchedulerSetup setup = {.seed = 5};
    Rng                  a = scheduler_rng(&setup, 0, 0);
    Rng                  b = scheduler_rng(&setup, 1, 0);
    Rng                  c = scheduler_rng(&setup, 0, 1);
    Rng                  same = scheduler_rng(&setup, 0, 0);
    const uint64_t       first = rng_u64(&a);
    assert_true(first == rng_u64(&same));
    assert_true(first != rng_u64(&b));
    assert_true(first != rng_u64(&c));
}

static void outcomes_have_names_both_ways(void **state) {
    (void)state;
    Outcome outcome = OUTCOME_NONE;
    for (int i = OUTCOME_NONE; i <= OUTCOME_CANCELLED; i++) {
        assert_ok(outcome_find(outcome_name((Outcome)i), &outcome));
        assert_int_equal(outcome, i);
    }
    assert_string_equal(outcome_name(OUTCOME_OUT_OF_MEMORY), "out_of_memory");
    assert_string_equal(outcome_name((Outcome)77), "?");
    assert_fails(outcome_find("dane", &outcome), STATUS_ERR_UNKNOWN_NAME, "dane");
    assert_int_equal(outcome, OUTCOME_CANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bad_setup_is_refused),
        cmocka_unit_test(samplers_keys_are_refused_beside_a_population),
        cmocka_unit_test(an_unknown_scheduler_is_answered_with_the_nearest),
        cmocka_unit_test(places_that_cannot_be_are_refused),
        cmocka_unit_test(a_parent_must_have_finished),
        cmocka_unit_test(values_outside_the_space_are_refused),
        cmocka_unit_test(the_total_cannot_be_exceeded),
        cmocka_unit_test(texts_and_memos_are_bounded),
        cmocka_unit_test(evaluations_are_numbered_and_end_once),
        cmocka_unit_test(results_that_cannot_be_are_refused),
        cmocka_unit_test(constraints_come_with_what_is_done),
        cmocka_unit_test(a_barrier_takes_results_in_the_order_of_segments),
        cmocka_unit_test(decided_events_must_carry_on_the_log),
        cmocka_unit_test(an_enqueued_point_must_lie_in_the_space),
        cmocka_unit_test(what_the_scheduler_cannot_take_is_not_recorded),
        cmocka_unit_test(only_finished_segments_have_checkpoints_to_keep),
        cmocka_unit_test(fitness_turns_the_objective_and_ranks_nan_last),
        cmocka_unit_test(streams_differ_by_decision_and_by_lane),
        cmocka_unit_test(outcomes_have_names_both_ways),
    };
    return cmocka_run_group_tests_name("schedulers/scheduler", tests, NULL, NULL);
}
