#include "core/optimize/acquisition_search_internal.h"

#include <math.h>
#include <string.h>

/* candidates: as many as 1 GFLOP of variances allows, within these */
enum { CANDIDATES_MOST = 1024, CANDIDATES_LEAST = 256, BEST = 8, RADII = 4 };
#define CANDIDATE_FLOP 1e9

/* how far perturbed observations lie from their origin, in the unit cube */
static const double radii[RADII] = {0.2, 0.05, 0.01, 0.002};

/* expected number of coordinates that a perturbation changes */
#define CHANGED_COORDINATES 4.0

size_t acquisition_start__count(const AcquisitionSearch *search) {
    const double rows = fmax((double)gaussian_process_count(search->gp), 1.0);
    if (search->candidates > 0) {
        return search->candidates;
    }
    const double count = CANDIDATE_FLOP / (rows * rows);
    return (count >= CANDIDATES_MOST)    ? CANDIDATES_MOST
           : (count <= CANDIDATES_LEAST) ? CANDIDATES_LEAST
                                         : (size_t)count;
}

double acquisition_start__lower(const AcquisitionSearch *search, size_t j) {
    return (search->lower == NULL) ? 0.0 : search->lower[j];
}

double acquisition_start__upper(const AcquisitionSearch *search, size_t j) {
    return (search->upper == NULL) ? 1.0 : search->upper[j];
}

bool acquisition_start__settle(const AcquisitionSearch *search, double *x) {
    for (size_t j = 0; j < search->d; j++) {
        const OptimizeDimension *dimension = &search->dimensions[j];
        if (dimension->choices > 0 && !isnan(x[j])) {
            x[j] = optimize_level(dimension, optimize_choice(dimension, x[j]));
        }
    }
    return search->settle == NULL || search->settle(search->context, x);
}

/* root of g^(d+1) = g + 1: its powers shift an additive recurrence of low discrepancy. Source:
 * Roberts (2018), The unreasonable effectiveness of quasirandom sequences */
static double recurrence_root(size_t d) {
    double g = 2.0;
    for (int k = 0; k < 60; k++) {
        g = pow(1.0 + g, 1.0 / ((double)d + 1.0));
    }
    return g;
}

static void draw_box(const AcquisitionSearch *search, Rng *rng, size_t count, double *x) {
    const double g = recurrence_root(search->d);
    double       power = 1.0;
    for (size_t j = 0; j < search->d; j++) {
        const double shift = rng_uniform(rng);
        const double lower = acquisition_start__lower(search, j);
        const double width = acquisition_start__upper(search, j) - lower;
        power /= g;
        for (size_t i = 0; i < count; i++) {
            const double at = shift + (double)i * power;
            x[i * search->d + j] = lower + width * (at - floor(at));
        }
    }
}

/* indices of the lowest targets, best first */
static size_t find_best(const GaussianProcess *gp, size_t *best) {
    size_t count = 0;
    for (size_t i = 0; i < gaussian_process_count(gp); i++) {
        size_t at = count;
        while (at > 0 &&
               gaussian_process_target(gp, i) < gaussian_process_target(gp, best[at - 1])) {
            at--;
        }
        if (at < BEST) {
            count += (count < BEST) ? 1 : 0;
            memmove(best + at + 1, best + at, (count - 1 - at) * sizeof *best);
            best[at] = i;
        }
    }
    return count;
}

static double reflect(double x) {
    const double up = (x < 0.0) ? -x : x;
    const double in = (up > 1.0) ? 2.0 - up : up;
    return fmin(fmax(in, 0.0), 1.0);
}

/* another coordinate of a dimension, near the old one */
static double move(const OptimizeDimension *dimension, double from, double radius, Rng *rng) {
    const double to = from + radius * rng_normal(rng);
    const double anywhere = rng_uniform(rng);
    if (isnan(from) || dimension->categorical) {
        return anywhere;
    }
    return reflect(to);
}

static void perturb(const AcquisitionSearch *search, const double *origin, double radius, Rng *rng,
                    double *x) {
    const double chance = fmin(1.0, CHANGED_COORDINATES / (double)search->d);
    const size_t sure = (size_t)rng_below(rng, search->d); /* at least one moves */
    for (size_t j = 0; j < search->d; j++) {
        const bool   moves = rng_uniform(rng) < chance || j == sure;
        const double to = move(&search->dimensions[j], origin[j], radius, rng);
        /* an inactive dimension stays so, unless settling finds that it cannot */
        x[j] = (moves && !isnan(origin[j])) ? to : origin[j];
        if (!isnan(x[j])) {
            x[j] = fmin(fmax(x[j], acquisition_start__lower(search, j)),
                        acquisition_start__upper(search, j));
        }
    }
}

void acquisition_start__draw(const AcquisitionSearch *search, Rng *rng, size_t count, double *x,
                             bool *valid) {
    size_t       best[BEST + 1];
    const bool   given = search->origin_count > 0;
    const size_t known = given ? search->origin_count : find_best(search->gp, best);
    const size_t global = (known == 0) ? count : count / 2;
    draw_box(search, rng, global, x);
    for (size_t i = global; i < count; i++) {
        const size_t  k = i % known;
        const double *origin =
            given ? search->origins + k * search->d : gaussian_process_point(search->gp, best[k]);
        perturb(search, origin, radii[(i / known) % RADII], rng, x + i * search->d);
    }
    for (size_t i = 0; i < count; i++) {
        valid[i] = acquisition_start__settle(search, x + i * search->d);
    }
}
