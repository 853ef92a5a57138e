/* The real program on real processes: whole studies with the scripted trainer, stopped, killed and
 * resumed. What must be equal between two runs is compared as one text (report_canonical) plus the
 * checksums of all checkpoints. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/buffer.h"
#include "core/clock.h"
#include "core/file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RERUNS = 60, KILLS = 20 };

/* ---- determinism --------------------------------------------------------------------------------
 */

static void synchronous_rows_do_not_depend_on_the_number_of_workers(void **state) {
    (void)state;
    static const char *const workers[] = {"1", "2", "4"};
    char                    *first = NULL;
    for (size_t i = 0; i < 3; i++) {
        Scene scene;
        scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
        assert_int_equal(scene_run(&scene, workers[i]), 0);
        scene_assert_sound(&scene);
        char *rows = run_canonical(scene.study);
        if (first == NULL) {
            first = rows;
            assert_true(run_query(scene.study, "SELECT count(*) FROM segment WHERE reason = "
                                               "'exploit'") > 0);
        } else {
            assert_string_equal(rows, first);
            free(rows);
        }
        scene_remove(&scene);
    }
    free(first);
}

/* uniform in [0, 1): a linear congruential generator is enough to scatter moments */
static double draw(unsigned *seed) {
    *seed = *seed * 1664525U + 1013904223U;
    return (double)(*seed >> 8) / (double)(1U << 24);
}

/* One study from start to end, with kills up to `spread` seconds apart as long as there are any
 * left to make; rerun until the exit is not 75. @return kills made */
static unsigned run_with_kills(Scene *scene, Victim victim, double spread, unsigned kills,
                               unsigned *seed) {
    unsigned killed = 0;
    int      exit_status = 75;
    for (unsigned rerun = 0; rerun < MAX_RERUNS && exit_status == 75; rerun++) {
        scene_start(scene, "2");
        while (!run_wait_for(&scene->run, draw(seed) * spread, &exit_status)) {
            if (killed < kills && run_kill(&scene->run, victim, *seed >> 16)) {
                killed++;
            }
        }
        if (exit_status != 0 && exit_status != 75) {
            fail_msg("exit %d:\n%s", exit_status, scene->run.text);
        }
    }
    assert_int_equal(exit_status, 0);
    return killed;
}

/* KILLS kills in as many studies as that takes; each ends with the rows of the undisturbed one */
static void survive(MakeScene make, Victim victim, double spread, unsigned seed) {
    char    *expected = scene_undisturbed(make);
    unsigned killed = 0;
    for (unsigned study = 0; study < KILLS && killed < KILLS; study++) {
        Scene scene;
        make(&scene);
        scene.set = "limits.heartbeat=0.2"; /* the dead are given up after three of these */
        killed += run_with_kills(&scene, victim, spread, KILLS - killed, &seed);
        scene_assert_sound(&scene);
        char *rows = run_canonical(scene.study);
        assert_string_equal(rows, expected);
        free(rows);
        scene_remove(&scene);
    }
    free(expected);
    assert_int_equal(killed, KILLS);
}

static void killed_trainers_change_nothing(void **state) {
    (void)state;
    survive(scene_make_slow, VICTIM_TRAINER, 0.1, 11);
}

static void killed_workers_change_nothing(void **state) {
    (void)state;
    survive(scene_make_slow, VICTIM_WORKER, 0.6, 22);
}

static void killed_coordinators_change_nothing(void **state) {
    (void)state;
    survive(scene_make_slow, VICTIM_COORDINATOR, 0.6, 33);
}

static void killed_pets_trainers_change_nothing(void **state) {
    (void)state;
    survive(scene_make_pets, VICTIM_TRAINER, 0.1, 44);
}

static void killed_workers_of_pets_change_nothing(void **state) {
    (void)state;
    survive(scene_make_pets, VICTIM_WORKER, 0.6, 55);
}

static void killed_coordinators_of_pets_change_nothing(void **state) {
    (void)state;
    survive(scene_make_pets, VICTIM_COORDINATOR, 0.6, 66);
}

static void pets_rows_do_not_depend_on_the_number_of_workers(void **state) {
    (void)state;
    Scene scene;
    char *expected = scene_undisturbed(scene_make_pets);
    scene_make_pets(&scene);
    assert_int_equal(scene_run(&scene, "1"), 0);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

/* ---- signals -------------------------------------------------------------------------------- */

static void a_signal_stops_within_ten_seconds_and_the_rest_follows_later(void **state) {
    (void)state;
    char *expected = scene_undisturbed(scene_make_slow);
    Scene scene;
    int   exit_status = 0;
    char  line[2 * SCENE_PATH_BYTES];
    scene_make_slow(&scene);
    /* a folder that a shell would take for two words */
    (void)snprintf(scene.study, sizeof scene.study, "%.400s/a study's", scene.folder);
    scene_start_until(&scene, "2", "finished", 2);
    const double began = clock_monotonic();
    assert_int_equal(kill(scene.run.pid, SIGINT), 0);
    exit_status = run_wait(&scene.run);
    assert_true(clock_monotonic() - began < 10.0);
    assert_int_equal(exit_status, 75);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    const char *how = strstr(scene.run.text, "resume with: ");
    assert_non_null(how);
    how += strlen("resume with: ");
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(how, "\n"), how);
    assert_int_equal(run_shell(&scene.run, line), 0);
    char *rows = run_canonical(scene.study);
    assert_string_equal(rows, expected);
    free(rows);
    free(expected);
    scene_remove(&scene);
}

/* ---- trainers that never start ------------------------------------------------------------------
 */

static void a_trainer_that_cannot_start_spends_no_budget(void **state) {
    (void)state;
    Scene scene;
    char  trainer[SCENE_PATH_BYTES + 16];
    scene_write(&scene, "name: scene\n"
                        "trainer: {command: [sh, train.sh]}\n"
                        "objective: {metric: x, direction: maximize}\n"
                        "budget: {unit: epoch, per_trial: 2, trials: 3}\n"
                        "scheduler: {name: random}\n"
                        "hyperparameters: {a: {type: float, lower: 0.0, upper: 1.0}}\n");
    (void)snprintf(trainer, sizeof trainer, "%s/train.sh", scene.folder);
    const char broken[] = "echo no module named torch >&2; exit 1\n";
    assert_ok(file_write_atomic(trainer, broken, sizeof broken - 1));
    assert_int_equal(scene_run(&scene, "1"), 1);
    assert_contains(scene.run.text, "no trainer has ever said hello");
    assert_contains(scene.run.text, "no module named torch");
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state <> 'queued'"),
                     0);
    const char mended[] = "exec " SCENE_FAKE_TRAINER " --sleep 0\n";
    assert_ok(file_write_atomic(trainer, mended, sizeof mended - 1));
    /* it says hello, but not what is asked for: that is a result */
    assert_int_equal(scene_run(&scene, "1"), 1);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM segment WHERE outcome = 'no_objective'"), 3);
    scene_remove(&scene);
}

static void what_was_killed_is_shown_as_cut_off(void **state) {
    (void)state;
    Scene scene;
    char  show_line[2 * SCENE_PATH_BYTES];
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 30.0);
    (void)snprintf(show_line, sizeof show_line, "mbtune show %s", scene.study);
    scene_start_until(&scene, "2", "running", 2);
    Run shown;
    assert_int_equal(run_shell(&shown, show_line), 0);
    assert_contains(shown.text, "running");
    assert_null(strstr(shown.text, "cut off"));
    assert_true(run_kill(&scene.run, VICTIM_COORDINATOR, 0));
    assert_int_equal(run_wait(&scene.run), 75);
    assert_int_equal(run_shell(&shown, show_line), 0);
    assert_contains(shown.text, "interrupted");
    assert_contains(shown.text, "cut off");
    scene_remove(&scene);
}

/* ---- whole studies ------------------------------------------------------------------------------
 */

static void an_asynchronous_study_branches_and_ends(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_ASYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    /* a restore may jump forward, to an elite of a member that is ahead: never more than the total
     */
    const long units = run_query(scene.study, "SELECT sum(\"end\" - \"begin\") FROM segment");
    assert_true(units > 24 && units <= 48);
    assert_true(run_query(scene.study, "SELECT count(*) FROM segment WHERE reason IN ('exploit', "
                                       "'backtrack')") > 0);
    /* running it again does nothing and says so */
    assert_int_equal(scene_run(&scene, "2"), 0);
    assert_contains(scene.run.text, "done");
    scene_remove(&scene);
}

static void another_study_is_refused_with_the_keys_that_differ(void **state) {
    (void)state;
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    const char *const arguments[] = {"run",   scene.yaml, "--dir", scene.study,
                                     "--set", "seed=4",   NULL};
    assert_int_equal(run_mbtune(&scene.run, arguments), 1);
    assert_contains(scene.run.text, "seed");
    assert_contains(scene.run.text, "another study");
    scene_remove(&scene);
}

static void a_folder_that_is_no_study_is_refused(void **state) {
    (void)state;
    Scene scene;
    char  path[SCENE_PATH_BYTES + 16];
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_ok(file_make_folder(scene.study));
    (void)snprintf(path, sizeof path, "%s/thesis.tex", scene.study);
    assert_ok(file_write_atomic(path, "x", 1));
    assert_int_equal(scene_run(&scene, "1"), 1);
    assert_contains(scene.run.text, "thesis.tex");
    scene_remove(&scene);
}

static void a_second_coordinator_is_refused(void **state) {
    (void)state;
    Scene scene;
    Run   second;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.4); /* longer than the second one waits */
    scene_start_until(&scene, "2", "running", 1);
    const char *const arguments[] = {"run", scene.yaml, "--dir", scene.study, NULL};
    assert_int_equal(run_mbtune(&second, arguments), 1);
    assert_contains(second.text, "another mbtune is running");
    assert_int_equal(run_wait(&scene.run), 0);
    scene_remove(&scene);
}

/* ---- learning -----------------------------------------------------------------------------------
 */

/* the balance task with a planner a hundred times smaller than the published one */
static void pets_learns_to_balance(void **state) {
    (void)state;
    Scene scene;
    scene_write(
        &scene,
        "name: balance\n"
        "agent: pets\n"
        "environment: cartpole\n"
        "objective: {metric: episode_reward, direction: maximize, window: 3}\n"
        "budget: {unit: episode, per_trial: 8, segment: 8, trials: 1}\n"
        "scheduler: {name: random}\n"
        "hyperparameters:\n"
        "  model_learning_rate: {lower: 1.0e-4, upper: 4.0e-2, log: true, default: 1.0e-3}\n"
        "fixed: {ensemble_size: 5, hidden_layers: 2, hidden_width: 64, cem_candidates: 100, "
        "cem_iterations: 3, planning_horizon: 15, particles: 5, propagation: tsinf}\n"
        "seed: 1\n");
    assert_int_equal(scene_run(&scene, "1"), 0);
    /* an untrained agent falls after some 20 steps; 200 is the most */
    assert_true(
        run_query(scene.study, "SELECT value FROM segment_result WHERE kind = 'objective'") >= 150);
    scene_remove(&scene);
}

/* Segment 3 reports the highest reward by far, in a diverged episode. */
static void make_exploding(Scene *scene, const char *allow) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: scene\n"
                   "trainer: {command: [%s, --fault, explode@segment=3]}\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: 2, trials: 4}\n"
                   "scheduler: {name: random}\n"
                   "hyperparameters: {x: {type: float, lower: 0.0, upper: 1.0}}\n"
                   "allow_diverged: %s\n",
                   SCENE_FAKE_TRAINER, allow);
    scene_write(scene, text);
}

static void assert_best_is_third(const Scene *scene, bool expected) {
    static Run        best;
    const char *const arguments[] = {"best", scene->study, "-f", "json", NULL};
    assert_int_equal(run_mbtune(&best, arguments), 0);
    assert_int_equal(strstr(best.text, "\"segment\": 3,") != NULL, expected);
    /* the line that the coordinator itself keeps */
    assert_int_equal(strstr(scene->run.text, "best 1e+06") != NULL, expected);
}

static void a_diverged_episode_is_never_the_best_unless_the_study_allows_it(void **state) {
    (void)state;
    static Scene scene;
    make_exploding(&scene, "false");
    assert_int_equal(scene_run(&scene, "1"), 0);
    assert_best_is_third(&scene, false);
    scene_remove(&scene);
    make_exploding(&scene, "true");
    assert_int_equal(scene_run(&scene, "1"), 0);
    assert_best_is_third(&scene, true);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diverged_episode_is_never_the_best_unless_the_study_allows_it),
        cmocka_unit_test(synchronous_rows_do_not_depend_on_the_number_of_workers),
        cmocka_unit_test(killed_trainers_change_nothing),
        cmocka_unit_test(killed_workers_change_nothing),
        cmocka_unit_test(killed_coordinators_change_nothing),
        cmocka_unit_test(pets_rows_do_not_depend_on_the_number_of_workers),
        cmocka_unit_test(killed_pets_trainers_change_nothing),
        cmocka_unit_test(killed_workers_of_pets_change_nothing),
        cmocka_unit_test(killed_coordinators_of_pets_change_nothing),
        cmocka_unit_test(a_signal_stops_within_ten_seconds_and_the_rest_follows_later),
        cmocka_unit_test(a_trainer_that_cannot_start_spends_no_budget),
        cmocka_unit_test(what_was_killed_is_shown_as_cut_off),
        cmocka_unit_test(an_asynchronous_study_branches_and_ends),
        cmocka_unit_test(another_study_is_refused_with_the_keys_that_differ),
        cmocka_unit_test(a_folder_that_is_no_study_is_refused),
        cmocka_unit_test(a_second_coordinator_is_refused),
        cmocka_unit_test(pets_learns_to_balance),
    };
    return cmocka_run_group_tests_name("tuner/end_to_end", tests, NULL, NULL);
}
