#include "tests/schedulers/fake_study.h"
#include "tests/schedulers/hand.h"

#include "tests/support/test_support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILED       ((double)NAN)
#define ASYNCHRONOUS "mode", 1.0

static SchedulerSetup setup_of(const Space *space) {
    SchedulerSetup setup = fake_setup(space);
    setup.per_trial = 100;
    setup.total = 100000;
    return setup;
}

/* what the archive's note says */
typedef struct Look {
    double fitness;
    double worst;
    double margin;
    size_t elites;
} Look;

static Look look_of(const Decision *decision) {
    Look look = {0};
    if (sscanf(decision->note, "fitness %lf, worst of %zu elites %lf, margin %lf", &look.fitness,
               &look.elites, &look.worst, &look.margin) != 4) {
        fail_msg("'%s' is no look at the archive", decision->note);
    }
    return look;
}

/* ---- when ---------------------------------------------------------------------------------- */

static void the_step_is_replaced_every_few_segments_of_a_member(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 3.0,
                                       "warmup", 0.0, "resample", 0.0, NULL);
    for (int64_t i = 0; i < 2; i++) {
        hand_run(scheduler, i, 0, "initial");
    }
    for (int64_t round = 1; round <= 9; round++) {
        const int64_t first = 2 * round - 1;
        hand_finish(scheduler, first, 10.0 + (double)round);
        hand_finish(scheduler, first + 1, 9.0 + (double)round);
        const Decision best = hand_decide(scheduler);
        char           note[160];
        memcpy(note, best.note, sizeof note);
        const Decision worst = hand_decide(scheduler);
        assert_string_equal(best.reason, "continue");
        if (round % 3 == 0) {
            assert_contains(note, "worst of 2 elites");
            /* not behind the worst elite, which it is itself: no exploit either */
            assert_string_equal(worst.reason, "continue");
            assert_contains(worst.note, "worst of 2 elites");
        } else {
            assert_contains(note, "compared 2");
            assert_string_equal(worst.reason, "exploit");
        }
    }
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void there_is_no_looking_back_before_the_warmup_is_over(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0,
                                       "elites", 1.0, "warmup", 15.0, "resample", 0.0, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    for (int64_t round = 1; round <= 3; round++) {
        /* member 0 is the first elite and then falls far behind */
        hand_finish(scheduler, 2 * round - 1, (round == 1) ? 10.0 : 1.0);
        hand_finish(scheduler, 2 * round, 10.0);
        const Decision d = hand_decide(scheduler);
        assert_string_equal(d.reason, (round < 3) ? "continue" : "backtrack");
        assert_int_equal(d.begin, (round < 3) ? 5 * round : 5);
        (void)hand_decide(scheduler);
    }
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void defaults_are_derived_from_the_budget_and_the_population(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    /* 0.2 x 100 / 5 = 4 segments; 0.25 x 12 = 3 elites */
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 12.0, "resample", 0.0, NULL);
    double     scores[12];
    for (size_t i = 0; i < 12; i++) {
        scores[i] = 1.0 + (double)i;
    }
    for (int round = 0; round < 4; round++) {
        (void)hand_round(scheduler, 12, scores);
    }
    const Decision fourth = hand_decide(scheduler);
    assert_int_equal(look_of(&fourth).elites, 3);
    scheduler_destroy(scheduler);
    /* never below 2 of either */
    setup.per_trial = 10;
    scheduler = hand_create("pbt-bt", &setup, "population", 4.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 4, scores);
    assert_contains(hand_decide(scheduler).note, "compared 4");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void more_elites_than_members_are_refused(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    const SchedulerOps  *ops = NULL;
    Scheduler           *scheduler = NULL;
    double               options[64];
    assert_ok(scheduler_find("pbt-bt", &ops));
    fake_options(ops, options, "population", 4.0, "elites", 5.0, NULL);
    assert_fails(scheduler_create(ops, &setup, options, &scheduler), STATUS_ERR_RANGE, "elites");
    assert_null(scheduler);
    space_destroy(space);
}

/* ---- the archive --------------------------------------------------------------------------- */

static void the_archive_is_the_best_of_the_members_bests(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    /* members' bests are 4 (segment 1), 9 (6), 3 (3) and 8 (4), of which 9 and 8 are elites. In
     * member order, unsorted, they would be 4 and 9 */
    Scheduler *scheduler =
        hand_create("pbt-bt", &setup, "population", 4.0, "backtrack_every", 2.0, "elites", 2.0,
                    "quantile", 0.0, "warmup", 10.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 4, (const double[]){4, 2, 3, 8});
    (void)hand_round(scheduler, 4, (const double[]){1, 9, 2, 7});
    const Decision d = hand_decide(scheduler);
    const Look     look = look_of(&d);
    assert_int_equal(look.elites, 2);
    assert_close(look.worst, 8.0, 0.0, 0.0);
    assert_string_equal(d.reason, "backtrack");
    assert_true(d.parent == 6 || d.parent == 4);
    assert_int_equal(scheduler_keeps(scheduler, 4), KEEPS_YES);
    assert_int_equal(scheduler_keeps(scheduler, 6), KEEPS_YES);
    assert_int_equal(scheduler_keeps(scheduler, 1), KEEPS_MAYBE);
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_NEVER);
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void of_equal_results_the_earliest_is_the_elite(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 3.0, "backtrack_every", 2.0,
                                       "elites", 1.0, "warmup", 10.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 3, (const double[]){5, 7, 7});
    (void)hand_round(scheduler, 3, (const double[]){7, 7, 1});
    assert_int_equal(scheduler_keeps(scheduler, 2), KEEPS_YES);
    hand_run(scheduler, 0, 4, "continue");
    hand_run(scheduler, 1, 5, "continue");
    hand_run(scheduler, 2, 2, "backtrack");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void a_score_of_0_is_a_score(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    for (int kind = 0; kind < 2; kind++) {
        Scheduler *scheduler =
            hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 2.0, "elites", 1.0,
                        "tolerance_kind", (double)kind, "warmup", 10.0, "resample", 0.0, NULL);
        (void)hand_round(scheduler, 2, (const double[]){0, -5});
        (void)hand_round(scheduler, 2, (const double[]){0, -1});
        hand_run(scheduler, 0, 3, "continue");
        /* relative to 0 every loss is too much; nothing is divided */
        const Decision d = hand_run(scheduler, 1, 1, "backtrack");
        assert_close(look_of(&d).margin, 0.0, 0.0, 0.0);
        scheduler_destroy(scheduler);
    }
    space_destroy(space);
}

static void a_failed_member_does_not_enter_the_archive(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 3.0, "backtrack_every", 1.0,
                                       "elites", 3.0, "warmup", 5.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 3, (const double[]){4, FAILED, 2});
    const Decision d = hand_decide(scheduler);
    assert_int_equal(look_of(&d).elites, 2);
    assert_string_equal(hand_decide(scheduler).reason, "replace");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* ---- how far is too far -------------------------------------------------------------------- */

/* four members' bests are 10, 20, 30, 40, so that the interquartile range is 15; then all fall to
 * `score` with that spread inside their segments. Gives the first member's decision */
static Decision fall(const SchedulerSetup *setup, double kind, double tolerance, double score,
                     double spread, Scheduler **out) {
    *out = hand_create("pbt-bt", setup, "population", 4.0, "backtrack_every", 2.0, "elites", 4.0,
                       "tolerance", tolerance, "tolerance_kind", (double)kind, "warmup", 10.0,
                       "resample", 0.0, "smoothing", 1.0, NULL);
    (void)hand_round(*out, 4, (const double[]){10, 20, 30, 40});
    for (int64_t i = 0; i < 4; i++) {
        (void)hand_decide(*out);
    }
    for (int64_t i = 5; i <= 8; i++) {
        hand_finish_spread(*out, i, score, spread);
    }
    return hand_decide(*out);
}

static void the_scale_is_the_interquartile_range_of_the_archive(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = NULL;
    /* 0.2 x 15 = 3 below the worst elite, 10 */
    Decision d = fall(&setup, 0.0, 0.2, 7.0, (double)NAN, &scheduler);
    assert_close(look_of(&d).margin, 3.0, 1e-12, 0.0);
    assert_string_equal(d.reason, "continue");
    assert_int_equal(d.branch, 0);
    scheduler_destroy(scheduler);
    d = fall(&setup, 0.0, 0.2, 6.99, (double)NAN, &scheduler);
    assert_string_equal(d.reason, "backtrack");
    assert_int_equal(d.branch, 1);
    scheduler_destroy(scheduler);
    d = fall(&setup, 0.0, 0.0, 9.99, (double)NAN, &scheduler);
    assert_string_equal(d.reason, "backtrack");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void the_scale_is_at_least_the_deviation_inside_segments(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = NULL;
    /* of the elites none says how it varied; the member's own segment does */
    Decision d = fall(&setup, 0.0, 0.2, 5.0, 100.0, &scheduler);
    assert_close(look_of(&d).margin, 20.0, 1e-12, 0.0);
    assert_string_equal(d.reason, "continue");
    scheduler_destroy(scheduler);
    /* below the range it does not matter */
    d = fall(&setup, 0.0, 0.2, 5.0, 14.0, &scheduler);
    assert_close(look_of(&d).margin, 3.0, 1e-12, 0.0);
    assert_string_equal(d.reason, "backtrack");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void relative_tolerance_is_measured_by_the_worst_elite(void **state) {
    (void)state;
    Space               *space = fake_space(FAKE_SPACE_MIXED);
    const SchedulerSetup setup = setup_of(space);
    Scheduler           *scheduler = NULL;
    Decision             d = fall(&setup, 1.0, 0.2, 8.0, 100.0, &scheduler);
    assert_close(look_of(&d).margin, 2.0, 1e-12, 0.0);
    assert_string_equal(d.reason, "continue");
    scheduler_destroy(scheduler);
    d = fall(&setup, 1.0, 0.2, 7.99, 100.0, &scheduler);
    assert_string_equal(d.reason, "backtrack");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* ---- going back ---------------------------------------------------------------------------- */

/* population 2, and both have fallen far behind after two segments of 5 */
static Scheduler *two_fallen(SchedulerSetup *setup, int64_t total) {
    setup->per_trial = 15;
    setup->total = total;
    Scheduler *scheduler = hand_create("pbt-bt", setup, "population", 2.0, "backtrack_every", 2.0,
                                       "elites", 1.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 2, (const double[]){10, 9});
    (void)hand_round(scheduler, 2, (const double[]){1, 1});
    return scheduler;
}

static void position_goes_back_and_consumed_units_do_not(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    Scheduler     *scheduler = two_fallen(&setup, 45);
    const Decision d = hand_run(scheduler, 0, 1, "backtrack");
    assert_int_equal(d.begin, 5);
    assert_int_equal(d.end, 10);
    /* 25 of 45 are used: the second may take 10 of 20 */
    assert_int_equal(hand_run(scheduler, 1, 1, "backtrack").begin, 5);
    hand_finish(scheduler, 5, 2.0);
    hand_finish(scheduler, 6, 1.0);
    assert_int_equal(hand_decide(scheduler).end, 15);
    assert_int_equal(hand_decide(scheduler).end, 15);
    hand_finish(scheduler, 7, 2.0);
    hand_finish(scheduler, 8, 1.0);
    const Decision done = hand_decide(scheduler);
    assert_string_equal(done.reason, "every member reached 15 units");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* going back to 5 takes 10 units more, and that is all there is for both */
static void nobody_goes_back_for_more_than_half_of_the_units_left(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    Scheduler     *scheduler = two_fallen(&setup, 30);
    (void)hand_run(scheduler, 0, 3, "continue");
    (void)hand_run(scheduler, 1, 4, "continue");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* of 60 units 15 are left where 20 are needed, because member 0 went back */
static void the_worst_stops_when_units_are_lacking(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.per_trial = 20;
    setup.total = 60;
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 3.0, "backtrack_every", 2.0,
                                       "elites", 1.0, "quantile", 0.0, "resample", 0.0, NULL);
    (void)hand_round(scheduler, 3, (const double[]){10, 9, 8});
    (void)hand_round(scheduler, 3, (const double[]){1, 1, 1});
    hand_run(scheduler, 0, 1, "backtrack");
    hand_run(scheduler, 1, 5, "continue");
    hand_run(scheduler, 2, 6, "continue");
    hand_finish(scheduler, 7, 5.0);
    hand_finish(scheduler, 8, 2.0);
    hand_finish(scheduler, 9, 3.0);
    /* member 1 is the worst; 0 and 2 go on to the end */
    assert_int_equal(hand_decide(scheduler).trial, 0);
    assert_int_equal(hand_decide(scheduler).trial, 2);
    hand_finish(scheduler, 10, 6.0);
    hand_finish(scheduler, 11, 3.0);
    assert_int_equal(hand_decide(scheduler).end, 20);
    hand_finish(scheduler, 12, 7.0);
    assert_string_equal(hand_decide(scheduler).reason,
                        "2 members reached 20 units, 0 failed, 1 stopped");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void elites_are_drawn_uniformly(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    size_t         counts[4] = {0};
    for (setup.seed = 1; setup.seed <= 300; setup.seed++) {
        Scheduler *scheduler = NULL;
        Decision   d = fall(&setup, 0.0, 0.2, 0.0, (double)NAN, &scheduler);
        assert_true(d.parent >= 1 && d.parent <= 4);
        counts[d.parent - 1]++;
        scheduler_destroy(scheduler);
    }
    for (size_t i = 0; i < 4; i++) {
        /* 75 expected, standard deviation 7.5 */
        assert_true(counts[i] > 45 && counts[i] < 105);
    }
    space_destroy(space);
}

static void an_elite_at_the_full_depth_is_not_gone_back_to(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.per_trial = 10;
    Scheduler *scheduler =
        hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0, "elites", 1.0,
                    "warmup", 5.0, ASYNCHRONOUS, "resample", 0.0, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_finish(scheduler, 1, 1.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_finish(scheduler, 3, 99.0);
    hand_wait(scheduler); /* a member at full depth does not start over */
    hand_finish(scheduler, 2, 0.0);
    hand_run(scheduler, 1, 2, "continue");
    hand_finish(scheduler, 4, 0.0);
    assert_string_equal(hand_decide(scheduler).reason, "every member reached 10 units");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

static void who_breaks_a_constraint_goes_back_to_who_keeps_it(void **state) {
    (void)state;
    Space         *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup setup = setup_of(space);
    setup.constraint_count = 1;
    setup.constraint_upper[0] = 10.0;
    Scheduler *scheduler = hand_create("pbt-bt", &setup, "population", 2.0, "backtrack_every", 1.0,
                                       "elites", 1.0, "resample", 0.0, NULL);
    hand_run(scheduler, 0, 0, "initial");
    hand_run(scheduler, 1, 0, "initial");
    hand_finish_constrained(scheduler, 1, 1.0, 5.0);
    hand_finish_constrained(scheduler, 2, 99.0, 11.0);
    hand_run(scheduler, 0, 1, "continue");
    hand_run(scheduler, 1, 1, "backtrack");
    scheduler_destroy(scheduler);
    space_destroy(space);
}

/* ---- whole studies ------------------------------------------------------------------------- */

/* an agent that collapses now and then, or whose score says nothing about its depth, so that elites
 * stand anywhere */
static void collapse(void *context, const Decision *decision, Outcome *outcome, double *objectives,
                     double *spreads) {
    Rng rng = rng_stream(*(const uint64_t *)context, (uint64_t)decision->id, RNG_TEST);
    (void)outcome;
    (void)spreads;
    if (*(const uint64_t *)context % 4 < 2) {
        objectives[0] = 100.0 * rng_uniform(&rng);
    } else if (rng_uniform(&rng) < 0.2) {
        objectives[0] -= 40.0;
    }
}

static void elites_checkpoints_are_never_given_up_too_early(void **state) {
    (void)state;
    Space              *space = fake_space(FAKE_SPACE_MIXED);
    SchedulerSetup      setup = fake_setup(space);
    const SchedulerOps *ops = NULL;
    size_t              backtracks = 0;
    size_t              exploits = 0;
    assert_ok(scheduler_find("pbt-bt", &ops));
    setup.per_trial = 60;
    setup.total = 480;
    for (uint64_t seed = 1; seed <= 80; seed++) {
        const FakeSettings settings = {.slots = 1 + seed % 9,
                                       .seed = seed,
                                       .fail = (seed % 3 == 0) ? 0.2 : 0.02,
                                       .nan = 0.02,
                                       .noise = 2.0,
                                       .script = collapse,
                                       .context = &seed};
        double             options[64];
        FakeLog            log;
        Decision           done;
        setup.seed = seed;
        fake_options(ops, options, "mode", (double)(seed % 2), "backtrack_every", 2.0, "elites",
                     (double)(1 + seed % 4), NULL);
        fake_study_run(ops, &setup, options, &settings, &log, &done);
        backtracks +=
            fake_log_reasons(&log, "backtrack") + fake_log_reasons(&log, "backtrack_resample");
        exploits += fake_log_reasons(&log, "exploit");
        fake_log_free(&log);
    }
    assert_true(backtracks > 300);
    assert_true(exploits > 300);
    space_destroy(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_is_replaced_every_few_segments_of_a_member),
        cmocka_unit_test(there_is_no_looking_back_before_the_warmup_is_over),
        cmocka_unit_test(defaults_are_derived_from_the_budget_and_the_population),
        cmocka_unit_test(more_elites_than_members_are_refused),
        cmocka_unit_test(the_archive_is_the_best_of_the_members_bests),
        cmocka_unit_test(of_equal_results_the_earliest_is_the_elite),
        cmocka_unit_test(a_score_of_0_is_a_score),
        cmocka_unit_test(a_failed_member_does_not_enter_the_archive),
        cmocka_unit_test(the_scale_is_the_interquartile_range_of_the_archive),
        cmocka_unit_test(the_scale_is_at_least_the_deviation_inside_segments),
        cmocka_unit_test(relative_tolerance_is_measured_by_the_worst_elite),
        cmocka_unit_test(position_goes_back_and_consumed_units_do_not),
        cmocka_unit_test(nobody_goes_back_for_more_than_half_of_the_units_left),
        cmocka_unit_test(the_worst_stops_when_units_are_lacking),
        cmocka_unit_test(elites_are_drawn_uniformly),
        cmocka_unit_test(an_elite_at_the_full_depth_is_not_gone_back_to),
        cmocka_unit_test(who_breaks_a_constraint_goes_back_to_who_keeps_it),
        cmocka_unit_test(elites_checkpoints_are_never_given_up_too_early),
    };
    return cmocka_run_group_tests_name("schedulers/pbt-bt", tests, NULL, NULL);
}
