/* 64 ranks, which is 32 per core and more here: nobody falls silent for three heartbeats (the
 * default of 5 s each), no trainer misses its start, nothing is tried twice. */
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"

static void sixty_four_ranks_lose_nobody(void **state) {
    (void)state;
    Scene scene;
    scene_write(&scene, "name: many\n"
                        "trainer: {command: [" SCENE_FAKE_TRAINER "]}\n"
                        "objective: {metric: episode_reward, direction: maximize}\n"
                        "budget: {unit: episode, per_trial: 2, segment: 1, trials: 189}\n"
                        "scheduler: {name: random}\n"
                        "hyperparameters:\n"
                        "  x: {type: float, lower: 0.0, upper: 1.0, default: 0.5}\n"
                        "limits: {retries: 0}\n"
                        "seed: 3\n");
    assert_int_equal(scene_run(&scene, "63"), 0);
    scene_assert_sound(&scene);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM segment"), 2 * 189);
    assert_int_equal(
        run_query(scene.study, "SELECT count(*) FROM attempt WHERE outcome IS NOT 'done'"), 0);
    assert_int_equal(run_query(scene.study, "SELECT count(DISTINCT worker) FROM attempt"), 63);
    assert_int_equal(run_query(scene.study, "SELECT count(*) FROM log WHERE level = 'warning'"), 0);
    scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sixty_four_ranks_lose_nobody)};
    return cmocka_run_group_tests_name("tuner/many_ranks", tests, NULL, NULL);
}
