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

/* e^x between these is a normal float */
#define EXP_LOWEST  (-87.0f)
#define EXP_HIGHEST 87.0f
/* ln 2 as the sum of two floats */
#define LN2_HIGH 0.693147182f
#define LN2_LOW  (-1.904654323e-9f)

/* e^x for x between those two; relative error below 2^-23; NaN stays NaN. Coefficients:
 * (e^r - 1) / r at the Chebyshev nodes of |r| <= ln(2) / 2, error 5e-9. */
LANES_INLINE float exp_normal(float x) {
    const float shifted = fmaf(x, 1.44269504f, VECTOR_ROUND);
    const float n = shifted - VECTOR_ROUND;
    const float r = fmaf(n, -LN2_LOW, fmaf(n, -LN2_HIGH, x));
    float       p = 1.39337307e-3f;
    p = fmaf(p, r, 8.36922029e-3f);
    p = fmaf(p, r, 4.16664642e-2f);
    p = fmaf(p, r, 1.66665046e-1f);
    p = fmaf(p, r, 0.5f);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    return p * vector_from_bits((vector_bits(shifted) << 23) + (127u << 23));
}

/* e^x, clamped to the range of normal floats */
LANES_INLINE float exp_lane(float x) {
    const float low = (x < EXP_LOWEST) ? EXP_LOWEST : x;
    return exp_normal((low > EXP_HIGHEST) ? EXP_HIGHEST : low);
}

/* e^-|x|, from which sigmoid and softplus follow without overflow; one clamp instead of two */
LANES_INLINE float exp_minus_size(float x) {
    const float below = -fabsf(x);
    return exp_normal((below < EXP_LOWEST) ? EXP_LOWEST : below);
}

/* 1 / x for x in [1e-8, 6e37] by Newton's iteration from a guess on the bits (error 12 %, then 1.5
 * %, 2e-4, 4e-8) */
LANES_INLINE float reciprocal(float x) {
    float y = vector_from_bits(0x7ef311c3u - vector_bits(x));
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    y = fmaf(y, fmaf(-x, y, 1.0f), y);
    return fmaf(y, fmaf(-x, y, 1.0f), y);
}

/* log(1 + e) for e in [0, 1] as 2 atanh(e / (2 + e)); relative error below 2^-22 */
LANES_INLINE float log1p_lane(float e) {
    const float s = e * reciprocal(2.0f + e);
    const float z = s * s;
    float       p = 1.40788792e-1f;
    p = fmaf(p, z, 1.39825789e-1f);
    p = fmaf(p, z, 2.00122976e-1f);
    p = fmaf(p, z, 3.33331608e-1f);
    p = fmaf(p, z, 1.0f);
    return 2.0f * s * p;
}

LANES_INLINE float positive_part(float x) {
    return (x < 0.0f) ? 0.0f : x;
}

/* 1 / (1 + e^-x), given e^-|x| */
LANES_INLINE float sigmoid_from(float x, float e) {
    const float share = reciprocal(1.0f + e);
    return (x < 0.0f) ? e * share : share;
}

#endif
