/** @file lane_gemm.h  Small single-precision matrix products, vectorized along "lanes".
 *
 * The networks keep a block of rows feature by feature: element j of a feature belongs to row j of
 * the block, so that vectors run along the rows and a weight is broadcast to all of them. Every
 * element of the result is one chain of fused multiply-adds over k in order: its bits depend
 * neither on the vector width of the machine nor on how many rows share the call.
 */
#ifndef MBRL_MODELS_LANE_GEMM_H
#define MBRL_MODELS_LANE_GEMM_H

#include <stdbool.h>
#include <stddef.h>

enum {
    LANE_STEP = 16,     /* `lanes` is a multiple of this */
    LANE_ALIGNMENT = 64 /* bytes, of b and c and of their rows */
};

/** C (m, lanes) = start + A (m, k) B (k, lanes); strides in floats, those of b and c multiples of
 * LANE_STEP. */
typedef struct LaneGemm {
    size_t       m;
    size_t       k;
    size_t       lanes;
    const float *a; /* A(i, l) = a[i * a_row + l * a_step] */
    size_t       a_row;
    size_t       a_step;
    const float *b;
    size_t       b_row;
    float       *c;
    size_t       c_row;
    const float *start; /* start[i * start_row], NULL = 0; not used where `add` */
    size_t       start_row;
    bool         add; /* start from what C holds */
} LaneGemm;

/** Computes one product. `c` overlaps neither `a` nor `b`. Cost: 2 m k lanes FLOP. */
void lane_gemm(const LaneGemm *gemm);
/** What lane_gemm() runs on this machine: "avx512", "avx2" or "portable". */
const char *lane_gemm_kernel(void);

#endif
