/* `best` with several objectives, and which means it believes. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int setup_two(void **state) {
    (void)fixture_setup_two(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    return 0;
}

static int setup_one(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    return 0;
}

/* a finished segment with these objectives: reward up, cost down */
static void segment(Fixture *f, int64_t id, int64_t trial, double reward, double cost) {
    const double objectives[2] = {reward, cost};
    const double spreads[2] = {0.5, 0.5};
    (void)fixture_point(f, 0.01 * (double)id, (double)NAN);
    fixture_segment(f, id, 0, trial, 5, "initial");
    assert_ok(results_attempt_start(f->results, id, 1, 0, ""));
    assert_ok(results_segment_finish(f->results, id, 1, objectives, spreads, NULL, 0, 0, 1.0));
}

static void assert_front(Results *results, const int64_t *expected, size_t count) {
    Json *best = NULL;
    assert_ok(report_best(results, &best));
    const Json *front = json_get(best, "front");
    assert_true(json_is_array(front));
    assert_int_equal(json_count(front), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(json_integer(json_get(json_at(front, i), "segment")), expected[i]);
    }
    assert_int_equal(json_integer(json_get(best, "segment")), expected[0]);
    json_release(best);
}

static void the_front_is_what_nothing_beats_in_all(void **state) {
    Fixture *f = *state;
    /* 2 is beaten by 1 in both, 4 by 3 in the cost at an equal reward; 6 beats two at once */
    static const double values[][2] = {{10.0, 5.0}, {9.0, 6.0}, {7.0, 2.0},
                                       {7.0, 3.0},  {1.0, 1.0}, {12.0, 9.0}};
    for (int64_t i = 0; i < 6; i++) {
        fixture_trial(f, i);
        segment(f, i + 1, i, values[i][0], values[i][1]);
    }
    assert_front(f->results, (int64_t[]){6, 1, 3, 5}, 4);
    fixture_trial(f, 6);
    segment(f, 7, 6, 12.5, 4.0);
    assert_front(f->results, (int64_t[]){7, 3, 5}, 3);
    fixture_trial(f, 7);
    segment(f, 8, 7, 13.0, (double)NAN); /* has no place, but is the best in the first */
    Json *best = NULL;
    assert_ok(report_best(f->results, &best));
    assert_int_equal(json_integer(json_get(best, "segment")), 8);
    const Json *first = json_at(json_get(best, "front"), 0);
    assert_int_equal(json_count(json_get(best, "front")), 3);
    assert_int_equal(json_integer(json_get(first, "trial")), 6);
    assert_int_equal(json_integer(json_get(first, "depth")), 5);
    assert_close(json_number(json_get(json_get(first, "objective"), "cost")), 4.0, 0.0, 0.0);
    assert_close(json_number(json_get(json_get(first, "hyperparameters"), "lr")), 0.07, 1e-15, 0.0);
    assert_true(json_is_object(json_get(first, "constraints")));
    json_release(best);
}

static void repeated(Fixture *f, int64_t id, int64_t number, int64_t repeat) {
    const ResultsTrial trial = {.id = id, .kind = TRIAL_TUNE, .number = number, .repeat = repeat};
    assert_ok(results_trial_insert(f->results, &trial));
}

/* the lucky chain of configuration 0 would dominate all; its mean does not */
static void of_repeats_the_means_make_the_front(void **state) {
    Fixture            *f = *state;
    static const double values[][2] = {{20.0, 1.0}, {2.0, 9.0}, {12.0, 6.0}, {12.0, 6.0}};
    for (int64_t i = 0; i < 4; i++) {
        repeated(f, i, i / 2, i % 2);
        segment(f, i + 1, i, values[i][0], values[i][1]);
    }
    repeated(f, 4, 2, 0);
    segment(f, 5, 4, 30.0, 0.5); /* one chain only, so far */
    Json *best = NULL;
    assert_ok(report_best(f->results, &best));
    const Json *front = json_get(best, "front");
    assert_int_equal(json_count(front), 2);
    const Json *first = json_get(json_at(front, 0), "objective");
    const Json *second = json_get(json_at(front, 1), "objective");
    assert_close(json_number(json_get(first, "episode_reward")), 12.0, 0.0, 0.0);
    assert_close(json_number(json_get(second, "episode_reward")), 11.0, 0.0, 0.0);
    assert_close(json_number(json_get(second, "cost")), 5.0, 0.0, 0.0);
    json_release(best);
}

static int64_t best_of(Results *results) {
    Json *best = NULL;
    assert_ok(report_best(results, &best));
    assert_null(json_get(best, "front"));
    const int64_t segment_id = json_integer(json_get(best, "segment"));
    json_release(best);
    return segment_id;
}

static void evaluate(Fixture *f, int64_t id, int64_t segment_id, int64_t episodes, double mean) {
    const ResultsEvaluation row = {
        .id = id, .segment = segment_id, .decision = -1, .episodes = episodes};
    assert_ok(results_evaluation_insert(f->results, &row));
    assert_ok(results_evaluation_start(f->results, id, 1, 0, ""));
    assert_ok(results_evaluation_finish(f->results, id, 1, OUTCOME_DONE, "", &mean, false));
}

static void evaluations_correct_what_was_selected_on_noise(void **state) {
    Fixture *f = *state;
    for (int64_t i = 0; i < 3; i++) {
        fixture_trial(f, i);
        fixture_done(f, i + 1, 0, i, 5, 30.0 - (double)i);
    }
    assert_int_equal(best_of(f->results), 1);
    /* that of another agent says nothing about the selected one */
    evaluate(f, 1, 2, 10, 99.0);
    assert_int_equal(best_of(f->results), 1);
    evaluate(f, 2, 1, 10, 20.0);
    assert_int_equal(best_of(f->results), 2);
    evaluate(f, 3, 1, 30, 180.0); /* 140 over all 40 episodes */
    assert_int_equal(best_of(f->results), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_front_is_what_nothing_beats_in_all, setup_two,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(of_repeats_the_means_make_the_front, setup_two,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(evaluations_correct_what_was_selected_on_noise, setup_one,
                                        fixture_teardown),
    };
    return cmocka_run_group_tests_name("results/report_front", tests, NULL, NULL);
}
