/* A block of 16 rows at a time, in double: with little noise the inverse of the covariance has
 * entries that single precision would turn into errors of the size of the noise. Rows lie side by
 * side in vectors, so a prediction has the same bits whatever rows share its call.
 */
#include "mbrl/models/gaussian_process_internal.h"

#include "mbrl/models/lane_dispatch.h"
#include "mbrl/models/model_support.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

/* adding this rounds a double below 2^51 to an integer, which then stands in the low bits */
#define ROUND_DOUBLE 6755399441055744.0
#define EXP_LOWEST   (-700.0)
#define LOG2_E       1.4426950408889634074
#define LN2_HIGH     6.93147180369123816490e-01
#define LN2_LOW      1.90821492927058770002e-10

typedef union DoubleBits {
    double   value;
    uint64_t bits;
} DoubleBits;

/* e^x for x <= 0; Taylor's series on |r| <= ln(2) / 2, error below 1e-16 */
LANES_INLINE double exp_negative(double x) {
    const double below = (x < EXP_LOWEST) ? EXP_LOWEST : x;
    const double shifted = fma(below, LOG2_E, ROUND_DOUBLE);
    const double n = shifted - ROUND_DOUBLE;
    const double r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, below));
    double       p = 1.0 / 6227020800.0;
    p = fma(p, r, 1.0 / 479001600.0);
    p = fma(p, r, 1.0 / 39916800.0);
    p = fma(p, r, 1.0 / 3628800.0);
    p = fma(p, r, 1.0 / 362880.0);
    p = fma(p, r, 1.0 / 40320.0);
    p = fma(p, r, 1.0 / 5040.0);
    p = fma(p, r, 1.0 / 720.0);
    p = fma(p, r, 1.0 / 120.0);
    p = fma(p, r, 1.0 / 24.0);
    p = fma(p, r, 1.0 / 6.0);
    p = fma(p, r, 0.5);
    p = fma(p, r, 1.0);
    p = fma(p, r, 1.0);
    const DoubleBits power = {.bits = (((DoubleBits){.value = shifted}).bits << 52) +
                                      ((uint64_t)1023 << 52)};
    return p * power.value;
}

/* covariances of a block with all points: k (m, LANES) = signal e^(-|z - point|^2 / 2) */
typedef struct Covariances {
    const double *points; /* (m, i) over the lengthscales */
    const double *z;      /* (i, LANES) likewise */
    size_t        m;
    size_t        i;
    double        signal;
    double       *k;
} Covariances;

LANES_INLINE void covariances_body(const Covariances *c) {
    for (size_t p = 0; p < c->m; p++) {
        double sum[LANES] = {0.0};
        for (size_t l = 0; l < c->i; l++) {
            const double point = c->points[p * c->i + l];
            for (size_t j = 0; j < LANES; j++) {
                const double apart = c->z[l * LANES + j] - point;
                sum[j] = fma(apart, apart, sum[j]);
            }
        }
        for (size_t j = 0; j < LANES; j++) {
            c->k[p * LANES + j] = c->signal * exp_negative(-0.5 * sum[j]);
        }
    }
}

static void covariances(const Covariances *c);
LANES_VERSIONS(covariances, (const Covariances *c), (c))

/* out[j] = sum over p of a[p] k[p, j] */
LANES_INLINE void weigh_body(const double *a, const double *k, size_t m, double *restrict out) {
    double sum[LANES] = {0.0};
    for (size_t p = 0; p < m; p++) {
        for (size_t j = 0; j < LANES; j++) {
            sum[j] = fma(a[p], k[p * LANES + j], sum[j]);
        }
    }
    memcpy(out, sum, sizeof sum);
}

static void weigh(const double *a, const double *k, size_t m, double *out);
LANES_VERSIONS(weigh, (const double *a, const double *k, size_t m, double *out), (a, k, m, out))

/* out[j] = |W k[., j]|^2 of a lower triangle W with rows of `stride` */
LANES_INLINE void explained_body(const double *w, size_t stride, const double *k, size_t m,
                                 double *restrict out) {
    double total[LANES] = {0.0};
    for (size_t r = 0; r < m; r++) {
        double sum[LANES] = {0.0};
        for (size_t p = 0; p <= r; p++) {
            for (size_t j = 0; j < LANES; j++) {
                sum[j] = fma(w[r * stride + p], k[p * LANES + j], sum[j]);
            }
        }
        for (size_t j = 0; j < LANES; j++) {
            total[j] = fma(sum[j], sum[j], total[j]);
        }
    }
    memcpy(out, total, sizeof total);
}

static void explained(const double *w, size_t stride, const double *k, size_t m, double *out);
LANES_VERSIONS(explained, (const double *w, size_t stride, const double *k, size_t m, double *out),
               (w, stride, k, m, out))

typedef struct Work {
    float  *block; /* (i, LANES) scaled inputs */
    double *z;     /* (i, LANES) over the lengthscales */
    double *k;     /* (m, LANES) */
} Work;

size_t gp__predict_scratch(size_t inputs, size_t outputs, size_t points) {
    (void)outputs;
    return arena_need(inputs * LANES, sizeof(float)) + arena_need(inputs * LANES, sizeof(double)) +
           arena_need(points * LANES, sizeof(double));
}

double gp__predict_flop(size_t inputs, size_t outputs, size_t points) {
    const double m = (double)points;
    return (double)outputs * m * (3.0 * (double)inputs + 30.0 + 2.0 + m);
}

/* output d of a block */
static void predict_output(const GaussianProcess *gp, size_t d, const Work *work, double *mean,
                           double *variance) {
    const size_t  i = gp->i;
    const double *theta = gp->theta + d * (i + 2);
    const double  signal = exp(2.0 * theta[i]);
    const double  noise = exp(2.0 * theta[i + 1]);
    double        known[LANES] = {0.0};
    for (size_t l = 0; l < i; l++) {
        const double scale = exp(-theta[l]);
        for (size_t j = 0; j < LANES; j++) {
            work->z[l * LANES + j] = scale * (double)work->block[l * LANES + j];
        }
    }
    covariances(&(Covariances){.points = gp->scaled + d * gp->most * i,
                               .z = work->z,
                               .m = gp->m,
                               .i = i,
                               .signal = signal,
                               .k = work->k});
    weigh(gp->alpha + d * gp->most, work->k, gp->m, mean);
    for (size_t j = 0; j < LANES; j++) {
        mean[j] = gp->target_mean[d] + gp->target_sd[d] * mean[j];
    }
    if (variance != NULL) {
        explained(gp->whiten + d * gp->most * gp->most, gp->most, work->k, gp->m, known);
        for (size_t j = 0; j < LANES; j++) {
            variance[j] = ((known[j] < signal) ? signal - known[j] : 0.0) + noise;
        }
    }
}

Status gp__predict(const void *self, size_t member, const float *x, size_t stride, size_t n,
                   float *mean, float *sd, Arena *scratch) {
    const GaussianProcess *gp = self;
    const size_t           o = gp->o;
    const size_t           mark = arena_mark(scratch);
    Work                   work;
    double                 middle[LANES];
    double                 variance[LANES] = {0.0};
    if (member >= 1) {
        FAIL(STATUS_ERR_ARG, "gaussian_process: member %zu of 1", member);
    }
    TRY(ARENA_TAKE(scratch, float, gp->i *(size_t)LANES, &work.block));
    TRY(ARENA_TAKE(scratch, double, gp->i *(size_t)LANES, &work.z));
    TRY(ARENA_TAKE(scratch, double, gp->most *(size_t)LANES, &work.k));
    for (size_t first = 0; first < n; first += LANES) {
        const size_t count = (n - first < LANES) ? n - first : LANES;
        model_scale_block(gp->scaler_mean, gp->scaler_inverse, gp->i, x + first * stride, stride,
                          count, LANES, work.block);
        for (size_t d = 0; d < o; d++) {
            predict_output(gp, d, &work, middle, (sd != NULL) ? variance : NULL);
            for (size_t j = 0; j < count; j++) {
                mean[(first + j) * o + d] = (float)middle[j];
            }
            for (size_t j = 0; sd != NULL && j < count; j++) {
                sd[(first + j) * o + d] = (float)(gp->target_sd[d] * sqrt(variance[j]));
            }
        }
    }
    arena_release(scratch, mark);
    return STATUS_OK;
}
