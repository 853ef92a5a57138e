/* Why not sgemm: the products here have 16 to 256 rows and 5 to 200 columns, where OpenBLAS reaches
 * a half to two thirds of the peak because it packs both operands on every call, and its bits
 * depend on the core type and on the number of rows. Here nothing is packed: a block of R rows of A
 * times V vectors of B stays in registers (24 of the 32 of AVX-512), one step over k costs
 * V loads of B, R broadcasts of A and R V fused multiply-adds, so that the two load ports are less
 * busy than the two multiply-add ports as soon as R + V <= R V.
 *
 *     V = 4: R = 6 (10 loads, 24 FMA)   V = 2: R = 10 (12, 20)
 *     V = 3: R = 8 (11 loads, 24 FMA)   V = 1: R = 12 (13, 12)
 *
 * so a row of 208 floats, the 200 weights and the bias of a gradient, is split 4 + 4 + 3 + 2.
 *
 * B of a 200 x 32 block (26 kB) stays in L1, A (160 kB) streams from L2 once per block of lanes:
 * 160 kB per 2.6 MFLOP, 4 bytes per cycle.
 */
#include "mbrl/models/lane_gemm.h"

#include "mbrl/models/lane_dispatch.h"

#include <math.h>

#ifdef LANES_X86
#include <immintrin.h>
#endif

/* one block: rows of A from `i`, lanes from `j` */
typedef struct Block {
    const LaneGemm *gemm;
    size_t          i;
    size_t          j;
} Block;

static float start_of(const LaneGemm *g, size_t i, size_t j) {
    if (g->add) {
        return g->c[i * g->c_row + j];
    }
    return (g->start == NULL) ? 0.0f : g->start[i * g->start_row];
}

static void block_portable(const LaneGemm *g, size_t i, size_t j) {
    float sum[LANE_STEP];
    for (size_t v = 0; v < LANE_STEP; v++) {
        sum[v] = start_of(g, i, j + v);
    }
    for (size_t l = 0; l < g->k; l++) {
        const float a = g->a[i * g->a_row + l * g->a_step];
        for (size_t v = 0; v < LANE_STEP; v++) {
            sum[v] = fmaf(a, g->b[l * g->b_row + j + v], sum[v]);
        }
    }
    for (size_t v = 0; v < LANE_STEP; v++) {
        g->c[i * g->c_row + j + v] = sum[v];
    }
}

static void gemm_portable(const LaneGemm *g) {
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->lanes; j += LANE_STEP) {
            block_portable(g, i, j);
        }
    }
}

#ifdef LANES_X86

enum { MAX_ROWS = 12, MAX_VECTORS = 4, AVX2_ROWS = 6, AVX2_WIDTH = 8 };

/* `rows` and `vectors` are constants at every call, so the loops unroll and `sum` is registers */
LANES_AVX512_TARGET LANES_INLINE void block_avx512(const Block *block, const size_t rows,
                                                   const size_t vectors) {
    const LaneGemm *g = block->gemm;
    const float    *a = g->a + block->i * g->a_row;
    const float    *b = g->b + block->j;
    float          *c = g->c + block->i * g->c_row + block->j;
    const size_t    c_row = g->c_row;
    __m512          sum[MAX_ROWS][MAX_VECTORS];

    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        const float *start = (g->start == NULL) ? NULL : g->start + (block->i + r) * g->start_row;
        const __m512 first = _mm512_set1_ps((start == NULL) ? 0.0f : *start);
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            sum[r][v] = g->add ? _mm512_load_ps(c + r * c_row + v * LANE_STEP) : first;
        }
    }
    const size_t a_row = g->a_row;
    const size_t a_step = g->a_step;
    const size_t b_row = g->b_row;
    for (size_t l = 0; l < g->k; l++) {
        __m512 row[MAX_VECTORS];
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            row[v] = _mm512_load_ps(b + v * LANE_STEP);
        }
        LANES_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const __m512 weight = _mm512_set1_ps(a[r * a_row]);
            LANES_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_fmadd_ps(weight, row[v], sum[r][v]);
            }
        }
        a += a_step;
        b += b_row;
    }
    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        LANES_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            _mm512_store_ps(c + r * c_row + v * LANE_STEP, sum[r][v]);
        }
    }
}

LANES_AVX2_TARGET LANES_INLINE void block_avx2(const Block *block, const size_t rows) {
    const LaneGemm *g = block->gemm;
    const float    *a = g->a + block->i * g->a_row;
    const float    *b = g->b + block->j;
    float          *c = g->c + block->i * g->c_row + block->j;
    const size_t    c_row = g->c_row;
    __m256          sum[AVX2_ROWS][2];

    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        const float *start = (g->start == NULL) ? NULL : g->start + (block->i + r) * g->start_row;
        const __m256 first = _mm256_set1_ps((start == NULL) ? 0.0f : *start);
        LANES_UNROLL
        for (size_t v = 0; v < 2; v++) {
            sum[r][v] = g->add ? _mm256_load_ps(c + r * c_row + v * AVX2_WIDTH) : first;
        }
    }
    for (size_t l = 0; l < g->k; l++) {
        const __m256 low = _mm256_load_ps(b + l * g->b_row);
        const __m256 high = _mm256_load_ps(b + l * g->b_row + AVX2_WIDTH);
        LANES_UNROLL
        for (size_t r = 0; r < rows; r++) {
            const __m256 weight = _mm256_broadcast_ss(a + r * g->a_row + l * g->a_step);
            sum[r][0] = _mm256_fmadd_ps(weight, low, sum[r][0]);
            sum[r][1] = _mm256_fmadd_ps(weight, high, sum[r][1]);
        }
    }
    LANES_UNROLL
    for (size_t r = 0; r < rows; r++) {
        LANES_UNROLL
        for (size_t v = 0; v < 2; v++) {
            _mm256_store_ps(c + r * c_row + v * AVX2_WIDTH, sum[r][v]);
        }
    }
}

typedef void (*BlockKernel)(const Block *block);

#define BLOCK_512(rows, vectors)                                                       \
    LANES_AVX512_TARGET static void block_512_##rows##_##vectors(const Block *block) { \
        block_avx512(block, rows, vectors);                                            \
    }
#define BLOCK_256(rows)                                                  \
    LANES_AVX2_TARGET static void block_256_##rows(const Block *block) { \
        block_avx2(block, rows);                                         \
    }
#define ROWS_TO_6(X, vectors) \
    X(1, vectors) X(2, vectors) X(3, vectors) X(4, vectors) X(5, vectors) X(6, vectors)
#define ROWS_TO_8(X, vectors)   ROWS_TO_6(X, vectors) X(7, vectors) X(8, vectors)
#define ROWS_TO_10(X, vectors)  ROWS_TO_8(X, vectors) X(9, vectors) X(10, vectors)
#define ROWS_TO_12(X, vectors)  ROWS_TO_10(X, vectors) X(11, vectors) X(12, vectors)
#define NAME_512(rows, vectors) [rows] = block_512_##rows##_##vectors,

ROWS_TO_12(BLOCK_512, 1)
ROWS_TO_10(BLOCK_512, 2)
ROWS_TO_8(BLOCK_512, 3)
ROWS_TO_6(BLOCK_512, 4)
BLOCK_256(1)
BLOCK_256(2)
BLOCK_256(3)
BLOCK_256(4)
BLOCK_256(5)
BLOCK_256(6)

static const BlockKernel one_vector[] = {ROWS_TO_12(NAME_512, 1)};
static const BlockKernel two_vectors[] = {ROWS_TO_10(NAME_512, 2)};
static const BlockKernel three_vectors[] = {ROWS_TO_8(NAME_512, 3)};
static const BlockKernel four_vectors[] = {ROWS_TO_6(NAME_512, 4)};
static const BlockKernel one_step_256[] = {NULL,        block_256_1, block_256_2, block_256_3,
                                           block_256_4, block_256_5, block_256_6};

/* all rows of lanes [j, j + width of the kernel), `most` rows at a time */
static void all_rows(const LaneGemm *g, size_t j, const BlockKernel *kernels, size_t most) {
    for (size_t i = 0; i < g->m; i += most) {
        const size_t rows = (g->m - i < most) ? g->m - i : most;
        kernels[rows](&(Block){.gemm = g, .i = i, .j = j});
    }
}

/* vectors of the next block of lanes where `left` are left: 4, unless that leaves a single one */
static size_t next_vectors(size_t left) {
    if (left == 5) {
        return 3;
    }
    return (left < MAX_VECTORS) ? left : MAX_VECTORS;
}

static void gemm_avx512(const LaneGemm *g) {
    static const struct {
        const BlockKernel *kernels;
        size_t             most;
    } by_vectors[] = {
        {NULL, 0}, {one_vector, 12}, {two_vectors, 10}, {three_vectors, 8}, {four_vectors, 6}};
    for (size_t j = 0; j < g->lanes;) {
        const size_t vectors = next_vectors((g->lanes - j) / LANE_STEP);
        all_rows(g, j, by_vectors[vectors].kernels, by_vectors[vectors].most);
        j += vectors * LANE_STEP;
    }
}

static void gemm_avx2(const LaneGemm *g) {
    for (size_t j = 0; j < g->lanes; j += LANE_STEP) {
        all_rows(g, j, one_step_256, AVX2_ROWS);
    }
}

#endif

static LaneLevel highest = LANES_AVX512;

void lanes_limit(LaneLevel most) {
    highest = most;
}

LaneLevel lanes_level(void) {
#ifdef LANES_X86
    if (highest >= LANES_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        return LANES_AVX512;
    }
    if (highest >= LANES_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return LANES_AVX2;
    }
#endif
    return LANES_PORTABLE;
}

void lane_gemm(const LaneGemm *gemm) {
    switch (lanes_level()) {
#ifdef LANES_X86
    case LANES_AVX512:
        gemm_avx512(gemm);
        return;
    case LANES_AVX2:
        gemm_avx2(gemm);
        return;
#else
    case LANES_AVX512:
    case LANES_AVX2:
#endif
    case LANES_PORTABLE:
        gemm_portable(gemm);
        return;
    }
}

const char *lane_gemm_kernel(void) {
    static const char *const names[] = {
        [LANES_PORTABLE] = "portable", [LANES_AVX2] = "avx2", [LANES_AVX512] = "avx512"};
    return names[lanes_level()];
}
