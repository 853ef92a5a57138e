/* The checkpoint folder: what is shared, and what is refused. */
#include "tests/mbrl/agent_bench.h"

#include "core/file.h"
#include "mbrl/agents/pets_internal.h"
#include "mbrl/agents/pets_sections.h"
#include "mbrl/agents/sealed_file.h"
#include "mbrl/models/ensemble_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 512, STEP = 60 };

static const EnvironmentOps *cartpole(void) {
    const EnvironmentOps *ops = NULL;
    assert_ok(environment_find("cartpole", &ops));
    return ops;
}

static char *in(const char *folder, const char *name, char *path) {
    const int length = snprintf(path, PATH, "%s/%s", folder, name);
    assert_true(length > 0 && length < PATH);
    return path;
}

/* A chain of three segments of 60 steps, saved as folder/60, /120, /180. */
static void make_chain(const char *folder) {
    const Chain chain =
        chain_make("cartpole", AGENT_UNIT_ENV_STEP, 3 * STEP, STEP, CHAIN_SAVED, folder);
    Record record = {0};
    chain_run(&chain, &record);
    record_free(&record);
}

static Status load(const char *path, void **self) {
    double options[BENCH_MOST_OPTIONS];
    bench_options(options);
    return bench_pets()->load(cartpole(), AGENT_UNIT_ENV_STEP, options, path, self);
}

static ino_t inode(const char *folder, const char *name) {
    struct stat status;
    char        path[PATH];
    assert_int_equal(stat(in(folder, name, path), &status), 0);
    return status.st_ino;
}

static void experience_is_stored_once_per_segment(void **state) {
    (void)state;
    char *folder = test_folder_make();
    char  path[PATH];
    char  a[PATH];
    char  b[PATH];
    make_chain(folder);
    in(folder, "120", a);
    in(folder, "180", b);
    assert_true(inode(a, "experience-0") == inode(b, "experience-0"));
    assert_true(inode(a, "experience-60") == inode(b, "experience-60"));
    assert_true(file_exists(in(b, "experience-120", path)));
    assert_false(file_exists(in(a, "experience-120", path)));
    test_folder_remove(folder);
}

/* The folder that an agent came from may be renamed (as workers do) or removed in the meantime. */
static void links_survive_renaming_and_do_not_need_the_parent(void **state) {
    (void)state;
    char            *folder = test_folder_make();
    const AgentOps  *agent = bench_pets();
    char             path[PATH];
    char             moved[PATH];
    char             next[PATH];
    void            *self = NULL;
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    make_chain(folder);
    in(folder, "180", path);
    in(folder, "moved", moved);
    assert_ok(load(path, &self));
    assert_int_equal(rename(path, moved), 0);
    assert_ok(agent->train(self, 240, &sink, NULL, &result));
    assert_ok(agent->save(self, in(folder, "240", next)));
    assert_true(inode(moved, "experience-60") == inode(next, "experience-60"));

    /* the parent is gone: the rows are written anew and are the same */
    uint64_t length[2];
    uint64_t checksum[2];
    assert_ok(file_digest(next, &length[0], &checksum[0]));
    assert_ok(file_remove_all(next));
    assert_ok(agent->save(self, next));
    assert_ok(file_digest(next, &length[1], &checksum[1]));
    assert_true(length[0] == length[1] && checksum[0] == checksum[1]);
    agent->destroy(self);
    assert_ok(load(next, &self));
    assert_int_equal(agent->position(self), 240);
    agent->destroy(self);
    record_free(&record);
    test_folder_remove(folder);
}

/* Saving without a step in between adds no experience file, and loads. */
static void an_agent_that_did_nothing_saves_too(void **state) {
    (void)state;
    char           *folder = test_folder_make();
    const AgentOps *agent = bench_pets();
    double          options[BENCH_MOST_OPTIONS];
    char            path[PATH];
    char            again[PATH];
    void           *self = NULL;
    bench_options(options);
    assert_ok(agent->create(cartpole(), AGENT_UNIT_ENV_STEP, options, 1, &self));
    assert_ok(agent->save(self, in(folder, "zero", path)));
    assert_ok(agent->save(self, in(folder, "again", again)));
    agent->destroy(self);
    assert_ok(load(again, &self));
    assert_int_equal(agent->position(self), 0);
    agent->destroy(self);
    test_folder_remove(folder);
}

static void saving_needs_a_new_folder_in_an_existing_one(void **state) {
    (void)state;
    char           *folder = test_folder_make();
    const AgentOps *agent = bench_pets();
    char            path[PATH];
    char            missing[PATH];
    void           *self = NULL;
    make_chain(folder);
    in(folder, "60", path);
    assert_ok(load(path, &self));
    assert_fails(agent->save(self, path), STATUS_ERR_IO, "60");
    assert_true(file_exists(in(path, "agent", missing))); /* what was there is untouched */
    assert_fails(agent->save(self, in(folder, "no/where", missing)), STATUS_ERR_IO, "no/where");
    assert_ok(agent->save(self, in(folder, "fine", missing)));
    agent->destroy(self);
    test_folder_remove(folder);
}

static void a_checkpoint_of_something_else_is_refused(void **state) {
    (void)state;
    char           *folder = test_folder_make();
    const AgentOps *agent = bench_pets();
    double          options[BENCH_MOST_OPTIONS];
    char            path[PATH];
    void           *self = NULL;
    make_chain(folder);
    in(folder, "60", path);
    bench_options(options);
    assert_fails(agent->load(cartpole(), AGENT_UNIT_EPISODE, options, path, &self),
                 STATUS_ERR_STATE, "has 'unit env_step', expected 'unit episode'");
    assert_null(self);
    bench_option(options, "optimizer", 3);
    assert_fails(agent->load(cartpole(), AGENT_UNIT_ENV_STEP, options, path, &self),
                 STATUS_ERR_STATE, "has 'optimizer 0', expected 'optimizer 3'");
    bench_options(options);
    bench_option(options, "initial_steps", 31);
    assert_fails(agent->load(cartpole(), AGENT_UNIT_ENV_STEP, options, path, &self),
                 STATUS_ERR_STATE, "initial_steps");
    bench_options(options);
    EnvironmentOps other = *cartpole();
    other.name = "cartpole_with_wind";
    assert_fails(agent->load(&other, AGENT_UNIT_ENV_STEP, options, path, &self), STATUS_ERR_STATE,
                 "expected 'environment cartpole_with_wind'");
    assert_fails(load(in(folder, "nothing", path), &self), STATUS_ERR_IO, "nothing");
    assert_null(self);
    test_folder_remove(folder);
}

/* cuts `bytes` off the end of a checkpoint's section 'shape' */
static void shorten_shape(const char *path, size_t bytes) {
    char        file[PATH];
    PetsSection header = {.length = 0};
    Buffer      old;
    Buffer      changed;
    size_t      at = 0;
    buffer_init(&old, PETS_FILE_CAP);
    buffer_init(&changed, PETS_FILE_CAP);
    in(path, "agent", file);
    assert_ok(sealed_file_read(file, PETS_AGENT_MAGIC, PETS_VERSION, &old));
    while (at < old.length) {
        memcpy(&header, old.data + at, sizeof header);
        const size_t whole = (size_t)header.length;
        if (memcmp(header.tag, PETS_TAG_SHAPE, PETS_TAG_LENGTH) == 0) {
            assert_true(header.length > bytes);
            header.length -= bytes;
        }
        buffer_append(&changed, &header, sizeof header);
        buffer_append(&changed, old.data + at + sizeof header, (size_t)header.length);
        at += sizeof header + whole;
    }
    assert_ok(file_remove_all(file));
    assert_ok(
        sealed_file_write(file, PETS_AGENT_MAGIC, PETS_VERSION, changed.data, changed.length));
    buffer_reset(&old);
    buffer_reset(&changed);
}

/* the next segment of the agent in `path` */
static Record continued(const char *path) {
    Record           record = {0};
    const MetricSink sink = record_sink(&record);
    AgentResult      result;
    void            *self = NULL;
    assert_ok(load(path, &self));
    assert_ok(bench_pets()->train(self, 2 * STEP, &sink, NULL, &result));
    bench_pets()->destroy(self);
    return record;
}

/* A checkpoint written before the last options of the ensemble existed continues with the same
 * bits: rows that it lacks are at their defaults. */
static void a_checkpoint_with_fewer_options_continues(void **state) {
    (void)state;
    char *folder = test_folder_make();
    char  path[PATH];
    void *self = NULL;
    make_chain(folder);
    in(folder, "60", path);
    Record now = continued(path);
    shorten_shape(path, (1 + NETWORK_MAX_LAYERS) * sizeof(double));
    Record then = continued(path);
    assert_true(then.count > 0);
    record_expect_same(&then, &now);
    shorten_shape(path, 3);
    assert_fails(load(path, &self), STATUS_ERR_CORRUPT, "section 'shape' has");
    record_free(&now);
    record_free(&then);
    test_folder_remove(folder);
}

/* ---- damage ---- */

static void read_all(const char *path, Buffer *out) {
    buffer_init(out, 1 << 24);
    assert_ok(file_read(path, out));
}

static void write_all(const char *path, const char *bytes, size_t length) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void expect_refused(const char *folder, const char *what, size_t where) {
    void        *self = NULL;
    const Status status = load(folder, &self);
    if (status != STATUS_ERR_CORRUPT && status != STATUS_ERR_VERSION) {
        fail_msg("%s at %zu: %s", what, where, status_name(status));
    }
    assert_null(self);
    assert_contains(status_last()->text, folder);
    assert_null(strchr(status_last()->text, '\n'));
}

/* Every header byte, every section's first bytes and a grid over the rest. */
static void damage_everywhere(const char *folder, const char *name) {
    char   path[PATH];
    Buffer good;
    in(folder, name, path);
    read_all(path, &good);
    assert_ok(file_remove_all(path)); /* not through a hard link */
    for (size_t i = 0; i < good.length; i += i < 700 ? 1 : 131) {
        good.data[i] = (char)(good.data[i] ^ (1 << (i % 8)));
        write_all(path, good.data, good.length);
        expect_refused(folder, "a flipped bit", i);
        good.data[i] = (char)(good.data[i] ^ (1 << (i % 8)));
    }
    for (size_t length = 0; length < good.length; length += length < 100 ? 1 : 197) {
        write_all(path, good.data, length);
        expect_refused(folder, "a file cut short", length);
    }
    Buffer longer;
    buffer_init(&longer, 1 << 24);
    buffer_append(&longer, good.data, good.length);
    buffer_append(&longer, "x", 1);
    write_all(path, longer.data, longer.length);
    expect_refused(folder, "a byte too many", good.length);
    buffer_reset(&longer);

    write_all(path, good.data, good.length);
    void *self = NULL;
    assert_ok(load(folder, &self)); /* whole again */
    bench_pets()->destroy(self);
    buffer_reset(&good);
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    char *folder = test_folder_make();
    char  path[PATH];
    make_chain(folder);
    in(folder, "180", path);
    damage_everywhere(path, "agent");
    damage_everywhere(path, "experience-0");
    damage_everywhere(path, "experience-120");
    test_folder_remove(folder);
}

static void missing_and_foreign_files_are_refused(void **state) {
    (void)state;
    char *folder = test_folder_make();
    char  path[PATH];
    char  from[PATH];
    char  to[PATH];
    void *self = NULL;
    make_chain(folder);
    in(folder, "180", path);
    /* a sound file, but not the one that belongs here */
    in(path, "experience-60", to);
    in(path, "experience-0", from);
    assert_ok(file_remove_all(to));
    assert_int_equal(link(from, to), 0);
    assert_fails(load(path, &self), STATUS_ERR_CORRUPT, "not the file");
    assert_ok(file_remove_all(to));
    assert_fails(load(path, &self), STATUS_ERR_IO, "experience-60");
    in(folder, "120", path);
    assert_ok(file_remove_all(in(path, "agent", to)));
    assert_fails(load(path, &self), STATUS_ERR_IO, "agent");
    assert_null(self);
    test_folder_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(experience_is_stored_once_per_segment),
        cmocka_unit_test(links_survive_renaming_and_do_not_need_the_parent),
        cmocka_unit_test(an_agent_that_did_nothing_saves_too),
        cmocka_unit_test(saving_needs_a_new_folder_in_an_existing_one),
        cmocka_unit_test(a_checkpoint_of_something_else_is_refused),
        cmocka_unit_test(a_checkpoint_with_fewer_options_continues),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(missing_and_foreign_files_are_refused),
    };
    return cmocka_run_group_tests_name("mbrl/pets_checkpoint", tests, NULL, NULL);
}
