/* A study that a person trains: ask, tell, from one shell after the other, with kill -9 between. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/clock.h"
#include "core/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 256 };

static void make(Scene *scene, const char *scheduler, const char *budget) {
    char text[2048];
    (void)snprintf(text, sizeof text,
                   "name: robot\n"
                   "trainer: manual\n"
                   "objective: {metric: reward, direction: maximize, reduce: last}\n"
                   "budget: {unit: run, %s}\n"
                   "scheduler: %s\n"
                   "hyperparameters:\n"
                   "  gain: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"
                   "seed: 3\n",
                   budget, scheduler);
    scene_write(scene, text);
    assert_int_equal(scene_run(scene, "1"), 0);
    assert_contains(scene->run.text, "mbtune ask");
}

/* `mbtune ask` with one more word or none; the caller releases the answer */
static int ask(Scene *scene, const char *a, const char *b, Json **answer) {
    const char *const arguments[] = {"ask", scene->study, a, b, NULL};
    const int         status = run_mbtune(&scene->run, arguments);
    const char       *end = strstr(scene->run.text, "\n}\n");
    *answer = NULL;
    if (end != NULL) {
        assert_ok(json_parse(scene->run.text, (size_t)(end + 3 - scene->run.text), answer));
    }
    return status;
}

static const Json *segment_at(const Json *answer, size_t index) {
    const Json *one = json_at(json_get(answer, "segments"), index);
    assert_non_null(one);
    return one;
}

static int tell(Scene *scene, int64_t segment, const char *a, const char *b) {
    char number[32];
    (void)snprintf(number, sizeof number, "%lld", (long long)segment);
    const char *const arguments[] = {"tell", scene->study, "--segment", number, a, b, NULL};
    return run_mbtune(&scene->run, arguments);
}

/* asks for one and gives its id; 0 where the study is over */
static int64_t ask_one(Scene *scene, double *gain) {
    Json *answer = NULL;
    assert_int_equal(ask(scene, NULL, NULL, &answer), 0);
    int64_t id = 0;
    if (strcmp(json_string(json_get(answer, "state")), "open") == 0) {
        const Json *one = segment_at(answer, 0);
        id = json_integer(json_get(one, "id"));
        *gain = json_number(json_get(json_get(one, "hyperparameters"), "gain"));
    }
    json_release(answer);
    return id;
}

/* the whole study, the reward being the gain */
static size_t train_all(Scene *scene) {
    size_t count = 0;
    for (;;) {
        double        gain = 0.0;
        char          value[32];
        const int64_t id = ask_one(scene, &gain);
        if (id == 0) {
            return count;
        }
        (void)snprintf(value, sizeof value, "%.17g", gain);
        assert_int_equal(tell(scene, id, value, NULL), 0);
        count++;
    }
}

static void a_person_trains_a_whole_study(void **state) {
    (void)state;
    Scene scene;
    make(&scene, "{name: random}", "per_trial: 2, segment: 1, trials: 3");
    assert_int_equal(train_all(&scene), 6);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM study WHERE state = 'done'"), 1);
    scene_assert_sound(&scene);
    const char *const best[] = {"best", scene.study, "-f", "json", NULL};
    assert_int_equal(run_mbtune(&scene.run, best), 0);
    /* a larger budget goes on */
    const char *const extend[] = {"extend", scene.study, "--set", "budget.trials=4", NULL};
    assert_int_equal(run_mbtune(&scene.run, extend), 0);
    assert_int_equal(train_all(&scene), 2);
    scene_remove(&scene);
}

static Json *answer_of(Scene *scene, const char *line) {
    Json *answer = NULL;
    assert_int_equal(run_shell(&scene->run, line), 0);
    assert_ok(json_parse(scene->run.text, scene->run.length, &answer));
    return answer;
}

/* what a study recorded is what simulate takes: the best of the table is the best of the study */
static void its_curves_are_a_table_for_simulate(void **state) {
    (void)state;
    Scene scene;
    char  line[3 * SCENE_PATH_BYTES];
    make(&scene, "{name: random}", "per_trial: 2, segment: 1, trials: 3");
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 1);
    assert_contains(scene.run.text, "there is no curve to export");
    assert_int_equal(train_all(&scene), 6);
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves -o %s/curves.csv",
                   scene.study, scene.folder);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_string_equal(scene.run.text, "3 of 3 curves reach per_trial (2 runs)\n"); /* stderr */
    (void)snprintf(line, sizeof line, "mbtune simulate %s --table %s/curves.csv -f json",
                   scene.yaml, scene.folder);
    Json *simulated = answer_of(&scene, line);
    (void)snprintf(line, sizeof line, "mbtune best %s -f json", scene.study);
    Json *best = answer_of(&scene, line);
    assert_int_equal(json_integer(json_get(simulated, "segments")), 6);
    assert_true(json_number(json_get(json_get(simulated, "best"), "objective")) ==
                json_number(json_get(best, "objective")));
    json_release(simulated);
    json_release(best);
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves -f yaml", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 2);
    (void)snprintf(line, sizeof line, "mbtune export %s -f csv", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 2);
    scene_remove(&scene);
}

/* one chain reaches its end, one fails in its second segment, one diverges in its first */
static void curves_that_end_early_are_told_of(void **state) {
    (void)state;
    Scene  scene;
    char   line[2 * SCENE_PATH_BYTES];
    double gain = 0.0;
    make(&scene, "{name: random}", "per_trial: 2, segment: 1, trials: 3");
    for (int64_t id = ask_one(&scene, &gain); id != 0; id = ask_one(&scene, &gain)) {
        char segment[64];
        (void)snprintf(segment, sizeof segment, "SELECT trial FROM segment WHERE id = %d", (int)id);
        const long trial = run_query(scene.study, segment);
        (void)snprintf(segment, sizeof segment, "SELECT \"begin\" FROM segment WHERE id = %d",
                       (int)id);
        const long begin = run_query(scene.study, segment);
        const bool fails = trial == 1 && begin == 1;
        assert_int_equal(tell(&scene, id,
                              fails          ? "--failed"
                              : (trial == 2) ? "nan"
                                             : "1",
                              fails ? "the arm broke" : NULL),
                         0);
    }
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves 2>&1 >/dev/null",
                   scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_string_equal(scene.run.text, "1 of 3 curves reaches per_trial (2 runs); 1 chain ended "
                                        "in a crash or another failure and 1 in divergence\n");
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves 2>/dev/null", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_int_equal(strncmp(scene.run.text, "gain,seed,unit,reward,seconds\n", 30), 0);
    assert_null(strstr(scene.run.text, "per_trial"));
    scene_remove(&scene);
}

static void a_confirmation_is_trained_by_hand_too(void **state) {
    (void)state;
    Scene scene;
    char  line[2 * SCENE_PATH_BYTES];
    make(&scene, "{name: random}\nconfirm: {top: 1, seeds: 2}", "per_trial: 1, trials: 2");
    assert_int_equal(train_all(&scene), 2 + 4);
    (void)snprintf(line, sizeof line, "mbtune export %s --what curves 2>&1 >/dev/null",
                   scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0); /* its rows are no curves */
    assert_string_equal(scene.run.text, "2 of 2 curves reach per_trial (1 run)\n");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM study WHERE state = 'done'"), 1);
    scene_remove(&scene);
}

static void wrong_answers_are_one_sentence_and_change_nothing(void **state) {
    (void)state;
    Scene  scene;
    double gain = 0.0;
    make(&scene, "{name: random}", "per_trial: 1, trials: 2");
    assert_int_equal(tell(&scene, 1, "3", NULL), 1);
    const int64_t id = ask_one(&scene, &gain);
    assert_int_equal(tell(&scene, id, "loss=3", NULL), 1);
    assert_contains(scene.run.text, "objective 'reward' is missing");
    assert_int_equal(tell(&scene, id, "three", NULL), 2);
    assert_int_equal(tell(&scene, id, NULL, NULL), 2);
    assert_int_equal(tell(&scene, 7, "3", NULL), 1);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM metric"), 0);
    assert_int_equal(tell(&scene, id, "-3.5", "loss=2"), 0);
    assert_contains(scene.run.text, "best: segment 1, -3.5");
    assert_int_equal(tell(&scene, id, "4", NULL), 1);
    assert_contains(scene.run.text, "has its result already");
    assert_int_equal(tell(&scene, ask_one(&scene, &gain), "--failed", "the arm broke"), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM attempt WHERE outcome = "
                                            "'crashed' AND reason = 'the arm broke'"),
                     1);
    assert_int_equal(ask_one(&scene, &gain), 0);
    scene_remove(&scene);
}

static void a_barrier_waits_and_says_for_what(void **state) {
    (void)state;
    Scene scene;
    Json *answer = NULL;
    make(&scene, SCENE_SYNCHRONOUS, "per_trial: 4, segment: 2");
    assert_int_equal(ask(&scene, "-n", "9", &answer), 0);
    assert_int_equal(json_count(json_get(answer, "segments")), 4);
    json_release(answer);
    assert_int_equal(ask(&scene, NULL, NULL, &answer), 75);
    assert_int_equal(json_count(json_get(answer, "waiting_for")), 4);
    json_release(answer);
    assert_int_equal(ask(&scene, "--open", NULL, &answer), 0);
    assert_int_equal(json_count(json_get(answer, "segments")), 4);
    json_release(answer);
    for (int64_t id = 4; id >= 1; id--) {
        assert_int_equal(tell(&scene, id, (id == 2) ? "5" : "1", NULL), 0);
    }
    assert_int_equal(ask(&scene, NULL, NULL, &answer), 0);
    assert_true(json_integer(json_get(segment_at(answer, 0), "parent")) > 0);
    assert_int_equal(json_integer(json_get(segment_at(answer, 0), "begin")), 2);
    json_release(answer);
    scene_remove(&scene);
}

/* two shells at a time: each gets segments of its own, and nothing is lost */
static void two_shells_get_different_segments(void **state) {
    (void)state;
    Scene scene;
    Run   other;
    Json *answer = NULL;
    make(&scene, "{name: random}", "per_trial: 1, trials: 6");
    const char *const arguments[] = {"ask", scene.study, "-n", "3", NULL};
    run_start(&other, arguments);
    assert_int_equal(ask(&scene, "-n", "3", &answer), 0);
    json_release(answer);
    assert_int_equal(run_wait(&other), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     6);
    scene_remove(&scene);
}

/* kill -9 after different times, also inside a call: the rows are those of an undisturbed study */
static void a_kill_loses_nothing(void **state) {
    (void)state;
    Scene scene;
    Scene whole;
    make(&whole, SCENE_SYNCHRONOUS, "per_trial: 4, segment: 2");
    (void)train_all(&whole);
    make(&scene, SCENE_SYNCHRONOUS, "per_trial: 4, segment: 2");
    for (int i = 0; i < 60; i++) {
        const char *const arguments[] = {"ask", scene.study, NULL};
        Run               run;
        int               exit_status = 0;
        Json             *answer = NULL;
        run_start(&run, arguments);
        clock_sleep(0.002 * (i % 15));
        (void)kill(run.pid, SIGKILL);
        (void)run_wait_for(&run, 10.0, &exit_status);
        /* what was handed out and never seen is shown again */
        assert_int_equal(ask(&scene, "--open", NULL, &answer), 0);
        for (size_t k = 0; k < json_count(json_get(answer, "segments")); k++) {
            const Json *one = segment_at(answer, k);
            char        value[32];
            (void)snprintf(value, sizeof value, "%.17g",
                           json_number(json_get(json_get(one, "hyperparameters"), "gain")));
            char number[32];
            (void)snprintf(number, sizeof number, "%lld",
                           (long long)json_integer(json_get(one, "id")));
            const char *const told[] = {"tell", scene.study, "--segment", number, value, NULL};
            run_start(&run, told);
            clock_sleep(0.002 * (i % 11));
            (void)kill(run.pid, SIGKILL);
            (void)run_wait_for(&run, 10.0, &exit_status);
        }
        json_release(answer);
    }
    /* what is still out is told, and the study goes on to its end */
    Json *answer = NULL;
    assert_int_equal(ask(&scene, "--open", NULL, &answer), 0);
    for (size_t k = 0; k < json_count(json_get(answer, "segments")); k++) {
        const Json *one = segment_at(answer, k);
        char        value[32];
        (void)snprintf(value, sizeof value, "%.17g",
                       json_number(json_get(json_get(one, "hyperparameters"), "gain")));
        assert_int_equal(tell(&scene, json_integer(json_get(one, "id")), value, NULL), 0);
    }
    json_release(answer);
    (void)train_all(&scene);
    scene_assert_sound(&scene);
    char *expected = run_canonical(whole.study);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
    scene_remove(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_trains_a_whole_study),
        cmocka_unit_test(its_curves_are_a_table_for_simulate),
        cmocka_unit_test(curves_that_end_early_are_told_of),
        cmocka_unit_test(a_confirmation_is_trained_by_hand_too),
        cmocka_unit_test(wrong_answers_are_one_sentence_and_change_nothing),
        cmocka_unit_test(a_barrier_waits_and_says_for_what),
        cmocka_unit_test(two_shells_get_different_segments),
        cmocka_unit_test(a_kill_loses_nothing),
    };
    return cmocka_run_group_tests_name("tuner/manual", tests, NULL, NULL);
}
