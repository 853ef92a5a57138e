/* The multiply-add peak of one core: independent chains of the widest fused multiply-add that the
 * processor has, as many as hide its latency on two ports (4 x 2; 12 are what fits 16 registers
 * beside the factor) and no memory. Other load and temperature change it within seconds, so shares
 * are of bursts right before and after what they are shares of.
 */
#include "tests/bench/engine_bench.h"

#include "core/clock.h"

#include <math.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__x86_64__)
enum { PEAK_CHAINS = 20, PEAK_STEPS = 500000, NARROW_CHAINS = 12 /* 16 registers */ };

__attribute__((target("avx512f"))) static void peak_512(float *out) {
    __m512       sum[PEAK_CHAINS];
    const __m512 factor = _mm512_set1_ps(0.999f);
    for (int i = 0; i < PEAK_CHAINS; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }
    for (int k = 0; k < PEAK_STEPS; k++) {
#pragma GCC unroll 20
        for (int i = 0; i < PEAK_CHAINS; i++) {
            sum[i] = _mm512_fmadd_ps(sum[i], factor, factor);
        }
    }
    for (int i = 0; i < PEAK_CHAINS; i++) {
        out[i] = _mm512_reduce_add_ps(sum[i]);
    }
}

__attribute__((target("avx2,fma"))) static void peak_256(float *out) {
    __m256       sum[NARROW_CHAINS];
    const __m256 factor = _mm256_set1_ps(0.999f);
    for (int i = 0; i < NARROW_CHAINS; i++) {
        sum[i] = _mm256_set1_ps((float)i);
    }
    for (int k = 0; k < PEAK_STEPS; k++) {
#pragma GCC unroll 12
        for (int i = 0; i < NARROW_CHAINS; i++) {
            sum[i] = _mm256_fmadd_ps(sum[i], factor, factor);
        }
    }
    for (int i = 0; i < NARROW_CHAINS; i++) {
        float lanes[8];
        _mm256_storeu_ps(lanes, sum[i]);
        out[i] = lanes[0];
    }
}

typedef struct Peak {
    const char *name;
    void (*burst)(float *out);
    double flop;
} Peak;

/* the widest multiply-add of this processor; no name: none that is known here */
static Peak find_peak(void) {
    if (__builtin_cpu_supports("avx512f")) {
        return (Peak){"avx512", peak_512, 32.0 * PEAK_CHAINS * PEAK_STEPS};
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return (Peak){"avx2", peak_256, 16.0 * NARROW_CHAINS * PEAK_STEPS};
    }
    return (Peak){.name = NULL};
}

/* a burst of 1.5 ms: what the core can do now, in GFLOP/s; NaN where there is no such instruction
 */
double peak_now(void) {
    float      out[PEAK_CHAINS];
    const Peak peak = find_peak();
    if (peak.name == NULL) {
        return (double)NAN;
    }
    const double begin = clock_thread();
    peak.burst(out);
    const double seconds = clock_thread() - begin;
    return isnan(out[0]) ? (double)NAN : peak.flop / seconds * 1e-9;
}

const char *peak_name(void) {
    return find_peak().name != NULL ? find_peak().name : "not measured";
}
#else
double peak_now(void) {
    return (double)NAN;
}

const char *peak_name(void) {
    return "not measured";
}
#endif
