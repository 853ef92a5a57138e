/** @file network_bf16.h  A network's forward pass in bfloat16, for planning.
 *
 * Weights, scaled inputs and the outputs of hidden layers are rounded to bfloat16 (8 bits); sums,
 * biases, activations and what the network predicts are float32.
 */
#ifndef MBRL_MODELS_NETWORK_BF16_H
#define MBRL_MODELS_NETWORK_BF16_H

#include "mbrl/models/network.h"

#include <stdint.h>

/** Working memory of one block of lanes, taken from an arena. */
typedef struct NetworkScratchBf16 {
    float    *input;   /* (i, lanes) scaled inputs */
    float    *output;  /* (h o, lanes) */
    uint32_t *side[2]; /* (lanes_pairs(widest), lanes) */
} NetworkScratchBf16;

/** Arena bytes of network_scratch_bf16(). */
size_t network_scratch_bf16_need(const NetworkShape *shape);
Status network_scratch_bf16(const NetworkShape *shape, Arena *arena,
                            NetworkScratchBf16 *out) MUST_USE;

/** Words of a network's packed weights, a multiple of LANE_STEP. */
size_t network_bf16_words(const NetworkShape *shape);
/** Rounds and packs the weights of `block`. Cost: one pass over them. */
void network_bf16_pack(const NetworkShape *shape, const float *block, uint32_t *packed);

/** network_forward() by the packed weights of `block`, whose bounds are used as they are. */
void network_bf16_forward(const NetworkShape *shape, const float *block, const uint32_t *packed,
                          const NetworkScratchBf16 *scratch, size_t lanes);

#endif
