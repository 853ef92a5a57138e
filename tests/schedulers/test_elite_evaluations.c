/* elite_evaluations: an elite stands in the archive with what an evaluation says of it. */
#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STUDIES = 40 };

/* mean of the elites' values in the last look of a study whose values are all equally good */
static double last_mean(const Space *space, uint64_t seed, double evaluations, double mode) {
    const SchedulerOps *ops = NULL;
    SchedulerSetup      setup = fake_setup(space);
    const FakeSettings  settings = {.slots = 4, .seed = seed, .noise = 1.0, .flat = true};
    double              options[64];
    double              mean = (double)NAN;
    FakeLog             log;
    Decision            done;
    setup.seed = seed;
    setup.per_trial = 100;
    setup.total = 800;
    assert_ok(scheduler_find("pbt-bt", &ops));
    /* a look at the archive leaves its note only where noise does not turn it into a step of pbt */
    fake_options(ops, options, "elite_evaluations", evaluations, "mode", mode, "smoothing", 1.0,
                 NULL);
    fake_study_run(ops, &setup, options, &settings, &log, &done);
    for (size_t i = 0; i < log.count; i++) {
        const char *at = strstr(log.events[i]->decision.note, ", mean ");
        if (log.events[i]->event.kind == EVENT_DECIDED && at != NULL) {
            assert_int_equal(sscanf(at, ", mean %lf", &mean), 1);
        }
    }
    assert_true(isfinite(mean));
    fake_log_free(&log);
    return mean;
}

/* sum of means of independent studies, in standard errors of the sum */
static void check_bias(double mode) {
    Space *space = fake_space(FAKE_SPACE_MIXED);
    for (int evaluated = 0; evaluated < 2; evaluated++) {
        double sum = 0.0;
        double squares = 0.0;
        for (uint64_t seed = 1; seed <= STUDIES; seed++) {
            const double mean = last_mean(space, seed, (evaluated == 1) ? 10.0 : 0.0, mode);
            sum += mean;
            squares += mean * mean;
        }
        const double mean = sum / STUDIES;
        const double error = sqrt((squares / STUDIES - mean * mean) / STUDIES);
        if (evaluated == 1) {
            /* 0 is the truth */
            assert_true(fabs(mean) < 3.0 * error && error < 0.05);
        } else {
            /* the best of some 160 scores */
            assert_true(mean > 1.5);
        }
    }
    space_destroy(space);
}

static void where_all_settings_are_equal_evaluated_elites_have_no_bias(void **state) {
    (void)state;
    check_bias(0.0);
    check_bias(1.0);
}

static void evaluate(Scheduler *scheduler, int64_t evaluation, Outcome outcome, double objective) {
    const double objectives[SCHEDULER_MAX_OBJECTIVES] = {objective};
    const Event  event = {
         .kind = EVENT_EVALUATED, .id = evaluation, .outcome = outcome, .objectives = objectives};
    assert_ok(scheduler_observe(scheduler, &event));
}

/* Four members, two elites: the two best are evaluated once, beside the next round, and the look
 * after it compares with what the evaluations said. */
static void would_be_elites_are_evaluated_once_beside_the_next_round(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 10000;
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 4.0, "backtrack_every", 2.0,
                                       "elites", 2.0, "elite_evaluations", 10.0, NULL);
    const double first[4] = {1.0, 9.0, 3.0, 8.0};
    (void)hand_round(scheduler, 4, first);
    const int64_t expected[2] = {2, 4};
    for (int64_t i = 0; i < 2; i++) {
        const Decision decision = hand_decide(scheduler);
        assert_int_equal(decision.kind, DECISION_EVALUATE);
        assert_int_equal(decision.parent, expected[i]);
        assert_int_equal(decision.episodes, 10);
        assert_int_equal(scheduler_keeps(scheduler, decision.parent), KEEPS_YES);
    }
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
    }
    hand_wait(scheduler);
    evaluate(scheduler, 1, OUTCOME_DONE, 4.0);
    evaluate(scheduler, 2, OUTCOME_CRASHED, (double)NAN);
    for (int64_t i = 0; i < 4; i++) {
        hand_finish(scheduler, 5 + i, 0.5);
    }
    /* nobody was better than 9 and 8: nothing more to evaluate; the failed one did not enter */
    const Decision look = hand_decide(scheduler);
    assert_int_equal(look.kind, DECISION_RUN);
    assert_contains(look.note, "worst of 1 elites 4,");
    assert_string_equal(look.reason, "backtrack");
    assert_int_equal(look.parent, 2);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* the round before is over, an evaluation of it is not: the next round waits */
static void a_round_waits_for_the_evaluations_of_the_last_one(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 10000;
    Scheduler   *scheduler = hand_create("bg-pbt", &setup, "population", 2.0, "elites", 1.0,
                                         "elite_evaluations", 5.0, NULL);
    const double scores[2] = {1.0, 2.0};
    (void)hand_round(scheduler, 2, scores);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_EVALUATE);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
    hand_finish(scheduler, 3, 1.0);
    hand_finish(scheduler, 4, 1.0);
    hand_wait(scheduler);
    evaluate(scheduler, 1, OUTCOME_DONE, 1.5);
    assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* a lucky score that its evaluation does not confirm is not gone back to */
static void what_an_evaluation_says_decides_about_going_back(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 10000;
    for (int confirmed = 0; confirmed < 2; confirmed++) {
        Scheduler   *scheduler = hand_create("bg-pbt", &setup, "population", 2.0, "elites", 1.0,
                                             "elite_evaluations", 5.0, NULL);
        const double scores[2] = {1.0, 9.0};
        (void)hand_round(scheduler, 2, scores);
        assert_int_equal(hand_decide(scheduler).kind, DECISION_EVALUATE);
        assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
        assert_int_equal(hand_decide(scheduler).kind, DECISION_RUN);
        evaluate(scheduler, 1, OUTCOME_DONE, (confirmed == 1) ? 8.0 : 2.0);
        hand_finish(scheduler, 3, 6.0);
        hand_finish(scheduler, 4, 5.0);
        assert_string_equal(hand_decide(scheduler).reason, "continue");
        const Decision worst = hand_decide(scheduler);
        assert_int_equal(worst.trial, 1);
        assert_string_equal(worst.reason, (confirmed == 1) ? "exploit" : "continue");
        scheduler_destroy(scheduler);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_all_settings_are_equal_evaluated_elites_have_no_bias),
        cmocka_unit_test(would_be_elites_are_evaluated_once_beside_the_next_round),
        cmocka_unit_test(what_an_evaluation_says_decides_about_going_back),
        cmocka_unit_test(a_round_waits_for_the_evaluations_of_the_last_one),
    };
    return cmocka_run_group_tests_name("schedulers/elite_evaluations", tests, NULL, NULL);
}
