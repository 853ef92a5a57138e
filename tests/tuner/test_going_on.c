/* Stopping early, other budgets, and commands to a study, running or not: what they do, that they
 * do it once, and that a kill -9 in between changes nothing. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/clock.h"
#include "core/file.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SQL_BYTES = 256 };

/* chains of 12 units in segments of 2 that one worker runs one after the other */
static const char sampler[] = "{name: random}";

static void assert_reason(const Scene *scene, const char *state, const char *like) {
    char sql[SQL_BYTES];
    (void)snprintf(sql, sizeof sql,
                   "SELECT count(*) FROM study WHERE state = '%s' AND reason LIKE '%s'", state,
                   like);
    if (run_query(scene->study, sql) != 1) {
        fail_msg("the study is not %s with a reason like '%s':\n%s", state, like, scene->run.text);
    }
}

/* `mbtune COMMAND STUDY ARGUMENTS...` beside what runs; its output is in `beside` */
static int command(const Scene *scene, Run *beside, const char *name, const char *a, const char *b,
                   const char *c) {
    const char *const arguments[] = {name, scene->study, a, b, c, NULL};
    return run_mbtune(beside, arguments);
}

static const char *values_file(const Scene *scene, const char *text, char path[SCENE_PATH_BYTES]) {
    (void)snprintf(path, SCENE_PATH_BYTES, "%s/values.json", scene->folder);
    assert_ok(file_write_atomic(path, text, strlen(text)));
    return path;
}

static long units(const Scene *scene) {
    return run_query(scene->study, "SELECT sum(\"end\" - \"begin\") FROM segment "
                                   "WHERE state = 'finished' AND id < 1000000000");
}

static size_t requests_left(const Scene *scene, const char *pattern) {
    char   path[3 * SCENE_PATH_BYTES];
    glob_t found;
    (void)snprintf(path, sizeof path, "%s/requests/%s", scene->study, pattern);
    const int    status = glob(path, 0, NULL, &found);
    const size_t count = (status == 0) ? found.gl_pathc : 0;
    if (status == 0) {
        globfree(&found);
    }
    return count;
}

static void start_until(Scene *scene, const char *workers, long finished, const char *trials) {
    char set[64];
    char database[SCENE_PATH_BYTES + 16];
    int  exit_status = 0;
    (void)snprintf(set, sizeof set, "budget.trials=%s", trials);
    (void)snprintf(database, sizeof database, "%s/study.db", scene->study);
    const char *const arguments[] = {"run",   scene->yaml, "--dir", scene->study, "--workers",
                                     workers, "--set",     set,     NULL};
    run_start(&scene->run, arguments);
    while (!file_exists(database) ||
           run_query(scene->study, "SELECT count(*) FROM segment WHERE state = 'finished'") <
               finished) {
        if (run_wait_for(&scene->run, 0.01, &exit_status)) {
            fail_msg("it ended with %d:\n%s", exit_status, scene->run.text);
        }
    }
}

/* ---- no improvement ------------------------------------------------------------------------- */

static void no_improvement_ends_the_study_and_stays_the_end(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    /* an improvement by that much never comes: the first segment, then 8 units without one */
    scene_make(&scene, "{name: sobol}\nstop: {no_improvement: {units: 8, by: 1.0e6}}", "", 0.0);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=4"), 0);
    assert_contains(scene.run.text, "done: no improvement of episode_reward by more than 1e+06");
    assert_reason(&scene, "done", "no improvement%in 8 episodes");
    const long before = units(&scene);
    assert_true(before >= 10 && before < 48);
    char *rows = run_canonical(scene.study);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=4"), 0);
    assert_reason(&scene, "done", "no improvement%");
    char *again = run_canonical(scene.study);
    assert_string_equal(rows, again);
    free(rows);
    free(again);
    /* a user who extends it wants more: it counts from there */
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=5", NULL), 0);
    assert_reason(&scene, "done", "no improvement%");
    assert_true(units(&scene) >= before + 8 && units(&scene) < 60);
    scene_remove(&scene);
}

static void a_barrier_study_stops_at_the_same_rows_with_any_number_of_workers(void **state) {
    (void)state;
    char *rows[3] = {NULL};
    for (size_t i = 0; i < 3; i++) {
        Scene             scene;
        static const char workers[3][2] = {"1", "2", "2"};
        scene_make(&scene, SCENE_SYNCHRONOUS "\nstop: {no_improvement: {units: 10, by: 1.0e6}}", "",
                   (i == 2) ? 0.03 : 0.0);
        if (i == 2) {
            scene_start_until(&scene, workers[i], "finished", 3);
            (void)run_signal_all(&scene.run, SIGKILL);
            (void)run_wait(&scene.run);
        }
        assert_int_equal(scene_run(&scene, workers[i]), 0);
        assert_reason(&scene, "done", "no improvement%");
        rows[i] = run_canonical(scene.study);
        scene_remove(&scene);
    }
    assert_string_equal(rows[0], rows[1]);
    assert_string_equal(rows[0], rows[2]);
    for (size_t i = 0; i < 3; i++) {
        free(rows[i]);
    }
}

/* ---- extend --------------------------------------------------------------------------------- */

static void extending_goes_on_after_the_end_and_the_old_file_takes_nothing_back(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=2"), 0);
    assert_int_equal(units(&scene), 24);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=3", NULL), 0);
    assert_contains(beside.text, "36 episodes in 3 trials");
    assert_int_equal(units(&scene), 36);
    assert_int_equal(
        run_query(scene.study, "SELECT trials FROM event WHERE kind = 'budget_changed'"), 3);
    /* what the file says did not change, so what the user changed holds */
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=2"), 0);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM event WHERE kind = 'budget_changed'"), 1);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=48", "--later"), 0);
    assert_contains(beside.text, "waits for its next run");
    assert_int_equal(units(&scene), 36);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=2"), 0);
    assert_int_equal(units(&scene), 48);
    assert_int_equal(requests_left(&scene, "*.json"), 0);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "seed=4", NULL), 2);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=x", NULL), 1);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

static void a_total_below_what_is_used_is_refused(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.05);
    start_until(&scene, "1", 3, "3");
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=4", NULL), 1);
    assert_contains(beside.text, "a total of 4 episodes is less than what is used already: ");
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(units(&scene), 36);
    /* the same where nobody runs it: nothing is started, nothing waits */
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=35", NULL), 1);
    assert_contains(beside.text,
                    "a total of 35 episodes is less than what is used already: 36 (mbtune stop");
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=35", "--later"), 1);
    assert_int_equal(requests_left(&scene, "*"), 0);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM event WHERE kind = 'budget_changed'"), 0);
    scene_remove(&scene);
}

/* its members have reached the full depth: more units train nobody, and that is said */
/* three trials have begun, and one more would be new */
static void fewer_trials_than_have_begun_are_refused(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.05);
    start_until(&scene, "1", 7, "3"); /* segments of 2 units: the second trial's first */
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=1", NULL), 1);
    assert_contains(beside.text, "1 trial is less than what has begun already: ");
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(units(&scene), 36);
    /* the same where nobody runs it: nothing is started, nothing waits */
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=2", NULL), 1);
    assert_contains(beside.text,
                    "2 trials are less than what has begun already: 3 (mbtune stop ends");
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=2", "--later"), 1);
    assert_int_equal(requests_left(&scene, "*"), 0);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM event WHERE kind = 'budget_changed'"), 0);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.trials=3", "--later"), 0);
    scene_remove(&scene);
}

static void extending_a_finished_population_says_that_nothing_is_left(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    const long before = units(&scene);
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=400", NULL), 0);
    assert_contains(beside.text, "the budget is now 400 episodes, but there is nothing more to "
                                 "train: every member reached 12 units");
    assert_int_equal(units(&scene), before);
    scene_remove(&scene);
}

static void extending_a_running_study_is_answered_and_applied(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.02);
    start_until(&scene, "2", 2, "2");
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=60", NULL), 0);
    assert_string_equal(beside.text, "the budget is now 60 episodes in 5 trials\n");
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(units(&scene), 60);
    assert_int_equal(requests_left(&scene, "*"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* ---- enqueue -------------------------------------------------------------------------------- */

static long enqueued_trials(const Scene *scene) {
    return run_query(scene->study, "SELECT count(*) FROM segment WHERE reason = 'enqueued'");
}

static void points_of_a_user_are_checked_and_tried(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    char  path[SCENE_PATH_BYTES];
    scene_make(&scene, sampler, "", 0.02);
    start_until(&scene, "1", 2, "8");
    assert_int_equal(command(&scene, &beside, "enqueue",
                             values_file(&scene, "[{\"x\": 0.25}, {\"x\": 2.0}]", path), NULL,
                             NULL),
                     1);
    assert_contains(beside.text, "point 2: ");
    assert_int_equal(requests_left(&scene, "*"), 0);
    assert_int_equal(command(&scene, &beside, "enqueue",
                             values_file(&scene, "[{\"x\": 0.25}, {\"x\": 0.75}]", path), NULL,
                             NULL),
                     0);
    assert_string_equal(beside.text, "2 points enqueued\n");
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(enqueued_trials(&scene), 2);
    assert_int_equal(run_query(scene.study,
                               "SELECT count(*) FROM segment_hyperparameter AS h JOIN "
                               "segment AS s ON s.id = h.segment WHERE s.reason = "
                               "'enqueued' AND h.name = 'x' AND value IN (0.25, 0.75)"),
                     2);
    /* one that has ended waits for its next run, which goes on for it */
    assert_int_equal(command(&scene, &beside, "enqueue",
                             values_file(&scene, "{\"x\": 0.125}", path), NULL, NULL),
                     0);
    assert_contains(beside.text, "waits for its next run");
    assert_int_equal(command(&scene, &beside, "extend", "--set", "budget.total=108", NULL), 0);
    assert_int_equal(enqueued_trials(&scene), 3);
    assert_reason(&scene, "done", "%");
    scene_remove(&scene);
}

static void a_request_is_applied_once_whatever_is_killed(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    char  path[SCENE_PATH_BYTES];
    char  shell[3 * SCENE_PATH_BYTES];
    scene_make(&scene, sampler, "", 0.02);
    start_until(&scene, "1", 1, "3");
    (void)run_signal_all(&scene.run, SIGKILL);
    (void)run_wait(&scene.run);
    assert_int_equal(
        command(&scene, &beside, "enqueue", values_file(&scene, "{\"x\": 0.5}", path), NULL, NULL),
        0);
    /* as if the coordinator had died between the commit and the removal: the file is there again */
    (void)snprintf(shell, sizeof shell, "cp -r '%s/requests' '%s/saved'", scene.study,
                   scene.folder);
    assert_int_equal(run_shell(&beside, shell), 0);
    start_until(&scene, "1", 3, "3");
    (void)run_signal_all(&scene.run, SIGKILL);
    (void)run_wait(&scene.run);
    (void)snprintf(shell, sizeof shell, "cp '%s'/saved/* '%s/requests/'", scene.folder,
                   scene.study);
    assert_int_equal(run_shell(&beside, shell), 0);
    assert_int_equal(requests_left(&scene, "*.json"), 1);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=3"), 0);
    assert_int_equal(requests_left(&scene, "*.json"), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM event WHERE kind = 'enqueued'"),
                     1);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM request"), 1);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

static void a_stray_file_in_requests_ends_nothing(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    char  shell[4 * SCENE_PATH_BYTES];
    scene_make(&scene, sampler, "", 0.0);
    (void)snprintf(shell, sizeof shell,
                   "mkdir -p '%s/requests/folder.json'; echo '{\"command\": \"dance\"}' "
                   ">'%s/requests/1.json'; echo nonsense >'%s/requests/2.json'",
                   scene.study, scene.study, scene.study);
    assert_int_equal(run_shell(&beside, shell), 0);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=1"), 0);
    assert_contains(scene.run.text, "no command 'dance'");
    assert_int_equal(requests_left(&scene, "*.json"), 0);
    scene_remove(&scene);
}

/* ---- stop ----------------------------------------------------------------------------------- */

static void a_stopped_study_can_go_on(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    char *expected = scene_undisturbed(scene_make_slow);
    scene_make_slow(&scene);
    scene_start_until(&scene, "2", "finished", 2);
    assert_int_equal(command(&scene, &beside, "stop", NULL, NULL, NULL), 0);
    assert_contains(beside.text, "stopping");
    assert_int_equal(run_wait(&scene.run), 75);
    assert_reason(&scene, "interrupted", "stopped by a user%");
    assert_int_equal(command(&scene, &beside, "stop", NULL, NULL, NULL), 1);
    assert_contains(beside.text, "not running");
    assert_int_equal(scene_run(&scene, "2"), 0);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

/* kill: between the request and its effect the coordinator dies */
static void stop_a_trial(bool kill_it) {
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.1);
    start_until(&scene, "1", 1, "2");
    if (kill_it) {
        (void)run_signal_all(&scene.run, SIGKILL);
        (void)run_wait(&scene.run);
    }
    assert_int_equal(command(&scene, &beside, "stop", "--trial", "0", NULL), 0);
    assert_contains(beside.text, kill_it ? "waits" : "trial 0 is stopped");
    const int exit_status =
        kill_it ? scene_run_with(&scene, "1", "budget.trials=2") : run_wait(&scene.run);
    assert_int_equal(exit_status, 0);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE trial = 0 AND "
                                            "outcome = 'cancelled'"),
                     1);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment AS s WHERE trial = 0 AND "
                                            "s.id > (SELECT id FROM segment WHERE outcome = "
                                            "'cancelled')"),
                     0);
    assert_int_equal(run_query(scene.study, "SELECT max(\"end\") FROM segment WHERE trial = 1 AND "
                                            "state = 'finished'"),
                     12);
    /* nobody runs it: told at once, and nothing waits */
    assert_int_equal(command(&scene, &beside, "stop", "--trial", "99", NULL), 1);
    assert_contains(beside.text, "there is no trial 99 yet");
    assert_int_equal(requests_left(&scene, "*.json"), 0);
    scene_remove(&scene);
}

static void a_stopped_trial_gets_no_further_segment(void **state) {
    (void)state;
    stop_a_trial(false);
    stop_a_trial(true);
}

/* ---- pin ------------------------------------------------------------------------------------ */

static long kept(const Scene *scene, int segment) {
    char sql[SQL_BYTES];
    char pattern[SCENE_PATH_BYTES + 64];
    (void)snprintf(sql, sizeof sql, "SELECT kept FROM segment WHERE id = %d", segment);
    const long row = run_query(scene->study, sql);
    (void)snprintf(pattern, sizeof pattern, "../checkpoints/%d.a*", segment);
    assert_int_equal(requests_left(scene, pattern), row);
    return row;
}

static void a_pinned_checkpoint_stays_or_is_made_again(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.05);
    start_until(&scene, "1", 2, "1");
    assert_int_equal(command(&scene, &beside, "pin", "--segment", "2", NULL), 0);
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(kept(&scene, 1), 0);
    assert_int_equal(kept(&scene, 2), 1);
    /* gone already: computed again by the next run; the other one may go */
    assert_int_equal(command(&scene, &beside, "pin", "--segment", "3", NULL), 0);
    assert_int_equal(command(&scene, &beside, "pin", "--segment", "2", "--unpin"), 0);
    assert_int_equal(scene_run_with(&scene, "1", "budget.trials=1"), 0);
    assert_int_equal(kept(&scene, 2), 0);
    assert_int_equal(kept(&scene, 3), 1);
    assert_int_equal(command(&scene, &beside, "pin", NULL, NULL, NULL), 2);
    assert_int_equal(command(&scene, &beside, "pin", "--segment", "77", NULL), 1);
    assert_contains(beside.text, "no segment 77");
    assert_int_equal(requests_left(&scene, "*.json"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* two trainers would write to the same file */
static void a_checkpoint_that_is_pinned_twice_is_made_again_once(void **state) {
    (void)state;
    Scene scene;
    Run   beside;
    scene_make(&scene, sampler, "", 0.4);
    assert_int_equal(scene_run_with(&scene, "2", "budget.trials=1"), 0);
    assert_int_equal(kept(&scene, 1), 0);
    scene.set = "budget.trials=2";
    scene_start_until(&scene, "2", "running", 1);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            command(&scene, &beside, "pin", "--segment", "1", (i == 1) ? "--unpin" : NULL), 0);
    }
    assert_int_equal(run_wait(&scene.run), 0);
    assert_int_equal(kept(&scene, 1), 1);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM log WHERE text = 'computing the "
                                            "checkpoint of segment 1 again'"),
                     1);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_improvement_ends_the_study_and_stays_the_end),
        cmocka_unit_test(a_barrier_study_stops_at_the_same_rows_with_any_number_of_workers),
        cmocka_unit_test(extending_goes_on_after_the_end_and_the_old_file_takes_nothing_back),
        cmocka_unit_test(a_total_below_what_is_used_is_refused),
        cmocka_unit_test(fewer_trials_than_have_begun_are_refused),
        cmocka_unit_test(extending_a_finished_population_says_that_nothing_is_left),
        cmocka_unit_test(extending_a_running_study_is_answered_and_applied),
        cmocka_unit_test(points_of_a_user_are_checked_and_tried),
        cmocka_unit_test(a_request_is_applied_once_whatever_is_killed),
        cmocka_unit_test(a_stray_file_in_requests_ends_nothing),
        cmocka_unit_test(a_stopped_study_can_go_on),
        cmocka_unit_test(a_stopped_trial_gets_no_further_segment),
        cmocka_unit_test(a_pinned_checkpoint_stays_or_is_made_again),
        cmocka_unit_test(a_checkpoint_that_is_pinned_twice_is_made_again_once),
    };
    return cmocka_run_group_tests_name("tuner/going_on", tests, NULL, NULL);
}
