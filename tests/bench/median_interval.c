#include "tests/bench/median_interval.h"
#include "tests/support/check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESAMPLES = 2000 };
#define LEVEL 0.95
/* what issue 4 calls solved */
#define TIE_BELOW 1e-4

Interval median_interval(const double *values, size_t n, size_t stream) {
    Interval median;
    Arena    scratch;
    Rng      rng = rng_stream(1, stream, RNG_STATISTICS);
    check(arena_init(&scratch, statistics_bootstrap_scratch(n, RESAMPLES)));
    check(statistics_bootstrap(STATISTIC_MEDIAN, (Sample){values, n}, (Bootstrap){LEVEL, RESAMPLES},
                               &rng, &scratch, &median));
    arena_reset(&scratch);
    return median;
}

const char *comparison_add(Comparison *comparison, Interval median, double published) {
    if (isnan(published)) {
        return "";
    }
    comparison->entries++;
    if (median.estimate < TIE_BELOW && published < TIE_BELOW) {
        return "tie";
    }
    if (median.estimate <= published) {
        return "ahead";
    }
    comparison->behind++;
    comparison->beyond += (median.low > published) ? 1 : 0;
    return (median.low > published) ? "beyond" : "behind";
}

void comparison_print(const Comparison *comparison, const char *name) {
    (void)printf(
        "# %s: behind the published median in %zu of %zu entries, beyond the 95 %% bootstrap "
        "interval in %zu\n",
        name, comparison->behind, comparison->entries, comparison->beyond);
}
