/* One block per column group, grown by doubling. The bootstrap is stratified: the rows that join
 * together are drawn from among themselves, so early rows keep their weight for every member
 * however the data grows, and no index drawn earlier ever changes.
 */
#include "mbrl/models/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAPACITY = 256,
    /* first lane of the draws of members that join later; those of rows that join begin at 0 */
    LATE_MEMBERS = 1 << 16
};

/* what stands before serialised rows */
typedef struct RowsHeader {
    uint32_t input_dim;
    uint32_t output_dim;
    uint64_t count;
} RowsHeader;

/* what stands before serialised bootstrap indices */
typedef struct BootstrapHeader {
    uint64_t members;
    uint64_t count;
} BootstrapHeader;

Status dataset_create(size_t input_dim, size_t output_dim, size_t members, Dataset **out) {
    *out = NULL;
    if (input_dim == 0 || output_dim == 0 || members == 0) {
        FAIL(STATUS_ERR_ARG, "a dataset needs inputs, outputs and members, got %zu, %zu, %zu",
             input_dim, output_dim, members);
    }
    Dataset *dataset = calloc(1, sizeof *dataset);
    if (dataset == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a dataset");
    }
    dataset->input_dim = input_dim;
    dataset->output_dim = output_dim;
    dataset->members = members;
    *out = dataset;
    return STATUS_OK;
}

void dataset_destroy(Dataset *dataset) {
    if (dataset == NULL) {
        return;
    }
    free(dataset->inputs);
    free(dataset->targets);
    free(dataset->episode);
    free(dataset->validation);
    free(dataset->train_rows);
    free(dataset->held_rows);
    free(dataset->bootstrap);
    free(dataset);
}

/* realloc of count * size bytes; NULL on overflow and where memory is out */
static void *larger(void *block, size_t count, size_t size) {
    return count > SIZE_MAX / size ? NULL : realloc(block, count * size);
}

/* Blocks that did grow before one failed are merely larger than they need to be. */
static bool grow_columns(Dataset *dataset, size_t capacity) {
    float *inputs = larger(dataset->inputs, capacity, dataset->input_dim * sizeof *inputs);
    dataset->inputs = inputs != NULL ? inputs : dataset->inputs;
    float *targets = larger(dataset->targets, capacity, dataset->output_dim * sizeof *targets);
    dataset->targets = targets != NULL ? targets : dataset->targets;
    int32_t *episode = larger(dataset->episode, capacity, sizeof *episode);
    dataset->episode = episode != NULL ? episode : dataset->episode;
    uint8_t *validation = larger(dataset->validation, capacity, sizeof *validation);
    dataset->validation = validation != NULL ? validation : dataset->validation;
    uint32_t *train_rows = larger(dataset->train_rows, capacity, sizeof *train_rows);
    dataset->train_rows = train_rows != NULL ? train_rows : dataset->train_rows;
    uint32_t *held_rows = larger(dataset->held_rows, capacity, sizeof *held_rows);
    dataset->held_rows = held_rows != NULL ? held_rows : dataset->held_rows;
    return inputs != NULL && targets != NULL && episode != NULL && validation != NULL &&
           train_rows != NULL && held_rows != NULL;
}

/* the columns of each member lie `capacity` apart, so they move when it grows */
static bool grow_bootstrap(Dataset *dataset, size_t capacity) {
    uint32_t *bigger = calloc(dataset->members * capacity, sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    for (size_t m = 0; m < dataset->members && dataset->bootstrap_count > 0; m++) {
        memcpy(bigger + m * capacity, dataset->bootstrap + m * dataset->capacity,
               dataset->bootstrap_count * sizeof *bigger);
    }
    free(dataset->bootstrap);
    dataset->bootstrap = bigger;
    return true;
}

static Status reserve(Dataset *dataset, size_t rows) {
    size_t capacity = dataset->capacity > 0 ? dataset->capacity : FIRST_CAPACITY;
    if (rows <= dataset->capacity) {
        return STATUS_OK;
    }
    if (rows > UINT32_MAX) {
        FAIL(STATUS_ERR_NOMEM, "a dataset holds at most %u rows", UINT32_MAX);
    }
    while (capacity < rows) {
        capacity *= 2;
    }
    if (!grow_columns(dataset, capacity) || !grow_bootstrap(dataset, capacity)) {
        FAIL(STATUS_ERR_NOMEM, "no memory for %zu rows of experience", capacity);
    }
    dataset->capacity = capacity;
    return STATUS_OK;
}

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

/* Appends a row that was checked, into reserved memory. */
static void push(Dataset *dataset, const float *input, const float *target, int32_t episode,
                 bool validation) {
    const size_t row = dataset->n++;
    memcpy(dataset->inputs + row * dataset->input_dim, input, dataset->input_dim * sizeof *input);
    memcpy(dataset->targets + row * dataset->output_dim, target,
           dataset->output_dim * sizeof *target);
    dataset->episode[row] = episode;
    dataset->validation[row] = validation;
    if (validation) {
        dataset->held_rows[dataset->held_count++] = (uint32_t)row;
    } else {
        dataset->train_rows[dataset->train_count++] = (uint32_t)row;
    }
}

Status dataset_append(Dataset *dataset, const float *input, const float *target, int32_t episode,
                      bool validation) {
    if (!all_finite(input, dataset->input_dim) || !all_finite(target, dataset->output_dim)) {
        FAIL(STATUS_ERR_NUMERIC, "row %zu of the dataset has a number that is not finite",
             dataset->n);
    }
    TRY(reserve(dataset, dataset->n + 1));
    push(dataset, input, target, episode, validation);
    return STATUS_OK;
}

/* draws of one column for the rows [first, end) from among themselves */
static void draw_column(uint32_t *column, Rng rng, size_t first, size_t end) {
    for (size_t k = first; k < end; k++) {
        column[k] = (uint32_t)(first + rng_below(&rng, end - first));
    }
}

Status dataset_bootstrap(Dataset *dataset, uint64_t seed, uint64_t step) {
    const size_t first = dataset->bootstrap_count;
    const size_t end = dataset->train_count;
    for (size_t m = 0; m < dataset->members && end > first; m++) {
        draw_column(dataset->bootstrap + m * dataset->capacity,
                    rng_stream_lane(seed, step, RNG_MODEL_BOOTSTRAP, (uint32_t)m), first, end);
    }
    dataset->bootstrap_count = end;
    return STATUS_OK;
}

void dataset_limit(Dataset *dataset, size_t limit) {
    const bool all = limit == 0 || limit >= dataset->train_count;
    dataset->train_first = all ? 0 : dataset->train_count - limit;
}

Status dataset_set_members(Dataset *dataset, size_t members, uint64_t seed, uint64_t step) {
    const size_t kept = members < dataset->members ? members : dataset->members;
    if (members == 0) {
        FAIL(STATUS_ERR_ARG, "a dataset needs at least one member");
    }
    if (dataset->capacity > 0) {
        uint32_t *columns = calloc(members * dataset->capacity, sizeof *columns);
        if (columns == NULL) {
            FAIL(STATUS_ERR_NOMEM, "no memory for the bootstrap indices of %zu members", members);
        }
        memcpy(columns, dataset->bootstrap, kept * dataset->capacity * sizeof *columns);
        for (size_t m = kept; m < members; m++) {
            draw_column(
                columns + m * dataset->capacity,
                rng_stream_lane(seed, step, RNG_MODEL_BOOTSTRAP, LATE_MEMBERS + (uint32_t)m), 0,
                dataset->bootstrap_count);
        }
        free(dataset->bootstrap);
        dataset->bootstrap = columns;
    }
    dataset->members = members;
    return STATUS_OK;
}

size_t dataset_member_rows(const Dataset *dataset, size_t member, bool bootstrap, size_t *rows) {
    const uint32_t *drawn = dataset->bootstrap + member * dataset->capacity;
    size_t          count = 0;
    for (size_t k = 0; bootstrap && k < dataset->bootstrap_count; k++) {
        if (drawn[k] >= dataset->train_first) {
            rows[count++] = dataset->train_rows[drawn[k]];
        }
    }
    for (size_t k = dataset->train_first; count == 0 && k < dataset->train_count; k++) {
        rows[k - dataset->train_first] = dataset->train_rows[k];
    }
    return count > 0 ? count : dataset->train_count - dataset->train_first;
}

const uint32_t *dataset_judging_rows(const Dataset *dataset, size_t *count) {
    if (dataset->held_count > 0) {
        *count = dataset->held_count;
        return dataset->held_rows;
    }
    *count = dataset->train_count - dataset->train_first;
    return dataset->train_rows + dataset->train_first;
}

Status dataset_write_range(const Dataset *dataset, size_t first, size_t count, Buffer *out) {
    if (first > dataset->n || count > dataset->n - first) {
        FAIL(STATUS_ERR_RANGE, "rows %zu to %zu were asked for, the dataset has %zu", first,
             first + count, dataset->n);
    }
    const RowsHeader header = {.input_dim = (uint32_t)dataset->input_dim,
                               .output_dim = (uint32_t)dataset->output_dim,
                               .count = count};
    buffer_append(out, &header, sizeof header);
    if (count > 0) {
        buffer_append(out, dataset->inputs + first * dataset->input_dim,
                      count * dataset->input_dim * sizeof(float));
        buffer_append(out, dataset->targets + first * dataset->output_dim,
                      count * dataset->output_dim * sizeof(float));
        buffer_append(out, dataset->episode + first, count * sizeof(int32_t));
        buffer_append(out, dataset->validation + first, count);
    }
    return buffer_status(out);
}

/* Row `index` of serialised rows: the columns one after another, possibly unaligned. */
typedef struct RowReader {
    const char *inputs;
    const char *targets;
    const char *episodes;
    const char *validation;
} RowReader;

static void push_serialised(Dataset *dataset, const RowReader *reader, size_t index, float *row) {
    const size_t input_bytes = dataset->input_dim * sizeof(float);
    const size_t target_bytes = dataset->output_dim * sizeof(float);
    int32_t      episode;
    memcpy(row, reader->inputs + index * input_bytes, input_bytes);
    memcpy(row + dataset->input_dim, reader->targets + index * target_bytes, target_bytes);
    memcpy(&episode, reader->episodes + index * sizeof episode, sizeof episode);
    push(dataset, row, row + dataset->input_dim, episode, reader->validation[index] != 0);
}

Status dataset_read_rows(Dataset *dataset, const void *bytes, size_t length) {
    RowsHeader   header;
    const size_t row_bytes =
        (dataset->input_dim + dataset->output_dim) * sizeof(float) + sizeof(int32_t) + 1;
    if (length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "serialised rows are cut short: %zu bytes", length);
    }
    memcpy(&header, bytes, sizeof header);
    if (header.input_dim != dataset->input_dim || header.output_dim != dataset->output_dim) {
        FAIL(STATUS_ERR_SHAPE, "rows of %u inputs and %u outputs, expected %zu and %zu",
             header.input_dim, header.output_dim, dataset->input_dim, dataset->output_dim);
    }
    if (header.count > UINT32_MAX || length != sizeof header + (size_t)header.count * row_bytes) {
        FAIL(STATUS_ERR_CORRUPT, "%llu serialised rows do not fit %zu bytes",
             (unsigned long long)header.count, length);
    }
    const size_t count = (size_t)header.count;
    RowReader    reader = {.inputs = (const char *)bytes + sizeof header};
    reader.targets = reader.inputs + count * dataset->input_dim * sizeof(float);
    reader.episodes = reader.targets + count * dataset->output_dim * sizeof(float);
    reader.validation = reader.episodes + count * sizeof(int32_t);

    float *row = calloc(dataset->input_dim + dataset->output_dim, sizeof *row);
    if (row == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a row");
    }
    const Status status = reserve(dataset, dataset->n + count);
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        push_serialised(dataset, &reader, i, row);
    }
    free(row);
    return status;
}

Status dataset_write_bootstrap(const Dataset *dataset, Buffer *out) {
    const BootstrapHeader header = {.members = dataset->members, .count = dataset->bootstrap_count};
    buffer_append(out, &header, sizeof header);
    for (size_t m = 0; m < dataset->members && dataset->bootstrap_count > 0; m++) {
        buffer_append(out, dataset->bootstrap + m * dataset->capacity,
                      dataset->bootstrap_count * sizeof *dataset->bootstrap);
    }
    return buffer_status(out);
}

Status dataset_read_bootstrap(Dataset *dataset, const void *bytes, size_t length) {
    BootstrapHeader header;
    const char     *indices = (const char *)bytes + sizeof header;
    if (length < sizeof header) {
        FAIL(STATUS_ERR_CORRUPT, "bootstrap indices are cut short: %zu bytes", length);
    }
    memcpy(&header, bytes, sizeof header);
    if (header.members != dataset->members) {
        FAIL(STATUS_ERR_SHAPE, "bootstrap indices of %llu members, expected %zu",
             (unsigned long long)header.members, dataset->members);
    }
    const size_t count = (size_t)header.count;
    if (count > dataset->train_count ||
        length != sizeof header + count * dataset->members * sizeof(uint32_t)) {
        FAIL(STATUS_ERR_CORRUPT, "%zu bootstrap indices do not fit %zu bytes or %zu training rows",
             count, length, dataset->train_count);
    }
    for (size_t k = 0; k < count * dataset->members; k++) {
        uint32_t index;
        memcpy(&index, indices + k * sizeof index, sizeof index);
        if (index >= count) {
            FAIL(STATUS_ERR_CORRUPT, "bootstrap index %u is beyond %zu training rows", index,
                 count);
        }
    }
    for (size_t m = 0; m < dataset->members && count > 0; m++) {
        memcpy(dataset->bootstrap + m * dataset->capacity, indices + m * count * sizeof(uint32_t),
               count * sizeof(uint32_t));
    }
    dataset->bootstrap_count = count;
    return STATUS_OK;
}
