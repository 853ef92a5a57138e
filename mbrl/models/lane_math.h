/** @file lane_math.h  Arithmetic of one lane, shared by the lane kernels: e^x, 1 / x, log(1 + e).
 *
 * To be inlined into loops of LANES_VERSIONS() functions (lane_dispatch.h): fused multiply-adds and
 * selects only, so that they vectorize and give the same bits on every level.
 */
#ifndef MBRL_MODELS_LANE_MATH_H
#define MBRL_MODELS_LANE_MATH_H

#include "core/vector_math.h"
#include "mbrl/models/lane_dispatch.h"

#include <math.h>
#include <stdint.h>

/* e^x between +- this is a normal float; its bits */
#define EXP_LIMIT      87.0f
#define EXP_LIMIT_BITS 0x42ae0000u
#define LOG2_E         1.44269504f /* of log2(e) 1.4426950409: relative error 1.3e-8 */

/* 2^(x scale) for |x scale| <= 126, where scale is LOG2_E or -LOG2_E: e^x or e^-x.
 *
 * The remainder of x scale is exact (one fused multiply-add), and the error of LOG2_E moves x by
 * 1.3e-8 of its size, less than a half of what the rounding of x itself did; beyond that the
 * relative error is below 2^-22. Coefficients: minimax of 2^f, |f| <= 1/2, with 2^0 = 1, error
 * 9e-8. The power of two is added to the exponent, which the integer ports do. */
LANES_INLINE float exp_scaled(float x, float scale) {
    const float shifted = fmaf(x, scale, VECTOR_ROUND);
    const float f = fmaf(x, scale, -(shifted - VECTOR_ROUND));
    float       p = 1.326472743e-3f;
    p = fmaf(p, f, 9.671512969e-3f);
    p = fmaf(p, f, 5.550733746e-2f);
    p = fmaf(p, f, 2.402224208e-1f);
    p = fmaf(p, f, 6.931469776e-1f);
    p = fmaf(p, f, 1.0f);
    return vector_from_bits(vector_bits(p) + (vector_bits(shifted) << 23));
}

/* e^x, clamped to the range of normal floats; NaN stays NaN */
LANES_INLINE float exp_lane(float x) {
    const float low = (x < -EXP_LIMIT) ? -EXP_LIMIT : x;
    return exp_scaled((low > EXP_LIMIT) ? EXP_LIMIT : low, LOG2_E);
}

/* |x|, at most EXP_LIMIT, as bits: floats that are not negative are ordered as their bits are, and
 * integers have a minimum where floats need a comparison and a select. NaN becomes EXP_LIMIT. */
LANES_INLINE uint32_t limited_size(float x) {
    const uint32_t size = vector_bits(x) & 0x7fffffffu;
    return (size < EXP_LIMIT_BITS) ? size : EXP_LIMIT_BITS;
}

/* e^-|x|, from which softplus and its slope follow without overflow; not for NaN */
LANES_INLINE float exp_minus_size(float x) {
    return exp_scaled(vector_from_bits(limited_size(x)), -LOG2_E);
}

/* e^-x, clamped to the range of normal floats; not for NaN */
LANES_INLINE float exp_minus(float x) {
    const uint32_t sign = vector_bits(x) & 0x80000000u;
    return exp_scaled(vector_from_bits(limited_size(x) | sign), -LOG2_E);
}

/* 1 / x for x in [1e-8, 7e37], relative error below 2^-22: a guess on the bits (error 5 %), a
 * Newton step whose constant centres its error (+- 0.13 %) and one of third order (2e-9). */
LANES_INLINE float reciprocal(float x) {
    const float guess = vector_from_bits(0x7ef32000u - vector_bits(x));
    const float y = guess * fmaf(-x, guess, 2.0013f);
    const float r = fmaf(-x, y, 1.0f);
    return fmaf(y, fmaf(r, r, r), y);
}

/* log(1 + e) for e in [0, 1]; relative error below 2^-22. Coefficients: minimax of log(1 + e) / e,
 * error 3.3e-8. */
LANES_INLINE float log1p_lane(float e) {
    float p = 5.36479931e-3f;
    p = fmaf(p, e, -3.00656976e-2f);
    p = fmaf(p, e, 7.92043907e-2f);
    p = fmaf(p, e, -1.37537909e-1f);
    p = fmaf(p, e, 1.91536500e-1f);
    p = fmaf(p, e, -2.48571625e-1f);
    p = fmaf(p, e, 3.33213225e-1f);
    p = fmaf(p, e, -4.99996480e-1f);
    p = fmaf(p, e, 1.0f);
    return p * e;
}

LANES_INLINE float positive_part(float x) {
    return (x < 0.0f) ? 0.0f : x;
}

/* 1 / (1 + e^-x); NaN stays NaN */
LANES_INLINE float sigmoid_lane(float x) {
    return reciprocal(1.0f + exp_lane(-x));
}

/* the same, given e^-|x| */
LANES_INLINE float sigmoid_from(float x, float e) {
    const float share = reciprocal(1.0f + e);
    return (x < 0.0f) ? e * share : share;
}

#endif
