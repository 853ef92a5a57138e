/* Studies that start from earlier ones: what is taken, what is refused, that it is taken once. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include "core/file.h"
#include "core/json.h"
#include "tuner/study_file.h"
#include "tuner/warm_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 4096, LINE_BYTES = 4096, ARGUMENT_BYTES = 2048 };

static const char earlier_space[] =
    "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, default: 0.1, "
    "dynamic: true}\n"
    "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5, dynamic: true}\n"
    "  y: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n";

/* a study file in the scene's folder; `more` are further lines */
static void put_study(const Scene *scene, const char *name, const char *scheduler,
                      const char *budget, const char *space, const char *more) {
    char text[TEXT_BYTES];
    char path[2 * SCENE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.yaml", scene->folder, name);
    (void)snprintf(text, sizeof text,
                   "name: %s\n"
                   "trainer: {command: [%s, --sleep, '0']}\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: 12, segment: 2, %s}\n"
                   "scheduler: %s\n"
                   "hyperparameters:\n%s"
                   "seed: 3\n%s",
                   name, SCENE_FAKE_TRAINER, budget, scheduler, space, more);
    assert_ok(file_write_atomic(path, text, strlen(text)));
}

/* `mbtune COMMAND NAME.yaml ARGUMENTS` in another folder than the study's */
static int command(Scene *scene, const char *name, const char *study, const char *arguments) {
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof line, "mbtune %s %s/%s.yaml %s", name, scene->folder, study,
                   arguments);
    return run_shell(&scene->run, line);
}

static int run(Scene *scene, const char *name) {
    char arguments[2 * SCENE_PATH_BYTES];
    (void)snprintf(arguments, sizeof arguments, "--dir %s/%s --workers 1", scene->folder, name);
    return command(scene, "run", name, arguments);
}

static long query(const Scene *scene, const char *name, const char *sql) {
    char folder[2 * SCENE_PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s/%s", scene->folder, name);
    return run_query(folder, sql);
}

/* eight configurations of random search, trained to 12 units in segments of 2 */
static void make_first(Scene *scene) {
    scene_write(scene, "");
    put_study(scene, "first", "{name: random}", "trials: 8", earlier_space, "");
    assert_int_equal(run(scene, "first"), 0);
}

static WarmStart read_warm(const Scene *scene, const char *name, Study **study) {
    WarmStart warm;
    char      path[2 * SCENE_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/%s.yaml", scene->folder, name);
    assert_ok(study_read(path, NULL, 0, study));
    assert_ok(warm_start_read(*study, &warm));
    return warm;
}

static void a_resume_needs_the_earlier_study_no_more(void **state) {
    Scene scene;
    char  first[2 * SCENE_PATH_BYTES];
    char *rows[2];
    (void)state;
    make_first(&scene);
    (void)snprintf(first, sizeof first, "%s/first", scene.folder);
    put_study(&scene, "tpe", "{name: tpe}", "trials: 6", earlier_space, "warm_start: [first/]\n");
    put_study(&scene, "cold", "{name: tpe}", "trials: 6", earlier_space, "");
    assert_int_equal(command(&scene, "validate", "tpe", ""), 0);
    assert_contains(scene.run.text, "warm start    8 results of first/\n");
    assert_int_equal(run(&scene, "tpe"), 0);
    assert_contains(scene.run.text, "warm start: 8 results of first/");
    assert_int_equal(run(&scene, "cold"), 0);
    /* what the earlier study found at the full depth, and nothing else */
    assert_int_equal(query(&scene, "tpe", "SELECT count(*) FROM known WHERE depth = 12"), 8);
    assert_int_equal(query(&scene, "tpe", "SELECT count(*) FROM known"), 8);
    assert_int_equal(query(&scene, "tpe", "SELECT count(*) FROM known_value"), 24);
    assert_int_equal(query(&scene, "tpe", "SELECT count(*) FROM event WHERE kind = 'enqueued'"), 0);
    /* the second configuration is drawn without a model where nothing is known: as in `first` */
    static const char second[] =
        "SELECT round(1e9 * v.value) FROM segment_value v JOIN segment s ON s.id = v.segment"
        " WHERE s.trial = 1 AND s.parent IS NULL AND v.hyperparameter = 2";
    assert_int_equal(query(&scene, "cold", second), query(&scene, "first", second));
    assert_true(query(&scene, "tpe", second) != query(&scene, "first", second));

    char study[2 * SCENE_PATH_BYTES];
    (void)snprintf(study, sizeof study, "%s/tpe", scene.folder);
    rows[0] = run_canonical(study);
    assert_ok(file_remove_all(first));
    assert_int_equal(run(&scene, "tpe"), 0);
    rows[1] = run_canonical(study);
    assert_string_equal(rows[0], rows[1]);
    free(rows[0]);
    free(rows[1]);
    /* going on asks the model that was told */
    char line[LINE_BYTES];
    (void)snprintf(line, sizeof line, "mbtune extend %s --set budget.trials=8", study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_int_equal(query(&scene, "tpe", "SELECT count(DISTINCT trial) FROM segment"), 8);
    /* a new one does need it */
    assert_true(command(&scene, "validate", "tpe", "") != 0);
    assert_contains(scene.run.text, "warm_start: 'first/'");
    /* another list is another study */
    put_study(&scene, "tpe", "{name: tpe}", "trials: 6", earlier_space, "");
    assert_true(run(&scene, "tpe") != 0);
    assert_contains(scene.run.text, "differs in warm_start");
    scene_remove(&scene);
}

static void values_are_translated_and_those_outside_are_counted(void **state) {
    Scene  scene;
    Study *study = NULL;
    (void)state;
    make_first(&scene);
    /* x is narrower, y is gone, z is new */
    put_study(&scene, "second", "{name: gp}", "trials: 6",
              "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, default: 0.1}\n"
              "  x: {type: float, lower: 0.0, upper: 0.6, default: 0.5}\n"
              "  z: {type: int, lower: 1, upper: 5, default: 4}\n",
              "warm_start: [first]\n");
    const long outside = query(&scene, "first",
                               "SELECT count(*) FROM segment s JOIN segment_hyperparameter h ON "
                               "h.segment = s.id WHERE s.\"end\" = 12 AND h.name = 'x' AND "
                               "h.value > 0.6");
    WarmStart  warm = read_warm(&scene, "second", &study);
    assert_true(outside > 0 && outside < 8);
    assert_int_equal(warm.source_count, 1);
    assert_int_equal(warm.sources[0].outside, outside);
    assert_int_equal(warm.sources[0].taken, 8 - outside);
    assert_int_equal(warm.count, 8 - outside);
    for (size_t i = 0; i < warm.count; i++) {
        assert_true(warm.results[i].point[1] <= 0.6);
        assert_close(warm.results[i].point[2], 4.0, 0.0, 0.0);
        assert_int_equal(warm.results[i].depth, 12);
    }
    warm_start_reset(&warm);
    study_destroy(study);
    assert_int_equal(command(&scene, "validate", "second", ""), 0);
    assert_contains(scene.run.text, "left out: outside this search space");
    scene_remove(&scene);
}

static void what_an_earlier_study_fixed_is_said(void **state) {
    Scene  scene;
    Study *study = NULL;
    (void)state;
    scene_write(&scene, "");
    put_study(&scene, "first", "{name: random}", "trials: 3",
              "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n", "fixed: {y: 0.25}\n");
    assert_int_equal(run(&scene, "first"), 0);
    put_study(&scene, "second", "{name: gp}", "trials: 3", earlier_space, "warm_start: [first]\n");
    WarmStart warm = read_warm(&scene, "second", &study);
    assert_int_equal(warm.count, 3);
    assert_close(warm.results[1].point[0], 0.1, 0.0, 0.0);
    assert_close(warm.results[1].point[2], 0.25, 0.0, 0.0);
    warm_start_reset(&warm);
    study_destroy(study);
    scene_remove(&scene);
}

static void rungs_take_what_first_reaches_them(void **state) {
    Scene  scene;
    Study *study = NULL;
    (void)state;
    make_first(&scene);
    /* rungs at 3 and 12: the segments that end at 4 and at 12 */
    put_study(&scene, "asha", "{name: asha, sampler: tpe, min_units: 3, reduction: 4}", "trials: 6",
              earlier_space, "warm_start: [first]\n");
    WarmStart warm = read_warm(&scene, "asha", &study);
    assert_int_equal(warm.depth_count, 2);
    assert_int_equal(warm.count, 16);
    size_t shallow = 0;
    for (size_t i = 0; i < warm.count; i++) {
        assert_true(warm.results[i].depth == 4 || warm.results[i].depth == 12);
        shallow += (warm.results[i].depth == 4) ? 1 : 0;
    }
    assert_int_equal(shallow, 8);
    warm_start_reset(&warm);
    study_destroy(study);
    /* a study that trained less: its deepest */
    put_study(&scene, "deep", "{name: gp}", "trials: 6", earlier_space, "warm_start: [first]\n");
    assert_int_equal(command(&scene, "validate", "deep", "--set budget.per_trial=40"), 0);
    assert_contains(scene.run.text, "8 results of first, trained for 12 of 40 episodes");
    scene_remove(&scene);
}

/* in a population values change along a line: only what stayed the same since the root counts */
static void schedules_are_no_configurations(void **state) {
    Scene  scene;
    Study *study = NULL;
    (void)state;
    scene_write(&scene, "");
    put_study(&scene, "first", SCENE_SYNCHRONOUS, "total: 48", earlier_space, "");
    assert_int_equal(run(&scene, "first"), 0);
    put_study(&scene, "second", "{name: asha, sampler: tpe, min_units: 2, reduction: 2}",
              "trials: 6", earlier_space, "warm_start: [first]\n");
    WarmStart warm = read_warm(&scene, "second", &study);
    assert_true(warm.count >= 4 && warm.count < 24);
    for (size_t i = 0; i < warm.count; i++) {
        char sql[LINE_BYTES];
        (void)snprintf(
            sql, sizeof sql,
            "WITH RECURSIVE line(id, parent) AS (SELECT id, parent FROM segment WHERE "
            "id = %lld UNION ALL SELECT s.id, s.parent FROM segment s JOIN line ON s.id "
            "= line.parent) SELECT max(n) FROM (SELECT count(DISTINCT v.value) AS n FROM "
            "line JOIN segment_value v ON v.segment = line.id GROUP BY hyperparameter)",
            (long long)warm.results[i].segment);
        assert_int_equal(query(&scene, "first", sql), 1);
    }
    warm_start_reset(&warm);
    study_destroy(study);
    scene_remove(&scene);
}

static void who_learns_nothing_tries_the_best(void **state) {
    static const char *const schedulers[] = {"{name: random}", SCENE_SYNCHRONOUS};
    Scene                    scene;
    (void)state;
    make_first(&scene);
    for (size_t i = 0; i < 2; i++) {
        char        name[16];
        const char *budget = (i == 0) ? "trials: 6" : "total: 48";
        (void)snprintf(name, sizeof name, "other%zu", i);
        put_study(&scene, name, schedulers[i], budget, earlier_space, "warm_start: [first]\n");
        assert_int_equal(command(&scene, "validate", name, ""), 0);
        assert_contains(scene.run.text, "learns nothing from them: the best 3 points are tried");
        assert_int_equal(run(&scene, name), 0);
        assert_int_equal(query(&scene, name, "SELECT count(*) FROM known"), 0);
        assert_int_equal(query(&scene, name, "SELECT count(*) FROM event WHERE kind = 'enqueued'"),
                         3);
        assert_int_equal(query(&scene, name,
                               "SELECT count(*) FROM segment WHERE reason = 'enqueued' AND "
                               "parent IS NULL"),
                         3);
    }
    Study    *study = NULL;
    WarmStart warm = read_warm(&scene, "other0", &study);
    for (size_t k = 1; k < warm.best_count; k++) {
        assert_true(warm.results[warm.best[k - 1]].objectives[0] >=
                    warm.results[warm.best[k]].objectives[0]);
    }
    for (size_t i = 0; i < warm.count; i++) { /* nothing better but the defaults, tried anyway */
        assert_true(warm.results[i].segment <= 6 ||
                    warm.results[i].objectives[0] <= warm.results[warm.best[0]].objectives[0]);
    }
    warm_start_reset(&warm);
    study_destroy(study);
    scene_remove(&scene);
}

static void other_objectives_are_refused(void **state) {
    static const char *const cases[][2] = {
        {"objective={metric: loss, direction: maximize}",
         "'first' does not maximize loss (mean_last), so its results are no results of this study"},
        {"objective.direction=minimize", "'first' does not minimize episode_reward (mean_last)"},
        {"objective={metric: episode_reward, direction: maximize, reduce: max}",
         "'first' does not maximize episode_reward (max)"},
        {"budget.unit=epoch", "'first' does not count its budget in epochs"},
        {"warm_start=[nowhere]", "warm_start: 'nowhere': "},
        {"warm_start=first", "'warm_start' must be a list of study folders"},
        {"warm_start=[first, first]", "'warm_start' names 'first' twice"},
    };
    Scene scene;
    (void)state;
    make_first(&scene);
    put_study(&scene, "second", "{name: gp}", "trials: 3", earlier_space, "warm_start: [first]\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[ARGUMENT_BYTES];
        (void)snprintf(arguments, sizeof arguments, "--set '%s'", cases[i][0]);
        assert_true(command(&scene, "validate", "second", arguments) != 0);
        assert_contains(scene.run.text, cases[i][1]);
    }
    scene_remove(&scene);
}

static void constraints_are_found_by_their_metric(void **state) {
    Scene  scene;
    Study *study = NULL;
    (void)state;
    make_first(&scene);
    /* the earlier study reported it without a constraint on it */
    put_study(&scene, "second", "{name: gp}", "trials: 3", earlier_space,
              "warm_start: [first]\nconstraints: {episode_reward: {lower: 5}}\n");
    WarmStart warm = read_warm(&scene, "second", &study);
    assert_int_equal(warm.count, 8);
    assert_true(warm.results[0].constraints[0] > 0.0);
    warm_start_reset(&warm);
    study_destroy(study);
    put_study(&scene, "second", "{name: gp}", "trials: 3", earlier_space,
              "warm_start: [first]\nconstraints: {unheard_of: {lower: 5}}\n");
    warm = read_warm(&scene, "second", &study);
    assert_int_equal(warm.count, 0);
    assert_int_equal(warm.sources[0].incomplete, 8);
    warm_start_reset(&warm);
    study_destroy(study);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resume_needs_the_earlier_study_no_more),
        cmocka_unit_test(values_are_translated_and_those_outside_are_counted),
        cmocka_unit_test(what_an_earlier_study_fixed_is_said),
        cmocka_unit_test(rungs_take_what_first_reaches_them),
        cmocka_unit_test(schedules_are_no_configurations),
        cmocka_unit_test(who_learns_nothing_tries_the_best),
        cmocka_unit_test(other_objectives_are_refused),
        cmocka_unit_test(constraints_are_found_by_their_metric),
    };
    return cmocka_run_group_tests_name("tuner/warm_start", tests, NULL, NULL);
}
