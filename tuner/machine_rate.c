#include "tuner/machine_rate.h"

#include "core/clock.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_gemm_bf16.h"

#include <stdlib.h>

/* one layer, and the rows that it is applied to: many in float32, a block of lanes in bfloat16, as
 * agents do */
enum { WIDTH = 200, LANES = 256, BLOCK = LANE_BF16_MOST_LANES, TURNS = 10 };
static const double turn_seconds = 0.01;

typedef struct Layers {
    float        *memory;
    uint32_t     *words;
    LaneGemm      float32;
    LaneLayerBf16 bfloat16;
} Layers;

static Status layers_make(Layers *layers) {
    const size_t weights = (size_t)WIDTH * WIDTH;
    const size_t side = (size_t)WIDTH * LANES;
    const size_t packed = (lanes_bf16_words(WIDTH, WIDTH) + LANE_STEP - 1) / LANE_STEP * LANE_STEP;
    const size_t pairs = lanes_pairs(WIDTH) * BLOCK;
    const size_t floats = weights + WIDTH + 2 * side; /* WIDTH: the biases that packing reads */
    const size_t rounded = (floats + LANE_STEP - 1) / LANE_STEP * LANE_STEP;
    layers->memory = aligned_alloc(LANE_ALIGNMENT, rounded * sizeof *layers->memory);
    layers->words = aligned_alloc(LANE_ALIGNMENT, (packed + pairs) * sizeof *layers->words);
    if (layers->memory == NULL || layers->words == NULL) {
        FAIL(STATUS_ERR_NOMEM, "no memory for a measurement");
    }
    for (size_t i = 0; i < rounded; i++) {
        layers->memory[i] = 1.0F / (float)(1 + i % 7);
    }
    float       *out = layers->memory;
    float       *in = out + side;
    const float *w = in + side;
    lanes_bf16_pack(w, WIDTH, WIDTH, WIDTH, layers->words);
    lanes_bf16_join(in, WIDTH, BLOCK, layers->words + packed);
    layers->float32 = (LaneGemm){.m = WIDTH,
                                 .k = WIDTH,
                                 .lanes = LANES,
                                 .a = w,
                                 .a_row = WIDTH,
                                 .a_step = 1,
                                 .b = in,
                                 .b_row = LANES,
                                 .c = out,
                                 .c_row = LANES};
    layers->bfloat16 = (LaneLayerBf16){.m = WIDTH,
                                       .pairs = lanes_pairs(WIDTH),
                                       .lanes = BLOCK,
                                       .weights = layers->words,
                                       .in = layers->words + packed,
                                       .output = out};
    return STATUS_OK;
}

static void layers_reset(Layers *layers) {
    free(layers->memory);
    free(layers->words);
}

typedef void (*Compute)(const Layers *layers);

static void in_float32(const Layers *layers) {
    lane_gemm(&layers->float32);
}

static void in_bfloat16(const Layers *layers) {
    for (size_t first = 0; first < LANES; first += BLOCK) {
        lane_layer_bf16(&layers->bfloat16);
    }
}

/* calls for one turn; adds them and the processor time that they took, whoever else computes */
static void take_turn(const Layers *layers, Compute compute, double *calls, double *seconds) {
    const double start = clock_thread();
    double       passed = 0.0;
    do {
        compute(layers);
        *calls += 1.0;
        passed = clock_thread() - start;
    } while (passed < turn_seconds);
    *seconds += passed;
}

Status machine_rate(MachineRate *out) {
    const double flop = 2.0 * WIDTH * WIDTH * LANES;
    const bool   both = lanes_have_bf16();
    double       calls[2] = {0.0, 0.0};
    double       seconds[2] = {0.0, 0.0};
    Layers       layers = {.memory = NULL};
    *out = (MachineRate){.bfloat16 = 0.0};
    const Status status = layers_make(&layers);
    for (size_t i = 0; i < TURNS && status == STATUS_OK; i++) {
        take_turn(&layers, in_float32, &calls[0], &seconds[0]);
        if (both) {
            take_turn(&layers, in_bfloat16, &calls[1], &seconds[1]);
        }
    }
    if (status == STATUS_OK) {
        out->float32 = calls[0] * flop / seconds[0];
        out->bfloat16 = both ? calls[1] * flop / seconds[1] : 0.0;
    }
    layers_reset(&layers);
    return status;
}
