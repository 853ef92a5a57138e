/** @file vector_math.h  exp, log, tanh, sigmoid and sin/cos in float, written so that loops over
 * them vectorize and give the same bits on every vector width.
 *
 * Plain polynomials with selects in place of branches: no table, no library call, no fast-math. The
 * array functions are compiled for several instruction sets (core/kernel.h). The `_one` functions
 * are the same arithmetic for one number; put them into fused loops of a KERNEL_CLONES function.
 * Libm and libmvec were left out: their results differ between versions and instruction sets.
 *
 * Source of the coefficients: Moshier, Cephes Mathematical Library, single precision (public
 * values); the argument reductions are Cody and Waite (1980).
 *
 * NaN in, NaN out, everywhere. Error bounds hold against exact arithmetic, in units in the last
 * place (ulp) of the result, as measured by tests/core/test_vector_math.c.
 */
#ifndef CORE_VECTOR_MATH_H
#define CORE_VECTOR_MATH_H

#include <stddef.h>
#include <stdint.h>

/* out[i] = f(x[i]); `out` may be `x` itself, but not overlap it otherwise; n = 0 is a no-op */

/** e^x. Within 1 ulp where the result is normal; 0 below about -104, infinity above 88.73. */
void vector_exp(const float *x, float *out, size_t n);
/** Natural logarithm. Within 1 ulp; log(0) = -infinity, NaN for negative numbers. */
void vector_log(const float *x, float *out, size_t n);
/** Hyperbolic tangent. Within 2 ulp. */
void vector_tanh(const float *x, float *out, size_t n);
/** 1 / (1 + e^-x). Within 3 ulp above x = -87; may be 0 below that. */
void vector_sigmoid(const float *x, float *out, size_t n);
/**
 * Sine and cosine together, x in radians. Absolute error at most 1.5e-7 for |x| <= 8192 and 1.5e-6
 * up to VECTOR_MOST_ANGLE; NaN beyond, where the reduction to [-pi/4, pi/4] ends outside and the
 * polynomials are anything but sines. `sine` or `cosine` may be `x` itself.
 */
void vector_sin_cos(const float *x, float *sine, float *cosine, size_t n);

typedef union VectorBits {
    float    value;
    uint32_t bits;
    int32_t  integer;
} VectorBits;

static inline uint32_t vector_bits(float value) {
    return ((VectorBits){.value = value}).bits;
}

static inline float vector_from_bits(uint32_t bits) {
    return ((VectorBits){.bits = bits}).value;
}

/* the two's complement reading of a word, which a plain cast leaves to the compiler */
static inline int32_t vector_signed(uint32_t bits) {
    return ((VectorBits){.bits = bits}).integer;
}

/* condition ? yes : no in bits; compilers make a branch of the plain form, and then no vectors */
static inline float vector_choose(int condition, float yes, float no) {
    const uint32_t mask = 0u - (uint32_t)condition;
    return vector_from_bits((vector_bits(yes) & mask) | (vector_bits(no) & ~mask));
}

/* adding this rounds a float below 2^22 to an integer, which then stands in the low bits */
#define VECTOR_ROUND 12582912.0f

static inline float vector_exp_one(float x) {
    const float not_below = vector_choose(x < -104.0f, -104.0f, x);
    const float clamped = vector_choose(not_below > 89.0f, 89.0f, not_below);
    const float shifted = clamped * 1.44269504088896341f + VECTOR_ROUND;
    const float n = shifted - VECTOR_ROUND;
    const float r = (clamped - n * 0.693359375f) - n * -2.12194440e-4f;

    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const float y = (p * (r * r) + r) + 1.0f;

    /* 2^n in two factors: their product may be subnormal or overflow, each of them is normal */
    const int32_t power = vector_signed(vector_bits(shifted) - vector_bits(VECTOR_ROUND));
    const int32_t half = power >> 1;
    const float   first = vector_from_bits(((uint32_t)half + 127u) << 23);
    const float   second = vector_from_bits(((uint32_t)power - (uint32_t)half + 127u) << 23);
    return (y * first) * second;
}

/* logarithm of a positive normal number */
static inline float vector_log_normal(float x) {
    const uint32_t half_root = 0x3f3504f3u; /* sqrt(1/2) */
    const int32_t  power = vector_signed(vector_bits(x) - half_root) >> 23;
    const float    e = (float)power;
    const float    f = vector_from_bits(vector_bits(x) - ((uint32_t)power << 23)) - 1.0f;
    const float    z = f * f;

    float p = 7.0376836292e-2f;
    p = p * f - 1.1514610310e-1f;
    p = p * f + 1.1676998740e-1f;
    p = p * f - 1.2420140846e-1f;
    p = p * f + 1.4249322787e-1f;
    p = p * f - 1.6668057665e-1f;
    p = p * f + 2.0000714765e-1f;
    p = p * f - 2.4999993993e-1f;
    p = p * f + 3.3333331174e-1f;
    const float y = (p * f * z + e * -2.12194440e-4f) - 0.5f * z;
    return (f + y) + e * 0.693359375f;
}

static inline float vector_log_one(float x) {
    const float infinity = vector_from_bits(0x7f800000u);
    const float nan = vector_from_bits(0x7fc00000u);
    const float scale =
        vector_choose(x < 1.17549435e-38f, 8388608.0f, 1.0f); /* subnormal: times 2^23 */
    const float shift = vector_choose(x < 1.17549435e-38f, 15.9423851528787421f, 0.0f);
    const float finite = vector_log_normal(x * scale) - shift;
    const float above =
        vector_choose(x < infinity, finite, x); /* infinity and NaN come back as they are */
    const float positive = vector_choose(x < 0.0f, nan, above);
    return vector_choose(x == 0.0f, -infinity, positive);
}

static inline float vector_tanh_one(float x) {
    const uint32_t sign = vector_bits(x) & 0x80000000u;
    const float    size = vector_from_bits(vector_bits(x) & 0x7fffffffu);
    const float    z = x * x;

    float p = -5.70498872745e-3f;
    p = p * z + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const float near = (p * z) * size + size;
    const float far = 1.0f - 2.0f / (vector_exp_one(size + size) + 1.0f);
    const float result = vector_choose(size < 0.625f, near, far);
    return vector_from_bits(vector_bits(result) | sign);
}

static inline float vector_sigmoid_one(float x) {
    return 1.0f / (1.0f + vector_exp_one(-x));
}

/* sine and cosine of r in [-pi/4, pi/4] */
static inline float vector_sin_near_zero(float r) {
    const float z = r * r;
    float       p = -1.9515295891e-4f;
    p = p * z + 8.3321608736e-3f;
    p = p * z - 1.6666654611e-1f;
    return (p * z) * r + r;
}

static inline float vector_cos_near_zero(float r) {
    const float z = r * r;
    float       p = 2.443315711809948e-5f;
    p = p * z - 1.388731625493765e-3f;
    p = p * z + 4.166664568298827e-2f;
    return (p * (z * z) - 0.5f * z) + 1.0f;
}

/* sine and cosine of quadrant * pi/2 + r */
static inline void vector_sin_cos_quadrant(uint32_t quadrant, float r, float *sine, float *cosine) {
    const uint32_t s = vector_bits(vector_sin_near_zero(r));
    const uint32_t c = vector_bits(vector_cos_near_zero(r));
    const uint32_t swap = 0u - (quadrant & 1u); /* all ones in odd quadrants */
    const uint32_t exchange = (s ^ c) & swap;
    const uint32_t sine_sign = (quadrant & 2u) << 30;
    const uint32_t cosine_sign = ((quadrant + 1u) & 2u) << 30;
    *sine = vector_from_bits((s ^ exchange) ^ sine_sign);
    *cosine = vector_from_bits((c ^ exchange) ^ cosine_sign);
}

/* beyond, sin and cos are NaN; neighbouring floats are 0.008 apart here */
#define VECTOR_MOST_ANGLE 1e5f

static inline void vector_sin_cos_one(float x, float *sine, float *cosine) {
    const float shifted = x * 0.636619772367581343f + VECTOR_ROUND;
    const float n = shifted - VECTOR_ROUND;
    /* pi/2 in three parts, the first two short enough for exact products */
    const float r =
        ((x - n * 1.5703125f) - n * 4.837512969970703125e-4f) - n * 7.549789948768648e-8f;
    const float size = vector_from_bits(vector_bits(x) & 0x7fffffffu);
    const float reduced =
        vector_choose(size <= VECTOR_MOST_ANGLE, r, vector_from_bits(0x7fc00000u));
    vector_sin_cos_quadrant(vector_bits(shifted), reduced, sine, cosine);
}

#endif
