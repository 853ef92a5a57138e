/** @file lane_dispatch.h  Which instruction set the lane kernels run on, chosen at run time.
 *
 * Unlike core/kernel.h's KERNEL_CLONES these kernels may use fused multiply-adds: every version
 * fuses the same operations (fmaf() where the machine has no instruction for it), so all give the
 * same bits; and it works under clang and the sanitizers too.
 */
#ifndef MBRL_MODELS_LANE_DISPATCH_H
#define MBRL_MODELS_LANE_DISPATCH_H

typedef enum LaneLevel { LANES_PORTABLE, LANES_AVX2, LANES_AVX512 } LaneLevel;

/** The best level of this machine, or the limit if that is lower. */
LaneLevel lanes_level(void);
/** Keeps to a level at most; for tests and benchmarks, before other threads start. */
void lanes_limit(LaneLevel most);

#if defined(__x86_64__) && defined(__GNUC__)
#define LANES_X86         1
#define LANES_AVX2_TARGET __attribute__((target("avx2,fma")))
#if defined(__clang__)
#define LANES_AVX512_TARGET __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")))
#else
#define LANES_AVX512_TARGET                                              \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl," \
                          "prefer-vector-width=512")))
#endif
#endif

#define LANES_INLINE static inline __attribute__((always_inline))

/* before loops over registers: constant bounds, and no register may be addressed by a variable */
#if defined(__clang__)
#define LANES_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LANES_UNROLL _Pragma("GCC unroll 16")
#endif

/* makes `void name(parameters)` from the inline function name_body: one version per level */
#ifdef LANES_X86
#define LANES_VERSIONS(name, parameters, arguments)            \
    LANES_AVX512_TARGET static void name##_avx512 parameters { \
        name##_body arguments;                                 \
    }                                                          \
    LANES_AVX2_TARGET static void name##_avx2 parameters {     \
        name##_body arguments;                                 \
    }                                                          \
    void name parameters {                                     \
        switch (lanes_level()) {                               \
        case LANES_AVX512:                                     \
            name##_avx512 arguments;                           \
            break;                                             \
        case LANES_AVX2:                                       \
            name##_avx2 arguments;                             \
            break;                                             \
        case LANES_PORTABLE:                                   \
            name##_body arguments;                             \
            break;                                             \
        }                                                      \
    }
#else
#define LANES_VERSIONS(name, parameters, arguments) \
    void name parameters {                          \
        name##_body arguments;                      \
    }
#endif

#endif
