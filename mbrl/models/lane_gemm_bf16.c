/* Budget. VDPBF16PS does 4 FLOP per lane where a fused multiply-add does 2, at the same rate (two
 * per cycle on Zen 5, latency 6), so products can at best be twice as fast, and everything else
 * weighs double. 64 rows of a 200 x 200 layer are 80 000 instructions of 16 lanes: 40 000 cycles
 * (float32: 80 000); loads are 4 + 6 per 24 products, below the two ports. Swish in float32 was 25
 * operations per vector when this was written (21 now, lane_kernels.c), 800 vectors: 10 000 cycles,
 * a quarter of these products. The table below takes 10, and rounding and interleaving 2 per pair
 * of vectors: predicted 11 % of the products, measured 9 to 15 %.
 *
 * A block is 6 rows x up to 4 vectors: 24 chains in registers, of which the latency needs 12 (one
 * vector alone, 16 rows, runs at half the rate). Weights are packed block after block in the order
 * in which they are read: 6 biases, then for each pair along k 6 words. The sums of a block go to a
 * buffer of 1.5 kB, are activated there and leave as pairs of the next layer's input, so that a
 * layer's float32 outputs are never in memory.
 */
#include "mbrl/models/lane_gemm_bf16.h"

#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_math.h"

#ifdef LANES_X86
#include <immintrin.h>
#endif

enum { BLOCK_ROWS = 6, MOST_VECTORS = LANE_BF16_MOST_LANES / LANE_STEP, TABLE_ROWS = 16 };

#define SMALLEST_NORMAL 1.17549435e-38f

/* 1 / (1 + e^t) on |t - 2 i / 3| <= 1 / 3, t >= 0, as a + b t + c t^2: minimax, error at
 * most 1.2e-4
 */
#define TABLE_STEPS 1.5f /* intervals per unit */
#define TABLE_END   10.333f
static const float table_a[TABLE_ROWS] = {
    5.00023365e-01f, 5.03692091e-01f, 5.13314784e-01f, 4.89694625e-01f,
    4.16893661e-01f, 3.19771916e-01f, 2.26976246e-01f, 1.52591720e-01f,
    9.87413600e-02f, 6.21503182e-02f, 3.83098163e-02f, 2.32298244e-02f,
    1.38990376e-02f, 8.22392758e-03f, 4.81990771e-03f, 2.80162762e-03f};
static const float table_b[TABLE_ROWS] = {
    -2.51271486e-01f, -2.70209670e-01f, -2.91936398e-01f, -2.64962047e-01f,
    -2.02662051e-01f, -1.37568787e-01f, -8.66133124e-02f, -5.20536639e-02f,
    -3.03800125e-02f, -1.73922647e-02f, -9.82471462e-03f, -5.49574103e-03f,
    -3.05102742e-03f, -1.68352306e-03f, -9.24248656e-04f, -5.05218166e-04f};
static const float table_c[TABLE_ROWS] = {
    1.02619315e-02f, 3.53398994e-02f, 4.75618429e-02f, 3.98587696e-02f,
    2.65086293e-02f, 1.55910170e-02f, 8.59134365e-03f, 4.57532005e-03f,
    2.39377329e-03f, 1.24098861e-03f, 6.40330545e-04f, 3.29600094e-04f,
    1.69445149e-04f, 8.70548392e-05f, 4.47109524e-05f, 2.29594589e-05f};

/* ---- packing ---- */

/* the bfloat16 nearest to x, ties to even; what is too small for a float32 of full precision is 0
 */
LANES_INLINE uint32_t rounded(float x) {
    const uint32_t bits = vector_bits(x);
    const uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    const uint32_t size = bits & 0x7fffffffu;
    const uint32_t not_small = (size < 0x00800000u) ? (bits >> 16) & 0x8000u : nearest;
    return (size > 0x7f800000u) ? (bits >> 16) | 0x40u : not_small;
}

static float widened(uint32_t half) {
    return vector_from_bits(half << 16);
}

size_t lanes_pairs(size_t k) {
    return (k + 1) / 2;
}

size_t lanes_bf16_words(size_t m, size_t k) {
    return m * (1 + lanes_pairs(k));
}

void lanes_bf16_pack(const float *w, size_t row, size_t m, size_t k, uint32_t *packed) {
    for (size_t i = 0; i < m; i += BLOCK_ROWS) {
        const size_t rows = (m - i < BLOCK_ROWS) ? m - i : BLOCK_ROWS;
        for (size_t r = 0; r < rows; r++) {
            const float *from = w + (i + r) * row;
            packed[r] = vector_bits(from[k]);
            for (size_t l = 0; l < k; l += 2) {
                const uint32_t second = (l + 1 < k) ? rounded(from[l + 1]) : 0;
                packed[(1 + l / 2) * rows + r] = rounded(from[l]) | second << 16;
            }
        }
        packed += rows * (1 + lanes_pairs(k));
    }
}

static void join_portable(const float *x, size_t k, size_t lanes, uint32_t *pairs) {
    for (size_t l = 0; l < k; l += 2) {
        for (size_t j = 0; j < lanes; j++) {
            const uint32_t second = (l + 1 < k) ? rounded(x[(l + 1) * lanes + j]) : 0;
            pairs[l / 2 * lanes + j] = rounded(x[l * lanes + j]) | second << 16;
        }
    }
}

/* ---- activation ---- */

LANES_INLINE float swish_one(float x) {
    const float    size = fabsf(x);
    const float    t = (size > TABLE_END) ? TABLE_END : size;
    const uint32_t i = vector_bits(fmaf(t, TABLE_STEPS, VECTOR_ROUND)) % TABLE_ROWS;
    const float    share = fmaf(fmaf(table_c[i], t, table_b[i]), t, table_a[i]);
    return fmaf(-t, share, (x < 0.0f) ? 0.0f : x);
}

static void swish_portable(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = swish_one(x[i]);
    }
}

/* ---- one block in plain C ---- */

static float flushed(float x) {
    return (fabsf(x) < SMALLEST_NORMAL) ? 0.0f : x;
}

/* sum + both products of a pair, as VDPBF16PS */
static float add_pair(float sum, uint32_t a, uint32_t b) {
    const float second =
        flushed(fmaf(flushed(widened(a >> 16)), flushed(widened(b >> 16)), flushed(sum)));
    return flushed(fmaf(flushed(widened(a & 0xffffu)), flushed(widened(b & 0xffffu)), second));
}

static void block_portable(const LaneLayerBf16 *g, const uint32_t *weights, size_t rows,
                           float *out) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t j = 0; j < g->lanes; j++) {
            float sum = vector_from_bits(weights[r]);
            for (size_t p = 0; p < g->pairs; p++) {
                sum = add_pair(sum, weights[(1 + p) * rows + r], g->in[p * g->lanes + j]);
            }
            out[r * g->lanes + j] = sum;
        }
    }
}

static void layer_portable(const LaneLayerBf16 *g) {
    const uint32_t *weights = g->weights;
    for (size_t i = 0; i < g->m; i += BLOCK_ROWS) {
        const size_t                   rows = (g->m - i < BLOCK_ROWS) ? g->m - i : BLOCK_ROWS;
        _Alignas(LANE_ALIGNMENT) float sums[BLOCK_ROWS * LANE_BF16_MOST_LANES];
        block_portable(g, weights, rows, (g->hidden == NULL) ? g->output + i * g->lanes : sums);
        if (g->hidden != NULL) {
            if (g->activation == ACTIVATION_SWISH) {
                swish_portable(sums, rows * g->lanes);
            } else {
                lanes_activate(g->activation, sums, rows * g->lanes);
            }
            join_portable(sums, rows, g->lanes, g->hidden + i / 2 * g->lanes);
        }
        weights += rows * (1 + g->pairs);
    }
}

/* ---- the instruction ---- */

#ifdef LANES_X86

#if defined(__clang__)
#define BF16 __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#else
#define BF16                                                             \
    __attribute__((target("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl," \
                          "avx512bf16,prefer-vector-width=512")))
#endif

/* `rows` and `vectors` are constants at every call, so the loops unroll and `sum` is registers */
BF16 LANES_INLINE void block_bf16(const LaneLayerBf16 *g, const uint32_t *weights, float *out,
                                  const size_t rows, const size_t vectors) {
    const uint32_t *b = g->in;
    const size_t    lanes = vectors * LANE_STEP;
    __m512          sum[BLOCK_ROWS][MOST_VECTORS];
    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        const __m512 bias = _mm512_castsi512_ps(_mm512_set1_epi32((int)weights[r]));
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            sum[r][v] = bias;
        }
    }
    weights += rows;
    for (size_t p = 0; p < g->pairs; p++) {
        __m512i row[MOST_VECTORS];
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            row[v] = _mm512_load_si512(b + v * LANE_STEP);
        }
        LANES_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const __m512i weight = _mm512_set1_epi32((int)weights[r]);
            LANES_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)weight, (__m512bh)row[v]);
            }
        }
        weights += rows;
        b += lanes;
    }
    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            _mm512_store_ps(out + r * lanes + v * LANE_STEP, sum[r][v]);
        }
    }
}

typedef void (*BlockKernel)(const LaneLayerBf16 *g, const uint32_t *weights, float *out);

#define BLOCK(rows, vectors)                                                                   \
    BF16 static void block_##rows##_##vectors(const LaneLayerBf16 *g, const uint32_t *weights, \
                                              float *out) {                                    \
        block_bf16(g, weights, out, rows, vectors);                                            \
    }
#define BLOCKS(vectors) \
    BLOCK(1, vectors)   \
    BLOCK(2, vectors) BLOCK(3, vectors) BLOCK(4, vectors) BLOCK(5, vectors) BLOCK(6, vectors)
#define NAMES(vectors)                                                                    \
    {                                                                                     \
        NULL, block_1_##vectors, block_2_##vectors, block_3_##vectors, block_4_##vectors, \
            block_5_##vectors, block_6_##vectors                                          \
    }

BLOCKS(1)
BLOCKS(2)
BLOCKS(3)
BLOCKS(4)

static const BlockKernel kernels[MOST_VECTORS + 1][BLOCK_ROWS + 1] = {
    {NULL}, NAMES(1), NAMES(2), NAMES(3), NAMES(4)};

/* swish_one(); of two operands the minimum and the maximum take the second where one is NaN */
BF16 LANES_INLINE __m512 swish_512(__m512 x) {
    const __m512  t = _mm512_min_ps(_mm512_set1_ps(TABLE_END), _mm512_abs_ps(x));
    const __m512i i = _mm512_castps_si512(
        _mm512_fmadd_ps(t, _mm512_set1_ps(TABLE_STEPS), _mm512_set1_ps(VECTOR_ROUND)));
    const __m512 a = _mm512_permutexvar_ps(i, _mm512_loadu_ps(table_a));
    const __m512 b = _mm512_permutexvar_ps(i, _mm512_loadu_ps(table_b));
    const __m512 c = _mm512_permutexvar_ps(i, _mm512_loadu_ps(table_c));
    const __m512 share = _mm512_fmadd_ps(_mm512_fmadd_ps(c, t, b), t, a);
    return _mm512_fnmadd_ps(t, share, _mm512_max_ps(_mm512_setzero_ps(), x));
}

BF16 static void swish_avx512(float *x, size_t n) {
    for (size_t i = 0; i < n; i += LANE_STEP) {
        _mm512_store_ps(x + i, swish_512(_mm512_load_ps(x + i)));
    }
}

/* two rows of floats as pairs */
BF16 LANES_INLINE __m512i join_512(__m512 first, __m512 second) {
    static const uint16_t order[32] = {0,  16, 1,  17, 2,  18, 3,  19, 4,  20, 5,
                                       21, 6,  22, 7,  23, 8,  24, 9,  25, 10, 26,
                                       11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    return _mm512_permutexvar_epi16(_mm512_loadu_si512(order),
                                    (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

BF16 LANES_INLINE void join_rows(const float *x, size_t rows, size_t lanes, const bool swish,
                                 uint32_t *pairs) {
    for (size_t r = 0; r < rows; r += 2) {
        for (size_t j = 0; j < lanes; j += LANE_STEP) {
            const float *at = x + r * lanes + j;
            __m512       first = _mm512_load_ps(at);
            __m512       second = (r + 1 < rows) ? _mm512_load_ps(at + lanes) : _mm512_setzero_ps();
            first = swish ? swish_512(first) : first;
            second = swish ? swish_512(second) : second;
            _mm512_store_si512(pairs + r / 2 * lanes + j, join_512(first, second));
        }
    }
}

BF16 static void join_avx512(const float *x, size_t rows, size_t lanes, uint32_t *pairs) {
    join_rows(x, rows, lanes, false, pairs);
}

BF16 static void layer_avx512(const LaneLayerBf16 *g) {
    const BlockKernel *blocks = kernels[g->lanes / LANE_STEP];
    const uint32_t    *weights = g->weights;
    for (size_t i = 0; i < g->m; i += BLOCK_ROWS) {
        const size_t                   rows = (g->m - i < BLOCK_ROWS) ? g->m - i : BLOCK_ROWS;
        _Alignas(LANE_ALIGNMENT) float sums[BLOCK_ROWS * LANE_BF16_MOST_LANES];
        blocks[rows](g, weights, (g->hidden == NULL) ? g->output + i * g->lanes : sums);
        if (g->hidden != NULL && g->activation == ACTIVATION_SWISH) {
            join_rows(sums, rows, g->lanes, true, g->hidden + i / 2 * g->lanes);
        } else if (g->hidden != NULL) {
            lanes_activate(g->activation, sums, rows * g->lanes);
            join_avx512(sums, rows, g->lanes, g->hidden + i / 2 * g->lanes);
        }
        weights += rows * (1 + g->pairs);
    }
}

#endif

/* ---- dispatch ---- */

bool lanes_have_bf16(void) {
#ifdef LANES_X86
    return lanes_level() == LANES_AVX512 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

void lane_layer_bf16(const LaneLayerBf16 *layer) {
#ifdef LANES_X86
    if (lanes_have_bf16()) {
        layer_avx512(layer);
        return;
    }
#endif
    layer_portable(layer);
}

void lanes_bf16_join(const float *x, size_t k, size_t lanes, uint32_t *pairs) {
#ifdef LANES_X86
    if (lanes_have_bf16()) {
        join_avx512(x, k, lanes, pairs);
        return;
    }
#endif
    join_portable(x, k, lanes, pairs);
}

void lanes_swish_bf16(float *x, size_t n) {
#ifdef LANES_X86
    if (lanes_have_bf16()) {
        swish_avx512(x, n);
        return;
    }
#endif
    swish_portable(x, n);
}
