#include "tests/tuner/scene.h"

#include "tests/support/test_support.h"

#include "core/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void scene_write(Scene *scene, const char *text) {
    scene->folder = test_folder_make();
    scene->set = NULL;
    (void)snprintf(scene->yaml, sizeof scene->yaml, "%s/study.yaml", scene->folder);
    (void)snprintf(scene->study, sizeof scene->study, "%s/study", scene->folder);
    assert_ok(file_write_atomic(scene->yaml, text, strlen(text)));
}

void scene_make(Scene *scene, const char *scheduler, const char *trainer, double seconds) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: scene\n"
                   "trainer: {command: [%s, --sleep, '%g'%s]}\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: 12, segment: 2}\n"
                   "scheduler: %s\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"
                   "  y: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                   "limits: {retries: 40}\n"
                   "seed: 3\n",
                   SCENE_FAKE_TRAINER, seconds, trainer, scheduler);
    scene_write(scene, text);
}

void scene_make_pets(Scene *scene) {
    scene_write(scene, "name: scene\n"
                       "agent: pets\n"
                       "environment: cartpole\n"
                       "objective: {metric: episode_reward, direction: maximize}\n"
                       "budget: {unit: env_step, per_trial: 720, segment: 120}\n"
                       "scheduler: " SCENE_SYNCHRONOUS "\n"
                       "hyperparameters:\n"
                       "  model_learning_rate: {lower: 1.0e-4, upper: 4.0e-2, log: true}\n"
                       "  planning_horizon: {lower: 2, upper: 8, default: 4}\n"
                       "fixed: {ensemble_size: 2, hidden_layers: 1, hidden_width: 16, "
                       "model_train_every: 25, model_train_epochs: 3, initial_steps: 40, "
                       "cem_candidates: 20, cem_iterations: 2, particles: 2, "
                       "validation_ratio: 0.2}\n"
                       "limits: {retries: 40}\n"
                       "seed: 3\n");
}

void scene_remove(Scene *scene) {
    test_folder_remove(scene->folder);
}

void scene_start(Scene *scene, const char *workers) {
    const char *const option = (scene->set == NULL) ? NULL : "--set";
    const char *const arguments[] = {"run",   scene->yaml, "--dir",    scene->study, "--workers",
                                     workers, option,      scene->set, NULL};
    run_start(&scene->run, arguments);
}

void scene_start_until(Scene *scene, const char *workers, const char *state, long least) {
    char database[SCENE_PATH_BYTES + 16];
    char sql[128];
    int  exit_status = 0;
    (void)snprintf(database, sizeof database, "%s/study.db", scene->study);
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM segment WHERE state = '%s'", state);
    scene_start(scene, workers);
    while (!file_exists(database) || run_query(scene->study, sql) < least) {
        if (run_wait_for(&scene->run, 0.01, &exit_status)) {
            fail_msg("it ended with %d before %ld segments were %s:\n%s", exit_status, least, state,
                     scene->run.text);
        }
    }
}

int scene_run(Scene *scene, const char *workers) {
    scene_start(scene, workers);
    return run_wait(&scene->run);
}

bool scene_has_rows(const Scene *scene) {
    char      *path = file_join(scene->study, "study.db");
    const bool has = path != NULL && file_exists(path);
    free(path);
    return has;
}

void scene_assert_sound(const Scene *scene) {
    const char *study = scene->study;
    assert_int_equal(run_query(study, "SELECT count(*) FROM segment WHERE state <> 'finished'"), 0);
    assert_int_equal(run_query(study, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(run_query(study, "SELECT count(*) FROM pragma_integrity_check "
                                      "WHERE integrity_check <> 'ok'"),
                     0);
    assert_int_equal(run_query(study,
                               "SELECT count(*) FROM segment s JOIN segment p ON p.id = s.parent "
                               "WHERE s.\"begin\" <> p.\"end\""),
                     0);
    assert_int_equal(run_query(study, "SELECT count(*) FROM (SELECT 1 FROM metric "
                                      "GROUP BY owner, name, step, \"index\" "
                                      "HAVING count(*) > 1)"),
                     0);
}

int scene_run_with(Scene *scene, const char *workers, const char *override) {
    const char *const arguments[] = {"run",   scene->yaml, "--dir",  scene->study, "--workers",
                                     workers, "--set",     override, NULL};
    return run_mbtune(&scene->run, arguments);
}

void scene_make_slow(Scene *scene) {
    scene_make(scene, SCENE_SYNCHRONOUS, "", 0.05);
}

char *scene_undisturbed(MakeScene make) {
    Scene scene;
    make(&scene);
    assert_int_equal(scene_run(&scene, "2"), 0);
    scene_assert_sound(&scene);
    char *rows = run_canonical(scene.study);
    scene_remove(&scene);
    return rows;
}
