/* What an ensemble keeps, and how it is saved. All floats are one aligned allocation: the members'
 * blocks first, then both moments in the same layout, so that a checkpoint writes them as one piece
 * and an optimizer walks over three parallel arrays; scratch behind. What is derived (bfloat16
 * weights, who plans) is made anew on load. A generation counts changes for whoever copies weights.
 */
#include "mbrl/models/ensemble_internal.h"

#include "mbrl/models/lane_gemm.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static size_t padded(size_t floats) {
    return (floats + (LANE_STEP - 1)) / LANE_STEP * LANE_STEP;
}

void ensemble__free(Ensemble *e) {
    arena_reset(&e->scratch);
    free(e->memory);
    free(e->packed);
    free(e->target_scale);
    free(e->order);
}

/* of the process, so that a new model where an old one lay is not taken for it; says nothing of the
 * numbers and is not saved */
void ensemble__renew(Ensemble *e) {
    static atomic_uint_fast64_t last;
    e->generation = (uint64_t)atomic_fetch_add(&last, 1) + 1;
}

void ensemble__pack(Ensemble *e) {
    const size_t words = network_bf16_words(&e->shape);
    for (size_t m = 0; e->packed != NULL && m < e->members; m++) {
        network_bf16_pack(&e->shape, e->block + m * e->shape.floats, e->packed + m * words);
    }
    ensemble__renew(e);
}

static Status allocate_packed(Ensemble *e) {
    if (e->values[ENSEMBLE_PLANNING_PRECISION] != ENSEMBLE_BFLOAT16) {
        return STATUS_OK;
    }
    const size_t words = e->members * network_bf16_words(&e->shape);
    e->packed = aligned_alloc(LANE_ALIGNMENT, words * sizeof *e->packed);
    if (e->packed == NULL) {
        FAIL(STATUS_ERR_NOMEM, "ensemble: no memory for %zu networks in bfloat16", e->members);
    }
    return STATUS_OK;
}

/* one aligned, zeroed allocation with views into it; the same for the doubles */
Status ensemble__allocate(Ensemble *e) {
    const size_t learned = e->members * e->shape.floats;
    const size_t inputs = padded(e->shape.inputs);
    const size_t outputs = e->shape.outputs;
    const size_t widest = padded(e->shape.widest + 1);
    const size_t floats = 3 * learned + 2 * e->shape.floats + 2 * inputs + widest;

    e->memory = aligned_alloc(LANE_ALIGNMENT, floats * sizeof *e->memory);
    e->target_scale = calloc(2 * outputs + e->members * (1 + outputs), sizeof *e->target_scale);
    if (e->memory == NULL || e->target_scale == NULL) {
        FAIL(STATUS_ERR_NOMEM, "ensemble: no memory for %zu networks of %zu numbers", e->members,
             e->shape.floats);
    }
    memset(e->memory, 0, floats * sizeof *e->memory);
    e->block = e->memory;
    e->first = e->block + learned;
    e->second = e->first + learned;
    e->gradient = e->second + learned;
    e->best = e->gradient + e->shape.floats;
    e->scaler_mean = e->best + e->shape.floats;
    e->scaler_inverse = e->scaler_mean + inputs;
    e->decay = e->scaler_inverse + inputs;
    e->member_nll = e->target_scale + outputs;
    e->residual = e->member_nll + e->members;
    e->squares = e->residual + e->members * outputs;
    TRY(allocate_packed(e));
    /* a judgement happens while a training block is taken */
    return arena_init(&e->scratch, ensemble__score_need(e) + network_training_need(&e->shape));
}

/* what a saved model starts with; every field is compared on load */
typedef struct SavedHeader {
    char     magic[8];
    uint64_t inputs;
    uint64_t outputs;
    uint64_t layers;
    uint64_t width;
    uint64_t members;
    uint64_t activation;
    uint64_t bounds;
    uint64_t heads;
    uint64_t optimizer;
} SavedHeader;

static SavedHeader header_of(const Ensemble *e) {
    return (SavedHeader){.magic = "mbt-ens2",
                         .inputs = e->shape.inputs,
                         .outputs = e->shape.outputs,
                         .layers = e->shape.layers,
                         .width = e->shape.fan_out[0],
                         .members = e->members,
                         .activation = (uint64_t)e->shape.activation,
                         .bounds = (uint64_t)e->values[ENSEMBLE_LOGVAR_BOUNDS],
                         .heads = e->shape.heads,
                         .optimizer = (uint64_t)e->values[ENSEMBLE_OPTIMIZER]};
}

/* the parts after the header, in the order of the file */
typedef struct SavedPart {
    void  *bytes;
    size_t length;
} SavedPart;

enum { SAVED_PARTS = 6 };

static void saved_parts(Ensemble *e, SavedPart parts[SAVED_PARTS]) {
    const size_t learned = 3 * e->members * e->shape.floats; /* block and both moments */
    const size_t inputs = e->shape.inputs;
    const size_t residuals = e->members * e->shape.outputs;
    parts[0] = (SavedPart){e->steps, e->members * sizeof *e->steps};
    parts[1] = (SavedPart){e->scaler_mean, inputs * sizeof *e->scaler_mean};
    parts[2] = (SavedPart){e->scaler_inverse, inputs * sizeof *e->scaler_inverse};
    parts[3] = (SavedPart){e->block, learned * sizeof *e->block};
    parts[4] = (SavedPart){e->member_nll, e->members * sizeof *e->member_nll};
    parts[5] = (SavedPart){e->residual, residuals * sizeof *e->residual};
}

size_t ensemble__saved_bytes(const NetworkShape *shape, size_t members) {
    return sizeof(SavedHeader) + members * sizeof(int64_t) + 2 * shape->inputs * sizeof(float) +
           3 * members * shape->floats * sizeof(float) +
           members * (1 + shape->outputs) * sizeof(double);
}

Status ensemble__save(const void *self, Buffer *out) {
    Ensemble          e = *(const Ensemble *)self;
    const SavedHeader header = header_of(&e);
    SavedPart         parts[SAVED_PARTS];
    saved_parts(&e, parts);
    /* the copy's steps are the copy's own; the rest are views of the same memory */
    buffer_append(out, &header, sizeof header);
    for (size_t k = 0; k < SAVED_PARTS; k++) {
        buffer_append(out, parts[k].bytes, parts[k].length);
    }
    return buffer_status(out);
}

Status ensemble__load(void *self, const void *bytes, size_t length) {
    Ensemble         *e = self;
    const SavedHeader header = header_of(e);
    const size_t      expected = ensemble__saved_bytes(&e->shape, e->members);
    if (length != expected) {
        FAIL(STATUS_ERR_CORRUPT, "ensemble: a saved model of %zu bytes, expected %zu", length,
             expected);
    }
    if (memcmp(bytes, &header, sizeof header) != 0) {
        FAIL(STATUS_ERR_CORRUPT, "ensemble: the saved model is not a %zu-%zux%zu-%zu network x %zu",
             e->shape.inputs, e->shape.layers - 1, e->shape.fan_out[0], e->shape.outputs,
             e->members);
    }
    const char *at = (const char *)bytes + sizeof header;
    SavedPart   parts[SAVED_PARTS];
    saved_parts(e, parts);
    for (size_t k = 0; k < SAVED_PARTS; k++) {
        memcpy(parts[k].bytes, at, parts[k].length);
        at += parts[k].length;
    }
    ensemble__pack(e);
    ensemble__choose(e);
    return STATUS_OK;
}
