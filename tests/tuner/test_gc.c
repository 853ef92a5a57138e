/* Checkpoints that go: under a quota, by `mbtune gc`, or because somebody removed them. What a
 * study finds must not depend on it. */
#include "core/rng.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HISTORIES = 3, MOST_STEPS = 40, LINE_BYTES = 2048 };

/* whose rows do not depend on what ends first */
static const char *const schedulers[] = {
    SCENE_SYNCHRONOUS,
    "{name: pbt-bt, population: 4, warmup: 2, mode: synchronous, backtrack_every: 2}",
    "{name: mf-pbt, population: 4, mode: synchronous}",
};

static int gc(Scene *scene, const char *first, const char *second) {
    const char *const arguments[] = {"gc", scene->study, first, second, NULL};
    return run_mbtune(&scene->run, arguments);
}

static long kept(const Scene *scene) {
    return run_query(scene->study, "SELECT count(*) FROM segment WHERE kept = 1");
}

static long kept_bytes(const Scene *scene) {
    return run_query(scene->study,
                     "SELECT coalesce(sum(checkpoint_bytes), 0) FROM segment WHERE kept = 1");
}

static long files(const Scene *scene) {
    char line[LINE_BYTES];
    Run  run;
    (void)snprintf(line, sizeof line, "ls '%s/checkpoints' | wc -l", scene->study);
    assert_int_equal(run_shell(&run, line), 0);
    return strtol(run.text, NULL, 10);
}

static char *undisturbed(const char *scheduler) {
    Scene scene;
    scene_make(&scene, scheduler, "", 0.0);
    assert_int_equal(scene_run(&scene, "2"), 0);
    char *rows = run_canonical(scene.study);
    scene_remove(&scene);
    return rows;
}

/* ---- histories ------------------------------------------------------------------------------ */

/* one thing that happens to a study that does not run */
static void disturb(Scene *scene, Rng *rng) {
    char line[LINE_BYTES];
    switch (rng_below(rng, 4)) {
    case 0:
        assert_int_equal(gc(scene, "--only-best", NULL), 0);
        break;
    case 1:
        assert_int_equal(gc(scene, "--quota", "1"), 0);
        break;
    case 2: /* some of the files, behind the program's back */
        (void)snprintf(line, sizeof line,
                       "cd '%s/checkpoints' && for f in *; do case $(($(printf %%d \"'${f#?}\") + "
                       "%d)) in *[02468]) rm -rf \"$f\";; esac; done; true",
                       scene->study, (int)rng_below(rng, 2));
        assert_int_equal(run_shell(&scene->run, line), 0);
        break;
    default:
        break;
    }
}

/* runs it a little, with a quota that may be too small, until it is done */
static void live_through(Scene *scene, Rng *rng) {
    char   set[64];
    size_t interrupted = 0;
    long   quota = 1 + (long)rng_below(rng, 400);
    for (int step = 0; step < MOST_STEPS; step++) {
        int status = 0;
        (void)snprintf(set, sizeof set, "limits.checkpoints=%ld", quota);
        scene->set = set;
        scene_start(scene, (rng_below(rng, 2) == 0) ? "1" : "3");
        if (!run_wait_for(&scene->run, 0.6 + 0.8 * rng_uniform(rng), &status)) {
            (void)kill(scene->run.pid, SIGTERM);
            status = run_wait(&scene->run);
        }
        if (status == 0) {
            print_message("%zu interruptions, quota %ld in the end\n", interrupted, quota);
            return;
        }
        assert_int_equal(status, 75);
        interrupted++;
        if (!scene_has_rows(
                scene)) { /* a busy machine: the signal came before the database was made */
            continue;
        }
        assert_int_equal(
            run_query(scene->study, "SELECT count(*) FROM segment WHERE state = 'running'"), 0);
        if (strstr(scene->run.text, "more than limits.checkpoints") != NULL) {
            quota *= 2;
        } else {
            disturb(scene, rng);
        }
    }
    fail_msg("not done after %d runs: %s", (int)MOST_STEPS, scene->run.text);
}

static void results_do_not_depend_on_what_is_kept(void **state) {
    (void)state;
    for (uint64_t i = 0; i < HISTORIES; i++) {
        Rng         rng = rng_stream(7, i, RNG_TEST);
        const char *scheduler = schedulers[i % (sizeof schedulers / sizeof schedulers[0])];
        char       *expected = undisturbed(scheduler);
        Scene       scene;
        scene_make(&scene, scheduler, "", 0.01);
        live_through(&scene, &rng);
        scene_assert_sound(&scene);
        char *found = run_canonical(scene.study);
        assert_string_equal(found, expected);
        free(found);
        free(expected);
        scene_remove(&scene);
    }
}

/* ---- the quota ------------------------------------------------------------------------------ */

static void a_quota_too_small_for_what_is_needed_ends_the_run(void **state) {
    (void)state;
    char *expected = undisturbed(SCENE_SYNCHRONOUS);
    Scene scene;
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "limits.checkpoints=1"), 75);
    assert_contains(scene.run.text, " bytes, more than limits.checkpoints (1 byte)");
    assert_contains(scene.run.text, "--set limits.checkpoints=");
    /* nothing was started after the first ones had ended */
    assert_in_range(run_query(scene.study, "SELECT count(*) FROM attempt"), 1, 2);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM study WHERE state = 'interrupted'"), 1);
    assert_int_equal(scene_run_with(&scene, "2", "limits.checkpoints=1GiB"), 0);
    char *found = run_canonical(scene.study);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    scene_remove(&scene);
}

/* a chain whose agent lives in a trainer's memory is no exception */
static void a_quota_holds_chains_too(void **state) {
    (void)state;
    Scene             scene;
    char              line[LINE_BYTES];
    const char *const arguments[] = {"fsck", scene.study, NULL};
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    (void)snprintf(
        line, sizeof line,
        "sed -i -e 's/scheduler:.*/scheduler: {name: random}/' -e 's/segment: 2}/segment: "
        "2, trials: 3}/' '%s'",
        scene.yaml);
    assert_int_equal(run_shell(&scene.run, line), 0);
    for (size_t i = 0; i < 2; i++) { /* the second run starts with a quota that is full */
        assert_int_equal(scene_run_with(&scene, "2", "limits.checkpoints=1"), 75);
        assert_contains(scene.run.text, "more than limits.checkpoints");
        assert_in_range(
            run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'finished'"), 1, 2);
        assert_int_equal(
            run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"), 0);
        assert_int_equal(run_mbtune(&scene.run, arguments), 0); /* whole */
    }
    assert_int_equal(scene_run_with(&scene, "2", "limits.checkpoints=1GiB"), 0);
    scene_assert_sound(&scene);
    scene_remove(&scene);
}

/* also what an earlier run left counts */
static void a_quota_is_kept_over_runs(void **state) {
    (void)state;
    char  set[64];
    Scene scene;
    scene_make(&scene, schedulers[1], "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    const long bytes = kept_bytes(&scene);
    const long one = run_query(scene.study, "SELECT max(checkpoint_bytes) FROM segment");
    assert_true(kept(&scene) > 2);
    (void)snprintf(set, sizeof set, "limits.checkpoints=%ld", bytes - one);
    scene.set = set;
    scene_start(&scene, "2");
    const int status = run_wait(&scene.run);
    if (status == 75) { /* every one of them is needed to go on */
        assert_contains(scene.run.text, "more than limits.checkpoints");
        assert_true(kept_bytes(&scene) > bytes - one);
    } else {
        assert_int_equal(status, 0);
        assert_true(kept_bytes(&scene) <= bytes - one);
    }
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment WHERE state = 'running'"),
                     0);
    scene_remove(&scene);
}

/* asha pauses trials: each of them leaves a checkpoint that may be gone on with */
static void make_paused(Scene *scene) {
    char line[LINE_BYTES];
    scene_make(scene, "{name: asha, min_units: 2, reduction: 2}", "", 0.0);
    (void)snprintf(line, sizeof line, "sed -i -e 's/segment: 2}/segment: 2, trials: 16}/' '%s'",
                   scene->yaml);
    assert_int_equal(run_shell(&scene->run, line), 0);
}

static void paused_trials_make_room_and_are_trained_again(void **state) {
    (void)state;
    Scene scene;
    char  set[64];
    make_paused(&scene);
    assert_int_equal(scene_run(&scene, "1"), 0);
    const long one = run_query(scene.study, "SELECT max(checkpoint_bytes) FROM segment");
    const long without = kept(&scene);
    char      *expected = run_canonical(scene.study);
    scene_remove(&scene);
    assert_true(without >= 12);

    make_paused(&scene);
    (void)snprintf(set, sizeof set, "limits.checkpoints=%ld", 4 * one);
    assert_int_equal(scene_run_with(&scene, "1", set), 0);
    assert_in_range(kept(&scene), 1, 4);
    char *found = run_canonical(scene.study);
    assert_string_equal(found, expected);
    free(found);
    free(expected);
    scene_remove(&scene);
}

static void the_worst_objective_goes_first(void **state) {
    (void)state;
    Scene scene;
    char  quota[32];
    make_paused(&scene);
    assert_int_equal(scene_run(&scene, "1"), 0);
    run_execute(scene.study, "CREATE TABLE before AS SELECT id FROM segment WHERE kept = 1");
    const long before = kept(&scene);
    (void)snprintf(quota, sizeof quota, "%ld", kept_bytes(&scene) / 2);
    assert_int_equal(gc(&scene, "--quota", quota), 0);
    assert_in_range(kept(&scene), before / 2 - 1, before / 2);
    assert_int_equal(files(&scene), kept(&scene));
    /* no checkpoint went that was worth more than one that stayed */
    assert_int_equal(
        run_query(scene.study,
                  "WITH worth AS (SELECT s.id, s.kept, r.value FROM segment AS s JOIN before USING "
                  "(id) JOIN segment_result AS r ON r.segment = s.id AND r.kind = 'objective') "
                  "SELECT count(*) FROM worth AS gone, worth AS stays "
                  "WHERE gone.kept = 0 AND stays.kept = 1 AND gone.value > stays.value"),
        0);
    scene_remove(&scene);
}

/* ---- gc ------------------------------------------------------------------------------------- */

static void gc_frees_what_it_says(void **state) {
    (void)state;
    Scene scene;
    char  expected[96];
    scene_make(&scene, schedulers[1], "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    const long before = kept(&scene);
    assert_true(before > 2);
    assert_int_equal(gc(&scene, "--only-best", "--dry-run"), 0);
    (void)snprintf(expected, sizeof expected, "%ld checkpoints would be removed", before - 1);
    assert_contains(scene.run.text, expected);
    assert_int_equal(kept(&scene), before);
    assert_int_equal(files(&scene), before);
    assert_int_equal(gc(&scene, "--only-best", NULL), 0);
    (void)snprintf(expected, sizeof expected, "%ld checkpoints removed", before - 1);
    assert_contains(scene.run.text, expected);
    assert_contains(scene.run.text, "1 stay");
    assert_int_equal(kept(&scene), 1);
    assert_int_equal(files(&scene), 1);
    const char *const fsck[] = {"fsck", scene.study, NULL};
    assert_int_equal(run_mbtune(&scene.run, fsck), 0);
    /* state and rows are as they were */
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM study WHERE state = 'done'"), 1);
    scene_remove(&scene);
}

static void gc_says_what_it_cannot_free(void **state) {
    (void)state;
    Scene scene;
    char  expected[96];
    scene_make(&scene, SCENE_SYNCHRONOUS, "", 0.0);
    assert_int_equal(scene_run_with(&scene, "2", "budget.total=24"), 0);
    assert_int_equal(gc(&scene, "--quota", "1"), 0);
    assert_true(kept(&scene) > 1);
    (void)snprintf(expected, sizeof expected,
                   "%ld stay, %ld bytes, because they are needed: %ld bytes over the quota of 1 "
                   "byte\n",
                   kept(&scene), kept_bytes(&scene), kept_bytes(&scene) - 1);
    assert_contains(scene.run.text, expected);
    assert_int_equal(gc(&scene, "--quota", "1GiB"), 0);
    assert_null(strstr(scene.run.text, "over the quota"));
    const char *const best[] = {"gc", scene.study, "--only-best", "--quota", "1", NULL};
    assert_int_equal(run_mbtune(&scene.run, best), 0);
    assert_contains(scene.run.text, "1 stay, ");
    assert_contains(scene.run.text, ", because they are the best or pinned: ");
    scene_remove(&scene);
}

static void gc_refuses_what_it_cannot_do(void **state) {
    (void)state;
    Scene             scene;
    const char *const nothing[] = {"gc", "/no/such/study", NULL};
    scene_make_slow(&scene);
    assert_int_equal(run_mbtune(&scene.run, nothing), 1);
    assert_contains(scene.run.text, "is no study");
    scene_start_until(&scene, "2", "finished", 1);
    Run               beside;
    const char *const arguments[] = {"gc", scene.study, NULL};
    assert_int_equal(run_mbtune(&beside, arguments), 1);
    print_message("%s", beside.text);
    (void)kill(scene.run.pid, SIGTERM);
    assert_int_equal(run_wait(&scene.run), 75);
    assert_int_equal(gc(&scene, "--quota", "much"), 2);
    assert_contains(scene.run.text, "--quota must be a size such as 512MiB, 2GiB, 20GB or a number "
                                    "of bytes, found 'much'");
    /* what is wrong with the file is not the quota's fault */
    char line[2 * SCENE_PATH_BYTES];
    (void)snprintf(line, sizeof line, "rm %s/study.yaml", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_int_equal(gc(&scene, "--quota", "1GiB"), 1);
    assert_contains(scene.run.text, "study.yaml: No such file");
    (void)snprintf(line, sizeof line, "touch %s/study.yaml", scene.study);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_int_not_equal(gc(&scene, "--quota", "1GiB"), 0);
    assert_contains(scene.run.text, "study.yaml:1:1: the file is empty");
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quota_too_small_for_what_is_needed_ends_the_run),
        cmocka_unit_test(a_quota_holds_chains_too),
        cmocka_unit_test(a_quota_is_kept_over_runs),
        cmocka_unit_test(paused_trials_make_room_and_are_trained_again),
        cmocka_unit_test(the_worst_objective_goes_first),
        cmocka_unit_test(gc_frees_what_it_says),
        cmocka_unit_test(gc_says_what_it_cannot_free),
        cmocka_unit_test(gc_refuses_what_it_cannot_do),
        cmocka_unit_test(results_do_not_depend_on_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
