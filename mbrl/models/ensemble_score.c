#include "mbrl/models/ensemble_internal.h"

#include <math.h>
#include <string.h>

#define LOG_TWO_PI 1.8378770664093454836

/* sums over rows, divided at the end */
typedef struct ScoreSums {
    double nll;
    double nll_member;
    double mse;
    double mse_member;
} ScoreSums;

/* one row: outputs[m] points at (2 o, lanes) of member m; adds what it costs to `sums` */
static void score_row(const Ensemble *e, const float *const *outputs, size_t lanes, size_t lane,
                      const float *target, ScoreSums *sums) {
    const size_t o = e->shape.outputs;
    const double members = (double)e->members;
    double       density[ENSEMBLE_MAX_MEMBERS] = {0.0}; /* log density of each member */
    for (size_t d = 0; d < o; d++) {
        const double scale = e->target_scale[d];
        double       mean_error = 0.0;
        if (scale == 0.0) {
            continue; /* constant by declaration */
        }
        for (size_t m = 0; m < e->members; m++) {
            const double mean = (double)outputs[m][d * lanes + lane];
            const double error = (mean - (double)target[d]) / scale;
            const double logvar = (double)outputs[m][(o + d) * lanes + lane] - 2.0 * log(scale);
            density[m] -= 0.5 * (LOG_TWO_PI + logvar + error * error * exp(-logvar));
            mean_error += error / members;
            sums->mse_member += error * error / members;
        }
        sums->mse += mean_error * mean_error;
    }
    double largest = density[0];
    for (size_t m = 0; m < e->members; m++) {
        largest = fmax(largest, density[m]);
        sums->nll_member -= density[m] / members;
    }
    double total = 0.0;
    for (size_t m = 0; m < e->members; m++) {
        total += exp(density[m] - largest);
    }
    sums->nll -= largest + log(total / members);
}

/* what score() needs for one block of lanes */
typedef struct ScoreScratch {
    NetworkScratch network;
    float         *outputs; /* (members, 2 o, lanes) */
    float         *x;       /* (lanes, i) */
    float         *y;       /* (lanes, o) */
} ScoreScratch;

static Status score_scratch(Ensemble *e, ScoreScratch *out) {
    const size_t o = e->shape.outputs;
    TRY(network_scratch(&e->shape, &e->scratch, &out->network));
    TRY(ARENA_TAKE(&e->scratch, float, e->members * 2 * o * NETWORK_LANES, &out->outputs));
    TRY(ARENA_TAKE(&e->scratch, float, e->shape.inputs *(size_t)NETWORK_LANES, &out->x));
    return ARENA_TAKE(&e->scratch, float, o *(size_t)NETWORK_LANES, &out->y);
}

/* rows [first, first + n) of the list */
static void score_block(const Ensemble *e, const Dataset *data, const uint32_t *rows, size_t first,
                        size_t n, const ScoreScratch *work, ScoreSums *sums) {
    const size_t i = e->shape.inputs;
    const size_t o = e->shape.outputs;
    const size_t lanes = network_lanes(n);
    const float *outputs[ENSEMBLE_MAX_MEMBERS] = {NULL};
    for (size_t j = 0; j < n; j++) {
        const size_t row = (rows == NULL) ? first + j : rows[first + j];
        memcpy(work->x + j * i, data->inputs + row * i, i * sizeof *work->x);
        memcpy(work->y + j * o, data->targets + row * o, o * sizeof *work->y);
    }
    ensemble__scale(e, work->x, i, n, lanes, work->network.input);
    for (size_t m = 0; m < e->members; m++) {
        NetworkScratch network = work->network;
        network.output = work->outputs + m * 2 * o * NETWORK_LANES;
        network_forward(&e->shape, e->block + m * e->shape.floats, &network, lanes);
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
    TRY(ensemble__check_data(e, data));
    for (size_t k = 0; k < count; k++) {
        const size_t row = (rows == NULL) ? k : rows[k];
        if (row >= data->n) {
            FAIL(STATUS_ERR_RANGE, "ensemble: row %zu to score, the data has %zu", row, data->n);
        }
    }
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
                            .mse_member = sums.mse_member / scored};
    return STATUS_OK;
}
