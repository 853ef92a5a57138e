/* What scripts rely on: fields, the best, schedules of a lineage with an exploit, a backtrack and a
 * yield, and the canonical text. */
#include "tests/results/results_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int setup(void **state) {
    (void)fixture_setup(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    fixture_trial(f, 1);
    return 0;
}

static int setup_two(void **state) {
    (void)fixture_setup_two(state);
    Fixture *f = *state;
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    return 0;
}

/* the JSON of a report as text, for whole comparisons */
static void assert_json(const Json *json, const char *expected) {
    Buffer text;
    buffer_init(&text, 1024 * 1024);
    json_write(json, false, &text);
    assert_non_null(text.data);
    text.data[strcspn(text.data, "\n")] = '\0';
    assert_string_equal(buffer_text(&text), expected);
    buffer_reset(&text);
}

/*
 * Two members, 5 episodes a segment. Trial 1 exploits segment 1 of trial 0 at episode 5 with
 * another lr; trial 0 backtracks from segment 5 to segment 1; segment 4 was yielded on the way.
 *
 *     1 (t0, 0-5) -+- 3 (t0, 5-10) -- 5 (t0, 10-15)
 *     2 (t1, 0-5)  +- 4 (t1, 5-10, exploit)
 *                  +- 6 (t0, 5-10, backtrack, seed 200)
 */
static void build_tree(Fixture *f) {
    const double *point = fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 1, 0, 0, 5, 10.0);
    (void)fixture_point(f, 0.5, 0.25);
    fixture_done(f, 2, 0, 1, 5, 5.0);
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 3, 1, 0, 10, 20.0);
    (void)fixture_point(f, 0.002, (double)NAN);
    fixture_segment(f, 4, 1, 1, 10, "exploit");
    assert_ok(results_attempt_start(f->results, 4, 1, 0, ""));
    assert_ok(results_attempt_yield(f->results, 4, 1, 7, 10, 11));
    fixture_finish(f, 4, 30.0);
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_done(f, 5, 3, 0, 15, 15.0);
    (void)fixture_point(f, 0.001, (double)NAN);
    ResultsSegment row = {.id = 6,
                          .parent = 1,
                          .trial = 0,
                          .decision = 5,
                          .begin = 5,
                          .end = 10,
                          .seed = 200,
                          .reason = "backtrack",
                          .point = f->point};
    assert_ok(results_segment_insert(f->results, &row));
    fixture_finish(f, 6, 25.0);
    assert_ptr_equal(point, f->point);
}

/* ---- rows ----------------------------------------------------------------------------------- */

static void segments_have_the_fields_that_scripts_rely_on(void **state) {
    Fixture                 *f = *state;
    Json                    *rows = NULL;
    static const char *const fields[] = {"id",       "parent",     "trial",           "state",
                                         "outcome",  "reason",     "hyperparameters", "begin",
                                         "end",      "seed",       "objective",       "worker",
                                         "attempts", "started_at", "finished_at",     "failure"};
    build_tree(f);
    fixture_segment(f, 7, 0, 1, 5, "resample");
    assert_ok(results_attempt_start(f->results, 7, 1, 4, "node"));
    assert_ok(results_attempt_fail(f->results, 7, 1, OUTCOME_CRASHED, "signal 11", true));
    fixture_segment(f, 8, 0, 1, 5, "resample");
    assert_ok(results_attempt_start(f->results, 8, 1, 4, "node"));
    assert_ok(results_attempt_fail(f->results, 8, 1, OUTCOME_TIMEOUT, "", false));
    fixture_segment(f, 9, 0, 1, 5, "resample");
    assert_ok(results_attempt_fail(f->results, 9, 0, OUTCOME_CANCELLED, "", false));
    assert_ok(report_segments(f->results, &rows));
    assert_int_equal(json_count(rows), 9);
    for (size_t i = 0; i < json_count(rows); i++) {
        assert_int_equal(json_integer(json_get(json_at(rows, i), "id")), (int64_t)i + 1);
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
            const char *key = NULL;
            Json       *value = NULL;
            assert_true(json_member(json_at(rows, i), k, &key, &value));
            assert_string_equal(key, fields[k]);
        }
    }
    const Json *second = json_at(rows, 1);
    assert_true(json_is_null(json_get(second, "parent")));
    assert_json(json_get(second, "hyperparameters"),
                "{\"lr\":0.5,\"horizon\":25,\"learned\":true,\"optimizer\":\"sgd\","
                "\"momentum\":0.25,\"width\":32.5}");
    assert_json(json_get(second, "objective"), "5.0");
    assert_json(json_get(second, "outcome"), "\"done\"");
    assert_true(json_is_null(json_get(second, "failure")));
    const char *started = json_string(json_get(second, "started_at"));
    assert_int_equal(strlen(started), 24);
    assert_true(started[10] == 'T' && started[19] == '.' && started[23] == 'Z');
    assert_int_equal(json_integer(json_get(json_at(rows, 3), "attempts")), 2);
    assert_int_equal(json_integer(json_get(json_at(rows, 3), "parent")), 1);
    const Json *retried = json_at(rows, 6);
    assert_json(json_get(retried, "state"), "\"queued\"");
    assert_json(json_get(retried, "failure"), "\"signal 11\"");
    assert_true(json_is_null(json_get(retried, "objective")));
    assert_true(json_is_null(json_get(retried, "finished_at")));
    assert_json(json_get(json_at(rows, 7), "failure"), "\"timeout\"");
    assert_json(json_get(json_at(rows, 7), "worker"), "4");
    assert_json(json_get(json_at(rows, 8), "failure"), "\"cancelled\"");
    assert_true(json_is_null(json_get(json_at(rows, 8), "started_at")));
    json_release(rows);
}

static void values_are_spelled_as_the_study_file_spells_them(void **state) {
    Fixture                 *f = *state;
    Json                    *rows = NULL;
    static const char *const spelled[] = {"16", "32.5", "\"64\"", "true"};
    for (int i = 0; i < 4; i++) {
        f->point[WIDTH] = i;
        fixture_segment(f, i + 1, 0, 0, 5, "initial");
    }
    assert_ok(report_segments(f->results, &rows));
    for (size_t i = 0; i < 4; i++) {
        const Json *values = json_get(json_at(rows, i), "hyperparameters");
        assert_json(json_get(values, "width"), spelled[i]);
        assert_null(json_get(values, "momentum"));
    }
    json_release(rows);
}

static void several_objectives_are_an_object_by_name(void **state) {
    Fixture *f = *state;
    Json    *rows = NULL;
    Json    *best = NULL;
    Json    *schedule = NULL;
    fixture_done(f, 1, 0, 0, 5, 1.5);
    fixture_segment(f, 2, 1, 0, 10, "continue");
    assert_ok(report_segments(f->results, &rows));
    assert_json(json_get(json_at(rows, 0), "objective"), "{\"episode_reward\":1.5,\"cost\":1.5}");
    assert_true(json_is_null(json_get(json_at(rows, 1), "objective")));
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "objective"), "{\"episode_reward\":1.5,\"cost\":1.5}");
    assert_ok(report_schedule(f->results, 1, &schedule));
    assert_int_equal(json_count(json_get(schedule, "objective")), 2);
    json_release(rows);
    json_release(best);
    json_release(schedule);
}

static void trials_know_their_best_and_their_last(void **state) {
    Fixture *f = *state;
    Json    *rows = NULL;
    build_tree(f);
    fixture_segment(f, 7, 4, 1, 15, "continue");
    assert_ok(report_trials(f->results, &rows));
    assert_int_equal(json_count(rows), 2);
    assert_json(json_at(rows, 0),
                "{\"id\":0,\"kind\":\"tune\",\"number\":0,\"repeat\":0,\"source\":null,"
                "\"segments\":4,\"depth\":15,\"state\":\"finished\",\"best_segment\":6,"
                "\"last_segment\":6,\"best_objective\":25.0,\"last_objective\":25.0}");
    assert_json(json_get(json_at(rows, 1), "state"), "\"queued\"");
    assert_json(json_get(json_at(rows, 1), "best_segment"), "4");
    json_release(rows);
}

/* ---- best ----------------------------------------------------------------------------------- */

static void the_best_schedule_is_read_from_its_leaf_to_its_root(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    assert_fails(report_best(f->results, &best), STATUS_ERR_STATE, "no segment is finished");
    build_tree(f);
    assert_ok(report_best(f->results, &best));
    assert_json(best, "{\"segment\":4,\"trial\":1,\"objective\":30.0,"
                      "\"hyperparameters\":{\"lr\":0.002,\"horizon\":25,\"learned\":true,"
                      "\"optimizer\":\"adam\",\"width\":32.5},"
                      "\"schedule\":[{\"begin\":0,\"end\":5,\"seed\":100,\"hyperparameters\":"
                      "{\"lr\":0.001,\"horizon\":25,\"learned\":true,\"optimizer\":\"adam\","
                      "\"width\":32.5}},{\"begin\":5,\"end\":10,\"seed\":100,\"hyperparameters\":"
                      "{\"lr\":0.002,\"horizon\":25,\"learned\":true,\"optimizer\":\"adam\","
                      "\"width\":32.5}}],\"constraints\":{\"plan_flop\":50.0},"
                      "\"evaluated\":null,\"confirmed\":null,"
                      "\"repeats\":1,\"mean\":30.0,\"standard_error\":null,"
                      "\"note\":\"selected on noise: not confirmed\"}");
    json_release(best);
}

static void ties_go_to_the_earliest_and_constraints_come_first(void **state) {
    Fixture     *f = *state;
    Json        *best = NULL;
    const double high = 50.0;
    const double spread = 0.0;
    double       flop = 101.0; /* the limit is 100 */
    fixture_segment(f, 1, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 1, 1, 0, ""));
    assert_ok(results_segment_finish(f->results, 1, 1, &high, &spread, &flop, 0, 0, 0.0));
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "1");
    assert_json(json_get(best, "note"), "\"no finished segment keeps the constraints\"");
    json_release(best);
    fixture_segment(f, 2, 0, 0, 5, "initial");
    assert_ok(results_attempt_start(f->results, 2, 1, 0, ""));
    flop = (double)NAN; /* not known is not kept */
    assert_ok(results_segment_finish(f->results, 2, 1, &high, &spread, &flop, 0, 0, 0.0));
    fixture_done(f, 3, 0, 1, 5, 20.0);
    fixture_done(f, 4, 0, 1, 5, 20.0);
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "3");
    json_release(best);
}

static void evaluations_of_the_best_are_pooled_by_episodes(void **state) {
    Fixture      *f = *state;
    Json         *best = NULL;
    const double  values[3] = {10.0, 40.0, (double)NAN};
    const int64_t episodes[3] = {1, 2, 5};
    fixture_done(f, 1, 0, 0, 5, 1.0);
    for (int64_t i = 0; i < 3; i++) {
        const ResultsEvaluation row = {
            .id = i + 1, .segment = 1, .decision = -1, .episodes = episodes[i]};
        assert_ok(results_evaluation_insert(f->results, &row));
        assert_ok(results_evaluation_start(f->results, i + 1, 1, 0, ""));
        assert_ok(
            results_evaluation_finish(f->results, i + 1, 1, OUTCOME_DONE, "", &values[i], false));
    }
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "evaluated"),
                "{\"evaluations\":3,\"episodes\":8,\"objective\":30.0}");
    json_release(best);
}

static void top_takes_each_line_once(void **state) {
    Fixture *f = *state;
    int64_t  ids[8] = {0};
    size_t   found = 9;
    assert_ok(report_top(f->results, 8, ids, &found));
    assert_int_equal(found, 0);
    build_tree(f);
    assert_ok(report_top(f->results, 8, ids, &found));
    /* 4 (30), 6 (25), 3 (20); not 5, 1: on the line of 3; then 2 (5) */
    assert_int_equal(found, 4);
    assert_int_equal(ids[0], 4);
    assert_int_equal(ids[1], 6);
    assert_int_equal(ids[2], 3);
    assert_int_equal(ids[3], 2);
    assert_ok(report_top(f->results, 2, ids, &found));
    assert_int_equal(found, 2);
}

/* ---- diverged episodes ---------------------------------------------------------------------- */

static void diverged_at(Fixture *f, int64_t segment, int64_t step, double value) {
    assert_ok(
        results_metric_insert(f->results, false, segment, step, 0, "episode_diverged", value));
}

/* The tree with one diverged episode: episode 8 of segment 4, which would be the best. The window
 * is 3 episodes, so it counts in segment 4 (its episodes 8, 9, 10). */
static void a_segment_with_a_diverged_episode_in_its_window_is_never_first(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    int64_t  ids[8] = {0};
    size_t   found = 0;
    build_tree(f);
    for (int64_t step = 6; step <= 10; step++) {
        diverged_at(f, 3, step, 0.0);
        diverged_at(f, 4, step, step == 8 ? 1.0 : 0.0);
    }
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "6");
    json_release(best);
    assert_ok(report_top(f->results, 8, ids, &found));
    assert_int_equal(found, 3);
    assert_int_equal(ids[0], 6);
    assert_int_equal(ids[1], 3);
    assert_int_equal(ids[2], 2);
}

/* Segment 5 continues 3: episode 9 of segment 3 counts in 3 (8, 9, 10), no more in 5 (13 to 15),
 * and where 5 has two episodes of its own (14, 15) the window reaches back to 10, not to 9. */
static void the_window_reaches_back_as_far_as_the_objectives(void **state) {
    Fixture *f = *state;
    int64_t  ids[8] = {0};
    size_t   found = 0;
    build_tree(f);
    for (int64_t step = 6; step <= 10; step++) {
        diverged_at(f, 3, step, step == 9 ? 1.0 : 0.0);
    }
    diverged_at(f, 5, 14, 0.0);
    diverged_at(f, 5, 15, 0.0);
    assert_ok(report_top(f->results, 8, ids, &found));
    assert_int_equal(found, 4);
    assert_int_equal(ids[0], 4);
    assert_int_equal(ids[1], 6);
    assert_int_equal(ids[2], 5);
    assert_int_equal(ids[3], 2);
    /* with episode 10 in place of 9 it is in the window of 5, too */
    diverged_at(f, 3, 10, 1.0);
    assert_ok(report_top(f->results, 8, ids, &found));
    assert_int_equal(found, 3);
}

static void a_study_may_allow_diverged_episodes(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    Json    *summary = NULL;
    fixture_done(f, 1, 0, 0, 5, 10.0);
    diverged_at(f, 1, 5, 1.0);
    assert_fails(report_best(f->results, &best), STATUS_ERR_STATE, "allow_diverged: true");
    assert_ok(report_summary(f->results, &summary));
    assert_true(json_is_null(json_get(summary, "best")));
    json_release(summary);
    assert_ok(results__run(f->results, "UPDATE study SET definition = ?", "t",
                           "{\"allow_diverged\":false}"));
    assert_fails(report_best(f->results, &best), STATUS_ERR_STATE, "allow_diverged: true");
    assert_ok(results__run(f->results, "UPDATE study SET definition = ?", "t",
                           "{\"allow_diverged\":true}"));
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "1");
    json_release(best);
}

/* ---- repeats -------------------------------------------------------------------------------- */

/* a chain that finishes a segment of 5 at each value */
static void chain(Fixture *f, int64_t trial, int64_t number, int64_t repeat, const double *values,
                  size_t count) {
    const ResultsTrial row = {.id = trial, .kind = TRIAL_TUNE, .number = number, .repeat = repeat};
    int64_t            ids[3] = {0};
    int64_t            parent = 0;
    assert_ok(results_trial_insert(f->results, &row));
    for (size_t i = 0; i < count; i++) {
        assert_ok(results_next_ids(f->results, &ids[0], &ids[1], &ids[2]));
        fixture_done(f, ids[1], parent, trial, 5 * (int64_t)(i + 1), values[i]);
        parent = ids[1];
    }
}

/* trials 0 and 1 are the fixture's: configurations 0 and 1, one chain each */
static void of_repeated_configurations_the_best_mean_wins_not_the_luckiest_chain(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    int64_t  ids[8] = {0};
    size_t   found = 0;
    fixture_done(f, 1, 0, 0, 5, 1.0);
    fixture_done(f, 2, 1, 0, 10, 100.0); /* lucky */
    chain(f, 2, 0, 1, (const double[]){1.0, 20.0}, 2);
    fixture_done(f, 5, 0, 1, 5, 90.0); /* shallow: not what is compared */
    fixture_done(f, 6, 5, 1, 10, 70.0);
    chain(f, 3, 1, 1, (const double[]){1.0, 74.0}, 2);
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "8");
    assert_json(json_get(best, "trial"), "3");
    assert_json(json_get(best, "objective"), "74.0");
    assert_json(json_get(best, "repeats"), "2");
    assert_json(json_get(best, "mean"), "72.0");
    assert_json(json_get(best, "standard_error"), "2.0");
    json_release(best);
    assert_ok(report_top(f->results, 8, ids, &found));
    assert_int_equal(found, 2);
    assert_int_equal(ids[0], 8);
    assert_int_equal(ids[1], 2);
    assert_ok(report_top(f->results, 1, ids, &found));
    assert_int_equal(found, 1);
}

static void the_lowest_mean_wins_where_less_is_better(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    assert_ok(results__script(f->results, "UPDATE objective SET direction = 'minimize'"));
    fixture_done(f, 1, 0, 0, 5, 3.0);
    fixture_done(f, 2, 0, 1, 5, 1.0); /* lucky */
    chain(f, 2, 0, 1, (const double[]){5.0}, 1);
    chain(f, 3, 1, 1, (const double[]){9.0}, 1);
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "1");
    assert_json(json_get(best, "mean"), "4.0");
    assert_json(json_get(best, "standard_error"), "1.0");
    json_release(best);
}

static void a_chain_that_ended_early_pulls_its_configuration_to_where_all_were(void **state) {
    Fixture *f = *state;
    Json    *best = NULL;
    fixture_done(f, 1, 0, 0, 5, 10.0);
    fixture_done(f, 2, 1, 0, 10, 100.0);
    chain(f, 2, 0, 1, (const double[]){20.0}, 1); /* and failed then */
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "3");
    assert_json(json_get(best, "mean"), "15.0");
    json_release(best);
    /* one chain alone ranks after two, however good */
    fixture_done(f, 4, 0, 1, 5, 1000.0);
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "3");
    json_release(best);
    chain(f, 3, 1, 1, (const double[]){0.0}, 1);
    assert_ok(report_best(f->results, &best));
    assert_json(json_get(best, "segment"), "4");
    assert_json(json_get(best, "mean"), "500.0");
    json_release(best);
}

static void a_lineage_is_walked_from_the_root(void **state) {
    Fixture *f = *state;
    int64_t *ids = NULL;
    size_t   count = 0;
    build_tree(f);
    assert_ok(report_lineage(f->results, 5, &ids, &count));
    assert_int_equal(count, 3);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 3);
    assert_int_equal(ids[2], 5);
    free(ids);
    ids = NULL;
    assert_fails(report_lineage(f->results, 77, &ids, &count), STATUS_ERR_UNKNOWN_NAME, "77");
    assert_fails(report_lineage(f->results, 0, &ids, &count), STATUS_ERR_UNKNOWN_NAME, "0");
    assert_null(ids);
}

static void a_schedule_merges_neighbours_and_says_where_it_is_from(void **state) {
    Fixture *f = *state;
    Json    *schedule = NULL;
    build_tree(f);
    assert_ok(report_schedule(f->results, 5, &schedule));
    const Json *steps = json_get(schedule, "steps");
    assert_int_equal(json_count(steps), 1);
    assert_json(json_get(json_at(steps, 0), "begin"), "0");
    assert_json(json_get(json_at(steps, 0), "end"), "15");
    assert_json(json_get(schedule, "study"), "\"swingup\"");
    assert_json(json_get(schedule, "unit"), "\"episode\"");
    assert_json(
        json_get(schedule, "objective"),
        "{\"metric\":\"episode_reward\",\"direction\":\"maximize\",\"reduce\":\"mean_last\","
        "\"window\":3}");
    assert_json(json_get(schedule, "provenance"),
                "{\"study_hash\":\"0123456789abcdef\",\"study_seed\":7,\"scheduler\":\"pbt-bt\","
                "\"numerics\":\"generic\",\"segment\":5,\"trial\":0,\"objective\":15.0,"
                "\"lineage\":[1,3,5]}");
    json_release(schedule);
    /* another seed is another step, the values being equal or not */
    assert_ok(report_schedule(f->results, 6, &schedule));
    assert_int_equal(json_count(json_get(schedule, "steps")), 2);
    json_release(schedule);
    assert_fails(report_schedule(f->results, 66, &schedule), STATUS_ERR_UNKNOWN_NAME, "66");
}

static void the_summary_counts(void **state) {
    Fixture *f = *state;
    Json    *summary = NULL;
    assert_ok(report_summary(f->results, &summary));
    assert_true(json_is_null(json_get(summary, "best")));
    assert_true(json_is_null(json_get(summary, "utilization")));
    json_release(summary);
    build_tree(f);
    fixture_segment(f, 7, 4, 1, 15, "continue");
    assert_ok(report_summary(f->results, &summary));
    assert_json(json_get(summary, "segments"),
                "{\"queued\":1,\"running\":0,\"finished\":6,\"failed\":0}");
    assert_json(json_get(summary, "outcomes"), "{\"done\":6}");
    assert_json(json_get(summary, "reasons"),
                "{\"backtrack\":1,\"continue\":3,\"exploit\":1,\"initial\":2}");
    assert_json(json_get(summary, "units_consumed"), "30");
    assert_json(json_get(summary, "reproducible"), "true");
    assert_json(json_get(json_get(summary, "best"), "segment"), "4");
    assert_true(json_is_null(json_get(summary, "confirmation")));
    json_release(summary);
}

static void utilization_is_busy_time_over_slots_and_span(void **state) {
    Fixture *f = *state;
    Json    *summary = NULL;
    build_tree(f);
    /* two slots: [0, 4] and [6, 10]; [0, 13]; dispatches from 0 to 10, the last one still runs */
    assert_ok(results__script(
        f->results,
        "DELETE FROM attempt;"
        "INSERT INTO attempt (segment, number, worker, started_at, finished_at, outcome,"
        " busy_seconds) VALUES (1, 1, 0, 100, 104, 'done', 4),"
        " (2, 1, 1, 100, 113, 'done', 13), (3, 1, 0, 106, 110, 'crashed', NULL);"
        "INSERT INTO attempt (segment, number, worker, started_at)"
        " VALUES (4, 1, 0, 110);"));
    assert_ok(report_summary(f->results, &summary));
    assert_json(json_get(summary, "parallel"), "2");
    assert_close(json_number(json_get(summary, "utilization")), 0.9, 1e-12, 0.0);
    json_release(summary);
}

/* ---- canonical ------------------------------------------------------------------------------ */

/* the same study in a second database, with other times, workers, retries and checkpoints */
static void second_database(Fixture *f, bool different) {
    assert_ok(results_begin(f->results));
    fixture_trial(f, 0);
    (void)fixture_point(f, 0.001, (double)NAN);
    fixture_segment(f, 1, 0, 0, 5, "initial");
    fixture_decided(f, 0, 1);
    assert_ok(results_attempt_start(f->results, 1, 1, 9, "elsewhere"));
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "zzz", 1.0));
    assert_ok(results_attempt_fail(f->results, 1, 1, OUTCOME_KILLED, "kill -9", true));
    fixture_finish(f, 1, different ? 1.0 + 1e-15 : 1.0);
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "plan_seconds", 77.0));
    fixture_finished(f, 1, OUTCOME_DONE);
    assert_ok(results_checkpoint_set(f->results, 1, 0, 0, 0));
    assert_ok(results_commit(f->results));
}

static void the_canonical_text_ignores_times_attempts_and_timing(void **state) {
    Fixture *f = *state;
    Buffer   texts[3];
    fixture_segment(f, 1, 0, 0, 5, "initial");
    fixture_decided(f, 0, 1);
    fixture_finish(f, 1, 1.0);
    assert_ok(results_metric_insert(f->results, false, 1, 1, 0, "plan_seconds", 3.0));
    fixture_finished(f, 1, OUTCOME_DONE);
    assert_ok(results__script(f->results, "DELETE FROM trial WHERE id = 1"));
    fixture_canonical(f->results, &texts[0]);
    for (size_t i = 1; i < 3; i++) {
        void *other = NULL;
        (void)fixture_setup(&other);
        second_database(other, i == 2);
        fixture_canonical(((Fixture *)other)->results, &texts[i]);
        (void)fixture_teardown(&other);
    }
    assert_string_equal(buffer_text(&texts[0]), buffer_text(&texts[1]));
    assert_string_not_equal(buffer_text(&texts[0]), buffer_text(&texts[2]));
    assert_contains(buffer_text(&texts[0]),
                    "segment 1 - 0 0 0 5 100 finished done initial note 1\n");
    assert_contains(buffer_text(&texts[0]), "value 1 lr 0.001");
    assert_contains(buffer_text(&texts[0]), "metric 1 5 0 episode_reward 1\n");
    assert_contains(buffer_text(&texts[0]), "event 2 finished");
    assert_null(strstr(buffer_text(&texts[0]), "plan_seconds"));
    for (size_t i = 0; i < 3; i++) {
        buffer_reset(&texts[i]);
    }
}

#define WITH_TRIALS(test) cmocka_unit_test_setup_teardown(test, setup, fixture_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_TRIALS(segments_have_the_fields_that_scripts_rely_on),
        WITH_TRIALS(values_are_spelled_as_the_study_file_spells_them),
        cmocka_unit_test_setup_teardown(several_objectives_are_an_object_by_name, setup_two,
                                        fixture_teardown),
        WITH_TRIALS(trials_know_their_best_and_their_last),
        WITH_TRIALS(the_best_schedule_is_read_from_its_leaf_to_its_root),
        WITH_TRIALS(ties_go_to_the_earliest_and_constraints_come_first),
        WITH_TRIALS(evaluations_of_the_best_are_pooled_by_episodes),
        WITH_TRIALS(top_takes_each_line_once),
        WITH_TRIALS(a_segment_with_a_diverged_episode_in_its_window_is_never_first),
        WITH_TRIALS(the_window_reaches_back_as_far_as_the_objectives),
        WITH_TRIALS(a_study_may_allow_diverged_episodes),
        WITH_TRIALS(of_repeated_configurations_the_best_mean_wins_not_the_luckiest_chain),
        WITH_TRIALS(the_lowest_mean_wins_where_less_is_better),
        WITH_TRIALS(a_chain_that_ended_early_pulls_its_configuration_to_where_all_were),
        WITH_TRIALS(a_lineage_is_walked_from_the_root),
        WITH_TRIALS(a_schedule_merges_neighbours_and_says_where_it_is_from),
        WITH_TRIALS(the_summary_counts),
        WITH_TRIALS(utilization_is_busy_time_over_slots_and_span),
        WITH_TRIALS(the_canonical_text_ignores_times_attempts_and_timing),
    };
    return cmocka_run_group_tests_name("results/report", tests, NULL, NULL);
}
