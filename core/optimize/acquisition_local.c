/* When the search goes on near the best observation, and where.
 *
 * Expected improvement in ten dimensions is highest on a shell around the best point: there are
 * many directions in which little is known, and a step in all of them at once finds none of the
 * small improvements that are near. So, as long as the last d observations brought nothing better,
 * every other search moves three coordinates only, by little, and holds the others where the best
 * observation has them. The process still says which way. Where three coordinates are all there
 * are, the whole cube is small enough; and where the process finds noise, the best observation is a
 * lucky one and would stay it for long.
 *
 * Numbers: median regret on Ackley-10 after 200 evaluations, seeds 101 to 124: 3.6 without this,
 * 2.6 with it (2.4 if noise does not end it), 3.2 with three coordinates over their whole
 * range, 3.3 with all coordinates within 0.01; when it begins at once and not after d
 * observations 2.6, but 19 in place of 12 after 50; after 5 observations 2.5; around the lowest
 * posterior mean and not the lowest target 2.8.
 *
 * Sources: Regis & Shoemaker (2013), Combining radial basis function surrogates and dynamic
 * coordinate search (DYCORS); Eriksson et al. (2019), Scalable global optimization via local
 * Bayesian optimization (few coordinates at once).
 */
#include "core/optimize/acquisition_search_internal.h"

#include <math.h>

enum { MOVED = 3 };
#define SHARE 0.5
/* of the cube, to either side */
#define REACH 0.02
/* of the distance to the next level of a discrete dimension, which is always within reach */
#define LEVELS_REACHED 1.01

/* categorical dimensions have no neighbourhood, and what is inactive has no value */
static bool can_move(const OptimizeDimension *dimension, double x) {
    return !dimension->categorical && dimension->choices != 1 && !isnan(x);
}

static double reach_of(const OptimizeDimension *dimension, double x) {
    double next = 0.0;
    if (dimension->choices > 0) {
        const size_t now = optimize_choice(dimension, x);
        next = (now > 0) ? x - optimize_level(dimension, now - 1) : 0.0;
        next = (now + 1 < dimension->choices) ? fmax(next, optimize_level(dimension, now + 1) - x)
                                              : next;
    }
    return fmax(REACH, LEVELS_REACHED * next);
}

static size_t find_best(const GaussianProcess *gp) {
    size_t best = 0;
    for (size_t i = 1; i < gaussian_process_count(gp); i++) {
        best = (gaussian_process_target(gp, i) < gaussian_process_target(gp, best)) ? i : best;
    }
    return best;
}

static bool is_stuck(const AcquisitionSearch *search, size_t best) {
    const size_t n = gaussian_process_count(search->gp);
    return n > 0 && n - 1 - best >= search->d && !gaussian_process_is_noisy(search->gp);
}

static size_t count_movable(const AcquisitionSearch *search, const double *x) {
    size_t count = 0;
    for (size_t j = 0; j < search->d; j++) {
        count += can_move(&search->dimensions[j], x[j]);
    }
    return count;
}

bool acquisition_local__box(const AcquisitionSearch *search, Rng *rng, double *lower,
                            double *upper) {
    const bool special = search->lower != NULL || search->second != NULL ||
                         search->constraint_count > 0 || search->confidence > 0.0;
    const size_t best = find_best(search->gp);
    if (special || !is_stuck(search, best)) {
        return false;
    }
    const double *x = gaussian_process_point(search->gp, best);
    size_t        left = count_movable(search, x);
    size_t        wanted = MOVED;
    if (left <= MOVED || rng_uniform(rng) >= SHARE) {
        return false;
    }
    for (size_t j = 0; j < search->d; j++) {
        lower[j] = x[j];
        upper[j] = x[j];
        if (can_move(&search->dimensions[j], x[j]) && rng_below(rng, left--) < wanted) {
            const double reach = reach_of(&search->dimensions[j], x[j]);
            lower[j] = fmax(0.0, x[j] - reach);
            upper[j] = fmin(1.0, x[j] + reach);
            wanted--;
        }
    }
    return true;
}
