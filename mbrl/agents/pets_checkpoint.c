/* A checkpoint is a folder: `agent` (one sealed file of sections) and `experience-N`, the
 * transitions from row N on, one file per segment that had any. A segment writes only the
 * experience that is new; the older files are hard links into the folder that it continued from, so
 * each row is stored once however long the chain. That folder is held open, which survives its
 * being renamed; where a link cannot be made (another file system, the folder was removed) the rows
 * are written from memory.
 */
#include "mbrl/agents/pets_internal.h"
#include "mbrl/agents/pets_sections.h"
#include "mbrl/agents/sealed_file.h"

#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

Status pets__identity(const Pets *pets, Buffer *out) {
    const EnvironmentOps *environment = pets->environment;
    const OptionSpec     *specs = pets__options();

    buffer_printf(out, "agent pets\n");
    buffer_printf(out, "environment %s\n", environment->name);
    buffer_printf(out, "state %zu\naction %zu\ninput %zu\n", environment->state_dim,
                  environment->action_dim, pets->data->input_dim);
    buffer_printf(out, "unit %s\n", pets->unit == AGENT_UNIT_EPISODE ? "episode" : "env_step");
    for (size_t i = 0; specs[i].name != NULL; i++) {
        if (!specs[i].dynamic) {
            buffer_printf(out, "%s %.17g\n", specs[i].name, pets->options[i]);
        }
    }
    return buffer_status(out);
}

/* The new block: rows that no file holds yet. */
static PetsBlock next_block(const Pets *pets) {
    const PetsBlock *last =
        pets->block_count > 0 ? &pets->blocks[pets->block_count - 1] : &(PetsBlock){0};
    const uint64_t first = last->first + last->count;
    return (PetsBlock){.first = first, .count = pets->data->n - first};
}

/* Writes one section by calling `write` and putting its length before what it wrote. */
static Status section(Buffer *out, const char *tag, Buffer *content, Status written) {
    if (written == STATUS_OK) {
        PetsSection header = {.length = content->length};
        memcpy(header.tag, tag, sizeof header.tag);
        buffer_append(out, &header, sizeof header);
        buffer_append(out, buffer_text(content), content->length);
    }
    buffer_clear(content);
    return written == STATUS_OK ? buffer_status(out) : written;
}

static Status write_simulator(const Pets *pets, Buffer *out) {
    double *snapshot = calloc(pets->environment->snapshot_size, sizeof *snapshot);
    if (snapshot == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a snapshot");
    }
    /* between episodes there is nothing to continue, and nothing that depends on the past */
    if (pets->at.in_episode) {
        pets->environment->save(pets->simulator, snapshot);
    }
    buffer_append(out, snapshot, pets->environment->snapshot_size * sizeof *snapshot);
    free(snapshot);
    return buffer_status(out);
}

static Status write_blocks(const PetsBlock *blocks, size_t count, Buffer *out) {
    if (count > 0) {
        buffer_append(out, blocks, count * sizeof *blocks);
    }
    return buffer_status(out);
}

static Status write_state(const Pets *pets, Buffer *out) {
    buffer_append(out, &pets->at, sizeof pets->at);
    return buffer_status(out);
}

/* The network may have another structure than the options by now: the one it has is written. */
static Status write_shape(const Pets *pets, Buffer *out) {
    double rows[PETS_MOST_OPTIONS];
    pets__same_structure(pets, pets__model_options(pets->options), rows);
    buffer_append(out, rows, option_count(pets->model_ops->options) * sizeof *rows);
    return buffer_status(out);
}

/* All sections, in the order of pets_sections.h. */
static Status write_sections(const Pets *pets, const PetsBlock *blocks, size_t block_count,
                             Buffer *content, Buffer *out) {
    TRY(section(out, PETS_TAG_IDENTITY, content, pets__identity(pets, content)));
    TRY(section(out, PETS_TAG_STATE, content, write_state(pets, content)));
    TRY(section(out, PETS_TAG_SHAPE, content, write_shape(pets, content)));
    TRY(section(out, PETS_TAG_BLOCKS, content, write_blocks(blocks, block_count, content)));
    TRY(section(out, PETS_TAG_MODEL, content, pets->model_ops->save(pets->model, content)));
    TRY(section(out, PETS_TAG_PLANNER, content, pets->planner_ops->save(pets->planner, content)));
    TRY(section(out, PETS_TAG_SIMULATOR, content, write_simulator(pets, content)));
    return section(out, PETS_TAG_BOOTSTRAP, content, dataset_write_bootstrap(pets->data, content));
}

static Status write_agent(const Pets *pets, const char *path, const PetsBlock *blocks,
                          size_t block_count) {
    Buffer content;
    Buffer out;
    char  *file = file_join(path, "agent");

    if (file == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    buffer_init(&content, PETS_FILE_CAP);
    buffer_init(&out, PETS_FILE_CAP);
    Status status = write_sections(pets, blocks, block_count, &content, &out);
    if (status == STATUS_OK) {
        status = sealed_file_write(file, PETS_AGENT_MAGIC, PETS_VERSION, out.data, out.length);
    }
    buffer_reset(&content);
    buffer_reset(&out);
    free(file);
    return status;
}

/* Writes a block from memory; fills in its length and checksum. */
static Status write_block(const Pets *pets, const char *file, PetsBlock *block) {
    Buffer rows;
    buffer_init(&rows, PETS_FILE_CAP);
    Status status =
        dataset_write_range(pets->data, (size_t)block->first, (size_t)block->count, &rows);
    if (status == STATUS_OK) {
        block->length = rows.length;
        block->checksum = file_hash(rows.data, rows.length);
        status =
            sealed_file_write(file, PETS_EXPERIENCE_MAGIC, PETS_VERSION, rows.data, rows.length);
    }
    buffer_reset(&rows);
    return status;
}

/* Links a block from the folder that holds it, or writes it. */
static Status place_block(const Pets *pets, const char *path, PetsBlock *block) {
    char name[PETS_NAME_SIZE];
    pets__block_name(block->first, name);
    char *file = file_join(path, name);
    if (file == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a path");
    }
    const bool linked =
        pets->home >= 0 && block->checksum != 0 && linkat(pets->home, name, AT_FDCWD, file, 0) == 0;
    const Status status = linked ? STATUS_OK : write_block(pets, file, block);
    free(file);
    return status;
}

/* Fills an existing, empty folder. `blocks` has room for one more than there are; *count out. */
static Status fill(const Pets *pets, const char *path, PetsBlock *blocks, size_t *count) {
    *count = pets->block_count;
    if (*count > 0) {
        memcpy(blocks, pets->blocks, *count * sizeof *blocks);
    }
    const PetsBlock fresh = next_block(pets);
    if (fresh.count > 0) {
        blocks[(*count)++] = fresh;
    }
    for (size_t i = 0; i < *count; i++) {
        TRY(place_block(pets, path, &blocks[i]));
    }
    return write_agent(pets, path, blocks, *count);
}

void pets__block_name(uint64_t first, char *name) {
    (void)snprintf(name, PETS_NAME_SIZE, "experience-%llu", (unsigned long long)first);
}

Status pets__save(void *self, const char *path) {
    Pets  *pets = self;
    size_t count = 0;

    PetsBlock *blocks = calloc(pets->block_count + 1, sizeof *blocks);
    if (blocks == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a checkpoint");
    }
    if (mkdir(path, 0777) != 0) {
        free(blocks);
        FAIL_NATIVE(STATUS_ERR_IO, errno, "cannot make the checkpoint folder %s: %s", path,
                    status_errno(errno));
    }
    Status    status = fill(pets, path, blocks, &count);
    const int home = status == STATUS_OK ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (status == STATUS_OK && home < 0) {
        status = FAILURE_NATIVE(STATUS_ERR_IO, errno, "cannot open the checkpoint folder %s: %s",
                                path, status_errno(errno));
    }
    if (status != STATUS_OK) {
        free(blocks);
        const ErrorInfo why = *status_last();
        if (file_remove_all(path) != STATUS_OK) {
            /* the first failure is the one to report */
            return status_fail(why.code, why.native, why.file, why.line, why.func, "%s", why.text);
        }
        return status;
    }
    if (pets->home >= 0) {
        (void)close(pets->home);
    }
    free(pets->blocks);
    pets->home = home;
    pets->blocks = blocks;
    pets->block_count = count;
    return STATUS_OK;
}
