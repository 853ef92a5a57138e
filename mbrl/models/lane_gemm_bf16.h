/** @file lane_gemm_bf16.h  Layers of a network in bfloat16: products of pairs, activation included.
 *
 * A *pair* is a 32-bit word with two bfloat16 numbers, the first in the low half. Weights and
 * activations are kept as pairs along k: word (p, j) of a block of activations holds features 2 p
 * and 2 p + 1 of row j, so that lanes run along the rows as in lane_gemm.h. Sums are float32.
 *
 * Bits: every number is rounded to nearest even; a pair adds two fused multiply-adds in float32,
 * the second feature's first; numbers below 2^-126 count as 0. That is what VDPBF16PS is specified
 * to do (Intel SDM, volume 2C); the portable version does the same without the instruction.
 */
#ifndef MBRL_MODELS_LANE_GEMM_BF16_H
#define MBRL_MODELS_LANE_GEMM_BF16_H

#include "mbrl/models/lane_kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LANE_BF16_MOST_LANES = 64 };

/** Has this machine the instruction (AVX512_BF16), within lanes_limit()? Without it the portable
 * version runs: for tests, far slower. */
bool lanes_have_bf16(void);

/** Pairs of k features; the last of an odd number is filled up with 0. */
size_t lanes_pairs(size_t k);
/** Words of the packed weights of a layer with m outputs. */
size_t lanes_bf16_words(size_t m, size_t k);
/** Packs the rows w[i * row] (m of them: k weights, then the bias, which stays float32). */
void lanes_bf16_pack(const float *w, size_t row, size_t m, size_t k, uint32_t *packed);
/** Rounds a block x (k, lanes) to pairs (lanes_pairs(k), lanes). */
void lanes_bf16_join(const float *x, size_t k, size_t lanes, uint32_t *pairs);

/** One layer: W in + bias. Exactly one of the two outputs is given. */
typedef struct LaneLayerBf16 {
    size_t          m;
    size_t          pairs;
    size_t          lanes;   /* multiple of LANE_STEP, at most LANE_BF16_MOST_LANES */
    const uint32_t *weights; /* packed */
    const uint32_t *in;      /* (pairs, lanes) */
    Activation      activation;
    uint32_t       *hidden; /* out  (lanes_pairs(m), lanes), activated */
    float          *output; /* out  (m, lanes), not activated */
} LaneLayerBf16;

/** Computes one layer. Outputs do not overlap `in`; all blocks are aligned to LANE_ALIGNMENT.
 * Cost: 2 m k lanes FLOP. */
void lane_layer_bf16(const LaneLayerBf16 *layer);

/**
 * x[i] / (1 + e^-x[i]) as hidden layers have it before the rounding to bfloat16: a table of 16
 * parabolas. Absolute error at most 2^-12.4 for |x| <= 10.3 and 2^-11.4 beyond; relative error at
 * most 2^-11 for -1 <= x, 2^-8.8 for -10.3 <= x < -1. NaN stays NaN. `n` as in lane_kernels.h.
 */
void lanes_swish_bf16(float *x, size_t n);

#endif
