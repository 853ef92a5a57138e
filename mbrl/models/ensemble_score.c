/* Scores of an ensemble on given rows, in double: the NLL of the equally weighted mixture of who
 * plans, joint over dimensions (log-sum-exp, so that no density underflows), and the mean NLL of
 * the members alone, per dimension of scaled targets. A deterministic member's Gaussian is that of
 * its residuals on held-out rows. Judging is the same for one member at a time, without keeping
 * everybody's outputs; elites are who has the best NLL there, chosen anew whenever the option or a
 * comparison changes.
 */
#include "mbrl/models/ensemble_internal.h"

#include "mbrl/models/model_support.h"

#include <math.h>
#include <string.h>

/* smallest residual standard deviation of a deterministic member, in target scales: a handful of
 * rows that it knows by heart must not have an infinite likelihood */
#define RESIDUAL_SMALLEST 1e-6

/* sums over rows, divided at the end */
typedef struct ScoreSums {
    double nll;
    double nll_member;
    double mse;
    double mse_member;
} ScoreSums;

/* log variance of dimension d for a member's (h o, lanes) output, in target units */
static double log_variance(const Ensemble *e, size_t member, const float *output, size_t lanes,
                           size_t lane, size_t d) {
    const size_t o = e->shape.outputs;
    return (e->shape.heads == 1) ? log(e->residual[member * o + d])
                                 : (double)output[(o + d) * lanes + lane];
}

/* one row: outputs[m] points at (h o, lanes) of the m-th member that plans; adds what it costs */
static void score_row(const Ensemble *e, const float *const *outputs, size_t lanes, size_t lane,
                      const float *target, ScoreSums *sums) {
    const size_t o = e->shape.outputs;
    const double members = (double)e->used;
    double       density[ENSEMBLE_MAX_MEMBERS] = {0.0}; /* log density of each member */
    for (size_t d = 0; d < o; d++) {
        const double scale = e->target_scale[d];
        double       mean_error = 0.0;
        if (scale == 0.0) {
            continue; /* constant by declaration */
        }
        for (size_t m = 0; m < e->used; m++) {
            const double mean = (double)outputs[m][d * lanes + lane];
            const double error = (mean - (double)target[d]) / scale;
            const double logvar =
                log_variance(e, e->plans[m], outputs[m], lanes, lane, d) - 2.0 * log(scale);
            density[m] -= 0.5 * (MODEL_LOG_TWO_PI + logvar + error * error * exp(-logvar));
            mean_error += error / members;
            sums->mse_member += error * error / members;
        }
        sums->mse += mean_error * mean_error;
    }
    double largest = density[0];
    for (size_t m = 0; m < e->used; m++) {
        largest = fmax(largest, density[m]);
        sums->nll_member -= density[m] / members;
    }
    double total = 0.0;
    for (size_t m = 0; m < e->used; m++) {
        total += exp(density[m] - largest);
    }
    sums->nll -= largest + log(total / members);
}

/* what score() needs for one block of lanes */
typedef struct ScoreScratch {
    NetworkScratch network;
    float         *outputs; /* (members, h o, lanes) */
    float         *x;       /* (lanes, i) */
    float         *y;       /* (lanes, o) */
} ScoreScratch;

size_t ensemble__score_need(const Ensemble *e) {
    return network_scratch_need(&e->shape) +
           arena_need(e->members * 2 * e->shape.outputs * NETWORK_LANES, sizeof(float)) +
           2 * arena_need(NETWORK_LANES * (e->shape.inputs + e->shape.outputs), sizeof(float));
}

static Status score_scratch(Ensemble *e, ScoreScratch *out) {
    const size_t o = e->shape.outputs;
    TRY(network_scratch(&e->shape, &e->scratch, &out->network));
    TRY(ARENA_TAKE(&e->scratch, float, e->members * 2 * o * NETWORK_LANES, &out->outputs));
    TRY(ARENA_TAKE(&e->scratch, float, e->shape.inputs *(size_t)NETWORK_LANES, &out->x));
    return ARENA_TAKE(&e->scratch, float, o *(size_t)NETWORK_LANES, &out->y);
}

/* scaled inputs of rows [first, first + n) of the list; their targets lie in work->y */
static void load_block(const Ensemble *e, const Dataset *data, const uint32_t *rows, size_t first,
                       size_t n, const ScoreScratch *work) {
    const size_t i = e->shape.inputs;
    const size_t o = e->shape.outputs;
    for (size_t j = 0; j < n; j++) {
        const size_t row = (rows == NULL) ? first + j : rows[first + j];
        memcpy(work->x + j * i, data->inputs + row * i, i * sizeof *work->x);
        memcpy(work->y + j * o, data->targets + row * o, o * sizeof *work->y);
    }
    model_scale_block(e->scaler_mean, e->scaler_inverse, i, work->x, i, n, network_lanes(n),
                      work->network.input);
}

static void score_block(const Ensemble *e, const Dataset *data, const uint32_t *rows, size_t first,
                        size_t n, const ScoreScratch *work, ScoreSums *sums) {
    const size_t o = e->shape.outputs;
    const size_t lanes = network_lanes(n);
    const float *outputs[ENSEMBLE_MAX_MEMBERS] = {NULL};
    load_block(e, data, rows, first, n, work);
    for (size_t m = 0; m < e->used; m++) {
        NetworkScratch network = work->network;
        network.output = work->outputs + m * 2 * o * NETWORK_LANES;
        network_forward(&e->shape, e->block + e->plans[m] * e->shape.floats, &network, lanes);
        outputs[m] = network.output;
    }
    for (size_t j = 0; j < n; j++) {
        score_row(e, outputs, lanes, j, work->y + j * o, sums);
    }
}

static double scored_dimensions(const Ensemble *e) {
    double count = 0.0;
    for (size_t d = 0; d < e->shape.outputs; d++) {
        count += (e->target_scale[d] == 0.0) ? 0.0 : 1.0;
    }
    return count;
}

Status ensemble__score(void *self, const Dataset *data, const uint32_t *rows, size_t count,
                       ScoreReport *report) {
    Ensemble *e = self;
    TRY(model_check_rows("ensemble", data, e->shape.inputs, e->shape.outputs, rows, count));
    ScoreScratch work;
    const size_t mark = arena_mark(&e->scratch);
    TRY(score_scratch(e, &work));
    ScoreSums sums = {.nll = 0.0};
    for (size_t first = 0; first < count; first += NETWORK_LANES) {
        const size_t n = (count - first < NETWORK_LANES) ? count - first : NETWORK_LANES;
        score_block(e, data, rows, first, n, &work, &sums);
    }
    arena_release(&e->scratch, mark);
    /* no row or no dimension: 0 / 0 = NaN */
    const double scored = (double)count * scored_dimensions(e);
    *report = (ScoreReport){.nll = sums.nll / scored,
                            .nll_member = sums.nll_member / scored,
                            .mse = sums.mse / scored,
                            .mse_member = sums.mse_member / scored,
                            .likelihood =
                                (e->shape.heads == 1) ? LIKELIHOOD_RESIDUAL : LIKELIHOOD_PREDICTED};
    return STATUS_OK;
}

/* sums over a block of one member's squared errors, and of its NLL where it predicts a variance */
static void judge_block(const Ensemble *e, const ScoreScratch *work, size_t n, double *squares,
                        double *nll) {
    const size_t o = e->shape.outputs;
    const size_t lanes = network_lanes(n);
    const float *out = work->network.output;
    for (size_t d = 0; d < o; d++) {
        const double scale = e->target_scale[d];
        for (size_t j = 0; j < n; j++) {
            const double error = (double)out[d * lanes + j] - (double)work->y[j * o + d];
            squares[d] += error * error;
            if (e->shape.heads == 2 && scale > 0.0) {
                const double logvar = (double)out[(o + d) * lanes + j];
                *nll += 0.5 * (MODEL_LOG_TWO_PI + logvar - 2.0 * log(scale) +
                               error * error * exp(-logvar));
            }
        }
    }
}

/* stores the residual variances; their Gaussian's NLL summed over rows and dimensions */
static double judge_residuals(Ensemble *e, size_t member, const double *squares, double rows) {
    double nll = 0.0;
    for (size_t d = 0; d < e->shape.outputs; d++) {
        const double scale = e->target_scale[d];
        const double smallest = pow(RESIDUAL_SMALLEST * ((scale > 0.0) ? scale : 1.0), 2);
        const double mean = squares[d] / rows;
        const double variance = (mean < smallest) ? smallest : mean; /* NaN stays */
        e->residual[member * e->shape.outputs + d] = variance;
        if (scale > 0.0) {
            nll +=
                0.5 * rows * (MODEL_LOG_TWO_PI + log(variance / (scale * scale)) + mean / variance);
        }
    }
    return nll;
}

Status ensemble__judge(Ensemble *e, const Dataset *data, const uint32_t *rows, size_t count,
                       size_t member, double *nll) {
    ScoreScratch work;
    double      *squares = e->squares;
    double       sum = 0.0;
    const size_t mark = arena_mark(&e->scratch);
    TRY(score_scratch(e, &work));
    memset(squares, 0, e->shape.outputs * sizeof *squares);
    for (size_t first = 0; first < count; first += NETWORK_LANES) {
        const size_t n = (count - first < NETWORK_LANES) ? count - first : NETWORK_LANES;
        load_block(e, data, rows, first, n, &work);
        network_forward(&e->shape, e->block + member * e->shape.floats, &work.network,
                        network_lanes(n));
        judge_block(e, &work, n, squares, &sum);
    }
    arena_release(&e->scratch, mark);
    if (e->shape.heads == 1) {
        sum = judge_residuals(e, member, squares, (double)count);
    }
    *nll = sum / ((double)count * scored_dimensions(e));
    return STATUS_OK;
}

bool ensemble__has_elites(const Ensemble *e) {
    const double elites = e->values[ENSEMBLE_ELITES];
    return elites > 0.0 && elites < (double)e->members;
}

/* whether a plans before b */
static bool is_better(const Ensemble *e, size_t a, size_t b) {
    const double x = isnan(e->member_nll[a]) ? (double)INFINITY : e->member_nll[a];
    const double y = isnan(e->member_nll[b]) ? (double)INFINITY : e->member_nll[b];
    return x < y || (x == y && a < b);
}

void ensemble__choose(Ensemble *e) {
    const size_t wanted = ensemble__has_elites(e) ? (size_t)e->values[ENSEMBLE_ELITES] : e->members;
    e->used = 0;
    for (size_t m = 0; m < e->members; m++) {
        size_t ahead = 0;
        for (size_t other = 0; other < e->members; other++) {
            ahead += (other != m && is_better(e, other, m)) ? 1U : 0U;
        }
        if (ahead < wanted) {
            e->plans[e->used++] = m;
        }
    }
    ensemble__renew(e);
}

Status ensemble__compare(Ensemble *e, const Dataset *data, const uint32_t *rows, size_t count,
                         double *flop) {
    for (size_t m = 0; m < e->members; m++) {
        double nll = (double)NAN;
        TRY(ensemble__judge(e, data, rows, count, m, &nll));
        e->member_nll[m] = isnan(nll) ? (double)INFINITY : nll; /* compared, and last */
    }
    *flop += (double)(e->members * count) * 2.0 * (double)e->shape.multiplies;
    ensemble__choose(e);
    return STATUS_OK;
}

bool ensemble__is_unranked(const void *self) {
    const Ensemble *e = self;
    return ensemble__has_elites(e) && isnan(e->member_nll[0]);
}

Status ensemble__rank(void *self, const Dataset *data, double *flop) {
    Ensemble *e = self;
    size_t    count = 0;
    *flop = 0.0;
    TRY(ensemble__check_data(e, data));
    const uint32_t *rows = dataset_judging_rows(data, &count);
    return count == 0 ? STATUS_OK : ensemble__compare(e, data, rows, count, flop);
}
