/* A chain of segments gives the same metrics, bit for bit, however it is cut and wherever it
 * continues: in memory, from file, from file in a new process. */
#include "tests/mbrl/agent_bench.h"

#include "core/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const environments[] = {
    "cartpole",
#ifdef MBTUNE_HAVE_MUJOCO
    "cartpole_swingup",
#endif
};
enum { ENVIRONMENTS = sizeof environments / sizeof environments[0] };

static Record run(const Chain *chain) {
    Record record = {0};
    chain_run(chain, &record);
    return record;
}

/* Compares a chain with the uncut one in memory. */
static void expect_like_uncut(Chain chain, const Record *uncut) {
    chain.folder = test_folder_make();
    Record record = run(&chain);
    record_expect_same(&record, uncut);
    record_free(&record);
    test_folder_remove((char *)(uintptr_t)chain.folder);
}

static void episodes_are_the_same_however_cut(void **state) {
    (void)state;
    for (size_t e = 0; e < ENVIRONMENTS; e++) {
        Chain chain = chain_make(environments[e], AGENT_UNIT_EPISODE, 20, 20, CHAIN_MEMORY, NULL);
        const bool slow = strcmp(environments[e], "cartpole") != 0;
        if (slow) {
            bench_option(chain.options, "model_train_every", 150);
        }
        Record uncut = run(&chain);
        assert_int_equal(record_count(&uncut, "episode_reward"), 20);
        const struct {
            int64_t   cut;
            ChainMode mode;
        } cases[] = {{5, CHAIN_MEMORY}, {1, CHAIN_MEMORY}, {5, CHAIN_SAVED},
                     {5, CHAIN_FILE},   {1, CHAIN_FILE},   {5, CHAIN_EVALUATED}};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            chain.cut = cases[i].cut;
            chain.mode = cases[i].mode;
            expect_like_uncut(chain, &uncut);
        }
        record_free(&uncut);
    }
}

/* Cuts fall into the random part, into episodes, between training calls. */
static void steps_are_the_same_however_cut(void **state) {
    (void)state;
    for (size_t e = 0; e < ENVIRONMENTS; e++) {
        Chain chain =
            chain_make(environments[e], AGENT_UNIT_ENV_STEP, 500, 500, CHAIN_MEMORY, NULL);
        Record uncut = run(&chain);
        assert_true(record_count(&uncut, "episode_reward") >= 2);
        const struct {
            int64_t   cut;
            ChainMode mode;
        } cases[] = {{25, CHAIN_MEMORY}, {1, CHAIN_MEMORY}, {25, CHAIN_FILE},
                     {7, CHAIN_FILE},    {31, CHAIN_SAVED}, {100, CHAIN_EVALUATED}};
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            chain.cut = cases[i].cut;
            chain.mode = cases[i].mode;
            expect_like_uncut(chain, &uncut);
        }
        record_free(&uncut);
    }
}

/* of the last episode */
static double last_nll(const Record *record) {
    const size_t episodes = record_count(record, "model_nll_on_policy");
    assert_true(episodes >= 2);
    return record_value(record, "model_nll_on_policy", episodes - 1);
}

/* A branch (another seed, horizon, learning rate) in the middle of an episode. */
static void branches_are_the_same_from_memory_and_file(void **state) {
    (void)state;
    Chain  chain = chain_make(environments[ENVIRONMENTS - 1], AGENT_UNIT_ENV_STEP, 600, 50,
                              CHAIN_MEMORY, NULL);
    Record straight = run(&chain);
    chain.branch = 150;
    chain.branch_seed = 12;
    memcpy(chain.branch_options, chain.options, sizeof chain.options);
    bench_option(chain.branch_options, "planning_horizon", 9);
    bench_option(chain.branch_options, "model_learning_rate", 3e-3);
    Record branched = run(&chain);
    assert_true(last_nll(&straight) != last_nll(&branched));
    chain.mode = CHAIN_FILE;
    expect_like_uncut(chain, &branched);
    /* the seed alone makes a difference */
    memcpy(chain.branch_options, chain.options, sizeof chain.options);
    chain.mode = CHAIN_MEMORY;
    Record reseeded = run(&chain);
    assert_true(last_nll(&straight) != last_nll(&reseeded));
    record_free(&straight);
    record_free(&branched);
    record_free(&reseeded);
}

/* Equal work leaves equal files, wherever the agent came from. */
static void checkpoints_are_the_same_from_memory_and_file(void **state) {
    (void)state;
    char  *folders[2] = {test_folder_make(), test_folder_make()};
    Record record = {0};
    for (int i = 0; i < 2; i++) {
        const Chain chain = chain_make(environments[ENVIRONMENTS - 1], AGENT_UNIT_ENV_STEP, 240, 60,
                                       i == 0 ? CHAIN_SAVED : CHAIN_FILE, folders[i]);
        chain_run(&chain, &record);
    }
    for (int end = 60; end <= 240; end += 60) {
        uint64_t length[2];
        uint64_t checksum[2];
        for (int i = 0; i < 2; i++) {
            char path[512];
            (void)snprintf(path, sizeof path, "%s/%d", folders[i], end);
            assert_ok(file_digest(path, &length[i], &checksum[i]));
        }
        assert_true(length[0] == length[1] && checksum[0] == checksum[1]);
    }
    record_free(&record);
    test_folder_remove(folders[0]);
    test_folder_remove(folders[1]);
}

/* ---- new processes: this program, started again for one segment ---- */

static void write_record(const Record *record, const char *path) {
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    if (record->count > 0) {
        assert_int_equal(fwrite(record->metrics, sizeof *record->metrics, record->count, file),
                         record->count);
    }
    assert_int_equal(fclose(file), 0);
}

static void read_record(Record *record, const char *path) {
    Buffer bytes;
    buffer_init(&bytes, 1 << 24);
    assert_ok(file_read(path, &bytes));
    record->count = bytes.length / sizeof *record->metrics;
    record->metrics = calloc(record->count, sizeof *record->metrics);
    assert_non_null(record->metrics);
    memcpy(record->metrics, bytes.data, bytes.length);
    buffer_reset(&bytes);
}

/* argv: "segment", environment, unit, begin, end, folder */
static int child_main(char **argv) {
    const AgentUnit unit = strcmp(argv[3], "0") == 0 ? AGENT_UNIT_EPISODE : AGENT_UNIT_ENV_STEP;
    const int64_t   begin = strtoll(argv[4], NULL, 10);
    const int64_t   end = strtoll(argv[5], NULL, 10);
    Chain           chain = chain_make(argv[2], unit, end, end - begin, CHAIN_FILE, argv[6]);
    Record          record = {0};
    void           *self = NULL;
    char            path[512];
    chain_segment(&chain, begin, end, &record, &self);
    bench_pets()->destroy(self);
    (void)snprintf(path, sizeof path, "%s/record", argv[6]);
    write_record(&record, path);
    record_free(&record);
    return 0;
}

static void run_child(const Chain *chain, int64_t begin, int64_t end) {
    char first[32];
    char last[32];
    (void)snprintf(first, sizeof first, "%lld", (long long)begin);
    (void)snprintf(last, sizeof last, "%lld", (long long)end);
    const char *unit = chain->unit == AGENT_UNIT_EPISODE ? "0" : "1";
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "test_pets_chain", "segment", chain->environment->name, unit, first,
              last, chain->folder, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void new_processes_continue_bit_for_bit(void **state) {
    (void)state;
    for (size_t e = 0; e < ENVIRONMENTS; e++) {
        for (int unit = 0; unit < 2; unit++) {
            const int64_t total = unit == 0 ? 4 : 250;
            const int64_t cut = unit == 0 ? 1 : 50;
            Chain         chain =
                chain_make(environments[e], unit == 0 ? AGENT_UNIT_EPISODE : AGENT_UNIT_ENV_STEP,
                           total, total, CHAIN_MEMORY, test_folder_make());
            Record uncut = run(&chain);
            Record pieces = {0};
            char   path[512];
            for (int64_t begin = 0; begin < total; begin += cut) {
                run_child(&chain, begin, begin + cut);
            }
            (void)snprintf(path, sizeof path, "%s/record", chain.folder);
            read_record(&pieces, path);
            record_expect_same(&pieces, &uncut);
            record_free(&uncut);
            record_free(&pieces);
            test_folder_remove((char *)(uintptr_t)chain.folder);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(episodes_are_the_same_however_cut),
        cmocka_unit_test(steps_are_the_same_however_cut),
        cmocka_unit_test(branches_are_the_same_from_memory_and_file),
        cmocka_unit_test(checkpoints_are_the_same_from_memory_and_file),
        cmocka_unit_test(new_processes_continue_bit_for_bit),
    };
    if (argc == 7 && strcmp(argv[1], "segment") == 0) {
        return child_main(argv);
    }
    return cmocka_run_group_tests_name("mbrl/pets_chain", tests, NULL, NULL);
}
