#include "core/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESAMPLES_LIMIT = 1000000 };

double statistics_mean(Sample x) {
    double sum = 0.0;
    for (size_t i = 0; i < x.n; i++) {
        sum += x.values[i];
    }
    return (x.n == 0) ? (double)NAN : sum / (double)x.n;
}

double statistics_variance(Sample x) {
    if (x.n < 2) {
        return (double)NAN;
    }
    const double mean = statistics_mean(x);
    double       sum = 0.0;
    for (size_t i = 0; i < x.n; i++) {
        const double off = x.values[i] - mean;
        sum += off * off;
    }
    return sum / (double)(x.n - 1);
}

double statistics_deviation(Sample x) {
    return sqrt(statistics_variance(x));
}

/* ascending, NaN last */
static int compare(double a, double b) {
    if (isnan(a) || isnan(b)) {
        return (isnan(a) != 0) - (isnan(b) != 0);
    }
    return (a > b) - (a < b);
}

static int compare_values(const void *a, const void *b) {
    return compare(*(const double *)a, *(const double *)b);
}

void statistics_sort(double *values, size_t n) {
    if (n > 1) {
        qsort(values, n, sizeof *values, compare_values);
    }
}

/* a sorted sample without values, or with a NaN, which stands last */
static int is_void(Sample sorted) {
    return sorted.n == 0 || isnan(sorted.values[sorted.n - 1]);
}

double statistics_quantile(Sample sorted, double p) {
    if (is_void(sorted) || !(p >= 0.0 && p <= 1.0)) {
        return (double)NAN;
    }
    const double position = p * (double)(sorted.n - 1);
    const size_t below = (size_t)position;
    const size_t above = (below + 1 < sorted.n) ? below + 1 : below;
    const double fraction = position - (double)below;
    const double low = sorted.values[below];
    const double high = sorted.values[above];
    /* also where both are the same infinity */
    return (fraction == 0.0 || low == high) ? low : low + fraction * (high - low);
}

double statistics_interquartile_mean(Sample sorted) {
    if (is_void(sorted)) {
        return (double)NAN;
    }
    /* value i covers [i, i + 1]; kept is [n / 4, 3 n / 4] */
    const double n = (double)sorted.n;
    const double begin = 0.25 * n;
    const double end = 0.75 * n;
    double       sum = 0.0;
    for (size_t i = 0; i < sorted.n; i++) {
        const double weight = fmin((double)i + 1.0, end) - fmax((double)i, begin);
        if (weight > 0.0) {
            sum += weight * sorted.values[i];
        }
    }
    return sum / (0.5 * n);
}

double statistics_interquartile_range(Sample sorted) {
    return statistics_quantile(sorted, 0.75) - statistics_quantile(sorted, 0.25);
}

static Status check_pairs(Sample x, Sample y) {
    if (x.n != y.n) {
        FAIL(STATUS_ERR_SHAPE, "correlation: %zu values with %zu", x.n, y.n);
    }
    return STATUS_OK;
}

static double pearson(Sample x, Sample y) {
    const double mean_x = statistics_mean(x);
    const double mean_y = statistics_mean(y);
    double       xx = 0.0;
    double       yy = 0.0;
    double       xy = 0.0;
    for (size_t i = 0; i < x.n; i++) {
        const double dx = x.values[i] - mean_x;
        const double dy = y.values[i] - mean_y;
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
    }
    /* two roots: the product of the sums may overflow */
    const double r = xy / (sqrt(xx) * sqrt(yy));
    return (isnan(r) || (xx == 0.0) || (yy == 0.0)) ? (double)NAN : fmax(-1.0, fmin(1.0, r));
}

Status statistics_pearson(Sample x, Sample y, double *out) {
    TRY(check_pairs(x, y));
    *out = pearson(x, y);
    return STATUS_OK;
}

typedef struct Ranked {
    double value;
    size_t index;
} Ranked;

static int compare_ranked(const void *a, const void *b) {
    return compare(((const Ranked *)a)->value, ((const Ranked *)b)->value);
}

/* average ranks from 1; NaN everywhere if a value is NaN */
static void rank_values(Sample x, Ranked *order, double *ranks) {
    for (size_t i = 0; i < x.n; i++) {
        order[i] = (Ranked){x.values[i], i};
    }
    if (x.n > 1) {
        qsort(order, x.n, sizeof *order, compare_ranked);
    }
    const int has_nan = x.n > 0 && isnan(order[x.n - 1].value);
    for (size_t first = 0; first < x.n;) {
        size_t last = first;
        while (last + 1 < x.n && order[last + 1].value == order[first].value) {
            last++;
        }
        for (size_t i = first; i <= last; i++) {
            ranks[order[i].index] = has_nan ? (double)NAN : 0.5 * (double)(first + last) + 1.0;
        }
        first = last + 1;
    }
}

size_t statistics_spearman_scratch(size_t n) {
    return arena_need(n, sizeof(Ranked)) + 2 * arena_need(n, sizeof(double));
}

Status statistics_spearman(Sample x, Sample y, Arena *scratch, double *out) {
    TRY(check_pairs(x, y));
    const size_t mark = arena_mark(scratch);
    Ranked      *order = NULL;
    double      *ranks = NULL;
    Status       status = ARENA_TAKE(scratch, Ranked, x.n, &order);
    if (status == STATUS_OK) {
        status = ARENA_TAKE(scratch, double, 2 * x.n, &ranks);
    }
    if (status == STATUS_OK) {
        double *second = ranks + x.n;
        rank_values(x, order, ranks);
        rank_values(y, order, second);
        *out = pearson((Sample){ranks, x.n}, (Sample){second, x.n});
    }
    arena_release(scratch, mark);
    return status;
}

double statistics_improvement(Sample sorted_x, Sample sorted_y) {
    if (is_void(sorted_x) || is_void(sorted_y)) {
        return (double)NAN;
    }
    size_t below = 0;     /* values of y less than the current x */
    size_t not_above = 0; /* and those not greater */
    double wins = 0.0;
    for (size_t i = 0; i < sorted_x.n; i++) {
        const double x = sorted_x.values[i];
        while (below < sorted_y.n && sorted_y.values[below] < x) {
            below++;
        }
        while (not_above < sorted_y.n && sorted_y.values[not_above] <= x) {
            not_above++;
        }
        wins += 0.5 * (double)(below + not_above);
    }
    return wins / ((double)sorted_x.n * (double)sorted_y.n);
}

/* of a sorted sample */
static double statistic_of(Statistic statistic, Sample sorted) {
    switch (statistic) {
    case STATISTIC_MEAN:
        return statistics_mean(sorted);
    case STATISTIC_MEDIAN:
        return statistics_quantile(sorted, 0.5);
    case STATISTIC_INTERQUARTILE_MEAN:
        return statistics_interquartile_mean(sorted);
    }
    return (double)NAN;
}

/* What is computed from one or two sorted samples; y.n = 0 where there is one. */
typedef struct Estimator {
    Statistic statistic;
    int       is_improvement;
} Estimator;

static double estimate(Estimator estimator, Sample x, Sample y) {
    if (estimator.is_improvement) {
        return statistics_improvement(x, y);
    }
    const double of_x = statistic_of(estimator.statistic, x);
    return (y.n == 0) ? of_x : of_x - statistic_of(estimator.statistic, y);
}

size_t statistics_bootstrap_scratch(size_t values, size_t resamples) {
    /* two blocks of values, each rounded up */
    return arena_need(values, sizeof(double)) + ARENA_ALIGNMENT +
           arena_need(resamples, sizeof(double));
}

static Sample draw(Sample from, Rng *rng, double *into) {
    for (size_t i = 0; i < from.n; i++) {
        into[i] = from.values[rng_below(rng, from.n)];
    }
    statistics_sort(into, from.n);
    return (Sample){into, from.n};
}

static Sample sorted_copy(Sample from, double *into) {
    if (from.n > 0) {
        memcpy(into, from.values, from.n * sizeof *into);
    }
    statistics_sort(into, from.n);
    return (Sample){into, from.n};
}

/* `resamples` replicates, sorted; `drawn` has room for both samples */
static void resample(Estimator estimator, Sample x, Sample y, Rng *rng, double *drawn,
                     size_t resamples, double *replicates) {
    for (size_t i = 0; i < resamples; i++) {
        const Sample drawn_x = draw(x, rng, drawn);
        const Sample drawn_y = draw(y, rng, drawn + x.n);
        replicates[i] = estimate(estimator, drawn_x, drawn_y);
    }
    statistics_sort(replicates, resamples);
}

static Status bootstrap(Estimator estimator, Sample x, Sample y, Bootstrap settings, Rng *rng,
                        Arena *scratch, Interval *out) {
    if (!(settings.level > 0.0 && settings.level < 1.0) || settings.resamples < 1 ||
        settings.resamples > RESAMPLES_LIMIT) {
        FAIL(STATUS_ERR_ARG,
             "bootstrap: level %g and %zu resamples; expected a level between 0 and 1 and 1 to %d "
             "resamples",
             settings.level, settings.resamples, RESAMPLES_LIMIT);
    }
    const size_t mark = arena_mark(scratch);
    double      *drawn = NULL;
    double      *replicates = NULL;
    Status       status = ARENA_TAKE(scratch, double, x.n + y.n, &drawn);
    if (status == STATUS_OK) {
        status = ARENA_TAKE(scratch, double, settings.resamples, &replicates);
    }
    if (status == STATUS_OK) {
        const Sample sorted = {replicates, settings.resamples};
        const double tail = 0.5 * (1.0 - settings.level);
        Interval     interval;
        interval.estimate = estimate(estimator, sorted_copy(x, drawn), sorted_copy(y, drawn + x.n));
        resample(estimator, x, y, rng, drawn, settings.resamples, replicates);
        interval.low = statistics_quantile(sorted, tail);
        interval.high = statistics_quantile(sorted, 1.0 - tail);
        *out = interval;
    }
    arena_release(scratch, mark);
    return status;
}

static Status check_filled(Sample x, Sample y) {
    if (x.n == 0 || y.n == 0) {
        FAIL(STATUS_ERR_ARG, "bootstrap: a sample is empty");
    }
    return STATUS_OK;
}

Status statistics_bootstrap(Statistic statistic, Sample x, Bootstrap settings, Rng *rng,
                            Arena *scratch, Interval *out) {
    TRY(check_filled(x, x));
    return bootstrap((Estimator){statistic, 0}, x, (Sample){x.values, 0}, settings, rng, scratch,
                     out);
}

Status statistics_bootstrap_difference(Statistic statistic, Sample x, Sample y, Bootstrap settings,
                                       Rng *rng, Arena *scratch, Interval *out) {
    TRY(check_filled(x, y));
    return bootstrap((Estimator){statistic, 0}, x, y, settings, rng, scratch, out);
}

Status statistics_bootstrap_improvement(Sample x, Sample y, Bootstrap settings, Rng *rng,
                                        Arena *scratch, Interval *out) {
    TRY(check_filled(x, y));
    return bootstrap((Estimator){STATISTIC_MEAN, 1}, x, y, settings, rng, scratch, out);
}
