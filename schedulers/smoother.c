#include "schedulers/smoother.h"

#include "core/statistics.h"

#include <math.h>
#include <string.h>

enum { LEAST_BENDS = 8 }; /* fewer say little */

/* a standard normal's median absolute value, and the standard deviation of y1 - 2 y2 + y3 */
#define NORMAL_MEDIAN  0.6745
#define BEND_DEVIATION 2.449489742783178
/* Slopes of other values lie about the mean slope by as much as SLOPE_SPREAD times that, and one
 * slope changes by SLOPE_DRIFT times it from segment to segment (a learning curve bends). */
#define SLOPE_SPREAD 1.5
#define SLOPE_DRIFT  0.3
/* a result that lies this many standard deviations off is no noise: the agent broke, or jumped */
#define JUMP 4.0

static double noise_variance(const Smoother *smoother, double fallback) {
    const size_t n =
        (smoother->bend_count < SMOOTHER_BENDS) ? smoother->bend_count : SMOOTHER_BENDS;
    double sorted[SMOOTHER_BENDS];
    if (n < LEAST_BENDS) {
        return fallback;
    }
    memcpy(sorted, smoother->bends, n * sizeof *sorted);
    statistics_sort(sorted, n);
    const double deviation =
        statistics_quantile((Sample){sorted, n}, 0.5) / (NORMAL_MEDIAN * BEND_DEVIATION);
    return deviation * deviation;
}

static void learn(Smoother *smoother, const SmoothedResult *result) {
    double fallback = (double)NAN;
    if (isfinite(result->spread)) {
        fallback = result->spread * result->spread / result->units;
    }
    if (result->parent != NULL) {
        smoother->gained += result->fitness - result->parent_fitness;
        smoother->units += result->units;
        smoother->results++;
    }
    if (result->parent != NULL && isfinite(result->before_fitness)) {
        smoother->bends[smoother->bend_count++ % SMOOTHER_BENDS] =
            fabs(result->fitness - 2.0 * result->parent_fitness + result->before_fitness);
    }
    smoother->variance = noise_variance(smoother, fallback);
}

static bool is_noisy(const Smoother *smoother) {
    const double n = (double)smoother->results;
    return n > 0.0 && smoother->variance * n * n > smoother->gained * smoother->gained;
}

/* at the result itself: nothing before it counts */
static Worth begin(const SmoothedResult *result, double noise, double slope, double spread,
                   bool noisy) {
    return (Worth){.level = result->fitness,
                   .slope = slope,
                   .level_variance = noise,
                   .slope_variance = spread * spread,
                   .noisy = noisy};
}

Worth smoother_add(Smoother *smoother, const SmoothedResult *result) {
    learn(smoother, result);
    const double u = result->units;
    const double noise = smoother->variance;
    const double mean = (smoother->units > 0.0) ? smoother->gained / smoother->units : 0.0;
    const double spread = SLOPE_SPREAD * fabs(mean);
    const bool   noisy = is_noisy(smoother);
    if (isnan(noise)) {
        Worth raw = begin(result, 0.0, mean, spread, noisy);
        raw.raw = true;
        if (result->parent != NULL) {
            raw.slope = (result->fitness - result->parent_fitness) / u;
        }
        return raw;
    }
    if (result->parent == NULL) {
        return begin(result, noise, mean, spread, noisy);
    }
    /* one segment on */
    Worth w = *result->parent;
    w.noisy = noisy;
    if (w.raw) {
        w.level_variance = noise;
        w.raw = false;
    }
    if (result->changed || result->parent->raw) {
        w.slope = mean;
        w.slope_variance = spread * spread;
        w.covariance = 0.0;
    } else {
        w.slope_variance += SLOPE_DRIFT * SLOPE_DRIFT * mean * mean;
    }
    w.level += u * w.slope;
    w.level_variance += u * (2.0 * w.covariance + u * w.slope_variance);
    w.covariance += u * w.slope_variance;
    /* and what the result says */
    const double total = w.level_variance + noise;
    const double error = result->fitness - w.level;
    if (!(total > 0.0) || error * error > JUMP * JUMP * total) {
        Worth jumped = begin(result, noise, mean, spread, noisy);
        jumped.slope = (result->fitness - result->parent->level) / u;
        return jumped;
    }
    const double level_gain = w.level_variance / total;
    const double slope_gain = w.covariance / total;
    w.level += level_gain * error;
    w.slope += slope_gain * error;
    w.slope_variance = fmax(0.0, w.slope_variance - slope_gain * w.covariance);
    w.covariance -= slope_gain * w.level_variance;
    w.level_variance *= noise / total;
    return w;
}
