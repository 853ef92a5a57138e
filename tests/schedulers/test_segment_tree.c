#include "tests/schedulers/fake_study.h"

#include "tests/support/test_support.h"

#include "schedulers/segment_tree.h"

#include <math.h>
#include <stdlib.h>

typedef struct Garden {
    Space         *space;
    SchedulerSetup setup;
    SegmentTree    tree;
    double         point[4];
} Garden;

static void garden_open(Garden *g, int64_t first_id, int64_t first_trial) {
    g->space = fake_space(FAKE_SPACE_MIXED);
    g->setup = fake_setup(g->space);
    g->setup.constraint_count = 1;
    g->setup.constraint_upper[0] = 4.0;
    g->setup.constraint_lower[0] = -(double)INFINITY;
    space_defaults(g->space, g->point);
    segment_tree_init(&g->tree, &g->setup, first_id, first_trial);
}

static void garden_close(Garden *g) {
    segment_tree_reset(&g->tree);
    space_destroy(g->space);
}

static void decide(Garden *g, int64_t trial, int64_t parent, int64_t begin, int64_t end) {
    const Decision decision = {.kind = DECISION_RUN,
                               .id = g->tree.first_id + (int64_t)g->tree.count,
                               .trial = trial,
                               .parent = parent,
                               .begin = begin,
                               .end = end,
                               .point = g->point,
                               .reason = "backtrack"};
    assert_ok(
        segment_tree_observe(&g->tree, &(Event){.kind = EVENT_DECIDED, .decision = &decision}));
}

static Status end(Garden *g, int64_t id, Outcome outcome, double objective, double constraint) {
    return segment_tree_observe(&g->tree, &(Event){.kind = EVENT_FINISHED,
                                                   .id = id,
                                                   .outcome = outcome,
                                                   .objectives = &objective,
                                                   .constraints = &constraint});
}

static void it_answers_what_was_decided(void **state) {
    (void)state;
    Garden g;
    garden_open(&g, 1, 0);
    assert_int_equal(segment_tree_last(&g.tree, 0), 0);
    assert_null(segment_tree_at(&g.tree, 1));
    assert_null(segment_tree_point(&g.tree, 1));
    decide(&g, 0, 0, 0, 5);
    decide(&g, 1, 0, 0, 5);
    g.point[2] = 9;
    decide(&g, 0, 2, 5, 10);
    decide(&g, 0, 3, 10, 13);
    assert_int_equal(g.tree.units, 18);
    assert_int_equal(g.tree.open, 4);
    assert_int_equal(g.tree.trials, 2);
    assert_int_equal(segment_tree_last(&g.tree, 0), 4);
    assert_int_equal(segment_tree_at(&g.tree, 4)->previous, 3);
    assert_int_equal(segment_tree_at(&g.tree, 3)->previous, 1);
    assert_int_equal(segment_tree_at(&g.tree, 2)->directions, 1);
    assert_close(segment_tree_point(&g.tree, 3)[2], 9.0, 0.0, 0.0);
    assert_close(segment_tree_point(&g.tree, 2)[2], 25.0, 0.0, 0.0);
    garden_close(&g);
}

static void segments_are_found_by_depth(void **state) {
    (void)state;
    Garden g;
    garden_open(&g, 1, 0);
    decide(&g, 0, 0, 0, 5);
    decide(&g, 1, 0, 0, 4);
    decide(&g, 2, 0, 0, 5);
    decide(&g, 0, 1, 5, 10);
    assert_int_equal(segment_tree_at_depth(&g.tree, 5), 3);
    assert_int_equal(segment_tree_at(&g.tree, 3)->same_end, 2);
    assert_int_equal(segment_tree_at(&g.tree, 2)->same_end, 1);
    assert_int_equal(segment_tree_at(&g.tree, 1)->same_end, 0);
    assert_int_equal(segment_tree_at_depth(&g.tree, 10), 4);
    assert_int_equal(segment_tree_at_depth(&g.tree, 15), 0);
    assert_int_equal(segment_tree_at_depth(&g.tree, 0), 0);
    garden_close(&g);
}

static void ids_and_trials_may_begin_anywhere(void **state) {
    (void)state;
    Garden g;
    garden_open(&g, 101, 8);
    decide(&g, 8, 0, 0, 5);
    decide(&g, 9, 0, 0, 5);
    assert_int_equal(segment_tree_last(&g.tree, 8), 101);
    assert_int_equal(segment_tree_last(&g.tree, 9), 102);
    assert_int_equal(segment_tree_last(&g.tree, 0), 0);
    assert_null(segment_tree_at(&g.tree, 1));
    assert_non_null(segment_tree_at(&g.tree, 102));
    const Decision before = {.kind = DECISION_RUN, .trial = 7, .end = 5};
    const Decision beyond = {.kind = DECISION_RUN, .trial = 8 + (INT64_C(1) << 24), .end = 5};
    assert_fails(segment_tree_reserve(&g.tree, &before), STATUS_ERR_ARG, "counted from 8");
    assert_fails(segment_tree_reserve(&g.tree, &beyond), STATUS_ERR_ARG, "trial");
    garden_close(&g);
}

static void the_best_is_finished_and_the_earliest_of_equals(void **state) {
    (void)state;
    Garden g;
    garden_open(&g, 1, 0);
    for (int i = 0; i < 6; i++) {
        decide(&g, 0, 0, 0, 5);
    }
    assert_ok(end(&g, 2, OUTCOME_DONE, (double)NAN, 0.0));
    assert_int_equal(segment_tree_best(&g.tree, 0), 0);
    assert_ok(end(&g, 4, OUTCOME_DONE, 7.0, 0.0));
    assert_int_equal(segment_tree_best(&g.tree, 0), 4);
    /* the same again, of a segment decided earlier that took longer */
    assert_ok(end(&g, 3, OUTCOME_DONE, 7.0, 0.0));
    assert_int_equal(segment_tree_best(&g.tree, 0), 3);
    assert_ok(end(&g, 5, OUTCOME_DONE, 7.0, 0.0));
    assert_int_equal(segment_tree_best(&g.tree, 0), 3);
    assert_ok(end(&g, 1, OUTCOME_CRASHED, 99.0, 0.0));
    assert_ok(end(&g, 6, OUTCOME_DONE, 100.0, 4.5));
    assert_int_equal(segment_tree_best(&g.tree, 0), 3);
    assert_int_equal(g.tree.open, 0);
    assert_int_equal(g.tree.finished, 5);
    assert_fails(end(&g, 6, OUTCOME_DONE, 1.0, 0.0), STATUS_ERR_STATE, "not outstanding");
    assert_fails(end(&g, 9, OUTCOME_DONE, 1.0, 0.0), STATUS_ERR_STATE, "not outstanding");
    garden_close(&g);
}

static void better_means_usable_then_feasible_then_fit(void **state) {
    (void)state;
    const SegmentNode good = {.state = NODE_FINISHED, .fitness = 1.0, .worth.level = 1.0};
    const SegmentNode better = {.state = NODE_FINISHED, .fitness = 2.0, .worth.level = 2.0};
    const SegmentNode far = {
        .state = NODE_FINISHED, .fitness = 9.0, .worth.level = 9.0, .violation = 0.5};
    const SegmentNode near = {
        .state = NODE_FINISHED, .fitness = -9.0, .worth.level = -9.0, .violation = 0.1};
    const SegmentNode nan = {
        .state = NODE_FINISHED, .fitness = -(double)INFINITY, .worth.level = -(double)INFINITY};
    const SegmentNode  failed = {.state = NODE_FAILED, .fitness = 5.0, .worth.level = 5.0};
    const SegmentNode *ranked[] = {&better, &good, &near, &far, &nan};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(segment_node_compare(ranked[i], ranked[i]), 0);
        for (size_t j = i + 1; j < 5; j++) {
            assert_true(segment_node_compare(ranked[i], ranked[j]) > 0);
            assert_true(segment_node_compare(ranked[j], ranked[i]) < 0);
        }
    }
    assert_int_equal(segment_node_compare(&nan, &failed), 0);
    assert_int_equal(segment_node_usable(&nan), 0);
    assert_int_equal(segment_node_usable(&failed), 0);
    assert_int_equal(segment_node_usable(&far), 1);
}

static void violation_is_relative_to_the_bound(void **state) {
    (void)state;
    SchedulerSetup setup = {.constraint_count = 2,
                            .constraint_lower = {-(double)INFINITY, 0.0},
                            .constraint_upper = {4.0, (double)INFINITY}};
    assert_close(segment_violation(&setup, (const double[]){4.0, 0.0}), 0.0, 0.0, 0.0);
    assert_close(segment_violation(&setup, (const double[]){6.0, 1.0}), 0.5, 1e-15, 0.0);
    assert_close(segment_violation(&setup, (const double[]){6.0, -2.0}), 2.5, 1e-15, 0.0);
    assert_close(segment_violation(&setup, (const double[]){(double)NAN, 0.0}), (double)INFINITY,
                 0.0, 0.0);
    assert_close(segment_violation(&setup, NULL), (double)INFINITY, 0.0, 0.0);
    setup.constraint_count = 0;
    assert_close(segment_violation(&setup, NULL), 0.0, 0.0, 0.0);
}

static void it_grows_and_a_failed_growth_changes_nothing(void **state) {
    (void)state;
    Garden g;
    garden_open(&g, 1, 0);
    for (int64_t i = 0; i < 500; i++) {
        const Decision decision = {.kind = DECISION_RUN,
                                   .id = i + 1,
                                   .trial = i,
                                   .end = 5,
                                   .point = g.point,
                                   .reason = "initial"};
        const Event    event = {.kind = EVENT_DECIDED, .decision = &decision};
        for (size_t n = 1;; n++) {
            test_fail_allocation(n);
            const Status status = segment_tree_observe(&g.tree, &event);
            if (!test_allocation_failed()) {
                assert_ok(status);
                break;
            }
            assert_int_equal(status, STATUS_ERR_NOMEM);
            assert_int_equal(g.tree.count, i);
            assert_int_equal(g.tree.open, i);
        }
    }
    test_fail_allocation(0);
    assert_int_equal(segment_tree_last(&g.tree, 499), 500);
    assert_int_equal(segment_tree_last(&g.tree, 0), 1);
    garden_close(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_what_was_decided),
        cmocka_unit_test(segments_are_found_by_depth),
        cmocka_unit_test(ids_and_trials_may_begin_anywhere),
        cmocka_unit_test(the_best_is_finished_and_the_earliest_of_equals),
        cmocka_unit_test(better_means_usable_then_feasible_then_fit),
        cmocka_unit_test(violation_is_relative_to_the_bound),
        cmocka_unit_test(it_grows_and_a_failed_growth_changes_nothing),
    };
    return cmocka_run_group_tests_name("schedulers/segment_tree", tests, NULL, NULL);
}
