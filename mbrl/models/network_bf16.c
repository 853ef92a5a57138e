#include "mbrl/models/network_bf16.h"

#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_gemm_bf16.h"

_Static_assert((int)NETWORK_LANES <= (int)LANE_BF16_MOST_LANES, "a block of lanes fits a layer");

static size_t layer_words(const NetworkShape *shape, size_t layer) {
    return lanes_bf16_words(shape->fan_out[layer], shape->fan_in[layer]);
}

size_t network_scratch_bf16_need(const NetworkShape *shape) {
    const size_t floats = shape->inputs + shape->heads * shape->outputs;
    return arena_need(shape->inputs * NETWORK_LANES, sizeof(float)) +
           arena_need((floats - shape->inputs) * NETWORK_LANES, sizeof(float)) +
           2 * arena_need(lanes_pairs(shape->widest) * NETWORK_LANES, sizeof(uint32_t));
}

Status network_scratch_bf16(const NetworkShape *shape, Arena *arena, NetworkScratchBf16 *out) {
    const size_t words = lanes_pairs(shape->widest) * NETWORK_LANES;
    TRY(ARENA_TAKE(arena, float, shape->inputs *NETWORK_LANES, &out->input));
    TRY(ARENA_TAKE(arena, float, shape->heads * shape->outputs * NETWORK_LANES, &out->output));
    TRY(ARENA_TAKE(arena, uint32_t, words, &out->side[0]));
    return ARENA_TAKE(arena, uint32_t, words, &out->side[1]);
}

size_t network_bf16_words(const NetworkShape *shape) {
    size_t words = 0;
    for (size_t l = 0; l < shape->layers; l++) {
        words += layer_words(shape, l);
    }
    return (words + (LANE_STEP - 1)) / LANE_STEP * LANE_STEP;
}

void network_bf16_pack(const NetworkShape *shape, const float *block, uint32_t *packed) {
    for (size_t l = 0; l < shape->layers; l++) {
        lanes_bf16_pack(block + shape->offset[l], shape->stride[l], shape->fan_out[l],
                        shape->fan_in[l], packed);
        packed += layer_words(shape, l);
    }
}

void network_bf16_forward(const NetworkShape *shape, const float *block, const uint32_t *packed,
                          const NetworkScratchBf16 *scratch, size_t lanes) {
    const size_t last = shape->layers - 1;
    lanes_bf16_join(scratch->input, shape->inputs, lanes, scratch->side[1]);
    for (size_t l = 0; l <= last; l++) {
        lane_layer_bf16(&(LaneLayerBf16){.m = shape->fan_out[l],
                                         .pairs = lanes_pairs(shape->fan_in[l]),
                                         .lanes = lanes,
                                         .weights = packed,
                                         .in = scratch->side[(l + 1) % 2],
                                         .activation = shape->activation,
                                         .hidden = (l < last) ? scratch->side[l % 2] : NULL,
                                         .output = (l < last) ? NULL : scratch->output});
        packed += layer_words(shape, l);
    }
    for (size_t d = 0; shape->heads == 2 && d < shape->outputs; d++) {
        lanes_bound(scratch->output + (shape->outputs + d) * lanes, block[shape->min_offset + d],
                    block[shape->max_offset + d], lanes);
    }
}
