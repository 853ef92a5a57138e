/* The product engines on the networks' shapes: the house's lane_gemm, OpenBLAS' sgemm and, where it
 * was found when this was built, libxsmm's just-in-time kernels. Each in the layout that suits it:
 * lane_gemm keeps lanes side by side, the others rows, and all work on the same tile, so that
 * weights come from L2 and activations from L1 or L2 as in a rollout. A network is 24 inputs,
 * 4 x 200 swish, 36 outputs; its biases and swish are the house's kernel for everybody.
 */
#include "tests/bench/engine_bench.h"

#include "mbrl/models/lane_gemm.h"
#include "mbrl/models/lane_kernels.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BENCH_LIBXSMM
#include <libxsmm.h>
#endif

enum {
    WIDTH = 200,
    INPUTS = 24,
    OUTPUTS = 36,
    LAYERS = 5,
    MOST_ROWS = 256,
    STRIDE = 208,
    LANES = 32
};

typedef enum Engine { ENGINE_LANES, ENGINE_OPENBLAS, ENGINE_LIBXSMM, ENGINES } Engine;

static const char *const engine_names[ENGINES] = {"lane_gemm", "OpenBLAS", "libxsmm"};

typedef struct Tile {
    Engine engine;
    size_t rows;
    size_t layers;          /* 1: one 200x200 product without anything else */
    float *weights[LAYERS]; /* (fan_out, STRIDE), the bias at fan_in */
    float *turned[LAYERS];  /* (fan_in, fan_out) */
    float *input;           /* (rows, fan_in), or (fan_in, rows) for lane_gemm */
    float *side[2];
#ifdef BENCH_LIBXSMM
    libxsmm_smmfunction kernels[LAYERS];
#endif
} Tile;

static size_t fan_in(const Tile *t, size_t l) {
    return (t->layers > 1 && l == 0) ? INPUTS : WIDTH;
}

static size_t fan_out(const Tile *t, size_t l) {
    return (t->layers > 1 && l + 1 == t->layers) ? OUTPUTS : WIDTH;
}

/* out (fan_out, rows) in blocks of LANES, or of the rows if they are fewer, as predict() does it */
static void lanes_forward(const Tile *t) {
    const size_t lanes = (t->rows < LANES) ? t->rows : LANES;
    for (size_t first = 0; first < t->rows; first += lanes) {
        const float *in = t->input + first * fan_in(t, 0);
        for (size_t l = 0; l < t->layers; l++) {
            float *out = t->side[l % 2];
            lane_gemm(&(LaneGemm){.m = fan_out(t, l),
                                  .k = fan_in(t, l),
                                  .lanes = lanes,
                                  .a = t->weights[l],
                                  .a_row = STRIDE,
                                  .a_step = 1,
                                  .b = in,
                                  .b_row = lanes,
                                  .c = out,
                                  .c_row = lanes,
                                  .start = t->weights[l] + fan_in(t, l),
                                  .start_row = STRIDE});
            if (l + 1 < t->layers) {
                lanes_activate(ACTIVATION_SWISH, out, fan_out(t, l) * lanes);
            }
            in = out;
        }
    }
}

static void row_product(const Tile *t, size_t l, const float *in, float *out) {
    const int n = (int)fan_out(t, l);
    const int k = (int)fan_in(t, l);
#ifdef BENCH_LIBXSMM
    if (t->engine == ENGINE_LIBXSMM) {
        /* column-major: out^T = turned^T in^T */
        t->kernels[l](t->turned[l], in, out);
        return;
    }
#endif
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)t->rows, n, k, 1.0f, in, k,
                t->turned[l], n, (t->layers > 1) ? 1.0f : 0.0f, out, n);
}

/* rows of biases, to which the product is added; a single product has none */
static void rows_forward(const Tile *t) {
    const float *in = t->input;
    for (size_t l = 0; l < t->layers; l++) {
        const size_t n = fan_out(t, l);
        float       *out = t->side[l % 2];
        for (size_t j = 0; t->layers > 1 && j < t->rows; j++) {
            memcpy(out + j * n, t->turned[l] + fan_in(t, l) * n, n * sizeof *out);
        }
        row_product(t, l, in, out);
        if (l + 1 < t->layers) {
            lanes_activate(ACTIVATION_SWISH, out, t->rows * n);
        }
        in = out;
    }
}

static void forward(void *context) {
    const Tile *t = context;
    if (t->engine == ENGINE_LANES) {
        lanes_forward(t);
    } else {
        rows_forward(t);
    }
}

static void tile_make(Tile *t) {
    for (size_t l = 0; l < t->layers; l++) {
        const size_t n = fan_out(t, l);
        const size_t k = fan_in(t, l);
        t->weights[l] = random_floats((size_t)WIDTH * STRIDE, (uint32_t)l);
        t->turned[l] = allocate((k + 1) * n);
        for (size_t o = 0; o < n; o++) {
            for (size_t i = 0; i <= k; i++) {
                float *weight = t->weights[l] + o * STRIDE + i;
                *weight *= 0.1f;
                t->turned[l][i * n + o] = *weight;
            }
        }
#ifdef BENCH_LIBXSMM
        const float beta = (t->layers > 1) ? 1.0f : 0.0f;
        t->kernels[l] = libxsmm_smmdispatch((int)n, (int)t->rows, (int)k, NULL, NULL, NULL, NULL,
                                            &beta, NULL, NULL);
#endif
    }
    t->input = random_floats((size_t)MOST_ROWS * WIDTH, LAYERS);
    t->side[0] = allocate((size_t)MOST_ROWS * WIDTH);
    t->side[1] = allocate((size_t)MOST_ROWS * WIDTH);
}

static void tile_free(Tile *t) {
    for (size_t l = 0; l < t->layers; l++) {
        free(t->weights[l]);
        free(t->turned[l]);
    }
    free(t->input);
    free(t->side[0]);
    free(t->side[1]);
}

/* the whole network by `engine` and by lane_gemm on LANES rows; @return outputs that differ */
static int compare_engine(Engine engine) {
    Tile lanes = {.engine = ENGINE_LANES, .rows = LANES, .layers = LAYERS};
    Tile rows = {.engine = engine, .rows = LANES, .layers = LAYERS};
    int  wrong = 0;
    tile_make(&lanes);
    tile_make(&rows);
    for (size_t j = 0; j < LANES; j++) {
        for (size_t i = 0; i < INPUTS; i++) {
            lanes.input[i * LANES + j] = rows.input[j * INPUTS + i];
        }
    }
    forward(&lanes);
    forward(&rows);
    for (size_t j = 0; j < LANES; j++) {
        for (size_t o = 0; o < OUTPUTS; o++) {
            const float x = lanes.side[(LAYERS - 1) % 2][o * LANES + j];
            const float y = rows.side[(LAYERS - 1) % 2][j * OUTPUTS + o];
            wrong += !(fabsf(x - y) < 1e-4f * (1.0f + fabsf(x)));
        }
    }
    tile_free(&lanes);
    tile_free(&rows);
    return wrong;
}

static double measure_tile(Engine engine, size_t rows, size_t layers) {
    Tile   t = {.engine = engine, .rows = rows, .layers = layers};
    char   name[64];
    double multiplies = 0.0;
    tile_make(&t);
    for (size_t l = 0; l < layers; l++) {
        multiplies += (double)(fan_in(&t, l) * fan_out(&t, l));
    }
    (void)snprintf(name, sizeof name, "%s, %zu rows, %s", engine_names[engine], rows,
                   (layers == 1) ? "200x200" : "network 24-4x200-36 swish");
    const double rate = measure(name, 2.0 * multiplies * (double)rows,
                                (layers == 1) ? 6400 / rows : 1600 / rows, forward, &t);
    tile_free(&t);
    return rate;
}

int measure_products(void) {
    const size_t rows[] = {256, 64, 32, 16};
    int          wrong = compare_engine(ENGINE_OPENBLAS);
#ifdef BENCH_LIBXSMM
    const Engine last = ENGINE_LIBXSMM;
    wrong += compare_engine(ENGINE_LIBXSMM);
#else
    const Engine last = ENGINE_OPENBLAS;
    printf("libxsmm: not built in\n");
#endif
    if (wrong != 0) {
        return wrong;
    }
    sgemm_rate = measure_tile(ENGINE_OPENBLAS, 256, 1);
    for (size_t layers = 1; layers <= LAYERS; layers += LAYERS - 1) {
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            for (int engine = ENGINE_LANES; engine <= (int)last; engine++) {
                (void)measure_tile((Engine)engine, rows[i], layers);
            }
        }
    }
    return 0;
}
