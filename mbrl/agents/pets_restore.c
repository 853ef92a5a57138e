/* Reading a checkpoint (pets_checkpoint.c says what it is). An agent is made from the options first
 * and then filled, section by section in the order of the file, so whatever is missing, cut short
 * or of another agent fails before anything is trained with it. Identity is compared as text, line
 * by line, so that the message can name what differs. Options that a later version added are not in
 * the file and keep their defaults.
 */
#include "mbrl/agents/pets_internal.h"
#include "mbrl/agents/pets_sections.h"
#include "mbrl/agents/sealed_file.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes the next section off `rest`; STATUS_ERR_CORRUPT unless it has this tag and fits. */
static Status take(const char **rest, size_t *left, const char *tag, const char **content,
                   size_t *length) {
    PetsSection header;
    if (*left < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "section '%s' is missing", tag);
    }
    memcpy(&header, *rest, sizeof header);
    if (memcmp(header.tag, tag, sizeof header.tag) != 0) {
        FAIL(STATUS_ERR_CORRUPT, "section '%s' is missing", tag);
    }
    if (header.length > *left - sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "section '%s' is cut short", tag);
    }
    *content = *rest + sizeof header;
    *length = (size_t)header.length;
    *rest += sizeof header + *length;
    *left -= sizeof header + *length;
    return STATUS_OK;
}

/* First line in which two texts differ: the checkpoint's and what is expected in its place. */
static Status compare_identity(const char *found, size_t found_length, const Buffer *expected) {
    const char  *want = buffer_text(expected);
    const size_t shorter = found_length < expected->length ? found_length : expected->length;
    size_t       line = 0;

    for (size_t i = 0; i < shorter && found[i] == want[i]; i++) {
        line = found[i] == '\n' ? i + 1 : line;
    }
    if (found_length == expected->length && line == found_length) {
        return STATUS_OK; /* the last line is the same, too: it ends in a newline */
    }
    const size_t left = found_length > line ? found_length - line : 0;
    const char  *end = left > 0 ? memchr(found + line, '\n', left) : NULL;
    const int    width = end != NULL ? (int)(end - (found + line)) : (int)left;
    FAIL(STATUS_ERR_STATE, "it is of another agent: it has '%.*s', expected '%.*s'", width,
         found + line, (int)strcspn(want + line, "\n"), want + line);
}

static Status read_identity(const Pets *pets, const char *content, size_t length) {
    Buffer expected;
    buffer_init(&expected, PETS_FILE_CAP);
    Status status = pets__identity(pets, &expected);
    if (status == STATUS_OK) {
        status = compare_identity(content, length, &expected);
    }
    buffer_reset(&expected);
    return status;
}

static Status read_blocks(Pets *pets, const char *content, size_t length) {
    if (length % sizeof *pets->blocks != 0) {
        FAIL(STATUS_ERR_CORRUPT, "the list of experience files has %zu bytes", length);
    }
    PetsBlock *blocks = calloc(1, length > 0 ? length : 1);
    if (blocks == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for the list of experience files");
    }
    memcpy(blocks, content, length);
    pets->blocks = blocks;
    pets->block_count = length / sizeof *blocks;
    return STATUS_OK;
}

static Status read_block(Pets *pets, const char *path, const PetsBlock *block) {
    char   name[PETS_NAME_SIZE];
    Buffer rows;

    pets__block_name(block->first, name);
    char *file = file_join(path, name);
    if (file == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    buffer_init(&rows, PETS_FILE_CAP);
    Status status = sealed_file_read(file, PETS_EXPERIENCE_MAGIC, PETS_VERSION, &rows);
    if (status == STATUS_OK &&
        (rows.length != block->length || file_hash(rows.data, rows.length) != block->checksum)) {
        status = FAILURE(STATUS_ERR_CORRUPT, "%s is not the file that this checkpoint was made of",
                         file);
    }
    if (status == STATUS_OK) {
        status = dataset_read_rows(pets->data, rows.data, rows.length);
    }
    if (status == STATUS_OK && pets->data->n != block->first + block->count) {
        status = FAILURE(STATUS_ERR_CORRUPT, "%s does not follow the experience before it", file);
    }
    buffer_reset(&rows);
    free(file);
    return status;
}

/* counters also number streams of random numbers, which end at 2^56 (core/rng.h) */
#define MOST_COUNTED (INT64_C(1) << 53)

static Status read_state(Pets *pets, const char *content, size_t length) {
    PetsState at;
    if (length != sizeof at) {
        FAIL(STATUS_ERR_CORRUPT, "section 'state' has %zu bytes, expected %zu", length, sizeof at);
    }
    memcpy(&at, content, length);
    const int64_t counters[] = {at.env_steps, at.control_steps, at.started,
                                at.episodes,  at.steps,         at.scored};
    for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
        if (counters[i] < 0 || counters[i] > MOST_COUNTED) {
            FAIL(STATUS_ERR_CORRUPT, "section 'state' counts %lld", (long long)counters[i]);
        }
    }
    pets->at = at;
    return STATUS_OK;
}

/* Makes the model with the structure that it was written with, whatever the options ask for. An
 * older version wrote fewer rows: what has joined behind them is at its default, and no structure.
 */
static Status read_shape(Pets *pets, const char *content, size_t length) {
    const OptionSpec *rows = pets->model_ops->options;
    const size_t      count = option_count(rows);
    double            written[PETS_MOST_OPTIONS] = {0.0};
    double            built[PETS_MOST_OPTIONS];

    option_defaults(rows, written);
    if (length % sizeof *written != 0 || length > count * sizeof *written) {
        FAIL(STATUS_ERR_CORRUPT, "section 'shape' has %zu bytes, expected %zu", length,
             count * sizeof *written);
    }
    memcpy(written, content, length);
    for (size_t i = 0; i < count; i++) {
        if (option_check(&rows[i], written[i]) != STATUS_OK) {
            FAIL(STATUS_ERR_CORRUPT, "section 'shape' has %g for '%s'", written[i], rows[i].name);
        }
        built[i] = rows[i].dynamic == OPTION_REBUILDS ? written[i] : pets->built[i];
    }
    if (memcmp(built, pets->built, count * sizeof *built) == 0) {
        return STATUS_OK;
    }
    return pets__make_model(pets, built, 0);
}

static Status read_simulator(Pets *pets, const char *content, size_t length) {
    const size_t size = pets->environment->snapshot_size * sizeof(double);
    if (length != size) {
        FAIL(STATUS_ERR_CORRUPT, "section 'simulator' has %zu bytes, expected %zu", length, size);
    }
    double *snapshot = calloc(pets->environment->snapshot_size, sizeof *snapshot);
    if (snapshot == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a snapshot");
    }
    memcpy(snapshot, content, size);
    const Status status = pets->at.in_episode
                              ? pets->environment->load(pets->simulator, snapshot, pets->observed)
                              : STATUS_OK;
    free(snapshot);
    return status;
}

static Status read_experience(Pets *pets, const char *path) {
    for (size_t i = 0; i < pets->block_count; i++) {
        TRY(read_block(pets, path, &pets->blocks[i]));
    }
    const PetsState *at = &pets->at;
    if (at->fit_train_first < 0 || at->fit_train_count < at->fit_train_first ||
        (uint64_t)at->fit_train_count > pets->data->train_count || at->scored_rows < 0 ||
        (uint64_t)at->scored_rows > pets->data->n) {
        FAIL(STATUS_ERR_CORRUPT, "the counters do not fit %zu rows of experience", pets->data->n);
    }
    return STATUS_OK;
}

/* All sections in their order; experience is read as soon as its list is known. */
static Status read_sections(Pets *pets, const char *path, const char *rest, size_t left) {
    const char *content = NULL;
    size_t      length = 0;

    TRY(take(&rest, &left, PETS_TAG_IDENTITY, &content, &length));
    TRY(read_identity(pets, content, length));
    TRY(take(&rest, &left, PETS_TAG_STATE, &content, &length));
    TRY(read_state(pets, content, length));
    TRY(take(&rest, &left, PETS_TAG_SHAPE, &content, &length));
    TRY(read_shape(pets, content, length));
    TRY(take(&rest, &left, PETS_TAG_BLOCKS, &content, &length));
    TRY(read_blocks(pets, content, length));
    TRY(read_experience(pets, path));
    TRY(take(&rest, &left, PETS_TAG_MODEL, &content, &length));
    TRY(pets->model_ops->load(pets->model, content, length));
    TRY(take(&rest, &left, PETS_TAG_PLANNER, &content, &length));
    TRY(pets->planner_ops->load(pets->planner, content, length));
    TRY(take(&rest, &left, PETS_TAG_SIMULATOR, &content, &length));
    TRY(read_simulator(pets, content, length));
    TRY(take(&rest, &left, PETS_TAG_BOOTSTRAP, &content, &length));
    TRY(dataset_read_bootstrap(pets->data, content, length));
    if (left != 0) {
        FAIL(STATUS_ERR_CORRUPT, "%zu bytes follow the last section", left);
    }
    return STATUS_OK;
}

static Status read_folder(Pets *pets, const char *path) {
    Buffer payload;
    char  *file = file_join(path, "agent");

    if (file == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    buffer_init(&payload, PETS_FILE_CAP);
    Status status = sealed_file_read(file, PETS_AGENT_MAGIC, PETS_VERSION, &payload);
    if (status == STATUS_OK) {
        status = read_sections(pets, path, buffer_text(&payload), payload.length);
    }
    buffer_reset(&payload);
    free(file);
    if (status != STATUS_OK) {
        return status;
    }
    pets->home = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pets->home < 0) {
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot open the folder: %s", status_errno(errno));
    }
    return STATUS_OK;
}

Status pets__load(const EnvironmentOps *environment, AgentUnit unit, const double *options,
                  const char *path, void **self) {
    Pets *pets = NULL;

    *self = NULL;
    /* the seed is replaced by the checkpoint's */
    TRY(pets__create(environment, unit, options, 0, &pets));
    const Status status = read_folder(pets, path);
    if (status != STATUS_OK) {
        pets__destroy(pets);
        return status_prefix("checkpoint %s", path);
    }
    *self = pets;
    return STATUS_OK;
}
