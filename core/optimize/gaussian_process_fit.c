/* Maximum a posteriori over logarithms of hyperparameters, by NLopt's L-BFGS.
 *
 * Priors. Lengthscales: log-normal with location sqrt2 + log(D) / 2 and scale sqrt3, as BoTorch:
 * the typical distance of two points in the cube grows as sqrt(D), and so does the length. Variance
 * and noise: log-normal too; wide, for both are in standard deviations of the targets, but a
 * noise-free function with a few steep walls may be far from 1, and the noise of a deterministic
 * one is 0.
 *
 * Budget of one step at n rows and d dimensions: n^2 / 2 covariances of 3 d + 40 FLOP, a factor and
 * an inverse of n^3 FLOP together, n^2 / 2 entries of the gradient of 4 d FLOP. At n = 1000, d =
 * 10: 1.0 GFLOP in LAPACK, 0.06 in loops.
 */
#include "core/optimize/gaussian_process_internal.h"

#include "core/kernel.h"
#include "core/linalg.h"

#include <math.h>
#include <nlopt.h>
#include <string.h>

/* Hvarfner et al. (2024) as in BoTorch's get_covar_module_with_dim_scaled_prior */
#define LENGTH_LOCATION 1.41421356237309504880
#define LENGTH_SPREAD   3.0 /* squared scale */
#define LENGTH_LOWEST   0.025
#define LENGTH_HIGHEST  100.0
/* ours, tuned on Branin and Hartmann-6 (tests/bench/bench_optimize.c) */
#define VARIANCE_LOCATION 0.0
#define VARIANCE_SPREAD   2.0
#define VARIANCE_LOWEST   0.05
#define VARIANCE_HIGHEST  100.0
#define NOISE_LOCATION    (-8.0)
#define NOISE_SPREAD      9.0
#define NOISE_LOWEST      1e-7
#define NOISE_HIGHEST     2.0

/* observations up to which the prior's mode is a second start */
enum { TWO_STARTS = 64 };
/* evaluations of the likelihood per start: enough to converge from the last optimum */
enum { STEPS_SMALL = 50, STEPS_LARGE = 20, SMALL = 300, VECTORS = 8 };
/* a likelihood is not worth more than this, in nats */
#define TOLERANCE 1e-3

typedef struct Prior {
    double location; /* of the logarithm */
    double spread;   /* squared */
    double lowest;   /* of the logarithm */
    double highest;
} Prior;

static Prior prior_of(const GaussianProcess *gp, size_t parameter) {
    if (parameter < gp->d) {
        return (Prior){LENGTH_LOCATION + 0.5 * log((double)gp->d), LENGTH_SPREAD,
                       log(LENGTH_LOWEST), log(LENGTH_HIGHEST)};
    }
    return (parameter == gp->d)
               ? (Prior){VARIANCE_LOCATION, VARIANCE_SPREAD, log(VARIANCE_LOWEST),
                         log(VARIANCE_HIGHEST)}
               : (Prior){NOISE_LOCATION, NOISE_SPREAD, log(NOISE_LOWEST), log(NOISE_HIGHEST)};
}

void gaussian_process__prior_mode(const GaussianProcess *gp, double *parameters) {
    for (size_t j = 0; j < gp->d + 2; j++) {
        const Prior prior = prior_of(gp, j);
        /* of the density of the length itself; of the logarithm for the others */
        parameters[j] = prior.location - ((j < gp->d) ? prior.spread : 0.0);
    }
}

bool gaussian_process__in_bounds(const GaussianProcess *gp, const double *parameters) {
    for (size_t j = 0; j < gp->d + 2; j++) {
        const Prior prior = prior_of(gp, j);
        if (!(parameters[j] >= prior.lowest && parameters[j] <= prior.highest)) {
            return false;
        }
    }
    return true;
}

void gaussian_process__set(GaussianProcess *gp, const double *parameters) {
    for (size_t f = 0; f < gp->features; f++) {
        gp->weight[f] = exp(-2.0 * parameters[gp->owner[f]]);
    }
    gp->variance = exp(parameters[gp->d]);
    gp->noise = exp(parameters[gp->d + 1]);
}

/* negative log prior; adds its gradient */
static double add_prior(const GaussianProcess *gp, const double *parameters, double *gradient) {
    double value = 0.0;
    for (size_t j = 0; j < gp->d + 2; j++) {
        const Prior  prior = prior_of(gp, j);
        const double apart = parameters[j] - prior.location;
        const double density = (j < gp->d) ? 1.0 : 0.0; /* d log(1 / length) */
        value += 0.5 * apart * apart / prior.spread + density * parameters[j];
        gradient[j] += apart / prior.spread + density;
    }
    return value;
}

/* (inverse[q] - alpha_p alpha[q]) slope[q], in place of the slopes */
KERNEL_CLONES static void weigh(const double *inverse, const double *alpha, double alpha_p,
                                double *slope, size_t n) {
    for (size_t q = 0; q < n; q++) {
        slope[q] *= inverse[q] - alpha_p * alpha[q];
    }
}

/* of the likelihood, from K^-1 in `whiten`, alpha and the slopes (destroyed) */
static void differentiate(GaussianProcess *gp, double *gradient) {
    const size_t n = gp->rows;
    double       trace = 0.0;
    memset(gradient, 0, (gp->d + 2) * sizeof *gradient);
    for (size_t p = 0; p < n; p++) {
        double *slope = gp->slopes + p * gp->room;
        weigh(gp->whiten + p * gp->room, gp->alpha, gp->alpha[p], slope, p);
        gaussian_process__features(gp, p, gp->query);
        for (size_t f = 0; f < gp->features; f++) {
            gradient[gp->owner[f]] -= 2.0 * gp->weight[f] *
                                      matern_weighted_squares(slope, gp->columns + f * gp->room,
                                                              gp->query[f], p, gp->overlap[f]);
        }
        trace += gp->whiten[p * gp->room + p];
    }
    const double fit = matern_dot(gp->alpha, gp->standard, n);
    const double square = matern_dot(gp->alpha, gp->alpha, n);
    gradient[gp->d] = 0.5 * ((double)n - fit - gp->noise * (trace - square));
    gradient[gp->d + 1] = 0.5 * gp->noise * (trace - square);
}

Status gaussian_process__objective(GaussianProcess *gp, const double *parameters, double *value,
                                   double *gradient) {
    const size_t       n = gp->rows;
    const DoubleMatrix whiten = {gp->whiten, n, n, gp->room};
    gp->factored = 0;
    gaussian_process__set(gp, parameters);
    gaussian_process__covariance(gp, n, true);
    TRY(linalg_cholesky(double_matrix_view(whiten), whiten));
    const double determinant = linalg_log_determinant(double_matrix_view(whiten));
    memcpy(gp->alpha, gp->standard, n * sizeof *gp->alpha);
    TRY(linalg_solve_cholesky(double_matrix_view(whiten), (DoubleMatrix){gp->alpha, n, 1, 1}));
    TRY(linalg_invert_cholesky(whiten));
    const double fit = matern_dot(gp->alpha, gp->standard, n);
    differentiate(gp, gradient);
    *value = 0.5 * (fit + determinant) + add_prior(gp, parameters, gradient);
    return STATUS_OK;
}

/* what NLopt minimizes; the best seen is kept here, whatever NLopt says in the end */
typedef struct Search {
    GaussianProcess *gp;
    double           best;
} Search;

static double search_step(unsigned n, const double *parameters, double *gradient, void *context) {
    Search *search = context;
    double  value = 0.0;
    if (gaussian_process__objective(search->gp, parameters, &value, search->gp->gradient) !=
            STATUS_OK ||
        !isfinite(value)) {
        value = (double)HUGE_VAL;
        memset(search->gp->gradient, 0, n * sizeof *gradient);
    }
    if (value < search->best) {
        search->best = value;
        memcpy(search->gp->best, parameters, n * sizeof *parameters);
    }
    if (gradient != NULL) {
        memcpy(gradient, search->gp->gradient, n * sizeof *gradient);
    }
    return value;
}

static nlopt_opt make_optimizer(GaussianProcess *gp, Search *search) {
    const size_t    count = gp->d + 2;
    const nlopt_opt optimizer = nlopt_create(NLOPT_LD_LBFGS, (unsigned)count);
    bool            sound = optimizer != NULL;
    for (size_t j = 0; sound && j < count; j++) {
        const Prior prior = prior_of(gp, j);
        sound = nlopt_set_lower_bound(optimizer, (int)j, prior.lowest) == NLOPT_SUCCESS &&
                nlopt_set_upper_bound(optimizer, (int)j, prior.highest) == NLOPT_SUCCESS;
    }
    sound = sound && nlopt_set_min_objective(optimizer, search_step, search) == NLOPT_SUCCESS &&
            nlopt_set_vector_storage(optimizer, VECTORS) == NLOPT_SUCCESS &&
            nlopt_set_ftol_abs(optimizer, TOLERANCE) == NLOPT_SUCCESS &&
            nlopt_set_maxeval(optimizer, (gp->rows <= SMALL) ? STEPS_SMALL : STEPS_LARGE) ==
                NLOPT_SUCCESS;
    if (!sound) {
        nlopt_destroy(optimizer); /* accepts NULL */
    }
    return sound ? optimizer : NULL;
}

Status gaussian_process_fit(GaussianProcess *gp) {
    Search search = {gp, (double)INFINITY};
    double reached = 0.0;
    if (gp->rows == 0) {
        return STATUS_OK;
    }
    const nlopt_opt optimizer = make_optimizer(gp, &search);
    if (optimizer == NULL) {
        FAIL(STATUS_ERR_NOMEM, "gaussian process: no memory for NLopt");
    }
    gp->pending = 0;
    gp->current = false;
    gaussian_process__standardize(gp);
    memcpy(gp->best, gp->parameters, (gp->d + 2) * sizeof *gp->best);
    /* any return but an optimum, such as rounding or the limit, leaves the best seen */
    (void)nlopt_optimize(optimizer, gp->parameters, &reached);
    if (gp->rows <= TWO_STARTS) {
        gaussian_process__prior_mode(gp, gp->parameters);
        (void)nlopt_optimize(optimizer, gp->parameters, &reached);
    }
    nlopt_destroy(optimizer);
    memcpy(gp->parameters, gp->best, (gp->d + 2) * sizeof *gp->best);
    gaussian_process__set(gp, gp->parameters);
    gp->fitted = gp->rows;
    gp->factored = 0;
    return STATUS_OK;
}
