/* What a trainer gets of its host: cores and GPUs of its own, and a sentence where there are too
 * few. The GPUs are names in CUDA_VISIBLE_DEVICES: nothing here computes on one. */
#include "core/buffer.h"
#include "core/file.h"
#include "tests/support/test_support.h"
#include "tests/tuner/scene.h"
#include "tuner/launch.h"
#include "workers/host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLACE_BYTES = 1 << 16, MOST_PLACES = 64, LINE_BYTES = 256 };

/* every trainer that starts says where: a line "GPUs|cores" in the file TEST_PLACES */
static void make(Scene *scene, double seconds) {
    char text[4096];
    (void)snprintf(text, sizeof text,
                   "name: scene\n"
                   "trainer:\n"
                   "  command:\n"
                   "    - sh\n"
                   "    - -c\n"
                   "    - 'echo \"${CUDA_VISIBLE_DEVICES-none}|$(grep Cpus_allowed_list "
                   "/proc/self/status)\" >> \"$TEST_PLACES\"; exec \"$0\" \"$@\"'\n"
                   "    - %s\n"
                   "    - --sleep\n"
                   "    - '%g'\n"
                   "objective: {metric: episode_reward, direction: maximize}\n"
                   "budget: {unit: episode, per_trial: 8, segment: 2}\n"
                   "scheduler: " SCENE_SYNCHRONOUS "\n"
                   "hyperparameters:\n"
                   "  learning_rate: {type: float, lower: 1.0e-3, upper: 0.5, log: true, "
                   "default: 0.1, dynamic: true}\n"
                   "seed: 3\n",
                   SCENE_FAKE_TRAINER, seconds);
    scene_write(scene, text);
    char *places = file_join(scene->folder, "places");
    assert_int_equal(setenv("TEST_PLACES", places, 1), 0);
    free(places);
}

static void run(Scene *scene, const char *workers, const char *slots, const char *set,
                int expected) {
    const char *const arguments[] = {"run",       scene->yaml, "--dir",   scene->study,
                                     "--workers", workers,     "--slots", slots,
                                     "--set",     set,         NULL};
    const int         status = run_mbtune(&scene->run, arguments);
    if (status != expected) {
        print_message("%s", scene->run.text);
    }
    assert_int_equal(status, expected);
}

static size_t read_places(const Scene *scene, char lines[MOST_PLACES][LINE_BYTES]) {
    char  *path = file_join(scene->folder, "places");
    Buffer text;
    size_t count = 0;
    buffer_init(&text, PLACE_BYTES);
    assert_ok(file_read(path, &text));
    char *rest = NULL;
    for (char *line = strtok_r(text.data, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_true(count < MOST_PLACES);
        (void)snprintf(lines[count++], LINE_BYTES, "%s", line);
    }
    buffer_reset(&text);
    free(path);
    return count;
}

static size_t count_beginning(char lines[MOST_PLACES][LINE_BYTES], size_t count,
                              const char *beginning) {
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        found += strncmp(lines[i], beginning, strlen(beginning)) == 0 ? 1 : 0;
    }
    return found;
}

static void every_slot_has_gpus_of_its_own(void **state) {
    static const char *const workers[] = {"1", "2", "4"};
    static const char *const slots[] = {"4", "2", "1"};
    (void)state;
    assert_int_equal(setenv(HOST_GPUS_VARIABLE, "GPU-a,MIG-b,3,7,9", 1), 0);
    for (size_t i = 0; i < 3; i++) {
        Scene scene;
        char  lines[MOST_PLACES][LINE_BYTES];
        make(&scene, 0.05);
        run(&scene, workers[i], slots[i], "resources.gpus=1", 0);
        const size_t count = read_places(&scene, lines);
        assert_int_equal(count, 4);
        assert_int_equal(count_beginning(lines, count, "GPU-a|"), 1);
        assert_int_equal(count_beginning(lines, count, "MIG-b|"), 1);
        assert_int_equal(count_beginning(lines, count, "3|"), 1);
        assert_int_equal(count_beginning(lines, count, "7|"), 1);
        assert_contains(scene.run.text, "5 GPUs");
        scene_assert_sound(&scene);
        scene_remove(&scene);
    }
    Scene scene;
    char  lines[MOST_PLACES][LINE_BYTES];
    make(&scene, 0.05);
    run(&scene, "2", "1", "resources.gpus=2", 0);
    const size_t count = read_places(&scene, lines);
    assert_int_equal(count_beginning(lines, count, "GPU-a,MIG-b|"), 1);
    assert_int_equal(count_beginning(lines, count, "3,7|"), 1);
    scene_remove(&scene);
    /* nothing asked for: nothing touched */
    make(&scene, 0.0);
    run(&scene, "2", "1", "resources.gpus=0", 0);
    assert_int_equal(count_beginning(lines, read_places(&scene, lines), "GPU-a,MIG-b,3,7,9|"), 2);
    scene_remove(&scene);
    assert_int_equal(unsetenv(HOST_GPUS_VARIABLE), 0);
}

typedef struct Refusal {
    const char *before; /* of the shell line, in the scene's folder; it ends with the program */
    const char *after;  /* the study file */
    const char *sentence;
} Refusal;

static void too_much_is_refused_with_a_sentence(void **state) {
    char          by_hand[512];
    const Refusal refusals[] = {
        {"unset CUDA_VISIBLE_DEVICES; MBTUNE_DEVICES=$PWD mbtune run", "--set resources.gpus=2",
         "resources.gpus is 2, and this host has 0"},
        {"CUDA_VISIBLE_DEVICES=0,1 mbtune run", "--set resources.gpus=3", "this host has 2"},
        {"CUDA_VISIBLE_DEVICES=0,1 mbtune run", "--set resources.gpus=1 --workers 3",
         "ask for 3 GPUs, and this host has 2: at most 2 fit"},
        {"CUDA_VISIBLE_DEVICES=0,1 mbtune run", "--set resources.gpus=1 --workers 1 --slots 3",
         "ask for 3 GPUs"},
        {"CUDA_VISIBLE_DEVICES= mbtune plan", "--set resources.gpus=1", "this host has 0"},
        {"mbtune run", "--set resources.cores=4096 --workers 1",
         "resources.cores is 4096, and this host has"},
        {"mbtune run", "--set resources.gpus=-1", "resources.gpus"},
        /* what only the ranks find: started by hand */
        {by_hand, "--set resources.cores=4096", "resources.cores is 4096, and worker "},
        {by_hand, "--set resources.gpus=1", "ask for 2 GPUs, and worker "},
    };
    Scene scene;
    char  line[2048];
    (void)state;
    (void)snprintf(by_hand, sizeof by_hand,
                   "CUDA_VISIBLE_DEVICES=5 %s -n 3 \"$(command -v mbtune)\" run", launch_mpiexec());
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        make(&scene, 0.0);
        (void)snprintf(line, sizeof line, "cd '%s'; %s study.yaml %s", scene.folder,
                       refusals[i].before, refusals[i].after);
        const int status = run_shell(&scene.run, line);
        print_message("%d %s", status, scene.run.text);
        assert_int_equal(status, 1);
        assert_contains(scene.run.text, refusals[i].sentence);
        assert_int_equal(run_count_processes(scene.folder), 0);
        scene_remove(&scene);
    }
}

static void gpus_limit_the_workers_that_are_started(void **state) {
    Scene scene;
    char  line[2048];
    (void)state;
    make(&scene, 0.0);
    (void)snprintf(line, sizeof line,
                   "cd '%s'; CUDA_VISIBLE_DEVICES=4 mbtune run study.yaml --set resources.gpus=1",
                   scene.folder);
    assert_int_equal(run_shell(&scene.run, line), 0);
    assert_contains(scene.run.text, "worker 1 on ");
    assert_contains(scene.run.text, "1 GPU, 1 slot");
    assert_null(strstr(scene.run.text, "worker 2 on "));
    scene_remove(&scene);
}

static void slots_that_may_use_too_much_memory_are_warned_of(void **state) {
    Scene scene;
    (void)state;
    make(&scene, 0.0);
    run(&scene, "2", "2", "resources.memory=900TiB", 0);
    const char *warning = strstr(scene.run.text, "4 slots on ");
    assert_non_null(warning);
    assert_contains(warning, "resources.memory is 9.216e+05 GiB each");
    assert_null(
        strstr(warning + strlen("4 slots on "), "slots on ")); /* once per host, not per worker */
    scene_remove(&scene);
    make(&scene, 0.0);
    run(&scene, "2", "2", "resources.memory=100MiB", 0);
    assert_null(strstr(scene.run.text, " slots on "));
    scene_remove(&scene);
}

/* this process, and what it starts, keeps two cores; false if there are not so many */
static bool keep_two_cores(cpu_set_t *all, int cores[2]) {
    cpu_set_t two;
    int       found = 0;
    CPU_ZERO(&two);
    assert_int_equal(sched_getaffinity(0, sizeof *all, all), 0);
    for (int core = 0; core < CPU_SETSIZE && found < 2; core++) {
        if (CPU_ISSET((size_t)core, all)) {
            CPU_SET((size_t)core, &two);
            cores[found++] = core;
        }
    }
    return found == 2 && sched_setaffinity(0, sizeof two, &two) == 0;
}

static void assert_one_core_each(const Scene *scene, const int cores[2]) {
    char         lines[MOST_PLACES][LINE_BYTES];
    const size_t count = read_places(scene, lines);
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "none|Cpus_allowed_list:\t%d", cores[i]);
        assert_true(strcmp(lines[0], line) == 0 || strcmp(lines[1], line) == 0);
    }
}

/* a rank per core, or one rank with a slot per core */
static void ranks_and_slots_give_the_same_on_cores_of_their_own(void **state) {
    cpu_set_t all;
    int       cores[2] = {0, 0};
    Scene     ranks;
    Scene     slots;
    (void)state;
    if (!keep_two_cores(&all, cores)) {
        test_skip("needs two cores");
    }
    assert_int_equal(unsetenv(HOST_GPUS_VARIABLE), 0);
    make(&ranks, 0.05);
    run(&ranks, "2", "1", "resources.cores=1", 0);
    assert_one_core_each(&ranks, cores);
    make(&slots, 0.05);
    run(&slots, "1", "2", "resources.cores=1", 0);
    assert_one_core_each(&slots, cores);
    assert_contains(slots.run.text, "2 cores, ");
    assert_contains(slots.run.text, "2 slots");
    char *one = run_canonical(ranks.study);
    char *other = run_canonical(slots.study);
    assert_string_equal(one, other);
    free(one);
    free(other);
    scene_remove(&ranks);
    scene_remove(&slots);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_slot_has_gpus_of_its_own),
        cmocka_unit_test(too_much_is_refused_with_a_sentence),
        cmocka_unit_test(gpus_limit_the_workers_that_are_started),
        cmocka_unit_test(slots_that_may_use_too_much_memory_are_warned_of),
        cmocka_unit_test(ranks_and_slots_give_the_same_on_cores_of_their_own),
    };
    return cmocka_run_group_tests_name("tuner/resources", tests, NULL, NULL);
}
