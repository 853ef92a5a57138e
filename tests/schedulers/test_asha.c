#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <string.h>

enum { STOPPING = 1, MOST = 512 };

/* one float, rungs from 1 unit up to 4 */
static SchedulerSetup setup_of(const Space *space, int64_t trials) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 4;
    setup.segment = 1;
    setup.trials = trials;
    setup.total = 1000;
    return setup;
}

static void the_best_half_of_each_rung_goes_on(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 0);
    Scheduler           *scheduler = hand_create("asha", &setup, "reduction", 2.0, NULL);
    hand_run(scheduler, 0, 0, "initial"); /* 1 */
    hand_finish(scheduler, 1, 5.0);
    hand_run(scheduler, 1, 0, "initial"); /* 2: one result alone promotes nobody */
    hand_finish(scheduler, 2, 3.0);
    assert_int_equal(hand_run(scheduler, 0, 1, "promote").end, 2); /* 3: best of two */
    hand_run(scheduler, 2, 0, "initial"); /* 4: the other one is not in the best half */
    hand_finish(scheduler, 3, 6.0);
    hand_finish(scheduler, 4, 9.0);
    hand_run(scheduler, 2, 4, "promote"); /* 5: best of three; the old best was promoted */
    hand_finish(scheduler, 5, 1.0);
    /* the deeper rung first: 6 against 1 there, and on to 4 in segments of 1 */
    assert_int_equal(hand_run(scheduler, 0, 3, "promote").end, 3); /* 6 */
    hand_finish(scheduler, 6, 7.0);
    assert_int_equal(hand_run(scheduler, 0, 6, "continue").end, 4); /* 7 */
    hand_run(scheduler, 3, 0, "initial");                           /* 8 */
    hand_finish(scheduler, 8, 4.0);
    /* floor(4 / 2) = 2 may go on, and both have: 9 and 5 */
    hand_run(scheduler, 4, 0, "initial"); /* 9 */
    hand_finish(scheduler, 9, 4.0);
    hand_run(scheduler, 5, 0, "initial"); /* 10 */
    hand_finish(scheduler, 10, 0.0);
    /* of six the best three; of equals the earlier */
    hand_run(scheduler, 3, 8, "promote");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_mean_over_repeats_is_ranked_and_all_of_them_go_on(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup setup = setup_of(space, 2);
    setup.repeats = 2;
    Scheduler *scheduler = hand_create("asha", &setup, "reduction", 2.0, NULL);
    for (int64_t trial = 0; trial < 4; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 3, 4.0);
    hand_finish(scheduler, 4, 4.0);
    hand_wait(scheduler); /* one result of two is none */
    hand_finish(scheduler, 2, 9.0);
    hand_run(scheduler, 0, 1, "promote");
    hand_run(scheduler, 1, 2, "continue");
    hand_wait(scheduler);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void failures_count_as_the_worst_and_violations_before_losses(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup setup = setup_of(space, 0);
    setup.constraint_count = 1;
    setup.constraint_lower[0] = -(double)INFINITY;
    setup.constraint_upper[0] = 10.0;
    Scheduler *scheduler = hand_create("asha", &setup, "reduction", 2.0, NULL);
    for (int64_t trial = 0; trial < 4; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_fail(scheduler, 1);
    hand_finish_constrained(scheduler, 2, 9.0, 12.0);
    hand_finish_constrained(scheduler, 3, 1.0, 10.0);
    hand_finish_constrained(scheduler, 4, 8.0, 11.0);
    /* of four the best two: the feasible one, then that which violates less */
    hand_run(scheduler, 2, 3, "promote");
    hand_run(scheduler, 3, 4, "promote");
    hand_run(scheduler, 4, 0, "initial");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void at_the_end_the_best_of_the_deepest_rung_is_trained_in_full(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 3);
    Scheduler           *scheduler = hand_create("asha", &setup, NULL); /* reduction 4: 1 and 4 */
    for (int64_t trial = 0; trial < 3; trial++) {
        hand_run(scheduler, trial, 0, "initial");
    }
    hand_finish(scheduler, 1, 1.0);
    hand_finish(scheduler, 2, 3.0);
    hand_wait(scheduler); /* the third may be better */
    hand_finish(scheduler, 3, 2.0);
    hand_run(scheduler, 1, 2, "promote");
    hand_wait(scheduler);
    hand_finish(scheduler, 4, 3.0);
    hand_run(scheduler, 1, 4, "continue");
    hand_finish(scheduler, 5, 3.0);
    hand_run(scheduler, 1, 5, "continue");
    hand_finish(scheduler, 6, 3.0);
    const Decision done = hand_decide(scheduler);
    assert_int_equal(done.kind, DECISION_DONE);
    assert_string_equal(done.reason, "all 3 configurations have run");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* cutoffs of Ray Tune: numpy.percentile(those before, 50) */
static void the_stopping_type_judges_once_against_those_before(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    const SchedulerSetup setup = setup_of(space, 0);
    Scheduler           *scheduler =
        hand_create("asha", &setup, "reduction", 2.0, "type", (double)STOPPING, NULL);
    hand_run(scheduler, 0, 0, "initial"); /* 1 */
    hand_run(scheduler, 1, 0, "initial"); /* 2 */
    hand_run(scheduler, 2, 0, "initial"); /* 3 */
    hand_run(scheduler, 3, 0, "initial"); /* 4 */
    hand_finish(scheduler, 1, 5.0);
    hand_run(scheduler, 0, 1, "continue"); /* 5: the first always */
    hand_finish(scheduler, 2, 3.0);        /* below 5: stopped for good */
    hand_run(scheduler, 4, 0, "initial");  /* 6 */
    hand_finish(scheduler, 3, 4.0);        /* 4 of {5, 3}: not below the middle */
    hand_run(scheduler, 2, 3, "continue"); /* 7 */
    hand_finish(scheduler, 4, 3.9);        /* 4 of {5, 4, 3}: below */
    hand_run(scheduler, 5, 0, "initial");  /* 8 */
    hand_finish(scheduler, 7, 1.0);        /* at 2 units, the first there */
    assert_int_equal(hand_run(scheduler, 2, 7, "continue").end, 3);
    hand_finish(scheduler, 5, 2.0);
    hand_run(scheduler, 0, 5, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void what_makes_no_sense_is_refused_in_a_sentence(void **state) {
    (void)state;
    Space              *space = fake_space(FAKE_SPACE_ONE_FLOAT);
    SchedulerSetup      setup = setup_of(space, 0);
    const SchedulerOps *ops = NULL;
    Scheduler          *scheduler = NULL;
    double              values[64];
    assert_ok(scheduler_find("asha", &ops));
    fake_options(ops, values, "min_units", 5.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "min_units 5 is above per_trial 4");
    fake_options(ops, values, "min_units", 4.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "use scheduler 'full'");
    fake_options(ops, values, "learn_from", 2.0, NULL);
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG,
                 "learn_from 'last'");
    fake_options(ops, values, NULL);
    setup.can_branch = false;
    assert_fails(scheduler_create(ops, &setup, values, &scheduler), STATUS_ERR_ARG, "checkpoints");
    assert_null(scheduler);
    space_destroy(space);
}

static void options_of_what_was_not_chosen_are_without_effect(void **state) {
    (void)state;
    const SchedulerOps *ops = NULL;
    double              values[64];
    assert_ok(scheduler_find("asha", &ops));
    fake_options(ops, values, NULL);
    const size_t sampler = option_find(ops->options, "sampler");
    assert_int_equal(ops->overruled_by(values, option_find(ops->options, "learn_from")), sampler);
    assert_int_equal(ops->overruled_by(values, option_find(ops->options, "startup")), sampler);
    assert_true(ops->overruled_by(values, option_find(ops->options, "reduction")) ==
                SCHEDULER_HAS_EFFECT);
    assert_true(ops->overruled_by(values, sampler) == SCHEDULER_HAS_EFFECT);
    /* tpe has rows of its own, gp the first of them */
    enum { TPE = 6 };
    const size_t startup = option_find(ops->options, "startup");
    for (size_t chosen = TPE; chosen <= TPE + 1; chosen++) {
        values[sampler] = (double)chosen;
        assert_true(ops->overruled_by(values, startup) == SCHEDULER_HAS_EFFECT);
        assert_true(ops->overruled_by(values, startup + 1) ==
                    ((chosen == TPE) ? SCHEDULER_HAS_EFFECT : sampler));
    }
}

/* ---- against the algorithm of the paper, read off the log ----------------------------------- */

/* results of one rung in the order in which they came */
typedef struct Seen {
    double  losses[MOST];
    int64_t trials[MOST];
    bool    promoted[MOST];
    size_t  count;
} Seen;

static size_t better_than(const Seen *seen, size_t i) {
    size_t better = 0;
    for (size_t j = 0; j < seen->count; j++) {
        better += seen->losses[j] < seen->losses[i] ||
                  (seen->losses[j] == seen->losses[i] && seen->trials[j] < seen->trials[i]);
    }
    return better;
}

/* best result that is not promoted and among the best floor(n / 3); -1: none */
static int64_t promotable(const Seen *seen) {
    for (size_t i = 0; i < seen->count; i++) {
        size_t better = better_than(seen, i);
        bool   first = better < seen->count / 3 && !seen->promoted[i] && isfinite(seen->losses[i]);
        for (size_t j = 0; j < seen->count && first; j++) {
            first = seen->promoted[j] || better_than(seen, j) >= better;
        }
        if (first) {
            return seen->trials[i];
        }
    }
    return -1;
}

static void expect_decision(Seen *rungs, const Decision *decision) {
    const bool promotes = strcmp(decision->reason, "promote") == 0;
    if (!promotes && decision->parent != 0) {
        return;
    }
    for (size_t i = 3; i > 0; i--) {
        Seen         *seen = &rungs[i - 1];
        const int64_t trial = promotable(seen);
        if (trial < 0) {
            continue;
        }
        assert_true(promotes);
        assert_int_equal(decision->trial, trial);
        for (size_t j = 0; j < seen->count; j++) {
            seen->promoted[j] = seen->promoted[j] || seen->trials[j] == trial;
        }
        return;
    }
    assert_false(promotes);
}

static void expect_result(Seen *rungs, const FakeLog *log, const FakeEvent *entry) {
    const Decision *decision = &fake_log_decided(log, entry->event.id)->decision;
    const int64_t   depths[] = {1, 3, 9};
    const bool      failed = entry->event.outcome != OUTCOME_DONE || isnan(entry->objectives[0]);
    /* one that failed on its way to a rung is among its results */
    for (size_t i = 0; i < 3; i++) {
        const bool on_its_way =
            decision->begin < depths[i] && (i == 0 || decision->begin >= depths[i - 1]);
        if (on_its_way && (decision->end == depths[i] || entry->event.outcome != OUTCOME_DONE)) {
            Seen *seen = &rungs[i];
            assert_true(seen->count < MOST);
            seen->losses[seen->count] = failed ? (double)INFINITY : -entry->objectives[0];
            seen->trials[seen->count++] = decision->trial;
        }
    }
}

static void promotions_are_those_of_algorithm_2(void **state) {
    (void)state;
    static Seen         rungs[3];
    Space              *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup      setup = setup_of(space, 0);
    const SchedulerOps *ops = NULL;
    double              values[64];
    assert_ok(scheduler_find("asha", &ops));
    fake_options(ops, values, "reduction", 3.0, NULL);
    setup.per_trial = 27;
    setup.segment = 2;
    setup.total = 700;
    values[option_find(ops->options, "min_units")] = 1.0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const FakeSettings settings = {
            .slots = (size_t)(3 * seed), .seed = seed, .fail = 0.1, .nan = 0.05, .noise = 2.0};
        FakeLog  log;
        Decision done;
        memset(rungs, 0, sizeof rungs);
        fake_study_run(ops, &setup, values, &settings, &log, &done);
        for (size_t i = 0; i < log.count; i++) {
            const FakeEvent *entry = log.events[i];
            if (entry->event.kind == EVENT_FINISHED) {
                expect_result(rungs, &log, entry);
            } else if (entry->decision.kind == DECISION_RUN) {
                expect_decision(rungs, &entry->decision);
            }
        }
        assert_true(fake_log_reasons(&log, "promote") > 30);
        fake_log_free(&log);
    }
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_half_of_each_rung_goes_on),
        cmocka_unit_test(a_mean_over_repeats_is_ranked_and_all_of_them_go_on),
        cmocka_unit_test(failures_count_as_the_worst_and_violations_before_losses),
        cmocka_unit_test(at_the_end_the_best_of_the_deepest_rung_is_trained_in_full),
        cmocka_unit_test(the_stopping_type_judges_once_against_those_before),
        cmocka_unit_test(what_makes_no_sense_is_refused_in_a_sentence),
        cmocka_unit_test(options_of_what_was_not_chosen_are_without_effect),
        cmocka_unit_test(promotions_are_those_of_algorithm_2),
    };
    return cmocka_run_group_tests_name("schedulers/asha", tests, NULL, NULL);
}
