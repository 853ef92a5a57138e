/* The payload of an agent's checkpoint file, as if it had been written with the right checksum; an
 * input that begins as such a file, or as one of experience, is that whole file. What loads must be
 * trainable: one step, and saved again. The rest of the folder is that of a real agent;
 * MBTUNE_FUZZ_SEED names a file that gets the payload of that agent's own file. */
#include "tests/fuzz/fuzz_target.h"
#include "tests/fuzz/input_file.h"
#include "tests/mbrl/agent_bench.h"

#include "core/file.h"
#include "mbrl/agents/pets_sections.h"
#include "mbrl/agents/sealed_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 512, STEPS = 24 };

bool fuzz_accepted;

typedef struct Scene {
    const EnvironmentOps *environment;
    double                options[BENCH_MOST_OPTIONS];
    char                  folder[PATH]; /* of one checkpoint */
    char                  agent[PATH];  /* the file in it that changes */
    char                  experience[PATH];
    Buffer                rows;        /* the bytes of that file */
    Buffer                payload;     /* of the agent's own file */
    char                  again[PATH]; /* where it is saved to */
} Scene;

static void write_seed(const Buffer *payload) {
    const char *path = getenv("MBTUNE_FUZZ_SEED");

    if (path != NULL) {
        assert_ok(file_write_atomic(path, buffer_text(payload), payload->length));
    }
}

static Scene scene;
static char *scene_folder; /* both stay until the process ends */

static void remove_scene(void) {
    test_folder_remove(scene_folder);
    buffer_reset(&scene.rows);
    buffer_reset(&scene.payload);
}

static void scene_open(void) {
    char       *folder = test_folder_make();
    const Chain chain =
        chain_make("cartpole", AGENT_UNIT_ENV_STEP, STEPS, STEPS, CHAIN_SAVED, folder);
    Record record = {0};

    chain_run(&chain, &record);
    record_free(&record);
    scene.environment = chain.environment;
    memcpy(scene.options, chain.options, sizeof scene.options);
    (void)snprintf(scene.folder, PATH, "%s/%d", folder, STEPS);
    (void)snprintf(scene.agent, PATH, "%s/%d/agent", folder, STEPS);
    (void)snprintf(scene.experience, PATH, "%s/%d/experience-0", folder, STEPS);
    (void)snprintf(scene.again, PATH, "%s/again", folder);
    buffer_init(&scene.rows, 1 << 24);
    assert_ok(file_read(scene.experience, &scene.rows));
    scene_folder = folder;
    (void)atexit(remove_scene);
    buffer_init(&scene.payload, 1 << 24);
    assert_ok(sealed_file_read(scene.agent, PETS_AGENT_MAGIC, PETS_VERSION, &scene.payload));
    write_seed(&scene.payload);
}

static void use(void *agent) {
    Record           record = {.agent = bench_pets()};
    const MetricSink sink = record_sink(&record);
    atomic_bool      yield = false;
    AgentResult      result;
    const int64_t    at = bench_pets()->position(agent);

    if (at >= 0 && at < INT64_MAX / 2 && bench_pets()->set(agent, scene.options, 1) == STATUS_OK &&
        bench_pets()->train(agent, at + 1, &sink, &yield, &result) == STATUS_OK) {
        (void)!bench_pets()->save(agent, scene.again);
        char *again = strdup(scene.again);
        test_folder_remove(again);
    }
    record_free(&record);
}

static bool begins(const uint8_t *data, size_t size, const char *magic) {
    return size >= SEALED_MAGIC_LENGTH && memcmp(data, magic, SEALED_MAGIC_LENGTH) == 0;
}

static void put(const uint8_t *data, size_t size) {
    (void)unlink(scene.agent);
    input_write(scene.experience, buffer_text(&scene.rows), scene.rows.length);
    if (begins(data, size, PETS_AGENT_MAGIC)) {
        input_write(scene.agent, data, size);
        return;
    }
    if (begins(data, size, PETS_EXPERIENCE_MAGIC)) {
        input_write(scene.experience, data, size);
        data = (const uint8_t *)buffer_text(&scene.payload);
        size = scene.payload.length;
    }
    if (sealed_file_write(scene.agent, PETS_AGENT_MAGIC, PETS_VERSION, data, size) != STATUS_OK) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    void *agent = NULL;

    fuzz_accepted = false;
    if (scene.environment == NULL) {
        scene_open();
    }
    put(data, size);
    if (bench_pets()->load(scene.environment, AGENT_UNIT_ENV_STEP, scene.options, scene.folder,
                           &agent) == STATUS_OK) {
        fuzz_accepted = true;
        use(agent);
        bench_pets()->destroy(agent);
    }
    return 0;
}
